/* SPDX-License-Identifier: MIT */
/* Arrays on a fake board that computes exactly: what their tests share. */
#ifndef ARRAY_BOARD_H
#define ARRAY_BOARD_H

#include "hal/array.h"
#include "tests/unit/board.h"

#define CODE_MAX 7 /* of the fake's weights, -8..7 */

/* A board of `cores` crossbars of rows x cols that computes exactly. */
static inline void open_board(struct board *board, uint32_t cores, uint32_t rows, uint32_t cols)
{
	fake_init(&board->fake, cores, rows, cols);
	board->fake.caps.output_min = INT32_MIN;
	board->fake.caps.output_max = INT32_MAX;
	board->fake.caps.output_lsb = 1;
	board_open(board);
}

static inline nmhal_array *new_array(
	struct board *board, uint32_t n_out, uint32_t n_in, uint32_t encoding, uint32_t flags)
{
	const struct nmhal_array_options options = {sizeof(options), encoding, flags};
	nmhal_array *array = NULL;

	assert_ok(nmhal_array_new(&board->dev, 1, n_out, n_in, &options, &array));
	return array;
}

static inline int multiply(nmhal_array *array, const float *w, const float *x, uint32_t batch, float *y, uint32_t flags)
{
	const struct nmhal_product op = {
		.struct_size = sizeof(op), .w = w, .x = x, .y = y, .batch = batch, .flags = flags};

	return nmhal_array_matmul(array, &op);
}

static inline struct nmhal_array_stats stats_of(nmhal_array *array)
{
	struct nmhal_array_stats stats = {.struct_size = sizeof(stats)};

	assert_ok(nmhal_array_get_stats(array, &stats));
	return stats;
}

/* Numbers that are codes already, with the largest in every row and vector: scales are 1, products exact. */
static inline void integers(float *v, uint32_t rows, uint32_t cols, int max, unsigned seed)
{
	for (uint32_t r = 0; r < rows; r++) {
		for (uint32_t c = 0; c < cols; c++) {
			seed = seed * 1103515245u + 12345u;
			v[r * cols + c] = (float)((int)(seed >> 16) % (2 * max + 1) - max);
		}
		v[r * cols + r % cols] = (float)(r % 2 ? max : -max);
	}
}

static inline void expect_product(
	const float *w, const float *x, const float *y, uint32_t n_out, uint32_t n_in, uint32_t batch)
{
	for (uint32_t b = 0; b < batch; b++)
		for (uint32_t o = 0; o < n_out; o++) {
			double sum = 0;

			for (uint32_t i = 0; i < n_in; i++)
				sum += (double)w[o * n_in + i] * (double)x[b * n_in + i];
			ck_assert_msg((double)y[b * n_out + o] == sum, "y[%u][%u] is %g, not %g", b, o,
				(double)y[b * n_out + o], sum);
		}
}

#endif
