/* SPDX-License-Identifier: MIT */
/* Image files: round trips, and files that are damaged, foreign or not what they should be. */
#include <hdf5.h>

#include "hal/image_h5.h"
#include "tests/unit/board.h"
#include "tests/unit/folder.h"

/* [2][3][4] with neurons and two attributes. */
static nmhal_image *sample(void)
{
	nmhal_image *image;

	assert_ok(nm_image_new(2, 3, 4, true, true, &image));
	strcpy(image->board, "board");
	for (int i = 0; i < 24; i++)
		image->weights[i] = (int16_t)(i % 16 - 8);
	for (int i = 0; i < 8; i++)
		image->neurons[i] = (struct nmhal_neuron){.threshold = 1000 + i, .leak = i, .potential = -i,
			.enabled = i & 1};
	assert_ok(nm_image_add_attr(image, "gain", INT64_MIN));
	assert_ok(nm_image_add_attr(image, "fast", 1));
	return image;
}

static bool has_attr(const nmhal_image *image, const struct nm_image_attr *attr)
{
	for (uint32_t i = 0; i < image->attr_count; i++)
		if (!strcmp(image->attrs[i].key, attr->key) && image->attrs[i].value == attr->value)
			return true;
	return false;
}

static bool same(const nmhal_image *a, const nmhal_image *b)
{
	size_t weights = (size_t)a->cores * a->rows * a->cols * sizeof(*a->weights);
	size_t neurons = (size_t)a->cores * a->cols * sizeof(*a->neurons);
	bool equal = a->cores == b->cores && a->rows == b->rows && a->cols == b->cols && !strcmp(a->board, b->board) &&
		     a->attr_count == b->attr_count && !a->weights == !b->weights && !a->neurons == !b->neurons;

	for (uint32_t i = 0; equal && i < a->attr_count; i++)
		equal = has_attr(b, &a->attrs[i]);
	return equal && (!a->weights || !memcmp(a->weights, b->weights, weights)) &&
	       (!a->neurons || !memcmp(a->neurons, b->neurons, neurons));
}

static void assert_round_trip(const nmhal_image *image)
{
	nmhal_image *back;
	void *bytes;
	size_t size;

	assert_ok(nm_image_encode("f", image, &bytes, &size));
	assert_ok(nm_image_decode("f", bytes, size, &back));
	ck_assert(same(image, back));
	nmhal_image_free(back);
	free(bytes);
}

START_TEST(round_trips)
{
	nmhal_image *image = sample();

	assert_round_trip(image);
	/* Codes that do not fit eight bits. */
	image->weights[3] = INT16_MIN;
	image->weights[4] = INT16_MAX;
	image->neurons[2] = (struct nmhal_neuron){INT32_MAX, INT32_MIN, INT32_MIN, 1, {0}};
	assert_round_trip(image);
	nmhal_image_free(image);
	assert_ok(nm_image_new(1, 2, 3, true, false, &image));
	strcpy(image->board, "b");
	assert_round_trip(image);
	nmhal_image_free(image);
	assert_ok(nm_image_new(2, 0, 3, false, true, &image));
	strcpy(image->board, "0123456789012345678901234567890");
	assert_round_trip(image);
	nmhal_image_free(image);
	/* More than one block of 65,536 numbers, with lines left over. */
	assert_ok(nm_image_new(2, 300, 700, true, false, &image));
	strcpy(image->board, "b");
	for (int i = 0; i < 2 * 300 * 700; i++)
		image->weights[i] = (int16_t)(i % 509);
	assert_round_trip(image);
	nmhal_image_free(image);
}
END_TEST

START_TEST(through_a_file)
{
	nmhal_image *image = sample(), *back = NULL;
	struct folder folder;
	char path[FOLDER_PATH];

	folder_make(&folder);
	folder_file(&folder, "i.h5", path);
	assert_fails(NMHAL_E_IO, "i.h5: open: no such file", nmhal_image_load(path, &back));
	assert_ok(nmhal_image_save(image, path));
	assert_ok(nmhal_image_save(image, path));
	assert_ok(nmhal_image_load(path, &back));
	ck_assert(same(image, back));
	ck_assert_uint_eq(folder_count(&folder), 1);
	assert_fails(NMHAL_E_IO, "create a temporary file",
		nmhal_image_save(image, folder_file(&folder, "no/i.h5", path)));
	nmhal_image_free(back);
	nmhal_image_free(image);
	folder_remove(&folder);
}
END_TEST

