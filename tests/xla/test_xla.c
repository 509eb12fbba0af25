/* SPDX-License-Identifier: MIT */
/* Products and updates for programs of XLA, called as XLA calls them; the board computes exactly. */
#include <math.h>
#include <stdlib.h>

#include "tests/xla/host.h"

#define N_OUT 3
#define N_IN  5

struct bed {
	struct board board;
	nmhal_array *array;
	int64_t slot;
	float w[N_OUT * N_IN], x[4 * N_IN], y[4 * N_OUT], used[N_OUT * N_IN], dw[N_OUT * N_IN];
	uint32_t key[4 * 2];
};

static uint64_t first_vectors[8]; /* of the inferences of a bed, in order */
static unsigned inferences;
static int (*compute)(void *self, const struct nmhal_inference *op, int64_t deadline_ns);

static int note(void *self, const struct nmhal_inference *op, int64_t deadline_ns)
{
	if (inferences < 8)
		first_vectors[inferences++] = op->first_vector;
	return compute(self, op, deadline_ns);
}

static void bed_bind(struct bed *bed, uint32_t flags)
{
	const struct nmhal_array_options options = {sizeof(options), NMHAL_ARRAY_ONE_SLICE, flags};

	nmhal_py_slot_bind(bed->slot, bed->array, N_OUT, N_IN, &options, &bed->board.dev, 1);
}

static void bed_open(struct bed *bed, uint32_t flags)
{
	struct fake *fake = &bed->board.fake;

	fake_init(fake, 2, 8, 8);
	fake->caps.output_min = INT32_MIN;
	fake->caps.output_max = INT32_MAX;
	fake->caps.output_lsb = 1;
	compute = fake->ops.run_inference;
	fake->ops.run_inference = note;
	inferences = 0;
	board_open(&bed->board);
	bed->array = new_array(&bed->board, N_OUT, N_IN, NMHAL_ARRAY_ONE_SLICE, flags);
	bed->slot = nmhal_py_slot_new();
	ck_assert_int_ge(bed->slot, 0);
	bed_bind(bed, flags);
	integers(bed->w, N_OUT, N_IN, CODE_MAX, 1);
	integers(bed->x, 4, N_IN, 127, 2);
	memset(bed->dw, 0, sizeof(bed->dw));
}

static void bed_close(struct bed *bed)
{
	nmhal_py_array_free(bed->array);
	board_close(&bed->board);
}

/* The frame of a product of `batch` vectors, without a key. */
static void product_frame(struct host *host, struct bed *bed, int64_t batch, int64_t transposed, int64_t used)
{
	host_init(host);
	host_buffer(host, &host->frame.args, XLA_F32, bed->w, DIMS(N_OUT, N_IN));
	host_buffer(host, &host->frame.args, XLA_F32, bed->x, DIMS(batch, transposed ? N_OUT : N_IN));
	host_buffer(host, &host->frame.rets, XLA_F32, bed->y, DIMS(batch, transposed ? N_IN : N_OUT));
	if (used)
		host_buffer(host, &host->frame.rets, XLA_F32, bed->used, DIMS(N_OUT, N_IN));
	host_integer(host, "slot", bed->slot);
	host_integer(host, "transposed", transposed);
	host_integer(host, "used", used);
}

static struct xla_error *product(struct bed *bed)
{
	struct host host;

	product_frame(&host, bed, 4, 0, 0);
	return nmhal_py_xla_matmul(&host.frame);
}

static struct xla_error *update(struct bed *bed)
{
	struct host host;

	host_init(&host);
	host_buffer(&host, &host.frame.args, XLA_F32, bed->w, DIMS(N_OUT, N_IN));
	host_buffer(&host, &host.frame.args, XLA_F32, bed->dw, DIMS(N_OUT, N_IN));
	host_buffer(&host, &host.frame.rets, XLA_F32, bed->used, DIMS(N_OUT, N_IN));
	host_integer(&host, "slot", bed->slot);
	return nmhal_py_xla_update(&host.frame);
}

