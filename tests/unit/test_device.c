/* SPDX-License-Identifier: MIT */
/* An open device: one call at a time, timeouts, interrupt, close, fork, references. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/board.h"

#define MS INT64_C(1000000)

static void sleep_ms(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

static void open_board(struct board *board)
{
	fake_init(&board->fake, 1, 2, 3);
	board_open(board);
}

/* A call that blocks in the board, on a thread of its own. */
struct caller {
	struct board *board;
	pthread_t thread;
	int status;
	char sentence[256];
};

static void *reset_state(void *user)
{
	struct caller *caller = user;

	caller->status = nmhal_reset_state(caller->board->dev, NMHAL_WAIT_FOREVER);
	strncpy(caller->sentence, nmhal_last_error(), sizeof(caller->sentence) - 1);
	return NULL;
}

static void start_blocked(struct caller *caller, struct board *board, bool deaf)
{
	*caller = (struct caller){.board = board};
	board->fake.slow_op = FAKE_RESET_STATE;
	board->fake.block = !deaf;
	board->fake.block_deaf = deaf;
	ck_assert_int_eq(pthread_create(&caller->thread, NULL, reset_state, caller), 0);
	ck_assert(fake_wait_blocked(&board->fake));
}

static void finish(struct caller *caller)
{
	pthread_join(caller->thread, NULL);
	caller->board->fake.block = false;
	caller->board->fake.block_deaf = false;
}

START_TEST(enter_and_leave)
{
	struct board board;
	int64_t deadline = 1;
	int64_t now = nmhal_now_ns();

	open_board(&board);
	assert_ok(nm_device_enter(board.dev, NMHAL_WAIT_FOREVER, "x", &deadline));
	ck_assert_int_eq(deadline, NMHAL_NEVER);
	ck_assert_int_eq(nm_device_leave(board.dev, NMHAL_E_IO), NMHAL_E_IO);
	assert_ok(nm_device_enter(board.dev, NMHAL_NO_WAIT, "x", &deadline));
	ck_assert_int_eq(deadline, 0);
	assert_ok(nm_device_leave(board.dev, NMHAL_OK));
	assert_ok(nm_device_enter(board.dev, 5000, "x", &deadline));
	ck_assert_int_ge(deadline, now + 5000 * MS);
	assert_ok(nm_device_leave(board.dev, NMHAL_OK));
	assert_fails(NMHAL_E_INVALID, "timeout_ms is -3", nm_device_enter(board.dev, -3, "x", &deadline));
	assert_fails(NMHAL_E_INVALID, "x: dev is NULL", nm_device_enter(NULL, 0, "x", &deadline));
	assert_fails(NMHAL_E_INVALID, "x: dev is NULL", nm_device_check(NULL, "x"));
	board_close(&board);
}
END_TEST

START_TEST(one_call_at_a_time)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct caller caller;
	struct board board;
	int64_t start;

	open_board(&board);
	start_blocked(&caller, &board, false);
	assert_fails(NMHAL_E_BUSY, "reset state: another call on the device is running",
		nmhal_reset_state(board.dev, NMHAL_NO_WAIT));
	/* Longer than a slice of waiting. */
	start = nmhal_now_ns();
	assert_fails(NMHAL_E_TIMEOUT, "reset state: another call on the device was still running",
		nmhal_reset_state(board.dev, 130));
	ck_assert_int_ge(nmhal_now_ns() - start, 130 * MS);
	ck_assert_int_lt(nmhal_now_ns() - start, 20000 * MS);
	/* Constant from open on: waits for nobody. */
	assert_ok(nmhal_device_caps(board.dev, &caps));
	nmhal_device_interrupt(board.dev);
	finish(&caller);
	ck_assert_int_eq(caller.status, NMHAL_E_CANCELED);
	assert_ok(nmhal_reset_state(board.dev, NMHAL_NO_WAIT));
	board_close(&board);
}
END_TEST

START_TEST(waiting_call_gets_its_turn)
{
	struct caller caller = {0};
	struct board board;

	open_board(&board);
	caller.board = &board;
	board.fake.slow_op = FAKE_RESET_STATE;
	board.fake.delay_ms = 30;
	ck_assert_int_eq(pthread_create(&caller.thread, NULL, reset_state, &caller), 0);
	ck_assert(fake_wait_blocked(&board.fake));
	assert_ok(nmhal_device_reset(board.dev, 20000));
	assert_ok(nmhal_reset_state(board.dev, NMHAL_WAIT_FOREVER));
	finish(&caller);
	assert_ok(caller.status);
	board_close(&board);
}
END_TEST

