/* SPDX-License-Identifier: MIT */
/*
 * Spike runs. The caller's events travel in chunks, and every output is put in the step of the input that caused it,
 * in one of four ways (odin_way()). Where the bus knows the input of an output, the core is idle between two chunks, so
 * the index an output carries is unique within its chunk only, and a run may be of any length. Where inputs stream, see
 * stream.c.
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

/* The fastest way that puts every output of the run in its step. */
static enum odin_way odin_way(const struct odin *odin, const struct nmhal_spike_run *op, unsigned *marker)
{
	if (odin->info.flags & NMHAL_BUS_ATTRIBUTES)
		return ODIN_BY_BUS;
	/* Spikes that went back into the queue are overtaken by inputs (section 9). */
	if (!odin->wanted[ODIN_OPEN_LOOP])
		return ODIN_BY_IDLE;
	/* One output for each spike-type input, none for the others (section 7). */
	if (odin->wanted[ODIN_AER_SRC])
		return ODIN_BY_COUNT;
	/* Marks tell steps apart, not inputs: whether one input caused too many outputs could not be seen. */
	if (op->max_events_per_input <= (uint64_t)odin->wanted[ODIN_MAX_NEUR])
		return ODIN_BY_IDLE;
	return odin_marker_find(odin, op, marker) ? ODIN_BY_MARK : ODIN_BY_IDLE;
}

/* Clocks without output after which the core is idle (section 17). */
static uint32_t quiet_clocks(const struct odin *odin)
{
	uint32_t sweep = 2 * ((uint32_t)odin->wanted[ODIN_MAX_NEUR] + 1);

	if (odin->wanted[ODIN_OPEN_LOOP])
		return sweep + 2;
	if (odin->wanted[ODIN_AER_SRC])
		return sweep + 5;
	return 128 * (sweep + 2) + 3; /* a queue full of entries that give no output */
}

bool odin_run_next(struct odin_run *run, uint16_t *word, uint64_t *step)
{
	const struct nmhal_spike_run *op = run->op;
	const struct nmhal_event *event = run->in.next < op->in_count ? &op->in[run->in.next] : NULL;
	const uint64_t leak_steps = op->flags & NMHAL_RUN_LEAK_EACH_STEP ? op->steps : 0;

	if (run->in.step < leak_steps && (!event || event->step > run->in.step)) {
		*word = ODIN_EVENT_LEAK_ALL;
		*step = run->in.step++;
		return true;
	}
	if (!event)
		return false;
	*word = odin_event_word(event);
	*step = event->step;
	run->in.next++;
	return true;
}

/* Idle is waited for in any case when it is what tells outputs apart. */
static bool waits_idle(const struct odin_run *run)
{
	return run->way == ODIN_BY_IDLE || (run->way == ODIN_BY_BUS && !(run->op->flags & NMHAL_RUN_BACK_TO_BACK));
}

static void fill_chunk(struct odin *odin)
{
	struct odin_run *run = &odin->run;
	const uint16_t idle_before = waits_idle(run);
	uint16_t word;
	uint64_t step;
	uint32_t n;

	if (odin_streams(run)) {
		odin_stream_fill(odin);
		return;
	}
	for (n = 0; n < ODIN_CHUNK && odin_run_next(run, &word, &step); n++) {
		odin->in[n] = (struct nmhal_bus_in){n, word, idle_before};
		odin->inputs[n] = (struct odin_input){step, run->op->max_events_per_input};
	}
	run->count = n;
	run->accepted = 0;
}

static int open_gate(struct odin *odin, int64_t deadline_ns)
{
	/* AER_SRC and MAX_NEUR are not synchronised in the chip: they change before the gate opens (section 1). */
	odin_put_register(odin, ODIN_OPEN_LOOP, odin->wanted[ODIN_OPEN_LOOP]);
	odin_put_register(odin, ODIN_AER_SRC, odin->wanted[ODIN_AER_SRC]);
	odin_put_register(odin, ODIN_MAX_NEUR, odin->wanted[ODIN_MAX_NEUR]);
	odin_put_register(odin, ODIN_GATE, 0);
	return odin_send(odin, false, deadline_ns);
}

