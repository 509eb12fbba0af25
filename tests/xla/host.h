/* SPDX-License-Identifier: MIT */
/* A host as XLA is one for handlers: call frames made by hand, errors kept. Several may work at a time. */
#ifndef XLA_HOST_H
#define XLA_HOST_H

#include <stdio.h>
#include <string.h>

#include <check.h>

#include "bindings/python/slots.h"
#include "bindings/python/xla.h"
#include "tests/unit/array_board.h"

struct xla_error { /* what our host makes of an error */
	int code;
	char text[1024];
};

typedef struct xla_error *(*handler)(struct xla_frame *frame);

struct host {
	struct xla_api api;
	struct xla_frame frame;
	struct xla_buffer buffers[5];
	struct xla_buffer *args[3], *rets[3];
	int64_t dims[5][4];
	int kinds[5];
	struct xla_scalar scalars[4];
	struct xla_span spans[4], *names[4];
	void *values[4];
	int64_t integers[4];
	float reals[4];
};

static _Thread_local struct xla_error last;
static _Thread_local int32_t this_ordinal;

static inline struct xla_error *host_error(struct xla_error_args *args)
{
	ck_assert_uint_ge(args->struct_size, offsetof(struct xla_error_args, code) + sizeof(int));
	last.code = args->code;
	snprintf(last.text, sizeof(last.text), "%s", args->message);
	return &last;
}

static inline struct xla_error *host_ordinal(struct xla_ordinal_args *args)
{
	args->ordinal = this_ordinal;
	return NULL;
}

/* A frame without arguments; this one must not move. */
static inline void host_init(struct host *host)
{
	memset(host, 0, sizeof(*host));
	host->api = (struct xla_api){.struct_size = sizeof(host->api),
		.version = {.struct_size = sizeof(struct xla_version), .major = 0, .minor = 3},
		.error_create = host_error,
		.device_ordinal = host_ordinal};
	host->frame = (struct xla_frame){.struct_size = sizeof(host->frame),
		.api = &host->api,
		.stage = XLA_STAGE_EXECUTE,
		.args = {.struct_size = sizeof(struct xla_buffers), .kinds = host->kinds, .buffers = host->args},
		.rets = {.struct_size = sizeof(struct xla_buffers), .kinds = host->kinds, .buffers = host->rets},
		.attrs = {.struct_size = sizeof(struct xla_attrs),
			.kinds = host->kinds,
			.names = host->names,
			.values = host->values}};
	this_ordinal = 0;
}

/* Appends a buffer; dims end with -1. */
static inline void host_buffer(
	struct host *host, struct xla_buffers *list, enum xla_type type, void *data, const int64_t *dims)
{
	const int64_t at = host->frame.args.count + host->frame.rets.count;
	struct xla_buffer *buffer = &host->buffers[at];

	*buffer = (struct xla_buffer){
		.struct_size = sizeof(*buffer), .type = (int)type, .data = data, .dims = host->dims[at]};
	for (; dims[buffer->rank] >= 0; buffer->rank++)
		host->dims[at][buffer->rank] = dims[buffer->rank];
	list->buffers[list->count++] = buffer;
}

#define DIMS(...) ((const int64_t[]){__VA_ARGS__, -1})

static inline struct xla_scalar *host_attr(struct host *host, const char *name, enum xla_type type)
{
	const int64_t at = host->frame.attrs.count++;

	host->spans[at] = (struct xla_span){name, strlen(name)};
	host->names[at] = &host->spans[at];
	host->kinds[at] = XLA_ATTR_SCALAR;
	host->scalars[at] = (struct xla_scalar){.type = (int)type};
	host->values[at] = &host->scalars[at];
	return &host->scalars[at];
}

static inline void host_integer(struct host *host, const char *name, int64_t value)
{
	int64_t *place = &host->integers[host->frame.attrs.count];

	*place = value;
	host_attr(host, name, XLA_S64)->value = place;
}

static inline void host_real(struct host *host, const char *name, float value)
{
	float *place = &host->reals[host->frame.attrs.count];

	*place = value;
	host_attr(host, name, XLA_F32)->value = place;
}

#define expect_done(call) \
	do { \
		const struct xla_error *host_said = (call); \
		ck_assert_msg(!host_said, "%s", host_said ? host_said->text : ""); \
	} while (0)
#define expect_error(expected, part, call) \
	do { \
		const struct xla_error *host_said = (call); \
		ck_assert_ptr_nonnull(host_said); \
		ck_assert_msg(strstr(host_said->text, part) != NULL, "'%s' is not in: %s", part, host_said->text); \
		ck_assert_int_eq(host_said->code, expected); \
	} while (0)

#endif
