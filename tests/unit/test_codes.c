/* SPDX-License-Identifier: MIT */
/* Matrices of codes as callers give them: regions, strides, element types, ranges. */
#include "tests/unit/board.h"

static void open_2x3x4(struct board *board)
{
	fake_init(&board->fake, 2, 3, 4);
	board_open(board);
}

START_TEST(regions_are_filled_in)
{
	static const struct {
		struct nmhal_region given, expected;
	} rows[] = {
		{{0, 0, 0, 0, 0, 0}, {0, 0, 0, 3, 4, 0}},
		{{1, 2, 3, 0, 0, 0}, {1, 2, 3, 1, 1, 0}},
		{{0, 1, 1, 0, 2, 0}, {0, 1, 1, 2, 2, 0}},
		{{0, 0, 0, 3, 4, 0}, {0, 0, 0, 3, 4, 0}},
	};
	struct board board;

	open_2x3x4(&board);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nmhal_region region = rows[i].given;

		assert_ok(nm_region_check(board.dev, &region));
		ck_assert_mem_eq(&region, &rows[i].expected, sizeof(region));
	}
	board_close(&board);
}
END_TEST

START_TEST(regions_outside_are_named)
{
	static const struct {
		struct nmhal_region region;
		const char *sentence;
	} rows[] = {
		{{2, 0, 0, 0, 0, 0}, "core 2: the device has cores 0..1"},
		{{UINT32_MAX, 0, 0, 0, 0, 0}, "core 4294967295: the device has cores 0..1"},
		{{0, 3, 0, 0, 0, 0}, "rows 3..3 of core 0: it has rows 0..2"},
		{{0, 1, 0, 3, 0, 0}, "rows 1..3 of core 0: it has rows 0..2"},
		{{0, 1, 0, UINT32_MAX, 0, 0}, "rows 1..4294967295 of core 0: it has rows 0..2"},
		{{0, UINT32_MAX, 0, 1, 0, 0}, "rows 4294967295..4294967295 of core 0"},
		{{1, 0, 4, 0, 0, 0}, "columns 4..4 of core 1: it has columns 0..3"},
		{{1, 0, 3, 0, 2, 0}, "columns 3..4 of core 1: it has columns 0..3"},
		{{0, 0, 0, 0, 0, 7}, "region: reserved is 7: it must be 0"},
	};
	struct board board;

	open_2x3x4(&board);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nmhal_region region = rows[i].region;

		assert_fails(NMHAL_E_INVALID, rows[i].sentence, nm_region_check(board.dev, &region));
		ck_assert_mem_eq(&region, &rows[i].region, sizeof(region));
	}
	board_close(&board);
}
END_TEST

START_TEST(types_must_hold_the_range)
{
	struct board board;

	open_2x3x4(&board);
	assert_ok(nm_type_check(board.dev, NMHAL_CODE_I8, -128, 127, "w"));
	assert_ok(nm_type_check(board.dev, NMHAL_CODE_I16, -32768, 32767, "w"));
	assert_ok(nm_type_check(board.dev, NMHAL_CODE_I32, INT32_MIN, INT32_MAX, "w"));
	assert_fails(NMHAL_E_INVALID, "w: codes of type I8: the range -128..128 does not fit",
		nm_type_check(board.dev, NMHAL_CODE_I8, -128, 128, "w"));
	assert_fails(NMHAL_E_INVALID, "I8: the range -129..0", nm_type_check(board.dev, NMHAL_CODE_I8, -129, 0, "w"));
	assert_fails(NMHAL_E_INVALID, "I16: the range -32769..0",
		nm_type_check(board.dev, NMHAL_CODE_I16, -32769, 0, "w"));
	assert_fails(NMHAL_E_INVALID, "I16: the range 0..32768",
		nm_type_check(board.dev, NMHAL_CODE_I16, 0, 32768, "w"));
	assert_fails(NMHAL_E_INVALID, "w: code type 0: there are 1 (I8)", nm_type_check(board.dev, 0, 0, 0, "w"));
	assert_fails(NMHAL_E_INVALID, "code type 4", nm_type_check(board.dev, 4, 0, 0, "w"));
	board_close(&board);
}
END_TEST

START_TEST(strides)
{
	struct board board;
	size_t stride = 0;

	open_2x3x4(&board);
	assert_ok(nm_stride_check(board.dev, &stride, 4, "w"));
	ck_assert_uint_eq(stride, 4);
	stride = 9;
	assert_ok(nm_stride_check(board.dev, &stride, 4, "w"));
	ck_assert_uint_eq(stride, 9);
	stride = 3;
	assert_fails(NMHAL_E_INVALID, "w: stride of 3 elements: a row has 4",
		nm_stride_check(board.dev, &stride, 4, "w"));
	board_close(&board);
}
END_TEST

