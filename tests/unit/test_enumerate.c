/* SPDX-License-Identifier: MIT */
/* Lists of devices, and the choice of a device when no URI is given. */
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

static int find_one(struct nmhal_found *found)
{
	return nmhal_found_add(found, "one:serial=A", "busboard", "A", NMHAL_OK);
}

static int find_two(struct nmhal_found *found)
{
	int status = nmhal_found_add(found, "two:serial=B", "busboard", "B", NMHAL_E_ACCESS);

	if (!status)
		status = nmhal_found_add(found, "two:strange,serial=C", "strange", "C", NMHAL_OK);
	return status ? status : nmhal_found_add(found, "two:serial=D", "busboard", NULL, NMHAL_E_BUSY);
}

static int find_emulated(struct nmhal_found *found)
{
	return nmhal_found_add(found, "emu:busboard", "busboard", "", NMHAL_OK);
}

static int find_fails(struct nmhal_found *found)
{
	(void)found;
	return nm_fail("broken:", NMHAL_E_IO, "list: the bus is on fire");
}

static int cannot_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns,
	struct nmhal_bus *bus, struct nmhal_stream *stream)
{
	(void)deadline_ns;
	(void)bus;
	(void)stream;
	return nmhal_host_fail(host, NMHAL_E_IO, "open: reached %s", nmhal_uri_value(uri, "serial"));
}

static const struct nmhal_key keys[] = {{"serial", "serial number"}, {NULL, NULL}};

#define LINK(name, emulated_, find) \
	static const struct nmhal_link name = {.abi = NMHAL_DRIVER_ABI, .emulated = emulated_, \
		.struct_size = sizeof(name), .scheme = #name, .summary = "", .default_board = "busboard", \
		.keys = keys, .enumerate = find, .open = cannot_open}
LINK(one, 0, find_one);
LINK(two, 0, find_two);
LINK(emu, 1, find_emulated);
LINK(broken, 0, find_fails);
LINK(mute, 0, NULL);

static nmhal_context *context_with(const struct nmhal_link *first, const struct nmhal_link *second)
{
	nmhal_context *ctx = fake_context();

	unsetenv("NMHAL_URI");
	if (first)
		assert_ok(nmhal_context_add_link(ctx, first));
	if (second)
		assert_ok(nmhal_context_add_link(ctx, second));
	return ctx;
}

static struct nmhal_device_info entry(const nmhal_device_list *list, size_t index)
{
	struct nmhal_device_info info = {.struct_size = sizeof(info)};

	assert_ok(nmhal_device_list_get(list, index, &info));
	return info;
}

