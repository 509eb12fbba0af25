/* SPDX-License-Identifier: MIT */
/*
 * Other processes at the board, over the real libusb and libftdi1: one that holds it is named, and one that is killed
 * at any URB leaves a board that the next one brings to the image that was meant. The other process is this program
 * again, told what to do by its arguments.
 */
#include <check.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"

#define PROGRAM_ROWS 32u /* two OUT transfers, and as many to verify */

extern char **environ;

static int8_t codes[ROWS * COLS];

/* ---- the other process ------------------------------------------------------------------------------------------- */

/* Not a test of Check: failures are said by the exit status and on stderr. */
static int end(int status)
{
	if (status == NMHAL_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "other process: %s\n", nmhal_last_error());
	return EXIT_FAILURE;
}

/* Holds a board until it is killed; says when it has it. */
static int hold(nmhal_device *dev)
{
	(void)dev;
	if (write(STDOUT_FILENO, "", 1) == 1)
		pause();
	return NMHAL_E_IO;
}

static int program(nmhal_device *dev, unsigned seed)
{
	random_codes(seed, codes, ROWS * COLS);
	return program_rows(dev, codes, PROGRAM_ROWS, NMHAL_PROGRAM_VERIFY, 10000);
}

/* argv: what to do, board, seed. */
static int be_other(char **argv)
{
	const unsigned number = (unsigned)strtoul(argv[2], NULL, 10), seed = (unsigned)strtoul(argv[3], NULL, 10);
	nmhal_context *own = NULL;
	nmhal_device *dev = NULL;
	int status = nmhal_context_new(NULL, &own);

	if (status == NMHAL_OK)
		status = try_open_board(own, number, &dev);
	if (status == NMHAL_OK)
		status = strcmp(argv[1], "hold") ? program(dev, seed) : hold(dev);
	nmhal_device_unref(dev);
	nmhal_context_unref(own);
	return end(status);
}

/* ---- this one ---------------------------------------------------------------------------------------------------- */

static struct bed *bed;
static unsigned board;
static nmhal_context *ctx;

static void set_up(void)
{
	bed = bed_new();
	board = bed_plug(bed, NULL);
	ctx = quiet_context();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	bed_free(bed);
}

/* Starts this program with what its main() takes; out: what becomes its stdout, or -1. */
static pid_t start(const char *what, unsigned seed, int out)
{
	char board_text[16], seed_text[16], name[] = "other";
	char *const argv[] = {name, (char *)(uintptr_t)what, board_text, seed_text, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;

	snprintf(board_text, sizeof(board_text), "%u", board);
	snprintf(seed_text, sizeof(seed_text), "%u", seed);
	posix_spawn_file_actions_init(&actions);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	ck_assert_int_eq(posix_spawn(&child, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return child;
}

static int wait_for(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

START_TEST(who_holds_the_board_is_named)
{
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	nmhal_device_list *list = NULL;
	nmhal_device *dev = NULL;
	char byte, wanted[64];
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = start("hold", 0, ends[1]);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	expect(try_open_board(ctx, board, &dev), NMHAL_E_BUSY);
	snprintf(wanted, sizeof(wanted), "/dev/bus/usb/001/%03u: held by process %d (exe); end it", board, (int)child);
	ck_assert_msg(strstr(nmhal_last_error(), wanted), "%s", nmhal_last_error());
	expect(nmhal_enumerate(ctx, "ftdi", &list), NMHAL_OK);
	expect(nmhal_device_list_get(list, 0, &info), NMHAL_OK);
	ck_assert_int_eq(info.access, NMHAL_E_BUSY);
	nmhal_device_list_free(list);
	kill(child, SIGKILL);
	ck_assert(WIFSIGNALED(wait_for(child)));
	nmhal_device_unref(open_board(ctx, board));
}
END_TEST

/* What is left of the weights after the other process was killed; the bytes that went out for it. */
static unsigned long long resume(void)
{
	const uint32_t flags = NMHAL_PROGRAM_VERIFY | NMHAL_PROGRAM_ONLY_CHANGED;
	unsigned long long bytes;
	nmhal_device *dev;

	bed_tell(bed, board, "count");
	dev = open_board(ctx, board);
	expect(program_rows(dev, codes, PROGRAM_ROWS, flags, 10000), NMHAL_OK);
	nmhal_device_unref(dev);
	bytes = bed_counter(bed, board, "out_bytes");
	check_chip(bed, board, codes, PROGRAM_ROWS);
	ck_assert_str_eq(bed_tell(bed, board, "drivers"), "1 1");
	return bytes;
}

START_TEST(killed_at_every_urb)
{
	unsigned long long bytes, least = UINT64_MAX, most = 0, sum = 0;
	unsigned killed = 0;
	int status;

	for (;; killed++) {
		random_codes(killed, codes, ROWS * COLS);
		bed_tell(bed, board, "kill %u", killed);
		status = wait_for(start("program", killed, -1));
		bed_tell(bed, board, "fault none");
		if (!WIFSIGNALED(status))
			break;
		bytes = resume();
		least = bytes < least ? bytes : least;
		most = bytes > most ? bytes : most;
		sum += bytes;
	}
	ck_assert_int_eq(status, 0);
	check_chip(bed, board, codes, PROGRAM_ROWS);
	ck_assert_uint_gt(killed, 50);
	printf("killed at %u/%u URBs of programming %u rows with verify, each time resumed to the image: %llu to %llu "
	       "bytes to the FT2232H, %llu on average\n", killed, killed, PROGRAM_ROWS, least, most, sum / killed);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite;
	TCase *tcase;
	SRunner *runner;
	int failed;

	bed_or_skip();
	if (argc == 4)
		return be_other(argv);
	suite = suite_create("usb processes");
	tcase = tcase_create("processes");
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, who_holds_the_board_is_named);
	tcase_add_test(tcase, killed_at_every_urb);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
