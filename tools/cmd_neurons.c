/* SPDX-License-Identifier: MIT */
/* neurons: show a range, or set fields of a range. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS 4

static const char *const field_names[FIELDS] = {"threshold", "leak", "potential", "enabled"};

struct neurons_args {
	struct probe *p;
	const char *range;
	uint32_t core;
	bool set, csv;
	bool given[FIELDS]; /* which fields `set` writes */
	int32_t values[FIELDS];
};

static error_t parse_assignment(struct neurons_args *args, const char *text)
{
	const char *equals = strchr(text, '=');
	int64_t value;

	for (size_t i = 0; equals != NULL && i < FIELDS; i++) {
		if (strlen(field_names[i]) != (size_t)(equals - text) ||
			strncmp(field_names[i], text, (size_t)(equals - text)) != 0)
			continue;
		if (!parse_number(equals + 1, INT32_MIN, INT32_MAX, &value) || (i == 3 && (value < 0 || value > 1)))
			return usage_error(args->p, "%s: %s is not a number%s", text, equals + 1,
				i == 3 ? " 0 or 1" : "");
		args->given[i] = true;
		args->values[i] = (int32_t)value;
		return 0;
	}
	return usage_error(args->p, "%s: threshold=N, leak=N, potential=N or enabled=0|1 expected", text);
}

static error_t parse_neurons(int key, char *arg, struct argp_state *state)
{
	struct neurons_args *args = state->input;
	int64_t core;

	switch (key) {
	case 'c':
		if (!parse_number(arg, 0, UINT32_MAX, &core))
			return usage_error(args->p, "--core %s: not a number", arg);
		args->core = (uint32_t)core;
		return 0;
	case 's':
		args->csv = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!args->set && args->range == NULL && strcmp(arg, "set") == 0)
			args->set = true;
		else if (args->range == NULL)
			args->range = arg;
		else if (args->set)
			return parse_assignment(args, arg);
		else
			return ARGP_ERR_UNKNOWN;
		return 0;
	case ARGP_KEY_END:
		if (!args->set || args->p->help || args->given[0] || args->given[1] || args->given[2] || args->given[3])
			return 0;
		return usage_error(args->p, "set: RANGE and at least one FIELD=VALUE expected");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option neurons_options[] = {
	{"core", 'c', "N", 0, "Core (default: 0)", 0},
	{"csv", 's', NULL, 0, "Print CSV instead of a table", 0},
	{0},
};
const struct argp neurons_argp = {.options = neurons_options, .parser = parse_neurons,
	.args_doc = "[RANGE]\nset RANGE FIELD=VALUE...",
	.doc = "\vRANGE is 7, 3..7, 3.. or all; FIELD is threshold, leak, potential or enabled."};

static int set_range(const struct probe *p, const struct neurons_args *args, uint32_t first, uint32_t count,
	struct nmhal_neuron *neurons)
{
	for (uint32_t i = 0; i < count; i++) {
		if (args->given[0])
			neurons[i].threshold = args->values[0];
		if (args->given[1])
			neurons[i].leak = args->values[1];
		if (args->given[2])
			neurons[i].potential = args->values[2];
		if (args->given[3])
			neurons[i].enabled = (uint32_t)args->values[3];
	}
	int status = nmhal_set_neurons(p->dev, args->core, first, count, neurons, p->timeout_ms);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (p->json)
		return json_result(p, json_pack("{sI sI sI}", "core", (json_int_t)args->core,
			"first", (json_int_t)first, "count", (json_int_t)count));
	probe_note(p, "%s: neurons %u..%u of core %u set", nmhal_device_uri(p->dev), first, first + count - 1,
		args->core);
	return PROBE_OK;
}

static int show_range(const struct probe *p, const struct neurons_args *args, uint32_t first, uint32_t count,
	const struct nmhal_neuron *neurons)
{
	json_t *list = json_array();

	if (!p->json)
		puts(args->csv ? "neuron,threshold,leak,potential,enabled"
			       : "neuron threshold  leak potential enabled");
	for (uint32_t i = 0; i < count; i++) {
		const struct nmhal_neuron *n = &neurons[i];
		if (p->json)
			json_array_append_new(list, json_pack("{sI si si si sb}", "neuron", (json_int_t)first + i,
				"threshold", (int)n->threshold, "leak", (int)n->leak, "potential", (int)n->potential,
				"enabled", (int)n->enabled));
		else
			printf(args->csv ? "%u,%d,%d,%d,%u\n" : "%6u %9d %5d %9d %7u\n", first + i, n->threshold,
				n->leak, n->potential, n->enabled);
	}
	if (p->json)
		return json_result(p, json_pack("{sI so}", "core", (json_int_t)args->core, "neurons", list));
	json_decref(list);
	return PROBE_OK;
}

int cmd_neurons(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct neurons_args args = {.p = p};
	uint32_t first, count;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_require(p, NMHAL_CAN_NEURONS, "neurons to show or set");
	if (code != PROBE_OK)
		return code;
	if (!parse_range(args.range != NULL ? args.range : "all", p->caps.cols, &first, &count))
		return probe_fail(p, NMHAL_E_INVALID, "neurons: %s: a neuron or range N..M within 0..%u expected",
			args.range, p->caps.cols - 1);
	struct nmhal_neuron *neurons = calloc(count, sizeof(*neurons));
	if (neurons == NULL)
		return probe_no_memory(p);
	int status = nmhal_get_neurons(p->dev, args.core, first, count, neurons, p->timeout_ms);
	if (status != NMHAL_OK)
		code = probe_fail_last(p, status);
	else if (args.set)
		code = set_range(p, &args, first, count, neurons);
	else
		code = show_range(p, &args, first, count, neurons);
	free(neurons);
	return code;
}
