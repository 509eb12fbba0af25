/* SPDX-License-Identifier: MIT */
/* Weights: rectangles and single cells, written, read back, refused, and never written twice. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define SIDE 4u /* of the rectangles: small, so that any frame has room */

/* ---- one rectangle of the last tile, in its last corner: where a board that mixes up axes fails ------------------ */

static struct nmlink_rectangle corner(const struct run *run)
{
	const struct nmlink_array_cap *array = &run->caps.array;
	struct nmlink_rectangle r = {.tile = (uint16_t)(array->tiles - 1),
		.rows = (uint16_t)(array->rows < SIDE ? array->rows : SIDE),
		.cols = (uint16_t)(array->cols < SIDE - 1 ? array->cols : SIDE - 1)};

	r.row = (uint16_t)(array->rows - r.rows);
	r.col = (uint16_t)(array->cols - r.cols);
	return r;
}

static void store_code(const struct run *run, uint8_t *p, size_t index, int32_t code)
{
	if (run->caps.weight.bytes == 1)
		p[index] = (uint8_t)code;
	else
		nmlink_store_s16(p + 2 * index, (int16_t)code);
}

static int32_t load_code(const struct run *run, const uint8_t *p, size_t index)
{
	return run->caps.weight.bytes == 1 ? nmlink_load_s8(p + index) : nmlink_load_s16(p + 2 * index);
}

/* Payload of a WRITE of `codes`; returns its size. */
static size_t write_payload(const struct run *run, const struct nmlink_rectangle *r, const int32_t *codes,
	uint8_t *payload)
{
	uint8_t *tail = nmlink_put_rectangle(payload, r);
	size_t count = (size_t)r->rows * r->cols;

	for (size_t i = 0; i < count; i++)
		store_code(run, tail, i, codes[i]);
	return NMLINK_SIZE_write_request + count * run->caps.weight.bytes;
}

#define PAYLOAD (NMLINK_SIZE_read_request + 2 * SIDE * SIDE + 64)

static bool write_codes(struct run *run, const struct nmlink_rectangle *r, const int32_t *codes)
{
	uint8_t payload[PAYLOAD];
	size_t size = write_payload(run, r, codes, payload);
	struct reply reply;

	return ask(run, NMLINK_OP_WRITE, payload, size, NMLINK_OK, &reply);
}

