/* SPDX-License-Identifier: MIT */
/* A layer of leaky integrate-and-fire neurons on a chip, for compiled programs of XLA: a run of spikes per sample. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bindings/python/xla_call.h"

struct layer {
	const struct xla_call *call;
	nmhal_device *dev;
	uint32_t core, row, col; /* where W[0][0] sits */
	struct nmhal_device_caps caps;
	float threshold, leak;
	const float *spikes; /* [samples][steps][n_in] */
	float *out;	     /* [samples][steps][n_out], cleared */
	float *used, *scale; /* [n_out][n_in], [n_out]: results too */
	int64_t samples, steps;
	struct nmhal_neuron *neurons, *before; /* [caps.cols] */
	struct nmhal_event *in, *events;       /* [steps * n_in], [room] */
	size_t in_count, room;
};

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static struct xla_error *take_spikes(struct layer *layer)
{
	const struct xla_frame *frame = layer->call->frame;
	const struct nmhal_py_slot *slot = layer->call->slot;
	const struct xla_buffer *spikes = frame->args.buffers[1];
	int64_t rows = 0, out_rows = 0, used_rows = 0, scale_rows = 0;
	struct xla_error *error;

	layer->spikes = xla_floats(frame, &frame->args, 1, slot->n_in, &rows, &error);
	if (error)
		return error;
	if (spikes->rank < 2 || frame->rets.count != 3)
		return xla_fail(frame, XLA_INVALID_ARGUMENT,
			"spikes have rank %lld, there are %lld results: must be [..., T, %u] and 3",
			(long long)spikes->rank, (long long)frame->rets.count, slot->n_in);
	layer->out = xla_floats(frame, &frame->rets, 0, slot->n_out, &out_rows, &error);
	if (!error)
		layer->used = xla_floats(frame, &frame->rets, 1, slot->n_in, &used_rows, &error);
	if (!error)
		layer->scale = xla_floats(frame, &frame->rets, 2, slot->n_out, &scale_rows, &error);
	if (!error && (out_rows != rows || used_rows != slot->n_out || scale_rows != 1))
		error = xla_fail(frame, XLA_INVALID_ARGUMENT, "results have %lld, %lld, %lld rows: must be %lld, %u, 1",
			(long long)out_rows, (long long)used_rows, (long long)scale_rows, (long long)rows, slot->n_out);
	layer->steps = spikes->dims[spikes->rank - 2];
	layer->samples = rows ? rows / layer->steps : 0; /* no steps: nothing to run */
	for (int64_t i = 0; !error && i < rows * slot->n_in; i++)
		if (layer->spikes[i] != 0 && layer->spikes[i] != 1)
			error = xla_fail(frame, XLA_INVALID_ARGUMENT, "spike number %lld is %g: must be 0 or 1",
				(long long)i, (double)layer->spikes[i]);
	return error;
}

/* The array must be one tile of one slice, so that its outputs are neurons. */
static struct xla_error *take_place(struct layer *layer)
{
	const struct xla_frame *frame = layer->call->frame;
	const struct nmhal_py_slot *slot = layer->call->slot;
	struct nmhal_array_place first = {.struct_size = sizeof(first)}, last = {.struct_size = sizeof(last)};
	int status = nmhal_array_locate(slot->array, 0, 0, 0, &first);

	if (!status)
		status = nmhal_array_locate(slot->array, slot->n_out - 1, slot->n_in - 1, 0, &last);
	if (status)
		return xla_status(frame, status);
	if (slot->options.encoding != NMHAL_ARRAY_ONE_SLICE || first.dev != last.dev || first.core != last.core)
		return xla_fail(frame, XLA_UNIMPLEMENTED,
			"an array of %u x %u in several tiles or slices: a layer of neurons is one tile of one slice",
			slot->n_out, slot->n_in);
	layer->dev = first.dev;
	layer->core = first.core;
	layer->row = first.row;
	layer->col = first.col;
	layer->caps.struct_size = sizeof(layer->caps);
	return xla_status(frame, nmhal_device_caps(layer->dev, &layer->caps));
}

