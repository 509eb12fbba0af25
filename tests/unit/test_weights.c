/* SPDX-License-Identifier: MIT */
/* Programming and reading weights: what is written, what is skipped, what is compared, what is refused. */
#include "tests/unit/board.h"

/* codes of a board of [1][3][4] */
static const int8_t pattern[3][4] = {{1, -2, 3, -4}, {5, -6, 7, -8}, {0, 1, 2, 3}};

static void open_3x4(struct board *board)
{
	fake_init(&board->fake, 1, 3, 4);
	board_open(board);
}

static struct nmhal_program whole(const void *codes, uint32_t flags)
{
	return (struct nmhal_program){.struct_size = sizeof(struct nmhal_program), .codes = codes,
		.code_type = NMHAL_CODE_I8, .flags = flags};
}

static struct nmhal_program sparse(const struct nmhal_cell *cells, size_t count, uint32_t flags)
{
	return (struct nmhal_program){.struct_size = sizeof(struct nmhal_program), .cells = cells, .cell_count = count,
		.flags = flags};
}

static void assert_board(struct board *board, const int8_t codes[3][4])
{
	for (size_t i = 0; i < 12; i++)
		ck_assert_int_eq(board->fake.codes[i], codes[i / 4][i % 4]);
}

START_TEST(whole_core)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report), .cells_failed = 99};
	struct nmhal_program op = whole(pattern, NMHAL_PROGRAM_VERIFY);
	struct board board;

	open_3x4(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	assert_board(&board, pattern);
	ck_assert_uint_eq(report.cells_written, 12);
	ck_assert_uint_eq(report.cells_failed, 0);
	ck_assert_uint_eq(report.struct_size, sizeof(report));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 1);
	op.flags = 0;
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 1);
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_WEIGHTS), 2);
	board_close(&board);
}
END_TEST

START_TEST(part_with_stride)
{
	const int16_t codes[2][3] = {{1, 2, 99}, {3, 4, 99}};
	const int8_t expected[3][4] = {{0, 0, 0, 0}, {0, 1, 2, 0}, {0, 3, 4, 0}};
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {0, 1, 1, 2, 2, 0}, .codes = codes,
		.row_stride = 3, .code_type = NMHAL_CODE_I16};
	struct board board;

	open_3x4(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	assert_board(&board, expected);
	ck_assert_uint_eq(board.fake.cells_written, 4);
	board_close(&board);
}
END_TEST

START_TEST(only_changed_writes_the_difference)
{
	const int8_t changed[3][4] = {{1, -2, 3, -4}, {5, 6, 7, -8}, {0, 1, 2, -3}};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_program op = whole(pattern, NMHAL_PROGRAM_ONLY_CHANGED);
	struct board board;

	open_3x4(&board);
	/* Nothing is known yet, so it reads first. Of the pattern only one cell is 0 as on the board. */
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(board.fake.cells_read, 12);
	ck_assert_uint_eq(report.cells_written, 11);
	ck_assert_uint_eq(report.cells_skipped, 1);
	assert_board(&board, pattern);
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_skipped, 12);
	ck_assert_uint_eq(report.cells_written, 0);
	op.codes = changed;
	op.flags |= NMHAL_PROGRAM_VERIFY;
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 2);
	ck_assert_uint_eq(report.cells_skipped, 10);
	assert_board(&board, changed);
	ck_assert_uint_eq(board.fake.cells_read, 14);
	board_close(&board);
}
END_TEST

START_TEST(only_changed_of_all_writes_the_region)
{
	const int8_t ones[3][4] = {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}};
	struct nmhal_program op = whole(ones, NMHAL_PROGRAM_ONLY_CHANGED);
	struct board board;

	open_3x4(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_WEIGHTS), 1);
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_CELLS), 0);
	assert_board(&board, ones);
	board_close(&board);
}
END_TEST

