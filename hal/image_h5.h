/* SPDX-License-Identifier: MIT */
/* What reading and writing of chip image files share: docs/image.md as numbers. */
#ifndef NM_IMAGE_H5_H
#define NM_IMAGE_H5_H

#include <hdf5.h>

#include "hal/hal.h"

#define NM_IMAGE_FORMAT	   "nmhal-image"
#define NM_IMAGE_SCHEMA	   1
#define NM_IMAGE_MAX_SIDE  65536u     /* cores, rows, cols */
#define NM_IMAGE_MAX_CELLS (1u << 26) /* cores * rows * cols */
#define NM_IMAGE_MAX_ATTRS 1024u

/* Called with HDF5 locked and silent. */
int nm_image_read(const char *path, hid_t file, struct nmhal_image **out);
int nm_image_write(const char *path, hid_t file, const struct nmhal_image *image);

#endif
