/* SPDX-License-Identifier: MIT */
/* What the files of drivers/odin/ share: one open tinyODIN chip. */
#ifndef ODIN_H
#define ODIN_H

#include <stdbool.h>

#include <nmhal/driver.h>

#include "wire.h"

#define ODIN_MAX_BATCH 32776u /* frames in the buffer: all weights, registers, the frame that ends writes */
#define ODIN_CHUNK     4096u  /* input events handed to the bus at a time */
#define ODIN_OUTPUTS   2048u  /* output events taken in one bus call */

/* How the outputs of a run find their steps; odin_way() in run.c says when. */
enum odin_way {
	ODIN_BY_BUS,   /* the bus knows the input of every output */
	ODIN_BY_IDLE,  /* the same, as every input waits for an idle core */
	ODIN_BY_MARK,  /* inputs stream; a spike of the marker neuron ends the output of a step */
	ODIN_BY_COUNT, /* inputs stream; the k-th output belongs to the k-th input that gives one */
};

/* What is known of an input event that was handed to the bus; not when inputs stream. */
struct odin_input {
	uint64_t step;
	uint64_t left; /* output events it may still cause */
};

/* A place among the inputs of a run. */
struct odin_cursor {
	size_t next;   /* of op->in */
	uint64_t step; /* next step that has no leak event yet; with NMHAL_RUN_LEAK_EACH_STEP */
};

/* The run in progress: cursors over the caller's events, and the chunk of them that is handed to the bus. */
struct odin_run {
	const struct nmhal_spike_run *op;
	enum odin_way way;
	struct odin_cursor in;  /* what goes to the bus next */
	struct odin_cursor out; /* what the next output belongs to; when inputs stream */
	size_t count;           /* inputs in the chunk */
	size_t accepted;        /* of these */
	uint64_t events_in;
	uint64_t sops, queue_dropped, cycles; /* counters of the bus when the run began */
};

/* A neuron that a run uses to mark the ends of steps. */
struct odin_marker {
	bool placed;     /* the chip holds the marker's word; between two calls only when the bus is lost */
	unsigned neuron;
	uint32_t word;   /* the neuron's own */
};

struct odin {
	struct nmhal_host *host;
	struct nmhal_bus bus;
	struct nmhal_bus_info info;
	bool lost; /* a bus call failed: framing and registers are unknown */
	int wanted[ODIN_REGISTERS];      /* registers as runs need them: the attributes */
	int chip[ODIN_REGISTERS];        /* registers as the chip holds them; -1: unknown */
	uint64_t events_in, events_out;  /* since open */
	size_t frame_count, frame_limit; /* frames in the batch, and how many fit before one that ends writes */
	uint64_t *frames;                /* [frame_limit + 1] */
	uint32_t *replies;               /* [frame_limit + 1] */
	struct odin_run run;
	struct odin_marker marker;
	struct nmhal_bus_in in[ODIN_CHUNK];
	struct odin_input inputs[ODIN_CHUNK];
	struct nmhal_bus_out out[ODIN_OUTPUTS];
	struct nmhal_event events[ODIN_OUTPUTS];
};

/* batch.c: registers and batches of frames */
/* Begins an op: empties the batch, regains framing if it was lost, takes away a marker that a failed run left. */
int odin_begin(struct odin *odin, int64_t deadline_ns);
/* The same, and puts what makes the memories safe to reach: gate closed, open loop. */
int odin_begin_memory(struct odin *odin, int64_t deadline_ns);
/* Puts the frame that sets a register, unless the chip holds the value already. */
void odin_put_register(struct odin *odin, enum odin_register reg, int value);
/* Sends and empties the batch; replies: fill odin->replies, one for each frame. */
int odin_send(struct odin *odin, bool replies, int64_t deadline_ns);
/* Sends a batch that ends in a write, and what the write needs to be over. */
int odin_send_writes(struct odin *odin, int64_t deadline_ns);
/* RST pulse: framing and queue. */
int odin_pulse_reset(struct odin *odin, int64_t deadline_ns);
/* RST pulse, then all four registers: gated, open loop. */
int odin_rest(struct odin *odin, int64_t deadline_ns);

static inline size_t odin_room(const struct odin *odin)
{
	return odin->frame_limit - odin->frame_count;
}

static inline void odin_put(struct odin *odin, uint64_t frame)
{
	odin->frames[odin->frame_count++] = frame;
}

/* weights.c */
int odin_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns);
int odin_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns);
int odin_write_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
int odin_read_cells(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns);

/* neurons.c */
int odin_set_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons,
	int64_t deadline_ns);
int odin_get_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons,
	int64_t deadline_ns);
int odin_reset_state(void *self, int64_t deadline_ns);

/* marker.c */
/* A neuron that nothing in the run reaches; false if there is none. */
bool odin_marker_find(const struct odin *odin, const struct nmhal_spike_run *op, unsigned *neuron);
/* After odin_begin_memory(): reads the neuron's word, puts the frames that make it the marker. */
int odin_marker_place(struct odin *odin, unsigned neuron, int64_t deadline_ns);
/* Puts the frames of the neuron's own word and sends the batch. */
int odin_marker_remove(struct odin *odin, int64_t deadline_ns);
/* Logs a marker that could not be removed, if there is one, and what becomes of it. */
void odin_marker_warn(const struct odin *odin, const char *outlook);
#define ODIN_GIVEN_BACK "it is given back before the next call does anything else"

/* stream.c: the ways in which inputs stream */
static inline bool odin_streams(const struct odin_run *run)
{
	return run->way == ODIN_BY_MARK || run->way == ODIN_BY_COUNT;
}

/* Sets the output cursor on the first input. */
void odin_stream_start(struct odin_run *run);
/* Fills the next chunk; it stays empty when all inputs are sent. */
void odin_stream_fill(struct odin *odin);
/* Inputs of the run, without marks, in the part of the chunk that starts at `from`. */
size_t odin_stream_inputs(const struct odin *odin, size_t from, size_t count);
/* Puts the outputs of a bus call in their steps and hands them on. */
int odin_stream_outputs(struct odin *odin, size_t count);
/* True when no output is to come any more. */
bool odin_stream_over(const struct odin_run *run);
/* Waits until the chip has taken all inputs and is idle; all output was seen. */
int odin_stream_end(struct odin *odin, int64_t deadline_ns);

/* infer.c */
#define ODIN_INPUT_MAX  127  /* spikes of an input code */
#define ODIN_OUTPUT_MAX (8 * ODIN_INPUT_MAX * (int32_t)ODIN_NEURONS) /* of the two passes of an inference */
int odin_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns);

/* run.c */
/* Next input of the run, the caller's or the leak that ends a step; false when there is none. */
bool odin_run_next(struct odin_run *run, uint16_t *word, uint64_t *step);
int odin_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns);
int odin_spikes_pump(void *self, int *done, int64_t deadline_ns);
int odin_spikes_stop(void *self, int status, struct nmhal_spike_report *report);
int odin_counter(void *self, const char *key, uint64_t *value);

#endif
