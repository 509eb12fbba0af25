/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wirebus.h"

static void breach(struct wirebus *bus, const char *why)
{
	if (!bus->breaches++)
		bus->breach = why;
}

static void record(struct wirebus *bus, uint32_t kind, uint64_t value, uint32_t idle_before)
{
	if (bus->count == bus->capacity) {
		bus->capacity = bus->capacity ? 2 * bus->capacity : 1024;
		bus->log = realloc(bus->log, bus->capacity * sizeof(*bus->log));
		ck_assert_ptr_nonnull(bus->log);
	}
	bus->log[bus->count++] = (struct wire_entry){kind, idle_before, value};
}

static bool fails(struct wirebus *bus)
{
	return bus->calls++ == bus->fail_at;
}

static int failed(struct wirebus *bus, const char *what)
{
	bus->framed = false;
	bus->write_pending = false;
	return nmhal_host_fail(bus->host, bus->fail_with, "%s: call %zu fails as planned", what, bus->calls - 1);
}

static void configure(struct wirebus *bus, unsigned reg, unsigned value)
{
	if (reg >= 2 && !bus->gated)
		breach(bus, "AER_SRC or MAX_NEUR changed with the gate open");
	if (reg == 0 && (value & 1) && bus->left)
		breach(bus, "gate closed on a busy core");
	if (reg == 0)
		bus->gated = value & 1;
	else if (reg == 1)
		bus->open_loop = value & 1;
	else if (reg == 2)
		bus->aer_src = value & 1;
	else
		bus->max_neur = (int)value & 0xFF;
}

/* The byte a memory frame means; NULL if it means none. */
static uint8_t *byte_of(struct wirebus *bus, unsigned op, unsigned addr)
{
	if (op == 1 && addr >> 8 < 4)
		return &bus->neuron[addr & 0xFF][addr >> 8];
	if (op == 2)
		return &bus->synapse[addr & 0x1FFF][addr >> 13 & 3];
	breach(bus, "a frame that does nothing");
	return NULL;
}

static uint32_t clock_frame(struct wirebus *bus, uint64_t frame)
{
	unsigned field = (unsigned)(frame >> 20), data = (unsigned)frame & 0xFFFFF;
	unsigned op = field >> 16 & 3, mask = data >> 8 & 0xFF;
	uint8_t *byte;

	bus->write_pending = false;
	if (!bus->framed) {
		breach(bus, "a frame without framing");
		return 0;
	}
	if (frame >> 40 || data >> 16)
		breach(bus, "bits outside the frame's fields");
	if (op == 0) {
		configure(bus, field & 0xFFFF, data);
		return 0;
	}
	if (!bus->gated)
		breach(bus, "a memory frame with the gate open");
	byte = byte_of(bus, op, field & 0xFFFF);
	if (!byte)
		return 0;
	if (field & 0x80000)
		return *byte;
	if (op == 1 && bus->open_loop != 1)
		breach(bus, "a neuron write in closed loop");
	bus->write_pending = true;
	*byte = (uint8_t)((data & ~mask) | (*byte & mask));
	return 0;
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct wirebus *bus = self;
	bool fail = fails(bus);

	(void)deadline_ns;
	if (count > bus->largest)
		bus->largest = count;
	for (size_t n = 0; n < (fail ? count / 2 : count); n++) {
		uint32_t reply = clock_frame(bus, frames[n]);

		record(bus, WIRE_FRAME, frames[n], 0);
		if (replies)
			replies[n] = reply;
	}
	return fail ? failed(bus, "spi") : NMHAL_OK;
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct wirebus *bus = self;

	(void)deadline_ns;
	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	if (bus->gated || bus->write_pending)
		breach(bus, "events with the gate closed or a write on its way");
	if (fails(bus))
		return failed(bus, "events");
	while (transfer->out_count < transfer->out_capacity) {
		const struct nmhal_bus_in *in = transfer->in + transfer->in_done;

		if (bus->left) {
			bus->left--;
			transfer->out[transfer->out_count++] = (struct nmhal_bus_out){
				.index = bus->bad_index ? bus->index + 1 : bus->index,
				.address = (uint16_t)(bus->address++ & 0xFF)};
		} else if (transfer->in_done < transfer->in_count && transfer->in_done < bus->accept) {
			record(bus, WIRE_EVENT, in->address, in->idle_before);
			bus->left = bus->outputs[in->address & 0x3FF];
			bus->index = in->index;
			bus->address = 0;
			transfer->in_done++;
		} else {
			break;
		}
	}
	transfer->idle = !bus->left;
	return NMHAL_OK;
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct wirebus *bus = self;

	(void)deadline_ns;
	if (bus->write_pending)
		breach(bus, "a reset right after a write");
	if (fails(bus))
		return failed(bus, "reset");
	record(bus, WIRE_RESET, 0, 0);
	bus->framed = true;
	bus->left = 0;
	return NMHAL_OK;
}

