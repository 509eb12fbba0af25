/* SPDX-License-Identifier: MIT */
/* The board-side core: neurons, and runs of spikes with events that are read, pushed and freed. */
#include "board.h"

static struct board board;

static void begin(uint32_t flags)
{
	board_begin(&board);
	PUT(&board, spikes_start, .flags = flags);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_OK);
	board_log(&board);
}

static void input(const struct nmlink_input_record *m)
{
	uint8_t record[NMLINK_SIZE_input_record];

	nmlink_put_input_record(record, m);
	board_tail(&board, record, sizeof(record));
}

/* Sends `count` spikes of row 1; the reply. */
static struct nmlink_spikes_send_reply send_spikes(uint32_t first, uint32_t count)
{
	struct nmlink_spikes_send_reply m;

	PUT(&board, spikes_send, .first = first);
	while (count--)
		input(&(const struct nmlink_input_record){ .address = 1 });
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_OK);
	GET(&board, spikes_send, &m);
	return m;
}

static struct nmlink_spikes_read_reply read_spikes(uint32_t from)
{
	struct nmlink_spikes_read_reply m;

	PUT(&board, spikes_read, .from = from);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_READ), NMLINK_OK);
	GET(&board, spikes_read, &m);
	ck_assert_uint_eq(m.from, from);
	return m;
}

/* ---- neurons ----------------------------------------------------------------------------------------------------- */

static void neuron(int32_t threshold, int32_t leak, int32_t potential, uint32_t enabled)
{
	uint8_t record[NMLINK_SIZE_neuron_record];

	nmlink_put_neuron_record(record, &(const struct nmlink_neuron_record){ threshold, leak, potential, enabled });
	board_tail(&board, record, sizeof(record));
}

START_TEST(neurons_are_set_and_read)
{
	struct nmlink_neuron_record m;

	board_begin(&board);
	PUT(&board, write_neurons, .tile = 1, .first = 1);
	neuron(1000, -8, 500, 1);
	neuron(0, 8, -500, 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "set 1 1 1000 -8 500 1; set 1 2 0 8 -500 0");
	PUT(&board, read_neurons, .tile = 1, .first = 1, .count = 2);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_NEURONS), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, 2 * NMLINK_SIZE_neuron_record);
	nmlink_get_neuron_record(&m, board.payload + NMLINK_SIZE_neuron_record);
	ck_assert_int_eq(m.threshold, 2);
	ck_assert_int_eq(m.leak, -1);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_RESET_STATE), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "reset_state");
}
END_TEST

START_TEST(neurons_outside_are_refused)
{
	static const int32_t bad[][4] = { { -1, 0, 0, 0 }, { 1001, 0, 0, 0 }, { 0, -9, 0, 0 }, { 0, 9, 0, 0 },
		{ 0, 0, -501, 0 }, { 0, 0, 501, 0 }, { 0, 0, 0, 2 } };

	board_begin(&board);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		PUT(&board, write_neurons, .tile = 0, .first = 0);
		neuron(0, 0, 0, 0);
		neuron(bad[i][0], bad[i][1], bad[i][2], (uint32_t)bad[i][3]);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_ERANGE);
		ck_assert_uint_eq(board_detail(&board), 4 + 16);
	}
	PUT(&board, write_neurons, .tile = 0, .first = 2);
	neuron(0, 0, 0, 0);
	neuron(0, 0, 0, 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_ERANGE);
	PUT(&board, write_neurons, .tile = 0, .first = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_EARG);
	PUT(&board, write_neurons, .tile = 2, .first = 0);
	neuron(0, 0, 0, 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_ERANGE);
	PUT(&board, write_neurons, .tile = 0, .first = 0);
	board_tail(&board, "\0\0\0", 3);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_WRITE_NEURONS), NMLINK_ELEN);
	PUT(&board, read_neurons, .first = 1, .count = 3);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_NEURONS), NMLINK_ERANGE);
	PUT(&board, read_neurons, .first = 65535, .count = 65535);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_NEURONS), NMLINK_ERANGE);
	PUT(&board, read_neurons, .first = 0, .count = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_READ_NEURONS), NMLINK_EARG);
	ck_assert_str_eq(board_log(&board), "");
}
END_TEST

/* ---- runs -------------------------------------------------------------------------------------------------------- */

