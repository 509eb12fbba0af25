/* SPDX-License-Identifier: MIT */
/*
 * The link "tty": boards behind a terminal device, USB (CDC-ACM) or UART. struct termios2 alone can set any speed, and
 * its header does not go together with <termios.h>; so there is one way to all settings, ioctl().
 */
#include <asm/termbits.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "drivers/common/fd_stream.h"
#include "drivers/common/system.h"

#define BAUD     115200u
#define BAUD_MAX 20000000u
#define QUIET_NS INT64_C(20000000) /* longer than the latency timer of a USB bridge */
#define TTYS     "/sys/class/tty"
#define TEXT     64u

struct tty {
	struct fd_stream stream; /* first */
	struct termios2 before;
};

/* As it was found; without waiting for bytes that the board does not take. */
static void restore(struct fd_stream *stream)
{
	struct tty *tty = (struct tty *)stream;

	(void)ioctl(stream->fd, TCFLSH, TCIOFLUSH);
	(void)ioctl(stream->fd, TCSETS2, &tty->before);
	(void)ioctl(stream->fd, TIOCNXCL);
}

static int fail_busy(struct nmhal_host *host, const char *path)
{
	char holder[SYSTEM_HOLDER_SIZE], *node = realpath(path, NULL);
	bool found = node && system_holder(node, holder);

	free(node);
	return nmhal_host_fail(host, NMHAL_E_BUSY, "open: %s: held by %s; end it", path,
		found ? holder : "a process of another user");
}

static int fail_open(struct nmhal_host *host, const char *path, int error)
{
	switch (error) {
	case EBUSY:
		return fail_busy(host, path);
	case EACCES:
		return nmhal_host_fail(host, NMHAL_E_ACCESS,
			"open: %s: permission denied; install 70-nmhal.rules and replug, or join the port's group "
			"(dialout)", path);
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: %s: no such port; is the board plugged in?",
			path);
	default:
		return nmhal_host_fail(host, NMHAL_E_IO, "open: %s: %s", path, strerror(errno));
	}
}

/* Raw, 8N1, no flow control, both speeds `baud`. The kernel writes back the speed it could make. */
static int set_up(struct tty *tty, const char *path, uint32_t baud)
{
	struct nmhal_host *host = tty->stream.host;
	struct termios2 raw;

	if (ioctl(tty->stream.fd, TCGETS2, &tty->before))
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: %s: this is no terminal device", path);
	tty->stream.release = restore;
	raw = tty->before;
	raw.c_iflag = 0;
	raw.c_oflag = 0;
	raw.c_lflag = 0;
	raw.c_cflag &= ~(tcflag_t)(CBAUD | CBAUD << IBSHIFT | CSIZE | CSTOPB | PARENB | CRTSCTS);
	raw.c_cflag |= CS8 | CREAD | CLOCAL | BOTHER | BOTHER << IBSHIFT;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_ispeed = raw.c_ospeed = baud;
	if (ioctl(tty->stream.fd, TCSETS2, &raw) || ioctl(tty->stream.fd, TCGETS2, &raw))
		return nmhal_host_fail(host, NMHAL_E_IO, "open: %s: terminal settings: %s", path, strerror(errno));
	(void)ioctl(tty->stream.fd, TCFLSH, TCIOFLUSH); /* what came before the port was ours */
	/* A UART stands a difference of 3 %, no more. */
	if (raw.c_ospeed < baud - baud / 32 || raw.c_ospeed > baud + baud / 32)
		return nmhal_host_fail(host, NMHAL_E_UNSUPPORTED, "open: %s: %u baud is not to be had; the port makes "
			"%u", path, baud, raw.c_ospeed);
	return NMHAL_OK;
}

