/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C while Python waits inside a call of the library: the call is interrupted, then Python's own handler runs and
 * raises KeyboardInterrupt when the call is back. Python raises it in the main thread only, so only that one is
 * guarded; at most one call at a time, therefore one variable. Below that handler, once and for good, is one that
 * interrupts the calls of compiled programs (slots.h), which run on other threads while the main one waits.
 */
#include "bindings/python/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "bindings/python/slots.h"

static struct {
	pthread_mutex_t lock; /* of what is installed: the two booleans and `before`, while they change */
	bool on, slots_on, slots_wanted;
	struct sigaction before, before_slots;
	pthread_t thread; /* the main one, while on */
	nmhal_device *devs[NMHAL_PY_GUARDED];
	volatile sig_atomic_t count;
	volatile sig_atomic_t fired;
} guarded = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void pass_on(const struct sigaction *to, int number, siginfo_t *info, void *context)
{
	if (to->sa_flags & SA_SIGINFO)
		to->sa_sigaction(number, info, context);
	else
		to->sa_handler(number);
}

static void on_interrupt(int number, siginfo_t *info, void *context)
{
	/* The system may choose any thread; the main one is the only one that cannot be changing `guarded` now. A child
	 * that another thread forked has no main thread yet, and nothing to interrupt. */
	if (!pthread_equal(pthread_self(), guarded.thread)) {
		if (pthread_kill(guarded.thread, number) == 0)
			return;
	} else {
		guarded.fired = 1;
		for (sig_atomic_t i = 0; i < guarded.count; i++)
			nmhal_device_interrupt(guarded.devs[i]);
	}
	pass_on(&guarded.before, number, info, context);
}

static void on_interrupt_of_slots(int number, siginfo_t *info, void *context)
{
	nmhal_py_slots_interrupt();
	pass_on(&guarded.before_slots, number, info, context);
}

typedef void (*handler_fn)(int number, siginfo_t *info, void *context);

/* Puts a handler over the present one, which is kept. Somebody who ignores Ctrl-C, or leaves it to end the process,
 * keeps that: false. */
static bool install(handler_fn handler, struct sigaction *before)
{
	const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	return sigaction(SIGINT, NULL, before) == 0 && before->sa_handler != SIG_IGN && before->sa_handler != SIG_DFL &&
	       sigaction(SIGINT, &action, NULL) == 0;
}

/* An interrupt that came when the call was done would end the next one: a call that does nothing takes it. */
static void take_interrupt(nmhal_device *dev)
{
	int64_t value;
	int status = nmhal_sensor_get(dev, "", &value, NMHAL_NO_WAIT);

	(void)status;
}

void nmhal_py_guard(nmhal_device **devs, size_t count)
{
	nmhal_py_unguard();
	guarded.thread = pthread_self();
	guarded.fired = 0;
	/* Python may lose the guard to an exception that comes between two of its steps: the devices must live on. */
	for (size_t i = 0; i < count && i < NMHAL_PY_GUARDED; i++) {
		guarded.devs[i] = nmhal_device_ref(devs[i]);
		guarded.count = (sig_atomic_t)(i + 1);
	}
	pthread_mutex_lock(&guarded.lock);
	guarded.on = install(on_interrupt, &guarded.before);
	pthread_mutex_unlock(&guarded.lock);
}

void nmhal_py_unguard(void)
{
	const sig_atomic_t count = guarded.count;

	pthread_mutex_lock(&guarded.lock);
	if (guarded.on)
		sigaction(SIGINT, &guarded.before, NULL);
	guarded.on = false;
	if (guarded.slots_wanted && !guarded.slots_on)
		guarded.slots_on = install(on_interrupt_of_slots, &guarded.before_slots);
	pthread_mutex_unlock(&guarded.lock);
	guarded.count = 0;
	for (sig_atomic_t i = 0; i < count; i++) {
		if (guarded.fired)
			take_interrupt(guarded.devs[i]);
		nmhal_device_unref(guarded.devs[i]);
	}
}

void nmhal_py_guard_slots(void)
{
	pthread_mutex_lock(&guarded.lock);
	guarded.slots_wanted = true;
	/* Not over the handler of a call: its end would take both away. */
	if (!guarded.on && !guarded.slots_on)
		guarded.slots_on = install(on_interrupt_of_slots, &guarded.before_slots);
	pthread_mutex_unlock(&guarded.lock);
}

void nmhal_py_forked(void)
{
	struct sigaction now;

	/* Any thread of the parent may have been inside of the above. Its devices are not the child's. */
	pthread_mutex_init(&guarded.lock, NULL);
	if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_sigaction == on_interrupt)
		sigaction(SIGINT, &guarded.before, NULL);
	guarded.on = false;
	guarded.count = 0;
	nmhal_py_slots_forked();
}