START_TEST(attached_first)
{
	nmhal_context *ctx = context_with(&emu, &two);
	nmhal_device_list *list;

	assert_ok(nmhal_context_add_link(ctx, &mute));
	assert_ok(nmhal_enumerate(ctx, NULL, &list));
	/* two:strange has no driver: it is not listed. */
	ck_assert_uint_eq(nmhal_device_list_count(list), 4);
	ck_assert_str_eq(entry(list, 0).uri, "two:serial=B");
	ck_assert_str_eq(entry(list, 0).driver, "fakebus");
	ck_assert_str_eq(entry(list, 0).board, "busboard");
	ck_assert_str_eq(entry(list, 0).serial, "B");
	ck_assert_int_eq(entry(list, 0).access, NMHAL_E_ACCESS);
	ck_assert_uint_eq(entry(list, 0).emulated, 0);
	ck_assert_str_eq(entry(list, 1).serial, "");
	ck_assert_int_eq(entry(list, 1).access, NMHAL_E_BUSY);
	ck_assert_str_eq(entry(list, 2).uri, "emu:busboard");
	ck_assert_uint_eq(entry(list, 2).emulated, 1);
	ck_assert_str_eq(entry(list, 3).uri, "fake:board");
	ck_assert_str_eq(entry(list, 3).driver, "fake");
	ck_assert_uint_eq(entry(list, 3).emulated, 1);
	nmhal_device_list_free(list);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(filtered)
{
	nmhal_context *ctx = context_with(&one, &two);
	nmhal_device_list *list;

	assert_ok(nmhal_enumerate(ctx, "one", &list));
	ck_assert_uint_eq(nmhal_device_list_count(list), 1);
	ck_assert_str_eq(entry(list, 0).uri, "one:serial=A");
	nmhal_device_list_free(list);
	assert_ok(nmhal_enumerate(ctx, "fake", &list));
	ck_assert_uint_eq(nmhal_device_list_count(list), 1);
	nmhal_device_list_free(list);
	assert_ok(nmhal_enumerate(ctx, "", &list));
	ck_assert_uint_eq(nmhal_device_list_count(list), 4);
	nmhal_device_list_free(list);
	assert_fails(NMHAL_E_NO_DEVICE, "unknown scheme 'usb'; known: fakelink, one, two, fake",
		nmhal_enumerate(ctx, "usb", &list));
	ck_assert_ptr_null(list);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(broken_link_hides_no_other)
{
	nmhal_context *ctx = context_with(&broken, &one);
	nmhal_device_list *list;

	assert_ok(nmhal_enumerate(ctx, NULL, &list));
	ck_assert_uint_eq(nmhal_device_list_count(list), 2);
	nmhal_device_list_free(list);
	assert_fails(NMHAL_E_IO, "the bus is on fire", nmhal_enumerate(ctx, "broken", &list));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(bad_arguments)
{
	nmhal_context *ctx = context_with(NULL, NULL);
	struct nmhal_device_info info = {.struct_size = sizeof(info)};
	nmhal_device_list *list;

	assert_fails(NMHAL_E_INVALID, "out is NULL", nmhal_enumerate(ctx, NULL, NULL));
	assert_fails(NMHAL_E_INVALID, "ctx is NULL", nmhal_enumerate(NULL, NULL, &list));
	ck_assert_uint_eq(nmhal_device_list_count(NULL), 0);
	assert_fails(NMHAL_E_INVALID, "get entry 0: the list has 0", nmhal_device_list_get(NULL, 0, &info));
	nmhal_device_list_free(NULL);
	assert_ok(nmhal_enumerate(ctx, NULL, &list));
	assert_fails(NMHAL_E_INVALID, "get entry 1: the list has 1", nmhal_device_list_get(list, 1, &info));
	assert_fails(NMHAL_E_INVALID, "nmhal_device_info: is NULL", nmhal_device_list_get(list, 0, NULL));
	info.struct_size = 8;
	assert_fails(NMHAL_E_INVALID, "struct_size is 8", nmhal_device_list_get(list, 0, &info));
	nmhal_device_list_free(list);
	nmhal_context_unref(ctx);
}
END_TEST

/* What open does without a URI; the open itself fails where it got to. */
START_TEST(only_attached_board_is_opened)
{
	nmhal_context *ctx = context_with(&one, &emu);
	nmhal_device *dev;

	assert_fails(NMHAL_E_IO, "one:serial=A: open: reached A", nmhal_device_open(ctx, NULL, NULL, &dev));
	assert_fails(NMHAL_E_IO, "one:serial=A: open: reached A", nmhal_device_open(ctx, "", NULL, &dev));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(several_attached_boards_are_listed)
{
	nmhal_context *ctx = context_with(&one, &two);
	nmhal_device *dev;

	assert_fails(NMHAL_E_NO_DEVICE, "3 boards are attached; name one of one:serial=A, two:serial=B, two:serial=D",
		nmhal_device_open(ctx, NULL, NULL, &dev));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(never_silently_an_emulator)
{
	nmhal_context *ctx = context_with(&emu, NULL);
	nmhal_device *dev;

	assert_fails(NMHAL_E_NO_DEVICE, "no board is attached; emulated: emu:busboard, fake:board",
		nmhal_device_open(ctx, NULL, NULL, &dev));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(environment_names_the_device)
{
	nmhal_context *ctx = context_with(&one, NULL);
	nmhal_device *dev;

	setenv("NMHAL_URI", "one:serial=ENV", 1);
	assert_fails(NMHAL_E_IO, "one:serial=ENV: open: reached ENV", nmhal_device_open(ctx, NULL, NULL, &dev));
	assert_fails(NMHAL_E_IO, "one:serial=X: open: reached X", nmhal_device_open(ctx, "one:serial=X", NULL, &dev));
	setenv("NMHAL_URI", "", 1);
	assert_fails(NMHAL_E_IO, "one:serial=A: open: reached A", nmhal_device_open(ctx, NULL, NULL, &dev));
	unsetenv("NMHAL_URI");
	nmhal_context_unref(ctx);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {attached_first, filtered, broken_link_hides_no_other, bad_arguments,
		only_attached_board_is_opened, several_attached_boards_are_listed, never_silently_an_emulator,
		environment_names_the_device};

	return run_tests("enumerate", tests, sizeof(tests) / sizeof(*tests));
}
