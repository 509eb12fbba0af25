/* SPDX-License-Identifier: MIT */
/* Slots under many threads, Ctrl-C while a program runs, forks. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bindings/python/guard.h"
#include "tests/xla/host.h"

#define SIZE 4

struct bed {
	struct board board;
	nmhal_array *array;
	int64_t slot;
};

static void bind_array(struct bed *bed)
{
	const struct nmhal_array_options options = NMHAL_ARRAY_OPTIONS_INIT;

	nmhal_py_slot_bind(bed->slot, bed->array, SIZE, SIZE, &options, &bed->board.dev, 1);
}

static void bed_open(struct bed *bed)
{
	open_board(&bed->board, 2, SIZE, SIZE);
	bed->array = new_array(&bed->board, SIZE, SIZE, NMHAL_ARRAY_ONE_SLICE, 0);
	bed->slot = nmhal_py_slot_new();
	bind_array(bed);
}

/* A product of W [4, 4] and x [4], checked. */
static const struct xla_error *multiply_once(int64_t slot, unsigned seed)
{
	float w[SIZE * SIZE], x[SIZE], y[SIZE];
	const struct xla_error *error;
	struct host host;

	integers(w, SIZE, SIZE, CODE_MAX, seed);
	integers(x, 1, SIZE, 127, seed + 1);
	host_init(&host);
	host_buffer(&host, &host.frame.args, XLA_F32, w, DIMS(SIZE, SIZE));
	host_buffer(&host, &host.frame.args, XLA_F32, x, DIMS(SIZE));
	host_buffer(&host, &host.frame.rets, XLA_F32, y, DIMS(SIZE));
	host_integer(&host, "slot", slot);
	host_integer(&host, "transposed", 0);
	host_integer(&host, "used", 0);
	error = nmhal_py_xla_matmul(&host.frame);
	if (!error)
		expect_product(w, x, y, SIZE, SIZE, 1);
	return error;
}

struct worker {
	pthread_t thread;
	const struct bed *bed;
	unsigned seed;
	unsigned done, refused;
	int code;
};

/* Each thread its own weights: whatever the order, each product is of the weights it came with. */
static void *work(void *arg)
{
	struct worker *worker = arg;

	for (unsigned i = 0; i < 200; i++) {
		const struct xla_error *error = multiply_once(worker->bed->slot, worker->seed + i % 3);

		worker->done += !error;
		worker->refused += error && error->code == XLA_FAILED_PRECONDITION;
	}
	return NULL;
}

START_TEST(threads_and_arrays_that_come_and_go)
{
	struct worker workers[4] = {{0}};
	struct bed bed;
	unsigned done = 0;

	bed_open(&bed);
	for (unsigned i = 0; i < 4; i++) {
		workers[i].bed = &bed;
		workers[i].seed = 10 * i;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 50; i++) {
		nmhal_py_array_free(bed.array);
		bed.array = new_array(&bed.board, SIZE, SIZE, NMHAL_ARRAY_ONE_SLICE, 0);
		bind_array(&bed);
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_uint_eq(workers[i].done + workers[i].refused, 200);
		done += workers[i].done;
	}
	ck_assert_uint_gt(done, 0);
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
}
END_TEST

static void *make_slots(void *arg)
{
	int64_t *numbers = arg;

	for (int i = 0; i < 100; i++)
		numbers[i] = nmhal_py_slot_new();
	return NULL;
}

START_TEST(numbers_are_unique)
{
	static int64_t numbers[4][100];
	static bool seen[100000];
	pthread_t threads[4];

	for (int t = 0; t < 4; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, make_slots, numbers[t]), 0);
	for (int t = 0; t < 4; t++)
		ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
	for (int t = 0; t < 4; t++)
		for (int i = 0; i < 100; i++) {
			ck_assert(numbers[t][i] >= 0 && numbers[t][i] < 100000);
			ck_assert(!seen[numbers[t][i]]);
			seen[numbers[t][i]] = true;
		}
}
END_TEST

