/* SPDX-License-Identifier: MIT */
/*
 * Trace files, as drivers/replay loads and plays them: the bytes as they are, and once more with the checksums that
 * they should have. A trace that is taken is written again from what was read, in no more bytes, and then reads and
 * writes as itself; and it is played to its end by whoever does what it says.
 */
#include <string.h>

#include "drivers/replay/replay.h"
#include "fuzz.h"
#include "host.h"
#include "nmlink/frame.h"

#define MOST 8192u
#define HEAD 8u /* length and checksum of a record */

unsigned fuzz_taken;

/* ---- written again ----------------------------------------------------------------------------------------------- */

struct file {
	uint8_t bytes[MOST];
	size_t size;
};

static void append(struct file *file, const struct nmtrace_buffer *buffer)
{
	MUST(!buffer->no_memory && file->size + buffer->size <= MOST);
	memcpy(file->bytes + file->size, buffer->bytes, buffer->size);
	file->size += buffer->size;
}

/* Texts end with NUL for those who write them. */
static const char *text_of(struct nmtrace_piece piece, char text[TRACE_TEXT + 1])
{
	MUST(piece.size <= TRACE_TEXT);
	memcpy(text, piece.bytes, piece.size);
	text[piece.size] = '\0';
	return text;
}

static void write_spi(struct nmtrace_buffer *buffer, const struct nmtrace_record *record, const char *text)
{
	static uint64_t frames[MOST];
	static uint32_t replies[MOST];

	MUST(record->count <= MOST);
	for (size_t n = 0; n < record->count; n++) {
		frames[n] = nmtrace_frame(record, n);
		replies[n] = record->results.size ? nmtrace_reply(record, n) : 0;
	}
	nmtrace_spi(buffer, record->status, text, frames, record->count, record->reply_width ? replies : NULL);
}

static void write_events(struct nmtrace_buffer *buffer, const struct nmtrace_record *record, const char *text)
{
	static struct nmhal_bus_in in[MOST];
	static struct nmhal_bus_out out[MOST];
	const struct nmhal_bus_transfer transfer = { .in = in, .in_count = record->count,
		.in_done = nmtrace_inputs(record), .out = out, .out_capacity = MOST,
		.out_count = nmtrace_outputs(record), .quiet_frame = record->quiet_frame,
		.quiet_clocks = record->quiet_clocks, .idle = record->idle };

	MUST(transfer.in_done <= MOST && transfer.out_count <= MOST && transfer.in_done <= transfer.in_count);
	for (size_t n = 0; n < transfer.in_done; n++)
		in[n] = nmtrace_input(record, n);
	for (size_t n = 0; n < transfer.out_count; n++)
		out[n] = nmtrace_output(record, n);
	nmtrace_events(buffer, record->status, text, &transfer);
}

static void write_record(struct nmtrace_buffer *buffer, const struct nmtrace_record *record)
{
	char why[TRACE_TEXT + 1] = "", key[TRACE_TEXT + 1];

	MUST(nmtrace_name(record->type));
	if (record->text.size)
		text_of(record->text, why);
	switch (record->type) {
	case TRACE_SPI:
		write_spi(buffer, record, why);
		break;
	case TRACE_EVENTS:
		write_events(buffer, record, why);
		break;
	case TRACE_COUNTER:
		nmtrace_counter(buffer, record->status, why, text_of(record->data, key), record->value);
		break;
	case TRACE_SEND:
	case TRACE_RECV:
		nmtrace_data(buffer, record->type, record->status, why, record->data.bytes, record->data.size);
		break;
	default:
		nmtrace_plain(buffer, record->type, record->status, why);
	}
}

static void write_again(const struct replay_trace *trace, struct file *file)
{
	const struct nmtrace_session *session = &trace->session;
	struct nmtrace_reader reader = trace->first;
	struct nmtrace_buffer buffer = { .size = 0 };
	struct nmtrace_record record;
	char uri[TRACE_TEXT + 1], why[TRACE_WHY];

	file->size = 0;
	nmtrace_header(&buffer, session->board, text_of(session->uri, uri), session->is_bus ? &session->bus : NULL,
		session->is_bus ? NULL : &session->stream);
	append(file, &buffer);
	for (uint64_t n = 0; n < trace->count; n++) {
		MUST(nmtrace_next(&reader, &record, why) == NMHAL_OK && record.number == n + 1);
		write_record(&buffer, &record);
		append(file, &buffer);
	}
	nmtrace_buffer_free(&buffer);
}

/* ---- played ------------------------------------------------------------------------------------------------------ */

