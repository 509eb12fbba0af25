/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/golden/golden.h"

#define OUT_MAX 65536u
#define LINE_MAX_BYTES (4u << 20)

struct replay {
	json_t *episode;
	struct tinyodin *chip;
	struct tinyodin_out *out; /* of one event, or of the whole SPI list */
	size_t out_count;
	bool frames_together;
	struct golden_totals *totals;
	struct golden_result *result;
};

static void differs(struct replay *replay, const char *what, size_t at, uint64_t expected, uint64_t got)
{
	json_int_t id = json_integer_value(json_object_get(replay->episode, "id"));

	replay->result->status = 1;
	snprintf(replay->result->where, sizeof(replay->result->where),
		 "episode %" JSON_INTEGER_FORMAT ", %s %zu: expected 0x%" PRIx64 ", got 0x%" PRIx64, id, what, at,
		 expected, got);
}

static void compare(struct replay *replay, const char *what, size_t at, uint64_t expected, uint64_t got)
{
	if (replay->result->status == 0 && expected != got)
		differs(replay, what, at, expected, got);
}

static size_t array_size(const struct replay *replay, const char *key)
{
	return json_array_size(json_object_get(replay->episode, key));
}

static uint64_t hex_at(const struct replay *replay, const char *key, size_t at)
{
	const char *text = json_string_value(json_array_get(json_object_get(replay->episode, key), at));

	return text ? strtoull(text, NULL, 16) : UINT64_MAX;
}

static bool is_mode(const struct replay *replay, const char *mode)
{
	const char *text = json_string_value(json_object_get(replay->episode, "mode"));

	return text && strcmp(text, mode) == 0;
}

/* ---- doing ------------------------------------------------------------------------------------------------------- */

/* Outputs past OUT_MAX are not kept: the count tells. */
static void step(struct replay *replay)
{
	struct tinyodin_out out[TINYODIN_MAX_OUT];
	size_t count = tinyodin_step(replay->chip, out);

	for (size_t i = 0; i < count && replay->out_count < OUT_MAX; i++)
		replay->out[replay->out_count++] = out[i];
}

static void drain(struct replay *replay)
{
	while (!tinyodin_idle(replay->chip) && replay->out_count < OUT_MAX)
		step(replay);
}

static void input(struct replay *replay, size_t event)
{
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT];
	uint16_t address = (uint16_t)hex_at(replay, "aer_in", event);
	size_t count = tinyodin_input(replay->chip, address, (uint32_t)event, out);

	for (size_t i = 0; i < count && replay->out_count < OUT_MAX; i++)
		replay->out[replay->out_count++] = out[i];
}