START_TEST(images_no_file_holds)
{
	nmhal_image *image = sample();
	void *bytes;
	size_t size;

	free(image->weights);
	free(image->neurons);
	image->weights = NULL;
	image->neurons = NULL;
	assert_fails(NMHAL_E_UNSUPPORTED, "neither weights nor neurons", nm_image_encode("f", image, &bytes, &size));
	nmhal_image_free(image);
	image = sample();
	image->cores = 65537;
	assert_fails(NMHAL_E_UNSUPPORTED, "65537 cores of 3 x 4", nm_image_encode("f", image, &bytes, &size));
	image->cores = 65536;
	image->rows = 65536;
	assert_fails(NMHAL_E_UNSUPPORTED, "65536 cores of 65536 x 4", nm_image_encode("f", image, &bytes, &size));
	image->cores = 2;
	image->rows = 3;
	/* Two attributes of one name: HDF5 says no. */
	assert_ok(nm_image_add_attr(image, "gain", 3));
	assert_fails(NMHAL_E_NO_MEMORY, "HDF5 could not store it", nm_image_encode("f", image, &bytes, &size));
	nmhal_image_free(image);
}
END_TEST

/* ---- damage ------------------------------------------------------------------------------------------------------ */

/* Whatever the damage: the image is refused, or it is the one that was written. */
static void assert_refused_or_same(const nmhal_image *image, void *bytes, size_t size)
{
	nmhal_image *back = (nmhal_image *)8;
	int status = nm_image_decode("f", bytes, size, &back);

	if (!status) {
		ck_assert(same(image, back));
		nmhal_image_free(back);
		return;
	}
	ck_assert_msg(status == NMHAL_E_PROTOCOL, "%d: %s", status, nmhal_last_error());
	ck_assert_ptr_eq(strstr(nmhal_last_error(), "f: read a chip image: "), nmhal_last_error());
	ck_assert_ptr_null(back);
}

START_TEST(every_length_that_is_too_short)
{
	nmhal_image *image = sample(), *back;
	void *bytes;
	size_t size;

	assert_ok(nm_image_encode("f", image, &bytes, &size));
	for (size_t length = 0; length < size; length += length < 600 ? 1 : 13) {
		void *cut = malloc(length ? length : 1);

		memcpy(cut, bytes, length);
		ck_assert_int_eq(nm_image_decode("f", cut, length, &back), NMHAL_E_PROTOCOL);
		ck_assert_ptr_null(back);
		free(cut);
	}
	free(bytes);
	nmhal_image_free(image);
}
END_TEST

START_TEST(every_byte_wrong)
{
	nmhal_image *image = sample();
	unsigned char *bytes;
	size_t size;

	assert_ok(nm_image_encode("f", image, (void **)&bytes, &size));
	for (size_t at = 0; at < size; at++) {
		unsigned char mask = (unsigned char)(1u << at % 8);

		bytes[at] ^= mask;
		assert_refused_or_same(image, bytes, size);
		bytes[at] ^= mask;
	}
	free(bytes);
	nmhal_image_free(image);
}
END_TEST

START_TEST(no_hdf5_at_all)
{
	char text[] = "step,kind,core,address,value\n0,spike,0,1,0\n";
	char late[1024 + 8] = "";
	nmhal_image *back;

	assert_fails(NMHAL_E_PROTOCOL, "f: read a chip image: not an HDF5 file",
		nm_image_decode("f", text, sizeof(text), &back));
	assert_fails(NMHAL_E_PROTOCOL, "not an HDF5 file", nm_image_decode("f", text, 0, &back));
	/* A signature after a user block, and nothing behind it. */
	memcpy(late + 1024, "\x89HDF\r\n\x1a\n", 8);
	assert_fails(NMHAL_E_PROTOCOL, "HDF5 file of 1032 bytes that is truncated or damaged",
		nm_image_decode("f", late, sizeof(late), &back));
}
END_TEST

/* ---- files of other programs ------------------------------------------------------------------------------------- */

