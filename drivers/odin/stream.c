/* SPDX-License-Identifier: MIT */
/*
 * Runs in open loop on a bus that does not attribute outputs: the inputs stream, without an idle point between them,
 * and a second cursor over them follows the outputs. In open loop inputs are executed one after the other (section 9).
 */
#include "odin.h"

/* The index of an input says what it is. */
enum { INPUT, MARK };

static bool leaks_each_step(const struct nmhal_spike_run *op)
{
	return op->flags & NMHAL_RUN_LEAK_EACH_STEP;
}

/* An entry of the queue that is processed as a spike gives the one output of AER_SRC = 1 (section 7). */
static bool gives_output(const struct nmhal_event *event)
{
	return event->kind == NMHAL_EVENT_SPIKE || (event->kind == NMHAL_EVENT_VIRTUAL && event->value == 0);
}

static void skip_silent_inputs(struct odin_run *run)
{
	while (run->out.next < run->op->in_count && !gives_output(&run->op->in[run->out.next]))
		run->out.next++;
}

void odin_stream_start(struct odin_run *run)
{
	if (run->way == ODIN_BY_COUNT)
		skip_silent_inputs(run);
}

/* True when the input that was taken last, of this step, is the step's last one. */
static bool ends_step(const struct odin_run *run, uint64_t step)
{
	const struct nmhal_spike_run *op = run->op;

	if (leaks_each_step(op))
		return run->in.step > step;
	return run->in.next == op->in_count || op->in[run->in.next].step > step;
}

void odin_stream_fill(struct odin *odin)
{
	struct odin_run *run = &odin->run;
	uint32_t n = 0;
	uint16_t word;
	uint64_t step;

	while (n + 2 <= ODIN_CHUNK && odin_run_next(run, &word, &step)) {
		odin->in[n++] = (struct nmhal_bus_in){INPUT, word, 0};
		if (run->way == ODIN_BY_MARK && ends_step(run, step))
			odin->in[n++] = (struct nmhal_bus_in){MARK, odin_leak_one(odin->marker.neuron), 0};
	}
	run->count = n;
	run->accepted = 0;
}

size_t odin_stream_inputs(const struct odin *odin, size_t from, size_t count)
{
	size_t inputs = 0;

	for (size_t n = from; n < from + count; n++)
		inputs += odin->in[n].index == INPUT;
	return inputs;
}

bool odin_stream_over(const struct odin_run *run)
{
	if (leaks_each_step(run->op) && run->way == ODIN_BY_MARK)
		return run->out.step == run->op->steps;
	return run->out.next == run->op->in_count;
}

/* Moves the output cursor on to the next step that has inputs. */
static void pass_mark(struct odin_run *run)
{
	const struct nmhal_spike_run *op = run->op;
	uint64_t step;

	if (leaks_each_step(op)) {
		run->out.step++;
		return;
	}
	step = op->in[run->out.next].step;
	while (run->out.next < op->in_count && op->in[run->out.next].step == step)
		run->out.next++;
}

static int nothing_due(struct odin *odin, unsigned address)
{
	return nmhal_host_fail(odin->host, NMHAL_E_PROTOCOL,
		"run of %zu input events: output event %u comes after all that were due", odin->run.op->in_count,
		address);
}

/* Output of AER_SRC = 0: a mark, or a spike of the step that the next mark ends. */
static int put_in_step(struct odin *odin, unsigned address, size_t *events)
{
	const struct odin_run *run = &odin->run;
	const struct nmhal_spike_run *op = run->op;

	if (odin_stream_over(run))
		return nothing_due(odin, address);
	if (address == odin->marker.neuron)
		pass_mark(&odin->run);
	else
		odin->events[(*events)++] = (struct nmhal_event){
			.step = leaks_each_step(op) ? run->out.step : op->in[run->out.next].step,
			.address = address, .kind = NMHAL_EVENT_SPIKE,
		};
	return NMHAL_OK;
}

/* Output of AER_SRC = 1: the address of the queue entry. */
static int count_off(struct odin *odin, unsigned address, size_t *events)
{
	struct odin_run *run = &odin->run;
	const struct nmhal_event *due;

	if (odin_stream_over(run))
		return nothing_due(odin, address);
	due = &run->op->in[run->out.next];
	if (address != due->address)
		return nmhal_host_fail(odin->host, NMHAL_E_PROTOCOL,
			"run of %zu input events: output event %u where %u was due: the bus lost or changed one",
			run->op->in_count, address, (unsigned)due->address);
	odin->events[(*events)++] = (struct nmhal_event){
		.step = due->step, .address = address, .kind = NMHAL_EVENT_PROCESSED,
	};
	run->out.next++;
	skip_silent_inputs(run);
	return NMHAL_OK;
}

int odin_stream_outputs(struct odin *odin, size_t count)
{
	int status = NMHAL_OK;
	size_t events = 0;

	for (size_t n = 0; n < count && status == NMHAL_OK; n++)
		status = odin->run.way == ODIN_BY_MARK ? put_in_step(odin, odin->out[n].address, &events) :
							 count_off(odin, odin->out[n].address, &events);
	odin->events_out += events;
	if (events)
		nmhal_host_push(odin->host, odin->events, events);
	return status;
}

int odin_stream_end(struct odin *odin, int64_t deadline_ns)
{
	/* The last mark is the last thing the chip had to do. Counted outputs say nothing of silent inputs after
	 * them: a frame that is answered was sent after all, and takes longer than the last one (section 17). */
	if (odin->run.way == ODIN_BY_MARK)
		return NMHAL_OK;
	odin_put(odin, ODIN_NO_OP);
	return odin_send(odin, true, deadline_ns);
}
