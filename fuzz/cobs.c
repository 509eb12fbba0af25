/* SPDX-License-Identifier: MIT */
/* COBS: any stream of bytes is taken without harm; what was encoded comes back, and a frame after rubbish is found. */
#include <string.h>

#include "fuzz.h"
#include "nmlink/frame.h"

#define MOST 4096u

unsigned fuzz_taken;

/* Frames in a stream that arrives in pieces; the last one. */
static uint32_t take(struct nmlink_cobs *cobs, const uint8_t *bytes, size_t count, size_t piece)
{
	uint32_t frames = 0;

	for (size_t at = 0; at < count;) {
		const size_t part = count - at < piece ? count - at : piece;
		size_t used;

		frames += nmlink_cobs_take(cobs, bytes + at, part, &used);
		MUST(used >= 1 && used <= part && cobs->size <= cobs->capacity);
		at += used;
	}
	return frames;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t encoded[NMLINK_COBS_SIZE(MOST)], buffer[MOST], other[64];
	struct nmlink_cobs cobs = { .buffer = buffer, .capacity = sizeof(buffer) };
	struct nmlink_cobs small = { .buffer = other, .capacity = sizeof(other) };
	size_t count;

	if (size < 2 || size > MOST)
		return 0;
	take(&cobs, data + 1, size - 1, 1u + data[0]);
	take(&small, data + 1, size - 1, size);
	count = nmlink_cobs_encode(encoded, data, size);
	MUST(count <= NMLINK_COBS_SIZE(size) && memchr(encoded, 0, count) == encoded + count - 1);
	/* Whatever was begun ends with a zero byte. */
	take(&cobs, (const uint8_t[]){ 0 }, 1, 1);
	MUST(take(&cobs, encoded, count, 1u + data[0]) == 1);
	MUST(cobs.size == size && !memcmp(buffer, data, size));
	fuzz_taken++;
	return 0;
}
