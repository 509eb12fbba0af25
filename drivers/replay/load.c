/* SPDX-License-Identifier: MIT */
/* Checks a whole trace, so that playing it meets nothing that could not be. */
#include <inttypes.h>
#include <stdio.h>

#include "replay.h"

static bool belongs(enum nmtrace_type type, bool is_bus)
{
	switch (type) {
	case TRACE_CLOSE:
		return true;
	case TRACE_SPI:
	case TRACE_EVENTS:
	case TRACE_RESET:
	case TRACE_COUNTER:
		return is_bus;
	default:
		return !is_bus;
	}
}

int replay_load(const uint8_t *data, size_t size, struct replay_trace *trace, char *why)
{
	struct nmtrace_reader reader;
	struct nmtrace_record record;
	int status;

	*trace = (struct replay_trace){.count = 0};
	status = nmtrace_open(&reader, data, size, &trace->session, why);
	if (status != NMHAL_OK)
		return status;
	trace->first = reader;
	while ((status = nmtrace_next(&reader, &record, why)) == NMHAL_OK) {
		if (trace->whole || !belongs(record.type, trace->session.is_bus)) {
			snprintf(why, TRACE_WHY, "record %" PRIu64 " at offset %zu is damaged: %s %s", record.number,
				record.offset, nmtrace_name(record.type),
				trace->whole ? "after close" : trace->session.is_bus ? "on a bus" : "on a stream");
			return NMHAL_E_PROTOCOL;
		}
		trace->whole = record.type == TRACE_CLOSE;
		trace->count++;
	}
	if (status != NMHAL_E_AGAIN)
		return status;
	if (*why && trace->whole) {
		snprintf(why, TRACE_WHY, "%zu bytes follow its end at offset %zu", size - reader.at, reader.at);
		return NMHAL_E_PROTOCOL;
	}
	if (!trace->whole)
		snprintf(trace->end, sizeof(trace->end), "%s", *why ? why : "it has no close, the recorder was ended");
	return NMHAL_OK;
}
