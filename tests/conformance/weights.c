/* SPDX-License-Identifier: MIT */
/* Weights: regions, strides, types, cells, verify, only-changed, deltas, and the direction of the axes. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

/* A code inside the device's range, different for neighbours. */
static int8_t pattern(uint32_t row, uint32_t col)
{
	uint32_t span = (uint32_t)(conf.caps.weight_max - conf.caps.weight_min + 1);

	return (int8_t)(conf.caps.weight_min + (int32_t)((row * 7 + col * 3 + row * col / 5) % span));
}

/* VERIFY finds no bad cell, or no more than there may be; then it names the first. */
static struct nmhal_program_report report_of(const struct nmhal_program *op)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	const int status = nmhal_program_weights(conf.dev, op, &report);

	if (!report.cells_failed) {
		ck_assert_msg(status == NMHAL_OK, "%s", nmhal_last_error());
		return report;
	}
	check_failure(NMHAL_E_VERIFY, "the first at row", status);
	ck_assert_uint_le(report.cells_failed, conf.bad_cells);
	ck_assert_uint_gt(report.worst_error, conf.caps.weight_tolerance);
	return report;
}

static int8_t *whole_pattern(void)
{
	int8_t *codes = malloc((size_t)conf.caps.rows * conf.caps.cols);

	ck_assert_ptr_nonnull(codes);
	for (uint32_t row = 0; row < conf.caps.rows; row++)
		for (uint32_t col = 0; col < conf.caps.cols; col++)
			codes[row * conf.caps.cols + col] = pattern(row, col);
	return codes;
}

START_TEST(all_weights_come_back_in_every_type)
{
	size_t cells = (size_t)conf.caps.rows * conf.caps.cols;
	int8_t *codes = whole_pattern(), *narrow = calloc(cells, 1);
	int16_t *medium = calloc(cells, sizeof(*medium));
	int32_t *wide = calloc(cells, sizeof(*wide));
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};
	struct nmhal_program_report report;

	ck_assert(narrow && medium && wide);
	op.flags = NMHAL_PROGRAM_VERIFY;
	report = report_of(&op);
	ck_assert_uint_eq(report.cells_written, cells);
	OK(nmhal_read_weights(conf.dev, NULL, narrow, 0, NMHAL_CODE_I8, 0));
	OK(nmhal_read_weights(conf.dev, NULL, medium, 0, NMHAL_CODE_I16, 0));
	OK(nmhal_read_weights(conf.dev, NULL, wide, 0, NMHAL_CODE_I32, 0));
	check_codes(narrow, codes, cells);
	for (size_t n = 0; n < cells; n++) {
		check_code(medium[n], codes[n]);
		check_code(wide[n], codes[n]);
	}
	free(codes);
	free(narrow);
	free(medium);
	free(wide);
}
END_TEST

START_TEST(every_code_fits_every_column_beside_every_edge)
{
	int8_t got[5];

	for (int32_t code = conf.caps.weight_min; code <= conf.caps.weight_max; code++)
		for (uint32_t col = 0; col < 4; col++) {
			const int8_t base[5] = {1, -1, 1, -1, 1};

			write_codes(2, 0, 1, 5, base);
			set_weight(2, col, code);
			read_codes(2, 0, 1, 5, got);
			for (uint32_t n = 0; n < 5; n++)
				check_code(got[n], n == col ? code : base[n]);
		}
}
END_TEST

START_TEST(a_region_leaves_the_rest_alone)
{
	const uint32_t rows = conf.caps.rows, cols = conf.caps.cols;
	int8_t *codes = whole_pattern(), *got = calloc((size_t)rows * cols, 1);
	int8_t inner[2][3];

	ck_assert_ptr_nonnull(got);
	memset(inner, 1, sizeof(inner));
	write_codes(0, 0, rows, cols, codes);
	write_codes(1, 1, 2, 3, inner[0]);
	for (uint32_t row = 1; row < 3; row++)
		memset(codes + row * cols + 1, 1, 3);
	write_codes(rows - 1, cols - 1, 0, 0, inner[0]);
	codes[(size_t)rows * cols - 1] = 1;
	read_codes(0, 0, rows, cols, got);
	check_codes(got, codes, (size_t)rows * cols);
	free(codes);
	free(got);
}
END_TEST

