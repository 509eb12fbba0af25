/* SPDX-License-Identifier: MIT */
/* The board-side core: weights and inference. */
#include "core_inside.h"

/* ---- checks ------------------------------------------------------------------------------------------------------ */

enum nmlink_status nmlink_check_rectangle(struct nmlink_core *core, const struct nmlink_job *job,
	struct nmlink_rectangle *r)
{
	const struct nmlink_array_cap *array = &core->board->array;

	nmlink_get_rectangle(r, job->payload);
	if (!r->rows)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(rectangle, rows), "no row");
	if (!r->cols)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(rectangle, cols), "no column");
	if (r->tile >= array->tiles)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(rectangle, tile), "no such crossbar");
	if (r->row >= array->rows || r->rows > array->rows - r->row)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(rectangle, row), "no such rows");
	if (r->col >= array->cols || r->cols > array->cols - r->col)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(rectangle, col), "no such columns");
	return NMLINK_OK;
}

/* True when all codes are in [min, min + span]: one unsigned comparison each, which compilers vectorise. */
static bool codes_inside(const uint8_t *p, uint32_t count, int32_t min, uint32_t span, uint8_t bytes)
{
	const uint32_t whole = count & ~(uint32_t)31; /* as many as compilers take at a time */
	uint8_t most = 0;

	if (bytes == 2) {
		for (uint32_t i = 0; i < count; i++)
			if ((uint16_t)(nmlink_load_u16(p + 2 * i) - (uint32_t)min) > span)
				return false;
		return true;
	}
	for (uint32_t i = 0; i < whole; i++) {
		const uint8_t above = (uint8_t)(p[i] - (uint32_t)min);

		most = above > most ? above : most;
	}
	for (uint32_t i = whole; i < count; i++) {
		const uint8_t above = (uint8_t)(p[i] - (uint32_t)min);

		most = above > most ? above : most;
	}
	return most <= span;
}

enum nmlink_status nmlink_check_codes(struct nmlink_core *core, const struct nmlink_job *job, uint32_t offset,
	uint32_t count, int32_t min, int32_t max, uint8_t bytes)
{
	const uint32_t span = (uint32_t)max - (uint32_t)min, size = job->size - offset;
	const uint8_t *p = job->payload + offset;

	if (size % bytes || size / bytes != count)
		return nmlink_core_fail(core, NMLINK_ELEN, offset + count * bytes, "the codes do not fit the fields");
	if (codes_inside(p, count, min, span, bytes))
		return NMLINK_OK;
	while (codes_inside(p, 1, min, span, bytes))
		p += bytes;
	return nmlink_core_fail(core, NMLINK_ERANGE, (uint32_t)(p - job->payload), "no such code");
}

enum nmlink_status nmlink_reply_array(struct nmlink_core *core, struct nmlink_job *job, uint32_t count, uint32_t each)
{
	if (count > (job->room - job->reply_size) / each)
		return nmlink_core_fail(core, NMLINK_ELEN, job->room, "the reply is longer than a frame");
	job->reply_size += count * each;
	return NMLINK_OK;
}

/* ---- rectangles -------------------------------------------------------------------------------------------------- */

enum nmlink_status nmlink_do_write(struct nmlink_core *core, struct nmlink_job *job)
{
	const struct nmlink_weight_cap *weight = &core->board->weight;
	struct nmlink_write_request m;
	struct nmlink_rectangle r;
	enum nmlink_status status = nmlink_check_rectangle(core, job, &r);

	nmlink_take_write_request(&m, job->payload, job->size);
	if (!status)
		status = nmlink_check_codes(core, job, NMLINK_SIZE_write_request, (uint32_t)r.rows * r.cols,
			weight->min, weight->max, weight->bytes);
	return status ? status : core->board->call.write(core, &m);
}

enum nmlink_status nmlink_do_read(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_read_request m;
	struct nmlink_rectangle r;
	enum nmlink_status status = nmlink_check_rectangle(core, job, &r);

	nmlink_take_read_request(&m, job->payload, job->size);
	if (!status)
		status = nmlink_reply_array(core, job, (uint32_t)r.rows * r.cols, core->board->weight.bytes);
	return status ? status : core->board->call.read(core, &m, job->reply);
}

/* ---- single weights ---------------------------------------------------------------------------------------------- */

/* A list of CELL records from byte `first` of the payload on. */
struct cells {
	uint16_t tile;
	uint32_t first, count;
};

/* Checks them all before the first is touched; with_codes: their codes too. */
static enum nmlink_status check_cells(struct nmlink_core *core, const struct nmlink_job *job, struct cells *cells,
	uint32_t first, bool with_codes)
{
	const struct nmlink_board *board = core->board;

	cells->tile = nmlink_load_u16(job->payload);
	cells->first = first;
	cells->count = (job->size - first) / NMLINK_SIZE_cell_record;
	if ((job->size - first) % NMLINK_SIZE_cell_record)
		return nmlink_core_fail(core, NMLINK_ELEN, first + cells->count * NMLINK_SIZE_cell_record,
			"half a CELL record");
	if (cells->tile >= board->array.tiles)
		return nmlink_core_fail(core, NMLINK_ERANGE, 0, "no such crossbar");
	for (uint32_t at = first; at < job->size; at += NMLINK_SIZE_cell_record) {
		struct nmlink_cell_record cell;

		nmlink_get_cell_record(&cell, job->payload + at);
		if (cell.row >= board->array.rows || cell.col >= board->array.cols)
			return nmlink_core_fail(core, NMLINK_ERANGE, at, "no such cell");
		if (with_codes && (cell.code < board->weight.min || cell.code > board->weight.max))
			return nmlink_core_fail(core, NMLINK_ERANGE, at, "no such code");
	}
	return NMLINK_OK;
}

