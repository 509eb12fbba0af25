/* SPDX-License-Identifier: MIT */
/*
 * A stream of bytes through channel A of an FTDI chip, whose EEPROM makes it a UART or a FIFO: for boards that speak
 * nmlink. The bytes travel as those of the bus do (pipe.h); here is what sets the channel up, and the waiting.
 */
#include <stdlib.h>
#include <string.h>

#include "pipe.h"
#include "stream.h"

#define IN_COUNT   8u
#define IN_SIZE    16384u
#define TIMEOUT_MS 10000
#define STOP_NS    INT64_C(300000000)
#define FLUSH_NS   INT64_C(1000000000) /* a board that never falls silent */
#define MS         INT64_C(1000000)
#define CLOCK_HZ   120000000u /* of the UARTs of high-speed chips */
#define BAUD_FINE  0x20000u   /* this clock by 10, not 48 MHz by 16 */

struct stream {
	struct nmhal_host *host;
	struct ftdi_port port;
	struct ftdi_pipe pipe;
	struct ftdi_stream_params params;
};

/*
 * Value of FTDI_SET_BAUD: 12 MHz / baud in eighths, whose order on the wire is FTDI's (AN_120); 0 stands for 12 Mbaud,
 * 1 for 8. Above 12 MHz / 16,384 every rate is within 3 %, up to 6 Mbaud.
 */
static unsigned baud_value(uint32_t baud)
{
	static const unsigned eighths[8] = {0, 3, 2, 4, 1, 5, 6, 7};
	unsigned divisor = (CLOCK_HZ / 10 * 8 + baud / 2) / baud;

	if (divisor <= 8)
		return BAUD_FINE;
	if (divisor <= 12)
		return BAUD_FINE | 1;
	if (divisor < 16)
		divisor = 16;
	return BAUD_FINE | divisor >> 3 | eighths[divisor & 7] << 14;
}

/* Looks at the deadline and at interrupts only after a turn: what is there is had without waiting. */
static int wait_for(struct stream *stream, int64_t deadline_ns, const char *what)
{
	int status = stream->port.ops->wait(stream->port.self, deadline_ns);

	return status == NMHAL_OK ? nmhal_host_poll(stream->host, deadline_ns, what) : status;
}

/* False: transfers do not end, and still own their memory. */
static bool stop(struct stream *stream)
{
	const int64_t limit_ns = nmhal_now_ns() + STOP_NS;

	ftdi_pipe_stop(&stream->pipe);
	/* A port that is gone says so at once, and completes its transfers all the same. */
	while (ftdi_pipe_busy(&stream->pipe) && nmhal_now_ns() < limit_ns)
		(void)stream->port.ops->wait(stream->port.self, limit_ns);
	return !ftdi_pipe_busy(&stream->pipe);
}

/* After a failure the transfers start anew; the board's protocol repeats what was lost. */
static int check(struct stream *stream, const char *what)
{
	int status = ftdi_pipe_check(&stream->pipe, what);

	if (status != NMHAL_OK && status != NMHAL_E_GONE && stop(stream))
		ftdi_pipe_start(&stream->pipe);
	return status;
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct stream *stream = self;
	const uint8_t *bytes = buf;
	int status = check(stream, "send");

	while (size && status == NMHAL_OK) {
		size_t room = ftdi_pipe_room(&stream->pipe), part = room < size ? room : size;

		ftdi_pipe_put(&stream->pipe, bytes, part);
		bytes += part;
		size -= part;
		if (size && !ftdi_pipe_room(&stream->pipe))
			status = wait_for(stream, deadline_ns, "send");
		if (status == NMHAL_OK)
			status = check(stream, "send");
	}
	ftdi_pipe_flush(&stream->pipe);
	return status == NMHAL_OK ? check(stream, "send") : status;
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct stream *stream = self;
	int status = stream->port.ops->wait(stream->port.self, nmhal_now_ns());

	for (;;) {
		*size = ftdi_pipe_get(&stream->pipe, buf, capacity);
		if (*size)
			return NMHAL_OK;
		if (status == NMHAL_OK)
			status = check(stream, "receive");
		if (status == NMHAL_OK)
			status = nmhal_host_poll(stream->host, deadline_ns, "receive");
		if (status != NMHAL_OK)
			return status;
		status = stream->port.ops->wait(stream->port.self, deadline_ns);
	}
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct stream *stream = self;
	const int64_t end_ns = nmhal_now_ns() + FLUSH_NS, quiet_ns = 2 * stream->params.latency_ms * MS + 5 * MS;
	int64_t last_ns = nmhal_now_ns();
	uint8_t dropped[4096];
	int status = NMHAL_OK;

	while (status == NMHAL_OK && nmhal_now_ns() < last_ns + quiet_ns) {
		status = stream->port.ops->wait(stream->port.self, last_ns + quiet_ns);
		if (status == NMHAL_OK)
			status = check(stream, "flush");
		if (ftdi_pipe_get(&stream->pipe, dropped, sizeof(dropped)))
			last_ns = nmhal_now_ns();
		if (status == NMHAL_OK && (last_ns >= end_ns || last_ns >= deadline_ns))
			status = nmhal_host_fail(
				stream->host, NMHAL_E_TIMEOUT, "flush: the board does not fall silent");
	}
	return status == NMHAL_OK ? nmhal_host_poll(stream->host, NMHAL_NEVER, "flush") : status;
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	const struct stream *stream = self;

	*info = (struct nmhal_stream_info){.alignment = FTDI_PACKET, .default_timeout_ms = TIMEOUT_MS};
	memcpy(info->serial, stream->params.serial, sizeof(info->serial));
}

