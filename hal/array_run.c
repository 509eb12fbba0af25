/* SPDX-License-Identifier: MIT */
/* Products on an array: codes onto the tiles, batches through them, sums back to real numbers. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hal/array.h"

/* ---- residency --------------------------------------------------------------------------------------------------- */

bool nm_array_is_resident(const struct nm_block *block)
{
	return block->seen && block->seen == block->dev->shadow.tiles[block->core].changes;
}

/* Whole rows, so that they are known from now on; columns that the block does not use become 0. */
static int write_rows(struct nm_block *block, uint32_t flags, struct nmhal_program_report *report, int64_t deadline_ns)
{
	const uint32_t cols = block->dev->caps.cols;
	int16_t *rows = calloc(block->ins, cols * sizeof(*rows));
	struct nmhal_program program = {.struct_size = sizeof(program),
		.region = {.core = block->core, .rows = block->ins},
		.codes = rows,
		.code_type = NMHAL_CODE_I16,
		.flags = flags};
	int status;

	if (!rows)
		return nm_no_memory(block->dev->uri, "the rows of a tile");
	for (uint32_t r = 0; r < block->ins; r++)
		memcpy(rows + (size_t)r * cols, block->codes + (size_t)r * block->outs, block->outs * sizeof(*rows));
	status = nm_program_locked(block->dev, &program, report, deadline_ns);
	free(rows);
	return status;
}

static int write_changed(
	struct nm_block *block, uint32_t flags, struct nmhal_program_report *report, int64_t deadline_ns)
{
	const struct nmhal_program program = {.struct_size = sizeof(program),
		.region = {.core = block->core, .rows = block->ins, .cols = block->outs},
		.codes = block->codes,
		.code_type = NMHAL_CODE_I16,
		.flags = flags | NMHAL_PROGRAM_ONLY_CHANGED};

	return nm_program_locked(block->dev, &program, report, deadline_ns);
}

int nm_array_settle(struct nmhal_array *array, struct nm_block *block, uint32_t flags, int64_t deadline_ns)
{
	struct nm_shadow *shadow = &block->dev->shadow;
	struct nm_tile *tile = &shadow->tiles[block->core];
	struct nmhal_program_report report = {0};
	int status;

	if (array->held)
		return nm_array_float_settle(array, block, deadline_ns);
	if (nm_array_is_resident(block) && !flags)
		return NMHAL_OK;
	block->seen = 0;
	if (tile->holder && tile->holder != block)
		array->stats.swaps++;
	tile->holder = NULL;
	/* What was never here is written whole; else rows that became unknown are read back, few cells will differ. */
	status = block->programmed || nm_shadow_knows_all(shadow, block->core, 0, block->ins)
			 ? write_changed(block, flags, &report, deadline_ns)
			 : write_rows(block, flags, &report, deadline_ns);
	array->stats.writes += report.cells_written != 0;
	array->stats.cells += report.cells_written;
	if (status)
		return status;
	tile->holder = block;
	block->programmed = true;
	block->seen = tile->changes;
	return NMHAL_OK;
}

int nm_array_bring_back(struct nmhal_array *array, struct nm_block *block, const char *what, int64_t deadline_ns)
{
	if (nm_array_is_resident(block))
		return NMHAL_OK;
	if (array->has_w && array->flags & (NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES))
		return nm_array_settle(array, block, 0, deadline_ns);
	return nm_fail(block->dev->uri, NMHAL_E_STATE,
		"%s: core %u does not hold the array's weights (any more); program them", what, block->core);
}

/* ---- one block --------------------------------------------------------------------------------------------------- */

static size_t element_size(uint32_t type)
{
	return type == NMHAL_CODE_I8 ? 1 : type == NMHAL_CODE_I16 ? 2 : 4;
}

static int infer(
	struct nmhal_array *array, const struct nm_block *block, const struct nmhal_product *op, int64_t deadline_ns)
{
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED;
	const uint32_t width = transposed ? array->n_out : array->n_in, inputs_at = transposed ? block->out : block->in;
	const uint32_t outputs = transposed ? block->ins : block->outs;
	struct nmhal_inference inference = {.struct_size = sizeof(inference),
		.region = {.core = block->core, .rows = block->ins, .cols = block->outs},
		.in_type = array->in_type,
		.out_type = array->out_type,
		.in_stride = width,
		.flags = (transposed ? NMHAL_INFER_TRANSPOSED : 0) |
			 (array->flags & NMHAL_ARRAY_BIT_SERIAL ? NMHAL_INFER_BIT_SERIAL : 0)};
	int status = NMHAL_OK;

