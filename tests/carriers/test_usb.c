/* SPDX-License-Identifier: MIT */
/* The carrier usb:, with the real libusb over a usbfs of our own (tests/usb). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carrier.h"
#include "tap.h"
#include "tests/usb/bed.h"

static struct bed *bed;
static unsigned boards[2];

/* Which far end the running carrier has, and the URI that opens it but for the serial number. */
static const char *model_name = "echo", *scheme = "usb", *mode = "";

static unsigned plug(char uri[CARRIER_URI])
{
	struct model_params params = {.pipe = carrier_far};
	struct model model;
	char serial[16];

	snprintf(serial, sizeof(serial), "NM-%04u", bed_next(bed));
	params.serial = serial;
	ck_assert(model_new(model_name, &params, &model));
	snprintf(uri, CARRIER_URI, "%s:%s,serial=%s%s", scheme, carrier_board(), serial, mode);
	return bed_plug_model(bed, model);
}

static void start(char uri[CARRIER_URI])
{
	bed = bed_new();
	boards[0] = plug(uri);
}

static void stop(void)
{
	bed_free(bed);
}

static void second(char uri[CARRIER_URI])
{
	boards[1] = plug(uri);
}

static void unplug(void)
{
	bed_unplug(bed, boards[0]);
}

static void replug(void)
{
	bed_replug(bed, boards[0]);
}

static void hold(bool on)
{
	bed_tell(bed, boards[0], "hold %s", on ? "on" : "off");
}

static void stale(size_t size)
{
	bed_tell(bed, boards[0], "stale %zu", size);
	if (!strcmp(model_name, "echo"))
		bed_tell(bed, boards[0], "event %zu", size);
}

static void start_uart(char uri[CARRIER_URI])
{
	model_name = "uart";
	scheme = "ftdi";
	mode = ",mode=uart";
	start(uri);
}

static void start_fifo(char uri[CARRIER_URI])
{
	model_name = "fifo";
	scheme = "ftdi";
	mode = ",mode=fifo";
	start(uri);
}

static const struct carrier uart_carrier = {"ftdi uart", start_uart, stop, second, unplug, replug, hold, stale, 0,
	16000, 200};
static const struct carrier fifo_carrier = {"ftdi fifo", start_fifo, stop, second, unplug, replug, hold, stale, 0,
	16000, 200};
static void start_usb(char uri[CARRIER_URI])
{
	model_name = "echo";
	scheme = "usb";
	mode = "";
	start(uri);
}

static const struct carrier usb_carrier = {"usb", start_usb, stop, second, unplug, replug, hold, stale, 66560, 16000,
	1000};

/* ---- what only USB has ------------------------------------------------------------------------------------------- */

static nmhal_context *ctx;
static char uri[CARRIER_URI];
static struct tap tap;

static void set_up(void)
{
	start(uri);
	ctx = tap_context();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
	stop();
}

static int64_t in_ms(int64_t ms)
{
	return nmhal_now_ns() + ms * 1000000;
}

static int tx(size_t size)
{
	static uint8_t bytes[66560];

	return tap.stream.ops->send(tap.stream.self, bytes, size, in_ms(500));
}

static int rx(size_t *size, int64_t ms)
{
	static uint8_t bytes[66560];

	return tap.stream.ops->recv(tap.stream.self, bytes, sizeof(bytes), size, in_ms(ms));
}

START_TEST(boards_are_listed_and_named)
{
	const char *const names[] = {"usb:echo,bus=1,port=1", "usb:echo,serial=NM-0002", "usb:echo",
		"usb:echo,bus=1", "usb:echo,port=1,serial=NM-0002"};
	nmhal_device_list *list = NULL;
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	char second_uri[CARRIER_URI];

	bed_plug(bed, NULL); /* an FTDI module is none of ours */
	for (size_t n = 0; n < sizeof(names) / sizeof(*names); n++)
		tap_is(tap_try(ctx, names[n]), NMHAL_OK);
	tap_is(nmhal_enumerate(ctx, "usb", &list), NMHAL_OK);
	ck_assert_uint_eq(nmhal_device_list_count(list), 1);
	tap_is(nmhal_device_list_get(list, 0, &info), NMHAL_OK);
	ck_assert_str_eq(info.uri, "usb:nmlink,serial=NM-0002");
	ck_assert_str_eq(info.serial, "NM-0002");
	ck_assert_int_eq(info.access, NMHAL_OK);
	nmhal_device_list_free(list);
	tap_is(tap_try(ctx, "usb:echo,serial=NM-9"), NMHAL_E_NO_DEVICE);
	ck_assert_msg(strstr(nmhal_last_error(), "serial=NM-9"), "%s", nmhal_last_error());
	tap_is(tap_try(ctx, "usb:echo,bus=1,port=4.2"), NMHAL_E_NO_DEVICE);
	second(second_uri);
	tap_is(tap_try(ctx, "usb:echo"), NMHAL_E_NO_DEVICE);
	ck_assert_msg(strstr(nmhal_last_error(), "serial=NM-0004"), "%s", nmhal_last_error());
	tap_is(tap_try(ctx, second_uri), NMHAL_OK);
}
END_TEST

