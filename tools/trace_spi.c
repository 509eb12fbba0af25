/* SPDX-License-Identifier: MIT */
/*
 * Turns the SPI frames of a trace into a memory image. Source: tinyODIN datasheet, sections 2 (frame), 3 (registers),
 * 4 (neuron words), 5 (synapse words), 6 (input events). A frame is a 20-bit address field {R, W, op[1:0], addr[15:0]}
 * and a 20-bit data field {-, mask[7:0], byte[7:0]}; a mask bit of 1 keeps the old bit.
 */
#include "trace.h"

enum { OP_CONFIG = 0, OP_NEURON = 1, OP_SYNAPSE = 2 };

uint32_t trace_chip_word(const struct trace_chip *chip, unsigned neuron)
{
	const uint8_t *lanes = chip->neurons[neuron];

	return (uint32_t)lanes[3] << 24 | (uint32_t)lanes[2] << 16 | (uint32_t)lanes[1] << 8 | lanes[0];
}

struct nmhal_neuron trace_neuron(uint32_t word)
{
	int32_t potential = (int32_t)(word & 0xfff);

	return (struct nmhal_neuron){
		.potential = potential >= 0x800 ? potential - 0x1000 : potential,
		.threshold = (int32_t)(word >> 12 & 0xfff),
		.leak = (int32_t)(word >> 24 & 0x7f),
		.enabled = (word >> 31) ^ 1,
	};
}

uint32_t trace_neuron_word(const struct nmhal_neuron *neuron)
{
	return (neuron->enabled ? 0 : UINT32_C(1) << 31) | ((uint32_t)neuron->leak & 0x7f) << 24
		| ((uint32_t)neuron->threshold & 0xfff) << 12 | ((uint32_t)neuron->potential & 0xfff);
}

static uint8_t merged(uint8_t old, uint32_t data)
{
	uint32_t mask = data >> 8 & 0xff;

	return (uint8_t)((data & 0xff & ~mask) | (old & mask));
}

static void write_register(struct trace_chip *chip, uint32_t address, uint32_t data)
{
	uint8_t *const registers[] = {&chip->gate, &chip->open_loop, &chip->output_source, &chip->max_neuron};

	if (address >= 4)
		return;
	*registers[address] = (uint8_t)(address == 3 ? data & 0xff : data & 1);
	chip->written |= 1u << address;
}

static int write_neuron(struct trace_chip *chip, uint32_t address, uint32_t data, char *why, size_t size)
{
	struct nmhal_neuron old = trace_neuron(trace_chip_word(chip, address & 0xff));

	/* Section 2: a write evaluates the old word, and in closed loop a neuron at its threshold is queued. */
	if (!chip->open_loop && old.enabled && old.potential >= 0 && old.potential >= old.threshold) {
		snprintf(why, size,
			"neuron %u is written in closed loop while at its threshold: the event this queues cannot"
			" be sent through the library",
			address & 0xff);
		return NMHAL_E_UNSUPPORTED;
	}
	if (address >> 8 < 4) {
		uint8_t *lane = &chip->neurons[address & 0xff][address >> 8];
		*lane = merged(*lane, data);
	}
	return NMHAL_OK;
}

int trace_frame(struct trace_chip *chip, uint64_t frame, char *why, size_t size)
{
	uint32_t command = (uint32_t)(frame >> 20), data = (uint32_t)(frame & 0xfffff), address = command & 0xffff;
	uint32_t op = command >> 16 & 3;
	bool write = (command >> 18 & 1) != 0;

	if (op == OP_CONFIG) {
		write_register(chip, address, data);
		return NMHAL_OK;
	}
	/* Reads change nothing, op 11 does nothing, and memories are only reached while gated. */
	if (!write || !chip->gate)
		return NMHAL_OK;
	if (op == OP_NEURON)
		return write_neuron(chip, address, data, why, size);
	if (op == OP_SYNAPSE) {
		uint8_t *byte = &chip->synapses[(address & 0x1fff) * 4 + (address >> 13 & 3)];
		*byte = merged(*byte, data);
	}
	return NMHAL_OK;
}

const char *trace_unready(const struct trace_chip *chip)
{
	if (chip->written != 0xf)
		return "the SPI list leaves a configuration register unwritten";
	return chip->gate ? "the SPI list leaves the chip gated, so that it takes no events" : NULL;
}

int16_t trace_weight(const struct trace_chip *chip, unsigned row, unsigned col)
{
	int nibble = chip->synapses[row * 128 + (col >> 1)] >> (col & 1 ? 4 : 0) & 0xf;

	return (int16_t)(nibble >= 8 ? nibble - 16 : nibble);
}

struct nmhal_event trace_event(uint32_t address, uint64_t step)
{
	struct nmhal_event event = {.step = step, .address = address & 0xff};
	int value = (int)(address >> 4 & 0xf);

	if (address & 0x100) {
		event.kind = event.address == 0xff ? NMHAL_EVENT_LEAK_ALL : NMHAL_EVENT_LEAK_ONE;
		event.address = event.address == 0xff ? 0 : event.address;
	} else if (address & 0x200) {
		event.kind = NMHAL_EVENT_VIRTUAL;
		event.address = address & 0xf;
		event.value = (int8_t)(value >= 8 ? value - 16 : value);
	}
	return event;
}
