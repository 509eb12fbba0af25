/* SPDX-License-Identifier: MIT */
/* Chip image files in a build without HDF5. */
#include "hal/hal.h"

int nm_image_files(const char *path)
{
	return nm_fail(path, NMHAL_E_UNSUPPORTED, "chip image files: this library was built without HDF5");
}

int nm_image_decode(const char *path, void *bytes, size_t size, struct nmhal_image **out)
{
	(void)bytes;
	(void)size;
	*out = NULL;
	return nm_image_files(path);
}

int nm_image_encode(const char *path, const struct nmhal_image *image, void **bytes, size_t *size)
{
	(void)image;
	*bytes = NULL;
	*size = 0;
	return nm_image_files(path);
}