START_TEST(a_board_is_held_by_one)
{
	tap_open(ctx, uri, &tap);
	tap_is(tap_try(ctx, uri), NMHAL_E_BUSY);
	tap_close(&tap);
	tap_is(tap_try(ctx, uri), NMHAL_OK);
}
END_TEST

START_TEST(without_permission_the_sentence_says_what_to_do)
{
	nmhal_device_list *list = NULL;
	struct nmhal_device_info info = {.struct_size = sizeof(info)};

	bed_tell(bed, boards[0], "access off");
	tap_is(tap_try(ctx, uri), NMHAL_E_ACCESS);
	ck_assert_msg(strstr(nmhal_last_error(), "70-nmhal.rules"), "%s", nmhal_last_error());
	tap_is(nmhal_enumerate(ctx, "usb", &list), NMHAL_OK);
	ck_assert_uint_eq(nmhal_device_list_count(list), 1);
	tap_is(nmhal_device_list_get(list, 0, &info), NMHAL_OK);
	ck_assert_int_eq(info.access, NMHAL_E_ACCESS);
	nmhal_device_list_free(list);
}
END_TEST

START_TEST(the_kernel_driver_comes_back)
{
	bed_tell(bed, boards[0], "driver on");
	tap_open(ctx, uri, &tap);
	ck_assert_str_eq(bed_tell(bed, boards[0], "drivers"), "0 0");
	tap_close(&tap);
	ck_assert_str_eq(bed_tell(bed, boards[0], "drivers"), "1 0");
}
END_TEST

START_TEST(events_come_with_the_replies)
{
	size_t size;

	tap_open(ctx, uri, &tap);
	bed_tell(bed, boards[0], "event 700");
	tap_is(rx(&size, 2000), NMHAL_OK);
	ck_assert_uint_eq(size, 700);
	tap_is(tx(40), NMHAL_OK);
	tap_is(rx(&size, 2000), NMHAL_OK);
	ck_assert_uint_eq(size, 40);
	bed_tell(bed, boards[0], "event 512"); /* with an empty packet at its end */
	tap_is(rx(&size, 2000), NMHAL_OK);
	ck_assert_uint_eq(size, 512);
	tap_is(rx(&size, 10), NMHAL_E_TIMEOUT);
	tap_close(&tap);
}
END_TEST

START_TEST(a_serial_port_has_the_rate_of_the_uri)
{
	static const char *const uris[] = {"ftdi:echo,serial=F1", "ftdi:echo,serial=F1,baud=117000,mode=uart",
		"ftdi:echo,serial=F1,baud=57600"};
	struct model_params params = {.serial = "F1"};
	uint8_t bytes[4];
	struct model model;
	unsigned board;
	size_t size;

	ck_assert(model_new("uart", &params, &model));
	board = bed_plug_model(bed, model);
	for (size_t n = 0; n < 3; n++) {
		tap_open(ctx, uris[n], &tap);
		ck_assert_str_eq(bed_tell(bed, board, "drivers"), "0 1"); /* channel B is none of ours */
		tap_is(tap.stream.ops->send(tap.stream.self, "abcd", 4, in_ms(500)), NMHAL_OK);
		tap_is(tap.stream.ops->recv(tap.stream.self, bytes, 4, &size, in_ms(500)), NMHAL_OK);
		ck_assert_int_eq(memcmp(bytes, "abcd", size) == 0, n < 2);
		tap_close(&tap);
		ck_assert_str_eq(bed_tell(bed, board, "drivers"), "1 1");
	}
	tap_is(tap_try(ctx, "ftdi:echo,serial=F1,mode=spi"), NMHAL_E_INVALID);
	tap_is(tap_try(ctx, "ftdi:echo,serial=F1,baud=13000000"), NMHAL_E_INVALID);
	tap_is(tap_try(ctx, "ftdi:echo,serial=F1,clk_hz=1000000"), NMHAL_E_INVALID);
	tap_is(tap_try(ctx, "ftdi:tinyodin,serial=F1,mode=uart"), NMHAL_E_INVALID);
}
END_TEST

