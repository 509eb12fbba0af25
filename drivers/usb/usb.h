/* SPDX-License-Identifier: MIT */
/* nmlink boards on the USB: how they are found (find.c), and the stream of frames over libusb (stream.c). */
#ifndef USB_USB_H
#define USB_USB_H

#include "drivers/common/usb_boards.h"

/* A board: a device with an interface of class FF whose string begins with NMHAL. Endpoints by their addresses. */
struct usb_find {
	struct usb_board usb;
	uint8_t interface;
	uint8_t out, in;
	uint8_t events;       /* a second IN; 0: none */
	uint16_t out_packet;  /* wMaxPacketSize */
};

/* Whether a device is a board, and where its frames go; leaves find->usb alone. */
bool usb_find_interface(struct libusb_device *device, struct usb_find *find);

/* Opens a board and makes it a stream, which owns the context `usb` from then on. */
int usb_stream_open(struct nmhal_host *host, struct libusb_context *usb, const struct usb_find *find, int64_t deadline_ns, struct nmhal_stream *stream);

#endif
