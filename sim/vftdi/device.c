/* SPDX-License-Identifier: MIT */
/* The USB side of the virtual FT2232H: vendor requests, packets, latency timer, counters. */
#include <stdlib.h>
#include <string.h>

#include "sim/vftdi/inside.h"

#define STATUS_BYTES        2u
#define LATENCY_DEFAULT_MS  16u
#define MICROFRAME_US       125u
#define BUSY_US             1000u /* what the host may wait when a call ended before the engines did */
#define PACKETS_A_MICROFRAME 13u

#define REQUEST_TYPE     0x60u
#define REQUEST_STANDARD 0x00u
#define REQUEST_VENDOR   0x40u

enum {
	RESET, SET_MODEM, SET_FLOW, SET_BAUD, SET_DATA, GET_MODEM, SET_EVENT_CHAR, SET_ERROR_CHAR,
	SET_LATENCY = 9, GET_LATENCY, SET_BITMODE, GET_PINS,
	READ_EEPROM = 0x90, WRITE_EEPROM, ERASE_EEPROM
};
enum { RESET_ALL, PURGE_OUT, PURGE_IN };
enum { MODE_RESET, MODE_MPSSE = 2, MODE_SYNC_FIFO = 0x40 };

/* Modem and line status of a high-speed chip at rest: transmitter empty, no error. */
static const uint8_t status_bytes[STATUS_BYTES] = {0x32, 0x60};

/* ---- rings ------------------------------------------------------------------------------------------------------- */

unsigned ring_room(const struct ring *ring)
{
	return VFTDI_BUFFER - ring->count;
}

uint8_t ring_peek(const struct ring *ring, unsigned at)
{
	return ring->data[(ring->head + at) % VFTDI_BUFFER];
}

uint8_t ring_get(struct ring *ring)
{
	uint8_t byte = ring_peek(ring, 0);

	ring->head = (ring->head + 1) % VFTDI_BUFFER;
	ring->count--;
	return byte;
}

