/* SPDX-License-Identifier: MIT */
#include "heatmap.h"

#include <stdlib.h>
#include <string.h>

#define LEVELS 9
#define RASTER_LINES 32u
#define RASTER_MARGIN 6u

struct map {
	const int32_t *codes;
	uint32_t rows, cols, block; /* block x block cells are drawn as one */
	int32_t limit;
};

/* -LEVELS..LEVELS of the mean of a block; small codes of either sign stay apart from zero. */
static int level_at(const struct map *map, uint32_t row, uint32_t col)
{
	int64_t sum = 0, cells = 0;

	for (uint32_t r = row * map->block; r < (row + 1) * map->block && r < map->rows; r++)
		for (uint32_t c = col * map->block; c < (col + 1) * map->block && c < map->cols; c++, cells++)
			sum += map->codes[(size_t)r * map->cols + c];
	if (cells == 0 || sum == 0)
		return 0;
	if (map->limit <= LEVELS && map->block == 1)
		return (int)sum;
	int64_t scale = cells * map->limit;
	int64_t level = (llabs(sum) * LEVELS + scale - 1) / scale;
	return (int)(sum < 0 ? -level : level);
}

/* xterm's colour cube: blue for negative, red for positive, brighter with size. */
static int colour(int level)
{
	int size = abs(level);
	int bright = (size * 5 + LEVELS - 1) / LEVELS, pale = size > 6 ? (size - 6) : 0;

	if (level == 0)
		return 234;
	return level < 0 ? 16 + 6 * pale + bright : 16 + 36 * bright + 6 * pale;
}

static void draw_colour(FILE *stream, const struct map *map)
{
	uint32_t rows = (map->rows + map->block - 1) / map->block, cols = (map->cols + map->block - 1) / map->block;

	/* The upper half block shows two rows of cells in one line of text. */
	for (uint32_t row = 0; row < rows; row += 2) {
		for (uint32_t col = 0; col < cols; col++) {
			fprintf(stream, "\033[38;5;%dm", colour(level_at(map, row, col)));
			if (row + 1 < rows)
				fprintf(stream, "\033[48;5;%dm", colour(level_at(map, row + 1, col)));
			fputs("\u2580", stream);
		}
		fputs("\033[0m\n", stream);
	}
}

void heatmap_draw(FILE *stream, const int32_t *codes, uint32_t rows, uint32_t cols, int32_t limit, unsigned columns)
{
	static const char signs[] = "ihgfedcba.123456789";
	struct map map = {.codes = codes, .rows = rows, .cols = cols, .block = 1, .limit = limit > 0 ? limit : 1};

	if (columns > 0) {
		map.block = (cols + columns - 1) / columns;
		draw_colour(stream, &map);
		return;
	}
	for (uint32_t row = 0; row < rows; row++) {
		for (uint32_t col = 0; col < cols; col++)
			putc(signs[level_at(&map, row, col) + LEVELS], stream);
		putc('\n', stream);
	}
}

static char density(unsigned count)
{
	return count == 0 ? ' ' : count == 1 ? '.' : count < 4 ? ':' : count < 16 ? '+' : '#';
}

void raster_draw(FILE *stream, const struct nmhal_event *events, size_t count, uint64_t steps, uint32_t neurons,
	unsigned columns)
{
	uint32_t lines = neurons < RASTER_LINES ? neurons : RASTER_LINES;
	uint64_t width = columns > RASTER_MARGIN + 10 ? columns - RASTER_MARGIN : 10;

	width = steps < width ? (steps > 0 ? steps : 1) : width;
	unsigned *cells = calloc((size_t)lines * width, sizeof(*cells));
	if (cells == NULL || lines == 0) {
		free(cells);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t x = (uint64_t)((double)events[i].step * (double)width / (double)(steps > 0 ? steps : 1));
		uint64_t y = (uint64_t)events[i].address * lines / neurons;
		if (x < width && y < lines)
			cells[y * width + x]++;
	}
	for (uint32_t y = 0; y < lines; y++) {
		fprintf(stream, "%4u |", (unsigned)((uint64_t)y * neurons / lines));
		for (uint64_t x = 0; x < width; x++)
			putc(density(cells[y * width + x]), stream);
		putc('\n', stream);
	}
	free(cells);
}
