/* SPDX-License-Identifier: MIT */
/*
 * Chip images out of HDF5. The file may come from any program, and may be damaged: everything is checked before it is
 * used, and links, external storage and virtual datasets, which could lead to other files, are not followed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/image_h5.h"

#define MAX_TEXT 255u	/* bytes of a string attribute */
#define BLOCK	 65536u /* numbers read at once; at least NM_IMAGE_MAX_SIDE */

/* What is being read. */
struct in {
	const char *path;
	hid_t file;
	struct nmhal_image *image;
	int64_t *block; /* [BLOCK] */
};

/* A dataset of integers and where they go. */
struct field {
	const char *name; /* "/neurons/leak" */
	int rank;
	int64_t min, max;
	void (*store)(struct nmhal_image *image, size_t first, size_t count, const int64_t *values);
};

#define bad(in, ...) nm_fail((in)->path, NMHAL_E_PROTOCOL, "read a chip image: " __VA_ARGS__)

static const char *type_name(hid_t type)
{
	switch (H5Tget_class(type)) {
	case H5T_INTEGER:
		return "integers";
	case H5T_FLOAT:
		return "floating-point numbers";
	case H5T_STRING:
		return "strings";
	case H5T_ENUM:
		return "an enumeration (or booleans)";
	default:
		return "something else";
	}
}

static bool one_element(hid_t attr)
{
	hid_t space = H5Aget_space(attr);
	bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;

	if (space >= 0)
		H5Sclose(space);
	return one;
}

/* Reads a string of variable length; false: damaged or too long. */
static bool read_variable(hid_t attr, hid_t memory_type, char text[MAX_TEXT + 1])
{
	char *value = NULL;
	bool good = H5Tset_size(memory_type, H5T_VARIABLE) >= 0 && H5Aread(attr, memory_type, &value) >= 0 && value &&
		    strlen(value) <= MAX_TEXT;

	if (good)
		memcpy(text, value, strlen(value) + 1);
	(void)H5free_memory(value);
	return good;
}

static bool read_fixed(hid_t attr, hid_t memory_type, size_t size, char text[MAX_TEXT + 1])
{
	memset(text, 0, MAX_TEXT + 1);
	return size <= MAX_TEXT && H5Tset_size(memory_type, MAX_TEXT + 1) >= 0 && H5Aread(attr, memory_type, text) >= 0;
}

static bool read_text(hid_t attr, hid_t type, char text[MAX_TEXT + 1])
{
	hid_t memory_type = H5Tcopy(H5T_C_S1);
	bool good = false;

	/* HDF5 does not convert between ASCII and UTF-8. */
	if (memory_type >= 0 && H5Tset_cset(memory_type, H5Tget_cset(type)) >= 0)
		good = H5Tis_variable_str(type) > 0 ? read_variable(attr, memory_type, text)
						    : read_fixed(attr, memory_type, H5Tget_size(type), text);
	if (memory_type >= 0)
		H5Tclose(memory_type);
	return good;
}

static int read_string(const struct in *in, const char *name, char text[MAX_TEXT + 1])
{
	hid_t attr = H5Aopen(in->file, name, H5P_DEFAULT);
	hid_t type = attr < 0 ? H5I_INVALID_HID : H5Aget_type(attr);
	int status = NMHAL_OK;

	if (type < 0)
		status = bad(in, "attribute '%s' cannot be read; the file is damaged", name);
	else if (H5Tget_class(type) != H5T_STRING || !one_element(attr))
		status = bad(in, "attribute '%s' is not one string but %s", name, type_name(type));
	else if (!read_text(attr, type, text))
		status = bad(in, "attribute '%s' is damaged or longer than %u bytes", name, MAX_TEXT);
	if (type >= 0)
		H5Tclose(type);
	if (attr >= 0)
		H5Aclose(attr);
	return status;
}

/* Reads an integer of any width; HDF5 itself would clip an unsigned one without a word. */
static bool read_number(hid_t attr, hid_t type, int64_t *value)
{
	uint64_t large;

	if (H5Tget_size(type) > sizeof(large))
		return false;
	if (H5Tget_sign(type) != H5T_SGN_NONE)
		return H5Aread(attr, H5T_NATIVE_INT64, value) >= 0;
	if (H5Aread(attr, H5T_NATIVE_UINT64, &large) < 0 || large > INT64_MAX)
		return false;
	*value = (int64_t)large;
	return true;
}

