/* SPDX-License-Identifier: MIT */
/* From cells to what a product multiplies with: pairs, IR drop, variances, and the order of the kernels. */
#include <string.h>

#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

/* With these, a pair that changes changes what the tile needs for others. */
#define EFFECTS_ON_ALL (XBAR_READ_NOISE | XBAR_IR_DROP)

/* Wire between two cells, ohm, times the mean share of the read voltage on a line. */
#define WIRE_OHM_USED (0.35f * 0.5f)

/* ---- the order of the kernels ------------------------------------------------------------------------------------ */

/* Place of (input, output) in a plane whose steps are of `depth` inputs, in elements. */
static size_t place(unsigned plane_inputs, unsigned depth, unsigned input, unsigned output)
{
	size_t panel = (size_t)(output / XBAR_PANEL) * plane_inputs * XBAR_PANEL;
	size_t step = (size_t)(input / depth) * depth * XBAR_PANEL;

	return panel + step + output % XBAR_PANEL * depth + input % depth;
}

static void put(const struct xbar *xbar, const struct xbar_tile *tile, enum xbar_direction direction,
		enum xbar_content content, unsigned row, unsigned col)
{
	const struct xbar_plane *plane = &tile->plane[direction][content];
	unsigned input = direction == XBAR_FORWARD ? row : col, output = direction == XBAR_FORWARD ? col : row;
	unsigned plane_inputs = xbar_plane_inputs(xbar, direction);
	int quanta = tile->quanta[xbar_at(xbar, row, col)];
	size_t at = place(plane_inputs, content == XBAR_OF_QUANTA ? 2 : 4, input, output);

