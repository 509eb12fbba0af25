/* SPDX-License-Identifier: MIT */
/* What a call says when the board is reset, silent, gone or talks nonsense; and that the next call works. */
#include <stdlib.h>

#include "episode.h"
#include "far_suite.h"

static struct far far;
static nmhal_context *ctx;
static nmhal_device *dev;

static void setup(void)
{
	far_init(&far);
	far.max_frame = NMLINK_MIN_FRAME;
	far.window = 4;
	ctx = far_context();
	dev = far_open(ctx, &far);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}

static int8_t codes[FAR_ROWS][FAR_COLS];

static int program(int32_t timeout_ms)
{
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8,
		.timeout_ms = timeout_ms};

	return nmhal_program_weights(dev, &op, NULL);
}

static int infer(uint32_t batch, int32_t timeout_ms)
{
	static int8_t in[64][FAR_ROWS];
	static int16_t out[64][FAR_COLS];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = batch,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16, .timeout_ms = timeout_ms};

	return nmhal_run_inference(dev, &op);
}

static int pulse(int32_t timeout_ms)
{
	const struct nmhal_cell_pulse op = {.struct_size = sizeof(op), .voltage_uv = 1000000, .width_ns = 200,
		.pulses = 1, .timeout_ms = timeout_ms};

	return nmhal_cell_pulse(dev, &op, NULL);
}

/* ---- the session ------------------------------------------------------------------------------------------------- */

static unsigned at;       /* count of the frame at which it happens */
static bool at_reply;
static uint16_t at_op;    /* or the first frame with this opcode, once */

static bool is_now(bool reply, unsigned count, const uint8_t *frame)
{
	if (reply != at_reply)
		return false;
	if (at_op && nmlink_load_u16(frame + NMLINK_OFFSET(header, op)) != at_op)
		return false;
	if (!at_op)
		return count == at;
	at_op = 0;
	at = 0;
	return true;
}

static enum far_fate reset_board(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)size;
	if (!is_now(reply, count, frame))
		return FAR_PASS;
	nmlink_core_bus_reset(&board->core);
	return reply ? FAR_DROP : FAR_PASS;
}

static void check_reset_at(unsigned count)
{
	struct episode result;
	unsigned requests;

	far_init(&far);
	far.max_frame = NMLINK_MIN_FRAME;
	far.window = 4;
	dev = far_open(ctx, &far);
	far.hook = reset_board;
	at = count;
	episode_run(dev, &result);
	requests = far.requests;
	far.hook = NULL;
	/* One call met it; what needed its arming fails too. A reset while nothing waits is met by the next call. */
	ck_assert_uint_ge(result.failed, count < requests);
	ck_assert_int_eq(result.status, NMHAL_E_IO);
	ck_assert_uint_le(far.executed[NMLINK_OP_PULSE_CELL], 1 + 4);
	ck_assert_uint_le(far.executed[NMLINK_OP_WRITE], 1);
	episode_run(dev, &result);
	ck_assert_msg(!result.failed, "%s", nmhal_last_error());
	nmhal_device_unref(dev);
	dev = NULL;
}

START_TEST(a_reset_at_any_request_fails_one_call_with_io)
{
	struct episode result;
	unsigned first = far.requests, last;

	episode_run(dev, &result);
	last = far.requests;
	nmhal_device_unref(dev);
	for (unsigned count = first; count < last; count++)
		check_reset_at(count);
}
END_TEST

START_TEST(the_sentence_names_the_reset_and_the_call_is_not_repeated)
{
	far.hook = reset_board;
	at_reply = false;
	at_op = NMLINK_OP_WRITE;
	ck_refused(program(0), NMHAL_E_IO, "write weights: 8 x 12 at row 0, column 0 of core 0: the board was reset");
	ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 0);
	ck_ok(infer(2, 0));
	ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 0);
}
END_TEST

START_TEST(a_pulse_whose_answer_a_reset_swallows_is_not_repeated)
{
	ck_ok(nmhal_arm(dev, 1000, 0));
	far.hook = reset_board;
	at_reply = true;
	at_op = NMLINK_OP_PULSE_CELL;
	ck_refused(pulse(0), NMHAL_E_IO, "pulse cell");
	ck_assert_uint_eq(far.pulses, 1);
	ck_refused(pulse(0), NMHAL_E_STATE, "arm first"); /* in a new session */
	ck_assert_uint_eq(far.pulses, 1);
}
END_TEST

