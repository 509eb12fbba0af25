/* SPDX-License-Identifier: MIT */
/* Sentences: the running call in words, and what the board's status codes mean to a caller. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "link.h"
#include "nmlink/print.h"

#define CALL_TEXT 160u

const char *link_op_name(uint16_t op)
{
	const char *name = nmlink_op_name(op);

	return name ? name : "an opcode of its own";
}

static void say_call(const struct link_call *call, char text[CALL_TEXT])
{
	const struct nmhal_region *region = call->region;
	int length = call->name ? snprintf(text, CALL_TEXT, "%s '%s'", call->what, call->name) :
				  snprintf(text, CALL_TEXT, "%s", call->what);
	size_t used = length < 0 ? 0 : (size_t)length;

	if (call->unit && used < CALL_TEXT) {
		length = snprintf(text + used, CALL_TEXT - used, ": %" PRIu64 " %s", call->count, call->unit);
		used += length < 0 ? 0 : (size_t)length;
	}
	if (region && used < CALL_TEXT)
		(void)snprintf(text + used, CALL_TEXT - used, ": %u x %u at row %u, column %u of core %u", region->rows,
			region->cols, region->row, region->col, region->core);
}

int link_fail(const struct link_device *dev, int status, const char *format, ...)
{
	char call[CALL_TEXT], text[sizeof(dev->sentence)];
	va_list args;

	say_call(&dev->call, call);
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return nmhal_host_fail(dev->host, status, "%s: %s", call, text);
}

void link_note(struct link_device *dev, int status, const char *format, ...)
{
	char call[CALL_TEXT], text[sizeof(dev->sentence) - CALL_TEXT - 2];
	va_list args;

	if (dev->failed != NMHAL_OK)
		return;
	dev->failed = status;
	say_call(&dev->call, call);
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(dev->sentence, sizeof(dev->sentence), "%s: %s", call, text);
}

bool link_size_is(struct link_device *dev, uint32_t size, uint32_t expected)
{
	if (size != expected)
		link_note(dev, NMHAL_E_PROTOCOL, "the board answered %u bytes of payload, not %u", size, expected);
	return size == expected;
}

int link_need(const struct link_device *dev, enum nmlink_op op, const char *what)
{
	if (link_caps_has(&dev->caps, op))
		return NMHAL_OK;
	return nmhal_host_fail(dev->host, NMHAL_E_UNSUPPORTED, "%s: the board does not have %s", what,
		link_op_name((uint16_t)op));
}

/* What a caller gets, and what he can do about it. */
static int meaning(uint16_t op, uint16_t status, uint32_t detail, const char **remedy)
{
	*remedy = "";
	switch (status) {
	case NMLINK_EVERSION:
		return NMHAL_E_VERSION;
	case NMLINK_EOP:
		return NMHAL_E_UNSUPPORTED;
	case NMLINK_ELIMIT:
	case NMLINK_ECOMPLIANCE:
		return NMHAL_E_LIMIT;
	case NMLINK_EINTERLOCK:
		*remedy = "; close it and try again";
		return NMHAL_E_INTERLOCK;
	case NMLINK_EARM:
		*remedy = detail == 1 ? "; arm again, and call at least as often as armed for" : "; arm first";
		return NMHAL_E_STATE;
	case NMLINK_EBUSY:
		return NMHAL_E_BUSY;
	case NMLINK_EABORTED:
		return NMHAL_E_CANCELED;
	case NMLINK_ETIMEOUT:
	case NMLINK_EHARDWARE:
		return NMHAL_E_IO;
	case NMLINK_EARG:
	case NMLINK_ERANGE:
		/* Voltages, widths and silences are the board's to check, all else was checked before it was sent. */
		return op >= NMLINK_OP_SET_LIMITS ? NMHAL_E_INVALID : NMHAL_E_PROTOCOL;
	default:
		return NMHAL_E_PROTOCOL;
	}
}

void link_note_error(struct link_device *dev, uint16_t op, const struct link_frame *frame)
{
	const uint16_t status = frame->header.status;
	const char *name = nmlink_status_name(status), *text = nmlink_status_text(status), *remedy;
	struct nmlink_error error = {0};
	char said[NMLINK_ERROR_TEXT + 1] = "";
	int means;

	if (dev->failed == NMHAL_OK)
		dev->refusal = status;
	/* An error without its record is still that error. */
	if (nmlink_get_error(&error, frame->payload, frame->header.size) && error.tail_size < sizeof(said))
		memcpy(said, error.tail, link_text_length(error.tail, error.tail_size));
	means = meaning(op, status, error.detail, &remedy);
	if (!name)
		link_note(dev, NMHAL_E_PROTOCOL, "the board answered %s with status %u, which nmlink does not have",
			link_op_name(op), status);
	else if (*said)
		link_note(dev, means, "the board answered %s with %s, detail %u: \"%s\"%s", link_op_name(op), name,
			error.detail, said, remedy);
	else /* the table goes on about the detail */
		link_note(dev, means, "the board answered %s with %s, detail %u: %.*s%s", link_op_name(op), name,
			error.detail, (int)strcspn(text, ";"), text, remedy);
}
