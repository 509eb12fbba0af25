/* SPDX-License-Identifier: MIT */
/*
 * The rules of the chip that are easy to get wrong, one small function each. The tests build the model with wrong ones
 * in their place (tests/golden/wrong) and demand that the recorded traces tell.
 *
 * Potentials, weights and leaks are held times 16: 12 bits in the upper part of 16, so that 16-bit saturation is the
 * chip's own.
 */
#ifndef TINYODIN_RULES_H
#define TINYODIN_RULES_H

#include "sim/tinyodin.h"

#define TINYODIN_SCALE 16
#define TINYODIN_V_MAX (2047 * TINYODIN_SCALE)
#define TINYODIN_V_MIN (-2048 * TINYODIN_SCALE)

/* 4-bit two's complement, times 16. */
static inline int rule_weight(unsigned nibble)
{
	return ((int)((nibble & 0xFu) ^ 8u) - 8) * TINYODIN_SCALE;
}

/* Section 10: a neuron fires when its potential is above this; thresholds are unsigned, from 0x800 on never met. */
static inline int rule_fires_above(uint32_t neuron_word)
{
	int threshold = (int)(neuron_word >> 12 & 0xFFFu);

	return threshold < 0x800 ? threshold * TINYODIN_SCALE - 1 : INT16_MAX;
}

static inline int rule_saturate(int v)
{
	v = v > TINYODIN_V_MAX ? TINYODIN_V_MAX : v;
	return v < TINYODIN_V_MIN ? TINYODIN_V_MIN : v;
}

/* One step toward zero that does not cross it. */
static inline int rule_leak(int v, int leak)
{
	int step = v > leak ? leak : v;

	return v - (step < -leak ? -leak : step);
}

/* Potential after an update that came to t: reset to zero, also in a disabled neuron. */
static inline int rule_settle(int t, int fires_above)
{
	return t > fires_above ? 0 : t;
}

/* Section 8. The entry being processed is one of `entries`. */
static inline bool rule_has_room(unsigned entries)
{
	return entries < TINYODIN_QUEUE_DEPTH;
}

/* Section 9: a full queue is served before AERIN, so external events are never dropped. */
static inline bool rule_head_before_input(unsigned entries)
{
	return !rule_has_room(entries);
}

/* Spikes of neurons go to the queue. */
static inline bool rule_queues_spikes(bool open_loop)
{
	return !open_loop;
}

/* Section 2: so does a byte written to a neuron that is at its threshold. */
static inline bool rule_write_queues(bool open_loop)
{
	return !open_loop;
}

/* Section 2: only a gated chip lets SPI reach its memories. */
static inline bool rule_memories_answer(bool gate)
{
	return gate;
}

/* Section 8: queue entry {virt[3:0], addr[7:0]} of a virtual event {w[3:0], n[3:0]}; w = 0 makes it a neuron event. */
static inline unsigned rule_virtual_entry(unsigned address)
{
	return (address & 0xF0u) << 4 | (address & 0xFu);
}

/* Section 6: MAX_NEUR limits neither virtual events nor leaks of one neuron. */
static inline bool rule_virtual_reaches(unsigned neuron, unsigned max_neuron)
{
	(void)max_neuron;
	return neuron < TINYODIN_NEURONS;
}

static inline bool rule_leak_one_reaches(unsigned neuron, unsigned max_neuron)
{
	(void)max_neuron;
	return neuron < TINYODIN_NEURONS;
}

/* Section 6: leak events with 0xFF are for all neurons. */
static inline bool rule_leaks_all(unsigned address)
{
	return (address & 0xFFu) == 0xFFu;
}

/* Section 2: a mask bit of 1 keeps the old bit. */
static inline unsigned rule_merge(unsigned old, unsigned byte, unsigned mask)
{
	return (byte & ~mask) | (old & mask);
}

/* Byte lanes of neuron (section 2: 4 and above are nowhere) and synapse words in the SPI address. */
static inline unsigned rule_neuron_lane(unsigned address)
{
	return address >> 8 & 0xFFu;
}

static inline unsigned rule_synapse_lane(unsigned address)
{
	return address >> 13 & 3u;
}

/* Section 5: bit offset of a neuron's weight in its synapse word. */
static inline unsigned rule_weight_shift(unsigned neuron)
{
	return 4 * (neuron & 7u);
}

#endif
