/* SPDX-License-Identifier: MIT */
/* Weights: rectangles and single cells, in as few requests as the board's frames allow, all in flight together. */
#include "codes.h"
#include "link.h"

bool link_next_part(const struct nmhal_region *region, uint32_t most, struct link_part *part)
{
	if (part->rows) { /* there is one before */
		part->col += part->cols;
		if (part->col == region->cols) {
			part->col = 0;
			part->row += part->rows;
		}
	}
	if (part->row == region->rows)
		return false;
	part->cols = region->cols - part->col;
	part->rows = 1;
	if (part->cols > most)
		part->cols = most;
	else if (!part->col)
		part->rows = most / part->cols;
	if (part->rows > region->rows - part->row)
		part->rows = region->rows - part->row;
	return true;
}

int link_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "write weights", .region = region, .deadline_ns = deadline_ns};
	const unsigned bytes = dev->caps.weight.bytes;
	const uint32_t most = (link_payload_room(dev) - NMLINK_SIZE_write_request) / bytes;
	struct link_part part = {0};
	int status = link_begin(dev, &call);
	uint8_t *payload;

	while (status == NMHAL_OK && link_next_part(region, most, &part)) {
		const struct nmlink_write_request request = {.tile = (uint16_t)region->core,
			.row = (uint16_t)(region->row + part.row), .col = (uint16_t)(region->col + part.col),
			.rows = (uint16_t)part.rows, .cols = (uint16_t)part.cols};
		uint8_t *end;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		end = nmlink_put_write_request(payload, &request);
		for (uint32_t row = 0; row < part.rows; row++)
			end = link_pack(end, bytes, codes + (part.row + row) * stride + part.col, NMHAL_CODE_I16,
				part.cols);
		status = link_post(dev, NMLINK_OP_WRITE, (uint32_t)(end - payload), NULL, NULL);
	}
	return link_finish(dev, status);
}

struct reading {
	const struct nmhal_region *region;
	int16_t *codes;
	size_t stride;
};

static void take_weights(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	const struct nmlink_weight_cap *weight = &dev->caps.weight;
	const struct reading *reading = dev->call.user;
	const uint32_t line = part->cols * weight->bytes;

	if (!link_size_is(dev, size, part->rows * line))
		return;
	for (uint32_t row = 0; row < part->rows; row++) {
		int16_t *codes = reading->codes + (part->row + row) * reading->stride + part->col;

		if (!link_unpack(codes, NMHAL_CODE_I16, payload + row * line, weight->bytes, part->cols, weight->min,
			weight->max))
			link_note(dev, NMHAL_E_PROTOCOL, "the board answered weights outside its range %d..%d in row %u",
				weight->min, weight->max, reading->region->row + part->row + row);
	}
}

int link_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns)
{
	struct link_device *dev = self;
	struct reading reading = {region, codes, stride};
	const struct link_call call = {.what = "read weights", .region = region, .user = &reading,
		.deadline_ns = deadline_ns};
	const uint32_t most = link_payload_room(dev) / dev->caps.weight.bytes;
	const uint64_t use = dev->use++;
	struct link_part part = {0};
	int status = link_begin(dev, &call);
	uint8_t *payload;

	while (status == NMHAL_OK && link_next_part(region, most, &part)) {
		const struct nmlink_read_request request = {.tile = (uint16_t)region->core,
			.row = (uint16_t)(region->row + part.row), .col = (uint16_t)(region->col + part.col),
			.rows = (uint16_t)part.rows, .cols = (uint16_t)part.cols, .use = use};

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		nmlink_put_read_request(payload, &request);
		status = link_post(dev, NMLINK_OP_READ, NMLINK_SIZE_read_request, take_weights, &part);
	}
	return link_finish(dev, status);
}

/* ---- single cells ------------------------------------------------------------------------------------------------ */

/* Cells of the same core from `first` on, at most `most`. */
static uint32_t same_core(const struct nmhal_cell *cells, size_t first, size_t count, uint32_t most)
{
	uint32_t n = 1;

	while (n < most && first + n < count && cells[first + n].core == cells[first].core)
		n++;
	return n;
}

static uint8_t *put_cells(uint8_t *to, const struct nmhal_cell *cells, uint32_t count, bool codes)
{
	for (uint32_t n = 0; n < count; n++) {
		const struct nmlink_cell_record record = {.row = (uint16_t)cells[n].row, .col = (uint16_t)cells[n].col,
			.code = codes ? (int16_t)cells[n].code : 0};

		to = nmlink_put_cell_record(to, &record);
	}
	return to;
}

