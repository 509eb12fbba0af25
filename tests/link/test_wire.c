/* SPDX-License-Identifier: MIT */
/* What crosses the wire: bytes written out, how calls are split, what is in flight, round trips. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "far_suite.h"
#include "nmlink/print.h"

static struct far far;
static nmhal_context *ctx;
static nmhal_device *dev;

/* All frames since the last look, as nmlink/print.c writes them. */
static char seen[65536];

static enum far_fate note(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	const size_t used = strlen(seen);

	(void)board;
	(void)count;
	(void)reply;
	if (used + 200 < sizeof(seen)) {
		nmlink_print_frame(seen + used, 199, frame, *size);
		strcat(seen, "\n");
	}
	return FAR_PASS;
}

static void open_with(uint32_t max_frame, uint16_t window)
{
	far_init(&far);
	far.max_frame = max_frame;
	far.window = window;
	far.hook = note;
	seen[0] = '\0';
	ctx = far_context();
	dev = far_open(ctx, &far);
}

static void setup(void)
{
	open_with(FAR_FRAME, 8);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}

static void reopen(uint32_t max_frame, uint16_t window)
{
	teardown();
	open_with(max_frame, window);
}

static uint64_t round_trips(void)
{
	return far_counter(dev, "round_trips");
}

static const int8_t zeros[FAR_ROWS][FAR_COLS];

static void program_tile(uint32_t flags)
{
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = zeros, .code_type = NMHAL_CODE_I8,
		.flags = flags};

	ck_ok(nmhal_program_weights(dev, &op, NULL));
}

static void infer(uint32_t batch)
{
	static int8_t in[64][FAR_ROWS];
	static int16_t out[64][FAR_COLS];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = batch,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16};

	ck_ok(nmhal_run_inference(dev, &op));
}

START_TEST(open_says_hello_and_reads_the_records)
{
	/* abcd is the low half of the session that the URI names. */
	ck_assert_msg(strstr(seen, "> HELLO seq 0 session 0: session 305441741 minor 1\n") == seen, "%s", seen);
	ck_assert_ptr_nonnull(strstr(seen, "\n< HELLO seq 0 session 43981 "));
	ck_assert_ptr_nonnull(strstr(seen, "> CAPS seq 1 session 43981: offset 0\n"));
	ck_assert_uint_eq(far.requests, 2);
	ck_assert_uint_eq(far.flushes, 1);
	ck_assert_uint_eq(round_trips(), 2);
}
END_TEST

static uint32_t session_of(const char *uri, bool real)
{
	struct far other;
	nmhal_device *second;
	uint32_t session;

	far_init(&other);
	other.real = real;
	ck_ok(far_try_open_as(ctx, uri, &other, &second));
	session = other.core.session;
	nmhal_device_unref(second);
	return session;
}

START_TEST(sessions_are_random_on_boards_and_counted_on_emulators)
{
	struct far other;
	nmhal_device *none;

	ck_assert_uint_eq(session_of("far:", false), 1);
	ck_assert_uint_eq(session_of("far:", false), 1);
	ck_assert_uint_ne(session_of("far:", true), session_of("far:", true));
	ck_assert_uint_eq(session_of("far:,session=7", true), 7);
	ck_assert_uint_eq(session_of("far:,session=0x50000", true), 0x50001); /* a low half of 0 is none */
	far_init(&other);
	ck_refused(far_try_open_as(ctx, "far:,session=0", &other, &none), NMHAL_E_INVALID, "session");
}
END_TEST

static uint8_t last_request[FAR_FRAME];
static size_t last_size;

static enum far_fate keep_request(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	if (!reply) {
		memcpy(last_request, frame, *size);
		last_size = *size;
	}
	return FAR_PASS;
}

/* The last request, header and payload without the CRC, in hex. */
static void expect_request(const char *hex)
{
	char text[2 * FAR_FRAME];

	ck_assert_uint_ge(last_size, NMLINK_OVERHEAD);
	for (size_t n = 0; n < last_size - NMLINK_CRC_SIZE; n++)
		sprintf(text + 2 * n, "%02x", last_request[n]);
	ck_assert_str_eq(text, hex);
	ck_assert_uint_eq(nmlink_load_u32(last_request + last_size - NMLINK_CRC_SIZE),
		nmlink_crc32c(0, last_request, last_size - NMLINK_CRC_SIZE));
}