START_TEST(only_changed_does_not_trust_what_was_before_a_reset)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8,
		.flags = NMHAL_PROGRAM_ONLY_CHANGED};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};

	codes[2][3] = 50;
	ck_ok(nmhal_program_weights(dev, &op, NULL));
	ck_assert_int_eq(far.weights[0][2][3], 50);
	far.hook = reset_board;
	at_reply = false;
	at_op = NMLINK_OP_INFER;
	ck_assert_int_eq(infer(1, 0), NMHAL_E_IO);
	far.weights[0][2][3] = 1;
	ck_ok(nmhal_program_weights(dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 1);
	ck_assert_int_eq(far.weights[0][2][3], 50);
	codes[2][3] = 0;
}
END_TEST

START_TEST(another_board_is_not_taken_for_the_one_that_was_opened)
{
	nmlink_core_bus_reset(&far.core);
	far.core.caps_crc ^= 1;
	ck_assert_int_eq(infer(1, 0), NMHAL_E_IO);
	ck_refused(infer(1, 0), NMHAL_E_GONE, "another board");
	ck_refused(infer(1, 0), NMHAL_E_GONE, "gone");
}
END_TEST

/* ---- silence ----------------------------------------------------------------------------------------------------- */

static unsigned aborts;

static void count_abort(bool reply, const uint8_t *frame)
{
	aborts += !reply && nmlink_load_u16(frame + NMLINK_OFFSET(header, op)) == NMLINK_OP_ABORT;
}

static enum far_fate drop_requests(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	(void)size;
	count_abort(reply, frame);
	return reply ? FAR_PASS : FAR_DROP;
}

static enum far_fate drop_replies(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	(void)size;
	count_abort(reply, frame);
	return reply ? FAR_DROP : FAR_PASS;
}

START_TEST(a_silent_board_is_asked_nine_times)
{
	const unsigned before = far.requests;

	far.hook = drop_requests;
	ck_refused(infer(1, NMHAL_WAIT_FOREVER), NMHAL_E_TIMEOUT, "does not answer, requests were sent 9 times");
	ck_assert_uint_eq(far.requests, before + 9);
	ck_refused(infer(1, NMHAL_WAIT_FOREVER), NMHAL_E_TIMEOUT, "hello");
	far.hook = NULL;
	ck_ok(infer(64, 0));
}
END_TEST

START_TEST(what_a_call_asked_for_is_not_done_after_its_end)
{
	ck_ok(nmhal_arm(dev, 1000, 0));
	far.hook = drop_requests;
	aborts = 0;
	ck_refused(pulse(NMHAL_NO_WAIT), NMHAL_E_TIMEOUT, "not done at the deadline, 1 of 1 requests");
	ck_assert_uint_eq(aborts, 1);
	far.hook = NULL;
	ck_ok(infer(3, 0));
	ck_assert_uint_eq(far.pulses, 0);
	ck_ok(pulse(0));
	ck_assert_uint_eq(far.pulses, 1);
}
END_TEST

START_TEST(what_was_done_before_the_deadline_stays_done_once)
{
	ck_ok(nmhal_arm(dev, 1000, 0));
	far.hook = drop_replies;
	ck_assert_int_eq(pulse(NMHAL_NO_WAIT), NMHAL_E_TIMEOUT);
	ck_assert_uint_eq(far.pulses, 1);
	far.hook = NULL;
	ck_ok(pulse(0));
	ck_assert_uint_eq(far.pulses, 2);
	ck_assert(far.core.armed);
}
END_TEST

START_TEST(a_batch_at_its_deadline_leaves_the_wire_clean)
{
	for (unsigned n = 0; n < 8; n++) {
		far.hook = n % 2 ? drop_requests : drop_replies;
		ck_assert_int_eq(infer(64, NMHAL_NO_WAIT), NMHAL_E_TIMEOUT);
		far.hook = NULL;
		if (n & 2)
			ck_ok(program(0));
		ck_ok(infer(64, 0));
	}
	ck_assert_uint_eq(far.flushes, 1); /* one session for all */
}
END_TEST

