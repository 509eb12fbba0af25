/* SPDX-License-Identifier: MIT */
/* Arrays: how a matrix is laid out on tiles; making, freeing, asking. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hal/array.h"

/* ---- devices ----------------------------------------------------------------------------------------------------- */

static int32_t symmetric(int32_t min, int32_t max)
{
	return -min < max ? -min : max;
}

static uint32_t smallest_type(int32_t min, int32_t max)
{
	if (min >= INT8_MIN && max <= INT8_MAX)
		return NMHAL_CODE_I8;
	return min >= INT16_MIN && max <= INT16_MAX ? NMHAL_CODE_I16 : NMHAL_CODE_I32;
}

static int check_device(nmhal_device *dev, const struct nmhal_device_caps *first)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	int status = nm_device_check(dev, "new array");

	if (status)
		return status;
	if ((caps->features ^ first->features) & NMHAL_CAN_FLOAT)
		return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED, "new array: devices of codes and of real numbers mixed");
	if (caps->features & NMHAL_CAN_FLOAT)
		return NMHAL_OK;
	if (!(caps->features & NMHAL_CAN_INFER))
		return nm_unsupported(dev, "new array", "inference");
	if (!(caps->output_lsb > 0))
		return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED,
			"new array: the %s does not say what its output codes count", caps->board);
	if (symmetric(caps->weight_min, caps->weight_max) < 1 || symmetric(caps->input_min, caps->input_max) < 1 ||
		caps->input_max > INT16_MAX)
		return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED,
			"new array: weights %d..%d, inputs %d..%d: both need signs", caps->weight_min, caps->weight_max,
			caps->input_min, caps->input_max);
	if (caps->rows != first->rows || caps->cols != first->cols || caps->weight_min != first->weight_min ||
		caps->weight_max != first->weight_max || caps->input_min != first->input_min ||
		caps->input_max != first->input_max || caps->output_min != first->output_min ||
		caps->output_max != first->output_max || caps->output_lsb != first->output_lsb)
		return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED,
			"new array: its %u x %u crossbars or its codes differ from those of the first device (%u x %u)",
			caps->rows, caps->cols, first->rows, first->cols);
	return NMHAL_OK;
}

