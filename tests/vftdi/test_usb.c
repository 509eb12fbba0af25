/* SPDX-License-Identifier: MIT */
/* The USB side: descriptors, requests, packets, buffers, latency timer. */
#include <stdlib.h>
#include <string.h>

#include "tests/vftdi/host.h"

static int get(struct host *host, unsigned type, unsigned request, unsigned value, unsigned index, uint8_t *data,
	       unsigned size)
{
	const uint8_t setup[8] = {(uint8_t)type, (uint8_t)request, (uint8_t)value, (uint8_t)(value >> 8),
				  (uint8_t)index, (uint8_t)(index >> 8), (uint8_t)size, (uint8_t)(size >> 8)};

	return vftdi_control(host->dev, setup, data, size);
}

static void same(const uint8_t *got, const uint8_t *expected, size_t size)
{
	ck_assert_mem_eq(got, expected, size);
}

START_TEST(descriptors_are_those_of_an_ft2232h)
{
	struct host host = host_new(0);
	const uint8_t product[] = {'N', 0, 'M', 0, 'H', 0, 'A', 0, 'L', 0};
	const uint8_t *descriptors;
	uint8_t data[256];
	size_t size;

	descriptors = vftdi_descriptors(host.dev, &size);
	ck_assert_uint_eq(size, 18 + 55);
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0100, 0, data, 255), 18);
	ck_assert_mem_eq(data, descriptors, 18);
	same(data + 8, BYTES(0x03, 0x04, 0x10, 0x60, 0x00, 0x07));
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0200, 0, data, 9), 9);
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0200, 0, data, 255), 55);
	ck_assert_mem_eq(data, descriptors + 18, 55);
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0302, 0x0409, data, 255), 2 + 2 * 14);
	ck_assert_mem_eq(data + 2, product, sizeof(product));
	/* No manufacturer: no index, no string. */
	ck_assert_uint_eq(descriptors[14], 0);
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0301, 0x0409, data, 255), VFTDI_STALL);
	ck_assert_int_eq(get(&host, 0x80, 6, 0x0F00, 0, data, 255), VFTDI_STALL);
	ck_assert_int_eq(get(&host, 0x00, 9, 1, 0, NULL, 0), 0);
	ck_assert_int_eq(get(&host, 0x80, 8, 0, 0, data, 1), 1);
	ck_assert_uint_eq(data[0], 1);
	host_free(&host);
}
END_TEST

START_TEST(one_channel_chip_has_descriptors_only)
{
	const struct vftdi_params params = {.ft232h = true};
	struct host host = {.dev = vftdi_new(&params)};
	const uint8_t *descriptors;
	uint64_t again;
	size_t size;

	descriptors = vftdi_descriptors(host.dev, &size);
	ck_assert_uint_eq(size, 18 + 32);
	same(descriptors + 8, BYTES(0x03, 0x04, 0x14, 0x60, 0x00, 0x09, 0, 0, 0));
	ck_assert_int_eq(host_request(&host, B, 9, 1), VFTDI_STALL);
	ck_assert_uint_eq(vftdi_out(host.dev, VFTDI_B_OUT, (uint8_t[]){0xAA}, 1), 0);
	ck_assert_uint_eq(vftdi_in(host.dev, VFTDI_B_IN, (uint8_t[512]){0}, 512, 0, &again), 0);
	host_free(&host);
}
END_TEST

static unsigned eeprom_sum(struct host *host, uint8_t *image)
{
	unsigned sum = 0xAAAA;

	for (unsigned i = 0; i < 128; i++)
		ck_assert_int_eq(get(host, 0xC0, 0x90, 0, i, image + 2 * i, 2), 2);
	for (unsigned i = 0; i < 127; i++) {
		sum ^= image[2 * i] | (unsigned)image[2 * i + 1] << 8;
		sum = (sum << 1 | sum >> 15) & 0xFFFF;
	}
	return sum;
}

