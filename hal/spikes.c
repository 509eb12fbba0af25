/* SPDX-License-Identifier: MIT */
/* Runs: timed events in, timed events out. */
#include <stdio.h>
#include <string.h>

#include "hal/hal.h"

#define KINDS 4u /* of input events */

/* What an input event of a kind may hold. */
struct allowed {
	uint64_t addresses; /* 0: the device lacks the kind */
	int min;	    /* value */
	int max;
};

static void allowed_by(const struct nmhal_device_caps *caps, struct allowed allowed[KINDS])
{
	bool virtuals = caps->features & NMHAL_CAN_VIRTUAL_EVENTS;
	bool leaks = caps->features & NMHAL_CAN_LEAK_EVENTS;

	allowed[NMHAL_EVENT_SPIKE] = (struct allowed){caps->rows, 0, 0};
	allowed[NMHAL_EVENT_VIRTUAL] = (struct allowed){
		virtuals ? (uint64_t)caps->virtual_address_max + 1 : 0, caps->virtual_min, caps->virtual_max};
	allowed[NMHAL_EVENT_LEAK_ALL] = (struct allowed){leaks, 0, 0};
	allowed[NMHAL_EVENT_LEAK_ONE] = (struct allowed){leaks ? (uint64_t)caps->leak_one_address_max + 1 : 0, 0, 0};
}

/* Index of the first event that may not be sent, or in_count. Runs over every event of every run: kept short. */
static size_t first_wrong(const struct nmhal_spike_run *op, const struct allowed allowed[KINDS], uint32_t cores)
{
	uint64_t step = 0;

	for (size_t i = 0; i < op->in_count; i++) {
		const struct nmhal_event *event = &op->in[i];
		const struct allowed *kind = &allowed[event->kind % KINDS];

		if (event->step < step || event->kind >= KINDS || event->core >= cores ||
			event->address >= kind->addresses || event->value < kind->min || event->value > kind->max)
			return i;
		step = event->step;
	}
	return op->in_count;
}

static int say_wrong(
	struct nmhal_device *dev, const struct nmhal_spike_run *op, size_t i, const struct allowed *allowed)
{
	static const char *const names[KINDS] = {"SPIKE", "VIRTUAL", "LEAK_ALL", "LEAK_ONE"};
	const struct nmhal_event *event = &op->in[i];
	const struct allowed *kind;

	if (i && event->step < op->in[i - 1].step)
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"run spikes: event %zu: step %llu comes after step %llu; sort by step", i,
			(unsigned long long)event->step, (unsigned long long)op->in[i - 1].step);
	if (event->kind >= KINDS)
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"run spikes: event %zu: kind %u: inputs are 0 (SPIKE), 1 (VIRTUAL), 2 (LEAK_ALL) and 3 "
			"(LEAK_ONE)",
			i, event->kind);
	kind = &allowed[event->kind];
	if (!kind->addresses)
		return nm_unsupported(
			dev, "run spikes", event->kind == NMHAL_EVENT_VIRTUAL ? "virtual events" : "leak events");
	if (event->core >= dev->caps.cores)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: event %zu: core %u: the device has cores 0..%u",
			i, event->core, dev->caps.cores - 1);
	if (event->address >= kind->addresses)
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"run spikes: event %zu: address %u of kind %s: outside 0..%llu", i, event->address,
			names[event->kind], (unsigned long long)kind->addresses - 1);
	return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: event %zu: value %d of kind %s: outside %d..%d", i,
		event->value, names[event->kind], kind->min, kind->max);
}

static int check_events(struct nmhal_device *dev, const struct nmhal_spike_run *op)
{
	struct allowed allowed[KINDS];
	size_t wrong;

	allowed_by(&dev->caps, allowed);
	wrong = first_wrong(op, allowed, dev->caps.cores);
	return wrong < op->in_count ? say_wrong(dev, op, wrong, allowed) : NMHAL_OK;
}

