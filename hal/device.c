/* SPDX-License-Identifier: MIT */
/*
 * An open device from its first call to its last: serialisation, interrupt, close, fork.
 *
 * Lock order: the device's lock, then the ring's. nmhal_device_interrupt() takes none.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "hal/hal.h"

#define COLD __attribute__((cold, noinline))
#define LOCK_SLICE_NS 100000000

/*
 * The library's only variable that is neither const nor of one thread. A child of fork() shares the far end of its
 * parent's devices and may have got their locks in any state, so it must not touch them; asking getpid() in every call
 * would cost a system call. Children count themselves here instead, and a call compares.
 */
atomic_uint nm_process;

static void count_fork(void)
{
	atomic_fetch_add_explicit(&nm_process, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
	/* Fails only when out of memory at load; then a child that uses its parent's devices is not told so. */
	(void)pthread_atfork(NULL, NULL, count_fork);
}

static bool is_foreign(const struct nmhal_device *dev)
{
	return dev->process != atomic_load_explicit(&nm_process, memory_order_relaxed);
}

COLD static int fail_null(const char *what)
{
	return nm_fail(NULL, NMHAL_E_INVALID, "%s: dev is NULL", what);
}

COLD static int fail_foreign(const struct nmhal_device *dev, const char *what)
{
	return nm_fail(dev->uri, NMHAL_E_STATE,
		"%s: opened before fork, a child cannot use its parent's device; open it here", what);
}

COLD static int fail_closed(const struct nmhal_device *dev, const char *what)
{
	return nm_fail(dev->uri, NMHAL_E_STATE, "%s: the device is closed", what);
}

int nm_device_check(const struct nmhal_device *dev, const char *what)
{
	if (!dev)
		return fail_null(what);
	if (is_foreign(dev))
		return fail_foreign(dev, what);
	if (atomic_load_explicit(&dev->closed, memory_order_acquire))
		return fail_closed(dev, what);
	return NMHAL_OK;
}

/* Slices, because pthread_mutex_timedlock() follows the wall clock, which may be set back while it waits. */
COLD static int lock_until(struct nmhal_device *dev, const char *what, int64_t deadline_ns)
{
	for (;;) {
		int64_t left_ns = deadline_ns - nmhal_now_ns();
		struct timespec until;

		if (left_ns <= 0)
			return nm_fail(
				dev->uri, NMHAL_E_TIMEOUT, "%s: another call on the device was still running", what);
		if (left_ns > LOCK_SLICE_NS)
			left_ns = LOCK_SLICE_NS;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)left_ns;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		if (pthread_mutex_timedlock(&dev->lock, &until) == 0)
			return NMHAL_OK;
	}
}

/* Apart from its caller, which is short for calls that may wait for ever. */
__attribute__((noinline)) static int lock_in_time(struct nmhal_device *dev, int32_t timeout_ms, const char *what,
	int64_t *deadline_ns)
{
	int status = nm_deadline(dev->uri, timeout_ms, NMHAL_WAIT_FOREVER, deadline_ns);

	if (status || pthread_mutex_trylock(&dev->lock) == 0)
		return status;
	if (*deadline_ns == 0)
		return nm_fail(dev->uri, NMHAL_E_BUSY, "%s: another call on the device is running", what);
	return lock_until(dev, what, *deadline_ns);
}

/* The lock is held, and the call must not go on. */
COLD static int refuse(struct nmhal_device *dev, const char *what)
{
	int status;

	if (atomic_load(&dev->closed))
		status = fail_closed(dev, what);
	else if (atomic_load(&dev->gone))
		status = nm_fail(dev->uri, NMHAL_E_GONE, "%s: the device is gone; close it and open it again", what);
	else if (atomic_exchange(&dev->interrupted, false))
		status = nm_fail(dev->uri, NMHAL_E_CANCELED, "%s: interrupted", what);
	else
		return NMHAL_OK;
	pthread_mutex_unlock(&dev->lock);
	return status;
}

