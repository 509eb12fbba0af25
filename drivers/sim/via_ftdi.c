/* SPDX-License-Identifier: MIT */
/*
 * A port whose far end is a virtual FT2232H in the same thread: transfers move inside wait(). What the device calls
 * time advances only when nothing else can move; so the latency timer costs none of ours.
 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drivers/ftdi/port.h"
#include "sim/tinyodin_pins.h"
#include "sim/vftdi/vftdi.h"

#include "via_ftdi.h"

#define TIMEOUT_MS  60000
#define LATENCY_MS  2u
#define MAX_QUEUED  32u /* transfers of an endpoint */
#define NS_PER_S    INT64_C(1000000000)
#define STATUS_SIZE 2u  /* a packet of status bytes alone */

struct queue {
	struct ftdi_transfer *transfers[MAX_QUEUED];
	unsigned oldest, count;
};

struct port {
	struct nmhal_host *host;
	struct vftdi *device;
	struct queue queues[FTDI_CHANNELS][2]; /* [in] */
	uint64_t now_us;  /* the device's */
	uint64_t last_us; /* when a byte moved last, or a request came */
	sem_t woken;
};

static const unsigned endpoints[FTDI_CHANNELS][2] = {{VFTDI_A_OUT, VFTDI_A_IN}, {VFTDI_B_OUT, VFTDI_B_IN}};

static void port_close(void *self)
{
	struct port *port = self;

	vftdi_free(port->device);
	sem_destroy(&port->woken);
	free(port);
}

static int port_control(void *self, enum ftdi_channel channel, enum ftdi_request request, unsigned value,
	int64_t deadline_ns)
{
	struct port *port = self;
	const uint8_t setup[8] = {0x40, (uint8_t)request, (uint8_t)value, (uint8_t)(value >> 8),
		(uint8_t)(channel + 1), (uint8_t)(value >> 16)};

	(void)deadline_ns;
	port->last_us = port->now_us;
	if (vftdi_control(port->device, setup, NULL, 0) >= 0)
		return NMHAL_OK;
	return nmhal_host_fail(port->host, NMHAL_E_IO, "control request %d, value 0x%04x, of channel %c: stalled",
		(int)request, value, 'A' + (int)channel);
}

static int port_alloc(void *self, struct ftdi_transfer *transfer, size_t size)
{
	struct port *port = self;

	transfer->data = malloc(size);
	if (transfer->data)
		return NMHAL_OK;
	return nmhal_host_fail(port->host, NMHAL_E_NO_MEMORY, "open: no memory for a transfer of %zu bytes", size);
}

static void port_free(void *self, struct ftdi_transfer *transfer)
{
	(void)self;
	free(transfer->data);
}

static struct queue *queue_of(struct port *port, const struct ftdi_transfer *transfer)
{
	return &port->queues[transfer->channel][transfer->in];
}

static int port_submit(void *self, struct ftdi_transfer *transfer)
{
	struct port *port = self;
	struct queue *queue = queue_of(port, transfer);

	if (queue->count == MAX_QUEUED)
		return nmhal_host_fail(port->host, NMHAL_E_INTERNAL, "more than %u transfers in flight", MAX_QUEUED);
	transfer->done = 0;
	transfer->status = NMHAL_OK;
	transfer->busy = true;
	queue->transfers[(queue->oldest + queue->count++) % MAX_QUEUED] = transfer;
	vftdi_count_submit(port->device, endpoints[transfer->channel][transfer->in]);
	return NMHAL_OK;
}

/* It ends in wait(), where nothing is given to a transfer that has a status. */
static void port_cancel(void *self, struct ftdi_transfer *transfer)
{
	(void)self;
	transfer->status = NMHAL_E_CANCELED;
}

