/* SPDX-License-Identifier: MIT */
/* The board-side core: single cells. Ramps and sweeps are loops over the callbacks pulse, conductance and current. */
#include "core_inside.h"

static enum nmlink_status check_cell(struct nmlink_core *core, const struct nmlink_job *job, struct nmlink_cell *cell)
{
	const struct nmlink_array_cap *array = &core->board->array;

	nmlink_get_cell(cell, job->payload);
	if (cell->tile >= array->tiles)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(cell, tile), "no such crossbar");
	if (cell->row >= array->rows)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(cell, row), "no such row");
	if (cell->col >= array->cols)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(cell, col), "no such column");
	if (cell->side > (array->pairs ? 1u : 0u))
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(cell, side), "no such cell of the weight");
	return NMLINK_OK;
}

/* ---- pulses ------------------------------------------------------------------------------------------------------ */

static enum nmlink_status ask_board(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m)
{
	return core->board->call.may_pulse ? core->board->call.may_pulse(core, m) : NMLINK_OK;
}

enum nmlink_status nmlink_do_pulse_cell(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_pulse_cell_request m;
	struct nmlink_pulse_cell_reply r = { 0 };
	struct nmlink_drive_check check = {
		.at_uv = NMLINK_OFFSET(pulse_cell_request, voltage_uv),
		.at_width = NMLINK_OFFSET(pulse_cell_request, width_ns),
		.at_pulses = NMLINK_OFFSET(pulse_cell_request, pulses),
	};
	struct nmlink_cell cell;
	enum nmlink_status status = check_cell(core, job, &cell);

	nmlink_take_pulse_cell_request(&m, job->payload, job->size);
	check.uv = nmlink_magnitude(m.voltage_uv);
	check.width_ns = m.width_ns;
	check.pulses = m.pulses;
	if (!status)
		status = nmlink_check_drive(core, &check);
	if (!status)
		status = ask_board(core, &m);
	if (!status)
		status = core->board->call.pulse(core, &m, &r.pulses);
	job->reply_size = (uint32_t)(nmlink_put_pulse_cell_reply(job->reply, &r) - job->reply);
	return status;
}

/* A ramp while it goes on. */
struct ramp {
	struct nmlink_ramp m;
	struct nmlink_ramped r;
	bool up; /* positive pulses raise the conductance to the target; else negative ones lower it */
	struct nmlink_pulse_cell_request pulse; /* the next one */
};

/* Verifies: one cell, read once. */
static enum nmlink_status verify(struct nmlink_core *core, struct ramp *ramp)
{
	const struct nmlink_read_conductance_request m = {
		.tile = ramp->m.tile,
		.row = ramp->m.row,
		.col = ramp->m.col,
		.rows = 1,
		.cols = 1,
		.side = ramp->m.side,
		.averages = 1,
		.use = ramp->m.use++,
	};
	uint8_t out[4] = { 0 };
	const enum nmlink_status status = core->board->call.conductance(core, &m, out);

	ramp->r.conductance_ps = nmlink_load_u32(out);
	ramp->r.reached = ramp->up ? ramp->r.conductance_ps >= ramp->m.target_ps
				   : ramp->r.conductance_ps <= ramp->m.target_ps;
	return status;
}

static void set_pulse(struct ramp *ramp, uint32_t uv, uint32_t pulses)
{
	ramp->pulse.voltage_uv = ramp->up ? (int32_t)uv : -(int32_t)uv;
	ramp->pulse.pulses = pulses;
}

static enum nmlink_status one_pulse(struct nmlink_core *core, struct ramp *ramp, uint32_t uv)
{
	uint32_t applied = 0;
	enum nmlink_status status;

	set_pulse(ramp, uv, 1);
	status = nmlink_core_may_pulse(core, ramp->pulse.voltage_uv);
	if (!status)
		status = core->board->call.pulse(core, &ramp->pulse, &applied);
	ramp->r.pulses += applied;
	ramp->r.last_uv = uv;
	return status;
}

static enum nmlink_status check_ramp(struct nmlink_core *core, const struct nmlink_job *job, struct ramp *ramp)
{
	struct nmlink_ramp *m = &ramp->m;
	struct nmlink_drive_check check = {
		.at_uv = NMLINK_OFFSET(ramp, stop_uv),
		.at_width = NMLINK_OFFSET(ramp, width_ns),
		.at_pulses = NMLINK_OFFSET(ramp, max_pulses),
	};
	struct nmlink_cell cell;
	enum nmlink_status status = check_cell(core, job, &cell);

	nmlink_get_ramp(m, job->payload);
	if (status)
		return status;
	if (m->start_uv > m->stop_uv || m->stop_uv > INT32_MAX)
		return nmlink_core_fail(core, NMLINK_EARG, check.at_uv, "the ramp ends below its start");
	check.uv = m->stop_uv;
	check.width_ns = m->width_ns;
	check.pulses = m->max_pulses;
	status = nmlink_check_read_level(core);
	if (!status)
		status = nmlink_check_drive(core, &check);
	ramp->pulse = (struct nmlink_pulse_cell_request){
		.tile = m->tile,
		.row = m->row,
		.col = m->col,
		.side = m->side,
		.width_ns = m->width_ns,
	};
	set_pulse(ramp, m->stop_uv, m->max_pulses);
	return status ? status : ask_board(core, &ramp->pulse);
}

