/* SPDX-License-Identifier: MIT */
/*
 * The words of the tinyODIN chip, once: 40-bit SPI frames (datasheet sections 2 to 5) and 10-bit input events
 * (section 6). A frame is a number, its lowest 40 bits go out MSB first: address field in bits 39:20, data field in
 * bits 19:0.
 */
#ifndef ODIN_WIRE_H
#define ODIN_WIRE_H

#include <stdint.h>

#include <nmhal/nmhal.h>

#define ODIN_NEURONS         256u
#define ODIN_LANES           4u                  /* bytes of a neuron word */
#define ODIN_ROW_BYTES       (ODIN_NEURONS / 2u) /* two 4-bit weights a byte */
#define ODIN_VIRTUAL_MAX     15u                 /* a virtual event carries 4 address bits */
#define ODIN_LEAK_ONE_MAX    254u                /* address 255 means all */

/* Address field: a[19] R, a[18] W, a[17:16] op, a[15:0] addr. */
#define ODIN_READ            (UINT64_C(1) << 39)
#define ODIN_WRITE           (UINT64_C(1) << 38)
#define ODIN_OP_NEURON       (UINT64_C(1) << 36)
#define ODIN_OP_SYNAPSE      (UINT64_C(2) << 36)
#define ODIN_NO_OP           (UINT64_C(3) << 36) /* a whole frame: R = W = 0, no memory */

/* Mask bits are the ones the chip keeps. */
#define ODIN_KEEP_NONE       0x00u
#define ODIN_KEEP_LOW        0x0Fu
#define ODIN_KEEP_HIGH       0xF0u

/* Configuration registers (section 3): write-only, undefined after power-up. */
enum odin_register {
	ODIN_GATE,      /* GATE_ACTIVITY: 1: no events, memories reachable */
	ODIN_OPEN_LOOP, /* 1: spikes do not go back into the queue */
	ODIN_AER_SRC,   /* 0: output as a neuron fires; 1: output as a queue entry was processed */
	ODIN_MAX_NEUR,  /* last neuron that spike and leak-all events reach */
	ODIN_REGISTERS
};

/* Op 00; R = W = 0, so that the memory port keeps its latches. Takes effect with the last bit. */
static inline uint64_t odin_config_frame(enum odin_register reg, unsigned value)
{
	return (uint64_t)reg << 20 | value;
}

/* Data field of a write: d[15:8] mask, d[7:0] byte. Executed after the frame; done only when the next one begins. */
static inline uint64_t odin_data(unsigned keep, unsigned byte)
{
	return (uint64_t)keep << 8 | byte;
}

/* Neuron memory: addr[7:0] neuron, addr[15:8] lane. */
static inline uint64_t odin_neuron_address(unsigned neuron, unsigned lane)
{
	return ODIN_OP_NEURON | (uint64_t)(lane << 8 | neuron) << 20;
}

static inline uint64_t odin_neuron_write(unsigned neuron, unsigned lane, unsigned keep, unsigned byte)
{
	return ODIN_WRITE | odin_neuron_address(neuron, lane) | odin_data(keep, byte);
}

static inline uint64_t odin_neuron_read(unsigned neuron, unsigned lane)
{
	return ODIN_READ | odin_neuron_address(neuron, lane);
}

/*
 * Synapse memory: word = row << 5 | column >> 3, byte lane = column >> 1 & 3, even columns in the low nibble. A pair
 * is a byte of the row: columns 2 * pair and 2 * pair + 1. addr[12:0] word, addr[14:13] lane.
 */
static inline uint64_t odin_synapse_address(unsigned row, unsigned pair)
{
	return ODIN_OP_SYNAPSE | (uint64_t)((pair & 3u) << 13 | row << 5 | pair >> 2) << 20;
}

static inline uint64_t odin_synapse_write(unsigned row, unsigned pair, unsigned keep, unsigned byte)
{
	return ODIN_WRITE | odin_synapse_address(row, pair) | odin_data(keep, byte);
}

static inline uint64_t odin_synapse_read(unsigned row, unsigned pair)
{
	return ODIN_READ | odin_synapse_address(row, pair);
}

/* The byte of two weights, each -8..7. */
static inline unsigned odin_weight_pair(int even, int odd)
{
	return ((unsigned)odd & 0xFu) << 4 | ((unsigned)even & 0xFu);
}

/* The weight in the low 4 bits. */
static inline int16_t odin_weight(unsigned nibble)
{
	return (int16_t)((int)((nibble & 0xFu) ^ 8u) - 8);
}

/* Neuron word (section 4): v[11:0] signed, thr[23:12] unsigned, leak[30:24], dis[31]. */
static inline uint32_t odin_neuron_word(const struct nmhal_neuron *neuron)
{
	return ((uint32_t)neuron->potential & 0xFFFu) | (uint32_t)neuron->threshold << 12 |
		(uint32_t)neuron->leak << 24 | (neuron->enabled ? 0u : UINT32_C(1) << 31);
}

static inline struct nmhal_neuron odin_neuron(uint32_t word)
{
	return (struct nmhal_neuron){
		.potential = (int32_t)((word & 0xFFFu) ^ 0x800u) - 0x800,
		.threshold = (int32_t)(word >> 12 & 0xFFFu),
		.leak = (int32_t)(word >> 24 & 0x7Fu),
		.enabled = word >> 31 ? 0 : 1,
	};
}

/* Input events: AERIN_ADDR[9:0]; bit 8 is decoded before bit 9. */
#define ODIN_EVENT_LEAK_ALL  0x1FFu
#define ODIN_EVENT_LEAK_ONE  0x100u
#define ODIN_EVENT_VIRTUAL   0x200u

static inline uint16_t odin_leak_one(unsigned neuron)
{
	return (uint16_t)(ODIN_EVENT_LEAK_ONE | neuron);
}

static inline uint16_t odin_event_word(const struct nmhal_event *event)
{
	switch (event->kind) {
	case NMHAL_EVENT_LEAK_ALL:
		return ODIN_EVENT_LEAK_ALL;
	case NMHAL_EVENT_LEAK_ONE:
		return odin_leak_one(event->address);
	case NMHAL_EVENT_VIRTUAL:
		return (uint16_t)(ODIN_EVENT_VIRTUAL | ((unsigned)event->value & 0xFu) << 4 | event->address);
	default:
		return (uint16_t)event->address;
	}
}

#endif
