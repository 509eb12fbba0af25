/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "tests/vftdi/host.h"

#define PATIENCE_US 50000u
#define FRAME_BYTES 5u
#define SHIFT_FRAMES 13107u /* in 64 KiB */

static const unsigned out_of[] = {VFTDI_A_OUT, VFTDI_B_OUT}, in_of[] = {VFTDI_A_IN, VFTDI_B_IN};

struct host host_new(uint64_t clk_hz)
{
	const struct vftdi_params params = {.clk_hz = clk_hz, .product = "NMHAL tinyODIN", .serial = "VF0001"};
	struct host host = {.dev = vftdi_new(&params)};

	ck_assert_ptr_nonnull(host.dev);
	return host;
}

void host_free(struct host *host)
{
	vftdi_free(host->dev);
}

int host_request(struct host *host, unsigned channel, unsigned request, unsigned value)
{
	const uint8_t setup[8] = {0x40, (uint8_t)request, (uint8_t)value, (uint8_t)(value >> 8),
				  (uint8_t)(channel + 1)};

	return vftdi_control(host->dev, setup, NULL, 0);
}

void host_out(struct host *host, unsigned channel, const uint8_t *data, size_t size)
{
	ck_assert_uint_eq(vftdi_out(host->dev, out_of[channel], data, size), size);
}

size_t host_in(struct host *host, unsigned channel, uint8_t *data, size_t size)
{
	uint64_t give_up = host->now_us + PATIENCE_US, again;
	uint8_t packet[VFTDI_PACKET];
	size_t got = 0;

	while (got < size && host->now_us < give_up) {
		size_t count = vftdi_in(host->dev, in_of[channel], packet, sizeof(packet), host->now_us, &again);

		if (count > 2) {
			ck_assert_uint_le(got + count - 2, size);
			memcpy(data + got, packet + 2, count - 2);
			got += count - 2;
			give_up = host->now_us + PATIENCE_US;
		} else if (count == 0) {
			host->now_us = again > host->now_us ? again : host->now_us + 1;
		}
	}
	return got;
}

void host_expect(struct host *host, unsigned channel, const uint8_t *data, size_t size, const uint8_t *reply,
		 size_t reply_size)
{
	uint8_t got[256];

	host_out(host, channel, data, size);
	ck_assert_uint_eq(host_in(host, channel, got, reply_size), reply_size);
	ck_assert_mem_eq(got, reply, reply_size);
	ck_assert_uint_eq(host_in(host, channel, got, sizeof(got)), 0);
}

void host_bring_up(struct host *host, unsigned divisor)
{
	for (unsigned channel = A; channel <= B; channel++) {
		ck_assert_int_eq(host_request(host, channel, 11, 0x0000), 0);
		ck_assert_int_eq(host_request(host, channel, 0, 0), 0);
		ck_assert_int_eq(host_request(host, channel, 11, 0x0200), 0);
		ck_assert_int_eq(host_request(host, channel, 9, 1), 0);
	}
	host_out(host, A, BYTES(0x8A, 0x97, 0x8D, 0x85, 0x86, (uint8_t)divisor, (uint8_t)(divisor >> 8), 0x80, 0x08,
				0xDB, 0x82, 0x00, 0xFF, 0x81, 0x81, 0x81, 0x81));
	/* RST stays for as long as this takes: 16 clocks of 240 ns at least. */
	host_out(host, A, BYTES(0x8E, 0x07, 0x8E, 0x07, 0x80, 0x00, 0xDB, 0x87));
	host_out(host, B, BYTES(0x8A, 0x80, 0x00, 0x10, 0x82, 0x00, 0x00));
	ck_assert_uint_eq(host_in(host, A, (uint8_t[4]){0}, 4), 4);
}

static void frame_bytes(uint64_t frame, uint8_t *out)
{
	for (unsigned i = 0; i < FRAME_BYTES; i++)
		out[i] = (uint8_t)(frame >> 8 * (FRAME_BYTES - 1 - i));
}

/* Sends while it reads. */
static void exchange(struct host *host, const uint8_t *out, size_t out_size, uint8_t *in, size_t in_size)
{
	size_t sent = 0, got = 0;
	uint8_t packet[VFTDI_PACKET];
	uint64_t again;

	while (sent < out_size || got < in_size) {
		size_t taken = vftdi_out(host->dev, VFTDI_A_OUT, out + sent, out_size - sent);
		size_t count = vftdi_in(host->dev, VFTDI_A_IN, packet, sizeof(packet), host->now_us, &again);

		sent += taken;
		ck_assert_uint_le(got + (count > 2 ? count - 2 : 0), in_size);
		if (count > 2)
			memcpy(in + got, packet + 2, count - 2);
		got += count > 2 ? count - 2 : 0;
		ck_assert(taken || count || again > host->now_us || sent == out_size);
		if (!taken && !count)
			host->now_us = again;
	}
}

void host_frames(struct host *host, const uint64_t *frames, size_t count, uint32_t *replies)
{
	uint8_t *out = malloc(3 + FRAME_BYTES * SHIFT_FRAMES + 1), *in = malloc(FRAME_BYTES * SHIFT_FRAMES);

	ck_assert(out && in);
	for (size_t done = 0, some; done < count; done += some) {
		some = count - done < SHIFT_FRAMES ? count - done : SHIFT_FRAMES;
		out[0] = replies ? 0x31 : 0x11;
		out[1] = (uint8_t)(FRAME_BYTES * some - 1);
		out[2] = (uint8_t)((FRAME_BYTES * some - 1) >> 8);
		for (size_t i = 0; i < some; i++)
			frame_bytes(frames[done + i], out + 3 + FRAME_BYTES * i);
		out[3 + FRAME_BYTES * some] = 0x87;
		exchange(host, out, 4 + FRAME_BYTES * some, in, replies ? FRAME_BYTES * some : 0);
		for (size_t i = 0; i < some && replies; i++) {
			const uint8_t *reply = in + FRAME_BYTES * i;

			ck_assert(!reply[0] && !reply[1] && !(reply[2] & 0xF0u));
			replies[done + i] = (uint32_t)reply[2] << 16 | (uint32_t)reply[3] << 8 | reply[4];
		}
	}
	free(out);
	free(in);
}

int host_main(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
