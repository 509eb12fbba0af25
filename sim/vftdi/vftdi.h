/* SPDX-License-Identifier: MIT */
/*
 * A virtual FT2232H with a tinyODIN on its pins (datasheet section 16): USB descriptors, vendor requests, an MPSSE
 * engine a channel, 4 KiB buffers, two status bytes a packet, latency timer. A model without I/O, threads or clocks of
 * its own: the caller serialises the calls, carries the bytes and says what time it is.
 *
 * Two times. `now_us` is the caller's clock and moves only the latency timer. The pins have their own: 60 MHz ticks, in
 * which both engines and the chip run, as far as the bytes they have let them, inside the call that brought the bytes.
 */
#ifndef VFTDI_H
#define VFTDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFTDI_CHANNELS   2u
#define VFTDI_BUFFER     4096u /* bytes a direction and channel */
#define VFTDI_PACKET     512u  /* high-speed bulk packet */
#define VFTDI_STALL      (-1)
#define VFTDI_TICK_HZ    60000000u

/* Endpoints of channel A and B; IN ones have bit 7 set. */
#define VFTDI_A_IN       0x81u
#define VFTDI_A_OUT      0x02u
#define VFTDI_B_IN       0x83u
#define VFTDI_B_OUT      0x04u

/*
 * What is wired to the serial port or FIFO of channel A instead of a chip to its MPSSE: bytes both ways. put() and
 * get() say how many bytes they moved.
 */
struct vftdi_far {
	size_t (*put)(void *user, const uint8_t *bytes, size_t size);
	size_t (*get)(void *user, uint8_t *bytes, size_t size);
	void *user;
	bool fifo;     /* synchronous 245 FIFO: moves only in that mode; else a UART */
	uint32_t baud; /* of a UART; bytes at another rate (3 %) are garbage */
};

struct vftdi_params {
	struct vftdi_far far; /* put NULL: none */
	bool ft232h;        /* descriptors of the one-channel chip, with nothing behind them */
	uint64_t clk_hz;    /* CLK of the tinyODIN; 0: 60 MHz */
	const char *manufacturer, *product, *serial; /* at most 60 ASCII characters each; NULL: none */
};

/* Exact counts since vftdi_new() or vftdi_count_reset(). */
struct vftdi_counters {
	uint64_t controls;        /* control transfers */
	uint64_t out_transfers, in_transfers; /* bulk, completed; as the caller reports them */
	uint64_t out_packets, in_packets; /* with payload */
	uint64_t status_packets;  /* IN packets of two status bytes only; their number depends on the caller's clock */
	uint64_t out_bytes, in_bytes; /* payload; IN without the status bytes */
	uint64_t microframes;     /* of 125 us: the time of the packets with payload at 13 a microframe, modelled */
	uint64_t round_trips;     /* OUT transfers submitted after an answer that left the device nothing to do */
	uint64_t sck;             /* SCK cycles */
	uint64_t ticks;           /* 60 MHz ticks in which an engine did not wait for bytes; a command byte takes 1 */
	uint64_t events_in, events_out; /* handshakes completed on the two event ports */
	uint64_t eeprom_writes;   /* write and erase requests; all are refused */
};

struct vftdi;
struct tinyodin_pins;

/* NULL when out of memory. */
struct vftdi *vftdi_new(const struct vftdi_params *params);
void vftdi_free(struct vftdi *dev);

/* Device descriptor and configuration descriptor, one after the other, as in sysfs; borrowed. */
const uint8_t *vftdi_descriptors(const struct vftdi *dev, size_t *size);

/* One control transfer. data: the bytes of an OUT data stage, or room for [capacity] IN. Bytes moved or VFTDI_STALL. */
int vftdi_control(struct vftdi *dev, const uint8_t setup[8], uint8_t *data, size_t capacity);
/* OUT packets: takes whole packets of at most 512 bytes as long as its buffer has room; the rest is NAKed. Bytes
 * taken. */
size_t vftdi_out(struct vftdi *dev, unsigned endpoint, const uint8_t *data, size_t size);
/*
 * One IN packet of at most 512 bytes, status bytes included. 0: NAK; *again_us is then when to ask again at the latest
 * (earlier if OUT data came). A packet shorter than 512 bytes ends a transfer.
 */
size_t vftdi_in(struct vftdi *dev, unsigned endpoint, uint8_t *data, size_t capacity, uint64_t now_us, uint64_t *again_us);

/*
 * The host has submitted a bulk transfer, and it has completed; for the count. A round trip is a wait of the host: an
 * answer comes while no OUT transfer is under way and both OUT buffers are empty, and then the host submits one.
 */
void vftdi_count_submit(struct vftdi *dev, unsigned endpoint);
void vftdi_count_transfer(struct vftdi *dev, unsigned endpoint);
struct vftdi_counters vftdi_counters(const struct vftdi *dev);
void vftdi_count_reset(struct vftdi *dev);
/* The chip on the pins; owned by the device. */
struct tinyodin_pins *vftdi_chip(struct vftdi *dev);
/* Cuts the wire from the chip's CLK pin (true), for a core that never acknowledges. */
void vftdi_stop_clock(struct vftdi *dev, bool stopped);

#endif
