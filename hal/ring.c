/* SPDX-License-Identifier: MIT */
/*
 * Output events on their way from runs to nmhal_read_spikes().
 *
 * Events lie in a circular buffer. Spans, in a second one, cut it where a run ends or events were lost: each span says
 * how many events it has, which run they belong to, and how many were lost right before them. Every span has at least
 * one event, so there are never more spans than events. What was lost after the last event waits in `lost` until the
 * next event comes or a reader has taken all there is.
 *
 * Readers wait on a semaphore, because sem_post() is all that a signal handler may call. A reader registers in
 * `waiting`; who wakes claims all registrations and posts one token for each, so a writer makes no system call when
 * nobody waits, and at any time registrations and tokens together are as many as there are readers waiting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hal/hal.h"

struct span {
	uint64_t lost;
	size_t count;
	uint32_t run;
};

struct nm_ring {
	pthread_mutex_t lock;
	sem_t wakeup;
	atomic_uint waiting; /* registrations nobody has claimed */
	atomic_uint wakes;   /* calls of nm_ring_wake() */
	bool closed;
	size_t capacity;
	size_t head, count;	    /* events: first one, number */
	size_t first, spans;	    /* spans: likewise */
	uint64_t lost;		    /* after the last event; */
	uint32_t lost_run;	    /* run that lost last */
	struct nmhal_event *events; /* [capacity] */
	struct span *span;	    /* [capacity] */
};

int nm_ring_new(size_t capacity, struct nm_ring **out)
{
	struct nm_ring *ring = calloc(1, sizeof(*ring));

	*out = NULL;
	if (!ring)
		return nm_no_memory(NULL, "the spike ring");
	ring->capacity = capacity;
	ring->events = calloc(capacity, sizeof(*ring->events));
	ring->span = calloc(capacity, sizeof(*ring->span));
	if (!ring->events || !ring->span) {
		free(ring->events);
		free(ring->span);
		free(ring);
		return nm_fail(NULL, NMHAL_E_NO_MEMORY, "the spike ring of %zu events: out of memory", capacity);
	}
	pthread_mutex_init(&ring->lock, NULL);
	sem_init(&ring->wakeup, 0, 0);
	*out = ring;
	return NMHAL_OK;
}

void nm_ring_free(struct nm_ring *ring)
{
	if (!ring)
		return;
	sem_destroy(&ring->wakeup);
	pthread_mutex_destroy(&ring->lock);
	free(ring->events);
	free(ring->span);
	free(ring);
}

static void post_waiting(struct nm_ring *ring)
{
	if (!atomic_load(&ring->waiting))
		return;
	for (unsigned readers = atomic_exchange(&ring->waiting, 0); readers; readers--)
		sem_post(&ring->wakeup);
}

void nm_ring_wake(struct nm_ring *ring)
{
	atomic_fetch_add(&ring->wakes, 1);
	post_waiting(ring);
}

void nm_ring_close(struct nm_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->closed = true;
	pthread_mutex_unlock(&ring->lock);
	post_waiting(ring);
}

/* Position `offset` after `start` on a circle of capacity slots; both are at most capacity. */
static size_t around(const struct nm_ring *ring, size_t start, size_t offset)
{
	size_t room = ring->capacity - start;

	return offset < room ? start + offset : offset - room;
}

static void put(struct nm_ring *ring, uint32_t run, const struct nmhal_event *events, size_t count)
{
	size_t tail = around(ring, ring->head, ring->count);
	size_t before_wrap = ring->capacity - tail < count ? ring->capacity - tail : count;
	struct span *last = &ring->span[around(ring, ring->first, ring->spans ? ring->spans - 1 : 0)];

	memcpy(ring->events + tail, events, before_wrap * sizeof(*events));
	memcpy(ring->events, events + before_wrap, (count - before_wrap) * sizeof(*events));
	ring->count += count;
	if (ring->spans && last->run == run && !ring->lost) {
		last->count += count;
		return;
	}
	ring->span[around(ring, ring->first, ring->spans++)] = (struct span){ring->lost, count, run};
	ring->lost = 0;
}

