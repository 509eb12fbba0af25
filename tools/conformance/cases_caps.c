/* SPDX-License-Identifier: MIT */
/* Capability records: read in pieces, parsed, and asked whether they fit together and to the opcodes. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CAPS (1u << 20) /* bytes of records that are believed */

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool read_pieces(struct run *run)
{
	struct board_caps *caps = &run->caps;

	for (uint32_t at = 0; at < caps->size;) {
		const struct nmlink_caps_request m = {.offset = at};
		struct nmlink_caps_reply r;
		uint8_t payload[NMLINK_SIZE_caps_request];
		struct reply reply;

		nmlink_put_caps_request(payload, &m);
		if (!ask(run, NMLINK_OP_CAPS, payload, sizeof(payload), NMLINK_OK, &reply))
			return false;
		if (!nmlink_get_caps_reply(&r, reply.payload, reply.header.size) || r.offset != at ||
			r.tail_size == 0 || r.tail_size > caps->size - at) {
			say(run, VERDICT_FAILED, "CAPS from byte %u of %u was answered with %u bytes", at, caps->size,
				reply.header.size);
			return false;
		}
		memcpy(caps->bytes + at, r.tail, r.tail_size);
		at += r.tail_size;
	}
	return true;
}

static bool parse_record(struct run *run, uint16_t tag, const uint8_t *value, uint16_t size)
{
	struct board_caps *caps = &run->caps;
	bool good = true;

	switch (tag) {
#define CAP_CASE(name, NAME, number, text) \
	case number: \
		good = nmlink_get_##name##_cap(&caps->name, value, size); \
		caps->name##_count++; \
		break;
		NMLINK_CAPS(CAP_CASE)
	default: /* a record of a later version, or of the vendor */
		break;
	}
	if (tag == NMLINK_TAG_WEIGHT)
		good = nmlink_get_weight(&caps->weight, value, size);
	if (tag == NMLINK_TAG_ATTR && good && caps->attr_count <= sizeof(caps->attrs) / sizeof(*caps->attrs))
		caps->attrs[caps->attr_count - 1] = caps->attr;
	if (!good)
		say(run, VERDICT_FAILED, "record 0x%04x has %u bytes, too few for its fields", tag, size);
	return good;
}

static bool parse(struct run *run)
{
	const struct board_caps *caps = &run->caps;
	uint32_t at = 0;

	while (at < caps->size) {
		const uint8_t *head = caps->bytes + at;
		uint32_t left = caps->size - at;

		if (left < NMLINK_CAP_HEAD_SIZE || nmlink_load_u16(head + 2) > left - NMLINK_CAP_HEAD_SIZE) {
			say(run, VERDICT_FAILED, "the record at byte %u is longer than the %u bytes left", at, left);
			return false;
		}
		if (!parse_record(run, nmlink_load_u16(head), head + NMLINK_CAP_HEAD_SIZE, nmlink_load_u16(head + 2)))
			return false;
		at += NMLINK_CAP_HEAD_SIZE + nmlink_load_u16(head + 2);
	}
	return true;
}

