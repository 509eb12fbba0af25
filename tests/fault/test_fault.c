/* SPDX-License-Identifier: MIT */
/* The wrapper "fault" before a bus that writes down what reaches it: each kind, and what chance comes from. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/scribe.h"
#include "tests/unit/run.h"

#define SEEDS  40u
#define FRAMES 6u
#define MS     INT64_C(1000000)

static struct scribe scribe;
static const uint64_t frames[FRAMES] = {0x11, 0x22, 0x33, 0x44, 0x55, 0x8066};

/* The numbers of all words of this letter in the story, in order; forgets the story. */
static size_t numbers(char letter, uint64_t *list, size_t most)
{
	size_t count = 0;
	char *word = strtok(scribe.story, " ");

	for (; word; word = strtok(NULL, " ")) {
		ck_assert_int_eq(*word, letter);
		for (char *at = word + 1; *at && count < most; at += *at == ',')
			list[count++] = strtoull(at, &at, 16);
	}
	scribe.story[0] = '\0';
	return count;
}

START_TEST(what_the_key_may_say)
{
	static const struct {
		const char *uri, *sentence;
	} bad[] = {
		{"scribe:bus,fault=",
			"open: fault=: a bus has no kind ''; known: drop, dup, flip, split, delay, timeout, io, gone"},
		{"scribe:bus,fault=short:0.1", "a bus has no kind 'short'; known: drop, dup, flip, split, delay"},
		{"scribe:bytes,fault=reorder:0.1",
			"a stream of bytes has no kind 'reorder'; known: drop, dup, flip, short, split, delay"},
		{"scribe:packets,fault=split:0.1",
			"a stream of packets has no kind 'split'; known: drop, dup, flip, short, reorder, delay"},
		{"scribe:bus,fault=dro:0.1", "has no kind 'dro'"},
		{"scribe:bus,fault=drop",
			"'drop' is neither KIND:RATE with a rate of 0 to 1 nor KIND@N with a number from 1"},
		{"scribe:bus,fault=drop:", "'drop:' is neither"},
		{"scribe:bus,fault=drop:1.1", "'drop:1.1' is neither"},
		{"scribe:bus,fault=drop:2", "'drop:2' is neither"},
		{"scribe:bus,fault=drop:-0.1", "'drop:-0.1' is neither"},
		{"scribe:bus,fault=drop:0.", "'drop:0.' is neither"},
		{"scribe:bus,fault=drop:0.1x", "'drop:0.1x' is neither"},
		{"scribe:bus,fault=drop:0.1234567891", "'drop:0.1234567891' is neither"},
		{"scribe:bus,fault=drop@0", "'drop@0' is neither"},
		{"scribe:bus,fault=drop@1.5", "'drop@1.5' is neither"},
		{"scribe:bus,fault=drop@9999999999999999999", "is neither"},
		{"scribe:bus,fault=drop:0.1+", "a bus has no kind ''"},
		{"scribe:bus,fault=io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io@1+io",
			"more than 16 faults"},
		{"scribe:bus,fault=io@1,fault_seed=x", "fault_seed=x: is not a number"},
		{"scribe:bus,fault_seed=1", "key 'fault_seed' goes with fault="},
	};

	for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
		scribe_init(&scribe);
		assert_fails(NMHAL_E_INVALID, bad[n].sentence, scribe_try(&scribe, bad[n].uri));
	}
	scribe_open(&scribe, "scribe:bus,fault=drop:0+dup:0.0+flip:0.000000001+io@99999,fault_seed=0xffffffffffffffff");
	scribe_close(&scribe);
	ck_assert_uint_eq(scribe_lines(&scribe, "0 faults injected in 0 operations (fault_seed=1844674407"), 1);
}
END_TEST