START_TEST(cells)
{
	const struct nmhal_cell list[] = {{0, 2, 3, 7}, {0, 0, 0, 1}, {0, 2, 3, -8}};
	const int8_t expected[3][4] = {{1, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, -8}};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_program op = sparse(list, 3, NMHAL_PROGRAM_VERIFY);
	struct board board;

	open_3x4(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 2);
	assert_board(&board, expected);
	op.flags = NMHAL_PROGRAM_ONLY_CHANGED | NMHAL_PROGRAM_VERIFY;
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_skipped, 2);
	ck_assert_uint_eq(report.cells_written, 0);
	op.cell_count = 0;
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_CELLS), 1);
	board_close(&board);
}
END_TEST

START_TEST(verify_counts_and_names)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_program op = whole(pattern, NMHAL_PROGRAM_VERIFY);
	struct board board;

	open_3x4(&board);
	board.fake.stuck = true;
	board.fake.stuck_cell = (struct nmhal_cell){0, 1, 3, -5};
	assert_fails(NMHAL_E_VERIFY,
		"verify 12 weights: 1 read back wrong, the first at row 1, column 3 of core 0: wanted -8, read -5",
		nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_failed, 1);
	ck_assert_uint_eq(report.cells_written, 12);
	ck_assert_uint_eq(report.first_failed.row, 1);
	ck_assert_uint_eq(report.first_failed.col, 3);
	ck_assert_int_eq(report.first_failed.code, -5);
	ck_assert_int_eq(report.first_wanted, -8);
	ck_assert_uint_eq(report.worst_error, 3);
	/* ONLY_CHANGED believes what was read: it tries that cell again, and no other. */
	op.flags |= NMHAL_PROGRAM_ONLY_CHANGED;
	ck_assert_int_eq(nmhal_program_weights(board.dev, &op, &report), NMHAL_E_VERIFY);
	ck_assert_uint_eq(report.cells_written, 1);
	op.tolerance = 3;
	op.flags = NMHAL_PROGRAM_VERIFY;
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_failed, 0);
	ck_assert_uint_eq(report.worst_error, 3);
	op.tolerance = 2;
	ck_assert_int_eq(nmhal_program_weights(board.dev, &op, &report), NMHAL_E_VERIFY);
	board_close(&board);
}
END_TEST

/* A board whose reads differ by up to 2 codes from what was programmed, and that says so. */
START_TEST(noisy_reads_are_no_change)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_program op = whole(pattern, NMHAL_PROGRAM_ONLY_CHANGED);
	const int8_t bent[3][4] = {{3, -2, 1, -4}, {5, -6, 7, -6}, {0, 1, 2, 3}};
	int8_t codes[3][4];
	nmhal_image *image;
	struct board board;

	fake_init(&board.fake, 1, 3, 4);
	board.fake.caps.weight_tolerance = 2;
	board_open(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	for (size_t i = 0; i < 12; i++)
		board.fake.codes[i] = bent[i / 4][i % 4];
	assert_ok(nmhal_read_weights(board.dev, NULL, codes, 0, NMHAL_CODE_I8, 0));
	ck_assert_mem_eq(codes, bent, sizeof(bent));
	assert_ok(nmhal_image_capture(board.dev, 0, &image));
	for (size_t i = 0; i < 12; i++)
		ck_assert_int_eq(nmhal_image_weights(image, 0)[i], pattern[i / 4][i % 4]);
	nmhal_image_free(image);
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 0);
	/* Further away it is another code. */
	board.fake.codes[4] = 2;
	assert_ok(nmhal_read_weights(board.dev, NULL, codes, 0, NMHAL_CODE_I8, 0));
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 1);
	ck_assert_int_eq(board.fake.codes[4], 5);
	board_close(&board);
}
END_TEST

