/* SPDX-License-Identifier: MIT */
#include "vusbd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "far.h"
#include "vusb.h"

#define CLIENTS  16
#define MAX_DATA (1u << 20)

struct client {
	int fd; /* -1: free */
	unsigned claims; /* bit: interface */
};

/* An URB of a client, with its data behind it. */
struct request {
	struct far_urb urb; /* first: far.c gives it back */
	struct request *next;
	struct client *client;
	uint64_t id;
	uint8_t data[];
};

struct vusbd {
	struct far *far;
	struct client clients[CLIENTS];
	struct request *requests;
	int listener;
	unsigned drivers; /* bit: interface has its kernel driver */
	uint64_t kill;    /* number of the URB whose process is ended */
	bool denied, quit;
	bool told; /* the clients know that the device has left */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	pthread_t thread;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static bool recv_all(int fd, void *data, size_t size)
{
	return !size || recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void send_message(int fd, const struct vusb_message *message, const void *data)
{
	if (send(fd, message, sizeof(*message), MSG_NOSIGNAL) == (ssize_t)sizeof(*message) && message->length)
		(void)!send(fd, data, message->length, MSG_NOSIGNAL);
}

static void answer(const struct client *client, int status, const char *text)
{
	struct vusb_message message = {.kind = VUSB_REPLY, .status = status, .length = (uint32_t)strlen(text)};

	send_message(client->fd, &message, text);
}

/* ---- URBs -------------------------------------------------------------------------------------------------------- */

static void done(void *user, struct far_urb *urb)
{
	struct vusbd *server = user;
	struct request *request = (struct request *)urb, **at = &server->requests;
	const bool in = (urb->endpoint ? urb->endpoint : urb->setup[0]) & 0x80u;
	struct vusb_message message = {.kind = VUSB_COMPLETE, .status = urb->status, .id = request->id,
		.actual = (uint32_t)urb->actual, .length = in ? (uint32_t)urb->actual : 0};

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (request->client->fd >= 0)
		send_message(request->client->fd, &message, urb->data);
	free(request);
}

static void kill_process(const struct client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (!getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		kill(peer.pid, SIGKILL);
}

static bool submit(struct vusbd *server, struct client *client, const struct vusb_message *message)
{
	struct request *request;

	if (message->room > MAX_DATA || message->length > message->room)
		return false;
	request = calloc(1, sizeof(*request) + message->room);
	if (!request || !recv_all(client->fd, request->data, message->length)) {
		free(request);
		return false;
	}
	request->client = client;
	request->id = message->id;
	request->next = server->requests;
	server->requests = request;
	request->urb.endpoint = message->endpoint;
	memcpy(request->urb.setup, message->setup, sizeof(message->setup));
	request->urb.data = request->data;
	request->urb.length = message->room;
	request->urb.zero = message->zero;
	if (far_numbers(server->far).urbs == server->kill)
		kill_process(client);
	far_submit(server->far, &request->urb, now_us());
	return true;
}

static void discard(struct vusbd *server, const struct client *client, uint64_t id)
{
	for (struct request *at = server->requests; at; at = at->next)
		if (at->client == client && at->id == id) {
			(void)far_discard(server->far, &at->urb);
			return;
		}
}

/* After an unplug: tells whoever holds the node, once. */
static void watch_unplug(struct vusbd *server)
{
	const struct vusb_message message = {.kind = VUSB_GONE};
	const bool gone = far_gone(server->far);

	for (unsigned n = 0; gone && !server->told && n < CLIENTS; n++) {
		server->clients[n].claims = 0;
		if (server->clients[n].fd >= 0)
			send_message(server->clients[n].fd, &message, NULL);
	}
	server->told = gone;
}

/* ---- interfaces -------------------------------------------------------------------------------------------------- */

static unsigned claimed(const struct vusbd *server, const struct client *except)
{
	unsigned claims = 0;

	for (unsigned n = 0; n < CLIENTS; n++)
		if (&server->clients[n] != except)
			claims |= server->clients[n].claims;
	return claims;
}

/* What the kernel answers to the ioctls of an interface. */
static int of_interface(struct vusbd *server, struct client *client, enum vusb_kind kind, unsigned number)
{
	const unsigned bit = number < far_model(server->far)->ops->interfaces ? 1u << number : 0;

	if (!bit)
		return -EINVAL;
	switch (kind) {
	case VUSB_CLAIM:
		if ((server->drivers | claimed(server, client)) & bit)
			return -EBUSY;
		client->claims |= bit;
		return 0;
	case VUSB_RELEASE:
		if (!(client->claims & bit))
			return -EINVAL;
		client->claims &= ~bit;
		return 0;
	case VUSB_DISCONNECT:
		if (!(server->drivers & bit))
			return -ENODATA;
		server->drivers &= ~bit;
		return 0;
	case VUSB_CONNECT:
		if ((server->drivers | claimed(server, NULL)) & bit)
			return -EBUSY;
		server->drivers |= bit;
		return 1;
	default: /* VUSB_GET_DRIVER */
		return server->drivers & bit ? 0 : -ENODATA;
	}
}

/* The interfaces that the kernel takes by itself. */
static unsigned all_drivers(const struct vusbd *server)
{
	const struct model_ops *ops = far_model(server->far)->ops;

	return ops->kernel_driver ? (1u << ops->interfaces) - 1u : 0;
}

/* ---- what a test tells ------------------------------------------------------------------------------------------- */

static int tell_fault(struct vusbd *server, const char *what)
{
	struct far_fault fault = {FAR_NONE, false, 0};
	char kind[16], of[8] = "urb";
	unsigned long long number = 0;

	if (sscanf(what, "%15s %7s %llu", kind, of, &number) < 1)
		return -EINVAL;
	while (fault.kind < FAR_KINDS && strcmp(kind, far_kind_names[fault.kind]))
		fault.kind++;
	if (fault.kind == FAR_KINDS)
		return -EINVAL;
	fault.packet = !strcmp(of, "packet");
	fault.number = number;
	server->kill = UINT64_MAX;
	far_fault_set(server->far, fault);
	return 0;
}

static int tell_kill(struct vusbd *server, const char *number)
{
	far_fault_set(server->far, (struct far_fault){FAR_NONE, false, 0});
	server->kill = strtoull(number, NULL, 10);
	return 0;
}

static int tell_device(struct vusbd *server, const char *text)
{
	if (!strcmp(text, "unplug")) {
		far_unplug(server->far);
	} else if (!strcmp(text, "plug")) {
		server->drivers = all_drivers(server);
		far_plug(server->far);
	} else if (!strcmp(text, "quit")) {
		server->quit = true;
	} else if (!strncmp(text, "pace ", 5)) {
		far_pace(server->far, !strcmp(text + 5, "on"));
	} else if (!strncmp(text, "driver ", 7)) {
		server->drivers = strcmp(text + 7, "off") ? all_drivers(server) : 0;
	} else if (!strncmp(text, "access ", 7)) {
		server->denied = !strcmp(text + 7, "off");
	} else {
		return -EINVAL;
	}
	return 0;
}

/* Does what a line of text says (vusbd.h); the status of the answer. */
static int tell(struct vusbd *server, const char *text, char *reply, size_t size)
{
	if (!strncmp(text, "fault ", 6))
		return tell_fault(server, text + 6);
	if (!strncmp(text, "kill ", 5))
		return tell_kill(server, text + 5);
	if (!strncmp(text, "record ", 7))
		return far_record(server->far, strcmp(text + 7, "off") ? text + 7 : NULL);
	if (!strcmp(text, "numbers")) {
		struct far_numbers numbers = far_numbers(server->far);

		snprintf(reply, size, "%llu %llu %d", (unsigned long long)numbers.urbs,
			(unsigned long long)numbers.packets, numbers.happened);
	} else if (!strcmp(text, "drivers")) {
		snprintf(reply, size, "%u %u", server->drivers & 1u, server->drivers >> 1 & 1u);
	} else {
		int status = far_model(server->far)->ops->tell(far_model(server->far)->self, text, reply, size);

		return status == -EINVAL ? tell_device(server, text) : status;
	}
	return 0;
}

static bool tell_message(struct vusbd *server, const struct client *client, const struct vusb_message *message)
{
	char text[256] = "", reply[1024] = "";
	int status;

	if (message->length >= sizeof(text) || !recv_all(client->fd, text, message->length))
		return false;
	status = tell(server, text, reply, sizeof(reply));
	answer(client, status, reply);
	return true;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* Serves a message; false: the client is to be dropped. */
static bool serve(struct vusbd *server, struct client *client)
{
	struct vusb_message message;
	int status;

	if (!recv_all(client->fd, &message, sizeof(message)))
		return false;
	switch (message.kind) {
	case VUSB_TELL:
		return tell_message(server, client, &message);
	case VUSB_SUBMIT:
		return submit(server, client, &message);
	case VUSB_DISCARD:
		discard(server, client, message.id);
		return true;
	case VUSB_CLEAR_HALT:
		far_clear_halt(server->far, message.endpoint);
		answer(client, 0, "");
		return true;
	case VUSB_RESET:
		far_reset(server->far);
		answer(client, far_gone(server->far) ? -ENODEV : 0, "");
		return true;
	default:
		status = of_interface(server, client, message.kind, message.endpoint);
		answer(client, far_gone(server->far) ? -ENODEV : status, "");
		return true;
	}
}

/* A process closed the node or died: as the kernel, kills its URBs and gives up its claims. */
static void drop(struct vusbd *server, struct client *client)
{
	struct request *at = server->requests;

	close(client->fd);
	client->fd = -1;
	client->claims = 0;
	while (at) {
		struct request *next = at->next;

		if (at->client == client && far_discard(server->far, &at->urb))
			next = server->requests;
		at = next;
	}
}

static void welcome(struct vusbd *server)
{
	struct vusb_message message = {.kind = VUSB_HELLO};
	struct client *client = server->clients;
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	while (client < server->clients + CLIENTS && client->fd >= 0)
		client++;
	message.status = client == server->clients + CLIENTS ? -EMFILE :
		server->denied                               ? -EACCES :
		far_gone(server->far)                        ? -ENODEV :
							       0;
	send_message(fd, &message, NULL);
	if (client == server->clients + CLIENTS)
		close(fd);
	else
		*client = (struct client){fd, 0};
}

static void *run(void *arg)
{
	struct vusbd *server = arg;
	struct pollfd fds[CLIENTS + 1];

	while (!server->quit) {
		uint64_t now = now_us(), again = far_service(server->far, now);

		watch_unplug(server);
		fds[CLIENTS] = (struct pollfd){server->listener, POLLIN, 0};
		for (unsigned n = 0; n < CLIENTS; n++)
			fds[n] = (struct pollfd){server->clients[n].fd, POLLIN, 0};
		if (poll(fds, CLIENTS + 1, (int)((again - now + 999) / 1000)) < 0 && errno != EINTR)
			break;
		for (unsigned n = 0; n < CLIENTS; n++)
			if (fds[n].revents && !serve(server, &server->clients[n]))
				drop(server, &server->clients[n]);
		if (fds[CLIENTS].revents)
			welcome(server);
	}
	return NULL;
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

static int node_address(const char *directory, unsigned bus, unsigned number, struct sockaddr_un *address)
{
	int n;

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%03u-%03u", directory, bus, number);
	return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

static void discard_server(struct vusbd *server)
{
	if (server->listener >= 0)
		close(server->listener);
	far_free(server->far);
	free(server);
}

struct vusbd *vusbd_start(const char *directory, unsigned bus, unsigned number, struct model model)
{
	struct vusbd *server = calloc(1, sizeof(*server));
	struct sockaddr_un address;

	if (!server) {
		model.ops->free(model.self);
		return NULL;
	}
	for (unsigned n = 0; n < CLIENTS; n++)
		server->clients[n].fd = -1;
	server->far = far_new(model, done, server);
	server->drivers = server->far ? all_drivers(server) : 0;
	server->kill = UINT64_MAX;
	server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->far && server->listener >= 0 && !node_address(directory, bus, number, &address)) {
		unlink(address.sun_path);
		memcpy(server->path, address.sun_path, sizeof(server->path));
		if (!bind(server->listener, (const struct sockaddr *)&address, sizeof(address)) &&
			!listen(server->listener, CLIENTS) && !pthread_create(&server->thread, NULL, run, server))
			return server;
	}
	discard_server(server);
	return NULL;
}

void vusbd_join(struct vusbd *server)
{
	pthread_join(server->thread, NULL);
	for (unsigned n = 0; n < CLIENTS; n++)
		if (server->clients[n].fd >= 0)
			drop(server, &server->clients[n]);
	unlink(server->path);
	discard_server(server);
}

void vusbd_stop(struct vusbd *server)
{
	char *slash = strrchr(server->path, '/');
	char directory[sizeof(server->path)];
	unsigned bus, number;

	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - server->path), server->path);
	if (sscanf(slash + 1, "%u-%u", &bus, &number) == 2)
		(void)vusbd_tell(directory, bus, number, "quit", NULL, 0);
	vusbd_join(server);
}

int vusbd_tell(const char *directory, unsigned bus, unsigned number, const char *text, char *reply, size_t size)
{
	struct vusb_message message = {.kind = VUSB_TELL, .length = (uint32_t)strlen(text)}, back;
	struct sockaddr_un address;
	char data[1024];
	int fd, status = node_address(directory, bus, number, &address);

	if (status)
		return status;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	status = -EPIPE;
	if (fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof(address)) &&
		recv_all(fd, &back, sizeof(back))) {
		send_message(fd, &message, text);
		while (recv_all(fd, &back, sizeof(back)) && back.length < sizeof(data) &&
			recv_all(fd, data, back.length))
			if (back.kind == VUSB_REPLY) { /* the news of an unplug may come first */
				data[back.length] = '\0';
				if (reply)
					snprintf(reply, size, "%s", data);
				status = back.status;
				break;
			}
	}
	if (fd >= 0)
		close(fd);
	return status;
}
