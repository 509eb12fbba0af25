/* SPDX-License-Identifier: MIT */
/* Chip images into HDF5: the layout of docs/image.md. */
#include <stdlib.h>
#include <string.h>

#include "hal/image_h5.h"

static bool write_attr(hid_t object, const char *name, hid_t file_type, hid_t memory_type, const void *value)
{
	hid_t space = H5Screate(H5S_SCALAR);
	hid_t attr = H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
	bool good = attr >= 0 && H5Awrite(attr, memory_type, value) >= 0;

	if (attr >= 0)
		H5Aclose(attr);
	if (space >= 0)
		H5Sclose(space);
	return good;
}

/* Of fixed length: such strings lie under the checksum of their object. */
static bool write_string(hid_t object, const char *name, const char *text)
{
	hid_t type = H5Tcopy(H5T_C_S1);
	bool good = type >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
		    write_attr(object, name, type, type, text);

	if (type >= 0)
		H5Tclose(type);
	return good;
}

static bool write_dataset(hid_t parent, const char *name, hid_t file_type, hid_t memory_type, int rank,
	const hsize_t *dims, const void *data)
{
	const hsize_t chunk[3] = {1, dims[1], rank == 3 ? dims[2] : 0};
	hid_t space = H5Screate_simple(rank, dims, NULL);
	hid_t create = H5Pcreate(H5P_DATASET_CREATE);
	hid_t set = H5I_INVALID_HID;
	bool good = false;

	/* Chunks, one per core, because only they can carry a checksum. */
	if (space >= 0 && create >= 0 && H5Pset_obj_track_times(create, false) >= 0 &&
		H5Pset_chunk(create, rank, chunk) >= 0 && H5Pset_fletcher32(create) >= 0)
		set = H5Dcreate2(parent, name, file_type, space, H5P_DEFAULT, create, H5P_DEFAULT);
	if (set >= 0) {
		good = H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
		H5Dclose(set);
	}
	if (create >= 0)
		H5Pclose(create);
	if (space >= 0)
		H5Sclose(space);
	return good;
}

static hid_t create_group(hid_t file, const char *name)
{
	hid_t create = H5Pcreate(H5P_GROUP_CREATE);
	hid_t group = H5I_INVALID_HID;

	if (create >= 0 && H5Pset_obj_track_times(create, false) >= 0)
		group = H5Gcreate2(file, name, H5P_DEFAULT, create, H5P_DEFAULT);
	if (create >= 0)
		H5Pclose(create);
	return group;
}

static bool write_weights(hid_t file, const struct nmhal_image *image)
{
	const hsize_t dims[3] = {image->cores, image->rows, image->cols};
	size_t count = (size_t)image->cores * image->rows * image->cols;
	hid_t type = H5T_STD_I8LE;

	for (size_t i = 0; i < count; i++)
		if (image->weights[i] < INT8_MIN || image->weights[i] > INT8_MAX)
			type = H5T_STD_I16LE;
	return write_dataset(file, "weights", type, H5T_NATIVE_INT16, 3, dims, image->weights);
}

static bool write_neurons(hid_t file, const struct nmhal_image *image)
{
	const hsize_t dims[2] = {image->cores, image->cols};
	size_t count = (size_t)image->cores * image->cols;
	int32_t *values = calloc(count, 4 * sizeof(*values));
	hid_t group = values ? create_group(file, "neurons") : H5I_INVALID_HID;
	bool good = group >= 0;

	for (size_t i = 0; good && i < count; i++) {
		values[i] = image->neurons[i].threshold;
		values[count + i] = image->neurons[i].leak;
		values[2 * count + i] = image->neurons[i].potential;
		values[3 * count + i] = (int32_t)image->neurons[i].enabled;
	}
	good = good && write_dataset(group, "threshold", H5T_STD_I32LE, H5T_NATIVE_INT32, 2, dims, values);
	good = good && write_dataset(group, "leak", H5T_STD_I32LE, H5T_NATIVE_INT32, 2, dims, values + count);
	good = good && write_dataset(group, "potential", H5T_STD_I32LE, H5T_NATIVE_INT32, 2, dims, values + 2 * count);
	good = good && write_dataset(group, "enabled", H5T_STD_U8LE, H5T_NATIVE_INT32, 2, dims, values + 3 * count);
	if (group >= 0)
		H5Gclose(group);
	free(values);
	return good;
}

static bool write_attrs(hid_t file, const struct nmhal_image *image)
{
	hid_t group = create_group(file, "attributes");
	bool good = group >= 0;

	for (uint32_t i = 0; good && i < image->attr_count; i++)
		good = write_attr(group, image->attrs[i].key, H5T_STD_I64LE, H5T_NATIVE_INT64, &image->attrs[i].value);
	if (group >= 0)
		H5Gclose(group);
	return good;
}

static bool fits(const struct nmhal_image *image)
{
	return image->cores <= NM_IMAGE_MAX_SIDE && image->rows <= NM_IMAGE_MAX_SIDE &&
	       image->cols <= NM_IMAGE_MAX_SIDE &&
	       (uint64_t)image->cores * (image->weights ? image->rows : 1) <= NM_IMAGE_MAX_CELLS / image->cols &&
	       image->attr_count <= NM_IMAGE_MAX_ATTRS;
}

int nm_image_write(const char *path, hid_t file, const struct nmhal_image *image)
{
	const int32_t schema = NM_IMAGE_SCHEMA;
	bool good;

	if (!image->weights && !image->neurons)
		return nm_fail(path, NMHAL_E_UNSUPPORTED, "write a chip image: it has neither weights nor neurons");
	if (!fits(image))
		return nm_fail(path, NMHAL_E_UNSUPPORTED,
			"write a chip image: %u cores of %u x %u, %u attributes: a file holds up to %u weights, sides "
			"of %u, %u attributes",
			image->cores, image->rows, image->cols, image->attr_count, NM_IMAGE_MAX_CELLS,
			NM_IMAGE_MAX_SIDE, NM_IMAGE_MAX_ATTRS);
	good = write_string(file, "format", NM_IMAGE_FORMAT) &&
	       write_attr(file, "schema", H5T_STD_I32LE, H5T_NATIVE_INT32, &schema) &&
	       write_string(file, "board", image->board);
	good = good && (!image->weights || write_weights(file, image));
	good = good && (!image->neurons || write_neurons(file, image));
	good = good && write_attrs(file, image);
	return good ? NMHAL_OK : nm_fail(path, NMHAL_E_NO_MEMORY, "write a chip image: HDF5 could not store it");
}