START_TEST(requests_are_these_bytes)
{
	const int8_t codes[2][3] = {{1, -1, 2}, {3, 4, -100}};
	const struct nmhal_program op = {.struct_size = sizeof(op), .region = {1, 2, 3, 2, 3, 0}, .codes = codes,
		.code_type = NMHAL_CODE_I8};
	const int32_t in[2][2] = {{5, -6}, {7, 100}};
	int32_t out[2][3];
	const struct nmhal_inference product = {.struct_size = sizeof(product), .region = {1, 2, 3, 2, 3, 0}, .in = in,
		.out = out, .first_vector = 0x0102030405060708, .batch = 2, .in_type = NMHAL_CODE_I32,
		.out_type = NMHAL_CODE_I32};
	struct nmhal_neuron neuron = {.threshold = 258, .leak = 3, .potential = -2, .enabled = 1};
	int16_t read[6];

	far.hook = keep_request;
	ck_ok(nmhal_program_weights(dev, &op, NULL));
	expect_request("01001000" "0200cdab" "10000000" "00000000" "01000200030002000300" "01ff0203049c");
	ck_ok(nmhal_read_weights(dev, &op.region, read, 0, NMHAL_CODE_I16, 0));
	expect_request("01001100" "0300cdab" "12000000" "00000000" "01000200030002000300" "0000000000000000");
	ck_ok(nmhal_read_weights(dev, &op.region, read, 0, NMHAL_CODE_I16, 0));
	expect_request("01001100" "0400cdab" "12000000" "00000000" "01000200030002000300" "0100000000000000");
	ck_ok(nmhal_run_inference(dev, &product));
	expect_request("01002000" "0500cdab" "1c000000" "00000000" "01000200030002000300" "020000000000"
		"0807060504030201" "05fa0764");
	ck_ok(nmhal_set_neurons(dev, 1, 5, 1, &neuron, 0));
	expect_request("01003000" "0600cdab" "14000000" "00000000" "01000500" "02010000" "03000000" "feffffff"
		"01000000");
	ck_ok(nmhal_attr_set_int(dev, "gain", -2));
	expect_request("01004100" "0700cdab" "0a000000" "00000000" "0000" "feffffffffffffff");
	ck_ok(nmhal_arm(dev, 1000, 0));
	expect_request("01005200" "0800cdab" "04000000" "00000000" "e8030000");
}
END_TEST

START_TEST(a_tile_is_programmed_in_one_round_trip)
{
	uint64_t before = round_trips();

	program_tile(0);
	ck_assert_uint_eq(round_trips(), before + 1);
	program_tile(NMHAL_PROGRAM_VERIFY);
	ck_assert_uint_eq(round_trips(), before + 3);
	/* 96 codes in frames of 128 bytes: 98 fit. */
	reopen(NMLINK_MIN_FRAME, 8);
	far.hook = NULL;
	before = round_trips();
	program_tile(0);
	ck_assert_uint_eq(round_trips(), before + 1);
	ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 1);
}
END_TEST

START_TEST(a_batch_is_one_round_trip_however_it_is_split)
{
	uint64_t before;

	before = round_trips();
	infer(20);
	ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 1);
	infer(64); /* the board takes 20 vectors at once */
	ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 1 + 4);
	ck_assert_uint_eq(round_trips(), before + 2);
	/* 108 bytes of payload hold 10 vectors of 8 inputs, and its answer 4 of 12 outputs and 2 bytes of bits. */
	reopen(NMLINK_MIN_FRAME, 2);
	before = round_trips();
	infer(64);
	ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 16);
	ck_assert_uint_eq(round_trips(), before + 1);
}
END_TEST

/* Answers wait at the board until the host has nothing more to send. */
static unsigned most_in_flight, in_flight;

static enum far_fate count_flight(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)count;
	(void)size;
	if (!reply && nmlink_load_u16(frame + NMLINK_OFFSET(header, op)) == NMLINK_OP_INFER) {
		/* What the host has taken out of the queue is answered. */
		in_flight = (unsigned)board->count + 1;
		most_in_flight = in_flight > most_in_flight ? in_flight : most_in_flight;
	}
	return FAR_PASS;
}

