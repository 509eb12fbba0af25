/* SPDX-License-Identifier: MIT */
/* list, info, attr, reset. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

/* ---- list -------------------------------------------------------------------------------------------------------- */

struct list_args {
	struct probe *p;
	const char *scheme;
};

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
	struct list_args *args = state->input;

	if (key != ARGP_KEY_ARG || args->scheme != NULL)
		return ARGP_ERR_UNKNOWN;
	args->scheme = arg;
	return 0;
}

const struct argp list_argp = {.parser = parse_list, .args_doc = "[SCHEME]"};

static const char *access_word(int32_t access)
{
	return access == NMHAL_OK ? "free" : access == NMHAL_E_BUSY ? "busy" : "no permission";
}

static int print_devices(const struct probe *p, const nmhal_device_list *list)
{
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	size_t count = nmhal_device_list_count(list), attached = 0;
	json_t *devices = json_array();

	if (!p->json && count > 0)
		printf("%-32s %-10s %-8s %-12s %s\n", "URI", "BOARD", "DRIVER", "SERIAL", "STATE");
	for (size_t i = 0; i < count; i++) {
		int status = nmhal_device_list_get(list, i, &info);
		if (status != NMHAL_OK) {
			json_decref(devices);
			return probe_fail_last(p, status);
		}
		attached += info.emulated == 0;
		if (p->json)
			json_array_append_new(devices, json_pack("{ss ss ss ss sb ss}",
				"uri", info.uri, "board", info.board, "driver", info.driver, "serial", info.serial,
				"emulated", (int)info.emulated, "access", nmhal_status_name(info.access)));
		else
			printf("%-32s %-10s %-8s %-12s %s%s\n", info.uri, info.board, info.driver,
				info.serial[0] != '\0' ? info.serial : "-", access_word(info.access),
				info.emulated ? ", emulated" : "");
	}
	if (p->json)
		return json_result(p, json_pack("{so}", "devices", devices));
	json_decref(devices);
	if (attached == 0 && count > 0)
		probe_note(p, "no board is attached; the devices listed are emulated");
	return PROBE_OK;
}

