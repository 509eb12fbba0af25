/* SPDX-License-Identifier: MIT */
/* What the tests of drivers/link share: one open far board, and how they look at statuses and sentences. */
#ifndef FAR_SUITE_H
#define FAR_SUITE_H

#include <check.h>
#include <string.h>

#include "far.h"

#define ck_ok(call) ck_assert_msg((call) == NMHAL_OK, "%s", nmhal_last_error())
#define ck_refused(call, status, text)                                                                                 \
	do {                                                                                                           \
		ck_assert_int_eq((call), (status));                                                                    \
		ck_assert_msg(strstr(nmhal_last_error(), (text)), "%s", nmhal_last_error());                           \
	} while (0)

/* A test case over a fixture, then the whole program. */
static inline TCase *far_case(Suite *suite, const char *name, void (*setup)(void), void (*teardown)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static inline int far_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#endif
