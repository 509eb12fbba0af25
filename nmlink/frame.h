/* SPDX-License-Identifier: MIT */
/*
 * Frames: header, payload, CRC-32C; and how a frame travels on a stream of bytes (COBS). Freestanding C99.
 */
#ifndef NMLINK_FRAME_H
#define NMLINK_FRAME_H

#include <stddef.h>

#include "codec.h"

/* CRC-32C (Castagnoli) of data, going on from crc; 0 begins. Table of 16 entries: small rather than fast. */
uint32_t nmlink_crc32c(uint32_t crc, const void *data, size_t size);
/* Any function with the same results: a board's own hardware, or one chosen at run time by the host. */
typedef uint32_t (*nmlink_crc_fn)(uint32_t crc, const void *data, size_t size);

/*
 * Completes a frame in place: writes header (whose size is the payload's) before the payload that stands at
 * frame + NMLINK_HEADER_SIZE, and the CRC after it. Returns the size of the frame.
 */
uint32_t nmlink_frame_seal(uint8_t *frame, const struct nmlink_header *header, nmlink_crc_fn crc);
/*
 * Takes a frame apart. NMLINK_OK; ELEN: the size is not that of the header, or too small; ECRC; EVERSION (the CRC is
 * right; header is filled in). The payload stands at frame + NMLINK_HEADER_SIZE, header->size bytes.
 */
enum nmlink_status nmlink_frame_open(const uint8_t *frame, size_t size, struct nmlink_header *header, nmlink_crc_fn crc);

/* ---- byte streams: COBS, a frame ends with a zero byte ----------------------------------------------------------- */

/* Bytes that a frame of `size` bytes can become, with the zero byte at its end. */
#define NMLINK_COBS_SIZE(size) ((size) + (size) / 254u + 2u)
/* Encodes size bytes into out[NMLINK_COBS_SIZE(size)], zero byte included; returns how many. No overlap. */
size_t nmlink_cobs_encode(uint8_t *out, const uint8_t *in, size_t size);

/* Takes frames out of a stream of bytes. Zeroed, with buffer and capacity set, to begin. */
struct nmlink_cobs {
	uint8_t *buffer;   /* the frame so far */
	size_t capacity;   /* of buffer: frames that are longer are dropped */
	size_t size;       /* bytes in buffer */
	uint32_t dropped;  /* frames that were too long or not COBS */
	uint8_t left;      /* bytes until the next code byte */
	uint8_t zero;      /* a zero byte is due before the next block */
	uint8_t bad;       /* skip up to the next zero byte */
	uint8_t whole;     /* buffer holds a frame that was handed out */
};
/*
 * Takes bytes up to the end of a frame: *used says how many. True: a frame of cobs->size bytes stands in cobs->buffer
 * until the next call. Empty frames (two zero bytes in a row) are skipped, so that senders may begin with a zero byte.
 */
bool nmlink_cobs_take(struct nmlink_cobs *cobs, const uint8_t *bytes, size_t count, size_t *used);

#endif
