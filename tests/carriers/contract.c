/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "carrier.h"
#include "tap.h"

#define MS      INT64_C(1000000)
#define SOON_MS 500 /* a slow machine */

const struct model_pipe *carrier_far;

static const struct carrier *carrier;
static nmhal_context *ctx;
static struct tap tap;
static char uri[CARRIER_URI];

const char *carrier_board(void)
{
	return carrier_far ? "nmlink" : "echo";
}

static int64_t in_ms(int64_t ms)
{
	return nmhal_now_ns() + ms * MS;
}

static void set_up(void)
{
	carrier->start(uri);
	ctx = tap_context();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	carrier->stop();
}

static void open_tap(void)
{
	tap_open(ctx, uri, &tap);
	tap_is(tap.stream.ops->flush(tap.stream.self, in_ms(2000)), NMHAL_OK);
}

static int tx(const void *bytes, size_t size, int64_t deadline_ns)
{
	return tap.stream.ops->send(tap.stream.self, bytes, size, deadline_ns);
}

static int rx(void *bytes, size_t capacity, size_t *size, int64_t deadline_ns)
{
	*size = 0;
	return tap.stream.ops->recv(tap.stream.self, bytes, capacity, size, deadline_ns);
}

static void fill(uint8_t *bytes, size_t size, size_t seed)
{
	for (size_t n = 0; n < size; n++)
		bytes[n] = (uint8_t)((n * 7 + (n >> 8) + seed) & 255);
}

/* Takes exactly `size` bytes, which must be those of fill(); chunk: the room given to each call. */
static void expect_echo(size_t size, size_t seed, size_t chunk)
{
	uint8_t *wanted = malloc(size + 1), *got = malloc(size + chunk);
	size_t have = 0, part;

	fill(wanted, size, seed);
	while (have < size) {
		size_t room = !carrier->frame && size - have < chunk ? size - have : chunk;

		tap_is(rx(got + have, room, &part, in_ms(5000)), NMHAL_OK);
		ck_assert(part > 0 && part <= room);
		have += part;
	}
	ck_assert_uint_eq(have, size);
	ck_assert_int_eq(memcmp(got, wanted, size), 0);
	free(wanted);
	free(got);
}

static size_t largest(void)
{
	return carrier->frame ? carrier->frame : 100000;
}

/* ---- bytes there and back ---------------------------------------------------------------------------------------- */

START_TEST(all_sizes_come_back)
{
	static const size_t sizes[] = {1, 2, 3, 61, 62, 63, 64, 65, 253, 254, 255, 256, 509, 510, 511, 512, 513, 1021,
		1022, 1023, 1024, 1025, 4095, 4096, 4097, 16384, 65535, 65536};
	uint8_t *bytes = malloc(largest());

	open_tap();
	for (size_t n = 0; n <= sizeof(sizes) / sizeof(*sizes); n++) {
		size_t size = n < sizeof(sizes) / sizeof(*sizes) ? sizes[n] : largest();

		fill(bytes, size, n);
		/* What is more than fits on the way must be taken while it is sent. */
		for (size_t at = 0; at < size && !carrier->frame; at += 2048) {
			size_t part = size - at < 2048 ? size - at : 2048;

			fill(bytes, part, n + at);
			tap_is(tx(bytes, part, in_ms(5000)), NMHAL_OK);
			expect_echo(part, n + at, 4096);
		}
		if (carrier->frame) {
			tap_is(tx(bytes, size, in_ms(5000)), NMHAL_OK);
			expect_echo(size, n, largest());
		}
	}
	free(bytes);
	tap_close(&tap);
}
END_TEST

START_TEST(a_small_room_loses_nothing)
{
	uint8_t bytes[1500];

	open_tap();
	for (size_t chunk = 1; chunk < 700; chunk = chunk * 3 + 1) {
		fill(bytes, sizeof(bytes), chunk);
		tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
		expect_echo(sizeof(bytes), chunk, chunk);
	}
	tap_close(&tap);
}
END_TEST

