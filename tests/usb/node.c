/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/usbdevice_fs.h>

#include "vusb.h"

#define PIPE_SIZE 4096

struct urb {
	struct urb *next;
	struct usbdevfs_urb *user; /* NULL: a synchronous transfer */
	bool finished;
};

struct node {
	pthread_mutex_t lock;
	int fd, drain;      /* the two ends of the pipe; drain: -1 when the device has left */
	int socket;
	int shown;          /* in /proc/self/fd */
	bool ready;         /* the pipe is drained */
	bool asking, replied; /* one question at a time */
	bool closing;       /* nobody waits for URBs any more */
	struct vusb_message reply;
	struct urb *pending, *done;
	pthread_t reader;
	pthread_cond_t changed;
	pthread_mutex_t sending; /* a message at a time */
};

/* ---- the socket -------------------------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n <= 0 && errno != EINTR)
			return false;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return true;
}

static bool recv_all(int fd, void *data, size_t size)
{
	char *at = data;

	while (size) {
		ssize_t n = recv(fd, at, size, 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return true;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *directory = getenv(VUSB_ENV);
	int bus, number, fd, n;

	if (!directory || strncmp(path, NODE_PATHS, sizeof(NODE_PATHS) - 1) ||
		sscanf(path + sizeof(NODE_PATHS) - 1, "%3d/%3d", &bus, &number) != 2)
		return -1;
	n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%03d-%03d", directory, bus, number);
	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		syscall(SYS_close, fd);
		fd = -1;
	}
	return fd;
}

/* ---- completions ------------------------------------------------------------------------------------------------- */

/* Makes the pipe say whether there is something to reap. */
static void signal_ready(struct node *node)
{
	char page[PIPE_SIZE] = {0};

	if (node->drain < 0 || node->ready == (node->done != NULL))
		return;
	node->ready = !node->ready;
	if (node->ready ? read(node->drain, page, sizeof(page)) < 0 : write(node->fd, page, sizeof(page)) < 0)
		abort();
}

static struct urb *take(struct urb **list, const struct usbdevfs_urb *user)
{
	for (struct urb **at = list; *at; at = &(*at)->next)
		if ((*at)->user == user) {
			struct urb *urb = *at;

			*at = urb->next;
			urb->next = NULL;
			return urb;
		}
	return NULL;
}

static void finish(struct node *node, struct urb *urb, int status, size_t actual)
{
	struct urb **at = &node->done;

	urb->user->status = status;
	urb->user->actual_length = (int)actual;
	urb->next = NULL;
	while (*at)
		at = &(*at)->next;
	*at = urb;
	signal_ready(node);
}

static void completed(struct node *node, const struct vusb_message *message, const uint8_t *data)
{
	struct urb *urb = take(&node->pending, (const struct usbdevfs_urb *)(uintptr_t)message->id);
	uint8_t *buffer;

	if (!urb)
		return;
	buffer = urb->user->buffer;
	if (urb->user->type == USBDEVFS_URB_TYPE_CONTROL)
		buffer += 8;
	memcpy(buffer, data, message->length);
	finish(node, urb, message->status, message->actual);
}

static void left(struct node *node)
{
	while (node->pending && node->closing)
		free(take(&node->pending, node->pending->user));
	while (node->pending)
		finish(node, take(&node->pending, node->pending->user), -ESHUTDOWN, 0);
	if (node->drain >= 0)
		syscall(SYS_close, node->drain);
	node->drain = -1;
	pthread_cond_broadcast(&node->changed);
}

static void *reader(void *arg)
{
	struct node *node = arg;
	struct vusb_message message;

	while (recv_all(node->socket, &message, sizeof(message))) {
		uint8_t *data = malloc(message.length + 1u);

		if (!data || !recv_all(node->socket, data, message.length)) {
			free(data);
			break;
		}
		pthread_mutex_lock(&node->lock);
		if (message.kind == VUSB_COMPLETE) {
			completed(node, &message, data);
		} else if (message.kind == VUSB_GONE) {
			left(node);
		} else {
			node->reply = message;
			node->replied = true;
			pthread_cond_broadcast(&node->changed);
		}
		pthread_mutex_unlock(&node->lock);
		free(data);
	}
	pthread_mutex_lock(&node->lock);
	left(node);
	pthread_mutex_unlock(&node->lock);
	return NULL;
}

