/* SPDX-License-Identifier: MIT */
/* spike256 through frames: recorded episodes of the chip, and random runs against the model used directly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/board/host.h"
#include "tests/golden/episode.h"
#include "tests/unit/run.h"

#define NEURONS  TINYODIN_NEURONS
#define OUTPUTS  65536u
#define BLOCK    128u /* rows of a WRITE */
#define READ_MAX ((HOST_FRAME - NMLINK_OVERHEAD) / NMLINK_SIZE_output_record)

/* A run through the board: all its outputs. */
struct run {
	struct host *host;
	uint32_t flags;
	uint32_t taken, produced;
	size_t count;
	struct nmlink_output_record out[OUTPUTS];
};

/* ---- a board that holds what a chip holds ------------------------------------------------------------------------ */

static void copy_weights(struct host *host, const struct tinyodin *chip)
{
	static uint8_t codes[BLOCK * NEURONS];

	for (unsigned row = 0; row < NEURONS; row += BLOCK) {
		for (unsigned n = 0; n < sizeof(codes); n++)
			codes[n] = (uint8_t)tinyodin_weight(chip, row + n / NEURONS, n % NEURONS);
		ck_assert_int_eq(host_call(host, write, WRITE, codes, sizeof(codes), .row = (uint16_t)row,
			.rows = BLOCK, .cols = NEURONS), NMLINK_OK);
	}
}

static void copy_neurons(struct host *host, const struct tinyodin *chip)
{
	static uint8_t records[NEURONS * NMLINK_SIZE_neuron_record];
	uint8_t *p = records;

	for (unsigned n = 0; n < NEURONS; n++) {
		struct tinyodin_neuron neuron;
		struct nmlink_neuron_record record;

		tinyodin_neuron(chip, n, &neuron);
		record = (struct nmlink_neuron_record){.threshold = neuron.threshold, .leak = neuron.leak,
			.potential = neuron.potential, .enabled = neuron.enabled};
		p = nmlink_put_neuron_record(p, &record);
	}
	ck_assert_int_eq(host_call(host, write_neurons, WRITE_NEURONS, records, sizeof(records), .first = 0),
		NMLINK_OK);
}

static void set_attr(struct host *host, uint16_t index, int64_t value)
{
	ck_assert_int_eq(host_call(host, set_attr, SET_ATTR, NULL, 0, .index = index, .value = value), NMLINK_OK);
}