int odin_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns)
{
	struct odin *odin = self;
	unsigned marker = 0;
	enum odin_way way = odin_way(odin, op, &marker);
	int status = way == ODIN_BY_MARK ? odin_begin_memory(odin, deadline_ns) : odin_begin(odin, deadline_ns);

	if (status == NMHAL_OK && way == ODIN_BY_MARK)
		status = odin_marker_place(odin, marker, deadline_ns);
	if (status != NMHAL_OK)
		return status;
	odin->run = (struct odin_run){
		.op = op,
		.way = way,
		.sops = bus_counter(odin, "sops"),
		.queue_dropped = bus_counter(odin, "queue_dropped"),
		.cycles = bus_counter(odin, "cycles"),
	};
	odin_stream_start(&odin->run);
	fill_chunk(odin);
	status = open_gate(odin, deadline_ns);
	if (status != NMHAL_OK)
		odin_marker_warn(odin, ODIN_GIVEN_BACK);
	return status;
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

static bool is_over(const struct odin_run *run)
{
	return !run->count && (!odin_streams(run) || odin_stream_over(run));
}

/* Hands over the next chunk when the last one is done with. */
static int go_on(struct odin *odin, bool idle, int *done, int64_t deadline_ns)
{
	struct odin_run *run = &odin->run;

	if (run->accepted < run->count || !(idle || odin_streams(run)))
		return NMHAL_OK;
	fill_chunk(odin);
	*done = is_over(run);
	return *done && odin_streams(run) ? odin_stream_end(odin, deadline_ns) : NMHAL_OK;
}

int odin_spikes_pump(void *self, int *done, int64_t deadline_ns)
{
	struct odin *odin = self;
	struct odin_run *run = &odin->run;
	struct nmhal_bus_transfer transfer = {
		.in = odin->in + run->accepted, .in_count = run->count - run->accepted,
		.out = odin->out, .out_capacity = ODIN_OUTPUTS,
		.quiet_frame = ODIN_NO_OP, .quiet_clocks = quiet_clocks(odin),
	};
	size_t inputs;
	int status;

	*done = is_over(run);
	if (*done)
		return NMHAL_OK;
	status = odin->bus.ops->events(odin->bus.self, &transfer, deadline_ns);
	nmhal_host_log(odin->host, NMHAL_LOG_WIRE, "events: %zu of %zu in, %zu out%s", transfer.in_done,
		transfer.in_count, transfer.out_count, transfer.idle ? ", idle" : "");
	inputs = odin_streams(run) ? odin_stream_inputs(odin, run->accepted, transfer.in_done) : transfer.in_done;
	run->accepted += transfer.in_done;
	run->events_in += inputs;
	odin->events_in += inputs;
	if (status == NMHAL_OK)
		status = odin_streams(run) ? odin_stream_outputs(odin, transfer.out_count) :
					     take_outputs(odin, transfer.out_count);
	return status == NMHAL_OK ? go_on(odin, transfer.idle, done, deadline_ns) : status;
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
		stopped = odin->marker.placed ? odin_marker_remove(odin, deadline_ns) :
						odin_send(odin, false, deadline_ns);
	}
	if (stopped != NMHAL_OK)
		odin_marker_warn(odin, ODIN_GIVEN_BACK);
	report->events_in = run->events_in;
	report->sops = counted_since(bus_counter(odin, "sops"), run->sops);
	report->queue_dropped = counted_since(bus_counter(odin, "queue_dropped"), run->queue_dropped);
	/* The formula of section 17 is for a host that waits for idle. */
	if (waits_idle(run))
		report->cycles = counted_since(bus_counter(odin, "cycles"), run->cycles);
	if (stopped == NMHAL_OK)
		explain(odin, status);
	run->op = NULL;
	return stopped;
}
