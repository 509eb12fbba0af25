/* SPDX-License-Identifier: MIT */
/* The board-side core: frames, sessions, the order of requests, and which function executes one. */
#include "core_inside.h"

#define ROOM(core) ((core)->memory.max_frame - NMLINK_OVERHEAD)

/* ---- the table of requests --------------------------------------------------------------------------------------- */

struct row {
	nmlink_handler execute;
	uint16_t op;
	uint8_t state; /* executed once */
	uint8_t fixed; /* bytes of fixed fields */
};

#define ROW(name, code, once) { nmlink_do_##name, code, once, NMLINK_SIZE_##name##_request },
#define ROW_LINK(name, code)  ROW(name, code, 0)
#define ROW_READ(name, code)  ROW(name, code, 0)
#define ROW_STATE(name, code) ROW(name, code, 1)
#define ROW_EVENT(name, code)
#define ROW_OF(name, NAME, code, class, text) ROW_##class(name, code)

static const struct row rows[] = { NMLINK_MESSAGES(ROW_OF) };

static const struct row *row_of(uint16_t op)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].op == op)
			return &rows[i];
	return NULL;
}

/* True for requests that are executed once. */
static bool is_state(uint16_t op)
{
	const struct row *row = row_of(op);

	return op >= NMLINK_VENDOR_FIRST ? op >= NMLINK_VENDOR_STATE : row && row->state;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

/* A reply whose payload of `size` bytes stands in its place. */
static uint32_t reply(const struct nmlink_core *core, uint8_t *out, const struct nmlink_header *request,
	enum nmlink_status status, uint32_t size)
{
	const struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.flags = (uint8_t)(NMLINK_FLAG_REPLY | (request->flags & NMLINK_FLAG_URGENT)),
		.op = request->op,
		.seq = request->seq,
		.session = (uint16_t)core->session,
		.size = size,
		.status = (uint16_t)status,
		.credits = core->memory.window,
	};

	return nmlink_frame_seal(out, &header, core->crc);
}

static uint32_t error(const struct nmlink_core *core, uint8_t *out, const struct nmlink_header *request,
	enum nmlink_status status, uint32_t detail, const char *text)
{
	const struct nmlink_error record = { .detail = detail };
	uint8_t *p = nmlink_put_error(out + NMLINK_HEADER_SIZE, &record);
	uint32_t size = NMLINK_SIZE_error;

	for (; text && *text && size < NMLINK_SIZE_error + NMLINK_ERROR_TEXT; size++)
		*p++ = (uint8_t)*text++;
	return reply(core, out, request, status, size);
}

/* The frame was not taken: says which number is expected. */
static uint32_t expect(const struct nmlink_core *core, uint8_t *out, const struct nmlink_header *request,
	enum nmlink_status status)
{
	struct nmlink_header header = *request;

	header.seq = core->next;
	return error(core, out, &header, status, 0, NULL);
}

enum nmlink_status nmlink_core_fail(struct nmlink_core *core, enum nmlink_status status, uint32_t detail,
	const char *text)
{
	core->detail = detail;
	core->text = text;
	return status;
}

/* ---- executing --------------------------------------------------------------------------------------------------- */

static enum nmlink_status vendor_request(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_vendor request = { job->op, job->payload, job->size, job->reply, job->room, 0 };
	enum nmlink_status status;

	if (is_state(job->op) && request.room > NMLINK_SHORT_REPLY)
		request.room = NMLINK_SHORT_REPLY;
	status = core->board->call.vendor(core, &request);
	job->reply_size = request.reply_size;
	if (request.reply_size > request.room)
		return nmlink_core_fail(core, NMLINK_EINTERNAL, 0, "the reply of a vendor opcode is too long");
	return status;
}

static enum nmlink_status execute(struct nmlink_core *core, struct nmlink_job *job)
{
	const struct row *row = row_of(job->op);

	if (job->size > job->room)
		return nmlink_core_fail(core, NMLINK_ELEN, job->room, "longer than the largest frame");
	if (nmlink_has_vendor_op(core->board, job->op))
		return vendor_request(core, job);
	/* ABORT in the queue would come too late to be of use. */
	if (!row || row->op == NMLINK_OP_ABORT || !nmlink_has_op(core->board, job->op))
		return nmlink_core_fail(core, NMLINK_EOP, job->op, "not an opcode of this board");
	if (job->size < row->fixed)
		return nmlink_core_fail(core, NMLINK_ELEN, row->fixed, "too short for the fields");
	return row->execute(core, job);
}

