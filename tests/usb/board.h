/* SPDX-License-Identifier: MIT */
/* Boards of a bed (bed.h) opened through the public API, with the real libusb and libftdi1. */
#ifndef BOARD_H
#define BOARD_H

#include <nmhal/nmhal.h>

#include "bed.h"

#define ROWS 256u
#define COLS 256u

/* Checks a status; shows the sentence. */
#define expect(call, wanted)                                                                                           \
	do {                                                                                                           \
		int got_ = (call);                                                                                     \
		ck_assert_msg(got_ == (wanted), "%s: %s, not %s: %s", #call, nmhal_status_name(got_),                  \
			nmhal_status_name(wanted), nmhal_last_error());                                                \
	} while (0)

/* Context that logs nothing. */
nmhal_context *quiet_context(void);
/* Opens ftdi:tinyodin of a board; fails the test if it cannot. */
nmhal_device *open_board(nmhal_context *ctx, unsigned board);
int try_open_board(nmhal_context *ctx, unsigned board, nmhal_device **dev);
/* Random codes -8..7 of rows x COLS. */
void random_codes(unsigned seed, int8_t *codes, size_t count);
int program_rows(nmhal_device *dev, const int8_t *codes, uint32_t rows, uint32_t flags, int32_t timeout_ms);
/* Fails the test unless the first rows of the chip's own memory hold these codes. */
void check_chip(struct bed *bed, unsigned board, const int8_t *codes, uint32_t rows);
/* Random neurons, all of them. */
void random_neurons(unsigned seed, struct nmhal_neuron neurons[COLS]);
/* Random events of all kinds, `steps` steps of 0 to 3 events; returns how many (at most 3 * steps). */
size_t random_events(unsigned seed, size_t steps, struct nmhal_event *events);
/* A run into out[capacity]; *count: outputs. */
int run_events(nmhal_device *dev, const struct nmhal_event *in, size_t in_count, struct nmhal_event *out, size_t capacity, size_t *count, int32_t timeout_ms);
/* Open file descriptors of this process. */
size_t open_files(void);

#endif
