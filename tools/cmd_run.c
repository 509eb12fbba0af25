/* SPDX-License-Identifier: MIT */
/* run: input events from CSV, spikes to CSV, JSON or a raster plot. */
#include "events.h"
#include "heatmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A run goes to the device in parts of whole steps. So many inputs, each with at most the default number of outputs,
 * fit the buffer; its pages are only backed once used. */
#define PART_INPUTS 1024u
#define BUFFER_EVENTS ((size_t)PART_INPUTS * NMHAL_MAX_EVENTS_DEFAULT)

struct run_args {
	struct probe *p;
	const char *input, *output;
	uint64_t steps, max_events, clock_hz;
	uint32_t flags;
	bool reset_state, raster;
};

enum { KEY_BACK_TO_BACK = 256, KEY_RESET_STATE, KEY_RASTER, KEY_CLOCK };

static error_t parse_count(struct run_args *args, const char *name, const char *text, uint64_t *count)
{
	int64_t number;

	if (!parse_number(text, 0, INT64_MAX, &number))
		return usage_error(args->p, "--%s %s: not a number", name, text);
	*count = (uint64_t)number;
	return 0;
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct run_args *args = state->input;
	error_t error;

	switch (key) {
	case 'n':
		return parse_count(args, "steps", arg, &args->steps);
	case 'm':
		error = parse_count(args, "max-events", arg, &args->max_events);
		args->max_events = args->max_events == 0 ? NMHAL_NO_LIMIT : args->max_events;
		return error;
	case KEY_CLOCK:
		return parse_count(args, "clock", arg, &args->clock_hz);
	case 'l':
		args->flags |= NMHAL_RUN_LEAK_EACH_STEP;
		return 0;
	case KEY_BACK_TO_BACK:
		args->flags |= NMHAL_RUN_BACK_TO_BACK;
		return 0;
	case KEY_RESET_STATE:
		args->reset_state = true;
		return 0;
	case KEY_RASTER:
		args->raster = true;
		return 0;
	case 'o':
		args->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (args->input != NULL)
			return ARGP_ERR_UNKNOWN;
		args->input = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->input != NULL || args->p->help)
			return 0;
		return usage_error(args->p, "FILE is missing (- for standard input)");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option run_options[] = {
	{"output", 'o', "FILE", 0, "Write the spikes to FILE instead of stdout", 0},
	{"steps", 'n', "N", 0, "Number of steps (default: up to the last event)", 0},
	{"leak-each-step", 'l', NULL, 0, "Leak all neurons at the end of every step", 0},
	{"back-to-back", KEY_BACK_TO_BACK, NULL, 0, "Do not wait for idle between events", 0},
	{"max-events", 'm', "N", 0, "Output events one input may cause (default: 65536; 0: no limit)", 0},
	{"reset-state", KEY_RESET_STATE, NULL, 0, "Zero all potentials first", 0},
	{"raster", KEY_RASTER, NULL, 0, "Plot neurons over steps on stdout (with -o, the CSV still goes to FILE)", 0},
	{"clock", KEY_CLOCK, "HZ", 0, "Clock at which cycles are turned into chip time (default: the device's)", 0},
	{0},
};
const struct argp run_argp = {.options = run_options, .parser = parse_run, .args_doc = "FILE|-",
	.doc = "\vFILE is CSV with the header step,kind,core,address,value;"
	" kinds are spike, virtual, leak_all, leak_one."};

/* A run in progress: where it stands, and what came out. */
struct job {
	struct probe *p;
	const struct run_args *args;
	struct event_list in;
	uint64_t steps, step; /* of the whole run; done so far */
	size_t next;          /* next input */
	struct nmhal_event *buffer;
	struct nmhal_event *kept; /* all outputs, for --json and --raster */
	size_t kept_count, kept_capacity;
	FILE *csv;            /* NULL: none wanted */
	struct nmhal_spike_report total;
};

static void add_counter(uint64_t *total, uint64_t part)
{
	*total = *total == NMHAL_UNKNOWN || part == NMHAL_UNKNOWN ? NMHAL_UNKNOWN : *total + part;
}

static int keep(struct job *job, size_t count)
{
	if (job->kept_count + count > job->kept_capacity) {
		size_t larger = (job->kept_count + count) * 2;
		struct nmhal_event *kept = reallocarray(job->kept, larger, sizeof(*kept));
		if (kept == NULL)
			return probe_no_memory(job->p);
		job->kept = kept;
		job->kept_capacity = larger;
	}
	memcpy(job->kept + job->kept_count, job->buffer, count * sizeof(*job->kept));
	job->kept_count += count;
	return PROBE_OK;
}

static int take_part(struct job *job, const struct nmhal_spike_report *report)
{
	size_t count = (size_t)(report->events_out - report->events_lost);

	for (size_t i = 0; i < count; i++)
		job->buffer[i].step += job->step;
	add_counter(&job->total.events_in, report->events_in);
	add_counter(&job->total.events_out, report->events_out);
	add_counter(&job->total.sops, report->sops);
	add_counter(&job->total.queue_dropped, report->queue_dropped);
	add_counter(&job->total.cycles, report->cycles);
	if (job->csv != NULL)
		events_print(job->csv, job->buffer, count);
	return count > 0 && (job->p->json || job->args->raster) ? keep(job, count) : PROBE_OK;
}

/* Whole steps from job->step on: at most PART_INPUTS inputs, unless one step has more. Back to back: all of them. */
static uint64_t part_end(const struct job *job, size_t *count)
{
	bool leak = (job->args->flags & NMHAL_RUN_LEAK_EACH_STEP) != 0;
	size_t next = job->next;
	const struct nmhal_event *in = job->in.events;

	*count = job->in.count - next;
	if (job->args->flags & NMHAL_RUN_BACK_TO_BACK)
		return job->steps;
	for (; next < job->in.count; next++) {
		if (leak && in[next].step - job->step >= PART_INPUTS)
			break;
		if (next - job->next >= PART_INPUTS && in[next].step != in[next - 1].step)
			break;
	}
	*count = next - job->next;
	uint64_t end = next == job->in.count ? job->steps : in[next].step;
	return leak && end - job->step > PART_INPUTS ? job->step + PART_INPUTS : end;
}

static int run_part(struct job *job)
{
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	size_t count;
	uint64_t end = part_end(job, &count);

	for (size_t i = 0; i < count; i++)
		job->in.events[job->next + i].step -= job->step;
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = count > 0 ? job->in.events + job->next : NULL,
		.in_count = count, .steps = end - job->step, .out = job->buffer, .out_capacity = BUFFER_EVENTS,
		.max_events_per_input = job->args->max_events, .flags = job->args->flags,
		.timeout_ms = job->p->timeout_ms};
	int status = nmhal_run_spikes(job->p->dev, &op, &report);
	int code = PROBE_OK;
	if (status != NMHAL_OK && job->step > 0)
		code = probe_fail(job->p, status, "%s; steps are counted from step %" PRIu64, nmhal_last_error(),
			job->step);
	else if (status != NMHAL_OK)
		code = probe_fail_last(job->p, status);
	int take_code = take_part(job, &report);
	job->step = end;
	job->next += count;
	return code != PROBE_OK ? code : take_code;
}

