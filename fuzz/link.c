/* SPDX-License-Identifier: MIT */
/*
 * The host driver of nmlink boards, with a board at the far end that answers what the input says. An input is:
 *
 *   u16 size (big-endian, as all of its own numbers), capability records
 *   then for each request: u8 kind, u8 status, u16 size, bytes
 *     kind 0: an answer with that payload; 1: likewise, with that status; 2: the bytes as they are; 3: an event;
 *     4: no answer; others: an answer without payload
 *
 * The first HELLO is answered well, and its CRC of the records is right. When the input ends the board is unplugged.
 */
#include <string.h>

#include <nmhal/driver.h>

#include "fuzz.h"
#include "nmlink/frame.h"

#define MAX_FRAME 1024u
#define PACKETS   (MAX_FRAME + 1024u)

unsigned fuzz_taken;

static struct {
	struct nmhal_host *host;
	const uint8_t *p;
	size_t left;
	const uint8_t *records;
	uint16_t record_size;
	uint8_t waiting[PACKETS];
	size_t waiting_size;
} far;

static uint16_t take_number(void)
{
	uint16_t value = 0;

	for (unsigned n = 0; n < 2 && far.left; n++, far.left--)
		value = (uint16_t)(value << 8 | *far.p++);
	return value;
}

static const uint8_t *take_bytes(uint16_t *size)
{
	const uint8_t *bytes;

	*size = take_number();
	if (*size > far.left)
		*size = (uint16_t)far.left;
	bytes = far.p;
	far.p += *size;
	far.left -= *size;
	return bytes;
}

static void answer(struct nmlink_header header, const uint8_t *payload, uint32_t size)
{
	if (size > MAX_FRAME - NMLINK_OVERHEAD)
		size = MAX_FRAME - NMLINK_OVERHEAD;
	header.size = size;
	if (size)
		memcpy(far.waiting + NMLINK_HEADER_SIZE, payload, size);
	far.waiting_size = nmlink_frame_seal(far.waiting, &header, nmlink_crc32c);
}

static void answer_hello(struct nmlink_header header, uint32_t session)
{
	const struct nmlink_hello_reply reply = {.session = session, .window = 4, .max_frame = MAX_FRAME,
		.caps_size = far.record_size, .caps_crc = nmlink_crc32c(0, far.records, far.record_size)};
	uint8_t payload[NMLINK_SIZE_hello_reply];

	header.session = (uint16_t)session;
	nmlink_put_hello_reply(payload, &reply);
	answer(header, payload, sizeof(payload));
}

static void answer_caps(struct nmlink_header header, uint32_t offset)
{
	const struct nmlink_caps_reply reply = {.offset = offset};
	uint8_t payload[MAX_FRAME];
	uint32_t size = offset < far.record_size ? far.record_size - offset : 0;

	if (size > 512)
		size = 512;
	if (size)
		memcpy(nmlink_put_caps_reply(payload, &reply), far.records + offset, size);
	answer(header, payload, size ? NMLINK_SIZE_caps_reply + size : 0);
}

static void answer_as_told(struct nmlink_header header)
{
	const uint16_t head = take_number();
	const uint8_t kind = (uint8_t)(head >> 8);
	uint16_t size;
	const uint8_t *bytes = take_bytes(&size);

	switch (kind) {
	case 1:
		header.status = head & 0xFF;
		answer(header, bytes, size);
		break;
	case 2:
		far.waiting_size = size < PACKETS ? size : PACKETS;
		memcpy(far.waiting, bytes, far.waiting_size);
		break;
	case 3:
		header.flags = NMLINK_FLAG_EVENT;
		answer(header, bytes, size);
		break;
	case 4:
		break;
	default:
		answer(header, bytes, kind ? 0 : size);
	}
}

static int far_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct nmlink_header header;

	(void)self;
	(void)deadline_ns;
	/* What the driver sends is right. */
	MUST(size <= MAX_FRAME);
	MUST(nmlink_frame_open(buf, size, &header, nmlink_crc32c) == NMLINK_OK);
	header.flags |= NMLINK_FLAG_REPLY;
	header.credits = 4;
	if (header.op == NMLINK_OP_HELLO)
		answer_hello(header, nmlink_load_u32((const uint8_t *)buf + NMLINK_HEADER_SIZE));
	else if (header.op == NMLINK_OP_CAPS)
		answer_caps(header, nmlink_load_u32((const uint8_t *)buf + NMLINK_HEADER_SIZE));
	else
		answer_as_told(header);
	return NMHAL_OK;
}

static int far_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	if (!far.waiting_size && !far.left)
		return nmhal_host_fail(far.host, NMHAL_E_GONE, "unplugged");
	if (!far.waiting_size)
		return nmhal_host_fail(far.host, NMHAL_E_TIMEOUT, "nothing");
	*size = far.waiting_size < capacity ? far.waiting_size : capacity;
	memcpy(buf, far.waiting, *size);
	far.waiting_size = 0;
	return NMHAL_OK;
}

