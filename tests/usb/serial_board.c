/* SPDX-License-Identifier: MIT */
#include "serial_board.h"

#include <stdlib.h>

#include "nmlink/frame.h"
#include "sim/board.h"

struct serial_board {
	struct sim_board *board;
	struct nmlink_cobs in;
	bool waits; /* the frame is whole, and the board has no room for its reply */
	uint8_t *out;
	size_t at, size; /* of out */
};

struct serial_board *serial_board_new(struct sim_board *board)
{
	struct serial_board *serial = board ? calloc(1, sizeof(*serial)) : NULL;
	size_t room;

	if (!serial) {
		sim_board_free(board);
		return NULL;
	}
	room = sim_board_max_frame(board);
	serial->board = board;
	serial->in = (struct nmlink_cobs){.buffer = malloc(room), .capacity = room};
	serial->out = malloc(NMLINK_COBS_SIZE(room));
	if (serial->in.buffer && serial->out)
		return serial;
	serial_board_free(serial);
	return NULL;
}

void serial_board_free(struct serial_board *serial)
{
	if (!serial)
		return;
	sim_board_free(serial->board);
	free(serial->in.buffer);
	free(serial->out);
	free(serial);
}

/* Gives the board the frame that waits; false: it waits on. */
static bool give(struct serial_board *serial)
{
	serial->waits = serial->waits && !sim_board_input(serial->board, serial->in.buffer, serial->in.size);
	return !serial->waits;
}

size_t serial_board_put(void *user, const uint8_t *bytes, size_t size)
{
	struct serial_board *serial = user;
	size_t taken = 0, used;

	while (give(serial) && taken < size) {
		serial->waits = nmlink_cobs_take(&serial->in, bytes + taken, size - taken, &used);
		taken += used;
	}
	return taken;
}

/* Makes the next frame of the board bytes; false when there is none. */
static bool next_frame(struct serial_board *serial)
{
	for (unsigned pipe = 0; pipe < SIM_BOARD_PIPES; pipe++) {
		const uint8_t *frame;
		size_t size = sim_board_output(serial->board, pipe, &frame);

		if (!size)
			continue;
		serial->at = 0;
		serial->size = nmlink_cobs_encode(serial->out, frame, size);
		sim_board_taken(serial->board, pipe);
		return true;
	}
	return false;
}

size_t serial_board_get(void *user, uint8_t *bytes, size_t size)
{
	struct serial_board *serial = user;
	size_t n;

	(void)give(serial);
	for (n = 0; n < size && (serial->at < serial->size || next_frame(serial)); n++)
		bytes[n] = serial->out[serial->at++];
	return n;
}

void serial_board_cut(struct serial_board *serial)
{
	serial->in = (struct nmlink_cobs){.buffer = serial->in.buffer, .capacity = serial->in.capacity};
	serial->waits = false;
	serial->at = serial->size = 0;
	sim_board_link_reset(serial->board);
}

void serial_board_tick(struct serial_board *serial)
{
	sim_board_tick(serial->board);
}
