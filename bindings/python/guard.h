/* SPDX-License-Identifier: MIT */
/* Ctrl-C during calls from Python and from compiled programs. */
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
/* From now on, or from the end of the guard that is on, Ctrl-C interrupts the calls that run on slots, then does what
 * it did. Any thread, any number of times. */
void nmhal_py_guard_slots(void);
/* In a forked child, before anything else: nothing of the parent is guarded here, none of its slots is known. */
void nmhal_py_forked(void);

#endif
