/* SPDX-License-Identifier: MIT */
/* The ops of fake_analog.c, for the table in fake.c. */
#ifndef FAKE_ANALOG_H
#define FAKE_ANALOG_H

#include "tests/unit/fake.h"

#define FAKE_ANALOG_OPS \
	.describe = fake_describe, .read_sensor = fake_read_sensor, .cell_pulse = fake_cell_pulse, \
	.cell_ramp = fake_cell_ramp, .read_conductance = fake_read_conductance, .cell_sweep = fake_cell_sweep, \
	.limits_get = fake_limits_get, .limits_set = fake_limits_set, .arm = fake_arm, .disarm = fake_disarm, \
	.safe_state = fake_safe_state

/* Sensors, counters and limits as fake.h says. */
void fake_analog_init(struct fake *fake);
void fake_describe(void *self, struct nmhal_device_lists *lists);
int fake_read_sensor(void *self, size_t index, int64_t *value, int64_t deadline_ns);
int fake_cell_pulse(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns);
int fake_cell_ramp(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline_ns);
int fake_read_conductance(void *self, const struct nmhal_conductance_read *op, int64_t deadline_ns);
int fake_cell_sweep(void *self, const struct nmhal_cell_sweep *op, int64_t deadline_ns);
int fake_limits_get(void *self, struct nmhal_limits *limits, int64_t deadline_ns);
int fake_limits_set(void *self, const struct nmhal_limits *limits, int64_t deadline_ns);
int fake_arm(void *self, uint32_t silence_ms, int64_t deadline_ns);
int fake_disarm(void *self, int64_t deadline_ns);
int fake_safe_state(void *self, int64_t deadline_ns);

#endif
