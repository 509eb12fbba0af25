/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C while Python waits inside a call of the library: the call is interrupted, then Python's own handler runs and
 * raises KeyboardInterrupt when the call is back. Python raises it in the main thread only, so only that one is
 * guarded; at most one call at a time, therefore one variable.
 */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "guard.h"

static struct {
	nmhal_device *devs[NMHAL_PY_GUARDED];
	volatile sig_atomic_t count;
	volatile sig_atomic_t fired;
	bool on;
	pthread_t thread;
	struct sigaction before;
} guarded;

static void on_interrupt(int number, siginfo_t *info, void *context)
{
	/* The system may choose any thread; the main one is the only one that cannot be changing `guarded` now. */
	if (!pthread_equal(pthread_self(), guarded.thread)) {
		pthread_kill(guarded.thread, number);
		return;
	}
	guarded.fired = 1;
	for (sig_atomic_t i = 0; i < guarded.count; i++)
		nmhal_device_interrupt(guarded.devs[i]);
	if (guarded.before.sa_flags & SA_SIGINFO)
		guarded.before.sa_sigaction(number, info, context);
	else
		guarded.before.sa_handler(number);
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
	struct sigaction action = {.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	nmhal_py_unguard();
	/* Somebody who ignores Ctrl-C, or leaves it to end the process, keeps that. */
	if (sigaction(SIGINT, NULL, &guarded.before) != 0 || guarded.before.sa_handler == SIG_IGN ||
		guarded.before.sa_handler == SIG_DFL)
		return;
	guarded.thread = pthread_self();
	guarded.fired = 0;
	/* Python may lose the guard to an exception that comes between two of its steps: the devices must live on. */
	for (size_t i = 0; i < count && i < NMHAL_PY_GUARDED; i++) {
		guarded.devs[i] = nmhal_device_ref(devs[i]);
		guarded.count = (sig_atomic_t)(i + 1);
	}
	guarded.on = sigaction(SIGINT, &action, NULL) == 0;
}

void nmhal_py_unguard(void)
{
	const sig_atomic_t count = guarded.count;

	if (guarded.on)
		sigaction(SIGINT, &guarded.before, NULL);
	guarded.on = false;
	guarded.count = 0;
	for (sig_atomic_t i = 0; i < count; i++) {
		if (guarded.fired)
			take_interrupt(guarded.devs[i]);
		nmhal_device_unref(guarded.devs[i]);
	}
}
