/* SPDX-License-Identifier: MIT */
/*
 * Structs and codecs of the messages, made from messages.h. For a message `write`:
 *
 *   struct nmlink_write_request      its fields, then `tail` and `tail_size`
 *   NMLINK_SIZE_write_request        bytes of the fixed fields
 *   nmlink_get_write_request()       payload -> struct; false when the payload is shorter than the fixed fields;
 *                                    tail points into the payload
 *   nmlink_take_write_request()      the same, when it is known that the fields are there
 *   nmlink_put_write_request()       fixed fields -> payload; returns where the tail goes (tail and tail_size of the
 *                                    struct are not looked at)
 *
 * likewise ..._reply, and ..._cap for the value of a capability record. Records of tails (struct nmlink_cell_record)
 * and groups of fields (struct nmlink_limits) have a fixed size: no tail, nothing to fail. Freestanding C99.
 */
#ifndef NMLINK_CODEC_H
#define NMLINK_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "messages.h"

/* ---- little-endian numbers --------------------------------------------------------------------------------------- */

static inline uint8_t nmlink_load_u8(const uint8_t *p)
{
	return p[0];
}
static inline uint16_t nmlink_load_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}
static inline uint32_t nmlink_load_u32(const uint8_t *p)
{
	return (uint32_t)nmlink_load_u16(p) | (uint32_t)nmlink_load_u16(p + 2) << 16;
}
static inline uint64_t nmlink_load_u64(const uint8_t *p)
{
	return (uint64_t)nmlink_load_u32(p) | (uint64_t)nmlink_load_u32(p + 4) << 32;
}
static inline int8_t nmlink_load_s8(const uint8_t *p)
{
	return (int8_t)p[0];
}
static inline int16_t nmlink_load_s16(const uint8_t *p)
{
	return (int16_t)nmlink_load_u16(p);
}
static inline int32_t nmlink_load_s32(const uint8_t *p)
{
	return (int32_t)nmlink_load_u32(p);
}
static inline int64_t nmlink_load_s64(const uint8_t *p)
{
	return (int64_t)nmlink_load_u64(p);
}
static inline uint8_t *nmlink_store_u8(uint8_t *p, uint8_t value)
{
	p[0] = value;
	return p + 1;
}
static inline uint8_t *nmlink_store_u16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
	return p + 2;
}
static inline uint8_t *nmlink_store_u32(uint8_t *p, uint32_t value)
{
	return nmlink_store_u16(nmlink_store_u16(p, (uint16_t)value), (uint16_t)(value >> 16));
}
static inline uint8_t *nmlink_store_u64(uint8_t *p, uint64_t value)
{
	return nmlink_store_u32(nmlink_store_u32(p, (uint32_t)value), (uint32_t)(value >> 32));
}
static inline uint8_t *nmlink_store_s8(uint8_t *p, int8_t value)
{
	return nmlink_store_u8(p, (uint8_t)value);
}
static inline uint8_t *nmlink_store_s16(uint8_t *p, int16_t value)
{
	return nmlink_store_u16(p, (uint16_t)value);
}
static inline uint8_t *nmlink_store_s32(uint8_t *p, int32_t value)
{
	return nmlink_store_u32(p, (uint32_t)value);
}
static inline uint8_t *nmlink_store_s64(uint8_t *p, int64_t value)
{
	return nmlink_store_u64(p, (uint64_t)value);
}

/* ---- what the lists of messages.h become ------------------------------------------------------------------------- */

#define NMLINK_TYPE_u8  uint8_t
#define NMLINK_TYPE_u16 uint16_t
#define NMLINK_TYPE_u32 uint32_t
#define NMLINK_TYPE_u64 uint64_t
#define NMLINK_TYPE_s8  int8_t
#define NMLINK_TYPE_s16 int16_t
#define NMLINK_TYPE_s32 int32_t
#define NMLINK_TYPE_s64 int64_t