START_TEST(a_run_takes_inputs_and_gives_outputs)
{
	struct nmlink_spikes_send_reply sent;
	struct nmlink_spikes_read_reply got;
	struct nmlink_spikes_stop_reply total;
	struct nmlink_output_record event;

	begin(0);
	board.outputs_each = 2;
	sent = send_spikes(0, 3);
	ck_assert_str_eq(board_log(&board), "give 0 0 0 1 0; give 1 0 0 1 0; give 2 0 0 1 0");
	ck_assert_uint_eq(sent.taken, 3);
	ck_assert_uint_eq(sent.produced, 6);
	ck_assert_uint_eq(sent.idle, 1);
	got = read_spikes(0);
	ck_assert_uint_eq(got.produced, 6);
	ck_assert_uint_eq(got.tail_size, 6 * NMLINK_SIZE_output_record);
	nmlink_get_output_record(&event, got.tail + 5 * NMLINK_SIZE_output_record);
	ck_assert_uint_eq(event.input, 2);
	ck_assert_uint_eq(event.tile, 1);
	ck_assert_uint_eq(event.address, 1);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_OK);
	GET(&board, spikes_stop, &total);
	ck_assert_uint_eq(total.sops, 1234);
	ck_assert_uint_eq(total.queue_dropped, 2);
	ck_assert(total.cycles == NMLINK_NOT_COUNTED);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_EBUSY);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_READ), NMLINK_ELEN);
	PUT(&board, spikes_read, .from = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_READ), NMLINK_EBUSY);
	PUT(&board, spikes_send, .first = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_EBUSY);
}
END_TEST

/* A read that comes again, byte for byte: while nothing that it asks for was freed. */
START_TEST(reads_are_repeated_until_what_they_ask_for_was_freed)
{
	uint8_t first[NMLINK_MIN_FRAME];
	uint32_t size;

	begin(0);
	board.outputs_each = 2;
	send_spikes(0, 2);
	read_spikes(1);
	size = board.request_size;
	memcpy(first, board.request, size);
	ck_assert_uint_eq(board_frame(&board, first, size), NMLINK_OK);
	ck_assert_uint_eq(board.reply.size, NMLINK_SIZE_spikes_read_reply + 3 * NMLINK_SIZE_output_record);
	read_spikes(2);
	ck_assert_uint_eq(board_frame(&board, first, size), NMLINK_ERANGE);
	ck_assert_uint_eq(read_spikes(2).tail_size, 2 * NMLINK_SIZE_output_record);
}
END_TEST

START_TEST(outputs_without_room_hold_the_inputs_back)
{
	struct nmlink_spikes_send_reply sent;
	struct nmlink_spikes_read_reply got;

	begin(0);
	board.outputs_each = 3;
	/* 8 places: two inputs have room, the third goes on when outputs were read. */
	sent = send_spikes(0, 5);
	ck_assert_uint_eq(sent.taken, 3);
	ck_assert_uint_eq(sent.produced, 8);
	ck_assert_uint_eq(sent.idle, 0);
	got = read_spikes(0);
	ck_assert_uint_eq(got.tail_size, 8 * NMLINK_SIZE_output_record);
	got = read_spikes(8);
	ck_assert_uint_eq(got.produced, 9);
	ck_assert_uint_eq(got.tail_size, NMLINK_SIZE_output_record);
	ck_assert_uint_eq(got.idle, 1);
	/* From what was taken; what comes twice is skipped. */
	sent = send_spikes(2, 3);
	ck_assert_uint_eq(sent.taken, 5);
	ck_assert_str_eq(board_log(&board), "give 0 0 0 1 0; give 1 0 0 1 0; give 2 0 0 1 0; give 3 0 0 1 0; "
		"give 4 0 0 1 0");
	/* Outputs that were given up are gone; those to come are not there yet. */
	PUT(&board, spikes_read, .from = 7);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_READ), NMLINK_ERANGE);
	PUT(&board, spikes_read, .from = 16);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_READ), NMLINK_ERANGE);
	PUT(&board, spikes_send, .first = 6);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_ERANGE);
}
END_TEST

START_TEST(back_to_back_does_not_wait_for_idle)
{
	begin(NMLINK_RUN_BACK_TO_BACK);
	board.outputs_each = 1;
	ck_assert_uint_eq(send_spikes(0, 8).taken, 8);
	/* The ninth waits in the board, the tenth outside. */
	ck_assert_uint_eq(send_spikes(8, 2).taken, 9);
	ck_assert_uint_eq(send_spikes(9, 1).idle, 0);
}
END_TEST

