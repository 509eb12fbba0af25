/* SPDX-License-Identifier: MIT */
/*
 * Wrong rules, one per build (-DWRONG=name), in the place of sim/tinyodin_rules.h: this folder comes first in the
 * include path of those builds. RULES_ARE_RIGHT must pass; each other must be caught by the recorded traces, but
 * INPUT_DROPPED_AT_FULL: in no trace does an input find the queue full, so test_reference.py must catch it.
 */
#ifndef WRONG_TINYODIN_RULES_H
#define WRONG_TINYODIN_RULES_H

#define rule_weight right_weight
#define rule_fires_above right_fires_above
#define rule_saturate right_saturate
#define rule_leak right_leak
#define rule_settle right_settle
#define rule_has_room right_has_room
#define rule_head_before_input right_head_before_input
#define rule_queues_spikes right_queues_spikes
#define rule_write_queues right_write_queues
#define rule_memories_answer right_memories_answer
#define rule_virtual_entry right_virtual_entry
#define rule_virtual_reaches right_virtual_reaches
#define rule_leak_one_reaches right_leak_one_reaches
#define rule_leaks_all right_leaks_all
#define rule_merge right_merge
#define rule_neuron_lane right_neuron_lane
#define rule_synapse_lane right_synapse_lane
#define rule_weight_shift right_weight_shift
#include "../../../../sim/tinyodin_rules.h"
#undef rule_weight
#undef rule_fires_above
#undef rule_saturate
#undef rule_leak
#undef rule_settle
#undef rule_has_room
#undef rule_head_before_input
#undef rule_queues_spikes
#undef rule_write_queues
#undef rule_memories_answer
#undef rule_virtual_entry
#undef rule_virtual_reaches
#undef rule_leak_one_reaches
#undef rule_leaks_all
#undef rule_merge
#undef rule_neuron_lane
#undef rule_synapse_lane
#undef rule_weight_shift

enum wrong_rule {
	RULES_ARE_RIGHT,
	QUEUE_64,
	QUEUE_127,
	QUEUE_129,
	QUEUE_NEVER_FULL,
	INPUT_DROPPED_AT_FULL,
	STRICT_COMPARE,
	SIGNED_THRESHOLD,
	SATURATION_NONE,
	SATURATION_2046,
	SATURATION_MINUS_2047,
	UNSIGNED_WEIGHT,
	RESET_BY_SUBTRACTION,
	DISABLED_DOES_NOT_RESET,
	LEAK_CROSSES_ZERO,
	LEAK_DOWN_ONLY,
	LEAK_255_IS_ONE,
	LEAK_ONE_LIMITED,
	VIRTUAL_LIMITED,
	VIRTUAL_ZERO_IS_NOTHING,
	VIRTUAL_NIBBLES_SWAPPED,
	OPEN_LOOP_QUEUES,
	CLOSED_LOOP_DOES_NOT_QUEUE,
	WRITE_DOES_NOT_QUEUE,
	OPEN_LOOP_WRITE_QUEUES,
	UNGATED_MEMORIES_ANSWER,
	MASK_INVERTED,
	MASK_IGNORED,
	WEIGHT_NIBBLES_SWAPPED,
	SYNAPSE_LANES_SWAPPED,
	NEURON_LANES_SWAPPED,
	NEURON_LANES_WRAP,
	WRONG_RULES
};

static inline int rule_weight(unsigned nibble)
{
	return WRONG == UNSIGNED_WEIGHT ? (int)(nibble & 7u) * TINYODIN_SCALE : right_weight(nibble);
}

static inline int rule_fires_above(uint32_t neuron_word)
{
	int threshold = (int)(neuron_word >> 12 & 0xFFFu);

	if (WRONG == STRICT_COMPARE && threshold < 0x800)
		return threshold * TINYODIN_SCALE;
	if (WRONG == SIGNED_THRESHOLD && threshold >= 0x800)
		return -1;
	if (WRONG == DISABLED_DOES_NOT_RESET && neuron_word >> 31)
		return INT16_MAX;
	return right_fires_above(neuron_word);
}

