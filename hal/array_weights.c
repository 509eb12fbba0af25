/* SPDX-License-Identifier: MIT */
/* The weights of an array: from a matrix to the codes of its blocks, programming, adding, reading back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hal/array.h"

struct nm_block *nm_array_block(const struct nmhal_array *array, uint32_t out, uint32_t in, uint32_t slice)
{
	const size_t part = (size_t)(out / array->tile_cols) * array->in_tiles + in / array->tile_rows;

	return &array->blocks[part * array->slices + slice];
}

static int16_t *code_of(const struct nmhal_array *array, uint32_t out, uint32_t in, uint32_t slice)
{
	struct nm_block *block = nm_array_block(array, out, in, slice);

	return &block->codes[(size_t)(in - block->in) * block->outs + (out - block->out)];
}

/* Whole weight code that the blocks hold. */
static int64_t whole_code(const struct nmhal_array *array, uint32_t out, uint32_t in)
{
	int64_t q = 0;

	for (uint32_t slice = 0; slice < array->slices; slice++)
		q += nm_array_slice_weight(array, slice) * *code_of(array, out, in, slice);
	return q;
}

static bool row_differs(const struct nmhal_array *array, uint32_t out, const int32_t *q)
{
	for (uint32_t in = 0; in < array->n_in; in++)
		if (whole_code(array, out, in) != q[in])
			return true;
	return false;
}

/* Gives an output the codes q[n_in]; blocks whose codes change are no longer resident. */
static void put_row(struct nmhal_array *array, uint32_t out, const int32_t *q)
{
	for (uint32_t in = 0; in < array->n_in; in++) {
		for (uint32_t slice = 0; slice < array->slices; slice++) {
			int16_t *code = code_of(array, out, in, slice);
			const int16_t wanted = nm_array_slice(array, q[in], slice);

			if (*code == wanted)
				continue;
			*code = wanted;
			nm_array_block(array, out, in, slice)->seen = 0;
		}
	}
}

int nm_array_check_matrix(struct nmhal_array *array, const float *w, size_t *stride, const char *what)
{
	const char *uri = array->devs[0]->uri;

	*stride = *stride ? *stride : array->n_in;
	if (!w)
		return nm_fail(uri, NMHAL_E_INVALID, "%s: the matrix is NULL", what);
	if (*stride < array->n_in)
		return nm_fail(uri, NMHAL_E_INVALID, "%s: stride of the matrix is %zu: at least %u", what, *stride,
			array->n_in);
	for (uint32_t o = 0; o < array->n_out; o++) {
		const float *row = w + o * *stride;
		const size_t bad = nm_array_not_finite(row, array->n_in);
		float largest;

		if (bad < array->n_in)
			return nm_fail(uri, NMHAL_E_INVALID, "%s: W[%u][%zu] is %g, must be finite", what, o, bad,
				(double)row[bad]);
		largest = nm_array_largest(row, array->n_in);
		/* All codes of the output must stand for floats. */
		if (!array->held && !isfinite(nm_array_scale(largest, array->q_max) * (float)array->q_max))
			return nm_fail(uri, NMHAL_E_INVALID,
				"%s: the largest of W[%u] is %g: %d codes up to there leave float's range", what, o,
				(double)largest, array->q_max);
	}
	return NMHAL_OK;
}

bool nm_array_has_codes_of(const struct nmhal_array *array, const float *w, size_t stride)
{
	for (uint32_t o = 0; o < array->n_out && array->has_w; o++)
		if (memcmp(w + o * stride, array->w + (size_t)o * array->n_in, array->n_in * sizeof(*w)) != 0)
			return false;
	return array->has_w;
}

static float row_codes(struct nmhal_array *array, const float *row)
{
	const float scale = nm_array_scale(nm_array_largest(row, array->n_in), array->q_max);

	nm_array_quantise(row, array->n_in, scale, array->q_max, array->line);
	return scale;
}

/* STRICT: the first output whose scale or codes would change, or n_out. */
static uint32_t first_change(struct nmhal_array *array, const float *w, size_t stride)
{
	for (uint32_t o = 0; o < array->n_out && array->held; o++)
		if (memcmp(w + o * stride, array->w + (size_t)o * array->n_in, array->n_in * sizeof(*w)) != 0)
			return o;
	for (uint32_t o = 0; o < array->n_out && !array->held; o++)
		if (row_codes(array, w + o * stride) != array->scale[o] || row_differs(array, o, array->line))
			return o;
	return array->n_out;
}

