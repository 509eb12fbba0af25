/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <string.h>

#include "far.h"

/* ---- the hardware ------------------------------------------------------------------------------------------------ */

static struct far *far_of(struct nmlink_core *core)
{
	return core->self;
}

static void done(struct nmlink_core *core, uint16_t op)
{
	far_of(core)->executed[op]++;
}

static void safe(struct nmlink_core *core)
{
	(void)core;
}

static uint32_t clock_ms(struct nmlink_core *core)
{
	(void)core;
	return 0;
}

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	const uint8_t *p = m->tail;

	done(core, NMLINK_OP_WRITE);
	for (uint32_t row = 0; row < m->rows; row++)
		for (uint32_t col = 0; col < m->cols; col++)
			far_of(core)->weights[m->tile][m->row + row][m->col + col] = nmlink_load_s8(p++);
	return NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	done(core, NMLINK_OP_READ);
	far_of(core)->uses += m->use;
	for (uint32_t row = 0; row < m->rows; row++)
		for (uint32_t col = 0; col < m->cols; col++)
			*codes++ = (uint8_t)far_of(core)->weights[m->tile][m->row + row][m->col + col];
	return NMLINK_OK;
}

static enum nmlink_status add(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m,
	bool *saturated)
{
	int16_t *cell = &far_of(core)->weights[tile][m->row][m->col];
	int sum = *cell + m->code;

	done(core, NMLINK_OP_ADD_CELLS);
	*saturated = sum < -100 || sum > 100;
	*cell = (int16_t)(sum < -100 ? -100 : sum > 100 ? 100 : sum);
	return NMLINK_OK;
}

/* One output: the sum, as it is; clipped to 16 bits would be out of reach. */
static int product(const struct far *far, const struct nmlink_infer_request *m, const uint8_t *in, uint32_t output)
{
	const bool transposed = m->flags & NMLINK_INFER_TRANSPOSED;
	const uint32_t inputs = transposed ? m->cols : m->rows;
	int sum = 0;

	for (uint32_t n = 0; n < inputs; n++)
		sum += nmlink_load_s8(in + n) * (transposed ? far->weights[m->tile][m->row + output][m->col + n] :
							      far->weights[m->tile][m->row + n][m->col + output]);
	return sum;
}

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	const bool transposed = m->flags & NMLINK_INFER_TRANSPOSED;
	const uint32_t in = transposed ? m->cols : m->rows, out = transposed ? m->rows : m->cols;

	done(core, NMLINK_OP_INFER);
	far_of(core)->uses += m->first_vector;
	for (uint32_t v = 0; v < m->batch; v++, clipped += (out + 7) / 8) {
		for (uint32_t n = 0; n < out; n++) {
			int sum = product(far_of(core), m, m->tail + v * in, n);

			clipped[n / 8] |= (uint8_t)((sum > 1000 || sum < -1000) << n % 8);
			outputs = nmlink_store_s16(outputs,
				(int16_t)(sum > 1000 ? 1000 : sum < -1000 ? -1000 : sum));
		}
	}
	return NMLINK_OK;
}

static enum nmlink_status set_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	const struct nmlink_neuron_record *m)
{
	done(core, NMLINK_OP_WRITE_NEURONS);
	far_of(core)->neurons[tile][index] = *m;
	return NMLINK_OK;
}

static enum nmlink_status get_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	struct nmlink_neuron_record *m)
{
	*m = far_of(core)->neurons[tile][index];
	return NMLINK_OK;
}

static enum nmlink_status reset_state(struct nmlink_core *core)
{
	done(core, NMLINK_OP_RESET_STATE);
	for (uint32_t n = 0; n < FAR_TILES * FAR_COLS; n++)
		far_of(core)->neurons[n / FAR_COLS][n % FAR_COLS].potential = 0;
	return NMLINK_OK;
}

