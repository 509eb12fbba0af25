/* SPDX-License-Identifier: MIT */
/* A device made of three functions, and arrays on it. */
#include <float.h>
#include <stdlib.h>

#include "tests/unit/array_board.h"

/* What a user of xbarax has: three functions without status. The device rounds what it is given to quarters. */
static void round_to_quarters(float *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		w[i] = (float)(int)(w[i] * 4) / 4;
}

static void mine_multiply(const float *w, const float *x, float *y, unsigned out, unsigned in)
{
	for (unsigned o = 0; o < out; o++) {
		y[o] = 0;
		for (unsigned i = 0; i < in; i++)
			y[o] += w[o * in + i] * x[i];
	}
}

static void mine_add(const float *w, const float *dw, float *w_new, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		w_new[i] = w[i] + dw[i];
	round_to_quarters(w_new, n);
}

static void mine_write(float *w, unsigned out, unsigned in)
{
	round_to_quarters(w, out * in);
}

static void keep(float *w, unsigned out, unsigned in)
{
	(void)w;
	(void)out;
	(void)in;
}

/* The same with status, for a device that counts and fails. */
struct lab {
	unsigned multiplies, adds, writes;
	int status;
};

static int lab_multiply(void *user, const float *w, const float *x, float *y, unsigned out, unsigned in)
{
	struct lab *lab = user;

	lab->multiplies++;
	mine_multiply(w, x, y, out, in);
	return lab->status;
}

static int lab_add(void *user, const float *w, const float *dw, float *w_new, unsigned n)
{
	struct lab *lab = user;

	lab->adds++;
	mine_add(w, dw, w_new, n);
	return lab->status;
}

static int lab_write(void *user, float *w, unsigned out, unsigned in)
{
	struct lab *lab = user;

	lab->writes++;
	mine_write(w, out, in);
	return lab->status;
}

static const char *lab_explain(void *user)
{
	const struct lab *lab = user;

	return lab->multiplies ? "the lamp\nis off" : NULL;
}

static struct nmhal_functions lab_functions(struct lab *lab)
{
	return (struct nmhal_functions){.struct_size = sizeof(struct nmhal_functions),
		.board = "lab",
		.max_out = 2,
		.max_in = 3,
		.try_multiply = lab_multiply,
		.try_add = lab_add,
		.try_write = lab_write,
		.user = lab,
		.explain = lab_explain};
}

struct bed {
	const struct nmhal_driver *driver;
	nmhal_context *ctx;
	nmhal_device *dev;
	nmhal_array *array;
};

static void bed_open(struct bed *bed, const struct nmhal_functions *functions, const char *uri, uint32_t flags)
{
	const struct nmhal_array_options options = {sizeof(options), 0, flags};

	bed->ctx = fake_context();
	assert_ok(nmhal_driver_from_functions(functions, &bed->driver));
	assert_ok(nmhal_context_add_driver(bed->ctx, bed->driver));
	assert_ok(nmhal_device_open(bed->ctx, uri, NULL, &bed->dev));
	assert_ok(nmhal_array_new(&bed->dev, 1, 2, 3, &options, &bed->array));
}

static void bed_close(struct bed *bed)
{
	nmhal_array_free(bed->array);
	nmhal_device_unref(bed->dev);
	nmhal_context_unref(bed->ctx);
	nmhal_driver_free_functions(bed->driver);
}

static const struct nmhal_functions mine = {.struct_size = sizeof(mine),
	.board = "mine",
	.max_out = 8,
	.max_in = 8,
	.multiply = mine_multiply,
	.add = mine_add,
	.write = mine_write};
static const float w[6] = {1, 2.3f, -0.7f, 0.1f, 0, 5};
static const float achieved[6] = {1, 2.25f, -0.5f, 0, 0, 5};

START_TEST(numbers_pass_as_they_are)
{
	const float x[2][3] = {{1, 10, 100}, {1e-3f, 0, 7}};
	float y[2][2], expected[2], read[6];
	struct bed bed;

	bed_open(&bed, &mine, "mine:", 0);
	assert_ok(multiply(bed.array, w, &x[0][0], 2, &y[0][0], 0));
	for (int b = 0; b < 2; b++) {
		mine_multiply(achieved, x[b], expected, 2, 3);
		ck_assert_mem_eq(y[b], expected, sizeof(expected));
	}
	assert_ok(nmhal_array_read(bed.array, read, 0, 0));
	ck_assert_mem_eq(read, achieved, sizeof(read));
	ck_assert_uint_eq(stats_of(bed.array).writes, 1);
	assert_ok(multiply(bed.array, w, &x[0][0], 1, y[0], 0)); /* the same value: not written again */
	ck_assert_uint_eq(stats_of(bed.array).writes, 1);
	ck_assert_uint_eq(stats_of(bed.array).hits, 1);
	bed_close(&bed);
}
END_TEST

