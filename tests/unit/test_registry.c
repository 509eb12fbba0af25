/* SPDX-License-Identifier: MIT */
/* Which drivers and links a context takes, and how they are found. */
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

static const char *const no_boards[] = {NULL};
static const char *const one_board[] = {"other", NULL};
static const char *const taken_board[] = {"busboard", NULL};

/* A driver that would be taken. */
static struct nmhal_driver good_driver(void)
{
	struct nmhal_driver driver = fake_driver;

	driver.name = "good";
	driver.scheme = "good";
	driver.boards = one_board;
	return driver;
}

START_TEST(takes_good_ones)
{
	nmhal_context *ctx = fake_context();
	struct nmhal_driver driver = good_driver();
	const struct nmhal_driver *found;
	const struct nmhal_link *link;

	assert_ok(nmhal_context_add_driver(ctx, &driver));
	assert_ok(nm_registry_scheme(ctx, "u", "good", &link, &found));
	ck_assert_ptr_null(link);
	ck_assert_ptr_eq(found, &driver);
	assert_ok(nm_registry_board(ctx, "u", "other", &found));
	ck_assert_ptr_eq(found, &driver);
	assert_ok(nm_registry_scheme(ctx, "u", "fakelink", &link, &found));
	ck_assert_ptr_eq(link, &fake_link);
	ck_assert_ptr_null(found);
	assert_ok(nm_registry_board(ctx, "u", "busboard", &found));
	ck_assert_ptr_eq(found, &fake_bus_driver);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(lists_what_is_known)
{
	nmhal_context *ctx = fake_context();
	const struct nmhal_driver *found;
	const struct nmhal_link *link;

	assert_fails(NMHAL_E_NO_DEVICE, "u: open: unknown scheme 'usb'; known: fakelink, fake",
		nm_registry_scheme(ctx, "u", "usb", &link, &found));
	/* Behind a link, and a driver that is its own scheme: each knows its own boards. */
	found = NULL;
	assert_fails(NMHAL_E_NO_DEVICE, "u: open: unknown board 'board'; known: busboard",
		nm_registry_board(ctx, "u", "board", &found));
	found = &fake_driver;
	assert_fails(NMHAL_E_NO_DEVICE, "u: open: unknown board 'busboard'; known: board",
		nm_registry_board(ctx, "u", "busboard", &found));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(refuses_bad_drivers)
{
	static const struct nmhal_attr_info no_key[] = {{.struct_size = sizeof(no_key[0]), .type = NMHAL_ATTR_INT}};
	static const struct nmhal_attr_info no_type[] = {
		{.struct_size = sizeof(no_type[0]), .key = "k", .unit = "", .summary = ""}};
	static const struct nmhal_attr_info no_size[] = {{.key = "k"}};
	nmhal_context *ctx = fake_context();
	struct nmhal_driver driver;

#define REFUSE(status, text, change) \
	driver = good_driver(); \
	driver.change; \
	assert_fails(status, text, nmhal_context_add_driver(ctx, &driver))
	REFUSE(NMHAL_E_INVALID, "abi is 2, this library has 1", abi = NMHAL_DRIVER_ABI + 1);
	REFUSE(NMHAL_E_INVALID, "struct_size is 8, must be at least", struct_size = 8);
	REFUSE(NMHAL_E_INVALID, "it has no name", name = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no name", name = "");
	REFUSE(NMHAL_E_INVALID, "add driver 'good': it has no open", open = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no boards", boards = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no boards", boards = no_boards);
	REFUSE(NMHAL_E_INVALID, "needs is 3", needs = 3);
	REFUSE(NMHAL_E_INVALID, "a scheme goes with", scheme = NULL);
	REFUSE(NMHAL_E_INVALID, "a scheme goes with", needs = NMHAL_NEEDS_BUS);
	REFUSE(NMHAL_E_INVALID, "attributes: 4 of them, but the list is NULL", attrs = NULL);
	REFUSE(NMHAL_E_INVALID, "attribute 0 has no key", attr_count = (driver.attrs = no_key, 1));
	REFUSE(NMHAL_E_INVALID, "attribute 'k': type is 0", attr_count = (driver.attrs = no_type, 1));
	REFUSE(NMHAL_E_INVALID, "attribute 0: struct_size is 0", attr_count = (driver.attrs = no_size, 1));
	REFUSE(NMHAL_E_BUSY, "add driver 'fake': the name is taken", name = "fake");
	REFUSE(NMHAL_E_BUSY, "add driver 'good': scheme 'fake' is taken", scheme = "fake");
	REFUSE(NMHAL_E_BUSY, "scheme 'fakelink' is taken", scheme = "fakelink");
	REFUSE(NMHAL_E_BUSY, "board 'busboard' is driven by 'fakebus'",
		boards = (driver.scheme = NULL, driver.needs = NMHAL_NEEDS_BUS, taken_board));
#undef REFUSE
	assert_fails(NMHAL_E_INVALID, "driver is NULL", nmhal_context_add_driver(ctx, NULL));
	assert_fails(NMHAL_E_INVALID, "ctx is NULL", nmhal_context_add_driver(NULL, &fake_driver));
	ck_assert_uint_eq(ctx->driver_count, 2);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(refuses_bad_links)
{
	nmhal_context *ctx = fake_context();
	struct nmhal_link link;

#define REFUSE(status, text, change) \
	link = fake_link; \
	link.scheme = "good"; \
	link.change; \
	assert_fails(status, text, nmhal_context_add_link(ctx, &link))
	REFUSE(NMHAL_E_INVALID, "abi is 0, this library has 1", abi = 0);
	REFUSE(NMHAL_E_INVALID, "struct_size is 8", struct_size = 8);
	REFUSE(NMHAL_E_INVALID, "it has no scheme", scheme = NULL);
	REFUSE(NMHAL_E_INVALID, "add link 'good': it has no open", open = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no keys", keys = NULL);
	REFUSE(NMHAL_E_BUSY, "add link 'fakelink': the scheme is taken", scheme = "fakelink");
	REFUSE(NMHAL_E_BUSY, "add link 'fake': the scheme is taken", scheme = "fake");
#undef REFUSE
	assert_fails(NMHAL_E_INVALID, "link is NULL", nmhal_context_add_link(ctx, NULL));
	assert_fails(NMHAL_E_INVALID, "ctx is NULL", nmhal_context_add_link(NULL, &fake_link));
	ck_assert_uint_eq(ctx->link_count, 1);
	nmhal_context_unref(ctx);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {takes_good_ones, lists_what_is_known, refuses_bad_drivers, refuses_bad_links};

	return run_tests("registry", tests, sizeof(tests) / sizeof(*tests));
}
