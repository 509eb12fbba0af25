/* SPDX-License-Identifier: MIT */
/* Traces as bytes: their layout, and what is said of bytes that are no trace, or not a whole one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/replay/replay.h"
#include "tests/unit/run.h"

#define MOST 4096u

/* A trace in memory. */
struct file {
	uint8_t bytes[MOST];
	size_t size;
};

static void append(struct file *file, const struct nmtrace_buffer *buffer)
{
	ck_assert(!buffer->no_memory);
	ck_assert_uint_le(file->size + buffer->size, MOST);
	memcpy(file->bytes + file->size, buffer->bytes, buffer->size);
	file->size += buffer->size;
}

static const uint64_t frames[3] = {0x1, 0x8F12345678, 0x2};
static const uint32_t replies[3] = {0x10, 0xABCDEF, 0};
static const struct nmhal_bus_in in[3] = {{7, 0x3FF, 1}, {UINT32_MAX, 1, 0}, {0, 0, 0}};
static struct nmhal_bus_out out[2] = {{7, 255, 0}, {7, 0, 0}};
static const struct nmhal_bus_info bus_info = {.flags = 3, .default_timeout_ms = 5000, .max_frames = 77,
	.clock_hz = UINT64_C(5000000000), .spi_hz = 9, .emulated = 1, .serial = "S1"};
static const struct nmhal_stream_info stream_info = {.max_frame = 64, .alignment = 4, .default_timeout_ms = -1};

static void bus_trace(struct file *file)
{
	const struct nmhal_bus_transfer transfer = {.in = in, .in_count = 3, .in_done = 2, .out = out,
		.out_capacity = 256, .out_count = 2, .quiet_frame = 0x1234567890, .quiet_clocks = 514, .idle = 1};
	struct nmtrace_buffer buffer = {0};

	file->size = 0;
	nmtrace_header(&buffer, "moth", "moth:cocoon", &bus_info, NULL);
	append(file, &buffer);
	nmtrace_spi(&buffer, NMHAL_OK, "", frames, 3, replies);
	append(file, &buffer);
	nmtrace_spi(&buffer, NMHAL_E_IO, "cable", frames, 2, NULL);
	append(file, &buffer);
	nmtrace_events(&buffer, NMHAL_OK, "", &transfer);
	append(file, &buffer);
	nmtrace_counter(&buffer, NMHAL_E_UNSUPPORTED, "", "sops", 0);
	append(file, &buffer);
	nmtrace_plain(&buffer, TRACE_RESET, NMHAL_E_CANCELED, "interrupted");
	append(file, &buffer);
	nmtrace_plain(&buffer, TRACE_CLOSE, NMHAL_OK, "");
	append(file, &buffer);
	nmtrace_buffer_free(&buffer);
}

static void stream_trace(struct file *file)
{
	struct nmtrace_buffer buffer = {0};

	file->size = 0;
	nmtrace_header(&buffer, "moth", "moth:cocoon", NULL, &stream_info);
	append(file, &buffer);
	nmtrace_plain(&buffer, TRACE_FLUSH, NMHAL_OK, "");
	append(file, &buffer);
	nmtrace_data(&buffer, TRACE_SEND, NMHAL_OK, "", "hello", 5);
	append(file, &buffer);
	nmtrace_data(&buffer, TRACE_RECV, NMHAL_OK, "", "yes", 3);
	append(file, &buffer);
	nmtrace_data(&buffer, TRACE_RECV, NMHAL_E_TIMEOUT, "late", NULL, 0);
	append(file, &buffer);
	nmtrace_plain(&buffer, TRACE_CLOSE, NMHAL_OK, "");
	append(file, &buffer);
	nmtrace_buffer_free(&buffer);
}

/* Bit by bit, unlike the one of the library. */
static uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t size)
{
	crc = ~crc;
	for (size_t n = 0; n < size; n++) {
		crc ^= bytes[n];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0);
	}
	return ~crc;
}

