/* SPDX-License-Identifier: MIT */
/* Virtual boards through the real libusb and libftdi1: finding, holding, programming, running, leaving. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"

#define CYCLES     1000u /* plug, open, close, unplug */
#define STEPS      200u
#define FEW_ROWS   8u
#define OUTPUTS    65536u

static struct bed *bed;
static nmhal_context *ctx;
static int8_t codes[ROWS * COLS], others[ROWS * COLS];

static void set_up(void)
{
	bed = bed_new();
	ctx = quiet_context();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	bed_free(bed);
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

START_TEST(a_board_is_listed_and_opens_by_its_uri)
{
	unsigned board = bed_plug(bed, NULL);
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	nmhal_device_list *list = NULL;
	nmhal_device *dev = NULL;

	expect(nmhal_enumerate(ctx, "ftdi", &list), NMHAL_OK);
	ck_assert_uint_eq(nmhal_device_list_count(list), 1);
	expect(nmhal_device_list_get(list, 0, &info), NMHAL_OK);
	ck_assert_str_eq(info.serial, "NM000002");
	ck_assert_str_eq(info.board, "tinyodin");
	ck_assert_int_eq(info.access, NMHAL_OK);
	ck_assert_uint_eq(info.emulated, 0);
	expect(nmhal_device_open(ctx, info.uri, NULL, &dev), NMHAL_OK);
	ck_assert_str_eq(nmhal_device_uri(dev), info.uri);
	ck_assert_str_eq(bed_tell(bed, board, "drivers"), "0 0");
	nmhal_device_unref(dev);
	ck_assert_str_eq(bed_tell(bed, board, "drivers"), "1 1");
	nmhal_device_list_free(list);
}
END_TEST

START_TEST(the_only_board_opens_without_a_uri)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_device *dev = NULL;

	bed_plug(bed, NULL);
	expect(nmhal_device_open(ctx, NULL, NULL, &dev), NMHAL_OK);
	expect(nmhal_device_caps(dev, &caps), NMHAL_OK);
	ck_assert_str_eq(caps.serial, "NM000002");
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(of_two_boards_the_serial_decides)
{
	nmhal_device *dev = NULL;

	bed_plug(bed, NULL);
	bed_plug(bed, NULL);
	expect(nmhal_device_open(ctx, "ftdi:tinyodin", NULL, &dev), NMHAL_E_NO_DEVICE);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "serial=NM000002"));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "serial=NM000003"));
	nmhal_device_unref(open_board(ctx, 3));
	expect(try_open_board(ctx, 9, &dev), NMHAL_E_NO_DEVICE);
	ck_assert_ptr_null(dev);
}
END_TEST

START_TEST(boards_with_one_serial_are_told_apart_by_their_ports)
{
	const struct vftdi_params twin = {.serial = "SAME"};
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	nmhal_device_list *list = NULL;
	nmhal_device *dev = NULL;

	bed_plug(bed, &twin);
	bed_plug(bed, &twin);
	expect(nmhal_device_open(ctx, "ftdi:tinyodin,serial=SAME", NULL, &dev), NMHAL_E_NO_DEVICE);
	ck_assert_msg(strstr(nmhal_last_error(), "open: 2 boards match; name one of ftdi:tinyodin,bus=1,port=") &&
		strstr(nmhal_last_error(), "port=1") && strstr(nmhal_last_error(), "port=2"), "%s", nmhal_last_error());
	expect(nmhal_enumerate(ctx, "ftdi", &list), NMHAL_OK);
	ck_assert_uint_eq(nmhal_device_list_count(list), 2);
	for (size_t n = 0; n < 2; n++) {
		expect(nmhal_device_list_get(list, n, &info), NMHAL_OK);
		expect(nmhal_device_open(ctx, info.uri, NULL, &dev), NMHAL_OK);
		ck_assert_str_eq(bed_tell(bed, strstr(info.uri, ",port=1") ? 2 : 3, "drivers"), "0 0");
		nmhal_device_unref(dev);
	}
	nmhal_device_list_free(list);
	expect(nmhal_device_open(ctx, "ftdi:tinyodin,bus=1,port=9", NULL, &dev), NMHAL_E_NO_DEVICE);
	ck_assert_msg(strstr(nmhal_last_error(), "no FTDI board with bus=1, port=9 on the USB (2 others)"), "%s",
		nmhal_last_error());
}
END_TEST

