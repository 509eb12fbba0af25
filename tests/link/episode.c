/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "episode.h"

static void note(struct episode *result, int status)
{
	if (status && !result->failed++)
		result->status = status;
}

static void weights(nmhal_device *dev, struct episode *result)
{
	static int8_t codes[FAR_ROWS][FAR_COLS];
	const struct nmhal_region region = {.core = 1};
	const struct nmhal_cell deltas[] = {{1, 0, 0, 5}, {1, 3, 3, -7}, {1, 7, 11, 100}};
	const struct nmhal_program program = {.struct_size = sizeof(program), .region = region, .codes = codes,
		.code_type = NMHAL_CODE_I8};
	const struct nmhal_program update = {.struct_size = sizeof(update), .cells = deltas, .cell_count = 3};

	for (unsigned n = 0; n < FAR_ROWS * FAR_COLS; n++)
		codes[n / FAR_COLS][n % FAR_COLS] = (int8_t)((int)(n * 29 % 181) - 90);
	note(result, nmhal_program_weights(dev, &program, NULL));
	note(result, nmhal_update_weights(dev, &update, NULL));
	note(result, nmhal_read_weights(dev, &region, result->weights, 0, NMHAL_CODE_I16, 0));
}

static void inference(nmhal_device *dev, struct episode *result)
{
	static int8_t in[30][FAR_ROWS];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .region = {.core = 1}, .in = in,
		.out = result->outputs, .saturated = result->saturated[0], .batch = 30, .in_type = NMHAL_CODE_I8,
		.out_type = NMHAL_CODE_I16};

	for (unsigned n = 0; n < sizeof(in); n++)
		in[n / FAR_ROWS][n % FAR_ROWS] = (int8_t)((int)(n * 17 % 61) - 30);
	note(result, nmhal_run_inference(dev, &op));
}

static void spikes(nmhal_device *dev, struct episode *result)
{
	struct nmhal_neuron neurons[FAR_COLS];
	const struct nmhal_event in[] = {{.step = 1, .address = 7}, {.step = 1, .address = 3},
		{.step = 4, .address = 2, .kind = NMHAL_EVENT_VIRTUAL, .value = 30}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 3, .out = result->events,
		.out_capacity = 64, .flags = NMHAL_RUN_LEAK_EACH_STEP};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	memset(neurons, 0, sizeof(neurons));
	for (int n = 0; n < (int)FAR_COLS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 3 * n, .leak = 1, .potential = n};
	note(result, nmhal_set_neurons(dev, 0, 0, FAR_COLS, neurons, 0));
	note(result, nmhal_get_neurons(dev, 0, 0, FAR_COLS, result->neurons, 0));
	note(result, nmhal_run_spikes(dev, &op, &report));
	result->event_count = report.events_out;
	note(result, nmhal_reset_state(dev, 0));
}

static void cells(nmhal_device *dev, struct episode *result)
{
	const struct nmhal_cell_pulse pulse = {.struct_size = sizeof(pulse), .row = 2, .voltage_uv = 1000000,
		.width_ns = 200, .pulses = 3};
	const struct nmhal_cell_ramp ramp = {.struct_size = sizeof(ramp), .row = 4, .kind = NMHAL_RAMP_SET,
		.target_ps = 4000, .start_uv = 500000, .step_uv = 10000, .stop_uv = 900000, .width_ns = 200,
		.max_pulses = 9};
	const struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .row = 5, .step_uv = 1000, .points = 20,
		.width_ns = 200, .out = result->points};
	const struct nmhal_conductance_read read = {.struct_size = sizeof(read), .region = {.core = 0},
		.conductance_ps = result->conductance[0]};

	note(result, nmhal_arm(dev, 1000, 0));
	note(result, nmhal_cell_pulse(dev, &pulse, &result->applied));
	result->ramped.struct_size = sizeof(result->ramped);
	note(result, nmhal_cell_ramp(dev, &ramp, &result->ramped));
	note(result, nmhal_cell_sweep(dev, &sweep));
	note(result, nmhal_read_conductance(dev, &read));
	note(result, nmhal_disarm(dev, 0));
}

void episode_run(nmhal_device *dev, struct episode *result)
{
	memset(result, 0, sizeof(*result));
	weights(dev, result);
	inference(dev, result);
	spikes(dev, result);
	cells(dev, result);
	note(result, nmhal_attr_set_int(dev, "gain", 7));
	note(result, nmhal_attr_get_int(dev, "gain", &result->gain));
}