static void put_number(hid_t object, const char *name, hid_t type, int64_t value)
{
	hid_t space = H5Screate(H5S_SCALAR);
	hid_t attr;

	if (H5Aexists(object, name) > 0)
		H5Adelete(object, name);
	attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	ck_assert_int_ge(
		H5Awrite(attr, H5Tget_sign(type) ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, &value), 0);
	H5Aclose(attr);
	H5Sclose(space);
}

static void put_string(hid_t file, const char *name, const char *text, bool variable)
{
	hid_t space = H5Screate(H5S_SCALAR);
	hid_t type = H5Tcopy(H5T_C_S1);
	hid_t attr;

	ck_assert_int_ge(H5Tset_size(type, variable ? H5T_VARIABLE : strlen(text) + 1), 0);
	H5Adelete(file, name);
	attr = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
	ck_assert_int_ge(H5Awrite(attr, type, variable ? (const void *)&text : (const void *)text), 0);
	H5Aclose(attr);
	H5Tclose(type);
	H5Sclose(space);
}

static void put_set(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hid_t create)
{
	static const int32_t zeros[64];
	hid_t space = H5Screate_simple(rank, dims, NULL);
	hid_t set;

	H5Ldelete(file, name, H5P_DEFAULT);
	set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
	ck_assert_int_ge(set, 0);
	if (create == H5P_DEFAULT && H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) <= 64)
		H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros);
	H5Dclose(set);
	H5Sclose(space);
}

static const hsize_t shape[3] = {2, 3, 4};
static const hsize_t neuron_shape[2] = {2, 4};

static void wrong_format(hid_t file)
{
	put_string(file, "format", "nmhal-pictures", false);
}

static void number_as_format(hid_t file)
{
	put_number(file, "format", H5T_STD_I32LE, 1);
}

static void no_schema(hid_t file)
{
	H5Adelete(file, "schema");
}

static void newer_schema(hid_t file)
{
	put_number(file, "schema", H5T_STD_I64LE, 2);
}

static void schema_zero(hid_t file)
{
	put_number(file, "schema", H5T_STD_I8LE, 0);
}

static void schema_text(hid_t file)
{
	put_string(file, "schema", "1", false);
}

static void schema_huge(hid_t file)
{
	put_number(file, "schema", H5T_STD_U64LE, -1);
}

static void board_empty(hid_t file)
{
	put_string(file, "board", "", false);
}

static void board_long(hid_t file)
{
	put_string(file, "board", "01234567890123456789012345678901", false);
}

