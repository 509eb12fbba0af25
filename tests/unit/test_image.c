/* SPDX-License-Identifier: MIT */
/* Chip images in memory: captured from a device, programmed into a device, asked by users. */
#include "tests/unit/board.h"

/* A board of [2][3][4] with something in every place. */
static void open_2x3x4(struct board *board)
{
	fake_init(&board->fake, 2, 3, 4);
	for (int i = 0; i < 24; i++)
		board->fake.codes[i] = (int16_t)(i % 16 - 8);
	for (int i = 0; i < 8; i++)
		board->fake.neurons[i] = (struct nmhal_neuron){.threshold = 100 + i, .leak = i, .potential = -i,
			.enabled = i & 1};
	board_open(board);
}

static nmhal_image *captured(struct board *board)
{
	nmhal_image *image = NULL;

	assert_ok(nmhal_image_capture(board->dev, 0, &image));
	return image;
}

START_TEST(capture_takes_all)
{
	struct nmhal_image_info info = {.struct_size = sizeof(info)};
	struct board board;
	nmhal_image *image;
	int64_t value = 0;

	open_2x3x4(&board);
	board.fake.attrs[1].integer = 1;
	image = captured(&board);
	assert_ok(nmhal_image_get_info(image, &info));
	ck_assert_uint_eq(info.cores, 2);
	ck_assert_uint_eq(info.rows, 3);
	ck_assert_uint_eq(info.cols, 4);
	ck_assert_uint_eq(info.has_weights, 1);
	ck_assert_uint_eq(info.has_neurons, 1);
	ck_assert_str_eq(info.board, "board");
	ck_assert_mem_eq(nmhal_image_weights(image, 0), board.fake.codes, 12 * sizeof(int16_t));
	ck_assert_mem_eq(nmhal_image_weights(image, 1), board.fake.codes + 12, 12 * sizeof(int16_t));
	ck_assert_mem_eq(nmhal_image_neurons(image, 1), board.fake.neurons + 4, 4 * sizeof(struct nmhal_neuron));
	/* The two attributes that are saved; not the writable one that is not, and not the sensor. */
	ck_assert_uint_eq(info.attr_count, 2);
	ck_assert_str_eq(nmhal_image_attr(image, 0, &value), "gain");
	ck_assert_int_eq(value, 7);
	ck_assert_str_eq(nmhal_image_attr(image, 1, &value), "fast");
	ck_assert_int_eq(value, 1);
	ck_assert_str_eq(nmhal_image_attr(image, 1, NULL), "fast");
	ck_assert_ptr_null(nmhal_image_attr(image, 2, &value));
	ck_assert_ptr_null(nmhal_image_weights(image, 2));
	ck_assert_ptr_null(nmhal_image_neurons(image, 2));
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

START_TEST(program_brings_all_back)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	struct board board;
	struct fake before;
	nmhal_image *image;

	open_2x3x4(&board);
	image = captured(&board);
	memcpy(&before, &board.fake, sizeof(before));
	memset(board.fake.codes, 0, sizeof(board.fake.codes));
	memset(board.fake.neurons, 0, sizeof(board.fake.neurons));
	board.fake.attrs[0].integer = 50;
	assert_ok(nmhal_image_program(board.dev, image, NMHAL_PROGRAM_VERIFY, 0, &report));
	ck_assert_mem_eq(board.fake.codes, before.codes, sizeof(before.codes));
	ck_assert_mem_eq(board.fake.neurons, before.neurons, sizeof(before.neurons));
	ck_assert_int_eq(board.fake.attrs[0].integer, 7);
	ck_assert_uint_eq(report.cells_written, 24);
	assert_ok(nmhal_image_program(board.dev, image, NMHAL_PROGRAM_ONLY_CHANGED, 0, &report));
	ck_assert_uint_eq(report.cells_written, 0);
	ck_assert_uint_eq(report.cells_skipped, 24);
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

START_TEST(board_without_neurons)
{
	struct nmhal_image_info info = {.struct_size = sizeof(info)};
	struct board board;
	nmhal_image *image, *with;

	open_2x3x4(&board);
	with = captured(&board);
	board_close(&board);
	fake_init(&board.fake, 2, 3, 4);
	board.fake.ops.set_neurons = NULL;
	board.fake.ops.get_neurons = NULL;
	board_open(&board);
	image = captured(&board);
	assert_ok(nmhal_image_get_info(image, &info));
	ck_assert_uint_eq(info.has_neurons, 0);
	ck_assert_ptr_null(nmhal_image_neurons(image, 0));
	assert_ok(nmhal_image_program(board.dev, image, 0, 0, NULL));
	assert_fails(NMHAL_E_UNSUPPORTED, "program an image with neurons: the board has no neurons to set",
		nmhal_image_program(board.dev, with, 0, 0, NULL));
	nmhal_image_free(with);
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

START_TEST(image_without_weights)
{
	struct board board;
	nmhal_image *image;

	open_2x3x4(&board);
	assert_ok(nm_image_new(2, 0, 4, false, true, &image));
	strcpy(image->board, "board");
	ck_assert_ptr_null(nmhal_image_weights(image, 0));
	assert_ok(nmhal_image_program(board.dev, image, 0, 0, NULL));
	ck_assert_uint_eq(board_weight_calls(&board), 0);
	ck_assert_int_eq(board.fake.neurons[7].threshold, 0);
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

/* Nothing is written unless all of the image fits. */
START_TEST(images_that_do_not_fit)
{
	struct board board;
	nmhal_image *image;

#define REFUSE(status, text, change) \
	do { \
		image = captured(&board); \
		change; \
		assert_fails(status, text, nmhal_image_program(board.dev, image, 0, 0, NULL)); \
		nmhal_image_free(image); \
	} while (0)
	open_2x3x4(&board);
	REFUSE(NMHAL_E_INVALID, "it is for board 'tinyodin', this is a 'board'", strcpy(image->board, "tinyodin"));
	REFUSE(NMHAL_E_INVALID, "it has 1 cores of 3 x 4, the device has 2 of 3 x 4", image->cores = 1);
	REFUSE(NMHAL_E_INVALID, "it has 2 cores of 2 x 4", image->rows = 2);
	REFUSE(NMHAL_E_INVALID, "it has 2 cores of 3 x 3", image->cols = 3);
	REFUSE(NMHAL_E_INVALID, "weight 8 at row 2, column 1 of core 1: outside -8..7", image->weights[21] = 8);
	REFUSE(NMHAL_E_INVALID, "weight -9 at row 0, column 3 of core 0", image->weights[3] = -9);
	REFUSE(NMHAL_E_INVALID, "threshold 4096 of neuron 2 of core 1", image->neurons[6].threshold = 4096);
	REFUSE(NMHAL_E_INVALID, "set attribute 'gain' to 101: is outside 0..100", image->attrs[0].value = 101);
	REFUSE(NMHAL_E_INVALID, "set attribute 'odd': unknown key", assert_ok(nm_image_add_attr(image, "odd", 1)));
	REFUSE(NMHAL_E_INVALID, "set attribute 'level': type is 2, must be 3 (REAL)",
		assert_ok(nm_image_add_attr(image, "level", 1)));
#undef REFUSE
	board_close(&board);
}
END_TEST

/* A board that forgets its neurons. */
static int set_no_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons,
	int64_t deadline_ns)
{
	(void)self;
	(void)core;
	(void)first;
	(void)count;
	(void)neurons;
	(void)deadline_ns;
	return NMHAL_OK;
}

START_TEST(neurons_are_verified)
{
	struct board board;
	nmhal_image *image;

	fake_init(&board.fake, 1, 2, 100);
	board.fake.ops.set_neurons = set_no_neurons;
	board_open(&board);
	image = captured(&board);
	assert_ok(nmhal_image_program(board.dev, image, NMHAL_PROGRAM_VERIFY, 0, NULL));
	/* Neuron 70 is in the second piece that is read back. */
	image->neurons[70] = (struct nmhal_neuron){.threshold = 9, .leak = 1, .potential = 2, .enabled = 1};
	assert_fails(NMHAL_E_VERIFY,
		"verify neuron 70 of core 0: wanted threshold 9, leak 1, potential 2, enabled 1, read 0, 0, 0, 0",
		nmhal_image_program(board.dev, image, NMHAL_PROGRAM_VERIFY, 0, NULL));
	assert_ok(nmhal_image_program(board.dev, image, 0, 0, NULL));
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

START_TEST(failures_of_the_board)
{
	struct board board;
	nmhal_image *image, *none = (nmhal_image *)8;

	open_2x3x4(&board);
	image = captured(&board);
	for (int i = 0; i < 3; i++) {
		static const enum fake_op ops[] = {FAKE_READ_WEIGHTS, FAKE_GET_NEURONS, FAKE_ATTR_GET};

		fake_fail_next(&board.fake, ops[i], NMHAL_E_IO);
		assert_fails(NMHAL_E_IO, "fails as asked", nmhal_image_capture(board.dev, 0, &none));
		ck_assert_ptr_null(none);
	}
	for (int i = 0; i < 4; i++) {
		static const enum fake_op ops[] = {FAKE_WRITE_WEIGHTS, FAKE_SET_NEURONS, FAKE_GET_NEURONS,
			FAKE_ATTR_SET};

		fake_fail_next(&board.fake, ops[i], NMHAL_E_IO);
		assert_fails(NMHAL_E_IO, "fails as asked",
			nmhal_image_program(board.dev, image, NMHAL_PROGRAM_VERIFY, 0, NULL));
	}
	nmhal_image_free(image);
	board_close(&board);
}
END_TEST

START_TEST(bad_arguments)
{
	struct nmhal_image_info info = {.struct_size = sizeof(info)};
	nmhal_image *image = (nmhal_image *)8;
	struct board board;

	open_2x3x4(&board);
	assert_fails(NMHAL_E_INVALID, "capture a chip image: out is NULL", nmhal_image_capture(board.dev, 0, NULL));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_image_capture(NULL, 0, &image));
	ck_assert_ptr_null(image);
	assert_fails(NMHAL_E_INVALID, "program an image: image is NULL",
		nmhal_image_program(board.dev, NULL, 0, 0, NULL));
	assert_fails(NMHAL_E_INVALID, "image is NULL", nmhal_image_get_info(NULL, &info));
	assert_fails(NMHAL_E_INVALID, "load a chip image: out is NULL", nmhal_image_load("f", NULL));
	assert_fails(NMHAL_E_INVALID, "path is NULL", nmhal_image_load(NULL, &image));
	assert_fails(NMHAL_E_INVALID, "path is empty", nmhal_image_load("", &image));
	assert_fails(NMHAL_E_INVALID, "save a chip image: image is NULL", nmhal_image_save(NULL, "f"));
	image = captured(&board);
	assert_fails(NMHAL_E_INVALID, "save a chip image: no path", nmhal_image_save(image, NULL));
	assert_fails(NMHAL_E_INVALID, "save a chip image: no path", nmhal_image_save(image, ""));
	assert_fails(NMHAL_E_INVALID, "flags 0x8", nmhal_image_program(board.dev, image, 8, 0, NULL));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_image_program(NULL, image, 0, 0, NULL));
	ck_assert_ptr_null(nmhal_image_weights(NULL, 0));
	ck_assert_ptr_null(nmhal_image_neurons(NULL, 0));
	ck_assert_ptr_null(nmhal_image_attr(NULL, 0, NULL));
	nmhal_image_free(image);
	nmhal_image_free(NULL);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {capture_takes_all, program_brings_all_back, board_without_neurons,
		image_without_weights, images_that_do_not_fit, neurons_are_verified, failures_of_the_board,
		bad_arguments};

	return run_tests("image", tests, sizeof(tests) / sizeof(*tests));
}
