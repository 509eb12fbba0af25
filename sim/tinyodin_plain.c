/* SPDX-License-Identifier: MIT */
/* Plain C kernel: the one the tests compare with, and the only one where there is no AVX2. */
#include "sim/tinyodin_core.h"
#include "sim/tinyodin_rules.h"

/* Turns one byte per neuron into one bit per neuron. */
static void collect(const uint8_t *crossed, uint64_t *fired)
{
	for (unsigned group = 0; group < TINYODIN_GROUPS; group++) {
		uint64_t bits = 0;

		for (unsigned n = 0; n < 64; n++)
			bits |= (uint64_t)crossed[64 * group + n] << n;
		fired[group] = bits;
	}
}

static bool plain_spike(struct tinyodin_neurons *neurons, const int8_t *weights, unsigned max, uint64_t *fired)
{
	uint8_t crossed[TINYODIN_NEURONS] = {0};
	unsigned any = 0;

	for (unsigned n = 0; n <= max; n++) {
		int above = neurons->fires_above[n];
		int t = rule_saturate(neurons->v[n] + weights[n]);

		crossed[n] = t > above;
		any |= crossed[n];
		neurons->v[n] = (int16_t)rule_settle(t, above);
	}
	if (any)
		collect(crossed, fired);
	return any;
}

static bool plain_leak(struct tinyodin_neurons *neurons, unsigned max, uint64_t *fired)
{
	uint8_t crossed[TINYODIN_NEURONS] = {0};
	unsigned any = 0;

	for (unsigned n = 0; n <= max; n++) {
		int above = neurons->fires_above[n];
		int t = rule_leak(neurons->v[n], neurons->leak[n]);

		crossed[n] = t > above;
		any |= crossed[n];
		neurons->v[n] = (int16_t)rule_settle(t, above);
	}
	if (any)
		collect(crossed, fired);
	return any;
}

const struct tinyodin_kernel tinyodin_plain = {"plain", plain_spike, plain_leak};
