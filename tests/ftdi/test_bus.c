/* SPDX-License-Identifier: MIT */
/* The bus over a port that follows a script: the bytes of open, spi, events and reset; answers out of step. */
#include <stdio.h>
#include <string.h>

#include "drivers/ftdi/mpsse.h"
#include "tests/ftdi/script.h"
#include "tests/unit/run.h"

#define PATTERN    0x5A, 0x0F, 0x33, 0xC6, 0xA5
#define RESTART(c) c "11=0000 " c "0=0001 " c "0=0002 " c "11=0200 "
#define CATCHES    819u

static struct script *script;
static struct nmhal_bus bus;

static int64_t soon(void)
{
	return nmhal_now_ns() + 200000000;
}

/* An answer that comes when so many more bytes went out on the channel. */
#define ANSWER(channel, bytes, ...) \
	do { \
		script_after(script, channel, bytes); \
		SCRIPT_FEED(script, channel, __VA_ARGS__); \
	} while (0)

static void feed_bring_up(void)
{
	ANSWER(FTDI_B, 2, 0xFA, 0xAA);
	ANSWER(FTDI_A, 2, 0xFA, 0xAA);
	ANSWER(FTDI_A, 2 + 28, PATTERN, 0x00);
}

static int open_bus(void)
{
	const struct ftdi_board board = {.clk_hz = 50000000, .latency_ms = 2, .default_timeout_ms = 1000};

	return ftdi_bus_open(script->host, &script->port, &board, soon(), &bus);
}

/* What was sent so far is forgotten. */
static void forget(void)
{
	memset(script->out_size, 0, sizeof(script->out_size));
	memset(script->out_transfers, 0, sizeof(script->out_transfers));
	script->controls[0] = '\0';
	script->logged[0] = '\0';
}

static void begin(void)
{
	script = script_new();
	feed_bring_up();
	assert_ok(open_bus());
	script_wait(script);
	forget();
}

static void end(void)
{
	bus.ops->close(bus.self);
	script_free(script);
}

/* Fails unless these bytes, in hexadecimal, were sent to the channel since forget(). */
static void expect_out(enum ftdi_channel channel, const char *hex)
{
	static char text[4096];
	size_t used = 0;

	script_wait(script);
	ck_assert_uint_lt(script->out_size[channel] * 3, sizeof(text));
	text[0] = '\0';
	for (size_t n = 0; n < script->out_size[channel]; n++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%02X", n ? " " : "",
			script->out[channel][n]);
	ck_assert_str_eq(text, hex);
}

#define INIT_A "8A 97 8D 85 86 02 00 80 08 DB 82 00 FF 84 31 04 00 5A 0F 33 C6 A5 85 80 00 DB 81 87"
#define INIT_B "8A 97 8D 85 80 00 10 82 00 00"

START_TEST(open_brings_up_both_channels_and_close_lets_go_of_them)
{
	uint64_t looped = 0;

	script = script_new();
	SCRIPT_FEED(script, FTDI_A, 0x11, 0xFA, 0x22, 0xAA); /* of an earlier process */
	SCRIPT_FEED(script, FTDI_B, 0xAA, 0xFA);
	feed_bring_up();
	assert_ok(open_bus());
	ck_assert_str_eq(script->controls, "A0=0000 A9=0002 B0=0000 B9=0002 " RESTART("A") RESTART("B"));
	expect_out(FTDI_A, "AA 87 " INIT_A);
	expect_out(FTDI_B, "AA 87 " INIT_B);
	ck_assert_str_eq(script->logged, "");
	assert_ok(bus.ops->counter(bus.self, "loopback_bytes", &looped));
	ck_assert_uint_eq(looped, 5);
	forget();
	bus.ops->close(bus.self);
	ck_assert_str_eq(script->controls, "A11=0000 B11=0000 ");
	script_free(script);
}
END_TEST

START_TEST(close_lets_go_of_channel_b_when_a_fails)
{
	begin();
	script->control_status = NMHAL_E_IO;
	bus.ops->close(bus.self);
	ck_assert_str_eq(script->controls, "A11=0000 B11=0000 ");
	script_free(script);
}
END_TEST