/* What the device declares is granted, unless the caller says what he grants. */
START_TEST(verify_grants_the_tolerance_of_the_device)
{
	const struct nmhal_cell cell = {0, 1, 3, -8};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_program op = whole(pattern, NMHAL_PROGRAM_VERIFY), one = sparse(&cell, 1, NMHAL_PROGRAM_VERIFY);
	struct board board;

	fake_init(&board.fake, 1, 3, 4);
	board.fake.caps.weight_tolerance = 3;
	board.fake.stuck = true;
	board.fake.stuck_cell = (struct nmhal_cell){0, 1, 3, -5};
	board_open(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.worst_error, 3);
	ck_assert_uint_eq(report.cells_failed, 0);
	assert_ok(nmhal_program_weights(board.dev, &one, NULL));
	op.tolerance = one.tolerance = 2;
	assert_fails(NMHAL_E_VERIFY, "row 1, column 3 of core 0: wanted -8, read -5",
		nmhal_program_weights(board.dev, &op, &report));
	assert_fails(NMHAL_E_VERIFY, "row 1, column 3 of core 0", nmhal_program_weights(board.dev, &one, &report));
	board.fake.stuck_cell.code = -4;
	op.tolerance = 0;
	assert_fails(NMHAL_E_VERIFY, "wanted -8, read -4", nmhal_program_weights(board.dev, &op, &report));
	board_close(&board);
}
END_TEST

/* After a failure of the board the rows are not known any more: ONLY_CHANGED reads them back. */
static void assert_forgotten(enum fake_op failing, uint32_t flags)
{
	struct nmhal_program op = whole(pattern, 0);
	struct board board;
	uint64_t read;

	open_3x4(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	fake_fail_next(&board.fake, failing, NMHAL_E_IO);
	op.flags = flags;
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_program_weights(board.dev, &op, NULL));
	read = board.fake.cells_read;
	op.flags = NMHAL_PROGRAM_ONLY_CHANGED;
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	ck_assert_uint_eq(board.fake.cells_read - read, 12);
	board_close(&board);
}

START_TEST(failures_are_remembered)
{
	const struct nmhal_cell list[] = {{0, 1, 1, 3}};
	struct nmhal_program op = sparse(list, 1, NMHAL_PROGRAM_ONLY_CHANGED);
	struct board board;

	assert_forgotten(FAKE_WRITE_WEIGHTS, 0);
	assert_forgotten(FAKE_READ_WEIGHTS, NMHAL_PROGRAM_VERIFY);
	open_3x4(&board);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_program_weights(board.dev, &op, NULL), NMHAL_E_IO);
	op = whole(pattern, NMHAL_PROGRAM_ONLY_CHANGED);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_program_weights(board.dev, &op, NULL), NMHAL_E_IO);
	ck_assert_uint_eq(board.fake.cells_written, 0);
	op = sparse(list, 1, NMHAL_PROGRAM_VERIFY);
	fake_fail_next(&board.fake, FAKE_READ_CELLS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_program_weights(board.dev, &op, NULL), NMHAL_E_IO);
	board_close(&board);
}
END_TEST

START_TEST(bad_programs)
{
	const int8_t high[3][4] = {[2] = {[1] = 8}};
	const int8_t low[3][4] = {[1] = {[3] = -9}};
	const struct nmhal_cell outside[] = {{0, 0, 0, 1}, {0, 2, 1, 9}};
	const struct nmhal_cell nowhere[] = {{0, 3, 1, 1}};
	const struct nmhal_program good = whole(pattern, 0);
	struct nmhal_program op;
	struct board board;

#define REFUSE(text, ...) \
	do { \
		op = good; \
		__VA_ARGS__; \
		assert_fails(NMHAL_E_INVALID, text, nmhal_program_weights(board.dev, &op, NULL)); \
	} while (0)
	open_3x4(&board);
	REFUSE("weight 8 at row 2, column 1 of core 0: outside -8..7", op.codes = high);
	REFUSE("weight -9 at row 1, column 3 of core 0: outside -8..7", op.codes = low);
	REFUSE("weight 9 at row 2, column 1 of core 0: outside -8..7", op = sparse(outside, 2, 0));
	REFUSE("cell 0: row 3, column 1 of core 0", op = sparse(nowhere, 1, 0));
	REFUSE("program weights: flags 0x4: known are 0x3", op.flags = 4);
	REFUSE("both codes and cells", op.cells = outside);
	REFUSE("neither codes nor cells", op.codes = NULL);
	REFUSE("codes and a cell count of 2: cells is NULL", op.cell_count = 2);
	REFUSE("code type 9", op.code_type = 9);
	REFUSE("stride of 3 elements: a row has 4", op.row_stride = 3);
	REFUSE("rows 0..3 of core 0", op.region.rows = 4);
	REFUSE("timeout_ms is -3", op.timeout_ms = -3);
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	board_close(&board);
#undef REFUSE
}
END_TEST

