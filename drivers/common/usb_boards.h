/* SPDX-License-Identifier: MIT */
/* The boards of a link on the USB: all of them, and the one that a URI means. */
#ifndef COMMON_USB_BOARDS_H
#define COMMON_USB_BOARDS_H

#include <stdbool.h>

#include "usb_board.h"

/* What a link knows of its boards. */
struct usb_family {
	const char *scheme; /* of their URIs: "usb" */
	const char *name;   /* for sentences: "nmlink board" */
	const char *remedy; /* when none is there */
	const char *begin;  /* of the product string of a board that is found without being named; "": any */
	/* Whether a device is one of them, as far as can be seen without opening it. */
	bool (*mine)(struct libusb_device *device, const struct libusb_device_descriptor *descriptor);
	/* The board of its URI: "tinyodin". *keys, "" at first: what the URI needs besides, ",mode=fifo". */
	const char *(*name_of)(const struct usb_board *board, const char **keys);
	/* Whether enumeration tells of it; NULL: always. */
	bool (*listed)(const struct usb_board *board);
};

/* Which board. NULL, 0: any. */
struct usb_wish {
	const char *name; /* "tinyodin"; of no weight where one of the others is given */
	const char *serial, *product, *port;
	unsigned bus;
};

/* The board of a URI, and its keys serial=, product=, bus= and port=. INVALID. */
int usb_wish_read(struct nmhal_host *host, const struct nmhal_uri *uri, struct usb_wish *wish);
/* The one board that is meant, with a reference of its device. NO_DEVICE (names several), ACCESS, BUSY, IO, GONE. */
int usb_boards_choose(struct nmhal_host *host, struct libusb_context *usb, const struct usb_family *family, const struct usb_wish *wish, struct usb_board *chosen);
/* nmhal_link.enumerate() of a family. */
int usb_boards_enumerate(const struct usb_family *family, struct nmhal_found *found);

#endif
