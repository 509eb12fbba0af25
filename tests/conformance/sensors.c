/* SPDX-License-Identifier: MIT */
/* Sensors and listed counters: what a board declares can be read. */
#include <string.h>

#include "conformance.h"

START_TEST(every_sensor_is_described_and_read)
{
	struct nmhal_sensor_info info = {.struct_size = sizeof(info)};
	size_t count = nmhal_sensor_count(conf.dev);
	int64_t value;

	NEED(count, "sensors");
	for (size_t n = 0; n < count; n++) {
		OK(nmhal_sensor_list(conf.dev, n, &info));
		ck_assert_str_ne(info.name, "");
		ck_assert_ptr_nonnull(info.unit);
		ck_assert_ptr_nonnull(info.summary);
		ck_assert(info.exponent >= -18 && info.exponent <= 18);
		OK(nmhal_sensor_get(conf.dev, info.name, &value, 0));
	}
}
END_TEST

START_TEST(an_unknown_sensor_is_refused)
{
	struct nmhal_sensor_info info = {.struct_size = sizeof(info)};
	int64_t value = 5;

	FAILS(NMHAL_E_INVALID, "no-such-sensor", nmhal_sensor_get(conf.dev, "no-such-sensor", &value, 0));
	ck_assert_int_eq(value, 5);
	FAILS(NMHAL_E_INVALID, "sensor", nmhal_sensor_list(conf.dev, nmhal_sensor_count(conf.dev), &info));
}
END_TEST

START_TEST(every_listed_counter_is_read_and_never_falls)
{
	struct nmhal_counter_info info = {.struct_size = sizeof(info)};
	size_t count = nmhal_counter_count(conf.dev);

	FAILS(NMHAL_E_INVALID, "counter", nmhal_counter_list(conf.dev, count, &info));
	NEED(count, "a list of counters");
	for (size_t n = 0; n < count; n++) {
		uint64_t before, after;

		OK(nmhal_counter_list(conf.dev, n, &info));
		ck_assert_str_ne(info.key, "");
		ck_assert_ptr_nonnull(info.summary);
		OK(nmhal_counter_get(conf.dev, info.key, &before));
		set_weight(0, 0, 1);
		OK(nmhal_counter_get(conf.dev, info.key, &after));
		ck_assert_uint_ge(after, before);
	}
}
END_TEST

TCase *sensor_tests(void)
{
	TCase *tcase = tcase_create("sensors");

	tcase_add_test(tcase, every_sensor_is_described_and_read);
	tcase_add_test(tcase, an_unknown_sensor_is_refused);
	tcase_add_test(tcase, every_listed_counter_is_read_and_never_falls);
	return tcase;
}
