/* SPDX-License-Identifier: MIT */
/* Capability records. All of it is what a stranger says, so nothing is believed before it was checked. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "nmlink/print.h"

/* The record at hand. */
struct record {
	struct link_caps *caps;
	struct nmhal_host *host;
	uint16_t tag;
	uint32_t offset; /* in the records, for sentences */
	const uint8_t *value;
	uint32_t size;
};

static const struct {
	uint16_t tag;
	bool many; /* may come more than once */
	const char *name;
} tags[] = {
#define TAG_ROW(name, NAME, number, text) {number, number >= NMLINK_TAG_ATTR, #NAME},
	NMLINK_CAPS(TAG_ROW)
};

static const char *tag_name(uint16_t tag)
{
	for (size_t n = 0; n < sizeof(tags) / sizeof(tags[0]); n++)
		if (tags[n].tag == tag)
			return tags[n].name;
	return "of an unknown kind";
}

NMHAL_PRINTF(2, 3) static int bad_record(const struct record *record, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)nmhal_host_fail(record->host, NMHAL_E_PROTOCOL, "capabilities: record %s at byte %u: %s",
		tag_name(record->tag), record->offset, text);
	return NMHAL_E_PROTOCOL;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character that begins here, 0: none that may be shown. */
static uint32_t character(const uint8_t *p, uint32_t left)
{
	uint32_t length = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 :
		p[0] >= 0xF0 && p[0] < 0xF5 ? 4 : 0;

	if (!length || length > left || p[0] < 0x20 || p[0] == 0x7F)
		return 0;
	for (uint32_t n = 1; n < length; n++)
		if ((p[n] & 0xC0) != 0x80)
			return 0;
	/* Characters written too long, halves of UTF-16 pairs, control characters, and what lies above Unicode. */
	if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xC2 && p[1] < 0xA0) ||
		(p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
		return 0;
	return length;
}

uint32_t link_text_length(const uint8_t *text, uint32_t size)
{
	uint32_t used = 0;

	while (used < size) {
		uint32_t length = character(text + used, size - used);

		if (!length)
			break;
		used += length;
	}
	return used;
}

static int take_identity(const struct record *record, char text[NMLINK_IDENTITY_TEXT + 1])
{
	uint32_t length = link_text_length(record->value, record->size);

	if (length != record->size)
		return bad_record(record, "byte %u of the text is not UTF-8 that can be shown", length);
	if (record->size > NMLINK_IDENTITY_TEXT)
		return bad_record(record, "%u bytes of text, expected at most %u", record->size, NMLINK_IDENTITY_TEXT);
	memcpy(text, record->value, record->size);
	text[record->size] = '\0';
	return NMHAL_OK;
}

/* Splits a tail into `count` texts with NUL between them, copied to the texts of caps. */
static int take_texts(const struct record *record, const uint8_t *tail, uint32_t size, const char **texts,
	unsigned count)
{
	struct link_caps *caps = record->caps;
	uint32_t used = 0;

	for (unsigned n = 0; n < count; n++) {
		uint32_t length = link_text_length(tail + used, size - used);
		bool ends = used + length == size;

		if (!ends && tail[used + length])
			return bad_record(record, "byte %u of text %u is not UTF-8 that can be shown", length, n);
		if (ends != (n + 1 == count))
			return bad_record(record, "%s than %u texts", ends ? "fewer" : "more", count);
		/* The four bytes of the record's head leave room for the NUL at the end. */
		texts[n] = memcpy(caps->texts + caps->text_size, tail + used, length);
		caps->texts[caps->text_size + length] = '\0';
		caps->text_size += length + 1;
		used += length + 1;
	}
	if (!*texts[0])
		return bad_record(record, "it has no name");
	return NMHAL_OK;
}

/* ---- single records ---------------------------------------------------------------------------------------------- */

static int too_short(const struct record *record, uint32_t expected)
{
	return bad_record(record, "%u bytes, expected at least %u", record->size, expected);
}

