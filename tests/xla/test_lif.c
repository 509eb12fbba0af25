/* SPDX-License-Identifier: MIT */
/* Layers of neurons on the emulated tinyODIN, against runs of spikes done by hand. */
#include <math.h>
#include <stdlib.h>

#include "tests/xla/host.h"

#define N_OUT	6
#define N_IN	8
#define STEPS	25
#define SAMPLES 3

static const float threshold = 1.7f, leak = 0.05f;

struct bed {
	nmhal_context *ctx;
	nmhal_device *dev;
	nmhal_array *array;
	int64_t slot;
	struct nmhal_array_options options;
	float w[N_OUT * N_IN], used[N_OUT * N_IN], scale[N_OUT];
	float spikes[SAMPLES * STEPS * N_IN], out[SAMPLES * STEPS * N_OUT];
	struct host host;
};

static float uniform(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return (float)(*seed >> 16) / 65536;
}

static void bed_open(struct bed *bed, uint32_t encoding, uint32_t flags)
{
	unsigned seed = 3;

	bed->options = (struct nmhal_array_options){sizeof(bed->options), encoding, flags};
	assert_ok(nmhal_context_new(NULL, &bed->ctx));
	assert_ok(nmhal_device_open(bed->ctx, "sim:tinyodin", NULL, &bed->dev));
	assert_ok(nmhal_array_new(&bed->dev, 1, N_OUT, N_IN, &bed->options, &bed->array));
	bed->slot = nmhal_py_slot_new();
	nmhal_py_slot_bind(bed->slot, bed->array, N_OUT, N_IN, &bed->options, &bed->dev, 1);
	for (int i = 0; i < N_OUT * N_IN; i++)
		bed->w[i] = i / N_IN == 4 ? 0 : 1.3f * uniform(&seed) - 0.3f; /* output 4 is dead */
	for (int i = 0; i < SAMPLES * STEPS * N_IN; i++)
		bed->spikes[i] = uniform(&seed) < 0.3f;
}

static void bed_close(struct bed *bed)
{
	nmhal_py_array_free(bed->array);
	nmhal_device_unref(bed->dev);
	nmhal_context_unref(bed->ctx);
}

static struct xla_error *layer(struct bed *bed, int64_t samples, int64_t steps)
{
	struct host *host = &bed->host;

	host_init(host);
	host_buffer(host, &host->frame.args, XLA_F32, bed->w, DIMS(N_OUT, N_IN));
	host_buffer(host, &host->frame.args, XLA_F32, bed->spikes, DIMS(samples, steps, N_IN));
	host_buffer(host, &host->frame.rets, XLA_F32, bed->out, DIMS(samples, steps, N_OUT));
	host_buffer(host, &host->frame.rets, XLA_F32, bed->used, DIMS(N_OUT, N_IN));
	host_buffer(host, &host->frame.rets, XLA_F32, bed->scale, DIMS(N_OUT));
	host_real(host, "leak", leak);
	host_integer(host, "slot", bed->slot);
	host_real(host, "threshold", threshold);
	return nmhal_py_xla_lif(&host->frame);
}

/* One sample through the public calls alone. */
static void by_hand(struct bed *bed, const float *spikes, float *out)
{
	struct nmhal_event in[STEPS * N_IN], events[4096];
	struct nmhal_neuron neurons[N_OUT];
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_spike_run run = {.struct_size = sizeof(run),
		.in = in,
		.steps = STEPS,
		.out = events,
		.out_capacity = 4096,
		.flags = NMHAL_RUN_LEAK_EACH_STEP};
	float scale[N_OUT];

	assert_ok(nmhal_array_quantise(bed->array, bed->w, 0, NULL, scale));
	memset(neurons, 0, sizeof(neurons));
	for (int o = 0; o < N_OUT; o++)
		neurons[o] = (struct nmhal_neuron){.threshold = scale[o] > 0 ? (int32_t)ceilf(threshold / scale[o]) : 9,
			.leak = scale[o] > 0 ? (int32_t)rintf(leak / scale[o]) : 0,
			.enabled = 1};
	assert_ok(nmhal_set_neurons(bed->dev, 0, 0, N_OUT, neurons, 0));
	assert_ok(nmhal_array_program(bed->array, bed->w, 0, 0, 0));
	assert_ok(nmhal_reset_state(bed->dev, 0));
	for (uint32_t t = 0; t < STEPS; t++)
		for (uint32_t i = 0; i < N_IN; i++)
			if (spikes[t * N_IN + i] != 0)
				in[run.in_count++] = (struct nmhal_event){.step = t, .address = i};
	assert_ok(nmhal_run_spikes(bed->dev, &run, &report));
	memset(out, 0, STEPS * N_OUT * sizeof(*out));
	for (size_t i = 0; i < report.events_out; i++)
		out[events[i].step * N_OUT + events[i].address] += 1;
}

