/* SPDX-License-Identifier: MIT */
/* Adding deltas to weights. */
#include <stdlib.h>

#include "hal/hal.h"

/* The non-zero deltas of a matrix: fills list unless it is NULL, returns their number. */
static size_t deltas_of_codes(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_cell *list)
{
	const struct nmhal_region *region = &op->region;
	int32_t *line = dev->shadow.line;
	size_t count = 0;

	for (uint32_t r = 0; r < region->rows; r++) {
		nm_codes_load(op->codes, op->code_type, r * op->row_stride, region->cols, line);
		for (uint32_t c = 0; c < region->cols; c++) {
			if (line[c] && list)
				list[count] =
					(struct nmhal_cell){region->core, region->row + r, region->col + c, line[c]};
			count += line[c] != 0;
		}
	}
	return count;
}

static void drop_zeros(struct nm_cells *deltas)
{
	size_t kept = 0;

	for (size_t i = 0; i < deltas->count; i++)
		if (deltas->list[i].code)
			deltas->list[kept++] = deltas->list[i];
	deltas->count = kept;
}

static int take_deltas(struct nmhal_device *dev, const struct nmhal_program *op, struct nm_cells *deltas)
{
	int status;

	deltas->count = op->cells ? op->cell_count : deltas_of_codes(dev, op, NULL);
	if (!deltas->count)
		return NMHAL_OK;
	if (op->cells) {
		status = nm_cells_sort(dev, op->cells, op->cell_count, true, deltas);
		if (!status)
			drop_zeros(deltas);
		return status;
	}
	deltas->list = calloc(deltas->count, sizeof(*deltas->list));
	if (!deltas->list)
		return nm_no_memory(dev->uri, "the list of deltas");
	(void)deltas_of_codes(dev, op, deltas->list);
	return NMHAL_OK;
}

/* Turns deltas into the codes that result, from the shadow, which knows the rows. */
static void sum(struct nmhal_device *dev, struct nm_cells *cells, struct nmhal_program_report *report)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	for (size_t i = 0; i < cells->count; i++) {
		struct nmhal_cell *cell = &cells->list[i];
		int64_t code = (int64_t)nm_shadow_row(&dev->shadow, cell->core, cell->row)[cell->col] + cell->code;
		bool outside = code < caps->weight_min || code > caps->weight_max;

		if (outside)
			code = code < caps->weight_min ? caps->weight_min : caps->weight_max;
		report->cells_saturated += outside;
		cell->code = (int32_t)code;
	}
}

static bool knows_all(const struct nmhal_device *dev, const struct nm_cells *cells)
{
	for (size_t i = 0; i < cells->count; i++)
		if (!nm_shadow_knows(&dev->shadow, cells->list[i].core, cells->list[i].row))
			return false;
	return true;
}

/*
 * The board adds; only read-back then tells what it holds. Where what it held is not known but was read, that may be
 * off by the noise of a read as well.
 */
static int add_on_board(struct nmhal_device *dev, const struct nmhal_program *op, struct nm_cells *deltas,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	const bool verify = op->flags & NMHAL_PROGRAM_VERIFY;
	const uint32_t more = knows_all(dev, deltas) ? 0 : dev->caps.weight_tolerance;
	const uint32_t tolerance = op->tolerance < UINT32_MAX - more ? op->tolerance + more : UINT32_MAX;
	int status = verify ? nm_cells_learn(dev, deltas, deadline_ns) : NMHAL_OK;

	if (status)
		return status;
	status = nm_cells_add(dev, deltas, report, deadline_ns);
	if (status || !verify) {
		nm_cells_forget(dev, deltas->list, deltas->count);
		return status;
	}
	sum(dev, deltas, report);
	nm_cells_remember(&dev->shadow, deltas->list, deltas->count);
	return nm_cells_verify(dev, deltas, tolerance, report, deadline_ns);
}

static int add_here(struct nmhal_device *dev, const struct nmhal_program *op, struct nm_cells *deltas,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	int status = nm_cells_learn(dev, deltas, deadline_ns);

	if (status)
		return status;
	sum(dev, deltas, report);
	report->cells_skipped += nm_cells_drop_same(dev, deltas);
	status = nm_cells_write(dev, deltas, report, deadline_ns);
	if (!status && deltas->count && op->flags & NMHAL_PROGRAM_VERIFY)
		status = nm_cells_verify(dev, deltas, op->tolerance, report, deadline_ns);
	return status;
}

int nm_update_locked(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	struct nmhal_program checked = *op;
	struct nm_cells deltas = {0};
	int status = nm_program_check(dev, &checked, "update weights");

	if (!status)
		status = take_deltas(dev, &checked, &deltas);
	if (!status && deltas.count)
		status = dev->ops.add_cells ? add_on_board(dev, &checked, &deltas, report, deadline_ns)
					    : add_here(dev, &checked, &deltas, report, deadline_ns);
	free(deltas.list);
	return status;
}

int nmhal_update_weights(nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report)
{
	return nm_program_call(dev, op, report, "update weights", nm_update_locked);
}
