/* SPDX-License-Identifier: MIT */
/* The board-side core: neurons and runs of spikes. */
#include "core_inside.h"

/* ---- neurons ----------------------------------------------------------------------------------------------------- */

static enum nmlink_status check_neurons(struct nmlink_core *core, uint16_t tile, uint16_t first, uint32_t count)
{
	if (tile >= core->board->array.tiles)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(read_neurons_request, tile),
			"no such crossbar");
	if (!count)
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(read_neurons_request, count), "no neuron");
	if (first >= core->board->array.cols || count > (uint32_t)core->board->array.cols - first)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(read_neurons_request, first),
			"no such neuron");
	return NMLINK_OK;
}

static bool neuron_inside(const struct nmlink_neuron_cap *cap, const struct nmlink_neuron_record *m)
{
	return m->threshold >= cap->threshold_min && m->threshold <= cap->threshold_max && m->leak >= cap->leak_min &&
	       m->leak <= cap->leak_max && m->potential >= cap->potential_min && m->potential <= cap->potential_max &&
	       m->enabled <= 1;
}

enum nmlink_status nmlink_do_write_neurons(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_write_neurons_request m;
	struct nmlink_neuron_record neuron;
	enum nmlink_status status;
	uint32_t count;

	nmlink_take_write_neurons_request(&m, job->payload, job->size);
	count = m.tail_size / NMLINK_SIZE_neuron_record;
	if (m.tail_size % NMLINK_SIZE_neuron_record)
		return nmlink_core_fail(core, NMLINK_ELEN, job->size - m.tail_size % NMLINK_SIZE_neuron_record,
			"half a NEURON record");
	status = check_neurons(core, m.tile, m.first, count);
	if (status)
		return status;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *p = m.tail + i * NMLINK_SIZE_neuron_record;

		nmlink_get_neuron_record(&neuron, p);
		if (!neuron_inside(core->board->neuron, &neuron))
			return nmlink_core_fail(core, NMLINK_ERANGE, (uint32_t)(p - job->payload),
				"outside what NEURON says");
	}
	for (uint32_t i = 0; !status && i < count; i++) {
		nmlink_get_neuron_record(&neuron, m.tail + i * NMLINK_SIZE_neuron_record);
		status = core->board->call.set_neuron(core, m.tile, (uint16_t)(m.first + i), &neuron);
	}
	return status;
}

enum nmlink_status nmlink_do_read_neurons(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_read_neurons_request m;
	enum nmlink_status status;

	nmlink_take_read_neurons_request(&m, job->payload, job->size);
	status = check_neurons(core, m.tile, m.first, m.count);
	if (!status)
		status = nmlink_reply_array(core, job, m.count, NMLINK_SIZE_neuron_record);
	for (uint32_t i = 0; !status && i < m.count; i++) {
		struct nmlink_neuron_record neuron = { 0 };

		status = core->board->call.get_neuron(core, m.tile, (uint16_t)(m.first + i), &neuron);
		nmlink_put_neuron_record(job->reply + i * NMLINK_SIZE_neuron_record, &neuron);
	}
	return status;
}

enum nmlink_status nmlink_do_reset_state(struct nmlink_core *core, struct nmlink_job *job)
{
	(void)job;
	if (core->running)
		return nmlink_core_fail(core, NMLINK_EBUSY, 0, "a run goes on");
	return core->board->call.reset_state(core);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static enum nmlink_status no_run(struct nmlink_core *core)
{
	return nmlink_core_fail(core, NMLINK_EBUSY, 0, "no run goes on");
}

uint32_t nmlink_core_room(const struct nmlink_core *core)
{
	return core->memory.event_count - (core->produced - core->freed);
}

void nmlink_core_output(struct nmlink_core *core, const struct nmlink_output_record *event)
{
	if (nmlink_core_room(core))
		core->memory.events[core->produced++ % core->memory.event_count] = *event;
	else
		core->dropped++;
}

static enum nmlink_status work(struct nmlink_core *core)
{
	return core->idle ? NMLINK_OK : core->board->call.spikes_work(core, &core->idle);
}

enum nmlink_status nmlink_do_spikes_start(struct nmlink_core *core, struct nmlink_job *job)
{
	const uint16_t can = core->board->spikes->flags;
	const uint32_t allowed = (can & NMLINK_SPIKES_BACK_TO_BACK ? NMLINK_RUN_BACK_TO_BACK : 0u) |
				 (can & NMLINK_SPIKES_STREAM ? NMLINK_RUN_STREAM : 0u);
	struct nmlink_spikes_start_request m;
	enum nmlink_status status;

