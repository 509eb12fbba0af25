/* SPDX-License-Identifier: MIT */
/* The way between the host and the board of far.c, with its faults, and frames of tests. */
#include <check.h>
#include <string.h>

#include "far.h"

/* ---- the stream -------------------------------------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void enqueue(struct far *far, const uint8_t *frame, size_t size)
{
	struct far_frame *slot = &far->queue[(far->first + far->count) % FAR_QUEUE];

	ck_assert_uint_lt(far->count, FAR_QUEUE);
	slot->size = far->bytes ? nmlink_cobs_encode(slot->bytes, frame, size) : size;
	if (!far->bytes)
		memcpy(slot->bytes, frame, size);
	slot->begins_ns = later(far->board_free_ns, far->in_free_ns);
	far->in_free_ns = slot->begins_ns + (int64_t)slot->size * far->byte_ns;
	far->count++;
}

static void arrive(struct far *far, bool reply, const uint8_t *frame, size_t size);

/* What the hook decides about a frame. */
static void deliver(struct far *far, bool reply, uint8_t *frame, size_t size)
{
	const unsigned count = reply ? far->replies++ : far->requests++;
	enum far_fate fate = far->hook ? far->hook(far, reply, count, frame, &size) : FAR_PASS;
	struct far_frame *late = &far->late[reply];
	const bool was_late = far->has_late[reply];

	far->has_late[reply] = false;
	if (fate == FAR_LATE && !was_late) {
		late->size = size;
		memcpy(late->bytes, frame, size);
		far->has_late[reply] = true;
		return;
	}
	if (fate != FAR_DROP)
		arrive(far, reply, frame, size);
	if (fate == FAR_TWICE)
		arrive(far, reply, frame, size);
	if (was_late)
		arrive(far, reply, late->bytes, late->size);
}

static unsigned works(const struct far *far)
{
	unsigned sum = 0;

	for (size_t op = 0; op < sizeof(far->executed) / sizeof(far->executed[0]); op++)
		sum += far->executed[op];
	return sum;
}

/* A frame at its end: the host's queue, or the board, whose answer goes back. */
static void arrive(struct far *far, bool reply, const uint8_t *frame, size_t size)
{
	const unsigned before = works(far);
	uint8_t answer[FAR_FRAME];
	uint32_t length;

	if (reply) {
		enqueue(far, frame, size);
		return;
	}
	length = nmlink_core_frame(&far->core, frame, size, answer);
	far->board_free_ns = later(far->board_free_ns, far->out_free_ns) + (works(far) - before) * far->work_ns;
	if (length)
		deliver(far, true, answer, length);
}

/* What each op of the stream says before it does anything: gone, or, once when woken, what the host says of it. */
static int ready(struct far *far)
{
	if (far->gone)
		return nmhal_host_fail(far->host, NMHAL_E_GONE, "unplugged, as planned");
	if (!far->woken)
		return NMHAL_OK;
	far->woken = false;
	return nmhal_host_poll(far->host, NMHAL_NEVER, "woken");
}

static void far_interrupt(void *self)
{
	struct far *far = self;

	far->woken = true;
}

size_t far_put(void *user, const uint8_t *bytes, size_t size)
{
	struct far *far = user;
	uint8_t frame[FAR_FRAME];
	size_t used;

	if (!far->bytes) {
		ck_assert_uint_le(size, far->max_frame);
		memcpy(frame, bytes, size);
		deliver(far, false, frame, size);
		return size;
	}
	for (size_t at = 0; at < size; at += used) {
		if (!nmlink_cobs_take(&far->cobs, bytes + at, size - at, &used))
			continue;
		memcpy(frame, far->cobs.buffer, far->cobs.size);
		deliver(far, false, frame, far->cobs.size);
	}
	return size;
}

static int far_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct far *far = self;
	int status = ready(far);

	(void)deadline_ns;
	if (status != NMHAL_OK)
		return status;
	if (far->clock_ns)
		far->out_free_ns = later(*far->clock_ns, far->out_free_ns) + (int64_t)size * far->byte_ns;
	if (far->room && far->count >= far->room)
		return nmhal_host_fail(far->host, NMHAL_E_TIMEOUT, "no room for another answer");
	far_put(far, buf, size);
	return NMHAL_OK;
}

/* The frame that a queue without one holds back, if it does. */
static void bring_late(struct far *far)
{
	if (far->count || !far->has_late[1])
		return;
	far->has_late[1] = false;
	enqueue(far, far->late[1].bytes, far->late[1].size);
}

size_t far_get(void *user, uint8_t *bytes, size_t capacity)
{
	struct far *far = user;
	const struct far_frame *frame;
	size_t size;

	bring_late(far);
	if (!far->count)
		return 0;
	frame = &far->queue[far->first];
	size = frame->size - far->taken;
	if (size > capacity)
		size = capacity;
	if (far->bytes && far->piece && size > far->piece)
		size = far->piece;
	memcpy(bytes, frame->bytes + far->taken, size);
	far->taken += size;
	if (!far->bytes || far->taken == frame->size) {
		far->taken = 0;
		far->first = (far->first + 1) % FAR_QUEUE;
		far->count--;
	}
	return size;
}