static struct xla_error *check_device(const struct layer *layer)
{
	const struct xla_frame *frame = layer->call->frame;
	int64_t open_loop;

	if (!(layer->caps.features & NMHAL_CAN_SPIKES))
		return xla_fail(frame, XLA_UNIMPLEMENTED, "%s: the device has no spiking neurons",
			nmhal_device_uri(layer->dev));
	if (nmhal_attr_get_int(layer->dev, "open_loop", &open_loop) == NMHAL_OK && !open_loop)
		return xla_fail(frame, XLA_FAILED_PRECONDITION,
			"%s: the loop is closed, outputs would come back as inputs; set open_loop to 1",
			nmhal_device_uri(layer->dev));
	return NULL;
}

/* ---- neurons ----------------------------------------------------------------------------------------------------- */

/* v >= threshold in weights is v >= ceil(threshold / scale) in codes, exactly. A dead output never fires. */
static struct xla_error *make_neurons(struct layer *layer)
{
	const struct xla_frame *frame = layer->call->frame;

	memset(layer->neurons, 0, layer->caps.cols * sizeof(*layer->neurons));
	for (uint32_t c = 0; c < layer->caps.cols; c++)
		layer->neurons[c].threshold = layer->caps.threshold_max;
	for (uint32_t o = 0; o < layer->call->slot->n_out; o++) {
		struct nmhal_neuron *neuron = &layer->neurons[layer->col + o];
		/* Every missing operand is an error. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		const double scale = (double)layer->scale[o];
		const double threshold = scale > 0 ? ceil((double)layer->threshold / scale) : 1;
		const double leak = scale > 0 ? rint((double)layer->leak / scale) : 0;

		if (threshold < 1 || threshold > layer->caps.threshold_max || leak > layer->caps.leak_max)
			return xla_fail(frame, XLA_OUT_OF_RANGE,
				"%s: output %u: threshold and leak are %g and %g steps of its weights: at most %d and "
				"%d",
				nmhal_device_uri(layer->dev), o, threshold, leak, layer->caps.threshold_max,
				layer->caps.leak_max);
		neuron->threshold = (int32_t)threshold;
		neuron->leak = (int32_t)leak;
		neuron->enabled = scale > 0;
	}
	return NULL;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void gather(struct layer *layer, int64_t sample)
{
	const uint32_t n_in = layer->call->slot->n_in;
	const float *spikes = layer->spikes + (size_t)sample * (size_t)layer->steps * n_in;

	layer->in_count = 0;
	for (int64_t t = 0; t < layer->steps; t++)
		for (uint32_t i = 0; i < n_in; i++)
			if (spikes[(size_t)t * n_in + i] != 0)
				layer->in[layer->in_count++] = (struct nmhal_event){.step = (uint64_t)t,
					.address = layer->row + i,
					.core = (uint16_t)layer->core,
					.kind = NMHAL_EVENT_SPIKE};
}

/* Runs a sample from rest; once more with room for all events when there was too little. */
static int run_sample(struct layer *layer, struct nmhal_spike_report *report)
{
	const struct nmhal_spike_run run = {.struct_size = sizeof(run),
		.in = layer->in,
		.in_count = layer->in_count,
		.steps = (uint64_t)layer->steps,
		.out = layer->events,
		.out_capacity = layer->room,
		.flags = layer->leak > 0 ? NMHAL_RUN_LEAK_EACH_STEP : 0};
	int status = nmhal_reset_state(layer->dev, 0);

	return status ? status : nmhal_run_spikes(layer->dev, &run, report);
}

static int run_with_room(struct layer *layer, struct nmhal_spike_report *report)
{
	int status = run_sample(layer, report);
	struct nmhal_event *more;

	if (status != NMHAL_E_OVERRUN)
		return status;
	more = realloc(layer->events, report->events_out * sizeof(*more));
	if (!more)
		return status;
	layer->events = more;
	layer->room = report->events_out;
	return run_sample(layer, report);
}

/* Events that are no spikes, and spikes of neurons that are not the layer's, do not count. out: [steps][n_out]. */
static void count_spike(const struct layer *layer, const struct nmhal_event *event, float *out)
{
	const uint32_t n_out = layer->call->slot->n_out;

	if (event->kind == NMHAL_EVENT_SPIKE && event->core == layer->core && event->step < (uint64_t)layer->steps &&
		event->address >= layer->col && event->address - layer->col < n_out)
		out[(size_t)event->step * n_out + event->address - layer->col] += 1;
}

static int run_all(struct layer *layer)
{
	const uint32_t n_out = layer->call->slot->n_out;
	int status = NMHAL_OK;

	for (int64_t sample = 0; !status && sample < layer->samples; sample++) {
		struct nmhal_spike_report report = {.struct_size = sizeof(report)};
		float *out = layer->out + (size_t)sample * (size_t)layer->steps * n_out;

		gather(layer, sample);
		status = run_with_room(layer, &report);
		for (size_t i = 0; !status && i < report.events_out; i++)
			count_spike(layer, &layer->events[i], out);
	}
	return status;
}

/* The caller's neurons are back afterwards, also when a run failed. */
static int run_on_neurons(struct layer *layer)
{
	int status = nmhal_get_neurons(layer->dev, layer->core, 0, layer->caps.cols, layer->before, 0);
	int restored;

	if (status)
		return status;
	status = nmhal_set_neurons(layer->dev, layer->core, 0, layer->caps.cols, layer->neurons, 0);
	if (!status)
		status = run_all(layer);
	if (status == NMHAL_E_GONE)
		return status;
	restored = nmhal_set_neurons(layer->dev, layer->core, 0, layer->caps.cols, layer->before, 0);
	return status ? status : restored;
}

static struct xla_error *allocate(struct layer *layer)
{
	const size_t inputs = (size_t)layer->steps * layer->call->slot->n_in + 1; /* one more: never none */
	const size_t neurons = (size_t)layer->caps.cols + 1;

	layer->room = 4096;
	layer->neurons = malloc(neurons * sizeof(*layer->neurons));
	layer->before = malloc(neurons * sizeof(*layer->before));
	layer->in = malloc(inputs * sizeof(*layer->in));
	layer->events = malloc(layer->room * sizeof(*layer->events));
	if (layer->neurons && layer->before && layer->in && layer->events)
		return NULL;
	return xla_fail(
		layer->call->frame, XLA_RESOURCE_EXHAUSTED, "out of memory for %lld steps", (long long)layer->steps);
}

static struct xla_error *run_layer(struct layer *layer)
{
	const struct nmhal_py_slot *slot = layer->call->slot;
	struct xla_error *error = xla_program(layer->call);

	if (error)
		return error;
	error = xla_status(layer->call->frame, nmhal_array_quantise(slot->array, NULL, 0, layer->used, layer->scale));
	if (!error)
		error = make_neurons(layer);
	if (error || layer->samples == 0)
		return error;
	memset(layer->out, 0, (size_t)(layer->samples * layer->steps) * slot->n_out * sizeof(*layer->out));
	return xla_status(layer->call->frame, run_on_neurons(layer));
}

static struct xla_error *lif(const struct xla_call *call)
{
	struct layer layer = {.call = call};
	struct xla_error *error;
	const float *threshold = xla_attr(call->frame, "threshold", XLA_F32, &error), *leak = NULL;

	if (!error)
		leak = xla_attr(call->frame, "leak", XLA_F32, &error);
	if (error)
		return error;
	layer.threshold = *threshold;
	layer.leak = *leak;
	error = take_spikes(&layer);
	if (!error)
		error = take_place(&layer);
	if (!error)
		error = check_device(&layer);
	if (!error)
		error = allocate(&layer);
	if (!error)
		error = run_layer(&layer);
	free(layer.neurons);
	free(layer.before);
	free(layer.in);
	free(layer.events);
	return error;
}

struct xla_error *nmhal_py_xla_lif(struct xla_frame *frame)
{
	return xla_execute(frame, 2, 2, lif);
}
