/* SPDX-License-Identifier: MIT */
/* Products on an array, 256 x 256, batch 32, on sim:xbar256: what the array adds to the inference below it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "bench.h"

#define SIZE  256u
#define BATCH 32u

static const char usage[] = "bench-array [--json] | bench-array count resident|compared TIMES";

struct work {
	nmhal_context *ctx;
	nmhal_device *devs[2]; /* with the array; bare */
	nmhal_array *array;
	float w[SIZE * SIZE], x[BATCH * SIZE], y[BATCH * SIZE];
	int8_t in[BATCH * SIZE], out[BATCH * SIZE];
	uint8_t saturated[BATCH * SIZE];
};

static uint64_t bare(void *arg, uint64_t count)
{
	struct work *work = arg;
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = work->in, .out = work->out,
		.saturated = work->saturated, .batch = BATCH, .in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I8};

	for (uint64_t i = 0; i < count; i++)
		bench_check(nmhal_run_inference(work->devs[1], &op), "run_inference");
	return count;
}

static void multiply(struct work *work, const float *w, uint64_t count)
{
	const struct nmhal_product op = {
		.struct_size = sizeof(op), .w = w, .x = work->x, .y = work->y, .batch = BATCH};

	for (uint64_t i = 0; i < count; i++)
		bench_check(nmhal_array_matmul(work->array, &op), "array_matmul");
}

static uint64_t resident(void *arg, uint64_t count)
{
	multiply(arg, NULL, count);
	return count;
}

static uint64_t compared(void *arg, uint64_t count)
{
	struct work *work = arg;

	multiply(work, work->w, count);
	return count;
}

static struct work *work_new(void)
{
	struct work *work = calloc(1, sizeof(*work));
	uint64_t random = 1;

	if (!work)
		abort();
	for (unsigned i = 0; i < SIZE * SIZE; i++)
		work->w[i] = (float)((int)(bench_random(&random) % 2001) - 1000) / 1000;
	for (unsigned i = 0; i < BATCH * SIZE; i++) {
		work->x[i] = (float)((int)(bench_random(&random) % 127) - 63);
		work->in[i] = (int8_t)work->x[i];
	}
	for (unsigned b = 0; b < BATCH; b++) {
		work->x[b * SIZE] = 63; /* so that the scale of every vector is 1, and its codes those of `in` */
		work->in[b * SIZE] = 63;
	}
	bench_check(nmhal_context_new(NULL, &work->ctx), "context_new");
	for (unsigned d = 0; d < 2; d++)
		bench_check(nmhal_device_open(work->ctx, "sim:xbar256", NULL, &work->devs[d]), "device_open");
	bench_check(nmhal_array_new(work->devs, 1, SIZE, SIZE, NULL, &work->array), "array_new");
	multiply(work, work->w, 1);
	return work;
}

/* The bare device gets the codes that the array programmed. */
static void copy_codes(struct work *work)
{
	int8_t *codes = malloc(SIZE * SIZE);
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};

	if (!codes)
		abort();
	bench_check(nmhal_read_weights(work->devs[0], NULL, codes, 0, NMHAL_CODE_I8, 0), "read_weights");
	bench_check(nmhal_program_weights(work->devs[1], &op, NULL), "program_weights");
	free(codes);
}

/* y of the array is out * scale[o] * lsb: the ratio of two vectors' outputs is that of their codes. */
static bool differs(const struct work *work)
{
	for (unsigned o = 0; o < SIZE; o++) {
		const float factor = work->out[o] ? work->y[o] / (float)work->out[o] : 0;

		for (unsigned b = 0; b < BATCH && work->out[o]; b++)
			if (work->y[b * SIZE + o] != (float)work->out[b * SIZE + o] * factor)
				return true;
	}
	return false;
}

static void measure(struct bench *bench, struct work *work)
{
	struct bench_metric metrics[] = {
		{.name = "array product, w NULL", .unit = "ns", .goal = 1.15, .note = "nmhal_run_inference()"},
		{.name = "array product, w compared", .unit = "ns", .goal = 1.5, .note = "nmhal_run_inference()"},
	};
	const bench_fn fns[] = {resident, compared};

	copy_codes(work);
	for (unsigned m = 0; m < 2; m++) {
		bench_pair(&metrics[m], fns[m], work, bare, work, 200);
		metrics[m].wrong = differs(work);
		if (metrics[m].wrong)
			metrics[m].note = "the array's outputs are not those of the codes";
		bench_print(bench, &metrics[m]);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	struct work *work = work_new();

	if (argc == 4 && strcmp(argv[1], "count") == 0) {
		if (strcmp(argv[2], "resident") == 0)
			resident(work, bench_number(argv[3]));
		else
			compared(work, bench_number(argv[3]));
	} else {
		bench_options(&bench, argc, argv, usage);
		measure(&bench, work);
	}
	nmhal_array_free(work->array);
	for (unsigned d = 0; d < 2; d++)
		nmhal_device_unref(work->devs[d]);
	nmhal_context_unref(work->ctx);
	free(work);
	return bench.failed;
}
