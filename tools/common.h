/* SPDX-License-Identifier: MIT */
/* What the commands of nmhal-probe share: options, device, errors, exit codes, progress bar. */
#ifndef PROBE_COMMON_H
#define PROBE_COMMON_H

#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>
#include <nmhal/nmhal.h>

#define PROBE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum probe_exit {
	PROBE_OK = 0,
	PROBE_FAILURE = 1,
	PROBE_USAGE = 2,
	PROBE_NOT_FOUND = 3,
	PROBE_ACCESS = 4,
	PROBE_BUSY = 5,
	PROBE_UNSUPPORTED = 6,
	PROBE_PROTOCOL = 7,
	PROBE_DIFFERENT = 8,
	PROBE_TIMEOUT = 9,
	PROBE_GONE = 10,
	PROBE_LIMIT = 11,
	PROBE_INTERLOCK = 12,
	PROBE_INTERRUPTED = 130,
};

/* One invocation: the global options, then what they opened. */
struct probe {
	const char *uri; /* NULL: $NMHAL_URI or the only attached board */
	int32_t timeout_ms;
	int verbose;
	bool quiet, json, help;
	char usage[256]; /* what was wrong with the options, set by usage_error() */
	nmhal_context *ctx;
	nmhal_device *dev;
	struct nmhal_device_caps caps; /* of dev */
};

/* A command. Its argument struct starts with `struct probe *p`; its parser gets that struct as input. */
struct command {
	const char *name;
	const char *summary;
	const struct argp *argp; /* own options and arguments; may be NULL */
	int (*run)(struct probe *p, const struct command *self, int argc, char **argv);
};

/* ---- commands.c: the table, ends with name NULL ---- */
extern const struct command commands[];
const struct command *command_find(const char *name);

/* ---- options.c ---- */
extern const struct argp global_argp;
/* Parses the rest of a command line; PROBE_OK (p->help: help was printed), or the exit code after a message. */
int probe_parse(struct probe *p, const struct command *command, int argc, char **argv, void *args);
void probe_help(const struct command *command, FILE *stream);
/* Keeps a sentence for the usage message and returns EINVAL, for argp parsers. */
error_t usage_error(struct probe *p, const char *format, ...) PROBE_PRINTF(2, 3);
/* The same for the option at which argp stopped, just before argv[next]. */
void usage_option(struct probe *p, int argc, char **argv, int next);
/* Whole text is a number min..max (decimal or 0x...). */
bool parse_number(const char *text, int64_t min, int64_t max, int64_t *value);
/* "core,row,col[,rows,cols]" */
bool parse_region(const char *text, struct nmhal_region *region);
struct region_option {
	struct nmhal_region region;
	bool given;
};
/* Value of --region, for argp parsers. */
error_t parse_region_option(struct probe *p, const char *text, struct region_option *option);
/* A number with a unit as a whole count of 10^exponent units: "1.2V" and "500mV" with unit V and exponent -6 are
 * 1200000 and 500000. Prefixes p, n, u, m, k, M or none. */
bool parse_quantity(const char *text, const char *unit, int exponent, int64_t min, int64_t max, int64_t *value);
bool has_suffix(const char *text, const char *suffix);
/* "7", "3..7", "3.." or "all" within 0..limit-1. */
bool parse_range(const char *text, uint32_t limit, uint32_t *first, uint32_t *count);

/* ---- common.c ---- */
int exit_code(int status);
/* Prints a failure (text or, with --json, an object) on stderr; returns the exit code of status. */
int probe_fail(const struct probe *p, int status, const char *format, ...) PROBE_PRINTF(3, 4);
/* The same with the library's own sentence. */
int probe_fail_last(const struct probe *p, int status);
/* Words for the user on stderr; silent with -q. */
void probe_note(const struct probe *p, const char *format, ...) PROBE_PRINTF(2, 3);
/* A line of the library's log on stderr (nmhal_log_fn). */
void probe_log(void *user, enum nmhal_log_level level, const char *uri, const char *message);
/* Makes the context; opens the device of -u and fills caps. PROBE_OK or the exit code after a message. */
int probe_context(struct probe *p);
int probe_open(struct probe *p);
/* Ends the session (saves a state= file); keeps `code` if that is already a failure. */
int probe_close(struct probe *p, int code);
/* PROBE_OK, or the exit code after a message, when the device lacks one of the features. */
int probe_require(const struct probe *p, uint64_t features, const char *what);
/* Fills in rows and cols that are 0; PROBE_OK or the exit code after a message when it is not on the device. */
int region_resolve(const struct probe *p, const char *what, struct nmhal_region *region);
/* Disarms and brings all lines to 0 V, also after an interrupt; keeps `code` if that is already a failure. */
int probe_safe(const struct probe *p, int code);
/* Arms for silence_ms; 0: the longest the limits grant. PROBE_OK or the exit code after a message (cmd_safety.c). */
#define DEFAULT_SILENCE_MS 1000u
int probe_arm(const struct probe *p, uint32_t silence_ms, uint32_t *granted);
/* SIGINT and SIGTERM interrupt the running call on dev (NULL: none) and set the flag. */
void signals_setup(void);
void signals_device(nmhal_device *dev);
bool signals_interrupted(void);
/* While held, signals wait: for restoring what a command overwrote. */
void signals_hold(bool hold);
/* Prints {"schema": 1, ...} on stdout and frees it; PROBE_OK or the exit code after a message. */
int json_result(const struct probe *p, json_t *object);
/* Counter value, or null when unknown. */
json_t *json_counter(uint64_t value);
/* All counters of the device by name (cmd_sensors.c). */
json_t *counters_json(const struct probe *p);
/* Loads a file ("-": stdin) into memory; NULL after a message with *code set. Adds a NUL after *size bytes. */
char *load_file(const struct probe *p, const char *path, size_t *size, int *code);
/* Says that memory is out; returns the exit code. */
static inline int probe_no_memory(const struct probe *p)
{
	(void)probe_fail(p, NMHAL_E_NO_MEMORY, "out of memory");
	return PROBE_FAILURE;
}

/* Column count of the terminal on fd; 0 when it is none. */
unsigned terminal_columns(int fd);

/* A bar on stderr, when that is a terminal and -q was not given. */
struct progress {
	const char *label;
	uint64_t total;
	int shown; /* percent; -1: not drawn */
	bool on;
};
void progress_start(const struct probe *p, struct progress *bar, const char *label, uint64_t total);
void progress_at(struct progress *bar, uint64_t done);
void progress_end(struct progress *bar);

/* ---- backup.c: what selftest and bench overwrite ---- */
/* Reads all of the device; PROBE_OK or the exit code after a message. */
int backup_take(struct probe *p, nmhal_image **image);
/* Writes it back, also after an interrupt, and frees it; keeps `code` if that is already a failure. */
int backup_restore(struct probe *p, nmhal_image *image, int code);

/* ---- the commands, cmd_*.c ---- */
int cmd_list(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_info(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_attr(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_reset(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_selftest(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_program(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_weights(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_neurons(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_infer(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_sensors(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_counters(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_limits(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_arm(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_disarm(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_safe(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_cells(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_conformance(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_run(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_trace(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_bench(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_completion(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_version(struct probe *p, const struct command *self, int argc, char **argv);
int cmd_help(struct probe *p, const struct command *self, int argc, char **argv);
extern const struct argp list_argp, attr_argp, reset_argp, program_argp, weights_argp, neurons_argp,
	infer_argp, sensors_argp, limits_argp, arm_argp, cells_argp, conformance_argp, run_argp, trace_argp,
	bench_argp, completion_argp, help_argp;

#endif
