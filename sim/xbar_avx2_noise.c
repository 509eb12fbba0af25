/* SPDX-License-Identifier: MIT */
/*
 * AVX2 kernel of the noise: Philox and Box-Muller of docs/emulator.md. Both are long chains of operations of which each
 * waits for the one before, so several are computed side by side: eight vectors of outputs at a time.
 */
#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

#if defined(__x86_64__)

#include "sim/xbar_avx2.h"

#define PAIRS       4u /* of vectors at a time */
#define ROUNDS_LEFT (XBAR_PHILOX_ROUNDS - 2)

/* ---- counters ---------------------------------------------------------------------------------------------------- */

/* Four counters, a word each in the low halves of 64-bit lanes; what the high halves hold does not matter. */
struct counters {
	__m256i word[4];
};

/* Keys of the last rounds. */
struct keys {
	__m256i word[2][ROUNDS_LEFT];
};

AVX2_INLINE __m256i spread(uint32_t word)
{
	return _mm256_set1_epi64x(word);
}

AVX2_INLINE __m256i key(uint64_t seed, unsigned word, uint32_t round)
{
	return spread(word ? (uint32_t)(seed >> 32) + round * XBAR_PHILOX_W1 : (uint32_t)seed + round * XBAR_PHILOX_W0);
}

AVX2_INLINE __m256i times(__m256i words, uint32_t factor)
{
	return _mm256_mul_epu32(words, spread(factor));
}

AVX2_INLINE __m256i high_word(__m256i product)
{
	return _mm256_srli_epi64(product, 32);
}

AVX2_INLINE __m256i xor3(__m256i a, __m256i b, __m256i c)
{
	return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

/* A round. The keys come in first: they need not wait for the products. */
AVX2_INLINE void mix(struct counters *counters, const struct keys *keys, unsigned round)
{
	__m256i *word = counters->word, a = times(word[0], XBAR_PHILOX_M0), b = times(word[2], XBAR_PHILOX_M1);
	__m256i one = _mm256_xor_si256(word[1], keys->word[0][round]);
	__m256i three = _mm256_xor_si256(word[3], keys->word[1][round]);

	TOGETHER(one, three);
	word[0] = _mm256_xor_si256(high_word(b), one);
	word[1] = b;
	word[2] = _mm256_xor_si256(high_word(a), three);
	word[3] = a;
}

/*
 * After two rounds a counter's words are xors of what depends on the lane and what depends on the vector, so the first
 * is computed once for all vectors. With a and b the products of words 0 and 2, numbered by rounds:
 *   word 0 = high(b1) ^ low(b0) ^ key, word 1 = low(b1), word 2 = high(a1) ^ low(a0) ^ key, word 3 = low(a1);
 * a0 and b1 are of the lane, and of the upper half of the use number; b0 and a1 of the lower half.
 */
AVX2_INLINE struct counters of_lanes(const struct xbar_noise *noise, uint32_t high_use, __m256i lanes)
{
	__m256i a0 = times(_mm256_add_epi64(spread(noise->counter_word), lanes), XBAR_PHILOX_M0);
	__m256i b1 = times(xor3(high_word(a0), spread(high_use), key(noise->seed, 1, 0)), XBAR_PHILOX_M1);

	return (struct counters){{_mm256_xor_si256(high_word(b1), key(noise->seed, 0, 1)), b1,
		_mm256_xor_si256(a0, key(noise->seed, 1, 1)), _mm256_setzero_si256()}};
}

AVX2_INLINE struct counters of_vectors(const struct xbar_noise *noise, __m256i uses)
{
	__m256i b0 = times(uses, XBAR_PHILOX_M1);
	__m256i a1 = times(xor3(high_word(b0), spread(noise->line), key(noise->seed, 0, 0)), XBAR_PHILOX_M0);

	return (struct counters){{b0, _mm256_setzero_si256(), high_word(a1), a1}};
}

AVX2_INLINE struct counters joined(const struct counters *lanes, const struct counters *vectors)
{
	return (struct counters){{_mm256_xor_si256(lanes->word[0], vectors->word[0]), lanes->word[1],
		_mm256_xor_si256(lanes->word[2], vectors->word[2]), vectors->word[3]}};
}

/* One word of eight counters: the four lanes of one vector, those of the next. */
AVX2_INLINE __m256i words_of(const struct counters *even, const struct counters *odd, unsigned word)
{
	return _mm256_blend_epi32(even->word[word], _mm256_slli_epi64(odd->word[word], 32), 0xAA);
}

/* ---- Box-Muller -------------------------------------------------------------------------------------------------- */

#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* Bits of XBAR_SQRT_HALF. */
#define LEAST_MANTISSA 0x3F3504F3

/*
 * Mantissa less 1, and exponent, of u = (word / 2^8 + 1) / 2^24. The bits of a number less those of sqrt(1/2) have on
 * top the exponent that leaves a mantissa of sqrt(1/2) to sqrt(2), which docs/emulator.md finds by a comparison.
 */
AVX2_INLINE void take_apart(__m256i word, __m256 *mantissa, __m256 *exponent)
{
	const __m256 one = _mm256_set1_ps(1.0f);
	__m256 x = _mm256_add_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(word, 8)), one);
	__m256i bits = _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(LEAST_MANTISSA + (24 << 23)));
	__m256i low = _mm256_and_si256(bits, _mm256_set1_epi32(0x007FFFFF));

	*exponent = _mm256_cvtepi32_ps(_mm256_srai_epi32(bits, 23));
	*mantissa = _mm256_castsi256_ps(_mm256_add_epi32(low, _mm256_set1_epi32(LEAST_MANTISSA)));
	*mantissa = _mm256_sub_ps(*mantissa, one);
}