	for (uint32_t done = 0; !status && done < op->batch; done += inference.batch) {
		const uint32_t left = op->batch - done;
		struct nmhal_inference chunk;

		inference.batch = left < block->dev->caps.max_batch ? left : block->dev->caps.max_batch;
		inference.first_vector = op->first_vector + done;
		inference.in = (const char *)array->codes_in +
			       ((size_t)done * width + inputs_at) * element_size(array->in_type);
		inference.out = (char *)array->codes_out + (size_t)done * outputs * element_size(array->out_type);
		inference.saturated = array->saturated + (size_t)done * outputs;
		chunk = inference; /* the call fills in defaults */
		status = nm_infer_locked(block->dev, &chunk, deadline_ns);
		array->stats.inferences++;
	}
	return status;
}

/* Of flags that are 0 or 1; the product has the sum of eight of them in its highest byte. */
static uint32_t count_ones(const uint8_t *flags, uint32_t count)
{
	uint32_t ones = 0, i = 0;

	for (; i + 8 <= count; i += 8) {
		uint64_t eight;

		memcpy(&eight, flags + i, sizeof(eight));
		ones += (uint32_t)(eight * 0x0101010101010101u >> 56);
	}
	for (; i < count; i++)
		ones += flags[i];
	return ones;
}

/* Is there one block to each output, so that nothing is to be added? */
static bool is_alone(const struct nmhal_array *array, const struct nmhal_product *op)
{
	const uint32_t out_tiles = (uint32_t)(array->block_count / array->slices / array->in_tiles);

	return array->slices == 1 && (op->flags & NMHAL_PRODUCT_TRANSPOSED ? out_tiles : array->in_tiles) == 1;
}

/* Takes the block's outputs, whose codes are dense: to the sums, or where nothing is to be added straight to y. */
static void take_outputs(struct nmhal_array *array, const struct nm_block *block, const struct nmhal_product *op)
{
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED, alone = is_alone(array, op);
	const uint32_t outputs = transposed ? block->ins : block->outs, at = transposed ? block->in : block->out;
	const uint32_t width = transposed ? array->n_in : array->n_out;
	const int64_t weight = nm_array_slice_weight(array, block->slice);

	for (uint32_t b = 0; b < op->batch; b++) {
		int64_t *sums = array->sums + (size_t)b * width + at;

		array->stats.saturations += count_ones(array->saturated + (size_t)b * outputs, outputs);
		if (alone) {
			nm_array_decode(array, (size_t)b * outputs, outputs, array->factor + at, array->vector_scale[b],
				op->y + b * op->y_stride + at);
			continue;
		}
		nm_codes_load(array->codes_out, array->out_type, (size_t)b * outputs, outputs, array->line);
		for (uint32_t o = 0; o < outputs; o++)
			sums[o] += weight * array->line[o];
	}
}

static int run_block(struct nmhal_array *array, struct nm_block *block, const struct nmhal_product *op, bool *hit)
{
	int64_t deadline_ns;
	int status = nm_device_enter(block->dev, op->timeout_ms, "array product", &deadline_ns);

	if (status)
		return status;
	*hit = *hit && nm_array_is_resident(block);
	status = op->w && !(array->flags & NMHAL_ARRAY_STRICT)
			 ? nm_array_settle(array, block, 0, deadline_ns)
			 : nm_array_bring_back(array, block, "array product", deadline_ns);
	if (!status)
		status = array->held ? nm_array_float_multiply(array, block, op, deadline_ns)
				     : infer(array, block, op, deadline_ns);
	status = nm_device_leave(block->dev, status);
	if (!status && !array->held)
		take_outputs(array, block, op);
	return status;
}

/* ---- real numbers ------------------------------------------------------------------------------------------------ */

/* Keeps the largest magnitude of each vector in vector_scale: infinite or not a number when one of them is. */
static int check_vectors(struct nmhal_array *array, const struct nmhal_product *op, uint32_t count)
{
	for (uint32_t b = 0; b < op->batch; b++) {
		const float *x = op->x + b * op->x_stride;
		size_t bad;

		array->vector_scale[b] = nm_array_largest(x, count);
		if (isfinite(array->vector_scale[b]))
			continue;
		bad = nm_array_not_finite(x, count);
		return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID, "array product: x[%u][%zu] is %g, must be finite",
			b, bad, (double)x[bad]);
	}
	return NMHAL_OK;
}