static enum nmlink_status run_ramp(struct nmlink_core *core, struct nmlink_job *job, bool up)
{
	struct ramp ramp = { .up = up };
	enum nmlink_status status = check_ramp(core, job, &ramp);
	uint32_t uv = ramp.m.start_uv;

	if (!status)
		status = verify(core, &ramp);
	while (!status && !ramp.r.reached && ramp.r.pulses < ramp.m.max_pulses && uv <= ramp.m.stop_uv) {
		status = one_pulse(core, &ramp, uv);
		if (!status)
			status = verify(core, &ramp);
		uv = ramp.m.step_uv > UINT32_MAX - uv ? UINT32_MAX : uv + ramp.m.step_uv;
	}
	job->reply_size = (uint32_t)(nmlink_put_ramped(job->reply, &ramp.r) - job->reply);
	return status;
}

enum nmlink_status nmlink_do_form_cell(struct nmlink_core *core, struct nmlink_job *job)
{
	return run_ramp(core, job, true);
}

enum nmlink_status nmlink_do_set_cell(struct nmlink_core *core, struct nmlink_job *job)
{
	return run_ramp(core, job, true);
}

enum nmlink_status nmlink_do_reset_cell(struct nmlink_core *core, struct nmlink_job *job)
{
	return run_ramp(core, job, false);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum nmlink_status nmlink_do_read_conductance(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_read_conductance_request m;
	struct nmlink_rectangle r;
	enum nmlink_status status = nmlink_check_rectangle(core, job, &r);

	nmlink_take_read_conductance_request(&m, job->payload, job->size);
	if (status)
		return status;
	if (m.side > (core->board->array.pairs ? 1u : 0u))
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(read_conductance_request, side),
			"no such cell of the weight");
	if (!m.averages)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(read_conductance_request, averages),
			"no read to average");
	status = nmlink_check_read_level(core);
	if (!status)
		status = nmlink_reply_array(core, job, (uint32_t)m.rows * m.cols, 4);
	return status ? status : core->board->call.conductance(core, &m, job->reply);
}

static enum nmlink_status check_sweep(struct nmlink_core *core, const struct nmlink_job *job,
	struct nmlink_sweep_cell_request *m)
{
	struct nmlink_drive_check check = {
		.at_uv = NMLINK_OFFSET(sweep_cell_request, start_uv),
		.at_width = NMLINK_OFFSET(sweep_cell_request, width_ns),
		.at_pulses = NMLINK_OFFSET(sweep_cell_request, points),
	};
	struct nmlink_cell cell;
	const enum nmlink_status status = check_cell(core, job, &cell);
	uint32_t last;

	nmlink_take_sweep_cell_request(m, job->payload, job->size);
	if (status)
		return status;
	if (m->points > core->memory.point_count)
		return nmlink_core_fail(core, NMLINK_ERANGE, check.at_pulses, "more points than SENSE says");
	check.uv = nmlink_magnitude(m->start_uv);
	last = nmlink_magnitude(m->start_uv + (int64_t)m->step_uv * ((int64_t)m->points - 1));
	if (m->points && last > check.uv)
		check.uv = last;
	check.width_ns = m->width_ns;
	check.pulses = m->points;
	return nmlink_check_drive(core, &check);
}

/* One point; the one that is above the limit of the current is kept, and ends the sweep. */
static enum nmlink_status sweep_point(struct nmlink_core *core, const struct nmlink_sense *sense)
{
	struct nmlink_point_record *point = &core->memory.points[core->points];
	enum nmlink_status status = nmlink_core_may_pulse(core, sense->voltage_uv);

	point->voltage_uv = sense->voltage_uv;
	if (!status)
		status = core->board->call.current(core, sense, &point->current_na);
	if (status)
		return status;
	core->points++;
	if (core->limits.current_na && nmlink_magnitude(point->current_na) > core->limits.current_na)
		return nmlink_core_fail(core, NMLINK_ECOMPLIANCE, nmlink_magnitude(point->current_na), NULL);
	return NMLINK_OK;
}

enum nmlink_status nmlink_do_sweep_cell(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_sweep_cell_request m;
	struct nmlink_sweep_cell_reply r;
	struct nmlink_sense sense;
	enum nmlink_status status = check_sweep(core, job, &m);

	if (status)
		return status;
	core->points = 0;
	sense = (struct nmlink_sense){
		.cell = { m.tile, m.row, m.col, m.side },
		.voltage_uv = m.start_uv,
		.width_ns = m.width_ns,
		.use = m.use,
	};
	while (!status && core->points < m.points) {
		status = sweep_point(core, &sense);
		sense.use++;
		if (core->points < m.points)
			sense.voltage_uv += m.step_uv;
	}
	r.points = core->points;
	job->reply_size = (uint32_t)(nmlink_put_sweep_cell_reply(job->reply, &r) - job->reply);
	return status;
}

enum nmlink_status nmlink_do_read_sweep(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_read_sweep_request m;
	struct nmlink_read_sweep_reply r;
	uint8_t *p;

	nmlink_take_read_sweep_request(&m, job->payload, job->size);
	if (m.from > core->points)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(read_sweep_request, from), "no such point");
	r.from = m.from;
	p = nmlink_put_read_sweep_reply(job->reply, &r);
	for (uint32_t i = m.from; i < core->points && p + NMLINK_SIZE_point_record <= job->reply + job->room; i++)
		p = nmlink_put_point_record(p, &core->memory.points[i]);
	job->reply_size = (uint32_t)(p - job->reply);
	return NMLINK_OK;
}
