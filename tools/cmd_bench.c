/* SPDX-License-Identifier: MIT */
/* bench: how fast a device is driven through the public interface. */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_RUNS 99u
#define DEFAULT_RUNS 7u
#define MIN_RUNS 5u
#define RUN_EVENTS 2000u
#define SPIKE_EVENTS 64u
#define FIGURES 12u

struct figure {
	const char *name, *unit;
	double values[MAX_RUNS];
	unsigned count;
};

struct bench {
	struct probe *p;
	unsigned runs;
	struct figure figures[FIGURES];
	unsigned figure_count;
	struct progress bar;
	int16_t *codes;
	struct nmhal_neuron *neurons;
	struct nmhal_event *in, *out;
	size_t out_capacity;
};

static error_t parse_bench(int key, char *arg, struct argp_state *state)
{
	struct bench *bench = state->input;
	int64_t runs;

	if (key != 'r')
		return ARGP_ERR_UNKNOWN;
	if (!parse_number(arg, MIN_RUNS, MAX_RUNS, &runs))
		return usage_error(bench->p, "--runs %s: not a number %u..%u", arg, MIN_RUNS, MAX_RUNS);
	bench->runs = (unsigned)runs;
	return 0;
}

static const struct argp_option bench_options[] = {
	{"runs", 'r', "N", 0, "Runs of each measurement, 5..99 (default: 7); the median is shown", 0},
	{0},
};
const struct argp bench_argp = {.options = bench_options, .parser = parse_bench,
	.doc = "\vOverwrites weights, neurons and attributes while it runs and restores them."};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct figure *add_figure(struct bench *bench, const char *name, const char *unit)
{
	struct figure *figure = &bench->figures[bench->figure_count++];

	*figure = (struct figure){.name = name, .unit = unit};
	return figure;
}

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(struct figure *figure)
{
	qsort(figure->values, figure->count, sizeof(figure->values[0]), compare_doubles);
	unsigned half = figure->count / 2;
	return figure->count % 2 != 0 ? figure->values[half] : (figure->values[half - 1] + figure->values[half]) / 2;
}

/* ---- what is measured: each does one run and returns a status ---------------------------------------------------- */

static int program_all(struct bench *bench, uint32_t flags)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = bench->codes, .code_type = NMHAL_CODE_I16,
		.flags = flags, .timeout_ms = bench->p->timeout_ms};

	return nmhal_program_weights(bench->p->dev, &op, NULL);
}

static int do_program(struct bench *bench)
{
	return program_all(bench, 0);
}

static int do_program_unchanged(struct bench *bench)
{
	return program_all(bench, NMHAL_PROGRAM_ONLY_CHANGED);
}

static int do_read(struct bench *bench)
{
	return nmhal_read_weights(bench->p->dev, NULL, bench->codes, 0, NMHAL_CODE_I16, bench->p->timeout_ms);
}

static int do_set_neurons(struct bench *bench)
{
	return nmhal_set_neurons(bench->p->dev, 0, 0, bench->p->caps.cols, bench->neurons, bench->p->timeout_ms);
}

static int do_get_neurons(struct bench *bench)
{
	return nmhal_get_neurons(bench->p->dev, 0, 0, bench->p->caps.cols, bench->neurons, bench->p->timeout_ms);
}

static int run_events(struct bench *bench, size_t count)
{
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = bench->in, .in_count = count, .steps = count,
		.out = bench->out, .out_capacity = bench->out_capacity, .timeout_ms = bench->p->timeout_ms};

	return nmhal_run_spikes(bench->p->dev, &op, NULL);
}

static int do_one_event(struct bench *bench)
{
	return run_events(bench, 1);
}

static int do_events(struct bench *bench)
{
	return run_events(bench, RUN_EVENTS);
}

static int do_spikes(struct bench *bench)
{
	return run_events(bench, SPIKE_EVENTS);
}

static int do_open_close(struct bench *bench)
{
	struct probe *p = bench->p;
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	nmhal_device *dev = NULL;

	params.timeout_ms = p->timeout_ms;
	int status = nmhal_device_open(p->ctx, p->uri, &params, &dev);
	if (status == NMHAL_OK)
		status = nmhal_device_close(dev);
	nmhal_device_unref(dev);
	return status;
}

