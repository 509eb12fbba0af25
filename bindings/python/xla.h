/* SPDX-License-Identifier: MIT */
/*
 * The C ABI of XLA's typed foreign functions (FFI) as far as handlers use it: version 0.1, and of 0.3 the ordinal of
 * the device. Declared here, so that nothing of XLA is needed to build. A handler gets a call frame, and returns NULL
 * or an error that the host made. Source: xla/ffi/api/c_api.h, as shipped in jaxlib.
 */
#ifndef NMHAL_PY_XLA_H
#define NMHAL_PY_XLA_H

#include <stddef.h>
#include <stdint.h>

enum { XLA_EXTENSION_METADATA = 1, XLA_STAGE_EXECUTE = 3, XLA_ATTR_SCALAR = 3 };
enum xla_type { XLA_S64 = 5, XLA_U32 = 8, XLA_F32 = 11 };
enum xla_code {
	XLA_CANCELLED = 1,
	XLA_INVALID_ARGUMENT = 3,
	XLA_DEADLINE_EXCEEDED = 4,
	XLA_NOT_FOUND = 5,
	XLA_PERMISSION_DENIED = 7,
	XLA_RESOURCE_EXHAUSTED = 8,
	XLA_FAILED_PRECONDITION = 9,
	XLA_ABORTED = 10,
	XLA_OUT_OF_RANGE = 11,
	XLA_UNIMPLEMENTED = 12,
	XLA_INTERNAL = 13,
	XLA_UNAVAILABLE = 14,
	XLA_DATA_LOSS = 15
};

struct xla_extension {
	size_t struct_size;
	int type;
	struct xla_extension *next;
};
struct xla_version {
	size_t struct_size;
	struct xla_extension *extension;
	int major, minor;
};
struct xla_metadata {
	size_t struct_size;
	struct xla_version version; /* out; what follows differs from version to version */
};
struct xla_metadata_extension {
	struct xla_extension base;
	struct xla_metadata *metadata;
};
struct xla_buffer {
	size_t struct_size;
	struct xla_extension *extension;
	int type; /* enum xla_type */
	void *data;
	int64_t rank;
	const int64_t *dims; /* row by row */
};
struct xla_buffers { /* arguments, results */
	size_t struct_size;
	struct xla_extension *extension;
	int64_t count;
	const int *kinds;
	struct xla_buffer **buffers;
};
struct xla_span {
	const char *text; /* not terminated */
	size_t length;
};
struct xla_scalar {
	int type; /* enum xla_type */
	const void *value;
};
struct xla_attrs {
	size_t struct_size;
	struct xla_extension *extension;
	int64_t count;
	const int *kinds;
	struct xla_span **names; /* sorted */
	void **values;
};
struct xla_error; /* the host's */
struct xla_error_args {
	size_t struct_size;
	struct xla_extension *extension;
	const char *message;
	int code; /* enum xla_code */
};
struct xla_ordinal_args {
	size_t struct_size;
	struct xla_extension *extension;
	void *context;
	int32_t ordinal; /* out */
};
struct xla_api {
	size_t struct_size;
	struct xla_extension *extension;
	struct xla_version version;
	const void *internal;
	struct xla_error *(*error_create)(struct xla_error_args *args);
	const void *unused[16];
	struct xla_error *(*device_ordinal)(struct xla_ordinal_args *args); /* since 0.3: look at struct_size */
};
struct xla_frame {
	size_t struct_size;
	struct xla_extension *extension;
	const struct xla_api *api;
	void *context;
	int stage;
	struct xla_buffers args, rets;
	struct xla_attrs attrs;
	void *future;
};

#if UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct xla_version) == 24, "xla_version");
_Static_assert(offsetof(struct xla_metadata, version) == 8, "xla_metadata.version");
_Static_assert(offsetof(struct xla_metadata_extension, metadata) == 24, "xla_metadata_extension.metadata");
_Static_assert(sizeof(struct xla_buffer) == 48, "xla_buffer");
_Static_assert(offsetof(struct xla_buffer, dims) == 40, "xla_buffer.dims");
_Static_assert(offsetof(struct xla_buffers, buffers) == 32, "xla_buffers.buffers");
_Static_assert(offsetof(struct xla_scalar, value) == 8, "xla_scalar.value");
_Static_assert(offsetof(struct xla_attrs, values) == 40, "xla_attrs.values");
_Static_assert(offsetof(struct xla_error_args, code) == 24, "xla_error_args.code");
_Static_assert(offsetof(struct xla_ordinal_args, ordinal) == 24, "xla_ordinal_args.ordinal");
_Static_assert(offsetof(struct xla_api, error_create) == 48, "xla_api.error_create");
_Static_assert(offsetof(struct xla_api, device_ordinal) == 48 + 17 * 8, "xla_api.device_ordinal");
_Static_assert(offsetof(struct xla_frame, args) == 40, "xla_frame.args");
_Static_assert(offsetof(struct xla_frame, rets) == 80, "xla_frame.rets");
_Static_assert(offsetof(struct xla_frame, attrs) == 120, "xla_frame.attrs");
_Static_assert(sizeof(struct xla_frame) == 176, "xla_frame");
#endif

/* y = W x: (W [n_out, n_in], x [..., n_in][, key u32 [..., 2]]) -> (y [..., n_out][, w_used [n_out, n_in]]).
 * Attributes, all int64: slot; transposed: x [..., n_out], y [..., n_in]; used: what w_used is: 1 quantised, 2 read
 * back, 0: not there. A key numbers the vectors, so that noise is the same again; without, they count on. */
struct xla_error *nmhal_py_xla_matmul(struct xla_frame *frame);
/* (W, dw [n_out, n_in]) -> W + dw as the device adds: what its codes then stand for. Attribute: slot. */
struct xla_error *nmhal_py_xla_update(struct xla_frame *frame);
/* (W, spikes [..., T, n_in] of 0 and 1) -> (spikes [..., T, n_out], W as its codes stand for, what a code is worth
 * [n_out]), each sample from rest.
 * Attributes: slot int64; threshold, leak: float32, in the unit of the weights. */
struct xla_error *nmhal_py_xla_lif(struct xla_frame *frame);

#endif
