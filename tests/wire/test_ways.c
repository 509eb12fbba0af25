/* SPDX-License-Identifier: MIT */
/* Which output belongs to which step, on a bus that does not say so: every way gives what the emulator gives. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chipbus.h"

#define ROOM 400000u

static struct chipbus bus;
static nmhal_context *ctx;
static nmhal_device *dev, *emulator;
static struct nmhal_event *out, *expected;

static void setup(void)
{
	chipbus_init(&bus);
	ck_assert_int_eq(nmhal_context_new(NULL, &ctx), NMHAL_OK);
	chipbus_link(ctx);
	dev = chipbus_open(ctx, &bus);
	ck_assert_int_eq(nmhal_device_open(ctx, "sim:tinyodin", NULL, &emulator), NMHAL_OK);
	out = calloc(ROOM, sizeof(*out));
	expected = calloc(ROOM, sizeof(*expected));
	ck_assert(out && expected);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_device_unref(emulator);
	nmhal_context_unref(ctx);
	free(out);
	free(expected);
	chipbus_free(&bus);
}

static void set(const char *key, int64_t value)
{
	ck_assert_int_eq(nmhal_attr_set_int(dev, key, value), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(emulator, key, value), NMHAL_OK);
}

static void set_neurons(const struct nmhal_neuron neurons[256])
{
	ck_assert_msg(nmhal_set_neurons(dev, 0, 0, 256, neurons, 0) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_int_eq(nmhal_set_neurons(emulator, 0, 0, 256, neurons, 0), NMHAL_OK);
}

/* Weights of about zero mean, and neurons of which many fire now and then; none of them alike. */
static void program(uint64_t *seed)
{
	static int8_t codes[65536];
	struct nmhal_neuron neurons[256];
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};

	for (size_t n = 0; n < 65536; n++)
		codes[n] = (int8_t)((int)chipbus_random(seed, 16) - 8);
	for (int n = 0; n < 256; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = (int32_t)chipbus_random(seed, 30),
			.leak = (int32_t)chipbus_random(seed, 4), .potential = (int32_t)chipbus_random(seed, 30) - 20,
			.enabled = chipbus_random(seed, 5) > 0};
	ck_assert_msg(nmhal_program_weights(dev, &op, NULL) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_int_eq(nmhal_program_weights(emulator, &op, NULL), NMHAL_OK);
	set_neurons(neurons);
}

static void same_neurons(void)
{
	struct nmhal_neuron ours[256], theirs[256];

	ck_assert_int_eq(nmhal_get_neurons(dev, 0, 0, 256, ours, 0), NMHAL_OK);
	ck_assert_int_eq(nmhal_get_neurons(emulator, 0, 0, 256, theirs, 0), NMHAL_OK);
	for (int n = 0; n < 256; n++)
		ck_assert_msg(!memcmp(&ours[n], &theirs[n], sizeof(*ours)), "neuron %d differs", n);
}

static void same_events(const struct nmhal_spike_report *ours, const struct nmhal_spike_report *theirs)
{
	ck_assert_uint_eq(ours->events_out, theirs->events_out);
	ck_assert_uint_le(ours->events_out, ROOM);
	for (size_t n = 0; n < ours->events_out; n++)
		ck_assert_msg(!memcmp(&out[n], &expected[n], sizeof(*out)),
			"output %zu of %zu: step %llu, address %u; expected step %llu, address %u", n,
			(size_t)ours->events_out, (unsigned long long)out[n].step, out[n].address,
			(unsigned long long)expected[n].step, expected[n].address);
}

