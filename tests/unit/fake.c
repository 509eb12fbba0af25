/* SPDX-License-Identifier: MIT */
/* The board of fake.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <check.h>

#include "tests/unit/fake.h"
#include "tests/unit/fake_analog.h"

enum { ATTR_GAIN, ATTR_FAST, ATTR_LEVEL, ATTR_TEMPERATURE };

static const struct nmhal_attr_info attr_table[FAKE_ATTRS] = {
	[ATTR_GAIN] = {.struct_size = sizeof(struct nmhal_attr_info), .key = "gain", .unit = "", .summary = "a number",
		.type = NMHAL_ATTR_INT, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED, .min = 0, .max = 100},
	[ATTR_FAST] = {.struct_size = sizeof(struct nmhal_attr_info), .key = "fast", .unit = "", .summary = "a switch",
		.type = NMHAL_ATTR_BOOL, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED, .min = 0, .max = 1},
	[ATTR_LEVEL] = {.struct_size = sizeof(struct nmhal_attr_info), .key = "level", .unit = "V",
		.summary = "a voltage", .type = NMHAL_ATTR_REAL, .flags = NMHAL_ATTR_WRITABLE, .real_min = 0,
		.real_max = 1},
	[ATTR_TEMPERATURE] = {.struct_size = sizeof(struct nmhal_attr_info), .key = "temperature", .unit = "K",
		.summary = "a sensor", .type = NMHAL_ATTR_REAL, .real_min = 0, .real_max = 1000},
};

static void sleep_ms(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

/* ---- trouble on demand ------------------------------------------------------------------------------------------- */

static int wait_deaf(struct fake *fake)
{
	while (!atomic_load(&fake->woken))
		sleep_ms(1);
	atomic_store(&fake->woken, false);
	return nmhal_host_fail(fake->host, NMHAL_E_CANCELED, "fake: woken by the interrupt op");
}

static int dawdle(struct fake *fake, int64_t deadline_ns)
{
	int64_t until = nmhal_now_ns() + (int64_t)fake->delay_ms * 1000000;
	int status = NMHAL_OK;

	atomic_store(&fake->blocked, true);
	if (fake->block_deaf)
		status = wait_deaf(fake);
	while (!status && (fake->block || nmhal_now_ns() < until)) {
		status = nmhal_host_poll(fake->host, deadline_ns, "fake");
		sleep_ms(1);
	}
	atomic_store(&fake->blocked, false);
	return status;
}

int fake_begin(struct fake *fake, enum fake_op op, int64_t deadline_ns)
{
	unsigned call = atomic_fetch_add(&fake->calls[op], 1) + 1;
	int status = NMHAL_OK;

	if (atomic_fetch_add(&fake->inside, 1))
		atomic_fetch_add(&fake->overlaps, 1);
	fake->last_deadline = deadline_ns;
	if (fake->slow_op == op && (fake->delay_ms || fake->block || fake->block_deaf))
		status = dawdle(fake, deadline_ns);
	if (!status && fake->fail_at == call && fake->fail_op == op)
		status = nmhal_host_fail(fake->host, fake->fail_status, "fake: call %u of op %d: fails as asked", call,
			op);
	return status;
}

int fake_end(struct fake *fake, int status)
{
	atomic_fetch_sub(&fake->inside, 1);
	return status;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

int16_t *fake_code(struct fake *fake, uint32_t core, uint32_t row, uint32_t col)
{
	return &fake->codes[((size_t)core * fake->caps.rows + row) * fake->caps.cols + col];
}

static int16_t read_cell(struct fake *fake, uint32_t core, uint32_t row, uint32_t col)
{
	const struct nmhal_cell *stuck = &fake->stuck_cell;

	fake->cells_read++;
	if (fake->stuck && stuck->core == core && stuck->row == row && stuck->col == col)
		return (int16_t)stuck->code;
	return *fake_code(fake, core, row, col);
}

static void write_cell(struct fake *fake, uint32_t core, uint32_t row, uint32_t col, int code)
{
	fake->cells_written++;
	*fake_code(fake, core, row, col) = (int16_t)code;
}

static int fake_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_WRITE_WEIGHTS, deadline_ns);

	for (uint32_t row = 0; !status && row < region->rows; row++) {
		for (uint32_t col = 0; col < region->cols; col++)
			write_cell(fake, region->core, region->row + row, region->col + col, codes[row * stride + col]);
	}
	return fake_end(fake, status);
}

