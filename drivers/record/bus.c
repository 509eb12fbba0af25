/* SPDX-License-Identifier: MIT */
/* A recorder before a bus: passes every operation on, and writes down what was asked and answered. */
#include <stdlib.h>

#include "drivers/common/wrapped.h"
#include "record.h"

struct record_bus {
	struct nmhal_bus below; /* first: drivers/common/wrapped.h */
	struct recorder recorder;
};

static void bus_close(void *self)
{
	struct record_bus *bus = self;

	bus->below.ops->close(bus->below.self);
	recorder_close(&bus->recorder);
	free(bus);
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct record_bus *bus = self;
	struct recorder *recorder = &bus->recorder;
	int status = bus->below.ops->spi(bus->below.self, frames, count, replies, deadline_ns);

	nmtrace_spi(&recorder->buffer, status, recorder_text(recorder, status), frames, count, replies);
	return recorder_put(recorder, status);
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct record_bus *bus = self;
	struct recorder *recorder = &bus->recorder;
	int status;

	/* So that they mean something even if the bus fails before it sets them. */
	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	status = bus->below.ops->events(bus->below.self, transfer, deadline_ns);
	nmtrace_events(&recorder->buffer, status, recorder_text(recorder, status), transfer);
	return recorder_put(recorder, status);
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct record_bus *bus = self;
	struct recorder *recorder = &bus->recorder;
	int status = bus->below.ops->reset(bus->below.self, deadline_ns);

	nmtrace_plain(&recorder->buffer, TRACE_RESET, status, recorder_text(recorder, status));
	return recorder_put(recorder, status);
}

static int bus_counter(void *self, const char *key, uint64_t *value)
{
	struct record_bus *bus = self;
	struct recorder *recorder = &bus->recorder;
	int status = wrapped_bus_counter(&bus->below, key, value);
	/* What a bus cannot count has no sentence. */
	const char *text = status == NMHAL_E_UNSUPPORTED ? "" : recorder_text(recorder, status);

	nmtrace_counter(&recorder->buffer, status, text, key, status == NMHAL_OK ? *value : 0);
	return recorder_put(recorder, status);
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = wrapped_bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
	.counter = bus_counter,
	.interrupt = wrapped_bus_interrupt,
};

int record_wrap_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_bus *bus)
{
	struct record_bus *wrapped = calloc(1, sizeof(*wrapped));
	struct nmhal_bus_info info = {0};
	int status;

	if (!wrapped)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the recorder");
	bus->ops->info(bus->self, &info);
	status = recorder_open(&wrapped->recorder, host, uri, &info, NULL);
	if (status != NMHAL_OK) {
		free(wrapped);
		return status;
	}
	wrapped->below = *bus;
	*bus = (struct nmhal_bus){&bus_ops, wrapped};
	return NMHAL_OK;
}
