/* SPDX-License-Identifier: MIT */
/* A recorder before a stream: passes every operation on, and writes down what was asked and answered. */
#include <stdlib.h>

#include "drivers/common/wrapped.h"
#include "record.h"

struct record_stream {
	struct nmhal_stream below; /* first: drivers/common/wrapped.h */
	struct recorder recorder;
};

static void stream_close(void *self)
{
	struct record_stream *stream = self;

	stream->below.ops->close(stream->below.self);
	recorder_close(&stream->recorder);
	free(stream);
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	wrapped_stream_info(self, info);
	info->repeatable = 1;
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct record_stream *stream = self;
	struct recorder *recorder = &stream->recorder;
	int status = stream->below.ops->send(stream->below.self, buf, size, deadline_ns);

	nmtrace_data(&recorder->buffer, TRACE_SEND, status, recorder_text(recorder, status), buf, size);
	return recorder_put(recorder, status);
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct record_stream *stream = self;
	struct recorder *recorder = &stream->recorder;
	int status = stream->below.ops->recv(stream->below.self, buf, capacity, size, deadline_ns);

	nmtrace_data(&recorder->buffer, TRACE_RECV, status, recorder_text(recorder, status), buf,
		status == NMHAL_OK ? *size : 0);
	return recorder_put(recorder, status);
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct record_stream *stream = self;
	struct recorder *recorder = &stream->recorder;
	int status = stream->below.ops->flush(stream->below.self, deadline_ns);

	nmtrace_plain(&recorder->buffer, TRACE_FLUSH, status, recorder_text(recorder, status));
	return recorder_put(recorder, status);
}

static const struct nmhal_stream_ops stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
	.interrupt = wrapped_stream_interrupt,
};

int record_wrap_stream(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_stream *stream)
{
	struct record_stream *wrapped = calloc(1, sizeof(*wrapped));
	struct nmhal_stream_info info = {0};
	int status;

	if (!wrapped)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the recorder");
	stream->ops->info(stream->self, &info);
	status = recorder_open(&wrapped->recorder, host, uri, NULL, &info);
	if (status != NMHAL_OK) {
		free(wrapped);
		return status;
	}
	wrapped->below = *stream;
	*stream = (struct nmhal_stream){&stream_ops, wrapped};
	return NMHAL_OK;
}