START_TEST(eeprom_is_read_and_never_written)
{
	const struct vftdi_params blank = {0};
	struct host host = host_new(0);
	uint8_t image[256];

	ck_assert_uint_eq(eeprom_sum(&host, image), image[254] | (unsigned)image[255] << 8);
	same(image + 2, BYTES(0x03, 0x04, 0x10, 0x60));
	ck_assert_uint_eq(image[image[0x10]], image[0x11]);
	ck_assert_uint_eq(image[image[0x12] + 2], 'V');
	ck_assert_int_eq(get(&host, 0x40, 0x91, 0x1234, 5, NULL, 0), VFTDI_STALL);
	ck_assert_int_eq(get(&host, 0x40, 0x92, 0, 0, NULL, 0), VFTDI_STALL);
	ck_assert_uint_eq(vftdi_counters(host.dev).eeprom_writes, 2);
	ck_assert_uint_eq(eeprom_sum(&host, image), image[254] | (unsigned)image[255] << 8);
	host_free(&host);
	host.dev = vftdi_new(&blank);
	ck_assert_uint_ne(eeprom_sum(&host, image), 0xFFFF);
	for (unsigned i = 0; i < sizeof(image); i++)
		ck_assert_uint_eq(image[i], 0xFF);
	host_free(&host);
}
END_TEST

START_TEST(vendor_requests_answer)
{
	struct host host = host_new(0);
	uint8_t data[2];

	ck_assert_int_eq(get(&host, 0xC0, 10, 0, 1, data, 1), 1);
	ck_assert_uint_eq(data[0], 16);
	ck_assert_int_eq(host_request(&host, B, 9, 7), 0);
	ck_assert_int_eq(get(&host, 0xC0, 10, 0, 2, data, 1), 1);
	ck_assert_uint_eq(data[0], 7);
	ck_assert_int_eq(get(&host, 0xC0, 10, 0, 1, data, 1), 1);
	ck_assert_uint_eq(data[0], 16);
	ck_assert_int_eq(get(&host, 0xC0, 5, 0, 1, data, 2), 2);
	same(data, BYTES(0x32, 0x60));
	for (unsigned request = 1; request <= 4; request++)
		ck_assert_int_eq(host_request(&host, A, request, 0), 0);
	host_bring_up(&host, 1);
	host_out(&host, A, BYTES(0x80, 0x42, 0xDB));
	ck_assert_int_eq(get(&host, 0xC0, 12, 0, 1, data, 1), 1);
	ck_assert_uint_eq(data[0], 0x42);
	/* Other modes, channels and requests are not there. */
	ck_assert_int_eq(host_request(&host, A, 11, 0x40FF), VFTDI_STALL);
	ck_assert_int_eq(host_request(&host, 2, 9, 1), VFTDI_STALL);
	ck_assert_int_eq(host_request(&host, A, 0, 3), VFTDI_STALL);
	ck_assert_int_eq(host_request(&host, A, 0x55, 0), VFTDI_STALL);
	host_free(&host);
}
END_TEST

START_TEST(bit_mode_releases_the_pins)
{
	struct host host = host_new(0);
	uint8_t data;

	host_bring_up(&host, 1);
	host_out(&host, A, BYTES(0x80, 0xC2, 0xDB));
	ck_assert_int_eq(host_request(&host, A, 11, 0), 0);
	ck_assert_int_eq(get(&host, 0xC0, 12, 0, 1, &data, 1), 1);
	ck_assert_uint_eq(data, 0);
	/* In reset mode bytes are not commands. */
	host_out(&host, A, BYTES(0xAA));
	ck_assert_uint_eq(host_in(&host, A, &data, 1), 0);
	host_free(&host);
}
END_TEST

/* Time of the next packet of channel A, status-only or not, from now on. */
static uint64_t next_packet(struct host *host, size_t *size)
{
	uint8_t packet[VFTDI_PACKET];
	uint64_t again, began = host->now_us;

	while (!(*size = vftdi_in(host->dev, VFTDI_A_IN, packet, sizeof(packet), host->now_us, &again))) {
		ck_assert_uint_gt(again, host->now_us);
		host->now_us = again;
	}
	same(packet, BYTES(0x32, 0x60));
	return host->now_us - began;
}