START_TEST(nothing_changes_without_a_fault)
{
	struct nmhal_bus_info info = {0};
	struct nmhal_stream_info stream_info = {0};
	uint32_t replies[FRAMES];
	uint64_t value = 0;
	char text[256];

	scribe_open_with(&scribe, "bus", "io@100", 1);
	scribe.bus.ops->info(scribe.bus.self, &info);
	ck_assert_str_eq(info.serial, "F1");
	ck_assert_uint_eq(info.max_frames, 77);
	assert_ok(scribe_spi(&scribe, frames, FRAMES, replies));
	ck_assert_uint_eq(replies[5], 0x66);
	assert_ok(scribe_events(&scribe, "5 6", text, sizeof(text)));
	ck_assert_str_eq(text, "2: 5 6 idle");
	assert_ok(scribe.bus.ops->reset(scribe.bus.self, NMHAL_NEVER));
	assert_ok(scribe.bus.ops->counter(scribe.bus.self, "cycles", &value));
	ck_assert_uint_eq(value, 10);
	ck_assert_int_eq(scribe.bus.ops->counter(scribe.bus.self, "sops", &value), NMHAL_E_UNSUPPORTED);
	nmhal_device_interrupt(scribe.dev); /* the driver of the test has none: */
	scribe.bus.ops->interrupt(scribe.bus.self);
	ck_assert_uint_eq(scribe.interrupts, 1);
	scribe_expect(&scribe, "S11,22,33,44,55,8066 E5,6 R");
	scribe.fail_with = NMHAL_E_PROTOCOL;
	assert_fails(NMHAL_E_PROTOCOL, "spi: fails as asked", scribe_spi(&scribe, frames, 1, NULL));
	scribe_close(&scribe);
	ck_assert_ptr_nonnull(strstr(scribe.log, "0 faults injected in 4 operations (fault_seed=1)"));

	scribe_open_with(&scribe, "bytes", "io@100", 1);
	scribe.chunks = (const char *const[]){"hi", NULL};
	scribe.stream.ops->info(scribe.stream.self, &stream_info);
	ck_assert_str_eq(stream_info.serial, "B1");
	assert_ok(scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	assert_ok(scribe_send(&scribe, "yo"));
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "hi");
	scribe.stream.ops->interrupt(scribe.stream.self);
	ck_assert_uint_eq(scribe.interrupts, 1);
	scribe_expect(&scribe, "f s796f r");
	scribe_close(&scribe);

	/* A link may lack what is optional. */
	scribe_init(&scribe);
	scribe.bare = true;
	assert_ok(scribe_try(&scribe, "scribe:bus,fault=io@100"));
	ck_assert_int_eq(scribe.bus.ops->counter(scribe.bus.self, "cycles", &value), NMHAL_E_UNSUPPORTED);
	scribe.bus.ops->interrupt(scribe.bus.self);
	scribe_close(&scribe);
	scribe_init(&scribe);
	scribe.bare = true;
	assert_ok(scribe_try(&scribe, "scribe:bytes,fault=io@100"));
	scribe.stream.ops->interrupt(scribe.stream.self);
	scribe_close(&scribe);
	ck_assert_uint_eq(scribe.interrupts, 0);
}
END_TEST

/* ---- a bus ------------------------------------------------------------------------------------------------------- */

START_TEST(frames_are_lost_or_come_twice)
{
	uint64_t sent[2 * FRAMES];
	uint32_t replies[FRAMES];
	unsigned places = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		const bool drop = seed % 2;
		size_t count, at = 0;

		scribe_open_with(&scribe, "bus", drop ? "drop@1" : "dup@1", seed);
		assert_ok(scribe_spi(&scribe, frames, FRAMES, replies));
		count = numbers('S', sent, 2 * FRAMES);
		ck_assert_uint_eq(count, drop ? FRAMES - 1 : FRAMES + 1);
		while (at < FRAMES - 1 && sent[at] == frames[at])
			at++;
		if (!drop)
			at -= at && sent[at] == frames[at - 1]; /* the second of the two */
		places |= 1u << at;
		for (size_t n = 0; n < FRAMES; n++)
			ck_assert_uint_eq(replies[n], n == at && drop ? 0 : frames[n] & 0xFF);
		ck_assert_uint_eq(scribe_lines(&scribe, drop ? "spi of 6 frames: injected fault: drop of frame" :
							 "spi of 6 frames: injected fault: dup of frame"), 1);
		/* Only the first operation. */
		assert_ok(scribe_spi(&scribe, frames, FRAMES, NULL));
		scribe_expect(&scribe, "S11,22,33,44,55,8066");
		scribe_close(&scribe);
	}
	ck_assert_uint_ge(scribe_bits(places), 4); /* not always the same frame */
}
END_TEST

