/* SPDX-License-Identifier: MIT */
/**
 * @file array.h
 * Arrays: matrices of real numbers on crossbars. nmhal.h includes it; include that one.
 *
 * An array computes y = W x with a matrix W[out][in] of float that the caller owns. It quantises W, splits it over the
 * tiles of one or several devices, programs only the cells whose codes differ from what is there, runs one batched
 * inference per tile, adds and scales back. So W is a plain value: after a small change of W the next product costs
 * the few cells that changed, and none for changes below a step. docs/arrays.md specifies every rounding.
 *
 * **Axes.** W[o][i] sits in row i, column o of a crossbar: rows are inputs.
 * **Scale.** Weight codes of output o count scale[o], the smallest of 2^(k/8) that holds its largest weight: a function
 * of W alone. Inputs are scaled per vector by their largest magnitude, so a batch equals its vectors one by one.
 * **Threads.** Any call from any thread; calls on one array run one at a time, each device is locked for one tile at a
 * time: comparing, programming and computing are one piece, so other users of the device cannot come between.
 */
#ifndef NMHAL_ARRAY_H
#define NMHAL_ARRAY_H

#include <nmhal/nmhal.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nmhal_array nmhal_array;

enum nmhal_array_encoding {
	NMHAL_ARRAY_ONE_SLICE = 0, /**< a weight is one code */
	NMHAL_ARRAY_TWO_SLICES = 1 /**< a weight is two codes on two tiles: high * (2 * code_max + 1) + low */
};
/** Only nmhal_array_program() and nmhal_array_update() change weights; a product that would fails with STATE. */
#define NMHAL_ARRAY_STRICT (1u << 0)
/** Tiles may be used in turn with other such arrays; each change of hands programs anew (counted as a swap). */
#define NMHAL_ARRAY_SHARE (1u << 1)
/** The matrix may be larger than all tiles: they are programmed several times in a product (counted as swaps). */
#define NMHAL_ARRAY_PASSES (1u << 2)
/** Inference with NMHAL_INFER_BIT_SERIAL. */
#define NMHAL_ARRAY_BIT_SERIAL (1u << 3)

struct nmhal_array_options {
	size_t struct_size;
	uint32_t encoding; /**< enum nmhal_array_encoding */
	uint32_t flags;    /**< NMHAL_ARRAY_* */
};
#define NMHAL_ARRAY_OPTIONS_INIT {sizeof(struct nmhal_array_options), 0, 0}

/**
 * Makes an array of n_out x n_in weights and takes tiles for it; nothing goes on the wire.
 * @param devs     [dev_count] open devices with inference; the array holds a reference on each
 * @param options  NULL for defaults
 * @return LIMIT        no (or too few) free tiles: the sentence counts them and names SHARE and PASSES
 *         UNSUPPORTED  a device has no inference, or the devices' codes differ
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_new(nmhal_device *const *devs, size_t dev_count, uint32_t n_out, uint32_t n_in, const struct nmhal_array_options *options, nmhal_array **out);
/** Gives the tiles back (their weights stay) and drops the references. NULL is fine. Not while a call runs on it. */
NMHAL_API void nmhal_array_free(nmhal_array *array);

#define NMHAL_PRODUCT_TRANSPOSED (1u << 0) /**< y[b][i] = sum over o of W[o][i] * x[b][o]; UNSUPPORTED without it */

/**
 * A batch of products. Matrices are float32, row by row, strides in elements (0: dense). y must not overlap w or x.
 */