static int play_bus(struct replay *replay, const struct nmtrace_record *record)
{
	static uint64_t frames[MOST];
	static uint32_t replies[MOST];
	static struct nmhal_bus_in in[MOST];
	static struct nmhal_bus_out out[MOST];
	struct nmhal_bus_transfer transfer = { .in = in, .in_count = record->count, .out = out,
		.out_capacity = nmtrace_outputs(record), .quiet_frame = record->quiet_frame,
		.quiet_clocks = record->quiet_clocks };
	char key[TRACE_TEXT + 1];
	uint64_t value;

	switch (record->type) {
	case TRACE_SPI:
		for (size_t n = 0; n < record->count; n++)
			frames[n] = nmtrace_frame(record, n);
		return replay_bus_ops.spi(replay, frames, record->count, record->reply_width ? replies : NULL, 0);
	case TRACE_EVENTS:
		for (size_t n = 0; n < nmtrace_inputs(record); n++)
			in[n] = nmtrace_input(record, n);
		return replay_bus_ops.events(replay, &transfer, 0);
	case TRACE_COUNTER:
		return replay_bus_ops.counter(replay, text_of(record->data, key), &value);
	default:
		return replay_bus_ops.reset(replay, 0);
	}
}

static int play_stream(struct replay *replay, const struct nmtrace_record *record)
{
	uint8_t bytes[MOST];
	size_t size;

	switch (record->type) {
	case TRACE_SEND:
		return replay_stream_ops.send(replay, record->data.bytes, record->data.size, 0);
	case TRACE_RECV:
		return replay_stream_ops.recv(replay, bytes, record->data.size, &size, 0);
	default:
		return replay_stream_ops.flush(replay, 0);
	}
}

/* Does what the trace says; then something that it does not. */
static void play(struct nmhal_host *host, const struct replay_trace *trace)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	struct nmtrace_reader reader = trace->first;
	struct nmtrace_record record = { .type = TRACE_CLOSE };
	char why[TRACE_WHY];
	uint8_t byte;
	size_t size;

	MUST(replay);
	*replay = (struct replay){ .host = host, .path = "input", .trace = *trace, .reader = trace->first };
	while (nmtrace_next(&reader, &record, why) == NMHAL_OK && record.type != TRACE_CLOSE) {
		int status = trace->session.is_bus ? play_bus(replay, &record) : play_stream(replay, &record);

		/* A key with NUL in it cannot be asked for. */
		MUST(status == record.status || (record.type == TRACE_COUNTER && status == NMHAL_E_PROTOCOL));
		if (*replay->strayed)
			break;
	}
	MUST(replay_stream_ops.recv(replay, &byte, 1, &size, 0) == NMHAL_E_PROTOCOL && *replay->strayed);
	replay_close(replay);
}

/* ---- one input --------------------------------------------------------------------------------------------------- */

static bool take(const uint8_t *bytes, size_t size)
{
	static struct fuzz_host fuzz;
	static struct file first, second;
	struct nmhal_host *host = fuzz_host(&fuzz);
	struct replay_trace trace, again;
	char why[TRACE_WHY] = "";
	int status = replay_load(bytes, size, &trace, why);

	if (status != NMHAL_OK) {
		MUST((status == NMHAL_E_PROTOCOL || status == NMHAL_E_VERSION) && *why);
		return false;
	}
	MUST(trace.count <= size / HEAD && !trace.whole == !!*trace.end);
	play(host, &trace);
	write_again(&trace, &first);
	MUST(first.size <= size);
	MUST(replay_load(first.bytes, first.size, &again, why) == NMHAL_OK);
	MUST(again.count == trace.count && again.whole == trace.whole);
	write_again(&again, &second);
	MUST(first.size == second.size && !memcmp(first.bytes, second.bytes, first.size));
	return trace.whole;
}

static uint32_t number(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Gives each whole record the checksum that it should have: that of its length and body, from the one before. */
static void seal(uint8_t *bytes, size_t size)
{
	uint32_t crc = 0;

	for (size_t at = TRACE_PREAMBLE; size - at >= HEAD && number(bytes + at) <= size - at - HEAD;) {
		const uint32_t length = number(bytes + at);

		crc = nmlink_crc32c(nmlink_crc32c(crc, bytes + at, 4), bytes + at + HEAD, length);
		for (unsigned n = 0; n < 4; n++)
			bytes[at + 4 + n] = (uint8_t)(crc >> 8 * n);
		at += HEAD + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *sealed;

	if (size > MOST)
		return 0;
	fuzz_taken += take(data, size);
	if (size < TRACE_PREAMBLE)
		return 0;
	sealed = malloc(size);
	MUST(sealed);
	memcpy(sealed, data, size);
	seal(sealed, size);
	take(sealed, size);
	free(sealed);
	return 0;
}