static void interrupt_device(struct far *board)
{
	board->empty = NULL;
	nmhal_device_interrupt(dev);
}

START_TEST(an_interrupt_ends_the_call_and_tells_the_board)
{
	aborts = 0;
	far.hook = drop_requests;
	far.empty = interrupt_device;
	ck_refused(infer(64, NMHAL_WAIT_FOREVER), NMHAL_E_CANCELED, "interrupted, 4 of 5 requests");
	ck_assert_uint_eq(aborts, 1);
	far.hook = NULL;
	ck_ok(infer(64, 0));
	ck_ok(program(0));
}
END_TEST

/* Whoever hears of an interrupt first, the library or the stream: it ends one call. */
START_TEST(a_stream_that_was_woken_ends_no_other_call)
{
	nmhal_device_interrupt(dev);
	ck_refused(infer(1, 0), NMHAL_E_CANCELED, "interrupted");
	ck_assert(far.woken);
	ck_ok(infer(64, 0));
	ck_assert(!far.woken);
	nmlink_core_bus_reset(&far.core);
	ck_assert_int_eq(infer(1, 0), NMHAL_E_IO);
	far.woken = true; /* met by the flush before HELLO */
	ck_ok(infer(1, 0));
}
END_TEST

START_TEST(an_interrupted_run_is_stopped_on_the_board)
{
	const struct nmhal_event in[] = {{.address = 7}};
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 1};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	nmhal_device_interrupt(dev);
	ck_refused(nmhal_run_spikes(dev, &op, &report), NMHAL_E_CANCELED, "interrupted");
	far.hook = reset_board;
	at_reply = false;
	at_op = NMLINK_OP_SPIKES_READ;
	ck_refused(nmhal_run_spikes(dev, &op, &report), NMHAL_E_IO, "the board was reset");
	far.hook = NULL;
	ck_ok(nmhal_run_spikes(dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 8);
	ck_assert(!far.core.running);
}
END_TEST

/* ---- unplugged --------------------------------------------------------------------------------------------------- */

static enum far_fate unplug(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)size;
	board->gone = board->gone || is_now(reply, count, frame);
	return FAR_PASS;
}

START_TEST(unplugged_at_any_frame_it_is_gone)
{
	struct episode result;
	unsigned last;

	episode_run(dev, &result);
	last = far.requests;
	nmhal_device_unref(dev);
	for (int reply = 0; reply < 2; reply++) {
		for (unsigned count = 0; count < last; count++) {
			far_init(&far);
			far.max_frame = NMLINK_MIN_FRAME;
			far.window = 4;
			far.hook = unplug;
			at = count;
			at_reply = reply;
			if (far_try_open(ctx, &far, &dev) != NMHAL_OK) {
				ck_refused(NMHAL_E_GONE, NMHAL_E_GONE, "unplugged");
				ck_assert_ptr_null(dev);
				ck_assert(far.closed);
				continue;
			}
			episode_run(dev, &result);
			ck_assert_uint_ge(result.failed, 1);
			ck_assert_int_eq(result.status, NMHAL_E_GONE);
			ck_refused(infer(1, 0), NMHAL_E_GONE, "gone");
			nmhal_device_unref(dev);
		}
	}
	dev = NULL;
	at_reply = false;
}
END_TEST

/* ---- nonsense ---------------------------------------------------------------------------------------------------- */

static void push_noise(struct far *board)
{
	static uint64_t random = 1;
	uint8_t frame[100];

	for (size_t n = 0; n < sizeof(frame); n++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		frame[n] = (uint8_t)(random >> 56);
	}
	far_push(board, frame, random >> 33 & 63);
}

static void push_event(struct far *board)
{
	const struct nmlink_header header = {.version = 1, .flags = NMLINK_FLAG_EVENT, .op = NMLINK_OP_EVENTS,
		.session = (uint16_t)board->core.session, .size = 20};
	uint8_t frame[NMLINK_MIN_FRAME], payload[20] = {0};

	far_push(board, frame, far_frame(board, frame, &header, payload));
}

