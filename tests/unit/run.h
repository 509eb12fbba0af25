/* SPDX-License-Identifier: MIT */
/* main() of a unit test program:
 *
 *	int main(void)
 *	{
 *		const TTest *const tests[] = {adds, removes};
 *
 *		return run_tests("ring", tests, sizeof(tests) / sizeof(*tests));
 *	}
 */
#ifndef RUN_H
#define RUN_H

#include <check.h>

/* Runs the tests in order (CK_FORK, CK_RUN_CASE and CK_VERBOSITY work); the exit status of the program. */
int run_tests(const char *name, const TTest *const *tests, size_t count);

/* Asserts that call gives status and that the sentence of the thread contains text. */
#define assert_fails(status, text, call) \
	do { \
		ck_assert_int_eq(call, status); \
		ck_assert_msg(strstr(nmhal_last_error(), text) != NULL, "'%s' is not in: %s", text, \
			nmhal_last_error()); \
	} while (0)
#define assert_ok(call) \
	do { \
		int assert_status = (call); \
		ck_assert_msg(assert_status == NMHAL_OK, "%s: %d: %s", #call, assert_status, nmhal_last_error()); \
	} while (0)

#endif
