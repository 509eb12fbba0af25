/* SPDX-License-Identifier: MIT */
/* Matrices of integers in files (.npy, .csv) and in JSON. */
#ifndef PROBE_MATRIX_H
#define PROBE_MATRIX_H

#include "common.h"
#include "npy.h"

/* Is the name one that matrix_save() takes: FILE.npy or FILE.csv? */
bool matrix_name(const char *path);
/* Loads a .npy file, or text with a row a line, numbers between commas; PROBE_OK or the exit code after a message. */
int matrix_load(const struct probe *p, const char *path, struct npy_matrix *matrix);
/* Writes FILE.npy or FILE.csv; PROBE_OK or the exit code after a message. */
int matrix_save(const struct probe *p, const char *path, const int32_t *codes, uint32_t rows, uint32_t cols);
/* Prints rows as lines of numbers between commas. */
void matrix_print(FILE *stream, const int32_t *codes, uint32_t rows, uint32_t cols);
/* [[...], ...] */
json_t *matrix_json(const int32_t *codes, uint32_t rows, uint32_t cols);

#endif