START_TEST(boards_of_the_other_kind_are_no_choice)
{
	const struct vftdi_params nmlink = {.product = "NMHAL nmlink uart", .serial = "U1"};
	nmhal_device *dev = NULL;
	unsigned board;

	bed_plug(bed, &nmlink);
	board = bed_plug(bed, NULL);
	expect(nmhal_device_open(ctx, "ftdi:tinyodin", NULL, &dev), NMHAL_OK);
	ck_assert_str_eq(bed_tell(bed, board, "drivers"), "0 0");
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(a_foreign_ft2232h_is_left_alone)
{
	const struct vftdi_params foreign = {.manufacturer = "FTDI", .product = "Dual RS232-HS", .serial = "FT1"};
	unsigned board = bed_plug(bed, &foreign);
	nmhal_device_list *list = NULL;
	nmhal_device *dev = NULL;

	expect(nmhal_enumerate(ctx, "ftdi", &list), NMHAL_OK);
	ck_assert_uint_eq(nmhal_device_list_count(list), 0);
	nmhal_device_list_free(list);
	expect(nmhal_device_open(ctx, "ftdi:tinyodin", NULL, &dev), NMHAL_E_NO_DEVICE);
	ck_assert_str_eq(bed_tell(bed, board, "drivers"), "1 1");
	/* Its owner may say that it is one. */
	expect(nmhal_device_open(ctx, "ftdi:tinyodin,serial=FT1", NULL, &dev), NMHAL_OK);
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(the_wrong_chip_is_refused)
{
	const struct vftdi_params one_channel = {.ft232h = true, .product = "NMHAL tinyODIN", .serial = "H1"};
	nmhal_device *dev = NULL;
	int status;

	bed_plug(bed, &one_channel);
	status = nmhal_device_open(ctx, "ftdi:tinyodin,serial=H1", NULL, &dev);
	ck_assert_msg(status == NMHAL_E_NO_DEVICE || status == NMHAL_E_UNSUPPORTED, "%s", nmhal_status_name(status));
	ck_assert_msg(strstr(nmhal_last_error(), "FT2232H"), "%s", nmhal_last_error());
}
END_TEST

/* ---- holding ----------------------------------------------------------------------------------------------------- */

START_TEST(a_board_is_held_by_one)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board), *second = NULL;

	expect(try_open_board(ctx, board, &second), NMHAL_E_BUSY);
	nmhal_device_unref(dev);
	nmhal_device_unref(open_board(ctx, board));
}
END_TEST

START_TEST(without_permission_the_sentence_says_what_to_do)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = NULL;

	bed_tell(bed, board, "access off");
	expect(try_open_board(ctx, board, &dev), NMHAL_E_ACCESS);
	ck_assert_msg(strstr(nmhal_last_error(), "70-nmhal.rules"), "%s", nmhal_last_error());
	bed_tell(bed, board, "access on");
	nmhal_device_unref(open_board(ctx, board));
}
END_TEST

/* ---- working ----------------------------------------------------------------------------------------------------- */

START_TEST(weights_arrive_and_read_back)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board);

	random_codes(1, codes, ROWS * COLS);
	expect(program_rows(dev, codes, ROWS, NMHAL_PROGRAM_VERIFY, 10000), NMHAL_OK);
	check_chip(bed, board, codes, ROWS);
	expect(nmhal_read_weights(dev, NULL, others, 0, NMHAL_CODE_I8, 10000), NMHAL_OK);
	ck_assert_int_eq(memcmp(codes, others, sizeof(codes)), 0);
	nmhal_device_unref(dev);
	check_chip(bed, board, codes, ROWS);
}
END_TEST

static void prepare(nmhal_device *dev, uint32_t rows, int open_loop, int source, int max_neuron)
{
	struct nmhal_neuron neurons[COLS];

	random_neurons(5, neurons);
	random_codes(6, codes, ROWS * COLS);
	expect(program_rows(dev, codes, rows, 0, 10000), NMHAL_OK);
	expect(nmhal_set_neurons(dev, 0, 0, COLS, neurons, 10000), NMHAL_OK);
	expect(nmhal_attr_set_int(dev, "open_loop", open_loop), NMHAL_OK);
	expect(nmhal_attr_set_int(dev, "output_source", source), NMHAL_OK);
	expect(nmhal_attr_set_int(dev, "max_neuron", max_neuron), NMHAL_OK);
}

