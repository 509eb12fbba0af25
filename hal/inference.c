/* SPDX-License-Identifier: MIT */
/* Batches of matrix-vector products on the crossbar. */
#include "hal/hal.h"

static int check_batch(struct nmhal_device *dev, const struct nmhal_inference *op)
{
	const uint32_t known = NMHAL_INFER_TRANSPOSED | NMHAL_INFER_BIT_SERIAL;

	if (op->flags & ~known)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "inference: flags 0x%x: known are 0x%x", op->flags, known);
	if (op->flags & NMHAL_INFER_TRANSPOSED && !(dev->caps.features & NMHAL_CAN_INFER_TRANSPOSED))
		return nm_unsupported(dev, "inference with TRANSPOSED", "transposed products");
	if (op->flags & NMHAL_INFER_BIT_SERIAL && !(dev->caps.features & NMHAL_CAN_INFER_BIT_SERIAL))
		return nm_unsupported(dev, "inference with BIT_SERIAL", "bit-serial inputs");
	if (op->reserved)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "inference: reserved is %u: it must be 0", op->reserved);
	if (!op->in || !op->out)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "inference: %s is NULL", op->in ? "out" : "in");
	if (!op->batch || op->batch > dev->caps.max_batch)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "inference: batch of %u vectors: the device takes 1..%u",
			op->batch, dev->caps.max_batch);
	return NMHAL_OK;
}

static int check_inputs(struct nmhal_device *dev, const struct nmhal_inference *op, uint32_t inputs)
{
	int32_t *line = dev->shadow.line;

	for (uint32_t b = 0; b < op->batch; b++) {
		uint32_t bad = nm_codes_outside(op->in, op->in_type, b * op->in_stride, inputs, dev->caps.input_min,
			dev->caps.input_max, line);

		if (bad < inputs)
			return nm_fail(dev->uri, NMHAL_E_INVALID,
				"inference: input %d at vector %u, element %u: outside %d..%d", line[bad], b, bad,
				dev->caps.input_min, dev->caps.input_max);
	}
	return NMHAL_OK;
}

static int infer(struct nmhal_device *dev, struct nmhal_inference *op, int64_t deadline_ns)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	bool transposed = op->flags & NMHAL_INFER_TRANSPOSED;
	int status;

	if (!dev->ops.run_inference)
		return nm_unsupported(dev, "inference", "inference");
	status = check_batch(dev, op);
	if (!status)
		status = nm_region_check(dev, &op->region);
	if (!status)
		status = nm_type_check(dev, op->in_type, 0, 0, "inference inputs");
	if (!status)
		status = nm_type_check(dev, op->out_type, caps->output_min, caps->output_max, "inference outputs");
	if (!status)
		status = nm_stride_check(
			dev, &op->in_stride, transposed ? op->region.cols : op->region.rows, "inference inputs");
	if (!status)
		status = nm_stride_check(
			dev, &op->out_stride, transposed ? op->region.rows : op->region.cols, "inference outputs");
	if (!status)
		status = check_inputs(dev, op, transposed ? op->region.cols : op->region.rows);
	return status ? status : dev->ops.run_inference(dev->self, op, deadline_ns);
}

int nmhal_run_inference(nmhal_device *dev, const struct nmhal_inference *op)
{
	struct nmhal_inference known;
	int64_t deadline_ns;
	int status = nm_copy_in(&known, sizeof(known), sizeof(known), op, "struct nmhal_inference");

	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, "inference", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, infer(dev, &known, deadline_ns));
}
