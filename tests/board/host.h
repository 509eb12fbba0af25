/* SPDX-License-Identifier: MIT */
/* A host of the tests' own: speaks frames with an emulated board, one request at a time. A failure ends the test. */
#ifndef BOARD_HOST_H
#define BOARD_HOST_H

#include <check.h>

#include "nmlink/core.h"
#include "sim/board.h"
#include "sim/tinyodin.h"
#include "sim/xbar.h"

#define HOST_FRAME 65556u

struct host {
	struct sim_board *board;
	uint64_t now_ms;         /* the board's clock */
	uint16_t seq;            /* of the next request */
	uint16_t session;
	uint8_t frame[HOST_FRAME];
	size_t frame_size;       /* of the last request */
	struct nmlink_header header; /* of the last reply */
	const uint8_t *payload;      /* of it; valid until the next request */
	uint8_t reply[HOST_FRAME];
};

/* A board with "key=value,key=value" options (or ""), in session; its clock stands until host->now_ms is moved. */
struct host *host_new(const char *board, const char *options);
void host_free(struct host *host);
void host_hello(struct host *host);

/* A frame of op with a payload of [size] bytes that host->frame has room for; returns where it goes. */
uint8_t *host_payload(struct host *host);
/* Copies a tail of [count] bytes, if there is one. */
void host_tail(uint8_t *p, const void *bytes, size_t count);
/* Seals the request, gives it to the board and takes its reply into header and payload. False: there was none. */
bool host_exchange(struct host *host, enum nmlink_op op, size_t size);
/* The same for the last request again, byte for byte. */
bool host_repeat(struct host *host);
/* The next request of the session; the payload starts at host_payload(). False: there was no reply. What there is must
 * be OK. */
bool host_attempt(struct host *host, enum nmlink_op op, size_t size);
/* The status of the reply to the next request, which there must be. */
enum nmlink_status host_request(struct host *host, enum nmlink_op op, size_t size);

/* host_call(host, write, WRITE, codes, count, .tile = 1, ...): a request with its tail; the status of the reply. */
#define host_call(host, name, NAME, bytes, count, ...)                                                                 \
	(host_tail(nmlink_put_##name##_request(host_payload(host), &(struct nmlink_##name##_request){__VA_ARGS__}),    \
		bytes, count),                                                                                         \
		host_request(host, NMLINK_OP_##NAME, NMLINK_SIZE_##name##_request + (size_t)(count)))
/* The same, for a board whose power may go: false when there is no reply, else the status is OK. */
#define host_try(host, name, NAME, bytes, count, ...)                                                                  \
	(host_tail(nmlink_put_##name##_request(host_payload(host), &(struct nmlink_##name##_request){__VA_ARGS__}),    \
		bytes, count),                                                                                         \
		host_attempt(host, NMLINK_OP_##NAME, NMLINK_SIZE_##name##_request + (size_t)(count)))
/* The reply to it as a struct. */
#define host_reply(host, name, reply)                                                                                  \
	ck_assert(nmlink_get_##name##_reply(reply, (host)->payload, (host)->header.size))

/* A generator of the tests' own. */
uint32_t host_draw(uint64_t *state);
/* codes -max..max */
void host_codes(uint64_t seed, int8_t *codes, size_t count, int max);

#endif
