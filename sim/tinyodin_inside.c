/* SPDX-License-Identifier: MIT */
/* Registers and memories of the tinyODIN model without SPI frames. Words: datasheet section 4. */
#include "sim/tinyodin_core.h"
#include "sim/tinyodin_rules.h"

void tinyodin_set_registers(struct tinyodin *chip, const struct tinyodin_registers *registers)
{
	chip->gate = registers->gate;
	chip->open_loop = registers->open_loop;
	chip->source = registers->source;
	tinyodin_set_max_neuron(chip, registers->max_neuron);
}

int tinyodin_weight(const struct tinyodin *chip, unsigned row, unsigned column)
{
	return chip->weight[row][column] / TINYODIN_SCALE;
}

void tinyodin_set_weight(struct tinyodin *chip, unsigned row, unsigned column, int weight)
{
	chip->weight[row][column] = (int8_t)rule_weight((unsigned)weight);
}

void tinyodin_neuron(const struct tinyodin *chip, unsigned index, struct tinyodin_neuron *neuron)
{
	uint32_t word = tinyodin_neuron_word(chip, index);

	*neuron = (struct tinyodin_neuron){
		.potential = (int16_t)((int)((word & 0xFFFu) ^ 0x800u) - 0x800),
		.threshold = (uint16_t)(word >> 12 & 0xFFFu),
		.leak = (uint8_t)(word >> 24 & 0x7Fu),
		.enabled = !(word >> 31),
	};
}

void tinyodin_set_neuron(struct tinyodin *chip, unsigned index, const struct tinyodin_neuron *neuron)
{
	tinyodin_set_neuron_word(chip, index,
		((uint32_t)neuron->potential & 0xFFFu) | (uint32_t)neuron->threshold << 12 |
			(uint32_t)neuron->leak << 24 | (neuron->enabled ? 0u : UINT32_C(1) << 31));
}
