/* SPDX-License-Identifier: MIT */
/*
 * The stream end of the emulator: an emulated board in the same thread. A frame that is sent is executed inside send();
 * so when no reply waits, none can come, and recv() says TIMEOUT at once: tests of lost frames take no time. Long work
 * ends at an interrupt or the deadline of send(): the board then answers EABORTED.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/board.h"

#include "ends.h"

#define TIMEOUT_MS 60000

struct stream {
	struct nmhal_host *host;
	struct sim_board *board;
	int64_t deadline_ns; /* of the send inside which the board works */
	int ended;           /* why that was ended early; OK: it was not */
};

/* Between two pieces of the board's work: is it still wanted? */
static void look_up(void *user)
{
	struct stream *stream = user;

	if (stream->ended == NMHAL_OK)
		stream->ended = nmhal_host_poll(stream->host, stream->deadline_ns, "send");
	if (stream->ended != NMHAL_OK)
		sim_board_abort(stream->board);
}

static void stream_close(void *self)
{
	struct stream *stream = self;

	sim_board_free(stream->board);
	free(stream);
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	struct stream *stream = self;
	const char *serial = sim_board_serial(stream->board);

	*info = (struct nmhal_stream_info){
		.max_frame = sim_board_max_frame(stream->board),
		.alignment = 1,
		.default_timeout_ms = TIMEOUT_MS,
		.emulated = 1,
	};
	memcpy(info->serial, serial, strnlen(serial, sizeof(info->serial) - 1));
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct stream *stream = self;

	stream->deadline_ns = deadline_ns;
	stream->ended = NMHAL_OK;
	if (sim_board_input(stream->board, buf, size))
		return stream->ended;
	return nmhal_host_fail(stream->host, NMHAL_E_TIMEOUT,
		"send of %zu bytes: the board has no room for another reply; receive the ones that wait", size);
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct stream *stream = self;
	enum sim_board_pipe pipe = SIM_BOARD_REPLIES;
	const uint8_t *frame;

	(void)deadline_ns;
	*size = sim_board_output(stream->board, pipe, &frame);
	if (!*size) {
		pipe = SIM_BOARD_EVENTS;
		*size = sim_board_output(stream->board, pipe, &frame);
	}
	if (!*size)
		return nmhal_host_fail(stream->host, NMHAL_E_TIMEOUT, "receive: the board has nothing to say");
	if (*size > capacity)
		return nmhal_host_fail(stream->host, NMHAL_E_PROTOCOL,
			"receive: a frame of %zu bytes, more than the %zu there is room for", *size, capacity);
	memcpy(buf, frame, *size);
	sim_board_taken(stream->board, pipe);
	return NMHAL_OK;
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct stream *stream = self;

	(void)deadline_ns;
	sim_board_flush(stream->board);
	return NMHAL_OK;
}

static const struct nmhal_stream_ops stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
};

/* The options of the URI; INVALID with the board's own sentence. */
static int configure(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_key *keys,
	struct sim_board_config *config)
{
	char error[SIM_BOARD_ERROR];

	for (; keys->name; keys++) {
		const char *value = nmhal_uri_value(uri, keys->name);

		if (value && !sim_board_config_set(config, keys->name, value, error))
			return nmhal_host_fail(host, NMHAL_E_INVALID, "open: %s", error);
	}
	return NMHAL_OK;
}

int sim_open_stream(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_key *keys,
	struct nmhal_stream *out)
{
	struct sim_board_config *config = sim_board_config_new(nmhal_uri_board(uri));
	struct stream *stream = calloc(1, sizeof(*stream));
	char error[SIM_BOARD_ERROR] = "";
	int status;

	if (!config || !stream) {
		sim_board_config_free(config);
		free(stream);
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the board");
	}
	status = configure(host, uri, keys, config);
	if (status == NMHAL_OK) {
		stream->host = host;
		stream->board = sim_board_new(config, error);
		if (stream->board)
			sim_board_set_poll(stream->board, look_up, stream);
		else
			status = nmhal_host_fail(host, NMHAL_E_UNSUPPORTED, "open: %s", error);
	}
	sim_board_config_free(config);
	if (status != NMHAL_OK) {
		free(stream);
		return status;
	}
	out->ops = &stream_ops;
	out->self = stream;
	return NMHAL_OK;
}
