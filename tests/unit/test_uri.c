/* SPDX-License-Identifier: MIT */
/* The URI grammar, its canonical form, and what a sentence says about a bad one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/run.h"

static struct nmhal_uri *parsed(const char *text)
{
	struct nmhal_uri *uri;

	assert_ok(nm_uri_parse(text, &uri));
	return uri;
}

static void assert_canonical(const char *text, const char *expected)
{
	struct nmhal_uri *uri = parsed(text);
	char *printed = nm_uri_print(uri);

	ck_assert_str_eq(printed, expected);
	nm_uri_free(uri);
	/* What is printed parses to the same again. */
	uri = parsed(printed);
	free(printed);
	printed = nm_uri_print(uri);
	ck_assert_str_eq(printed, expected);
	free(printed);
	nm_uri_free(uri);
}

START_TEST(canonical_form)
{
	static const char *const same[] = {"sim:tinyodin", "sim:", "sim:tinyodin,via=ftdi", "usb:serial=NM-0042",
		"tty:path=/dev/ttyACM0", "sim:xbar64,fault=drop:0.01,fault_seed=3", "a+b-3:x_.-9,k.e-y_=v=w", "s:b,k=",
		"s:b,z=1,a=2", "s:b,k=\xc3\xa9", "s:b,state=%20%2C%25%0A%7F"};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_canonical(same[i], same[i]);
	assert_canonical("usb:,serial=X", "usb:serial=X");
	assert_canonical("s:b,k=a b", "s:b,k=a%20b");
	assert_canonical("s:b,k=%2c%41%3d", "s:b,k=%2CA=");
}
END_TEST

START_TEST(parts)
{
	struct nmhal_uri *uri = parsed("sim:tinyodin,state=my%2Cfile%20%25.h5,empty=,x=1=2");

	ck_assert_str_eq(nmhal_uri_scheme(uri), "sim");
	ck_assert_str_eq(nmhal_uri_board(uri), "tinyodin");
	ck_assert_uint_eq(nm_uri_key_count(uri), 3);
	ck_assert_str_eq(nm_uri_key(uri, 0), "state");
	ck_assert_str_eq(nm_uri_key(uri, 2), "x");
	ck_assert_ptr_null(nm_uri_key(uri, 3));
	ck_assert_str_eq(nmhal_uri_value(uri, "state"), "my,file %.h5");
	ck_assert_str_eq(nmhal_uri_value(uri, "empty"), "");
	ck_assert_str_eq(nmhal_uri_value(uri, "x"), "1=2");
	ck_assert_ptr_null(nmhal_uri_value(uri, "stat"));
	nm_uri_free(uri);
}
END_TEST

START_TEST(default_board)
{
	struct nmhal_uri *uri = parsed("usb:serial=X");
	char *text;

	ck_assert_str_eq(nmhal_uri_board(uri), "");
	assert_ok(nm_uri_set_board(uri, "nmlink"));
	assert_ok(nm_uri_set_board(uri, "other"));
	ck_assert_str_eq(nmhal_uri_board(uri), "other");
	text = nm_uri_print(uri);
	ck_assert_str_eq(text, "usb:other,serial=X");
	free(text);
	nm_uri_free(uri);
	nm_uri_free(NULL);
}
END_TEST

