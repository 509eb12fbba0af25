/* SPDX-License-Identifier: MIT */
/* Neurons: every field over its range, refusals, reset of the state. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

static int32_t spread(int32_t min, int32_t max, uint32_t n)
{
	uint32_t span = (uint32_t)(max - min) + 1;

	return n % 5 == 0 ? min : n % 5 == 1 ? max : min + (int32_t)(n * 2654435761u % span);
}

static struct nmhal_neuron *spread_neurons(uint32_t salt)
{
	const struct nmhal_device_caps *caps = &conf.caps;
	struct nmhal_neuron *neurons = calloc(caps->cols, sizeof(*neurons));

	ck_assert_ptr_nonnull(neurons);
	for (uint32_t n = 0; n < caps->cols; n++)
		neurons[n] = (struct nmhal_neuron){
			.threshold = spread(caps->threshold_min, caps->threshold_max, n + salt),
			.leak = spread(caps->leak_min, caps->leak_max, n * 3 + salt),
			.potential = spread(caps->potential_min, caps->potential_max, n * 7 + salt),
			.enabled = (n + salt) & 1,
		};
	return neurons;
}

START_TEST(every_field_comes_back_over_its_range)
{
	struct nmhal_neuron *got;

	NEED_CAN(NMHAL_CAN_NEURONS);
	got = calloc(conf.caps.cols, sizeof(*got));
	ck_assert_ptr_nonnull(got);
	for (uint32_t salt = 0; salt < 10; salt++) {
		struct nmhal_neuron *neurons = spread_neurons(salt);

		OK(nmhal_set_neurons(conf.dev, 0, 0, conf.caps.cols, neurons, 0));
		OK(nmhal_get_neurons(conf.dev, 0, 0, conf.caps.cols, got, 0));
		ck_assert_mem_eq(neurons, got, conf.caps.cols * sizeof(*got));
		free(neurons);
	}
	free(got);
}
END_TEST

START_TEST(a_part_leaves_the_other_neurons_alone)
{
	struct nmhal_neuron *neurons;
	struct nmhal_neuron got[5], one = {.threshold = 9, .leak = 1, .potential = -9, .enabled = 1};

	NEED_CAN(NMHAL_CAN_NEURONS);
	neurons = spread_neurons(3);
	OK(nmhal_set_neurons(conf.dev, 0, 0, conf.caps.cols, neurons, 0));
	OK(nmhal_set_neurons(conf.dev, 0, 2, 1, &one, 0));
	OK(nmhal_get_neurons(conf.dev, 0, 0, 5, got, 0));
	neurons[2] = one;
	ck_assert_mem_eq(got, neurons, sizeof(got));
	OK(nmhal_get_neurons(conf.dev, 0, conf.caps.cols - 1, 1, got, 0));
	ck_assert_mem_eq(got, &neurons[conf.caps.cols - 1], sizeof(*got));
	free(neurons);
}
END_TEST

START_TEST(bad_neurons_are_refused_before_anything_is_written)
{
	const struct nmhal_neuron good = {.threshold = 5, .enabled = 1};
	struct nmhal_neuron two[2] = {good, good};

	NEED_CAN(NMHAL_CAN_NEURONS);
	two[1].threshold = conf.caps.threshold_max + 1;
	FAILS(NMHAL_E_INVALID, "threshold", nmhal_set_neurons(conf.dev, 0, 0, 2, two, 0));
	two[1] = good;
	two[1].leak = conf.caps.leak_max + 1;
	FAILS(NMHAL_E_INVALID, "leak", nmhal_set_neurons(conf.dev, 0, 0, 2, two, 0));
	two[1] = good;
	two[1].potential = conf.caps.potential_min - 1;
	FAILS(NMHAL_E_INVALID, "potential", nmhal_set_neurons(conf.dev, 0, 0, 2, two, 0));
	two[1] = good;
	two[1].enabled = 2;
	FAILS(NMHAL_E_INVALID, "enabled", nmhal_set_neurons(conf.dev, 0, 0, 2, two, 0));
	two[1] = good;
	two[1].reserved[2] = 1;
	FAILS(NMHAL_E_INVALID, "reserved", nmhal_set_neurons(conf.dev, 0, 0, 2, two, 0));
	two[1] = good;
	FAILS(NMHAL_E_INVALID, "neurons", nmhal_set_neurons(conf.dev, 0, conf.caps.cols - 1, 2, two, 0));
	FAILS(NMHAL_E_INVALID, "core", nmhal_set_neurons(conf.dev, conf.caps.cores, 0, 2, two, 0));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_set_neurons(conf.dev, 0, 0, 2, NULL, 0));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_get_neurons(conf.dev, 0, 0, 2, NULL, 0));
	OK(nmhal_get_neurons(conf.dev, 0, 0, 1, two, 0));
	ck_assert_int_eq(two[0].threshold, conf.caps.threshold_max);
}
END_TEST

START_TEST(reset_state_zeroes_potentials_alone)
{
	struct nmhal_neuron *neurons, *got;

	NEED_CAN(NMHAL_CAN_NEURONS);
	NEED_CAN(NMHAL_CAN_RESET_STATE);
	neurons = spread_neurons(4);
	got = calloc(conf.caps.cols, sizeof(*got));
	ck_assert_ptr_nonnull(got);
	OK(nmhal_set_neurons(conf.dev, 0, 0, conf.caps.cols, neurons, 0));
	OK(nmhal_reset_state(conf.dev, 0));
	OK(nmhal_get_neurons(conf.dev, 0, 0, conf.caps.cols, got, 0));
	for (uint32_t n = 0; n < conf.caps.cols; n++)
		neurons[n].potential = 0;
	ck_assert_mem_eq(neurons, got, conf.caps.cols * sizeof(*got));
	free(neurons);
	free(got);
}
END_TEST

START_TEST(device_reset_keeps_the_memories)
{
	const struct nmhal_neuron neuron = {.threshold = 77, .leak = 3, .potential = -5, .enabled = 1};
	struct nmhal_neuron got;
	int8_t code;

	NEED_CAN(NMHAL_CAN_RESET);
	set_weight(1, 3, -6);
	if (conf.caps.features & NMHAL_CAN_NEURONS)
		OK(nmhal_set_neurons(conf.dev, 0, 4, 1, &neuron, 0));
	OK(nmhal_device_reset(conf.dev, 0));
	read_codes(1, 3, 1, 1, &code);
	check_code(code, -6);
	if (conf.caps.features & NMHAL_CAN_NEURONS) {
		OK(nmhal_get_neurons(conf.dev, 0, 4, 1, &got, 0));
		ck_assert_mem_eq(&got, &neuron, sizeof(got));
	}
}
END_TEST

TCase *neuron_tests(void)
{
	TCase *tcase = tcase_create("neurons");

	tcase_add_test(tcase, every_field_comes_back_over_its_range);
	tcase_add_test(tcase, a_part_leaves_the_other_neurons_alone);
	tcase_add_test(tcase, bad_neurons_are_refused_before_anything_is_written);
	tcase_add_test(tcase, reset_state_zeroes_potentials_alone);
	tcase_add_test(tcase, device_reset_keeps_the_memories);
	return tcase;
}
