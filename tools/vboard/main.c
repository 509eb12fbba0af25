/* SPDX-License-Identifier: MIT */
/* nmhal-vboard: the command line. */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nmhal/nmhal.h>

#include "tools/vboard/vboard.h"

enum { EXIT_USAGE = 2, EXIT_IN_USE = 5 };
enum { KEY_UNIX = 256, KEY_TCP, KEY_PTY, KEY_ADDRESS, KEY_ONCE, KEY_LIST };

struct arguments {
	char *board; /* NAME[,key=value]... */
	struct vboard_place place;
	unsigned ways;
	bool json, once, list, addressed;
};

static const struct argp_option options[] = {
	{"unix", KEY_UNIX, "PATH", 0, "Listen at a unix socket; PATH is removed at the end", 1},
	{"tcp", KEY_TCP, "PORT", 0, "Listen at a TCP port; 0: any that is free", 1},
	{"pty", KEY_PTY, NULL, 0, "Open a pseudo-terminal", 1},
	{"address", KEY_ADDRESS, "IPV4", 0, "With --tcp: address to listen at (default 127.0.0.1: this machine)", 2},
	{"once", KEY_ONCE, NULL, 0, "End when the first client has left", 2},
	{"json", 'j', NULL, 0, "Print one JSON object instead of the URI", 2},
	{"list", KEY_LIST, NULL, 0, "List the boards with their keys", 3},
	{0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	struct in_addr address;
	char *end;
	unsigned long port;

	switch (key) {
	case KEY_UNIX:
		a->place.way = VBOARD_UNIX;
		a->place.path = arg;
		a->ways++;
		return 0;
	case KEY_TCP:
		port = strtoul(arg, &end, 10);
		if (end == arg || *end || *arg == '-' || port > UINT16_MAX)
			argp_error(state, "--tcp %s: not a port 0 to 65535", arg);
		a->place.way = VBOARD_TCP;
		a->place.port = (unsigned)port;
		a->ways++;
		return 0;
	case KEY_PTY:
		a->place.way = VBOARD_PTY;
		a->ways++;
		return 0;
	case KEY_ADDRESS:
		if (inet_pton(AF_INET, arg, &address) != 1)
			argp_error(state, "--address %s: not an IPv4 address such as 127.0.0.1", arg);
		a->place.address = arg;
		a->addressed = true;
		return 0;
	case KEY_ONCE:
		a->once = true;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case KEY_LIST:
		a->list = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->board)
			argp_error(state, "one board at a time");
		a->board = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->list && (!a->board || a->ways != 1))
			argp_error(state, "give a board and one of --unix, --tcp, --pty");
		if (a->addressed && a->place.way != VBOARD_TCP)
			argp_error(state, "--address goes with --tcp");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "BOARD[,KEY=VALUE]...",
	.doc = "Serve an emulated crossbar board to one client at a time.\v"
	       "Prints the URI that nmhal-probe takes. Ctrl-C ends it. man nmhal-vboard has everything.",
};

/* ---- boards ------------------------------------------------------------------------------------------------------ */

#define PRINT_KEY(name, text) printf("    %-10s %s\n", #name, text);

static int list_boards(void)
{
	enum sim_board_kind kind = SIM_BOARD_XBAR;

	for (unsigned n = 0; sim_board_name(n); n++)
		if (sim_board_find(sim_board_name(n), &kind) && kind == SIM_BOARD_XBAR)
			puts(sim_board_name(n));
	SIM_XBAR_KEYS(PRINT_KEY)
	for (unsigned n = 0; sim_board_name(n); n++)
		if (sim_board_find(sim_board_name(n), &kind) && kind == SIM_BOARD_SPIKE)
			puts(sim_board_name(n));
	SIM_SPIKE_KEYS(PRINT_KEY)
	return EXIT_SUCCESS;
}

