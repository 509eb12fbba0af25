/* SPDX-License-Identifier: MIT */
/* Cells below the weights: checks, dispatch, and what the library knows of the weights afterwards. */
#include "tests/unit/board.h"

static const struct nmhal_cell_pulse good_pulse = {.struct_size = sizeof(good_pulse), .row = 1, .col = 2,
	.side = NMHAL_CELL_MINUS, .voltage_uv = -1200000, .width_ns = 100, .gap_ns = 50, .pulses = 4};
static const struct nmhal_cell_ramp good_ramp = {.struct_size = sizeof(good_ramp), .row = 1, .col = 2,
	.kind = NMHAL_RAMP_SET, .target_ps = 9000, .start_uv = 100, .step_uv = 10, .stop_uv = 200, .width_ns = 7,
	.max_pulses = 5};

static void open_2x3(struct board *board)
{
	fake_init(&board->fake, 1, 2, 3);
	board_open(board);
}

START_TEST(pulses)
{
	struct nmhal_cell_pulse op = good_pulse;
	struct board board;
	uint32_t applied = 9;

	open_2x3(&board);
	assert_ok(nmhal_cell_pulse(board.dev, &op, &applied));
	ck_assert_uint_eq(applied, 4);
	ck_assert_mem_eq(&board.fake.pulsed, &op, sizeof(op));
	assert_ok(nmhal_cell_pulse(board.dev, &op, NULL));
	/* What was applied before the failure is told. */
	fake_fail_next(&board.fake, FAKE_CELL_PULSE, NMHAL_E_INTERLOCK);
	assert_fails(NMHAL_E_INTERLOCK, "fails as asked", nmhal_cell_pulse(board.dev, &op, &applied));
	ck_assert_uint_eq(applied, 1);
	op.pulses = 0;
	assert_fails(NMHAL_E_INVALID, "pulses is 0, must be at least 1", nmhal_cell_pulse(board.dev, &op, &applied));
	ck_assert_uint_eq(applied, 0);
	board_close(&board);
}
END_TEST

START_TEST(ramps)
{
	struct nmhal_cell_ramped result = {.struct_size = sizeof(result)};
	struct board board;

	open_2x3(&board);
	assert_ok(nmhal_cell_ramp(board.dev, &good_ramp, &result));
	ck_assert_uint_eq(result.conductance_ps, 9000);
	ck_assert_uint_eq(result.pulses, 3);
	ck_assert_uint_eq(result.last_uv, 120);
	ck_assert_uint_eq(result.reached, 1);
	ck_assert_mem_eq(&board.fake.ramped, &good_ramp, sizeof(good_ramp));
	assert_ok(nmhal_cell_ramp(board.dev, &good_ramp, NULL));
	result = (struct nmhal_cell_ramped){.struct_size = sizeof(result)};
	fake_fail_next(&board.fake, FAKE_CELL_RAMP, NMHAL_E_STATE);
	assert_fails(NMHAL_E_STATE, "fails as asked", nmhal_cell_ramp(board.dev, &good_ramp, &result));
	ck_assert_uint_eq(result.pulses, 0);
	result.struct_size = 8;
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", nmhal_cell_ramp(board.dev, &good_ramp, &result));
	ck_assert_uint_eq(CALLS(&board, FAKE_CELL_RAMP), 3);
	board_close(&board);
}
END_TEST

START_TEST(conductances)
{
	uint32_t found[2][4] = {{0}};
	const uint32_t expected[2][4] = {{11, 21, 0, 0}, {1011, 1021, 0, 0}};
	struct nmhal_conductance_read op = {.struct_size = sizeof(op), .region = {.col = 1}, .side = NMHAL_CELL_MINUS,
		.conductance_ps = &found[0][0], .row_stride = 4};
	struct board board;

	open_2x3(&board);
	assert_ok(nmhal_read_conductance(board.dev, &op));
	ck_assert_mem_eq(found, expected, sizeof(found));
	ck_assert_uint_eq(board.fake.conductance_read.averages, 1);
	ck_assert_uint_eq(board.fake.conductance_read.region.rows, 2);
	op.row_stride = 0;
	op.averages = 65535;
	assert_ok(nmhal_read_conductance(board.dev, &op));
	ck_assert_uint_eq(found[0][2], 1011);
	ck_assert_uint_eq(board.fake.conductance_read.averages, 65535);
	fake_fail_next(&board.fake, FAKE_READ_CONDUCTANCE, NMHAL_E_TIMEOUT);
	assert_fails(NMHAL_E_TIMEOUT, "fails as asked", nmhal_read_conductance(board.dev, &op));
	board_close(&board);
}
END_TEST