static int check_flags(struct nmhal_device *dev, const struct nmhal_spike_run *op)
{
	const uint32_t known = NMHAL_RUN_BACK_TO_BACK | NMHAL_RUN_LEAK_EACH_STEP;

	if (op->flags & ~known)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: flags 0x%x: known are 0x%x", op->flags, known);
	if (op->flags & NMHAL_RUN_BACK_TO_BACK && !(dev->caps.features & NMHAL_CAN_BACK_TO_BACK))
		return nm_unsupported(dev, "run spikes with BACK_TO_BACK", "back-to-back events");
	if (op->flags & NMHAL_RUN_LEAK_EACH_STEP && !(dev->caps.features & NMHAL_CAN_LEAK_EVENTS))
		return nm_unsupported(dev, "run spikes with LEAK_EACH_STEP", "leak events");
	return NMHAL_OK;
}

/* Fills in op->steps from the last event, or checks that it lies inside. */
static int check_steps(struct nmhal_device *dev, struct nmhal_spike_run *op)
{
	uint64_t last;

	if (!op->in_count)
		return NMHAL_OK;
	last = op->in[op->in_count - 1].step;
	if (op->steps ? last >= op->steps : last == UINT64_MAX)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: event %zu: step %llu: the run has steps 0..%llu",
			op->in_count - 1, (unsigned long long)last, (unsigned long long)op->steps - 1 - !op->steps);
	if (!op->steps)
		op->steps = last + 1;
	return NMHAL_OK;
}

static int check_run(struct nmhal_device *dev, struct nmhal_spike_run *op)
{
	int status;

	if (!dev->ops.spikes_start)
		return nm_unsupported(dev, "run spikes", "spikes");
	if (op->in_count && !op->in)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: %zu events: in is NULL", op->in_count);
	if (op->out_capacity && !op->out)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "run spikes: room for %zu output events: out is NULL",
			op->out_capacity);
	status = check_flags(dev, op);
	if (!status)
		status = check_events(dev, op);
	if (!status)
		status = check_steps(dev, op);
	if (!op->max_events_per_input)
		op->max_events_per_input = NMHAL_MAX_EVENTS_DEFAULT;
	return status;
}

void nmhal_host_push(struct nmhal_host *host, const struct nmhal_event *events, size_t count)
{
	struct nmhal_device *dev = host->dev;
	struct nm_sink *sink = &dev->sink;
	size_t room, stored;

	if (!sink->out) {
		sink->lost += nm_ring_push(dev->ring, dev->run, events, count);
		sink->pushed += count;
		return;
	}
	room = sink->capacity - (size_t)(sink->pushed - sink->lost);
	stored = count < room ? count : room;
	memcpy(sink->out + (sink->pushed - sink->lost), events, stored * sizeof(*events));
	sink->lost += count - stored;
	sink->pushed += count;
}

/* Ends a started run. A failed stop counts when the run itself was good or the device is gone. */
static int stop(struct nmhal_device *dev, int status, struct nmhal_spike_report *report)
{
	char sentence[1024] = "";
	int stopped;

	if (status)
		(void)snprintf(sentence, sizeof(sentence), "%s", nmhal_last_error());
	stopped = dev->ops.spikes_stop(dev->self, status, report);
	if (!status || stopped == NMHAL_E_GONE)
		return stopped;
	return stopped ? nm_fail(NULL, status, "%s", sentence) : status;
}

static int pump(struct nmhal_device *dev, int64_t deadline_ns)
{
	int done = 0;
	int status;

	for (;;) {
		status = dev->ops.spikes_pump(dev->self, &done, deadline_ns);
		if (status || done)
			return status;
		status = nmhal_host_poll(&dev->host, deadline_ns, "run spikes");
		if (status)
			return status;
	}
}

static int overrun(struct nmhal_device *dev, const struct nm_sink *sink)
{
	return nm_fail(dev->uri, NMHAL_E_OVERRUN,
		"run spikes: %llu output events do not fit the caller's buffer of %zu: the last %llu were lost; give "
		"room for all",
		(unsigned long long)sink->pushed, sink->capacity, (unsigned long long)sink->lost);
}

static int run_started(struct nmhal_device *dev, struct nmhal_spike_report *report, int64_t deadline_ns)
{
	int status;

	report->run = ++dev->run;
	report->events_in = NMHAL_UNKNOWN;
	report->sops = NMHAL_UNKNOWN;
	report->queue_dropped = NMHAL_UNKNOWN;
	report->cycles = NMHAL_UNKNOWN;
	status = pump(dev, deadline_ns);
	status = stop(dev, status, report);
	report->run = dev->run;
	report->events_out = dev->sink.pushed;
	report->events_lost = dev->sink.lost;
	if (!status && dev->sink.out && dev->sink.lost)
		status = overrun(dev, &dev->sink);
	return status;
}

