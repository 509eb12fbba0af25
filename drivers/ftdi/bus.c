/* SPDX-License-Identifier: MIT */
/*
 * The bus of a tinyODIN on an FT2232H: SPI frames and RST on channel A; bring-up and recovery of both channels. Nothing
 * that was sent can be called back, and an engine that waits for a pin waits for ever: so whatever ends an op early
 * makes the bus lost, and only reset() brings it back, by restarting both engines.
 */
#include <stdlib.h>
#include <string.h>

#include "bus.h"

#define MAX_FRAMES   65536u
#define FRAME_BITS   40u
#define CLK_MIN_HZ   2000u
#define A_IN_COUNT   8u
#define A_IN_SIZE    16384u
#define B_IN_COUNT   16u
#define B_IN_SIZE    FTDI_PACKET /* an output event is a packet of its own */
#define SLICE_NS     INT64_C(100000000)
#define RESET_NS     INT64_C(500000000)
#define CONFIRM_NS   INT64_C(20000000)

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- shared with events.c ---------------------------------------------------------------------------------------- */

int ftdi_bus_end(struct ftdi_bus *bus, int status)
{
	if (status != NMHAL_OK)
		bus->lost = true;
	return status;
}

/* The port's wait, with the checks that need no interrupt. */
int ftdi_bus_wait_until(struct ftdi_bus *bus, int64_t until_ns, int64_t deadline_ns, const char *what)
{
	int status = bus->port.ops->wait(bus->port.self, earlier(until_ns, deadline_ns));

	if (status == NMHAL_OK)
		status = ftdi_pipe_check(&bus->a, what);
	if (status == NMHAL_OK)
		status = ftdi_pipe_check(&bus->b, what);
	if (status == NMHAL_OK && deadline_ns != NMHAL_NEVER && nmhal_now_ns() >= deadline_ns)
		status = nmhal_host_fail(bus->host, NMHAL_E_TIMEOUT, "%s: no answer by the deadline", what);
	return status;
}

/*
 * An interrupt is looked at only after a slice in which nothing moved: a shift that is under way is not torn, because
 * the core ends runs and programming between two calls of the bus.
 */
int ftdi_bus_wait(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	int64_t until_ns = nmhal_now_ns() + SLICE_NS;
	int status = ftdi_bus_wait_until(bus, until_ns, deadline_ns, what);

	if (status == NMHAL_OK && nmhal_now_ns() >= until_ns)
		status = nmhal_host_poll(bus->host, deadline_ns, what);
	return status;
}

int ftdi_bus_put(struct ftdi_bus *bus, struct ftdi_pipe *pipe, const uint8_t *bytes, size_t size, int64_t deadline_ns,
	const char *what)
{
	int status = NMHAL_OK;

	while (size && status == NMHAL_OK) {
		size_t room = ftdi_pipe_room(pipe), part = room < size ? room : size;

		ftdi_pipe_put(pipe, bytes, part);
		bytes += part;
		size -= part;
		if (size)
			status = ftdi_bus_wait(bus, deadline_ns, what);
	}
	return status;
}

static int out_of_step(struct ftdi_bus *bus, uint8_t byte, const char *what)
{
	return nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
		"%s: channel A answered 0x%02x%s; the bytes are out of step", what, byte,
		bus->due ? "" : " to nothing");
}

/* RST and REQ are low whenever a confirmation is given; the answer to a bad command has the bit of RST. */
int ftdi_bus_confirmed(struct ftdi_bus *bus, const char *what)
{
	uint8_t pins;

	for (; bus->due && ftdi_pipe_get(&bus->a, &pins, 1); bus->due--)
		if (pins & (MPSSE_A_RST | MPSSE_A_REQ))
			return out_of_step(bus, pins, what);
	return NMHAL_OK;
}

int ftdi_bus_in_step(struct ftdi_bus *bus, const char *what)
{
	int status = ftdi_bus_confirmed(bus, what);
	uint8_t byte;

	if (status == NMHAL_OK && !bus->due && ftdi_pipe_get(&bus->a, &byte, 1))
		return out_of_step(bus, byte, what);
	return status;
}

int ftdi_bus_silent(struct ftdi_bus *bus, const char *what)
{
	uint8_t byte;

	if (!ftdi_pipe_get(&bus->b, &byte, 1))
		return NMHAL_OK;
	if (!bus->armed)
		return nmhal_host_fail(
			bus->host, NMHAL_E_PROTOCOL, "%s: channel B answered 0x%02x to nothing", what, byte);
	bus->armed--;
	return nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
		"%s: output event %u came after the last one of a run: the chip got other inputs than were sent", what,
		byte);
}

/*
 * What went wrong when no call was waiting for it, as an answer that came twice: the channels are restarted before
 * anything else goes out. But the answer to a bad command says that what went out was damaged, and so does an output
 * event that nobody waits for.
 */
