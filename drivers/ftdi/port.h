/* SPDX-License-Identifier: MIT */
/*
 * What the FTDI bus needs of USB: one open FT2232H. A table, so that the far end is the real libftdi1 and libusb-1.0
 * (usb.c), or the emulator in the same process (drivers/sim/via_ftdi.c).
 */
#ifndef FTDI_PORT_H
#define FTDI_PORT_H

#include <stdbool.h>

#include <nmhal/driver.h>

enum ftdi_channel { FTDI_A, FTDI_B, FTDI_CHANNELS };

#define FTDI_PACKET 512u /* high-speed bulk packet; an IN packet begins with two status bytes */

/* One bulk transfer. Memory and `data` belong to the caller and stay put while busy. */
struct ftdi_transfer {
	enum ftdi_channel channel;
	bool in;
	bool busy;      /* submitted and not yet completed */
	int status;     /* of the completed transfer: OK, CANCELED, IO, GONE, PROTOCOL (overflow) */
	size_t size;    /* bytes to send, or room (a multiple of FTDI_PACKET) */
	size_t done;    /* bytes moved, also when it failed; IN: raw, with the status bytes of every packet */
	uint8_t *data;
	void *impl;     /* of the port */
};

/* Vendor requests; numbers as on the wire. */
enum ftdi_request {
	FTDI_RESET = 0,       /* value 0: reset; 1: drop host-to-device bytes; 2: drop device-to-host bytes */
	FTDI_SET_FLOW = 2,    /* value 0: no flow control */
	FTDI_SET_BAUD = 3,    /* value: divisor, 18 bits */
	FTDI_SET_DATA = 4,    /* value: FTDI_DATA_8N1 */
	FTDI_SET_LATENCY = 9, /* value: ms */
	FTDI_SET_BITMODE = 11 /* value: mode << 8 | direction mask */
};
#define FTDI_MODE_RESET     0x0000u /* what the EEPROM says: UART or FIFO */
#define FTDI_MODE_MPSSE     0x0200u
#define FTDI_MODE_SYNC_FIFO 0x40ffu
#define FTDI_DATA_8N1       8u

/* All required. Statuses come with their sentence, except that of a transfer, which is a status alone. */
struct ftdi_port_ops {
	/* Releases channels, gives back kernel drivers that open detached, frees self. No transfer is busy. */
	void (*close)(void *self);
	/* A vendor request without data on a channel. value: 16 bits, and above them the high byte of the index. */
	int (*control)(void *self, enum ftdi_channel channel, enum ftdi_request request, unsigned value, int64_t deadline_ns);
	/* Room for a transfer of [size] bytes: sets data and impl. */
	int (*alloc)(void *self, struct ftdi_transfer *transfer, size_t size);
	void (*free)(void *self, struct ftdi_transfer *transfer);
	/* Starts a transfer; it completes inside wait(). GONE, IO. */
	int (*submit)(void *self, struct ftdi_transfer *transfer);
	/* Asks that a busy transfer ends; it still completes inside wait(), with whatever status and bytes it has. */
	void (*cancel)(void *self, struct ftdi_transfer *transfer);
	/* OK when at least one transfer has completed, an interrupt came, or the (absolute) time is up. GONE, IO. */
	int (*wait)(void *self, int64_t until_ns);
	/* From any thread or signal handler: makes a running wait() return soon. */
	void (*interrupt)(void *self);
	/* Counter of the far end, as nmhal_bus_ops.counter; UNSUPPORTED where there is none. */
	int (*counter)(void *self, const char *key, uint64_t *value);
};

struct ftdi_port {
	const struct ftdi_port_ops *ops;
	void *self;
};

/* What the bus has to know of the board. */
struct ftdi_board {
	uint64_t clk_hz;  /* CLK of the chip */
	uint32_t spi_hz;  /* wanted at most; 0: clk_hz / 4 */
	bool strict;      /* ADDR[9:8] set up before REQ: 3 bytes more an event */
	bool emulated;
	uint8_t latency_ms; /* latency timer: when a packet that is not full leaves without being told to */
	int32_t default_timeout_ms;
	char serial[32];
};

/* Brings up both channels of a port and makes it a bus, which owns the port; on failure the caller still owns it. */
int ftdi_bus_open(struct nmhal_host *host, const struct ftdi_port *port, const struct ftdi_board *board, int64_t deadline_ns, struct nmhal_bus *bus);

#endif
