/* SPDX-License-Identifier: MIT */
#include "far.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS      16u      /* of endpoints 0 to 7, by number and direction */
#define DELAY_US   20000u
#define IDLE_US    1000000u /* how long an idle device may sleep */
#define TICK_US    10000u

const char *const far_kind_names[FAR_KINDS] = {"none", "short", "STALL", "time-out", "ENODEV", "overflow", "corrupted",
	"duplicated", "lost", "delayed"};

struct far {
	struct model model;
	far_done_fn done;
	void *user;
	struct far_urb *queue[SLOTS];
	bool halted[SLOTS];
	bool gone;
	struct far_fault fault;
	struct far_numbers numbers;
	FILE *record;
	uint8_t again[MODEL_PACKET]; /* an IN packet to be delivered a second time */
	size_t again_size;
	unsigned again_endpoint;
};

static unsigned slot(unsigned endpoint)
{
	return ((endpoint & 0x07u) << 1 | (endpoint >> 7 & 1u)) & (endpoint & 0x7fu ? SLOTS - 1u : 0u);
}

struct far *far_new(struct model model, far_done_fn done, void *user)
{
	struct far *far = calloc(1, sizeof(*far));

	if (!far) {
		model.ops->free(model.self);
		return NULL;
	}
	far->model = model;
	far->done = done;
	far->user = user;
	return far;
}

void far_free(struct far *far)
{
	if (far) {
		(void)far_record(far, NULL);
		far->model.ops->free(far->model.self);
	}
	free(far);
}

const struct model *far_model(const struct far *far)
{
	return &far->model;
}

void far_fault_set(struct far *far, struct far_fault fault)
{
	far->fault = fault;
	far->numbers = (struct far_numbers){0};
	far->again_size = 0;
}

struct far_numbers far_numbers(const struct far *far)
{
	return far->numbers;
}

bool far_gone(const struct far *far)
{
	return far->gone;
}

int far_record(struct far *far, const char *path)
{
	if (far->record)
		fclose(far->record);
	far->record = path ? fopen(path, "wb") : NULL;
	return path && !far->record ? -errno : 0;
}

static void record(struct far *far, unsigned endpoint, const uint8_t *packet, size_t size)
{
	const uint8_t head[3] = {(uint8_t)endpoint, (uint8_t)size, (uint8_t)(size >> 8)};

	if (far->record && (fwrite(head, 1, sizeof(head), far->record) != sizeof(head) ||
				   fwrite(packet, 1, size, far->record) != size))
		abort();
}

/* Whether the fault meets this URB (packet: this packet), which is then its kind. */
static enum far_kind meets(struct far *far, bool packet, uint64_t number)
{
	if (far->fault.kind == FAR_NONE || far->numbers.happened || far->fault.packet != packet ||
		far->fault.number != number)
		return FAR_NONE;
	far->numbers.happened = true;
	return far->fault.kind;
}

static void complete(struct far *far, struct far_urb *urb, int status)
{
	struct far_urb **at = &far->queue[slot(urb->endpoint)];

	while (*at && *at != urb)
		at = &(*at)->next;
	if (*at)
		*at = urb->next;
	urb->next = NULL;
	urb->status = status;
	if (urb->endpoint && urb->endpoint != 0x80u)
		far->model.ops->transferred(far->model.self, urb->endpoint);
	far->done(far->user, urb);
}

bool far_discard(struct far *far, struct far_urb *urb)
{
	for (struct far_urb *at = far->queue[slot(urb->endpoint)]; at; at = at->next)
		if (at == urb) {
			complete(far, urb, -ENOENT);
			return true;
		}
	return false;
}

void far_clear_halt(struct far *far, uint8_t endpoint)
{
	far->halted[slot(endpoint)] = false;
	far->model.ops->clear_halt(far->model.self, endpoint);
}

void far_unplug(struct far *far)
{
	far->gone = true;
	for (unsigned n = 0; n < SLOTS; n++)
		while (far->queue[n])
			complete(far, far->queue[n], -ESHUTDOWN);
}

