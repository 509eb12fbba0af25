/* SPDX-License-Identifier: MIT */
/*
 * What the board is and does. Replace the registers by yours, and leave out what your board does not have: a callback
 * that is NULL and its record are gone together. All arguments are checked: inside the crossbar, the ranges and limits.
 */
#include "board.h"
#include "hardware.h"

static void wait(void)
{
	while (hardware.status & BUSY)
		;
}

static void select_cell(uint16_t row, uint16_t col, uint16_t side)
{
	hardware.row = row;
	hardware.col = col;
	hardware.side = side;
}

/* ---- required ---------------------------------------------------------------------------------------------------- */

static void safe(struct nmlink_core *core)
{
	(void)core;
	hardware.control = 0;
	hardware.voltage_uv = 0;
}

static uint32_t clock_ms(struct nmlink_core *core)
{
	(void)core;
	return hardware.ms;
}

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	const uint8_t *code = m->tail;

	for (uint16_t row = 0; row < m->rows; row++) {
		for (uint16_t col = 0; col < m->cols; col++) {
			if (nmlink_core_aborted(core))
				return NMLINK_EABORTED;
			select_cell((uint16_t)(m->row + row), (uint16_t)(m->col + col), 0);
			hardware.weight = nmlink_load_s8(code++);
			wait();
		}
		firmware_poll(core);
	}
	return NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	(void)core;
	for (uint16_t row = 0; row < m->rows; row++) {
		for (uint16_t col = 0; col < m->cols; col++) {
			select_cell((uint16_t)(m->row + row), (uint16_t)(m->col + col), 0);
			codes = nmlink_store_s8(codes, (int8_t)hardware.weight);
		}
	}
	return NMLINK_OK;
}

/* ---- inference --------------------------------------------------------------------------------------------------- */

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	const uint8_t *input = m->tail;

	hardware.control |= m->flags & NMLINK_INFER_BIT_SERIAL ? LINES_ON | BIT_SERIAL : LINES_ON;
	for (uint16_t b = 0; b < m->batch && !nmlink_core_aborted(core); b++) {
		for (uint16_t row = 0; row < ROWS; row++)
			hardware.dac[row] = 0;
		for (uint16_t row = 0; row < m->rows; row++)
			hardware.dac[m->row + row] = nmlink_load_s8(input++);
		hardware.convert = 1;
		wait();
		for (uint16_t col = 0; col < m->cols; col++) {
			outputs = nmlink_store_s8(outputs, (int8_t)hardware.adc[m->col + col]);
			if (hardware.clipped >> (m->col + col) & 1u)
				clipped[col / 8u] |= (uint8_t)(1u << col % 8u);
		}
		clipped += (m->cols + 7u) / 8u;
		firmware_poll(core);
	}
	hardware.control &= ~(LINES_ON | BIT_SERIAL);
	return nmlink_core_aborted(core) ? NMLINK_EABORTED : NMLINK_OK;
}

static enum nmlink_status add(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m,
	bool *saturated)
{
	int32_t sum;

	(void)core;
	(void)tile;
	select_cell(m->row, m->col, 0);
	sum = hardware.weight + m->code;
	*saturated = sum < board.weight.min || sum > board.weight.max;
	hardware.weight = sum < board.weight.min ? board.weight.min : sum > board.weight.max ? board.weight.max : sum;
	wait();
	return NMLINK_OK;
}

/* ---- neurons and spikes ------------------------------------------------------------------------------------------ */

static enum nmlink_status set_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	const struct nmlink_neuron_record *m)
{
	(void)core;
	(void)tile;
	hardware.col = index;
	hardware.threshold = m->threshold;
	hardware.leak = m->leak;
	hardware.potential = m->potential;
	hardware.enabled = m->enabled;
	return NMLINK_OK;
}

static enum nmlink_status get_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	struct nmlink_neuron_record *m)
{
	(void)core;
	(void)tile;
	hardware.col = index;
	*m = (struct nmlink_neuron_record){ hardware.threshold, hardware.leak, hardware.potential, hardware.enabled };
	return NMLINK_OK;
}