START_TEST(short_answers_wait_for_the_latency_timer)
{
	struct host host = host_new(0);
	size_t size;

	host_bring_up(&host, 1);
	ck_assert_int_eq(host_request(&host, A, 9, 5), 0);
	next_packet(&host, &size);
	ck_assert_uint_eq(next_packet(&host, &size), 5000);
	ck_assert_uint_eq(size, 2);
	host.now_us += 2000;
	host_out(&host, A, BYTES(0x81));
	ck_assert_uint_eq(next_packet(&host, &size), 3000);
	ck_assert_uint_eq(size, 3);
	host_out(&host, A, BYTES(0x81, 0x87));
	ck_assert_uint_eq(next_packet(&host, &size), 0);
	ck_assert_uint_eq(size, 3);
	/* What comes after 0x87 waits again. */
	host_out(&host, A, BYTES(0x81, 0x87));
	next_packet(&host, &size);
	host_out(&host, A, BYTES(0x81));
	ck_assert_uint_eq(next_packet(&host, &size), 5000);
	ck_assert_uint_eq(vftdi_counters(host.dev).status_packets, 2);
	host_free(&host);
}
END_TEST

START_TEST(full_packets_do_not_wait)
{
	struct host host = host_new(0);
	uint8_t command[3 + 511] = {0x31, 0xFE, 0x01};
	size_t size;

	host_bring_up(&host, 0);
	host_request(&host, A, 9, 200);
	next_packet(&host, &size);
	host_out(&host, A, command, sizeof(command));
	ck_assert_uint_eq(next_packet(&host, &size), 0);
	ck_assert_uint_eq(size, 512);
	ck_assert_uint_eq(next_packet(&host, &size), 200000);
	ck_assert_uint_eq(size, 3);
	host_free(&host);
}
END_TEST

START_TEST(purge_drops_the_direction_it_names)
{
	struct host host = host_new(0);
	uint8_t byte, answer[8];

	host_bring_up(&host, 1);
	/* 1: host to device. The engine itself goes on waiting, here until neuron 1 fires. */
	host_out(&host, B, BYTES(0x81, 0x88, 0x81, 0x81));
	ck_assert_int_eq(host_request(&host, B, 0, 1), 0);
	host_out(&host, A, BYTES(0x82, 0x01, 0xFF, 0x80, 0x50, 0xDB, 0x88, 0x80, 0x40, 0xDB));
	host_out(&host, B, BYTES(0x83, 0x87));
	ck_assert_uint_eq(host_in(&host, B, answer, sizeof(answer)), 2);
	ck_assert_mem_eq(answer, "\0\1", 2);
	/* 2: device to host. */
	host_bring_up(&host, 1);
	host_out(&host, A, BYTES(0x81, 0x81, 0x87));
	ck_assert_int_eq(host_request(&host, A, 0, 2), 0);
	ck_assert_uint_eq(host_in(&host, A, &byte, 1), 0);
	host_expect(&host, A, BYTES(0xAB), BYTES(0xFA, 0xAB));
	/* 0: both. */
	host_out(&host, A, BYTES(0x81, 0x87, 0x88, 0x81));
	ck_assert_int_eq(host_request(&host, A, 0, 0), 0);
	ck_assert_uint_eq(host_in(&host, A, &byte, 1), 0);
	host_free(&host);
}
END_TEST

/* 4 KiB each way: a blocked engine lets the OUT buffer fill, a full IN buffer stops the engine. */
START_TEST(full_buffers_stop_the_bytes)
{
	struct host host = host_new(0);
	uint8_t data[3 * VFTDI_BUFFER], command = 0x83;

	host_bring_up(&host, 1);
	memset(data, 0x83, sizeof(data));
	host_out(&host, B, BYTES(0x88));
	ck_assert_uint_eq(vftdi_out(host.dev, VFTDI_B_OUT, data, sizeof(data)), VFTDI_BUFFER);
	ck_assert_uint_eq(vftdi_out(host.dev, VFTDI_B_OUT, data, 1), 0);
	/* Of commands with a byte of answer two buffers fit: the answers of the first, then the second. */
	ck_assert_uint_eq(vftdi_out(host.dev, VFTDI_A_OUT, data, sizeof(data)), 2 * VFTDI_BUFFER - VFTDI_PACKET);
	ck_assert_uint_eq(host_in(&host, A, data, 2 * VFTDI_BUFFER - VFTDI_PACKET), 2 * VFTDI_BUFFER - VFTDI_PACKET);
	host_out(&host, A, &command, 1);
	ck_assert_uint_eq(host_in(&host, A, data, sizeof(data)), 1);
	host_free(&host);
}
END_TEST