/* sqrt(-2 * ln(u)), with p the polynomial of the logarithm. */
AVX2_INLINE __m256 radius_of(__m256 y, __m256 e, __m256 p)
{
	__m256 z = _mm256_mul_ps(y, y);

	p = _mm256_mul_ps(_mm256_mul_ps(p, y), z);
	p = _mm256_sub_ps(p, _mm256_mul_ps(z, _mm256_set1_ps(0.5f)));
	p = _mm256_add_ps(_mm256_add_ps(y, p), _mm256_mul_ps(e, _mm256_set1_ps(XBAR_LN2)));
	return _mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(-2.0f), p));
}

AVX2_INLINE void radii_of(const __m256i word[2 * PAIRS], __m256 radius[2 * PAIRS])
{
	__m256 y[2 * PAIRS], e[2 * PAIRS], p[2 * PAIRS];

#define BEGIN(i)                                                                                                       \
	take_apart(word[i], &y[i], &e[i]);                                                                             \
	p[i] = _mm256_set1_ps(XBAR_LOG_FIRST);
#define TERM(i)        p[i] = _mm256_add_ps(_mm256_mul_ps(p[i], y[i]), term);
#define EIGHT_TERMS(c) {const __m256 term = _mm256_set1_ps(c); EIGHT(TERM)}
#define END(i)         radius[i] = radius_of(y[i], e[i], p[i]);
	EIGHT(BEGIN)
	XBAR_LOG_REST(EIGHT_TERMS)
	EIGHT(END)
}

#define HORNER(c) p = _mm256_add_ps(_mm256_mul_ps(p, y), _mm256_set1_ps(c));

/* radius * sin and radius * cos. */
AVX2_INLINE void turn(__m256 radius, __m256i angle, __m256 *sine, __m256 *cosine)
{
	const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
	__m256 t = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_slli_epi32(angle, 2)), _mm256_set1_ps(XBAR_ANGLE_STEP));
	__m256 y = _mm256_mul_ps(t, t), p = _mm256_set1_ps(XBAR_SIN_FIRST), s, c;
	__m256 half = _mm256_castsi256_ps(angle);
	__m256 quarter = _mm256_castsi256_ps(_mm256_slli_epi32(angle, 1)); /* its sign bit is bit 30 of the word */

	XBAR_SIN_REST(HORNER)
	s = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(p, y), t), t);
	p = _mm256_set1_ps(XBAR_COS_FIRST);
	XBAR_COS_REST(HORNER)
	c = _mm256_sub_ps(_mm256_mul_ps(_mm256_mul_ps(p, y), y), _mm256_mul_ps(y, _mm256_set1_ps(0.5f)));
	c = _mm256_add_ps(c, one);
	*sine = _mm256_xor_ps(_mm256_blendv_ps(s, c, quarter), _mm256_and_ps(half, sign));
	*cosine = _mm256_xor_ps(_mm256_blendv_ps(c, s, quarter), _mm256_and_ps(_mm256_xor_ps(half, quarter), sign));
	*sine = _mm256_mul_ps(radius, *sine);
	*cosine = _mm256_mul_ps(radius, *cosine);
}

/* ---- noise ------------------------------------------------------------------------------------------------------- */

