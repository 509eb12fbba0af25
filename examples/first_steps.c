/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include <nmhal/nmhal.h>

/* Row 3 drives neuron 7 with weight 5; at threshold 15 the third spike makes it fire. */
int main(void)
{
	struct nmhal_cell cell = {.core = 0, .row = 3, .col = 7, .code = 5};
	struct nmhal_program weights = {.struct_size = sizeof(weights), .cells = &cell, .cell_count = 1};
	struct nmhal_neuron neuron = {.threshold = 15, .enabled = 1};
	struct nmhal_event in[3], out[8];
	struct nmhal_spike_run run = {.struct_size = sizeof(run)};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int failed;

	for (unsigned int i = 0; i < 3; i++)
		in[i] = (struct nmhal_event){.step = i, .address = 3, .kind = NMHAL_EVENT_SPIKE};
	run.in = in;
	run.in_count = 3;
	run.out = out;
	run.out_capacity = 8;

	failed = nmhal_context_new(NULL, &ctx) || nmhal_device_open(ctx, "sim:tinyodin", NULL, &dev) ||
		nmhal_program_weights(dev, &weights, NULL) ||
		nmhal_set_neurons(dev, 0, 7, 1, &neuron, NMHAL_TIMEOUT_DEFAULT) ||
		nmhal_run_spikes(dev, &run, &report);
	if (failed)
		fprintf(stderr, "%s\n", nmhal_last_error());
	for (size_t i = 0; i < report.events_out && !failed; i++)
		printf("step %llu: neuron %u fired\n", (unsigned long long)out[i].step, out[i].address);

	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return failed;
}
