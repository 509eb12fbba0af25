/* SPDX-License-Identifier: MIT */
/* Cells below the weights: pulses, ramps, conductances, sweeps. */
#include "hal/hal.h"

#define MAX_AVERAGES 65535u

/* One cell of a call: its place on the device and which of the pair. */
static int check_cell(struct nmhal_device *dev, const char *what, const struct nmhal_cell *cell, uint32_t side)
{
	const struct nmhal_device_caps *caps = &dev->caps;

	if (cell->core >= caps->cores || cell->row >= caps->rows || cell->col >= caps->cols)
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"%s: row %u, column %u of core %u: the device has cores 0..%u, rows 0..%u, columns 0..%u", what,
			cell->row, cell->col, cell->core, caps->cores - 1, caps->rows - 1, caps->cols - 1);
	if (side > NMHAL_CELL_MINUS)
		return nm_fail(
			dev->uri, NMHAL_E_INVALID, "%s: side %u: there are 0 (plus) and 1 (minus)", what, side);
	return NMHAL_OK;
}

static int check_at_least_one(struct nmhal_device *dev, const char *what, const char *field, uint32_t value)
{
	if (value)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: %s is 0, must be at least 1", what, field);
}

static int check_reserved(struct nmhal_device *dev, const char *what, uint32_t reserved)
{
	if (!reserved)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: reserved is %u, must be 0", what, reserved);
}

static int pulse(struct nmhal_device *dev, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns)
{
	const char *what = "pulse cell";
	int status;

	if (!dev->ops.cell_pulse)
		return nm_unsupported(dev, what, "access to single cells");
	status = check_cell(dev, what, &(struct nmhal_cell){op->core, op->row, op->col, 0}, op->side);
	if (!status)
		status = check_at_least_one(dev, what, "pulses", op->pulses);
	if (!status)
		status = check_reserved(dev, what, op->reserved);
	if (status)
		return status;
	nm_shadow_forget(&dev->shadow, op->core, op->row, 1);
	return dev->ops.cell_pulse(dev->self, op, applied, deadline_ns);
}

int nmhal_cell_pulse(nmhal_device *dev, const struct nmhal_cell_pulse *op, uint32_t *applied)
{
	struct nmhal_cell_pulse known;
	uint32_t count = 0;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof known, sizeof known, op, "struct nmhal_cell_pulse");

	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, "pulse cell", &deadline_ns);
	if (!status)
		status = nm_device_leave(dev, pulse(dev, &known, &count, deadline_ns));
	if (applied)
		*applied = count;
	return status;
}

static int check_ramp(struct nmhal_device *dev, const struct nmhal_cell_ramp *op)
{
	const char *what = "ramp cell";
	int status = check_cell(dev, what, &(struct nmhal_cell){op->core, op->row, op->col, 0}, op->side);

	if (!status && (op->kind < NMHAL_RAMP_FORM || op->kind > NMHAL_RAMP_RESET))
		status = nm_fail(dev->uri, NMHAL_E_INVALID,
			"%s: kind %u: there are 1 (FORM), 2 (SET) and 3 (RESET)", what, op->kind);
	if (!status && op->start_uv > op->stop_uv)
		status = nm_fail(dev->uri, NMHAL_E_INVALID, "%s: start_uv is %u, above stop_uv, which is %u", what,
			op->start_uv, op->stop_uv);
	return status ? status : check_at_least_one(dev, what, "max_pulses", op->max_pulses);
}

static int ramp(struct nmhal_device *dev, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result,
	int64_t deadline_ns)
{
	int status;

	if (!dev->ops.cell_ramp)
		return nm_unsupported(dev, "ramp cell", "access to single cells");
	status = check_ramp(dev, op);
	if (status)
		return status;
	nm_shadow_forget(&dev->shadow, op->core, op->row, 1);
	return dev->ops.cell_ramp(dev->self, op, result, deadline_ns);
}

