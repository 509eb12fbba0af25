/* SPDX-License-Identifier: MIT */
/* The analog cells below the weights: pulses, ramps, conductances, sweeps. Each is a loop on the board. */
#include <string.h>

#include "link.h"

/* The call on one cell. */
static struct link_call call_on(const char *what, const struct nmhal_region *cell, void *user, int64_t deadline_ns)
{
	return (struct link_call){.what = what, .region = cell, .user = user, .deadline_ns = deadline_ns};
}

/* How long the board is busy with pulses, at most so long that waiting for it ends. */
static int64_t length_of(uint64_t pulse_ns, uint32_t pulses)
{
	const uint64_t most = UINT64_C(600000000000);

	return (int64_t)(pulse_ns && pulses > most / pulse_ns ? most : pulse_ns * pulses);
}

static struct nmhal_region place_of(uint32_t core, uint32_t row, uint32_t col)
{
	return (struct nmhal_region){.core = core, .row = row, .col = col, .rows = 1, .cols = 1};
}

static void take_pulses(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmlink_pulse_cell_reply reply;
	uint32_t *applied = dev->call.user;

	(void)part;
	if (nmlink_get_pulse_cell_reply(&reply, payload, size))
		*applied = reply.pulses;
	else
		link_size_is(dev, size, NMLINK_SIZE_pulse_cell_reply);
}

int link_cell_pulse(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns)
{
	const struct nmhal_region place = place_of(op->core, op->row, op->col);
	struct link_call call = call_on("pulse cell", &place, applied, deadline_ns);
	const struct nmlink_pulse_cell_request request = {.tile = (uint16_t)op->core, .row = (uint16_t)op->row,
		.col = (uint16_t)op->col, .side = (uint16_t)op->side, .voltage_uv = op->voltage_uv,
		.width_ns = op->width_ns, .gap_ns = op->gap_ns, .pulses = op->pulses};
	uint8_t payload[NMLINK_SIZE_pulse_cell_request];
	int status = link_need(self, NMLINK_OP_PULSE_CELL, call.what);

	if (status != NMHAL_OK)
		return status;
	call.extra_ns = length_of((uint64_t)op->width_ns + op->gap_ns, op->pulses);
	nmlink_put_pulse_cell_request(payload, &request);
	return link_ask(self, &call, NMLINK_OP_PULSE_CELL, payload, sizeof(payload), take_pulses);
}

/* ---- ramps ------------------------------------------------------------------------------------------------------- */

static void take_ramped(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmhal_cell_ramped *result = dev->call.user;
	struct nmlink_ramped ramped;

	(void)part;
	if (size < NMLINK_SIZE_ramped) {
		link_size_is(dev, size, NMLINK_SIZE_ramped);
		return;
	}
	nmlink_get_ramped(&ramped, payload);
	result->conductance_ps = ramped.conductance_ps;
	result->pulses = ramped.pulses;
	result->last_uv = ramped.last_uv;
	result->reached = ramped.reached != 0;
}

int link_cell_ramp(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const enum nmlink_op opcode = op->kind == NMHAL_RAMP_FORM ? NMLINK_OP_FORM_CELL :
		op->kind == NMHAL_RAMP_SET ? NMLINK_OP_SET_CELL : NMLINK_OP_RESET_CELL;
	const struct nmhal_region place = place_of(op->core, op->row, op->col);
	struct link_call call = call_on("ramp cell", &place, result, deadline_ns);
	const struct nmlink_ramp ramp = {.tile = (uint16_t)op->core, .row = (uint16_t)op->row,
		.col = (uint16_t)op->col, .side = (uint16_t)op->side, .target_ps = op->target_ps,
		.start_uv = op->start_uv, .step_uv = op->step_uv, .stop_uv = op->stop_uv, .width_ns = op->width_ns,
		.max_pulses = op->max_pulses, .use = dev->use};
	uint8_t payload[NMLINK_SIZE_ramp];
	int status = link_need(dev, opcode, call.what);

	if (status != NMHAL_OK)
		return status;
	/* A read before the first pulse, and one after each. */
	dev->use += (uint64_t)op->max_pulses + 1;
	call.extra_ns = length_of(op->width_ns, op->max_pulses);
	nmlink_put_ramp(payload, &ramp);
	return link_ask(dev, &call, opcode, payload, sizeof(payload), take_ramped);
}

/* ---- conductances ------------------------------------------------------------------------------------------------ */

static void take_conductances(struct link_device *dev, const struct link_part *part, const uint8_t *payload,
	uint32_t size)
{
	const struct nmhal_conductance_read *op = dev->call.user;

	if (!link_size_is(dev, size, part->rows * part->cols * 4))
		return;
	for (uint32_t row = 0; row < part->rows; row++) {
		uint32_t *to = op->conductance_ps + (part->row + row) * op->row_stride + part->col;

		for (uint32_t col = 0; col < part->cols; col++, payload += 4)
			to[col] = nmlink_load_u32(payload);
	}
}

