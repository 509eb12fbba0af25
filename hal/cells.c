/* SPDX-License-Identifier: MIT */
/* Lists of single cells: sorting, comparing with the shadow, writing in chunks, reading back. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

/* A call of a driver takes at most this many cells, so that deadlines and interrupts are seen soon. */
#define CHUNK ((size_t)4096)

struct order {
	uint64_t key;
	size_t index;
};

int nm_cells_check(struct nmhal_device *dev, const struct nmhal_cell *cells, size_t count)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	for (size_t i = 0; i < count; i++) {
		const struct nmhal_cell *cell = &cells[i];

		if (cell->core < caps->cores && cell->row < caps->rows && cell->col < caps->cols)
			continue;
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"cell %zu: row %u, column %u of core %u: the device has cores 0..%u, rows 0..%u, columns 0..%u",
			i, cell->row, cell->col, cell->core, caps->cores - 1, caps->rows - 1, caps->cols - 1);
	}
	return NMHAL_OK;
}

static uint64_t cell_key(const struct nmhal_device_caps *caps, const struct nmhal_cell *cell)
{
	return ((uint64_t)cell->core * caps->rows + cell->row) * caps->cols + cell->col;
}

static int by_key(const void *left, const void *right)
{
	const struct order *a = left;
	const struct order *b = right;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static bool in_order(const struct nmhal_device_caps *caps, const struct nmhal_cell *cells, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (cell_key(caps, &cells[i - 1]) >= cell_key(caps, &cells[i]))
			return false;
	return true;
}

static int32_t to_int32(int64_t sum)
{
	return sum < INT32_MIN ? INT32_MIN : sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
}

/* One cell per key, in the order of keys. */
static size_t merge(
	const struct order *order, const struct nmhal_cell *cells, size_t count, bool add, struct nmhal_cell *list)
{
	size_t merged = 0;

	for (size_t i = 0; i < count;) {
		uint64_t key = order[i].key;
		int64_t sum = 0;
		struct nmhal_cell last;

		do {
			last = cells[order[i].index];
			sum += last.code;
		} while (++i < count && order[i].key == key);
		if (add)
			last.code = to_int32(sum);
		list[merged++] = last;
	}
	return merged;
}

int nm_cells_sort(
	struct nmhal_device *dev, const struct nmhal_cell *cells, size_t count, bool add, struct nm_cells *out)
{
	struct order *order;

	*out = (struct nm_cells){.list = calloc(count, sizeof(*cells)), .count = count};
	if (!out->list)
		return nm_no_memory(dev->uri, "the list of cells");
	if (in_order(&dev->caps, cells, count)) {
		memcpy(out->list, cells, count * sizeof(*cells));
		return NMHAL_OK;
	}
	order = calloc(count, sizeof(*order));
	if (!order) {
		free(out->list);
		out->list = NULL;
		return nm_no_memory(dev->uri, "the order of cells");
	}
	for (size_t i = 0; i < count; i++)
		order[i] = (struct order){cell_key(&dev->caps, &cells[i]), i};
	qsort(order, count, sizeof(*order), by_key);
	out->count = merge(order, cells, count, add, out->list);
	free(order);
	return NMHAL_OK;
}

/* Number of cells at the start of list that are neighbours in one row. */
static size_t run_length(const struct nmhal_cell *list, size_t count)
{
	size_t n = 1;

	while (n < count && list[n].core == list[0].core && list[n].row == list[0].row &&
		list[n].col == list[n - 1].col + 1)
		n++;
	return n;
}

static struct nmhal_region run_region(const struct nmhal_cell *list, size_t count)
{
	return (struct nmhal_region){list->core, list->row, list->col, 1, (uint32_t)count, 0};
}

/* Number of rows, starting at that of the first cell, that follow each other in list; *next: cells they hold. */
static uint32_t rows_together(const struct nmhal_cell *list, size_t count, size_t *next)
{
	size_t n = 1;

	while (n < count && list[n].core == list[0].core && list[n].row - list[n - 1].row <= 1)
		n++;
	*next = n;
	return list[n - 1].row - list[0].row + 1;
}

int nm_rows_learn(struct nmhal_device *dev, uint32_t core, uint32_t row, uint32_t rows, int64_t deadline_ns)
{
	struct nm_shadow *shadow = &dev->shadow;
	uint32_t end = row + rows;

	while (row < end) {
		struct nmhal_region region = {core, row, 0, 0, shadow->cols, 0};
		int status;

		while (row < end && !nm_shadow_knows(shadow, core, row)) {
			row++;
			region.rows++;
		}
		if (!region.rows) {
			row++;
			continue;
		}
		status = nm_read_weights_locked(dev, &region, shadow->found, shadow->cols, deadline_ns);
		if (status)
			return status;
	}
	return NMHAL_OK;
}

int nm_cells_learn(struct nmhal_device *dev, const struct nm_cells *cells, int64_t deadline_ns)
{
	size_t n = 0;

	for (size_t at = 0; at < cells->count; at += n) {
		const struct nmhal_cell *first = &cells->list[at];
		uint32_t rows = rows_together(first, cells->count - at, &n);
		int status = nm_rows_learn(dev, first->core, first->row, rows, deadline_ns);

		if (status)
			return status;
	}
	return NMHAL_OK;
}

void nm_cells_forget(struct nmhal_device *dev, const struct nmhal_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		nm_shadow_forget(&dev->shadow, cells[i].core, cells[i].row, 1);
}

void nm_cells_remember(struct nm_shadow *shadow, const struct nmhal_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		nm_shadow_set(shadow, &cells[i]);
}

size_t nm_cells_drop_same(struct nmhal_device *dev, struct nm_cells *cells)
{
	size_t kept = 0;
	size_t dropped;

	for (size_t i = 0; i < cells->count; i++) {
		const struct nmhal_cell cell = cells->list[i];

		if (nm_shadow_row(&dev->shadow, cell.core, cell.row)[cell.col] != cell.code)
			cells->list[kept++] = cell;
	}
	dropped = cells->count - kept;
	cells->count = kept;
	return dropped;
}

static int write_run(struct nmhal_device *dev, const struct nmhal_cell *list, size_t count, int64_t deadline_ns)
{
	struct nmhal_region region = run_region(list, count);

	for (size_t i = 0; i < count; i++)
		dev->shadow.found[i] = (int16_t)list[i].code;
	return dev->ops.write_weights(dev->self, &region, dev->shadow.found, count, deadline_ns);
}

int nm_cells_write(struct nmhal_device *dev, const struct nm_cells *cells, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	size_t n;

	for (size_t at = 0; at < cells->count; at += n) {
		const struct nmhal_cell *list = &cells->list[at];
		size_t left = cells->count - at;
		int status;

		if (dev->ops.write_cells) {
			n = left < CHUNK ? left : CHUNK;
			status = dev->ops.write_cells(dev->self, list, n, deadline_ns);
		} else {
			n = run_length(list, left);
			status = write_run(dev, list, n, deadline_ns);
		}
		if (status) {
			nm_cells_forget(dev, list, n);
			return status;
		}
		nm_cells_remember(&dev->shadow, list, n);
		report->cells_written += n;
	}
	return NMHAL_OK;
}

int nm_cells_add(struct nmhal_device *dev, const struct nm_cells *cells, struct nmhal_program_report *report,
	int64_t deadline_ns)
{
	size_t n;

	for (size_t at = 0; at < cells->count; at += n) {
		int status;

		n = cells->count - at < CHUNK ? cells->count - at : CHUNK;
		status = dev->ops.add_cells(dev->self, &cells->list[at], n, deadline_ns);
		if (status)
			return status;
		report->cells_written += n;
	}
	return NMHAL_OK;
}

/* Reads cells [count] of one chunk into read. */
static int read_chunk(struct nmhal_device *dev, struct nmhal_cell *read, size_t count, int64_t deadline_ns)
{
	size_t n;

	if (dev->ops.read_cells)
		return dev->ops.read_cells(dev->self, read, count, deadline_ns);
	for (size_t at = 0; at < count; at += n) {
		struct nmhal_region region;
		int status;

		n = run_length(&read[at], count - at);
		region = run_region(&read[at], n);
		status = dev->ops.read_weights(dev->self, &region, dev->shadow.found, n, deadline_ns);
		if (status)
			return status;
		for (size_t i = 0; i < n; i++)
			read[at + i].code = dev->shadow.found[i];
	}
	return NMHAL_OK;
}

int nm_cells_verify(struct nmhal_device *dev, const struct nm_cells *cells, uint32_t tolerance,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	struct nmhal_cell *read = calloc(CHUNK, sizeof(*read));
	int status = read ? NMHAL_OK : nm_no_memory(dev->uri, "the cells read back");
	size_t n;

	for (size_t at = 0; !status && at < cells->count; at += n) {
		const struct nmhal_cell *list = &cells->list[at];

		n = cells->count - at < CHUNK ? cells->count - at : CHUNK;
		memcpy(read, list, n * sizeof(*read));
		status = read_chunk(dev, read, n, deadline_ns);
		for (size_t i = 0; !status && i < n; i++)
			if (read[i].code != list[i].code)
				nm_verify_cell(dev, &read[i], list[i].code, tolerance, report);
	}
	free(read);
	if (!status)
		return nm_verify_end(dev, report, cells->count);
	nm_cells_forget(dev, cells->list, cells->count);
	return status;
}

void nm_verify_cell(struct nmhal_device *dev, const struct nmhal_cell *cell, int32_t wanted, uint32_t tolerance,
	struct nmhal_program_report *report)
{
	uint32_t error =
		cell->code > wanted ? (uint32_t)cell->code - (uint32_t)wanted : (uint32_t)wanted - (uint32_t)cell->code;

	if (error > report->worst_error)
		report->worst_error = error;
	if (error <= tolerance)
		return;
	if (!report->cells_failed++) {
		report->first_failed = *cell;
		report->first_wanted = wanted;
	}
	nm_shadow_set(&dev->shadow, cell);
}

int nm_verify_end(struct nmhal_device *dev, const struct nmhal_program_report *report, uint64_t checked)
{
	const struct nmhal_cell *first = &report->first_failed;

	if (!report->cells_failed)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_VERIFY,
		"verify %llu weights: %llu read back wrong, the first at row %u, column %u of core %u: wanted %d, read "
		"%d",
		(unsigned long long)checked, (unsigned long long)report->cells_failed, first->row, first->col,
		first->core, report->first_wanted, first->code);
}
