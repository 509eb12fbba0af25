/* SPDX-License-Identifier: MIT */
/* Programming and reading weights. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

static int check_sources(struct nmhal_device *dev, const struct nmhal_program *op, const char *what)
{
	if (op->codes && op->cells)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: both codes and cells: give one of them", what);
	if (!op->codes && !op->cells)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: neither codes nor cells: give one of them", what);
	if (op->codes && op->cell_count)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: codes and a cell count of %zu: cells is NULL", what,
			op->cell_count);
	return NMHAL_OK;
}

int nm_flags_check(struct nmhal_device *dev, uint32_t flags, const char *what)
{
	const uint32_t known = NMHAL_PROGRAM_VERIFY | NMHAL_PROGRAM_ONLY_CHANGED;

	if (flags & ~known)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: flags 0x%x: known are 0x%x", what, flags, known);
	return NMHAL_OK;
}

int nm_program_check(struct nmhal_device *dev, struct nmhal_program *op, const char *what)
{
	int status = nm_flags_check(dev, op->flags, what);

	if (!op->tolerance)
		op->tolerance = dev->caps.weight_tolerance;
	if (!status)
		status = check_sources(dev, op, what);
	if (status || op->cells)
		return status ? status : nm_cells_check(dev, op->cells, op->cell_count);
	status = nm_region_check(dev, &op->region);
	if (!status)
		status = nm_type_check(dev, op->code_type, 0, 0, what);
	return status ? status : nm_stride_check(dev, &op->row_stride, op->region.cols, what);
}

int nm_weight_outside(struct nmhal_device *dev, const struct nmhal_cell *cell)
{
	return nm_fail(dev->uri, NMHAL_E_INVALID, "weight %d at row %u, column %u of core %u: outside %d..%d",
		cell->code, cell->row, cell->col, cell->core, dev->caps.weight_min, dev->caps.weight_max);
}

/* Brings the caller's codes into shadow.wanted, [rows][cols] of the region, checking each. */
static int take_codes(struct nmhal_device *dev, const struct nmhal_program *op)
{
	const struct nmhal_region *region = &op->region;
	int32_t *line = dev->shadow.line;

	for (uint32_t r = 0; r < region->rows; r++) {
		int16_t *wanted = dev->shadow.wanted + (size_t)r * region->cols;
		uint32_t bad;

		nm_codes_load(op->codes, op->code_type, r * op->row_stride, region->cols, line);
		bad = nm_codes_outside(line, NMHAL_CODE_I32, 0, region->cols, dev->caps.weight_min,
			dev->caps.weight_max, line);
		if (bad < region->cols)
			return nm_weight_outside(
				dev, &(struct nmhal_cell){region->core, region->row + r, region->col + bad, line[bad]});
		for (uint32_t c = 0; c < region->cols; c++)
			wanted[c] = (int16_t)line[c];
	}
	return NMHAL_OK;
}

/* The cells of the region whose wanted code differs from the shadow's, [count]. */
static void list_changed(struct nm_shadow *shadow, const struct nmhal_region *region, struct nmhal_cell *list)
{
	for (uint32_t r = 0; r < region->rows; r++) {
		const int16_t *wanted = shadow->wanted + (size_t)r * region->cols;
		const int16_t *old = nm_shadow_row(shadow, region->core, region->row + r) + region->col;

		for (uint32_t c = 0; c < region->cols; c++)
			if (wanted[c] != old[c])
				*list++ =
					(struct nmhal_cell){region->core, region->row + r, region->col + c, wanted[c]};
	}
}

static size_t count_changed(struct nm_shadow *shadow, const struct nmhal_region *region)
{
	size_t count = 0;

	for (uint32_t r = 0; r < region->rows; r++) {
		const int16_t *wanted = shadow->wanted + (size_t)r * region->cols;
		const int16_t *old = nm_shadow_row(shadow, region->core, region->row + r) + region->col;

		for (uint32_t c = 0; c < region->cols; c++)
			count += wanted[c] != old[c];
	}
	return count;
}

static int verify_region(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	const struct nmhal_region *region = &op->region;
	size_t cells = (size_t)region->rows * region->cols;
	const int16_t *wanted = dev->shadow.wanted;
	const int16_t *found = dev->shadow.found;
	int status = dev->ops.read_weights(dev->self, region, dev->shadow.found, region->cols, deadline_ns);

	if (status) {
		nm_shadow_forget(&dev->shadow, region->core, region->row, region->rows);
		return status;
	}
	for (size_t i = 0; i < cells; i++) {
		if (found[i] != wanted[i])
			nm_verify_cell(dev,
				&(struct nmhal_cell){region->core, region->row + (uint32_t)(i / region->cols),
					region->col + (uint32_t)(i % region->cols), found[i]},
				wanted[i], op->tolerance, report);
	}
	return nm_verify_end(dev, report, cells);
}

/* Writes all of a region, whose codes are in shadow.wanted. */
static int write_region(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	const struct nmhal_region *region = &op->region;
	const int16_t *wanted = dev->shadow.wanted;
	int status = dev->ops.write_weights(dev->self, region, wanted, region->cols, deadline_ns);

	if (status) {
		nm_shadow_forget(&dev->shadow, region->core, region->row, region->rows);
		return status;
	}
	nm_shadow_store(&dev->shadow, region, wanted, region->cols);
	report->cells_written += (uint64_t)region->rows * region->cols;
	return op->flags & NMHAL_PROGRAM_VERIFY ? verify_region(dev, op, report, deadline_ns) : NMHAL_OK;
}