START_TEST(registration)
{
	const handler handlers[] = {nmhal_py_xla_matmul, nmhal_py_xla_update, nmhal_py_xla_lif};

	for (size_t i = 0; i < 3; i++) {
		struct host host;
		struct xla_metadata metadata = {sizeof(metadata), {sizeof(metadata.version), NULL, -1, -1}};
		struct xla_metadata_extension extension = {
			{sizeof(extension), XLA_EXTENSION_METADATA, NULL}, &metadata};

		host_init(&host);
		host.frame.extension = &extension.base;
		expect_done(handlers[i](&host.frame));
		ck_assert_int_eq(metadata.version.major, 0);
		ck_assert_int_eq(metadata.version.minor, 1);
		/* An extension of another kind is none of ours: the call goes on, and finds no arguments. */
		extension.base.type = 2;
		expect_error(XLA_INVALID_ARGUMENT, "0 arguments", handlers[i](&host.frame));
		host.frame.extension = NULL;
		host.frame.struct_size = offsetof(struct xla_frame, attrs);
		expect_error(XLA_UNIMPLEMENTED, "the call frame has 120 bytes", handlers[i](&host.frame));
		host_init(&host);
		host.frame.struct_size += 64; /* a newer host */
		host.frame.stage = 0;
		expect_error(XLA_UNIMPLEMENTED, "stage 0", handlers[i](&host.frame));
	}
}
END_TEST

START_TEST(products)
{
	struct bed bed;
	struct host host;
	float back[4 * N_IN], wt[N_IN * N_OUT];

	bed_open(&bed, 0);
	expect_done(product(&bed));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	ck_assert_uint_eq(inferences, 1);
	/* As vmap gives it: W [1, n_out, n_in], x [2, 2, n_in]. */
	memset(bed.y, 0, sizeof(bed.y));
	product_frame(&host, &bed, 4, 0, 0);
	host.buffers[0].rank = 3;
	memcpy(host.dims[0], DIMS(1, N_OUT, N_IN), 3 * sizeof(int64_t));
	host.buffers[1].rank = 3;
	memcpy(host.dims[1], DIMS(2, 2, N_IN), 3 * sizeof(int64_t));
	host.buffers[2].rank = 3;
	memcpy(host.dims[2], DIMS(2, 2, N_OUT), 3 * sizeof(int64_t));
	expect_done(nmhal_py_xla_matmul(&host.frame));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	ck_assert_uint_eq(inferences, 2);
	/* Transposed. */
	integers(bed.x, 4, N_OUT, 127, 3);
	product_frame(&host, &bed, 4, 1, 0);
	host.buffers[2].data = back;
	expect_done(nmhal_py_xla_matmul(&host.frame));
	for (uint32_t i = 0; i < N_IN * N_OUT; i++)
		wt[i % N_IN * N_OUT + i / N_IN] = bed.w[i];
	expect_product(wt, bed.x, back, N_IN, N_OUT, 4);
	bed_close(&bed);
}
END_TEST

START_TEST(weights_that_were_used)
{
	struct bed bed;
	struct host host;
	float exact[N_OUT * N_IN];

	bed_open(&bed, 0);
	memcpy(exact, bed.w, sizeof(exact));
	for (int i = 0; i < N_OUT * N_IN; i++)
		bed.w[i] += fabsf(bed.w[i]) < CODE_MAX ? 0.25f : 0;
	product_frame(&host, &bed, 4, 0, 1);
	expect_done(nmhal_py_xla_matmul(&host.frame));
	ck_assert_mem_eq(bed.used, exact, sizeof(exact));
	ck_assert_uint_eq(CALLS(&bed.board, FAKE_READ_WEIGHTS), 0);
	/* A cell that sticks shows when it is read back. */
	bed.board.fake.stuck = true;
	bed.board.fake.stuck_cell = (struct nmhal_cell){.core = 0, .row = 1, .col = 2, .code = -8};
	product_frame(&host, &bed, 4, 0, 2);
	expect_done(nmhal_py_xla_matmul(&host.frame));
	exact[2 * N_IN + 1] = -8;
	ck_assert_mem_eq(bed.used, exact, sizeof(exact));
	/* No vectors: nothing to do on the device, also when nothing was programmed. */
	inferences = 0;
	bed_close(&bed);
	bed_open(&bed, 0);
	product_frame(&host, &bed, 0, 0, 2);
	host.buffers[1].data = NULL;
	host.buffers[2].data = NULL;
	expect_done(nmhal_py_xla_matmul(&host.frame));
	ck_assert_mem_eq(bed.used, bed.w, sizeof(bed.w));
	ck_assert_uint_eq(inferences, 0);
	bed_close(&bed);
}
END_TEST

