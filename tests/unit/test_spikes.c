/* SPDX-License-Identifier: MIT */
/* Runs: checks of events, where output goes, what is counted, and how runs end. */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/board.h"

/*
 * A board of [1][4][5]: row 0 makes one spike of neuron 1 and two of neuron 3, row 1 one of neuron 0, row 2 none, row 3
 * five of neuron 4.
 */
static void open_4x5(struct board *board)
{
	fake_init(&board->fake, 1, 4, 5);
	*fake_code(&board->fake, 0, 0, 1) = 1;
	*fake_code(&board->fake, 0, 0, 3) = 2;
	*fake_code(&board->fake, 0, 1, 0) = 1;
	*fake_code(&board->fake, 0, 3, 4) = 5;
	board_open(board);
}

static struct nmhal_event spike(uint64_t step, uint32_t row)
{
	return (struct nmhal_event){.step = step, .address = row};
}

static struct nmhal_spike_run run_of(const struct nmhal_event *in, size_t count)
{
	return (struct nmhal_spike_run){.struct_size = sizeof(struct nmhal_spike_run), .in = in, .in_count = count};
}

static void assert_event(const struct nmhal_event *event, uint64_t step, uint32_t address)
{
	ck_assert_uint_eq(event->step, step);
	ck_assert_uint_eq(event->address, address);
	ck_assert_uint_eq(event->kind, NMHAL_EVENT_SPIKE);
}

START_TEST(output_goes_to_the_ring)
{
	const struct nmhal_event in[] = {spike(0, 0), spike(2, 2), spike(2, 1)};
	struct nmhal_spike_run op = run_of(in, 3);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_event out[8];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 8};
	struct board board;

	open_4x5(&board);
	assert_ok(nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.run, 1);
	ck_assert_uint_eq(report.events_in, 3);
	ck_assert_uint_eq(report.events_out, 4);
	ck_assert_uint_eq(report.events_lost, 0);
	ck_assert_uint_eq(report.sops, 15);
	ck_assert_uint_eq(report.cycles, NMHAL_UNKNOWN);
	ck_assert_uint_eq(report.queue_dropped, NMHAL_UNKNOWN);
	assert_ok(nmhal_run_spikes(board.dev, &op, NULL));
	assert_ok(nmhal_read_spikes(board.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.count, 4);
	ck_assert_uint_eq(rd.run, 1);
	ck_assert_uint_eq(rd.lost, 0);
	assert_event(&out[0], 0, 1);
	assert_event(&out[1], 0, 3);
	assert_event(&out[2], 0, 3);
	assert_event(&out[3], 2, 0);
	assert_ok(nmhal_read_spikes(board.dev, &rd, 0));
	ck_assert_uint_eq(rd.run, 2);
	assert_fails(NMHAL_E_AGAIN, "read spikes: none are waiting",
		nmhal_read_spikes(board.dev, &rd, NMHAL_NO_WAIT));
	assert_fails(NMHAL_E_TIMEOUT, "read spikes: none came within 3 ms", nmhal_read_spikes(board.dev, &rd, 3));
	board_close(&board);
}
END_TEST

START_TEST(output_goes_to_the_caller_s_buffer)
{
	const struct nmhal_event in[] = {spike(0, 1), spike(1, 0)};
	struct nmhal_spike_run op = run_of(in, 2);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_event out[5] = {[4] = {.step = 77}};
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 5};
	struct board board;

	open_4x5(&board);
	op.out = out;
	op.out_capacity = 4;
	assert_ok(nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 4);
	ck_assert_uint_eq(report.events_lost, 0);
	assert_event(&out[0], 0, 0);
	assert_event(&out[3], 1, 3);
	ck_assert_uint_eq(out[4].step, 77);
	ck_assert_int_eq(nmhal_read_spikes(board.dev, &rd, NMHAL_NO_WAIT), NMHAL_E_AGAIN);
	board_close(&board);
}
END_TEST

