/* SPDX-License-Identifier: MIT */
/* Emulated crossbar boards: the callbacks of the core on the analog model, and what they say of themselves. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/board_inside.h"

#define MAX_BATCH       65535u
#define LIMIT_CURRENT   1000000u  /* nA: more than any cell draws */
#define LIMIT_PULSES    100000u
#define LIMIT_SILENCE   60000u    /* ms */
#define SILENCE_MIN     10u       /* ms */
#define PROGRAM_UV      2000000u  /* what programming weights takes: SET of HfO2 cells takes 1.2 V to 2 V */
#define PIECE_PRODUCTS  (1u << 26) /* of an inference between two looks at the carrier: some milliseconds */
#define PIECE_READS     (1u << 14) /* of cells, likewise */
#define AMBIENT_MDEGC   25000
#define SUPPLIES_MDEGC  4000      /* warmer while the supplies of pulses are on */

enum { ATTR_TIME, ATTR_INTERLOCK, ATTR_ADC_LSB, ATTRS };
enum { SENSOR_TEMPERATURE, SENSOR_SUPPLY, SENSORS };

static struct xbar_region region_of(unsigned tile, unsigned row, unsigned col, unsigned rows, unsigned cols)
{
	return (struct xbar_region){tile, row, col, rows, cols};
}

/* True unless the host has tightened the voltage limit below what something takes. */
static bool allowed(const struct nmlink_core *core, uint32_t voltage_uv)
{
	return !core->limits.voltage_uv || core->limits.voltage_uv >= voltage_uv;
}

static enum nmlink_status over_limit(struct nmlink_core *core, const char *text)
{
	return nmlink_core_fail(core, NMLINK_ELIMIT, core->limits.voltage_uv, text);
}

#define PROGRAM_OVER_LIMIT "programming weights takes 2 V"
#define READ_OVER_LIMIT    "reading takes 0.2 V"

/* ---- weights ----------------------------------------------------------------------------------------------------- */

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	struct sim_board *board = board_of(core);
	unsigned rows = (unsigned)board_acts(board, m->rows);
	const struct xbar_region region = region_of(m->tile, m->row, m->col, rows, m->cols);

	if (!allowed(core, PROGRAM_UV))
		return over_limit(core, PROGRAM_OVER_LIMIT);
	if (rows && !xbar_write(board->xbar, &region, (const int8_t *)m->tail))
		return NMLINK_ERANGE;
	board->counters[BOARD_WRITES] += (uint64_t)rows * m->cols;
	return rows < m->rows ? board_dead(board) : NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	struct sim_board *board = board_of(core);
	const struct xbar_region region = region_of(m->tile, m->row, m->col, m->rows, m->cols);

	if (!allowed(core, XBAR_READ_UV))
		return over_limit(core, READ_OVER_LIMIT);
	if (board_acts(board, m->rows) < m->rows)
		return board_dead(board);
	xbar_read(board->xbar, &region, m->use, (int8_t *)codes);
	board->counters[BOARD_READS] += (uint64_t)m->rows * m->cols;
	return NMLINK_OK;
}

