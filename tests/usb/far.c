/* SPDX-License-Identifier: MIT */
#include "far.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDPOINTS   5u       /* control, and the four of vftdi.h by their numbers 1 to 4 */
#define DELAY_US    20000u
#define IDLE_US     1000000u /* how long an idle device may sleep */
#define VENDOR_OUT  0x40u    /* of a setup packet, and two requests */
#define RESET       0u
#define SET_BITMODE 11u
#define LATE_US     5000u    /* paced: a thread that wakes up late by less makes up for it */

const char *const far_kind_names[FAR_KINDS] = {"none", "short", "STALL", "time-out", "ENODEV", "overflow", "corrupted",
	"duplicated", "lost", "delayed"};

struct far {
	struct vftdi *device;
	far_done_fn done;
	void *user;
	struct far_urb *queue[ENDPOINTS];
	bool halted[ENDPOINTS];
	bool gone;
	bool paced;
	uint64_t pins_us; /* paced: how long the pins are busy */
	struct far_fault fault;
	struct far_numbers numbers;
	FILE *record;
	uint8_t again[VFTDI_PACKET]; /* an IN packet to be delivered a second time */
	size_t again_size;
	unsigned again_endpoint;
};

static unsigned slot(unsigned endpoint)
{
	return endpoint & 0x0fu;
}

struct far *far_new(const struct vftdi_params *params, far_done_fn done, void *user)
{
	struct far *far = calloc(1, sizeof(*far));

	if (!far)
		return NULL;
	far->device = vftdi_new(params);
	far->done = done;
	far->user = user;
	if (!far->device) {
		free(far);
		return NULL;
	}
	return far;
}

void far_free(struct far *far)
{
	if (far) {
		(void)far_record(far, NULL);
		vftdi_free(far->device);
	}
	free(far);
}

