/* SPDX-License-Identifier: MIT */
/*
 * Random sequences of calls on arrays that share boards with each other and with calls that are not theirs, against the
 * model: every result has its bits, and a call fails only for a reason.
 *
 * usage: test_array_random [CASES [FIRST_SEED]]
 */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "tests/array/model.h"

#define ARRAYS	   3u
#define STEPS	   40u
#define THREADS	   3u
#define MAX_BATCH  3u
#define MAX_STRIDE (MODEL_SIDE + 3u)
#define OK(call)   ck_assert_msg((call) == NMHAL_OK, "seed %u: %s: %s", at->seed, #call, nmhal_last_error())
#define MUST(condition)                                                                                                \
	ck_assert_msg(condition, "seed %u, step %u, array %u (%u x %u, flags 0x%x): %s: %s", at->seed, at->step,       \
		at->which, one->model.n_out, one->model.n_in, one->flags, #condition, nmhal_last_error())

static unsigned case_count = 60, first_seed = 1;

struct one {
	nmhal_array *array;
	struct model model;
	uint32_t flags;
	bool disturbed; /* somebody may have written to its tiles since they were last brought there */
	uint64_t clamped;
};

/* One case. */
struct at {
	unsigned seed, step, which;
	uint64_t random;
	nmhal_context *ctx;
	nmhal_device *devs[2];
	uint32_t dev_count;
	struct nmhal_device_caps caps;
	uint32_t also; /* flags of all arrays */
	bool alone;    /* are there no calls past the arrays? */
	struct one ones[ARRAYS];
};

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

static uint32_t next(struct at *at, uint32_t below)
{
	at->random = at->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((at->random >> 33) % below);
}

static bool one_in(struct at *at, uint32_t n)
{
	return next(at, n) == 0;
}

/* Of a size that is drawn once for a matrix: mostly ordinary numbers, with zeros of both signs. */
static float number(struct at *at, float size)
{
	const float v = (float)((int32_t)next(at, 2000001) - 1000000) * 1e-6f * size;

	return one_in(at, 12) ? copysignf(0, v) : one_in(at, 20) ? v * 1e-3f : v;
}

static float size_of(struct at *at)
{
	static const float sizes[] = {1, 1, 1, 100, 1e-3f, 1e-20f, 1e20f, 1e-39f, 1e-44f, 1e30f, 1e35f, FLT_MAX};

	return sizes[next(at, sizeof(sizes) / sizeof(*sizes))];
}

static void fill(struct at *at, float *v, uint32_t rows, uint32_t cols, size_t stride)
{
	const float size = size_of(at);

	for (uint32_t r = 0; r < rows; r++) {
		const bool empty = one_in(at, 10);

		for (uint32_t c = 0; c < stride; c++)
			v[r * stride + c] = c >= cols ? NAN : empty ? 0 : number(at, size);
	}
}

/* ---- what the arrays are asked ----------------------------------------------------------------------------------- */

/* The tiles hold what the model does, as far as one can know. */
static bool may_be_gone(const struct one *one)
{
	return one->disturbed && !(one->flags & (NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES));
}

/* A matrix for a product: new, or what the array has, perhaps with a change. */
static void draw_matrix(struct at *at, struct one *one, float *w, size_t stride)
{
	const struct model *m = &one->model;

	fill(at, w, m->n_out, m->n_in, stride);
	if (!m->has_w || one_in(at, 4))
		return;
	for (uint32_t o = 0; o < m->n_out; o++)
		memcpy(w + o * stride, m->w[o], m->n_in * sizeof(*w));
	for (uint32_t changes = next(at, 3); changes; changes--)
		w[next(at, m->n_out) * stride + next(at, m->n_in)] *= one_in(at, 2) ? 1.001f : 0.7f;
}

static void check_product(struct at *at, struct one *one, const struct nmhal_product *op, int status)
{
	const struct model *m = &one->model;
	const bool transposed = op->flags & NMHAL_PRODUCT_TRANSPOSED;
	const uint32_t outputs = transposed ? m->n_in : m->n_out;
	int expected = NMHAL_OK;

	for (uint32_t b = 0; b < op->batch; b++) {
		float y[MODEL_SIDE];
		const int of_vector = model_product(m, op->x + b * op->x_stride, transposed, y);

		expected = expected ? expected : of_vector;
		if (!status)
			MUST(!memcmp(y, op->y + b * op->y_stride, outputs * sizeof(*y)) || of_vector);
		for (size_t k = outputs; k < op->y_stride; k++)
			MUST(op->y[b * op->y_stride + k] == -1234);
	}
	MUST(status == expected);
}

static void multiply(struct at *at, struct one *one)
{
	struct model *m = &one->model;
	const bool transposed = m->caps.features & NMHAL_CAN_INFER_TRANSPOSED && one_in(at, 3);
	const uint32_t in = transposed ? m->n_out : m->n_in, out = transposed ? m->n_in : m->n_out;
	float w[MODEL_SIDE * MAX_STRIDE], x[MAX_BATCH * MAX_STRIDE], y[MAX_BATCH * MAX_STRIDE];
	struct nmhal_product op = {.struct_size = sizeof(op), .x = x, .y = y, .batch = 1 + next(at, MAX_BATCH)};
	const bool strict = one->flags & NMHAL_ARRAY_STRICT;
	int status, expected = NMHAL_OK;

	op.w_stride = m->n_in + next(at, 3);
	op.x_stride = in + next(at, 3);
	op.y_stride = out + next(at, 3);
	op.flags = transposed ? NMHAL_PRODUCT_TRANSPOSED : 0;
	for (size_t k = 0; k < MAX_BATCH * MAX_STRIDE; k++)
		y[k] = -1234;
	fill(at, x, op.batch, in, op.x_stride);
	if (!one_in(at, 3)) {
		draw_matrix(at, one, w, op.w_stride);
		op.w = w;
	}
	status = nmhal_array_matmul(one->array, &op);
	expected = op.w ? model_take(m, w, op.w_stride, strict) : m->has_w ? NMHAL_OK : NMHAL_E_STATE;
	if (expected) {
		MUST(status == expected);
		return;
	}
	if (status == NMHAL_E_STATE && may_be_gone(one) && (!op.w || strict))
		return;
	check_product(at, one, &op, status);
	if (op.w && !strict)
		one->disturbed = status != NMHAL_OK;
}

static void program(struct at *at, struct one *one)
{
	float w[MODEL_SIDE * MAX_STRIDE];
	const size_t stride = one->model.n_in + next(at, 3);
	int status, expected;

	draw_matrix(at, one, w, stride);
	status = nmhal_array_program(one->array, w, stride, one_in(at, 2) ? NMHAL_PROGRAM_VERIFY : 0, 0);
	expected = model_take(&one->model, w, stride, false);
	MUST(status == expected);
	one->disturbed = one->disturbed && status;
}

/* Mostly below a step, up to four times the range. */
static float step_of(struct at *at, const struct model *m, uint32_t out)
{
	const float steps = (float)(one_in(at, 2) ? 1 : 1 + next(at, 4 * (uint32_t)m->q_max));

	return number(at, fminf(m->scale[out] * steps, FLT_MAX));
}

static void update(struct at *at, struct one *one)
{
	struct model *m = &one->model, before = *m;
	float dw[MODEL_SIDE * MAX_STRIDE];
	const size_t stride = m->n_in + next(at, 3);
	struct nmhal_array_stats stats = {.struct_size = sizeof(stats)};
	uint64_t clamped = 0;
	int status, expected;

	fill(at, dw, m->n_out, m->n_in, stride);
	for (uint32_t o = 0; o < m->n_out && !one_in(at, 4); o++)
		for (uint32_t i = 0; i < m->n_in; i++)
			dw[o * stride + i] = one_in(at, 3) ? 0 : step_of(at, m, o);
	status = nmhal_array_update(one->array, dw, stride, 0);
	expected = model_update(m, dw, stride, &clamped);
	if (expected || (status == NMHAL_E_STATE && may_be_gone(one))) {
		MUST(status == expected || status == NMHAL_E_STATE);
		*m = before;
		return;
	}
	MUST(status == NMHAL_OK);
	one->clamped += clamped;
	OK(nmhal_array_get_stats(one->array, &stats));
	MUST(stats.clipped_weights == one->clamped);
}

static void read(struct at *at, struct one *one)
{
	const struct model *m = &one->model;
	float w[MODEL_SIDE * MAX_STRIDE];
	const size_t stride = m->n_in + next(at, 3);
	const bool from_device = one_in(at, 2);
	const int status = from_device ? nmhal_array_read(one->array, w, stride, 0)
				       : nmhal_array_quantise(one->array, NULL, stride, w, NULL);

	if (!m->has_w || (from_device && status == NMHAL_E_STATE && may_be_gone(one))) {
		MUST(status == NMHAL_E_STATE);
		return;
	}
	MUST(status == NMHAL_OK);
	for (uint32_t o = 0; o < m->n_out; o++)
		for (uint32_t i = 0; i < m->n_in; i++)
			MUST(w[o * stride + i] == model_value(m, o, i)); /* NOLINT: exact */
}

/* ---- calls past the arrays --------------------------------------------------------------------------------------- */

static struct nmhal_region draw_region(struct at *at, const struct nmhal_device_caps *caps)
{
	struct nmhal_region region = {.core = next(at, caps->cores < 3 ? caps->cores : 3)};

	region.rows = 1 + next(at, 8);
	region.cols = one_in(at, 3) ? caps->cols : 1 + next(at, 8);
	region.row = next(at, (caps->rows < MODEL_SIDE ? caps->rows : MODEL_SIDE) - region.rows + 1);
	region.col = region.cols == caps->cols
			     ? 0
			     : next(at, (caps->cols < MODEL_SIDE ? caps->cols : MODEL_SIDE) - region.cols + 1);
	return region;
}

static void interfere(struct at *at)
{
	nmhal_device *dev = at->devs[next(at, at->dev_count)];
	const struct nmhal_region region = draw_region(at, &at->caps);
	int8_t *codes = calloc(region.rows, region.cols);
	const struct nmhal_program op = {.struct_size = sizeof(op),
		.region = region,
		.codes = codes,
		.code_type = NMHAL_CODE_I8,
		.flags = one_in(at, 2) ? NMHAL_PROGRAM_ONLY_CHANGED : 0};

	ck_assert_ptr_nonnull(codes);
	for (size_t k = 0; k < (size_t)region.rows * region.cols; k++)
		codes[k] = (int8_t)(one_in(at, 2) ? 0 : (int32_t)next(at, 15) - 7);
	if (one_in(at, 4))
		OK(nmhal_read_weights(dev, &region, codes, 0, NMHAL_CODE_I8, 0));
	else if (one_in(at, 2))
		OK(nmhal_update_weights(dev, &op, NULL));
	else if (one_in(at, 6) && at->caps.features & NMHAL_CAN_RESET)
		OK(nmhal_device_reset(dev, 0));
	else
		OK(nmhal_program_weights(dev, &op, NULL));
	free(codes);
	for (unsigned a = 0; a < ARRAYS; a++)
		at->ones[a].disturbed = true;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static const char *const boards[] = {
	"sim:xbar8", "sim:xbar64", "sim:xbar256", "sim:tinyodin", "sim:xbar8", "sim:xbar64"};

static void make(struct at *at, struct one *one)
{
	static const uint32_t flags[] = {0, NMHAL_ARRAY_STRICT, NMHAL_ARRAY_SHARE, NMHAL_ARRAY_PASSES};
	struct nmhal_array_options options = NMHAL_ARRAY_OPTIONS_INIT;
	const uint32_t n_out = 1 + next(at, MODEL_SIDE), n_in = 1 + next(at, MODEL_SIDE);
	int status;

	options.encoding = one_in(at, 3) ? NMHAL_ARRAY_TWO_SLICES : NMHAL_ARRAY_ONE_SLICE;
	options.flags = at->also | flags[next(at, 4)] | flags[next(at, 4)];
	status = nmhal_array_new(at->devs, at->dev_count, n_out, n_in, &options, &one->array);
	if (status == NMHAL_E_LIMIT) { /* then as it always can be made */
		options.flags |= NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES;
		status = nmhal_array_new(at->devs, at->dev_count, n_out, n_in, &options, &one->array);
	}
	if (status != NMHAL_OK) { /* all tiles are somebody's own */
		ck_assert_int_eq(status, NMHAL_E_LIMIT);
		return;
	}
	one->flags = options.flags;
	one->disturbed = false;
	one->clamped = 0;
	model_init(&one->model, &at->caps, n_out, n_in, options.encoding == NMHAL_ARRAY_TWO_SLICES ? 2 : 1);
}

static void step(struct at *at)
{
	struct one *one = &at->ones[at->which];

	if (!one->array || one_in(at, 40)) {
		nmhal_array_free(one->array);
		one->array = NULL;
		make(at, one);
	} else if (!at->alone && one_in(at, 8)) {
		interfere(at);
	} else {
		static void (*const calls[])(struct at * at, struct one * one) = {
			multiply, multiply, multiply, program, update, update, read};

		calls[next(at, 7)](at, one);
	}
}

static void open_boards(struct at *at, unsigned seed)
{
	at->seed = seed;
	at->random = seed;
	(void)next(at, 2);
	at->alone = one_in(at, 2);
	at->dev_count = 1 + next(at, 2);
	OK(nmhal_context_new(NULL, &at->ctx));
	for (uint32_t d = 0; d < at->dev_count; d++)
		OK(nmhal_device_open(at->ctx, boards[seed % (sizeof(boards) / sizeof(*boards))], NULL, &at->devs[d]));
	at->caps.struct_size = sizeof(at->caps);
	OK(nmhal_device_caps(at->devs[0], &at->caps));
}

static void close_boards(struct at *at)
{
	for (uint32_t d = 0; d < at->dev_count; d++)
		nmhal_device_unref(at->devs[d]);
	nmhal_context_unref(at->ctx);
}

static void *run(void *arg)
{
	struct at *at = arg;

	for (at->step = 0; at->step < STEPS; at->step++) {
		at->which = next(at, ARRAYS);
		step(at);
	}
	for (unsigned a = 0; a < ARRAYS; a++)
		nmhal_array_free(at->ones[a].array);
	return NULL;
}

START_TEST(random_calls)
{
	struct at *at = calloc(1, sizeof(*at));

	ck_assert_ptr_nonnull(at);
	open_boards(at, first_seed + (unsigned)_i);
	run(at);
	close_boards(at);
	free(at);
}
END_TEST

/* Each with arrays of its own, that share the tiles with all others. */
START_TEST(random_calls_of_threads)
{
	struct at *ats = calloc(THREADS, sizeof(*ats)), *at = ats;
	pthread_t threads[THREADS];

	ck_assert_ptr_nonnull(ats);
	open_boards(at, first_seed + (unsigned)_i);
	at->also = NMHAL_ARRAY_SHARE | NMHAL_ARRAY_PASSES;
	for (unsigned t = 0; t < THREADS; t++) {
		ats[t] = ats[0];
		ats[t].random += t;
		ats[t].alone = false;
	}
	for (unsigned t = 0; t < THREADS; t++)
		ck_assert_int_eq(pthread_create(&threads[t], NULL, run, &ats[t]), 0);
	for (unsigned t = 0; t < THREADS; t++)
		ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
	close_boards(at);
	free(ats);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *tcase = tcase_create("random");
	Suite *suite = suite_create("array");
	SRunner *runner;
	int failed;

	if (argc > 1)
		case_count = (unsigned)strtoul(argv[1], NULL, 0);
	if (argc > 2)
		first_seed = (unsigned)strtoul(argv[2], NULL, 0);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, random_calls, 0, (int)case_count);
	tcase_add_loop_test(tcase, random_calls_of_threads, 0, (int)(case_count + 5) / 6);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