int nmhal_cell_ramp(nmhal_device *dev, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result)
{
	const char *name = "struct nmhal_cell_ramped";
	struct nmhal_cell_ramped ours = {.struct_size = sizeof ours};
	struct nmhal_cell_ramp known;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof known, sizeof known, op, "struct nmhal_cell_ramp");

	if (!status && result)
		status = nm_check_out(result, sizeof ours, sizeof ours, name);
	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, "ramp cell", &deadline_ns);
	if (status)
		return status;
	status = nm_device_leave(dev, ramp(dev, &known, &ours, deadline_ns));
	return status || !result ? status : nm_copy_out(result, sizeof ours, sizeof ours, &ours, name);
}

int nm_read_conductance_locked(struct nmhal_device *dev, struct nmhal_conductance_read *op, int64_t deadline_ns)
{
	const char *what = "read conductance";
	int status;

	if (!dev->ops.read_conductance)
		return nm_unsupported(dev, what, "access to single cells");
	if (!op->conductance_ps)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: conductance_ps is NULL", what);
	if (op->averages > MAX_AVERAGES)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "%s: averages is %u, must be 0..%u", what, op->averages,
			MAX_AVERAGES);
	status = nm_region_check(dev, &op->region);
	if (!status)
		status = check_cell(dev, what,
			&(struct nmhal_cell){op->region.core, op->region.row, op->region.col, 0}, op->side);
	if (!status)
		status = nm_stride_check(dev, &op->row_stride, op->region.cols, what);
	if (!status)
		status = check_reserved(dev, what, op->reserved);
	if (status)
		return status;
	if (!op->averages)
		op->averages = 1;
	return dev->ops.read_conductance(dev->self, op, deadline_ns);
}

int nmhal_read_conductance(nmhal_device *dev, const struct nmhal_conductance_read *op)
{
	struct nmhal_conductance_read known;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof known, sizeof known, op, "struct nmhal_conductance_read");

	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, "read conductance", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, nm_read_conductance_locked(dev, &known, deadline_ns));
}

static int check_sweep(struct nmhal_device *dev, const struct nmhal_cell_sweep *op)
{
	const char *what = "sweep cell";
	/* No overflow: at most 2^32 steps of at most 2^31. */
	int64_t last = op->start_uv + (int64_t)op->step_uv * ((int64_t)op->points - 1);
	int status = check_cell(dev, what, &(struct nmhal_cell){op->core, op->row, op->col, 0}, op->side);

	if (!status)
		status = check_at_least_one(dev, what, "points", op->points);
	if (!status && (last < INT32_MIN || last > INT32_MAX))
		status = nm_fail(dev->uri, NMHAL_E_INVALID,
			"%s: %u points from %d uV in steps of %d uV: the last is %lld uV, outside %d..%d", what,
			op->points, op->start_uv, op->step_uv, (long long)last, INT32_MIN, INT32_MAX);
	if (!status && !op->out)
		status = nm_fail(dev->uri, NMHAL_E_INVALID, "%s: out is NULL", what);
	return status ? status : check_reserved(dev, what, op->reserved);
}

static int sweep(struct nmhal_device *dev, const struct nmhal_cell_sweep *op, int64_t deadline_ns)
{
	int status;

	if (!dev->ops.cell_sweep)
		return nm_unsupported(dev, "sweep cell", "access to single cells");
	status = check_sweep(dev, op);
	if (status)
		return status;
	nm_shadow_forget(&dev->shadow, op->core, op->row, 1);
	status = dev->ops.cell_sweep(dev->self, op, deadline_ns);
	if (!status)
		*op->measured = op->points;
	return status;
}

int nmhal_cell_sweep(nmhal_device *dev, const struct nmhal_cell_sweep *op)
{
	struct nmhal_cell_sweep known;
	uint32_t measured;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof known, sizeof known, op, "struct nmhal_cell_sweep");

	if (status)
		return status;
	if (!known.measured)
		known.measured = &measured;
	*known.measured = 0;
	status = nm_device_enter(dev, known.timeout_ms, "sweep cell", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, sweep(dev, &known, deadline_ns));
}
