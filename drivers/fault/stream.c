/* SPDX-License-Identifier: MIT */
/*
 * Faults on a stream: in chunks on their way out and in, and of whole operations. A chunk is what one send gives or one
 * recv gets; on a stream of packets (max_frame is not 0) it is a packet.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/common/wrapped.h"
#include "fault.h"

#define LOSSES     (FAULT_BIT(FAULT_DROP) | FAULT_BIT(FAULT_DUP) | FAULT_BIT(FAULT_FLIP) | FAULT_BIT(FAULT_SHORT))
#define SEND_KINDS (FAULT_ANY | LOSSES)
#define REORDER_NS INT64_C(10000000) /* as long a packet waits for one that overtakes it */

/* Bytes that wait for their turn. */
struct parcel {
	uint8_t *bytes; /* NULL: none */
	size_t size, at;
};

struct fault_stream {
	struct nmhal_stream below; /* first: drivers/common/wrapped.h */
	struct fault fault;
	unsigned kinds;     /* that recv may meet */
	struct parcel late; /* sent after the next packet */
	struct parcel held; /* received, and not given to the caller yet */
};

/* Keeps a copy; false when there is no memory: then there is no fault. */
static bool keep(struct parcel *parcel, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = size ? malloc(size) : NULL;

	if (!copy)
		return false;
	memcpy(copy, bytes, size);
	free(parcel->bytes);
	*parcel = (struct parcel){copy, size, 0};
	return true;
}

static void forget(struct parcel *parcel)
{
	free(parcel->bytes);
	*parcel = (struct parcel){0};
}

static void stream_close(void *self)
{
	struct fault_stream *stream = self;

	fault_end(&stream->fault);
	stream->below.ops->close(stream->below.self);
	forget(&stream->late);
	forget(&stream->held);
	free(stream);
}

/* ---- send -------------------------------------------------------------------------------------------------------- */

static int pass(struct fault_stream *stream, const uint8_t *bytes, size_t size, int64_t deadline_ns)
{
	return size ? stream->below.ops->send(stream->below.self, bytes, size, deadline_ns) : NMHAL_OK;
}

/* The packet that was held back goes out now. */
static int send_late(struct fault_stream *stream, int64_t deadline_ns)
{
	int status = pass(stream, stream->late.bytes, stream->late.size, deadline_ns);

	forget(&stream->late);
	return status;
}

static int send_flipped(struct fault_stream *stream, const struct fault_op *op, const uint8_t *bytes)
{
	struct parcel copy = {0};
	size_t at = fault_draw(&stream->fault, op->count);
	int status;

	if (!keep(&copy, bytes, op->count))
		return pass(stream, bytes, op->count, op->deadline_ns);
	copy.bytes[at] ^= (uint8_t)(1u << fault_draw(&stream->fault, 8));
	fault_tell(&stream->fault, op, "flip in byte %zu", at);
	status = pass(stream, copy.bytes, op->count, op->deadline_ns);
	forget(&copy);
	return status;
}

/* Only the first bytes go out. */
static int send_part(struct fault_stream *stream, const struct fault_op *op, const uint8_t *bytes)
{
	size_t size = fault_draw(&stream->fault, op->count);

	fault_tell(&stream->fault, op, "short: %zu bytes", size);
	return pass(stream, bytes, size, op->deadline_ns);
}

static int send_with(struct fault_stream *stream, const struct fault_op *op, enum fault_kind kind, const uint8_t *bytes)
{
	int status;

	switch (kind) {
	case FAULT_DROP:
		fault_tell(&stream->fault, op, "drop");
		return NMHAL_OK;
	case FAULT_DUP:
		fault_tell(&stream->fault, op, "dup");
		status = pass(stream, bytes, op->count, op->deadline_ns);
		return status == NMHAL_OK ? pass(stream, bytes, op->count, op->deadline_ns) : status;
	case FAULT_FLIP:
		return send_flipped(stream, op, bytes);
	case FAULT_SHORT:
		return send_part(stream, op, bytes);
	case FAULT_REORDER:
		if (!keep(&stream->late, bytes, op->count))
			return pass(stream, bytes, op->count, op->deadline_ns);
		fault_tell(&stream->fault, op, "reorder");
		return NMHAL_OK;
	case FAULT_IO:
		status = pass(stream, bytes, fault_draw(&stream->fault, op->count + 1), op->deadline_ns);
		return status == NMHAL_OK ? fault_fail(&stream->fault, op, NMHAL_E_IO, "io") : status;
	default:
		return pass(stream, bytes, op->count, op->deadline_ns);
	}
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct fault_stream *stream = self;
	bool late = stream->late.bytes;
	unsigned kinds = late ? SEND_KINDS : SEND_KINDS | (stream->kinds & FAULT_BIT(FAULT_REORDER));
	const struct fault_op op = {"send", size, "bytes", size ? kinds : FAULT_ANY, deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&stream->fault, &op, &kind);

	if (status == NMHAL_OK)
		status = send_with(stream, &op, kind, buf);
	return status == NMHAL_OK && late ? send_late(stream, deadline_ns) : status;
}