void far_plug(struct far *far)
{
	far->model.ops->replug(far->model.self);
	memset(far->halted, 0, sizeof(far->halted));
	far->again_size = 0;
	far->gone = false;
}

/* A control URB completes at once. */
static void control(struct far *far, struct far_urb *urb, enum far_kind kind)
{
	int moved;

	if (kind == FAR_LOST) { /* as if it had been done */
		urb->actual = urb->setup[0] & 0x80u ? 0 : urb->length;
		complete(far, urb, 0);
		return;
	}
	moved = far->model.ops->control(far->model.self, urb->setup, urb->data, urb->length);
	if (kind == FAR_DUPLICATED && moved >= 0)
		moved = far->model.ops->control(far->model.self, urb->setup, urb->data, urb->length);
	urb->actual = moved < 0 ? 0 : (size_t)moved;
	if (kind == FAR_CORRUPTED && urb->setup[0] & 0x80u && urb->actual)
		urb->data[0] ^= 1u;
	if (kind == FAR_SHORT)
		urb->actual /= 2;
	complete(far, urb, moved < 0 ? -EPIPE : 0);
}

/* A fault of the whole URB, before it moves a byte. True: the URB is dealt with. */
static bool urb_fault(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	const bool in = urb->endpoint & 0x80u;

	switch (kind) {
	case FAR_STALL:
		far->halted[slot(urb->endpoint)] = urb->endpoint != 0;
		complete(far, urb, -EPIPE);
		return true;
	case FAR_TIMEOUT:
		urb->due_us = UINT64_MAX;
		return !urb->endpoint;
	case FAR_GONE:
		far_unplug(far);
		return true;
	case FAR_OVERFLOW:
		complete(far, urb, -EOVERFLOW);
		return true;
	case FAR_DELAYED:
		urb->due_us = now_us + DELAY_US;
		return false;
	case FAR_SHORT:
		if (!urb->endpoint)
			return false;
		if (in) { /* room for one packet only */
			urb->length = urb->length < MODEL_PACKET ? urb->length : MODEL_PACKET;
			return false;
		}
		urb->length /= 2;
		return false;
	default: /* of its first packet */
		urb->first = kind;
		return false;
	}
}

/* The device stalls: the URB fails, and whatever follows until the halt is cleared. */
static void stall(struct far *far, struct far_urb *urb)
{
	far->halted[slot(urb->endpoint)] = true;
	complete(far, urb, -EPIPE);
}

/* Sends the next packet of an OUT URB; what the model said. */
static int out_packet(struct far *far, struct far_urb *urb)
{
	const struct model *model = &far->model;
	size_t size = urb->length - urb->actual < MODEL_PACKET ? urb->length - urb->actual : MODEL_PACKET;
	uint8_t packet[MODEL_PACKET];
	enum far_kind kind;
	int moved = 0;

	memcpy(packet, urb->data + urb->actual, size);
	kind = urb->first ? urb->first : meets(far, true, far->numbers.packets);
	if (kind == FAR_CORRUPTED && size)
		packet[size / 2] ^= 1u;
	if (kind != FAR_LOST)
		moved = model->ops->out(model->self, urb->endpoint, packet, size);
	if (moved >= 0) {
		far->numbers.packets++;
		urb->actual += size;
		urb->first = FAR_NONE;
		record(far, urb->endpoint, packet, size);
		if (kind == FAR_DUPLICATED)
			(void)model->ops->out(model->self, urb->endpoint, packet, size);
	} else if (moved == MODEL_NAK && !urb->first && kind != FAR_NONE) {
		far->numbers.happened = false; /* the packet is sent again */
	}
	return moved;
}

/* Works on the first URB of an OUT endpoint; true: something moved. */
static bool service_out(struct far *far, struct far_urb *urb)
{
	bool moved = false;

	while (urb->actual < urb->length || urb->zero) {
		bool last = urb->length - urb->actual < MODEL_PACKET;
		int taken = out_packet(far, urb);

		if (taken == MODEL_STALL)
			stall(far, urb);
		if (taken < 0)
			return moved || taken == MODEL_STALL;
		urb->zero = urb->zero && !last;
		moved = true;
	}
	complete(far, urb, 0);
	return true;
}