#define NMLINK_FIELD_MEMBER(type, name, text) NMLINK_TYPE_##type name;
#define NMLINK_FIELD_BYTES(type, name, text)  uint8_t name[sizeof(NMLINK_TYPE_##type)];
#define NMLINK_FIELD_GET(type, name, text)                                                                             \
	m->name = nmlink_load_##type(p);                                                                               \
	p += sizeof(NMLINK_TYPE_##type);
#define NMLINK_FIELD_PUT(type, name, text) p = nmlink_store_##type(p, m->name);
#define NMLINK_NO_TAIL(text)

/* The bytes of LIST, a list of FIELDs with or without a TAIL (the variable arguments take care of the latter). */
#define NMLINK_LAYOUT(record, ...)                                                                                     \
	struct nmlink_##record##_bytes {                                                                               \
		__VA_ARGS__                                                                                            \
		uint8_t tail[1];                                                                                       \
	};                                                                                                             \
	enum { NMLINK_SIZE_##record = offsetof(struct nmlink_##record##_bytes, tail) };

/* A payload or the value of a capability: LIST is a field list of messages.h, `record` the name in structs. */
#define NMLINK_PAYLOAD(record, LIST)                                                                                   \
	NMLINK_LAYOUT(record, LIST(NMLINK_FIELD_BYTES, NMLINK_NO_TAIL))                                                \
	struct nmlink_##record {                                                                                       \
		LIST(NMLINK_FIELD_MEMBER, NMLINK_NO_TAIL)                                                              \
		const uint8_t *tail;                                                                                   \
		uint32_t tail_size;                                                                                    \
	};                                                                                                             \
	static inline void nmlink_take_##record(struct nmlink_##record *m, const uint8_t *p, uint32_t size)            \
	{                                                                                                              \
		LIST(NMLINK_FIELD_GET, NMLINK_NO_TAIL)                                                                 \
		m->tail = p;                                                                                           \
		m->tail_size = size - NMLINK_SIZE_##record;                                                            \
	}                                                                                                              \
	static inline bool nmlink_get_##record(struct nmlink_##record *m, const uint8_t *p, uint32_t size)             \
	{                                                                                                              \
		const uint32_t fixed = NMLINK_SIZE_##record;                                                           \
\
		if (size < fixed)                                                                                      \
			return false;                                                                                  \
		nmlink_take_##record(m, p, size);                                                                      \
		return true;                                                                                           \
	}                                                                                                              \
	static inline uint8_t *nmlink_put_##record(uint8_t *p, const struct nmlink_##record *m)                        \
	{                                                                                                              \
		LIST(NMLINK_FIELD_PUT, NMLINK_NO_TAIL)                                                                 \
		(void)m;                                                                                               \
		return p;                                                                                              \
	}

/* Fields alone, of fixed size: both ways return where they ended. */
#define NMLINK_PLAIN(record, LIST)                                                                                     \
	NMLINK_LAYOUT(record, LIST(NMLINK_FIELD_BYTES))                                                                \
	struct nmlink_##record {                                                                                       \
		LIST(NMLINK_FIELD_MEMBER)                                                                              \
	};                                                                                                             \
	static inline const uint8_t *nmlink_get_##record(struct nmlink_##record *m, const uint8_t *p)                  \
	{                                                                                                              \
		LIST(NMLINK_FIELD_GET)                                                                                 \
		return p;                                                                                              \
	}                                                                                                              \
	static inline uint8_t *nmlink_put_##record(uint8_t *p, const struct nmlink_##record *m)                        \
	{                                                                                                              \
		LIST(NMLINK_FIELD_PUT)                                                                                 \
		return p;                                                                                              \
	}

