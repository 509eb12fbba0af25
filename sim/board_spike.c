/* SPDX-License-Identifier: MIT */
/* spike256: the tinyODIN core behind nmlink, on a chip of its own. Sections are of docs/tinyodin.md. */
#include <stdio.h>

#include "sim/board_inside.h"

#define NEURONS      TINYODIN_NEURONS
#define EVENT_LEAK_ALL 0x1FFu /* section 6 */
#define EVENT_LEAK_ONE 0x100u
#define EVENT_VIRTUAL  0x200u
#define UNCOUNTED    UINT64_MAX
#define CORE_MDEGC   25000

enum { ATTR_OPEN_LOOP, ATTR_MAX_NEURON, ATTR_OUTPUT_SOURCE, ATTR_CLK_HZ, ATTRS };
enum { COUNTER_CYCLES, COUNTER_SOPS, COUNTER_QUEUE_DROPPED, COUNTERS };

/* After power-up, and after RESTART. */
static const struct tinyodin_registers at_rest = {.gate = true, .open_loop = true, .max_neuron = NEURONS - 1};

/* ---- weights and neurons ----------------------------------------------------------------------------------------- */

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	struct sim_board *board = board_of(core);
	unsigned rows = (unsigned)board_acts(board, m->rows);
	const uint8_t *code = m->tail;

	for (unsigned row = 0; row < rows; row++)
		for (unsigned col = 0; col < m->cols; col++)
			tinyodin_set_weight(board->chip, m->row + row, m->col + col, (int8_t)*code++);
	return rows < m->rows ? board_dead(board) : NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	struct sim_board *board = board_of(core);

	if (board_acts(board, m->rows) < m->rows)
		return board_dead(board);
	for (unsigned row = 0; row < m->rows; row++)
		for (unsigned col = 0; col < m->cols; col++)
			*codes++ = (uint8_t)tinyodin_weight(board->chip, m->row + row, m->col + col);
	return NMLINK_OK;
}

static enum nmlink_status add_weight(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m,
	bool *saturated)
{
	struct sim_board *board = board_of(core);
	const struct nmlink_weight_cap *range = &board->description.weight;
	int sum = tinyodin_weight(board->chip, m->row, m->col) + m->code;

	(void)tile;
	if (!board_acts(board, 1))
		return board_dead(board);
	*saturated = sum < range->min || sum > range->max;
	sum = sum < range->min ? range->min : sum > range->max ? range->max : sum;
	tinyodin_set_weight(board->chip, m->row, m->col, sum);
	return NMLINK_OK;
}

static enum nmlink_status set_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	const struct nmlink_neuron_record *m)
{
	struct sim_board *board = board_of(core);
	const struct tinyodin_neuron neuron = {.potential = (int16_t)m->potential, .threshold = (uint16_t)m->threshold,
		.leak = (uint8_t)m->leak, .enabled = m->enabled};

	(void)tile;
	if (!board_acts(board, 1))
		return board_dead(board);
	tinyodin_set_neuron(board->chip, index, &neuron);
	return NMLINK_OK;
}

static enum nmlink_status get_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	struct nmlink_neuron_record *m)
{
	struct sim_board *board = board_of(core);
	struct tinyodin_neuron neuron;

	(void)tile;
	if (!board_acts(board, 1))
		return board_dead(board);
	tinyodin_neuron(board->chip, index, &neuron);
	m->threshold = neuron.threshold;
	m->leak = neuron.leak;
	m->potential = neuron.potential;
	m->enabled = neuron.enabled;
	return NMLINK_OK;
}

static enum nmlink_status reset_state(struct nmlink_core *core)
{
	struct sim_board *board = board_of(core);
	struct tinyodin_neuron neuron;

	if (board_acts(board, NEURONS) < NEURONS)
		return board_dead(board);
	for (unsigned n = 0; n < NEURONS; n++) {
		tinyodin_neuron(board->chip, n, &neuron);
		neuron.potential = 0;
		tinyodin_set_neuron(board->chip, n, &neuron);
	}
	tinyodin_reset(board->chip);
	return NMLINK_OK;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void set_gate(struct sim_board *board, bool closed)
{
	board->registers.gate = closed;
	tinyodin_set_registers(board->chip, &board->registers);
}

static enum nmlink_status spikes_start(struct nmlink_core *core, uint32_t flags)
{
	struct sim_board *board = board_of(core);