static void get_cell(const struct nmlink_job *job, const struct cells *cells, uint32_t i,
	struct nmlink_cell_record *cell)
{
	nmlink_get_cell_record(cell, job->payload + cells->first + i * NMLINK_SIZE_cell_record);
}

enum nmlink_status nmlink_do_write_cells(struct nmlink_core *core, struct nmlink_job *job)
{
	struct cells cells;
	enum nmlink_status status = check_cells(core, job, &cells, NMLINK_SIZE_write_cells_request, true);

	for (uint32_t i = 0; !status && i < cells.count; i++) {
		struct nmlink_cell_record cell;
		uint8_t code[2];
		struct nmlink_write_request m = {
			.tile = cells.tile,
			.rows = 1,
			.cols = 1,
			.tail = code,
			.tail_size = core->board->weight.bytes,
		};

		get_cell(job, &cells, i, &cell);
		m.row = cell.row;
		m.col = cell.col;
		nmlink_store_s16(code, cell.code);
		status = nmlink_breathe(core);
		if (!status)
			status = core->board->call.write(core, &m);
	}
	return status;
}

enum nmlink_status nmlink_do_read_cells(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_read_cells_request request;
	struct cells cells;
	enum nmlink_status status = check_cells(core, job, &cells, NMLINK_SIZE_read_cells_request, false);

	nmlink_take_read_cells_request(&request, job->payload, job->size);
	if (!status)
		status = nmlink_reply_array(core, job, cells.count, 2);
	for (uint32_t i = 0; !status && i < cells.count; i++) {
		struct nmlink_read_request m = { .tile = cells.tile, .rows = 1, .cols = 1, .use = request.use };
		struct nmlink_cell_record cell;
		uint8_t code[2];

		get_cell(job, &cells, i, &cell);
		m.row = cell.row;
		m.col = cell.col;
		status = core->board->call.read(core, &m, code);
		nmlink_store_s16(job->reply + 2 * i,
			core->board->weight.bytes == 1 ? nmlink_load_s8(code) : nmlink_load_s16(code));
	}
	return status;
}

enum nmlink_status nmlink_do_add_cells(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_add_cells_reply r = { 0 };
	struct cells cells;
	enum nmlink_status status = check_cells(core, job, &cells, NMLINK_SIZE_add_cells_request, false);

	for (uint32_t i = 0; !status && i < cells.count; i++) {
		struct nmlink_cell_record cell;
		bool saturated = false;

		get_cell(job, &cells, i, &cell);
		status = nmlink_breathe(core);
		if (!status)
			status = core->board->call.add(core, cells.tile, &cell, &saturated);
		r.saturated += saturated;
	}
	job->reply_size = (uint32_t)(nmlink_put_add_cells_reply(job->reply, &r) - job->reply);
	return status;
}

/* ---- inference --------------------------------------------------------------------------------------------------- */

static enum nmlink_status check_infer(struct nmlink_core *core, const struct nmlink_job *job,
	const struct nmlink_infer_request *m)
{
	const struct nmlink_input_cap *input = core->board->input;
	const uint32_t inputs = m->flags & NMLINK_INFER_TRANSPOSED ? m->cols : m->rows;

	if (m->flags & ~(uint32_t)input->flags)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(infer_request, flags),
			"INPUT has no such flag");
	if (m->reserved)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(infer_request, reserved), "must be 0");
	if (!m->batch)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(infer_request, batch), "no vector");
	if (m->batch > input->max_batch)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(infer_request, batch),
			"more vectors than INPUT says");
	return nmlink_check_codes(core, job, NMLINK_SIZE_infer_request, m->batch * inputs, input->min, input->max,
		input->bytes);
}

enum nmlink_status nmlink_do_infer(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_infer_request m;
	struct nmlink_rectangle r;
	uint32_t outputs, bits, clipped = 0;
	enum nmlink_status status = nmlink_check_rectangle(core, job, &r);

	nmlink_take_infer_request(&m, job->payload, job->size);
	if (!status)
		status = check_infer(core, job, &m);
	outputs = m.flags & NMLINK_INFER_TRANSPOSED ? m.rows : m.cols;
	bits = (outputs + 7u) / 8u;
	if (!status)
		status = nmlink_reply_array(core, job, m.batch, outputs * core->board->output->bytes);
	if (!status) {
		clipped = job->reply_size;
		status = nmlink_reply_array(core, job, m.batch, bits);
	}
	if (status)
		return status;
	memset(job->reply + clipped, 0, m.batch * bits);
	return core->board->call.infer(core, &m, job->reply, job->reply + clipped);
}
