/* SPDX-License-Identifier: MIT */
/* The template of examples/firmware/ on this machine: its registers are memory, its UART is this file. */
#include <string.h>

#include "examples/firmware/board.h"
#include "examples/firmware/hardware.h"
#include "nmlink/print.h"
#include "tests/unit/run.h"

#define SESSION 0x4242u

struct hardware hardware;

/* ---- the wire ---------------------------------------------------------------------------------------------------- */

static uint8_t to_board[8192], from_board[8192];
static uint32_t to_size, to_taken, from_size;
static uint16_t next;

static void (*happens)(void); /* when the board next looks at its receiver */

uint32_t uart_receive(uint8_t *bytes, uint32_t room)
{
	if (happens)
		happens();
	uint32_t size = to_size - to_taken < room ? to_size - to_taken : room;

	memcpy(bytes, to_board + to_taken, size);
	to_taken += size;
	return size;
}

uint8_t *uart_peek(uint32_t at)
{
	return at < to_size - to_taken ? to_board + to_taken + at : NULL;
}

void uart_send(const uint8_t *bytes, uint32_t size)
{
	ck_assert_uint_le(from_size + size, sizeof(from_board));
	memcpy(from_board + from_size, bytes, size);
	from_size += size;
}

static void start(void)
{
	memset(&hardware, 0, sizeof(hardware));
	hardware.status = SPIKE_IDLE;
	hardware.control = HIGH_VOLTAGE;
	to_size = to_taken = from_size = 0;
	next = 0;
	happens = NULL;
	ck_assert(firmware_start());
	ck_assert_uint_eq(hardware.control, 0);
}

static uint8_t frame[MAX_FRAME];

static uint8_t *payload(void)
{
	return frame + NMLINK_HEADER_SIZE;
}

/* Puts a request, whose payload ends at p, on the wire. */
static void post(uint16_t op, const uint8_t *p, uint8_t flags)
{
	const struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.flags = flags,
		.op = op,
		.seq = flags ? next : next++,
		.session = op == NMLINK_OP_HELLO ? 0 : SESSION,
		.size = (uint32_t)(p - payload()),
	};

	to_size += (uint32_t)nmlink_cobs_encode(to_board + to_size, frame,
		nmlink_frame_seal(frame, &header, nmlink_crc32c));
}

/* The next frame that the board has sent, as text. */
static const char *answered(struct nmlink_header *header, uint8_t *reply)
{
	static char text[300];
	struct nmlink_cobs cobs = { .buffer = reply, .capacity = MAX_FRAME };
	size_t used;

	ck_assert(nmlink_cobs_take(&cobs, from_board, from_size, &used));
	from_size -= (uint32_t)used;
	memmove(from_board, from_board + used, from_size);
	ck_assert_uint_eq(nmlink_frame_open(reply, cobs.size, header, nmlink_crc32c), NMLINK_OK);
	nmlink_print_frame(text, sizeof(text), reply, cobs.size);
	return text;
}

static uint8_t reply[MAX_FRAME];
static struct nmlink_header header;

static const char *ask(uint16_t op, const uint8_t *p)
{
	post(op, p, 0);
	for (int turns = 0; turns < 4 && !from_size; turns++)
		firmware_turn();
	return answered(&header, reply);
}