START_TEST(counters_are_exact)
{
	struct host host = host_new(0);
	uint8_t data[1000];
	struct vftdi_counters counters;

	host_bring_up(&host, 1);
	vftdi_count_reset(host.dev);
	memset(data, 0x81, sizeof(data));
	host_out(&host, A, data, sizeof(data));
	ck_assert_uint_eq(host_in(&host, A, data, sizeof(data)), sizeof(data));
	host_out(&host, A, BYTES(0x81, 0x87));
	host_out(&host, A, BYTES(0x81, 0x87));
	ck_assert_uint_eq(host_in(&host, A, data, 2), 2);
	host_request(&host, A, 9, 1);
	vftdi_count_submit(host.dev, VFTDI_A_OUT);
	vftdi_count_submit(host.dev, VFTDI_A_IN);
	vftdi_count_transfer(host.dev, VFTDI_A_OUT);
	vftdi_count_transfer(host.dev, VFTDI_A_IN);
	vftdi_count_transfer(host.dev, VFTDI_B_IN);
	counters = vftdi_counters(host.dev);
	ck_assert_uint_eq(counters.out_packets, 4);
	ck_assert_uint_eq(counters.out_bytes, 1004);
	ck_assert_uint_eq(counters.in_packets, 3);
	ck_assert_uint_eq(counters.in_bytes, 1002);
	ck_assert_uint_eq(counters.microframes, 1);
	ck_assert_uint_eq(counters.round_trips, 1);
	ck_assert_uint_eq(counters.controls, 1);
	ck_assert_uint_eq(counters.out_transfers, 1);
	ck_assert_uint_eq(counters.in_transfers, 2);
	ck_assert_uint_eq(counters.sck, 0);
	ck_assert_uint_eq(counters.ticks, 1004);
	host_free(&host);
}
END_TEST

/* One OUT transfer that asks for a byte; it completes at once, and the answer is fetched. */
static void ask_and_wait(struct host *host)
{
	uint8_t byte;

	vftdi_count_submit(host->dev, VFTDI_A_OUT);
	host_out(host, A, BYTES(0x81, 0x87));
	vftdi_count_transfer(host->dev, VFTDI_A_OUT);
	ck_assert_uint_eq(host_in(host, A, &byte, 1), 1);
}

START_TEST(a_round_trip_is_an_answer_that_nothing_was_submitted_beside)
{
	struct host host = host_new(0);

	host_bring_up(&host, 1);
	vftdi_count_reset(host.dev);
	ask_and_wait(&host);
	ck_assert_uint_eq(vftdi_counters(host.dev).round_trips, 0);
	ask_and_wait(&host);
	ck_assert_uint_eq(vftdi_counters(host.dev).round_trips, 1);
	/* The second transfer was on its way before the answer to the first one came. */
	vftdi_count_submit(host.dev, VFTDI_A_OUT);
	ck_assert_uint_eq(vftdi_counters(host.dev).round_trips, 2);
	ask_and_wait(&host);
	host_out(&host, A, BYTES(0x81, 0x87));
	vftdi_count_transfer(host.dev, VFTDI_A_OUT);
	vftdi_count_submit(host.dev, VFTDI_B_OUT);
	ck_assert_uint_eq(vftdi_counters(host.dev).round_trips, 2);
	host_free(&host);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {descriptors_are_those_of_an_ft2232h, one_channel_chip_has_descriptors_only,
				      eeprom_is_read_and_never_written, vendor_requests_answer,
				      bit_mode_releases_the_pins, short_answers_wait_for_the_latency_timer,
				      full_packets_do_not_wait, purge_drops_the_direction_it_names,
				      full_buffers_stop_the_bytes, counters_are_exact,
				      a_round_trip_is_an_answer_that_nothing_was_submitted_beside};

	return host_main("usb", tests, sizeof(tests) / sizeof(tests[0]));
}
