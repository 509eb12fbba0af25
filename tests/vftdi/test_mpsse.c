/* SPDX-License-Identifier: MIT */
/* Every command of the engines. Where nothing else is said: channel A, SK at 15 MHz, idle low. */
#include <stdlib.h>

#include "tests/vftdi/host.h"

static struct host ready(void)
{
	struct host host = host_new(0);

	host_bring_up(&host, 1);
	return host;
}

static uint64_t sck_of(struct host *host, const uint8_t *data, size_t size)
{
	uint64_t before = vftdi_counters(host->dev).sck;

	host_out(host, A, data, size);
	return vftdi_counters(host->dev).sck - before;
}

static uint64_t ticks_of(struct host *host, const uint8_t *data, size_t size)
{
	uint64_t before = vftdi_counters(host->dev).ticks;

	host_out(host, A, data, size);
	return vftdi_counters(host->dev).ticks - before;
}

START_TEST(pins_are_set_and_read)
{
	struct host host = ready();

	host_expect(&host, A, BYTES(0x80, 0x42, 0xDB, 0x82, 0xA5, 0xFF, 0x81, 0x83, 0x87), BYTES(0x42, 0xA5));
	/* Inputs have pull-downs. */
	host_expect(&host, A, BYTES(0x80, 0xFF, 0x02, 0x82, 0xFF, 0x0F, 0x81, 0x83, 0x87), BYTES(0x02, 0x0F));
	host_expect(&host, B, BYTES(0x81, 0x83, 0x87), BYTES(0x00, 0x00));
	host_free(&host);
}
END_TEST

START_TEST(bad_commands_are_echoed)
{
	static const uint8_t bad[] = {0xAA, 0xAB, 0xFF, 0x00, 0x0F, 0x40, 0x50, 0x90, 0x91, 0x93, 0x98, 0x9B, 0x9E,
				      0x9F, 0xFA};
	struct host host = ready();

	for (size_t i = 0; i < sizeof(bad); i++)
		for (unsigned channel = A; channel <= B; channel++)
			host_expect(&host, channel, BYTES(bad[i], 0x81, 0x87), BYTES(0xFA, bad[i], 0x00));
	host_free(&host);
}
END_TEST

START_TEST(loopback_returns_bytes_and_bits)
{
	struct host host = ready();

	host_out(&host, A, BYTES(0x84));
	host_expect(&host, A, BYTES(0x31, 2, 0, 0xDE, 0xAD, 0x81, 0x87), BYTES(0xDE, 0xAD, 0x81));
	host_expect(&host, A, BYTES(0x39, 1, 0, 0x1E, 0xAD, 0x87), BYTES(0x1E, 0xAD));
	/* Three bits: MSB first they come out at the right, LSB first at the left. */
	host_expect(&host, A, BYTES(0x33, 2, 0xA0, 0x87), BYTES(0x05));
	host_expect(&host, A, BYTES(0x3B, 2, 0x05, 0x87), BYTES(0xA0));
	host_expect(&host, A, BYTES(0x33, 7, 0x93, 0x87), BYTES(0x93));
	/* Off: DI is MISO, low in a frame of zeros. */
	host_expect(&host, A, BYTES(0x85, 0x31, 0, 0, 0xFF, 0x87), BYTES(0x00));
	host_free(&host);
}
END_TEST

/* DO changes before the edge that samples it, or one bit too late. */
START_TEST(edges_are_those_of_the_opcode)
{
	struct host host = ready();

	host_out(&host, A, BYTES(0x84, 0x80, 0x02, 0xDB));
	host_expect(&host, A, BYTES(0x34, 0, 0, 0x65, 0x87), BYTES(0x65)); /* out rising, in falling */
	host_out(&host, A, BYTES(0x80, 0x02, 0xDB));
	host_expect(&host, A, BYTES(0x30, 0, 0, 0x65, 0x87), BYTES(0xB2)); /* both rising: DO as it was, then 0110010 */
	host_expect(&host, A, BYTES(0x35, 0, 0, 0x65, 0x87), BYTES(0x65)); /* both falling */
	/* Idle high the first edge falls. */
	host_out(&host, A, BYTES(0x80, 0x03, 0xDB));
	host_expect(&host, A, BYTES(0x35, 0, 0, 0x65, 0x87), BYTES(0xB2));
	host_out(&host, A, BYTES(0x80, 0x03, 0xDB));
	host_expect(&host, A, BYTES(0x31, 0, 0, 0x65, 0x81, 0x87), BYTES(0x65, 0x03));
	host_free(&host);
}
END_TEST

