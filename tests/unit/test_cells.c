/* SPDX-License-Identifier: MIT */
/* Lists of single cells: order, merging, chunks, fallbacks of boards that write and read only regions. */
#include <stdlib.h>

#include "tests/unit/board.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void open_2x3x4(struct board *board)
{
	fake_init(&board->fake, 2, 3, 4);
	board_open(board);
}

static void assert_cells(const struct nm_cells *cells, const struct nmhal_cell *expected, size_t count)
{
	ck_assert_uint_eq(cells->count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_mem_eq(&cells->list[i], &expected[i], sizeof(*expected));
}

START_TEST(sorted_and_merged)
{
	const struct nmhal_cell cells[] = {{1, 0, 0, 1}, {0, 2, 3, 2}, {0, 2, 1, 3}, {1, 0, 0, 4}, {0, 0, 3, 5}};
	const struct nmhal_cell last_wins[] = {{0, 0, 3, 5}, {0, 2, 1, 3}, {0, 2, 3, 2}, {1, 0, 0, 4}};
	const struct nmhal_cell summed[] = {{0, 0, 3, 5}, {0, 2, 1, 3}, {0, 2, 3, 2}, {1, 0, 0, 5}};
	struct nm_cells sorted;
	struct board board;

	open_2x3x4(&board);
	assert_ok(nm_cells_sort(board.dev, cells, COUNT(cells), false, &sorted));
	assert_cells(&sorted, last_wins, COUNT(last_wins));
	free(sorted.list);
	assert_ok(nm_cells_sort(board.dev, cells, COUNT(cells), true, &sorted));
	assert_cells(&sorted, summed, COUNT(summed));
	free(sorted.list);
	/* What is in order already stays as it is. */
	assert_ok(nm_cells_sort(board.dev, last_wins, COUNT(last_wins), true, &sorted));
	assert_cells(&sorted, last_wins, COUNT(last_wins));
	free(sorted.list);
	board_close(&board);
}
END_TEST

START_TEST(sums_do_not_wrap)
{
	const struct nmhal_cell up[] = {{0, 0, 0, INT32_MAX}, {0, 0, 0, 1}, {0, 0, 0, INT32_MAX}};
	const struct nmhal_cell down[] = {{0, 0, 0, INT32_MIN}, {0, 0, 0, -1}};
	const struct nmhal_cell back[] = {{0, 0, 0, INT32_MAX}, {0, 0, 0, INT32_MAX}, {0, 0, 0, -INT32_MAX}};
	struct nm_cells sum;
	struct board board;

	open_2x3x4(&board);
	assert_ok(nm_cells_sort(board.dev, up, COUNT(up), true, &sum));
	ck_assert_int_eq(sum.list[0].code, INT32_MAX);
	free(sum.list);
	assert_ok(nm_cells_sort(board.dev, down, COUNT(down), true, &sum));
	ck_assert_int_eq(sum.list[0].code, INT32_MIN);
	free(sum.list);
	assert_ok(nm_cells_sort(board.dev, back, COUNT(back), true, &sum));
	ck_assert_int_eq(sum.list[0].code, INT32_MAX);
	free(sum.list);
	board_close(&board);
}
END_TEST

START_TEST(cells_off_the_device)
{
	const struct nmhal_cell good = {1, 2, 3, 0};
	const struct nmhal_cell bad[] = {{2, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 4, 0}, {UINT32_MAX, 0, 0, 0}};
	struct board board;

	open_2x3x4(&board);
	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct nmhal_cell cells[] = {good, bad[i]};

		assert_ok(nm_cells_check(board.dev, cells, 1));
		assert_fails(NMHAL_E_INVALID, "the device has cores 0..1, rows 0..2, columns 0..3",
			nm_cells_check(board.dev, cells, 2));
		ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "cell 1: row"));
	}
	board_close(&board);
}
END_TEST

/* A board without write_cells gets one region per run of neighbours in a row, and the same codes. */
START_TEST(fallback_writes_runs)
{
	struct nmhal_cell list[] = {{0, 0, 1, 1}, {0, 0, 2, 2}, {0, 1, 3, 3}, {0, 2, 0, 4}, {0, 2, 2, 5}, {1, 2, 3, 6}};
	const struct nm_cells cells = {list, COUNT(list)};
	struct nmhal_program_report report = {0};
	struct board board;

	fake_init(&board.fake, 2, 3, 4);
	board.fake.ops.write_cells = NULL;
	board_open(&board);
	assert_ok(nm_cells_write(board.dev, &cells, &report, NMHAL_NEVER));
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_WEIGHTS), 5);
	ck_assert_uint_eq(report.cells_written, 6);
	for (size_t i = 0; i < COUNT(list); i++)
		ck_assert_int_eq(*fake_code(&board.fake, list[i].core, list[i].row, list[i].col), list[i].code);
	board_close(&board);
}
END_TEST

START_TEST(fallback_reads_runs)
{
	struct nmhal_cell list[] = {{0, 0, 1, 1}, {0, 0, 2, 2}, {1, 2, 3, 6}};
	const struct nm_cells cells = {list, COUNT(list)};
	struct nmhal_program_report report = {0};
	struct board board;

	fake_init(&board.fake, 2, 3, 4);
	board.fake.ops.read_cells = NULL;
	board_open(&board);
	assert_ok(nm_cells_write(board.dev, &cells, &report, NMHAL_NEVER));
	assert_ok(nm_cells_verify(board.dev, &cells, 0, &report, NMHAL_NEVER));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 2);
	*fake_code(&board.fake, 0, 0, 2) = -4;
	assert_fails(NMHAL_E_VERIFY, "verify 3 weights: 1 read back wrong, the first at row 0, column 2 of core 0: "
		"wanted 2, read -4", nm_cells_verify(board.dev, &cells, 0, &report, NMHAL_NEVER));
	ck_assert_uint_eq(report.worst_error, 6);
	/* Inside a tolerance it is no failure, but the largest error is told. */
	report = (struct nmhal_program_report){0};
	assert_ok(nm_cells_verify(board.dev, &cells, 6, &report, NMHAL_NEVER));
	ck_assert_uint_eq(report.worst_error, 6);
	ck_assert_uint_eq(report.cells_failed, 0);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", nm_cells_verify(board.dev, &cells, 0, &report, NMHAL_NEVER));
	board_close(&board);
}
END_TEST