START_TEST(overrun_says_how_much_is_needed)
{
	const struct nmhal_event in[] = {spike(0, 1), spike(1, 3)};
	struct nmhal_spike_run op = run_of(in, 2);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_event out[4] = {[3] = {.step = 77}};
	struct board board;

	open_4x5(&board);
	op.out = out;
	op.out_capacity = 3;
	assert_fails(NMHAL_E_OVERRUN, "6 output events do not fit the caller's buffer of 3: the last 3 were lost",
		nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 6);
	ck_assert_uint_eq(report.events_lost, 3);
	assert_event(&out[2], 1, 4);
	ck_assert_uint_eq(out[3].step, 77);
	/* No room at all is a buffer, too. */
	op.out_capacity = 0;
	ck_assert_int_eq(nmhal_run_spikes(board.dev, &op, &report), NMHAL_E_OVERRUN);
	ck_assert_uint_eq(report.events_lost, 6);
	board_close(&board);
}
END_TEST

START_TEST(ring_overflow_is_counted)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	const struct nmhal_event in[] = {spike(0, 3), spike(1, 0)};
	struct nmhal_spike_run op = run_of(in, 2);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_event out[8];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 8};
	char uri[FAKE_URI_SIZE];
	struct board board;

	open_4x5(&board);
	nmhal_device_unref(board.dev);
	params.spike_ring_events = 3;
	assert_ok(nmhal_device_open(board.ctx, fake_uri(&board.fake, "", uri), &params, &board.dev));
	assert_ok(nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 8);
	ck_assert_uint_eq(report.events_lost, 5);
	assert_ok(nmhal_read_spikes(board.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.count, 3);
	assert_ok(nmhal_read_spikes(board.dev, &rd, NMHAL_NO_WAIT));
	ck_assert_uint_eq(rd.count, 0);
	ck_assert_uint_eq(rd.lost, 5);
	board_close(&board);
}
END_TEST

START_TEST(limit_ends_the_run)
{
	const struct nmhal_event in[] = {spike(0, 0), spike(1, 3)};
	struct nmhal_spike_run op = run_of(in, 2);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_4x5(&board);
	op.max_events_per_input = 4;
	assert_fails(NMHAL_E_LIMIT, "run spikes: event 1: more than 4 outputs",
		nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_int_eq(board.fake.stop_status, NMHAL_E_LIMIT);
	ck_assert_uint_eq(report.events_out, 7);
	op.max_events_per_input = NMHAL_NO_LIMIT;
	assert_ok(nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 8);
	board_close(&board);
}
END_TEST

/* What the driver sees filled in. */
static struct nmhal_spike_run seen;

static int see(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	seen = *op;
	return NMHAL_E_IO;
}

START_TEST(defaults_are_filled_in)
{
	const struct nmhal_event in[] = {spike(0, 0), spike(41, 3)};
	struct nmhal_spike_run op = run_of(in, 2);
	struct board board;

	fake_init(&board.fake, 1, 4, 5);
	board.fake.ops.spikes_start = see;
	board_open(&board);
	ck_assert_int_eq(nmhal_run_spikes(board.dev, &op, NULL), NMHAL_E_IO);
	ck_assert_uint_eq(seen.steps, 42);
	ck_assert_uint_eq(seen.max_events_per_input, NMHAL_MAX_EVENTS_DEFAULT);
	op.steps = 100;
	op.max_events_per_input = 3;
	op.flags = NMHAL_RUN_LEAK_EACH_STEP | NMHAL_RUN_BACK_TO_BACK;
	ck_assert_int_eq(nmhal_run_spikes(board.dev, &op, NULL), NMHAL_E_IO);
	ck_assert_uint_eq(seen.steps, 100);
	ck_assert_uint_eq(seen.max_events_per_input, 3);
	ck_assert_uint_eq(seen.flags, op.flags);
	/* Steps without events are a run; nothing at all is none. */
	op = run_of(NULL, 0);
	seen.steps = 0;
	assert_ok(nmhal_run_spikes(board.dev, &op, NULL));
	ck_assert_uint_eq(seen.steps, 0);
	op.steps = 7;
	ck_assert_int_eq(nmhal_run_spikes(board.dev, &op, NULL), NMHAL_E_IO);
	ck_assert_uint_eq(seen.steps, 7);
	/* A start that failed is not stopped. */
	ck_assert_uint_eq(CALLS(&board, FAKE_SPIKES_STOP), 0);
	board_close(&board);
}
END_TEST

START_TEST(bad_events_are_named)
{
	static const struct {
		struct nmhal_event event;
		const char *sentence;
	} rows[] = {
		{{4, 0, 0, 0, 0}, "event 1: step 4 comes after step 5; sort by step"},
		{{5, 4, 0, 0, 0}, "event 1: address 4 of kind SPIKE: outside 0..3"},
		{{5, 0, 1, 0, 0}, "event 1: core 1: the device has cores 0..0"},
		{{5, 0, 0, 4, 0}, "event 1: kind 4: inputs are 0 (SPIKE)"},
		{{5, 0, 0, 255, 0}, "event 1: kind 255"},
		{{5, 0, 0, 0, 1}, "event 1: value 1 of kind SPIKE: outside 0..0"},
		{{5, 5, 0, NMHAL_EVENT_VIRTUAL, 0}, "event 1: address 5 of kind VIRTUAL: outside 0..4"},
		{{5, 0, 0, NMHAL_EVENT_VIRTUAL, 8}, "event 1: value 8 of kind VIRTUAL: outside -8..7"},
		{{5, 0, 0, NMHAL_EVENT_VIRTUAL, -9}, "event 1: value -9 of kind VIRTUAL: outside -8..7"},
		{{5, 1, 0, NMHAL_EVENT_LEAK_ALL, 0}, "event 1: address 1 of kind LEAK_ALL: outside 0..0"},
		{{5, 5, 0, NMHAL_EVENT_LEAK_ONE, 0}, "event 1: address 5 of kind LEAK_ONE: outside 0..4"},
		{{5, 0, 0, NMHAL_EVENT_LEAK_ONE, -1}, "event 1: value -1 of kind LEAK_ONE: outside 0..0"},
		{{UINT64_MAX, 0, 0, 0, 0},
			"event 1: step 18446744073709551615: the run has steps 0..18446744073709551614"},
	};
	struct board board;

	open_4x5(&board);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct nmhal_event in[] = {spike(5, 0), rows[i].event};
		struct nmhal_spike_run op = run_of(in, 2);

		assert_fails(NMHAL_E_INVALID, rows[i].sentence, nmhal_run_spikes(board.dev, &op, NULL));
	}
	ck_assert_uint_eq(CALLS(&board, FAKE_SPIKES_START), 0);
	board_close(&board);
}
END_TEST

