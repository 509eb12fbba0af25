/* SPDX-License-Identifier: MIT */
/* The spike ring: order, runs, exact places of losses, waiting. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/board.h"

static void sleep_ms(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

static struct nm_ring *new_ring(size_t capacity)
{
	struct nm_ring *ring;

	assert_ok(nm_ring_new(capacity, &ring));
	return ring;
}

static size_t push_numbers(struct nm_ring *ring, uint32_t run, uint32_t first, size_t count)
{
	struct nmhal_event events[64] = {{0}};

	ck_assert_uint_le(count, 64);
	for (size_t i = 0; i < count; i++)
		events[i].address = first + (uint32_t)i;
	return nm_ring_push(ring, run, events, count);
}

START_TEST(order_and_wrap)
{
	struct nm_ring *ring = new_ring(7);
	struct nmhal_event events[16];
	struct nmhal_spike_read rd = {.events = events, .capacity = 3};
	atomic_bool flag = false;
	uint32_t next = 0;

	for (uint32_t pushed = 0; pushed < 700; pushed += 5) {
		ck_assert_uint_eq(push_numbers(ring, 1, pushed, 5), 0);
		while (nm_ring_read(ring, &rd, 0, &flag) == NMHAL_OK) {
			ck_assert_uint_eq(rd.lost, 0);
			ck_assert_uint_eq(rd.run, 1);
			for (size_t i = 0; i < rd.count; i++)
				ck_assert_uint_eq(events[i].address, next++);
		}
		ck_assert_uint_eq(next, pushed + 5);
	}
	nm_ring_free(ring);
}
END_TEST

START_TEST(loss_is_told_where_it_happened)
{
	struct nm_ring *ring = new_ring(4);
	struct nmhal_event events[8];
	struct nmhal_spike_read rd = {.events = events, .capacity = 8};
	atomic_bool flag = false;

	ck_assert_uint_eq(push_numbers(ring, 1, 0, 6), 2);
	ck_assert_uint_eq(push_numbers(ring, 1, 6, 1), 1);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 4);
	ck_assert_uint_eq(rd.lost, 0);
	ck_assert_uint_eq(push_numbers(ring, 2, 7, 2), 0);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 2);
	ck_assert_uint_eq(rd.lost, 3);
	ck_assert_uint_eq(rd.run, 2);
	ck_assert_uint_eq(events[0].address, 7);
	/* Lost last of all: told on its own. */
	ck_assert_uint_eq(push_numbers(ring, 3, 0, 5), 1);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 4);
	ck_assert_uint_eq(rd.lost, 0);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 0);
	ck_assert_uint_eq(rd.lost, 1);
	ck_assert_uint_eq(rd.run, 3);
	ck_assert_int_eq(nm_ring_read(ring, &rd, 0, &flag), NMHAL_E_AGAIN);
	nm_ring_free(ring);
}
END_TEST

START_TEST(runs_are_not_mixed)
{
	struct nm_ring *ring = new_ring(8);
	struct nmhal_event events[8];
	struct nmhal_spike_read rd = {.events = events, .capacity = 8};
	atomic_bool flag = false;

	push_numbers(ring, 1, 0, 2);
	push_numbers(ring, 1, 2, 1);
	push_numbers(ring, 2, 3, 2);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 3);
	ck_assert_uint_eq(rd.run, 1);
	assert_ok(nm_ring_read(ring, &rd, 0, &flag));
	ck_assert_uint_eq(rd.count, 2);
	ck_assert_uint_eq(rd.run, 2);
	nm_ring_free(ring);
}
END_TEST

/* The model: what was stored, each event with its run and what was lost right before it. */
struct model {
	struct {
		uint32_t address, run;
		uint64_t lost;
	} slots[4096];
	size_t first, count, capacity;
	uint64_t lost;
	uint32_t lost_run;
};

static size_t model_push(struct model *model, uint32_t run, uint32_t address, size_t count)
{
	size_t lost = 0;

	for (size_t i = 0; i < count; i++) {
		size_t end = model->first + model->count;

		if (model->count == model->capacity) {
			model->lost++;
			model->lost_run = run;
			lost++;
			continue;
		}
		ck_assert_uint_lt(end, 4096);
		model->slots[end].address = address + (uint32_t)i;
		model->slots[end].run = run;
		model->slots[end].lost = model->lost;
		model->lost = 0;
		model->count++;
	}
	return lost;
}