/* Runs on both; the same status and the same events. Returns the status. */
static int run_both(struct nmhal_spike_run op)
{
	struct nmhal_spike_report ours = {.struct_size = sizeof(ours)}, theirs = ours;
	int status, wanted;

	op.out_capacity = ROOM;
	op.out = expected;
	wanted = nmhal_run_spikes(emulator, &op, &theirs);
	op.out = out;
	chipbus_forget(&bus);
	status = nmhal_run_spikes(dev, &op, &ours);
	ck_assert_msg(status == wanted, "%d, expected %d: %s", status, wanted, nmhal_last_error());
	same_events(&ours, &theirs);
	if (status == NMHAL_OK) /* after LIMIT it depends on how far ahead of its outputs a bus takes inputs */
		ck_assert_uint_eq(ours.events_in, theirs.events_in);
	ck_assert_uint_eq(ours.cycles, NMHAL_UNKNOWN);
	ck_assert_uint_eq(ours.sops, NMHAL_UNKNOWN);
	ck_assert_uint_eq(ours.queue_dropped, NMHAL_UNKNOWN);
	chipbus_check(&bus);
	return status;
}

static struct nmhal_spike_run run_of(const struct nmhal_event *in, size_t count)
{
	return (struct nmhal_spike_run){.struct_size = sizeof(struct nmhal_spike_run), .in = in, .in_count = count};
}

/* Events of all kinds; steps that have none, one or many. */
static void fill_events(uint64_t *seed, struct nmhal_event *in, size_t count)
{
	const uint32_t crowd = 1 + chipbus_random(seed, 40);
	uint64_t step = chipbus_random(seed, 3);

	for (size_t n = 0; n < count; n++) {
		const uint32_t kind = chipbus_random(seed, 10);

		if (!chipbus_random(seed, crowd))
			step += 1 + chipbus_random(seed, 4);
		in[n] = (struct nmhal_event){.step = step, .kind = NMHAL_EVENT_SPIKE,
			.address = chipbus_random(seed, 256)};
		if (kind == 1)
			in[n] = (struct nmhal_event){.step = step, .kind = NMHAL_EVENT_LEAK_ALL};
		else if (kind == 2)
			in[n] = (struct nmhal_event){.step = step, .kind = NMHAL_EVENT_LEAK_ONE,
				.address = 255 - 1 - chipbus_random(seed, 20)};
		else if (kind <= 4)
			in[n] = (struct nmhal_event){.step = step, .kind = NMHAL_EVENT_VIRTUAL,
				.address = chipbus_random(seed, 16),
				.value = (int8_t)((int)chipbus_random(seed, 16) - 8)};
	}
}

START_TEST(random_runs_give_what_the_emulator_gives)
{
	static const int64_t max_neurons[] = {255, 254, 253, 240, 99, 14, 0};
	struct nmhal_event in[300];
	uint64_t seed = 1000 + (uint64_t)_i;

	bus.seed = seed;
	program(&seed);
	for (int episode = 0; episode < 12; episode++) {
		struct nmhal_spike_run op = run_of(in, chipbus_random(&seed, 300));
		const bool open_loop = chipbus_random(&seed, 4), aer_src = chipbus_random(&seed, 2);
		size_t inputs;

		set("open_loop", open_loop);
		set("output_source", aer_src);
		set("max_neuron", max_neurons[chipbus_random(&seed, 7)]);
		fill_events(&seed, in, op.in_count);
		if (!open_loop) /* a network that never falls silent ends with LIMIT */
			op.max_events_per_input = 5000;
		if (chipbus_random(&seed, 2)) {
			op.flags = NMHAL_RUN_LEAK_EACH_STEP;
			op.steps = op.in_count ? in[op.in_count - 1].step + 1 + chipbus_random(&seed, 9) : 5;
		}
		if (open_loop && chipbus_random(&seed, 2))
			op.flags |= NMHAL_RUN_BACK_TO_BACK;
		if (run_both(op) != NMHAL_OK)
			program(&seed); /* potentials are undefined after LIMIT */
		inputs = bus.waited + bus.streamed;
		ck_assert(bus.waited == inputs || bus.streamed == inputs);
		if (!open_loop)
			ck_assert_uint_eq(bus.streamed, 0);
		if (open_loop && aer_src)
			ck_assert_uint_eq(bus.waited, 0);
		same_neurons();
	}
}
END_TEST