START_TEST(the_window_is_used_and_kept)
{
	for (uint16_t window = 1; window <= 8; window *= 2) {
		uint64_t before;

		reopen(NMLINK_MIN_FRAME, window);
		before = round_trips();
		far.hook = count_flight;
		most_in_flight = 0;
		infer(64);
		ck_assert_uint_eq(most_in_flight, window);
		ck_assert_uint_eq(round_trips() - before, window == 1 ? 16 : 1);
	}
}
END_TEST

/* Says in every reply that the board can take so many requests. */
static uint16_t credits;

static enum far_fate give_credits(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header;

	count_flight(board, reply, count, frame, size);
	if (!reply)
		return FAR_PASS;
	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	header.credits = credits;
	nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

START_TEST(credits_bound_what_is_in_flight)
{
	reopen(NMLINK_MIN_FRAME, 8);
	far.hook = give_credits;
	for (credits = 0; credits < 12; credits += 3) {
		program_tile(0); /* its answer brings the credits */
		most_in_flight = 0;
		infer(64);
		ck_assert_uint_eq(most_in_flight, credits == 0 ? 1 : credits < 8 ? credits : 8);
	}
}
END_TEST

START_TEST(a_carrier_that_takes_no_more_is_emptied_first)
{
	reopen(NMLINK_MIN_FRAME, 8);
	far.hook = NULL;
	for (far.room = 1; far.room < 9; far.room++) {
		far.executed[NMLINK_OP_INFER] = 0;
		infer(64);
		ck_assert_uint_eq(far.executed[NMLINK_OP_INFER], 16);
	}
}
END_TEST

START_TEST(numbers_wrap_around)
{
	far.hook = NULL;
	for (unsigned n = 0; n < 65536 + 20; n++)
		program_tile(0);
	infer(64);
	ck_assert_uint_eq(far_counter(dev, "retransmitted"), 0);
	ck_assert_uint_eq(far.executed[NMLINK_OP_WRITE], 65536 + 20);
}
END_TEST

START_TEST(results_do_not_depend_on_the_split)
{
	uint64_t uses;

	infer(4);
	uses = far.uses;
	infer(4);
	ck_assert_uint_eq(far.uses, uses); /* first_vector is the caller's */
	ck_assert_uint_eq(uses, 0);
	reopen(NMLINK_MIN_FRAME, 4);
	infer(12); /* 3 requests, whose first vectors are 0, 4 and 8 */
	ck_assert_uint_eq(far.uses, 0 + 4 + 8);
}
END_TEST

static char lines[4096];

static void keep_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	(void)user;
	(void)uri;
	if (level == NMHAL_LOG_WIRE && strlen(lines) + strlen(message) + 2 < sizeof(lines)) {
		strcat(lines, message);
		strcat(lines, "\n");
	}
}

START_TEST(the_log_shows_requests_and_answers)
{
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log = keep_line,
		.log_level = NMHAL_LOG_WIRE};
	struct far other;
	nmhal_context *logged = far_context_with(&params);
	nmhal_device *second;

	far_init(&other);
	second = far_open(logged, &other);
	lines[0] = '\0';
	ck_ok(nmhal_reset_state(second, 0));
	ck_assert_str_eq(lines, "> RESET_STATE seq 2: 20 bytes\n< RESET_STATE seq 2: status 0, 0 bytes of payload\n");
	nmhal_device_unref(second);
	nmhal_context_unref(logged);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link wire");
	TCase *tcase = far_case(suite, "wire", setup, teardown);

	tcase_add_test(tcase, open_says_hello_and_reads_the_records);
	tcase_add_test(tcase, sessions_are_random_on_boards_and_counted_on_emulators);
	tcase_add_test(tcase, requests_are_these_bytes);
	tcase_add_test(tcase, a_tile_is_programmed_in_one_round_trip);
	tcase_add_test(tcase, a_batch_is_one_round_trip_however_it_is_split);
	tcase_add_test(tcase, the_window_is_used_and_kept);
	tcase_add_test(tcase, credits_bound_what_is_in_flight);
	tcase_add_test(tcase, a_carrier_that_takes_no_more_is_emptied_first);
	tcase_add_test(tcase, numbers_wrap_around);
	tcase_add_test(tcase, results_do_not_depend_on_the_split);
	tcase_add_test(tcase, the_log_shows_requests_and_answers);
	return far_run(suite);
}
