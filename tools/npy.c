/* SPDX-License-Identifier: MIT */
/* Source: NumPy documentation, numpy.lib.format: magic, version, little-endian header length, dict literal, data. */
#include "npy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NPY_MAX_CELLS (UINT64_C(1) << 28)

struct header {
	const char *at, *end;
	char descr[8];
	bool has_descr, has_order, has_shape, fortran;
	uint64_t shape[2];
	unsigned axes;
};

static int refuse(char *why, size_t capacity, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(char *why, size_t capacity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, capacity, format, args);
	va_end(args);
	return -1;
}

static bool take(struct header *h, char wanted)
{
	while (h->at < h->end && (*h->at == ' ' || *h->at == '\n'))
		h->at++;
	if (h->at >= h->end || *h->at != wanted)
		return false;
	h->at++;
	return true;
}

static bool take_string(struct header *h, char *text, size_t capacity)
{
	size_t length = 0;

	if (!take(h, '\''))
		return false;
	while (h->at < h->end && *h->at != '\'' && length + 1 < capacity)
		text[length++] = *h->at++;
	text[length] = '\0';
	return h->at < h->end && *h->at++ == '\'';
}

static bool take_word(struct header *h, const char *word)
{
	size_t length = strlen(word);

	take(h, ' ');
	if ((size_t)(h->end - h->at) < length || memcmp(h->at, word, length) != 0)
		return false;
	h->at += length;
	return true;
}

static bool take_shape(struct header *h)
{
	if (!take(h, '('))
		return false;
	while (!take(h, ')')) {
		uint64_t size = 0;
		const char *start = h->at;
		while (h->at < h->end && *h->at >= '0' && *h->at <= '9' && size < NPY_MAX_CELLS)
			size = size * 10 + (uint64_t)(*h->at++ - '0');
		if (h->at == start)
			return false;
		if (h->axes < 2)
			h->shape[h->axes] = size;
		h->axes++;
		if (!take(h, ',') && (h->at >= h->end || *h->at != ')'))
			return false;
	}
	return true;
}

static bool take_entry(struct header *h)
{
	char key[16];

	if (!take_string(h, key, sizeof(key)) || !take(h, ':'))
		return false;
	if (strcmp(key, "descr") == 0)
		return h->has_descr = take_string(h, h->descr, sizeof(h->descr));
	if (strcmp(key, "shape") == 0)
		return h->has_shape = take_shape(h);
	if (strcmp(key, "fortran_order") != 0)
		return false;
	h->fortran = take_word(h, "True");
	return h->has_order = h->fortran || take_word(h, "False");
}

static bool take_dict(struct header *h)
{
	if (!take(h, '{'))
		return false;
	while (!take(h, '}')) {
		if (!take_entry(h))
			return false;
		if (!take(h, ',') && (h->at >= h->end || *h->at != '}'))
			return false;
	}
	return h->has_descr && h->has_order && h->has_shape;
}

static uint32_t little_endian(const uint8_t *bytes, size_t count)
{
	uint32_t value = 0;

	for (size_t i = 0; i < count; i++)
		value |= (uint32_t)bytes[i] << (8 * i);
	return value;
}

static int32_t sign_extended(uint32_t value, size_t bytes)
{
	uint32_t sign = UINT32_C(1) << (8 * bytes - 1);
	int64_t wide = (int64_t)(value ^ sign) - (int64_t)sign;

	return (int32_t)wide;
}

static int copy_codes(const uint8_t *data, size_t width, struct npy_matrix *matrix)
{
	size_t count = (size_t)matrix->rows * matrix->cols;

	matrix->codes = malloc(count * sizeof(*matrix->codes));
	if (matrix->codes == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		matrix->codes[i] = sign_extended(little_endian(data + i * width, width), width);
	return 0;
}

/* From narrow to wide. */
static const struct {
	char descr[4];
	size_t width;
} known[] = {{"|i1", 1}, {"<i2", 2}, {"<i4", 4}};

/* Bytes of a code; 0 for a dtype that is not known. */
static size_t width_of(const char *descr)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(descr, known[i].descr) == 0)
			return known[i].width;
	return 0;
}

