/* SPDX-License-Identifier: MIT */
/* The board-side core: what it checks before a callback sees a request, and what it makes of the callbacks. */
#include <stdlib.h>

#include "board.h"

static struct board board;

static void refused(enum nmlink_status wanted, uint32_t detail, uint16_t op)
{
	ck_assert_uint_eq(board_send(&board, op), wanted);
	ck_assert_uint_eq(board_detail(&board), detail);
	ck_assert_str_eq(board_log(&board), "");
}

/* ---- capabilities ------------------------------------------------------------------------------------------------ */

/* Reads all records by CAPS; returns their size. */
static uint32_t read_caps(uint8_t *records, uint32_t room)
{
	struct nmlink_hello_reply hello;
	uint32_t size = 0;

	GET(&board, hello, &hello);
	ck_assert_uint_le(hello.caps_size, room);
	while (size < hello.caps_size) {
		struct nmlink_caps_reply m;

		PUT(&board, caps, .offset = size);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_CAPS), NMLINK_OK);
		GET(&board, caps, &m);
		ck_assert_uint_eq(m.offset, size);
		ck_assert_uint_gt(m.tail_size, 0);
		ck_assert_uint_le(m.tail_size, hello.caps_size - size);
		memcpy(records + size, m.tail, m.tail_size);
		size += m.tail_size;
	}
	ck_assert_uint_eq(nmlink_crc32c(0, records, size), hello.caps_crc);
	return size;
}

/* The value of the n-th record with a tag; *size 0 and NULL when there is none. */
static const uint8_t *find_cap(const uint8_t *records, uint32_t all, uint16_t tag, uint32_t n, uint32_t *size)
{
	for (uint32_t at = 0; at < all; at += NMLINK_CAP_HEAD_SIZE + nmlink_load_u16(records + at + 2)) {
		*size = nmlink_load_u16(records + at + 2);
		ck_assert_uint_le(at + NMLINK_CAP_HEAD_SIZE + *size, all);
		if (nmlink_load_u16(records + at) == tag && !n--)
			return records + at + NMLINK_CAP_HEAD_SIZE;
	}
	*size = 0;
	return NULL;
}

START_TEST(records_say_what_the_board_has)
{
	uint8_t records[1024];
	uint32_t all, size;
	struct nmlink_array_cap array;
	struct nmlink_spikes_cap spikes;
	struct nmlink_sense_cap sense;
	struct nmlink_attr_cap attr;
	struct nmlink_counter_cap counter;
	const uint8_t *value;

	board_begin(&board);
	all = read_caps(records, sizeof(records));
	ck_assert_uint_gt(all, BOARD_FRAME);
	value = find_cap(records, all, NMLINK_TAG_MODEL, 0, &size);
	ck_assert_uint_eq(size, 6);
	ck_assert_mem_eq(value, "script", 6);
	value = find_cap(records, all, NMLINK_TAG_ARRAY, 0, &size);
	ck_assert(nmlink_get_array_cap(&array, value, size));
	ck_assert_uint_eq(array.rows, BOARD_ROWS);
	value = find_cap(records, all, NMLINK_TAG_SPIKES, 0, &size);
	ck_assert(nmlink_get_spikes_cap(&spikes, value, size));
	ck_assert_uint_eq(spikes.outputs, BOARD_EVENTS);
	value = find_cap(records, all, NMLINK_TAG_SENSE, 0, &size);
	ck_assert(nmlink_get_sense_cap(&sense, value, size));
	ck_assert_uint_eq(sense.sweep_points, BOARD_POINTS);
	value = find_cap(records, all, NMLINK_TAG_ATTR, 1, &size);
	ck_assert(nmlink_get_attr_cap(&attr, value, size));
	ck_assert_uint_eq(attr.type, NMLINK_ATTR_BOOL);
	ck_assert_uint_eq(attr.tail_size, 15);
	ck_assert_mem_eq(attr.tail, "warm\0\0warmed up", 15);
	value = find_cap(records, all, NMLINK_TAG_COUNTER, 0, &size);
	ck_assert(nmlink_get_counter_cap(&counter, value, size));
	ck_assert_mem_eq(counter.tail, "pulses\0ever applied", 19);
	/* Past the end there is nothing, and further on an error. */
	PUT(&board, caps, .offset = all);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_CAPS), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_caps_reply);
	PUT(&board, caps, .offset = all + 1);
	refused(NMLINK_ERANGE, 0, NMLINK_OP_CAPS);
}
END_TEST

