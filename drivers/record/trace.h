/* SPDX-License-Identifier: MIT */
/*
 * Traces: the operations of a session on a bus or stream with their results, as bytes (docs/trace.md). drivers/record
 * writes them, drivers/replay reads them; the layout is in trace.c and nowhere else.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>

#include <nmhal/driver.h>

#define TRACE_VERSION  1u
#define TRACE_PREAMBLE 12u /* bytes before the first record */
#define TRACE_TEXT     1024u /* bytes of a string at most */
#define TRACE_WHY      160u

enum nmtrace_type {
	TRACE_HEADER = 'H', /* the first record */
	TRACE_SPI = 'S',
	TRACE_EVENTS = 'E',
	TRACE_RESET = 'R',
	TRACE_COUNTER = 'C',
	TRACE_SEND = 's',
	TRACE_RECV = 'r',
	TRACE_FLUSH = 'f',
	TRACE_CLOSE = 'X', /* the last record of a whole trace */
};

/* "spi" of a type; NULL: there is no such type. */
const char *nmtrace_name(unsigned type);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* A record in the making, or several; grows as needed. */
struct nmtrace_buffer {
	uint8_t *bytes;
	size_t size, capacity;
	uint32_t crc;   /* of the last record that was ended */
	bool no_memory; /* sticks until the next trace_start() */
};

void nmtrace_buffer_free(struct nmtrace_buffer *buffer);
/* Empties the buffer and begins a trace: preamble and header. One of bus and stream is NULL. */
void nmtrace_header(struct nmtrace_buffer *buffer, const char *board, const char *uri, const struct nmhal_bus_info *bus, const struct nmhal_stream_info *stream);
/*
 * Each empties the buffer and puts one operation with its result into it, as it was called and came back. `text`: the
 * sentence of a failure.
 */
void nmtrace_spi(struct nmtrace_buffer *buffer, int status, const char *text, const uint64_t *frames, size_t count, const uint32_t *replies);
void nmtrace_events(struct nmtrace_buffer *buffer, int status, const char *text, const struct nmhal_bus_transfer *transfer);
void nmtrace_counter(struct nmtrace_buffer *buffer, int status, const char *text, const char *key, uint64_t value);
void nmtrace_data(struct nmtrace_buffer *buffer, enum nmtrace_type type, int status, const char *text, const void *bytes, size_t size);
/* An operation without data: reset, flush, close. */
void nmtrace_plain(struct nmtrace_buffer *buffer, enum nmtrace_type type, int status, const char *text);

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Where reading is in a trace in memory. */
struct nmtrace_reader {
	const uint8_t *bytes;
	size_t size;
	size_t at;       /* of the next record */
	uint64_t number; /* of the next record; the header has 0 */
	uint32_t crc;
};

/* A piece of the trace; not terminated. */
struct nmtrace_piece {
	const uint8_t *bytes;
	size_t size;
};

/* The header. */
struct nmtrace_session {
	bool is_bus;
	uint32_t library; /* nmhal_version() of the recorder */
	char board[64];
	struct nmtrace_piece uri;
	struct nmhal_bus_info bus; /* or */
	struct nmhal_stream_info stream;
};

/* One operation. */
struct nmtrace_record {
	uint64_t number;
	size_t offset; /* in the file */
	enum nmtrace_type type;
	int status;
	struct nmtrace_piece text; /* sentence of a failure */
	uint32_t count;          /* frames; inputs offered */
	unsigned width, reply_width; /* bytes of a frame, of a reply; 0: no replies were asked for */
	struct nmtrace_piece data;     /* frames; inputs taken; key; bytes */
	struct nmtrace_piece results;  /* replies; outputs */
	uint64_t value, quiet_frame;
	uint32_t quiet_clocks;
	bool idle;
};

/*
 * Checks the preamble, reads the header. PROTOCOL or VERSION with a sentence in why[TRACE_WHY] when these bytes are no
 * trace, or not of this version.
 */
int nmtrace_open(struct nmtrace_reader *reader, const uint8_t *bytes, size_t size, struct nmtrace_session *session, char *why);
/* The next record: OK; AGAIN at the end of the bytes, or in a record that is cut off (`why` says so, else it is "");
 * PROTOCOL with a sentence when it is damaged. Never reads outside the bytes. */
int nmtrace_next(struct nmtrace_reader *reader, struct nmtrace_record *record, char *why);

/* Parts of an operation that was read, by index. */
uint64_t nmtrace_frame(const struct nmtrace_record *record, size_t index);
uint32_t nmtrace_reply(const struct nmtrace_record *record, size_t index);
size_t nmtrace_inputs(const struct nmtrace_record *record);
struct nmhal_bus_in nmtrace_input(const struct nmtrace_record *record, size_t index);
size_t nmtrace_outputs(const struct nmtrace_record *record);
struct nmhal_bus_out nmtrace_output(const struct nmtrace_record *record, size_t index);

#endif
