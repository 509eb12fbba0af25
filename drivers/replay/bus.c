/* SPDX-License-Identifier: MIT */
/* A bus whose far end is a trace. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

static void bus_close(void *self)
{
	replay_close(self);
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	const struct replay *replay = self;

	*info = replay->trace.session.bus;
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	char what[48];
	int status;

	(void)deadline_ns;
	snprintf(what, sizeof(what), "spi of %zu frames", count);
	status = replay_next(replay, TRACE_SPI, what, &record);
	if (status != NMHAL_OK)
		return status;
	if (count != record.count)
		return replay_stray(replay, &record, "expected spi of %u frames, got one of %zu", record.count, count);
	if (!replies != !record.reply_width)
		return replay_stray(replay, &record, "expected spi %s replies, got one %s",
			record.reply_width ? "with" : "without", replies ? "with" : "without");
	for (size_t n = 0; n < count; n++) {
		uint64_t frame = nmtrace_frame(&record, n);

		if (frames[n] != frame)
			return replay_stray(replay, &record,
				"frame %zu of %zu: expected 0x%010" PRIx64 ", got 0x%010" PRIx64, n, count, frame,
				frames[n]);
	}
	for (size_t n = 0; n < count && replies && record.status == NMHAL_OK; n++)
		replies[n] = nmtrace_reply(&record, n);
	return replay_status(replay, &record);
}

/* Is what the caller hands over what was handed over then, as far as it was taken? */
static int compare(struct replay *replay, const struct nmtrace_record *record,
	const struct nmhal_bus_transfer *transfer)
{
	if (transfer->in_count != record->count)
		return replay_stray(replay, record, "expected events of %u inputs, got one of %zu", record->count,
			transfer->in_count);
	if (transfer->quiet_frame != record->quiet_frame || transfer->quiet_clocks != record->quiet_clocks)
		return replay_stray(replay, record,
			"expected frame 0x%010" PRIx64 " and %u clocks to be quiet, got 0x%010" PRIx64 " and %u",
			record->quiet_frame, record->quiet_clocks, transfer->quiet_frame, transfer->quiet_clocks);
	for (size_t n = 0; n < nmtrace_inputs(record); n++) {
		const struct nmhal_bus_in in = nmtrace_input(record, n), *got = &transfer->in[n];

		if (in.index != got->index || in.address != got->address || in.idle_before != got->idle_before)
			return replay_stray(replay, record,
				"input %zu of %u: expected index %u, address 0x%03x, idle_before %u, "
				"got %u, 0x%03x, %u",
				n, record->count, in.index, in.address, in.idle_before, got->index, got->address,
				got->idle_before);
	}
	if (nmtrace_outputs(record) > transfer->out_capacity)
		return replay_stray(replay, record, "%zu outputs came, got room for %zu", nmtrace_outputs(record),
			transfer->out_capacity);
	return NMHAL_OK;
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	char what[48];
	int status;

	(void)deadline_ns;
	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	snprintf(what, sizeof(what), "events of %zu inputs", transfer->in_count);
	status = replay_next(replay, TRACE_EVENTS, what, &record);
	if (status == NMHAL_OK)
		status = compare(replay, &record, transfer);
	if (status != NMHAL_OK)
		return status;
	transfer->in_done = nmtrace_inputs(&record);
	transfer->out_count = nmtrace_outputs(&record);
	transfer->idle = record.idle;
	for (size_t n = 0; n < transfer->out_count; n++)
		transfer->out[n] = nmtrace_output(&record, n);
	return replay_status(replay, &record);
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	int status = replay_next(replay, TRACE_RESET, "reset", &record);

	(void)deadline_ns;
	return status == NMHAL_OK ? replay_status(replay, &record) : status;
}

static int bus_counter(void *self, const char *key, uint64_t *value)
{
	struct replay *replay = self;
	struct nmtrace_record record;
	char what[48];
	int status;

	snprintf(what, sizeof(what), "counter %.32s", key);
	status = replay_next(replay, TRACE_COUNTER, what, &record);
	if (status != NMHAL_OK)
		return status;
	if (strlen(key) != record.data.size || memcmp(key, record.data.bytes, record.data.size) != 0)
		return replay_stray(replay, &record, "expected counter %.*s, got %.64s", (int)record.data.size,
			(const char *)record.data.bytes, key);
	if (record.status == NMHAL_OK)
		*value = record.value;
	/* "UNSUPPORTED, no sentence" */
	return record.status == NMHAL_E_UNSUPPORTED ? record.status : replay_status(replay, &record);
}

const struct nmhal_bus_ops replay_bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
	.counter = bus_counter,
};
