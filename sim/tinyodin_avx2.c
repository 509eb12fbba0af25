/* SPDX-License-Identifier: MIT */
/*
 * AVX2 kernel. Potentials are held times 16, so that vpaddsw saturates at 12 bits by itself. It leaves 0x7FFF for
 * 0x7FF0: bits 3:0 of a potential mean nothing. No result depends on them: what is added is a multiple of 16, and what
 * is compared with ends in 0xF. 16 neurons a vector, two vectors a pair; nothing branches but "did any neuron fire".
 */
#include "sim/tinyodin_core.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2,bmi,bmi2")))

#define PAIRS 8u

AVX2_INLINE __m256i load(const int16_t *from)
{
	return _mm256_load_si256((const __m256i *)(const void *)from);
}

/* Stores the potentials of 16 neurons that came to t; returns -1 in the lanes that fired. */
AVX2_INLINE __m256i settle(struct tinyodin_neurons *neurons, unsigned first, __m256i t, bool masked)
{
	__m256i fired = _mm256_cmpgt_epi16(t, load(neurons->fires_above + first));

	if (masked)
		fired = _mm256_and_si256(fired, load(neurons->active + first));
	_mm256_store_si256((__m256i *)(void *)(neurons->v + first), _mm256_andnot_si256(fired, t));
	return fired;
}

AVX2_INLINE __m256i integrate(struct tinyodin_neurons *neurons, const int8_t *weights, unsigned first, bool masked)
{
	__m256i w = _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)(weights + first)));

	if (masked)
		w = _mm256_and_si256(w, load(neurons->active + first));
	return settle(neurons, first, _mm256_adds_epi16(w, load(neurons->v + first)), masked);
}

/* v - clamp(v, -leak, leak): toward zero, never across it. */
AVX2_INLINE __m256i decay(struct tinyodin_neurons *neurons, unsigned first)
{
	__m256i v = load(neurons->v + first);
	__m256i leak = _mm256_and_si256(load(neurons->leak + first), load(neurons->active + first));
	__m256i step = _mm256_max_epi16(_mm256_min_epi16(v, leak), _mm256_sub_epi16(_mm256_setzero_si256(), leak));

	return settle(neurons, first, _mm256_sub_epi16(v, step), true);
}

/* Neurons 32 * pair ... + 31: a byte of -1 per neuron that fired, the middle two quarters exchanged by the pack. */
AVX2_INLINE __m256i integrate_pair(struct tinyodin_neurons *neurons, const int8_t *weights, unsigned pair, bool masked)
{
	return _mm256_packs_epi16(integrate(neurons, weights, 32 * pair, masked),
				  integrate(neurons, weights, 32 * pair + 16, masked));
}

AVX2 static void collect(const __m256i *pairs, uint64_t *fired)
{
	for (size_t group = 0; group < TINYODIN_GROUPS; group++) {
		__m256i low = _mm256_permute4x64_epi64(pairs[2 * group], 0xD8);
		__m256i high = _mm256_permute4x64_epi64(pairs[2 * group + 1], 0xD8);

		fired[group] = (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
		fired[group] |= (uint32_t)_mm256_movemask_epi8(low);
	}
}

AVX2_INLINE bool spike(struct tinyodin_neurons *neurons, const int8_t *weights, uint64_t *fired, bool masked)
{
	/* Written out: the vectors must stay in registers with every compiler. */
	const __m256i p0 = integrate_pair(neurons, weights, 0, masked);
	const __m256i p1 = integrate_pair(neurons, weights, 1, masked);
	const __m256i p2 = integrate_pair(neurons, weights, 2, masked);
	const __m256i p3 = integrate_pair(neurons, weights, 3, masked);
	const __m256i p4 = integrate_pair(neurons, weights, 4, masked);
	const __m256i p5 = integrate_pair(neurons, weights, 5, masked);
	const __m256i p6 = integrate_pair(neurons, weights, 6, masked);
	const __m256i p7 = integrate_pair(neurons, weights, 7, masked);
	__m256i any = _mm256_or_si256(_mm256_or_si256(p0, p1), _mm256_or_si256(p2, p3));

	any = _mm256_or_si256(any, _mm256_or_si256(_mm256_or_si256(p4, p5), _mm256_or_si256(p6, p7)));
	if (_mm256_testz_si256(any, any))
		return false;
	collect((const __m256i[PAIRS]){p0, p1, p2, p3, p4, p5, p6, p7}, fired);
	return true;
}

/* Apart, or the compiler loads in advance what both share, and spills it. */
AVX2 static __attribute__((noinline)) bool spike_all(struct tinyodin_neurons *neurons, const int8_t *weights,
						     uint64_t *fired)
{
	return spike(neurons, weights, fired, false);
}

AVX2 static __attribute__((noinline)) bool spike_some(struct tinyodin_neurons *neurons, const int8_t *weights,
						      uint64_t *fired)
{
	return spike(neurons, weights, fired, true);
}

static bool avx2_spike(struct tinyodin_neurons *neurons, const int8_t *weights, unsigned max, uint64_t *fired)
{
	if (max == TINYODIN_NEURONS - 1)
		return spike_all(neurons, weights, fired);
	return spike_some(neurons, weights, fired);
}

AVX2 static bool avx2_leak(struct tinyodin_neurons *neurons, unsigned max, uint64_t *fired)
{
	__m256i pairs[PAIRS], any = _mm256_setzero_si256();

	for (unsigned pair = 0; pair < PAIRS; pair++) {
		pairs[pair] = _mm256_packs_epi16(decay(neurons, 32 * pair), decay(neurons, 32 * pair + 16));
		any = _mm256_or_si256(any, pairs[pair]);
	}
	(void)max; /* is in neurons->active */
	if (_mm256_testz_si256(any, any))
		return false;
	collect(pairs, fired);
	return true;
}

static const struct tinyodin_kernel kernel = {"avx2", avx2_spike, avx2_leak};

const struct tinyodin_kernel *tinyodin_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &kernel : NULL;
}

#else

const struct tinyodin_kernel *tinyodin_avx2(void)
{
	return NULL;
}

#endif
