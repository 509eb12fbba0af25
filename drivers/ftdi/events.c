/* SPDX-License-Identifier: MIT */
/*
 * Address events: in on channel A, out on channel B. Two ways.
 * - Inputs that do not wait for idle are streamed. Channel B holds catch sequences, sent in advance: each waits for an
 *   output event, answers its address and completes its handshake, while inputs go on (without that the chip
 *   dead-locks, section 7). Catches that caught nothing stay for the next call. Bytes of the two channels have no
 *   relation in time, so index is 0, and idle stays 0.
 * - An input that waits for idle goes alone, followed by a delay and a confirmation. The delay is made of SPI frames
 *   that do nothing. Channel B is asked again and again whether REQ is high; each output begins a new delay. When REQ
 *   is low, asked after the confirmation, and delays without output add up to quiet_clocks (section 17), the core is
 *   idle.
 */
#include <string.h>

#include "bus.h"

#define FAIR_NS       INT64_C(20000000)
#define CATCHES       819u /* 8,190 bytes: kept on channel B at most ... */
#define CATCHES_LOW   410u /* ... and at least: its buffer holds 409 */
#define CLK_PER_FRAME 160u /* 40 SCK of 4 CLK or more */
#define LONG_DELAY    4096u

/* ---- streamed ---------------------------------------------------------------------------------------------------- */

static int arm(struct ftdi_bus *bus, int64_t deadline_ns)
{
	uint8_t catches[CATCHES * MPSSE_CATCH_SIZE];
	size_t size = 0;
	int status;

	if (bus->armed >= CATCHES_LOW)
		return NMHAL_OK;
	for (; bus->armed < CATCHES; bus->armed++)
		size += mpsse_catch(catches + size);
	status = ftdi_bus_put(bus, &bus->b, catches, size, deadline_ns, "events");
	ftdi_pipe_flush(&bus->b);
	return status;
}

static int take_outputs(struct ftdi_bus *bus, struct nmhal_bus_transfer *transfer)
{
	uint8_t bytes[512];
	size_t got;

	do {
		size_t room = transfer->out_capacity - transfer->out_count;

		got = ftdi_pipe_get(&bus->b, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
		if (got > bus->armed)
			return nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
				"events: channel B answered %zu bytes to %zu catches; the bytes are out of step", got,
				bus->armed);
		bus->armed -= got;
		for (size_t n = 0; n < got; n++)
			transfer->out[transfer->out_count++] = (struct nmhal_bus_out){.address = bytes[n]};
	} while (got);
	return NMHAL_OK;
}

static void put_inputs(struct ftdi_bus *bus, struct nmhal_bus_transfer *transfer)
{
	uint8_t bytes[MPSSE_EVENT_SIZE];
	size_t before = transfer->in_done;

	while (transfer->in_done < transfer->in_count && !transfer->in[transfer->in_done].idle_before &&
		ftdi_pipe_room(&bus->a) >= MPSSE_EVENT_SIZE + MPSSE_CONFIRM_SIZE)
		ftdi_pipe_put(&bus->a, bytes,
			mpsse_event(bytes, transfer->in[transfer->in_done++].address, bus->board.strict));
	if (transfer->in_done > before) {
		bus->idle = false;
		bus->delay = 0;
		bus->silent = 0;
		bus->flowing = true;
		bus->due++;
		ftdi_pipe_put(&bus->a, bytes, mpsse_confirm(bytes));
		ftdi_pipe_flush(&bus->a);
	}
}

static int stream(struct ftdi_bus *bus, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	int status = arm(bus, deadline_ns);

	if (status == NMHAL_OK)
		put_inputs(bus, transfer);
	if (status == NMHAL_OK)
		status = take_outputs(bus, transfer);
	if (status == NMHAL_OK && !transfer->in_done && !transfer->out_count) {
		status = ftdi_bus_wait_until(bus, nmhal_now_ns() + FAIR_NS, deadline_ns, "events");
		if (status == NMHAL_OK)
			status = take_outputs(bus, transfer);
	}
	return status == NMHAL_OK ? ftdi_bus_in_step(bus, "events") : status;
}

/* ---- one at a time ----------------------------------------------------------------------------------------------- */