/* Every opcode of the table is in OPS exactly when the board does not answer it with EOP. */
START_TEST(ops_are_what_is_answered)
{
#define OP_OF(name, NAME, code, class, text) code,
	static const uint16_t ops[] = { NMLINK_MESSAGES(OP_OF) 0x8001, 0xC001, 0x8002 };
	static const uint8_t zeros[64];

	for (int without = 0; without < 2; without++) {
		uint8_t records[1024];
		const uint8_t *listed;
		uint32_t all, size;

		board_start(&board);
		if (without) {
			board.description.call.infer = NULL;
			board.description.call.pulse = NULL;
			board.description.call.conductance = NULL;
			board.description.call.current = NULL;
			board.description.call.spikes_start = NULL;
			board.description.call.spikes_give = NULL;
			board.description.call.spikes_work = NULL;
			board.description.call.spikes_stop = NULL;
			board.description.sensor_count = 0;
			board.description.safety = NULL;
		}
		ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
		ck_assert_uint_eq(board_hello(&board, 1), NMLINK_OK);
		all = read_caps(records, sizeof(records));
		listed = find_cap(records, all, NMLINK_TAG_OPS, 0, &size);
		for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			bool found = ops[i] == NMLINK_OP_CAPS || ops[i] == NMLINK_OP_PING;

			if (ops[i] == NMLINK_OP_HELLO || ops[i] == NMLINK_OP_ABORT)
				continue;
			for (uint32_t at = 0; at < size; at += 2)
				found |= nmlink_load_u16(listed + at) == ops[i];
			board.request_size = NMLINK_HEADER_SIZE;
			board_tail(&board, zeros, sizeof(zeros));
			ck_assert_msg((board_send(&board, ops[i]) != NMLINK_EOP) == found, "opcode %04x", ops[i]);
		}
	}
}
END_TEST

START_TEST(unsound_descriptions_are_refused)
{
#define UNSOUND(statement)                                                                                             \
	do {                                                                                                           \
		board_start(&board);                                                                                   \
		statement;                                                                                             \
		ck_assert_msg(!nmlink_core_init(&board.core, &board.description, &board.memory, &board), #statement);  \
	} while (0)
	struct nmlink_board *d = &board.description;
	struct nmlink_input_cap input;
	struct nmlink_sense_cap sense;

	UNSOUND(d->call.safe = NULL);
	UNSOUND(d->call.write = NULL);
	UNSOUND(d->call.read = NULL);
	UNSOUND(d->call.clock_ms = NULL);
	UNSOUND(d->call.set_attr = NULL);
	UNSOUND(d->call.get_attr = NULL);
	UNSOUND(d->call.get_sensor = NULL);
	UNSOUND(d->call.get_counter = NULL);
	UNSOUND(d->call.vendor = NULL);
	UNSOUND(d->call.get_neuron = NULL);
	UNSOUND(d->call.spikes_work = NULL);
	UNSOUND(d->call.pulse = NULL);
	UNSOUND(d->call.conductance = NULL);
	UNSOUND(d->neuron = NULL);
	UNSOUND(d->spikes = NULL);
	UNSOUND(d->drive = NULL);
	UNSOUND(d->sense = NULL);
	UNSOUND(d->safety = NULL);
	UNSOUND(d->input = NULL);
	UNSOUND(d->output = NULL);
	UNSOUND(d->array.tiles = 0);
	UNSOUND(d->weight.bytes = 3);
	UNSOUND(d->weight.min = -129);
	UNSOUND(d->weight.max = d->weight.min);
	UNSOUND(d->array.rows = 300);
	UNSOUND((input = *d->input, input.max_batch = 0, d->input = &input));
	UNSOUND((sense = *d->sense, sense.read_uv = d->drive->read_max_uv + 1, d->sense = &sense));
	UNSOUND(board.memory.kept = NULL);
	UNSOUND(board.memory.window = 0);
	UNSOUND(board.memory.window = 3);
	UNSOUND(board.memory.window = 128);
	UNSOUND(board.memory.max_frame = NMLINK_MIN_FRAME - 1);
	UNSOUND(board.memory.event_count = 0);
	UNSOUND(board.memory.point_count = 0);
}
END_TEST

/* ---- rectangles -------------------------------------------------------------------------------------------------- */

START_TEST(rectangles_reach_the_board_whole)
{
	static const int8_t codes[] = { -8, 7, 0, 1, -1, 2 };

	board_begin(&board);
	PUT(&board, write, .tile = 1, .row = 1, .col = 1, .rows = 3, .cols = 2);
	board_tail(&board, codes, 6);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "write 1 1 1 3x2 f8 07 00 01 ff 02");
	PUT(&board, read, .tile = 1, .rows = 4, .cols = 3, .use = 5);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, 12);
	ck_assert_uint_eq(board.payload[11], 0xF4);
}
END_TEST

