/* SPDX-License-Identifier: MIT */
/* What may never happen: a pulse twice, a pulse on a board that is not armed, a voltage above its limit. */
#include <stdlib.h>
#include <string.h>

#include "tests/board/host.h"
#include "tests/unit/run.h"

#define LIMIT_UV 3000000

static const struct xbar_cell cell = {0, 1, 2, 0};

static uint32_t pulses_of(struct host *host)
{
	return xbar_cell_pulses(sim_board_xbar(host->board), &cell);
}

static enum nmlink_status pulse(struct host *host, int32_t voltage_uv, uint32_t pulses)
{
	return host_call(host, pulse_cell, PULSE_CELL, NULL, 0, .row = 1, .col = 2, .voltage_uv = voltage_uv,
		.width_ns = 200, .gap_ns = 100, .pulses = pulses);
}

static enum nmlink_status arm(struct host *host, uint32_t silence_ms)
{
	return host_call(host, arm, ARM, NULL, 0, .silence_ms = silence_ms);
}

/* ---- a pulse, once ----------------------------------------------------------------------------------------------- */

START_TEST(a_repeated_pulse_is_answered_and_not_applied)
{
	struct host *host = host_new("xbar8", "window=4");
	uint8_t first[HOST_FRAME];
	size_t first_size;
	struct nmlink_pulse_cell_reply reply;

	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	ck_assert_int_eq(pulse(host, 1500000, 3), NMLINK_OK);
	first_size = host->frame_size;
	memcpy(first, host->frame, first_size);
	for (unsigned n = 0; n < 5; n++) {
		ck_assert(host_repeat(host));
		ck_assert_uint_eq(host->header.status, NMLINK_OK);
		host_reply(host, pulse_cell, &reply);
		ck_assert_uint_eq(reply.pulses, 3);
	}
	/* As long as the window remembers it; then it is out of order. */
	for (unsigned n = 0; n < 4; n++) {
		memcpy(host->frame, first, first_size);
		host->frame_size = first_size;
		ck_assert(host_repeat(host));
		ck_assert_uint_eq(host->header.status, NMLINK_OK);
		ck_assert_int_eq(host_call(host, ping, PING, NULL, 0, .tail = NULL), NMLINK_OK);
	}
	memcpy(host->frame, first, first_size);
	host->frame_size = first_size;
	ck_assert(host_repeat(host));
	ck_assert_uint_eq(host->header.status, NMLINK_ESEQ);
	ck_assert_uint_eq(pulses_of(host), 3);
	host_free(host);
}
END_TEST

START_TEST(a_pulse_that_failed_is_not_tried_again)
{
	struct host *host = host_new("xbar8", "");

	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_EARM);
	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	host->seq -= 2;
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_EARM);
	ck_assert_uint_eq(pulses_of(host), 0);
	host_free(host);
}
END_TEST

/* The supply fails after the pulse and before its reply has left. */
START_TEST(a_power_cut_between_pulse_and_reply_does_not_pulse_twice)
{
	struct host *host = host_new("xbar8", "");
	const uint8_t *frame;

	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_OK);
	/* The same once more, and its reply is lost. */
	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	(void)pulse(host, 1500000, 1);
	sim_board_power_cut(host->board);
	ck_assert_uint_eq(sim_board_output(host->board, SIM_BOARD_REPLIES, &frame), 0);
	ck_assert(host_repeat(host));
	ck_assert_uint_eq(host->header.status, NMLINK_ESESSION);
	ck_assert_uint_eq(pulses_of(host), 2);
	host_hello(host);
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_EARM);
	ck_assert_uint_eq(pulses_of(host), 2);
	host_free(host);
}
END_TEST

START_TEST(a_link_reset_between_pulse_and_reply_does_not_pulse_twice)
{
	struct host *host = host_new("xbar8", "");

	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	ck_assert_int_eq(pulse(host, -1500000, 2), NMLINK_OK);
	sim_board_link_reset(host->board);
	ck_assert(!sim_board_armed(host->board));
	ck_assert(host_repeat(host));
	ck_assert_uint_eq(host->header.status, NMLINK_ESESSION);
	ck_assert_uint_eq(pulses_of(host), 2);
	host_free(host);
}
END_TEST

/* ---- power cuts -------------------------------------------------------------------------------------------------- */

