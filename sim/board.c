/* SPDX-License-Identifier: MIT */
/* Emulated boards: frames, time and power. What the hardware does is in board_xbar.c and board_spike.c. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nmlink/crc32c.h"
#include "sim/board_inside.h"

#define BREATHS 256u /* small things to do between two looks at the carrier */

static uint64_t monotonic_ms(void *user)
{
	struct timespec now;

	(void)user;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint32_t clock_ms(struct nmlink_core *core)
{
	struct sim_board *board = board_of(core);

	return (uint32_t)board->clock(board->clock_user);
}

static uint64_t time_ns(struct nmlink_core *core)
{
	struct sim_board *board = board_of(core);

	return board->clock(board->clock_user) * 1000000u;
}

/* Pulses of the models end within the call that asks for them, so the lines are at 0 V already. */
static void safe(struct nmlink_core *core)
{
	(void)core;
}

/* The core looks up before each of many small things. */
static void breathe(struct nmlink_core *core)
{
	struct sim_board *board = board_of(core);

	if (++board->breaths % BREATHS == 0)
		(void)board_pause(board);
}

enum nmlink_status board_pause(struct sim_board *board)
{
	if (board->poll)
		board->poll(board->poll_user);
	return nmlink_core_aborted(&board->core) ? NMLINK_EABORTED : NMLINK_OK;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static bool alloc_memory(struct sim_board *board, const struct sim_board_config *config)
{
	struct nmlink_memory *memory = &board->memory;
	const bool spikes = config->hardware->kind == SIM_BOARD_SPIKE;

	memory->window = (uint16_t)config->window;
	memory->max_frame = (uint32_t)config->max_frame;
	memory->kept = calloc(memory->window, sizeof(*memory->kept));
	board->replies = calloc(memory->window, memory->max_frame);
	board->events = calloc(1, memory->max_frame);
	if (spikes) {
		memory->event_count = BOARD_EVENTS;
		memory->events = calloc(BOARD_EVENTS, sizeof(*memory->events));
	} else {
		memory->point_count = BOARD_POINTS;
		memory->points = calloc(BOARD_POINTS, sizeof(*memory->points));
	}
	return memory->kept && board->replies && board->events && (memory->events || memory->points);
}

struct sim_board *sim_board_new(const struct sim_board_config *config, char error[SIM_BOARD_ERROR])
{
	struct sim_board *board = calloc(1, sizeof(*board));

	if (!board || !alloc_memory(board, config)) {
		sim_board_free(board);
		memcpy(error, "no memory for the board", sizeof("no memory for the board"));
		return NULL;
	}
	board->hardware = config->hardware;
	board->clock = monotonic_ms;
	board->cut_in = UINT64_MAX;
	board->description.call = (struct nmlink_callbacks){.safe = safe, .clock_ms = clock_ms, .time_ns = time_ns,
		.poll = breathe, .crc = nmlink_crc32c_fast()};
	board->description.vendor = "libnmhal";
	board->description.hardware = "emulated";
	board->description.serial = board->serial;
	if (!config->hardware->make(board, config, error)) {
		sim_board_free(board);
		return NULL;
	}
	if (!nmlink_core_init(&board->core, &board->description, &board->memory, board)) {
		sim_board_free(board);
		memcpy(error, "the core refuses the board", sizeof("the core refuses the board"));
		return NULL;
	}
	return board;
}

void sim_board_free(struct sim_board *board)
{
	if (!board)
		return;
	xbar_free(board->xbar);
	tinyodin_free(board->chip);
	free(board->memory.kept);
	free(board->memory.events);
	free(board->memory.points);
	free(board->replies);
	free(board->events);
	free(board);
}

const char *sim_board_model(const struct sim_board *board)
{
	return board->description.model;
}

const char *sim_board_serial(const struct sim_board *board)
{
	return board->serial;
}

size_t sim_board_max_frame(const struct sim_board *board)
{
	return board->memory.max_frame;
}

unsigned sim_board_window(const struct sim_board *board)
{
	return board->memory.window;
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static uint8_t *reply_slot(const struct sim_board *board, uint32_t slot)
{
	return board->replies + (size_t)(slot & (board->memory.window - 1u)) * board->memory.max_frame;
}

bool sim_board_input(struct sim_board *board, const uint8_t *frame, size_t size)
{
	uint32_t slot = (board->first_reply + board->reply_count) & (board->memory.window - 1u);

	if (board->reply_count == board->memory.window)
		return false;
	board->reply_size[slot] = nmlink_core_frame(&board->core, frame, size, reply_slot(board, slot));
	if (board->off)
		sim_board_power_cut(board);
	else if (board->reply_size[slot])
		board->reply_count++;
	return true;
}

size_t sim_board_output(struct sim_board *board, enum sim_board_pipe pipe, const uint8_t **frame)
{
	if (pipe == SIM_BOARD_REPLIES) {
		*frame = reply_slot(board, board->first_reply);
		return board->reply_count ? board->reply_size[board->first_reply] : 0;
	}
	if (!board->events_size)
		board->events_size = nmlink_core_events(&board->core, board->events);
	*frame = board->events;
	return board->events_size;
}

void sim_board_taken(struct sim_board *board, enum sim_board_pipe pipe)
{
	if (pipe == SIM_BOARD_EVENTS) {
		board->events_size = 0;
	} else if (board->reply_count) {
		/* The first slot again when none waits: it is in the cache. */
		board->first_reply = --board->reply_count ? (board->first_reply + 1) & (board->memory.window - 1u) : 0;
	}
}

void sim_board_flush(struct sim_board *board)
{
	board->first_reply = 0;
	board->reply_count = 0;
	board->events_size = 0;
}

void sim_board_set_poll(struct sim_board *board, sim_board_poll_fn poll, void *user)
{
	board->poll = poll;
	board->poll_user = user;
}

size_t sim_board_urgent(struct sim_board *board, const uint8_t *frame, size_t size, uint8_t *out)
{
	return nmlink_core_urgent(&board->core, frame, size, out);
}

void sim_board_abort(struct sim_board *board)
{
	const struct nmlink_core *core = &board->core;
	const struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .flags = NMLINK_FLAG_URGENT,
		.op = NMLINK_OP_ABORT, .session = (uint16_t)core->session,
		.seq = (uint16_t)(core->next + (core->again ? 0 : 1))};
	uint8_t frame[NMLINK_OVERHEAD], out[SIM_BOARD_URGENT];

	(void)sim_board_urgent(board, frame, nmlink_frame_seal(frame, &header, core->crc), out);
}

/* ---- time and power ---------------------------------------------------------------------------------------------- */

void sim_board_set_clock(struct sim_board *board, sim_board_clock_fn clock, void *user)
{
	board->clock = clock;
	board->clock_user = user;
}

void sim_board_tick(struct sim_board *board)
{
	nmlink_core_tick(&board->core);
}

void sim_board_link_reset(struct sim_board *board)
{
	sim_board_flush(board);
	nmlink_core_bus_reset(&board->core);
}

void sim_board_power_cut(struct sim_board *board)
{
	sim_board_flush(board);
	board->was_cut = board->was_cut || board->off;
	board->off = false;
	board->cut_in = UINT64_MAX;
	memset(board->counters, 0, sizeof(board->counters));
	board->interlock_open = false;
	board->hardware->power_cut(board);
	/* It took this description before. */
	(void)nmlink_core_init(&board->core, &board->description, &board->memory, board);
}

void sim_board_power_cut_after(struct sim_board *board, uint64_t actions)
{
	board->was_cut = false;
	board->cut_in = actions;
}

bool sim_board_was_cut(const struct sim_board *board)
{
	return board->was_cut;
}

uint64_t board_acts(struct sim_board *board, uint64_t wanted)
{
	uint64_t may = board->off ? 0 : wanted < board->cut_in ? wanted : board->cut_in;

	board->off = board->off || may < wanted;
	if (board->cut_in != UINT64_MAX)
		board->cut_in -= may;
	return may;
}

enum nmlink_status board_dead(struct sim_board *board)
{
	return nmlink_core_fail(&board->core, NMLINK_EHARDWARE, 0, "no power");
}

bool sim_board_armed(const struct sim_board *board)
{
	return board->core.armed;
}

uint64_t sim_board_stray_pulses(const struct sim_board *board)
{
	return board->stray_pulses;
}

struct xbar *sim_board_xbar(struct sim_board *board)
{
	return board->xbar;
}

struct tinyodin *sim_board_chip(struct sim_board *board)
{
	return board->chip;
}
