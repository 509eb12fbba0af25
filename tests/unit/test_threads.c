/* SPDX-License-Identifier: MIT */
/* Several threads: on one device and on two, one that runs and one that reads, interrupt and close out of turn. */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "tests/unit/board.h"

#define THREADS 4u
#define ROUNDS	300

static void sleep_us(long us)
{
	const struct timespec pause = {.tv_nsec = us * 1000};

	nanosleep(&pause, NULL);
}

struct worker {
	struct board *board;
	pthread_t thread;
	uint32_t row;        /* of its own */
	unsigned wrong;      /* read something else than it wrote, or a call failed */
	unsigned canceled, closed, odd; /* how calls ended */
	unsigned done;
};

static void start(struct worker *worker, void *(*work)(void *user))
{
	ck_assert_int_eq(pthread_create(&worker->thread, NULL, work, worker), 0);
}

/* Writes its row, reads it back, and runs its row's spikes into a buffer of its own. */
static void *use_own_row(void *user)
{
	struct worker *worker = user;
	nmhal_device *dev = worker->board->dev;
	const struct nmhal_region row = {.row = worker->row, .rows = 1};
	const struct nmhal_event in = {.address = worker->row};
	struct nmhal_event out[64];
	const struct nmhal_spike_run run = {.struct_size = sizeof(run), .in = &in, .in_count = 1, .out = out,
		.out_capacity = 64};

	for (int i = 0; i < ROUNDS; i++) {
		const int16_t codes[3] = {(int16_t)(i % 8), (int16_t)worker->row, (int16_t)(i % 3)};
		const struct nmhal_program op = {.struct_size = sizeof(op), .region = row, .codes = codes,
			.code_type = NMHAL_CODE_I16, .flags = NMHAL_PROGRAM_VERIFY};
		struct nmhal_spike_report report = {.struct_size = sizeof(report)};
		int16_t back[3];

		worker->wrong += nmhal_program_weights(dev, &op, NULL) != NMHAL_OK;
		worker->wrong += nmhal_read_weights(dev, &row, back, 0, NMHAL_CODE_I16, 0) != NMHAL_OK;
		worker->wrong += memcmp(codes, back, sizeof(codes)) != 0;
		worker->wrong += nmhal_run_spikes(dev, &run, &report) != NMHAL_OK;
		worker->wrong += report.events_out != (uint64_t)(codes[0] + codes[1] + codes[2]);
	}
	return NULL;
}

START_TEST(one_device)
{
	struct worker workers[THREADS] = {{0}};
	struct board board;

	fake_init(&board.fake, 1, THREADS, 3);
	board_open(&board);
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.board = &board, .row = i};
		start(&workers[i], use_own_row);
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].wrong, 0);
	}
	ck_assert_uint_eq(CALLS(&board, FAKE_SPIKES_START), THREADS * ROUNDS);
	/* Ops that overlapped are found here, too. */
	board_close(&board);
}
END_TEST

START_TEST(two_devices_of_two_contexts)
{
	struct worker workers[2];
	struct board boards[2];

	for (uint32_t i = 0; i < 2; i++) {
		fake_init(&boards[i].fake, 1, 2, 3);
		board_open(&boards[i]);
		workers[i] = (struct worker){.board = &boards[i], .row = i};
		start(&workers[i], use_own_row);
	}
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].wrong, 0);
		/* The other one's row was never touched. */
		ck_assert_int_eq(*fake_code(&boards[i].fake, 0, 1 - i, 1), 0);
		board_close(&boards[i]);
	}
}
END_TEST

/* Contexts and devices made and ended on each thread for itself, and images with them. */
static void *open_and_close(void *user)
{
	struct worker *worker = user;

	for (int i = 0; i < 50; i++) {
		struct board board;
		nmhal_image *image;

		fake_init(&board.fake, 1, 2, 3);
		board_open(&board);
		worker->wrong += nmhal_image_capture(board.dev, 0, &image) != NMHAL_OK;
		worker->wrong += nmhal_image_program(board.dev, image, 0, 0, NULL) != NMHAL_OK;
		nmhal_image_free(image);
		nmhal_device_unref(board.dev);
		nmhal_context_unref(board.ctx);
	}
	return NULL;
}

START_TEST(opening_at_once)
{
	struct worker workers[THREADS] = {{0}};

	for (uint32_t i = 0; i < THREADS; i++)
		start(&workers[i], open_and_close);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].wrong, 0);
	}
}
END_TEST

