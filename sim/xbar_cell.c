/* SPDX-License-Identifier: MIT */
/* Single cells: pulses, forming, conductances, sweeps (section "Cells"). */
#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

/* Mean thresholds in V and their spread from cell to cell. */
#define SET_V           1.0f
#define RESET_V         1.1f
#define SWITCH_SIGMA_V  0.05f
#define FORM_V          3.0f
#define FORM_SIGMA_V    0.1f

/* A pulse moves the cell by (V - threshold) / 10 V * width / (width + 100 ns) of the way, 20 % from pulse to pulse. */
#define SHARE_PER_V     0.1f
#define HALF_WIDTH_NS   100.0f
#define PULSE_SIGMA     0.2f
#define FORMED_SHARE    0.5f /* of the largest code, after forming */

#define SENSE_STEPS     256 /* of a quantum: resolution of a read */

static uint32_t cell_word(enum xbar_purpose purpose, const struct xbar_cell *at)
{
	return xbar_counter_word(purpose, at->tile, 2 * at->col + at->side);
}

/* Standard normal numbers of the cell; zeros without programming noise. */
static struct xbar_normals normals_of(const struct xbar *xbar, enum xbar_purpose purpose, const struct xbar_cell *at,
				      uint64_t use)
{
	if (!(xbar->options.effects & XBAR_WRITE_NOISE))
		return (struct xbar_normals){0.0f, 0.0f};
	return xbar_normals_at(xbar->options.seed, cell_word(purpose, at), at->row, use);
}

/* Share of the way to the end of its range that a pulse moves the cell. */
static float share_of(float over_v, uint32_t width_ns, float normal)
{
	float width = (float)width_ns / ((float)width_ns + HALF_WIDTH_NS);
	float share = ((over_v * SHARE_PER_V) * width) * (1.0f + PULSE_SIGMA * normal);

	return xbar_clamp(share, 0.0f, 1.0f);
}

/* What one pulse makes of a conductance. */
static uint16_t pulsed(const struct xbar *xbar, const struct xbar_cell *at, uint16_t g, int32_t voltage_uv,
		       uint32_t width_ns)
{
	struct xbar_cell_state *cell = xbar_cell_state(xbar, at);
	struct xbar_normals device = normals_of(xbar, XBAR_FOR_DEVICE, at, 0);
	float volts = (float)(voltage_uv < 0 ? -(int64_t)voltage_uv : voltage_uv) * 1e-6f;
	float over = volts - ((voltage_uv > 0 ? SET_V : RESET_V) + SWITCH_SIGMA_V * device.sin), share;

	if (!cell->formed) {
		if (voltage_uv < 0 || volts < FORM_V + FORM_SIGMA_V * device.cos)
			return g;
		cell->formed = true;
		return (uint16_t)xbar_round(FORMED_SHARE * (float)xbar->full);
	}
	if (over <= 0.0f)
		return g;
	share = share_of(over, width_ns, normals_of(xbar, XBAR_FOR_PULSE, at, cell->pulses).sin);
	if (voltage_uv < 0)
		return (uint16_t)(g - xbar_round(share * (float)g));
	return (uint16_t)(g + (g < xbar->full ? xbar_round(share * (float)(xbar->full - g)) : 0));
}

void xbar_pulse(struct xbar *xbar, const struct xbar_cell *at, int32_t voltage_uv, uint32_t width_ns, uint32_t pulses)
{
	struct xbar_cell_state *cell = xbar_cell_state(xbar, at);
	struct xbar_cell_state before = *cell;
	uint16_t start = xbar_device_drifted(xbar, at), g = start;

	xbar_trace(xbar, voltage_uv);
	xbar->trace.pulses += pulses;
	for (uint32_t i = 0; i < pulses; i++) {
		cell->pulses++;
		g = pulsed(xbar, at, g, voltage_uv, width_ns);
	}
	if (g == start && cell->formed == before.formed)
		return;
	cell->aim = cell->g = g;
	cell->events++;
	cell->since_s = xbar->time_s;
	xbar_plane_changed(xbar, at->tile, at->row, at->col);
}

bool xbar_formed(const struct xbar *xbar, const struct xbar_cell *cell)
{
	return xbar_cell_state(xbar, cell)->formed;
}

/* One read, in steps of 1 / SENSE_STEPS quantum. */
static uint32_t sensed(const struct xbar *xbar, const struct xbar_cell *at, uint64_t use)
{
	uint16_t quanta = xbar_device_quanta(xbar, at);
	float g = (float)quanta;

	if (xbar->options.effects & XBAR_READ_NOISE) {
		float sigma = xbar_sqrt(xbar_device_variance(xbar, at, quanta));

		g = g + sigma * xbar_normals_at(xbar->options.seed, cell_word(XBAR_FOR_SENSE, at), at->row, use).sin;
	}
	return (uint32_t)xbar_round(xbar_clamp(g, 0.0f, (float)XBAR_QUANTA_MAX) * (float)SENSE_STEPS);
}

uint32_t xbar_conductance_max_ps(const struct xbar *xbar)
{
	return (uint32_t)xbar_round(xbar_device_max_us(xbar)) * 1000000u;
}

uint32_t xbar_conductance_bound_ps(const struct xbar *xbar)
{
	const uint64_t full = (uint64_t)xbar->full;

	return (uint32_t)(((uint64_t)XBAR_QUANTA_MAX * xbar_conductance_max_ps(xbar) + full - 1) / full);
}

static uint32_t mean_ps(const struct xbar *xbar, const struct xbar_cell *at, uint64_t use, unsigned averages)
{
	uint64_t sum = 0, steps = (uint64_t)averages * SENSE_STEPS * (uint64_t)xbar->full;

	for (unsigned i = 0; i < averages; i++)
		sum += sensed(xbar, at, use + i);
	return (uint32_t)((sum * xbar_conductance_max_ps(xbar) + steps / 2) / steps);
}

uint32_t xbar_conductance(struct xbar *xbar, const struct xbar_cell *cell, uint64_t use, unsigned averages)
{
	xbar_trace(xbar, (int32_t)XBAR_READ_UV);
	return mean_ps(xbar, cell, use, averages);
}

int32_t xbar_current(struct xbar *xbar, const struct xbar_cell *cell, int32_t voltage_uv, uint32_t width_ns,
		     uint64_t use)
{
	int64_t current, magnitude = voltage_uv < 0 ? -(int64_t)voltage_uv : voltage_uv;

	xbar_pulse(xbar, cell, voltage_uv, width_ns, 1);
	current = ((int64_t)mean_ps(xbar, cell, use, 1) * magnitude + 500000000) / 1000000000;
	return (int32_t)(voltage_uv < 0 ? -current : current);
}

void xbar_voltage_trace(const struct xbar *xbar, struct xbar_voltage_trace *trace)
{
	*trace = xbar->trace;
}

uint32_t xbar_cell_pulses(const struct xbar *xbar, const struct xbar_cell *cell)
{
	return xbar_cell_state(xbar, cell)->pulses;
}