/* All that touches the lines, with limits that the host has tightened; false: the power went. */
static bool session_of_a_lab(struct host *host)
{
	static uint8_t codes[64];

	memset(codes, 5, sizeof(codes));
	return host_try(host, set_limits, SET_LIMITS, NULL, 0, .voltage_uv = LIMIT_UV) &&
		host_try(host, arm, ARM, NULL, 0, .silence_ms = 5000) &&
		host_try(host, write, WRITE, codes, sizeof(codes), .rows = 8, .cols = 8) &&
		host_try(host, pulse_cell, PULSE_CELL, NULL, 0, .row = 1, .col = 2, .voltage_uv = LIMIT_UV,
			.width_ns = 200, .pulses = 5) &&
		host_try(host, set_cell, SET_CELL, NULL, 0, .row = 1, .col = 2, .target_ps = UINT32_MAX,
			.start_uv = 1000000, .step_uv = 500000, .stop_uv = LIMIT_UV, .width_ns = 200,
			.max_pulses = 8) &&
		host_try(host, reset_cell, RESET_CELL, NULL, 0, .row = 1, .col = 2, .target_ps = 0,
			.start_uv = 1000000, .step_uv = 500000, .stop_uv = LIMIT_UV, .width_ns = 200,
			.max_pulses = 8) &&
		host_try(host, read_conductance, READ_CONDUCTANCE, NULL, 0, .rows = 2, .cols = 2, .averages = 1) &&
		host_try(host, sweep_cell, SWEEP_CELL, NULL, 0, .row = 1, .col = 2, .start_uv = -LIMIT_UV,
			.step_uv = 1000000, .points = 7, .width_ns = 200) &&
		host_try(host, infer, INFER, codes, 24, .rows = 8, .cols = 8, .batch = 3) &&
		host_try(host, read, READ, NULL, 0, .rows = 8, .cols = 8);
}

static void check_lines(struct host *host)
{
	struct xbar_voltage_trace trace;

	xbar_voltage_trace(sim_board_xbar(host->board), &trace);
	ck_assert_int_le(trace.highest_uv, LIMIT_UV);
	ck_assert_int_ge(trace.lowest_uv, -LIMIT_UV);
	ck_assert_uint_eq(sim_board_stray_pulses(host->board), 0);
}

START_TEST(a_power_cut_at_every_action_leaves_a_safe_board)
{
	uint64_t cuts = 0, before = 0;
	bool whole;

	do {
		struct host *host = host_new("xbar8", "");
		struct xbar_voltage_trace trace;

		sim_board_power_cut_after(host->board, cuts);
		whole = session_of_a_lab(host);
		if (!whole) {
			ck_assert(sim_board_was_cut(host->board));
			ck_assert(!sim_board_armed(host->board));
			ck_assert(host_repeat(host));
			ck_assert_uint_eq(host->header.status, NMLINK_ESESSION);
			host_hello(host);
			ck_assert_int_eq(pulse(host, 1000000, 1), NMLINK_EARM);
			cuts++;
		}
		check_lines(host);
		xbar_voltage_trace(sim_board_xbar(host->board), &trace);
		ck_assert_uint_ge(trace.pulses, before);
		before = trace.pulses;
		host_free(host);
	} while (!whole);
	ck_assert_uint_gt(cuts, 40);
	ck_assert_uint_gt(before, 15);
}
END_TEST

/* ---- in the middle of a ramp or sweep ---------------------------------------------------------------------------- */

/* What happens at the `at`-th look of the board at its carrier. */
struct mishap {
	struct host *host;
	bool unplug; /* else the interlock opens */
	unsigned at;
	bool happened;
	uint64_t pulses; /* until then */
};

static uint64_t pulses_on_lines(const struct host *host)
{
	struct xbar_voltage_trace trace;

	xbar_voltage_trace(sim_board_xbar(host->board), &trace);
	return trace.pulses;
}

static void mishap(void *user)
{
	struct mishap *mishap = user;

	if (mishap->happened || mishap->at--)
		return;
	mishap->happened = true;
	mishap->pulses = pulses_on_lines(mishap->host);
	if (mishap->unplug)
		sim_board_link_reset(mishap->host->board);
	else
		sim_board_set_interlock(mishap->host->board, true);
}

/* About 20 pulses each, all above read level. */
enum { UP, DOWN, SWEEP, KINDS };

