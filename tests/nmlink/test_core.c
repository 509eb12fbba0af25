/* SPDX-License-Identifier: MIT */
/* The board-side core: sessions, the order of requests, repetition, abort, frames of all kinds. */
#include "board.h"

static struct board board;

static enum nmlink_status write_one(int8_t code)
{
	PUT(&board, write, .rows = 1, .cols = 1);
	board_tail(&board, &code, 1);
	return board_send(&board, NMLINK_OP_WRITE);
}

static enum nmlink_status pulse_one(void)
{
	PUT(&board, pulse_cell, .voltage_uv = 150000, .width_ns = 100, .pulses = 1);
	return board_send(&board, NMLINK_OP_PULSE_CELL);
}

/* Sends the last frame again, byte for byte. */
static enum nmlink_status again(void)
{
	return board_frame(&board, board.request, board.request_size);
}

/* A request with a number of one's own, that does nothing but write code 1. */
static enum nmlink_status write_numbered(uint16_t seq)
{
	const int8_t code = 1;

	PUT(&board, write, .rows = 1, .cols = 1);
	board_tail(&board, &code, 1);
	return board_send_as(&board, (struct nmlink_header){
		.op = NMLINK_OP_WRITE,
		.seq = seq,
		.session = (uint16_t)board.session,
	});
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

START_TEST(nothing_is_executed_before_hello)
{
	board_start(&board);
	board.next = 1;
	ck_assert_uint_eq(write_one(1), NMLINK_ESESSION);
	ck_assert_uint_eq(board.reply.session, 0);
	board.session = 5;
	ck_assert_uint_eq(write_one(1), NMLINK_ESESSION);
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

START_TEST(hello_tells_what_the_link_can)
{
	struct nmlink_hello_reply m;

	board_begin(&board);
	GET(&board, hello, &m);
	ck_assert_uint_eq(m.session, BOARD_SESSION);
	ck_assert_uint_eq(m.minor, NMLINK_VERSION_MINOR);
	ck_assert_uint_eq(m.window, BOARD_WINDOW);
	ck_assert_uint_eq(m.max_frame, BOARD_FRAME);
	ck_assert_uint_gt(m.caps_size, 100);
	ck_assert_uint_eq(board.reply.session, (uint16_t)BOARD_SESSION);
	ck_assert_uint_eq(board.reply.seq, 0);
}
END_TEST

START_TEST(hello_of_the_same_session_changes_nothing)
{
	board_begin(&board);
	ck_assert_uint_eq(write_one(1), NMLINK_OK);
	PUT(&board, arm, .silence_ms = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_ARM), NMLINK_OK);
	board_log(&board);
	ck_assert_uint_eq(board_hello(&board, BOARD_SESSION), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "");
	ck_assert(board.core.armed);
	board.next = 3;
	ck_assert_uint_eq(write_one(2), NMLINK_OK);
}
END_TEST

START_TEST(a_new_session_forgets_the_one_before)
{
	board_begin(&board);
	PUT(&board, spikes_start, .flags = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_OK);
	PUT(&board, arm, .silence_ms = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_ARM), NMLINK_OK);
	board_log(&board);
	ck_assert_uint_eq(board_hello(&board, 0x99), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "stop; safe");
	ck_assert(!board.core.armed);
	/* Number 1 is new, not a repetition; the old session is not known any more. */
	ck_assert_uint_eq(write_one(2), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "write 0 0 0 1x1 02");
	board.session = BOARD_SESSION;
	ck_assert_uint_eq(write_one(2), NMLINK_ESESSION);
	ck_assert_str_eq(board_log(&board), "");
	ck_assert_uint_eq(board_hello(&board, 0x10000), NMLINK_EARG);
	ck_assert_uint_eq(board.core.session, 0x99);
}
END_TEST

START_TEST(a_short_hello_is_refused)
{
	board_start(&board);
	board.request_size = NMLINK_HEADER_SIZE;
	ck_assert_uint_eq(board_send_as(&board, (struct nmlink_header){ .op = NMLINK_OP_HELLO }), NMLINK_ELEN);
	ck_assert_uint_eq(board_detail(&board), NMLINK_SIZE_hello_request);
	ck_assert_uint_eq(board.core.session, 0);
}
END_TEST

START_TEST(a_bus_reset_ends_the_session_and_is_safe)
{
	board_begin(&board);
	PUT(&board, arm, .silence_ms = 100);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_ARM), NMLINK_OK);
	board_log(&board);
	nmlink_core_bus_reset(&board.core);
	ck_assert_str_eq(board_log(&board), "safe");
	ck_assert(!board.core.armed);
	ck_assert_uint_eq(write_one(1), NMLINK_ESESSION);
}
END_TEST