static enum nmlink_status add_weight(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m,
	bool *saturated)
{
	struct sim_board *board = board_of(core);

	if (!allowed(core, PROGRAM_UV))
		return over_limit(core, PROGRAM_OVER_LIMIT);
	if (!board_acts(board, 1))
		return board_dead(board);
	*saturated = !xbar_add(board->xbar, tile, m->row, m->col, m->code);
	board->counters[BOARD_WRITES]++;
	return NMLINK_OK;
}

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	struct sim_board *board = board_of(core);
	const size_t cells = (size_t)m->rows * m->cols, most = PIECE_PRODUCTS / cells + 1;
	struct xbar_inference piece = {
		.region = region_of(m->tile, m->row, m->col, m->rows, m->cols),
		.transposed = m->flags & NMLINK_INFER_TRANSPOSED,
		.bit_serial = m->flags & NMLINK_INFER_BIT_SERIAL,
		.first_vector = m->first_vector,
		.inputs = (const int8_t *)m->tail,
		.outputs = outputs,
		.clipped = clipped,
	};
	const size_t ins = piece.transposed ? m->cols : m->rows, outs = piece.transposed ? m->rows : m->cols;
	enum nmlink_status status = NMLINK_OK;

	if (!allowed(core, XBAR_READ_UV))
		return over_limit(core, READ_OVER_LIMIT);
	if (board_acts(board, m->batch) < m->batch)
		return board_dead(board);
	for (size_t left = m->batch; left && !status; left -= piece.batch) {
		piece.batch = left < most ? left : most;
		status = board_pause(board);
		if (!status && !xbar_infer(board->xbar, &piece))
			status = NMLINK_ERANGE;
		piece.first_vector += piece.batch;
		piece.inputs += piece.batch * ins;
		piece.outputs = (uint8_t *)piece.outputs + piece.batch * outs * board->output.bytes;
		piece.clipped += piece.batch * ((outs + 7) / 8);
	}
	board->counters[BOARD_VECTORS] += status ? 0 : m->batch;
	return status;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* The core lets nothing above read level pass while the board is not armed; this counts whether that holds. */
static void watch(struct sim_board *board, int64_t voltage_uv, uint64_t pulses)
{
	if ((voltage_uv < 0 ? -voltage_uv : voltage_uv) > XBAR_READ_UV && !board->core.armed)
		board->stray_pulses += pulses;
}

/* The largest current that a voltage drives through a cell of the board, nA. */
static uint64_t largest_current(const struct sim_board *board, int64_t voltage_uv)
{
	return (uint64_t)(voltage_uv < 0 ? -voltage_uv : voltage_uv) * board->sense.conductance_max_ps / 1000000000u;
}

static enum nmlink_status pulse(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m, uint32_t *applied)
{
	struct sim_board *board = board_of(core);
	const struct xbar_cell cell = {m->tile, m->row, m->col, m->side};

	if (core->limits.current_na && largest_current(board, m->voltage_uv) > core->limits.current_na)
		return nmlink_core_fail(core, NMLINK_ELIMIT, core->limits.current_na,
			"a cell could draw more current than its limit");
	*applied = (uint32_t)board_acts(board, m->pulses);
	watch(board, m->voltage_uv, *applied);
	if (*applied)
		xbar_pulse(board->xbar, &cell, m->voltage_uv, m->width_ns, *applied);
	board->counters[BOARD_PULSES] += *applied;
	return *applied < m->pulses ? board_dead(board) : NMLINK_OK;
}

static enum nmlink_status conductance(struct nmlink_core *core, const struct nmlink_read_conductance_request *m,
	uint8_t *out)
{
	struct sim_board *board = board_of(core);
	struct xbar_cell cell = {.tile = m->tile, .side = m->side};
	const uint64_t cells = (uint64_t)m->rows * m->cols;
	uint64_t reads = 0; /* since the last look at the carrier */

	if (!allowed(core, XBAR_READ_UV))
		return over_limit(core, READ_OVER_LIMIT);
	if (board_acts(board, cells) < cells)
		return board_dead(board);
	for (unsigned row = 0; row < m->rows; row++)
		for (unsigned col = 0; col < m->cols; col++) {
			cell.row = m->row + row;
			cell.col = m->col + col;
			reads += m->averages;
			if (reads >= PIECE_READS && board_pause(board))
				return NMLINK_EABORTED;
			reads %= PIECE_READS;
			out = nmlink_store_u32(out, xbar_conductance(board->xbar, &cell, m->use, m->averages));
		}
	board->counters[BOARD_READS] += cells * m->averages;
	return NMLINK_OK;
}

static enum nmlink_status current(struct nmlink_core *core, const struct nmlink_sense *m, int32_t *current_na)
{
	struct sim_board *board = board_of(core);
	const struct xbar_cell cell = {m->cell.tile, m->cell.row, m->cell.col, m->cell.side};