START_TEST(as_by_hand)
{
	struct nmhal_neuron mine[256], after[256];
	float expected[STEPS * N_OUT], scale[N_OUT], sum = 0;
	struct bed *bed = calloc(1, sizeof(*bed));

	ck_assert_ptr_nonnull(bed);
	bed_open(bed, NMHAL_ARRAY_ONE_SLICE, 0);
	for (int32_t n = 0; n < 256; n++)
		mine[n] = (struct nmhal_neuron){
			.threshold = n, .leak = n % 100, .potential = n - 99, .enabled = n % 2 != 0};
	assert_ok(nmhal_set_neurons(bed->dev, 0, 0, 256, mine, 0));
	expect_done(layer(bed, SAMPLES, STEPS));
	assert_ok(nmhal_get_neurons(bed->dev, 0, 0, 256, after, 0));
	ck_assert_mem_eq(after, mine, sizeof(mine));
	for (int s = 0; s < SAMPLES; s++) {
		by_hand(bed, bed->spikes + s * STEPS * N_IN, expected);
		ck_assert_mem_eq(bed->out + s * STEPS * N_OUT, expected, sizeof(expected));
		for (int i = 0; i < STEPS * N_OUT; i++)
			sum += expected[i];
	}
	ck_assert_float_gt(sum, 50);
	assert_ok(nmhal_array_quantise(bed->array, bed->w, 0, expected, scale));
	ck_assert_mem_eq(bed->used, expected, sizeof(bed->used));
	ck_assert_mem_eq(bed->scale, scale, sizeof(scale));
	bed_close(bed);
	free(bed);
}
END_TEST

START_TEST(many_outputs)
{
	struct bed *bed = calloc(1, sizeof(*bed));
	float *spikes, *out;
	const int64_t steps = 1200;

	/* Every input fires every output: more events than there is room for at first. */
	ck_assert_ptr_nonnull(bed);
	bed_open(bed, NMHAL_ARRAY_ONE_SLICE, 0);
	for (int i = 0; i < N_OUT * N_IN; i++)
		bed->w[i] = 2;
	spikes = malloc((size_t)steps * N_IN * sizeof(*spikes));
	out = malloc((size_t)steps * N_OUT * sizeof(*out));
	ck_assert(spikes && out);
	for (int64_t i = 0; i < steps * N_IN; i++)
		spikes[i] = 1;
	(void)layer(bed, 0, STEPS);
	bed->host.buffers[1].data = spikes;
	bed->host.buffers[2].data = out;
	bed->host.dims[1][0] = bed->host.dims[2][0] = 1;
	bed->host.dims[1][1] = bed->host.dims[2][1] = steps;
	expect_done(nmhal_py_xla_lif(&bed->host.frame));
	for (int64_t i = 0; i < steps * N_OUT; i++)
		ck_assert_float_eq(out[i], N_IN);
	free(spikes);
	free(out);
	bed_close(bed);
	free(bed);
}
END_TEST

START_TEST(what_is_refused)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	ck_assert_ptr_nonnull(bed);
	bed_open(bed, NMHAL_ARRAY_ONE_SLICE, 0);
	bed->spikes[7] = 0.5f;
	expect_error(XLA_INVALID_ARGUMENT, "spike number 7 is 0.5: must be 0 or 1", layer(bed, SAMPLES, STEPS));
	bed->spikes[7] = 1;
	expect_done(layer(bed, 0, STEPS)); /* no sample, no step: nothing to do */
	expect_done(layer(bed, SAMPLES, 0));
	bed->host.reals[2] = 500;
	expect_error(XLA_OUT_OF_RANGE, "threshold and leak are", nmhal_py_xla_lif(&bed->host.frame));
	(void)layer(bed, 0, STEPS);
	bed->host.spans[2].length--;
	expect_error(XLA_INVALID_ARGUMENT, "attribute threshold is missing", nmhal_py_xla_lif(&bed->host.frame));
	(void)layer(bed, 0, STEPS);
	bed->host.buffers[1].rank = 1;
	bed->host.dims[1][0] = N_IN;
	expect_error(XLA_INVALID_ARGUMENT, "spikes have rank 1", nmhal_py_xla_lif(&bed->host.frame));
	(void)layer(bed, 0, STEPS);
	bed->host.dims[2][1] = 3;
	bed->host.dims[2][0] = 1;
	expect_error(XLA_INVALID_ARGUMENT, "results have 3, 6, 1 rows", nmhal_py_xla_lif(&bed->host.frame));
	assert_ok(nmhal_attr_set_int(bed->dev, "open_loop", 0));
	expect_error(XLA_FAILED_PRECONDITION, "set open_loop to 1", layer(bed, SAMPLES, STEPS));
	bed_close(bed);
	free(bed);
}
END_TEST

START_TEST(devices_without_neurons_and_several_tiles)
{
	struct board board;
	struct bed *bed = calloc(1, sizeof(*bed));
	const uint32_t kinds[] = {NMHAL_ARRAY_ONE_SLICE, NMHAL_ARRAY_TWO_SLICES};

	ck_assert_ptr_nonnull(bed);
	for (int i = 0; i < 2; i++) {
		open_board(&board, 2, 8, 8);
		bed->options = (struct nmhal_array_options){sizeof(bed->options), kinds[i], 0};
		bed->array = new_array(&board, N_OUT, N_IN, kinds[i], 0);
		bed->slot = nmhal_py_slot_new();
		nmhal_py_slot_bind(bed->slot, bed->array, N_OUT, N_IN, &bed->options, &board.dev, 1);
		board.dev->caps.features &= ~NMHAL_CAN_SPIKES;
		expect_error(XLA_UNIMPLEMENTED, i ? "several tiles or slices" : "no spiking neurons",
			layer(bed, SAMPLES, STEPS));
		nmhal_py_array_free(bed->array);
		board_close(&board);
	}
	free(bed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		as_by_hand, many_outputs, what_is_refused, devices_without_neurons_and_several_tiles};

	return run_tests("xla-lif", tests, sizeof(tests) / sizeof(*tests));
}
