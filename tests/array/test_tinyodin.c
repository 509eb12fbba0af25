/* SPDX-License-Identifier: MIT */
/* Products on the emulated tinyODIN: codes through nmhal_run_inference(), matrices through arrays. */
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <nmhal/nmhal.h>

#define OK(call) ck_assert_msg((call) == NMHAL_OK, "%s: %s", #call, nmhal_last_error())
#define ROWS	 40
#define COLS	 30

struct chip {
	nmhal_context *ctx;
	nmhal_device *dev;
};

static void chip_open(struct chip *chip, const char *uri)
{
	OK(nmhal_context_new(NULL, &chip->ctx));
	OK(nmhal_device_open(chip->ctx, uri, NULL, &chip->dev));
}

static void chip_close(struct chip *chip)
{
	nmhal_device_unref(chip->dev);
	nmhal_context_unref(chip->ctx);
}

static int next(unsigned *seed, int max)
{
	*seed = *seed * 1103515245u + 12345u;
	return (int)(*seed >> 16) % (2 * max + 1) - max;
}

/* Random weights in a corner of the chip. */
static void check_products(const char *uri, int input_max, uint32_t batch)
{
	int16_t codes[ROWS][COLS], in[8][ROWS];
	int32_t out[8][COLS];
	uint8_t saturated[8][COLS];
	struct nmhal_neuron neurons[256], after[256];
	struct chip chip;
	unsigned seed = 7;
	const struct nmhal_region region = {.row = 200, .col = 100, .rows = ROWS, .cols = COLS};
	const struct nmhal_program program = {
		.struct_size = sizeof(program), .region = region, .codes = codes, .code_type = NMHAL_CODE_I16};
	const struct nmhal_inference op = {.struct_size = sizeof(op),
		.region = region,
		.in = in,
		.out = out,
		.saturated = &saturated[0][0],
		.batch = batch,
		.in_type = NMHAL_CODE_I16,
		.out_type = NMHAL_CODE_I32};

	chip_open(&chip, uri);
	for (int i = 0; i < ROWS * COLS; i++)
		codes[i / COLS][i % COLS] = (int16_t)next(&seed, 7);
	for (int i = 0; i < 8 * ROWS; i++)
		in[i / ROWS][i % ROWS] = (int16_t)next(&seed, input_max);
	for (int32_t n = 0; n < 256; n++)
		neurons[n] = (struct nmhal_neuron){
			.threshold = n, .leak = n % 128, .potential = n - 128, .enabled = n % 2 != 0};
	OK(nmhal_program_weights(chip.dev, &program, NULL));
	OK(nmhal_attr_set_int(chip.dev, "open_loop", 0));
	OK(nmhal_attr_set_int(chip.dev, "max_neuron", 99));
	OK(nmhal_set_neurons(chip.dev, 0, 0, 256, neurons, 0));
	OK(nmhal_run_inference(chip.dev, &op));
	for (uint32_t b = 0; b < batch; b++) {
		for (int c = 0; c < COLS; c++) {
			int32_t sum = 0;

			for (int r = 0; r < ROWS; r++)
				sum += in[b][r] * codes[r][c];
			ck_assert_int_eq(out[b][c], sum);
			ck_assert_uint_eq(saturated[b][c], 0);
		}
	}
	/* The caller's settings are back. */
	OK(nmhal_get_neurons(chip.dev, 0, 0, 256, after, 0));
	ck_assert_mem_eq(after, neurons, sizeof(after));
	int64_t value;
	OK(nmhal_attr_get_int(chip.dev, "open_loop", &value));
	ck_assert_int_eq(value, 0);
	OK(nmhal_attr_get_int(chip.dev, "max_neuron", &value));
	ck_assert_int_eq(value, 99);
	chip_close(&chip);
}

START_TEST(products_are_exact)
{
	check_products("sim:tinyodin", 6, 8);	/* sums stay inside 12 bits */
	check_products("sim:tinyodin", 127, 8); /* they do not */
}
END_TEST

START_TEST(products_are_exact_over_the_pins)
{
	check_products("sim:tinyodin,via=ftdi", 3, 2);
	check_products("sim:tinyodin,via=ftdi", 60, 1);
}
END_TEST

