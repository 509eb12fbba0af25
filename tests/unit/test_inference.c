/* SPDX-License-Identifier: MIT */
/* Inference: checks and dispatch; the products themselves are the fake's. */
#include "tests/unit/board.h"

/* out = in x [[1 2 3] [-4 5 -6]] */
static void open_2x3(struct board *board)
{
	const int16_t codes[6] = {1, 2, 3, -4, 5, -6};

	fake_init(&board->fake, 1, 2, 3);
	memcpy(board->fake.codes, codes, sizeof(codes));
	board_open(board);
}

START_TEST(forward_with_strides)
{
	const int8_t in[2][4] = {{1, 1, 99, 99}, {10, -1, 99, 99}};
	int16_t out[2][5];
	uint8_t saturated[2][3];
	struct board board;
	struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .saturated = &saturated[0][0],
		.in_stride = 4, .out_stride = 5, .batch = 2, .in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16};
	const int16_t expected[2][5] = {{-3, 7, -3, 77, 77}, {14, 15, 36, 77, 77}};

	open_2x3(&board);
	for (size_t i = 0; i < 10; i++)
		out[i / 5][i % 5] = 77;
	memset(saturated, 9, sizeof(saturated));
	assert_ok(nmhal_run_inference(board.dev, &op));
	ck_assert_mem_eq(out, expected, sizeof(out));
	for (size_t i = 0; i < 6; i++)
		ck_assert_uint_eq(saturated[i / 3][i % 3], 0);
	board_close(&board);
}
END_TEST

START_TEST(transposed_dense_part)
{
	const int32_t in[2] = {1, -2};
	int32_t out[2];
	struct board board;
	struct nmhal_inference op = {.struct_size = sizeof(op), .region = {.col = 1}, .in = in, .out = out, .batch = 1,
		.in_type = NMHAL_CODE_I32, .out_type = NMHAL_CODE_I32, .flags = NMHAL_INFER_TRANSPOSED};

	open_2x3(&board);
	assert_ok(nmhal_run_inference(board.dev, &op));
	ck_assert_int_eq(out[0], 2 - 6);
	ck_assert_int_eq(out[1], 5 + 12);
	board_close(&board);
}
END_TEST

START_TEST(bad_arguments)
{
	int16_t in[2] = {0};
	int16_t out[3];
	struct board board;
	const struct nmhal_inference good = {.struct_size = sizeof(good), .in = in, .out = out, .batch = 1,
		.in_type = NMHAL_CODE_I16, .out_type = NMHAL_CODE_I16};
	struct nmhal_inference op;

#define REFUSE(field, value, text) \
	do { \
		op = good; \
		op.field = value; \
		assert_fails(NMHAL_E_INVALID, text, nmhal_run_inference(board.dev, &op)); \
	} while (0)

	open_2x3(&board);
	REFUSE(flags, 8, "flags 0x8: known are 0x3");
	REFUSE(reserved, 1, "reserved is 1");
	REFUSE(in, NULL, "in is NULL");
	REFUSE(out, NULL, "out is NULL");
	REFUSE(batch, 0, "batch of 0 vectors: the device takes 1..64");
	REFUSE(batch, 65, "batch of 65 vectors: the device takes 1..64");
	REFUSE(region.core, 1, "core 1: the device has cores 0..0");
	REFUSE(region.row, 2, "rows 2..2 of core 0: it has rows 0..1");
	REFUSE(region.cols, 4, "columns 0..3 of core 0: it has columns 0..2");
	REFUSE(in_type, 4, "inference inputs: code type 4");
	REFUSE(out_type, NMHAL_CODE_I8, "inference outputs: codes of type I8: the range -32768..32767 does not fit");
	REFUSE(in_stride, 1, "inference inputs: stride of 1 elements: a row has 2");
	REFUSE(out_stride, 2, "inference outputs: stride of 2 elements: a row has 3");
	REFUSE(struct_size, 8, "struct_size is 8");
	in[1] = 128;
	REFUSE(first_vector, 0, "input 128 at vector 0, element 1: outside -128..127");
	assert_fails(NMHAL_E_INVALID, "is NULL", nmhal_run_inference(board.dev, NULL));
	ck_assert_uint_eq(CALLS(&board, FAKE_RUN_INFERENCE), 0);
	board_close(&board);
#undef REFUSE
}
END_TEST

START_TEST(unsupported)
{
	int8_t in[2] = {0};
	int16_t out[3];
	struct board board;
	struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = 1,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16, .flags = NMHAL_INFER_TRANSPOSED};

	fake_init(&board.fake, 1, 2, 3);
	board.fake.caps.features &= ~NMHAL_CAN_INFER_TRANSPOSED;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "the board has no transposed products", nmhal_run_inference(board.dev, &op));
	board_close(&board);
	fake_init(&board.fake, 1, 2, 3);
	board.fake.caps.features &= ~NMHAL_CAN_INFER_BIT_SERIAL;
	board_open(&board);
	op.flags = NMHAL_INFER_BIT_SERIAL;
	assert_fails(NMHAL_E_UNSUPPORTED, "with BIT_SERIAL: the board has no bit-serial inputs",
		nmhal_run_inference(board.dev, &op));
	ck_assert_uint_eq(CALLS(&board, FAKE_RUN_INFERENCE), 0);
	board_close(&board);
	fake_init(&board.fake, 1, 2, 3);
	board.fake.ops.run_inference = NULL;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "inference: the board has no inference", nmhal_run_inference(board.dev, &op));
	board_close(&board);
}
END_TEST

START_TEST(failure_of_the_board)
{
	int8_t in[2] = {0};
	int16_t out[3];
	struct board board;
	struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = 1,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16};

	open_2x3(&board);
	fake_fail_next(&board.fake, FAKE_RUN_INFERENCE, NMHAL_E_TIMEOUT);
	assert_fails(NMHAL_E_TIMEOUT, "fails as asked", nmhal_run_inference(board.dev, &op));
	assert_ok(nmhal_run_inference(board.dev, &op));
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {forward_with_strides, transposed_dense_part, bad_arguments, unsupported,
		failure_of_the_board};

	return run_tests("inference", tests, sizeof(tests) / sizeof(*tests));
}