static void hello(void)
{
	const struct nmlink_hello_request m = { .session = SESSION };

	ck_assert_ptr_nonnull(strstr(ask(NMLINK_OP_HELLO, nmlink_put_hello_request(payload(), &m)), "window 4"));
	ck_assert_uint_eq(header.status, NMLINK_OK);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

START_TEST(every_message_is_enabled)
{
	const struct nmlink_caps_request m = { 0 };
	const uint8_t *ops, *end;
	uint32_t all = 0;

#define COUNT(name, NAME, code, class, text) all += code > NMLINK_OP_ABORT && code != NMLINK_OP_EVENTS;
	NMLINK_MESSAGES(COUNT)
	start();
	hello();
	ask(NMLINK_OP_CAPS, nmlink_put_caps_request(payload(), &m));
	ops = reply + NMLINK_HEADER_SIZE + NMLINK_SIZE_caps_reply;
	end = reply + NMLINK_HEADER_SIZE + header.size;
	while (ops < end && nmlink_load_u16(ops) != NMLINK_TAG_OPS)
		ops += NMLINK_CAP_HEAD_SIZE + nmlink_load_u16(ops + 2);
	ck_assert(ops < end);
	/* One more: the vendor's. */
	ck_assert_uint_eq(nmlink_load_u16(ops + 2), 2 * (all + 1));
}
END_TEST

START_TEST(weights_and_products_reach_the_registers)
{
	const struct nmlink_write_request write = { .row = 3, .col = 5, .rows = 1, .cols = 1 };
	const struct nmlink_infer_request infer = { .row = 2, .rows = 2, .col = 1, .cols = 2, .batch = 1 };
	uint8_t *p;

	start();
	hello();
	p = nmlink_put_write_request(payload(), &write);
	ask(NMLINK_OP_WRITE, nmlink_store_s8(p, -77));
	ck_assert_uint_eq(header.status, NMLINK_OK);
	ck_assert_uint_eq(hardware.row, 3);
	ck_assert_uint_eq(hardware.col, 5);
	ck_assert_int_eq(hardware.weight, -77);
	hardware.adc[1] = -3;
	hardware.adc[2] = 127;
	hardware.clipped = 1u << 2;
	p = nmlink_put_infer_request(payload(), &infer);
	ask(NMLINK_OP_INFER, nmlink_store_s8(nmlink_store_s8(p, -64), 63));
	ck_assert_uint_eq(header.size, 3);
	ck_assert_mem_eq(reply + NMLINK_HEADER_SIZE, "\375\177\2", 3);
	ck_assert_int_eq(hardware.dac[2], -64);
	ck_assert_int_eq(hardware.dac[3], 63);
	ck_assert_int_eq(hardware.dac[4], 0);
	ck_assert_uint_eq(hardware.control, 0);
}
END_TEST

START_TEST(pulses_need_arm_and_silence_disarms)
{
	const struct nmlink_pulse_cell_request m = { .voltage_uv = 1000000, .width_ns = 100, .pulses = 3 };
	const struct nmlink_arm_request arm = { .silence_ms = 100 };

	start();
	hello();
	ask(NMLINK_OP_PULSE_CELL, nmlink_put_pulse_cell_request(payload(), &m));
	ck_assert_uint_eq(header.status, NMLINK_EARM);
	ck_assert_uint_eq(hardware.pulses, 0);
	ask(NMLINK_OP_ARM, nmlink_put_arm_request(payload(), &arm));
	ck_assert_uint_eq(hardware.control, HIGH_VOLTAGE);
	ask(NMLINK_OP_PULSE_CELL, nmlink_put_pulse_cell_request(payload(), &m));
	ck_assert_uint_eq(header.status, NMLINK_OK);
	ck_assert_uint_eq(hardware.pulses, 3);
	hardware.ms = 100;
	firmware_turn();
	ck_assert_uint_eq(hardware.control, 0);
}
END_TEST

#define TRAIN 1000u

static void interlock_opens(void)
{
	if (hardware.pulses == TRAIN)
		hardware.status |= INTERLOCK;
}

/* A train that goes on for ever, as far as the status says. */
START_TEST(an_interlock_ends_a_train)
{
	const struct nmlink_pulse_cell_request m = { .voltage_uv = 1000000, .width_ns = 100, .pulses = TRAIN };
	const struct nmlink_arm_request arm = { .silence_ms = 100 };

	start();
	hello();
	ask(NMLINK_OP_ARM, nmlink_put_arm_request(payload(), &arm));
	hardware.status |= BUSY;
	happens = interlock_opens;
	post(NMLINK_OP_PULSE_CELL, nmlink_put_pulse_cell_request(payload(), &m), 0);
	while (!from_size)
		firmware_turn();
	answered(&header, reply);
	ck_assert_uint_eq(header.status, NMLINK_EINTERLOCK);
	ck_assert_uint_eq(hardware.pulses, TRAIN);
	ck_assert_int_eq(hardware.voltage_uv, 0);
	ck_assert_uint_eq(hardware.control, 0);
}
END_TEST

/* An output belongs to the input that was taken last. */
START_TEST(spikes_name_their_input)
{
	const struct nmlink_spikes_send_request send = { .first = 0 };
	const struct nmlink_spikes_start_request begin = { 0 };
	const struct nmlink_input_record input = { .address = 3 };
	const struct nmlink_spikes_read_request read = { 0 };
	struct nmlink_spikes_read_reply found;
	struct nmlink_output_record output;

	start();
	hello();
	ask(NMLINK_OP_SPIKES_START, nmlink_put_spikes_start_request(payload(), &begin));
	hardware.status |= SPIKE_OUT;
	hardware.spike_out = 5;
	ask(NMLINK_OP_SPIKES_SEND, nmlink_put_input_record(nmlink_put_spikes_send_request(payload(), &send), &input));
	ck_assert_uint_eq(header.status, NMLINK_OK);
	ck_assert_uint_eq(hardware.spike_in, 3);
	ask(NMLINK_OP_SPIKES_READ, nmlink_put_spikes_read_request(payload(), &read));
	ck_assert(nmlink_get_spikes_read_reply(&found, reply + NMLINK_HEADER_SIZE, header.size));
	ck_assert_uint_ge(found.tail_size, NMLINK_SIZE_output_record);
	nmlink_get_output_record(&output, found.tail);
	ck_assert_uint_eq(output.input, 0);
	ck_assert_uint_eq(output.address, 5);
}
END_TEST

/* ABORT overtakes: it is answered while the board programs, and what was sent ahead of it ends. */
START_TEST(an_abort_is_seen_while_the_board_works)
{
	const struct nmlink_write_request m = { .rows = ROWS, .cols = COLS };
	uint8_t *p;

	start();
	hello();
	p = nmlink_put_write_request(payload(), &m);
	memset(p, 1, ROWS * COLS);
	post(NMLINK_OP_WRITE, p + ROWS * COLS, 0);
	post(NMLINK_OP_ABORT, payload(), NMLINK_FLAG_URGENT);
	post(NMLINK_OP_PING, payload(), 0);
	for (int turns = 0; turns < 4; turns++)
		firmware_turn();
	ck_assert_str_eq(answered(&header, reply), "< ABORT URGENT seq 2 session 16962 credits 4");
	ck_assert_str_eq(answered(&header, reply), "< WRITE seq 1 session 16962 credits 4 EABORTED: detail 0");
	ck_assert_uint_lt(hardware.row, ROWS - 1);
	ck_assert_str_eq(answered(&header, reply), "< PING seq 2 session 16962 credits 4");
	ck_assert_uint_eq(from_size, 0);
}
END_TEST

/* Also when it stands behind as many requests as a host may send ahead, and behind empty and damaged frames. */
START_TEST(an_abort_is_seen_behind_other_requests)
{
	const struct nmlink_write_request m = { .rows = ROWS, .cols = COLS };

	start();
	hello();
	for (int i = 0; i < 3; i++) {
		uint8_t *p = nmlink_put_write_request(payload(), &m);

		memset(p, 1, ROWS * COLS);
		post(NMLINK_OP_WRITE, p + ROWS * COLS, 0);
	}
	memcpy(to_board + to_size, "\0\0\5\1\0", 5);
	to_size += 5;
	post(NMLINK_OP_ABORT, payload(), NMLINK_FLAG_URGENT | 0x80u);
	post(NMLINK_OP_PING, payload(), 0);
	for (int turns = 0; turns < 6; turns++)
		firmware_turn();
	ck_assert_str_eq(answered(&header, reply), "< ABORT URGENT seq 4 session 16962 credits 4");
	for (uint16_t seq = 1; seq <= 3; seq++) {
		answered(&header, reply);
		ck_assert_uint_eq(header.seq, seq);
		ck_assert_uint_eq(header.status, NMLINK_EABORTED);
	}
	ck_assert_uint_lt(hardware.row, ROWS - 1);
	ck_assert_str_eq(answered(&header, reply), "< PING seq 4 session 16962 credits 4");
	ck_assert_uint_eq(from_size, 0);
}
END_TEST

/* Requests sent ahead, the next one received while one works, are all answered in order. */
START_TEST(a_window_of_requests_is_answered_in_order)
{
	const struct nmlink_write_request m = { .rows = 2, .cols = 1 };

	start();
	hello();
	for (int i = 0; i < 4; i++) {
		uint8_t *p = nmlink_put_write_request(payload(), &m);

		post(NMLINK_OP_WRITE, nmlink_store_s8(nmlink_store_s8(p, 1), 2), 0);
	}
	for (int turns = 0; turns < 6; turns++)
		firmware_turn();
	for (uint16_t i = 1; i <= 4; i++) {
		answered(&header, reply);
		ck_assert_uint_eq(header.seq, i);
		ck_assert_uint_eq(header.status, NMLINK_OK);
	}
}
END_TEST

START_TEST(averages_do_not_overflow)
{
	const struct nmlink_read_conductance_request m = { .rows = 1, .cols = 1, .averages = 1000 };

	start();
	hello();
	hardware.conductance_ps = 40000000;
	ask(NMLINK_OP_READ_CONDUCTANCE, nmlink_put_read_conductance_request(payload(), &m));
	ck_assert_uint_eq(nmlink_load_u32(reply + NMLINK_HEADER_SIZE), 40000000);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_message_is_enabled, weights_and_products_reach_the_registers,
		pulses_need_arm_and_silence_disarms, an_interlock_ends_a_train, spikes_name_their_input,
		an_abort_is_seen_while_the_board_works, an_abort_is_seen_behind_other_requests,
		a_window_of_requests_is_answered_in_order, averages_do_not_overflow };

	return run_tests("firmware", tests, sizeof(tests) / sizeof(*tests));
}