/* ---- calls of libusb, under the lock ----------------------------------------------------------------------------- */

/*
 * Sends a message with its data. Gives the lock up meanwhile: the server may not read on before our reader, who needs
 * the lock, has taken what it sent.
 */
static bool send_message(struct node *node, const struct vusb_message *message, const void *data)
{
	bool sent;

	pthread_mutex_unlock(&node->lock);
	pthread_mutex_lock(&node->sending);
	sent = send_all(node->socket, message, sizeof(*message)) && send_all(node->socket, data, message->length);
	pthread_mutex_unlock(&node->sending);
	pthread_mutex_lock(&node->lock);
	return sent;
}

/* Sends a message and waits for the status of its reply: a result, or -errno. */
static int ask(struct node *node, enum vusb_kind kind, uint8_t endpoint)
{
	struct vusb_message message = {.kind = kind, .endpoint = endpoint};

	int status = -ENODEV;

	while (node->asking)
		pthread_cond_wait(&node->changed, &node->lock);
	node->asking = true;
	node->replied = false;
	if (node->drain >= 0 && send_message(node, &message, NULL)) {
		while (!node->replied && node->drain >= 0)
			pthread_cond_wait(&node->changed, &node->lock);
		if (node->replied)
			status = node->reply.status;
	}
	node->asking = false;
	pthread_cond_broadcast(&node->changed);
	return status;
}

static int submit(struct node *node, struct usbdevfs_urb *user)
{
	const bool control = user->type == USBDEVFS_URB_TYPE_CONTROL;
	const uint8_t *data = user->buffer;
	struct vusb_message message = {.kind = VUSB_SUBMIT, .id = (uintptr_t)user, .endpoint = user->endpoint};
	struct urb *urb;
	bool in;

	if (node->drain < 0)
		return -ENODEV;
	message.room = (uint32_t)user->buffer_length;
	if (control) {
		memcpy(message.setup, data, sizeof(message.setup));
		data += 8;
		message.room = (uint32_t)message.setup[6] | (uint32_t)message.setup[7] << 8;
	}
	message.zero = user->flags & USBDEVFS_URB_ZERO_PACKET ? 1 : 0;
	in = control ? message.setup[0] & 0x80u : user->endpoint & 0x80u;
	message.length = in ? 0 : message.room;
	urb = calloc(1, sizeof(*urb));
	if (!urb)
		return -ENOMEM;
	urb->user = user;
	urb->next = node->pending;
	node->pending = urb;
	if (send_message(node, &message, data))
		return 0;
	urb = take(&node->pending, user);
	if (!urb) /* the device has left meanwhile: it is to be reaped */
		return 0;
	free(urb);
	return -ENODEV;
}

static int discard(struct node *node, struct usbdevfs_urb *user)
{
	struct vusb_message message = {.kind = VUSB_DISCARD, .id = (uintptr_t)user};
	const struct urb *at = node->pending;

	while (at && at->user != user)
		at = at->next;
	if (!at)
		return -EINVAL;
	return send_message(node, &message, NULL) ? 0 : -ENODEV;
}

static int reap(struct node *node, void **user)
{
	struct urb *urb = node->done;

	if (!urb)
		return node->drain < 0 ? -ENODEV : -EAGAIN;
	node->done = urb->next;
	*user = urb->user;
	free(urb);
	signal_ready(node);
	return 0;
}

/* USBDEVFS_IOCTL: the ioctls of an interface's kernel driver. */
static int of_driver(struct node *node, const struct usbdevfs_ioctl *of)
{
	if (of->ioctl_code == (int)USBDEVFS_DISCONNECT)
		return ask(node, VUSB_DISCONNECT, (uint8_t)of->ifno);
	if (of->ioctl_code == (int)USBDEVFS_CONNECT)
		return ask(node, VUSB_CONNECT, (uint8_t)of->ifno);
	return -ENOTTY;
}