START_TEST(the_device_adds)
{
	const float dw[6] = {0.3f, 0, 0, 0, 0.25f, -1}, sum[6] = {1.25f, 2.25f, -0.5f, 0, 0.25f, 4};
	const struct nmhal_functions no_add = {.struct_size = sizeof(no_add),
		.board = "noadd",
		.max_out = 2,
		.max_in = 3,
		.multiply = mine_multiply,
		.write = mine_write};
	float read[6], x[3] = {1, 2, 3}, y[2], expected[2];

	for (int k = 0; k < 2; k++) {
		struct bed bed;

		bed_open(&bed, k ? &no_add : &mine, k ? "noadd:" : "mine:", 0);
		assert_fails(NMHAL_E_STATE, "program them", nmhal_array_update(bed.array, dw, 0, 0));
		assert_ok(nmhal_array_program(bed.array, w, 0, 0, 0));
		assert_ok(nmhal_array_update(bed.array, dw, 0, 0));
		assert_ok(nmhal_array_read(bed.array, read, 0, 0));
		ck_assert_mem_eq(read, sum, sizeof(read));
		assert_ok(multiply(bed.array, NULL, x, 1, y, 0));
		mine_multiply(sum, x, expected, 2, 3);
		ck_assert_mem_eq(y, expected, sizeof(y));
		bed_close(&bed);
	}
}
END_TEST

START_TEST(functions_explain_themselves)
{
	struct lab lab = {.status = NMHAL_E_INTERLOCK};
	const struct nmhal_functions functions = lab_functions(&lab);
	float x[3] = {1, 2, 3}, y[2];
	struct bed bed;

	bed_open(&bed, &functions, "lab:", 0);
	assert_fails(NMHAL_E_INTERLOCK, "write 2 x 3: the function returned NMHAL_E_INTERLOCK",
		nmhal_array_program(bed.array, w, 0, 0, 0));
	lab.status = 0;
	assert_ok(nmhal_array_program(bed.array, w, 0, 0, 0));
	lab.status = NMHAL_E_INTERLOCK;
	assert_fails(NMHAL_E_INTERLOCK, "multiply 2 x 3: the function returned NMHAL_E_INTERLOCK: the lamp?is off",
		multiply(bed.array, NULL, x, 1, y, 0));
	bed_close(&bed);
}
END_TEST

START_TEST(status_comes_through)
{
	struct lab lab = {0};
	const struct nmhal_functions functions = lab_functions(&lab);
	float x[6] = {1, 2, 3, 4, 5, 6}, y[4];
	struct bed bed;

	bed_open(&bed, &functions, "lab:", NMHAL_ARRAY_STRICT);
	assert_fails(NMHAL_E_STATE, "strict", multiply(bed.array, w, x, 2, y, 0));
	lab.status = NMHAL_E_IO;
	assert_fails(NMHAL_E_IO, "lab:: write 2 x 3: the function returned NMHAL_E_IO",
		nmhal_array_program(bed.array, w, 0, 0, 0));
	lab.status = 0;
	assert_ok(nmhal_array_program(bed.array, w, 0, 0, 0));
	assert_ok(multiply(bed.array, w, x, 2, y, 0));
	ck_assert(lab.writes == 2 && lab.multiplies == 2 && lab.adds == 0);
	lab.status = NMHAL_E_GONE;
	assert_fails(NMHAL_E_GONE, "multiply 2 x 3", multiply(bed.array, NULL, x, 1, y, 0));
	assert_fails(NMHAL_E_GONE, "gone", multiply(bed.array, NULL, x, 1, y, 0));
	bed_close(&bed);
	lab = (struct lab){.status = 5};
	bed_open(&bed, &functions, "lab:", 0);
	assert_fails(NMHAL_E_INTERNAL, "returned 5, no status", multiply(bed.array, w, x, 1, y, 0));
	bed_close(&bed);
}
END_TEST

