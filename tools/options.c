/* SPDX-License-Identifier: MIT */
/* The global options and the parsing of small texts. */
#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option global_options[] = {
	{"uri", 'u', "URI", 0,
		"Device, e.g. sim:tinyodin,state=chip.h5 (default: $NMHAL_URI, else the only attached board)", 90},
	{"json", 'j', NULL, 0, "Print one JSON object on stdout; errors are a JSON object on stderr", 90},
	{"timeout", 'T', "MS", 0,
		"Time limit of each call to the device in milliseconds (0: the device's own, -1: none)", 90},
	{"verbose", 'v', NULL, 0, "Log to stderr; repeat for more: -v, -vv, -vvv", 90},
	{"quiet", 'q', NULL, 0, "No words, no progress bar, no log lines on stderr; errors still show", 90},
	{"help", 'h', NULL, 0, "Show this help", 90},
	{0},
};

static error_t parse_global(int key, char *arg, struct argp_state *state)
{
	struct probe *p = state->input;
	int64_t number;

	switch (key) {
	case 'u':
		p->uri = arg;
		return 0;
	case 'j':
		p->json = true;
		return 0;
	case 'T':
		if (!parse_number(arg, NMHAL_WAIT_FOREVER, INT32_MAX, &number))
			return usage_error(p, "--timeout %s: not a number of milliseconds, 0 or -1", arg);
		p->timeout_ms = (int32_t)number;
		return 0;
	case 'v':
		p->verbose++;
		return 0;
	case 'q':
		p->quiet = true;
		return 0;
	case 'h':
		p->help = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp global_argp = {.options = global_options, .parser = parse_global};

/* What the parser of a whole command line hands down to its two children. */
struct inputs {
	void *args;
	struct probe *p;
	int next; /* where parsing stopped with an error; 0: none */
};

static error_t parse_root(int key, char *arg, struct argp_state *state)
{
	struct inputs *inputs = state->input;

	(void)arg;
	if (key == ARGP_KEY_ERROR)
		inputs->next = state->next;
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = inputs->p;
		if (inputs->args != NULL)
			state->child_inputs[1] = inputs->args;
	}
	return ARGP_ERR_UNKNOWN;
}

static struct argp root_of(const struct command *command, struct argp_child children[3])
{
	memset(children, 0, 3 * sizeof(children[0]));
	children[0].argp = &global_argp;
	children[1].argp = command->argp;
	return (struct argp){.parser = parse_root, .doc = command->summary, .children = children};
}

void probe_help(const struct command *command, FILE *stream)
{
	struct argp_child children[3];
	struct argp root = root_of(command, children);
	char name[64];

	snprintf(name, sizeof(name), "nmhal-probe %s", command->name);
	argp_help(&root, stream, ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG | ARGP_HELP_POST_DOC, name);
}

int probe_parse(struct probe *p, const struct command *command, int argc, char **argv, void *args)
{
	struct argp_child children[3];
	struct argp root = root_of(command, children);
	struct inputs inputs = {.args = args, .p = p};
	int next = 0;

	p->usage[0] = '\0';
	error_t error = argp_parse(&root, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, &next, &inputs);
	if (p->help) {
		probe_help(command, stdout);
		return PROBE_OK;
	}
	if (error == ENOMEM)
		return probe_no_memory(p);
	if (error == 0 && next >= argc)
		return PROBE_OK;
	if (p->usage[0] == '\0' && error == 0)
		usage_error(p, "%s: one argument too many", argv[next]);
	if (p->usage[0] == '\0')
		usage_option(p, argc, argv, inputs.next);
	return probe_fail(p, NMHAL_E_INVALID, "%s: %s; see nmhal-probe help %s", command->name, p->usage,
		command->name);
}

error_t usage_error(struct probe *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->usage, sizeof(p->usage), format, args);
	va_end(args);
	return EINVAL;
}

