/* SPDX-License-Identifier: MIT */
/* The board-side core: interlock opened and bus reset in the middle of a ramp or sweep, or between frames. */
#include "board.h"

static struct board board;

static enum nmlink_status arm(uint32_t silence_ms)
{
	PUT(&board, arm, .silence_ms = silence_ms);
	return board_send(&board, NMLINK_OP_ARM);
}

static void armed_board(void)
{
	board_begin(&board);
	ck_assert_uint_eq(arm(1000), NMLINK_OK);
	board_log(&board);
}

#define STEPS 6 /* pulses or points of each request below */

static void interlock_opens(struct board *at)
{
	at->interlock_open = true;
}

static void interlock_opens_for_a_moment(struct board *at)
{
	at->interlock_open = true;
	nmlink_core_tick(&at->core);
	at->interlock_open = false;
}

static void bus_is_reset(struct board *at)
{
	nmlink_core_bus_reset(&at->core);
}

/* Sends a ramp up, a ramp down or a sweep; board.out_size is 0 when there is no answer. */
static enum nmlink_status drive(int kind)
{
	static const uint16_t ops[] = { NMLINK_OP_FORM_CELL, NMLINK_OP_RESET_CELL, NMLINK_OP_SWEEP_CELL };

	board.conductance_ps = 1000000;
	if (kind == 2)
		PUT(&board, sweep_cell, .start_uv = 500000, .step_uv = 100000, .points = STEPS, .width_ns = 100);
	else
		PUT(&board, reset_cell, .target_ps = kind ? 0 : UINT32_MAX, .start_uv = 500000, .step_uv = 100000,
			.stop_uv = 2500000, .width_ns = 100, .max_pulses = STEPS);
	return board_send_as(&board, (struct nmlink_header){
		.op = ops[kind],
		.seq = board.next++,
		.session = (uint16_t)board.session,
	});
}

/* At every pulse of a ramp and point of a sweep. The board asserts that it drives nothing while it may not. */
static void check_in_the_middle(int kind, int step, void (*happens)(struct board *at), enum nmlink_status wanted)
{
	armed_board();
	board.happens = happens;
	board.happens_after = step;
	ck_assert_uint_eq(drive(kind), wanted);
	ck_assert_uint_eq(board.pulses, (uint32_t)step);
	ck_assert(!board.core.armed);
	ck_assert_ptr_nonnull(strstr(board_log(&board), "safe"));
	board.happens = NULL;
	board.interlock_open = false;
	if (!wanted) {
		ck_assert_uint_eq(board.out_size, 0);
		ck_assert_uint_eq(board.core.session, 0);
		ck_assert_uint_eq(drive(kind), NMLINK_ESESSION);
		ck_assert_uint_eq(board_hello(&board, BOARD_SESSION), NMLINK_OK);
	}
	ck_assert_uint_eq(drive(kind), NMLINK_EARM);
	ck_assert_uint_eq(board.pulses, (uint32_t)step);
	ck_assert_uint_eq(arm(1000), NMLINK_OK);
	ck_assert_uint_eq(drive(kind), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, (uint32_t)(step + STEPS));
}

START_TEST(an_interlock_that_opens_ends_ramps_and_sweeps)
{
	for (int kind = 0; kind < 3; kind++)
		for (int step = 0; step < STEPS; step++) {
			check_in_the_middle(kind, step, interlock_opens, NMLINK_EINTERLOCK);
			check_in_the_middle(kind, step, interlock_opens_for_a_moment, NMLINK_EARM);
		}
}
END_TEST

START_TEST(a_bus_reset_ends_ramps_and_sweeps)
{
	for (int kind = 0; kind < 3; kind++)
		for (int step = 0; step < STEPS; step++)
			check_in_the_middle(kind, step, bus_is_reset, NMLINK_OK);
}
END_TEST

static void time_passes(struct board *at)
{
	at->now_ms += 4000;
	nmlink_core_tick(&at->core);
}

START_TEST(a_host_that_waits_is_not_silent)
{
	board.now_ms = 0;
	armed_board();
	board.happens = time_passes;
	ck_assert_uint_eq(drive(0), NMLINK_OK);
	board.now_ms += 999;
	nmlink_core_tick(&board.core);
	ck_assert(board.core.armed);
	board.now_ms++;
	nmlink_core_tick(&board.core);
	ck_assert(!board.core.armed);
}
END_TEST

START_TEST(an_interlock_that_was_open_between_frames_disarms)
{
	armed_board();
	board.interlock_open = true;
	nmlink_core_tick(&board.core);
	ck_assert_str_eq(board_log(&board), "safe");
	board.interlock_open = false;
	ck_assert_uint_eq(drive(0), NMLINK_EARM);
	ck_assert_uint_eq(board_detail(&board), 0);
	/* Any frame is a look at it too. */
	armed_board();
	board.interlock_open = true;
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_PING), NMLINK_OK);
	board.interlock_open = false;
	ck_assert_uint_eq(drive(0), NMLINK_EARM);
	ck_assert_str_eq(board_log(&board), "safe");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { an_interlock_that_opens_ends_ramps_and_sweeps,
		a_bus_reset_ends_ramps_and_sweeps, a_host_that_waits_is_not_silent,
		an_interlock_that_was_open_between_frames_disarms };

	return run_tests("core_safety", tests, sizeof(tests) / sizeof(*tests));
}