/* A sum that broke off: the matrix is what it was, and is written again. */
START_TEST(failed_add_is_made_good)
{
	struct lab lab = {0};
	const struct nmhal_functions functions = lab_functions(&lab);
	const float dw[6] = {1, 1, 1, 1, 1, 1};
	float x[3] = {1, 2, 3}, y[2], expected[2];
	struct bed bed;

	bed_open(&bed, &functions, "lab:", 0);
	assert_ok(nmhal_array_program(bed.array, achieved, 0, 0, 0));
	lab.status = NMHAL_E_IO;
	assert_fails(NMHAL_E_IO, "add 2 x 3", nmhal_array_update(bed.array, dw, 0, 0));
	lab.status = 0;
	assert_fails(NMHAL_E_STATE, "does not hold", multiply(bed.array, NULL, x, 1, y, 0));
	assert_ok(multiply(bed.array, achieved, x, 1, y, 0));
	mine_multiply(achieved, x, expected, 2, 3);
	ck_assert_mem_eq(y, expected, sizeof(y));
	ck_assert_uint_eq(lab.writes, 2);
	bed_close(&bed);
}
END_TEST

START_TEST(what_such_a_device_cannot)
{
	struct nmhal_array_quality quality = {.struct_size = sizeof(quality)};
	float x[3] = {1, 2, 3}, y[3];
	int16_t codes[64];
	struct bed bed;
	nmhal_array *other;

	bed_open(&bed, &mine, "mine:", 0);
	assert_fails(NMHAL_E_UNSUPPORTED, "transposed", multiply(bed.array, w, x, 1, y, NMHAL_PRODUCT_TRANSPOSED));
	assert_fails(NMHAL_E_UNSUPPORTED, "codes", nmhal_array_get_quality(bed.array, w, 0, &quality));
	assert_fails(NMHAL_E_UNSUPPORTED, "codes", nmhal_array_export_csv(bed.array, "map.csv", 0));
	assert_fails(
		NMHAL_E_UNSUPPORTED, "real numbers", nmhal_read_weights(bed.dev, NULL, codes, 0, NMHAL_CODE_I16, 0));
	assert_fails(NMHAL_E_LIMIT, "0 are free", nmhal_array_new(&bed.dev, 1, 2, 3, NULL, &other));
	nmhal_array_free(bed.array);
	bed.array = NULL;
	assert_fails(
		NMHAL_E_UNSUPPORTED, "one matrix of at most 8 x 8", nmhal_array_new(&bed.dev, 1, 9, 3, NULL, &other));
	bed_close(&bed);
}
END_TEST

START_TEST(bad_functions)
{
	const struct nmhal_driver *driver;
	struct nmhal_functions bad = mine;

	assert_fails(NMHAL_E_INVALID, "out is NULL", nmhal_driver_from_functions(&mine, NULL));
	assert_fails(NMHAL_E_INVALID, "struct nmhal_functions", nmhal_driver_from_functions(NULL, &driver));
	bad.board = "a:b";
	assert_fails(NMHAL_E_INVALID, "without ':'", nmhal_driver_from_functions(&bad, &driver));
	bad = mine;
	bad.max_in = 0;
	assert_fails(NMHAL_E_INVALID, "at least 1", nmhal_driver_from_functions(&bad, &driver));
	bad = mine;
	bad.multiply = NULL;
	assert_fails(NMHAL_E_INVALID, "either multiply or try_multiply", nmhal_driver_from_functions(&bad, &driver));
	bad = mine;
	bad.write = NULL;
	assert_fails(NMHAL_E_INVALID, "multiply goes with write", nmhal_driver_from_functions(&bad, &driver));
	bad = mine;
	bad.multiply = NULL;
	bad.try_multiply = lab_multiply;
	assert_fails(NMHAL_E_INVALID, "try_multiply goes with", nmhal_driver_from_functions(&bad, &driver));
	ck_assert_ptr_null(driver);
	nmhal_driver_free_functions(NULL);
}
END_TEST

/* ---- random calls ------------------------------------------------------------------------------------------------ */

struct user {
	nmhal_array *array;
	float w[6], held[6]; /* what it gave last, and what the device made of it */
	bool has_w;
};

static void draw(float *v, unsigned count, unsigned *seed)
{
	for (unsigned i = 0; i < count; i++) {
		*seed = *seed * 1103515245u + 12345u;
		v[i] = (float)((int)(*seed >> 16) % 2001 - 1000) / 100;
	}
}

