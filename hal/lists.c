/* SPDX-License-Identifier: MIT */
/* What a device declares about itself: attributes, sensors, counters. Checked once, at open. */
#include "hal/hal.h"

static int fail_list(const struct nm_lister *lister, const char *entry, size_t index, const char *fault)
{
	return nm_fail(lister->subject, lister->status, "%s driver '%s': %s %zu %s", lister->doing, lister->driver,
		entry, index, fault);
}

static int check_entry(const struct nm_lister *lister, const char *entry, size_t index, size_t theirs, size_t ours)
{
	if (theirs == ours)
		return NMHAL_OK;
	return nm_fail(lister->subject, lister->status, "%s driver '%s': %s %zu: struct_size is %zu, must be %zu",
		lister->doing, lister->driver, entry, index, theirs, ours);
}

static int check_table(const struct nm_lister *lister, const char *table, const void *entries, size_t count)
{
	if (entries || !count)
		return NMHAL_OK;
	return nm_fail(lister->subject, lister->status, "%s driver '%s': %s: %zu of them, but the list is NULL",
		lister->doing, lister->driver, table, count);
}

int nm_attrs_check(const struct nm_lister *lister, const struct nmhal_attr_info *attrs, size_t count)
{
	int status = check_table(lister, "attributes", attrs, count);

	for (size_t i = 0; !status && i < count; i++) {
		const struct nmhal_attr_info *attr = &attrs[i];

		status = check_entry(lister, "attribute", i, attr->struct_size, sizeof *attr);
		if (!status && (!attr->key || !*attr->key || !attr->unit || !attr->summary))
			status = fail_list(lister, "attribute", i, "has no key, unit or summary");
		if (!status && (attr->type < NMHAL_ATTR_BOOL || attr->type > NMHAL_ATTR_REAL))
			status = nm_fail(lister->subject, lister->status,
				"%s driver '%s': attribute '%s': type is %u, must be %d..%d", lister->doing,
				lister->driver, attr->key, attr->type, NMHAL_ATTR_BOOL, NMHAL_ATTR_REAL);
	}
	return status;
}

static int check_sensors(const struct nm_lister *lister, const struct nmhal_sensor_info *sensors, size_t count)
{
	int status = check_table(lister, "sensors", sensors, count);

	for (size_t i = 0; !status && i < count; i++) {
		const struct nmhal_sensor_info *sensor = &sensors[i];

		status = check_entry(lister, "sensor", i, sensor->struct_size, sizeof *sensor);
		if (!status && (!sensor->name || !*sensor->name || !sensor->unit || !sensor->summary))
			status = fail_list(lister, "sensor", i, "has no name, unit or summary");
	}
	return status;
}

static int check_counters(const struct nm_lister *lister, const struct nmhal_counter_info *counters, size_t count)
{
	int status = check_table(lister, "counters", counters, count);

	for (size_t i = 0; !status && i < count; i++) {
		const struct nmhal_counter_info *counter = &counters[i];

		status = check_entry(lister, "counter", i, counter->struct_size, sizeof *counter);
		if (!status && (!counter->key || !*counter->key || !counter->summary))
			status = fail_list(lister, "counter", i, "has no key or summary");
	}
	return status;
}

static bool has_writable(const struct nmhal_device_lists *lists)
{
	for (size_t i = 0; i < lists->attr_count; i++) {
		if (lists->attrs[i].flags & NMHAL_ATTR_WRITABLE)
			return true;
	}
	return false;
}

/* The op that an entry of the lists needs and the driver lacks; NULL: none. */
static const char *missing_op(const struct nmhal_device_lists *lists, const struct nmhal_device_ops *ops)
{
	if (lists->attr_count && !ops->attr_get)
		return "attr_get (but attributes)";
	if (has_writable(lists) && !ops->attr_set)
		return "attr_set (but writable attributes)";
	if (lists->sensor_count && !ops->read_sensor)
		return "read_sensor (but sensors)";
	if (lists->counter_count && !ops->counter)
		return "counter (but counters)";
	return NULL;
}

int nm_lists_learn(struct nmhal_device *dev)
{
	const struct nm_lister lister = {dev->uri, "open:", dev->driver->name, NMHAL_E_INTERNAL};
	struct nmhal_device_lists *lists = &dev->lists;
	const char *missing;
	int status;

	if (dev->ops.describe)
		dev->ops.describe(dev->self, lists);
	else
		*lists = (struct nmhal_device_lists){
			.attrs = dev->driver->attrs, .attr_count = dev->driver->attr_count};
	status = nm_attrs_check(&lister, lists->attrs, lists->attr_count);
	if (!status)
		status = check_sensors(&lister, lists->sensors, lists->sensor_count);
	if (!status)
		status = check_counters(&lister, lists->counters, lists->counter_count);
	missing = status ? NULL : missing_op(lists, &dev->ops);
	if (missing)
		status = nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': it has no op %s", dev->driver->name,
			missing);
	return status;
}
