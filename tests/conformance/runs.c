/* SPDX-License-Identifier: MIT */
/* Runs: steps and attribution, order, leaks of steps, closed loop, queue overflow, counters, refusals. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

static struct outcome outcome;

START_TEST(outputs_carry_the_step_of_their_input)
{
	const struct nmhal_event in[] = {spike(0, 1), spike(7, 1), spike(7, 2), spike(UINT64_C(1) << 40, 1)};

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_ATTRIBUTE);
	set_weight(1, 3, 5);
	set_weight(2, 3, 4);
	set_weight(2, 0, 4);
	set_neuron(3, 4, 0, 0);
	set_neuron(0, 4, 0, 0);
	prepare(&outcome, in, 4);
	expect_run(&outcome, "0:3 7:3 7:0 7:3 1099511627776:3");
	ck_assert_uint_eq(outcome.report.events_in, 4);
	ck_assert_uint_eq(outcome.out[1].core, 0);
	ck_assert_int_eq(outcome.out[1].value, 0);
}
END_TEST

START_TEST(many_outputs_of_one_event_ascend)
{
	const struct nmhal_event in = spike(5, 0);
	uint32_t cols;

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_ORDER);
	cols = conf.caps.cols;
	for (uint32_t n = 0; n < cols; n++)
		set_neuron(n, 0, 0, 0);
	prepare(&outcome, &in, 1);
	OK(run(&outcome));
	ck_assert_uint_eq(outcome.report.events_out, cols);
	for (uint32_t n = 0; n < cols; n++) {
		ck_assert_uint_eq(outcome.out[n].address, n);
		ck_assert_uint_eq(outcome.out[n].step, 5);
	}
}
END_TEST

START_TEST(a_leak_ends_each_step)
{
	const struct nmhal_event in[] = {spike(1, 0), spike(3, 0)};

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_LEAK_EVENTS);
	set_weight(0, 1, 6);
	set_neuron(1, 8, 1, 0);
	set_neuron(2, 0, 0, 0); /* fires at every event */
	prepare(&outcome, in, 2);
	outcome.op.flags = NMHAL_RUN_LEAK_EACH_STEP;
	outcome.op.steps = 5;
	/* neuron 1: 0 | 6, 5 | 4 | 10 fires, 0 | 0 */
	expect_run(&outcome, "0:2 1:2 1:2 2:2 3:1 3:2 3:2 4:2");
	ck_assert_uint_eq(outcome.report.events_in, 7);
	ck_assert_int_eq(potential(1), 0);
}
END_TEST

START_TEST(a_closed_loop_chain_belongs_to_its_input)
{
	const struct nmhal_event in[] = {spike(4, 0), spike(9, 0)};

	NEED_LIF();
	NEED_ATTR("open_loop");
	for (uint32_t n = 0; n < 5; n++) {
		set_weight(n, n + 1, 7);
		set_neuron(n + 1, 7, 0, 0);
	}
	prepare(&outcome, in, 1);
	expect_run(&outcome, "4:1");
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	prepare(&outcome, in, 2);
	expect_run(&outcome, "4:1 4:2 4:3 4:4 4:5 9:1 9:2 9:3 9:4 9:5");
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 1));
	expect_run(&outcome, "4:1 9:1");
}
END_TEST

START_TEST(programming_between_closed_loop_runs_pushes_nothing)
{
	const struct nmhal_event in = spike(0, 5);

	NEED_LIF();
	NEED_ATTR("open_loop");
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	prepare(&outcome, &in, 1);
	expect_run(&outcome, "");
	set_neuron(2, 0, 0, 0); /* potential >= threshold while it is rewritten, byte by byte */
	set_neuron(2, 1, 0, 100);
	set_neuron(2, conf.caps.threshold_max, 0, 0);
	set_weight(2, 3, 7);
	set_neuron(3, conf.caps.threshold_max, 0, 0);
	expect_run(&outcome, "");
	ck_assert_int_eq(potential(3), 0);
}
END_TEST

