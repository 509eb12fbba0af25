/* SPDX-License-Identifier: MIT */
/* Neuron memory: four byte lanes a neuron. */
#include "odin.h"

int odin_set_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	struct odin *odin = self;
	uint32_t total = count * ODIN_LANES;
	int status = odin_begin_memory(odin, deadline_ns);

	(void)core;
	for (uint32_t k = 0; k < total && status == NMHAL_OK;) {
		for (; k < total && odin_room(odin); k++) {
			uint32_t neuron = k / ODIN_LANES, lane = k % ODIN_LANES;
			uint32_t byte = odin_neuron_word(&neurons[neuron]) >> 8 * lane & 0xFFu;

			odin_put(odin, odin_neuron_write(first + neuron, lane, ODIN_KEEP_NONE, byte));
		}
		status = odin_send_writes(odin, deadline_ns);
		if (status == NMHAL_OK && k < total)
			status = nmhal_host_poll(odin->host, deadline_ns, "set neurons");
	}
	return status;
}

int odin_get_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	struct odin *odin = self;
	uint32_t total = count * ODIN_LANES, word = 0;
	int status = odin_begin_memory(odin, deadline_ns);

	(void)core;
	for (uint32_t k = 0, end = 0; k < total && status == NMHAL_OK;) {
		const uint32_t *reply = odin->replies + odin->frame_count;

		for (; end < total && odin_room(odin); end++)
			odin_put(odin, odin_neuron_read(first + end / ODIN_LANES, end % ODIN_LANES));
		status = odin_send(odin, true, deadline_ns);
		for (; k < end && status == NMHAL_OK; k++, reply++) {
			word = word >> 8 | (*reply & 0xFFu) << 24; /* whole after lane 3 */
			neurons[k / ODIN_LANES] = odin_neuron(word);
		}
		if (status == NMHAL_OK && k < total)
			status = nmhal_host_poll(odin->host, deadline_ns, "get neurons");
	}
	return status;
}

int odin_reset_state(void *self, int64_t deadline_ns)
{
	struct odin *odin = self;
	int status = odin_begin_memory(odin, deadline_ns);

	/* The potential alone: lane 0, and the low half of lane 1 (section 13). */
	for (unsigned neuron = 0; neuron < ODIN_NEURONS && status == NMHAL_OK;) {
		for (; neuron < ODIN_NEURONS && odin_room(odin) >= 2; neuron++) {
			odin_put(odin, odin_neuron_write(neuron, 0, ODIN_KEEP_NONE, 0));
			odin_put(odin, odin_neuron_write(neuron, 1, ODIN_KEEP_HIGH, 0));
		}
		status = odin_send_writes(odin, deadline_ns);
		if (status == NMHAL_OK && neuron < ODIN_NEURONS)
			status = nmhal_host_poll(odin->host, deadline_ns, "reset state");
	}
	return status == NMHAL_OK ? odin_pulse_reset(odin, deadline_ns) : status;
}
