/* SPDX-License-Identifier: MIT */
#include "far.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS    16u      /* of endpoints 0 to 7, by number and direction */
#define DELAY_US 20000u
#define IDLE_US  1000000u /* how long an idle device may sleep */
#define TICK_US  10000u
#define LATE_US  5000u    /* paced: a thread that wakes up late by less makes up for it */

const char *const far_kind_names[FAR_KINDS] = {"none", "short", "STALL", "time-out", "ENODEV", "overflow", "corrupted",
	"duplicated", "lost", "delayed"};

struct far {
	struct model model;
	far_done_fn done;
	void *user;
	struct far_urb *queue[SLOTS];
	bool halted[SLOTS];
	bool gone;
	bool paced;
	uint64_t pins_us; /* paced: how long the pins are busy */
	struct far_fault fault;
	struct far_numbers numbers;
	FILE *record;
	bool again; /* an IN packet is to be delivered a second time: */
	uint8_t again_packet[MODEL_PACKET];
	int again_size;
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
	far->again = false;
}

struct far_numbers far_numbers(const struct far *far)
{
	return far->numbers;
}

bool far_gone(const struct far *far)
{
	return far->gone;
}

void far_pace(struct far *far, bool paced)
{
	far->paced = paced;
	far->pins_us = 0;
}

static uint64_t spent_us(const struct far *far)
{
	return far->model.ops->spent_us ? far->model.ops->spent_us(far->model.self) : 0;
}

/* The pins have moved since `before`, which takes them its time. */
static void spend(struct far *far, uint64_t before, uint64_t now_us)
{
	if (far->pins_us + LATE_US < now_us)
		far->pins_us = now_us;
	far->pins_us += spent_us(far) - before;
}

static bool waits_for_pins(const struct far *far, uint64_t now_us)
{
	return far->paced && far->pins_us > now_us;
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
	if (slot(urb->endpoint) && far->model.ops->transferred)
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

void far_reset(struct far *far)
{
	memset(far->halted, 0, sizeof(far->halted));
	if (far->model.ops->reset)
		far->model.ops->reset(far->model.self);
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
	far->again = false;
	far->gone = false;
}

static void control(struct far *far, struct far_urb *urb, enum far_kind kind)
{
	int moved;

	if (far->model.ops->empties && far->model.ops->empties(urb->setup))
		far->again = false;
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

/* The URB fails, and whatever follows until the halt is cleared; that of control ends with it. */
static void stall(struct far *far, struct far_urb *urb)
{
	far->halted[slot(urb->endpoint)] = slot(urb->endpoint) != 0;
	complete(far, urb, -EPIPE);
}

/* A fault that keeps an URB from moving on. True: it is dealt with, and may have completed. */
static bool hold_up(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	switch (kind) {
	case FAR_STALL:
		stall(far, urb);
		return true;
	case FAR_TIMEOUT:
		urb->due_us = UINT64_MAX;
		return true;
	case FAR_GONE:
		far_unplug(far);
		return true;
	case FAR_OVERFLOW:
		complete(far, urb, -EOVERFLOW);
		return true;
	case FAR_DELAYED:
		urb->due_us = now_us + DELAY_US;
		return true;
	default:
		return false;
	}
}

/* A fault of the whole URB, before it moves a byte. True: the URB is dealt with. */
static bool urb_fault(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	if (hold_up(far, urb, kind, now_us))
		return true;
	if (kind != FAR_SHORT) /* of its first packet */
		urb->first = kind;
	else if (urb->endpoint & 0x80u) /* room for one packet only */
		urb->length = urb->length < MODEL_PACKET ? urb->length : MODEL_PACKET;
	else if (slot(urb->endpoint))
		urb->length /= 2;
	return false;
}

/* Sends the next packet of an OUT URB; what the model said. */
static int out_packet(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	const struct model *model = &far->model;
	const uint64_t before = spent_us(far);
	size_t size = urb->length - urb->actual < MODEL_PACKET ? urb->length - urb->actual : MODEL_PACKET;
	uint8_t packet[MODEL_PACKET];
	int taken = 0;

	size = kind == FAR_SHORT ? size / 2 : size;
	memcpy(packet, urb->data + urb->actual, size);
	if (kind == FAR_CORRUPTED && size)
		packet[size / 2] ^= 1u;
	if (kind != FAR_LOST)
		taken = model->ops->out(model->self, urb->endpoint, packet, size);
	if (taken < 0)
		return taken;
	far->numbers.packets++;
	urb->actual += size;
	if (kind == FAR_SHORT) /* the last one */
		urb->length = urb->actual;
	urb->zero = urb->zero && size == MODEL_PACKET;
	urb->first = FAR_NONE;
	record(far, urb->endpoint, packet, size);
	if (kind == FAR_DUPLICATED)
		(void)model->ops->out(model->self, urb->endpoint, packet, size);
	spend(far, before, now_us);
	return taken;
}

/* Works on the first URB of an OUT endpoint; true: something moved. */
static bool service_out(struct far *far, struct far_urb *urb, uint64_t now_us)
{
	bool moved = false;

	while (urb->actual < urb->length || urb->zero) {
		enum far_kind kind = urb->first ? urb->first : meets(far, true, far->numbers.packets);
		int taken;

		if (hold_up(far, urb, kind, now_us))
			return true;
		taken = out_packet(far, urb, kind, now_us);
		if (taken == MODEL_STALL)
			stall(far, urb);
		else if (taken == MODEL_NAK)
			urb->first = kind; /* the packet is sent again */
		if (taken < 0)
			return moved || taken == MODEL_STALL;
		moved = true;
		if (waits_for_pins(far, now_us))
			return true;
	}
	complete(far, urb, 0);
	return true;
}

/* An IN packet with the fault that meets it, or what the model said; NAK also when the URB was held up, and may have
 * completed. */
static int in_packet(struct far *far, struct far_urb *urb, uint8_t *packet, uint64_t now_us, uint64_t *again_us)
{
	enum far_kind kind;
	int size;

	if (far->again && far->again_endpoint == urb->endpoint) {
		memcpy(packet, far->again_packet, (size_t)far->again_size);
		far->again = false;
		return far->again_size;
	}
	do {
		const uint64_t before = spent_us(far);

		size = far->model.ops->in(far->model.self, urb->endpoint, packet, now_us, again_us);
		spend(far, before, now_us);
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
	/* A packet that was held up is still in the device. */
	if (kind == FAR_DUPLICATED || kind == FAR_STALL || kind == FAR_TIMEOUT || kind == FAR_DELAYED) {
		far->again = true;
		memcpy(far->again_packet, packet, (size_t)size);
		far->again_size = size;
		far->again_endpoint = urb->endpoint;
	}
	if (!hold_up(far, urb, kind, now_us))
		return size;
	*again_us = now_us;
	return MODEL_NAK;
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
	uint64_t due_us;

	if (!urb || far->halted[n])
		return false;
	due_us = far->paced && far->pins_us > urb->due_us ? far->pins_us : urb->due_us;
	if (due_us > now_us) {
		*again_us = *again_us < due_us ? *again_us : due_us;
		return false;
	}
	if (!n)
		control(far, urb, FAR_NONE);
	else if (urb->endpoint & 0x80u)
		return service_in(far, urb, now_us, again_us);
	else
		return service_out(far, urb, now_us);
	return true;
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
		for (unsigned n = 0; n < SLOTS; n++) {
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
	if (slot(urb->endpoint) && far->model.ops->submitted)
		far->model.ops->submitted(far->model.self, urb->endpoint);
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