int npy_parse(const void *data, size_t size, struct npy_matrix *matrix, char *why, size_t capacity)
{
	const uint8_t *bytes = data;
	struct header h = {0};

	if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
		return refuse(why, capacity, "not a .npy file");
	if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
		return refuse(why, capacity, ".npy format %u.%u is not known", bytes[6], bytes[7]);
	size_t prefix = bytes[6] == 1 ? 10 : 12;
	size_t length = size < prefix ? 0 : little_endian(bytes + 8, prefix - 8);
	if (size < prefix || length > size - prefix)
		return refuse(why, capacity, "the header is cut off after %zu bytes", size);
	h.at = (const char *)data + prefix;
	h.end = h.at + length;
	if (!take_dict(&h))
		return refuse(why, capacity, "the header is damaged");
	size_t width = width_of(h.descr);
	if (width == 0)
		return refuse(why, capacity, "dtype %s is not int8, int16 or int32 (little endian)", h.descr);
	if (h.fortran)
		return refuse(why, capacity, "the array is in Fortran order; save numpy.ascontiguousarray(a)");
	if (h.axes != 2)
		return refuse(why, capacity, "the array has %u axes, not 2 ([row][column])", h.axes);
	if (h.shape[0] == 0 || h.shape[1] == 0 || h.shape[0] > NPY_MAX_CELLS / h.shape[1])
		return refuse(why, capacity, "shape %llu x %llu is empty or too large", (unsigned long long)h.shape[0],
			(unsigned long long)h.shape[1]);
	matrix->rows = (uint32_t)h.shape[0];
	matrix->cols = (uint32_t)h.shape[1];
	size_t wanted = (size_t)matrix->rows * matrix->cols * width;
	if (size - prefix - length != wanted)
		return refuse(why, capacity, "%zu bytes of data, but shape %u x %u needs %zu", size - prefix - length,
			matrix->rows, matrix->cols, wanted);
	if (copy_codes(bytes + prefix + length, width, matrix) != 0)
		return refuse(why, capacity, "out of memory");
	return 0;
}

static void put_codes(FILE *file, const int32_t *codes, size_t count, size_t width)
{
	for (size_t i = 0; i < count; i++)
		for (size_t byte = 0; byte < width; byte++)
			putc((int)((uint32_t)codes[i] >> (8 * byte) & 0xff), file);
}

/* Index in `known` of the narrowest dtype that holds all codes. */
static size_t narrowest(const int32_t *codes, size_t count)
{
	size_t type = 0;

	for (size_t i = 0; i < count; i++) {
		if (codes[i] < INT16_MIN || codes[i] > INT16_MAX)
			return 2;
		if (codes[i] < INT8_MIN || codes[i] > INT8_MAX)
			type = 1;
	}
	return type;
}

int npy_write(const char *path, const int32_t *codes, uint32_t rows, uint32_t cols)
{
	size_t count = (size_t)rows * cols;
	size_t type = narrowest(codes, count);
	char dict[118]; /* magic, version and length take 10 bytes; NumPy pads the whole to a multiple of 64 */

	memset(dict, ' ', sizeof(dict));
	int length = snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': False, 'shape': (%u, %u), }",
		known[type].descr, rows, cols);
	dict[length] = ' ';
	dict[sizeof(dict) - 1] = '\n';
	FILE *file = fopen(path, "wb");
	if (file == NULL)
		return errno;
	fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
	fwrite(dict, 1, sizeof(dict), file);
	put_codes(file, codes, count, known[type].width);
	errno = 0;
	bool bad = ferror(file) != 0;
	if (fclose(file) != 0 || bad)
		return errno != 0 ? errno : EIO;
	return 0;
}