START_TEST(a_full_queue_drops_and_counts)
{
	const struct nmhal_event in = spike(0, 255);

	NEED(is_tinyodin(), "the queue of tinyodin");
	for (uint32_t n = 0; n < 256; n++) {
		set_weight(255, n, 1);
		set_neuron(n, 1, 0, 0);
		if (n < 255)
			set_weight(n, 0, -1);
	}
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	prepare(&outcome, &in, 1);
	OK(run(&outcome));
	/* The entry at work keeps its place: 127 of the 256 fit, neurons 0..126; each lowers neuron 0 by 1. */
	ck_assert_uint_eq(outcome.report.events_out, 256);
	ck_assert_int_eq(potential(0), -127);
	if (outcome.report.queue_dropped != NMHAL_UNKNOWN)
		ck_assert_uint_eq(outcome.report.queue_dropped, 129);
	if (outcome.report.sops != NMHAL_UNKNOWN)
		ck_assert_uint_eq(outcome.report.sops, 128 * 256);
}
END_TEST

START_TEST(cycles_follow_the_formula)
{
	const struct nmhal_event in[] = {spike(0, 1), event(1, NMHAL_EVENT_LEAK_ONE, 9, 0),
		event(2, NMHAL_EVENT_LEAK_ALL, 0, 0), event(3, NMHAL_EVENT_VIRTUAL, 3, 2)};
	const uint64_t spiking = 7 + 514 + 6 * 2, leak_one = 8, leak_all = 2 * 256 + 6, virtual = 7 + 3;

	NEED(is_tinyodin(), "the clock of tinyodin");
	set_weight(1, 4, 1);
	set_weight(1, 5, 1);
	set_neuron(4, 1, 0, 0);
	set_neuron(5, 1, 0, 0);
	prepare(&outcome, in, 4);
	expect_run(&outcome, "0:4 0:5");
	NEED(outcome.report.cycles != NMHAL_UNKNOWN, "a count of cycles");
	ck_assert_uint_eq(outcome.report.cycles, spiking + leak_one + leak_all + virtual);
	ck_assert_uint_eq(outcome.report.sops, 257);
}
END_TEST

START_TEST(output_source_shows_processed_entries)
{
	const struct nmhal_event in[] = {spike(0, 200), spike(3, 4), event(3, NMHAL_EVENT_VIRTUAL, 1, 3)};

	NEED_ATTR("output_source");
	set_weight(4, 6, 2);
	set_neuron(6, 2, 0, 0);
	OK(nmhal_attr_set_int(conf.dev, "output_source", 1));
	prepare(&outcome, in, 3);
	expect_run(&outcome, "0:200 3:4");
	ck_assert_uint_eq(outcome.out[0].kind, NMHAL_EVENT_PROCESSED);
	ck_assert_int_eq(potential(6), 0);
	OK(nmhal_attr_set_int(conf.dev, "open_loop", 0));
	expect_run(&outcome, "0:200 3:4 3:6");
}
END_TEST

START_TEST(back_to_back_in_open_loop_gives_the_same_events)
{
	enum { COUNT = 200 };
	struct nmhal_event in[COUNT];
	static struct outcome waiting;
	uint32_t rows;

	NEED_LIF();
	NEED_CAN(NMHAL_CAN_BACK_TO_BACK);
	rows = conf.caps.rows;
	for (uint32_t n = 0; n < 5; n++) {
		set_neuron(n, 6 + (int32_t)n, 1, 0);
		for (uint32_t row = 0; row < 8; row++)
			set_weight(row, n, (int32_t)(row + n) % 8);
	}
	for (uint32_t n = 0; n < COUNT; n++)
		in[n] = spike(n / 3, n * 5 % 8 % rows);
	prepare(&waiting, in, COUNT);
	OK(run(&waiting));
	ck_assert_uint_gt(waiting.report.events_out, 100);
	OK(nmhal_reset_state(conf.dev, 0));
	prepare(&outcome, in, COUNT);
	outcome.op.flags = NMHAL_RUN_BACK_TO_BACK;
	OK(run(&outcome));
	ck_assert_uint_eq(outcome.report.events_out, waiting.report.events_out);
	ck_assert_mem_eq(outcome.out, waiting.out, waiting.report.events_out * sizeof(*waiting.out));
}
END_TEST

START_TEST(a_long_run_is_a_row_of_short_ones)
{
	enum { COUNT = 20000 };
	struct nmhal_event *in, *out;
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in_count = COUNT, .out_capacity = COUNT,
		.timeout_ms = RUN_MS};

	NEED_LIF();
	in = calloc(COUNT, sizeof(*in));
	out = calloc(COUNT, sizeof(*out));
	ck_assert(in && out);
	set_weight(2, 1, 1);
	set_neuron(1, 3, 0, 0);
	for (size_t n = 0; n < COUNT; n++)
		in[n] = spike(n * 10, 2);
	op.in = in;
	op.out = out;
	OK(nmhal_run_spikes(conf.dev, &op, &report));
	ck_assert_uint_eq(report.events_in, COUNT);
	ck_assert_uint_eq(report.events_out, COUNT / 3);
	for (size_t n = 0; n < COUNT / 3; n++)
		ck_assert_uint_eq(out[n].step, (3 * n + 2) * 10);
	free(in);
	free(out);
}
END_TEST

