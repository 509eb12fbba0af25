/* SPDX-License-Identifier: MIT */
/*
 * A port that follows a script: it records what goes out, and each posted IN transfer completes with the next piece the
 * test has fed. Transfers complete in wait(), in order; any of them can be made to fail.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "drivers/ftdi/port.h"
#include "hal/hal.h"

#define SCRIPT_TRANSFERS 64u
#define SCRIPT_PIECES    64u
#define SCRIPT_OUT       400000u

struct script_piece {
	size_t size;
	size_t after;       /* comes when so many bytes went out on its channel since script_new() */
	uint8_t data[2048]; /* raw, with status bytes */
};

struct script {
	/* Set by a test. */
	size_t fail_at;   /* the completion (from 0, both directions and channels) that fails; SIZE_MAX: none */
	int fail_status;  /* ... with this */
	size_t fail_done; /* ... and this many bytes of the piece, or of what went out */
	size_t refuse_at; /* the submit that returns refuse_status; SIZE_MAX: none */
	int refuse_status;
	bool hold_out;    /* OUT transfers do not complete */
	int control_status; /* of every control request */

	/* What happened. */
	size_t submits, completions, cancels, busy;
	size_t out_sizes[FTDI_CHANNELS][SCRIPT_TRANSFERS], out_transfers[FTDI_CHANNELS];
	size_t out_size[FTDI_CHANNELS], sent[FTDI_CHANNELS]; /* sent: since script_new() */
	uint8_t out[FTDI_CHANNELS][SCRIPT_OUT];
	char logged[512];    /* the last warning */
	char controls[1024]; /* "A11=0200 ": channel, request, value */

	struct nmhal_device device;
	struct nmhal_host *host;
	struct ftdi_port port;
	struct ftdi_transfer *queue[SCRIPT_TRANSFERS];
	size_t queued;
	size_t after[FTDI_CHANNELS]; /* of the pieces fed next */
	size_t fed[FTDI_CHANNELS], eaten[FTDI_CHANNELS];
	struct script_piece pieces[FTDI_CHANNELS][SCRIPT_PIECES];
};

struct script *script_new(void);
/* Fails the test if a transfer is busy still. */
void script_free(struct script *script);
/* The next IN transfer of the channel completes with these raw bytes. */
void script_feed_raw(struct script *script, enum ftdi_channel channel, const uint8_t *bytes, size_t size);
/* The same with the status bytes of one packet put before; size up to 510. */
void script_feed(struct script *script, enum ftdi_channel channel, const uint8_t *bytes, size_t size);
#define SCRIPT_FEED(script, channel, ...) \
	script_feed(script, channel, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
/* What is fed from now on comes only when `bytes` more went out on the channel than up to now. */
void script_after(struct script *script, enum ftdi_channel channel, size_t bytes);
/* Lets wait() run once, without waiting. */
void script_wait(struct script *script);

#endif
