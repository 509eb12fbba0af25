/* SPDX-License-Identifier: MIT */
/* The parts of nmhal-probe selftest. */
#ifndef PROBE_SELFTEST_H
#define PROBE_SELFTEST_H

#include "common.h"

/* Outcome of one part. A part that finds a fault returns PROBE_DIFFERENT, without a message; `fault` names it. */
struct part_result {
	uint64_t compared; /* bytes, codes, fields or spikes */
	const char *skipped; /* why the part did not run, or NULL */
	char fault[320];
	json_t *place;     /* the fault for --json, or NULL */
};

/* Data patterns for a field of `bits` bits at cell `address` (address_bits wide): solid, checkerboard, walking one,
 * the address itself in slices, and the inverse of each slice. */
unsigned pattern_count(unsigned bits, unsigned address_bits);
uint32_t pattern_bits(unsigned pattern, unsigned bits, uint32_t address, bool odd);
/* Number of bits that hold min..max, and the value of a bit pattern (clamped to min..max). */
unsigned range_bits(int32_t min, int32_t max);
int32_t range_value(uint32_t pattern, unsigned bits, int32_t min, int32_t max);

int selftest_weights(struct probe *p, struct part_result *result);
int selftest_neurons(struct probe *p, struct part_result *result);
int selftest_spikes(struct probe *p, struct part_result *result);

#endif
