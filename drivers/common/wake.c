/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "wake.h"

#define NS_PER_S INT64_C(1000000000)

int wake_open(struct nmhal_host *host, int *wake)
{
	*wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*wake >= 0)
		return NMHAL_OK;
	return nmhal_host_fail(host, NMHAL_E_IO, "open: eventfd: %s", strerror(errno));
}

void wake_signal(int wake)
{
	const uint64_t one = 1;
	int kept = errno; /* of the code that a signal handler interrupts */

	(void)!write(wake, &one, sizeof(one));
	errno = kept;
}

int wake_poll(int wake, struct pollfd *fds, size_t count, int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns == NMHAL_NEVER ? 0 : deadline_ns - nmhal_now_ns();
	struct timespec left = {0};
	uint64_t wakes;
	int ready;

	if (left_ns > 0)
		left = (struct timespec){.tv_sec = left_ns / NS_PER_S, .tv_nsec = left_ns % NS_PER_S};
	fds[count - 1] = (struct pollfd){wake, POLLIN, 0};
	ready = ppoll(fds, count, deadline_ns == NMHAL_NEVER ? NULL : &left, NULL);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	if (ready > 1 || !fds[count - 1].revents)
		return ready - (fds[count - 1].revents != 0);
	(void)!read(wake, &wakes, sizeof(wakes));
	return 0;
}
