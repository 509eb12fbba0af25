/* SPDX-License-Identifier: MIT */
/* The places where a board can be reached: unix and TCP sockets, pseudo-terminals. */
#include "tools/vboard/vboard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define BACKLOG 4

static int fail(char *sentence, const char *what, const char *name, int error)
{
	snprintf(sentence, VBOARD_SENTENCE, "%s %s: %s", what, name, strerror(error));
	return error;
}

/* Adds text to a URI; what would end a value is written as %XX. */
static void put_value(char *uri, size_t size, const char *text)
{
	size_t used = strlen(uri);

	for (; *text && used + 4 < size; text++)
		used += (size_t)snprintf(uri + used, size - used,
			strchr(",%", *text) || (unsigned char)*text <= ' ' ? "%%%02X" : "%c", (unsigned char)*text);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

/* A client whose machine is gone says nothing any more, and would keep the board for ever. */
static void keep_alive(int fd)
{
	const int yes = 1, idle_s = 15, between_s = 5, times = 3;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static int listen_at(const struct sockaddr *address, socklen_t size)
{
	const int yes = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	if (address->sa_family == AF_INET) { /* a connection has the options of its listener */
		keep_alive(fd);
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	}
	if (!bind(fd, address, size) && !listen(fd, BACKLOG))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* True when the socket at the path is one that nobody listens at any more; it is then removed. */
static bool remove_stale(const struct sockaddr_un *address)
{
	struct stat file;
	int fd, error = 0;

	if (lstat(address->sun_path, &file) || !S_ISSOCK(file.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		error = errno;
	close(fd);
	return error == ECONNREFUSED && !unlink(address->sun_path);
}

static int listen_unix(const char *path, struct vboard_port *port, char *sentence)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	_Static_assert(sizeof(port->path) >= sizeof(address.sun_path), "paths of sockets fit");
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(sentence, "listen at", path, ENAMETOOLONG);
	memcpy(address.sun_path, path, strlen(path) + 1);
	port->listener = listen_at((const struct sockaddr *)&address, sizeof(address));
	if (port->listener == -EADDRINUSE && remove_stale(&address))
		port->listener = listen_at((const struct sockaddr *)&address, sizeof(address));
	if (port->listener < 0)
		return fail(sentence, "listen at", path, -port->listener);
	memcpy(port->path, address.sun_path, sizeof(address.sun_path));
	snprintf(port->uri, sizeof(port->uri), "unix:path=");
	put_value(port->uri, sizeof(port->uri), path);
	return 0;
}

static int listen_tcp(const struct vboard_place *place, struct vboard_port *port, char *sentence)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)place->port)};
	socklen_t size = sizeof(address);
	char name[64];

	snprintf(name, sizeof(name), "%s port %u", place->address, place->port);
	if (inet_pton(AF_INET, place->address, &address.sin_addr) != 1)
		return fail(sentence, "listen at", name, EADDRNOTAVAIL);
	port->listener = listen_at((const struct sockaddr *)&address, sizeof(address));
	if (port->listener < 0)
		return fail(sentence, "listen at", name, -port->listener);
	(void)getsockname(port->listener, (struct sockaddr *)&address, &size);
	snprintf(port->uri, sizeof(port->uri), "tcp:host=%s,port=%u", place->address, ntohs(address.sin_port));
	return 0;
}

/* ---- pseudo-terminals -------------------------------------------------------------------------------------------- */

static bool set_raw(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings))
		return false;
	cfmakeraw(&settings);
	return !tcsetattr(fd, TCSANOW, &settings);
}

static int listen_pty(struct vboard_port *port, char *sentence)
{
	char name[64];

	port->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (port->master < 0 || grantpt(port->master) || unlockpt(port->master) ||
		ptsname_r(port->master, name, sizeof(name)))
		return fail(sentence, "open", "a pseudo-terminal", errno);
	port->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port->slave < 0 || !set_raw(port->slave))
		return fail(sentence, "open", name, errno);
	port->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (port->watch < 0 || inotify_add_watch(port->watch, name, IN_OPEN | IN_CLOSE) < 0)
		return fail(sentence, "watch", name, errno);
	snprintf(port->uri, sizeof(port->uri), "tty:path=%s", name);
	return 0;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

int vboard_listen(const struct vboard_place *place, struct vboard_port *port, char sentence[VBOARD_SENTENCE])
{
	int error;

	*port = (struct vboard_port){.way = place->way, .listener = -1, .master = -1, .slave = -1, .watch = -1};
	if (place->way == VBOARD_UNIX)
		error = listen_unix(place->path, port, sentence);
	else if (place->way == VBOARD_TCP)
		error = listen_tcp(place, port, sentence);
	else
		error = listen_pty(port, sentence);
	if (error)
		vboard_unlisten(port);
	return error;
}

void vboard_unlisten(struct vboard_port *port)
{
	const int fds[] = {port->listener, port->master, port->slave, port->watch};

	if (*port->path)
		unlink(port->path);
	for (size_t n = 0; n < sizeof(fds) / sizeof(fds[0]); n++)
		if (fds[n] >= 0)
			close(fds[n]);
}
