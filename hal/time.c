/* SPDX-License-Identifier: MIT */
/* Timeouts become absolute deadlines here, once, at the edge of the API. */
#include <time.h>

#include "hal/hal.h"

int64_t nmhal_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int nm_deadline(const char *subject, int32_t timeout_ms, int32_t default_ms, int64_t *deadline_ns)
{
	if (timeout_ms == NMHAL_TIMEOUT_DEFAULT)
		timeout_ms = default_ms;
	if (timeout_ms < NMHAL_NO_WAIT)
		return nm_fail(subject, NMHAL_E_INVALID,
			"timeout_ms is %d; give milliseconds, 0 (default), -1 (for ever) or -2 (do not wait)",
			timeout_ms);
	if (timeout_ms == NMHAL_WAIT_FOREVER)
		*deadline_ns = NMHAL_NEVER;
	else if (timeout_ms == NMHAL_NO_WAIT)
		*deadline_ns = 0;
	else
		*deadline_ns = nmhal_now_ns() + (int64_t)timeout_ms * 1000000;
	return NMHAL_OK;
}
