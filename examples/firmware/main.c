/* SPDX-License-Identifier: MIT */
/*
 * The main loop for a stream of bytes: COBS, one frame executed while the next one is received. For USB bulk leave the
 * COBS out: a transfer is a frame.
 */
#include "board.h"

/* All memory that grows with frames, window and events. */
static struct {
	uint8_t frame[2][MAX_FRAME];
	uint8_t out[MAX_FRAME];
	uint8_t ahead[NMLINK_MIN_FRAME], urgent[NMLINK_MIN_FRAME];
	uint8_t stream[STREAM_MAX];
	struct nmlink_kept kept[WINDOW];
	struct nmlink_output_record events[EVENTS];
	struct nmlink_point_record points[POINTS];
} buffers;

static struct nmlink_core core;
static struct nmlink_cobs cobs[2]; /* of the two frames */
static uint8_t receiving;          /* which one; the other is executed */
static bool waiting;               /* it is whole and has to wait */
static struct nmlink_cobs ahead;   /* of the frames behind it, while they are looked through for URGENT ones */
static uint32_t looked, began;     /* bytes behind it that were; where the frame that goes on began */

/* Takes bytes until the frame that is received is whole. */
static bool receive(void)
{
	uint8_t byte;
	size_t used;

	while (!waiting && uart_receive(&byte, 1))
		waiting = nmlink_cobs_take(&cobs[receiving], &byte, 1, &used);
	return waiting;
}

static void send(const uint8_t *frame, uint32_t size)
{
	if (size)
		uart_send(buffers.stream, (uint32_t)nmlink_cobs_encode(buffers.stream, frame, size));
}

/* True when the frame was URGENT: it is answered. */
static bool answer_urgent(struct nmlink_core *of, const struct nmlink_cobs *frame)
{
	const uint32_t size = nmlink_core_urgent(of, frame->buffer, frame->size, buffers.urgent);

	send(buffers.urgent, size);
	return size;
}

/* Frames behind the one that waits: one that was answered becomes zero bytes, which are nothing. */
static void look_ahead(struct nmlink_core *of)
{
	const uint8_t *byte;
	size_t used;

	while ((byte = uart_peek(looked))) {
		const bool ends = !*byte;

		looked++;
		if (nmlink_cobs_take(&ahead, byte, 1, &used) && answer_urgent(of, &ahead))
			for (uint32_t at = began; at < looked; at++)
				*uart_peek(at) = 0;
		if (ends)
			began = looked;
	}
}

void firmware_poll(struct nmlink_core *of)
{
	nmlink_core_tick(of);
	while (!waiting && receive()) {
		waiting = !answer_urgent(of, &cobs[receiving]);
		ahead = (struct nmlink_cobs){ .buffer = buffers.ahead, .capacity = sizeof(buffers.ahead) };
		looked = began = 0;
	}
	if (waiting)
		look_ahead(of);
}

bool firmware_start(void)
{
	static const struct nmlink_memory memory = {
		.kept = buffers.kept,
		.window = WINDOW,
		.max_frame = MAX_FRAME,
		.events = buffers.events,
		.event_count = EVENTS,
		.points = buffers.points,
		.point_count = POINTS,
	};

	for (uint8_t i = 0; i < 2; i++)
		cobs[i] = (struct nmlink_cobs){ .buffer = buffers.frame[i], .capacity = MAX_FRAME };
	receiving = 0;
	waiting = false;
	return nmlink_core_init(&core, &board, &memory, NULL);
}

void firmware_turn(void)
{
	nmlink_core_tick(&core);
	if (receive()) {
		const struct nmlink_cobs *frame = &cobs[receiving];

		receiving ^= 1;
		waiting = false;
		send(buffers.out, nmlink_core_frame(&core, frame->buffer, frame->size, buffers.out));
	} else {
		send(buffers.out, nmlink_core_events(&core, buffers.out));
	}
}
