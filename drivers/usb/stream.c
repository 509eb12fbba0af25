/* SPDX-License-Identifier: MIT */
/*
 * The stream of a board on the USB: one frame a transfer, several transfers on their way in each direction. They move
 * while a call waits, on the caller's thread, in a libusb context that no other device shares. IN transfers are always
 * posted; what came waits in them, in order of arrival, replies and events merged, until recv() takes it.
 *
 * A transfer that fails breaks its pipe. The next call says so, and mends the pipe by canceling what is on its way and
 * clearing the halt; the board's protocol repeats what was lost. A device that is gone stays gone.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/wake.h"
#include "usb.h"

/* 64 KiB of payload with what frames it, in whole packets of any speed: a longer packet would be an overflow. */
#define FRAME_SIZE 66560u
#define FLIGHTS    8u
#define TIMEOUT_MS 10000
#define QUIET_NS   INT64_C(5000000)    /* 40 microframes: a board that has something to send has sent it */
#define FLUSH_NS   INT64_C(1000000000) /* a board that never falls silent */
#define CANCEL_NS  INT64_C(300000000)
#define POLL_FDS   8u

enum { OUT, IN, EVENTS, PIPES };

struct flight {
	struct usb_stream *stream;
	struct libusb_transfer *urb;
	struct flight *next; /* in the queue of what came */
	bool busy;
	uint8_t data[FRAME_SIZE];
};

struct pipe {
	uint8_t endpoint; /* 0: the board has no such pipe */
	bool broken;
	struct flight *flights[FLIGHTS];
};

struct usb_stream {
	struct nmhal_host *host;
	struct libusb_context *usb;
	struct libusb_device_handle *handle;
	struct usb_find find;
	struct pipe pipes[PIPES];
	struct flight *first, **last; /* IN transfers that brought something, oldest first */
	size_t taken;                 /* bytes of the first */
	bool posting, gone;
	int wake;
	struct pollfd fds[POLL_FDS + 1];
	size_t fd_count;
};

/* ---- transfers --------------------------------------------------------------------------------------------------- */

static struct pipe *pipe_of(struct usb_stream *stream, const struct flight *flight)
{
	struct pipe *pipe = stream->pipes;

	while (pipe->endpoint != flight->urb->endpoint)
		pipe++;
	return pipe;
}

static void submit(struct flight *flight)
{
	int error = libusb_submit_transfer(flight->urb);

	flight->busy = !error;
	/* An unplug shows here, or as the status of a transfer. */
	if (error == LIBUSB_ERROR_NO_DEVICE)
		flight->stream->gone = true;
	else if (error)
		pipe_of(flight->stream, flight)->broken = true;
}

static void LIBUSB_CALL on_complete(struct libusb_transfer *urb)
{
	struct flight *flight = urb->user_data;
	struct usb_stream *stream = flight->stream;

	flight->busy = false;
	if (urb->status == LIBUSB_TRANSFER_NO_DEVICE)
		stream->gone = true;
	else if (urb->status != LIBUSB_TRANSFER_COMPLETED)
		pipe_of(stream, flight)->broken = true;
	if (!(urb->endpoint & LIBUSB_ENDPOINT_IN) || !stream->posting || urb->status != LIBUSB_TRANSFER_COMPLETED)
		return;
	if (!urb->actual_length) { /* the end of a frame that filled its last packet */
		submit(flight);
		return;
	}
	flight->next = NULL;
	*stream->last = flight;
	stream->last = &flight->next;
}

/* Takes the oldest transfer off the queue and posts it again. */
static void release(struct usb_stream *stream)
{
	struct flight *flight = stream->first;

	stream->first = flight->next;
	if (!stream->first)
		stream->last = &stream->first;
	stream->taken = 0;
	submit(flight);
}

/* Lets libusb work when something happens, by the time. How much did: 0, nothing; negative: errno. */
static int turn(struct usb_stream *stream, int64_t until_ns)
{
	struct timeval now = {0};
	int ready = wake_poll(stream->wake, stream->fds, stream->fd_count + 1, until_ns);

	if (ready > 0)
		(void)libusb_handle_events_timeout_completed(stream->usb, &now, NULL);
	return ready;
}

static bool is_busy(const struct pipe *pipe)
{
	for (unsigned n = 0; n < FLIGHTS; n++)
		if (pipe->flights[n] && pipe->flights[n]->busy)
			return true;
	return false;
}

/* Ends what is on its way in a pipe; false if something will not end. */
static bool cancel(struct usb_stream *stream, struct pipe *pipe)
{
	const int64_t until_ns = nmhal_now_ns() + CANCEL_NS;

	for (unsigned n = 0; n < FLIGHTS; n++)
		if (pipe->flights[n] && pipe->flights[n]->busy)
			(void)libusb_cancel_transfer(pipe->flights[n]->urb);
	while (is_busy(pipe) && nmhal_now_ns() < until_ns)
		if (turn(stream, until_ns) < 0)
			break;
	return !is_busy(pipe);
}

