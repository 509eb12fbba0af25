/* SPDX-License-Identifier: MIT */
/*
 * AVX2 kernel of products and inputs. A panel is two vectors of 8 sums; four input vectors are multiplied at a time, so
 * that a weight that was loaded is used four times; a lone vector with two panels, so that its inputs are used twice.
 * u8 x s8 goes through vpmaddubsw, which is exact while inputs are at most 127; with weights -7..7 sixteen of its
 * results fit int16 together, which saves the widening of fifteen.
 */
#include <string.h>

#include "sim/xbar_core.h"

#if defined(__x86_64__)

#include "sim/xbar_avx2.h"

#define NIBBLE_STEPS   16u /* 16 * 2 * 126 * 7 < 2^15 */
#define EXCHANGE_QUARTERS 0xD8 /* 0 2 1 3: puts right what a pack does to the 128-bit halves */

/* What is computed side by side: members are vectors with one panel, or panels with one vector. */
enum block { ONE, TWO_PANELS, FOUR_VECTORS };

#define MOST_MEMBERS 4u

struct sums {
	__m256i low[MOST_MEMBERS], high[MOST_MEMBERS]; /* of the members: outputs 0..7 and 8..15 */
};

AVX2_INLINE void store(void *to, __m256i v)
{
	_mm256_storeu_si256((__m256i *)to, v);
}

AVX2_INLINE __m256i product_of(__m256i inputs, __m256i weights, enum xbar_form form)
{
	return form == XBAR_WIDE ? _mm256_madd_epi16(inputs, weights) : _mm256_maddubs_epi16(inputs, weights);
}

AVX2_INLINE __m256i add_to(__m256i sum, __m256i product, enum xbar_form form)
{
	return form == XBAR_NIBBLES ? _mm256_add_epi16(sum, product) : _mm256_add_epi32(sum, product);
}

AVX2_INLINE void add_inputs(struct sums *sums, unsigned i, const uint8_t *inputs, __m256i low, __m256i high,
			    enum xbar_form form)
{
	int32_t four;
	__m256i spread;

	memcpy(&four, inputs, sizeof(four));
	spread = _mm256_set1_epi32(four);
	low = product_of(spread, low, form);
	high = product_of(spread, high, form);
	TOGETHER(low, high);
	if (form == XBAR_CODES) {
		low = _mm256_madd_epi16(low, _mm256_set1_epi16(1));
		high = _mm256_madd_epi16(high, _mm256_set1_epi16(1));
		TOGETHER(low, high);
	}
	sums->low[i] = add_to(sums->low[i], low, form);
	sums->high[i] = add_to(sums->high[i], high, form);
	TOGETHER(sums->low[i], sums->high[i]);
}

AVX2_INLINE void add_step(struct sums *sums, const struct xbar_product *product, const uint8_t *inputs,
			  const uint8_t *weights, enum block block, enum xbar_form form)
{
	const size_t stride = product->input_stride;
	__m256i low = load(weights), high = load(weights + 32);

	add_inputs(sums, 0, inputs, low, high, form);
	if (block == TWO_PANELS) {
		weights += product->weight_stride;
		add_inputs(sums, 1, inputs, load(weights), load(weights + 32), form);
	}
	if (block != FOUR_VECTORS)
		return;
	add_inputs(sums, 1, inputs + stride, low, high, form);
	add_inputs(sums, 2, inputs + 2 * stride, low, high, form);
	add_inputs(sums, 3, inputs + 3 * stride, low, high, form);
}

AVX2_INLINE void add_steps(struct sums *sums, const struct xbar_product *product, size_t first, size_t end,
			   enum block block, enum xbar_form form)
{
	const uint8_t *inputs = product->inputs, *weights = product->weights + first * XBAR_STEP_BYTES;

	for (size_t at = 4 * first; at < 4 * end; at += 8, weights += 2 * XBAR_STEP_BYTES) {
		add_step(sums, product, inputs + at, weights, block, form);
		add_step(sums, product, inputs + at + 4, weights + XBAR_STEP_BYTES, block, form);
	}
}

