/* SPDX-License-Identifier: MIT */
/*
 * Chip images as HDF5 files in memory. The bytes come from and go to file.c, so HDF5 opens, locks and names no file.
 */
#include <stdlib.h>
#include <string.h>

#include "hal/image_h5.h"

/* HDF5 is often built without locks of its own. */
static pthread_mutex_t hdf5_lock = PTHREAD_MUTEX_INITIALIZER;

/* The caller's way of printing HDF5 errors, to be put back. */
struct silence {
	H5E_auto2_t print;
	void *data;
};

static void enter(struct silence *before)
{
	pthread_mutex_lock(&hdf5_lock);
	(void)H5Eget_auto2(H5E_DEFAULT, &before->print, &before->data);
	(void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static void leave(const struct silence *before)
{
	(void)H5Eclear2(H5E_DEFAULT);
	(void)H5Eset_auto2(H5E_DEFAULT, before->print, before->data);
	pthread_mutex_unlock(&hdf5_lock);
}

int nm_image_files(const char *path)
{
	(void)path;
	return NMHAL_OK;
}

/* The signature may come after a user block of 512, 1024, 2048, ... bytes. */
static bool has_signature(const char *bytes, size_t size)
{
	static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};

	for (size_t at = 0; at + sizeof(signature) <= size; at = at ? at * 2 : 512)
		if (!memcmp(bytes + at, signature, sizeof(signature)))
			return true;
	return false;
}

/* HDF5 takes the bytes as not const, but works on a copy. */
static hid_t open_bytes(void *bytes, size_t size)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	hid_t file = H5I_INVALID_HID;

	if (access >= 0 && H5Pset_fapl_core(access, 65536, false) >= 0 && H5Pset_file_image(access, bytes, size) >= 0)
		file = H5Fopen("chip image", H5F_ACC_RDONLY, access);
	if (access >= 0)
		H5Pclose(access);
	return file;
}

int nm_image_decode(const char *path, void *bytes, size_t size, struct nmhal_image **out)
{
	struct silence before;
	hid_t file;
	int status;

	*out = NULL;
	if (!has_signature(bytes, size))
		return nm_fail(path, NMHAL_E_PROTOCOL, "read a chip image: not an HDF5 file");
	enter(&before);
	file = open_bytes(bytes, size);
	if (file < 0) {
		status = nm_fail(path, NMHAL_E_PROTOCOL,
			"read a chip image: HDF5 file of %zu bytes that is truncated or damaged", size);
	} else {
		status = nm_image_read(path, file, out);
		H5Fclose(file);
	}
	leave(&before);
	return status;
}

/*
 * The finished file in memory, which HDF5 gives up at close. (H5Fget_file_image() of 1.10 clears flags in the
 * superblock of an open file and leaves the checksum as it was: no reader takes such a file.)
 */
static void *take_memory(size_t size, H5FD_file_image_op_t op, void *taken)
{
	(void)op;
	(void)taken;
	return malloc(size);
}

static void *resize_memory(void *bytes, size_t size, H5FD_file_image_op_t op, void *taken)
{
	(void)op;
	(void)taken;
	return realloc(bytes, size);
}

static herr_t give_memory(void *bytes, H5FD_file_image_op_t op, void *taken)
{
	void **closed = taken;

	if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE && !*closed)
		*closed = bytes;
	else
		free(bytes);
	return 0;
}

static void *share_taken(void *taken)
{
	return taken;
}

static herr_t leave_taken(void *taken)
{
	(void)taken;
	return 0;
}

/* *taken (NULL before) becomes the memory of the file when it is closed. */
static hid_t create_file(void **taken)
{
	H5FD_file_image_callbacks_t memory = {.image_malloc = take_memory,
		.image_realloc = resize_memory,
		.image_free = give_memory,
		.udata_copy = share_taken,
		.udata_free = leave_taken,
		.udata = taken};
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	hid_t create = H5Pcreate(H5P_FILE_CREATE);
	hid_t file = H5I_INVALID_HID;

	/* From 1.10 on all that HDF5 writes around the data carries checksums; no times, so that equal images are equal
	 * files. */
	if (access >= 0 && create >= 0 && H5Pset_fapl_core(access, 65536, false) >= 0 &&
		H5Pset_file_image_callbacks(access, &memory) >= 0 &&
		H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
		H5Pset_obj_track_times(create, false) >= 0)
		file = H5Fcreate("chip image", H5F_ACC_TRUNC, create, access);
	if (create >= 0)
		H5Pclose(create);
	if (access >= 0)
		H5Pclose(access);
	return file;
}

int nm_image_encode(const char *path, const struct nmhal_image *image, void **bytes, size_t *size)
{
	struct silence before;
	ssize_t length = -1;
	bool whole = false;
	int status = NMHAL_OK;
	void *taken = NULL;
	hid_t file;

	enter(&before);
	file = create_file(&taken);
	if (file >= 0) {
		status = nm_image_write(path, file, image);
		if (H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0)
			length = H5Fget_file_image(file, NULL, 0);
		whole = H5Fclose(file) >= 0 && length > 0 && taken;
	}
	leave(&before);
	if (!status && !whole)
		status = nm_fail(path, NMHAL_E_NO_MEMORY, "write a chip image: HDF5 could not make the file");
	if (status) {
		free(taken);
		return status;
	}
	*bytes = taken;
	*size = (size_t)length;
	return NMHAL_OK;
}