START_TEST(vectors_are_numbered)
{
	struct bed bed;
	struct host host;

	bed_open(&bed, 0);
	/* Without a key they count on. */
	expect_done(product(&bed));
	expect_done(product(&bed));
	ck_assert_uint_eq(first_vectors[0], 0);
	ck_assert_uint_eq(first_vectors[1], 4);
	/* A key for all of them; it does not count. */
	bed.key[0] = 9;
	bed.key[1] = 1;
	product_frame(&host, &bed, 4, 0, 0);
	host_buffer(&host, &host.frame.args, XLA_U32, bed.key, DIMS(2));
	expect_done(nmhal_py_xla_matmul(&host.frame));
	ck_assert_uint_eq(first_vectors[2], (1ull << 32) + 9);
	/* A key for each. */
	for (uint32_t i = 0; i < 8; i++)
		bed.key[i] = i;
	product_frame(&host, &bed, 4, 0, 0);
	host_buffer(&host, &host.frame.args, XLA_U32, bed.key, DIMS(4, 2));
	memset(bed.y, 0, sizeof(bed.y));
	expect_done(nmhal_py_xla_matmul(&host.frame));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	ck_assert_uint_eq(inferences, 7);
	ck_assert_uint_eq(first_vectors[6], (7ull << 32) + 6);
	inferences = 0;
	expect_done(product(&bed));
	ck_assert_uint_eq(first_vectors[0], 8);
	bed_close(&bed);
}
END_TEST

START_TEST(bad_frames)
{
	const struct {
		int buffer;
		enum xla_type type;
		int64_t rank, dims[2];
		const char *text;
	} bad[] = {
		{0, XLA_S64, 2, {N_OUT, N_IN}, "argument 0 has XLA's type 5: must be float32"},
		{0, XLA_F32, 1, {N_IN, 0}, "W has 1 rows"},
		{0, XLA_F32, 2, {2 * N_OUT, N_IN}, "W has 6 rows: an array of 3 x 5 holds one matrix"},
		{0, XLA_F32, 2, {N_OUT, 4}, "last dimension 4: must be [..., 5]"},
		{1, XLA_F32, 0, {0, 0}, "argument 1 has rank 0"},
		{1, XLA_F32, 2, {4, 3}, "last dimension 3"},
		{1, XLA_F32, 2, {3, N_IN}, "3 vectors in, 4 out"},
		{2, XLA_F32, 2, {4, 4}, "result 0 has rank 2, last dimension 4"},
		{3, XLA_F32, 2, {2, N_IN}, "result 1 has 2 rows"},
		{4, XLA_F32, 1, {2, 0}, "the key has rank 1, XLA's type 11"},
		{4, XLA_U32, 2, {3, 2}, "6 numbers: must be uint32 [..., 2], one for each of 4 vectors"},
		{4, XLA_U32, 2, {4, 3}, "the key has rank 2"},
	};
	struct bed bed;

	bed_open(&bed, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct host host;

		product_frame(&host, &bed, 4, 0, 1);
		host_buffer(&host, &host.frame.args, XLA_U32, bed.key, DIMS(2));
		host.buffers[bad[i].buffer].type = (int)bad[i].type;
		host.buffers[bad[i].buffer].rank = bad[i].rank;
		memcpy(host.dims[bad[i].buffer], bad[i].dims, sizeof(bad[i].dims));
		expect_error(XLA_INVALID_ARGUMENT, bad[i].text, nmhal_py_xla_matmul(&host.frame));
	}
	ck_assert_uint_eq(inferences, 0);
	bed_close(&bed);
}
END_TEST

