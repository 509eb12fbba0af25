/* SPDX-License-Identifier: MIT */
/* The board-side core: limits, arming, the watchdog, safe state. */
#include "core_inside.h"

void nmlink_disarm(struct nmlink_core *core)
{
	core->armed = false;
	core->board->call.safe(core);
}

static bool interlock_open(struct nmlink_core *core)
{
	return core->board->call.interlock && core->board->call.interlock(core);
}

void nmlink_core_tick(struct nmlink_core *core)
{
	if (!core->armed)
		return;
	if (interlock_open(core)) {
		nmlink_disarm(core);
	} else if (!core->executing && core->board->call.clock_ms(core) - core->heard_ms >= core->silence_ms) {
		nmlink_disarm(core);
		core->watchdog = true;
	}
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

enum nmlink_status nmlink_do_get_limits(struct nmlink_core *core, struct nmlink_job *job)
{
	job->reply_size = (uint32_t)(nmlink_put_limits(job->reply, &core->limits) - job->reply);
	return NMLINK_OK;
}

#define REFUSE_WIDER(type, name, text)                                                                                 \
	if (m.name && core->limits.name && m.name > core->limits.name)                                                 \
		return nmlink_core_fail(core, NMLINK_ELIMIT, core->limits.name, #name " can only become smaller");
#define TIGHTEN(type, name, text)                                                                                      \
	if (m.name)                                                                                                    \
		core->limits.name = m.name;

enum nmlink_status nmlink_do_set_limits(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_limits m;

	nmlink_get_limits(&m, job->payload);
	NMLINK_LIMITS(REFUSE_WIDER)
	NMLINK_LIMITS(TIGHTEN)
	if (m.silence_ms && core->silence_ms > m.silence_ms)
		core->silence_ms = m.silence_ms;
	return nmlink_do_get_limits(core, job);
}

static enum nmlink_status over_limit(struct nmlink_core *core, uint32_t value, uint32_t limit, const char *text)
{
	return limit && value > limit ? nmlink_core_fail(core, NMLINK_ELIMIT, limit, text) : NMLINK_OK;
}

/* What may change between two pulses of a request. */
static enum nmlink_status may_drive(struct nmlink_core *core, uint32_t uv)
{
	if (uv <= core->board->drive->read_max_uv)
		return NMLINK_OK;
	if (interlock_open(core)) {
		nmlink_disarm(core);
		return nmlink_core_fail(core, NMLINK_EINTERLOCK, 0, NULL);
	}
	if (!core->armed)
		return nmlink_core_fail(core, NMLINK_EARM, core->watchdog, "above read level; ARM first");
	return NMLINK_OK;
}

enum nmlink_status nmlink_core_may_pulse(struct nmlink_core *core, int32_t voltage_uv)
{
	enum nmlink_status status = nmlink_breathe(core);

	return status ? status : may_drive(core, nmlink_magnitude(voltage_uv));
}

uint32_t nmlink_magnitude(int64_t uv)
{
	const int64_t size = uv < 0 ? -uv : uv;

	return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

enum nmlink_status nmlink_check_read_level(struct nmlink_core *core)
{
	return over_limit(core, core->board->sense->read_uv, core->limits.voltage_uv,
		"reading a cell takes more than the limit of the voltage");
}

enum nmlink_status nmlink_check_drive(struct nmlink_core *core, const struct nmlink_drive_check *c)
{
	const struct nmlink_drive_cap *drive = core->board->drive;
	enum nmlink_status status = over_limit(core, c->uv, core->limits.voltage_uv, "voltage above its limit");

	if (!status)
		status = over_limit(core, c->width_ns, core->limits.width_ns, "pulse longer than its limit");
	if (!status)
		status = over_limit(core, c->pulses, core->limits.pulses, "more pulses than their limit");
	if (status)
		return status;
	if (!c->pulses)
		return nmlink_core_fail(core, NMLINK_EARG, c->at_pulses, "no pulse");
	if (c->uv > drive->voltage_max_uv)
		return nmlink_core_fail(core, NMLINK_ERANGE, c->at_uv, "voltage above what DRIVE says");
	if (c->width_ns < drive->width_min_ns || c->width_ns > drive->width_max_ns)
		return nmlink_core_fail(core, NMLINK_ERANGE, c->at_width, "width outside what DRIVE says");
	return may_drive(core, c->uv);
}

/* ---- arming ------------------------------------------------------------------------------------------------------ */

enum nmlink_status nmlink_do_arm(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_arm_request m;
	enum nmlink_status status;

	nmlink_take_arm_request(&m, job->payload, job->size);
	if (!m.silence_ms || m.silence_ms < core->board->safety->silence_min_ms)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(arm_request, silence_ms),
			"silence shorter than SAFETY says");
	status = over_limit(core, m.silence_ms, core->limits.silence_ms, "silence longer than its limit");
	if (status)
		return status;
	if (interlock_open(core))
		return NMLINK_EINTERLOCK;
	status = core->board->call.arm ? core->board->call.arm(core) : NMLINK_OK;
	if (status)
		return status;
	core->armed = true;
	core->watchdog = false;
	core->silence_ms = m.silence_ms;
	return NMLINK_OK;
}

enum nmlink_status nmlink_do_disarm(struct nmlink_core *core, struct nmlink_job *job)
{
	(void)job;
	nmlink_disarm(core);
	return NMLINK_OK;
}

enum nmlink_status nmlink_do_safe_state(struct nmlink_core *core, struct nmlink_job *job)
{
	return nmlink_do_disarm(core, job);
}

enum nmlink_status nmlink_do_restart(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_spikes_stop_reply total;

	(void)job;
	if (core->running)
		nmlink_end_run(core, &total);
	nmlink_disarm(core);
	core->points = 0;
	return core->board->call.restart ? core->board->call.restart(core) : NMLINK_OK;
}
