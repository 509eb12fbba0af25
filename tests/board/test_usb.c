/* SPDX-License-Identifier: MIT */
/* The emulated board as a USB device: descriptors, requests, frames in packets. */
#include <stdlib.h>
#include <string.h>

#include "sim/vusb_board.h"
#include "tests/board/host.h"
#include "tests/unit/run.h"

#define PACKET VUSB_BOARD_PACKET

static struct vusb_board *device_new(const char *board)
{
	struct sim_board_config *config = sim_board_config_new(board);
	char error[SIM_BOARD_ERROR] = "";
	struct vusb_board *dev;

	ck_assert_ptr_nonnull(config);
	dev = vusb_board_new(NULL, sim_board_new(config, error));
	ck_assert_ptr_nonnull(dev);
	sim_board_config_free(config);
	return dev;
}

static int control(struct vusb_board *dev, unsigned type, unsigned request, unsigned value, unsigned index,
	uint8_t *data, unsigned size)
{
	const uint8_t setup[8] = {(uint8_t)type, (uint8_t)request, (uint8_t)value, (uint8_t)(value >> 8),
		(uint8_t)index, (uint8_t)(index >> 8), (uint8_t)size, (uint8_t)(size >> 8)};

	return vusb_board_control(dev, setup, data, size);
}

static void check_string(struct vusb_board *dev, unsigned index, const char *text)
{
	uint8_t data[255];
	int size = control(dev, 0x80, 6, 0x0300 | index, 0x0409, data, sizeof(data));

	ck_assert_int_eq(size, 2 + 2 * (int)strlen(text));
	for (size_t n = 0; text[n]; n++)
		ck_assert_int_eq(data[2 + 2 * n], text[n]);
}

START_TEST(descriptors_are_those_of_the_protocol)
{
	struct vusb_board *dev = device_new("xbar64");
	const uint8_t interface[] = {9, 4, 0, 0, 3, 0xFF, 0, 0, 4, 7, 5, 0x01, 2, 0, 2, 0, 7, 5, 0x81, 2, 0, 2, 0,
		7, 5, 0x82, 2, 0, 2, 0};
	const uint8_t *descriptors;
	uint8_t data[255];
	size_t size;

	descriptors = vusb_board_descriptors(dev, &size);
	ck_assert_uint_eq(size, 18 + 9 + sizeof(interface));
	ck_assert_uint_eq(descriptors[2] | descriptors[3] << 8, 0x0210);
	ck_assert_mem_eq(descriptors + 18 + 9, interface, sizeof(interface));
	ck_assert_int_eq(control(dev, 0x80, 6, 0x0100, 0, data, 255), 18);
	ck_assert_mem_eq(data, descriptors, 18);
	ck_assert_int_eq(control(dev, 0x80, 6, 0x0200, 0, data, 255), 39);
	ck_assert_mem_eq(data, descriptors + 18, 39);
	check_string(dev, descriptors[14], "libnmhal");
	check_string(dev, descriptors[15], "NMHAL xbar64");
	check_string(dev, descriptors[16], "SIM-xbar64-0");
	check_string(dev, 4, "NMHAL xbar64");
	vusb_board_free(dev);
}
END_TEST