/* False: there was no reply. */
static bool drive(struct host *host, int kind)
{
	const struct nmlink_ramp ramp = {.row = 1, .col = 2, .target_ps = kind == UP ? UINT32_MAX : 0,
		.start_uv = 1000000, .step_uv = 100000, .stop_uv = LIMIT_UV, .width_ns = 200, .max_pulses = 100};
	const struct nmlink_sweep_cell_request sweep = {.row = 1, .col = 2, .start_uv = -LIMIT_UV, .step_uv = 100000,
		.points = 20, .width_ns = 200};

	if (kind == SWEEP) {
		nmlink_put_sweep_cell_request(host_payload(host), &sweep);
		return host_exchange(host, NMLINK_OP_SWEEP_CELL, NMLINK_SIZE_sweep_cell_request);
	}
	nmlink_put_ramp(host_payload(host), &ramp);
	return host_exchange(host, kind == UP ? NMLINK_OP_SET_CELL : NMLINK_OP_RESET_CELL, NMLINK_SIZE_ramp);
}

/* True when the request was over before it happened. */
static bool survive(int kind, bool unplug, unsigned at)
{
	struct host *host = host_new("xbar8", "");
	struct mishap what = {.host = host, .unplug = unplug, .at = at};
	const uint8_t code = 64;

	ck_assert_int_eq(host_call(host, set_limits, SET_LIMITS, NULL, 0, .voltage_uv = LIMIT_UV), NMLINK_OK);
	ck_assert_int_eq(host_call(host, write, WRITE, &code, 1, .row = 1, .col = 2, .rows = 1, .cols = 1), NMLINK_OK);
	ck_assert_int_eq(arm(host, 1000), NMLINK_OK);
	sim_board_set_poll(host->board, mishap, &what);
	if (drive(host, kind) == (unplug && what.happened))
		ck_abort_msg("the reply: there when the host was gone, or missing");
	if (!what.happened) {
		ck_assert_uint_eq(host->header.status, NMLINK_OK);
	} else {
		ck_assert_uint_eq(pulses_on_lines(host), what.pulses);
		ck_assert(!sim_board_armed(host->board));
		if (!unplug)
			ck_assert_uint_eq(host->header.status, NMLINK_EINTERLOCK);
		sim_board_set_interlock(host->board, false);
		host_hello(host);
		ck_assert(drive(host, kind));
		ck_assert_uint_eq(host->header.status, NMLINK_EARM);
		ck_assert_uint_eq(pulses_on_lines(host), what.pulses);
	}
	check_lines(host);
	host_free(host);
	return !what.happened;
}

START_TEST(an_interlock_or_unplugging_at_every_pulse_leaves_a_safe_board)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int unplug = 0; unplug < 2; unplug++) {
			unsigned at = 0;

			while (!survive(kind, unplug, at))
				at++;
			ck_assert_uint_ge(at, 19);
		}
}
END_TEST

START_TEST(conductances_outlive_the_power_and_limits_do_not)
{
	struct host *host = host_new("xbar64", "");
	struct nmlink_get_limits_reply limits;
	const uint8_t codes[] = {1, 2, 3, (uint8_t)-4};

	ck_assert_int_eq(host_call(host, write, WRITE, codes, sizeof(codes), .row = 3, .col = 5, .rows = 2, .cols = 2),
		NMLINK_OK);
	ck_assert_int_eq(host_call(host, set_limits, SET_LIMITS, NULL, 0, .voltage_uv = LIMIT_UV, .pulses = 10),
		NMLINK_OK);
	sim_board_power_cut(host->board);
	host_hello(host);
	ck_assert_int_eq(host_call(host, read, READ, NULL, 0, .row = 3, .col = 5, .rows = 2, .cols = 2), NMLINK_OK);
	ck_assert_mem_eq(host->payload, codes, sizeof(codes));
	ck_assert_int_eq(host_call(host, get_limits, GET_LIMITS, NULL, 0, .tail = NULL), NMLINK_OK);
	host_reply(host, get_limits, &limits);
	ck_assert_uint_eq(limits.voltage_uv, XBAR_VOLTAGE_MAX_UV);
	host_free(host);
}
END_TEST

/* ---- watchdog ---------------------------------------------------------------------------------------------------- */

START_TEST(silence_disarms)
{
	struct host *host = host_new("xbar8", "");

	ck_assert_int_eq(arm(host, 100), NMLINK_OK);
	host->now_ms += 99;
	sim_board_tick(host->board);
	ck_assert(sim_board_armed(host->board));
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_OK);
	host->now_ms += 99;
	ck_assert_int_eq(host_call(host, ping, PING, NULL, 0, .tail = NULL), NMLINK_OK);
	host->now_ms += 99;
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_OK);
	host->now_ms += 100;
	sim_board_tick(host->board);
	ck_assert(!sim_board_armed(host->board));
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_EARM);
	ck_assert_uint_eq(nmlink_load_u32(host->payload), 1); /* detail: it was the watchdog */
	ck_assert_uint_eq(pulses_of(host), 2);
	host_free(host);
}
END_TEST

