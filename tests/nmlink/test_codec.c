/* SPDX-License-Identifier: MIT */
/* Codecs, frames, CRC, COBS, printing: over the whole message table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nmlink/crc32c.h"
#include "nmlink/print.h"
#include "tests/unit/run.h"

/* ---- codecs ------------------------------------------------------------------------------------------------------ */

/* Bytes to bytes through the struct of one record; false: get refused them. */
struct codec {
	const char *name;
	uint32_t size; /* of the fixed fields */
	bool (*trip)(uint8_t *to, const uint8_t *from, uint32_t size);
	bool tail_is_rest;
};

#define TRIP(record)                                                                                                   \
	static bool trip_##record(uint8_t *to, const uint8_t *from, uint32_t size)                                     \
	{                                                                                                              \
		struct nmlink_##record m;                                                                              \
\
		if (!nmlink_get_##record(&m, from, size))                                                              \
			return false;                                                                                  \
		to = nmlink_put_##record(to, &m);                                                                      \
		memcpy(to, m.tail, m.tail_size);                                                                       \
		return m.tail == from + NMLINK_SIZE_##record && m.tail_size == size - NMLINK_SIZE_##record;            \
	}
#define MESSAGE_TRIPS(name, NAME, code, class, text) TRIP(name##_request) TRIP(name##_reply)
#define CAP_TRIP(name, NAME, tag, text)              TRIP(name##_cap)
#define CODEC(record)                                { #record, NMLINK_SIZE_##record, trip_##record, true },
#define MESSAGE_CODECS(name, NAME, code, class, text) CODEC(name##_request) CODEC(name##_reply)
#define CAP_CODEC(name, NAME, tag, text)              CODEC(name##_cap)

NMLINK_MESSAGES(MESSAGE_TRIPS)
NMLINK_CAPS(CAP_TRIP)
TRIP(header)
TRIP(error)

#define RECORD_TRIP(name, NAME, text)                                                                                  \
	static bool trip_##name##_record(uint8_t *to, const uint8_t *from, uint32_t size)                              \
	{                                                                                                              \
		struct nmlink_##name##_record m;                                                                       \
\
		return nmlink_get_##name##_record(&m, from) == from + size &&                                          \
		       nmlink_put_##name##_record(to, &m) == to + size;                                                \
	}
#define RECORD_CODEC(name, NAME, text) { #name "_record", NMLINK_SIZE_##name##_record, trip_##name##_record, false },
NMLINK_RECORDS(RECORD_TRIP)

static const struct codec codecs[] = { NMLINK_MESSAGES(MESSAGE_CODECS) NMLINK_CAPS(CAP_CODEC) CODEC(header)
	CODEC(error) NMLINK_RECORDS(RECORD_CODEC) };

static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand();
}

START_TEST(every_record_round_trips)
{
	srand(1);
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		const struct codec *codec = &codecs[i];

		for (uint32_t tail = 0; tail < (codec->tail_is_rest ? 9u : 1u); tail++) {
			const uint32_t size = codec->size + tail;
			uint8_t from[128], to[128] = { 0 };

			fill(from, sizeof(from));
			ck_assert_msg(codec->trip(to, from, size), "%s", codec->name);
			ck_assert_msg(!memcmp(from, to, size), "%s", codec->name);
			ck_assert_msg(!to[size], "%s writes past its end", codec->name);
		}
	}
}
END_TEST

START_TEST(every_truncated_payload_is_refused)
{
	const uint8_t from[128] = { 0 };
	uint8_t to[128];

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		for (uint32_t size = 0; codecs[i].tail_is_rest && size < codecs[i].size; size++)
			ck_assert_msg(!codecs[i].trip(to, from, size), "%s of %u bytes", codecs[i].name, size);
}
END_TEST

START_TEST(numbers_are_little_endian)
{
	uint8_t bytes[8] = { 0 };

	ck_assert_ptr_eq(nmlink_store_u64(bytes, UINT64_C(0x0807060504030201)), bytes + 8);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(bytes[i], i + 1);
	ck_assert_uint_eq(nmlink_load_u32(bytes), 0x04030201u);
	nmlink_store_s16(bytes, -2);
	ck_assert_uint_eq(bytes[0], 0xFE);
	ck_assert_uint_eq(bytes[1], 0xFF);
	ck_assert_int_eq(nmlink_load_s16(bytes), -2);
	ck_assert_int_eq(nmlink_load_s8(bytes), -2);
	nmlink_store_s64(bytes, INT64_MIN);
	ck_assert(nmlink_load_s64(bytes) == INT64_MIN);
}
END_TEST

