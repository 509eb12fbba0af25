/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "pipe.h"
#include "nmlink/crc32c.h"

#define CHUNK 16384u /* bytes asked of a byte stream at a time */

bool link_pipe_packets(const struct link_pipe *pipe)
{
	return pipe->info.max_frame != 0;
}

static size_t round_up(size_t size, size_t unit)
{
	return unit > 1 ? (size + unit - 1) / unit * unit : size;
}

/* *buffer becomes one of `size` bytes; the old one stays when there is no memory. */
static int replace(struct link_pipe *pipe, uint8_t **buffer, size_t size)
{
	uint8_t *bytes = malloc(size);

	if (!bytes)
		return nmhal_host_fail(pipe->host, NMHAL_E_NO_MEMORY, "open: no memory for frames of %zu bytes", size);
	free(*buffer);
	*buffer = bytes;
	return NMHAL_OK;
}

int link_pipe_resize(struct link_pipe *pipe, uint32_t max_frame)
{
	size_t capacity = link_pipe_packets(pipe) ? max_frame : CHUNK;
	int status = NMHAL_OK;

	/* A transfer that ends inside a packet of the carrier would cut it off. */
	capacity = round_up(capacity, pipe->info.alignment);
	pipe->in_size = 0;
	pipe->in_taken = 0;
	if (capacity > pipe->in_capacity) {
		status = replace(pipe, &pipe->in, capacity);
		if (status == NMHAL_OK)
			pipe->in_capacity = capacity;
	}
	if (status != NMHAL_OK || link_pipe_packets(pipe))
		return status;
	status = replace(pipe, &pipe->coded, 1 + NMLINK_COBS_SIZE((size_t)max_frame));
	if (status == NMHAL_OK)
		status = replace(pipe, &pipe->cobs.buffer, max_frame);
	pipe->cobs = (struct nmlink_cobs){.buffer = pipe->cobs.buffer};
	if (status == NMHAL_OK)
		pipe->cobs.capacity = max_frame;
	return status;
}

int link_pipe_init(struct link_pipe *pipe, struct nmhal_host *host, const struct nmhal_stream *stream)
{
	*pipe = (struct link_pipe){.host = host, .stream = *stream, .crc = nmlink_crc32c_fast()};
	stream->ops->info(stream->self, &pipe->info);
	return link_pipe_resize(pipe, NMLINK_MIN_FRAME);
}

void link_pipe_free(struct link_pipe *pipe)
{
	free(pipe->in);
	free(pipe->coded);
	free(pipe->cobs.buffer);
}

int link_pipe_send(struct link_pipe *pipe, const uint8_t *frame, uint32_t size, int64_t deadline_ns)
{
	const uint8_t *bytes = frame;
	size_t count = size;
	int status;

	if (!link_pipe_packets(pipe)) {
		pipe->coded[0] = 0;
		count = nmlink_cobs_encode(pipe->coded + 1, frame, size);
		bytes = pipe->coded + 1;
		if (pipe->torn) {
			bytes--;
			count++;
		}
	}
	status = pipe->stream.ops->send(pipe->stream.self, bytes, count, deadline_ns);
	pipe->torn = status != NMHAL_OK;
	pipe->frames_sent += status == NMHAL_OK;
	return status;
}

static int receive_some(struct link_pipe *pipe, int64_t deadline_ns)
{
	size_t size = 0;
	int status = pipe->stream.ops->recv(pipe->stream.self, pipe->in, pipe->in_capacity, &size, deadline_ns);

	pipe->in_taken = 0;
	pipe->in_size = status == NMHAL_OK ? size : 0;
	return status;
}

/* Bytes of the next frame; AGAIN when something was dropped on the way or nothing came. */
static int receive_frame(struct link_pipe *pipe, const uint8_t **bytes, size_t *size, int64_t deadline_ns)
{
	const uint32_t dropped = pipe->cobs.dropped;
	bool whole;
	size_t used;
	int status;

	if (link_pipe_packets(pipe)) {
		status = receive_some(pipe, deadline_ns);
		*bytes = pipe->in;
		*size = pipe->in_size;
		return status;
	}
	if (pipe->in_taken == pipe->in_size) {
		status = receive_some(pipe, deadline_ns);
		if (status != NMHAL_OK)
			return status;
	}
	whole = nmlink_cobs_take(&pipe->cobs, pipe->in + pipe->in_taken, pipe->in_size - pipe->in_taken, &used);
	pipe->in_taken += used;
	pipe->bad_frames += pipe->cobs.dropped - dropped;
	*bytes = pipe->cobs.buffer;
	*size = whole ? pipe->cobs.size : 0;
	return whole ? NMHAL_OK : NMHAL_E_AGAIN;
}

int link_pipe_receive(struct link_pipe *pipe, struct link_frame *frame, int64_t deadline_ns)
{
	const uint8_t *bytes;
	enum nmlink_status opened;
	size_t size;
	int status = receive_frame(pipe, &bytes, &size, deadline_ns);

	if (status != NMHAL_OK)
		return status;
	opened = nmlink_frame_open(bytes, size, &frame->header, pipe->crc);
	if (opened == NMLINK_OK || opened == NMLINK_EVERSION) {
		pipe->frames_received++;
		frame->payload = bytes + NMLINK_HEADER_SIZE;
		return opened == NMLINK_OK ? NMHAL_OK : NMHAL_E_VERSION;
	}
	pipe->bad_frames++;
	return NMHAL_E_AGAIN;
}

int link_pipe_flush(struct link_pipe *pipe, int64_t deadline_ns)
{
	pipe->in_size = 0;
	pipe->in_taken = 0;
	pipe->cobs = (struct nmlink_cobs){.buffer = pipe->cobs.buffer, .capacity = pipe->cobs.capacity};
	/* The board may hold the begin of a frame that nobody ended. */
	pipe->torn = true;
	return pipe->stream.ops->flush(pipe->stream.self, deadline_ns);
}