int nm_array_take(struct nmhal_array *array, const float *w, size_t stride, bool keep, const char *what)
{
	int status;

	if (nm_array_has_codes_of(array, w, stride))
		return NMHAL_OK;
	status = nm_array_check_matrix(array, w, &stride, what);
	if (status)
		return status;
	if (keep) {
		const uint32_t out = array->has_w ? first_change(array, w, stride) : 0;

		if (out < array->n_out)
			return nm_fail(array->devs[0]->uri, NMHAL_E_STATE,
				"%s: output %u of W differs from what was programmed, and the array is strict; "
				"program or update it",
				what, out);
	}
	if (array->held)
		array->blocks[0].seen = 0;
	for (uint32_t o = 0; o < array->n_out && !keep && !array->held; o++) {
		const float scale = row_codes(array, w + o * stride);

		array->stats.rescales += array->has_w && scale != array->scale[o];
		array->scale[o] = scale;
		put_row(array, o, array->line);
	}
	for (uint32_t o = 0; o < array->n_out; o++)
		memcpy(array->w + (size_t)o * array->n_in, w + o * stride, array->n_in * sizeof(*w));
	array->has_w = true;
	return NMHAL_OK;
}

/* ---- each block on its device ------------------------------------------------------------------------------------ */

int nm_array_each_block(
	struct nmhal_array *array, int32_t timeout_ms, const char *what, nm_array_block_fn fn, void *arg)
{
	int status = NMHAL_OK;

	for (size_t i = 0; !status && i < array->block_count; i++) {
		struct nm_block *block = &array->blocks[i];
		int64_t deadline_ns;

		status = nm_device_enter(block->dev, timeout_ms, what, &deadline_ns);
		if (!status)
			status = nm_device_leave(block->dev, fn(array, block, arg, deadline_ns));
	}
	return status;
}

static int settle(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns)
{
	return nm_array_settle(array, block, *(const uint32_t *)arg, deadline_ns);
}

int nmhal_array_program(nmhal_array *array, const float *w, size_t w_stride, uint32_t flags, int32_t timeout_ms)
{
	int status;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array program: array is NULL");
	if (flags & ~NMHAL_PROGRAM_VERIFY)
		return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID, "array program: flags 0x%x: known are 0x%x", flags,
			NMHAL_PROGRAM_VERIFY);
	pthread_mutex_lock(&array->lock);
	status = nm_array_check_matrix(array, w, &w_stride, "array program");
	if (!status)
		status = nm_array_take(array, w, w_stride, false, "array program");
	if (!status)
		status = nm_array_each_block(array, timeout_ms, "array program", settle, &flags);
	pthread_mutex_unlock(&array->lock);
	return status;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static int must_be_resident(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns)
{
	(void)arg;
	return nm_array_bring_back(array, block, "array update", deadline_ns);
}

struct deltas {
	const float *dw;
	size_t stride;
	int32_t *codes; /* room for those of a block */
};

/* Rounds deltas of an output to steps, into line. The widest takes any code out of the range. */
static void round_deltas(struct nmhal_array *array, const float *dw, uint32_t count, uint32_t out)
{
	nm_array_quantise(dw, count, array->scale[out], 2 * array->q_max + 1, array->line);
}

static int32_t sum_codes(struct nmhal_array *array, int64_t was, int32_t delta)
{
	const int64_t sum = was + delta;
	const int64_t code = sum > array->q_max ? array->q_max : sum < -array->q_max ? -array->q_max : sum;

	array->stats.clipped_weights += code != sum;
	return (int32_t)code;
}

/* Adds to a block's codes; what is left of the deltas inside the range is in from->codes, [ins][outs]. */
static void sum_block(struct nmhal_array *array, struct nm_block *block, const struct deltas *from)
{
	for (uint32_t o = 0; o < block->outs; o++) {
		const uint32_t out = block->out + o;

		round_deltas(array, from->dw + out * from->stride + block->in, block->ins, out);
		for (uint32_t i = 0; i < block->ins; i++) {
			const size_t at = (size_t)i * block->outs + o;
			const int32_t sum = sum_codes(array, block->codes[at], array->line[i]);

			from->codes[at] = sum - block->codes[at];
			block->codes[at] = (int16_t)sum;
		}
	}
}

