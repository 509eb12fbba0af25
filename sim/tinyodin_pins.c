/* SPDX-License-Identifier: MIT */
/* The core of the tinyODIN pin model: everything on the rising edge of CLK (datasheet sections 3 and 6 to 12). */
#include <stdlib.h>
#include <string.h>

#include "sim/tinyodin_pins_core.h"
#include "sim/tinyodin_rules.h"

#define EVENT_LEAK 0x100u
#define EVENT_VIRTUAL 0x200u
#define NO_SPIKE (-1)

struct tinyodin_pins *tinyodin_pins_new(void)
{
	return calloc(1, sizeof(struct tinyodin_pins));
}

void tinyodin_pins_free(struct tinyodin_pins *chip)
{
	free(chip);
}

const uint32_t *tinyodin_pins_neurons(const struct tinyodin_pins *chip)
{
	return chip->neuron;
}

const uint32_t *tinyodin_pins_synapses(const struct tinyodin_pins *chip)
{
	return chip->synapse;
}

struct tinyodin_pins_out tinyodin_pins_get(const struct tinyodin_pins *chip)
{
	const struct core *core = &chip->core;

	return (struct tinyodin_pins_out){.miso = chip->spi.miso >> 19 & 1u, .aerin_ack = core->fsm == FSM_REQEND,
					  .aerout_req = core->out_req, .aerout_addr = core->out_addr,
					  .sched_full = !rule_has_room(core->entries)};
}

struct tinyodin_pins_state tinyodin_pins_state(const struct tinyodin_pins *chip)
{
	return (struct tinyodin_pins_state){.cycles = chip->cycles, .fsm = chip->core.fsm, .busy = chip->core.busy,
					    .settled = chip->settled,
					    .queued = chip->core.entries, .dropped = chip->dropped};
}

void tinyodin_pins_set(struct tinyodin_pins *chip, const struct tinyodin_pins_in *in)
{
	const struct tinyodin_pins_in was = chip->in;

	if (in->rst != was.rst || in->aerin_req != was.aerin_req || in->aerout_ack != was.aerout_ack ||
	    in->aerin_addr != was.aerin_addr)
		chip->settled = false;
	if (in->rst)
		tinyodin_pins_spi_reset(chip);
	if (in->sck && !was.sck)
		tinyodin_pins_sck_rise(chip);
	chip->in = *in;
	if (!in->sck && was.sck && !in->rst)
		tinyodin_pins_sck_fall(chip);
}

/* ---- queue and memories ------------------------------------------------------------------------------------------ */

static unsigned queue_head(const struct tinyodin_pins *chip)
{
	return chip->queue[chip->core.head];
}

static void push(struct tinyodin_pins *chip, unsigned entry)
{
	struct core *core = &chip->core;

	if (!rule_has_room(core->entries)) {
		chip->dropped++;
		return;
	}
	chip->queue[(core->head + core->entries) % TINYODIN_PINS_QUEUE] = (uint16_t)entry;
	core->entries++;
}

/* After the push of the same edge, if there is one: a push is tried before the pop made room (section 8). */
static void pop(struct tinyodin_pins *chip)
{
	chip->core.head = (uint8_t)((chip->core.head + 1) % TINYODIN_PINS_QUEUE);
	chip->core.entries--;
}

/* A byte lane of a word overwritten from SPI; lanes above 3 are nowhere. */
static uint32_t merge(const struct spi *spi, uint32_t word, unsigned lane)
{
	unsigned shift = 8 * lane, byte;

	if (lane >= 4)
		return word;
	byte = rule_merge(word >> shift & 0xFFu, spi->data & 0xFFu, spi->data >> 8);
	return (word & ~(0xFFu << shift)) | byte << shift;
}

static void synapse_access(struct tinyodin_pins *chip, unsigned address, bool write)
{
	uint32_t merged = merge(&chip->spi, chip->core.qs, rule_synapse_lane(chip->spi.address));

	chip->core.qs = chip->synapse[address];
	if (write)
		chip->synapse[address] = merged;
	chip->settled = chip->settled && !write;
}

/* Section 10; times 16 as in tinyodin_rules.h. */
static int updated(uint32_t word, enum kind kind, unsigned nibble)
{
	int v = ((int)((word & 0xFFFu) ^ 0x800u) - 0x800) * TINYODIN_SCALE;

	if (kind == KIND_LEAK)
		return rule_leak(v, (int)(word >> 24 & 0x7Fu) * TINYODIN_SCALE);
	return kind == KIND_SYNAPSE ? rule_saturate(v + rule_weight(nibble)) : v;
}

static void neuron_read(struct tinyodin_pins *chip, unsigned neuron)
{
	chip->core.qn = chip->neuron[neuron];
}

/* The write cycle: what was read before goes back updated, or under the gate merged with the byte of the SPI. The
 * neuron if it emits a spike, else NO_SPIKE. */
