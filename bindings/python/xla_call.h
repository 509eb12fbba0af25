/* SPDX-License-Identifier: MIT */
/* What the handlers share: checking a frame, finding the array, telling the host what failed. */
#ifndef NMHAL_PY_XLA_CALL_H
#define NMHAL_PY_XLA_CALL_H

#include "bindings/python/slots.h"
#include "bindings/python/xla.h"

/* A call that is to be executed. `slot` is entered, its array is there. */
struct xla_call {
	struct xla_frame *frame;
	struct nmhal_py_slot *slot;
	const float *w; /* [n_out][n_in], the first argument */
};

typedef struct xla_error *(*xla_body)(const struct xla_call *call);

/* Answers what is no execution; else runs body on the call's array, which must find `args` to `args_max` arguments
 * (the first a matrix of the array's shape). */
struct xla_error *xla_execute(struct xla_frame *frame, int64_t args, int64_t args_max, xla_body body);

struct xla_error *xla_fail(const struct xla_frame *frame, enum xla_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The error for a status of this thread's last call; NULL for OK. */
struct xla_error *xla_status(const struct xla_frame *frame, int status);

/* An argument or result of float32 whose last dimension is `last`; undefined with *error, may be NULL without rows.
 * rows: product of the other dimensions. */
float *xla_floats(const struct xla_frame *frame, const struct xla_buffers *list, int64_t index, uint32_t last, int64_t *rows, struct xla_error **error);
/* A scalar attribute of that type, or NULL with *error. */
const void *xla_attr(const struct xla_frame *frame, const char *name, enum xla_type type, struct xla_error **error);

/* A strict array takes the first matrix that it sees. */
int xla_first(const struct xla_call *call);
/* The weights of the call become those of the array; those of a strict one must have its codes already. */
struct xla_error *xla_program(const struct xla_call *call);

#endif
