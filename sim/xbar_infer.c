/* SPDX-License-Identifier: MIT */
/* Inference: inputs to the form of the kernels, panels of outputs, noise, ADC (sections "Products" and "ADC"). */
#include <string.h>

#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

/* Products (inputs times outputs times vectors) that take about 1 ms: fewer stay on the caller's thread. */
#define WORTH_THREADS ((size_t)1 << 26)

/* One chunk of an inference. */
struct job {
	struct xbar *xbar;
	const struct xbar_inference *inference;
	enum xbar_direction direction;
	bool codes;               /* products of whole codes, inputs offset by XBAR_OFFSET; else of quanta */
	unsigned input, inputs;   /* first of the inputs, and how many */
	unsigned output, outputs; /* the same of outputs */
	unsigned first, end;      /* the inputs in whole groups of XBAR_INPUTS */
	const struct xbar_plane *weights, *variances; /* variances: NULL without XBAR_READ_NOISE */
	bool noisy;
	uint8_t *outputs_at;      /* outputs of the whole batch */
	xbar_product_fn multiply;
	unsigned code_bytes;      /* of an output */
	unsigned panel, panels;   /* that have outputs */
	size_t chunk, vectors;    /* first vector of the chunk in the batch, and how many */
};

/* What a panel needs beside its weights, on the stack of the thread that computes it. */
struct panel {
	float add[XBAR_CHUNK * XBAR_PANEL];
	int32_t variance[XBAR_CHUNK * XBAR_PANEL];
	uint8_t codes[XBAR_CHUNK * XBAR_PANEL * 2];
	uint8_t clipped[XBAR_CHUNK * 2];
};