AVX2_INLINE void widen(struct sums *sums, unsigned i, const struct sums *part)
{
	const __m256i one = _mm256_set1_epi16(1);

	sums->low[i] = _mm256_add_epi32(sums->low[i], _mm256_madd_epi16(part->low[i], one));
	sums->high[i] = _mm256_add_epi32(sums->high[i], _mm256_madd_epi16(part->high[i], one));
}

AVX2_INLINE void add_nibbles(struct sums *sums, const struct xbar_product *product, enum block block)
{
	for (size_t first = 0; first < product->steps; first += NIBBLE_STEPS) {
		size_t left = product->steps - first;
		struct sums part;

		part.low[0] = part.low[1] = part.low[2] = part.low[3] = _mm256_setzero_si256();
		part.high[0] = part.high[1] = part.high[2] = part.high[3] = _mm256_setzero_si256();
		add_steps(&part, product, first, first + (left < NIBBLE_STEPS ? left : NIBBLE_STEPS), block,
			  XBAR_NIBBLES);
		widen(sums, 0, &part);
		if (block != ONE)
			widen(sums, 1, &part);
		if (block != FOUR_VECTORS)
			continue;
		widen(sums, 2, &part);
		widen(sums, 3, &part);
	}
}

/* ---- ADC --------------------------------------------------------------------------------------------------------- */

/* vcvtps2dq rounds half to even; what s16 cannot hold saturates on the way, which the clamp to the range hides. */
AVX2_INLINE __m256i rounded(__m256i sums, const float *scale, const float *add)
{
	__m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(scale));

	return _mm256_cvtps_epi32(_mm256_add_ps(scaled, _mm256_loadu_ps(add)));
}

/* Outputs of a member in s16 that one vpackssdw made, in groups of four 0 8 4 12. */
AVX2_INLINE __m256i converted(const struct xbar_product *product, size_t member, const float *scale, __m256i low,
			      __m256i high)
{
	const float *add = product->add + member * product->add_stride;

	return _mm256_packs_epi32(rounded(low, scale, add), rounded(high, scale + 8, add + 8));
}

AVX2_INLINE __m256i clamped(const struct xbar_product *product, __m256i outputs)
{
	return _mm256_min_epi16(_mm256_max_epi16(outputs, _mm256_set1_epi16(product->low)),
				_mm256_set1_epi16(product->high));
}

/* Two packs left groups of four outputs in the order a0 a8 b0 b8 a4 a12 b4 b12. */
AVX2_INLINE __m256i in_order(__m256i bytes)
{
	return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Outputs and clipped bits of members a and b of the block; of a alone when it has one. */
AVX2_INLINE void convert(const struct xbar_product *product, const struct sums *sums, unsigned a, unsigned b,
			 enum block block, unsigned bytes)
{
	const float *scale = product->scale, *scale_b = scale + (block == TWO_PANELS ? XBAR_PANEL : 0);
	uint8_t *out = product->outputs + a * product->output_stride;
	uint8_t *clipped = product->clipped + a * product->clipped_stride;
	__m256i any_a = converted(product, a, scale, sums->low[a], sums->high[a]), any_b = any_a;
	__m256i code_a = clamped(product, any_a), code_b = code_a, in_range, codes;
	uint32_t bits;

	if (block != ONE) {
		any_b = converted(product, b, scale_b, sums->low[b], sums->high[b]);
		code_b = clamped(product, any_b);
	}
	in_range = _mm256_packs_epi16(_mm256_cmpeq_epi16(any_a, code_a), _mm256_cmpeq_epi16(any_b, code_b));
	bits = ~(uint32_t)_mm256_movemask_epi8(in_order(in_range));
	if (bytes == 2) {
		store(out, _mm256_permute4x64_epi64(code_a, EXCHANGE_QUARTERS));
		if (block != ONE)
			store(out + product->output_stride, _mm256_permute4x64_epi64(code_b, EXCHANGE_QUARTERS));
	} else {
		codes = in_order(_mm256_packs_epi16(code_a, code_b));
		_mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(codes));
		if (block != ONE)
			_mm_storeu_si128((__m128i *)(void *)(out + product->output_stride),
					 _mm256_extracti128_si256(codes, 1));
	}
	memcpy(clipped, &bits, 2);
	bits >>= 16;
	if (block != ONE)
		memcpy(clipped + product->clipped_stride, &bits, 2);
}

