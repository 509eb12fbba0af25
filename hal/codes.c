/* SPDX-License-Identifier: MIT */
/* Matrices of codes as callers give them: regions, strides, element types, ranges. */
#include "hal/hal.h"

static int outside(
	struct nmhal_device *dev, const char *what, uint32_t first, uint32_t count, uint32_t core, uint32_t size)
{
	uint64_t last = (uint64_t)first + (count ? count - 1 : 0);

	return nm_fail(dev->uri, NMHAL_E_INVALID, "%ss %u..%llu of core %u: it has %ss 0..%u", what, first,
		(unsigned long long)last, core, what, size - 1);
}

int nm_region_check(struct nmhal_device *dev, struct nmhal_region *region)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	if (region->reserved)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "region: reserved is %u: it must be 0", region->reserved);
	if (region->core >= caps->cores)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "core %u: the device has cores 0..%u", region->core,
			caps->cores - 1);
	if (region->row >= caps->rows || region->rows > caps->rows - region->row)
		return outside(dev, "row", region->row, region->rows, region->core, caps->rows);
	if (region->col >= caps->cols || region->cols > caps->cols - region->col)
		return outside(dev, "column", region->col, region->cols, region->core, caps->cols);
	if (!region->rows)
		region->rows = caps->rows - region->row;
	if (!region->cols)
		region->cols = caps->cols - region->col;
	return NMHAL_OK;
}

int nm_type_check(struct nmhal_device *dev, uint32_t type, int32_t min, int32_t max, const char *what)
{
	if (type != NMHAL_CODE_I8 && type != NMHAL_CODE_I16 && type != NMHAL_CODE_I32)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: code type %u: there are 1 (I8), 2 (I16) and 3 (I32)",
			what, type);
	if ((type == NMHAL_CODE_I8 && (min < INT8_MIN || max > INT8_MAX)) ||
		(type == NMHAL_CODE_I16 && (min < INT16_MIN || max > INT16_MAX)))
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: codes of type %s: the range %d..%d does not fit it",
			what, type == NMHAL_CODE_I8 ? "I8" : "I16", min, max);
	return NMHAL_OK;
}

int nm_stride_check(struct nmhal_device *dev, size_t *stride, uint32_t cols, const char *what)
{
	if (!*stride)
		*stride = cols;
	if (*stride < cols)
		return nm_fail(
			dev->uri, NMHAL_E_INVALID, "%s: stride of %zu elements: a row has %u", what, *stride, cols);
	return NMHAL_OK;
}

/* Compilers make vectors of loops whose length they know: whole blocks first. */
#define BLOCK 32u
#define FOR_BLOCKS(count, statement)                                                                                   \
	do {                                                                                                           \
		uint32_t at = 0;                                                                                       \
		for (; at + BLOCK <= (count); at += BLOCK)                                                             \
			for (uint32_t i = at; i < at + BLOCK; i++)                                                     \
				statement;                                                                             \
		for (uint32_t i = at; i < (count); i++)                                                                \
			statement;                                                                                     \
	} while (0)

void nm_codes_load(const void *codes, uint32_t type, size_t index, uint32_t count, int32_t *restrict line)
{
	if (type == NMHAL_CODE_I8) {
		const int8_t *in = (const int8_t *)codes + index;

		FOR_BLOCKS(count, line[i] = in[i]);
	} else if (type == NMHAL_CODE_I16) {
		const int16_t *in = (const int16_t *)codes + index;

		FOR_BLOCKS(count, line[i] = in[i]);
	} else {
		const int32_t *in = (const int32_t *)codes + index;

		FOR_BLOCKS(count, line[i] = in[i]);
	}
}

void nm_codes_store(void *codes, uint32_t type, size_t index, uint32_t count, const int16_t *line)
{
	if (type == NMHAL_CODE_I8) {
		int8_t *out = (int8_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			out[i] = (int8_t)line[i];
	} else if (type == NMHAL_CODE_I16) {
		int16_t *out = (int16_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			out[i] = line[i];
	} else {
		int32_t *out = (int32_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			out[i] = line[i];
	}
}

/* Has its highest bit set when code is outside (or where the range is wider than half of all numbers). */
static inline uint32_t outside_bit(int32_t code, int32_t min, int32_t max)
{
	return ((uint32_t)code - (uint32_t)min) | ((uint32_t)max - (uint32_t)code);
}

uint32_t nm_codes_outside(const int32_t *line, uint32_t count, int32_t min, int32_t max)
{
	uint32_t lanes[BLOCK] = {0}, wrong = 0, at = 0;

	/* First without a branch per element, and whole blocks side by side: nearly always nothing is wrong. */
	for (; at + BLOCK <= count; at += BLOCK)
		for (uint32_t i = 0; i < BLOCK; i++)
			lanes[i] |= outside_bit(line[at + i], min, max);
	for (; at < count; at++)
		wrong |= outside_bit(line[at], min, max);
	for (uint32_t i = 0; i < BLOCK; i++)
		wrong |= lanes[i];
	if (!(wrong >> 31))
		return count;
	for (uint32_t i = 0; i < count; i++)
		if (line[i] < min || line[i] > max)
			return i;
	return count;
}
