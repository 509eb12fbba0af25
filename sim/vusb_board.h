/* SPDX-License-Identifier: MIT */
/*
 * An emulated board as a USB device, as nmlink/PROTOCOL.md says: class FF, interface string "NMHAL ...", a bulk OUT and
 * a bulk IN endpoint for frames, a second bulk IN for events; BOS, WebUSB and Microsoft OS 2.0 descriptors. High speed.
 * A model without I/O, threads or clocks, as sim/vftdi/vftdi.h: the caller serialises the calls and carries the bytes.
 */
#ifndef VUSB_BOARD_H
#define VUSB_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/board.h"

#define VUSB_BOARD_PACKET 512u /* high-speed bulk packet */
#define VUSB_BOARD_OUT    0x01u
#define VUSB_BOARD_IN     0x81u
#define VUSB_BOARD_EVENTS 0x82u
#define VUSB_BOARD_STALL  (-1)
#define VUSB_BOARD_NAK    (-2)

/* Strings: at most 60 ASCII characters each; NULL: the board's own. */
struct vusb_board_params {
	uint16_t vendor, product;    /* 0: 1209:0001, the pair for tests of pid.codes */
	const char *manufacturer, *product_name, *interface_name, *serial;
};

struct vusb_board;

/* Takes the board over, also when it fails (NULL: out of memory). params: NULL for all defaults. */
struct vusb_board *vusb_board_new(const struct vusb_board_params *params, struct sim_board *board);
void vusb_board_free(struct vusb_board *dev);
/* Owned by the device. */
struct sim_board *vusb_board_board(struct vusb_board *dev);

/* Device descriptor and configuration descriptor, one after the other, as in sysfs; borrowed. */
const uint8_t *vusb_board_descriptors(const struct vusb_board *dev, size_t *size);

/* One control transfer. data: the bytes of an OUT data stage, or room for [capacity] IN. Bytes moved or ..._STALL. */
int vusb_board_control(struct vusb_board *dev, const uint8_t setup[8], uint8_t *data, size_t capacity);
/* One OUT packet of 0 to 512 bytes; one shorter than 512 ends a frame. Bytes taken, ..._NAK or ..._STALL. */
int vusb_board_out(struct vusb_board *dev, unsigned endpoint, const uint8_t *data, size_t size);
/* One IN packet into data[512]: bytes moved (less than 512, also 0, end a transfer), ..._NAK or ..._STALL. */
int vusb_board_in(struct vusb_board *dev, unsigned endpoint, uint8_t *data);
/* CLEAR_FEATURE(HALT): drops the part of a frame that the endpoint has moved. */
void vusb_board_clear_halt(struct vusb_board *dev, unsigned endpoint);

/* Bus reset, or suspend (3 ms without start of frame): the board goes into its safe state and forgets its frames. */
void vusb_board_reset(struct vusb_board *dev);
/* Unplugged and plugged in again: power cut, and everything of the session. */
void vusb_board_replug(struct vusb_board *dev);
/* The watchdog: to be called now and then (10 ms). */
void vusb_board_tick(struct vusb_board *dev);

#endif
