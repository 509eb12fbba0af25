/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C while Python waits inside a call of the library: the call is interrupted, then Python's own handler runs and
 * raises KeyboardInterrupt when the call is back. Signals reach the main thread only, so only it is guarded; at most one
 * call at a time, therefore one variable.
 */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "guard.h"

static struct {
	nmhal_device *devs[NMHAL_PY_GUARDED];
	atomic_size_t count;
	struct sigaction before;
} guarded;

static void on_interrupt(int number, siginfo_t *info, void *context)
{
	const size_t count = atomic_load(&guarded.count);

	for (size_t i = 0; i < count; i++)
		nmhal_device_interrupt(guarded.devs[i]);
	if (guarded.before.sa_flags & SA_SIGINFO)
		guarded.before.sa_sigaction(number, info, context);
	else if (guarded.before.sa_handler != SIG_DFL && guarded.before.sa_handler != SIG_IGN)
		guarded.before.sa_handler(number);
}

int nmhal_py_guard(nmhal_device **devs, size_t count)
{
	struct sigaction action = {.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	/* Somebody who ignores Ctrl-C, or leaves it to end the process, keeps that. */
	if (sigaction(SIGINT, NULL, &guarded.before) != 0 || guarded.before.sa_handler == SIG_IGN ||
		guarded.before.sa_handler == SIG_DFL)
		return 0;
	count = count < NMHAL_PY_GUARDED ? count : NMHAL_PY_GUARDED;
	memcpy(guarded.devs, devs, count * sizeof(*devs));
	atomic_store(&guarded.count, count);
	return sigaction(SIGINT, &action, NULL) == 0;
}

void nmhal_py_unguard(void)
{
	sigaction(SIGINT, &guarded.before, NULL);
	atomic_store(&guarded.count, 0);
}
