/* SPDX-License-Identifier: MIT */
/*
 * An open device node of usbfs, without a kernel: the ioctls that libusb makes, served by the vusbd of that node
 * (vusb.h). How libusb's calls get here is not known here: usbfs.c and mockdev.c do that.
 */
#ifndef NODE_H
#define NODE_H

#define NODE_PATHS "/dev/bus/usb/"

struct node;

/* 0; an errno that open() ends with; -1: no vusbd serves this path. */
int node_open(const char *path, struct node **node);
/*
 * The write end of a full pipe, which polls as usbfs does: writable when there is something to reap, error when the
 * device has left. Of the caller, who closes it.
 */
int node_fd(const struct node *node);
/* The result, or -errno. */
int node_ioctl(struct node *node, unsigned long request, void *arg);
void node_close(struct node *node);

#endif
