/* SPDX-License-Identifier: MIT */
/* The device as such: capabilities, attributes, counters, reset, URI, close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

START_TEST(capabilities_fit_together)
{
	const struct nmhal_device_caps *caps = &conf.caps;

	ck_assert_str_ne(caps->board, "");
	ck_assert_str_ne(caps->driver, "");
	ck_assert_uint_ge(caps->cores, 1);
	ck_assert(caps->features & NMHAL_CAN_READ_WEIGHTS);
	ck_assert_int_lt(caps->weight_min, caps->weight_max);
	ck_assert_uint_ge(caps->weight_bits, 1);
	ck_assert_int_le(caps->weight_max - caps->weight_min, (1 << caps->weight_bits) - 1);
	ck_assert_int_ne(caps->default_timeout_ms, NMHAL_TIMEOUT_DEFAULT);
	ck_assert_int_ge(caps->default_timeout_ms, NMHAL_WAIT_FOREVER);
	ck_assert_int_le(caps->threshold_min, caps->threshold_max);
	ck_assert_int_le(caps->leak_min, caps->leak_max);
	ck_assert_int_le(caps->potential_min, caps->potential_max);
	if (caps->neuron_model != NMHAL_NEURON_NONE)
		ck_assert_int_lt(caps->potential_min, caps->potential_max);
	if (caps->features & NMHAL_CAN_VIRTUAL_EVENTS)
		ck_assert_int_lt(caps->virtual_min, caps->virtual_max);
	ck_assert_int_eq(!(caps->features & NMHAL_CAN_INFER), !caps->max_batch);
	ck_assert_int_le(caps->weight_tolerance, (int64_t)caps->weight_max - caps->weight_min);
}
END_TEST

/* One step: what it is set to cannot be taken back. */
static void check_growth(const struct nmhal_attr_info *info, int64_t value)
{
	int64_t got;

	OK(nmhal_attr_set_int(conf.dev, info->key, value));
	if (value == info->max)
		return;
	OK(nmhal_attr_set_int(conf.dev, info->key, value + 1));
	OK(nmhal_attr_get_int(conf.dev, info->key, &got));
	ck_assert_int_eq(got, value + 1);
	FAILS(NMHAL_E_INVALID, "only grows", nmhal_attr_set_int(conf.dev, info->key, value));
}

START_TEST(every_attribute_is_read_inside_its_range_and_holds_what_is_set)
{
	size_t count = nmhal_attr_count(conf.dev);
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};

	NEED(count, "attributes");
	for (size_t n = 0; n < count; n++) {
		int64_t value, ends[2];

		OK(nmhal_attr_list(conf.dev, n, &info));
		ck_assert_str_ne(info.key, "");
		ck_assert_str_ne(info.summary, "");
		ck_assert_ptr_nonnull(info.unit);
		if (info.type == NMHAL_ATTR_REAL)
			continue;
		OK(nmhal_attr_get_int(conf.dev, info.key, &value));
		ck_assert(value >= info.min && value <= info.max);
		if (!(info.flags & NMHAL_ATTR_WRITABLE)) {
			FAILS(NMHAL_E_UNSUPPORTED, info.key, nmhal_attr_set_int(conf.dev, info.key, value));
			continue;
		}
		if (info.flags & NMHAL_ATTR_GROWS) {
			check_growth(&info, value);
			continue;
		}
		ends[0] = info.min;
		ends[1] = info.max;
		for (size_t end = 0; end < 2; end++) {
			int64_t got;

			OK(nmhal_attr_set_int(conf.dev, info.key, ends[end]));
			OK(nmhal_attr_get_int(conf.dev, info.key, &got));
			ck_assert_int_eq(got, ends[end]);
		}
		FAILS(NMHAL_E_INVALID, info.key, nmhal_attr_set_int(conf.dev, info.key, info.max + 1));
		FAILS(NMHAL_E_INVALID, info.key, nmhal_attr_set_int(conf.dev, info.key, info.min - 1));
		OK(nmhal_attr_set_int(conf.dev, info.key, value));
	}
	FAILS(NMHAL_E_INVALID, "attribute", nmhal_attr_list(conf.dev, count, &info));
}
END_TEST

START_TEST(real_attributes_are_read_inside_their_range_and_hold_what_is_set)
{
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	unsigned reals = 0;

	for (size_t n = 0; n < nmhal_attr_count(conf.dev); n++) {
		struct nmhal_attr_value value = {.struct_size = sizeof(value)};

		OK(nmhal_attr_list(conf.dev, n, &info));
		if (info.type != NMHAL_ATTR_REAL)
			continue;
		reals++;
		OK(nmhal_attr_get(conf.dev, info.key, &value));
		ck_assert(value.real >= info.real_min && value.real <= info.real_max);
		if (info.flags & NMHAL_ATTR_WRITABLE)
			OK(nmhal_attr_set(conf.dev, info.key, &value));
	}
	NEED(reals, "attributes of type REAL");
}
END_TEST

START_TEST(an_unknown_attribute_is_refused)
{
	int64_t value = 5;

	FAILS(NMHAL_E_INVALID, "no-such-key", nmhal_attr_get_int(conf.dev, "no-such-key", &value));
	FAILS(NMHAL_E_INVALID, "no-such-key", nmhal_attr_set_int(conf.dev, "no-such-key", 1));
	ck_assert_int_eq(value, 5);
}
END_TEST