START_TEST(frames_keep_their_boundaries)
{
	static const size_t sizes[] = {1, 511, 512, 513, 1024, 1536, 5, 20000, 66048};
	uint8_t *bytes = malloc(largest());
	size_t got;

	open_tap();
	for (size_t n = 0; carrier->frame && n < sizeof(sizes) / sizeof(*sizes); n++) {
		fill(bytes, sizes[n], n);
		tap_is(tx(bytes, sizes[n], in_ms(2000)), NMHAL_OK);
	}
	for (size_t n = 0; carrier->frame && n < sizeof(sizes) / sizeof(*sizes); n++) {
		tap_is(rx(bytes, largest(), &got, in_ms(2000)), NMHAL_OK);
		ck_assert_uint_eq(got, sizes[n]);
	}
	free(bytes);
	tap_close(&tap);
}
END_TEST

START_TEST(many_frames_on_their_way)
{
	const size_t size = 400, count = carrier->in_flight / size;
	uint8_t bytes[400];

	open_tap();
	for (int round = 0; round < 5; round++) {
		for (size_t n = 0; n < count; n++) {
			fill(bytes, size, n);
			tap_is(tx(bytes, size, in_ms(2000)), NMHAL_OK);
		}
		for (size_t n = 0; n < count; n++)
			expect_echo(size, n, size);
	}
	tap_close(&tap);
}
END_TEST

START_TEST(what_lay_in_the_pipe_is_flushed)
{
	uint8_t bytes[600];
	size_t got;

	open_tap();
	carrier->stale(1000);
	usleep(20000);
	carrier->stale(700);
	tap_is(tap.stream.ops->flush(tap.stream.self, in_ms(2000)), NMHAL_OK);
	tap_is(rx(bytes, sizeof(bytes), &got, in_ms(-1)), NMHAL_E_TIMEOUT);
	fill(bytes, sizeof(bytes), 3);
	tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
	expect_echo(sizeof(bytes), 3, sizeof(bytes));
	tap_close(&tap);
}
END_TEST

/* ---- time -------------------------------------------------------------------------------------------------------- */

START_TEST(a_deadline_ends_recv)
{
	int64_t begin_ns;
	uint8_t byte;
	size_t got;

	open_tap();
	begin_ns = nmhal_now_ns();
	tap_is(rx(&byte, 1, &got, in_ms(60)), NMHAL_E_TIMEOUT);
	ck_assert_int_ge(nmhal_now_ns() - begin_ns, 59 * MS);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, (60 + SOON_MS) * MS);
	begin_ns = nmhal_now_ns();
	tap_is(rx(&byte, 1, &got, begin_ns), NMHAL_E_TIMEOUT); /* NO_WAIT */
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, SOON_MS * MS);
	/* And the stream works on. */
	fill(&byte, 1, 9);
	tap_is(tx(&byte, 1, in_ms(2000)), NMHAL_OK);
	expect_echo(1, 9, 1);
	tap_close(&tap);
}
END_TEST

START_TEST(without_waiting_takes_what_is_there)
{
	uint8_t bytes[100];
	size_t got = 0;

	open_tap();
	fill(bytes, sizeof(bytes), 1);
	tap_is(tx(bytes, sizeof(bytes), nmhal_now_ns()), NMHAL_OK);
	usleep(100000);
	tap_is(rx(bytes, sizeof(bytes), &got, nmhal_now_ns()), NMHAL_OK);
	ck_assert_uint_eq(got, sizeof(bytes));
	tap_close(&tap);
}
END_TEST

START_TEST(a_deadline_ends_send)
{
	uint8_t *bytes = calloc(1, largest());
	int64_t begin_ns = 0;
	int status = NMHAL_OK;

	open_tap();
	carrier->hold(true);
	for (int n = 0; n < 200 && status == NMHAL_OK; n++) {
		begin_ns = nmhal_now_ns();
		status = tx(bytes, largest(), in_ms(80));
	}
	tap_is(status, NMHAL_E_TIMEOUT);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, (80 + SOON_MS) * MS);
	carrier->hold(false);
	free(bytes);
	begin_ns = nmhal_now_ns();
	tap_close(&tap);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, 1000 * MS);
}
END_TEST