/* ---- recv -------------------------------------------------------------------------------------------------------- */

/* What is held, else what comes. */
static int take(struct fault_stream *stream, uint8_t *bytes, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct parcel *held = &stream->held;
	size_t left = held->size - held->at;

	if (!held->bytes)
		return stream->below.ops->recv(stream->below.self, bytes, capacity, size, deadline_ns);
	*size = left < capacity ? left : capacity;
	memcpy(bytes, held->bytes + held->at, *size);
	held->at += *size;
	if (held->at == held->size)
		forget(held);
	return NMHAL_OK;
}

/* The packet that came waits for the next one to overtake it, a moment. */
static int overtake(struct fault_stream *stream, const struct fault_op *op, uint8_t *bytes, size_t *size)
{
	int64_t until_ns = nmhal_now_ns() + REORDER_NS;
	struct parcel first = {0};
	int status;

	if (!keep(&first, bytes, *size))
		return NMHAL_OK;
	status = stream->below.ops->recv(stream->below.self, bytes, op->count, size,
		until_ns < op->deadline_ns ? until_ns : op->deadline_ns);
	stream->held = first;
	if (status == NMHAL_OK)
		fault_tell(&stream->fault, op, "reorder");
	else if (status == NMHAL_E_TIMEOUT)
		status = take(stream, bytes, op->count, size, op->deadline_ns);
	return status;
}

/* What becomes of a chunk of *size bytes (> 0) that came from the link. */
static int change(struct fault_stream *stream, const struct fault_op *op, enum fault_kind kind, uint8_t *bytes,
	size_t *size)
{
	size_t at;

	switch (kind) {
	case FAULT_DROP:
		fault_tell(&stream->fault, op, "drop of %zu bytes", *size);
		return take(stream, bytes, op->count, size, op->deadline_ns);
	case FAULT_FLIP:
		at = fault_draw(&stream->fault, *size);
		bytes[at] ^= (uint8_t)(1u << fault_draw(&stream->fault, 8));
		fault_tell(&stream->fault, op, "flip in byte %zu", at);
		return NMHAL_OK;
	case FAULT_DUP:
		if (keep(&stream->held, bytes, *size))
			fault_tell(&stream->fault, op, "dup of %zu bytes", *size);
		return NMHAL_OK;
	case FAULT_SHORT:
	case FAULT_SPLIT:
		if (*size == 1)
			return NMHAL_OK;
		at = 1 + fault_draw(&stream->fault, *size - 1);
		if (kind == FAULT_SPLIT && !keep(&stream->held, bytes + at, *size - at))
			return NMHAL_OK;
		fault_tell(&stream->fault, op, "%s: %zu bytes of %zu", kind == FAULT_SPLIT ? "split" : "short", at,
			*size);
		*size = at;
		return NMHAL_OK;
	case FAULT_REORDER:
		return overtake(stream, op, bytes, size);
	default:
		return NMHAL_OK;
	}
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct fault_stream *stream = self;
	/* What is held was changed once. */
	const struct fault_op op = {"receive", capacity, "bytes", stream->held.bytes ? FAULT_ANY : stream->kinds,
		deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&stream->fault, &op, &kind);

	if (status == NMHAL_OK && kind == FAULT_IO)
		status = fault_fail(&stream->fault, &op, NMHAL_E_IO, "io");
	if (status == NMHAL_OK && stream->late.bytes)
		status = send_late(stream, deadline_ns);
	if (status == NMHAL_OK)
		status = take(stream, buf, capacity, size, deadline_ns);
	return status == NMHAL_OK ? change(stream, &op, kind, buf, size) : status;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct fault_stream *stream = self;
	const struct fault_op op = {"flush", 0, NULL, FAULT_ANY, deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&stream->fault, &op, &kind);

	if (status == NMHAL_OK && stream->late.bytes)
		status = send_late(stream, deadline_ns);
	if (status == NMHAL_OK && kind == FAULT_IO)
		status = fault_fail(&stream->fault, &op, NMHAL_E_IO, "io");
	if (status != NMHAL_OK)
		return status;
	forget(&stream->held);
	return stream->below.ops->flush(stream->below.self, deadline_ns);
}

static const struct nmhal_stream_ops stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = wrapped_stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
	.interrupt = wrapped_stream_interrupt,
};

int fault_wrap_stream(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_stream *stream)
{
	struct fault_stream *wrapped = calloc(1, sizeof(*wrapped));
	struct nmhal_stream_info info = {0};
	int status;

	if (!wrapped)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for faults");
	stream->ops->info(stream->self, &info);
	/* Packets keep their boundaries but may change places. */
	wrapped->kinds = SEND_KINDS | FAULT_BIT(info.max_frame ? FAULT_REORDER : FAULT_SPLIT);
	status = fault_parse(host, uri, wrapped->kinds, info.max_frame ? "stream of packets" : "stream of bytes",
		&wrapped->fault);
	if (status != NMHAL_OK) {
		free(wrapped);
		return status;
	}
	wrapped->below = *stream;
	*stream = (struct nmhal_stream){&stream_ops, wrapped};
	return NMHAL_OK;
}
