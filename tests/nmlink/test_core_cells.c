/* SPDX-License-Identifier: MIT */
/* The board-side core: limits, arming, the watchdog, pulses, ramps, sweeps. */
#include "board.h"

#define READ_LEVEL 200000 /* uV; what is above needs ARM */

static struct board board;

static enum nmlink_status arm(uint32_t silence_ms)
{
	PUT(&board, arm, .silence_ms = silence_ms);
	return board_send(&board, NMLINK_OP_ARM);
}

static enum nmlink_status pulses(int32_t voltage_uv, uint32_t width_ns, uint32_t count)
{
	PUT(&board, pulse_cell, .voltage_uv = voltage_uv, .width_ns = width_ns, .pulses = count);
	return board_send(&board, NMLINK_OP_PULSE_CELL);
}

static void armed_board(void)
{
	board_begin(&board);
	ck_assert_uint_eq(arm(1000), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "arm");
}

/* ---- arming ------------------------------------------------------------------------------------------------------ */

START_TEST(above_read_level_needs_arm)
{
	board_begin(&board);
	ck_assert_uint_eq(pulses(READ_LEVEL, 100, 1), NMLINK_OK);
	ck_assert_uint_eq(pulses(-READ_LEVEL, 100, 1), NMLINK_OK);
	board_log(&board);
	ck_assert_uint_eq(pulses(READ_LEVEL + 1, 100, 1), NMLINK_EARM);
	ck_assert_uint_eq(board_detail(&board), 0);
	ck_assert_uint_eq(pulses(-READ_LEVEL - 1, 100, 1), NMLINK_EARM);
	PUT(&board, set_cell, .stop_uv = READ_LEVEL + 1, .width_ns = 100, .max_pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_EARM);
	PUT(&board, sweep_cell, .start_uv = 0, .step_uv = -100001, .points = 3, .width_ns = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), NMLINK_EARM);
	ck_assert_str_eq(board_log(&board), "");
	ck_assert_uint_eq(arm(100), NMLINK_OK);
	ck_assert_uint_eq(pulses(READ_LEVEL + 1, 100, 1), NMLINK_OK);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_DISARM), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "arm; pulse 0 0 0 0 200001 uV 100 ns x 1; safe");
	ck_assert_uint_eq(pulses(READ_LEVEL + 1, 100, 1), NMLINK_EARM);
}
END_TEST

START_TEST(safe_state_and_restart_disarm)
{
	static const uint16_t ops[] = { NMLINK_OP_SAFE_STATE, NMLINK_OP_RESTART };

	for (size_t i = 0; i < 2; i++) {
		armed_board();
		ck_assert_uint_eq(board_simple(&board, ops[i]), NMLINK_OK);
		ck_assert_str_eq(board_log(&board), i ? "safe; restart" : "safe");
		ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EARM);
	}
}
END_TEST

START_TEST(a_silent_host_is_disarmed)
{
	board.now_ms = 0;
	armed_board();
	board.now_ms = 999;
	nmlink_core_tick(&board.core);
	ck_assert_str_eq(board_log(&board), "");
	/* Any good frame of the session is a sign of life. */
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_PING), NMLINK_OK);
	board.now_ms = 1998;
	nmlink_core_tick(&board.core);
	ck_assert(board.core.armed);
	board.now_ms = 1999;
	nmlink_core_tick(&board.core);
	ck_assert_str_eq(board_log(&board), "safe");
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EARM);
	ck_assert_uint_eq(board_detail(&board), 1);
	ck_assert_uint_eq(arm(1000), NMLINK_OK);
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_OK);
}
END_TEST

START_TEST(a_late_frame_does_not_wake_the_armed_state)
{
	/* Without a tick in between, and with a clock that wraps. */
	board_begin(&board);
	board.now_ms = 0xFFFFFFF0u;
	ck_assert_uint_eq(arm(1000), NMLINK_OK);
	board_log(&board);
	board.now_ms = 1000;
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EARM);
	ck_assert_str_eq(board_log(&board), "safe");
}
END_TEST

START_TEST(foreign_frames_are_no_sign_of_life)
{
	uint8_t rubbish[30] = { 1 };

	board.now_ms = 0;
	armed_board();
	board.now_ms = 600;
	ck_assert_uint_eq(board_frame(&board, rubbish, sizeof(rubbish)), NMLINK_ECRC);
	board.request_size = NMLINK_HEADER_SIZE;
	ck_assert_uint_eq(board_send_as(&board, (struct nmlink_header){ .op = NMLINK_OP_PING, .seq = 2, .session = 9 }),
		NMLINK_ESESSION);
	board.now_ms = 1000;
	nmlink_core_tick(&board.core);
	ck_assert_str_eq(board_log(&board), "safe");
}
END_TEST

