/* SPDX-License-Identifier: MIT */
/* The link "replay": a trace as the far end. Whoever does what was done then gets what was got then. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay.h"

#define MAX_FILE   (UINT64_C(1) << 30)
#define HEADER_MAX 8192u /* bytes that hold any header */

/* ---- operations -------------------------------------------------------------------------------------------------- */

int replay_stray(struct replay *replay, const struct nmtrace_record *record, const char *format, ...)
{
	char text[192];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(replay->strayed, sizeof(replay->strayed), "record %" PRIu64 " at offset %zu: %s", record->number,
		record->offset, text);
	return nmhal_host_fail(replay->host, NMHAL_E_PROTOCOL, "%s: %s", replay->path, replay->strayed);
}

int replay_next(struct replay *replay, enum nmtrace_type type, const char *what, struct nmtrace_record *record)
{
	char why[TRACE_WHY];

	if (*replay->strayed)
		return nmhal_host_fail(replay->host, NMHAL_E_PROTOCOL,
			"%s: %s was left before: %s; open it again to play it from the start", what, replay->path,
			replay->strayed);
	if (nmtrace_next(&replay->reader, record, why) != NMHAL_OK) {
		snprintf(replay->strayed, sizeof(replay->strayed),
			"it ends before %s, after %" PRIu64 " operations%s%s", what, replay->trace.count,
			*replay->trace.end ? ": " : "", replay->trace.end);
		return nmhal_host_fail(replay->host, NMHAL_E_PROTOCOL, "%s: %s", replay->path, replay->strayed);
	}
	if (record->type != type)
		return replay_stray(replay, record, "expected %s, got %s", nmtrace_name(record->type), what);
	return NMHAL_OK;
}

int replay_status(const struct replay *replay, const struct nmtrace_record *record)
{
	if (record->status == NMHAL_OK)
		return NMHAL_OK;
	return nmhal_host_fail(replay->host, record->status, "%.*s", (int)record->text.size,
		(const char *)record->text.bytes);
}

