/* SPDX-License-Identifier: MIT */
/*
 * conformance: the run of nmlink's protocol against a board, ending in a certificate. This file and conformance/ are
 * the only ones of the tool that know a protocol: they must send what no driver of the library would.
 */
#include "common.h"
#include "conformance/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPLY_MS 2000u

struct conformance_args {
	struct probe *p;
	bool pulse;
	struct nmhal_region cell;
	int64_t reply_ms;
};

static error_t parse_conformance(int key, char *arg, struct argp_state *state)
{
	struct conformance_args *args = state->input;

	switch (key) {
	case 'p':
		args->pulse = parse_region(arg, &args->cell) && args->cell.rows == 0 && args->cell.core <= UINT16_MAX
			&& args->cell.row <= UINT16_MAX && args->cell.col <= UINT16_MAX;
		return args->pulse ? 0 : usage_error(args->p, "--pulse %s: CORE,ROW,COL of a cell expected", arg);
	case 'r':
		if (parse_quantity(arg, "s", -3, 1, 60000, &args->reply_ms))
			return 0;
		return usage_error(args->p, "--reply %s: a time such as 2s or 500ms expected", arg);
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			return ARGP_ERR_UNKNOWN;
		args->p->uri = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option conformance_options[] = {
	{"pulse", 'p', "CORE,ROW,COL", 0, "A cell that may be pulsed, up to the limits (default: none is)", 0},
	{"reply", 'r', "TIME", 0, "Time that the board may take for a reply (default: 2s)", 0},
	{0},
};
const struct argp conformance_argp = {.options = conformance_options, .parser = parse_conformance, .args_doc = "[URI]",
	.doc = "\vWeights of the last corner of the last crossbar are written and restored. Without --pulse only "
	       "pulses that the board must refuse are asked for."};

#define VERDICTS 4u

/* What is known of a run so far. */
struct certificate {
	const struct probe *p;
	const struct run *run;
	const char *group;  /* of the case that runs */
	const char *name;
	unsigned counts[VERDICTS];  /* cases by verdict */
	unsigned injected;          /* faults, also those that change nothing */
	unsigned repeated, longest; /* cases that were tried again; most attempts at one */
	json_t *cases;
};

static void begin_case(struct run *run, const char *group, const char *name)
{
	struct certificate *certificate = run->user;

	if (!certificate->p->json && (certificate->group == NULL || strcmp(group, certificate->group) != 0))
		printf("%s\n", group);
	certificate->group = group;
	certificate->name = name;
}

static void end_case(struct run *run)
{
	static const char *const words[VERDICTS] = {"passed", "failed", "not there", "undecided"};
	struct certificate *certificate = run->user;

	certificate->counts[run->verdict]++;
	certificate->repeated += run->attempts > 1;
	if (run->attempts > certificate->longest)
		certificate->longest = run->attempts;
	if (certificate->p->json)
		json_array_append_new(certificate->cases, json_pack("{ss ss ss ss sI}", "group", certificate->group,
			"case", certificate->name, "result", words[run->verdict], "said", run->said, "attempts",
			(json_int_t)run->attempts));
	else
		printf("  %-9s  %s%s%s\n", words[run->verdict], certificate->name, run->said[0] != '\0' ? ": " : "",
			run->said);
	fflush(stdout);
}

/* ---- the certificate --------------------------------------------------------------------------------------------- */

static void text_of(const uint8_t *tail, uint32_t size, char *text, size_t room)
{
	size_t length = size < room - 1 ? size : room - 1;

	if (length > 0)
		memcpy(text, tail, length);
	text[length] = '\0';
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

struct identity {
	char vendor[32], model[32], hardware[32], firmware[32], serial[32], date[32], versions[64];
};

static void identify(const struct run *run, struct identity *identity)
{
	const struct board_caps *caps = &run->caps;
	uint32_t library = nmhal_version();
	time_t now = time(NULL);
	struct tm tm;

	text_of(caps->vendor.tail, caps->vendor.tail_size, identity->vendor, sizeof(identity->vendor));
	text_of(caps->model.tail, caps->model.tail_size, identity->model, sizeof(identity->model));
	text_of(caps->hardware.tail, caps->hardware.tail_size, identity->hardware, sizeof(identity->hardware));
	text_of(caps->firmware.tail, caps->firmware.tail_size, identity->firmware, sizeof(identity->firmware));
	text_of(caps->serial.tail, caps->serial.tail_size, identity->serial, sizeof(identity->serial));
	strftime(identity->date, sizeof(identity->date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	snprintf(identity->versions, sizeof(identity->versions), "nmlink %u.%u, libnmhal %u.%u.%u",
		NMLINK_VERSION_MAJOR, run->hello.minor, library >> 16, library >> 8 & 0xff, library & 0xff);
}

/* Value of a key of the URI as it is written, [*length]; NULL: not there. A comma inside of a value is written %2C. */
static const char *uri_value(const char *uri, const char *key, int *length)
{
	const size_t size = strlen(key);
	const char *at = strchr(uri, ':');

	while (at != NULL) {
		if (strncmp(at + 1, key, size) == 0 && at[1 + size] == '=') {
			*length = (int)strcspn(at + 2 + size, ",");
			return at + 2 + size;
		}
		at = strchr(at + 1, ',');
	}
	return NULL;
}

static bool conforms(const struct certificate *c)
{
	return c->counts[VERDICT_FAILED] == 0 && c->counts[VERDICT_UNDECIDED] == 0;
}
/* {"fault": "drop:0.01", "seed": "1", "injected": 3, "repeated": 2}, or null on a carrier without faults. */
static json_t *faults_json(const struct certificate *c)
{
	const char *uri = nmhal_device_uri(c->p->dev), *fault, *seed;
	int length = 0, seed_length = 1;

	fault = uri_value(uri, "fault", &length);
	seed = uri_value(uri, "fault_seed", &seed_length);
	if (fault == NULL)
		return json_null();
	return json_pack("{ss# ss# sI sI}", "fault", fault, length, "seed", seed != NULL ? seed : "1", seed_length,
		"injected", (json_int_t)c->injected, "repeated", (json_int_t)c->repeated);
}

static int certificate_json(const struct certificate *c, const struct identity *board)
{
	return json_result(c->p, json_pack("{ss s{ss ss ss ss ss} ss ss sb sI sI sI sI sb so sO}",
		"uri", nmhal_device_uri(c->p->dev), "board", "vendor", board->vendor, "model", board->model,
		"hardware", board->hardware, "firmware", board->firmware, "serial", board->serial,
		"versions", board->versions, "date", board->date, "conforms", (int)conforms(c),
		"passed", (json_int_t)c->counts[VERDICT_PASSED], "failed", (json_int_t)c->counts[VERDICT_FAILED],
		"not_there", (json_int_t)c->counts[VERDICT_ABSENT],
		"undecided", (json_int_t)c->counts[VERDICT_UNDECIDED],
		"pulsed", (int)c->run->pulse, "faults", faults_json(c), "cases", c->cases));
}

static void print_faults(const struct certificate *c)
{
	const char *uri = nmhal_device_uri(c->p->dev), *fault, *seed;
	int length = 0, seed_length = 1;

	fault = uri_value(uri, "fault", &length);
	seed = uri_value(uri, "fault_seed", &seed_length);
	if (fault != NULL)
		printf("  faults    %.*s (fault_seed=%.*s): %u injected, %u cases tried again, most attempts %u\n",
			length, fault, seed_length, seed != NULL ? seed : "1", c->injected, c->repeated, c->longest);
}

static int print_certificate(const struct certificate *c, const struct identity *board)
{
	const struct nmlink_array_cap *array = &c->run->caps.array;

	if (c->p->json)
		return certificate_json(c, board);
	printf("\nCertificate of conformance\n");
	printf("  board     %s %s, hardware %s, firmware %s, serial %s\n", board->vendor, board->model, board->hardware,
		board->firmware, board->serial);
	printf("  crossbar  %u x (%u rows x %u columns)\n", array->tiles, array->rows, array->cols);
	printf("  reached   %s\n", nmhal_device_uri(c->p->dev));
	print_faults(c);
	printf("  protocol  %s\n", board->versions);
	printf("  date      %s\n", board->date);
	printf("  result    %u passed, %u failed, %u not there", c->counts[VERDICT_PASSED], c->counts[VERDICT_FAILED],
		c->counts[VERDICT_ABSENT]);
	if (c->counts[VERDICT_UNDECIDED] > 0)
		printf(", %u undecided", c->counts[VERDICT_UNDECIDED]);
	printf("; %s\n", c->run->pulse ? "cells were pulsed" : "no cell was pulsed");
	if (c->counts[VERDICT_FAILED] > 0)
		printf("The board does NOT conform.\n");
	else
		printf("%s\n", conforms(c) ? "The board conforms in all that was tested." :
			"The carrier is too faulty to say whether the board conforms.");
	return PROBE_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Counts the faults of the wrapper "fault", which says each one (docs/fault.md); shows what the user asked for. */
static void on_log(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	static const char says[] = ": injected fault: ";
	struct run *run = user;
	struct certificate *certificate = run->user;
	const char *kind = strstr(message, says);

	if (kind != NULL) {
		kind += sizeof(says) - 1;
		certificate->injected++;
		/* These two hold back, but neither change nor lose anything. */
		run->faults += strncmp(kind, "delay", 5) != 0 && strncmp(kind, "split", 5) != 0;
	}
	if (level <= (certificate->p->verbose > 2 ? NMHAL_LOG_WIRE : NMHAL_LOG_ERROR))
		probe_log(NULL, level, uri, message);
}

/* A context with the link of the URI and its wrappers, nothing else: the boards behind it are this command's own. */
static int open_stream(struct probe *p, struct run *run)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	const char *uri = p->uri != NULL ? p->uri : getenv("NMHAL_URI");
	char names[64];
	int length;

	if (uri == NULL || uri[0] == '\0')
		return probe_fail(p, NMHAL_E_INVALID, "conformance: URI is missing; see nmhal-probe help conformance");
	run->faulty = uri_value(uri, "fault", &length) != NULL;
	snprintf(names, sizeof(names), "%.*s%s%s", (int)strcspn(uri, ":"), uri, run->faulty ? ",fault" : "",
		uri_value(uri, "record", &length) != NULL ? ",record" : "");
	params.drivers = names;
	params.log = on_log;
	params.log_user = run;
	params.log_level = p->verbose > 2 ? NMHAL_LOG_WIRE : NMHAL_LOG_INFO;
	int status = nmhal_context_new(&params, &p->ctx);
	if (status == NMHAL_OK)
		status = nmhal_context_add_driver(p->ctx, &conformance_driver);
	if (status == NMHAL_OK)
		status = nmhal_device_open(p->ctx, uri, NULL, &p->dev);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	signals_device(p->dev);
	return PROBE_OK;
}

/* The driver that answered is this command's, not one that is its own scheme. */
static int check_driver(const struct probe *p)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	int status = nmhal_device_caps(p->dev, &caps);

	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (strcmp(caps.driver, conformance_driver.name) == 0)
		return PROBE_OK;
	return probe_fail(p, NMHAL_E_UNSUPPORTED, "%s: the %s does not speak nmlink", nmhal_device_uri(p->dev),
		caps.board);
}

/* The exit code of a certificate. */
static int judge(const struct certificate *c)
{
	const char *uri = nmhal_device_uri(c->p->dev);
	const unsigned failed = c->counts[VERDICT_FAILED], undecided = c->counts[VERDICT_UNDECIDED];
	const unsigned tested = c->counts[VERDICT_PASSED] + failed + undecided;

	if (failed > 0)
		return probe_fail(c->p, NMHAL_E_VERIFY, "%s: %u of %u cases failed", uri, failed, tested);
	if (undecided > 0)
		return probe_fail(c->p, NMHAL_E_IO, "%s: %u of %u cases are undecided: faults hit all of %u attempts; "
			"lower the rates of fault=", uri, undecided, tested, MOST_ATTEMPTS);
	return PROBE_OK;
}

int cmd_conformance(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct conformance_args args = {.p = p, .reply_ms = REPLY_MS};
	struct certificate certificate = {.p = p};
	struct run run = {.begin = begin_case, .end = end_case, .user = &certificate};
	struct identity identity;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = open_stream(p, &run);
	if (code == PROBE_OK)
		code = check_driver(p);
	if (code != PROBE_OK)
		return code;
	run.pulse = args.pulse;
	run.reply_ms = (uint32_t)args.reply_ms;
	run.cell = (struct nmlink_cell){.tile = (uint16_t)args.cell.core, .row = (uint16_t)args.cell.row,
		.col = (uint16_t)args.cell.col};
	certificate.run = &run;
	certificate.cases = json_array();
	int status = nmhal_attr_set_int(p->dev, CONFORMANCE_RUN_KEY, (int64_t)(intptr_t)&run);
	if (status == NMHAL_OK)
		status = nmhal_device_reset(p->dev, NMHAL_WAIT_FOREVER);
	if (status == NMHAL_OK) {
		identify(&run, &identity);
		code = print_certificate(&certificate, &identity);
	} else {
		code = probe_fail_last(p, status);
	}
	free(run.caps.bytes);
	json_decref(certificate.cases);
	return code == PROBE_OK ? judge(&certificate) : code;
}