/* Cells i of a board of [2][64][64], codes -7..7. */
static struct nmhal_cell *many_cells(size_t count)
{
	struct nmhal_cell *list = calloc(count, sizeof(*list));

	ck_assert_ptr_nonnull(list);
	for (size_t i = 0; i < count; i++)
		list[i] = (struct nmhal_cell){(uint32_t)(i / 4096), (uint32_t)(i / 64 % 64), (uint32_t)(i % 64),
			(int32_t)(i % 15) - 7};
	return list;
}

START_TEST(long_lists_go_in_chunks)
{
	const size_t count = 8000;
	struct nmhal_program op = {.struct_size = sizeof(op), .cell_count = count, .flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct nmhal_cell *list = many_cells(count);
	struct board board;

	fake_init(&board.fake, 2, 64, 64);
	board_open(&board);
	op.cells = list;
	assert_ok(nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(CALLS(&board, FAKE_WRITE_CELLS), 2);
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_CELLS), 2);
	ck_assert_uint_eq(report.cells_written, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(board.fake.codes[i], list[i].code);
	/* The second chunk is compared as well as the first. */
	board.fake.stuck = true;
	board.fake.stuck_cell = (struct nmhal_cell){1, 0, 6, 6};
	assert_fails(NMHAL_E_VERIFY, "at row 0, column 6 of core 1", nmhal_program_weights(board.dev, &op, &report));
	board.fake.stuck = false;
	/* Of a list that fails in its second chunk the first is written and counted. */
	board.fake.fail_op = FAKE_WRITE_CELLS;
	board.fake.fail_at = CALLS(&board, FAKE_WRITE_CELLS) + 2;
	board.fake.fail_status = NMHAL_E_IO;
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_program_weights(board.dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 4096);
	assert_ok(nmhal_update_weights(board.dev, &op, &report));
	ck_assert_uint_eq(CALLS(&board, FAKE_ADD_CELLS), 2);
	free(list);
	board_close(&board);
}
END_TEST

START_TEST(failed_write_forgets_its_rows)
{
	const int16_t codes[24] = {0};
	const struct nmhal_region core[2] = {{0, 0, 0, 3, 4, 0}, {1, 0, 0, 3, 4, 0}};
	struct nmhal_cell list[] = {{0, 1, 1, 1}, {1, 2, 2, 2}};
	const struct nm_cells cells = {list, COUNT(list)};
	struct nmhal_program_report report = {0};
	struct board board;

	open_2x3x4(&board);
	for (size_t i = 0; i < 2; i++)
		nm_shadow_store(&board.dev->shadow, &core[i], codes, 4);
	fake_fail_next(&board.fake, FAKE_WRITE_CELLS, NMHAL_E_IO);
	ck_assert_int_eq(nm_cells_write(board.dev, &cells, &report, NMHAL_NEVER), NMHAL_E_IO);
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t row = 0; row < 3; row++)
			ck_assert_int_eq(nm_shadow_knows(&board.dev->shadow, i, row), row != (i ? 2 : 1));
	ck_assert_uint_eq(report.cells_written, 0);
	board_close(&board);
}
END_TEST

/* Only rows that are not known are read, neighbours at once. */
START_TEST(learns_what_it_does_not_know)
{
	const int16_t row[4] = {1, 2, 3, 4};
	struct nmhal_cell list[] = {{0, 0, 0, 0}, {0, 1, 0, 0}, {0, 3, 0, 0}, {0, 4, 1, 0}, {1, 0, 2, 0}};
	const struct nm_cells cells = {list, COUNT(list)};
	struct board board;

	fake_init(&board.fake, 2, 6, 4);
	board_open(&board);
	nm_shadow_store(&board.dev->shadow, &(struct nmhal_region){0, 3, 0, 1, 4, 0}, row, 4);
	assert_ok(nm_cells_learn(board.dev, &cells, NMHAL_NEVER));
	/* Rows 0 and 1, row 4 and row 0 of core 1. */
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 3);
	ck_assert_uint_eq(board.fake.cells_read, 16);
	assert_ok(nm_cells_learn(board.dev, &cells, NMHAL_NEVER));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 3);
	ck_assert(!nm_shadow_knows(&board.dev->shadow, 0, 2));
	ck_assert(nm_shadow_knows(&board.dev->shadow, 1, 0));
	nm_cells_forget(board.dev, list, 1);
	fake_fail_next(&board.fake, FAKE_READ_WEIGHTS, NMHAL_E_IO);
	ck_assert_int_eq(nm_cells_learn(board.dev, &cells, NMHAL_NEVER), NMHAL_E_IO);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {sorted_and_merged, sums_do_not_wrap, cells_off_the_device, fallback_writes_runs,
		fallback_reads_runs, long_lists_go_in_chunks, failed_write_forgets_its_rows,
		learns_what_it_does_not_know};

	return run_tests("cells", tests, sizeof(tests) / sizeof(*tests));
}