START_TEST(sweeps)
{
	struct nmhal_sweep_point out[3];
	const struct nmhal_sweep_point expected[3] = {{-10, 0}, {0, 5}, {10, 10}};
	uint32_t measured = 0;
	struct nmhal_cell_sweep op = {.struct_size = sizeof(op), .row = 1, .col = 2, .start_uv = -10, .step_uv = 10,
		.points = 3, .width_ns = 100, .out = out, .measured = &measured};
	struct board board;

	open_2x3(&board);
	assert_ok(nmhal_cell_sweep(board.dev, &op));
	ck_assert_uint_eq(measured, 3);
	ck_assert_mem_eq(out, expected, sizeof(out));
	ck_assert_mem_eq(&board.fake.swept, &op, sizeof(op));
	fake_fail_next(&board.fake, FAKE_CELL_SWEEP, NMHAL_E_LIMIT);
	assert_fails(NMHAL_E_LIMIT, "fails as asked", nmhal_cell_sweep(board.dev, &op));
	ck_assert_uint_eq(measured, 0);
	board_close(&board);
}
END_TEST

#define REFUSE(good, call, field, value, text) \
	do { \
		op = good; \
		op.field = value; \
		assert_fails(NMHAL_E_INVALID, text, call); \
	} while (0)

START_TEST(bad_pulses_and_ramps)
{
	struct board board;

	open_2x3(&board);
	{
		struct nmhal_cell_pulse op;

#define PULSE(field, value, text) \
	REFUSE(good_pulse, nmhal_cell_pulse(board.dev, &op, NULL), field, value, "pulse cell: " text)
		PULSE(core, 1, "row 1, column 2 of core 1: the device has cores 0..0, rows 0..1, columns 0..2");
		PULSE(row, 2, "row 2, column 2 of core 0");
		PULSE(col, 3, "row 1, column 3 of core 0");
		PULSE(side, 2, "side 2: there are 0 (plus) and 1 (minus)");
		PULSE(reserved, 1, "reserved is 1");
	}
	{
		struct nmhal_cell_ramp op;

#define RAMP(field, value, text) \
	REFUSE(good_ramp, nmhal_cell_ramp(board.dev, &op, NULL), field, value, "ramp cell: " text)
		RAMP(core, 1, "row 1, column 2 of core 1");
		RAMP(side, 7, "side 7");
		RAMP(kind, 0, "kind 0: there are 1 (FORM), 2 (SET) and 3 (RESET)");
		RAMP(kind, 4, "kind 4");
		RAMP(start_uv, 201, "start_uv is 201, above stop_uv, which is 200");
		RAMP(max_pulses, 0, "max_pulses is 0, must be at least 1");
	}
	ck_assert_uint_eq(CALLS(&board, FAKE_CELL_PULSE) + CALLS(&board, FAKE_CELL_RAMP), 0);
	board_close(&board);
}
END_TEST

START_TEST(bad_reads_and_sweeps)
{
	uint32_t found[6];
	struct nmhal_sweep_point out[2];
	struct board board;

	open_2x3(&board);
	{
		const struct nmhal_conductance_read good = {.struct_size = sizeof(good), .conductance_ps = found};
		struct nmhal_conductance_read op;

#define READ(field, value, text) REFUSE(good, nmhal_read_conductance(board.dev, &op), field, value, text)
		READ(region.core, 1, "core 1: the device has cores 0..0");
		READ(region.rows, 3, "rows 0..2 of core 0: it has rows 0..1");
		READ(side, 2, "read conductance: side 2");
		READ(conductance_ps, NULL, "read conductance: conductance_ps is NULL");
		READ(averages, 65536, "read conductance: averages is 65536, must be 0..65535");
		READ(row_stride, 2, "read conductance: stride of 2 elements: a row has 3");
		READ(reserved, 1, "read conductance: reserved is 1");
	}
	{
		const struct nmhal_cell_sweep good = {.struct_size = sizeof(good), .points = 2, .out = out};
		struct nmhal_cell_sweep op;

#define SWEEP(field, value, text) \
	REFUSE(good, nmhal_cell_sweep(board.dev, &op), field, value, "sweep cell: " text)
		SWEEP(row, 2, "row 2, column 0 of core 0");
		SWEEP(side, 2, "side 2");
		SWEEP(points, 0, "points is 0, must be at least 1");
		SWEEP(out, NULL, "out is NULL");
		SWEEP(reserved, 1, "reserved is 1");
		SWEEP(step_uv, (op.start_uv = 1, INT32_MAX),
			"2 points from 1 uV in steps of 2147483647 uV: the last is 2147483648 uV");
		SWEEP(step_uv, (op.start_uv = -1, INT32_MIN),
			"2 points from -1 uV in steps of -2147483648 uV: the last is -2147483649 uV");
	}
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_CONDUCTANCE) + CALLS(&board, FAKE_CELL_SWEEP), 0);
	board_close(&board);
}
END_TEST

