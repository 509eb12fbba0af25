/* SPDX-License-Identifier: MIT */
/*
 * Capability records, as drivers/link reads them from a board. Records that are taken can be written again from what
 * was understood, in about as many bytes, and are then understood the same way.
 */
#include <string.h>

#include "drivers/link/caps.h"
#include "fuzz.h"
#include "host.h"

#define OPS  128u /* opcodes that are kept */
#define MORE 64u  /* bytes of fields that records of an earlier version lack */

unsigned fuzz_taken;

/* ---- records again ----------------------------------------------------------------------------------------------- */

struct writer {
	uint8_t bytes[2 * LINK_MAX_CAPS];
	size_t size, head; /* head: of the record that is begun */
};

static uint8_t *begin(struct writer *writer, enum nmlink_tag tag)
{
	writer->head = writer->size;
	MUST(writer->size + NMLINK_CAP_HEAD_SIZE + 256 <= sizeof(writer->bytes));
	nmlink_store_u16(writer->bytes + writer->head, (uint16_t)tag);
	return writer->bytes + writer->head + NMLINK_CAP_HEAD_SIZE;
}

static void end(struct writer *writer, const uint8_t *to)
{
	writer->size = (size_t)(to - writer->bytes);
	nmlink_store_u16(writer->bytes + writer->head + 2,
		(uint16_t)(writer->size - writer->head - NMLINK_CAP_HEAD_SIZE));
}

/* Texts with NUL between them. */
static void end_texts(struct writer *writer, uint8_t *to, size_t count, const char *const *texts)
{
	for (size_t n = 0; n < count; n++) {
		const size_t length = strlen(texts[n]);

		MUST(length <= (size_t)(writer->bytes + sizeof(writer->bytes) - to));
		MUST(link_text_length((const uint8_t *)texts[n], (uint32_t)length) == length);
		memcpy(to, texts[n], length);
		to += length;
		if (n + 1 < count)
			*to++ = 0;
	}
	end(writer, to);
}

static void write_ops(struct writer *writer, const struct link_caps *caps)
{
	uint8_t *to = begin(writer, NMLINK_TAG_OPS);

	for (uint16_t op = 0; op < OPS; op++)
		if (link_caps_has(caps, (enum nmlink_op)op))
			to = nmlink_store_u16(to, op);
	end(writer, to);
}

static bool is_present(const struct link_caps *caps, enum nmlink_tag tag)
{
	return caps->present >> tag & 1;
}

