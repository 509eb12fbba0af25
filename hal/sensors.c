/* SPDX-License-Identifier: MIT */
/* Sensors and counters. */
#include <string.h>

#include "hal/hal.h"

size_t nmhal_sensor_count(const nmhal_device *dev)
{
	return dev ? dev->lists.sensor_count : 0;
}

int nmhal_sensor_list(nmhal_device *dev, size_t index, struct nmhal_sensor_info *info)
{
	int status = nm_device_check(dev, "list sensor");

	if (status)
		return status;
	if (index >= dev->lists.sensor_count)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "list sensor %zu: there are %zu", index,
			dev->lists.sensor_count);
	return nm_copy_out(info, sizeof *info, sizeof *info, &dev->lists.sensors[index], "struct nmhal_sensor_info");
}

static int read_sensor(struct nmhal_device *dev, const char *name, int64_t *value, int64_t deadline_ns)
{
	const struct nmhal_device_lists *lists = &dev->lists;
	char known[700] = "";

	for (size_t i = 0; i < lists->sensor_count; i++) {
		if (strcmp(lists->sensors[i].name, name) == 0)
			return dev->ops.read_sensor(dev->self, i, value, deadline_ns);
		nm_list_add(known, sizeof known, lists->sensors[i].name);
	}
	return nm_fail(dev->uri, NMHAL_E_INVALID, "read sensor '%s': unknown name; known: %s", name,
		*known ? known : "none");
}

int nmhal_sensor_get(nmhal_device *dev, const char *name, int64_t *value, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status;

	if (!name || !value)
		return nm_fail(
			dev ? dev->uri : NULL, NMHAL_E_INVALID, "read sensor: %s is NULL", name ? "value" : "name");
	status = nm_device_enter(dev, timeout_ms, "read sensor", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, read_sensor(dev, name, value, deadline_ns));
}

size_t nmhal_counter_count(const nmhal_device *dev)
{
	return dev ? dev->lists.counter_count : 0;
}

int nmhal_counter_list(nmhal_device *dev, size_t index, struct nmhal_counter_info *info)
{
	int status = nm_device_check(dev, "list counter");

	if (status)
		return status;
	if (index >= dev->lists.counter_count)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "list counter %zu: there are %zu", index,
			dev->lists.counter_count);
	return nm_copy_out(info, sizeof *info, sizeof *info, &dev->lists.counters[index], "struct nmhal_counter_info");
}

int nmhal_counter_get(nmhal_device *dev, const char *key, uint64_t *value)
{
	int64_t deadline_ns;
	int status;

	if (!key || !value)
		return nm_fail(
			dev ? dev->uri : NULL, NMHAL_E_INVALID, "get counter: %s is NULL", key ? "value" : "key");
	status = nm_device_enter(dev, NMHAL_TIMEOUT_DEFAULT, "get counter", &deadline_ns);
	if (status)
		return status;
	status = dev->ops.counter ? dev->ops.counter(dev->self, key, value) : NMHAL_E_UNSUPPORTED;
	if (status == NMHAL_E_UNSUPPORTED)
		nm_fail(dev->uri, status, "get counter '%s': the %s cannot count it", key, dev->caps.board);
	return nm_device_leave(dev, status);
}