START_TEST(a_bit_of_a_frame_or_reply_flips)
{
	uint64_t sent[FRAMES];
	uint32_t replies[FRAMES];
	unsigned in_frames = 0, in_replies = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint64_t changed = 0, answered = 0;

		scribe_open_with(&scribe, "bus", "flip@1", seed);
		assert_ok(scribe_spi(&scribe, frames, FRAMES, replies));
		ck_assert_uint_eq(numbers('S', sent, FRAMES), FRAMES);
		for (size_t n = 0; n < FRAMES; n++) {
			changed = changed << 8 | scribe_bits(sent[n] ^ frames[n]);
			answered += scribe_bits(replies[n] ^ (sent[n] & 0xFF));
			ck_assert_uint_lt(sent[n], 0x10000); /* bits that no frame uses stay 0 */
		}
		ck_assert_uint_eq(scribe_bits(changed) + answered, 1);
		in_frames += changed != 0;
		in_replies += answered != 0;
		scribe_close(&scribe);
		/* Without replies only a frame can have it. */
		scribe_open_with(&scribe, "bus", "flip@1", seed);
		assert_ok(scribe_spi(&scribe, frames, 1, NULL));
		ck_assert_uint_eq(numbers('S', sent, FRAMES), 1);
		ck_assert_uint_eq(scribe_bits(sent[0] ^ frames[0]), 1);
		scribe_close(&scribe);
	}
	ck_assert_uint_ge(in_frames, SEEDS / 4);
	ck_assert_uint_ge(in_replies, SEEDS / 4);
}
END_TEST

/* Output addresses in the text of scribe_events(). */
static size_t outputs(const char *text, uint64_t *list)
{
	const char *at = strchr(text, ':') + 1;
	size_t count = 0;
	char *end;

	for (; (list[count] = strtoull(at, &end, 16)), end != at; at = end)
		count++;
	return count;
}

/* The inputs 1 2 3 4 were to cause the outputs 1 2 3 4: what the far end got and the caller was told of. */
struct exchange {
	uint64_t in[8], out[8];
	size_t done, in_count, out_count;
	bool input, output; /* which of them the log says was hit */
};

static struct exchange exchange(const char *fault, unsigned seed)
{
	struct exchange done = {.done = 0};
	char text[256];

	scribe_open_with(&scribe, "bus", fault, seed);
	assert_ok(scribe_events(&scribe, "1 2 3 4", text, sizeof(text)));
	done.done = strtoul(text, NULL, 10);
	done.out_count = outputs(text, done.out);
	done.in_count = numbers('E', done.in, 8);
	done.input = strstr(scribe.log, " input ");
	done.output = strstr(scribe.log, " output ");
	ck_assert(done.input != done.output);
	ck_assert_uint_le(done.done, 4);
	if (done.output) {
		ck_assert_uint_eq(done.done, 4);
		ck_assert_uint_eq(done.in_count, 4);
	}
	/* The rest goes through in the next call. */
	assert_ok(scribe_events(&scribe, "9", text, sizeof(text)));
	ck_assert_str_eq(text, "1: 9 idle");
	scribe_close(&scribe);
	return done;
}

START_TEST(events_are_lost_change_or_come_twice)
{
	unsigned inputs = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct exchange got = exchange("drop@1", seed);
		unsigned flipped = 0;

		inputs += got.input;
		if (got.input)
			ck_assert_uint_eq(got.in_count, got.done - 1);
		ck_assert_uint_eq(got.out_count, got.input ? got.in_count : 3);
		got = exchange("dup@1", seed);
		inputs += got.input;
		if (got.input) {
			ck_assert_uint_eq(got.in_count, got.done + 1);
			ck_assert_uint_eq(got.in[got.done], got.in[got.done - 1]);
		}
		ck_assert_uint_eq(got.out_count, got.input ? got.in_count : 5);
		got = exchange("flip@1", seed);
		inputs += got.input;
		ck_assert_uint_eq(got.in_count, got.done);
		ck_assert_uint_eq(got.out_count, got.done);
		for (size_t n = 0; n < got.done; n++)
			flipped += scribe_bits((got.input ? got.in : got.out)[n] ^ (n + 1));
		ck_assert_uint_eq(flipped, 1);
	}
	ck_assert_uint_ge(inputs, SEEDS);
	ck_assert_uint_le(inputs, 2 * SEEDS);
}
END_TEST

START_TEST(events_come_in_parts)
{
	size_t most = 0;

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		struct exchange got = exchange("split@1", seed);

		ck_assert_uint_lt(got.done, 4);
		ck_assert_uint_eq(got.in_count, got.done);
		ck_assert_uint_eq(got.out_count, got.done);
		most = got.done > most ? got.done : most;
	}
	ck_assert_uint_eq(most, 3);
}
END_TEST

/* Where there is nothing to hit, nothing is injected, and nothing is said. */
START_TEST(nothing_to_hit)
{
	char text[64];

	scribe_open_with(&scribe, "bus", "drop@1+dup@2+flip@3+drop@4", 3);
	for (unsigned n = 0; n < 3; n++) {
		assert_ok(scribe_events(&scribe, "", text, sizeof(text)));
		ck_assert_str_eq(text, "0: idle");
	}
	assert_ok(scribe.bus.ops->reset(scribe.bus.self, NMHAL_NEVER));
	scribe_expect(&scribe, "E E E R");
	scribe_close(&scribe);
	ck_assert_ptr_nonnull(strstr(scribe.log, "0 faults injected in 4 operations"));
}
END_TEST