int ftdi_bus_ready(struct ftdi_bus *bus, int64_t deadline_ns, const char *what)
{
	bool damaged = bus->armed;
	uint8_t byte;
	int status = ftdi_pipe_check(&bus->a, what);

	if (status == NMHAL_OK)
		status = ftdi_pipe_check(&bus->b, what);
	if (status == NMHAL_E_GONE)
		return status;
	if (status == NMHAL_OK) {
		status = ftdi_bus_confirmed(bus, what);
		if (status != NMHAL_OK || bus->due)
			return status;
		if (ftdi_pipe_get(&bus->a, &byte, 1)) {
			damaged = byte == MPSSE_BAD_REPLY;
			status = out_of_step(bus, byte, what);
		} else {
			status = ftdi_bus_silent(bus, what);
		}
		if (status == NMHAL_OK || damaged)
			return status;
	}
	nmhal_host_log(bus->host, NMHAL_LOG_WARN, "%s; both channels are restarted", nmhal_last_error());
	return ftdi_bus_recover(bus, deadline_ns, what);
}

/* ---- ops --------------------------------------------------------------------------------------------------------- */

/* Leaves the pins as inputs, where the pull-downs of the board hold them, and frees. gone: there are none any more. */
static void abandon(struct ftdi_bus *bus, bool gone)
{
	int64_t deadline_ns = nmhal_now_ns() + FTDI_STOP_NS;
	int status = ftdi_bus_stop(bus, &bus->a), stopped = ftdi_bus_stop(bus, &bus->b);

	/* A channel that fails does not keep the other one's pins driven. */
	for (int channel = FTDI_A; channel < FTDI_CHANNELS && !gone; channel++)
		(void)ftdi_bus_control(bus, (enum ftdi_channel)channel, FTDI_SET_BITMODE, FTDI_MODE_RESET, deadline_ns);
	if (status != NMHAL_OK || stopped != NMHAL_OK) {
		/* The transfers still own their memory. */
		nmhal_host_log(bus->host, NMHAL_LOG_WARN, "close: USB transfers do not end; memory is not freed");
		return;
	}
	ftdi_pipe_close(&bus->a);
	ftdi_pipe_close(&bus->b);
	free(bus);
}

static void bus_close(void *self)
{
	struct ftdi_bus *bus = self;
	struct ftdi_port port = bus->port;

	abandon(bus, false);
	port.ops->close(port.self);
}

/* With a slow SCK all memories, written and read back, take longer than the default: twice their time. */
static int32_t default_timeout_ms(const struct ftdi_bus *bus)
{
	const uint64_t ms = UINT64_C(1000) * 2 * MAX_FRAMES * FRAME_BITS / mpsse_spi_hz(bus->divisor);

	return ms > (uint64_t)bus->board.default_timeout_ms ? (int32_t)ms : bus->board.default_timeout_ms;
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	const struct ftdi_bus *bus = self;

	*info = (struct nmhal_bus_info){
		.flags = NMHAL_BUS_WAITS_IDLE,
		.default_timeout_ms = default_timeout_ms(bus),
		.max_frames = MAX_FRAMES,
		.clock_hz = bus->board.clk_hz,
		.spi_hz = mpsse_spi_hz(bus->divisor),
		.emulated = bus->board.emulated,
	};
	memcpy(info->serial, bus->board.serial, sizeof(info->serial));
}

/* RST in order with what was sent before. */
static int pulse(struct ftdi_bus *bus, int64_t deadline_ns)
{
	static const uint8_t nothing[MPSSE_FRAME] = {0};
	uint8_t out[32], pins;
	size_t size = mpsse_rst(out, true);
	int status;

	size += mpsse_shift(out + size, MPSSE_WRITE, 1);
	memcpy(out + size, nothing, sizeof(nothing));
	size += sizeof(nothing);
	size += mpsse_rst(out + size, false);
	size += mpsse_confirm(out + size);
	ftdi_pipe_put(&bus->a, out, size);
	ftdi_pipe_flush(&bus->a);
	status = ftdi_bus_answer(bus, &bus->a, &pins, 1, earlier(deadline_ns, nmhal_now_ns() + RESET_NS), "reset");
	bus->idle = true;
	bus->serve = false;
	if (status == NMHAL_OK && pins & (MPSSE_A_RST | MPSSE_A_REQ))
		status = nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
			"reset: channel A answered 0x%02x; the bytes are out of step", pins);
	return status;
}