START_TEST(inputs_that_a_run_cannot_have_are_refused)
{
	static const struct nmlink_input_record bad[] = {
		{ .tile = 2 },
		{ .address = BOARD_ROWS },
		{ .reserved = 1 },
		{ .kind = 4 },
		{ .kind = NMLINK_INPUT_VIRTUAL, .address = 3 },
		{ .kind = NMLINK_INPUT_VIRTUAL, .value = 8 },
		{ .kind = NMLINK_INPUT_VIRTUAL, .value = -9 },
		{ .kind = NMLINK_INPUT_LEAK_ONE, .address = 2 },
	};
	static const struct nmlink_input_record good[] = {
		{ .kind = NMLINK_INPUT_VIRTUAL, .address = 2, .value = -8 },
		{ .kind = NMLINK_INPUT_LEAK_ALL },
		{ .kind = NMLINK_INPUT_LEAK_ONE, .address = 1 },
		{ .tile = 1, .address = BOARD_ROWS - 1 },
	};
	struct nmlink_spikes_cap none = { .flags = 0 };

	begin(0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		PUT(&board, spikes_send, .first = 0);
		input(&good[3]);
		input(&bad[i]);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_ERANGE);
		ck_assert_uint_eq(board_detail(&board), 4 + 8);
	}
	ck_assert_str_eq(board_log(&board), "");
	PUT(&board, spikes_send, .first = 0);
	for (size_t i = 0; i < 4; i++)
		input(&good[i]);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_OK);
	ck_assert_str_eq(board_log(&board), "give 0 0 1 2 -8; give 1 0 2 0 0; give 2 0 3 1 0; give 3 1 0 3 0");
	PUT(&board, spikes_send, .first = 4);
	board_tail(&board, "1234567", 7);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_ELEN);
	/* A board that has spikes alone. */
	none.virtual_max = 7;
	board.description.spikes = &none;
	for (size_t i = 0; i < 3; i++) {
		PUT(&board, spikes_send, .first = 4);
		input(&good[i]);
		ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_ERANGE);
	}
}
END_TEST

START_TEST(runs_do_not_overlap)
{
	struct nmlink_spikes_cap none = { .flags = 0 };

	begin(0);
	PUT(&board, spikes_start, .flags = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_EBUSY);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_RESET_STATE), NMLINK_EBUSY);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_OK);
	PUT(&board, spikes_start, .flags = 4);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_EARG);
	board.description.spikes = &none;
	PUT(&board, spikes_start, .flags = NMLINK_RUN_STREAM);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_EARG);
	board.fails = NMLINK_EHARDWARE;
	PUT(&board, spikes_start, .flags = 0);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_EHARDWARE);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_EBUSY);
}
END_TEST

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* An EVENTS frame; false when there is none. */
static bool events(struct nmlink_events_reply *m)
{
	struct nmlink_header header;
	const uint32_t size = nmlink_core_events(&board.core, board.out);

	if (!size)
		return false;
	ck_assert_uint_eq(nmlink_frame_open(board.out, size, &header, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(header.flags, NMLINK_FLAG_EVENT);
	ck_assert_uint_eq(header.op, NMLINK_OP_EVENTS);
	ck_assert_uint_eq(header.session, (uint16_t)BOARD_SESSION);
	ck_assert(nmlink_get_events_reply(m, board.out + NMLINK_HEADER_SIZE, header.size));
	return true;
}

START_TEST(streams_push_each_event_once)
{
	struct nmlink_events_reply m;

	board.now_ms = 0;
	begin(NMLINK_RUN_STREAM);
	board.outputs_each = 2;
	board.now_ms = 3;
	ck_assert(!events(&m));
	send_spikes(0, 2);
	ck_assert(events(&m));
	ck_assert_uint_eq(m.first, 0);
	ck_assert_uint_eq(m.dropped, 0);
	ck_assert_uint_eq(m.time_ns, 3000000);
	ck_assert_uint_eq(m.tail_size, 4 * NMLINK_SIZE_output_record);
	ck_assert(!events(&m));
	/* A frame that was lost is read again; what was read so is not pushed. */
	send_spikes(2, 1);
	ck_assert_uint_eq(read_spikes(0).tail_size, 6 * NMLINK_SIZE_output_record);
	ck_assert(!events(&m));
	read_spikes(6);
	send_spikes(3, 1);
	ck_assert(events(&m));
	ck_assert_uint_eq(m.first, 6);
	ck_assert_uint_eq(m.tail_size, 2 * NMLINK_SIZE_output_record);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_OK);
	ck_assert(!events(&m));
}
END_TEST

static void bus_is_reset(struct board *at)
{
	nmlink_core_bus_reset(&at->core);
	board_note(at, "gone; ");
}

/* While the board works for EVENTS (0) and for inputs (1): the run ends after the work, and nothing is told. */
START_TEST(a_bus_reset_ends_a_run)
{
	struct nmlink_events_reply m;

	for (int sending = 0; sending < 2; sending++) {
		begin(NMLINK_RUN_STREAM);
		board.outputs_each = 10; /* 2 more than there is room for */
		ck_assert_uint_eq(send_spikes(0, 1).idle, 0);
		board_log(&board);
		board.happens = bus_is_reset;
		if (sending) {
			PUT(&board, spikes_send, .first = 1);
			input(&(const struct nmlink_input_record){ .address = 1 });
			board_send_as(&board, (struct nmlink_header){
				.op = NMLINK_OP_SPIKES_SEND,
				.seq = board.next,
				.session = (uint16_t)board.session,
			});
			ck_assert_uint_eq(board.out_size, 0);
		} else {
			ck_assert(!events(&m));
		}
		ck_assert_str_eq(board_log(&board), "safe; gone; stop; safe");
		ck_assert_uint_eq(board.core.session, 0);
		ck_assert(!events(&m));
	}
}
END_TEST

START_TEST(a_run_without_stream_pushes_nothing)
{
	struct nmlink_events_reply m;

	begin(0);
	board.outputs_each = 2;
	send_spikes(0, 2);
	ck_assert(!events(&m));
}
END_TEST

START_TEST(a_flood_fills_frames_and_counts_on)
{
	static struct nmlink_output_record many[64];
	struct nmlink_events_reply m;
	uint32_t got = 0;

	board_start(&board);
	board.memory.events = many;
	board.memory.event_count = 64;
	ck_assert(nmlink_core_init(&board.core, &board.description, &board.memory, &board));
	ck_assert_uint_eq(board_hello(&board, BOARD_SESSION), NMLINK_OK);
	PUT(&board, spikes_start, .flags = NMLINK_RUN_STREAM);
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_START), NMLINK_OK);
	board.outputs_each = 1000;
	ck_assert_uint_eq(send_spikes(0, 2).taken, 1);
	while (got < 1000) {
		while (events(&m)) {
			ck_assert_uint_eq(m.first, got);
			ck_assert_uint_le(m.tail_size, BOARD_FRAME - NMLINK_OVERHEAD - NMLINK_SIZE_events_reply);
			got += m.tail_size / NMLINK_SIZE_output_record;
		}
		/* Only what the host has freed makes room. */
		ck_assert_uint_le(board.core.produced - board.core.freed, 64);
		got += read_spikes(got).tail_size / NMLINK_SIZE_output_record;
	}
	ck_assert_uint_eq(got, 1000);
}
END_TEST