/* Programs zeros where they changed; returns how many cells that wrote. */
static uint64_t write_changed(struct board *board)
{
	static const int16_t zeros[6];
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = zeros, .code_type = NMHAL_CODE_I16,
		.flags = NMHAL_PROGRAM_ONLY_CHANGED};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};

	assert_ok(nmhal_program_weights(board->dev, &op, &report));
	return report.cells_written;
}

/* The row of the cell is read back before it is compared, also when the call failed. */
START_TEST(the_weight_of_a_changed_cell_is_unknown)
{
	struct nmhal_sweep_point out[1];
	const struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .row = 1, .col = 2, .points = 1,
		.out = out};
	struct board board;

	open_2x3(&board);
	ck_assert_uint_eq(write_changed(&board), 0);
	for (unsigned i = 0; i < 6; i++) {
		const enum fake_op ops[] = {FAKE_CELL_PULSE, FAKE_CELL_RAMP, FAKE_CELL_SWEEP};
		bool fails = i >= 3;
		int status;

		if (fails)
			fake_fail_next(&board.fake, ops[i % 3], NMHAL_E_INTERLOCK);
		status = i % 3 == 0 ? nmhal_cell_pulse(board.dev, &good_pulse, NULL) :
			 i % 3 == 1 ? nmhal_cell_ramp(board.dev, &good_ramp, NULL) :
				      nmhal_cell_sweep(board.dev, &sweep);
		ck_assert_int_eq(status, fails ? NMHAL_E_INTERLOCK : NMHAL_OK);
		ck_assert(!nm_shadow_knows(&board.dev->shadow, 0, 1));
		ck_assert(nm_shadow_knows(&board.dev->shadow, 0, 0));
		ck_assert_uint_eq(write_changed(&board), 1);
		ck_assert_int_eq(*fake_code(&board.fake, 0, 1, 2), 0);
	}
	board_close(&board);
}
END_TEST

START_TEST(unsupported)
{
	uint32_t found[6], applied = 9;
	struct nmhal_sweep_point out[1];
	const struct nmhal_conductance_read read = {.struct_size = sizeof(read), .conductance_ps = found};
	const struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .points = 1, .out = out};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.cell_pulse = NULL;
	board.fake.ops.cell_ramp = NULL;
	board.fake.ops.read_conductance = NULL;
	board.fake.ops.cell_sweep = NULL;
	board_open(&board);
	ck_assert(!(board.dev->caps.features & NMHAL_CAN_CELLS));
#define REFUSE_ALL(text, call) assert_fails(NMHAL_E_UNSUPPORTED, text ": the board has no access to single cells", call)
	REFUSE_ALL("pulse cell", nmhal_cell_pulse(board.dev, &good_pulse, &applied));
	REFUSE_ALL("ramp cell", nmhal_cell_ramp(board.dev, &good_ramp, NULL));
	REFUSE_ALL("read conductance", nmhal_read_conductance(board.dev, &read));
	REFUSE_ALL("sweep cell", nmhal_cell_sweep(board.dev, &sweep));
	ck_assert_uint_eq(applied, 0);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {pulses, ramps, conductances, sweeps, bad_pulses_and_ramps, bad_reads_and_sweeps,
		the_weight_of_a_changed_cell_is_unknown, unsupported};

	return run_tests("analog", tests, sizeof(tests) / sizeof(*tests));
}
