/* SPDX-License-Identifier: MIT */
/* The SPI side of the tinyODIN model: frames, configuration registers and memories (datasheet sections 2 to 5). */
#include "sim/tinyodin_core.h"
#include "sim/tinyodin_rules.h"

#define FRAME_READ (1u << 19)
#define FRAME_WRITE (1u << 18)

enum frame_op { OP_REGISTER, OP_NEURON, OP_SYNAPSE, OP_NONE };

enum config_register { REG_GATE_ACTIVITY, REG_OPEN_LOOP, REG_AER_SRC, REG_MAX_NEUR };

/* ---- memories ---------------------------------------------------------------------------------------------------- */

uint32_t tinyodin_neuron_word(const struct tinyodin *chip, unsigned neuron)
{
	return tinyodin_word_of(&chip->neurons, neuron);
}

void tinyodin_set_neuron_word(struct tinyodin *chip, unsigned neuron, uint32_t word)
{
	struct tinyodin_neurons *neurons = &chip->neurons;
	uint64_t bit = UINT64_C(1) << (neuron % 64);
	int v = (int)((word & 0xFFFu) ^ 0x800u) - 0x800;

	neurons->word[neuron] = word & ~0xFFFu;
	neurons->v[neuron] = (int16_t)(v * TINYODIN_SCALE);
	neurons->fires_above[neuron] = (int16_t)rule_fires_above(word);
	neurons->leak[neuron] = (int16_t)((int)(word >> 24 & 0x7Fu) * TINYODIN_SCALE);
	if (word >> 31)
		neurons->enabled[neuron / 64] &= ~bit;
	else
		neurons->enabled[neuron / 64] |= bit;
}

uint32_t tinyodin_synapse_word(const struct tinyodin *chip, unsigned word)
{
	uint32_t bits = 0;

	for (unsigned n = 0; n < 8; n++) {
		int weight = chip->weight[word >> 5][(word & 31u) << 3 | n];

		bits |= ((uint32_t)(weight / TINYODIN_SCALE) & 0xFu) << rule_weight_shift(n);
	}
	return bits;
}

static void set_synapse_word(struct tinyodin *chip, unsigned word, uint32_t bits)
{
	for (unsigned n = 0; n < 8; n++)
		chip->weight[word >> 5][(word & 31u) << 3 | n] = (int8_t)rule_weight(bits >> rule_weight_shift(n));
}

/* ---- accesses through the SRAM output registers Qn and Qs, which hold the old word of every access --------------- */

static uint32_t byte_of(uint32_t word, unsigned lane)
{
	return lane < 4 ? word >> 8 * lane & 0xFFu : 0;
}

/* Data field: mask in bits 15:8, byte in bits 7:0. */
static uint32_t merged(uint32_t word, unsigned lane, uint32_t data)
{
	uint32_t byte;

	if (lane >= 4)
		return word;
	byte = rule_merge(byte_of(word, lane), data & 0xFFu, data >> 8 & 0xFFu);
	return (word & ~(0xFFu << 8 * lane)) | byte << 8 * lane;
}

static uint32_t qs(const struct tinyodin *chip)
{
	return chip->qs_word == TINYODIN_QS_HELD ? chip->qs : tinyodin_synapse_word(chip, chip->qs_word);
}

/* The update logic sees "no event" on the old word during a write: a neuron at its threshold is queued (section 2). */
static void write_neuron(struct tinyodin *chip, unsigned neuron, unsigned lane, uint32_t data)
{
	chip->qn = tinyodin_neuron_word(chip, neuron);
	if (chip->neurons.v[neuron] > chip->neurons.fires_above[neuron] && tinyodin_enabled(chip, neuron) &&
	    rule_write_queues(chip->open_loop))
		tinyodin_push(chip, neuron, TINYODIN_NO_INPUT);
	tinyodin_set_neuron_word(chip, neuron, merged(chip->qn, lane, data));
}

static void write_synapse(struct tinyodin *chip, unsigned word, unsigned lane, uint32_t data)
{
	chip->qs = tinyodin_synapse_word(chip, word);
	chip->qs_word = TINYODIN_QS_HELD;
	set_synapse_word(chip, word, merged(chip->qs, lane, data));
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static uint32_t neuron_frame(struct tinyodin *chip, uint32_t address, uint32_t data)
{
	unsigned neuron = address & 0xFFu, lane = rule_neuron_lane(address);
	uint32_t reply = 0;

	if (address & FRAME_READ) {
		if (rule_memories_answer(chip->gate))
			chip->qn = tinyodin_neuron_word(chip, neuron);
		reply = byte_of(chip->qn, lane);
	}
	if (address & FRAME_WRITE && rule_memories_answer(chip->gate))
		write_neuron(chip, neuron, lane, data);
	return reply;
}

static uint32_t synapse_frame(struct tinyodin *chip, uint32_t address, uint32_t data)
{
	unsigned word = address & (TINYODIN_SYNAPSE_WORDS - 1), lane = rule_synapse_lane(address);
	uint32_t reply = 0;

	if (address & FRAME_READ) {
		if (rule_memories_answer(chip->gate))
			chip->qs_word = word;
		reply = byte_of(qs(chip), lane);
	}
	if (address & FRAME_WRITE && rule_memories_answer(chip->gate))
		write_synapse(chip, word, lane, data);
	return reply;
}

void tinyodin_set_max_neuron(struct tinyodin *chip, unsigned max_neuron)
{
	chip->max_neuron = max_neuron;
	for (unsigned n = 0; n < TINYODIN_NEURONS; n++)
		chip->neurons.active[n] = n <= max_neuron ? -1 : 0;
}

/* Written whatever R and W say. */
static void register_frame(struct tinyodin *chip, uint32_t address, uint32_t data)
{
	switch (address & 0xFFFFu) {
	case REG_GATE_ACTIVITY:
		chip->gate = data & 1u;
		break;
	case REG_OPEN_LOOP:
		chip->open_loop = data & 1u;
		break;
	case REG_AER_SRC:
		chip->source = data & 1u;
		break;
	case REG_MAX_NEUR:
		tinyodin_set_max_neuron(chip, data & 0xFFu);
		break;
	default:
		break;
	}
}

static uint32_t clock_frame(struct tinyodin *chip, uint64_t frame)
{
	uint32_t address = (uint32_t)(frame >> 20) & 0xFFFFFu, data = (uint32_t)frame & 0xFFFFFu;

	tinyodin_run_waiting(chip);
	switch ((enum frame_op)(address >> 16 & 3u)) {
	case OP_REGISTER:
		register_frame(chip, address, data);
		return 0;
	case OP_NEURON:
		return neuron_frame(chip, address, data);
	case OP_SYNAPSE:
		return synapse_frame(chip, address, data);
	case OP_NONE:
		break;
	}
	return 0;
}

void tinyodin_spi(struct tinyodin *chip, const uint64_t *frames, size_t count, uint32_t *replies)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t reply = clock_frame(chip, frames[i]);

		if (replies)
			replies[i] = reply;
	}
	chip->counters.spi_frames += count;
}
