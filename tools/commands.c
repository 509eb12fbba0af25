/* SPDX-License-Identifier: MIT */
/* The table of commands: dispatch, help, the man page test and the completion script all follow it. */
#include "common.h"

#include <string.h>

const struct command commands[] = {
	{"list", "List the devices that can be opened", &list_argp, cmd_list},
	{"info", "Show what a device is and can do", NULL, cmd_info},
	{"attr", "Show or set attributes of a device", &attr_argp, cmd_attr},
	{"reset", "Reset a device; programmed weights and neurons stay", &reset_argp, cmd_reset},
	{"selftest", "Test every weight and neuron bit and the spiking arithmetic", NULL, cmd_selftest},
	{"program", "Program a chip image or weights", &program_argp, cmd_program},
	{"weights", "Read weights back: heat map or file", &weights_argp, cmd_weights},
	{"neurons", "Show or set neurons", &neurons_argp, cmd_neurons},
	{"infer", "Run a batch of products on the crossbar", &infer_argp, cmd_infer},
	{"sensors", "Read the sensors of a board", &sensors_argp, cmd_sensors},
	{"counters", "Read the counters of a device", NULL, cmd_counters},
	{"limits", "Show or tighten the limits that a board keeps", &limits_argp, cmd_limits},
	{"arm", "Try whether a board can be armed", &arm_argp, cmd_arm},
	{"disarm", "Disarm a board", NULL, cmd_disarm},
	{"safe", "Disarm a board and bring all its lines to 0 V", NULL, cmd_safe},
	{"cells", "Read, pulse, form, set, reset and sweep single cells", &cells_argp, cmd_cells},
	{"conformance", "Test a board against the nmlink protocol", &conformance_argp, cmd_conformance},
	{"run", "Send input events and print the spikes", &run_argp, cmd_run},
	{"trace", "Replay recorded traces and compare", &trace_argp, cmd_trace},
	{"bench", "Measure how fast a device is driven", &bench_argp, cmd_bench},
	{"completion", "Print a completion script for a shell", &completion_argp, cmd_completion},
	{"version", "Show the versions of the tool and of the library", NULL, cmd_version},
	{"help", "Show help on a command", &help_argp, cmd_help},
	{NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}
