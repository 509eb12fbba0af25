/* SPDX-License-Identifier: MIT */
/* Frames of XLA: metadata, arguments, attributes, errors. Runs on XLA's threads, without Python's lock. */
#include "bindings/python/xla_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------------------------------ */

struct xla_error *xla_fail(const struct xla_frame *frame, enum xla_code code, const char *format, ...)
{
	char text[1024];
	struct xla_error_args args = {.struct_size = sizeof(args), .message = text, .code = (int)code};
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return frame->api->error_create(&args);
}

static enum xla_code code_of(int status)
{
	switch (status) {
	case NMHAL_E_INVALID:
		return XLA_INVALID_ARGUMENT;
	case NMHAL_E_NO_DEVICE:
		return XLA_NOT_FOUND;
	case NMHAL_E_ACCESS:
		return XLA_PERMISSION_DENIED;
	case NMHAL_E_TIMEOUT:
		return XLA_DEADLINE_EXCEEDED;
	case NMHAL_E_CANCELED:
		return XLA_CANCELLED;
	case NMHAL_E_UNSUPPORTED:
		return XLA_UNIMPLEMENTED;
	case NMHAL_E_BUSY:
	case NMHAL_E_NO_MEMORY:
		return XLA_RESOURCE_EXHAUSTED;
	case NMHAL_E_IO:
	case NMHAL_E_GONE:
		return XLA_UNAVAILABLE;
	case NMHAL_E_PROTOCOL:
	case NMHAL_E_VERIFY:
		return XLA_DATA_LOSS;
	case NMHAL_E_OVERRUN:
	case NMHAL_E_LIMIT:
		return XLA_OUT_OF_RANGE;
	case NMHAL_E_STATE:
	case NMHAL_E_VERSION:
		return XLA_FAILED_PRECONDITION;
	case NMHAL_E_AGAIN:
	case NMHAL_E_INTERLOCK:
		return XLA_ABORTED;
	default:
		return XLA_INTERNAL;
	}
}

struct xla_error *xla_status(const struct xla_frame *frame, int status)
{
	return status ? xla_fail(frame, code_of(status), "%s", nmhal_last_error()) : NULL;
}

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static int64_t product(const int64_t *dims, int64_t count)
{
	int64_t numbers = 1;

	for (int64_t i = 0; i < count; i++)
		numbers *= dims[i];
	return numbers;
}

float *xla_floats(const struct xla_frame *frame, const struct xla_buffers *list, int64_t index, uint32_t last,
	int64_t *rows, struct xla_error **error)
{
	const char *what = list == &frame->args ? "argument" : "result";
	const struct xla_buffer *buffer = list->buffers[index];

	*error = NULL;
	if (buffer->type != XLA_F32)
		*error = xla_fail(frame, XLA_INVALID_ARGUMENT, "%s %lld has XLA's type %d: must be float32", what,
			(long long)index, buffer->type);
	else if (buffer->rank < 1 || buffer->dims[buffer->rank - 1] != last)
		*error = xla_fail(frame, XLA_INVALID_ARGUMENT,
			"%s %lld has rank %lld, last dimension %lld: must be [..., %u]", what, (long long)index,
			(long long)buffer->rank, buffer->rank < 1 ? 0LL : (long long)buffer->dims[buffer->rank - 1],
			last);
	if (*error)
		return NULL;
	*rows = product(buffer->dims, buffer->rank - 1);
	return buffer->data;
}

const void *xla_attr(const struct xla_frame *frame, const char *name, enum xla_type type, struct xla_error **error)
{
	const struct xla_attrs *attrs = &frame->attrs;

	*error = NULL;
	for (int64_t i = 0; i < attrs->count; i++) {
		const struct xla_scalar *scalar = attrs->values[i];

		if (attrs->names[i]->length != strlen(name) || memcmp(attrs->names[i]->text, name, strlen(name)) != 0)
			continue;
		if (attrs->kinds[i] == XLA_ATTR_SCALAR && scalar->type == (int)type)
			return scalar->value;
		break;
	}
	*error = xla_fail(
		frame, XLA_INVALID_ARGUMENT, "attribute %s is missing, or no scalar of XLA's type %d", name, (int)type);
	return NULL;
}

/* ---- the way in -------------------------------------------------------------------------------------------------- */

static bool answer_metadata(const struct xla_frame *frame)
{
	const struct xla_extension *extension = frame->extension;

	if (!extension || extension->type != XLA_EXTENSION_METADATA)
		return false;
	struct xla_metadata *metadata = ((const struct xla_metadata_extension *)(const void *)extension)->metadata;
	metadata->version.major = 0;
	metadata->version.minor = 1;
	return true;
}

/* A program over several devices runs its calls on each of them: the board would work once for each. */
static struct xla_error *refuse_other_devices(const struct xla_frame *frame)
{
	const struct xla_api *api = frame->api;
	struct xla_ordinal_args args = {.struct_size = sizeof(args), .context = frame->context};
	struct xla_error *error;

