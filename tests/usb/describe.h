/* SPDX-License-Identifier: MIT */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stddef.h>

#include "model.h"

#define DESCRIBE_SIZE 4096u

/* A virtual device on port `number` of bus `bus`, with its interfaces, in the text form umockdev takes devices in.
 * False: it does not fit. Nobody else uses the model meanwhile. */
bool describe_device(const struct model *model, unsigned bus, unsigned number, char text[DESCRIBE_SIZE]);
/* Its path below /sys. */
void describe_path(unsigned bus, unsigned number, char *path, size_t size);

#endif