START_TEST(strides_step_over_what_lies_between)
{
	const int16_t source[3][7] = {
		{1, 2, 3, 99, 99, 99, 99}, {4, 5, 6, 99, 99, 99, 99}, {-1, -2, -3, 99, 99, 99, 99}};
	const struct nmhal_region region = {.row = 0, .col = 2, .rows = 3, .cols = 3};
	struct nmhal_program op = {.struct_size = sizeof(op), .region = region, .codes = source, .row_stride = 7,
		.code_type = NMHAL_CODE_I16};
	int32_t got[3][4];

	report_of(&op);
	for (size_t n = 0; n < 12; n++)
		got[n / 4][n % 4] = 77;
	OK(nmhal_read_weights(conf.dev, &region, got, 4, NMHAL_CODE_I32, 0));
	for (size_t row = 0; row < 3; row++) {
		for (size_t col = 0; col < 3; col++)
			check_code(got[row][col], source[row][col]);
		ck_assert_int_eq(got[row][3], 77);
	}
}
END_TEST

/* The 3 x 5 case that every part of the project shares: rows are inputs, columns are outputs. */
static const int8_t golden[3][5] = {{1, 2, 3, 4, 5}, {-1, -2, -3, -4, -5}, {7, 0, -6, 6, -7}};

START_TEST(codes_are_row_by_column)
{
	int8_t got;

	write_codes(0, 0, 3, 5, golden[0]);
	for (uint32_t row = 0; row < 3; row++)
		for (uint32_t col = 0; col < 5; col++) {
			read_codes(row, col, 1, 1, &got);
			check_code(got, golden[row][col]);
		}
}
END_TEST

START_TEST(a_spike_drives_its_row)
{
	struct outcome outcome;

	NEED_LIF();
	write_codes(0, 0, 3, 5, golden[0]);
	for (uint32_t row = 0; row < 3; row++) {
		const struct nmhal_event in = spike(0, row);

		OK(nmhal_reset_state(conf.dev, 0));
		prepare(&outcome, &in, 1);
		expect_run(&outcome, "");
		for (uint32_t col = 0; col < 5; col++)
			ck_assert_int_eq(potential(col), golden[row][col]);
	}
}
END_TEST

START_TEST(cells_come_in_any_order_and_the_last_code_wins)
{
	const struct nmhal_cell cells[] = {{0, 2, 4, 3}, {0, 0, 1, -2}, {0, 2, 4, 5}, {0, 0, 0, 1}, {0, 1, 3, -7}};
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 5,
		.flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report = report_of(&op);
	int8_t got[3][5];

	ck_assert_uint_eq(report.cells_written, 4);
	read_codes(0, 0, 3, 5, got[0]);
	for (uint32_t row = 0; row < 3; row++)
		for (uint32_t col = 0; col < 5; col++) {
			int wanted = row == 2 && col == 4 ? 5 : row == 1 && col == 3 ? -7 : 0;

			if (row == 0 && col < 2)
				wanted = col ? -2 : 1;
			check_code(got[row][col], wanted);
		}
}
END_TEST

START_TEST(only_changed_writes_what_changed)
{
	int8_t codes[3][5];
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = 3, .cols = 5}, .codes = codes,
		.code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_ONLY_CHANGED | NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report;

	memcpy(codes, golden, sizeof(codes));
	report = report_of(&op);
	ck_assert_uint_eq(report.cells_written, 14); /* one code of the 15 is 0 */
	ck_assert_uint_eq(report.cells_skipped, 1);
	report = report_of(&op);
	ck_assert_uint_eq(report.cells_written, 0);
	ck_assert_uint_eq(report.cells_skipped, 15);
	codes[1][2] = 6;
	codes[2][0] = 0;
	report = report_of(&op);
	ck_assert_uint_eq(report.cells_written, 2);
	read_codes(1, 2, 1, 1, codes[0]);
	check_code(codes[0][0], 6);
}
END_TEST

START_TEST(only_changed_reads_back_what_it_does_not_know)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = 3, .cols = 5}, .codes = golden,
		.code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_ONLY_CHANGED};
	struct nmhal_program_report report;

	NEED_CAN(NMHAL_CAN_RESET);
	report_of(&op);
	OK(nmhal_device_reset(conf.dev, 0));
	report = report_of(&op);
	ck_assert_uint_eq(report.cells_written + report.cells_skipped, 15);
	/* What reads with noise is not known to be right, and is written again. */
	if (!conf.caps.weight_tolerance)
		ck_assert_uint_eq(report.cells_written, 0);
}
END_TEST