START_TEST(malformed)
{
	static const struct {
		const char *text;
		const char *sentence;
	} rows[] = {
		{"", "parse URI: is empty"},
		{":", "parse URI: character 1 is ':'"},
		{"sim", "sim: parse URI: ends at character 4; expected ':'"},
		{"Sim:x", "character 1 is 'S'"},
		{"1sim:x", "character 1 is '1'"},
		{"si_m:x", "character 3 is '_'"},
		{"sim:Tiny", "character 5 is 'T'; a board name"},
		{"sim:tiny odin", "character 9 is ' '"},
		{"sim:x/y", "character 6 is '/'"},
		{"sim:x,", "ends at character 7; expected key=value"},
		{"sim:,", "ends at character 6; expected key=value"},
		{"sim:x,k=1,", "ends at character 11; expected key=value"},
		{"sim:x,,k=1", "character 7 is ','; expected a key"},
		{"sim:x,=1", "character 7 is '='; expected a key"},
		{"sim:=1", "character 5 is '='; expected a key"},
		{"sim:x,key", "ends at character 10; expected '='"},
		{"sim:x,key,b=1", "character 10 is ','; expected '='"},
		{"sim:x,Key=1", "character 7 is 'K'"},
		{"sim:x,a=1,b=2,a=3", "character 15: key 'a' is given twice"},
		{"sim:x,a=%", "character 9 is '%'; expected two hex digits"},
		{"sim:x,a=%4", "character 9 is '%'"},
		{"sim:x,a=%4,b=1", "character 9 is '%'"},
		{"sim:x,a=%zz", "character 9 is '%'"},
		{"sim:x,a=1%00", "character 10 is '%'"},
		{"sim:x,a=1\n2", "character 10 is the control character 0x0a; write it as %XX"},
		{"sim:x\t", "character 6 is the control character 0x09"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nmhal_uri *uri = (struct nmhal_uri *)8;

		assert_fails(NMHAL_E_INVALID, rows[i].sentence,
			nm_uri_parse(rows[i].text, &uri));
		ck_assert_ptr_null(uri);
	}
}
END_TEST

/* Every byte at every place of a URI: nothing crashes, and what parses prints and parses again. */
START_TEST(every_byte_everywhere)
{
	static const char base[] = "sim:tiny,key=a%20b,x=1";
	unsigned good = 0;

	for (size_t at = 0; at < sizeof(base) - 1; at++) {
		for (int byte = 1; byte < 256; byte++) {
			char text[sizeof(base)];
			struct nmhal_uri *uri;
			char *printed;

			memcpy(text, base, sizeof(base));
			text[at] = (char)byte;
			if (nm_uri_parse(text, &uri))
				continue;
			good++;
			printed = nm_uri_print(uri);
			nm_uri_free(uri);
			assert_canonical(printed, printed);
			free(printed);
		}
	}
	ck_assert_uint_gt(good, 500);
	ck_assert_uint_lt(good, 22 * 255);
}
END_TEST

static int number(const char *value, uint64_t min, uint64_t max, uint64_t *out)
{
	struct nmhal_device dev = {.uri = NULL};
	struct nmhal_uri *uri;
	char text[128];
	int status;

	dev.host.dev = &dev;
	snprintf(text, sizeof(text), "sim:x,n=%s", value);
	dev.uri = text;
	uri = parsed(text);
	status = nmhal_uri_number(&dev.host, uri, "n", 0, min, max, out);
	nm_uri_free(uri);
	return status;
}

START_TEST(numbers)
{
	static const char *const bad[] = {
		"", "-1", "+1", "%201", "1x", "0x", "x1", "1.5", "18446744073709551616", "0xg"};
	struct nmhal_uri *uri = parsed("sim:x");
	uint64_t value = 0;

	assert_ok(nmhal_uri_number(NULL, uri, "n", 99, 0, 5, &value));
	ck_assert_uint_eq(value, 99);
	nm_uri_free(uri);
	assert_ok(number("15000000", 0, UINT64_MAX, &value));
	ck_assert_uint_eq(value, 15000000);
	assert_ok(number("0x1F", 0, 31, &value));
	ck_assert_uint_eq(value, 31);
	assert_ok(number("010", 10, 10, &value));
	ck_assert_uint_eq(value, 10);
	assert_ok(number("18446744073709551615", 0, UINT64_MAX, &value));
	ck_assert_uint_eq(value, UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_fails(NMHAL_E_INVALID, "is not a number", number(bad[i], 0, UINT64_MAX, &value));
	assert_fails(NMHAL_E_INVALID, "sim:x,n=32: open: n=32: is outside 1..31", number("32", 1, 31, &value));
	assert_fails(NMHAL_E_INVALID, "is outside 1..31", number("0", 1, 31, &value));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {canonical_form, parts, default_board, malformed, every_byte_everywhere, numbers};

	return run_tests("uri", tests, sizeof(tests) / sizeof(*tests));
}