static void model_check(struct model *model, int status, const struct nmhal_spike_read *rd)
{
	size_t n = 0;

	if (!model->count) {
		ck_assert_int_eq(status, model->lost ? NMHAL_OK : NMHAL_E_AGAIN);
		ck_assert_uint_eq(rd->count, 0);
		ck_assert_uint_eq(rd->lost, model->lost);
		ck_assert_uint_eq(rd->run, model->lost ? model->lost_run : 0);
		model->lost = 0;
		return;
	}
	ck_assert_int_eq(status, NMHAL_OK);
	ck_assert_uint_eq(rd->lost, model->slots[model->first].lost);
	do {
		ck_assert_uint_eq(rd->events[n].address, model->slots[model->first + n].address);
		ck_assert_uint_eq(rd->run, model->slots[model->first + n].run);
		n++;
	} while (n < model->count && n < rd->capacity && !model->slots[model->first + n].lost &&
		 model->slots[model->first + n].run == rd->run);
	ck_assert_uint_eq(rd->count, n);
	model->first += n;
	model->count -= n;
}

START_TEST(like_the_model)
{
	static struct model model;
	struct nmhal_event events[64];
	atomic_bool flag = false;
	size_t losses = 0;

	srand(7);
	for (int episode = 0; episode < 200; episode++) {
		size_t capacity = 1 + (size_t)rand() % 20;
		struct nm_ring *ring = new_ring(capacity);
		uint32_t run = 1, address = 0;

		model = (struct model){.capacity = capacity};
		for (int i = 0; i < 150; i++) {
			struct nmhal_spike_read rd = {.events = events, .capacity = 1 + (size_t)rand() % 24};
			size_t count = (size_t)rand() % 12;
			size_t lost;

			if (rand() % 2) {
				int status = nm_ring_read(ring, &rd, 0, &flag);

				model_check(&model, status, &rd);
				continue;
			}
			run += rand() % 4 == 0;
			lost = model_push(&model, run, address, count);
			ck_assert_uint_eq(push_numbers(ring, run, address, count), lost);
			losses += lost;
			address += (uint32_t)count;
		}
		nm_ring_free(ring);
	}
	ck_assert_uint_gt(losses, 1000);
}
END_TEST

START_TEST(close_drains_then_ends)
{
	struct nm_ring *ring = new_ring(4);
	struct nmhal_event events[4];
	struct nmhal_spike_read rd = {.events = events, .capacity = 4};
	atomic_bool flag = false;

	push_numbers(ring, 1, 0, 2);
	nm_ring_close(ring);
	assert_ok(nm_ring_read(ring, &rd, NMHAL_NEVER, &flag));
	ck_assert_uint_eq(rd.count, 2);
	ck_assert_int_eq(nm_ring_read(ring, &rd, NMHAL_NEVER, &flag), NMHAL_E_STATE);
	nm_ring_free(ring);
}
END_TEST

START_TEST(waits_until_the_deadline)
{
	struct nm_ring *ring = new_ring(4);
	struct nmhal_event event;
	struct nmhal_spike_read rd = {.events = &event, .capacity = 1};
	int64_t start = nmhal_now_ns();
	atomic_bool flag = false;

	ck_assert_int_eq(nm_ring_read(ring, &rd, start + 30000000, &flag), NMHAL_E_TIMEOUT);
	ck_assert_int_ge(nmhal_now_ns() - start, 30000000);
	ck_assert_int_lt(nmhal_now_ns() - start, INT64_C(20000000000));
	/* A deadline in the past still takes what is there. */
	push_numbers(ring, 1, 5, 1);
	assert_ok(nm_ring_read(ring, &rd, start, &flag));
	ck_assert_int_eq(nm_ring_read(ring, &rd, start, &flag), NMHAL_E_TIMEOUT);
	nm_ring_free(ring);
}
END_TEST

START_TEST(flag_cancels_only_who_has_to_wait)
{
	struct nm_ring *ring = new_ring(4);
	struct nmhal_event event;
	struct nmhal_spike_read rd = {.events = &event, .capacity = 1};
	atomic_bool flag = true;

	ck_assert_int_eq(nm_ring_read(ring, &rd, 0, &flag), NMHAL_E_AGAIN);
	ck_assert_int_eq(nm_ring_read(ring, &rd, NMHAL_NEVER, &flag), NMHAL_E_CANCELED);
	ck_assert(atomic_load(&flag));
	push_numbers(ring, 1, 5, 1);
	assert_ok(nm_ring_read(ring, &rd, NMHAL_NEVER, &flag));
	nm_ring_free(ring);
}
END_TEST

