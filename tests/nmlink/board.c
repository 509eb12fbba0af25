/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>

#include "board.h"

/* ---- the hardware ------------------------------------------------------------------------------------------------ */

static struct board *board_of(const struct nmlink_core *core)
{
	return core->self;
}

void board_note(struct board *board, const char *format, ...)
{
	const size_t room = sizeof(board->log) - board->log_size;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(board->log + board->log_size, room, format, args);
	va_end(args);
	ck_assert_int_ge(size, 0);
	ck_assert_uint_lt((size_t)size, room);
	board->log_size += (size_t)size;
}

const char *board_log(struct board *board)
{
	/* "; " at the end goes. */
	board->log[board->log_size >= 2 ? board->log_size - 2 : 0] = 0;
	board->log_size = 0;
	return board->log;
}

static void note_bytes(struct board *board, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		board_note(board, " %02x", bytes[i]);
	board_note(board, "; ");
}

static enum nmlink_status outcome(struct nmlink_core *core)
{
	const struct board *board = board_of(core);

	return board->fails ? nmlink_core_fail(core, board->fails, 77, board->complaint) : NMLINK_OK;
}

static void safe(struct nmlink_core *core)
{
	board_note(board_of(core), "safe; ");
}

static uint32_t clock_ms(struct nmlink_core *core)
{
	return board_of(core)->now_ms;
}

static uint64_t time_ns(struct nmlink_core *core)
{
	return UINT64_C(1000000) * board_of(core)->now_ms;
}

static enum nmlink_status write(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	board_note(board_of(core), "write %u %u %u %ux%u", m->tile, m->row, m->col, m->rows, m->cols);
	note_bytes(board_of(core), m->tail, m->tail_size);
	return outcome(core);
}

static enum nmlink_status read(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	board_note(board_of(core), "read %u %u %u %ux%u use %u; ", m->tile, m->row, m->col, m->rows, m->cols,
		(unsigned)m->use);
	for (uint32_t i = 0; i < (uint32_t)m->rows * m->cols; i++)
		codes[i] = (uint8_t)-(int)(i + 1);
	return outcome(core);
}

static enum nmlink_status add(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m,
	bool *saturated)
{
	board_note(board_of(core), "add %u %u %u %d; ", tile, m->row, m->col, m->code);
	*saturated = m->code > 7;
	return outcome(core);
}

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	const uint32_t count = m->flags & NMLINK_INFER_TRANSPOSED ? m->rows : m->cols;

	board_note(board_of(core), "infer %u %u %u %ux%u batch %u flags %u vector %u", m->tile, m->row, m->col, m->rows,
		m->cols, m->batch, m->flags, (unsigned)m->first_vector);
	note_bytes(board_of(core), m->tail, m->tail_size);
	for (uint32_t b = 0; b < m->batch; b++) {
		ck_assert_uint_eq(clipped[b], 0);
		clipped[b] = (uint8_t)(b + 1);
		for (uint32_t o = 0; o < count; o++)
			outputs[b * count + o] = (uint8_t)(10 * b + o);
	}
	core->board->call.poll(core);
	return nmlink_core_aborted(core) ? NMLINK_EABORTED : outcome(core);
}

static enum nmlink_status set_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	const struct nmlink_neuron_record *m)
{
	board_note(board_of(core), "set %u %u %d %d %d %u; ", tile, index, m->threshold, m->leak, m->potential,
		m->enabled);
	return outcome(core);
}

static enum nmlink_status get_neuron(struct nmlink_core *core, uint16_t tile, uint16_t index,
	struct nmlink_neuron_record *m)
{
	*m = (struct nmlink_neuron_record){ .threshold = index, .leak = -tile, .potential = 5, .enabled = 1 };
	return outcome(core);
}

static enum nmlink_status reset_state(struct nmlink_core *core)
{
	board_note(board_of(core), "reset_state; ");
	return outcome(core);
}

