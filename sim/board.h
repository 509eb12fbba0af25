/* SPDX-License-Identifier: MIT */
/*
 * A whole emulated board: the board-side core of nmlink (nmlink/core.h) with the model of a crossbar (sim/xbar.h) or of
 * a spiking core (sim/tinyodin.h) as its hardware. Frames go in, frames come out; no I/O and no threads of its own (but
 * those of xbar, with threads=). One board is used by one thread at a time; boards share nothing.
 *
 * docs/vboard.md says what the boards are.
 */
#ifndef SIM_BOARD_H
#define SIM_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_board;
struct sim_board_config;
struct tinyodin;
struct xbar;

/* ---- what a board is made of ------------------------------------------------------------------------------------- */

/* Options of the crossbar boards and of spike256, once: KEY(name, text), used by sim: URIs and by nmhal-vboard. */
#define SIM_BOARD_KEYS(KEY)                                                                                            \
	KEY(simd, "auto (default), off or avx2: how the model computes; the results are the same")                     \
	KEY(window, "unanswered requests the board takes: 1, 2, 4, ... 64 (default 8)")                                \
	KEY(max_frame, "largest frame in bytes, 128 to 1048576 (default 65556: 64 KiB of payload)")
#define SIM_XBAR_KEYS(KEY)                                                                                             \
	KEY(seed, "of all that is random, 0 to 2^64 - 1 (default 0)")                                                  \
	KEY(noise, "off (default), pcm, wan2022, or effects joined by + (docs/emulator.md)")                           \
	KEY(inputs, "half (default): input codes -63..63; full: -127..127")                                            \
	KEY(threads, "threads that compute, 1 to 64 (default 1); the results are the same")                            \
	SIM_BOARD_KEYS(KEY)
#define SIM_SPIKE_KEYS(KEY)                                                                                            \
	KEY(clk_hz, "clock that turns cycles into time, 1 to 1000000000 (default 50000000)")                           \
	SIM_BOARD_KEYS(KEY)

enum sim_board_kind { SIM_BOARD_XBAR, SIM_BOARD_SPIKE };

/* Name of emulated board `index`: "xbar8", ...; NULL past the end. */
const char *sim_board_name(unsigned index);
/* "xbar64" -> its kind; false when there is no such board. */
bool sim_board_find(const char *name, enum sim_board_kind *kind);

#define SIM_BOARD_ERROR 200u /* bytes of a sentence */

/* The defaults of a board; NULL: no board of that name, or no memory. */
struct sim_board_config *sim_board_config_new(const char *name);
void sim_board_config_free(struct sim_board_config *config);
/* key=value; false for an unknown key or value: `error` says what is known. */
bool sim_board_config_set(struct sim_board_config *config, const char *key, const char *value, char error[SIM_BOARD_ERROR]);
/* A board after power-up: weights zero, safe. NULL: `error` says why. */
struct sim_board *sim_board_new(const struct sim_board_config *config, char error[SIM_BOARD_ERROR]);
void sim_board_free(struct sim_board *board);

/* Name of the board, as in the MODEL record: "xbar64". */
const char *sim_board_model(const struct sim_board *board);
/* Its serial number, as in the SERIAL record and in USB descriptors. */
const char *sim_board_serial(const struct sim_board *board);
/* Largest frame either way. */
size_t sim_board_max_frame(const struct sim_board *board);
/* Requests that a host may have unanswered. */
unsigned sim_board_window(const struct sim_board *board);

/* ---- frames ------------------------------------------------------------------------------------------------------ */

/*
 * Gives the board a frame as a packet carrier delivers it: whole, without COBS. The board works inside the call. False:
 * there is no room for its reply; the frame was not looked at, give it again when the host has taken some.
 */
bool sim_board_input(struct sim_board *board, const uint8_t *frame, size_t size);

/* Frames wait in two queues of bounded size, for carriers that have two pipes. */
enum sim_board_pipe { SIM_BOARD_REPLIES, SIM_BOARD_EVENTS, SIM_BOARD_PIPES };
/*
 * The oldest frame that waits, borrowed until the next call with this board; its size, 0: none. A carrier with one pipe
 * asks for replies first.
 */
size_t sim_board_output(struct sim_board *board, enum sim_board_pipe pipe, const uint8_t **frame);
/* Forgets it. */
void sim_board_taken(struct sim_board *board, enum sim_board_pipe pipe);
/* Forgets all frames that wait: what a carrier does when its host goes away. */
void sim_board_flush(struct sim_board *board);

/*
 * A board at long work looks up every few milliseconds: then `poll` may give it an URGENT frame that came meanwhile, or
 * end the running request; nothing else of the board may be called from there.
 */
typedef void (*sim_board_poll_fn)(void *user);
void sim_board_set_poll(struct sim_board *board, sim_board_poll_fn poll, void *user);
/* Bytes of the longest reply to an URGENT frame. */
#define SIM_BOARD_URGENT 128u
/* The size of the reply to an URGENT frame in out[SIM_BOARD_URGENT]; 0: it is none, keep it for sim_board_input(). */
size_t sim_board_urgent(struct sim_board *board, const uint8_t *frame, size_t size, uint8_t *out);
/* Ends the running request like an ABORT of its host, which cannot send one or is gone. */
void sim_board_abort(struct sim_board *board);

/* ---- what happens to a board ------------------------------------------------------------------------------------- */

/* Milliseconds that only grow. Default: CLOCK_MONOTONIC. */
typedef uint64_t (*sim_board_clock_fn)(void *user);
void sim_board_set_clock(struct sim_board *board, sim_board_clock_fn clock, void *user);
/* To be called now and then (10 ms) while nothing comes in: the watchdog. */
void sim_board_tick(struct sim_board *board);
/* The carrier's host is gone or starts anew (USB reset or suspend, a closed socket): session over, lines at 0 V. */
void sim_board_link_reset(struct sim_board *board);
/* Power off and on: session, arming, limits set, runs, potentials and frames are lost; conductances stay. */
void sim_board_power_cut(struct sim_board *board);
/*
 * The power goes off by itself before the `actions`-th action of the hardware from now (0: the next), and on again
 * when the running request is over, which is not answered. An action: a pulse, a row written, an event, a vector.
 */
void sim_board_power_cut_after(struct sim_board *board, uint64_t actions);
/* True when that has happened. */
bool sim_board_was_cut(const struct sim_board *board);

/* ---- for tests: what the hardware saw ---------------------------------------------------------------------------- */

/* The model behind a crossbar board, with its voltage trace (xbar_voltage_trace()); NULL for spike256. Borrowed. */
struct xbar *sim_board_xbar(struct sim_board *board);
/* The core of spike256; NULL for the others. Borrowed until a power cut. */
struct tinyodin *sim_board_chip(struct sim_board *board);
bool sim_board_armed(const struct sim_board *board);
/* Pulses above read level while the board was not armed; anything but 0 is a fault. */
uint64_t sim_board_stray_pulses(const struct sim_board *board);

#endif
