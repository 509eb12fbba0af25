/* SPDX-License-Identifier: MIT */
/*
 * Spike runs. The caller's events travel in chunks; the core is idle between two chunks, so the index an output
 * carries is unique within its chunk only, and a run may be of any length. Which input caused an output is the bus's
 * word (NMHAL_BUS_ATTRIBUTES), and so is idleness (NMHAL_BUS_WAITS_IDLE): this file alone relies on them.
 * NMHAL_RUN_BACK_TO_BACK in closed loop: which input a spike overtakes depends on the host's timing (section 9), so
 * neither its order nor its potentials are defined there.
 */
#include <inttypes.h>
#include <string.h>

#include "odin.h"

#define STOP_NS INT64_C(1000000000)

static uint64_t bus_counter(struct odin *odin, const char *key)
{
	uint64_t value;

	if (!odin->bus.ops->counter || odin->bus.ops->counter(odin->bus.self, key, &value) != NMHAL_OK)
		return NMHAL_UNKNOWN;
	return value;
}

static uint64_t counted_since(uint64_t now, uint64_t before)
{
	return now == NMHAL_UNKNOWN || before == NMHAL_UNKNOWN ? NMHAL_UNKNOWN : now - before;
}

int odin_counter(void *self, const char *key, uint64_t *value)
{
	struct odin *odin = self;

	if (!strcmp(key, "events_in"))
		*value = odin->events_in;
	else if (!strcmp(key, "events_out"))
		*value = odin->events_out;
	else if (odin->bus.ops->counter)
		return odin->bus.ops->counter(odin->bus.self, key, value);
	else
		return NMHAL_E_UNSUPPORTED;
	return NMHAL_OK;
}

/* Fills the next chunk; a step ends with its leak event, if the run asks for it. */
static void fill_chunk(struct odin *odin)
{
	struct odin_run *run = &odin->run;
	const struct nmhal_spike_run *op = run->op;
	const uint16_t idle_before = !(op->flags & NMHAL_RUN_BACK_TO_BACK);
	const uint64_t leak_steps = op->flags & NMHAL_RUN_LEAK_EACH_STEP ? op->steps : 0;
	uint32_t n;

	for (n = 0; n < ODIN_CHUNK; n++) {
		const struct nmhal_event *event = run->next < op->in_count ? &op->in[run->next] : NULL;
		uint16_t word = ODIN_EVENT_LEAK_ALL;
		uint64_t step = run->step;

		if (run->step < leak_steps && (!event || event->step > run->step)) {
			run->step++;
		} else if (event) {
			word = odin_event_word(event);
			step = event->step;
			run->next++;
		} else {
			break;
		}
		odin->in[n] = (struct nmhal_bus_in){n, word, idle_before};
		odin->inputs[n] = (struct odin_input){step, op->max_events_per_input};
	}
	run->count = n;
	run->accepted = 0;
}

int odin_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns)
{
	struct odin *odin = self;
	int status = odin_begin(odin, deadline_ns);

	if (status != NMHAL_OK)
		return status;
	odin->run = (struct odin_run){
		.op = op,
		.sops = bus_counter(odin, "sops"),
		.queue_dropped = bus_counter(odin, "queue_dropped"),
		.cycles = bus_counter(odin, "cycles"),
	};
	fill_chunk(odin);
	/* AER_SRC and MAX_NEUR are not synchronised in the chip: they change before the gate opens (section 1). */
	odin_put_register(odin, ODIN_OPEN_LOOP, odin->wanted[ODIN_OPEN_LOOP]);
	odin_put_register(odin, ODIN_AER_SRC, odin->wanted[ODIN_AER_SRC]);
	odin_put_register(odin, ODIN_MAX_NEUR, odin->wanted[ODIN_MAX_NEUR]);
	odin_put_register(odin, ODIN_GATE, 0);
	return odin_send(odin, false, deadline_ns);
}

#define AFTERMATH "queue cleared and weights kept, potentials are undefined until reset_state"

