/* SPDX-License-Identifier: MIT */
/* A board on the USB, as far as looking at it tells, over libusb. Reads strings, changes nothing. */
#ifndef COMMON_USB_BOARD_H
#define COMMON_USB_BOARD_H

#include <libusb.h>

#include <nmhal/driver.h>

#define USB_TEXT_SIZE 64u
#define USB_NODE_SIZE 48u

struct usb_board {
	struct libusb_device *device;
	int error; /* libusb's, of an attempt to open its node */
	char product[USB_TEXT_SIZE], serial[USB_TEXT_SIZE]; /* "": none, or not to be read */
	char node[USB_NODE_SIZE]; /* /dev/bus/usb/001/002 */
	unsigned bus;
	char port[USB_TEXT_SIZE]; /* "4.2": the way from the root hub, which stays when the board is replugged */
};

/* Fills in a board: the kernel's copy of the strings, the device's own where there is none. Opens the node for a
 * moment, to see whether that is allowed. */
void usb_board_describe(struct usb_board *board, struct libusb_device *device, const struct libusb_device_descriptor *descriptor);
/* The kernel's copy of a string, which everybody may read: a file in sysfs of an interface, -1: of the device. "" if
 * there is none. */
void usb_board_sysfs(struct libusb_device *device, int interface, const char *name, char text[USB_TEXT_SIZE]);
/* NMHAL_OK, ACCESS, or BUSY when a process has the node open. */
int usb_board_access(const struct usb_board *board);
/* Status and sentence of a board that cannot be opened, for libusb's error. */
int usb_board_fail(struct nmhal_host *host, const struct usb_board *board, int error);

/* The status that an error of libusb is. */
int usb_status(int error);
/* ... and one of a transfer. */
int usb_transfer_status(enum libusb_transfer_status status);

#endif