/* Reads until the device is closed; counts what came and what was lost. */
struct reader {
	nmhal_device *dev;
	pthread_t thread;
	uint64_t events, lost;
	uint32_t last_run;
	int status;
	bool in_order;
};

static void *read_until_closed(void *user)
{
	struct reader *reader = user;
	struct nmhal_event out[7];
	struct nmhal_spike_read rd = {.struct_size = sizeof(rd), .events = out, .capacity = 7};

	reader->in_order = true;
	while (!(reader->status = nmhal_read_spikes(reader->dev, &rd, NMHAL_WAIT_FOREVER))) {
		reader->events += rd.count;
		reader->lost += rd.lost;
		reader->in_order = reader->in_order && rd.run >= reader->last_run;
		reader->last_run = rd.run;
	}
	return NULL;
}

static void run_while_read(size_t ring_events, uint64_t *events, uint64_t *lost)
{
	const struct nmhal_event in[] = {
		{.step = 0, .address = 0}, {.step = 1, .address = 1}, {.step = 2, .address = 0}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 3};
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	struct reader reader = {0};
	struct board board;
	char uri[FAKE_URI_SIZE];
	uint64_t reported = 0;

	*events = 0;
	fake_init(&board.fake, 1, 2, 3);
	*fake_code(&board.fake, 0, 0, 1) = 7;
	*fake_code(&board.fake, 0, 1, 2) = 5;
	board.ctx = fake_context();
	params.spike_ring_events = ring_events;
	assert_ok(nmhal_device_open(board.ctx, fake_uri(&board.fake, "", uri), &params, &board.dev));
	reader.dev = board.dev;
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_until_closed, &reader), 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct nmhal_spike_report report = {.struct_size = sizeof(report)};

		assert_ok(nmhal_run_spikes(board.dev, &op, &report));
		ck_assert_uint_eq(report.events_out, 19);
		reported += report.events_lost;
	}
	assert_ok(nmhal_device_close(board.dev));
	pthread_join(reader.thread, NULL);
	ck_assert_int_eq(reader.status, NMHAL_E_STATE);
	ck_assert(reader.in_order);
	ck_assert_uint_eq(reader.lost, reported);
	*events = reader.events;
	*lost = reader.lost;
	board_close(&board);
}

START_TEST(one_runs_and_one_reads)
{
	uint64_t events, lost;

	run_while_read(19 * ROUNDS, &events, &lost);
	ck_assert_uint_eq(events, 19 * ROUNDS);
	ck_assert_uint_eq(lost, 0);
	/* Too small a ring: what does not come is counted. */
	run_while_read(6, &events, &lost);
	ck_assert_uint_eq(events + lost, 19 * ROUNDS);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_gt(events, 0);
}
END_TEST

/* ---- interrupt and close ----------------------------------------------------------------------------------------- */

static void count_status(struct worker *worker, int status)
{
	worker->done++;
	worker->canceled += status == NMHAL_E_CANCELED;
	worker->closed += status == NMHAL_E_STATE;
	worker->odd += status != NMHAL_OK && status != NMHAL_E_CANCELED && status != NMHAL_E_STATE;
}

/* Runs that do not end by themselves, until the device is closed. */
static void *run_for_ever(void *user)
{
	struct worker *worker = user;
	const struct nmhal_event in = {.address = 0};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &in, .in_count = 1};

	while (!worker->closed && !worker->odd)
		count_status(worker, nmhal_run_spikes(worker->board->dev, &op, NULL));
	return NULL;
}

static void open_endless(struct board *board)
{
	fake_init(&board->fake, 1, 2, 3);
	board->fake.pump_inputs = 0;
	board_open(board);
}

START_TEST(interrupt_from_a_third_thread)
{
	struct worker workers[2];
	struct board board;

	open_endless(&board);
	for (uint32_t i = 0; i < 2; i++) {
		workers[i] = (struct worker){.board = &board};
		start(&workers[i], run_for_ever);
	}
	for (unsigned i = 0; i < 200; i++) {
		unsigned pumps = CALLS(&board, FAKE_SPIKES_PUMP);

		while (CALLS(&board, FAKE_SPIKES_PUMP) == pumps)
			sleep_us(10);
		nmhal_device_interrupt(board.dev);
	}
	assert_ok(nmhal_device_close(board.dev));
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_uint_eq(workers[i].odd, 0);
		ck_assert_uint_eq(workers[i].closed, 1);
	}
	/* Not every interrupt ends a run of its own: the flag is one. But many do, and each call ended once. */
	ck_assert_uint_gt(workers[0].canceled + workers[1].canceled, 1);
	ck_assert_uint_le(workers[0].canceled + workers[1].canceled, 201);
	board_close(&board);
}
END_TEST

