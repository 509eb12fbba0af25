/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/golden/episode.h"

#define LINE_BYTES (4u << 20)

struct episode_file {
	gzFile gz;
	char *line;
};

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

struct episode_file *episode_open(const char *path)
{
	struct episode_file *file = need(calloc(1, sizeof(*file)));

	file->gz = gzopen(path, "rb");
	if (!file->gz) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		abort();
	}
	file->line = need(malloc(LINE_BYTES));
	return file;
}

void episode_close(struct episode_file *file)
{
	gzclose(file->gz);
	free(file->line);
	free(file);
}

static const char *text(const json_t *value)
{
	const char *string = json_string_value(value);

	if (!string)
		abort();
	return string;
}

static unsigned number(const json_t *object, const char *key)
{
	return (unsigned)json_integer_value(json_object_get(object, key));
}

static uint64_t hex(const json_t *array, size_t at)
{
	return strtoull(text(json_array_get(array, at)), NULL, 16);
}

static uint32_t *words(const json_t *episode, const char *key, size_t *count, bool is_hex)
{
	const json_t *array = json_object_get(episode, key);
	uint32_t *word = need(calloc(json_array_size(array) + 1, sizeof(*word)));

	*count = json_array_size(array);
	for (size_t i = 0; i < *count; i++)
		word[i] = (uint32_t)(is_hex ? hex(array, i) :
				     (uint64_t)json_integer_value(json_array_get(array, i)));
	return word;
}

static void read_inputs(struct episode *episode, const json_t *json)
{
	const json_t *frames = json_object_get(json, "spi"), *inputs = json_object_get(json, "aer_in");

	episode->frame_count = json_array_size(frames);
	episode->frame = need(calloc(episode->frame_count + 1, sizeof(*episode->frame)));
	for (size_t i = 0; i < episode->frame_count; i++)
		episode->frame[i] = hex(frames, i);
	episode->input_count = json_array_size(inputs);
	episode->input = need(calloc(episode->input_count + 1, sizeof(*episode->input)));
	for (size_t i = 0; i < episode->input_count; i++)
		episode->input[i] = (uint16_t)hex(inputs, i);
}

static void add_out(struct episode *episode, uint64_t cycle, size_t event, const json_t *address)
{
	episode->out = need(realloc(episode->out, (episode->out_count + 1) * sizeof(*episode->out)));
	episode->out[episode->out_count++] = (struct episode_out){
		.cycle = cycle, .event = event, .address = (uint8_t)json_integer_value(address)};
}

static void read_outputs(struct episode *episode, const json_t *outputs)
{
	for (size_t i = 0; i < json_array_size(outputs); i++) {
		const json_t *entry = json_array_get(outputs, i);

		if (episode->mode == EPISODE_SPI)
			add_out(episode, 0, 0, entry);
		else if (episode->mode == EPISODE_TIMED)
			add_out(episode, (uint64_t)json_integer_value(json_array_get(entry, 0)), 0,
				json_array_get(entry, 1));
		else
			for (size_t k = 0; k < json_array_size(entry); k++)
				add_out(episode, 0, i, json_array_get(entry, k));
	}
}

static enum episode_mode mode_of(const json_t *json)
{
	const char *mode = text(json_object_get(json, "mode"));

	return strcmp(mode, "spi") == 0 ? EPISODE_SPI : strcmp(mode, "timed") == 0 ? EPISODE_TIMED : EPISODE_IDLE;
}

static struct episode *parse(const json_t *json)
{
	struct episode *episode = need(calloc(1, sizeof(*episode)));
	const json_t *cfg = json_object_get(json, "cfg"), *host = json_object_get(json, "host");

	episode->id = (int)number(json, "id");
	episode->mode = mode_of(json);
	episode->open_loop = number(cfg, "open_loop");
	episode->source = number(cfg, "src");
	episode->max_neuron = number(cfg, "max_neur");
	episode->host = (struct episode_host){.sck_hi = number(host, "sck_hi"), .sck_lo = number(host, "sck_lo"),
					      .setup = number(host, "t_setup"), .release = number(host, "t_rel"),
					      .gap = number(host, "t_gap"), .ack_rise = number(host, "ack_rise"),
					      .ack_fall = number(host, "ack_fall")};
	read_inputs(episode, json);
	read_outputs(episode, json_object_get(json, "aer_out"));
	episode->miso = words(json, "miso", &episode->miso_count, true);
	episode->latency = words(json, "ack_latency", &episode->latency_count, false);
	episode->neuron = words(json, "final_neurons", &episode->neuron_count, true);
	episode->synapse = words(json, "final_synapses", &episode->synapse_count, true);
	episode->run_after = number(json, "run_after");
	if (episode->mode == EPISODE_TIMED &&
	    sscanf(text(json_object_get(json, "final_state")), "state fsm=%u fifo=%u", &episode->fsm,
		   &episode->queued) != 2)
		abort();
	return episode;
}

struct episode *episode_next(struct episode_file *file)
{
	struct episode *episode;
	json_t *json;

	if (!gzgets(file->gz, file->line, (int)LINE_BYTES))
		return NULL;
	json = need(json_loads(file->line, 0, NULL));
	episode = parse(json);
	json_decref(json);
	return episode;
}

void episode_free(struct episode *episode)
{
	free(episode->frame);
	free(episode->miso);
	free(episode->input);
	free(episode->latency);
	free(episode->out);
	free(episode->neuron);
	free(episode->synapse);
	free(episode);
}
