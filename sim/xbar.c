/* SPDX-License-Identifier: MIT */
/* Analog crossbars: memory, weights, time. */
#include <stdlib.h>
#include <string.h>

#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

#define ALIGNMENT 64u /* of everything that kernels load */

static const struct xbar_kernel *choose_kernel(enum xbar_simd simd)
{
	const char *wanted = getenv("NMHAL_SIMD");

	if (simd == XBAR_SIMD_AUTO && wanted && *wanted) {
		if (strcmp(wanted, "off") == 0)
			simd = XBAR_SIMD_OFF;
		else if (strcmp(wanted, "avx2") == 0)
			simd = XBAR_SIMD_AVX2;
		else
			return NULL;
	}
	if (simd == XBAR_SIMD_AUTO)
		return xbar_avx2() ? xbar_avx2() : &xbar_plain;
	return simd == XBAR_SIMD_AVX2 ? xbar_avx2() : &xbar_plain;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Takes from one block; with base NULL it only counts. */
struct arena {
	uint8_t *base;
	size_t used;
};

static void *take(struct arena *arena, size_t bytes)
{
	void *at = arena->base ? arena->base + arena->used : NULL;

	arena->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return at;
}

static void take_direction(const struct xbar *xbar, struct arena *arena, struct xbar_tile *tile,
			   enum xbar_direction direction)
{
	size_t inputs = xbar_plane_inputs(xbar, direction);
	size_t outputs = xbar_padded(xbar_outputs(xbar, direction), XBAR_PANEL);
	struct xbar_plane *plane = tile->plane[direction];

	tile->gain[direction] = take(arena, outputs * sizeof(float));
	tile->offset[direction] = take(arena, outputs * sizeof(float));
	plane[XBAR_OF_CODES].data = take(arena, inputs * outputs);
	plane[XBAR_OF_CODES].bias = take(arena, outputs * sizeof(int32_t));
	plane[XBAR_OF_QUANTA].data = take(arena, inputs * outputs * sizeof(int16_t));
	plane[XBAR_OF_VARIANCES].data = take(arena, inputs * outputs);
}

/* The tiles themselves are of the first pass already. */
static void take_all(struct xbar *xbar, struct arena *arena)
{
	size_t pairs = (size_t)xbar->profile->rows * xbar->profile->cols;
	size_t longest = xbar_plane_inputs(xbar, XBAR_FORWARD);

	if (longest < xbar_plane_inputs(xbar, XBAR_TRANSPOSED))
		longest = xbar_plane_inputs(xbar, XBAR_TRANSPOSED);
	xbar->scratch_quanta = take(arena, pairs * 2 * sizeof(uint16_t));
	xbar->scratch_float = take(arena, pairs * sizeof(float));
	xbar->inputs = take(arena, XBAR_CHUNK * longest * sizeof(int16_t));
	xbar->squares = take(arena, XBAR_CHUNK * longest);
	xbar->offsets = take(arena, longest);
	if (arena->base)
		memset(xbar->offsets, XBAR_OFFSET, longest);
	for (unsigned number = 0; number < xbar->profile->tiles; number++) {
		struct xbar_tile *tile = &xbar->tiles[number];

		tile->pairs = take(arena, pairs * sizeof(*tile->pairs));
		tile->quanta = take(arena, pairs * sizeof(*tile->quanta));
		tile->variance = take(arena, pairs * sizeof(*tile->variance));
		take_direction(xbar, arena, tile, XBAR_FORWARD);
		take_direction(xbar, arena, tile, XBAR_TRANSPOSED);
	}
}

/* Pages that nobody uses cost nothing: calloc takes them from the kernel, which gives zeros. */
static bool allocate(struct xbar *xbar)
{
	struct arena arena = {0};

	xbar->tiles = calloc(xbar->profile->tiles, sizeof(*xbar->tiles));
	if (!xbar->tiles)
		return false;
	take_all(xbar, &arena);
	xbar->memory = calloc(arena.used + ALIGNMENT, 1);
	if (!xbar->memory)
		return false;
	arena.base = (uint8_t *)xbar->memory + (ALIGNMENT - (uintptr_t)xbar->memory % ALIGNMENT);
	arena.used = 0;
	take_all(xbar, &arena);
	return true;
}

static void power_up(struct xbar *xbar)
{
	size_t pairs = (size_t)xbar->profile->rows * xbar->profile->cols;

	for (unsigned number = 0; number < xbar->profile->tiles; number++) {
		struct xbar_tile *tile = &xbar->tiles[number];

		tile->stale = xbar->options.effects != 0;
		xbar_device_adc(xbar, number, XBAR_FORWARD);
		xbar_device_adc(xbar, number, XBAR_TRANSPOSED);
		for (size_t k = 0; !(xbar->options.effects & XBAR_PRISTINE) && k < pairs; k++)
			tile->pairs[k].side[0].formed = tile->pairs[k].side[1].formed = true;
	}
}

struct xbar *xbar_new(const struct xbar_profile *profile, const struct xbar_options *options)
{
	const struct xbar_kernel *kernel = choose_kernel(options->simd);
	struct xbar *xbar;

	if (!kernel)
		return NULL;
	xbar = calloc(1, sizeof(*xbar));
	if (!xbar)
		return NULL;
	xbar->profile = profile;
	xbar->options = *options;
	if (xbar->options.threads > XBAR_THREADS_MAX)
		xbar->options.threads = XBAR_THREADS_MAX;
	xbar->kernel = kernel;
	xbar->full = profile->weight_max * profile->quanta;
	xbar->high = (1 << (profile->adc_bits - 1)) - 1;
	xbar->low = -xbar->high - 1;
	if (!allocate(xbar)) {
		xbar_free(xbar);
		return NULL;
	}
	power_up(xbar);
	return xbar;
}

void xbar_free(struct xbar *xbar)
{
	if (!xbar)
		return;
	xbar_pool_free(xbar->pool);
	free(xbar->memory);
	free(xbar->tiles);
	free(xbar);
}

/* ---- what it is -------------------------------------------------------------------------------------------------- */

const struct xbar_profile *xbar_profile(const struct xbar *xbar)
{
	return xbar->profile;
}

const struct xbar_options *xbar_options(const struct xbar *xbar)
{
	return &xbar->options;
}

const char *xbar_kernel(const struct xbar *xbar)
{
	return xbar->kernel->name;
}

int xbar_input_max(const struct xbar *xbar)
{
	return xbar->options.full_inputs ? 127 : XBAR_OFFSET;
}

int xbar_output_min(const struct xbar *xbar)
{
	return xbar->low;
}

int xbar_output_max(const struct xbar *xbar)
{
	return xbar->high;
}

unsigned xbar_output_bytes(const struct xbar *xbar)
{
	return xbar->profile->adc_bits <= 8 ? 1 : 2;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

static void write_pair(struct xbar *xbar, unsigned tile, unsigned row, unsigned col, int code)
{
	struct xbar_cell at = {.tile = tile, .row = row, .col = col};

	xbar_device_write(xbar, &at, (uint16_t)((code > 0 ? code : 0) * xbar->profile->quanta));
	at.side = 1;
	xbar_device_write(xbar, &at, (uint16_t)((code < 0 ? -code : 0) * xbar->profile->quanta));
	xbar_plane_changed(xbar, tile, row, col);
}

bool xbar_write(struct xbar *xbar, const struct xbar_region *region, const int8_t *codes)
{
	size_t count = (size_t)region->rows * region->cols;
	int max = xbar->profile->weight_max;
	bool good = true;

	for (size_t k = 0; k < count; k++)
		good &= codes[k] >= -max && codes[k] <= max;
	for (size_t k = 0; good && k < count; k++)
		write_pair(xbar, region->tile, region->row + (unsigned)(k / region->cols),
			   region->col + (unsigned)(k % region->cols), codes[k]);
	return good;
}

static int to_code(const struct xbar *xbar, float quanta)
{
	float max = (float)xbar->profile->weight_max;

	return xbar_round(xbar_clamp(quanta / (float)xbar->profile->quanta, -max, max));
}

static int read_pair(const struct xbar *xbar, unsigned tile, unsigned row, unsigned col, uint64_t use)
{
	const struct xbar_cell plus = {.tile = tile, .row = row, .col = col};
	const struct xbar_cell minus = {.tile = tile, .row = row, .col = col, .side = 1};
	uint16_t g_plus = xbar_device_quanta(xbar, &plus), g_minus = xbar_device_quanta(xbar, &minus);
	float quanta = (float)(g_plus - g_minus);

	if (xbar->options.effects & XBAR_READ_NOISE) {
		float variance = xbar_device_variance(xbar, &plus, g_plus) + xbar_device_variance(xbar, &minus, g_minus);
		uint32_t word = xbar_counter_word(XBAR_FOR_READ, tile, col);

		quanta = quanta + xbar_sqrt(variance) * xbar_normals_at(xbar->options.seed, word, row, use).sin;
	}
	return to_code(xbar, quanta);
}

void xbar_read(struct xbar *xbar, const struct xbar_region *region, uint64_t use, int8_t *codes)
{
	xbar_trace(xbar, (int32_t)XBAR_READ_UV);
	for (unsigned row = 0; row < region->rows; row++)
		for (unsigned col = 0; col < region->cols; col++)
			*codes++ = (int8_t)read_pair(xbar, region->tile, region->row + row, region->col + col, use);
}

bool xbar_add(struct xbar *xbar, unsigned tile, unsigned row, unsigned col, int delta)
{
	const struct xbar_pair *pair = &xbar->tiles[tile].pairs[xbar_at(xbar, row, col)];
	int64_t sum = (int64_t)to_code(xbar, (float)(pair->side[0].aim - pair->side[1].aim)) + delta;
	int max = xbar->profile->weight_max;
	int64_t code = sum > max ? max : sum < -max ? -max : sum;

	write_pair(xbar, tile, row, col, (int)code);
	return code == sum;
}

bool xbar_set_time(struct xbar *xbar, uint32_t time_s)
{
	if (time_s < xbar->time_s)
		return false;
	if (time_s != xbar->time_s && xbar->options.effects & XBAR_DRIFT)
		xbar_plane_all_changed(xbar);
	xbar->time_s = time_s;
	return true;
}

uint32_t xbar_time(const struct xbar *xbar)
{
	return xbar->time_s;
}