START_TEST(interrupt_of_a_running_call)
{
	struct caller caller;
	struct board board;

	open_board(&board);
	/* Once for a board that polls, once for one that only its own op can wake. */
	for (int deaf = 0; deaf <= 1; deaf++) {
		start_blocked(&caller, &board, deaf);
		nmhal_device_interrupt(board.dev);
		finish(&caller);
		ck_assert_int_eq(caller.status, NMHAL_E_CANCELED);
		ck_assert_ptr_nonnull(strstr(caller.sentence, deaf ? "woken by the interrupt op" : "interrupted"));
		/* Used up: the next call goes through. */
		assert_ok(nmhal_reset_state(board.dev, 0));
	}
	board_close(&board);
}
END_TEST

START_TEST(interrupt_before_the_call_sticks)
{
	struct board board;

	open_board(&board);
	nmhal_device_interrupt(board.dev);
	nmhal_device_interrupt(board.dev);
	nmhal_device_interrupt(NULL);
	assert_fails(NMHAL_E_CANCELED, "reset state: interrupted", nmhal_reset_state(board.dev, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_RESET_STATE), 0);
	assert_ok(nmhal_reset_state(board.dev, 0));
	board_close(&board);
}
END_TEST

static nmhal_device *device_of_handler;

static void interrupt_it(int signal_number)
{
	(void)signal_number;
	nmhal_device_interrupt(device_of_handler);
}

START_TEST(interrupt_from_a_signal_handler)
{
	struct sigaction action = {.sa_handler = interrupt_it};
	struct caller caller;
	struct board board;

	open_board(&board);
	device_of_handler = board.dev;
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	start_blocked(&caller, &board, false);
	pthread_kill(caller.thread, SIGUSR1);
	finish(&caller);
	ck_assert_int_eq(caller.status, NMHAL_E_CANCELED);
	signal(SIGUSR1, SIG_DFL);
	board_close(&board);
}
END_TEST

START_TEST(closed_device_does_nothing)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	int16_t codes[6] = {0};
	struct board board;

	open_board(&board);
	assert_ok(nmhal_device_close(board.dev));
	ck_assert(!board.fake.is_open);
	ck_assert_uint_eq(CALLS(&board, FAKE_CLOSE), 1);
	assert_ok(nmhal_device_close(board.dev));
	ck_assert_uint_eq(CALLS(&board, FAKE_CLOSE), 1);
	assert_fails(NMHAL_E_STATE, "reset: the device is closed", nmhal_device_reset(board.dev, 0));
	assert_fails(NMHAL_E_STATE, "read weights: the device is closed",
		nmhal_read_weights(board.dev, NULL, codes, 0, NMHAL_CODE_I16, 0));
	assert_fails(NMHAL_E_STATE, "get capabilities: the device is closed", nmhal_device_caps(board.dev, &caps));
	nmhal_device_interrupt(board.dev);
	ck_assert_uint_eq(CALLS(&board, FAKE_INTERRUPT), 1);
	ck_assert_str_ne(nmhal_device_uri(board.dev), "");
	assert_fails(NMHAL_E_INVALID, "close: dev is NULL", nmhal_device_close(NULL));
	board_close(&board);
	ck_assert_uint_eq(CALLS(&board, FAKE_CLOSE), 1);
}
END_TEST

/* close ends the running call and comes back only when it has ended. */
START_TEST(close_interrupts_and_waits)
{
	for (int deaf = 0; deaf <= 1; deaf++) {
		struct caller caller;
		struct board board;

		open_board(&board);
		start_blocked(&caller, &board, deaf);
		assert_ok(nmhal_device_close(board.dev));
		ck_assert_uint_eq(board.fake.inside, 0);
		ck_assert(!board.fake.is_open);
		finish(&caller);
		ck_assert_int_eq(caller.status, NMHAL_E_CANCELED);
		board_close(&board);
	}
}
END_TEST

START_TEST(close_turns_waiting_calls_away)
{
	struct caller first, second = {0};
	struct board board;

	open_board(&board);
	start_blocked(&first, &board, false);
	second.board = &board;
	ck_assert_int_eq(pthread_create(&second.thread, NULL, reset_state, &second), 0);
	sleep_ms(20);
	assert_ok(nmhal_device_close(board.dev));
	finish(&first);
	pthread_join(second.thread, NULL);
	ck_assert_int_eq(first.status, NMHAL_E_CANCELED);
	ck_assert_int_eq(second.status, NMHAL_E_STATE);
	ck_assert_uint_eq(CALLS(&board, FAKE_RESET_STATE), 1);
	board_close(&board);
}
END_TEST

