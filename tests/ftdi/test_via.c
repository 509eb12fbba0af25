/* SPDX-License-Identifier: MIT */
/* The bus over the virtual FT2232H: what programming and runs cost on the wire; they do what the model does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/sim/via_ftdi.h"
#include "tests/ftdi/script.h"
#include "tests/unit/run.h"

#define MODEL "sim:tinyodin"
#define WIRED "sim:tinyodin,via=ftdi"
#define ROWS  256u
#define MOST  40000u

static nmhal_context *ctx;

static nmhal_device *open_device(const char *uri)
{
	nmhal_device *dev;

	if (!ctx)
		assert_ok(nmhal_context_new(NULL, &ctx));
	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
	return dev;
}

static void close_device(nmhal_device *dev)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ctx = NULL;
}

static uint64_t counted(nmhal_device *dev, const char *key)
{
	uint64_t value;

	assert_ok(nmhal_counter_get(dev, key, &value));
	return value;
}

/* What a piece of work cost. */
struct cost {
	uint64_t sck, frames, out_bytes, out_transfers, round_trips;
};

static struct cost costs(nmhal_device *dev)
{
	return (struct cost){counted(dev, "sck"), counted(dev, "spi_frames"), counted(dev, "out_bytes"),
		counted(dev, "out_transfers"), counted(dev, "round_trips")};
}

static struct cost since(nmhal_device *dev, struct cost before)
{
	struct cost now = costs(dev);

	return (struct cost){now.sck - before.sck, now.frames - before.frames, now.out_bytes - before.out_bytes,
		now.out_transfers - before.out_transfers, now.round_trips - before.round_trips};
}

static int8_t codes[ROWS][ROWS], back[ROWS][ROWS];

static void random_codes(unsigned seed)
{
	srand(seed);
	for (size_t n = 0; n < ROWS * ROWS; n++)
		codes[n / ROWS][n % ROWS] = (int8_t)(rand() % 16 - 8);
}

static void program(nmhal_device *dev, uint32_t flags)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {0, 0, 0, ROWS, ROWS, 0}, .codes = codes,
		.code_type = NMHAL_CODE_I8, .flags = flags};

	assert_ok(nmhal_program_weights(dev, &op, NULL));
}

/* 32,768 frames are the least; the rest sets registers and ends the last write. */
START_TEST(all_weights_go_in_one_stream_of_frames)
{
	nmhal_device *dev = open_device(WIRED);
	const struct nmhal_region all = {0, 0, 0, ROWS, ROWS, 0};
	struct cost before, cost;

	random_codes(1);
	before = costs(dev);
	program(dev, 0);
	cost = since(dev, before);
	ck_assert_uint_le(cost.frames, 32768 + 8);
	ck_assert_uint_eq(cost.sck, cost.frames * 40);
	ck_assert_uint_eq(cost.out_bytes, cost.frames * 5 + 3 * 3 + 2); /* heads, and the mark that is answered */
	ck_assert_uint_eq(cost.out_transfers, 11); /* 16 KiB each */
	ck_assert_uint_le(cost.round_trips, 1);

	before = costs(dev);
	assert_ok(nmhal_read_weights(dev, &all, back, 0, NMHAL_CODE_I8, 0));
	cost = since(dev, before);
	ck_assert_mem_eq(back, codes, sizeof(codes));
	ck_assert_uint_le(cost.sck, (32768 + 8) * 40);
	ck_assert_uint_le(cost.round_trips, 1);
	close_device(dev);
}
END_TEST

START_TEST(verified_and_changed_weights_cost_what_they_must)
{
	static const unsigned changes[] = {1, 100, 10000};
	nmhal_device *dev = open_device(WIRED);
	struct cost before = costs(dev), cost;

	random_codes(2);
	program(dev, NMHAL_PROGRAM_VERIFY);
	cost = since(dev, before);
	ck_assert_uint_le((2 * 32768 * 40) * 100, cost.sck * 100);
	ck_assert_uint_le(cost.sck * 95, UINT64_C(2) * 32768 * 40 * 100);
	ck_assert_uint_le(cost.round_trips, 2);
	for (size_t k = 0; k < 3; k++) {
		for (size_t n = 0; n < changes[k]; n++) { /* one of the six codes in three bytes */
			int8_t *code = &codes[n * 6 / ROWS][n * 6 % ROWS];

			*code = *code == 7 ? -8 : (int8_t)(*code + 1);
		}
		before = costs(dev);
		program(dev, NMHAL_PROGRAM_ONLY_CHANGED);
		cost = since(dev, before);
		ck_assert_uint_le(cost.sck * 100, (UINT64_C(105) * 40 * changes[k]) + 16000);
	}
	close_device(dev);
}
END_TEST

