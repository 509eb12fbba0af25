/* SPDX-License-Identifier: MIT */
/* Known answers of the neuron, each worked out by hand: integrate, fire, saturate, leak (datasheet section 10). */
#include "conformance.h"

static struct outcome outcome;

/* `count` spikes of row 0, one a step. */
static void drive(uint32_t count, const char *wanted)
{
	struct nmhal_event in[16];

	ck_assert_uint_le(count, 16);
	for (uint32_t n = 0; n < count; n++)
		in[n] = spike(n, 0);
	prepare(&outcome, in, count);
	expect_run(&outcome, wanted);
}

START_TEST(a_neuron_integrates_fires_and_resets_to_zero)
{
	NEED_LIF();
	set_weight(0, 3, 7);
	set_neuron(3, 10, 0, 0);
	drive(5, "1:3 3:3"); /* 7, 14 fires, 7, 14 fires, 7 */
	ck_assert_int_eq(potential(3), 7);
	ck_assert_uint_eq(outcome.out[0].kind, NMHAL_EVENT_SPIKE);
}
END_TEST

START_TEST(the_threshold_itself_fires)
{
	NEED_LIF();
	set_weight(0, 1, 5);
	set_weight(0, 2, 5);
	set_neuron(1, 10, 0, 0);
	set_neuron(2, 11, 0, 0);
	drive(3, "1:1 2:2"); /* 5, 10 >= 10; and 5, 10, 15 >= 11 */
	ck_assert_int_eq(potential(1), 5);
	ck_assert_int_eq(potential(2), 0);
}
END_TEST

START_TEST(threshold_zero_fires_on_every_event_that_leaves_no_negative_potential)
{
	NEED_LIF();
	set_weight(0, 4, -3);
	set_neuron(0, 0, 0, 0); /* weight 0: 0 >= 0 */
	set_neuron(4, 0, 0, 0); /* weight -3 */
	drive(2, "0:0 1:0");
	ck_assert_int_eq(potential(4), -6);
}
END_TEST

START_TEST(a_potential_above_threshold_fires_on_the_next_event)
{
	NEED_LIF();
	set_neuron(2, 100, 0, 500);
	drive(2, "0:2");
	ck_assert_int_eq(potential(2), 0);
}
END_TEST

START_TEST(potentials_saturate_on_both_sides)
{
	int32_t min, max;

	NEED_LIF();
	min = conf.caps.potential_min;
	max = conf.caps.potential_max;
	NEED(conf.caps.threshold_max > max, "a threshold out of reach");
	set_weight(0, 0, 7);
	set_weight(0, 1, -7);
	set_neuron(0, conf.caps.threshold_max, 0, max - 2);
	set_neuron(1, conf.caps.threshold_max, 0, min + 3);
	drive(1, "");
	ck_assert_int_eq(potential(0), max);
	ck_assert_int_eq(potential(1), min);
	drive(3, "");
	ck_assert_int_eq(potential(0), max);
	ck_assert_int_eq(potential(1), min);
}
END_TEST

START_TEST(a_threshold_above_every_potential_never_fires)
{
	int32_t max;

	NEED_LIF();
	max = conf.caps.potential_max;
	NEED(conf.caps.threshold_max > max, "a threshold out of reach");
	set_weight(0, 0, 7);
	set_weight(0, 1, 7);
	set_weight(0, 2, 7);
	set_neuron(0, max + 1, 0, max); /* tinyODIN: 0x800 */
	set_neuron(1, conf.caps.threshold_max, 0, max);
	set_neuron(2, max, 0, max);
	drive(2, "0:2");
	ck_assert_int_eq(potential(0), max);
	ck_assert_int_eq(potential(1), max);
	ck_assert_int_eq(potential(2), 7);
}
END_TEST

START_TEST(a_disabled_neuron_resets_in_silence)
{
	const struct nmhal_neuron silent = {.threshold = 10, .enabled = 0};

	NEED_LIF();
	set_weight(0, 3, 6);
	OK(nmhal_set_neurons(conf.dev, 0, 3, 1, &silent, 0));
	drive(1, "");
	ck_assert_int_eq(potential(3), 6);
	drive(1, "");
	ck_assert_int_eq(potential(3), 0);
	drive(1, "");
	ck_assert_int_eq(potential(3), 6);
}
END_TEST

START_TEST(leak_goes_toward_zero_and_stops_there)
{
	const struct nmhal_event in = event(0, NMHAL_EVENT_LEAK_ALL, 0, 0);
	const int32_t before[5] = {10, 2, -10, -2, 0}, after[5] = {7, 0, -7, 0, 0};

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_LEAK_EVENTS);
	for (uint32_t n = 0; n < 5; n++)
		set_neuron(n, conf.caps.threshold_max, 3, before[n]);
	prepare(&outcome, &in, 1);
	expect_run(&outcome, "");
	for (uint32_t n = 0; n < 5; n++)
		ck_assert_int_eq(potential(n), after[n]);
}
END_TEST

START_TEST(a_leak_can_fire)
{
	const struct nmhal_event in[] = {event(0, NMHAL_EVENT_LEAK_ALL, 0, 0), event(1, NMHAL_EVENT_LEAK_ALL, 0, 0)};

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_LEAK_EVENTS);
	set_neuron(1, 4, 1, 5); /* 4 >= 4 */
	set_neuron(2, 4, 2, 5); /* 3 < 4 */
	set_neuron(4, 0, 1, -1); /* 0 >= 0, twice */
	prepare(&outcome, in, 2);
	expect_run(&outcome, "0:1 0:4 1:4");
	ck_assert_int_eq(potential(2), 1);
}
END_TEST