START_TEST(close_is_quick_whatever_hangs)
{
	uint8_t *bytes = calloc(1, largest());
	int64_t begin_ns;

	open_tap();
	carrier->hold(true);
	for (int n = 0; n < 200 && tx(bytes, largest(), nmhal_now_ns()) == NMHAL_OK; n++)
		;
	begin_ns = nmhal_now_ns();
	tap_close(&tap);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, 1000 * MS);
	carrier->hold(false);
	free(bytes);
}
END_TEST

/* ---- interrupts -------------------------------------------------------------------------------------------------- */

static void *interrupt_later(void *arg)
{
	(void)arg;
	usleep(50000);
	nmhal_device_interrupt(tap.dev);
	return NULL;
}

static void recv_is_canceled(void)
{
	int64_t begin_ns = nmhal_now_ns();
	uint8_t byte;
	size_t got;

	tap_is(rx(&byte, 1, &got, NMHAL_NEVER), NMHAL_E_CANCELED);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, SOON_MS * MS);
}

static void works_on(void)
{
	uint8_t bytes[10];

	fill(bytes, sizeof(bytes), 5);
	tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
	expect_echo(sizeof(bytes), 5, sizeof(bytes));
}

START_TEST(interrupts_end_recv)
{
	pthread_t thread;

	open_tap();
	nmhal_device_interrupt(tap.dev); /* before the call it is meant for */
	recv_is_canceled();
	works_on();
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_later, NULL), 0);
	recv_is_canceled();
	pthread_join(thread, NULL);
	works_on();
	tap_close(&tap);
}
END_TEST

static void on_alarm(int number)
{
	(void)number;
	nmhal_device_interrupt(tap.dev);
}

START_TEST(a_signal_handler_interrupts)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	const struct itimerval soon = {.it_value = {0, 50000}};

	open_tap();
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	recv_is_canceled();
	works_on();
	tap_close(&tap);
}
END_TEST

START_TEST(interrupts_end_send)
{
	uint8_t *bytes = calloc(1, largest());
	pthread_t thread;
	int status = NMHAL_OK;

	open_tap();
	carrier->hold(true);
	for (int n = 0; n < 200 && status == NMHAL_OK; n++)
		status = tx(bytes, largest(), nmhal_now_ns());
	tap_is(status, NMHAL_E_TIMEOUT);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_later, NULL), 0);
	tap_is(tx(bytes, largest(), NMHAL_NEVER), NMHAL_E_CANCELED);
	pthread_join(thread, NULL);
	carrier->hold(false);
	free(bytes);
	tap_close(&tap);
}
END_TEST

/* ---- unplug ------------------------------------------------------------------------------------------------------ */

static void is_gone(void)
{
	int64_t begin_ns = nmhal_now_ns();
	int status = NMHAL_OK;
	uint8_t bytes[64];
	size_t got;

	while (status == NMHAL_OK || status == NMHAL_E_IO) /* what came before is still there */
		status = rx(bytes, sizeof(bytes), &got, in_ms(2000));
	tap_is(status, NMHAL_E_GONE);
	for (int n = 0; n < 3; n++) {
		status = tx(bytes, sizeof(bytes), in_ms(2000));
		ck_assert_msg(status == NMHAL_E_GONE || (status == NMHAL_OK && n == 0), "%s: %s",
			nmhal_status_name(status), nmhal_last_error());
		tap_is(rx(bytes, sizeof(bytes), &got, in_ms(2000)), NMHAL_E_GONE);
	}
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, 1000 * MS);
}

START_TEST(unplugged_while_idle_or_in_the_middle)
{
	uint8_t bytes[300];

	for (int frames = 0; frames < 12; frames++) {
		open_tap();
		works_on(); /* a socket that ends before the first byte is one that was refused */
		fill(bytes, sizeof(bytes), 1);
		for (int n = 0; n < frames; n++)
			tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
		for (int n = 0; n < frames / 2; n++)
			expect_echo(sizeof(bytes), 1, sizeof(bytes));
		carrier->unplug();
		is_gone();
		tap_close(&tap);
		carrier->replug();
	}
	open_tap();
	works_on();
	tap_close(&tap);
}
END_TEST