static int driver_name(struct node *node, struct usbdevfs_getdriver *driver)
{
	int error = ask(node, VUSB_GET_DRIVER, (uint8_t)driver->interface);

	if (error >= 0)
		memcpy(driver->driver, "ftdi_sio", sizeof("ftdi_sio")); /* the only one there is */
	return error;
}

static int serve(struct node *node, unsigned long request, void *arg)
{
	switch (request) {
	case USBDEVFS_GET_CAPABILITIES:
		*(uint32_t *)arg = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_BULK_CONTINUATION |
			USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_BULK_SCATTER_GATHER |
			USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
		return 0;
	case USBDEVFS_SUBMITURB:
		return submit(node, arg);
	case USBDEVFS_REAPURB:
	case USBDEVFS_REAPURBNDELAY:
		return reap(node, arg);
	case USBDEVFS_DISCARDURB:
		return discard(node, arg);
	case USBDEVFS_CLAIMINTERFACE:
		return ask(node, VUSB_CLAIM, *(uint8_t *)arg);
	case USBDEVFS_RELEASEINTERFACE:
		return ask(node, VUSB_RELEASE, *(uint8_t *)arg);
	case USBDEVFS_GETDRIVER:
		return driver_name(node, arg);
	case USBDEVFS_IOCTL:
		return of_driver(node, arg);
	case USBDEVFS_CLEAR_HALT:
		return ask(node, VUSB_CLEAR_HALT, *(uint8_t *)arg);
	case USBDEVFS_RESET:
		return ask(node, VUSB_RESET, 0);
	case USBDEVFS_SETCONFIGURATION:
	case USBDEVFS_SETINTERFACE:
		return node->drain < 0 ? -ENODEV : 0;
	default:
		return -ENOTTY;
	}
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static int hello(int socket_fd)
{
	struct vusb_message message;

	return recv_all(socket_fd, &message, sizeof(message)) ? -message.status : ENODEV;
}

static struct node *new_node(int socket_fd, const char *path)
{
	struct node *node = calloc(1, sizeof(*node));
	char page[PIPE_SIZE] = {0}, name[128];
	int ends[2];

	snprintf(name, sizeof(name), "%s%s", getenv(VUSB_ENV), path);
	if (!node || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		abort();
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	if (write(ends[1], page, sizeof(page)) != (ssize_t)sizeof(page))
		abort();
	node->drain = ends[0];
	node->fd = ends[1];
	node->socket = socket_fd;
	node->shown = memfd_create(name, MFD_CLOEXEC);
	pthread_mutex_init(&node->lock, NULL);
	pthread_mutex_init(&node->sending, NULL);
	pthread_cond_init(&node->changed, NULL);
	return node;
}

int node_open(const char *path, struct node **out)
{
	int socket_fd = path ? connect_to(path) : -1, error;
	struct node *node;

	if (socket_fd < 0)
		return -1;
	error = hello(socket_fd);
	if (error) {
		syscall(SYS_close, socket_fd);
		return error;
	}
	node = new_node(socket_fd, path);
	if (pthread_create(&node->reader, NULL, reader, node))
		abort();
	*out = node;
	return 0;
}

int node_fd(const struct node *node)
{
	return node->fd;
}

int node_ioctl(struct node *node, unsigned long request, void *arg)
{
	int result;

	pthread_mutex_lock(&node->lock);
	result = serve(node, request, arg);
	pthread_mutex_unlock(&node->lock);
	return result;
}

void node_close(struct node *node)
{
	pthread_mutex_lock(&node->lock);
	node->closing = true;
	pthread_mutex_unlock(&node->lock);
	shutdown(node->socket, SHUT_RDWR);
	pthread_join(node->reader, NULL);
	syscall(SYS_close, node->socket);
	syscall(SYS_close, node->shown);
	while (node->done) {
		struct urb *urb = node->done;

		node->done = urb->next;
		free(urb);
	}
	pthread_cond_destroy(&node->changed);
	pthread_mutex_destroy(&node->sending);
	pthread_mutex_destroy(&node->lock);
	free(node);
}
