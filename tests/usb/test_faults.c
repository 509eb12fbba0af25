/* SPDX-License-Identifier: MIT */
/*
 * A fault at every URB, control transfers among them, and at every 512-byte packet, of a session: open, program with
 * VERIFY, run in open loop (inputs stream) and in closed loop (each one waits for idle), close. Whatever goes wrong, a
 * call ends with a documented status by its deadline, a retry ends in the intended image byte for byte, the kernel
 * drivers come back, and nothing leaks. What a run cannot notice on this wire is counted and printed (docs/ftdi.md).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "far.h"

#define PROGRAM_ROWS 32u
#define STEPS        24u
#define OUTPUTS      8192u
#define CLOSED_INPUTS 2u
#define CLOSED_NEURON 9
#define TIMEOUT_MS   400
#define LIMIT_MS     6000 /* of a whole session: each call has its deadline, and 2 s to bring the board to rest */
#define AT_ONCE      4    /* processes: the sessions wait for deadlines most of the time */

static struct bed *bed;
static unsigned board;
static nmhal_context *ctx;
static struct nmhal_event in[3 * STEPS], out[OUTPUTS];
static size_t in_count;
/* Two images that differ in every code; a session programs the one that the chip does not hold. */
static struct image {
	int8_t codes[PROGRAM_ROWS * COLS];
	struct nmhal_event wanted[OUTPUTS]; /* of the runs */
	size_t wanted_count;
} images[2], *image = images;

/* What came of one session. */
struct result {
	int open, program, run;
	size_t count; /* outputs */
};

struct totals {
	unsigned sessions, failed, unnoticed;
	unsigned met; /* sessions in which the fault happened */
};
/* Of the kinds, each of which has a process of its own. */
static struct totals *all, totals;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int set_state(nmhal_device *dev, int32_t timeout_ms)
{
	struct nmhal_neuron neurons[COLS];

	random_neurons(5, neurons);
	return nmhal_set_neurons(dev, 0, 0, COLS, neurons, timeout_ms);
}

/* Both runs; the outputs of the second one follow those of the first. */
static int run_twice(nmhal_device *dev, size_t *count, int32_t timeout_ms)
{
	int status = run_events(dev, in, in_count, out, OUTPUTS, count, timeout_ms);
	size_t more = 0;

	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(dev, "open_loop", 0);
	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(dev, "max_neuron", CLOSED_NEURON);
	if (status == NMHAL_OK)
		status = run_events(
			dev, in, CLOSED_INPUTS, out + *count, OUTPUTS - *count, &more, timeout_ms);
	*count += more;
	return status;
}

/* The session that meets the fault; closes the device unless *kept is wanted and it could be opened. */
static struct result session(nmhal_device **kept, int32_t timeout_ms)
{
	struct result result = {NMHAL_OK, NMHAL_E_STATE, NMHAL_E_STATE, 0};
	nmhal_device *dev = NULL;

	result.open = try_open_board(ctx, board, &dev);
	if (result.open == NMHAL_OK)
		result.open = nmhal_attr_set_int(dev, "max_neuron", 100);
	if (result.open == NMHAL_OK)
		result.program = program_rows(dev, image->codes, PROGRAM_ROWS, NMHAL_PROGRAM_VERIFY, timeout_ms);
	if (result.program == NMHAL_OK) {
		check_chip(bed, board, image->codes, PROGRAM_ROWS); /* VERIFY has the last word */
		result.run = set_state(dev, timeout_ms);
	}
	if (result.run == NMHAL_OK)
		result.run = run_twice(dev, &result.count, timeout_ms);
	*kept = dev;
	return result;
}

static bool documented(int status)
{
	switch (status) {
	case NMHAL_OK:
	case NMHAL_E_TIMEOUT:
	case NMHAL_E_IO:
	case NMHAL_E_PROTOCOL:
	case NMHAL_E_VERIFY:
	case NMHAL_E_GONE:
	case NMHAL_E_OVERRUN:
		return true;
	default:
		return false;
	}
}