static void stream_interrupt(void *self)
{
	struct stream *stream = self;

	stream->port.ops->interrupt(stream->port.self);
}

/* Frees all but the port. */
static void abandon(struct stream *stream)
{
	if (!stop(stream)) {
		nmhal_host_log(stream->host, NMHAL_LOG_WARN, "close: USB transfers do not end; memory is not freed");
		return;
	}
	ftdi_pipe_close(&stream->pipe);
	free(stream);
}

static void stream_close(void *self)
{
	const struct ftdi_port port = ((const struct stream *)self)->port;

	abandon(self);
	port.ops->close(port.self);
}

static const struct nmhal_stream_ops stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
	.interrupt = stream_interrupt,
};

/* A FIFO is switched to its clock after the IN transfers are posted, so that nothing is lost meanwhile. */
static int set_up(struct stream *stream, int64_t deadline_ns)
{
	const struct ftdi_port *port = &stream->port;
	const struct {
		enum ftdi_request request;
		unsigned value;
	} steps[] = {
		{FTDI_RESET, 0},
		{FTDI_SET_BITMODE, FTDI_MODE_RESET},
		{FTDI_SET_LATENCY, stream->params.latency_ms},
		{FTDI_SET_FLOW, 0},
		{FTDI_SET_DATA, FTDI_DATA_8N1},
		{FTDI_SET_BAUD, baud_value(stream->params.baud)},
		{FTDI_RESET, 1},
		{FTDI_RESET, 2},
	};
	int status = NMHAL_OK;

	for (size_t n = 0; n < sizeof(steps) / sizeof(*steps) && status == NMHAL_OK; n++)
		status = port->ops->control(port->self, FTDI_A, steps[n].request, steps[n].value, deadline_ns);
	if (status != NMHAL_OK)
		return status;
	ftdi_pipe_start(&stream->pipe);
	if (stream->params.fifo)
		status = port->ops->control(port->self, FTDI_A, FTDI_SET_BITMODE, FTDI_MODE_SYNC_FIFO, deadline_ns);
	return status == NMHAL_OK ? ftdi_pipe_check(&stream->pipe, "open") : status;
}

int ftdi_stream_open(struct nmhal_host *host, const struct ftdi_port *port, const struct ftdi_stream_params *params,
	int64_t deadline_ns, struct nmhal_stream *stream)
{
	struct stream *opened = calloc(1, sizeof(*opened));
	int status;

	if (!opened)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the stream");
	opened->host = host;
	opened->port = *port;
	opened->params = *params;
	status = ftdi_pipe_open(&opened->pipe, host, port, FTDI_A, IN_COUNT, IN_SIZE);
	if (status == NMHAL_OK)
		status = set_up(opened, deadline_ns);
	if (status == NMHAL_OK)
		status = stream_flush(opened, deadline_ns);
	if (status == NMHAL_OK)
		*stream = (struct nmhal_stream){&stream_ops, opened};
	else
		abandon(opened);
	return status;
}