static void board_very_long(hid_t file)
{
	char text[400];

	memset(text, 'b', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	put_string(file, "board", text, true);
}

static void format_very_long(hid_t file)
{
	char text[400];

	memset(text, 'f', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	put_string(file, "format", text, false);
}

static void no_weights_no_neurons(hid_t file)
{
	H5Ldelete(file, "weights", H5P_DEFAULT);
	H5Ldelete(file, "neurons", H5P_DEFAULT);
}

static void real_weights(hid_t file)
{
	put_set(file, "weights", H5T_IEEE_F32LE, 3, shape, H5P_DEFAULT);
}

static void text_weights(hid_t file)
{
	put_set(file, "weights", H5T_C_S1, 3, shape, H5P_DEFAULT);
}

static void enum_weights(hid_t file)
{
	hid_t type = H5Tenum_create(H5T_STD_I8LE);
	const int8_t one = 1;

	H5Tenum_insert(type, "ONE", &one);
	put_set(file, "weights", type, 3, shape, H5P_DEFAULT);
	H5Tclose(type);
}

static void opaque_weights(hid_t file)
{
	hid_t type = H5Tcreate(H5T_OPAQUE, 4);

	put_set(file, "weights", type, 3, shape, H5P_DEFAULT);
	H5Tclose(type);
}

static void flat_weights(hid_t file)
{
	put_set(file, "weights", H5T_STD_I8LE, 2, shape, H5P_DEFAULT);
}

static void wide_weights(hid_t file)
{
	const hsize_t dims[3] = {1, 1, 65537};

	put_set(file, "weights", H5T_STD_I8LE, 3, dims, H5P_DEFAULT);
}

static void huge_weights(hid_t file)
{
	const hsize_t dims[3] = {1024, 1024, 1024};

	put_set(file, "weights", H5T_STD_I8LE, 3, dims, H5P_DEFAULT);
}

static void empty_weights(hid_t file)
{
	const hsize_t dims[3] = {1, 0, 4};

	put_set(file, "weights", H5T_STD_I8LE, 3, dims, H5P_DEFAULT);
}

static void external_weights(hid_t file)
{
	hid_t create = H5Pcreate(H5P_DATASET_CREATE);

	H5Pset_external(create, "/etc/passwd", 0, 24);
	put_set(file, "weights", H5T_STD_I8LE, 3, shape, create);
	H5Pclose(create);
}

static void linked_weights(hid_t file)
{
	H5Ldelete(file, "weights", H5P_DEFAULT);
	H5Lcreate_external("other.h5", "/weights", file, "weights", H5P_DEFAULT, H5P_DEFAULT);
}

static void linked_neurons(hid_t file)
{
	H5Ldelete(file, "neurons", H5P_DEFAULT);
	H5Lcreate_soft("/weights", file, "neurons", H5P_DEFAULT, H5P_DEFAULT);
}

static void no_leak(hid_t file)
{
	H5Ldelete(file, "neurons/leak", H5P_DEFAULT);
}

static void other_cores(hid_t file)
{
	const hsize_t dims[2] = {1, 4};

	put_set(file, "neurons/leak", H5T_STD_I32LE, 2, dims, H5P_DEFAULT);
}

static void big_threshold(hid_t file)
{
	hid_t set = H5Dopen2(file, "neurons/enabled", H5P_DEFAULT);
	const int32_t values[8] = {[6] = 2};

	H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
	H5Dclose(set);
}

static void text_attribute(hid_t file)
{
	hid_t group = H5Gopen2(file, "attributes", H5P_DEFAULT);

	put_string(group, "gain", "7", false);
	H5Gclose(group);
}

static void attributes_linked(hid_t file)
{
	H5Ldelete(file, "attributes", H5P_DEFAULT);
	H5Lcreate_soft("/neurons", file, "attributes", H5P_DEFAULT, H5P_DEFAULT);
}

static void too_many_attributes(hid_t file)
{
	hid_t group = H5Gopen2(file, "attributes", H5P_DEFAULT);
	char name[16];

	for (int i = 0; i < 1024; i++) {
		snprintf(name, sizeof(name), "a%d", i);
		put_number(group, name, H5T_STD_I8LE, i);
	}
	H5Gclose(group);
}

static const struct {
	void (*change)(hid_t file);
	int status;
	const char *sentence;
} foreign[] = {
	{wrong_format, NMHAL_E_PROTOCOL, "attribute 'format' is 'nmhal-pictures', not 'nmhal-image'"},
	{number_as_format, NMHAL_E_PROTOCOL, "attribute 'format' is not one string but integers"},
	{no_schema, NMHAL_E_PROTOCOL, "HDF5 file without the attribute 'schema' of a chip image"},
	{newer_schema, NMHAL_E_VERSION, "schema 2, this library knows up to 1"},
	{schema_zero, NMHAL_E_PROTOCOL, "schema 0: they count from 1"},
	{schema_text, NMHAL_E_PROTOCOL, "attribute 'schema' is not one integer but strings"},
	{schema_huge, NMHAL_E_PROTOCOL, "attribute 'schema' is damaged or does not fit 64 bits"},
	{board_empty, NMHAL_E_PROTOCOL, "board '': a name has 1..31 bytes"},
	{board_long, NMHAL_E_PROTOCOL, "board '01234567890123456789012345678901': a name has 1..31 bytes"},
	{board_very_long, NMHAL_E_PROTOCOL, "attribute 'board' is damaged or longer than 255 bytes"},
	{format_very_long, NMHAL_E_PROTOCOL, "attribute 'format' is damaged or longer than 255 bytes"},
	{no_weights_no_neurons, NMHAL_E_PROTOCOL, "it has neither /weights nor /neurons"},
	{real_weights, NMHAL_E_PROTOCOL, "/weights holds floating-point numbers; expected integers"},
	{text_weights, NMHAL_E_PROTOCOL, "/weights holds strings; expected integers"},
	{enum_weights, NMHAL_E_PROTOCOL, "/weights holds an enumeration (or booleans); expected integers"},
	{opaque_weights, NMHAL_E_PROTOCOL, "/weights holds something else; expected integers"},
	{flat_weights, NMHAL_E_PROTOCOL, "/weights has 2 dimensions; expected [cores][rows][cols]"},
	{wide_weights, NMHAL_E_PROTOCOL, "/weights is 65537 long in dimension 2; expected 1..65536"},
	{huge_weights, NMHAL_E_PROTOCOL, "/weights has 1024 x 1024 x 1024 elements"},
	{empty_weights, NMHAL_E_PROTOCOL, "/weights is 0 long in dimension 1"},
	{external_weights, NMHAL_E_PROTOCOL, "/weights is damaged or keeps its data in another file"},
	{linked_weights, NMHAL_E_PROTOCOL, "/weights is damaged or a link"},
	{linked_neurons, NMHAL_E_PROTOCOL, "/neurons is damaged or a link"},
	{no_leak, NMHAL_E_PROTOCOL, "/neurons/leak is missing, damaged or not a dataset"},
	{other_cores, NMHAL_E_PROTOCOL, "/neurons/leak is for 1 cores of 4 columns; expected 2 of 4"},
	{big_threshold, NMHAL_E_PROTOCOL, "/neurons/enabled has a value of 2; expected 0..1"},
	{text_attribute, NMHAL_E_PROTOCOL, "attribute 'gain' is not one integer but strings"},
	{attributes_linked, NMHAL_E_PROTOCOL, "/attributes is damaged or not a group of this file"},
	{too_many_attributes, NMHAL_E_PROTOCOL, "more than 1024 attributes"},
};

/* Saves the sample, changes the file, loads it. */
static int load_changed(void (*change)(hid_t file), nmhal_image **out)
{
	nmhal_image *image = sample();
	struct folder folder;
	char path[FOLDER_PATH];
	hid_t file;
	int status;

	folder_make(&folder);
	folder_file(&folder, "i.h5", path);
	assert_ok(nmhal_image_save(image, path));
	file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
	ck_assert_int_ge(file, 0);
	change(file);
	ck_assert_int_ge(H5Fclose(file), 0);
	status = nmhal_image_load(path, out);
	nmhal_image_free(image);
	folder_remove(&folder);
	return status;
}

START_TEST(foreign_files)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++) {
		nmhal_image *back = (nmhal_image *)8;

		assert_fails(foreign[i].status, foreign[i].sentence, load_changed(foreign[i].change, &back));
		ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "/i.h5: read a chip image: "));
		ck_assert_ptr_null(back);
	}
}
END_TEST