/* The library knows what it does not know, so writing what differs is enough. */
static int once_more(nmhal_device *dev)
{
	const uint32_t flags = NMHAL_PROGRAM_VERIFY | NMHAL_PROGRAM_ONLY_CHANGED;
	int status = program_rows(dev, image->codes, PROGRAM_ROWS, flags, 2000);

	if (status == NMHAL_OK)
		status = nmhal_attr_set_int(dev, "max_neuron", 100);
	if (status == NMHAL_OK)
		status = set_state(dev, 2000);
	return status;
}

/* After the fault, in the same session. A fault in the last transfers of a session is seen by the next call. */
static void retry(nmhal_device *dev)
{
	int status = once_more(dev);

	ck_assert_msg(documented(status), "retry: %s: %s", nmhal_status_name(status), nmhal_last_error());
	if (status != NMHAL_OK)
		expect(once_more(dev), NMHAL_OK);
	check_chip(bed, board, image->codes, PROGRAM_ROWS);
}

static void judge(const struct result *result, const char *what)
{
	bool same = result->count == image->wanted_count && !memcmp(out, image->wanted, result->count * sizeof(*out));

	ck_assert_msg(result->open == NMHAL_E_NO_DEVICE || documented(result->open), "%s: open: %s: %s", what,
		nmhal_status_name(result->open), nmhal_last_error());
	if (result->open != NMHAL_OK) {
		totals.failed++;
		return;
	}
	ck_assert_msg(documented(result->program), "%s: program: %s: %s", what, nmhal_status_name(result->program),
		nmhal_last_error());
	if (result->program != NMHAL_OK) {
		totals.failed++;
		return;
	}
	ck_assert_msg(documented(result->run), "%s: run: %s: %s", what, nmhal_status_name(result->run),
		nmhal_last_error());
	totals.failed += result->run != NMHAL_OK;
	totals.unnoticed += result->run == NMHAL_OK && !same;
}

static void other_image(void)
{
	image = image == images ? images + 1 : images;
}

/* URBs and packets since the fault was set; whether it happened. */
struct numbers {
	unsigned long long urbs, packets;
	int happened;
};

static struct numbers numbers_now(void)
{
	struct numbers numbers;

	ck_assert_int_eq(sscanf(bed_tell(bed, board, "numbers"), "%llu %llu %d", &numbers.urbs, &numbers.packets,
		&numbers.happened), 3);
	return numbers;
}

/* Closes a device, if there is one: both channels have their kernel driver again, or are gone. */
static void leave(nmhal_device *dev, enum far_kind kind, const char *what)
{
	const char *drivers;

	nmhal_device_unref(dev);
	if (kind == FAR_GONE)
		return;
	drivers = bed_tell(bed, board, "drivers");
	ck_assert_msg(!strcmp(drivers, "1 1"), "%s: kernel drivers of channels A and B: %s", what, drivers);
}

/* The fault is over; a device that had left is plugged in again. */
static void end_fault(enum far_kind kind)
{
	totals.met += numbers_now().happened != 0;
	bed_tell(bed, board, "fault none");
	if (kind != FAR_GONE)
		return;
	bed_unplug(bed, board);
	bed_replug(bed, board);
}

static void one_session(enum far_kind kind, const char *of, unsigned long long number)
{
	nmhal_device *dev = NULL;
	struct result result;
	char what[64];
	int64_t began;

	other_image();
	snprintf(what, sizeof(what), "%s at %s %llu", far_kind_names[kind], of, number);
	bed_tell(bed, board, "fault %s %s %llu", far_kind_names[kind], of, number);
	began = now_ms();
	result = session(&dev, TIMEOUT_MS);
	ck_assert_msg(now_ms() - began < LIMIT_MS, "%s: took %lld ms", what, (long long)(now_ms() - began));
	judge(&result, what);
	if (kind == FAR_GONE || !dev) {
		leave(dev, kind, what);
		dev = NULL;
	}
	end_fault(kind);
	if (!dev)
		dev = open_board(ctx, board);
	retry(dev);
	leave(dev, FAR_NONE, what);
	totals.sessions++;
}

