/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A signal handler has no argument: these two are what it needs. */
static _Atomic(nmhal_device *) signal_device;
static volatile sig_atomic_t signal_seen;

int exit_code(int status)
{
	switch (status) {
	case NMHAL_OK:
		return PROBE_OK;
	case NMHAL_E_INVALID:
		return PROBE_USAGE;
	case NMHAL_E_NO_DEVICE:
		return PROBE_NOT_FOUND;
	case NMHAL_E_ACCESS:
		return PROBE_ACCESS;
	case NMHAL_E_BUSY:
		return PROBE_BUSY;
	case NMHAL_E_UNSUPPORTED:
		return PROBE_UNSUPPORTED;
	case NMHAL_E_PROTOCOL:
	case NMHAL_E_VERSION:
		return PROBE_PROTOCOL;
	case NMHAL_E_VERIFY:
		return PROBE_DIFFERENT;
	case NMHAL_E_TIMEOUT:
		return PROBE_TIMEOUT;
	case NMHAL_E_GONE:
		return PROBE_GONE;
	case NMHAL_E_LIMIT:
		return PROBE_LIMIT;
	case NMHAL_E_INTERLOCK:
		return PROBE_INTERLOCK;
	case NMHAL_E_CANCELED:
		return signal_seen ? PROBE_INTERRUPTED : PROBE_FAILURE;
	default:
		return PROBE_FAILURE;
	}
}

