/* SPDX-License-Identifier: MIT */
/*
 * The whole path: nmhal_run_spikes() on sim:tinyodin, from the caller's events to the caller's spike list.
 * Three loads: no output spike, about one and about six for each input event. The same run with the plain C kernel is
 * the yardstick, and its spikes are the reference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "bench.h"

#define NEURONS 256u
#define RUN_EVENTS 4096u
#define OUT_EVENTS (RUN_EVENTS * 16u)
#define TIMED_EVENTS (RUN_EVENTS * 4u)

static const char usage[] = "bench-path [--json] | bench-path count LOAD EVENTS (LOAD: 0, 1 or 6 spikes per event)";

/* Weights are -3..7, 2 in the mean, so a neuron fires about every threshold / 2 events: none, 1 and 6 of 256. */
static const struct load {
	const char *name;
	const char *label;
	int32_t threshold;
} loads[] = {
	{"0", "path, 0 spikes per event", 4095},
	{"1", "path, 1 spike per event", 510},
	{"6", "path, 6 spikes per event", 84},
};

struct path {
	nmhal_device *dev;
	size_t out_count;
	struct nmhal_event in[RUN_EVENTS];
	struct nmhal_event out[OUT_EVENTS];
};

static void program(nmhal_device *dev, const struct load *load)
{
	static int8_t codes[NEURONS][NEURONS];
	struct nmhal_neuron neurons[NEURONS] = {{0}};
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};
	uint64_t random = 1;

	for (unsigned row = 0; row < NEURONS; row++)
		for (unsigned col = 0; col < NEURONS; col++)
			codes[row][col] = (int8_t)((int)(bench_random(&random) % 11) - 3);
	for (unsigned n = 0; n < NEURONS; n++) {
		neurons[n].threshold = load->threshold;
		neurons[n].enabled = 1;
		/* Spread out, or all would fire together for a long while. */
		neurons[n].potential = (int32_t)(n * (unsigned)load->threshold / NEURONS) % 2048;
	}
	bench_check(nmhal_program_weights(dev, &op, NULL), "program_weights");
	bench_check(nmhal_set_neurons(dev, 0, 0, NEURONS, neurons, 0), "set_neurons");
}

/* simd: value of $NMHAL_SIMD, or NULL: the best kernel of this machine. */
static struct path *path_new(nmhal_context *ctx, const struct load *load, const char *simd)
{
	struct path *path = calloc(1, sizeof(*path));
	uint64_t random = 2;

	if (!path || (simd ? setenv("NMHAL_SIMD", simd, 1) : unsetenv("NMHAL_SIMD")) != 0)
		abort();
	bench_check(nmhal_device_open(ctx, "sim:tinyodin", NULL, &path->dev), "device_open");
	bench_check(nmhal_attr_set_int(path->dev, "open_loop", 1), "attr_set");
	program(path->dev, load);
	for (unsigned i = 0; i < RUN_EVENTS; i++) {
		path->in[i].step = i;
		path->in[i].address = bench_random(&random) % NEURONS;
	}
	return path;
}

static void path_free(struct path *path)
{
	nmhal_device_unref(path->dev);
	free(path);
}

static uint64_t run(void *arg, uint64_t count)
{
	struct path *path = arg;
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = path->in, .out = path->out,
		.out_capacity = OUT_EVENTS};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	for (uint64_t left = count; left > 0; left -= op.in_count) {
		op.in_count = left < RUN_EVENTS ? (size_t)left : RUN_EVENTS;
		bench_check(nmhal_run_spikes(path->dev, &op, &report), "run_spikes");
	}
	path->out_count = (size_t)report.events_out;
	return count;
}

static bool same_spikes(const struct path *a, const struct path *b)
{
	return a->out_count == b->out_count && memcmp(a->out, b->out, a->out_count * sizeof(*a->out)) == 0;
}

static void measure(struct bench *bench, nmhal_context *ctx, const struct load *load)
{
	struct path *path = path_new(ctx, load, NULL);
	struct path *plain = path_new(ctx, load, "off");
	struct bench_metric metric = {.name = load->label, .unit = "ns/event", .goal = BENCH_NO_GOAL};
	char note[96];

	/* Both do the same runs, so the last ones give the same spikes. */
	bench_pair(&metric, run, path, run, plain, TIMED_EVENTS);
	metric.wrong = !same_spikes(path, plain);
	snprintf(note, sizeof(note), "the plain kernel, %.2f spikes/event", (double)path->out_count / RUN_EVENTS);
	metric.note = metric.wrong ? "the spikes differ from those of the plain kernel" : note;
	bench_print(bench, &metric);
	path_free(path);
	path_free(plain);
}

/* Nothing but the runs, for instruction counters. */
static void count(nmhal_context *ctx, const char *name, uint64_t events)
{
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		if (strcmp(name, loads[i].name) == 0) {
			struct path *path = path_new(ctx, &loads[i], NULL);

			run(path, events);
			path_free(path);
			return;
		}
	}
	fprintf(stderr, "usage: %s\n", usage);
	exit(2);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	nmhal_context *ctx;

	bench_check(nmhal_context_new(NULL, &ctx), "context_new");
	if (argc == 4 && strcmp(argv[1], "count") == 0) {
		count(ctx, argv[2], bench_number(argv[3]));
	} else {
		bench_options(&bench, argc, argv, usage);
		for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
			measure(&bench, ctx, &loads[i]);
	}
	nmhal_context_unref(ctx);
	return bench.failed;
}