/* What a board has to keep of a request that is executed once has to fit; so it has no tail. */
START_TEST(replies_of_state_requests_are_short)
{
#define NO_FIELD(type, name, text)
#define A_TAIL(text) +1
#define LINK_SHORT(name)
#define READ_SHORT(name)
#define EVENT_SHORT(name)
#define STATE_SHORT(name)                                                                                              \
	ck_assert_msg(NMLINK_SIZE_##name##_reply <= NMLINK_SHORT_REPLY, #name);                                        \
	ck_assert_msg(!(0 NMLINK_##name##_REPLY(NO_FIELD, A_TAIL)), #name);
#define IS_SHORT(name, NAME, code, class, text) class##_SHORT(name)
	NMLINK_MESSAGES(IS_SHORT)
}
END_TEST

/* ---- frames ------------------------------------------------------------------------------------------------------ */

START_TEST(known_answers_of_the_crc)
{
	const nmlink_crc_fn crcs[] = { nmlink_crc32c, nmlink_crc32c_fast() };

	/* RFC 3720, B.4, and the check value of the catalogue of CRCs. */
	for (size_t i = 0; i < 2; i++) {
		uint8_t bytes[48] = { 0 };

		ck_assert_uint_eq(crcs[i](0, "123456789", 9), 0xE3069283u);
		ck_assert_uint_eq(crcs[i](0, bytes, 32), 0x8A9136AAu);
		memset(bytes, 0xFF, 32);
		ck_assert_uint_eq(crcs[i](0, bytes, 32), 0x62A8AB43u);
		for (int j = 0; j < 32; j++)
			bytes[j] = (uint8_t)j;
		ck_assert_uint_eq(crcs[i](0, bytes, 32), 0x46DD794Eu);
		ck_assert_uint_eq(crcs[i](0, bytes, 0), 0);
	}
}
END_TEST

START_TEST(the_fast_crc_is_the_same_at_every_length_and_place)
{
	static uint8_t bytes[6000];
	const nmlink_crc_fn fast = nmlink_crc32c_fast();

	srand(2);
	fill(bytes, sizeof(bytes));
	for (size_t size = 0; size < sizeof(bytes) - 16; size += size < 3200 ? 1 : 97) {
		const uint32_t begin = (uint32_t)rand();
		const size_t place = size % 16;

		ck_assert_uint_eq(fast(begin, bytes + place, size), nmlink_crc32c(begin, bytes + place, size));
	}
	/* In two pieces. */
	ck_assert_uint_eq(fast(fast(0, bytes, 2000), bytes + 2000, 3000), nmlink_crc32c(0, bytes, 5000));
}
END_TEST

static uint32_t a_frame(uint8_t *frame, uint32_t size)
{
	const struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.op = NMLINK_OP_PING,
		.seq = 7,
		.session = 0x4242,
		.size = size,
	};

	fill(frame + NMLINK_HEADER_SIZE, size);
	return nmlink_frame_seal(frame, &header, nmlink_crc32c);
}

START_TEST(damaged_frames_are_refused)
{
	uint8_t frame[64];
	struct nmlink_header header;
	const uint32_t size = a_frame(frame, 21);

	ck_assert_uint_eq(size, 21 + NMLINK_OVERHEAD);
	ck_assert_uint_eq(nmlink_frame_open(frame, size, &header, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(header.seq, 7);
	for (uint32_t cut = 0; cut < size; cut++)
		ck_assert_uint_eq(nmlink_frame_open(frame, cut, &header, nmlink_crc32c), NMLINK_ELEN);
	ck_assert_uint_eq(nmlink_frame_open(frame, size + 1, &header, nmlink_crc32c), NMLINK_ELEN);
	for (uint32_t bit = 0; bit < 8 * size; bit++) {
		enum nmlink_status status;

		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		status = nmlink_frame_open(frame, size, &header, nmlink_crc32c);
		ck_assert(status == NMLINK_ECRC || status == NMLINK_ELEN);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	header = (struct nmlink_header){ .version = 2, .size = 21 };
	nmlink_frame_seal(frame, &header, nmlink_crc32c);
	ck_assert_uint_eq(nmlink_frame_open(frame, size, &header, nmlink_crc32c), NMLINK_EVERSION);
}
END_TEST

/* ---- COBS -------------------------------------------------------------------------------------------------------- */

/* Takes all bytes, `piece` at a time; copies the last whole frame and counts them. */
static uint32_t take_all(struct nmlink_cobs *cobs, const uint8_t *bytes, size_t count, size_t piece, uint8_t *frame,
	size_t *size)
{
	uint32_t frames = 0;

	for (size_t at = 0; at < count;) {
		const size_t part = count - at < piece ? count - at : piece;
		size_t used;

		if (nmlink_cobs_take(cobs, bytes + at, part, &used)) {
			frames++;
			memcpy(frame, cobs->buffer, cobs->size);
			*size = cobs->size;
		}
		ck_assert_uint_ge(used, 1);
		ck_assert_uint_le(used, part);
		at += used;
	}
	return frames;
}

START_TEST(cobs_round_trips)
{
	static uint8_t in[1100], out[NMLINK_COBS_SIZE(1100)], buffer[1100], back[1100];

	srand(3);
	for (size_t size = 1; size <= sizeof(in); size += size < 600 ? 1 : 61) {
		/* Many zeros, few, none: blocks of all lengths. */
		for (int zeros = 0; zeros < 3; zeros++) {
			struct nmlink_cobs cobs = { .buffer = buffer, .capacity = sizeof(buffer) };
			size_t count, got = 0;

			for (size_t i = 0; i < size; i++)
				in[i] = zeros && !(rand() % (zeros == 1 ? 2 : 300)) ? 0 : (uint8_t)(1 + rand() % 255);
			count = nmlink_cobs_encode(out, in, size);
			ck_assert_uint_le(count, NMLINK_COBS_SIZE(size));
			ck_assert_ptr_eq(memchr(out, 0, count), out + count - 1);
			ck_assert_uint_eq(take_all(&cobs, out, count, 1 + size % 7, back, &got), 1);
			ck_assert_uint_eq(got, size);
			ck_assert(!memcmp(in, back, size));
			ck_assert_uint_eq(cobs.dropped, 0);
		}
	}
}
END_TEST

START_TEST(cobs_known_answers)
{
	static const struct {
		uint8_t in[4], out[6];
		size_t size, count;
	} cases[] = {
		{ { 0 }, { 1, 1, 0 }, 1, 3 },
		{ { 0, 0 }, { 1, 1, 1, 0 }, 2, 4 },
		{ { 0x11, 0x22, 0, 0x33 }, { 3, 0x11, 0x22, 2, 0x33, 0 }, 4, 6 },
		{ { 0x11, 0, 0, 0 }, { 2, 0x11, 1, 1, 1, 0 }, 4, 6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t out[8];

		ck_assert_uint_eq(nmlink_cobs_encode(out, cases[i].in, cases[i].size), cases[i].count);
		ck_assert_mem_eq(out, cases[i].out, cases[i].count);
	}
}
END_TEST

START_TEST(cobs_finds_the_next_frame_after_rubbish)
{
	/* Cut in a block; too long; empty ones; then a good one. */
	static const uint8_t stream[] = { 9, 1, 2, 0, 7, 1, 2, 3, 4, 5, 6, 0, 0, 0, 3, 8, 9, 0 };
	uint8_t buffer[4], frame[4];
	struct nmlink_cobs cobs = { .buffer = buffer, .capacity = sizeof(buffer) };
	size_t size = 0;

	ck_assert_uint_eq(take_all(&cobs, stream, sizeof(stream), sizeof(stream), frame, &size), 1);
	ck_assert_uint_eq(size, 2);
	ck_assert_uint_eq(frame[0], 8);
	ck_assert_uint_eq(frame[1], 9);
	ck_assert_uint_eq(cobs.dropped, 2);
}
END_TEST

/* ---- text -------------------------------------------------------------------------------------------------------- */

static const struct row {
	const char *name;
	uint16_t op;
	uint32_t request, reply;
} rows[] = {
#define ROW_OF(name, NAME, code, class, text) { #NAME, code, NMLINK_SIZE_##name##_request, NMLINK_SIZE_##name##_reply },
	NMLINK_MESSAGES(ROW_OF)
};

START_TEST(every_message_prints_its_name_and_fits)
{
	uint8_t frame[128];
	char text[512], start[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int reply = 0; reply < 2; reply++) {
			const struct nmlink_header header = {
				.version = 1,
				.flags = reply ? NMLINK_FLAG_REPLY : 0,
				.op = rows[i].op,
				.seq = 5,
				.session = 6,
				.credits = reply ? 7 : 0,
				.size = reply ? rows[i].reply : rows[i].request,
			};
			uint32_t size;

			memset(frame, 0x80, sizeof(frame));
			size = nmlink_frame_seal(frame, &header, nmlink_crc32c);
			snprintf(start, sizeof(start), "%c %s seq 5 session 6%s%s", reply ? '<' : '>', rows[i].name,
				reply ? " credits 7" : "", header.size ? ": " : "");
			ck_assert_uint_eq(nmlink_print_frame(text, sizeof(text), frame, size), strlen(text));
			ck_assert_msg(!strncmp(text, start, strlen(start)), "%s is not %s", text, start);
			ck_assert_ptr_null(strstr(text, "bytes"));
		}
		ck_assert_str_eq(nmlink_op_name(rows[i].op), rows[i].name);
	}
	ck_assert_ptr_null(nmlink_op_name(0xFFFF));
}
END_TEST

static const char *printed(const struct nmlink_header *header, const void *payload)
{
	static char text[256];
	uint8_t frame[128];

	memcpy(frame + NMLINK_HEADER_SIZE, payload, header->size);
	nmlink_print_frame(text, sizeof(text), frame, nmlink_frame_seal(frame, header, nmlink_crc32c));
	return text;
}

START_TEST(printed_frames)
{
	struct nmlink_header h = { .version = 1, .op = NMLINK_OP_PULSE_CELL, .seq = 65535, .session = 1, .size = 24 };
	uint8_t payload[64] = { 0 };

	nmlink_put_pulse_cell_request(payload, &(const struct nmlink_pulse_cell_request){
		.row = 2,
		.side = 1,
		.voltage_uv = INT32_MIN,
		.width_ns = UINT32_MAX,
		.pulses = 3,
	});
	ck_assert_str_eq(printed(&h, payload), "> PULSE_CELL seq 65535 session 1: tile 0 row 2 col 0 side 1 "
		"voltage_uv -2147483648 width_ns 4294967295 gap_ns 0 pulses 3");
	h = (struct nmlink_header){ .version = 1, .flags = 1, .op = 5, .seq = 1, .credits = 2, .status = 8, .size = 7 };
	ck_assert_str_eq(printed(&h, "\2\0\0\0no\n"), "< RESTART seq 1 session 0 credits 2 ERANGE: detail 2, \"no?\"");
	h = (struct nmlink_header){ .version = 1, .flags = 4, .op = NMLINK_OP_ABORT, .seq = 9 };
	ck_assert_str_eq(printed(&h, ""), "> ABORT URGENT seq 9 session 0");
	h = (struct nmlink_header){ .version = 1, .op = 0x9001, .size = 2 };
	ck_assert_str_eq(printed(&h, "\1\2"), "> opcode 0x9001 seq 0 session 0: 2 bytes: 01 02");
	h = (struct nmlink_header){ .version = 1, .op = NMLINK_OP_WRITE, .size = 3 };
	ck_assert_str_eq(printed(&h, "\1\2\3"), "> WRITE seq 0 session 0: 3 bytes: 01 02 03");
	h = (struct nmlink_header){ .version = 1, .flags = 1, .status = 99 };
	ck_assert_str_eq(printed(&h, ""), "< opcode 0x0000 seq 0 session 0 credits 0 status 99");
}
END_TEST

START_TEST(printing_is_cut_where_the_room_ends)
{
	uint8_t frame[64];
	char whole[256], text[256];
	const uint32_t size = a_frame(frame, 20);
	const size_t length = nmlink_print_frame(whole, sizeof(whole), frame, size);

	ck_assert_str_eq(whole + length - 4, " ...");
	for (size_t room = 0; room <= length + 1; room++) {
		memset(text, 'x', sizeof(text));
		ck_assert_uint_eq(nmlink_print_frame(text, room, frame, size), length);
		ck_assert_int_eq(text[room], 'x');
		if (room)
			ck_assert(strlen(text) == room - 1 && !strncmp(text, whole, room - 1));
	}
	frame[3] ^= 1;
	nmlink_print_frame(text, sizeof(text), frame, size);
	ck_assert_msg(!strncmp(text, "? not a frame (ECRC): 40 bytes: 01 00 ", 38), "%s", text);
	ck_assert_str_eq(nmlink_status_name(NMLINK_EINTERNAL), "EINTERNAL");
	ck_assert_str_eq(nmlink_status_text(NMLINK_OK), "done");
	ck_assert_ptr_null(nmlink_status_name(NMLINK_EINTERNAL + 1));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_record_round_trips, every_truncated_payload_is_refused,
		numbers_are_little_endian, replies_of_state_requests_are_short, known_answers_of_the_crc,
		the_fast_crc_is_the_same_at_every_length_and_place, damaged_frames_are_refused, cobs_round_trips,
		cobs_known_answers, cobs_finds_the_next_frame_after_rubbish, every_message_prints_its_name_and_fits,
		printed_frames, printing_is_cut_where_the_room_ends };

	return run_tests("codec", tests, sizeof(tests) / sizeof(*tests));
}
