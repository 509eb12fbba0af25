/* SPDX-License-Identifier: MIT */
/*
 * Linked into nmhal-probe-faulty: "analog:", a board of 8 x 8 analog cells in memory with all that tinyODIN lacks. It
 * begins with code (8 row + col) % 15 - 7 in each cell. What it does is appended to the file of the key `trace`.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#define SIZE         8u
#define READ_UV      200000 /* read level */
#define BASE_PS      1000000u
#define STEP_PS      500000u /* of one code, and of one pulse */
#define OUTPUT_LIMIT 100

extern const struct nmhal_driver analog_driver;

struct board {
	struct nmhal_host *host;
	char *trace; /* path, or NULL */
	int16_t codes[SIZE][SIZE];
	uint32_t conductance_ps[2][SIZE][SIZE];
	struct nmhal_limits limits;
	uint64_t interlock, slow_ms;
	bool armed;
};

__attribute__((format(printf, 2, 3))) static void trace(const struct board *board, const char *format, ...)
{
	FILE *file = board->trace ? fopen(board->trace, "a") : NULL;
	va_list args;

	if (!file)
		return;
	va_start(args, format);
	vfprintf(file, format, args);
	va_end(args);
	fputc('\n', file);
	fclose(file);
}

static void board_close(void *self)
{
	struct board *board = self;

	trace(board, "close");
	free(board->trace);
	free(board);
}

static int board_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->features = NMHAL_CAN_INFER_TRANSPOSED | NMHAL_CAN_INFER_BIT_SERIAL;
	caps->cores = 1;
	caps->rows = caps->cols = SIZE;
	caps->max_batch = 4;
	caps->weight_min = -7;
	caps->weight_max = 7;
	caps->weight_bits = 4;
	caps->input_min = -63;
	caps->input_max = 63;
	caps->output_min = -OUTPUT_LIMIT;
	caps->output_max = OUTPUT_LIMIT;
	caps->default_timeout_ms = 10000;
	return NMHAL_OK;
}

/* ---- weights and inference --------------------------------------------------------------------------------------- */

static int board_write(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	for (uint32_t r = 0; r < region->rows; r++)
		for (uint32_t c = 0; c < region->cols; c++) {
			int code = codes[r * stride + c];
			uint32_t row = region->row + r, col = region->col + c;

			board->codes[row][col] = (int16_t)code;
			board->conductance_ps[0][row][col] = BASE_PS + (code > 0 ? (uint32_t)code * STEP_PS : 0);
			board->conductance_ps[1][row][col] = BASE_PS + (code < 0 ? (uint32_t)-code * STEP_PS : 0);
		}
	return NMHAL_OK;
}

static int board_read(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	for (uint32_t r = 0; r < region->rows; r++)
		for (uint32_t c = 0; c < region->cols; c++)
			codes[r * stride + c] = board->codes[region->row + r][region->col + c];
	return NMHAL_OK;
}

/* The tool gives int32 inputs and takes int32 outputs. Index and bit-serial are seen: one is added to output 0, the
 * other changes the sign. */
static int board_infer(void *self, const struct nmhal_inference *op, int64_t deadline)
{
	struct board *board = self;
	bool transposed = op->flags & NMHAL_INFER_TRANSPOSED;
	uint32_t inputs = transposed ? op->region.cols : op->region.rows;
	uint32_t outputs = transposed ? op->region.rows : op->region.cols;

	trace(board, "infer %u", op->batch);
	for (uint32_t b = 0; b < op->batch; b++)
		for (uint32_t o = 0; o < outputs; o++) {
			int32_t sum = o == 0 ? (int32_t)(op->first_vector + b) : 0;

			for (uint32_t i = 0; i < inputs; i++)
				sum += ((const int32_t *)op->in)[b * op->in_stride + i] *
				       board->codes[op->region.row + (transposed ? o : i)]
						   [op->region.col + (transposed ? i : o)];
			int32_t code = sum > OUTPUT_LIMIT ? OUTPUT_LIMIT : sum < -OUTPUT_LIMIT ? -OUTPUT_LIMIT : sum;
			if (op->flags & NMHAL_INFER_BIT_SERIAL)
				code = -code;
			((int32_t *)op->out)[b * op->out_stride + o] = code;
			op->saturated[(size_t)b * outputs + o] = code != sum;
		}
	return nmhal_host_poll(board->host, deadline, "inference");
}