static atomic_bool interrupt_began, closed_too_early;

static void slow_interrupt(void *self)
{
	struct fake *fake = self;

	/* close calls it as well: that one is quick, so that the other is still inside. */
	if (atomic_exchange(&interrupt_began, true))
		return;
	for (int i = 0; i < 30; i++) {
		sleep_ms(1);
		if (!atomic_load(&fake->is_open))
			atomic_store(&closed_too_early, true);
	}
}

static void *interrupt(void *user)
{
	nmhal_device_interrupt(((struct board *)user)->dev);
	return NULL;
}

/* The driver is not closed while another thread is inside its interrupt op. */
START_TEST(close_waits_for_an_interrupt)
{
	struct board board;
	pthread_t thread;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.interrupt = slow_interrupt;
	board_open(&board);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &board), 0);
	while (!atomic_load(&interrupt_began))
		sleep_ms(1);
	assert_ok(nmhal_device_close(board.dev));
	pthread_join(thread, NULL);
	ck_assert(!atomic_load(&closed_too_early));
	board_close(&board);
}
END_TEST

START_TEST(gone_stays_gone)
{
	struct board board;

	open_board(&board);
	fake_fail_next(&board.fake, FAKE_RESET, NMHAL_E_GONE);
	ck_assert_int_eq(nmhal_device_reset(board.dev, 0), NMHAL_E_GONE);
	assert_fails(NMHAL_E_GONE, "reset: the device is gone; close it and open it again",
		nmhal_device_reset(board.dev, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_RESET), 1);
	assert_ok(nmhal_device_close(board.dev));
	board_close(&board);
}
END_TEST

/* After a reset the memories are asked again. */
START_TEST(reset_forgets)
{
	const int16_t codes[6] = {0};
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I16,
		.flags = NMHAL_PROGRAM_ONLY_CHANGED};
	struct board board;

	open_board(&board);
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 1);
	assert_ok(nmhal_device_reset(board.dev, 0));
	assert_ok(nmhal_program_weights(board.dev, &op, NULL));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_WEIGHTS), 2);
	board_close(&board);
}
END_TEST

START_TEST(references)
{
	struct board board;

	open_board(&board);
	ck_assert_ptr_eq(nmhal_device_ref(board.dev), board.dev);
	nmhal_device_unref(board.dev);
	assert_ok(nmhal_device_reset(board.dev, 0));
	ck_assert(board.fake.is_open);
	board_close(&board);
	ck_assert(!board.fake.is_open);
	nmhal_device_unref(NULL);
	ck_assert_ptr_null(nmhal_device_ref(NULL));
	ck_assert_str_eq(nmhal_device_uri(NULL), "");
}
END_TEST

/* What a child cannot end, it keeps: it is no leak. */
static nmhal_device *volatile inherited;

/* In the child: 0 when every call refuses or does nothing. */
static int use_of_parent_s_device(struct board *board)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct nmhal_event event;
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = &event, .capacity = 1};

	if (nmhal_reset_state(board->dev, 0) != NMHAL_E_STATE)
		return 1;
	if (!strstr(nmhal_last_error(), "reset state: opened before fork"))
		return 2;
	if (nmhal_device_caps(board->dev, &caps) != NMHAL_E_STATE)
		return 3;
	if (nmhal_read_spikes(board->dev, &rd, NMHAL_NO_WAIT) != NMHAL_E_STATE)
		return 4;
	nmhal_device_interrupt(board->dev);
	if (nmhal_device_close(board->dev) != NMHAL_OK)
		return 5;
	nmhal_device_unref(board->dev);
	if (CALLS(board, FAKE_CLOSE) || CALLS(board, FAKE_INTERRUPT) || CALLS(board, FAKE_RESET_STATE))
		return 6;
	/* What the child opens itself works. */
	inherited = board->dev;
	board->dev = fake_open(board->ctx, &board->fake);
	if (nmhal_reset_state(board->dev, 0))
		return 7;
	nmhal_device_unref(board->dev);
	return 0;
}

START_TEST(forked_child)
{
	struct board board;
	int result = -1;
	pid_t child;

	open_board(&board);
	child = fork();
	if (!child) {
		/* The board is the parent's: for the child it is as if it were not open. */
		atomic_store(&board.fake.is_open, false);
		_exit(use_of_parent_s_device(&board));
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &result, 0), child);
	ck_assert(WIFEXITED(result));
	ck_assert_int_eq(WEXITSTATUS(result), 0);
	assert_ok(nmhal_reset_state(board.dev, 0));
	board_close(&board);
}
END_TEST