static int run_locked(
	struct nmhal_device *dev, struct nmhal_spike_run *op, struct nmhal_spike_report *report, int64_t deadline_ns)
{
	int status = check_run(dev, op);

	/* No events and no steps: nothing to do. */
	if (status || (!op->in_count && !op->steps))
		return status;
	dev->sink = (struct nm_sink){.out = op->out, .capacity = op->out_capacity};
	status = dev->ops.spikes_start(dev->self, op, deadline_ns);
	if (!status)
		status = run_started(dev, report, deadline_ns);
	dev->sink = (struct nm_sink){0};
	return status;
}

int nmhal_run_spikes(nmhal_device *dev, const struct nmhal_spike_run *op, struct nmhal_spike_report *report)
{
	struct nmhal_spike_run known;
	struct nmhal_spike_report filled = {0};
	int64_t deadline_ns;
	int status =
		report ? nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_spike_report")
		       : NMHAL_OK;

	if (!status)
		status = nm_copy_in(&known, sizeof(known), sizeof(known), op, "struct nmhal_spike_run");
	if (!status)
		status = nm_device_enter(dev, known.timeout_ms, "run spikes", &deadline_ns);
	if (status)
		return status;
	status = nm_device_leave(dev, run_locked(dev, &known, &filled, deadline_ns));
	if (report)
		(void)nm_copy_out(report, sizeof(*report), sizeof(*report), &filled, "struct nmhal_spike_report");
	return status;
}

/* An interrupt that ends a waiting reader is used up, unless a call runs that it is meant for as well. */
static void take_interrupt(struct nmhal_device *dev)
{
	if (pthread_mutex_trylock(&dev->lock))
		return;
	atomic_store(&dev->interrupted, false);
	pthread_mutex_unlock(&dev->lock);
}

static int say_nothing_read(struct nmhal_device *dev, int status, int32_t timeout_ms)
{
	bool gone = atomic_load(&dev->gone);

	if (status == NMHAL_E_STATE)
		return nm_fail(dev->uri, status, "read spikes: the device is closed");
	if (gone)
		return nm_fail(dev->uri, NMHAL_E_GONE, "read spikes: the device is gone; close it");
	if (status == NMHAL_E_CANCELED) {
		take_interrupt(dev);
		return nm_fail(dev->uri, status, "read spikes: interrupted");
	}
	if (status == NMHAL_E_AGAIN)
		return nm_fail(dev->uri, status, "read spikes: none are waiting");
	return nm_fail(dev->uri, status, "read spikes: none came within %d ms",
		timeout_ms ? timeout_ms : dev->caps.default_timeout_ms);
}

static int read_spikes(struct nmhal_device *dev, struct nmhal_spike_read *rd, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status;

	if (!rd->events || !rd->capacity)
		return nm_fail(dev->uri, NMHAL_E_INVALID,
			"read spikes: room for %zu events%s: give room for at least one", rd->capacity,
			rd->events ? "" : ", events is NULL");
	if (rd->reserved)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "read spikes: reserved is %u: it must be 0", rd->reserved);
	status = nm_deadline(dev->uri, timeout_ms, dev->caps.default_timeout_ms, &deadline_ns);
	if (status)
		return status;
	if (atomic_load(&dev->gone))
		deadline_ns = 0;
	status = nm_ring_read(dev->ring, rd, deadline_ns, &dev->interrupted);
	return status ? say_nothing_read(dev, status, timeout_ms) : NMHAL_OK;
}

int nmhal_read_spikes(nmhal_device *dev, struct nmhal_spike_read *rd, int32_t timeout_ms)
{
	struct nmhal_spike_read known;
	int status = nm_device_check(dev, "read spikes");

	/* After close, what is left in the ring can still be read. */
	if (status && !(dev && atomic_load(&dev->closed) && dev->process == atomic_load(&nm_process)))
		return status;
	status = nm_copy_in(&known, sizeof(known), sizeof(known), rd, "struct nmhal_spike_read");
	if (status)
		return status;
	known.count = 0;
	known.lost = 0;
	status = read_spikes(dev, &known, timeout_ms);
	(void)nm_copy_out(rd, sizeof(*rd), sizeof(*rd), &known, "struct nmhal_spike_read");
	return status;
}