	nmlink_take_spikes_start_request(&m, job->payload, job->size);
	if (m.flags & ~allowed)
		return nmlink_core_fail(core, NMLINK_EARG, 0, "SPIKES has no such flag");
	if (core->running)
		return nmlink_core_fail(core, NMLINK_EBUSY, 0, "a run goes on already");
	core->run_flags = m.flags;
	core->taken = core->produced = core->freed = core->pushed = core->dropped = 0;
	core->idle = true;
	status = core->board->call.spikes_start(core, m.flags);
	core->running = !status;
	return status;
}

static bool input_known(const struct nmlink_board *board, const struct nmlink_input_record *m)
{
	const struct nmlink_spikes_cap *cap = board->spikes;

	if (m->tile >= board->array.tiles || m->reserved)
		return false;
	switch (m->kind) {
	case NMLINK_INPUT_SPIKE:
		return m->address < board->array.rows;
	case NMLINK_INPUT_VIRTUAL:
		return cap->flags & NMLINK_SPIKES_VIRTUAL && m->address <= cap->virtual_address_max &&
		       m->value >= cap->virtual_min && m->value <= cap->virtual_max;
	case NMLINK_INPUT_LEAK_ALL:
		return cap->flags & NMLINK_SPIKES_LEAK;
	case NMLINK_INPUT_LEAK_ONE:
		return cap->flags & NMLINK_SPIKES_LEAK && m->address <= cap->leak_one_address_max;
	default:
		return false;
	}
}

static enum nmlink_status check_inputs(struct nmlink_core *core, const struct nmlink_spikes_send_request *m)
{
	if (m->tail_size % NMLINK_SIZE_input_record)
		return nmlink_core_fail(core, NMLINK_ELEN,
			NMLINK_SIZE_spikes_send_request + m->tail_size - m->tail_size % NMLINK_SIZE_input_record,
			"half an INPUT record");
	if (m->first > core->taken)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(spikes_send_request, first),
			"events before it are missing");
	for (uint32_t at = 0; at < m->tail_size; at += NMLINK_SIZE_input_record) {
		struct nmlink_input_record input;

		nmlink_get_input_record(&input, m->tail + at);
		if (!input_known(core->board, &input))
			return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_SIZE_spikes_send_request + at,
				"no such input event");
	}
	return NMLINK_OK;
}

/* Gives one event to the board; EBUSY when it has to wait for room for outputs. */
static enum nmlink_status give(struct nmlink_core *core, const struct nmlink_input_record *input)
{
	enum nmlink_status status = NMLINK_OK;

	if (!(core->run_flags & NMLINK_RUN_BACK_TO_BACK)) {
		status = work(core);
		if (!status && !core->idle)
			return NMLINK_EBUSY;
	}
	if (!status)
		status = core->board->call.spikes_give(core, core->taken, input);
	if (status == NMLINK_EBUSY) {
		status = work(core);
		if (!status)
			status = core->board->call.spikes_give(core, core->taken, input);
	}
	if (!status) {
		core->taken++;
		core->idle = false;
	}
	return status;
}

