/* SPDX-License-Identifier: MIT */
/* sensors and counters: what a board measures and counts. */
#include "common.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sensors_args {
	struct probe *p;
	char **names; /* [count]; none: all */
	size_t count;
	int64_t watch_ms; /* 0: once */
};

static error_t parse_sensors(int key, char *arg, struct argp_state *state)
{
	struct sensors_args *args = state->input;

	switch (key) {
	case 'w':
		if (parse_quantity(arg, "s", -3, 1, INT32_MAX, &args->watch_ms))
			return 0;
		return usage_error(args->p, "--watch %s: a time such as 2s or 500ms expected", arg);
	case ARGP_KEY_ARG:
		args->names[args->count++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (args->watch_ms > 0 && args->p->json)
			return usage_error(args->p, "--watch prints lines; without --json");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option sensors_options[] = {
	{"watch", 'w', "TIME", 0, "Read again every TIME (2s, 500ms) until interrupted", 0},
	{0},
};
const struct argp sensors_argp = {.options = sensors_options, .parser = parse_sensors, .args_doc = "[NAME...]"};

static bool is_wanted(const struct sensors_args *args, const char *name)
{
	bool wanted = args->count == 0;

	for (size_t i = 0; i < args->count; i++)
		wanted = wanted || strcmp(args->names[i], name) == 0;
	return wanted;
}

static double power_of_ten(int32_t exponent)
{
	double power = 1;

	for (int32_t i = 0; i < abs(exponent); i++)
		power *= 10;
	return power;
}

/* A reading in whole units; exact for all that a double holds. */
static double scaled(int64_t value, int32_t exponent)
{
	double power = power_of_ten(exponent);

	return exponent < 0 ? (double)value / power : (double)value * power;
}

static int read_sensors(const struct probe *p, const struct sensors_args *args, json_t *object)
{
	struct nmhal_sensor_info info = {.struct_size = sizeof(info)};
	int status = NMHAL_OK;

	for (size_t i = 0; status == NMHAL_OK && i < nmhal_sensor_count(p->dev); i++) {
		int64_t value = 0;
		status = nmhal_sensor_list(p->dev, i, &info);
		if (status != NMHAL_OK || !is_wanted(args, info.name))
			continue;
		status = nmhal_sensor_get(p->dev, info.name, &value, p->timeout_ms);
		if (status != NMHAL_OK)
			break;
		double reading = scaled(value, info.exponent);
		if (p->json)
			json_object_set_new(object, info.name, json_pack("{sf ss ss}", "value", reading,
				"unit", info.unit, "summary", info.summary));
		else
			printf("%-16s = %-10.*f %s%s(%s)\n", info.name, info.exponent < 0 ? -info.exponent : 0, reading,
				info.unit, info.unit[0] != '\0' ? " " : "", info.summary);
	}
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

/* The library's sentence for a name it does not know lists those it does. */
static int check_names(const struct probe *p, const struct sensors_args *args)
{
	struct nmhal_sensor_info info = {.struct_size = sizeof(info)};

	for (size_t n = 0; n < args->count; n++) {
		bool known = false;
		int64_t value;
		for (size_t i = 0; !known && i < nmhal_sensor_count(p->dev); i++)
			known = nmhal_sensor_list(p->dev, i, &info) == NMHAL_OK
				&& strcmp(info.name, args->names[n]) == 0;
		if (!known)
			return probe_fail_last(p, nmhal_sensor_get(p->dev, args->names[n], &value, p->timeout_ms));
	}
	return PROBE_OK;
}

static int watch_sensors(const struct probe *p, const struct sensors_args *args)
{
	const struct timespec pause = {.tv_sec = args->watch_ms / 1000, .tv_nsec = args->watch_ms % 1000 * 1000000};
	int code = read_sensors(p, args, NULL);

	while (args->watch_ms > 0 && code == PROBE_OK && fflush(stdout) == 0 && nanosleep(&pause, NULL) == 0
			&& !signals_interrupted())
		code = read_sensors(p, args, NULL);
	return code == PROBE_OK && signals_interrupted() ? PROBE_INTERRUPTED : code;
}

int cmd_sensors(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct sensors_args args = {.p = p, .names = calloc((size_t)argc, sizeof(char *))};
	int code = args.names == NULL ? probe_no_memory(p) : probe_parse(p, self, argc, argv, &args);

	if (code == PROBE_OK && !p->help) {
		code = probe_open(p);
		if (code == PROBE_OK && nmhal_sensor_count(p->dev) == 0)
			code = probe_fail(p, NMHAL_E_UNSUPPORTED, "%s: the %s has no sensors",
				nmhal_device_uri(p->dev), p->caps.board);
		if (code == PROBE_OK)
			code = check_names(p, &args);
		if (code == PROBE_OK && !p->json)
			code = watch_sensors(p, &args);
		else if (code == PROBE_OK) {
			json_t *object = json_object();
			code = read_sensors(p, &args, object);
			if (code == PROBE_OK)
				code = json_result(p, json_pack("{sO}", "sensors", object));
			json_decref(object);
		}
	}
	free(args.names);
	return code;
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

/* Counters of chips, which list none. */
static const char *const chip_counters[] = {"cycles", "sops", "queue_dropped", "spi_frames", "events_in", "events_out"};

/* Counts one counter; one that cannot be counted is left out. */
static void take_counter(const struct probe *p, const char *key, json_t *object)
{
	uint64_t value;

	if (nmhal_counter_get(p->dev, key, &value) == NMHAL_OK && json_object_get(object, key) == NULL)
		json_object_set_new(object, key, json_counter(value));
}

json_t *counters_json(const struct probe *p)
{
	struct nmhal_counter_info info = {.struct_size = sizeof(info)};
	json_t *object = json_object();

	for (size_t i = 0; i < nmhal_counter_count(p->dev); i++)
		if (nmhal_counter_list(p->dev, i, &info) == NMHAL_OK)
			take_counter(p, info.key, object);
	for (size_t i = 0; i < sizeof(chip_counters) / sizeof(chip_counters[0]); i++)
		take_counter(p, chip_counters[i], object);
	return object;
}

int cmd_counters(struct probe *p, const struct command *self, int argc, char **argv)
{
	int code = probe_parse(p, self, argc, argv, NULL);
	const char *key;
	json_t *value;

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code != PROBE_OK)
		return code;
	json_t *object = counters_json(p);
	if (json_object_size(object) == 0)
		code = probe_fail(p, NMHAL_E_UNSUPPORTED, "%s: the %s has no counters", nmhal_device_uri(p->dev),
			p->caps.board);
	else if (p->json)
		code = json_result(p, json_pack("{sO}", "counters", object));
	else
		json_object_foreach(object, key, value)
			printf("%-16s = %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
	json_decref(object);
	return code;
}