/* The bytes of PROTOCOL.md, section 1.1. */
START_TEST(windows_and_browsers_find_what_they_look_for)
{
	struct vusb_board *dev = device_new("xbar8");
	const uint8_t bos[] = {0x05, 0x0f, 0x51, 0x00, 0x03, 0x18, 0x10, 0x05, 0x00, 0x38, 0xb6, 0x08, 0x34, 0xa9, 0x09,
		0xa0, 0x47, 0x8b, 0xfd, 0xa0, 0x76, 0x88, 0x15, 0xb6, 0x65, 0x00, 0x01, 0x01, 0x00, 0x1c, 0x10, 0x05,
		0x00, 0xdf, 0x60, 0xdd, 0xd8, 0x89, 0x45, 0xc7, 0x4c, 0x9c, 0xd2, 0x65, 0x9d, 0x9e, 0x64, 0x8a, 0x9f,
		0x00, 0x00, 0x03, 0x06, 0xa2, 0x00, 0x02, 0x00, 0x18, 0x10, 0x05, 0x00, 0xa7, 0x63, 0x1c, 0x9d, 0xe4,
		0x52, 0x0b, 0x4f, 0xb1, 0xc8, 0x4e, 0x4d, 0x4c, 0x4e, 0x4b, 0x01, 0x10, 0x01, 0x03, 0x00};
	const uint8_t head[] = {0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x06, 0xa2, 0x00, 0x14, 0x00, 0x03, 0x00, 'W',
		'I', 'N', 'U', 'S', 'B', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x84, 0x00, 0x04, 0x00, 0x07, 0x00, 0x2a, 0x00};
	const char name[] = "DeviceInterfaceGUIDs", guid[] = "{6B3C5A52-8E0B-4C57-9F6D-4E4D48414C01}";
	uint8_t data[255];

	ck_assert_int_eq(control(dev, 0x80, 6, 0x0F00, 0, data, 255), sizeof(bos));
	ck_assert_mem_eq(data, bos, sizeof(bos));
	ck_assert_int_eq(control(dev, 0xC0, 2, 0, 7, data, 255), 162);
	ck_assert_mem_eq(data, head, sizeof(head));
	for (size_t n = 0; n < sizeof(name); n++)
		ck_assert_uint_eq(data[sizeof(head) + 2 * n], (uint8_t)name[n]);
	ck_assert_uint_eq(data[sizeof(head) + 2 * sizeof(name)], 0x50);
	for (size_t n = 0; n < sizeof(guid); n++)
		ck_assert_uint_eq(data[sizeof(head) + 2 * sizeof(name) + 2 + 2 * n], (uint8_t)guid[n]);
	ck_assert_int_eq(control(dev, 0xC0, 0x77, 0, 7, data, 255), VUSB_BOARD_STALL);
	ck_assert_int_eq(control(dev, 0xC0, 2, 0, 8, data, 255), VUSB_BOARD_STALL);
	ck_assert_int_eq(control(dev, 0x41, 3, 0, 1, NULL, 0), VUSB_BOARD_STALL);
	ck_assert_int_eq(control(dev, 0x41, 3, 1, 0, NULL, 0), VUSB_BOARD_STALL);
	ck_assert_int_eq(control(dev, 0x41, 3, 0, 0, data, 1), VUSB_BOARD_STALL);
	vusb_board_free(dev);
}
END_TEST

/* A request as a host sends it: packets, the last one short. */
static void send_frame(struct vusb_board *dev, const uint8_t *frame, size_t size)
{
	for (size_t at = 0; at <= size; at += PACKET) {
		size_t count = size - at < PACKET ? size - at : PACKET;

		ck_assert_int_eq(vusb_board_out(dev, VUSB_BOARD_OUT, frame + at, count), (int)count);
	}
}

static size_t recv_frame(struct vusb_board *dev, uint8_t *frame)
{
	size_t size = 0;
	int count;

	do {
		count = vusb_board_in(dev, VUSB_BOARD_IN, frame + size);
		if (count < 0)
			return 0;
		size += (size_t)count;
	} while (count == PACKET);
	return size;
}

/* A frame of op with `tail` bytes after what is in payload already. */
static size_t seal(uint8_t *frame, enum nmlink_op op, uint16_t seq, size_t size)
{
	const struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .op = (uint16_t)op, .seq = seq,
		.session = op == NMLINK_OP_HELLO ? 0 : 0x7777u, .size = (uint32_t)size};

	return nmlink_frame_seal(frame, &header, nmlink_crc32c);
}

static void hello(struct vusb_board *dev)
{
	static uint8_t frame[HOST_FRAME], reply[HOST_FRAME];

	nmlink_put_hello_request(frame + NMLINK_HEADER_SIZE, &(struct nmlink_hello_request){.session = 0x17777});
	send_frame(dev, frame, seal(frame, NMLINK_OP_HELLO, 0, NMLINK_SIZE_hello_request));
	ck_assert_uint_eq(recv_frame(dev, reply), NMLINK_OVERHEAD + NMLINK_SIZE_hello_reply);
}

