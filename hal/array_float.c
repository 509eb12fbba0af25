/* SPDX-License-Identifier: MIT */
/* Arrays on a device of real numbers: it gets W, x and y as they are. */
#include <string.h>

#include "hal/array.h"

static size_t weights(const struct nmhal_array *array)
{
	return (size_t)array->n_out * array->n_in;
}

static void now_holds(struct nm_block *block, struct nm_tile *tile)
{
	tile->holder = block;
	block->programmed = true;
	block->seen = ++tile->changes;
}

int nm_array_float_settle(struct nmhal_array *array, struct nm_block *block, int64_t deadline_ns)
{
	struct nm_tile *tile = &block->dev->shadow.tiles[block->core];
	int status;

	if (nm_array_is_resident(block))
		return NMHAL_OK;
	if (tile->holder && tile->holder != block)
		array->stats.swaps++;
	tile->holder = NULL;
	tile->changes++;
	memcpy(array->held, array->w, weights(array) * sizeof(*array->held));
	status = block->dev->ops.write_f32(
		block->dev->self, block->core, array->held, array->n_out, array->n_in, deadline_ns);
	if (status)
		return status;
	array->stats.writes++;
	array->stats.cells += weights(array);
	now_holds(block, tile);
	return NMHAL_OK;
}

int nm_array_float_multiply(
	struct nmhal_array *array, struct nm_block *block, const struct nmhal_product *op, int64_t deadline_ns)
{
	int status = NMHAL_OK;

	for (uint32_t b = 0; !status && b < op->batch; b++) {
		status = block->dev->ops.mul_f32(block->dev->self, block->core, array->held, op->x + b * op->x_stride,
			op->y + b * op->y_stride, array->n_out, array->n_in, deadline_ns);
		if (!status)
			status = nmhal_host_poll(&block->dev->host, deadline_ns, "array product");
		array->stats.inferences++;
	}
	return status;
}

/* held + dw into sum. */
static int add_here(struct nmhal_array *array, const float *dw, size_t stride)
{
	for (uint32_t o = 0; o < array->n_out; o++) {
		float *sum = array->sum + (size_t)o * array->n_in;
		size_t bad;

		for (uint32_t i = 0; i < array->n_in; i++)
			sum[i] = array->held[(size_t)o * array->n_in + i] + dw[o * stride + i];
		bad = nm_array_not_finite(sum, array->n_in);
		if (bad < array->n_in)
			return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID,
				"array update: the sum at W[%u][%zu] is too large for a float", o, bad);
	}
	return NMHAL_OK;
}

/* The sum as the device achieved it becomes the matrix. */
int nm_array_float_add(
	struct nmhal_array *array, struct nm_block *block, const float *dw, size_t stride, int64_t deadline_ns)
{
	struct nm_tile *tile = &block->dev->shadow.tiles[block->core];
	const struct nmhal_device_ops *ops = &block->dev->ops;
	int status = ops->add_f32 ? NMHAL_OK : add_here(array, dw, stride);

	if (status)
		return status;
	tile->changes++;
	if (ops->add_f32) {
		/* w is rewritten in any case: it carries the dense delta on the way in. */
		for (uint32_t o = 0; o < array->n_out; o++)
			memcpy(array->w + (size_t)o * array->n_in, dw + o * stride, array->n_in * sizeof(*dw));
		status = ops->add_f32(block->dev->self, block->core, array->held, array->w, array->sum, array->n_out,
			array->n_in, deadline_ns);
		memcpy(array->w, status ? array->held : array->sum, weights(array) * sizeof(*array->w));
	} else {
		status = ops->write_f32(
			block->dev->self, block->core, array->sum, array->n_out, array->n_in, deadline_ns);
		if (!status)
			memcpy(array->w, array->sum, weights(array) * sizeof(*array->w));
	}
	if (status)
		return status;
	memcpy(array->held, array->w, weights(array) * sizeof(*array->held));
	array->stats.writes++;
	array->stats.cells += weights(array);
	now_holds(block, tile);
	return NMHAL_OK;
}