struct vftdi *far_device(struct far *far)
{
	return far->device;
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

void far_pace(struct far *far, bool paced)
{
	far->paced = paced;
	far->pins_us = 0;
}

static uint64_t ticks(const struct far *far)
{
	return vftdi_counters(far->device).ticks;
}

/* The pins have moved since `before`, which takes them its time. */
static void spend(struct far *far, uint64_t before, uint64_t now_us)
{
	if (far->pins_us + LATE_US < now_us)
		far->pins_us = now_us;
	far->pins_us += (ticks(far) - before) * 1000000u / VFTDI_TICK_HZ;
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
	if (slot(urb->endpoint))
		vftdi_count_transfer(far->device, urb->endpoint);
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
	far->halted[slot(endpoint) % ENDPOINTS] = false;
}

void far_unplug(struct far *far)
{
	far->gone = true;
	for (unsigned n = 0; n < ENDPOINTS; n++)
		while (far->queue[n])
			complete(far, far->queue[n], -ESHUTDOWN);
}

void far_plug(struct far *far)
{
	static const uint8_t reset[8] = {VENDOR_OUT, RESET, 0, 0, 1, 0, 0, 0};
	static const uint8_t mode[8] = {VENDOR_OUT, SET_BITMODE, 0, 0, 1, 0, 0, 0};

	for (unsigned channel = 1; channel <= VFTDI_CHANNELS; channel++) {
		uint8_t setup[8];

		memcpy(setup, reset, sizeof(setup));
		setup[4] = (uint8_t)channel;
		(void)vftdi_control(far->device, setup, NULL, 0);
		memcpy(setup, mode, sizeof(setup));
		setup[4] = (uint8_t)channel;
		(void)vftdi_control(far->device, setup, NULL, 0);
	}
	memset(far->halted, 0, sizeof(far->halted));
	far->again_size = 0;
	far->gone = false;
}

static void control(struct far *far, struct far_urb *urb, enum far_kind kind)
{
	int moved;

	if (urb->setup[0] == VENDOR_OUT && (urb->setup[1] == RESET || urb->setup[1] == SET_BITMODE))
		far->again_size = 0; /* the buffers are emptied */
	if (kind == FAR_LOST) { /* as if it had been done */
		urb->actual = urb->setup[0] & 0x80u ? 0 : urb->length;
		complete(far, urb, 0);
		return;
	}
	moved = vftdi_control(far->device, urb->setup, urb->data, urb->length);
	if (kind == FAR_DUPLICATED && moved >= 0)
		moved = vftdi_control(far->device, urb->setup, urb->data, urb->length);
	urb->actual = moved < 0 ? 0 : (size_t)moved;
	if (kind == FAR_CORRUPTED && urb->setup[0] & 0x80u && urb->actual)
		urb->data[0] ^= 1u;
	if (kind == FAR_SHORT)
		urb->actual /= 2;
	complete(far, urb, moved < 0 ? -EPIPE : 0);
}

/* A fault that keeps an URB from moving on. True: it is dealt with, and may have completed. */
static bool hold_up(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	switch (kind) {
	case FAR_STALL:
		far->halted[slot(urb->endpoint)] = slot(urb->endpoint) != 0;
		complete(far, urb, -EPIPE);
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
		urb->length = urb->length < VFTDI_PACKET ? urb->length : VFTDI_PACKET;
	else if (slot(urb->endpoint))
		urb->length /= 2;
	return false;
}

/* Sends the next packet of an OUT URB; false: NAK. */
static bool out_packet(struct far *far, struct far_urb *urb, enum far_kind kind, uint64_t now_us)
{
	const uint64_t before = ticks(far);
	size_t size = urb->length - urb->actual < VFTDI_PACKET ? urb->length - urb->actual : VFTDI_PACKET;
	uint8_t packet[VFTDI_PACKET];

	if (kind == FAR_SHORT) /* and the last one */
		urb->length = urb->actual + size / 2;
	size = kind == FAR_SHORT ? size / 2 : size;
	memcpy(packet, urb->data + urb->actual, size);
	if (kind == FAR_CORRUPTED && size)
		packet[size / 2] ^= 1u;
	if (kind != FAR_LOST && size && !vftdi_out(far->device, urb->endpoint, packet, size))
		return false;
	far->numbers.packets++;
	urb->actual += size;
	urb->first = FAR_NONE;
	record(far, urb->endpoint, packet, size);
	if (kind == FAR_DUPLICATED)
		(void)vftdi_out(far->device, urb->endpoint, packet, size);
	spend(far, before, now_us);
	return true;
}

/* Works on the first URB of an OUT endpoint; true: something moved. */
static bool service_out(struct far *far, struct far_urb *urb, uint64_t now_us)
{
	bool moved = false;

	while (urb->actual < urb->length) {
		enum far_kind kind = urb->first ? urb->first : meets(far, true, far->numbers.packets);

		if (hold_up(far, urb, kind, now_us))
			return true;
		if (!out_packet(far, urb, kind, now_us)) {
			urb->first = kind; /* the packet is sent again */
			return moved;
		}
		moved = true;
		if (waits_for_pins(far, now_us))
			return true;
	}
	complete(far, urb, 0);
	return true;
}

/* An IN packet with the fault that meets it; 0: NAK, or the URB was held up and may have completed. */
static size_t in_packet(struct far *far, struct far_urb *urb, uint8_t *packet, uint64_t now_us, uint64_t *again_us)
{
	enum far_kind kind;
	size_t size;

	if (far->again_size && far->again_endpoint == urb->endpoint) {
		size = far->again_size;
		memcpy(packet, far->again, size);
		far->again_size = 0;
		return size;
	}
	for (;;) {
		const uint64_t before = ticks(far);

		size = vftdi_in(far->device, urb->endpoint, packet, VFTDI_PACKET, now_us, again_us);
		spend(far, before, now_us);
		if (!size)
			return 0;
		kind = urb->first ? urb->first : meets(far, true, far->numbers.packets);
		far->numbers.packets++;
		urb->first = FAR_NONE;
		if (kind != FAR_LOST)
			break;
	}
	if (kind == FAR_CORRUPTED)
		packet[size - 1] ^= 1u;
	if (kind == FAR_SHORT && size > 2)
		size--;
	/* A packet that was held up is still in the device. */
	if (kind == FAR_DUPLICATED || kind == FAR_STALL || kind == FAR_TIMEOUT || kind == FAR_DELAYED) {
		memcpy(far->again, packet, size);
		far->again_size = size;
		far->again_endpoint = urb->endpoint;
	}
	if (!hold_up(far, urb, kind, now_us))
		return size;
	*again_us = now_us;
	return 0;
}

/* Works on the first URB of an IN endpoint; true: something moved. */
static bool service_in(struct far *far, struct far_urb *urb, uint64_t now_us, uint64_t *again_us)
{
	bool moved = false;

	while (urb->length - urb->actual >= VFTDI_PACKET) {
		uint8_t packet[VFTDI_PACKET];
		size_t size = in_packet(far, urb, packet, now_us, again_us);

		if (!size)
			return moved;
		record(far, urb->endpoint, packet, size);
		memcpy(urb->data + urb->actual, packet, size);
		urb->actual += size;
		moved = true;
		if (size < VFTDI_PACKET)
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
	uint64_t again_us = now_us + IDLE_US;
	bool moved = !far->gone;

	while (moved) {
		moved = false;
		for (unsigned n = 0; n < ENDPOINTS; n++) {
			uint64_t again = now_us + IDLE_US;

			moved = service_one(far, n, now_us, &again) || moved;
			again_us = again < again_us ? again : again_us;
		}
	}
	return again_us;
}

void far_submit(struct far *far, struct far_urb *urb, uint64_t now_us)
{
	struct far_urb **at = &far->queue[slot(urb->endpoint) % ENDPOINTS];
	enum far_kind kind;

	urb->next = NULL;
	urb->actual = 0;
	urb->due_us = 0;
	urb->first = FAR_NONE;
	if (far->gone || slot(urb->endpoint) >= ENDPOINTS) {
		urb->status = far->gone ? -ENODEV : -ENOENT;
		far->done(far->user, urb);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = urb;
	if (slot(urb->endpoint))
		vftdi_count_submit(far->device, urb->endpoint);
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
