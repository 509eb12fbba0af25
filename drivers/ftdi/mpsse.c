/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "mpsse.h"

static size_t copy(uint8_t *out, const uint8_t *bytes, size_t size)
{
	memcpy(out, bytes, size);
	return size;
}
#define COPY(out, ...) copy(out, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

uint16_t mpsse_divisor(uint64_t clk_hz, uint32_t spi_hz)
{
	const uint64_t base4 = UINT64_C(4) * MPSSE_BASE_HZ;
	uint64_t steps = clk_hz ? (base4 + clk_hz - 1) / clk_hz : 1;
	uint64_t wished = spi_hz ? (MPSSE_BASE_HZ + UINT64_C(0) + spi_hz - 1) / spi_hz : 1;

	if (wished > steps)
		steps = wished;
	return (uint16_t)(steps > 0x10000 ? 0xFFFF : steps - 1);
}

uint32_t mpsse_spi_hz(uint16_t divisor)
{
	return MPSSE_BASE_HZ / (1u + divisor);
}

size_t mpsse_init_a(uint8_t *out, uint16_t divisor)
{
	return COPY(out, MPSSE_BASE_60, MPSSE_NOT_ADAPTIVE, MPSSE_TWO_PHASE, MPSSE_NO_LOOPBACK, MPSSE_DIVISOR,
		(uint8_t)divisor, (uint8_t)(divisor >> 8), MPSSE_SET_LOW, MPSSE_A_RST, MPSSE_A_OUTPUTS, MPSSE_SET_HIGH,
		0, MPSSE_A_OUTPUTS_H);
}

size_t mpsse_init_b(uint8_t *out)
{
	return COPY(out, MPSSE_BASE_60, MPSSE_NOT_ADAPTIVE, MPSSE_TWO_PHASE, MPSSE_NO_LOOPBACK, MPSSE_SET_LOW, 0,
		MPSSE_B_OUTPUTS, MPSSE_SET_HIGH, 0, MPSSE_B_OUTPUTS_H);
}

size_t mpsse_rst(uint8_t *out, bool high)
{
	return COPY(out, MPSSE_SET_LOW, high ? MPSSE_A_RST : 0, MPSSE_A_OUTPUTS);
}

size_t mpsse_shift(uint8_t *out, enum mpsse_opcode opcode, size_t frames)
{
	size_t length = frames * MPSSE_FRAME - 1;

	return COPY(out, (uint8_t)opcode, (uint8_t)length, (uint8_t)(length >> 8));
}

void mpsse_frames(uint8_t *out, const uint64_t *frames, size_t count)
{
	for (size_t n = 0; n < count; n++, out += MPSSE_FRAME) {
		out[0] = (uint8_t)(frames[n] >> 32);
		out[1] = (uint8_t)(frames[n] >> 24);
		out[2] = (uint8_t)(frames[n] >> 16);
		out[3] = (uint8_t)(frames[n] >> 8);
		out[4] = (uint8_t)frames[n];
	}
}

/* The chip uses ADDR only 3 CLK after it has seen REQ, so ADDR[9:8] may change together with it (section 16). */
size_t mpsse_event(uint8_t *out, unsigned address, bool strict)
{
	uint8_t low = (uint8_t)address, high = (uint8_t)((address >> 8 & 3u) << MPSSE_A_ADDR8);
	size_t size = COPY(out, MPSSE_SET_HIGH, low, MPSSE_A_OUTPUTS_H);

	if (strict)
		size += COPY(out + size, MPSSE_SET_LOW, high, MPSSE_A_OUTPUTS);
	return size + COPY(out + size, MPSSE_SET_LOW, high | MPSSE_A_REQ, MPSSE_A_OUTPUTS, MPSSE_WAIT_HIGH,
		MPSSE_SET_LOW, high, MPSSE_A_OUTPUTS, MPSSE_WAIT_LOW);
}

size_t mpsse_confirm(uint8_t *out)
{
	return COPY(out, MPSSE_GET_LOW, MPSSE_SEND_NOW);
}

size_t mpsse_mark(uint8_t *out)
{
	return COPY(out, MPSSE_BAD, MPSSE_SEND_NOW);
}

size_t mpsse_catch(uint8_t *out)
{
	size_t size = COPY(out, MPSSE_WAIT_HIGH, MPSSE_GET_HIGH, MPSSE_SEND_NOW);

	return size + mpsse_serve(out + size);
}

size_t mpsse_poll(uint8_t *out)
{
	return COPY(out, MPSSE_GET_LOW, MPSSE_GET_HIGH, MPSSE_SEND_NOW);
}

size_t mpsse_serve(uint8_t *out)
{
	return COPY(out, MPSSE_SET_LOW, MPSSE_B_ACK, MPSSE_B_OUTPUTS, MPSSE_WAIT_LOW, MPSSE_SET_LOW, 0,
		MPSSE_B_OUTPUTS);
}
