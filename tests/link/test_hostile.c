/* SPDX-License-Identifier: MIT */
/*
 * A board that means harm: capability records, sizes and answers that are whole frames with anything in them. Nothing
 * crashes or hangs, and each refusal says what is wrong. The sanitizers watch in the build that has them.
 */
#include <stdio.h>

#include "episode.h"
#include "far_suite.h"

static struct far far;
static nmhal_context *ctx;
static uint64_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % below;
}

/* What the board says instead of its own. */
static uint8_t records[70000];
static uint32_t records_size;
static struct nmlink_hello_reply hello; /* fields that are not 0 */
static uint8_t lie_version;            /* likewise */

static void lie_about_hello(uint8_t *payload)
{
	struct nmlink_hello_reply reply;

	nmlink_get_hello_reply(&reply, payload, NMLINK_SIZE_hello_reply);
	reply.window = hello.window ? hello.window : reply.window;
	reply.max_frame = hello.max_frame ? hello.max_frame : reply.max_frame;
	if (records_size) {
		reply.caps_size = records_size;
		reply.caps_crc = nmlink_crc32c(0, records, records_size);
	}
	reply.caps_size = hello.caps_size ? hello.caps_size : reply.caps_size;
	reply.caps_crc = hello.caps_crc ? hello.caps_crc : reply.caps_crc;
	nmlink_put_hello_reply(payload, &reply);
}

/* The records that were asked for, of those that were made up. */
static uint32_t lie_about_caps(uint8_t *payload, uint32_t offset)
{
	struct nmlink_caps_reply reply = {.offset = offset};
	uint32_t size = records_size - offset;

	if (size > FAR_FRAME - NMLINK_OVERHEAD - NMLINK_SIZE_caps_reply)
		size = FAR_FRAME - NMLINK_OVERHEAD - NMLINK_SIZE_caps_reply;
	memcpy(nmlink_put_caps_reply(payload, &reply), records + offset, size);
	return NMLINK_SIZE_caps_reply + size;
}