/* ---- order and repetition ---------------------------------------------------------------------------------------- */

START_TEST(numbers_are_executed_in_order_only)
{
	board_begin(&board);
	ck_assert_uint_eq(write_one(1), NMLINK_OK);
	board_log(&board);
	/* Every other number of all there are: lost frames before it, or stale. */
	for (uint32_t seq = 0; seq <= 0xFFFF; seq++) {
		if (seq == 1 || seq == 2)
			continue;
		ck_assert_uint_eq(write_numbered((uint16_t)seq), NMLINK_ESEQ);
		ck_assert_uint_eq(board.reply.seq, 2);
	}
	ck_assert_str_eq(board_log(&board), "");
	ck_assert_uint_eq(write_numbered(2), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "write 0 0 0 1x1 01");
}
END_TEST

START_TEST(a_repeated_pulse_is_applied_once)
{
	uint8_t reply[64];
	uint32_t size;

	board_begin(&board);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	size = board.out_size;
	memcpy(reply, board.out, size);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(again(), NMLINK_OK);
		ck_assert_uint_eq(board.out_size, size);
		ck_assert_mem_eq(board.out, reply, size);
	}
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(a_pulse_is_kept_for_a_whole_window)
{
	uint8_t frame[64];
	uint32_t size;

	board_begin(&board);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	size = board.request_size;
	memcpy(frame, board.request, size);
	for (uint32_t i = 1; i < BOARD_WINDOW; i++)
		ck_assert_uint_eq(write_one(1), NMLINK_OK);
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_OK);
	ck_assert_uint_eq(board.reply.seq, 1);
	ck_assert_uint_eq(write_one(1), NMLINK_OK);
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_ESEQ);
	ck_assert_uint_eq(board.reply.seq, BOARD_WINDOW + 2);
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(a_restart_between_pulse_and_reply_does_not_pulse_twice)
{
	uint8_t frame[64];
	uint32_t size;

	board_begin(&board);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	size = board.request_size;
	memcpy(frame, board.request, size);
	/* Power is lost and comes back: the host knows nothing of it and sends again. */
	ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_ESESSION);
	nmlink_core_bus_reset(&board.core);
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_ESESSION);
	/* Another host has begun a session meanwhile. */
	ck_assert_uint_eq(board_hello(&board, 0x77), NMLINK_OK);
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_ESESSION);
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(reads_are_executed_again)
{
	board_begin(&board);
	PUT(&board, read, .rows = 1, .cols = 2, .use = 9);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ), NMLINK_OK);
	ck_assert_uint_eq(again(), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, 2);
	ck_assert_uint_eq(board.payload[0], 0xFF);
	ck_assert_str_eq(board_log(&board), "read 0 0 0 1x2 use 9; read 0 0 0 1x2 use 9");
	ck_assert_uint_eq(board.core.next, 2);
	ck_assert_uint_eq(write_one(1), NMLINK_OK);
}
END_TEST

START_TEST(errors_of_state_requests_are_kept_with_their_text)
{
	struct nmlink_error error;

	board_begin(&board);
	board.fails = NMLINK_EHARDWARE;
	board.complaint = "line 3 is open; this text is longer than the sixty-four bytes that it may have";
	ck_assert_uint_eq(write_one(1), NMLINK_EHARDWARE);
	board.fails = NMLINK_OK;
	ck_assert_uint_eq(again(), NMLINK_EHARDWARE);
	ck_assert(nmlink_get_error(&error, board.payload, board.reply.size));
	ck_assert_uint_eq(error.detail, 77);
	ck_assert_uint_eq(error.tail_size, NMLINK_ERROR_TEXT);
	ck_assert_mem_eq(error.tail, board.complaint, NMLINK_ERROR_TEXT);
	ck_assert_str_eq(board_log(&board), "write 0 0 0 1x1 01");
}
END_TEST

START_TEST(another_request_with_an_old_number_is_no_repetition)
{
	board_begin(&board);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_DISARM), NMLINK_OK);
	board_log(&board);
	board.next = 1;
	ck_assert_uint_eq(write_numbered(1), NMLINK_ESEQ);
	ck_assert_str_eq(board_log(&board), "");
	/* One that changes nothing may come for it: a host has given the call up. */
	board.request_size = NMLINK_HEADER_SIZE;
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_PING), NMLINK_OK);
	ck_assert_uint_eq(board.core.next, 2);
}
END_TEST

