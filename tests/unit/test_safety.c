/* SPDX-License-Identifier: MIT */
/* Limits, arming and safe state: the core asks, the board decides. */
#include "tests/unit/board.h"

START_TEST(limits_are_tightened)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_limits_get(board.dev, &limits, 0));
	ck_assert_uint_eq(limits.voltage_uv, 3000000);
	ck_assert_uint_eq(limits.silence_ms, 5000);
	limits = (struct nmhal_limits){.struct_size = sizeof(limits), .voltage_uv = 2000000};
	assert_ok(nmhal_limits_set(board.dev, &limits, 0));
	ck_assert_uint_eq(board.fake.limits.voltage_uv, 2000000);
	limits.voltage_uv = 2000001;
	assert_fails(NMHAL_E_LIMIT, "voltage 2000001 uV: above 2000000 uV", nmhal_limits_set(board.dev, &limits, 0));
	limits.reserved = 1;
	assert_fails(NMHAL_E_INVALID, "reserved is 1", nmhal_limits_set(board.dev, &limits, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_LIMITS_SET), 2);
	limits.struct_size = 8;
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", nmhal_limits_get(board.dev, &limits, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_LIMITS_GET), 1);
	board_close(&board);
}
END_TEST

START_TEST(arming)
{
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_arm(board.dev, 1500, 0));
	ck_assert_uint_eq(board.fake.silence_ms, 1500);
	assert_ok(nmhal_disarm(board.dev, 0));
	ck_assert_uint_eq(board.fake.silence_ms, 0);
	assert_ok(nmhal_arm(board.dev, 1, 0));
	assert_ok(nmhal_safe_state(board.dev, 0));
	ck_assert_uint_eq(board.fake.silence_ms, 0);
	ck_assert_uint_eq(CALLS(&board, FAKE_SAFE_STATE), 1);
	assert_fails(NMHAL_E_INVALID, "arm: silence_ms is 0, must be at least 1", nmhal_arm(board.dev, 0, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_ARM), 2);
	assert_fails(NMHAL_E_INVALID, "arm: dev is NULL", nmhal_arm(NULL, 1, 0));
	assert_fails(NMHAL_E_INVALID, "disarm: dev is NULL", nmhal_disarm(NULL, 0));
	assert_fails(NMHAL_E_INVALID, "safe state: dev is NULL", nmhal_safe_state(NULL, 0));
	board_close(&board);
}
END_TEST

/* The deadline of the caller is what the board is given. */
START_TEST(timeouts_and_failures)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_arm(board.dev, 1, NMHAL_NO_WAIT));
	ck_assert_int_eq(board.fake.last_deadline, 0);
	assert_ok(nmhal_safe_state(board.dev, NMHAL_WAIT_FOREVER));
	ck_assert_int_eq(board.fake.last_deadline, NMHAL_NEVER);
	fake_fail_next(&board.fake, FAKE_ARM, NMHAL_E_INTERLOCK);
	assert_fails(NMHAL_E_INTERLOCK, "fails as asked", nmhal_arm(board.dev, 1, 0));
	fake_fail_next(&board.fake, FAKE_LIMITS_GET, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_limits_get(board.dev, &limits, 0));
	ck_assert_uint_eq(limits.voltage_uv, 0);
	fake_fail_next(&board.fake, FAKE_SAFE_STATE, NMHAL_E_GONE);
	assert_fails(NMHAL_E_GONE, "fails as asked", nmhal_safe_state(board.dev, 0));
	assert_fails(NMHAL_E_GONE, "disarm: the device is gone", nmhal_disarm(board.dev, 0));
	board_close(&board);
}
END_TEST

START_TEST(unsupported)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.limits_get = NULL;
	board.fake.ops.limits_set = NULL;
	board.fake.ops.arm = NULL;
	board.fake.ops.disarm = NULL;
	board.fake.ops.safe_state = NULL;
	board_open(&board);
	ck_assert(!(board.dev->caps.features & NMHAL_CAN_ARM));
#define REFUSE(text, what, call) assert_fails(NMHAL_E_UNSUPPORTED, text ": the board has no " what, call)
	REFUSE("get limits", "limits and arming", nmhal_limits_get(board.dev, &limits, 0));
	REFUSE("set limits", "limits and arming", nmhal_limits_set(board.dev, &limits, 0));
	REFUSE("arm", "limits and arming", nmhal_arm(board.dev, 1, 0));
	REFUSE("disarm", "limits and arming", nmhal_disarm(board.dev, 0));
	REFUSE("safe state", "safe state", nmhal_safe_state(board.dev, 0));
#undef REFUSE
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {limits_are_tightened, arming, timeouts_and_failures, unsupported};

	return run_tests("safety", tests, sizeof(tests) / sizeof(*tests));
}