static int run_all(struct job *job)
{
	struct progress bar;
	int code = PROBE_OK;

	progress_start(job->p, &bar, "run", job->steps);
	bar.on = bar.on && (job->csv != stdout || !isatty(STDOUT_FILENO));
	/* After a write error, which is told at the end, nothing more can be kept. */
	while (job->step < job->steps && code == PROBE_OK && (job->csv == NULL || !ferror(job->csv))) {
		progress_at(&bar, job->step);
		if (signals_interrupted())
			code = probe_fail(job->p, NMHAL_E_CANCELED,
				"%s: run: interrupted after %" PRIu64 " of %" PRIu64 " steps",
				nmhal_device_uri(job->p->dev), job->step, job->steps);
		else
			code = run_part(job);
	}
	progress_end(&bar);
	return code;
}

static uint64_t clock_of(const struct job *job)
{
	return job->args->clock_hz > 0 ? job->args->clock_hz : job->p->caps.clock_hz;
}

static void note_counter(char *text, size_t size, uint64_t value, const char *what)
{
	size_t used = strlen(text);

	if (value != NMHAL_UNKNOWN)
		snprintf(text + used, size - used, ", %" PRIu64 " %s", value, what);
}

static void print_report(const struct job *job)
{
	const struct nmhal_spike_report *total = &job->total;
	char text[320] = "";

	note_counter(text, sizeof(text), total->sops, "synaptic operations");
	note_counter(text, sizeof(text), total->queue_dropped, "dropped in the chip's queue");
	note_counter(text, sizeof(text), total->cycles, "cycles");
	if (total->cycles != NMHAL_UNKNOWN && clock_of(job) > 0) {
		size_t used = strlen(text);
		snprintf(text + used, sizeof(text) - used, " = %.6g ms at %.6g MHz",
			(double)total->cycles * 1e3 / (double)clock_of(job), (double)clock_of(job) / 1e6);
	}
	probe_note(job->p, "run of %" PRIu64 " steps: %" PRIu64 " events in, %" PRIu64 " out%s", job->steps,
		total->events_in, total->events_out, text);
}

