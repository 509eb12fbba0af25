/* SPDX-License-Identifier: MIT */
/* Attributes. */
#include <math.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

struct bench {
	struct fake fake;
	nmhal_context *ctx;
	nmhal_device *dev;
};

static void set_up(struct bench *bench)
{
	fake_init(&bench->fake, 1, 2, 3);
	bench->ctx = fake_context();
	bench->dev = fake_open(bench->ctx, &bench->fake);
}

static void tear_down(struct bench *bench)
{
	nmhal_device_unref(bench->dev);
	nmhal_context_unref(bench->ctx);
}

START_TEST(lists)
{
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	struct bench bench;

	set_up(&bench);
	ck_assert_uint_eq(nmhal_attr_count(bench.dev), FAKE_ATTRS);
	ck_assert_uint_eq(nmhal_attr_count(NULL), 0);
	assert_ok(nmhal_attr_list(bench.dev, 0, &info));
	ck_assert_str_eq(info.key, "gain");
	ck_assert_int_eq(info.max, 100);
	ck_assert_uint_eq(info.type, NMHAL_ATTR_INT);
	assert_fails(NMHAL_E_INVALID, "list attribute 4: there are 4", nmhal_attr_list(bench.dev, 4, &info));
	assert_fails(NMHAL_E_INVALID, "nmhal_attr_info: is NULL", nmhal_attr_list(bench.dev, 0, NULL));
	assert_fails(NMHAL_E_INVALID, "list attribute: dev is NULL", nmhal_attr_list(NULL, 0, &info));
	tear_down(&bench);
}
END_TEST

START_TEST(integers)
{
	struct bench bench;
	int64_t value = -1;

	set_up(&bench);
	assert_ok(nmhal_attr_get_int(bench.dev, "gain", &value));
	ck_assert_int_eq(value, 7);
	assert_ok(nmhal_attr_set_int(bench.dev, "gain", 100));
	assert_ok(nmhal_attr_get_int(bench.dev, "gain", &value));
	ck_assert_int_eq(value, 100);
	assert_fails(NMHAL_E_INVALID, "set attribute 'gain' to 101: is outside 0..100",
		nmhal_attr_set_int(bench.dev, "gain", 101));
	assert_fails(NMHAL_E_INVALID, "to -1: is outside 0..100", nmhal_attr_set_int(bench.dev, "gain", -1));
	assert_ok(nmhal_attr_set_int(bench.dev, "fast", 1));
	assert_fails(NMHAL_E_INVALID, "set attribute 'fast' to 2: is outside 0..1",
		nmhal_attr_set_int(bench.dev, "fast", 2));
	ck_assert_int_eq(bench.fake.attrs[1].integer, 1);
	assert_fails(NMHAL_E_INVALID, "value is NULL", nmhal_attr_get_int(bench.dev, "gain", NULL));
	tear_down(&bench);
}
END_TEST

START_TEST(reals)
{
	struct nmhal_attr_value value = {.struct_size = sizeof(value), .type = NMHAL_ATTR_REAL, .real = 0.25};
	struct bench bench;
	int64_t integer;

	set_up(&bench);
	assert_ok(nmhal_attr_set(bench.dev, "level", &value));
	value.real = 0;
	assert_ok(nmhal_attr_get(bench.dev, "level", &value));
	ck_assert(value.real == 0.25);
	ck_assert_uint_eq(value.type, NMHAL_ATTR_REAL);
	value.real = 1.5;
	assert_fails(NMHAL_E_INVALID, "set attribute 'level' to 1.5: is outside 0..1",
		nmhal_attr_set(bench.dev, "level", &value));
	value.real = NAN;
	assert_fails(NMHAL_E_INVALID, "is outside 0..1", nmhal_attr_set(bench.dev, "level", &value));
	assert_fails(NMHAL_E_INVALID, "'level': is of type REAL", nmhal_attr_get_int(bench.dev, "level", &integer));
	assert_fails(NMHAL_E_INVALID, "'level': is of type REAL", nmhal_attr_set_int(bench.dev, "level", 1));
	ck_assert_uint_eq(bench.fake.calls[FAKE_ATTR_SET], 1);
	tear_down(&bench);
}
END_TEST

START_TEST(refuses)
{
	struct nmhal_attr_value value = {.struct_size = sizeof(value), .type = NMHAL_ATTR_REAL};
	struct bench bench;

	set_up(&bench);
	assert_fails(NMHAL_E_INVALID, "get attribute 'gein': unknown key; known: gain, fast, level, temperature",
		nmhal_attr_get(bench.dev, "gein", &value));
	assert_fails(NMHAL_E_INVALID, "set attribute '': unknown key", nmhal_attr_set(bench.dev, "", &value));
	assert_fails(NMHAL_E_INVALID, "set attribute 'x': unknown key", nmhal_attr_set_int(bench.dev, "x", 1));
	assert_fails(NMHAL_E_INVALID, "key is NULL", nmhal_attr_get(bench.dev, NULL, &value));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_attr_get(NULL, "gain", &value));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_attr_set_int(NULL, "gain", 1));
	assert_fails(NMHAL_E_INVALID, "nmhal_attr_value: is NULL", nmhal_attr_get(bench.dev, "gain", NULL));
	assert_fails(NMHAL_E_INVALID, "nmhal_attr_value: is NULL", nmhal_attr_set(bench.dev, "gain", NULL));
	assert_fails(NMHAL_E_UNSUPPORTED, "'temperature': it can only be read",
		nmhal_attr_set(bench.dev, "temperature", &value));
	assert_fails(NMHAL_E_INVALID, "'gain': type is 3, must be 2 (INT)", nmhal_attr_set(bench.dev, "gain", &value));
	value.type = NMHAL_ATTR_INT;
	value.reserved = 1;
	assert_fails(NMHAL_E_INVALID, "'gain': reserved is 1", nmhal_attr_set(bench.dev, "gain", &value));
	value.struct_size = 8;
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", nmhal_attr_set(bench.dev, "gain", &value));
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", nmhal_attr_get(bench.dev, "gain", &value));
	ck_assert_uint_eq(bench.fake.calls[FAKE_ATTR_SET] + bench.fake.calls[FAKE_ATTR_GET], 0);
	tear_down(&bench);
}
END_TEST

START_TEST(passes_failures_on)
{
	struct bench bench;
	int64_t value;

	set_up(&bench);
	fake_fail_next(&bench.fake, FAKE_ATTR_GET, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_attr_get_int(bench.dev, "gain", &value));
	fake_fail_next(&bench.fake, FAKE_ATTR_SET, NMHAL_E_GONE);
	assert_fails(NMHAL_E_GONE, "fails as asked", nmhal_attr_set_int(bench.dev, "gain", 1));
	assert_fails(NMHAL_E_GONE, "get attribute: the device is gone", nmhal_attr_get_int(bench.dev, "gain", &value));
	tear_down(&bench);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {lists, integers, reals, refuses, passes_failures_on};

	return run_tests("attr", tests, sizeof(tests) / sizeof(*tests));
}
