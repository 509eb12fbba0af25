/* SPDX-License-Identifier: MIT */
/* Traces as bytes (docs/trace.md): the one place that knows their layout. All numbers are little-endian. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define RECORD_HEAD 8u /* length and checksum */
#define IN_SIZE     7u /* index 4, address 2, idle_before 1 */
#define OUT_SIZE    6u /* index 4, address 2 */

enum { KIND_BUS = 1, KIND_STREAM = 2 };

static const char magic[8] = "NMTRACE";

const char *nmtrace_name(unsigned type)
{
	switch (type) {
	case TRACE_SPI:
		return "spi";
	case TRACE_EVENTS:
		return "events";
	case TRACE_RESET:
		return "reset";
	case TRACE_COUNTER:
		return "counter";
	case TRACE_SEND:
		return "send";
	case TRACE_RECV:
		return "receive";
	case TRACE_FLUSH:
		return "flush";
	case TRACE_CLOSE:
		return "close";
	default:
		return NULL;
	}
}

/* CRC-32C, four bits at a time. */
static uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t size)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
		0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
	};

	crc = ~crc;
	for (size_t n = 0; n < size; n++) {
		crc ^= bytes[n];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static bool grow(struct nmtrace_buffer *buffer, size_t more)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 4096;
	uint8_t *grown;

	while (capacity - buffer->size < more)
		capacity *= 2;
	grown = capacity == buffer->capacity ? buffer->bytes : realloc(buffer->bytes, capacity);
	if (!grown) {
		buffer->no_memory = true;
		return false;
	}
	buffer->bytes = grown;
	buffer->capacity = capacity;
	return true;
}

static void put(struct nmtrace_buffer *buffer, uint64_t value, unsigned width)
{
	if (!grow(buffer, width))
		return;
	for (unsigned n = 0; n < width; n++)
		buffer->bytes[buffer->size++] = (uint8_t)(value >> 8 * n);
}

static void put_bytes(struct nmtrace_buffer *buffer, const void *bytes, size_t size)
{
	if (!size || !grow(buffer, size))
		return;
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
}

static void put_text(struct nmtrace_buffer *buffer, const char *text)
{
	size_t size = strnlen(text, TRACE_TEXT);

	put(buffer, size, 2);
	put_bytes(buffer, text, size);
}

/* Begins a record at the end of the buffer; end_record() knows where. */
static size_t begin_record(struct nmtrace_buffer *buffer, enum nmtrace_type type)
{
	size_t at = buffer->size;

	put(buffer, 0, RECORD_HEAD);
	put(buffer, type, 1);
	return at;
}

static void end_record(struct nmtrace_buffer *buffer, size_t at)
{
	uint32_t length = (uint32_t)(buffer->size - at - RECORD_HEAD);
	uint8_t *head = buffer->bytes + at;

	if (buffer->no_memory)
		return;
	for (unsigned n = 0; n < 4; n++)
		head[n] = (uint8_t)(length >> 8 * n);
	buffer->crc = crc32c(crc32c(buffer->crc, head, 4), head + RECORD_HEAD, length);
	for (unsigned n = 0; n < 4; n++)
		head[4 + n] = (uint8_t)(buffer->crc >> 8 * n);
}

/* Empties the buffer and begins the record of an operation. */
static size_t begin_op(struct nmtrace_buffer *buffer, enum nmtrace_type type, int status, const char *text)
{
	size_t at;

	buffer->size = 0;
	buffer->no_memory = false;
	at = begin_record(buffer, type);
	put(buffer, (uint32_t)status, 4);
	if (status != NMHAL_OK)
		put_text(buffer, text);
	return at;
}

void nmtrace_buffer_free(struct nmtrace_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct nmtrace_buffer){0};
}

void nmtrace_header(struct nmtrace_buffer *buffer, const char *board, const char *uri, const struct nmhal_bus_info *bus,
	const struct nmhal_stream_info *stream)
{
	size_t at;

	buffer->size = 0;
	buffer->crc = 0;
	buffer->no_memory = false;
	put_bytes(buffer, magic, sizeof(magic));
	put(buffer, TRACE_VERSION, 4);
	at = begin_record(buffer, TRACE_HEADER);
	put(buffer, bus ? KIND_BUS : KIND_STREAM, 1);
	put(buffer, nmhal_version(), 4);
	put_text(buffer, board);
	put_text(buffer, uri);
	if (bus) {
		put(buffer, bus->flags, 4);
		put(buffer, (uint32_t)bus->default_timeout_ms, 4);
		put(buffer, bus->max_frames, 8);
		put(buffer, bus->clock_hz, 8);
		put(buffer, bus->spi_hz, 4);
		put(buffer, bus->emulated, 1);
		put_bytes(buffer, bus->serial, sizeof(bus->serial));
	} else {
		put(buffer, stream->max_frame, 8);
		put(buffer, stream->alignment, 8);
		put(buffer, (uint32_t)stream->default_timeout_ms, 4);
		put(buffer, stream->emulated, 1);
		put_bytes(buffer, stream->serial, sizeof(stream->serial));
	}
	end_record(buffer, at);
}

