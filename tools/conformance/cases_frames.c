/* SPDX-License-Identifier: MIT */
/* Frames that are damaged, cut, too long, of other versions, or not meant for a board. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t nothing[1];

/* The frame in run->frame was refused, if it was answered at all; the session goes on with the number it had. */
static bool not_taken(struct run *run, size_t size, const char *what)
{
	struct reply reply;

	if (!wire_send_bytes(run, run->frame, size))
		return false;
	if (wire_receive(run, &reply, 50) && (reply.header.status != NMLINK_ECRC || reply.header.seq != run->next)) {
		say(run, VERDICT_FAILED, "%s: %s, number %u; ECRC, %u is right", what, status_name(reply.header.status),
			reply.header.seq, run->next);
		return false;
	}
	return run->verdict == VERDICT_PASSED;
}

static size_t ping_frame(struct run *run)
{
	static const uint8_t text[] = "whole";
	const struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next, sizeof(text));

	return wire_frame(run, &header, text);
}

static void a_wrong_crc_is_answered_ecrc(struct run *run)
{
	struct reply reply;
	size_t size = ping_frame(run);

	run->frame[size - 1] ^= 0x80;
	MUST(wire_send_bytes(run, run->frame, size) && wire_reply(run, &reply));
	EXPECT(reply.header.status == NMLINK_ECRC, "it was answered %s", status_name(reply.header.status));
	EXPECT(reply.header.seq == run->next, "ECRC with number %u; %u is expected", reply.header.seq, run->next);
	MUST(alive(run));
}

static void every_flipped_bit_is_noticed(struct run *run)
{
	size_t size = ping_frame(run);

	while (run->item < 8 * size) {
		ping_frame(run);
		run->frame[run->item / 8] ^= (uint8_t)(1u << run->item % 8);
		MUST(not_taken(run, size, "a flipped bit") && item_done(run));
	}
	MUST(alive(run));
}

static void every_cut_frame_is_noticed(struct run *run)
{
	size_t size = ping_frame(run);

	while (run->item + 1 < size) {
		ping_frame(run);
		MUST(not_taken(run, run->item + 1, "a cut frame") && item_done(run));
	}
	MUST(alive(run));
}

/* The CRC is right, the size in the header is not that of the frame. */
static void a_size_that_is_not_the_frames_is_noticed(struct run *run)
{
	static const uint32_t sizes[] = {0, 1, 7, 100, 0x7FFFFFFF, 0xFFFFFFFF};
	uint8_t *p = run->frame;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const size_t size = ping_frame(run);

		nmlink_store_u32(p + NMLINK_OFFSET(header, size), sizes[i]);
		nmlink_store_u32(p + size - NMLINK_CRC_SIZE, nmlink_crc32c(0, p, size - NMLINK_CRC_SIZE));
		MUST(not_taken(run, size, "a size that is wrong"));
	}
	MUST(alive(run));
}

static void the_largest_frame_is_taken(struct run *run)
{
	const size_t size = run->hello.max_frame - NMLINK_OVERHEAD;
	uint8_t *text;
	struct reply reply;
	bool same;

	NEED(run->hello.max_frame <= run->room, "a carrier for the largest frame");
	text = malloc(size);
	EXPECT(text != NULL, "no memory for %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		text[i] = (uint8_t)(i * 31 + i / 256);
	same = ask(run, NMLINK_OP_PING, text, size, NMLINK_OK, &reply);
	if (same && (reply.header.size != size || memcmp(reply.payload, text, size) != 0))
		say(run, VERDICT_FAILED, "a PING of %u bytes came back with %u others", run->hello.max_frame,
			reply.header.size);
	free(text);
}

static void a_longer_frame_does_no_harm(struct run *run)
{
	const struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next,
		run->hello.max_frame - NMLINK_OVERHEAD + 1);
	struct reply reply;
	uint8_t *text;
	bool sent;

	NEED(!run->packets || run->info.max_frame > run->hello.max_frame, "a carrier for longer frames");
	NEED(run->hello.max_frame < run->room - NMLINK_OVERHEAD, "room for longer frames");
	text = calloc(1, header.size);
	EXPECT(text != NULL, "no memory for %u bytes", header.size);
	sent = wire_send(run, &header, text);
	free(text);
	MUST(sent);
	if (wire_receive(run, &reply, 50)) {
		EXPECT(reply.header.status == NMLINK_ECRC || reply.header.status == NMLINK_ELEN,
			"a frame of %u bytes was answered %s", run->hello.max_frame + 1,
			status_name(reply.header.status));
		if (reply.header.status == NMLINK_ELEN)
			run->next++;
	}
	MUST(alive(run));
}

static bool unknown(struct run *run, uint16_t op)
{
	struct nmlink_error error;
	struct reply reply;

	if (!ask(run, op, nothing, 0, NMLINK_EOP, &reply))
		return false;
	if (nmlink_get_error(&error, reply.payload, reply.header.size) && error.detail == op)
		return true;
	say(run, VERDICT_FAILED, "EOP of 0x%04x without the opcode as its detail", op);
	return false;
}

static void unknown_opcodes_are_answered_eop(struct run *run)
{
	static const uint16_t ops[] = {0x0000, 0x0006, 0x000F, 0x00FF, 0x1000, 0x7FFF};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		MUST(unknown(run, ops[i]));
	MUST(alive(run));
}