#define NMLINK_MESSAGE_CODECS(name, NAME, code, class, text)                                                           \
	NMLINK_PAYLOAD(name##_request, NMLINK_##name##_REQUEST)                                                        \
	NMLINK_PAYLOAD(name##_reply, NMLINK_##name##_REPLY)
#define NMLINK_CAP_CODECS(name, NAME, tag, text)    NMLINK_PAYLOAD(name##_cap, NMLINK_##name##_CAP)
#define NMLINK_RECORD_CODECS(name, NAME, text)      NMLINK_PLAIN(name##_record, NMLINK_##name##_RECORD)
#define NMLINK_HEADER_LIST(FIELD, TAIL)             NMLINK_HEADER(FIELD)

NMLINK_PAYLOAD(header, NMLINK_HEADER_LIST)
NMLINK_PAYLOAD(error, NMLINK_ERROR)
NMLINK_MESSAGES(NMLINK_MESSAGE_CODECS)
NMLINK_CAPS(NMLINK_CAP_CODECS)
NMLINK_RECORDS(NMLINK_RECORD_CODECS)
/* Groups of fields that several messages have. */
NMLINK_PLAIN(rectangle, NMLINK_RECTANGLE)
NMLINK_PLAIN(limits, NMLINK_LIMITS)
NMLINK_PLAIN(cell, NMLINK_CELL)
NMLINK_PLAIN(ramp, NMLINK_RAMP)
NMLINK_PLAIN(ramped, NMLINK_RAMPED)

/* A board of version 1.0 ends its WEIGHT record before the tolerance, which then is 0. */
static inline bool nmlink_get_weight(struct nmlink_weight_cap *m, const uint8_t *p, uint32_t size)
{
	uint8_t grown[NMLINK_SIZE_weight_cap] = { 0 };
	const uint32_t whole = sizeof(grown), least = (uint32_t)offsetof(struct nmlink_weight_cap_bytes, tolerance);

	if (size < least)
		return false;
	for (uint32_t i = 0; i < size && i < whole; i++)
		grown[i] = p[i];
	nmlink_take_weight_cap(m, grown, whole);
	m->tail = NULL;
	return true;
}

/* Where a field stands in its payload: the detail of EARG and ERANGE. */
#define NMLINK_OFFSET(record, field) ((uint32_t)offsetof(struct nmlink_##record##_bytes, field))

#define NMLINK_STATUS_ENUM(name, number, text)        NMLINK_##name = (number),
#define NMLINK_OP_ENUM(name, NAME, code, class, text) NMLINK_OP_##NAME = (code),
#define NMLINK_CAP_ENUM(name, NAME, tag, text)        NMLINK_TAG_##NAME = (tag),
enum nmlink_status { NMLINK_STATUSES(NMLINK_STATUS_ENUM) };
enum nmlink_op { NMLINK_MESSAGES(NMLINK_OP_ENUM) };
enum nmlink_tag { NMLINK_CAPS(NMLINK_CAP_ENUM) };

/* ---- numbers of fields ------------------------------------------------------------------------------------------- */

#define NMLINK_CAP_HEAD_SIZE 4u /* tag and size of a capability record */
#define NMLINK_ERROR_TEXT    64u
#define NMLINK_IDENTITY_TEXT 31u

#define NMLINK_INFER_TRANSPOSED    1u
#define NMLINK_INFER_BIT_SERIAL    2u
#define NMLINK_RUN_BACK_TO_BACK    1u
#define NMLINK_RUN_STREAM          2u
#define NMLINK_SPIKES_LEAK         1u
#define NMLINK_SPIKES_VIRTUAL      2u
#define NMLINK_SPIKES_BACK_TO_BACK 4u
#define NMLINK_SPIKES_STREAM       8u
#define NMLINK_INPUT_SPIKE         0u
#define NMLINK_INPUT_VIRTUAL       1u
#define NMLINK_INPUT_LEAK_ALL      2u
#define NMLINK_INPUT_LEAK_ONE      3u
#define NMLINK_ADDRESS_PROCESSED   0x8000u
#define NMLINK_NO_INPUT            0xFFFFFFFFu
#define NMLINK_NOT_COUNTED         UINT64_MAX
#define NMLINK_ATTR_BOOL           1u
#define NMLINK_ATTR_INTEGER        2u
#define NMLINK_ATTR_WRITABLE       1u
#define NMLINK_ATTR_SAVED          2u
#define NMLINK_ATTR_GROWS          4u
#define NMLINK_SAFETY_INTERLOCK    1u

#endif