static void *unplug_later(void *arg)
{
	(void)arg;
	usleep(30000);
	carrier->unplug();
	return NULL;
}

START_TEST(unplugged_while_somebody_waits)
{
	int64_t begin_ns;
	pthread_t thread;
	uint8_t byte;
	size_t got;

	open_tap();
	works_on();
	begin_ns = nmhal_now_ns();
	ck_assert_int_eq(pthread_create(&thread, NULL, unplug_later, NULL), 0);
	tap_is(rx(&byte, 1, &got, NMHAL_NEVER), NMHAL_E_GONE);
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, (30 + SOON_MS) * MS);
	pthread_join(thread, NULL);
	tap_close(&tap);
	carrier->replug();
}
END_TEST

/* ---- many -------------------------------------------------------------------------------------------------------- */

START_TEST(two_at_once_do_not_mix)
{
	char other_uri[CARRIER_URI];
	uint8_t bytes[200];
	struct tap first;

	carrier->second(other_uri);
	open_tap();
	first = tap;
	tap_open(ctx, other_uri, &tap);
	for (size_t n = 0; n < 20; n++) {
		struct tap swap = tap;

		fill(bytes, sizeof(bytes), n);
		tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
		tap = first;
		fill(bytes, sizeof(bytes), n + 100);
		tap_is(tx(bytes, sizeof(bytes), in_ms(2000)), NMHAL_OK);
		expect_echo(sizeof(bytes), n + 100, sizeof(bytes));
		tap = swap;
		expect_echo(sizeof(bytes), n, sizeof(bytes));
	}
	tap_close(&tap);
	tap_close(&first);
}
END_TEST

START_TEST(opened_and_closed_without_leaving_descriptors)
{
	size_t before, inherited = tap_inherited();

	open_tap();
	ck_assert_uint_eq(tap_inherited(), inherited);
	tap_close(&tap);
	before = tap_descriptors();
	for (int n = 0; n < carrier->opens; n++) {
		tap_open(ctx, uri, &tap);
		tap_close(&tap);
	}
	/* The far end, in this process, closes its side a moment later. */
	for (int tries = 0; tap_descriptors() > before && tries < 2000; tries++)
		usleep(1000);
	ck_assert_uint_le(tap_descriptors(), before);
	open_tap();
	works_on();
	tap_close(&tap);
}
END_TEST

/* ---- suite ------------------------------------------------------------------------------------------------------- */

int carrier_run(const struct carrier *const *carriers, size_t count)
{
	const TTest *const checks[] = {all_sizes_come_back, a_small_room_loses_nothing, frames_keep_their_boundaries,
		many_frames_on_their_way, what_lay_in_the_pipe_is_flushed, a_deadline_ends_recv,
		without_waiting_takes_what_is_there, a_deadline_ends_send, close_is_quick_whatever_hangs,
		interrupts_end_recv, a_signal_handler_interrupts, interrupts_end_send,
		unplugged_while_idle_or_in_the_middle, unplugged_while_somebody_waits, two_at_once_do_not_mix,
		opened_and_closed_without_leaving_descriptors};
	int failed = 0;

	for (size_t n = 0; n < count; n++) {
		Suite *suite = suite_create(carriers[n]->name);
		TCase *checks_of = tcase_create(carriers[n]->name);
		SRunner *runner = srunner_create(suite);

		carrier = carriers[n];
		tcase_set_timeout(checks_of, 120);
		tcase_add_checked_fixture(checks_of, set_up, tear_down);
		for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
			tcase_add_test(checks_of, checks[i]);
		suite_add_tcase(suite, checks_of);
		srunner_run_all(runner, CK_ENV);
		failed += srunner_ntests_failed(runner);
		srunner_free(runner);
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