/* Transposed: the scales of the outputs go into the inputs. */
static int scale_vector(struct nmhal_array *array, const float *x, uint32_t b)
{
	size_t bad;

	for (uint32_t o = 0; o < array->n_out; o++)
		array->vector[o] = x[o] * array->scale[o];
	array->vector_scale[b] = nm_array_largest(array->vector, array->n_out);
	if (isfinite(array->vector_scale[b]))
		return NMHAL_OK;
	bad = nm_array_not_finite(array->vector, array->n_out);
	return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID,
		"array product: x[%u][%zu] is %g, a step of W[%zu] %g: too large for a float when multiplied", b, bad,
		(double)x[bad], bad, (double)array->scale[bad]);
}

/* Input codes of the batch. */
static int encode(struct nmhal_array *array, const struct nmhal_product *op)
{
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED;
	const uint32_t count = transposed ? array->n_out : array->n_in;

	for (uint32_t b = 0; b < op->batch; b++) {
		const float *x = op->x + b * op->x_stride;
		const int status = transposed ? scale_vector(array, x, b) : NMHAL_OK;

		if (status)
			return status;
		array->vector_scale[b] = nm_array_encode(
			array, transposed ? array->vector : x, array->vector_scale[b], count, (size_t)b * count);
	}
	return NMHAL_OK;
}

/* What an output code counts: scale of the output * output_lsb; output_lsb when the scales went into the inputs. */
static void set_factors(struct nmhal_array *array, const struct nmhal_product *op)
{
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED;
	const uint32_t width = transposed ? array->n_in : array->n_out;
	const float lsb = (float)array->output_lsb;

	for (uint32_t o = 0; o < width; o++)
		array->factor[o] = transposed ? lsb : array->scale[o] * lsb;
}

/* y = (sum * factor) * scale of the vector, in binary32. */
static void decode_sums(struct nmhal_array *array, const struct nmhal_product *op)
{
	const uint32_t width = op->flags & NMHAL_PRODUCT_TRANSPOSED ? array->n_in : array->n_out;

	for (uint32_t b = 0; b < op->batch; b++) {
		const int64_t *sums = array->sums + (size_t)b * width;
		float *y = op->y + b * op->y_stride;

		for (uint32_t o = 0; o < width; o++)
			y[o] = (float)sums[o] * array->factor[o] * array->vector_scale[b];
	}
}

/* Is there no sum of output codes that makes numbers too large for a float? */
static bool stays_finite(const struct nmhal_array *array, const struct nmhal_product *op, uint32_t width)
{
	const struct nmhal_device_caps *caps = &array->devs[0]->caps;
	const double factor = (double)nm_array_largest(array->factor, width);
	const double scale = (double)nm_array_largest(array->vector_scale, op->batch);
	double most = fmax(-(double)caps->output_min, caps->output_max) * (double)array->block_count;

	most *= (double)nm_array_slice_weight(array, 0) * factor;
	return most < (double)FLT_MAX / 2 && most * scale < (double)FLT_MAX / 2;
}

/* What is infinite, or not a number after that, must not pass for a result. */
static int check_outputs(const struct nmhal_array *array, const struct nmhal_product *op, uint32_t width)
{
	if (stays_finite(array, op, width))
		return NMHAL_OK;
	for (uint32_t b = 0; b < op->batch; b++) {
		const float *y = op->y + b * op->y_stride;
		const size_t bad = nm_array_not_finite(y, width);

		if (bad < width)
			return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID,
				"array product: y[%u][%zu] is too large for a float: an input step is %g, an output "
				"step %g",
				b, bad, (double)array->vector_scale[b], (double)array->factor[bad]);
	}
	return NMHAL_OK;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static int grow(struct nmhal_array *array, uint32_t batch)
{
	const size_t widest = array->n_out > array->n_in ? array->n_out : array->n_in, numbers = widest * batch;

	if (batch <= array->room)
		return NMHAL_OK;
	array->room = 0;
	free(array->codes_in);
	free(array->codes_out);
	free(array->saturated);
	free(array->vector_scale);
	free(array->sums);
	array->codes_in = malloc(numbers * element_size(array->in_type));
	array->codes_out = malloc(numbers * element_size(array->out_type));
	array->saturated = malloc(numbers);
	array->vector_scale = calloc(batch, sizeof(*array->vector_scale));
	array->sums = malloc(numbers * sizeof(*array->sums));
	if (!array->codes_in || !array->codes_out || !array->saturated || !array->vector_scale || !array->sums)
		return nm_no_memory(array->devs[0]->uri, "array product");
	array->room = batch;
	return NMHAL_OK;
}

