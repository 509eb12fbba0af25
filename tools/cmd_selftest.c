/* SPDX-License-Identifier: MIT */
/* selftest: runs the parts the device can do and puts everything back. */
#include "selftest.h"

/* Opening the device was the test, and this is what it says of it; a link that loops back wrong does not open. */
static int selftest_link(struct probe *p, struct part_result *result)
{
	int status = nmhal_counter_get(p->dev, "loopback_bytes", &result->compared);

	if (status == NMHAL_E_UNSUPPORTED)
		result->skipped = "the link has no loopback";
	return status == NMHAL_OK || result->skipped != NULL ? PROBE_OK : probe_fail_last(p, status);
}

static const struct {
	const char *name, *unit;
	int (*test)(struct probe *p, struct part_result *result);
} parts[] = {
	{"link", "bytes", selftest_link},
	{"weights", "codes", selftest_weights},
	{"neurons", "fields", selftest_neurons},
	{"spikes", "spikes", selftest_spikes},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static const char *result_word(const struct part_result *result, int code)
{
	return result->skipped != NULL ? "skipped" : code == PROBE_OK ? "ok" : "failed";
}

static void print_part(const char *name, const char *unit, const struct part_result *result, int code)
{
	if (result->skipped != NULL)
		printf("%-8s skipped: %s\n", name, result->skipped);
	else if (code == PROBE_OK)
		printf("%-8s ok, %" PRIu64 " %s compared\n", name, result->compared, unit);
	else
		printf("%-8s FAILED: %s\n", name, result->fault);
}

static json_t *part_json(const struct part_result *result, int code)
{
	json_t *object =
		json_pack("{ss sI}", "result", result_word(result, code), "compared", (json_int_t)result->compared);

	if (result->skipped != NULL)
		json_object_set_new(object, "reason", json_string(result->skipped));
	if (code == PROBE_DIFFERENT)
		json_object_set_new(object, "fault", json_string(result->fault));
	if (result->place != NULL)
		json_object_set(object, "place", result->place);
	return object;
}

/* Runs all parts, also after a fault; stops at an error, which has been told. */
static int run_parts(struct probe *p, json_t *list)
{
	int worst = PROBE_OK;

	for (size_t i = 0; i < PARTS; i++) {
		struct part_result result = {0};
		int code = parts[i].test(p, &result);
		if (code != PROBE_OK && code != PROBE_DIFFERENT)
			return code;
		json_object_set_new(list, parts[i].name, part_json(&result, code));
		if (!p->json)
			print_part(parts[i].name, parts[i].unit, &result, code);
		json_decref(result.place);
		if (code == PROBE_DIFFERENT)
			worst = probe_fail(p, NMHAL_E_VERIFY, "%s: selftest of %s: %s", nmhal_device_uri(p->dev),
				parts[i].name, result.fault);
	}
	return worst;
}

int cmd_selftest(struct probe *p, const struct command *self, int argc, char **argv)
{
	nmhal_image *image = NULL;
	int code = probe_parse(p, self, argc, argv, NULL);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = backup_take(p, &image);
	if (code != PROBE_OK)
		return code;
	json_t *list = json_object();
	code = run_parts(p, list);
	code = backup_restore(p, image, code);
	if (p->json && (code == PROBE_OK || code == PROBE_DIFFERENT)) {
		int print_code = json_result(p, json_pack("{ss sb sO}", "uri", nmhal_device_uri(p->dev),
			"passed", code == PROBE_OK, "parts", list));
		code = code == PROBE_OK ? print_code : code;
	}
	json_decref(list);
	return code;
}
