/* SPDX-License-Identifier: MIT */
/* Classifies handwritten digits on one tinyODIN core; README.md beside this file explains how. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nmhal/nmhal.h>

enum {
	PIXELS = 64,        /* rows 0..63 */
	READOUT_ROW = 64,   /* lifts all output neurons */
	FIRST_OUTPUT = 246, /* neurons 246..255, one per class */
	CLASSES = 10,       /* also the "class" of an image without output spike */
	PASSES = 4,         /* a pixel of value p spikes in pass t if p >= 4 t + 2 */
	READOUT_EVENTS = 40,
	CLEAR_EVENTS = 17,  /* 17 leak steps of 127 empty any 12-bit potential */
	MAX_IN = PASSES * PIXELS + READOUT_EVENTS + CLEAR_EVENTS,
	MAX_OUT = 8192,
	REQUIRED_PERCENT = 95,
};

struct digit {
	unsigned int index, label, pixels[PIXELS];
};

struct session {
	nmhal_device *dev;
	FILE *spikes; /* or NULL */
	unsigned int images, right, confusion[CLASSES][CLASSES + 1]; /* [label][class] */
	double events_in, events_out, cycles, seconds;
	struct nmhal_event in[MAX_IN], out[MAX_OUT];
};

static int failed(const char *subject, const char *reason)
{
	fprintf(stderr, "digits: %s: %s\n", subject, reason);
	return 1;
}

/* Input events of one image: the passes, the readout, then leaks that leave the core empty for the next one. */
static size_t encode(const unsigned int *pixels, struct nmhal_event *in)
{
	size_t n = 0;
	uint64_t step = 0;

	for (unsigned int pass = 0; pass < PASSES; pass++, step++)
		for (uint32_t row = 0; row < PIXELS; row++)
			if (pixels[row] >= 4 * pass + 2)
				in[n++] = (struct nmhal_event){.step = step, .address = row, .kind = NMHAL_EVENT_SPIKE};
	for (int i = 0; i < READOUT_EVENTS; i++, step++)
		in[n++] = (struct nmhal_event){.step = step, .address = READOUT_ROW, .kind = NMHAL_EVENT_SPIKE};
	for (int i = 0; i < CLEAR_EVENTS; i++)
		in[n++] = (struct nmhal_event){.step = step, .kind = NMHAL_EVENT_LEAK_ALL};
	return n;
}

/* The class is the first output neuron that spikes. */
static int classify(struct session *s, const struct digit *digit)
{
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	struct nmhal_spike_run run = {.struct_size = sizeof(run), .in = s->in, .out = s->out, .out_capacity = MAX_OUT};
	unsigned int class = CLASSES;

	run.in_count = encode(digit->pixels, s->in);
	if (nmhal_run_spikes(s->dev, &run, &report) != NMHAL_OK)
		return failed("run", nmhal_last_error());
	for (const struct nmhal_event *spike = s->out; spike < s->out + report.events_out; spike++) {
		if (class == CLASSES && spike->address >= FIRST_OUTPUT)
			class = spike->address - FIRST_OUTPUT;
		if (s->spikes)
			fprintf(s->spikes, "%u,%u,%u,%u\n", digit->index, digit->label, (unsigned int)spike->step,
				spike->address);
	}
	s->images++;
	s->right += class == digit->label;
	s->confusion[digit->label][class]++;
	s->events_in += (double)report.events_in;
	s->events_out += (double)report.events_out;
	s->cycles += report.cycles == NMHAL_UNKNOWN ? 0 : (double)report.cycles;
	return 0;
}

/* Reads one line: 64 pixels 0..16 and the label 0..9. */
static bool parse_digit(const char *line, struct digit *digit)
{
	char *end;

	for (int i = 0; i <= PIXELS; i++, line = end + 1) {
		unsigned long value = strtoul(line, &end, 10);

		if (end == line || value > (i < PIXELS ? 16 : 9) || *end != (i < PIXELS ? ',' : '\n'))
			return false;
		*(i < PIXELS ? &digit->pixels[i] : &digit->label) = (unsigned int)value;
	}
	return true;
}

