/* SPDX-License-Identifier: MIT */
/*
 * A small board at the far end of a stream: the real board-side core over crossbars in memory, with everything that
 * nmlink has. Time is virtual: what is sent is answered at once, and when no answer waits none will come. Tests put
 * their hands between: a hook sees each frame both ways, and may change, drop, double or delay it.
 */
#ifndef FAR_H
#define FAR_H

#include <stdbool.h>

#include <nmhal/driver.h>

#include "nmlink/core.h"

#define FAR_TILES  2u
#define FAR_ROWS   8u
#define FAR_COLS   12u
#define FAR_FRAME  4096u /* largest max_frame */
#define FAR_QUEUE  256u  /* frames that wait for the host */
#define FAR_EVENTS 16u
#define FAR_POINTS 64u

enum far_fate { FAR_PASS, FAR_DROP, FAR_TWICE, FAR_LATE }; /* LATE: behind the next frame of its direction */

struct far;
/* reply: to the host; count: of the frames in this direction; *size may change up to FAR_FRAME. */
typedef enum far_fate (*far_hook_fn)(struct far *far, bool reply, unsigned count, uint8_t *frame, size_t *size);

struct far_frame {
	size_t size;
	int64_t begins_ns; /* of its first byte on the line; see clock_ns */
	uint8_t bytes[NMLINK_COBS_SIZE(FAR_FRAME)];
};

struct far {
	/* Set by a test before open. */
	bool bytes;          /* a stream of bytes in COBS; else packets */
	size_t piece;        /* bytes that one recv gives at most; 0: as many as there are */
	uint32_t max_frame;
	uint16_t window;
	size_t room;         /* frames that wait for the host before send() fails; 0: as many as fit */
	bool real;           /* says that it is no emulator */
	bool small;          /* a board that has only weights */
	bool stays;          /* was opened before, and did not notice that the host left: no bus that could tell it */
	far_hook_fn hook;
	void *user;
	void (*empty)(struct far *far); /* nothing waits for the host, who is about to hear TIMEOUT */
	/* A test that gives a clock, which only this board moves on, gives it a board and a line that take time. */
	int64_t *clock_ns;
	int64_t work_ns; /* of each request that the hardware does */
	int64_t byte_ns; /* of each byte on the line, either way */

	/* What happened. */
	unsigned requests, replies; /* frames that came from the host, and that went to it */
	unsigned executed[256];     /* by opcode below 256, each time the hardware did it */
	uint64_t pulses;            /* applied to cells */
	bool closed, gone;          /* gone: every call says so; a test may set it */
	bool woken;                 /* by an interrupt: the next op of the stream asks the host */
	unsigned flushes;

	struct nmhal_host *host;
	struct nmlink_core core;
	struct nmlink_board board;
	struct nmlink_kept kept[64];
	struct nmlink_output_record events[FAR_EVENTS];
	struct nmlink_point_record points[FAR_POINTS];
	struct nmlink_cobs cobs;
	uint8_t cobs_buffer[FAR_FRAME], out[FAR_FRAME];
	struct far_frame late[2], queue[FAR_QUEUE];
	bool has_late[2];
	size_t first, count, taken; /* of the queue */

	int16_t weights[FAR_TILES][FAR_ROWS][FAR_COLS];
	struct nmlink_neuron_record neurons[FAR_TILES][FAR_COLS];
	int64_t attrs[2];
	uint32_t conductance[FAR_TILES][FAR_ROWS][FAR_COLS][2];
	uint32_t input_number, emitted; /* of the event that runs */
	bool busy;
	struct nmlink_input_record input;
	int64_t out_free_ns, board_free_ns, in_free_ns; /* when what is on the way is through */
	uint64_t uses;      /* sum of all `use` and first_vector: two ways of asking the same */
};

/* A board of packets, frames of FAR_FRAME, a window of 8. */
void far_init(struct far *far);
/* As after power-up, ready for frames; the links of far_context() do it when they open. */
void far_power_up(struct far *far);
/* The same board behind another carrier; user: the struct far. Bytes that it takes, a packet or part of a stream, and
 * those that it has, 0: none. It has no clock: what waits comes with the next call. */
size_t far_put(void *user, const uint8_t *bytes, size_t size);
size_t far_get(void *user, uint8_t *bytes, size_t capacity);
/* Unplugged: the session is over, and what waited is lost. */
void far_cut(void *user);
/* Gives the host a frame out of the order of things. */
void far_push(struct far *far, const uint8_t *frame, size_t size);
/* ... or bytes that are none. */
void far_push_bytes(struct far *far, const uint8_t *bytes, size_t size);
/* Header, payload and CRC for far_push() or a hook; returns the size. */
size_t far_frame(struct far *far, uint8_t *frame, const struct nmlink_header *header, const void *payload);
nmhal_context *far_context(void);
nmhal_context *far_context_with(const struct nmhal_context_params *params);
int far_try_open_as(nmhal_context *ctx, const char *uri, struct far *far, nmhal_device **dev);
/* As a board whose first session has the number 0x1234abcd. */
int far_try_open(nmhal_context *ctx, struct far *far, nmhal_device **dev);
/* Opens, or fails the test. */
nmhal_device *far_open(nmhal_context *ctx, struct far *far);
uint64_t far_counter(nmhal_device *dev, const char *key);

#endif
