/* SPDX-License-Identifier: MIT */
/* The loops over floats and codes, whatever the machine runs them with: the bits of docs/arrays.md for every length. */
#include <float.h>
#include <math.h>

#include "hal/array.h"
#include "tests/unit/run.h"

#define LENGTH 100u

static float next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return (float)((int)(*seed >> 16) % 2001 - 1000) / 8;
}

/* Numbers of all kinds whose largest magnitude is 127: halves, that are ties when a code counts 1; tiny ones; -0. */
static void fill(float *x, size_t count, unsigned seed)
{
	const float special[] = {0.5f, -1.5f, 2.5f, -126.5f, -0.0f, FLT_MIN, -FLT_TRUE_MIN, 0x1.fffffep6f / 2};

	for (size_t i = 0; i < count; i++)
		x[i] = i % 3 ? next(&seed) : special[i / 3 % (sizeof(special) / sizeof(*special))];
	if (count)
		x[seed % count] = -127;
}

START_TEST(largest_of_every_length)
{
	float x[LENGTH];

	for (size_t count = 1; count <= LENGTH; count++) {
		fill(x, count, (unsigned)count);
		ck_assert(nm_array_largest(x, count) == 127);
		ck_assert_uint_eq(nm_array_not_finite(x, count), count);
		for (size_t at = 0; at < count; at += 7) {
			const float before = x[at];

			x[at] = at % 2 ? -INFINITY : NAN;
			ck_assert_uint_eq(nm_array_not_finite(x, count), at);
			x[at] = before;
		}
	}
	ck_assert(nm_array_largest(x, 0) == 0);
}
END_TEST

START_TEST(codes_of_every_length)
{
	const float tops[] = {127, 12.7f, 100, 0x1p-130f, FLT_MAX};
	float x[LENGTH];
	int8_t codes[LENGTH + 1];
	struct nmhal_array array = {.input_max = 127, .in_type = NMHAL_CODE_I8, .codes_in = codes};

	for (size_t t = 0; t < sizeof(tops) / sizeof(*tops); t++) {
		for (size_t count = 1; count <= LENGTH; count++) {
			float most, scale;

			fill(x, count, (unsigned)count);
			for (size_t i = 0; i < count; i++)
				x[i] = x[i] / 127 * tops[t];
			most = nm_array_largest(x, count);
			scale = most / 127 < FLT_MIN ? FLT_MIN : most / 127;
			codes[count] = 99;
			ck_assert(nm_array_encode(&array, x, most, count, 0) == scale);
			for (size_t i = 0; i < count; i++)
				ck_assert_int_eq(codes[i], (int)nearbyintf(x[i] / scale));
			ck_assert_int_eq(codes[count], 99);
		}
	}
}
END_TEST

START_TEST(numbers_of_every_length)
{
	int8_t codes[LENGTH + 3];
	float factor[LENGTH], y[LENGTH + 1];
	const struct nmhal_array array = {.out_type = NMHAL_CODE_I8, .codes_out = codes};

	for (size_t i = 0; i < sizeof(codes); i++)
		codes[i] = (int8_t)(i - 128);
	fill(factor, LENGTH, 5);
	for (size_t count = 0; count <= LENGTH; count++) {
		y[count] = 99;
		nm_array_decode(&array, 3, count, factor, 0.3f, y);
		for (size_t i = 0; i < count; i++) {
			const float product = (float)codes[3 + i] * factor[i], expected = product * 0.3f;

			ck_assert_mem_eq(&y[i], &expected, sizeof(expected));
		}
		ck_assert(y[count] == 99);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {largest_of_every_length, codes_of_every_length, numbers_of_every_length};

	return run_tests("array_codes", tests, sizeof(tests) / sizeof(*tests));
}
