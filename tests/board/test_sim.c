/* SPDX-License-Identifier: MIT */
/* The emulated boards through the library: sim: URIs, and the same results by every way. */
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "tests/unit/run.h"

#define SIZE   256u /* rows, columns */
#define EVENTS 400u
#define OUT    60000u
#define BATCH  12u

static nmhal_context *context(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx = NULL;

	params.log_level = NMHAL_LOG_NONE;
	assert_ok(nmhal_context_new(&params, &ctx));
	return ctx;
}

static nmhal_device *open_uri(nmhal_context *ctx, const char *uri)
{
	nmhal_device *dev = NULL;

	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
	return dev;
}

static uint32_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

static void program(nmhal_device *dev, const int8_t *codes)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8,
		.row_stride = SIZE};

	assert_ok(nmhal_device_caps(dev, &caps));
	op.region.rows = caps.rows;
	op.region.cols = caps.cols;
	assert_ok(nmhal_program_weights(dev, &op, NULL));
}

/* ---- spike256 is sim:tinyodin ------------------------------------------------------------------------------------ */

struct network {
	int8_t codes[SIZE * SIZE];
	struct nmhal_neuron neurons[SIZE];
	struct nmhal_event in[EVENTS];
};

/* bias: how much inhibition there is; a closed loop needs some to fall silent. */
static void make_network(struct network *net, uint64_t state, int bias)
{
	for (unsigned n = 0; n < SIZE * SIZE; n++)
		net->codes[n] = (int8_t)((int)(draw(&state) % 11) - bias);
	for (unsigned n = 0; n < SIZE; n++)
		net->neurons[n] = (struct nmhal_neuron){.threshold = (int32_t)(8 + draw(&state) % 30),
			.leak = (int32_t)(draw(&state) % 3), .potential = (int32_t)(draw(&state) % 30) - 15,
			.enabled = draw(&state) % 9 != 0};
	for (unsigned n = 0; n < EVENTS; n++) {
		const uint8_t kinds[] = {NMHAL_EVENT_SPIKE, NMHAL_EVENT_SPIKE, NMHAL_EVENT_SPIKE, NMHAL_EVENT_VIRTUAL,
			NMHAL_EVENT_LEAK_ALL, NMHAL_EVENT_LEAK_ONE};
		struct nmhal_event *event = &net->in[n];

		*event = (struct nmhal_event){.step = n / 3, .address = draw(&state) % SIZE,
			.kind = kinds[draw(&state) % 6]};
		if (event->kind == NMHAL_EVENT_VIRTUAL) {
			event->address %= 16;
			event->value = (int8_t)((int)(draw(&state) % 16) - 8);
		} else if (event->kind != NMHAL_EVENT_SPIKE) {
			event->address = event->kind == NMHAL_EVENT_LEAK_ALL ? 0 : event->address % 255;
		}
	}
}

struct result {
	struct nmhal_event out[OUT];
	struct nmhal_spike_report report;
	struct nmhal_neuron neurons[SIZE];
};

static void play(nmhal_context *ctx, const char *uri, const struct network *net, int64_t open_loop, uint32_t flags,
	struct result *result)
{
	nmhal_device *dev = open_uri(ctx, uri);
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = net->in, .in_count = EVENTS, .out = result->out,
		.out_capacity = OUT, .flags = flags};

	memset(result, 0, sizeof(*result));
	result->report.struct_size = sizeof(result->report);
	program(dev, net->codes);
	assert_ok(nmhal_set_neurons(dev, 0, 0, SIZE, net->neurons, 0));
	assert_ok(nmhal_attr_set_int(dev, "open_loop", open_loop));
	assert_ok(nmhal_run_spikes(dev, &op, &result->report));
	assert_ok(nmhal_get_neurons(dev, 0, 0, SIZE, result->neurons, 0));
	nmhal_device_unref(dev);
}

static void compare(const char *uri, uint64_t seed, int64_t open_loop, uint32_t flags)
{
	struct network *net = malloc(sizeof(*net));
	struct result *chip = malloc(sizeof(*chip)), *board = malloc(sizeof(*board));
	nmhal_context *ctx = context();

	ck_assert(net && chip && board);
	make_network(net, seed, open_loop ? 3 : 6);
	play(ctx, "sim:tinyodin", net, open_loop, flags, chip);
	play(ctx, uri, net, open_loop, flags, board);
	ck_assert_uint_gt(chip->report.events_out, open_loop ? 1000 : 10);
	ck_assert_mem_eq(&board->report, &chip->report, sizeof(chip->report));
	ck_assert_mem_eq(board->out, chip->out, chip->report.events_out * sizeof(chip->out[0]));
	ck_assert_mem_eq(board->neurons, chip->neurons, sizeof(chip->neurons));
	nmhal_context_unref(ctx);
	free(net);
	free(chip);
	free(board);
}

START_TEST(spike256_is_tinyodin_event_for_event)
{
	compare("sim:spike256", 1, 1, 0);
	compare("sim:spike256", 2, 1, NMHAL_RUN_LEAK_EACH_STEP);
	compare("sim:spike256", 3, 1, NMHAL_RUN_BACK_TO_BACK);
	compare("sim:spike256", 4, 0, 0);
	compare("sim:spike256,window=1,max_frame=128,simd=off", 5, 1, NMHAL_RUN_LEAK_EACH_STEP);
}
END_TEST

/* ---- noise ------------------------------------------------------------------------------------------------------- */

