/* SPDX-License-Identifier: MIT */
/* Plain C kernel: what every other one must equal bit for bit. */
#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

/* Sums of one vector with a panel; weights in steps of 4 inputs of s8, or 2 inputs of s16. */
static void sum_codes(const struct xbar_product *product, const uint8_t *inputs, int32_t *sums)
{
	const int8_t *weights = (const int8_t *)product->weights;

	for (size_t step = 0; step < product->steps; step++, weights += XBAR_STEP_BYTES, inputs += 4)
		for (unsigned n = 0; n < XBAR_PANEL; n++)
			for (unsigned k = 0; k < 4; k++)
				sums[n] += inputs[k] * weights[4 * n + k];
}

static void sum_wide(const struct xbar_product *product, const uint8_t *inputs, int32_t *sums)
{
	const int16_t *weights = (const int16_t *)(const void *)product->weights;
	const int16_t *wide = (const int16_t *)(const void *)inputs;

	for (size_t step = 0; step < product->steps; step++, weights += 2 * XBAR_PANEL, wide += 2)
		for (unsigned n = 0; n < XBAR_PANEL; n++)
			sums[n] += wide[0] * weights[2 * n] + wide[1] * weights[2 * n + 1];
}

static void convert(const struct xbar_product *product, size_t vector, const int32_t *sums, unsigned bytes)
{
	const float *add = product->add + vector * product->add_stride;
	uint8_t *out = product->outputs + vector * product->output_stride;
	unsigned clipped = 0;

	for (unsigned n = 0; n < XBAR_PANEL; n++) {
		float v = (float)sums[n] * product->scale[n] + add[n];
		int code = xbar_round(xbar_clamp(v, (float)(product->low - 1), (float)(product->high + 1)));

		if (code < product->low || code > product->high) {
			clipped |= 1u << n;
			code = code < product->low ? product->low : product->high;
		}
		out[bytes * n] = (uint8_t)code;
		if (bytes == 2)
			out[2 * n + 1] = (uint8_t)((unsigned)code >> 8);
	}
	product->clipped[vector * product->clipped_stride] = (uint8_t)clipped;
	product->clipped[vector * product->clipped_stride + 1] = (uint8_t)(clipped >> 8);
}

static void multiply_panel(const struct xbar_product *product, bool wide, unsigned bytes)
{
	for (size_t vector = 0; vector < product->vectors; vector++) {
		const uint8_t *inputs = product->inputs + vector * product->input_stride;
		int32_t sums[XBAR_PANEL];

		for (unsigned n = 0; n < XBAR_PANEL; n++)
			sums[n] = product->bias[n];
		if (wide)
			sum_wide(product, inputs, sums);
		else
			sum_codes(product, inputs, sums);
		for (unsigned n = 0; !bytes && n < XBAR_PANEL; n++)
			product->sums[vector * XBAR_PANEL + n] = sums[n];
		if (bytes)
			convert(product, vector, sums, bytes);
	}
}

static void multiply(const struct xbar_product *product, bool wide, unsigned bytes)
{
	struct xbar_product own = *product;

	for (unsigned panel = 0; panel < product->panels; panel++, xbar_next_panel(&own, bytes))
		multiply_panel(&own, wide, bytes);
}

static void codes_s8(const struct xbar_product *product)
{
	multiply(product, false, 1);
}

static void codes_s16(const struct xbar_product *product)
{
	multiply(product, false, 2);
}

static void wide_s8(const struct xbar_product *product)
{
	multiply(product, true, 1);
}

static void wide_s16(const struct xbar_product *product)
{
	multiply(product, true, 2);
}

static void codes_sums(const struct xbar_product *product)
{
	multiply(product, false, 0);
}

/* Lane i of 4 gives outputs i, 4 + i, 8 + i, 12 + i of the panel: its four words, two Box-Muller pairs. */
static void noise(const struct xbar_noise *noise)
{
	for (size_t vector = 0; vector < noise->vectors; vector++) {
		const int32_t *variance = noise->variance ? noise->variance + vector * XBAR_PANEL : NULL;
		uint64_t use = noise->first_vector + vector;
		float normal[XBAR_PANEL];

		for (uint32_t lane = 0; lane < 4; lane++) {
			uint32_t low_use = (uint32_t)use, high_use = (uint32_t)(use >> 32);
			uint32_t word[4] = {noise->counter_word + lane, noise->line, low_use, high_use};
			struct xbar_normals low, high;

			xbar_philox(noise->seed, word);
			low = xbar_box_muller(word[0], word[1]);
			high = xbar_box_muller(word[2], word[3]);
			normal[lane] = low.sin;
			normal[4 + lane] = low.cos;
			normal[8 + lane] = high.sin;
			normal[12 + lane] = high.cos;
		}
		for (unsigned n = 0; n < XBAR_PANEL; n++) {
			float sigma = xbar_sqrt((variance ? (float)variance[n] : 0.0f) * noise->unit + noise->floor);

			noise->add[vector * XBAR_PANEL + n] = sigma * normal[n] + noise->offset[n];
		}
	}
}

static bool load_codes(const int8_t *inputs, size_t count, uint8_t *codes)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		codes[i] = (uint8_t)(inputs[i] + XBAR_OFFSET);
		good = good && codes[i] <= 2 * XBAR_OFFSET;
	}
	return good;
}

static bool load_wide(const int8_t *inputs, size_t count, int max, int16_t *wide)
{
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		wide[i] = inputs[i];
		good = good && inputs[i] >= -max && inputs[i] <= max;
	}
	return good;
}

static void load_squares(const int8_t *inputs, size_t count, unsigned shift, uint8_t *squares)
{
	for (size_t i = 0; i < count; i++)
		squares[i] = (uint8_t)((inputs[i] * inputs[i] + (1 << shift) / 2) >> shift);
}

static void load_magnitudes(const int8_t *inputs, size_t count, uint8_t *magnitudes)
{
	for (size_t i = 0; i < count; i++)
		magnitudes[i] = (uint8_t)(inputs[i] < 0 ? -inputs[i] : inputs[i]);
}

const struct xbar_kernel xbar_plain = {
	.name = "plain",
	.s8 = {codes_s8, codes_s8, wide_s8},
	.s16 = {codes_s16, codes_s16, wide_s16},
	.sums = codes_sums,
	.noise = noise,
	.load_codes = load_codes,
	.load_wide = load_wide,
	.load_squares = load_squares,
	.load_magnitudes = load_magnitudes,
};
