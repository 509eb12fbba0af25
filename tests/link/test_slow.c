/* SPDX-License-Identifier: MIT */
/*
 * Boards and lines that take their time: nothing is executed or sent twice because of it, and what gets lost all the
 * same is mended. The clock is the test's, so that no time passes.
 */
#include "episode.h"
#include "far_suite.h"

#define MS INT64_C(1000000)

static struct far far;
static nmhal_context *ctx;
static nmhal_device *dev;
static int64_t clock_ns;
static unsigned warnings;

int64_t __wrap_nmhal_now_ns(void), __real_nmhal_now_ns(void);

int64_t __wrap_nmhal_now_ns(void)
{
	return clock_ns;
}

static void count_warnings(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	(void)user;
	(void)uri;
	(void)message;
	warnings += level <= NMHAL_LOG_WARN;
}

static void open_slow(int64_t work_ns, int64_t byte_ns, uint32_t max_frame)
{
	far_init(&far);
	far.real = true;
	far.bytes = true;
	far.piece = 16;
	far.max_frame = max_frame;
	far.window = 4;
	far.clock_ns = &clock_ns;
	far.work_ns = work_ns;
	far.byte_ns = byte_ns;
	dev = far_open(ctx, &far);
}

static void shut(void)
{
	nmhal_device_unref(dev);
	dev = NULL;
}

static void setup(void)
{
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log = count_warnings,
		.log_level = NMHAL_LOG_WARN};

	clock_ns = 1000 * MS;
	warnings = 0;
	ctx = far_context_with(&params);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ck_assert_uint_eq(warnings, 0);
}

static int infer(uint32_t batch, int32_t timeout_ms)
{
	static int8_t in[64][FAR_ROWS];
	static int16_t out[64][FAR_COLS];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = batch,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16, .timeout_ms = timeout_ms};

	return nmhal_run_inference(dev, &op);
}

static int program(void)
{
	static const int8_t codes[FAR_ROWS][FAR_COLS];
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8,
		.timeout_ms = NMHAL_WAIT_FOREVER};

	return nmhal_program_weights(dev, &op, NULL);
}

/* 64 vectors in frames of 128 bytes are 16 requests. */
START_TEST(a_slow_board_does_each_request_once)
{
	static const int64_t work_ns[] = {200 * MS, 300 * MS, 600 * MS, 1200 * MS, 5000 * MS};

	for (size_t n = 0; n < sizeof(work_ns) / sizeof(*work_ns); n++) {
		int64_t began_ns;

		open_slow(work_ns[n], 0, NMLINK_MIN_FRAME);
		began_ns = clock_ns;
		ck_ok(infer(64, NMHAL_WAIT_FOREVER));
		ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 16);
		ck_assert_int_eq(clock_ns - began_ns, 16 * work_ns[n]);
		ck_ok(program());
		ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 1);
		ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
		shut();
	}
}
END_TEST

/* 4 requests of 180 bytes and 4 answers of 540, at 1000 bytes a second. */
START_TEST(a_slow_line_carries_each_frame_once)
{
	int64_t began_ns;

	open_slow(0, MS, FAR_FRAME);
	began_ns = clock_ns;
	ck_ok(infer(64, NMHAL_WAIT_FOREVER));
	ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 4);
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
	ck_assert_int_lt(clock_ns - began_ns, 2800 * MS);
	/* What was learnt: no more questions. */
	far.requests = 0;
	ck_ok(infer(64, NMHAL_WAIT_FOREVER));
	ck_assert_uint_eq(far.requests, 4);
}
END_TEST

static unsigned lost; /* frame of its direction, from when the hook was set */
static bool lost_reply;

static enum far_fate lose(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	(void)frame;
	(void)size;
	return reply == lost_reply && !lost-- ? FAR_DROP : FAR_PASS;
}

/* Whichever frame gets lost: it is noticed, and only the requests from it on, at most a window, are done again. */
START_TEST(what_a_slow_board_misses_is_sent_again)
{
	for (int reply = 0; reply < 2; reply++) {
		for (unsigned n = 0; n < 16; n++) {
			int64_t began_ns;

			open_slow(200 * MS, 0, NMLINK_MIN_FRAME);
			far.hook = lose;
			lost = n;
			lost_reply = reply;
			began_ns = clock_ns;
			ck_ok(infer(64, NMHAL_WAIT_FOREVER));
			far.hook = NULL;
			ck_assert_uint_le(far.executed[NMLINK_OP_INFER], reply ? 16 + 4 : 16);
			ck_assert_uint_ge(far_counter(dev, "retransmitted"), 1);
			ck_assert_int_le(clock_ns - began_ns, (16 + 4 + 4) * 200 * MS);
			shut();
		}
	}
}
END_TEST

