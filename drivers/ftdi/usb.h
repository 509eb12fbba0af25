/* SPDX-License-Identifier: MIT */
/* The port that usb.c opens on a board: what needs libusb and libftdi1. */
#ifndef FTDI_USB_H
#define FTDI_USB_H

#include <ftdi.h>
#include <libusb.h>

#include "drivers/common/usb_board.h"
#include "port.h"

/* Opens channel A of a board, or (channels 2) both, and makes it a port, which owns `ftdi` from then on. */
int ftdi_port_open(struct nmhal_host *host, struct ftdi_context *ftdi, const struct usb_board *board, int channels, struct ftdi_port *port);

#endif