	if (api->version.major != 0 || api->version.minor < 3 || api->struct_size < sizeof(*api))
		return NULL;
	error = api->device_ordinal(&args);
	if (error || args.ordinal == 0)
		return error;
	return xla_fail(frame, XLA_UNIMPLEMENTED,
		"on device %d of XLA: a crossbar is driven from the first one only; keep its operands there, not "
		"sharded",
		args.ordinal);
}

static struct xla_error *check_frame(const struct xla_frame *frame, int64_t args, int64_t args_max)
{
	if (frame->struct_size < offsetof(struct xla_frame, future))
		return xla_fail(frame, XLA_UNIMPLEMENTED, "the call frame has %zu bytes: at least %zu are needed",
			frame->struct_size, offsetof(struct xla_frame, future));
	if (frame->stage != XLA_STAGE_EXECUTE)
		return xla_fail(frame, XLA_UNIMPLEMENTED, "stage %d: only execution is there", frame->stage);
	if (frame->args.count < args || frame->args.count > args_max)
		return xla_fail(frame, XLA_INVALID_ARGUMENT, "%lld arguments: must be %lld to %lld",
			(long long)frame->args.count, (long long)args, (long long)args_max);
	if (frame->rets.count < 1)
		return xla_fail(frame, XLA_INVALID_ARGUMENT, "no result: there is at least one");
	return refuse_other_devices(frame);
}

/* The first argument must be the array's matrix, also with leading dimensions of 1. */
static struct xla_error *take_matrix(struct xla_call *call)
{
	const struct xla_frame *frame = call->frame;
	struct xla_error *error;
	int64_t rows = 0;

	if (!call->slot->array)
		return xla_fail(frame, XLA_FAILED_PRECONDITION,
			"the array of this program was freed; wait for results before that, rebind() it, or trace anew "
			"with another");
	call->w = xla_floats(frame, &frame->args, 0, call->slot->n_in, &rows, &error);
	if (!error && rows != call->slot->n_out)
		error = xla_fail(frame, XLA_INVALID_ARGUMENT,
			"W has %lld rows: an array of %u x %u holds one matrix of that shape", (long long)rows,
			call->slot->n_out, call->slot->n_in);
	return error;
}

struct xla_error *xla_execute(struct xla_frame *frame, int64_t args, int64_t args_max, xla_body body)
{
	struct xla_call call = {.frame = frame};
	struct xla_error *error;
	const int64_t *number;

	if (answer_metadata(frame))
		return NULL;
	error = check_frame(frame, args, args_max);
	if (error)
		return error;
	number = xla_attr(frame, "slot", XLA_S64, &error);
	if (error)
		return error;
	call.slot = nmhal_py_slot_enter(*number);
	if (!call.slot)
		return xla_fail(frame, XLA_FAILED_PRECONDITION, "slot %lld: not of this process; trace anew",
			(long long)*number);
	error = take_matrix(&call);
	if (!error)
		error = body(&call);
	nmhal_py_slot_leave(call.slot);
	return error;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

int xla_first(const struct xla_call *call)
{
	nmhal_array *array = call->slot->array;

	if (!(call->slot->options.flags & NMHAL_ARRAY_STRICT) ||
		nmhal_array_quantise(array, NULL, 0, NULL, NULL) != NMHAL_E_STATE)
		return NMHAL_OK;
	return nmhal_array_program(array, call->w, 0, 0, 0);
}

/* Is w what the array's codes stand for, or does it have the same codes? held, room: [n_out * n_in]. */
static int has_codes(const struct xla_call *call, float *held, float *room, bool *same)
{
	const struct nmhal_py_slot *slot = call->slot;
	const size_t size = (size_t)slot->n_out * slot->n_in * sizeof(*held);
	int status = nmhal_array_quantise(slot->array, NULL, 0, held, NULL);

	/* What an update left keeps its scale, so it may be given other codes when it is quantised anew. */
	*same = !status && memcmp(call->w, held, size) == 0;
	if (status || *same)
		return status;
	status = nmhal_array_quantise(slot->array, call->w, 0, room, NULL);
	*same = !status && memcmp(room, held, size) == 0;
	return status;
}

struct xla_error *xla_program(const struct xla_call *call)
{
	const struct nmhal_py_slot *slot = call->slot;
	const size_t count = (size_t)slot->n_out * slot->n_in;
	int status = xla_first(call);
	bool same = false;
	float *room;

	if (status || !(slot->options.flags & NMHAL_ARRAY_STRICT))
		return xla_status(call->frame, status ? status : nmhal_array_program(slot->array, call->w, 0, 0, 0));
	room = malloc(2 * count * sizeof(*room));
	if (!room)
		return xla_fail(call->frame, XLA_RESOURCE_EXHAUSTED, "out of memory");
	status = has_codes(call, room, room + count, &same);
	free(room);
	if (status)
		return xla_status(call->frame, status);
	if (!same)
		return xla_fail(call->frame, XLA_FAILED_PRECONDITION,
			"W has other codes than the array, which is strict: it was updated since; use what the update "
			"gave");
	return NULL;
}