enum nmlink_status nmlink_do_spikes_send(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_spikes_send_request m;
	struct nmlink_spikes_send_reply r;
	enum nmlink_status status;

	nmlink_take_spikes_send_request(&m, job->payload, job->size);
	if (!core->running)
		return no_run(core);
	status = check_inputs(core, &m);
	for (uint32_t i = core->taken - m.first; !status && i < m.tail_size / NMLINK_SIZE_input_record; i++) {
		struct nmlink_input_record input;

		nmlink_get_input_record(&input, m.tail + i * NMLINK_SIZE_input_record);
		status = nmlink_breathe(core);
		if (!status)
			status = give(core, &input);
	}
	if (!status || status == NMLINK_EBUSY)
		status = work(core);
	r.taken = core->taken;
	r.produced = core->produced;
	r.idle = core->idle;
	job->reply_size = (uint32_t)(nmlink_put_spikes_send_reply(job->reply, &r) - job->reply);
	return status;
}

/* Puts events from number `from` on, as many as fit before `end`; returns where they end. */
static uint8_t *put_events(struct nmlink_core *core, uint32_t from, uint8_t *p, const uint8_t *end)
{
	for (; from < core->produced && (size_t)(end - p) >= NMLINK_SIZE_output_record; from++)
		p = nmlink_put_output_record(p, &core->memory.events[from % core->memory.event_count]);
	if (core->pushed < from)
		core->pushed = from;
	return p;
}

enum nmlink_status nmlink_do_spikes_read(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_spikes_read_request m;
	struct nmlink_spikes_read_reply r;
	enum nmlink_status status;

	nmlink_take_spikes_read_request(&m, job->payload, job->size);
	if (!core->running)
		return no_run(core);
	if (m.from < core->freed || m.from > core->produced)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(spikes_read_request, from),
			"the board does not have this output");
	core->freed = m.from;
	status = work(core);
	r.from = m.from;
	r.taken = core->taken;
	r.produced = core->produced;
	r.idle = core->idle;
	job->reply_size = (uint32_t)(put_events(core, m.from, nmlink_put_spikes_read_reply(job->reply, &r),
		job->reply + job->room) - job->reply);
	return status;
}

void nmlink_end_run(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total)
{
	*total = (struct nmlink_spikes_stop_reply){
		.sops = NMLINK_NOT_COUNTED,
		.queue_dropped = NMLINK_NOT_COUNTED,
		.cycles = NMLINK_NOT_COUNTED,
	};
	core->running = false;
	if (core->board->call.spikes_stop(core, total))
		return;
	if (total->queue_dropped != NMLINK_NOT_COUNTED)
		total->queue_dropped += core->dropped;
}

enum nmlink_status nmlink_do_spikes_stop(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_spikes_stop_reply r;

	if (!core->running)
		return no_run(core);
	nmlink_end_run(core, &r);
	job->reply_size = (uint32_t)(nmlink_put_spikes_stop_reply(job->reply, &r) - job->reply);
	return NMLINK_OK;
}

uint32_t nmlink_core_events(struct nmlink_core *core, uint8_t *out)
{
	struct nmlink_events_reply m = { 0 };
	struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.flags = NMLINK_FLAG_EVENT,
		.op = NMLINK_OP_EVENTS,
		.session = (uint16_t)core->session,
	};
	uint8_t *payload = out + NMLINK_HEADER_SIZE, *end;
	enum nmlink_status status;

	if (!core->running || !(core->run_flags & NMLINK_RUN_STREAM))
		return 0;
	nmlink_work_begins(core, true);
	status = work(core);
	if (!nmlink_work_ends(core) || status || core->pushed == core->produced)
		return 0;
	m.first = core->pushed;
	m.time_ns = core->board->call.time_ns ? core->board->call.time_ns(core) : 0;
	end = put_events(core, m.first, nmlink_put_events_reply(payload, &m),
		out + core->memory.max_frame - NMLINK_CRC_SIZE);
	header.size = (uint32_t)(end - payload);
	return nmlink_frame_seal(out, &header, core->crc);
}
