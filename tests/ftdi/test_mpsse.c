/* SPDX-License-Identifier: MIT */
/* The bytes of drivers/ftdi/mpsse.c against those that section 16 of the datasheet writes out. */
#include <stdio.h>
#include <string.h>

#include "drivers/ftdi/mpsse.h"
#include "tests/unit/run.h"

/* Fails unless bytes are these, in hexadecimal with spaces. */
static void expect(const uint8_t *bytes, size_t size, const char *hex)
{
	char text[128] = "";

	for (size_t n = 0; n < size; n++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%02X", n ? " " : "", bytes[n]);
	ck_assert_str_eq(text, hex);
}

START_TEST(channels_begin_as_in_the_datasheet)
{
	uint8_t out[MPSSE_INIT_SIZE];

	expect(out, mpsse_init_a(out, 0x0102), "8A 97 8D 85 86 02 01 80 08 DB 82 00 FF");
	expect(out, mpsse_init_b(out), "8A 97 8D 85 80 00 10 82 00 00");
	expect(out, mpsse_rst(out, true), "80 08 DB");
	expect(out, mpsse_rst(out, false), "80 00 DB");
}
END_TEST

START_TEST(an_event_is_11_bytes_and_14_with_the_strict_handshake)
{
	uint8_t out[MPSSE_EVENT_SIZE];

	expect(out, mpsse_event(out, 0x0A5, false), "82 A5 FF 80 10 DB 88 80 00 DB 89");
	expect(out, mpsse_event(out, 0x1FF, false), "82 FF FF 80 50 DB 88 80 40 DB 89");
	expect(out, mpsse_event(out, 0x273, false), "82 73 FF 80 90 DB 88 80 80 DB 89");
	expect(out, mpsse_event(out, 0x300, true), "82 00 FF 80 C0 DB 80 D0 DB 88 80 C0 DB 89");
}
END_TEST

START_TEST(outputs_are_caught_or_polled)
{
	uint8_t out[MPSSE_CATCH_SIZE];

	expect(out, mpsse_catch(out), "88 83 87 80 10 10 89 80 00 10");
	expect(out, mpsse_poll(out), "81 83 87");
	expect(out, mpsse_serve(out), "80 10 10 89 80 00 10");
	expect(out, mpsse_confirm(out), "81 87");
	expect(out, mpsse_mark(out), "AA 87");
}
END_TEST

START_TEST(frames_go_msb_first_behind_a_head_with_their_length)
{
	static const uint64_t frames[] = {UINT64_C(0x123456789A), UINT64_C(0xFFFFFF0000000001)};
	uint8_t out[2 * MPSSE_FRAME];

	expect(out, mpsse_shift(out, MPSSE_WRITE, 1), "11 04 00");
	expect(out, mpsse_shift(out, MPSSE_READ, 2), "31 09 00");
	expect(out, mpsse_shift(out, MPSSE_WRITE, MPSSE_MAX_FRAMES), "11 FE FF"); /* 65,535 bytes */
	mpsse_frames(out, frames, 2);
	expect(out, sizeof(out), "12 34 56 78 9A 00 00 00 00 01");
}
END_TEST

/* SCK = 30 MHz / (1 + divisor) <= CLK / 4 and <= the wish, and the next faster one is too fast. */
START_TEST(sck_is_the_fastest_that_the_chip_follows)
{
	static const struct {
		uint64_t clk_hz;
		uint32_t spi_hz;
		uint16_t divisor;
	} cases[] = {
		{120000000, 0, 0}, {119999999, 0, 1}, {60000000, 0, 1}, {50000000, 0, 2}, {1000000000, 0, 0},
		{1000000000, 15000000, 1}, {1000000000, 14999999, 2}, {1000000000, 30000000, 0},
		{50000000, 1000000, 29}, {50000000, 30000000, 2}, {2000, 0, 59999}, {4000000000u, 458, 65502},
	};

	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++)
		ck_assert_uint_eq(mpsse_divisor(cases[n].clk_hz, cases[n].spi_hz), cases[n].divisor);
	for (uint64_t clk = 2000; clk < 200000000; clk += 1 + clk / 37) {
		double steps = 1.0 + mpsse_divisor(clk, 0);

		ck_assert(30e6 / steps <= (double)clk / 4);
		ck_assert(steps < 2 || 30e6 / (steps - 1) > (double)clk / 4);
	}
	ck_assert_uint_eq(mpsse_spi_hz(0), 30000000);
	ck_assert_uint_eq(mpsse_spi_hz(2), 10000000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		channels_begin_as_in_the_datasheet,
		an_event_is_11_bytes_and_14_with_the_strict_handshake,
		outputs_are_caught_or_polled,
		frames_go_msb_first_behind_a_head_with_their_length,
		sck_is_the_fastest_that_the_chip_follows,
	};

	return run_tests("ftdi_mpsse", tests, sizeof(tests) / sizeof(*tests));
}