START_TEST(deltas_add_up_and_saturate)
{
	const int32_t min = conf.caps.weight_min, max = conf.caps.weight_max;
	const struct nmhal_cell cells[] = {{0, 0, 0, 2}, {0, 0, 1, -3}, {0, 0, 0, 2}, {0, 0, 2, max}, {0, 0, 3, min},
		{0, 0, 4, 0}};
	const int8_t base[5] = {1, 1, 1, -1, 3};
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 6,
		.flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	int8_t got[5];

	write_codes(0, 0, 1, 5, base);
	OK(nmhal_update_weights(conf.dev, &op, &report));
	read_codes(0, 0, 1, 5, got);
	check_code(got[0], 5);
	check_code(got[1], -2);
	check_code(got[2], max);
	check_code(got[3], min);
	check_code(got[4], 3);
	ck_assert_uint_eq(report.cells_saturated, 2);
}
END_TEST

START_TEST(bad_weights_are_refused_before_anything_is_written)
{
	int16_t codes[2][2] = {{1, 1}, {1, (int16_t)(conf.caps.weight_max + 1)}};
	struct nmhal_cell cell = {0, conf.caps.rows, 0, 0};
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {.row = 1, .col = 2, .rows = 2, .cols = 2},
		.codes = codes, .code_type = NMHAL_CODE_I16};
	int8_t got[4];

	FAILS(NMHAL_E_INVALID, "row 2, column 3", nmhal_program_weights(conf.dev, &op, NULL));
	read_codes(1, 2, 2, 2, got);
	check_codes(got, (const int8_t[4]){0}, 4);
	codes[1][1] = 1;
	op.region.row = conf.caps.rows - 1;
	FAILS(NMHAL_E_INVALID, "row", nmhal_program_weights(conf.dev, &op, NULL));
	op.region.row = 0;
	op.region.core = conf.caps.cores;
	FAILS(NMHAL_E_INVALID, "core", nmhal_program_weights(conf.dev, &op, NULL));
	op.region.core = 0;
	op.row_stride = 1;
	FAILS(NMHAL_E_INVALID, "stride", nmhal_program_weights(conf.dev, &op, NULL));
	op.row_stride = 0;
	op.code_type = 9;
	FAILS(NMHAL_E_INVALID, "type", nmhal_program_weights(conf.dev, &op, NULL));
	op.code_type = NMHAL_CODE_I16;
	op.flags = 1u << 31;
	FAILS(NMHAL_E_INVALID, "flags", nmhal_program_weights(conf.dev, &op, NULL));
	op.flags = 0;
	op.codes = NULL;
	FAILS(NMHAL_E_INVALID, "codes", nmhal_program_weights(conf.dev, &op, NULL));
	op.cells = &cell;
	op.cell_count = 1;
	FAILS(NMHAL_E_INVALID, "row", nmhal_program_weights(conf.dev, &op, NULL));
	op.struct_size = 8;
	FAILS(NMHAL_E_INVALID, "struct", nmhal_program_weights(conf.dev, &op, NULL));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_program_weights(conf.dev, NULL, NULL));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_read_weights(conf.dev, NULL, NULL, 0, NMHAL_CODE_I8, 0));
}
END_TEST

TCase *weight_tests(void)
{
	TCase *tcase = tcase_create("weights");

	tcase_add_test(tcase, all_weights_come_back_in_every_type);
	tcase_add_test(tcase, every_code_fits_every_column_beside_every_edge);
	tcase_add_test(tcase, a_region_leaves_the_rest_alone);
	tcase_add_test(tcase, strides_step_over_what_lies_between);
	tcase_add_test(tcase, codes_are_row_by_column);
	tcase_add_test(tcase, a_spike_drives_its_row);
	tcase_add_test(tcase, cells_come_in_any_order_and_the_last_code_wins);
	tcase_add_test(tcase, only_changed_writes_what_changed);
	tcase_add_test(tcase, only_changed_reads_back_what_it_does_not_know);
	tcase_add_test(tcase, deltas_add_up_and_saturate);
	tcase_add_test(tcase, bad_weights_are_refused_before_anything_is_written);
	return tcase;
}