START_TEST(reset_brings_attributes_back_to_what_open_gave)
{
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	int64_t first[64];
	size_t count = nmhal_attr_count(conf.dev);

	NEED_CAN(NMHAL_CAN_RESET);
	ck_assert_uint_le(count, 64);
	reopen(0);
	OK(nmhal_device_reset(conf.dev, 0));
	for (size_t n = 0; n < count; n++) {
		OK(nmhal_attr_list(conf.dev, n, &info));
		if (info.type == NMHAL_ATTR_REAL)
			continue;
		OK(nmhal_attr_get_int(conf.dev, info.key, &first[n]));
		if (info.flags & NMHAL_ATTR_WRITABLE && !(info.flags & NMHAL_ATTR_GROWS))
			OK(nmhal_attr_set_int(conf.dev, info.key, first[n] == info.max ? info.min : info.max));
	}
	OK(nmhal_device_reset(conf.dev, 0));
	for (size_t n = 0; n < count; n++) {
		int64_t value;

		OK(nmhal_attr_list(conf.dev, n, &info));
		if (info.type == NMHAL_ATTR_REAL)
			continue;
		OK(nmhal_attr_get_int(conf.dev, info.key, &value));
		ck_assert_int_eq(value, first[n]);
	}
}
END_TEST

START_TEST(counters_grow_or_are_refused_by_name)
{
	static const char *const keys[] = {"cycles", "sops", "queue_dropped", "spi_frames", "events_in", "events_out"};
	uint64_t value = 7;

	for (size_t n = 0; n < sizeof(keys) / sizeof(*keys); n++) {
		uint64_t before, after;
		int status = nmhal_counter_get(conf.dev, keys[n], &before);

		if (status) {
			check_failure(NMHAL_E_UNSUPPORTED, keys[n], status);
			not_there(__func__, keys[n]);
			continue;
		}
		set_weight(1, 2, 3);
		OK(nmhal_counter_get(conf.dev, keys[n], &after));
		if (!strcmp(keys[n], "spi_frames"))
			ck_assert_uint_gt(after, before);
		else
			ck_assert_uint_ge(after, before);
	}
	FAILS(NMHAL_E_UNSUPPORTED, "moons", nmhal_counter_get(conf.dev, "moons", &value));
	ck_assert_uint_eq(value, 7);
}
END_TEST

START_TEST(the_canonical_uri_opens_the_same_device)
{
	char *uri = strdup(nmhal_device_uri(conf.dev));
	const char *given = conf.uri;

	ck_assert_ptr_nonnull(uri);
	conf.uri = uri;
	reopen(0);
	ck_assert_str_eq(nmhal_device_uri(conf.dev), uri);
	conf.uri = given;
	free(uri);
}
END_TEST

START_TEST(an_unknown_key_of_the_uri_is_refused)
{
	size_t length = strlen(nmhal_device_uri(conf.dev)) + 32;
	char *uri = malloc(length);
	nmhal_device *dev = conf.dev;

	ck_assert_ptr_nonnull(uri);
	snprintf(uri, length, "%s,no-such-key=1", nmhal_device_uri(conf.dev));
	FAILS(NMHAL_E_INVALID, "no-such-key", nmhal_device_open(conf.ctx, uri, NULL, &dev));
	ck_assert_ptr_null(dev);
	free(uri);
}
END_TEST

START_TEST(after_close_every_call_says_so)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	int8_t code;

	OK(nmhal_device_close(conf.dev));
	OK(nmhal_device_close(conf.dev));
	FAILS(NMHAL_E_STATE, "closed", nmhal_device_caps(conf.dev, &caps));
	FAILS(NMHAL_E_STATE, "closed", nmhal_read_weights(conf.dev, NULL, &code, 0, NMHAL_CODE_I8, 0));
	FAILS(NMHAL_E_STATE, "closed", nmhal_reset_state(conf.dev, 0));
	nmhal_device_interrupt(conf.dev);
	ck_assert_str_ne(nmhal_device_uri(conf.dev), "");
}
END_TEST

START_TEST(a_reference_keeps_the_device_open)
{
	int8_t code;

	ck_assert_ptr_eq(nmhal_device_ref(conf.dev), conf.dev);
	nmhal_device_unref(conf.dev);
	read_codes(0, 0, 1, 1, &code);
	check_code(code, 0);
}
END_TEST

TCase *device_tests(void)
{
	TCase *tcase = tcase_create("device");

	tcase_add_test(tcase, capabilities_fit_together);
	tcase_add_test(tcase, every_attribute_is_read_inside_its_range_and_holds_what_is_set);
	tcase_add_test(tcase, real_attributes_are_read_inside_their_range_and_hold_what_is_set);
	tcase_add_test(tcase, an_unknown_attribute_is_refused);
	tcase_add_test(tcase, reset_brings_attributes_back_to_what_open_gave);
	tcase_add_test(tcase, counters_grow_or_are_refused_by_name);
	tcase_add_test(tcase, the_canonical_uri_opens_the_same_device);
	tcase_add_test(tcase, an_unknown_key_of_the_uri_is_refused);
	tcase_add_test(tcase, after_close_every_call_says_so);
	tcase_add_test(tcase, a_reference_keeps_the_device_open);
	return tcase;
}
