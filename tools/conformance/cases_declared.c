/* SPDX-License-Identifier: MIT */
/* Neurons, spikes, and what a board declares by records of its own: attributes, sensors, counters. */
#include "run.h"

#include <inttypes.h>
#include <string.h>

static const uint8_t nothing[1];

/* ---- neurons and spikes ------------------------------------------------------------------------------------------ */

static bool read_neuron(struct run *run, uint16_t index, struct nmlink_neuron_record *neuron)
{
	const struct nmlink_read_neurons_request m = {.first = index, .count = 1};
	uint8_t payload[NMLINK_SIZE_read_neurons_request];
	struct reply reply;

	nmlink_put_read_neurons_request(payload, &m);
	if (!ask(run, NMLINK_OP_READ_NEURONS, payload, sizeof(payload), NMLINK_OK, &reply))
		return false;
	if (reply.header.size == NMLINK_SIZE_neuron_record) {
		nmlink_get_neuron_record(neuron, reply.payload);
		return true;
	}
	say(run, VERDICT_FAILED, "READ_NEURONS of one gave %u bytes", reply.header.size);
	return false;
}

static size_t neuron_payload(uint16_t index, const struct nmlink_neuron_record *neuron, uint8_t *payload)
{
	const struct nmlink_write_neurons_request m = {.first = index};
	uint8_t *p = nmlink_put_neuron_record(nmlink_put_write_neurons_request(payload, &m), neuron);

	return (size_t)(p - payload);
}

#define NEURON_PAYLOAD (NMLINK_SIZE_write_neurons_request + NMLINK_SIZE_neuron_record)

static void write_last_neuron(struct run *run, uint16_t last)
{
	const struct nmlink_neuron_cap *cap = &run->caps.neuron;
	struct nmlink_neuron_record found, wanted = {.threshold = cap->threshold_max, .leak = cap->leak_max,
		.potential = cap->potential_min, .enabled = 0};
	uint8_t payload[NEURON_PAYLOAD];
	struct reply reply;
	size_t size;

	size = neuron_payload(last, &wanted, payload);
	MUST(ask(run, NMLINK_OP_WRITE_NEURONS, payload, size, NMLINK_OK, &reply) && read_neuron(run, last, &found));
	EXPECT(found.threshold == wanted.threshold && found.leak == wanted.leak &&
		found.potential == wanted.potential && found.enabled == wanted.enabled,
		"threshold %d leak %d potential %d enabled %u came back as %d, %d, %d, %u", wanted.threshold,
		wanted.leak, wanted.potential, wanted.enabled, found.threshold, found.leak, found.potential,
		found.enabled);
	wanted.enabled = 2;
	size = neuron_payload(last, &wanted, payload);
	MUST(refused(run, NMLINK_OP_WRITE_NEURONS, payload, size, 0, "enabled 2"));
	size = neuron_payload((uint16_t)(last + 1), &found, payload);
	MUST(refused(run, NMLINK_OP_WRITE_NEURONS, payload, size, 0, "a neuron past the last"));
}

static void neurons_come_back(struct run *run)
{
	const uint16_t last = (uint16_t)(run->caps.array.cols - 1);
	struct nmlink_neuron_record kept;
	uint8_t payload[NEURON_PAYLOAD];

	NEED(has_op(run, NMLINK_OP_WRITE_NEURONS), "neurons");
	MUST(read_neuron(run, last, &kept));
	write_last_neuron(run, last);
	put_back(run, NMLINK_OP_WRITE_NEURONS, payload, neuron_payload(last, &kept, payload));
}

static void a_run_begins_and_ends(struct run *run)
{
	uint8_t payload[NMLINK_SIZE_spikes_send_request + NMLINK_SIZE_input_record];
	const struct nmlink_input_record spike = {0};
	struct nmlink_spikes_send_reply sent = {0};
	struct nmlink_spikes_stop_reply total;
	struct reply reply;

	NEED(has_op(run, NMLINK_OP_SPIKES_START), "spikes");
	nmlink_store_u32(payload, 0);
	MUST(ask(run, NMLINK_OP_SPIKES_START, payload, NMLINK_SIZE_spikes_start_request, NMLINK_OK, &reply));
	nmlink_put_input_record(nmlink_store_u32(payload, 0), &spike);
	MUST(ask(run, NMLINK_OP_SPIKES_SEND, payload, sizeof(payload), NMLINK_OK, &reply));
	EXPECT(nmlink_get_spikes_send_reply(&sent, reply.payload, reply.header.size) && sent.taken <= 1,
		"SPIKES_SEND of one event: %u taken", sent.taken);
	MUST(ask(run, NMLINK_OP_SPIKES_STOP, nothing, 0, NMLINK_OK, &reply));
	EXPECT(nmlink_get_spikes_stop_reply(&total, reply.payload, reply.header.size), "SPIKES_STOP: %u bytes",
		reply.header.size);
	MUST(alive(run));
}

