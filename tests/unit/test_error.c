/* SPDX-License-Identifier: MIT */
/* The sentence of the thread, the names of statuses, the version. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/run.h"

START_TEST(names_every_status)
{
	ck_assert_str_eq(nmhal_status_name(NMHAL_OK), "NMHAL_OK");
	ck_assert_str_eq(nmhal_status_name(NMHAL_E_INVALID), "NMHAL_E_INVALID");
	ck_assert_str_eq(nmhal_status_name(NMHAL_E_UNSUPPORTED), "NMHAL_E_UNSUPPORTED");
	ck_assert_str_eq(nmhal_status_name(NMHAL_E_AGAIN), "NMHAL_E_AGAIN");
	ck_assert_str_eq(nmhal_status_name(NMHAL_E_INTERNAL), "NMHAL_E_INTERNAL");
	ck_assert_str_eq(nmhal_status_name(NMHAL_E_INTERNAL - 1), "NMHAL_E_UNKNOWN");
	ck_assert_str_eq(nmhal_status_name(1), "NMHAL_E_UNKNOWN");
}
END_TEST

/* The numbers are frozen. */
START_TEST(numbers_do_not_move)
{
	static const char *const names[] = {"OK", "E_INVALID", "E_NO_DEVICE", "E_ACCESS", "E_BUSY", "E_TIMEOUT",
		"E_CANCELED", "E_UNSUPPORTED", "E_NO_MEMORY", "E_IO", "E_PROTOCOL", "E_VERIFY", "E_OVERRUN", "E_GONE",
		"E_STATE", "E_AGAIN", "E_VERSION", "E_LIMIT", "E_INTERLOCK", "E_INTERNAL"};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++)
		ck_assert_str_eq(nmhal_status_name(-i) + strlen("NMHAL_"), names[i]);
}
END_TEST

START_TEST(joins_subject_and_text)
{
	ck_assert_int_eq(nm_fail("sim:tinyodin", NMHAL_E_IO, "read row %d: no answer", 3), NMHAL_E_IO);
	ck_assert_str_eq(nmhal_last_error(), "sim:tinyodin: read row 3: no answer");
	nm_fail(NULL, NMHAL_E_IO, "no subject");
	ck_assert_str_eq(nmhal_last_error(), "no subject");
	nm_fail("", NMHAL_E_IO, "empty subject");
	ck_assert_str_eq(nmhal_last_error(), "empty subject");
	ck_assert_int_eq(nm_no_memory("a:", "shadow"), NMHAL_E_NO_MEMORY);
	ck_assert_str_eq(nmhal_last_error(), "a:: shadow: out of memory");
}
END_TEST

START_TEST(may_quote_itself)
{
	nm_fail("inner", NMHAL_E_IO, "broke");
	nm_fail("outer", NMHAL_E_IO, "%s", nmhal_last_error());
	ck_assert_str_eq(nmhal_last_error(), "outer: inner: broke");
}
END_TEST

START_TEST(is_one_line_of_bounded_length)
{
	char text[3000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	nm_fail("uri", NMHAL_E_IO, "%s", text);
	ck_assert_uint_eq(strlen(nmhal_last_error()), 1023);
	/* However long the subject is, what is wrong is said. */
	nm_fail(text, NMHAL_E_IO, "text");
	ck_assert_uint_eq(strlen(nmhal_last_error()), 700 + strlen("...: text"));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "x...: text"));
	text[700] = '\0';
	nm_fail(text, NMHAL_E_IO, "text");
	ck_assert_uint_eq(strlen(nmhal_last_error()), 700 + strlen(": text"));
	nm_fail("two\nlines", NMHAL_E_IO, "tab\tand\x7f \xc3\xa9");
	ck_assert_str_eq(nmhal_last_error(), "two?lines: tab?and? \xc3\xa9");
}
END_TEST

static void *other_thread(void *arg)
{
	char *seen = arg;

	snprintf(seen, 64, "%s", nmhal_last_error());
	nm_fail("b", NMHAL_E_IO, "other");
	return NULL;
}

START_TEST(belongs_to_the_thread)
{
	char seen[64] = "x";
	pthread_t thread;

	nm_fail("a", NMHAL_E_IO, "mine");
	ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, seen), 0);
	pthread_join(thread, NULL);
	ck_assert_str_eq(seen, "");
	ck_assert_str_eq(nmhal_last_error(), "a: mine");
}
END_TEST

START_TEST(version_is_the_header_s)
{
	ck_assert_uint_eq(nmhal_version() >> 16, NMHAL_API_VERSION_MAJOR);
	ck_assert_uint_eq(nmhal_version() >> 8 & 255, NMHAL_API_VERSION_MINOR);
	ck_assert_uint_eq(nmhal_version() & 255, NMHAL_API_VERSION_PATCH);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {names_every_status, numbers_do_not_move, joins_subject_and_text, may_quote_itself,
		is_one_line_of_bounded_length, belongs_to_the_thread, version_is_the_header_s};

	return run_tests("error", tests, sizeof(tests) / sizeof(*tests));
}