AVX2_INLINE void keep(const struct xbar_product *product, const struct sums *sums, unsigned i)
{
	store(product->sums + (size_t)i * XBAR_PANEL, sums->low[i]);
	store(product->sums + (size_t)i * XBAR_PANEL + 8, sums->high[i]);
}

AVX2_INLINE void finish(const struct xbar_product *product, const struct sums *sums, enum block block, unsigned bytes)
{
	if (bytes) {
		convert(product, sums, 0, 1, block, bytes);
		if (block == FOUR_VECTORS)
			convert(product, sums, 2, 3, block, bytes);
		return;
	}
	keep(product, sums, 0);
	if (block != ONE)
		keep(product, sums, 1);
	if (block != FOUR_VECTORS)
		return;
	keep(product, sums, 2);
	keep(product, sums, 3);
}

/* The block at the beginning of the product. */
AVX2_INLINE void multiply_block(const struct xbar_product *product, enum block block, enum xbar_form form,
				unsigned bytes)
{
	struct sums sums;

	sums.low[0] = sums.low[1] = sums.low[2] = sums.low[3] = load(product->bias);
	sums.high[0] = sums.high[1] = sums.high[2] = sums.high[3] = load(product->bias + 8);
	if (block == TWO_PANELS) {
		sums.low[1] = load(product->bias + XBAR_PANEL);
		sums.high[1] = load(product->bias + XBAR_PANEL + 8);
	}
	if (form == XBAR_NIBBLES)
		add_nibbles(&sums, product, block);
	else
		add_steps(&sums, product, 0, product->steps, block, form);
	finish(product, &sums, block, bytes);
}

AVX2_INLINE void next_vectors(struct xbar_product *product, unsigned vectors, unsigned bytes)
{
	product->vectors -= vectors;
	product->inputs += vectors * product->input_stride;
	if (bytes) {
		product->add += vectors * product->add_stride;
		product->outputs += vectors * product->output_stride;
		product->clipped += vectors * product->clipped_stride;
	} else {
		product->sums += (size_t)vectors * XBAR_PANEL;
	}
}

AVX2_INLINE void multiply_panel(struct xbar_product product, enum xbar_form form, unsigned bytes)
{
	for (; product.vectors >= 4; next_vectors(&product, 4, bytes))
		multiply_block(&product, FOUR_VECTORS, form, bytes);
	for (; product.vectors; next_vectors(&product, 1, bytes))
		multiply_block(&product, ONE, form, bytes);
}

/* Two panels at a time while there are two; strides are then from panel to panel. Returns how many are left. */
AVX2_INLINE unsigned multiply_vector(struct xbar_product *product, enum xbar_form form, unsigned bytes)
{
	unsigned left = product->panels;

	product->add_stride = XBAR_PANEL;
	product->output_stride = (size_t)XBAR_PANEL * bytes;
	product->clipped_stride = XBAR_PANEL / 8;
	for (; left >= 2; left -= 2) {
		multiply_block(product, TWO_PANELS, form, bytes);
		xbar_next_panel(product, bytes);
		xbar_next_panel(product, bytes);
	}
	return left;
}

/* The product is copied, so that the compiler knows that stores of bytes do not change it. */
AVX2_INLINE void multiply(const struct xbar_product *product, enum xbar_form form, unsigned bytes)
{
	struct xbar_product own = *product;
	unsigned left = own.vectors == 1 ? multiply_vector(&own, form, bytes) : own.panels;

	for (; left; left--, xbar_next_panel(&own, bytes))
		multiply_panel(own, form, bytes);
}

AVX2 static void codes_s8(const struct xbar_product *product)
{
	multiply(product, XBAR_CODES, 1);
}

