/* SPDX-License-Identifier: MIT */
/* Neurons, and their state. */
#include "link.h"

/* The call, as a region of one row. */
static struct nmhal_region place_of(uint32_t core, uint32_t first, uint32_t count)
{
	return (struct nmhal_region){.core = core, .col = first, .rows = 1, .cols = count};
}

int link_set_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct nmhal_region place = place_of(core, first, count);
	const struct link_call call = {.what = "set neurons", .region = &place, .deadline_ns = deadline_ns};
	const uint32_t most = (link_payload_room(dev) - NMLINK_SIZE_write_neurons_request) / NMLINK_SIZE_neuron_record;
	struct link_part part = {0};
	int status = link_begin(dev, &call);
	uint8_t *payload;

	while (status == NMHAL_OK && link_next_part(&place, most, &part)) {
		const struct nmlink_write_neurons_request request = {.tile = (uint16_t)core,
			.first = (uint16_t)(first + part.col)};
		uint8_t *end;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		end = nmlink_put_write_neurons_request(payload, &request);
		for (uint32_t n = part.col; n < part.col + part.cols; n++) {
			const struct nmlink_neuron_record record = {.threshold = neurons[n].threshold,
				.leak = neurons[n].leak, .potential = neurons[n].potential,
				.enabled = neurons[n].enabled};

			end = nmlink_put_neuron_record(end, &record);
		}
		status = link_post(dev, NMLINK_OP_WRITE_NEURONS, (uint32_t)(end - payload), NULL, NULL);
	}
	return link_finish(dev, status);
}

static void take_neurons(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct nmhal_neuron *neurons = dev->call.user;

	if (!link_size_is(dev, size, part->cols * NMLINK_SIZE_neuron_record))
		return;
	for (uint32_t n = part->col; n < part->col + part->cols; n++) {
		struct nmlink_neuron_record record;

		payload = nmlink_get_neuron_record(&record, payload);
		if (record.enabled > 1)
			link_note(dev, NMHAL_E_PROTOCOL, "the board answered that neuron %u is enabled %u, expected 0 or 1",
				dev->call.region->col + n, record.enabled);
		neurons[n] = (struct nmhal_neuron){.threshold = record.threshold, .leak = record.leak,
			.potential = record.potential, .enabled = record.enabled};
	}
}

int link_get_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct nmhal_region place = place_of(core, first, count);
	const struct link_call call = {.what = "get neurons", .region = &place, .user = neurons,
		.deadline_ns = deadline_ns};
	const uint32_t most = link_payload_room(dev) / NMLINK_SIZE_neuron_record;
	struct link_part part = {0};
	int status = link_begin(dev, &call);
	uint8_t *payload;

	while (status == NMHAL_OK && link_next_part(&place, most, &part)) {
		const struct nmlink_read_neurons_request request = {.tile = (uint16_t)core,
			.first = (uint16_t)(first + part.col), .count = (uint16_t)part.cols};

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		nmlink_put_read_neurons_request(payload, &request);
		status = link_post(dev, NMLINK_OP_READ_NEURONS, NMLINK_SIZE_read_neurons_request, take_neurons, &part);
	}
	return link_finish(dev, status);
}

int link_reset_state(void *self, int64_t deadline_ns)
{
	const struct link_call call = {.what = "reset state", .deadline_ns = deadline_ns};

	return link_ask(self, &call, NMLINK_OP_RESET_STATE, NULL, 0, NULL);
}
