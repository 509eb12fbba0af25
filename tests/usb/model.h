/* SPDX-License-Identifier: MIT */
/*
 * A virtual USB device as far.h serves it: a high-speed device without I/O, threads or clocks of its own. One table,
 * whatever is on the far side: an FT2232H (model_ftdi.c), an echo with the descriptors of an nmlink board
 * (model_echo.c), an emulated board (model_board.c).
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_PACKET 512
#define MODEL_STALL  (-1)
#define MODEL_NAK    (-2)

struct model_ops {
	const char *kernel_driver; /* that is bound to its interfaces; NULL: none */
	unsigned interfaces;
	void (*free)(void *self);
	/* Device descriptor and configuration descriptor, one after the other. */
	const uint8_t *(*descriptors)(void *self, size_t *size);
	/* One control transfer: bytes moved, or MODEL_STALL. */
	int (*control)(void *self, const uint8_t setup[8], uint8_t *data, size_t capacity);
	/* One OUT packet, 0 to MODEL_PACKET bytes: MODEL_NAK and MODEL_STALL are negative, all else is success. */
	int (*out)(void *self, unsigned endpoint, const uint8_t *data, size_t size);
	/* One IN packet: bytes, MODEL_NAK (*again_us is then when to ask again at the latest) or MODEL_STALL. */
	int (*in)(void *self, unsigned endpoint, uint8_t packet[MODEL_PACKET], uint64_t now_us, uint64_t *again_us);
	void (*clear_halt)(void *self, unsigned endpoint);
	/* The bus was reset; NULL: none of its business. */
	void (*reset)(void *self);
	/* As after power-up. */
	void (*replug)(void *self);
	/* Time passes, 10 ms at most; NULL: none of its business. */
	void (*tick)(void *self);
	/* A bulk transfer was submitted, and has completed; NULL: nobody counts. */
	void (*submitted)(void *self, unsigned endpoint);
	void (*transferred)(void *self, unsigned endpoint);
	/* Whether this control transfer empties the buffers; NULL: none does. */
	bool (*empties)(const uint8_t setup[8]);
	/* How long what came over the USB has kept the device busy, in time of its own; NULL: it takes none. */
	uint64_t (*spent_us)(void *self);
	/* How much the device has done, in what it counts (model_*.c). */
	uint64_t (*progress)(void *self);
	/* Does what a line of text says; -EINVAL: it means nothing to this device. */
	int (*tell)(void *self, const char *text, char *reply, size_t size);
};

struct model {
	const struct model_ops *ops;
	void *self;
};

/* A board of the test's own, without a clock. Behind "echo" the bytes are frames, one a transfer; else a stream. */
struct model_pipe {
	/* Takes bytes, all of them; gives some, 0: there are none. */
	size_t (*put)(void *user, const uint8_t *bytes, size_t size);
	size_t (*get)(void *user, uint8_t *bytes, size_t capacity);
	/* Unplugged: what was on its way is lost. */
	void (*cut)(void *user);
	void *user;
};

/* Strings NULL: the device's own. */
struct model_params {
	const char *product, *serial;
	uint64_t clk_hz; /* of tinyODIN; 0: 60 MHz */
	const struct model_pipe *pipe; /* in the place of the echo of "echo", "uart" and "fifo"; NULL: the echo */
};
/* A device by its name: "tinyodin", "ft232h", an FT2232H with an echo behind it ("uart", "fifo"), "echo", an
 * emulated board with its keys, "xbar8,seed=7" (sim/board.h), or one behind an FT2232H ("uart+xbar8", "fifo+xbar8").
 * False: no such device, or no memory. */
bool model_new(const char *name, const struct model_params *params, struct model *model);

struct serial_board;
struct sim_board;
struct vftdi;
struct vftdi_params;
/* tell: count, counters, clock on|off, memory FILE (vusbd.h). Progress: address events taken. */
bool model_ftdi_new(const struct vftdi_params *params, struct model *model);
/* The same with a board at 115,200 baud, or on the FIFO, instead of the chip; it owns the board. NULL: the pipe, or an
 * echo, which takes hold on|off and stale SIZE too. */
bool model_serial_new(const struct model_params *params, bool fifo, struct serial_board *board, struct model *model);
/* tell: hold on|off, stale SIZE, event SIZE (vusbd.h). Progress: frames taken. */
bool model_echo_new(const struct model_params *params, struct model *model);
/* tell: armed, frames, suspend (vusbd.h). Progress: frames taken. */
bool model_board_new(const char *name, const struct model_params *params, struct model *model);
/* Such a board alone; NULL: there is none of that name, or no memory. */
struct sim_board *model_sim_board(const char *name);

#endif
