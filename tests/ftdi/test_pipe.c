/* SPDX-License-Identifier: MIT */
/* drivers/ftdi/pipe.c over a port that follows a script. */
#include <string.h>

#include "drivers/ftdi/pipe.h"
#include "tests/ftdi/script.h"
#include "tests/unit/run.h"

#define IN_COUNT 3u
#define IN_SIZE  1024u

static struct script *script;
static struct ftdi_pipe tested;

static void begin(void)
{
	script = script_new();
	ck_assert_int_eq(ftdi_pipe_open(&tested, script->host, &script->port, FTDI_A, IN_COUNT, IN_SIZE), NMHAL_OK);
	ftdi_pipe_start(&tested);
	ck_assert_uint_eq(script->busy, IN_COUNT);
}

static void stop(void)
{
	ftdi_pipe_stop(&tested);
	script_wait(script);
	ck_assert(!ftdi_pipe_busy(&tested));
}

static void end(void)
{
	stop();
	ftdi_pipe_close(&tested);
	script_free(script);
}

/* Bytes 0, 1, 2 ... that differ from their neighbours in any shift by less than 251. */
static void fill(uint8_t *bytes, size_t size, size_t from)
{
	for (size_t n = 0; n < size; n++)
		bytes[n] = (uint8_t)((from + n) % 251);
}

static void expect_bytes(const uint8_t *bytes, size_t size, size_t from)
{
	for (size_t n = 0; n < size; n++)
		ck_assert_msg(bytes[n] == (uint8_t)((from + n) % 251), "byte %zu is %u", from + n, bytes[n]);
}

/* A transfer of `count` payload bytes, split into packets as the device does. */
static size_t feed_packets(size_t count, size_t from)
{
	uint8_t raw[IN_SIZE];
	size_t size = 0;

	do {
		size_t part = count < FTDI_PACKET - 2 ? count : FTDI_PACKET - 2;

		raw[size++] = 0x32;
		raw[size++] = 0x60;
		fill(raw + size, part, from);
		size += part;
		from += part;
		count -= part;
	} while (count);
	script_feed_raw(script, FTDI_A, raw, size);
	return from;
}

START_TEST(status_bytes_of_every_packet_are_left_out)
{
	static const size_t sizes[] = {1, 510, 0, 511, 1020, 2, 0, 0, 1019, 509};
	uint8_t got[8192];
	size_t from = 0, have = 0;

	begin();
	for (size_t n = 0; n < sizeof(sizes) / sizeof(*sizes); n++)
		from = feed_packets(sizes[n], from);
	for (int n = 0; n < 10; n++) {
		script_wait(script);
		have += ftdi_pipe_get(&tested, got + have, sizeof(got) - have);
	}
	ck_assert_uint_eq(have, from);
	expect_bytes(got, have, 0);
	ck_assert_int_eq(ftdi_pipe_check(&tested, "test"), NMHAL_OK);
	ck_assert_uint_eq(script->busy, IN_COUNT);
	end();
}
END_TEST

START_TEST(bytes_stay_until_they_are_taken)
{
	uint8_t got[600];
	size_t from = 0, have = 0;

	begin();
	for (int n = 0; n < 5; n++)
		from = feed_packets(600, from);
	for (int n = 0; n < 4; n++)
		script_wait(script);
	/* The transfers are full, and no other is posted in their place. */
	ck_assert_uint_eq(script->busy, 0);
	ck_assert_uint_eq(script->submits, IN_COUNT);
	for (size_t part = 1; have < from; part = part % 13 + 1) {
		size_t more = ftdi_pipe_get(&tested, got, part);

		expect_bytes(got, more, have);
		have += more;
		if (!more)
			script_wait(script);
	}
	ck_assert_uint_eq(have, 5 * 600);
	ck_assert_uint_eq(ftdi_pipe_get(&tested, got, sizeof(got)), 0);
	ck_assert_uint_eq(script->busy, IN_COUNT);
	end();
}
END_TEST