/* Classifies the held-out images: those whose index ends in 2, 5 or 8. */
static int classify_file(struct session *s, const char *path)
{
	FILE *file = fopen(path, "r");
	struct timespec start, end;
	struct digit digit = {0};
	char line[512];
	int status = 0;

	if (!file)
		return failed(path, strerror(errno));
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (; !status && fgets(line, sizeof(line), file); digit.index++) {
		if (!parse_digit(line, &digit)) {
			snprintf(line, sizeof(line), "line %u: not 64 pixels 0..16 and a label 0..9", digit.index + 1);
			status = failed(path, line);
		} else if (strchr("258", (int)('0' + digit.index % 10))) {
			status = classify(s, &digit);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	s->seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
	if (!status && (ferror(file) || s->images == 0))
		status = failed(path, ferror(file) ? "read error" : "holds no held-out image");
	fclose(file);
	return status;
}

static int print_results(const struct session *s, const char *baseline)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	double images = s->images, hz;

	if (nmhal_device_caps(s->dev, &caps) != NMHAL_OK)
		return failed("caps", nmhal_last_error());
	hz = (double)caps.clock_hz;
	printf("confusion   class ('-': no output spike)\n     label");
	printf("    0    1    2    3    4    5    6    7    8    9    -\n");
	for (int label = 0; label < CLASSES; label++) {
		printf("%10d", label);
		for (int class = 0; class <= CLASSES; class++)
			printf("%5u%s", s->confusion[label][class], class < CLASSES ? "" : "\n");
	}
	printf("accuracy    %u/%u = %.2f %%\n", s->right, s->images, 100 * s->right / images);
	if (baseline)
		printf("baseline    %s %% (the same layers in float, same images)\n", baseline);
	printf("speed       %.0f images/s here\n", images / s->seconds);
	printf("per image   %.1f input events, %.1f spikes\n", s->events_in / images, s->events_out / images);
	if (hz > 0 && s->cycles > 0)
		printf("chip time   %.3f ms per image (%.0f cycles at %g MHz)\n", 1e3 * s->cycles / images / hz,
		       s->cycles / images, 1e-6 * hz);
	return 100 * s->right < REQUIRED_PERCENT * s->images ? failed("accuracy", "below 95 %") : 0;
}

static int open_and_program(struct session *s, nmhal_context *ctx, const char *uri, const char *path)
{
	nmhal_image *image = NULL;
	int status = nmhal_device_open(ctx, uri, NULL, &s->dev);

	if (status == NMHAL_OK)
		status = nmhal_image_load(path, &image);
	if (status == NMHAL_OK)
		status = nmhal_image_program(s->dev, image, NMHAL_PROGRAM_VERIFY, NMHAL_TIMEOUT_DEFAULT, NULL);
	nmhal_image_free(image);
	return status == NMHAL_OK ? 0 : failed("program", nmhal_last_error());
}

int main(int argc, char **argv)
{
	static const struct option names[] = {{"spikes", required_argument, NULL, 's'},
					      {"baseline", required_argument, NULL, 'b'}, {0}};
	struct session *s = calloc(1, sizeof(*s));
	const char *uri = "sim:tinyodin", *spikes = NULL, *baseline = NULL;
	nmhal_context *ctx = NULL;
	int status = 0;

	for (int c; (c = getopt_long(argc, argv, "u:", names, NULL)) != -1;) {
		*(c == 's' ? &spikes : c == 'b' ? &baseline : &uri) = optarg;
		status |= c == '?';
	}
	if (status || argc - optind != 2 || (baseline && baseline[strspn(baseline, "0123456789.")])) {
		fprintf(stderr, "usage: digits [-u URI] [--spikes OUT.csv] [--baseline PERCENT] IMAGE.h5 DIGITS.csv\n");
		status = 2;
	} else if (!s || nmhal_context_new(NULL, &ctx) != NMHAL_OK) {
		status = failed("start", s ? nmhal_last_error() : strerror(errno));
	} else if (spikes && (!(s->spikes = fopen(spikes, "w")) || fputs("image,label,step,neuron\n", s->spikes) < 0)) {
		status = failed(spikes, strerror(errno));
	} else {
		status = open_and_program(s, ctx, uri, argv[optind]) || classify_file(s, argv[optind + 1]) ||
			 print_results(s, baseline);
		nmhal_device_unref(s->dev);
	}
	if (spikes && s && s->spikes && (ferror(s->spikes) | fclose(s->spikes)))
		status = failed(spikes, strerror(errno));
	nmhal_context_unref(ctx);
	free(s);
	return status;
}
