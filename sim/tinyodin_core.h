/* SPDX-License-Identifier: MIT */
/* Inside of the tinyODIN model: state, kernels, and what the event side and the SPI side share. */
#ifndef TINYODIN_CORE_H
#define TINYODIN_CORE_H

#include "sim/tinyodin.h"

#define TINYODIN_GROUPS (TINYODIN_NEURONS / 64u)
#define TINYODIN_WAITING_MAX (4u * TINYODIN_MAX_OUT)
#define TINYODIN_SYNAPSE_WORDS 8192u
#define TINYODIN_QS_HELD UINT32_MAX /* chip->qs_word: the word is in chip->qs */

/* Neuron memory, in the form the kernels want: x16 (tinyodin_rules.h), neurons in natural order. */
struct tinyodin_neurons {
	_Alignas(64) int16_t v[TINYODIN_NEURONS]; /* bits 3:0 mean nothing */
	int16_t fires_above[TINYODIN_NEURONS];
	int16_t leak[TINYODIN_NEURONS];
	int16_t active[TINYODIN_NEURONS]; /* -1 for neurons 0..MAX_NEUR, else 0 */
	uint64_t enabled[TINYODIN_GROUPS]; /* a bit per neuron: dis = 0 */
	uint32_t word[TINYODIN_NEURONS];  /* bits 31:12 as programmed; bits 11:0 are in v */
};

/*
 * Updates of neurons 0..max. fired gets one bit per neuron that met its threshold (disabled ones too); it is only
 * written when the answer is true: some neuron did.
 */
struct tinyodin_kernel {
	const char *name;
	bool (*spike)(struct tinyodin_neurons *neurons, const int8_t *weights, unsigned max, uint64_t *fired);
	bool (*leak)(struct tinyodin_neurons *neurons, unsigned max, uint64_t *fired);
};
extern const struct tinyodin_kernel tinyodin_plain;
/* NULL on a machine without AVX2. */
const struct tinyodin_kernel *tinyodin_avx2(void);

struct tinyodin_entry {
	uint32_t index;  /* of the input it descends from */
	uint16_t code;   /* {virt[3:0], addr[7:0]} */
	uint16_t reserved;
};

struct tinyodin_queue {
	struct tinyodin_entry entry[256]; /* TINYODIN_QUEUE_DEPTH are used; 8-bit positions wrap by themselves */
	uint8_t head;
	unsigned count;
};

struct tinyodin {
	struct tinyodin_neurons neurons;
	_Alignas(64) int8_t weight[TINYODIN_NEURONS][TINYODIN_NEURONS]; /* [pre][post], x16 */
	const struct tinyodin_kernel *kernel;
	bool raw_zero;                /* memories at power-up */
	bool gate, open_loop, source; /* GATE_ACTIVITY, OPEN_LOOP, AER_SRC_CTRL_nNEUR */
	unsigned max_neuron;          /* MAX_NEUR */
	uint32_t qn, qs;              /* SRAM output registers (section 2) */
	uint32_t qs_word;             /* synapse word that Qs holds; TINYODIN_QS_HELD: see qs */
	struct tinyodin_queue queue;
	size_t waiting_count;
	struct tinyodin_out waiting[TINYODIN_WAITING_MAX + 2 * TINYODIN_MAX_OUT]; /* outputs not yet handed over */
	struct tinyodin_counters counters;
};

/* Appends to the queue, or counts the loss. */
void tinyodin_push(struct tinyodin *chip, unsigned code, uint32_t index);
/* Processes queue entries while the gate is open and there is room for their outputs in `waiting`. */
void tinyodin_run_waiting(struct tinyodin *chip);
void tinyodin_set_neuron_word(struct tinyodin *chip, unsigned neuron, uint32_t word);
void tinyodin_set_max_neuron(struct tinyodin *chip, unsigned max_neuron);

/* tinyodin_neuron_word(), for the inner loops: v is held times 16. */
static inline uint32_t tinyodin_word_of(const struct tinyodin_neurons *neurons, unsigned neuron)
{
	return neurons->word[neuron] | (uint32_t)(uint16_t)neurons->v[neuron] >> 4;
}

static inline bool tinyodin_enabled(const struct tinyodin *chip, unsigned neuron)
{
	return chip->neurons.enabled[neuron / 64] >> (neuron % 64) & 1u;
}

#endif
