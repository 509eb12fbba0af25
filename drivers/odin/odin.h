/* SPDX-License-Identifier: MIT */
/* What the files of drivers/odin/ share: one open tinyODIN chip. */
#ifndef ODIN_H
#define ODIN_H

#include <stdbool.h>

#include <nmhal/driver.h>

#include "wire.h"

#define ODIN_MAX_BATCH 32768u /* frames in the buffer, whatever the bus can take */
#define ODIN_CHUNK     4096u  /* input events between two idle points of a run */
#define ODIN_OUTPUTS   2048u  /* output events taken in one bus call */

/* What is known of an input event that was handed to the bus. */
struct odin_input {
	uint64_t step;
	uint64_t left; /* output events it may still cause */
};

/* The run in progress: a cursor over the caller's events, and the chunk of them that is on its way. */
struct odin_run {
	const struct nmhal_spike_run *op;
	size_t next;     /* of op->in */
	uint64_t step;   /* next step that has no leak event yet; with NMHAL_RUN_LEAK_EACH_STEP */
	size_t count;    /* inputs in the chunk */
	size_t accepted; /* of these */
	uint64_t events_in;
	uint64_t sops, queue_dropped, cycles; /* counters of the bus when the run began */
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
	struct nmhal_bus_in in[ODIN_CHUNK];
	struct odin_input inputs[ODIN_CHUNK];
	struct nmhal_bus_out out[ODIN_OUTPUTS];
	struct nmhal_event events[ODIN_OUTPUTS];
};

/* batch.c: registers and batches of frames */
/* Begins an op: empties the batch, regains framing if it was lost. */
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

/* run.c */
int odin_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns);
int odin_spikes_pump(void *self, int *done, int64_t deadline_ns);
int odin_spikes_stop(void *self, int status, struct nmhal_spike_report *report);
int odin_counter(void *self, const char *key, uint64_t *value);

#endif
