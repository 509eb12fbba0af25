/* SPDX-License-Identifier: MIT */
/* A little of everything, with results that can be compared: what faults on the wire must not change. */
#ifndef EPISODE_H
#define EPISODE_H

#include "far.h"

struct episode {
	unsigned failed;   /* calls that failed */
	int status;        /* of the first of them */
	int16_t weights[FAR_ROWS][FAR_COLS];
	int16_t outputs[30][FAR_COLS];
	uint8_t saturated[30][FAR_COLS];
	struct nmhal_neuron neurons[FAR_COLS];
	struct nmhal_event events[64];
	uint64_t event_count;
	uint32_t applied;
	struct nmhal_cell_ramped ramped;
	struct nmhal_sweep_point points[20];
	uint32_t conductance[FAR_ROWS][FAR_COLS];
	int64_t gain;
};

/* Goes on after a failure. result is zeroed first. */
void episode_run(nmhal_device *dev, struct episode *result);

#endif