static int check_product(struct nmhal_array *array, struct nmhal_product *op)
{
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED;
	const uint32_t in = transposed ? array->n_out : array->n_in, out = transposed ? array->n_in : array->n_out;
	const char *uri = array->devs[0]->uri;

	if (op->flags & ~NMHAL_PRODUCT_TRANSPOSED)
		return nm_fail(uri, NMHAL_E_INVALID, "array product: flags 0x%x: known are 0x%x", op->flags,
			NMHAL_PRODUCT_TRANSPOSED);
	if (op->reserved)
		return nm_fail(uri, NMHAL_E_INVALID, "array product: reserved is %u: it must be 0", op->reserved);
	if (!op->x || !op->y)
		return nm_fail(uri, NMHAL_E_INVALID, "array product: %s is NULL", op->x ? "y" : "x");
	if (!op->batch)
		return nm_fail(uri, NMHAL_E_INVALID, "array product: batch is 0: it must be at least 1");
	op->x_stride = op->x_stride ? op->x_stride : in;
	op->y_stride = op->y_stride ? op->y_stride : out;
	op->w_stride = op->w_stride ? op->w_stride : array->n_in;
	if (op->x_stride < in || op->y_stride < out || op->w_stride < array->n_in)
		return nm_fail(uri, NMHAL_E_INVALID,
			"array product: strides of w, x, y are %zu, %zu, %zu: at least %u, %u, %u", op->w_stride,
			op->x_stride, op->y_stride, array->n_in, in, out);
	for (size_t i = 0; transposed && i < array->dev_count; i++)
		if (!(array->devs[i]->caps.features & NMHAL_CAN_INFER_TRANSPOSED))
			return nm_unsupported(array->devs[i], "array product with TRANSPOSED", "transposed products");
	return NMHAL_OK;
}

static int matmul(struct nmhal_array *array, struct nmhal_product *op)
{
	const uint32_t width = op->flags & NMHAL_PRODUCT_TRANSPOSED ? array->n_in : array->n_out;
	bool hit = true;
	int status = check_product(array, op);

	if (!status)
		status = grow(array, op->batch);
	if (!status)
		status = check_vectors(array, op, op->flags & NMHAL_PRODUCT_TRANSPOSED ? array->n_out : array->n_in);
	if (!status && !op->w && !array->has_w)
		status = nm_fail(array->devs[0]->uri, NMHAL_E_STATE,
			"array product with w NULL: nothing was programmed yet; give w or program first");
	if (!status && op->w)
		status = nm_array_take(array, op->w, op->w_stride, array->flags & NMHAL_ARRAY_STRICT, "array product");
	if (status)
		return status;
	if (!array->held) {
		status = encode(array, op);
		set_factors(array, op);
		if (!is_alone(array, op))
			memset(array->sums, 0, (size_t)op->batch * width * sizeof(*array->sums));
	}
	for (size_t i = 0; !status && i < array->block_count; i++)
		status = run_block(array, &array->blocks[i], op, &hit);
	if (!status && !array->held) {
		if (!is_alone(array, op))
			decode_sums(array, op);
		status = check_outputs(array, op, width);
	}
	if (status)
		return status;
	array->stats.products++;
	array->stats.vectors += op->batch;
	array->stats.hits += hit;
	return NMHAL_OK;
}

int nmhal_array_matmul(nmhal_array *array, const struct nmhal_product *op)
{
	struct nmhal_product known;
	int status = nm_copy_in(&known, sizeof(known), sizeof(known), op, "struct nmhal_product");

	if (!status && !array)
		status = nm_fail(NULL, NMHAL_E_INVALID, "array product: array is NULL");
	if (status)
		return status;
	pthread_mutex_lock(&array->lock);
	status = matmul(array, &known);
	pthread_mutex_unlock(&array->lock);
	return status;
}
