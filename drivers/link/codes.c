/* SPDX-License-Identifier: MIT */
/* Packing is the larger part of what an inference costs besides computing it: plain loops that compilers vectorise. */
#include <nmhal/driver.h>

#include "codes.h"
#include "nmlink/codec.h"

/* Whole blocks have a length the compiler knows. */
#define BLOCK 32u
#define FOR_BLOCKS(count, statement)                                                                                   \
	do {                                                                                                           \
		size_t at = 0;                                                                                         \
                                                                                                                       \
		for (; at + BLOCK <= (count); at += BLOCK)                                                             \
			for (size_t n = at; n < at + BLOCK; n++)                                                       \
				statement;                                                                             \
		for (size_t n = at; n < (count); n++)                                                                  \
			statement;                                                                                     \
	} while (0)

#define PACK(name, type)                                                                                               \
	static void pack_s8_##name(uint8_t *restrict to, const type *restrict codes, size_t count)                     \
	{                                                                                                              \
		FOR_BLOCKS(count, to[n] = (uint8_t)codes[n]);                                                          \
	}                                                                                                              \
	static void pack_s16_##name(uint8_t *restrict to, const type *restrict codes, size_t count)                    \
	{                                                                                                              \
		FOR_BLOCKS(count, nmlink_store_s16(to + 2 * n, (int16_t)codes[n]));                                    \
	}                                                                                                              \
	/* Not zero when a code is outside. */                                                                         \
	static int unpack_s8_##name(type *restrict codes, const uint8_t *restrict from, size_t count, int8_t min,      \
		int8_t max)                                                                                            \
	{                                                                                                              \
		uint8_t outside = 0;                                                                                   \
                                                                                                                       \
		FOR_BLOCKS(count, outside |= (uint8_t)((int8_t)from[n] < min) | (uint8_t)((int8_t)from[n] > max));     \
		FOR_BLOCKS(count, codes[n] = (int8_t)from[n]);                                                         \
		return outside;                                                                                        \
	}                                                                                                              \
	static int unpack_s16_##name(type *restrict codes, const uint8_t *restrict from, size_t count, int16_t min,    \
		int16_t max)                                                                                           \
	{                                                                                                              \
		uint16_t outside = 0;                                                                                  \
                                                                                                                       \
		for (size_t n = 0; n < count; n++) {                                                                   \
			int16_t code = nmlink_load_s16(from + 2 * n);                                                  \
                                                                                                                       \
			outside |= (uint16_t)(code < min) | (uint16_t)(code > max);                                    \
			codes[n] = (type)code;                                                                         \
		}                                                                                                      \
		return outside;                                                                                        \
	}

PACK(i8, int8_t)
PACK(i16, int16_t)
PACK(i32, int32_t)

uint8_t *link_pack(uint8_t *to, unsigned bytes, const void *codes, uint32_t type, size_t count)
{
	switch (type) {
	case NMHAL_CODE_I8:
		if (bytes == 1)
			pack_s8_i8(to, codes, count);
		else
			pack_s16_i8(to, codes, count);
		break;
	case NMHAL_CODE_I16:
		if (bytes == 1)
			pack_s8_i16(to, codes, count);
		else
			pack_s16_i16(to, codes, count);
		break;
	default:
		if (bytes == 1)
			pack_s8_i32(to, codes, count);
		else
			pack_s16_i32(to, codes, count);
	}
	return to + bytes * count;
}

bool link_unpack(void *codes, uint32_t type, const uint8_t *from, unsigned bytes, size_t count, int32_t min,
	int32_t max)
{
	const int8_t low = (int8_t)min, high = (int8_t)max;
	const int16_t lowest = (int16_t)min, highest = (int16_t)max;

	switch (type) {
	case NMHAL_CODE_I8:
		return !(bytes == 1 ? unpack_s8_i8(codes, from, count, low, high) :
				      unpack_s16_i8(codes, from, count, lowest, highest));
	case NMHAL_CODE_I16:
		return !(bytes == 1 ? unpack_s8_i16(codes, from, count, low, high) :
				      unpack_s16_i16(codes, from, count, lowest, highest));
	default:
		return !(bytes == 1 ? unpack_s8_i32(codes, from, count, low, high) :
				      unpack_s16_i32(codes, from, count, lowest, highest));
	}
}
