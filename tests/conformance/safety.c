/* SPDX-License-Identifier: MIT */
/* Safety: the board keeps its limits, is armed for a time only, and forgets that it was armed whenever it should. */
#include <time.h>

#include "conformance.h"

#define SILENCE_MS 200u

static void sleep_ms(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

struct nmhal_limits board_limits(void)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};

	OK(nmhal_limits_get(conf.dev, &limits, 0));
	return limits;
}

struct nmhal_cell_pulse allowed_pulse(uint32_t col)
{
	const struct nmhal_limits limits = board_limits();

	return (struct nmhal_cell_pulse){.struct_size = sizeof(struct nmhal_cell_pulse), .col = col,
		.voltage_uv = (int32_t)limits.voltage_uv, .width_ns = limits.width_ns, .pulses = 1};
}

/* A pulse is refused, and nothing was applied. */
static void check_disarmed(void)
{
	const struct nmhal_cell_pulse pulse = allowed_pulse(0);
	uint32_t applied = 1;

	FAILS(NMHAL_E_STATE, "arm", nmhal_cell_pulse(conf.dev, &pulse, &applied));
	ck_assert_uint_eq(applied, 0);
}

static uint32_t longest_silence(void)
{
	uint32_t silence_ms = board_limits().silence_ms;

	return silence_ms ? silence_ms : 1000;
}

START_TEST(limits_are_there_and_are_never_widened)
{
	struct nmhal_limits limits, wider;

	NEED_CAN(NMHAL_CAN_ARM);
	limits = board_limits();
	OK(nmhal_limits_set(conf.dev, &limits, 0));
	wider = limits;
	wider.voltage_uv++;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_limits_set(conf.dev, &wider, 0));
	wider = limits;
	wider.pulses++;
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_limits_set(conf.dev, &wider, 0));
	wider = board_limits();
	ck_assert_mem_eq(&wider, &limits, sizeof(limits));
}
END_TEST

START_TEST(a_limit_that_was_tightened_stays_so)
{
	struct nmhal_limits limits, tighter = {.struct_size = sizeof(tighter)};

	NEED_CAN(NMHAL_CAN_ARM);
	limits = board_limits();
	NEED(limits.pulses > 1, "a limit of pulses");
	tighter.pulses = limits.pulses - 1;
	OK(nmhal_limits_set(conf.dev, &tighter, 0));
	ck_assert_uint_eq(board_limits().pulses, limits.pulses - 1);
	ck_assert_uint_eq(board_limits().voltage_uv, limits.voltage_uv);
	FAILS(NMHAL_E_LIMIT, "limit", nmhal_limits_set(conf.dev, &limits, 0));
	ck_assert_uint_eq(board_limits().pulses, limits.pulses - 1);
}
END_TEST

START_TEST(pulses_need_arming)
{
	NEED_CAN(NMHAL_CAN_ARM | NMHAL_CAN_CELLS);
	check_disarmed();
	OK(nmhal_arm(conf.dev, longest_silence(), 0));
	OK(nmhal_disarm(conf.dev, 0));
	check_disarmed();
	OK(nmhal_arm(conf.dev, longest_silence(), 0));
	OK(nmhal_safe_state(conf.dev, 0));
	check_disarmed();
}
END_TEST

START_TEST(a_new_session_is_not_armed)
{
	NEED_CAN(NMHAL_CAN_ARM | NMHAL_CAN_CELLS);
	OK(nmhal_arm(conf.dev, longest_silence(), 0));
	reopen(0);
	check_disarmed();
	NEED_CAN(NMHAL_CAN_RESET);
	OK(nmhal_arm(conf.dev, longest_silence(), 0));
	OK(nmhal_device_reset(conf.dev, 0));
	check_disarmed();
}
END_TEST

START_TEST(silence_disarms)
{
	NEED_CAN(NMHAL_CAN_ARM | NMHAL_CAN_CELLS);
	NEED(longest_silence() >= SILENCE_MS, "a silence of 200 ms");
	OK(nmhal_arm(conf.dev, SILENCE_MS, 0));
	sleep_ms(2 * (long)SILENCE_MS);
	check_disarmed();
}
END_TEST

START_TEST(longer_silence_than_the_limit_is_refused)
{
	uint32_t silence_ms;

	NEED_CAN(NMHAL_CAN_ARM);
	silence_ms = board_limits().silence_ms;
	FAILS(NMHAL_E_INVALID, "silence_ms is 0", nmhal_arm(conf.dev, 0, 0));
	NEED(silence_ms && silence_ms < UINT32_MAX, "a limit of silence");
	FAILS(NMHAL_E_LIMIT, "arm", nmhal_arm(conf.dev, silence_ms + 1, 0));
}
END_TEST

TCase *safety_tests(void)
{
	TCase *tcase = tcase_create("safety");

	tcase_add_test(tcase, limits_are_there_and_are_never_widened);
	tcase_add_test(tcase, a_limit_that_was_tightened_stays_so);
	tcase_add_test(tcase, pulses_need_arming);
	tcase_add_test(tcase, a_new_session_is_not_armed);
	tcase_add_test(tcase, silence_disarms);
	tcase_add_test(tcase, longer_silence_than_the_limit_is_refused);
	return tcase;
}