/* Executes a request; kept: where its answer is noted, NULL when that was done before. */
static uint32_t answer(struct nmlink_core *core, const struct nmlink_header *request, const uint8_t *payload,
	uint8_t *out, struct nmlink_kept *kept)
{
	struct nmlink_job job = { request->op, payload, request->size, out + NMLINK_HEADER_SIZE, ROOM(core), 0 };
	enum nmlink_status status;

	core->executing = true;
	core->again = !kept;
	core->cut = false;
	core->detail = 0;
	core->text = NULL;
	status = kept && core->aborting ? NMLINK_EABORTED : execute(core, &job);
	core->executing = false;
	if (kept) {
		core->next++;
		core->aborting = core->aborting && core->next != core->abort_to;
		*kept = (struct nmlink_kept){ .op = job.op, .status = (uint16_t)status, .present = 1 };
		if (status) {
			kept->reply.error.detail = core->detail;
			kept->reply.error.text = core->text;
		} else if (is_state(job.op)) {
			kept->size = (uint8_t)job.reply_size;
			memcpy(kept->reply.bytes, job.reply, job.reply_size);
		}
	}
	if (status)
		return error(core, out, request, status, core->detail, core->text);
	return reply(core, out, request, NMLINK_OK, job.reply_size);
}

/* A request that was answered before. */
static uint32_t answer_again(struct nmlink_core *core, const struct nmlink_header *request, const uint8_t *payload,
	uint8_t *out, const struct nmlink_kept *kept)
{
	if (!is_state(request->op) && kept->status != NMLINK_EABORTED)
		return answer(core, request, payload, out, NULL);
	if (kept->status)
		return error(core, out, request, (enum nmlink_status)kept->status, kept->reply.error.detail,
			kept->reply.error.text);
	memcpy(out + NMLINK_HEADER_SIZE, kept->reply.bytes, kept->size);
	return reply(core, out, request, NMLINK_OK, kept->size);
}

enum nmlink_status nmlink_breathe(struct nmlink_core *core)
{
	if (core->board->call.poll)
		core->board->call.poll(core);
	return nmlink_core_aborted(core) ? NMLINK_EABORTED : NMLINK_OK;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

/* Nothing of the session before is left; 0: there is none now. */
static void begin_session(struct nmlink_core *core, uint32_t session)
{
	struct nmlink_spikes_stop_reply total;

	if (core->running)
		nmlink_end_run(core, &total);
	nmlink_disarm(core);
	core->watchdog = false;
	core->aborting = false;
	core->session = session;
	core->next = 1;
	for (uint16_t i = 0; i < core->memory.window; i++)
		core->memory.kept[i].present = 0;
}

enum nmlink_status nmlink_do_hello(struct nmlink_core *core, struct nmlink_job *job)
{
	struct nmlink_hello_request m;
	struct nmlink_hello_reply r = { .minor = NMLINK_VERSION_MINOR };

