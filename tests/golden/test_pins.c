/* SPDX-License-Identifier: MIT */
/* The pin model against the recorded traces, cycle by cycle, and against the event model. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/tinyodin.h"
#include "sim/tinyodin_pins.h"
#include "tests/golden/episode.h"

#define EVENTS 60u
#define OUT_MAX 4096u
#define HANDSHAKE_EDGES 2000000u /* far more than any event takes */

/* A host on the pins. It looks once an edge and drains the output port meanwhile. */
struct bench {
	struct tinyodin_pins *chip;
	struct tinyodin_pins_in in;
	struct episode_host host;
	uint64_t origin; /* cycle number 0 */
	unsigned late;   /* edges the output port has waited */
	size_t out_count;
	struct episode_out out[OUT_MAX];
};

static void set(struct bench *bench)
{
	tinyodin_pins_set(bench->chip, &bench->in);
}

static void serve_output(struct bench *bench)
{
	struct tinyodin_pins_out out = tinyodin_pins_get(bench->chip);
	unsigned wait = bench->in.aerout_ack ? bench->host.ack_fall : bench->host.ack_rise;

	if (out.aerout_req == bench->in.aerout_ack)
		return;
	if (out.aerout_req && bench->late == 0) {
		if (bench->out_count == OUT_MAX)
			ck_abort_msg("more than %u outputs", OUT_MAX);
		bench->out[bench->out_count++] = (struct episode_out){
			.cycle = tinyodin_pins_state(bench->chip).cycles - bench->origin, .address = out.aerout_addr};
	}
	if (bench->late++ < wait)
		return;
	bench->late = 0;
	bench->in.aerout_ack = out.aerout_req;
	set(bench);
}

static void clock_edges(struct bench *bench, uint64_t edges)
{
	while (edges--) {
		if (tinyodin_pins_clock(bench->chip, 1) != 1)
			ck_abort_msg("no edge");
		serve_output(bench);
	}
}

static void reset(struct bench *bench)
{
	bench->in.rst = true;
	set(bench);
	clock_edges(bench, 8);
	bench->in.rst = false;
	set(bench);
	clock_edges(bench, 8);
}

/* 40 SCK cycles; the 20 MISO bits of the data phase, sampled as the master does, before SCK rises. */
static uint32_t frame(struct bench *bench, uint64_t bits)
{
	uint32_t miso = 0;

	for (int k = 39; k >= 0; k--) {
		bench->in.mosi = bits >> k & 1u;
		set(bench);
		clock_edges(bench, bench->host.sck_lo);
		miso = (miso << 1 | tinyodin_pins_get(bench->chip).miso) & 0xFFFFFu;
		bench->in.sck = true;
		set(bench);
		clock_edges(bench, bench->host.sck_hi);
		bench->in.sck = false;
		set(bench);
	}
	return miso;
}

/* A whole input handshake; edges from REQ to ACK. */
static uint32_t send(struct bench *bench, uint16_t address)
{
	uint32_t latency = 0;

	bench->in.aerin_addr = address;
	set(bench);
	clock_edges(bench, bench->host.setup);
	bench->in.aerin_req = true;
	set(bench);
	for (; !tinyodin_pins_get(bench->chip).aerin_ack && latency < HANDSHAKE_EDGES; latency++)
		clock_edges(bench, 1);
	ck_assert_uint_lt(latency, HANDSHAKE_EDGES);
	clock_edges(bench, bench->host.release);
	bench->in.aerin_req = false;
	set(bench);
	while (tinyodin_pins_get(bench->chip).aerin_ack)
		clock_edges(bench, 1);
	clock_edges(bench, bench->host.gap);
	return latency;
}

static struct bench *bench_new(const struct episode_host *host)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	ck_assert_ptr_nonnull(bench);
	bench->chip = tinyodin_pins_new();
	ck_assert_ptr_nonnull(bench->chip);
	bench->host = *host;
	return bench;
}

static void bench_free(struct bench *bench)
{
	tinyodin_pins_free(bench->chip);
	free(bench);
}

/* ---- recorded traces --------------------------------------------------------------------------------------------- */

