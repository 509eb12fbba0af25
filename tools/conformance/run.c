/* SPDX-License-Identifier: MIT */
/* The driver that keeps the stream, and the loop over all cases. */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct conformance_group groups[] = {
	{"sessions", session_cases},
	{"frames", frame_cases},
	{"capabilities", caps_cases},
	{"weights", weight_cases},
	{"inference", inference_cases},
	{"neurons and spikes", neuron_cases},
	{"attributes, sensors, counters", declared_cases},
	{"safety", safety_cases},
	{"cells", cell_cases},
};

void say(struct run *run, enum verdict verdict, const char *format, ...)
{
	va_list args;

	if (run->verdict == VERDICT_FAILED)
		return;
	run->verdict = verdict;
	va_start(args, format);
	vsnprintf(run->said, sizeof(run->said), format, args);
	va_end(args);
}

const char *status_name(uint16_t status)
{
#define STATUS_NAME(name, number, text) [number] = #name,
	static const char *const names[] = {NMLINK_STATUSES(STATUS_NAME)};

	return status < sizeof(names) / sizeof(*names) ? names[status] : "a status that is none";
}

bool has_op(const struct run *run, uint16_t op)
{
	const struct nmlink_ops_cap *ops = &run->caps.ops;

	for (uint32_t at = 0; at + 2 <= ops->tail_size; at += 2)
		if (nmlink_load_u16(ops->tail + at) == op)
			return true;
	return false;
}

/* ---- attempts ---------------------------------------------------------------------------------------------------- */

bool hit(const struct run *run)
{
	return run->faults != run->begun;
}

bool item_done(struct run *run)
{
	if (hit(run))
		return false;
	run->item++;
	run->in_a_row = 1;
	return true;
}

/* A session in which nothing is left of earlier ones. */
static bool begin_attempt(struct run *run)
{
	struct reply reply;

	run->verdict = VERDICT_PASSED;
	run->said[0] = '\0';
	run->begun = run->faults;
	run->attempts++;
	run->in_a_row++;
	return (!run->faulty || wire_flush(run)) && hello(run, &reply);
}

static bool another_attempt(const struct run *run)
{
	return hit(run) && run->status == NMHAL_OK && run->in_a_row < MOST_ATTEMPTS;
}

void put_back(struct run *run, uint16_t op, const uint8_t *payload, size_t size)
{
	struct reply reply;

	for (unsigned n = 0; n < MOST_ATTEMPTS && run->status == NMHAL_OK; n++) {
		const unsigned faults = run->faults;

		/* In a new session: a case that failed may have lost count. */
		if ((!run->faulty || wire_flush(run)) && hello(run, &reply) &&
			ask(run, op, payload, size, NMLINK_OK, &reply))
			return;
		if (faults == run->faults)
			return;
	}
}

/* ---- all cases --------------------------------------------------------------------------------------------------- */

static void run_case(struct run *run, const char *group, const struct conformance_case *c)
{
	run->begin(run, group, c->name);
	run->attempts = run->in_a_row = 0;
	run->item = 0;
	do {
		if (begin_attempt(run))
			c->run(run);
	} while (another_attempt(run));
	if (hit(run) && run->status == NMHAL_OK) {
		run->verdict = VERDICT_UNDECIDED;
		snprintf(run->said, sizeof(run->said), "faults hit each of %u attempts", run->in_a_row);
	}
	run->end(run);
}

/* Reads the records: cases need to know what the board has. */
static bool get_to_know(struct run *run)
{
	bool known;

	run->attempts = run->in_a_row = 0;
	do
		known = begin_attempt(run) && read_caps(run);
	while (!known && another_attempt(run));
	return known;
}

/* A cell that is not on the board would fail cases for no fault of the board's. */
static int check_cell(struct run *run)
{
	const struct nmlink_array_cap *array = &run->caps.array;
	const struct nmlink_cell *cell = &run->cell;

	if (!run->pulse || (cell->tile < array->tiles && cell->row < array->rows && cell->col < array->cols))
		return NMHAL_OK;
	return nmhal_host_fail(run->host, NMHAL_E_INVALID, "conformance: --pulse %u,%u,%u: the board has %u cores of "
		"%u rows x %u columns", cell->tile, cell->row, cell->col, array->tiles, array->rows, array->cols);
}