struct nmhal_product {
	size_t struct_size;
	const float *w;  /**< [n_out][w_stride], finite; NULL: the weights that are resident, without comparing */
	size_t w_stride;
	const float *x;  /**< [batch][x_stride], finite: n_in numbers each, or n_out when TRANSPOSED */
	size_t x_stride;
	float *y;        /**< [batch][y_stride]: n_out numbers each, or n_in; undefined on failure */
	size_t y_stride;
	uint64_t first_vector; /**< keys the noise of reading: the same number gives the same noise */
	uint32_t batch;  /**< at least 1 */
	uint32_t flags;  /**< NMHAL_PRODUCT_* */
	int32_t timeout_ms; /**< of each call on a device below it */
	uint32_t reserved;
};
/**
 * Computes a batch of products.
 * @return INVALID  a number that is not finite, or too large for a float on the way: the sentence names the place
 *         STATE    w is NULL or the array STRICT, and the weights are no longer resident; or STRICT and w differs
 *         Failures of the devices pass through; programming that broke off is repeated by the next product.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_matmul(nmhal_array *array, const struct nmhal_product *op);
/**
 * Programs W now: cells that differ are written.
 * @param w      [n_out][w_stride] finite numbers; w_stride 0: n_in
 * @param flags  NMHAL_PROGRAM_VERIFY
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_program(nmhal_array *array, const float *w, size_t w_stride, uint32_t flags, int32_t timeout_ms);
/**
 * Adds dw to the resident weights in steps of their scale, each rounded to the nearest; what is below half a step is
 * lost, sums are clamped to the range and counted. The scale of an output stays, unless all its weights were 0.
 * With SHARE or PASSES the weights need not be resident: the sums are programmed then.
 * @return STATE  nothing was programmed yet, or it is no longer resident; nothing was added
 *         Failures of the devices pass through. The sum is the array's matrix all the same: a product with the weights
 *         that nmhal_array_quantise() gives, or programming them, brings it onto the tiles that lack it.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_update(nmhal_array *array, const float *dw, size_t dw_stride, int32_t timeout_ms);
/**
 * The weights that the devices hold, read back and scaled, into w[n_out][w_stride], undefined on failure. With SHARE or
 * PASSES what others took away is programmed again first.
 * @return STATE  nothing was programmed yet, or it is no longer resident
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_read(nmhal_array *array, float *w, size_t w_stride, int32_t timeout_ms);

/** Counters of an array since it was made. */
struct nmhal_array_stats {
	size_t struct_size;
	uint64_t products;       /**< products that succeeded (a batch counts once) */
	uint64_t vectors;        /**< vectors of these */
	uint64_t hits;           /**< products whose weights were all resident */
	uint64_t writes;         /**< tiles that were written to */
	uint64_t cells;          /**< cells that were written */
	uint64_t swaps;          /**< times a tile changed hands */
	uint64_t rescales;       /**< outputs whose scale changed */
	uint64_t saturations;    /**< outputs of inferences that the converter clipped */
	uint64_t clipped_weights; /**< sums that nmhal_array_update() clamped */
	uint64_t inferences;     /**< inference calls on devices */
};
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_get_stats(nmhal_array *array, struct nmhal_array_stats *stats);

/** How well the codes represent a matrix. */
struct nmhal_array_quality {
	size_t struct_size;
	double snr_db;       /**< 10 log10(sum w^2 / sum (w - w_quantised)^2); HUGE_VAL when there is no error */
	double range_use;    /**< mean over the outputs that are not dead of max|code| / code_max */
	uint32_t dead;       /**< outputs whose codes are all 0 */
	uint32_t saturated;  /**< outputs with more than one code at the rail */
};
/** Quantises w as a product would, and compares. Touches no device. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_get_quality(nmhal_array *array, const float *w, size_t w_stride, struct nmhal_array_quality *quality);

/**
 * The numbers that the codes of a matrix stand for: what an ideal device would multiply with. Touches no device.
 * @param w         NULL: the matrix that was programmed or updated last; STATE before there is one
 * @param w_stride  0: n_in; it is that of quantised too
 * @param quantised [n_out][w_stride], may be w; NULL: not wanted
 * @param scale     [n_out] what a step of a code is worth; NULL: not wanted. Devices of real numbers: w itself, and 1.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_quantise(nmhal_array *array, const float *w, size_t w_stride, float *quantised, float *scale);

/** Where a weight sits. */
struct nmhal_array_place {
	size_t struct_size;
	nmhal_device *dev;   /**< borrowed */
	uint32_t core, row, col;
	uint32_t reserved;
};
/** Place of W[out][in]; slice: 0, or 1 for the low one of NMHAL_ARRAY_TWO_SLICES. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_locate(nmhal_array *array, uint32_t out, uint32_t in, uint32_t slice, struct nmhal_array_place *place);
/**
 * Writes the map of all weights to a file, which it replaces at once, as CSV: `out,in,slice,device,core,row,col,code,
 * plus_ps,minus_ps`; a line for each slice of a weight, tile by tile, row by row. device: the URI, between quotation
 * marks. code: what the array wants there. plus_ps, minus_ps: conductances of the pair of cells in pS, read now at read
 * level; empty on a device without NMHAL_CAN_CELLS. With SHARE or PASSES what others took away is programmed first.
 * @return STATE        nothing was programmed yet, or it is no longer resident
 *         UNSUPPORTED  a device of real numbers
 *         IO, ACCESS   the file cannot be written
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_array_export_csv(nmhal_array *array, const char *path, int32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
