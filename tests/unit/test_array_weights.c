/* SPDX-License-Identifier: MIT */
/* The board as a cache of a matrix: what is written when, who may change it, what a failure leaves behind. */
#include <math.h>
#include <stdlib.h>

#include "tests/unit/array_board.h"

/* A 6 x 5 array on one of two 8 x 8 cores, W programmed by a product. */
struct bed {
	struct board board;
	nmhal_array *array;
	float w[6 * 5], x[5], y[6];
};

static void bed_open(struct bed *bed, uint32_t encoding, uint32_t flags)
{
	open_board(&bed->board, 2, 8, 8);
	bed->array = new_array(&bed->board, 6, 5, encoding, flags);
	integers(bed->w, 6, 5, CODE_MAX, 1);
	integers(bed->x, 1, 5, 127, 2);
}

static int bed_multiply(struct bed *bed, const float *w)
{
	return multiply(bed->array, w, bed->x, 1, bed->y, 0);
}

static void bed_close(struct bed *bed)
{
	nmhal_array_free(bed->array);
	board_close(&bed->board);
}

START_TEST(only_changed_cells_are_written)
{
	struct bed bed;
	struct nmhal_array_stats before;
	float *weight = &bed.w[2 * 5 + 4]; /* not the largest of its output */

	bed_open(&bed, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(bed_multiply(&bed, bed.w));
	before = stats_of(bed.array);
	ck_assert_uint_eq(before.cells, 5 * 8); /* whole rows, the first time */
	ck_assert_uint_eq(before.hits, 0);
	assert_ok(bed_multiply(&bed, bed.w));
	ck_assert_uint_eq(stats_of(bed.array).cells, before.cells);
	ck_assert_uint_eq(stats_of(bed.array).hits, 1);
	*weight = *weight > 0 ? *weight - 1 : *weight + 1;
	assert_ok(bed_multiply(&bed, bed.w));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	ck_assert_uint_eq(stats_of(bed.array).cells, before.cells + 1);
	*weight += 0.25f; /* less than half a step */
	assert_ok(bed_multiply(&bed, bed.w));
	ck_assert_uint_eq(stats_of(bed.array).cells, before.cells + 1);
	ck_assert_uint_eq(stats_of(bed.array).hits, 2);
	ck_assert_uint_eq(stats_of(bed.array).rescales, 0);
	for (int i = 0; i < 5; i++)
		bed.w[i] *= 1.5f;
	assert_ok(bed_multiply(&bed, bed.w));
	ck_assert_uint_eq(stats_of(bed.array).rescales, 1);
	bed_close(&bed);
}
END_TEST

START_TEST(two_slices_write_what_differs)
{
	struct bed bed;
	uint64_t cells;

	bed_open(&bed, NMHAL_ARRAY_TWO_SLICES, 0);
	integers(bed.w, 6, 5, CODE_MAX * (2 * CODE_MAX + 2), 3);
	assert_ok(bed_multiply(&bed, bed.w));
	cells = stats_of(bed.array).cells;
	bed.w[4] = bed.w[4] >= 0 ? bed.w[4] - 15 : bed.w[4] + 15; /* one step of the high slice, none of the low one */
	assert_ok(bed_multiply(&bed, bed.w));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	ck_assert_uint_eq(stats_of(bed.array).cells, cells + 1);
	bed_close(&bed);
}
END_TEST

START_TEST(direct_programming_is_noticed)
{
	const int16_t code = 3;
	const struct nmhal_program direct = {.struct_size = sizeof(direct),
		.region = {.row = 1, .col = 1, .rows = 1, .cols = 1},
		.codes = &code,
		.code_type = NMHAL_CODE_I16};
	struct bed bed;
	float read[6 * 5];

	bed_open(&bed, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(bed_multiply(&bed, bed.w));
	assert_ok(bed_multiply(&bed, NULL));
	assert_ok(nmhal_program_weights(bed.board.dev, &direct, NULL));
	assert_fails(NMHAL_E_STATE, "does not hold the array's weights", bed_multiply(&bed, NULL));
	assert_fails(NMHAL_E_STATE, "array read: core 0 does not hold", nmhal_array_read(bed.array, read, 0, 0));
	assert_ok(bed_multiply(&bed, bed.w));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	assert_ok(bed_multiply(&bed, NULL));
	bed_close(&bed);
}
END_TEST

START_TEST(strict_refuses_another_matrix)
{
	const int16_t code = 3;
	const struct nmhal_program direct = {.struct_size = sizeof(direct),
		.region = {.rows = 1, .cols = 1},
		.codes = &code,
		.code_type = NMHAL_CODE_I16};
	struct bed bed;
	float changed[6 * 5];
	uint64_t cells;

	bed_open(&bed, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_STRICT);
	assert_fails(NMHAL_E_STATE, "output 0 of W differs", bed_multiply(&bed, bed.w));
	assert_ok(nmhal_array_program(bed.array, bed.w, 0, NMHAL_PROGRAM_VERIFY, 0));
	assert_ok(bed_multiply(&bed, bed.w));
	memcpy(changed, bed.w, sizeof(changed));
	changed[3 * 5] += 1;
	assert_fails(NMHAL_E_STATE, "output 3 of W differs", bed_multiply(&bed, changed));
	changed[3 * 5] -= 0.75f; /* the same codes */
	assert_ok(bed_multiply(&bed, changed));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	/* What somebody else wrote is not put right by a product. */
	assert_ok(nmhal_program_weights(bed.board.dev, &direct, NULL));
	cells = stats_of(bed.array).cells;
	assert_fails(NMHAL_E_STATE, "does not hold", bed_multiply(&bed, bed.w));
	assert_fails(NMHAL_E_STATE, "does not hold", bed_multiply(&bed, NULL));
	ck_assert_uint_eq(stats_of(bed.array).cells, cells);
	assert_ok(nmhal_array_program(bed.array, bed.w, 0, 0, 0));
	assert_ok(bed_multiply(&bed, bed.w));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	bed_close(&bed);
}
END_TEST

/* With a board that adds, and with one for which the core does. */
START_TEST(updates_add_on_the_device)
{
	for (unsigned on_board = 0; on_board < 2; on_board++) {
		float dw[6 * 5] = {0}, sum[6 * 5], read[6 * 5];
		struct bed bed;
		unsigned writes;

		fake_init(&bed.board.fake, 2, 8, 8);
		bed.board.fake.caps.output_max = INT32_MAX;
		bed.board.fake.caps.output_min = INT32_MIN;
		bed.board.fake.caps.output_lsb = 1;
		if (!on_board)
			bed.board.fake.ops.add_cells = NULL;
		board_open(&bed.board);
		bed.array = new_array(&bed.board, 6, 5, NMHAL_ARRAY_ONE_SLICE, 0);
		integers(bed.w, 6, 5, CODE_MAX, 1);
		integers(bed.x, 1, 5, 127, 2);
		memset(bed.w + 5, 0, 5 * sizeof(float)); /* output 1: no weights yet */
		assert_fails(NMHAL_E_STATE, "program them", nmhal_array_update(bed.array, dw, 0, 0));
		assert_ok(bed_multiply(&bed, bed.w));
		dw[2 * 5 + 4] = bed.w[2 * 5 + 4] > 0 ? -2 : 2;
		dw[3 * 5 + 4] = 0.49f;	       /* below half a step */
		dw[0] = bed.w[0] > 0 ? 1 : -1; /* the rail */
		dw[5 + 2] = 7;
		memcpy(sum, bed.w, sizeof(sum));
		sum[2 * 5 + 4] += dw[2 * 5 + 4];
		sum[5 + 2] = 7;
		writes = CALLS(&bed.board, FAKE_ADD_CELLS);
		assert_ok(nmhal_array_update(bed.array, dw, 0, 0));
		ck_assert_uint_eq(CALLS(&bed.board, FAKE_ADD_CELLS) - writes, on_board);
		ck_assert_uint_eq(stats_of(bed.array).clipped_weights, 1);
		assert_ok(bed_multiply(&bed, NULL));
		expect_product(sum, bed.x, bed.y, 6, 5, 1);
		assert_ok(nmhal_array_read(bed.array, read, 0, 0));
		ck_assert_mem_eq(read, sum, sizeof(sum));
		/* The sum as a value is what is there: nothing is written. */
		writes = (unsigned)stats_of(bed.array).cells;
		assert_ok(bed_multiply(&bed, sum));
		ck_assert_uint_eq(stats_of(bed.array).cells, writes);
		bed_close(&bed);
	}
}
END_TEST

START_TEST(updates_of_two_slices_carry)
{
	float dw[6 * 5] = {0}, read[6 * 5];
	struct bed bed;

	bed_open(&bed, NMHAL_ARRAY_TWO_SLICES, 0);
	integers(bed.w, 6, 5, CODE_MAX * (2 * CODE_MAX + 2), 3);
	bed.w[4] = 7;
	assert_ok(bed_multiply(&bed, bed.w));
	dw[4] = 1;
	bed.w[4] = 8; /* 1 * 15 - 7 */
	assert_ok(nmhal_array_update(bed.array, dw, 0, 0));
	assert_ok(bed_multiply(&bed, NULL));
	expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
	assert_ok(nmhal_array_read(bed.array, read, 0, 0));
	ck_assert_mem_eq(read, bed.w, sizeof(read));
	bed_close(&bed);
}
END_TEST

/* From rail to rail is two ranges; only what is beyond is clamped. */
START_TEST(updates_cross_the_whole_range)
{
	const uint32_t encodings[] = {NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_TWO_SLICES};

	for (size_t e = 0; e < 2; e++) {
		const float max = e ? CODE_MAX * (2 * CODE_MAX + 2) : CODE_MAX;
		const float w[8] = {-max, max, -max, max, -max, max, 0, 1};
		const float dw[8] = {2 * max, -2 * max, 2 * max + 1, -2 * max - 1, 1e30f, -1e30f, 0, 0};
		const float sum[8] = {max, -max, max, -max, max, -max, 0, 1};
		float read[8];
		struct board board;
		nmhal_array *array;

		open_board(&board, 2, 8, 8);
		array = new_array(&board, 1, 8, encodings[e], 0);
		assert_ok(nmhal_array_program(array, w, 0, 0, 0));
		assert_ok(nmhal_array_update(array, dw, 0, 0));
		assert_ok(nmhal_array_read(array, read, 0, 0));
		ck_assert_mem_eq(read, sum, sizeof(read));
		ck_assert_uint_eq(stats_of(array).clipped_weights, 4);
		nmhal_array_free(array);
		board_close(&board);
	}
}
END_TEST

START_TEST(updates_of_16_bits)
{
	const float w[2] = {-32767, 32767}, dw[2] = {65534, -65533}, sum[2] = {32767, -32766};
	float read[2];
	struct board board;
	nmhal_array *array;

	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.weight_min = INT16_MIN;
	board.fake.caps.weight_max = INT16_MAX;
	board.fake.caps.weight_bits = 16;
	board.fake.caps.output_lsb = 1;
	board_open(&board);
	array = new_array(&board, 1, 2, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(nmhal_array_program(array, w, 0, 0, 0));
	assert_ok(nmhal_array_update(array, dw, 0, 0));
	assert_ok(nmhal_array_read(array, read, 0, 0));
	ck_assert_mem_eq(read, sum, sizeof(read));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

/* More parts than tiles; and a tile that another array took. */
START_TEST(updates_of_tiles_in_turn)
{
	for (uint32_t encoding = 0; encoding < 2; encoding++) {
		float w[20 * 9], dw[20 * 9], sum[20 * 9], read[20 * 9], others[8 * 8], x[9], y[20];
		struct board board;
		nmhal_array *array, *other;

		open_board(&board, 2, 8, 8);
		array = new_array(&board, 20, 9, encoding, NMHAL_ARRAY_PASSES | NMHAL_ARRAY_SHARE);
		other = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_SHARE);
		integers(w, 20, 9, encoding ? CODE_MAX * (2 * CODE_MAX + 2) : CODE_MAX, 1);
		integers(dw, 20, 9, 3, 2);
		integers(x, 1, 9, 127, 3);
		for (int k = 0; k < 20 * 9; k++) {
			dw[k] = fabsf(w[k] + dw[k]) > CODE_MAX ? 0 : dw[k];
			sum[k] = w[k] + dw[k];
		}
		assert_fails(NMHAL_E_STATE, "program them", nmhal_array_update(array, dw, 0, 0));
		assert_ok(nmhal_array_program(array, w, 0, 0, 0));
		integers(others, 8, 8, CODE_MAX, 4);
		assert_ok(nmhal_array_program(other, others, 0, 0, 0));
		assert_ok(nmhal_array_update(array, dw, 0, 0));
		assert_ok(multiply(array, NULL, x, 1, y, 0));
		expect_product(sum, x, y, 20, 9, 1);
		assert_ok(nmhal_array_read(array, read, 0, 0));
		ck_assert_mem_eq(read, sum, sizeof(read));
		assert_ok(nmhal_array_read(other, read, 0, 0));
		ck_assert_mem_eq(read, others, sizeof(others));
		nmhal_array_free(other);
		nmhal_array_free(array);
		board_close(&board);
	}
}
END_TEST

/* An update that breaks off is a matrix like any other: not resident where it failed, and easily made good. */
START_TEST(failed_updates_are_made_good)
{
	for (unsigned at = 1; at <= 2; at++) {
		float w[16 * 8], dw[16 * 8], sum[16 * 8], read[16 * 8], x[8], y[16];
		struct board board;
		nmhal_array *array;

		open_board(&board, 2, 8, 8);
		array = new_array(&board, 16, 8, NMHAL_ARRAY_ONE_SLICE, 0);
		integers(w, 16, 8, CODE_MAX, 1);
		integers(x, 1, 8, 127, 3);
		for (int k = 0; k < 16 * 8; k++) {
			dw[k] = w[k] > 0 ? -1 : w[k] < 0 ? 1 : 0;
			sum[k] = w[k] + dw[k];
		}
		assert_ok(nmhal_array_program(array, w, 0, 0, 0));
		fake_fail_next(&board.fake, FAKE_ADD_CELLS, NMHAL_E_IO);
		board.fake.fail_at += at - 1;
		assert_fails(NMHAL_E_IO, "", nmhal_array_update(array, dw, 0, 0));
		board.fake.fail_at = 0;
		assert_fails(NMHAL_E_STATE, "does not hold", multiply(array, NULL, x, 1, y, 0));
		assert_fails(NMHAL_E_STATE, "does not hold", nmhal_array_update(array, dw, 0, 0));
		assert_ok(nmhal_array_quantise(array, NULL, 0, read, NULL));
		ck_assert_mem_eq(read, sum, sizeof(read));
		assert_ok(multiply(array, read, x, 1, y, 0));
		expect_product(sum, x, y, 16, 8, 1);
		assert_ok(nmhal_array_read(array, read, 0, 0));
		ck_assert_mem_eq(read, sum, sizeof(read));
		nmhal_array_free(array);
		board_close(&board);
	}
}
END_TEST

/* Each call of each op fails once: the product fails with that status, the next one is right. */
START_TEST(failures_are_made_good)
{
	const enum fake_op ops[] = {FAKE_WRITE_WEIGHTS, FAKE_WRITE_CELLS, FAKE_READ_WEIGHTS, FAKE_RUN_INFERENCE};

	for (size_t k = 0; k < sizeof(ops) / sizeof(*ops); k++) {
		for (int again = 0; again < 2; again++) {
			struct bed bed;
			int status;

			bed_open(&bed, NMHAL_ARRAY_TWO_SLICES, 0);
			if (again)
				assert_ok(bed_multiply(&bed, bed.w));
			bed.w[7] = 0;
			fake_fail_next(&bed.board.fake, ops[k], NMHAL_E_IO);
			status = bed_multiply(&bed, bed.w);
			ck_assert(status == NMHAL_OK || status == NMHAL_E_IO);
			bed.board.fake.fail_at = 0;
			if (status) /* half-programmed tiles are not taken for resident */
				assert_ok(bed_multiply(&bed, bed.w));
			expect_product(bed.w, bed.x, bed.y, 6, 5, 1);
			bed_close(&bed);
		}
	}
}
END_TEST

START_TEST(what_codes_stand_for)
{
	const float w[2][3] = {{7, 3.4f, -0.2f}, {0, 0, 0}}, dw[2][3] = {{-3, 0, 0}, {0, 0, 0}}, x[3] = {1, 1, 1};
	const float expected[2][3] = {{7, 3, 0}, {0, 0, 0}}, updated[2][3] = {{4, 3, 0}, {0, 0, 0}};
	struct nmhal_array_quality quality = {.struct_size = sizeof(quality)};
	float quantised[2][3], scale[2], y[2];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 2, 3, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_STATE, "nothing was programmed",
		nmhal_array_quantise(array, NULL, 0, &quantised[0][0], NULL));
	assert_ok(nmhal_array_quantise(array, &w[0][0], 0, &quantised[0][0], scale));
	ck_assert_mem_eq(quantised, expected, sizeof(quantised));
	ck_assert_float_eq(scale[0], 1);
	ck_assert_float_eq(scale[1], 0);
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	/* The last matrix; an update leaves the scale. */
	assert_ok(multiply(array, &w[0][0], x, 1, y, 0));
	assert_ok(nmhal_array_quantise(array, NULL, 0, &quantised[0][0], NULL));
	ck_assert_mem_eq(quantised, expected, sizeof(quantised));
	assert_ok(nmhal_array_update(array, &dw[0][0], 0, 0));
	assert_ok(nmhal_array_quantise(array, NULL, 0, &quantised[0][0], scale));
	ck_assert_mem_eq(quantised, updated, sizeof(quantised));
	ck_assert_float_eq(scale[0], 1);
	/* As a product with that matrix: it keeps codes and scale, though 4 / 7 would do. */
	assert_ok(nmhal_array_quantise(array, &updated[0][0], 0, &quantised[0][0], scale));
	ck_assert_mem_eq(quantised, updated, sizeof(quantised));
	ck_assert_float_eq(scale[0], 1);
	assert_ok(nmhal_array_get_quality(array, &updated[0][0], 0, &quality));
	ck_assert_double_eq(quality.snr_db, HUGE_VAL);
	ck_assert_double_eq_tol(quality.range_use, 4.0 / 7, 1e-12);
	assert_ok(nmhal_array_quantise(array, NULL, 0, NULL, NULL));
	assert_fails(NMHAL_E_INVALID, "stride", nmhal_array_quantise(array, NULL, 2, &quantised[0][0], NULL));
	assert_fails(NMHAL_E_INVALID, "array is NULL", nmhal_array_quantise(NULL, NULL, 0, NULL, NULL));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(quality_of_the_codes)
{
	const float w[3][4] = {{7, 3, -1, 0}, {0, 0, 0, 0}, {7, -7, 0, 0.5f}};
	struct nmhal_array_quality quality = {.struct_size = sizeof(quality)};
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 3, 4, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(nmhal_array_get_quality(array, &w[0][0], 0, &quality));
	ck_assert_uint_eq(quality.dead, 1);
	ck_assert_uint_eq(quality.saturated, 1);
	ck_assert_double_eq_tol(quality.range_use, 1, 1e-12);
	ck_assert_double_eq_tol(quality.snr_db, 10 * 2.8011 /* log10((59 + 98.25) / 0.25) */, 0.05);
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	assert_fails(NMHAL_E_INVALID, "NULL", nmhal_array_get_quality(array, NULL, 0, &quality));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

/* Threads on two arrays that share one tile: every product is that of its own matrix. */
#define ROUNDS 100
struct user {
	pthread_t thread;
	nmhal_array *array;
	unsigned seed, wrong;
};

static void *use(void *arg)
{
	struct user *user = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		float w[6 * 5], x[5], y[6];

		integers(w, 6, 5, CODE_MAX, user->seed + round / 3);
		integers(x, 1, 5, 127, round);
		if (multiply(user->array, w, x, 1, y, 0) != NMHAL_OK) {
			user->wrong++;
			continue;
		}
		for (int o = 0; o < 6; o++) {
			float sum = 0;

			for (int i = 0; i < 5; i++)
				sum += w[o * 5 + i] * x[i];
			user->wrong += sum != y[o];
		}
	}
	return NULL;
}

START_TEST(threads_see_their_own_matrix)
{
	struct user users[4];
	struct board board;
	nmhal_array *arrays[2];

	open_board(&board, 1, 8, 8);
	for (int a = 0; a < 2; a++)
		arrays[a] = new_array(&board, 6, 5, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_SHARE);
	for (unsigned u = 0; u < 4; u++) {
		users[u] = (struct user){.array = arrays[u / 2], .seed = 100 * u};
		ck_assert_int_eq(pthread_create(&users[u].thread, NULL, use, &users[u]), 0);
	}
	for (unsigned u = 0; u < 4; u++) {
		pthread_join(users[u].thread, NULL);
		ck_assert_uint_eq(users[u].wrong, 0);
	}
	for (int a = 0; a < 2; a++)
		nmhal_array_free(arrays[a]);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {only_changed_cells_are_written, two_slices_write_what_differs,
		direct_programming_is_noticed, strict_refuses_another_matrix, updates_add_on_the_device,
		updates_of_two_slices_carry, updates_cross_the_whole_range, updates_of_16_bits,
		updates_of_tiles_in_turn,
		failed_updates_are_made_good, failures_are_made_good, quality_of_the_codes, what_codes_stand_for,
		threads_see_their_own_matrix};

	return run_tests("array_weights", tests, sizeof(tests) / sizeof(*tests));
}