static inline int rule_saturate(int v)
{
	if (WRONG == SATURATION_NONE)
		return (int16_t)v;
	if (WRONG == SATURATION_2046 && v > 2046 * TINYODIN_SCALE)
		return 2046 * TINYODIN_SCALE;
	if (WRONG == SATURATION_MINUS_2047 && v < -2047 * TINYODIN_SCALE)
		return -2047 * TINYODIN_SCALE;
	return right_saturate(v);
}

static inline int rule_leak(int v, int leak)
{
	if (WRONG == LEAK_CROSSES_ZERO)
		return v < 0 ? v + leak : v - leak;
	if (WRONG == LEAK_DOWN_ONLY)
		return v < 0 ? v : right_leak(v, leak);
	return right_leak(v, leak);
}

static inline int rule_settle(int t, int fires_above)
{
	if (WRONG == RESET_BY_SUBTRACTION && t > fires_above)
		return t - (fires_above + 1);
	return right_settle(t, fires_above);
}

static inline bool rule_has_room(unsigned entries)
{
	switch (WRONG) {
	case QUEUE_64:
		return entries < 64;
	case QUEUE_127:
		return entries < 127;
	case QUEUE_129:
		return entries < 129;
	case QUEUE_NEVER_FULL:
		return entries < 255;
	default:
		return right_has_room(entries);
	}
}

static inline bool rule_head_before_input(unsigned entries)
{
	return WRONG != INPUT_DROPPED_AT_FULL && !rule_has_room(entries);
}

static inline bool rule_queues_spikes(bool open_loop)
{
	return WRONG == OPEN_LOOP_QUEUES || (WRONG != CLOSED_LOOP_DOES_NOT_QUEUE && right_queues_spikes(open_loop));
}

static inline bool rule_write_queues(bool open_loop)
{
	return WRONG == OPEN_LOOP_WRITE_QUEUES || (WRONG != WRITE_DOES_NOT_QUEUE && right_write_queues(open_loop));
}

static inline bool rule_memories_answer(bool gate)
{
	return WRONG == UNGATED_MEMORIES_ANSWER || right_memories_answer(gate);
}

/* 0x1000: a virtual event that adds 0. */
static inline unsigned rule_virtual_entry(unsigned address)
{
	if (WRONG == VIRTUAL_ZERO_IS_NOTHING && !(address & 0xF0u))
		return 0x1000u | (address & 0xFu);
	if (WRONG == VIRTUAL_NIBBLES_SWAPPED)
		return (address & 0xFu) << 8 | (address >> 4 & 0xFu);
	return right_virtual_entry(address);
}

static inline bool rule_virtual_reaches(unsigned neuron, unsigned max_neuron)
{
	return WRONG == VIRTUAL_LIMITED ? neuron <= max_neuron : right_virtual_reaches(neuron, max_neuron);
}

static inline bool rule_leak_one_reaches(unsigned neuron, unsigned max_neuron)
{
	return WRONG == LEAK_ONE_LIMITED ? neuron <= max_neuron : right_leak_one_reaches(neuron, max_neuron);
}

static inline bool rule_leaks_all(unsigned address)
{
	return WRONG != LEAK_255_IS_ONE && right_leaks_all(address);
}

static inline unsigned rule_merge(unsigned old, unsigned byte, unsigned mask)
{
	return right_merge(old, byte, WRONG == MASK_INVERTED ? ~mask & 0xFFu : WRONG == MASK_IGNORED ? 0 : mask);
}

static inline unsigned rule_neuron_lane(unsigned address)
{
	unsigned lane = right_neuron_lane(address);

	if (WRONG == NEURON_LANES_WRAP)
		return lane & 3u;
	return WRONG == NEURON_LANES_SWAPPED && lane < 4 ? 3 - lane : lane;
}

static inline unsigned rule_synapse_lane(unsigned address)
{
	unsigned lane = right_synapse_lane(address);

	return WRONG == SYNAPSE_LANES_SWAPPED ? 3 - lane : lane;
}

static inline unsigned rule_weight_shift(unsigned neuron)
{
	return right_weight_shift(WRONG == WEIGHT_NIBBLES_SWAPPED ? neuron ^ 1u : neuron);
}

#endif
