/* SPDX-License-Identifier: MIT */
/*
 * events URI OPEN_LOOP MAX_NEURON COUNT: random weights and neurons, then a run of COUNT random spikes, 3 a step (0: no
 * run). For the price of a run on the wire; whether its outputs are right is asked elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>

#include <nmhal/nmhal.h>

#define ROWS   256u
#define EVENTS 10000u

static uint32_t draw(uint32_t below)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % below;
}

static int set_up(nmhal_device *dev, int64_t open_loop, int64_t max_neuron)
{
	static int8_t codes[ROWS * ROWS];
	struct nmhal_neuron neurons[ROWS];
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};
	int status;

	for (unsigned n = 0; n < ROWS * ROWS; n++)
		codes[n] = (int8_t)((int)draw(16) - 8);
	for (unsigned n = 0; n < ROWS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 30 + (int32_t)draw(40), .leak = 1, .enabled = 1};
	status = nmhal_program_weights(dev, &op, NULL);
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(dev, 0, 0, ROWS, neurons, 0);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(dev, "open_loop", open_loop);
	return status == NMHAL_OK ? nmhal_attr_set_int(dev, "max_neuron", max_neuron) : status;
}

static int run(nmhal_device *dev, unsigned count)
{
	static struct nmhal_event in[EVENTS], out[64 * EVENTS];
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = count, .out = out,
		.out_capacity = sizeof(out) / sizeof(*out), .timeout_ms = 100000};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	int status;

	for (unsigned n = 0; n < count; n++)
		in[n] = (struct nmhal_event){.step = n / 3, .address = draw(ROWS), .kind = NMHAL_EVENT_SPIKE};
	status = nmhal_run_spikes(dev, &op, &report);
	printf("%llu\n", (unsigned long long)report.events_out);
	return status;
}

int main(int argc, char **argv)
{
	const unsigned count = argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : EVENTS + 1;
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int status;

	if (count > EVENTS) {
		fprintf(stderr, "usage: events URI OPEN_LOOP MAX_NEURON COUNT, at most %u\n", EVENTS);
		return 2;
	}
	status = nmhal_context_new(NULL, &ctx);
	if (status == NMHAL_OK)
		status = nmhal_device_open(ctx, argv[1], NULL, &dev);
	if (status == NMHAL_OK)
		status = set_up(dev, strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10));
	if (status == NMHAL_OK && count)
		status = run(dev, count);
	if (status != NMHAL_OK)
		fprintf(stderr, "%s\n", nmhal_last_error());
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return status == NMHAL_OK ? 0 : 1;
}