static enum nmlink_status reset_state(struct nmlink_core *core)
{
	(void)core;
	for (hardware.col = 0; hardware.col < COLS; hardware.col++)
		hardware.potential = 0;
	return NMLINK_OK;
}

static enum nmlink_status spikes_start(struct nmlink_core *core, uint32_t flags)
{
	(void)core;
	(void)flags;
	return NMLINK_OK;
}

static enum nmlink_status spikes_give(struct nmlink_core *core, uint32_t number, const struct nmlink_input_record *m)
{
	(void)core;
	(void)number;
	if (hardware.status & SPIKE_FULL)
		return NMLINK_EBUSY;
	hardware.spike_in = m->address;
	return NMLINK_OK;
}

static enum nmlink_status spikes_work(struct nmlink_core *core, bool *idle)
{
	/* This hardware does not say which input it was: the last one, or all ones before the first. */
	while (hardware.status & SPIKE_OUT && nmlink_core_room(core))
		nmlink_core_output(core, &(const struct nmlink_output_record){
			.input = core->taken - 1u,
			.address = (uint16_t)hardware.spike_out,
		});
	*idle = hardware.status & SPIKE_IDLE;
	return NMLINK_OK;
}

static enum nmlink_status spikes_stop(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total)
{
	(void)total;
	while (hardware.status & SPIKE_OUT)
		(void)hardware.spike_out;
	return reset_state(core);
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static enum nmlink_status pulse(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m, uint32_t *applied)
{
	enum nmlink_status status = NMLINK_OK;

	select_cell(m->row, m->col, m->side);
	hardware.voltage_uv = m->voltage_uv;
	hardware.width_ns = m->width_ns;
	hardware.gap_ns = m->gap_ns;
	hardware.pulses = m->pulses;
	while (!status && hardware.status & BUSY)
		status = nmlink_core_may_pulse(core, m->voltage_uv);
	hardware.voltage_uv = 0;
	*applied = hardware.pulses;
	return status;
}

static enum nmlink_status conductance(struct nmlink_core *core, const struct nmlink_read_conductance_request *m,
	uint8_t *out)
{
	(void)core;
	for (uint16_t row = 0; row < m->rows; row++) {
		for (uint16_t col = 0; col < m->cols; col++) {
			uint32_t sum = 0;

			select_cell((uint16_t)(m->row + row), (uint16_t)(m->col + col), m->side);
			for (uint16_t i = 0; i < m->averages; i++)
				sum += hardware.conductance_ps / m->averages;
			out = nmlink_store_u32(out, sum);
		}
	}
	return NMLINK_OK;
}

static enum nmlink_status current(struct nmlink_core *core, const struct nmlink_sense *m, int32_t *current_na)
{
	(void)core;
	select_cell(m->cell.row, m->cell.col, m->cell.side);
	hardware.width_ns = m->width_ns;
	hardware.voltage_uv = m->voltage_uv;
	wait();
	*current_na = hardware.current_na;
	hardware.voltage_uv = 0;
	return NMLINK_OK;
}

static enum nmlink_status arm(struct nmlink_core *core)
{
	(void)core;
	hardware.control |= HIGH_VOLTAGE;
	return NMLINK_OK;
}

static bool interlock(struct nmlink_core *core)
{
	(void)core;
	return hardware.status & INTERLOCK;
}

/* ---- attributes, sensors, counters ------------------------------------------------------------------------------- */

static enum nmlink_status get_attr(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	(void)core;
	(void)index;
	*value = hardware.gain;
	return NMLINK_OK;
}

static enum nmlink_status set_attr(struct nmlink_core *core, uint16_t index, int64_t value)
{
	(void)core;
	(void)index;
	hardware.gain = (int32_t)value;
	return NMLINK_OK;
}

static enum nmlink_status get_sensor(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	(void)core;
	(void)index;
	*value = hardware.temperature;
	return NMLINK_OK;
}

static enum nmlink_status get_counter(struct nmlink_core *core, uint16_t index, uint64_t *value)
{
	(void)core;
	(void)index;
	*value = hardware.ms / 1000u;
	return NMLINK_OK;
}

static enum nmlink_status restart(struct nmlink_core *core)
{
	(void)core;
	hardware.gain = 0;
	return NMLINK_OK;
}

/* Sends the payload back. */
static enum nmlink_status vendor(struct nmlink_core *core, struct nmlink_vendor *request)
{
	if (request->payload_size > request->room)
		return nmlink_core_fail(core, NMLINK_ELEN, request->room, NULL);
	for (uint32_t i = 0; i < request->payload_size; i++)
		request->reply[i] = request->payload[i];
	request->reply_size = request->payload_size;
	return NMLINK_OK;
}

/* ---- what the board says of itself ------------------------------------------------------------------------------- */

static const struct nmlink_input_cap input = {
	.min = -64,
	.max = 63,
	.bits = 7,
	.bytes = 1,
	.flags = NMLINK_INFER_BIT_SERIAL,
	.max_batch = 64,
};
static const struct nmlink_output_cap output = { .min = -128, .max = 127, .bits = 8, .bytes = 1 };
static const struct nmlink_neuron_cap neuron = {
	.model = 1,
	.threshold_max = 32767,
	.leak_max = 127,
	.potential_min = -32768,
	.potential_max = 32767,
};
static const struct nmlink_spikes_cap spikes = { .flags = NMLINK_SPIKES_STREAM | NMLINK_SPIKES_BACK_TO_BACK };
static const struct nmlink_drive_cap drive = {
	.voltage_max_uv = 4000000,
	.voltage_lsb_uv = 1000,
	.width_min_ns = 100,
	.width_max_ns = 10000000,
	.width_lsb_ns = 10,
	.read_max_uv = 200000,
};
static const struct nmlink_sense_cap sense = {
	.conductance_min_ps = 1000000,
	.conductance_max_ps = 40000000,
	.read_uv = 100000,
};
static const struct nmlink_safety_cap safety = { .flags = NMLINK_SAFETY_INTERLOCK, .silence_min_ms = 50 };
static const struct nmlink_attr_cap attrs[] = {
	{
		.type = NMLINK_ATTR_INTEGER,
		.flags = NMLINK_ATTR_WRITABLE,
		.min = 0,
		.max = 7,
		NMLINK_TEXT("gain\0\0range of the current amplifiers"),
	},
};
static const struct nmlink_sensor_cap sensors[] = {
	{ .exponent = -3, NMLINK_TEXT("temperature\0degC\0beside the array") },
};
static const struct nmlink_counter_cap counters[] = { { NMLINK_TEXT("uptime_s\0seconds since power-up") } };
static const uint16_t vendor_ops[] = { 0x8000 };

const struct nmlink_board board = {
	.vendor = "your lab",
	.model = "template",
	.hardware = "A",
	.firmware = "1.0.0",
	.serial = "1",
	.array = { .tiles = 1, .rows = ROWS, .cols = COLS, .pairs = 1 },
	.weight = { .min = -127, .max = 127, .bits = 8, .bytes = 1 },
	.input = &input,
	.output = &output,
	.neuron = &neuron,
	.spikes = &spikes,
	.drive = &drive,
	.sense = &sense,
	.safety = &safety,
	.limits = {
		.voltage_uv = 3300000,
		.current_na = 1000000,
		.width_ns = 1000000,
		.pulses = 1000,
		.silence_ms = 10000,
	},
	.attrs = attrs,
	.attr_count = 1,
	.sensors = sensors,
	.sensor_count = 1,
	.counters = counters,
	.counter_count = 1,
	.vendor_ops = vendor_ops,
	.vendor_op_count = 1,
	.call = {
		.safe = safe,
		.clock_ms = clock_ms,
		.write = write_weights,
		.read = read_weights,
		.add = add,
		.infer = infer,
		.set_neuron = set_neuron,
		.get_neuron = get_neuron,
		.reset_state = reset_state,
		.spikes_start = spikes_start,
		.spikes_give = spikes_give,
		.spikes_work = spikes_work,
		.spikes_stop = spikes_stop,
		.pulse = pulse,
		.conductance = conductance,
		.current = current,
		.arm = arm,
		.interlock = interlock,
		.get_attr = get_attr,
		.set_attr = set_attr,
		.get_sensor = get_sensor,
		.get_counter = get_counter,
		.restart = restart,
		.vendor = vendor,
		.poll = firmware_poll,
	},
};
