/* SPDX-License-Identifier: MIT */
/*
 * Bytes of one client at a time to frames of the board and back. What a client has left behind, bytes, frames and its
 * session, is gone before the next is heard. While the board works, an ABORT overtakes the frames before it.
 */
#include "tools/vboard/vboard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "nmlink/frame.h"

#define TICK_NS 10000000 /* of the watchdog */

struct server {
	struct vboard_port *port;
	struct sim_board *board;
	int client;              /* -1: none */
	bool once;               /* ends when a client has left */
	bool left;               /* one has */
	unsigned opened;         /* processes that have the terminal open */
	struct nmlink_cobs cobs; /* frame that comes in */
	bool frame_waits;        /* it is whole, and the board has no room for its reply */
	uint8_t *in;             /* [in_room] bytes from the client: all it may have on the way */
	size_t in_room, in_at, in_size;
	uint8_t *out;            /* a frame as it goes out */
	size_t out_at, out_size;
	uint8_t urgent[NMLINK_COBS_SIZE(SIM_BOARD_URGENT)]; /* the answer to an ABORT, which goes out next */
	size_t urgent_size;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

void vboard_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static bool next_urgent(struct server *server)
{
	memcpy(server->out, server->urgent, server->urgent_size);
	server->out_at = 0;
	server->out_size = server->urgent_size;
	server->urgent_size = 0;
	return server->out_size;
}

/* Makes the next frame of the board bytes; false when there is none. */
static bool next_frame(struct server *server)
{
	const uint8_t *frame;
	enum sim_board_pipe pipe = SIM_BOARD_REPLIES;
	size_t size;

	if (next_urgent(server))
		return true;
	size = sim_board_output(server->board, pipe, &frame);
	if (!size) {
		pipe = SIM_BOARD_EVENTS;
		size = sim_board_output(server->board, pipe, &frame);
	}
	if (!size)
		return false;
	server->out_at = 0;
	server->out_size = nmlink_cobs_encode(server->out, frame, size);
	sim_board_taken(server->board, pipe);
	return true;
}

/* Writes what the client takes of the frames that `next` gives. False: it is gone. */
static bool write_out(struct server *server, bool (*next)(struct server *server))
{
	while (server->out_at < server->out_size || next(server)) {
		ssize_t n = write(server->client, server->out + server->out_at, server->out_size - server->out_at);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		server->out_at += (size_t)n;
	}
	return true;
}

/* Reads what the client has sent, as far as there is room. False: it is gone. */
static bool read_in(struct server *server)
{
	ssize_t n;

	server->in_size -= server->in_at;
	memmove(server->in, server->in + server->in_at, server->in_size);
	server->in_at = 0;
	if (server->in_size == server->in_room)
		return true;
	n = read(server->client, server->in + server->in_size, server->in_room - server->in_size);
	server->in_size += n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* True when the frame in these bytes was URGENT: it is answered. */
static bool take_urgent(struct server *server, const uint8_t *bytes, size_t size)
{
	uint8_t frame[SIM_BOARD_URGENT], reply[SIM_BOARD_URGENT];
	struct nmlink_cobs cobs = {.buffer = frame, .capacity = sizeof(frame)};
	size_t used, answered;

	if (size > NMLINK_COBS_SIZE(sizeof(frame)) || !nmlink_cobs_take(&cobs, bytes, size, &used))
		return false;
	answered = sim_board_urgent(server->board, frame, cobs.size, reply);
	if (answered)
		server->urgent_size = nmlink_cobs_encode(server->urgent, reply, answered);
	return answered;
}

/* The board works: does an ABORT wait behind other frames, or has the client gone? */
static void look_up(void *user)
{
	struct server *server = user;
	const uint8_t *end;
	size_t at = 0;

	if (!read_in(server)) {
		sim_board_abort(server->board);
		return;
	}
	while (!server->urgent_size && (end = memchr(server->in + at, 0, server->in_size - at))) {
		const size_t next = (size_t)(end + 1 - server->in);

		if (take_urgent(server, server->in + at, next - at)) {
			memmove(server->in + at, server->in + next, server->in_size - next);
			server->in_size -= next - at;
		} else {
			at = next;
		}
	}
	(void)write_out(server, next_urgent);
}

/* Gives the board the frames in the bytes that came, as far as it takes them. */
static void take_in(struct server *server)
{
	size_t used;

	for (;;) {
		if (server->frame_waits && !sim_board_input(server->board, server->cobs.buffer, server->cobs.size))
			return;
		server->frame_waits = nmlink_cobs_take(&server->cobs, server->in + server->in_at,
			server->in_size - server->in_at, &used);
		server->in_at += used;
		if (!server->frame_waits)
			return;
	}
}

/* Moves bytes both ways. False: the client is gone. */
static bool move(struct server *server, bool readable)
{
	if (readable && server->in_at == server->in_size && !server->frame_waits && !read_in(server))
		return false;
	do {
		take_in(server);
		if (!write_out(server, next_frame))
			return false;
	} while (server->frame_waits && server->out_at == server->out_size);
	return true;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* Nothing of the client is left: the session is over, the lines are at 0 V. */
static void forget(struct server *server)
{
	server->cobs = (struct nmlink_cobs){.buffer = server->cobs.buffer, .capacity = server->cobs.capacity};
	server->frame_waits = false;
	server->in_at = server->in_size = 0;
	server->out_at = server->out_size = 0;
	server->urgent_size = 0;
	sim_board_link_reset(server->board);
	server->left = true;
}

static void drop(struct server *server)
{
	close(server->client);
	server->client = -1;
	forget(server);
}

/* A client more; while there is one already, its connection is closed at once. */
static void welcome(struct server *server)
{
	int fd = accept4(server->port->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && server->client >= 0)
		close(fd);
	else if (fd >= 0)
		server->client = fd;
}

/* Who opened and closed the terminal. The last one that leaves takes with it what it has not read. */
static void watch(struct server *server)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t size = read(server->port->watch, events, sizeof(events));

	for (ssize_t at = 0; at < size;) {
		struct inotify_event event;

		memcpy(&event, events + at, sizeof(event));
		at += (ssize_t)(sizeof(event) + event.len);
		if (event.mask & IN_OPEN)
			server->opened++;
		else if (event.mask & IN_CLOSE && server->opened && !--server->opened) {
			tcflush(server->port->slave, TCIOFLUSH);
			while (read(server->port->master, server->in, server->in_room) > 0)
				;
			forget(server);
		}
	}
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

enum { CLIENT, DOOR, FDS };

/* Waits until something can move, a signal comes, or the watchdog is due. */
static int wait(struct server *server, struct pollfd fds[FDS])
{
	const struct timespec tick = {0, TICK_NS};
	const bool blocked = server->in_at < server->in_size || server->frame_waits;
	const bool pty = server->port->way == VBOARD_PTY;
	sigset_t none;

	sigemptyset(&none);
	fds[CLIENT] = (struct pollfd){server->client, (short)(blocked ? 0 : POLLIN), 0};
	if (server->out_at < server->out_size)
		fds[CLIENT].events |= POLLOUT;
	if (!pty)
		fds[CLIENT].events |= POLLRDHUP;
	fds[DOOR] = (struct pollfd){pty ? server->port->watch : server->port->listener, POLLIN, 0};
	if (ppoll(fds, FDS, sim_board_armed(server->board) ? &tick : NULL, &none) >= 0)
		return 0;
	fds[CLIENT].revents = fds[DOOR].revents = 0;
	return errno == EINTR ? 0 : errno;
}

static void serve_sockets(struct server *server, const struct pollfd fds[FDS])
{
	const short gone = fds[CLIENT].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);

	if (server->client >= 0 && fds[CLIENT].revents && !move(server, fds[CLIENT].revents & (POLLIN | gone)))
		drop(server);
	/* A client that has hung up must not keep out the next, nor keep the loop awake, whatever it has not read. */
	if (server->client >= 0 && gone && (fds[DOOR].revents || server->out_at < server->out_size))
		drop(server);
	if (fds[DOOR].revents)
		welcome(server);
}

static void serve_terminal(struct server *server, const struct pollfd fds[FDS])
{
	if (fds[CLIENT].revents)
		(void)move(server, fds[CLIENT].revents & POLLIN);
	if (fds[DOOR].revents)
		watch(server);
}

static int serve(struct server *server)
{
	struct pollfd fds[FDS];
	int error = 0;

	server->client = server->port->master;
	while (!stop && !error && !(server->once && server->left)) {
		error = wait(server, fds);
		sim_board_tick(server->board);
		if (server->port->way == VBOARD_PTY)
			serve_terminal(server, fds);
		else
			serve_sockets(server, fds);
	}
	if (server->port->way != VBOARD_PTY && server->client >= 0)
		drop(server);
	return error;
}

int vboard_serve(struct vboard_port *port, struct sim_board *board, bool once)
{
	const size_t frame = sim_board_max_frame(board);
	struct server *server = calloc(1, sizeof(*server));
	int error = ENOMEM;

	if (!server)
		return error;
	server->port = port;
	server->board = board;
	server->once = once;
	server->cobs.capacity = frame;
	server->cobs.buffer = malloc(frame);
	server->in_room = (sim_board_window(board) + 1) * NMLINK_COBS_SIZE(frame);
	server->in = malloc(server->in_room);
	server->out = malloc(NMLINK_COBS_SIZE(frame));
	sim_board_set_poll(board, look_up, server);
	if (server->cobs.buffer && server->in && server->out)
		error = serve(server);
	sim_board_set_poll(board, NULL, NULL);
	free(server->cobs.buffer);
	free(server->in);
	free(server->out);
	free(server);
	return error;
}