START_TEST(shifts_read_only_and_write_only)
{
	struct host host = ready();

	/* DO stays as it was: set, clear. */
	host_expect(&host, A, BYTES(0x84, 0x80, 0x02, 0xDB, 0x20, 1, 0, 0x28, 0, 0, 0x87), BYTES(0xFF, 0xFF, 0xFF));
	host_expect(&host, A, BYTES(0x80, 0x02, 0xDB, 0x22, 2, 0x26, 3, 0x2A, 2, 0x87), BYTES(0x07, 0x0F, 0xE0));
	host_expect(&host, A, BYTES(0x11, 0, 0, 0x01, 0x81, 0x87), BYTES(0x02));
	host_expect(&host, A, BYTES(0x19, 0, 0, 0x01, 0x81, 0x87), BYTES(0x00));
	host_expect(&host, A, BYTES(0x13, 0, 0x80, 0x81, 0x1B, 0, 0x80, 0x81, 0x87), BYTES(0x02, 0x00));
	ck_assert_uint_eq(sck_of(&host, BYTES(0x10, 1, 0, 1, 2, 0x12, 2, 0, 0x18, 0, 0, 9)), 16 + 3 + 8);
	host_free(&host);
}
END_TEST

START_TEST(tms_shifts_move_adbus3)
{
	struct host host = ready();

	/* Bits 1, 0, 1 of TMS; DO is bit 7. */
	host_expect(&host, A, BYTES(0x80, 0, 0xDB, 0x4B, 2, 0x85, 0x81, 0x4B, 1, 0x01, 0x81, 0x87), BYTES(0x0A, 0x00));
	host_expect(&host, A, BYTES(0x84, 0x6B, 1, 0x80, 0x85, 0x87), BYTES(0xC0));
	host_free(&host);
}
END_TEST

START_TEST(clock_commands_move_no_data)
{
	struct host host = ready();

	ck_assert_uint_eq(sck_of(&host, BYTES(0x8E, 0)), 1);
	ck_assert_uint_eq(sck_of(&host, BYTES(0x8E, 7)), 8);
	ck_assert_uint_eq(sck_of(&host, BYTES(0x8F, 2, 0)), 24);
	/* GPIOL1 is low: nothing, or all of it. */
	ck_assert_uint_eq(sck_of(&host, BYTES(0x95)), 0);
	ck_assert_uint_eq(sck_of(&host, BYTES(0x9D, 2, 0)), 0);
	ck_assert_uint_eq(sck_of(&host, BYTES(0x9C, 2, 0)), 24);
	/* The chip answers REQ with ACK after a few clocks. */
	ck_assert_uint_gt(sck_of(&host, BYTES(0x80, 0x50, 0xDB, 0x94)), 0);
	host_expect(&host, A, BYTES(0x81, 0x87), BYTES(0x70));
	host_expect(&host, A, BYTES(0x80, 0x40, 0xDB, 0x95, 0x81, 0x87), BYTES(0x40));
	host_free(&host);
}
END_TEST