/* On channel A: the input, if there is one, and a delay. */
static int send_round(struct ftdi_bus *bus, const struct nmhal_bus_transfer *transfer, const struct nmhal_bus_in *in,
	uint32_t clocks, int64_t deadline_ns)
{
	uint8_t bytes[MPSSE_EVENT_SIZE], frame[MPSSE_FRAME];
	size_t frames = clocks / CLK_PER_FRAME + (clocks % CLK_PER_FRAME != 0);
	int status = NMHAL_OK;

	if (in)
		ftdi_pipe_put(&bus->a, bytes, mpsse_event(bytes, in->address, bus->board.strict));
	mpsse_frames(frame, &transfer->quiet_frame, 1);
	for (size_t n = 0; n < frames && status == NMHAL_OK; n++) {
		size_t in_command = n % MPSSE_MAX_FRAMES, left = frames - n;

		if (!in_command)
			status = ftdi_bus_put(bus, &bus->a, bytes,
				mpsse_shift(bytes, MPSSE_WRITE, left < MPSSE_MAX_FRAMES ? left : MPSSE_MAX_FRAMES),
				deadline_ns, "events");
		if (status == NMHAL_OK)
			status = ftdi_bus_put(bus, &bus->a, frame, sizeof(frame), deadline_ns, "events");
	}
	if (status == NMHAL_OK)
		status = ftdi_bus_put(bus, &bus->a, bytes, mpsse_confirm(bytes), deadline_ns, "events");
	ftdi_pipe_flush(&bus->a);
	bus->due++;
	bus->delay = clocks;
	return status;
}

/* Asks channel B for its pins, after the handshake of the output that was read last. */
static int ask(struct ftdi_bus *bus, uint8_t pins[MPSSE_POLL_REPLY], int64_t deadline_ns)
{
	uint8_t bytes[MPSSE_SERVE_SIZE + MPSSE_POLL_SIZE];
	size_t size = bus->serve ? mpsse_serve(bytes) : 0, got = 0;
	int status;

	size += mpsse_poll(bytes + size);
	bus->serve = false;
	status = ftdi_bus_put(bus, &bus->b, bytes, size, deadline_ns, "events");
	ftdi_pipe_flush(&bus->b);
	while (status == NMHAL_OK) {
		got += ftdi_pipe_get(&bus->b, pins + got, MPSSE_POLL_REPLY - got);
		if (got == MPSSE_POLL_REPLY)
			break;
		status = ftdi_bus_wait(bus, deadline_ns, "events");
	}
	if (status == NMHAL_OK && pins[0] & MPSSE_B_ACK)
		status = nmhal_host_fail(bus->host, NMHAL_E_PROTOCOL,
			"events: channel B answered 0x%02x; the bytes are out of step", pins[0]);
	return status;
}

/* Where one output was, the next is near: a long delay begins with a short one. */
static uint32_t next_delay(const struct ftdi_bus *bus, const struct nmhal_bus_transfer *transfer)
{
	if (!bus->silent && transfer->quiet_clocks > LONG_DELAY)
		return transfer->quiet_clocks / 64;
	return transfer->quiet_clocks - bus->silent;
}

/* One look at channel B, and what follows from it. There is room for an output. */
static int look(struct ftdi_bus *bus, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	bool delay_over = !bus->due;
	uint8_t pins[MPSSE_POLL_REPLY] = {0};
	int status = ask(bus, pins, deadline_ns);

	if (status == NMHAL_OK)
		status = ftdi_bus_in_step(bus, "events");
	if (status != NMHAL_OK)
		return status;
	if (pins[0] & MPSSE_B_REQ) {
		transfer->out[transfer->out_count++] = (struct nmhal_bus_out){bus->index, pins[1], 0};
		bus->serve = true;
		bus->delay = 0;
		bus->silent = 0;
	} else if (delay_over) {
		bus->silent += bus->delay;
		bus->delay = 0;
		bus->idle = bus->silent >= transfer->quiet_clocks;
		if (!bus->idle)
			return send_round(bus, transfer, NULL, next_delay(bus, transfer), deadline_ns);
	}
	return NMHAL_OK;
}

static int one_by_one(struct ftdi_bus *bus, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	int64_t fair_ns = nmhal_now_ns() + FAIR_NS;
	int status = bus->armed ? ftdi_bus_disarm(bus, deadline_ns, "events") : NMHAL_OK;

	while (status == NMHAL_OK && transfer->out_count < transfer->out_capacity) {
		if (bus->idle) {
			const struct nmhal_bus_in *in = transfer->in + transfer->in_done;

			if (transfer->in_done == transfer->in_count || !in->idle_before)
				break;
			status = send_round(bus, transfer, in, transfer->quiet_clocks, deadline_ns);
			bus->idle = false;
			bus->flowing = true;
			bus->index = in->index;
			transfer->in_done++;
		}
		if (status == NMHAL_OK)
			status = look(bus, transfer, deadline_ns);
		if (nmhal_now_ns() >= fair_ns)
			break;
	}
	transfer->idle = bus->idle;
	return status;
}

int ftdi_bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct ftdi_bus *bus = self;
	int status;

	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	if (bus->lost)
		return nmhal_host_fail(bus->host, NMHAL_E_STATE, "events: framing is lost until a reset");
	if (transfer->in_count)
		bus->streaming = !transfer->in[0].idle_before;
	status = bus->streaming ? stream(bus, transfer, deadline_ns) : one_by_one(bus, transfer, deadline_ns);
	return ftdi_bus_end(bus, status);
}
