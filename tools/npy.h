/* SPDX-License-Identifier: MIT */
/* NumPy .npy files of integer matrices, format versions 1.0 to 3.0. */
#ifndef PROBE_NPY_H
#define PROBE_NPY_H

#include <stddef.h>
#include <stdint.h>

struct npy_matrix {
	uint32_t rows, cols;
	int32_t *codes; /* [rows][cols], to be freed */
};

/* Parses a whole file in memory: C order, two axes, dtype |i1, <i2 or <i4. 0, or -1 with a clause in why[capacity]. */
int npy_parse(const void *data, size_t size, struct npy_matrix *matrix, char *why, size_t capacity);
/* Writes rows x cols codes as |i1 if all fit, else <i2, else <i4. 0, or an errno value. */
int npy_write(const char *path, const int32_t *codes, uint32_t rows, uint32_t cols);

#endif
