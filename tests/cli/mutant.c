/* SPDX-License-Identifier: MIT */
/*
 * Linked into nmhal-probe-faulty: "mutant:xbar8,defect=NAME", an emulated nmlink board behind a stream that makes it
 * break one rule of the protocol, which its conformance run must notice. defect=none breaks none; with bytes=1 the
 * stream does not keep frames apart (COBS), and gives them out in small pieces.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#include "nmlink/frame.h"

#define FRAME (1u << 17)
#define QUEUE 128u
#define PIECE 61u /* bytes of a stream at once */

extern const struct nmhal_link nm_link_sim;
extern const struct nmhal_link mutant_link;

enum defect { CRC, REPEATS, ORDER, LIMITS, ARMING, ABORTS, CREDITS, CAPS, NOISE, VERSIONS, SESSIONS, NONE, DEFECTS };
static const char *const names[DEFECTS] = {"crc", "repeats", "order", "limits", "arming", "aborts", "credits", "caps",
	"noise", "versions", "sessions", "none"};

struct mutant {
	struct nmhal_stream board;
	enum defect defect;
	uint16_t session, host_next, board_next;
	uint16_t asked[QUEUE]; /* numbers of the host whose replies wait */
	unsigned asked_from, asked_to;
	bool widened;
	uint8_t limits[NMLINK_SIZE_limits]; /* that the host asked for */
	uint8_t count;
	uint8_t frame[FRAME];
	/* A stream of bytes. */
	bool bytes;
	struct nmlink_cobs cobs;
	uint8_t whole[FRAME], reply[FRAME], out[NMLINK_COBS_SIZE(FRAME)];
	size_t out_at, out_size;
};

static void mutant_close(void *self)
{
	struct mutant *mutant = self;

	mutant->board.ops->close(mutant->board.self);
	free(mutant);
}

static void mutant_info(void *self, struct nmhal_stream_info *info)
{
	struct mutant *mutant = self;

	mutant->board.ops->info(mutant->board.self, info);
	if (mutant->bytes)
		info->max_frame = 0;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* Numbers of the host become numbers of the board, so that it executes what it should not. */
static void renumber(struct mutant *mutant, struct nmlink_header *header)
{
	const uint16_t ahead = (uint16_t)(header->seq - mutant->host_next), behind = (uint16_t)-ahead;
	bool taken = ahead == 0 || (behind >= 1 && behind <= 8 && mutant->defect == REPEATS) || mutant->defect == ORDER;

	mutant->asked[mutant->asked_to++ % QUEUE] = header->seq;
	if (!taken)
		header->seq = (uint16_t)(mutant->board_next + 100);
	else
		header->seq = mutant->board_next++;
	if (ahead == 0)
		mutant->host_next++;
}

static void spoil_request(struct mutant *mutant, struct nmlink_header *header)
{
	bool hello = header->op == NMLINK_OP_HELLO;

	if (hello && header->size >= 4) {
		uint16_t session = nmlink_load_u16(mutant->frame + NMLINK_HEADER_SIZE);

		if (session != mutant->session)
			mutant->host_next = mutant->board_next = 1;
		mutant->session = session ? session : mutant->session;
	}
	if (mutant->defect == VERSIONS)
		header->version = NMLINK_VERSION_MAJOR;
	if (mutant->defect == SESSIONS && !hello)
		header->session = mutant->session;
	if (mutant->defect == LIMITS && header->op == NMLINK_OP_SET_LIMITS && header->size == NMLINK_SIZE_limits)
		memcpy(mutant->limits, mutant->frame + NMLINK_HEADER_SIZE, sizeof(mutant->limits));
	if ((mutant->defect == REPEATS || mutant->defect == ORDER) && !hello && header->flags == 0 &&
		header->session == mutant->session && header->version == NMLINK_VERSION_MAJOR)
		renumber(mutant, header);
}

static int send_frame(struct mutant *mutant, const void *buf, size_t size, int64_t deadline_ns)
{
	struct nmlink_header header;
	enum nmlink_status status = nmlink_frame_open(buf, size, &header, nmlink_crc32c);

	memcpy(mutant->frame, buf, size);
	if (mutant->defect == CRC && status == NMLINK_ECRC)
		status = NMLINK_OK;
	if (status == NMLINK_OK || status == NMLINK_EVERSION) {
		nmlink_get_header(&header, mutant->frame, NMLINK_HEADER_SIZE);
		if (header.size != size - NMLINK_OVERHEAD)
			header.size = (uint32_t)(size - NMLINK_OVERHEAD);
		spoil_request(mutant, &header);
		nmlink_frame_seal(mutant->frame, &header, nmlink_crc32c);
	}
	return mutant->board.ops->send(mutant->board.self, mutant->frame, size, deadline_ns);
}

static int mutant_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct mutant *mutant = self;
	const uint8_t *bytes = buf;
	int status = NMHAL_OK;

	if (!mutant->bytes)
		return send_frame(mutant, buf, size, deadline_ns);
	while (size > 0 && status == NMHAL_OK) {
		size_t used = 0;

		if (nmlink_cobs_take(&mutant->cobs, bytes, size, &used))
			status = send_frame(mutant, mutant->whole, mutant->cobs.size, deadline_ns);
		bytes += used;
		size -= used;
	}
	return status;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

/* The number that the host used, or the one that it should use. */
static void number_back(struct mutant *mutant, struct nmlink_header *header)
{
	if (header->status == NMLINK_ECRC) {
		header->seq = mutant->host_next;
		return;
	}
	if (mutant->asked_from == mutant->asked_to || header->op == NMLINK_OP_HELLO ||
		header->flags & NMLINK_FLAG_URGENT || header->status == NMLINK_ESESSION ||
		header->status == NMLINK_EVERSION)
		return;
	header->seq = mutant->asked[mutant->asked_from++ % QUEUE];
	if (header->status == NMLINK_ESEQ)
		header->seq = mutant->host_next;
}

static void spoil_limits(struct mutant *mutant, struct nmlink_header *header, uint8_t *payload)
{
	mutant->widened = mutant->widened || (header->op == NMLINK_OP_SET_LIMITS && header->status == NMLINK_ELIMIT);
	if (!mutant->widened || (header->op != NMLINK_OP_SET_LIMITS && header->op != NMLINK_OP_GET_LIMITS))
		return;
	header->status = NMLINK_OK;
	header->size = NMLINK_SIZE_limits;
	memcpy(payload, mutant->limits, sizeof(mutant->limits));
}

static void spoil_reply(struct mutant *mutant, struct nmlink_header *header, uint8_t *payload)
{
	bool done = header->status == NMLINK_OK;

	if (mutant->defect == REPEATS || mutant->defect == ORDER)
		number_back(mutant, header);
	else if (mutant->defect == CREDITS)
		header->credits = 200;
	else if (mutant->defect == LIMITS)
		spoil_limits(mutant, header, payload);
	else if (mutant->defect == CAPS && header->op == NMLINK_OP_CAPS && done && header->size > 4)
		payload[header->size - 1] ^= 1;
	else if (mutant->defect == NOISE && header->op == NMLINK_OP_INFER && done)
		payload[0] ^= mutant->count++ & 1;
	else if (mutant->defect == ARMING && header->op == NMLINK_OP_PULSE_CELL && header->status == NMLINK_EARM) {
		header->status = NMLINK_OK;
		header->size = NMLINK_SIZE_pulse_cell_reply;
		nmlink_store_u32(payload, 1);
	}
}

static int receive_frame(struct mutant *mutant, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct nmlink_header header;
	uint8_t *frame = buf;
	int status = mutant->board.ops->recv(mutant->board.self, buf, capacity, size, deadline_ns);

	if (status != NMHAL_OK || nmlink_frame_open(frame, *size, &header, nmlink_crc32c) != NMLINK_OK)
		return status;
	if (mutant->defect == ABORTS && header.flags & NMLINK_FLAG_URGENT && header.op == NMLINK_OP_ABORT)
		return receive_frame(mutant, buf, capacity, size, deadline_ns);
	spoil_reply(mutant, &header, frame + NMLINK_HEADER_SIZE);
	*size = nmlink_frame_seal(frame, &header, nmlink_crc32c);
	return status;
}

static int mutant_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct mutant *mutant = self;
	int status = NMHAL_OK;

	if (!mutant->bytes)
		return receive_frame(mutant, buf, capacity, size, deadline_ns);
	if (mutant->out_at == mutant->out_size) {
		status = receive_frame(mutant, mutant->reply, sizeof(mutant->reply), size, deadline_ns);
		if (status != NMHAL_OK)
			return status;
		mutant->out_at = 0;
		mutant->out_size = nmlink_cobs_encode(mutant->out, mutant->reply, *size);
	}
	*size = mutant->out_size - mutant->out_at;
	*size = *size > PIECE ? PIECE : *size;
	*size = *size > capacity ? capacity : *size;
	memcpy(buf, mutant->out + mutant->out_at, *size);
	mutant->out_at += *size;
	return NMHAL_OK;
}