/* ---- safety ------------------------------------------------------------------------------------------------------ */

static int board_limits_get(void *self, struct nmhal_limits *limits, int64_t deadline)
{
	(void)deadline;
	*limits = ((struct board *)self)->limits;
	return NMHAL_OK;
}

static int board_limits_set(void *self, const struct nmhal_limits *limits, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	if (limits->voltage_uv > board->limits.voltage_uv)
		return nmhal_host_fail(board->host, NMHAL_E_LIMIT, "set limits: voltage %u uV: the limit is %u uV",
			limits->voltage_uv, board->limits.voltage_uv);
	if (limits->voltage_uv)
		board->limits.voltage_uv = limits->voltage_uv;
	if (limits->pulses)
		board->limits.pulses = limits->pulses;
	return NMHAL_OK;
}

static int board_arm(void *self, uint32_t silence_ms, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	if (board->interlock)
		return nmhal_host_fail(board->host, NMHAL_E_INTERLOCK, "arm: the lid is open; close it");
	trace(board, "arm %u", silence_ms);
	board->armed = true;
	return NMHAL_OK;
}

static int board_disarm(void *self, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	trace(board, "disarm");
	board->armed = false;
	return NMHAL_OK;
}

static int board_safe(void *self, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	trace(board, "safe");
	board->armed = false;
	return NMHAL_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* What every op that drives a cell begins with. */
static int drive(struct board *board, const char *what, int64_t voltage_uv, int64_t deadline)
{
	int64_t until = nmhal_now_ns() + (int64_t)board->slow_ms * 1000000;
	int64_t size_uv = voltage_uv < 0 ? -voltage_uv : voltage_uv;
	int status = NMHAL_OK;

	if (size_uv > READ_UV && !board->armed)
		return nmhal_host_fail(board->host, NMHAL_E_STATE, "%s: not armed; arm first", what);
	if (size_uv > board->limits.voltage_uv)
		return nmhal_host_fail(board->host, NMHAL_E_LIMIT, "%s at %lld uV: the limit is %u uV", what,
			(long long)voltage_uv, board->limits.voltage_uv);
	if (board->slow_ms)
		trace(board, "slow");
	while (!status && nmhal_now_ns() < until)
		status = nmhal_host_poll(board->host, deadline, what);
	return status;
}

static int board_pulse(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline)
{
	struct board *board = self;
	int status = drive(board, "pulse cell", op->voltage_uv, deadline);

	if (status)
		return status;
	trace(board, "pulse %u,%u side %u %d uV %u ns gap %u x %u", op->row, op->col, op->side, op->voltage_uv,
		op->width_ns, op->gap_ns, op->pulses);
	board->conductance_ps[op->side][op->row][op->col] += op->pulses * STEP_PS;
	*applied = op->pulses;
	return NMHAL_OK;
}

static int board_ramp(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline)
{
	struct board *board = self;
	uint32_t *cell = &board->conductance_ps[op->side][op->row][op->col];
	int status = drive(board, "ramp cell", op->stop_uv, deadline);

	if (status)
		return status;
	trace(board, "ramp %u %u,%u target %u from %u by %u to %u, %u ns, at most %u", op->kind, op->row, op->col,
		op->target_ps, op->start_uv, op->step_uv, op->stop_uv, op->width_ns, op->max_pulses);
	for (uint32_t uv = op->start_uv; uv <= op->stop_uv && result->pulses < op->max_pulses; uv += op->step_uv) {
		result->reached = op->kind == NMHAL_RAMP_RESET ? *cell <= op->target_ps : *cell >= op->target_ps;
		if (result->reached)
			break;
		*cell = op->kind == NMHAL_RAMP_RESET ? *cell - STEP_PS : *cell + STEP_PS;
		result->pulses++;
		result->last_uv = uv;
	}
	result->conductance_ps = *cell;
	return NMHAL_OK;
}

static int board_conductance(void *self, const struct nmhal_conductance_read *op, int64_t deadline)
{
	struct board *board = self;

	(void)deadline;
	trace(board, "read side %u x %u", op->side, op->averages);
	for (uint32_t r = 0; r < op->region.rows; r++)
		for (uint32_t c = 0; c < op->region.cols; c++)
			op->conductance_ps[r * op->row_stride + c] =
				board->conductance_ps[op->side][op->region.row + r][op->region.col + c];
	return NMHAL_OK;
}

static int board_sweep(void *self, const struct nmhal_cell_sweep *op, int64_t deadline)
{
	struct board *board = self;
	int64_t last_uv = op->start_uv + (int64_t)op->step_uv * (op->points - 1);
	int status = drive(board, "sweep cell", last_uv, deadline);

	for (uint32_t i = 0; !status && i < op->points; i++)
		op->out[i] = (struct nmhal_sweep_point){op->start_uv + (int32_t)i * op->step_uv, (int32_t)i};
	return status;
}

/* ---- sensors ----------------------------------------------------------------------------------------------------- */

static const struct nmhal_sensor_info sensors[] = {
	{.struct_size = sizeof(struct nmhal_sensor_info), .name = "temperature", .unit = "degC",
		.summary = "of the array", .exponent = -2},
	{.struct_size = sizeof(struct nmhal_sensor_info), .name = "fan", .unit = "1/min",
		.summary = "speed of the fan"},
};
static const struct nmhal_counter_info counters[] = {
	{.struct_size = sizeof(struct nmhal_counter_info), .key = "vectors", .summary = "vectors multiplied"},
};

static void board_describe(void *self, struct nmhal_device_lists *lists)
{
	(void)self;
	*lists = (struct nmhal_device_lists){.sensors = sensors, .sensor_count = 2, .counters = counters,
		.counter_count = 1};
}

static int board_sensor(void *self, size_t index, int64_t *value, int64_t deadline)
{
	(void)self;
	(void)deadline;
	*value = index == 0 ? 2150 : 900;
	return NMHAL_OK;
}

static int board_counter(void *self, const char *key, uint64_t *value)
{
	(void)self;
	*value = 17;
	return strcmp(key, "vectors") == 0 ? NMHAL_OK : NMHAL_E_UNSUPPORTED;
}

static const struct nmhal_device_ops board_ops = {
	.struct_size = sizeof(struct nmhal_device_ops),
	.close = board_close, .caps = board_caps, .write_weights = board_write, .read_weights = board_read,
	.run_inference = board_infer, .counter = board_counter, .describe = board_describe,
	.read_sensor = board_sensor, .cell_pulse = board_pulse, .cell_ramp = board_ramp,
	.read_conductance = board_conductance, .cell_sweep = board_sweep, .limits_get = board_limits_get,
	.limits_set = board_limits_set, .arm = board_arm, .disarm = board_disarm, .safe_state = board_safe,
};

static int board_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline, const struct nmhal_device_ops **ops, void **self)
{
	struct board *board = calloc(1, sizeof(*board));
	const char *path = nmhal_uri_value(uri, "trace");
	const struct nmhal_region all = {.rows = SIZE, .cols = SIZE};
	int16_t codes[SIZE * SIZE];
	int status;

	(void)bus;
	(void)stream;
	if (!board)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory");
	for (int i = 0; i < (int)(SIZE * SIZE); i++)
		codes[i] = (int16_t)(i % 15 - 7);
	board->host = host;
	board->limits = (struct nmhal_limits){.struct_size = sizeof(board->limits), .voltage_uv = 3000000,
		.width_ns = 1000000, .pulses = 1000, .silence_ms = 5000};
	board->trace = path ? strdup(path) : NULL;
	status = nmhal_uri_number(host, uri, "interlock", 0, 0, 1, &board->interlock);
	if (!status)
		status = nmhal_uri_number(host, uri, "slow", 0, 0, 60000, &board->slow_ms);
	if (!status)
		status = board_write(board, &all, codes, SIZE, deadline);
	if (status) {
		free(board->trace);
		free(board);
		return status;
	}
	*ops = &board_ops;
	*self = board;
	return NMHAL_OK;
}

static const struct nmhal_key board_keys[] = {
	{"trace", "file that takes a line for each op"},
	{"interlock", "1: open"},
	{"slow", "milliseconds that driving a cell takes"},
	{NULL, NULL},
};
static const char *const boards[] = {"analog", NULL};

const struct nmhal_driver analog_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_NOTHING, .struct_size = sizeof(struct nmhal_driver),
	.name = "analog", .summary = "analog cells in memory", .boards = boards, .scheme = "analog",
	.keys = board_keys, .open = board_open,
};