static int neuron_write(struct tinyodin_pins *chip, unsigned neuron, enum kind kind, unsigned nibble)
{
	struct core *core = &chip->core;
	uint32_t word = core->qn;
	int t = updated(word, kind, nibble), fires_above = rule_fires_above(word);
	bool emits = t > fires_above && !(word >> 31);

	neuron_read(chip, neuron);
	if (core->level2 & LEVEL_GATE)
		word = merge(&chip->spi, word, rule_neuron_lane(chip->spi.address));
	else
		word = (word & ~0xFFFu) | ((unsigned)(rule_settle(t, fires_above) / TINYODIN_SCALE) & 0xFFFu);
	chip->neuron[neuron] = word;
	chip->settled = false;
	if (emits && rule_queues_spikes(core->level2 & LEVEL_OPEN_LOOP))
		push(chip, neuron);
	return emits ? (int)neuron : NO_SPIKE;
}

/* ---- state machine ----------------------------------------------------------------------------------------------- */

static enum fsm process_head(const struct tinyodin_pins *chip)
{
	return queue_head(chip) >> 8 ? FSM_VIRT : FSM_SPIKE;
}

static enum fsm serve_spi(const struct tinyodin_pins *chip)
{
	unsigned level = chip->core.level2;

	if (chip->spi.op == OP_NEURON)
		return level & LEVEL_WRITE ? FSM_W_NEUR : level & LEVEL_READ ? FSM_R_NEUR : FSM_IDLE;
	if (chip->spi.op == OP_SYNAPSE)
		return level & LEVEL_WRITE ? FSM_W_SYN : level & LEVEL_READ ? FSM_R_SYN : FSM_IDLE;
	return FSM_IDLE;
}

/* Section 9. */
static enum fsm leave_idle(const struct tinyodin_pins *chip)
{
	const struct core *core = &chip->core;

	if (core->busy)
		return FSM_IDLE;
	if (core->level2 & LEVEL_GATE)
		return serve_spi(chip);
	if (rule_head_before_input(core->entries))
		return process_head(chip);
	if (core->level2 & LEVEL_REQ)
		return chip->in.aerin_addr & EVENT_LEAK ? FSM_LEAK : FSM_PUSH;
	return core->entries ? process_head(chip) : FSM_IDLE;
}

/* Counters hold while the output port is busy. `neuron`: the next neuron is due. */
static void count(struct core *core, bool neuron)
{
	if (core->busy)
		return;
	core->cnt++;
	core->ncnt = (uint8_t)(core->ncnt + neuron);
}

static int memory_cycle(struct tinyodin_pins *chip)
{
	struct core *core = &chip->core;
	unsigned address = chip->spi.address;
	bool write = core->cnt != 0;
	int spike = NO_SPIKE;

	switch (core->fsm) {
	case FSM_W_NEUR:
		if (write)
			spike = neuron_write(chip, address & 0xFFu, KIND_NONE, 0);
		else
			neuron_read(chip, address & 0xFFu);
		break;
	case FSM_R_NEUR:
		neuron_read(chip, address & 0xFFu);
		break;
	default:
		synapse_access(chip, address % TINYODIN_PINS_SYNAPSES, write && core->fsm == FSM_W_SYN);
	}
	if (core->cnt == 1 || core->fsm == FSM_R_NEUR || core->fsm == FSM_R_SYN)
		core->fsm = FSM_SPIEND;
	count(core, false);
	return spike;
}

static int leak_cycle(struct tinyodin_pins *chip)
{
	struct core *core = &chip->core;
	bool all = rule_leaks_all(chip->in.aerin_addr), write = core->cnt & 1u;
	int spike = NO_SPIKE;
	unsigned neuron = all ? core->ncnt : chip->in.aerin_addr & 0xFFu;

	if (write)
		spike = neuron_write(chip, neuron, KIND_LEAK, 0);
	else
		neuron_read(chip, neuron);
	if (all ? core->ncnt == chip->spi.max_neuron && write : core->cnt == 1)
		core->fsm = FSM_REQEND;
	count(core, all && write);
	return spike;
}

static int spike_cycle(struct tinyodin_pins *chip)
{
	struct core *core = &chip->core;
	bool write = core->cnt & 1u;
	int spike = NO_SPIKE;
	uint32_t weights = core->qs;

	if (core->ncnt % 8 == 0)
		synapse_access(chip, (queue_head(chip) & 0xFFu) << 5 | core->ncnt >> 3, false);
	if (write)
		spike = neuron_write(chip, core->ncnt, KIND_SYNAPSE, weights >> rule_weight_shift(core->ncnt));
	else
		neuron_read(chip, core->ncnt);
	if ((core->cnt & 0x1FFu) == (2u * chip->spi.max_neuron | 1u))
		core->fsm = FSM_POPWAIT;
	count(core, write);
	return spike;
}

static int virtual_cycle(struct tinyodin_pins *chip)
{
	struct core *core = &chip->core;
	unsigned entry = queue_head(chip);
	int spike;

	if (core->cnt == 0) {
		neuron_read(chip, entry & 0xFFu);
		count(core, false);
		return NO_SPIKE;
	}
	spike = neuron_write(chip, entry & 0xFFu, KIND_SYNAPSE, entry >> 8);
	pop(chip);
	core->fsm = FSM_IDLE;
	return spike;
}

