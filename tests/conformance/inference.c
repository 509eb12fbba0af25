/* SPDX-License-Identifier: MIT */
/* Inference: the product, its axes, batches, clipping, refusals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define ROWS  3u
#define COLS  5u
#define BATCH 4u

static const int8_t codes[ROWS][COLS] = {{1, 2, 3, 4, 5}, {-1, -2, -3, -4, -5}, {7, 0, -6, 6, -7}};
static int32_t out[BATCH][COLS];

/* A product of the codes above, from cell (0, 0); the inputs and outputs are dense. */
static struct nmhal_inference product(const int8_t *in, uint32_t batch, int32_t *to)
{
	return (struct nmhal_inference){.struct_size = sizeof(struct nmhal_inference),
		.region = {.rows = ROWS, .cols = COLS}, .in = in, .out = to, .batch = batch,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I32};
}

/* Inputs of one bit suit any converter. */
static const int8_t inputs[BATCH][ROWS] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 1}};

START_TEST(rows_are_inputs_and_columns_are_outputs)
{
	struct nmhal_inference op = product(inputs[0], BATCH, out[0]);

	NEED_CAN(NMHAL_CAN_INFER);
	NEED(conf.caps.output_lsb == 1, "exact products");
	write_codes(0, 0, ROWS, COLS, codes[0]);
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t col = 0; col < COLS; col++) {
		for (uint32_t row = 0; row < ROWS; row++)
			ck_assert_int_eq(out[row][col], codes[row][col]);
		ck_assert_int_eq(out[3][col], codes[0][col] + codes[2][col]);
	}
}
END_TEST

/*
 * Outputs of an analog board lie about the exact products. Granted: as much as weights that miss their targets by the
 * tolerance, independently, make of it; an eighth of a product for gains and wires; a few codes for offsets and noise.
 */
START_TEST(outputs_are_near_the_exact_products)
{
	const uint32_t rows = conf.caps.rows, cols = conf.caps.cols;
	struct nmhal_inference op = {.struct_size = sizeof(op), .batch = 1, .in_type = NMHAL_CODE_I8,
		.out_type = NMHAL_CODE_I32};
	double squares = 0;
	int8_t *in, *all;
	int32_t *found;

	NEED_CAN(NMHAL_CAN_INFER);
	NEED(conf.caps.output_lsb > 1, "analog products");
	op.in = in = calloc(rows, 1);
	op.out = found = calloc(cols, sizeof(*found));
	all = calloc((size_t)rows * cols, 1);
	ck_assert(in && all && found);
	for (uint32_t row = 0; row < rows; row++) {
		in[row] = (int8_t)((int32_t)(row * 29 % 64) * conf.caps.input_max / 64);
		squares += in[row] * in[row];
		for (uint32_t col = 0; col < cols; col++)
			all[(size_t)row * cols + col] = (int8_t)((int32_t)((row * 5 + col * 11) % 15 - 7) *
				conf.caps.weight_max / 7);
	}
	write_codes(0, 0, rows, cols, all);
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t col = 0; col < cols; col++) {
		double exact = 0, granted;

		for (uint32_t row = 0; row < rows; row++)
			exact += in[row] * all[(size_t)row * cols + col];
		exact /= conf.caps.output_lsb;
		granted = 4 + fabs(exact) / 8 + conf.caps.weight_tolerance * sqrt(squares) / conf.caps.output_lsb;
		exact = fmin(fmax(exact, conf.caps.output_min), conf.caps.output_max);
		ck_assert_msg(fabs(found[col] - exact) <= granted, "output %u is %d, exact %.1f, %.1f granted", col,
			found[col], exact, granted);
	}
	free(in);
	free(all);
	free(found);
}
END_TEST

START_TEST(a_batch_equals_a_loop)
{
	struct nmhal_inference op = product(inputs[0], BATCH, out[0]);
	int32_t wide[ROWS], one[COLS];

	NEED_CAN(NMHAL_CAN_INFER);
	write_codes(0, 0, ROWS, COLS, codes[0]);
	op.first_vector = 10;
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t vector = 0; vector < BATCH; vector++) {
		op = product(inputs[vector], 1, one);
		op.first_vector = 10 + vector;
		OK(nmhal_run_inference(conf.dev, &op));
		ck_assert_mem_eq(one, out[vector], sizeof(one));
		for (uint32_t row = 0; row < ROWS; row++) /* the type of the inputs is the caller's matter */
			wide[row] = inputs[vector][row];
		op.in = wide;
		op.in_type = NMHAL_CODE_I32;
		OK(nmhal_run_inference(conf.dev, &op));
		ck_assert_mem_eq(one, out[vector], sizeof(one));
	}
}
END_TEST

