/* SPDX-License-Identifier: MIT */
/*
 * A stream of bytes over a file descriptor that does not block: what sockets and terminal devices share. Waiting ends
 * at an absolute deadline, or at once when interrupt() writes to an eventfd, which any thread and any signal handler
 * may do.
 */
#ifndef COMMON_FD_STREAM_H
#define COMMON_FD_STREAM_H

#include <stdbool.h>

#include <nmhal/driver.h>

struct fd_stream {
	struct nmhal_host *host;
	int fd;
	int wake;             /* eventfd */
	const char *lost;     /* what the end of the bytes means, for sentences */
	const char *refused;  /* what it means before the first byte has come, which is BUSY; NULL: the same */
	bool heard;           /* a byte has come */
	int64_t quiet_ns;     /* silence after which flush() believes that nothing more comes */
	/* Before the descriptor is closed; NULL: nothing. May free nothing of ours. */
	void (*release)(struct fd_stream *stream);
};

/* Begins a stream without a descriptor; NO_MEMORY, IO. Ends with fd_stream_close(). */
int fd_stream_init(struct fd_stream *stream, struct nmhal_host *host);
/* Closes descriptors; does not free the struct. */
void fd_stream_close(struct fd_stream *stream);
/* Waits for poll() events of the descriptor. OK also when it has an error, which the next read or write tells. */
int fd_stream_wait(struct fd_stream *stream, short events, int64_t deadline_ns, const char *what);
/* Ops over a struct fd_stream that begins a block of malloc(); close frees it. */
extern const struct nmhal_stream_ops fd_stream_ops;

#endif
