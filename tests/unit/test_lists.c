/* SPDX-License-Identifier: MIT */
/* What a board declares about itself comes instead of the driver's table, and is checked when it is opened. */
#include "tests/unit/board.h"

static const struct nmhal_attr_info own_attr = {.struct_size = sizeof(own_attr), .key = "bias", .unit = "mV",
	.summary = "an attribute of this very board", .type = NMHAL_ATTR_INT, .max = 9};

START_TEST(attributes_of_the_board_come_instead_of_the_table)
{
	struct nmhal_attr_info info = {.struct_size = sizeof(info)};
	struct board board;
	int64_t value;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.lists.attrs = &own_attr;
	board.fake.lists.attr_count = 1;
	board_open(&board);
	ck_assert_uint_eq(nmhal_attr_count(board.dev), 1);
	assert_ok(nmhal_attr_list(board.dev, 0, &info));
	ck_assert_str_eq(info.key, "bias");
	assert_fails(NMHAL_E_INVALID, "unknown key; known: bias", nmhal_attr_get_int(board.dev, "gain", &value));
	ck_assert_uint_eq(CALLS(&board, FAKE_DESCRIBE), 1);
	board_close(&board);
}
END_TEST

START_TEST(without_describe_the_table_of_the_driver_holds)
{
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.describe = NULL;
	board.fake.ops.read_sensor = NULL;
	board_open(&board);
	ck_assert_uint_eq(nmhal_attr_count(board.dev), FAKE_ATTRS);
	ck_assert_uint_eq(nmhal_sensor_count(board.dev), 0);
	ck_assert_uint_eq(nmhal_counter_count(board.dev), 0);
	board_close(&board);
}
END_TEST

/* Opening fails, and the board is closed again. */
static void refuse(struct fake *fake, const char *text)
{
	nmhal_context *ctx = fake_context();
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;

	assert_fails(NMHAL_E_INTERNAL, "open: driver 'fake': ",
		nmhal_device_open(ctx, fake_uri(fake, "", uri), NULL, &dev));
	ck_assert_msg(strstr(nmhal_last_error(), text) != NULL, "'%s' is not in: %s", text, nmhal_last_error());
	ck_assert_ptr_null(dev);
	ck_assert_uint_eq(atomic_load(&fake->calls[FAKE_CLOSE]), 1);
	nmhal_context_unref(ctx);
}

START_TEST(lists_that_are_not_whole)
{
	struct nmhal_attr_info attr = own_attr;
	struct nmhal_sensor_info sensor = {.struct_size = sizeof(sensor), .name = "t", .unit = "", .summary = ""};
	struct nmhal_counter_info counter = {.struct_size = sizeof(counter), .key = "n", .summary = ""};
	struct fake fake;

#define REFUSE(list, field, change, text) \
	do { \
		fake_init(&fake, 1, 2, 3); \
		fake.lists.list##s = &(list); \
		fake.lists.list##_count = 1; \
		(list).field = change; \
		refuse(&fake, text); \
	} while (0)
	REFUSE(attr, type, 7, "attribute 'bias': type is 7, must be 1..3");
	REFUSE(attr, summary, NULL, "attribute 0 has no key, unit or summary");
	REFUSE(attr, struct_size, 8, "attribute 0: struct_size is 8");
	REFUSE(sensor, unit, NULL, "sensor 0 has no name, unit or summary");
	REFUSE(sensor, name, "", "sensor 0 has no name, unit or summary");
	REFUSE(sensor, struct_size, 9, "sensor 0: struct_size is 9");
	REFUSE(counter, summary, NULL, "counter 0 has no key or summary");
	REFUSE(counter, key, "", "counter 0 has no key or summary");
	REFUSE(counter, struct_size, 0, "counter 0: struct_size is 0");
#undef REFUSE
	fake_init(&fake, 1, 2, 3);
	fake.lists.sensors = NULL;
	refuse(&fake, "sensors: 2 of them, but the list is NULL");
}
END_TEST

START_TEST(lists_without_their_ops)
{
	struct fake fake;

	fake_init(&fake, 1, 2, 3);
	fake.ops.read_sensor = NULL;
	refuse(&fake, "it has no op read_sensor (but sensors)");
	fake_init(&fake, 1, 2, 3);
	fake.ops.counter = NULL;
	refuse(&fake, "it has no op counter (but counters)");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {attributes_of_the_board_come_instead_of_the_table,
		without_describe_the_table_of_the_driver_holds, lists_that_are_not_whole, lists_without_their_ops};

	return run_tests("lists", tests, sizeof(tests) / sizeof(*tests));
}
