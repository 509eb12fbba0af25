/* SPDX-License-Identifier: MIT */
/* The link of fake.h: a bus to nowhere. */
#include <string.h>

#include <check.h>

#include "tests/unit/fake.h"

static void close_bus(void *self)
{
	struct fake *fake = self;

	ck_assert(atomic_exchange(&fake->bus_is_open, false));
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	(void)self;
	info->flags = NMHAL_BUS_ATTRIBUTES;
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	(void)self;
	(void)frames;
	(void)deadline_ns;
	if (replies)
		memset(replies, 0, count * sizeof(*replies));
	return NMHAL_OK;
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	transfer->in_done = transfer->in_count;
	transfer->idle = 1;
	return NMHAL_OK;
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	return NMHAL_OK;
}

static void close_stream(void *self)
{
	(void)self;
}

static int fake_link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_bus *bus, struct nmhal_stream *stream)
{
	static const struct nmhal_stream_ops stream_ops = {.struct_size = sizeof(stream_ops), .close = close_stream};
	struct fake *fake;
	int status = fake_find(host, uri, &fake);

	(void)deadline_ns;
	if (status)
		return status;
	if (!fake->give_no_bus) {
		ck_assert(!atomic_exchange(&fake->bus_is_open, true));
		*bus = (struct nmhal_bus){.ops = &fake->bus_ops, .self = fake};
	}
	if (fake->give_stream)
		*stream = (struct nmhal_stream){.ops = &stream_ops, .self = fake};
	return NMHAL_OK;
}

const struct nmhal_bus_ops fake_bus_ops = {
	.struct_size = sizeof(fake_bus_ops),
	.close = close_bus,
	.info = bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
};

const struct nmhal_link fake_link = {
	.abi = NMHAL_DRIVER_ABI, .struct_size = sizeof(fake_link), .scheme = "fakelink", .summary = "a bus to nowhere",
	.default_board = "busboard", .keys = fake_keys, .open = fake_link_open,
};