static enum nmlink_status spikes_start(struct nmlink_core *core, uint32_t flags)
{
	(void)flags;
	done(core, NMLINK_OP_SPIKES_START);
	far_of(core)->busy = false;
	return NMLINK_OK;
}

static enum nmlink_status spikes_give(struct nmlink_core *core, uint32_t number, const struct nmlink_input_record *m)
{
	struct far *far = far_of(core);

	if (far->busy)
		return NMLINK_EBUSY;
	far->input_number = number;
	far->input = *m;
	far->emitted = 0;
	far->busy = true;
	return NMLINK_OK;
}

/* A spike of row r fires neurons 0..r, a leak neuron 11, a virtual event its own neuron `value` times. */
static uint32_t outputs_of(const struct nmlink_input_record *input)
{
	return input->kind == NMLINK_INPUT_SPIKE ? input->address + 1u :
		input->kind == NMLINK_INPUT_VIRTUAL ? (uint32_t)input->value : 1;
}

static enum nmlink_status spikes_work(struct nmlink_core *core, bool *idle)
{
	struct far *far = far_of(core);
	const struct nmlink_input_record *input = &far->input;

	while (far->busy && nmlink_core_room(core)) {
		const struct nmlink_output_record event = {.input = far->input_number, .tile = input->tile,
			.address = (uint16_t)(input->kind == NMLINK_INPUT_SPIKE ? far->emitted :
				input->kind == NMLINK_INPUT_VIRTUAL ? input->address : 11)};

		if (far->emitted < outputs_of(input))
			nmlink_core_output(core, &event);
		far->emitted++;
		far->busy = far->emitted < outputs_of(input);
	}
	*idle = !far->busy;
	return NMLINK_OK;
}

static enum nmlink_status spikes_stop(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total)
{
	done(core, NMLINK_OP_SPIKES_STOP);
	total->sops = core->produced;
	total->cycles = 7;
	return NMLINK_OK;
}

static enum nmlink_status get_attr(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	*value = far_of(core)->attrs[index];
	return NMLINK_OK;
}

static enum nmlink_status set_attr(struct nmlink_core *core, uint16_t index, int64_t value)
{
	done(core, NMLINK_OP_SET_ATTR);
	far_of(core)->attrs[index] = value;
	return NMLINK_OK;
}

static enum nmlink_status get_sensor(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	(void)core;
	*value = -300 - index;
	return NMLINK_OK;
}

static enum nmlink_status get_counter(struct nmlink_core *core, uint16_t index, uint64_t *value)
{
	*value = index ? 5 : far_of(core)->pulses;
	return NMLINK_OK;
}

static enum nmlink_status pulse(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m, uint32_t *applied)
{
	uint32_t *cell = &far_of(core)->conductance[m->tile][m->row][m->col][m->side];

	done(core, NMLINK_OP_PULSE_CELL);
	far_of(core)->pulses += m->pulses;
	*cell = m->voltage_uv > 0 ? *cell + 1000 * m->pulses : *cell - (*cell < 1000 ? *cell : 1000);
	*applied = m->pulses;
	return NMLINK_OK;
}

static enum nmlink_status conductance(struct nmlink_core *core, const struct nmlink_read_conductance_request *m,
	uint8_t *out)
{
	done(core, NMLINK_OP_READ_CONDUCTANCE);
	far_of(core)->uses += m->use;
	for (uint32_t row = m->row; row < m->row + m->rows; row++)
		for (uint32_t col = m->col; col < m->col + m->cols; col++)
			out = nmlink_store_u32(out, far_of(core)->conductance[m->tile][row][col][m->side]);
	return NMLINK_OK;
}

static enum nmlink_status current(struct nmlink_core *core, const struct nmlink_sense *m, int32_t *current_na)
{
	far_of(core)->uses += m->use;
	*current_na = m->voltage_uv / 1000;
	return NMLINK_OK;
}