/* The device itself adds, if it can and the tile still holds what the block held. */
static int add_codes(struct nmhal_array *array, struct nm_block *block, const int32_t *deltas, int64_t deadline_ns)
{
	const struct nmhal_program program = {.struct_size = sizeof(program),
		.region = {.core = block->core, .rows = block->ins, .cols = block->outs},
		.codes = deltas,
		.code_type = NMHAL_CODE_I32};
	const bool resident = nm_array_is_resident(block);
	struct nmhal_program_report report = {0};
	int status;

	block->seen = 0;
	if (!resident || !block->dev->ops.add_cells)
		return nm_array_settle(array, block, 0, deadline_ns);
	status = nm_update_locked(block->dev, &program, &report, deadline_ns);
	array->stats.writes += report.cells_written != 0;
	array->stats.cells += report.cells_written;
	if (!status)
		block->seen = block->dev->shadow.tiles[block->core].changes;
	return status;
}

/* One slice. After a failure the other blocks still get their sums, but no longer on the device. */
static int add_blocks(struct nmhal_array *array, struct deltas *from, int32_t timeout_ms)
{
	const char *what = "array update";
	int status = NMHAL_OK;

	/* The first block is the largest. */
	from->codes = malloc((size_t)array->blocks[0].ins * array->blocks[0].outs * sizeof(*from->codes));
	if (!from->codes)
		return nm_no_memory(array->devs[0]->uri, what);
	for (size_t i = 0; i < array->block_count; i++) {
		struct nm_block *block = &array->blocks[i];
		int64_t deadline_ns;

		sum_block(array, block, from);
		if (!status)
			status = nm_device_enter(block->dev, timeout_ms, what, &deadline_ns);
		if (!status)
			status = nm_device_leave(block->dev, add_codes(array, block, from->codes, deadline_ns));
		if (status)
			block->seen = 0;
	}
	free(from->codes);
	return status;
}

/* Two slices: a carry from one to the other is nothing that a device can add; the cells that change are written. */
static int add_slices(struct nmhal_array *array, const struct deltas *from, int32_t timeout_ms)
{
	uint32_t flags = 0;

	for (uint32_t o = 0; o < array->n_out; o++) {
		round_deltas(array, from->dw + o * from->stride, array->n_in, o);
		for (uint32_t i = 0; i < array->n_in; i++)
			array->line[i] = sum_codes(array, whole_code(array, o, i), array->line[i]);
		put_row(array, o, array->line);
	}
	return nm_array_each_block(array, timeout_ms, "array update", settle, &flags);
}

static int add_floats(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns)
{
	const struct deltas *from = arg;
	int status = nm_array_bring_back(array, block, "array update", deadline_ns);

	return status ? status : nm_array_float_add(array, block, from->dw, from->stride, deadline_ns);
}

static int update(struct nmhal_array *array, struct deltas *from, int32_t timeout_ms)
{
	const bool in_turn = array->flags & (NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES);
	int status = nm_array_check_matrix(array, from->dw, &from->stride, "array update");

	/* Tiles that are used in turn need not hold the weights: the sums are programmed then. */
	if (!status && !(array->has_w && in_turn))
		status = nm_array_each_block(array, timeout_ms, "array update", must_be_resident, NULL);
	if (status)
		return status;
	if (array->held)
		return nm_array_each_block(array, timeout_ms, "array update", add_floats, from);
	for (uint32_t o = 0; o < array->n_out; o++)
		if (array->scale[o] == 0)
			array->scale[o] = nm_array_scale(
				nm_array_largest(from->dw + o * from->stride, array->n_in), array->q_max);
	status = array->slices == 1 ? add_blocks(array, from, timeout_ms) : add_slices(array, from, timeout_ms);
	/* What the codes say, also when it broke off: the tiles in question are not resident then. */
	for (uint32_t o = 0; o < array->n_out; o++)
		for (uint32_t i = 0; i < array->n_in; i++)
			array->w[(size_t)o * array->n_in + i] = (float)whole_code(array, o, i) * array->scale[o];
	return status;
}

int nmhal_array_update(nmhal_array *array, const float *dw, size_t dw_stride, int32_t timeout_ms)
{
	struct deltas from = {dw, dw_stride, NULL};
	int status;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array update: array is NULL");
	pthread_mutex_lock(&array->lock);
	status = update(array, &from, timeout_ms);
	pthread_mutex_unlock(&array->lock);
	return status;
}

