/* SPDX-License-Identifier: MIT */
/*
 * Matrix-vector products on a spiking chip: in open loop, with thresholds out of reach, a potential that begins at 0 is
 * the sum of the weights of the spikes that came. An input code k is k spikes on its row; inputs of either sign take a
 * pass of their own, and the second one is subtracted. Potentials saturate at 12 bits (section 10), which a sum might
 * come back from unseen: a pass is sent in as many parts as keep every potential in range, which are added up here.
 */
#include <stdlib.h>
#include <string.h>

#include "odin.h"

#define RESTORE_NS     INT64_C(1000000000)
#define NEVER_FIRES    4095 /* threshold (section 4) */
#define RAIL_LOW       (-2048)
#define RAIL_HIGH      2047
#define WEIGHT_LARGEST 8 /* magnitude */

/* What a batch needs, and what it puts aside of the caller's. */
struct work {
	const struct nmhal_inference *op;
	struct nmhal_neuron saved[ODIN_NEURONS];
	int wanted[ODIN_REGISTERS];
	struct nmhal_event *events;    /* of one pass */
	int16_t *weights;	       /* [region.rows][region.cols], read when a pass needs it; NULL before */
	int32_t sums[2][ODIN_NEURONS]; /* potentials after the pass of the positive and of the negative inputs */
};

static int32_t code_at(const void *codes, uint32_t type, size_t index)
{
	if (type == NMHAL_CODE_I8)
		return ((const int8_t *)codes)[index];
	return type == NMHAL_CODE_I16 ? ((const int16_t *)codes)[index] : ((const int32_t *)codes)[index];
}

static int32_t input_of(const struct nmhal_inference *op, uint32_t vector, uint32_t row, int sign)
{
	const int32_t code = sign * code_at(op->in, op->in_type, vector * op->in_stride + row);

	return code > 0 ? code : 0;
}

/* ---- saturation -------------------------------------------------------------------------------------------------- */

static int read_region(struct odin *odin, struct work *work, int64_t deadline_ns)
{
	const struct nmhal_region *region = &work->op->region;

	if (work->weights)
		return NMHAL_OK;
	work->weights = malloc((size_t)region->rows * region->cols * sizeof(*work->weights));
	if (!work->weights)
		return nmhal_host_fail(odin->host, NMHAL_E_NO_MEMORY, "inference: no memory for the weights");
	return odin_read_weights(odin, region, work->weights, region->cols, deadline_ns);
}

/* How many of the events from `first` on keep all potentials, which begin at 0, in range all the way: 1 or more. */
static size_t fitting(const struct work *work, size_t first, size_t count)
{
	const struct nmhal_region *region = &work->op->region;
	int32_t sums[ODIN_NEURONS] = {0};

	if ((count - first) * WEIGHT_LARGEST <= RAIL_HIGH)
		return count - first;
	for (size_t at = first; at < count; at++) {
		const int16_t *weights = work->weights + (work->events[at].address - region->row) * region->cols;

		for (uint32_t col = 0; col < region->cols; col++) {
			sums[col] += weights[col];
			if (sums[col] < RAIL_LOW || sums[col] > RAIL_HIGH)
				return at - first;
		}
	}
	return count - first;
}

/* ---- one pass ---------------------------------------------------------------------------------------------------- */

/* Spikes of the inputs with this sign; returns how many. */
static size_t fill_events(struct work *work, uint32_t vector, int sign)
{
	size_t count = 0;

	for (uint32_t row = 0; row < work->op->region.rows; row++)
		for (int32_t k = input_of(work->op, vector, row, sign); k > 0; k--)
			work->events[count++] =
				(struct nmhal_event){.address = work->op->region.row + row, .kind = NMHAL_EVENT_SPIKE};
	return count;
}

static int send_events(struct odin *odin, const struct nmhal_event *events, size_t count, int64_t deadline_ns)
{
	const struct nmhal_spike_run run = {.struct_size = sizeof(run),
		.in = events,
		.in_count = count,
		.steps = 1,
		.max_events_per_input = NMHAL_MAX_EVENTS_DEFAULT,
		.flags = NMHAL_RUN_BACK_TO_BACK};
	struct nmhal_spike_report report;
	int done = 0, stopped, status = odin_spikes_start(odin, &run, deadline_ns);

	if (status != NMHAL_OK)
		return status;
	while (status == NMHAL_OK && !done) {
		status = odin_spikes_pump(odin, &done, deadline_ns);
		if (status == NMHAL_OK && !done)
			status = nmhal_host_poll(odin->host, deadline_ns, "inference");
	}
	stopped = odin_spikes_stop(odin, status, &report);
	return status != NMHAL_OK ? status : stopped;
}

/* Adds the potentials after `count` events from `first` on. */
static int part(
	struct odin *odin, const struct work *work, size_t first, size_t count, int32_t *sums, int64_t deadline_ns)
{
	const struct nmhal_region *region = &work->op->region;
	struct nmhal_neuron neurons[ODIN_NEURONS];
	int status = odin_reset_state(odin, deadline_ns);

