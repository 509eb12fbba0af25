/* SPDX-License-Identifier: MIT */
/* Making arrays: which tiles they take, what is refused, sharing and passes. */
#include "tests/unit/array_board.h"

START_TEST(tiles_are_taken_and_given_back)
{
	const struct nmhal_array_options options = NMHAL_ARRAY_OPTIONS_INIT;
	struct nmhal_array_place place = {.struct_size = sizeof(place)};
	struct board board;
	nmhal_array *a, *b, *c;

	open_board(&board, 2, 8, 8);
	a = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, 0);
	b = new_array(&board, 3, 5, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(nmhal_array_locate(b, 2, 4, 0, &place));
	ck_assert(place.dev == board.dev && place.core == 1 && place.row == 4 && place.col == 2);
	assert_fails(NMHAL_E_LIMIT, "needs 1 tiles of 8 x 8, 0 are free",
		nmhal_array_new(&board.dev, 1, 1, 1, &options, &c));
	ck_assert_ptr_null(c);
	nmhal_array_free(a);
	c = new_array(&board, 1, 1, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(nmhal_array_locate(c, 0, 0, 0, &place));
	ck_assert_uint_eq(place.core, 0);
	assert_fails(NMHAL_E_INVALID, "W[1][0], slice 0", nmhal_array_locate(c, 1, 0, 0, &place));
	assert_fails(NMHAL_E_INVALID, "slice 1", nmhal_array_locate(c, 0, 0, 1, &place));
	nmhal_array_free(b);
	nmhal_array_free(c);
	nmhal_array_free(NULL);
	board_close(&board);
}
END_TEST

/* A failed array gives back what it took. */
START_TEST(too_large_takes_nothing)
{
	struct board board;
	nmhal_array *array;

	open_board(&board, 2, 8, 8);
	assert_fails(NMHAL_E_LIMIT, "needs 3 tiles of 8 x 8, 2 are free",
		nmhal_array_new(&board.dev, 1, 20, 8, NULL, &array));
	ck_assert_ptr_null(array);
	array = new_array(&board, 16, 8, NMHAL_ARRAY_ONE_SLICE, 0);
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(passes_use_a_tile_in_turn)
{
	float w[20 * 9], read[20 * 9], x[2 * 9], y[2 * 20];
	struct board board;
	nmhal_array *array;

	open_board(&board, 2, 8, 8);
	array = new_array(&board, 20, 9, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_PASSES);
	integers(w, 20, 9, CODE_MAX, 1);
	integers(x, 2, 9, 127, 2);
	for (int round = 0; round < 2; round++) {
		assert_ok(multiply(array, round ? NULL : w, x, 2, y, 0));
		expect_product(w, x, y, 20, 9, 2);
	}
	ck_assert_uint_eq(stats_of(array).swaps, 4 + 6);
	ck_assert_uint_eq(stats_of(array).hits, 0);
	/* Each part is brought back to be read. */
	assert_ok(nmhal_array_read(array, read, 0, 0));
	ck_assert_mem_eq(read, w, sizeof(w));
	nmhal_array_free(array);
	board_close(&board);
}
END_TEST

START_TEST(sharing_swaps)
{
	float w[2][8 * 8], read[8 * 8], x[8], y[8];
	struct board board;
	nmhal_array *arrays[2];

	open_board(&board, 1, 8, 8);
	for (int a = 0; a < 2; a++) {
		arrays[a] = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_SHARE);
		integers(w[a], 8, 8, CODE_MAX, 1 + (unsigned)a);
	}
	integers(x, 1, 8, 127, 3);
	for (int round = 0; round < 3; round++) {
		for (int a = 0; a < 2; a++) {
			assert_ok(multiply(arrays[a], round == 2 ? NULL : w[a], x, 1, y, 0));
			expect_product(w[a], x, y, 8, 8, 1);
		}
	}
	ck_assert_uint_eq(stats_of(arrays[0]).swaps, 2);
	ck_assert_uint_eq(stats_of(arrays[1]).swaps, 3);
	for (int a = 0; a < 2; a++) {
		assert_ok(nmhal_array_read(arrays[a], read, 0, 0));
		ck_assert_mem_eq(read, w[a], sizeof(read));
	}
	/* The other one's parts are not looked at after it is gone. */
	nmhal_array_free(arrays[1]);
	assert_ok(multiply(arrays[0], NULL, x, 1, y, 0));
	expect_product(w[0], x, y, 8, 8, 1);
	ck_assert_uint_eq(stats_of(arrays[0]).swaps, 3);
	nmhal_array_free(arrays[0]);
	board_close(&board);
}
END_TEST

/* A tile of an array without SHARE is its own. */
START_TEST(only_sharers_share)
{
	const struct nmhal_array_options share = {sizeof(share), 0, NMHAL_ARRAY_SHARE};
	struct nmhal_array_place place = {.struct_size = sizeof(place)};
	struct board board;
	nmhal_array *own, *sharer, *other, *none;

	open_board(&board, 2, 8, 8);
	own = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, 0);
	sharer = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_SHARE);
	other = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_SHARE);
	assert_ok(nmhal_array_locate(other, 0, 0, 0, &place));
	ck_assert_uint_eq(place.core, 1);
	assert_fails(NMHAL_E_LIMIT, "needs 1 tiles of 8 x 8, 0 are free",
		nmhal_array_new(&board.dev, 1, 1, 1, NULL, &none));
	nmhal_array_free(own);
	nmhal_array_free(sharer);
	own = new_array(&board, 8, 8, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_fails(NMHAL_E_LIMIT, "needs 2 tiles of 8 x 8, 1 are free",
		nmhal_array_new(&board.dev, 1, 16, 8, &share, &none));
	nmhal_array_free(own);
	nmhal_array_free(other);
	board_close(&board);
}
END_TEST

