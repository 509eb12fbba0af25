/* SPDX-License-Identifier: MIT */
/* Limits, arming, safe state: the board keeps them, the library asks. */
#include "link.h"

static void take_limits(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmhal_limits *limits = dev->call.user;
	struct nmlink_limits told;

	(void)part;
	if (size < NMLINK_SIZE_limits) {
		link_size_is(dev, size, NMLINK_SIZE_limits);
		return;
	}
	nmlink_get_limits(&told, payload);
	limits->voltage_uv = told.voltage_uv;
	limits->current_na = told.current_na;
	limits->width_ns = told.width_ns;
	limits->pulses = told.pulses;
	limits->silence_ms = told.silence_ms;
}

int link_limits_get(void *self, struct nmhal_limits *limits, int64_t deadline_ns)
{
	const struct link_call call = {.what = "get limits", .user = limits, .deadline_ns = deadline_ns};

	return link_ask(self, &call, NMLINK_OP_GET_LIMITS, NULL, 0, take_limits);
}

int link_limits_set(void *self, const struct nmhal_limits *limits, int64_t deadline_ns)
{
	const struct link_call call = {.what = "set limits", .deadline_ns = deadline_ns};
	const struct nmlink_limits wanted = {.voltage_uv = limits->voltage_uv, .current_na = limits->current_na,
		.width_ns = limits->width_ns, .pulses = limits->pulses, .silence_ms = limits->silence_ms};
	uint8_t payload[NMLINK_SIZE_limits];

	nmlink_put_limits(payload, &wanted);
	return link_ask(self, &call, NMLINK_OP_SET_LIMITS, payload, sizeof(payload), NULL);
}

int link_arm(void *self, uint32_t silence_ms, int64_t deadline_ns)
{
	const struct link_call call = {.what = "arm", .unit = "ms of silence", .count = silence_ms,
		.deadline_ns = deadline_ns};
	const struct nmlink_arm_request request = {.silence_ms = silence_ms};
	uint8_t payload[NMLINK_SIZE_arm_request];

	nmlink_put_arm_request(payload, &request);
	return link_ask(self, &call, NMLINK_OP_ARM, payload, sizeof(payload), NULL);
}

int link_disarm(void *self, int64_t deadline_ns)
{
	const struct link_call call = {.what = "disarm", .deadline_ns = deadline_ns};

	return link_ask(self, &call, NMLINK_OP_DISARM, NULL, 0, NULL);
}

int link_safe_state(void *self, int64_t deadline_ns)
{
	const struct link_call call = {.what = "safe state", .deadline_ns = deadline_ns};

	return link_ask(self, &call, NMLINK_OP_SAFE_STATE, NULL, 0, NULL);
}
