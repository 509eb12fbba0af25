/* SPDX-License-Identifier: MIT */
/* Frames over the stream of a board: sending what a good host sends and what it never would, receiving, sessions. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FRAME (1u << 20) /* the largest frame that a byte stream is believed */
#define QUIET_MS  50u
#define MOST_STALE 128u /* replies to requests of before a HELLO */

static const uint8_t ping_text[] = "conformance";

/* ---- the carrier ------------------------------------------------------------------------------------------------- */

bool wire_open(struct run *run)
{
	run->stream.ops->info(run->stream.self, &run->info);
	run->packets = run->info.max_frame > 0;
	run->room = NMLINK_COBS_SIZE(run->packets ? run->info.max_frame : MAX_FRAME);
	run->frame = malloc(run->room);
	run->wire = malloc(run->room);
	run->in = malloc(run->room);
	run->whole = malloc(run->room);
	run->cobs = (struct nmlink_cobs){.buffer = run->whole, .capacity = run->room};
	return run->frame && run->wire && run->in && run->whole;
}

void wire_close(struct run *run)
{
	free(run->frame);
	free(run->wire);
	free(run->in);
	free(run->whole);
}

static int64_t in_ms(uint32_t ms)
{
	return nmhal_now_ns() + (int64_t)ms * 1000000;
}

/* What a fault did is over with the attempt that it hit. */
static bool link_failed(struct run *run, int status)
{
	if (!hit(run) || (status != NMHAL_E_IO && status != NMHAL_E_TIMEOUT))
		run->status = status;
	say(run, VERDICT_FAILED, "the link failed: %s", nmhal_last_error());
	return false;
}

bool wire_send_bytes(struct run *run, const uint8_t *bytes, size_t size)
{
	int status;

	if (!run->packets) {
		size = nmlink_cobs_encode(run->wire, bytes, size);
		bytes = run->wire;
	}
	status = run->stream.ops->send(run->stream.self, bytes, size, in_ms(run->reply_ms));
	return status == NMHAL_OK || link_failed(run, status);
}

/* More bytes, or the next packet; false: none in time. */
static bool receive(struct run *run, int64_t deadline_ns)
{
	int status = nmhal_host_poll(run->host, NMHAL_NEVER, "conformance");

	run->in_at = run->in_size = 0;
	if (status == NMHAL_OK)
		status = run->stream.ops->recv(run->stream.self, run->in, run->room, &run->in_size, deadline_ns);
	if (status == NMHAL_OK)
		return true;
	run->in_size = 0;
	return status == NMHAL_E_TIMEOUT ? false : link_failed(run, status);
}

/* Bytes of the next whole frame; 0: none in time. */
static size_t next_frame(struct run *run, const uint8_t **frame, int64_t deadline_ns)
{
	*frame = run->packets ? run->in : run->whole;
	for (;;) {
		while (!run->packets && run->in_at < run->in_size) {
			size_t used = 0;
			bool whole = nmlink_cobs_take(
				&run->cobs, run->in + run->in_at, run->in_size - run->in_at, &used);

			run->in_at += used;
			if (whole)
				return run->cobs.size;
		}
		if (!receive(run, deadline_ns))
			return 0;
		if (run->packets)
			return run->in_size;
	}
}

bool wire_receive(struct run *run, struct reply *reply, uint32_t ms)
{
	const int64_t deadline_ns = in_ms(ms);
	const uint8_t *frame;

	for (;;) {
		size_t size = next_frame(run, &frame, deadline_ns);
		enum nmlink_status status;

		if (size == 0)
			return false;
		status = nmlink_frame_open(frame, size, &reply->header, nmlink_crc32c);
		if (status != NMLINK_OK) {
			say(run, VERDICT_FAILED, "the board sent a frame of %zu bytes that is not whole: %s", size,
				status_name((uint16_t)status));
			return false;
		}
		if (reply->header.flags & NMLINK_FLAG_EVENT)
			continue;
		reply->payload = frame + NMLINK_HEADER_SIZE;
		if (reply->header.flags & NMLINK_FLAG_REPLY)
			return true;
		say(run, VERDICT_FAILED, "the board sent a frame that is neither a reply nor an event");
		return false;
	}
}

bool wire_reply(struct run *run, struct reply *reply)
{
	if (wire_receive(run, reply, run->reply_ms))
		return true;
	if (run->verdict == VERDICT_PASSED)
		say(run, VERDICT_FAILED, "no reply within %u ms", run->reply_ms);
	return false;
}

bool wire_quiet(struct run *run)
{
	struct reply reply;

	if (wire_receive(run, &reply, QUIET_MS))
		say(run, VERDICT_FAILED, "a reply (%s) where there should be none", status_name(reply.header.status));
	return run->verdict != VERDICT_FAILED;
}