START_TEST(what_is_refused)
{
	struct nmhal_array_options options = NMHAL_ARRAY_OPTIONS_INIT;
	struct board board, other;
	nmhal_device *devs[2];
	nmhal_array *array;

	open_board(&board, 2, 8, 8);
	open_board(&other, 2, 8, 4);
	devs[0] = board.dev;
	devs[1] = other.dev;
	assert_fails(NMHAL_E_INVALID, "out is NULL", nmhal_array_new(devs, 1, 1, 1, NULL, NULL));
	assert_fails(NMHAL_E_INVALID, "no device", nmhal_array_new(NULL, 1, 1, 1, NULL, &array));
	assert_fails(NMHAL_E_INVALID, "no device", nmhal_array_new(devs, 0, 1, 1, NULL, &array));
	assert_fails(NMHAL_E_INVALID, "0 x 1 weights", nmhal_array_new(devs, 1, 0, 1, NULL, &array));
	assert_fails(NMHAL_E_INVALID, "65536 x 65536 weights", nmhal_array_new(devs, 1, 65536, 65536, NULL, &array));
	assert_fails(NMHAL_E_UNSUPPORTED, "8 x 4 crossbars", nmhal_array_new(devs, 2, 1, 1, NULL, &array));
	options.encoding = 2;
	assert_fails(NMHAL_E_INVALID, "encoding is 2", nmhal_array_new(devs, 1, 1, 1, &options, &array));
	options.encoding = 0;
	options.flags = 16;
	assert_fails(NMHAL_E_INVALID, "flags 0x10", nmhal_array_new(devs, 1, 1, 1, &options, &array));
	options.flags = 0;
	options.struct_size = 4;
	assert_fails(NMHAL_E_INVALID, "struct nmhal_array_options", nmhal_array_new(devs, 1, 1, 1, &options, &array));
	devs[1] = NULL;
	assert_fails(NMHAL_E_INVALID, "device 1 is NULL", nmhal_array_new(devs, 2, 1, 1, NULL, &array));
	assert_ok(nmhal_device_close(other.dev));
	assert_fails(NMHAL_E_STATE, "closed", nmhal_array_new(&other.dev, 1, 1, 1, NULL, &array));
	board_close(&board);
	board_close(&other);
}
END_TEST

START_TEST(boards_that_cannot)
{
	const struct nmhal_array_options bit_serial = {sizeof(bit_serial), 0, NMHAL_ARRAY_BIT_SERIAL};
	struct board board, other;
	nmhal_device *devs[2];
	nmhal_array *array;

	fake_init(&board.fake, 1, 8, 8);
	board.fake.ops.run_inference = NULL;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "inference", nmhal_array_new(&board.dev, 1, 1, 1, NULL, &array));
	board_close(&board);
	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.output_lsb = 0;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "output codes count", nmhal_array_new(&board.dev, 1, 1, 1, NULL, &array));
	board_close(&board);
	fake_init(&board.fake, 1, 8, 8);
	board.fake.caps.output_lsb = 1;
	board.fake.caps.input_min = 0;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "both need signs", nmhal_array_new(&board.dev, 1, 1, 1, NULL, &array));
	board_close(&board);
	/* Each of several devices is asked. */
	open_board(&board, 1, 8, 8);
	fake_init(&other.fake, 1, 8, 8);
	other.fake.caps.output_min = INT32_MIN;
	other.fake.caps.output_max = INT32_MAX;
	other.fake.caps.output_lsb = 1;
	other.fake.caps.features &= ~NMHAL_CAN_INFER_BIT_SERIAL;
	board_open(&other);
	devs[0] = board.dev;
	devs[1] = other.dev;
	assert_fails(NMHAL_E_UNSUPPORTED, "bit-serial", nmhal_array_new(devs, 2, 1, 1, &bit_serial, &array));
	board_close(&board);
	board_close(&other);
}
END_TEST

/* An array outlives its devices' closing: its calls say so, and freeing it is safe. */
START_TEST(closed_device)
{
	float w[4] = {1, 2, 3, 4}, x[2] = {1, 1}, y[2];
	struct board board;
	nmhal_array *array;

	open_board(&board, 1, 8, 8);
	array = new_array(&board, 2, 2, NMHAL_ARRAY_ONE_SLICE, 0);
	assert_ok(multiply(array, w, x, 1, y, 0));
	assert_ok(nmhal_device_close(board.dev));
	assert_fails(NMHAL_E_STATE, "closed", multiply(array, w, x, 1, y, 0));
	assert_fails(NMHAL_E_STATE, "closed", nmhal_array_program(array, w, 0, 0, 0));
	assert_fails(NMHAL_E_STATE, "closed", nmhal_array_update(array, w, 0, 0));
	assert_fails(NMHAL_E_STATE, "closed", nmhal_array_read(array, w, 0, 0));
	board_close(&board);
	nmhal_array_free(array);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {tiles_are_taken_and_given_back, too_large_takes_nothing,
		passes_use_a_tile_in_turn, sharing_swaps, only_sharers_share, what_is_refused, boards_that_cannot,
		closed_device};

	return run_tests("array_new", tests, sizeof(tests) / sizeof(*tests));
}
