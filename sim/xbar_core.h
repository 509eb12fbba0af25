/* SPDX-License-Identifier: MIT */
/* Inside of the analog crossbar model: state, kernels, what its files share. Sections named are of docs/emulator.md. */
#ifndef XBAR_CORE_H
#define XBAR_CORE_H

#include "sim/xbar.h"

#define XBAR_LINES_MAX   1024u /* rows or columns of a profile */
#define XBAR_PANEL       16u   /* outputs that a kernel computes side by side */
#define XBAR_INPUTS      8u    /* inputs of a plane come in whole groups of so many: an even number of steps */
#define XBAR_CHUNK       256u  /* vectors that are computed at a time */
#define XBAR_STEP_BYTES  64u   /* of weights: 4 inputs x 16 outputs in s8, or 2 inputs x 16 outputs in s16 */
#define XBAR_QUANTA_MAX  16383 /* largest conductance of a cell, quanta */
#define XBAR_OFFSET      63    /* makes inputs -63..63 unsigned */
#define XBAR_SQUARE_MAX  127   /* largest input and weight of the product of variances */

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

/* Forms of a product. All are exact: the sums are int32. */
enum xbar_form {
	XBAR_CODES,   /* u8 inputs up to 127 x s8 weights */
	XBAR_NIBBLES, /* the same with weights -7..7 */
	XBAR_WIDE,    /* s16 inputs up to 127 x s16 weights up to XBAR_QUANTA_MAX */
	XBAR_FORMS,
};

/* Products of `vectors` inputs with panels of weights. What is said of a panel is of the first one. */
struct xbar_product {
	unsigned panels;        /* one after the other: xbar_next_panel() */
	const uint8_t *weights; /* [steps][XBAR_STEP_BYTES] as in struct xbar_plane */
	size_t weight_stride;   /* bytes from panel to panel */
	size_t steps; /* even */
	const uint8_t *inputs;
	size_t input_stride; /* bytes from vector to vector */
	size_t vectors;
	const int32_t *bias; /* [XBAR_PANEL]: added to the sums */
	/* The ADC (section "ADC"): */
	const float *scale;  /* [XBAR_PANEL] */
	const float *add;    /* [XBAR_PANEL] for all vectors, add_stride 0; or [vectors][XBAR_PANEL] of one panel */
	size_t add_stride;   /* floats from vector to vector */
	int16_t low, high;   /* range of outputs */
	uint8_t *outputs;    /* 16 codes of s8 or s16 */
	size_t output_stride;
	uint8_t *clipped;    /* 2 bytes of bits */
	size_t clipped_stride;
	/* or, instead of the ADC: */
	int32_t *sums;       /* [vectors][XBAR_PANEL]; those of the next panel follow */
};

static inline void xbar_next_panel(struct xbar_product *product, unsigned code_bytes)
{
	product->weights += product->weight_stride;
	product->bias += XBAR_PANEL;
	if (code_bytes) {
		product->scale += XBAR_PANEL;
		product->add += XBAR_PANEL;
		product->outputs += (size_t)XBAR_PANEL * code_bytes;
		product->clipped += XBAR_PANEL / 8;
	} else {
		product->sums += product->vectors * XBAR_PANEL;
	}
}

/* What is added before the ADC of one panel: noise and offset. */
struct xbar_noise {
	uint64_t seed;
	uint32_t counter_word; /* word 0 for the first lane of the panel */
	uint32_t line;         /* word 1 */
	uint64_t first_vector; /* words 2 and 3 */
	size_t vectors;
	const int32_t *variance; /* [vectors][XBAR_PANEL], or NULL */
	float unit, floor;       /* sigma = sqrt(variance * unit + floor) */
	const float *offset;     /* [XBAR_PANEL] */
	float *add;              /* [vectors][XBAR_PANEL] */
};

typedef void (*xbar_product_fn)(const struct xbar_product *product);

