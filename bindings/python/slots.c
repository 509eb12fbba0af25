/* SPDX-License-Identifier: MIT */
/*
 * The slots of the process, newest first. Slots are never removed, so the list is read without a lock, also by the
 * handler of Ctrl-C: XLA waits for a program without looking at signals, and its calls run on threads of its own.
 */
#include "bindings/python/slots.h"

#include <sched.h>
#include <stdlib.h>

static struct {
	_Atomic(struct nmhal_py_slot *) newest;
	_Atomic(int64_t) count;
	atomic_int visitors; /* handlers of Ctrl-C that look at the devices of slots now */
} slots;

static struct nmhal_py_slot *find(int64_t number)
{
	struct nmhal_py_slot *slot = atomic_load(&slots.newest);

	while (slot && slot->number != number)
		slot = slot->next;
	return slot;
}

int64_t nmhal_py_slot_new(void)
{
	struct nmhal_py_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return -1;
	pthread_mutex_init(&slot->lock, NULL);
	slot->number = atomic_fetch_add(&slots.count, 1);
	slot->next = atomic_load(&slots.newest);
	while (!atomic_compare_exchange_weak(&slots.newest, &slot->next, slot))
		;
	return slot->number;
}

struct nmhal_py_slot *nmhal_py_slot_enter(int64_t number)
{
	struct nmhal_py_slot *slot = find(number);

	if (!slot)
		return NULL;
	pthread_mutex_lock(&slot->lock);
	atomic_store(&slot->running, true);
	return slot;
}

void nmhal_py_slot_leave(struct nmhal_py_slot *slot)
{
	atomic_store(&slot->running, false);
	pthread_mutex_unlock(&slot->lock);
}

static void set_devices(struct nmhal_py_slot *slot, nmhal_device **devs, size_t count)
{
	for (size_t i = 0; i < NMHAL_PY_SLOT_DEVICES; i++)
		atomic_store(&slot->devs[i], i < count ? devs[i] : NULL);
}

void nmhal_py_slot_bind(int64_t number, nmhal_array *array, uint32_t n_out, uint32_t n_in,
	const struct nmhal_array_options *options, nmhal_device **devs, size_t count)
{
	struct nmhal_py_slot *slot = find(number);

	if (!slot)
		return;
	pthread_mutex_lock(&slot->lock);
	slot->array = array;
	slot->n_out = n_out;
	slot->n_in = n_in;
	slot->options = *options;
	set_devices(slot, devs, count);
	pthread_mutex_unlock(&slot->lock);
}

void nmhal_py_array_free(nmhal_array *array)
{
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot && array; slot = slot->next) {
		pthread_mutex_lock(&slot->lock);
		if (slot->array == array) {
			slot->array = NULL;
			set_devices(slot, NULL, 0);
		}
		pthread_mutex_unlock(&slot->lock);
	}
	/* The array may hold the last references to its devices; a handler may still have one that it found before. */
	while (atomic_load(&slots.visitors))
		sched_yield();
	nmhal_array_free(array);
}

void nmhal_py_slots_interrupt(void)
{
	atomic_fetch_add(&slots.visitors, 1);
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot; slot = slot->next) {
		for (size_t i = 0; atomic_load(&slot->running) && i < NMHAL_PY_SLOT_DEVICES; i++) {
			nmhal_device *dev = atomic_load(&slot->devs[i]);

			if (!dev)
				break;
			nmhal_device_interrupt(dev);
		}
	}
	atomic_fetch_sub(&slots.visitors, 1);
}

void nmhal_py_slots_forked(void)
{
	/* Their locks may be held by threads that the child does not have. Numbers go on, so none is used twice. */
	atomic_store(&slots.newest, NULL);
	atomic_store(&slots.visitors, 0);
}