START_TEST(runs_are_numbered_from_one)
{
	const struct nmhal_event in = spike(0, 0);

	NEED_CAN(NMHAL_CAN_SPIKES);
	prepare(&outcome, &in, 1);
	for (uint32_t n = 1; n < 4; n++) {
		OK(run(&outcome));
		ck_assert_uint_eq(outcome.report.run, n);
	}
}
END_TEST

static void refuse(const struct nmhal_event *in, size_t count, const char *word)
{
	prepare(&outcome, in, count);
	FAILS(NMHAL_E_INVALID, word, run(&outcome));
}

START_TEST(bad_events_are_refused_by_their_number)
{
	struct nmhal_event in[3];

	NEED_CAN(NMHAL_CAN_SPIKES);
	in[0] = spike(3, 0);
	in[1] = spike(2, 0);
	refuse(in, 2, "event 1");
	in[1] = spike(3, conf.caps.rows);
	refuse(in, 2, "event 1");
	in[1] = event(3, NMHAL_EVENT_PROCESSED, 0, 0);
	refuse(in, 2, "event 1");
	in[1] = event(3, 99, 0, 0);
	refuse(in, 2, "event 1");
	in[1] = spike(3, 0);
	in[1].core = (uint16_t)conf.caps.cores;
	refuse(in, 2, "core");
	NEED_CAN(NMHAL_CAN_LEAK_EVENTS);
	in[1] = event(3, NMHAL_EVENT_LEAK_ONE, conf.caps.leak_one_address_max + 1, 0);
	refuse(in, 2, "event 1");
	NEED_CAN(NMHAL_CAN_VIRTUAL_EVENTS);
	in[1] = event(3, NMHAL_EVENT_VIRTUAL, conf.caps.virtual_address_max + 1, 1);
	refuse(in, 2, "event 1");
	in[1] = event(3, NMHAL_EVENT_VIRTUAL, 0, conf.caps.virtual_max + 1);
	refuse(in, 2, "event 1");
}
END_TEST

START_TEST(bad_runs_are_refused)
{
	const struct nmhal_event in = spike(3, 0);

	NEED_CAN(NMHAL_CAN_SPIKES);
	prepare(&outcome, &in, 1);
	outcome.op.steps = 3;
	FAILS(NMHAL_E_INVALID, "step 3", run(&outcome));
	prepare(&outcome, NULL, 1);
	FAILS(NMHAL_E_INVALID, "NULL", run(&outcome));
	prepare(&outcome, &in, 1);
	outcome.op.flags = 1u << 30;
	FAILS(NMHAL_E_INVALID, "flags", run(&outcome));
	prepare(&outcome, &in, 1);
	outcome.op.struct_size = 8;
	FAILS(NMHAL_E_INVALID, "struct", run(&outcome));
	prepare(&outcome, &in, 1);
	outcome.op.timeout_ms = -3;
	FAILS(NMHAL_E_INVALID, "timeout", run(&outcome));
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_run_spikes(conf.dev, NULL, NULL));
}
END_TEST

TCase *run_tests(void)
{
	TCase *tcase = tcase_create("runs");

	tcase_add_test(tcase, outputs_carry_the_step_of_their_input);
	tcase_add_test(tcase, many_outputs_of_one_event_ascend);
	tcase_add_test(tcase, a_leak_ends_each_step);
	tcase_add_test(tcase, a_closed_loop_chain_belongs_to_its_input);
	tcase_add_test(tcase, programming_between_closed_loop_runs_pushes_nothing);
	tcase_add_test(tcase, a_full_queue_drops_and_counts);
	tcase_add_test(tcase, cycles_follow_the_formula);
	tcase_add_test(tcase, output_source_shows_processed_entries);
	tcase_add_test(tcase, back_to_back_in_open_loop_gives_the_same_events);
	tcase_add_test(tcase, a_long_run_is_a_row_of_short_ones);
	tcase_add_test(tcase, runs_are_numbered_from_one);
	tcase_add_test(tcase, bad_events_are_refused_by_their_number);
	tcase_add_test(tcase, bad_runs_are_refused);
	return tcase;
}