START_TEST(bad_attributes_and_places)
{
	struct bed bed;
	struct host host;

	bed_open(&bed, 0);
	product_frame(&host, &bed, 4, 0, 0);
	host.spans[0].text = "slow";
	expect_error(XLA_INVALID_ARGUMENT, "attribute slot is missing", nmhal_py_xla_matmul(&host.frame));
	product_frame(&host, &bed, 4, 0, 0);
	host.scalars[2].type = XLA_F32;
	expect_error(XLA_INVALID_ARGUMENT, "attribute used is missing, or no scalar of XLA's type 5",
		nmhal_py_xla_matmul(&host.frame));
	product_frame(&host, &bed, 4, 0, 0);
	host.integers[2] = 2;
	expect_error(XLA_INVALID_ARGUMENT, "used is 2 with 1 results", nmhal_py_xla_matmul(&host.frame));
	product_frame(&host, &bed, 4, 0, 0);
	host.integers[0] = 1 << 30;
	expect_error(XLA_FAILED_PRECONDITION, "not of this process", nmhal_py_xla_matmul(&host.frame));
	product_frame(&host, &bed, 4, 0, 0);
	host.frame.rets.count = 0;
	expect_error(XLA_INVALID_ARGUMENT, "no result", nmhal_py_xla_matmul(&host.frame));
	/* A program over several devices. */
	product_frame(&host, &bed, 4, 0, 0);
	this_ordinal = 1;
	expect_error(XLA_UNIMPLEMENTED, "on device 1 of XLA", nmhal_py_xla_matmul(&host.frame));
	/* Hosts that cannot tell are not asked. */
	host.api.version.minor = 1;
	expect_done(nmhal_py_xla_matmul(&host.frame));
	host.api.version.minor = 3;
	host.api.struct_size -= 8;
	host.api.device_ordinal = NULL;
	expect_done(nmhal_py_xla_matmul(&host.frame));
	bed_close(&bed);
}
END_TEST

START_TEST(failures_keep_their_kind)
{
	const struct {
		int status, code;
	} kinds[] = {{NMHAL_E_NO_DEVICE, XLA_NOT_FOUND}, {NMHAL_E_ACCESS, XLA_PERMISSION_DENIED},
		{NMHAL_E_BUSY, XLA_RESOURCE_EXHAUSTED}, {NMHAL_E_TIMEOUT, XLA_DEADLINE_EXCEEDED},
		{NMHAL_E_CANCELED, XLA_CANCELLED}, {NMHAL_E_UNSUPPORTED, XLA_UNIMPLEMENTED},
		{NMHAL_E_NO_MEMORY, XLA_RESOURCE_EXHAUSTED}, {NMHAL_E_IO, XLA_UNAVAILABLE},
		{NMHAL_E_PROTOCOL, XLA_DATA_LOSS}, {NMHAL_E_VERIFY, XLA_DATA_LOSS}, {NMHAL_E_OVERRUN, XLA_OUT_OF_RANGE},
		{NMHAL_E_STATE, XLA_FAILED_PRECONDITION}, {NMHAL_E_AGAIN, XLA_ABORTED},
		{NMHAL_E_VERSION, XLA_FAILED_PRECONDITION}, {NMHAL_E_LIMIT, XLA_OUT_OF_RANGE},
		{NMHAL_E_INTERLOCK, XLA_ABORTED}, {NMHAL_E_INTERNAL, XLA_INTERNAL}, {NMHAL_E_GONE, XLA_UNAVAILABLE}};
	struct bed bed;

	bed_open(&bed, 0);
	bed.x[3] = NAN;
	expect_error(XLA_INVALID_ARGUMENT, "x[0][3] is nan", product(&bed));
	bed.x[3] = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		fake_fail_next(&bed.board.fake, FAKE_RUN_INFERENCE, kinds[i].status);
		expect_error(kinds[i].code, "fake:board", product(&bed));
	}
	bed_close(&bed);
}
END_TEST