bool wire_flush(struct run *run)
{
	static const uint8_t end = 0;
	int status = NMHAL_OK;

	/* The board may hold the begin of a frame that was cut short. */
	if (!run->packets)
		status = run->stream.ops->send(run->stream.self, &end, 1, in_ms(run->reply_ms));
	if (status == NMHAL_OK)
		status = run->stream.ops->flush(run->stream.self, in_ms(run->reply_ms));
	run->in_at = run->in_size = 0;
	run->cobs = (struct nmlink_cobs){.buffer = run->whole, .capacity = run->room};
	return status == NMHAL_OK || link_failed(run, status);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct nmlink_header wire_header(const struct run *run, uint16_t op, uint16_t seq, size_t size)
{
	return (struct nmlink_header){.version = NMLINK_VERSION_MAJOR, .op = op, .seq = seq,
		.session = (uint16_t)run->session, .size = (uint32_t)size};
}

size_t wire_frame(struct run *run, const struct nmlink_header *header, const uint8_t *payload)
{
	if (header->size > 0)
		memmove(run->frame + NMLINK_HEADER_SIZE, payload, header->size);
	return nmlink_frame_seal(run->frame, header, nmlink_crc32c);
}

bool wire_send(struct run *run, const struct nmlink_header *header, const uint8_t *payload)
{
	return wire_send_bytes(run, run->frame, wire_frame(run, header, payload));
}

bool hello(struct run *run, struct reply *reply)
{
	uint8_t payload[NMLINK_SIZE_hello_request];
	struct nmlink_hello_request m = {.minor = NMLINK_VERSION_MINOR};
	struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .op = NMLINK_OP_HELLO, .size = sizeof(payload)};

	/* Any number other than the last one will do. */
	m.session = (run->session + 1) * 2654435761u ^ (uint32_t)nmhal_now_ns();
	m.session |= 1;
	nmlink_put_hello_request(payload, &m);
	if (!wire_send(run, &header, payload))
		return false;
	/* A case that failed may have left replies behind. */
	for (unsigned stale = 0; stale <= MOST_STALE; stale++) {
		if (!wire_reply(run, reply))
			return false;
		if (reply->header.op == NMLINK_OP_HELLO)
			break;
	}
	if (reply->header.op != NMLINK_OP_HELLO || reply->header.status != NMLINK_OK ||
		!nmlink_get_hello_reply(&run->hello, reply->payload, reply->header.size)) {
		say(run, VERDICT_FAILED, "HELLO was answered %s with %u bytes", status_name(reply->header.status),
			reply->header.size);
		return false;
	}
	run->session = m.session;
	run->next = 1;
	return true;
}

static bool exchange(struct run *run, uint16_t op, const uint8_t *payload, size_t size, struct reply *reply)
{
	const struct nmlink_header header = wire_header(run, op, run->next, size);

	if (!wire_send(run, &header, payload) || !wire_reply(run, reply))
		return false;
	if (reply->header.op == op && reply->header.seq == run->next &&
		reply->header.session == (uint16_t)run->session) {
		run->next++;
		return true;
	}
	say(run, VERDICT_FAILED,
		"request %u (opcode 0x%04x) was answered %s as number %u, opcode 0x%04x, session %u; the session is %u",
		run->next, op, status_name(reply->header.status), reply->header.seq, reply->header.op,
		reply->header.session, (uint16_t)run->session);
	return false;
}

bool ask(struct run *run, uint16_t op, const uint8_t *payload, size_t size, uint16_t status, struct reply *reply)
{
	if (!exchange(run, op, payload, size, reply))
		return false;
	if (reply->header.status == status)
		return true;
	say(run, VERDICT_FAILED, "opcode 0x%04x was answered %s, expected %s", op, status_name(reply->header.status),
		status_name(status));
	return false;
}

bool refused(struct run *run, uint16_t op, const uint8_t *payload, size_t size, uint16_t also, const char *what)
{
	struct reply reply;
	uint16_t status;

	if (!exchange(run, op, payload, size, &reply))
		return false;
	status = reply.header.status;
	if (status == NMLINK_EARG || status == NMLINK_ERANGE || status == NMLINK_ELEN || (also && status == also))
		return true;
	say(run, VERDICT_FAILED, "%s (opcode 0x%04x) was answered %s", what, op, status_name(status));
	return false;
}

bool again(struct run *run, uint16_t op, uint16_t seq, const uint8_t *payload, size_t size, struct reply *reply)
{
	const struct nmlink_header header = wire_header(run, op, seq, size);

	if (!wire_send(run, &header, payload) || !wire_reply(run, reply))
		return false;
	if (reply->header.op == op && reply->header.seq == seq)
		return true;
	say(run, VERDICT_FAILED, "number %u again (opcode 0x%04x) was answered %s as number %u, opcode 0x%04x", seq, op,
		status_name(reply->header.status), reply->header.seq, reply->header.op);
	return false;
}

bool alive(struct run *run)
{
	struct reply reply;

	if (!ask(run, NMLINK_OP_PING, ping_text, sizeof(ping_text), NMLINK_OK, &reply))
		return false;
	if (reply.header.size == sizeof(ping_text) && memcmp(reply.payload, ping_text, sizeof(ping_text)) == 0)
		return true;
	say(run, VERDICT_FAILED, "PING came back with %u other bytes", reply.header.size);
	return false;
}