int nm_device_enter(struct nmhal_device *dev, int32_t timeout_ms, const char *what, int64_t *deadline_ns)
{
	int status;

	if (!dev)
		return fail_null(what);
	if (is_foreign(dev))
		return fail_foreign(dev, what);
	if (timeout_ms == NMHAL_TIMEOUT_DEFAULT)
		timeout_ms = dev->caps.default_timeout_ms;
	if (timeout_ms == NMHAL_WAIT_FOREVER) {
		*deadline_ns = NMHAL_NEVER;
		pthread_mutex_lock(&dev->lock);
	} else {
		status = lock_in_time(dev, timeout_ms, what, deadline_ns);
		if (status)
			return status;
	}
	if (atomic_load_explicit(&dev->closed, memory_order_relaxed) ||
		atomic_load_explicit(&dev->gone, memory_order_relaxed) ||
		atomic_load_explicit(&dev->interrupted, memory_order_relaxed))
		return refuse(dev, what);
	dev->what = what;
	return NMHAL_OK;
}

static void forget_weights(struct nmhal_device *dev)
{
	for (uint32_t core = 0; core < dev->caps.cores; core++)
		nm_shadow_forget(&dev->shadow, core, 0, dev->caps.rows);
}

COLD static void note_failure(struct nmhal_device *dev, int status)
{
	if (status == NMHAL_E_GONE) {
		atomic_store(&dev->gone, true);
		nm_ring_wake(dev->ring);
	}
	/* A wire that lost step may have written anything anywhere. */
	if (status == NMHAL_E_IO || status == NMHAL_E_PROTOCOL || status == NMHAL_E_TIMEOUT)
		forget_weights(dev);
	/* A link that was woken may say CANCELED before anybody has polled: that was the interrupt. */
	if (status == NMHAL_E_CANCELED)
		atomic_store(&dev->interrupted, false);
}

COLD static void log_call(struct nmhal_device *dev, int status)
{
	nm_log(dev->ctx, NMHAL_LOG_DEBUG, dev->uri, "%s: %s", dev->what, nmhal_status_name(status));
}

COLD void nm_device_settle(struct nmhal_device *dev, int status)
{
	if (!status)
		nm_sentence_back(dev->before);
	dev->spoke = false;
}

int nm_device_leave(struct nmhal_device *dev, int status)
{
	if (status)
		note_failure(dev, status);
	if (dev->spoke)
		nm_device_settle(dev, status);
	if (dev->ctx->log_level >= NMHAL_LOG_DEBUG)
		log_call(dev, status);
	pthread_mutex_unlock(&dev->lock);
	return status;
}

int nm_unsupported(struct nmhal_device *dev, const char *what, const char *feature)
{
	return nm_fail(dev->uri, NMHAL_E_UNSUPPORTED, "%s: the %s has no %s", what, dev->caps.board, feature);
}

int nmhal_host_fail(struct nmhal_host *host, int status, const char *format, ...)
{
	struct nmhal_device *dev = host->dev;
	va_list args;

	if (!dev->spoke)
		nm_sentence_keep(dev->before);
	dev->spoke = true;
	va_start(args, format);
	status = nm_vfail(dev->uri, status, format, args);
	va_end(args);
	return status;
}

const char *nmhal_host_uri(const struct nmhal_host *host)
{
	return host->dev->uri;
}

void nmhal_host_log(struct nmhal_host *host, enum nmhal_log_level level, const char *format, ...)
{
	va_list args;

	if (level > host->dev->ctx->log_level)
		return;
	va_start(args, format);
	nm_vlog(host->dev->ctx, level, host->dev->uri, format, args);
	va_end(args);
}

COLD static int fail_canceled(struct nmhal_device *dev, const char *what)
{
	/* While close waits there may be no flag to take. */
	if (!atomic_exchange(&dev->interrupted, false) && !atomic_load(&dev->ending))
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_CANCELED, "%s: interrupted", what);
}

int nmhal_host_poll(struct nmhal_host *host, int64_t deadline_ns, const char *what)
{
	struct nmhal_device *dev = host->dev;
	int status;

	if (atomic_load_explicit(&dev->interrupted, memory_order_relaxed) ||
		atomic_load_explicit(&dev->ending, memory_order_relaxed)) {
		status = fail_canceled(dev, what);
		if (status)
			return status;
	}
	if (deadline_ns != NMHAL_NEVER && nmhal_now_ns() >= deadline_ns)
		return nm_fail(dev->uri, NMHAL_E_TIMEOUT, "%s: not done at the deadline", what);
	return NMHAL_OK;
}

