/* SPDX-License-Identifier: MIT */
/* Inside of the emulated boards: what the core's side (board.c) and the two kinds of hardware share. */
#ifndef BOARD_INSIDE_H
#define BOARD_INSIDE_H

#include "nmlink/core.h"
#include "sim/board.h"
#include "sim/tinyodin.h"
#include "sim/xbar.h"

#define BOARD_WINDOW_MAX 64u
#define BOARD_FRAME_MAX  1048576u
#define BOARD_EVENTS     4096u /* output events of a run, until the host has read them */
#define BOARD_POINTS     4096u /* of a sweep */

struct board_hardware;

/* What the options say; a kind of board looks at its own. */
struct sim_board_config {
	const struct board_hardware *hardware;
	const struct xbar_profile *profile; /* of crossbar boards */
	uint64_t window, max_frame;
	uint32_t simd;                      /* enum xbar_simd, enum tinyodin_simd */
	uint64_t clk_hz;                    /* of spike256 */
	struct xbar_options xbar;           /* of crossbar boards */
};

/* A kind of hardware. */
struct board_hardware {
	enum sim_board_kind kind;
	/* Makes the hardware and describes it in board->description; false after `error` is written. */
	bool (*make)(struct sim_board *board, const struct sim_board_config *config, char error[SIM_BOARD_ERROR]);
	/* The supply went off and on again. */
	void (*power_cut)(struct sim_board *board);
};
extern const struct board_hardware board_hardware_xbar, board_hardware_spike;

/* Counted since power-up. */
enum board_counter { BOARD_WRITES, BOARD_READS, BOARD_VECTORS, BOARD_PULSES, BOARD_COUNTERS };

struct sim_board {
	struct nmlink_core core;
	struct nmlink_board description;
	struct nmlink_memory memory;
	const struct board_hardware *hardware;
	char serial[32];
	sim_board_poll_fn poll;
	void *poll_user;
	unsigned breaths; /* of the core, between small pieces of work */

	struct xbar *xbar;                    /* one of the two */
	struct tinyodin *chip;
	struct nmlink_input_cap input;        /* what the description points to */
	struct nmlink_output_cap output;
	struct nmlink_sense_cap sense;
	struct nmlink_spikes_cap spikes;
	uint64_t counters[BOARD_COUNTERS];
	bool interlock_open;
	struct tinyodin_registers registers;  /* of spike256 as runs need them: its attributes */
	struct tinyodin_counters before;      /* when the run began */
	bool back_to_back;                    /* the run is */

	uint8_t *replies;                     /* [window][max_frame] */
	uint32_t reply_size[BOARD_WINDOW_MAX];
	uint32_t first_reply, reply_count;
	uint8_t *events;                      /* [max_frame] */
	uint32_t events_size;

	sim_board_clock_fn clock;
	void *clock_user;
	uint64_t cut_in;                      /* actions until the power goes off; UINT64_MAX: it stays */
	bool off, was_cut;
	uint64_t stray_pulses;
};

static inline struct sim_board *board_of(const struct nmlink_core *core)
{
	return core->self;
}

/* The hardware is about to do `wanted` things: how many, less when the power goes off. */
uint64_t board_acts(struct sim_board *board, uint64_t wanted);
/* The answer when it went off. */
enum nmlink_status board_dead(struct sim_board *board);
/* Between two pieces of work of a millisecond or so: EABORTED when the running request was ended. */
enum nmlink_status board_pause(struct sim_board *board);

#endif