struct reader {
	struct nm_ring *ring;
	pthread_t thread;
	atomic_bool flag;
	int status;      /* of the last read */
	uint64_t events, lost;
	uint32_t next;   /* address that comes next when nothing is lost */
	bool in_order;
};

static void *read_to_the_end(void *user)
{
	struct reader *reader = user;
	struct nmhal_event events[5];
	struct nmhal_spike_read rd = {.events = events, .capacity = 5};

	reader->in_order = true;
	for (;;) {
		reader->status = nm_ring_read(reader->ring, &rd, NMHAL_NEVER, &reader->flag);
		if (reader->status)
			return NULL;
		reader->lost += rd.lost;
		reader->next += (uint32_t)rd.lost;
		for (size_t i = 0; i < rd.count; i++)
			reader->in_order = reader->in_order && events[i].address == reader->next++;
		reader->events += rd.count;
	}
}

START_TEST(second_thread_gets_everything_or_knows_what_is_missing)
{
	struct reader reader = {.ring = new_ring(64)};
	uint64_t lost = 0;

	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_to_the_end, &reader), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		lost += push_numbers(reader.ring, 1, i * 10, 10);
		if (i % 64 == 0)
			sleep_ms(0);
	}
	nm_ring_close(reader.ring);
	pthread_join(reader.thread, NULL);
	ck_assert_int_eq(reader.status, NMHAL_E_STATE);
	ck_assert(reader.in_order);
	ck_assert_uint_eq(reader.lost, lost);
	ck_assert_uint_eq(reader.events + reader.lost, 200000);
	nm_ring_free(reader.ring);
}
END_TEST

START_TEST(wake_ends_all_waiting_readers)
{
	struct reader readers[4] = {{0}};
	struct nm_ring *ring = new_ring(4);

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < 4; i++) {
			readers[i] = (struct reader){.ring = ring};
			ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_to_the_end, &readers[i]), 0);
		}
		sleep_ms(round % 5);
		/* A reader that starts only now does not see a wake of before: the flag, which sticks, does that. */
		for (size_t i = 0; i < 4; i++)
			atomic_store(&readers[i].flag, true);
		nm_ring_wake(ring);
		for (size_t i = 0; i < 4; i++) {
			pthread_join(readers[i].thread, NULL);
			ck_assert_int_eq(readers[i].status, NMHAL_E_CANCELED);
		}
	}
	nm_ring_free(ring);
}
END_TEST

static struct nm_ring *ring_to_wake;

static void wake_it(int signal_number)
{
	(void)signal_number;
	nm_ring_wake(ring_to_wake);
}

START_TEST(signal_handler_wakes)
{
	struct reader reader = {.ring = new_ring(4)};
	struct sigaction action = {.sa_handler = wake_it};
	struct sigaction before;
	unsigned rounds = 0;

	ring_to_wake = reader.ring;
	ck_assert_int_eq(sigaction(SIGUSR1, &action, &before), 0);
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_to_the_end, &reader), 0);
	do {
		pthread_kill(reader.thread, SIGUSR1);
		sleep_ms(1);
		ck_assert_uint_lt(rounds++, 10000);
	} while (pthread_tryjoin_np(reader.thread, NULL));
	ck_assert_int_eq(reader.status, NMHAL_E_CANCELED);
	sigaction(SIGUSR1, &before, NULL);
	nm_ring_free(reader.ring);
}
END_TEST

START_TEST(absurd_capacity)
{
	struct nm_ring *ring;

	assert_fails(NMHAL_E_NO_MEMORY, "the spike ring of", nm_ring_new(SIZE_MAX / 8, &ring));
	ck_assert_ptr_null(ring);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {order_and_wrap, loss_is_told_where_it_happened, runs_are_not_mixed,
		like_the_model, close_drains_then_ends, waits_until_the_deadline, flag_cancels_only_who_has_to_wait,
		second_thread_gets_everything_or_knows_what_is_missing, wake_ends_all_waiting_readers,
		signal_handler_wakes, absurd_capacity};

	return run_tests("ring", tests, sizeof(tests) / sizeof(*tests));
}