START_TEST(rectangles_outside_are_refused)
{
	static const struct {
		uint16_t tile, row, col, rows, cols, at;
		enum nmlink_status status;
	} cases[] = {
		{ 2, 0, 0, 1, 1, 0, NMLINK_ERANGE },
		{ 0, 4, 0, 1, 1, 2, NMLINK_ERANGE },
		{ 0, 0, 3, 1, 1, 4, NMLINK_ERANGE },
		{ 0, 3, 0, 2, 1, 2, NMLINK_ERANGE },
		{ 0, 0, 2, 1, 2, 4, NMLINK_ERANGE },
		{ 0, 65535, 0, 65535, 1, 2, NMLINK_ERANGE },
		{ 0, 1, 0, 65535, 1, 2, NMLINK_ERANGE },
		{ 0, 0, 0, 0, 1, 6, NMLINK_EARG },
		{ 0, 0, 0, 1, 0, 8, NMLINK_EARG },
	};

	board_begin(&board);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
#define CASE(name, NAME, ...)                                                                                          \
	PUT(&board, name, .tile = cases[i].tile, .row = cases[i].row, .col = cases[i].col, .rows = cases[i].rows,      \
		.cols = cases[i].cols, __VA_ARGS__);                                                                   \
	board_tail(&board, "", 1);                                                                                     \
	refused(cases[i].status, cases[i].at, NMLINK_OP_##NAME)
		CASE(write, WRITE, .tail = NULL);
		CASE(read, READ, .use = 1);
		CASE(infer, INFER, .batch = 1);
		CASE(read_conductance, READ_CONDUCTANCE, .averages = 1);
	}
}
END_TEST

START_TEST(codes_outside_are_refused_with_their_place)
{
	int8_t codes[12] = { 0 };

	board_begin(&board);
	for (uint32_t i = 0; i < 12; i++) {
		codes[i] = i % 2 ? 8 : -9;
		PUT(&board, write, .rows = 4, .cols = 3);
		board_tail(&board, codes, 12);
		refused(NMLINK_ERANGE, NMLINK_SIZE_write_request + i, NMLINK_OP_WRITE);
		codes[i] = 0;
	}
	for (uint32_t size = 0; size < 14; size++) {
		static const uint8_t zeros[14];

		if (size == 12)
			continue;
		PUT(&board, write, .rows = 4, .cols = 3);
		board_tail(&board, zeros, size);
		refused(NMLINK_ELEN, NMLINK_SIZE_write_request + 12, NMLINK_OP_WRITE);
	}
}
END_TEST

