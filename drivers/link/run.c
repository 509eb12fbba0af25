/* SPDX-License-Identifier: MIT */
/*
 * Runs of spikes. In each round trip the next input events go out and the next outputs come back, both by their numbers
 * in the run, so that nothing is lost or done twice whatever is sent again. The board says which input caused an output.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "run.h"

#define STOP_NS   INT64_C(1000000000)
#define MAX_COUNT UINT32_MAX /* numbers of inputs and of outputs are u32 on the wire */
#define AFTERMATH "queue cleared and weights kept, potentials are undefined until reset_state"
#define OUTPUTS   512u       /* handed to the core at a time */
#define COUNTED   1024u      /* inputs whose outputs are counted at the same time */

struct link_run {
	struct link_inputs inputs;
	uint64_t total;    /* inputs */
	uint64_t taken;    /* of them, by the board */
	uint64_t outputs;  /* taken from the board */
	uint64_t produced; /* that it says it has given */
	uint64_t step;     /* of the last output */
	bool idle;
	/* Outputs of recent inputs, input n in place n % COUNTED. */
	uint64_t counts[COUNTED];
	uint32_t counted[COUNTED];
	struct nmhal_event events[OUTPUTS];
	size_t event_count;
	struct nmlink_spikes_stop_reply total_reply;
};

static void push_outputs(struct link_device *dev)
{
	struct link_run *run = dev->run;

	dev->events_out += run->event_count;
	if (run->event_count)
		nmhal_host_push(dev->host, run->events, run->event_count);
	run->event_count = 0;
}

/* Counts an output of an input; false when it is one too many. */
static bool count_output(struct link_run *run, uint32_t input)
{
	const uint32_t place = input % COUNTED;

	if (run->counted[place] != input) {
		run->counted[place] = input;
		run->counts[place] = 0;
	}
	return run->counts[place]++ < run->inputs.op->max_events_per_input;
}

static bool take_output(struct link_device *dev, const struct nmlink_output_record *record)
{
	struct link_run *run = dev->run;
	const uint16_t address = record->address & (uint16_t)~NMLINK_ADDRESS_PROCESSED;
	struct nmhal_event *event;

	if ((record->input >= run->taken && record->input != NMLINK_NO_INPUT) || record->tile >= dev->caps.array.tiles ||
		address >= dev->caps.array.cols) {
		link_note(dev, NMHAL_E_PROTOCOL,
			"the board answered output %" PRIu64 ": neuron %u of core %u, caused by input %u; "
			"%" PRIu64 " inputs were taken",
			run->outputs, address, record->tile, record->input, run->taken);
		return false;
	}
	if (record->input != NMLINK_NO_INPUT)
		run->step = link_input(&run->inputs, record->input).step;
	if (!count_output(run, record->input)) {
		link_note(dev, NMHAL_E_LIMIT,
			"one of step %" PRIu64 " caused more than %" PRIu64 " output events; " AFTERMATH, run->step,
			run->inputs.op->max_events_per_input);
		return false;
	}
	event = &run->events[run->event_count++];
	*event = (struct nmhal_event){.step = run->step, .address = address, .core = record->tile,
		.kind = record->address & NMLINK_ADDRESS_PROCESSED ? NMHAL_EVENT_PROCESSED : NMHAL_EVENT_SPIKE};
	run->outputs++;
	if (run->event_count == OUTPUTS)
		push_outputs(dev);
	return true;
}

/* What the board says about the run; numbers only grow, and not above what was sent. */
static bool take_progress(struct link_device *dev, uint32_t taken, uint32_t produced, uint32_t idle)
{
	struct link_run *run = dev->run;

	if (taken < run->taken || taken > run->total || produced < run->produced) {
		link_note(dev, NMHAL_E_PROTOCOL,
			"the board answered %u inputs taken and %u outputs produced, after %" PRIu64 " and %" PRIu64,
			taken, produced, run->taken, run->produced);
		return false;
	}
	dev->events_in += taken - run->taken;
	run->taken = taken;
	run->produced = produced;
	run->idle = idle;
	return true;
}

static void take_read(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct link_run *run = dev->run;
	struct nmlink_spikes_read_reply reply;
	uint32_t count;

	(void)part;
	if (!nmlink_get_spikes_read_reply(&reply, payload, size)) {
		link_size_is(dev, size, NMLINK_SIZE_spikes_read_reply);
		return;
	}
	count = reply.tail_size / NMLINK_SIZE_output_record;
	if (!take_progress(dev, reply.taken, reply.produced, reply.idle))
		return;
	if (reply.from != run->outputs || count > run->produced - run->outputs ||
		reply.tail_size % NMLINK_SIZE_output_record) {
		link_note(dev, NMHAL_E_PROTOCOL,
			"the board answered %u bytes of outputs from number %u on, expected them from %" PRIu64
			" to %" PRIu64,
			reply.tail_size, reply.from, run->outputs, run->produced);
		return;
	}
	for (uint32_t n = 0; n < count; n++) {
		struct nmlink_output_record record;

		nmlink_get_output_record(&record, reply.tail + n * NMLINK_SIZE_output_record);
		if (!take_output(dev, &record))
			break;
	}
	push_outputs(dev);
}