/* All inputs and weights at their ends: up from both rails, down, and over a rail and back. */
START_TEST(largest_sums_are_exact)
{
	static int16_t codes[256][4], in[256];
	const struct nmhal_region region = {.col = 252, .rows = 256, .cols = 4};
	const struct nmhal_program program = {
		.struct_size = sizeof(program), .region = region, .codes = codes, .code_type = NMHAL_CODE_I16};
	int32_t out[4];
	const struct nmhal_inference op = {.struct_size = sizeof(op),
		.region = region,
		.in = in,
		.out = out,
		.batch = 1,
		.in_type = NMHAL_CODE_I16,
		.out_type = NMHAL_CODE_I32};
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct chip chip;

	for (int row = 0; row < 256; row++) {
		in[row] = row < 128 ? 127 : -127;
		codes[row][0] = row < 128 ? -8 : 7;
		codes[row][1] = row < 128 ? 7 : -8;
		codes[row][2] = row % 128 < 64 ? 7 : -7;
		codes[row][3] = -8;
	}
	chip_open(&chip, "sim:tinyodin");
	OK(nmhal_program_weights(chip.dev, &program, NULL));
	OK(nmhal_run_inference(chip.dev, &op));
	ck_assert_int_eq(out[0], -15 * 127 * 128);
	ck_assert_int_eq(out[1], 15 * 127 * 128);
	ck_assert_int_eq(out[2], 0);
	ck_assert_int_eq(out[3], 0);
	OK(nmhal_device_caps(chip.dev, &caps));
	ck_assert_int_eq(caps.output_max, 8 * 127 * 256);
	ck_assert_int_eq(caps.output_min, -8 * 127 * 256);
	chip_close(&chip);
}
END_TEST

START_TEST(no_transposed_product)
{
	int16_t in[256] = {0}, out[256];
	const struct nmhal_inference op = {.struct_size = sizeof(op),
		.in = in,
		.out = out,
		.batch = 1,
		.in_type = NMHAL_CODE_I16,
		.out_type = NMHAL_CODE_I16,
		.flags = NMHAL_INFER_TRANSPOSED};
	struct chip chip;

	chip_open(&chip, "sim:tinyodin");
	ck_assert_int_eq(nmhal_run_inference(chip.dev, &op), NMHAL_E_UNSUPPORTED);
	chip_close(&chip);
}
END_TEST

/* An array on the chip: codes of 4 bits, so numbers that are codes come out exact. */
START_TEST(array_on_the_chip)
{
	float w[3][5] = {{7, -1, 0, 2, 3}, {-7, 4, 5, 6, -2}, {1, 1, -7, 0, 5}};
	const float x[2][5] = {{127, 1, 2, 3, 4}, {0, -127, 10, 20, 30}};
	const float expected[2][3] = {{906, -865, 134}, {257, -398, -47}};
	float y[2][3], read[3][5];
	struct nmhal_array_stats stats = {.struct_size = sizeof(stats)};
	const struct nmhal_product op = {
		.struct_size = sizeof(op), .w = &w[0][0], .x = &x[0][0], .y = &y[0][0], .batch = 2};
	nmhal_array *array;
	struct chip chip;

	chip_open(&chip, "sim:tinyodin");
	OK(nmhal_array_new(&chip.dev, 1, 3, 5, NULL, &array));
	OK(nmhal_array_matmul(array, &op));
	ck_assert_mem_eq(y, expected, sizeof(y));
	w[0][1] = -2;
	OK(nmhal_array_matmul(array, &op));
	ck_assert(y[0][0] == 905 && y[1][0] == 384);
	OK(nmhal_array_read(array, &read[0][0], 0, 0));
	ck_assert_mem_eq(read, w, sizeof(w));
	OK(nmhal_array_get_stats(array, &stats));
	ck_assert_uint_eq(stats.cells, 5 * 256 + 1);
	nmhal_array_free(array);
	chip_close(&chip);
}
END_TEST

/* Every weight and every input at the largest code: an input step is 1 / 127, a weight step 1 / 7 rounded up. */
START_TEST(array_of_ones)
{
	enum { OUT = 3, IN = 200 };
	float w[OUT][IN], x[IN], y[OUT], used[OUT][IN], expected = 0;
	const struct nmhal_product op = {.struct_size = sizeof(op), .w = &w[0][0], .x = x, .y = y, .batch = 1};
	nmhal_array *array;
	struct chip chip;

	for (int i = 0; i < IN; i++)
		w[0][i] = w[1][i] = w[2][i] = x[i] = 1;
	chip_open(&chip, "sim:tinyodin");
	OK(nmhal_array_new(&chip.dev, 1, OUT, IN, NULL, &array));
	OK(nmhal_array_matmul(array, &op));
	OK(nmhal_array_quantise(array, NULL, 0, &used[0][0], NULL));
	for (int i = 0; i < IN; i++)
		expected += used[0][i];
	for (int o = 0; o < OUT; o++)
		ck_assert_float_eq_tol(y[o], expected, 0.01f);
	nmhal_array_free(array);
	chip_close(&chip);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("tinyodin");
	Suite *suite = suite_create("array");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, products_are_exact);
	tcase_add_test(tcase, products_are_exact_over_the_pins);
	tcase_add_test(tcase, largest_sums_are_exact);
	tcase_add_test(tcase, no_transposed_product);
	tcase_add_test(tcase, array_on_the_chip);
	tcase_add_test(tcase, array_of_ones);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