/* A fault while the device is closed, which nobody is told of: the next one finds the board as if nothing had been. */
static void one_close(enum far_kind kind, unsigned long long number)
{
	nmhal_device *dev = open_board(ctx, board);
	char what[64];
	int64_t began;

	other_image();
	snprintf(what, sizeof(what), "%s at urb %llu of close", far_kind_names[kind], number);
	expect(once_more(dev), NMHAL_OK);
	bed_tell(bed, board, "fault %s urb %llu", far_kind_names[kind], number);
	began = now_ms();
	leave(dev, kind, what);
	ck_assert_msg(now_ms() - began < LIMIT_MS, "%s: took %lld ms", what, (long long)(now_ms() - began));
	end_fault(kind);
	other_image();
	dev = open_board(ctx, board);
	retry(dev);
	leave(dev, FAR_NONE, what);
	totals.sessions++;
}

/* Numbers of a session without a fault: *session up to its close, *close of that. */
static void count_session(struct numbers *of_session, struct numbers *of_close)
{
	nmhal_device *dev = NULL;
	struct result result;

	bed_tell(bed, board, "fault none");
	result = session(&dev, 20000);
	expect(result.open, NMHAL_OK);
	expect(result.program, NMHAL_OK);
	expect(result.run, NMHAL_OK);
	*of_session = numbers_now();
	image->wanted_count = result.count;
	memcpy(image->wanted, out, sizeof(out));
	bed_tell(bed, board, "fault none");
	leave(dev, FAR_NONE, "no fault");
	*of_close = numbers_now();
}

static void set_up(void)
{
	bed = bed_new();
	board = bed_plug(bed, NULL);
	ctx = quiet_context();
	random_codes(8, images[0].codes, PROGRAM_ROWS * COLS);
	for (size_t n = 0; n < PROGRAM_ROWS * COLS; n++)
		images[1].codes[n] = (int8_t)~images[0].codes[n];
	in_count = random_events(9, STEPS, in);
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	bed_free(bed);
}

START_TEST(every_urb_and_packet)
{
	const enum far_kind kind = (enum far_kind)_i;
	struct numbers whole, closing;
	size_t files;

	count_session(&whole, &closing);
	other_image();
	count_session(&whole, &closing);
	files = open_files();
	for (unsigned long long n = 0; n < whole.urbs; n++)
		one_session(kind, "urb", n);
	for (unsigned long long n = 0; n < whole.packets; n++)
		one_session(kind, "packet", n);
	for (unsigned long long n = 0; n < closing.urbs; n++)
		one_close(kind, n);
	ck_assert_uint_le(open_files(), files + 1);
	ck_assert_uint_eq(totals.sessions, whole.urbs + whole.packets + closing.urbs);
	printf("%-10s %llu URBs, %llu packets, %llu URBs of close: %u/%u sessions as documented, %u of them with the "
	       "fault, %u with an error, %u runs changed unnoticed\n", far_kind_names[kind], whole.urbs, whole.packets,
	       closing.urbs, totals.sessions, totals.sessions, totals.met, totals.failed, totals.unnoticed);
	/* Only bytes of address events that the wire changed may pass. */
	if (kind != FAR_CORRUPTED && kind != FAR_LOST && kind != FAR_DUPLICATED)
		ck_assert_uint_eq(totals.unnoticed, 0);
	all[kind] = totals;
}
END_TEST

static int run_kind(int kind)
{
	Suite *suite = suite_create("usb faults");
	TCase *tcase = tcase_create(far_kind_names[kind]);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, every_urb_and_packet, kind, kind + 1);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Ends with a status that is not 0 when one of the processes did. */
int main(void)
{
	unsigned sessions = 0, met = 0;
	int status, worst = 0;

	bed_or_skip();
	all = mmap(NULL, FAR_KINDS * sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return EXIT_FAILURE;
	for (int kind = FAR_NONE + 1; kind < FAR_KINDS; kind++) {
		pid_t child;

		if (kind > AT_ONCE && wait(&status) > 0)
			worst |= status;
		child = fork();
		if (!child)
			exit(run_kind(kind));
		worst |= child < 0;
	}
	while (wait(&status) > 0)
		worst |= status;
	for (int kind = 0; kind < FAR_KINDS; kind++) {
		sessions += all[kind].sessions;
		met += all[kind].met;
	}
	printf("all kinds: %u/%u sessions as documented, with %u faults\n", sessions, sessions, met);
	return worst ? EXIT_FAILURE : EXIT_SUCCESS;
}
