/* SPDX-License-Identifier: MIT */
/*
 * The neuron that marks the steps of a run, and what is left of a run that fails: the neuron has its own word back, bit
 * for bit, before any other call sees it, and what can be found out about lost outputs is found out.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chipbus.h"

static struct chipbus bus;
static nmhal_context *ctx;
static nmhal_device *dev;
static char warnings[4096];

static void log_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	size_t used = strlen(warnings);

	(void)user;
	(void)uri;
	if (level == NMHAL_LOG_WARN)
		snprintf(warnings + used, sizeof(warnings) - used, "%s\n", message);
}

static void setup(void)
{
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log = log_line};

	warnings[0] = '\0';
	chipbus_init(&bus);
	ck_assert_int_eq(nmhal_context_new(&params, &ctx), NMHAL_OK);
	chipbus_link(ctx);
	dev = chipbus_open(ctx, &bus);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	chipbus_free(&bus);
}

#define MARKER_WORD 0xD5ABC123u /* disabled, leak 0x55, threshold 0xABC, potential 0x123 */

static const struct nmhal_neuron marker_neuron = {.threshold = 0xABC, .leak = 0x55, .potential = 0x123, .enabled = 0};

/* Neuron 254 will be the marker; the others fire at every event. */
static void prepare_marker(void)
{
	struct nmhal_neuron neurons[256];

	for (int n = 0; n < 256; n++)
		neurons[n] = n == 254 ? marker_neuron : (struct nmhal_neuron){.enabled = 1};
	ck_assert_msg(nmhal_set_neurons(dev, 0, 0, 256, neurons, 0) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_int_eq(nmhal_attr_set_int(dev, "max_neuron", 20), NMHAL_OK);
}

static uint32_t marker_word(void)
{
	return tinyodin_neuron_word(bus.chip, 254);
}

/* 100 events a step. The output goes to the ring. */
static int run(int32_t timeout_ms)
{
	static struct nmhal_event in[6000];
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 6000,
		.timeout_ms = timeout_ms};

	for (uint32_t n = 0; n < 6000; n++)
		in[n] = (struct nmhal_event){.step = n / 100 * 3, .address = n % 256};
	chipbus_forget(&bus);
	return nmhal_run_spikes(dev, &op, NULL);
}

static int get_marker(void)
{
	struct nmhal_neuron neuron;
	int status = nmhal_get_neurons(dev, 0, 254, 1, &neuron, 0);

	if (status == NMHAL_OK)
		ck_assert_mem_eq(&neuron, &marker_neuron, sizeof(neuron));
	return status;
}

static int set_other(void)
{
	const struct nmhal_neuron neuron = {.enabled = 1};

	return nmhal_set_neurons(dev, 0, 253, 1, &neuron, 0);
}

static int read_weights(void)
{
	int8_t code;

	return nmhal_read_weights(dev, &(struct nmhal_region){.rows = 1, .cols = 1}, &code, 0, NMHAL_CODE_I8, 0);
}

static int reset_device(void)
{
	return nmhal_device_reset(dev, 0);
}

static int run_again(void)
{
	const struct nmhal_event in = {.address = 1};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &in, .in_count = 1};

	return nmhal_run_spikes(dev, &op, NULL);
}

static int close_device(void)
{
	int status = nmhal_device_close(dev);

	nmhal_device_unref(dev);
	dev = chipbus_open(ctx, &bus);
	return status;
}

static int (*const next_calls[])(void) = {
	get_marker, set_other, read_weights, reset_device, run_again, close_device,
};
#define NEXT_CALLS (sizeof(next_calls) / sizeof(*next_calls))

/* After `count` calls in a row failed from the nth call of a run on, the next operation finds the marker's own word. */
static void fail_calls(size_t count)
{
	bool dirty = false;
	size_t fail_at = 0;
	int status;

	do {
		prepare_marker();
		warnings[0] = '\0';
		bus.fail_at = fail_at;
		bus.fail_count = count;
		status = run(0);
		bus.fail_at = CHIPBUS_NEVER;
		ck_assert(status == NMHAL_OK || status == NMHAL_E_IO);
		if (marker_word() != MARKER_WORD) {
			dirty = true;
			ck_assert_int_ne(status, NMHAL_OK);
			ck_assert_ptr_nonnull(strstr(warnings, "neuron 254"));
			ck_assert_ptr_nonnull(strstr(warnings, "0xd5abc123"));
		}
		ck_assert_msg(next_calls[fail_at % NEXT_CALLS]() == NMHAL_OK, "%s", nmhal_last_error());
		ck_assert_uint_eq(marker_word(), MARKER_WORD);
		chipbus_check(&bus);
		fail_at++;
	} while (status != NMHAL_OK);
	ck_assert(dirty || count == 1); /* after one failure, mostly, the end of the run itself gives the word back */
	ck_assert_uint_gt(fail_at, 5);
}

