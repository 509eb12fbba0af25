/* SPDX-License-Identifier: MIT */
/* The SPI slave of the tinyODIN pin model: everything on the edges of SCK (datasheet section 2). */
#include "sim/tinyodin_pins_core.h"
#include "sim/tinyodin_rules.h"

#define FIELD_READ (1u << 19)
#define FIELD_WRITE (1u << 18)
#define SHIFT_BITS 0xFFFFFu

enum { FALL_ADDRESS = 19, FALL_CAPTURE = 31, FALL_LAST = 39 };

enum { REG_GATE_ACTIVITY, REG_OPEN_LOOP, REG_AER_SRC, REG_MAX_NEUR };

/* Section 1: all but the MOSI shift register and the configuration registers. */
void tinyodin_pins_spi_reset(struct tinyodin_pins *chip)
{
	struct spi *spi = &chip->spi;

	spi->miso = spi->field = 0;
	spi->falls = spi->op = 0;
	spi->address = spi->data = 0;
	spi->read = spi->write = false;
	chip->settled = false;
}

static void write_register(struct spi *spi, unsigned address, unsigned value)
{
	switch (address) {
	case REG_GATE_ACTIVITY:
		spi->gate = value & 1u;
		break;
	case REG_OPEN_LOOP:
		spi->open_loop = value & 1u;
		break;
	case REG_AER_SRC:
		spi->source = value & 1u;
		break;
	case REG_MAX_NEUR:
		spi->max_neuron = (uint8_t)value;
		break;
	default:
		break;
	}
}

void tinyodin_pins_sck_rise(struct tinyodin_pins *chip)
{
	struct spi *spi = &chip->spi;

	spi->shift = (spi->shift << 1 | chip->in.mosi) & SHIFT_BITS;
	if (spi->falls == FALL_LAST && (spi->field >> 16 & 3u) == OP_REGISTER) {
		write_register(spi, spi->field & 0xFFFFu, spi->shift);
		chip->settled = false;
	}
}

static void latch_address(struct spi *spi)
{
	spi->field = spi->shift;
	if (!(spi->field & (FIELD_READ | FIELD_WRITE)))
		return;
	spi->address = (uint16_t)spi->field;
	spi->op = spi->field >> 16 & 3u;
	spi->data = 0;
	spi->read = spi->field & FIELD_READ && spi->op != OP_REGISTER;
}

static void capture(struct tinyodin_pins *chip)
{
	struct spi *spi = &chip->spi;
	unsigned lane = rule_neuron_lane(spi->address);

	if (spi->op == OP_NEURON)
		spi->miso = lane < 4 ? (chip->core.qn >> 8 * lane & 0xFFu) << 12 : 0;
	else if (spi->op == OP_SYNAPSE)
		spi->miso = (chip->core.qs >> 8 * rule_synapse_lane(spi->address) & 0xFFu) << 12;
	spi->read = false;
	spi->data = 0;
}

void tinyodin_pins_sck_fall(struct tinyodin_pins *chip)
{
	struct spi *spi = &chip->spi;

	spi->miso = spi->miso << 1 & SHIFT_BITS;
	if (spi->write)
		chip->settled = false;
	spi->write = false;
	if (spi->falls == FALL_ADDRESS) {
		latch_address(spi);
		chip->settled = false;
	} else if (spi->falls == FALL_CAPTURE && spi->field & FIELD_READ) {
		capture(chip);
		chip->settled = false;
	} else if (spi->falls == FALL_LAST && spi->field & FIELD_WRITE) {
		spi->write = spi->op != OP_REGISTER;
		spi->data = (uint16_t)spi->shift;
		chip->settled = false;
	}
	spi->falls = spi->falls == FALL_LAST ? 0 : (uint8_t)(spi->falls + 1);
}
