/* SPDX-License-Identifier: MIT */
#include "echo.h"

#include "tests/usb/model.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 4

struct echo {
	int listener; /* -1: a pty */
	int fds[CONNECTIONS]; /* -1: free */
	atomic_int connected;
	int wake;
	atomic_bool hold, quit;
	pthread_t thread;
	const struct model_pipe *board; /* NULL: none */
};

/* What the other side does not take within 200 ms is dropped: it is held, or about to close. */
static void put(const struct echo *echo, int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t sent = echo->listener >= 0 ? send(fd, bytes, size, MSG_NOSIGNAL) : write(fd, bytes, size);
		struct pollfd ready = {fd, POLLOUT, 0};

		if (sent > 0) {
			bytes += sent;
			size -= (size_t)sent;
		} else if (errno != EAGAIN || poll(&ready, 1, 200) <= 0) {
			return;
		}
	}
}

/* What the board says to that. */
static void ask_board(const struct echo *echo, int fd, const char *bytes, size_t size)
{
	uint8_t answer[4096];
	size_t got;

	echo->board->put(echo->board->user, (const uint8_t *)bytes, size);
	while ((got = echo->board->get(echo->board->user, answer, sizeof(answer))))
		put(echo, fd, (const char *)answer, got);
}

static void serve(struct echo *echo, int n)
{
	char bytes[4096];
	ssize_t got = read(echo->fds[n], bytes, sizeof(bytes));

	if (got > 0 && echo->board) {
		ask_board(echo, echo->fds[n], bytes, (size_t)got);
	} else if (got > 0) {
		put(echo, echo->fds[n], bytes, (size_t)got);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(echo->fds[n]);
		echo->fds[n] = -1;
		echo->connected--;
		if (echo->board)
			echo->board->cut(echo->board->user);
	}
}

static void add(struct echo *echo, int fd)
{
	const int on = 1;

	/* Of a TCP connection; others refuse it. */
	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int n = 0; n < CONNECTIONS && fd >= 0; n++)
		if (echo->fds[n] < 0) {
			echo->fds[n] = fd;
			echo->connected++;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void *run(void *arg)
{
	struct echo *echo = arg;

	while (!echo->quit) {
		struct pollfd fds[CONNECTIONS + 2];
		uint64_t wakes;

		for (int n = 0; n < CONNECTIONS; n++)
			fds[n] = (struct pollfd){echo->hold ? -1 : echo->fds[n], POLLIN, 0};
		fds[CONNECTIONS] = (struct pollfd){echo->listener, POLLIN, 0};
		fds[CONNECTIONS + 1] = (struct pollfd){echo->wake, POLLIN, 0};
		if (poll(fds, CONNECTIONS + 2, -1) < 0)
			continue;
		for (int n = 0; n < CONNECTIONS; n++)
			if (fds[n].revents)
				serve(echo, n);
		if (fds[CONNECTIONS].revents)
			add(echo, accept4(echo->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
		if (fds[CONNECTIONS + 1].revents)
			(void)!read(echo->wake, &wakes, sizeof(wakes));
	}
	return NULL;
}

static void wake(struct echo *echo)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(echo->wake, &one, sizeof(one)), sizeof(one));
}

struct echo *echo_start(int fd, bool pty, const struct model_pipe *board)
{
	struct echo *echo = calloc(1, sizeof(*echo));

	ck_assert_ptr_nonnull(echo);
	ck_assert_int_ge(fd, 0);
	for (int n = 0; n < CONNECTIONS; n++)
		echo->fds[n] = -1;
	echo->board = board;
	echo->listener = pty ? -1 : fd;
	echo->wake = eventfd(0, EFD_CLOEXEC);
	ck_assert_int_ge(echo->wake, 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL)), 0);
	if (pty)
		add(echo, fd);
	ck_assert_int_eq(pthread_create(&echo->thread, NULL, run, echo), 0);
	return echo;
}

void echo_stop(struct echo *echo)
{
	echo->quit = true;
	wake(echo);
	pthread_join(echo->thread, NULL);
	for (int n = 0; n < CONNECTIONS; n++)
		if (echo->fds[n] >= 0)
			close(echo->fds[n]);
	if (echo->listener >= 0)
		close(echo->listener);
	close(echo->wake);
	free(echo);
}

void echo_hold(struct echo *echo, bool on)
{
	echo->hold = on;
	wake(echo);
}

void echo_say(struct echo *echo, size_t size)
{
	char *bytes = malloc(size);

	ck_assert_ptr_nonnull(bytes);
	for (size_t n = 0; n < size; n++)
		bytes[n] = (char)n;
	for (int tries = 0; !echo->connected && tries < 1000; tries++)
		usleep(1000);
	ck_assert_int_gt(echo->connected, 0);
	for (int n = 0; n < CONNECTIONS; n++)
		if (echo->fds[n] >= 0)
			put(echo, echo->fds[n], bytes, size);
	free(bytes);
}
