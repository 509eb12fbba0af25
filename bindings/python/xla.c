/* SPDX-License-Identifier: MIT */
/* Products and updates of arrays for compiled programs of XLA. */
#include "bindings/python/xla_call.h"

enum { USED_QUANTISED = 1, USED_READ_BACK = 2 };

/* The operands of a product. */
struct operands {
	float *x, *y, *used;   /* used: NULL when it is not asked for */
	const uint32_t *keys;  /* [groups][2], or NULL */
	int64_t batch, groups; /* groups of vectors, each with a key */
	bool transposed, read_back;
};

static struct xla_error *take_keys(const struct xla_frame *frame, struct operands *op)
{
	const struct xla_buffer *key = frame->args.buffers[2];
	int64_t words = 1;

	for (int64_t i = 0; i < key->rank; i++)
		words *= key->dims[i];
	op->groups = words / 2;
	if (key->type != XLA_U32 || key->rank < 1 || key->dims[key->rank - 1] != 2 ||
		(op->groups ? op->batch % op->groups != 0 : op->batch != 0))
		return xla_fail(frame, XLA_INVALID_ARGUMENT,
			"the key has rank %lld, XLA's type %d, %lld numbers: must be uint32 [..., 2], one for each of "
			"%lld "
			"vectors or for all",
			(long long)key->rank, key->type, (long long)words, (long long)op->batch);
	op->keys = key->data;
	return NULL;
}

static struct xla_error *take_used(const struct xla_call *call, struct operands *op)
{
	const struct xla_frame *frame = call->frame;
	struct xla_error *error;
	const int64_t *used = xla_attr(frame, "used", XLA_S64, &error);
	int64_t rows;

	if (error)
		return error;
	if (*used < 0 || *used > USED_READ_BACK || frame->rets.count != (*used ? 2 : 1))
		return xla_fail(frame, XLA_INVALID_ARGUMENT,
			"used is %lld with %lld results: must be 0 with 1, 1 or 2 with 2", (long long)*used,
			(long long)frame->rets.count);
	if (!*used)
		return NULL;
	op->read_back = *used == USED_READ_BACK;
	op->used = xla_floats(frame, &frame->rets, 1, call->slot->n_in, &rows, &error);
	if (!error && rows != call->slot->n_out)
		error = xla_fail(frame, XLA_INVALID_ARGUMENT, "result 1 has %lld rows: must be [%u, %u]",
			(long long)rows, call->slot->n_out, call->slot->n_in);
	return error;
}

static struct xla_error *take_operands(const struct xla_call *call, struct operands *op)
{
	const struct xla_frame *frame = call->frame;
	const uint32_t n_out = call->slot->n_out, n_in = call->slot->n_in;
	struct xla_error *error;
	const int64_t *transposed = xla_attr(frame, "transposed", XLA_S64, &error);
	int64_t rows = 0;

	if (error)
		return error;
	op->transposed = *transposed;
	op->x = xla_floats(frame, &frame->args, 1, op->transposed ? n_out : n_in, &op->batch, &error);
	if (!error)
		op->y = xla_floats(frame, &frame->rets, 0, op->transposed ? n_in : n_out, &rows, &error);
	if (!error && (rows != op->batch || op->batch > UINT32_MAX))
		error = xla_fail(frame, XLA_INVALID_ARGUMENT, "%lld vectors in, %lld out: must be equal, below 2^32",
			(long long)op->batch, (long long)rows);
	op->groups = 1;
	if (!error && frame->args.count == 3)
		error = take_keys(frame, op);
	return error ? error : take_used(call, op);
}

static int multiply(const struct xla_call *call, const struct operands *op)
{
	const uint32_t n_out = call->slot->n_out, n_in = call->slot->n_in;
	const uint32_t width = op->transposed ? n_out : n_in, outputs = op->transposed ? n_in : n_out;
	struct nmhal_product product = {.struct_size = sizeof(product),
		.w = call->w,
		.first_vector = call->slot->vectors,
		.flags = op->transposed ? NMHAL_PRODUCT_TRANSPOSED : 0};
	int status = xla_first(call);

	if (!op->batch || !op->groups)
		return status;
	product.batch = (uint32_t)(op->batch / op->groups);
	for (int64_t g = 0; !status && g < op->groups; g++) {
		product.x = op->x + (size_t)g * product.batch * width;
		product.y = op->y + (size_t)g * product.batch * outputs;
		if (op->keys)
			product.first_vector = (uint64_t)op->keys[2 * g + 1] << 32 | op->keys[2 * g];
		status = nmhal_array_matmul(call->slot->array, &product);
	}
	if (!op->keys)
		call->slot->vectors += (uint64_t)op->batch;
	return status;
}

static struct xla_error *matmul(const struct xla_call *call)
{
	nmhal_array *array = call->slot->array;
	struct operands op = {0};
	struct xla_error *error = take_operands(call, &op);
	int status;

	if (error)
		return error;
	status = multiply(call, &op);
	if (!status && op.used && op.read_back && op.batch)
		status = nmhal_array_read(array, op.used, 0, 0);
	else if (!status && op.used)
		status = nmhal_array_quantise(array, call->w, 0, op.used, NULL);
	return xla_status(call->frame, status);
}

struct xla_error *nmhal_py_xla_matmul(struct xla_frame *frame)
{
	return xla_execute(frame, 2, 3, matmul);
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static struct xla_error *update(const struct xla_call *call)
{
	const struct xla_frame *frame = call->frame;
	const struct nmhal_py_slot *slot = call->slot;
	int64_t rows = 0, sums = 0;
	struct xla_error *error;
	float *sum, *dw = xla_floats(frame, &frame->args, 1, slot->n_in, &rows, &error);
	int status;

	if (error)
		return error;
	sum = xla_floats(frame, &frame->rets, 0, slot->n_in, &sums, &error);
	if (error)
		return error;
	if (rows != slot->n_out || sums != slot->n_out)
		return xla_fail(frame, XLA_INVALID_ARGUMENT, "dW has %lld rows, the sum %lld: must be [%u, %u]",
			(long long)rows, (long long)sums, slot->n_out, slot->n_in);
	error = xla_program(call);
	if (error)
		return error;
	status = nmhal_array_update(slot->array, dw, 0, 0);
	return xla_status(frame, status ? status : nmhal_array_quantise(slot->array, NULL, 0, sum, NULL));
}

struct xla_error *nmhal_py_xla_update(struct xla_frame *frame)
{
	return xla_execute(frame, 2, 2, update);
}
