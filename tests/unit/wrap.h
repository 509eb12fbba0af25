/* SPDX-License-Identifier: MIT */
/*
 * Allocations of the library and of the test itself, counted and made to fail: what is linked with wrap_args
 * (meson.build) calls wrap.c in place of malloc() and its like. What shared libraries (HDF5, libc itself) allocate is
 * not seen. For one thread.
 */
#ifndef WRAP_H
#define WRAP_H

#include <stdbool.h>
#include <stddef.h>

/* From here on allocation `fail_at` (from 1; 0: none) fails, and with `for_good` all after it. */
void wrap_begin(unsigned fail_at, bool for_good);
/* Back to normal. Returns the number of allocations tried since wrap_begin(). */
unsigned wrap_end(void);
/* True when an allocation was made to fail since wrap_begin(). */
bool wrap_failed(void);
/* Blocks allocated since wrap_begin() and not freed yet. */
size_t wrap_live(void);

#endif
