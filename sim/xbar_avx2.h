/* SPDX-License-Identifier: MIT */
/* What the two halves of the AVX2 kernel share. Only for them, on x86-64. */
#ifndef XBAR_AVX2_H
#define XBAR_AVX2_H

#include <immintrin.h>

#include "sim/xbar_core.h"

#define AVX2        __attribute__((target("avx2")))
#define AVX2_INLINE static inline __attribute__((always_inline, target("avx2")))

/*
 * Both are computed before anything that uses one of them: no instruction, only an order that compilers keep. Zen cores
 * choose an execution unit when an instruction enters the queue, and two multiplications followed by two additions
 * spread better over the units than what compilers make of sums of products, by up to a third with gcc.
 */
#define TOGETHER(a, b) __asm__("" : "+x"(a), "+x"(b))

AVX2_INLINE __m256i load(const void *from)
{
	return _mm256_loadu_si256((const __m256i *)from);
}

/* The noise of struct xbar_kernel. */
void xbar_avx2_noise(const struct xbar_noise *noise);

#endif
