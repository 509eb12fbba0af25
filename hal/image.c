/* SPDX-License-Identifier: MIT */
/* Chip images in memory: made from a device, written to a device, asked by users. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

/* Far above any image: the largest has 2^26 weights of two bytes. */
#define MAX_FILE ((size_t)512 << 20)

int nm_image_new(uint32_t cores, uint32_t rows, uint32_t cols, bool weights, bool neurons, struct nmhal_image **out)
{
	struct nmhal_image *image = calloc(1, sizeof(*image));

	*out = NULL;
	if (!image)
		return nm_no_memory(NULL, "a chip image");
	image->cores = cores;
	image->rows = rows;
	image->cols = cols;
	if (weights)
		image->weights = calloc((size_t)cores * rows * cols, sizeof(*image->weights));
	if (neurons)
		image->neurons = calloc((size_t)cores * cols, sizeof(*image->neurons));
	if ((weights && !image->weights) || (neurons && !image->neurons)) {
		nmhal_image_free(image);
		return nm_fail(NULL, NMHAL_E_NO_MEMORY, "a chip image of %u cores of %u x %u: out of memory", cores,
			rows, cols);
	}
	*out = image;
	return NMHAL_OK;
}

int nm_image_add_attr(struct nmhal_image *image, const char *key, int64_t value)
{
	struct nm_image_attr *grown;
	char *copy = strdup(key);

	grown = copy ? realloc(image->attrs, (image->attr_count + 1) * sizeof(*grown)) : NULL;
	if (!grown) {
		free(copy);
		return nm_no_memory(NULL, "an attribute of a chip image");
	}
	image->attrs = grown;
	grown[image->attr_count].key = copy;
	grown[image->attr_count++].value = value;
	return NMHAL_OK;
}

void nmhal_image_free(nmhal_image *image)
{
	if (!image)
		return;
	for (uint32_t i = 0; image->attrs && i < image->attr_count; i++)
		free(image->attrs[i].key);
	free(image->attrs);
	free(image->weights);
	free(image->neurons);
	free(image);
}

static int check_out(nmhal_image **out, const char *what)
{
	if (!out)
		return nm_fail(NULL, NMHAL_E_INVALID, "%s: out is NULL", what);
	*out = NULL;
	return NMHAL_OK;
}

int nmhal_image_load(const char *path, nmhal_image **out)
{
	void *bytes;
	size_t size;
	int status = check_out(out, "load a chip image");

	if (!status && (!path || !*path))
		status = nm_fail(NULL, NMHAL_E_INVALID, "load a chip image: path is %s", path ? "empty" : "NULL");
	if (!status)
		status = nm_image_files(path);
	if (!status)
		status = nm_file_read(path, MAX_FILE, &bytes, &size);
	if (status)
		return status;
	status = nm_image_decode(path, bytes, size, out);
	free(bytes);
	return status;
}

int nmhal_image_save(const nmhal_image *image, const char *path)
{
	void *bytes;
	size_t size;
	int status;

	if (!image || !path || !*path)
		return nm_fail(NULL, NMHAL_E_INVALID, "save a chip image: %s", image ? "no path" : "image is NULL");
	status = nm_image_files(path);
	if (!status)
		status = nm_image_encode(path, image, &bytes, &size);
	if (status)
		return status;
	status = nm_file_replace(path, bytes, size);
	free(bytes);
	return status;
}

static int capture_attrs(struct nmhal_device *dev, struct nmhal_image *image, int64_t deadline_ns)
{
	for (size_t i = 0; i < dev->lists.attr_count; i++) {
		const struct nmhal_attr_info *attr = &dev->lists.attrs[i];
		struct nmhal_attr_value value;
		int status;

		if (!(attr->flags & NMHAL_ATTR_SAVED) || attr->type == NMHAL_ATTR_REAL)
			continue;
		status = nm_attr_get_locked(dev, attr->key, &value, deadline_ns);
		if (!status)
			status = nm_image_add_attr(image, attr->key, value.integer);
		if (status)
			return status;
	}
	return NMHAL_OK;
}

static int capture_core(struct nmhal_device *dev, struct nmhal_image *image, uint32_t core, int64_t deadline_ns)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	const struct nmhal_region region = {core, 0, 0, caps->rows, caps->cols, 0};
	const size_t cells = (size_t)caps->rows * caps->cols;
	int16_t *codes = image->weights + core * cells;
	int status = nm_read_weights_locked(dev, &region, codes, caps->cols, deadline_ns);

	/* What was programmed, where it reads as that: the noise of a read is no part of the chip's image. */
	if (!status)
		memcpy(codes, nm_shadow_row(&dev->shadow, core, 0), cells * sizeof(*codes));
	if (!status && image->neurons)
		status = dev->ops.get_neurons(
			dev->self, core, 0, caps->cols, image->neurons + (size_t)core * caps->cols, deadline_ns);
	return status;
}

int nm_image_capture_locked(struct nmhal_device *dev, int64_t deadline_ns, struct nmhal_image **out)
{
	const struct nmhal_device_caps *caps = &dev->caps;
	struct nmhal_image *image;
	int status = nm_image_new(caps->cores, caps->rows, caps->cols, true, dev->ops.get_neurons, &image);

	*out = NULL;
	if (status)
		return status;
	memcpy(image->board, caps->board, sizeof(image->board));
	for (uint32_t core = 0; !status && core < caps->cores; core++)
		status = capture_core(dev, image, core, deadline_ns);
	if (!status)
		status = capture_attrs(dev, image, deadline_ns);
	if (status)
		nmhal_image_free(image);
	else
		*out = image;
	return status;
}

int nmhal_image_capture(nmhal_device *dev, int32_t timeout_ms, nmhal_image **out)
{
	int64_t deadline_ns;
	int status = check_out(out, "capture a chip image");

	if (!status)
		status = nm_device_enter(dev, timeout_ms, "capture a chip image", &deadline_ns);
	if (status)
		return status;
	return nm_device_leave(dev, nm_image_capture_locked(dev, deadline_ns, out));
}

int nmhal_image_get_info(const nmhal_image *image, struct nmhal_image_info *info)
{
	struct nmhal_image_info filled = {0};

	if (!image)
		return nm_fail(NULL, NMHAL_E_INVALID, "information about a chip image: image is NULL");
	filled.cores = image->cores;
	filled.rows = image->rows;
	filled.cols = image->cols;
	filled.has_weights = image->weights != NULL;
	filled.has_neurons = image->neurons != NULL;
	filled.attr_count = image->attr_count;
	memcpy(filled.board, image->board, sizeof(filled.board));
	return nm_copy_out(info, sizeof(*info), sizeof(*info), &filled, "struct nmhal_image_info");
}

const int16_t *nmhal_image_weights(const nmhal_image *image, uint32_t core)
{
	if (!image || !image->weights || core >= image->cores)
		return NULL;
	return image->weights + (size_t)core * image->rows * image->cols;
}

const struct nmhal_neuron *nmhal_image_neurons(const nmhal_image *image, uint32_t core)
{
	if (!image || !image->neurons || core >= image->cores)
		return NULL;
	return image->neurons + (size_t)core * image->cols;
}

const char *nmhal_image_attr(const nmhal_image *image, uint32_t index, int64_t *value)
{
	if (!image || index >= image->attr_count)
		return NULL;
	if (value)
		*value = image->attrs[index].value;
	return image->attrs[index].key;
}