/* Bytes that hold every bit of used, at least one. */
static unsigned width_of(uint64_t used)
{
	unsigned width = 1;

	while (width < 8 && used >> 8 * width)
		width++;
	return width;
}

void nmtrace_spi(struct nmtrace_buffer *buffer, int status, const char *text, const uint64_t *frames, size_t count,
	const uint32_t *replies)
{
	size_t at = begin_op(buffer, TRACE_SPI, status, text);
	uint64_t in_frames = 0, in_replies = 0;
	unsigned width, reply_width;

	for (size_t n = 0; n < count; n++)
		in_frames |= frames[n];
	for (size_t n = 0; n < count && replies && status == NMHAL_OK; n++)
		in_replies |= replies[n];
	width = width_of(in_frames);
	reply_width = replies ? width_of(in_replies) : 0;
	put(buffer, count, 4);
	put(buffer, width, 1);
	put(buffer, reply_width, 1);
	for (size_t n = 0; n < count; n++)
		put(buffer, frames[n], width);
	for (size_t n = 0; n < count && replies && status == NMHAL_OK; n++)
		put(buffer, replies[n], reply_width);
	end_record(buffer, at);
}

void nmtrace_events(struct nmtrace_buffer *buffer, int status, const char *text,
	const struct nmhal_bus_transfer *transfer)
{
	size_t at = begin_op(buffer, TRACE_EVENTS, status, text);

	put(buffer, transfer->in_count, 4);
	put(buffer, transfer->quiet_frame, 8);
	put(buffer, transfer->quiet_clocks, 4);
	put(buffer, transfer->idle, 1);
	put(buffer, transfer->in_done, 4);
	for (size_t n = 0; n < transfer->in_done; n++) {
		put(buffer, transfer->in[n].index, 4);
		put(buffer, transfer->in[n].address, 2);
		put(buffer, transfer->in[n].idle_before, 1);
	}
	put(buffer, transfer->out_count, 4);
	for (size_t n = 0; n < transfer->out_count; n++) {
		put(buffer, transfer->out[n].index, 4);
		put(buffer, transfer->out[n].address, 2);
	}
	end_record(buffer, at);
}

void nmtrace_counter(struct nmtrace_buffer *buffer, int status, const char *text, const char *key, uint64_t value)
{
	size_t at = begin_op(buffer, TRACE_COUNTER, status, text);

	put_text(buffer, key);
	put(buffer, value, 8);
	end_record(buffer, at);
}

void nmtrace_data(struct nmtrace_buffer *buffer, enum nmtrace_type type, int status, const char *text,
	const void *bytes, size_t size)
{
	size_t at = begin_op(buffer, type, status, text);

	put(buffer, size, 4);
	put_bytes(buffer, bytes, size);
	end_record(buffer, at);
}