START_TEST(leak_one_reaches_one_neuron)
{
	struct nmhal_event in[2];
	uint32_t last;

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_LEAK_EVENTS);
	last = conf.caps.leak_one_address_max;
	in[0] = event(0, NMHAL_EVENT_LEAK_ONE, 2, 0);
	in[1] = event(0, NMHAL_EVENT_LEAK_ONE, last, 0);
	for (uint32_t n = 1; n < 4; n++)
		set_neuron(n, conf.caps.threshold_max, 3, 10);
	set_neuron(last, conf.caps.threshold_max, 100, 120);
	prepare(&outcome, in, 2);
	expect_run(&outcome, "");
	ck_assert_int_eq(potential(1), 10);
	ck_assert_int_eq(potential(2), 7);
	ck_assert_int_eq(potential(3), 10);
	ck_assert_int_eq(potential(last), 20);
}
END_TEST

START_TEST(a_virtual_event_adds_its_value_to_one_neuron)
{
	struct nmhal_event in[4];
	uint32_t last;

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_VIRTUAL_EVENTS);
	last = conf.caps.virtual_address_max;
	in[0] = event(0, NMHAL_EVENT_VIRTUAL, 1, conf.caps.virtual_max);
	in[1] = event(1, NMHAL_EVENT_VIRTUAL, last, conf.caps.virtual_min);
	in[2] = event(1, NMHAL_EVENT_VIRTUAL, 1, conf.caps.virtual_min);
	in[3] = event(2, NMHAL_EVENT_VIRTUAL, 3, 5);
	set_neuron(1, conf.caps.threshold_max, 0, 0);
	set_neuron(last, conf.caps.threshold_max, 0, 0);
	set_neuron(3, 5, 0, 0);
	prepare(&outcome, in, 4);
	expect_run(&outcome, "2:3");
	ck_assert_int_eq(potential(1), conf.caps.virtual_max + conf.caps.virtual_min);
	ck_assert_int_eq(potential(last), conf.caps.virtual_min);
	ck_assert_int_eq(potential(2), 0);
}
END_TEST

START_TEST(virtual_zero_is_a_spike_of_that_row)
{
	const struct nmhal_event in = event(0, NMHAL_EVENT_VIRTUAL, 9, 0);

	NEED(is_tinyodin(), "peculiar to tinyodin");
	set_weight(9, 200, 4);
	set_neuron(200, 4, 0, 0);
	prepare(&outcome, &in, 1);
	expect_run(&outcome, "0:200");
}
END_TEST

START_TEST(potentials_last_from_run_to_run)
{
	NEED_LIF();
	NEED_CAN(NMHAL_CAN_RESET_STATE);
	set_weight(0, 1, 4);
	set_neuron(1, 10, 0, 0);
	drive(2, "");
	drive(1, "0:1");
	drive(2, "");
	ck_assert_int_eq(potential(1), 8);
	OK(nmhal_reset_state(conf.dev, 0));
	drive(2, "");
}
END_TEST

START_TEST(max_neuron_bounds_spikes_and_leaks)
{
	const struct nmhal_event in[] = {spike(0, 0), event(1, NMHAL_EVENT_LEAK_ALL, 0, 0), spike(2, 200)};

	NEED(is_tinyodin(), "peculiar to tinyodin");
	for (uint32_t n = 4; n < 7; n++) {
		set_weight(0, n, 5);
		set_neuron(n, conf.caps.threshold_max, 2, 0);
	}
	set_weight(200, 5, 1); /* a row above max_neuron still drives */
	OK(nmhal_attr_set_int(conf.dev, "max_neuron", 5));
	prepare(&outcome, in, 3);
	expect_run(&outcome, "");
	ck_assert_int_eq(potential(4), 3);
	ck_assert_int_eq(potential(5), 4);
	ck_assert_int_eq(potential(6), 0);
}
END_TEST

TCase *lif_tests(void)
{
	TCase *tcase = tcase_create("lif");

	tcase_add_test(tcase, a_neuron_integrates_fires_and_resets_to_zero);
	tcase_add_test(tcase, the_threshold_itself_fires);
	tcase_add_test(tcase, threshold_zero_fires_on_every_event_that_leaves_no_negative_potential);
	tcase_add_test(tcase, a_potential_above_threshold_fires_on_the_next_event);
	tcase_add_test(tcase, potentials_saturate_on_both_sides);
	tcase_add_test(tcase, a_threshold_above_every_potential_never_fires);
	tcase_add_test(tcase, a_disabled_neuron_resets_in_silence);
	tcase_add_test(tcase, leak_goes_toward_zero_and_stops_there);
	tcase_add_test(tcase, a_leak_can_fire);
	tcase_add_test(tcase, leak_one_reaches_one_neuron);
	tcase_add_test(tcase, a_virtual_event_adds_its_value_to_one_neuron);
	tcase_add_test(tcase, virtual_zero_is_a_spike_of_that_row);
	tcase_add_test(tcase, potentials_last_from_run_to_run);
	tcase_add_test(tcase, max_neuron_bounds_spikes_and_leaks);
	return tcase;
}