static const struct nmlink_input_cap input_cap = {-100, 100, 8, 1, NMLINK_INFER_TRANSPOSED, 20, NULL, 0};
static const struct nmlink_output_cap output_cap = {-1000, 1000, 11, 2, 384, NULL, 0};
static const struct nmlink_neuron_cap neuron_cap = {1, 0, 1000, 0, 10, -500, 500, NULL, 0};
static const struct nmlink_spikes_cap spikes_cap = {NMLINK_SPIKES_LEAK | NMLINK_SPIKES_VIRTUAL |
	NMLINK_SPIKES_BACK_TO_BACK | NMLINK_SPIKES_STREAM, 1, 100, 11, 11, 0, 1000000, NULL, 0};
static const struct nmlink_drive_cap drive_cap = {3000000, 1000, 100, 1000000, 10, 200000, NULL, 0};
static const struct nmlink_sense_cap sense_cap = {1000, 100000, 200000, 0, NULL, 0};
static const struct nmlink_safety_cap safety_cap = {0, 10, NULL, 0};
static const struct nmlink_attr_cap attrs[] = {
	{NMLINK_ATTR_INTEGER, NMLINK_ATTR_WRITABLE | NMLINK_ATTR_SAVED, -5, 50, NMLINK_TEXT("gain\0dB\0gain of it")},
	{NMLINK_ATTR_BOOL, 0, 0, 1, NMLINK_TEXT("warm\0\0it is warm")},
};
static const struct nmlink_sensor_cap sensors[] = {{-1, NMLINK_TEXT("temperature\0degC\0of the board")}};
static const struct nmlink_counter_cap counters[] = {
	{NMLINK_TEXT("pulses\0applied")}, {NMLINK_TEXT("fives\0always 5")},
};

static void describe(struct far *far)
{
	far->board = (struct nmlink_board){
		.vendor = "Far", .model = "far12", .hardware = "B", .firmware = "1.2", .serial = "F-7",
		.array = {FAR_TILES, FAR_ROWS, FAR_COLS, 1, NULL, 0},
		.weight = {-100, 100, 8, 1, 2, NULL, 0},
		.call = {.safe = safe, .write = write_weights, .read = read_weights},
	};
	if (far->small)
		return;
	far->board.input = &input_cap;
	far->board.output = &output_cap;
	far->board.neuron = &neuron_cap;
	far->board.spikes = &spikes_cap;
	far->board.drive = &drive_cap;
	far->board.sense = &sense_cap;
	far->board.safety = &safety_cap;
	far->board.limits = (struct nmlink_limits){2500000, 0, 500000, 100, 60000};
	far->board.attrs = attrs;
	far->board.attr_count = 2;
	far->board.sensors = sensors;
	far->board.sensor_count = 1;
	far->board.counters = counters;
	far->board.counter_count = 2;
	far->board.call = (struct nmlink_callbacks){.safe = safe, .clock_ms = clock_ms, .write = write_weights,
		.read = read_weights, .add = add, .infer = infer, .set_neuron = set_neuron, .get_neuron = get_neuron,
		.reset_state = reset_state, .spikes_start = spikes_start, .spikes_give = spikes_give,
		.spikes_work = spikes_work, .spikes_stop = spikes_stop, .get_attr = get_attr, .set_attr = set_attr,
		.get_sensor = get_sensor, .get_counter = get_counter, .pulse = pulse, .conductance = conductance,
		.current = current};
}

void far_init(struct far *far)
{
	memset(far, 0, sizeof(*far));
	far->max_frame = FAR_FRAME;
	far->window = 8;
}

void far_power_up(struct far *far)
{
	struct nmlink_memory memory = {.kept = far->kept, .window = far->window, .max_frame = far->max_frame,
		.events = far->events, .event_count = FAR_EVENTS, .points = far->points, .point_count = FAR_POINTS};

	far->cobs = (struct nmlink_cobs){.buffer = far->cobs_buffer, .capacity = FAR_FRAME};
	describe(far);
	ck_assert(nmlink_core_init(&far->core, &far->board, &memory, far));
}