START_TEST(numbers_wrap)
{
	board_begin(&board);
	for (uint32_t i = 1; i <= 0x10001; i++)
		ck_assert_uint_eq(board_simple(&board, NMLINK_OP_PING), NMLINK_OK);
	ck_assert_uint_eq(board.reply.seq, 1);
	ck_assert_uint_eq(again(), NMLINK_OK);
	ck_assert_uint_eq(write_numbered(0xFFFF - BOARD_WINDOW), NMLINK_ESEQ);
	ck_assert_uint_eq(board.reply.seq, 2);
}
END_TEST

/* ---- frames ------------------------------------------------------------------------------------------------------ */

START_TEST(damaged_frames_ask_for_the_expected_number)
{
	uint8_t frame[64];
	uint32_t size;

	board_begin(&board);
	ck_assert_uint_eq(write_one(1), NMLINK_OK);
	PUT(&board, pulse_cell, .voltage_uv = 150000, .width_ns = 100, .pulses = 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_PULSE_CELL), NMLINK_OK);
	board_log(&board);
	/* The next pulse, with each cut and each bit turned. */
	board.pulses = 0;
	size = board.request_size;
	memcpy(frame, board.request, size);
	nmlink_store_u16(frame + 4, 3);
	nmlink_store_u32(frame + size - 4, nmlink_crc32c(0, frame, size - 4));
	ck_assert_uint_eq(board_frame(&board, frame, 0), NMLINK_OK);
	ck_assert_uint_eq(board.out_size, 0);
	for (uint32_t cut = 1; cut < size; cut++) {
		ck_assert_uint_eq(board_frame(&board, frame, cut), NMLINK_ECRC);
		ck_assert_uint_eq(board.reply.seq, 3);
	}
	for (uint32_t bit = 0; bit < 8 * size; bit++) {
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_ECRC);
		ck_assert_uint_eq(board.reply.seq, 3);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_eq(board.pulses, 0);
	ck_assert_uint_eq(board_frame(&board, frame, size), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(another_version_is_told_ours)
{
	board_begin(&board);
	board.request_size = NMLINK_HEADER_SIZE;
	ck_assert_uint_eq(board_send_as(&board, (struct nmlink_header){ .version = 2, .op = NMLINK_OP_PING, .seq = 1 }),
		NMLINK_EVERSION);
	ck_assert_uint_eq(board_detail(&board), NMLINK_VERSION_MAJOR);
	ck_assert_uint_eq(board.core.next, 1);
}
END_TEST

START_TEST(replies_and_events_are_not_answered)
{
	board_begin(&board);
	for (uint8_t flags = 1; flags < 4; flags++) {
		board.request_size = NMLINK_HEADER_SIZE;
		board.out_size = 1;
		board_send_as(&board, (struct nmlink_header){
			.flags = flags,
			.op = NMLINK_OP_PING,
			.seq = 1,
			.session = (uint16_t)BOARD_SESSION,
		});
		ck_assert_uint_eq(board.out_size, 0);
	}
	ck_assert_uint_eq(board.core.next, 1);
}
END_TEST

START_TEST(unknown_opcodes_are_refused_and_counted)
{
	static const uint16_t ops[] = { 0, 0x0006, NMLINK_SEQUENCE_FIRST, NMLINK_SEQUENCE_LAST, 0x7FFF, 0x8000, 0xFFFF,
		NMLINK_OP_ABORT, NMLINK_OP_EVENTS };

	board_begin(&board);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		ck_assert_uint_eq(board_simple(&board, ops[i]), NMLINK_EOP);
		ck_assert_uint_eq(board_detail(&board), ops[i]);
		ck_assert_uint_eq(again(), NMLINK_EOP);
	}
	ck_assert_uint_eq(board.core.next, 1 + sizeof(ops) / sizeof(ops[0]));
}
END_TEST