	if (!board_acts(board, 1))
		return board_dead(board);
	tinyodin_counters(board->chip, &board->before);
	board->back_to_back = flags & NMLINK_RUN_BACK_TO_BACK;
	set_gate(board, false);
	return NMLINK_OK;
}

static void hand_out(struct sim_board *board, const struct tinyodin_out *out, size_t count)
{
	for (size_t n = 0; n < count; n++) {
		struct nmlink_output_record record = {.input = out[n].index, .address = out[n].address};

		if (board->registers.source)
			record.address |= NMLINK_ADDRESS_PROCESSED;
		nmlink_core_output(&board->core, &record);
	}
}

static void step(struct sim_board *board)
{
	struct tinyodin_out out[TINYODIN_MAX_OUT];

	hand_out(board, out, tinyodin_step(board->chip, out));
}

static uint16_t address_of(const struct nmlink_input_record *m)
{
	switch (m->kind) {
	case NMLINK_INPUT_VIRTUAL:
		return (uint16_t)(EVENT_VIRTUAL | ((unsigned)m->value & 0xFu) << 4 | m->address);
	case NMLINK_INPUT_LEAK_ALL:
		return EVENT_LEAK_ALL;
	case NMLINK_INPUT_LEAK_ONE:
		return (uint16_t)(EVENT_LEAK_ONE | m->address);
	default:
		return m->address;
	}
}

/* Back to back, the chip processes one entry of its queue between two events (section 9). */
static enum nmlink_status spikes_give(struct nmlink_core *core, uint32_t number, const struct nmlink_input_record *m)
{
	struct sim_board *board = board_of(core);
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT];

	if (nmlink_core_room(core) < 3 * TINYODIN_MAX_OUT)
		return NMLINK_EBUSY;
	if (!board_acts(board, 1))
		return board_dead(board);
	hand_out(board, out, tinyodin_input(board->chip, address_of(m), number, out));
	if (board->back_to_back && !tinyodin_idle(board->chip))
		step(board);
	return NMLINK_OK;
}

static enum nmlink_status spikes_work(struct nmlink_core *core, bool *idle)
{
	struct sim_board *board = board_of(core);

	while (!tinyodin_idle(board->chip) && nmlink_core_room(core) >= TINYODIN_MAX_OUT) {
		if (!board_acts(board, 1))
			return board_dead(board);
		step(board);
	}
	*idle = tinyodin_idle(board->chip);
	return NMLINK_OK;
}

static enum nmlink_status spikes_stop(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total)
{
	struct sim_board *board = board_of(core);
	struct tinyodin_counters now;

	tinyodin_counters(board->chip, &now);
	tinyodin_reset(board->chip);
	set_gate(board, true);
	total->sops = now.sops - board->before.sops;
	total->queue_dropped = now.queue_dropped - board->before.queue_dropped;
	/* The formula of section 17 is for a host that waits for idle. */
	total->cycles = board->back_to_back ? UNCOUNTED : now.cycles - board->before.cycles;
	return NMLINK_OK;
}

static void rest(struct sim_board *board)
{
	board->registers = at_rest;
	tinyodin_set_registers(board->chip, &board->registers);
	tinyodin_reset(board->chip);
}

static enum nmlink_status restart(struct nmlink_core *core)
{
	rest(board_of(core));
	return NMLINK_OK;
}

/* ---- attributes, sensors, counters ------------------------------------------------------------------------------- */

#define FREE_TO_SET (NMLINK_ATTR_WRITABLE | NMLINK_ATTR_SAVED)

static const struct nmlink_attr_cap attrs[ATTRS] = {
	[ATTR_OPEN_LOOP] = {.type = 1, .flags = FREE_TO_SET, .min = 0, .max = 1,
		NMLINK_TEXT("open_loop\0\0001: spikes stay out of the core; 0: they drive the rows of their neurons")},
	[ATTR_MAX_NEURON] = {.type = 2, .flags = FREE_TO_SET, .min = 0, .max = NEURONS - 1,
		NMLINK_TEXT("max_neuron\0\0last neuron that SPIKE and LEAK_ALL events reach")},
	[ATTR_OUTPUT_SOURCE] = {.type = 1, .flags = FREE_TO_SET, .min = 0, .max = 1,
		NMLINK_TEXT("output_source\0\0000: an output event for each neuron that fires; 1: for each queue entry "
			    "processed")},
	[ATTR_CLK_HZ] = {.type = 2, .min = 0, .max = INT64_MAX, NMLINK_TEXT("clk_hz\0Hz\0clock of the core")},
};
static const struct nmlink_sensor_cap sensors[] = {
	{.exponent = -3, NMLINK_TEXT("temperature\0degC\0of the board")},
};
static const struct nmlink_counter_cap counters[COUNTERS] = {
	[COUNTER_CYCLES] = {NMLINK_TEXT("cycles\0clock cycles under a host that waits for idle, since power-up")},
	[COUNTER_SOPS] = {NMLINK_TEXT("sops\0synaptic operations since power-up")},
	[COUNTER_QUEUE_DROPPED] = {NMLINK_TEXT("queue_dropped\0spikes lost in the queue since power-up")},
};

