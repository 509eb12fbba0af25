/* SPDX-License-Identifier: MIT */
/* The links "unix" and "tcp": boards behind a stream socket, real ones on a network or those of nmhal-vboard. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/common/fd_stream.h"
#include "drivers/common/wake.h"

#define AGAIN_NS INT64_C(10000000)

/* The one socket address that a stream is to be connected to, and its name for sentences. */
struct target {
	const struct sockaddr *address;
	socklen_t size;
	const char *name;
};

static int fail_connect(struct nmhal_host *host, const char *name, int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: connect to %s: %s; is nmhal-vboard running?",
			name, error == ENOENT ? "there is no such socket" : "refused");
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: connect to %s: %s", name, strerror(error));
	case EACCES:
	case EPERM:
		return nmhal_host_fail(host, NMHAL_E_ACCESS,
			"open: connect to %s: permission denied; the socket must be writable for you", name);
	case EAGAIN:
		return nmhal_host_fail(host, NMHAL_E_BUSY,
			"open: connect to %s: the board serves others, and their queue is full", name);
	case EPROTOTYPE:
	case ENOTSOCK:
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: connect to %s: this is no stream socket", name);
	default:
		return nmhal_host_fail(host, NMHAL_E_IO, "open: connect to %s: %s", name, strerror(error));
	}
}

/* A unix socket whose queue is full says EAGAIN at once, where others would wait: asks again, by the deadline. */
static int connect_in_turn(struct fd_stream *stream, const struct target *target, int64_t deadline_ns, int *error)
{
	struct pollfd none[1];
	int status;

	for (;;) {
		int64_t soon_ns = nmhal_now_ns() + AGAIN_NS;

		*error = connect(stream->fd, target->address, target->size) ? errno : 0;
		if (*error != EAGAIN)
			return NMHAL_OK;
		if (wake_poll(stream->wake, none, 1, soon_ns < deadline_ns ? soon_ns : deadline_ns) < 0)
			return NMHAL_OK;
		status = nmhal_host_poll(stream->host, deadline_ns, "open: connect");
		if (status != NMHAL_OK)
			return status == NMHAL_E_TIMEOUT ? NMHAL_OK : status;
	}
}

/* Connects a new socket by the deadline. */
static int connect_to(struct fd_stream *stream, const struct target *target, int64_t deadline_ns)
{
	int error = 0, status = NMHAL_OK;
	socklen_t size = sizeof(error);

	if (stream->fd >= 0) /* of an address that did not answer */
		close(stream->fd);
	stream->fd = socket(target->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (stream->fd < 0)
		return nmhal_host_fail(stream->host, NMHAL_E_IO, "open: socket: %s", strerror(errno));
	status = connect_in_turn(stream, target, deadline_ns, &error);
	if (status != NMHAL_OK)
		return status;
	if (error == EINPROGRESS || error == EINTR) {
		status = fd_stream_wait(stream, POLLOUT, deadline_ns, "open: connect");
		if (status != NMHAL_OK)
			return status;
		if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size))
			error = errno;
	}
	return error ? fail_connect(stream->host, target->name, error) : NMHAL_OK;
}

static struct fd_stream *new_stream(struct nmhal_host *host, int *status)
{
	struct fd_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		*status = nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the connection");
		return NULL;
	}
	*status = fd_stream_init(stream, host);
	if (*status != NMHAL_OK) {
		free(stream);
		return NULL;
	}
	stream->lost = "the board ended the connection";
	stream->refused = "the board ended the connection before it said anything; does another host have it?";
	return stream;
}

static int finish(struct fd_stream *opened, int status, struct nmhal_stream *stream)
{
	if (status == NMHAL_OK)
		*stream = (struct nmhal_stream){&fd_stream_ops, opened};
	else
		fd_stream_ops.close(opened);
	return status;
}

static int unix_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *path = nmhal_uri_value(uri, "path");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct target target = {(const struct sockaddr *)&address, sizeof(address), path};
	struct fd_stream *opened;
	int status;

	(void)bus;
	if (!path || !*path)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: no path; write unix:path=board.sock");
	if (strlen(path) >= sizeof(address.sun_path))
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: path has %zu bytes; a socket's has at most %zu",
			strlen(path), sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	opened = new_stream(host, &status);
	if (!opened)
		return status;
	return finish(opened, connect_to(opened, &target, deadline_ns), stream);
}

/* The addresses of a host in the order of the resolver, which keeps no deadline of ours. */
static int resolve(struct nmhal_host *host, const char *name, uint64_t port, struct addrinfo **list)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
	char service[8];
	int error;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	error = getaddrinfo(name, service, &hints, list);

	if (!error)
		return NMHAL_OK;
	return nmhal_host_fail(host, error == EAI_MEMORY ? NMHAL_E_NO_MEMORY : NMHAL_E_NO_DEVICE,
		"open: host %s: %s", name, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
}

/* Tries one address after the other; the sentence is that of the last. */
static int connect_first(struct fd_stream *stream, const struct addrinfo *list, const char *name, int64_t deadline_ns)
{
	const int on = 1;
	int status = NMHAL_E_NO_DEVICE;

	for (; list && status != NMHAL_OK && status != NMHAL_E_CANCELED && status != NMHAL_E_TIMEOUT;
		list = list->ai_next) {
		const struct target target = {list->ai_addr, list->ai_addrlen, name};

		status = connect_to(stream, &target, deadline_ns);
	}
	/* A frame is a request that somebody waits for. */
	if (status == NMHAL_OK)
		(void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return status;
}

static int tcp_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *name = nmhal_uri_value(uri, "host");
	struct fd_stream *opened;
	struct addrinfo *list;
	uint64_t port = 0;
	int status;

	(void)bus;
	if (!name || !*name || !nmhal_uri_value(uri, "port"))
		return nmhal_host_fail(host, NMHAL_E_INVALID,
			"open: host and port are both needed; write tcp:host=bench3,port=7411");
	status = nmhal_uri_number(host, uri, "port", 0, 1, 65535, &port);
	opened = status == NMHAL_OK ? new_stream(host, &status) : NULL;
	if (!opened)
		return status;
	status = resolve(host, name, port, &list);
	if (status == NMHAL_OK) {
		status = connect_first(opened, list, name, deadline_ns);
		freeaddrinfo(list);
	}
	return finish(opened, status, stream);
}

static const struct nmhal_key unix_keys[] = {{"path", "the socket"}, {NULL, NULL}};
static const struct nmhal_key tcp_keys[] = {
	{"host", "name or address of the host"}, {"port", "port, 1 to 65535"}, {NULL, NULL}};

extern const struct nmhal_link nm_link_unix, nm_link_tcp;
const struct nmhal_link nm_link_unix = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "unix",
	.summary = "nmlink boards behind a unix socket",
	.default_board = "nmlink",
	.keys = unix_keys,
	.open = unix_open,
};
const struct nmhal_link nm_link_tcp = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "tcp",
	.summary = "nmlink boards on a network",
	.default_board = "nmlink",
	.keys = tcp_keys,
	.open = tcp_open,
};
