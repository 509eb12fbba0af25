/* SPDX-License-Identifier: MIT */
/* An emulated board (sim/board.h) at the end of a serial line or FIFO: bytes both ways, frames in COBS. */
#ifndef SERIAL_BOARD_H
#define SERIAL_BOARD_H

#include <stddef.h>
#include <stdint.h>

struct serial_board;
struct sim_board;

/* Owns the board, also when it fails: NULL. A board that is NULL: NULL. */
struct serial_board *serial_board_new(struct sim_board *board);
void serial_board_free(struct serial_board *serial);
/* Bytes that the board took, and gave; `user` is the struct serial_board (struct vftdi_far). */
size_t serial_board_put(void *user, const uint8_t *bytes, size_t size);
size_t serial_board_get(void *user, uint8_t *bytes, size_t size);
/* The line was cut: what was on it is lost. */
void serial_board_cut(struct serial_board *serial);
/* Time passes. */
void serial_board_tick(struct serial_board *serial);

#endif
