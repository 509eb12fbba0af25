/* SPDX-License-Identifier: MIT */
/* What needs libusb and libftdi1: boards as find.c finds them, and the port that usb.c opens on one. */
#ifndef FTDI_USB_H
#define FTDI_USB_H

#include <ftdi.h>
#include <libusb.h>

#include "port.h"

#define FTDI_TEXT_SIZE 64u
#define FTDI_NODE_SIZE 48u
#define FTDI_HOLDER_SIZE 64u

/* A board on the bus. */
struct ftdi_find {
	struct libusb_device *device; /* a reference */
	const char *chip;    /* "FT2232H", ... */
	int error;           /* libusb's, of an attempt to open its node */
	char product[FTDI_TEXT_SIZE], serial[FTDI_TEXT_SIZE]; /* "": none, or not to be read */
	char node[FTDI_NODE_SIZE]; /* /dev/bus/usb/001/002 */
};

/* Which boards. NULL: any; but without both, product strings that begin with "NMHAL". */
struct ftdi_wish {
	const char *product, *serial;
};

/* finds[capacity] takes the boards that match, *count how many there are, *others FTDI boards that do not match or
 * whose strings nobody may read; *closed is one of the latter, or empty. A libusb error. */
int ftdi_find(struct libusb_context *usb, const struct ftdi_wish *wish, struct ftdi_find *finds, size_t capacity, size_t *count, size_t *others, struct ftdi_find *closed);
void ftdi_find_free(struct ftdi_find *finds, size_t count);
/* "process 4711 (openocd)", which has the node open; false if none that may be seen. */
bool ftdi_find_holder(const char *node, char text[FTDI_HOLDER_SIZE]);

/* Opens both channels of a board and makes it a port, which owns `ftdi` from then on. */
int ftdi_port_open(struct nmhal_host *host, struct ftdi_context *ftdi, const struct ftdi_find *find, struct ftdi_port *port);

#endif
