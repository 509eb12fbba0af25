/* SPDX-License-Identifier: MIT */
/*
 * The driver of the board "own", a crossbar of 8-bit weights that understands three lines of text:
 *
 *	? TOKEN                  ->  own ROWS COLS TOKEN
 *	w ROW COL CODE CODE ...  ->  ok
 *	r ROW COL COUNT          ->  CODE CODE ...
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "own_board.h"

#define MAX_SIDE 256u
#define MAX_LINE (MAX_SIDE * 5u + 32u) /* a row of codes with what stands before it */

struct own {
	struct nmhal_host *host;
	struct nmhal_stream stream;
	struct nmhal_stream_info info;
	unsigned rows, cols;
	unsigned token;
	bool lost;  /* an exchange failed: late answers may come */
	size_t got; /* bytes of the next answers in `in` */
	char in[2 * MAX_LINE];
	char line[MAX_LINE]; /* the answer at hand */
	char out[MAX_LINE];  /* the line to be sent */
};

/* Brings the next answer into own->line, without its newline. */
static int next_line(struct own *own, int64_t deadline_ns)
{
	for (;;) {
		char *end = memchr(own->in, '\n', own->got);
		size_t size = 0;
		int status;

		if (end && (size_t)(end - own->in) < sizeof(own->line)) {
			size = (size_t)(end - own->in);
			memcpy(own->line, own->in, size);
			own->line[size] = '\0';
			own->got -= size + 1;
			memmove(own->in, end + 1, own->got);
			return NMHAL_OK;
		}
		if (own->got >= sizeof(own->line))
			return nmhal_host_fail(own->host, NMHAL_E_PROTOCOL, "receive: a line of more than %zu bytes",
				sizeof(own->line) - 1);
		status = own->stream.ops->recv(own->stream.self, own->in + own->got, sizeof(own->in) - own->got, &size,
			deadline_ns);
		if (status != NMHAL_OK)
			return status;
		own->got += size;
	}
}

/* Asks who is there, and passes over all answers that come before the one with our token. */
static int hello(struct own *own, int64_t deadline_ns)
{
	int status, length = snprintf(own->out, sizeof(own->out), "? %u\n", ++own->token);
	unsigned token = 0;

	own->got = 0;
	status = own->stream.ops->flush(own->stream.self, deadline_ns);
	if (status == NMHAL_OK)
		status = own->stream.ops->send(own->stream.self, own->out, (size_t)length, deadline_ns);
	while (status == NMHAL_OK && token != own->token) {
		status = next_line(own, deadline_ns);
		/* NOLINTNEXTLINE(cert-err34-c): the widths keep the numbers in range */
		if (status == NMHAL_OK && sscanf(own->line, "own %9u %9u %9u", &own->rows, &own->cols, &token) != 3)
			token = 0;
	}
	own->lost = status != NMHAL_OK;
	return status;
}

/* Sends own->out and gets the answer. After a failure the next exchange begins with hello(). */
static int exchange(struct own *own, size_t length, int64_t deadline_ns)
{
	int status = NMHAL_OK;

	own->out[length++] = '\n';
	if (own->lost) {
		char line[MAX_LINE];

		memcpy(line, own->out, length);
		status = hello(own, deadline_ns);
		memcpy(own->out, line, length);
	}
	if (status == NMHAL_OK)
		status = own->stream.ops->send(own->stream.self, own->out, length, deadline_ns);
	if (status == NMHAL_OK)
		status = next_line(own, deadline_ns);
	own->lost = status != NMHAL_OK;
	return status;
}

static int bad_answer(struct own *own, const char *what, uint32_t row)
{
	own->lost = true;
	return nmhal_host_fail(own->host, NMHAL_E_PROTOCOL, "%s row %u: the board answered '%.40s'", what, row,
		own->line);
}

