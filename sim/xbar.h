/* SPDX-License-Identifier: MIT */
/*
 * Analog crossbars: DAC, differential conductance pairs, integer column sums, ADC; docs/emulator.md says every bit.
 * Weights, inputs and outputs are device codes: out[col] = ADC(sum over rows of in[row] * code[row][col]).
 *
 * The same seed and the same calls give the same bits on every machine, with every kernel and any number of threads.
 * Splitting a batch changes nothing as long as first_vector counts on. One model is used by one thread at a time;
 * models share nothing. Regions and cells given to these functions must lie inside the crossbar: the caller checks.
 */
#ifndef XBAR_H
#define XBAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xbar;

/* What a board is, as data. Tests may make their own; the limits are in docs/emulator.md. */
struct xbar_profile {
	const char *name;
	unsigned tiles, rows, cols; /* at most 4096 tiles, 1024 rows, 1024 columns */
	int weight_max;             /* weight codes are -weight_max..weight_max, in s8 */
	int quanta;                 /* steps of conductance that make one code */
	unsigned adc_bits;          /* at most 15; outputs are signed: s8 up to 8 bits, else s16 */
	unsigned lsb_shift;         /* output code: 2^lsb_shift input * weight codes; twice that with full inputs */
};

/* Profile number `index`, or NULL when there are not so many. */
const struct xbar_profile *xbar_profile_at(size_t index);
/* NULL when no profile has that name. */
const struct xbar_profile *xbar_profile_find(const char *name);

enum xbar_simd {
	XBAR_SIMD_AUTO, /* $NMHAL_SIMD ("off" or "avx2"), else the best this machine has */
	XBAR_SIMD_OFF,  /* plain C */
	XBAR_SIMD_AVX2, /* refused (NULL) on a machine without it */
};

/* Published devices whose coefficients the effects use. */
enum xbar_device {
	XBAR_DEVICE_WAN2022, /* ReRAM, 40 uS (Wan 2022) */
	XBAR_DEVICE_PCM,     /* phase-change memory, 25 uS (Nandakumar 2019) */
};

/* Departures from the ideal crossbar, a bit each. */
#define XBAR_WRITE_NOISE  0x01u /* a write misses its target */
#define XBAR_READ_NOISE   0x02u /* conductances fluctuate from read to read */
#define XBAR_DRIFT        0x04u /* conductances change with the time since the write */
#define XBAR_STUCK        0x08u /* some cells cannot be written */
#define XBAR_ADC_ERRORS   0x10u /* every ADC has its own gain and offset */
#define XBAR_IR_DROP      0x20u /* wires have resistance */
#define XBAR_OUTPUT_NOISE 0x40u /* Gaussian noise of one size at every ADC */
#define XBAR_PRISTINE     0x80u /* cells conduct only after forming */

struct xbar_options {
	uint64_t seed;
	enum xbar_device device;
	unsigned effects;           /* XBAR_*; 0: ideal */
	uint32_t stuck_ppm;         /* share of stuck cells, 1e-6 */
	uint32_t output_noise_mlsb; /* standard deviation, 1e-3 output codes */
	unsigned threads;           /* 0 and 1: the caller's only; work under 1 ms never leaves it */
	enum xbar_simd simd;
	bool full_inputs;           /* inputs -127..127, else -63..63 */
};

#define XBAR_THREADS_MAX 64u
#define XBAR_NOISE_ERROR_SIZE 160u

/*
 * Reads the text of `noise=` into device, effects, stuck_ppm and output_noise_mlsb; the rest stays. Names joined by +:
 * off, pcm, wan2022, write, read, drift (these three also as NAME:pcm and NAME:wan2022), stuck[:RATE], adc, irdrop,
 * output[:SIGMA], pristine. False, with a sentence in error (XBAR_NOISE_ERROR_SIZE bytes): all is as it was.
 */
bool xbar_options_parse(const char *noise, struct xbar_options *options, char *error);

/* A board after power-up: all weights 0, time 0. The profile must outlive it. NULL when out of memory, when the kernel
 * is not available here or when $NMHAL_SIMD names none. */
struct xbar *xbar_new(const struct xbar_profile *profile, const struct xbar_options *options);
/* Ends the worker threads. NULL is allowed. */
void xbar_free(struct xbar *xbar);
const struct xbar_profile *xbar_profile(const struct xbar *xbar);
const struct xbar_options *xbar_options(const struct xbar *xbar);
/* Name of the kernel in use: "plain" or "avx2". */
const char *xbar_kernel(const struct xbar *xbar);
/* 63 or 127. */
int xbar_input_max(const struct xbar *xbar);
int xbar_output_min(const struct xbar *xbar);
int xbar_output_max(const struct xbar *xbar);
/* Bytes of an output code on the wire: 1 or 2. */
unsigned xbar_output_bytes(const struct xbar *xbar);