/* PINGs of all sizes around a packet: those that fill it end with an empty one. */
START_TEST(frames_travel_in_packets)
{
	struct vusb_board *dev = device_new("xbar8");
	static uint8_t frame[HOST_FRAME], reply[HOST_FRAME];
	const size_t full = PACKET - NMLINK_OVERHEAD;
	const size_t sizes[] = {0, 1, full - 1, full, full + 1, full + 2 * PACKET, 65536};
	uint16_t seq = 1;

	hello(dev);
	for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
		memset(frame + NMLINK_HEADER_SIZE, (int)n, sizes[n]);
		send_frame(dev, frame, seal(frame, NMLINK_OP_PING, seq++, sizes[n]));
		ck_assert_uint_eq(recv_frame(dev, reply), NMLINK_OVERHEAD + sizes[n]);
		ck_assert_mem_eq(reply + NMLINK_HEADER_SIZE, frame + NMLINK_HEADER_SIZE, sizes[n]);
		ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_IN, reply), VUSB_BOARD_NAK);
	}
	vusb_board_free(dev);
}
END_TEST

START_TEST(frames_that_are_too_long_are_dropped_and_the_next_is_not)
{
	struct vusb_board *dev = device_new("xbar8");
	static uint8_t frame[HOST_FRAME + 2 * PACKET], reply[HOST_FRAME];

	hello(dev);
	send_frame(dev, frame, sizeof(frame));
	ck_assert_uint_eq(recv_frame(dev, reply), 0);
	send_frame(dev, frame, seal(frame, NMLINK_OP_PING, 1, 5));
	ck_assert_uint_eq(recv_frame(dev, reply), NMLINK_OVERHEAD + 5);
	/* The halves of frames that a host broke off do not reach the next. */
	ck_assert_int_eq(vusb_board_out(dev, VUSB_BOARD_OUT, frame, PACKET), PACKET);
	vusb_board_clear_halt(dev, VUSB_BOARD_OUT);
	send_frame(dev, frame, seal(frame, NMLINK_OP_PING, 2, 600));
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_IN, reply), PACKET);
	vusb_board_clear_halt(dev, VUSB_BOARD_IN);
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_IN, reply), VUSB_BOARD_NAK);
	ck_assert_int_eq(vusb_board_out(dev, VUSB_BOARD_IN, frame, 1), VUSB_BOARD_STALL);
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_OUT, reply), VUSB_BOARD_STALL);
	vusb_board_free(dev);
}
END_TEST

START_TEST(a_board_whose_replies_wait_takes_no_more)
{
	struct vusb_board *dev = device_new("xbar8");
	static uint8_t frame[HOST_FRAME], reply[HOST_FRAME];
	unsigned sent = 0;
	size_t size;

	hello(dev);
	for (int taken = 1; taken > 0; sent += taken > 0) {
		size = seal(frame, NMLINK_OP_PING, (uint16_t)(sent + 1), 10);
		taken = vusb_board_out(dev, VUSB_BOARD_OUT, frame, size);
		ck_assert(taken == (int)size || taken == VUSB_BOARD_NAK);
	}
	ck_assert_uint_eq(sent, 8 + 1); /* the window, and the one in its buffer */
	for (unsigned n = 0; n < sent; n++)
		ck_assert_uint_eq(recv_frame(dev, reply), NMLINK_OVERHEAD + 10);
	ck_assert_uint_eq(recv_frame(dev, reply), 0);
	vusb_board_free(dev);
}
END_TEST