static int open_port(struct tty *tty, const char *path, uint32_t baud)
{
	struct fd_stream *stream = &tty->stream;

	stream->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (stream->fd < 0)
		return fail_open(stream->host, path, errno);
	/* TIOCEXCL keeps out later opens, but not those of root; the lock keeps out those who ask for one. */
	if (flock(stream->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		close(stream->fd);
		stream->fd = -1;
		return fail_busy(stream->host, path);
	}
	(void)ioctl(stream->fd, TIOCEXCL);
	return set_up(tty, path, baud);
}

static int tty_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *path = nmhal_uri_value(uri, "path");
	struct tty *tty;
	uint64_t baud = 0;
	int status = nmhal_uri_number(host, uri, "baud", BAUD, 50, BAUD_MAX, &baud);

	(void)deadline_ns; /* nothing here waits */
	(void)bus;
	if (status != NMHAL_OK)
		return status;
	if (!path || !*path)
		return nmhal_host_fail(host, NMHAL_E_INVALID, "open: no path; write tty:path=/dev/ttyACM0");
	tty = calloc(1, sizeof(*tty));
	if (!tty)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the port");
	status = fd_stream_init(&tty->stream, host);
	tty->stream.lost = "the port is gone";
	tty->stream.quiet_ns = QUIET_NS;
	if (status == NMHAL_OK)
		status = open_port(tty, path, (uint32_t)baud);
	if (status == NMHAL_OK)
		*stream = (struct nmhal_stream){&fd_stream_ops, tty};
	else
		fd_stream_ops.close(tty);
	return status;
}

/* A text file near a port in sysfs; "" if there is none. `device` is the interface of an ACM port, or below it. */
static void read_text(const char *name, const char *place, char text[TEXT])
{
	char path[sizeof(TTYS) + NAME_MAX + 64];

	snprintf(path, sizeof(path), TTYS "/%s/device/%s", name, place);
	system_read_line(path, text, TEXT);
}

/*
 * Whether the interface string says that this is ours: bytes sent to a stranger's port might do anything. The ports of
 * an FTDI chip are called as the product is, whatever is behind it; the link ftdi lists those that speak nmlink.
 */
static bool is_board(const char *name, char serial[TEXT])
{
	bool acm = !strncmp(name, "ttyACM", 6);
	char text[TEXT], vendor[TEXT];

	if (!acm && strncmp(name, "ttyUSB", 6) != 0)
		return false;
	read_text(name, acm ? "interface" : "../interface", text);
	read_text(name, acm ? "../serial" : "../../serial", serial);
	read_text(name, acm ? "../idVendor" : "../../idVendor", vendor);
	return !strncmp(text, "NMHAL", 5) && strcmp(vendor, "0403") != 0;
}

static int access_of(const char *node)
{
	char holder[SYSTEM_HOLDER_SIZE];

	if (access(node, R_OK | W_OK))
		return NMHAL_E_ACCESS;
	return system_holder(node, holder) ? NMHAL_E_BUSY : NMHAL_OK;
}

static int tty_enumerate(struct nmhal_found *found)
{
	DIR *ports = opendir(TTYS);
	struct dirent *entry;
	int status = NMHAL_OK;

	while (ports && status == NMHAL_OK && (entry = readdir(ports))) {
		char node[NAME_MAX + 16], uri[NAME_MAX + 32], serial[TEXT];

		if (!is_board(entry->d_name, serial))
			continue;
		snprintf(node, sizeof(node), "/dev/%s", entry->d_name);
		snprintf(uri, sizeof(uri), "tty:nmlink,path=%s", node);
		status = nmhal_found_add(found, uri, "nmlink", serial, access_of(node));
	}
	if (ports)
		closedir(ports);
	return status;
}

static const struct nmhal_key tty_keys[] = {
	{"path", "the terminal device, /dev/ttyACM0"},
	{"baud", "bits per second of a UART, 50 to 20000000 (default 115200); USB ports ignore it"},
	{NULL, NULL},
};

extern const struct nmhal_link nm_link_tty;
const struct nmhal_link nm_link_tty = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "tty",
	.summary = "nmlink boards behind a terminal device",
	.default_board = "nmlink",
	.keys = tty_keys,
	.enumerate = tty_enumerate,
	.open = tty_open,
};
