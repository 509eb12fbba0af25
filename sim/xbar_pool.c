/* SPDX-License-Identifier: MIT */
/* Worker threads that wait for parts of one job at a time. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "sim/xbar_core.h"

struct xbar_pool {
	pthread_mutex_t lock;
	pthread_cond_t work_there, work_done;
	void (*work)(void *arg, unsigned part);
	void *arg;
	unsigned parts, next, running; /* next part to take; parts that threads are at */
	bool ending;
	unsigned workers;
	pthread_t worker[XBAR_THREADS_MAX];
};

/* Takes parts while there are some; the lock is held at entry and exit. */
static void take_parts(struct xbar_pool *pool)
{
	while (pool->next < pool->parts) {
		unsigned part = pool->next++;

		pool->running++;
		pthread_mutex_unlock(&pool->lock);
		pool->work(pool->arg, part);
		pthread_mutex_lock(&pool->lock);
		pool->running--;
	}
}

static void *worker(void *arg)
{
	struct xbar_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		take_parts(pool);
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
		pthread_join(pool->worker[i], NULL);
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
	while (good && pool->workers + 1 < threads) {
		good = pthread_create(&pool->worker[pool->workers], NULL, worker, pool) == 0;
		pool->workers += good;
	}
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
	pool->parts = parts;
	pool->next = 0;
	pthread_cond_broadcast(&pool->work_there);
	take_parts(pool);
	while (pool->running)
		pthread_cond_wait(&pool->work_done, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}