static void complete(struct port *port, struct queue *queue)
{
	struct ftdi_transfer *transfer = queue->transfers[queue->oldest];

	queue->oldest = (queue->oldest + 1) % MAX_QUEUED;
	queue->count--;
	transfer->busy = false;
	vftdi_count_transfer(port->device, endpoints[transfer->channel][transfer->in]);
}

/* Ends what was canceled; cancels come for a whole queue. */
static bool end_canceled(struct port *port, struct queue *queue)
{
	bool ended = false;

	while (queue->count && queue->transfers[queue->oldest]->status == NMHAL_E_CANCELED) {
		complete(port, queue);
		ended = true;
	}
	return ended;
}

/* Moves what the device takes of the oldest OUT transfer; true if that completes it. */
static bool move_out(struct port *port, enum ftdi_channel channel, bool *moved)
{
	struct queue *queue = &port->queues[channel][0];
	struct ftdi_transfer *transfer = queue->transfers[queue->oldest];
	size_t taken;

	if (!queue->count)
		return false;
	taken = vftdi_out(port->device, endpoints[channel][0], transfer->data + transfer->done,
		transfer->size - transfer->done);
	transfer->done += taken;
	if (taken) {
		*moved = true;
		port->last_us = port->now_us;
	}
	if (transfer->done < transfer->size)
		return false;
	complete(port, queue);
	return true;
}

/* Moves one packet into the oldest IN transfer; true if that completes it. */
static bool move_in(struct port *port, enum ftdi_channel channel, bool *moved, uint64_t *again_us)
{
	struct queue *queue = &port->queues[channel][1];
	struct ftdi_transfer *transfer = queue->transfers[queue->oldest];
	uint64_t again = UINT64_MAX;
	size_t size;

	if (!queue->count)
		return false;
	size = vftdi_in(port->device, endpoints[channel][1], transfer->data + transfer->done,
		transfer->size - transfer->done, port->now_us, &again);
	if (!size && again < *again_us)
		*again_us = again;
	if (!size)
		return false;
	if (size > STATUS_SIZE)
		port->last_us = port->now_us;
	transfer->done += size;
	*moved = true;
	if (size == FTDI_PACKET && transfer->done < transfer->size)
		return false;
	complete(port, queue);
	return true;
}

/* One round over the endpoints; true if a transfer completed. */
static bool move(struct port *port, bool *moved, uint64_t *again_us)
{
	bool completed = false;

	for (int n = FTDI_A; n < FTDI_CHANNELS; n++) {
		enum ftdi_channel channel = (enum ftdi_channel)n;

		completed = end_canceled(port, &port->queues[channel][0]) || completed;
		completed = end_canceled(port, &port->queues[channel][1]) || completed;
		completed = move_out(port, channel, moved) || completed;
		completed = move_in(port, channel, moved, again_us) || completed;
	}
	return completed;
}

/* Nothing will move before the caller does something: waits in real time, for its deadline or an interrupt. */
static void wait_really(struct port *port, int64_t until_ns)
{
	struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};

	while (sem_clockwait(&port->woken, CLOCK_MONOTONIC, &until) && errno == EINTR)
		;
	while (!sem_trywait(&port->woken))
		;
}

static int port_wait(void *self, int64_t until_ns)
{
	struct port *port = self;

	for (;;) {
		uint64_t again_us = UINT64_MAX;
		bool moved = false;

		if (move(port, &moved, &again_us) || nmhal_now_ns() >= until_ns)
			return NMHAL_OK;
		if (moved)
			continue;
		/* After two turns of the latency timer the device holds no byte back. */
		if (again_us == UINT64_MAX || again_us > port->last_us + 2 * LATENCY_MS * 1000) {
			wait_really(port, until_ns);
			return NMHAL_OK;
		}
		port->now_us = again_us;
	}
}

static void port_interrupt(void *self)
{
	struct port *port = self;

	sem_post(&port->woken);
}