START_TEST(bytes_leave_in_transfers_of_16_kib)
{
	static uint8_t bytes[PIPE_OUT_COUNT * PIPE_OUT_SIZE];

	begin();
	script->hold_out = true;
	fill(bytes, sizeof(bytes), 0);
	ck_assert_uint_eq(ftdi_pipe_room(&tested), sizeof(bytes));
	ftdi_pipe_put(&tested, bytes, PIPE_OUT_SIZE - 1);
	ck_assert_uint_eq(script->busy, IN_COUNT); /* nothing left */
	ck_assert(!ftdi_pipe_sent(&tested));
	ftdi_pipe_put(&tested, bytes + PIPE_OUT_SIZE - 1, 3);
	ck_assert_uint_eq(script->busy, IN_COUNT + 1);
	ck_assert_uint_eq(ftdi_pipe_room(&tested), 3 * PIPE_OUT_SIZE - 2);
	ftdi_pipe_put(&tested, bytes + PIPE_OUT_SIZE + 2, ftdi_pipe_room(&tested));
	ck_assert_uint_eq(ftdi_pipe_room(&tested), 0);
	ftdi_pipe_flush(&tested); /* nothing to flush */
	ck_assert_uint_eq(script->busy, IN_COUNT + PIPE_OUT_COUNT);
	script->hold_out = false;
	script_wait(script);
	ck_assert(ftdi_pipe_sent(&tested));
	ck_assert_uint_eq(ftdi_pipe_room(&tested), sizeof(bytes));
	ftdi_pipe_put(&tested, bytes, 5);
	ftdi_pipe_flush(&tested);
	ck_assert(!ftdi_pipe_sent(&tested));
	script_wait(script);
	ck_assert(ftdi_pipe_sent(&tested));
	ck_assert_uint_eq(script->out_transfers[FTDI_A], PIPE_OUT_COUNT + 1);
	for (unsigned n = 0; n < PIPE_OUT_COUNT; n++)
		ck_assert_uint_eq(script->out_sizes[FTDI_A][n], PIPE_OUT_SIZE);
	ck_assert_uint_eq(script->out_sizes[FTDI_A][PIPE_OUT_COUNT], 5);
	expect_bytes(script->out[FTDI_A], sizeof(bytes), 0);
	expect_bytes(script->out[FTDI_A] + sizeof(bytes), 5, 0);
	end();
}
END_TEST

START_TEST(an_overrun_is_told)
{
	static const uint8_t packet[] = {0x32, 0x62, 1, 2, 3};
	uint8_t got[8];

	begin();
	script_feed_raw(script, FTDI_A, packet, sizeof(packet));
	script_wait(script);
	ck_assert_uint_eq(ftdi_pipe_get(&tested, got, sizeof(got)), 3);
	assert_fails(NMHAL_E_OVERRUN, "test: channel A: the FT2232H lost bytes", ftdi_pipe_check(&tested, "test"));
	end();
}
END_TEST

START_TEST(half_of_the_status_bytes_is_no_packet)
{
	uint8_t packet[FTDI_PACKET + 1] = {0x32, 0x60}, got[FTDI_PACKET];

	begin();
	script_feed_raw(script, FTDI_A, packet, sizeof(packet));
	script_wait(script);
	ck_assert_uint_eq(ftdi_pipe_get(&tested, got, sizeof(got)), FTDI_PACKET - 2);
	assert_fails(NMHAL_E_PROTOCOL, "malformed", ftdi_pipe_check(&tested, "test"));
	end();
}
END_TEST

/* Six transfers each way; the one of that number fails, with half of its bytes. Returns what came before. */
static size_t run_with_failure(size_t number, int failure, size_t done, int *status)
{
	static const uint8_t bytes[100] = {0};
	uint8_t got[1024];
	size_t have = 0;

	begin();
	script->fail_at = number;
	script->fail_status = failure;
	script->fail_done = done;
	for (size_t n = 0; n < 6; n++)
		feed_packets(100, n * 100);
	*status = NMHAL_OK;
	for (int n = 0; n < 6 && *status == NMHAL_OK; n++) {
		ftdi_pipe_put(&tested, bytes, sizeof(bytes));
		ftdi_pipe_flush(&tested);
		script_wait(script);
		have += ftdi_pipe_get(&tested, got + have, sizeof(got) - have);
		*status = ftdi_pipe_check(&tested, "test");
	}
	expect_bytes(got, have, 0);
	return have;
}

