/* SPDX-License-Identifier: MIT */
/* Inference: the sizes of replies, the same bits for the same vectors, refusals. */
#include "run.h"

#include <string.h>

#define SIDE  4u
#define BATCH 3u

/* The most that a reply has: outputs of 2 bytes and a byte of saturation bits a vector. */
#define OUTPUTS (BATCH * (SIDE * 2 + 1))

static struct nmlink_infer_request product(const struct run *run, uint16_t batch, uint64_t first_vector, uint16_t flags)
{
	const struct nmlink_array_cap *array = &run->caps.array;

	return (struct nmlink_infer_request){.tile = 0, .rows = (uint16_t)(array->rows < SIDE ? array->rows : SIDE),
		.cols = (uint16_t)(array->cols < SIDE ? array->cols : SIDE), .batch = batch, .flags = flags,
		.first_vector = first_vector};
}

/* Payload of an INFER whose vector `from` + b has codes of the range by place; returns its size. */
static size_t payload_of(const struct run *run, const struct nmlink_infer_request *m, uint16_t from, uint8_t *payload)
{
	const struct nmlink_input_cap *input = &run->caps.input;
	const uint32_t inputs = m->flags & NMLINK_INFER_TRANSPOSED ? m->cols : m->rows;
	const uint32_t span = (uint32_t)(input->max - input->min + 1);
	uint8_t *p = nmlink_put_infer_request(payload, m);

	for (uint32_t i = 0; i < m->batch * inputs; i++) {
		int32_t code = input->min + (int32_t)((i + from * inputs) * 7 % span);

		p = input->bytes == 1 ? nmlink_store_s8(p, (int8_t)code) : nmlink_store_s16(p, (int16_t)code);
	}
	return (size_t)(p - payload);
}

#define PAYLOAD (NMLINK_SIZE_infer_request + BATCH * SIDE * 2 + 8)

/* Runs a product; the outputs (without the saturation bits) go to out, their bytes to *size. */
static bool infer(struct run *run, const struct nmlink_infer_request *m, uint16_t from, uint8_t *out, uint32_t *size)
{
	const uint32_t outputs = m->flags & NMLINK_INFER_TRANSPOSED ? m->rows : m->cols;
	uint8_t payload[PAYLOAD];
	size_t payload_size = payload_of(run, m, from, payload);
	struct reply reply;

	*size = m->batch * outputs * run->caps.output.bytes;
	if (!ask(run, NMLINK_OP_INFER, payload, payload_size, NMLINK_OK, &reply))
		return false;
	if (reply.header.size != *size + m->batch * ((outputs + 7) / 8)) {
		say(run, VERDICT_FAILED, "INFER of %u vectors, %u outputs each, gave %u bytes", m->batch, outputs,
			reply.header.size);
		return false;
	}
	memcpy(out, reply.payload, *size);
	return true;
}

static void same_bits(struct run *run, uint16_t flags)
{
	struct nmlink_infer_request m = product(run, BATCH, 1000, flags);
	uint8_t whole[OUTPUTS], again[OUTPUTS], one[OUTPUTS];
	uint32_t size, one_size;

	NEED(run->caps.input.max_batch >= BATCH, "batches of 3 vectors");
	MUST(infer(run, &m, 0, whole, &size));
	m.first_vector = 5; /* another one between, which must not matter */
	MUST(infer(run, &m, 0, again, &size));
	m.first_vector = 1000;
	MUST(infer(run, &m, 0, again, &size));
	EXPECT(memcmp(whole, again, size) == 0, "the same vectors with the same index gave other outputs");
	for (uint16_t b = 0; b < BATCH; b++) {
		m = product(run, 1, 1000u + b, flags);
		MUST(infer(run, &m, b, one, &one_size));
		EXPECT(memcmp(whole + b * one_size, one, one_size) == 0,
			"vector %u alone gave other outputs than in a batch", b);
	}
}

static void the_same_vectors_give_the_same_bits(struct run *run)
{
	NEED(has_op(run, NMLINK_OP_INFER), "INFER");
	same_bits(run, 0);
}

static void transposed_products_do_too(struct run *run)
{
	NEED(has_op(run, NMLINK_OP_INFER) && run->caps.input.flags & NMLINK_INFER_TRANSPOSED, "transposed products");
	same_bits(run, NMLINK_INFER_TRANSPOSED);
}

static void bit_serial_inputs_do_too(struct run *run)
{
	NEED(has_op(run, NMLINK_OP_INFER) && run->caps.input.flags & NMLINK_INFER_BIT_SERIAL, "bit-serial inputs");
	same_bits(run, NMLINK_INFER_BIT_SERIAL);
}

static void wrong_products_are_refused(struct run *run)
{
	const struct nmlink_input_cap *input = &run->caps.input;
	uint8_t payload[PAYLOAD];
	struct nmlink_infer_request good;
	size_t size;

	NEED(has_op(run, NMLINK_OP_INFER), "INFER");
	good = product(run, 1, 0, 0);
	size = payload_of(run, &good, 0, payload);
#define REFUSE(field, value, what) \
	do { \
		struct nmlink_infer_request bad = good; \
		bad.field = (uint16_t)(value); \
		nmlink_put_infer_request(payload, &bad); \
		MUST(refused(run, NMLINK_OP_INFER, payload, size, 0, what)); \
	} while (0)
	REFUSE(tile, run->caps.array.tiles, "a tile past the last");
	REFUSE(row, run->caps.array.rows, "a row past the last");
	REFUSE(rows, 0, "no rows");
	REFUSE(cols, 0xFFFF, "65535 columns");
	REFUSE(batch, 0, "no vectors");
	REFUSE(batch, 2, "a vector too few");
	REFUSE(flags, 0x8000, "flags that are none");
	REFUSE(flags, ~input->flags & 3u ? ~input->flags & 3u : 4u, "flags that the board lacks");
	REFUSE(reserved, 1, "a reserved field");
#undef REFUSE
	nmlink_put_infer_request(payload, &good);
	MUST(refused(run, NMLINK_OP_INFER, payload, size + 1, 0, "a byte too many"));
	NEED(input->bytes == 2 || input->max < INT8_MAX, "input codes outside the range");
	if (input->bytes == 1)
		nmlink_store_s8(payload + NMLINK_SIZE_infer_request, (int8_t)(input->max + 1));
	else
		nmlink_store_s16(payload + NMLINK_SIZE_infer_request, INT16_MIN);
	MUST(refused(run, NMLINK_OP_INFER, payload, size, 0, "an input code outside the range"));
}

const struct conformance_case inference_cases[] = {
	{"the same vectors give the same bits, in any batch", the_same_vectors_give_the_same_bits},
	{"so do transposed products", transposed_products_do_too},
	{"so do bit-serial inputs", bit_serial_inputs_do_too},
	{"products that cannot be are refused", wrong_products_are_refused},
	{NULL, NULL},
};
