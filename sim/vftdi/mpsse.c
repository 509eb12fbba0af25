/* SPDX-License-Identifier: MIT */
/* The MPSSE of a channel: commands of FTDI's application note AN_108, one tick a command byte, shifts without gaps. */
#include <string.h>

#include "sim/vftdi/inside.h"

/* Bits of a shift command. */
#define SHIFT_WRITE_FALLING 0x01u
#define SHIFT_BITS          0x02u
#define SHIFT_READ_FALLING  0x04u
#define SHIFT_LSB_FIRST     0x08u
#define SHIFT_WRITE         0x10u
#define SHIFT_READ          0x20u
#define SHIFT_TMS           0x40u
#define SHIFT_TMS_FIXED     0x4Au /* what all TMS commands have set, of bits 0xDA */

enum {
	SET_LOW = 0x80, GET_LOW, SET_HIGH, GET_HIGH, LOOPBACK_ON, LOOPBACK_OFF, SET_DIVISOR, SEND_IMMEDIATE, WAIT_HIGH,
	WAIT_LOW, BY_5_OFF, BY_5_ON, THREE_PHASE_ON, THREE_PHASE_OFF, CLOCK_BITS, CLOCK_BYTES,
	CLOCK_UNTIL_HIGH = 0x94, CLOCK_UNTIL_LOW, ADAPTIVE_ON, ADAPTIVE_OFF,
	CLOCK_BYTES_UNTIL_HIGH = 0x9C, CLOCK_BYTES_UNTIL_LOW
};

#define BAD_COMMAND 0xFAu
#define NO_COMMAND  UINT32_MAX
#define FOR_EVER    UINT32_MAX

/* Steps and edges of one call: some milliseconds. An engine that would go on for ever goes on in the next call. */
#define EFFORT_MOST 200000u
/* Between two looks at whether the chip has come to rest. */
#define WAIT_TICKS 32u

void vftdi_engine_reset(struct vftdi *dev, unsigned channel, bool mpsse)
{
	struct channel *c = &dev->channel[channel];

	c->mpsse = mpsse;
	c->doing = DOING_COMMAND;
	c->by_5 = true;
	c->three_phase = c->adaptive = c->loopback = false;
	c->divisor = 0;
	c->idle = 0;
	memset(c->value, 0, sizeof(c->value));
	memset(c->direction, 0, sizeof(c->direction));
	vftdi_drive(dev);
}