struct xbar_kernel {
	const char *name;
	xbar_product_fn s8[XBAR_FORMS], s16[XBAR_FORMS]; /* to output codes */
	xbar_product_fn sums;                            /* XBAR_CODES to int32 */
	void (*noise)(const struct xbar_noise *noise);
	/* One vector of inputs in the form that products want. False when one is outside -63..63, or -max..max. */
	bool (*load_codes)(const int8_t *inputs, size_t count, uint8_t *codes);
	bool (*load_wide)(const int8_t *inputs, size_t count, int max, int16_t *wide);
	/* Inputs of the product of variances: (x^2 + 2^shift / 2) >> shift. */
	void (*load_squares)(const int8_t *inputs, size_t count, unsigned shift, uint8_t *squares);
	void (*load_magnitudes)(const int8_t *inputs, size_t count, uint8_t *magnitudes);
};
extern const struct xbar_kernel xbar_plain;
/* NULL on a machine without AVX2. */
const struct xbar_kernel *xbar_avx2(void);

/* ---- state ------------------------------------------------------------------------------------------------------- */

struct xbar_cell_state {
	uint16_t aim;     /* quanta it was last programmed to; after pulses: what they left */
	uint16_t g;       /* quanta it has at that time */
	uint32_t events;  /* writes and pulse trains */
	uint32_t since_s; /* time of the last one */
	uint32_t pulses;
	bool formed;
};

struct xbar_pair {
	struct xbar_cell_state side[2]; /* G+, G- */
};

/* What a plane holds. */
enum xbar_content { XBAR_OF_CODES, XBAR_OF_QUANTA, XBAR_OF_VARIANCES, XBAR_CONTENTS };
enum xbar_direction { XBAR_FORWARD, XBAR_TRANSPOSED, XBAR_DIRECTIONS };

/*
 * The weights of a tile in the order of the kernels: panels of 16 outputs, each [inputs / 4][16 outputs][4 inputs] of
 * s8 or [inputs / 2][16 outputs][2 inputs] of s16. Inputs and outputs are padded with zeros. Made when first used.
 */
struct xbar_plane {
	bool valid;
	uint8_t *data;
	int32_t *bias; /* of codes: what XBAR_OFFSET adds to the sum of all inputs, negated */
};

struct xbar_tile {
	struct xbar_pair *pairs; /* [rows][cols] */
	int16_t *quanta;         /* [rows][cols]: G+ - G- as a product sees it */
	int8_t *variance;        /* [rows][cols]: of reading it, 2^variance_exponent quanta^2; with XBAR_READ_NOISE */
	int variance_exponent;
	bool stale;              /* quanta and variance must be made again */
	size_t uneven;           /* pairs that are no whole code */
	/* Of the ADCs, [outputs padded to panels]: output codes per input * code or input * quantum; output codes. */
	float *scale_codes[XBAR_DIRECTIONS], *scale_quanta[XBAR_DIRECTIONS], *offset[XBAR_DIRECTIONS];
	struct xbar_plane plane[XBAR_DIRECTIONS][XBAR_CONTENTS];
};

struct xbar_pool;

struct xbar {
	const struct xbar_profile *profile;
	struct xbar_options options;
	const struct xbar_kernel *kernel;
	int full; /* quanta of the largest code */
	int low, high;
	uint32_t time_s;
	struct xbar_voltage_trace trace;
	struct xbar_tile *tiles;
	uint16_t *scratch_quanta; /* [rows][cols][2] */
	float *scratch_float;     /* [rows][cols] */
	uint8_t *inputs;          /* [XBAR_CHUNK][inputs] of u8 or s16 */
	uint8_t *squares;         /* the same of u8 */
	uint8_t *offsets;         /* one input vector of XBAR_OFFSET, as XBAR_CODES has an input 0 */
	struct xbar_pool *pool;   /* NULL until work is worth it */
	void *memory;             /* all of the above */
};

