/* SPDX-License-Identifier: MIT */
/* A host that talks to the virtual FT2232H in the simplest way, with a clock of its own. */
#ifndef VFTDI_HOST_H
#define VFTDI_HOST_H

#include <check.h>

#include "sim/tinyodin_pins.h"
#include "sim/vftdi/vftdi.h"

enum { A, B };

struct host {
	struct vftdi *dev;
	uint64_t now_us;
};

/* Bits of a frame (datasheet section 2). */
#define FRAME(address, data) ((uint64_t)(address) << 20 | (data))
#define FRAME_READ  0x80000u
#define FRAME_WRITE 0x40000u
#define NEURON(n, lane) (0x10000u | (lane) << 8 | (n))
#define SYNAPSE(word, lane) (0x20000u | (lane) << 13 | (word))

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

struct host host_new(uint64_t clk_hz);
void host_free(struct host *host);
/* A vendor request without data. */
int host_request(struct host *host, unsigned channel, unsigned request, unsigned value);
/* Both channels in MPSSE mode, pins set up as the datasheet says, RST pulsed, SCK = 30 MHz / (1 + divisor). */
void host_bring_up(struct host *host, unsigned divisor);

/* All of it, reading nothing meanwhile; fails when the device does not take it. */
void host_out(struct host *host, unsigned channel, const uint8_t *data, size_t size);
/* Payload until there are `size` bytes, or nothing has come for 50 ms; the number. */
size_t host_in(struct host *host, unsigned channel, uint8_t *data, size_t size);
/* Sends and fails unless exactly these bytes come back. */
void host_expect(struct host *host, unsigned channel, const uint8_t *data, size_t size, const uint8_t *reply,
		 size_t reply_size);
/* Frames in one shift on channel A; replies: NULL, or room for the 20 MISO bits of each data phase. */
void host_frames(struct host *host, const uint64_t *frames, size_t count, uint32_t *replies);

/* Runs the cases of one file. */
int host_main(const char *name, const TTest *const *tests, size_t count);

#endif
