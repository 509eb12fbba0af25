/* SPDX-License-Identifier: MIT */
/*
 * The numbers of docs/emulator.md ("Arithmetic", "Random numbers"): binary32 + - * / sqrt in the order written here, and
 * Philox4x32-10 (Salmon et al. 2011). The AVX2 kernel computes the same with the same constants, eight at a time.
 */
#ifndef XBAR_MATH_H
#define XBAR_MATH_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "the crossbar model needs binary32 operations that round to binary32 (FLT_EVAL_METHOD 0)"
#endif

/* Adding and subtracting it rounds |v| < 2^22 to an integer, half to even. */
#define XBAR_ROUNDER 0x1.8p23f

#define XBAR_SQRT_HALF 0x1.6a09e6p-1f
#define XBAR_LN2       0x1.62e43p-1f

/* Coefficients, highest first: the first one, and TERM of each further one.
 * ln(1 + y) = y - y^2 / 2 + y^3 * polynomial(y); Cephes logf. */
#define XBAR_LOG_FIRST 0x1.204376p-4f
#define XBAR_LOG_REST(TERM)                                                                                            \
	TERM(-0x1.d7a37p-4f)                                                                                           \
	TERM(0x1.de4a34p-4f)                                                                                           \
	TERM(-0x1.fcba9ep-4f)                                                                                          \
	TERM(0x1.23d37ep-3f)                                                                                           \
	TERM(-0x1.555cap-3f)                                                                                           \
	TERM(0x1.999d58p-3f)                                                                                           \
	TERM(-0x1.fffff8p-3f)                                                                                          \
	TERM(0x1.555554p-2f)

/* sin(t) = t + t^3 * polynomial(t^2), cos(t) = 1 - t^2 / 2 + t^4 * polynomial(t^2), |t| <= pi / 4; Cephes sinf, cosf. */
#define XBAR_SIN_FIRST      -0x1.9943f2p-13f
#define XBAR_SIN_REST(TERM) TERM(0x1.11073cp-7f) TERM(-0x1.555546p-3f)
#define XBAR_COS_FIRST      0x1.99eb9cp-16f
#define XBAR_COS_REST(TERM) TERM(-0x1.6c0c34p-10f) TERM(0x1.55554ap-5f)
#define XBAR_ANGLE_STEP     0x1.921fb6p-32f /* pi / 4 / 2^31 */

#define XBAR_PHILOX_M0     0xD2511F53u
#define XBAR_PHILOX_M1     0xCD9E8D57u
#define XBAR_PHILOX_W0     0x9E3779B9u
#define XBAR_PHILOX_W1     0xBB67AE85u
#define XBAR_PHILOX_ROUNDS 10u

/* What a number is for: bits 31:28 of word 0 of the counter. */
enum xbar_purpose {
	XBAR_FOR_WRITE = 1,
	XBAR_FOR_READ,
	XBAR_FOR_SENSE,
	XBAR_FOR_OUTPUT,
	XBAR_FOR_STUCK,
	XBAR_FOR_ADC,
	XBAR_FOR_PULSE,
	XBAR_FOR_DEVICE,
};

/* Word 1 of the counter where it is no row: outputs that are columns, outputs that are rows (transposed). */
#define XBAR_LINE_COLUMNS 0xFFFFFFFFu
#define XBAR_LINE_ROWS    0xFFFFFFFEu

static inline uint32_t xbar_counter_word(enum xbar_purpose purpose, unsigned tile, unsigned index)
{
	return (uint32_t)purpose << 28 | (uint32_t)tile << 16 | (uint32_t)index;
}

/* |v| < 2^22. */
static inline int32_t xbar_round(float v)
{
	return (int32_t)((v + XBAR_ROUNDER) - XBAR_ROUNDER);
}

static inline float xbar_clamp(float v, float low, float high)
{
	return v < low ? low : v > high ? high : v;
}