static uint32_t le32(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Gives every whole record the right checksum, as whoever means harm would. */
static void seal(struct file *file)
{
	uint32_t crc = 0;

	for (size_t at = TRACE_PREAMBLE; at + 8 <= file->size;) {
		uint32_t length = le32(file->bytes + at);

		if (length > file->size - at - 8)
			return;
		crc = crc32c(crc32c(crc, file->bytes + at, 4), file->bytes + at + 8, length);
		for (unsigned n = 0; n < 4; n++)
			file->bytes[at + 4 + n] = (uint8_t)(crc >> 8 * n);
		at += 8 + length;
	}
}

/* Reads every part of every operation; the sum of it all. */
static uint64_t read_all(const struct replay_trace *trace)
{
	struct nmtrace_reader reader = trace->first;
	struct nmtrace_record record;
	char why[TRACE_WHY];
	uint64_t sum = 0, count = 0;

	for (; nmtrace_next(&reader, &record, why) == NMHAL_OK; count++) {
		bool spi = record.type == TRACE_SPI, events = record.type == TRACE_EVENTS;

		sum += record.type;
		for (size_t n = 0; spi && n < record.count; n++)
			sum += nmtrace_frame(&record, n);
		for (size_t n = 0; spi && record.results.size && n < record.count; n++)
			sum += nmtrace_reply(&record, n);
		for (size_t n = 0; events && n < nmtrace_inputs(&record); n++)
			sum += nmtrace_input(&record, n).address;
		for (size_t n = 0; events && n < nmtrace_outputs(&record); n++)
			sum += nmtrace_output(&record, n).address;
		for (size_t n = 0; n < record.text.size; n++)
			sum += record.text.bytes[n];
	}
	ck_assert_uint_eq(count, trace->count);
	return sum;
}

/* Checks a copy without a byte to spare, so that a sanitizer sees what reads behind it. */
static int load(const struct file *file, struct replay_trace *trace, char *why)
{
	uint8_t *copy = malloc(file->size ? file->size : 1);
	int status;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, file->bytes, file->size);
	memset(why, '?', TRACE_WHY);
	status = replay_load(copy, file->size, trace, why);
	ck_assert(status == NMHAL_OK || (*why && strlen(why) < TRACE_WHY));
	if (status == NMHAL_OK && trace->count)
		ck_assert_uint_ge(read_all(trace), 1);
	free(copy);
	return status;
}

static void assert_load(int status, const char *text, const struct file *file)
{
	struct replay_trace trace;
	char why[TRACE_WHY];

	ck_assert_int_eq(load(file, &trace, why), status);
	if (status == NMHAL_OK)
		ck_assert_msg(strstr(trace.end, text), "'%s' is not in: %s", text, trace.end);
	else
		ck_assert_msg(strstr(why, text), "'%s' is not in: %s", text, why);
}

/* As docs/trace.md says; the checksums were computed apart from the library. */
START_TEST(layout)
{
	static const uint8_t wanted[] = {
		'N', 'M', 'T', 'R', 'A', 'C', 'E', 0, 1, 0, 0, 0,
		69, 0, 0, 0, 0, 0, 0, 0, 'H', 2, 0, 0, 0, 0, 4, 0, 'm', 'o', 't', 'h', 2, 0, 'm', ':',
		64, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		17, 0, 0, 0, 0, 0, 0, 0, 's', 0xFC, 0xFF, 0xFF, 0xFF, 2, 0, 'n', 'o', 4, 0, 0, 0, 1, 2, 3, 4,
	};
	struct file file = {.size = 0}, sealed = {.size = sizeof(wanted)};
	struct nmtrace_buffer buffer = {0};

	nmtrace_header(&buffer, "moth", "m:", NULL, &stream_info);
	append(&file, &buffer);
	nmtrace_data(&buffer, TRACE_SEND, -4, "no", "\1\2\3\4", 4);
	append(&file, &buffer);
	nmtrace_buffer_free(&buffer);
	memcpy(sealed.bytes, wanted, sizeof(wanted));
	for (unsigned n = 0; n < 4; n++) /* the version of the library */
		sealed.bytes[22 + n] = (uint8_t)(nmhal_version() >> 8 * n);
	seal(&sealed);
	ck_assert_uint_eq(crc32c(0, (const uint8_t *)"123456789", 9), 0xE3069283);
	ck_assert_uint_eq(file.size, sealed.size);
	ck_assert_mem_eq(file.bytes, sealed.bytes, sealed.size);
}
END_TEST