START_TEST(reads_from_the_board)
{
	const struct nmhal_region part = {0, 1, 1, 0, 2, 0};
	int8_t bytes[3][4];
	int16_t words[2][3] = {{0, 0, 77}, {0, 0, 77}};
	int32_t wide[3][4];
	struct board board;

	open_3x4(&board);
	for (size_t i = 0; i < 12; i++)
		board.fake.codes[i] = pattern[i / 4][i % 4];
	assert_ok(nmhal_read_weights(board.dev, NULL, bytes, 0, NMHAL_CODE_I8, 0));
	ck_assert_mem_eq(bytes, pattern, sizeof(bytes));
	assert_ok(nmhal_read_weights(board.dev, &part, words, 3, NMHAL_CODE_I16, 0));
	ck_assert_int_eq(words[0][0], -6);
	ck_assert_int_eq(words[1][1], 2);
	ck_assert_int_eq(words[0][2], 77);
	assert_ok(nmhal_read_weights(board.dev, NULL, wide, 0, NMHAL_CODE_I32, 0));
	ck_assert_int_eq(wide[1][3], -8);
	/* Never from the copy. */
	board.fake.codes[0] = 4;
	assert_ok(nmhal_read_weights(board.dev, NULL, bytes, 0, NMHAL_CODE_I8, 0));
	ck_assert_int_eq(bytes[0][0], 4);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_read_weights(board.dev, NULL, bytes, 0, NMHAL_CODE_I8, 0), NMHAL_E_IO);
	board_close(&board);
}
END_TEST

START_TEST(bad_reads)
{
	const struct nmhal_region outside = {0, 0, 4, 0, 0, 0};
	int8_t codes[3][4];
	struct board board;

	open_3x4(&board);
	assert_fails(NMHAL_E_INVALID, "read weights: codes is NULL",
		nmhal_read_weights(board.dev, NULL, NULL, 0, NMHAL_CODE_I8, 0));
	assert_fails(NMHAL_E_INVALID, "columns 4..4",
		nmhal_read_weights(board.dev, &outside, codes, 0, NMHAL_CODE_I8, 0));
	assert_fails(NMHAL_E_INVALID, "read weights: code type 0",
		nmhal_read_weights(board.dev, NULL, codes, 0, 0, 0));
	assert_fails(NMHAL_E_INVALID, "stride of 2", nmhal_read_weights(board.dev, NULL, codes, 2, NMHAL_CODE_I8, 0));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_read_weights(NULL, NULL, codes, 0, NMHAL_CODE_I8, 0));
	board_close(&board);
	fake_init(&board.fake, 1, 3, 4);
	board.fake.caps.weight_max = 200;
	board_open(&board);
	assert_fails(NMHAL_E_INVALID, "codes of type I8: the range -8..200 does not fit",
		nmhal_read_weights(board.dev, NULL, codes, 0, NMHAL_CODE_I8, 0));
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {whole_core, part_with_stride, only_changed_writes_the_difference,
		only_changed_of_all_writes_the_region, cells, verify_counts_and_names,
		verify_grants_the_tolerance_of_the_device, noisy_reads_are_no_change, failures_are_remembered,
		bad_programs, reads_from_the_board, bad_reads};

	return run_tests("weights", tests, sizeof(tests) / sizeof(*tests));
}
