/* SPDX-License-Identifier: MIT */
/*
 * The loops of array_codes.c over floats and codes of 8 bits, 32 elements at a time: one IEEE operation for each of
 * theirs, in their order, so the same bits.
 */
#include "hal/array.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2	    __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2")))

/* Elements that are done here; the others are the plain loop's. */
static inline size_t whole(size_t count)
{
	return __builtin_cpu_supports("avx2") ? count / 32 * 32 : 0;
}

AVX2 size_t nm_avx2_largest(const float *v, size_t count, int32_t *largest)
{
	const size_t done = whole(count);
	const __m256i magnitude = _mm256_set1_epi32(INT32_MAX);
	__m256i most[2] = {_mm256_set1_epi32(*largest), _mm256_set1_epi32(*largest)};
	__m128i four;

	for (size_t i = 0; i < done; i += 16) {
		for (size_t half = 0; half < 2; half++) {
			const __m256i bits = _mm256_loadu_si256((const __m256i *)(v + i + 8 * half));

			most[half] = _mm256_max_epi32(most[half], _mm256_and_si256(bits, magnitude));
		}
	}
	most[0] = _mm256_max_epi32(most[0], most[1]);
	four = _mm_max_epi32(_mm256_castsi256_si128(most[0]), _mm256_extracti128_si256(most[0], 1));
	four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
	four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(2, 3, 0, 1)));
	*largest = _mm_cvtsi128_si32(four);
	return done;
}

/* round_even() of eight quotients. */
AVX2_INLINE __m256i codes_of(const float *x, __m256 scale)
{
	const __m256 shifted = _mm256_add_ps(_mm256_div_ps(_mm256_loadu_ps(x), scale), _mm256_set1_ps(NM_ROUND_SHIFT));

	return _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(NM_ROUND_BITS));
}

AVX2 size_t nm_avx2_encode(int8_t *codes, const float *x, size_t count, float scale)
{
	const size_t done = whole(count);
	const __m256 divisor = _mm256_set1_ps(scale);
	/* A pack takes from the halves of its operands in turn. */
	const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);

	for (size_t i = 0; i < done; i += 32) {
		const __m256i low = _mm256_packs_epi32(codes_of(x + i, divisor), codes_of(x + i + 8, divisor));
		const __m256i high = _mm256_packs_epi32(codes_of(x + i + 16, divisor), codes_of(x + i + 24, divisor));
		const __m256i all = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);

		_mm256_storeu_si256((__m256i *)(codes + i), all);
	}
	return done;
}

AVX2 size_t nm_avx2_decode(float *y, const int8_t *codes, size_t count, const float *factor, float scale)
{
	const size_t done = whole(count);
	const __m256 last = _mm256_set1_ps(scale);

	for (size_t i = 0; i < done; i += 8) {
		const __m256i whole_codes = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(codes + i)));
		const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(whole_codes), _mm256_loadu_ps(factor + i));

		_mm256_storeu_ps(y + i, _mm256_mul_ps(product, last));
	}
	return done;
}

#else

size_t nm_avx2_largest(const float *v, size_t count, int32_t *largest)
{
	(void)v;
	(void)count;
	(void)largest;
	return 0;
}

size_t nm_avx2_encode(int8_t *codes, const float *x, size_t count, float scale)
{
	(void)codes;
	(void)x;
	(void)count;
	(void)scale;
	return 0;
}

size_t nm_avx2_decode(float *y, const int8_t *codes, size_t count, const float *factor, float scale)
{
	(void)y;
	(void)codes;
	(void)count;
	(void)factor;
	(void)scale;
	return 0;
}

#endif
