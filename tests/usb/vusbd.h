/* SPDX-License-Identifier: MIT */
/*
 * Serves one virtual device (far.h) as the device node /dev/bus/usb/BUS/DEV, to the usbfs.c of any number of
 * processes: as a thread of a test program, or as a program of its own (vusbd_main.c).
 */
#ifndef VUSBD_H
#define VUSBD_H

#include <stddef.h>

#include "model.h"

struct vusbd;

/* Listens in `directory` (see VUSB_ENV) and serves in a thread of its own; owns the model, also when it fails: NULL. */
struct vusbd *vusbd_start(const char *directory, unsigned bus, unsigned number, struct model model);
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
 *   pace on|off                     on: as slowly as the pins (far_pace())
 *   driver on|off                   the kernel driver bound to all interfaces (the default), or to none
 *   drivers                         "1 1": interfaces that have their kernel driver
 *   access on|off                   off: open() gives EACCES
 *   record FILE|off                 appends every bulk packet: endpoint, size (2 bytes LE), bytes
 * An emulated board:
 *   frames                          how many it has taken
 *   armed                           0 or 1
 *   suspend                         the bus falls silent, and wakes up again
 * An FT2232H:
 *   count                           restarts the counters
 *   counters                        "name value" a line
 *   clock on|off                    the chip's CLK
 *   memory FILE                     writes 256 neuron and 8192 synapse words, LE
 * An echo:
 *   hold on|off                     on: takes no OUT packets
 *   stale SIZE                      has a frame of SIZE bytes for the host, unasked
 *   event SIZE                      likewise on the endpoint of events
 */
int vusbd_tell(const char *directory, unsigned bus, unsigned number, const char *text, char *answer, size_t size);

#endif
