/* SPDX-License-Identifier: MIT */
/*
 * The board-side core with the template of examples/firmware/ behind it: sequences of frames, as they come and with
 * right numbers and CRC, with time, resets and events in between. An input is a list of steps:
 *
 *   u8 kind, u8 or u16 size ..., bytes
 *   kind 0: u16 size, a frame as it is
 *   kind 1: u16 op, u16 size, a payload: the next request of the session
 *   kind 2: u16 op, u16 size, a payload: the last number again
 *   kind 3: u16 ms that pass
 *   kind 4: bus reset          kind 5: HELLO
 *   kind 6: events are asked for          kind 7: u8 state of the hardware
 */
#include <string.h>

#include "examples/firmware/board.h"
#include "examples/firmware/hardware.h"
#include "fuzz.h"

#define SESSION 0x4242u

struct hardware hardware;
unsigned fuzz_taken;

static struct {
	struct nmlink_core core;
	struct nmlink_kept kept[WINDOW];
	struct nmlink_output_record events[EVENTS];
	struct nmlink_point_record points[POINTS];
	uint8_t out[MAX_FRAME];
	uint16_t next;
	bool worked; /* it did what it was asked to */
} state;

/* In the place of main.c. While the board works its outputs come and go. */
void firmware_poll(struct nmlink_core *core)
{
	MUST(core == &state.core);
	/* What can be armed is. */
	MUST(core->armed || !(hardware.control & HIGH_VOLTAGE));
}

/* A reply is a frame that fits; what is above read level happened only when it may. */
static void check(uint32_t size)
{
	struct nmlink_header header;

	MUST(size <= MAX_FRAME);
	if (size) {
		MUST(nmlink_frame_open(state.out, size, &header, nmlink_crc32c) == NMLINK_OK);
		state.worked |= header.status == NMLINK_OK && header.op == NMLINK_OP_WRITE;
	}
	MUST(state.core.produced - state.core.freed <= EVENTS && state.core.points <= POINTS);
	MUST(hardware.voltage_uv == 0);
	MUST(state.core.armed || !(hardware.control & HIGH_VOLTAGE));
	MUST(hardware.row < ROWS && hardware.col <= COLS && hardware.side < 2);
	MUST(hardware.pulses <= board.limits.pulses && hardware.width_ns <= board.limits.width_ns);
	MUST(hardware.weight >= board.weight.min && hardware.weight <= board.weight.max);
}

static void request(uint16_t op, uint16_t seq, const uint8_t *payload, uint16_t size)
{
	uint8_t frame[0xFFFFu + NMLINK_OVERHEAD];
	const struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.flags = op == NMLINK_OP_ABORT ? NMLINK_FLAG_URGENT : 0,
		.op = op,
		.seq = seq,
		.session = SESSION,
		.size = size,
	};

	if (size)
		memcpy(frame + NMLINK_HEADER_SIZE, payload, size);
	check(nmlink_core_frame(&state.core, frame, nmlink_frame_seal(frame, &header, nmlink_crc32c), state.out));
}

static void hello(void)
{
	uint8_t payload[NMLINK_SIZE_hello_request];

	nmlink_put_hello_request(payload, &(const struct nmlink_hello_request){ .session = SESSION });
	request(NMLINK_OP_HELLO, 0, payload, sizeof(payload));
	state.next = state.core.next;
}

struct input {
	const uint8_t *p;
	size_t left;
};

static uint16_t number(struct input *in)
{
	uint16_t value = 0;

	if (in->left >= 2) {
		value = nmlink_load_u16(in->p);
		in->p += 2;
		in->left -= 2;
	} else {
		in->left = 0;
	}
	return value;
}

static const uint8_t *bytes(struct input *in, uint16_t *size)
{
	const uint8_t *p;

	*size = number(in);
	if (*size > in->left)
		*size = (uint16_t)in->left;
	p = in->p;
	in->p += *size;
	in->left -= *size;
	return p;
}

static void ask(struct input *in, bool again)
{
	const uint16_t op = number(in);
	uint16_t size;
	const uint8_t *payload = bytes(in, &size);

	if (!again)
		state.next = state.core.next;
	request(op, (uint16_t)(again ? state.core.next - 1 : state.next), payload, size);
}

static void step(struct input *in)
{
	const uint8_t kind = *in->p++;
	uint16_t size;
	const uint8_t *frame;

	in->left--;
	switch (kind % 8) {
	case 0:
		frame = bytes(in, &size);
		check(nmlink_core_frame(&state.core, frame, size, state.out));
		break;
	case 1:
	case 2:
		ask(in, kind % 8 == 2);
		break;
	case 3:
		hardware.ms += number(in);
		nmlink_core_tick(&state.core);
		check(0);
		break;
	case 4:
		nmlink_core_bus_reset(&state.core);
		check(0);
		break;
	case 5:
		hello();
		break;
	case 6:
		check(nmlink_core_events(&state.core, state.out));
		break;
	default:
		/* Never BUSY, and no spike that nothing takes away: the imaginary hardware would wait for ever. */
		hardware.status = number(in) & (INTERLOCK | SPIKE_FULL | SPIKE_IDLE);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nmlink_memory memory = { state.kept, WINDOW, MAX_FRAME, state.events, EVENTS, state.points,
		POINTS };
	struct input in = { data, size };

	memset(&hardware, 0, sizeof(hardware));
	memset(&state, 0, sizeof(state));
	MUST(nmlink_core_init(&state.core, &board, &memory, NULL));
	hello();
	while (in.left)
		step(&in);
	fuzz_taken += state.worked;
	return 0;
}
