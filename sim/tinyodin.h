/* SPDX-License-Identifier: MIT */
/*
 * Event-level model of the tinyODIN chip: bit-exact and order-exact for a host that keeps the handshake.
 * Decodes the chip's own 40-bit SPI frames and 10-bit address events. Sections named here are of docs/tinyodin.md.
 * One chip is used by one thread at a time; chips share nothing.
 */
#ifndef TINYODIN_H
#define TINYODIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tinyodin;

enum tinyodin_simd {
	TINYODIN_SIMD_AUTO, /* $NMHAL_SIMD ("off" or "avx2"), else the best this machine has */
	TINYODIN_SIMD_OFF,  /* plain C */
	TINYODIN_SIMD_AVX2, /* refused (NULL) on a machine without it */
};

/* One output event: REQ with AEROUT_ADDR = address, caused (through the queue) by the input with that index. */
struct tinyodin_out {
	uint32_t index;
	uint16_t address;
	uint16_t reserved;
};

#define TINYODIN_NEURONS 256u
#define TINYODIN_QUEUE_DEPTH 128u
#define TINYODIN_MAX_OUT 256u         /* outputs of one input or one queue entry */
#define TINYODIN_NO_INPUT UINT32_MAX  /* index of outputs that no input caused (spurious pushes, section 2) */

/* A chip after power-up: memories zero, all neurons disabled (dis = 1); raw_zero: all bits zero. Registers are 0.
 * NULL when out of memory, when the kernel is not available here or when $NMHAL_SIMD names none. */
struct tinyodin *tinyodin_new(enum tinyodin_simd simd, bool raw_zero);
void tinyodin_free(struct tinyodin *chip);
/* The supply goes off and on: all as after tinyodin_new(), counters too. */
void tinyodin_power_cut(struct tinyodin *chip);
/* Name of the kernel in use: "plain" or "avx2". */
const char *tinyodin_kernel(const struct tinyodin *chip);

/* RST pulse (section 1): framing and queue cleared, memories and registers kept. */
void tinyodin_reset(struct tinyodin *chip);

/* Clocks count 40-bit frames (address field in bits 39:20, data field in 19:0); replies: NULL or the 20 MISO bits of
 * each frame's data phase. Queue entries that run while the gate is open and frames go by are processed as on the chip;
 * their outputs wait for tinyodin_step(). */
void tinyodin_spi(struct tinyodin *chip, const uint64_t *frames, size_t count, uint32_t *replies);

/* True when the gate is closed: events are not acknowledged. */
bool tinyodin_gated(const struct tinyodin *chip);
/* Accepts one AERIN event (gate open): leak events execute at once, the others are queued; when the queue is full its
 * head is processed first (section 9). Writes at most 2 * TINYODIN_MAX_OUT outputs; returns their number. */
size_t tinyodin_input(struct tinyodin *chip, uint16_t address, uint32_t index, struct tinyodin_out *out);
/* True when there is nothing to process and no output waits. */
bool tinyodin_idle(const struct tinyodin *chip);
/* Processes the head of the queue (or hands over waiting outputs): at most TINYODIN_MAX_OUT outputs. */
size_t tinyodin_step(struct tinyodin *chip, struct tinyodin_out *out);

/* Counted since tinyodin_new(). */
struct tinyodin_counters {
	uint64_t sops;          /* neuron updates by synaptic events (spike: MAX_NEUR + 1, virtual: 1) */
	uint64_t queue_dropped; /* pushes onto a full queue */
	uint64_t cycles;        /* CLK cycles under the ideal host of section 17, which waits for idle */
	uint64_t spi_frames;
};
void tinyodin_counters(const struct tinyodin *chip, struct tinyodin_counters *counters);

/* ---- the core without its pins: for boards that have it on their own chip ---------------------------------------- */

struct tinyodin_registers {
	bool gate, open_loop, source; /* GATE_ACTIVITY, OPEN_LOOP, AER_SRC_CTRL_nNEUR */
	uint8_t max_neuron;           /* MAX_NEUR */
};
struct tinyodin_neuron {
	int16_t potential; /* -2048..2047 */
	uint16_t threshold; /* 0..4095 */
	uint8_t leak;       /* 0..127 */
	bool enabled;
};
void tinyodin_set_registers(struct tinyodin *chip, const struct tinyodin_registers *registers);
/* Memories, as SPI reaches them in open loop with the gate closed. weight: -8..7. */
int tinyodin_weight(const struct tinyodin *chip, unsigned row, unsigned column);
void tinyodin_set_weight(struct tinyodin *chip, unsigned row, unsigned column, int weight);
void tinyodin_neuron(const struct tinyodin *chip, unsigned index, struct tinyodin_neuron *neuron);
void tinyodin_set_neuron(struct tinyodin *chip, unsigned index, const struct tinyodin_neuron *neuron);

/* For tests: the memories as the chip holds them. */
uint32_t tinyodin_neuron_word(const struct tinyodin *chip, unsigned neuron);
uint32_t tinyodin_synapse_word(const struct tinyodin *chip, unsigned word);

#endif
