/* SPDX-License-Identifier: MIT */
/*
 * Prints the parts of nmlink/PROTOCOL.md that are made from messages.h and from the code: tables, and an exchange of
 * frames byte for byte. Each between the marks that stand in the document too.
 */
#include <stdio.h>

#include "nmlink/core.h"
#include "nmlink/print.h"

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static void begin(const char *name)
{
	printf("<!-- begin %s -->\n", name);
}

static void end(const char *name)
{
	printf("<!-- end %s -->\n", name);
}

/* Rows of a table of fields: what is before the first one, and how many bytes are behind it. */
static const char *label;
static uint32_t offset;

static void field(const char *type, const char *name, uint32_t size, const char *text)
{
	printf("| %s | %u | %s | `%s` | %s |\n", label, offset, type, name, text);
	label = "";
	offset += size;
}

static void tail(const char *text)
{
	printf("| %s | %u | bytes | | %s |\n", label, offset, text);
	label = "";
}

#define FIELD_ROW(type, name, text) field(#type, #name, sizeof(NMLINK_TYPE_##type), text);
#define TAIL_ROW(text)              tail(text);
#define NO_FIELD(type, name, text)
#define ONE_FIELD(type, name, text) +1
#define ONE_TAIL(text)              +1

static void fields_head(const char *first)
{
	printf("\n| %s | offset | type | field | meaning |\n|---|---|---|---|---|\n", first);
}

#define SIDE(text, LIST)                                                                                               \
	do {                                                                                                           \
		label = text;                                                                                          \
		offset = 0;                                                                                            \
		LIST(FIELD_ROW, TAIL_ROW)                                                                              \
	} while (0)