START_TEST(open_fails_with_a_board_that_is_silent_or_answers_wrong)
{
	script = script_new();
	assert_fails(NMHAL_E_TIMEOUT, "open: no answer by the deadline", open_bus());
	script_free(script);

	script = script_new();
	SCRIPT_FEED(script, FTDI_B, 0xFA, 0xAA);
	SCRIPT_FEED(script, FTDI_A, 0xFA, 0xAA, 0x5A, 0x0F, 0x33, 0xC6, 0xA4, 0x00);
	assert_fails(NMHAL_E_PROTOCOL, "looped 5a0f33c6a5 back as 5a0f33c6a4", open_bus());
	script_free(script);

	for (size_t number = 0; number < 8; number++) {
		script = script_new();
		feed_bring_up();
		script->fail_at = number;
		script->fail_status = NMHAL_E_GONE;
		if (open_bus() == NMHAL_OK) { /* the last transfers complete later */
			bus.ops->close(bus.self);
		} else {
			ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "unplugged"));
			/* The board is gone: no request, whose failure would be the sentence then. */
			ck_assert_ptr_null(strstr(script->controls, "A11=0000 B11=0000 "));
		}
		script_free(script);
	}
}
END_TEST

START_TEST(clocks_that_do_not_fit_are_refused)
{
	struct ftdi_board board = {.clk_hz = 1999, .latency_ms = 2};

	script = script_new();
	assert_fails(NMHAL_E_INVALID, "clk_hz=1999: less than 2000",
		ftdi_bus_open(script->host, &script->port, &board, soon(), &bus));
	board = (struct ftdi_board){.clk_hz = 40000000, .spi_hz = 10000001, .latency_ms = 2};
	assert_fails(NMHAL_E_INVALID, "spi_hz=10000001: more than a quarter of clk_hz=40000000",
		ftdi_bus_open(script->host, &script->port, &board, soon(), &bus));
	ck_assert_uint_eq(script->submits, 0);
	script_free(script);
}
END_TEST

START_TEST(the_default_time_is_enough_for_a_slow_spi_clock)
{
	static const struct {
		uint64_t clk_hz;
		int32_t timeout_ms;
	} cases[] = {{50000000, 10000}, {2400000, 10000}, {400000, 52428}, {2000, 10485760}};
	struct nmhal_bus_info info;

	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
		const struct ftdi_board board = {
			.clk_hz = cases[n].clk_hz, .latency_ms = 2, .default_timeout_ms = 10000};

		script = script_new();
		feed_bring_up();
		assert_ok(ftdi_bus_open(script->host, &script->port, &board, soon(), &bus));
		bus.ops->info(bus.self, &info);
		ck_assert_int_eq(info.default_timeout_ms, cases[n].timeout_ms);
		end();
	}
}
END_TEST

START_TEST(frames_go_out_in_shift_commands)
{
	static const uint64_t frames[] = {UINT64_C(0x0000100001), UINT64_C(0xABCDEF0123)};
	static uint64_t many[13108];

	begin();
	assert_ok(bus.ops->spi(bus.self, frames, 2, NULL, soon()));
	expect_out(FTDI_A, "11 09 00 00 00 10 00 01 AB CD EF 01 23");
	forget();
	for (size_t n = 0; n < 13108; n++)
		many[n] = n;
	SCRIPT_FEED(script, FTDI_A, 0xFA, 0xAA);
	assert_ok(bus.ops->spi(bus.self, many, 13108, NULL, soon()));
	ck_assert_uint_eq(script->out_size[FTDI_A], 13108 * 5 + 6 + 2);
	ck_assert_mem_eq(script->out[FTDI_A], "\x11\xFE\xFF\0\0\0\0\0\0\0\0\0\1", 13);
	ck_assert_mem_eq(script->out[FTDI_A] + 3 + 65535, "\x11\x04\0\0\0\0\x33\x33", 8);
	ck_assert_uint_eq(script->out_transfers[FTDI_A], 5);
	ck_assert_str_eq(script->controls, "");
	end();
}
END_TEST