static void bus_close(void *self)
{
	struct wirebus *bus = self;

	if (bus->closed)
		breach(bus, "closed twice");
	bus->closed = true;
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	struct wirebus *bus = self;

	*info = (struct nmhal_bus_info){.flags = bus->flags, .default_timeout_ms = 5000, .max_frames = bus->max_frames,
		.clock_hz = 12345, .serial = "W1"};
}

static int bus_counter(void *self, const char *key, uint64_t *value)
{
	struct wirebus *bus = self;

	if (!bus->counts || (strcmp(key, "cycles") && strcmp(key, "sops")))
		return NMHAL_E_UNSUPPORTED;
	*value = bus->counter += 10;
	return NMHAL_OK;
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
	.counter = bus_counter,
};

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct wirebus *self = NULL;
	void *at = NULL;

	(void)deadline_ns;
	(void)stream;
	ck_assert_int_eq(sscanf(nmhal_uri_value(uri, "at"), "%p", &at), 1);
	self = at;
	self->host = host;
	self->closed = false;
	*bus = (struct nmhal_bus){&bus_ops, self};
	return NMHAL_OK;
}

static const struct nmhal_key link_keys[] = {{"at", "address of the struct wirebus"}, {NULL, NULL}};

static const struct nmhal_link wire_link = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "wire",
	.summary = "a bus that records",
	.default_board = "tinyodin",
	.keys = link_keys,
	.open = link_open,
};

void wirebus_init(struct wirebus *bus)
{
	*bus = (struct wirebus){
		.flags = NMHAL_BUS_ATTRIBUTES | NMHAL_BUS_WAITS_IDLE, .max_frames = 1000, .accept = SIZE_MAX,
		.fail_at = SIZE_MAX, .fail_with = NMHAL_E_IO, .open_loop = -1, .aer_src = -1, .max_neur = -1,
	};
}

void wirebus_free(struct wirebus *bus)
{
	ck_assert_msg(!bus->breaches, "%u breaches, the first: %s", bus->breaches, bus->breach);
	free(bus->log);
}

void wirebus_forget(struct wirebus *bus)
{
	bus->count = 0;
	bus->calls = 0;
	bus->largest = 0;
}

nmhal_context *wirebus_context(void)
{
	return wirebus_context_with(NULL);
}

nmhal_context *wirebus_context_with(const struct nmhal_context_params *params)
{
	nmhal_context *ctx;

	ck_assert_int_eq(nmhal_context_new(params, &ctx), NMHAL_OK);
	ck_assert_int_eq(nmhal_context_add_link(ctx, &wire_link), NMHAL_OK);
	return ctx;
}

int wirebus_try_open(nmhal_context *ctx, struct wirebus *bus, nmhal_device **dev)
{
	char uri[64];

	snprintf(uri, sizeof(uri), "wire:tinyodin,at=%p", (void *)bus);
	return nmhal_device_open(ctx, uri, NULL, dev);
}

nmhal_device *wirebus_open(nmhal_context *ctx, struct wirebus *bus)
{
	nmhal_device *dev;
	int status = wirebus_try_open(ctx, bus, &dev);

	ck_assert_msg(status == NMHAL_OK, "%s", nmhal_last_error());
	return dev;
}

static void print_entry(char *text, size_t size, const struct wire_entry *entry)
{
	if (entry->kind == WIRE_RESET)
		snprintf(text, size, "R");
	else if (entry->kind == WIRE_FRAME)
		snprintf(text, size, "%010" PRIx64, entry->value);
	else
		snprintf(text, size, "%c%03" PRIx64, entry->idle_before ? 'i' : 'e', entry->value);
}

void wirebus_expect(const struct wirebus *bus, const char *text)
{
	const char *at = text + strspn(text, " ");
	size_t n;

	ck_assert_msg(!bus->breaches, "%u breaches, the first: %s", bus->breaches, bus->breach);
	for (n = 0; *at; n++) {
		char wanted[16], got[24] = "nothing";
		size_t length = strcspn(at, " ");

		ck_assert_uint_lt(length, sizeof(wanted));
		memcpy(wanted, at, length);
		wanted[length] = '\0';
		if (n < bus->count)
			print_entry(got, sizeof(got), &bus->log[n]);
		ck_assert_msg(!strcmp(got, wanted), "entry %zu: %s, expected %s", n, got, wanted);
		at += length;
		at += strspn(at, " ");
	}
	ck_assert_msg(bus->count == n, "%zu entries, expected %zu", bus->count, n);
}