AVX2 static void codes_s16(const struct xbar_product *product)
{
	multiply(product, XBAR_CODES, 2);
}

AVX2 static void nibbles_s8(const struct xbar_product *product)
{
	multiply(product, XBAR_NIBBLES, 1);
}

AVX2 static void nibbles_s16(const struct xbar_product *product)
{
	multiply(product, XBAR_NIBBLES, 2);
}

AVX2 static void wide_s8(const struct xbar_product *product)
{
	multiply(product, XBAR_WIDE, 1);
}

AVX2 static void wide_s16(const struct xbar_product *product)
{
	multiply(product, XBAR_WIDE, 2);
}

AVX2 static void codes_sums(const struct xbar_product *product)
{
	multiply(product, XBAR_CODES, 0);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

AVX2 static bool load_codes(const int8_t *inputs, size_t count, uint8_t *codes)
{
	const __m256i offset = _mm256_set1_epi8(XBAR_OFFSET), highest = _mm256_set1_epi8(2 * XBAR_OFFSET);
	__m256i largest = highest;
	size_t i = 0;

	for (; i + 32 <= count; i += 32) {
		__m256i code = _mm256_add_epi8(load(inputs + i), offset);

		largest = _mm256_max_epu8(largest, code);
		store(codes + i, code);
	}
	return xbar_plain.load_codes(inputs + i, count - i, codes + i) &&
	       _mm256_movemask_epi8(_mm256_cmpeq_epi8(largest, highest)) == -1;
}

AVX2 static bool load_wide(const int8_t *inputs, size_t count, int max, int16_t *wide)
{
	const __m256i highest = _mm256_set1_epi16((int16_t)max);
	__m256i largest = highest;
	size_t i = 0;

	for (; i + 16 <= count; i += 16) {
		__m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(inputs + i)));

		largest = _mm256_max_epi16(largest, _mm256_abs_epi16(x));
		store(wide + i, x);
	}
	return xbar_plain.load_wide(inputs + i, count - i, max, wide + i) &&
	       _mm256_movemask_epi8(_mm256_cmpeq_epi16(largest, highest)) == -1;
}

AVX2 static void load_squares(const int8_t *inputs, size_t count, unsigned shift, uint8_t *squares)
{
	const __m256i half = _mm256_set1_epi16((int16_t)((1 << shift) / 2));
	const __m128i by = _mm_cvtsi32_si128((int32_t)shift);
	size_t i = 0;

	for (; i + 16 <= count; i += 16) {
		__m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(inputs + i)));
		__m256i square = _mm256_srl_epi16(_mm256_add_epi16(_mm256_mullo_epi16(x, x), half), by);

		_mm_storeu_si128((__m128i *)(void *)(squares + i),
				 _mm_packus_epi16(_mm256_castsi256_si128(square), _mm256_extracti128_si256(square, 1)));
	}
	xbar_plain.load_squares(inputs + i, count - i, shift, squares + i);
}

AVX2 static void load_magnitudes(const int8_t *inputs, size_t count, uint8_t *magnitudes)
{
	size_t i = 0;

	for (; i + 32 <= count; i += 32)
		store(magnitudes + i, _mm256_abs_epi8(load(inputs + i)));
	xbar_plain.load_magnitudes(inputs + i, count - i, magnitudes + i);
}

static const struct xbar_kernel kernel = {
	.name = "avx2",
	.s8 = {codes_s8, nibbles_s8, wide_s8},
	.s16 = {codes_s16, nibbles_s16, wide_s16},
	.sums = codes_sums,
	.noise = xbar_avx2_noise,
	.load_codes = load_codes,
	.load_wide = load_wide,
	.load_squares = load_squares,
	.load_magnitudes = load_magnitudes,
};

const struct xbar_kernel *xbar_avx2(void)
{
	return __builtin_cpu_supports("avx2") ? &kernel : NULL;
}

#else

const struct xbar_kernel *xbar_avx2(void)
{
	return NULL;
}

#endif
