/* SPDX-License-Identifier: MIT */
/* Programming all weights of sim:tinyodin, and open with close. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "bench.h"

#define NEURONS 256u
#define FRAMES (NEURONS * NEURONS / 2u) /* a byte holds two weights */

static const char usage[] = "bench-program [--json] | bench-program count weights|open TIMES";

struct weights {
	nmhal_device *dev;
	unsigned turn; /* which of the two matrices is next: every call changes every weight */
	int8_t codes[2][NEURONS][NEURONS];
	int8_t read[NEURONS][NEURONS];
};

static uint64_t program(void *arg, uint64_t count)
{
	struct weights *weights = arg;
	struct nmhal_program op = {.struct_size = sizeof(op), .code_type = NMHAL_CODE_I8};

	for (uint64_t i = 0; i < count; i++) {
		weights->turn ^= 1;
		op.codes = weights->codes[weights->turn];
		bench_check(nmhal_program_weights(weights->dev, &op, NULL), "program_weights");
	}
	return count;
}

static uint64_t copy_frames(void *arg, uint64_t count)
{
	static uint64_t frames[2][FRAMES];

	(void)arg;
	for (uint64_t i = 0; i < count; i++) {
		frames[1][i % FRAMES]++;
		memcpy(frames[0], frames[1], sizeof(frames[0]));
		__asm__ volatile("" : : "r"(frames) : "memory");
	}
	return count;
}

static struct weights *weights_new(nmhal_context *ctx)
{
	struct weights *weights = calloc(1, sizeof(*weights));
	uint64_t random = 1;

	if (!weights)
		abort();
	for (unsigned row = 0; row < NEURONS; row++) {
		for (unsigned col = 0; col < NEURONS; col++) {
			weights->codes[0][row][col] = (int8_t)((int)(bench_random(&random) % 16) - 8);
			weights->codes[1][row][col] = (int8_t)(-1 - weights->codes[0][row][col]);
		}
	}
	bench_check(nmhal_device_open(ctx, "sim:tinyodin", NULL, &weights->dev), "device_open");
	return weights;
}

static void weights_free(struct weights *weights)
{
	nmhal_device_unref(weights->dev);
	free(weights);
}

static uint64_t open_close(void *arg, uint64_t count)
{
	nmhal_context *ctx = arg;

	for (uint64_t i = 0; i < count; i++) {
		nmhal_device *dev;

		bench_check(nmhal_device_open(ctx, "sim:tinyodin", NULL, &dev), "device_open");
		bench_check(nmhal_device_close(dev), "device_close");
		nmhal_device_unref(dev);
	}
	return count;
}

static void measure(struct bench *bench, nmhal_context *ctx)
{
	struct bench_metric metric = {.name = "program 65,536 weights", .unit = "ns", .goal = BENCH_NO_GOAL,
		.note = "copying its 32,768 frames"};
	struct bench_metric open = {.name = "open + close", .unit = "ns", .goal = BENCH_NO_GOAL,
		.note = "copying 32,768 frames"};
	struct weights *weights = weights_new(ctx);

	bench_pair(&metric, program, weights, copy_frames, NULL, 20);
	bench_check(nmhal_read_weights(weights->dev, NULL, weights->read, 0, NMHAL_CODE_I8, 0), "read_weights");
	metric.wrong = memcmp(weights->read, weights->codes[weights->turn], sizeof(weights->read)) != 0;
	if (metric.wrong)
		metric.note = "the weights read back differ";
	bench_print(bench, &metric);
	weights_free(weights);
	bench_pair(&open, open_close, ctx, copy_frames, NULL, 20);
	bench_print(bench, &open);
}

/* Nothing but the calls, for instruction counters. */
static void count(nmhal_context *ctx, const char *what, uint64_t times)
{
	struct weights *weights;

	if (strcmp(what, "open") == 0) {
		open_close(ctx, times);
	} else if (strcmp(what, "weights") == 0) {
		weights = weights_new(ctx);
		program(weights, times);
		weights_free(weights);
	} else {
		fprintf(stderr, "usage: %s\n", usage);
		exit(2);
	}
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
		measure(&bench, ctx);
	}
	nmhal_context_unref(ctx);
	return bench.failed;
}
