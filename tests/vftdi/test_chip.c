/* SPDX-License-Identifier: MIT */
/* The tinyODIN behind the engines: SPI, both event ports, the recorded traces, and the way out of a dead-lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/golden/episode.h"
#include "tests/vftdi/host.h"

#define WORDS 8192u

static uint32_t draw(uint64_t *random)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*random >> 32);
}

static void frame(struct host *host, uint32_t address, uint32_t data)
{
	host_frames(host, &(uint64_t){FRAME(address, data)}, 1, NULL);
}

/* GATE_ACTIVITY, OPEN_LOOP, AER_SRC, MAX_NEUR. */
static void configure(struct host *host, unsigned gate, unsigned open_loop, unsigned source, unsigned max_neuron)
{
	frame(host, 1, open_loop);
	frame(host, 2, source);
	frame(host, 3, max_neuron);
	frame(host, 0, gate);
}

/* All synapse bytes, random; the frames are kept for a read-back. */
static uint64_t *program(struct host *host, uint32_t *expected)
{
	uint64_t *frames = malloc((4 * WORDS + 1) * sizeof(*frames)), random = 7;

	ck_assert_ptr_nonnull(frames);
	for (unsigned i = 0; i < WORDS; i++)
		expected[i] = draw(&random);
	for (unsigned i = 0; i < 4 * WORDS; i++)
		frames[i] = FRAME(FRAME_WRITE | SYNAPSE(i % WORDS, i / WORDS),
				  expected[i % WORDS] >> 8 * (i / WORDS) & 0xFFu);
	/* The last write is done when SCK falls again. */
	frames[4 * WORDS] = FRAME(0x30000u, 0);
	host_frames(host, frames, 4 * WORDS + 1, NULL);
	return frames;
}

START_TEST(synapses_are_programmed_and_read_back)
{
	struct host host = host_new(0);
	uint32_t expected[WORDS], *replies = malloc(4 * WORDS * sizeof(*replies));
	uint64_t *frames;

	ck_assert_ptr_nonnull(replies);
	host_bring_up(&host, 1);
	configure(&host, 1, 1, 0, 255);
	vftdi_count_reset(host.dev);
	frames = program(&host, expected);
	ck_assert_uint_eq(vftdi_counters(host.dev).sck, 40 * (4 * WORDS + 1));
	/* Shifts without gaps: all the rest is 3 shift headers and 0x87. */
	ck_assert_uint_eq(vftdi_counters(host.dev).ticks, 4 * 40 * (4 * WORDS + 1) + 3 * 4);
	ck_assert_mem_eq(tinyodin_pins_synapses(vftdi_chip(host.dev)), expected, sizeof(expected));
	for (unsigned i = 0; i < 4 * WORDS; i++)
		frames[i] = FRAME(FRAME_READ | SYNAPSE(i % WORDS, i / WORDS), 0);
	host_frames(&host, frames, 4 * WORDS, replies);
	for (unsigned i = 0; i < 4 * WORDS; i++)
		ck_assert_uint_eq(replies[i], expected[i % WORDS] >> 8 * (i / WORDS) & 0xFFu);
	free(frames);
	free(replies);
	host_free(&host);
}
END_TEST

/* ---- events ------------------------------------------------------------------------------------------------------ */

static const uint8_t catch[] = {0x88, 0x83, 0x80, 0x10, 0x10, 0x89, 0x80, 0x00, 0x10, 0x87};

/* A stream of bytes that the device takes when it can. */
struct stream {
	unsigned endpoint;
	const uint8_t *data;
	size_t size, sent;
	bool again; /* from the start, for ever */
};

static size_t push(struct host *host, struct stream *stream)
{
	size_t taken = vftdi_out(host->dev, stream->endpoint, stream->data + stream->sent,
				 stream->size - stream->sent);

	stream->sent += taken;
	if (stream->again && stream->sent == stream->size)
		stream->sent = 0;
	return taken;
}

