/* SPDX-License-Identifier: MIT */
/* Where the weights of an array sit, and what their cells conduct. */
#include <stdio.h>
#include <stdlib.h>

#include "hal/array.h"

int nmhal_array_locate(nmhal_array *array, uint32_t out, uint32_t in, uint32_t slice, struct nmhal_array_place *place)
{
	struct nmhal_array_place found = {0};
	const struct nm_block *block;

	if (!array)
		return nm_fail(NULL, NMHAL_E_INVALID, "array locate: array is NULL");
	if (out >= array->n_out || in >= array->n_in || slice >= array->slices)
		return nm_fail(array->devs[0]->uri, NMHAL_E_INVALID,
			"array locate W[%u][%u], slice %u: the array has %u x %u weights, %u slice(s)", out, in, slice,
			array->n_out, array->n_in, array->slices);
	block = nm_array_block(array, out, in, slice);
	found.dev = block->dev;
	found.core = block->core;
	found.row = in - block->in;
	found.col = out - block->out;
	return nm_copy_out(place, sizeof(*place), sizeof(*place), &found, "struct nmhal_array_place");
}

/* ---- as CSV ------------------------------------------------------------------------------------------------------ */

struct map {
	FILE *file;
	uint32_t *sides[2]; /* conductances of a block, [ins][outs] */
};

/* A field between quotation marks; those inside are doubled (RFC 4180). */
static void print_quoted(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++)
		fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
	fputc('"', file);
}

static void print_block(const struct map *map, const struct nm_block *block, bool cells)
{
	for (uint32_t row = 0; row < block->ins; row++) {
		for (uint32_t col = 0; col < block->outs; col++) {
			const size_t at = (size_t)row * block->outs + col;

			fprintf(map->file, "%u,%u,%u,", block->out + col, block->in + row, block->slice);
			print_quoted(map->file, block->dev->uri);
			fprintf(map->file, ",%u,%u,%u,%d,", block->core, row, col, block->codes[at]);
			if (cells)
				fprintf(map->file, "%u,%u\n", map->sides[0][at], map->sides[1][at]);
			else
				fputs(",\n", map->file);
		}
	}
}

static int map_block(struct nmhal_array *array, struct nm_block *block, void *arg, int64_t deadline_ns)
{
	const struct map *map = arg;
	const bool cells = block->dev->caps.features & NMHAL_CAN_CELLS;
	int status = nm_array_bring_back(array, block, "array map", deadline_ns);

	for (uint32_t side = 0; !status && cells && side < 2; side++) {
		struct nmhal_conductance_read op = {.struct_size = sizeof(op),
			.region = {.core = block->core, .rows = block->ins, .cols = block->outs},
			.side = side,
			.conductance_ps = map->sides[side]};

		status = nm_read_conductance_locked(block->dev, &op, deadline_ns);
	}
	if (!status)
		print_block(map, block, cells);
	return status;
}

static int print_map(struct nmhal_array *array, FILE *file, int32_t timeout_ms)
{
	/* The first block is the largest. */
	const size_t most = (size_t)array->blocks[0].ins * array->blocks[0].outs;
	uint32_t *room = malloc(2 * most * sizeof(*room));
	struct map map = {file, {room, room + most}};
	int status;

	if (!room)
		return nm_no_memory(array->devs[0]->uri, "array map");
	fputs("out,in,slice,device,core,row,col,code,plus_ps,minus_ps\n", file);
	status = nm_array_each_block(array, timeout_ms, "array map", map_block, &map);
	free(room);
	return status;
}

int nmhal_array_export_csv(nmhal_array *array, const char *path, int32_t timeout_ms)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file;
	bool lost;
	int status;

	if (!array || !path)
		return nm_fail(
			NULL, NMHAL_E_INVALID, "array map: %s is NULL", array ? "the name of the file" : "array");
	if (array->held)
		return nm_unsupported(array->devs[0], "array map", "codes");
	file = open_memstream(&text, &size);
	if (!file)
		return nm_no_memory(array->devs[0]->uri, "array map");
	pthread_mutex_lock(&array->lock);
	status = print_map(array, file, timeout_ms);
	pthread_mutex_unlock(&array->lock);
	lost = ferror(file);
	if ((fclose(file) || lost || !text) && !status)
		status = nm_no_memory(array->devs[0]->uri, "array map");
	if (!status)
		status = nm_file_replace(path, text, size);
	free(text);
	return status;
}