START_TEST(a_bus_reset_ends_the_session_and_disarms)
{
	struct vusb_board *dev = device_new("xbar8");
	static uint8_t frame[HOST_FRAME], reply[HOST_FRAME];
	struct nmlink_header header;
	size_t size;

	for (int way = 0; way < 4; way++) {
		hello(dev);
		nmlink_put_arm_request(frame + NMLINK_HEADER_SIZE, &(struct nmlink_arm_request){.silence_ms = 60000});
		send_frame(dev, frame, seal(frame, NMLINK_OP_ARM, 1, NMLINK_SIZE_arm_request));
		ck_assert(sim_board_armed(vusb_board_board(dev)));
		if (way == 0)
			vusb_board_reset(dev);
		else if (way == 1)
			vusb_board_replug(dev);
		else if (way == 2)
			ck_assert_int_eq(control(dev, 0, 9, 1, 0, NULL, 0), 0);
		else
			ck_assert_int_eq(control(dev, 0x41, 3, 0, 0, NULL, 0), 0);
		ck_assert(!sim_board_armed(vusb_board_board(dev)));
		ck_assert_uint_eq(recv_frame(dev, reply), 0);
		send_frame(dev, frame, seal(frame, NMLINK_OP_PING, 2, 0));
		size = recv_frame(dev, reply);
		ck_assert_int_eq(nmlink_frame_open(reply, size, &header, nmlink_crc32c), NMLINK_OK);
		ck_assert_uint_eq(header.status, NMLINK_ESESSION);
	}
	vusb_board_free(dev);
}
END_TEST

/* A payload on its way, as hello() sends one; the reply must be OK. */
static void request(struct vusb_board *dev, uint8_t *frame, enum nmlink_op op, uint16_t seq, size_t size)
{
	static uint8_t reply[HOST_FRAME];
	struct nmlink_header header;
	size_t got;

	send_frame(dev, frame, seal(frame, op, seq, size));
	got = recv_frame(dev, reply);
	ck_assert_int_eq(nmlink_frame_open(reply, got, &header, nmlink_crc32c), NMLINK_OK);
	ck_assert_uint_eq(header.status, NMLINK_OK);
}

START_TEST(events_have_an_endpoint_of_their_own)
{
	struct vusb_board *dev = device_new("spike256");
	struct tinyodin *chip = sim_board_chip(vusb_board_board(dev));
	const struct tinyodin_neuron neuron = {.threshold = 1, .enabled = true};
	static uint8_t frame[HOST_FRAME];
	uint8_t packet[PACKET], *payload = frame + NMLINK_HEADER_SIZE;
	struct nmlink_header header;

	for (unsigned n = 0; n < 100; n++) {
		tinyodin_set_neuron(chip, n, &neuron);
		tinyodin_set_weight(chip, 9, n, 5);
	}
	hello(dev);
	nmlink_put_spikes_start_request(payload, &(struct nmlink_spikes_start_request){.flags = NMLINK_RUN_STREAM});
	request(dev, frame, NMLINK_OP_SPIKES_START, 1, NMLINK_SIZE_spikes_start_request);
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_EVENTS, packet), VUSB_BOARD_NAK);
	payload = nmlink_put_spikes_send_request(payload, &(struct nmlink_spikes_send_request){.first = 0});
	payload = nmlink_put_input_record(payload, &(struct nmlink_input_record){.address = 9});
	request(dev, frame, NMLINK_OP_SPIKES_SEND, 2, (size_t)(payload - frame) - NMLINK_HEADER_SIZE);
	/* 100 events of 8 bytes: two packets. */
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_EVENTS, packet), PACKET);
	nmlink_get_header(&header, packet, NMLINK_HEADER_SIZE);
	ck_assert_uint_eq(header.flags, NMLINK_FLAG_EVENT);
	ck_assert_uint_eq(header.size, NMLINK_SIZE_events_reply + 100 * NMLINK_SIZE_output_record);
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_EVENTS, packet), (int)(header.size + NMLINK_OVERHEAD - PACKET));
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_EVENTS, packet), VUSB_BOARD_NAK);
	ck_assert_int_eq(vusb_board_in(dev, VUSB_BOARD_IN, packet), VUSB_BOARD_NAK);
	vusb_board_free(dev);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {descriptors_are_those_of_the_protocol,
		windows_and_browsers_find_what_they_look_for, frames_travel_in_packets,
		frames_that_are_too_long_are_dropped_and_the_next_is_not, a_board_whose_replies_wait_takes_no_more,
		a_bus_reset_ends_the_session_and_disarms, events_have_an_endpoint_of_their_own};

	return run_tests("board-usb", tests, sizeof(tests) / sizeof(*tests));
}
