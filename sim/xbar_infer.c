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
	unsigned first, end;      /* the inputs in whole steps of 4 */
	const struct xbar_plane *weights, *variances; /* variances: NULL without XBAR_READ_NOISE */
	bool noisy;
	size_t chunk, vectors;    /* first vector of the chunk in the batch, and how many */
};

/* What a panel needs beside its weights, on the stack of the thread that computes it. */
struct panel {
	int32_t bias[XBAR_PANEL];
	float scale[XBAR_PANEL];
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

/* Output codes that one input * quantum makes: a power of two. */
static float output_per_quantum(const struct xbar *xbar)
{
	unsigned shift = xbar->profile->lsb_shift + (xbar->options.full_inputs ? 1 : 0);

	return 1.0f / ((float)xbar->profile->quanta * (float)((uint64_t)1 << shift));
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static size_t input_stride(const struct job *job)
{
	return (size_t)(job->end - job->first) * (job->codes ? 1 : 2);
}

/* False when an input is out of range. */
static bool load_vector(const struct job *job, size_t vector)
{
	const struct xbar_kernel *kernel = job->xbar->kernel;
	const int8_t *inputs = job->inference->inputs + (job->chunk + vector) * job->inputs;
	uint8_t *to = job->xbar->inputs + vector * input_stride(job);
	unsigned before = job->input - job->first, after = job->end - job->input - job->inputs;
	size_t bytes = job->codes ? 1 : 2;

	memset(to, job->codes ? XBAR_OFFSET : 0, before * bytes);
	memset(to + (before + job->inputs) * bytes, job->codes ? XBAR_OFFSET : 0, after * bytes);
	if (job->codes)
		return kernel->load_codes(inputs, job->inputs, to + before);
	return kernel->load_wide(inputs, job->inputs, xbar_input_max(job->xbar),
				 (int16_t *)(void *)(to + before * bytes));
}

static void load_squares(const struct job *job, size_t vector)
{
	const struct xbar_kernel *kernel = job->xbar->kernel;
	const int8_t *inputs = job->inference->inputs + (job->chunk + vector) * job->inputs;
	uint8_t *to = job->xbar->squares + vector * (job->end - job->first);
	unsigned before = job->input - job->first, after = job->end - job->input - job->inputs;

	memset(to, 0, before);
	memset(to + before + job->inputs, 0, after);
	if (job->inference->bit_serial)
		kernel->load_magnitudes(inputs, job->inputs, to + before);
	else
		kernel->load_squares(inputs, job->inputs, square_shift(job), to + before);
}

static bool load_chunk(const struct job *job)
{
	bool good = true;

	for (size_t vector = 0; vector < job->vectors; vector++) {
		good = load_vector(job, vector) && good;
		if (job->variances)
			load_squares(job, vector);
	}
	return good;
}

/* ---- a panel ----------------------------------------------------------------------------------------------------- */

/* The panel's weights from the job's first input on, in steps of `depth` inputs; no vectors yet. */
static struct xbar_product product_of(const struct job *job, const struct xbar_plane *plane, unsigned number, bool wide)
{
	size_t plane_inputs = xbar_plane_inputs(job->xbar, job->direction), bytes = wide ? 2 : 1;

	return (struct xbar_product){
		.weights = plane->data + (number * plane_inputs + job->first) * XBAR_PANEL * bytes,
		.steps = (job->end - job->first) / (wide ? 2u : 4u),
	};
}

/* What XBAR_OFFSET added to the sums is taken back: kept for all inputs, else computed. */
static void take_bias(const struct job *job, const struct xbar_product *product, unsigned number, int32_t *bias)
{
	static const int32_t zero[XBAR_PANEL];
	struct xbar_product sum = *product;

	if (!job->codes) {
		memset(bias, 0, sizeof(zero));
		return;
	}
	if (job->first == 0 && job->end == xbar_plane_inputs(job->xbar, job->direction)) {
		memcpy(bias, job->weights->bias + (size_t)number * XBAR_PANEL, sizeof(zero));
		return;
	}
	sum.inputs = job->xbar->offsets;
	sum.vectors = 1;
	sum.bias = zero;
	sum.sums = bias;
	job->xbar->kernel->sums(&sum);
	for (unsigned n = 0; n < XBAR_PANEL; n++)
		bias[n] = -bias[n];
}

static void add_noise(const struct job *job, unsigned number, struct panel *panel)
{
	static const int32_t zero[XBAR_PANEL];
	const struct xbar *xbar = job->xbar;
	unsigned tile = job->inference->region.tile;
	float scale = output_per_quantum(xbar), sigma = (float)xbar->options.output_noise_mlsb / 1000.0f;
	struct xbar_noise noise = {
		.seed = xbar->options.seed,
		.counter_word = xbar_counter_word(XBAR_FOR_OUTPUT, tile, 4 * number),
		.line = job->direction == XBAR_FORWARD ? XBAR_LINE_COLUMNS : XBAR_LINE_ROWS,
		.first_vector = job->inference->first_vector + job->chunk,
		.vectors = job->vectors,
		.offset = xbar->tiles[tile].offset[job->direction] + (size_t)number * XBAR_PANEL,
		.floor = xbar->options.effects & XBAR_OUTPUT_NOISE ? sigma * sigma : 0.0f,
		.add = panel->add,
	};

	if (job->variances) {
		struct xbar_product sum = product_of(job, job->variances, number, false);
		int exponent = xbar->tiles[tile].variance_exponent + (int)square_shift(job);

		sum.inputs = xbar->squares;
		sum.input_stride = job->end - job->first;
		sum.vectors = job->vectors;
		sum.bias = zero;
		sum.sums = panel->variance;
		xbar->kernel->sums(&sum);
		noise.variance = panel->variance;
		noise.unit = ((float)((uint64_t)1 << exponent) * scale) * scale;
	}
	xbar->kernel->noise(&noise);
}

/* Outputs of a panel that is not whole, or does not begin with a byte of bits: into their places one by one. */
static void scatter(const struct job *job, unsigned number, const struct panel *panel, size_t bytes)
{
	uint8_t *outputs = (uint8_t *)job->inference->outputs + job->chunk * job->outputs * bytes;
	size_t bits = (job->outputs + 7) / 8;
	uint8_t *clipped = job->inference->clipped + job->chunk * bits;

	for (size_t vector = 0; vector < job->vectors; vector++, outputs += job->outputs * bytes, clipped += bits) {
		for (unsigned n = 0; n < XBAR_PANEL; n++) {
			unsigned output = number * XBAR_PANEL + n - job->output, bit;

			if (output >= job->outputs)
				continue;
			memcpy(outputs + output * bytes, panel->codes + (vector * XBAR_PANEL + n) * bytes, bytes);
			bit = panel->clipped[2 * vector + n / 8] >> n % 8 & 1u;
			clipped[output / 8] = (uint8_t)(clipped[output / 8] | bit << output % 8);
		}
	}
}

static void compute_panel(const struct job *job, unsigned number)
{
	const struct xbar *xbar = job->xbar;
	const struct xbar_tile *tile = &xbar->tiles[job->inference->region.tile];
	unsigned bytes = xbar_output_bytes(xbar), output = number * XBAR_PANEL - job->output;
	size_t bits = (job->outputs + 7) / 8;
	bool whole = number * XBAR_PANEL >= job->output && output + XBAR_PANEL <= job->outputs && output % 8 == 0;
	enum xbar_form codes = xbar->profile->weight_max <= 7 ? XBAR_NIBBLES : XBAR_CODES;
	enum xbar_form form = job->codes ? codes : XBAR_WIDE;
	struct xbar_product product = product_of(job, job->weights, number, !job->codes);
	float scale = output_per_quantum(xbar) * (job->codes ? (float)xbar->profile->quanta : 1.0f);
	struct panel panel;

	take_bias(job, &product, number, panel.bias);
	for (unsigned n = 0; n < XBAR_PANEL; n++)
		panel.scale[n] = tile->gain[job->direction][number * XBAR_PANEL + n] * scale;
	if (job->noisy)
		add_noise(job, number, &panel);
	product.inputs = xbar->inputs;
	product.input_stride = input_stride(job);
	product.vectors = job->vectors;
	product.bias = panel.bias;
	product.scale = panel.scale;
	product.add = job->noisy ? panel.add : tile->offset[job->direction] + (size_t)number * XBAR_PANEL;
	product.add_stride = job->noisy ? XBAR_PANEL : 0;
	product.low = (int16_t)xbar->low;
	product.high = (int16_t)xbar->high;
	product.outputs = whole ? (uint8_t *)job->inference->outputs + (job->chunk * job->outputs + output) * bytes
				: panel.codes;
	product.output_stride = (whole ? job->outputs : XBAR_PANEL) * bytes;
	product.clipped = whole ? job->inference->clipped + job->chunk * bits + output / 8 : panel.clipped;
	product.clipped_stride = whole ? bits : 2;
	(bytes == 2 ? xbar->kernel->s16 : xbar->kernel->s8)[form](&product);
	if (!whole)
		scatter(job, number, &panel, bytes);
}

/* ---- the batch --------------------------------------------------------------------------------------------------- */

static void compute_part(void *arg, unsigned part)
{
	const struct job *job = arg;

	compute_panel(job, job->output / XBAR_PANEL + part);
}

/* Panels that share a byte of bits, when outputs do not begin with one, stay in order. */
static bool worth_threads(const struct job *job)
{
	size_t work = (size_t)(job->end - job->first) * job->outputs * job->vectors;

	return job->xbar->options.threads > 1 && work >= WORTH_THREADS && job->output % 8 == 0;
}

static void compute_chunk(struct job *job)
{
	unsigned panels = (job->output + job->outputs - 1) / XBAR_PANEL - job->output / XBAR_PANEL + 1;
	struct xbar *xbar = job->xbar;

	if (worth_threads(job)) {
		if (!xbar->pool)
			xbar->pool = xbar_pool_new(xbar->options.threads);
		if (xbar->pool) {
			xbar_pool_run(xbar->pool, compute_part, job, panels);
			return;
		}
	}
	for (unsigned part = 0; part < panels; part++)
		compute_part(job, part);
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
		.noisy = (xbar->options.effects & (XBAR_READ_NOISE | XBAR_OUTPUT_NOISE)) != 0,
	};

	job.first = job.input / 4 * 4;
	job.end = xbar_padded(job.input + job.inputs, 4);
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
