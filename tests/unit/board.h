/* SPDX-License-Identifier: MIT */
/* An open fake with its context: what most tests of calls start from. */
#ifndef BOARD_H
#define BOARD_H

#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

struct board {
	struct fake fake;
	nmhal_context *ctx;
	nmhal_device *dev;
};

static inline void board_open(struct board *board)
{
	board->ctx = fake_context();
	board->dev = fake_open(board->ctx, &board->fake);
}

static inline void board_close(struct board *board)
{
	nmhal_device_unref(board->dev);
	nmhal_context_unref(board->ctx);
	ck_assert_uint_eq(atomic_load(&board->fake.overlaps), 0);
}

/* Calls of all ops that move weights. */
static inline unsigned board_weight_calls(struct board *board)
{
	const enum fake_op ops[] = {FAKE_WRITE_WEIGHTS, FAKE_READ_WEIGHTS, FAKE_WRITE_CELLS, FAKE_READ_CELLS,
		FAKE_ADD_CELLS};
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		sum += atomic_load(&board->fake.calls[ops[i]]);
	return sum;
}

#define CALLS(board, op) atomic_load(&(board)->fake.calls[op])

#endif
