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
	struct nmhal_spike_run run = {.struct_size = sizeof(run), .in = in, .in_count = 3, .out = out,
				      .out_capacity = 8};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int status;

	for (unsigned int i = 0; i < 3; i++)
		in[i] = (struct nmhal_event){.step = i, .address = 3, .kind = NMHAL_EVENT_SPIKE};

	status = nmhal_context_new(NULL, &ctx);
	if (status == NMHAL_OK)
		status = nmhal_device_open(ctx, "sim:tinyodin", NULL, &dev);
	if (status == NMHAL_OK)
		status = nmhal_program_weights(dev, &weights, NULL);
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(dev, 0, 7, 1, &neuron, NMHAL_TIMEOUT_DEFAULT);
	if (status == NMHAL_OK)
		status = nmhal_run_spikes(dev, &run, &report);
	if (status == NMHAL_OK)
		for (size_t i = 0; i < report.events_out; i++)
			printf("step %llu: neuron %u fired\n", (unsigned long long)out[i].step, out[i].address);
	else
		fprintf(stderr, "%s\n", nmhal_last_error());

	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return status == NMHAL_OK ? 0 : 1;
}
