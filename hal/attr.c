/* SPDX-License-Identifier: MIT */
/* Attributes: what is peculiar to one chip, by key. */
#include <string.h>

#include "hal/hal.h"

static const char *const type_names[] = {"", "BOOL", "INT", "REAL"};

static int unknown_key(const struct nmhal_device *dev, const char *what, const char *key)
{
	char known[700] = "";

	for (size_t i = 0; i < dev->lists.attr_count; i++)
		nm_list_add(known, sizeof known, dev->lists.attrs[i].key);
	return nm_fail(dev->uri, NMHAL_E_INVALID, "%s attribute '%s': unknown key; known: %s", what, key,
		*known ? known : "none");
}

static int find(const struct nmhal_device *dev, const char *what, const char *key, size_t *index)
{
	if (!key)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s attribute: key is NULL", what);
	for (*index = 0; *index < dev->lists.attr_count; ++*index) {
		if (strcmp(dev->lists.attrs[*index].key, key) == 0)
			return NMHAL_OK;
	}
	return unknown_key(dev, what, key);
}

size_t nmhal_attr_count(const nmhal_device *dev)
{
	return dev ? dev->lists.attr_count : 0;
}

int nmhal_attr_list(nmhal_device *dev, size_t index, struct nmhal_attr_info *info)
{
	int status = nm_device_check(dev, "list attribute");

	if (status)
		return status;
	if (index >= dev->lists.attr_count)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "list attribute %zu: there are %zu", index,
			dev->lists.attr_count);
	return nm_copy_out(info, sizeof *info, sizeof *info, &dev->lists.attrs[index], "struct nmhal_attr_info");
}

int nm_attr_get_locked(struct nmhal_device *dev, const char *key, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	size_t index;
	int status = find(dev, "get", key, &index);

	if (status)
		return status;
	*value = (struct nmhal_attr_value){.struct_size = sizeof *value, .type = dev->lists.attrs[index].type};
	return dev->ops.attr_get(dev->self, index, value, deadline_ns);
}

static int check_integer(const struct nmhal_device *dev, const struct nmhal_attr_info *attr, int64_t integer)
{
	int64_t min = attr->type == NMHAL_ATTR_BOOL ? 0 : attr->min;
	int64_t max = attr->type == NMHAL_ATTR_BOOL ? 1 : attr->max;

	if (integer >= min && integer <= max)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "set attribute '%s' to %lld: is outside %lld..%lld", attr->key,
		(long long)integer, (long long)min, (long long)max);
}

static int check_real(const struct nmhal_device *dev, const struct nmhal_attr_info *attr, double real)
{
	/* Not a number is in no range. */
	if (real >= attr->real_min && real <= attr->real_max)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "set attribute '%s' to %g: is outside %g..%g", attr->key, real,
		attr->real_min, attr->real_max);
}

static int check_value(const struct nmhal_device *dev, const struct nmhal_attr_info *attr,
	const struct nmhal_attr_value *value)
{
	if (!(attr->flags & NMHAL_ATTR_WRITABLE))
		return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED, "set attribute '%s': it can only be read", attr->key);
	if (value->reserved)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "set attribute '%s': reserved is %u, must be 0", attr->key,
			value->reserved);
	if (value->type != attr->type)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "set attribute '%s': type is %u, must be %u (%s)", attr->key,
			value->type, attr->type, type_names[attr->type]);
	return attr->type == NMHAL_ATTR_REAL ? check_real(dev, attr, value->real)
					     : check_integer(dev, attr, value->integer);
}

int nm_attr_check(const struct nmhal_device *dev, const char *key, const struct nmhal_attr_value *value, size_t *index)
{
	int status = find(dev, "set", key, index);

	return status ? status : check_value(dev, &dev->lists.attrs[*index], value);
}

static int check_growth(struct nmhal_device *dev, size_t index, int64_t integer, int64_t deadline_ns)
{
	const struct nmhal_attr_info *attr = &dev->lists.attrs[index];
	struct nmhal_attr_value now = {.struct_size = sizeof now, .type = attr->type};
	int status = dev->ops.attr_get(dev->self, index, &now, deadline_ns);

	if (status || integer >= now.integer)
		return status;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "set attribute '%s' to %lld: it is %lld and only grows", attr->key,
		(long long)integer, (long long)now.integer);
}

int nm_attr_set_locked(struct nmhal_device *dev, const char *key, const struct nmhal_attr_value *value,
	int64_t deadline_ns)
{
	size_t index;
	int status = nm_attr_check(dev, key, value, &index);

	if (!status && dev->lists.attrs[index].flags & NMHAL_ATTR_GROWS)
		status = check_growth(dev, index, value->integer, deadline_ns);
	return status ? status : dev->ops.attr_set(dev->self, index, value, deadline_ns);
}

int nmhal_attr_get(nmhal_device *dev, const char *key, struct nmhal_attr_value *value)
{
	struct nmhal_attr_value ours = {.struct_size = sizeof ours};
	int64_t deadline_ns;
	int status = nm_check_out(value, sizeof ours, sizeof ours, "struct nmhal_attr_value");

	if (!status)
		status = nm_device_enter(dev, NMHAL_TIMEOUT_DEFAULT, "get attribute", &deadline_ns);
	if (status)
		return status;
	status = nm_device_leave(dev, nm_attr_get_locked(dev, key, &ours, deadline_ns));
	return status ? status : nm_copy_out(value, sizeof ours, sizeof ours, &ours, "struct nmhal_attr_value");
}

int nmhal_attr_set(nmhal_device *dev, const char *key, const struct nmhal_attr_value *value)
{
	struct nmhal_attr_value ours;
	int64_t deadline_ns;
	int status = nm_copy_in(&ours, sizeof ours, sizeof ours, value, "struct nmhal_attr_value");

	if (!status)
		status = nm_device_enter(dev, NMHAL_TIMEOUT_DEFAULT, "set attribute", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, nm_attr_set_locked(dev, key, &ours, deadline_ns));
}

int nmhal_attr_get_int(nmhal_device *dev, const char *key, int64_t *value)
{
	struct nmhal_attr_value any = {.struct_size = sizeof any};
	int status;

	if (!value)
		return nm_fail(dev ? dev->uri : NULL, NMHAL_E_INVALID, "get attribute: value is NULL");
	status = nmhal_attr_get(dev, key, &any);
	if (status)
		return status;
	if (any.type == NMHAL_ATTR_REAL)
		return nm_fail(
			dev->uri, NMHAL_E_INVALID, "get attribute '%s': is of type REAL; use nmhal_attr_get", key);
	*value = any.integer;
	return NMHAL_OK;
}

int nmhal_attr_set_int(nmhal_device *dev, const char *key, int64_t value)
{
	struct nmhal_attr_value any = {.struct_size = sizeof any, .integer = value};
	size_t index;
	int status = nm_device_check(dev, "set attribute");

	if (!status)
		status = find(dev, "set", key, &index);
	if (status)
		return status;
	any.type = dev->lists.attrs[index].type;
	if (any.type == NMHAL_ATTR_REAL)
		return nm_fail(
			dev->uri, NMHAL_E_INVALID, "set attribute '%s': is of type REAL; use nmhal_attr_set", key);
	return nmhal_attr_set(dev, key, &any);
}