static void send_frames(struct replay *replay)
{
	size_t count = array_size(replay, "spi");
	uint64_t *frames = calloc(count, sizeof(*frames));
	uint32_t *replies = calloc(count, sizeof(*replies));

	if (!frames || !replies)
		abort();
	for (size_t i = 0; i < count; i++)
		frames[i] = hex_at(replay, "spi", i);
	if (replay->frames_together)
		tinyodin_spi(replay->chip, frames, count, replies);
	for (size_t i = 0; i < count && !replay->frames_together; i++) {
		tinyodin_spi(replay->chip, frames + i, 1, replies + i);
		drain(replay);
	}
	drain(replay);
	for (size_t i = 0; i < array_size(replay, "miso"); i++)
		compare(replay, "MISO of frame", i, hex_at(replay, "miso", i), replies[i]);
	replay->totals->miso += array_size(replay, "miso");
	replay->totals->frames += count;
	free(frames);
	free(replies);
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static void compare_outputs(struct replay *replay, const char *what, size_t event, const json_t *expected)
{
	size_t count = json_array_size(expected);

	compare(replay, what, event, count, replay->out_count);
	for (size_t i = 0; i < count && replay->result->status == 0; i++)
		compare(replay, what, event, (uint64_t)json_integer_value(json_array_get(expected, i)),
			replay->out[i].address);
	replay->totals->outputs += count;
}

static void compare_words(struct replay *replay, const char *key, uint32_t (*word)(const struct tinyodin *, unsigned))
{
	for (size_t i = 0; i < array_size(replay, key); i++)
		compare(replay, key, i, hex_at(replay, key, i), word(replay->chip, (unsigned)i));
	replay->totals->words += array_size(replay, key);
}

static void replay_idle(struct replay *replay)
{
	const json_t *aer_out = json_object_get(replay->episode, "aer_out");

	compare(replay, "outputs before the first event:", 0, 0, replay->out_count);
	for (size_t k = 0; k < array_size(replay, "aer_in") && replay->result->status == 0; k++) {
		replay->out_count = 0;
		input(replay, k);
		drain(replay);
		compare_outputs(replay, "outputs of event", k, json_array_get(aer_out, k));
		for (size_t i = 0; i < replay->out_count; i++)
			compare(replay, "index of outputs of event", k, k, replay->out[i].index);
		replay->totals->events++;
	}
	compare_words(replay, "final_neurons", tinyodin_neuron_word);
}

static void replay_spi(struct replay *replay)
{
	compare_outputs(replay, "outputs of frames", 0, json_object_get(replay->episode, "aer_out"));
	compare_words(replay, "final_neurons", tinyodin_neuron_word);
	compare_words(replay, "final_synapses", tinyodin_synapse_word);
}

/* Between two events sent back to back one queue entry is processed (section 9). A virtual event takes 3 cycles only:
 * to a host that lingers (t_gap > 0) a second entry follows before its next request is seen. */
static void run_between_inputs(struct replay *replay, bool host_lingers)
{
	struct tinyodin_counters before, after;

	tinyodin_counters(replay->chip, &before);
	step(replay);
	tinyodin_counters(replay->chip, &after);
	if (host_lingers && after.sops == before.sops + 1)
		step(replay);
}

/* Events back to back, then the rest until the recording ends: in closed loop in the middle of an event, so that only
 * the order of the outputs can be compared. */
static void replay_timed(struct replay *replay)
{
	const json_t *aer_out = json_object_get(replay->episode, "aer_out");
	const json_t *cfg = json_object_get(replay->episode, "cfg");
	const json_t *gap = json_object_get(json_object_get(replay->episode, "host"), "t_gap");
	size_t count = json_array_size(aer_out);

	for (size_t k = 0; k < array_size(replay, "aer_in"); k++) {
		input(replay, k);
		run_between_inputs(replay, json_integer_value(gap) > 0);
		replay->totals->events++;
	}
	if (json_integer_value(json_object_get(cfg, "open_loop"))) {
		drain(replay);
		compare(replay, "number of outputs", 0, count, replay->out_count);
		compare_words(replay, "final_neurons", tinyodin_neuron_word);
	}
	while (!tinyodin_idle(replay->chip) && replay->out_count < count)
		step(replay);
	compare(replay, "at least as many outputs as", count, 1, replay->out_count >= count);
	for (size_t i = 0; i < count && replay->result->status == 0; i++)
		compare(replay, "output", i,
			(uint64_t)json_integer_value(json_array_get(json_array_get(aer_out, i), 1)),
			replay->out[i].address);
	replay->totals->outputs += count;
}

static void replay_episode(json_t *episode, enum tinyodin_simd simd, bool frames_together, struct golden_totals *totals,
			   struct golden_result *result)
{
	struct replay replay = {.episode = episode, .totals = totals, .result = result,
				.frames_together = frames_together, .chip = tinyodin_new(simd, true),
				.out = calloc(OUT_MAX, sizeof(struct tinyodin_out))};

	if (!replay.chip || !replay.out)
		abort();
	send_frames(&replay);
	if (is_mode(&replay, "idle"))
		replay_idle(&replay);
	else if (is_mode(&replay, "spi"))
		replay_spi(&replay);
	else if (is_mode(&replay, "timed"))
		replay_timed(&replay);
	else
		result->status = 2;
	totals->episodes++;
	tinyodin_free(replay.chip);
	free(replay.out);
}

void golden_replay(const char *path, enum tinyodin_simd simd, bool frames_together, struct golden_totals *totals,
		   struct golden_result *result)
{
	gzFile file = gzopen(path, "rb");
	char *line = malloc(LINE_MAX_BYTES);
	json_t *episode;

	*result = (struct golden_result){.status = file && line ? 0 : 2};
	while (result->status == 0 && gzgets(file, line, LINE_MAX_BYTES)) {
		episode = json_loads(line, 0, NULL);
		if (episode)
			replay_episode(episode, simd, frames_together, totals, result);
		else
			result->status = 2;
		json_decref(episode);
	}
	if (result->status == 2)
		snprintf(result->where, sizeof(result->where), "%s: cannot be read", path);
	free(line);
	if (file)
		gzclose(file);
}
