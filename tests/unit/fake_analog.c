/* SPDX-License-Identifier: MIT */
/* The analog side of the board of fake.h: cells, limits, arming, sensors. */
#include "tests/unit/fake_analog.h"

static const struct nmhal_sensor_info sensor_table[FAKE_SENSORS] = {
	{.struct_size = sizeof(struct nmhal_sensor_info), .name = "temperature", .unit = "degC",
		.summary = "of the array", .exponent = -2},
	{.struct_size = sizeof(struct nmhal_sensor_info), .name = "supply", .unit = "V",
		.summary = "of the drivers", .exponent = -3},
};

static const struct nmhal_counter_info counter_table[] = {
	{.struct_size = sizeof(struct nmhal_counter_info), .key = "sops", .summary = "synaptic operations"},
};

void fake_analog_init(struct fake *fake)
{
	fake->lists.sensors = sensor_table;
	fake->lists.sensor_count = FAKE_SENSORS;
	fake->lists.counters = counter_table;
	fake->lists.counter_count = 1;
	fake->limits = (struct nmhal_limits){.struct_size = sizeof(fake->limits), .voltage_uv = 3000000,
		.current_na = 500000, .width_ns = 1000000, .pulses = 1000, .silence_ms = 5000};
}

void fake_describe(void *self, struct nmhal_device_lists *lists)
{
	struct fake *fake = self;

	atomic_fetch_add(&fake->calls[FAKE_DESCRIBE], 1);
	*lists = fake->lists;
}

int fake_read_sensor(void *self, size_t index, int64_t *value, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_READ_SENSOR, deadline_ns);

	if (!status)
		*value = 2150 + (int64_t)index;
	return fake_end(fake, status);
}

/* A pulse moves the code of its weight; one that fails has applied one pulse of the train. */
int fake_cell_pulse(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_CELL_PULSE, deadline_ns);

	fake->pulsed = *op;
	*applied = status ? 1 : op->pulses;
	*fake_code(fake, op->core, op->row, op->col) = op->voltage_uv > 0 ? 7 : -8;
	return fake_end(fake, status);
}

int fake_cell_ramp(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_CELL_RAMP, deadline_ns);

	fake->ramped = *op;
	*fake_code(fake, op->core, op->row, op->col) = op->kind == NMHAL_RAMP_RESET ? -8 : 7;
	result->conductance_ps = op->target_ps;
	result->pulses = 3;
	result->last_uv = op->start_uv + 2 * op->step_uv;
	result->reached = 1;
	return fake_end(fake, status);
}

int fake_read_conductance(void *self, const struct nmhal_conductance_read *op, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_READ_CONDUCTANCE, deadline_ns);

	fake->conductance_read = *op;
	for (uint32_t row = 0; !status && row < op->region.rows; row++)
		for (uint32_t col = 0; col < op->region.cols; col++)
			op->conductance_ps[row * op->row_stride + col] =
				1000 * (op->region.row + row) + 10 * (op->region.col + col) + op->side;
	return fake_end(fake, status);
}

int fake_cell_sweep(void *self, const struct nmhal_cell_sweep *op, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_CELL_SWEEP, deadline_ns);

	fake->swept = *op;
	*fake_code(fake, op->core, op->row, op->col) = 5;
	for (uint32_t i = 0; !status && i < op->points; i++)
		op->out[i] = (struct nmhal_sweep_point){op->start_uv + (int32_t)i * op->step_uv, 5 * (int32_t)i};
	return fake_end(fake, status);
}

int fake_limits_get(void *self, struct nmhal_limits *limits, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_LIMITS_GET, deadline_ns);

	*limits = fake->limits;
	return fake_end(fake, status);
}

int fake_limits_set(void *self, const struct nmhal_limits *limits, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_LIMITS_SET, deadline_ns);

	if (!status && limits->voltage_uv > fake->limits.voltage_uv)
		status = nmhal_host_fail(fake->host, NMHAL_E_LIMIT, "set limits: voltage %u uV: above %u uV",
			limits->voltage_uv, fake->limits.voltage_uv);
	if (!status && limits->voltage_uv)
		fake->limits.voltage_uv = limits->voltage_uv;
	return fake_end(fake, status);
}

int fake_arm(void *self, uint32_t silence_ms, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_ARM, deadline_ns);

	fake->silence_ms = status ? 0 : silence_ms;
	return fake_end(fake, status);
}

int fake_disarm(void *self, int64_t deadline_ns)
{
	struct fake *fake = self;

	fake->silence_ms = 0;
	return fake_end(fake, fake_begin(fake, FAKE_DISARM, deadline_ns));
}

int fake_safe_state(void *self, int64_t deadline_ns)
{
	struct fake *fake = self;

	fake->silence_ms = 0;
	return fake_end(fake, fake_begin(fake, FAKE_SAFE_STATE, deadline_ns));
}
