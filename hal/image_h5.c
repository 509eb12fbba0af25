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

static hid_t open_bytes(const void *bytes, size_t size)
{
	void *copy = malloc(size);
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	hid_t file = H5I_INVALID_HID;

	if (copy && access >= 0) {
		memcpy(copy, bytes, size); /* HDF5 takes the image as not const */
		if (H5Pset_fapl_core(access, 65536, false) >= 0 && H5Pset_file_image(access, copy, size) >= 0)
			file = H5Fopen("chip image", H5F_ACC_RDONLY, access);
	}
	if (access >= 0)
		H5Pclose(access);
	free(copy);
	return file;
}

int nm_image_decode(const char *path, const void *bytes, size_t size, struct nmhal_image **out)
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

static hid_t create_file(void)
{
	hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	hid_t create = H5Pcreate(H5P_FILE_CREATE);
	hid_t file = H5I_INVALID_HID;

	/* From 1.10 on all that HDF5 writes around the data carries checksums; no times: equal images are equal files.
	 */
	if (access >= 0 && create >= 0 && H5Pset_fapl_core(access, 65536, false) >= 0 &&
		H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
		H5Pset_obj_track_times(create, false) >= 0)
		file = H5Fcreate("chip image", H5F_ACC_TRUNC, create, access);
	if (create >= 0)
		H5Pclose(create);
	if (access >= 0)
		H5Pclose(access);
	return file;
}

static int copy_out(const char *path, hid_t file, void **bytes, size_t *size)
{
	ssize_t needed = H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
	void *room = needed > 0 ? malloc((size_t)needed) : NULL;

	if (!room || H5Fget_file_image(file, room, (size_t)needed) != needed) {
		free(room);
		return nm_fail(path, NMHAL_E_NO_MEMORY, "write a chip image: HDF5 could not make the file");
	}
	*bytes = room;
	*size = (size_t)needed;
	return NMHAL_OK;
}

int nm_image_encode(const char *path, const struct nmhal_image *image, void **bytes, size_t *size)
{
	struct silence before;
	hid_t file;
	int status;

	enter(&before);
	file = create_file();
	if (file < 0) {
		status = nm_fail(path, NMHAL_E_NO_MEMORY, "write a chip image: HDF5 could not begin");
	} else {
		status = nm_image_write(path, file, image);
		if (!status)
			status = copy_out(path, file, bytes, size);
		H5Fclose(file);
	}
	leave(&before);
	return status;
}
