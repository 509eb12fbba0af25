/* SPDX-License-Identifier: MIT */
/* Runs that end before their last event: limit, deadline, interrupt, small buffer; and that the device works after. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "conformance.h"

static struct outcome outcome;

static const struct nmhal_event kick = {.step = 3, .address = 0};

/* One spike of row 0 makes neurons 0..4 fire. */
static void make_burst(void)
{
	for (uint32_t n = 0; n < 5; n++) {
		set_weight(0, n, 1);
		set_neuron(n, 1, 0, 0);
	}
}

/* Row 0 makes neuron 1 fire, and neuron 1 fires itself for ever; false, and said, where spikes do not come back. */
static bool make_loop(const char *test)
{
	if (!has_attr(test, "open_loop"))
		return false;
	set_weight(0, 1, 1);
	set_weight(1, 1, 1);
	set_neuron(1, 1, 0, 0);
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	return true;
}

/* The device works again, from a state that is defined. */
static void check_works(void)
{
	int8_t code;

	if (has_attr("check_works", "open_loop"))
		OK(nmhal_attr_set_int(conf.dev, "open_loop", 1));
	read_codes(0, 1, 1, 1, &code);
	check_code(code, 1);
	OK(nmhal_reset_state(conf.dev, 0));
	prepare(&outcome, &kick, 1);
	OK(run(&outcome));
	ck_assert_uint_ge(outcome.report.events_out, 1);
	for (uint64_t n = 0; n < outcome.report.events_out; n++)
		ck_assert_uint_eq(outcome.out[n].step, 3);
}

START_TEST(a_limit_delivers_what_came_before_it)
{
	NEED_LIF();
	NEED_CAN(NMHAL_CAN_RESET_STATE);
	make_burst();
	prepare(&outcome, &kick, 1);
	outcome.op.max_events_per_input = 5;
	expect_run(&outcome, "3:0 3:1 3:2 3:3 3:4");
	outcome.op.max_events_per_input = 3;
	FAILS(NMHAL_E_LIMIT, "3 output events", run(&outcome));
	ck_assert_uint_eq(outcome.report.events_out, 3);
	for (uint32_t n = 0; n < 3; n++)
		ck_assert_uint_eq(outcome.out[n].address, n);
	check_works();
}
END_TEST

START_TEST(a_network_that_never_falls_silent_ends_with_limit)
{
	NEED_LIF();
	if (!make_loop(__func__))
		return;
	prepare(&outcome, &kick, 1);
	outcome.op.max_events_per_input = 500;
	FAILS(NMHAL_E_LIMIT, "reset_state", run(&outcome));
	ck_assert_uint_eq(outcome.report.events_in, 1);
	ck_assert_uint_eq(outcome.report.events_out, 500);
	ck_assert_uint_eq(outcome.out[499].address, 1);
	check_works();
}
END_TEST

START_TEST(a_limit_of_zero_is_the_default)
{
	NEED_LIF();
	if (!make_loop(__func__))
		return;
	prepare(&outcome, &kick, 1);
	FAILS(NMHAL_E_LIMIT, "65536", run(&outcome));
	ck_assert_uint_eq(outcome.report.events_out, NMHAL_MAX_EVENTS_DEFAULT);
	ck_assert_uint_eq(outcome.report.events_lost, NMHAL_MAX_EVENTS_DEFAULT - OUTPUTS);
	check_works();
}
END_TEST

START_TEST(a_deadline_ends_a_run)
{
	NEED_LIF();
	if (!make_loop(__func__))
		return;
	prepare(&outcome, &kick, 1);
	outcome.op.max_events_per_input = NMHAL_NO_LIMIT;
	outcome.op.timeout_ms = 100;
	FAILS(NMHAL_E_TIMEOUT, "reset_state", run(&outcome));
	ck_assert_uint_eq(outcome.report.events_in, 1);
	check_works();
}
END_TEST

static void *interrupt_soon(void *unused)
{
	const struct timespec while_it_runs = {.tv_nsec = 50 * 1000000};

	(void)unused;
	nanosleep(&while_it_runs, NULL);
	nmhal_device_interrupt(conf.dev);
	return NULL;
}

START_TEST(an_interrupt_ends_a_run)
{
	pthread_t thread;

	NEED_LIF();
	if (!make_loop(__func__))
		return;
	prepare(&outcome, &kick, 1);
	outcome.op.max_events_per_input = NMHAL_NO_LIMIT;
	outcome.op.timeout_ms = 30000;
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
	FAILS(NMHAL_E_CANCELED, "reset_state", run(&outcome));
	pthread_join(thread, NULL);
	check_works();
}
END_TEST

START_TEST(an_interrupt_waits_for_the_next_call_and_is_used_up)
{
	int8_t code;

	nmhal_device_interrupt(conf.dev);
	nmhal_device_interrupt(conf.dev);
	FAILS(NMHAL_E_CANCELED, "interrupted", nmhal_read_weights(conf.dev, NULL, &code, 0, NMHAL_CODE_I8, 0));
	read_codes(0, 0, 1, 1, &code);
	check_code(code, 0);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_an_overrun_with_the_number_needed)
{
	NEED_LIF();
	NEED_CAN(NMHAL_CAN_RESET_STATE);
	make_burst();
	prepare(&outcome, &kick, 1);
	outcome.op.out_capacity = 2;
	outcome.out[2].address = 77;
	FAILS(NMHAL_E_OVERRUN, "5", run(&outcome));
	ck_assert_uint_eq(outcome.report.events_out, 5);
	ck_assert_uint_eq(outcome.report.events_lost, 3);
	ck_assert_uint_eq(outcome.out[1].address, 1);
	ck_assert_uint_eq(outcome.out[2].address, 77);
	check_works();
}
END_TEST

TCase *stop_tests(void)
{
	TCase *tcase = tcase_create("stops");

	tcase_add_test(tcase, a_limit_delivers_what_came_before_it);
	tcase_add_test(tcase, a_network_that_never_falls_silent_ends_with_limit);
	tcase_add_test(tcase, a_limit_of_zero_is_the_default);
	tcase_add_test(tcase, a_deadline_ends_a_run);
	tcase_add_test(tcase, an_interrupt_ends_a_run);
	tcase_add_test(tcase, an_interrupt_waits_for_the_next_call_and_is_used_up);
	tcase_add_test(tcase, a_buffer_that_is_too_small_is_an_overrun_with_the_number_needed);
	return tcase;
}