static unsigned square_shift(const struct job *job)
{
	if (job->inference->bit_serial)
		return 0;
	return job->xbar->options.full_inputs ? 7 : 5;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static size_t input_stride(const struct job *job)
{
	return (size_t)(job->end - job->first) * (job->codes ? 1 : 2);
}

/* Bytes of a vector before and after its inputs, which fill the groups of the first and the last one. */
static void pad(const struct job *job, uint8_t *vector, size_t bytes, int value)
{
	size_t before = (job->input - job->first) * bytes, after = (job->end - job->input - job->inputs) * bytes;

	if (before)
		memset(vector, value, before);
	if (after)
		memset(vector + before + job->inputs * bytes, value, after);
}

/* `vectors` without padding between them, or one. False when an input is out of range. */
static bool load_inputs(const struct job *job, size_t vector, size_t vectors)
{
	const struct xbar_kernel *kernel = job->xbar->kernel;
	const int8_t *inputs = job->inference->inputs + (job->chunk + vector) * job->inputs;
	uint8_t *to = job->xbar->inputs + vector * input_stride(job);
	size_t count = vectors * job->inputs, bytes = job->codes ? 1 : 2;

	pad(job, to, bytes, job->codes ? XBAR_OFFSET : 0);
	to += (job->input - job->first) * bytes;
	if (job->codes)
		return kernel->load_codes(inputs, count, to);
	return kernel->load_wide(inputs, count, xbar_input_max(job->xbar), (int16_t *)(void *)to);
}

/* The same for the product of variances. */
static void load_squares(const struct job *job, size_t vector, size_t vectors)
{
	const struct xbar_kernel *kernel = job->xbar->kernel;
	const int8_t *inputs = job->inference->inputs + (job->chunk + vector) * job->inputs;
	uint8_t *to = job->xbar->squares + vector * (job->end - job->first);

	pad(job, to, 1, 0);
	to += job->input - job->first;
	if (job->inference->bit_serial)
		kernel->load_magnitudes(inputs, vectors * job->inputs, to);
	else
		kernel->load_squares(inputs, vectors * job->inputs, square_shift(job), to);
}

static bool load_chunk(const struct job *job)
{
	size_t at_once = job->end - job->first == job->inputs ? job->vectors : 1;
	bool good = true;

	for (size_t vector = 0; vector < job->vectors; vector += at_once) {
		good = load_inputs(job, vector, at_once) && good;
		if (job->variances)
			load_squares(job, vector, at_once);
	}
	return good;
}

/* ---- a panel ----------------------------------------------------------------------------------------------------- */

/* A panel's weights from the job's first input on. */
static const uint8_t *panel_of(const struct job *job, const struct xbar_plane *plane, unsigned number, bool wide)
{
	size_t plane_inputs = xbar_plane_inputs(job->xbar, job->direction);

	return plane->data + (number * plane_inputs + job->first) * XBAR_PANEL * (wide ? 2 : 1);
}

static const int32_t no_bias[XBAR_LINES_MAX];

/*
 * What takes back what XBAR_OFFSET adds to the sums of the product's panels, from number `number` on: kept for all
 * inputs, else computed into bias[panels][XBAR_PANEL].
 */
static const int32_t *bias_of(const struct job *job, const struct xbar_product *product, unsigned number, int32_t *bias)
{
	struct xbar_product sum = *product;

	if (!job->codes)
		return no_bias;
	if (job->first == 0 && job->end == xbar_plane_inputs(job->xbar, job->direction))
		return job->weights->bias + (size_t)number * XBAR_PANEL;
	sum.inputs = job->xbar->offsets;
	sum.vectors = 1;
	sum.bias = no_bias;
	sum.sums = bias;
	job->xbar->kernel->sums(&sum);
	for (unsigned n = 0; n < product->panels * XBAR_PANEL; n++)
		bias[n] = -bias[n];
	return bias;
}

static void add_noise(const struct job *job, unsigned number, int32_t *variance, float *add)
{
	const struct xbar *xbar = job->xbar;
	unsigned tile = job->inference->region.tile;
	float scale = xbar_device_output_per_quantum(xbar), sigma = (float)xbar->options.output_noise_mlsb / 1000.0f;
	struct xbar_noise noise = {
		.seed = xbar->options.seed,
		.counter_word = xbar_counter_word(XBAR_FOR_OUTPUT, tile, 4 * number),
		.line = job->direction == XBAR_FORWARD ? XBAR_LINE_COLUMNS : XBAR_LINE_ROWS,
		.first_vector = job->inference->first_vector + job->chunk,
		.vectors = job->vectors,
		.offset = xbar->tiles[tile].offset[job->direction] + (size_t)number * XBAR_PANEL,
		.floor = xbar->options.effects & XBAR_OUTPUT_NOISE ? sigma * sigma : 0.0f,
		.add = add,
	};

	if (job->variances) {
		int exponent = xbar->tiles[tile].variance_exponent + (int)square_shift(job);
		struct xbar_product sum = {
			.panels = 1,
			.weights = panel_of(job, job->variances, number, false),
			.steps = (job->end - job->first) / 4u,
			.inputs = xbar->squares,
			.input_stride = job->end - job->first,
			.vectors = job->vectors,
			.bias = no_bias,
			.sums = variance,
		};

		xbar->kernel->sums(&sum);
		noise.variance = variance;
		noise.unit = ((float)((uint64_t)1 << exponent) * scale) * scale;
	}
	xbar->kernel->noise(&noise);
}

/* Outputs of a panel that is not whole, or does not begin with a byte of bits: into their places one by one. */
static void scatter(const struct job *job, unsigned number, const struct panel *panel, size_t bytes)
{
	uint8_t *outputs = job->outputs_at + job->chunk * job->outputs * bytes;
	size_t bits = (job->outputs + 7) / 8;
	uint8_t *clipped = job->inference->clipped + job->chunk * bits;

	for (size_t vector = 0; vector < job->vectors; vector++, outputs += job->outputs * bytes, clipped += bits) {
		for (unsigned n = 0; n < XBAR_PANEL; n++) {
			unsigned output = number * XBAR_PANEL + n - job->output, bit;

			if (output >= job->outputs)
				continue;
			memcpy(outputs + output * bytes, panel->codes + (vector * XBAR_PANEL + n) * bytes, bytes);
			bit = (unsigned)panel->clipped[2 * vector + n / 8] >> n % 8 & 1u;
			clipped[output / 8] = (uint8_t)(clipped[output / 8] | bit << output % 8);
		}
	}
}

/* The product of some panels, from number `number` on; without noise, and without a place for the outputs. */
static struct xbar_product product_of(const struct job *job, unsigned number, unsigned panels, int32_t *bias)
{
	const struct xbar *xbar = job->xbar;
	const struct xbar_tile *tile = &xbar->tiles[job->inference->region.tile];
	size_t at = (size_t)number * XBAR_PANEL;
	struct xbar_product product = {
		.panels = panels,
		.weights = panel_of(job, job->weights, number, !job->codes),
		.weight_stride = (size_t)xbar_plane_inputs(xbar, job->direction) * XBAR_PANEL * (job->codes ? 1 : 2),
		.steps = (job->end - job->first) / (job->codes ? 4u : 2u),
		.inputs = xbar->inputs,
		.input_stride = input_stride(job),
		.vectors = job->vectors,
		.scale = (job->codes ? tile->scale_codes : tile->scale_quanta)[job->direction] + at,
		.add = tile->offset[job->direction] + at,
		.add_stride = job->noisy ? XBAR_PANEL : 0,
		.low = (int16_t)xbar->low,
		.high = (int16_t)xbar->high,
		.output_stride = (size_t)job->outputs * job->code_bytes,
		.clipped_stride = (job->outputs + 7) / 8,
	};

	product.bias = bias_of(job, &product, number, bias);
	return product;
}

/* All outputs of the panel are wanted, and their bits fill bytes. */
static bool is_whole(const struct job *job, unsigned number)
{
	unsigned output = number * XBAR_PANEL - job->output;

	return number * XBAR_PANEL >= job->output && output + XBAR_PANEL <= job->outputs && output % 8 == 0;
}

/* The outputs of whole panels go straight to their places. */
static void place(const struct job *job, unsigned number, struct xbar_product *product)
{
	unsigned output = number * XBAR_PANEL - job->output;

	product->outputs = job->outputs_at + job->chunk * product->output_stride + output * job->code_bytes;
	product->clipped = job->inference->clipped + job->chunk * product->clipped_stride + output / 8;
}

/* A panel that has noise, or is not whole. */
static void compute_panel(const struct job *job, unsigned number)
{
	int32_t bias[XBAR_PANEL];
	struct xbar_product product = product_of(job, number, 1, bias);
	struct panel panel;

	if (job->noisy) {
		add_noise(job, number, panel.variance, panel.add);
		product.add = panel.add;
	}
	if (is_whole(job, number)) {
		place(job, number, &product);
		job->multiply(&product);
		return;
	}
	product.outputs = panel.codes;
	product.output_stride = (size_t)XBAR_PANEL * job->code_bytes;
	product.clipped = panel.clipped;
	product.clipped_stride = XBAR_PANEL / 8;
	job->multiply(&product);
	scatter(job, number, &panel, job->code_bytes);
}

/* Panels number..end - 1. */
static void compute_panels(const struct job *job, unsigned number, unsigned end)
{
	int32_t bias[XBAR_LINES_MAX];

	while (number < end) {
		unsigned panels = 0;

		while (!job->noisy && number + panels < end && is_whole(job, number + panels))
			panels++;
		if (panels) {
			struct xbar_product product = product_of(job, number, panels, bias);

			place(job, number, &product);
			job->multiply(&product);
			number += panels;
		} else {
			compute_panel(job, number++);
		}
	}
}

/* ---- the batch --------------------------------------------------------------------------------------------------- */

static void compute_part(void *arg, unsigned part)
{
	const struct job *job = arg;

	compute_panels(job, job->panel + part, job->panel + part + 1);
}

/* Panels that share a byte of bits, when outputs do not begin with one, stay in order. */
static bool worth_threads(const struct job *job)
{
	size_t work = (size_t)(job->end - job->first) * job->outputs * job->vectors;

	return job->xbar->options.threads > 1 && work >= WORTH_THREADS && job->output % 8 == 0;
}

static void compute_chunk(struct job *job)
{
	struct xbar *xbar = job->xbar;

	if (worth_threads(job)) {
		if (!xbar->pool)
			xbar->pool = xbar_pool_new(xbar->options.threads);
		if (xbar->pool) {
			xbar_pool_run(xbar->pool, compute_part, job, job->panels);
			return;
		}
	}
	compute_panels(job, job->panel, job->panel + job->panels);
}

static xbar_product_fn choose_product(const struct xbar *xbar, bool codes)
{
	enum xbar_form of_codes = xbar->profile->weight_max <= 7 ? XBAR_NIBBLES : XBAR_CODES;

	return (xbar_output_bytes(xbar) == 2 ? xbar->kernel->s16 : xbar->kernel->s8)[codes ? of_codes : XBAR_WIDE];
}

static struct job job_of(struct xbar *xbar, const struct xbar_inference *inference)
{
	const struct xbar_region *region = &inference->region;
	bool forward = !inference->transposed;
	struct job job = {
		.xbar = xbar,
		.inference = inference,
		.direction = forward ? XBAR_FORWARD : XBAR_TRANSPOSED,
		.codes = xbar_plane_is_codes(xbar, region->tile) && !xbar->options.full_inputs,
		.input = forward ? region->row : region->col,
		.inputs = forward ? region->rows : region->cols,
		.output = forward ? region->col : region->row,
		.outputs = forward ? region->cols : region->rows,
		.outputs_at = inference->outputs,
		.code_bytes = xbar_output_bytes(xbar),
		.noisy = (xbar->options.effects & (XBAR_READ_NOISE | XBAR_OUTPUT_NOISE)) != 0,
	};

	job.multiply = choose_product(xbar, job.codes);
	job.panel = job.output / XBAR_PANEL;
	job.panels = (job.output + job.outputs - 1) / XBAR_PANEL - job.panel + 1;
	job.first = job.input / XBAR_INPUTS * XBAR_INPUTS;
	job.end = xbar_padded(job.input + job.inputs, XBAR_INPUTS);
	job.weights = xbar_plane_of(xbar, region->tile, job.direction, job.codes ? XBAR_OF_CODES : XBAR_OF_QUANTA);
	if (xbar->options.effects & XBAR_READ_NOISE)
		job.variances = xbar_plane_of(xbar, region->tile, job.direction, XBAR_OF_VARIANCES);
	return job;
}

bool xbar_infer(struct xbar *xbar, const struct xbar_inference *inference)
{
	struct job job = job_of(xbar, inference);

	memset(inference->clipped, 0, inference->batch * ((job.outputs + 7) / 8));
	for (job.chunk = 0; job.chunk < inference->batch; job.chunk += job.vectors) {
		size_t left = inference->batch - job.chunk;

		job.vectors = left < XBAR_CHUNK ? left : XBAR_CHUNK;
		if (!load_chunk(&job))
			return false;
		compute_chunk(&job);
	}
	xbar_trace(xbar, -(int32_t)XBAR_READ_UV);
	xbar_trace(xbar, (int32_t)XBAR_READ_UV);
	return true;
}