START_TEST(what_is_written_is_read)
{
	struct replay_trace trace;
	struct nmtrace_reader reader;
	struct nmtrace_record record;
	char why[TRACE_WHY];
	struct file file;

	bus_trace(&file);
	ck_assert_int_eq(replay_load(file.bytes, file.size, &trace, why), NMHAL_OK);
	ck_assert(trace.whole && trace.count == 6 && trace.session.is_bus);
	ck_assert_uint_eq(trace.session.library, nmhal_version());
	ck_assert_str_eq(trace.session.board, "moth");
	ck_assert_mem_eq(&trace.session.bus, &bus_info, sizeof(bus_info));
	reader = trace.first;
	ck_assert_int_eq(nmtrace_next(&reader, &record, why), NMHAL_OK);
	ck_assert(record.type == TRACE_SPI && record.count == 3 && record.number == 1 && record.reply_width == 3);
	for (size_t n = 0; n < 3; n++) {
		ck_assert_uint_eq(nmtrace_frame(&record, n), frames[n]);
		ck_assert_uint_eq(nmtrace_reply(&record, n), replies[n]);
	}
	ck_assert_int_eq(nmtrace_next(&reader, &record, why), NMHAL_OK);
	ck_assert(record.status == NMHAL_E_IO && record.count == 2 && !record.reply_width && record.width == 5);
	ck_assert_uint_eq(record.text.size, 5);
	ck_assert_mem_eq(record.text.bytes, "cable", 5);
	ck_assert_int_eq(nmtrace_next(&reader, &record, why), NMHAL_OK);
	ck_assert(record.type == TRACE_EVENTS && record.count == 3 && nmtrace_inputs(&record) == 2 && record.idle);
	ck_assert(record.quiet_frame == 0x1234567890 && record.quiet_clocks == 514 && nmtrace_outputs(&record) == 2);
	for (size_t n = 0; n < 2; n++) {
		const struct nmhal_bus_in input = nmtrace_input(&record, n);
		const struct nmhal_bus_out output = nmtrace_output(&record, n);

		ck_assert(input.index == in[n].index && input.address == in[n].address);
		ck_assert_uint_eq(input.idle_before, in[n].idle_before);
		ck_assert(output.index == out[n].index && output.address == out[n].address);
	}
	for (unsigned n = 0; n < 3; n++)
		ck_assert_int_eq(nmtrace_next(&reader, &record, why), NMHAL_OK);
	ck_assert_int_eq(record.type, TRACE_CLOSE);
	ck_assert_int_eq(nmtrace_next(&reader, &record, why), NMHAL_E_AGAIN);
	ck_assert_str_eq(why, "");

	stream_trace(&file);
	ck_assert_int_eq(replay_load(file.bytes, file.size, &trace, why), NMHAL_OK);
	ck_assert(trace.whole && trace.count == 5 && !trace.session.is_bus);
	ck_assert_mem_eq(&trace.session.stream, &stream_info, sizeof(stream_info));
}
END_TEST

START_TEST(cut_off_at_every_byte)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		struct replay_trace whole, trace;
		char why[TRACE_WHY];
		struct file file;
		uint64_t last = 0;
		size_t full;

		kind ? stream_trace(&file) : bus_trace(&file);
		ck_assert_int_eq(load(&file, &whole, why), NMHAL_OK);
		full = file.size;
		for (file.size = 0; file.size < full; file.size++) {
			int status = load(&file, &trace, why);

			if (status != NMHAL_OK) { /* in the header */
				ck_assert_int_eq(status, NMHAL_E_PROTOCOL);
				ck_assert_uint_lt(file.size, 150);
				continue;
			}
			ck_assert(!trace.whole && *trace.end);
			ck_assert_uint_ge(trace.count, last);
			last = trace.count;
		}
		ck_assert_uint_eq(last, whole.count - 1);
	}
}
END_TEST

/* Any bit, in any byte: a checksum sees it, or a record seems to be cut off. */
START_TEST(a_bit_changed_in_every_byte)
{
	for (unsigned kind = 0; kind < 2; kind++) {
		struct replay_trace trace;
		char why[TRACE_WHY];
		struct file file;

		kind ? stream_trace(&file) : bus_trace(&file);
		for (size_t n = 0; n < 8 * file.size; n++) {
			int status;

			file.bytes[n / 8] ^= (uint8_t)(1u << n % 8);
			status = load(&file, &trace, why);
			ck_assert(status == NMHAL_E_PROTOCOL || status == NMHAL_E_VERSION ||
				  (status == NMHAL_OK && !trace.whole));
			file.bytes[n / 8] ^= (uint8_t)(1u << n % 8);
		}
	}
}
END_TEST