static void compare_memories(const struct bench *bench, const struct episode *episode)
{
	for (size_t i = 0; i < episode->neuron_count; i++)
		ck_assert_uint_eq(tinyodin_pins_neurons(bench->chip)[i], episode->neuron[i]);
	for (size_t i = 0; i < episode->synapse_count; i++)
		ck_assert_uint_eq(tinyodin_pins_synapses(bench->chip)[i], episode->synapse[i]);
}

static void replay_timed(struct bench *bench, const struct episode *episode)
{
	for (size_t i = 0; i < episode->frame_count; i++)
		frame(bench, episode->frame[i]);
	clock_edges(bench, 8);
	bench->origin = tinyodin_pins_state(bench->chip).cycles;
	for (size_t i = 0; i < episode->input_count; i++)
		ck_assert_uint_eq(send(bench, episode->input[i]), episode->latency[i]);
	clock_edges(bench, episode->run_after);
	ck_assert_uint_eq(bench->out_count, episode->out_count);
	for (size_t i = 0; i < episode->out_count; i++) {
		ck_assert_uint_eq(bench->out[i].address, episode->out[i].address);
		ck_assert_uint_eq(bench->out[i].cycle, episode->out[i].cycle);
	}
	ck_assert_uint_eq(tinyodin_pins_state(bench->chip).fsm, episode->fsm);
	ck_assert_uint_eq(tinyodin_pins_state(bench->chip).queued, episode->queued);
	compare_memories(bench, episode);
}

static void replay_spi(struct bench *bench, const struct episode *episode)
{
	for (size_t i = 0; i < episode->frame_count; i++)
		ck_assert_uint_eq(frame(bench, episode->frame[i]), episode->miso[i]);
	clock_edges(bench, HANDSHAKE_EDGES);
	ck_assert_uint_eq(bench->out_count, episode->out_count);
	for (size_t i = 0; i < episode->out_count; i++)
		ck_assert_uint_eq(bench->out[i].address, episode->out[i].address);
	compare_memories(bench, episode);
}

static void replay_file(const char *name)
{
	size_t episodes = 0, frames = 0, outputs = 0, latencies = 0, words = 0;
	struct episode *episode;
	struct episode_file *file;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.jsonl.gz", GOLDEN_DATA, name);
	file = episode_open(path);
	while ((episode = episode_next(file))) {
		struct bench *bench = bench_new(&episode->host);

		reset(bench);
		if (episode->mode == EPISODE_TIMED)
			replay_timed(bench, episode);
		else
			replay_spi(bench, episode);
		episodes++;
		frames += episode->frame_count;
		outputs += episode->out_count;
		latencies += episode->latency_count;
		words += episode->neuron_count + episode->synapse_count;
		bench_free(bench);
		episode_free(episode);
	}
	episode_close(file);
	printf("%-14s pins: %zu episodes, %zu frames, %zu outputs, %zu latencies, %zu words identical\n", name,
	       episodes, frames, outputs, latencies, words);
	ck_assert_uint_gt(episodes, 0);
	ck_assert_uint_gt(outputs, 0);
}

/* ---- event model ------------------------------------------------------------------------------------------------- */

/* The host of section 17, for whom the cycles of the event model are counted. */
static const struct episode_host ideal = {.sck_hi = 2, .sck_lo = 2};

struct pair {
	struct bench *bench;
	struct tinyodin *model;
	uint64_t random;
};

static unsigned draw(struct pair *pair, unsigned below)
{
	pair->random = pair->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(pair->random >> 33) % below;
}

static void both(struct pair *pair, unsigned address, unsigned data)
{
	uint64_t bits = (uint64_t)address << 20 | data;
	uint32_t reply;

	tinyodin_spi(pair->model, &bits, 1, &reply);
	ck_assert_uint_eq(frame(pair->bench, bits), reply);
}