START_TEST(arm_keeps_its_bounds)
{
	board_begin(&board);
	ck_assert_uint_eq(arm(9), NMLINK_ERANGE);
	ck_assert_uint_eq(arm(0), NMLINK_ERANGE);
	ck_assert_uint_eq(arm(5001), NMLINK_ELIMIT);
	ck_assert_uint_eq(board_detail(&board), 5000);
	board.fails = NMLINK_EHARDWARE;
	ck_assert_uint_eq(arm(100), NMLINK_EHARDWARE);
	board.fails = NMLINK_OK;
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EARM);
}
END_TEST

START_TEST(an_open_interlock_disarms)
{
	board_begin(&board);
	board.interlock_open = true;
	ck_assert_uint_eq(arm(100), NMLINK_EINTERLOCK);
	board.interlock_open = false;
	ck_assert_uint_eq(arm(100), NMLINK_OK);
	board_log(&board);
	board.interlock_open = true;
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EINTERLOCK);
	ck_assert_ptr_nonnull(strstr(board_log(&board), "safe"));
	ck_assert_uint_eq(pulses(READ_LEVEL, 100, 1), NMLINK_OK);
	board.interlock_open = false;
	ck_assert_uint_eq(pulses(1000000, 100, 1), NMLINK_EARM);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------------------------------ */

START_TEST(limits_only_become_smaller)
{
	struct nmlink_set_limits_reply m;

	board_begin(&board);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_GET_LIMITS), NMLINK_OK);
	ck_assert_uint_eq(nmlink_load_u32(board.payload), 2500000);
	PUT(&board, set_limits, .voltage_uv = 1500000, .pulses = 5);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_LIMITS), NMLINK_OK);
	GET(&board, set_limits, &m);
	ck_assert_uint_eq(m.voltage_uv, 1500000);
	ck_assert_uint_eq(m.current_na, 100000);
	ck_assert_uint_eq(m.pulses, 5);
	/* One field too wide, and none is taken. */
	PUT(&board, set_limits, .voltage_uv = 1000000, .pulses = 6);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_LIMITS), NMLINK_ELIMIT);
	ck_assert_uint_eq(board_detail(&board), 5);
	/* They outlive sessions and restarts; power alone brings the hard ones back. */
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_RESTART), NMLINK_OK);
	nmlink_core_bus_reset(&board.core);
	ck_assert_uint_eq(board_hello(&board, 8), NMLINK_OK);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_GET_LIMITS), NMLINK_OK);
	ck_assert_uint_eq(nmlink_load_u32(board.payload), 1500000);
	ck_assert_uint_eq(arm(100), NMLINK_OK);
	ck_assert_uint_eq(pulses(1500001, 100, 1), NMLINK_ELIMIT);
	ck_assert_uint_eq(board_detail(&board), 1500000);
	ck_assert_uint_eq(pulses(1500000, 100, 1), NMLINK_OK);
}
END_TEST

START_TEST(a_shorter_limit_of_silence_holds_at_once)
{
	board.now_ms = 0;
	armed_board();
	PUT(&board, set_limits, .silence_ms = 50);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_LIMITS), NMLINK_OK);
	board.now_ms = 50;
	nmlink_core_tick(&board.core);
	ck_assert_str_eq(board_log(&board), "safe");
}
END_TEST

START_TEST(pulses_beyond_the_limits_are_refused)
{
	static const struct {
		int32_t uv;
		uint32_t width, count, detail;
		enum nmlink_status status;
	} cases[] = {
		{ 2500001, 100, 1, 2500000, NMLINK_ELIMIT },
		{ -2500001, 100, 1, 2500000, NMLINK_ELIMIT },
		{ INT32_MIN, 100, 1, 2500000, NMLINK_ELIMIT },
		{ 1000000, 500001, 1, 500000, NMLINK_ELIMIT },
		{ 1000000, 100, 21, 20, NMLINK_ELIMIT },
		{ 1000000, 100, 0, 20, NMLINK_EARG },
		{ 1000000, 49, 1, 12, NMLINK_ERANGE },
		{ 100, 0, 1, 12, NMLINK_ERANGE },
	};

	armed_board();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_uint_eq(pulses(cases[i].uv, cases[i].width, cases[i].count), cases[i].status);
		ck_assert_uint_eq(board_detail(&board), cases[i].detail);
	}
	ck_assert_str_eq(board_log(&board), "");
	/* A board whose limit is above what its hardware can. */
	board.core.limits.voltage_uv = 0;
	ck_assert_uint_eq(pulses(3000001, 100, 1), NMLINK_ERANGE);
	ck_assert_uint_eq(board_detail(&board), NMLINK_OFFSET(pulse_cell_request, voltage_uv));
}
END_TEST