static inline uint32_t xbar_float_bits(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline float xbar_float_of(uint32_t bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

#define XBAR_HORNER(c) p = p * y + (c);

/* x > 0, not subnormal. */
static inline float xbar_log(float x)
{
	uint32_t bits = xbar_float_bits(x);
	float e = (float)((int32_t)(bits >> 23) - 126);
	float m = xbar_float_of((bits & 0x007FFFFFu) | 0x3F000000u);
	float y = m - 1.0f, p = XBAR_LOG_FIRST, z;

	if (m < XBAR_SQRT_HALF) {
		e = e - 1.0f;
		y = y + m;
	}
	z = y * y;
	XBAR_LOG_REST(XBAR_HORNER)
	p = (p * y) * z;
	p = p - z * 0.5f;
	return (y + p) + e * XBAR_LN2;
}

/* |x| <= 80; Cephes expf. */
static inline float xbar_exp(float x)
{
	float k = (x * 0x1.715476p0f + XBAR_ROUNDER) - XBAR_ROUNDER; /* log2(e) */
	float y = (x - k * 0x1.63p-1f) - k * -0x1.bd0106p-13f;        /* ln 2 in two parts */
	float p = 0x1.a0d2cep-13f;

	XBAR_HORNER(0x1.6e879cp-10f)
	XBAR_HORNER(0x1.11121p-7f)
	XBAR_HORNER(0x1.555382p-5f)
	XBAR_HORNER(0x1.555554p-3f)
	XBAR_HORNER(0x1p-1f)
	p = (p * (y * y) + y) + 1.0f;
	return p * xbar_float_of((uint32_t)((int32_t)k + 127) << 23);
}

/* Square root of v >= 0, correctly rounded: the instruction of the machine (-fno-math-errno). */
static inline float xbar_sqrt(float v)
{
	return __builtin_sqrtf(v);
}

static inline void xbar_philox(uint64_t seed, uint32_t word[4])
{
	uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

	for (unsigned round = 0; round < XBAR_PHILOX_ROUNDS; round++) {
		uint64_t a = (uint64_t)word[0] * XBAR_PHILOX_M0, b = (uint64_t)word[2] * XBAR_PHILOX_M1;

		word[0] = (uint32_t)(b >> 32) ^ word[1] ^ k0;
		word[1] = (uint32_t)b;
		word[2] = (uint32_t)(a >> 32) ^ word[3] ^ k1;
		word[3] = (uint32_t)a;
		k0 += XBAR_PHILOX_W0;
		k1 += XBAR_PHILOX_W1;
	}
}

/* Two independent standard normal numbers of two words (Box-Muller). */
struct xbar_normals {
	float sin, cos;
};

static inline struct xbar_normals xbar_box_muller(uint32_t radius, uint32_t angle)
{
	float u = ((float)(int32_t)(radius >> 8) + 1.0f) * 0x1p-24f;
	float r = xbar_sqrt(-2.0f * xbar_log(u));
	float t = (float)(int32_t)(angle << 2) * XBAR_ANGLE_STEP, y = t * t, p = XBAR_SIN_FIRST, s, c;
	uint32_t quarter = angle >> 30 & 1u, negative = angle >> 31;

	XBAR_SIN_REST(XBAR_HORNER)
	s = (p * y) * t + t;
	p = XBAR_COS_FIRST;
	XBAR_COS_REST(XBAR_HORNER)
	c = ((p * y) * y - y * 0.5f) + 1.0f;
	return (struct xbar_normals){
		.sin = r * (negative ? -(quarter ? c : s) : (quarter ? c : s)),
		.cos = r * (negative ^ quarter ? -(quarter ? s : c) : (quarter ? s : c)),
	};
}

/* The pair of numbers that belongs to (seed, purpose, tile, index, line, use): of words 0 and 1. */
static inline struct xbar_normals xbar_normals_at(uint64_t seed, uint32_t counter_word, uint32_t line, uint64_t use)
{
	uint32_t word[4] = {counter_word, line, (uint32_t)use, (uint32_t)(use >> 32)};

	xbar_philox(seed, word);
	return xbar_box_muller(word[0], word[1]);
}

#endif
