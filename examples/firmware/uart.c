/* SPDX-License-Identifier: MIT */
/*
 * The UART: an interrupt fills a ring while the board works, so that a host may send WINDOW frames ahead. Entry point
 * and main() are here too: the start-up code of your toolchain calls main() after it has set up memory.
 */
#include "board.h"
#include "hardware.h"

int main(void);
void uart_interrupt(void);

#define RING (WINDOW * STREAM_MAX)

static uint8_t ring[RING];
static volatile uint32_t first, count; /* the oldest byte; how many */

/* To be entered in the vector table. */
void uart_interrupt(void)
{
	while (hardware.uart_status & UART_RECEIVED) {
		const uint8_t byte = (uint8_t)hardware.uart_data;

		if (count < RING)
			ring[(first + count++) % RING] = byte;
	}
}

/* Interrupts off around this on real hardware: count is written by both sides. */
static uint8_t take(void)
{
	const uint8_t byte = ring[first];

	first = (first + 1) % RING;
	count--;
	return byte;
}

uint32_t uart_receive(uint8_t *bytes, uint32_t room)
{
	uint32_t taken = 0;

	while (taken < room && count)
		bytes[taken++] = take();
	return taken;
}

uint8_t *uart_peek(uint32_t at)
{
	return at < count ? &ring[(first + at) % RING] : NULL;
}

void uart_send(const uint8_t *bytes, uint32_t size)
{
	while (size--) {
		while (!(hardware.uart_status & UART_CAN_SEND))
			;
		hardware.uart_data = *bytes++;
	}
}

int main(void)
{
	if (!firmware_start())
		return 1;
	for (;;)
		firmware_turn();
}
