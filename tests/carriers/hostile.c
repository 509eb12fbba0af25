/* SPDX-License-Identifier: MIT */
/*
 * A hostile board behind every carrier: the one of tests/link, whose frames meet what a row of a table says, on its
 * side of the cable. Whatever comes is passed over, or asked for again; results are those of a quiet wire, and nothing
 * is done twice. (What a hostile host sends is in nmhal-probe conformance, which runs over every carrier as well.)
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carrier.h"
#include "tap.h"
#include "tests/link/episode.h"
#include "tests/usb/model.h"

#define COPIES 12u /* that come before a reply */
#define EPISODES 12u /* at most of a row */

static const struct carrier *carrier;
static nmhal_context *ctx;
static char uri[CARRIER_URI];

/* The board, and what it met; used by the threads of the carriers. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct far far;
static unsigned happened; /* of the row at hand: what it is about */
static uint16_t answered; /* the highest number that was */

/* ---- what comes before a reply ----------------------------------------------------------------------------------- */

/* Each number meets it once: what is sent again comes through, and the queue of the board is bounded. */
static bool is_new(const uint8_t *frame)
{
	const uint16_t seq = nmlink_load_u16(frame + NMLINK_OFFSET(header, seq));

	if ((int16_t)(seq - answered) <= 0)
		return false;
	answered = seq;
	return true;
}

/* A copy with one bit of it flipped, the next one each time. */
static void push_flipped(struct far *board, const uint8_t *frame, size_t size)
{
	uint8_t copy[FAR_FRAME];
	const size_t bit = happened++ % (8 * size);

	memcpy(copy, frame, size);
	copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	far_push(board, copy, size);
}

static void push_cut(struct far *board, const uint8_t *frame, size_t size)
{
	far_push(board, frame, happened++ % size);
}

static void push_wrong_crc(struct far *board, const uint8_t *frame, size_t size)
{
	const uint32_t crc = nmlink_load_u32(frame + size - NMLINK_CRC_SIZE);
	const uint32_t wrong[] = {0, ~crc, crc + 1, UINT32_MAX, crc >> 8 | crc << 24, crc << 16 | crc >> 16};
	const uint32_t other = wrong[happened++ % (sizeof(wrong) / sizeof(*wrong))];
	uint8_t copy[FAR_FRAME];

	memcpy(copy, frame, size);
	nmlink_store_u32(copy + size - NMLINK_CRC_SIZE, other == crc ? crc ^ 1 : other);
	far_push(board, copy, size);
}

/* A whole frame whose header is made up but for its session. */
static void push_made_up(struct far *board, struct nmlink_header header, size_t size)
{
	static uint8_t frame[FAR_FRAME];

	memset(frame, 0x5A, size + NMLINK_OVERHEAD);
	header.size = (uint32_t)size;
	far_push(board, frame, nmlink_frame_seal(frame, &header, board->core.crc));
}

static struct nmlink_header header_of(const uint8_t *frame)
{
	struct nmlink_header header;

	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	return header;
}

/* Answers to numbers of long ago or not yet asked, and of another session. */
static void push_stale(struct far *board, const uint8_t *frame, size_t size)
{
	static const int behind[] = {1, 2, 7, 64, 0x7FFF, 0x8000, -64, -1000};
	struct nmlink_header header = header_of(frame);

	(void)size;
	if (happened++ % 2)
		header.session ^= 0x5555;
	else
		header.seq = (uint16_t)(header.seq - behind[happened / 2 % (sizeof(behind) / sizeof(*behind))]);
	push_made_up(board, header, 8);
}

/* The size in the header is not that of the frame, whose CRC is right; or the frame is longer than was agreed. */
static void push_oversize(struct far *board, const uint8_t *frame, size_t size)
{
	static const uint32_t sizes[] = {UINT32_MAX, 0x7FFFFFFF, 0x10000, FAR_FRAME, 1};
	struct nmlink_header header = header_of(frame);
	uint8_t copy[FAR_FRAME];

	if (happened++ % 3 == 0) {
		header.seq = (uint16_t)(header.seq - 100);
		push_made_up(board, header, happened % 2 ? FAR_FRAME - NMLINK_OVERHEAD - 300 : NMLINK_MIN_FRAME + 1);
		return;
	}
	memcpy(copy, frame, size);
	nmlink_store_u32(copy + NMLINK_OFFSET(header, size),
		header.size + sizes[happened % (sizeof(sizes) / sizeof(*sizes))]);
	nmlink_store_u32(copy + size - NMLINK_CRC_SIZE, board->core.crc(0, copy, size - NMLINK_CRC_SIZE));
	far_push(board, copy, size);
}