/* Posts the IN transfers that hold nothing. */
static void post(struct usb_stream *stream, struct pipe *pipe)
{
	for (unsigned n = 0; n < FLIGHTS && pipe->endpoint & LIBUSB_ENDPOINT_IN; n++) {
		const struct flight *at = stream->first;

		while (at && at != pipe->flights[n])
			at = at->next;
		if (!at && !pipe->flights[n]->busy)
			submit(pipe->flights[n]);
	}
}

/* A pipe as new, and what had come in still there. */
static void mend(struct usb_stream *stream, struct pipe *pipe)
{
	bool ended = cancel(stream, pipe);
	int error = ended ? libusb_clear_halt(stream->handle, pipe->endpoint) : LIBUSB_ERROR_TIMEOUT;

	if (error == LIBUSB_ERROR_NO_DEVICE)
		stream->gone = true;
	pipe->broken = error != 0;
	if (!error)
		post(stream, pipe);
}

static int check(struct usb_stream *stream, const char *what)
{
	static const char *const names[PIPES] = {"to the board", "from the board", "of events"};
	int status = NMHAL_OK;

	for (unsigned n = 0; n < PIPES && !stream->gone; n++) {
		if (!stream->pipes[n].broken)
			continue;
		mend(stream, &stream->pipes[n]);
		status = nmhal_host_fail(stream->host, NMHAL_E_IO, "%s: a USB transfer %s failed; its frame is lost",
			what, names[n]);
	}
	if (stream->gone)
		return nmhal_host_fail(stream->host, NMHAL_E_GONE, "%s: unplugged", what);
	return status;
}

/* One turn; OK without anything having come, too. */
static int wait_for(struct usb_stream *stream, int64_t deadline_ns, const char *what)
{
	int ready = turn(stream, deadline_ns);

	if (ready < 0)
		return nmhal_host_fail(stream->host, NMHAL_E_IO, "%s: poll: %s", what, strerror(-ready));
	return ready ? NMHAL_OK : nmhal_host_poll(stream->host, deadline_ns, what);
}

/* ---- ops --------------------------------------------------------------------------------------------------------- */

static struct flight *free_flight(struct usb_stream *stream)
{
	struct flight **flights = stream->pipes[OUT].flights;

	for (unsigned n = 0; n < FLIGHTS; n++)
		if (!flights[n]->busy)
			return flights[n];
	return NULL;
}

/* A frame that is on its way counts as sent; that it failed is told by the next call. */
static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	struct usb_stream *stream = self;
	struct flight *flight;
	int status = check(stream, "send");

	if (size > FRAME_SIZE)
		return nmhal_host_fail(stream->host, NMHAL_E_INTERNAL, "send: a frame of %zu bytes; %u fit", size,
			FRAME_SIZE);
	for (flight = NULL; status == NMHAL_OK && !flight;) {
		flight = free_flight(stream);
		if (!flight)
			status = wait_for(stream, deadline_ns, "send");
		if (status == NMHAL_OK)
			status = check(stream, "send");
	}
	if (status != NMHAL_OK)
		return status;
	memcpy(flight->data, buf, size);
	flight->urb->length = (int)size;
	/* Whatever fills its last packet ends with an empty one. */
	flight->urb->flags = size % stream->find.out_packet ? 0 : LIBUSB_TRANSFER_ADD_ZERO_PACKET;
	submit(flight);
	return flight->busy ? NMHAL_OK : check(stream, "send");
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct usb_stream *stream = self;
	int status = NMHAL_OK;
	size_t left;

	while (!stream->first && status == NMHAL_OK) {
		status = check(stream, "receive");
		if (status == NMHAL_OK)
			status = wait_for(stream, deadline_ns, "receive");
	}
	if (!stream->first)
		return status;
	left = (size_t)stream->first->urb->actual_length - stream->taken;
	*size = left < capacity ? left : capacity;
	memcpy(buf, stream->first->data + stream->taken, *size);
	stream->taken += *size;
	if (*size == left)
		release(stream);
	return NMHAL_OK;
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	struct usb_stream *stream = self;
	const int64_t end_ns = nmhal_now_ns() + FLUSH_NS;
	int ready = 1;

	while (ready > 0) {
		int64_t now_ns = nmhal_now_ns();
		int status = check(stream, "flush");

		if (status == NMHAL_E_GONE)
			return status;
		if (now_ns >= end_ns || now_ns >= deadline_ns)
			return nmhal_host_fail(
				stream->host, NMHAL_E_TIMEOUT, "flush: the board does not fall silent");
		while (stream->first)
			release(stream);
		ready = turn(stream, now_ns + QUIET_NS);
	}
	if (ready < 0)
		return nmhal_host_fail(stream->host, NMHAL_E_IO, "flush: poll: %s", strerror(-ready));
	return nmhal_host_poll(stream->host, NMHAL_NEVER, "flush");
}

static void stream_info(void *self, struct nmhal_stream_info *info)
{
	const struct usb_stream *stream = self;

	*info = (struct nmhal_stream_info){
		.max_frame = FRAME_SIZE, .alignment = stream->find.out_packet, .default_timeout_ms = TIMEOUT_MS};
	memcpy(info->serial, stream->find.usb.serial, sizeof(info->serial) - 1);
}