static int fake_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_READ_WEIGHTS, deadline_ns);

	for (uint32_t row = 0; !status && row < region->rows; row++) {
		for (uint32_t col = 0; col < region->cols; col++)
			codes[row * stride + col] = read_cell(fake, region->core, region->row + row, region->col + col);
	}
	return fake_end(fake, status);
}

static int fake_write_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_WRITE_CELLS, deadline_ns);

	for (size_t i = 0; !status && i < count; i++)
		write_cell(fake, cells[i].core, cells[i].row, cells[i].col, cells[i].code);
	return fake_end(fake, status);
}

static int fake_read_cells(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_READ_CELLS, deadline_ns);

	for (size_t i = 0; !status && i < count; i++)
		cells[i].code = read_cell(fake, cells[i].core, cells[i].row, cells[i].col);
	return fake_end(fake, status);
}

/* Saturates at the weight range, as a board with an adder would. */
static int fake_add_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_ADD_CELLS, deadline_ns);

	for (size_t i = 0; !status && i < count; i++) {
		int sum = *fake_code(fake, cells[i].core, cells[i].row, cells[i].col) + cells[i].code;

		if (sum > fake->caps.weight_max)
			sum = fake->caps.weight_max;
		if (sum < fake->caps.weight_min)
			sum = fake->caps.weight_min;
		write_cell(fake, cells[i].core, cells[i].row, cells[i].col, sum);
	}
	return fake_end(fake, status);
}

/* ---- inference --------------------------------------------------------------------------------------------------- */

static int32_t get_code(const void *codes, uint32_t type, size_t index)
{
	if (type == NMHAL_CODE_I8)
		return ((const int8_t *)codes)[index];
	if (type == NMHAL_CODE_I16)
		return ((const int16_t *)codes)[index];
	return ((const int32_t *)codes)[index];
}

static void put_code(void *codes, uint32_t type, size_t index, int32_t code)
{
	if (type == NMHAL_CODE_I8)
		((int8_t *)codes)[index] = (int8_t)code;
	else if (type == NMHAL_CODE_I16)
		((int16_t *)codes)[index] = (int16_t)code;
	else
		((int32_t *)codes)[index] = code;
}

static int32_t product(struct fake *fake, const struct nmhal_inference *op, uint32_t vector, uint32_t output)
{
	const struct nmhal_region *region = &op->region;
	bool transposed = op->flags & NMHAL_INFER_TRANSPOSED;
	uint32_t inputs = transposed ? region->cols : region->rows;
	int32_t sum = 0;

	for (uint32_t i = 0; i < inputs; i++) {
		uint32_t row = region->row + (transposed ? output : i);
		uint32_t col = region->col + (transposed ? i : output);

		sum += get_code(op->in, op->in_type, vector * op->in_stride + i) *
		       *fake_code(fake, region->core, row, col);
	}
	return sum;
}

static int fake_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns)
{
	struct fake *fake = self;
	uint32_t outputs = op->flags & NMHAL_INFER_TRANSPOSED ? op->region.rows : op->region.cols;
	int status = fake_begin(fake, FAKE_RUN_INFERENCE, deadline_ns);

	for (uint32_t vector = 0; !status && vector < op->batch; vector++) {
		for (uint32_t output = 0; output < outputs; output++) {
			int32_t sum = product(fake, op, vector, output);
			int32_t code = sum > fake->caps.output_max ? fake->caps.output_max : sum;

			code = code < fake->caps.output_min ? fake->caps.output_min : code;
			put_code(op->out, op->out_type, vector * op->out_stride + output, code);
			if (op->saturated)
				op->saturated[(size_t)vector * outputs + output] = code != sum;
		}
	}
	return fake_end(fake, status);
}