/* An IN packet with the fault that meets it, or what the model said. */
static int in_packet(struct far *far, struct far_urb *urb, uint8_t *packet, uint64_t now_us, uint64_t *again_us)
{
	enum far_kind kind;
	int size;

	if (far->again_size && far->again_endpoint == urb->endpoint) {
		size = (int)far->again_size;
		memcpy(packet, far->again, far->again_size);
		far->again_size = 0;
		return size;
	}
	do {
		size = far->model.ops->in(far->model.self, urb->endpoint, packet, now_us, again_us);
		if (size < 0)
			return size;
		kind = urb->first ? urb->first : meets(far, true, far->numbers.packets);
		far->numbers.packets++;
		urb->first = FAR_NONE;
	} while (kind == FAR_LOST);
	if (kind == FAR_CORRUPTED && size)
		packet[size - 1] ^= 1u;
	if (kind == FAR_SHORT && size > 2)
		size--;
	if (kind == FAR_DUPLICATED && size) {
		memcpy(far->again, packet, (size_t)size);
		far->again_size = (size_t)size;
		far->again_endpoint = urb->endpoint;
	}
	return size;
}

/* Works on the first URB of an IN endpoint; true: something moved. */
static bool service_in(struct far *far, struct far_urb *urb, uint64_t now_us, uint64_t *again_us)
{
	bool moved = false;

	while (urb->length - urb->actual >= MODEL_PACKET) {
		uint8_t packet[MODEL_PACKET];
		int size = in_packet(far, urb, packet, now_us, again_us);

		if (size == MODEL_STALL)
			stall(far, urb);
		if (size < 0)
			return moved || size == MODEL_STALL;
		record(far, urb->endpoint, packet, (size_t)size);
		memcpy(urb->data + urb->actual, packet, (size_t)size);
		urb->actual += (size_t)size;
		moved = true;
		if (size < MODEL_PACKET)
			break;
	}
	complete(far, urb, 0);
	return true;
}

static bool service_one(struct far *far, unsigned n, uint64_t now_us, uint64_t *again_us)
{
	struct far_urb *urb = far->queue[n];

	if (!urb || far->halted[n])
		return false;
	if (urb->due_us > now_us) {
		*again_us = *again_us < urb->due_us ? *again_us : urb->due_us;
		return false;
	}
	if (urb->endpoint & 0x80u)
		return service_in(far, urb, now_us, again_us);
	return service_out(far, urb);
}

uint64_t far_service(struct far *far, uint64_t now_us)
{
	const struct model *model = &far->model;
	uint64_t again_us = now_us + (model->ops->tick ? TICK_US : IDLE_US);
	bool moved = !far->gone;

	if (model->ops->tick && !far->gone)
		model->ops->tick(model->self);

	while (moved) {
		moved = false;
		for (unsigned n = 2; n < SLOTS; n++) {
			uint64_t again = now_us + IDLE_US;

			moved = service_one(far, n, now_us, &again) || moved;
			again_us = again < again_us ? again : again_us;
		}
	}
	return again_us;
}

void far_submit(struct far *far, struct far_urb *urb, uint64_t now_us)
{
	struct far_urb **at = &far->queue[slot(urb->endpoint)];
	enum far_kind kind;

	urb->next = NULL;
	urb->actual = 0;
	urb->due_us = 0;
	urb->first = FAR_NONE;
	urb->zero = urb->zero || !urb->length; /* nothing is sent as an empty packet */
	if (far->gone) {
		urb->status = -ENODEV;
		far->done(far->user, urb);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = urb;
	urb->number = far->numbers.urbs++;
	kind = meets(far, false, urb->number);
	if (far->halted[slot(urb->endpoint)]) {
		complete(far, urb, -EPIPE);
		return;
	}
	if (urb_fault(far, urb, kind, now_us))
		return;
	if (urb->endpoint)
		(void)far_service(far, now_us);
	else
		control(far, urb, kind);
}
