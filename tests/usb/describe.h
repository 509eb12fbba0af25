/* SPDX-License-Identifier: MIT */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stddef.h>

#include "sim/vftdi/vftdi.h"

/* A virtual board on port `number` of bus `bus`, in the text form umockdev takes devices in. False: it does not fit. */
bool describe_board(const struct vftdi_params *params, unsigned bus, unsigned number, char *text, size_t size);
/* Its path below /sys. */
void describe_path(unsigned bus, unsigned number, char *path, size_t size);

#endif
