/* SPDX-License-Identifier: MIT */
/* The emulated boards by name, and their options as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/board_inside.h"

#define SPIKE_NAME "spike256"

/* Lists in sentences. */
#define KEY_NAME(name, text) " " #name
static const char xbar_keys[] = SIM_XBAR_KEYS(KEY_NAME);
static const char spike_keys[] = SIM_SPIKE_KEYS(KEY_NAME);

const char *sim_board_name(unsigned index)
{
	const struct xbar_profile *profile = xbar_profile_at(index);

	if (profile)
		return profile->name;
	return !index || xbar_profile_at(index - 1) ? SPIKE_NAME : NULL;
}

bool sim_board_find(const char *name, enum sim_board_kind *kind)
{
	*kind = strcmp(name, SPIKE_NAME) ? SIM_BOARD_XBAR : SIM_BOARD_SPIKE;
	return *kind == SIM_BOARD_SPIKE || xbar_profile_find(name);
}

struct sim_board_config *sim_board_config_new(const char *name)
{
	enum sim_board_kind kind;
	struct sim_board_config *config = sim_board_find(name, &kind) ? calloc(1, sizeof(*config)) : NULL;

	if (!config)
		return NULL;
	config->hardware = kind == SIM_BOARD_SPIKE ? &board_hardware_spike : &board_hardware_xbar;
	config->profile = xbar_profile_find(name);
	config->window = 8;
	config->max_frame = 65536u + NMLINK_OVERHEAD;
	config->clk_hz = 50000000u;
	config->xbar.threads = 1;
	return config;
}

void sim_board_config_free(struct sim_board_config *config)
{
	free(config);
}

/* The place of value among names; false: it is not there. */
static bool choose(const char *value, const char *const names[], unsigned *place)
{
	for (*place = 0; names[*place]; ++*place)
		if (!strcmp(value, names[*place]))
			return true;
	return false;
}

static bool parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-' && *text != '+' && *text != ' ' && *value >= min &&
		*value <= max;
}

static bool set_number(const char *key, const char *value, uint64_t min, uint64_t max, uint64_t *out, char *error)
{
	if (parse(value, min, max, out))
		return true;
	snprintf(error, SIM_BOARD_ERROR, "%s=%.40s: not a number %llu to %llu", key, value, (unsigned long long)min,
		(unsigned long long)max);
	return false;
}

static bool set_window(struct sim_board_config *config, const char *value, char *error)
{
	if (parse(value, 1, BOARD_WINDOW_MAX, &config->window) && !(config->window & (config->window - 1u)))
		return true;
	snprintf(error, SIM_BOARD_ERROR, "window=%.40s: not one of 1, 2, 4, 8, 16, 32, 64", value);
	return false;
}

static bool set_choice(const char *key, const char *value, const char *const names[], const char *list, unsigned *out,
	char *error)
{
	if (choose(value, names, out))
		return true;
	snprintf(error, SIM_BOARD_ERROR, "%s=%.40s: not one of %s", key, value, list);
	return false;
}

/* Frames that hold a vector of the board and its outputs, which the core asks for. */
static uint32_t smallest_frame(const struct xbar_profile *profile)
{
	uint32_t longest, in, out;

	if (!profile)
		return NMLINK_MIN_FRAME;
	longest = profile->rows > profile->cols ? profile->rows : profile->cols;
	in = NMLINK_SIZE_infer_request + longest;
	out = longest * (profile->adc_bits <= 8 ? 1 : 2) + (longest + 7) / 8;
	in = NMLINK_OVERHEAD + (in > out ? in : out);
	return in > NMLINK_MIN_FRAME ? in : NMLINK_MIN_FRAME;
}

/* Keys of all boards; *known: it is one. */
static bool set_common(struct sim_board_config *config, const char *key, const char *value, char *error, bool *known)
{
	static const char *const simds[] = {"auto", "off", "avx2", NULL}; /* order of the enums */

	*known = true;
	if (!strcmp(key, "window"))
		return set_window(config, value, error);
	if (!strcmp(key, "max_frame"))
		return set_number(key, value, smallest_frame(config->profile), BOARD_FRAME_MAX, &config->max_frame,
			error);
	if (!strcmp(key, "simd"))
		return set_choice(key, value, simds, "auto, off, avx2", &config->simd, error);
	*known = false;
	return false;
}

static bool set_xbar(struct sim_board_config *config, const char *key, const char *value, char *error, bool *known)
{
	static const char *const inputs[] = {"half", "full", NULL};
	unsigned choice = 0;
	uint64_t number = 0;
	bool good;

	*known = true;
	if (!strcmp(key, "seed"))
		return set_number(key, value, 0, UINT64_MAX, &config->xbar.seed, error);
	if (!strcmp(key, "noise"))
		return xbar_options_parse(value, &config->xbar, error);
	if (!strcmp(key, "threads")) {
		good = set_number(key, value, 1, XBAR_THREADS_MAX, &number, error);
		config->xbar.threads = (unsigned)number;
		return good;
	}
	if (!strcmp(key, "inputs")) {
		good = set_choice(key, value, inputs, "half, full", &choice, error);
		config->xbar.full_inputs = choice == 1;
		return good;
	}
	*known = false;
	return false;
}

_Static_assert(SIM_BOARD_ERROR >= XBAR_NOISE_ERROR_SIZE, "sentences of noise= fit");

bool sim_board_config_set(struct sim_board_config *config, const char *key, const char *value,
	char error[SIM_BOARD_ERROR])
{
	const bool spike = config->hardware->kind == SIM_BOARD_SPIKE;
	bool known, good = set_common(config, key, value, error, &known);

	if (!known && spike && !strcmp(key, "clk_hz"))
		return set_number(key, value, 1, 1000000000u, &config->clk_hz, error);
	if (!known && !spike)
		good = set_xbar(config, key, value, error, &known);
	if (!known)
		snprintf(error, SIM_BOARD_ERROR, "key '%.40s': %s has no such key; there are:%s", key,
			spike ? SPIKE_NAME : config->profile->name, spike ? spike_keys : xbar_keys);
	return good;
}
