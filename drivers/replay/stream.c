/* SPDX-License-Identifier: MIT */
/* A stream whose far end is a trace. */
#include <stdio.h>
#include <string.h>

#include "replay.h"

static void stream_close(void *self)
{
	replay_close(self);
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	const struct replay *replay = self;

	*info = replay->trace.session.stream;
	info->repeatable = 1;
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct replay *replay = self;
	const uint8_t *bytes = buf;
	struct nmtrace_record record;
	char what[48];
	int status;

	(void)deadline_ns;
	snprintf(what, sizeof(what), "send of %zu bytes", size);
	status = replay_next(replay, TRACE_SEND, what, &record);
	if (status != NMHAL_OK)
		return status;
	for (size_t n = 0; n < size && n < record.count; n++) {
		if (bytes[n] != record.data.bytes[n])
			return replay_stray(replay, &record, "byte %zu of %zu: expected 0x%02x, got 0x%02x", n, size,
				record.data.bytes[n], bytes[n]);
	}
	if (size != record.count)
		return replay_stray(replay, &record, "expected send of %u bytes, got one of %zu", record.count, size);
	return replay_status(replay, &record);
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	char what[48];
	int status;

	(void)deadline_ns;
	snprintf(what, sizeof(what), "receive of %zu bytes", capacity);
	status = replay_next(replay, TRACE_RECV, what, &record);
	if (status != NMHAL_OK)
		return status;
	if (record.data.size > capacity)
		return replay_stray(replay, &record, "%zu bytes came, got room for %zu", record.data.size, capacity);
	if (record.status == NMHAL_OK) {
		memcpy(buf, record.data.bytes, record.data.size);
		*size = record.data.size;
	}
	return replay_status(replay, &record);
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	int status = replay_next(replay, TRACE_FLUSH, "flush", &record);

	(void)deadline_ns;
	return status == NMHAL_OK ? replay_status(replay, &record) : status;
}

const struct nmhal_stream_ops replay_stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
};