START_TEST(cells_that_are_not_there_are_refused)
{
	static const uint16_t cells[][5] = { { 2, 0, 0, 0, 0 }, { 0, 4, 0, 0, 2 }, { 0, 0, 3, 0, 4 },
		{ 0, 0, 0, 2, 6 } };

	board_begin(&board);
	for (size_t i = 0; i < 4; i++) {
		const uint16_t *c = cells[i];

#define CELL .tile = c[0], .row = c[1], .col = c[2], .side = c[3]
		PUT(&board, pulse_cell, CELL, .width_ns = 100, .pulses = 1);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_PULSE_CELL), NMLINK_ERANGE);
		ck_assert_uint_eq(board_detail(&board), c[4]);
		PUT(&board, reset_cell, CELL, .width_ns = 100, .max_pulses = 1);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_ERANGE);
		ck_assert_uint_eq(board_detail(&board), c[4]);
		PUT(&board, sweep_cell, CELL, .width_ns = 100, .points = 1);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), NMLINK_ERANGE);
		ck_assert_uint_eq(board_detail(&board), c[4]);
	}
	PUT(&board, read_conductance, .rows = 1, .cols = 1, .side = 2, .averages = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CONDUCTANCE), NMLINK_ERANGE);
	PUT(&board, read_conductance, .rows = 1, .cols = 1, .averages = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CONDUCTANCE), NMLINK_EARG);
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

/* ---- ramps ------------------------------------------------------------------------------------------------------- */

START_TEST(a_ramp_pulses_and_verifies_until_the_target)
{
	struct nmlink_set_cell_reply m;

	armed_board();
	board.conductance_ps = 1000;
	PUT(&board, set_cell, .tile = 1, .row = 2, .col = 1, .side = 1, .target_ps = 1150, .start_uv = 500000,
		.step_uv = 100000, .stop_uv = 900000, .width_ns = 100, .max_pulses = 9, .use = 40);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "conductance 1 2 1 1x1 side 1 x 1 use 40; "
		"pulse 1 2 1 1 500000 uV 100 ns x 1; conductance 1 2 1 1x1 side 1 x 1 use 41; "
		"pulse 1 2 1 1 600000 uV 100 ns x 1; conductance 1 2 1 1x1 side 1 x 1 use 42");
	GET(&board, set_cell, &m);
	ck_assert_uint_eq(m.conductance_ps, 1200);
	ck_assert_uint_eq(m.pulses, 2);
	ck_assert_uint_eq(m.last_uv, 600000);
	ck_assert_uint_eq(m.reached, 1);
	/* Already there: no pulse. */
	PUT(&board, form_cell, .target_ps = 1200, .start_uv = 500000, .stop_uv = 900000, .width_ns = 100,
		.max_pulses = 9);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_FORM_CELL), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "conductance 0 0 0 1x1 side 0 x 1 use 0");
}
END_TEST

START_TEST(a_reset_ramp_goes_down_and_may_miss_its_target)
{
	struct nmlink_reset_cell_reply m;

	armed_board();
	board.conductance_ps = 1000;
	PUT(&board, reset_cell, .target_ps = 10, .start_uv = 300000, .step_uv = 300000, .stop_uv = 900000,
		.width_ns = 100, .max_pulses = 20);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_OK);
	GET(&board, reset_cell, &m);
	ck_assert_uint_eq(m.conductance_ps, 700);
	ck_assert_uint_eq(m.pulses, 3);
	ck_assert_uint_eq(m.last_uv, 900000);
	ck_assert_uint_eq(m.reached, 0);
	ck_assert_ptr_nonnull(strstr(board_log(&board), "pulse 0 0 0 0 -900000 uV 100 ns x 1"));
	/* A step of 0 ends by the number of pulses; steps that would overflow end too. */
	PUT(&board, reset_cell, .target_ps = 0, .start_uv = 300000, .stop_uv = 900000, .width_ns = 100,
		.max_pulses = 4);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_OK);
	GET(&board, reset_cell, &m);
	ck_assert_uint_eq(m.pulses, 4);
	PUT(&board, reset_cell, .target_ps = 0, .start_uv = 300000, .step_uv = UINT32_MAX, .stop_uv = 900000,
		.width_ns = 100, .max_pulses = 20);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_OK);
	GET(&board, reset_cell, &m);
	ck_assert_uint_eq(m.pulses, 1);
}
END_TEST