/* Outputs, steps, order and all neurons of a board are those of the emulator. */
static void compare(nmhal_device *dev, nmhal_device *model, unsigned seed)
{
	static struct nmhal_event in[3 * STEPS], out[2][OUTPUTS];
	struct nmhal_neuron neurons[2][COLS];
	size_t in_count = random_events(seed, STEPS, in), count[2];
	int status = run_events(model, in, in_count, out[1], OUTPUTS, &count[1], 20000);

	expect(run_events(dev, in, in_count, out[0], OUTPUTS, &count[0], 20000), status);
	ck_assert_uint_eq(count[0], count[1]);
	ck_assert_uint_gt(count[0], 0);
	for (size_t n = 0; n < count[0]; n++)
		ck_assert_msg(!memcmp(&out[0][n], &out[1][n], sizeof(out[0][n])),
			"output %zu of %zu: step %llu, neuron %u; the emulator: step %llu, neuron %u", n, count[0],
			(unsigned long long)out[0][n].step, out[0][n].address, (unsigned long long)out[1][n].step,
			out[1][n].address);
	expect(nmhal_get_neurons(dev, 0, 0, COLS, neurons[0], 10000), NMHAL_OK);
	expect(nmhal_get_neurons(model, 0, 0, COLS, neurons[1], 10000), NMHAL_OK);
	ck_assert_int_eq(memcmp(neurons[0], neurons[1], sizeof(neurons[0])), 0);
}

static const struct {
	int open_loop, source, max_neuron;
} ways[] = {{1, 0, 254}, {1, 1, 255}, {0, 0, 9}, {1, 0, 100}, {1, 0, 255}, {0, 1, 40}};

START_TEST(runs_are_those_of_the_emulator)
{
	nmhal_device *dev = open_board(ctx, bed_plug(bed, NULL)), *model = NULL;

	expect(nmhal_device_open(ctx, "sim:tinyodin", NULL, &model), NMHAL_OK);
	prepare(dev, ROWS, ways[_i].open_loop, ways[_i].source, ways[_i].max_neuron);
	prepare(model, ROWS, ways[_i].open_loop, ways[_i].source, ways[_i].max_neuron);
	for (unsigned seed = 0; seed < 3; seed++)
		compare(dev, model, seed);
	nmhal_device_unref(model);
	nmhal_device_unref(dev);
}
END_TEST

