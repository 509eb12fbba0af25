/* SPDX-License-Identifier: MIT */
/* What a run puts on the wire: registers, gate, events, resets, and how outputs come back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wirebus.h"

static struct wirebus bus;
static nmhal_context *ctx;
static nmhal_device *dev;

static void setup(void)
{
	wirebus_init(&bus);
	ctx = wirebus_context();
	dev = wirebus_open(ctx, &bus);
	wirebus_forget(&bus);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ck_assert(bus.closed && bus.gated);
	wirebus_free(&bus);
}

static struct nmhal_event spike(uint64_t step, uint32_t address)
{
	return (struct nmhal_event){.step = step, .address = address, .kind = NMHAL_EVENT_SPIKE};
}

static struct nmhal_spike_run run_of(const struct nmhal_event *in, size_t count)
{
	return (struct nmhal_spike_run){.struct_size = sizeof(struct nmhal_spike_run), .in = in, .in_count = count};
}

static int run(const struct nmhal_spike_run *op, struct nmhal_spike_report *report)
{
	report->struct_size = sizeof(*report);
	return nmhal_run_spikes(dev, op, report);
}

static void run_ok(const struct nmhal_spike_run *op)
{
	struct nmhal_spike_report report;

	ck_assert_msg(run(op, &report) == NMHAL_OK, "%s", nmhal_last_error());
}

START_TEST(each_kind_of_event_has_its_word)
{
	const struct nmhal_event in[] = {
		spike(0, 0), spike(0, 255),
		{.step = 1, .kind = NMHAL_EVENT_LEAK_ALL},
		{.step = 2, .kind = NMHAL_EVENT_LEAK_ONE, .address = 254},
		{.step = 3, .kind = NMHAL_EVENT_VIRTUAL, .address = 15, .value = -8},
		{.step = 3, .kind = NMHAL_EVENT_VIRTUAL, .address = 3, .value = 7},
		{.step = 4, .kind = NMHAL_EVENT_VIRTUAL, .address = 9, .value = 0},
	};
	struct nmhal_spike_run op = run_of(in, 7);

	run_ok(&op);
	wirebus_expect(&bus, "0000000000 i000 i0ff i1ff i1fe i28f i273 i209 0000000001");
	wirebus_forget(&bus);
	op.flags = NMHAL_RUN_BACK_TO_BACK;
	run_ok(&op);
	wirebus_expect(&bus, "0000000000 e000 e0ff e1ff e1fe e28f e273 e209 0000000001");
}
END_TEST

START_TEST(leak_each_step_ends_every_step_with_a_leak)
{
	const struct nmhal_event in[] = {spike(1, 7), spike(1, 8), spike(3, 9)};
	struct nmhal_spike_run op = run_of(in, 3);
	struct nmhal_spike_report report;

	op.flags = NMHAL_RUN_LEAK_EACH_STEP;
	op.steps = 6;
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	wirebus_expect(&bus, "0000000000 i1ff i007 i008 i1ff i1ff i009 i1ff i1ff i1ff 0000000001");
	ck_assert_uint_eq(report.events_in, 9);
	wirebus_forget(&bus);
	op.steps = 0;
	run_ok(&op);
	wirebus_expect(&bus, "0000000000 i1ff i007 i008 i1ff i1ff i009 i1ff 0000000001");
}
END_TEST

START_TEST(outputs_of_added_leaks_carry_their_step)
{
	const struct nmhal_event in[] = {spike(1, 7)};
	struct nmhal_event out[8];
	struct nmhal_spike_run op = run_of(in, 1);

	op.flags = NMHAL_RUN_LEAK_EACH_STEP;
	op.steps = 3;
	op.out = out;
	op.out_capacity = 8;
	bus.outputs[0x1FF] = 1;
	bus.outputs[7] = 2;
	run_ok(&op);
	ck_assert_uint_eq(out[0].step, 0);
	ck_assert_uint_eq(out[1].step, 1);
	ck_assert_uint_eq(out[2].step, 1);
	ck_assert_uint_eq(out[2].address, 1);
	ck_assert_uint_eq(out[3].step, 1);
	ck_assert_uint_eq(out[3].address, 0);
	ck_assert_uint_eq(out[4].step, 2);
	ck_assert_uint_eq(out[4].kind, NMHAL_EVENT_SPIKE);
}
END_TEST

START_TEST(registers_are_written_when_they_change_and_memories_only_in_open_loop)
{
	const struct nmhal_event in = spike(0, 1);
	const struct nmhal_neuron neuron = {.threshold = 1, .enabled = 1};
	const struct nmhal_spike_run op = run_of(&in, 1);

	ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "max_neuron", 9), NMHAL_OK);
	wirebus_expect(&bus, "");
	run_ok(&op);
	wirebus_expect(&bus, "0000100000 0000300009 0000000000 i001 0000000001");
	wirebus_forget(&bus);
	run_ok(&op);
	wirebus_expect(&bus, "0000000000 i001 0000000001");
	wirebus_forget(&bus);
	ck_assert_int_eq(nmhal_set_neurons(dev, 0, 0, 1, &neuron, 0), NMHAL_OK);
	wirebus_expect(&bus, "0000100001 5000000000 5010000010 5020000000 5030000000 0000000001");
	wirebus_forget(&bus);
	run_ok(&op);
	wirebus_expect(&bus, "0000100000 0000000000 i001 0000000001");
	wirebus_forget(&bus);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "output_source", 1), NMHAL_OK);
	run_ok(&op);
	wirebus_expect(&bus, "0000200001 0000000000 i001 0000000001");
}
END_TEST

START_TEST(a_run_without_events_opens_and_closes_the_gate)
{
	struct nmhal_spike_run op = run_of(NULL, 0);

	op.steps = 3;
	run_ok(&op);
	wirebus_expect(&bus, "0000000000 0000000001");
}
END_TEST

START_TEST(long_runs_keep_every_output_in_its_step)
{
	enum { COUNT = 10000 };
	struct nmhal_event *in = calloc(COUNT, sizeof(*in)), *out = calloc(3 * COUNT, sizeof(*out));
	struct nmhal_spike_run op = run_of(in, COUNT);
	struct nmhal_spike_report report;
	size_t n = 0;

	ck_assert(in && out);
	for (uint32_t k = 0; k < COUNT; k++) {
		in[k] = spike((uint64_t)k * k, k % 200);
		bus.outputs[k % 200] = k % 200 % 4;
	}
	bus.accept = 100;
	op.out = out;
	op.out_capacity = 3 * COUNT;
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	for (size_t k = 0; k < COUNT; k++)
		for (uint32_t address = 0; address < k % 200 % 4; address++, n++) {
			ck_assert_uint_eq(out[n].step, k * k);
			ck_assert_uint_eq(out[n].address, address);
		}
	ck_assert_uint_eq(report.events_in, COUNT);
	ck_assert_uint_eq(report.events_out, n);
	ck_assert_uint_eq(report.events_lost, 0);
	ck_assert_uint_eq(bus.count, COUNT + 2);
	free(in);
	free(out);
}
END_TEST

START_TEST(limit_delivers_exactly_that_many_and_resets_before_gating)
{
	const struct nmhal_event in[] = {spike(2, 4), spike(5, 6), spike(6, 4)};
	struct nmhal_event out[64];
	struct nmhal_spike_run op = run_of(in, 3);
	struct nmhal_spike_report report;

	bus.outputs[4] = 10;
	bus.outputs[6] = 11;
	bus.accept = 1;
	op.out = out;
	op.out_capacity = 64;
	op.max_events_per_input = 10;
	ck_assert_int_eq(run(&op, &report), NMHAL_E_LIMIT);
	wirebus_expect(&bus, "0000000000 i004 i006 R 0000000001");
	ck_assert_uint_eq(report.events_out, 20);
	ck_assert_uint_eq(out[9].step, 2);
	ck_assert_uint_eq(out[10].step, 5);
	ck_assert_uint_eq(out[19].address, 9);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "step 5"));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "10 output events"));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "reset_state"));
	op.max_events_per_input = 11;
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	ck_assert_uint_eq(report.events_out, 31);
}
END_TEST

START_TEST(timeout_resets_before_gating)
{
	const struct nmhal_event in = spike(0, 1);
	struct nmhal_spike_run op = run_of(&in, 1);
	struct nmhal_spike_report report;

	bus.outputs[1] = UINT32_MAX;
	op.max_events_per_input = NMHAL_NO_LIMIT;
	op.timeout_ms = 20;
	ck_assert_int_eq(run(&op, &report), NMHAL_E_TIMEOUT);
	wirebus_expect(&bus, "0000000000 i001 R 0000000001");
	ck_assert_uint_eq(report.events_in, 1);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "deadline passed after 1 sent"));
}
END_TEST

START_TEST(a_waiting_interrupt_cancels_before_anything_is_sent)
{
	const struct nmhal_event in = spike(0, 1);
	const struct nmhal_spike_run op = run_of(&in, 1);
	struct nmhal_spike_report report;

	nmhal_device_interrupt(dev);
	ck_assert_int_eq(run(&op, &report), NMHAL_E_CANCELED);
	wirebus_expect(&bus, "");
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	wirebus_expect(&bus, "0000000000 i001 0000000001");
}
END_TEST

START_TEST(an_output_without_input_is_a_protocol_error)
{
	const struct nmhal_event in = spike(0, 1);
	struct nmhal_spike_run op = run_of(&in, 1);
	struct nmhal_spike_report report;

	bus.outputs[1] = 1;
	bus.bad_index = true;
	ck_assert_int_eq(run(&op, &report), NMHAL_E_PROTOCOL);
	wirebus_expect(&bus, "0000000000 i001 R 0000000001");
	ck_assert_uint_eq(report.events_out, 0);
}
END_TEST

START_TEST(reports_hold_what_the_bus_can_count)
{
	const struct nmhal_event in = spike(0, 1);
	struct nmhal_spike_run op = run_of(&in, 1);
	struct nmhal_spike_report report;
	uint64_t value;

	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	ck_assert_uint_eq(report.sops, NMHAL_UNKNOWN);
	ck_assert_uint_eq(report.cycles, NMHAL_UNKNOWN);
	ck_assert_uint_eq(report.run, 1);
	bus.counts = true;
	bus.outputs[1] = 3;
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	ck_assert_uint_eq(report.sops, 20); /* "sops", "cycles" at the start, and the same again at the end */
	ck_assert_uint_eq(report.cycles, 20);
	ck_assert_uint_eq(report.queue_dropped, NMHAL_UNKNOWN);
	ck_assert_uint_eq(report.run, 2);
	op.flags = NMHAL_RUN_BACK_TO_BACK;
	ck_assert_int_eq(run(&op, &report), NMHAL_OK);
	ck_assert_uint_eq(report.cycles, NMHAL_UNKNOWN);
	ck_assert_int_eq(nmhal_counter_get(dev, "events_in", &value), NMHAL_OK);
	ck_assert_uint_eq(value, 3);
	ck_assert_int_eq(nmhal_counter_get(dev, "events_out", &value), NMHAL_OK);
	ck_assert_uint_eq(value, 6);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire runs");
	TCase *tcase = tcase_create("runs");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_kind_of_event_has_its_word);
	tcase_add_test(tcase, leak_each_step_ends_every_step_with_a_leak);
	tcase_add_test(tcase, outputs_of_added_leaks_carry_their_step);
	tcase_add_test(tcase, registers_are_written_when_they_change_and_memories_only_in_open_loop);
	tcase_add_test(tcase, a_run_without_events_opens_and_closes_the_gate);
	tcase_add_test(tcase, long_runs_keep_every_output_in_its_step);
	tcase_add_test(tcase, limit_delivers_exactly_that_many_and_resets_before_gating);
	tcase_add_test(tcase, timeout_resets_before_gating);
	tcase_add_test(tcase, a_waiting_interrupt_cancels_before_anything_is_sent);
	tcase_add_test(tcase, an_output_without_input_is_a_protocol_error);
	tcase_add_test(tcase, reports_hold_what_the_bus_can_count);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
