/* SPDX-License-Identifier: MIT */
/* Cells below the weights: conductances, pulses, ramps, sweeps and that the core forgets the weights they change. */
#include "conformance.h"

#define ROWS 3u
#define COLS 5u
#define GAP  0xdeadu

static int read_side(uint32_t side, uint32_t *found, size_t stride)
{
	const struct nmhal_conductance_read op = {.struct_size = sizeof(op), .region = {.rows = ROWS, .cols = COLS},
		.side = side, .averages = 2, .conductance_ps = found, .row_stride = stride};

	return nmhal_read_conductance(conf.dev, &op);
}

static void arm(void)
{
	uint32_t silence_ms = board_limits().silence_ms;

	OK(nmhal_arm(conf.dev, silence_ms ? silence_ms : 1000, 0));
}

START_TEST(a_larger_weight_conducts_more)
{
	uint32_t found[ROWS][COLS + 1];

	NEED_CAN(NMHAL_CAN_CELLS);
	for (uint32_t n = 0; n < ROWS * (COLS + 1); n++)
		found[n / (COLS + 1)][n % (COLS + 1)] = GAP;
	set_weight(1, 2, conf.caps.weight_max);
	OK(read_side(NMHAL_CELL_PLUS, found[0], COLS + 1));
	for (uint32_t row = 0; row < ROWS; row++) {
		ck_assert_uint_eq(found[row][COLS], GAP);
		for (uint32_t col = 0; col < COLS; col++)
			ck_assert(found[row][col] < found[1][2] || (row == 1 && col == 2));
	}
}
END_TEST

START_TEST(a_negative_weight_is_in_the_other_cell_of_a_pair)
{
	uint32_t plus[ROWS][COLS], minus[ROWS][COLS];
	int status;

	NEED_CAN(NMHAL_CAN_CELLS);
	set_weight(0, 0, conf.caps.weight_min);
	set_weight(0, 1, conf.caps.weight_max);
	OK(read_side(NMHAL_CELL_PLUS, plus[0], 0));
	status = read_side(NMHAL_CELL_MINUS, minus[0], 0);
	NEED(status != NMHAL_E_INVALID && status != NMHAL_E_UNSUPPORTED, "pairs of cells");
	ck_assert_int_eq(status, NMHAL_OK);
	ck_assert_uint_gt(minus[0][0], minus[0][1]);
	ck_assert_uint_gt(plus[0][1], plus[0][0]);
}
END_TEST

START_TEST(places_outside_are_refused)
{
	struct nmhal_cell_pulse pulse = {.struct_size = sizeof(pulse), .voltage_uv = 1, .pulses = 1};
	uint32_t found[1];
	struct nmhal_conductance_read read = {.struct_size = sizeof(read), .region = {.row = conf.caps.rows},
		.conductance_ps = found};

	NEED_CAN(NMHAL_CAN_CELLS);
	FAILS(NMHAL_E_INVALID, "row", nmhal_read_conductance(conf.dev, &read));
	pulse.col = conf.caps.cols;
	FAILS(NMHAL_E_INVALID, "column", nmhal_cell_pulse(conf.dev, &pulse, NULL));
	pulse.col = 0;
	pulse.side = 2;
	FAILS(NMHAL_E_INVALID, "side", nmhal_cell_pulse(conf.dev, &pulse, NULL));
	pulse.side = 0;
	pulse.pulses = 0;
	FAILS(NMHAL_E_INVALID, "pulses", nmhal_cell_pulse(conf.dev, &pulse, NULL));
}
END_TEST

START_TEST(pulses_keep_inside_the_limits)
{
	struct nmhal_limits limits;
	struct nmhal_cell_pulse pulse;
	uint32_t applied = 7;

	NEED_CAN(NMHAL_CAN_CELLS | NMHAL_CAN_ARM);
	limits = board_limits();
	arm();
	pulse = allowed_pulse(0);
	pulse.voltage_uv++;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_cell_pulse(conf.dev, &pulse, &applied));
	ck_assert_uint_eq(applied, 0);
	pulse.voltage_uv = -pulse.voltage_uv;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_cell_pulse(conf.dev, &pulse, NULL));
	pulse = allowed_pulse(0);
	pulse.pulses = limits.pulses + 1;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_cell_pulse(conf.dev, &pulse, NULL));
	OK(nmhal_safe_state(conf.dev, 0));
}
END_TEST