/* ---- what codes stand for ---------------------------------------------------------------------------------------- */

float nm_array_row_codes(struct nmhal_array *array, const float *row, uint32_t out)
{
	if (row)
		return row_codes(array, row);
	for (uint32_t i = 0; i < array->n_in; i++)
		array->line[i] = (int32_t)whole_code(array, out, i);
	return array->scale[out];
}

static void quantise_row(struct nmhal_array *array, const float *row, uint32_t out, float *quantised, float *scale)
{
	const float *kept = row ? row : array->w + (size_t)out * array->n_in;
	const float step = array->held ? 1 : nm_array_row_codes(array, row, out);

	for (uint32_t i = 0; quantised && i < array->n_in; i++)
		quantised[i] = array->held ? kept[i] : (float)array->line[i] * step;
	if (scale)
		scale[out] = step;
}

int nmhal_array_quantise(nmhal_array *array, const float *w, size_t w_stride, float *quantised, float *scale)
{
	int status = NMHAL_OK;
	bool own;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array quantise: array is NULL");
	pthread_mutex_lock(&array->lock);
	if (w)
		status = nm_array_check_matrix(array, w, &w_stride, "array quantise");
	else if (!array->has_w)
		status = nm_fail(array->devs[0]->uri, NMHAL_E_STATE, "array quantise: nothing was programmed yet");
	w_stride = w_stride ? w_stride : array->n_in;
	if (!status && w_stride < array->n_in)
		status = nm_fail(array->devs[0]->uri, NMHAL_E_INVALID, "array quantise: stride is %zu: at least %u",
			w_stride, array->n_in);
	own = !status && (!w || nm_array_has_codes_of(array, w, w_stride));
	for (uint32_t o = 0; !status && o < array->n_out; o++)
		quantise_row(
			array, own ? NULL : w + o * w_stride, o, quantised ? quantised + o * w_stride : NULL, scale);
	pthread_mutex_unlock(&array->lock);
	return status;
}

/* ---- reading back ------------------------------------------------------------------------------------------------ */

struct target {
	float *w;
	size_t stride;
};

/* Past the shadow: what a noisy device reads as is no reason to write it again. */
static int read_block(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns)
{
	const struct target *to = arg;
	const struct nmhal_region region = {.core = block->core, .rows = block->ins, .cols = block->outs};
	const float weight = (float)nm_array_slice_weight(array, block->slice);
	int16_t *codes = block->dev->shadow.found;
	int status = nm_array_bring_back(array, block, "array read", deadline_ns);

	if (status)
		return status;
	if (array->held) {
		for (uint32_t o = 0; o < array->n_out; o++)
			memcpy(to->w + o * to->stride, array->held + (size_t)o * array->n_in,
				array->n_in * sizeof(*to->w));
		return NMHAL_OK;
	}
	status = block->dev->ops.read_weights(block->dev->self, &region, codes, block->outs, deadline_ns);
	for (uint32_t i = 0; !status && i < block->ins; i++)
		for (uint32_t o = 0; o < block->outs; o++)
			to->w[(block->out + o) * to->stride + block->in + i] +=
				weight * codes[(size_t)i * block->outs + o];
	return status;
}

static int read_back(struct nmhal_array *array, struct target *to, int32_t timeout_ms)
{
	int status;

	to->stride = to->stride ? to->stride : array->n_in;
	if (!to->w || to->stride < array->n_in)
		return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID,
			"array read: w is %s, its stride %zu: not NULL, at least %u", to->w ? "given" : "NULL",
			to->stride, array->n_in);
	for (uint32_t o = 0; o < array->n_out; o++)
		memset(to->w + o * to->stride, 0, array->n_in * sizeof(*to->w));
	status = nm_array_each_block(array, timeout_ms, "array read", read_block, to);
	for (uint32_t o = 0; !status && o < array->n_out && !array->held; o++)
		for (uint32_t i = 0; i < array->n_in; i++)
			to->w[o * to->stride + i] *= array->scale[o];
	return status;
}

int nmhal_array_read(nmhal_array *array, float *w, size_t w_stride, int32_t timeout_ms)
{
	struct target to = {w, w_stride};
	int status;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array read: array is NULL");
	pthread_mutex_lock(&array->lock);
	status = read_back(array, &to, timeout_ms);
	pthread_mutex_unlock(&array->lock);
	return status;
}
