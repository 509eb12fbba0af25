/* SPDX-License-Identifier: MIT */
/* Frames as text. */
#include "print.h"

/* ---- tables ------------------------------------------------------------------------------------------------------ */

struct field {
	const char *name;
	uint8_t size;
	bool is_signed;
};

struct record {
	const struct field *fields;
	uint32_t count;
	uint32_t size;
};

struct message {
	const char *name;
	uint16_t op;
	struct record request, reply;
};

#define IS_SIGNED(type)              ((NMLINK_TYPE_##type)-1 < (NMLINK_TYPE_##type)1)
#define FIELD_OF(type, name, text)   { #name, sizeof(NMLINK_TYPE_##type), IS_SIGNED(type) },
#define COUNT_OF(type, name, text)   +1u
/* One entry more, for records without fields. */
#define END { "", 0, 0 }
#define FIELDS_OF(name, NAME, code, class, text)                                                                       \
	static const struct field name##_request[] = { NMLINK_##name##_REQUEST(FIELD_OF, NMLINK_NO_TAIL) END };        \
	static const struct field name##_reply[] = { NMLINK_##name##_REPLY(FIELD_OF, NMLINK_NO_TAIL) END };
#define RECORD_OF(name, LIST) { name, 0u LIST(COUNT_OF, NMLINK_NO_TAIL), NMLINK_SIZE_##name }
#define MESSAGE_OF(name, NAME, code, class, text)                                                                      \
	{ #NAME, code, RECORD_OF(name##_request, NMLINK_##name##_REQUEST),                                             \
		RECORD_OF(name##_reply, NMLINK_##name##_REPLY) },

NMLINK_MESSAGES(FIELDS_OF)
static const struct message messages[] = { NMLINK_MESSAGES(MESSAGE_OF) };

static const struct field error_fields[] = { NMLINK_ERROR(FIELD_OF, NMLINK_NO_TAIL) };
static const struct record error_record = { error_fields, 1, NMLINK_SIZE_error };

#define STATUS_OF(name, number, text) { #name, text },
static const struct status {
	const char *name, *text;
} statuses[] = { NMLINK_STATUSES(STATUS_OF) };

static const struct message *message_of(uint16_t op)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].op == op)
			return &messages[i];
	return NULL;
}

const char *nmlink_op_name(uint16_t op)
{
	const struct message *message = message_of(op);

	return message ? message->name : NULL;
}

const char *nmlink_status_name(uint16_t status)
{
	return status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status].name : NULL;
}

const char *nmlink_status_text(uint16_t status)
{
	return status < sizeof(statuses) / sizeof(statuses[0]) ? statuses[status].text : NULL;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

struct text {
	char *at;
	size_t room, size;
};

static void put_char(struct text *text, char c)
{
	if (text->size + 1 < text->room)
		text->at[text->size] = c;
	text->size++;
}

/* NULL is nothing. */
static void put(struct text *text, const char *string)
{
	while (string && *string)
		put_char(text, *string++);
}

static void put_number(struct text *text, uint64_t number, bool negative)
{
	char digits[20];
	size_t count = 0;

	if (negative)
		put_char(text, '-');
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		put_char(text, digits[--count]);
}

static void put_hex(struct text *text, uint32_t number, int digits)
{
	while (digits--)
		put_char(text, "0123456789abcdef"[number >> 4 * digits & 15u]);
}

static void put_named(struct text *text, const char *name, uint64_t number)
{
	put_char(text, ' ');
	put(text, name);
	put_char(text, ' ');
	put_number(text, number, false);
}

static void put_field(struct text *text, const struct field *field, const uint8_t *p)
{
	const uint32_t bits = 8u * field->size;
	uint64_t number = 0;
	bool negative;

	for (uint32_t i = 0; i < field->size; i++)
		number |= (uint64_t)p[i] << 8 * i;
	negative = field->is_signed && number >> (bits - 1);
	if (negative)
		number = (~number + 1) & (UINT64_MAX >> (64 - bits));
	put_char(text, ' ');
	put(text, field->name);
	put_char(text, ' ');
	put_number(text, number, negative);
}

static void put_bytes(struct text *text, const uint8_t *p, size_t size)
{
	enum { MOST = 16 };

	put_char(text, ' ');
	put_number(text, size, false);
	put(text, " bytes:");
	for (size_t i = 0; i < size && i < MOST; i++) {
		put_char(text, ' ');
		put_hex(text, p[i], 2);
	}
	if (size > MOST)
		put(text, " ...");
}

static void put_quoted(struct text *text, const uint8_t *p, size_t size)
{
	put(text, " \"");
	for (size_t i = 0; i < size; i++)
		put_char(text, p[i] < ' ' || p[i] == '"' || p[i] == 0x7F ? '?' : (char)p[i]);
	put_char(text, '"');
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static void put_head(struct text *text, const struct nmlink_header *header, const char *name)
{
	put(text, header->flags & NMLINK_FLAG_EVENT ? "! " : header->flags & NMLINK_FLAG_REPLY ? "< " : "> ");
	if (name) {
		put(text, name);
	} else {
		put(text, "opcode 0x");
		put_hex(text, header->op, 4);
	}
	if (header->flags & NMLINK_FLAG_URGENT)
		put(text, " URGENT");
	put_named(text, "seq", header->seq);
	put_named(text, "session", header->session);
	if (header->flags & NMLINK_FLAG_REPLY)
		put_named(text, "credits", header->credits);
	if (header->status && nmlink_status_name(header->status)) {
		put_char(text, ' ');
		put(text, nmlink_status_name(header->status));
	} else if (header->status) {
		put_named(text, "status", header->status);
	}
}

static void put_payload(struct text *text, const struct nmlink_header *header, const struct record *record,
	const uint8_t *payload)
{
	const uint8_t *tail = payload;
	uint32_t size = header->size;

	if (size)
		put_char(text, ':');
	if (record && record->size <= size) {
		for (uint32_t i = 0; i < record->count; i++) {
			put_field(text, &record->fields[i], tail);
			tail += record->fields[i].size;
		}
		size -= record->size;
		if (record->count && size)
			put_char(text, ',');
	}
	if (size && header->status)
		put_quoted(text, tail, size);
	else if (size)
		put_bytes(text, tail, size);
}

static const struct record *record_of(const struct nmlink_header *header, const struct message *message)
{
	if (header->status)
		return &error_record;
	if (!message)
		return NULL;
	return header->flags & (NMLINK_FLAG_REPLY | NMLINK_FLAG_EVENT) ? &message->reply : &message->request;
}

size_t nmlink_print_frame(char *text, size_t room, const uint8_t *frame, size_t size)
{
	struct text out = { text, room, 0 };
	struct nmlink_header header = { 0 };
	const enum nmlink_status status = nmlink_frame_open(frame, size, &header, nmlink_crc32c);
	const struct message *message = message_of(header.op);

	if (status) {
		put(&out, "? not a frame (");
		put(&out, nmlink_status_name((uint16_t)status));
		put(&out, "):");
		put_bytes(&out, frame, size);
	} else {
		put_head(&out, &header, message ? message->name : NULL);
		put_payload(&out, &header, record_of(&header, message), frame + NMLINK_HEADER_SIZE);
	}
	if (room)
		text[out.size < room ? out.size : room - 1] = 0;
	return out.size;
}