/* Frames of registers and memories; in closed loop thresholds are higher, so that most networks fall silent. */
static void program(struct pair *pair, bool open_loop, bool source, unsigned max_neuron)
{
	unsigned steep = (open_loop ? 8u : 64u) << draw(pair, 3), leaky = draw(pair, 2);

	both(pair, 0, 1);
	both(pair, 1, 1);
	both(pair, 2, source);
	both(pair, 3, max_neuron);
	for (unsigned n = 0; n < 256; n++) {
		unsigned least = open_loop ? 1 : steep;
		unsigned threshold = draw(pair, 8) ? least + draw(pair, steep) : 0x700 + draw(pair, 0x900);
		unsigned v = draw(pair, 4) ? draw(pair, 20) : draw(pair, 0x1000);
		unsigned leak = leaky ? draw(pair, 128) : 0u, disabled = draw(pair, 8) == 0;
		uint32_t word = v | threshold << 12 | leak << 24 | disabled << 31;

		for (unsigned lane = 0; lane < 4; lane++)
			both(pair, 0x50000u | lane << 8 | n, word >> 8 * lane & 0xFFu);
	}
	for (unsigned i = 0; i < 8192; i++) {
		unsigned lane = draw(pair, 4), keep = draw(pair, 4), byte = draw(pair, 256);

		both(pair, 0x60000u | lane << 13 | i, keep << 8 | byte);
	}
	both(pair, 1, open_loop);
	both(pair, 0, 0);
	clock_edges(pair->bench, 8);
}

static bool is_idle(const struct bench *bench)
{
	struct tinyodin_pins_state state = tinyodin_pins_state(bench->chip);
	struct tinyodin_pins_out out = tinyodin_pins_get(bench->chip);

	return state.fsm == 0 && !state.queued && !state.busy && !out.aerin_ack && !out.aerout_req;
}

/* One event on both sides; false when the network does not fall silent. */
static bool event(struct pair *pair, uint16_t address)
{
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT + OUT_MAX];
	struct tinyodin_counters before, after;
	size_t count;

	tinyodin_counters(pair->model, &before);
	count = tinyodin_input(pair->model, address, 0, out);
	while (!tinyodin_idle(pair->model) && count < OUT_MAX - TINYODIN_MAX_OUT)
		count += tinyodin_step(pair->model, out + count);
	if (!tinyodin_idle(pair->model))
		return false;
	tinyodin_counters(pair->model, &after);
	pair->bench->out_count = 0;
	pair->bench->origin = tinyodin_pins_state(pair->bench->chip).cycles;
	send(pair->bench, address);
	while (!is_idle(pair->bench))
		clock_edges(pair->bench, 1);
	ck_assert_uint_eq(pair->bench->out_count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(pair->bench->out[i].address, out[i].address);
	ck_assert_uint_eq(tinyodin_pins_state(pair->bench->chip).cycles - pair->bench->origin,
			  after.cycles - before.cycles);
	ck_assert_uint_eq(tinyodin_pins_state(pair->bench->chip).dropped, after.queue_dropped);
	return true;
}

static uint16_t any_address(struct pair *pair)
{
	unsigned address = draw(pair, 1024);

	return (uint16_t)(draw(pair, 8) ? address & ~0x100u : draw(pair, 2) ? address | 0xFFu : address);
}

START_TEST(random_configurations_equal_the_event_model)
{
	bool open_loop = _i & 1, source = _i & 2;
	struct pair pair = {.bench = bench_new(&ideal), .model = tinyodin_new(TINYODIN_SIMD_OFF, true),
			    .random = (uint64_t)_i};
	unsigned max_neuron = _i % 3 ? 255 : draw(&pair, 256), events = 0, outputs = 0;

	ck_assert_ptr_nonnull(pair.model);
	reset(pair.bench);
	program(&pair, open_loop, source, max_neuron);
	for (; events < EVENTS && event(&pair, any_address(&pair)); events++)
		outputs += (unsigned)pair.bench->out_count;
	printf("%s, AER_SRC %d, MAX_NEUR %3u: %2u events, %5u outputs\n", open_loop ? "open loop  " : "closed loop",
	       source, max_neuron, events, outputs);
	ck_assert_uint_eq(events, EVENTS);
	for (unsigned i = 0; i < 8192; i++)
		ck_assert_uint_eq(tinyodin_pins_synapses(pair.bench->chip)[i], tinyodin_synapse_word(pair.model, i));
	for (unsigned n = 0; n < 256; n++)
		ck_assert_uint_eq(tinyodin_pins_neurons(pair.bench->chip)[n], tinyodin_neuron_word(pair.model, n));
	tinyodin_free(pair.model);
	bench_free(pair.bench);
}
END_TEST

