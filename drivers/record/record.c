/* SPDX-License-Identifier: MIT */
/* The wrapper "record": writes every operation with its result to a file, one write each. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record.h"

const char *recorder_text(const struct recorder *recorder, int status)
{
	const char *sentence = nmhal_last_error(), *uri = nmhal_host_uri(recorder->host);
	size_t length = strlen(uri);

	if (status == NMHAL_OK)
		return "";
	return strncmp(sentence, uri, length) || strncmp(sentence + length, ": ", 2) ? sentence : sentence + length + 2;
}

/* 0, or errno. */
static int write_all(int fd, const uint8_t *bytes, size_t size)
{
	while (size) {
		ssize_t put = write(fd, bytes, size);

		if (put < 0 && errno != EINTR)
			return errno;
		if (put > 0) {
			bytes += put;
			size -= (size_t)put;
		}
	}
	return 0;
}

/* The operation is done, its record is lost: the caller must know. A failure of its own is not hidden. */
static int lost(const struct recorder *recorder, int status, const char *why)
{
	if (status == NMHAL_OK)
		return nmhal_host_fail(recorder->host, recorder->broken,
			"record=%s: %s; the trace ends after %" PRIu64 " bytes", recorder->path, why, recorder->size);
	nmhal_host_log(recorder->host, NMHAL_LOG_WARN, "record=%s: %s; the trace ends after %" PRIu64 " bytes",
		recorder->path, why, recorder->size);
	return status;
}

int recorder_put(struct recorder *recorder, int status)
{
	struct nmtrace_buffer *buffer = &recorder->buffer;
	int error;

	if (recorder->broken)
		return lost(recorder, status, "an earlier record could not be written");
	if (buffer->no_memory) {
		recorder->broken = NMHAL_E_NO_MEMORY;
		return lost(recorder, status, "no memory for a record");
	}
	error = write_all(recorder->fd, buffer->bytes, buffer->size);
	if (!error) {
		recorder->size += buffer->size;
		return status;
	}
	recorder->broken = NMHAL_E_IO;
	/* A part of a record says no more than none; what cannot be cut off is seen when it is read. */
	if (ftruncate(recorder->fd, (off_t)recorder->size))
		nmhal_host_log(recorder->host, NMHAL_LOG_DEBUG, "record=%s: its last record stays cut off",
			recorder->path);
	return lost(recorder, status, strerror(error));
}

static int open_failed(const struct recorder *recorder, const char *what, int error)
{
	int status = error == EACCES || error == EPERM || error == EROFS ? NMHAL_E_ACCESS : NMHAL_E_IO;

	return nmhal_host_fail(recorder->host, status, "open: record=%s: %s: %s", recorder->path, what,
		strerror(error));
}

/* An old trace stays until the header of the new one is written. */
static int open_file(struct recorder *recorder)
{
	struct stat old;
	char *name;
	int status;

	/* A pipe may block, or end the process. */
	if (!stat(recorder->path, &old) && !S_ISREG(old.st_mode))
		return nmhal_host_fail(recorder->host, NMHAL_E_IO, "open: record=%s: not a regular file",
			recorder->path);
	if (asprintf(&name, "%s.%ld.tmp", recorder->path, (long)getpid()) < 0)
		return nmhal_host_fail(recorder->host, NMHAL_E_NO_MEMORY, "open: no memory for the recorder");
	recorder->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (recorder->fd < 0) {
		status = open_failed(recorder, "create a file beside it", errno);
		free(name);
		return status;
	}
	status = recorder_put(recorder, NMHAL_OK);
	if (status == NMHAL_OK && rename(name, recorder->path))
		status = open_failed(recorder, "rename the new file to it", errno);
	if (status != NMHAL_OK)
		(void)unlink(name);
	free(name);
	return status;
}

int recorder_open(struct recorder *recorder, struct nmhal_host *host, const struct nmhal_uri *uri,
	const struct nmhal_bus_info *bus, const struct nmhal_stream_info *stream)
{
	int status;

	*recorder = (struct recorder){.host = host, .path = nmhal_uri_value(uri, "record"), .fd = -1};
	if (!*recorder->path)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: record= names no file");
	nmtrace_header(&recorder->buffer, nmhal_uri_board(uri), nmhal_host_uri(host), bus, stream);
	status = open_file(recorder);
	if (status == NMHAL_OK)
		return NMHAL_OK;
	if (recorder->fd >= 0)
		close(recorder->fd);
	nmtrace_buffer_free(&recorder->buffer);
	return status;
}

void recorder_close(struct recorder *recorder)
{
	nmtrace_plain(&recorder->buffer, TRACE_CLOSE, NMHAL_OK, "");
	if (!recorder->broken && recorder_put(recorder, NMHAL_OK) != NMHAL_OK)
		nmhal_host_log(recorder->host, NMHAL_LOG_WARN, "close: %s", recorder_text(recorder, NMHAL_E_IO));
	if (close(recorder->fd) && !recorder->broken)
		nmhal_host_log(recorder->host, NMHAL_LOG_WARN, "close: record=%s: %s", recorder->path, strerror(errno));
	nmtrace_buffer_free(&recorder->buffer);
}

static int record_wrap(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	(void)deadline_ns;
	return bus->ops ? record_wrap_bus(host, uri, bus) : record_wrap_stream(host, uri, stream);
}

static const struct nmhal_key record_keys[] = {
	{"record", "file that gets every operation with its result, for replay:file=FILE"},
	{NULL, NULL},
};

extern const struct nmhal_wrapper nm_wrapper_record;
const struct nmhal_wrapper nm_wrapper_record = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_wrapper),
	.name = "record",
	.summary = "traces of what crosses the link of any board",
	.keys = record_keys,
	.wrap = record_wrap,
};
