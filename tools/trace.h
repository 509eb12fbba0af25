/* SPDX-License-Identifier: MIT */
/* Recorded tinyODIN traces of mode idle: one JSON object a line (.jsonl, also gzipped). */
#ifndef PROBE_TRACE_H
#define PROBE_TRACE_H

#include "common.h"

#define TRACE_NEURONS 256u
#define TRACE_SYNAPSE_BYTES 32768u

/* The chip as a list of SPI frames leaves it; memories are 0 before. */
struct trace_chip {
	uint8_t neurons[TRACE_NEURONS][4]; /* [neuron][byte lane] */
	uint8_t synapses[TRACE_SYNAPSE_BYTES]; /* [word * 4 + byte lane] */
	uint8_t gate, open_loop, output_source, max_neuron;
	unsigned written; /* bit n: configuration register n was written */
};

struct trace_episode {
	char id[32];
	struct trace_chip chip;
	struct nmhal_event *in;     /* event k at step k */
	size_t in_count;
	struct nmhal_event *out;    /* expected, step = index of the input */
	size_t out_count;
	uint32_t final[TRACE_NEURONS]; /* neuron words after the last event */
};

/* trace_spi.c. Applies one 40-bit frame: NMHAL_OK, or UNSUPPORTED with a clause in why. */
int trace_frame(struct trace_chip *chip, uint64_t frame, char *why, size_t size);
/* What is missing before events can be sent, or NULL. */
const char *trace_unready(const struct trace_chip *chip);
int16_t trace_weight(const struct trace_chip *chip, unsigned row, unsigned col);
struct nmhal_neuron trace_neuron(uint32_t word);
uint32_t trace_neuron_word(const struct nmhal_neuron *neuron);
uint32_t trace_chip_word(const struct trace_chip *chip, unsigned neuron);
/* Input event of a 10-bit AERIN address. */
struct nmhal_event trace_event(uint32_t address, uint64_t step);

/* trace_file.c */
struct trace_file;
/* PROBE_OK or the exit code after a message. */
int trace_open(const struct probe *p, const char *path, struct trace_file **file);
/* The next episode, to be freed; NULL at the end of the file. PROBE_OK or the exit code after a message. */
int trace_next(const struct probe *p, struct trace_file *file, struct trace_episode **episode);
void trace_episode_free(struct trace_episode *episode);
void trace_close(struct trace_file *file);

#endif