int cmd_list(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct list_args args = {.p = p};
	nmhal_device_list *list = NULL;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_context(p);
	if (code != PROBE_OK)
		return code;
	int status = nmhal_enumerate(p->ctx, args.scheme, &list);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	code = print_devices(p, list);
	if (code == PROBE_OK && nmhal_device_list_count(list) == 0)
		code = probe_fail(p, NMHAL_E_NO_DEVICE, "list: no device found");
	nmhal_device_list_free(list);
	return code;
}

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static int attr_info(const struct probe *p, size_t index, struct nmhal_attr_info *info, struct nmhal_attr_value *value)
{
	*info = (struct nmhal_attr_info){.struct_size = sizeof(*info)};
	*value = (struct nmhal_attr_value){.struct_size = sizeof(*value)};
	int status = nmhal_attr_list(p->dev, index, info);
	if (status == NMHAL_OK)
		status = nmhal_attr_get(p->dev, info->key, value);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

static json_t *attr_number(const struct nmhal_attr_value *value)
{
	return value->type == NMHAL_ATTR_REAL ? json_real(value->real) : json_integer(value->integer);
}

static json_t *attr_json(const struct nmhal_attr_info *info, const struct nmhal_attr_value *value)
{
	static const char *const types[] = {"", "bool", "int", "real"};
	bool real = info->type == NMHAL_ATTR_REAL;

	return json_pack("{so ss so so ss ss sb sb sb}",
		"value", attr_number(value), "type", info->type < 4 ? types[info->type] : "",
		"min", real ? json_real(info->real_min) : json_integer(info->min),
		"max", real ? json_real(info->real_max) : json_integer(info->max),
		"unit", info->unit, "summary", info->summary,
		"writable", (info->flags & NMHAL_ATTR_WRITABLE) != 0, "saved", (info->flags & NMHAL_ATTR_SAVED) != 0,
		"grows", (info->flags & NMHAL_ATTR_GROWS) != 0);
}

static void attr_print(const struct nmhal_attr_info *info, const struct nmhal_attr_value *value)
{
	char text[40];

	if (info->type == NMHAL_ATTR_REAL)
		snprintf(text, sizeof(text), "%.9g", value->real);
	else
		snprintf(text, sizeof(text), "%" PRId64, value->integer);
	printf("%-16s = %-10s %s%s", info->key, text, info->unit, info->unit[0] != '\0' ? " " : "");
	if (info->type == NMHAL_ATTR_REAL)
		printf("(%.9g..%.9g", info->real_min, info->real_max);
	else
		printf("(%" PRId64 "..%" PRId64, info->min, info->max);
	printf("%s) %s\n", info->flags & NMHAL_ATTR_WRITABLE ? "" : ", read only", info->summary);
}

/* All attributes, or with `key` that one; as lines, or into `object` with --json. */
static int attr_show(const struct probe *p, const char *key, json_t *object)
{
	struct nmhal_attr_info info;
	struct nmhal_attr_value value = {.struct_size = sizeof(value)};
	bool found = key == NULL;

	for (size_t i = 0; i < nmhal_attr_count(p->dev); i++) {
		int code = attr_info(p, i, &info, &value);
		if (code != PROBE_OK)
			return code;
		if (key != NULL && strcmp(key, info.key) != 0)
			continue;
		found = true;
		if (p->json)
			json_object_set_new(object, info.key, attr_json(&info, &value));
		else
			attr_print(&info, &value);
	}
	if (found)
		return PROBE_OK;
	int status = nmhal_attr_get(p->dev, key, &value); /* for the library's sentence, which lists the known keys */
	return probe_fail_last(p, status != NMHAL_OK ? status : NMHAL_E_INTERNAL);
}

struct attr_args {
	struct probe *p;
	char **words;
	size_t count;
};

static error_t parse_attr(int key, char *arg, struct argp_state *state)
{
	struct attr_args *args = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (arg[0] == '\0' || arg[0] == '=')
		return usage_error(args->p, "\"%s\": KEY or KEY=VALUE expected", arg);
	args->words[args->count++] = arg;
	return 0;
}

const struct argp attr_argp = {.parser = parse_attr, .args_doc = "[KEY[=VALUE]...]"};

static int attr_assign(const struct probe *p, const char *key, const char *text)
{
	struct nmhal_attr_value value = {.struct_size = sizeof(value)};
	char *end = NULL;

	int status = nmhal_attr_get(p->dev, key, &value);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	bool good = false;
	if (value.type == NMHAL_ATTR_REAL) {
		value.real = strtod(text, &end);
		good = end != text && *end == '\0';
	} else {
		good = parse_number(text, INT64_MIN, INT64_MAX, &value.integer);
	}
	if (!good)
		return probe_fail(p, NMHAL_E_INVALID, "attr: %s=%s: the value is not a number", key, text);
	status = nmhal_attr_set(p->dev, key, &value);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

static int attr_words(const struct probe *p, const struct attr_args *args, json_t *object)
{
	int code = args->count == 0 ? attr_show(p, NULL, object) : PROBE_OK;

	for (size_t i = 0; i < args->count && code == PROBE_OK; i++) {
		char *equals = strchr(args->words[i], '=');
		if (equals != NULL) {
			*equals = '\0';
			code = attr_assign(p, args->words[i], equals + 1);
		}
		if (code == PROBE_OK && (equals == NULL || p->json))
			code = attr_show(p, args->words[i], object);
	}
	return code;
}

int cmd_attr(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct attr_args args = {.p = p, .words = calloc((size_t)argc, sizeof(char *))};
	json_t *object = json_object();
	int code = args.words == NULL ? probe_no_memory(p) : probe_parse(p, self, argc, argv, &args);

	if (code == PROBE_OK && !p->help) {
		code = probe_open(p);
		if (code == PROBE_OK)
			code = attr_words(p, &args, object);
		if (code == PROBE_OK && p->json)
			code = json_result(p, json_pack("{sO}", "attributes", object));
	}
	json_decref(object);
	free(args.words);
	return code;
}

/* ---- info -------------------------------------------------------------------------------------------------------- */

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{NMHAL_CAN_READ_WEIGHTS, "read_weights"},
	{NMHAL_CAN_ADD_WEIGHTS, "add_weights"},
	{NMHAL_CAN_NEURONS, "neurons"},
	{NMHAL_CAN_RESET_STATE, "reset_state"},
	{NMHAL_CAN_SPIKES, "spikes"},
	{NMHAL_CAN_LEAK_EVENTS, "leak_events"},
	{NMHAL_CAN_VIRTUAL_EVENTS, "virtual_events"},
	{NMHAL_CAN_ATTRIBUTE, "attribute"},
	{NMHAL_CAN_ORDER, "order"},
	{NMHAL_CAN_BACK_TO_BACK, "back_to_back"},
	{NMHAL_CAN_INFER, "infer"},
	{NMHAL_CAN_INFER_TRANSPOSED, "infer_transposed"},
	{NMHAL_CAN_INFER_BIT_SERIAL, "infer_bit_serial"},
	{NMHAL_CAN_CELLS, "cells"},
	{NMHAL_CAN_ARM, "arm"},
	{NMHAL_CAN_RESET, "reset"},
};

static json_t *range_json(int32_t min, int32_t max)
{
	return json_pack("[ii]", (int)min, (int)max);
}

static int info_json(const struct probe *p)
{
	const struct nmhal_device_caps *c = &p->caps;
	json_t *names = json_array(), *attrs = json_object();

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (c->features & features[i].bit)
			json_array_append_new(names, json_string(features[i].name));
	int code = attr_show(p, NULL, attrs);
	json_t *object = json_pack("{ss ss ss ss ss so sI sI sI sI so so so so so so so si sI sI sI si so so}",
		"uri", nmhal_device_uri(p->dev), "board", c->board, "driver", c->driver, "serial", c->serial,
		"firmware", c->firmware, "features", names, "cores", (json_int_t)c->cores, "rows", (json_int_t)c->rows,
		"cols", (json_int_t)c->cols, "max_batch", (json_int_t)c->max_batch,
		"weight_range", range_json(c->weight_min, c->weight_max),
		"input_range", range_json(c->input_min, c->input_max),
		"output_range", range_json(c->output_min, c->output_max),
		"threshold_range", range_json(c->threshold_min, c->threshold_max),
		"leak_range", range_json(c->leak_min, c->leak_max),
		"potential_range", range_json(c->potential_min, c->potential_max),
		"virtual_range", range_json(c->virtual_min, c->virtual_max), "weight_bits", (int)c->weight_bits,
		"weight_tolerance", (json_int_t)c->weight_tolerance,
		"step_ps", (json_int_t)c->step_ps, "clock_hz", (json_int_t)c->clock_hz,
		"timeout_ms", (int)c->default_timeout_ms, "attributes", attrs, "counters", counters_json(p));
	if (code == PROBE_OK)
		return json_result(p, object);
	json_decref(object);
	return code;
}

static void print_range(const char *name, int32_t min, int32_t max)
{
	if (min != 0 || max != 0)
		printf("%-10s %" PRId32 "..%" PRId32 "\n", name, min, max);
}

static int info_text(const struct probe *p)
{
	const struct nmhal_device_caps *c = &p->caps;
	const char *key;
	json_t *value;

	printf("%-10s %s\n%-10s %s\n", "uri", nmhal_device_uri(p->dev), "board", c->board);
	printf("%-10s %s\n", "driver", c->driver);
	if (c->serial[0] != '\0')
		printf("%-10s %s\n", "serial", c->serial);
	if (c->firmware[0] != '\0')
		printf("%-10s %s\n", "firmware", c->firmware);
	printf("%-10s %" PRIu32 " of %" PRIu32 " rows x %" PRIu32 " columns\n", "cores", c->cores, c->rows, c->cols);
	printf("%-10s %d..%d (%u bits", "weight", c->weight_min, c->weight_max, c->weight_bits);
	if (c->weight_tolerance > 0)
		printf(", read back within %u", c->weight_tolerance);
	puts(")");
	print_range("threshold", c->threshold_min, c->threshold_max);
	print_range("leak", c->leak_min, c->leak_max);
	print_range("potential", c->potential_min, c->potential_max);
	print_range("virtual", c->virtual_min, c->virtual_max);
	print_range("input", c->input_min, c->input_max);
	print_range("output", c->output_min, c->output_max);
	if (c->clock_hz != 0)
		printf("%-10s %" PRIu64 " Hz\n", "clock", c->clock_hz);
	if (c->default_timeout_ms < 0)
		printf("%-10s none\n", "timeout");
	else
		printf("%-10s %" PRId32 " ms\n", "timeout", c->default_timeout_ms);
	printf("%-10s", "features");
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (c->features & features[i].bit)
			printf(" %s", features[i].name);
	putchar('\n');
	json_t *counters = counters_json(p);
	json_object_foreach(counters, key, value)
		printf("%-10s %s %" JSON_INTEGER_FORMAT "\n", "counter", key, json_integer_value(value));
	json_decref(counters);
	return attr_show(p, NULL, NULL);
}

int cmd_info(struct probe *p, const struct command *self, int argc, char **argv)
{
	int code = probe_parse(p, self, argc, argv, NULL);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code != PROBE_OK)
		return code;
	return p->json ? info_json(p) : info_text(p);
}

/* ---- reset ------------------------------------------------------------------------------------------------------- */

struct reset_args {
	struct probe *p;
	bool state;
};

static error_t parse_reset(int key, char *arg, struct argp_state *state)
{
	struct reset_args *args = state->input;

	(void)arg;
	if (key != 's')
		return ARGP_ERR_UNKNOWN;
	args->state = true;
	return 0;
}

static const struct argp_option reset_options[] = {
	{"state", 's', NULL, 0, "Only zero the potentials and empty the event queue", 0},
	{0},
};
const struct argp reset_argp = {.options = reset_options, .parser = parse_reset};

int cmd_reset(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct reset_args args = {.p = p};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code != PROBE_OK)
		return code;
	int status = args.state ? nmhal_reset_state(p->dev, p->timeout_ms) : nmhal_device_reset(p->dev, p->timeout_ms);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (p->json)
		return json_result(p, json_pack("{ss}", "reset", args.state ? "state" : "device"));
	probe_note(p, "%s: %s reset", nmhal_device_uri(p->dev), args.state ? "state" : "device");
	return PROBE_OK;
}