static int check_codes(const struct record *record, int32_t min, int32_t max, unsigned bits, unsigned bytes)
{
	const int32_t lowest = bytes == 1 ? INT8_MIN : INT16_MIN, highest = bytes == 1 ? INT8_MAX : INT16_MAX;

	if (bytes != 1 && bytes != 2)
		return bad_record(record, "codes of %u bytes, expected 1 or 2", bytes);
	if (min > max || min < lowest || max > highest)
		return bad_record(record, "codes %d..%d, expected a range inside %d..%d", min, max, lowest, highest);
	if (!bits || bits > 8 * bytes)
		return bad_record(record, "codes of %u bits, expected 1 to %u", bits, 8 * bytes);
	return NMHAL_OK;
}

static int take_array(const struct record *record)
{
	struct nmlink_array_cap *array = &record->caps->array;

	if (!nmlink_get_array_cap(array, record->value, record->size))
		return too_short(record, NMLINK_SIZE_array_cap);
	if (!array->tiles || !array->rows || !array->cols ||
		(uint64_t)array->rows * array->cols * array->tiles > LINK_MAX_CELLS)
		return bad_record(record, "%u crossbars of %u x %u, expected 1 to %u cells", array->tiles, array->rows,
			array->cols, LINK_MAX_CELLS);
	return NMHAL_OK;
}

static int take_weight(const struct record *record)
{
	struct nmlink_weight_cap *weight = &record->caps->weight;

	if (!nmlink_get_weight(weight, record->value, record->size))
		return too_short(record, NMLINK_OFFSET(weight_cap, tolerance));
	if (weight->tolerance > (int64_t)weight->max - weight->min)
		return bad_record(record, "a tolerance of %u, more than all codes %d..%d", weight->tolerance,
			weight->min, weight->max);
	return check_codes(record, weight->min, weight->max, weight->bits, weight->bytes);
}

static int take_input(const struct record *record)
{
	struct nmlink_input_cap *input = &record->caps->input;

	if (!nmlink_get_input_cap(input, record->value, record->size))
		return too_short(record, NMLINK_SIZE_input_cap);
	if (!input->max_batch)
		return bad_record(record, "batches of at most %u vectors, expected 1 or more", input->max_batch);
	return check_codes(record, input->min, input->max, input->bits, input->bytes);
}

static int take_output(const struct record *record)
{
	struct nmlink_output_cap *output = &record->caps->output;

	if (!nmlink_get_output_cap(output, record->value, record->size))
		return too_short(record, NMLINK_SIZE_output_cap);
	return check_codes(record, output->min, output->max, output->bits, output->bytes);
}

static int take_neuron(const struct record *record)
{
	struct nmlink_neuron_cap *neuron = &record->caps->neuron;

	if (!nmlink_get_neuron_cap(neuron, record->value, record->size))
		return too_short(record, NMLINK_SIZE_neuron_cap);
	if (neuron->threshold_min > neuron->threshold_max || neuron->leak_min > neuron->leak_max ||
		neuron->potential_min > neuron->potential_max)
		return bad_record(record, "thresholds %d..%d, leaks %d..%d, potentials %d..%d", neuron->threshold_min,
			neuron->threshold_max, neuron->leak_min, neuron->leak_max, neuron->potential_min,
			neuron->potential_max);
	return NMHAL_OK;
}

static int take_spikes(const struct record *record)
{
	struct nmlink_spikes_cap *spikes = &record->caps->spikes;

	if (!nmlink_get_spikes_cap(spikes, record->value, record->size))
		return too_short(record, NMLINK_SIZE_spikes_cap);
	if (spikes->virtual_min > spikes->virtual_max || spikes->virtual_min < INT8_MIN ||
		spikes->virtual_max > INT8_MAX)
		return bad_record(record, "virtual events of %d..%d, expected a range inside %d..%d",
			spikes->virtual_min, spikes->virtual_max, INT8_MIN, INT8_MAX);
	return NMHAL_OK;
}