	if (status == NMHAL_OK)
		status = send_events(odin, work->events + first, count, deadline_ns);
	if (status == NMHAL_OK)
		status = odin_get_neurons(odin, 0, region->col, region->cols, neurons, deadline_ns);
	for (uint32_t col = 0; status == NMHAL_OK && col < region->cols; col++)
		sums[col] += neurons[col].potential;
	return status;
}

static int pass(struct odin *odin, struct work *work, uint32_t vector, int sign, int32_t *sums, int64_t deadline_ns)
{
	const size_t count = fill_events(work, vector, sign);
	int status = NMHAL_OK;
	size_t done = 0;

	memset(sums, 0, work->op->region.cols * sizeof(*sums));
	if (count * WEIGHT_LARGEST > RAIL_HIGH)
		status = read_region(odin, work, deadline_ns);
	while (status == NMHAL_OK && done < count) {
		const size_t fits = fitting(work, done, count);

		status = part(odin, work, done, fits, sums, deadline_ns);
		done += fits;
	}
	return status;
}

static void store(const struct nmhal_inference *op, uint32_t vector, uint32_t col, int32_t code)
{
	const size_t at = vector * op->out_stride + col;

	if (op->out_type == NMHAL_CODE_I16)
		((int16_t *)op->out)[at] = (int16_t)code;
	else
		((int32_t *)op->out)[at] = code;
	if (op->saturated)
		op->saturated[(size_t)vector * op->region.cols + col] = 0;
}

static int run_batch(struct odin *odin, struct work *work, int64_t deadline_ns)
{
	const struct nmhal_inference *op = work->op;
	int status = NMHAL_OK;

	for (uint32_t vector = 0; status == NMHAL_OK && vector < op->batch; vector++) {
		status = pass(odin, work, vector, 1, work->sums[0], deadline_ns);
		if (status == NMHAL_OK)
			status = pass(odin, work, vector, -1, work->sums[1], deadline_ns);
		for (uint32_t col = 0; status == NMHAL_OK && col < op->region.cols; col++)
			store(op, vector, col, work->sums[0][col] - work->sums[1][col]);
		if (status == NMHAL_OK)
			status = nmhal_host_poll(odin->host, deadline_ns, "inference");
	}
	return status;
}

/* ---- the caller's settings --------------------------------------------------------------------------------------- */

/* A last neuron that leaves room for a marker lets the inputs stream (odin_way()). */
static void set_registers(struct odin *odin, const struct nmhal_region *region)
{
	odin->wanted[ODIN_OPEN_LOOP] = 1;
	odin->wanted[ODIN_AER_SRC] = 0;
	odin->wanted[ODIN_MAX_NEUR] = (int)(region->col + region->cols - 1);
}

static int silence(struct odin *odin, struct work *work, int64_t deadline_ns)
{
	struct nmhal_neuron silent[ODIN_NEURONS];

	for (unsigned n = 0; n < ODIN_NEURONS; n++)
		silent[n] = (struct nmhal_neuron){.threshold = NEVER_FIRES};
	memcpy(work->wanted, odin->wanted, sizeof(work->wanted));
	set_registers(odin, &work->op->region);
	return odin_set_neurons(odin, 0, 0, ODIN_NEURONS, silent, deadline_ns);
}

static int give_back(struct odin *odin, const struct work *work)
{
	const int status = odin_set_neurons(odin, 0, 0, ODIN_NEURONS, work->saved, nmhal_now_ns() + RESTORE_NS);

	memcpy(odin->wanted, work->wanted, sizeof(work->wanted));
	if (status != NMHAL_OK)
		nmhal_host_log(odin->host, NMHAL_LOG_WARN,
			"inference: the neurons' own settings could not be written back; set them again");
	return status;
}

static size_t most_events(const struct nmhal_inference *op)
{
	size_t most = 0;

	for (uint32_t vector = 0; vector < op->batch; vector++) {
		size_t count = 0;

		for (uint32_t row = 0; row < op->region.rows; row++)
			count += (size_t)input_of(op, vector, row, 1) + (size_t)input_of(op, vector, row, -1);
		most = count > most ? count : most;
	}
	return most;
}

int odin_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns)
{
	struct odin *odin = self;
	struct work *work = calloc(1, sizeof(*work));
	int status, restored;

	if (work)
		work->events = calloc(most_events(op) + 1, sizeof(*work->events));
	if (!work || !work->events) {
		free(work);
		return nmhal_host_fail(odin->host, NMHAL_E_NO_MEMORY, "inference: no memory for the input events");
	}
	work->op = op;
	status = odin_get_neurons(odin, 0, 0, ODIN_NEURONS, work->saved, deadline_ns);
	if (status == NMHAL_OK) {
		status = silence(odin, work, deadline_ns);
		if (status == NMHAL_OK)
			status = run_batch(odin, work, deadline_ns);
		restored = give_back(odin, work);
		status = status != NMHAL_OK ? status : restored;
	}
	free(work->weights);
	free(work->events);
	free(work);
	return status;
}
