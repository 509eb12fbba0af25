/* SPDX-License-Identifier: MIT */
/* Attributes, sensors and counters: single numbers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define COUNTER_NS INT64_C(5000000000) /* asking for a counter has no deadline of its own */

static void take_attr(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	const struct nmhal_attr_info *attr = &dev->caps.attrs[dev->call.count];
	struct nmhal_attr_value *value = dev->call.user;
	struct nmlink_get_attr_reply reply;

	(void)part;
	if (!nmlink_get_get_attr_reply(&reply, payload, size)) {
		link_size_is(dev, size, NMLINK_SIZE_get_attr_reply);
		return;
	}
	if (reply.value < attr->min || reply.value > attr->max)
		link_note(dev, NMHAL_E_PROTOCOL,
			"the board answered %" PRId64 ", its range is %" PRId64 "..%" PRId64, reply.value, attr->min,
			attr->max);
	value->integer = reply.value;
}

int link_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "get attribute", .name = dev->caps.attrs[index].key, .count = index,
		.user = value, .deadline_ns = deadline_ns};
	const struct nmlink_get_attr_request request = {.index = (uint16_t)index};
	uint8_t payload[NMLINK_SIZE_get_attr_request];

	nmlink_put_get_attr_request(payload, &request);
	return link_ask(dev, &call, NMLINK_OP_GET_ATTR, payload, sizeof(payload), take_attr);
}

int link_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "set attribute", .name = dev->caps.attrs[index].key,
		.deadline_ns = deadline_ns};
	const struct nmlink_set_attr_request request = {.index = (uint16_t)index, .value = value->integer};
	uint8_t payload[NMLINK_SIZE_set_attr_request];

	nmlink_put_set_attr_request(payload, &request);
	return link_ask(dev, &call, NMLINK_OP_SET_ATTR, payload, sizeof(payload), NULL);
}

static void take_sensor(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmlink_get_sensor_reply reply;
	int64_t *value = dev->call.user;

	(void)part;
	if (nmlink_get_get_sensor_reply(&reply, payload, size))
		*value = reply.value;
	else
		link_size_is(dev, size, NMLINK_SIZE_get_sensor_reply);
}

int link_read_sensor(void *self, size_t index, int64_t *value, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct link_call call = {.what = "read sensor", .name = dev->caps.sensors[index].name, .user = value,
		.deadline_ns = deadline_ns};
	const struct nmlink_get_sensor_request request = {.index = (uint16_t)index};
	uint8_t payload[NMLINK_SIZE_get_sensor_request];

	nmlink_put_get_sensor_request(payload, &request);
	return link_ask(dev, &call, NMLINK_OP_GET_SENSOR, payload, sizeof(payload), take_sensor);
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

/* The driver's own, since open. */
enum own_counter {
	ROUND_TRIPS, FRAMES_SENT, FRAMES_RECEIVED, RETRANSMITTED, CRC_ERRORS, UNASKED, EVENTS_IN, EVENTS_OUT,
	OWN_COUNT,
};

static const struct nmhal_counter_info own_counters[OWN_COUNT] = {
	[ROUND_TRIPS] = {sizeof(struct nmhal_counter_info), "round_trips",
		"times the library waited with nothing more to send"},
	[FRAMES_SENT] = {sizeof(struct nmhal_counter_info), "frames_sent", "frames sent to the board"},
	[FRAMES_RECEIVED] = {sizeof(struct nmhal_counter_info), "frames_received", "whole frames received from it"},
	[RETRANSMITTED] = {sizeof(struct nmhal_counter_info), "retransmitted", "requests that were sent again"},
	[CRC_ERRORS] = {sizeof(struct nmhal_counter_info), "crc_errors", "damaged frames received"},
	[UNASKED] = {sizeof(struct nmhal_counter_info), "unasked", "EVENTS frames, which nobody asked for, dropped"},
	[EVENTS_IN] = {sizeof(struct nmhal_counter_info), "events_in", "input events taken by the board"},
	[EVENTS_OUT] = {sizeof(struct nmhal_counter_info), "events_out", "output events received"},
};

static uint64_t own_counter(const struct link_device *dev, enum own_counter counter)
{
	switch (counter) {
	case ROUND_TRIPS:
		return dev->wire.round_trips;
	case FRAMES_SENT:
		return dev->wire.pipe.frames_sent;
	case FRAMES_RECEIVED:
		return dev->wire.pipe.frames_received;
	case RETRANSMITTED:
		return dev->wire.retransmitted;
	case CRC_ERRORS:
		return dev->wire.pipe.bad_frames;
	case UNASKED:
		return dev->wire.unasked;
	case EVENTS_IN:
		return dev->events_in;
	default:
		return dev->events_out;
	}
}

static bool find_counter(const struct nmhal_counter_info *list, size_t count, const char *key, size_t *index)
{
	for (*index = 0; *index < count; ++*index)
		if (!strcmp(list[*index].key, key))
			return true;
	return false;
}

int link_list_counters(struct link_device *dev)
{
	const struct link_caps *caps = &dev->caps;
	size_t same;

	dev->counters = calloc(OWN_COUNT + caps->counter_count, sizeof(*dev->counters));
	if (!dev->counters)
		return nmhal_host_fail(dev->host, NMHAL_E_NO_MEMORY, "open: no memory for %zu counters",
			OWN_COUNT + caps->counter_count);
	/* A board that counts the same knows it better. */
	for (size_t n = 0; n < OWN_COUNT; n++)
		if (!find_counter(caps->counters, caps->counter_count, own_counters[n].key, &same))
			dev->counters[dev->counter_count++] = own_counters[n];
	for (size_t n = 0; n < caps->counter_count; n++)
		dev->counters[dev->counter_count++] = caps->counters[n];
	return NMHAL_OK;
}

static void take_counter(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmlink_get_counter_reply reply;
	uint64_t *value = dev->call.user;

	(void)part;
	if (nmlink_get_get_counter_reply(&reply, payload, size))
		*value = reply.value;
	else
		link_size_is(dev, size, NMLINK_SIZE_get_counter_reply);
}

int link_counter(void *self, const char *key, uint64_t *value)
{
	struct link_device *dev = self;
	struct nmlink_get_counter_request request;
	uint8_t payload[NMLINK_SIZE_get_counter_request];
	struct link_call call = {.what = "read counter", .name = key, .user = value};
	size_t index;

	if (!find_counter(dev->caps.counters, dev->caps.counter_count, key, &index)) {
		if (!find_counter(own_counters, OWN_COUNT, key, &index))
			return NMHAL_E_UNSUPPORTED;
		*value = own_counter(dev, (enum own_counter)index);
		return NMHAL_OK;
	}
	request.index = (uint16_t)index;
	nmlink_put_get_counter_request(payload, &request);
	call.deadline_ns = nmhal_now_ns() + COUNTER_NS;
	return link_ask(dev, &call, NMLINK_OP_GET_COUNTER, payload, sizeof(payload), take_counter);
}
