/* SPDX-License-Identifier: MIT */
/* Writing a chip image to a device. */
#include <string.h>

#include "hal/hal.h"

/* Neurons per call when they are read back: they live on the stack. */
#define VERIFY_CHUNK 64u

static struct nmhal_attr_value attr_value(const struct nmhal_device *dev, const struct nm_image_attr *attr)
{
	struct nmhal_attr_value value = {.struct_size = sizeof(value), .type = NMHAL_ATTR_INT, .integer = attr->value};

	/* An image holds integers: for an attribute of type REAL the type does not fit, which its check says. */
	for (size_t i = 0; i < dev->lists.attr_count; i++)
		if (!strcmp(dev->lists.attrs[i].key, attr->key) && dev->lists.attrs[i].type == NMHAL_ATTR_BOOL)
			value.type = NMHAL_ATTR_BOOL;
	return value;
}

static int check_shape(struct nmhal_device *dev, const struct nmhal_image *image)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	/* An image without weights does not know how many rows there are. */
	uint32_t rows = image->weights ? image->rows : caps->rows;

	if (strcmp(image->board, caps->board) != 0)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "program an image: it is for board '%s', this is a '%s'",
			image->board, caps->board);
	if (image->cores == caps->cores && rows == caps->rows && image->cols == caps->cols)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INVALID,
		"program an image: it has %u cores of %u x %u, the device has %u of %u x %u", image->cores, rows,
		image->cols, caps->cores, caps->rows, caps->cols);
}

static int check_weights(struct nmhal_device *dev, const struct nmhal_image *image)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	size_t count = image->weights ? (size_t)image->cores * image->rows * image->cols : 0;

	for (size_t i = 0; i < count; i++)
		if (image->weights[i] < caps->weight_min || image->weights[i] > caps->weight_max)
			return nm_weight_outside(dev, &(struct nmhal_cell){(uint32_t)(i / image->cols / image->rows),
							      (uint32_t)(i / image->cols % image->rows),
							      (uint32_t)(i % image->cols), image->weights[i]});
	return NMHAL_OK;
}

static int check_image(struct nmhal_device *dev, const struct nmhal_image *image)
{
	int status = check_shape(dev, image);

	if (!status && image->neurons && !dev->ops.set_neurons)
		status = nm_unsupported(dev, "program an image with neurons", "neurons to set");
	if (!status)
		status = check_weights(dev, image);
	for (uint32_t core = 0; !status && image->neurons && core < image->cores; core++)
		status = nm_neurons_check(dev, core, 0, image->cols, nmhal_image_neurons(image, core));
	for (uint32_t i = 0; !status && i < image->attr_count; i++) {
		struct nmhal_attr_value value = attr_value(dev, &image->attrs[i]);
		size_t index;

		status = nm_attr_check(dev, image->attrs[i].key, &value, &index);
	}
	return status;
}

static bool same_neuron(const struct nmhal_neuron *a, const struct nmhal_neuron *b)
{
	return a->threshold == b->threshold && a->leak == b->leak && a->potential == b->potential &&
	       a->enabled == b->enabled;
}

static int verify_neurons(
	struct nmhal_device *dev, uint32_t core, const struct nmhal_neuron *wanted, int64_t deadline_ns)
{
	struct nmhal_neuron found[VERIFY_CHUNK];

	for (uint32_t i = 0; i < dev->caps.cols; i++) {
		const struct nmhal_neuron *read = &found[i % VERIFY_CHUNK];
		uint32_t left = dev->caps.cols - i;
		int status = NMHAL_OK;

		if (i % VERIFY_CHUNK == 0)
			status = dev->ops.get_neurons(
				dev->self, core, i, left < VERIFY_CHUNK ? left : VERIFY_CHUNK, found, deadline_ns);
		if (status)
			return status;
		if (!same_neuron(read, &wanted[i]))
			return nm_fail(dev->uri, NMHAL_E_VERIFY,
				"verify neuron %u of core %u: wanted threshold %d, leak %d, potential %d, enabled %u, "
				"read %d, %d, %d, %u",
				i, core, wanted[i].threshold, wanted[i].leak, wanted[i].potential, wanted[i].enabled,
				read->threshold, read->leak, read->potential, read->enabled);
	}
	return NMHAL_OK;
}

static int program_core(struct nmhal_device *dev, const struct nmhal_image *image, uint32_t core, uint32_t flags,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	const struct nmhal_neuron *neurons = nmhal_image_neurons(image, core);
	struct nmhal_program op = {.struct_size = sizeof(op),
		.region = {.core = core},
		.code_type = NMHAL_CODE_I16,
		.codes = nmhal_image_weights(image, core),
		.flags = flags};
	int status = op.codes ? nm_program_locked(dev, &op, report, deadline_ns) : NMHAL_OK;

	if (!status && neurons)
		status = nm_set_neurons_locked(dev, core, 0, image->cols, neurons, deadline_ns);
	if (!status && neurons && flags & NMHAL_PROGRAM_VERIFY)
		status = verify_neurons(dev, core, neurons, deadline_ns);
	return status;
}

int nm_image_program_locked(struct nmhal_device *dev, const struct nmhal_image *image, uint32_t flags,
	struct nmhal_program_report *report, int64_t deadline_ns)
{
	int status = nm_flags_check(dev, flags, "program an image");

	if (!status)
		status = check_image(dev, image);
	for (uint32_t core = 0; !status && core < image->cores; core++)
		status = program_core(dev, image, core, flags, report, deadline_ns);
	/* Last: an attribute may change how the board behaves while memories are written. */
	for (uint32_t i = 0; !status && i < image->attr_count; i++) {
		struct nmhal_attr_value value = attr_value(dev, &image->attrs[i]);

		status = nm_attr_set_locked(dev, image->attrs[i].key, &value, deadline_ns);
	}
	return status;
}

int nmhal_image_program(nmhal_device *dev, const nmhal_image *image, uint32_t flags, int32_t timeout_ms,
	struct nmhal_program_report *report)
{
	struct nmhal_program_report filled = {0};
	int64_t deadline_ns;
	int status =
		report ? nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_program_report")
		       : NMHAL_OK;

	if (!status && !image)
		status = nm_fail(NULL, NMHAL_E_INVALID, "program an image: image is NULL");
	if (!status)
		status = nm_device_enter(dev, timeout_ms, "program an image", &deadline_ns);
	if (status)
		return status;
	status = nm_device_leave(dev, nm_image_program_locked(dev, image, flags, &filled, deadline_ns));
	if (report)
		(void)nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_program_report");
	return status;
}
