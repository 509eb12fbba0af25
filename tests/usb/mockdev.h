/* SPDX-License-Identifier: MIT */
/*
 * The other way to a vusbd: umockdev's own device nodes, with a handler of ioctls, instead of usbfs.c. Slow, and the
 * nodes are always ready, but nothing of ours comes between libusb and libc.
 */
#ifndef MOCKDEV_H
#define MOCKDEV_H

#include <umockdev.h>

/* Serves the node of that path in this process. A bed does it where a program has mockdev.c and not usbfs.c. */
__attribute__((weak)) void mockdev_attach(UMockdevTestbed *sysfs, const char *path);

#endif
