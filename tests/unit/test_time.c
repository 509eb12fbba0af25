/* SPDX-License-Identifier: MIT */
/* Timeouts become deadlines. */
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/run.h"

START_TEST(special_timeouts)
{
	int64_t deadline = 7;

	assert_ok(nm_deadline("u", NMHAL_WAIT_FOREVER, 5, &deadline));
	ck_assert_int_eq(deadline, NMHAL_NEVER);
	assert_ok(nm_deadline("u", NMHAL_NO_WAIT, 5, &deadline));
	ck_assert_int_eq(deadline, 0);
	assert_ok(nm_deadline("u", NMHAL_TIMEOUT_DEFAULT, NMHAL_WAIT_FOREVER, &deadline));
	ck_assert_int_eq(deadline, NMHAL_NEVER);
	assert_fails(NMHAL_E_INVALID, "u: timeout_ms is -3", nm_deadline("u", -3, 5, &deadline));
	assert_fails(NMHAL_E_INVALID, "timeout_ms is -2147483648", nm_deadline("u", INT32_MIN, 5, &deadline));
}
END_TEST

START_TEST(milliseconds_from_now)
{
	int64_t before = nmhal_now_ns();
	int64_t deadline;

	assert_ok(nm_deadline("u", 1500, 5, &deadline));
	ck_assert_int_ge(deadline, before + INT64_C(1500000000));
	ck_assert_int_le(deadline, nmhal_now_ns() + INT64_C(1500000000));
	assert_ok(nm_deadline("u", NMHAL_TIMEOUT_DEFAULT, 20, &deadline));
	ck_assert_int_le(deadline, nmhal_now_ns() + INT64_C(20000000));
	ck_assert_int_ge(deadline, before + INT64_C(20000000));
	assert_ok(nm_deadline("u", INT32_MAX, 5, &deadline));
	ck_assert_int_ge(deadline, before + INT64_C(2147483647000000));
}
END_TEST

START_TEST(clock_does_not_go_back)
{
	int64_t last = nmhal_now_ns();

	ck_assert_int_gt(last, 0);
	for (int i = 0; i < 1000; i++) {
		int64_t now = nmhal_now_ns();

		ck_assert_int_ge(now, last);
		last = now;
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {special_timeouts, milliseconds_from_now, clock_does_not_go_back};

	return run_tests("time", tests, sizeof(tests) / sizeof(*tests));
}