struct result {
	struct nmhal_event out[MOST];
	struct nmhal_neuron neurons[ROWS];
	struct nmhal_spike_report report;
};
static struct result model, wired;

static void set_up(nmhal_device *dev, unsigned seed, int open_loop, int max_neuron, int output_source)
{
	struct nmhal_neuron neurons[ROWS];

	random_codes(seed);
	program(dev, 0);
	for (size_t n = 0; n < ROWS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = (open_loop ? 8 : 20) + rand() % 40, .leak = rand() % 4,
			.potential = rand() % 20 - 10, .enabled = rand() % 8 != 0};
	assert_ok(nmhal_set_neurons(dev, 0, 0, ROWS, neurons, 0));
	assert_ok(nmhal_attr_set_int(dev, "open_loop", open_loop));
	assert_ok(nmhal_attr_set_int(dev, "max_neuron", max_neuron));
	assert_ok(nmhal_attr_set_int(dev, "output_source", output_source));
}

static void run(nmhal_device *dev, size_t count, uint64_t limit, struct result *result)
{
	static struct nmhal_event in[20000];
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = count, .out = result->out,
		.out_capacity = MOST, .max_events_per_input = limit};

	memset(result, 0, sizeof(*result));
	result->report.struct_size = sizeof(result->report);
	for (size_t n = 0; n < count; n++) {
		unsigned kind = (unsigned)rand() % 16;

		in[n] = (struct nmhal_event){.step = n / 3, .address = (uint32_t)rand() % ROWS,
			.kind = NMHAL_EVENT_SPIKE};
		if (kind == 0)
			in[n] = (struct nmhal_event){.step = n / 3, .kind = NMHAL_EVENT_LEAK_ALL};
		if (kind == 1)
			in[n] = (struct nmhal_event){.step = n / 3, .kind = NMHAL_EVENT_LEAK_ONE,
				.address = (uint32_t)rand() % 200};
		if (kind == 2)
			in[n] = (struct nmhal_event){.step = n / 3, .kind = NMHAL_EVENT_VIRTUAL,
				.address = (uint32_t)rand() % 16, .value = (int8_t)(rand() % 16 - 8)};
	}
	assert_ok(nmhal_run_spikes(dev, &op, &result->report));
	assert_ok(nmhal_get_neurons(dev, 0, 0, ROWS, result->neurons, 0));
}

/* The four ways in which outputs find their steps (drivers/odin): by mark, by idle, by count; closed loop by idle. */
START_TEST(runs_are_those_of_the_model)
{
	static const struct {
		int open_loop, max_neuron, output_source;
		size_t count;
	} cases[] = {{1, 254, 0, 3000}, {1, 100, 0, 5000}, {1, 255, 0, 100}, {1, 255, 1, 5000}, {0, 80, 0, 150},
		{0, 60, 1, 150}};

	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
		nmhal_device *dev = open_device(MODEL), *other = open_device(WIRED);

		set_up(dev, 10 + (unsigned)n, cases[n].open_loop, cases[n].max_neuron, cases[n].output_source);
		run(dev, cases[n].count, 0, &model);
		set_up(other, 10 + (unsigned)n, cases[n].open_loop, cases[n].max_neuron, cases[n].output_source);
		run(other, cases[n].count, 0, &wired);
		ck_assert_uint_gt(model.report.events_out, 10);
		ck_assert_uint_le(model.report.events_out, MOST);
		ck_assert_uint_eq(model.report.events_in, wired.report.events_in);
		ck_assert_uint_eq(model.report.events_out, wired.report.events_out);
		ck_assert_mem_eq(model.out, wired.out, sizeof(model.out));
		ck_assert_mem_eq(model.neurons, wired.neurons, sizeof(model.neurons));
		nmhal_device_unref(dev);
		close_device(other);
	}
}
END_TEST

/* 11 bytes an event, 10 an output, and 8 KiB of catches that are left over. */
START_TEST(streamed_events_cost_what_they_must)
{
	enum { COUNT = 10000 };
	nmhal_device *dev = open_device(WIRED);
	struct cost before, cost;
	uint64_t events, outputs;

	set_up(dev, 3, 1, 100, 0);
	before = costs(dev);
	run(dev, COUNT, 0, &wired);
	cost = since(dev, before);
	events = counted(dev, "wire_events_in");
	outputs = counted(dev, "wire_events_out");
	ck_assert_uint_gt(events, COUNT); /* marks are events too */
	ck_assert_uint_gt(outputs, 1000);
	ck_assert_uint_le((cost.out_bytes - 8192 - cost.frames * 6) * 10, events * 111 + outputs * 101);
	close_device(dev);
}
END_TEST