/* Makes an op that waits look up. Async-signal-safe; the caller has counted itself in `interrupting`. */
static void wake_op(struct nmhal_device *dev)
{
	if (dev->ops.interrupt)
		dev->ops.interrupt(dev->self);
}

void nmhal_device_interrupt(nmhal_device *dev)
{
	if (!dev || is_foreign(dev))
		return;
	/* Counted before `closed` is read, and close sets `closed` before it reads the count: either sees the other. */
	atomic_fetch_add(&dev->interrupting, 1);
	if (!atomic_load(&dev->closed)) {
		atomic_store(&dev->interrupted, true);
		wake_op(dev);
		nm_ring_wake(dev->ring);
	}
	atomic_fetch_sub(&dev->interrupting, 1);
}

/* The lock is held and no op will ever run again. */
static int end_session(struct nmhal_device *dev)
{
	int status = NMHAL_OK;

	atomic_store(&dev->ending, false);
	atomic_store(&dev->interrupted, false);
	if (dev->state)
		status = nm_state_close(dev, dev->state, !atomic_load(&dev->gone));
	dev->state = NULL;
	while (atomic_load(&dev->interrupting))
		sched_yield();
	dev->ops.close(dev->self);
	dev->self = NULL;
	nm_ring_close(dev->ring);
	nm_log(dev->ctx, NMHAL_LOG_INFO, dev->uri, "closed");
	return status;
}

int nmhal_device_close(nmhal_device *dev)
{
	int status = NMHAL_OK;

	if (!dev)
		return fail_null("close");
	if (is_foreign(dev))
		return NMHAL_OK;
	atomic_fetch_add(&dev->interrupting, 1);
	if (!atomic_exchange(&dev->closed, true)) {
		atomic_store(&dev->ending, true);
		/* Readers of spikes wait on for those of the ending run, until the ring is closed. */
		wake_op(dev);
	}
	atomic_fetch_sub(&dev->interrupting, 1);
	pthread_mutex_lock(&dev->lock);
	if (dev->is_open) {
		dev->is_open = false;
		status = end_session(dev);
		if (dev->spoke)
			nm_device_settle(dev, status);
	}
	pthread_mutex_unlock(&dev->lock);
	return status;
}

const char *nmhal_device_uri(const nmhal_device *dev)
{
	return dev ? dev->uri : "";
}

nmhal_device *nmhal_device_ref(nmhal_device *dev)
{
	if (dev)
		atomic_fetch_add_explicit(&dev->refs, 1, memory_order_relaxed);
	return dev;
}

void nm_device_free(struct nmhal_device *dev)
{
	nm_ring_free(dev->ring);
	nm_shadow_free(&dev->shadow);
	pthread_mutex_destroy(&dev->lock);
	nm_uri_free(dev->parsed);
	free(dev->uri);
	nmhal_context_unref(dev->ctx);
	free(dev);
}

void nmhal_device_unref(nmhal_device *dev)
{
	int status;

	if (!dev || atomic_fetch_sub_explicit(&dev->refs, 1, memory_order_acq_rel) > 1)
		return;
	/* A child cannot tell what of its copy of the device is whole: it is left alone. */
	if (is_foreign(dev))
		return;
	status = nmhal_device_close(dev);
	if (status)
		nm_log(dev->ctx, NMHAL_LOG_ERROR, dev->uri, "close: %s", nmhal_last_error());
	nm_device_free(dev);
}

int nmhal_device_caps(nmhal_device *dev, struct nmhal_device_caps *caps)
{
	int status = nm_device_check(dev, "get capabilities");

	if (status)
		return status;
	return nm_copy_out(caps, sizeof *caps, sizeof *caps, &dev->caps, "struct nmhal_device_caps");
}

int nmhal_device_reset(nmhal_device *dev, int32_t timeout_ms)
{
	int64_t deadline_ns;
	int status = nm_device_enter(dev, timeout_ms, "reset", &deadline_ns);

	if (status)
		return status;
	if (!dev->ops.reset)
		return nm_device_leave(dev, nm_unsupported(dev, "reset", "reset"));
	status = dev->ops.reset(dev->self, deadline_ns);
	forget_weights(dev);
	return nm_device_leave(dev, status);
}