START_TEST(bad_runs)
{
	const struct nmhal_event in[] = {spike(0, 0), spike(9, 0)};
	struct nmhal_spike_report report = {.struct_size = sizeof(report), .events_in = 9};
	struct nmhal_spike_run op;
	struct board board;

#define REFUSE(text, change) \
	do { \
		op = run_of(in, 2); \
		op.change; \
		assert_fails(NMHAL_E_INVALID, text, nmhal_run_spikes(board.dev, &op, &report)); \
	} while (0)
	open_4x5(&board);
	REFUSE("2 events: in is NULL", in = NULL);
	REFUSE("room for 3 output events: out is NULL", out_capacity = 3);
	REFUSE("flags 0x4: known are 0x3", flags = 4);
	REFUSE("event 1: step 9: the run has steps 0..8", steps = 9);
	REFUSE("timeout_ms is -7", timeout_ms = -7);
	ck_assert_uint_eq(report.events_in, 0);
	ck_assert_uint_eq(CALLS(&board, FAKE_SPIKES_START), 0);
	board_close(&board);
#undef REFUSE
}
END_TEST

START_TEST(unsupported)
{
	static const struct {
		struct nmhal_event event;
		const char *sentence;
	} rows[] = {
		{{0, 0, 0, NMHAL_EVENT_VIRTUAL, 0}, "run spikes: the board has no virtual events"},
		{{0, 0, 0, NMHAL_EVENT_LEAK_ALL, 0}, "run spikes: the board has no leak events"},
		{{0, 0, 0, NMHAL_EVENT_LEAK_ONE, 0}, "run spikes: the board has no leak events"},
	};
	struct nmhal_spike_run op;
	struct board board;

	fake_init(&board.fake, 1, 4, 5);
	board.fake.caps.features = 0;
	board_open(&board);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		op = run_of(&rows[i].event, 1);
		assert_fails(NMHAL_E_UNSUPPORTED, rows[i].sentence, nmhal_run_spikes(board.dev, &op, NULL));
	}
	op = run_of(NULL, 0);
	op.flags = NMHAL_RUN_BACK_TO_BACK;
	assert_fails(NMHAL_E_UNSUPPORTED, "has no back-to-back events", nmhal_run_spikes(board.dev, &op, NULL));
	op.flags = NMHAL_RUN_LEAK_EACH_STEP;
	assert_fails(NMHAL_E_UNSUPPORTED, "has no leak events", nmhal_run_spikes(board.dev, &op, NULL));
	board_close(&board);
	fake_init(&board.fake, 1, 4, 5);
	board.fake.ops.spikes_start = NULL;
	board.fake.ops.spikes_pump = NULL;
	board.fake.ops.spikes_stop = NULL;
	board_open(&board);
	assert_fails(
		NMHAL_E_UNSUPPORTED, "run spikes: the board has no spikes", nmhal_run_spikes(board.dev, &op, NULL));
	board_close(&board);
}
END_TEST