/* Times bench->runs runs. A positive `items` turns seconds into items per second, a negative into seconds * -items. */
static int measure(
	struct bench *bench, const char *name, const char *unit, double items, int (*run)(struct bench *bench))
{
	struct figure *figure = add_figure(bench, name, unit);

	for (unsigned i = 0; i < bench->runs; i++) {
		progress_at(&bench->bar, (uint64_t)(bench->figure_count - 1) * bench->runs + i);
		double start = seconds();
		int status = run(bench);
		double took = seconds() - start;
		if (status != NMHAL_OK) {
			progress_end(&bench->bar);
			return probe_fail_last(bench->p, status);
		}
		figure->values[figure->count++] = items > 0 ? items / took : took * -items;
	}
	return PROBE_OK;
}

/* ---- the sequence ------------------------------------------------------------------------------------------------ */

static int measure_weights(struct bench *bench)
{
	const int32_t codes[] = {bench->p->caps.weight_max, bench->p->caps.weight_min, 0};

	for (size_t i = 0; i < (size_t)bench->p->caps.rows * bench->p->caps.cols; i++)
		bench->codes[i] = (int16_t)codes[i % 3];
	int code = measure(bench, "program_all", "ms", -1e3, do_program);
	if (code == PROBE_OK)
		code = measure(bench, "program_unchanged", "ms", -1e3, do_program_unchanged);
	if (code == PROBE_OK && bench->p->caps.features & NMHAL_CAN_READ_WEIGHTS)
		code = measure(bench, "read_all", "ms", -1e3, do_read);
	return code;
}

static int set_thresholds(struct bench *bench, int32_t threshold)
{
	for (uint32_t i = 0; i < bench->p->caps.cols; i++)
		bench->neurons[i] = (struct nmhal_neuron){.threshold = threshold, .enabled = 1};
	int status = do_set_neurons(bench);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(bench->p, status);
}

static int measure_neurons(struct bench *bench)
{
	int code = set_thresholds(bench, bench->p->caps.threshold_max);

	if (code == PROBE_OK)
		code = measure(bench, "set_neurons", "ms", -1e3, do_set_neurons);
	if (code == PROBE_OK)
		code = measure(bench, "get_neurons", "ms", -1e3, do_get_neurons);
	return code;
}

/* Clock cycles per event: of one more run, as the device counts them. */
static int count_cycles(struct bench *bench)
{
	uint64_t before, after;

	if (nmhal_counter_get(bench->p->dev, "cycles", &before) != NMHAL_OK)
		return PROBE_OK;
	int status = do_events(bench);
	if (status == NMHAL_OK)
		status = nmhal_counter_get(bench->p->dev, "cycles", &after);
	if (status != NMHAL_OK)
		return probe_fail_last(bench->p, status);
	struct figure *figure = add_figure(bench, "cycles_per_event", "cycles");
	figure->values[figure->count++] = (double)(after - before) / RUN_EVENTS;
	return PROBE_OK;
}

static int measure_spikes(struct bench *bench)
{
	const struct nmhal_device_caps *caps = &bench->p->caps;

	for (uint32_t i = 0; i < RUN_EVENTS; i++)
		bench->in[i] = (struct nmhal_event){.step = i, .address = i % caps->rows, .kind = NMHAL_EVENT_SPIKE};
	int code = set_thresholds(bench, caps->threshold_max);
	if (code == PROBE_OK)
		code = measure(bench, "one_event", "us", -1e6, do_one_event);
	if (code == PROBE_OK)
		code = measure(bench, "events_silent", "events/s", RUN_EVENTS, do_events);
	if (code == PROBE_OK)
		code = count_cycles(bench);
	/* Zero weights and thresholds: every neuron fires on every event. */
	memset(bench->codes, 0, (size_t)caps->rows * caps->cols * sizeof(*bench->codes));
	int status = code == PROBE_OK ? do_program(bench) : NMHAL_OK;
	if (status != NMHAL_OK)
		return probe_fail_last(bench->p, status);
	if (code == PROBE_OK)
		code = set_thresholds(bench, caps->threshold_min);
	if (code == PROBE_OK)
		code = measure(bench, "spikes_out", "spikes/s", (double)SPIKE_EVENTS * caps->cols, do_spikes);
	return code;
}