static inline unsigned xbar_padded(unsigned count, unsigned to)
{
	return (count + to - 1) / to * to;
}

static inline size_t xbar_at(const struct xbar *xbar, unsigned row, unsigned col)
{
	return (size_t)row * xbar->profile->cols + col;
}

static inline unsigned xbar_inputs(const struct xbar *xbar, enum xbar_direction direction)
{
	return direction == XBAR_FORWARD ? xbar->profile->rows : xbar->profile->cols;
}

static inline unsigned xbar_outputs(const struct xbar *xbar, enum xbar_direction direction)
{
	return direction == XBAR_FORWARD ? xbar->profile->cols : xbar->profile->rows;
}

/* Inputs that a plane has, with its padding. */
static inline unsigned xbar_plane_inputs(const struct xbar *xbar, enum xbar_direction direction)
{
	return xbar_padded(xbar_inputs(xbar, direction), XBAR_INPUTS);
}

/* ---- the devices (xbar_device.c) --------------------------------------------------------------------------------- */

/* Conductance of the largest code, uS. */
float xbar_device_max_us(const struct xbar *xbar);
/* Programs one cell to `aim` quanta now. */
void xbar_device_write(struct xbar *xbar, const struct xbar_cell *at, uint16_t aim);
/* Quanta that the cell would have now if it were not stuck. */
uint16_t xbar_device_drifted(const struct xbar *xbar, const struct xbar_cell *at);
/* Quanta that it has now. */
uint16_t xbar_device_quanta(const struct xbar *xbar, const struct xbar_cell *at);
/* Variance of one read of a cell that has so many quanta, quanta^2; 0 without XBAR_READ_NOISE. */
float xbar_device_variance(const struct xbar *xbar, const struct xbar_cell *at, uint16_t quanta);
/* Output codes that an ideal ADC makes of one input * quantum: a power of two. */
float xbar_device_output_per_quantum(const struct xbar *xbar);
/* Scales and offsets of the ADCs of a tile. */
void xbar_device_adc(const struct xbar *xbar, unsigned tile, enum xbar_direction direction);

/* A line was at this voltage. */
static inline void xbar_trace(struct xbar *xbar, int32_t voltage_uv)
{
	if (voltage_uv < xbar->trace.lowest_uv)
		xbar->trace.lowest_uv = voltage_uv;
	if (voltage_uv > xbar->trace.highest_uv)
		xbar->trace.highest_uv = voltage_uv;
}

/* ---- planes (xbar_plane.c) --------------------------------------------------------------------------------------- */

/* A pair of the tile has changed. */
void xbar_plane_changed(struct xbar *xbar, unsigned tile, unsigned row, unsigned col);
/* Everything has: the time, or what all pairs depend on. */
void xbar_plane_all_changed(struct xbar *xbar);
/* True when the products of the tile are those of whole codes. */
bool xbar_plane_is_codes(struct xbar *xbar, unsigned tile);
/* The plane, up to date. */
const struct xbar_plane *xbar_plane_of(struct xbar *xbar, unsigned tile, enum xbar_direction direction,
				       enum xbar_content content);

static inline struct xbar_cell_state *xbar_cell_state(const struct xbar *xbar, const struct xbar_cell *at)
{
	return &xbar->tiles[at->tile].pairs[xbar_at(xbar, at->row, at->col)].side[at->side];
}

/* ---- threads (xbar_pool.c) --------------------------------------------------------------------------------------- */

/* NULL when the threads cannot be made. */
struct xbar_pool *xbar_pool_new(unsigned threads);
void xbar_pool_free(struct xbar_pool *pool);
/* Calls work(arg, part) for each part 0..parts - 1, on all threads and the caller's; returns when all are done. */
void xbar_pool_run(struct xbar_pool *pool, void (*work)(void *arg, unsigned part), void *arg, unsigned parts);

#endif
