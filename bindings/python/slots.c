/* SPDX-License-Identifier: MIT */
/*
 * The slots of the process, newest first. Slots are never removed, so the list is read without a lock, also by the
 * handler of Ctrl-C: XLA waits for a program without looking at signals, and its calls run on threads of its own.
 * A call has its slot and all devices of it to itself, as one step: so calls on several devices cannot block each other
 * for ever, and what takes several calls of the library (a layer: weights, neurons, runs) is not mixed with another.
 */
#include "bindings/python/slots.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>

static struct {
	pthread_mutex_t lock; /* of all slots; never held during a call */
	pthread_cond_t left;  /* a call is over */
	_Atomic(struct nmhal_py_slot *) newest;
	_Atomic(int64_t) count;
	atomic_int visitors; /* handlers of Ctrl-C that look at the devices of slots now */
} slots = {.lock = PTHREAD_MUTEX_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

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
	slot->number = atomic_fetch_add(&slots.count, 1);
	slot->next = atomic_load(&slots.newest);
	while (!atomic_compare_exchange_weak(&slots.newest, &slot->next, slot))
		;
	return slot->number;
}

static bool has_device(const struct nmhal_py_slot *slot, const nmhal_device *dev)
{
	for (size_t i = 0; i < NMHAL_PY_SLOT_DEVICES; i++)
		if (atomic_load(&slot->devs[i]) == dev)
			return true;
	return false;
}

/* Does a call run on this slot, or on one with a device of it? */
static bool is_busy(const struct nmhal_py_slot *slot)
{
	for (const struct nmhal_py_slot *other = atomic_load(&slots.newest); other; other = other->next) {
		if (!atomic_load(&other->running))
			continue;
		if (other == slot)
			return true;
		for (size_t i = 0; i < NMHAL_PY_SLOT_DEVICES && atomic_load(&slot->devs[i]); i++)
			if (has_device(other, atomic_load(&slot->devs[i])))
				return true;
	}
	return false;
}

struct nmhal_py_slot *nmhal_py_slot_enter(int64_t number)
{
	struct nmhal_py_slot *slot = find(number);

	if (!slot)
		return NULL;
	pthread_mutex_lock(&slots.lock);
	while (is_busy(slot))
		pthread_cond_wait(&slots.left, &slots.lock);
	slot->owner = pthread_self();
	atomic_store(&slot->running, true);
	pthread_mutex_unlock(&slots.lock);
	return slot;
}

static void set_devices(struct nmhal_py_slot *slot, nmhal_device **devs, size_t count)
{
	for (size_t i = 0; i < NMHAL_PY_SLOT_DEVICES; i++)
		atomic_store(&slot->devs[i], i < count ? devs[i] : NULL);
}

static void wait_for_call(struct nmhal_py_slot *slot)
{
	while (atomic_load(&slot->running))
		pthread_cond_wait(&slots.left, &slots.lock);
}

void nmhal_py_slot_bind(int64_t number, nmhal_array *array, uint32_t n_out, uint32_t n_in,
	const struct nmhal_array_options *options, nmhal_device **devs, size_t count)
{
	struct nmhal_py_slot *slot = find(number);

	if (!slot)
		return;
	pthread_mutex_lock(&slots.lock);
	wait_for_call(slot);
	slot->array = array;
	slot->n_out = n_out;
	slot->n_in = n_in;
	slot->options = *options;
	set_devices(slot, devs, count);
	pthread_mutex_unlock(&slots.lock);
}

static void free_array(nmhal_array *array)
{
	/* The array may hold the last references to its devices; a handler may still have one that it found before. */
	while (atomic_load(&slots.visitors))
		sched_yield();
	nmhal_array_free(array);
}

/* Is this thread inside of the call that runs on the slot? */
static bool is_inside(const struct nmhal_py_slot *slot)
{
	return atomic_load(&slot->running) && pthread_equal(slot->owner, pthread_self());
}

/* The array leaves the slot; false: this thread is inside of its call, at whose end it is freed. */
static bool unbind(struct nmhal_py_slot *slot)
{
	if (is_inside(slot)) {
		slot->free_at_end = true;
		return false;
	}
	wait_for_call(slot);
	slot->array = NULL;
	set_devices(slot, NULL, 0);
	return true;
}

void nmhal_py_array_free(nmhal_array *array)
{
	bool free_now = true;

	if (!array)
		return;
	pthread_mutex_lock(&slots.lock);
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot; slot = slot->next)
		if (slot->array == array)
			free_now = unbind(slot) && free_now;
	pthread_mutex_unlock(&slots.lock);
	if (free_now)
		free_array(array);
}

void nmhal_py_slot_leave(struct nmhal_py_slot *slot)
{
	nmhal_array *array = NULL;
	bool interrupt;

	pthread_mutex_lock(&slots.lock);
	atomic_store(&slot->running, false);
	interrupt = slot->interrupt_at_end;
	slot->interrupt_at_end = false;
	if (slot->free_at_end) {
		array = slot->array;
		slot->array = NULL;
		slot->free_at_end = false;
		set_devices(slot, NULL, 0);
	}
	pthread_cond_broadcast(&slots.left);
	pthread_mutex_unlock(&slots.lock);
	if (array)
		free_array(array);
	if (interrupt)
		raise(SIGINT);
}

void nmhal_py_interrupt_at_end(void)
{
	pthread_mutex_lock(&slots.lock);
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot; slot = slot->next)
		if (is_inside(slot))
			slot->interrupt_at_end = true;
	pthread_mutex_unlock(&slots.lock);
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
	/* The lock may be held by a thread that the child does not have. Numbers go on, so none is used twice. */
	pthread_mutex_init(&slots.lock, NULL);
	pthread_cond_init(&slots.left, NULL);
	atomic_store(&slots.newest, NULL);
	atomic_store(&slots.visitors, 0);
}
