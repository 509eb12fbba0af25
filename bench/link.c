/* SPDX-License-Identifier: MIT */
/*
 * What nmlink adds to an inference: the library's call, packing, frames and CRC on both sides, the board-side core, and
 * everything back, on a board that answers without computing; against the same inference of the analog model alone. And
 * round trips: how often the library waits with nothing more to send. What differs from the model's outputs is FAIL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#include "bench.h"
#include "nmlink/core.h"
#include "nmlink/crc32c.h"
#include "sim/xbar.h"

#define SIZE  256u
#define BATCH 32u
#define FRAME (65536u + NMLINK_OVERHEAD)

static const char usage[] = "bench-link [--json] | bench-link count packets|int32|bytes|sim TIMES";

/* ---- a board that answers at once -------------------------------------------------------------------------------- */

struct empty {
	struct nmlink_core core;
	struct nmlink_board board;
	struct nmlink_kept kept[8];
	struct nmlink_cobs cobs;
	size_t packet; /* largest; 0: a stream of bytes */
	size_t size, taken;
	uint8_t answer[FRAME], waiting[NMLINK_COBS_SIZE(FRAME)], cobs_buffer[FRAME];
};

static void safe(struct nmlink_core *core)
{
	(void)core;
}

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	(void)core;
	(void)m;
	return NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	(void)core;
	memset(codes, 0, (size_t)m->rows * m->cols);
	return NMLINK_OK;
}

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	(void)core;
	(void)clipped;
	outputs[0] = m->tail[0];
	return NMLINK_OK;
}

static const struct nmlink_input_cap inputs = {-63, 63, 7, 1, 0, 65535, NULL, 0};
static const struct nmlink_output_cap outputs = {-128, 127, 8, 1, 0, NULL, 0};

static void empty_close(void *self)
{
	free(self);
}

static void empty_info(void *self, struct nmhal_stream_info *info)
{
	struct empty *empty = self;

	info->max_frame = empty->packet;
	info->alignment = 1;
	info->default_timeout_ms = NMHAL_WAIT_FOREVER;
}

static void take(struct empty *empty, const uint8_t *frame, size_t size)
{
	uint32_t length = nmlink_core_frame(&empty->core, frame, size, empty->answer);

	empty->taken = 0;
	empty->size = empty->packet ? length : nmlink_cobs_encode(empty->waiting, empty->answer, length);
}

static int empty_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct empty *empty = self;
	const uint8_t *bytes = buf;
	size_t used;

	(void)deadline_ns;
	if (empty->packet) {
		take(empty, bytes, size);
		return NMHAL_OK;
	}
	for (; size; bytes += used, size -= used)
		if (nmlink_cobs_take(&empty->cobs, bytes, size, &used))
			take(empty, empty->cobs.buffer, empty->cobs.size);
	return NMHAL_OK;
}

static int empty_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct empty *empty = self;
	const size_t left = empty->size - empty->taken;

	(void)deadline_ns;
	*size = left < capacity ? left : capacity;
	memcpy(buf, (empty->packet ? empty->answer : empty->waiting) + empty->taken, *size);
	empty->taken += *size;
	return *size ? NMHAL_OK : NMHAL_E_TIMEOUT;
}

static int empty_flush(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	return NMHAL_OK;
}

static const struct nmhal_stream_ops empty_ops = {.struct_size = sizeof(struct nmhal_stream_ops),
	.close = empty_close, .info = empty_info, .send = empty_send, .recv = empty_recv, .flush = empty_flush};

static int empty_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_bus *bus, struct nmhal_stream *stream)
{
	struct empty *empty = calloc(1, sizeof(*empty));
	struct nmlink_memory memory;

	(void)deadline_ns;
	(void)bus;
	if (!empty)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory");
	empty->packet = nmhal_uri_value(uri, "bytes") ? 0 : FRAME;
	empty->cobs = (struct nmlink_cobs){.buffer = empty->cobs_buffer, .capacity = FRAME};
	empty->board = (struct nmlink_board){.model = "empty", .array = {1, SIZE, SIZE, 1, NULL, 0},
		.weight = {-127, 127, 8, 1, 0, NULL, 0}, .input = &inputs, .output = &outputs,
		.call = {.safe = safe, .write = write_weights, .read = read_weights, .infer = infer,
			.crc = nmlink_crc32c_fast()}};
	memory = (struct nmlink_memory){.kept = empty->kept, .window = 8, .max_frame = FRAME};
	if (!nmlink_core_init(&empty->core, &empty->board, &memory, empty)) {
		free(empty);
		return nmhal_host_fail(host, NMHAL_E_INTERNAL, "open: the board is not sound");
	}
	*stream = (struct nmhal_stream){&empty_ops, empty};
	return NMHAL_OK;
}

static const struct nmhal_key empty_keys[] = {{"bytes", "no packets"}, {NULL, NULL}};
static const struct nmhal_link empty_link = {.abi = NMHAL_DRIVER_ABI, .emulated = 1,
	.struct_size = sizeof(struct nmhal_link), .scheme = "empty", .summary = "a board that does not compute",
	.default_board = "nmlink", .keys = empty_keys, .open = empty_open};

/* ---- work -------------------------------------------------------------------------------------------------------- */

/* A batch, for a device or for the model. */
struct work {
	nmhal_device *dev;
	struct nmhal_inference op;
	struct xbar *xbar;
	struct xbar_inference model;
	int8_t weights[SIZE][SIZE], in[BATCH][SIZE], out[BATCH][SIZE], expected[BATCH][SIZE];
	int32_t in32[BATCH][SIZE], out32[BATCH][SIZE];
	uint8_t clipped[BATCH][SIZE / 8];
};

