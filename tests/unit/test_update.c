/* SPDX-License-Identifier: MIT */
/* Adding deltas to weights: by the core from what it knows or reads, and by boards that add themselves. */
#include "tests/unit/board.h"

static void open_2x3(struct board *board, bool adds)
{
	const int16_t codes[6] = {1, 2, 3, -4, 5, -6};

	fake_init(&board->fake, 1, 2, 3);
	memcpy(board->fake.codes, codes, sizeof(codes));
	if (!adds)
		board->fake.ops.add_cells = NULL;
	board_open(board);
}

static struct nmhal_program matrix(const int32_t *deltas, uint32_t flags)
{
	return (struct nmhal_program){.struct_size = sizeof(struct nmhal_program), .codes = deltas,
		.code_type = NMHAL_CODE_I32, .flags = flags};
}

static struct nmhal_program sparse(const struct nmhal_cell *cells, size_t count, uint32_t flags)
{
	return (struct nmhal_program){.struct_size = sizeof(struct nmhal_program), .cells = cells, .cell_count = count,
		.flags = flags};
}

START_TEST(core_adds_a_matrix)
{
	const int32_t deltas[6] = {1, 0, 100, -5, 0, 0};
	const int16_t expected[6] = {2, 2, 7, -8, 5, -6};
	struct nmhal_program op = matrix(deltas, NMHAL_PROGRAM_VERIFY);
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_2x3(&board, false);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_mem_eq(board.fake.codes, expected, sizeof(expected));
	ck_assert_uint_eq(report.cells_written, 3);
	ck_assert_uint_eq(report.cells_saturated, 2);
	/* All at a bound now: clamped again, and so not written. */
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_saturated, 2);
	ck_assert_uint_eq(report.cells_skipped, 2);
	ck_assert_uint_eq(report.cells_written, 1);
	board_close(&board);
}
END_TEST

START_TEST(core_adds_cells)
{
	const struct nmhal_cell cells[] = {{0, 1, 2, 3}, {0, 0, 0, 2}, {0, 1, 2, 4}, {0, 0, 1, 5}, {0, 0, 1, -5}};
	const int16_t expected[6] = {3, 2, 3, -4, 5, 1};
	struct nmhal_program op = sparse(cells, 5, 0);
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_2x3(&board, false);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_mem_eq(board.fake.codes, expected, sizeof(expected));
	/* Deltas that cancel out write nothing. */
	ck_assert_uint_eq(report.cells_written, 2);
	ck_assert_uint_eq(report.cells_saturated, 0);
	board_close(&board);
}
END_TEST

START_TEST(huge_deltas_clamp)
{
	const int32_t deltas[6] = {INT32_MAX, INT32_MIN, 0, INT32_MIN, INT32_MAX, 0};
	const int16_t expected[6] = {7, -8, 3, -8, 7, -6};
	struct nmhal_program op = matrix(deltas, 0);
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_2x3(&board, false);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_mem_eq(board.fake.codes, expected, sizeof(expected));
	ck_assert_uint_eq(report.cells_saturated, 4);
	board_close(&board);
}
END_TEST

START_TEST(nothing_to_add)
{
	const int32_t zeros[6] = {0};
	const struct nmhal_cell zero = {0, 0, 0, 0};
	struct nmhal_program ops[] = {matrix(zeros, 0), sparse(&zero, 1, 0), sparse(&zero, 0, NMHAL_PROGRAM_VERIFY)};
	struct board board;

	open_2x3(&board, false);
	for (size_t i = 0; i < 3; i++)
		assert_ok(nmhal_update_weights(board.dev, &ops[i], NULL));
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	board_close(&board);
}
END_TEST

START_TEST(board_adds)
{
	const int32_t deltas[6] = {1, 0, 100, -5, 0, 0};
	const int16_t expected[6] = {2, 2, 7, -8, 5, -6};
	struct nmhal_program op = matrix(deltas, 0);
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_2x3(&board, true);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_mem_eq(board.fake.codes, expected, sizeof(expected));
	ck_assert_uint_eq(report.cells_written, 3);
	/* Nothing was read, and the rows are not known. */
	ck_assert_uint_eq(board_weight_calls(&board), 1);
	ck_assert(!nm_shadow_knows(&board.dev->shadow, 0, 0));
	board_close(&board);
}
END_TEST

START_TEST(board_adds_verified)
{
	const int32_t deltas[6] = {1, 0, 100, -5, 0, 0};
	struct nmhal_program op = matrix(deltas, NMHAL_PROGRAM_VERIFY);
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_2x3(&board, true);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_saturated, 2);
	ck_assert(nm_shadow_knows(&board.dev->shadow, 0, 0));
	ck_assert_int_eq(nm_shadow_row(&board.dev->shadow, 0, 0)[2], 7);
	board.fake.stuck = true;
	board.fake.stuck_cell = (struct nmhal_cell){0, 0, 0, 2};
	assert_fails(NMHAL_E_VERIFY, "at row 0, column 0 of core 0: wanted 3, read 2",
		nmhal_update_weights(board.dev, &op, &report));
	ck_assert_int_eq(nm_shadow_row(&board.dev->shadow, 0, 0)[0], 2);
	board_close(&board);
}
END_TEST

START_TEST(failures)
{
	const int32_t deltas[6] = {1};
	struct nmhal_program op = matrix(deltas, NMHAL_PROGRAM_VERIFY);
	struct board board;

	open_2x3(&board, false);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_update_weights(board.dev, &op, NULL), NMHAL_E_IO);
	fake_fail_next(&board.fake, FAKE_WRITE_CELLS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_update_weights(board.dev, &op, NULL), NMHAL_E_IO);
	ck_assert_int_eq(board.fake.codes[0], 1);
	board_close(&board);
	open_2x3(&board, true);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_update_weights(board.dev, &op, NULL), NMHAL_E_IO);
	fake_fail_next(&board.fake, FAKE_ADD_CELLS, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_update_weights(board.dev, &op, NULL));
	ck_assert(!nm_shadow_knows(&board.dev->shadow, 0, 0));
	op.flags = 8;
	assert_fails(NMHAL_E_INVALID, "update weights: flags 0x8", nmhal_update_weights(board.dev, &op, NULL));
	op.flags = 0;
	op.codes = NULL;
	assert_fails(NMHAL_E_INVALID, "neither codes nor cells", nmhal_update_weights(board.dev, &op, NULL));
	board_close(&board);
}
END_TEST

/* A cell that reads 3, whatever is added: off by the noise of both reads at first, by that of one when it is known. */
START_TEST(a_sum_of_what_was_read_is_granted_its_noise)
{
	const struct nmhal_cell delta = {0, 1, 2, 3};
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = &delta, .cell_count = 1,
		.flags = NMHAL_PROGRAM_VERIFY};
	struct board board;

	fake_init(&board.fake, 1, 3, 4);
	board.fake.caps.weight_tolerance = 2;
	board.fake.stuck = true;
	board.fake.stuck_cell = (struct nmhal_cell){0, 1, 2, 3};
	board_open(&board);
	assert_ok(nmhal_update_weights(board.dev, &op, NULL));
	assert_fails(NMHAL_E_VERIFY, "wanted 7, read 3", nmhal_update_weights(board.dev, &op, NULL));
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {core_adds_a_matrix, core_adds_cells, huge_deltas_clamp, nothing_to_add,
		board_adds, board_adds_verified, failures, a_sum_of_what_was_read_is_granted_its_noise};

	return run_tests("update", tests, sizeof(tests) / sizeof(*tests));
}