static void accept(struct tinyodin_pins *chip)
{
	unsigned address = chip->in.aerin_addr;

	push(chip, address & EVENT_VIRTUAL ? rule_virtual_entry(address) : address & 0xFFu);
	chip->core.fsm = FSM_REQEND;
}

/* One cycle of the table of section 12; counters count only where something looks at them. The neuron that emits, or
 * NO_SPIKE. */
static int fsm_cycle(struct tinyodin_pins *chip)
{
	struct core *core = &chip->core;

	switch ((enum fsm)core->fsm) {
	case FSM_IDLE:
		core->fsm = (uint8_t)leave_idle(chip);
		core->cnt = 0;
		core->ncnt = 0;
		break;
	case FSM_W_NEUR:
	case FSM_R_NEUR:
	case FSM_W_SYN:
	case FSM_R_SYN:
		return memory_cycle(chip);
	case FSM_LEAK:
		return leak_cycle(chip);
	case FSM_PUSH:
		accept(chip);
		break;
	case FSM_SPIKE:
		return spike_cycle(chip);
	case FSM_VIRT:
		return virtual_cycle(chip);
	case FSM_POPWAIT:
		if (!core->busy) {
			pop(chip);
			core->fsm = FSM_IDLE;
		}
		break;
	case FSM_SPIEND:
		if (!(core->level2 & (LEVEL_READ | LEVEL_WRITE)))
			core->fsm = FSM_IDLE;
		break;
	case FSM_REQEND:
		if (!(core->level2 & LEVEL_REQ))
			core->fsm = FSM_IDLE;
		break;
	}
	return NO_SPIKE;
}

/* ---- edge -------------------------------------------------------------------------------------------------------- */

/* Section 12, output port; ack2 and ack3 are of before the edge. */
static void output_port(struct core *core, bool trigger, unsigned address)
{
	if (trigger && !core->ack2) {
		core->out_addr = (uint8_t)address;
		core->out_req = true;
		core->busy = true;
	} else if (core->ack2) {
		core->out_req = false;
		core->busy = true;
	} else if (core->ack3) {
		core->out_req = false;
		core->busy = false;
	}
}

static uint8_t levels(const struct tinyodin_pins *chip)
{
	const struct spi *spi = &chip->spi;

	return (uint8_t)((chip->in.aerin_req ? LEVEL_REQ : 0u) | (spi->gate ? LEVEL_GATE : 0u) |
			 (spi->open_loop ? LEVEL_OPEN_LOOP : 0u) | (spi->read ? LEVEL_READ : 0u) |
			 (spi->write ? LEVEL_WRITE : 0u));
}

/* The flip-flops between the pins or the SPI and the core. A reset acts when its level is high before or after the
 * edge. */
static void synchronise(struct tinyodin_pins *chip, const struct core *was)
{
	struct core *core = &chip->core;

	core->level2 = was->level1;
	core->level1 = levels(chip);
	core->ack3 = was->ack2;
	core->ack2 = was->ack1;
	core->ack1 = chip->in.aerout_ack;
	core->rst2 = was->rst1;
	core->rst1 = chip->in.rst;
	if (was->rst2 || core->rst2)
		*core = (struct core){.rst1 = core->rst1, .rst2 = core->rst2, .qn = core->qn, .qs = core->qs};
	if ((was->level2 | core->level2) & LEVEL_GATE) {
		core->out_addr = 0;
		core->out_req = core->busy = core->ack1 = core->ack2 = core->ack3 = false;
	}
}

/* One edge; every part sees the registers as they were before it. */
static void edge(struct tinyodin_pins *chip)
{
	const struct core was = chip->core;
	unsigned head = queue_head(chip);
	int spike;

	chip->cycles++;
	chip->settled = true;
	spike = fsm_cycle(chip);
	if (chip->spi.source)
		output_port(&chip->core, was.fsm == FSM_SPIKE && chip->core.fsm != FSM_SPIKE, head);
	else
		output_port(&chip->core, spike != NO_SPIKE, (unsigned)spike);
	synchronise(chip, &was);
	chip->settled = chip->settled && chip->core.cnt == was.cnt && memcmp(&was, &chip->core, sizeof(was)) == 0;
}

uint64_t tinyodin_pins_clock(struct tinyodin_pins *chip, uint64_t most)
{
	const struct core *core = &chip->core;
	uint64_t made = 0;

	while (made < most) {
		bool ack = core->fsm == FSM_REQEND, req = core->out_req, full = !rule_has_room(core->entries);
		uint8_t address = core->out_addr;

		if (chip->settled) {
			chip->cycles += most - made;
			return most;
		}
		edge(chip);
		made++;
		if (ack != (core->fsm == FSM_REQEND) || req != core->out_req || address != core->out_addr ||
		    full == rule_has_room(core->entries))
			break;
	}
	return made;
}