	if (!board_acts(board, 1))
		return board_dead(board);
	watch(board, m->voltage_uv, 1);
	*current_na = xbar_current(board->xbar, &cell, m->voltage_uv, m->width_ns, m->use);
	board->counters[BOARD_PULSES]++;
	return NMLINK_OK;
}

static bool interlock(struct nmlink_core *core)
{
	return board_of(core)->interlock_open;
}

static enum nmlink_status restart(struct nmlink_core *core)
{
	board_of(core)->interlock_open = false;
	return NMLINK_OK;
}

/* ---- attributes, sensors, counters ------------------------------------------------------------------------------- */

static const struct nmlink_attr_cap attrs[ATTRS] = {
	[ATTR_TIME] = {.type = 2, .flags = NMLINK_ATTR_WRITABLE | NMLINK_ATTR_GROWS, .min = 0, .max = UINT32_MAX,
		NMLINK_TEXT("time_s\0s\0simulated time, which conductances drift over; only grows")},
	[ATTR_INTERLOCK] = {.type = 1, .flags = NMLINK_ATTR_WRITABLE, .min = 0, .max = 1,
		NMLINK_TEXT("interlock_open\0\0001: the emulated interlock is open")},
	[ATTR_ADC_LSB] = {.type = 2, .min = 1, .max = INT32_MAX,
		NMLINK_TEXT("adc_lsb\0\0sum of input * weight codes that makes one output code")},
};
static const struct nmlink_sensor_cap sensors[SENSORS] = {
	[SENSOR_TEMPERATURE] = {.exponent = -3, NMLINK_TEXT("temperature\0degC\0of the board")},
	[SENSOR_SUPPLY] = {.exponent = -3,
		NMLINK_TEXT("pulse_supply\0V\0supply of pulses: 0 unless the board is armed")},
};
static const struct nmlink_counter_cap counters[BOARD_COUNTERS] = {
	[BOARD_WRITES] = {NMLINK_TEXT("writes\0weights programmed since power-up")},
	[BOARD_READS] = {NMLINK_TEXT("reads\0weights and cells read since power-up")},
	[BOARD_VECTORS] = {NMLINK_TEXT("vectors\0vectors of inference since power-up")},
	[BOARD_PULSES] = {NMLINK_TEXT("pulses\0pulses on cells since power-up")},
};

static enum nmlink_status get_attr(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	const struct sim_board *board = board_of(core);

	if (index == ATTR_TIME)
		*value = xbar_time(board->xbar);
	else if (index == ATTR_INTERLOCK)
		*value = board->interlock_open;
	else
		*value = INT64_C(1) << (xbar_profile(board->xbar)->lsb_shift + xbar_options(board->xbar)->full_inputs);
	return NMLINK_OK;
}

static enum nmlink_status set_attr(struct nmlink_core *core, uint16_t index, int64_t value)
{
	struct sim_board *board = board_of(core);

	if (index == ATTR_INTERLOCK)
		board->interlock_open = value;
	else if (!xbar_set_time(board->xbar, (uint32_t)value))
		return nmlink_core_fail(core, NMLINK_EARG, (uint32_t)sizeof(uint16_t), "time only grows");
	return NMLINK_OK;
}

static enum nmlink_status get_sensor(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	if (index == SENSOR_TEMPERATURE)
		*value = AMBIENT_MDEGC + (core->armed ? SUPPLIES_MDEGC : 0);
	else
		*value = core->armed ? core->limits.voltage_uv / 1000u : 0;
	return NMLINK_OK;
}

static enum nmlink_status get_counter(struct nmlink_core *core, uint16_t index, uint64_t *value)
{
	*value = board_of(core)->counters[index];
	return NMLINK_OK;
}

/* ---- the board --------------------------------------------------------------------------------------------------- */