/* In open loop with all neurons taking part, when the device has these attributes. */
static void set_attributes(const struct probe *p)
{
	int status = nmhal_attr_set_int(p->dev, "open_loop", 1);

	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(p->dev, "output_source", 0);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(p->dev, "max_neuron", (int64_t)p->caps.cols - 1);
	if (status != NMHAL_OK && nmhal_attr_count(p->dev) > 0)
		probe_note(p, "%s: measured with its attributes as they are", nmhal_device_uri(p->dev));
}

static int measure_all(struct bench *bench)
{
	const uint64_t features = bench->p->caps.features;

	progress_start(bench->p, &bench->bar, "bench", (uint64_t)FIGURES * bench->runs);
	set_attributes(bench->p);
	int code = measure_weights(bench);
	if (code == PROBE_OK && features & NMHAL_CAN_NEURONS)
		code = measure_neurons(bench);
	if (code == PROBE_OK && features & NMHAL_CAN_NEURONS && features & NMHAL_CAN_SPIKES)
		code = measure_spikes(bench);
	return code;
}

/* The open device is closed for this; a chip keeps its memories, an emulated one is restored afterwards. */
static int measure_open(struct bench *bench)
{
	struct probe *p = bench->p;

	signals_device(NULL);
	int status = nmhal_device_close(p->dev);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	nmhal_device_unref(p->dev);
	p->dev = NULL;
	int code = measure(bench, "open_close", "ms", -1e3, do_open_close);
	progress_end(&bench->bar);
	nmhal_context_unref(p->ctx);
	p->ctx = NULL;
	int open_code = probe_open(p);
	return code != PROBE_OK ? code : open_code;
}

static int print_figures(struct bench *bench)
{
	struct probe *p = bench->p;
	json_t *list = json_object();

	for (unsigned i = 0; i < bench->figure_count; i++) {
		struct figure *figure = &bench->figures[i];
		double middle = median(figure), least = figure->values[0], most = figure->values[figure->count - 1];
		if (p->json)
			json_object_set_new(list, figure->name,
				json_pack("{ss sf sf sf si}", "unit", figure->unit, "median", middle, "min", least,
					"max", most, "runs", (int)figure->count));
		else
			printf("%-18s %14.6g %-9s (%.6g..%.6g, %u runs)\n", figure->name, middle, figure->unit, least,
				most, figure->count);
	}
	if (p->json)
		return json_result(p, json_pack("{ss so}", "uri", nmhal_device_uri(p->dev), "figures", list));
	json_decref(list);
	return PROBE_OK;
}

static bool allocate(struct bench *bench)
{
	const struct nmhal_device_caps *caps = &bench->p->caps;

	bench->out_capacity = (size_t)SPIKE_EVENTS * caps->cols;
	bench->codes = calloc((size_t)caps->rows * caps->cols, sizeof(*bench->codes));
	bench->neurons = calloc(caps->cols, sizeof(*bench->neurons));
	bench->in = calloc(RUN_EVENTS, sizeof(*bench->in));
	bench->out = calloc(bench->out_capacity, sizeof(*bench->out));
	return bench->codes != NULL && bench->neurons != NULL && bench->in != NULL && bench->out != NULL;
}

static int run_bench(struct bench *bench)
{
	struct probe *p = bench->p;
	nmhal_image *image = NULL;
	int code = probe_open(p);

	if (code == PROBE_OK)
		code = allocate(bench) ? backup_take(p, &image) : probe_no_memory(p);
	if (code != PROBE_OK)
		return code;
	code = measure_all(bench);
	if (code == PROBE_OK)
		code = measure_open(bench);
	progress_end(&bench->bar);
	if (p->dev == NULL) {
		nmhal_image_free(image);
		return code;
	}
	code = backup_restore(p, image, code);
	return code == PROBE_OK ? print_figures(bench) : code;
}

int cmd_bench(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	if (bench == NULL)
		return probe_no_memory(p);
	bench->p = p;
	bench->runs = DEFAULT_RUNS;
	int code = probe_parse(p, self, argc, argv, bench);
	if (code == PROBE_OK && !p->help)
		code = run_bench(bench);
	free(bench->codes);
	free(bench->neurons);
	free(bench->in);
	free(bench->out);
	free(bench);
	return code;
}