/* Versions, opcodes, flags and statuses that are none. */
static void push_unknown(struct far *board, const uint8_t *frame, size_t size)
{
	struct nmlink_header header = header_of(frame);

	(void)size;
	header.seq = (uint16_t)(header.seq - 100);
	switch (happened++ % 4) {
	case 0: /* a board that begins like that has another version: the host says so */
		if (header.op == NMLINK_OP_HELLO)
			return;
		header.version = (uint8_t)(happened % 8 ? 2 : 255);
		break;
	case 1:
		header.op = (uint16_t)(happened % 8 ? 0x7FFF : 0xFFFF);
		break;
	case 2:
		header.flags = (uint8_t)(0xF0 | NMLINK_FLAG_REPLY);
		break;
	default:
		header.status = 999;
	}
	push_made_up(board, header, happened % 20);
}

static void push_event(struct far *board, const uint8_t *frame, size_t size)
{
	struct nmlink_header header = header_of(frame);

	(void)size;
	header.op = happened % 2 ? NMLINK_OP_EVENTS : NMLINK_OP_PING;
	header.flags = NMLINK_FLAG_EVENT;
	push_made_up(board, header, happened++ % 90);
}

/* Bytes that are no frame at all; in a stream also ends of frames without a begin. */
static void push_rubbish(struct far *board, const uint8_t *frame, size_t size)
{
	uint8_t bytes[80];
	const size_t count = 1 + happened % sizeof(bytes);

	for (size_t n = 0; n < count; n++)
		bytes[n] = (uint8_t)((frame[n % size] + n) * (happened + 1));
	/* The reply behind it begins anew. */
	bytes[count - 1] = 0;
	happened++;
	far_push_bytes(board, bytes, count);
}

#define BEFORE(name)                                                                                                   \
	static enum far_fate before_##name(struct far *board, bool reply, unsigned count, uint8_t *frame,              \
		size_t *size)                                                                                          \
	{                                                                                                              \
		(void)count;                                                                                           \
		for (unsigned n = 0; reply && n < COPIES && (n || is_new(frame)); n++)                                 \
			push_##name(board, frame, *size);                                                              \
		return FAR_PASS;                                                                                       \
	}
BEFORE(flipped)
BEFORE(cut)
BEFORE(wrong_crc)
BEFORE(stale)
BEFORE(oversize)
BEFORE(unknown)
BEFORE(event)
BEFORE(rubbish)

/* ---- what becomes of frames -------------------------------------------------------------------------------------- */

static enum far_fate all_twice(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)reply;
	(void)count;
	(void)frame;
	(void)size;
	happened++;
	return FAR_TWICE;
}

/* Each costs the host's patience. */
static enum far_fate some_lost(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)frame;
	(void)size;
	if (count % 16 != (reply ? 5 : 11))
		return FAR_PASS;
	happened++;
	return FAR_DROP;
}

static enum far_fate some_late(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)frame;
	(void)size;
	if (count % 8 != (reply ? 3 : 6))
		return FAR_PASS;
	happened++;
	return FAR_LATE;
}

/* Of 0 and of more than can be. */
static enum far_fate wrong_credits(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header = header_of(frame);

	if (!reply)
		return FAR_PASS;
	header.credits = (uint16_t)(count % 3 ? 0 : UINT16_MAX);
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	happened++;
	return FAR_PASS;
}

/* ---- capability records ------------------------------------------------------------------------------------------ */

static uint8_t records[2048]; /* the board's own, and behind them those of later versions and of vendors */
static uint32_t records_size;

/* On the quiet wire: keeps the pieces. */
static enum far_fate keep_records(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	const struct nmlink_header header = header_of(frame);
	struct nmlink_caps_reply piece;

	(void)board;
	(void)count;
	(void)size;
	if (!reply || header.op != NMLINK_OP_CAPS)
		return FAR_PASS;
	ck_assert(nmlink_get_caps_reply(&piece, frame + NMLINK_HEADER_SIZE, header.size));
	ck_assert_uint_eq(piece.offset, records_size);
	memcpy(records + records_size, piece.tail, piece.tail_size);
	records_size += piece.tail_size;
	return FAR_PASS;
}

static void add_records(void)
{
	static const uint8_t more[] = {0x99, 0x00, 3, 0, 1, 2, 3, 0xFF, 0x7F, 0, 0, 0x01, 0x80, 1, 0, 0};

	memcpy(records + records_size, more, sizeof(more));
	records_size += (uint32_t)sizeof(more);
}

