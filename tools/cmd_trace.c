/* SPDX-License-Identifier: MIT */
/* trace run: replays recorded traces on any device that holds a tinyODIN and compares every output and neuron word. */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_OUTPUTS 8u

struct trace_args {
	struct probe *p;
	bool run;
	char **files;
	size_t count;
};

static error_t parse_trace(int key, char *arg, struct argp_state *state)
{
	struct trace_args *args = state->input;

	if (key == ARGP_KEY_END && args->count == 0 && !args->p->help)
		return usage_error(args->p, "run FILE... expected");
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (args->run)
		args->files[args->count++] = arg;
	else if (strcmp(arg, "run") == 0)
		args->run = true;
	else
		return usage_error(args->p, "no trace command \"%s\"; run FILE... expected", arg);
	return 0;
}

const struct argp trace_argp = {.parser = parse_trace, .args_doc = "run FILE...",
	.doc = "\vFILE is a .jsonl trace of mode idle, also gzipped. It is programmed and run through the library;"
	" every output, its order and all final neuron words are compared."};

struct totals {
	uint64_t episodes, different, events, outputs;
	json_t *list;
};

static int check_device(const struct probe *p)
{
	static const char *const wanted[] = {"open_loop", "output_source", "max_neuron"};
	const uint64_t features = NMHAL_CAN_NEURONS | NMHAL_CAN_SPIKES | NMHAL_CAN_LEAK_EVENTS |
				  NMHAL_CAN_VIRTUAL_EVENTS | NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER;
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	unsigned found = 0;

	for (size_t i = 0; i < nmhal_attr_count(p->dev); i++)
		if (nmhal_attr_list(p->dev, i, &info) == NMHAL_OK)
			for (unsigned k = 0; k < 3; k++)
				found |= strcmp(info.key, wanted[k]) == 0 ? 1u << k : 0;
	if (found == 7 && (p->caps.features & features) == features && p->caps.rows == TRACE_NEURONS
			&& p->caps.cols == TRACE_NEURONS && p->caps.weight_min <= -8 && p->caps.weight_max >= 7)
		return PROBE_OK;
	return probe_fail(p, NMHAL_E_UNSUPPORTED,
		"%s: trace run: the %s is no tinyODIN (256 x 256 weights -8..7, neurons, ordered spikes,"
		" open_loop, output_source, max_neuron)",
		nmhal_device_uri(p->dev), p->caps.board);
}

static int program_episode(const struct probe *p, const struct trace_episode *episode)
{
	int16_t codes[TRACE_NEURONS][TRACE_NEURONS];
	struct nmhal_neuron neurons[TRACE_NEURONS];
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I16,
		.timeout_ms = p->timeout_ms};

	for (unsigned row = 0; row < TRACE_NEURONS; row++)
		for (unsigned col = 0; col < TRACE_NEURONS; col++)
			codes[row][col] = trace_weight(&episode->chip, row, col);
	for (unsigned i = 0; i < TRACE_NEURONS; i++)
		neurons[i] = trace_neuron(trace_chip_word(&episode->chip, i));
	int status = nmhal_program_weights(p->dev, &op, NULL);
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(p->dev, 0, 0, TRACE_NEURONS, neurons, p->timeout_ms);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(p->dev, "output_source", episode->chip.output_source);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(p->dev, "max_neuron", episode->chip.max_neuron);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(p->dev, "open_loop", episode->chip.open_loop);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

/* ---- comparison -------------------------------------------------------------------------------------------------- */

/* "[200, 7]": the outputs of one input event, the first few of them. */
static void name_outputs(char *text, size_t size, const struct nmhal_event *events, size_t count, uint64_t step)
{
	size_t used = (size_t)snprintf(text, size, "["), shown = 0;

	for (size_t i = 0; i < count && used < size; i++) {
		if (events[i].step != step)
			continue;
		if (shown++ == SHOWN_OUTPUTS) {
			used += (size_t)snprintf(text + used, size - used, ", ...");
			break;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%u", shown > 1 ? ", " : "", events[i].address);
	}
	if (used < size)
		snprintf(text + used, size - used, "]");
}

static bool same_output(const struct nmhal_event *a, const struct nmhal_event *b)
{
	return a->step == b->step && a->address == b->address && a->kind == b->kind && a->core == b->core;
}

/* Empty, or the first difference. */
static void compare_outputs(const struct trace_episode *episode, const struct nmhal_event *got, size_t count, char *why,
	size_t size)
{
	const struct nmhal_event *wanted = episode->out;
	size_t i = 0, first = 0;
	char expected[80], received[80];

	why[0] = '\0';
	while (i < count && i < episode->out_count && same_output(&got[i], &wanted[i]))
		i++;
	if (i == count && i == episode->out_count)
		return;
	uint64_t step = UINT64_MAX;
	if (i < count)
		step = got[i].step;
	if (i < episode->out_count && wanted[i].step < step)
		step = wanted[i].step;
	while (first < i && wanted[first].step < step)
		first++;
	name_outputs(expected, sizeof(expected), wanted, episode->out_count, step);
	name_outputs(received, sizeof(received), got, count, step);
	snprintf(why, size, "event %" PRIu64 ", output %zu: expected %s, got %s%s", step, i - first, expected, received,
		i < count && i < episode->out_count && got[i].kind != wanted[i].kind ? " of another kind" : "");
}

static int compare_neurons(const struct probe *p, const struct trace_episode *episode, char *why, size_t size)
{
	struct nmhal_neuron neurons[TRACE_NEURONS];
	int status = nmhal_get_neurons(p->dev, 0, 0, TRACE_NEURONS, neurons, p->timeout_ms);

	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	for (unsigned i = 0; i < TRACE_NEURONS; i++) {
		uint32_t word = trace_neuron_word(&neurons[i]);
		if (word == episode->final[i])
			continue;
		snprintf(why, size, "after event %zu, neuron %u: expected %08" PRIx32 ", got %08" PRIx32,
			episode->in_count - (episode->in_count > 0), i, episode->final[i], word);
		break;
	}
	return PROBE_OK;
}

/* Runs the events and compares; `why` is empty when all is identical. */
static int run_episode(const struct probe *p, const struct trace_episode *episode, char *why, size_t size)
{
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	size_t capacity = episode->out_count + 1024; /* one output too many is a difference already */
	struct nmhal_event *got = calloc(capacity, sizeof(*got));

	if (got == NULL)
		return probe_no_memory(p);
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = episode->in, .in_count = episode->in_count,
		.steps = episode->in_count, .out = got, .out_capacity = capacity, .timeout_ms = p->timeout_ms};
	int status = episode->in_count > 0 ? nmhal_run_spikes(p->dev, &op, &report) : NMHAL_OK;
	int code = PROBE_OK;
	if (status == NMHAL_OK || status == NMHAL_E_OVERRUN || status == NMHAL_E_LIMIT)
		compare_outputs(episode, got, (size_t)(report.events_out - report.events_lost), why, size);
	free(got);
	if (status != NMHAL_OK && why[0] == '\0')
		code = probe_fail_last(p, status);
	else if (why[0] == '\0')
		code = compare_neurons(p, episode, why, size);
	return code;
}