static const struct nmlink_drive_cap drive = {
	.voltage_max_uv = XBAR_VOLTAGE_MAX_UV,
	.voltage_lsb_uv = XBAR_VOLTAGE_LSB_UV,
	.width_min_ns = XBAR_WIDTH_MIN_NS,
	.width_max_ns = XBAR_WIDTH_MAX_NS,
	.width_lsb_ns = XBAR_WIDTH_LSB_NS,
	.read_max_uv = XBAR_READ_UV,
};
static const struct nmlink_safety_cap safety = {.flags = NMLINK_SAFETY_INTERLOCK, .silence_min_ms = SILENCE_MIN};

static uint8_t bits_of(int max)
{
	uint8_t bits = 1;

	for (; max; max >>= 1)
		bits++;
	return bits;
}

static void describe(struct sim_board *board)
{
	const struct xbar_profile *profile = xbar_profile(board->xbar);
	const int input_max = xbar_input_max(board->xbar);
	struct nmlink_board *d = &board->description;

	board->input = (struct nmlink_input_cap){-input_max, input_max, bits_of(input_max), 1,
		NMLINK_INFER_TRANSPOSED | NMLINK_INFER_BIT_SERIAL, MAX_BATCH, NULL, 0};
	board->output = (struct nmlink_output_cap){xbar_output_min(board->xbar), xbar_output_max(board->xbar),
		(uint8_t)profile->adc_bits, (uint8_t)xbar_output_bytes(board->xbar),
		UINT32_C(256) << (profile->lsb_shift + xbar_options(board->xbar)->full_inputs), NULL, 0};
	board->sense = (struct nmlink_sense_cap){.conductance_max_ps = xbar_conductance_max_ps(board->xbar),
		.read_uv = XBAR_READ_UV};
	d->model = profile->name;
	d->array = (struct nmlink_array_cap){(uint16_t)profile->tiles, (uint16_t)profile->rows,
		(uint16_t)profile->cols, 1, NULL, 0};
	d->weight = (struct nmlink_weight_cap){-profile->weight_max, profile->weight_max,
		bits_of(profile->weight_max), 1, (uint16_t)xbar_tolerance(board->xbar), NULL, 0};
	d->input = &board->input;
	d->output = &board->output;
	d->drive = &drive;
	d->sense = &board->sense;
	d->safety = &safety;
	d->limits = (struct nmlink_limits){.voltage_uv = XBAR_VOLTAGE_MAX_UV, .current_na = LIMIT_CURRENT,
		.width_ns = XBAR_WIDTH_MAX_NS, .pulses = LIMIT_PULSES, .silence_ms = LIMIT_SILENCE};
	d->attrs = attrs;
	d->attr_count = ATTRS;
	d->sensors = sensors;
	d->sensor_count = SENSORS;
	d->counters = counters;
	d->counter_count = BOARD_COUNTERS;
}

static bool make(struct sim_board *board, const struct sim_board_config *config, char error[SIM_BOARD_ERROR])
{
	struct nmlink_callbacks *call = &board->description.call;
	struct xbar_options options = config->xbar;

	options.simd = (enum xbar_simd)config->simd;
	board->xbar = xbar_new(config->profile, &options);
	if (!board->xbar) {
		snprintf(error, SIM_BOARD_ERROR,
			"no memory for the crossbar, or simd= or $NMHAL_SIMD names no vector unit of this machine");
		return false;
	}
	snprintf(board->serial, sizeof(board->serial), "SIM-%s-%" PRIu64, config->profile->name, options.seed);
	describe(board);
	call->write = write_weights;
	call->read = read_weights;
	call->add = add_weight;
	call->infer = infer;
	call->get_attr = get_attr;
	call->set_attr = set_attr;
	call->get_sensor = get_sensor;
	call->get_counter = get_counter;
	call->pulse = pulse;
	call->conductance = conductance;
	call->current = current;
	call->interlock = interlock;
	call->restart = restart;
	return true;
}

/* Conductances and the time since they were written stay. */
static void power_cut(struct sim_board *board)
{
	(void)board;
}

const struct board_hardware board_hardware_xbar = {SIM_BOARD_XBAR, make, power_cut};