/* An input that the link does not take yet cannot be lost. */
START_TEST(a_link_that_takes_one_event_at_a_time)
{
	char text[64];

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint64_t got[8];
		size_t done;

		scribe_open_with(&scribe, "bus", "dup@1", seed);
		scribe.accept = 1;
		assert_ok(scribe_events(&scribe, "1 2 3", text, sizeof(text)));
		done = strtoul(text, NULL, 10);
		ck_assert_uint_le(done, 3);
		ck_assert_uint_le(numbers('E', got, 8), 2);
		scribe_close(&scribe);
	}
}
END_TEST

START_TEST(an_operation_fails_after_a_part_of_it)
{
	bool reset_done[2] = {false, false};
	unsigned parts = 0;
	char text[64];

	for (unsigned seed = 0; seed < SEEDS; seed++) {
		uint64_t sent[FRAMES];
		size_t count;

		scribe_open_with(&scribe, "bus", "io@1+io@2+io@3", seed);
		assert_fails(NMHAL_E_IO, "spi of 6 frames: injected fault: io at operation 1 (fault_seed=",
			scribe_spi(&scribe, frames, FRAMES, NULL));
		count = numbers('S', sent, FRAMES);
		parts |= 1u << count;
		if (count)
			ck_assert_mem_eq(sent, frames, count * sizeof(*sent));
		assert_fails(NMHAL_E_IO, "events of 2 inputs: injected fault: io at operation 2",
			scribe_events(&scribe, "1 2", text, sizeof(text)));
		ck_assert_str_eq(text + 1, ":"); /* no outputs, not idle */
		ck_assert_uint_eq(numbers('E', sent, FRAMES), (size_t)(*text - '0'));
		assert_fails(NMHAL_E_IO, "reset: injected fault: io at operation 3",
			scribe.bus.ops->reset(scribe.bus.self, NMHAL_NEVER));
		reset_done[*scribe.story == 'R'] = true;
		scribe_close(&scribe);
	}
	ck_assert_uint_ge(scribe_bits(parts), 5);
	ck_assert(reset_done[0] && reset_done[1]);
}
END_TEST

/* ---- whole operations -------------------------------------------------------------------------------------------- */

static int reset_by(int64_t deadline_ns)
{
	return scribe.bus.ops->reset(scribe.bus.self, deadline_ns);
}

START_TEST(a_hang_ends_at_the_deadline_or_when_interrupted)
{
	int64_t began;

	scribe_open_with(&scribe, "bus", "timeout:1", 1);
	began = nmhal_now_ns();
	assert_fails(NMHAL_E_TIMEOUT, "reset: injected fault: timeout at operation 1 (fault_seed=1)",
		reset_by(began + 30 * MS));
	ck_assert_int_ge(nmhal_now_ns() - began, 30 * MS);
	assert_fails(NMHAL_E_TIMEOUT, "timeout at operation 2", reset_by(0)); /* NMHAL_NO_WAIT */
	nmhal_device_interrupt(scribe.dev);
	assert_fails(NMHAL_E_CANCELED, "reset: interrupted", reset_by(NMHAL_NEVER));
	scribe_expect(&scribe, "");
	scribe_close(&scribe);
}
END_TEST

START_TEST(a_delay_keeps_the_deadline)
{
	int64_t began;

	scribe_open_with(&scribe, "bus", "delay:1", 1);
	began = nmhal_now_ns();
	for (unsigned n = 0; n < 5; n++)
		assert_ok(reset_by(NMHAL_NEVER));
	ck_assert_int_ge(nmhal_now_ns() - began, 5 * MS);
	scribe_expect(&scribe, "R R R R R");
	ck_assert_uint_eq(scribe_lines(&scribe, "reset: injected fault: delay of "), 5);
	assert_fails(NMHAL_E_TIMEOUT, "reset: not done at the deadline", reset_by(0));
	scribe_expect(&scribe, "");
	scribe_close(&scribe);
}
END_TEST