START_TEST(a_failure_at_every_call_leaves_the_marker_as_it_was)
{
	bus.seed = 77 + (uint64_t)_i;
	fail_calls((size_t)_i % 4 + 1);
}
END_TEST

START_TEST(a_failed_recovery_is_tried_again)
{
	for (size_t call = 0; call < NEXT_CALLS - 1; call++)
		for (size_t fail_at = 0; fail_at < 3; fail_at++) { /* RST, registers, the word */
			prepare_marker();
			bus.fail_at = 2; /* the first call of events, and all after it */
			bus.fail_count = SIZE_MAX / 2;
			ck_assert_int_eq(run(0), NMHAL_E_IO);
			ck_assert_uint_eq(marker_word(), 0);
			chipbus_forget(&bus);
			bus.fail_at = fail_at;
			bus.fail_count = 1;
			ck_assert_int_eq(next_calls[call](), NMHAL_E_IO);
			bus.fail_at = CHIPBUS_NEVER;
			ck_assert_int_eq(get_marker(), NMHAL_OK);
			ck_assert_uint_eq(marker_word(), MARKER_WORD);
		}
}
END_TEST

START_TEST(close_on_a_dead_bus_names_the_word)
{
	prepare_marker();
	bus.fail_at = 2;
	bus.fail_count = SIZE_MAX / 2;
	ck_assert_int_eq(run(0), NMHAL_E_IO);
	warnings[0] = '\0';
	(void)nmhal_device_close(dev);
	ck_assert_ptr_nonnull(strstr(warnings, "neuron 254"));
	ck_assert_ptr_nonnull(strstr(warnings, "0xd5abc123"));
	ck_assert_ptr_nonnull(strstr(warnings, "nmhal_set_neurons"));
	ck_assert(bus.closed);
}
END_TEST

START_TEST(an_interrupt_at_every_call_leaves_the_marker_as_it_was)
{
	size_t call = 0;
	bool interrupted;
	int status;

	bus.dev = dev;
	do {
		prepare_marker();
		bus.interrupt_at = call++;
		status = run(0);
		ck_assert(status == NMHAL_OK || status == NMHAL_E_CANCELED);
		ck_assert_uint_eq(marker_word(), MARKER_WORD);
		interrupted = bus.calls > bus.interrupt_at;
		bus.interrupt_at = CHIPBUS_NEVER;
		ck_assert(interrupted || status == NMHAL_OK);
		if (interrupted && status == NMHAL_OK) /* after the last look at it: the next run takes it */
			ck_assert_int_eq(run(0), NMHAL_E_CANCELED);
	} while (interrupted);
	ck_assert_uint_gt(call, 4);
	ck_assert_int_eq(run(0), NMHAL_OK);
}
END_TEST

START_TEST(a_deadline_leaves_the_marker_as_it_was)
{
	prepare_marker();
	bus.mute = true;
	ck_assert_int_eq(run(20), NMHAL_E_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "reset_state"));
	ck_assert_uint_eq(bus.resets, 1);
	ck_assert_uint_eq(marker_word(), MARKER_WORD);
	bus.mute = false;
	ck_assert_int_eq(run(0), NMHAL_OK);
	ck_assert_str_eq(warnings, "");
}
END_TEST

START_TEST(a_lost_output_is_found_where_outputs_are_counted)
{
	prepare_marker();
	ck_assert_int_eq(nmhal_attr_set_int(dev, "output_source", 1), NMHAL_OK);
	bus.lose_at = 1234;
	ck_assert_int_eq(run(0), NMHAL_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "lost or changed"));
	bus.lose_at = CHIPBUS_NEVER;
	bus.double_at = 5999;
	bus.seed = 3; /* the last output and its double come in one call */
	ck_assert_int_eq(run(0), NMHAL_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "after all that were due"));
	bus.double_at = CHIPBUS_NEVER;
	ck_assert_int_eq(run(0), NMHAL_OK);
}
END_TEST

START_TEST(a_lost_mark_ends_at_the_deadline)
{
	prepare_marker();
	bus.lose_at = 2100; /* 100 events of a step, 21 spikes each, then the mark */
	ck_assert_int_eq(run(20), NMHAL_E_TIMEOUT);
	ck_assert_uint_eq(marker_word(), MARKER_WORD);
	bus.lose_at = CHIPBUS_NEVER;
	ck_assert_int_eq(run(0), NMHAL_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire marker");
	TCase *tcase = tcase_create("marker");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_failure_at_every_call_leaves_the_marker_as_it_was, 0, 12);
	tcase_add_test(tcase, a_failed_recovery_is_tried_again);
	tcase_add_test(tcase, close_on_a_dead_bus_names_the_word);
	tcase_add_test(tcase, an_interrupt_at_every_call_leaves_the_marker_as_it_was);
	tcase_add_test(tcase, a_deadline_leaves_the_marker_as_it_was);
	tcase_add_test(tcase, a_lost_output_is_found_where_outputs_are_counted);
	tcase_add_test(tcase, a_lost_mark_ends_at_the_deadline);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
