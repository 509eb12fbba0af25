/* SPDX-License-Identifier: MIT */
/* The link "line:": bytes to and from a terminal device, with deadlines and interrupts. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "own_board.h"

#define TIMEOUT_MS 2000

struct line {
	struct nmhal_host *host;
	int fd;
	int wake; /* eventfd: interrupt writes, a waiting recv or send sees it */
};

static void line_close(void *self)
{
	struct line *line = self;

	close(line->fd);
	close(line->wake);
	free(line);
}

static void line_info(void *self, struct nmhal_stream_info *info)
{
	(void)self;
	*info = (struct nmhal_stream_info){.alignment = 1, .default_timeout_ms = TIMEOUT_MS};
}

/* Waits until the device can be read or written. Slices of a second keep the arithmetic of poll() simple. */
static int wait_for(struct line *line, short events, int64_t deadline_ns, const char *what)
{
	struct pollfd fds[2] = {{.fd = line->fd, .events = events}, {.fd = line->wake, .events = POLLIN}};
	uint64_t wakes;

	for (;;) {
		int64_t left_ms = deadline_ns == NMHAL_NEVER ? 1000 : (deadline_ns - nmhal_now_ns()) / 1000000 + 1;
		int ready = poll(fds, 2, left_ms < 0 ? 0 : left_ms > 1000 ? 1000 : (int)left_ms);
		int status;

		if (ready < 0 && errno != EINTR)
			return nmhal_host_fail(line->host, NMHAL_E_IO, "%s: %s", what, strerror(errno));
		if (ready > 0 && fds[0].revents)
			return NMHAL_OK; /* an error or a lost device shows in read() or write() */
		if (ready > 0 && read(line->wake, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
			return nmhal_host_fail(line->host, NMHAL_E_IO, "%s: %s", what, strerror(errno));
		status = nmhal_host_poll(line->host, deadline_ns, what); /* interrupted, or too late? */
		if (status != NMHAL_OK)
			return status;
	}
}

/* The status of a read() or write() that gave `got`: OK also when it must be tried again. */
static int check(struct line *line, ssize_t got, const char *what)
{
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return NMHAL_OK;
	if (got == 0 || errno == EIO || errno == ENXIO || errno == ENODEV)
		return nmhal_host_fail(line->host, NMHAL_E_GONE, "%s: the board is gone", what);
	return nmhal_host_fail(line->host, NMHAL_E_IO, "%s: %s", what, strerror(errno));
}

static int line_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct line *line = self;
	const char *bytes = buf;
	int status = NMHAL_OK;

	while (size && status == NMHAL_OK) {
		ssize_t sent = write(line->fd, bytes, size);

		status = check(line, sent, "send");
		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		} else if (status == NMHAL_OK) {
			status = wait_for(line, POLLOUT, deadline_ns, "send");
		}
	}
	return status;
}

static int line_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct line *line = self;

	for (;;) {
		ssize_t got = read(line->fd, buf, capacity);
		int status = check(line, got, "receive");

		if (got > 0)
			*size = (size_t)got;
		else if (status == NMHAL_OK)
			status = wait_for(line, POLLIN, deadline_ns, "receive");
		if (got > 0 || status != NMHAL_OK)
			return status;
	}
}

static int line_flush(void *self, int64_t deadline_ns)
{
	struct line *line = self;

	(void)deadline_ns;
	tcflush(line->fd, TCIFLUSH);
	return NMHAL_OK;
}

/* From any thread or a signal handler: write() is all it may need. */
static void line_interrupt(void *self)
{
	struct line *line = self;
	const uint64_t one = 1;
	ssize_t sent = write(line->wake, &one, sizeof(one));

	(void)sent;
}

static const struct nmhal_stream_ops line_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = line_close,
	.info = line_info,
	.send = line_send,
	.recv = line_recv,
	.flush = line_flush,
	.interrupt = line_interrupt,
};

static int open_failed(struct nmhal_host *host, const char *path, int error)
{
	int status = NMHAL_E_IO;

	if (error == ENOENT || error == ENXIO)
		status = NMHAL_E_NO_DEVICE;
	else if (error == EACCES)
		status = NMHAL_E_ACCESS;
	return nmhal_host_fail(host, status, "open %s: %s", path, strerror(error));
}

static int line_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *path = nmhal_uri_value(uri, "path");
	struct line *line;
	struct termios raw;

	(void)deadline_ns;
	(void)bus;
	if (!path)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: no path; write line:own,path=/dev/ttyACM0");
	line = calloc(1, sizeof(*line));
	if (!line)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the link");
	line->host = host;
	line->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	line->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (line->wake < 0 || line->fd < 0) {
		int status = open_failed(host, path, errno);

		line_close(line);
		return status;
	}
	if (!tcgetattr(line->fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(line->fd, TCSANOW, &raw);
	}
	*stream = (struct nmhal_stream){&line_ops, line};
	return NMHAL_OK;
}

static const struct nmhal_key line_keys[] = {{"path", "the terminal device, /dev/ttyACM0"}, {NULL, NULL}};

const struct nmhal_link own_link = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "line",
	.summary = "boards on a terminal device",
	.default_board = "own",
	.keys = line_keys,
	.open = line_open,
};