START_TEST(replies_are_the_data_phase)
{
	static const uint64_t frames[3] = {1, 2, 3};
	uint32_t replies[3] = {0};

	begin();
	SCRIPT_FEED(script, FTDI_A, 0, 0, 0, 0, 0x7F, 0, 0);
	script_feed(script, FTDI_A, NULL, 0);
	SCRIPT_FEED(script, FTDI_A, 0x0A, 0xBC, 0xDE, 0, 0, 0, 0, 0x80, 0xFA, 0xAA);
	assert_ok(bus.ops->spi(bus.self, frames, 3, replies, soon()));
	ck_assert_uint_eq(replies[0], 0x7F);
	ck_assert_uint_eq(replies[1], 0xABCDE);
	ck_assert_uint_eq(replies[2], 0x80);
	expect_out(FTDI_A, "31 0E 00 00 00 00 00 01 00 00 00 00 02 00 00 00 00 03 AA 87");
	end();
}
END_TEST

/* After a failure nothing goes out until a reset, which restarts both channels and says so. */
static void expect_lost(void)
{
	static const uint64_t frame = 0;

	script_wait(script);
	forget();
	assert_fails(NMHAL_E_STATE, "lost", bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	ck_assert_uint_eq(script->out_size[FTDI_A], 0);
	feed_bring_up();
	assert_ok(bus.ops->reset(bus.self, soon()));
	ck_assert_ptr_nonnull(strstr(script->logged, "both channels are restarted"));
	ck_assert_str_eq(script->controls, RESTART("A") RESTART("B"));
	expect_out(FTDI_A, "AA 87 " INIT_A);
	expect_out(FTDI_B, "AA 87 " INIT_B);
	forget();
	assert_ok(bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	expect_out(FTDI_A, "11 04 00 00 00 00 00 00");
}

START_TEST(answers_out_of_step_are_told)
{
	static const struct {
		uint8_t size, bytes[16];
		int status;
		const char *text;
	} cases[] = {
		{12, {0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 0xFA, 0xAA}, NMHAL_E_PROTOCOL, "frame 1 of 2: MISO was high"},
		{12, {0, 0, 0x10, 0, 1, 0, 0, 0, 0, 2, 0xFA, 0xAA}, NMHAL_E_PROTOCOL, "frame 0 of 2: MISO was high"},
		{15, {0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0xFA, 0xAA}, NMHAL_E_PROTOCOL, "other than 5 bytes"},
		{13, {0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0xFA, 0xAA, 0}, NMHAL_E_PROTOCOL, "other than 5 bytes a frame"},
		{11, {0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0xFA}, NMHAL_E_TIMEOUT, "no answer by the deadline"},
		{0, {0}, NMHAL_E_TIMEOUT, "no answer by the deadline"},
	};
	static const uint64_t frames[2] = {1, 2};
	uint32_t replies[2];

	begin();
	for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
		script_feed(script, FTDI_A, cases[n].bytes, cases[n].size);
		assert_fails(cases[n].status, cases[n].text, bus.ops->spi(bus.self, frames, 2, replies, soon()));
		expect_lost();
	}
	end();
}
END_TEST

START_TEST(bytes_that_nothing_asked_for_are_told)
{
	static const uint64_t frame = 1;

	begin();
	SCRIPT_FEED(script, FTDI_A, 0xFA, 0x12); /* the answer to a bad command */
	script_wait(script);
	assert_fails(NMHAL_E_PROTOCOL, "answered 0xfa to nothing", bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	expect_lost();
	end();
}
END_TEST

START_TEST(a_reset_is_a_pulse_in_order)
{
	begin();
	ANSWER(FTDI_A, 16, 0x20);
	assert_ok(bus.ops->reset(bus.self, soon()));
	expect_out(FTDI_A, "80 08 DB 11 04 00 00 00 00 00 00 80 00 DB 81 87");
	expect_out(FTDI_B, "");
	ck_assert_str_eq(script->controls, "");
	ck_assert_str_eq(script->logged, "");
	forget();
	/* An answer that no pins can give: the channels are restarted. */
	ANSWER(FTDI_A, 16, 0xFA);
	ANSWER(FTDI_B, 2, 0xFA, 0xAA);
	ANSWER(FTDI_A, 16 + 2, 0xFA, 0xAA);
	ANSWER(FTDI_A, 16 + 2 + 28, PATTERN, 0x00);
	assert_ok(bus.ops->reset(bus.self, soon()));
	ck_assert_str_eq(script->controls, RESTART("A") RESTART("B"));
	ck_assert_ptr_nonnull(strstr(script->logged, "both channels are restarted"));
	end();
}
END_TEST

START_TEST(a_board_that_is_gone_is_not_restarted)
{
	static const uint64_t frame = 1;

	begin();
	script->fail_at = script->completions;
	script->fail_status = NMHAL_E_GONE;
	assert_fails(NMHAL_E_GONE, "spi: channel A: unplugged", bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	assert_fails(NMHAL_E_GONE, "reset: channel A: unplugged", bus.ops->reset(bus.self, soon()));
	ck_assert_str_eq(script->controls, "");
	ck_assert_str_eq(script->logged, "");
	end();
}
END_TEST

static struct nmhal_bus_out out[1024];

static struct nmhal_bus_transfer one_input(const struct nmhal_bus_in *in)
{
	return (struct nmhal_bus_transfer){.in = in, .in_count = 1, .out = out, .out_capacity = 1024,
		.quiet_frame = UINT64_C(0x3000000000), .quiet_clocks = 320};
}

START_TEST(streamed_events_have_catches_waiting)
{
	static const struct nmhal_bus_in in = {9, 0x1A5, 0};
	static const uint8_t bytes[410] = {0x42};
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	ck_assert_uint_eq(transfer.in_done, 1);
	expect_out(FTDI_A, "82 A5 FF 80 50 DB 88 80 40 DB 89 81 87");
	ck_assert_uint_eq(script->out_size[FTDI_B], CATCHES * MPSSE_CATCH_SIZE);
	for (size_t n = 0; n < CATCHES; n++)
		ck_assert_mem_eq(script->out[FTDI_B] + n * 10, "\x88\x83\x87\x80\x10\x10\x89\x80\x00\x10", 10);
	transfer.in_count = 0;
	script_feed(script, FTDI_B, bytes, 409);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	ck_assert_uint_eq(transfer.out_count, 409);
	ck_assert_uint_eq(out[0].address, 0x42);
	ck_assert_uint_eq(transfer.idle, 0);
	ck_assert_uint_eq(script->out_size[FTDI_B], 8190); /* 410 are left: enough */
	script_feed(script, FTDI_B, bytes, 1);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	ck_assert_uint_eq(transfer.out_count, 1);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	script_wait(script);
	ck_assert_uint_eq(script->out_size[FTDI_B], 8190 + 4100);
	/* A reset now: outputs may be on their way. */
	forget();
	feed_bring_up();
	assert_ok(bus.ops->reset(bus.self, soon()));
	ck_assert_str_eq(script->controls, RESTART("A") RESTART("B"));
	ck_assert_str_eq(script->logged, ""); /* nothing was wrong */
	end();
}
END_TEST

START_TEST(more_outputs_than_catches_are_told)
{
	static const struct nmhal_bus_in in = {0, 1, 0};
	static const uint8_t bytes[510] = {0};
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	script_feed(script, FTDI_B, bytes, 510);
	script_feed(script, FTDI_B, bytes, 310);
	script_wait(script);
	assert_fails(NMHAL_E_PROTOCOL, "channel B answered", bus.ops->events(bus.self, &transfer, soon()));
	expect_lost();
	end();
}
END_TEST

START_TEST(a_core_that_does_not_answer_is_told)
{
	static const struct nmhal_bus_in in = {9, 0x1A5, 0};
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	transfer.in_count = 0;
	assert_fails(NMHAL_E_TIMEOUT, "events: no answer by the deadline",
		bus.ops->events(bus.self, &transfer, nmhal_now_ns()));
	feed_bring_up();
	assert_ok(bus.ops->reset(bus.self, soon()));
	ck_assert_ptr_nonnull(strstr(script->logged, "does it get its CLK, is AERIN_ACK wired?"));
	end();
}
END_TEST

START_TEST(outputs_that_come_between_runs_are_told)
{
	static const struct nmhal_bus_in in = {9, 0x1A5, 0};
	static const uint64_t frame = 1;
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	SCRIPT_FEED(script, FTDI_B, 0xFA, 0xAA); /* an answer of open that came twice: no run is harmed */
	script_wait(script);
	feed_bring_up();
	assert_ok(bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	ck_assert_ptr_nonnull(strstr(script->logged, "channel B answered 0xfa to nothing; both channels"));
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	SCRIPT_FEED(script, FTDI_A, 0x00);
	SCRIPT_FEED(script, FTDI_B, 0x42);
	script_wait(script);
	assert_fails(NMHAL_E_PROTOCOL, "output event 66 came after the last one of a run",
		bus.ops->spi(bus.self, &frame, 1, NULL, soon()));
	expect_lost();
	end();
}
END_TEST

#define DELAY "11 09 00 30 00 00 00 00 30 00 00 00 00 81 87"

START_TEST(an_input_that_waits_is_followed_by_delays_until_the_core_is_idle)
{
	static const struct nmhal_bus_in in = {7, 0x201, 1};
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	ANSWER(FTDI_B, 3, 0x20, 0x33);  /* an output */
	ANSWER(FTDI_A, 26, 0x00);       /* the delay of the input is over */
	ANSWER(FTDI_B, 13, 0x00, 0x33); /* nothing: another delay */
	ANSWER(FTDI_B, 16, 0x00, 0x33); /* nothing, but the delay was not over when asked */
	ANSWER(FTDI_A, 41, 0x00);
	ANSWER(FTDI_B, 19, 0x00, 0x33);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	ck_assert_uint_eq(transfer.in_done, 1);
	ck_assert_uint_eq(transfer.out_count, 1);
	ck_assert_uint_eq(out[0].address, 0x33);
	ck_assert_uint_eq(out[0].index, 7);
	ck_assert_uint_eq(transfer.idle, 1);
	expect_out(FTDI_A, "82 01 FF 80 90 DB 88 80 80 DB 89 " DELAY " " DELAY);
	expect_out(FTDI_B, "81 83 87 80 10 10 89 80 00 10 81 83 87 81 83 87 81 83 87");
	end();
}
END_TEST

START_TEST(a_poll_that_shows_ack_is_out_of_step)
{
	static const struct nmhal_bus_in in = {0, 1, 1};
	struct nmhal_bus_transfer transfer = one_input(&in);

	begin();
	SCRIPT_FEED(script, FTDI_B, 0xFA, 0x81);
	assert_fails(NMHAL_E_PROTOCOL, "channel B answered 0xfa", bus.ops->events(bus.self, &transfer, soon()));
	expect_lost();
	end();
}
END_TEST

START_TEST(catches_are_dropped_before_an_input_that_waits)
{
	static const struct nmhal_bus_in in[2] = {{0, 1, 0}, {1, 2, 1}};
	struct nmhal_bus_transfer transfer = one_input(&in[0]);

	begin();
	ANSWER(FTDI_A, 13, 0x00);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	script_wait(script);
	forget();
	transfer = one_input(&in[1]);
	ANSWER(FTDI_B, 2, 0xFA, 0xAA);
	for (size_t polls = 1; polls <= 6; polls++)
		ANSWER(FTDI_B, 2 + 10 + 3 * polls, 0x00, 0x00);
	ANSWER(FTDI_A, 15, 0x00);
	ANSWER(FTDI_A, 15 + 26, 0x00);
	assert_ok(bus.ops->events(bus.self, &transfer, soon()));
	ck_assert_str_eq(script->controls, RESTART("B"));
	ck_assert_uint_eq(transfer.in_done, 1);
	ck_assert_uint_eq(transfer.idle, 1);
	/* Whether the core was idle after the streamed input is not known: a delay comes first. */
	expect_out(FTDI_A, DELAY " 82 02 FF 80 10 DB 88 80 00 DB 89 " DELAY);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		open_brings_up_both_channels_and_close_lets_go_of_them,
		close_lets_go_of_channel_b_when_a_fails,
		open_fails_with_a_board_that_is_silent_or_answers_wrong,
		clocks_that_do_not_fit_are_refused,
		the_default_time_is_enough_for_a_slow_spi_clock,
		frames_go_out_in_shift_commands,
		replies_are_the_data_phase,
		answers_out_of_step_are_told,
		bytes_that_nothing_asked_for_are_told,
		a_reset_is_a_pulse_in_order,
		a_board_that_is_gone_is_not_restarted,
		streamed_events_have_catches_waiting,
		more_outputs_than_catches_are_told,
		a_core_that_does_not_answer_is_told,
		outputs_that_come_between_runs_are_told,
		an_input_that_waits_is_followed_by_delays_until_the_core_is_idle,
		a_poll_that_shows_ack_is_out_of_step,
		catches_are_dropped_before_an_input_that_waits,
	};

	return run_tests("ftdi_bus", tests, sizeof(tests) / sizeof(*tests));
}
