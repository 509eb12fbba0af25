/* SPDX-License-Identifier: MIT */
/* Chip images: what is captured is what was there, and programming it brings it back; a `state=` file keeps it. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

static const struct nmhal_neuron marked = {.threshold = 5, .leak = 1, .potential = 3, .enabled = 1};

static void mark(int32_t code)
{
	set_weight(2, 3, code);
	if (conf.caps.features & NMHAL_CAN_NEURONS)
		OK(nmhal_set_neurons(conf.dev, 0, 4, 1, &marked, 0));
}

static void check_mark(int32_t code)
{
	struct nmhal_neuron got;
	int8_t weight;

	read_codes(2, 3, 1, 1, &weight);
	check_code(weight, code);
	if (conf.caps.features & NMHAL_CAN_NEURONS) {
		OK(nmhal_get_neurons(conf.dev, 0, 4, 1, &got, 0));
		ck_assert_mem_eq(&got, &marked, sizeof(got));
	}
}

START_TEST(an_image_brings_back_what_it_was_captured_from)
{
	struct nmhal_image_info info = {.struct_size = sizeof(info)};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	const struct nmhal_neuron other = {.threshold = 1};
	nmhal_image *image;

	mark(-7);
	OK(nmhal_image_capture(conf.dev, 0, &image));
	OK(nmhal_image_get_info(image, &info));
	ck_assert_str_eq(info.board, conf.caps.board);
	ck_assert_uint_eq(info.cores, conf.caps.cores);
	ck_assert_uint_eq(info.rows, conf.caps.rows);
	ck_assert_uint_eq(info.cols, conf.caps.cols);
	ck_assert_uint_eq(info.has_weights, 1);
	ck_assert_int_eq(!info.has_neurons, !(conf.caps.features & NMHAL_CAN_NEURONS));
	ck_assert_int_eq(nmhal_image_weights(image, 0)[2 * conf.caps.cols + 3], -7);
	set_weight(2, 3, 4);
	if (info.has_neurons)
		OK(nmhal_set_neurons(conf.dev, 0, 4, 1, &other, 0));
	OK(nmhal_image_program(conf.dev, image, NMHAL_PROGRAM_VERIFY | NMHAL_PROGRAM_ONLY_CHANGED, 0, &report));
	ck_assert_uint_eq(report.cells_written, 1);
	check_mark(-7);
	nmhal_image_free(image);
}
END_TEST

START_TEST(an_image_carries_the_saved_attributes)
{
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	unsigned saved = 0;

	for (size_t n = 0; n < nmhal_attr_count(conf.dev); n++) {
		nmhal_image *image;
		int64_t value;

		OK(nmhal_attr_list(conf.dev, n, &info));
		if (!(info.flags & NMHAL_ATTR_SAVED) || info.type == NMHAL_ATTR_REAL)
			continue;
		saved++;
		OK(nmhal_attr_set_int(conf.dev, info.key, info.max));
		OK(nmhal_image_capture(conf.dev, 0, &image));
		OK(nmhal_attr_set_int(conf.dev, info.key, info.min));
		OK(nmhal_image_program(conf.dev, image, NMHAL_PROGRAM_ONLY_CHANGED, 0, NULL));
		OK(nmhal_attr_get_int(conf.dev, info.key, &value));
		ck_assert_int_eq(value, info.max);
		OK(nmhal_attr_set_int(conf.dev, info.key, info.min));
		nmhal_image_free(image);
	}
	NEED(saved, "saved attributes");
}
END_TEST

START_TEST(a_state_file_keeps_the_chip_between_sessions)
{
	NEED(has_state_file(), "state=");
	mark(6);
	reopen(0);
	check_mark(6);
}
END_TEST

START_TEST(a_state_file_has_one_holder)
{
	nmhal_device *second = conf.dev;

	NEED(has_state_file(), "state=");
	FAILS(NMHAL_E_BUSY, "held by", nmhal_device_open(conf.ctx, conf.uri, NULL, &second));
	ck_assert_ptr_null(second);
	reopen(0);
}
END_TEST

TCase *image_tests(void)
{
	TCase *tcase = tcase_create("images");

	tcase_add_test(tcase, an_image_brings_back_what_it_was_captured_from);
	tcase_add_test(tcase, an_image_carries_the_saved_attributes);
	tcase_add_test(tcase, a_state_file_keeps_the_chip_between_sessions);
	tcase_add_test(tcase, a_state_file_has_one_holder);
	return tcase;
}