	if (content == XBAR_OF_QUANTA) {
		memcpy(plane->data + 2 * at, &tile->quanta[xbar_at(xbar, row, col)], 2);
	} else if (content == XBAR_OF_VARIANCES) {
		plane->data[at] = (uint8_t)tile->variance[xbar_at(xbar, row, col)];
	} else {
		int code = quanta / xbar->profile->quanta;

		plane->bias[output] -= XBAR_OFFSET * (code - (int8_t)plane->data[at]);
		plane->data[at] = (uint8_t)code;
	}
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

static bool is_uneven(const struct xbar *xbar, int quanta)
{
	return quanta % xbar->profile->quanta != 0 || quanta > xbar->full || quanta < -xbar->full;
}

static void set_quanta(const struct xbar *xbar, struct xbar_tile *tile, size_t at, int quanta)
{
	tile->uneven -= is_uneven(xbar, tile->quanta[at]);
	tile->quanta[at] = (int16_t)quanta;
	tile->uneven += is_uneven(xbar, quanta);
}

/* ---- IR drop ----------------------------------------------------------------------------------------------------- */

static uint16_t dropped(const struct xbar *xbar, uint16_t quanta, int64_t segments)
{
	float ohm_quanta = ((WIRE_OHM_USED * xbar_device_max_us(xbar)) * 1e-6f) / (float)xbar->full;

	return (uint16_t)xbar_round((float)quanta / (1.0f + ohm_quanta * (float)segments));
}

/*
 * With all lines driven, the current of a cell crosses every wire segment between it and its driver (column 0) and its
 * sense amplifier (last row). `below` and `left` count quanta times segments that a cell shares with its column (one
 * side) and its row (both sides); they follow from those of the cell before by what lies between.
 */
static void drop(const struct xbar *xbar, struct xbar_tile *tile, const uint16_t *g)
{
	unsigned rows = xbar->profile->rows, lines = 2 * xbar->profile->cols;
	int64_t below[2 * XBAR_LINES_MAX] = {0}, above[2 * XBAR_LINES_MAX] = {0};

	for (size_t k = 0; k < (size_t)rows * lines; k++)
		below[k % lines] += (int64_t)g[k] * (rows - (unsigned)(k / lines));
	for (unsigned row = 0; row < rows; row++, g += lines) {
		int64_t total = 0, left, passed = 0;

		for (unsigned k = 0; k < lines; k++)
			total += g[k];
		left = total;
		for (unsigned k = 0; k < lines; k += 2) {
			uint16_t plus = dropped(xbar, g[k], below[k] + left);
			uint16_t minus = dropped(xbar, g[k + 1], below[k + 1] + left);

			set_quanta(xbar, tile, xbar_at(xbar, row, k / 2), plus - minus);
			passed += g[k] + g[k + 1];
			left += total - passed;
		}
		for (unsigned k = 0; k < lines; k++) {
			above[k] += g[k];
			below[k] -= above[k];
		}
	}
}

/* ---- refresh ----------------------------------------------------------------------------------------------------- */

/* Variances as whole multiples, at most XBAR_SQUARE_MAX, of a power of two that suits the largest. */
static void scale_variances(struct xbar *xbar, struct xbar_tile *tile)
{
	size_t count = (size_t)xbar->profile->rows * xbar->profile->cols;
	const float *variance = xbar->scratch_float;
	float largest = 0.0f, unit = 1.0f;

	for (size_t k = 0; k < count; k++)
		largest = variance[k] > largest ? variance[k] : largest;
	for (tile->variance_exponent = 0; largest > (float)XBAR_SQUARE_MAX * unit; tile->variance_exponent++)
		unit = unit * 2.0f;
	for (size_t k = 0; k < count; k++)
		tile->variance[k] = (int8_t)xbar_round(variance[k] / unit);
}

static void refresh(struct xbar *xbar, unsigned number)
{
	struct xbar_tile *tile = &xbar->tiles[number];
	unsigned cols = xbar->profile->cols;
	size_t count = (size_t)xbar->profile->rows * cols;
	uint16_t *g = xbar->scratch_quanta;

	for (size_t k = 0; k < count; k++) {
		struct xbar_cell at = {.tile = number, .row = (unsigned)(k / cols), .col = (unsigned)(k % cols)};
		float variance;

		g[2 * k] = xbar_device_quanta(xbar, &at);
		variance = xbar_device_variance(xbar, &at, g[2 * k]);
		at.side = 1;
		g[2 * k + 1] = xbar_device_quanta(xbar, &at);
		xbar->scratch_float[k] = variance + xbar_device_variance(xbar, &at, g[2 * k + 1]);
		if (!(xbar->options.effects & XBAR_IR_DROP))
			set_quanta(xbar, tile, k, g[2 * k] - g[2 * k + 1]);
	}
	if (xbar->options.effects & XBAR_IR_DROP)
		drop(xbar, tile, g);
	if (xbar->options.effects & XBAR_READ_NOISE)
		scale_variances(xbar, tile);
	for (unsigned k = 0; k < XBAR_DIRECTIONS * XBAR_CONTENTS; k++)
		tile->plane[k / XBAR_CONTENTS][k % XBAR_CONTENTS].valid = false;
	tile->stale = false;
}

void xbar_plane_all_changed(struct xbar *xbar)
{
	for (unsigned number = 0; number < xbar->profile->tiles; number++)
		xbar->tiles[number].stale = true;
}

void xbar_plane_changed(struct xbar *xbar, unsigned number, unsigned row, unsigned col)
{
	struct xbar_tile *tile = &xbar->tiles[number];
	struct xbar_cell at = {.tile = number, .row = row, .col = col};
	int quanta;

	if (tile->stale || xbar->options.effects & EFFECTS_ON_ALL) {
		tile->stale = true;
		return;
	}
	quanta = xbar_device_quanta(xbar, &at);
	at.side = 1;
	set_quanta(xbar, tile, xbar_at(xbar, row, col), quanta - xbar_device_quanta(xbar, &at));
	for (unsigned direction = 0; direction < XBAR_DIRECTIONS; direction++)
		for (unsigned content = 0; content < XBAR_CONTENTS; content++)
			if (tile->plane[direction][content].valid)
				put(xbar, tile, direction, content, row, col);
}

bool xbar_plane_is_codes(struct xbar *xbar, unsigned number)
{
	struct xbar_tile *tile = &xbar->tiles[number];

	if (tile->stale)
		refresh(xbar, number);
	return !tile->uneven;
}

const struct xbar_plane *xbar_plane_of(struct xbar *xbar, unsigned number, enum xbar_direction direction,
				       enum xbar_content content)
{
	struct xbar_tile *tile = &xbar->tiles[number];
	struct xbar_plane *plane = &tile->plane[direction][content];

	if (tile->stale)
		refresh(xbar, number);
	for (unsigned row = 0; !plane->valid && row < xbar->profile->rows; row++)
		for (unsigned col = 0; col < xbar->profile->cols; col++)
			put(xbar, tile, direction, content, row, col);
	plane->valid = true;
	return plane;
}