/* An engine that clocks for ever gives the call back, and lets itself be stopped. */
START_TEST(endless_clock_is_left_by_bit_mode)
{
	struct host host = ready();
	uint64_t before;

	host_out(&host, A, BYTES(0x94, 0x81, 0x87));
	before = vftdi_counters(host.dev).sck;
	ck_assert_uint_eq(host_in(&host, A, (uint8_t[1]){0}, 1), 0);
	ck_assert_uint_gt(vftdi_counters(host.dev).sck, before);
	host_bring_up(&host, 1);
	host_expect(&host, A, BYTES(0xAA), BYTES(0xFA, 0xAA));
	host_free(&host);
}
END_TEST

START_TEST(waits_block_until_the_pin_comes)
{
	struct host host = ready();

	host_expect(&host, A, BYTES(0x89, 0x81, 0x87), BYTES(0x00));
	host_out(&host, A, BYTES(0x88, 0x81, 0x87));
	ck_assert_uint_eq(host_in(&host, A, (uint8_t[1]){0}, 1), 0);
	host_bring_up(&host, 1);
	host_expect(&host, A, BYTES(0x82, 0x03, 0xFF, 0x80, 0x50, 0xDB, 0x88, 0x81, 0x80, 0x40, 0xDB, 0x89, 0x81, 0x87),
		    BYTES(0x70, 0x40));
	ck_assert_uint_eq(vftdi_counters(host.dev).events_in, 1);
	host_free(&host);
}
END_TEST

START_TEST(commands_may_come_in_pieces)
{
	struct host host = ready();

	host_out(&host, A, BYTES(0x84, 0x31, 0x01));
	host_out(&host, A, BYTES(0x00, 0x12));
	ck_assert_uint_eq(host_in(&host, A, (uint8_t[1]){0}, 1), 1);
	host_expect(&host, A, BYTES(0x34, 0x82), BYTES(0x34));
	host_expect(&host, A, BYTES(0x11, 0xFF, 0x83, 0x87), BYTES(0x11));
	host_free(&host);
}
END_TEST

/* Ticks of 60 MHz. A command byte takes one, a bit two half periods of (1 + divisor), times 5 with the divider. */
START_TEST(time_is_that_of_the_divisor)
{
	static const struct {
		uint8_t by_5, three_phase;
		unsigned divisor, half_periods, half;
	} cases[] = {{0x8A, 0x8D, 0, 2, 1}, {0x8A, 0x8D, 1, 2, 2}, {0x8A, 0x8D, 299, 2, 300}, {0x8B, 0x8D, 2, 2, 15},
		     {0x8A, 0x8C, 4, 3, 5}};
	struct host host = ready();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t low = (uint8_t)cases[i].divisor, high = (uint8_t)(cases[i].divisor >> 8);

		ck_assert_uint_eq(ticks_of(&host, BYTES(cases[i].by_5, cases[i].three_phase, 0x86, low, high)), 5);
		ck_assert_uint_eq(ticks_of(&host, BYTES(0x11, 4, 0, 1, 2, 3, 4, 5)),
				  3 + 40 * cases[i].half_periods * cases[i].half);
	}
	host_free(&host);
}
END_TEST

/* ADBUS7 is no return clock here: adaptive clocking stops at the first edge until it is off. */
START_TEST(adaptive_clock_waits_for_gpiol3)
{
	struct host host = ready();

	ck_assert_uint_eq(sck_of(&host, BYTES(0x96, 0x11, 0, 0, 0xFF)), 1);
	host_bring_up(&host, 1);
	ck_assert_uint_eq(sck_of(&host, BYTES(0x96, 0x97, 0x11, 0, 0, 0xFF)), 8);
	host_free(&host);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {pins_are_set_and_read, bad_commands_are_echoed, loopback_returns_bytes_and_bits,
				      edges_are_those_of_the_opcode, shifts_read_only_and_write_only,
				      tms_shifts_move_adbus3, clock_commands_move_no_data,
				      endless_clock_is_left_by_bit_mode, waits_block_until_the_pin_comes,
				      commands_may_come_in_pieces, time_is_that_of_the_divisor,
				      adaptive_clock_waits_for_gpiol3};

	return host_main("mpsse", tests, sizeof(tests) / sizeof(tests[0]));
}