/* ---- a chip that hangs ------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

START_TEST(a_core_that_never_acknowledges_hangs_nobody)
{
	static const struct nmhal_event event = {.address = 3};
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board);
	struct nmhal_event out[COLS];
	int64_t began = now_ms();
	size_t count;

	prepare(dev, FEW_ROWS, 1, 0, 254);
	bed_tell(bed, board, "clock off");
	expect(run_events(dev, &event, 1, out, COLS, &count, 300), NMHAL_E_TIMEOUT);
	ck_assert_int_lt(now_ms() - began, 3000);
	bed_tell(bed, board, "clock on");
	expect(nmhal_device_reset(dev, 2000), NMHAL_OK);
	check_chip(bed, board, codes, FEW_ROWS);
	expect(nmhal_reset_state(dev, 2000), NMHAL_OK);
	expect(run_events(dev, &event, 1, out, COLS, &count, 2000), NMHAL_OK);
	nmhal_device_unref(dev);
}
END_TEST

static void *run_for_ever(void *arg)
{
	static const struct nmhal_event event = {.address = 3};
	struct nmhal_event out[4];
	size_t count;
	int *status = malloc(sizeof(*status));

	*status = run_events(arg, &event, 1, out, 4, &count, NMHAL_WAIT_FOREVER);
	return status;
}

START_TEST(close_ends_a_hung_wait)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board);
	struct timespec moment = {0, 200000000};
	pthread_t thread;
	int64_t began;
	void *status;

	prepare(dev, FEW_ROWS, 1, 0, 254);
	bed_tell(bed, board, "clock off");
	ck_assert_int_eq(pthread_create(&thread, NULL, run_for_ever, dev), 0);
	nanosleep(&moment, NULL);
	began = now_ms();
	expect(nmhal_device_close(dev), NMHAL_OK);
	ck_assert_int_lt(now_ms() - began, 1000);
	pthread_join(thread, &status);
	ck_assert_int_eq(*(int *)status, NMHAL_E_CANCELED);
	free(status);
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(an_overrun_is_told_and_mended)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board);

	random_codes(3, codes, ROWS * COLS);
	bed_tell(bed, board, "overrun");
	expect(program_rows(dev, codes, FEW_ROWS, NMHAL_PROGRAM_VERIFY, 10000), NMHAL_E_OVERRUN);
	ck_assert_msg(strstr(nmhal_last_error(), "the FT2232H lost bytes (overrun)"), "%s", nmhal_last_error());
	expect(program_rows(dev, codes, FEW_ROWS, NMHAL_PROGRAM_VERIFY, 10000), NMHAL_OK);
	check_chip(bed, board, codes, FEW_ROWS);
	nmhal_device_unref(dev);
}
END_TEST

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

START_TEST(an_idle_board_leaves_and_comes_back)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev = open_board(ctx, board);

	random_codes(2, codes, ROWS * COLS);
	expect(program_rows(dev, codes, 8, 0, 10000), NMHAL_OK);
	bed_unplug(bed, board);
	expect(program_rows(dev, codes, 8, 0, 2000), NMHAL_E_GONE);
	ck_assert_msg(strstr(nmhal_last_error(), "unplugged") || strstr(nmhal_last_error(), "gone"), "%s",
		nmhal_last_error());
	expect(program_rows(dev, codes, 8, 0, 2000), NMHAL_E_GONE);
	nmhal_device_unref(dev);
	bed_replug(bed, board);
	dev = open_board(ctx, board);
	expect(program_rows(dev, codes, 16, NMHAL_PROGRAM_VERIFY, 10000), NMHAL_OK);
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(a_thousand_times_plugged_and_unplugged)
{
	unsigned board = bed_plug(bed, NULL);
	nmhal_device *dev;
	size_t files = 0;

	for (unsigned n = 0; n < CYCLES; n++) {
		dev = open_board(ctx, board);
		bed_unplug(bed, board);
		nmhal_device_unref(dev);
		bed_replug(bed, board);
		if (n == 10)
			files = open_files();
	}
	ck_assert_uint_le(open_files(), files + 2);
	nmhal_device_unref(open_board(ctx, board));
}
END_TEST

static TCase *new_case(Suite *suite, const char *name, const char *tags)
{
	TCase *tcase = tcase_create(name);

	tcase_set_tags(tcase, tags);
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("usb boards");
	/* Tags: also by umockdev's nodes, which are slow and never refuse an open; also under TSan. */
	TCase *light = new_case(suite, "light", "mockdev tsan");
	TCase *some = new_case(suite, "some", "mockdev");
	TCase *rest = new_case(suite, "rest", "");
	SRunner *runner;
	int failed;

	bed_or_skip();
	tcase_add_test(light, a_board_is_listed_and_opens_by_its_uri);
	tcase_add_test(light, the_only_board_opens_without_a_uri);
	tcase_add_test(light, of_two_boards_the_serial_decides);
	tcase_add_test(light, boards_with_one_serial_are_told_apart_by_their_ports);
	tcase_add_test(light, boards_of_the_other_kind_are_no_choice);
	tcase_add_test(light, a_foreign_ft2232h_is_left_alone);
	tcase_add_test(light, the_wrong_chip_is_refused);
	tcase_add_test(light, a_board_is_held_by_one);
	tcase_add_test(light, a_core_that_never_acknowledges_hangs_nobody);
	tcase_add_test(light, close_ends_a_hung_wait);
	tcase_add_test(light, an_overrun_is_told_and_mended);
	tcase_add_test(light, an_idle_board_leaves_and_comes_back);
	tcase_add_test(some, weights_arrive_and_read_back);
	tcase_add_loop_test(some, runs_are_those_of_the_emulator, 0, 3);
	tcase_add_test(rest, without_permission_the_sentence_says_what_to_do);
	tcase_add_loop_test(rest, runs_are_those_of_the_emulator, 3, sizeof(ways) / sizeof(ways[0]));
	tcase_add_test(rest, a_thousand_times_plugged_and_unplugged);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
