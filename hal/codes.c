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

void nm_codes_load(const void *codes, uint32_t type, size_t index, uint32_t count, int32_t *line)
{
	if (type == NMHAL_CODE_I8) {
		const int8_t *in = (const int8_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			line[i] = in[i];
	} else if (type == NMHAL_CODE_I16) {
		const int16_t *in = (const int16_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			line[i] = in[i];
	} else {
		const int32_t *in = (const int32_t *)codes + index;

		for (uint32_t i = 0; i < count; i++)
			line[i] = in[i];
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

/*
 * Without a branch per element, and for a number of codes that the compiler knows to be whole vectors: nearly always
 * nothing is wrong, and this is the largest part of what the core does for an inference.
 */
#define VECTOR 32u
#define FOR_CODES(count, statement)                                                                                    \
	do {                                                                                                           \
		const uint32_t whole = (count) / VECTOR * VECTOR; /* codes */                                          \
		for (uint32_t i = 0; i < whole; i++)                                                                   \
			statement;                                                                                     \
		for (uint32_t i = whole; i < (count); i++)                                                             \
			statement;                                                                                     \
	} while (0)

static bool any_outside_i8(const int8_t *codes, uint32_t count, int8_t min, int8_t max)
{
	uint8_t most = 0, above;

	FOR_CODES(count, (above = (uint8_t)(codes[i] - min), most = above > most ? above : most));
	return most > (uint8_t)(max - min);
}

static bool any_outside_i16(const int16_t *codes, uint32_t count, int16_t min, int16_t max)
{
	uint16_t most = 0, above;

	FOR_CODES(count, (above = (uint16_t)(codes[i] - min), most = above > most ? above : most));
	return most > (uint16_t)(max - min);
}

/* Differences, whose sign is set when a code is outside; also, for nothing, with ranges so wide that they overflow. */
static bool maybe_outside_i32(const int32_t *codes, uint32_t count, int32_t min, int32_t max)
{
	uint32_t signs = 0;

	FOR_CODES(count, signs |= ((uint32_t)codes[i] - (uint32_t)min) | ((uint32_t)max - (uint32_t)codes[i]));
	return signs >> 31;
}

/* The end of a range that a narrower type can reach. */
static int32_t within(int32_t value, int32_t lowest, int32_t highest)
{
	return value < lowest ? lowest : value > highest ? highest : value;
}

uint32_t nm_codes_outside(const void *codes, uint32_t type, size_t index, uint32_t count, int32_t min, int32_t max,
	int32_t *line)
{
	const int32_t lowest = type == NMHAL_CODE_I8 ? INT8_MIN : INT16_MIN;
	const int32_t highest = type == NMHAL_CODE_I8 ? INT8_MAX : INT16_MAX;
	bool wrong;

	if (type != NMHAL_CODE_I32 && (min > highest || max < lowest))
		wrong = true;
	else if (type == NMHAL_CODE_I8)
		wrong = any_outside_i8((const int8_t *)codes + index, count, (int8_t)within(min, lowest, highest),
			(int8_t)within(max, lowest, highest));
	else if (type == NMHAL_CODE_I16)
		wrong = any_outside_i16((const int16_t *)codes + index, count,
			(int16_t)within(min, lowest, highest), (int16_t)within(max, lowest, highest));
	else
		wrong = maybe_outside_i32((const int32_t *)codes + index, count, min, max);
	if (!wrong)
		return count;
	nm_codes_load(codes, type, index, count, line);
	for (uint32_t i = 0; i < count; i++)
		if (line[i] < min || line[i] > max)
			return i;
	return count;
}
