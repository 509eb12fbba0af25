/* SPDX-License-Identifier: MIT */
/* Every message, capability and record: bytes become a struct become the same bytes; any frame can be printed. */
#include <string.h>

#include "fuzz.h"
#include "nmlink/print.h"

#define MOST 512u

unsigned fuzz_taken;

#define TRIP(record)                                                                                                   \
	static void trip_##record(const uint8_t *p, uint32_t size)                                                     \
	{                                                                                                              \
		uint8_t back[NMLINK_SIZE_##record + 1u];                                                               \
		const uint32_t fixed = NMLINK_SIZE_##record;                                                           \
		struct nmlink_##record m;                                                                              \
\
		if (!nmlink_get_##record(&m, p, size)) {                                                               \
			MUST(size < fixed);                                                                            \
			return;                                                                                        \
		}                                                                                                      \
		MUST(m.tail == p + fixed && m.tail_size == size - fixed);                                              \
		MUST(nmlink_put_##record(back, &m) == back + NMLINK_SIZE_##record);                                    \
		MUST(!memcmp(back, p, NMLINK_SIZE_##record));                                                          \
	}
#define RECORD_TRIP(name, NAME, text)                                                                                  \
	static void trip_##name##_record(const uint8_t *p, uint32_t size)                                              \
	{                                                                                                              \
		uint8_t back[NMLINK_SIZE_##name##_record];                                                             \
		struct nmlink_##name##_record m;                                                                       \
\
		if (size < NMLINK_SIZE_##name##_record)                                                                \
			return;                                                                                        \
		MUST(nmlink_get_##name##_record(&m, p) == p + sizeof(back));                                           \
		MUST(nmlink_put_##name##_record(back, &m) == back + sizeof(back));                                     \
		MUST(!memcmp(back, p, sizeof(back)));                                                                  \
	}
#define MESSAGE_TRIPS(name, NAME, code, class, text) TRIP(name##_request) TRIP(name##_reply)
#define CAP_TRIP(name, NAME, tag, text)              TRIP(name##_cap)
#define TWO_OF(name, NAME, code, class, text)        trip_##name##_request, trip_##name##_reply,
#define CAP_OF(name, NAME, tag, text)                trip_##name##_cap,
#define RECORD_OF(name, NAME, text)                  trip_##name##_record,

NMLINK_MESSAGES(MESSAGE_TRIPS)
NMLINK_CAPS(CAP_TRIP)
NMLINK_RECORDS(RECORD_TRIP)
TRIP(header)
TRIP(error)

static void (*const trips[])(const uint8_t *p, uint32_t size) = { NMLINK_MESSAGES(TWO_OF) NMLINK_CAPS(CAP_OF)
	NMLINK_RECORDS(RECORD_OF) trip_header, trip_error };

/* The rest as a frame as it is, and as one whose size and CRC are right. */
static void print(const uint8_t *data, size_t size)
{
	char text[1024];
	uint8_t frame[MOST + NMLINK_OVERHEAD];
	struct nmlink_header header;
	size_t length = nmlink_print_frame(text, sizeof(text), data, size);

	MUST(length < sizeof(text) && strlen(text) == length);
	fuzz_taken += nmlink_frame_open(data, size, &header, nmlink_crc32c) == NMLINK_OK;
	if (size < NMLINK_HEADER_SIZE)
		return;
	memcpy(frame, data, size);
	nmlink_take_header(&header, frame, NMLINK_HEADER_SIZE);
	header.size = (uint32_t)size - NMLINK_HEADER_SIZE;
	size = nmlink_frame_seal(frame, &header, nmlink_crc32c);
	length = nmlink_print_frame(text, sizeof(text), frame, size);
	MUST(length < sizeof(text) && strlen(text) == length);
	MUST(nmlink_frame_open(frame, size, &header, nmlink_crc32c) ==
		(frame[0] == NMLINK_VERSION_MAJOR ? NMLINK_OK : NMLINK_EVERSION));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > MOST)
		return 0;
	trips[data[0] % (sizeof(trips) / sizeof(trips[0]))](data + 1, (uint32_t)size - 1);
	print(data + 1, size - 1);
	return 0;
}