/* Each request, cut short and made longer than its fields: what a later minor version may add is ignored. */
START_TEST(payloads_shorter_and_longer_than_the_fields)
{
#define NO_FIELD(type, name, text)
#define A_TAIL(text) +1
#define ROW_OF(name, NAME, code, class, text)                                                                          \
	{ code, NMLINK_SIZE_##name##_request, 0 NMLINK_##name##_REQUEST(NO_FIELD, A_TAIL) },
	static const struct {
		uint16_t op;
		uint32_t size, tails;
	} rows[] = { NMLINK_MESSAGES(ROW_OF) };
	static const uint8_t zeros[200];

	board_begin(&board);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].op <= NMLINK_OP_HELLO || rows[i].op == NMLINK_OP_ABORT || rows[i].op == NMLINK_OP_EVENTS)
			continue;
		for (uint32_t size = 0; size < rows[i].size; size++) {
			board.request_size = NMLINK_HEADER_SIZE;
			board_tail(&board, zeros, size);
			ck_assert_uint_eq(board_send(&board, rows[i].op), NMLINK_ELEN);
			ck_assert_uint_eq(board_detail(&board), rows[i].size);
		}
		if (rows[i].tails)
			continue;
		board.request_size = NMLINK_HEADER_SIZE;
		board_tail(&board, zeros, rows[i].size + 40);
		ck_assert_uint_ne(board_send(&board, rows[i].op), NMLINK_ELEN);
	}
}
END_TEST

START_TEST(a_request_longer_than_max_frame_is_refused)
{
	static const uint8_t bytes[300];

	board_begin(&board);
	board.request_size = NMLINK_HEADER_SIZE;
	board_tail(&board, bytes, BOARD_FRAME - NMLINK_OVERHEAD);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_PING), NMLINK_OK);
	ck_assert_uint_eq(board.out_size, BOARD_FRAME);
	board.request_size = NMLINK_HEADER_SIZE;
	board_tail(&board, bytes, BOARD_FRAME - NMLINK_OVERHEAD + 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_PING), NMLINK_ELEN);
	ck_assert_uint_eq(board_detail(&board), BOARD_FRAME - NMLINK_OVERHEAD);
}
END_TEST

/* ---- abort ------------------------------------------------------------------------------------------------------- */

static enum nmlink_status abort_before(uint16_t seq)
{
	board.request_size = NMLINK_HEADER_SIZE;
	return board_send_as(&board, (struct nmlink_header){
		.flags = NMLINK_FLAG_URGENT,
		.op = NMLINK_OP_ABORT,
		.seq = seq,
		.session = (uint16_t)board.session,
	});
}

START_TEST(abort_drops_what_was_sent_before_it)
{
	board_begin(&board);
	ck_assert_uint_eq(abort_before(3), NMLINK_OK);
	ck_assert_uint_eq(board.reply.flags, NMLINK_FLAG_REPLY | NMLINK_FLAG_URGENT);
	ck_assert_uint_eq(board.reply.seq, 3);
	ck_assert_uint_eq(pulse_one(), NMLINK_EABORTED);
	ck_assert_uint_eq(again(), NMLINK_EABORTED);
	ck_assert_uint_eq(pulse_one(), NMLINK_EABORTED);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(abort_without_anything_to_end_changes_nothing)
{
	board_begin(&board);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	for (uint32_t seq = 0; seq <= 0xFFFF; seq += seq < 100 || seq > 0xFF00 ? 1 : 97)
		if (seq < 3 || seq > 2 + BOARD_WINDOW)
			ck_assert_uint_eq(abort_before((uint16_t)seq), NMLINK_OK);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, 2);
	/* A session later nothing of an ABORT is left. */
	ck_assert_uint_eq(abort_before(5), NMLINK_OK);
	ck_assert_uint_eq(board_hello(&board, 0x33), NMLINK_OK);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
}
END_TEST

START_TEST(abort_ends_a_running_ramp)
{
	board_begin(&board);
	PUT(&board, set_cell, .target_ps = 100000, .start_uv = 1000, .step_uv = 1000, .stop_uv = 190000,
		.width_ns = 100, .max_pulses = 20);
	board.abort_after = 3;
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SET_CELL), NMLINK_EABORTED);
	ck_assert_uint_eq(board.pulses, 3);
	board.abort_after = -1;
	ck_assert_uint_eq(again(), NMLINK_EABORTED);
	ck_assert_uint_eq(board.pulses, 3);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
}
END_TEST

/* What ABORT has ended is not executed when it comes again, also where that would change nothing. */
START_TEST(abort_ends_a_reading_request_for_good)
{
	const int8_t input = 1;

	board_begin(&board);
	PUT(&board, infer, .rows = 1, .cols = 1, .batch = 1);
	board_tail(&board, &input, 1);
	board.abort_after = 0;
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_INFER), NMLINK_EABORTED);
	board.abort_after = -1;
	board_log(&board);
	ck_assert_uint_eq(again(), NMLINK_EABORTED);
	ck_assert_str_eq(board_log(&board), "");
	/* One that was answered ends while it is executed again, and no other does. */
	PUT(&board, infer, .rows = 1, .cols = 1, .batch = 1);
	board_tail(&board, &input, 1);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_INFER), NMLINK_OK);
	board.abort_after = 0;
	ck_assert_uint_eq(again(), NMLINK_EABORTED);
	board.abort_after = -1;
	ck_assert_uint_eq(again(), NMLINK_OK);
	ck_assert_uint_eq(pulse_one(), NMLINK_OK);
	ck_assert_uint_eq(board.pulses, 1);
}
END_TEST

