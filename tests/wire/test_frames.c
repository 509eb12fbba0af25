/* SPDX-License-Identifier: MIT */
/* The frames each call puts on the wire, written out; the fields are those of the datasheet, sections 2 to 5. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wirebus.h"

static struct wirebus bus;
static nmhal_context *ctx;
static nmhal_device *dev;

static void setup(void)
{
	wirebus_init(&bus);
	ctx = wirebus_context();
	dev = wirebus_open(ctx, &bus);
	wirebus_forget(&bus);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ck_assert(bus.closed);
	wirebus_free(&bus);
}

static void program(struct nmhal_region region, const int8_t *codes)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .region = region, .codes = codes,
		.code_type = NMHAL_CODE_I8};

	ck_assert_msg(nmhal_program_weights(dev, &op, NULL) == NMHAL_OK, "%s", nmhal_last_error());
}

/* The same bus, with another limit. */
static void reopen(size_t max_frames)
{
	nmhal_device_unref(dev);
	bus.max_frames = max_frames;
	dev = wirebus_open(ctx, &bus);
}

/* A run without events: writes the registers that runs need. */
static void run_nothing(void)
{
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .steps = 1};

	ck_assert_int_eq(nmhal_run_spikes(dev, &op, NULL), NMHAL_OK);
}

START_TEST(open_writes_all_registers_after_a_reset)
{
	struct wirebus other;
	nmhal_device *second;

	wirebus_init(&other);
	second = wirebus_open(ctx, &other);
	wirebus_expect(&other, "R 0000000001 0000100001 0000200000 00003000ff");
	wirebus_forget(&other);
	nmhal_device_unref(second);
	wirebus_expect(&other, "");
	ck_assert(other.closed);
	wirebus_free(&other);
}
END_TEST

static void keep_wire_lines(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	char *text = user;

	(void)uri;
	if (level != NMHAL_LOG_WIRE)
		return;
	strcat(text, message);
	strcat(text, "\n");
}

START_TEST(the_log_shows_what_goes_over_the_wire)
{
	const struct nmhal_event event = {.address = 5};
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &event, .in_count = 1};
	char text[4096] = "";
	const struct nmhal_context_params params = {.struct_size = sizeof(params), .log = keep_wire_lines,
		.log_user = text, .log_level = NMHAL_LOG_WIRE};
	nmhal_context *logged = wirebus_context_with(&params);
	struct wirebus other;
	nmhal_device *second;

	wirebus_init(&other);
	second = wirebus_open(logged, &other);
	ck_assert_str_eq(text, "RST pulse\nspi: 4 frames, 0x0000000001 to 0x00003000ff\n");
	text[0] = '\0';
	ck_assert_int_eq(nmhal_run_spikes(second, &op, NULL), NMHAL_OK);
	ck_assert_str_eq(text, "spi: 1 frames, 0x0000000000 to 0x0000000000\nevents: 1 of 1 in, 0 out, idle\n"
			       "spi: 1 frames, 0x0000000001 to 0x0000000001\n");
	nmhal_device_unref(second);
	nmhal_context_unref(logged);
	wirebus_free(&other);
}
END_TEST

START_TEST(one_weight_keeps_its_neighbour_by_mask)
{
	const int8_t weight = -3;

	program((struct nmhal_region){.row = 3, .col = 10, .rows = 1, .cols = 1}, &weight);
	wirebus_expect(&bus, "620610f00d 0000000001");
	wirebus_forget(&bus);
	program((struct nmhal_region){.row = 3, .col = 11, .rows = 1, .cols = 1}, &weight);
	wirebus_expect(&bus, "6206100fd0 0000000001");
	wirebus_forget(&bus);
	program((struct nmhal_region){.row = 255, .col = 255, .rows = 1, .cols = 1}, &weight);
	wirebus_expect(&bus, "67fff00fd0 0000000001");
}
END_TEST

START_TEST(a_region_with_odd_edges_masks_both_edges)
{
	const int8_t codes[2][4] = {{1, 2, 3, 4}, {-1, -2, -8, 7}};

	program((struct nmhal_region){.row = 16, .col = 1, .rows = 2, .cols = 4}, codes[0]);
	wirebus_expect(&bus, "6020000f10 6220000032 642000f004 6022000ff0 622200008e 642200f007 0000000001");
}
END_TEST