START_TEST(updates)
{
	struct bed bed;
	float expected[N_OUT * N_IN];

	bed_open(&bed, 0);
	bed.dw[1] = 1.4f;
	bed.dw[2] = -0.4f; /* below half a step */
	bed.w[1] = 2;
	memcpy(expected, bed.w, sizeof(expected));
	expected[1] = 3;
	expect_done(update(&bed)); /* programs first */
	ck_assert_mem_eq(bed.used, expected, sizeof(expected));
	ck_assert_int_eq(*fake_code(&bed.board.fake, 0, 1, 0), 3);
	ck_assert_uint_eq(CALLS(&bed.board, FAKE_ADD_CELLS), 1);
	/* The result is resident. */
	memcpy(bed.w, bed.used, sizeof(bed.w));
	expect_done(product(&bed));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	ck_assert_uint_eq(stats_of(bed.array).hits, 1);
	bed_close(&bed);
}
END_TEST

START_TEST(strict_arrays)
{
	struct bed bed;
	float old[N_OUT * N_IN];

	bed_open(&bed, NMHAL_ARRAY_STRICT);
	expect_done(product(&bed)); /* the first one */
	memcpy(old, bed.w, sizeof(old));
	/* The largest weight shrinks: quantised anew, the result would have other codes. It is not. */
	bed.dw[0] = bed.w[0] > 0 ? -3 : 3;
	expect_done(update(&bed));
	memcpy(bed.w, bed.used, sizeof(old));
	expect_done(product(&bed));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	bed.dw[0] = 0;
	expect_done(update(&bed));
	ck_assert_mem_eq(bed.used, bed.w, sizeof(old));
	/* What was updated is stale, for products and updates. */
	memcpy(bed.w, old, sizeof(old));
	expect_error(XLA_FAILED_PRECONDITION, "the array is strict", product(&bed));
	expect_error(XLA_FAILED_PRECONDITION, "it was updated since", update(&bed));
	memcpy(bed.w, bed.used, sizeof(old));
	expect_done(update(&bed));
	/* The first call may be an update. */
	bed_close(&bed);
	bed_open(&bed, NMHAL_ARRAY_STRICT);
	expect_done(update(&bed));
	ck_assert_mem_eq(bed.used, bed.w, sizeof(old));
	bed_close(&bed);
}
END_TEST

START_TEST(slots_outlive_arrays)
{
	struct bed bed;
	int64_t next;

	bed_open(&bed, 0);
	expect_done(product(&bed));
	nmhal_py_array_free(bed.array);
	expect_error(XLA_FAILED_PRECONDITION, "was freed", product(&bed));
	next = nmhal_py_slot_new();
	ck_assert_int_gt(next, bed.slot);
	bed.array = new_array(&bed.board, N_OUT, N_IN, NMHAL_ARRAY_ONE_SLICE, 0);
	bed_bind(&bed, 0);
	expect_done(product(&bed));
	expect_product(bed.w, bed.x, bed.y, N_OUT, N_IN, 4);
	nmhal_py_slot_bind(1 << 30, bed.array, 1, 1, NULL, NULL, 0); /* no such slot: nothing */
	nmhal_py_array_free(NULL);
	bed_close(&bed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {registration, products, weights_that_were_used, vectors_are_numbered, bad_frames,
		bad_attributes_and_places, failures_keep_their_kind, updates, strict_arrays, slots_outlive_arrays};

	return run_tests("xla", tests, sizeof(tests) / sizeof(*tests));
}
