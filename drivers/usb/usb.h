/* SPDX-License-Identifier: MIT */
/* nmlink boards on the USB: how they are found (find.c), and the stream of frames over libusb (stream.c). */
#ifndef USB_USB_H
#define USB_USB_H

#include <stdbool.h>

#include "drivers/common/usb_board.h"

/* A board: a device with an interface of class FF whose string begins with NMHAL. Endpoints by their addresses. */
struct usb_find {
	struct usb_board usb; /* with a reference of the device */
	unsigned bus;
	char port[USB_TEXT_SIZE]; /* "4.2": the way from the root hub, which stays when the board is replugged */
	uint8_t interface;
	uint8_t out, in;
	uint8_t events;       /* a second IN; 0: none */
	uint16_t out_packet;  /* wMaxPacketSize */
};

/* Which boards. NULL, 0: any. */
struct usb_wish {
	const char *serial, *port;
	unsigned bus;
};

/* finds[capacity] takes the boards of the wish, *count how many there are, *others boards that do not match. A libusb
 * error. */
int usb_find(struct libusb_context *usb, const struct usb_wish *wish, struct usb_find *finds, size_t capacity, size_t *count, size_t *others);
void usb_find_free(struct usb_find *finds, size_t count);

/* Opens a board and makes it a stream, which owns the context `usb` from then on. */
int usb_stream_open(struct nmhal_host *host, struct libusb_context *usb, const struct usb_find *find, int64_t deadline_ns, struct nmhal_stream *stream);

#endif