/* ---- the unusual ------------------------------------------------------------------------------------------------- */

/* A chip of zeros: every neuron fires on whatever leaves it at 0 or above. This leak event makes neuron 7 fire at the
 * 5th edge. */
static struct bench *about_to_fire(void)
{
	struct bench *bench = bench_new(&ideal);

	reset(bench);
	bench->in.aerin_addr = 0x107;
	bench->in.aerin_req = true;
	set(bench);
	return bench;
}

static struct tinyodin_pins_out after(struct bench *bench, uint64_t edges)
{
	for (uint64_t made = 0; made < edges;)
		made += tinyodin_pins_clock(bench->chip, edges - made);
	return tinyodin_pins_get(bench->chip);
}

START_TEST(spike_is_lost_when_ack_is_high)
{
	struct bench *bench = about_to_fire();

	ck_assert(!after(bench, 4).aerout_req);
	ck_assert(after(bench, 1).aerout_req);
	ck_assert_uint_eq(tinyodin_pins_get(bench->chip).aerout_addr, 7);
	bench_free(bench);
	bench = about_to_fire();
	after(bench, 2);
	bench->in.aerout_ack = true;
	set(bench);
	ck_assert(after(bench, 3).aerin_ack);
	ck_assert(!tinyodin_pins_get(bench->chip).aerout_req);
	ck_assert(!after(bench, 100).aerout_req);
	/* Busy until the third edge without ACK. */
	bench->in.aerout_ack = false;
	set(bench);
	after(bench, 2);
	ck_assert(tinyodin_pins_state(bench->chip).busy);
	after(bench, 1);
	ck_assert(!tinyodin_pins_state(bench->chip).busy);
	bench_free(bench);
}
END_TEST

/* Section 1: at the second edge, and active again at the third edge after. */
START_TEST(reset_takes_two_edges_each_way)
{
	struct bench *bench = about_to_fire();

	ck_assert(after(bench, 5).aerout_req);
	bench->in.rst = true;
	set(bench);
	ck_assert(after(bench, 1).aerout_req);
	ck_assert(!after(bench, 1).aerout_req);
	ck_assert(!tinyodin_pins_get(bench->chip).aerin_ack);
	after(bench, 10);
	bench->in.rst = false;
	set(bench);
	/* REQ is still there: the handshake begins anew after the two edges of RST. */
	ck_assert(!after(bench, 2 + 4).aerout_req);
	ck_assert(after(bench, 1).aerout_req);
	bench_free(bench);
}
END_TEST

/* Section 3: the gate drops a pending output, and holds what comes in until it opens. */
START_TEST(gate_drops_the_output)
{
	struct bench *bench = about_to_fire();

	ck_assert(after(bench, 5).aerout_req);
	bench->host = (struct episode_host){0}; /* a host that makes no edges */
	frame(bench, 1);
	ck_assert(after(bench, 1).aerout_req);
	ck_assert(!after(bench, 1).aerout_req);
	bench->in.aerin_req = false;
	set(bench);
	after(bench, 10);
	bench->in.aerin_req = true;
	set(bench);
	ck_assert(!after(bench, 1000).aerin_ack);
	frame(bench, 0);
	ck_assert(after(bench, 6).aerin_ack);
	bench_free(bench);
}
END_TEST

START_TEST(recorded_cycles_are_equal)
{
	replay_file("tinyodin_timed");
}
END_TEST

START_TEST(recorded_spi_is_equal)
{
	replay_file("tinyodin_spi");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pins");
	TCase *tcase = tcase_create("pins");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, recorded_cycles_are_equal);
	tcase_add_test(tcase, recorded_spi_is_equal);
	tcase_add_test(tcase, spike_is_lost_when_ack_is_high);
	tcase_add_test(tcase, reset_takes_two_edges_each_way);
	tcase_add_test(tcase, gate_drops_the_output);
	tcase_add_loop_test(tcase, random_configurations_equal_the_event_model, 0, 24);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