START_TEST(strides_leave_alone_what_lies_between)
{
	const int16_t in[2][ROWS + 1] = {{1, 0, 0, 99}, {0, 0, 1, 99}};
	struct nmhal_inference op = product(inputs[0], BATCH, out[0]);
	int32_t wide[2][COLS + 2];

	NEED_CAN(NMHAL_CAN_INFER);
	write_codes(0, 0, ROWS, COLS, codes[0]);
	OK(nmhal_run_inference(conf.dev, &op));
	op.in = in;
	op.in_type = NMHAL_CODE_I16;
	op.in_stride = ROWS + 1;
	op.out = wide;
	op.out_type = NMHAL_CODE_I32;
	op.out_stride = COLS + 2;
	op.batch = 1;
	for (uint32_t n = 0; n < 2 * (COLS + 2); n++)
		wide[n / (COLS + 2)][n % (COLS + 2)] = 77;
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t col = 0; col < COLS; col++)
		ck_assert_int_eq(wide[0][col], out[0][col]);
	ck_assert_int_eq(wide[0][COLS], 77);
	ck_assert_int_eq(wide[0][COLS + 1], 77);
	op.batch = 2;
	NEED(conf.caps.output_lsb == 1, "exact products");
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t col = 0; col < COLS; col++)
		ck_assert_int_eq(wide[1][col], codes[2][col]);
}
END_TEST

START_TEST(outputs_are_clipped_and_marked)
{
	const uint32_t rows = conf.caps.rows;
	int8_t *in = calloc(rows, 1), *column = calloc(rows, 1);
	uint8_t saturated = 9;
	int32_t sum = 0;
	struct nmhal_inference op = product(in, 1, &sum);
	int status;
	int64_t total = (int64_t)rows * conf.caps.weight_max * conf.caps.input_max;

	ck_assert(in && column);
	memset(in, (int)conf.caps.input_max, rows);
	memset(column, (int)conf.caps.weight_max, rows);
	if (can(__func__, NMHAL_CAN_INFER)) {
		write_codes(0, 0, rows, 1, column);
		op.region = (struct nmhal_region){.rows = rows, .cols = 1};
		op.saturated = &saturated;
		status = nmhal_run_inference(conf.dev, &op);
		/* A device whose sums are exact but for a range refuses what leaves it. */
		ck_assert_msg(!status || (status == NMHAL_E_LIMIT && conf.caps.output_lsb == 1), "%d: %s", status,
			nmhal_last_error());
		ck_assert(sum >= conf.caps.output_min && sum <= conf.caps.output_max);
		if (!status && conf.caps.output_lsb == 1)
			ck_assert_int_eq(sum, total < conf.caps.output_max ? total : conf.caps.output_max);
		if (!strcmp(conf.caps.board, "null")) {
			ck_assert_int_gt(total, conf.caps.output_max);
			ck_assert_int_eq(sum, conf.caps.output_max);
			ck_assert_uint_eq(saturated, 1);
		}
		memset(in, 0, rows);
		OK(nmhal_run_inference(conf.dev, &op));
		ck_assert_uint_eq(saturated, 0);
	}
	free(in);
	free(column);
}
END_TEST

START_TEST(bad_inferences_are_refused)
{
	struct nmhal_inference op = product(inputs[0], BATCH, out[0]);
	int32_t far[ROWS] = {0};

	NEED_CAN(NMHAL_CAN_INFER);
	op.batch = 0;
	FAILS(NMHAL_E_INVALID, "batch", nmhal_run_inference(conf.dev, &op));
	op.batch = conf.caps.max_batch + 1;
	FAILS(NMHAL_E_INVALID, "batch", nmhal_run_inference(conf.dev, &op));
	op = product(inputs[0], BATCH, NULL);
	FAILS(NMHAL_E_INVALID, "NULL", nmhal_run_inference(conf.dev, &op));
	op = product(inputs[0], BATCH, out[0]);
	op.in_stride = 1;
	FAILS(NMHAL_E_INVALID, "stride", nmhal_run_inference(conf.dev, &op));
	op = product(inputs[0], BATCH, out[0]);
	op.region.row = conf.caps.rows;
	FAILS(NMHAL_E_INVALID, "row", nmhal_run_inference(conf.dev, &op));
	op = product(inputs[0], BATCH, out[0]);
	op.flags = 1u << 31;
	FAILS(NMHAL_E_INVALID, "flags", nmhal_run_inference(conf.dev, &op));
	far[1] = conf.caps.input_max + 1;
	op = product(inputs[0], 1, out[0]);
	op.in = far;
	op.in_type = NMHAL_CODE_I32;
	FAILS(NMHAL_E_INVALID, "element 1", nmhal_run_inference(conf.dev, &op));
	op.struct_size = 8;
	FAILS(NMHAL_E_INVALID, "struct", nmhal_run_inference(conf.dev, &op));
}
END_TEST