/* Its request is lost, or the answer: a question of 20 bytes tells, and a pulse is a pulse once. */
START_TEST(a_question_finds_what_got_lost)
{
	for (int reply = 0; reply < 2; reply++) {
		open_slow(0, MS, FAR_FRAME);
		far.hook = lose;
		lost = 0;
		lost_reply = reply;
		far.requests = 0;
		ck_ok(program());
		ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 1);
		ck_assert_uint_eq(far.requests, 3); /* the request, the question, the request */
		far.hook = NULL;
		shut();
	}
}
END_TEST

static enum far_fate drop_requests(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	(void)frame;
	(void)size;
	return reply ? FAR_PASS : FAR_DROP;
}

START_TEST(a_board_that_says_nothing_is_given_up)
{
	const int64_t ms[] = {250, 500, 1000, 2000, 4000, 4000, 4000, 4000, 4000};
	int64_t began_ns, sum_ms = 0;
	unsigned before;

	open_slow(0, 0, FAR_FRAME);
	for (size_t n = 0; n < sizeof(ms) / sizeof(*ms); n++)
		sum_ms += ms[n];
	before = far.requests;
	began_ns = clock_ns;
	far.hook = drop_requests;
	ck_refused(program(), NMHAL_E_TIMEOUT, "the board does not answer, it was asked 9 times");
	ck_assert_int_eq(clock_ns - began_ns, sum_ms * MS);
	ck_assert_uint_eq(far.requests, before + 9);
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
	far.hook = NULL;
}
END_TEST

static enum far_fate lose_and_reset(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)count;
	(void)frame;
	(void)size;
	board->hook = NULL;
	nmlink_core_bus_reset(&board->core);
	return reply ? FAR_PASS : FAR_DROP;
}

START_TEST(a_question_finds_a_board_that_was_reset)
{
	int64_t began_ns;

	open_slow(0, 0, FAR_FRAME);
	far.hook = lose_and_reset;
	began_ns = clock_ns;
	ck_refused(program(), NMHAL_E_IO, "the board was reset");
	ck_assert_int_lt(clock_ns - began_ns, 300 * MS);
	ck_ok(program());
}
END_TEST

START_TEST(close_waits_for_what_is_on_the_way)
{
	clock_ns = __real_nmhal_now_ns(); /* from which the library reckons a timeout */
	open_slow(1200 * MS, 0, NMLINK_MIN_FRAME);
	ck_refused(infer(64, 1000), NMHAL_E_TIMEOUT, "not done at the deadline, 4 of 5 requests");
	shut();
	ck_assert_uint_eq(warnings, 0);
}
END_TEST

START_TEST(results_are_those_of_a_fast_board)
{
	static struct episode quick, slow;

	open_slow(0, 0, NMLINK_MIN_FRAME);
	episode_run(dev, &quick);
	ck_assert_msg(!quick.failed, "%s", nmhal_last_error());
	shut();
	open_slow(700 * MS, MS / 10, NMLINK_MIN_FRAME);
	episode_run(dev, &slow);
	ck_assert_msg(!slow.failed, "%s", nmhal_last_error());
	ck_assert_mem_eq(&slow, &quick, sizeof(slow));
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link slow");
	TCase *tcase = far_case(suite, "slow", setup, teardown);

	tcase_add_test(tcase, a_slow_board_does_each_request_once);
	tcase_add_test(tcase, a_slow_line_carries_each_frame_once);
	tcase_add_test(tcase, what_a_slow_board_misses_is_sent_again);
	tcase_add_test(tcase, a_question_finds_what_got_lost);
	tcase_add_test(tcase, a_board_that_says_nothing_is_given_up);
	tcase_add_test(tcase, a_question_finds_a_board_that_was_reset);
	tcase_add_test(tcase, close_waits_for_what_is_on_the_way);
	tcase_add_test(tcase, results_are_those_of_a_fast_board);
	return far_run(suite);
}