static enum far_fate lie(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	static uint32_t offset;
	struct nmlink_header header;
	uint8_t *payload = frame + NMLINK_HEADER_SIZE;

	(void)count;
	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	if (!reply) {
		if (header.op == NMLINK_OP_CAPS)
			offset = nmlink_load_u32(payload);
		/* The board has fewer records, and must not refuse. */
		if (header.op == NMLINK_OP_CAPS && records_size) {
			nmlink_store_u32(payload, 0);
			nmlink_frame_seal(frame, &header, board->core.crc);
		}
		return FAR_PASS;
	}
	header.version = lie_version ? lie_version : header.version;
	if (header.op == NMLINK_OP_HELLO)
		lie_about_hello(payload);
	else if (header.op == NMLINK_OP_CAPS && records_size)
		header.size = lie_about_caps(payload, offset);
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

static void setup(void)
{
	ctx = far_context();
	records_size = 0;
	hello = (struct nmlink_hello_reply){0};
	lie_version = 0;
}

static void teardown(void)
{
	nmhal_context_unref(ctx);
}

static int try_open(nmhal_device **dev)
{
	far_init(&far);
	far.hook = lie;
	return far_try_open(ctx, &far, dev);
}

static void refused(int status, const char *text)
{
	nmhal_device *dev;

	ck_refused(try_open(&dev), status, text);
	ck_assert_ptr_null(dev);
	ck_assert(far.closed);
}

/* ---- records made up --------------------------------------------------------------------------------------------- */

static void put_record(uint16_t tag, const void *value, uint32_t size)
{
	uint8_t *p = records + records_size;

	memcpy(nmlink_store_u16(nmlink_store_u16(p, tag), (uint16_t)size), value, size);
	records_size += NMLINK_CAP_HEAD_SIZE + size;
}

static void put_text(uint16_t tag, const char *text)
{
	put_record(tag, text, (uint32_t)strlen(text));
}

#define PUT_CAP(name, NAME, ...)                                                                                       \
	do {                                                                                                           \
		const struct nmlink_##name##_cap cap = {__VA_ARGS__};                                                  \
		uint8_t value[NMLINK_SIZE_##name##_cap];                                                               \
\
		nmlink_put_##name##_cap(value, &cap);                                                                  \
		put_record(NMLINK_TAG_##NAME, value, sizeof(value));                                                   \
	} while (0)

static void put_ops(size_t count, const uint16_t *ops)
{
	uint8_t value[128];

	for (size_t n = 0; n < count; n++)
		nmlink_store_u16(value + 2 * n, ops[n]);
	put_record(NMLINK_TAG_OPS, value, (uint32_t)(2 * count));
}

/* The least there can be, of which tests make one thing wrong. */
static void put_ops_only(void)
{
	records_size = 0;
	put_ops(3, (const uint16_t[]){NMLINK_OP_WRITE, NMLINK_OP_READ, NMLINK_OP_INFER});
}

static void put_least(void)
{
	put_ops_only();
	PUT_CAP(array, ARRAY, .tiles = 1, .rows = 8, .cols = 12);
	PUT_CAP(weight, WEIGHT, .min = -100, .max = 100, .bits = 8, .bytes = 1);
	PUT_CAP(input, INPUT, .min = -7, .max = 7, .bits = 4, .bytes = 1, .max_batch = 1);
	PUT_CAP(output, OUTPUT, .min = -7, .max = 7, .bits = 4, .bytes = 1);
}

START_TEST(the_least_board_opens)
{
	nmhal_device *dev;
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};

	put_least();
	put_record(0x0099, "later", 5);
	put_record(0x8001, "vendor", 6);
	put_text(NMLINK_TAG_MODEL, "\xC3\xA9");
	ck_ok(try_open(&dev));
	ck_ok(nmhal_device_caps(dev, &caps));
	ck_assert_str_eq(caps.board, "\xC3\xA9");
	ck_assert_str_eq(caps.serial, "");
	nmhal_device_unref(dev);
}
END_TEST

/* What a board of version 1.0 says of its weights ends before the tolerance. */
START_TEST(the_records_of_an_older_board_are_enough)
{
	const struct nmlink_weight_cap weight = {.min = -100, .max = 100, .bits = 8, .bytes = 1, .tolerance = 77};
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	uint8_t bytes[NMLINK_SIZE_weight_cap];
	nmhal_device *dev;

	nmlink_put_weight_cap(bytes, &weight);
	records_size = 0;
	put_ops(2, (const uint16_t[]){NMLINK_OP_WRITE, NMLINK_OP_READ});
	PUT_CAP(array, ARRAY, .tiles = 1, .rows = 8, .cols = 12);
	put_record(NMLINK_TAG_WEIGHT, bytes, NMLINK_OFFSET(weight_cap, tolerance));
	ck_ok(try_open(&dev));
	ck_ok(nmhal_device_caps(dev, &caps));
	ck_assert_int_eq(caps.weight_min, -100);
	ck_assert_uint_eq(caps.weight_tolerance, 0);
	nmhal_device_unref(dev);
}
END_TEST

#define WRONG(text, ...)                                                                                               \
	do {                                                                                                           \
		put_least();                                                                                           \
		__VA_ARGS__;                                                                                           \
		refused(NMHAL_E_PROTOCOL, text);                                                                       \
	} while (0)
#define WRONG_ALONE(text, ...)                                                                                         \
	do {                                                                                                           \
		put_ops_only();                                                                                        \
		__VA_ARGS__;                                                                                           \
		refused(NMHAL_E_PROTOCOL, text);                                                                       \
	} while (0)

START_TEST(records_that_cannot_be_are_refused)
{
	WRONG_ALONE("no record ARRAY, which every board needs", (void)0);
	WRONG("there are two of them", PUT_CAP(array, ARRAY, .tiles = 1, .rows = 8, .cols = 12));
	WRONG_ALONE("record ARRAY at byte 10: 65535 crossbars",
		PUT_CAP(array, ARRAY, .tiles = 65535, .rows = 65535, .cols = 65535));
	WRONG_ALONE("0 crossbars", PUT_CAP(array, ARRAY, .tiles = 0, .rows = 8, .cols = 12));
	WRONG_ALONE("record ARRAY at byte 10: 3 bytes, expected at least 8", put_record(NMLINK_TAG_ARRAY, "abc", 3));
	WRONG_ALONE("codes of 3 bytes", PUT_CAP(weight, WEIGHT, .min = 0, .max = 1, .bits = 8, .bytes = 3));
	WRONG_ALONE("codes -129..100", PUT_CAP(weight, WEIGHT, .min = -129, .max = 100, .bits = 8, .bytes = 1));
	WRONG_ALONE("codes 5..4", PUT_CAP(weight, WEIGHT, .min = 5, .max = 4, .bits = 8, .bytes = 1));
	WRONG_ALONE("9 bytes, expected at least 10", put_record(NMLINK_TAG_WEIGHT, "123456789", 9));
	WRONG_ALONE("a tolerance of 201, more than all codes -100..100",
		PUT_CAP(weight, WEIGHT, .min = -100, .max = 100, .bits = 8, .bytes = 1, .tolerance = 201));
	WRONG_ALONE("codes of 9 bits", PUT_CAP(output, OUTPUT, .min = 0, .max = 4, .bits = 9, .bytes = 1));
	WRONG_ALONE("at most 0 vectors", PUT_CAP(input, INPUT, .max = 4, .bits = 8, .bytes = 1));
	WRONG("thresholds 5..4", PUT_CAP(neuron, NEURON, .threshold_min = 5, .threshold_max = 4));
	WRONG("virtual events of -129..3", PUT_CAP(spikes, SPIKES, .virtual_min = -129, .virtual_max = 3));
	WRONG("neurons up to 12 and 0, the board has 12", PUT_CAP(spikes, SPIKES, .virtual_address_max = 12));
	WRONG("byte 2 of the text", put_text(NMLINK_TAG_MODEL, "ab\ncd"));
	WRONG("byte 0 of the text", put_text(NMLINK_TAG_SERIAL, "\xC0\x80"));
	WRONG("32 bytes of text", put_text(NMLINK_TAG_VENDOR, "12345678901234567890123456789012"));
	WRONG("it ends behind the last", nmlink_store_u16(records + 2, 0xFFFF));
	WRONG("it ends behind the last", records_size += 3);
}
END_TEST

START_TEST(opcodes_and_records_must_agree)
{
	records_size = 0;
	put_ops(2, (const uint16_t[]){NMLINK_OP_READ, NMLINK_OP_WRITE});
	refused(NMHAL_E_PROTOCOL, "opcode 0x0010 after 0x0011");
	records_size = 0;
	put_record(NMLINK_TAG_OPS, "abc", 3);
	refused(NMHAL_E_PROTOCOL, "3 bytes, expected opcodes of 2");
	records_size = 0;
	put_ops(1, (const uint16_t[]){NMLINK_OP_WRITE});
	PUT_CAP(array, ARRAY, .tiles = 1, .rows = 8, .cols = 12);
	PUT_CAP(weight, WEIGHT, .max = 1, .bits = 1, .bytes = 1);
	refused(NMHAL_E_PROTOCOL, "lacks WRITE or READ");
	put_ops_only();
	PUT_CAP(array, ARRAY, .tiles = 1, .rows = 8, .cols = 12);
	PUT_CAP(weight, WEIGHT, .max = 1, .bits = 1, .bytes = 1);
	refused(NMHAL_E_PROTOCOL, "no record INPUT, which INFER needs");
}
END_TEST

static void put_attr(uint8_t type, int64_t min, int64_t max, const char *text, uint32_t size)
{
	const struct nmlink_attr_cap attr = {.type = type, .min = min, .max = max};
	uint8_t value[200];

	memcpy(nmlink_put_attr_cap(value, &attr), text, size);
	put_record(NMLINK_TAG_ATTR, value, NMLINK_SIZE_attr_cap + size);
}

START_TEST(lists_are_checked_and_bounded)
{
	char name[8] = "";

	WRONG("type 3", put_attr(3, 0, 1, "a\0b\0c", 5));
	WRONG("values 1..0", put_attr(2, 1, 0, "a\0b\0c", 5));
	WRONG("values 0..2 of type 1", put_attr(1, 0, 2, "a\0b\0c", 5));
	WRONG("fewer than 3 texts", put_attr(1, 0, 1, "a\0b", 3));
	WRONG("more than 3 texts", put_attr(1, 0, 1, "a\0b\0c\0d", 7));
	WRONG("it has no name", put_attr(1, 0, 1, "\0b\0c", 4));
	WRONG("byte 1 of text 1", put_attr(1, 0, 1, "a\0b\t\0c", 6));
	WRONG("there is another 'a'", put_attr(1, 0, 1, "a\0b\0c", 5); put_attr(1, 0, 1, "a\0b\0c", 5));
	put_least();
	for (unsigned n = 0; n < 257; n++) {
		ck_assert_int_eq(snprintf(name, sizeof(name), "%03u", n), 3); /* and no summary */
		put_record(NMLINK_TAG_COUNTER, name, 4);
	}
	refused(NMHAL_E_PROTOCOL, "more than 256 of them");
}
END_TEST

START_TEST(sizes_of_hello_are_bounded)
{
	hello.window = 65;
	refused(NMHAL_E_PROTOCOL, "window is 65");
	hello.window = 0;
	hello.max_frame = 127;
	refused(NMHAL_E_PROTOCOL, "127 bytes, expected 128 to");
	hello.max_frame = UINT32_MAX;
	refused(NMHAL_E_PROTOCOL, "4294967295 bytes");
	hello.max_frame = 0;
	hello.caps_size = UINT32_MAX;
	refused(NMHAL_E_PROTOCOL, "4294967295 bytes of capability records");
	hello.caps_size = 20; /* fewer than the board has */
	refused(NMHAL_E_PROTOCOL, "bytes 0 to 20 of the records");
	hello.caps_size = 0;
	hello.caps_crc = 1;
	refused(NMHAL_E_PROTOCOL, "not the 0x00000001 of HELLO");
}
END_TEST

/* Sixty-four frames of 1 MiB are more than the library keeps; a smaller window does. */
START_TEST(the_largest_frames_and_window_open)
{
	struct episode result;
	nmhal_device *dev;

	hello.window = 64;
	hello.max_frame = 1u << 20;
	far_init(&far);
	far.bytes = true;
	far.window = 64;
	far.hook = lie;
	dev = far_open(ctx, &far);
	episode_run(dev, &result);
	ck_assert_msg(!result.failed, "%s", nmhal_last_error());
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(another_version_is_named)
{
	lie_version = 2;
	refused(NMHAL_E_VERSION, "the board speaks version 2 of nmlink, this library version 1");
}
END_TEST

/* ---- at random --------------------------------------------------------------------------------------------------- */

/* A whole board's records, with some bytes changed, or one cut out or put in. */
static void mutate(uint8_t *bytes, uint32_t *size, uint32_t room)
{
	for (uint32_t n = next_random(4) + 1; n && *size; n--) {
		uint32_t place = next_random(*size), length = next_random(8) + 1;

		switch (next_random(5)) {
		case 0:
			bytes[place] = (uint8_t)next_random(256);
			break;
		case 1:
			bytes[place] = next_random(2) ? 0xFF : 0x00;
			break;
		case 2:
			bytes[place] ^= (uint8_t)(1u << next_random(8));
			break;
		case 3:
			length = length < *size - place ? length : *size - place;
			memmove(bytes + place, bytes + place + length, *size - place - length);
			*size -= length;
			break;
		default:
			if (*size + length > room)
				break;
			memmove(bytes + place + length, bytes + place, *size - place);
			*size += length;
		}
	}
}

static uint8_t own_records[FAR_FRAME];
static uint32_t own_size;

static enum far_fate keep_records(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	(void)board;
	(void)count;
	if (reply && nmlink_load_u16(frame + NMLINK_OFFSET(header, op)) == NMLINK_OP_CAPS) {
		own_size = (uint32_t)*size - NMLINK_OVERHEAD - NMLINK_SIZE_caps_reply;
		memcpy(own_records, frame + NMLINK_HEADER_SIZE + NMLINK_SIZE_caps_reply, own_size);
	}
	return FAR_PASS;
}

START_TEST(any_records_open_or_are_refused_with_a_sentence)
{
	unsigned opened = 0, refusals = 0;
	nmhal_device *dev;

	far_init(&far);
	far.hook = keep_records;
	nmhal_device_unref(far_open(ctx, &far));
	ck_assert_uint_gt(own_size, 100);
	for (unsigned seed = 1; seed <= 4000; seed++) {
		int status;

		random_state = seed;
		memcpy(records, own_records, own_size);
		records_size = own_size;
		mutate(records, &records_size, sizeof(records));
		status = try_open(&dev);
		opened += status == NMHAL_OK;
		refusals += status == NMHAL_E_PROTOCOL;
		ck_assert_msg(status == NMHAL_OK || status == NMHAL_E_PROTOCOL || status == NMHAL_E_NO_MEMORY,
			"seed %u: %s", seed, nmhal_last_error());
		if (status != NMHAL_OK)
			ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "capabilit"));
		nmhal_device_unref(dev);
	}
	ck_assert_uint_gt(opened, 200);
	ck_assert_uint_gt(refusals, 400);
}
END_TEST

/* Answers after open with anything in their payload, and sometimes another status. */
static enum far_fate mutate_replies(struct far *board, bool reply, unsigned count, uint8_t *frame, size_t *size)
{
	struct nmlink_header header;

	(void)count;
	nmlink_get_header(&header, frame, NMLINK_HEADER_SIZE);
	if (!reply || header.op == NMLINK_OP_HELLO || header.op == NMLINK_OP_CAPS || next_random(3))
		return FAR_PASS;
	mutate(frame + NMLINK_HEADER_SIZE, &header.size, FAR_FRAME - NMLINK_OVERHEAD);
	if (!next_random(8))
		header.status = (uint16_t)next_random(20);
	if (!next_random(8))
		header.seq = (uint16_t)(header.seq + next_random(5) - 2);
	header.credits = (uint16_t)next_random(10);
	*size = nmlink_frame_seal(frame, &header, board->core.crc);
	return FAR_PASS;
}

START_TEST(any_answers_are_survived)
{
	unsigned failed = 0;

	for (unsigned seed = 1; seed <= 600; seed++) {
		struct episode result;
		nmhal_device *dev;

		random_state = seed;
		far_init(&far);
		far.max_frame = NMLINK_MIN_FRAME;
		far.window = 4;
		far.hook = mutate_replies;
		dev = far_open(ctx, &far);
		episode_run(dev, &result);
		failed += result.failed;
		far.hook = NULL;
		/* The first call may hear of a session that a made-up answer ended. */
		ck_assert_int_ne(nmhal_reset_state(dev, 0), NMHAL_E_GONE);
		episode_run(dev, &result);
		ck_assert_msg(!result.failed, "seed %u: %s", seed, nmhal_last_error());
		nmhal_device_unref(dev);
	}
	ck_assert_uint_gt(failed, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link hostile");
	TCase *tcase = far_case(suite, "hostile", setup, teardown);

	tcase_add_test(tcase, the_least_board_opens);
	tcase_add_test(tcase, the_records_of_an_older_board_are_enough);
	tcase_add_test(tcase, records_that_cannot_be_are_refused);
	tcase_add_test(tcase, opcodes_and_records_must_agree);
	tcase_add_test(tcase, lists_are_checked_and_bounded);
	tcase_add_test(tcase, sizes_of_hello_are_bounded);
	tcase_add_test(tcase, the_largest_frames_and_window_open);
	tcase_add_test(tcase, another_version_is_named);
	tcase_add_test(tcase, any_records_open_or_are_refused_with_a_sentence);
	tcase_add_test(tcase, any_answers_are_survived);
	return far_run(suite);
}