struct lines {
	unsigned count;
	char last[256];
};

static void count_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct lines *lines = user;

	(void)uri;
	lines->count += level == NMHAL_LOG_WIRE;
	strncpy(lines->last, message, sizeof(lines->last) - 1);
}

static void open_with_log(
	struct board *board, nmhal_context **ctx, uint32_t level, nmhal_log_fn log, struct lines *lines)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;

	fake_init(&board->fake, 1, 2, 3);
	params.drivers = "";
	params.log = log;
	params.log_user = lines;
	params.log_level = level;
	assert_ok(nmhal_context_new(&params, ctx));
	assert_ok(nmhal_context_add_driver(*ctx, &fake_driver));
	board->dev = fake_open(*ctx, &board->fake);
}

START_TEST(driver_s_log_lines)
{
	struct lines lines = {0};
	struct board board;
	nmhal_context *ctx;

	for (uint32_t level = NMHAL_LOG_DEBUG; level <= NMHAL_LOG_WIRE; level++) {
		open_with_log(&board, &ctx, level, count_line, &lines);
		nmhal_host_log(&board.dev->host, NMHAL_LOG_WIRE, "frame %d", 5);
		ck_assert_uint_eq(lines.count, level == NMHAL_LOG_WIRE);
		if (lines.count)
			ck_assert_str_eq(lines.last, "frame 5");
		nmhal_device_unref(board.dev);
		nmhal_context_unref(ctx);
	}
}
END_TEST

static void keep_debug_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct lines *lines = user;

	(void)uri;
	if (level != NMHAL_LOG_DEBUG)
		return;
	lines->count++;
	strncpy(lines->last, message, sizeof(lines->last) - 1);
}

START_TEST(a_line_for_every_call)
{
	struct lines lines = {0};
	struct board board;
	nmhal_context *ctx;

	open_with_log(&board, &ctx, NMHAL_LOG_DEBUG, keep_debug_line, &lines);
	lines.count = 0;
	assert_ok(nmhal_reset_state(board.dev, 0));
	ck_assert_uint_eq(lines.count, 1);
	ck_assert_str_eq(lines.last, "reset state: NMHAL_OK");
	ck_assert_int_ne(nmhal_read_weights(board.dev, NULL, NULL, 0, NMHAL_CODE_I8, 0), NMHAL_OK);
	ck_assert_uint_eq(lines.count, 2);
	ck_assert_str_eq(lines.last, "read weights: NMHAL_E_INVALID");
	nmhal_device_unref(board.dev);
	nmhal_context_unref(ctx);
}
END_TEST

/* Says that something failed, twice, and goes on; with `failing` it fails for another reason. */
static bool failing;

static int try_again(void *self, int64_t deadline_ns)
{
	struct fake *fake = self;

	(void)deadline_ns;
	(void)nmhal_host_fail(fake->host, NMHAL_E_TIMEOUT, "nothing came");
	(void)nmhal_host_fail(fake->host, NMHAL_E_TIMEOUT, "nothing came again");
	return failing ? nmhal_host_fail(fake->host, NMHAL_E_IO, "all is lost") : NMHAL_OK;
}

START_TEST(a_call_that_succeeds_leaves_the_sentence)
{
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.reset_state = try_again;
	board_open(&board);
	assert_fails(NMHAL_E_INVALID, "codes is NULL", nmhal_read_weights(board.dev, NULL, NULL, 0, NMHAL_CODE_I8, 0));
	assert_ok(nmhal_reset_state(board.dev, 0));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "codes is NULL"));
	failing = true;
	assert_fails(NMHAL_E_IO, "all is lost", nmhal_reset_state(board.dev, 0));
	failing = false;
	assert_ok(nmhal_reset_state(board.dev, 0));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "all is lost"));
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {enter_and_leave, one_call_at_a_time, waiting_call_gets_its_turn,
		interrupt_of_a_running_call, interrupt_before_the_call_sticks, interrupt_from_a_signal_handler,
		closed_device_does_nothing, close_interrupts_and_waits, close_turns_waiting_calls_away,
		close_waits_for_an_interrupt, gone_stays_gone, reset_forgets, references, forked_child,
		driver_s_log_lines, a_line_for_every_call, a_call_that_succeeds_leaves_the_sentence};

	return run_tests("device", tests, sizeof(tests) / sizeof(*tests));
}