/* The piece that was asked for, of more than the board knows of. */
static uint32_t piece_of_records(uint8_t *payload, uint32_t offset)
{
	const struct nmlink_caps_reply reply = {.offset = offset};
	const uint32_t room = NMLINK_MIN_FRAME - NMLINK_OVERHEAD - NMLINK_SIZE_caps_reply;
	const uint32_t left = records_size - offset, part = left < room ? left : room;

	ck_assert_uint_le(offset, records_size);
	memcpy(nmlink_put_caps_reply(payload, &reply), records + offset, part);
	return NMLINK_SIZE_caps_reply + part;
}

static enum far_fate more_records(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	static uint32_t offset; /* that the host asks for */
	struct nmlink_header header = header_of(frame);
	uint8_t *payload = frame + NMLINK_HEADER_SIZE;
	struct nmlink_hello_reply hello = {0};

	(void)count;
	if (header.op == NMLINK_OP_CAPS && !reply) {
		offset = nmlink_load_u32(payload);
		nmlink_store_u32(payload, 0); /* which the board cannot refuse */
	} else if (header.op == NMLINK_OP_CAPS) {
		header.size = piece_of_records(payload, offset);
		happened++;
	} else if (header.op == NMLINK_OP_HELLO && reply) {
		nmlink_get_hello_reply(&hello, payload, header.size);
		hello.caps_size = records_size;
		hello.caps_crc = board->core.crc(0, records, records_size);
		nmlink_put_hello_reply(payload, &hello);
	} else {
		return FAR_PASS;
	}
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const struct hostility {
	const char *name;
	far_hook_fn hook;
	unsigned least; /* times that it happens before a row is done */
} hostilities[] = {
	{"every bit flipped", before_flipped, 8 * NMLINK_MIN_FRAME},
	{"every length cut", before_cut, 4 * NMLINK_MIN_FRAME},
	{"wrong CRCs", before_wrong_crc, 300},
	{"everything twice", all_twice, 100},
	{"frames lost", some_lost, 8},
	{"frames out of order", some_late, 8},
	{"stale numbers and sessions", before_stale, 300},
	{"sizes that are too large", before_oversize, 300},
	{"unknown versions, opcodes, flags, statuses", before_unknown, 300},
	{"unknown capability records", more_records, 3},
	{"no credits, and too many", wrong_credits, 50},
	{"a flood of events", before_event, 500},
	{"bytes that are no frames", before_rubbish, 300},
};

#define ROWS (sizeof(hostilities) / sizeof(*hostilities))

/* ---- the board behind a carrier ---------------------------------------------------------------------------------- */

static size_t board_put(void *user, const uint8_t *bytes, size_t size)
{
	pthread_mutex_lock(&lock);
	size = far_put(user, bytes, size);
	pthread_mutex_unlock(&lock);
	return size;
}

static size_t board_get(void *user, uint8_t *bytes, size_t capacity)
{
	pthread_mutex_lock(&lock);
	capacity = far_get(user, bytes, capacity);
	pthread_mutex_unlock(&lock);
	return capacity;
}

static void board_cut(void *user)
{
	pthread_mutex_lock(&lock);
	far_cut(user);
	pthread_mutex_unlock(&lock);
}

static const struct model_pipe behind = {board_put, board_get, board_cut, &far};

/* A board as it was never used. */
static void new_board(bool bytes, far_hook_fn hook)
{
	pthread_mutex_lock(&lock);
	far_init(&far);
	far.bytes = bytes;
	far.max_frame = NMLINK_MIN_FRAME;
	far.window = 4;
	far.hook = hook;
	answered = UINT16_MAX;
	far_power_up(&far);
	pthread_mutex_unlock(&lock);
}

static struct episode quiet;
static unsigned quiet_executed[256];
static uint64_t quiet_pulses;

static void run_quiet(void)
{
	nmhal_context *link = far_context();
	nmhal_device *dev;

	far_init(&far);
	far.max_frame = NMLINK_MIN_FRAME;
	far.window = 4;
	far.hook = keep_records;
	records_size = 0;
	dev = far_open(link, &far);
	add_records();
	episode_run(dev, &quiet);
	ck_assert_msg(!quiet.failed, "%s", nmhal_last_error());
	memcpy(quiet_executed, far.executed, sizeof(quiet_executed));
	quiet_pulses = far.pulses;
	nmhal_device_unref(dev);
	nmhal_context_unref(link);
}

static void set_up(void)
{
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log_level = NMHAL_LOG_NONE};

	run_quiet();
	new_board(!carrier->frame, NULL);
	carrier_far = &behind;
	carrier->start(uri);
	tap_is(nmhal_context_new(&params, &ctx), NMHAL_OK);
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	carrier->stop();
	carrier_far = NULL;
}

