/* SPDX-License-Identifier: MIT */
/* The board-side core: attributes, sensors, counters. */
#include "core_inside.h"

static enum nmlink_status check_index(struct nmlink_core *core, uint16_t index, uint16_t count)
{
	return index < count ? NMLINK_OK : nmlink_core_fail(core, NMLINK_ERANGE, 0, "no such index");
}

/* Replies a number of 64 bits, of either sign. */
static enum nmlink_status value(struct nmlink_job *job, uint64_t number, enum nmlink_status status)
{
	nmlink_store_u64(job->reply, number);
	job->reply_size = 8;
	return status;
}

enum nmlink_status nmlink_do_get_attr(struct nmlink_core *core, struct nmlink_job *job)
{
	const uint16_t index = nmlink_load_u16(job->payload);
	enum nmlink_status status = check_index(core, index, core->board->attr_count);
	int64_t number = 0;

	if (!status)
		status = core->board->call.get_attr(core, index, &number);
	return value(job, (uint64_t)number, status);
}

enum nmlink_status nmlink_do_set_attr(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_set_attr_request m;
	const struct nmlink_attr_cap *attr;
	enum nmlink_status status;

	nmlink_take_set_attr_request(&m, job->payload, job->size);
	status = check_index(core, m.index, core->board->attr_count);
	if (status)
		return status;
	attr = &core->board->attrs[m.index];
	if (!(attr->flags & NMLINK_ATTR_WRITABLE))
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(set_attr_request, index), "not writable");
	if (m.value < attr->min || m.value > attr->max)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(set_attr_request, value),
			"outside its range");
	return core->board->call.set_attr(core, m.index, m.value);
}

enum nmlink_status nmlink_do_get_sensor(struct nmlink_core *core, struct nmlink_job *job)
{
	const uint16_t index = nmlink_load_u16(job->payload);
	enum nmlink_status status = check_index(core, index, core->board->sensor_count);
	int64_t number = 0;

	if (!status)
		status = core->board->call.get_sensor(core, index, &number);
	return value(job, (uint64_t)number, status);
}

enum nmlink_status nmlink_do_get_counter(struct nmlink_core *core, struct nmlink_job *job)
{
	const uint16_t index = nmlink_load_u16(job->payload);
	enum nmlink_status status = check_index(core, index, core->board->counter_count);
	uint64_t number = 0;

	if (!status)
		status = core->board->call.get_counter(core, index, &number);
	return value(job, number, status);
}