void usage_option(struct probe *p, int argc, char **argv, int next)
{
	const char *before = next > 1 && next <= argc ? argv[next - 1] : "";
	const char *at = next > 0 && next < argc ? argv[next] : before;

	usage_error(p, "%s: unknown option, or its value is missing", before[0] == '-' ? before : at);
}

bool parse_number(const char *text, int64_t min, int64_t max, int64_t *value)
{
	char *end;
	const char *digits = text[0] == '-' ? text + 1 : text;
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');

	if (digits[0] < '0' || digits[0] > '9')
		return false;
	errno = 0;
	*value = strtoll(text, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

bool parse_region(const char *text, struct nmhal_region *region)
{
	uint32_t *const fields[] = {&region->core, &region->row, &region->col, &region->rows, &region->cols};
	char copy[80];
	char *rest = copy, *part;
	size_t count = 0;
	int64_t number;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	*region = (struct nmhal_region){0};
	while ((part = strsep(&rest, ",")) != NULL) {
		if (count == 5 || !parse_number(part, 0, UINT32_MAX, &number))
			return false;
		*fields[count++] = (uint32_t)number;
	}
	return count == 3 || (count == 5 && region->rows > 0 && region->cols > 0);
}

error_t parse_region_option(struct probe *p, const char *text, struct region_option *option)
{
	option->given = true;
	if (parse_region(text, &option->region))
		return 0;
	return usage_error(p, "--region %s: CORE,ROW,COL or CORE,ROW,COL,ROWS,COLS expected", text);
}

bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* Digits with an optional point: their number and how many come after the point. */
static const char *parse_decimal(const char *text, int64_t *digits, int *places)
{
	bool point = false;
	size_t count = 0;

	*digits = 0;
	*places = 0;
	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
		if (*text == '.') {
			point = true;
			continue;
		}
		if (++count > 17)
			return NULL;
		*digits = *digits * 10 + (*text - '0');
		*places += point;
	}
	return count > 0 ? text : NULL;
}

static bool prefix_of(const char *text, size_t length, int *exponent)
{
	static const struct {
		char letter;
		int exponent;
	} prefixes[] = {{'p', -12}, {'n', -9}, {'u', -6}, {'m', -3}, {'k', 3}, {'M', 6}};

	*exponent = 0;
	for (size_t i = 0; length == 1 && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (prefixes[i].letter == text[0]) {
			*exponent = prefixes[i].exponent;
			return true;
		}
	return length == 0;
}

bool parse_quantity(const char *text, const char *unit, int exponent, int64_t min, int64_t max, int64_t *value)
{
	bool negative = text[0] == '-';
	int64_t number;
	int places, prefix;
	const char *rest = parse_decimal(text + negative, &number, &places);

	if (rest == NULL || !has_suffix(rest, unit) || !prefix_of(rest, strlen(rest) - strlen(unit), &prefix))
		return false;
	for (int power = prefix - exponent - places; power != 0 && number != 0; power += power < 0 ? 1 : -1) {
		if (power < 0 ? number % 10 != 0 : number > INT64_MAX / 10)
			return false;
		number = power < 0 ? number / 10 : number * 10;
	}
	*value = negative ? -number : number;
	return *value >= min && *value <= max;
}

bool parse_range(const char *text, uint32_t limit, uint32_t *first, uint32_t *count)
{
	const char *dots = strstr(text, "..");
	char from[16] = "0";
	int64_t low = 0, high = (int64_t)limit - 1;

	if (strcmp(text, "all") != 0) {
		size_t length = dots != NULL ? (size_t)(dots - text) : strlen(text);
		if (length >= sizeof(from))
			return false;
		memcpy(from, text, length);
		from[length] = '\0';
		if (!parse_number(from, 0, high, &low))
			return false;
		if (dots == NULL)
			high = low;
		else if (dots[2] != '\0' && !parse_number(dots + 2, low, high, &high))
			return false;
	}
	*first = (uint32_t)low;
	*count = (uint32_t)(high - low + 1);
	return limit > 0;
}
