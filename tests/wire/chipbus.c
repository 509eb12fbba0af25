/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chipbus.h"

#define NO_OP UINT64_C(0x3000000000) /* R = W = 0, operation 11 */

static void breach(struct chipbus *bus, const char *why)
{
	if (!bus->breaches++)
		bus->breach = why;
}

uint32_t chipbus_random(uint64_t *seed, uint32_t limit)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)((*seed >> 20) % limit);
}

/* Counts the call; the status it is to end with. */
static int enter(struct chipbus *bus, const char *what)
{
	size_t call = bus->calls++;

	if (call == bus->interrupt_at)
		nmhal_device_interrupt(bus->dev);
	if (call < bus->fail_at || call - bus->fail_at >= bus->fail_count)
		return NMHAL_OK;
	return nmhal_host_fail(bus->host, NMHAL_E_IO, "%s: call %zu fails as planned", what, call);
}

static bool busy(const struct chipbus *bus)
{
	return !tinyodin_idle(bus->chip) || bus->out_first < bus->out_end;
}

static void note_register(struct chipbus *bus, uint64_t frame)
{
	unsigned reg = (unsigned)(frame >> 20) & 0xFFFF;

	if (frame >> 36 & 3 || reg > 3)
		return;
	if (reg == 0 && frame & 1 && bus->reg[0] != 1 && busy(bus))
		breach(bus, "gate closed on a busy core, or before all output was taken");
	if (reg >= 2 && bus->reg[0] != 1)
		breach(bus, "AER_SRC or MAX_NEUR changed with the gate open");
	bus->reg[reg] = (int)(frame & (reg == 3 ? 0xFF : 1));
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct chipbus *bus = self;
	int status = enter(bus, "spi");

	(void)deadline_ns;
	if (count > bus->max_frames)
		breach(bus, "more frames than the bus takes");
	if (!bus->framed)
		breach(bus, "a frame without framing");
	if (status != NMHAL_OK)
		count = chipbus_random(&bus->seed, (uint32_t)count + 1);
	for (size_t n = 0; n < count; n++)
		note_register(bus, frames[n]);
	tinyodin_spi(bus->chip, frames, count, replies);
	bus->framed = bus->framed && status == NMHAL_OK;
	bus->spi_calls++;
	bus->frames += count;
	bus->answered += replies != NULL;
	return status;
}

static void keep_output(struct chipbus *bus, const struct tinyodin_out *out)
{
	size_t number = bus->out_number++;
	unsigned copies = number == bus->lose_at ? 0 : number == bus->double_at ? 2 : 1;

	for (; copies; copies--) {
		if (bus->out_end == bus->out_capacity) {
			bus->out_capacity = bus->out_capacity ? 2 * bus->out_capacity : 4096;
			bus->out = realloc(bus->out, bus->out_capacity * sizeof(*bus->out));
			ck_assert_ptr_nonnull(bus->out);
		}
		bus->out[bus->out_end++] = (struct nmhal_bus_out){
			.index = bus->waits ? out->index : 0xDEADBEEF, .address = out->address};
	}
}

static void keep_outputs(struct chipbus *bus, const struct tinyodin_out *out, size_t count)
{
	for (size_t n = 0; n < count; n++)
		keep_output(bus, &out[n]);
}

/* One input and, in open loop, all it causes. */
static void take_input(struct chipbus *bus, const struct nmhal_bus_in *in)
{
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT];

	bus->waits = in->idle_before;
	bus->waited += in->idle_before;
	bus->streamed += !in->idle_before;
	if (!in->idle_before)
		bus->last_word = in->address;
	if (!in->idle_before && bus->reg[1] != 1)
		breach(bus, "an input that does not wait, in closed loop");
	keep_outputs(bus, out, tinyodin_input(bus->chip, in->address, in->index, out));
	while (bus->reg[1] == 1 && !tinyodin_idle(bus->chip))
		keep_outputs(bus, out, tinyodin_step(bus->chip, out));
}

/* Section 17, from the registers as the frames set them. */
static uint32_t quiet_clocks(const struct chipbus *bus)
{
	uint32_t neurons = (uint32_t)bus->reg[3] + 1;

	if (bus->reg[1])
		return 2 * neurons + 2;
	return bus->reg[2] ? 2 * neurons + 5 : 128 * (2 * neurons + 2) + 3;
}

