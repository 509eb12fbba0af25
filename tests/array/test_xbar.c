/* SPDX-License-Identifier: MIT */
/* Arrays on emulated analog boards: converters that clip, several tiles, several devices, noise. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <nmhal/nmhal.h>

#define OK(call) ck_assert_msg((call) == NMHAL_OK, "%s: %s", #call, nmhal_last_error())
#define BATCH	 3u

static nmhal_context *ctx;
static nmhal_device *devs[2];

static void setup(void)
{
	OK(nmhal_context_new(NULL, &ctx));
}

static void teardown(void)
{
	for (int d = 0; d < 2; d++) {
		nmhal_device_unref(devs[d]);
		devs[d] = NULL;
	}
	nmhal_context_unref(ctx);
}

static void open_boards(const char *uri, unsigned count)
{
	for (unsigned d = 0; d < count; d++)
		OK(nmhal_device_open(ctx, uri, NULL, &devs[d]));
}

static float next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return (float)((int)(*seed >> 16) % 2001 - 1000) / 1000;
}

struct matrices {
	uint32_t n_out, n_in;
	float *w, *x, *y;
};

static struct matrices random_matrices(uint32_t n_out, uint32_t n_in)
{
	struct matrices m = {n_out, n_in, calloc(n_out, n_in * sizeof(float)), calloc(BATCH, n_in * sizeof(float)),
		calloc(BATCH, n_out * sizeof(float))};
	unsigned seed = n_out * 1000 + n_in;

	ck_assert(m.w && m.x && m.y);
	for (uint32_t i = 0; i < n_out * n_in; i++)
		m.w[i] = next(&seed);
	for (uint32_t i = 0; i < BATCH * n_in; i++)
		m.x[i] = next(&seed);
	return m;
}

static void free_matrices(struct matrices *m)
{
	free(m->w);
	free(m->x);
	free(m->y);
}

static int multiply(nmhal_array *array, const struct matrices *m, const float *w, uint64_t first_vector)
{
	const struct nmhal_product op = {
		.struct_size = sizeof(op), .w = w, .x = m->x, .y = m->y, .batch = BATCH, .first_vector = first_vector};

	return nmhal_array_matmul(array, &op);
}

/* Relative error of y, against the product in double: what the converters of a board cost. */
static double error_of(const struct matrices *m)
{
	double error = 0, signal = 0;

	for (uint32_t b = 0; b < BATCH; b++) {
		for (uint32_t o = 0; o < m->n_out; o++) {
			double sum = 0, off;

			for (uint32_t i = 0; i < m->n_in; i++)
				sum += (double)m->w[o * m->n_in + i] * (double)m->x[b * m->n_in + i];
			off = (double)m->y[b * m->n_out + o] - sum;
			error += off * off;
			signal += sum * sum;
		}
	}
	return sqrt(error / signal);
}

START_TEST(ragged_matrices_come_close)
{
	const struct {
		const char *uri;
		uint32_t n_out, n_in, flags;
		double error;
	} cases[] = {
		{"sim:xbar8", 5, 8, 0, 0.05},
		{"sim:xbar64", 5, 9, 0, 0.25},
		{"sim:xbar64", 64, 64, 0, 0.25},
		{"sim:xbar64", 128, 128, 0, 0.25},
		{"sim:xbar256", 70, 300, 0, 0.1},
		{"sim:xbar256", 300, 70, 0, 0.1},
		{"sim:xbar64", 300, 70, NMHAL_ARRAY_PASSES, 0.25},
		{"sim:xbar1024", 700, 900, 0, 0.05},
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		const struct nmhal_array_options options = {sizeof(options), 0, cases[c].flags};
		struct matrices m = random_matrices(cases[c].n_out, cases[c].n_in);
		nmhal_array *array;

		open_boards(cases[c].uri, 1);
		OK(nmhal_array_new(devs, 1, m.n_out, m.n_in, &options, &array));
		OK(multiply(array, &m, m.w, 0));
		ck_assert_msg(error_of(&m) < cases[c].error, "%s, %u x %u: relative error %.3f", cases[c].uri, m.n_out,
			m.n_in, error_of(&m));
		nmhal_array_free(array);
		nmhal_device_unref(devs[0]);
		devs[0] = NULL;
		free_matrices(&m);
	}
}
END_TEST