/* ---- spikes ------------------------------------------------------------------------------------------------------ */

static int fake_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_SPIKES_START, deadline_ns);

	if (!status) {
		fake->run = op;
		fake->next_input = 0;
		fake->events_in = 0;
		fake->events_out = 0;
	}
	return fake_end(fake, status);
}

static int push_column(struct fake *fake, const struct nmhal_event *in, uint32_t col, uint64_t *pushed)
{
	const struct nmhal_event out = {.step = in->step, .address = col, .core = in->core};

	for (int i = 0; i < *fake_code(fake, in->core, in->address, col); i++) {
		if (*pushed == fake->run->max_events_per_input)
			return nmhal_host_fail(fake->host, NMHAL_E_LIMIT,
				"run spikes: event %zu: more than %" PRIu64 " outputs", fake->next_input, *pushed);
		nmhal_host_push(fake->host, &out, 1);
		fake->events_out++;
		++*pushed;
	}
	return NMHAL_OK;
}

static int apply(struct fake *fake, const struct nmhal_event *in)
{
	uint64_t pushed = 0;
	int status = NMHAL_OK;

	fake->events_in++;
	if (in->kind == NMHAL_EVENT_VIRTUAL)
		fake->neurons[in->core * fake->caps.cols + in->address].potential += in->value;
	if (in->kind != NMHAL_EVENT_SPIKE)
		return NMHAL_OK;
	for (uint32_t col = 0; !status && col < fake->caps.cols; col++)
		status = push_column(fake, in, col, &pushed);
	return status;
}

static int fake_spikes_pump(void *self, int *done, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_SPIKES_PUMP, deadline_ns);

	for (uint32_t i = 0; !status && i < fake->pump_inputs && fake->next_input < fake->run->in_count; i++) {
		status = apply(fake, &fake->run->in[fake->next_input]);
		fake->next_input++;
	}
	*done = fake->next_input == fake->run->in_count;
	return fake_end(fake, status);
}

static int fake_spikes_stop(void *self, int run_status, struct nmhal_spike_report *report)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_SPIKES_STOP, 0);

	fake->stop_status = run_status;
	fake->run = NULL;
	report->events_in = fake->events_in;
	report->sops = fake->events_in * fake->caps.cols;
	return fake_end(fake, status);
}

/* ---- neurons, attributes, the rest ------------------------------------------------------------------------------- */

static int fake_set_neurons(void *self, uint32_t core, uint32_t first, uint32_t count,
	const struct nmhal_neuron *neurons, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_SET_NEURONS, deadline_ns);

	if (!status)
		memcpy(&fake->neurons[core * fake->caps.cols + first], neurons, count * sizeof(*neurons));
	return fake_end(fake, status);
}

static int fake_get_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_GET_NEURONS, deadline_ns);

	if (!status)
		memcpy(neurons, &fake->neurons[core * fake->caps.cols + first], count * sizeof(*neurons));
	return fake_end(fake, status);
}

static int fake_reset_state(void *self, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_RESET_STATE, deadline_ns);

	for (size_t i = 0; !status && i < FAKE_MAX_NEURONS; i++)
		fake->neurons[i].potential = 0;
	return fake_end(fake, status);
}

static int fake_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_ATTR_GET, deadline_ns);

	if (!status) {
		value->integer = fake->attrs[index].integer;
		value->real = fake->attrs[index].real;
	}
	return fake_end(fake, status);
}

static int fake_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_ATTR_SET, deadline_ns);

	if (!status)
		fake->attrs[index] = *value;
	return fake_end(fake, status);
}

static int fake_counter(void *self, const char *key, uint64_t *value)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_COUNTER, 0);

	if (!status && strcmp(key, "sops") != 0)
		status = NMHAL_E_UNSUPPORTED;
	if (!status)
		*value = 42;
	return fake_end(fake, status);
}

