/* SPDX-License-Identifier: MIT */
/* Ctrl-C during calls from Python. */
#ifndef NMHAL_PY_GUARD_H
#define NMHAL_PY_GUARD_H

#include <nmhal/nmhal.h>

#define NMHAL_PY_GUARDED 16

/*
 * From now on Ctrl-C interrupts the calls on these devices (the first 16), then does what it did. Both calls belong to
 * the main thread. A guard that comes before the end of another one takes its place, and ends it.
 */
void nmhal_py_guard(nmhal_device **devs, size_t count);
/* Ends it; without one nothing happens. */
void nmhal_py_unguard(void);

#endif
