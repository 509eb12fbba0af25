/* SPDX-License-Identifier: MIT */
/*
 * The marker neuron of a run in open loop: its word is 0 (enabled, threshold 0, potential 0), so that a leak of it
 * alone makes it fire and leaves the word as it is (section 10). That leak is executed after all inputs before it and
 * all their outputs (section 9), so the spike marks a place in the stream of outputs.
 */
#include "odin.h"

bool odin_marker_find(const struct odin *odin, const struct nmhal_spike_run *op, unsigned *neuron)
{
	bool reached[ODIN_NEURONS] = {false};

	for (size_t n = 0; n < op->in_count; n++) {
		const struct nmhal_event *event = &op->in[n];

		if (event->kind == NMHAL_EVENT_LEAK_ONE || event->kind == NMHAL_EVENT_VIRTUAL)
			reached[event->address] = true;
	}
	for (int n = ODIN_LEAK_ONE_MAX; n > odin->wanted[ODIN_MAX_NEUR]; n--)
		if (!reached[n]) {
			*neuron = (unsigned)n;
			return true;
		}
	return false;
}

static void put_word(struct odin *odin, uint32_t word)
{
	for (unsigned lane = 0; lane < ODIN_LANES; lane++)
		odin_put(odin, odin_neuron_write(odin->marker.neuron, lane, ODIN_KEEP_NONE, word >> 8 * lane & 0xFFu));
}

int odin_marker_place(struct odin *odin, unsigned neuron, int64_t deadline_ns)
{
	const uint32_t *reply = odin->replies + odin->frame_count;
	uint32_t word = 0;
	int status;

	for (unsigned lane = 0; lane < ODIN_LANES; lane++)
		odin_put(odin, odin_neuron_read(neuron, lane));
	status = odin_send(odin, true, deadline_ns);
	if (status != NMHAL_OK)
		return status;
	for (unsigned lane = 0; lane < ODIN_LANES; lane++)
		word |= (reply[lane] & 0xFFu) << 8 * lane;
	odin->marker = (struct odin_marker){true, neuron, word};
	put_word(odin, 0);
	return NMHAL_OK;
}

int odin_marker_remove(struct odin *odin, int64_t deadline_ns)
{
	int status;

	put_word(odin, odin->marker.word);
	status = odin_send_writes(odin, deadline_ns);
	if (status == NMHAL_OK)
		odin->marker.placed = false;
	return status;
}

void odin_marker_warn(const struct odin *odin, const char *outlook)
{
	if (odin->marker.placed)
		nmhal_host_log(odin->host, NMHAL_LOG_WARN,
			"neuron %u holds the marker of a run, not its own word 0x%08x: %s", odin->marker.neuron,
			(unsigned)odin->marker.word, outlook);
}