START_TEST(every_transfer_that_fails_is_told_once_its_bytes_are_taken)
{
	static const struct {
		int status, told;
		const char *text;
	} kinds[] = {
		{NMHAL_E_IO, NMHAL_E_IO, "a USB transfer failed"},
		{NMHAL_E_GONE, NMHAL_E_GONE, "unplugged"},
		{NMHAL_E_PROTOCOL, NMHAL_E_PROTOCOL, "malformed"},
		{NMHAL_E_CANCELED, NMHAL_E_IO, "a USB transfer failed"},
	};
	int status;

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++)
		for (size_t number = 0; number < 12; number++) {
			size_t have = run_with_failure(number, kinds[kind].status, 52, &status);

			ck_assert_int_eq(status, kinds[kind].told);
			ck_assert_ptr_nonnull(strstr(nmhal_last_error(), kinds[kind].text));
			ck_assert_uint_le(have % 100, 50);
			end();
		}
	(void)run_with_failure(SIZE_MAX, 0, 0, &status);
	ck_assert_int_eq(status, NMHAL_OK);
	ck_assert_uint_eq(script->completions, 12);
	end();
}
END_TEST

START_TEST(a_short_write_is_told)
{
	static const uint8_t bytes[100] = {0};

	begin();
	script->fail_at = 0;
	script->fail_status = NMHAL_OK;
	script->fail_done = 99;
	ftdi_pipe_put(&tested, bytes, sizeof(bytes));
	ftdi_pipe_flush(&tested);
	script_wait(script);
	assert_fails(NMHAL_E_IO, "a USB transfer failed", ftdi_pipe_check(&tested, "test"));
	end();
}
END_TEST

START_TEST(every_submit_that_fails_is_told)
{
	for (size_t number = 0; number < IN_COUNT + 8; number++) {
		static const uint8_t bytes[10] = {0};
		uint8_t got[1024];
		int status;

		script = script_new();
		ck_assert_int_eq(ftdi_pipe_open(&tested, script->host, &script->port, FTDI_A, IN_COUNT, IN_SIZE),
			NMHAL_OK);
		script->refuse_at = number;
		script->refuse_status = NMHAL_E_GONE;
		ftdi_pipe_start(&tested);
		status = ftdi_pipe_check(&tested, "test");
		for (size_t n = 0; n < 4 && status == NMHAL_OK; n++) {
			feed_packets(10, 0);
			ftdi_pipe_put(&tested, bytes, sizeof(bytes));
			ftdi_pipe_flush(&tested);
			script_wait(script);
			ftdi_pipe_get(&tested, got, sizeof(got));
			status = ftdi_pipe_check(&tested, "test");
		}
		ck_assert_int_eq(status, NMHAL_E_GONE);
		ck_assert_uint_eq(script->submits, number + 1); /* none after it */
		end();
	}
}
END_TEST

START_TEST(a_stopped_pipe_posts_nothing_and_starts_again)
{
	static const uint8_t bytes[10] = {0};
	uint8_t got[16];
	size_t submits;

	begin();
	script->hold_out = true;
	ftdi_pipe_put(&tested, bytes, sizeof(bytes));
	ftdi_pipe_flush(&tested);
	feed_packets(3, 0);
	script_wait(script); /* one IN transfer has completed before the cancel */
	submits = script->submits;
	stop();
	ck_assert_uint_eq(script->submits, submits);
	ck_assert_uint_eq(script->cancels, IN_COUNT - 1 + 1);
	ck_assert_uint_eq(ftdi_pipe_get(&tested, got, sizeof(got)), 0);
	ftdi_pipe_start(&tested);
	ck_assert_int_eq(ftdi_pipe_check(&tested, "test"), NMHAL_OK);
	ck_assert_uint_eq(script->busy, IN_COUNT);
	ck_assert_uint_eq(ftdi_pipe_room(&tested), PIPE_OUT_COUNT * PIPE_OUT_SIZE);
	feed_packets(7, 40);
	script_wait(script);
	ck_assert_uint_eq(ftdi_pipe_get(&tested, got, sizeof(got)), 7);
	expect_bytes(got, 7, 40);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		status_bytes_of_every_packet_are_left_out,
		bytes_stay_until_they_are_taken,
		bytes_leave_in_transfers_of_16_kib,
		an_overrun_is_told,
		half_of_the_status_bytes_is_no_packet,
		every_transfer_that_fails_is_told_once_its_bytes_are_taken,
		a_short_write_is_told,
		every_submit_that_fails_is_told,
		a_stopped_pipe_posts_nothing_and_starts_again,
	};

	return run_tests("ftdi_pipe", tests, sizeof(tests) / sizeof(*tests));
}
