/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd_stream.h"
#include "wake.h"

#define TIMEOUT_MS 10000
#define FLUSH_NS   INT64_C(1000000000) /* a far end that never falls silent */

int fd_stream_init(struct fd_stream *stream, struct nmhal_host *host)
{
	stream->host = host;
	stream->fd = -1;
	return wake_open(host, &stream->wake);
}

void fd_stream_close(struct fd_stream *stream)
{
	if (stream->fd >= 0 && stream->release)
		stream->release(stream);
	if (stream->fd >= 0)
		close(stream->fd);
	if (stream->wake >= 0)
		close(stream->wake);
}

/* One poll() up to the deadline; whether the descriptor is ready. Negative: errno. */
static int poll_once(struct fd_stream *stream, short events, int64_t deadline_ns)
{
	struct pollfd fds[2] = {{stream->fd, events, 0}};

	return wake_poll(stream->wake, fds, 2, deadline_ns);
}

int fd_stream_wait(struct fd_stream *stream, short events, int64_t deadline_ns, const char *what)
{
	for (;;) {
		int ready = poll_once(stream, events, deadline_ns), status;

		if (ready < 0)
			return nmhal_host_fail(stream->host, NMHAL_E_IO, "%s: poll: %s", what, strerror(-ready));
		if (ready)
			return NMHAL_OK;
		/* Whether a wake was meant for this call is the core's to say. */
		status = nmhal_host_poll(stream->host, deadline_ns, what);
		if (status != NMHAL_OK)
			return status;
	}
}

/* The status of a read or write that gave `moved`: OK also when it must be tried again. */
static int check(struct fd_stream *stream, ssize_t moved, const char *what)
{
	int error = moved < 0 ? errno : 0;
	const bool refused = stream->refused && !stream->heard;

	if (moved > 0 || error == EAGAIN || error == EINTR)
		return NMHAL_OK;
	switch (error) {
	case 0:
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EIO: /* a terminal that was hung up */
	case ENXIO:
	case ENODEV:
		return nmhal_host_fail(stream->host, refused ? NMHAL_E_BUSY : NMHAL_E_GONE, "%s: %s%s%s", what,
			refused ? stream->refused : stream->lost, error ? ": " : "", error ? strerror(error) : "");
	default:
		return nmhal_host_fail(stream->host, NMHAL_E_IO, "%s: %s", what, strerror(error));
	}
}

/* send() for its MSG_NOSIGNAL; a terminal has only write(). */
static ssize_t put(const struct fd_stream *stream, const void *bytes, size_t size)
{
	ssize_t sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);

	return sent < 0 && errno == ENOTSOCK ? write(stream->fd, bytes, size) : sent;
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct fd_stream *stream = self;
	const char *bytes = buf;
	int status = NMHAL_OK;

	while (size && status == NMHAL_OK) {
		ssize_t sent = put(stream, bytes, size);

		status = check(stream, sent, "send");
		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		} else if (status == NMHAL_OK) {
			status = fd_stream_wait(stream, POLLOUT, deadline_ns, "send");
		}
	}
	return status;
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct fd_stream *stream = self;
	int status = NMHAL_OK;

	while (status == NMHAL_OK) {
		ssize_t got = read(stream->fd, buf, capacity);

		status = check(stream, got, "receive");
		stream->heard = stream->heard || got > 0;
		if (got > 0) {
			*size = (size_t)got;
			return NMHAL_OK;
		}
		if (status == NMHAL_OK)
			status = fd_stream_wait(stream, POLLIN, deadline_ns, "receive");
	}
	return status;
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct fd_stream *stream = self;
	const int64_t end_ns = nmhal_now_ns() + FLUSH_NS;
	char dropped[4096];

	for (;;) {
		ssize_t got = read(stream->fd, dropped, sizeof(dropped));
		int status = check(stream, got, "flush"), ready = 0;
		int64_t now_ns = nmhal_now_ns(), quiet_ns = now_ns + stream->quiet_ns;

		if (status != NMHAL_OK)
			return status;
		if (now_ns >= end_ns || (now_ns >= deadline_ns && got > 0))
			return nmhal_host_fail(stream->host, NMHAL_E_TIMEOUT,
				"flush: bytes keep coming; is something else talking to the board?");
		if (got < 0)
			ready = poll_once(stream, POLLIN, quiet_ns < deadline_ns ? quiet_ns : deadline_ns);
		if (ready < 0)
			return nmhal_host_fail(stream->host, NMHAL_E_IO, "flush: poll: %s", strerror(-ready));
		if (got < 0 && !ready)
			return nmhal_host_poll(stream->host, NMHAL_NEVER, "flush");
	}
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	(void)self;
	*info = (struct nmhal_stream_info){.alignment = 1, .default_timeout_ms = TIMEOUT_MS};
}

static void stream_interrupt(void *self)
{
	const struct fd_stream *stream = self;

	wake_signal(stream->wake);
}

static void stream_close(void *self)
{
	fd_stream_close(self);
	free(self);
}

const struct nmhal_stream_ops fd_stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
	.interrupt = stream_interrupt,
};
