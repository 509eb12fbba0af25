/* SPDX-License-Identifier: MIT */
/* The board-side core: what the board has, as records, and whether its description is sound. */
#include "core_inside.h"

/* ---- opcodes ----------------------------------------------------------------------------------------------------- */

bool nmlink_has_vendor_op(const struct nmlink_board *board, uint16_t op)
{
	for (uint16_t i = 0; i < board->vendor_op_count; i++)
		if (board->vendor_ops[i] == op)
			return true;
	return false;
}

bool nmlink_has_op(const struct nmlink_board *board, uint16_t op)
{
	const struct nmlink_callbacks *call = &board->call;

	switch (op) {
	case NMLINK_OP_ADD_CELLS:
		return call->add;
	case NMLINK_OP_INFER:
		return call->infer;
	case NMLINK_OP_WRITE_NEURONS:
	case NMLINK_OP_READ_NEURONS:
		return call->set_neuron;
	case NMLINK_OP_RESET_STATE:
		return call->reset_state;
	case NMLINK_OP_SPIKES_START:
	case NMLINK_OP_SPIKES_SEND:
	case NMLINK_OP_SPIKES_READ:
	case NMLINK_OP_SPIKES_STOP:
		return call->spikes_start;
	case NMLINK_OP_EVENTS:
		return false;
	case NMLINK_OP_GET_ATTR:
		return board->attr_count;
	case NMLINK_OP_SET_ATTR:
		return call->set_attr;
	case NMLINK_OP_GET_SENSOR:
		return board->sensor_count;
	case NMLINK_OP_GET_COUNTER:
		return board->counter_count;
	case NMLINK_OP_GET_LIMITS:
	case NMLINK_OP_SET_LIMITS:
	case NMLINK_OP_ARM:
	case NMLINK_OP_DISARM:
		return board->safety;
	case NMLINK_OP_FORM_CELL:
	case NMLINK_OP_SET_CELL:
	case NMLINK_OP_RESET_CELL:
	case NMLINK_OP_PULSE_CELL:
	case NMLINK_OP_READ_CONDUCTANCE:
		return call->pulse;
	case NMLINK_OP_SWEEP_CELL:
	case NMLINK_OP_READ_SWEEP:
		return call->current;
	default:
		return true;
	}
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

/* Takes the bytes of all records, one after another; keeps those from `offset` on that have room in `out`. */
struct sink {
	const struct nmlink_core *core;
	uint32_t size, crc; /* of all so far */
	uint32_t offset, room, kept;
	uint8_t *out;
};

static void put(struct sink *sink, const void *bytes, uint32_t size)
{
	uint32_t skip = sink->offset > sink->size ? sink->offset - sink->size : 0;

	if (!sink->out)
		sink->crc = sink->core->crc(sink->crc, bytes, size);
	sink->size += size;
	if (skip >= size)
		return;
	size -= skip;
	if (size > sink->room - sink->kept)
		size = sink->room - sink->kept;
	if (size)
		memcpy(sink->out + sink->kept, (const uint8_t *)bytes + skip, size);
	sink->kept += size;
}

static void put_head(struct sink *sink, uint16_t tag, uint32_t size)
{
	uint8_t head[NMLINK_CAP_HEAD_SIZE];

	nmlink_store_u16(nmlink_store_u16(head, tag), (uint16_t)size);
	put(sink, head, sizeof(head));
}

/* Where a member of the struct of a record is. A table and a loop are smaller than the codecs one by one. */
struct member {
	uint8_t at, size;
};

static void put_member(struct sink *sink, const void *value, uint32_t size)
{
	uint8_t bytes[8];

	if (size == 1)
		nmlink_store_u8(bytes, *(const uint8_t *)value);
	else if (size == 2)
		nmlink_store_u16(bytes, *(const uint16_t *)value);
	else if (size == 4)
		nmlink_store_u32(bytes, *(const uint32_t *)value);
	else
		nmlink_store_u64(bytes, *(const uint64_t *)value);
	put(sink, bytes, size);
}

/* A record: members of cap as members[count] says, `fixed` bytes; then its tail. */
struct layout {
	const struct member *members;
	uint16_t tag;
	uint8_t count, fixed;
};

static void put_record(struct sink *sink, const struct layout *layout, const void *cap, const uint8_t *tail,
	uint32_t tail_size)
{
	put_head(sink, layout->tag, layout->fixed + tail_size);
	for (uint32_t i = 0; i < layout->count; i++)
		put_member(sink, (const uint8_t *)cap + layout->members[i].at, layout->members[i].size);
	if (tail_size)
		put(sink, tail, tail_size);
}

#define MEMBER(type, name, text) { offsetof(cap_struct, name), sizeof(NMLINK_TYPE_##type) },
/* One entry more, for records without fields. */
#define PUT_CAP(sink, name, NAME, cap)                                                                                 \
	do {                                                                                                           \
		typedef struct nmlink_##name##_cap cap_struct;                                                         \
		static const struct member members[] = { NMLINK_##name##_CAP(MEMBER, NMLINK_NO_TAIL) { 0, 0 } };       \
		static const struct layout layout = { members, NMLINK_TAG_##NAME,                                      \
			sizeof(members) / sizeof(members[0]) - 1u, NMLINK_SIZE_##name##_cap };                         \
		const cap_struct *of = cap;                                                                            \
\
		put_record(sink, &layout, of, of->tail, of->tail_size);                                                \
	} while (0)
#define PUT_OPTIONAL(sink, name, NAME)                                                                                 \
	do {                                                                                                           \
		if (board->name)                                                                                       \
			PUT_CAP(sink, name, NAME, board->name);                                                      \
	} while (0)

static void put_text(struct sink *sink, uint16_t tag, const char *text)
{
	uint32_t size = 0;

	if (!text)
		return;
	while (size < NMLINK_IDENTITY_TEXT && text[size])
		size++;
	put_head(sink, tag, size);
	if (size)
		put(sink, text, size);
}

static void put_op(struct sink *sink, uint16_t op)
{
	uint8_t bytes[2];

	nmlink_store_u16(bytes, op);
	put(sink, bytes, sizeof(bytes));
}

#define OP_OF(name, NAME, code, class, text) code,
static const uint16_t ops[] = { NMLINK_MESSAGES(OP_OF) };

/* Counts the opcodes of the table that the board has and, with a sink, puts them; four go without saying. */
static uint32_t list_ops(struct sink *sink, const struct nmlink_board *board)
{
	uint32_t count = 0;

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (ops[i] <= NMLINK_OP_ABORT || !nmlink_has_op(board, ops[i]))
			continue;
		count++;
		if (sink)
			put_op(sink, ops[i]);
	}
	return count;
}

static void put_ops(struct sink *sink, const struct nmlink_board *board)
{
	put_head(sink, NMLINK_TAG_OPS, 2u * (list_ops(NULL, board) + board->vendor_op_count));
	list_ops(sink, board);
	for (uint16_t i = 0; i < board->vendor_op_count; i++)
		put_op(sink, board->vendor_ops[i]);
}

static void put_memory(struct sink *sink, const struct nmlink_board *board, const struct nmlink_memory *memory)
{
	if (board->spikes) {
		struct nmlink_spikes_cap spikes = *board->spikes;

		spikes.outputs = memory->event_count;
		PUT_CAP(sink, spikes, SPIKES, &spikes);
	}
	PUT_OPTIONAL(sink, drive, DRIVE);
	if (board->sense) {
		struct nmlink_sense_cap sense = *board->sense;

		sense.sweep_points = memory->point_count;
		PUT_CAP(sink, sense, SENSE, &sense);
	}
}

static void put_all(struct sink *sink)
{
	const struct nmlink_board *board = sink->core->board;

	put_text(sink, NMLINK_TAG_VENDOR, board->vendor);
	put_text(sink, NMLINK_TAG_MODEL, board->model);
	put_text(sink, NMLINK_TAG_HARDWARE, board->hardware);
	put_text(sink, NMLINK_TAG_FIRMWARE, board->firmware);
	put_text(sink, NMLINK_TAG_SERIAL, board->serial);
	put_ops(sink, board);
	PUT_CAP(sink, array, ARRAY, &board->array);
	PUT_CAP(sink, weight, WEIGHT, &board->weight);
	PUT_OPTIONAL(sink, input, INPUT);
	PUT_OPTIONAL(sink, output, OUTPUT);
	PUT_OPTIONAL(sink, neuron, NEURON);
	put_memory(sink, board, &sink->core->memory);
	PUT_OPTIONAL(sink, safety, SAFETY);
	for (uint16_t i = 0; i < board->attr_count; i++)
		PUT_CAP(sink, attr, ATTR, &board->attrs[i]);
	for (uint16_t i = 0; i < board->sensor_count; i++)
		PUT_CAP(sink, sensor, SENSOR, &board->sensors[i]);
	for (uint16_t i = 0; i < board->counter_count; i++)
		PUT_CAP(sink, counter, COUNTER, &board->counters[i]);
}

void nmlink_measure_caps(struct nmlink_core *core)
{
	struct sink sink = { .core = core };

	put_all(&sink);
	core->caps_size = sink.size;
	core->caps_crc = sink.crc;
}

enum nmlink_status nmlink_do_caps(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_caps_request m;
	struct nmlink_caps_reply r;
	struct sink sink = { .core = core, .room = job->room - NMLINK_SIZE_caps_reply };

	nmlink_take_caps_request(&m, job->payload, job->size);
	if (m.offset > core->caps_size)
		return nmlink_core_fail(core, NMLINK_ERANGE, NMLINK_OFFSET(caps_request, offset), "past the records");
	sink.offset = r.offset = m.offset;
	sink.out = nmlink_put_caps_reply(job->reply, &r);
	put_all(&sink);
	job->reply_size = NMLINK_SIZE_caps_reply + sink.kept;
	return NMLINK_OK;
}

/* ---- soundness --------------------------------------------------------------------------------------------------- */

#define SOUND_CODES(cap)                                                                                               \
	((cap)->min < (cap)->max &&                                                                                    \
		(((cap)->bytes == 1 && (cap)->min >= INT8_MIN && (cap)->max <= INT8_MAX) ||                            \
			((cap)->bytes == 2 && (cap)->min >= INT16_MIN && (cap)->max <= INT16_MAX)))

/* A whole vector has to fit a frame either way. */
static bool sound_infer(const struct nmlink_board *board, uint32_t room)
{
	const uint32_t longest = board->array.rows > board->array.cols ? board->array.rows : board->array.cols;

	if (!board->call.infer)
		return true;
	return board->input && board->output && board->input->max_batch && SOUND_CODES(board->input) &&
	       SOUND_CODES(board->output) && NMLINK_SIZE_infer_request + longest * board->input->bytes <= room &&
	       longest * board->output->bytes + (longest + 7u) / 8u <= room;
}

static bool sound_cells(const struct nmlink_board *board, const struct nmlink_memory *memory)
{
	const struct nmlink_callbacks *call = &board->call;

	if (board->safety && !call->clock_ms)
		return false;
	if (!call->pulse && !call->conductance && !call->current)
		return true;
	return call->pulse && call->conductance && board->drive && board->sense && board->safety &&
	       board->drive->voltage_max_uv <= INT32_MAX && (!call->current || (memory->points && memory->point_count));
}

static bool sound_spikes(const struct nmlink_board *board, const struct nmlink_memory *memory)
{
	const struct nmlink_callbacks *call = &board->call;

	if (!call->set_neuron != !call->get_neuron || (call->set_neuron && !board->neuron))
		return false;
	if (!call->spikes_start)
		return !call->spikes_give && !call->spikes_work && !call->spikes_stop;
	return call->spikes_give && call->spikes_work && call->spikes_stop && board->spikes && memory->events &&
	       memory->event_count;
}

static bool sound_lists(const struct nmlink_board *board)
{
	const struct nmlink_callbacks *call = &board->call;

	for (uint16_t i = 0; i < board->attr_count; i++)
		if (board->attrs[i].flags & NMLINK_ATTR_WRITABLE && !call->set_attr)
			return false;
	for (uint16_t i = 0; i < board->vendor_op_count; i++)
		if (board->vendor_ops[i] < NMLINK_VENDOR_FIRST)
			return false;
	return (!board->attr_count || call->get_attr) && (!board->sensor_count || call->get_sensor) &&
	       (!board->counter_count || call->get_counter) && (!board->vendor_op_count || call->vendor);
}

bool nmlink_sound(const struct nmlink_board *board, const struct nmlink_memory *memory)
{
	const struct nmlink_array_cap *array = &board->array;
	const uint16_t window = memory->window;

	return board->call.safe && board->call.write && board->call.read && array->tiles && array->rows &&
	       array->cols && SOUND_CODES(&board->weight) &&
	       board->weight.tolerance <= board->weight.max - board->weight.min && memory->kept && window &&
	       window <= 64u &&
	       !(window & (window - 1u)) && memory->max_frame >= NMLINK_MIN_FRAME &&
	       sound_infer(board, memory->max_frame - NMLINK_OVERHEAD) &&
	       sound_cells(board, memory) && sound_spikes(board, memory) && sound_lists(board);
}