void far_cut(void *user)
{
	struct far *far = user;

	far->count = far->taken = 0;
	far->has_late[0] = far->has_late[1] = false;
	far->cobs = (struct nmlink_cobs){.buffer = far->cobs_buffer, .capacity = FAR_FRAME};
	nmlink_core_bus_reset(&far->core);
}

/* Lets time pass until a part of the first frame is here, or to the deadline. */
static bool await(struct far *far, int64_t deadline_ns)
{
	const struct far_frame *frame = &far->queue[far->first];
	const size_t left = frame->size - far->taken;
	const size_t piece = far->bytes && far->piece && far->piece < left ? far->piece : left;
	const int64_t due_ns = far->count ? frame->begins_ns + (int64_t)(far->taken + piece) * far->byte_ns : INT64_MAX;

	if (!far->clock_ns)
		return far->count;
	*far->clock_ns = later(*far->clock_ns, due_ns < deadline_ns ? due_ns : deadline_ns);
	return *far->clock_ns >= due_ns;
}

static int far_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct far *far = self;
	int status = ready(far);

	if (status != NMHAL_OK)
		return status;
	bring_late(far);
	if (!far->count && far->empty)
		far->empty(far);
	status = ready(far);
	if (status != NMHAL_OK)
		return status;
	if (!await(far, deadline_ns))
		return nmhal_host_fail(far->host, NMHAL_E_TIMEOUT, "nothing comes any more");
	*size = far_get(far, buf, capacity);
	return NMHAL_OK;
}

static int far_flush(void *self, int64_t deadline_ns)
{
	struct far *far = self;
	int status = ready(far);

	(void)deadline_ns;
	if (status != NMHAL_OK)
		return status;
	far->count = 0;
	far->taken = 0;
	far->flushes++;
	return NMHAL_OK;
}

static void far_info(void *self, struct nmhal_stream_info *info)
{
	struct far *far = self;

	info->max_frame = far->bytes ? 0 : FAR_FRAME;
	info->alignment = 1;
	info->default_timeout_ms = 5000;
	info->emulated = !far->real;
}

static void far_close(void *self)
{
	struct far *far = self;

	far->closed = true;
}

static const struct nmhal_stream_ops far_ops = {.struct_size = sizeof(struct nmhal_stream_ops), .close = far_close,
	.info = far_info, .send = far_send, .recv = far_recv, .flush = far_flush,
	.interrupt = far_interrupt};

static struct far *far_next; /* of the link's next open */

static int far_link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_bus *bus, struct nmhal_stream *stream)
{
	struct far *far = far_next;

	(void)uri;
	(void)deadline_ns;
	(void)bus;
	far->host = host;
	far->closed = false;
	if (far->stays)
		far->cobs = (struct nmlink_cobs){.buffer = far->cobs_buffer, .capacity = FAR_FRAME};
	else
		far_power_up(far);
	*stream = (struct nmhal_stream){&far_ops, far};
	return NMHAL_OK;
}

static const struct nmhal_key far_keys[] = {{NULL, NULL}};
static const struct nmhal_link far_link = {.abi = NMHAL_DRIVER_ABI, .emulated = 1,
	.struct_size = sizeof(struct nmhal_link), .scheme = "far", .summary = "a board in the test",
	.default_board = "nmlink", .keys = far_keys, .open = far_link_open};

nmhal_context *far_context(void)
{
	return far_context_with(NULL);
}

nmhal_context *far_context_with(const struct nmhal_context_params *params)
{
	nmhal_context *ctx;

	ck_assert_int_eq(nmhal_context_new(params, &ctx), NMHAL_OK);
	ck_assert_int_eq(nmhal_context_add_link(ctx, &far_link), NMHAL_OK);
	return ctx;
}

int far_try_open_as(nmhal_context *ctx, const char *uri, struct far *far, nmhal_device **dev)
{
	far_next = far;
	return nmhal_device_open(ctx, uri, NULL, dev);
}

int far_try_open(nmhal_context *ctx, struct far *far, nmhal_device **dev)
{
	return far_try_open_as(ctx, "far:,session=0x1234abcd", far, dev);
}

nmhal_device *far_open(nmhal_context *ctx, struct far *far)
{
	nmhal_device *dev;
	int status = far_try_open(ctx, far, &dev);

	ck_assert_msg(status == NMHAL_OK, "%s", nmhal_last_error());
	return dev;
}

/* ---- frames of tests --------------------------------------------------------------------------------------------- */

void far_push(struct far *far, const uint8_t *frame, size_t size)
{
	enqueue(far, frame, size);
}

void far_push_bytes(struct far *far, const uint8_t *bytes, size_t size)
{
	struct far_frame *slot = &far->queue[(far->first + far->count++) % FAR_QUEUE];

	ck_assert_uint_le(far->count, FAR_QUEUE);
	slot->size = size;
	memcpy(slot->bytes, bytes, size);
}

size_t far_frame(struct far *far, uint8_t *frame, const struct nmlink_header *header, const void *payload)
{
	if (header->size)
		memcpy(frame + NMLINK_HEADER_SIZE, payload, header->size);
	return nmlink_frame_seal(frame, header, far->core.crc);
}

uint64_t far_counter(nmhal_device *dev, const char *key)
{
	uint64_t value;

	ck_assert_msg(nmhal_counter_get(dev, key, &value) == NMHAL_OK, "%s", nmhal_last_error());
	return value;
}
