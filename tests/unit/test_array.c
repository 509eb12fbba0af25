/* SPDX-License-Identifier: MIT */
/* Products on arrays: axes, tiles, slices, scales; against products computed here in plain integers or reals. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "tests/unit/array_board.h"

/* The asymmetric case that every layer repeats: 3 outputs, 5 inputs. */
static const float golden_w[3][5] = {{7, -1, 0, 2, 3}, {-7, 4, 5, 6, -2}, {1, 1, -7, 0, 5}};

START_TEST(golden_3x5_forward)
{
	const float x[2][5] = {{127, 1, 2, 3, 4}, {0, -127, 10, 20, 30}};
	const float expected[2][3] = {{906, -865, 134}, {257, -398, -47}};
	float y[2][3];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 3, 5, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(multiply(array, &golden_w[0][0], &x[0][0], 2, &y[0][0], 0));
	ck_assert_mem_eq(y, expected, sizeof(y));
	/* Rows are inputs, columns are outputs. */
	for (uint32_t o = 0; o < 3; o++)
		for (uint32_t i = 0; i < 5; i++)
			ck_assert_int_eq(*fake_code(&board.fake, 0, i, o), (int)golden_w[o][i]);
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(golden_3x5_transposed)
{
	const float x[3] = {1, 127, -2};
	const float expected[5] = {7 - 889 - 2, -1 + 508 - 2, 635 + 14, 2 + 762, 3 - 254 - 10};
	float y[5];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 3, 5, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(multiply(array, &golden_w[0][0], x, 1, y, NMHAL_PRODUCT_TRANSPOSED));
	ck_assert_mem_eq(y, expected, sizeof(y));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(ragged_tiles_add_up)
{
	const struct {
		uint32_t n_out, n_in;
	} shapes[] = {{1, 1}, {5, 9}, {13, 11}, {16, 3}, {3, 16}, {16, 16}};

	for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
		const uint32_t n_out = shapes[s].n_out, n_in = shapes[s].n_in;
		float w[16 * 16], x[3 * 16], y[3 * 16], back[3 * 16], wt[16 * 16];
		struct board board;
		nmhal_array *array;

		open_board(&board, 4, 8, 8);
		array = new_array(&board, n_out, n_in, NMHAL_ARRAY_ONE_SLICE, 0);
		integers(w, n_out, n_in, CODE_MAX, 1 + (unsigned)s);
		integers(x, 3, n_in, 127, 20 + (unsigned)s);
		assert_ok(multiply(array, w, x, 3, y, 0));
		expect_product(w, x, y, n_out, n_in, 3);
		integers(x, 3, n_out, 127, 40 + (unsigned)s);
		assert_ok(multiply(array, NULL, x, 3, back, NMHAL_PRODUCT_TRANSPOSED));
		for (uint32_t o = 0; o < n_out; o++)
			for (uint32_t i = 0; i < n_in; i++)
				wt[i * n_out + o] = w[o * n_in + i];
		expect_product(wt, x, back, n_in, n_out, 3);
		nmhal_array_free(array);
		board_close(&board);
	}
}
END_TEST

START_TEST(two_slices_hold_finer_weights)
{
	const int q_max = CODE_MAX * (2 * CODE_MAX + 2);
	float w[5 * 9], x[2 * 9], y[2 * 5];
	struct board board;
	nmhal_array *array;

	open_board(&board, 4, 8, 8);
	array = new_array(&board, 5, 9, NMHAL_ARRAY_TWO_SLICES, 0);
	integers(w, 5, 9, q_max, 3);
	integers(x, 2, 9, 127, 4);
	assert_ok(multiply(array, w, x, 2, y, 0));
	expect_product(w, x, y, 5, 9, 2);
	ck_assert_uint_eq(stats_of(array).inferences, 4);
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(several_devices_share_the_matrix)
{
	float w[8 * 24], x[24], y[8];
	struct board boards[2];
	nmhal_device *devs[2];
	nmhal_array *array;

	for (int d = 0; d < 2; d++) {
		open_board(&boards[d], 2, 8, 8);
		devs[d] = boards[d].dev;
	}
	assert_ok(nmhal_array_new(devs, 2, 8, 24, NULL, &array));
	integers(w, 8, 24, CODE_MAX, 5);
	integers(x, 1, 24, 127, 6);
	assert_ok(multiply(array, w, x, 1, y, 0));
	expect_product(w, x, y, 8, 24, 1);
	ck_assert_uint_eq(CALLS(&boards[0], FAKE_RUN_INFERENCE), 2);
	ck_assert_uint_eq(CALLS(&boards[1], FAKE_RUN_INFERENCE), 1);
	nmhal_array_free(array);
	board_close(&boards[0]);
	board_close(&boards[1]);
}
END_TEST

/* Eight steps an octave, up: between the wanted step and 2^(1/8) of it, on the grid, and monotone. */
START_TEST(scale_is_the_next_step_up)
{
	float before = 0;

	for (float max = 1e-30f; max < 1e30f; max *= 1.0137f) {
		const float scale = nm_array_scale(max, 127);
		const double wanted = (double)max / 127, eighths = 8 * log2((double)scale);

		ck_assert(scale * 127 >= max);
		ck_assert((double)scale < wanted * exp2(1.0 / 8) * (1 + 1e-6));
		ck_assert_double_eq_tol(eighths, nearbyint(eighths), 1e-5);
		ck_assert(scale >= before);
		before = scale;
	}
	ck_assert(nm_array_scale(127, 127) == 1.0f);
	ck_assert(nm_array_scale(0, 127) == 0.0f);
	ck_assert(nm_array_scale(FLT_TRUE_MIN, 127) == FLT_MIN);
	ck_assert(isfinite(nm_array_scale(FLT_MAX, 1)) || nm_array_scale(FLT_MAX, 1) > FLT_MAX / 2);
}
END_TEST

/* Codes of what codes stand for are these codes: no weight shrinks when its row is quantised again. */
START_TEST(quantised_twice_is_the_same)
{
	for (int32_t q_max = 1; q_max < 200; q_max++) {
		for (float max = 1; max < 2; max *= 1.0137f) {
			const float scale = nm_array_scale(max, q_max);
			int32_t q;

			nm_array_quantise(&max, 1, scale, q_max, &q);
			if (q == q_max)
				ck_assert(nm_array_scale((float)q_max * scale, q_max) == scale);
		}
	}
}
END_TEST

START_TEST(rounding_is_half_to_even)
{
	const float w[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 2.4999998f, 3.5000002f, 7, -7};
	const int32_t expected[] = {0, 2, 2, 0, -2, 2, 4, 7, -7};
	int32_t q[9];

	nm_array_quantise(w, 9, 1, 7, q);
	ck_assert_mem_eq(q, expected, sizeof(q));
	nm_array_quantise(w, 9, 0, 7, q);
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(q[i], 0);
}
END_TEST

START_TEST(real_numbers_come_close)
{
	float w[6 * 8], x[4 * 8], y[4 * 6];
	struct board board;
	nmhal_array *array;

	open_board(&board, 2, 8, 8);
	array = new_array(&board, 6, 8, NMHAL_ARRAY_TWO_SLICES, 0);
	integers(w, 6, 8, 1000, 7);
	integers(x, 4, 8, 1000, 8);
	for (int i = 0; i < 6 * 8; i++)
		w[i] *= 1.37e-4f;
	for (int i = 0; i < 4 * 8; i++)
		x[i] *= 2.9f;
	assert_ok(multiply(array, w, x, 4, y, 0));
	for (int b = 0; b < 4; b++)
		for (int o = 0; o < 6; o++) {
			double sum = 0;

			for (int i = 0; i < 8; i++)
				sum += (double)w[o * 8 + i] * (double)x[b * 8 + i];
			/* Half a step of a weight and half a step of an input, eight times. */
			ck_assert_double_eq_tol((double)y[b * 6 + o], sum,
				8 * (0.137 * 1.1 / 112 / 2 * 2900 + 2900.0 / 127 / 2 * 0.137 * 1.1));
		}
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(batch_equals_its_vectors)
{
	float w[13 * 11], x[9 * 11], y[9 * 13], one[13];
	struct board board;
	nmhal_array *array;

	fake_init(&board.fake, 4, 8, 8);
	board.fake.caps.max_batch = 2; /* the batch is split */
	board.fake.caps.output_lsb = 3;
	board_open(&board);
	array = new_array(&board, 13, 11, NMHAL_ARRAY_ONE_SLICE, 0);
	integers(w, 13, 11, 1000, 9);
	integers(x, 9, 11, 777, 10);
	assert_ok(multiply(array, w, x, 9, y, 0));
	for (int b = 0; b < 9; b++) {
		assert_ok(multiply(array, NULL, x + b * 11, 1, one, 0));
		ck_assert_mem_eq(one, y + b * 13, sizeof(one));
	}
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(strides_and_saturation)
{
	const float w[2][4] = {{7, 7, 7, 99}, {7, -7, 0, 99}};
	const float x[2][5] = {{127, 127, 127, 99, 99}, {127, 0, 0, 99, 99}};
	float y[2][3] = {{0, 0, -5}, {0, 0, -5}};
	struct board board;
	nmhal_array *array;
	const struct nmhal_product op = {.struct_size = sizeof(op),
		.w = &w[0][0],
		.w_stride = 4,
		.x = &x[0][0],
		.x_stride = 5,
		.y = &y[0][0],
		.y_stride = 3,
		.batch = 2};

	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.output_min = -1000;
	board.fake.caps.output_max = 1000;
	board.fake.caps.output_lsb = 0.5;
	board_open(&board);
	array = new_array(&board, 2, 3, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(nmhal_array_matmul(array, &op));
	ck_assert(y[0][0] == 500 && y[0][1] == 0 && y[1][0] == 444.5f && y[1][1] == 444.5f);
	ck_assert(y[0][2] == -5 && y[1][2] == -5);
	ck_assert_uint_eq(stats_of(array).saturations, 1);
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(bad_products)
{
	float w[2 * 3] = {1, 2, 3, 4, 5, 6}, x[2 * 3] = {1, 1, 1, 1, 1, 1}, y[2 * 2];
	struct board board;
	nmhal_array *array;
	const struct nmhal_product good = {.struct_size = sizeof(good), .w = w, .x = x, .y = y, .batch = 2};
	struct nmhal_product op;

	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.output_lsb = 1;
	board.fake.caps.features &= ~NMHAL_CAN_INFER_TRANSPOSED;
	board_open(&board);
	array = new_array(&board, 2, 3, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_INVALID, "array is NULL", nmhal_array_matmul(NULL, &good));
	assert_fails(NMHAL_E_INVALID, "", nmhal_array_matmul(array, NULL));
	op = good;
	op.w = NULL;
	assert_fails(NMHAL_E_STATE, "nothing was programmed", nmhal_array_matmul(array, &op));
	op = good;
	op.batch = 0;
	assert_fails(NMHAL_E_INVALID, "batch is 0", nmhal_array_matmul(array, &op));
	op = good;
	op.x = NULL;
	assert_fails(NMHAL_E_INVALID, "x is NULL", nmhal_array_matmul(array, &op));
	op = good;
	op.x_stride = 2;
	assert_fails(NMHAL_E_INVALID, "strides of w, x, y are 3, 2, 2", nmhal_array_matmul(array, &op));
	op = good;
	op.flags = 2;
	assert_fails(NMHAL_E_INVALID, "flags 0x2", nmhal_array_matmul(array, &op));
	op = good;
	op.reserved = 1;
	assert_fails(NMHAL_E_INVALID, "reserved is 1", nmhal_array_matmul(array, &op));
	op = good;
	op.flags = NMHAL_PRODUCT_TRANSPOSED;
	assert_fails(NMHAL_E_UNSUPPORTED, "transposed", nmhal_array_matmul(array, &op));
	x[4] = NAN;
	assert_fails(NMHAL_E_INVALID, "x[1][1] is nan", nmhal_array_matmul(array, &good));
	x[4] = 1;
	w[5] = -INFINITY;
	assert_fails(NMHAL_E_INVALID, "W[1][2] is -inf", nmhal_array_matmul(array, &good));
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	w[5] = 6;
	assert_ok(nmhal_array_matmul(array, &good));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

/* A number that float cannot hold is an error, at any place; near to it products are right. */
START_TEST(overflow_is_no_result)
{
	const float huge[2][2] = {{3e38f, 0}, {0, 1}}, large[2][2] = {{1e36f, 0}, {0, 1}}, small[2] = {1e-30f, 1e-30f};
	const float x[2] = {1e10f, 1}, ones[2] = {1, 1}, nothing[2] = {0, 0};
	float dw[2][2] = {{3e38f, 0}, {0, 0}}, y[2];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 2, 2, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_INVALID, "y[0][0] is too large", multiply(array, &large[0][0], x, 1, y, 0));
	assert_fails(NMHAL_E_INVALID, "x[0][0] is 1e+10, a step of W[0]",
		multiply(array, &large[0][0], x, 1, y, NMHAL_PRODUCT_TRANSPOSED));
	assert_ok(multiply(array, &large[0][0], small, 1, y, 0));
	ck_assert(isfinite(y[0]) && y[0] > 0.9e6f && y[0] < 1.1e6f);
	assert_ok(multiply(array, &large[0][0], small, 1, y, NMHAL_PRODUCT_TRANSPOSED));
	ck_assert(isfinite(y[0]) && y[0] > 0.9e6f && y[0] < 1.1e6f);
	/* The sum of codes times a step of the output, before the step of the inputs. */
	assert_fails(NMHAL_E_INVALID, "y[0][0] is too large", multiply(array, &huge[0][0], ones, 1, y, 0));
	/* Codes up to the rail must stand for floats. */
	dw[0][0] = FLT_MAX;
	assert_fails(NMHAL_E_INVALID, "largest of W[0] is 3.4", nmhal_array_program(array, &dw[0][0], 0, 0, 0));
	assert_fails(NMHAL_E_INVALID, "largest of W[0] is 3.4", multiply(array, &dw[0][0], ones, 1, y, 0));
	nmhal_array_free(array);
	board_close(&board);
	/* Infinite steps of the outputs make no number, not even of nothing. */
	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.output_lsb = 128;
	board_open(&board);
	array = new_array(&board, 2, 2, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_INVALID, "y[0][0] is too large", multiply(array, &huge[0][0], nothing, 1, y, 0));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(zero_weights_and_zero_vectors)
{
	const float w[2][3] = {{0, 0, 0}, {1, 0, 0}}, x[2][3] = {{1, 2, 3}, {0, 0, 0}};
	float y[2][2];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 2, 3, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(multiply(array, &w[0][0], &x[0][0], 2, &y[0][0], 0));
	ck_assert(y[0][0] == 0 && y[1][0] == 0 && y[1][1] == 0);
	ck_assert_double_eq_tol((double)y[0][1], 1, 0.1);
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {golden_3x5_forward, golden_3x5_transposed, ragged_tiles_add_up,
		two_slices_hold_finer_weights, several_devices_share_the_matrix, scale_is_the_next_step_up,
		quantised_twice_is_the_same, rounding_is_half_to_even, real_numbers_come_close,
		batch_equals_its_vectors, strides_and_saturation, bad_products, overflow_is_no_result,
		zero_weights_and_zero_vectors};

	return run_tests("array", tests, sizeof(tests) / sizeof(*tests));
}