/* Gives what was sent to channel A a moment to be confirmed; true if it was. */
static bool settle(struct ftdi_bus *bus)
{
	int64_t limit_ns = nmhal_now_ns() + CONFIRM_NS;
	int status = ftdi_bus_in_step(bus, "reset");

	while (status == NMHAL_OK && bus->due) {
		status = ftdi_bus_wait_until(bus, NMHAL_NEVER, limit_ns, "reset");
		if (status == NMHAL_OK || status == NMHAL_E_TIMEOUT)
			status = ftdi_bus_confirmed(bus, "reset");
		if (nmhal_now_ns() >= limit_ns)
			break;
	}
	return status == NMHAL_OK && !bus->due && ftdi_pipe_room(&bus->a) >= 32;
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct ftdi_bus *bus = self;
	int status = ftdi_pipe_check(&bus->a, "reset");
	const char *why;

	if (status == NMHAL_OK)
		status = ftdi_pipe_check(&bus->b, "reset");
	if (status == NMHAL_E_GONE)
		return ftdi_bus_end(bus, status);
	if (status != NMHAL_OK)
		bus->lost = true;
	/* Events under way may take long, or for ever; outputs under way must not turn up in the next run. */
	if (!bus->lost && !bus->flowing && settle(bus)) {
		status = pulse(bus, deadline_ns);
		if (status == NMHAL_OK || status == NMHAL_E_GONE)
			return ftdi_bus_end(bus, status);
		bus->lost = true;
	}
	why = !bus->lost ? "events are under way" :
		bus->due ? "channel A still waits for the chip; does it get its CLK, is AERIN_ACK wired?" :
			   "a call failed and channel A or B may wait for ever";
	nmhal_host_log(bus->host, bus->lost ? NMHAL_LOG_WARN : NMHAL_LOG_DEBUG,
		"reset: %s; both channels are restarted: the event queue is cleared, weights, thresholds and registers "
		"stay, potentials are undefined", why);
	return ftdi_bus_recover(bus, deadline_ns, "reset");
}

static int bus_counter(void *self, const char *key, uint64_t *value)
{
	struct ftdi_bus *bus = self;

	if (!strcmp(key, "spi_frames"))
		*value = bus->frames;
	else if (!strcmp(key, "loopback_bytes"))
		*value = bus->looped;
	else
		return bus->port.ops->counter(bus->port.self, key, value);
	return NMHAL_OK;
}

static void bus_interrupt(void *self)
{
	struct ftdi_bus *bus = self;

	bus->port.ops->interrupt(bus->port.self);
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = bus_info,
	.spi = ftdi_bus_spi,
	.events = ftdi_bus_events,
	.reset = bus_reset,
	.counter = bus_counter,
	.interrupt = bus_interrupt,
};

static int bring_up(struct ftdi_bus *bus, int64_t deadline_ns)
{
	int status = NMHAL_OK;

	for (int channel = FTDI_A; channel < FTDI_CHANNELS && status == NMHAL_OK; channel++) {
		status = ftdi_bus_control(bus, (enum ftdi_channel)channel, FTDI_RESET, 0, deadline_ns);
		if (status == NMHAL_OK)
			status = ftdi_bus_control(bus, (enum ftdi_channel)channel, FTDI_SET_LATENCY,
				bus->board.latency_ms, deadline_ns);
	}
	return status == NMHAL_OK ? ftdi_bus_recover(bus, deadline_ns, "open") : status;
}

int ftdi_bus_open(struct nmhal_host *host, const struct ftdi_port *port, const struct ftdi_board *board,
	int64_t deadline_ns, struct nmhal_bus *out)
{
	struct ftdi_bus *bus;
	int status;

	if (board->clk_hz < CLK_MIN_HZ)
		return nmhal_host_fail(host, NMHAL_E_INVALID,
			"open: clk_hz=%llu: less than %u, too slow for the slowest SCK of an FT2232H",
			(unsigned long long)board->clk_hz, CLK_MIN_HZ);
	if (UINT64_C(4) * board->spi_hz > board->clk_hz)
		return nmhal_host_fail(host, NMHAL_E_INVALID,
			"open: spi_hz=%u: more than a quarter of clk_hz=%llu; the chip cannot follow", board->spi_hz,
			(unsigned long long)board->clk_hz);
	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the bus");
	bus->host = host;
	bus->port = *port;
	bus->board = *board;
	bus->divisor = mpsse_divisor(board->clk_hz, board->spi_hz);
	status = ftdi_pipe_open(&bus->a, host, port, FTDI_A, A_IN_COUNT, A_IN_SIZE);
	if (status == NMHAL_OK)
		status = ftdi_pipe_open(&bus->b, host, port, FTDI_B, B_IN_COUNT, B_IN_SIZE);
	if (status == NMHAL_OK)
		status = bring_up(bus, deadline_ns);
	if (status != NMHAL_OK) {
		abandon(bus, status == NMHAL_E_GONE);
		return status;
	}
	*out = (struct nmhal_bus){&bus_ops, bus};
	return NMHAL_OK;
}