static bool read_codes(struct run *run, const struct nmlink_rectangle *r, int32_t *codes)
{
	uint8_t payload[NMLINK_SIZE_read_request];
	size_t count = (size_t)r->rows * r->cols;
	struct reply reply;

	nmlink_store_u64(nmlink_put_rectangle(payload, r), 1);
	if (!ask(run, NMLINK_OP_READ, payload, sizeof(payload), NMLINK_OK, &reply))
		return false;
	if (reply.header.size != count * run->caps.weight.bytes) {
		say(run, VERDICT_FAILED, "READ of %u x %u codes gave %u bytes", r->rows, r->cols, reply.header.size);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		codes[i] = load_code(run, reply.payload, i);
	return true;
}

static bool same_codes(struct run *run, const struct nmlink_rectangle *r, const int32_t *wanted, const char *what)
{
	int32_t found[SIDE * SIDE] = {0};

	if (!read_codes(run, r, found))
		return false;
	for (size_t i = 0; i < (size_t)r->rows * r->cols; i++)
		if (abs(found[i] - wanted[i]) > run->caps.weight.tolerance) {
			say(run, VERDICT_FAILED,
				"%s: row %zu, column %zu of tile %u reads %d, not %d (the board's tolerance is %u)",
				what, r->row + i / r->cols, r->col + i % r->cols, r->tile, found[i], wanted[i],
				run->caps.weight.tolerance);
			return false;
		}
	return true;
}

/* The two ends of the range and what lies between, by place. */
static void pattern(const struct run *run, const struct nmlink_rectangle *r, unsigned salt, int32_t *codes)
{
	const struct nmlink_weight_cap *weight = &run->caps.weight;
	const int32_t span = weight->max - weight->min;

	for (uint32_t i = 0; i < (uint32_t)r->rows * r->cols; i++)
		codes[i] = weight->min + (int32_t)((i + salt) % 5) * span / 4;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

/* Runs the body of a case, then writes back what the corner held. */
static void with_corner(struct run *run, void (*body)(struct run *run, const struct nmlink_rectangle *r))
{
	const struct nmlink_rectangle r = corner(run);
	int32_t kept[SIDE * SIDE] = {0};
	uint8_t payload[PAYLOAD];

	MUST(read_codes(run, &r, kept));
	body(run, &r);
	put_back(run, NMLINK_OP_WRITE, payload, write_payload(run, &r, kept, payload));
}

static void body_read_back(struct run *run, const struct nmlink_rectangle *r)
{
	int32_t codes[SIDE * SIDE] = {0};

	for (unsigned salt = 0; salt < 5; salt++) {
		pattern(run, r, salt, codes);
		MUST(write_codes(run, r, codes) && same_codes(run, r, codes, "written and read back"));
	}
}

static void what_is_written_is_read_back(struct run *run)
{
	with_corner(run, body_read_back);
}

static void body_refused(struct run *run, const struct nmlink_rectangle *r)
{
	const struct nmlink_array_cap *array = &run->caps.array;
	int32_t codes[SIDE * SIDE], others[SIDE * SIDE];
	uint8_t payload[PAYLOAD];
	size_t size;

	pattern(run, r, 0, codes);
	pattern(run, r, 2, others);
	MUST(write_codes(run, r, codes));
#define REFUSE(field, value, what) \
	do { \
		struct nmlink_rectangle bad = *r; \
		bad.field = (uint16_t)(value); \
		nmlink_put_rectangle(payload, &bad); \
		MUST(refused(run, NMLINK_OP_WRITE, payload, size, 0, what)); \
	} while (0)
	size = write_payload(run, r, others, payload);
	REFUSE(tile, array->tiles, "a tile past the last");
	REFUSE(row, r->row + 1, "rows past the last");
	REFUSE(col, r->col + 1, "columns past the last");
	REFUSE(row, 0xFFFF, "row 65535");
	REFUSE(rows, 0, "no rows");
	REFUSE(cols, 0, "no columns");
	REFUSE(rows, 0xFFFF, "65535 rows");
	nmlink_put_rectangle(payload, r);
	MUST(refused(run, NMLINK_OP_WRITE, payload, size - 1, 0, "a code too few"));
	MUST(refused(run, NMLINK_OP_WRITE, payload, size + 1, 0, "a byte too many"));
#undef REFUSE
	MUST(same_codes(run, r, codes, "after refused writes"));
}

static void rectangles_outside_are_refused(struct run *run)
{
	with_corner(run, body_refused);
}

static void body_range(struct run *run, const struct nmlink_rectangle *r)
{
	const struct nmlink_weight_cap *weight = &run->caps.weight;
	const int32_t most = weight->bytes == 1 ? INT8_MAX : INT16_MAX;
	int32_t codes[SIDE * SIDE], bad[SIDE * SIDE];
	uint8_t payload[PAYLOAD];
	size_t last = (size_t)r->rows * r->cols - 1, size;

	NEED(weight->max < most || weight->min > -most - 1, "codes outside the range");
	pattern(run, r, 1, codes);
	pattern(run, r, 3, bad);
	bad[last] = weight->max < most ? weight->max + 1 : weight->min - 1;
	MUST(write_codes(run, r, codes));
	size = write_payload(run, r, bad, payload);
	MUST(refused(run, NMLINK_OP_WRITE, payload, size, 0, "a code outside the range"));
	MUST(same_codes(run, r, codes, "after a refused write"));
}

static void codes_outside_the_range_are_refused(struct run *run)
{
	with_corner(run, body_range);
}

/* A request that was executed is answered again, whatever it now says, and not executed again. */
static void body_once(struct run *run, const struct nmlink_rectangle *r)
{
	int32_t first[SIDE * SIDE], second[SIDE * SIDE];
	uint8_t payload[PAYLOAD];
	struct reply reply;
	size_t size;

	pattern(run, r, 0, first);
	pattern(run, r, 2, second);
	MUST(write_codes(run, r, first));
	size = write_payload(run, r, second, payload);
	MUST(again(run, NMLINK_OP_WRITE, (uint16_t)(run->next - 1), payload, size, &reply));
	EXPECT(reply.header.status == NMLINK_OK, "the repeated WRITE was answered %s",
		status_name(reply.header.status));
	MUST(same_codes(run, r, first, "after a repeated WRITE"));
}

static void a_repeated_write_is_not_executed(struct run *run)
{
	with_corner(run, body_once);
}

static void body_error_once(struct run *run, const struct nmlink_rectangle *r)
{
	int32_t first[SIDE * SIDE], second[SIDE * SIDE];
	uint8_t payload[PAYLOAD];
	struct nmlink_rectangle bad = *r;
	struct reply reply;
	size_t size;

	pattern(run, r, 0, first);
	pattern(run, r, 2, second);
	MUST(write_codes(run, r, first));
	size = write_payload(run, r, second, payload);
	bad.rows = 0;
	nmlink_put_rectangle(payload, &bad);
	MUST(refused(run, NMLINK_OP_WRITE, payload, size, 0, "no rows"));
	nmlink_put_rectangle(payload, r);
	MUST(again(run, NMLINK_OP_WRITE, (uint16_t)(run->next - 1), payload, size, &reply));
	EXPECT(reply.header.status != NMLINK_OK, "a WRITE that was refused is executed when it is repeated");
	MUST(same_codes(run, r, first, "after a refused WRITE that was repeated"));
}

static void a_refusal_is_kept_as_well(struct run *run)
{
	with_corner(run, body_error_once);
}

static void body_cells(struct run *run, const struct nmlink_rectangle *r)
{
	const struct nmlink_weight_cap *weight = &run->caps.weight;
	uint8_t payload[NMLINK_SIZE_write_cells_request + NMLINK_SIZE_cell_record];
	struct nmlink_cell_record cell = {.row = r->row, .col = r->col, .code = (int16_t)weight->max};
	int32_t codes[SIDE * SIDE] = {0};
	struct reply reply;

	pattern(run, r, 0, codes);
	MUST(write_codes(run, r, codes));
	nmlink_put_cell_record(nmlink_store_u16(payload, r->tile), &cell);
	MUST(ask(run, NMLINK_OP_WRITE_CELLS, payload, sizeof(payload), NMLINK_OK, &reply));
	codes[0] = weight->max;
	MUST(same_codes(run, r, codes, "after WRITE_CELLS"));
	MUST(refused(run, NMLINK_OP_WRITE_CELLS, payload, sizeof(payload) - 1, 0, "part of a record"));
	cell.col = run->caps.array.cols;
	nmlink_put_cell_record(nmlink_store_u16(payload, r->tile), &cell);
	MUST(refused(run, NMLINK_OP_WRITE_CELLS, payload, sizeof(payload), 0, "a column past the last"));
	MUST(same_codes(run, r, codes, "after a refused WRITE_CELLS"));
}

static void single_weights_are_written(struct run *run)
{
	NEED(has_op(run, NMLINK_OP_WRITE_CELLS), "WRITE_CELLS");
	with_corner(run, body_cells);
}

static void body_add(struct run *run, const struct nmlink_rectangle *r)
{
	const struct nmlink_weight_cap *weight = &run->caps.weight;
	uint8_t payload[NMLINK_SIZE_add_cells_request + NMLINK_SIZE_cell_record];
	const int16_t delta = (int16_t)((weight->max - weight->min) / 2);
	struct nmlink_cell_record cell = {.row = r->row, .col = r->col, .code = delta};
	struct nmlink_add_cells_reply r1;
	int32_t codes[SIDE * SIDE] = {0};
	struct reply reply;

	pattern(run, r, 0, codes); /* the first is the least */
	MUST(write_codes(run, r, codes));
	nmlink_put_cell_record(nmlink_store_u16(payload, r->tile), &cell);
	MUST(ask(run, NMLINK_OP_ADD_CELLS, payload, sizeof(payload), NMLINK_OK, &reply));
	MUST(again(run, NMLINK_OP_ADD_CELLS, (uint16_t)(run->next - 1), payload, sizeof(payload), &reply));
	codes[0] = weight->min + delta;
	MUST(same_codes(run, r, codes, "after an ADD_CELLS and its repetition"));
	for (int i = 0; i < 2; i++)
		MUST(ask(run, NMLINK_OP_ADD_CELLS, payload, sizeof(payload), NMLINK_OK, &reply));
	EXPECT(nmlink_get_add_cells_reply(&r1, reply.payload, reply.header.size), "ADD_CELLS: a reply of %u bytes",
		reply.header.size);
	codes[0] = weight->max;
	MUST(same_codes(run, r, codes, "after a sum past the range"));
}

static void deltas_are_added_once_and_saturate(struct run *run)
{
	NEED(has_op(run, NMLINK_OP_ADD_CELLS), "ADD_CELLS");
	with_corner(run, body_add);
}

const struct conformance_case weight_cases[] = {
	{"what is written to the last corner is read back", what_is_written_is_read_back},
	{"rectangles outside the crossbar are refused and write nothing", rectangles_outside_are_refused},
	{"codes outside the range are refused and write nothing", codes_outside_the_range_are_refused},
	{"a repeated WRITE is answered again and not executed", a_repeated_write_is_not_executed},
	{"a refused WRITE that is repeated is refused again", a_refusal_is_kept_as_well},
	{"single weights are written, wrong records refused", single_weights_are_written},
	{"a delta is added once, and the sum saturates", deltas_are_added_once_and_saturate},
	{NULL, NULL},
};
