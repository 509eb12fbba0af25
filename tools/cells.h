/* SPDX-License-Identifier: MIT */
/* What the command line of `cells` says. */
#ifndef PROBE_CELLS_H
#define PROBE_CELLS_H

#include "common.h"

enum cells_action { CELLS_NONE, CELLS_CONDUCTANCE, CELLS_PULSE, CELLS_FORM, CELLS_SET, CELLS_RESET, CELLS_SWEEP };

struct cells_args {
	struct probe *p;
	enum cells_action action;
	const char *word;            /* of the action */
	struct region_option region; /* of conductance */
	struct nmhal_region place;   /* of the others: one cell */
	bool placed, yes;
	uint32_t given;              /* bit for each option in the order of the help */
	const char *output;
	uint32_t side, averages, pulses, points;
	int64_t voltage_uv, start_uv, step_uv, stop_uv, width_ns, gap_ns, target_ps; /* NOT_GIVEN unless given */
};
#define NOT_GIVEN INT64_MIN

#endif
