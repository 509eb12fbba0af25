/* SPDX-License-Identifier: MIT */
/* Reads recorded episodes (data/README.md) into plain arrays. A file that cannot be read ends the program. */
#ifndef EPISODE_H
#define EPISODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum episode_mode { EPISODE_IDLE, EPISODE_SPI, EPISODE_TIMED };

/* CLK cycles; sck_*: of a phase of SCK. */
struct episode_host {
	unsigned sck_hi, sck_lo, setup, release, gap, ack_rise, ack_fall;
};

struct episode_out {
	uint64_t cycle; /* timed */
	size_t event;   /* idle */
	uint8_t address;
};

struct episode {
	int id;
	enum episode_mode mode;
	bool open_loop, source;
	unsigned max_neuron;
	struct episode_host host;
	size_t frame_count, miso_count, input_count, latency_count, out_count, neuron_count, synapse_count;
	uint64_t *frame;   /* 40 bits, address field on top */
	uint32_t *miso;    /* 20 bits a frame */
	uint16_t *input;
	uint32_t *latency; /* timed, an input */
	struct episode_out *out;
	uint32_t *neuron, *synapse; /* at the end */
	uint64_t run_after;         /* timed */
	unsigned fsm, queued;       /* timed, at the end */
};

struct episode_file;
struct episode_file *episode_open(const char *path);
/* The next episode, freed by episode_free(); NULL at the end of the file. */
struct episode *episode_next(struct episode_file *file);
void episode_free(struct episode *episode);
void episode_close(struct episode_file *file);

#endif