static enum nmlink_status spikes_start(struct nmlink_core *core, uint32_t flags)
{
	board_note(board_of(core), "start %u; ", flags);
	board_of(core)->waiting = 0;
	return outcome(core);
}

static enum nmlink_status spikes_give(struct nmlink_core *core, uint32_t number, const struct nmlink_input_record *m)
{
	struct board *board = board_of(core);

	if (board->waiting)
		return NMLINK_EBUSY;
	board_note(board, "give %u %u %u %u %d; ", number, m->tile, m->kind, m->address, m->value);
	board->waiting = board->outputs_each;
	return outcome(core);
}

static enum nmlink_status spikes_work(struct nmlink_core *core, bool *idle)
{
	struct board *board = board_of(core);

	for (; board->waiting && nmlink_core_room(core); board->waiting--)
		nmlink_core_output(core, &(const struct nmlink_output_record){
			.input = core->taken,
			.tile = 1,
			.address = (uint16_t)board->waiting,
		});
	*idle = !board->waiting;
	return NMLINK_OK;
}

static enum nmlink_status spikes_stop(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total)
{
	board_note(board_of(core), "stop; ");
	total->sops = 1234;
	total->queue_dropped = 2;
	return outcome(core);
}

static enum nmlink_status get_attr(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	*value = board_of(core)->attrs[index];
	return outcome(core);
}

static enum nmlink_status set_attr(struct nmlink_core *core, uint16_t index, int64_t value)
{
	board_note(board_of(core), "attr %u %d; ", index, (int)value);
	board_of(core)->attrs[index] = value;
	return outcome(core);
}

static enum nmlink_status get_sensor(struct nmlink_core *core, uint16_t index, int64_t *value)
{
	*value = -100 - index;
	return outcome(core);
}

static enum nmlink_status get_counter(struct nmlink_core *core, uint16_t index, uint64_t *value)
{
	*value = UINT64_MAX - index;
	return outcome(core);
}

static enum nmlink_status pulse(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m, uint32_t *applied)
{
	struct board *board = board_of(core);

	board_note(board, "pulse %u %u %u %u %d uV %u ns x %u; ", m->tile, m->row, m->col, m->side, m->voltage_uv,
		m->width_ns, m->pulses);
	for (*applied = 0; *applied < m->pulses && !nmlink_core_aborted(core); ++*applied)
		board->conductance_ps += m->voltage_uv > 0 ? 100u : -100u;
	board->pulses += *applied;
	return outcome(core);
}

static enum nmlink_status conductance(struct nmlink_core *core, const struct nmlink_read_conductance_request *m,
	uint8_t *out)
{
	board_note(board_of(core), "conductance %u %u %u %ux%u side %u x %u use %u; ", m->tile, m->row, m->col, m->rows,
		m->cols, m->side, m->averages, (unsigned)m->use);
	for (uint32_t i = 0; i < (uint32_t)m->rows * m->cols; i++)
		out = nmlink_store_u32(out, board_of(core)->conductance_ps + i);
	return outcome(core);
}

static enum nmlink_status current(struct nmlink_core *core, const struct nmlink_sense *m, int32_t *current_na)
{
	struct board *board = board_of(core);

	board_note(board, "current %u %u %u %u %d uV use %u; ", m->cell.tile, m->cell.row, m->cell.col, m->cell.side,
		m->voltage_uv, (unsigned)m->use);
	*current_na = board->current_na;
	board->current_na *= 2;
	return outcome(core);
}

static enum nmlink_status arm(struct nmlink_core *core)
{
	board_note(board_of(core), "arm; ");
	return outcome(core);
}

static bool interlock(struct nmlink_core *core)
{
	return board_of(core)->interlock_open;
}

static enum nmlink_status restart(struct nmlink_core *core)
{
	board_note(board_of(core), "restart; ");
	return outcome(core);
}