static const struct nmhal_event *many_spikes(size_t count, size_t in_a_step)
{
	static struct nmhal_event in[20000];

	ck_assert_uint_le(count, 20000);
	for (size_t n = 0; n < count; n++)
		in[n] = (struct nmhal_event){.step = n / in_a_step * 3, .address = (uint32_t)(n * 7 % 256)};
	return in;
}

START_TEST(long_runs_stream_without_an_idle_point)
{
	const struct nmhal_spike_run op = run_of(many_spikes(20000, 5), 20000);
	uint64_t seed = 5;

	program(&seed);
	set("max_neuron", 100);
	ck_assert_int_eq(run_both(op), NMHAL_OK);
	ck_assert_uint_eq(bus.streamed, 20000 + 4000); /* and a mark for each of the steps that have events */
	ck_assert_uint_eq(bus.waited, 0);
	ck_assert_uint_eq(bus.answered, 1);   /* the marker's word */
	ck_assert_uint_eq(bus.spi_calls, 3);  /* that, its frames and the gate; its own word and the gate */
	set("output_source", 1);
	ck_assert_int_eq(run_both(op), NMHAL_OK);
	ck_assert_uint_eq(bus.streamed, 20000);
	ck_assert_uint_eq(bus.answered, 1);   /* the end */
	ck_assert_uint_eq(bus.spi_calls, 3);
	same_neurons();
}
END_TEST

START_TEST(a_closed_loop_run_waits_for_idle)
{
	struct nmhal_spike_run op = run_of(many_spikes(200, 2), 200);
	uint64_t seed = 6;
	int status;

	program(&seed);
	set("open_loop", 0);
	set("max_neuron", 7);
	op.max_events_per_input = 100;
	status = run_both(op);
	ck_assert(status == NMHAL_OK || status == NMHAL_E_LIMIT);
	ck_assert_uint_gt(bus.waited, 0);
	ck_assert_uint_eq(bus.streamed, 0);
	/* Which input a spike overtakes back to back is not defined: waiting is one of the possible orders. */
	op.flags = NMHAL_RUN_BACK_TO_BACK;
	chipbus_forget(&bus);
	op.out = out;
	op.out_capacity = ROOM;
	status = nmhal_run_spikes(dev, &op, NULL);
	ck_assert(status == NMHAL_OK || status == NMHAL_E_LIMIT);
	ck_assert_uint_gt(bus.waited, 0);
	ck_assert_uint_eq(bus.streamed, 0);
}
END_TEST

/* The marker of a run whose events reach `count` neurons from `first` on downwards; 0: none, it waited for idle. */
static unsigned marker_of(int64_t max_neuron, unsigned first, unsigned count)
{
	struct nmhal_event in[256] = {{.address = 3}};
	size_t n = 1;

	set("max_neuron", max_neuron);
	for (; n <= count; n++)
		in[n] = (struct nmhal_event){.kind = NMHAL_EVENT_LEAK_ONE, .address = first + 1 - (uint32_t)n};
	ck_assert_int_eq(run_both(run_of(in, n)), NMHAL_OK);
	same_neurons();
	if (bus.waited) {
		ck_assert_uint_eq(bus.streamed, 0);
		return 0;
	}
	ck_assert_uint_eq(bus.last_word & 0x300, 0x100);
	return bus.last_word & 0xFF;
}