START_TEST(urgent_is_for_abort_of_this_session)
{
	uint8_t frame[NMLINK_OVERHEAD], out[NMLINK_MIN_FRAME];
	struct nmlink_header header = { .version = 1, .op = NMLINK_OP_PING, .seq = 1, .session = 0x4242 };

	board_begin(&board);
	board.request_size = NMLINK_HEADER_SIZE;
	header.flags = NMLINK_FLAG_URGENT;
	ck_assert_uint_eq(board_send_as(&board, header), NMLINK_EOP);
	ck_assert_uint_eq(abort_before(2), NMLINK_OK);
	board.session = 0x11;
	ck_assert_uint_eq(abort_before(2), NMLINK_ESESSION);
	board.session = BOARD_SESSION;
	/* The entrance for busy boards leaves other frames alone. */
	header.flags = 0;
	nmlink_frame_seal(frame, &header, nmlink_crc32c);
	ck_assert_uint_eq(nmlink_core_urgent(&board.core, frame, sizeof(frame), out), 0);
	header.flags = NMLINK_FLAG_URGENT;
	header.session = 0x11;
	nmlink_frame_seal(frame, &header, nmlink_crc32c);
	ck_assert_uint_gt(nmlink_core_urgent(&board.core, frame, sizeof(frame), out), 0);
	ck_assert_uint_eq(nmlink_load_u16(out + 12), NMLINK_ESESSION);
	frame[5] ^= 1;
	ck_assert_uint_eq(nmlink_core_urgent(&board.core, frame, sizeof(frame), out), 0);
}
END_TEST

/* ---- vendor ------------------------------------------------------------------------------------------------------ */

START_TEST(vendor_opcodes_reach_the_board)
{
	static const uint8_t bytes[40] = { 1, 2 };

	board_begin(&board);
	board.request_size = NMLINK_HEADER_SIZE;
	board_tail(&board, bytes, 2);
	ck_assert_uint_eq(board_send(&board, 0x8001), NMLINK_OK);
	ck_assert_uint_eq(again(), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "vendor 8001 room 236 01 02; vendor 8001 room 236 01 02");
	board.request_size = NMLINK_HEADER_SIZE;
	board_tail(&board, bytes, 2);
	ck_assert_uint_eq(board_send(&board, 0xC001), NMLINK_OK);
	ck_assert_uint_eq(again(), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, 2);
	ck_assert_mem_eq(board.payload, bytes, 2);
	ck_assert_str_eq(board_log(&board), "vendor c001 room 32 01 02");
	board.request_size = NMLINK_HEADER_SIZE;
	board_tail(&board, bytes, sizeof(bytes));
	ck_assert_uint_eq(board_send(&board, 0xC001), NMLINK_EINTERNAL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { nothing_is_executed_before_hello, hello_tells_what_the_link_can,
		hello_of_the_same_session_changes_nothing, a_new_session_forgets_the_one_before,
		a_short_hello_is_refused, a_bus_reset_ends_the_session_and_is_safe, numbers_are_executed_in_order_only,
		a_repeated_pulse_is_applied_once, a_pulse_is_kept_for_a_whole_window,
		a_restart_between_pulse_and_reply_does_not_pulse_twice, reads_are_executed_again,
		errors_of_state_requests_are_kept_with_their_text,
		another_request_with_an_old_number_is_no_repetition, numbers_wrap,
		damaged_frames_ask_for_the_expected_number, another_version_is_told_ours,
		replies_and_events_are_not_answered, unknown_opcodes_are_refused_and_counted,
		payloads_shorter_and_longer_than_the_fields, a_request_longer_than_max_frame_is_refused,
		abort_drops_what_was_sent_before_it, abort_without_anything_to_end_changes_nothing,
		abort_ends_a_running_ramp, abort_ends_a_reading_request_for_good, urgent_is_for_abort_of_this_session,
		vendor_opcodes_reach_the_board };

	return run_tests("core", tests, sizeof(tests) / sizeof(*tests));
}