static unsigned low_pins(const struct vftdi *dev, const struct channel *c)
{
	return vftdi_read_pins(dev, c == &dev->channel[1], 0);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static bool writes(const struct channel *c)
{
	return c->op < SET_LOW && c->op & (SHIFT_WRITE | SHIFT_TMS);
}

static bool reads(const struct channel *c)
{
	return c->op < SET_LOW && c->op & SHIFT_READ;
}

/* Bytes after the opcode, or NO_COMMAND. Data of byte shifts come on top. */
static unsigned arguments(uint8_t op)
{
	if (op < SET_LOW) {
		if (op & SHIFT_TMS)
			return (op & 0xDAu) == SHIFT_TMS_FIXED ? 2 : NO_COMMAND;
		if (!(op & (SHIFT_WRITE | SHIFT_READ)))
			return NO_COMMAND;
		return op & SHIFT_BITS && !(op & SHIFT_WRITE) ? 1 : 2;
	}
	switch (op) {
	case SET_LOW:
	case SET_HIGH:
	case SET_DIVISOR:
	case CLOCK_BYTES:
	case CLOCK_BYTES_UNTIL_HIGH:
	case CLOCK_BYTES_UNTIL_LOW:
		return 2;
	case CLOCK_BITS:
		return 1;
	default:
		return op < CLOCK_BITS || (op >= CLOCK_UNTIL_HIGH && op <= ADAPTIVE_OFF) ? 0 : NO_COMMAND;
	}
}

static uint64_t half_period(const struct channel *c)
{
	return (c->divisor + UINT64_C(1)) * (c->by_5 ? 5 : 1);
}

/* True when GPIOL1 ends a clock command. */
static bool pin_ends(const struct vftdi *dev, const struct channel *c)
{
	bool looks = c->op == CLOCK_UNTIL_HIGH || c->op == CLOCK_UNTIL_LOW || c->op == CLOCK_BYTES_UNTIL_HIGH ||
		     c->op == CLOCK_BYTES_UNTIL_LOW;

	return looks && !!(low_pins(dev, c) & PIN_GPIOL1) == c->wanted;
}

static void begin_clocks(struct vftdi *dev, struct channel *c, uint32_t clocks, bool wanted)
{
	c->left = clocks;
	c->wanted = wanted;
	c->doing = pin_ends(dev, c) ? DOING_COMMAND : DOING_LEAD;
	c->at += half_period(c);
}

static void begin_wait(struct channel *c, bool wanted)
{
	c->wanted = wanted;
	c->doing = DOING_WAIT;
}

static void set_pins(struct vftdi *dev, struct channel *c, unsigned byte, uint8_t value, uint8_t direction)
{
	c->value[byte] = value;
	c->direction[byte] = direction;
	if (byte == 0)
		c->idle = value & PIN_SK;
	vftdi_drive(dev);
}

static void begin_byte(struct vftdi *dev, struct channel *c, uint8_t data, uint8_t bits);

static void begin_shift(struct vftdi *dev, struct channel *c, uint8_t first, uint8_t second)
{
	if (c->op & SHIFT_BITS) {
		c->left = 1;
		begin_byte(dev, c, second, (first & 7u) + 1);
	} else {
		c->left = (first | (uint32_t)second << 8) + 1;
		c->doing = DOING_BYTE;
	}
}

static void set_mode(struct vftdi *dev, struct channel *c)
{
	switch (c->op) {
	case LOOPBACK_ON:
	case LOOPBACK_OFF:
		c->loopback = c->op == LOOPBACK_ON;
		break;
	case BY_5_OFF:
	case BY_5_ON:
		c->by_5 = c->op == BY_5_ON;
		break;
	case THREE_PHASE_ON:
	case THREE_PHASE_OFF:
		c->three_phase = c->op == THREE_PHASE_ON;
		break;
	case ADAPTIVE_ON:
	case ADAPTIVE_OFF:
		c->adaptive = c->op == ADAPTIVE_ON;
		break;
	case SEND_IMMEDIATE:
		c->flush = c->in.count;
		break;
	default:
		ring_put(&c->in, vftdi_read_pins(dev, c == &dev->channel[1], c->op == GET_HIGH));
	}
}

static void execute(struct vftdi *dev, struct channel *c, uint8_t first, uint8_t second)
{
	uint32_t length = (first | (uint32_t)second << 8) + 1;

	if (c->op < SET_LOW) {
		begin_shift(dev, c, first, second);
		return;
	}
	switch (c->op) {
	case SET_LOW:
	case SET_HIGH:
		set_pins(dev, c, c->op == SET_HIGH, first, second);
		break;
	case SET_DIVISOR:
		c->divisor = (uint16_t)(length - 1);
		break;
	case WAIT_HIGH:
	case WAIT_LOW:
		begin_wait(c, c->op == WAIT_HIGH);
		break;
	case CLOCK_BITS:
		begin_clocks(dev, c, (first & 7u) + 1u, false);
		break;
	case CLOCK_BYTES:
		begin_clocks(dev, c, 8 * length, false);
		break;
	case CLOCK_UNTIL_HIGH:
	case CLOCK_UNTIL_LOW:
		begin_clocks(dev, c, FOR_EVER, c->op == CLOCK_UNTIL_HIGH);
		break;
	case CLOCK_BYTES_UNTIL_HIGH:
	case CLOCK_BYTES_UNTIL_LOW:
		begin_clocks(dev, c, 8 * length, c->op == CLOCK_BYTES_UNTIL_HIGH);
		break;
	default:
		set_mode(dev, c);
	}
}

static void next_command(struct vftdi *dev, struct channel *c)
{
	uint8_t argument[2] = {0};
	unsigned count;

	c->op = ring_get(&c->out);
	count = arguments(c->op);
	c->at++;
	if (count == NO_COMMAND) {
		ring_put(&c->in, BAD_COMMAND);
		ring_put(&c->in, c->op);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		argument[i] = ring_get(&c->out);
	c->at += count;
	execute(dev, c, argument[0], argument[1]);
}

/* ---- shifts ------------------------------------------------------------------------------------------------------ */

static bool leads_with(const struct channel *c, unsigned falling)
{
	return !!falling == !!c->idle;
}

static void put_bit(struct channel *c)
{
	unsigned at = c->op & (SHIFT_LSB_FIRST | SHIFT_TMS) ? c->bit : 7u - c->bit;
	uint8_t pin = c->op & SHIFT_TMS ? PIN_TMS : PIN_DO;

	if (c->op & SHIFT_TMS)
		c->value[0] = (uint8_t)((c->value[0] & ~PIN_DO) | (c->data & 0x80u ? PIN_DO : 0u));
	c->value[0] = (uint8_t)((unsigned)c->data >> at & 1u ? c->value[0] | pin : c->value[0] & ~pin);
}

static void get_bit(const struct vftdi *dev, struct channel *c)
{
	unsigned level = c->loopback ? c->value[0] & PIN_DO : low_pins(dev, c) & PIN_DI, got = c->got;

	if (c->op & (SHIFT_LSB_FIRST | SHIFT_TMS))
		c->got = (uint8_t)(got >> 1 | (level ? 0x80u : 0u));
	else
		c->got = (uint8_t)(got << 1 | (level ? 1u : 0u));
}

/* A bit that changes on the edge back to idle stands before the first edge of its clock. */
static void begin_bit(struct vftdi *dev, struct channel *c)
{
	if (writes(c) && !leads_with(c, c->op & SHIFT_WRITE_FALLING)) {
		put_bit(c);
		vftdi_drive(dev);
	}
	c->doing = DOING_LEAD;
	c->at += half_period(c);
}

static void begin_byte(struct vftdi *dev, struct channel *c, uint8_t data, uint8_t bits)
{
	c->data = data;
	c->bits = bits;
	c->bit = 0;
	c->got = 0;
	begin_bit(dev, c);
}

static void lead(struct vftdi *dev, struct channel *c)
{
	if (reads(c) && leads_with(c, c->op & SHIFT_READ_FALLING))
		get_bit(dev, c);
	c->value[0] = (uint8_t)((c->value[0] & ~PIN_SK) | (c->idle ^ PIN_SK));
	vftdi_drive(dev);
	if (writes(c) && leads_with(c, c->op & SHIFT_WRITE_FALLING)) {
		put_bit(c);
		vftdi_drive(dev);
	}
	c->doing = DOING_TRAIL;
	c->at += half_period(c);
}

static void end_byte(struct channel *c)
{
	if (reads(c))
		ring_put(&c->in, c->got);
	c->doing = --c->left ? DOING_BYTE : DOING_COMMAND;
}

static void trail(struct vftdi *dev, struct channel *c)
{
	if (reads(c) && !leads_with(c, c->op & SHIFT_READ_FALLING))
		get_bit(dev, c);
	c->value[0] = (uint8_t)((c->value[0] & ~PIN_SK) | c->idle);
	vftdi_drive(dev);
	if (c->three_phase)
		c->at += half_period(c);
	if (c->op < SET_LOW) {
		if (++c->bit == c->bits)
			end_byte(c);
		else
			begin_bit(dev, c);
		return;
	}
	if (c->left != FOR_EVER)
		c->left--;
	c->doing = !c->left || pin_ends(dev, c) ? DOING_COMMAND : DOING_LEAD;
	c->at += half_period(c);
}

/* ---- the two engines --------------------------------------------------------------------------------------------- */

static bool has_command(const struct channel *c)
{
	unsigned count = c->out.count ? arguments(ring_peek(&c->out, 0)) : 0;

	/* Room for what a command answers at most besides the bytes of a shift. */
	return c->out.count && (count == NO_COMMAND || c->out.count > count) && ring_room(&c->in) >= 2;
}

/* With adaptive clocking SK moves on when GPIOL3 has followed. */
static bool clock_returned(const struct vftdi *dev, const struct channel *c)
{
	return !c->adaptive || !!(low_pins(dev, c) & PIN_GPIOL3) == !!(c->value[0] & PIN_SK);
}

/* What the engine is about can be done at c->at, or now if that is past. */
static bool is_ready(const struct vftdi *dev, const struct channel *c)
{
	if (!c->mpsse)
		return false;
	switch (c->doing) {
	case DOING_COMMAND:
		return has_command(c);
	case DOING_BYTE:
		return (!writes(c) || c->out.count) && (!reads(c) || ring_room(&c->in));
	case DOING_LEAD:
	case DOING_TRAIL:
		return clock_returned(dev, c);
	case DOING_WAIT:
		return !!(low_pins(dev, c) & PIN_GPIOL1) == c->wanted;
	}
	return false;
}

static bool waits_for_pin(const struct channel *c)
{
	return c->mpsse && c->doing > DOING_BYTE;
}

static void act(struct vftdi *dev, struct channel *c)
{
	switch (c->doing) {
	case DOING_COMMAND:
		next_command(dev, c);
		break;
	case DOING_BYTE:
		begin_byte(dev, c, writes(c) ? ring_get(&c->out) : 0, 8);
		break;
	case DOING_LEAD:
		lead(dev, c);
		break;
	case DOING_TRAIL:
		trail(dev, c);
		break;
	case DOING_WAIT:
		c->doing = DOING_COMMAND;
		break;
	}
}

/* The channel that acts first; *until: when the other one does. */
static struct channel *first_ready(struct vftdi *dev, uint64_t *until)
{
	struct channel *first = NULL;

	*until = UINT64_MAX;

	for (unsigned i = 0; i < VFTDI_CHANNELS; i++) {
		struct channel *c = &dev->channel[i];

		if (!is_ready(dev, c))
			continue;
		if (c->at < dev->now)
			c->at = dev->now;
		if (first)
			*until = c->at < first->at ? first->at : c->at;
		if (!first || c->at < first->at)
			first = c;
	}
	return first;
}

/* Both engines want bytes, room or a pin. Time passes to the end of what they did last, and while a pin may still
 * come. */
static bool wait_for_pin(struct vftdi *dev)
{
	uint64_t at = dev->channel[0].at > dev->channel[1].at ? dev->channel[0].at : dev->channel[1].at;

	if (at <= dev->now) {
		if (vftdi_chip_rests(dev) ||
		    (!waits_for_pin(&dev->channel[0]) && !waits_for_pin(&dev->channel[1])))
			return false;
		at = dev->now + WAIT_TICKS;
	}
	vftdi_advance(dev, at);
	return true;
}

/* The next action is due whatever the pins do. */
static bool in_a_shift(const struct channel *c)
{
	return (c->doing == DOING_LEAD || c->doing == DOING_TRAIL) && !c->adaptive && c->op < SET_LOW;
}

bool vftdi_run(struct vftdi *dev)
{
	for (dev->effort = 0; dev->effort < EFFORT_MOST; dev->effort++) {
		uint64_t until;
		struct channel *c = first_ready(dev, &until);

		if (!c && !wait_for_pin(dev))
			return true;
		if (!c || !vftdi_advance(dev, c->at))
			continue;
		do {
			act(dev, c);
			dev->effort++;
		} while (in_a_shift(c) && c->at < until && vftdi_advance(dev, c->at));
	}
	return false;
}