START_TEST(the_marker_is_a_neuron_that_nothing_reaches)
{
	const struct nmhal_event virtual[] = {{.kind = NMHAL_EVENT_LEAK_ONE, .address = 254},
		{.kind = NMHAL_EVENT_VIRTUAL, .address = 15, .value = 1},
		{.kind = NMHAL_EVENT_VIRTUAL, .address = 14, .value = 2}};
	uint64_t seed = 7;

	program(&seed);
	ck_assert_uint_eq(marker_of(255, 0, 0), 0);
	ck_assert_uint_eq(marker_of(254, 0, 0), 0);
	ck_assert_uint_eq(marker_of(253, 0, 0), 254);
	ck_assert_uint_eq(marker_of(253, 254, 1), 0);
	ck_assert_uint_eq(marker_of(200, 254, 1), 253);
	ck_assert_uint_eq(marker_of(200, 254, 53), 201);
	ck_assert_uint_eq(marker_of(200, 254, 54), 0);
	ck_assert_uint_eq(marker_of(0, 254, 239), 15);
	set("max_neuron", 253);
	ck_assert_int_eq(run_both(run_of(virtual + 1, 2)), NMHAL_OK);
	ck_assert_uint_eq(bus.last_word, 0x1FE);
	ck_assert_int_eq(run_both(run_of(virtual, 3)), NMHAL_OK);
	ck_assert_uint_eq(bus.waited, 3);
}
END_TEST

START_TEST(virtual_events_reach_their_neuron_too)
{
	struct nmhal_event in[256];
	size_t count = 0;
	uint64_t seed = 8;

	program(&seed);
	set("max_neuron", 3);
	for (uint32_t n = 16; n < 255; n++)
		in[count++] = (struct nmhal_event){.kind = NMHAL_EVENT_LEAK_ONE, .address = n};
	for (uint32_t n = 15; n > 5; n--)
		in[count++] = (struct nmhal_event){.kind = NMHAL_EVENT_VIRTUAL, .address = n, .value = 3};
	ck_assert_int_eq(run_both(run_of(in, count)), NMHAL_OK);
	ck_assert_uint_eq(bus.last_word, 0x105);
	same_neurons();
}
END_TEST

START_TEST(a_limit_that_may_be_hit_needs_every_input_told_apart)
{
	struct nmhal_neuron neurons[256];
	struct nmhal_spike_run op = run_of(many_spikes(50, 5), 50);

	for (int n = 0; n < 256; n++)
		neurons[n] = (struct nmhal_neuron){.enabled = 1};
	set_neurons(neurons);
	set("max_neuron", 9);
	op.max_events_per_input = 10; /* all ten fire: just allowed */
	ck_assert_int_eq(run_both(op), NMHAL_OK);
	ck_assert_uint_eq(bus.waited, 0);
	op.max_events_per_input = 9;
	ck_assert_int_eq(run_both(op), NMHAL_E_LIMIT);
	ck_assert_uint_eq(bus.streamed, 0);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "more than 9 output events"));
	set("output_source", 1);
	op.max_events_per_input = 1;
	ck_assert_int_eq(run_both(op), NMHAL_OK);
	ck_assert_uint_eq(bus.waited, 0);
}
END_TEST

START_TEST(a_run_without_events_marks_nothing)
{
	struct nmhal_spike_run op = run_of(NULL, 0);

	for (int way = 0; way < 3; way++) {
		set("max_neuron", way == 0 ? 255 : 100);
		set("output_source", way == 2);
		op.flags = 0;
		op.steps = 7;
		ck_assert_int_eq(run_both(op), NMHAL_OK);
		ck_assert_uint_eq(bus.streamed + bus.waited, 0);
		op.flags = NMHAL_RUN_LEAK_EACH_STEP;
		ck_assert_int_eq(run_both(op), NMHAL_OK);
		ck_assert_uint_eq(bus.streamed + bus.waited, way == 1 ? 14 : 7);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire ways");
	TCase *tcase = tcase_create("ways");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, random_runs_give_what_the_emulator_gives, 0, 40);
	tcase_add_test(tcase, long_runs_stream_without_an_idle_point);
	tcase_add_test(tcase, a_closed_loop_run_waits_for_idle);
	tcase_add_test(tcase, the_marker_is_a_neuron_that_nothing_reaches);
	tcase_add_test(tcase, virtual_events_reach_their_neuron_too);
	tcase_add_test(tcase, a_limit_that_may_be_hit_needs_every_input_told_apart);
	tcase_add_test(tcase, a_run_without_events_marks_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