/* An ABORT of all that was sent arrives while the board works. */
static void poll(struct nmlink_core *core)
{
	struct board *board = board_of(core);
	const struct nmlink_header abort = {
		.version = 1,
		.flags = NMLINK_FLAG_URGENT,
		.op = NMLINK_OP_ABORT,
		.seq = board->next,
		.session = (uint16_t)board->session,
	};
	uint8_t frame[NMLINK_OVERHEAD], out[NMLINK_MIN_FRAME];

	if (board->abort_after < 0 || board->abort_after--)
		return;
	nmlink_frame_seal(frame, &abort, nmlink_crc32c);
	ck_assert_uint_eq(nmlink_core_urgent(core, frame, sizeof(frame), out), NMLINK_OVERHEAD);
	board_note(board, "abort; ");
}

static enum nmlink_status vendor(struct nmlink_core *core, struct nmlink_vendor *request)
{
	board_note(board_of(core), "vendor %04x room %u", request->op, request->room);
	note_bytes(board_of(core), request->payload, request->payload_size);
	request->reply_size = request->payload_size;
	if (request->payload_size <= request->room)
		memcpy(request->reply, request->payload, request->payload_size);
	return outcome(core);
}

/* ---- what it says of itself -------------------------------------------------------------------------------------- */

static const struct nmlink_input_cap input = { -4, 3, 3, 1, NMLINK_INFER_TRANSPOSED, 5, NULL, 0 };
static const struct nmlink_output_cap output = { -128, 127, 8, 1, 64 << 8, NULL, 0 };
static const struct nmlink_neuron_cap neuron = { 1, 0, 1000, -8, 8, -500, 500, NULL, 0 };
static const struct nmlink_spikes_cap spikes = {
	.flags = NMLINK_SPIKES_LEAK | NMLINK_SPIKES_VIRTUAL | NMLINK_SPIKES_BACK_TO_BACK | NMLINK_SPIKES_STREAM,
	.virtual_min = -8,
	.virtual_max = 7,
	.virtual_address_max = 2,
	.leak_one_address_max = 1,
	.clock_hz = 1000,
};
static const struct nmlink_drive_cap drive = { 3000000, 1000, 50, 1000000, 10, 200000, NULL, 0 };
static const struct nmlink_sense_cap sense = { 1000, 40000000, 100000, 0, NULL, 0 };
static const struct nmlink_safety_cap safety = { NMLINK_SAFETY_INTERLOCK, 10, NULL, 0 };
static const struct nmlink_attr_cap attrs[] = {
	{ NMLINK_ATTR_INTEGER, NMLINK_ATTR_WRITABLE, -5, 5, NMLINK_TEXT("gain\0dB\0of the amplifiers") },
	{ NMLINK_ATTR_BOOL, 0, 0, 1, NMLINK_TEXT("warm\0\0warmed up") },
};
static const struct nmlink_sensor_cap sensors[] = { { -3, NMLINK_TEXT("temperature\0degC\0of the array") } };
static const struct nmlink_counter_cap counters[] = { { NMLINK_TEXT("pulses\0ever applied") } };
static const uint16_t vendor_ops[] = { 0x8001, 0xC001 };

static const struct nmlink_board everything = {
	.vendor = "libnmhal",
	.model = "script",
	.hardware = "A",
	.firmware = "1.0",
	.serial = "0001",
	.array = { 2, BOARD_ROWS, BOARD_COLS, 1, NULL, 0 },
	.weight = { -8, 7, 4, 1, 0, NULL, 0 },
	.input = &input,
	.output = &output,
	.neuron = &neuron,
	.spikes = &spikes,
	.drive = &drive,
	.sense = &sense,
	.safety = &safety,
	.limits = { 2500000, 100000, 500000, 20, 5000 },
	.attrs = attrs,
	.sensors = sensors,
	.counters = counters,
	.attr_count = 2,
	.sensor_count = 1,
	.counter_count = 1,
	.vendor_op_count = 2,
	.vendor_ops = vendor_ops,
	.call = { safe, clock_ms, time_ns, write, read, add, infer, set_neuron, get_neuron, reset_state, spikes_start,
		spikes_give, spikes_work, spikes_stop, get_attr, set_attr, get_sensor, get_counter, pulse, conductance,
		current, arm, interlock, restart, poll, vendor, NULL },
};