static void check_board(void)
{
	static const uint16_t once[] = {NMLINK_OP_WRITE, NMLINK_OP_ADD_CELLS, NMLINK_OP_WRITE_NEURONS,
		NMLINK_OP_RESET_STATE, NMLINK_OP_SPIKES_START, NMLINK_OP_SPIKES_STOP, NMLINK_OP_SET_ATTR,
		NMLINK_OP_PULSE_CELL};

	pthread_mutex_lock(&lock);
	for (size_t n = 0; n < sizeof(once) / sizeof(*once); n++)
		ck_assert_uint_eq(far.executed[once[n]], quiet_executed[once[n]]);
	ck_assert_uint_eq(far.pulses, quiet_pulses);
	pthread_mutex_unlock(&lock);
}

static void one_episode(const char *name)
{
	struct episode result;
	nmhal_device *dev;

	tap_is(nmhal_device_open(ctx, uri, NULL, &dev), NMHAL_OK);
	episode_run(dev, &result);
	ck_assert_msg(!result.failed, "%s: %s", name, nmhal_last_error());
	ck_assert_mem_eq(&result, &quiet, sizeof(result));
	tap_is(nmhal_device_close(dev), NMHAL_OK);
	nmhal_device_unref(dev);
	check_board();
}

START_TEST(results_are_those_of_a_quiet_wire)
{
	const struct hostility *row = &hostilities[_i];

	happened = 0;
	for (unsigned n = 0; n < EPISODES && happened < row->least; n++) {
		new_board(!carrier->frame, row->hook);
		one_episode(row->name);
	}
	ck_assert_msg(happened >= row->least, "%s: %u times of %u", row->name, happened, row->least);
}
END_TEST

/* ---- unplugged in the midst of a batch --------------------------------------------------------------------------- */

static sem_t now;
static unsigned last_reply;

/* The last reply that comes; then somebody pulls the plug. */
static enum far_fate then_silence(struct far *at, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)at;
	(void)size;
	if (!reply || header_of(frame).op != NMLINK_OP_INFER)
		return FAR_PASS;
	if (happened++ == last_reply)
		sem_post(&now);
	(void)count;
	return happened > last_reply ? FAR_DROP : FAR_PASS;
}

static void *pull_the_plug(void *arg)
{
	(void)arg;
	while (sem_wait(&now))
		;
	carrier->unplug();
	return NULL;
}

static int infer(nmhal_device *dev)
{
	static int8_t in[64][FAR_ROWS];
	static int16_t out[64][FAR_COLS];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = 64,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16, .timeout_ms = 5000};

	return nmhal_run_inference(dev, &op);
}

START_TEST(unplugged_in_a_batch_it_is_gone)
{
	pthread_t thread;
	nmhal_device *dev;
	int64_t begin_ns;

	ck_assert_int_eq(sem_init(&now, 0, 0), 0);
	happened = 0;
	last_reply = (unsigned)_i;
	new_board(!carrier->frame, then_silence);
	tap_is(nmhal_device_open(ctx, uri, NULL, &dev), NMHAL_OK);
	ck_assert_int_eq(pthread_create(&thread, NULL, pull_the_plug, NULL), 0);
	begin_ns = nmhal_now_ns();
	tap_is(infer(dev), NMHAL_E_GONE);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, INT64_C(3000000000));
	pthread_join(thread, NULL);
	tap_is(infer(dev), NMHAL_E_GONE);
	nmhal_device_unref(dev);
	sem_destroy(&now);
	carrier->replug();
	new_board(!carrier->frame, NULL);
	one_episode("plugged in again");
}
END_TEST

/* ---- suite ------------------------------------------------------------------------------------------------------- */

int hostile_run(const struct carrier *const *carriers, size_t count)
{
	int failed = 0;

	for (size_t n = 0; n < count; n++) {
		char name[64];
		Suite *suite;
		TCase *tcase;
		SRunner *runner;

		snprintf(name, sizeof(name), "hostile over %s", carriers[n]->name);
		suite = suite_create(name);
		tcase = tcase_create(name);
		runner = srunner_create(suite);
		carrier = carriers[n];
		tcase_set_timeout(tcase, 120);
		tcase_add_checked_fixture(tcase, set_up, tear_down);
		tcase_add_loop_test(tcase, results_are_those_of_a_quiet_wire, 0, (int)ROWS);
		tcase_add_loop_test(tcase, unplugged_in_a_batch_it_is_gone, 0, 3);
		suite_add_tcase(suite, tcase);
		srunner_run_all(runner, CK_ENV);
		failed += srunner_ntests_failed(runner);
		srunner_free(runner);
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