static int over_limit(struct odin *odin, const struct odin_input *input)
{
	const struct nmhal_spike_run *op = odin->run.op;

	return nmhal_host_fail(odin->host, NMHAL_E_LIMIT,
		"run of %zu input events: one of step %" PRIu64 " caused more than %" PRIu64
		" output events; " AFTERMATH,
		op->in_count, input->step, op->max_events_per_input);
}

/* Puts the outputs of a bus call in their steps and hands them on; LIMIT at the first one that is too many. */
static int take_outputs(struct odin *odin, size_t count)
{
	const uint8_t kind = odin->wanted[ODIN_AER_SRC] ? NMHAL_EVENT_PROCESSED : NMHAL_EVENT_SPIKE;
	const size_t accepted = odin->run.accepted;
	int status = NMHAL_OK;
	size_t n;

	for (n = 0; n < count; n++) {
		const struct nmhal_bus_out *out = &odin->out[n];
		struct odin_input *input;

		if (out->index >= accepted) {
			status = nmhal_host_fail(odin->host, NMHAL_E_PROTOCOL,
				"run of %zu input events: output event of neuron %u belongs to none of them",
				odin->run.op->in_count, (unsigned)out->address);
			break;
		}
		input = &odin->inputs[out->index];
		if (!input->left) {
			status = over_limit(odin, input);
			break;
		}
		input->left--;
		odin->events[n] = (struct nmhal_event){.step = input->step, .address = out->address, .kind = kind};
	}
	odin->events_out += n;
	if (n)
		nmhal_host_push(odin->host, odin->events, n);
	return status;
}

int odin_spikes_pump(void *self, int *done, int64_t deadline_ns)
{
	struct odin *odin = self;
	struct odin_run *run = &odin->run;
	struct nmhal_bus_transfer transfer = {
		.in = odin->in + run->accepted, .in_count = run->count - run->accepted,
		.out = odin->out, .out_capacity = ODIN_OUTPUTS,
	};
	int status;

	*done = !run->count;
	if (*done)
		return NMHAL_OK;
	status = odin->bus.ops->events(odin->bus.self, &transfer, deadline_ns);
	run->accepted += transfer.in_done;
	run->events_in += transfer.in_done;
	odin->events_in += transfer.in_done;
	if (status == NMHAL_OK)
		status = take_outputs(odin, transfer.out_count);
	if (status == NMHAL_OK && transfer.idle && run->accepted == run->count) {
		fill_chunk(odin);
		*done = !run->count;
	}
	return status;
}

/* Tells what an interrupt or a deadline leaves behind. */
static void explain(struct odin *odin, int status)
{
	if (status == NMHAL_E_TIMEOUT || status == NMHAL_E_CANCELED)
		(void)nmhal_host_fail(odin->host, status,
			"run of %zu input events: %s after %" PRIu64 " sent; " AFTERMATH,
			odin->run.op->in_count, status == NMHAL_E_TIMEOUT ? "deadline passed" : "interrupted",
			odin->run.events_in);
}

int odin_spikes_stop(void *self, int status, struct nmhal_spike_report *report)
{
	struct odin *odin = self;
	struct odin_run *run = &odin->run;
	int64_t deadline_ns = nmhal_now_ns() + STOP_NS;
	int stopped = NMHAL_OK;

	/* Gating a core that is busy corrupts neurons; a reset pulse first ends what it is doing (section 3). */
	if (status != NMHAL_OK)
		stopped = odin_pulse_reset(odin, deadline_ns);
	if (stopped == NMHAL_OK) {
		odin->frame_count = 0;
		odin_put_register(odin, ODIN_GATE, 1);
		stopped = odin_send(odin, false, deadline_ns);
	}
	report->events_in = run->events_in;
	report->sops = counted_since(bus_counter(odin, "sops"), run->sops);
	report->queue_dropped = counted_since(bus_counter(odin, "queue_dropped"), run->queue_dropped);
	/* The formula of section 17 is for a host that waits for idle. */
	if (!(run->op->flags & NMHAL_RUN_BACK_TO_BACK))
		report->cycles = counted_since(bus_counter(odin, "cycles"), run->cycles);
	if (stopped == NMHAL_OK)
		explain(odin, status);
	run->op = NULL;
	return stopped;
}