/* The tiles' place makes no difference without noise. */
START_TEST(two_devices_give_the_bits_of_one)
{
	struct matrices m = random_matrices(100, 500);
	float *one = calloc(BATCH, m.n_out * sizeof(float));
	nmhal_array *array;

	ck_assert_ptr_nonnull(one);
	open_boards("sim:xbar256", 2);
	OK(nmhal_array_new(devs, 1, m.n_out, m.n_in, NULL, &array));
	OK(multiply(array, &m, m.w, 0));
	memcpy(one, m.y, BATCH * m.n_out * sizeof(float));
	nmhal_array_free(array);
	memset(m.y, 0, BATCH * m.n_out * sizeof(float));
	/* Three of the four tiles of the first one are taken: the second block goes to the other device. */
	nmhal_array *fill;
	OK(nmhal_array_new(devs, 1, 256, 768, NULL, &fill));
	OK(nmhal_array_new(devs, 2, m.n_out, m.n_in, NULL, &array));
	struct nmhal_array_place place = {.struct_size = sizeof(place)};
	OK(nmhal_array_locate(array, 0, 499, 0, &place));
	ck_assert_ptr_eq(place.dev, devs[1]);
	OK(multiply(array, &m, m.w, 0));
	ck_assert_mem_eq(one, m.y, BATCH * m.n_out * sizeof(float));
	nmhal_array_free(array);
	nmhal_array_free(fill);
	free(one);
	free_matrices(&m);
}
END_TEST

START_TEST(noise_follows_the_number_of_the_vector)
{
	struct matrices m = random_matrices(64, 64);
	float first[BATCH * 64];
	nmhal_array *array;

	open_boards("sim:xbar64,seed=7,noise=read", 1);
	OK(nmhal_array_new(devs, 1, 64, 64, NULL, &array));
	OK(multiply(array, &m, m.w, 1000));
	memcpy(first, m.y, sizeof(first));
	OK(multiply(array, &m, NULL, 2000));
	ck_assert_mem_ne(first, m.y, sizeof(first));
	OK(multiply(array, &m, m.w, 1000));
	ck_assert_mem_eq(first, m.y, sizeof(first));
	nmhal_array_free(array);
	free_matrices(&m);
}
END_TEST

START_TEST(transposed_products_come_close)
{
	const uint32_t n_out = 40, n_in = 60;
	struct matrices m = random_matrices(n_out, n_in);
	float x[40], y[60];
	const struct nmhal_product op = {
		.struct_size = sizeof(op), .w = m.w, .x = x, .y = y, .batch = 1, .flags = NMHAL_PRODUCT_TRANSPOSED};
	double error = 0, signal = 0;
	unsigned seed = 9;
	nmhal_array *array;

	for (uint32_t o = 0; o < n_out; o++)
		x[o] = next(&seed);
	open_boards("sim:xbar256", 1);
	OK(nmhal_array_new(devs, 1, n_out, n_in, NULL, &array));
	OK(nmhal_array_matmul(array, &op));
	for (uint32_t i = 0; i < n_in; i++) {
		double sum = 0;

		for (uint32_t o = 0; o < n_out; o++)
			sum += (double)m.w[o * n_in + i] * (double)x[o];
		error += ((double)y[i] - sum) * ((double)y[i] - sum);
		signal += sum * sum;
	}
	ck_assert_msg(sqrt(error / signal) < 0.15, "relative error %.3f", sqrt(error / signal));
	nmhal_array_free(array);
	free_matrices(&m);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("xbar");
	Suite *suite = suite_create("array");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, ragged_matrices_come_close);
	tcase_add_test(tcase, two_devices_give_the_bits_of_one);
	tcase_add_test(tcase, noise_follows_the_number_of_the_vector);
	tcase_add_test(tcase, transposed_products_come_close);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