static enum nmlink_status get_attr(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	const struct sim_board *board = board_of(core);
	const int64_t values[ATTRS] = {board->registers.open_loop, board->registers.max_neuron, board->registers.source,
		(int64_t)board->spikes.clock_hz};

	*value = values[index];
	return NMLINK_OK;
}

static enum nmlink_status set_attr(struct nmlink_core *core, uint16_t index, int64_t value)
{
	struct sim_board *board = board_of(core);

	if (index == ATTR_OPEN_LOOP)
		board->registers.open_loop = value;
	else if (index == ATTR_MAX_NEURON)
		board->registers.max_neuron = (uint8_t)value;
	else
		board->registers.source = value;
	tinyodin_set_registers(board->chip, &board->registers);
	return NMLINK_OK;
}

static enum nmlink_status get_sensor(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	(void)core;
	(void)index;
	*value = CORE_MDEGC;
	return NMLINK_OK;
}

static enum nmlink_status get_counter(struct nmlink_core *core, uint16_t index, uint64_t *value)
{
	struct tinyodin_counters now;
	uint64_t values[COUNTERS];

	tinyodin_counters(board_of(core)->chip, &now);
	values[COUNTER_CYCLES] = now.cycles;
	values[COUNTER_SOPS] = now.sops;
	values[COUNTER_QUEUE_DROPPED] = now.queue_dropped;
	*value = values[index];
	return NMLINK_OK;
}

/* ---- the board --------------------------------------------------------------------------------------------------- */

static const struct nmlink_neuron_cap neuron = {
	.model = 1,
	.threshold_max = 4095, /* unsigned on the chip: from 2048 on a neuron never fires (section 4) */
	.leak_max = 127,
	.potential_min = -2048,
	.potential_max = 2047,
};

static void describe(struct sim_board *board, uint64_t clk_hz)
{
	struct nmlink_board *d = &board->description;

	board->spikes = (struct nmlink_spikes_cap){
		.flags = NMLINK_SPIKES_LEAK | NMLINK_SPIKES_VIRTUAL | NMLINK_SPIKES_BACK_TO_BACK | NMLINK_SPIKES_STREAM,
		.virtual_min = -8, .virtual_max = 7,
		.virtual_address_max = 15,   /* a virtual event carries 4 address bits */
		.leak_one_address_max = 254, /* address 255 means all */
		.clock_hz = clk_hz,
	};
	d->model = "spike256";
	d->array = (struct nmlink_array_cap){.tiles = 1, .rows = NEURONS, .cols = NEURONS};
	d->weight = (struct nmlink_weight_cap){.min = -8, .max = 7, .bits = 4, .bytes = 1};
	d->neuron = &neuron;
	d->spikes = &board->spikes;
	d->attrs = attrs;
	d->attr_count = ATTRS;
	d->sensors = sensors;
	d->sensor_count = 1;
	d->counters = counters;
	d->counter_count = COUNTERS;
}

static bool make(struct sim_board *board, const struct sim_board_config *config, char error[SIM_BOARD_ERROR])
{
	struct nmlink_callbacks *call = &board->description.call;

	board->chip = tinyodin_new((enum tinyodin_simd)config->simd, false);
	if (!board->chip) {
		snprintf(error, SIM_BOARD_ERROR,
			"no memory for the core, or simd= or $NMHAL_SIMD names no vector unit of this machine");
		return false;
	}
	snprintf(board->serial, sizeof(board->serial), "SIM-spike256");
	describe(board, config->clk_hz);
	rest(board);
	call->write = write_weights;
	call->read = read_weights;
	call->add = add_weight;
	call->set_neuron = set_neuron;
	call->get_neuron = get_neuron;
	call->reset_state = reset_state;
	call->spikes_start = spikes_start;
	call->spikes_give = spikes_give;
	call->spikes_work = spikes_work;
	call->spikes_stop = spikes_stop;
	call->get_attr = get_attr;
	call->set_attr = set_attr;
	call->get_sensor = get_sensor;
	call->get_counter = get_counter;
	call->restart = restart;
	return true;
}

/* The memories are RAM: zero weights, all neurons disabled. */
static void power_cut(struct sim_board *board)
{
	tinyodin_power_cut(board->chip);
	rest(board);
}

const struct board_hardware board_hardware_spike = {SIM_BOARD_SPIKE, make, power_cut};