static int fail_text(const struct probe *p, int status, const char *text)
{
	int code = exit_code(status);

	if (!p->json) {
		fprintf(stderr, "nmhal-probe: %s\n", text);
		return code;
	}
	json_t *object = json_pack("{si ss ss si}", "schema", 1, "status", nmhal_status_name(status), "message", text,
		"code", code);
	if (object != NULL) {
		json_dumpf(object, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(object);
	}
	return code;
}

int probe_fail(const struct probe *p, int status, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return fail_text(p, status, text);
}

int probe_fail_last(const struct probe *p, int status)
{
	const char *text = nmhal_last_error();

	return fail_text(p, status, text[0] != '\0' ? text : nmhal_status_name(status));
}

void probe_note(const struct probe *p, const char *format, ...)
{
	va_list args;

	if (p->quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static void on_signal(int number)
{
	(void)number;
	signal_seen = 1;
	nmhal_device_interrupt(atomic_load(&signal_device));
}

void signals_setup(void)
{
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: a blocked read of stdin ends too */

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is a write error, and the device is still closed properly */
}

void signals_device(nmhal_device *dev)
{
	atomic_store(&signal_device, dev);
}

bool signals_interrupted(void)
{
	return signal_seen != 0;
}

void signals_hold(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---- device ------------------------------------------------------------------------------------------------------ */

void probe_log(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	static const char *const names[] = {"", "error", "warning", "info", "debug", "wire", ""};
	const char *name = (unsigned)level < sizeof(names) / sizeof(names[0]) ? names[level] : "log";

	(void)user;
	fprintf(stderr, "nmhal-probe: %s: %s%s%s\n", name, uri, uri[0] != '\0' ? ": " : "", message);
}

int probe_context(struct probe *p)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;

	params.log = probe_log;
	if (p->quiet)
		params.log_level = NMHAL_LOG_NONE;
	else if (p->verbose > 0)
		params.log_level = (uint32_t)(p->verbose > 2 ? NMHAL_LOG_WIRE : NMHAL_LOG_WARN + p->verbose);
	int status = nmhal_context_new(&params, &p->ctx);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

int probe_open(struct probe *p)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	int code = probe_context(p);

	if (code != PROBE_OK)
		return code;
	params.timeout_ms = p->timeout_ms;
	int status = nmhal_device_open(p->ctx, p->uri, &params, &p->dev);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	signals_device(p->dev);
	p->caps.struct_size = sizeof(p->caps);
	status = nmhal_device_caps(p->dev, &p->caps);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (signals_interrupted())
		return probe_fail(p, NMHAL_E_CANCELED, "%s: open: interrupted", nmhal_device_uri(p->dev));
	return PROBE_OK;
}

int probe_close(struct probe *p, int code)
{
	signals_device(NULL);
	if (p->dev != NULL && signals_interrupted() && p->caps.features & NMHAL_CAN_ARM && code != PROBE_GONE)
		code = probe_safe(p, code);
	if (p->dev != NULL) {
		int status = nmhal_device_close(p->dev);
		if (status != NMHAL_OK) {
			int close_code = probe_fail_last(p, status);
			code = code == PROBE_OK ? close_code : code;
		}
	}
	nmhal_device_unref(p->dev);
	nmhal_context_unref(p->ctx);
	p->dev = NULL;
	p->ctx = NULL;
	return code;
}

int probe_require(const struct probe *p, uint64_t features, const char *what)
{
	if ((p->caps.features & features) == features)
		return PROBE_OK;
	return probe_fail(p, NMHAL_E_UNSUPPORTED, "%s: the %s has no %s", nmhal_device_uri(p->dev), p->caps.board,
		what);
}

int region_resolve(const struct probe *p, const char *what, struct nmhal_region *region)
{
	const struct nmhal_device_caps *caps = &p->caps;

	if (region->core >= caps->cores || region->row >= caps->rows || region->col >= caps->cols
			|| region->rows > caps->rows - region->row || region->cols > caps->cols - region->col)
		return probe_fail(p, NMHAL_E_INVALID,
			"%s: %s of core %u from row %u, column %u: outside %u core(s) of %u x %u",
			nmhal_device_uri(p->dev), what, region->core, region->row, region->col, caps->cores, caps->rows,
			caps->cols);
	region->rows = region->rows > 0 ? region->rows : caps->rows - region->row;
	region->cols = region->cols > 0 ? region->cols : caps->cols - region->col;
	return PROBE_OK;
}

int probe_safe(const struct probe *p, int code)
{
	signals_hold(true);
	int status = nmhal_safe_state(p->dev, p->timeout_ms);
	/* An interrupt that came too late for the call it was for ends this one instead, once. */
	if (status == NMHAL_E_CANCELED)
		status = nmhal_safe_state(p->dev, p->timeout_ms);
	int safe_code = status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
	signals_hold(false);
	return code == PROBE_OK ? safe_code : code;
}

/* ---- JSON and files ---------------------------------------------------------------------------------------------- */

int json_result(const struct probe *p, json_t *object)
{
	json_t *whole = json_pack("{si}", "schema", 1);

	if (object == NULL || whole == NULL || json_object_update_missing(whole, object) != 0) {
		json_decref(object);
		json_decref(whole);
		return probe_no_memory(p);
	}
	json_dumpf(whole, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
	json_decref(whole);
	return PROBE_OK;
}

json_t *json_counter(uint64_t value)
{
	return value > INT64_MAX ? json_null() : json_integer((json_int_t)value);
}

static int file_error(const struct probe *p, const char *path, int error)
{
	int status = error == EACCES || error == EPERM ? NMHAL_E_ACCESS : NMHAL_E_IO;

	if (signals_interrupted())
		status = NMHAL_E_CANCELED;
	return probe_fail(p, status, "%s: read: %s", path, strerror(error));
}

char *load_file(const struct probe *p, const char *path, size_t *size, int *code)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "rb");
	size_t capacity = 65536, used = 0;
	char *data = malloc(capacity);

	if (file == NULL || data == NULL) {
		*code = file == NULL ? file_error(p, path, errno) : probe_no_memory(p);
		if (file != NULL && !standard)
			fclose(file);
		free(data);
		return NULL;
	}
	errno = 0;
	for (;;) {
		used += fread(data + used, 1, capacity - 1 - used, file);
		if (used < capacity - 1)
			break;
		char *larger = realloc(data, capacity *= 2);
		if (larger == NULL)
			break;
		data = larger;
	}
	*code = ferror(file) ? file_error(p, path, errno) : feof(file) ? PROBE_OK : probe_no_memory(p);
	if (!standard)
		fclose(file);
	data[used] = '\0';
	*size = used;
	if (*code == PROBE_OK)
		return data;
	free(data);
	return NULL;
}

unsigned terminal_columns(int fd)
{
	struct winsize size;

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

void progress_start(const struct probe *p, struct progress *bar, const char *label, uint64_t total)
{
	*bar = (struct progress){.label = label, .total = total > 0 ? total : 1, .shown = -1};
	bar->on = !p->quiet && isatty(STDERR_FILENO);
}

void progress_at(struct progress *bar, uint64_t done)
{
	static const char full[] = "########################################";
	int percent = (int)((double)done * 100.0 / (double)bar->total);

	if (!bar->on || percent == bar->shown)
		return;
	bar->shown = percent;
	fprintf(stderr, "\r%s [%-40.*s] %3d %%", bar->label, percent * 40 / 100, full, percent);
}

void progress_end(struct progress *bar)
{
	if (bar->on && bar->shown >= 0)
		fputs("\r\033[K", stderr);
	bar->on = false;
}