void ring_put(struct ring *ring, uint8_t byte)
{
	ring->data[(ring->head + ring->count) % VFTDI_BUFFER] = byte;
	ring->count++;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct vftdi *vftdi_new(const struct vftdi_params *params)
{
	struct vftdi *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->params = *params;
	if (!dev->params.clk_hz)
		dev->params.clk_hz = VFTDI_TICK_HZ;
	dev->chip = tinyodin_pins_new();
	if (!dev->chip) {
		free(dev);
		return NULL;
	}
	vftdi_make_tables(dev);
	for (unsigned i = 0; i < VFTDI_CHANNELS; i++) {
		dev->channel[i].latency_ms = LATENCY_DEFAULT_MS;
		vftdi_engine_reset(dev, i, false);
	}
	return dev;
}

void vftdi_free(struct vftdi *dev)
{
	if (!dev)
		return;
	tinyodin_pins_free(dev->chip);
	free(dev);
}

const uint8_t *vftdi_descriptors(const struct vftdi *dev, size_t *size)
{
	*size = dev->usb.descriptors_size;
	return dev->descriptors;
}

struct tinyodin_pins *vftdi_chip(struct vftdi *dev)
{
	return dev->chip;
}

void vftdi_stop_clock(struct vftdi *dev, bool stopped)
{
	dev->clock_stopped = stopped;
}

/* ---- vendor requests --------------------------------------------------------------------------------------------- */

static void purge(struct ring *ring)
{
	ring->head = ring->count = 0;
}

/* A byte on the wire: garbage when the two ends differ by more than 3 %. */
static uint8_t on_the_wire(const struct vftdi *dev, uint8_t byte)
{
	const struct vftdi_far *far = &dev->params.far;
	uint32_t baud = dev->channel[0].baud;
	bool same = far->fifo || (baud >= far->baud - far->baud / 32 && baud <= far->baud + far->baud / 32);

	if (same)
		return byte;
	return (uint8_t)(byte << 3 | 5);
}

/* Lets the far end of channel A take and give what it can. */
static void exchange(struct vftdi *dev)
{
	const struct vftdi_far *far = &dev->params.far;
	struct channel *a = &dev->channel[0];
	uint8_t byte;

	while (a->out.count) {
		byte = on_the_wire(dev, ring_peek(&a->out, 0));
		if (!far->put(far->user, &byte, 1))
			break;
		(void)ring_get(&a->out);
	}
	while (ring_room(&a->in) && far->get(far->user, &byte, 1))
		ring_put(&a->in, on_the_wire(dev, byte));
}

/* In reset mode the bytes leave on a serial port; where nothing is wired to it they are lost. */
static bool run(struct vftdi *dev)
{
	const struct vftdi_far *far = &dev->params.far;

	if (far->put && !dev->channel[0].mpsse && dev->channel[0].fifo == far->fifo)
		exchange(dev);
	for (unsigned i = far->put ? 1 : 0; i < VFTDI_CHANNELS; i++)
		if (!dev->channel[i].mpsse)
			purge(&dev->channel[i].out);
	return vftdi_run(dev);
}

/* Divisor of 12 MHz in eighths, in FTDI's order (AN_120); index bit 9: this clock, else 3 MHz. */
static uint32_t baud_of(unsigned value, unsigned index)
{
	static const unsigned eighths[8] = {0, 4, 2, 1, 3, 5, 6, 7};
	unsigned divisor = (value & 0x3fffu) << 3 | eighths[value >> 14 | (index >> 8 & 1u) << 2];
	uint32_t clock = index & 0x200u ? 12000000u : 3000000u;

	if ((value & 0x3fffu) == 0)
		return clock;
	if ((value & 0x3fffu) == 1 && divisor == 8)
		return clock / 3 * 2;
	return (uint32_t)((uint64_t)clock * 8 / divisor);
}

static int reset(struct channel *c, unsigned value)
{
	if (value > PURGE_IN)
		return VFTDI_STALL;
	if (value != PURGE_IN)
		purge(&c->out);
	if (value != PURGE_OUT) {
		purge(&c->in);
		c->flush = 0;
	}
	return 0;
}

static int set_bitmode(struct vftdi *dev, unsigned channel, unsigned mode)
{
	const bool fifo = mode == MODE_SYNC_FIFO && channel == 0 && dev->params.far.fifo;

	if (mode != MODE_RESET && mode != MODE_MPSSE && !fifo)
		return VFTDI_STALL;
	vftdi_engine_reset(dev, channel, mode == MODE_MPSSE);
	dev->channel[channel].fifo = fifo;
	return 0;
}

static int give(const uint8_t *bytes, size_t size, uint8_t *data, size_t capacity)
{
	size_t moved = size < capacity ? size : capacity;

	memcpy(data, bytes, moved);
	return (int)moved;
}

/* Requests to a channel: index 1 is A, 2 is B; 0 is A. */
static int channel_request(struct vftdi *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	unsigned value = setup[2] | (unsigned)setup[3] << 8, channel = setup[4] ? setup[4] - 1u : 0;
	struct channel *c;
	uint8_t pins;

	if (channel >= (dev->params.ft232h ? 1u : VFTDI_CHANNELS))
		return VFTDI_STALL;
	c = &dev->channel[channel];
	switch (setup[1]) {
	case RESET:
		return reset(c, value);
	case SET_MODEM:
	case SET_FLOW:
	case SET_DATA:
	case SET_EVENT_CHAR:
	case SET_ERROR_CHAR:
		return 0;
	case SET_BAUD:
		c->baud = baud_of(value, setup[4] | (unsigned)setup[5] << 8);
		return 0;
	case GET_MODEM:
		return give(status_bytes, sizeof(status_bytes), data, capacity);
	case SET_LATENCY:
		c->latency_ms = (uint8_t)value;
		return 0;
	case GET_LATENCY:
		return give(&c->latency_ms, 1, data, capacity);
	case SET_BITMODE:
		return set_bitmode(dev, channel, value >> 8);
	case GET_PINS:
		pins = vftdi_read_pins(dev, channel, 0);
		return give(&pins, 1, data, capacity);
	default:
		return VFTDI_STALL;
	}
}

static int vendor(struct vftdi *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	switch (setup[1]) {
	case READ_EEPROM:
		return give(dev->eeprom + 2 * (setup[4] & 0x7Fu), 2, data, capacity);
	case WRITE_EEPROM:
	case ERASE_EEPROM:
		dev->counters.eeprom_writes++;
		return VFTDI_STALL;
	default:
		return channel_request(dev, setup, data, capacity);
	}
}

int vftdi_control(struct vftdi *dev, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	size_t length = setup[6] | (size_t)setup[7] << 8;
	int moved = VFTDI_STALL;

	dev->counters.controls++;
	if (length < capacity)
		capacity = length;
	if ((setup[0] & REQUEST_TYPE) == REQUEST_STANDARD)
		moved = usb_standard(&dev->usb, setup, data, capacity);
	else if ((setup[0] & REQUEST_TYPE) == REQUEST_VENDOR)
		moved = vendor(dev, setup, data, capacity);
	run(dev);
	return moved;
}

/* ---- packets ----------------------------------------------------------------------------------------------------- */

/* NULL for an endpoint that is not there. */
static struct channel *channel_of(struct vftdi *dev, unsigned endpoint)
{
	if (endpoint == VFTDI_A_IN || endpoint == VFTDI_A_OUT)
		return &dev->channel[0];
	if ((endpoint == VFTDI_B_IN || endpoint == VFTDI_B_OUT) && !dev->params.ft232h)
		return &dev->channel[1];
	return NULL;
}

static void take_packet(struct vftdi *dev, struct channel *c, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		ring_put(&c->out, data[i]);
	dev->counters.out_packets++;
	dev->counters.out_bytes += size;
}

size_t vftdi_out(struct vftdi *dev, unsigned endpoint, const uint8_t *data, size_t size)
{
	struct channel *c = channel_of(dev, endpoint);
	size_t taken = 0;

	if (!c)
		return 0;
	while (taken < size) {
		size_t packet = size - taken < VFTDI_PACKET ? size - taken : VFTDI_PACKET;

		if (ring_room(&c->out) < packet)
			run(dev);
		if (ring_room(&c->out) < packet)
			return taken;
		take_packet(dev, c, data + taken, packet);
		taken += packet;
	}
	run(dev);
	return taken;
}

static size_t send_packet(struct vftdi *dev, struct channel *c, uint8_t *data, unsigned most, uint64_t now_us)
{
	unsigned count = c->in.count < most ? c->in.count : most;

	memcpy(data, status_bytes, STATUS_BYTES);
	for (unsigned i = 0; i < count; i++)
		data[STATUS_BYTES + i] = ring_get(&c->in);
	c->flush -= count < c->flush ? count : c->flush;
	c->last_in_us = now_us;
	dev->counters.in_bytes += count;
	if (count)
		dev->counters.in_packets++;
	else
		dev->counters.status_packets++;
	if (count && !dev->coming && !dev->channel[0].out.count && !dev->channel[1].out.count)
		dev->answered = true;
	return STATUS_BYTES + count;
}

size_t vftdi_in(struct vftdi *dev, unsigned endpoint, uint8_t *data, size_t capacity, uint64_t now_us,
		uint64_t *again_us)
{
	struct channel *c = channel_of(dev, endpoint);
	unsigned most;
	uint64_t due;
	bool finished;

	*again_us = UINT64_MAX;
	if (!c || capacity < STATUS_BYTES)
		return 0;
	finished = run(dev);
	most = (capacity < VFTDI_PACKET ? (unsigned)capacity : VFTDI_PACKET) - STATUS_BYTES;
	due = c->last_in_us + (c->latency_ms ? 1000u * c->latency_ms : MICROFRAME_US);
	if (c->flush || c->in.count >= most || now_us >= due)
		return send_packet(dev, c, data, most, now_us);
	*again_us = finished || due < now_us + BUSY_US ? due : now_us + BUSY_US;
	return 0;
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

void vftdi_count_submit(struct vftdi *dev, unsigned endpoint)
{
	if (endpoint & 0x80u)
		return;
	dev->coming++;
	dev->counters.round_trips += dev->answered;
	dev->answered = false;
}

void vftdi_count_transfer(struct vftdi *dev, unsigned endpoint)
{
	if (endpoint & 0x80u) {
		dev->counters.in_transfers++;
		return;
	}
	dev->coming--;
	dev->counters.out_transfers++;
}

struct vftdi_counters vftdi_counters(const struct vftdi *dev)
{
	struct vftdi_counters counters = dev->counters;

	counters.ticks = dev->now - dev->counted_from;
	counters.microframes = (counters.out_packets + counters.in_packets + PACKETS_A_MICROFRAME - 1) /
			       PACKETS_A_MICROFRAME;
	return counters;
}

void vftdi_count_reset(struct vftdi *dev)
{
	dev->counters = (struct vftdi_counters){0};
	dev->counted_from = dev->now;
	dev->answered = false;
}
