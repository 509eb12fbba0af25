/* SPDX-License-Identifier: MIT */
/* What bus.c and events.c share: one open FT2232H with a chip on its pins. */
#ifndef FTDI_BUS_H
#define FTDI_BUS_H

#include "mpsse.h"
#include "pipe.h"

#define FTDI_STOP_NS INT64_C(500000000)

struct ftdi_bus {
	struct nmhal_host *host;
	struct ftdi_port port;
	struct ftdi_board board;
	struct ftdi_pipe a, b;
	uint16_t divisor;
	bool lost;      /* an op failed: what the engines do is unknown until ftdi_bus_recover() */
	size_t due;     /* confirmations that channel A still owes */
	size_t armed;   /* catch sequences on channel B that caught nothing yet */
	bool streaming; /* which way of events.c the last input went */
	bool flowing;   /* inputs went out after the last frame: outputs may be on their way */
	uint64_t frames;
	uint64_t looped; /* bytes that channel A looped back right */
	/* events.c, inputs that wait for idle */
	bool idle;      /* the core is known idle */
	uint32_t delay; /* clocks of the delay on channel A; 0: none since the last output */
	uint32_t silent; /* clocks of delays that have passed since the last output */
	bool serve;     /* an output was read whose handshake is still to be completed */
	uint32_t index; /* of the last input */
};

/* bus.c */
/* Waits until a transfer completed, 100 ms at most. TIMEOUT, CANCELED, failures of channels; the bus is lost then. */
int ftdi_bus_wait(struct ftdi_bus *bus, int64_t deadline_ns, const char *what);
/* The same without a look at interrupts and without a limit of its own: at most until until_ns. */
int ftdi_bus_wait_until(struct ftdi_bus *bus, int64_t until_ns, int64_t deadline_ns, const char *what);
/* Puts bytes on a channel, waiting for room. */
int ftdi_bus_put(struct ftdi_bus *bus, struct ftdi_pipe *pipe, const uint8_t *bytes, size_t size, int64_t deadline_ns, const char *what);
/* Takes the confirmations that are due on channel A, as far as they came. PROTOCOL if they are none. */
int ftdi_bus_confirmed(struct ftdi_bus *bus, const char *what);
/* The same where nothing else may come. */
int ftdi_bus_in_step(struct ftdi_bus *bus, const char *what);
/* PROTOCOL if channel B said something between two runs. */
int ftdi_bus_silent(struct ftdi_bus *bus, const char *what);
/* All of these before a call sends its first byte; restarts the channels where that mends things. */
int ftdi_bus_ready(struct ftdi_bus *bus, int64_t deadline_ns, const char *what);
/* Marks the bus as lost if status is not OK; returns it. */
int ftdi_bus_end(struct ftdi_bus *bus, int status);

/* recover.c */
int ftdi_bus_control(struct ftdi_bus *bus, enum ftdi_channel channel, enum ftdi_request request, unsigned value, int64_t deadline_ns);
/* Ends all transfers of a channel; IO when that takes longer than FTDI_STOP_NS: they own their memory still. */
int ftdi_bus_stop(struct ftdi_bus *bus, struct ftdi_pipe *pipe);
/* Takes exactly `size` answered bytes. Not ended by an interrupt. */
int ftdi_bus_answer(struct ftdi_bus *bus, struct ftdi_pipe *pipe, uint8_t *bytes, size_t size, int64_t deadline_ns, const char *what);
/* Restarts channel B: what it was told and did not do yet is dropped, ACK is low. */
int ftdi_bus_disarm(struct ftdi_bus *bus, int64_t deadline_ns, const char *what);
/* Whatever the engines are at: brings both and the chip to rest. Memories and registers of the chip stay. */
int ftdi_bus_recover(struct ftdi_bus *bus, int64_t deadline_ns, const char *what);

/* spi.c and events.c: of nmhal_bus_ops */
int ftdi_bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns);
int ftdi_bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns);

#endif