static nmhal_device *device_of_handler;

static void interrupt_it(int signal_number)
{
	(void)signal_number;
	nmhal_device_interrupt(device_of_handler);
}

START_TEST(interrupt_from_a_signal_handler)
{
	struct sigaction action = {.sa_handler = interrupt_it};
	struct worker worker;
	struct board board;

	open_endless(&board);
	device_of_handler = board.dev;
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	worker = (struct worker){.board = &board};
	start(&worker, run_for_ever);
	for (unsigned i = 0; i < 100; i++) {
		unsigned starts = CALLS(&board, FAKE_SPIKES_START);

		/* The handler runs on the thread that is inside the library, wherever that is. */
		pthread_kill(worker.thread, SIGUSR1);
		for (int wait = 0; wait < 100000 && CALLS(&board, FAKE_SPIKES_START) == starts; wait++)
			sleep_us(10);
		ck_assert_uint_gt(CALLS(&board, FAKE_SPIKES_START), starts);
	}
	assert_ok(nmhal_device_close(board.dev));
	pthread_join(worker.thread, NULL);
	ck_assert_uint_eq(worker.odd, 0);
	ck_assert_uint_ge(worker.canceled, 100);
	signal(SIGUSR1, SIG_DFL);
	board_close(&board);
}
END_TEST

START_TEST(close_while_running)
{
	for (int i = 0; i < 50; i++) {
		struct worker workers[THREADS];
		struct reader reader = {0};
		struct board board;

		open_endless(&board);
		reader.dev = board.dev;
		ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_until_closed, &reader), 0);
		for (uint32_t k = 0; k < THREADS; k++) {
			workers[k] = (struct worker){.board = &board};
			start(&workers[k], run_for_ever);
		}
		sleep_us(i * 20);
		assert_ok(nmhal_device_close(board.dev));
		ck_assert(!atomic_load(&board.fake.is_open));
		ck_assert_uint_eq(atomic_load(&board.fake.inside), 0);
		nmhal_device_interrupt(board.dev);
		for (uint32_t k = 0; k < THREADS; k++) {
			pthread_join(workers[k].thread, NULL);
			ck_assert_uint_eq(workers[k].odd, 0);
			ck_assert_uint_eq(workers[k].closed, 1);
			ck_assert_uint_le(workers[k].canceled, 1);
		}
		pthread_join(reader.thread, NULL);
		ck_assert(reader.status == NMHAL_E_STATE || reader.status == NMHAL_E_CANCELED);
		board_close(&board);
	}
}
END_TEST

/* Each with a reference of its own; the last one ends the device. */
static void *drop_reference(void *user)
{
	struct worker *worker = user;

	worker->wrong += nmhal_reset_state(worker->board->dev, 0) != NMHAL_OK;
	nmhal_device_unref(worker->board->dev);
	return NULL;
}

START_TEST(references_dropped_at_once)
{
	for (int i = 0; i < 50; i++) {
		struct worker workers[THREADS];
		struct board board;

		fake_init(&board.fake, 1, 2, 3);
		board_open(&board);
		for (uint32_t k = 0; k < THREADS; k++) {
			workers[k] = (struct worker){.board = &board};
			nmhal_device_ref(board.dev);
		}
		for (uint32_t k = 0; k < THREADS; k++)
			start(&workers[k], drop_reference);
		nmhal_device_unref(board.dev);
		nmhal_context_unref(board.ctx);
		for (uint32_t k = 0; k < THREADS; k++) {
			pthread_join(workers[k].thread, NULL);
			ck_assert_uint_eq(workers[k].wrong, 0);
		}
		ck_assert_uint_eq(CALLS(&board, FAKE_CLOSE), 1);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {one_device, two_devices_of_two_contexts, opening_at_once, one_runs_and_one_reads,
		interrupt_from_a_third_thread, interrupt_from_a_signal_handler, close_while_running,
		references_dropped_at_once};

	return run_tests("threads", tests, sizeof(tests) / sizeof(*tests));
}
