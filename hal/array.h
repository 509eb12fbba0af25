/* SPDX-License-Identifier: MIT */
/* What the files of arrays share: hal/array.c (tiles), array_codes.c (rounding), array_run.c (products). */
#ifndef NM_ARRAY_H
#define NM_ARRAY_H

#include "hal/hal.h"

#define NM_ARRAY_MAX_WEIGHTS (1u << 28)
#define NM_ARRAY_MAX_CODE    ((1 << 21) - 1) /* rounding can do twice that and one more, and float holds it exactly */

/* The part of the matrix that sits on one tile. Its codes are [ins][outs], as the device has them. */
struct nm_block {
	struct nmhal_device *dev;
	uint32_t core;
	uint32_t out, outs, in, ins; /* first output and input, and how many */
	uint32_t slice;              /* 0: high or only, 1: low */
	int16_t *codes;
	uint64_t seen; /* shadow.changes[core] when the tile was last known to hold codes; 0: not known */
	bool programmed; /* codes were on the tile once */
};

struct nmhal_array {
	pthread_mutex_t lock; /* of all below, for the whole of a call; taken before a device's */
	struct nmhal_device **devs;
	size_t dev_count;
	uint32_t n_out, n_in, flags, slices;
	uint32_t tile_rows, tile_cols, in_tiles; /* of a device; tiles along the inputs */
	int32_t code_max, input_max; /* of a device: symmetric ranges */
	int32_t q_max;    /* largest whole weight code: code_max, or what two slices hold */
	uint32_t in_type, out_type; /* enum nmhal_code_type of inference */
	double output_lsb;
	struct nm_block *blocks; /* slices of a part follow each other */
	size_t block_count;
	float *w;         /* [n_out][n_in]: what codes were made of */
	float *scale;     /* [n_out]: 0 for an output without weights */
	bool has_w;
	float *held, *sum; /* [n_out][n_in] on a device of real numbers, else NULL: what it holds; room to add */
	int32_t *line;    /* [max(n_out, n_in)] */
	float *vector, *factor; /* likewise */
	/* Room for one product, grown as needed. */
	uint32_t room;    /* vectors */
	void *codes_in, *codes_out;
	uint8_t *saturated;
	float *vector_scale; /* [room] */
	int64_t *sums;       /* [room][max(n_out, n_in)] */
	struct nmhal_array_stats stats;
};

/* ---- array_codes.c ----------------------------------------------------------------------------------------------- */
/* Smallest 2^(k/8) of which q_max steps reach max, as floats; 0 for 0. */
float nm_array_scale(float max, int32_t q_max);
/* Index of the first number that is not finite, or count. */
size_t nm_array_not_finite(const float *v, size_t count);
float nm_array_largest(const float *v, size_t count);
/* round-half-even(w / scale) of a row, inside -q_max..q_max; 0 for scale 0. */
void nm_array_quantise(const float *w, size_t count, float scale, int32_t q_max, int32_t *q);
/* The code of a slice of whole weight code q. */
int16_t nm_array_slice(const struct nmhal_array *array, int32_t q, uint32_t slice);
/* How much a code of the slice counts: the whole is the sum over slices of weight * code. */
int64_t nm_array_slice_weight(const struct nmhal_array *array, uint32_t slice);
/* Input codes of a vector, whose largest magnitude is given, from element `index` of codes_in on; returns the scale of
 * a code. */
float nm_array_encode(const struct nmhal_array *array, const float *x, float largest, size_t count, size_t index);

/* y = ((float)code * factor) * scale, of the output codes from element `index` on. */
void nm_array_decode(const struct nmhal_array *array, size_t index, size_t count, const float *factor, float scale, float *y);

/* ---- array_avx2.c: as many of the first elements as it can; returns how many, 0 without AVX2 --------------------- */
/* Adding SHIFT to |v| < 2^22 rounds it half to even: the sum has no bits below 1, and counts from BITS on. */
#define NM_ROUND_SHIFT 0x1.8p23f
#define NM_ROUND_BITS  0x4b400000
/* *largest: the largest bits of a magnitude, of these and what it was. */
size_t nm_avx2_largest(const float *v, size_t count, int32_t *largest);
size_t nm_avx2_encode(int8_t *codes, const float *x, size_t count, float scale);
size_t nm_avx2_decode(float *y, const int8_t *codes, size_t count, const float *factor, float scale);

/* ---- array_weights.c --------------------------------------------------------------------------------------------- */
/* INVALID unless w is a matrix of finite numbers; fills in a stride of 0. */
int nm_array_check_matrix(struct nmhal_array *array, const float *w, size_t *stride, const char *what);
/* Makes codes of w, unless it is what they were made of. INVALID: not finite; keep: STATE when a code would change. */
int nm_array_take(struct nmhal_array *array, const float *w, size_t stride, bool keep, const char *what);
/* Was w programmed or left by an update? Then it keeps the codes that it has: an update leaves the scales alone. */
bool nm_array_has_codes_of(const struct nmhal_array *array, const float *w, size_t stride);
/* Codes of an output into line, and what a step of them is worth: those of a row, or (NULL) those of the array. */
float nm_array_row_codes(struct nmhal_array *array, const float *row, uint32_t out);
/* Each block in turn, its device locked, until one fails. */
typedef int (*nm_array_block_fn)(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns);
int nm_array_each_block(struct nmhal_array *array, int32_t timeout_ms, const char *what, nm_array_block_fn fn, void *arg);
/* The block of a slice that W[out][in] sits in. */
struct nm_block *nm_array_block(const struct nmhal_array *array, uint32_t out, uint32_t in, uint32_t slice);

/* ---- array_run.c ------------------------------------------------------------------------------------------------- */
/* Does the tile hold the block's codes, as far as the core knows? The device is locked. */
bool nm_array_is_resident(const struct nm_block *block);
/* Brings the codes of a block onto its tile; the device is locked. flags: NMHAL_PROGRAM_VERIFY. */
int nm_array_settle(struct nmhal_array *array, struct nm_block *block, uint32_t flags, int64_t deadline_ns);
/* The codes must still be there, or may be brought back where tiles are used in turn; else STATE. */
int nm_array_bring_back(struct nmhal_array *array, struct nm_block *block, const char *what, int64_t deadline_ns);

/* ---- array_float.c: the same for the only block on a device of real numbers (array->held) ------------------------ */
int nm_array_float_settle(struct nmhal_array *array, struct nm_block *block, int64_t deadline_ns);
int nm_array_float_multiply(struct nmhal_array *array, struct nm_block *block, const struct nmhal_product *op, int64_t deadline_ns);
int nm_array_float_add(struct nmhal_array *array, struct nm_block *block, const float *dw, size_t stride, int64_t deadline_ns);

#endif
