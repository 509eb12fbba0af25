/* SPDX-License-Identifier: MIT */
#include "run.h"

/*
 * Event i of the caller has number i + leaks * step: before it are the events before it, and the leaks of all steps
 * before its own. Numbers that are left are leaks.
 */
static uint64_t number_of(const struct link_inputs *inputs, size_t event)
{
	return event + inputs->leaks * inputs->op->in[event].step;
}

uint64_t link_inputs_count(const struct link_inputs *inputs)
{
	uint64_t leaks, all;

	if (__builtin_mul_overflow(inputs->op->steps, (uint64_t)inputs->leaks, &leaks) ||
		__builtin_add_overflow(leaks, (uint64_t)inputs->op->in_count, &all))
		return UINT64_MAX;
	return all;
}

struct nmhal_event link_input(const struct link_inputs *inputs, uint64_t number)
{
	const struct nmhal_spike_run *op = inputs->op;
	size_t low = 0, high = op->in_count;
	uint64_t leak;

	if (!inputs->leaks)
		return op->in[number];
	/* How many of the caller's events have a number up to this one. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (number_of(inputs, middle) <= number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low && number_of(inputs, low - 1) == number)
		return op->in[low - 1];
	leak = number - low;
	return (struct nmhal_event){.step = leak / inputs->leaks, .core = (uint16_t)(leak % inputs->leaks),
		.kind = NMHAL_EVENT_LEAK_ALL};
}
