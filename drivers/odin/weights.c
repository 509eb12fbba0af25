/* SPDX-License-Identifier: MIT */
/* Synapse memory: one frame a byte, that is a pair of columns; an edge inside a pair keeps the other weight by mask. */
#include "odin.h"

/* The pairs of columns that a region touches, row by row. */
struct pairs {
	uint32_t first; /* leftmost pair */
	uint32_t count; /* in a row */
	uint32_t total;
};

static struct pairs pairs_of(const struct nmhal_region *region)
{
	uint32_t first = region->col / 2;
	uint32_t count = (region->col + region->cols - 1) / 2 - first + 1;

	return (struct pairs){first, count, count * region->rows};
}

/* Frame of one pair of a row; codes and columns count from the region's left edge. */
static uint64_t pair_frame(uint32_t row, uint32_t pair, const struct nmhal_region *region, const int16_t *codes)
{
	uint32_t even = pair * 2 - region->col; /* wraps to a huge number when it lies left of the region */
	uint32_t odd = even + 1;
	bool has_even = even < region->cols, has_odd = odd < region->cols;
	unsigned keep = (has_even ? 0 : ODIN_KEEP_LOW) | (has_odd ? 0 : ODIN_KEEP_HIGH);

	return odin_synapse_write(row, pair, keep,
		odin_weight_pair(has_even ? codes[even] : 0, has_odd ? codes[odd] : 0));
}

int odin_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct odin *odin = self;
	struct pairs pairs = pairs_of(region);
	int status = odin_begin_memory(odin, deadline_ns);

	for (uint32_t k = 0; k < pairs.total && status == NMHAL_OK;) {
		for (; k < pairs.total && odin_room(odin); k++) {
			uint32_t row = k / pairs.count, pair = pairs.first + k % pairs.count;

			odin_put(odin, pair_frame(region->row + row, pair, region, codes + row * stride));
		}
		status = odin_send_writes(odin, deadline_ns);
		if (status == NMHAL_OK && k < pairs.total)
			status = nmhal_host_poll(odin->host, deadline_ns, "write weights");
	}
	return status;
}

int odin_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns)
{
	struct odin *odin = self;
	struct pairs pairs = pairs_of(region);
	int status = odin_begin_memory(odin, deadline_ns);

	for (uint32_t k = 0, end = 0; k < pairs.total && status == NMHAL_OK;) {
		const uint32_t *reply = odin->replies + odin->frame_count;

		for (; end < pairs.total && odin_room(odin); end++)
			odin_put(odin, odin_synapse_read(region->row + end / pairs.count,
				pairs.first + end % pairs.count));
		status = odin_send(odin, true, deadline_ns);
		for (; k < end && status == NMHAL_OK; k++, reply++) {
			int16_t *row = codes + k / pairs.count * stride;
			uint32_t even = (pairs.first + k % pairs.count) * 2 - region->col;

			if (even < region->cols)
				row[even] = odin_weight(*reply);
			if (even + 1 < region->cols)
				row[even + 1] = odin_weight(*reply >> 4);
		}
		if (status == NMHAL_OK && k < pairs.total)
			status = nmhal_host_poll(odin->host, deadline_ns, "read weights");
	}
	return status;
}

/* True when the cell after `cell` is the other half of its byte. */
static bool shares_byte(const struct nmhal_cell *cell)
{
	return cell[1].row == cell->row && cell[1].col / 2 == cell->col / 2;
}

/* Frame of the first cell, or of two when they share a byte; *used says how many. */
static uint64_t cells_frame(const struct nmhal_cell *cells, size_t left, size_t *used)
{
	uint32_t row = cells->row, pair = cells->col / 2;

	if (left > 1 && shares_byte(cells)) {
		*used = 2;
		return odin_synapse_write(row, pair, ODIN_KEEP_NONE, odin_weight_pair(cells[0].code, cells[1].code));
	}
	*used = 1;
	if (cells->col & 1)
		return odin_synapse_write(row, pair, ODIN_KEEP_LOW, odin_weight_pair(0, cells->code));
	return odin_synapse_write(row, pair, ODIN_KEEP_HIGH, odin_weight_pair(cells->code, 0));
}

int odin_write_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct odin *odin = self;
	int status = odin_begin_memory(odin, deadline_ns);

	for (size_t k = 0, used; k < count && status == NMHAL_OK;) {
		for (; k < count && odin_room(odin); k += used)
			odin_put(odin, cells_frame(cells + k, count - k, &used));
		status = odin_send_writes(odin, deadline_ns);
		if (status == NMHAL_OK && k < count)
			status = nmhal_host_poll(odin->host, deadline_ns, "write cells");
	}
	return status;
}

int odin_read_cells(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct odin *odin = self;
	int status = odin_begin_memory(odin, deadline_ns);

	for (size_t k = 0, end = 0; k < count && status == NMHAL_OK;) {
		const uint32_t *reply = odin->replies + odin->frame_count;

		for (; end < count && odin_room(odin); end++) {
			odin_put(odin, odin_synapse_read(cells[end].row, cells[end].col / 2));
			if (end + 1 < count && shares_byte(cells + end))
				end++;
		}
		status = odin_send(odin, true, deadline_ns);
		for (; k < end && status == NMHAL_OK; k++, reply++) {
			cells[k].code = odin_weight(*reply >> (cells[k].col & 1) * 4);
			if (k + 1 < end && shares_byte(cells + k)) {
				k++;
				cells[k].code = odin_weight(*reply >> 4);
			}
		}
		if (status == NMHAL_OK && k < count)
			status = nmhal_host_poll(odin->host, deadline_ns, "read cells");
	}
	return status;
}