/* Each case has a session of its own. */
static int run_all(struct run *run)
{
	if (!wire_flush(run) && run->status != NMHAL_OK)
		return run->status;
	if (!get_to_know(run))
		return run->status ? run->status : nmhal_host_fail(run->host, NMHAL_E_PROTOCOL,
			"conformance: no session with the board: %s", run->said);
	if (check_cell(run) != NMHAL_OK)
		return NMHAL_E_INVALID;
	for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++)
		for (const struct conformance_case *c = groups[g].cases; c->name && run->status == NMHAL_OK; c++)
			run_case(run, groups[g].name, c);
	/* A new session leaves the board disarmed, with its lines at 0 V. */
	run->in_a_row = 0;
	while (run->status == NMHAL_OK && !begin_attempt(run) && another_attempt(run))
		;
	return run->status;
}

/* ---- driver ------------------------------------------------------------------------------------------------------ */

struct board {
	struct nmhal_host *host;
	struct nmhal_stream stream;
	struct run *run;
};

static void board_close(void *self)
{
	struct board *board = self;

	board->stream.ops->close(board->stream.self);
	free(board);
}

static int board_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->cores = caps->rows = caps->cols = 1;
	return NMHAL_OK;
}

static int board_write(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return nmhal_host_fail(
		((struct board *)self)->host, NMHAL_E_UNSUPPORTED, "write weights: not in a run of conformance");
}

static int board_read(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns)
{
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return nmhal_host_fail(
		((struct board *)self)->host, NMHAL_E_UNSUPPORTED, "read weights: not in a run of conformance");
}

static int board_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	(void)index;
	(void)deadline_ns;
	value->integer = (int64_t)(intptr_t)((struct board *)self)->run;
	return NMHAL_OK;
}

static int board_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns)
{
	(void)index;
	(void)deadline_ns;
	/* Of this process, from cmd_conformance.c. NOLINTNEXTLINE(performance-no-int-to-ptr) */
	((struct board *)self)->run = (struct run *)(intptr_t)value->integer;
	return NMHAL_OK;
}

static int board_reset(void *self, int64_t deadline_ns)
{
	struct board *board = self;
	struct run *run = board->run;
	int status;

	(void)deadline_ns;
	run->host = board->host;
	run->stream = board->stream;
	status = wire_open(run) ? run_all(run) :
				  nmhal_host_fail(board->host, NMHAL_E_NO_MEMORY, "conformance: no memory");
	wire_close(run);
	return status;
}

static void board_interrupt(void *self)
{
	struct board *board = self;

	if (board->stream.ops->interrupt)
		board->stream.ops->interrupt(board->stream.self);
}

static const struct nmhal_device_ops board_ops = {
	.struct_size = sizeof(struct nmhal_device_ops), .close = board_close, .caps = board_caps,
	.write_weights = board_write, .read_weights = board_read, .attr_get = board_attr_get,
	.attr_set = board_attr_set, .reset = board_reset, .interrupt = board_interrupt,
};

static int board_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct board *board = calloc(1, sizeof(*board));

	(void)uri;
	(void)bus;
	(void)deadline_ns;
	if (!board)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory");
	*board = (struct board){.host = host, .stream = *stream};
	*ops = &board_ops;
	*self = board;
	return NMHAL_OK;
}

static const struct nmhal_attr_info attrs[] = {
	{.struct_size = sizeof(struct nmhal_attr_info), .key = CONFORMANCE_RUN_KEY, .unit = "",
		.summary = "the run that a reset makes", .type = NMHAL_ATTR_INT, .flags = NMHAL_ATTR_WRITABLE,
		.min = INT64_MIN, .max = INT64_MAX},
};

/* Every board name behind which there is nmlink. */
static const char *const boards[] = {"nmlink", "xbar8", "xbar64", "xbar256", "xbar1024", "spike256", NULL};

const struct nmhal_driver conformance_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_STREAM, .struct_size = sizeof(struct nmhal_driver),
	.name = "conformance", .summary = "keeps the stream of an nmlink board for its conformance run",
	.boards = boards, .attrs = attrs, .attr_count = 1, .open = board_open,
};