static int take_electrical(const struct record *record)
{
	struct link_caps *caps = record->caps;

	switch (record->tag) {
	case NMLINK_TAG_DRIVE:
		return nmlink_get_drive_cap(&caps->drive, record->value, record->size) ? NMHAL_OK :
			too_short(record, NMLINK_SIZE_drive_cap);
	case NMLINK_TAG_SENSE:
		return nmlink_get_sense_cap(&caps->sense, record->value, record->size) ? NMHAL_OK :
			too_short(record, NMLINK_SIZE_sense_cap);
	default:
		return nmlink_get_safety_cap(&caps->safety, record->value, record->size) ? NMHAL_OK :
			too_short(record, NMLINK_SIZE_safety_cap);
	}
}

static int take_ops(const struct record *record)
{
	int before = -1;

	if (record->size % 2)
		return bad_record(record, "%u bytes, expected opcodes of 2 bytes each", record->size);
	for (uint32_t n = 0; n < record->size; n += 2) {
		uint16_t op = nmlink_load_u16(record->value + n);

		if (op <= before)
			return bad_record(record, "opcode 0x%04x after 0x%04x, expected them in ascending order", op,
				(unsigned)before);
		before = op;
		if (op < 128)
			record->caps->ops[op / 64] |= UINT64_C(1) << op % 64;
	}
	return NMHAL_OK;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static int list_full(const struct record *record)
{
	return bad_record(record, "more than %u of them", LINK_MAX_ENTRIES);
}

static int twice(const struct record *record, const char *name)
{
	return bad_record(record, "there is another '%s'", name);
}

static int take_attr(const struct record *record)
{
	struct link_caps *caps = record->caps;
	struct nmlink_attr_cap attr;
	struct nmhal_attr_info *info;
	const char *texts[3] = {"", "", ""};
	int status;

	if (!nmlink_get_attr_cap(&attr, record->value, record->size))
		return too_short(record, NMLINK_SIZE_attr_cap);
	if (attr.type != NMLINK_ATTR_BOOL && attr.type != NMLINK_ATTR_INTEGER)
		return bad_record(record, "type %u, expected 1 or 2", attr.type);
	if (attr.min > attr.max || (attr.type == NMLINK_ATTR_BOOL && (attr.min < 0 || attr.max > 1)))
		return bad_record(record, "values %lld..%lld of type %u", (long long)attr.min, (long long)attr.max,
			attr.type);
	if (caps->attr_count == LINK_MAX_ENTRIES)
		return list_full(record);
	status = take_texts(record, attr.tail, attr.tail_size, texts, 3);
	if (status != NMHAL_OK)
		return status;
	for (size_t n = 0; n < caps->attr_count; n++)
		if (!strcmp(caps->attrs[n].key, texts[0]))
			return twice(record, texts[0]);
	info = &caps->attrs[caps->attr_count++];
	*info = (struct nmhal_attr_info){.struct_size = sizeof(*info), .key = texts[0], .unit = texts[1],
		.summary = texts[2], .min = attr.min, .max = attr.max,
		.type = attr.type == NMLINK_ATTR_BOOL ? NMHAL_ATTR_BOOL : NMHAL_ATTR_INT,
		.flags = (attr.flags & NMLINK_ATTR_WRITABLE ? NMHAL_ATTR_WRITABLE : 0) |
			(attr.flags & NMLINK_ATTR_SAVED ? NMHAL_ATTR_SAVED : 0) |
			(attr.flags & NMLINK_ATTR_GROWS ? NMHAL_ATTR_GROWS : 0)};
	return NMHAL_OK;
}

static int take_sensor(const struct record *record)
{
	struct link_caps *caps = record->caps;
	struct nmlink_sensor_cap sensor;
	struct nmhal_sensor_info *info;
	const char *texts[3] = {"", "", ""};
	int status;

	if (!nmlink_get_sensor_cap(&sensor, record->value, record->size))
		return too_short(record, NMLINK_SIZE_sensor_cap);
	if (caps->sensor_count == LINK_MAX_ENTRIES)
		return list_full(record);
	status = take_texts(record, sensor.tail, sensor.tail_size, texts, 3);
	if (status != NMHAL_OK)
		return status;
	for (size_t n = 0; n < caps->sensor_count; n++)
		if (!strcmp(caps->sensors[n].name, texts[0]))
			return twice(record, texts[0]);
	info = &caps->sensors[caps->sensor_count++];
	*info = (struct nmhal_sensor_info){.struct_size = sizeof(*info), .name = texts[0], .unit = texts[1],
		.summary = texts[2], .exponent = sensor.exponent};
	return NMHAL_OK;
}

static int take_counter(const struct record *record)
{
	struct link_caps *caps = record->caps;
	struct nmhal_counter_info *info;
	const char *texts[2] = {"", ""};
	int status;

	if (caps->counter_count == LINK_MAX_ENTRIES)
		return list_full(record);
	status = take_texts(record, record->value, record->size, texts, 2);
	if (status != NMHAL_OK)
		return status;
	for (size_t n = 0; n < caps->counter_count; n++)
		if (!strcmp(caps->counters[n].key, texts[0]))
			return twice(record, texts[0]);
	info = &caps->counters[caps->counter_count++];
	*info = (struct nmhal_counter_info){.struct_size = sizeof(*info), .key = texts[0], .summary = texts[1]};
	return NMHAL_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int take_record(const struct record *record)
{
	struct link_caps *caps = record->caps;

	switch (record->tag) {
	case NMLINK_TAG_VENDOR:
		return take_identity(record, caps->vendor);
	case NMLINK_TAG_MODEL:
		return take_identity(record, caps->model);
	case NMLINK_TAG_HARDWARE:
		return take_identity(record, caps->hardware);
	case NMLINK_TAG_FIRMWARE:
		return take_identity(record, caps->firmware);
	case NMLINK_TAG_SERIAL:
		return take_identity(record, caps->serial);
	case NMLINK_TAG_OPS:
		return take_ops(record);
	case NMLINK_TAG_ARRAY:
		return take_array(record);
	case NMLINK_TAG_WEIGHT:
		return take_weight(record);
	case NMLINK_TAG_INPUT:
		return take_input(record);
	case NMLINK_TAG_OUTPUT:
		return take_output(record);
	case NMLINK_TAG_NEURON:
		return take_neuron(record);
	case NMLINK_TAG_SPIKES:
		return take_spikes(record);
	case NMLINK_TAG_DRIVE:
	case NMLINK_TAG_SENSE:
	case NMLINK_TAG_SAFETY:
		return take_electrical(record);
	case NMLINK_TAG_ATTR:
		return take_attr(record);
	case NMLINK_TAG_SENSOR:
		return take_sensor(record);
	case NMLINK_TAG_COUNTER:
		return take_counter(record);
	default: /* of a later version, or a vendor's */
		return NMHAL_OK;
	}
}

static int take_once(const struct record *record)
{
	const uint64_t bit = record->tag < 64 ? UINT64_C(1) << record->tag : 0;

	if (record->caps->present & bit && record->tag < NMLINK_TAG_ATTR)
		return bad_record(record, "there are two of them");
	record->caps->present |= bit;
	return take_record(record);
}

bool link_caps_has(const struct link_caps *caps, enum nmlink_op op)
{
	return caps->ops[op / 64] >> op % 64 & 1;
}

static bool is_present(const struct link_caps *caps, enum nmlink_tag tag)
{
	return caps->present >> tag & 1;
}

static int check_whole(const struct link_caps *caps, struct nmhal_host *host)
{
	static const struct {
		enum nmlink_op op; /* HELLO: always needed */
		enum nmlink_tag tag;
	} needs[] = {
		{NMLINK_OP_HELLO, NMLINK_TAG_OPS}, {NMLINK_OP_HELLO, NMLINK_TAG_ARRAY},
		{NMLINK_OP_HELLO, NMLINK_TAG_WEIGHT}, {NMLINK_OP_INFER, NMLINK_TAG_INPUT},
		{NMLINK_OP_INFER, NMLINK_TAG_OUTPUT}, {NMLINK_OP_WRITE_NEURONS, NMLINK_TAG_NEURON},
		{NMLINK_OP_SPIKES_START, NMLINK_TAG_SPIKES}, {NMLINK_OP_PULSE_CELL, NMLINK_TAG_DRIVE},
		{NMLINK_OP_READ_CONDUCTANCE, NMLINK_TAG_SENSE}, {NMLINK_OP_SWEEP_CELL, NMLINK_TAG_SENSE},
		{NMLINK_OP_ARM, NMLINK_TAG_SAFETY},
	};

	for (size_t n = 0; n < sizeof(needs) / sizeof(needs[0]); n++) {
		if ((needs[n].op == NMLINK_OP_HELLO || link_caps_has(caps, needs[n].op)) &&
			!is_present(caps, needs[n].tag))
			return nmhal_host_fail(host, NMHAL_E_PROTOCOL,
				"capabilities: there is no record %s, which %s needs",
				tag_name((uint16_t)needs[n].tag),
				needs[n].op == NMLINK_OP_HELLO ? "every board" : nmlink_op_name((uint16_t)needs[n].op));
	}
	if (!link_caps_has(caps, NMLINK_OP_WRITE) || !link_caps_has(caps, NMLINK_OP_READ))
		return nmhal_host_fail(host, NMHAL_E_PROTOCOL,
			"capabilities: record OPS lacks WRITE or READ, which every board has");
	if (is_present(caps, NMLINK_TAG_SPIKES) && (caps->spikes.virtual_address_max >= caps->array.cols ||
		caps->spikes.leak_one_address_max >= caps->array.cols))
		return nmhal_host_fail(host, NMHAL_E_PROTOCOL,
			"capabilities: record SPIKES: events for neurons up to %u and %u, the board has %u",
			caps->spikes.virtual_address_max, caps->spikes.leak_one_address_max, caps->array.cols);
	return NMHAL_OK;
}

/* Room for as many entries as the records could hold. */
static bool make_lists(struct link_caps *caps, uint32_t size)
{
	const size_t most = size / NMLINK_CAP_HEAD_SIZE < LINK_MAX_ENTRIES ? size / NMLINK_CAP_HEAD_SIZE + 1 :
		LINK_MAX_ENTRIES;

	caps->attr_count = caps->sensor_count = caps->counter_count = 0;
	caps->texts = malloc(size + 1u);
	caps->attrs = calloc(most, sizeof(*caps->attrs));
	caps->sensors = calloc(most, sizeof(*caps->sensors));
	caps->counters = calloc(most, sizeof(*caps->counters));
	return caps->texts && caps->attrs && caps->sensors && caps->counters;
}

int link_caps_parse(struct link_caps *caps, struct nmhal_host *host, const uint8_t *records, uint32_t size)
{
	int status = NMHAL_OK;

	if (!make_lists(caps, size))
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "capabilities: no memory for %u bytes", size);
	for (uint32_t offset = 0; offset < size && status == NMHAL_OK;) {
		struct record record = {.caps = caps, .host = host, .offset = offset};

		if (size - offset >= NMLINK_CAP_HEAD_SIZE) {
			record.tag = nmlink_load_u16(records + offset);
			record.size = nmlink_load_u16(records + offset + 2);
		}
		if (size - offset < NMLINK_CAP_HEAD_SIZE || record.size > size - offset - NMLINK_CAP_HEAD_SIZE)
			return bad_record(&record, "it ends behind the last of %u bytes", size);
		record.value = records + offset + NMLINK_CAP_HEAD_SIZE;
		offset += NMLINK_CAP_HEAD_SIZE + record.size;
		status = take_once(&record);
	}
	return status == NMHAL_OK ? check_whole(caps, host) : status;
}

void link_caps_free(struct link_caps *caps)
{
	free(caps->texts);
	free(caps->attrs);
	free(caps->sensors);
	free(caps->counters);
}

/* ---- in the words of the library --------------------------------------------------------------------------------- */

static void tell_inference(const struct link_caps *caps, struct nmhal_device_caps *told)
{
	if (caps->input.flags & NMLINK_INFER_TRANSPOSED)
		told->features |= NMHAL_CAN_INFER_TRANSPOSED;
	if (caps->input.flags & NMLINK_INFER_BIT_SERIAL)
		told->features |= NMHAL_CAN_INFER_BIT_SERIAL;
	told->max_batch = INT32_MAX; /* larger ones than the board takes are split */
	told->input_bits = caps->input.bits;
	told->input_min = caps->input.min;
	told->input_max = caps->input.max;
	told->output_lsb = (double)caps->output.lsb_256ths / 256;
	told->output_bits = caps->output.bits;
	told->output_min = caps->output.min;
	told->output_max = caps->output.max;
}

static void tell_neurons(const struct link_caps *caps, struct nmhal_device_caps *told)
{
	if (caps->neuron.model == NMHAL_NEURON_LIF_RESET_ZERO)
		told->neuron_model = NMHAL_NEURON_LIF_RESET_ZERO;
	told->threshold_min = caps->neuron.threshold_min;
	told->threshold_max = caps->neuron.threshold_max;
	told->leak_min = caps->neuron.leak_min;
	told->leak_max = caps->neuron.leak_max;
	told->potential_min = caps->neuron.potential_min;
	told->potential_max = caps->neuron.potential_max;
}

static void tell_spikes(const struct link_caps *caps, struct nmhal_device_caps *told)
{
	told->features |= NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER;
	if (caps->spikes.flags & NMLINK_SPIKES_BACK_TO_BACK)
		told->features |= NMHAL_CAN_BACK_TO_BACK;
	if (caps->spikes.flags & NMLINK_SPIKES_LEAK) {
		told->features |= NMHAL_CAN_LEAK_EVENTS;
		told->leak_one_address_max = caps->spikes.leak_one_address_max;
	}
	if (caps->spikes.flags & NMLINK_SPIKES_VIRTUAL) {
		told->features |= NMHAL_CAN_VIRTUAL_EVENTS;
		told->virtual_address_max = caps->spikes.virtual_address_max;
		told->virtual_min = caps->spikes.virtual_min;
		told->virtual_max = caps->spikes.virtual_max;
	}
	told->clock_hz = caps->spikes.clock_hz;
}

void link_caps_tell(const struct link_caps *caps, struct nmhal_device_caps *told)
{
	told->cores = caps->array.tiles;
	told->rows = caps->array.rows;
	told->cols = caps->array.cols;
	told->weight_bits = caps->weight.bits;
	told->weight_min = caps->weight.min;
	told->weight_max = caps->weight.max;
	told->weight_tolerance = caps->weight.tolerance;
	if (link_caps_has(caps, NMLINK_OP_INFER))
		tell_inference(caps, told);
	if (link_caps_has(caps, NMLINK_OP_WRITE_NEURONS))
		tell_neurons(caps, told);
	if (link_caps_has(caps, NMLINK_OP_SPIKES_START))
		tell_spikes(caps, told);
	if (link_caps_has(caps, NMLINK_OP_PULSE_CELL))
		told->features |= NMHAL_CAN_CELLS;
	if (link_caps_has(caps, NMLINK_OP_ARM))
		told->features |= NMHAL_CAN_ARM;
	memcpy(told->board, caps->model, sizeof(caps->model));
	memcpy(told->serial, caps->serial, sizeof(caps->serial));
	memcpy(told->firmware, caps->firmware, sizeof(caps->firmware));
}