static atomic_int interrupted;

static void on_interrupt(int number)
{
	(void)number;
	atomic_fetch_add(&interrupted, 1);
}

/* Interrupts are counted from 0 on, below the handlers that are tested: those of slots stay, so once for a process. */
static void count_interrupts(void)
{
	const struct sigaction mine = {.sa_handler = on_interrupt};
	static bool counting;

	if (!counting)
		ck_assert_int_eq(sigaction(SIGINT, &mine, NULL), 0);
	counting = true;
	atomic_store(&interrupted, 0);
}

static void *run_one(void *arg)
{
	struct worker *worker = arg;
	const struct xla_error *error = multiply_once(worker->bed->slot, 1);

	worker->code = error ? error->code : 0;
	return NULL;
}

/* A product that does not end by itself. */
static void start_blocked(struct worker *worker, struct bed *bed)
{
	worker->bed = bed;
	bed->board.fake.slow_op = FAKE_RUN_INFERENCE;
	bed->board.fake.block = true;
	ck_assert_int_eq(pthread_create(&worker->thread, NULL, run_one, worker), 0);
	ck_assert(fake_wait_blocked(&bed->board.fake));
}

START_TEST(ctrl_c_ends_what_runs)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction now;
	struct worker worker = {0};
	struct bed bed;

	bed_open(&bed);
	/* Who ignores it goes on ignoring it. */
	ck_assert_int_eq(sigaction(SIGINT, &ignore, NULL), 0);
	nmhal_py_guard_slots();
	ck_assert_int_eq(sigaction(SIGINT, NULL, &now), 0);
	ck_assert(now.sa_handler == SIG_IGN);
	count_interrupts();
	nmhal_py_guard_slots();
	nmhal_py_guard_slots(); /* once is enough, twice does no harm */
	raise(SIGINT);
	ck_assert_int_eq(interrupted, 1);
	ck_assert_ptr_null(multiply_once(bed.slot, 1)); /* nothing ran: nothing was interrupted */
	start_blocked(&worker, &bed);
	raise(SIGINT);
	ck_assert_int_eq(pthread_join(worker.thread, NULL), 0);
	ck_assert_int_eq(worker.code, XLA_CANCELLED);
	ck_assert_int_eq(interrupted, 2);
	bed.board.fake.block = false;
	ck_assert_ptr_null(multiply_once(bed.slot, 1));
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
}
END_TEST

/* A device of an array, its array and slot, until the end; Ctrl-C comes meanwhile. */
static void *come_and_go(void *arg)
{
	atomic_bool *over = arg;
	struct bed bed;

	while (!atomic_load(over)) {
		pthread_t thread;

		bed_open(&bed);
		struct worker worker = {.bed = &bed};
		ck_assert_int_eq(pthread_create(&thread, NULL, run_one, &worker), 0);
		nmhal_device_unref(bed.board.dev); /* the array has the last reference */
		nmhal_py_array_free(bed.array);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert(!worker.code || worker.code == XLA_CANCELLED || worker.code == XLA_FAILED_PRECONDITION);
		bed.board.dev = NULL;
		board_close(&bed.board);
	}
	return NULL;
}

/* Also with guards of calls, which put their handler over that of the slots, and take it away again. */
START_TEST(ctrl_c_meets_devices_that_go)
{
	atomic_bool over = false;
	pthread_t threads[2];
	struct bed bed;
	int sent = 0;

	count_interrupts();
	bed_open(&bed);
	for (int t = 0; t < 2; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, come_and_go, &over), 0);
	for (; sent < 300; sent++) {
		if (sent % 2)
			nmhal_py_guard(&bed.board.dev, 1);
		nmhal_py_guard_slots();
		kill(getpid(), SIGINT);
		usleep(300);
		nmhal_py_unguard();
	}
	atomic_store(&over, true);
	for (int t = 0; t < 2; t++)
		ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
	ck_assert_int_ge(interrupted, 1);
	ck_assert_int_le(interrupted, sent);
	/* What is left is the handler of the slots, whatever order they came in. */
	interrupted = 0;
	raise(SIGINT);
	ck_assert_int_eq(interrupted, 1);
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
}
END_TEST

