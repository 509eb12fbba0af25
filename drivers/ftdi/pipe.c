/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "pipe.h"

#define STATUS_BYTES 2u
#define OVERRUN      0x02u /* in the second status byte */

static void fail(struct ftdi_pipe *pipe, int status)
{
	if (pipe->status == NMHAL_OK)
		pipe->status = status;
}

static void submit(struct ftdi_pipe *pipe, struct ftdi_transfer *transfer)
{
	int status = pipe->status == NMHAL_OK ? pipe->port.ops->submit(pipe->port.self, transfer) : NMHAL_OK;

	if (status != NMHAL_OK)
		fail(pipe, status);
}

int ftdi_pipe_open(struct ftdi_pipe *pipe, struct nmhal_host *host, const struct ftdi_port *port,
	enum ftdi_channel channel, unsigned in_count, size_t in_size)
{
	int status = NMHAL_OK;

	*pipe = (struct ftdi_pipe){.host = host, .port = *port, .channel = channel, .in_count = in_count};
	for (unsigned n = 0; n < PIPE_OUT_COUNT && status == NMHAL_OK; n++) {
		pipe->out[n] = (struct ftdi_transfer){.channel = channel};
		status = port->ops->alloc(port->self, &pipe->out[n], PIPE_OUT_SIZE);
	}
	for (unsigned n = 0; n < in_count && status == NMHAL_OK; n++) {
		pipe->in[n] = (struct ftdi_transfer){.channel = channel, .in = true, .size = in_size};
		status = port->ops->alloc(port->self, &pipe->in[n], in_size);
	}
	return status;
}

void ftdi_pipe_close(struct ftdi_pipe *pipe)
{
	for (unsigned n = 0; n < PIPE_OUT_COUNT; n++)
		if (pipe->out[n].data)
			pipe->port.ops->free(pipe->port.self, &pipe->out[n]);
	for (unsigned n = 0; n < pipe->in_count; n++)
		if (pipe->in[n].data)
			pipe->port.ops->free(pipe->port.self, &pipe->in[n]);
}

void ftdi_pipe_start(struct ftdi_pipe *pipe)
{
	pipe->running = true;
	pipe->status = NMHAL_OK;
	pipe->out_oldest = 0;
	pipe->out_busy = 0;
	pipe->filled = 0;
	pipe->in_oldest = 0;
	pipe->taken = 0;
	for (unsigned n = 0; n < pipe->in_count; n++)
		submit(pipe, &pipe->in[n]);
}

void ftdi_pipe_stop(struct ftdi_pipe *pipe)
{
	pipe->running = false;
	for (unsigned n = 0; n < PIPE_OUT_COUNT; n++)
		if (pipe->out[n].busy)
			pipe->port.ops->cancel(pipe->port.self, &pipe->out[n]);
	for (unsigned n = 0; n < pipe->in_count; n++)
		if (pipe->in[n].busy)
			pipe->port.ops->cancel(pipe->port.self, &pipe->in[n]);
}

bool ftdi_pipe_busy(const struct ftdi_pipe *pipe)
{
	bool busy = false;

	for (unsigned n = 0; n < PIPE_OUT_COUNT; n++)
		busy = busy || pipe->out[n].busy;
	for (unsigned n = 0; n < pipe->in_count; n++)
		busy = busy || pipe->in[n].busy;
	return busy;
}

/* Looks at the OUT transfers that completed, in order. */
static void collect(struct ftdi_pipe *pipe)
{
	while (pipe->out_busy && !pipe->out[pipe->out_oldest].busy) {
		const struct ftdi_transfer *transfer = &pipe->out[pipe->out_oldest];

		if (transfer->status != NMHAL_OK)
			fail(pipe, transfer->status);
		else if (transfer->done != transfer->size)
			fail(pipe, NMHAL_E_IO);
		pipe->out_oldest = (pipe->out_oldest + 1) % PIPE_OUT_COUNT;
		pipe->out_busy--;
	}
}