/* A core that does not acknowledge: here, because the gate is closed. */
START_TEST(a_core_that_never_answers_hangs_nothing)
{
	enum { GATE = 0 };
	static const uint64_t close_gate = (uint64_t)GATE << 20 | 1, read = UINT64_C(0x9) << 36; /* neuron 0, lane 0 */
	static const uint64_t write = UINT64_C(0x5) << 36 | 0x5A;
	const struct nmhal_bus_in in[2] = {{0, 1, 0}, {0, 1, 1}};
	struct script *script = script_new(); /* for its host */
	struct nmhal_bus_out out[256];
	struct nmhal_bus bus;
	uint32_t reply;

	assert_ok(sim_open_via_ftdi(script->host, 50000000, true, NMHAL_NEVER, &bus));
	assert_ok(bus.ops->spi(bus.self, (const uint64_t[]){close_gate, write, close_gate}, 3, NULL, NMHAL_NEVER));
	for (int n = 0; n < 2; n++) {
		struct nmhal_bus_transfer transfer = {.in = &in[n], .in_count = 1, .out = out, .out_capacity = 256,
			.quiet_frame = UINT64_C(0x3000000000), .quiet_clocks = 514};
		int64_t begin_ns = nmhal_now_ns();
		int status = NMHAL_OK;

		while (status == NMHAL_OK) {
			status = bus.ops->events(bus.self, &transfer, begin_ns + 50000000);
			transfer.in_count = 0;
		}
		ck_assert_int_eq(status, NMHAL_E_TIMEOUT);
		ck_assert_int_lt(nmhal_now_ns() - begin_ns, 1000000000);
		assert_fails(NMHAL_E_STATE, "lost", bus.ops->spi(bus.self, &read, 1, &reply, NMHAL_NEVER));
		script->logged[0] = '\0';
		assert_ok(bus.ops->reset(bus.self, NMHAL_NEVER));
		ck_assert_ptr_nonnull(strstr(script->logged, "both channels are restarted"));
		assert_ok(bus.ops->spi(bus.self, &read, 1, &reply, NMHAL_NEVER));
		ck_assert_uint_eq(reply, 0x5A);
	}
	bus.ops->close(bus.self);
	script_free(script);
}
END_TEST

START_TEST(slow_clocks_and_keys)
{
	nmhal_device *dev;
	const struct nmhal_region some = {0, 3, 5, 7, 11, 0};

	dev = open_device(WIRED ",clk_hz=100000");
	random_codes(4);
	program(dev, 0);
	assert_ok(nmhal_read_weights(dev, &some, back, ROWS, NMHAL_CODE_I8, 0));
	for (size_t row = 0; row < 7; row++)
		ck_assert_mem_eq(back[row], &codes[3 + row][5], 11);
	nmhal_device_unref(dev);
	assert_fails(NMHAL_E_INVALID, "clk_hz=1999", nmhal_device_open(ctx, WIRED ",clk_hz=1999", NULL, &dev));
	assert_fails(NMHAL_E_INVALID, "via=usb", nmhal_device_open(ctx, MODEL ",via=usb", NULL, &dev));
	/* Memory at power-up is that of the model. */
	for (int zero = 0; zero < 2; zero++) {
		const char *const uris[2][2] = {{MODEL, WIRED}, {MODEL ",init=zero", WIRED ",init=zero"}};
		static struct nmhal_neuron neurons[2][ROWS];

		for (int n = 0; n < 2; n++) {
			assert_ok(nmhal_device_open(ctx, uris[zero][n], NULL, &dev));
			assert_ok(nmhal_get_neurons(dev, 0, 0, ROWS, neurons[n], 0));
			nmhal_device_unref(dev);
		}
		ck_assert_int_eq(neurons[0][7].enabled, zero);
		ck_assert_mem_eq(neurons[0], neurons[1], sizeof(neurons[0]));
	}
	nmhal_context_unref(ctx);
	ctx = NULL;
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_weights_go_in_one_stream_of_frames,
		verified_and_changed_weights_cost_what_they_must,
		runs_are_those_of_the_model,
		streamed_events_cost_what_they_must,
		a_core_that_never_answers_hangs_nothing,
		slow_clocks_and_keys,
	};

	return run_tests("ftdi_via", tests, sizeof(tests) / sizeof(*tests));
}
