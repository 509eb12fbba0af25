/* SPDX-License-Identifier: MIT */
/* Sensors and counters. */
#include "tests/unit/board.h"

START_TEST(sensors_are_listed)
{
	struct nmhal_sensor_info info = {.struct_size = sizeof(info)};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	ck_assert_uint_eq(nmhal_sensor_count(board.dev), FAKE_SENSORS);
	ck_assert_uint_eq(nmhal_sensor_count(NULL), 0);
	assert_ok(nmhal_sensor_list(board.dev, 1, &info));
	ck_assert_str_eq(info.name, "supply");
	ck_assert_str_eq(info.unit, "V");
	ck_assert_int_eq(info.exponent, -3);
	assert_fails(NMHAL_E_INVALID, "list sensor 2: there are 2", nmhal_sensor_list(board.dev, 2, &info));
	assert_fails(NMHAL_E_INVALID, "list sensor: dev is NULL", nmhal_sensor_list(NULL, 0, &info));
	board_close(&board);
}
END_TEST

START_TEST(sensors_are_read_by_name)
{
	struct board board;
	int64_t value = 0;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_sensor_get(board.dev, "supply", &value, 0));
	ck_assert_int_eq(value, 2151);
	assert_fails(NMHAL_E_INVALID, "read sensor 'moons': unknown name; known: temperature, supply",
		nmhal_sensor_get(board.dev, "moons", &value, 0));
	assert_fails(NMHAL_E_INVALID, "name is NULL", nmhal_sensor_get(board.dev, NULL, &value, 0));
	assert_fails(NMHAL_E_INVALID, "value is NULL", nmhal_sensor_get(board.dev, "supply", NULL, 0));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_sensor_get(NULL, "supply", &value, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_READ_SENSOR), 1);
	fake_fail_next(&board.fake, FAKE_READ_SENSOR, NMHAL_E_TIMEOUT);
	assert_fails(NMHAL_E_TIMEOUT, "fails as asked", nmhal_sensor_get(board.dev, "temperature", &value, 0));
	board_close(&board);
	fake_init(&board.fake, 1, 2, 3);
	board.fake.lists.sensor_count = 0;
	board_open(&board);
	assert_fails(NMHAL_E_INVALID, "known: none", nmhal_sensor_get(board.dev, "supply", &value, 0));
	board_close(&board);
}
END_TEST

START_TEST(counters_are_listed)
{
	struct nmhal_counter_info info = {.struct_size = sizeof(info)};
	struct board board;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	ck_assert_uint_eq(nmhal_counter_count(board.dev), 1);
	ck_assert_uint_eq(nmhal_counter_count(NULL), 0);
	assert_ok(nmhal_counter_list(board.dev, 0, &info));
	ck_assert_str_eq(info.key, "sops");
	assert_fails(NMHAL_E_INVALID, "list counter 1: there are 1", nmhal_counter_list(board.dev, 1, &info));
	assert_fails(NMHAL_E_INVALID, "list counter: dev is NULL", nmhal_counter_list(NULL, 0, &info));
	board_close(&board);
}
END_TEST

START_TEST(counters)
{
	struct board board;
	uint64_t value = 0;

	fake_init(&board.fake, 1, 2, 3);
	board_open(&board);
	assert_ok(nmhal_counter_get(board.dev, "sops", &value));
	ck_assert_uint_eq(value, 42);
	assert_fails(NMHAL_E_UNSUPPORTED, "get counter 'cycles': the board cannot count it",
		nmhal_counter_get(board.dev, "cycles", &value));
	assert_fails(NMHAL_E_INVALID, "key is NULL", nmhal_counter_get(board.dev, NULL, &value));
	assert_fails(NMHAL_E_INVALID, "value is NULL", nmhal_counter_get(board.dev, "sops", NULL));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_counter_get(NULL, "sops", &value));
	board_close(&board);
	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.counter = NULL;
	board.fake.lists.counter_count = 0;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "get counter 'sops'", nmhal_counter_get(board.dev, "sops", &value));
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {sensors_are_listed, sensors_are_read_by_name, counters_are_listed, counters};

	return run_tests("sensors", tests, sizeof(tests) / sizeof(*tests));
}
