/* SPDX-License-Identifier: MIT */
#ifndef FTDI_STREAM_H
#define FTDI_STREAM_H

#include "port.h"

#define FTDI_BAUD_MIN 732u      /* 12 MHz / 16,384 */
#define FTDI_BAUD_MAX 12000000u

struct ftdi_stream_params {
	bool fifo;          /* synchronous 245 FIFO, else UART */
	uint32_t baud;      /* of a UART, FTDI_BAUD_MIN to FTDI_BAUD_MAX */
	uint8_t latency_ms; /* latency timer: when a packet that is not full leaves */
	char serial[32];
};

/* Sets up channel A of a port and makes it a stream, which owns the port; on failure the caller still owns it. */
int ftdi_stream_open(struct nmhal_host *host, const struct ftdi_port *port, const struct ftdi_stream_params *params, int64_t deadline_ns, struct nmhal_stream *stream);

#endif
