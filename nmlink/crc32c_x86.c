/* SPDX-License-Identifier: MIT */
/* CRC-32C by the instruction of SSE4.2, for hosts. Elsewhere the table of frame.c. */
#include "crc32c.h"

#if defined(__x86_64__) && defined(__GNUC__)

/* Of the C library; this file is for hosts. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);

/*
 * The instruction takes three cycles but can begin one each cycle: so three blocks side by side. The CRC of an earlier
 * block is then moved past the later ones (as if so many zero bytes came): that is a product by x^(8 n) modulo the
 * polynomial. The carry-less product by PAST_n = x^(8 n - 33) has 64 bits; the instruction on these reduces them and
 * multiplies by the x^33 that is left out.
 */
#define BLOCK      512u
#define PAST_BLOCK 0xDD7E3B0Cll
#define PAST_TWO   0x170076FAll

typedef long long pair __attribute__((vector_size(16)));

static uint64_t word(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

__attribute__((target("sse4.2,pclmul"))) static uint64_t move(uint64_t crc, long long past)
{
	const pair product = (pair)__builtin_ia32_pclmulqdq128((pair){ (long long)crc, 0 }, (pair){ past, 0 }, 0);

	return __builtin_ia32_crc32di(0, (uint64_t)product[0]);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc32c_sse42(uint32_t begin, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t crc = ~begin;

	for (; size >= 3 * BLOCK; size -= 3 * BLOCK, p += 3 * BLOCK) {
		uint64_t second = 0, third = 0;

		for (uint32_t i = 0; i < BLOCK; i += 8) {
			crc = __builtin_ia32_crc32di(crc, word(p + i));
			second = __builtin_ia32_crc32di(second, word(p + BLOCK + i));
			third = __builtin_ia32_crc32di(third, word(p + 2 * BLOCK + i));
		}
		crc = move(crc, PAST_TWO) ^ move(second, PAST_BLOCK) ^ third;
	}
	for (; size >= 8; size -= 8, p += 8)
		crc = __builtin_ia32_crc32di(crc, word(p));
	for (; size; size--, p++)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

nmlink_crc_fn nmlink_crc32c_fast(void)
{
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
		return crc32c_sse42;
	return nmlink_crc32c;
}

#else

nmlink_crc_fn nmlink_crc32c_fast(void)
{
	return nmlink_crc32c;
}

#endif