static void write_single(struct writer *writer, const struct link_caps *caps)
{
#define IDENTITY(name, NAME)                                                                                           \
	if (is_present(caps, NMLINK_TAG_##NAME))                                                                       \
		end_texts(writer, begin(writer, NMLINK_TAG_##NAME), 1, (const char *const[]){ caps->name });
#define SINGLE(name, NAME)                                                                                             \
	if (is_present(caps, NMLINK_TAG_##NAME))                                                                       \
		end(writer, nmlink_put_##name##_cap(begin(writer, NMLINK_TAG_##NAME), &caps->name));
	IDENTITY(vendor, VENDOR)
	IDENTITY(model, MODEL)
	IDENTITY(hardware, HARDWARE)
	IDENTITY(firmware, FIRMWARE)
	IDENTITY(serial, SERIAL)
	write_ops(writer, caps);
	SINGLE(array, ARRAY)
	SINGLE(weight, WEIGHT)
	SINGLE(input, INPUT)
	SINGLE(output, OUTPUT)
	SINGLE(neuron, NEURON)
	SINGLE(spikes, SPIKES)
	SINGLE(drive, DRIVE)
	SINGLE(sense, SENSE)
	SINGLE(safety, SAFETY)
#undef IDENTITY
#undef SINGLE
}

static void write_attrs(struct writer *writer, const struct link_caps *caps)
{
	for (size_t n = 0; n < caps->attr_count; n++) {
		const struct nmhal_attr_info *attr = &caps->attrs[n];
		const struct nmlink_attr_cap cap = {
			.type = attr->type == NMHAL_ATTR_BOOL ? NMLINK_ATTR_BOOL : NMLINK_ATTR_INTEGER,
			.flags = (uint8_t)((attr->flags & NMHAL_ATTR_WRITABLE ? NMLINK_ATTR_WRITABLE : 0) |
				(attr->flags & NMHAL_ATTR_SAVED ? NMLINK_ATTR_SAVED : 0) |
				(attr->flags & NMHAL_ATTR_GROWS ? NMLINK_ATTR_GROWS : 0)),
			.min = attr->min,
			.max = attr->max,
		};

		MUST(attr->min <= attr->max && attr->key[0]);
		end_texts(writer, nmlink_put_attr_cap(begin(writer, NMLINK_TAG_ATTR), &cap), 3,
			(const char *const[]){ attr->key, attr->unit, attr->summary });
	}
}

static void write_lists(struct writer *writer, const struct link_caps *caps)
{
	write_attrs(writer, caps);
	for (size_t n = 0; n < caps->sensor_count; n++) {
		const struct nmhal_sensor_info *sensor = &caps->sensors[n];
		const struct nmlink_sensor_cap cap = { .exponent = (int8_t)sensor->exponent };

		MUST(sensor->name[0]);
		end_texts(writer, nmlink_put_sensor_cap(begin(writer, NMLINK_TAG_SENSOR), &cap), 3,
			(const char *const[]){ sensor->name, sensor->unit, sensor->summary });
	}
	for (size_t n = 0; n < caps->counter_count; n++) {
		MUST(caps->counters[n].key[0]);
		end_texts(writer, begin(writer, NMLINK_TAG_COUNTER), 2,
			(const char *const[]){ caps->counters[n].key, caps->counters[n].summary });
	}
}

static void write_again(struct writer *writer, const struct link_caps *caps)
{
	writer->size = 0;
	write_single(writer, caps);
	write_lists(writer, caps);
}

/* ---- what was understood ----------------------------------------------------------------------------------------- */

/* What everything above relies on, whatever the board said. */
static void check_told(const struct link_caps *caps, struct nmhal_device_caps *told)
{
	memset(told, 0, sizeof(*told));
	link_caps_tell(caps, told);
	MUST(told->cores && told->rows && told->cols);
	MUST((uint64_t)told->cores * told->rows * told->cols <= LINK_MAX_CELLS);
	MUST(told->weight_min <= told->weight_max && told->weight_bits >= 1 && told->weight_bits <= 16);
	MUST(told->weight_min >= INT16_MIN && told->weight_max <= INT16_MAX);
	MUST(told->input_min <= told->input_max && told->output_min <= told->output_max);
	MUST(told->threshold_min <= told->threshold_max && told->potential_min <= told->potential_max);
	MUST(told->virtual_address_max < told->cols && told->leak_one_address_max < told->cols);
	MUST(caps->attr_count <= LINK_MAX_ENTRIES && caps->sensor_count <= LINK_MAX_ENTRIES);
	MUST(caps->counter_count <= LINK_MAX_ENTRIES);
}

static void check_taken(struct nmhal_host *host, const struct link_caps *caps, uint32_t size)
{
	static struct writer first, second;
	struct nmhal_device_caps told, told_again;
	struct link_caps again = { .present = 0 };

	MUST(caps->text_size <= size);
	check_told(caps, &told);
	write_again(&first, caps);
	MUST(first.size <= size + MORE);
	MUST(link_caps_parse(&again, host, first.bytes, (uint32_t)first.size) == NMHAL_OK);
	check_told(&again, &told_again);
	MUST(!memcmp(&told, &told_again, sizeof(told)));
	write_again(&second, &again);
	MUST(first.size == second.size && !memcmp(first.bytes, second.bytes, first.size));
	link_caps_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_host fuzz;
	struct nmhal_host *host = fuzz_host(&fuzz);
	struct link_caps caps = { .present = 0 };
	int status;

	if (size > LINK_MAX_CAPS)
		return 0;
	status = link_caps_parse(&caps, host, data, (uint32_t)size);
	if (status == NMHAL_OK) {
		check_taken(host, &caps, (uint32_t)size);
		fuzz_taken++;
	} else {
		MUST(status == NMHAL_E_PROTOCOL && strstr(nmhal_last_error(), "fuzz:: capabilities: "));
	}
	link_caps_free(&caps);
	return 0;
}
