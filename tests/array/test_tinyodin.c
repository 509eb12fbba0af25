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

/* Random weights in a corner of the chip, and small inputs, whose sums stay inside 12 bits. */
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
	check_products("sim:tinyodin", 6, 8);
}
END_TEST

START_TEST(products_are_exact_over_the_pins)
{
	check_products("sim:tinyodin,via=ftdi", 3, 2);
}
END_TEST

/* Sums that pass a rail on their way are refused, also when they would come back. */
START_TEST(saturation_is_refused)
{
	const int16_t codes[3][2] = {{7, 1}, {7, -1}, {-7, 0}}, in[3] = {127, 127, 127};
	const struct nmhal_region region = {.rows = 3, .cols = 2};
	const struct nmhal_program program = {
		.struct_size = sizeof(program), .region = region, .codes = codes, .code_type = NMHAL_CODE_I16};
	int16_t out[2];
	const struct nmhal_inference op = {.struct_size = sizeof(op),
		.region = region,
		.in = in,
		.out = out,
		.batch = 1,
		.in_type = NMHAL_CODE_I16,
		.out_type = NMHAL_CODE_I16};
	struct chip chip;

	chip_open(&chip, "sim:tinyodin");
	OK(nmhal_program_weights(chip.dev, &program, NULL));
	OK(nmhal_run_inference(chip.dev, &op)); /* 1778, 889: inside */
	ck_assert_int_eq(out[0], 889);
	ck_assert_int_eq(out[1], 0);
	struct nmhal_cell more = {.row = 3, .code = 7};
	const struct nmhal_program row = {.struct_size = sizeof(row), .cells = &more, .cell_count = 1};
	const int16_t four[4] = {127, 127, 0, 127};
	struct nmhal_inference wider = op;
	OK(nmhal_program_weights(chip.dev, &row, NULL));
	wider.region.rows = 4;
	wider.in = four;
	ck_assert_int_eq(nmhal_run_inference(chip.dev, &wider), NMHAL_E_LIMIT);
	ck_assert_msg(strstr(nmhal_last_error(), "potential of neuron 0 would be 2667 after row 3") != NULL, "%s",
		nmhal_last_error());
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

int main(void)
{
	TCase *tcase = tcase_create("tinyodin");
	Suite *suite = suite_create("array");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, products_are_exact);
	tcase_add_test(tcase, products_are_exact_over_the_pins);
	tcase_add_test(tcase, saturation_is_refused);
	tcase_add_test(tcase, no_transposed_product);
	tcase_add_test(tcase, array_on_the_chip);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
