/* SPDX-License-Identifier: MIT */
/* nmhal-probe: everything a lab does with one board from a terminal. Uses only the public header. */
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct help_args {
	struct probe *p;
	const struct command *topic;
};

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	struct help_args *args = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (args->topic != NULL)
		return ARGP_ERR_UNKNOWN;
	args->topic = command_find(arg);
	return args->topic != NULL ? 0 : usage_error(args->p, "no command \"%s\"", arg);
}

const struct argp help_argp = {.parser = parse_help, .args_doc = "[COMMAND]"};

static void print_overview(FILE *stream)
{
	char name[] = "nmhal-probe";

	fputs("Usage: nmhal-probe [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n", stream);
	for (const struct command *command = commands; command->name != NULL; command++)
		fprintf(stream, "  %-11s %s\n", command->name, command->summary);
	fputs("\nOptions of every command, before or after it:\n", stream);
	argp_help(&global_argp, stream, ARGP_HELP_LONG, name);
	fputs("\nnmhal-probe help COMMAND shows the options of a command; man nmhal-probe has everything.\n", stream);
}

int cmd_help(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct help_args args = {.p = p};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	if (args.topic != NULL)
		probe_help(args.topic, stdout);
	else
		print_overview(stdout);
	return PROBE_OK;
}

int cmd_version(struct probe *p, const struct command *self, int argc, char **argv)
{
	uint32_t library = nmhal_version();
	char tool[32], linked[32];
	int code = probe_parse(p, self, argc, argv, NULL);

	if (code != PROBE_OK || p->help)
		return code;
	snprintf(tool, sizeof(tool), "%d.%d.%d", NMHAL_API_VERSION_MAJOR, NMHAL_API_VERSION_MINOR,
		NMHAL_API_VERSION_PATCH);
	snprintf(linked, sizeof(linked), "%u.%u.%u", library >> 16, library >> 8 & 0xff, library & 0xff);
	if (p->json)
		return json_result(p, json_pack("{ss ss}", "nmhal_probe", tool, "libnmhal", linked));
	printf("nmhal-probe %s, libnmhal %s\n", tool, linked);
	return PROBE_OK;
}

struct start {
	struct probe *p;
	int command; /* index in argv, 0: none */
	int next;    /* where parsing stopped with an error */
};

static error_t parse_start(int key, char *arg, struct argp_state *state)
{
	struct start *start = state->input;

	(void)arg;
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = start->p;
		return 0;
	}
	if (key == ARGP_KEY_ERROR)
		start->next = state->next;
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	start->command = state->next - 1;
	state->next = state->argc; /* the rest belongs to the command */
	return 0;
}

static int dispatch(struct probe *p, int argc, char **argv)
{
	const struct argp_child children[] = {{.argp = &global_argp}, {0}};
	const struct argp argp = {.parser = parse_start, .children = children};
	struct start start = {.p = p};
	const unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_IN_ORDER;
	error_t error = argp_parse(&argp, argc, argv, flags, NULL, &start);

	if (error != 0) {
		if (p->usage[0] == '\0')
			usage_option(p, argc, argv, start.next);
		return probe_fail(p, NMHAL_E_INVALID, "%s; see nmhal-probe help", p->usage);
	}
	if (start.command == 0) {
		if (p->help) {
			print_overview(stdout);
			return PROBE_OK;
		}
		return probe_fail(p, NMHAL_E_INVALID, "no command given; see nmhal-probe help");
	}
	const struct command *command = command_find(argv[start.command]);
	if (command == NULL)
		return probe_fail(p, NMHAL_E_INVALID, "no command \"%s\"; see nmhal-probe help", argv[start.command]);
	return command->run(p, command, argc - start.command, argv + start.command);
}

int main(int argc, char **argv)
{
	struct probe p = {.timeout_ms = NMHAL_TIMEOUT_DEFAULT};

	/* Also errors in the options before --json are told as JSON. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		p.json = p.json || strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0;
	signals_setup();
	int code = probe_close(&p, dispatch(&p, argc, argv));
	if (fflush(stdout) != 0 || ferror(stdout)) {
		int error = errno;
		int write_code = probe_fail(&p, NMHAL_E_IO, "standard output: write: %s", strerror(error));
		code = code == PROBE_OK ? write_code : code;
	}
	return code;
}
