/* SPDX-License-Identifier: MIT */
/* Inside of the virtual FT2232H: what USB side, engines and pins share. */
#ifndef VFTDI_INSIDE_H
#define VFTDI_INSIDE_H

#include "sim/tinyodin_pins.h"
#include "sim/usb_device.h"
#include "sim/vftdi/vftdi.h"

/* Pins of the low byte. */
#define PIN_SK     0x01u
#define PIN_DO     0x02u
#define PIN_DI     0x04u
#define PIN_TMS    0x08u
#define PIN_GPIOL1 0x20u
#define PIN_GPIOL3 0x80u

struct ring {
	unsigned head, count;
	uint8_t data[VFTDI_BUFFER];
};

enum doing {
	DOING_COMMAND, /* wants a whole command */
	DOING_BYTE,    /* wants the next byte of a shift */
	DOING_LEAD,    /* is about to move SK away from its idle level */
	DOING_TRAIL,   /* is about to move it back */
	DOING_WAIT     /* for GPIOL1 */
};

/* One channel: its buffers and its MPSSE. */
struct channel {
	struct ring out, in;  /* host to device, device to host */
	unsigned flush;       /* bytes of `in` that SEND_IMMEDIATE covers */
	uint64_t last_in_us;
	uint8_t latency_ms;
	bool mpsse;           /* else reset mode: the pins are inputs or those of a serial port */
	bool fifo;            /* synchronous 245 FIFO */
	uint32_t baud;        /* of the serial port */
	uint8_t value[2], direction[2]; /* pins, low and high byte; SK and DO as they are now */
	uint8_t idle;         /* level of SK between shifts: PIN_SK or 0 */
	uint16_t divisor;
	bool by_5, three_phase, adaptive, loopback;
	uint64_t at;          /* tick of the next action */
	enum doing doing;
	uint8_t op;           /* under way */
	bool wanted;          /* level of GPIOL1 that ends it */
	uint32_t left;        /* bytes of a shift, or clocks; UINT32_MAX: for ever */
	uint8_t bits, bit;    /* in this byte; of them done */
	uint8_t data, got;
};

struct vftdi {
	struct vftdi_params params; /* but for the strings, which are in usb */
	struct usb_device usb;
	uint8_t descriptors[18 + 9 + 2 * 23];
	uint8_t eeprom[256];
	struct channel channel[VFTDI_CHANNELS];
	struct tinyodin_pins *chip;
	struct tinyodin_pins_in levels; /* at the chip's inputs */
	bool clock_stopped;
	uint64_t now;    /* tick */
	uint64_t phase;  /* of CLK: VFTDI_TICK_HZ is one period */
	uint64_t effort; /* of the call under way */
	unsigned coming; /* OUT transfers that the host has submitted and that have not completed */
	bool answered;   /* the host has got a reply and the device nothing more to do */
	struct vftdi_counters counters;
	uint64_t counted_from; /* tick */
};

unsigned ring_room(const struct ring *ring);
uint8_t ring_peek(const struct ring *ring, unsigned at);
uint8_t ring_get(struct ring *ring);
void ring_put(struct ring *ring, uint8_t byte);

/* descriptors.c: tables made once from the parameters. */
void vftdi_make_tables(struct vftdi *dev);

/* mpsse.c */
void vftdi_engine_reset(struct vftdi *dev, unsigned channel, bool mpsse);
/* Lets engines and chip run as far as bytes, room and pins let them. False: not finished, call again. */
bool vftdi_run(struct vftdi *dev);

/* pins.c */
void vftdi_drive(struct vftdi *dev);
uint8_t vftdi_read_pins(const struct vftdi *dev, unsigned channel, unsigned byte);
/* Moves time up to a tick; true when it is reached, false right after an output of the chip has changed before. */
bool vftdi_advance(struct vftdi *dev, uint64_t tick);
/* Nothing happens at the chip any more unless a pin changes. */
bool vftdi_chip_rests(const struct vftdi *dev);

#endif
