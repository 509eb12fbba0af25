/* SPDX-License-Identifier: MIT */
/* What ends a poll() early: an eventfd, written by interrupt() from any thread or signal handler. */
#ifndef COMMON_WAKE_H
#define COMMON_WAKE_H

#include <poll.h>
#include <stddef.h>

#include <nmhal/driver.h>

/* The descriptor in *wake, -1 after a failure; close() it. IO. */
int wake_open(struct nmhal_host *host, int *wake);
/* Safe in a signal handler. */
void wake_signal(int wake);
/*
 * poll() of count - 1 descriptors up to an absolute deadline; fds[count - 1] is filled in with `wake`. How many of the
 * others are ready; negative: errno. 0 uses a signal up: the caller then asks nmhal_host_poll(). While others are ready
 * the signal is kept.
 */
int wake_poll(int wake, struct pollfd *fds, size_t count, int64_t deadline_ns);

#endif