int link_read_conductance(void *self, const struct nmhal_conductance_read *op, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct nmhal_region *region = &op->region;
	struct nmhal_conductance_read wanted = *op;
	const struct link_call call = call_on("read conductances", region, &wanted, deadline_ns);
	const uint32_t most = link_payload_room(dev) / 4;
	struct link_part part = {0};
	uint8_t *payload;
	int status = link_need(dev, NMLINK_OP_READ_CONDUCTANCE, call.what);

	if (status != NMHAL_OK)
		return status;
	status = link_begin(dev, &call);
	while (status == NMHAL_OK && link_next_part(region, most, &part)) {
		const struct nmlink_read_conductance_request request = {.tile = (uint16_t)region->core,
			.row = (uint16_t)(region->row + part.row), .col = (uint16_t)(region->col + part.col),
			.rows = (uint16_t)part.rows, .cols = (uint16_t)part.cols, .side = (uint16_t)op->side,
			.averages = (uint16_t)op->averages, .use = dev->use};

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		nmlink_put_read_conductance_request(payload, &request);
		status = link_post(dev, NMLINK_OP_READ_CONDUCTANCE, NMLINK_SIZE_read_conductance_request,
			take_conductances, &part);
	}
	dev->use += op->averages;
	return link_finish(dev, status);
}

/* ---- sweeps ------------------------------------------------------------------------------------------------------ */

struct sweep {
	const struct nmhal_cell_sweep *op;
	uint32_t points; /* taken from the board so far */
	bool cut;        /* the board ended it early */
	bool all;        /* there are no more */
};

static void take_swept(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	const struct sweep *sweep = dev->call.user;
	struct nmlink_sweep_cell_reply reply;

	(void)part;
	if (!nmlink_get_sweep_cell_reply(&reply, payload, size))
		link_size_is(dev, size, NMLINK_SIZE_sweep_cell_reply);
	else if (reply.points != sweep->op->points)
		link_note(dev, NMHAL_E_PROTOCOL, "the board measured %u points, not %u", reply.points,
			sweep->op->points);
}

static void take_points(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct sweep *sweep = dev->call.user;
	struct nmlink_read_sweep_reply reply;
	uint32_t count;

	(void)part;
	if (!nmlink_get_read_sweep_reply(&reply, payload, size)) {
		link_size_is(dev, size, NMLINK_SIZE_read_sweep_reply);
		return;
	}
	count = reply.tail_size / NMLINK_SIZE_point_record;
	sweep->all = sweep->cut && !reply.tail_size;
	if (sweep->all)
		return;
	if (reply.from != sweep->points || !count || count > sweep->op->points - sweep->points ||
		reply.tail_size % NMLINK_SIZE_point_record) {
		link_note(dev, NMHAL_E_PROTOCOL, "the board answered %u bytes of points from %u on, expected %u to %u",
			reply.tail_size, reply.from, sweep->points, sweep->op->points);
		return;
	}
	for (const uint8_t *p = reply.tail; count; count--) {
		struct nmhal_sweep_point *point = &sweep->op->out[sweep->points++];
		struct nmlink_point_record record;

		p = nmlink_get_point_record(&record, p);
		*point = (struct nmhal_sweep_point){record.voltage_uv, record.current_na};
	}
}

static int read_points(struct link_device *dev, struct sweep *sweep, const struct link_call *call)
{
	int status = NMHAL_OK;

	while (status == NMHAL_OK && !sweep->all && sweep->points < sweep->op->points) {
		const struct nmlink_read_sweep_request request = {.from = sweep->points};
		uint8_t payload[NMLINK_SIZE_read_sweep_request];

		nmlink_put_read_sweep_request(payload, &request);
		status = link_ask(dev, call, NMLINK_OP_READ_SWEEP, payload, sizeof(payload), take_points);
	}
	return status;
}

/* The current was above its limit: the points up to that one are there, and the sweep has failed. */
static int read_cut_points(struct link_device *dev, struct sweep *sweep, const struct link_call *call, int failed)
{
	char sentence[sizeof(dev->sentence)];
	int status;

	memcpy(sentence, dev->sentence, sizeof(sentence));
	sweep->cut = true;
	status = read_points(dev, sweep, call);
	*sweep->op->measured = sweep->points;
	if (status != NMHAL_OK)
		return status;
	return nmhal_host_fail(dev->host, failed, "%s; %u of %u points were measured", sentence, sweep->points,
		sweep->op->points);
}

int link_cell_sweep(void *self, const struct nmhal_cell_sweep *op, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct nmhal_region place = place_of(op->core, op->row, op->col);
	struct sweep sweep = {.op = op};
	struct link_call call = call_on("sweep cell", &place, &sweep, deadline_ns);
	const struct nmlink_sweep_cell_request request = {.tile = (uint16_t)op->core, .row = (uint16_t)op->row,
		.col = (uint16_t)op->col, .side = (uint16_t)op->side, .start_uv = op->start_uv, .step_uv = op->step_uv,
		.points = op->points, .width_ns = op->width_ns, .use = dev->use};
	uint8_t payload[NMLINK_SIZE_sweep_cell_request];
	int status = link_need(dev, NMLINK_OP_SWEEP_CELL, call.what);

	if (status != NMHAL_OK)
		return status;
	if (op->points > dev->caps.sense.sweep_points)
		return nmhal_host_fail(dev->host, NMHAL_E_LIMIT, "sweep cell: %u points: the board keeps at most %u",
			op->points, dev->caps.sense.sweep_points);
	dev->use += op->points;
	call.extra_ns = length_of(op->width_ns, op->points);
	nmlink_put_sweep_cell_request(payload, &request);
	status = link_ask(dev, &call, NMLINK_OP_SWEEP_CELL, payload, sizeof(payload), take_swept);
	if (status == NMHAL_OK)
		return read_points(dev, &sweep, &call);
	return dev->refusal == NMLINK_ECOMPLIANCE ? read_cut_points(dev, &sweep, &call, status) : status;
}