static int read_integer(const struct in *in, hid_t object, const char *name, int64_t *value)
{
	hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
	hid_t type = attr < 0 ? H5I_INVALID_HID : H5Aget_type(attr);
	int status = NMHAL_OK;

	if (type < 0)
		status = bad(in, "attribute '%s' cannot be read; the file is damaged", name);
	else if (H5Tget_class(type) != H5T_INTEGER || !one_element(attr))
		status = bad(in, "attribute '%s' is not one integer but %s", name, type_name(type));
	else if (!read_number(attr, type, value))
		status = bad(in, "attribute '%s' is damaged or does not fit 64 bits with sign", name);
	if (type >= 0)
		H5Tclose(type);
	if (attr >= 0)
		H5Aclose(attr);
	return status;
}

static int read_head(const struct in *in, char board[MAX_TEXT + 1])
{
	static const char *const needed[] = {"format", "schema", "board"};
	char format[MAX_TEXT + 1];
	int64_t schema = 0;
	int status;

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (H5Aexists(in->file, needed[i]) <= 0)
			return bad(in, "HDF5 file without the attribute '%s' of a chip image", needed[i]);
	status = read_string(in, "format", format);
	if (!status && strcmp(format, NM_IMAGE_FORMAT) != 0)
		status = bad(in, "attribute 'format' is '%s', not '%s'", format, NM_IMAGE_FORMAT);
	if (!status)
		status = read_integer(in, in->file, "schema", &schema);
	if (!status && schema > NM_IMAGE_SCHEMA)
		status = nm_fail(in->path, NMHAL_E_VERSION,
			"read a chip image: schema %lld, this library knows up to %d", (long long)schema,
			NM_IMAGE_SCHEMA);
	else if (!status && schema < 1)
		status = bad(in, "schema %lld: they count from 1", (long long)schema);
	if (!status)
		status = read_string(in, "board", board);
	if (!status && (!*board || strlen(board) >= sizeof(in->image->board)))
		status = bad(in, "board '%s': a name has 1..%zu bytes", board, sizeof(in->image->board) - 1);
	return status;
}

/* 1: an object of the file itself, 0: nothing there, -1: a link to elsewhere, or damaged. */
static int object_there(hid_t parent, const char *name)
{
	H5L_info_t info;
	htri_t exists = H5Lexists(parent, name, H5P_DEFAULT);

	if (exists <= 0)
		return exists < 0 ? -1 : 0;
	return H5Lget_info(parent, name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD ? 1 : -1;
}

static bool data_inside(hid_t set)
{
	hid_t create = H5Dget_create_plist(set);
	bool inside = create >= 0 && H5Pget_layout(create) != H5D_VIRTUAL && H5Pget_external_count(create) == 0;

	if (create >= 0)
		H5Pclose(create);
	return inside;
}

/* Rank and sides of a dataset of integers. */
static int check_dataset(const struct in *in, hid_t set, const struct field *field, hsize_t dims[3])
{
	hid_t type = H5Dget_type(set);
	hid_t space = H5Dget_space(set);
	int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
	int status = NMHAL_OK;

	if (type < 0 || rank < 0 || !data_inside(set))
		status = bad(in, "%s is damaged or keeps its data in another file", field->name);
	else if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) > sizeof(int64_t))
		status = bad(in, "%s holds %s; expected integers of up to 64 bits", field->name, type_name(type));
	else if (rank != field->rank)
		status = bad(in, "%s has %d dimensions; expected %s", field->name, rank,
			field->rank == 3 ? "[cores][rows][cols]" : "[cores][cols]");
	else if (H5Sget_simple_extent_dims(space, dims, NULL) != rank)
		status = bad(in, "%s is damaged", field->name);
	for (int i = 0; !status && i < rank; i++)
		if (dims[i] < 1 || dims[i] > NM_IMAGE_MAX_SIDE)
			status = bad(in, "%s is %llu long in dimension %d; expected 1..%u", field->name,
				(unsigned long long)dims[i], i, NM_IMAGE_MAX_SIDE);
	if (space >= 0)
		H5Sclose(space);
	if (type >= 0)
		H5Tclose(type);
	return status;
}