START_TEST(slots_that_are_guarded_during_a_call)
{
	struct sigaction now;
	struct worker worker = {0};
	struct bed bed;

	count_interrupts();
	bed_open(&bed);
	nmhal_py_guard(&bed.board.dev, 1);
	nmhal_py_guard_slots();
	nmhal_py_unguard();
	ck_assert_int_eq(sigaction(SIGINT, NULL, &now), 0);
	ck_assert(now.sa_handler != on_interrupt);
	start_blocked(&worker, &bed);
	raise(SIGINT);
	ck_assert_int_eq(pthread_join(worker.thread, NULL), 0);
	ck_assert_int_eq(worker.code, XLA_CANCELLED);
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
}
END_TEST

/* A program that waits for its board holds up nobody but those of that board. */
START_TEST(other_boards_do_not_wait)
{
	struct worker worker = {0};
	struct bed bed, other;

	bed_open(&bed);
	bed_open(&other);
	start_blocked(&worker, &bed);
	alarm(10);
	ck_assert_ptr_null(multiply_once(other.slot, 1));
	nmhal_py_array_free(other.array);
	alarm(0);
	nmhal_device_interrupt(bed.board.dev);
	ck_assert_int_eq(pthread_join(worker.thread, NULL), 0);
	ck_assert_int_eq(worker.code, XLA_CANCELLED);
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
	board_close(&other.board);
}
END_TEST

/* As a device's function does that drops the last reference: the array lives until the call is over. */
START_TEST(an_array_that_is_freed_inside_its_call)
{
	struct nmhal_py_slot *slot;
	struct bed bed;

	bed_open(&bed);
	slot = nmhal_py_slot_enter(bed.slot);
	ck_assert_ptr_nonnull(slot);
	alarm(10);
	nmhal_py_array_free(bed.array);
	alarm(0);
	ck_assert_ptr_eq(slot->array, bed.array);
	assert_ok(nmhal_array_program(bed.array, (const float[SIZE * SIZE]){1}, 0, 0, 0));
	nmhal_py_slot_leave(slot);
	ck_assert_ptr_null(slot->array);
	expect_error(XLA_FAILED_PRECONDITION, "freed", multiply_once(bed.slot, 1));
	board_close(&bed.board);
}
END_TEST

/* A child of a process whose program runs: it has the locks of that thread, but not the thread. */
START_TEST(a_forked_child_frees_what_its_parent_uses)
{
	struct worker worker = {0};
	struct bed bed;
	int64_t next;
	int status;
	pid_t child;

	bed_open(&bed);
	start_blocked(&worker, &bed);
	child = fork();
	if (child == 0) {
		const struct xla_error *error;

		alarm(10);
		nmhal_py_forked();
		error = multiply_once(bed.slot, 1);
		nmhal_py_array_free(bed.array);
		next = nmhal_py_slot_new();
		_exit(!error || error->code != XLA_FAILED_PRECONDITION || next <= bed.slot);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with 0x%x", status);
	nmhal_device_interrupt(bed.board.dev);
	ck_assert_int_eq(pthread_join(worker.thread, NULL), 0);
	ck_assert_int_eq(worker.code, XLA_CANCELLED);
	nmhal_py_array_free(bed.array);
	board_close(&bed.board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {threads_and_arrays_that_come_and_go, numbers_are_unique, ctrl_c_ends_what_runs,
		ctrl_c_meets_devices_that_go, slots_that_are_guarded_during_a_call, other_boards_do_not_wait,
		an_array_that_is_freed_inside_its_call, a_forked_child_frees_what_its_parent_uses};

	return run_tests("xla-slots", tests, sizeof(tests) / sizeof(*tests));
}