void replay_close(struct replay *replay)
{
	struct nmtrace_record record;
	char why[TRACE_WHY];

	if (!*replay->strayed && nmtrace_next(&replay->reader, &record, why) == NMHAL_OK && record.type != TRACE_CLOSE)
		nmhal_host_log(replay->host, NMHAL_LOG_WARN,
			"close: at record %" PRIu64 " of the %" PRIu64 " in %s: the rest was not played", record.number,
			replay->trace.count, replay->path);
	free(replay->bytes);
	free(replay);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int file_failed(struct nmhal_host *host, const char *path, int error)
{
	int status = error == ENOENT ? NMHAL_E_NO_DEVICE : error == EACCES ? NMHAL_E_ACCESS : NMHAL_E_IO;

	return nmhal_host_fail(host, status, "open: file=%s: %s", path, strerror(error));
}

/* 0, or errno. Ends early where the file does. */
static int read_all(int fd, uint8_t *bytes, size_t *size)
{
	size_t wanted = *size;

	*size = 0;
	while (*size < wanted) {
		ssize_t got = read(fd, bytes + *size, wanted - *size);

		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return errno;
		*size += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int read_open_file(struct nmhal_host *host, const char *path, int fd, size_t most, uint8_t **bytes, size_t *size)
{
	struct stat info;
	int error;

	if (fstat(fd, &info))
		return file_failed(host, path, errno);
	if (!S_ISREG(info.st_mode))
		return nmhal_host_fail(host, NMHAL_E_IO, "open: file=%s: not a regular file", path);
	if ((uint64_t)info.st_size > MAX_FILE)
		return nmhal_host_fail(host, NMHAL_E_LIMIT, "open: file=%s: %lld bytes, more than %" PRIu64, path,
			(long long)info.st_size, MAX_FILE);
	*size = (uint64_t)info.st_size < most ? (size_t)info.st_size : most;
	*bytes = malloc(*size ? *size : 1);
	if (!*bytes)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: file=%s: no memory for %zu bytes", path, *size);
	error = read_all(fd, *bytes, size);
	return error ? file_failed(host, path, error) : NMHAL_OK;
}

/* The first bytes of the URI's file, `most` of them if it is that long; *bytes is to be freed, also after a failure. */
static int read_file(struct nmhal_host *host, const struct nmhal_uri *uri, size_t most, uint8_t **bytes, size_t *size)
{
	const char *path = nmhal_uri_value(uri, "file");
	int fd, status;

	*bytes = NULL;
	*size = 0;
	if (!path || !*path)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: names no file; write replay:file=run.nmtrace");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return file_failed(host, path, errno);
	status = read_open_file(host, path, fd, most, bytes, size);
	close(fd);
	return status;
}

/* ---- the link ---------------------------------------------------------------------------------------------------- */

static int no_trace(struct nmhal_host *host, const struct nmhal_uri *uri, int status, const char *why)
{
	return nmhal_host_fail(host, status, "open: file=%s: %s", nmhal_uri_value(uri, "file"), why);
}

static int replay_board(struct nmhal_host *host, const struct nmhal_uri *uri, char *board, size_t size)
{
	struct nmtrace_session session;
	struct nmtrace_reader reader;
	char why[TRACE_WHY];
	uint8_t *bytes;
	size_t got;
	int status = read_file(host, uri, HEADER_MAX, &bytes, &got);

	if (status == NMHAL_OK) {
		status = nmtrace_open(&reader, bytes, got, &session, why);
		if (status != NMHAL_OK)
			status = no_trace(host, uri, status, why);
		else
			snprintf(board, size, "%s", session.board);
	}
	free(bytes);
	return status;
}

static int load(struct replay *replay, const struct nmhal_uri *uri)
{
	const struct replay_trace *trace = &replay->trace;
	char why[TRACE_WHY];
	size_t size;
	int status = read_file(replay->host, uri, MAX_FILE, &replay->bytes, &size);

	if (status != NMHAL_OK)
		return status;
	status = replay_load(replay->bytes, size, &replay->trace, why);
	if (status == NMHAL_OK && strcmp(trace->session.board, nmhal_uri_board(uri)) != 0) {
		snprintf(why, sizeof(why), "is a trace of %s", trace->session.board);
		status = NMHAL_E_NO_DEVICE;
	}
	if (status != NMHAL_OK)
		return no_trace(replay->host, uri, status, why);
	replay->reader = trace->first;
	nmhal_host_log(replay->host, NMHAL_LOG_INFO, "%s: %" PRIu64 " operations of %.*s", replay->path, trace->count,
		(int)trace->session.uri.size, (const char *)trace->session.uri.bytes);
	if (!trace->whole)
		nmhal_host_log(replay->host, NMHAL_LOG_WARN, "%s: the trace is not whole: %s", replay->path,
			trace->end);
	return NMHAL_OK;
}

static int replay_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int status;

	(void)deadline_ns;
	if (!replay)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the link");
	replay->host = host;
	replay->path = nmhal_uri_value(uri, "file");
	status = load(replay, uri);
	if (status != NMHAL_OK) {
		free(replay->bytes);
		free(replay);
		return status;
	}
	if (replay->trace.session.is_bus)
		*bus = (struct nmhal_bus){&replay_bus_ops, replay};
	else
		*stream = (struct nmhal_stream){&replay_stream_ops, replay};
	return NMHAL_OK;
}

static const struct nmhal_key replay_keys[] = {
	{"file", "trace that record=FILE wrote; the board is in it"},
	{NULL, NULL},
};

extern const struct nmhal_link nm_link_replay;
const struct nmhal_link nm_link_replay = {
	.abi = NMHAL_DRIVER_ABI,
	.emulated = 1,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "replay",
	.summary = "recorded sessions of any board",
	.keys = replay_keys,
	.open = replay_open,
	.board = replay_board,
};
