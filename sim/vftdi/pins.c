/* SPDX-License-Identifier: MIT */
/* The wires between the two engines and the tinyODIN (datasheet section 16), and the time on them. */
#include "sim/vftdi/inside.h"

/* Edges computed between two looks at whether the chip has come to rest. */
#define EDGES_AT_ONCE 1024u
/* Keeps products with clk_hz below 2^64. */
#define TICKS_AT_ONCE (UINT64_C(1) << 30)

enum { A, B, LOW = 0, HIGH = 1 };

/* Channel A, low byte. */
#define A_RST       0x08u
#define A_AERIN_REQ 0x10u
#define A_AERIN_ACK 0x20u
#define A_ADDR_8    6u /* shift of AERIN_ADDR[9:8] */
/* Channel B, low byte; AEROUT_ADDR is the high one. */
#define B_SCHED_FULL 0x08u
#define B_AEROUT_ACK 0x10u
#define B_AEROUT_REQ 0x20u

/* What the board feeds into the pins that the FT2232H does not drive; the others have pull-downs. */
static uint8_t inputs(const struct vftdi *dev, unsigned channel, unsigned byte)
{
	struct tinyodin_pins_out out = tinyodin_pins_get(dev->chip);

	if (dev->params.ft232h)
		return 0;
	if (channel == A)
		return byte == HIGH ? 0 : (uint8_t)((out.miso ? PIN_DI : 0u) | (out.aerin_ack ? A_AERIN_ACK : 0u));
	if (byte == HIGH)
		return out.aerout_addr;
	return (uint8_t)((out.sched_full ? B_SCHED_FULL : 0u) | (out.aerout_req ? B_AEROUT_REQ : 0u));
}

uint8_t vftdi_read_pins(const struct vftdi *dev, unsigned channel, unsigned byte)
{
	const struct channel *c = &dev->channel[channel];
	uint8_t driven = c->direction[byte];

	return (uint8_t)((c->value[byte] & driven) | (inputs(dev, channel, byte) & ~driven));
}

static uint8_t driven_high(const struct vftdi *dev, unsigned channel, unsigned byte)
{
	return dev->channel[channel].value[byte] & dev->channel[channel].direction[byte];
}

/* RST and SCK do not reach the chip at once (tinyodin_pins_set()). */
void vftdi_drive(struct vftdi *dev)
{
	uint8_t a = driven_high(dev, A, LOW), b = driven_high(dev, B, LOW);
	struct tinyodin_pins_in *levels = &dev->levels;
	bool sck = a & PIN_SK, rises = sck && !levels->sck;

	if (dev->params.ft232h)
		return;
	if (levels->rst != !!(a & A_RST)) {
		levels->rst = a & A_RST;
		tinyodin_pins_set(dev->chip, levels);
	}
	levels->mosi = a & PIN_DO;
	levels->sck = sck;
	levels->aerin_req = a & A_AERIN_REQ;
	levels->aerin_addr = (uint16_t)((unsigned)(a >> A_ADDR_8) << 8 | driven_high(dev, A, HIGH));
	levels->aerout_ack = b & B_AEROUT_ACK;
	tinyodin_pins_set(dev->chip, levels);
	dev->counters.sck += rises;
}

/* An output moved. A handshake is complete when the chip withdraws because the other side did. */
static bool note_change(struct vftdi *dev, const struct tinyodin_pins_out *was)
{
	struct tinyodin_pins_out is = tinyodin_pins_get(dev->chip);

	dev->counters.events_in += was->aerin_ack && !is.aerin_ack && !dev->levels.aerin_req && !dev->levels.rst;
	dev->counters.events_out += was->aerout_req && !is.aerout_req && dev->levels.aerout_ack;
	return is.aerin_ack != was->aerin_ack || is.aerout_req != was->aerout_req ||
	       is.aerout_addr != was->aerout_addr || is.sched_full != was->sched_full;
}

bool vftdi_chip_rests(const struct vftdi *dev)
{
	return dev->clock_stopped || dev->params.ft232h || tinyodin_pins_state(dev->chip).settled;
}

/* Rising edges of CLK, up to one that changes an output; the number made. */
static uint64_t clock_chip(struct vftdi *dev, uint64_t edges, bool *changed)
{
	uint64_t made = 0;

	*changed = false;
	while (made < edges && !*changed && !vftdi_chip_rests(dev)) {
		uint64_t most = edges - made < EDGES_AT_ONCE ? edges - made : EDGES_AT_ONCE;
		struct tinyodin_pins_out was = tinyodin_pins_get(dev->chip);
		uint64_t cycles = tinyodin_pins_clock(dev->chip, most);

		made += cycles;
		dev->effort += cycles;
		*changed = note_change(dev, &was);
	}
	if (*changed || dev->clock_stopped)
		return *changed ? made : edges;
	return made + tinyodin_pins_clock(dev->chip, edges - made);
}

/* Time until `edges` more edges are made. */
static uint64_t ticks_of(const struct vftdi *dev, uint64_t edges)
{
	uint64_t due = edges * VFTDI_TICK_HZ;

	return due <= dev->phase ? 0 : (due - dev->phase + dev->params.clk_hz - 1) / dev->params.clk_hz;
}

bool vftdi_advance(struct vftdi *dev, uint64_t tick)
{
	while (dev->now < tick || dev->phase >= VFTDI_TICK_HZ) {
		uint64_t ticks = tick - dev->now < TICKS_AT_ONCE ? tick - dev->now : TICKS_AT_ONCE, passed = ticks;
		uint64_t edges = (dev->phase + ticks * dev->params.clk_hz) / VFTDI_TICK_HZ;
		bool changed;
		uint64_t made = clock_chip(dev, edges, &changed);

		if (changed)
			passed = ticks_of(dev, made);
		dev->now += passed;
		dev->phase += passed * dev->params.clk_hz - made * VFTDI_TICK_HZ;
		if (changed)
			return dev->now == tick && dev->phase < VFTDI_TICK_HZ;
	}
	return true;
}
