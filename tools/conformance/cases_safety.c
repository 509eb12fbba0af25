/* SPDX-License-Identifier: MIT */
/*
 * Safety: limits, arming, the watchdog, and single cells. Without leave to pulse a cell, every pulse asked for here is
 * one that the board must refuse, because it is not armed or above a limit.
 */
#include "run.h"

#include <errno.h>
#include <time.h>

static const uint8_t nothing[1];

#define SHORTEST_MS 200u

/* ---- requests ---------------------------------------------------------------------------------------------------- */

/* Just above read level, as short as it gets. */
static struct nmlink_pulse_cell_request small_pulse(const struct run *run)
{
	const struct nmlink_drive_cap *drive = &run->caps.drive;

	return (struct nmlink_pulse_cell_request){.tile = run->cell.tile, .row = run->cell.row, .col = run->cell.col,
		.voltage_uv = (int32_t)(drive->read_max_uv + drive->voltage_lsb_uv), .width_ns = drive->width_min_ns,
		.pulses = 1};
}

static bool pulse(struct run *run, const struct nmlink_pulse_cell_request *m, uint16_t status, struct reply *reply)
{
	uint8_t payload[NMLINK_SIZE_pulse_cell_request];

	nmlink_put_pulse_cell_request(payload, m);
	return ask(run, NMLINK_OP_PULSE_CELL, payload, sizeof(payload), status, reply);
}

/* A pulse is refused, since the board is not armed. */
static bool disarmed(struct run *run, bool by_watchdog)
{
	const struct nmlink_pulse_cell_request m = small_pulse(run);
	struct nmlink_error error;
	struct reply reply;

	if (!pulse(run, &m, NMLINK_EARM, &reply))
		return false;
	if (!by_watchdog || (nmlink_get_error(&error, reply.payload, reply.header.size) && error.detail == 1))
		return true;
	say(run, VERDICT_FAILED, "EARM does not tell that it was the watchdog");
	return false;
}

static bool get_limits(struct run *run, struct nmlink_limits *limits)
{
	struct reply reply;

	if (!ask(run, NMLINK_OP_GET_LIMITS, nothing, 0, NMLINK_OK, &reply))
		return false;
	if (reply.header.size < NMLINK_SIZE_limits) {
		say(run, VERDICT_FAILED, "GET_LIMITS gave %u bytes", reply.header.size);
		return false;
	}
	nmlink_get_limits(limits, reply.payload);
	return true;
}

static bool set_limits(struct run *run, const struct nmlink_limits *limits, uint16_t status)
{
	uint8_t payload[NMLINK_SIZE_limits];
	struct reply reply;

	nmlink_put_limits(payload, limits);
	return ask(run, NMLINK_OP_SET_LIMITS, payload, sizeof(payload), status, &reply);
}

/* Shortest silence that is worth waiting for and that the board takes. */
static uint32_t short_silence(const struct run *run)
{
	uint32_t least = run->caps.safety.silence_min_ms;

	return least > SHORTEST_MS ? least : SHORTEST_MS;
}

static bool arm(struct run *run, uint32_t silence_ms, uint16_t status)
{
	uint8_t payload[NMLINK_SIZE_arm_request];
	struct reply reply;

	nmlink_store_u32(payload, silence_ms);
	return ask(run, NMLINK_OP_ARM, payload, sizeof(payload), status, &reply);
}