START_TEST(a_region_inside_one_byte_row_with_a_stride)
{
	const int8_t codes[2][3] = {{5, -5, 99}, {6, -6, 99}};
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {.row = 0, .col = 8, .rows = 2, .cols = 2},
		.codes = codes, .row_stride = 3, .code_type = NMHAL_CODE_I8};

	ck_assert_int_eq(nmhal_program_weights(dev, &op, NULL), NMHAL_OK);
	wirebus_expect(&bus, "60001000b5 60021000a6 0000000001");
}
END_TEST

START_TEST(cells_share_a_frame_when_they_share_a_byte)
{
	const struct nmhal_cell cells[] = {{0, 1, 5, 7}, {0, 1, 4, -8}, {0, 0, 1, 1}, {0, 1, 6, 2}, {0, 2, 7, 3}};
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 5};

	ck_assert_int_eq(nmhal_program_weights(dev, &op, NULL), NMHAL_OK);
	wirebus_expect(&bus, "6000000f10 6402000078 660200f002 6604000f30 0000000001");
}
END_TEST

START_TEST(reading_sends_one_frame_a_byte)
{
	const struct nmhal_region region = {.row = 5, .col = 1, .rows = 2, .cols = 3};
	int8_t codes[2][3];

	bus.synapse[5 << 5][0] = 0x7F; /* row 5: columns 0 and 1 are -1 and 7 */
	bus.synapse[5 << 5][1] = 0x28;
	bus.synapse[6 << 5][0] = 0x10;
	bus.synapse[6 << 5][1] = 0xD9;
	ck_assert_int_eq(nmhal_read_weights(dev, &region, codes, 0, NMHAL_CODE_I8, 0), NMHAL_OK);
	wirebus_expect(&bus, "a00a000000 a20a000000 a00c000000 a20c000000");
	ck_assert_int_eq(codes[0][0], 7);
	ck_assert_int_eq(codes[0][1], -8);
	ck_assert_int_eq(codes[0][2], 2);
	ck_assert_int_eq(codes[1][0], 1);
	ck_assert_int_eq(codes[1][1], -7);
	ck_assert_int_eq(codes[1][2], -3);
}
END_TEST

START_TEST(neurons_travel_in_four_lanes)
{
	const struct nmhal_neuron wanted[2] = {
		{.threshold = 0xABC, .leak = 0x55, .potential = -1, .enabled = 0},
		{.threshold = 4095, .leak = 127, .potential = -2048, .enabled = 1},
	};
	struct nmhal_neuron got[2];

	ck_assert_int_eq(nmhal_set_neurons(dev, 0, 5, 2, wanted, 0), NMHAL_OK);
	wirebus_expect(&bus, "50005000ff 50105000cf 50205000ab 50305000d5 "
		"5000600000 50106000f8 50206000ff 503060007f 0000000001");
	wirebus_forget(&bus);
	ck_assert_int_eq(nmhal_get_neurons(dev, 0, 5, 2, got, 0), NMHAL_OK);
	wirebus_expect(&bus, "9000500000 9010500000 9020500000 9030500000 9000600000 9010600000 9020600000 9030600000");
	ck_assert_mem_eq(got, wanted, sizeof(got));
}
END_TEST

START_TEST(reset_state_zeroes_potentials_alone_and_pulses_reset)
{
	memset(bus.neuron, 0xFF, sizeof(bus.neuron));
	ck_assert_int_eq(nmhal_reset_state(dev, 0), NMHAL_OK);
	ck_assert_uint_eq(bus.count, 2 * 256 + 2);
	for (unsigned n = 0; n < 256; n++) {
		ck_assert_uint_eq(bus.log[2 * n].value, UINT64_C(0x5000000000) | (uint64_t)n << 20);
		ck_assert_uint_eq(bus.log[2 * n + 1].value, UINT64_C(0x501000F000) | (uint64_t)n << 20);
		ck_assert_mem_eq(bus.neuron[n], "\x00\xF0\xFF\xFF", 4);
	}
	ck_assert_uint_eq(bus.log[512].value, 1);
	ck_assert_uint_eq(bus.log[513].kind, WIRE_RESET);
}
END_TEST

