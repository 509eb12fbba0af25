/* SPDX-License-Identifier: MIT */
/*
 * An echo with the descriptors of an nmlink board: what comes on the OUT endpoint goes back on the IN endpoint, packet
 * by packet, the ends of frames included. Made to test carriers, which do not know what they carry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "sim/usb_device.h"

#define OUT_ENDPOINT   0x01u
#define IN_ENDPOINT    0x81u
#define EVENT_ENDPOINT 0x82u
#define PACKETS        512u
#define FRAME          4096u /* of a pipe */

struct queue {
	unsigned oldest, count;
	uint16_t sizes[PACKETS];
	uint8_t packets[PACKETS][MODEL_PACKET];
};

struct echo {
	struct usb_device usb;
	struct queue replies, events;
	uint64_t frames;
	bool hold;
	const struct model_pipe *pipe; /* NULL: it echoes */
	size_t size;
	uint8_t frame[FRAME]; /* for the pipe */
};

static const uint8_t descriptors[] = {
	/* device: USB 2.0, class by interface, 1209:0001, release 1.00, strings 1 to 3, one configuration */
	18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1,
	/* configuration 1 of 39 bytes, one interface, bus-powered, 100 mA */
	9, 2, 39, 0, 1, 1, 0, 0x80, 50,
	/* interface 0: three endpoints, class FF, string 4 */
	9, 4, 0, 0, 3, 0xff, 0, 0, 4,
	/* bulk endpoints of 512-byte packets */
	7, 5, OUT_ENDPOINT, 2, 0x00, 0x02, 0,
	7, 5, IN_ENDPOINT, 2, 0x00, 0x02, 0,
	7, 5, EVENT_ENDPOINT, 2, 0x00, 0x02, 0,
};

static bool put(struct queue *queue, const uint8_t *data, size_t size)
{
	unsigned at = (queue->oldest + queue->count) % PACKETS;

	if (queue->count == PACKETS)
		return false;
	memcpy(queue->packets[at], data, size);
	queue->sizes[at] = (uint16_t)size;
	queue->count++;
	return true;
}

/* A frame of bytes 0, 1, 2, ...; what does not fit is left out. */
static void put_frame(struct queue *queue, size_t size)
{
	uint8_t packet[MODEL_PACKET];
	size_t part;

	do {
		part = size < MODEL_PACKET ? size : MODEL_PACKET;
		for (size_t n = 0; n < part; n++)
			packet[n] = (uint8_t)n;
		size -= part;
	} while (put(queue, packet, part) && part == MODEL_PACKET);
}

/* Packets of a frame for the pipe; what is too long for it is cut. */
static void pipe_out(struct echo *echo, const uint8_t *data, size_t size)
{
	const size_t room = FRAME - echo->size, part = size < room ? size : room;

	memcpy(echo->frame + echo->size, data, part);
	echo->size += part;
	if (size == MODEL_PACKET)
		return;
	if (echo->size)
		echo->pipe->put(echo->pipe->user, echo->frame, echo->size);
	echo->size = 0;
}

/* The next frame of the pipe, in packets, the last one of them short. */
static void pipe_in(struct echo *echo)
{
	uint8_t frame[FRAME];
	size_t size = echo->pipe->get(echo->pipe->user, frame, FRAME);

	for (size_t at = 0; size && at <= size; at += MODEL_PACKET)
		(void)put(&echo->replies, frame + at, size - at < MODEL_PACKET ? size - at : MODEL_PACKET);
}

static void echo_free(void *self)
{
	free(self);
}

static const uint8_t *echo_descriptors(void *self, size_t *size)
{
	(void)self;
	*size = sizeof(descriptors);
	return descriptors;
}

static int echo_control(void *self, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	return usb_standard(&((struct echo *)self)->usb, setup, data, capacity);
}

static int echo_out(void *self, unsigned endpoint, const uint8_t *data, size_t size)
{
	struct echo *echo = self;

	if (endpoint != OUT_ENDPOINT)
		return MODEL_STALL;
	if (echo->pipe)
		pipe_out(echo, data, size);
	else if (echo->hold || !put(&echo->replies, data, size))
		return MODEL_NAK;
	echo->frames += size < MODEL_PACKET;
	return (int)size;
}

static int echo_in(void *self, unsigned endpoint, uint8_t packet[MODEL_PACKET], uint64_t now_us, uint64_t *again_us)
{
	struct echo *echo = self;
	struct queue *queue = endpoint == IN_ENDPOINT ? &echo->replies : &echo->events;
	int size;

	(void)now_us;
	(void)again_us; /* nothing comes but after OUT data, or a word of the test */
	if (echo->pipe && endpoint == IN_ENDPOINT && !queue->count)
		pipe_in(echo);
	if (!queue->count)
		return MODEL_NAK;
	size = queue->sizes[queue->oldest];
	memcpy(packet, queue->packets[queue->oldest], (size_t)size);
	queue->oldest = (queue->oldest + 1) % PACKETS;
	queue->count--;
	return size;
}

static void echo_clear_halt(void *self, unsigned endpoint)
{
	(void)self;
	(void)endpoint;
}

static void echo_replug(void *self)
{
	struct echo *echo = self;

	echo->replies.count = 0;
	echo->events.count = 0;
	echo->size = 0;
	if (echo->pipe)
		echo->pipe->cut(echo->pipe->user);
}

static uint64_t echo_progress(void *self)
{
	return ((const struct echo *)self)->frames;
}

static int echo_tell(void *self, const char *text, char *reply, size_t size)
{
	struct echo *echo = self;

	(void)reply;
	(void)size;
	if (!strncmp(text, "hold ", 5))
		echo->hold = !strcmp(text + 5, "on");
	else if (!strncmp(text, "stale ", 6))
		put_frame(&echo->replies, strtoul(text + 6, NULL, 10));
	else if (!strncmp(text, "event ", 6))
		put_frame(&echo->events, strtoul(text + 6, NULL, 10));
	else
		return -EINVAL;
	return 0;
}

static const struct model_ops echo_ops = {
	.interfaces = 1,
	.free = echo_free,
	.descriptors = echo_descriptors,
	.control = echo_control,
	.out = echo_out,
	.in = echo_in,
	.clear_halt = echo_clear_halt,
	.replug = echo_replug,
	.progress = echo_progress,
	.tell = echo_tell,
};

bool model_echo_new(const struct model_params *params, struct model *model)
{
	struct echo *echo = calloc(1, sizeof(*echo));

	if (!echo)
		return false;
	echo->pipe = params->pipe;
	echo->usb.descriptors = descriptors;
	echo->usb.descriptors_size = sizeof(descriptors);
	usb_set_string(&echo->usb, 1, "libnmhal");
	usb_set_string(&echo->usb, 2, params->product ? params->product : "echo");
	usb_set_string(&echo->usb, 3, params->serial ? params->serial : "NM-0001");
	usb_set_string(&echo->usb, 4, "NMHAL nmlink");
	*model = (struct model){&echo_ops, echo};
	return true;
}