/* The library reads back the row of a cell that was pulsed: only-changed writes it again. */
START_TEST(a_pulsed_cell_is_programmed_again)
{
	const int8_t codes[COLS] = {0};
	const struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = 1, .cols = COLS}, .codes = codes,
		.code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_ONLY_CHANGED | NMHAL_PROGRAM_VERIFY};
	struct nmhal_cell_pulse pulse;
	uint32_t before[ROWS][COLS], pulsed[ROWS][COLS], after[ROWS][COLS], applied = 0;

	NEED_CAN(NMHAL_CAN_CELLS | NMHAL_CAN_ARM);
	OK(nmhal_program_weights(conf.dev, &op, NULL));
	OK(read_side(NMHAL_CELL_PLUS, before[0], 0));
	arm();
	pulse = allowed_pulse(1);
	OK(nmhal_cell_pulse(conf.dev, &pulse, &applied));
	ck_assert_uint_eq(applied, 1);
	OK(nmhal_disarm(conf.dev, 0));
	OK(read_side(NMHAL_CELL_PLUS, pulsed[0], 0));
	ck_assert_uint_gt(pulsed[0][1], before[0][1]);
	OK(nmhal_program_weights(conf.dev, &op, NULL));
	OK(read_side(NMHAL_CELL_PLUS, after[0], 0));
	ck_assert_uint_lt(after[0][1], pulsed[0][1]);
}
END_TEST

START_TEST(a_ramp_ends_at_its_target_or_at_its_bounds)
{
	struct nmhal_cell_ramped result = {.struct_size = sizeof(result)};
	struct nmhal_limits limits;
	struct nmhal_cell_ramp op = {.struct_size = sizeof(op), .col = 2, .kind = NMHAL_RAMP_SET, .max_pulses = 100};
	uint32_t found[ROWS][COLS];

	NEED_CAN(NMHAL_CAN_CELLS | NMHAL_CAN_ARM);
	limits = board_limits();
	set_weight(0, 0, conf.caps.weight_max);
	OK(read_side(NMHAL_CELL_PLUS, found[0], 0));
	op.target_ps = found[0][2] / 2 + found[0][0] / 2;
	op.start_uv = limits.voltage_uv / 4;
	op.step_uv = limits.voltage_uv / 16;
	op.stop_uv = limits.voltage_uv;
	op.width_ns = limits.width_ns;
	op.max_pulses = limits.pulses && limits.pulses < 100 ? limits.pulses : 100;
	FAILS(NMHAL_E_STATE, "arm", nmhal_cell_ramp(conf.dev, &op, &result));
	arm();
	OK(nmhal_cell_ramp(conf.dev, &op, &result));
	ck_assert_uint_le(result.pulses, op.max_pulses);
	ck_assert_uint_le(result.last_uv, op.stop_uv);
	if (result.reached)
		ck_assert_uint_ge(result.conductance_ps, op.target_ps);
	op.stop_uv++;
	op.start_uv = op.stop_uv;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_cell_ramp(conf.dev, &op, &result));
	OK(nmhal_safe_state(conf.dev, 0));
}
END_TEST

/* Ten millivolts are below any read level. */
START_TEST(a_sweep_at_read_level_needs_no_arming)
{
	struct nmhal_sweep_point points[5];
	struct nmhal_cell_sweep op = {.struct_size = sizeof(op), .col = 1, .start_uv = -10000, .step_uv = 5000,
		.points = 5, .out = points};

	NEED_CAN(NMHAL_CAN_CELLS | NMHAL_CAN_ARM);
	op.width_ns = board_limits().width_ns;
	OK(nmhal_cell_sweep(conf.dev, &op));
	for (int32_t n = 0; n < 5; n++)
		ck_assert_int_eq(points[n].voltage_uv, -10000 + 5000 * n);
	ck_assert_int_ge(points[4].current_na, points[0].current_na);
}
END_TEST

TCase *cell_tests(void)
{
	TCase *tcase = tcase_create("cells");

	tcase_add_test(tcase, a_larger_weight_conducts_more);
	tcase_add_test(tcase, a_negative_weight_is_in_the_other_cell_of_a_pair);
	tcase_add_test(tcase, places_outside_are_refused);
	tcase_add_test(tcase, pulses_keep_inside_the_limits);
	tcase_add_test(tcase, a_pulsed_cell_is_programmed_again);
	tcase_add_test(tcase, a_ramp_ends_at_its_target_or_at_its_bounds);
	tcase_add_test(tcase, a_sweep_at_read_level_needs_no_arming);
	return tcase;
}