/* Long lists of codes are compared in blocks. */
START_TEST(one_code_among_many_is_found)
{
	uint8_t codes[180] = { 0 };

	board_start(&board);
	board.description.array.rows = 9;
	board.description.array.cols = 20;
	board.description.call.infer = NULL;
	ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
	ck_assert_uint_eq(board_hello(&board, 3), NMLINK_OK);
	board_log(&board);
	for (uint32_t count = 1; count <= sizeof(codes); count++) {
		const uint16_t cols = count % 20 ? 1 : 20;

		if (count / cols > 9)
			continue;
		for (uint32_t i = 0; i < count; i++) {
			codes[i] = 8;
			PUT(&board, write, .rows = (uint16_t)(count / cols), .cols = cols);
			board_tail(&board, codes, count);
			refused(NMLINK_ERANGE, NMLINK_SIZE_write_request + i, NMLINK_OP_WRITE);
			codes[i] = 0;
		}
	}
}
END_TEST

START_TEST(codes_of_two_bytes)
{
	static const uint8_t good[] = { 0x2C, 0x01, 0xD4, 0xFE }, bad[] = { 0, 0, 0x2D, 0x01 };

	board_start(&board);
	board.description.weight.min = -300;
	board.description.weight.max = 300;
	board.description.weight.bytes = 2;
	ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
	ck_assert_uint_eq(board_hello(&board, 3), NMLINK_OK);
	board_log(&board);
	PUT(&board, write, .rows = 1, .cols = 2);
	board_tail(&board, good, 4);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "write 0 0 0 1x2 2c 01 d4 fe");
	PUT(&board, write, .rows = 1, .cols = 2);
	board_tail(&board, bad, 4);
	refused(NMLINK_ERANGE, NMLINK_SIZE_write_request + 2, NMLINK_OP_WRITE);
	PUT(&board, write, .rows = 1, .cols = 2);
	board_tail(&board, good, 3);
	refused(NMLINK_ELEN, NMLINK_SIZE_write_request + 4, NMLINK_OP_WRITE);
}
END_TEST

/* ---- single weights ---------------------------------------------------------------------------------------------- */

static void cell(uint16_t row, uint16_t col, int16_t code)
{
	uint8_t record[NMLINK_SIZE_cell_record];

	nmlink_put_cell_record(record, &(const struct nmlink_cell_record){ row, col, code });
	board_tail(&board, record, sizeof(record));
}

START_TEST(cells_are_written_read_and_added)
{
	struct nmlink_add_cells_reply added;

	board_begin(&board);
	PUT(&board, write_cells, .tile = 1);
	cell(0, 0, -8);
	cell(3, 2, 7);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_CELLS), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "write 1 0 0 1x1 f8; write 1 3 2 1x1 07");
	PUT(&board, read_cells, .tile = 1, .use = 4);
	cell(2, 1, 99);
	cell(0, 2, 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_CELLS), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "read 1 2 1 1x1 use 4; read 1 0 2 1x1 use 4");
	ck_assert_uint_eq(board.reply.size, 4);
	ck_assert_int_eq(nmlink_load_s16(board.payload), -1);
	PUT(&board, add_cells, .tile = 0);
	cell(1, 1, 5);
	cell(1, 2, 300);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_ADD_CELLS), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "add 0 1 1 5; add 0 1 2 300");
	GET(&board, add_cells, &added);
	ck_assert_uint_eq(added.saturated, 1);
}
END_TEST