static int own_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct own *own = self;

	for (uint32_t row = 0; row < region->rows; row++) {
		size_t length = (size_t)sprintf(own->out, "w %u %u", region->row + row, region->col);
		int status;

		for (uint32_t col = 0; col < region->cols; col++)
			length += (size_t)sprintf(own->out + length, " %d", codes[row * stride + col]);
		status = exchange(own, length, deadline_ns);
		if (status != NMHAL_OK)
			return status;
		if (strcmp(own->line, "ok") != 0)
			return bad_answer(own, "write", region->row + row);
	}
	return NMHAL_OK;
}

/* Exactly `count` codes of 8 bits from own->line; false: something else. */
static bool parse_codes(const struct own *own, int16_t *codes, uint32_t count)
{
	const char *at = own->line;

	for (uint32_t n = 0; n < count; n++) {
		char *end;
		long code = strtol(at, &end, 10);

		if (end == at || code < -128 || code > 127)
			return false;
		codes[n] = (int16_t)code;
		at = end;
	}
	return *at == '\0';
}

static int own_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct own *own = self;

	for (uint32_t row = 0; row < region->rows; row++) {
		int length = sprintf(own->out, "r %u %u %u", region->row + row, region->col, region->cols);
		int status = exchange(own, (size_t)length, deadline_ns);

		if (status != NMHAL_OK)
			return status;
		if (!parse_codes(own, codes + row * stride, region->cols))
			return bad_answer(own, "read", region->row + row);
	}
	return NMHAL_OK;
}

static int own_caps(void *self, struct nmhal_device_caps *caps)
{
	const struct own *own = self;

	caps->features = NMHAL_CAN_READ_WEIGHTS;
	caps->cores = 1;
	caps->rows = own->rows;
	caps->cols = own->cols;
	caps->weight_bits = 8;
	caps->weight_min = -128;
	caps->weight_max = 127;
	caps->default_timeout_ms = own->info.default_timeout_ms;
	memcpy(caps->serial, own->info.serial, sizeof(caps->serial));
	return NMHAL_OK; /* board and driver, left empty, are filled in from the table below */
}

static void own_interrupt(void *self)
{
	struct own *own = self;

	if (own->stream.ops->interrupt)
		own->stream.ops->interrupt(own->stream.self);
}

static void own_close(void *self)
{
	struct own *own = self;

	own->stream.ops->close(own->stream.self);
	free(own);
}

/* What the board has no commands for (neurons, spikes, inference, reset) is left out: the core answers UNSUPPORTED. */
static const struct nmhal_device_ops own_ops = {
	.struct_size = sizeof(struct nmhal_device_ops),
	.close = own_close,
	.caps = own_caps,
	.write_weights = own_write_weights,
	.read_weights = own_read_weights,
	.interrupt = own_interrupt,
};

static int own_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct own *own = calloc(1, sizeof(*own));
	int status;

	(void)uri;
	(void)bus;
	if (!own)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for %zu bytes", sizeof(*own));
	own->host = host;
	own->stream = *stream;
	own->stream.ops->info(own->stream.self, &own->info);
	status = hello(own, deadline_ns);
	if (status == NMHAL_OK && (!own->rows || own->rows > MAX_SIDE || !own->cols || own->cols > MAX_SIDE))
		status = nmhal_host_fail(host, NMHAL_E_PROTOCOL, "open: the board says it has %u rows of %u columns",
			own->rows, own->cols);
	if (status != NMHAL_OK) {
		free(own); /* the core closes the link */
		return status;
	}
	*ops = &own_ops;
	*self = own;
	return NMHAL_OK;
}

static const char *const own_boards[] = {"own", NULL};

const struct nmhal_driver own_driver = {
	.abi = NMHAL_DRIVER_ABI,
	.needs = NMHAL_NEEDS_STREAM,
	.struct_size = sizeof(struct nmhal_driver),
	.name = "own",
	.summary = "a crossbar of 8-bit weights that understands lines of text",
	.boards = own_boards,
	.open = own_open,
};
