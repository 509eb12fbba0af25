/* SPDX-License-Identifier: MIT */
#ifndef FIRMWARE_BOARD_H
#define FIRMWARE_BOARD_H

#include "nmlink/core.h"

/* Frames: one tile with 4 header fields fits, and so do 7 vectors; the window is what uart.c can hold meanwhile. */
#define MAX_FRAME  1056u
#define WINDOW     4u
#define EVENTS     64u
#define POINTS     64u
#define STREAM_MAX NMLINK_COBS_SIZE(MAX_FRAME)

/* board.c: what the board is and does. */
extern const struct nmlink_board board;

/* main.c: looks at the interlock and for URGENT frames while board.c works. */
void firmware_poll(struct nmlink_core *core);
/* One turn of the main loop. False when the description has a fault. */
bool firmware_start(void);
void firmware_turn(void);

/* uart.c: bytes that came in (at most `room`), the at-th byte that waits (NULL: not come yet), and bytes to send. */
uint32_t uart_receive(uint8_t *bytes, uint32_t room);
uint8_t *uart_peek(uint32_t at);
void uart_send(const uint8_t *bytes, uint32_t size);

#endif