/* Inference of BATCH vectors in calls of `most`. */
static void infer(nmhal_context *ctx, const char *uri, uint32_t most, int8_t *out)
{
	nmhal_device *dev = open_uri(ctx, uri);
	int8_t codes[SIZE * 64], in[BATCH * 64];
	struct nmhal_inference op = {.struct_size = sizeof(op), .region = {.rows = 64, .cols = 64},
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I8};
	uint64_t state = 5;

	for (size_t n = 0; n < sizeof(codes); n++)
		codes[n] = (int8_t)((int)(draw(&state) % 15) - 7);
	for (size_t n = 0; n < sizeof(in); n++)
		in[n] = (int8_t)((int)(draw(&state) % 127) - 63);
	program(dev, codes);
	assert_ok(nmhal_attr_set_int(dev, "time_s", 3600));
	for (uint32_t at = 0; at < BATCH; at += op.batch) {
		op.batch = BATCH - at < most ? BATCH - at : most;
		op.first_vector = at;
		op.in = in + at * 64;
		op.out = out + at * 64;
		assert_ok(nmhal_run_inference(dev, &op));
	}
	nmhal_device_unref(dev);
}

START_TEST(noise_depends_on_seed_and_vector_alone)
{
	nmhal_context *ctx = context();
	int8_t ideal[BATCH * 64], first[BATCH * 64], again[BATCH * 64];

	infer(ctx, "sim:xbar64", BATCH, ideal);
	infer(ctx, "sim:xbar64,seed=7,noise=pcm", BATCH, first);
	ck_assert_mem_ne(ideal, first, sizeof(first));
	infer(ctx, "sim:xbar64,seed=7,noise=pcm,threads=2", 1, again);
	ck_assert_mem_eq(first, again, sizeof(first));
	infer(ctx, "sim:xbar64,seed=7,noise=pcm,simd=off,window=1,max_frame=200", 5, again);
	ck_assert_mem_eq(first, again, sizeof(first));
	infer(ctx, "sim:xbar64,seed=8,noise=pcm", BATCH, again);
	ck_assert_mem_ne(first, again, sizeof(first));
	nmhal_context_unref(ctx);
}
END_TEST

/* ---- URIs -------------------------------------------------------------------------------------------------------- */

static void refused(nmhal_context *ctx, const char *uri, int status, const char *words)
{
	nmhal_device *dev = NULL;

	assert_fails(status, words, nmhal_device_open(ctx, uri, NULL, &dev));
	ck_assert_ptr_null(dev);
}

START_TEST(keys_of_another_board_are_refused_with_the_known_ones)
{
	nmhal_context *ctx = context();

	refused(ctx, "sim:xbar64,init=off", NMHAL_E_INVALID, "xbar64 has no such key; there are: seed noise inputs");
	refused(ctx, "sim:spike256,seed=1", NMHAL_E_INVALID, "spike256 has no such key; there are: clk_hz simd");
	refused(ctx, "sim:tinyodin,noise=pcm", NMHAL_E_INVALID, "tinyodin has no such key; there are: init via");
	refused(ctx, "sim:xbar64,noise=loud", NMHAL_E_INVALID, "loud");
	refused(ctx, "sim:xbar64,window=5", NMHAL_E_INVALID, "window=5: not one of 1, 2, 4");
	refused(ctx, "sim:xbar64,max_frame=99", NMHAL_E_INVALID, "max_frame=99: not a number 128 to");
	refused(ctx, "sim:nmlink", NMHAL_E_NO_DEVICE,
		"there are: tinyodin, xbar8, xbar64, xbar256, xbar1024, spike256");
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(all_boards_are_listed_and_open)
{
	const char *const wanted[] = {"sim:tinyodin", "sim:xbar8", "sim:xbar64", "sim:xbar256", "sim:xbar1024",
		"sim:spike256"};
	nmhal_context *ctx = context();
	nmhal_device_list *list = NULL;

	assert_ok(nmhal_enumerate(ctx, "sim", &list));
	ck_assert_uint_eq(nmhal_device_list_count(list), 6);
	for (size_t n = 0; n < 6; n++) {
		struct nmhal_device_info info = {.struct_size = sizeof(info)};

		assert_ok(nmhal_device_list_get(list, n, &info));
		ck_assert_str_eq(info.uri, wanted[n]);
		nmhal_device_unref(open_uri(ctx, info.uri));
	}
	nmhal_device_list_free(list);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(simulated_time_only_grows)
{
	nmhal_context *ctx = context();
	nmhal_device *dev = open_uri(ctx, "sim:xbar8");
	int64_t value = 0;

	assert_ok(nmhal_attr_set_int(dev, "time_s", 86400));
	assert_ok(nmhal_attr_set_int(dev, "time_s", 86400));
	assert_fails(NMHAL_E_INVALID, "it is 86400 and only grows", nmhal_attr_set_int(dev, "time_s", 86399));
	assert_ok(nmhal_device_reset(dev, 0));
	assert_ok(nmhal_attr_get_int(dev, "time_s", &value));
	ck_assert_int_eq(value, 86400);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {spike256_is_tinyodin_event_for_event, noise_depends_on_seed_and_vector_alone,
		keys_of_another_board_are_refused_with_the_known_ones, all_boards_are_listed_and_open,
		simulated_time_only_grows};

	return run_tests("board-sim", tests, sizeof(tests) / sizeof(*tests));
}