START_TEST(gone_is_for_ever)
{
	char text[64];
	int8_t code = 0;
	const struct nmhal_region cell = {.rows = 1, .cols = 1};

	scribe_open_with(&scribe, "bus", "gone@2", 7);
	assert_ok(reset_by(NMHAL_NEVER));
	assert_fails(NMHAL_E_GONE, "reset: injected fault: gone at operation 2 (fault_seed=7)", reset_by(NMHAL_NEVER));
	assert_fails(NMHAL_E_GONE, "spi: injected fault: gone since operation 2 (fault_seed=7)",
		scribe_spi(&scribe, frames, FRAMES, NULL));
	assert_fails(NMHAL_E_GONE, "events: injected", scribe_events(&scribe, "1", text, sizeof(text)));
	ck_assert_str_eq(text, "0:");
	scribe_expect(&scribe, "R");
	/* The core remembers too. */
	scribe.fail_with = NMHAL_E_GONE;
	ck_assert_int_eq(nmhal_read_weights(scribe.dev, &cell, &code, 0, NMHAL_CODE_I8, 0), NMHAL_E_GONE);
	scribe.fail_with = NMHAL_OK;
	ck_assert_int_eq(nmhal_read_weights(scribe.dev, &cell, &code, 0, NMHAL_CODE_I8, 0), NMHAL_E_GONE);
	scribe_close(&scribe);

	scribe_open_with(&scribe, "bytes", "gone@1", 7);
	assert_fails(NMHAL_E_GONE, "send of 1 bytes: injected fault: gone at operation 1", scribe_send(&scribe, "a"));
	assert_fails(NMHAL_E_GONE, "receive: injected fault: gone since", scribe_recv(&scribe, text, 9, 1000));
	assert_fails(NMHAL_E_GONE, "flush: injected", scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	scribe_expect(&scribe, "");
	scribe_close(&scribe);
}
END_TEST

/* ---- chance ------------------------------------------------------------------------------------------------------ */

/* What 300 operations come to, in text. */
static void play(const char *fault, unsigned seed, char *text, size_t size)
{
	char outputs[128];

	scribe_open_with(&scribe, "bus", fault, seed);
	*text = '\0';
	for (unsigned n = 0; n < 100; n++) {
		uint32_t replies[2] = {0, 0};
		int spi = scribe_spi(&scribe, frames, 2, replies), reset = reset_by(NMHAL_NEVER);
		int events = scribe_events(&scribe, "1 2 3", outputs, sizeof(outputs));
		size_t used = strlen(text);

		snprintf(text + used, size - used, "%d %x %x %d %d %s %s\n", spi, replies[0], replies[1], reset, events,
			outputs, scribe.story);
		scribe.story[0] = '\0';
		scribe.log[0] = '\0';
	}
	scribe_close(&scribe);
}

START_TEST(the_same_seed_gives_the_same_faults)
{
	static char first[32768], again[32768], other[32768];

	play("io:0.1+flip:0.2+drop:0.1+dup:0.1+split:0.2", 5, first, sizeof(first));
	play("io:0.1+flip:0.2+drop:0.1+dup:0.1+split:0.2", 5, again, sizeof(again));
	play("io:0.1+flip:0.2+drop:0.1+dup:0.1+split:0.2", 6, other, sizeof(other));
	ck_assert_str_eq(first, again);
	ck_assert_str_ne(first, other);
}
END_TEST

START_TEST(a_rate_is_kept)
{
	static const struct {
		const char *fault;
		unsigned least, most;
	} rates[] = {{"io:0", 0, 0}, {"io:0.05", 60, 140}, {"io:0.5", 900, 1100}, {"io:1", 2000, 2000},
		{"io:0.5+io:0.5", 1400, 1600}};

	for (size_t n = 0; n < sizeof(rates) / sizeof(*rates); n++) {
		unsigned failed = 0;

		scribe_open_with(&scribe, "bus", rates[n].fault, 11);
		for (unsigned k = 0; k < 2000; k++) {
			failed += reset_by(NMHAL_NEVER) != NMHAL_OK;
			scribe.story[0] = '\0';
			scribe.log[0] = '\0';
		}
		scribe_close(&scribe);
		ck_assert_uint_ge(failed, rates[n].least);
		ck_assert_uint_le(failed, rates[n].most);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {what_the_key_may_say, nothing_changes_without_a_fault,
		frames_are_lost_or_come_twice, a_bit_of_a_frame_or_reply_flips, events_are_lost_change_or_come_twice,
		events_come_in_parts, nothing_to_hit, a_link_that_takes_one_event_at_a_time,
		an_operation_fails_after_a_part_of_it, a_hang_ends_at_the_deadline_or_when_interrupted,
		a_delay_keeps_the_deadline, gone_is_for_ever, the_same_seed_gives_the_same_faults, a_rate_is_kept};

	return run_tests("fault", tests, sizeof(tests) / sizeof(*tests));
}