static int port_counter(void *self, const char *key, uint64_t *value)
{
	const struct port *port = self;
	const struct vftdi_counters counters = vftdi_counters(port->device);
	const struct tinyodin_pins_state chip = tinyodin_pins_state(vftdi_chip(port->device));
	const struct {
		const char *key;
		uint64_t value;
	} table[] = {
		{"clk_edges", chip.cycles},
		{"queue_dropped", chip.dropped},
		{"sck", counters.sck},
		{"out_bytes", counters.out_bytes},
		{"in_bytes", counters.in_bytes},
		{"out_transfers", counters.out_transfers},
		{"in_transfers", counters.in_transfers},
		{"out_packets", counters.out_packets},
		{"in_packets", counters.in_packets},
		{"status_packets", counters.status_packets},
		{"controls", counters.controls},
		{"round_trips", counters.round_trips},
		{"microframes", counters.microframes},
		{"ticks", counters.ticks},
		{"wire_events_in", counters.events_in},
		{"wire_events_out", counters.events_out},
	};

	for (size_t n = 0; n < sizeof(table) / sizeof(*table); n++)
		if (!strcmp(key, table[n].key)) {
			*value = table[n].value;
			return NMHAL_OK;
		}
	return NMHAL_E_UNSUPPORTED;
}

static const struct ftdi_port_ops port_ops = {
	.close = port_close,
	.control = port_control,
	.alloc = port_alloc,
	.free = port_free,
	.submit = port_submit,
	.cancel = port_cancel,
	.wait = port_wait,
	.interrupt = port_interrupt,
	.counter = port_counter,
};

/* The chip as the event model powers up: dis (lane 3, bit 7) of all neurons is 1. OPEN_LOOP is 1 meanwhile. */
static int disable_neurons(const struct nmhal_bus *bus, int64_t deadline_ns)
{
	enum { GATE, OPEN_LOOP, NEURONS = 256, FRAMES = NEURONS + 4 };
	const uint64_t disable = UINT64_C(0x503) << 28 | 0x7F80; /* W, neuron memory, lane 3; mask 0x7F, byte 0x80 */
	uint64_t frames[FRAMES];

	frames[0] = (uint64_t)GATE << 20 | 1;
	frames[1] = (uint64_t)OPEN_LOOP << 20 | 1;
	for (uint64_t n = 0; n < NEURONS; n++)
		frames[2 + n] = disable | n << 20;
	frames[FRAMES - 2] = (uint64_t)OPEN_LOOP << 20;
	frames[FRAMES - 1] = (uint64_t)GATE << 20;
	return bus->ops->spi(bus->self, frames, FRAMES, NULL, deadline_ns);
}

int sim_open_via_ftdi(struct nmhal_host *host, uint64_t clk_hz, bool all_zero, int64_t deadline_ns,
	struct nmhal_bus *bus)
{
	const struct vftdi_params params = {.clk_hz = clk_hz, .manufacturer = "NMHAL", .product = "NMHAL tinyODIN"};
	const struct ftdi_board board = {
		.clk_hz = clk_hz,
		.emulated = true,
		.latency_ms = LATENCY_MS,
		.default_timeout_ms = TIMEOUT_MS,
	};
	struct port *port = calloc(1, sizeof(*port));
	struct ftdi_port table = {&port_ops, port};
	int status;

	if (port)
		port->device = vftdi_new(&params);
	if (!port || !port->device) {
		free(port);
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the virtual FT2232H");
	}
	port->host = host;
	sem_init(&port->woken, 0, 0);
	status = ftdi_bus_open(host, &table, &board, deadline_ns, bus);
	if (status != NMHAL_OK) {
		port_close(port);
		return status;
	}
	if (!all_zero)
		status = disable_neurons(bus, deadline_ns);
	if (status != NMHAL_OK) {
		bus->ops->close(bus->self);
		*bus = (struct nmhal_bus){NULL, NULL};
		return status;
	}
	vftdi_count_reset(port->device);
	return NMHAL_OK;
}