int link_write_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "write cells", .unit = "cells", .count = count,
		.deadline_ns = deadline_ns};
	const uint32_t most = (link_payload_room(dev) - NMLINK_SIZE_write_cells_request) / NMLINK_SIZE_cell_record;
	int status = link_begin(dev, &call);
	uint8_t *payload;

	for (size_t first = 0; status == NMHAL_OK && first < count;) {
		const struct nmlink_write_cells_request request = {.tile = (uint16_t)cells[first].core};
		const uint32_t part = same_core(cells, first, count, most);
		const uint8_t *end;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		end = put_cells(nmlink_put_write_cells_request(payload, &request), cells + first, part, true);
		status = link_post(dev, NMLINK_OP_WRITE_CELLS, (uint32_t)(end - payload), NULL, NULL);
		first += part;
	}
	return link_finish(dev, status);
}

static void take_cells(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	const struct nmlink_weight_cap *weight = &dev->caps.weight;
	struct nmhal_cell *const *cells = dev->call.user;

	if (!link_size_is(dev, size, part->rows * 2))
		return;
	for (uint32_t n = 0; n < part->rows; n++) {
		struct nmhal_cell *cell = *cells + part->row + n;

		cell->code = nmlink_load_s16(payload + 2 * n);
		if (cell->code < weight->min || cell->code > weight->max)
			link_note(dev, NMHAL_E_PROTOCOL,
				"the board answered weight %d at row %u, column %u of core %u, its range is %d..%d",
				cell->code, cell->row, cell->col, cell->core, weight->min, weight->max);
	}
}

int link_read_cells(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "read cells", .unit = "cells", .count = count, .user = &cells,
		.deadline_ns = deadline_ns};
	const uint32_t most = (link_payload_room(dev) - NMLINK_SIZE_read_cells_request) / NMLINK_SIZE_cell_record;
	const uint64_t use = dev->use++;
	int status = link_begin(dev, &call);
	uint8_t *payload;

	for (size_t first = 0; status == NMHAL_OK && first < count;) {
		const struct nmlink_read_cells_request request = {.tile = (uint16_t)cells[first].core, .use = use};
		const struct link_part part = {.row = (uint32_t)first, .rows = same_core(cells, first, count, most)};
		const uint8_t *end;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		end = put_cells(nmlink_put_read_cells_request(payload, &request), cells + first, part.rows,
			false);
		status = link_post(dev, NMLINK_OP_READ_CELLS, (uint32_t)(end - payload), take_cells, &part);
		first += part.rows;
	}
	return link_finish(dev, status);
}

/* The part of a delta that a record can hold. */
static int16_t step_of(int64_t delta)
{
	return (int16_t)(delta > INT16_MAX ? INT16_MAX : delta < INT16_MIN ? INT16_MIN : delta);
}

/*
 * Records for as many cells as there is room for; *first: the next cell, *left: what is still to be added to it. A sum
 * saturates the same in one step or in several of the same sign, and a delta wider than the range like one as wide.
 */
static uint8_t *put_deltas(uint8_t *to, uint32_t room, const struct nmhal_cell *cells, size_t count, int64_t span,
	size_t *first, int64_t *left)
{
	const uint32_t core = cells[*first].core;

	while (room-- && *first < count && cells[*first].core == core) {
		const struct nmhal_cell *cell = cells + *first;
		int64_t delta = *left ? *left : cell->code > span ? span : cell->code < -span ? -span : cell->code;
		struct nmlink_cell_record record = {.row = (uint16_t)cell->row, .col = (uint16_t)cell->col};

		record.code = step_of(delta);
		to = nmlink_put_cell_record(to, &record);
		*left = delta - record.code;
		*first += !*left;
	}
	return to;
}

int link_add_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "add to cells", .unit = "cells", .count = count,
		.deadline_ns = deadline_ns};
	const uint32_t most = (link_payload_room(dev) - NMLINK_SIZE_add_cells_request) / NMLINK_SIZE_cell_record;
	const int64_t span = (int64_t)dev->caps.weight.max - dev->caps.weight.min;
	int status = link_begin(dev, &call);
	int64_t left = 0;
	uint8_t *payload;

	for (size_t first = 0; status == NMHAL_OK && first < count;) {
		const struct nmlink_add_cells_request request = {.tile = (uint16_t)cells[first].core};
		const uint8_t *end;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		end = put_deltas(nmlink_put_add_cells_request(payload, &request), most, cells, count, span, &first,
			&left);
		status = link_post(dev, NMLINK_OP_ADD_CELLS, (uint32_t)(end - payload), NULL, NULL);
	}
	return link_finish(dev, status);
}