/* One bad record of a list, and nothing is written. */
START_TEST(bad_cells_are_refused_before_the_first_is_written)
{
	static const uint16_t ops[] = { NMLINK_OP_WRITE_CELLS, NMLINK_OP_ADD_CELLS };

	board_begin(&board);
	for (size_t i = 0; i < 2; i++) {
		PUT(&board, write_cells, .tile = 0);
		cell(0, 0, 1);
		cell(4, 0, 1);
		refused(NMLINK_ERANGE, 2 + 6, ops[i]);
		PUT(&board, write_cells, .tile = 0);
		cell(0, 3, 1);
		refused(NMLINK_ERANGE, 2, ops[i]);
		PUT(&board, write_cells, .tile = 2);
		cell(0, 0, 1);
		refused(NMLINK_ERANGE, 0, ops[i]);
		PUT(&board, write_cells, .tile = 0);
		cell(0, 0, 1);
		board_tail(&board, "", 1);
		refused(NMLINK_ELEN, 2 + 6, ops[i]);
	}
	PUT(&board, write_cells, .tile = 0);
	cell(0, 0, 1);
	cell(0, 0, 8);
	refused(NMLINK_ERANGE, 2 + 6, NMLINK_OP_WRITE_CELLS);
}
END_TEST

START_TEST(a_failure_ends_a_list_of_cells)
{
	board_begin(&board);
	board.fails = NMLINK_EHARDWARE;
	PUT(&board, write_cells, .tile = 0);
	cell(0, 0, 1);
	cell(0, 1, 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_CELLS), NMLINK_EHARDWARE);
	ck_assert_uint_eq(board_detail(&board), 77);
	ck_assert_str_eq(board_log(&board), "write 0 0 0 1x1 01");
}
END_TEST

/* ---- inference --------------------------------------------------------------------------------------------------- */

START_TEST(a_batch_comes_back_with_its_clipped_bits)
{
	static const int8_t inputs[] = { -4, 3, 0, 1, 2, 1, -1, 3 };

	board_begin(&board);
	PUT(&board, infer, .tile = 1, .rows = 4, .cols = 3, .batch = 2, .first_vector = 7);
	board_tail(&board, inputs, 8);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_INFER), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "infer 1 0 0 4x3 batch 2 flags 0 vector 7 fc 03 00 01 02 01 ff 03");
	ck_assert_uint_eq(board.reply.size, 2 * 3 + 2);
	ck_assert_mem_eq(board.payload, "\0\1\2\12\13\14\1\2", 8);
	PUT(&board, infer, .row = 1, .rows = 2, .cols = 3, .batch = 1, .flags = NMLINK_INFER_TRANSPOSED);
	board_tail(&board, inputs, 3);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_INFER), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, 2 + 1);
}
END_TEST

START_TEST(inference_that_the_board_cannot_do_is_refused)
{
	static const uint8_t codes[64] = { [3] = 4 };
	const struct {
		struct nmlink_infer_request m;
		uint32_t size, detail;
		enum nmlink_status status;
	} cases[] = {
		{ { .rows = 4, .cols = 3, .batch = 0 }, 0, 10, NMLINK_EARG },
		{ { .rows = 4, .cols = 3, .batch = 6 }, 24, 10, NMLINK_ERANGE },
		{ { .rows = 4, .cols = 3, .batch = 1, .flags = NMLINK_INFER_BIT_SERIAL }, 4, 12, NMLINK_EARG },
		{ { .rows = 4, .cols = 3, .batch = 1, .flags = 0x8000 }, 4, 12, NMLINK_EARG },
		{ { .rows = 4, .cols = 3, .batch = 1, .reserved = 1 }, 4, 14, NMLINK_EARG },
		{ { .rows = 4, .cols = 3, .batch = 1 }, 3, 24 + 4, NMLINK_ELEN },
		{ { .rows = 4, .cols = 3, .batch = 1 }, 5, 24 + 4, NMLINK_ELEN },
		{ { .rows = 4, .cols = 3, .batch = 2, .flags = 1 }, 8, 24 + 6, NMLINK_ELEN },
		{ { .rows = 4, .cols = 3, .batch = 1 }, 4, 24 + 3, NMLINK_ERANGE },
	};

	board_begin(&board);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *payload = board.request + NMLINK_HEADER_SIZE;

		board.request_size = (uint32_t)(nmlink_put_infer_request(payload, &cases[i].m) - board.request);
		board_tail(&board, codes, cases[i].size);
		refused(cases[i].status, cases[i].detail, NMLINK_OP_INFER);
	}
}
END_TEST

