/* SPDX-License-Identifier: MIT */
/* Pictures for a terminal: weights as a heat map, spikes as a raster. */
#ifndef PROBE_HEATMAP_H
#define PROBE_HEATMAP_H

#include <stdint.h>
#include <stdio.h>

#include <nmhal/nmhal.h>

/* Draws codes[rows][cols] of the range -limit..limit: in colour when columns (of the terminal) is not 0, shrunk by
 * averaging to fit; else one character a cell: a..i negative, . zero, 1..9 positive. */
void heatmap_draw(FILE *stream, const int32_t *codes, uint32_t rows, uint32_t cols, int32_t limit, unsigned columns);
/* Draws events: neurons downward, steps to the right, in at most `columns` characters a line. */
void raster_draw(FILE *stream, const struct nmhal_event *events, size_t count, uint64_t steps, uint32_t neurons,
	unsigned columns);

#endif
