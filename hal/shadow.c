/* SPDX-License-Identifier: MIT */
/* What the core believes the device holds, so that programming can skip what is already there. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

int nm_shadow_init(struct nm_shadow *shadow, const struct nmhal_device_caps *caps)
{
	size_t core_cells = (size_t)caps->rows * caps->cols;
	size_t longest = caps->rows > caps->cols ? caps->rows : caps->cols;

	*shadow = (struct nm_shadow){.cores = caps->cores, .rows = caps->rows, .cols = caps->cols,
		.tolerance = caps->weight_tolerance};
	shadow->codes = calloc(caps->cores, core_cells * sizeof(*shadow->codes));
	shadow->known = calloc(caps->cores, caps->rows);
	shadow->tiles = calloc(caps->cores, sizeof(*shadow->tiles));
	shadow->wanted = malloc(core_cells * sizeof(*shadow->wanted));
	shadow->found = malloc(core_cells * sizeof(*shadow->found));
	shadow->line = malloc(longest * sizeof(*shadow->line));
	if (!shadow->codes || !shadow->known || !shadow->tiles || !shadow->wanted || !shadow->found || !shadow->line) {
		nm_shadow_free(shadow);
		return nm_no_memory(NULL, "the copy of the device's weights");
	}
	for (uint32_t core = 0; core < caps->cores; core++)
		shadow->tiles[core].changes = 1;
	return NMHAL_OK;
}

void nm_shadow_free(struct nm_shadow *shadow)
{
	free(shadow->codes);
	free(shadow->known);
	free(shadow->tiles);
	free(shadow->wanted);
	free(shadow->found);
	free(shadow->line);
	*shadow = (struct nm_shadow){0};
}

static size_t row_index(const struct nm_shadow *shadow, uint32_t core, uint32_t row)
{
	return (size_t)core * shadow->rows + row;
}

int16_t *nm_shadow_row(struct nm_shadow *shadow, uint32_t core, uint32_t row)
{
	return shadow->codes + row_index(shadow, core, row) * shadow->cols;
}

bool nm_shadow_knows(const struct nm_shadow *shadow, uint32_t core, uint32_t row)
{
	return shadow->known[row_index(shadow, core, row)] != 0;
}

void nm_shadow_forget(struct nm_shadow *shadow, uint32_t core, uint32_t row, uint32_t rows)
{
	memset(shadow->known + row_index(shadow, core, row), 0, rows);
	shadow->tiles[core].changes++;
}

bool nm_shadow_knows_all(const struct nm_shadow *shadow, uint32_t core, uint32_t row, uint32_t rows)
{
	return !memchr(shadow->known + row_index(shadow, core, row), 0, rows);
}

void nm_shadow_set(struct nm_shadow *shadow, const struct nmhal_cell *cell)
{
	nm_shadow_row(shadow, cell->core, cell->row)[cell->col] = (int16_t)cell->code;
	shadow->tiles[cell->core].changes++;
}

/* Takes the codes that are further than `tolerance` from those held; false when there was none. */
static bool take_line(int16_t *held, const int16_t *codes, uint32_t cols, uint32_t tolerance)
{
	bool changed = false;

	if (memcmp(held, codes, cols * sizeof(*codes)) == 0)
		return false;
	if (!tolerance) {
		memcpy(held, codes, cols * sizeof(*codes));
		return true;
	}
	for (uint32_t c = 0; c < cols; c++) {
		if ((uint32_t)abs(codes[c] - held[c]) <= tolerance)
			continue;
		held[c] = codes[c];
		changed = true;
	}
	return changed;
}

static void take_codes(struct nm_shadow *shadow, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	uint32_t tolerance)
{
	bool changed = false;

	for (uint32_t r = 0; r < region->rows; r++) {
		const uint32_t row = region->row + r;
		const bool known = nm_shadow_knows(shadow, region->core, row);
		int16_t *held = nm_shadow_row(shadow, region->core, row) + region->col;

		/* What is read back and was known is no change. */
		changed = take_line(held, codes + r * stride, region->cols, known ? tolerance : 0) || !known || changed;
		if (region->cols == shadow->cols)
			shadow->known[row_index(shadow, region->core, row)] = 1;
	}
	shadow->tiles[region->core].changes += changed;
}

void nm_shadow_store(struct nm_shadow *shadow, const struct nmhal_region *region, const int16_t *codes, size_t stride)
{
	take_codes(shadow, region, codes, stride, 0);
}

void nm_shadow_learn(struct nm_shadow *shadow, const struct nmhal_region *region, const int16_t *codes, size_t stride)
{
	take_codes(shadow, region, codes, stride, shadow->tolerance);
}