#define MESSAGE_ROW(name, NAME, code, class, text) printf("| 0x%04x | `%s` | %s | %s |\n", code, #NAME, #class, text);
#define IS_EMPTY(LIST) (!(0 LIST(ONE_FIELD, ONE_TAIL)))
#define MESSAGE_FIELDS(name, NAME, code, class, text)                                                                  \
	printf("\n**`%s`** (0x%04x, %s): %s.", #NAME, code, #class, text);                                             \
	if (IS_EMPTY(NMLINK_##name##_REQUEST) && IS_EMPTY(NMLINK_##name##_REPLY)) {                                    \
		printf(" No payload either way.\n");                                                                   \
	} else {                                                                                                       \
		printf("\n");                                                                                          \
		fields_head(" ");                                                                                      \
		SIDE("request", NMLINK_##name##_REQUEST);                                                              \
		SIDE(NMLINK_OP_##NAME == NMLINK_OP_EVENTS ? "event" : "reply", NMLINK_##name##_REPLY);                 \
	}
#define CAP_ROWS(name, NAME, tag, text)                                                                                \
	printf("\n**`%s`** (0x%04x): %s.\n", #NAME, tag, text);                                                        \
	fields_head(" ");                                                                                              \
	SIDE("value", NMLINK_##name##_CAP);
#define STATUS_ROW(name, number, text) printf("| %d | `%s` | %s |\n", number, #name, text);
#define RECORD_ROWS(name, NAME, text)                                                                                  \
	printf("\n**`%s`**, %d bytes: %s.\n", #NAME, (int)NMLINK_SIZE_##name##_record, text);                          \
	fields_head(" ");                                                                                              \
	label = "record";                                                                                              \
	offset = 0;                                                                                                    \
	NMLINK_##name##_RECORD(FIELD_ROW)

static void print_tables(void)
{
	begin("header");
	fields_head(" ");
	label = "header";
	NMLINK_HEADER(FIELD_ROW)
	end("header");
	begin("statuses");
	printf("\n| number | status | meaning |\n|---|---|---|\n");
	NMLINK_STATUSES(STATUS_ROW)
	fields_head(" ");
	SIDE("ERROR", NMLINK_ERROR);
	end("statuses");
	begin("messages");
	printf("\n| opcode | message | class | what it does |\n|---|---|---|---|\n");
	NMLINK_MESSAGES(MESSAGE_ROW)
	end("messages");
	begin("records");
	NMLINK_RECORDS(RECORD_ROWS)
	end("records");
	begin("payloads");
	NMLINK_MESSAGES(MESSAGE_FIELDS)
	end("payloads");
	begin("capabilities");
	NMLINK_CAPS(CAP_ROWS)
	end("capabilities");
}

/* ---- an exchange ------------------------------------------------------------------------------------------------- */

#define FRAME 256u

/* A crossbar of 2 rows and 2 columns that adds without rounding. */
static int8_t weights[2][2];

static void safe(struct nmlink_core *core)
{
	(void)core;
}

static enum nmlink_status write_weights(struct nmlink_core *core, const struct nmlink_write_request *m)
{
	(void)core;
	for (uint32_t i = 0; i < (uint32_t)m->rows * m->cols; i++)
		weights[m->row + i / m->cols][m->col + i % m->cols] = (int8_t)m->tail[i];
	return NMLINK_OK;
}

static enum nmlink_status read_weights(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes)
{
	(void)core;
	for (uint32_t i = 0; i < (uint32_t)m->rows * m->cols; i++)
		codes[i] = (uint8_t)weights[m->row + i / m->cols][m->col + i % m->cols];
	return NMLINK_OK;
}

static enum nmlink_status infer(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs,
	uint8_t *clipped)
{
	(void)core;
	for (uint32_t b = 0; b < m->batch; b++) {
		for (uint32_t o = 0; o < m->cols; o++) {
			int32_t sum = 0;

			for (uint32_t i = 0; i < m->rows; i++)
				sum += (int8_t)m->tail[b * m->rows + i] * weights[m->row + i][m->col + o];
			if (sum > 127 || sum < -128)
				clipped[b] |= (uint8_t)(1u << o);
			outputs[b * m->cols + o] = (uint8_t)(sum > 127 ? 127 : sum < -128 ? -128 : sum);
		}
	}
	return NMLINK_OK;
}

static void dump(const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		printf("%s%02x%s", i % 16 ? " " : "    ", bytes[i], i % 16 == 15 || i + 1 == size ? "\n" : "");
}

static void show(const uint8_t *frame, uint32_t size)
{
	char text[400];

	nmlink_print_frame(text, sizeof(text), frame, size);
	printf("%s\n", text);
	dump(frame, size);
}

/* Sends a request of `size` bytes of payload and shows it with its reply. */
static void ask(struct nmlink_core *core, uint8_t *frame, uint16_t op, uint16_t seq, uint32_t size)
{
	const struct nmlink_header header = {
		.version = NMLINK_VERSION_MAJOR,
		.op = op,
		.seq = seq,
		.session = (uint16_t)(op == NMLINK_OP_HELLO ? 0 : core->session),
		.size = size,
	};
	const uint32_t sealed = nmlink_frame_seal(frame, &header, nmlink_crc32c);
	uint8_t out[FRAME];

	show(frame, sealed);
	show(out, nmlink_core_frame(core, frame, sealed, out));
}

static void print_exchange(void)
{
	static const struct nmlink_input_cap input = { -64, 63, 7, 1, 0, 8, NULL, 0 };
	static const struct nmlink_output_cap output = { -128, 127, 8, 1, 64 << 8, NULL, 0 };
	static const struct nmlink_board board = {
		.model = "demo",
		.array = { 1, 2, 2, 1, NULL, 0 },
		.weight = { -127, 127, 8, 1, 0, NULL, 0 },
		.input = &input,
		.output = &output,
		.call = { .safe = safe, .write = write_weights, .read = read_weights, .infer = infer },
	};
	struct nmlink_kept kept[4];
	const struct nmlink_memory memory = { .kept = kept, .window = 4, .max_frame = FRAME };
	const struct nmlink_hello_request hello = { .session = 0xC0FFEE01 };
	const struct nmlink_write_request write = { .rows = 2, .cols = 2 };
	const struct nmlink_infer_request infer_two = { .rows = 2, .cols = 2, .batch = 2, .first_vector = 100 };
	struct nmlink_core core;
	uint8_t frame[FRAME], *payload = frame + NMLINK_HEADER_SIZE, *p, stream[NMLINK_COBS_SIZE(FRAME)];
	const struct nmlink_header disarm = { .version = 1, .op = NMLINK_OP_SAFE_STATE, .seq = 3, .session = 0xEE01 };

	if (!nmlink_core_init(&core, &board, &memory, NULL))
		return;
	begin("exchange");
	printf("\n```\n");
	p = nmlink_put_hello_request(payload, &hello);
	ask(&core, frame, NMLINK_OP_HELLO, 0, (uint32_t)(p - payload));
	p = nmlink_put_write_request(payload, &write);
	p = nmlink_store_s8(nmlink_store_s8(nmlink_store_s8(nmlink_store_s8(p, 1), -2), 3), 4);
	ask(&core, frame, NMLINK_OP_WRITE, 1, (uint32_t)(p - payload));
	p = nmlink_put_infer_request(payload, &infer_two);
	p = nmlink_store_s8(nmlink_store_s8(nmlink_store_s8(nmlink_store_s8(p, 10), 20), -5), 40);
	ask(&core, frame, NMLINK_OP_INFER, 2, (uint32_t)(p - payload));
	printf("```\n");
	end("exchange");
	begin("stream");
	printf("\n```\n");
	show(frame, nmlink_frame_seal(frame, &disarm, nmlink_crc32c));
	printf("on a stream of bytes:\n");
	dump(stream, (uint32_t)nmlink_cobs_encode(stream, frame, NMLINK_OVERHEAD));
	printf("```\n");
	end("stream");
}

int main(void)
{
	print_tables();
	print_exchange();
	return 0;
}