START_TEST(ramps_beyond_the_limits_are_refused)
{
	armed_board();
	PUT(&board, set_cell, .start_uv = 2, .stop_uv = 1, .width_ns = 100, .max_pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_EARG);
	PUT(&board, set_cell, .start_uv = 1, .stop_uv = 2500001, .width_ns = 100, .max_pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_ELIMIT);
	PUT(&board, set_cell, .start_uv = 1, .stop_uv = UINT32_MAX, .width_ns = 100, .max_pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_EARG);
	PUT(&board, set_cell, .start_uv = 1, .stop_uv = 1, .width_ns = 100, .max_pulses = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_EARG);
	PUT(&board, set_cell, .start_uv = 1, .stop_uv = 1, .width_ns = 100, .max_pulses = 21);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_ELIMIT);
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

/* The board is asked once, for the largest pulse: a ramp is not left half way. */
START_TEST(what_the_board_has_against_a_ramp_comes_before_its_first_pulse)
{
	armed_board();
	board.conductance_ps = 1000;
	board.most_uv = 900000;
	ck_assert_uint_eq(pulses(900001, 100, 1), NMLINK_ELIMIT);
	ck_assert_uint_eq(board_detail(&board), 900000);
	PUT(&board, set_cell, .target_ps = UINT32_MAX, .start_uv = 500000, .step_uv = 100000, .stop_uv = 900001,
		.width_ns = 100, .max_pulses = 20);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_ELIMIT);
	PUT(&board, reset_cell, .target_ps = 0, .start_uv = 500000, .step_uv = 100000, .stop_uv = 900001,
		.width_ns = 100, .max_pulses = 20);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_ELIMIT);
	ck_assert_str_eq(board_log(&board), "");
	PUT(&board, reset_cell, .target_ps = 0, .start_uv = 500000, .step_uv = 100000, .stop_uv = 900000,
		.width_ns = 100, .max_pulses = 20);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_RESET_CELL), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, 5);
}
END_TEST

/* The scripted board reads at 0.1 V. */
START_TEST(reading_keeps_the_limit_of_the_voltage)
{
	armed_board();
	PUT(&board, set_limits, .voltage_uv = 100000);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_LIMITS), NMLINK_OK);
	PUT(&board, read_conductance, .rows = 1, .cols = 1, .averages = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CONDUCTANCE), NMLINK_OK);
	board_log(&board);
	PUT(&board, set_limits, .voltage_uv = 99999);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_LIMITS), NMLINK_OK);
	PUT(&board, read_conductance, .rows = 1, .cols = 1, .averages = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CONDUCTANCE), NMLINK_ELIMIT);
	ck_assert_uint_eq(board_detail(&board), 99999);
	/* So do the reads of a ramp, however small its pulses are. */
	PUT(&board, set_cell, .target_ps = UINT32_MAX, .start_uv = 1, .stop_uv = 2, .width_ns = 100, .max_pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_ELIMIT);
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

START_TEST(a_failing_pulse_ends_the_ramp)
{
	armed_board();
	board.fails = NMLINK_ECOMPLIANCE;
	PUT(&board, set_cell, .target_ps = 1, .start_uv = 1, .stop_uv = 1, .width_ns = 100, .max_pulses = 9);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_ECOMPLIANCE);
	ck_assert_uint_eq(board_detail(&board), 77);
}
END_TEST

/* ---- sweeps ------------------------------------------------------------------------------------------------------ */

static void point(uint32_t i, int32_t voltage_uv, int32_t current_na)
{
	struct nmlink_point_record m;

	ck_assert_uint_ge(board.reply.size, NMLINK_SIZE_read_sweep_reply + (i + 1) * NMLINK_SIZE_point_record);
	nmlink_get_point_record(&m, board.payload + NMLINK_SIZE_read_sweep_reply + i * NMLINK_SIZE_point_record);
	ck_assert_int_eq(m.voltage_uv, voltage_uv);
	ck_assert_int_eq(m.current_na, current_na);
}

