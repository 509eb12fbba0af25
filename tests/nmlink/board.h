/* SPDX-License-Identifier: MIT */
/*
 * A board that writes down what its callbacks are asked for, and a host that talks to its core frame by frame. The
 * board has everything: 2 crossbars of 4 rows and 3 columns, codes -8..7, pairs of cells, neurons, spikes.
 */
#ifndef TEST_NMLINK_BOARD_H
#define TEST_NMLINK_BOARD_H

#include <string.h>

#include "nmlink/core.h"
#include "tests/unit/run.h"

#define BOARD_ROWS    4u
#define BOARD_COLS    3u
#define BOARD_WINDOW  4u
#define BOARD_FRAME   256u
#define BOARD_EVENTS  8u
#define BOARD_POINTS  16u
#define BOARD_SESSION 0x00014242u

struct board {
	struct nmlink_core core;
	struct nmlink_board description;
	struct nmlink_memory memory;
	struct nmlink_kept kept[BOARD_WINDOW];
	struct nmlink_output_record events[BOARD_EVENTS];
	struct nmlink_point_record points[BOARD_POINTS];

	/* What happened: "safe; write 0 1 0 1x2 01 ff; ". */
	char log[8192];
	size_t log_size;
	/* How the hardware behaves. */
	uint32_t now_ms;
	enum nmlink_status fails;    /* what every callback returns ... */
	const char *complaint;       /* ... with this text */
	uint32_t conductance_ps;     /* of every cell; a pulse adds or takes 100 */
	int32_t current_na;
	uint32_t most_uv;            /* that a cell of this board stands; 0: any */
	bool interlock_open;
	uint32_t outputs_each;       /* of an input event */
	uint32_t waiting;            /* outputs that had no room yet */
	uint32_t pulses;             /* ever applied */
	int abort_after;             /* polls until an ABORT arrives; -1: never */
	void (*happens)(struct board *board); /* while it works, once happens_after is 0, which each look takes 1 of */
	int happens_after;
	int64_t attrs[2];

	/* The host: numbers its requests, and holds the last frame and its reply. */
	uint16_t next;
	uint32_t session;
	uint8_t request[512];
	uint32_t request_size;
	uint8_t out[BOARD_FRAME];
	uint32_t out_size;
	struct nmlink_header reply;
	const uint8_t *payload; /* of the reply */
};

/* A board after power-up; with HELLO said. */
void board_start(struct board *board);
void board_begin(struct board *board);
/* What happened since the last call, without the "; " at the end. */
const char *board_log(struct board *board);
void board_note(struct board *board, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the fields of a request; then optionally a tail; then sends it as the next one: the status of the reply. */
#define PUT(board, name, ...)                                                                                          \
	((board)->request_size = (uint32_t)(nmlink_put_##name##_request((board)->request + NMLINK_HEADER_SIZE,         \
		&(const struct nmlink_##name##_request){ __VA_ARGS__ }) - (board)->request))
void board_tail(struct board *board, const void *bytes, uint32_t size);
enum nmlink_status board_send(struct board *board, uint16_t op);
/* The same without fields. */
enum nmlink_status board_simple(struct board *board, uint16_t op);
/* Sends with a header of one's own; the size is filled in. */
enum nmlink_status board_send_as(struct board *board, struct nmlink_header header);
/* Hands bytes over as they are; NMLINK_OK and out_size 0 when nothing comes back. */
enum nmlink_status board_frame(struct board *board, const uint8_t *frame, uint32_t size);
enum nmlink_status board_hello(struct board *board, uint32_t session);
/* Detail of the last error. */
uint32_t board_detail(const struct board *board);
/* Fields of the last reply. */
#define GET(board, name, m) ck_assert(nmlink_get_##name##_reply(m, (board)->payload, (board)->reply.size))

#endif
