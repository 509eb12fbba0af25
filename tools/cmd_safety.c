/* SPDX-License-Identifier: MIT */
/* limits, arm, disarm, safe: what keeps a board and its cells whole. */
#include "common.h"

#include <stddef.h>
#include <string.h>

/* The limits by name; each is a whole count of 10^exponent units. */
static const struct {
	const char *name, *unit;
	int exponent;
	size_t offset;
} fields[] = {
	{"voltage", "V", -6, offsetof(struct nmhal_limits, voltage_uv)},
	{"current", "A", -9, offsetof(struct nmhal_limits, current_na)},
	{"width", "s", -9, offsetof(struct nmhal_limits, width_ns)},
	{"pulses", "", 0, offsetof(struct nmhal_limits, pulses)},
	{"silence", "s", -3, offsetof(struct nmhal_limits, silence_ms)},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint32_t *field_of(struct nmhal_limits *limits, size_t index)
{
	return (uint32_t *)((char *)limits + fields[index].offset);
}

struct limits_args {
	struct probe *p;
	struct nmhal_limits tighter;
	bool set;
};

static error_t parse_limits(int key, char *arg, struct argp_state *state)
{
	struct limits_args *args = state->input;
	const char *equals = key == ARGP_KEY_ARG ? strchr(arg, '=') : NULL;
	int64_t value;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	for (size_t i = 0; equals != NULL && i < FIELDS; i++) {
		size_t length = strlen(fields[i].name);
		if (length != (size_t)(equals - arg) || strncmp(arg, fields[i].name, length) != 0)
			continue;
		if (!parse_quantity(equals + 1, fields[i].unit, fields[i].exponent, 1, UINT32_MAX, &value))
			break;
		*field_of(&args->tighter, i) = (uint32_t)value;
		args->set = true;
		return 0;
	}
	return usage_error(
		args->p, "%s: voltage=1.2V, current=100uA, width=1us, pulses=10 or silence=2s expected", arg);
}

const struct argp limits_argp = {.parser = parse_limits, .args_doc = "[FIELD=VALUE...]",
	.doc = "\vFIELD is voltage, current, width, pulses or silence; VALUE has a unit: 1.2V, 100uA, 500ns, 10, 2s. "
	       "A limit is only ever tightened, and holds until the board is powered off."};

/* A count of 10^exponent units in whole units. */
static double in_units(uint32_t count, int exponent)
{
	double value = count;

	for (; exponent < 0; exponent++)
		value /= 10;
	return value;
}

int cmd_limits(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct limits_args args = {.p = p, .tighter = {.struct_size = sizeof(args.tighter)}};
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code != PROBE_OK)
		return code;
	int status = args.set ? nmhal_limits_set(p->dev, &args.tighter, p->timeout_ms) : NMHAL_OK;
	if (status == NMHAL_OK)
		status = nmhal_limits_get(p->dev, &limits, p->timeout_ms);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	json_t *object = json_object();
	for (size_t i = 0; i < FIELDS; i++) {
		uint32_t count = *field_of(&limits, i);
		if (p->json)
			json_object_set_new(object, fields[i].name,
				count > 0 ? json_real(in_units(count, fields[i].exponent)) : json_null());
		else if (count > 0)
			printf("%-10s %.9g %s\n", fields[i].name, in_units(count, fields[i].exponent),
				fields[i].unit[0] != '\0' ? fields[i].unit : "of a call");
		else
			printf("%-10s none\n", fields[i].name);
	}
	if (p->json)
		return json_result(p, json_pack("{so}", "limits", object));
	json_decref(object);
	return PROBE_OK;
}

/* ---- arm, disarm, safe ------------------------------------------------------------------------------------------- */

struct arm_args {
	struct probe *p;
	int64_t silence_ms;
};

static error_t parse_arm(int key, char *arg, struct argp_state *state)
{
	struct arm_args *args = state->input;

	if (key != ARGP_KEY_ARG || args->silence_ms > 0)
		return ARGP_ERR_UNKNOWN;
	if (parse_quantity(arg, "s", -3, 1, UINT32_MAX, &args->silence_ms))
		return 0;
	return usage_error(args->p, "%s: a time such as 2s or 500ms expected", arg);
}

const struct argp arm_argp = {.parser = parse_arm, .args_doc = "[SILENCE]",
	.doc = "\vArms the board for SILENCE (2s, 500ms; the longest its limits grant without it), which fails when an "
	       "interlock is open, and disarms it again: a board is armed no longer than the session lasts."};

int probe_arm(const struct probe *p, uint32_t silence_ms, uint32_t *granted)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	int status = NMHAL_OK;

	if (silence_ms == 0) {
		status = nmhal_limits_get(p->dev, &limits, p->timeout_ms);
		silence_ms = limits.silence_ms > 0 ? limits.silence_ms : DEFAULT_SILENCE_MS;
	}
	if (status == NMHAL_OK)
		status = nmhal_arm(p->dev, silence_ms, p->timeout_ms);
	*granted = silence_ms;
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

int cmd_arm(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct arm_args args = {.p = p};
	uint32_t granted;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_arm(p, (uint32_t)args.silence_ms, &granted);
	if (code == PROBE_OK)
		code = probe_safe(p, code);
	if (code != PROBE_OK)
		return code;
	if (p->json)
		return json_result(p, json_pack("{sb sI}", "can_be_armed", 1, "silence_ms", (json_int_t)granted));
	probe_note(p, "%s: can be armed for %u ms of silence; disarmed again", nmhal_device_uri(p->dev), granted);
	return PROBE_OK;
}

int cmd_disarm(struct probe *p, const struct command *self, int argc, char **argv)
{
	int code = probe_parse(p, self, argc, argv, NULL);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code != PROBE_OK)
		return code;
	int status = nmhal_disarm(p->dev, p->timeout_ms);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (p->json)
		return json_result(p, json_pack("{sb}", "armed", 0));
	probe_note(p, "%s: disarmed", nmhal_device_uri(p->dev));
	return PROBE_OK;
}

int cmd_safe(struct probe *p, const struct command *self, int argc, char **argv)
{
	int code = probe_parse(p, self, argc, argv, NULL);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_safe(p, code);
	if (code != PROBE_OK)
		return code;
	if (p->json)
		return json_result(p, json_pack("{sb}", "safe", 1));
	probe_note(p, "%s: disarmed, all lines at 0 V", nmhal_device_uri(p->dev));
	return PROBE_OK;
}