static void same_neurons(struct host *host, const uint32_t *words)
{
	struct tinyodin *chip = sim_board_chip(host->board);

	ck_assert_int_eq(host_call(host, read_neurons, READ_NEURONS, NULL, 0, .count = NEURONS), NMLINK_OK);
	for (unsigned n = 0; n < NEURONS; n++) {
		struct nmlink_neuron_record record;

		nmlink_get_neuron_record(&record, host->payload + n * NMLINK_SIZE_neuron_record);
		ck_assert_uint_eq(tinyodin_neuron_word(chip, n), words[n]);
		ck_assert_int_eq(record.potential, (int32_t)((words[n] & 0xFFFu) ^ 0x800u) - 0x800);
		ck_assert_int_eq(record.threshold, words[n] >> 12 & 0xFFFu);
		ck_assert_int_eq(record.leak, words[n] >> 24 & 0x7Fu);
		ck_assert_uint_eq(record.enabled, !(words[n] >> 31));
	}
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void start(struct run *run)
{
	run->taken = run->produced = 0;
	run->count = 0;
	ck_assert_int_eq(host_call(run->host, spikes_start, SPIKES_START, NULL, 0, .flags = run->flags), NMLINK_OK);
}

/* Takes outputs until the board is idle and has no more. */
static void drain(struct run *run)
{
	struct nmlink_spikes_read_reply reply = {.idle = 0};

	while (!reply.idle || run->count < reply.produced) {
		ck_assert_int_eq(host_call(run->host, spikes_read, SPIKES_READ, NULL, 0, .from = (uint32_t)run->count),
			NMLINK_OK);
		host_reply(run->host, spikes_read, &reply);
		ck_assert_uint_eq(reply.from, run->count);
		for (uint32_t at = 0; at < reply.tail_size; at += NMLINK_SIZE_output_record) {
			ck_assert_uint_lt(run->count, OUTPUTS);
			nmlink_get_output_record(&run->out[run->count++], reply.tail + at);
		}
	}
	run->produced = reply.produced;
	run->taken = reply.taken;
}

/* An event as the pins of the chip code it. */
static struct nmlink_input_record record_of(uint16_t address)
{
	struct nmlink_input_record record = {.address = address & 0xFFu, .kind = NMLINK_INPUT_SPIKE};

	if (address & 0x100u) {
		record.kind = record.address == 0xFFu ? NMLINK_INPUT_LEAK_ALL : NMLINK_INPUT_LEAK_ONE;
		record.address = record.address == 0xFFu ? 0 : record.address;
	} else if (address & 0x200u) {
		record.kind = NMLINK_INPUT_VIRTUAL;
		record.value = (int8_t)((int)(((unsigned)record.address >> 4 & 0xFu) ^ 8u) - 8);
		record.address &= 0xFu;
	}
	return record;
}

/* Sends all inputs, `most` a frame; reads whenever the board takes no more. */
static void send_inputs(struct run *run, const uint16_t *addresses, size_t count, size_t most)
{
	static uint8_t records[HOST_FRAME];

	while (run->taken < count) {
		size_t n = count - run->taken < most ? count - run->taken : most;
		struct nmlink_spikes_send_reply reply;
		uint8_t *p = records;

		for (size_t k = 0; k < n; k++) {
			struct nmlink_input_record record = record_of(addresses[run->taken + k]);

			p = nmlink_put_input_record(p, &record);
		}
		ck_assert_int_eq(host_call(run->host, spikes_send, SPIKES_SEND, records, (size_t)(p - records),
			.first = run->taken), NMLINK_OK);
		host_reply(run->host, spikes_send, &reply);
		run->taken = reply.taken;
		if (reply.taken < count)
			drain(run);
	}
	drain(run);
}

static struct run *run_new(uint32_t flags)
{
	struct run *run = calloc(1, sizeof(*run));

	ck_assert_ptr_nonnull(run);
	run->host = host_new("spike256", "");
	run->flags = flags;
	return run;
}

static void run_free(struct run *run)
{
	host_free(run->host);
	free(run);
}

/* ---- recorded episodes ------------------------------------------------------------------------------------------- */

static void replay(const struct episode *episode, size_t most)
{
	struct run *run = run_new(0);
	struct tinyodin *chip = tinyodin_new(TINYODIN_SIMD_AUTO, true);
	struct nmlink_spikes_stop_reply total;

	tinyodin_spi(chip, episode->frame, episode->frame_count, NULL);
	copy_weights(run->host, chip);
	copy_neurons(run->host, chip);
	set_attr(run->host, 0, episode->open_loop);
	set_attr(run->host, 1, episode->max_neuron);
	set_attr(run->host, 2, episode->source);
	start(run);
	send_inputs(run, episode->input, episode->input_count, most);
	ck_assert_uint_eq(run->count, episode->out_count);
	for (size_t n = 0; n < run->count; n++) {
		ck_assert_uint_eq(run->out[n].input, episode->out[n].event);
		ck_assert_uint_eq(run->out[n].address,
			episode->out[n].address | (episode->source ? NMLINK_ADDRESS_PROCESSED : 0u));
	}
	ck_assert_int_eq(host_call(run->host, spikes_stop, SPIKES_STOP, NULL, 0, .tail = NULL), NMLINK_OK);
	host_reply(run->host, spikes_stop, &total);
	ck_assert_uint_gt(total.sops, 0);
	same_neurons(run->host, episode->neuron);
	tinyodin_free(chip);
	run_free(run);
}

static size_t replay_file(const char *name, size_t most)
{
	struct episode_file *file;
	struct episode *episode;
	char path[512];
	size_t count = 0;

	snprintf(path, sizeof(path), "%s/%s", GOLDEN_DATA, name);
	file = episode_open(path);
	for (; (episode = episode_next(file)); episode_free(episode)) {
		replay(episode, most);
		count++;
	}
	episode_close(file);
	return count;
}

START_TEST(recorded_episodes_come_out_event_for_event)
{
	ck_assert_uint_eq(replay_file("tinyodin_edges.jsonl.gz", 100000), 4);
	ck_assert_uint_eq(replay_file("tinyodin_drops.jsonl.gz", 7), 4);
}
END_TEST

/* ---- random runs against the model ------------------------------------------------------------------------------- */

static void random_chip(struct tinyodin *chip, uint64_t *state)
{
	for (unsigned n = 0; n < NEURONS; n++) {
		const struct tinyodin_neuron neuron = {.threshold = (uint16_t)(20 + host_draw(state) % 40),
			.leak = (uint8_t)(host_draw(state) % 4), .potential = (int16_t)(host_draw(state) % 20),
			.enabled = host_draw(state) % 8 != 0};

		tinyodin_set_neuron(chip, n, &neuron);
		for (unsigned col = 0; col < NEURONS; col++)
			tinyodin_set_weight(chip, n, col, (int)(host_draw(state) % 11) - 3);
	}
}

static void random_inputs(uint16_t *addresses, size_t count, uint64_t *state)
{
	for (size_t n = 0; n < count; n++) {
		uint32_t kind = host_draw(state) % 8;

		addresses[n] = (uint16_t)(host_draw(state) % 255u);
		if (kind == 0)
			addresses[n] |= 0x100u;
		else if (kind == 1)
			addresses[n] = 0x1FFu;
		else if (kind == 2)
			addresses[n] |= 0x200u;
	}
}

/* What the chip does with the inputs: waiting for idle, or one entry between two. */
static size_t model_run(struct tinyodin *chip, const uint16_t *addresses, size_t count, bool waits,
	struct tinyodin_out *out)
{
	size_t made = 0;

	for (size_t n = 0; n < count; n++) {
		made += tinyodin_input(chip, addresses[n], (uint32_t)n, out + made);
		do
			made += tinyodin_step(chip, out + made);
		while (waits && !tinyodin_idle(chip));
		ck_assert_uint_lt(made, OUTPUTS - 2048u);
	}
	while (!tinyodin_idle(chip))
		made += tinyodin_step(chip, out + made);
	return made;
}

static void compare_runs(bool back_to_back, bool stream)
{
	enum { INPUTS = 900 };
	struct run *run = run_new((back_to_back ? NMLINK_RUN_BACK_TO_BACK : 0u) | (stream ? NMLINK_RUN_STREAM : 0u));
	struct tinyodin *chip = tinyodin_new(TINYODIN_SIMD_OFF, false);
	const struct tinyodin_registers open = {.open_loop = true, .max_neuron = NEURONS - 1};
	struct tinyodin_out *out = calloc(OUTPUTS, sizeof(*out));
	struct tinyodin_counters counters;
	struct nmlink_spikes_stop_reply total;
	uint16_t addresses[INPUTS];
	uint64_t state = 11;
	size_t made;

	random_chip(chip, &state);
	random_inputs(addresses, INPUTS, &state);
	copy_weights(run->host, chip);
	copy_neurons(run->host, chip);
	tinyodin_set_registers(chip, &open);
	made = model_run(chip, addresses, INPUTS, !back_to_back, out);
	start(run);
	send_inputs(run, addresses, INPUTS, 64);
	ck_assert_uint_gt(made, 4096); /* more than the board can keep: it has to wait for the host */
	ck_assert_uint_eq(run->count, made);
	for (size_t n = 0; n < made; n++) {
		ck_assert_uint_eq(run->out[n].input, out[n].index);
		ck_assert_uint_eq(run->out[n].address, out[n].address);
	}
	ck_assert_int_eq(host_call(run->host, spikes_stop, SPIKES_STOP, NULL, 0, .tail = NULL), NMLINK_OK);
	host_reply(run->host, spikes_stop, &total);
	tinyodin_counters(chip, &counters);
	ck_assert_uint_eq(total.sops, counters.sops);
	ck_assert_uint_eq(total.queue_dropped, counters.queue_dropped);
	ck_assert_uint_eq(total.cycles, back_to_back ? UINT64_MAX : counters.cycles);
	tinyodin_free(chip);
	free(out);
	run_free(run);
}

START_TEST(random_runs_are_those_of_the_model)
{
	compare_runs(false, false);
	compare_runs(true, false);
	compare_runs(false, true);
}
END_TEST

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

START_TEST(outputs_are_pushed_with_stream)
{
	struct run *run = run_new(NMLINK_RUN_STREAM);
	struct tinyodin *chip = sim_board_chip(run->host->board);
	const struct tinyodin_neuron neuron = {.threshold = 1, .enabled = true};
	const struct nmlink_input_record spike = {.address = 9};
	struct nmlink_header header;
	struct nmlink_events_reply events;
	struct nmlink_output_record out;
	uint8_t record[NMLINK_SIZE_input_record];
	const uint8_t *frame;
	size_t size;

	tinyodin_set_neuron(chip, 200, &neuron);
	tinyodin_set_weight(chip, 9, 200, 5);
	start(run);
	ck_assert_uint_eq(sim_board_output(run->host->board, SIM_BOARD_EVENTS, &frame), 0);
	nmlink_put_input_record(record, &spike);
	ck_assert_int_eq(host_call(run->host, spikes_send, SPIKES_SEND, record, sizeof(record), .first = 0), NMLINK_OK);
	size = sim_board_output(run->host->board, SIM_BOARD_EVENTS, &frame);
	ck_assert_int_eq(nmlink_frame_open(frame, size, &header, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(header.flags, NMLINK_FLAG_EVENT);
	ck_assert(nmlink_get_events_reply(&events, frame + NMLINK_HEADER_SIZE, header.size));
	ck_assert_uint_eq(events.tail_size, NMLINK_SIZE_output_record);
	nmlink_get_output_record(&out, events.tail);
	ck_assert_uint_eq(out.address, 200);
	sim_board_taken(run->host->board, SIM_BOARD_EVENTS);
	ck_assert_uint_eq(sim_board_output(run->host->board, SIM_BOARD_EVENTS, &frame), 0);
	run_free(run);
}
END_TEST

START_TEST(weights_saturate_and_memories_are_ram)
{
	struct host *host = host_new("spike256", "clk_hz=1000000");
	const struct nmlink_cell_record small = {.code = 5}, large = {.row = 255, .col = 255, .code = -30};
	uint8_t cells[2 * NMLINK_SIZE_cell_record];
	struct nmlink_add_cells_reply reply;
	struct nmlink_get_attr_reply clock;

	nmlink_put_cell_record(nmlink_put_cell_record(cells, &small), &large);
	ck_assert_int_eq(host_call(host, add_cells, ADD_CELLS, cells, sizeof(cells), .tile = 0), NMLINK_OK);
	host_reply(host, add_cells, &reply);
	ck_assert_uint_eq(reply.saturated, 1);
	ck_assert_int_eq(host_call(host, read, READ, NULL, 0, .row = 255, .col = 254, .rows = 1, .cols = 2), NMLINK_OK);
	ck_assert_int_eq((int8_t)host->payload[1], -8);
	ck_assert_int_eq(host_call(host, get_attr, GET_ATTR, NULL, 0, .index = 3), NMLINK_OK);
	host_reply(host, get_attr, &clock);
	ck_assert_int_eq(clock.value, 1000000);
	sim_board_power_cut(host->board);
	host_hello(host);
	ck_assert_int_eq(host_call(host, read, READ, NULL, 0, .row = 255, .col = 254, .rows = 1, .cols = 2), NMLINK_OK);
	ck_assert_int_eq((int8_t)host->payload[1], 0);
	host_free(host);
}
END_TEST

/* A run of 20 spikes that each make one neuron fire; false: the power went. */
static bool short_run(struct host *host)
{
	const struct nmlink_neuron_record neuron = {.threshold = 1, .enabled = 1};
	const struct nmlink_input_record spike = {.address = 3};
	const uint8_t weight = 2;
	uint8_t neurons[NMLINK_SIZE_neuron_record], spikes[20 * NMLINK_SIZE_input_record], *p = spikes;

	nmlink_put_neuron_record(neurons, &neuron);
	for (unsigned n = 0; n < 20; n++)
		p = nmlink_put_input_record(p, &spike);
	return host_try(host, write, WRITE, &weight, 1, .row = 3, .col = 7, .rows = 1, .cols = 1) &&
		host_try(host, write_neurons, WRITE_NEURONS, neurons, sizeof(neurons), .first = 7) &&
		host_try(host, spikes_start, SPIKES_START, NULL, 0, .flags = 0) &&
		host_try(host, spikes_send, SPIKES_SEND, spikes, sizeof(spikes), .first = 0);
}

START_TEST(a_power_cut_at_every_action_leaves_a_board_that_works)
{
	uint64_t cuts = 0;
	bool whole;

	do {
		struct host *host = host_new("spike256", "");
		struct nmlink_spikes_send_reply reply;

		sim_board_power_cut_after(host->board, cuts);
		whole = short_run(host);
		ck_assert_int_eq(sim_board_was_cut(host->board), !whole);
		if (!whole) {
			ck_assert(host_repeat(host));
			ck_assert_uint_eq(host->header.status, NMLINK_ESESSION);
			ck_assert_int_eq(tinyodin_weight(sim_board_chip(host->board), 3, 7), 0);
			host_hello(host);
			ck_assert(short_run(host));
			cuts++;
		}
		ck_assert_uint_eq(host->header.status, NMLINK_OK);
		host_reply(host, spikes_send, &reply);
		ck_assert_uint_eq(reply.produced, 20);
		host_free(host);
	} while (!whole);
	ck_assert_uint_eq(cuts, 1 + 1 + 1 + 20 + 20); /* row, neuron, start, events, entries of the queue */
}
END_TEST

START_TEST(reset_state_zeroes_potentials_alone)
{
	struct host *host = host_new("spike256", "");
	struct tinyodin *chip = sim_board_chip(host->board);
	struct tinyodin_neuron neuron = {.potential = -77, .threshold = 100, .leak = 3, .enabled = true};

	tinyodin_set_neuron(chip, 17, &neuron);
	ck_assert_int_eq(host_call(host, reset_state, RESET_STATE, NULL, 0, .tail = NULL), NMLINK_OK);
	tinyodin_neuron(chip, 17, &neuron);
	ck_assert_int_eq(neuron.potential, 0);
	ck_assert_int_eq(neuron.threshold, 100);
	ck_assert_int_eq(neuron.leak, 3);
	ck_assert(neuron.enabled);
	host_free(host);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {recorded_episodes_come_out_event_for_event,
		random_runs_are_those_of_the_model, outputs_are_pushed_with_stream,
		weights_saturate_and_memories_are_ram, a_power_cut_at_every_action_leaves_a_board_that_works,
		reset_state_zeroes_potentials_alone};

	return run_tests("board-spike", tests, sizeof(tests) / sizeof(*tests));
}
