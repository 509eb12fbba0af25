/* SPDX-License-Identifier: MIT */
/* Frames over a stream: one a packet, or COBS between zero bytes where the stream knows no packets. */
#ifndef LINK_PIPE_H
#define LINK_PIPE_H

#include <nmhal/driver.h>

#include "nmlink/frame.h"

#define LINK_MAX_FRAME (1u << 20) /* largest frame that is taken from a board or sent to one, with header and CRC */

struct link_pipe {
	struct nmhal_host *host;
	struct nmhal_stream stream;
	struct nmhal_stream_info info;
	nmlink_crc_fn crc;
	bool torn;             /* a frame was sent in part: the next one begins with a zero byte */
	uint8_t *in;           /* [in_capacity]: what one recv gave */
	size_t in_capacity, in_size, in_taken;
	uint8_t *coded;        /* byte streams: a zero byte and a frame in COBS */
	struct nmlink_cobs cobs;
	uint64_t frames_sent, frames_received, bad_frames;
};

/* A frame that came, whole. Valid until the next call. */
struct link_frame {
	struct nmlink_header header;
	const uint8_t *payload; /* [header.size] */
};

/* Makes buffers for frames of NMLINK_MIN_FRAME; ends with link_pipe_free(), which leaves the stream open. */
int link_pipe_init(struct link_pipe *pipe, struct nmhal_host *host, const struct nmhal_stream *stream);
void link_pipe_free(struct link_pipe *pipe);
/* Room for frames of max_frame bytes. What was received and not taken yet is lost. */
int link_pipe_resize(struct link_pipe *pipe, uint32_t max_frame);
/* True when the stream keeps the boundaries of packets. */
bool link_pipe_packets(const struct link_pipe *pipe);
/* Sends a sealed frame. */
int link_pipe_send(struct link_pipe *pipe, const uint8_t *frame, uint32_t size, int64_t deadline_ns);
/* Waits for a frame. AGAIN: a bad one came. VERSION: it has another major version. AGAIN and VERSION have no sentence. */
int link_pipe_receive(struct link_pipe *pipe, struct link_frame *frame, int64_t deadline_ns);
/* Drops what waits in the stream and here. */
int link_pipe_flush(struct link_pipe *pipe, int64_t deadline_ns);

#endif