static int fake_reset(void *self, int64_t deadline_ns)
{
	struct fake *fake = self;

	return fake_end(fake, fake_begin(fake, FAKE_RESET, deadline_ns));
}

static void fake_interrupt(void *self)
{
	struct fake *fake = self;

	atomic_fetch_add(&fake->calls[FAKE_INTERRUPT], 1);
	/* Nothing runs: the core keeps the flag. */
	if (fake->block_deaf && atomic_load(&fake->blocked))
		atomic_store(&fake->woken, true);
}

static int fake_caps(void *self, struct nmhal_device_caps *caps)
{
	struct fake *fake = self;
	int status = fake_begin(fake, FAKE_CAPS, 0);

	if (!status)
		*caps = fake->caps;
	return fake_end(fake, status);
}

static void fake_close(void *self)
{
	struct fake *fake = self;

	atomic_fetch_add(&fake->calls[FAKE_CLOSE], 1);
	ck_assert(atomic_exchange(&fake->is_open, false));
	ck_assert_uint_eq(atomic_load(&fake->inside), 0);
	if (fake->bus.ops)
		fake->bus.ops->close(fake->bus.self);
}

/* ---- driver ------------------------------------------------------------------------------------------------------ */

/* The fake whose address the URI gives; NULL (0) fails with a sentence. */
int fake_find(struct nmhal_host *host, const struct nmhal_uri *uri, struct fake **fake)
{
	uint64_t at;
	int status = nmhal_uri_number(host, uri, "at", 0, 1, UINTPTR_MAX, &at);

	if (!status && !at)
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: there is no fake at 0");
	*fake = status ? NULL : (struct fake *)(uintptr_t)at;
	return status;
}

static int fake_driver_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct fake *fake;
	int status = fake_find(host, uri, &fake);

	if (status)
		return status;
	ck_assert(!bus->ops == !atomic_load(&fake->bus_is_open));
	ck_assert_ptr_null(stream->ops);
	fake->host = host;
	fake->bus = *bus;
	status = fake_begin(fake, FAKE_OPEN, deadline_ns);
	if (!status) {
		ck_assert(!atomic_exchange(&fake->is_open, true));
		*ops = &fake->ops;
		*self = fake;
	}
	return fake_end(fake, status);
}

const struct nmhal_key fake_keys[] = {{"at", "address of the struct fake"}, {NULL, NULL}};
static const struct nmhal_key color_keys[] = {{"color", "a key of the driver"}, {NULL, NULL}};
static const char *const fake_boards[] = {"board", NULL};
static const char *const fake_bus_boards[] = {"busboard", NULL};

const struct nmhal_driver fake_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_NOTHING, .struct_size = sizeof(fake_driver), .name = "fake",
	.summary = "a board in memory", .boards = fake_boards, .scheme = "fake", .keys = fake_keys, .attrs = attr_table,
	.attr_count = FAKE_ATTRS, .open = fake_driver_open,
};

const struct nmhal_driver fake_bus_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_BUS, .struct_size = sizeof(fake_bus_driver), .name = "fakebus",
	.summary = "a board in memory, behind a bus", .boards = fake_bus_boards, .keys = color_keys,
	.attrs = attr_table, .attr_count = FAKE_ATTRS, .open = fake_driver_open,
};

/* ---- for tests --------------------------------------------------------------------------------------------------- */

static const struct nmhal_device_ops all_ops = {
	.struct_size = sizeof(all_ops),
	.close = fake_close,
	.caps = fake_caps,
	.write_weights = fake_write_weights,
	.read_weights = fake_read_weights,
	.write_cells = fake_write_cells,
	.read_cells = fake_read_cells,
	.add_cells = fake_add_cells,
	.run_inference = fake_run_inference,
	.spikes_start = fake_spikes_start,
	.spikes_pump = fake_spikes_pump,
	.spikes_stop = fake_spikes_stop,
	.set_neurons = fake_set_neurons,
	.get_neurons = fake_get_neurons,
	.reset_state = fake_reset_state,
	.attr_get = fake_attr_get,
	.attr_set = fake_attr_set,
	.counter = fake_counter,
	.reset = fake_reset,
	.interrupt = fake_interrupt,
	FAKE_ANALOG_OPS,
};

