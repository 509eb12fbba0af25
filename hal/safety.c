/* SPDX-License-Identifier: MIT */
/* Limits, arming, safe state. The board keeps them; the core only asks. */
#include "hal/hal.h"

/* Said of every call here on a board without them. */
#define FEATURE "limits and arming"

int nmhal_limits_get(nmhal_device *dev, struct nmhal_limits *limits, int32_t timeout_ms)
{
	struct nmhal_limits ours = {.struct_size = sizeof ours};
	int64_t deadline_ns;
	int status = nm_check_out(limits, sizeof ours, sizeof ours, "struct nmhal_limits");

	if (!status)
		status = nm_device_enter(dev, timeout_ms, "get limits", &deadline_ns);
	if (status)
		return status;
	status = dev->ops.limits_get ? dev->ops.limits_get(dev->self, &ours, deadline_ns) :
				       nm_unsupported(dev, "get limits", FEATURE);
	status = nm_device_leave(dev, status);
	return status ? status : nm_copy_out(limits, sizeof ours, sizeof ours, &ours, "struct nmhal_limits");
}

static int set_limits(struct nmhal_device *dev, const struct nmhal_limits *limits, int64_t deadline_ns)
{
	if (!dev->ops.limits_set)
		return nm_unsupported(dev, "set limits", FEATURE);
	if (limits->reserved)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "set limits: reserved is %u, must be 0", limits->reserved);
	return dev->ops.limits_set(dev->self, limits, deadline_ns);
}

int nmhal_limits_set(nmhal_device *dev, const struct nmhal_limits *limits, int32_t timeout_ms)
{
	struct nmhal_limits known;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof known, sizeof known, limits, "struct nmhal_limits");

	if (!status)
		status = nm_device_enter(dev, timeout_ms, "set limits", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, set_limits(dev, &known, deadline_ns));
}

static int arm(struct nmhal_device *dev, uint32_t silence_ms, int64_t deadline_ns)
{
	if (!dev->ops.arm)
		return nm_unsupported(dev, "arm", FEATURE);
	if (!silence_ms)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "arm: silence_ms is 0, must be at least 1");
	return dev->ops.arm(dev->self, silence_ms, deadline_ns);
}

int nmhal_arm(nmhal_device *dev, uint32_t silence_ms, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "arm", &deadline_ns);

	if (status)
		return status;
	return nm_device_leave(dev, arm(dev, silence_ms, deadline_ns));
}

int nmhal_disarm(nmhal_device *dev, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "disarm", &deadline_ns);

	if (status)
		return status;
	status = dev->ops.disarm ? dev->ops.disarm(dev->self, deadline_ns) : nm_unsupported(dev, "disarm", FEATURE);
	return nm_device_leave(dev, status);
}

int nmhal_safe_state(nmhal_device *dev, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "safe state", &deadline_ns);

	if (status)
		return status;
	status = dev->ops.safe_state ? dev->ops.safe_state(dev->self, deadline_ns) :
				       nm_unsupported(dev, "safe state", "safe state");
	return nm_device_leave(dev, status);
}