static int mutant_flush(void *self, int64_t deadline_ns)
{
	struct mutant *mutant = self;

	mutant->out_at = mutant->out_size = 0;
	return mutant->board.ops->flush(mutant->board.self, deadline_ns);
}

static const struct nmhal_stream_ops mutant_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops), .close = mutant_close, .info = mutant_info, .send = mutant_send,
	.recv = mutant_recv, .flush = mutant_flush,
};

static int mutant_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *name = nmhal_uri_value(uri, "defect");
	struct mutant *mutant = calloc(1, sizeof(*mutant));
	unsigned defect = 0;
	int status;

	while (defect < DEFECTS && (!name || strcmp(names[defect], name) != 0))
		defect++;
	if (!mutant || defect == DEFECTS) {
		free(mutant);
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: no such defect");
	}
	mutant->defect = (enum defect)defect;
	mutant->bytes = nmhal_uri_value(uri, "bytes") != NULL;
	mutant->cobs = (struct nmlink_cobs){.buffer = mutant->whole, .capacity = sizeof(mutant->whole)};
	status = nm_link_sim.open(host, uri, deadline_ns, bus, &mutant->board);
	if (status != NMHAL_OK)
		free(mutant);
	else
		*stream = (struct nmhal_stream){&mutant_ops, mutant};
	return status;
}

static const struct nmhal_key keys[] = {
	{"defect", "which rule is broken"},
	{"bytes", "1: a stream of bytes"},
	{"max_frame", "as for sim"},
	{NULL, NULL},
};

const struct nmhal_link mutant_link = {
	.abi = NMHAL_DRIVER_ABI, .emulated = 1, .struct_size = sizeof(struct nmhal_link), .scheme = "mutant",
	.summary = "a board that breaks a rule of nmlink", .default_board = "xbar8", .keys = keys, .open = mutant_open,
};
