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

/* What is known of a run so far. */
struct certificate {
	const struct probe *p;
	const char *group;  /* of the case that runs */
	const char *name;
	unsigned passed, failed, absent;
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
	static const char *const words[] = {"passed", "failed", "not there"};
	struct certificate *certificate = run->user;

	certificate->passed += run->verdict == VERDICT_PASSED;
	certificate->failed += run->verdict == VERDICT_FAILED;
	certificate->absent += run->verdict == VERDICT_ABSENT;
	if (certificate->p->json)
		json_array_append_new(certificate->cases, json_pack("{ss ss ss ss}", "group", certificate->group,
			"case", certificate->name, "result", words[run->verdict], "said", run->said));
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

static int print_certificate(const struct run *run, const struct certificate *c, const struct identity *board)
{
	const struct nmlink_array_cap *array = &run->caps.array;

	if (c->p->json)
		return json_result(c->p, json_pack("{ss s{ss ss ss ss ss} ss ss sb sI sI sI sb sO}",
			"uri", nmhal_device_uri(c->p->dev), "board", "vendor", board->vendor, "model", board->model,
			"hardware", board->hardware, "firmware", board->firmware, "serial", board->serial,
			"versions", board->versions, "date", board->date, "conforms", c->failed == 0,
			"passed", (json_int_t)c->passed, "failed", (json_int_t)c->failed,
			"not_there", (json_int_t)c->absent, "pulsed", (int)run->pulse, "cases", c->cases));
	printf("\nCertificate of conformance\n");
	printf("  board     %s %s, hardware %s, firmware %s, serial %s\n", board->vendor, board->model, board->hardware,
		board->firmware, board->serial);
	printf("  crossbar  %u x (%u rows x %u columns)\n", array->tiles, array->rows, array->cols);
	printf("  reached   %s\n", nmhal_device_uri(c->p->dev));
	printf("  protocol  %s\n", board->versions);
	printf("  date      %s\n", board->date);
	printf("  result    %u passed, %u failed, %u not there; %s\n", c->passed, c->failed, c->absent,
		run->pulse ? "cells were pulsed" : "no cell was pulsed");
	printf("%s\n", c->failed == 0 ? "The board conforms in all that was tested." : "The board does NOT conform.");
	return PROBE_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* A context with the link of the URI and nothing else: the boards behind it are this command's own. */
static int open_stream(struct probe *p)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	const char *uri = p->uri != NULL ? p->uri : getenv("NMHAL_URI");
	char scheme[32];

	if (uri == NULL || uri[0] == '\0')
		return probe_fail(p, NMHAL_E_INVALID, "conformance: URI is missing; see nmhal-probe help conformance");
	snprintf(scheme, sizeof(scheme), "%.*s", (int)strcspn(uri, ":"), uri);
	params.drivers = scheme;
	params.log_level = p->verbose > 2 ? NMHAL_LOG_WIRE : NMHAL_LOG_ERROR;
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

int cmd_conformance(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct conformance_args args = {.p = p, .reply_ms = REPLY_MS};
	struct certificate certificate = {.p = p};
	struct run run = {.begin = begin_case, .end = end_case, .user = &certificate};
	struct identity identity;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = open_stream(p);
	if (code == PROBE_OK)
		code = check_driver(p);
	if (code != PROBE_OK)
		return code;
	run.pulse = args.pulse;
	run.reply_ms = (uint32_t)args.reply_ms;
	run.cell = (struct nmlink_cell){.tile = (uint16_t)args.cell.core, .row = (uint16_t)args.cell.row,
		.col = (uint16_t)args.cell.col};
	certificate.cases = json_array();
	int status = nmhal_attr_set_int(p->dev, CONFORMANCE_RUN_KEY, (int64_t)(intptr_t)&run);
	if (status == NMHAL_OK)
		status = nmhal_device_reset(p->dev, NMHAL_WAIT_FOREVER);
	if (status == NMHAL_OK) {
		identify(&run, &identity);
		code = print_certificate(&run, &certificate, &identity);
	} else {
		code = probe_fail_last(p, status);
	}
	free(run.caps.bytes);
	json_decref(certificate.cases);
	if (code == PROBE_OK && certificate.failed > 0)
		return probe_fail(p, NMHAL_E_VERIFY, "%s: %u of %u cases failed", nmhal_device_uri(p->dev),
			certificate.failed, certificate.passed + certificate.failed);
	return code;
}
