/* SPDX-License-Identifier: MIT */
/* The options of `cells`: which action needs which, units, ranges. */
#include "cells.h"
#include "matrix.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum option_key { KEY_VOLTAGE = 256, KEY_WIDTH, KEY_GAP, KEY_TARGET, KEY_START, KEY_STEP, KEY_STOP, KEY_POINTS };

static const struct argp_option cells_options[] = {
	{"region", 'r', "CORE,ROW,COL[,ROWS,COLS]", 0, "Part to read (default: all of core 0)", 0},
	{"side", 's', "SIDE", 0, "Cell of a pair: plus (default) or minus", 0},
	{"averages", 'a', "N", 0, "Reads that are averaged (default: 1)", 0},
	{"output", 'o', "FILE", 0, "Write conductances to FILE.npy or FILE.csv, a sweep to FILE.csv", 0},
	{"voltage", KEY_VOLTAGE, "V", 0, "Amplitude of a pulse: 1.2V sets, -900mV resets", 0},
	{"width", KEY_WIDTH, "T", 0, "Width of each pulse or point: 100ns, 1us", 0},
	{"gap", KEY_GAP, "T", 0, "Time between two pulses (default: 0s)", 0},
	{"pulses", 'n', "N", 0, "Pulses of a train (default: 1); most pulses of a ramp (default: 100)", 0},
	{"target", KEY_TARGET, "G", 0, "Conductance where a ramp ends: 20uS", 0},
	{"start", KEY_START, "V", 0, "First amplitude of a ramp, first voltage of a sweep", 0},
	{"step", KEY_STEP, "V", 0, "From pulse to pulse, from point to point", 0},
	{"stop", KEY_STOP, "V", 0, "Largest amplitude of a ramp", 0},
	{"points", KEY_POINTS, "N", 0, "Points of a sweep", 0},
	{"yes", 'y', NULL, 0, "Do not ask before a cell is changed", 0},
	{0},
};

#define OPTIONS (sizeof(cells_options) / sizeof(cells_options[0]) - 1)

/* The options that are a number with a unit. */
static const struct quantity {
	int key, exponent;
	const char *unit, *example;
	int64_t min, max;
	size_t offset;
} quantities[] = {
	{KEY_VOLTAGE, -6, "V", "1.2V or -900mV", INT32_MIN, INT32_MAX, offsetof(struct cells_args, voltage_uv)},
	{KEY_WIDTH, -9, "s", "100ns or 1us", 1, UINT32_MAX, offsetof(struct cells_args, width_ns)},
	{KEY_GAP, -9, "s", "100ns or 1us", 0, UINT32_MAX, offsetof(struct cells_args, gap_ns)},
	{KEY_TARGET, -12, "S", "20uS or 500nS", 0, UINT32_MAX, offsetof(struct cells_args, target_ps)},
	{KEY_START, -6, "V", "1.2V or 500mV", INT32_MIN, INT32_MAX, offsetof(struct cells_args, start_uv)},
	{KEY_STEP, -6, "V", "50mV", INT32_MIN, INT32_MAX, offsetof(struct cells_args, step_uv)},
	{KEY_STOP, -6, "V", "1.2V or 500mV", INT32_MIN, INT32_MAX, offsetof(struct cells_args, stop_uv)},
};
#define QUANTITIES (sizeof(quantities) / sizeof(quantities[0]))

static const struct {
	const char *word;
	enum cells_action action;
	int needs[6]; /* quantities that must be given, ends with 0 */
	int takes[4]; /* options that may be given, besides --side and, to change a cell, --yes; ends with 0 */
} actions[] = {
	{"conductance", CELLS_CONDUCTANCE, {0}, {'r', 'a', 'o', 0}},
	{"pulse", CELLS_PULSE, {KEY_VOLTAGE, KEY_WIDTH, 0}, {KEY_GAP, 'n', 0}},
	{"form", CELLS_FORM, {KEY_TARGET, KEY_START, KEY_STEP, KEY_STOP, KEY_WIDTH, 0}, {'n', 0}},
	{"set", CELLS_SET, {KEY_TARGET, KEY_START, KEY_STEP, KEY_STOP, KEY_WIDTH, 0}, {'n', 0}},
	{"reset", CELLS_RESET, {KEY_TARGET, KEY_START, KEY_STEP, KEY_STOP, KEY_WIDTH, 0}, {'n', 0}},
	{"sweep", CELLS_SWEEP, {KEY_START, KEY_STEP, KEY_WIDTH, 0}, {KEY_POINTS, 'o', 0}},
};
#define ACTIONS (sizeof(actions) / sizeof(actions[0]))

static const char *option_name(int key)
{
	const struct argp_option *option = cells_options;

	while (option->key != key)
		option++;
	return option->name;
}

static int64_t *quantity_of(struct cells_args *args, const struct quantity *quantity)
{
	return (int64_t *)(void *)((char *)args + quantity->offset);
}