static void reserved_opcodes_are_answered_eop(struct run *run)
{
	while (run->item <= NMLINK_SEQUENCE_LAST - NMLINK_SEQUENCE_FIRST) {
		const uint16_t op = (uint16_t)(NMLINK_SEQUENCE_FIRST + run->item);

		MUST((has_op(run, op) || unknown(run, op)) && item_done(run));
	}
	MUST(alive(run));
}

static void vendor_opcodes_that_are_not_declared(struct run *run)
{
	static const uint16_t ops[] = {0x8000, 0x8001, 0xBFFF, 0xC000, 0xFFFF};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (!has_op(run, ops[i]))
			MUST(unknown(run, ops[i]));
	MUST(alive(run));
}

static void opcodes_that_the_board_lacks(struct run *run)
{
#define OP_NUMBER(name, NAME, code, class, text) code,
	static const uint16_t ops[] = {NMLINK_MESSAGES(OP_NUMBER)};
	unsigned lacking = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (has_op(run, ops[i]) || ops[i] <= NMLINK_OP_ABORT || ops[i] == NMLINK_OP_EVENTS)
			continue;
		if (lacking++ == run->item)
			MUST(unknown(run, ops[i]) && item_done(run));
	}
	NEED(lacking, "opcodes that the board lacks");
	MUST(alive(run));
}

static void another_version_is_answered_eversion(struct run *run)
{
	static const uint8_t versions[] = {0, 2, 255};
	struct nmlink_error error;
	struct reply reply;

	for (size_t i = 0; i < sizeof(versions); i++) {
		struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next, 0);

		header.version = versions[i];
		MUST(wire_send(run, &header, nothing) && wire_reply(run, &reply));
		EXPECT(reply.header.status == NMLINK_EVERSION, "version %u was answered %s", versions[i],
			status_name(reply.header.status));
		EXPECT(nmlink_get_error(&error, reply.payload, reply.header.size) &&
			error.detail == NMLINK_VERSION_MAJOR, "EVERSION does not tell version 1");
	}
	MUST(alive(run));
}

static void replies_and_events_of_others_are_ignored(struct run *run)
{
	static const uint8_t flags[] = {NMLINK_FLAG_REPLY, NMLINK_FLAG_EVENT};

	for (size_t i = 0; i < sizeof(flags); i++) {
		struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next, 0);

		header.flags = flags[i];
		MUST(wire_send(run, &header, nothing) && wire_quiet(run));
	}
	MUST(alive(run));
}

/* Each opcode of the board with a payload that ends before its fields do. */
static void short_payloads_are_answered_elen(struct run *run)
{
#define OP_SIZE(name, NAME, code, class, text) {code, NMLINK_SIZE_##name##_request},
	static const struct {
		uint16_t op;
		uint32_t fixed;
	} ops[] = {NMLINK_MESSAGES(OP_SIZE)};
	static const uint8_t zeros[64];
	struct reply reply;

	while (run->item < sizeof(ops) / sizeof(*ops)) {
		const uint16_t op = ops[run->item].op;
		const uint32_t fixed = ops[run->item].fixed;

		if (fixed > 0 && fixed <= sizeof(zeros) && has_op(run, op))
			MUST(ask(run, op, zeros, fixed - 1, NMLINK_ELEN, &reply));
		MUST(item_done(run));
	}
	MUST(ask(run, NMLINK_OP_CAPS, zeros, NMLINK_SIZE_caps_request - 1, NMLINK_ELEN, &reply));
	MUST(alive(run));
}

static void garbage_between_frames_is_skipped(struct run *run)
{
	uint8_t garbage[300];
	int status;

	NEED(!run->packets, "a stream of bytes");
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (uint8_t)(1 + i * 7 % 255);
	garbage[100] = 0;
	garbage[sizeof(garbage) - 1] = 0;
	status = run->stream.ops->send(run->stream.self, garbage, sizeof(garbage), nmhal_now_ns() + 1000000000);
	EXPECT(status == NMHAL_OK, "the link failed: %s", nmhal_last_error());
	for (int i = 0; i < 3; i++) {
		struct reply reply;

		if (!wire_receive(run, &reply, 50))
			break;
		EXPECT(reply.header.status == NMLINK_ECRC, "garbage was answered %s", status_name(reply.header.status));
	}
	MUST(run->verdict == VERDICT_PASSED && alive(run));
}

const struct conformance_case frame_cases[] = {
	{"a wrong CRC is answered ECRC, with the number expected", a_wrong_crc_is_answered_ecrc},
	{"every flipped bit is noticed", every_flipped_bit_is_noticed},
	{"every cut frame is noticed", every_cut_frame_is_noticed},
	{"a size that is not that of the frame is noticed", a_size_that_is_not_the_frames_is_noticed},
	{"the largest frame is taken", the_largest_frame_is_taken},
	{"a longer frame does no harm", a_longer_frame_does_no_harm},
	{"unknown opcodes are answered EOP", unknown_opcodes_are_answered_eop},
	{"opcodes reserved for sequences are answered EOP", reserved_opcodes_are_answered_eop},
	{"vendor opcodes that are not declared are answered EOP", vendor_opcodes_that_are_not_declared},
	{"opcodes that the board lacks are answered EOP", opcodes_that_the_board_lacks},
	{"another major version is answered EVERSION", another_version_is_answered_eversion},
	{"replies and events of others are ignored", replies_and_events_of_others_are_ignored},
	{"payloads that are too short are answered ELEN", short_payloads_are_answered_elen},
	{"garbage between frames is skipped", garbage_between_frames_is_skipped},
	{NULL, NULL},
};
