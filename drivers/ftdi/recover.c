/* SPDX-License-Identifier: MIT */
/* Brings both channels up, from whatever they were at: at open, and after an op that was ended early. */
#include <string.h>

#include "bus.h"

#define RECOVER_NS INT64_C(2000000000)

int ftdi_bus_control(struct ftdi_bus *bus, enum ftdi_channel channel, enum ftdi_request request, unsigned value,
	int64_t deadline_ns)
{
	return bus->port.ops->control(bus->port.self, channel, request, value, deadline_ns);
}

/* Ends all transfers of a channel. They belong to the port until they have completed. */
int ftdi_bus_stop(struct ftdi_bus *bus, struct ftdi_pipe *pipe)
{
	int64_t limit_ns = nmhal_now_ns() + FTDI_STOP_NS;

	ftdi_pipe_stop(pipe);
	while (ftdi_pipe_busy(pipe)) {
		/* A port that is gone says so at once, and completes its transfers all the same. */
		(void)bus->port.ops->wait(bus->port.self, limit_ns);
		if (nmhal_now_ns() >= limit_ns)
			return nmhal_host_fail(bus->host, NMHAL_E_IO, "channel %c: USB transfers do not end; replug",
				'A' + (int)pipe->channel);
	}
	return NMHAL_OK;
}

/* Nothing here may last: who waits for a recovery has waited enough. */
static int64_t capped(int64_t deadline_ns)
{
	int64_t limit_ns = nmhal_now_ns() + RECOVER_NS;

	return deadline_ns < limit_ns ? deadline_ns : limit_ns;
}

/* Empties the engine of a channel and its buffers, and starts it as an MPSSE; its pins are inputs then. */
static int restart(struct ftdi_bus *bus, struct ftdi_pipe *pipe, int64_t deadline_ns, const char *what)
{
	static const struct {
		enum ftdi_request request;
		unsigned value;
	} steps[] = {
		{FTDI_SET_BITMODE, FTDI_MODE_RESET},
		{FTDI_RESET, 1},
		{FTDI_RESET, 2},
		{FTDI_SET_BITMODE, FTDI_MODE_MPSSE},
	};
	int status = ftdi_bus_stop(bus, pipe);

	for (size_t n = 0; n < sizeof(steps) / sizeof(*steps) && status == NMHAL_OK; n++)
		status = ftdi_bus_control(bus, pipe->channel, steps[n].request, steps[n].value, deadline_ns);
	if (status != NMHAL_OK)
		return status;
	ftdi_pipe_start(pipe);
	return ftdi_pipe_check(pipe, what);
}

/* Takes exactly `size` answered bytes. Not ended by an interrupt. */
int ftdi_bus_answer(struct ftdi_bus *bus, struct ftdi_pipe *pipe, uint8_t *bytes, size_t size, int64_t deadline_ns,
	const char *what)
{
	size_t got = ftdi_pipe_get(pipe, bytes, size);
	int status = NMHAL_OK;

	while (got < size && status == NMHAL_OK) {
		status = ftdi_bus_wait_until(bus, NMHAL_NEVER, deadline_ns, what);
		got += ftdi_pipe_get(pipe, bytes + got, size - got);
	}
	return got == size ? NMHAL_OK : status;
}

/* Finds the answer to the bad command; bytes before it are from an earlier time. */
static int synchronise(struct ftdi_bus *bus, struct ftdi_pipe *pipe, int64_t deadline_ns, const char *what)
{
	uint8_t mark[MPSSE_MARK_SIZE], last = 0, byte = 0;
	int status;

	ftdi_pipe_put(pipe, mark, mpsse_mark(mark));
	ftdi_pipe_flush(pipe);
	do {
		last = byte;
		status = ftdi_bus_answer(bus, pipe, &byte, 1, deadline_ns, what);
	} while (status == NMHAL_OK && (last != MPSSE_BAD_REPLY || byte != MPSSE_BAD));
	return status;
}

/*
 * Pins of channel A with RST high, then low. In between, while the chip takes no notice of SCK, a shift of 40 SCK makes
 * RST last 160 CLK or more; looped back, it shows that the engine shifts.
 */
static int begin_a(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	static const uint8_t pattern[MPSSE_FRAME] = {0x5A, 0x0F, 0x33, 0xC6, 0xA5};
	uint8_t out[64], in[MPSSE_FRAME + 1];
	size_t size = mpsse_init_a(out, bus->divisor);
	int status;

	out[size++] = MPSSE_LOOPBACK;
	size += mpsse_shift(out + size, MPSSE_READ, 1);
	memcpy(out + size, pattern, sizeof(pattern));
	size += sizeof(pattern);
	out[size++] = MPSSE_NO_LOOPBACK;
	size += mpsse_rst(out + size, false);
	size += mpsse_confirm(out + size);
	ftdi_pipe_put(&bus->a, out, size);
	ftdi_pipe_flush(&bus->a);
	status = ftdi_bus_answer(bus, &bus->a, in, sizeof(in), deadline_ns, what);
	if (status == NMHAL_OK && (memcmp(in, pattern, sizeof(pattern)) || in[MPSSE_FRAME] & MPSSE_A_RST))
		status = nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
			"%s: channel A looped %02x%02x%02x%02x%02x back as %02x%02x%02x%02x%02x", what, pattern[0],
			pattern[1], pattern[2], pattern[3], pattern[4], in[0], in[1], in[2], in[3], in[4]);
	if (status == NMHAL_OK)
		bus->looped += sizeof(pattern);
	return status;
}

static int begin_b(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	uint8_t out[MPSSE_INIT_SIZE];
	int status = synchronise(bus, &bus->b, deadline_ns, what);

	bus->armed = 0;
	bus->serve = false;
	if (status != NMHAL_OK)
		return status;
	ftdi_pipe_put(&bus->b, out, mpsse_init_b(out));
	ftdi_pipe_flush(&bus->b);
	return ftdi_pipe_check(&bus->b, what);
}

int ftdi_bus_disarm(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	int status;

	deadline_ns = capped(deadline_ns);
	status = restart(bus, &bus->b, deadline_ns, what);
	return status == NMHAL_OK ? begin_b(bus, deadline_ns, what) : status;
}

/* Whatever the engines were at: brings both and the chip to rest. Memories and registers of the chip stay. */
int ftdi_bus_recover(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	struct ftdi_pipe *pipes[FTDI_CHANNELS] = {&bus->a, &bus->b};
	int status = NMHAL_OK;

	deadline_ns = capped(deadline_ns);
	bus->lost = true;
	for (int n = 0; n < FTDI_CHANNELS && status == NMHAL_OK; n++)
		status = restart(bus, pipes[n], deadline_ns, what);
	if (status == NMHAL_OK)
		status = begin_b(bus, deadline_ns, what);
	if (status == NMHAL_OK)
		status = synchronise(bus, &bus->a, deadline_ns, what);
	if (status == NMHAL_OK)
		status = begin_a(bus, deadline_ns, what);
	if (status != NMHAL_OK)
		return status;
	bus->lost = false;
	bus->due = 0;
	bus->flowing = false;
	bus->idle = true;
	return NMHAL_OK;
}