/* ---- the host ---------------------------------------------------------------------------------------------------- */

void board_start(struct board *board)
{
	memset(board, 0, sizeof(*board));
	board->description = everything;
	board->abort_after = -1;
	board->memory = (struct nmlink_memory){
		.kept = board->kept,
		.window = BOARD_WINDOW,
		.max_frame = BOARD_FRAME,
		.events = board->events,
		.event_count = BOARD_EVENTS,
		.points = board->points,
		.point_count = BOARD_POINTS,
	};
	ck_assert(nmlink_core_init(&board->core, &board->description, &board->memory, board));
	ck_assert_str_eq(board_log(board), "safe");
}

void board_begin(struct board *board)
{
	board_start(board);
	ck_assert_uint_eq(board_hello(board, BOARD_SESSION), NMLINK_OK);
	ck_assert_str_eq(board_log(board), "safe");
}

void board_tail(struct board *board, const void *bytes, uint32_t size)
{
	ck_assert_uint_le(board->request_size + size + NMLINK_CRC_SIZE, sizeof(board->request));
	memcpy(board->request + board->request_size, bytes, size);
	board->request_size += size;
}

enum nmlink_status board_frame(struct board *board, const uint8_t *frame, uint32_t size)
{
	memset(board->out, 0xEE, sizeof(board->out));
	board->out_size = nmlink_core_frame(&board->core, frame, size, board->out);
	board->payload = board->out + NMLINK_HEADER_SIZE;
	if (!board->out_size)
		return NMLINK_OK;
	ck_assert_uint_le(board->out_size, BOARD_FRAME);
	ck_assert_uint_eq(nmlink_frame_open(board->out, board->out_size, &board->reply, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(board->reply.flags & NMLINK_FLAG_REPLY, NMLINK_FLAG_REPLY);
	ck_assert_uint_eq(board->reply.session, (uint16_t)board->core.session);
	ck_assert_uint_eq(board->reply.credits, BOARD_WINDOW);
	return (enum nmlink_status)board->reply.status;
}

enum nmlink_status board_send_as(struct board *board, struct nmlink_header header)
{
	header.version = header.version ? header.version : NMLINK_VERSION_MAJOR;
	header.size = board->request_size - NMLINK_HEADER_SIZE;
	board->request_size = nmlink_frame_seal(board->request, &header, nmlink_crc32c);
	return board_frame(board, board->request, board->request_size);
}

enum nmlink_status board_send(struct board *board, uint16_t op)
{
	enum nmlink_status status = board_send_as(board, (struct nmlink_header){
		.op = op,
		.seq = board->next++,
		.session = (uint16_t)board->session,
	});

	ck_assert_uint_eq(board->reply.op, op);
	ck_assert_uint_eq(board->reply.seq, (uint16_t)(board->next - 1));
	return status;
}

enum nmlink_status board_simple(struct board *board, uint16_t op)
{
	board->request_size = NMLINK_HEADER_SIZE;
	return board_send(board, op);
}

enum nmlink_status board_hello(struct board *board, uint32_t session)
{
	PUT(board, hello, .session = session, .minor = 0);
	board->session = session;
	board->next = 1;
	return board_send_as(board, (struct nmlink_header){ .op = NMLINK_OP_HELLO });
}

uint32_t board_detail(const struct board *board)
{
	struct nmlink_error error;

	ck_assert_uint_ne(board->reply.status, NMLINK_OK);
	ck_assert(nmlink_get_error(&error, board->payload, board->reply.size));
	return error.detail;
}
