/* SPDX-License-Identifier: MIT */
/* Numbers that stand for arrays in compiled programs: they are never used again, and outlive their arrays. */
#ifndef NMHAL_PY_SLOTS_H
#define NMHAL_PY_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <nmhal/nmhal.h>

#define NMHAL_PY_SLOT_DEVICES 16

struct nmhal_py_slot {
	struct nmhal_py_slot *next; /* an older one */
	int64_t number;
	nmhal_array *array; /* NULL: freed; this and what follows changes between calls only */
	uint32_t n_out, n_in;
	struct nmhal_array_options options;
	uint64_t vectors; /* that products without a key have had so far */
	_Atomic(nmhal_device *) devs[NMHAL_PY_SLOT_DEVICES]; /* that Ctrl-C interrupts, NULL behind the last */
	atomic_bool running;
	pthread_t owner;       /* the thread of the call, while it runs */
	bool free_at_end;      /* the array was freed inside of the call */
	bool interrupt_at_end; /* Ctrl-C ended a function of Python inside of it */
};

/* A new slot without array; a few hundred bytes until the process ends. Its number, or -1: out of memory. */
int64_t nmhal_py_slot_new(void);
/* From now on the slot stands for this array, which is the caller's, when the running call is over. */
void nmhal_py_slot_bind(int64_t number, nmhal_array *array, uint32_t n_out, uint32_t n_in, const struct nmhal_array_options *options, nmhal_device **devs, size_t count);
/* Takes the array out of its slot, when the call that runs there is over, and frees it. From inside of that very call,
 * as a device's function may: the end of the call does. NULL is fine. */
void nmhal_py_array_free(nmhal_array *array);
/* Interrupts the calls that run on slots. For handlers of signals too. */
void nmhal_py_slots_interrupt(void);
/* From inside of a call on a slot: Ctrl-C comes once more when it is over, so that it reaches who waits for it. */
void nmhal_py_interrupt_at_end(void);
/* In a forked child: forgets all slots. */
void nmhal_py_slots_forked(void);

/* A slot for a call, to be left again, when no call runs on it or on one with a device of it; NULL: no such number. */
struct nmhal_py_slot *nmhal_py_slot_enter(int64_t number);
void nmhal_py_slot_leave(struct nmhal_py_slot *slot);

#endif
