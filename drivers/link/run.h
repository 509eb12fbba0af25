/* SPDX-License-Identifier: MIT */
/* How the input events of a run are numbered: the caller's, and the leaks that end steps, in the order of sending. */
#ifndef LINK_RUN_H
#define LINK_RUN_H

#include <nmhal/driver.h>

struct link_inputs {
	const struct nmhal_spike_run *op;
	uint32_t leaks; /* that end each step: one a core, or none */
};

/* Inputs of the run; UINT64_MAX when they are more than can be counted. */
uint64_t link_inputs_count(const struct link_inputs *inputs);
/* Input `number` of the run. */
struct nmhal_event link_input(const struct link_inputs *inputs, uint64_t number);

#endif