/* Checksums that are right say nothing of what is between them. */
START_TEST(hostile_contents)
{
	unsigned good = 0, bad = 0;

	srand(3);
	for (unsigned round = 0; round < 20000; round++) {
		struct replay_trace trace;
		char why[TRACE_WHY];
		struct file file;

		round % 2 ? stream_trace(&file) : bus_trace(&file);
		for (int changes = 1 + rand() % 3; changes; changes--)
			file.bytes[TRACE_PREAMBLE + (size_t)rand() % (file.size - TRACE_PREAMBLE)] =
				(uint8_t)(rand() % 4 ? rand() % 9 : rand());
		seal(&file);
		if (load(&file, &trace, why) == NMHAL_OK)
			good++;
		else
			bad++;
	}
	ck_assert_uint_ge(good, 1000);
	ck_assert_uint_ge(bad, 1000);
}
END_TEST

/* One byte of a good trace changed, with the checksums made right. */
static void assert_change(const char *text, bool stream, size_t at, uint8_t value)
{
	struct file file;

	stream ? stream_trace(&file) : bus_trace(&file);
	file.bytes[at] = value;
	seal(&file);
	assert_load(NMHAL_E_PROTOCOL, text, &file);
}

START_TEST(what_is_said_of_damage)
{
	struct file file;
	size_t first, second;

	file.size = 0;
	assert_load(NMHAL_E_PROTOCOL, "is no trace: it does not begin with NMTRACE", &file);
	bus_trace(&file);
	file.bytes[0] = 'M';
	assert_load(NMHAL_E_PROTOCOL, "is no trace", &file);
	bus_trace(&file);
	file.bytes[8] = 2;
	assert_load(NMHAL_E_VERSION, "is a trace of version 2, this library reads version 1", &file);
	bus_trace(&file);
	first = TRACE_PREAMBLE + 8 + le32(file.bytes + TRACE_PREAMBLE); /* spi */
	second = first + 8 + le32(file.bytes + first);
	file.size = 40;
	assert_load(NMHAL_E_PROTOCOL, "is cut off in its header: 40 bytes", &file);
	file.size = first;
	assert_load(NMHAL_OK, "it has no close, the recorder was ended", &file);
	file.size = first + 10;
	assert_load(NMHAL_OK, "is cut off: 10 bytes are left of it", &file);
	bus_trace(&file);
	file.bytes[second + 20] ^= 1;
	assert_load(NMHAL_E_PROTOCOL, "record 2 at offset ", &file);
	assert_load(NMHAL_E_PROTOCOL, "is damaged: its checksum is wrong", &file);
	/* A record that is left out, whole. */
	bus_trace(&file);
	memmove(file.bytes + first, file.bytes + second, file.size - second);
	file.size -= second - first;
	assert_load(NMHAL_E_PROTOCOL, "record 1 at offset ", &file);
	/* Something after the end. */
	bus_trace(&file);
	memset(file.bytes + file.size, 0, 3);
	file.size += 3;
	assert_load(NMHAL_E_PROTOCOL, "3 bytes follow its end at offset", &file);

	assert_change("record 0 at offset 12 is damaged: it is no header", false, TRACE_PREAMBLE + 8, 'S');
	assert_change("it is no header", false, TRACE_PREAMBLE + 9, 3); /* kind */
	assert_change("it is no header", false, TRACE_PREAMBLE + 14, 0); /* length of the board */
	assert_change("it is no header", false, TRACE_PREAMBLE + 16, 0); /* first character of the board */
	assert_change("record 1 at offset", false, first + 8, 'Y');
	assert_change("no operation looks like it", false, first + 8, 'Y');
	assert_change("no operation looks like it", false, first + 9, 1);    /* status 1 */
	assert_change("no operation looks like it", false, first + 13, 4);   /* frames */
	assert_change("no operation looks like it", false, first + 16, 255); /* frames */
	assert_change("no operation looks like it", false, first + 17, 0);   /* width */
	assert_change("no operation looks like it", false, first + 17, 9);
	assert_change("no operation looks like it", false, first + 18, 5);
	stream_trace(&file);
	first = TRACE_PREAMBLE + 8 + le32(file.bytes + TRACE_PREAMBLE); /* flush */
	assert_change("is damaged: reset on a stream", true, first + 8, 'R');
	assert_change("send after close", true, first + 8, 'X');
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {layout, what_is_written_is_read, cut_off_at_every_byte,
		a_bit_changed_in_every_byte, hostile_contents, what_is_said_of_damage};

	return run_tests("trace", tests, sizeof(tests) / sizeof(*tests));
}
