/* SPDX-License-Identifier: MIT */
/*
 * Serves one virtual FT2232H (far.h) as the device node /dev/bus/usb/BUS/DEV, to the usbfs.c of any number of
 * processes: as a thread of a test program, or as a program of its own (vusbd_main.c).
 */
#ifndef VUSBD_H
#define VUSBD_H

#include <stddef.h>

#include "sim/vftdi/vftdi.h"

struct vusbd;

/* Listens in `directory` (see VUSB_ENV) and serves in a thread of its own; NULL with errno. */
struct vusbd *vusbd_start(const char *directory, unsigned bus, unsigned number, const struct vftdi_params *params);
/* Ends the thread; clients find the device gone. */
void vusbd_stop(struct vusbd *server);
/* Until the thread ends by itself: when it is told "quit". */
void vusbd_join(struct vusbd *server);

/*
 * Tells the server of a node something, from any process; answer: its text, [size]. 0, or -errno.
 *   unplug, plug, quit
 *   fault KIND urb|packet NUMBER    KIND as far_kind_names, or none; restarts the numbers
 *   kill NUMBER                     ends the process that submits the URB of that number, by SIGKILL; restarts them too
 *   numbers                         "URBS PACKETS HAPPENED"
 *   count                           restarts the counters
 *   counters                        "name value" a line
 *   pace on|off                     on: as slowly as the pins (far_pace())
 *   clock on|off                    the chip's CLK
 *   driver on|off                   ftdi_sio bound to both interfaces (the default), or to none
 *   drivers                         "1 1": interfaces that have their kernel driver
 *   access on|off                   off: open() gives EACCES
 *   record FILE|off                 appends every bulk packet: endpoint, size (2 bytes LE), bytes
 *   memory FILE                     writes 256 neuron and 8192 synapse words, LE
 */
int vusbd_tell(const char *directory, unsigned bus, unsigned number, const char *text, char *answer, size_t size);

#endif