/* A fault at every transfer of a session: an error at most, then the same stream works, or is gone. */
static void session(const char *kind, unsigned number)
{
	int64_t begin_ns = nmhal_now_ns();
	int status = NMHAL_OK, recovered = NMHAL_E_IO, happened = 0;
	nmhal_device *dev = NULL;
	size_t size;

	bed_tell(bed, boards[0], "fault %s urb %u", kind, number);
	status = nmhal_device_open(ctx, uri, NULL, &dev);
	if (status != NMHAL_OK) {
		ck_assert_msg(status == NMHAL_E_IO || status == NMHAL_E_GONE || status == NMHAL_E_NO_DEVICE,
			"%s %u: %s", kind, number, nmhal_last_error());
		goto done;
	}
	nmhal_device_close(dev);
	nmhal_device_unref(dev);
	ck_assert_int_eq(sscanf(bed_tell(bed, boards[0], "numbers"), "%*u %*u %d", &happened), 1);
	if (happened && !strcmp(kind, "ENODEV"))
		goto done; /* it left while it was closed */
	bed_tell(bed, boards[0], "fault none");
	tap_open(ctx, uri, &tap);
	bed_tell(bed, boards[0], "fault %s urb %u", kind, number);
	for (int n = 0; n < 12 && status != NMHAL_E_GONE; n++) {
		status = tx(600);
		if (status == NMHAL_OK)
			status = rx(&size, 100);
	}
	for (int n = 0; n < 12 && status != NMHAL_E_GONE && recovered != NMHAL_OK && recovered != NMHAL_E_GONE;
		n++) {
		(void)tap.stream.ops->flush(tap.stream.self, in_ms(500));
		recovered = tx(99);
		if (recovered == NMHAL_OK)
			recovered = rx(&size, 500);
	}
	ck_assert_msg(status == NMHAL_E_GONE || recovered == NMHAL_OK || recovered == NMHAL_E_GONE, "%s %u: %s", kind,
		number, nmhal_last_error());
	tap_close(&tap);
done:
	ck_assert_int_lt(nmhal_now_ns() - begin_ns, INT64_C(8000000000));
}

START_TEST(a_fault_at_every_transfer)
{
	static const char *const kinds[] = {"short", "STALL", "overflow", "corrupted", "duplicated", "lost", "delayed"};

	for (unsigned number = 0; number < 30; number++)
		session(kinds[_i], number);
	bed_tell(bed, boards[0], "fault none");
	tap_is(tap_try(ctx, uri), NMHAL_OK);
}
END_TEST

START_TEST(unplugged_at_every_transfer)
{
	for (unsigned number = 0; number < 40; number++) {
		session("ENODEV", number);
		bed_tell(bed, boards[0], "fault none");
		bed_unplug(bed, boards[0]);
		bed_replug(bed, boards[0]);
	}
	tap_is(tap_try(ctx, uri), NMHAL_OK);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {boards_are_listed_and_named, a_board_is_held_by_one,
		without_permission_the_sentence_says_what_to_do, the_kernel_driver_comes_back,
		events_come_with_the_replies, a_serial_port_has_the_rate_of_the_uri, unplugged_at_every_transfer};
	const struct carrier *const carriers[] = {&usb_carrier, &uart_carrier, &fifo_carrier};
	Suite *suite = suite_create("usb only");
	TCase *tcase = tcase_create("usb only");
	SRunner *runner = srunner_create(suite);
	int failed;

	bed_or_skip();
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	for (size_t n = 0; n < sizeof(tests) / sizeof(*tests); n++)
		tcase_add_test(tcase, tests[n]);
	tcase_add_loop_test(tcase, a_fault_at_every_transfer, 0, 7);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	failed += carrier_run(carriers, 3) + hostile_run(carriers, 3);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