	nmlink_take_hello_request(&m, job->payload, job->size);
	if (!(m.session & 0xFFFFu))
		return nmlink_core_fail(core, NMLINK_EARG, NMLINK_OFFSET(hello_request, session),
			"a session number has a low half");
	if (m.session != core->session)
		begin_session(core, m.session);
	r.session = core->session;
	r.window = core->memory.window;
	r.max_frame = core->memory.max_frame;
	r.caps_size = core->caps_size;
	r.caps_crc = core->caps_crc;
	job->reply_size = (uint32_t)(nmlink_put_hello_reply(job->reply, &r) - job->reply);
	return NMLINK_OK;
}

enum nmlink_status nmlink_do_ping(struct nmlink_core *core, struct nmlink_job *job)
{
	(void)core;
	memcpy(job->reply, job->payload, job->size);
	job->reply_size = job->size;
	return NMLINK_OK;
}

enum nmlink_status nmlink_do_abort(struct nmlink_core *core, struct nmlink_job *job)
{
	(void)job;
	return nmlink_core_fail(core, NMLINK_EOP, NMLINK_OP_ABORT, "ABORT is always URGENT");
}

/* An URGENT frame of the session in force: its seq says up to which number requests end. */
static uint32_t urgent(struct nmlink_core *core, const struct nmlink_header *request, uint8_t *out)
{
	const uint16_t pending = (uint16_t)(request->seq - core->next);

	if (request->op != NMLINK_OP_ABORT)
		return error(core, out, request, NMLINK_EOP, request->op, "only ABORT is URGENT");
	if (pending && pending <= core->memory.window) {
		core->aborting = true;
		core->abort_to = request->seq;
	}
	core->cut = pending <= core->memory.window;
	return reply(core, out, request, NMLINK_OK, 0);
}

bool nmlink_core_aborted(const struct nmlink_core *core)
{
	return core->executing && (core->again ? core->cut : core->aborting);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static bool in_session(const struct nmlink_core *core, const struct nmlink_header *request)
{
	return core->session && request->session == (uint16_t)core->session;
}

static uint32_t in_order(struct nmlink_core *core, const struct nmlink_header *request, const uint8_t *payload,
	uint8_t *out)
{
	const uint16_t window = core->memory.window;
	struct nmlink_kept *kept = &core->memory.kept[request->seq & (window - 1u)];
	const uint16_t behind = (uint16_t)(core->next - 1u - request->seq);

	if (request->seq == core->next)
		return answer(core, request, payload, out, kept);
	if (behind < window && kept->present && (kept->op == request->op || !is_state(request->op)))
		return answer_again(core, request, payload, out, kept);
	return expect(core, out, request, NMLINK_ESEQ);
}

uint32_t nmlink_core_frame(struct nmlink_core *core, const uint8_t *frame, size_t size, uint8_t *out)
{
	const uint8_t *payload = frame + NMLINK_HEADER_SIZE;
	struct nmlink_header request = { 0 };
	const enum nmlink_status status = nmlink_frame_open(frame, size, &request, core->crc);
	uint32_t answered;

	nmlink_core_tick(core);
	if (!size)
		return 0;
	if (status == NMLINK_ELEN || status == NMLINK_ECRC)
		return expect(core, out, &(const struct nmlink_header){ 0 }, NMLINK_ECRC);
	/* Our own echo, or another board. */
	if (request.flags & (NMLINK_FLAG_REPLY | NMLINK_FLAG_EVENT))
		return 0;
	if (status == NMLINK_EVERSION)
		return error(core, out, &request, status, NMLINK_VERSION_MAJOR, NULL);
	if (request.op == NMLINK_OP_HELLO && !(request.flags & NMLINK_FLAG_URGENT))
		return answer(core, &request, payload, out, NULL);
	if (!in_session(core, &request))
		return error(core, out, &request, NMLINK_ESESSION, 0, NULL);
	if (request.flags & NMLINK_FLAG_URGENT)
		answered = urgent(core, &request, out);
	else
		answered = in_order(core, &request, payload, out);
	if (core->armed)
		core->heard_ms = core->board->call.clock_ms(core);
	return answered;
}

uint32_t nmlink_core_urgent(struct nmlink_core *core, const uint8_t *frame, size_t size, uint8_t *out)
{
	struct nmlink_header request;

	if (nmlink_frame_open(frame, size, &request, core->crc) || request.flags != NMLINK_FLAG_URGENT)
		return 0;
	if (!in_session(core, &request))
		return error(core, out, &request, NMLINK_ESESSION, 0, NULL);
	return urgent(core, &request, out);
}

bool nmlink_core_init(struct nmlink_core *core, const struct nmlink_board *board, const struct nmlink_memory *memory,
	void *self)
{
	if (!nmlink_sound(board, memory))
		return false;
	*core = (struct nmlink_core){ .board = board, .self = self, .memory = *memory, .limits = board->limits };
	core->crc = board->call.crc ? board->call.crc : nmlink_crc32c;
	nmlink_measure_caps(core);
	begin_session(core, 0);
	return true;
}

void nmlink_core_bus_reset(struct nmlink_core *core)
{
	begin_session(core, 0);
}