static int far_flush(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	far.waiting_size = 0;
	return NMHAL_OK;
}

static void far_close(void *self)
{
	(void)self;
}

static void far_info(void *self, struct nmhal_stream_info *info)
{
	(void)self;
	info->max_frame = MAX_FRAME;
	info->alignment = 1;
}

static const struct nmhal_stream_ops far_ops = {.struct_size = sizeof(struct nmhal_stream_ops), .close = far_close,
	.info = far_info, .send = far_send, .recv = far_recv, .flush = far_flush};

static int far_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	(void)uri;
	(void)deadline_ns;
	(void)bus;
	far.host = host;
	*stream = (struct nmhal_stream){&far_ops, &far};
	return NMHAL_OK;
}

static const struct nmhal_key far_keys[] = {{NULL, NULL}};
static const struct nmhal_link far_link = {.abi = NMHAL_DRIVER_ABI, .emulated = 1,
	.struct_size = sizeof(struct nmhal_link), .scheme = "far", .summary = "an input", .default_board = "nmlink",
	.keys = far_keys, .open = far_open};

/* Calls on what every board may have, whatever its sizes are; their statuses do not matter. */
static int weights_and_inference(nmhal_device *dev)
{
	const struct nmhal_region cell = {.rows = 1, .cols = 1};
	const struct nmhal_cell delta = {.code = 1};
	const struct nmhal_program update = {.struct_size = sizeof(update), .cells = &delta, .cell_count = 1};
	int32_t in[1] = {0}, out[1];
	uint8_t saturated[1];
	const struct nmhal_inference product = {.struct_size = sizeof(product), .region = cell, .in = in, .out = out,
		.saturated = saturated, .batch = 1, .in_type = NMHAL_CODE_I32, .out_type = NMHAL_CODE_I32};
	int32_t read[1];
	int failed = 0;

	failed += nmhal_read_weights(dev, &cell, read, 0, NMHAL_CODE_I32, 0) != NMHAL_OK;
	failed += nmhal_update_weights(dev, &update, NULL) != NMHAL_OK;
	failed += nmhal_run_inference(dev, &product) != NMHAL_OK;
	return failed;
}

static int spikes_and_neurons(nmhal_device *dev)
{
	const struct nmhal_event event = {.step = 1};
	struct nmhal_event out[8];
	const struct nmhal_spike_run run = {.struct_size = sizeof(run), .in = &event, .in_count = 1, .out = out,
		.out_capacity = 8, .timeout_ms = 20};
	struct nmhal_neuron neuron;
	int failed = 0;

	failed += nmhal_get_neurons(dev, 0, 0, 1, &neuron, 0) != NMHAL_OK;
	failed += nmhal_run_spikes(dev, &run, NULL) != NMHAL_OK;
	failed += nmhal_reset_state(dev, 0) != NMHAL_OK;
	return failed;
}

static int lists_and_cells(nmhal_device *dev)
{
	struct nmhal_attr_info attr = {.struct_size = sizeof(attr)};
	struct nmhal_sweep_point points[4];
	const struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .points = 4, .out = points};
	uint32_t conductance[1];
	const struct nmhal_conductance_read read = {.struct_size = sizeof(read), .region = {.rows = 1, .cols = 1},
		.conductance_ps = conductance};
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	int64_t value;
	int failed = 0;

	for (size_t n = 0; n < nmhal_attr_count(dev); n++) {
		MUST(nmhal_attr_list(dev, n, &attr) == NMHAL_OK && *attr.key && attr.min <= attr.max);
		failed += nmhal_attr_get_int(dev, attr.key, &value) != NMHAL_OK;
	}
	failed += nmhal_cell_sweep(dev, &sweep) != NMHAL_OK;
	failed += nmhal_read_conductance(dev, &read) != NMHAL_OK;
	failed += nmhal_limits_get(dev, &limits, 0) != NMHAL_OK;
	return failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log_level = NMHAL_LOG_NONE};
	nmhal_context *ctx;
	nmhal_device *dev;

	memset(&far, 0, sizeof(far));
	far.p = data;
	far.left = size;
	far.records = take_bytes(&far.record_size);
	MUST(nmhal_context_new(&params, &ctx) == NMHAL_OK);
	MUST(nmhal_context_add_link(ctx, &far_link) == NMHAL_OK);
	if (nmhal_device_open(ctx, "far:,session=7", NULL, &dev) == NMHAL_OK) {
		int failed = weights_and_inference(dev) + spikes_and_neurons(dev) + lists_and_cells(dev);

		MUST(!failed || *nmhal_last_error());
		fuzz_taken++;
	} else {
		MUST(!dev && *nmhal_last_error());
	}
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return 0;
}