/* What is stored with a type is loaded with it, and nothing beside it is touched. */
START_TEST(round_trip_of_each_type)
{
	static const size_t sizes[] = {[NMHAL_CODE_I8] = 1, [NMHAL_CODE_I16] = 2, [NMHAL_CODE_I32] = 4};
	const int16_t line[5] = {-128, -1, 0, 1, 127};

	for (uint32_t type = NMHAL_CODE_I8; type <= NMHAL_CODE_I32; type++) {
		uint32_t memory[16];
		unsigned char *bytes = (unsigned char *)memory;
		int32_t wide[7] = {[0] = 77, [6] = 77};

		memset(memory, 0x5a, sizeof(memory));
		nm_codes_store(memory, type, 3, 5, line);
		nm_codes_load(memory, type, 3, 5, wide + 1);
		for (size_t i = 0; i < 5; i++)
			ck_assert_int_eq(wide[1 + i], line[i]);
		ck_assert_int_eq(wide[0], 77);
		ck_assert_int_eq(wide[6], 77);
		ck_assert_uint_eq(bytes[3 * sizes[type] - 1], 0x5a);
		ck_assert_uint_eq(bytes[8 * sizes[type]], 0x5a);
	}
}
END_TEST

START_TEST(first_code_outside)
{
	int32_t line[6] = {-8, 7, 0, 7, -8, 1}, wide[6];

	ck_assert_uint_eq(nm_codes_outside(line, NMHAL_CODE_I32, 0, 6, -8, 7, wide), 6);
	ck_assert_uint_eq(nm_codes_outside(line, NMHAL_CODE_I32, 0, 0, -8, 7, wide), 0);
	line[5] = 8;
	ck_assert_uint_eq(nm_codes_outside(line, NMHAL_CODE_I32, 0, 6, -8, 7, wide), 5);
	line[3] = INT32_MIN;
	ck_assert_uint_eq(nm_codes_outside(line, NMHAL_CODE_I32, 0, 6, -8, 7, wide), 3);
	line[0] = INT32_MAX;
	ck_assert_uint_eq(nm_codes_outside(line, NMHAL_CODE_I32, 0, 6, -8, 7, wide), 0);
}
END_TEST

/* Each place of lines that are shorter and longer than what is looked at together, each type, each side. */
START_TEST(one_code_outside_is_found_wherever_it_is)
{
	static int8_t i8[100];
	static int16_t i16[100];
	static int32_t i32[100], wide[100];

	for (uint32_t count = 1; count < 100; count += 7) {
		for (uint32_t place = 0; place < count; place++) {
			for (int bad = -8; bad <= 8; bad += 16) {
				i8[place] = (int8_t)bad;
				i16[place] = (int16_t)bad;
				i32[place] = bad;
				ck_assert_uint_eq(nm_codes_outside(i8, NMHAL_CODE_I8, 0, count, -7, 7, wide), place);
				ck_assert_int_eq(wide[place], bad);
				ck_assert_uint_eq(nm_codes_outside(i16, NMHAL_CODE_I16, 0, count, -7, 7, wide), place);
				ck_assert_uint_eq(nm_codes_outside(i32, NMHAL_CODE_I32, 0, count, -7, 7, wide), place);
				ck_assert_uint_eq(nm_codes_outside(i8, NMHAL_CODE_I8, 0, count, -8, 900, wide), count);
			}
			i8[place] = 0;
			i16[place] = 0;
			i32[place] = 0;
		}
	}
	ck_assert_uint_eq(nm_codes_outside(i8, NMHAL_CODE_I8, 0, 5, 128, 1000, wide), 0);
	ck_assert_uint_eq(nm_codes_outside(i16, NMHAL_CODE_I16, 0, 5, 0, 100000, wide), 5);
	i32[40] = INT32_MAX;
	i32[41] = INT32_MIN;
	ck_assert_uint_eq(nm_codes_outside(i32, NMHAL_CODE_I32, 0, 99, -7, 7, wide), 40);
	ck_assert_uint_eq(nm_codes_outside(i32, NMHAL_CODE_I32, 41, 9, -7, 7, wide), 0);
	ck_assert_uint_eq(nm_codes_outside(i32, NMHAL_CODE_I32, 0, 99, INT32_MIN, INT32_MAX, wide), 99);
	i32[40] = i32[41] = 0;
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {regions_are_filled_in, regions_outside_are_named, types_must_hold_the_range,
		strides, round_trip_of_each_type, first_code_outside, one_code_outside_is_found_wherever_it_is};

	return run_tests("codes", tests, sizeof(tests) / sizeof(*tests));
}