static struct link_call call_of(const struct link_run *run, int64_t deadline_ns)
{
	return (struct link_call){.what = "run", .unit = "input events", .count = run->inputs.op->in_count,
		.deadline_ns = deadline_ns};
}

int link_run_new(struct link_device *dev)
{
	dev->run = calloc(1, sizeof(*dev->run));
	if (!dev->run)
		return nmhal_host_fail(dev->host, NMHAL_E_NO_MEMORY, "open: no memory for %zu bytes", sizeof(*dev->run));
	return NMHAL_OK;
}

/* After a failure it is not known whether the board still runs: a new session ends that. */
static int end_of(struct link_device *dev, int status)
{
	if (status != NMHAL_OK)
		link_drop(&dev->wire);
	return status;
}

int link_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns)
{
	struct link_device *dev = self;
	const struct nmlink_spikes_start_request request = {
		.flags = op->flags & NMHAL_RUN_BACK_TO_BACK ? NMLINK_RUN_BACK_TO_BACK : 0};
	struct link_run *run = dev->run;
	struct link_call call;
	uint8_t payload[NMLINK_SIZE_spikes_start_request];

	nmlink_put_spikes_start_request(payload, &request);
	memset(run, 0, sizeof(*run));
	run->inputs = (struct link_inputs){op, op->flags & NMHAL_RUN_LEAK_EACH_STEP ? dev->caps.array.tiles : 0};
	run->total = link_inputs_count(&run->inputs);
	for (size_t n = 0; n < COUNTED; n++)
		run->counted[n] = (uint32_t)n + 1; /* no input has this place */
	if (run->total >= MAX_COUNT)
		return nmhal_host_fail(dev->host, NMHAL_E_LIMIT,
			"run of %zu input events and %" PRIu64 " steps: nmlink counts fewer than %u inputs in a run; "
			"make several of it",
			op->in_count, op->steps, MAX_COUNT);
	call = call_of(run, deadline_ns);
	return end_of(dev, link_ask(dev, &call, NMLINK_OP_SPIKES_START, payload, sizeof(payload), NULL));
}

static int post_inputs(struct link_device *dev)
{
	struct link_run *run = dev->run;
	const struct nmlink_spikes_send_request request = {.first = (uint32_t)run->taken};
	uint64_t room = (link_payload_room(dev) - NMLINK_SIZE_spikes_send_request) / NMLINK_SIZE_input_record;
	uint8_t *payload, *end;
	int status = link_room(dev, &payload);

	if (status != NMHAL_OK)
		return status;
	end = nmlink_put_spikes_send_request(payload, &request);
	for (uint64_t n = run->taken; n < run->total && room; n++, room--) {
		const struct nmhal_event event = link_input(&run->inputs, n);
		const struct nmlink_input_record record = {.tile = event.core, .address = (uint16_t)event.address,
			.kind = event.kind, .value = event.value};

		end = nmlink_put_input_record(end, &record);
	}
	/* The read behind it tells what became of it. */
	return link_post(dev, NMLINK_OP_SPIKES_SEND, (uint32_t)(end - payload), NULL, NULL);
}

static int post_read(struct link_device *dev)
{
	const struct nmlink_spikes_read_request request = {.from = (uint32_t)dev->run->outputs};
	uint8_t *payload;
	int status = link_room(dev, &payload);

	if (status != NMHAL_OK)
		return status;
	nmlink_put_spikes_read_request(payload, &request);
	return link_post(dev, NMLINK_OP_SPIKES_READ, NMLINK_SIZE_spikes_read_request, take_read, NULL);
}

int link_spikes_pump(void *self, int *done, int64_t deadline_ns)
{
	struct link_device *dev = self;
	struct link_run *run = dev->run;
	const struct link_call call = call_of(run, deadline_ns);
	int status = link_begin(dev, &call);

	if (status == NMHAL_OK && run->taken < run->total)
		status = post_inputs(dev);
	if (status == NMHAL_OK)
		status = post_read(dev);
	status = link_finish(dev, status);
	*done = run->idle && run->taken == run->total && run->outputs == run->produced;
	return status;
}

static void take_total(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	(void)part;
	if (!nmlink_get_spikes_stop_reply(&dev->run->total_reply, payload, size))
		link_size_is(dev, size, NMLINK_SIZE_spikes_stop_reply);
}

int link_spikes_stop(void *self, int status, struct nmhal_spike_report *report)
{
	struct link_device *dev = self;
	struct link_run *run = dev->run;
	const struct link_call call = call_of(run, nmhal_now_ns() + STOP_NS);
	int stopped = end_of(dev, link_ask(dev, &call, NMLINK_OP_SPIKES_STOP, NULL, 0, take_total));

	report->events_in = run->taken;
	if (stopped != NMHAL_OK)
		return stopped;
	report->sops = run->total_reply.sops;
	report->queue_dropped = run->total_reply.queue_dropped;
	report->cycles = run->total_reply.cycles;
	if (status == NMHAL_E_TIMEOUT || status == NMHAL_E_CANCELED)
		(void)link_fail(dev, status, "%s after %" PRIu64 " taken; " AFTERMATH,
			status == NMHAL_E_TIMEOUT ? "deadline passed" : "interrupted", run->taken);
	return NMHAL_OK;
}
