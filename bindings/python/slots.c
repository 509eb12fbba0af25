/* SPDX-License-Identifier: MIT */
/*
 * The slots of the process, newest first. Slots are never removed, so the list is read without a lock, also by the
 * handler of Ctrl-C: XLA waits for a program without looking at signals, and its calls run on threads of its own.
 */
#include "bindings/python/slots.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct {
	_Atomic(struct nmhal_py_slot *) newest;
	bool guarded;
	struct sigaction before;
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
	slot->next = atomic_load(&slots.newest);
	do
		slot->number = slot->next ? slot->next->number + 1 : 0;
	while (!atomic_compare_exchange_weak(&slots.newest, &slot->next, slot));
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
	memset(slot->devs, 0, sizeof(slot->devs));
	memcpy(slot->devs, devs, (count < NMHAL_PY_SLOT_DEVICES ? count : NMHAL_PY_SLOT_DEVICES) * sizeof(*devs));
	pthread_mutex_unlock(&slot->lock);
}

void nmhal_py_array_free(nmhal_array *array)
{
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot && array; slot = slot->next) {
		pthread_mutex_lock(&slot->lock);
		if (slot->array == array) {
			slot->array = NULL;
			memset(slot->devs, 0, sizeof(slot->devs));
		}
		pthread_mutex_unlock(&slot->lock);
	}
	nmhal_array_free(array);
}

/* ---- Ctrl-C ------------------------------------------------------------------------------------------------------ */

static void on_interrupt(int number, siginfo_t *info, void *context)
{
	for (struct nmhal_py_slot *slot = atomic_load(&slots.newest); slot; slot = slot->next)
		for (int i = 0; atomic_load(&slot->running) && i < NMHAL_PY_SLOT_DEVICES && slot->devs[i]; i++)
			nmhal_device_interrupt(slot->devs[i]);
	if (slots.before.sa_flags & SA_SIGINFO)
		slots.before.sa_sigaction(number, info, context);
	else
		slots.before.sa_handler(number);
}

void nmhal_py_slots_guard(void)
{
	const struct sigaction action = {.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	if (slots.guarded || sigaction(SIGINT, NULL, &slots.before) != 0)
		return;
	/* Somebody who ignores Ctrl-C, or leaves it to end the process, keeps that. */
	if (slots.before.sa_handler != SIG_IGN && slots.before.sa_handler != SIG_DFL)
		slots.guarded = sigaction(SIGINT, &action, NULL) == 0;
}
