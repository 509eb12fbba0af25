/* SPDX-License-Identifier: MIT */
/*
 * The skeleton of a driver, to be copied: a crossbar of 8 x 8 weights in memory, behind no link at all ("null:").
 * What a board of your own needs instead is told at each place; docs/driver-howto.md walks through it.
 *
 * The core has checked every argument before it calls an op here, and calls one op at a time. So there are no locks, no
 * range checks, and no NULL checks below.
 */
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#define ROWS       8u
#define COLS       8u
#define OUTPUT_MIN (-32768)
#define OUTPUT_MAX 32767

/* Attributes are what is peculiar to your board. The index the core passes is the place in null_attrs. */
enum null_attr { ATTR_SHIFT, ATTR_COUNT };

/* An open board. No globals: two boards of a kind may be open at once. */
struct null_board {
	struct nmhal_host *host; /* for nmhal_host_fail(), nmhal_host_poll() and nmhal_host_log() */
	int64_t shift;
	int16_t codes[ROWS][COLS];
};

static const struct nmhal_attr_info null_attrs[ATTR_COUNT] = {
	[ATTR_SHIFT] = {
		.struct_size = sizeof(struct nmhal_attr_info), .key = "shift", .unit = "bit",
		.summary = "output codes are sums shifted right by this",
		.type = NMHAL_ATTR_INT, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED, .min = 0, .max = 7,
	},
};

/*
 * Required. Leave the board at rest (lines at 0 V, clocks stopped), then close the link, then free. Must not fail and
 * must not wait for a board that no longer answers.
 */
static void null_close(void *self)
{
	free(self);
}

/*
 * Required. Say what the board is, from what open learned: no I/O here. All is zero before the call, so name only
 * what is there. The core checks arguments against these ranges, so a wrong range is a wrong check.
 */
static int null_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->features = NMHAL_CAN_READ_WEIGHTS | NMHAL_CAN_RESET_STATE | NMHAL_CAN_INFER | NMHAL_CAN_RESET;
	caps->cores = 1;
	caps->rows = ROWS;
	caps->cols = COLS;
	caps->max_batch = 1024;
	caps->weight_bits = 8;
	caps->weight_min = -128;
	caps->weight_max = 127;
	caps->input_bits = 8;
	caps->input_min = -128;
	caps->input_max = 127;
	caps->output_bits = 16;
	caps->output_min = OUTPUT_MIN;
	caps->output_max = OUTPUT_MAX;
	/* A board takes what its link's info says. Nothing here waits, so no clock needs to be read. */
	caps->default_timeout_ms = NMHAL_WAIT_FOREVER;
	memcpy(caps->board, "null", sizeof("null"));
	memcpy(caps->driver, "null", sizeof("null"));
	return NMHAL_OK;
}

/*
 * Required. codes[row][col] of the region, `stride` elements a row. The board has one core, so region->core is 0. Send
 * large pieces, pass the deadline down to the link, ask nmhal_host_poll() between pieces: see drivers/odin/weights.c.
 */
static int null_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct null_board *board = self;

	(void)deadline_ns;
	for (uint32_t row = 0; row < region->rows; row++)
		memcpy(&board->codes[region->row + row][region->col], codes + row * stride,
			region->cols * sizeof(*codes));
	return NMHAL_OK;
}

/* Required. Read the board, never a copy in the driver: this is what VERIFY compares with. */
static int null_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	struct null_board *board = self;

	(void)deadline_ns;
	for (uint32_t row = 0; row < region->rows; row++)
		memcpy(codes + row * stride, &board->codes[region->row + row][region->col],
			region->cols * sizeof(*codes));
	return NMHAL_OK;
}

static int32_t code_at(const void *codes, uint32_t type, size_t index)
{
	switch (type) {
	case NMHAL_CODE_I8:
		return ((const int8_t *)codes)[index];
	case NMHAL_CODE_I16:
		return ((const int16_t *)codes)[index];
	default:
		return ((const int32_t *)codes)[index];
	}
}

static void put_code(void *codes, uint32_t type, size_t index, int32_t code)
{
	switch (type) {
	case NMHAL_CODE_I8:
		((int8_t *)codes)[index] = (int8_t)code;
		break;
	case NMHAL_CODE_I16:
		((int16_t *)codes)[index] = (int16_t)code;
		break;
	default:
		((int32_t *)codes)[index] = code;
	}
}

/* Sum of one column over the rows of the region: what the analog array of a board does at once. */
static int32_t column_sum(const struct null_board *board, const struct nmhal_inference *op, uint32_t vector,
	uint32_t col)
{
	int32_t sum = 0;

	for (uint32_t row = 0; row < op->region.rows; row++)
		sum += code_at(op->in, op->in_type, vector * op->in_stride + row) *
			board->codes[op->region.row + row][op->region.col + col];
	return sum >> board->shift;
}

