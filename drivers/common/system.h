/* SPDX-License-Identifier: MIT */
/* What several links ask the system. */
#ifndef COMMON_SYSTEM_H
#define COMMON_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#define SYSTEM_HOLDER_SIZE 64u

/* A text file of one line; "" if it cannot be read. */
void system_read_line(const char *path, char *text, size_t size);
/* "process 4711 (openocd)", which has the node open; false if none that may be seen. */
bool system_holder(const char *node, char text[SYSTEM_HOLDER_SIZE]);
/* A value of a URI, with what would end it or hide in it as %XX. */
void system_print_value(char *to, size_t size, const char *value);

#endif