START_TEST(device_reset_is_the_state_after_open)
{
	int64_t value;

	ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "max_neuron", 7), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "output_source", 1), NMHAL_OK);
	wirebus_expect(&bus, "");
	ck_assert_int_eq(nmhal_device_reset(dev, 0), NMHAL_OK);
	wirebus_expect(&bus, "R 0000000001 0000100001 0000200000 00003000ff");
	ck_assert_int_eq(nmhal_attr_get_int(dev, "open_loop", &value), NMHAL_OK);
	ck_assert_int_eq(value, 1);
	ck_assert_int_eq(nmhal_attr_get_int(dev, "max_neuron", &value), NMHAL_OK);
	ck_assert_int_eq(value, 255);
	ck_assert_int_eq(nmhal_attr_get_int(dev, "output_source", &value), NMHAL_OK);
	ck_assert_int_eq(value, 0);
}
END_TEST

START_TEST(batches_keep_to_the_bus_and_end_with_a_gate_frame)
{
	int8_t *codes = malloc(65536), *back = malloc(65536);
	struct wirebus small;
	nmhal_device *second;
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};

	ck_assert(codes && back);
	for (int n = 0; n < 65536; n++)
		codes[n] = (int8_t)((n * 7 + n / 256) % 16 - 8);
	wirebus_init(&small);
	small.max_frames = 16;
	second = wirebus_open(ctx, &small);
	wirebus_forget(&small);
	ck_assert_int_eq(nmhal_program_weights(second, &op, NULL), NMHAL_OK);
	ck_assert_uint_eq(small.largest, 16);
	ck_assert_uint_eq(small.count, 32768 + small.calls);
	for (size_t n = 15; n < small.count; n += 16)
		ck_assert_uint_eq(small.log[n].value, 1);
	for (int n = 0; n < 65536; n++) {
		int byte = small.synapse[n / 256 << 5 | (n & 255) >> 3][n >> 1 & 3];

		ck_assert_int_eq((n & 1 ? byte >> 4 : byte) & 0xF, codes[n] & 0xF);
	}
	ck_assert_int_eq(nmhal_read_weights(second, NULL, back, 0, NMHAL_CODE_I8, 0), NMHAL_OK);
	ck_assert_mem_eq(codes, back, 65536);
	nmhal_device_unref(second);
	wirebus_free(&small);
	free(codes);
	free(back);
}
END_TEST

/* Frames of a call on a bus that takes any number, and the calls of spi it makes. */
static void program_changes(size_t bytes, uint32_t flags, size_t *frames, size_t *calls)
{
	struct nmhal_cell *cells = calloc(2 * bytes, sizeof(*cells));
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 2 * bytes, .flags = flags};

	ck_assert_ptr_nonnull(cells);
	for (uint32_t n = 0; n < 2 * bytes; n++) { /* both columns of every third byte */
		uint32_t byte = n / 2 * 3;

		cells[n] = (struct nmhal_cell){0, byte / 128, byte % 128 * 2 + n % 2, (int32_t)(n % 16) - 8};
	}
	wirebus_forget(&bus);
	ck_assert_msg(nmhal_program_weights(dev, &op, NULL) == NMHAL_OK, "%s", nmhal_last_error());
	*frames = bus.count;
	*calls = bus.calls;
	free(cells);
}

START_TEST(a_change_costs_the_bytes_that_change)
{
	static const size_t bytes[] = {1, 100, 10000};
	size_t frames, calls;

	reopen(100000);
	for (size_t n = 0; n < 3; n++) {
		const size_t limit = (105 * bytes[n] / 100) + 4; /* 1.05 * 40 k + 160 SCK */

		ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
		run_nothing(); /* leaves OPEN_LOOP = 0 */
		program_changes(bytes[n], 0, &frames, &calls);
		ck_assert_uint_ge(frames, bytes[n] + 2);
		ck_assert_uint_le(frames, limit);
		program_changes(bytes[n], NMHAL_PROGRAM_VERIFY, &frames, &calls);
		ck_assert_uint_le(frames, 2 * limit);
	}
}
END_TEST