const struct conformance_case neuron_cases[] = {
	{"a neuron comes back as it was written, wrong ones are refused", neurons_come_back},
	{"a run of spikes begins and ends", a_run_begins_and_ends},
	{NULL, NULL},
};

/* ---- attributes, sensors, counters ------------------------------------------------------------------------------- */

static bool get_attr(struct run *run, uint16_t index, int64_t *value)
{
	uint8_t payload[NMLINK_SIZE_get_attr_request];
	struct nmlink_get_attr_reply r;
	struct reply reply;

	nmlink_store_u16(payload, index);
	if (!ask(run, NMLINK_OP_GET_ATTR, payload, sizeof(payload), NMLINK_OK, &reply))
		return false;
	if (!nmlink_get_get_attr_reply(&r, reply.payload, reply.header.size)) {
		say(run, VERDICT_FAILED, "GET_ATTR %u gave %u bytes", index, reply.header.size);
		return false;
	}
	*value = r.value;
	return true;
}

static size_t set_payload(uint16_t index, int64_t value, uint8_t *payload)
{
	return (size_t)(nmlink_store_s64(nmlink_store_u16(payload, index), value) - payload);
}

static void attributes_are_inside_their_ranges(struct run *run)
{
	const uint16_t count = run->caps.attr_count;
	uint8_t payload[NMLINK_SIZE_set_attr_request];

	NEED(count, "attributes");
	for (uint16_t i = 0; i < count && i < sizeof(run->caps.attrs) / sizeof(*run->caps.attrs); i++) {
		const struct nmlink_attr_cap *attr = &run->caps.attrs[i];
		struct reply reply;
		int64_t value;
		size_t size;

		MUST(get_attr(run, i, &value));
		EXPECT(value >= attr->min && value <= attr->max,
			"attribute %u is %" PRId64 ", outside %" PRId64 "..%" PRId64, i, value, attr->min, attr->max);
		size = set_payload(i, value, payload);
		if (!(attr->flags & NMLINK_ATTR_WRITABLE)) {
			MUST(refused(run, NMLINK_OP_SET_ATTR, payload, size, NMLINK_EOP,
				"an attribute that can only be read"));
			continue;
		}
		MUST(ask(run, NMLINK_OP_SET_ATTR, payload, size, NMLINK_OK, &reply));
		if (attr->max < INT64_MAX) {
			size = set_payload(i, attr->max + 1, payload);
			MUST(refused(run, NMLINK_OP_SET_ATTR, payload, size, 0, "a value past the range"));
		}
	}
	nmlink_store_u16(payload, count);
	MUST(refused(run, NMLINK_OP_GET_ATTR, payload, NMLINK_SIZE_get_attr_request, 0, "an attribute past the last"));
}

/* Each of `count` is read, one more is refused. */
static void read_each(struct run *run, uint16_t op, uint16_t count)
{
	uint8_t payload[2];
	struct reply reply;

	for (uint16_t i = 0; i < count; i++) {
		nmlink_store_u16(payload, i);
		MUST(ask(run, op, payload, sizeof(payload), NMLINK_OK, &reply));
		EXPECT(reply.header.size == sizeof(uint64_t), "opcode 0x%04x, index %u: %u bytes", op, i,
			reply.header.size);
	}
	nmlink_store_u16(payload, count);
	MUST(refused(run, op, payload, sizeof(payload), 0, "an index past the last"));
}

static void sensors_are_read(struct run *run)
{
	NEED(run->caps.sensor_count, "sensors");
	read_each(run, NMLINK_OP_GET_SENSOR, run->caps.sensor_count);
}

static void counters_are_read(struct run *run)
{
	NEED(run->caps.counter_count, "counters");
	read_each(run, NMLINK_OP_GET_COUNTER, run->caps.counter_count);
}

const struct conformance_case declared_cases[] = {
	{"attributes are inside their ranges and keep to them", attributes_are_inside_their_ranges},
	{"every sensor is read", sensors_are_read},
	{"every counter is read", counters_are_read},
	{NULL, NULL},
};