static error_t parse_count(struct cells_args *args, int key, const char *text, uint32_t max, uint32_t *count)
{
	int64_t number;

	if (!parse_number(text, 1, max, &number))
		return usage_error(args->p, "--%s %s: not a number 1..%u", option_name(key), text, max);
	*count = (uint32_t)number;
	return 0;
}

static error_t parse_argument(struct cells_args *args, const char *text)
{
	if (args->action != CELLS_NONE && !args->placed && args->action != CELLS_CONDUCTANCE) {
		args->placed = parse_region(text, &args->place) && args->place.rows == 0;
		return args->placed ? 0 : usage_error(args->p, "%s: CORE,ROW,COL of a cell expected", text);
	}
	if (args->action != CELLS_NONE)
		return ARGP_ERR_UNKNOWN;
	for (size_t i = 0; i < ACTIONS; i++)
		if (strcmp(text, actions[i].word) == 0) {
			args->action = actions[i].action;
			args->word = actions[i].word;
			return 0;
		}
	return usage_error(args->p, "%s: conductance, pulse, form, set, reset or sweep expected", text);
}

static bool is_one_of(const int *keys, int key)
{
	while (*keys != 0 && *keys != key)
		keys++;
	return *keys != 0;
}

/* An option that the action has no use for was meant for another. */
static error_t check_given(struct cells_args *args)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		int key = cells_options[i].key;
		if (!(args->given & 1u << i) || key == 's' || (key == 'y' && args->action != CELLS_CONDUCTANCE) ||
			is_one_of(actions[args->action - 1].needs, key) ||
			is_one_of(actions[args->action - 1].takes, key))
			continue;
		return usage_error(args->p, "%s: --%s has no meaning for it", args->word, cells_options[i].name);
	}
	return 0;
}

static error_t check_whole(struct cells_args *args)
{
	if (args->action == CELLS_NONE)
		return usage_error(args->p, "conductance, pulse, form, set, reset or sweep expected");
	if (args->action != CELLS_CONDUCTANCE && !args->placed)
		return usage_error(args->p, "%s: CORE,ROW,COL is missing", args->word);
	const int *needs = actions[args->action - 1].needs;
	for (; *needs != 0; needs++)
		for (size_t i = 0; i < QUANTITIES; i++)
			if (quantities[i].key == *needs && *quantity_of(args, &quantities[i]) == NOT_GIVEN)
				return usage_error(args->p, "%s: --%s is missing", args->word, option_name(*needs));
	if (args->action == CELLS_SWEEP && args->points == 0)
		return usage_error(args->p, "sweep: --points is missing");
	if (check_given(args) != 0)
		return EINVAL;
	if (args->output == NULL || has_suffix(args->output, ".csv"))
		return 0;
	if (args->action == CELLS_CONDUCTANCE && matrix_name(args->output))
		return 0;
	return usage_error(args->p, "--output %s: %s expected", args->output,
		args->action == CELLS_CONDUCTANCE ? "FILE.npy or FILE.csv" : "FILE.csv");
}

static error_t parse_cells(int key, char *arg, struct argp_state *state)
{
	struct cells_args *args = state->input;

	for (size_t i = 0; i < OPTIONS; i++)
		args->given |= (uint32_t)(cells_options[i].key == key) << i;
	for (size_t i = 0; i < QUANTITIES; i++) {
		const struct quantity *quantity = &quantities[i];
		if (quantity->key != key)
			continue;
		if (parse_quantity(arg, quantity->unit, quantity->exponent, quantity->min, quantity->max,
			    quantity_of(args, quantity)))
			return 0;
		return usage_error(args->p, "--%s %s: %s expected", option_name(key), arg, quantity->example);
	}
	switch (key) {
	case 'r':
		return parse_region_option(args->p, arg, &args->region);
	case 's':
		args->side = strcmp(arg, "minus") == 0 ? NMHAL_CELL_MINUS : NMHAL_CELL_PLUS;
		return args->side == NMHAL_CELL_MINUS || strcmp(arg, "plus") == 0 ? 0 :
			usage_error(args->p, "--side %s: plus or minus expected", arg);
	case 'a':
		return parse_count(args, key, arg, UINT16_MAX, &args->averages);
	case 'n':
		return parse_count(args, key, arg, UINT32_MAX, &args->pulses);
	case KEY_POINTS:
		return parse_count(args, key, arg, 1u << 20, &args->points);
	case 'o':
		args->output = arg;
		return 0;
	case 'y':
		args->yes = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(args, arg);
	case ARGP_KEY_END:
		return args->p->help ? 0 : check_whole(args);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp cells_argp = {.options = cells_options, .parser = parse_cells,
	.args_doc = "conductance\npulse CORE,ROW,COL\nform CORE,ROW,COL\nset CORE,ROW,COL\nreset CORE,ROW,COL\n"
		    "sweep CORE,ROW,COL",
	.doc = "\vQuantities have units: 1.2V, 500mV, 100ns, 1us, 20uS. pulse, form, set, reset and sweep change the "
	       "cell: they ask on a terminal, and need --yes elsewhere; the board is armed for them and left safe."};
