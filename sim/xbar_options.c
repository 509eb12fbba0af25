/* SPDX-License-Identifier: MIT */
/* The boards as data, and the text of `noise=`. */
#include <stdio.h>
#include <string.h>

#include "sim/xbar.h"

static const struct xbar_profile profiles[] = {
	{.name = "xbar8", .tiles = 1, .rows = 8, .cols = 8, .weight_max = 127, .quanta = 64, .adc_bits = 8, .lsb_shift = 8},
	{.name = "xbar64", .tiles = 4, .rows = 64, .cols = 64, .weight_max = 7, .quanta = 1024, .adc_bits = 8, .lsb_shift = 5},
	{.name = "xbar256", .tiles = 4, .rows = 256, .cols = 256, .weight_max = 127, .quanta = 64, .adc_bits = 8,
		.lsb_shift = 10},
	{.name = "xbar1024", .tiles = 1, .rows = 1024, .cols = 1024, .weight_max = 127, .quanta = 64, .adc_bits = 10,
		.lsb_shift = 9},
};

const struct xbar_profile *xbar_profile_at(size_t index)
{
	return index < sizeof(profiles) / sizeof(*profiles) ? &profiles[index] : NULL;
}

const struct xbar_profile *xbar_profile_find(const char *name)
{
	for (size_t i = 0; xbar_profile_at(i); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

/* ---- noise= ------------------------------------------------------------------------------------------------------ */

#define NAMES "off, pcm, wan2022, write, read, drift, stuck, adc, irdrop, output, pristine"

enum argument { ARGUMENT_NONE, ARGUMENT_DEVICE, ARGUMENT_RATE, ARGUMENT_SIGMA };

struct effect {
	const char *name;
	unsigned effects;
	enum argument argument;
};

static const struct effect effect_list[] = {
	{"off", 0, ARGUMENT_NONE},
	{"pcm", XBAR_WRITE_NOISE | XBAR_READ_NOISE | XBAR_DRIFT, ARGUMENT_NONE},
	{"wan2022", XBAR_WRITE_NOISE | XBAR_READ_NOISE | XBAR_DRIFT, ARGUMENT_NONE},
	{"write", XBAR_WRITE_NOISE, ARGUMENT_DEVICE},
	{"read", XBAR_READ_NOISE, ARGUMENT_DEVICE},
	{"drift", XBAR_DRIFT, ARGUMENT_DEVICE},
	{"stuck", XBAR_STUCK, ARGUMENT_RATE},
	{"adc", XBAR_ADC_ERRORS, ARGUMENT_NONE},
	{"irdrop", XBAR_IR_DROP, ARGUMENT_NONE},
	{"output", XBAR_OUTPUT_NOISE, ARGUMENT_SIGMA},
	{"pristine", XBAR_PRISTINE, ARGUMENT_NONE},
};

/* What the text has said so far. */
struct noise_text {
	struct xbar_options options;
	const char *device; /* name of the device that was asked for, or NULL */
	char *error;
};

#define DEFAULT_STUCK_PPM   1000u
#define DEFAULT_OUTPUT_MLSB 500u
#define MAX_OUTPUT_MLSB     1000000u

/* A decimal number times 10^digits, without float or locale; false when it has more digits, or is above max. */
static bool parse_decimal(const char *text, unsigned digits, uint32_t max, uint32_t *value)
{
	uint64_t number = 0;
	bool point = false, any = false;

	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || (point && digits == 0) || number > UINT32_MAX)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
		digits -= point;
		any = true;
	}
	for (; digits && number <= UINT32_MAX; digits--)
		number *= 10;
	*value = (uint32_t)number;
	return any && number <= max;
}

static bool set_device(struct noise_text *text, const char *name)
{
	if (strcmp(name, "pcm") != 0 && strcmp(name, "wan2022") != 0) {
		snprintf(text->error, XBAR_NOISE_ERROR_SIZE, "no device '%.32s'; there are pcm and wan2022", name);
		return false;
	}
	if (text->device && strcmp(text->device, name) != 0) {
		snprintf(text->error, XBAR_NOISE_ERROR_SIZE, "pcm and wan2022 together: a board has one kind of device");
		return false;
	}
	text->device = name;
	text->options.device = strcmp(name, "pcm") == 0 ? XBAR_DEVICE_PCM : XBAR_DEVICE_WAN2022;
	return true;
}

static bool set_argument(struct noise_text *text, const struct effect *effect, const char *argument)
{
	const char *range;

	if (effect->argument == ARGUMENT_DEVICE)
		return set_device(text, argument);
	if (effect->argument == ARGUMENT_NONE) {
		snprintf(text->error, XBAR_NOISE_ERROR_SIZE, "'%s' takes nothing after ':'", effect->name);
		return false;
	}
	if (effect->argument == ARGUMENT_RATE) {
		range = "share of cells, 0 to 1 with at most 6 decimals";
		if (parse_decimal(argument, 6, 1000000, &text->options.stuck_ppm))
			return true;
	} else {
		range = "standard deviation in output codes, 0 to 1000 with at most 3 decimals";
		if (parse_decimal(argument, 3, MAX_OUTPUT_MLSB, &text->options.output_noise_mlsb))
			return true;
	}
	snprintf(text->error, XBAR_NOISE_ERROR_SIZE, "%s:%.32s: not a %s", effect->name, argument, range);
	return false;
}

static bool add_effect(struct noise_text *text, char *name)
{
	char *argument = strchr(name, ':');

	if (argument)
		*argument++ = '\0';
	for (size_t i = 0; i < sizeof(effect_list) / sizeof(*effect_list); i++) {
		const struct effect *effect = &effect_list[i];

		if (strcmp(effect->name, name) != 0)
			continue;
		text->options.effects |= effect->effects;
		if (argument)
			return set_argument(text, effect, argument);
		if (strcmp(name, "pcm") == 0 || strcmp(name, "wan2022") == 0)
			return set_device(text, effect->name);
		return true;
	}
	snprintf(text->error, XBAR_NOISE_ERROR_SIZE, "no effect '%.32s'; there are " NAMES, name);
	return false;
}

bool xbar_options_parse(const char *noise, struct xbar_options *options, char *error)
{
	struct noise_text text = {.options = *options, .error = error};
	char copy[256], *name = copy, *next;

	if (snprintf(copy, sizeof(copy), "%s", noise) >= (int)sizeof(copy)) {
		snprintf(error, XBAR_NOISE_ERROR_SIZE, "longer than %zu characters", sizeof(copy) - 1);
		return false;
	}
	text.options.device = XBAR_DEVICE_WAN2022;
	text.options.effects = 0;
	text.options.stuck_ppm = DEFAULT_STUCK_PPM;
	text.options.output_noise_mlsb = DEFAULT_OUTPUT_MLSB;
	for (; name; name = next) {
		next = strchr(name, '+');
		if (next)
			*next++ = '\0';
		if (!add_effect(&text, name))
			return false;
	}
	*options = text.options;
	return true;
}