size_t nm_ring_push(struct nm_ring *ring, uint32_t run, const struct nmhal_event *events, size_t count)
{
	size_t room, stored;

	if (!count)
		return 0;
	pthread_mutex_lock(&ring->lock);
	room = ring->capacity - ring->count;
	stored = count < room ? count : room;
	if (stored)
		put(ring, run, events, stored);
	if (stored < count) {
		ring->lost += count - stored;
		ring->lost_run = run;
	}
	pthread_mutex_unlock(&ring->lock);
	post_waiting(ring);
	return count - stored;
}

static void take(struct nm_ring *ring, struct nmhal_spike_read *rd)
{
	struct span *span = &ring->span[ring->first];
	size_t count = span->count < rd->capacity ? span->count : rd->capacity;
	size_t before_wrap = ring->capacity - ring->head < count ? ring->capacity - ring->head : count;

	memcpy(rd->events, ring->events + ring->head, before_wrap * sizeof(*rd->events));
	memcpy(rd->events + before_wrap, ring->events, (count - before_wrap) * sizeof(*rd->events));
	rd->count = count;
	rd->lost = span->lost;
	rd->run = span->run;
	ring->head = around(ring, ring->head, count);
	ring->count -= count;
	span->count -= count;
	span->lost = 0;
	if (!span->count) {
		ring->first = around(ring, ring->first, 1);
		ring->spans--;
	}
}

/* OK when something was taken, STATE when nothing will come, else AGAIN. */
static int try_read(struct nm_ring *ring, struct nmhal_spike_read *rd)
{
	int status = NMHAL_OK;

	pthread_mutex_lock(&ring->lock);
	if (ring->count) {
		take(ring, rd);
	} else if (ring->lost) {
		rd->lost = ring->lost;
		rd->run = ring->lost_run;
		ring->lost = 0;
	} else {
		status = ring->closed ? NMHAL_E_STATE : NMHAL_E_AGAIN;
	}
	pthread_mutex_unlock(&ring->lock);
	return status;
}

/* Waits for a token; false: there was none before the deadline (*late) or a signal came. */
static bool wait_token(struct nm_ring *ring, int64_t deadline_ns, bool *late)
{
	struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000), .tv_nsec = deadline_ns % 1000000000};

	if (deadline_ns == NMHAL_NEVER)
		return !sem_wait(&ring->wakeup);
	if (!sem_clockwait(&ring->wakeup, CLOCK_MONOTONIC, &until))
		return true;
	*late = errno == ETIMEDOUT;
	return false;
}

/* Takes back a registration: one that nobody claimed, or else the token that somebody posted or is about to post. */
static void unregister(struct nm_ring *ring)
{
	unsigned readers = atomic_load(&ring->waiting);

	while (readers && !atomic_compare_exchange_weak(&ring->waiting, &readers, readers - 1)) {
	}
	if (readers)
		return;
	while (sem_wait(&ring->wakeup) && errno == EINTR) {
	}
}

int nm_ring_read(struct nm_ring *ring, struct nmhal_spike_read *rd, int64_t deadline_ns, atomic_bool *interrupted)
{
	unsigned wakes = atomic_load(&ring->wakes);
	bool late = false;
	int status;

	rd->count = 0;
	rd->lost = 0;
	rd->run = 0;
	status = try_read(ring, rd);
	if (status != NMHAL_E_AGAIN || deadline_ns == 0)
		return status;
	/* Registered before the last look, so that a push or wake after it posts. */
	atomic_fetch_add(&ring->waiting, 1);
	for (;;) {
		status = try_read(ring, rd);
		if (status == NMHAL_E_AGAIN && (atomic_load(&ring->wakes) != wakes || atomic_load(interrupted)))
			status = NMHAL_E_CANCELED;
		else if (status == NMHAL_E_AGAIN && late)
			status = NMHAL_E_TIMEOUT;
		if (status != NMHAL_E_AGAIN)
			break;
		if (wait_token(ring, deadline_ns, &late))
			atomic_fetch_add(&ring->waiting, 1);
	}
	unregister(ring);
	return status;
}