/* Outputs first..first + 7 of a vector: sigma * normal + offset. */
AVX2_INLINE void add_noise(const struct xbar_noise *noise, size_t vector, unsigned first, __m256 normal, __m256 sigma)
{
	size_t at = vector * XBAR_PANEL + first;

	if (noise->variance) {
		__m256 variance = _mm256_cvtepi32_ps(load(noise->variance + at));

		sigma = _mm256_sqrt_ps(_mm256_add_ps(_mm256_mul_ps(variance, _mm256_set1_ps(noise->unit)),
						     _mm256_set1_ps(noise->floor)));
	}
	_mm256_storeu_ps(noise->add + at,
			 _mm256_add_ps(_mm256_mul_ps(sigma, normal), _mm256_loadu_ps(noise->offset + first)));
}

/* Two vectors, of words 0 and 1, and of words 2 and 3; the second one only if it is before `end`. */
AVX2_INLINE void add_pair(const struct xbar_noise *noise, size_t vector, size_t end, const __m256 radius[2],
			  const __m256i angle[2], __m256 sigma)
{
	__m256 a, b, c, d;

	turn(radius[0], angle[0], &a, &b);
	turn(radius[1], angle[1], &c, &d);
	add_noise(noise, vector, 0, _mm256_permute2f128_ps(a, b, 0x20), sigma);
	add_noise(noise, vector, 8, _mm256_permute2f128_ps(c, d, 0x20), sigma);
	if (vector + 1 == end)
		return;
	add_noise(noise, vector + 1, 0, _mm256_permute2f128_ps(a, b, 0x31), sigma);
	add_noise(noise, vector + 1, 8, _mm256_permute2f128_ps(c, d, 0x31), sigma);
}

/* Vectors from `vector` to before `end`, whose use numbers have the same upper half. */
AVX2_INLINE void add_run(const struct xbar_noise *noise, size_t vector, size_t end)
{
	const __m256 sigma = _mm256_sqrt_ps(_mm256_set1_ps(noise->floor));
	const uint64_t use = noise->first_vector + vector;
	const struct counters even_lanes = of_lanes(noise, (uint32_t)(use >> 32), _mm256_setr_epi64x(0, 2, 0, 2));
	const struct counters odd_lanes = of_lanes(noise, (uint32_t)(use >> 32), _mm256_setr_epi64x(1, 3, 1, 3));
	__m256i uses = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)use), _mm256_setr_epi64x(0, 0, 1, 1));
	__m256i radius_word[2 * PAIRS] = {0}, angle[2 * PAIRS];
	__m256 radius[2 * PAIRS];
	struct keys keys;

	for (unsigned round = 0; round < ROUNDS_LEFT; round++) {
		keys.word[0][round] = key(noise->seed, 0, round + 2);
		keys.word[1][round] = key(noise->seed, 1, round + 2);
	}
	for (; vector < end; vector += 2 * PAIRS) {
		unsigned pairs = end - vector < 2 * PAIRS ? (unsigned)(end - vector + 1) / 2 : PAIRS;

		for (unsigned pair = 0; pair < pairs; pair++) {
			struct counters vectors = of_vectors(noise, uses);
			struct counters even = joined(&even_lanes, &vectors), odd = joined(&odd_lanes, &vectors);

			for (unsigned round = 0; round < ROUNDS_LEFT; round++) {
				mix(&even, &keys, round);
				mix(&odd, &keys, round);
			}
			radius_word[2 * pair] = words_of(&even, &odd, 0);
			angle[2 * pair] = words_of(&even, &odd, 1);
			radius_word[2 * pair + 1] = words_of(&even, &odd, 2);
			angle[2 * pair + 1] = words_of(&even, &odd, 3);
			uses = _mm256_add_epi64(uses, _mm256_set1_epi64x(2));
		}
		radii_of(radius_word, radius);
		for (unsigned pair = 0; pair < pairs; pair++)
			add_pair(noise, vector + 2 * pair, end, &radius[2 * pair], &angle[2 * pair], sigma);
	}
}

/* The noise is copied, so that the compiler knows that stores of numbers do not change it. */
AVX2 void xbar_avx2_noise(const struct xbar_noise *noise)
{
	const struct xbar_noise own = *noise;

	for (size_t vector = 0, end; vector < own.vectors; vector = end) {
		uint64_t run = (UINT64_C(1) << 32) - (uint32_t)(own.first_vector + vector);

		end = own.vectors - vector < run ? own.vectors : vector + (size_t)run;
		add_run(&own, vector, end);
	}
}

#endif