START_TEST(endless_nonsense_ends_at_the_deadline)
{
	void (*const talk[])(struct far *) = {push_noise, push_event};

	for (size_t n = 0; n < 2; n++) {
		int64_t began = nmhal_now_ns();

		far.hook = drop_replies;
		far.empty = talk[n];
		ck_refused(infer(64, 30), NMHAL_E_TIMEOUT, "not done at the deadline");
		ck_assert_int_lt(nmhal_now_ns() - began, INT64_C(1000000000));
		far.hook = NULL;
		far.empty = NULL;
		ck_ok(infer(64, 0));
	}
}
END_TEST

/* A hundred events, and what else is no answer, before each answer. */
static enum far_fate flood(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header;
	uint8_t other[FAR_FRAME];

	(void)count;
	if (!reply)
		return FAR_PASS;
	for (unsigned n = 0; n < 10; n++)
		push_event(board);
	memcpy(other, frame, *size);
	nmlink_get_header(&header, other, NMLINK_HEADER_SIZE);
	header.seq = (uint16_t)(header.seq - 100); /* stale */
	far_push(board, other, nmlink_frame_seal(other, &header, board->core.crc));
	header.seq = (uint16_t)(header.seq + 200); /* not asked yet */
	far_push(board, other, nmlink_frame_seal(other, &header, board->core.crc));
	header.seq = (uint16_t)(header.seq - 100);
	header.session ^= 1; /* of another session */
	far_push(board, other, nmlink_frame_seal(other, &header, board->core.crc));
	header.session ^= 1;
	header.flags = 0; /* an echo */
	far_push(board, other, nmlink_frame_seal(other, &header, board->core.crc));
	header.flags = NMLINK_FLAG_REPLY;
	header.version = 2;
	far_push(board, other, nmlink_frame_seal(other, &header, board->core.crc));
	return FAR_PASS;
}

START_TEST(what_is_no_answer_is_passed_over)
{
	struct episode result;

	far.hook = flood;
	episode_run(dev, &result);
	ck_assert_msg(!result.failed, "%s", nmhal_last_error());
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
	ck_assert_uint_ge(far_counter(dev, "unasked"), 100);
	ck_assert_uint_eq(far.core.run_flags & NMLINK_RUN_STREAM, 0);
}
END_TEST

static int32_t resize; /* of the next answers' payload */

static enum far_fate resize_replies(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header;

	(void)count;
	if (!reply)
		return FAR_PASS;
	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	if ((int32_t)header.size + resize < 0)
		return FAR_PASS;
	header.size = (uint32_t)((int32_t)header.size + resize);
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

START_TEST(answers_of_a_wrong_size_are_nonsense)
{
	int16_t read[FAR_ROWS][FAR_COLS];
	int64_t value;

	for (resize = -1; resize <= 1; resize += 2) {
		far.hook = resize_replies;
		ck_refused(infer(4, 0), NMHAL_E_PROTOCOL, resize < 0 ? "103 bytes of payload, not 104" : "105 bytes");
		ck_refused(nmhal_read_weights(dev, NULL, read, 0, NMHAL_CODE_I16, 0), NMHAL_E_PROTOCOL,
			"read weights: 8 x 12 at row 0, column 0 of core 0: the board answered");
		if (resize < 0)
			ck_refused(nmhal_sensor_get(dev, "temperature", &value, 0), NMHAL_E_PROTOCOL, "7 bytes");
		else /* a later version may add fields */
			ck_ok(nmhal_sensor_get(dev, "temperature", &value, 0));
		far.hook = NULL;
		ck_ok(infer(64, 0));
	}
}
END_TEST

static struct nmlink_header lie; /* fields of the next answers' headers that are not 0 */
static const char *lie_text;

static enum far_fate lie_in_replies(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header;

	(void)count;
	if (!reply)
		return FAR_PASS;
	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	header.op = lie.op ? lie.op : header.op;
	header.status = lie.status;
	if (lie.status) {
		const struct nmlink_error error = {.detail = 77};
		uint8_t *end = nmlink_put_error(frame + NMLINK_HEADER_SIZE, &error);

		memcpy(end, lie_text, strlen(lie_text));
		header.size = (uint32_t)(NMLINK_SIZE_error + strlen(lie_text));
	}
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

START_TEST(errors_of_the_board_are_told_in_words)
{
	static const struct {
		uint16_t status;
		int means;
		const char *text;
	} rows[] = {
		{NMLINK_EVERSION, NMHAL_E_VERSION, "EVERSION"}, {NMLINK_EOP, NMHAL_E_UNSUPPORTED, "EOP"},
		{NMLINK_ELEN, NMHAL_E_PROTOCOL, "ELEN"}, {NMLINK_EARG, NMHAL_E_PROTOCOL, "EARG"},
		{NMLINK_ERANGE, NMHAL_E_PROTOCOL, "ERANGE, detail 77"}, {NMLINK_ELIMIT, NMHAL_E_LIMIT, "ELIMIT"},
		{NMLINK_EINTERLOCK, NMHAL_E_INTERLOCK, "close it"}, {NMLINK_EARM, NMHAL_E_STATE, "arm first"},
		{NMLINK_EBUSY, NMHAL_E_BUSY, "not now"}, {NMLINK_ETIMEOUT, NMHAL_E_IO, "ETIMEOUT"},
		{NMLINK_EABORTED, NMHAL_E_CANCELED, "EABORTED"}, {NMLINK_ECOMPLIANCE, NMHAL_E_LIMIT, "compliance"},
		{NMLINK_EHARDWARE, NMHAL_E_IO, "EHARDWARE"}, {NMLINK_EINTERNAL, NMHAL_E_PROTOCOL, "EINTERNAL"},
		{4711, NMHAL_E_PROTOCOL, "status 4711"},
	};

	lie_text = "of the board";
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		lie.status = rows[n].status;
		far.hook = lie_in_replies;
		ck_refused(infer(64, 0), rows[n].means, rows[n].text);
		ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "run inference: 64 vectors: 8 x 12 at row 0"));
		if (rows[n].status != 4711)
			ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "\"of the board\""));
		far.hook = NULL;
		ck_ok(infer(1, 0));
	}
	lie.status = NMLINK_EBUSY;
	lie_text = "half\xC3"; /* a character that is cut off */
	far.hook = lie_in_replies;
	ck_refused(infer(1, 0), NMHAL_E_BUSY, "\"half\"");
	lie.status = 0;
}
END_TEST