START_TEST(all_weights_travel_in_one_call)
{
	int8_t *codes = calloc(256, 256);
	struct nmhal_program op = {.struct_size = sizeof(op), .codes = codes, .code_type = NMHAL_CODE_I8};

	ck_assert_ptr_nonnull(codes);
	reopen(100000);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
	run_nothing();
	wirebus_forget(&bus);
	ck_assert_int_eq(nmhal_program_weights(dev, &op, NULL), NMHAL_OK);
	ck_assert_uint_eq(bus.calls, 1);
	ck_assert_uint_eq(bus.count, 1 + 32768 + 1); /* OPEN_LOOP = 1, and the frame that ends the last write */
	wirebus_forget(&bus);
	op.flags = NMHAL_PROGRAM_VERIFY;
	ck_assert_int_eq(nmhal_program_weights(dev, &op, NULL), NMHAL_OK);
	ck_assert_uint_eq(bus.calls, 2);
	ck_assert_uint_eq(bus.count, 32768 + 1 + 32768);
	free(codes);
}
END_TEST

START_TEST(a_bus_that_cannot_wait_is_refused_before_anything_is_sent)
{
	static const uint32_t flags[] = {0, NMHAL_BUS_ATTRIBUTES};

	for (size_t n = 0; n < 2; n++) {
		struct wirebus bare;
		nmhal_device *none = dev;

		wirebus_init(&bare);
		bare.flags = flags[n];
		ck_assert_int_eq(wirebus_try_open(ctx, &bare, &none), NMHAL_E_UNSUPPORTED);
		ck_assert_ptr_null(none);
		ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "NMHAL_BUS_WAITS_IDLE"));
		wirebus_expect(&bare, "");
		ck_assert(bare.closed);
		wirebus_free(&bare);
	}
}
END_TEST

START_TEST(caps_and_counters_come_from_the_bus)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	uint64_t value;
	int64_t clk;

	ck_assert_int_eq(nmhal_device_caps(dev, &caps), NMHAL_OK);
	ck_assert_str_eq(caps.board, "tinyodin");
	ck_assert_str_eq(caps.driver, "odin");
	ck_assert_str_eq(caps.serial, "W1");
	ck_assert_int_eq(caps.default_timeout_ms, 5000);
	ck_assert_uint_eq(caps.clock_hz, 12345);
	ck_assert_int_eq(nmhal_attr_get_int(dev, "clk_hz", &clk), NMHAL_OK);
	ck_assert_int_eq(clk, 12345);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "clk_hz", 1), NMHAL_E_UNSUPPORTED);
	ck_assert_int_eq(nmhal_counter_get(dev, "cycles", &value), NMHAL_E_UNSUPPORTED);
	bus.counts = true;
	ck_assert_int_eq(nmhal_counter_get(dev, "cycles", &value), NMHAL_OK);
	ck_assert_uint_eq(value, 10);
	ck_assert_int_eq(nmhal_counter_get(dev, "moons", &value), NMHAL_E_UNSUPPORTED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire frames");
	TCase *tcase = tcase_create("frames");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, open_writes_all_registers_after_a_reset);
	tcase_add_test(tcase, the_log_shows_what_goes_over_the_wire);
	tcase_add_test(tcase, one_weight_keeps_its_neighbour_by_mask);
	tcase_add_test(tcase, a_region_with_odd_edges_masks_both_edges);
	tcase_add_test(tcase, a_region_inside_one_byte_row_with_a_stride);
	tcase_add_test(tcase, cells_share_a_frame_when_they_share_a_byte);
	tcase_add_test(tcase, reading_sends_one_frame_a_byte);
	tcase_add_test(tcase, neurons_travel_in_four_lanes);
	tcase_add_test(tcase, reset_state_zeroes_potentials_alone_and_pulses_reset);
	tcase_add_test(tcase, device_reset_is_the_state_after_open);
	tcase_add_test(tcase, batches_keep_to_the_bus_and_end_with_a_gate_frame);
	tcase_add_test(tcase, a_change_costs_the_bytes_that_change);
	tcase_add_test(tcase, all_weights_travel_in_one_call);
	tcase_add_test(tcase, a_bus_that_cannot_wait_is_refused_before_anything_is_sent);
	tcase_add_test(tcase, caps_and_counters_come_from_the_bus);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