static void work(struct chipbus *bus, struct nmhal_bus_transfer *transfer)
{
	struct tinyodin_out out[TINYODIN_MAX_OUT];

	for (uint32_t left = 1 + chipbus_random(&bus->seed, 3000); left; left--) {
		const struct nmhal_bus_in *in = transfer->in + transfer->in_done;

		if (!tinyodin_idle(bus->chip))
			keep_outputs(bus, out, tinyodin_step(bus->chip, out));
		else if (transfer->in_done == transfer->in_count || (in->idle_before && busy(bus)))
			return;
		else {
			take_input(bus, in);
			transfer->in_done++;
		}
	}
}

static void give(struct chipbus *bus, struct nmhal_bus_transfer *transfer)
{
	size_t count = bus->out_end - bus->out_first;

	if (count > transfer->out_capacity)
		count = transfer->out_capacity;
	if (chipbus_random(&bus->seed, 2))
		count = chipbus_random(&bus->seed, (uint32_t)count + 1);
	if (bus->mute)
		count = 0;
	if (count)
		memcpy(transfer->out, bus->out + bus->out_first, count * sizeof(*bus->out));
	transfer->out_count = count;
	bus->out_first += count;
	if (bus->out_first == bus->out_end)
		bus->out_first = bus->out_end = 0;
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct chipbus *bus = self;
	int status = enter(bus, "events");

	(void)deadline_ns;
	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	if (bus->reg[0] || !bus->framed)
		breach(bus, "events with the gate closed or without framing");
	if (transfer->quiet_frame != NO_OP || transfer->quiet_clocks != quiet_clocks(bus))
		breach(bus, "wrong quiet frame or time");
	work(bus, transfer);
	if (status != NMHAL_OK)
		return status;
	give(bus, transfer);
	transfer->idle = bus->waits && !busy(bus);
	return NMHAL_OK;
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct chipbus *bus = self;
	int status = enter(bus, "reset");

	(void)deadline_ns;
	if (status != NMHAL_OK)
		return status;
	tinyodin_reset(bus->chip);
	bus->framed = true;
	bus->out_first = bus->out_end = 0;
	bus->resets++;
	return NMHAL_OK;
}

static void bus_close(void *self)
{
	struct chipbus *bus = self;

	bus->closed = true;
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	struct chipbus *bus = self;

	*info = (struct nmhal_bus_info){.flags = bus->flags, .default_timeout_ms = 60000,
		.max_frames = bus->max_frames};
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
};

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct chipbus *self;
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

void chipbus_link(nmhal_context *ctx)
{
	static const struct nmhal_key keys[] = {{"at", "address of the struct chipbus"}, {NULL, NULL}};
	static const struct nmhal_link link = {
		.abi = NMHAL_DRIVER_ABI,
		.struct_size = sizeof(struct nmhal_link),
		.scheme = "chip",
		.summary = "a bus that does not attribute",
		.default_board = "tinyodin",
		.keys = keys,
		.open = link_open,
	};

	ck_assert_int_eq(nmhal_context_add_link(ctx, &link), NMHAL_OK);
}

void chipbus_init(struct chipbus *bus)
{
	*bus = (struct chipbus){
		.flags = NMHAL_BUS_WAITS_IDLE, .max_frames = 100000, .seed = 1, .fail_at = CHIPBUS_NEVER,
		.fail_count = 1, .interrupt_at = CHIPBUS_NEVER, .lose_at = CHIPBUS_NEVER, .double_at = CHIPBUS_NEVER,
		.chip = tinyodin_new(TINYODIN_SIMD_OFF, false), .reg = {-1, -1, -1, -1},
	};
	ck_assert_ptr_nonnull(bus->chip);
}

void chipbus_check(const struct chipbus *bus)
{
	ck_assert_msg(!bus->breaches, "%u breaches, the first: %s", bus->breaches, bus->breach);
}

void chipbus_free(struct chipbus *bus)
{
	chipbus_check(bus);
	tinyodin_free(bus->chip);
	free(bus->out);
}

void chipbus_forget(struct chipbus *bus)
{
	bus->calls = bus->spi_calls = bus->answered = bus->frames = bus->resets = 0;
	bus->waited = bus->streamed = bus->out_number = 0;
	bus->last_word = 0;
}

nmhal_device *chipbus_open(nmhal_context *ctx, struct chipbus *bus)
{
	char uri[64];
	nmhal_device *dev;

	snprintf(uri, sizeof(uri), "chip:tinyodin,at=%p", (void *)bus);
	ck_assert_msg(nmhal_device_open(ctx, uri, NULL, &dev) == NMHAL_OK, "%s", nmhal_last_error());
	return dev;
}