static void sleep_ms(uint32_t ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

#define NEED_SAFETY() NEED(has_op(run, NMLINK_OP_ARM) && has_op(run, NMLINK_OP_PULSE_CELL), "arming and pulses")

/* ---- safety ------------------------------------------------------------------------------------------------------ */

static void limits_are_never_widened(struct run *run)
{
	struct nmlink_limits limits, wider, found;
	unsigned widened = 0;

	NEED(has_op(run, NMLINK_OP_SET_LIMITS), "limits");
	MUST(get_limits(run, &limits) && set_limits(run, &limits, NMLINK_OK));
#define WIDEN(type, name, text) \
	if (limits.name > 0 && limits.name < UINT32_MAX) { \
		wider = limits; \
		wider.name++; \
		widened++; \
		MUST(set_limits(run, &wider, NMLINK_ELIMIT) && get_limits(run, &found)); \
		EXPECT(found.name == limits.name, #name " was widened from %u to %u", limits.name, found.name); \
	}
	NMLINK_LIMITS(WIDEN)
#undef WIDEN
	NEED(widened, "limits that could be widened");
}

static void pulses_above_read_level_need_arming(struct run *run)
{
	NEED_SAFETY();
	MUST(disarmed(run, false));
	MUST(arm(run, short_silence(run), NMLINK_OK));
	MUST(ask(run, NMLINK_OP_DISARM, nothing, 0, NMLINK_OK, &(struct reply){{0}, NULL}) && disarmed(run, false));
	MUST(arm(run, short_silence(run), NMLINK_OK));
	MUST(ask(run, NMLINK_OP_SAFE_STATE, nothing, 0, NMLINK_OK, &(struct reply){{0}, NULL}) && disarmed(run, false));
}

static void a_new_session_is_not_armed(struct run *run)
{
	struct reply reply;

	NEED_SAFETY();
	MUST(arm(run, short_silence(run), NMLINK_OK));
	MUST(hello(run, &reply) && disarmed(run, false));
}

static void a_restart_disarms(struct run *run)
{
	struct reply reply;

	NEED_SAFETY();
	NEED(has_op(run, NMLINK_OP_RESTART), "RESTART");
	MUST(arm(run, short_silence(run), NMLINK_OK));
	MUST(ask(run, NMLINK_OP_RESTART, nothing, 0, NMLINK_OK, &reply));
	MUST(disarmed(run, false));
}

static void silence_disarms(struct run *run)
{
	const uint32_t silence_ms = short_silence(run);

	NEED_SAFETY();
	NEED(silence_ms <= 10000, "a silence of at most 10 s");
	MUST(arm(run, silence_ms, NMLINK_OK));
	sleep_ms(silence_ms + silence_ms / 2);
	MUST(disarmed(run, true));
}

static void frames_keep_it_armed(struct run *run)
{
	const uint32_t silence_ms = short_silence(run);

	NEED_SAFETY();
	NEED(run->pulse, "leave to pulse a cell (--pulse)");
	NEED(silence_ms <= 10000, "a silence of at most 10 s");
	MUST(arm(run, silence_ms, NMLINK_OK));
	for (int i = 0; i < 4; i++) {
		sleep_ms(silence_ms / 2);
		MUST(alive(run));
	}
	const struct nmlink_pulse_cell_request m = small_pulse(run);
	MUST(pulse(run, &m, NMLINK_OK, &(struct reply){{0}, NULL}));
}

static void too_long_a_silence_is_refused(struct run *run)
{
	struct nmlink_limits limits;

	NEED_SAFETY();
	MUST(get_limits(run, &limits));
	NEED(limits.silence_ms > 0 && limits.silence_ms < UINT32_MAX, "a limit of silence");
	MUST(arm(run, limits.silence_ms + 1, NMLINK_ELIMIT));
	MUST(disarmed(run, false));
}

/* Not armed, so that a board which forgets its limits still has a reason to refuse. */
static void pulses_above_the_limits_are_refused(struct run *run)
{
	struct nmlink_pulse_cell_request m;
	uint8_t payload[NMLINK_SIZE_pulse_cell_request];
	struct nmlink_limits limits;
	struct reply reply;

	NEED_SAFETY();
	MUST(get_limits(run, &limits));
	if (limits.voltage_uv > 0 && limits.voltage_uv < INT32_MAX) {
		m = small_pulse(run);
		m.voltage_uv = -(int32_t)limits.voltage_uv - 1;
		MUST(pulse(run, &m, NMLINK_ELIMIT, &reply));
	}
	if (limits.pulses > 0 && limits.pulses < UINT32_MAX) {
		m = small_pulse(run);
		m.pulses = limits.pulses + 1;
		MUST(pulse(run, &m, NMLINK_ELIMIT, &reply));
	}
	m = small_pulse(run);
	m.pulses = 0;
	nmlink_put_pulse_cell_request(payload, &m);
	MUST(refused(run, NMLINK_OP_PULSE_CELL, payload, sizeof(payload), NMLINK_EARM, "no pulse"));
	m = small_pulse(run);
	m.col = run->caps.array.cols;
	nmlink_put_pulse_cell_request(payload, &m);
	MUST(refused(run, NMLINK_OP_PULSE_CELL, payload, sizeof(payload), 0, "a column past the last"));
}

const struct conformance_case safety_cases[] = {
	{"limits are never widened", limits_are_never_widened},
	{"a pulse above read level is answered EARM unless armed", pulses_above_read_level_need_arming},
	{"a new session is not armed", a_new_session_is_not_armed},
	{"RESTART disarms", a_restart_disarms},
	{"silence disarms, and EARM tells so", silence_disarms},
	{"frames keep an armed board armed", frames_keep_it_armed},
	{"a silence above its limit is refused", too_long_a_silence_is_refused},
	{"pulses above the limits, or of no cell, are refused", pulses_above_the_limits_are_refused},
	{NULL, NULL},
};

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static bool conductance(struct run *run, uint32_t *ps)
{
	const struct nmlink_read_conductance_request m = {.tile = run->cell.tile, .row = run->cell.row,
		.col = run->cell.col, .rows = 1, .cols = 1, .averages = 16};
	uint8_t payload[NMLINK_SIZE_read_conductance_request];
	struct reply reply;

	nmlink_put_read_conductance_request(payload, &m);
	if (!ask(run, NMLINK_OP_READ_CONDUCTANCE, payload, sizeof(payload), NMLINK_OK, &reply))
		return false;
	if (reply.header.size != sizeof(uint32_t)) {
		say(run, VERDICT_FAILED, "READ_CONDUCTANCE of one cell gave %u bytes", reply.header.size);
		return false;
	}
	*ps = nmlink_load_u32(reply.payload);
	return true;
}

static void conductances_are_read(struct run *run)
{
	uint32_t ps;

	NEED(has_op(run, NMLINK_OP_READ_CONDUCTANCE), "READ_CONDUCTANCE");
	MUST(conductance(run, &ps));
}

static void a_sweep_at_read_level_needs_no_arming(struct run *run)
{
	const struct nmlink_drive_cap *drive = &run->caps.drive;
	const int32_t half = (int32_t)(drive->read_max_uv / 2);
	const struct nmlink_sweep_cell_request m = {.tile = run->cell.tile, .row = run->cell.row, .col = run->cell.col,
		.start_uv = -half, .step_uv = half, .points = 3, .width_ns = drive->width_min_ns};
	uint8_t payload[NMLINK_SIZE_sweep_cell_request];
	struct nmlink_read_sweep_reply r;
	struct reply reply;

	NEED(has_op(run, NMLINK_OP_SWEEP_CELL) && run->caps.sense.sweep_points >= 3, "sweeps");
	nmlink_put_sweep_cell_request(payload, &m);
	MUST(ask(run, NMLINK_OP_SWEEP_CELL, payload, sizeof(payload), NMLINK_OK, &reply));
	nmlink_store_u32(payload, 0);
	MUST(ask(run, NMLINK_OP_READ_SWEEP, payload, NMLINK_SIZE_read_sweep_request, NMLINK_OK, &reply));
	EXPECT(nmlink_get_read_sweep_reply(&r, reply.payload, reply.header.size) && r.from == 0 &&
		r.tail_size == 3 * NMLINK_SIZE_point_record, "READ_SWEEP of 3 points gave %u bytes", reply.header.size);
	for (int32_t i = 0; i < 3; i++) {
		struct nmlink_point_record point;

		nmlink_get_point_record(&point, r.tail + i * (int32_t)NMLINK_SIZE_point_record);
		EXPECT(point.voltage_uv == half * (i - 1), "point %d is at %d uV, asked for %d uV", i, point.voltage_uv,
			half * (i - 1));
	}
}

static void a_ramp_above_read_level_needs_arming(struct run *run)
{
	const struct nmlink_drive_cap *drive = &run->caps.drive;
	const struct nmlink_ramp m = {.tile = run->cell.tile, .row = run->cell.row, .col = run->cell.col,
		.target_ps = UINT32_MAX, .start_uv = drive->read_max_uv, .step_uv = drive->voltage_lsb_uv,
		.stop_uv = drive->read_max_uv + drive->voltage_lsb_uv, .width_ns = drive->width_min_ns,
		.max_pulses = 1};
	static const uint16_t ops[] = {NMLINK_OP_FORM_CELL, NMLINK_OP_SET_CELL, NMLINK_OP_RESET_CELL};
	uint8_t payload[NMLINK_SIZE_ramp];
	struct reply reply;

	NEED(has_op(run, NMLINK_OP_SET_CELL), "ramps");
	nmlink_put_ramp(payload, &m);
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (has_op(run, ops[i]))
			MUST(ask(run, ops[i], payload, sizeof(payload), NMLINK_EARM, &reply));
}

/* Sends a PULSE with a number that was answered: it tells what it told then, whatever it now asks for. */
static bool repeat_pulse(struct run *run, const struct nmlink_pulse_cell_request *m, uint16_t seq, uint32_t told)
{
	uint8_t payload[NMLINK_SIZE_pulse_cell_request];
	struct nmlink_pulse_cell_reply r = {0};
	struct reply reply;

	nmlink_put_pulse_cell_request(payload, m);
	if (!again(run, NMLINK_OP_PULSE_CELL, seq, payload, sizeof(payload), &reply))
		return false;
	if (reply.header.status == NMLINK_OK && nmlink_get_pulse_cell_reply(&r, reply.payload, reply.header.size) &&
		r.pulses == told)
		return true;
	say(run, VERDICT_FAILED, "the repeated PULSE was answered %s with %u pulses, the first time %u",
		status_name(reply.header.status), r.pulses, told);
	return false;
}

/* The reply is lost and the request sent again: the cell must not feel it a second time. */
static void a_repeated_pulse_is_not_applied(struct run *run)
{
	struct nmlink_pulse_cell_request m = small_pulse(run), other;
	uint32_t before, after, last;
	struct nmlink_limits limits;
	struct reply reply;

	NEED_SAFETY();
	NEED(run->pulse, "leave to pulse a cell (--pulse)");
	NEED(has_op(run, NMLINK_OP_READ_CONDUCTANCE), "READ_CONDUCTANCE");
	MUST(get_limits(run, &limits));
	NEED(limits.pulses != 1, "trains of two pulses");
	m.voltage_uv = (int32_t)(limits.voltage_uv ? limits.voltage_uv : run->caps.drive.voltage_max_uv);
	other = m;
	m.pulses = 2;
	MUST(conductance(run, &before) && arm(run, short_silence(run), NMLINK_OK));
	MUST(pulse(run, &m, NMLINK_OK, &reply));
	MUST(repeat_pulse(run, &other, (uint16_t)(run->next - 1), m.pulses) && conductance(run, &after));
	NEED(run->hello.window > 1, "a window of two requests");
	MUST(repeat_pulse(run, &m, (uint16_t)(run->next - 2), m.pulses) && conductance(run, &last));
	NEED(after > before + before / 100, "an effect of two pulses that can be told from noise");
	EXPECT(last < after + (after - before) / 2,
		"conductance %u pS, %u after two pulses, %u after their repetition", before, after, last);
}

const struct conformance_case cell_cases[] = {
	{"a conductance is read", conductances_are_read},
	{"a sweep at read level needs no arming", a_sweep_at_read_level_needs_no_arming},
	{"a ramp above read level needs arming", a_ramp_above_read_level_needs_arming},
	{"a repeated PULSE is not applied again", a_repeated_pulse_is_not_applied},
	{NULL, NULL},
};
