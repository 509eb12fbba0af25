/* SPDX-License-Identifier: MIT */
/* What needs libusb and libftdi1: boards as find.c finds them, and the port that usb.c opens on one. */
#ifndef FTDI_USB_H
#define FTDI_USB_H

#include <ftdi.h>
#include <libusb.h>

#include "drivers/common/usb_board.h"
#include "port.h"

/* A board on the bus. */
struct ftdi_find {
	struct usb_board usb; /* with a reference of the device */
	const char *chip;     /* "FT2232H", ... */
};

#define FTDI_NMLINK "NMHAL nmlink" /* begin of the product string of a board that speaks nmlink */

/* Which boards. NULL: any; but without both, product strings that begin with `begin`. */
struct ftdi_wish {
	const char *product, *serial, *begin;
};

/* finds[capacity] takes the boards that match, *count how many there are, *others FTDI boards that do not match or
 * whose strings nobody may read; *closed is one of the latter, or empty. A libusb error. */
int ftdi_find(struct libusb_context *usb, const struct ftdi_wish *wish, struct ftdi_find *finds, size_t capacity, size_t *count, size_t *others, struct ftdi_find *closed);
void ftdi_find_free(struct ftdi_find *finds, size_t count);

/* Opens channel A of a board, or (channels 2) both, and makes it a port, which owns `ftdi` from then on. */
int ftdi_port_open(struct nmhal_host *host, struct ftdi_context *ftdi, const struct ftdi_find *find, int channels, struct ftdi_port *port);

#endif