bool read_caps(struct run *run)
{
	struct board_caps *caps = &run->caps;

	free(caps->bytes);
	*caps = (struct board_caps){.size = run->hello.caps_size};
	if (caps->size == 0 || caps->size > MOST_CAPS) {
		say(run, VERDICT_FAILED, "capability records of %u bytes", caps->size);
		return false;
	}
	caps->bytes = malloc(caps->size);
	if (!caps->bytes) {
		say(run, VERDICT_FAILED, "no memory for %u bytes", caps->size);
		return false;
	}
	return read_pieces(run) && parse(run);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void records_have_their_crc(struct run *run)
{
	MUST(read_caps(run));
	EXPECT(nmlink_crc32c(0, run->caps.bytes, run->caps.size) == run->hello.caps_crc,
		"their CRC is 0x%08x, HELLO says 0x%08x", nmlink_crc32c(0, run->caps.bytes, run->caps.size),
		run->hello.caps_crc);
}

static void reading_past_the_end_is_refused_or_empty(struct run *run)
{
	const struct nmlink_caps_request m = {.offset = run->caps.size};
	uint8_t payload[NMLINK_SIZE_caps_request];
	const struct nmlink_header header = wire_header(run, NMLINK_OP_CAPS, run->next, sizeof(payload));
	struct reply reply;

	nmlink_put_caps_request(payload, &m);
	MUST(wire_send(run, &header, payload) && wire_reply(run, &reply));
	run->next++;
	EXPECT(reply.header.status == NMLINK_EARG || reply.header.status == NMLINK_ERANGE ||
		(reply.header.status == NMLINK_OK && reply.header.size == NMLINK_SIZE_caps_reply),
		"CAPS from byte %u, which is the end, was answered %s with %u bytes", m.offset,
		status_name(reply.header.status), reply.header.size);
	MUST(alive(run));
}

static void opcodes_ascend(struct run *run)
{
	const struct nmlink_ops_cap *ops = &run->caps.ops;

	EXPECT(run->caps.ops_count == 1 && ops->tail_size % 2 == 0 && ops->tail_size > 0, "%u OPS records, %u bytes",
		run->caps.ops_count, ops->tail_size);
	for (uint32_t at = 2; at < ops->tail_size; at += 2)
		EXPECT(nmlink_load_u16(ops->tail + at) > nmlink_load_u16(ops->tail + at - 2),
			"opcode 0x%04x comes after 0x%04x", nmlink_load_u16(ops->tail + at),
			nmlink_load_u16(ops->tail + at - 2));
	EXPECT(has_op(run, NMLINK_OP_WRITE) && has_op(run, NMLINK_OP_READ), "WRITE or READ is not among them");
}

static void records_come_with_their_opcodes(struct run *run)
{
	const struct board_caps *caps = &run->caps;
	const struct {
		uint16_t op, count;
		const char *name;
	} rules[] = {
		{NMLINK_OP_WRITE, caps->array_count, "ARRAY"},
		{NMLINK_OP_WRITE, caps->weight_count, "WEIGHT"},
		{NMLINK_OP_INFER, caps->input_count, "INPUT"},
		{NMLINK_OP_INFER, caps->output_count, "OUTPUT"},
		{NMLINK_OP_WRITE_NEURONS, caps->neuron_count, "NEURON"},
		{NMLINK_OP_SPIKES_START, caps->spikes_count, "SPIKES"},
		{NMLINK_OP_PULSE_CELL, caps->drive_count, "DRIVE"},
		{NMLINK_OP_READ_CONDUCTANCE, caps->sense_count, "SENSE"},
		{NMLINK_OP_ARM, caps->safety_count, "SAFETY"},
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		EXPECT(!has_op(run, rules[i].op) || rules[i].count == 1,
			"opcode 0x%04x goes with one %s record, not %u", rules[i].op, rules[i].name, rules[i].count);
	EXPECT((caps->attr_count > 0) == has_op(run, NMLINK_OP_GET_ATTR), "ATTR records and GET_ATTR do not agree");
	EXPECT((caps->sensor_count > 0) == has_op(run, NMLINK_OP_GET_SENSOR),
		"SENSOR records and GET_SENSOR do not agree");
	EXPECT((caps->counter_count > 0) == has_op(run, NMLINK_OP_GET_COUNTER),
		"COUNTER records and GET_COUNTER do not agree");
}

static bool sound_codes(struct run *run, const char *name, int32_t min, int32_t max, uint8_t bits, uint8_t bytes)
{
	const int64_t codes = (int64_t)max - min + 1;

	if (min < max && (bytes == 1 || bytes == 2) && bits >= 1 && bits <= 8 * bytes && codes <= INT64_C(1) << bits &&
		min >= (bytes == 1 ? INT8_MIN : INT16_MIN) && max <= (bytes == 1 ? INT8_MAX : INT16_MAX))
		return true;
	say(run, VERDICT_FAILED, "%s: codes %d..%d of %u bits in %u bytes", name, min, max, bits, bytes);
	return false;
}

#define SOUND_CODES(name, cap) sound_codes(run, name, (cap).min, (cap).max, (cap).bits, (cap).bytes)

static void numbers_make_sense(struct run *run)
{
	const struct board_caps *caps = &run->caps;

	EXPECT(caps->array.tiles > 0 && caps->array.rows > 0 && caps->array.cols > 0 && caps->array.pairs <= 1,
		"ARRAY: %u tiles of %u x %u, pairs %u", caps->array.tiles, caps->array.rows, caps->array.cols,
		caps->array.pairs);
	MUST(SOUND_CODES("WEIGHT", caps->weight));
	EXPECT(caps->weight.tolerance <= caps->weight.max - caps->weight.min,
		"WEIGHT: a tolerance of %u for codes %d..%d", caps->weight.tolerance, caps->weight.min,
		caps->weight.max);
	if (caps->input_count) {
		MUST(SOUND_CODES("INPUT", caps->input) && SOUND_CODES("OUTPUT", caps->output));
		EXPECT(caps->input.max_batch > 0, "INPUT: a batch of 0 vectors");
	}
	if (caps->drive_count)
		EXPECT(caps->drive.width_min_ns <= caps->drive.width_max_ns &&
			caps->drive.read_max_uv <= caps->drive.voltage_max_uv &&
			caps->drive.voltage_max_uv <= INT32_MAX,
			"DRIVE: widths %u..%u ns, read level %u of %u uV", caps->drive.width_min_ns,
			caps->drive.width_max_ns, caps->drive.read_max_uv, caps->drive.voltage_max_uv);
	if (caps->sense_count)
		EXPECT(caps->sense.conductance_min_ps < caps->sense.conductance_max_ps, "SENSE: conductances %u..%u pS",
			caps->sense.conductance_min_ps, caps->sense.conductance_max_ps);
}

/* Bytes of a text that are printable, or part of a UTF-8 sequence. */
static bool is_text(const uint8_t *text, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

static void texts_can_be_read(struct run *run)
{
	const struct board_caps *caps = &run->caps;
	const struct {
		const char *name;
		const uint8_t *tail;
		uint32_t size;
		uint16_t count;
	} texts[] = {
		{"VENDOR", caps->vendor.tail, caps->vendor.tail_size, caps->vendor_count},
		{"MODEL", caps->model.tail, caps->model.tail_size, caps->model_count},
		{"HARDWARE", caps->hardware.tail, caps->hardware.tail_size, caps->hardware_count},
		{"FIRMWARE", caps->firmware.tail, caps->firmware.tail_size, caps->firmware_count},
		{"SERIAL", caps->serial.tail, caps->serial.tail_size, caps->serial_count},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		EXPECT(texts[i].count <= 1 && texts[i].size <= NMLINK_IDENTITY_TEXT &&
			is_text(texts[i].tail, texts[i].size), "%s: %u records, %u bytes of text", texts[i].name,
			texts[i].count, texts[i].size);
	EXPECT(caps->model_count == 1 && caps->model.tail_size > 0, "no MODEL record");
}

const struct conformance_case caps_cases[] = {
	{"the records are read in pieces and have the CRC that HELLO says", records_have_their_crc},
	{"reading past their end is refused or empty", reading_past_the_end_is_refused_or_empty},
	{"the opcodes ascend; WRITE and READ are among them", opcodes_ascend},
	{"every opcode has the records that it needs", records_come_with_their_opcodes},
	{"ranges, sizes and levels make sense", numbers_make_sense},
	{"texts can be read", texts_can_be_read},
	{NULL, NULL},
};