static int print_json(const struct job *job)
{
	const struct nmhal_spike_report *total = &job->total;
	json_t *spikes = json_array();
	bool timed = total->cycles != NMHAL_UNKNOWN && clock_of(job) > 0;

	for (size_t i = 0; i < job->kept_count && job->args->output == NULL; i++)
		json_array_append_new(spikes, event_json(&job->kept[i]));
	json_t *report = json_pack("{sI so so so so so so}", "steps", (json_int_t)job->steps,
		"events_in", json_counter(total->events_in), "events_out", json_counter(total->events_out),
		"sops", json_counter(total->sops), "queue_dropped", json_counter(total->queue_dropped),
		"cycles", json_counter(total->cycles),
		"chip_seconds", timed ? json_real((double)total->cycles / (double)clock_of(job)) : json_null());
	if (job->args->output == NULL)
		return json_result(job->p, json_pack("{so so}", "spikes", spikes, "report", report));
	json_decref(spikes);
	return json_result(job->p, json_pack("{ss so}", "file", job->args->output, "report", report));
}

static int open_output(struct job *job)
{
	const struct run_args *args = job->args;

	if (args->output != NULL) {
		job->csv = fopen(args->output, "w");
		if (job->csv == NULL)
			return probe_fail(job->p, errno == EACCES ? NMHAL_E_ACCESS : NMHAL_E_IO, "%s: write: %s",
				args->output, strerror(errno));
	} else if (!job->p->json && !args->raster) {
		job->csv = stdout;
	}
	job->buffer = mmap(NULL, BUFFER_EVENTS * sizeof(*job->buffer), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (job->buffer == MAP_FAILED) {
		job->buffer = NULL;
		return probe_no_memory(job->p);
	}
	if (job->csv != NULL)
		events_print_header(job->csv);
	return PROBE_OK;
}

static int run_job(struct job *job)
{
	const struct run_args *args = job->args;
	struct probe *p = job->p;
	int code = open_output(job);

	if (code != PROBE_OK)
		return code;
	if (args->reset_state) {
		int status = nmhal_reset_state(p->dev, p->timeout_ms);
		if (status != NMHAL_OK)
			return probe_fail_last(p, status);
	}
	code = run_all(job);
	if (code != PROBE_OK)
		return code;
	if (args->raster && !p->json) {
		unsigned columns = terminal_columns(STDOUT_FILENO);
		raster_draw(stdout, job->kept, job->kept_count, job->steps, p->caps.cols, columns > 0 ? columns : 100);
	}
	print_report(job);
	return p->json ? print_json(job) : PROBE_OK;
}

static int close_output(struct job *job, int code)
{
	if (job->buffer != NULL)
		munmap(job->buffer, BUFFER_EVENTS * sizeof(*job->buffer));
	free(job->kept);
	if (job->csv == NULL || job->csv == stdout)
		return code;
	bool bad = ferror(job->csv) != 0;
	if (fclose(job->csv) == 0 && !bad)
		return code;
	int write_code = probe_fail(job->p, NMHAL_E_IO, "%s: write: %s", job->args->output, strerror(errno));
	return code == PROBE_OK ? write_code : code;
}

int cmd_run(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct run_args args = {.p = p};
	struct job job = {.p = p, .args = &args};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = events_load(p, args.input, &job.in);
	if (code == PROBE_OK)
		code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_require(p, NMHAL_CAN_SPIKES, "spikes");
	if (code == PROBE_OK)
		code = events_check(p, args.input, &job.in, args.steps);
	if (code == PROBE_OK) {
		job.steps = args.steps;
		if (job.steps == 0 && job.in.count > 0)
			job.steps = job.in.events[job.in.count - 1].step + 1;
		code = close_output(&job, run_job(&job));
	}
	events_free(&job.in);
	return code;
}
