/* SPDX-License-Identifier: MIT */
/* Inference: a batch in as few requests as the board's frames and its largest batch allow, all in flight together. */
#include <inttypes.h>

#include "codes.h"
#include "link.h"

/* The shape of a batch on both sides of the wire. */
struct batch {
	const struct nmhal_inference *op;
	uint32_t inputs, outputs;
	uint32_t in_size, out_size, flag_size; /* bytes of one vector on the wire */
};

static struct batch batch_of(const struct link_caps *caps, const struct nmhal_inference *op)
{
	const bool transposed = op->flags & NMHAL_INFER_TRANSPOSED;
	struct batch batch = {.op = op};

	batch.inputs = transposed ? op->region.cols : op->region.rows;
	batch.outputs = transposed ? op->region.rows : op->region.cols;
	batch.in_size = batch.inputs * caps->input.bytes;
	batch.out_size = batch.outputs * caps->output.bytes;
	batch.flag_size = (batch.outputs + 7) / 8;
	return batch;
}

static size_t code_size(uint32_t type)
{
	return type == NMHAL_CODE_I8 ? 1 : type == NMHAL_CODE_I16 ? 2 : 4;
}

/* Vectors that fit one request and its answer. */
static uint32_t most_vectors(const struct link_device *dev, const struct batch *batch)
{
	const uint32_t room = link_payload_room(dev);
	const uint32_t in = (room - NMLINK_SIZE_infer_request) / batch->in_size;
	const uint32_t out = room / (batch->out_size + batch->flag_size);
	uint32_t most = in < out ? in : out;

	if (most > dev->caps.input.max_batch)
		most = dev->caps.input.max_batch;
	return most < UINT16_MAX ? most : UINT16_MAX;
}

static uint8_t *put_inputs(uint8_t *to, unsigned bytes, const struct batch *batch, const struct link_part *part)
{
	const struct nmhal_inference *op = batch->op;
	const char *in = op->in;
	const size_t stride = op->in_stride * code_size(op->in_type);

	in += part->row * stride;
	if (op->in_stride == batch->inputs)
		return link_pack(to, bytes, in, op->in_type, (size_t)part->rows * batch->inputs);
	for (uint32_t n = 0; n < part->rows; n++)
		to = link_pack(to, bytes, in + n * stride, op->in_type, batch->inputs);
	return to;
}

static bool take_codes(const struct nmlink_output_cap *output, const struct batch *batch, const struct link_part *part,
	const uint8_t *from)
{
	const struct nmhal_inference *op = batch->op;
	const size_t stride = op->out_stride * code_size(op->out_type);
	char *out = op->out;
	bool inside = true;

	out += part->row * stride;
	if (op->out_stride == batch->outputs)
		return link_unpack(out, op->out_type, from, output->bytes, (size_t)part->rows * batch->outputs,
			output->min, output->max);
	for (uint32_t n = 0; n < part->rows; n++)
		inside = link_unpack(out + n * stride, op->out_type, from + (size_t)n * batch->out_size, output->bytes,
			batch->outputs, output->min, output->max) && inside;
	return inside;
}

/* A byte of 0 or 1 for each of the low bits. */
static void spread_bits(uint8_t *to, const uint8_t *bits, uint32_t count)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	for (; count >= 8; count -= 8, to += 8) {
		uint64_t chosen = (*bits++ * ones) & UINT64_C(0x8040201008040201);

		nmlink_store_u64(to, (chosen + 0x7F * ones) >> 7 & ones);
	}
	for (uint32_t n = 0; n < count; n++)
		to[n] = *bits >> n & 1;
}

static void take_outputs(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	const struct nmlink_output_cap *output = &dev->caps.output;
	const struct batch *batch = dev->call.user;
	const struct nmhal_inference *op = batch->op;
	const uint8_t *flags = payload + (size_t)part->rows * batch->out_size;

	if (!link_size_is(dev, size, part->rows * (batch->out_size + batch->flag_size)))
		return;
	if (!take_codes(output, batch, part, payload))
		link_note(dev, NMHAL_E_PROTOCOL, "the board answered outputs outside its range %d..%d in vectors %u to %u",
			output->min, output->max, part->row, part->row + part->rows - 1);
	for (uint32_t n = 0; op->saturated && n < part->rows; n++)
		spread_bits(op->saturated + ((size_t)part->row + n) * batch->outputs, flags + n * batch->flag_size,
			batch->outputs);
}

static int post_vectors(struct link_device *dev, const struct batch *batch, const struct link_part *part)
{
	const struct nmhal_inference *op = batch->op;
	const struct nmlink_infer_request request = {.tile = (uint16_t)op->region.core,
		.row = (uint16_t)op->region.row, .col = (uint16_t)op->region.col,
		.rows = (uint16_t)op->region.rows, .cols = (uint16_t)op->region.cols, .batch = (uint16_t)part->rows,
		.flags = (uint16_t)((op->flags & NMHAL_INFER_TRANSPOSED ? NMLINK_INFER_TRANSPOSED : 0) |
			(op->flags & NMHAL_INFER_BIT_SERIAL ? NMLINK_INFER_BIT_SERIAL : 0)),
		.first_vector = op->first_vector + part->row};
	const uint8_t *end;
	uint8_t *payload;
	int status = link_room(dev, &payload);

	if (status != NMHAL_OK)
		return status;
	end = put_inputs(nmlink_put_infer_request(payload, &request), dev->caps.input.bytes, batch, part);
	return link_post(dev, NMLINK_OP_INFER, (uint32_t)(end - payload), take_outputs, part);
}

int link_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns)
{
	struct link_device *dev = self;
	struct batch batch = batch_of(&dev->caps, op);
	const struct link_call call = {.what = "run inference", .region = &op->region, .unit = "vectors",
		.count = op->batch, .user = &batch, .deadline_ns = deadline_ns};
	const uint32_t most = most_vectors(dev, &batch);
	struct link_part part = {0};
	int status;

	if (!most)
		return nmhal_host_fail(dev->host, NMHAL_E_LIMIT,
			"run inference: a vector of %u inputs and %u outputs does not fit the board's frames of %u "
			"bytes; take a smaller region",
			batch.inputs, batch.outputs, dev->wire.max_frame);
	status = link_begin(dev, &call);
	while (status == NMHAL_OK && part.row < op->batch) {
		part.rows = op->batch - part.row < most ? op->batch - part.row : most;
		status = post_vectors(dev, &batch, &part);
		part.row += part.rows;
	}
	return link_finish(dev, status);
}