static int hold_devices(struct nmhal_array *array, nmhal_device *const *devs, size_t count)
{
	const struct nmhal_device_caps *caps;

	array->devs = calloc(count, sizeof(*array->devs));
	if (!array->devs)
		return nm_no_memory(NULL, "new array");
	for (array->dev_count = 0; array->dev_count < count; array->dev_count++) {
		nmhal_device *dev = devs[array->dev_count];
		int status;

		if (!dev)
			return nm_fail(NULL, NMHAL_E_INVALID, "new array: device %zu is NULL", array->dev_count);
		status = check_device(dev, &devs[0]->caps);
		if (status)
			return status;
		array->devs[array->dev_count] = nmhal_device_ref(dev);
	}
	caps = &devs[0]->caps;
	array->tile_rows = caps->rows;
	array->tile_cols = caps->cols;
	array->code_max = symmetric(caps->weight_min, caps->weight_max);
	array->input_max = symmetric(caps->input_min, caps->input_max);
	array->in_type = smallest_type(-array->input_max, array->input_max);
	array->out_type = smallest_type(caps->output_min, caps->output_max);
	array->output_lsb = caps->output_lsb;
	return NMHAL_OK;
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

static bool is_mine(const struct nmhal_array *array, size_t blocks, const struct nmhal_device *dev, uint32_t core)
{
	for (size_t i = 0; i < blocks; i++)
		if (array->blocks[i].dev == dev && array->blocks[i].core == core)
			return true;
	return false;
}

/* Gives block number `index` the first tile that will do: free, or with `used` one that other arrays share. */
static bool place(struct nmhal_array *array, size_t index, bool used)
{
	for (size_t d = 0; d < array->dev_count; d++) {
		struct nmhal_device *dev = array->devs[d];
		bool found = false;

		pthread_mutex_lock(&dev->lock);
		for (uint32_t core = 0; !found && core < dev->caps.cores; core++) {
			struct nm_tile *tile = &dev->shadow.tiles[core];

			found = used ? tile->shared && !is_mine(array, index, dev, core) : tile->users == 0;
			if (!found)
				continue;
			tile->users++;
			tile->shared = array->flags & NMHAL_ARRAY_SHARE;
			array->blocks[index].dev = dev;
			array->blocks[index].core = core;
		}
		pthread_mutex_unlock(&dev->lock);
		if (found)
			return true;
	}
	return false;
}

/* PASSES: the tile of an earlier block once more. */
static void place_again(struct nmhal_array *array, size_t index, size_t tiles)
{
	const struct nm_block *earlier = &array->blocks[index % tiles];

	pthread_mutex_lock(&earlier->dev->lock);
	earlier->dev->shadow.tiles[earlier->core].users++;
	pthread_mutex_unlock(&earlier->dev->lock);
	array->blocks[index].dev = earlier->dev;
	array->blocks[index].core = earlier->core;
}

static int place_all(struct nmhal_array *array)
{
	size_t tiles = 0;

	for (size_t i = 0; i < array->block_count; i++) {
		if (tiles == i &&
			(place(array, i, false) || (array->flags & NMHAL_ARRAY_SHARE && place(array, i, true))))
			tiles++;
		else if (array->flags & NMHAL_ARRAY_PASSES && tiles)
			place_again(array, i, tiles);
		else
			return nm_fail(array->devs[0]->uri, NMHAL_E_LIMIT,
				"new array of %u x %u weights: needs %zu tiles of %u x %u, %zu are free; free other "
				"arrays, add devices, or allow SHARE (by the other arrays, too) or PASSES",
				array->n_out, array->n_in, array->block_count, array->tile_rows, array->tile_cols,
				tiles);
	}
	return NMHAL_OK;
}

static void give_back(struct nm_block *block)
{
	struct nm_tile *tile;

	if (!block->dev)
		return;
	pthread_mutex_lock(&block->dev->lock);
	tile = &block->dev->shadow.tiles[block->core];
	tile->users--;
	if (tile->holder == block)
		tile->holder = NULL;
	pthread_mutex_unlock(&block->dev->lock);
}

/* ---- layout ------------------------------------------------------------------------------------------------------ */

static uint32_t tiles_along(uint32_t count, uint32_t tile)
{
	return count / tile + (count % tile != 0);
}

static int lay_out(struct nmhal_array *array)
{
	const uint32_t out_tiles = tiles_along(array->n_out, array->tile_cols);
	const size_t widest = array->n_out > array->n_in ? array->n_out : array->n_in;
	struct nm_block *block;

	array->in_tiles = tiles_along(array->n_in, array->tile_rows);
	array->block_count = (size_t)out_tiles * array->in_tiles * array->slices;
	array->blocks = calloc(array->block_count, sizeof(*array->blocks));
	array->w = calloc(array->n_out, array->n_in * sizeof(*array->w));
	array->scale = calloc(array->n_out, sizeof(*array->scale));
	array->line = calloc(widest, sizeof(*array->line));
	array->vector = calloc(widest, sizeof(*array->vector));
	array->factor = calloc(widest, sizeof(*array->factor));
	if (!array->blocks || !array->w || !array->scale || !array->line || !array->vector || !array->factor)
		return nm_no_memory(array->devs[0]->uri, "new array");
	block = array->blocks;
	for (uint32_t out = 0; out < array->n_out; out += array->tile_cols) {
		for (uint32_t in = 0; in < array->n_in; in += array->tile_rows) {
			for (uint32_t slice = 0; slice < array->slices; slice++, block++) {
				block->out = out;
				block->in = in;
				block->slice = slice;
				block->outs =
					array->n_out - out < array->tile_cols ? array->n_out - out : array->tile_cols;
				block->ins = array->n_in - in < array->tile_rows ? array->n_in - in : array->tile_rows;
				block->codes = calloc(block->ins, block->outs * sizeof(*block->codes));
				if (!block->codes)
					return nm_no_memory(array->devs[0]->uri, "new array");
			}
		}
	}
	return NMHAL_OK;
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static int check_new(nmhal_device *const *devs, size_t dev_count, uint32_t n_out, uint32_t n_in,
	const struct nmhal_array_options *options)
{
	const uint32_t known = NMHAL_ARRAY_STRICT | NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES | NMHAL_ARRAY_BIT_SERIAL;

	if (!devs || !dev_count)
		return nm_fail(NULL, NMHAL_E_INVALID, "new array: no device");
	if (!n_out || !n_in || (uint64_t)n_out * n_in > NM_ARRAY_MAX_WEIGHTS)
		return nm_fail(NULL, NMHAL_E_INVALID, "new array of %u x %u weights: must be 1 to %u in all", n_out,
			n_in, NM_ARRAY_MAX_WEIGHTS);
	if (options->encoding > NMHAL_ARRAY_TWO_SLICES)
		return nm_fail(NULL, NMHAL_E_INVALID, "new array: encoding is %u, must be 0..%d", options->encoding,
			NMHAL_ARRAY_TWO_SLICES);
	if (options->flags & ~known)
		return nm_fail(NULL, NMHAL_E_INVALID, "new array: flags 0x%x: known are 0x%x", options->flags, known);
	return NMHAL_OK;
}

/* A device of real numbers holds one whole matrix. */
static int make_float(struct nmhal_array *array)
{
	if (array->dev_count > 1 || array->block_count > 1 || array->flags & ~(NMHAL_ARRAY_STRICT | NMHAL_ARRAY_SHARE))
		return nm_fail(array->devs[0]->uri, NMHAL_E_UNSUPPORTED,
			"new array of %u x %u weights: a device of real numbers holds one matrix of at most %u x %u in "
			"one slice, "
			"alone, without PASSES and BIT_SERIAL",
			array->n_out, array->n_in, array->tile_cols, array->tile_rows);
	array->held = calloc(array->n_out, array->n_in * sizeof(*array->held));
	array->sum = calloc(array->n_out, array->n_in * sizeof(*array->sum));
	return array->held && array->sum ? NMHAL_OK : nm_no_memory(array->devs[0]->uri, "new array");
}

static int fill(struct nmhal_array *array, nmhal_device *const *devs, size_t dev_count)
{
	int status = hold_devices(array, devs, dev_count);

	if (status)
		return status;
	if (devs[0]->caps.features & NMHAL_CAN_FLOAT)
		array->code_max = 1; /* no codes: any */
	array->q_max = array->slices == 1 ? array->code_max : array->code_max * (2 * array->code_max + 2);
	if (array->q_max > NM_ARRAY_MAX_CODE)
		return nm_fail(devs[0]->uri, NMHAL_E_UNSUPPORTED,
			"new array: two slices of %d bits make codes of %d, above %d", devs[0]->caps.weight_bits,
			array->q_max, NM_ARRAY_MAX_CODE);
	for (size_t i = 0; i < dev_count && array->flags & NMHAL_ARRAY_BIT_SERIAL; i++)
		if (!(devs[i]->caps.features & NMHAL_CAN_INFER_BIT_SERIAL))
			return nm_unsupported(devs[i], "new array with BIT_SERIAL", "bit-serial inference");
	status = lay_out(array);
	if (!status && devs[0]->caps.features & NMHAL_CAN_FLOAT)
		status = make_float(array);
	return status ? status : place_all(array);
}

int nmhal_array_new(nmhal_device *const *devs, size_t dev_count, uint32_t n_out, uint32_t n_in,
	const struct nmhal_array_options *options, nmhal_array **out)
{
	struct nmhal_array_options given = NMHAL_ARRAY_OPTIONS_INIT;
	struct nmhal_array *array;
	int status = NMHAL_OK;

	if (!out)
		return nm_fail(NULL, NMHAL_E_INVALID, "new array: out is NULL");
	*out = NULL;
	if (options)
		status = nm_copy_in(&given, sizeof(given), sizeof(given), options, "struct nmhal_array_options");
	if (!status)
		status = check_new(devs, dev_count, n_out, n_in, &given);
	if (status)
		return status;
	array = calloc(1, sizeof(*array));
	if (!array)
		return nm_no_memory(NULL, "new array");
	pthread_mutex_init(&array->lock, NULL);
	array->n_out = n_out;
	array->n_in = n_in;
	array->flags = given.flags;
	array->slices = given.encoding == NMHAL_ARRAY_TWO_SLICES ? 2 : 1;
	status = fill(array, devs, dev_count);
	if (status)
		nmhal_array_free(array);
	else
		*out = array;
	return status;
}

void nmhal_array_free(nmhal_array *array)
{
	/* A thread of the parent may have been inside of the array when this process was forked. */
	if (!array || (array->dev_count && nm_device_is_foreign(array->devs[0])))
		return;
	for (size_t i = 0; array->blocks && i < array->block_count; i++) {
		give_back(&array->blocks[i]);
		free(array->blocks[i].codes);
	}
	for (size_t i = 0; i < array->dev_count; i++)
		nmhal_device_unref(array->devs[i]);
	pthread_mutex_destroy(&array->lock);
	free(array->devs);
	free(array->blocks);
	free(array->w);
	free(array->scale);
	free(array->held);
	free(array->sum);
	free(array->line);
	free(array->vector);
	free(array->factor);
	free(array->codes_in);
	free(array->codes_out);
	free(array->saturated);
	free(array->vector_scale);
	free(array->sums);
	free(array);
}

int nmhal_array_get_stats(nmhal_array *array, struct nmhal_array_stats *stats)
{
	int status;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array stats: array is NULL");
	pthread_mutex_lock(&array->lock);
	status = nm_copy_out(stats, sizeof(*stats), sizeof(*stats), &array->stats, "struct nmhal_array_stats");
	pthread_mutex_unlock(&array->lock);
	return status;
}

/* ---- quality ----------------------------------------------------------------------------------------------------- */

struct sums {
	double signal, error, use;
	uint32_t alive;
};

/* Against the codes in line. */
static void judge_row(
	struct nmhal_array *array, const float *w, float scale, struct sums *sums, struct nmhal_array_quality *quality)
{
	int32_t largest = 0;
	uint32_t at_rail = 0;

	for (uint32_t i = 0; i < array->n_in; i++) {
		const int32_t size = array->line[i] < 0 ? -array->line[i] : array->line[i];
		const double error = (double)w[i] - (double)array->line[i] * (double)scale;

		sums->signal += (double)w[i] * (double)w[i];
		sums->error += error * error;
		largest = size > largest ? size : largest;
		at_rail += size == array->q_max;
	}
	quality->dead += largest == 0;
	quality->saturated += at_rail > 1;
	sums->alive += largest != 0;
	sums->use += (double)largest / array->q_max;
}

int nmhal_array_get_quality(nmhal_array *array, const float *w, size_t w_stride, struct nmhal_array_quality *quality)
{
	struct nmhal_array_quality found = {0};
	struct sums sums = {0};
	bool own;
	int status;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array quality: array is NULL");
	status = nm_check_out(quality, sizeof(*quality), sizeof(*quality), "struct nmhal_array_quality");
	if (status)
		return status;
	pthread_mutex_lock(&array->lock);
	status = nm_array_check_matrix(array, w, &w_stride, "array quality");
	if (!status && array->held)
		status = nm_unsupported(array->devs[0], "array quality", "codes");
	own = !status && nm_array_has_codes_of(array, w, w_stride);
	for (uint32_t o = 0; !status && o < array->n_out; o++) {
		const float *row = w + o * w_stride;

		judge_row(array, row, nm_array_row_codes(array, own ? NULL : row, o), &sums, &found);
	}
	pthread_mutex_unlock(&array->lock);
	if (status)
		return status;
	found.snr_db = sums.error > 0 ? 10 * log10(sums.signal / sums.error) : HUGE_VAL;
	found.range_use = sums.alive ? sums.use / sums.alive : 0;
	return nm_copy_out(quality, sizeof(*quality), sizeof(*quality), &found, "struct nmhal_array_quality");
}