static int open_dataset(const struct in *in, const struct field *field, hsize_t dims[3], hid_t *set)
{
	int status;

	*set = object_there(in->file, field->name) == 1 ? H5Dopen2(in->file, field->name, H5P_DEFAULT)
							: H5I_INVALID_HID;
	if (*set < 0)
		return bad(in, "%s is missing, damaged or not a dataset of this file", field->name);
	status = check_dataset(in, *set, field, dims);
	if (status)
		H5Dclose(*set);
	return status;
}

/* Reads `lines` lines from position start, of the innermost two dimensions, into the block. */
static bool read_block(const struct in *in, hid_t set, int rank, const hsize_t start[3], hsize_t lines, hsize_t length)
{
	const hsize_t count[3] = {rank == 3 ? 1 : lines, rank == 3 ? lines : length, length};
	const hsize_t size = lines * length;
	hid_t space = H5Dget_space(set);
	hid_t memory = H5Screate_simple(1, &size, NULL);
	bool good = space >= 0 && memory >= 0 &&
		    H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
		    H5Dread(set, H5T_NATIVE_INT64, memory, space, H5P_DEFAULT, in->block) >= 0;

	if (memory >= 0)
		H5Sclose(memory);
	if (space >= 0)
		H5Sclose(space);
	return good;
}

static int read_values(const struct in *in, hid_t set, const struct field *field, const hsize_t dims[3])
{
	hsize_t length = dims[field->rank - 1];
	hsize_t lines = dims[field->rank - 2];
	hsize_t outer = field->rank == 3 ? dims[0] : 1;
	hsize_t most = BLOCK / length;

	for (hsize_t line = 0; line < outer * lines;) {
		const hsize_t start[3] = {
			field->rank == 3 ? line / lines : line, field->rank == 3 ? line % lines : 0, 0};
		hsize_t left = lines - line % lines;
		hsize_t n = left < most ? left : most;

		if (!read_block(in, set, field->rank, start, n, length))
			return bad(in, "%s cannot be read; the file is damaged", field->name);
		for (hsize_t i = 0; i < n * length; i++)
			if (in->block[i] < field->min || in->block[i] > field->max)
				return bad(in, "%s has a value of %lld; expected %lld..%lld", field->name,
					(long long)in->block[i], (long long)field->min, (long long)field->max);
		field->store(in->image, (size_t)(line * length), (size_t)(n * length), in->block);
		line += n;
	}
	return NMHAL_OK;
}

static void store_weights(struct nmhal_image *image, size_t first, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		image->weights[first + i] = (int16_t)values[i];
}

static void store_threshold(struct nmhal_image *image, size_t first, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		image->neurons[first + i].threshold = (int32_t)values[i];
}

static void store_leak(struct nmhal_image *image, size_t first, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		image->neurons[first + i].leak = (int32_t)values[i];
}

static void store_potential(struct nmhal_image *image, size_t first, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		image->neurons[first + i].potential = (int32_t)values[i];
}

static void store_enabled(struct nmhal_image *image, size_t first, size_t count, const int64_t *values)
{
	for (size_t i = 0; i < count; i++)
		image->neurons[first + i].enabled = (uint32_t)values[i];
}

static const struct field weights_field = {"/weights", 3, INT16_MIN, INT16_MAX, store_weights};
static const struct field neuron_fields[] = {
	{"/neurons/threshold", 2, INT32_MIN, INT32_MAX, store_threshold},
	{"/neurons/leak", 2, INT32_MIN, INT32_MAX, store_leak},
	{"/neurons/potential", 2, INT32_MIN, INT32_MAX, store_potential},
	{"/neurons/enabled", 2, 0, 1, store_enabled},
};

