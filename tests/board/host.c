/* SPDX-License-Identifier: MIT */
#include "tests/board/host.h"

#include <stdlib.h>
#include <string.h>

static uint64_t clock_of(void *user)
{
	const struct host *host = user;

	return host->now_ms;
}

static void set_options(struct sim_board_config *config, const char *options)
{
	char error[SIM_BOARD_ERROR], copy[256], *rest = copy, *key;

	ck_assert_uint_lt(strlen(options), sizeof(copy));
	memcpy(copy, options, strlen(options) + 1);
	while (*copy && (key = strsep(&rest, ","))) {
		char *value = strchr(key, '=');

		ck_assert_ptr_nonnull(value);
		*value++ = '\0';
		ck_assert_msg(sim_board_config_set(config, key, value, error), "%s", error);
	}
}

struct host *host_new(const char *board, const char *options)
{
	struct host *host = calloc(1, sizeof(*host));
	struct sim_board_config *config = sim_board_config_new(board);
	char error[SIM_BOARD_ERROR] = "";

	ck_assert_ptr_nonnull(host);
	ck_assert_ptr_nonnull(config);
	set_options(config, options);
	host->board = sim_board_new(config, error);
	ck_assert_msg(host->board != NULL, "%s: %s", board, error);
	sim_board_config_free(config);
	host->now_ms = 1000;
	sim_board_set_clock(host->board, clock_of, host);
	host_hello(host);
	return host;
}

void host_free(struct host *host)
{
	ck_assert_uint_eq(sim_board_stray_pulses(host->board), 0);
	sim_board_free(host->board);
	free(host);
}

uint8_t *host_payload(struct host *host)
{
	return host->frame + NMLINK_HEADER_SIZE;
}

void host_tail(uint8_t *p, const void *bytes, size_t count)
{
	if (count)
		memcpy(p, bytes, count);
}

static bool take_reply(struct host *host)
{
	const uint8_t *frame;
	size_t size = sim_board_output(host->board, SIM_BOARD_REPLIES, &frame);

	if (!size)
		return false;
	ck_assert_uint_le(size, sizeof(host->reply));
	memcpy(host->reply, frame, size);
	sim_board_taken(host->board, SIM_BOARD_REPLIES);
	ck_assert_int_eq(nmlink_frame_open(host->reply, size, &host->header, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(host->header.flags & NMLINK_FLAG_REPLY, NMLINK_FLAG_REPLY);
	host->payload = host->reply + NMLINK_HEADER_SIZE;
	return true;
}

bool host_repeat(struct host *host)
{
	ck_assert(sim_board_input(host->board, host->frame, host->frame_size));
	return take_reply(host);
}

bool host_exchange(struct host *host, enum nmlink_op op, size_t size)
{
	const struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .op = (uint16_t)op,
		.seq = op == NMLINK_OP_HELLO ? 0 : host->seq,
		.session = op == NMLINK_OP_HELLO ? 0 : host->session, .size = (uint32_t)size};

	host->frame_size = nmlink_frame_seal(host->frame, &header, nmlink_crc32c);
	return host_repeat(host);
}

void host_hello(struct host *host)
{
	const uint32_t session = 0x10000u * host->session + host->session + 0x1234u;
	const struct nmlink_hello_request request = {.session = session};
	struct nmlink_hello_reply reply;

	nmlink_put_hello_request(host_payload(host), &request);
	ck_assert(host_exchange(host, NMLINK_OP_HELLO, NMLINK_SIZE_hello_request));
	ck_assert_uint_eq(host->header.status, NMLINK_OK);
	host_reply(host, hello, &reply);
	ck_assert_uint_eq(reply.session, session);
	host->session = (uint16_t)session;
	host->seq = 1;
}

enum nmlink_status host_request(struct host *host, enum nmlink_op op, size_t size)
{
	ck_assert_msg(host_exchange(host, op, size), "no reply to opcode 0x%04x", (unsigned)op);
	if (host->header.seq == host->seq)
		host->seq++;
	return (enum nmlink_status)host->header.status;
}

bool host_attempt(struct host *host, enum nmlink_op op, size_t size)
{
	if (!host_exchange(host, op, size))
		return false;
	host->seq++;
	ck_assert_msg(host->header.status == NMLINK_OK, "opcode 0x%04x: status %u", (unsigned)op, host->header.status);
	return true;
}

uint32_t host_draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

void host_codes(uint64_t seed, int8_t *codes, size_t count, int max)
{
	for (size_t n = 0; n < count; n++)
		codes[n] = (int8_t)((int)(host_draw(&seed) % (2u * (unsigned)max + 1u)) - max);
}