/* Inputs of one row fit where outputs of the batch do not. */
START_TEST(a_reply_that_does_not_fit_is_refused)
{
	struct nmlink_input_cap many = { -4, 3, 3, 1, 0, 1000, NULL, 0 };
	static const uint8_t zeros[120];

	board_start(&board);
	board.description.input = &many;
	ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
	ck_assert_uint_eq(board_hello(&board, 3), NMLINK_OK);
	board_log(&board);
	PUT(&board, infer, .rows = 1, .cols = 3, .batch = 59);
	board_tail(&board, zeros, 59);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_INFER), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, BOARD_FRAME - NMLINK_OVERHEAD);
	board_log(&board);
	PUT(&board, infer, .rows = 1, .cols = 3, .batch = 60);
	board_tail(&board, zeros, 60);
	refused(NMLINK_ELEN, BOARD_FRAME - NMLINK_OVERHEAD, NMLINK_OP_INFER);
}
END_TEST

/* ---- attributes, sensors, counters ------------------------------------------------------------------------------- */

START_TEST(attributes_sensors_and_counters)
{
	board_begin(&board);
	PUT(&board, set_attr, .index = 0, .value = -5);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_ATTR), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "attr 0 -5");
	PUT(&board, get_attr, .index = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_GET_ATTR), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_get_attr_reply);
	ck_assert_int_eq(nmlink_load_s64(board.payload), -5);
	PUT(&board, get_sensor, .index = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_GET_SENSOR), NMLINK_OK);
	ck_assert_int_eq(nmlink_load_s64(board.payload), -100);
	PUT(&board, get_counter, .index = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_GET_COUNTER), NMLINK_OK);
	ck_assert(nmlink_load_u64(board.payload) == UINT64_MAX);
	PUT(&board, set_attr, .index = 0, .value = 6);
	refused(NMLINK_ERANGE, 2, NMLINK_OP_SET_ATTR);
	PUT(&board, set_attr, .index = 0, .value = INT64_MIN);
	refused(NMLINK_ERANGE, 2, NMLINK_OP_SET_ATTR);
	PUT(&board, set_attr, .index = 1, .value = 0);
	refused(NMLINK_EARG, 0, NMLINK_OP_SET_ATTR);
	PUT(&board, set_attr, .index = 2, .value = 0);
	refused(NMLINK_ERANGE, 0, NMLINK_OP_SET_ATTR);
	PUT(&board, get_attr, .index = 2);
	refused(NMLINK_ERANGE, 0, NMLINK_OP_GET_ATTR);
	PUT(&board, get_sensor, .index = 1);
	refused(NMLINK_ERANGE, 0, NMLINK_OP_GET_SENSOR);
	PUT(&board, get_counter, .index = 0xFFFF);
	refused(NMLINK_ERANGE, 0, NMLINK_OP_GET_COUNTER);
}
END_TEST

START_TEST(restart_ends_what_runs)
{
	board_begin(&board);
	PUT(&board, spikes_start, .flags = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_OK);
	board_log(&board);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_RESTART), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "stop; safe; restart");
	ck_assert(!board.core.running);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { records_say_what_the_board_has, ops_are_what_is_answered,
		unsound_descriptions_are_refused, rectangles_reach_the_board_whole, rectangles_outside_are_refused,
		codes_outside_are_refused_with_their_place, one_code_among_many_is_found, codes_of_two_bytes,
		cells_are_written_read_and_added, bad_cells_are_refused_before_the_first_is_written,
		a_failure_ends_a_list_of_cells, a_batch_comes_back_with_its_clipped_bits,
		inference_that_the_board_cannot_do_is_refused, a_reply_that_does_not_fit_is_refused,
		attributes_sensors_and_counters, restart_ends_what_runs };

	return run_tests("core_ops", tests, sizeof(tests) / sizeof(*tests));
}