/* ---- weights ----------------------------------------------------------------------------------------------------- */

struct xbar_region {
	unsigned tile, row, col, rows, cols;
};

/* Programs codes[rows][cols]. False, and nothing was written, when a code is outside -weight_max..weight_max. */
bool xbar_write(struct xbar *xbar, const struct xbar_region *region, const int8_t *codes);
/* Reads codes[rows][cols] back, clamped to the range of weights; `use` keys the read noise. */
void xbar_read(struct xbar *xbar, const struct xbar_region *region, uint64_t use, int8_t *codes);
/* Programs a weight to what it was last programmed to, plus delta. False when that was clamped to the range. */
bool xbar_add(struct xbar *xbar, unsigned tile, unsigned row, unsigned col, int delta);

/*
 * Codes by which a weight that was just programmed may read beside its target, unless a cell is stuck: six standard
 * deviations of the worst code's write and read noise. 0: every read is exact. Nothing of drift is in it.
 */
unsigned xbar_tolerance(const struct xbar *xbar);

/* Simulated seconds since power-up: what conductances drift over. Only grows: an earlier time is false. */
bool xbar_set_time(struct xbar *xbar, uint32_t time_s);
uint32_t xbar_time(const struct xbar *xbar);

/* ---- inference --------------------------------------------------------------------------------------------------- */

struct xbar_inference {
	struct xbar_region region;
	bool transposed;       /* columns drive, rows sum */
	bool bit_serial;       /* inputs are applied as trains of unit pulses instead of levels */
	size_t batch;          /* vectors */
	uint64_t first_vector; /* index of the first one: keys the noise */
	const int8_t *inputs;  /* [batch][rows, or columns when transposed] */
	void *outputs;         /* [batch][columns, or rows]: s8, or s16 little-endian at any alignment */
	uint8_t *clipped;      /* [batch][bytes]: bit o % 8 of byte o / 8 is 1 where output o was clipped */
};

/* False, and outputs and clipped mean nothing, when an input code is out of range. */
bool xbar_infer(struct xbar *xbar, const struct xbar_inference *inference);

/* ---- cells: one device of a pair --------------------------------------------------------------------------------- */

struct xbar_cell {
	unsigned tile, row, col;
	unsigned side; /* 0: G+, 1: G- */
};

/* Levels of the cell operations, the same on every board. */
#define XBAR_READ_UV         200000u  /* amplitude of reading, uV: below every threshold */
#define XBAR_VOLTAGE_MAX_UV  5000000u
#define XBAR_VOLTAGE_LSB_UV  1000u
#define XBAR_WIDTH_MIN_NS    20u
#define XBAR_WIDTH_MAX_NS    10000000u
#define XBAR_WIDTH_LSB_NS    10u

/* Conductance of the largest code, pS; the smallest is 0. */
uint32_t xbar_conductance_max_ps(const struct xbar *xbar);
/* Applies `pulses` equal pulses; positive: SET, negative: RESET. */
void xbar_pulse(struct xbar *xbar, const struct xbar_cell *cell, int32_t voltage_uv, uint32_t width_ns, uint32_t pulses);
/* Mean of `averages` (at least 1) reads in pS, keyed use, use + 1, ... */
uint32_t xbar_conductance(struct xbar *xbar, const struct xbar_cell *cell, uint64_t use, unsigned averages);
/* A point of a sweep: one pulse, and the current in nA that flows at its end. */
int32_t xbar_current(struct xbar *xbar, const struct xbar_cell *cell, int32_t voltage_uv, uint32_t width_ns, uint64_t use);
/* True once the cell conducts: always, without XBAR_PRISTINE. */
bool xbar_formed(const struct xbar *xbar, const struct xbar_cell *cell);

/* For tests: what the lines have seen since power-up. */
struct xbar_voltage_trace {
	int32_t lowest_uv, highest_uv; /* of all pulses, sweeps and reads */
	uint64_t pulses;               /* of pulses and sweeps, all cells */
};
void xbar_voltage_trace(const struct xbar *xbar, struct xbar_voltage_trace *trace);
/* For tests: pulses that this cell has seen since power-up. */
uint32_t xbar_cell_pulses(const struct xbar *xbar, const struct xbar_cell *cell);

#endif
