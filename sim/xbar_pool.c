/* SPDX-License-Identifier: MIT */
/* Worker threads that wait for parts of one job at a time. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "sim/xbar_core.h"

/* Parts next..end - 1, which one thread takes first. */
struct range {
	unsigned next, end;
};

struct worker {
	struct xbar_pool *pool;
	unsigned number; /* of its range; 0 is the caller's */
	pthread_t thread;
};

struct xbar_pool {
	pthread_mutex_t lock;
	pthread_cond_t work_there, work_done;
	void (*work)(void *arg, unsigned part);
	void *arg;
	unsigned running; /* parts that threads are at */
	bool ending;
	unsigned workers;
	struct range range[XBAR_THREADS_MAX];
	struct worker worker[XBAR_THREADS_MAX];
};

/*
 * Takes the next part of the thread's own range, so that neighbours in memory stay with one thread, from job to job
 * too; then the last of the range that has most left. False when there is none.
 */
static bool take_part(struct xbar_pool *pool, unsigned number, unsigned *part)
{
	struct range *own = &pool->range[number], *most = own;

	for (unsigned i = 0; i <= pool->workers; i++)
		if (pool->range[i].end - pool->range[i].next > most->end - most->next)
			most = &pool->range[i];
	if (own->next < own->end)
		*part = own->next++;
	else if (most->next < most->end)
		*part = --most->end;
	else
		return false;
	return true;
}

/* Takes parts while there are some; the lock is held at entry and exit. */
static void take_parts(struct xbar_pool *pool, unsigned number)
{
	unsigned part;

	while (take_part(pool, number, &part)) {
		pool->running++;
		pthread_mutex_unlock(&pool->lock);
		pool->work(pool->arg, part);
		pthread_mutex_lock(&pool->lock);
		pool->running--;
	}
}

static void *worker(void *arg)
{
	const struct worker *self = arg;
	struct xbar_pool *pool = self->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		take_parts(pool, self->number);
		if (!pool->running)
			pthread_cond_signal(&pool->work_done);
		if (!pool->ending)
			pthread_cond_wait(&pool->work_there, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

void xbar_pool_free(struct xbar_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work_there);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->workers; i++)
		pthread_join(pool->worker[i].thread, NULL);
	pthread_cond_destroy(&pool->work_there);
	pthread_cond_destroy(&pool->work_done);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct xbar_pool *xbar_pool_new(unsigned threads)
{
	struct xbar_pool *pool = calloc(1, sizeof(*pool));
	sigset_t all, before;
	bool good = true;

	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work_there, NULL);
	pthread_cond_init(&pool->work_done, NULL);
	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&pool->lock); /* threads that have begun read how many there are */
	while (good && pool->workers + 1 < threads) {
		struct worker *self = &pool->worker[pool->workers];

		*self = (struct worker){.pool = pool, .number = pool->workers + 1};
		good = pthread_create(&self->thread, NULL, worker, self) == 0;
		pool->workers += good;
	}
	pthread_mutex_unlock(&pool->lock);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (good)
		return pool;
	xbar_pool_free(pool);
	return NULL;
}

void xbar_pool_run(struct xbar_pool *pool, void (*work)(void *arg, unsigned part), void *arg, unsigned parts)
{
	pthread_mutex_lock(&pool->lock);
	pool->work = work;
	pool->arg = arg;
	for (unsigned i = 0; i <= pool->workers; i++)
		pool->range[i] = (struct range){parts * i / (pool->workers + 1), parts * (i + 1) / (pool->workers + 1)};
	pthread_cond_broadcast(&pool->work_there);
	take_parts(pool, 0);
	while (pool->running)
		pthread_cond_wait(&pool->work_done, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}