/* What h5py and others write differently is as good. */
static void other_writer(hid_t file)
{
	put_string(file, "format", "nmhal-image", true);
	put_string(file, "board", "board", true);
	put_number(file, "schema", H5T_STD_U8BE, 1);
	put_set(file, "weights", H5T_STD_I64BE, 3, shape, H5P_DEFAULT);
	put_set(file, "neurons/threshold", H5T_STD_U16LE, 2, neuron_shape, H5P_DEFAULT);
	H5Ldelete(file, "attributes", H5P_DEFAULT);
}

START_TEST(files_of_other_writers)
{
	nmhal_image *back = NULL;

	assert_ok(load_changed(other_writer, &back));
	ck_assert_str_eq(back->board, "board");
	ck_assert_uint_eq(back->attr_count, 0);
	ck_assert_int_eq(back->weights[5], 0);
	ck_assert_int_eq(back->neurons[3].threshold, 0);
	ck_assert_int_eq(back->neurons[3].leak, 3);
	nmhal_image_free(back);
}
END_TEST

/* LeakSanitizer asks this: HDF5 1.10 loses memory over an object header with a wrong checksum. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libhdf5";
}

int main(void)
{
	const TTest *const tests[] = {round_trips, through_a_file, images_no_file_holds,
		every_length_that_is_too_short, every_byte_wrong, no_hdf5_at_all, foreign_files,
		files_of_other_writers};

	/* It complains of that at exit. */
	H5dont_atexit();
	return run_tests("image_h5", tests, sizeof(tests) / sizeof(*tests));
}