/* Also when nobody has called the watchdog in the meantime, and when the 32-bit clock wraps. */
START_TEST(a_frame_after_the_silence_comes_too_late)
{
	struct host *host = host_new("xbar8", "");

	host->now_ms = UINT32_MAX - UINT64_C(50);
	ck_assert_int_eq(arm(host, 100), NMLINK_OK);
	host->now_ms += 99;
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_OK);
	host->now_ms += 101;
	ck_assert_int_eq(pulse(host, 1500000, 1), NMLINK_EARM);
	ck_assert_uint_eq(pulses_of(host), 1);
	host_free(host);
}
END_TEST

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

START_TEST(replies_that_nobody_takes_hold_the_board_up)
{
	struct host *host = host_new("xbar8", "window=2");
	const uint8_t *frame;

	ck_assert_int_eq(host_call(host, ping, PING, NULL, 0, .tail = NULL), NMLINK_OK);
	ck_assert(sim_board_input(host->board, host->frame, host->frame_size));
	ck_assert(sim_board_input(host->board, host->frame, host->frame_size));
	ck_assert(!sim_board_input(host->board, host->frame, host->frame_size));
	sim_board_taken(host->board, SIM_BOARD_REPLIES);
	ck_assert(sim_board_input(host->board, host->frame, host->frame_size));
	sim_board_flush(host->board);
	ck_assert_uint_eq(sim_board_output(host->board, SIM_BOARD_REPLIES, &frame), 0);
	host_free(host);
}
END_TEST

static void refused(const char *board, const char *key, const char *value, const char *sentence)
{
	struct sim_board_config *config = sim_board_config_new(board);
	char error[SIM_BOARD_ERROR] = "";

	ck_assert_ptr_nonnull(config);
	ck_assert(!sim_board_config_set(config, key, value, error));
	ck_assert_msg(strstr(error, sentence) != NULL, "%s=%s: %s", key, value, error);
	sim_board_config_free(config);
}

START_TEST(wrong_options_are_refused_with_a_sentence)
{
	ck_assert_ptr_null(sim_board_config_new("xbar9"));
	refused("xbar8", "window", "3", "not one of 1, 2, 4");
	refused("xbar8", "max_frame", "127", "not a number 128 to 1048576");
	refused("xbar8", "seed", "-1", "not a number");
	refused("xbar8", "threads", "0", "not a number 1 to 64");
	refused("xbar8", "inputs", "all", "not one of half, full");
	refused("xbar8", "simd", "sse", "not one of auto, off, avx2");
	refused("xbar8", "noise", "loud", "loud");
	refused("xbar8", "clk_hz", "5", "xbar8 has no such key; there are: seed noise inputs threads simd window");
	refused("spike256", "noise", "pcm", "spike256 has no such key; there are: clk_hz simd window max_frame");
	refused("spike256", "clk_hz", "0", "not a number");
}
END_TEST

START_TEST(boards_are_listed_by_name)
{
	const char *const names[] = {"xbar8", "xbar64", "xbar256", "xbar1024", "spike256"};
	enum sim_board_kind kind;

	for (unsigned n = 0; n < 5; n++) {
		ck_assert_str_eq(sim_board_name(n), names[n]);
		ck_assert(sim_board_find(names[n], &kind));
		ck_assert_int_eq(kind, n < 4 ? SIM_BOARD_XBAR : SIM_BOARD_SPIKE);
	}
	ck_assert_ptr_null(sim_board_name(5));
	ck_assert_ptr_null(sim_board_name(6));
	ck_assert(!sim_board_find("tinyodin", &kind));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {a_repeated_pulse_is_answered_and_not_applied,
		a_pulse_that_failed_is_not_tried_again, a_power_cut_between_pulse_and_reply_does_not_pulse_twice,
		a_link_reset_between_pulse_and_reply_does_not_pulse_twice,
		a_power_cut_at_every_action_leaves_a_safe_board,
		an_interlock_or_unplugging_at_every_pulse_leaves_a_safe_board,
		conductances_outlive_the_power_and_limits_do_not, silence_disarms,
		a_frame_after_the_silence_comes_too_late, replies_that_nobody_takes_hold_the_board_up,
		wrong_options_are_refused_with_a_sentence, boards_are_listed_by_name};

	return run_tests("board-safety", tests, sizeof(tests) / sizeof(*tests));
}