START_TEST(an_answer_to_something_else_is_nonsense)
{
	lie = (struct nmlink_header){.op = NMLINK_OP_PING};
	far.hook = lie_in_replies;
	ck_refused(infer(1, 0), NMHAL_E_PROTOCOL, "the board answered INFER with PING");
	lie.op = 0x9999;
	ck_refused(infer(1, 0), NMHAL_E_PROTOCOL, "an opcode of its own");
	lie.op = 0;
	ck_ok(infer(64, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link faults");
	TCase *tcase = far_case(suite, "faults", setup, teardown);

	tcase_add_test(tcase, a_reset_at_any_request_fails_one_call_with_io);
	tcase_add_test(tcase, the_sentence_names_the_reset_and_the_call_is_not_repeated);
	tcase_add_test(tcase, a_pulse_whose_answer_a_reset_swallows_is_not_repeated);
	tcase_add_test(tcase, only_changed_does_not_trust_what_was_before_a_reset);
	tcase_add_test(tcase, another_board_is_not_taken_for_the_one_that_was_opened);
	tcase_add_test(tcase, a_silent_board_is_asked_nine_times);
	tcase_add_test(tcase, what_a_call_asked_for_is_not_done_after_its_end);
	tcase_add_test(tcase, what_was_done_before_the_deadline_stays_done_once);
	tcase_add_test(tcase, a_batch_at_its_deadline_leaves_the_wire_clean);
	tcase_add_test(tcase, an_interrupt_ends_the_call_and_tells_the_board);
	tcase_add_test(tcase, a_stream_that_was_woken_ends_no_other_call);
	tcase_add_test(tcase, an_interrupted_run_is_stopped_on_the_board);
	tcase_add_test(tcase, unplugged_at_any_frame_it_is_gone);
	tcase_add_test(tcase, endless_nonsense_ends_at_the_deadline);
	tcase_add_test(tcase, what_is_no_answer_is_passed_over);
	tcase_add_test(tcase, answers_of_a_wrong_size_are_nonsense);
	tcase_add_test(tcase, errors_of_the_board_are_told_in_words);
	tcase_add_test(tcase, an_answer_to_something_else_is_nonsense);
	return far_run(suite);
}