/*
 * Optional, with NMHAL_CAN_INFER. One call is one batch; strides are filled in. Send the whole batch before waiting for
 * the first answer. An output the converter clipped is marked in `saturated`, if the caller asked.
 */
static int null_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns)
{
	struct null_board *board = self;
	int status = NMHAL_OK;

	for (uint32_t vector = 0; vector < op->batch && status == NMHAL_OK; vector++) {
		for (uint32_t col = 0; col < op->region.cols; col++) {
			int32_t sum = column_sum(board, op, vector, col);
			int32_t code = sum < OUTPUT_MIN ? OUTPUT_MIN : sum > OUTPUT_MAX ? OUTPUT_MAX : sum;

			put_code(op->out, op->out_type, vector * op->out_stride + col, code);
			if (op->saturated)
				op->saturated[(size_t)vector * op->region.cols + col] = code != sum;
		}
		status = nmhal_host_poll(board->host, deadline_ns, "inference");
	}
	return status;
}

/*
 * Optional, with NMHAL_CAN_RESET_STATE. Bring what an inference or a run leaves behind to zero. This board has no such
 * state, which makes it the cheapest call there is: the benchmark measures the library's own cost with it.
 */
static int null_reset_state(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	return NMHAL_OK;
}

/* Optional. value->type is set already. */
static int null_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct null_board *board = self;

	(void)index; /* there is one attribute; with more, switch (index) */
	(void)deadline_ns;
	value->integer = board->shift;
	return NMHAL_OK;
}

/* Only needed if an attribute is writable. The value is inside the range of the table. */
static int null_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct null_board *board = self;

	(void)index;
	(void)deadline_ns;
	board->shift = value->integer;
	return NMHAL_OK;
}

/* Optional, with NMHAL_CAN_RESET. Back to the state after open: attributes have their first values, memories stay. */
static int null_reset(void *self, int64_t deadline_ns)
{
	struct null_board *board = self;

	(void)deadline_ns;
	board->shift = 0;
	return NMHAL_OK;
}

/*
 * What is left out is answered by the core: with a fallback (write_cells) or UNSUPPORTED. See <nmhal/driver.h>. A board
 * of analog cells would add cell_pulse, cell_ramp, read_conductance and cell_sweep (all or none), limits_get,
 * limits_set, arm, disarm and safe_state (all or none), and describe with read_sensor for sensors of its own.
 */
static const struct nmhal_device_ops null_ops = {
	.struct_size = sizeof(struct nmhal_device_ops),
	.close = null_close,
	.caps = null_caps,
	.write_weights = null_write_weights,
	.read_weights = null_read_weights,
	.run_inference = null_run_inference,
	.reset_state = null_reset_state,
	.attr_get = null_attr_get,
	.attr_set = null_attr_set,
	.reset = null_reset,
};

/*
 * Opens the board behind `bus` or `stream` (both zero for a driver that needs nothing), finds out what it is and
 * brings it to rest. After OK the driver owns the link; after a failure the core closes it and this function has
 * freed its own. Fail with a sentence: nmhal_host_fail(host, NMHAL_E_PROTOCOL, "hello: the board answered %u bytes,
 * not 16", size).
 */
static int null_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct null_board *board = calloc(1, sizeof(*board));

	(void)uri; /* keys of your own: name them in the driver's `keys`, read them with nmhal_uri_value() */
	(void)bus;
	(void)stream;
	(void)deadline_ns;
	if (!board)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for %zu bytes", sizeof(*board));
	board->host = host;
	*ops = &null_ops;
	*self = board;
	return NMHAL_OK;
}

static const char *const null_boards[] = {"null", NULL};

/* drivers/meson.build collects this by its name: nm_driver_ and the name of the folder. */
extern const struct nmhal_driver nm_driver_null;
const struct nmhal_driver nm_driver_null = {
	.abi = NMHAL_DRIVER_ABI,
	.needs = NMHAL_NEEDS_NOTHING, /* a board on an SPI bus: ..._BUS; one with a protocol: ..._STREAM */
	.struct_size = sizeof(struct nmhal_driver),
	.name = "null",
	.summary = "8 x 8 weights in memory: the skeleton of a driver",
	.boards = null_boards, /* the names that pick this driver in URIs */
	.scheme = "null",      /* only for a driver that needs no link */
	.attrs = null_attrs,
	.attr_count = ATTR_COUNT,
	.open = null_open,
};