START_TEST(a_transposed_product_is_there_or_refused)
{
	const int8_t in[COLS] = {1};
	struct nmhal_inference op = product(in, 1, out[0]);

	NEED_CAN(NMHAL_CAN_INFER | NMHAL_CAN_INFER_TRANSPOSED);
	write_codes(0, 0, ROWS, COLS, codes[0]);
	op.flags = NMHAL_INFER_TRANSPOSED;
	memset(out, 99, sizeof(out));
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t row = 0; row < ROWS; row++)
		ck_assert(out[0][row] >= conf.caps.output_min && out[0][row] <= conf.caps.output_max);
	ck_assert_int_eq(out[0][ROWS], 0x63636363); /* as many outputs as there are rows */
	if (!strcmp(conf.caps.board, "null"))
		for (uint32_t row = 0; row < ROWS; row++)
			ck_assert_int_eq(out[0][row], codes[row][0]);
}
END_TEST

/* Every way there is to run an inference. */
static const uint32_t ways[] = {0, NMHAL_INFER_TRANSPOSED, NMHAL_INFER_BIT_SERIAL,
	NMHAL_INFER_TRANSPOSED | NMHAL_INFER_BIT_SERIAL};

static uint64_t feature_of(uint32_t flags)
{
	return NMHAL_CAN_INFER | (flags & NMHAL_INFER_TRANSPOSED ? NMHAL_CAN_INFER_TRANSPOSED : 0) |
	       (flags & NMHAL_INFER_BIT_SERIAL ? NMHAL_CAN_INFER_BIT_SERIAL : 0);
}

/* Outputs depend on the weights, the vector and its index; not on what was run before, nor on how a batch is cut. */
START_TEST(the_same_vectors_give_the_same_outputs)
{
	static const int8_t in[BATCH][COLS] = {{1, 0, 0, 1, 1}, {0, 1, 0, 1, 0}, {0, 0, 1, 0, 1}, {1, 1, 1, 1, 1}};
	const uint32_t way = ways[_i];
	struct nmhal_inference op = product(in[0], BATCH, out[0]);
	uint8_t saturated[BATCH][COLS], again_saturated[BATCH][COLS];
	uint32_t outputs = way & NMHAL_INFER_TRANSPOSED ? ROWS : COLS;
	int32_t again[BATCH][COLS];

	NEED_CAN(feature_of(way));
	write_codes(0, 0, ROWS, COLS, codes[0]);
	op.flags = way;
	op.in_stride = op.out_stride = COLS;
	op.saturated = &saturated[0][0];
	op.first_vector = UINT64_MAX - 1; /* indices wrap */
	OK(nmhal_run_inference(conf.dev, &op));
	op.first_vector = 5;
	OK(nmhal_run_inference(conf.dev, &op));
	op.out = again[0];
	op.saturated = &again_saturated[0][0];
	op.batch = 3;
	OK(nmhal_run_inference(conf.dev, &op));
	op.in = in[3];
	op.out = again[3];
	op.saturated = &again_saturated[0][0] + (size_t)3 * outputs;
	op.batch = 1;
	op.first_vector = 8;
	OK(nmhal_run_inference(conf.dev, &op));
	for (uint32_t vector = 0; vector < BATCH; vector++)
		ck_assert_mem_eq(again[vector], out[vector], outputs * sizeof(**out));
	ck_assert_mem_eq(again_saturated, saturated, (size_t)BATCH * outputs);
}
END_TEST

/* Cells outside the region do not take part. */
START_TEST(a_rectangle_is_alone)
{
	static const int8_t in[2] = {1, 1};
	const struct nmhal_region region = {.row = 1, .col = 2, .rows = 2, .cols = 3};
	struct nmhal_inference op = product(in, 1, out[0]);
	int32_t before[3];

	NEED_CAN(NMHAL_CAN_INFER);
	write_codes(0, 0, ROWS, COLS, codes[0]);
	op.region = region;
	op.out = before;
	OK(nmhal_run_inference(conf.dev, &op));
	set_weight(0, 2, -7);
	set_weight(1, 1, 7);
	op.out = out[0];
	OK(nmhal_run_inference(conf.dev, &op));
	ck_assert_mem_eq(out[0], before, sizeof(before));
	NEED(!strcmp(conf.caps.board, "null"), "exact products");
	for (uint32_t col = 0; col < 3; col++)
		ck_assert_int_eq(out[0][col], codes[1][2 + col] + codes[2][2 + col]);
}
END_TEST

TCase *inference_tests(void)
{
	TCase *tcase = tcase_create("inference");

	tcase_add_test(tcase, rows_are_inputs_and_columns_are_outputs);
	tcase_add_test(tcase, outputs_are_near_the_exact_products);
	tcase_add_test(tcase, a_batch_equals_a_loop);
	tcase_add_test(tcase, strides_leave_alone_what_lies_between);
	tcase_add_test(tcase, outputs_are_clipped_and_marked);
	tcase_add_test(tcase, bad_inferences_are_refused);
	tcase_add_test(tcase, a_transposed_product_is_there_or_refused);
	tcase_add_loop_test(tcase, the_same_vectors_give_the_same_outputs, 0, sizeof(ways) / sizeof(*ways));
	tcase_add_test(tcase, a_rectangle_is_alone);
	return tcase;
}
