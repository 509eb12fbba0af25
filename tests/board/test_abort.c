/* SPDX-License-Identifier: MIT */
/*
 * Long requests to emulated boards in process: an interrupt or a deadline ends them between two pieces of work, and
 * what comes after is as if they had not been. Times are compared with those of whole requests, measured before.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nmhal/driver.h>

#include "tests/unit/run.h"

#define SIZE    1024u
#define BATCH   481u /* a request of max_frame=1048576, of eight pieces */
#define FEW     3u
#define MORE    20u /* requests */
#define INPUTS  2000000u
#define SOON_NS 200000000

static int8_t codes[SIZE * SIZE], in[MORE * BATCH * SIZE];
static int16_t out[MORE * BATCH * SIZE], before[FEW * SIZE];

static nmhal_context *ctx;
static nmhal_device *dev;
static _Atomic int64_t interrupted_ns;

static void start(const char *uri)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;

	params.log_level = NMHAL_LOG_NONE;
	assert_ok(nmhal_context_new(&params, &ctx));
	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
}

static void end(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}

static void *interrupt_soon(void *unused)
{
	const struct timespec soon = {.tv_nsec = SOON_NS / 4};

	(void)unused;
	nanosleep(&soon, NULL);
	atomic_store(&interrupted_ns, nmhal_now_ns());
	nmhal_device_interrupt(dev);
	return NULL;
}

static pthread_t interrupter(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
	return thread;
}

/* ---- inference --------------------------------------------------------------------------------------------------- */

static int infer(uint32_t batch, int16_t *to, int32_t timeout_ms)
{
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = to, .batch = batch,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16, .first_vector = 77, .timeout_ms = timeout_ms};

	return nmhal_run_inference(dev, &op);
}

/* The time of one request, ns. */
static int64_t prepare(const char *uri)
{
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};
	int64_t began;

	start(uri);
	for (size_t n = 0; n < sizeof(codes); n++)
		codes[n] = (int8_t)((int)(n * 7919 % 255) - 127);
	for (size_t n = 0; n < sizeof(in); n++)
		in[n] = (int8_t)((int)(n * 104729 % 127) - 63);
	assert_ok(nmhal_program_weights(dev, &op, NULL));
	assert_ok(infer(FEW, before, 0));
	began = nmhal_now_ns();
	assert_ok(infer(BATCH, out, 0));
	return nmhal_now_ns() - began;
}

static void check_works(void)
{
	memset(out, 99, sizeof(before));
	assert_ok(infer(FEW, out, 0));
	ck_assert_mem_eq(out, before, sizeof(before));
}

START_TEST(an_interrupt_ends_an_inference)
{
	const int64_t request_ns = prepare("sim:xbar1024,noise=pcm,seed=5,max_frame=1048576");
	const pthread_t thread = interrupter();

	assert_fails(NMHAL_E_CANCELED, "interrupted", infer(MORE * BATCH, out, NMHAL_WAIT_FOREVER));
	ck_assert_int_lt(nmhal_now_ns() - atomic_load(&interrupted_ns), SOON_NS + request_ns);
	pthread_join(thread, NULL);
	check_works();
	end();
}
END_TEST

/* One request, which ends within itself. */
START_TEST(a_deadline_ends_an_inference)
{
	const int64_t request_ns = prepare("sim:xbar1024,simd=off,noise=pcm,seed=5,max_frame=1048576");
	const int64_t began = nmhal_now_ns();

	assert_fails(NMHAL_E_TIMEOUT, "deadline", infer(BATCH, out, 5));
	ck_assert_int_lt(nmhal_now_ns() - began, request_ns * 3 / 4);
	check_works();
	end();
}
END_TEST

/* ---- cells ------------------------------------------------------------------------------------------------------- */

START_TEST(an_interrupt_ends_a_long_reading_of_cells)
{
	static uint32_t found[64 * 64];
	struct nmhal_conductance_read op = {.struct_size = sizeof(op), .conductance_ps = found};
	int64_t began, part_ns;
	pthread_t thread;

	start("sim:xbar64,noise=read");
	op.averages = 64;
	began = nmhal_now_ns();
	assert_ok(nmhal_read_conductance(dev, &op));
	part_ns = nmhal_now_ns() - began;
	op.averages = 65535; /* a thousand times that */
	op.timeout_ms = NMHAL_WAIT_FOREVER;
	thread = interrupter();
	assert_fails(NMHAL_E_CANCELED, "interrupted", nmhal_read_conductance(dev, &op));
	ck_assert_int_lt(nmhal_now_ns() - atomic_load(&interrupted_ns), SOON_NS + 100 * part_ns);
	pthread_join(thread, NULL);
	op.averages = 2;
	assert_ok(nmhal_read_conductance(dev, &op));
	end();
}
END_TEST

/* ---- spikes ------------------------------------------------------------------------------------------------------ */

static struct nmhal_event inputs[INPUTS];

static int run(size_t count, struct nmhal_spike_report *report)
{
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = inputs, .in_count = count,
		.timeout_ms = NMHAL_WAIT_FOREVER};

	*report = (struct nmhal_spike_report){.struct_size = sizeof(*report)};
	return nmhal_run_spikes(dev, &op, report);
}

START_TEST(an_interrupt_ends_a_run_of_spikes)
{
	struct nmhal_spike_report first, report;
	int8_t ones[256 * 256];
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = ones, .code_type = NMHAL_CODE_I8};
	static const struct nmhal_neuron silent[256];
	int64_t began, some_ns;
	pthread_t thread;

	start("sim:spike256,simd=off,max_frame=1048576");
	memset(ones, 1, sizeof(ones));
	for (size_t n = 0; n < INPUTS; n++)
		inputs[n] = (struct nmhal_event){.step = n, .address = n % 256};
	assert_ok(nmhal_program_weights(dev, &op, NULL));
	assert_ok(nmhal_set_neurons(dev, 0, 0, 256, silent, 0));
	began = nmhal_now_ns();
	assert_ok(run(INPUTS / 20, &first));
	some_ns = nmhal_now_ns() - began;
	thread = interrupter();
	assert_fails(NMHAL_E_CANCELED, "interrupted", run(INPUTS, &report));
	ck_assert_int_lt(nmhal_now_ns() - atomic_load(&interrupted_ns), SOON_NS + some_ns);
	ck_assert_uint_lt(report.events_in, INPUTS);
	pthread_join(thread, NULL);
	assert_ok(nmhal_reset_state(dev, 0));
	assert_ok(run(INPUTS / 20, &report));
	ck_assert_uint_eq(report.events_in, first.events_in);
	ck_assert_uint_eq(report.sops, first.sops);
	ck_assert_uint_eq(report.cycles, first.cycles);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {an_interrupt_ends_an_inference, a_deadline_ends_an_inference,
		an_interrupt_ends_a_long_reading_of_cells, an_interrupt_ends_a_run_of_spikes};

	return run_tests("board-abort", tests, sizeof(tests) / sizeof(*tests));
}