int ftdi_pipe_check(struct ftdi_pipe *pipe, const char *what)
{
	const struct ftdi_transfer *oldest = &pipe->in[pipe->in_oldest];
	const char *why;

	collect(pipe);
	/* What a failed IN transfer brought is still taken first. */
	if (pipe->running && !oldest->busy && oldest->status != NMHAL_OK && pipe->taken >= oldest->done)
		fail(pipe, oldest->status);
	if (pipe->status == NMHAL_OK)
		return NMHAL_OK;
	if (pipe->status == NMHAL_E_CANCELED) /* not by us */
		pipe->status = NMHAL_E_IO;
	why = pipe->status == NMHAL_E_GONE      ? "unplugged" :
		pipe->status == NMHAL_E_OVERRUN ? "the FT2232H lost bytes (overrun)" :
		pipe->status == NMHAL_E_IO      ? "a USB transfer failed" :
						  "a USB packet was malformed";
	return nmhal_host_fail(pipe->host, pipe->status, "%s: channel %c: %s", what, 'A' + (int)pipe->channel, why);
}

size_t ftdi_pipe_room(struct ftdi_pipe *pipe)
{
	collect(pipe);
	return (PIPE_OUT_COUNT - pipe->out_busy) * PIPE_OUT_SIZE - pipe->filled;
}

void ftdi_pipe_flush(struct ftdi_pipe *pipe)
{
	struct ftdi_transfer *transfer = &pipe->out[(pipe->out_oldest + pipe->out_busy) % PIPE_OUT_COUNT];

	if (!pipe->filled)
		return;
	transfer->size = pipe->filled;
	pipe->filled = 0;
	pipe->out_busy++;
	submit(pipe, transfer);
}

void ftdi_pipe_put(struct ftdi_pipe *pipe, const uint8_t *bytes, size_t size)
{
	while (size) {
		struct ftdi_transfer *transfer = &pipe->out[(pipe->out_oldest + pipe->out_busy) % PIPE_OUT_COUNT];
		size_t part = PIPE_OUT_SIZE - pipe->filled < size ? PIPE_OUT_SIZE - pipe->filled : size;

		memcpy(transfer->data + pipe->filled, bytes, part);
		pipe->filled += part;
		bytes += part;
		size -= part;
		if (pipe->filled == PIPE_OUT_SIZE)
			ftdi_pipe_flush(pipe);
	}
}

bool ftdi_pipe_sent(struct ftdi_pipe *pipe)
{
	collect(pipe);
	return !pipe->out_busy && !pipe->filled;
}

/* Bytes of the oldest IN transfer, which has completed. */
static size_t take(struct ftdi_pipe *pipe, const struct ftdi_transfer *transfer, uint8_t *bytes, size_t size)
{
	size_t got = 0;

	while (got < size && pipe->taken < transfer->done) {
		size_t in_packet = pipe->taken % FTDI_PACKET, left = transfer->done - pipe->taken;
		size_t part = FTDI_PACKET - in_packet < left ? FTDI_PACKET - in_packet : left;

		if (in_packet == 0) {
			if (part < STATUS_BYTES)
				fail(pipe, NMHAL_E_PROTOCOL);
			else if (transfer->data[pipe->taken + 1] & OVERRUN)
				fail(pipe, NMHAL_E_OVERRUN);
			pipe->taken += part < STATUS_BYTES ? part : STATUS_BYTES;
			continue;
		}
		if (part > size - got)
			part = size - got;
		memcpy(bytes + got, transfer->data + pipe->taken, part);
		pipe->taken += part;
		got += part;
	}
	return got;
}

size_t ftdi_pipe_get(struct ftdi_pipe *pipe, uint8_t *bytes, size_t size)
{
	size_t got = 0;

	while (pipe->running) {
		struct ftdi_transfer *transfer = &pipe->in[pipe->in_oldest];

		if (transfer->busy)
			break;
		got += take(pipe, transfer, bytes + got, size - got);
		if (pipe->taken < transfer->done || transfer->status != NMHAL_OK || pipe->status != NMHAL_OK)
			break;
		pipe->taken = 0;
		transfer->done = 0;
		pipe->in_oldest = (pipe->in_oldest + 1) % pipe->in_count;
		submit(pipe, transfer);
	}
	return got;
}