/* The handshakes of all inputs, then one byte of reply. */
static uint8_t *encode(const uint16_t *input, size_t count, size_t *size)
{
	uint8_t *bytes = malloc(11 * count + 2), *at = bytes;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < count; i++, at += 11) {
		uint8_t high = (uint8_t)(input[i] >> 8 << 6);

		memcpy(at, BYTES(0x82, (uint8_t)input[i], 0xFF, 0x80, high | 0x10, 0xDB, 0x88, 0x80, high, 0xDB, 0x89));
	}
	memcpy(at, BYTES(0x81, 0x87));
	*size = 11 * count + 2;
	return bytes;
}

static size_t take(struct host *host, unsigned endpoint, uint8_t *data, size_t room)
{
	uint8_t packet[VFTDI_PACKET];
	uint64_t again;
	size_t count = vftdi_in(host->dev, endpoint, packet, sizeof(packet), host->now_us, &again);

	if (count <= 2)
		return 0;
	count = count - 2 < room ? count - 2 : room;
	memcpy(data, packet + 2, count);
	return count;
}

/* Sends all inputs and catches up to `most` outputs until nothing moves any more. True if all inputs were accepted. */
static bool run(struct host *host, const uint16_t *input, size_t count, uint8_t *out, size_t most, size_t *out_count)
{
	size_t size, quiet = 0, done = 0;
	uint8_t *bytes = encode(input, count, &size), reply;
	struct stream events = {.endpoint = VFTDI_A_OUT, .data = bytes, .size = size};
	struct stream catches = {.endpoint = VFTDI_B_OUT, .data = catch, .size = sizeof(catch), .again = true};

	for (*out_count = 0; quiet < 3; quiet++) {
		size_t moved = 0, got;

		while (push(host, &catches))
			;
		if (events.sent < size)
			moved = push(host, &events);
		done += take(host, VFTDI_A_IN, &reply, 1);
		got = take(host, VFTDI_B_IN, out + *out_count, most - *out_count);
		*out_count += got;
		if (moved || got)
			quiet = 0;
	}
	free(bytes);
	return done;
}

static struct host program_episode(const struct episode *episode)
{
	struct host host = host_new(0);

	host_bring_up(&host, 1);
	host_frames(&host, episode->frame, episode->frame_count, NULL);
	return host;
}

static void compare_neurons(struct host *host, const struct episode *episode)
{
	for (size_t i = 0; i < episode->neuron_count; i++)
		ck_assert_uint_eq(tinyodin_pins_neurons(vftdi_chip(host->dev))[i], episode->neuron[i]);
}