/* Cores, rows and cols of the file's datasets; rows is 0 without weights. */
static int read_shape(const struct in *in, bool weights, bool neurons, uint32_t shape[3])
{
	const struct field *field = weights ? &weights_field : &neuron_fields[0];
	hsize_t dims[3] = {0};
	hid_t set;
	int status;

	if (!weights && !neurons)
		return bad(in, "it has neither /weights nor /neurons");
	status = open_dataset(in, field, dims, &set);
	if (status)
		return status;
	H5Dclose(set);
	shape[0] = (uint32_t)dims[0];
	shape[1] = weights ? (uint32_t)dims[1] : 0;
	shape[2] = (uint32_t)dims[field->rank - 1];
	if (dims[0] * (weights ? dims[1] : 1) > NM_IMAGE_MAX_CELLS / dims[field->rank - 1])
		return bad(in, "%s has %u x %u x %u elements; expected at most %u in all", field->name, shape[0],
			weights ? shape[1] : 1, shape[2], NM_IMAGE_MAX_CELLS);
	return NMHAL_OK;
}

static int read_field(const struct in *in, const struct field *field)
{
	const struct nmhal_image *image = in->image;
	hsize_t dims[3];
	hid_t set;
	int status = open_dataset(in, field, dims, &set);

	if (status)
		return status;
	if (dims[0] != image->cores || dims[field->rank - 1] != image->cols)
		status = bad(in, "%s is for %llu cores of %llu columns; expected %u of %u", field->name,
			(unsigned long long)dims[0], (unsigned long long)dims[field->rank - 1], image->cores,
			image->cols);
	else
		status = read_values(in, set, field, dims);
	H5Dclose(set);
	return status;
}

/* Of the iteration over /attributes. */
struct collect {
	const struct in *in;
	int status;
};

static herr_t collect_attr(hid_t group, const char *name, const H5A_info_t *info, void *user)
{
	struct collect *collect = user;
	int64_t value;

	(void)info;
	if (collect->in->image->attr_count == NM_IMAGE_MAX_ATTRS)
		collect->status = bad(collect->in, "more than %u attributes", NM_IMAGE_MAX_ATTRS);
	else
		collect->status = read_integer(collect->in, group, name, &value);
	if (!collect->status)
		collect->status = nm_image_add_attr(collect->in->image, name, value);
	return collect->status ? -1 : 0;
}

static int read_attrs(const struct in *in)
{
	struct collect collect = {in, NMHAL_OK};
	int there = object_there(in->file, "attributes");
	hid_t group = there == 1 ? H5Gopen2(in->file, "attributes", H5P_DEFAULT) : H5I_INVALID_HID;
	herr_t done;

	if (!there)
		return NMHAL_OK;
	if (group < 0)
		return bad(in, "/attributes is damaged or not a group of this file");
	done = H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, NULL, collect_attr, &collect);
	H5Gclose(group);
	if (done < 0 && !collect.status)
		return bad(in, "/attributes cannot be read; the file is damaged");
	return collect.status;
}

static int read_body(struct in *in, const char *board)
{
	int weights = object_there(in->file, "weights");
	int neurons = object_there(in->file, "neurons");
	uint32_t shape[3] = {0};
	int status;

	if (weights < 0 || neurons < 0)
		return bad(in, "%s is damaged or a link", weights < 0 ? "/weights" : "/neurons");
	status = read_shape(in, weights, neurons, shape);
	if (!status)
		status = nm_image_new(shape[0], shape[1], shape[2], weights, neurons, &in->image);
	if (status)
		return status;
	memcpy(in->image->board, board, strlen(board));
	if (weights)
		status = read_field(in, &weights_field);
	for (size_t i = 0; !status && neurons && i < sizeof(neuron_fields) / sizeof(*neuron_fields); i++)
		status = read_field(in, &neuron_fields[i]);
	return status ? status : read_attrs(in);
}

int nm_image_read(const char *path, hid_t file, struct nmhal_image **out)
{
	struct in in = {.path = path, .file = file};
	char board[MAX_TEXT + 1];
	int status = read_head(&in, board);

	if (status)
		return status;
	in.block = calloc(BLOCK, sizeof(*in.block));
	status = in.block ? read_body(&in, board) : nm_no_memory(path, "a block of the chip image");
	free(in.block);
	if (status)
		nmhal_image_free(in.image);
	else
		*out = in.image;
	return status;
}
