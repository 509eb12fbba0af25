/* SPDX-License-Identifier: MIT */
/*
 * What the two MPSSE engines of an FT2232H are told, as bytes; no I/O. The only place that knows which pin of the
 * FT2232H goes to which pin of the chip (docs/ftdi.md). Each function writes at most its MPSSE_..._SIZE bytes to `out`
 * and returns how many.
 */
#ifndef FTDI_MPSSE_H
#define FTDI_MPSSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Channel A, low byte. The high byte is AERIN_ADDR[7:0]. */
#define MPSSE_A_SCK       0x01u
#define MPSSE_A_MOSI      0x02u
#define MPSSE_A_MISO      0x04u
#define MPSSE_A_RST       0x08u
#define MPSSE_A_REQ       0x10u /* AERIN_REQ */
#define MPSSE_A_ACK       0x20u /* AERIN_ACK, on GPIOL1: the pin an engine can wait for */
#define MPSSE_A_ADDR8     6u    /* AERIN_ADDR[9:8] are bits 7 and 6 */
#define MPSSE_A_OUTPUTS   0xDBu
#define MPSSE_A_OUTPUTS_H 0xFFu
/* Channel B, low byte. The high byte is AEROUT_ADDR. */
#define MPSSE_B_FULL      0x08u /* SCHED_FULL */
#define MPSSE_B_ACK       0x10u /* AEROUT_ACK */
#define MPSSE_B_REQ       0x20u /* AEROUT_REQ, on GPIOL1 */
#define MPSSE_B_OUTPUTS   0x10u
#define MPSSE_B_OUTPUTS_H 0x00u

#define MPSSE_BASE_HZ     30000000u /* SCK = base / (1 + divisor) */
#define MPSSE_FRAME       5u        /* bytes of an SPI frame */
#define MPSSE_MAX_FRAMES  13107u    /* in one shift command: 65,535 bytes */

enum mpsse_opcode {
	MPSSE_WRITE = 0x11, /* shift out, MOSI changes on falling SCK */
	MPSSE_READ = 0x31,  /* the same, and MISO is sampled on rising SCK */
	MPSSE_SET_LOW = 0x80,
	MPSSE_GET_LOW = 0x81,
	MPSSE_SET_HIGH = 0x82,
	MPSSE_GET_HIGH = 0x83,
	MPSSE_LOOPBACK = 0x84,
	MPSSE_NO_LOOPBACK = 0x85,
	MPSSE_DIVISOR = 0x86,
	MPSSE_SEND_NOW = 0x87,
	MPSSE_WAIT_HIGH = 0x88, /* for GPIOL1; without time-out */
	MPSSE_WAIT_LOW = 0x89,
	MPSSE_BASE_60 = 0x8A,
	MPSSE_TWO_PHASE = 0x8D,
	MPSSE_NOT_ADAPTIVE = 0x97,
	MPSSE_BAD = 0xAA,   /* no command: answered by MPSSE_BAD_REPLY and itself */
	MPSSE_BAD_REPLY = 0xFA
};

#define MPSSE_INIT_SIZE    13u
#define MPSSE_RST_SIZE     3u
#define MPSSE_SHIFT_SIZE   3u
#define MPSSE_EVENT_SIZE   14u
#define MPSSE_CATCH_SIZE   10u
#define MPSSE_SERVE_SIZE   7u
#define MPSSE_POLL_SIZE    3u
#define MPSSE_POLL_REPLY   2u
#define MPSSE_CONFIRM_SIZE 2u
#define MPSSE_MARK_SIZE    2u

/* Divisor with SCK <= clk_hz / 4 and <= spi_hz (0: no such wish). */
uint16_t mpsse_divisor(uint64_t clk_hz, uint32_t spi_hz);
uint32_t mpsse_spi_hz(uint16_t divisor);

/* Clock and pins of channel A, with RST high; of channel B, with ACK low. */
size_t mpsse_init_a(uint8_t *out, uint16_t divisor);
size_t mpsse_init_b(uint8_t *out);
/* RST of the chip; all other lines of the low byte low. */
size_t mpsse_rst(uint8_t *out, bool high);
/* Head of a shift command; the bytes follow. frames: 1..MPSSE_MAX_FRAMES. */
size_t mpsse_shift(uint8_t *out, enum mpsse_opcode opcode, size_t frames);
/* Frames as they follow, MSB first: MPSSE_FRAME bytes each. */
void mpsse_frames(uint8_t *out, const uint64_t *frames, size_t count);
/* One address event with both waits of the handshake; strict: ADDR[9:8] are set up before REQ. */
size_t mpsse_event(uint8_t *out, unsigned address, bool strict);
/* Answers one byte as soon as everything before it was executed: the low byte of the pins. */
size_t mpsse_confirm(uint8_t *out);
/* Answers MPSSE_BAD_REPLY, MPSSE_BAD: shows where in the stream of answers we are. */
size_t mpsse_mark(uint8_t *out);
/* Waits for an output event, answers its address, completes its handshake. */
size_t mpsse_catch(uint8_t *out);
/* Answers low and high byte of the pins. */
size_t mpsse_poll(uint8_t *out);
/* Completes the handshake of an output event that a poll showed. */
size_t mpsse_serve(uint8_t *out);

#endif