/* Events as fast as the pins let them. In open loop their timing does not matter. */
static void replay_stream(const struct episode *episode)
{
	struct host host = program_episode(episode);
	size_t most = episode->out_count + 10, count;
	uint8_t *out = malloc(most);

	ck_assert_ptr_nonnull(out);
	ck_assert(run(&host, episode->input, episode->input_count, out, most, &count));
	ck_assert_uint_eq(count, episode->out_count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(out[i], episode->out[i].address);
	ck_assert_uint_eq(vftdi_counters(host.dev).events_in, episode->input_count);
	ck_assert_uint_eq(vftdi_counters(host.dev).events_out, count);
	compare_neurons(&host, episode);
	printf("episode %d: %zu inputs in a stream, %zu outputs in order\n", episode->id, episode->input_count, count);
	free(out);
	host_free(&host);
}

/* Each event alone, until the chip has come to rest. */
static void replay_one_by_one(const struct episode *episode)
{
	struct host host = program_episode(episode);
	size_t most = episode->out_count + 10, total = 0;
	uint8_t *out = malloc(most);

	ck_assert_ptr_nonnull(out);
	for (size_t k = 0; k < episode->input_count; k++) {
		size_t count;

		ck_assert(run(&host, episode->input + k, 1, out, most, &count));
		for (size_t i = 0; i < count; i++, total++) {
			ck_assert_uint_lt(total, episode->out_count);
			ck_assert_uint_eq(episode->out[total].event, k);
			ck_assert_uint_eq(episode->out[total].address, out[i]);
		}
	}
	ck_assert_uint_eq(total, episode->out_count);
	compare_neurons(&host, episode);
	printf("episode %d: %zu inputs one by one, %zu outputs\n", episode->id, episode->input_count, total);
	free(out);
	host_free(&host);
}

static unsigned replay_file(const char *path, enum episode_mode mode)
{
	struct episode_file *file = episode_open(path);
	struct episode *episode;
	unsigned count = 0;

	while ((episode = episode_next(file))) {
		ck_assert(episode->mode == mode);
		if (mode == EPISODE_IDLE) {
			replay_one_by_one(episode);
			count++;
		} else if (episode->open_loop) {
			replay_stream(episode);
			count++;
		}
		episode_free(episode);
	}
	episode_close(file);
	return count;
}

START_TEST(recorded_streams_come_out_in_order)
{
	ck_assert_uint_eq(replay_file(GOLDEN_DATA "/tinyodin_timed.jsonl.gz", EPISODE_TIMED), 2);
}
END_TEST

START_TEST(recorded_events_come_out_one_by_one)
{
	ck_assert_uint_eq(replay_file(GOLDEN_DATA "/tinyodin_drops.jsonl.gz", EPISODE_IDLE), 4);
	ck_assert_uint_eq(replay_file(GOLDEN_DATA "/tinyodin_edges.jsonl.gz", EPISODE_IDLE), 4);
}
END_TEST

/* The core stalls on its first output: REQ of the next event is never acknowledged, SPI is out of reach. A bit-mode
 * reset and RST bring the chip back with what was programmed. */
START_TEST(undrained_outputs_dead_lock_until_reset)
{
	static const uint16_t input[] = {3, 4, 5};
	struct host host = host_new(0);
	uint32_t expected[WORDS];
	uint8_t *bytes, reply, out[600];
	size_t size, count;

	host_bring_up(&host, 1);
	configure(&host, 1, 1, 0, 255);
	free(program(&host, expected));
	/* Neurons of zeros fire on all that leaves them at 0 or above. */
	configure(&host, 0, 1, 0, 255);
	bytes = encode(input, 3, &size);
	host_out(&host, A, bytes, size);
	ck_assert_uint_eq(host_in(&host, A, &reply, 1), 0);
	ck_assert_uint_eq(vftdi_counters(host.dev).events_in, 1);
	host_bring_up(&host, 1);
	ck_assert_mem_eq(tinyodin_pins_synapses(vftdi_chip(host.dev)), expected, sizeof(expected));
	ck_assert_uint_eq(tinyodin_pins_state(vftdi_chip(host.dev)).queued, 0);
	/* With the outputs drained it runs. */
	configure(&host, 0, 1, 0, 255);
	ck_assert(run(&host, input, 3, out, sizeof(out), &count));
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_eq(vftdi_counters(host.dev).events_in, 4);
	ck_assert_uint_eq(vftdi_counters(host.dev).events_out, count);
	free(bytes);
	host_free(&host);
}
END_TEST

START_TEST(stopped_clock_never_acknowledges)
{
	struct host host = host_new(0);
	uint8_t *bytes, reply;
	size_t size;

	host_bring_up(&host, 1);
	vftdi_stop_clock(host.dev, true);
	bytes = encode((uint16_t[]){0x101}, 1, &size);
	host_out(&host, A, bytes, size);
	ck_assert_uint_eq(host_in(&host, A, &reply, 1), 0);
	vftdi_stop_clock(host.dev, false);
	ck_assert_uint_eq(host_in(&host, A, &reply, 1), 1);
	host_out(&host, B, catch, sizeof(catch));
	ck_assert_uint_eq(host_in(&host, B, &reply, 1), 1);
	ck_assert_uint_eq(reply, 1);
	free(bytes);
	host_free(&host);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {synapses_are_programmed_and_read_back, recorded_streams_come_out_in_order,
				      recorded_events_come_out_one_by_one,
				      undrained_outputs_dead_lock_until_reset, stopped_clock_never_acknowledges};

	return host_main("chip", tests, sizeof(tests) / sizeof(tests[0]));
}
