/* SPDX-License-Identifier: MIT */
/* From real numbers to codes and back: every rounding of an array (docs/arrays.md). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "hal/array.h"

_Static_assert(FLT_EVAL_METHOD == 0, "floats are computed as floats");

/* 2^(k/8 - 1) for k = 0..8, the eight steps of an octave, each rounded to float. */
static const float steps[] = {0x1p-1f, 0x1.172b84p-1f, 0x1.306fep-1f, 0x1.4bfdaep-1f, 0x1.6a09e6p-1f, 0x1.8ace54p-1f,
	0x1.ae89fap-1f, 0x1.d5818ep-1f, 0x1p0f};

static inline int32_t round_even(float v)
{
	const float shifted = v + NM_ROUND_SHIFT;
	int32_t bits;

	memcpy(&bits, &shifted, sizeof(bits));
	return bits - NM_ROUND_BITS;
}

float nm_array_scale(float max, int32_t q_max)
{
	const double wanted = (double)max / q_max;
	int exponent;
	unsigned step = 0;

	if (max == 0)
		return 0;
	if (wanted <= FLT_MIN)
		return FLT_MIN;
	(void)frexp(wanted, &exponent);
	/* As floats, so that the number that the largest code stands for has this scale again. */
	while (ldexpf(steps[step], exponent) * (float)q_max < max)
		step++;
	return ldexpf(steps[step], exponent);
}

/* Largest magnitude as bits: the order of positive floats is that of their bits; not finite is 0x7f800000 and up. */
static int32_t largest_bits(const float *v, size_t count)
{
	int32_t largest = 0;

	for (size_t i = nm_avx2_largest(v, count, &largest); i < count; i++) {
		int32_t bits;

		memcpy(&bits, &v[i], sizeof(bits));
		bits &= INT32_MAX;
		largest = bits > largest ? bits : largest;
	}
	return largest;
}

float nm_array_largest(const float *v, size_t count)
{
	const int32_t bits = largest_bits(v, count);
	float largest;

	memcpy(&largest, &bits, sizeof(largest));
	return largest;
}

size_t nm_array_not_finite(const float *v, size_t count)
{
	size_t i = 0;

	if (isfinite(nm_array_largest(v, count)))
		return count;
	while (isfinite(v[i]))
		i++;
	return i;
}

void nm_array_quantise(const float *restrict w, size_t count, float scale, int32_t q_max, int32_t *restrict q)
{
	const float limit = (float)q_max;

	if (scale == 0) {
		memset(q, 0, count * sizeof(*q));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const float low = w[i] / scale < -limit ? -limit : w[i] / scale;

		q[i] = round_even(low > limit ? limit : low);
	}
}

/* Weight of the high slice: what the low one can count, from -code_max to code_max. */
static int32_t radix(const struct nmhal_array *array)
{
	return 2 * array->code_max + 1;
}

int16_t nm_array_slice(const struct nmhal_array *array, int32_t q, uint32_t slice)
{
	const int32_t shift = q >= 0 ? array->code_max : -array->code_max;
	int32_t high;

	if (array->slices == 1)
		return (int16_t)q;
	/* Toward the nearest multiple of the radix, so that what is left lies in -code_max..code_max. */
	high = (q + shift) / radix(array);
	return (int16_t)(slice == 0 ? high : q - high * radix(array));
}

int64_t nm_array_slice_weight(const struct nmhal_array *array, uint32_t slice)
{
	return array->slices == 1 || slice == 1 ? 1 : radix(array);
}

/* Codes of a vector from element `i` on, in elements of one type. No x is so large that its code would leave the range.
 */
#define ENCODE(type)                                                                                                   \
	static void encode_##type(type *restrict codes, const float *restrict x, size_t i, size_t count, float scale)  \
	{                                                                                                              \
		for (; i < count; i++)                                                                                 \
			codes[i] = (type)round_even(x[i] / scale);                                                     \
	}
ENCODE(int8_t)
ENCODE(int16_t)

float nm_array_encode(const struct nmhal_array *array, const float *x, float largest, size_t count, size_t index)
{
	float scale = largest / (float)array->input_max;

	scale = scale < FLT_MIN ? FLT_MIN : scale;
	if (array->in_type == NMHAL_CODE_I8) {
		int8_t *codes = (int8_t *)array->codes_in + index;

		encode_int8_t(codes, x, nm_avx2_encode(codes, x, count, scale), count, scale);
	} else {
		encode_int16_t((int16_t *)array->codes_in + index, x, 0, count, scale);
	}
	return scale;
}

/* y = ((float)code * factor) * scale, of codes of one type from element `i` on. */
#define DECODE(type)                                                                                                   \
	static void decode_##type(float *restrict y, const type *restrict codes, size_t i, size_t count,               \
		const float *restrict factor, float scale)                                                             \
	{                                                                                                              \
		for (; i < count; i++)                                                                                 \
			y[i] = (float)codes[i] * factor[i] * scale;                                                    \
	}
DECODE(int8_t)
DECODE(int16_t)
DECODE(int32_t)

void nm_array_decode(
	const struct nmhal_array *array, size_t index, size_t count, const float *factor, float scale, float *y)
{
	if (array->out_type == NMHAL_CODE_I8) {
		const int8_t *codes = (const int8_t *)array->codes_out + index;

		decode_int8_t(y, codes, nm_avx2_decode(y, codes, count, factor, scale), count, factor, scale);
	} else if (array->out_type == NMHAL_CODE_I16) {
		decode_int16_t(y, (const int16_t *)array->codes_out + index, 0, count, factor, scale);
	} else {
		decode_int32_t(y, (const int32_t *)array->codes_out + index, 0, count, factor, scale);
	}
}
