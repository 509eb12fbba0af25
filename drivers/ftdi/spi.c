/* SPDX-License-Identifier: MIT */
/* SPI frames on channel A: back to back, thousands a shift command, several USB transfers on their way. */
#include <string.h>

#include "bus.h"

#define CONFIRMED_FRAMES 64u
#define BLOCK_FRAMES     1024u
#define MARK_BYTES       2u

/* A call of spi: how far the frames went out, and how far their answers came. */
struct shift {
	const uint64_t *frames;
	uint32_t *replies;
	size_t count, sent, answered;
	size_t have; /* bytes in `raw` that are no whole frame yet */
	uint8_t raw[BLOCK_FRAMES * MPSSE_FRAME];
};

/* Puts as many frames as there is room for; a shift command has at most MPSSE_MAX_FRAMES. */
static void put_frames(struct ftdi_bus *bus, struct shift *shift)
{
	uint8_t bytes[BLOCK_FRAMES * MPSSE_FRAME];
	enum mpsse_opcode opcode = shift->replies ? MPSSE_READ : MPSSE_WRITE;
	size_t room;

	while (shift->sent < shift->count && (room = ftdi_pipe_room(&bus->a)) >= MPSSE_SHIFT_SIZE + MPSSE_FRAME) {
		size_t left = shift->count - shift->sent, in_command = shift->sent % MPSSE_MAX_FRAMES;
		size_t part = MPSSE_MAX_FRAMES - in_command < left ? MPSSE_MAX_FRAMES - in_command : left;

		if (!in_command) {
			ftdi_pipe_put(&bus->a, bytes, mpsse_shift(bytes, opcode, part));
			room -= MPSSE_SHIFT_SIZE;
		}
		if (part > BLOCK_FRAMES)
			part = BLOCK_FRAMES;
		if (part > room / MPSSE_FRAME)
			part = room / MPSSE_FRAME;
		mpsse_frames(bytes, shift->frames + shift->sent, part);
		ftdi_pipe_put(&bus->a, bytes, part * MPSSE_FRAME);
		shift->sent += part;
	}
}

/* A block of what came; *got bytes. MISO is low but for the last byte of a frame (section 2). */
static int take_frames(struct ftdi_bus *bus, struct shift *shift, size_t *got)
{
	size_t wanted = (shift->count - shift->answered) * MPSSE_FRAME - shift->have;
	size_t room = sizeof(shift->raw) - shift->have, at = 0;

	*got = ftdi_pipe_get(&bus->a, shift->raw + shift->have, wanted < room ? wanted : room);
	shift->have += *got;
	for (; shift->have - at >= MPSSE_FRAME; at += MPSSE_FRAME) {
		const uint8_t *raw = shift->raw + at;

		if (raw[0] | raw[1] | raw[2] >> 4)
			return nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
				"spi: frame %zu of %zu: MISO was high in the address phase; the bytes are out of step",
				shift->answered, shift->count);
		shift->replies[shift->answered++] = (raw[2] & 0xFu) << 16 | (uint32_t)raw[3] << 8 | raw[4];
	}
	shift->have -= at;
	memmove(shift->raw, shift->raw + at, shift->have);
	return NMHAL_OK;
}

/* The answer that closes those of the frames: nothing was lost or doubled on the way. */
static int take_mark(struct ftdi_bus *bus, struct shift *shift)
{
	uint8_t extra;

	shift->have += ftdi_pipe_get(&bus->a, shift->raw + shift->have, MARK_BYTES - shift->have);
	if (shift->have < MARK_BYTES)
		return NMHAL_OK;
	if (shift->raw[0] != MPSSE_BAD_REPLY || shift->raw[1] != MPSSE_BAD || ftdi_pipe_get(&bus->a, &extra, 1))
		return nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
			"spi: %zu frames: channel A answered other than 5 bytes a frame; the bytes are out of step",
			shift->count);
	shift->answered++;
	return NMHAL_OK;
}

/* Takes all answers that came; *done when there is nothing more to come. */
static int take_answers(struct ftdi_bus *bus, struct shift *shift, bool *done)
{
	size_t got = 1;
	int status;

	*done = false;
	status = ftdi_bus_confirmed(bus, "spi");
	if (status != NMHAL_OK || bus->due)
		return status;
	while (status == NMHAL_OK && got && shift->answered < shift->count)
		status = take_frames(bus, shift, &got);
	if (status == NMHAL_OK && shift->answered == shift->count)
		status = take_mark(bus, shift);
	*done = shift->answered > shift->count;
	return status;
}

int ftdi_bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct ftdi_bus *bus = self;
	struct shift shift = {.frames = frames, .replies = replies, .count = count, .answered = replies ? 0 : count};
	/* A large batch is confirmed also when nothing is read: bytes lost on the way would shift all that follow. */
	const bool confirmed = replies || count >= CONFIRMED_FRAMES;
	bool marked = !confirmed, answered = !confirmed;
	int status;

	if (bus->lost)
		return nmhal_host_fail(bus->host, NMHAL_E_STATE, "spi: framing is lost until a reset");
	/* The frames may open the gate on queued events, which no input of a run has caused. */
	bus->idle = false;
	bus->delay = 0;
	bus->silent = 0;
	bus->flowing = false;
	bus->index = UINT32_MAX;
	status = ftdi_bus_ready(bus, deadline_ns, "spi");
	while (status == NMHAL_OK) {
		put_frames(bus, &shift);
		if (shift.sent == count && !marked && ftdi_pipe_room(&bus->a) >= MPSSE_MARK_SIZE) {
			uint8_t mark[MPSSE_MARK_SIZE];

			ftdi_pipe_put(&bus->a, mark, mpsse_mark(mark));
			marked = true;
		}
		if (shift.sent == count && marked)
			ftdi_pipe_flush(&bus->a);
		if (confirmed)
			status = take_answers(bus, &shift, &answered);
		if (status == NMHAL_OK)
			status = ftdi_pipe_check(&bus->a, "spi");
		if (status != NMHAL_OK || (answered && marked && ftdi_pipe_sent(&bus->a)))
			break;
		status = ftdi_bus_wait(bus, deadline_ns, "spi");
	}
	if (status == NMHAL_OK && bus->armed)
		status = ftdi_bus_silent(bus, "spi");
	bus->frames += shift.sent;
	return ftdi_bus_end(bus, status);
}