static int do_episode(
	const struct probe *p, const char *path, const struct trace_episode *episode, struct totals *totals)
{
	char why[320] = "";
	int code = program_episode(p, episode);

	if (code == PROBE_OK)
		code = run_episode(p, episode, why, sizeof(why));
	if (code != PROBE_OK)
		return code;
	totals->episodes++;
	totals->events += episode->in_count;
	totals->outputs += episode->out_count;
	totals->different += why[0] != '\0';
	if (p->json)
		json_array_append_new(totals->list, json_pack("{ss ss sI sI sb ss*}", "file", path, "id", episode->id,
			"events", (json_int_t)episode->in_count, "outputs", (json_int_t)episode->out_count,
			"identical", why[0] == '\0', "difference", why[0] != '\0' ? why : NULL));
	else if (why[0] == '\0')
		printf("%s: episode %s: identical: %zu events, %zu outputs, %u neuron words\n", path, episode->id,
			episode->in_count, episode->out_count, TRACE_NEURONS);
	else
		printf("%s: episode %s: DIFFERENT: %s\n", path, episode->id, why);
	fflush(stdout);
	if (why[0] != '\0')
		probe_fail(p, NMHAL_E_VERIFY, "%s: trace %s: episode %s: %s", nmhal_device_uri(p->dev), path,
			episode->id, why);
	return PROBE_OK;
}

static int do_file(const struct probe *p, const char *path, struct totals *totals)
{
	struct trace_file *file = NULL;
	int code = trace_open(p, path, &file);

	while (code == PROBE_OK) {
		struct trace_episode *episode = NULL;
		code = trace_next(p, file, &episode);
		if (code != PROBE_OK || episode == NULL)
			break;
		if (signals_interrupted())
			code = probe_fail(
				p, NMHAL_E_CANCELED, "%s: trace %s: interrupted", nmhal_device_uri(p->dev), path);
		else
			code = do_episode(p, path, episode, totals);
		trace_episode_free(episode);
	}
	trace_close(file);
	return code;
}

static int print_totals(const struct probe *p, const struct totals *totals)
{
	if (totals->episodes == 0 || totals->events == 0)
		return probe_fail(p, NMHAL_E_STATE, "trace run: 0 events compared");
	if (!p->json) {
		printf("%" PRIu64 " episodes, %" PRIu64 " events, %" PRIu64 " outputs compared: ", totals->episodes,
			totals->events, totals->outputs);
		if (totals->different == 0)
			puts("identical");
		else
			printf("%" PRIu64 " episodes different\n", totals->different);
		return PROBE_OK;
	}
	return json_result(p, json_pack("{ss sI sI sI sI sb sO}", "uri", nmhal_device_uri(p->dev),
		"episodes", (json_int_t)totals->episodes, "events", (json_int_t)totals->events,
		"outputs", (json_int_t)totals->outputs, "different", (json_int_t)totals->different,
		"identical", totals->different == 0, "results", totals->list));
}

int cmd_trace(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct trace_args args = {.p = p, .files = calloc((size_t)argc, sizeof(char *))};
	struct totals totals = {.list = json_array()};
	int code = args.files == NULL ? probe_no_memory(p) : probe_parse(p, self, argc, argv, &args);

	if (code == PROBE_OK && !p->help) {
		code = probe_open(p);
		if (code == PROBE_OK)
			code = check_device(p);
		for (size_t i = 0; i < args.count && code == PROBE_OK; i++)
			code = do_file(p, args.files[i], &totals);
		if (code == PROBE_OK)
			code = print_totals(p, &totals);
		if (code == PROBE_OK && totals.different > 0)
			code = PROBE_DIFFERENT;
	}
	json_decref(totals.list);
	free(args.files);
	return code;
}