static int write_cells(struct nmhal_device *dev, const struct nmhal_program *op, const struct nm_cells *cells,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	int status = nm_cells_write(dev, cells, report, deadline_ns);

	if (!status && cells->count && op->flags & NMHAL_PROGRAM_VERIFY)
		status = nm_cells_verify(dev, cells, op->tolerance, report, deadline_ns);
	return status;
}

static int program_region(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	const struct nmhal_region *region = &op->region;
	size_t total = (size_t)region->rows * region->cols;
	struct nm_cells changed;
	int status = take_codes(dev, op);

	if (status || !(op->flags & NMHAL_PROGRAM_ONLY_CHANGED))
		return status ? status : write_region(dev, op, report, deadline_ns);
	status = nm_rows_learn(dev, region->core, region->row, region->rows, deadline_ns);
	if (status)
		return status;
	changed.count = count_changed(&dev->shadow, region);
	report->cells_skipped += total - changed.count;
	if (changed.count == 0)
		return NMHAL_OK;
	if (changed.count == total)
		return write_region(dev, op, report, deadline_ns);
	changed.list = calloc(changed.count, sizeof(*changed.list));
	if (!changed.list)
		return nm_no_memory(dev->uri, "the list of changed weights");
	list_changed(&dev->shadow, region, changed.list);
	status = write_cells(dev, op, &changed, report, deadline_ns);
	free(changed.list);
	return status;
}

static int program_cells(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	struct nm_cells cells;
	int status = NMHAL_OK;

	for (size_t i = 0; i < op->cell_count; i++)
		if (op->cells[i].code < caps->weight_min || op->cells[i].code > caps->weight_max)
			return nm_weight_outside(dev, &op->cells[i]);
	if (!op->cell_count)
		return NMHAL_OK;
	status = nm_cells_sort(dev, op->cells, op->cell_count, false, &cells);
	if (status)
		return status;
	if (op->flags & NMHAL_PROGRAM_ONLY_CHANGED) {
		status = nm_cells_learn(dev, &cells, deadline_ns);
		if (!status)
			report->cells_skipped += nm_cells_drop_same(dev, &cells);
	}
	if (!status)
		status = write_cells(dev, op, &cells, report, deadline_ns);
	free(cells.list);
	return status;
}

int nm_program_locked(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	struct nmhal_program checked = *op;
	int status = nm_program_check(dev, &checked, "program weights");

	if (status)
		return status;
	return checked.cells ? program_cells(dev, &checked, report, deadline_ns)
			     : program_region(dev, &checked, report, deadline_ns);
}

int nm_program_call(struct nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report,
	const char *what, nm_program_fn locked)
{
	struct nmhal_program known;
	struct nmhal_program_report filled = {0};
	int64_t deadline_ns;
	int status =
		report ? nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_program_report")
		       : NMHAL_OK;

	if (!status)
		status = nm_copy_in(&known, sizeof(known), sizeof(known), op, "struct nmhal_program");
	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, what, &deadline_ns);
	if (status)
		return status;
	status = nm_device_leave(dev, locked(dev, &known, &filled, deadline_ns));
	if (report)
		(void)nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_program_report");
	return status;
}

int nmhal_program_weights(nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report)
{
	return nm_program_call(dev, op, report, "program weights", nm_program_locked);
}

int nm_read_weights_locked(
	struct nmhal_device *dev, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns)
{
	int status = dev->ops.read_weights(dev->self, region, codes, stride, deadline_ns);

	if (!status)
		nm_shadow_learn(&dev->shadow, region, codes, stride);
	return status;
}

static int read_weights(struct nmhal_device *dev, struct nmhal_region *region, void *codes, size_t stride,
	uint32_t type, int64_t deadline_ns)
{
	int16_t *found = dev->shadow.found;
	int status;

	if (!codes)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "read weights: codes is NULL");
	status = nm_region_check(dev, region);
	if (!status)
		status = nm_type_check(dev, type, dev->caps.weight_min, dev->caps.weight_max, "read weights");
	if (!status)
		status = nm_stride_check(dev, &stride, region->cols, "read weights");
	if (status)
		return status;
	if (type == NMHAL_CODE_I16)
		return nm_read_weights_locked(dev, region, codes, stride, deadline_ns);
	status = nm_read_weights_locked(dev, region, found, region->cols, deadline_ns);
	for (uint32_t r = 0; !status && r < region->rows; r++)
		nm_codes_store(codes, type, r * stride, region->cols, found + (size_t)r * region->cols);
	return status;
}

int nmhal_read_weights(nmhal_device *dev, const struct nmhal_region *region, void *codes, size_t row_stride,
	uint32_t code_type, int32_t timeout_ms)
{
	struct nmhal_region part = region ? *region : (struct nmhal_region){0};
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "read weights", &deadline_ns);

	if (status)
		return status;
	return nm_device_leave(dev, read_weights(dev, &part, codes, row_stride, code_type, deadline_ns));
}