static void stream_interrupt(void *self)
{
	const struct usb_stream *stream = self;

	wake_signal(stream->wake);
}

/* A transfer that would not end is left to libusb: better lost memory than memory that is written to. */
static void destroy(struct usb_stream *stream)
{
	bool ended = true;

	stream->posting = false;
	for (unsigned n = 0; n < PIPES; n++)
		ended = cancel(stream, &stream->pipes[n]) && ended;
	if (stream->handle) {
		(void)libusb_release_interface(stream->handle, stream->find.interface);
		libusb_close(stream->handle);
	}
	for (unsigned n = 0; n < PIPES * FLIGHTS && ended; n++) {
		struct flight *flight = stream->pipes[n / FLIGHTS].flights[n % FLIGHTS];

		if (flight)
			libusb_free_transfer(flight->urb);
		free(flight);
	}
	if (stream->wake >= 0)
		close(stream->wake);
	if (ended)
		free(stream);
}

static void stream_close(void *self)
{
	struct libusb_context *usb = ((struct usb_stream *)self)->usb;

	destroy(self);
	libusb_exit(usb);
}

static const struct nmhal_stream_ops stream_ops = {
	.struct_size = sizeof(struct nmhal_stream_ops),
	.close = stream_close,
	.info = stream_info,
	.send = stream_send,
	.recv = stream_recv,
	.flush = stream_flush,
	.interrupt = stream_interrupt,
};

/* ---- open -------------------------------------------------------------------------------------------------------- */

static int alloc_pipe(struct usb_stream *stream, struct pipe *pipe, uint8_t endpoint)
{
	pipe->endpoint = endpoint;
	for (unsigned n = 0; n < FLIGHTS && endpoint; n++) {
		struct flight *flight = malloc(sizeof(*flight));

		pipe->flights[n] = flight;
		if (!flight)
			return NMHAL_E_NO_MEMORY;
		flight->stream = stream;
		flight->busy = false;
		flight->urb = libusb_alloc_transfer(0);
		if (!flight->urb)
			return NMHAL_E_NO_MEMORY;
		/* No time-out: one that fires may lose bytes. */
		libusb_fill_bulk_transfer(
			flight->urb, stream->handle, endpoint, flight->data, FRAME_SIZE, on_complete, flight, 0);
	}
	return NMHAL_OK;
}

static int watch(struct usb_stream *stream)
{
	const struct libusb_pollfd **list = libusb_get_pollfds(stream->usb);

	for (const struct libusb_pollfd **at = list; at && *at && stream->fd_count < POLL_FDS; at++)
		stream->fds[stream->fd_count++] = (struct pollfd){(*at)->fd, (*at)->events, 0};
	libusb_free_pollfds(list);
	return list ? NMHAL_OK : nmhal_host_fail(stream->host, NMHAL_E_IO, "open: libusb has nothing to poll");
}

/* Ours alone, as after power-up: a stall that an earlier process met would still be there. */
static int claim(struct usb_stream *stream)
{
	const struct usb_find *find = &stream->find;
	int error = libusb_open(find->usb.device, &stream->handle);

	if (!error)
		(void)libusb_set_auto_detach_kernel_driver(stream->handle, 1);
	if (!error)
		error = libusb_claim_interface(stream->handle, find->interface);
	if (!error)
		error = libusb_clear_halt(stream->handle, find->out);
	if (!error)
		error = libusb_clear_halt(stream->handle, find->in);
	if (!error && find->events)
		error = libusb_clear_halt(stream->handle, find->events);
	return error ? usb_board_fail(stream->host, &find->usb, error) : NMHAL_OK;
}

static int begin(struct usb_stream *stream, int64_t deadline_ns)
{
	const struct usb_find *find = &stream->find;
	const uint8_t endpoints[PIPES] = {find->out, find->in, find->events};
	int status = claim(stream);

	for (unsigned n = 0; n < PIPES && status == NMHAL_OK; n++)
		status = alloc_pipe(stream, &stream->pipes[n], endpoints[n]);
	if (status == NMHAL_E_NO_MEMORY)
		return nmhal_host_fail(stream->host, status, "open: no memory for the USB transfers");
	if (status == NMHAL_OK)
		status = watch(stream);
	if (status != NMHAL_OK)
		return status;
	stream->posting = true;
	post(stream, &stream->pipes[IN]);
	post(stream, &stream->pipes[EVENTS]);
	return stream_flush(stream, deadline_ns);
}

int usb_stream_open(struct nmhal_host *host, struct libusb_context *usb, const struct usb_find *find,
	int64_t deadline_ns, struct nmhal_stream *stream)
{
	struct usb_stream *opened = calloc(1, sizeof(*opened));
	int status;

	if (!opened)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for the stream");
	opened->host = host;
	opened->usb = usb;
	opened->find = *find;
	opened->last = &opened->first;
	status = wake_open(host, &opened->wake);
	if (status == NMHAL_OK)
		status = begin(opened, deadline_ns);
	if (status == NMHAL_OK)
		*stream = (struct nmhal_stream){&stream_ops, opened};
	else
		destroy(opened);
	return status;
}
