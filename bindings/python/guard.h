/* SPDX-License-Identifier: MIT */
/* Ctrl-C during calls from Python. */
#ifndef NMHAL_PY_GUARD_H
#define NMHAL_PY_GUARD_H

#include <nmhal/nmhal.h>

#define NMHAL_PY_GUARDED 16

/* From now on Ctrl-C interrupts these devices (the first 16). Main thread only; 0: left as it was, do not unguard. */
int nmhal_py_guard(nmhal_device **devs, size_t count);
void nmhal_py_unguard(void);

#endif