START_TEST(events_without_room_are_counted)
{
	struct nmlink_spikes_stop_reply total;

	begin(0);
	for (uint32_t i = 0; i < BOARD_EVENTS + 5; i++)
		nmlink_core_output(&board.core, &(const struct nmlink_output_record){ .input = i });
	ck_assert_uint_eq(nmlink_core_room(&board.core), 0);
	ck_assert_uint_eq(read_spikes(0).produced, BOARD_EVENTS);
	ck_assert_uint_eq(board_simple(&board, NMLINK_OP_SPIKES_STOP), NMLINK_OK);
	GET(&board, spikes_stop, &total);
	ck_assert_uint_eq(total.queue_dropped, 2 + 5);
}
END_TEST

START_TEST(abort_ends_a_list_of_inputs)
{
	struct nmlink_spikes_read_reply got;

	begin(0);
	board.abort_after = 2;
	PUT(&board, spikes_send, .first = 0);
	for (int i = 0; i < 5; i++)
		input(&(const struct nmlink_input_record){ .address = 1 });
	ck_assert_uint_eq(board_send(&board, NMLINK_OP_SPIKES_SEND), NMLINK_EABORTED);
	board.abort_after = -1;
	got = read_spikes(0);
	ck_assert_uint_eq(got.taken, 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { neurons_are_set_and_read, neurons_outside_are_refused,
		a_run_takes_inputs_and_gives_outputs, reads_are_repeated_until_what_they_ask_for_was_freed,
		outputs_without_room_hold_the_inputs_back,
		back_to_back_does_not_wait_for_idle, inputs_that_a_run_cannot_have_are_refused, runs_do_not_overlap,
		streams_push_each_event_once, a_bus_reset_ends_a_run, a_run_without_stream_pushes_nothing,
		a_flood_fills_frames_and_counts_on, events_without_room_are_counted, abort_ends_a_list_of_inputs };

	return run_tests("core_spikes", tests, sizeof(tests) / sizeof(*tests));
}