static void no_board(const char *name)
{
	fprintf(stderr, "nmhal-vboard: no board %s; there are:", name);
	for (unsigned n = 0; sim_board_name(n); n++)
		fprintf(stderr, " %s", sim_board_name(n));
	fputc('\n', stderr);
}

static bool set_keys(struct sim_board_config *config, char *pairs)
{
	char error[SIM_BOARD_ERROR], *pair;

	while ((pair = strsep(&pairs, ","))) {
		char *value = strchr(pair, '=');

		if (!value) {
			fprintf(stderr, "nmhal-vboard: %s: expected KEY=VALUE\n", pair);
			return false;
		}
		*value++ = '\0';
		if (!sim_board_config_set(config, pair, value, error)) {
			fprintf(stderr, "nmhal-vboard: %s\n", error);
			return false;
		}
	}
	return true;
}

/* The board of "NAME,key=value,...", cut into its parts. NULL after a message, with the exit code in *code. */
static struct sim_board *make_board(char *text, int *code)
{
	char error[SIM_BOARD_ERROR] = "", *keys = text, *name = strsep(&keys, ",");
	struct sim_board_config *config;
	struct sim_board *board = NULL;
	enum sim_board_kind kind;

	*code = EXIT_USAGE;
	if (!sim_board_find(name, &kind)) {
		no_board(name);
		return NULL;
	}
	config = sim_board_config_new(name);
	if (config && (!keys || set_keys(config, keys))) {
		*code = EXIT_FAILURE;
		board = sim_board_new(config, error);
		if (!board)
			fprintf(stderr, "nmhal-vboard: %s\n", error);
	}
	sim_board_config_free(config);
	return board;
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

/* Text between quotes of JSON. */
static void print_quoted(const char *text)
{
	for (; *text; text++)
		printf(strchr("\"\\", *text)          ? "\\%c" :
			(unsigned char)*text < ' ' ? "\\u%04x" :
						     "%c",
			(unsigned char)*text);
}

static bool announce(const struct arguments *a, const struct sim_board *board, const struct vboard_port *port)
{
	if (a->json) {
		printf("{\"schema\": 1, \"uri\": \"");
		print_quoted(port->uri);
		printf("\", \"board\": \"%s\", \"serial\": \"%s\", \"pid\": %ld}\n", sim_board_model(board),
			sim_board_serial(board), (long)getpid());
	} else {
		puts(port->uri);
	}
	if (!fflush(stdout))
		return true;
	fprintf(stderr, "nmhal-vboard: standard output: %s\n", strerror(errno));
	return false;
}

static int run(const struct arguments *a, struct sim_board *board)
{
	char sentence[VBOARD_SENTENCE];
	struct vboard_port port;
	int error = vboard_listen(&a->place, &port, sentence);

	if (error) {
		fprintf(stderr, "nmhal-vboard: %s\n", sentence);
		return error == EADDRINUSE ? EXIT_IN_USE : EXIT_FAILURE;
	}
	if (!announce(a, board, &port)) {
		vboard_unlisten(&port);
		return EXIT_FAILURE;
	}
	error = vboard_serve(&port, board, a->once);
	if (error)
		fprintf(stderr, "nmhal-vboard: serve %s: %s\n", port.uri, strerror(error));
	vboard_unlisten(&port);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	fprintf(stream, "nmhal-vboard %d.%d.%d\n", NMHAL_API_VERSION_MAJOR, NMHAL_API_VERSION_MINOR,
		NMHAL_API_VERSION_PATCH);
}

int main(int argc, char **argv)
{
	struct arguments a = {.place = {.address = "127.0.0.1"}};
	struct sim_board *board;
	int code;

	argp_program_version_hook = print_version;
	argp_err_exit_status = EXIT_USAGE;
	vboard_signals();
	if (argp_parse(&argp, argc, argv, 0, NULL, &a))
		return EXIT_USAGE;
	if (a.list)
		return list_boards();
	board = make_board(a.board, &code);
	if (!board)
		return code;
	code = run(&a, board);
	sim_board_free(board);
	return code;
}