void nmtrace_plain(struct nmtrace_buffer *buffer, enum nmtrace_type type, int status, const char *text)
{
	end_record(buffer, begin_op(buffer, type, status, text));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* What is left of a record; bad when more was wanted. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static uint64_t number_at(const uint8_t *at, unsigned width)
{
	uint64_t value = 0;

	for (unsigned n = 0; n < width; n++)
		value |= (uint64_t)at[n] << 8 * n;
	return value;
}

static struct nmtrace_piece get_piece(struct cursor *cursor, uint64_t size)
{
	struct nmtrace_piece piece = {cursor->at, 0};

	if (size > cursor->left) {
		cursor->bad = true;
		return piece;
	}
	piece.size = (size_t)size;
	cursor->at += piece.size;
	cursor->left -= piece.size;
	return piece;
}

static uint64_t get(struct cursor *cursor, unsigned width)
{
	struct nmtrace_piece piece = get_piece(cursor, width);

	return cursor->bad ? 0 : number_at(piece.bytes, width);
}

static struct nmtrace_piece get_text(struct cursor *cursor)
{
	uint64_t size = get(cursor, 2);

	cursor->bad |= size > TRACE_TEXT;
	return get_piece(cursor, size);
}

/* The whole record is read, and its contents can be. */
static bool is_good(const struct cursor *cursor, bool sense)
{
	return !cursor->bad && !cursor->left && sense;
}

static bool read_session(struct cursor *cursor, struct nmtrace_session *session)
{
	uint64_t kind = get(cursor, 1);
	struct nmtrace_piece board, serial;
	bool sense;

	*session = (struct nmtrace_session){.is_bus = kind == KIND_BUS, .library = (uint32_t)get(cursor, 4)};
	board = get_text(cursor);
	session->uri = get_text(cursor);
	if (session->is_bus) {
		session->bus.flags = (uint32_t)get(cursor, 4);
		session->bus.default_timeout_ms = (int32_t)get(cursor, 4);
		session->bus.max_frames = (size_t)get(cursor, 8);
		session->bus.clock_hz = get(cursor, 8);
		session->bus.spi_hz = (uint32_t)get(cursor, 4);
		session->bus.emulated = get(cursor, 1) != 0;
		sense = session->bus.default_timeout_ms >= NMHAL_WAIT_FOREVER;
	} else {
		session->stream.max_frame = (size_t)get(cursor, 8);
		session->stream.alignment = (size_t)get(cursor, 8);
		session->stream.default_timeout_ms = (int32_t)get(cursor, 4);
		session->stream.emulated = get(cursor, 1) != 0;
		sense = session->stream.default_timeout_ms >= NMHAL_WAIT_FOREVER && session->stream.alignment;
	}
	serial = get_piece(cursor, sizeof(session->bus.serial));
	sense = sense && (kind == KIND_BUS || kind == KIND_STREAM) && board.size && board.size < sizeof(session->board);
	if (!is_good(cursor, sense) || memchr(board.bytes, 0, board.size))
		return false;
	memcpy(session->board, board.bytes, board.size);
	memcpy(session->is_bus ? session->bus.serial : session->stream.serial, serial.bytes, serial.size - 1);
	return true;
}

static bool read_spi(struct cursor *cursor, struct nmtrace_record *record)
{
	bool sense;

	record->count = (uint32_t)get(cursor, 4);
	record->width = (unsigned)get(cursor, 1);
	record->reply_width = (unsigned)get(cursor, 1);
	sense = record->width >= 1 && record->width <= 8 && record->reply_width <= 4;
	record->data = get_piece(cursor, (uint64_t)record->count * record->width);
	if (record->status == NMHAL_OK)
		record->results = get_piece(cursor, (uint64_t)record->count * record->reply_width);
	return is_good(cursor, sense);
}

static bool read_events(struct cursor *cursor, struct nmtrace_record *record)
{
	uint64_t taken;

	record->count = (uint32_t)get(cursor, 4);
	record->quiet_frame = get(cursor, 8);
	record->quiet_clocks = (uint32_t)get(cursor, 4);
	record->idle = get(cursor, 1) != 0;
	taken = get(cursor, 4);
	record->data = get_piece(cursor, taken * IN_SIZE);
	record->results = get_piece(cursor, get(cursor, 4) * OUT_SIZE);
	return is_good(cursor, taken <= record->count);
}

static bool read_counter(struct cursor *cursor, struct nmtrace_record *record)
{
	record->data = get_text(cursor);
	record->value = get(cursor, 8);
	return is_good(cursor, true);
}

static bool read_data(struct cursor *cursor, struct nmtrace_record *record)
{
	record->count = (uint32_t)get(cursor, 4);
	record->data = get_piece(cursor, record->count);
	return is_good(cursor, record->type != TRACE_RECV || !record->count == (record->status != NMHAL_OK));
}

static bool read_op(struct cursor *cursor, struct nmtrace_record *record)
{
	record->type = (enum nmtrace_type)get(cursor, 1);
	record->status = (int32_t)get(cursor, 4);
	if (record->status > NMHAL_OK || record->status < NMHAL_E_INTERNAL)
		return false;
	if (record->status != NMHAL_OK)
		record->text = get_text(cursor);
	switch (record->type) {
	case TRACE_SPI:
		return read_spi(cursor, record);
	case TRACE_EVENTS:
		return read_events(cursor, record);
	case TRACE_COUNTER:
		return read_counter(cursor, record);
	case TRACE_SEND:
	case TRACE_RECV:
		return read_data(cursor, record);
	case TRACE_RESET:
	case TRACE_FLUSH:
	case TRACE_CLOSE:
		return is_good(cursor, true);
	default:
		return false;
	}
}

static int damaged(const struct nmtrace_reader *reader, char *why, const char *what)
{
	snprintf(why, TRACE_WHY, "record %" PRIu64 " at offset %zu is damaged: %s", reader->number, reader->at, what);
	return NMHAL_E_PROTOCOL;
}

/* Cuts the next record out of the bytes, its checksum checked. */
static int next_record(struct nmtrace_reader *reader, struct cursor *cursor, char *why)
{
	const uint8_t *head = reader->bytes + reader->at;
	size_t left = reader->size - reader->at;
	uint64_t length = left < RECORD_HEAD ? 0 : number_at(head, 4);
	uint32_t crc;

	*why = '\0';
	if (!left)
		return NMHAL_E_AGAIN;
	if (left < RECORD_HEAD || length > left - RECORD_HEAD) {
		snprintf(why, TRACE_WHY, "record %" PRIu64 " at offset %zu is cut off: %zu bytes are left of it",
			reader->number, reader->at, left);
		return NMHAL_E_AGAIN;
	}
	crc = crc32c(crc32c(reader->crc, head, 4), head + RECORD_HEAD, (size_t)length);
	if (crc != number_at(head + 4, 4))
		return damaged(reader, why, "its checksum is wrong");
	*cursor = (struct cursor){head + RECORD_HEAD, (size_t)length, false};
	reader->crc = crc;
	return NMHAL_OK;
}

static void passed(struct nmtrace_reader *reader, const struct cursor *cursor)
{
	reader->at = (size_t)(cursor->at - reader->bytes);
	reader->number++;
}

int nmtrace_open(struct nmtrace_reader *reader, const uint8_t *bytes, size_t size, struct nmtrace_session *session,
	char *why)
{
	struct cursor cursor = {NULL, 0, false};
	uint64_t version;
	int status;

	if (size < TRACE_PREAMBLE || memcmp(bytes, magic, sizeof(magic)) != 0) {
		snprintf(why, TRACE_WHY, "is no trace: it does not begin with %s", magic);
		return NMHAL_E_PROTOCOL;
	}
	version = number_at(bytes + sizeof(magic), 4);
	if (version != TRACE_VERSION) {
		snprintf(why, TRACE_WHY, "is a trace of version %" PRIu64 ", this library reads version %u", version,
			TRACE_VERSION);
		return NMHAL_E_VERSION;
	}
	*reader = (struct nmtrace_reader){.bytes = bytes, .size = size, .at = TRACE_PREAMBLE};
	status = next_record(reader, &cursor, why);
	if (status == NMHAL_E_AGAIN) {
		snprintf(why, TRACE_WHY, "is cut off in its header: %zu bytes", size);
		return NMHAL_E_PROTOCOL;
	}
	if (status != NMHAL_OK)
		return status;
	if (get(&cursor, 1) != TRACE_HEADER || !read_session(&cursor, session))
		return damaged(reader, why, "it is no header");
	passed(reader, &cursor);
	return NMHAL_OK;
}

int nmtrace_next(struct nmtrace_reader *reader, struct nmtrace_record *record, char *why)
{
	struct cursor cursor = {NULL, 0, false};
	int status = next_record(reader, &cursor, why);

	if (status != NMHAL_OK)
		return status;
	*record = (struct nmtrace_record){.number = reader->number, .offset = reader->at};
	if (!read_op(&cursor, record))
		return damaged(reader, why, "no operation looks like it");
	passed(reader, &cursor);
	return NMHAL_OK;
}

uint64_t nmtrace_frame(const struct nmtrace_record *record, size_t index)
{
	return number_at(record->data.bytes + index * record->width, record->width);
}

uint32_t nmtrace_reply(const struct nmtrace_record *record, size_t index)
{
	return (uint32_t)number_at(record->results.bytes + index * record->reply_width, record->reply_width);
}

size_t nmtrace_inputs(const struct nmtrace_record *record)
{
	return record->data.size / IN_SIZE;
}

struct nmhal_bus_in nmtrace_input(const struct nmtrace_record *record, size_t index)
{
	const uint8_t *at = record->data.bytes + index * IN_SIZE;

	return (struct nmhal_bus_in){(uint32_t)number_at(at, 4), (uint16_t)number_at(at + 4, 2), at[6]};
}

size_t nmtrace_outputs(const struct nmtrace_record *record)
{
	return record->results.size / OUT_SIZE;
}

struct nmhal_bus_out nmtrace_output(const struct nmtrace_record *record, size_t index)
{
	const uint8_t *at = record->results.bytes + index * OUT_SIZE;

	return (struct nmhal_bus_out){(uint32_t)number_at(at, 4), (uint16_t)number_at(at + 4, 2), 0};
}