void fake_init(struct fake *fake, uint32_t cores, uint32_t rows, uint32_t cols)
{
	ck_assert_uint_le(cores * rows * cols, FAKE_MAX_CELLS);
	ck_assert_uint_le(cores * cols, FAKE_MAX_NEURONS);
	memset(fake, 0, sizeof(*fake));
	fake->ops = all_ops;
	fake->bus_ops = fake_bus_ops;
	fake->pump_inputs = 1;
	fake->caps = (struct nmhal_device_caps){
		.struct_size = sizeof(fake->caps),
		.features = NMHAL_CAN_LEAK_EVENTS | NMHAL_CAN_VIRTUAL_EVENTS | NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER |
			    NMHAL_CAN_BACK_TO_BACK | NMHAL_CAN_INFER_TRANSPOSED | NMHAL_CAN_INFER_BIT_SERIAL,
		.cores = cores, .rows = rows, .cols = cols, .max_batch = 64,
		.weight_min = -8, .weight_max = 7, .weight_bits = 4,
		.input_min = -128, .input_max = 127, .input_bits = 8,
		.output_min = -32768, .output_max = 32767, .output_bits = 16,
		.threshold_max = 4095, .leak_max = 127, .potential_min = -2048, .potential_max = 2047,
		.virtual_min = -8, .virtual_max = 7, .virtual_address_max = cols - 1, .leak_one_address_max = cols - 1,
		.neuron_model = NMHAL_NEURON_LIF_RESET_ZERO, .default_timeout_ms = NMHAL_WAIT_FOREVER,
		.board = "board", .driver = "fake", .serial = "F-1",
	};
	fake_analog_init(fake);
	fake->lists.attrs = attr_table;
	fake->lists.attr_count = FAKE_ATTRS;
	fake->attrs[ATTR_GAIN].integer = 7;
	fake->attrs[ATTR_TEMPERATURE].real = 293.5;
}

nmhal_context *fake_context(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx = NULL;

	params.drivers = "";
	params.log_level = NMHAL_LOG_NONE;
	ck_assert_int_eq(nmhal_context_new(&params, &ctx), NMHAL_OK);
	ck_assert_int_eq(nmhal_context_add_driver(ctx, &fake_driver), NMHAL_OK);
	ck_assert_int_eq(nmhal_context_add_driver(ctx, &fake_bus_driver), NMHAL_OK);
	ck_assert_int_eq(nmhal_context_add_link(ctx, &fake_link), NMHAL_OK);
	return ctx;
}

const char *fake_uri(const struct fake *fake, const char *extra, char *uri)
{
	snprintf(uri, FAKE_URI_SIZE, "fake:board,at=0x%" PRIxPTR "%s", (uintptr_t)fake, extra);
	return uri;
}

const char *fake_bus_uri(const struct fake *fake, const char *extra, char *uri)
{
	snprintf(uri, FAKE_URI_SIZE, "fakelink:busboard,at=0x%" PRIxPTR "%s", (uintptr_t)fake, extra);
	return uri;
}

nmhal_device *fake_open(nmhal_context *ctx, const struct fake *fake)
{
	nmhal_device *dev = NULL;
	char uri[FAKE_URI_SIZE];
	int status = nmhal_device_open(ctx, fake_uri(fake, "", uri), NULL, &dev);

	ck_assert_msg(status == NMHAL_OK, "%s", nmhal_last_error());
	return dev;
}

bool fake_wait_blocked(struct fake *fake)
{
	for (int i = 0; i < 10000; i++) {
		if (atomic_load(&fake->blocked))
			return true;
		sleep_ms(1);
	}
	return false;
}

void fake_fail_next(struct fake *fake, enum fake_op op, int status)
{
	fake->fail_op = op;
	fake->fail_at = atomic_load(&fake->calls[op]) + 1;
	fake->fail_status = status;
}