/* Programming, what products with w do before: nothing, when w is what it was. */
static void give(struct user *user, const float *given)
{
	if (user->has_w && !memcmp(user->w, given, sizeof(user->w)))
		return;
	memcpy(user->w, given, sizeof(user->w));
	memcpy(user->held, given, sizeof(user->held));
	mine_write(user->held, 2, 3);
	user->has_w = true;
}

static void random_call(struct user *user, bool adds, unsigned *seed)
{
	const unsigned call = (*seed >> 20) % 5;
	float given[6], x[6], y[4], expected[4];

	draw(given, 6, seed);
	draw(x, 6, seed);
	if (call == 0 && user->has_w)
		memcpy(given, user->w, sizeof(given));
	if (call <= 2 && !(call == 2 && !user->has_w)) {
		assert_ok(multiply(user->array, call == 2 ? NULL : given, x, 2, y, 0));
		if (call != 2)
			give(user, given);
		for (int b = 0; b < 2; b++)
			mine_multiply(user->held, x + 3 * b, expected + 2 * b, 2, 3);
		ck_assert_mem_eq(y, expected, sizeof(y));
	} else if (!user->has_w) {
		assert_fails(NMHAL_E_STATE, "", multiply(user->array, NULL, x, 2, y, 0));
		assert_fails(NMHAL_E_STATE, "", nmhal_array_update(user->array, given, 0, 0));
		assert_fails(NMHAL_E_STATE, "", nmhal_array_read(user->array, given, 0, 0));
	} else if (call == 3) {
		assert_ok(nmhal_array_update(user->array, given, 0, 0));
		if (adds)
			mine_add(user->held, given, user->held, 6);
		else
			for (int i = 0; i < 6; i++)
				user->held[i] += given[i];
		round_to_quarters(user->held, 6);
		memcpy(user->w, user->held, sizeof(user->w));
	} else {
		assert_ok(nmhal_array_read(user->array, given, 0, 0));
		ck_assert_mem_eq(given, user->held, sizeof(given));
	}
}

/* Two arrays take turns on the device, which adds in even rounds. */
START_TEST(random_calls_in_turn)
{
	const struct nmhal_array_options share = {sizeof(share), 0, NMHAL_ARRAY_SHARE};

	for (unsigned round = 0; round < 20; round++) {
		struct nmhal_functions functions = mine;
		struct user users[2] = {0};
		unsigned seed = round;
		struct bed bed;

		if (round % 2)
			functions = (struct nmhal_functions){.struct_size = sizeof(functions),
				.board = "mine",
				.max_out = 8,
				.max_in = 8,
				.multiply = mine_multiply,
				.write = mine_write};
		bed_open(&bed, &functions, "mine:", NMHAL_ARRAY_SHARE);
		users[0].array = bed.array;
		assert_ok(nmhal_array_new(&bed.dev, 1, 2, 3, &share, &users[1].array));
		for (unsigned k = 0; k < 100; k++)
			random_call(&users[(seed >> 24) % 2], round % 2 == 0, &seed);
		nmhal_array_free(users[1].array);
		bed_close(&bed);
	}
}
END_TEST

START_TEST(sums_too_large_for_a_float)
{
	const float most[6] = {FLT_MAX, 1, 1, 1, 1, 1};
	float read[6];
	struct nmhal_functions functions = {.struct_size = sizeof(functions),
		.board = "mine",
		.max_out = 8,
		.max_in = 8,
		.multiply = mine_multiply,
		.write = keep};
	struct bed bed;

	bed_open(&bed, &functions, "mine:", 0);
	assert_ok(nmhal_array_program(bed.array, most, 0, 0, 0));
	assert_fails(NMHAL_E_INVALID, "W[0][0] is too large", nmhal_array_update(bed.array, most, 0, 0));
	assert_ok(nmhal_array_read(bed.array, read, 0, 0));
	ck_assert_mem_eq(read, most, sizeof(read));
	bed_close(&bed);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {numbers_pass_as_they_are, the_device_adds, status_comes_through,
		functions_explain_themselves, failed_add_is_made_good, what_such_a_device_cannot, bad_functions,
		random_calls_in_turn, sums_too_large_for_a_float};

	return run_tests("functions", tests, sizeof(tests) / sizeof(*tests));
}