START_TEST(deadline_ends_the_run)
{
	const struct nmhal_event in[] = {spike(0, 1)};
	struct nmhal_spike_run op = run_of(in, 1);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct board board;

	open_4x5(&board);
	/* The board is stuck: it asks for the deadline itself. */
	board.fake.slow_op = FAKE_SPIKES_PUMP;
	board.fake.block = true;
	op.timeout_ms = 20;
	assert_fails(NMHAL_E_TIMEOUT, "not done at the deadline", nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_int_eq(board.fake.stop_status, NMHAL_E_TIMEOUT);
	board.fake.block = false;
	/* The board does not ask: the core does, between two pieces of work. */
	board.fake.pump_inputs = 0;
	assert_fails(
		NMHAL_E_TIMEOUT, "run spikes: not done at the deadline", nmhal_run_spikes(board.dev, &op, NULL));
	ck_assert_uint_gt(CALLS(&board, FAKE_SPIKES_PUMP), 2);
	board.fake.pump_inputs = 1;
	assert_ok(nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_uint_eq(report.run, 3);
	board_close(&board);
}
END_TEST

static void *interrupt_when_blocked(void *user)
{
	struct board *board = user;

	if (fake_wait_blocked(&board->fake))
		nmhal_device_interrupt(board->dev);
	return NULL;
}

static void *interrupt_when_pumping(void *user)
{
	struct board *board = user;

	while (CALLS(board, FAKE_SPIKES_PUMP) < 10)
		sched_yield();
	nmhal_device_interrupt(board->dev);
	return NULL;
}

START_TEST(interrupt_ends_the_run)
{
	const struct nmhal_event in[] = {spike(0, 1)};
	struct nmhal_spike_run op = run_of(in, 1);
	struct board board;
	pthread_t thread;

	open_4x5(&board);
	board.fake.slow_op = FAKE_SPIKES_PUMP;
	board.fake.block = true;
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_when_blocked, &board), 0);
	assert_fails(NMHAL_E_CANCELED, "fake: interrupted", nmhal_run_spikes(board.dev, &op, NULL));
	pthread_join(thread, NULL);
	ck_assert_int_eq(board.fake.stop_status, NMHAL_E_CANCELED);
	board.fake.block = false;
	assert_ok(nmhal_run_spikes(board.dev, &op, NULL));
	/* The board never ends and never asks: the core asks between two pumps. */
	board.fake.pump_inputs = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_when_pumping, &board), 0);
	assert_fails(NMHAL_E_CANCELED, "run spikes: interrupted", nmhal_run_spikes(board.dev, &op, NULL));
	pthread_join(thread, NULL);
	ck_assert_int_eq(board.fake.stop_status, NMHAL_E_CANCELED);
	board_close(&board);
}
END_TEST