static uint64_t infer_device(void *arg, uint64_t count)
{
	struct work *work = arg;

	for (uint64_t n = 0; n < count; n++)
		bench_check(nmhal_run_inference(work->dev, &work->op), "run_inference");
	return count;
}

static uint64_t infer_model(void *arg, uint64_t count)
{
	struct work *work = arg;

	for (uint64_t n = 0; n < count; n++)
		xbar_infer(work->xbar, &work->model);
	return count;
}

static void program(struct work *work)
{
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = work->weights,
		.code_type = NMHAL_CODE_I8};

	bench_check(nmhal_program_weights(work->dev, &op, NULL), "program_weights");
}

static void open_device(struct work *work, nmhal_context *ctx, const char *uri)
{
	nmhal_device_unref(work->dev);
	bench_check(nmhal_device_open(ctx, uri, NULL, &work->dev), "device_open");
	work->op = (struct nmhal_inference){.struct_size = sizeof(work->op), .in = work->in, .out = work->out,
		.batch = BATCH, .in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I8};
	program(work);
}

static struct work *work_new(void)
{
	const struct xbar_options options = {.seed = 1};
	struct work *work = calloc(1, sizeof(*work));
	uint64_t random = 5;

	if (!work)
		exit(1);
	for (unsigned n = 0; n < SIZE * SIZE; n++)
		work->weights[n / SIZE][n % SIZE] = (int8_t)((int)(bench_random(&random) % 255) - 127);
	for (unsigned n = 0; n < BATCH * SIZE; n++) {
		work->in[n / SIZE][n % SIZE] = (int8_t)((int)(bench_random(&random) % 127) - 63);
		work->in32[n / SIZE][n % SIZE] = work->in[n / SIZE][n % SIZE];
	}
	work->model = (struct xbar_inference){.region = {0, 0, 0, SIZE, SIZE}, .batch = BATCH,
		.inputs = work->in[0], .outputs = work->expected, .clipped = work->clipped[0]};
	work->xbar = xbar_new(xbar_profile_find("xbar256"), &options);
	if (!work->xbar || !xbar_write(work->xbar, &work->model.region, work->weights[0]))
		exit(1);
	return work;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static void measure(struct bench *bench, struct work *work, const char *name, double goal)
{
	struct bench_metric metric = {.name = name, .unit = "ns", .goal = goal, .note = "the inference itself"};

	bench_pair(&metric, infer_device, work, infer_model, work, 200);
	bench_print(bench, &metric);
}

static uint64_t round_trips(struct work *work)
{
	uint64_t value;

	bench_check(nmhal_counter_get(work->dev, "round_trips", &value), "counter_get");
	return value;
}

static void print_trips(struct bench *bench, const char *name, uint64_t trips, uint64_t most)
{
	const struct bench_metric metric = {.name = name, .unit = "round trips", .value = (double)trips,
		.goal = BENCH_NO_GOAL, .wrong = trips > most, .note = trips > most ? "too many" : "counted"};

	bench_print(bench, &metric);
}

static void widen(struct work *work)
{
	work->op.in_type = work->op.out_type = NMHAL_CODE_I32;
	work->op.in = work->in32;
	work->op.out = work->out32;
}

static void measure_all(struct bench *bench, nmhal_context *ctx, struct work *work)
{
	uint64_t before;

	open_device(work, ctx, "empty:");
	measure(bench, work, "nmlink, 256x256, batch 32", 0.3);
	widen(work);
	measure(bench, work, "the same, int32 in and out", BENCH_NO_GOAL);
	open_device(work, ctx, "empty:,bytes=1");
	measure(bench, work, "the same, stream of bytes", BENCH_NO_GOAL);
	open_device(work, ctx, "sim:xbar256");
	before = round_trips(work);
	infer_device(work, 1);
	print_trips(bench, "inference, batch 32", round_trips(work) - before, 1);
	before = round_trips(work);
	program(work);
	print_trips(bench, "program a tile", round_trips(work) - before, 2);
	measure(bench, work, "sim:xbar256, batch 32", BENCH_NO_GOAL);
	if (memcmp(work->out, work->expected, sizeof(work->out)) != 0)
		bench_print(bench, &(const struct bench_metric){.name = "outputs", .wrong = true,
			.note = "the outputs of sim:xbar256 are not those of its model"});
}

/* Nothing but the calls, for instruction counters. */
static void count(nmhal_context *ctx, struct work *work, const char *what, uint64_t times)
{
	const bool wide = strcmp(what, "int32") == 0;
	const char *uri = wide || strcmp(what, "packets") == 0 ? "empty:" :
		strcmp(what, "bytes") == 0             ? "empty:,bytes=1" :
		strcmp(what, "sim") == 0               ? "sim:xbar256" :
							 NULL;

	if (!uri) {
		fprintf(stderr, "usage: %s\n", usage);
		exit(2);
	}
	open_device(work, ctx, uri);
	if (wide)
		widen(work);
	infer_device(work, times);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	struct work *work = work_new();
	nmhal_context *ctx;

	bench_check(nmhal_context_new(NULL, &ctx), "context_new");
	bench_check(nmhal_context_add_link(ctx, &empty_link), "context_add_link");
	if (argc == 4 && strcmp(argv[1], "count") == 0) {
		count(ctx, work, argv[2], bench_number(argv[3]));
	} else {
		bench_options(&bench, argc, argv, usage);
		measure_all(&bench, ctx, work);
	}
	nmhal_device_unref(work->dev);
	xbar_free(work->xbar);
	free(work);
	nmhal_context_unref(ctx);
	return bench.failed;
}