START_TEST(a_sweep_keeps_its_points)
{
	board_begin(&board);
	board.current_na = 1;
	PUT(&board, sweep_cell, .tile = 1, .row = 3, .col = 2, .side = 1, .start_uv = -100000, .step_uv = 100000,
		.points = 3, .width_ns = 100, .use = 6);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), NMLINK_OK);
	ck_assert_uint_eq(nmlink_load_u32(board.payload), 3);
	ck_assert_str_eq(board_log(&board), "current 1 3 2 1 -100000 uV use 6; current 1 3 2 1 0 uV use 7; "
		"current 1 3 2 1 100000 uV use 8");
	PUT(&board, read_sweep, .from = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_SWEEP), NMLINK_OK);
	ck_assert_uint_eq(nmlink_load_u32(board.payload), 1);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_read_sweep_reply + 2 * NMLINK_SIZE_point_record);
	point(0, 0, 2);
	point(1, 100000, 4);
	PUT(&board, read_sweep, .from = 3);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_SWEEP), NMLINK_OK);
	PUT(&board, read_sweep, .from = 4);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_SWEEP), NMLINK_ERANGE);
}
END_TEST

START_TEST(a_sweep_ends_at_the_limit_of_the_current)
{
	board_begin(&board);
	board.current_na = -40000;
	PUT(&board, sweep_cell, .start_uv = 0, .step_uv = 10000, .points = 10, .width_ns = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), NMLINK_ECOMPLIANCE);
	ck_assert_uint_eq(board_detail(&board), 160000);
	PUT(&board, read_sweep, .from = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_SWEEP), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_read_sweep_reply + 3 * NMLINK_SIZE_point_record);
	point(2, 20000, -160000);
}
END_TEST

START_TEST(sweeps_beyond_the_limits_are_refused)
{
	static const struct {
		int32_t start, step;
		uint32_t points;
		enum nmlink_status status;
	} cases[] = {
		{ 0, 0, 0, NMLINK_EARG },
		{ 0, 1, BOARD_POINTS + 1, NMLINK_ERANGE },
		{ 0, INT32_MAX, 3, NMLINK_ELIMIT },
		{ INT32_MIN, INT32_MIN, 16, NMLINK_ELIMIT },
		{ -2500001, 1, 1, NMLINK_ELIMIT },
		{ 2500000, 1, 2, NMLINK_ELIMIT },
	};

	armed_board();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		PUT(&board, sweep_cell, .start_uv = cases[i].start, .step_uv = cases[i].step, .points = cases[i].points,
			.width_ns = 100);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), cases[i].status);
	}
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

START_TEST(an_aborted_sweep_keeps_what_it_has)
{
	board_begin(&board);
	board.abort_after = 2;
	PUT(&board, sweep_cell, .step_uv = 1000, .points = 10, .width_ns = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SWEEP_CELL), NMLINK_EABORTED);
	PUT(&board, read_sweep, .from = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_SWEEP), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_read_sweep_reply + 2 * NMLINK_SIZE_point_record);
}
END_TEST

START_TEST(conductances_are_read_as_a_rectangle)
{
	board_begin(&board);
	board.conductance_ps = 5000000;
	PUT(&board, read_conductance, .row = 1, .rows = 2, .cols = 3, .side = 1, .averages = 8, .use = 3);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CONDUCTANCE), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "conductance 0 1 0 2x3 side 1 x 8 use 3");
	ck_assert_uint_eq(board.reply.size, 24);
	ck_assert_uint_eq(nmlink_load_u32(board.payload + 20), 5000005);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { above_read_level_needs_arm, safe_state_and_restart_disarm,
		a_silent_host_is_disarmed, a_late_frame_does_not_wake_the_armed_state,
		foreign_frames_are_no_sign_of_life, arm_keeps_its_bounds, an_open_interlock_disarms,
		limits_only_become_smaller, a_shorter_limit_of_silence_holds_at_once,
		pulses_beyond_the_limits_are_refused, cells_that_are_not_there_are_refused,
		a_ramp_pulses_and_verifies_until_the_target, a_reset_ramp_goes_down_and_may_miss_its_target,
		ramps_beyond_the_limits_are_refused, reading_keeps_the_limit_of_the_voltage,
		what_the_board_has_against_a_ramp_comes_before_its_first_pulse, a_failing_pulse_ends_the_ramp,
		a_sweep_keeps_its_points, a_sweep_ends_at_the_limit_of_the_current,
		sweeps_beyond_the_limits_are_refused, an_aborted_sweep_keeps_what_it_has,
		conductances_are_read_as_a_rectangle };

	return run_tests("core_cells", tests, sizeof(tests) / sizeof(*tests));
}
