/* SPDX-License-Identifier: MIT */
/*
 * The bytes of one channel, both ways, over transfers of a port. OUT: bytes gather in transfers of 16 KiB, several of
 * which are on their way. IN: transfers are always posted; what came stays in them until it is taken, so nothing is
 * lost when the taker is slow, and the status bytes of each packet are checked and left out. Waiting is the caller's.
 */
#ifndef FTDI_PIPE_H
#define FTDI_PIPE_H

#include "port.h"

#define PIPE_OUT_COUNT 4u
#define PIPE_OUT_SIZE  16384u
#define PIPE_IN_COUNT  16u /* at most */

struct ftdi_pipe {
	struct nmhal_host *host;
	struct ftdi_port port;
	enum ftdi_channel channel;
	bool running;
	int status;       /* of the first thing that failed since start */
	unsigned out_oldest, out_busy; /* out_busy transfers from out_oldest on are on their way */
	size_t filled;    /* bytes in the one after them */
	unsigned in_count, in_oldest;
	size_t taken;     /* bytes of in_oldest, status bytes included */
	struct ftdi_transfer out[PIPE_OUT_COUNT], in[PIPE_IN_COUNT];
};

/* Gets memory for in_count IN transfers of in_size bytes. NO_MEMORY. */
int ftdi_pipe_open(struct ftdi_pipe *pipe, struct nmhal_host *host, const struct ftdi_port *port, enum ftdi_channel channel, unsigned in_count, size_t in_size);
/* Frees; no transfer is busy. Also after a failed open. */
void ftdi_pipe_close(struct ftdi_pipe *pipe);

/* Posts the IN transfers, forgets what is left of earlier times; no transfer is busy. ftdi_pipe_check() tells. */
void ftdi_pipe_start(struct ftdi_pipe *pipe);
/* Posts nothing any more, then cancels what is on its way; done when ftdi_pipe_busy() is false. */
void ftdi_pipe_stop(struct ftdi_pipe *pipe);
bool ftdi_pipe_busy(const struct ftdi_pipe *pipe);

/* OK, or with a sentence that begins with `what`: a transfer failed, or the far end overran. */
int ftdi_pipe_check(struct ftdi_pipe *pipe, const char *what);
/* Bytes that ftdi_pipe_put() takes now. */
size_t ftdi_pipe_room(struct ftdi_pipe *pipe);
/* Takes bytes, at most ftdi_pipe_room(); full transfers leave at once. */
void ftdi_pipe_put(struct ftdi_pipe *pipe, const uint8_t *bytes, size_t size);
/* Sends what a transfer that is not full holds. */
void ftdi_pipe_flush(struct ftdi_pipe *pipe);
/* True when all bytes put have left. */
bool ftdi_pipe_sent(struct ftdi_pipe *pipe);
/* Bytes that came, at most `size`; 0: none yet. */
size_t ftdi_pipe_get(struct ftdi_pipe *pipe, uint8_t *bytes, size_t size);

#endif