START_TEST(failures_of_the_board)
{
	const struct nmhal_event in[] = {spike(0, 1)};
	struct nmhal_spike_run op = run_of(in, 1);
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_event out[2];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 2};
	struct board board;

	open_4x5(&board);
	fake_fail_next(&board.fake, FAKE_SPIKES_PUMP, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", nmhal_run_spikes(board.dev, &op, &report));
	ck_assert_int_eq(board.fake.stop_status, NMHAL_E_IO);
	/* A good run that cannot be stopped failed; one that failed before keeps its own sentence. */
	fake_fail_next(&board.fake, FAKE_SPIKES_STOP, NMHAL_E_PROTOCOL);
	assert_fails(NMHAL_E_PROTOCOL, "fails as asked", nmhal_run_spikes(board.dev, &op, &report));
	fake_fail_next(&board.fake, FAKE_SPIKES_STOP, NMHAL_E_PROTOCOL);
	op.max_events_per_input = 1;
	*fake_code(&board.fake, 0, 1, 0) = 2;
	assert_fails(NMHAL_E_LIMIT, "event 0: more than 1 outputs", nmhal_run_spikes(board.dev, &op, &report));
	/* Gone is said in any case, and a reader does not wait for a device that is gone. */
	fake_fail_next(&board.fake, FAKE_SPIKES_STOP, NMHAL_E_GONE);
	assert_fails(NMHAL_E_GONE, "fails as asked", nmhal_run_spikes(board.dev, &op, &report));
	assert_fails(NMHAL_E_GONE, "run spikes: the device is gone", nmhal_run_spikes(board.dev, &op, &report));
	while (!nmhal_read_spikes(board.dev, &rd, NMHAL_WAIT_FOREVER))
		ck_assert_uint_ge(rd.count, 1);
	assert_fails(NMHAL_E_GONE, "read spikes: the device is gone",
		nmhal_read_spikes(board.dev, &rd, NMHAL_WAIT_FOREVER));
	board_close(&board);
}
END_TEST

START_TEST(bad_reads)
{
	struct nmhal_event out[2];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out};
	struct board board;

	open_4x5(&board);
	assert_fails(NMHAL_E_INVALID, "room for 0 events: give room", nmhal_read_spikes(board.dev, &rd, 0));
	rd.capacity = 2;
	rd.events = NULL;
	assert_fails(NMHAL_E_INVALID, "2 events, events is NULL", nmhal_read_spikes(board.dev, &rd, 0));
	rd.events = out;
	rd.reserved = 1;
	assert_fails(NMHAL_E_INVALID, "reserved is 1", nmhal_read_spikes(board.dev, &rd, 0));
	rd.reserved = 0;
	assert_fails(NMHAL_E_INVALID, "timeout_ms is -3", nmhal_read_spikes(board.dev, &rd, -3));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_read_spikes(NULL, &rd, 0));
	board_close(&board);
}
END_TEST

START_TEST(reading_after_close)
{
	const struct nmhal_event in[] = {spike(0, 1)};
	struct nmhal_spike_run op = run_of(in, 1);
	struct nmhal_event out[2];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 2};
	struct board board;

	open_4x5(&board);
	assert_ok(nmhal_run_spikes(board.dev, &op, NULL));
	assert_ok(nmhal_device_close(board.dev));
	assert_ok(nmhal_read_spikes(board.dev, &rd, NMHAL_WAIT_FOREVER));
	ck_assert_uint_eq(rd.count, 1);
	assert_fails(NMHAL_E_STATE, "read spikes: the device is closed",
		nmhal_read_spikes(board.dev, &rd, NMHAL_WAIT_FOREVER));
	board_close(&board);
}
END_TEST

START_TEST(interrupt_ends_a_waiting_reader_once)
{
	const struct nmhal_event in[] = {spike(0, 1)};
	struct nmhal_spike_run op = run_of(in, 1);
	struct nmhal_event out[2];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 2};
	struct board board;

	open_4x5(&board);
	nmhal_device_interrupt(board.dev);
	assert_fails(NMHAL_E_CANCELED, "read spikes: interrupted",
		nmhal_read_spikes(board.dev, &rd, NMHAL_WAIT_FOREVER));
	/* Used up. */
	ck_assert_int_eq(nmhal_read_spikes(board.dev, &rd, 1), NMHAL_E_TIMEOUT);
	assert_ok(nmhal_run_spikes(board.dev, &op, NULL));
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {output_goes_to_the_ring, output_goes_to_the_caller_s_buffer,
		overrun_says_how_much_is_needed, ring_overflow_is_counted, limit_ends_the_run, defaults_are_filled_in,
		bad_events_are_named, bad_runs, unsupported, deadline_ends_the_run, interrupt_ends_the_run,
		failures_of_the_board, bad_reads, reading_after_close, interrupt_ends_a_waiting_reader_once};

	return run_tests("spikes", tests, sizeof(tests) / sizeof(*tests));
}
