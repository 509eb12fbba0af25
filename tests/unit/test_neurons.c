/* SPDX-License-Identifier: MIT */
/* Neurons: ranges, sentences, the fallback of reset_state. */
#include "tests/unit/board.h"

static const struct nmhal_neuron good = {.threshold = 100, .leak = 3, .potential = -5, .enabled = 1};

START_TEST(set_and_get)
{
	struct board board;
	struct nmhal_neuron in[3] = {good, good, good};
	struct nmhal_neuron out[3];

	fake_init(&board.fake, 2, 4, 5);
	board_open(&board);
	in[1].threshold = 4095;
	in[2].enabled = 0;
	assert_ok(nmhal_set_neurons(board.dev, 1, 2, 3, in, 0));
	assert_ok(nmhal_get_neurons(board.dev, 1, 2, 3, out, 0));
	ck_assert_mem_eq(in, out, sizeof(in));
	ck_assert_int_eq(board.fake.neurons[5 + 3].threshold, 4095);
	board_close(&board);
}
END_TEST

START_TEST(none_is_nothing_to_do)
{
	struct board board;
	struct nmhal_neuron neuron = good;

	fake_init(&board.fake, 1, 4, 5);
	board_open(&board);
	assert_ok(nmhal_set_neurons(board.dev, 0, 5, 0, &neuron, 0));
	assert_ok(nmhal_get_neurons(board.dev, 0, 0, 0, &neuron, 0));
	ck_assert_uint_eq(CALLS(&board, FAKE_SET_NEURONS) + CALLS(&board, FAKE_GET_NEURONS), 0);
	board_close(&board);
}
END_TEST

START_TEST(bad_ranges)
{
	struct board board;
	struct nmhal_neuron neurons[5] = {good, good, good, good, good};
	const char *const beyond = "neurons 3..5 of core 0: it has neurons 0..4";

	fake_init(&board.fake, 1, 4, 5);
	board_open(&board);
	assert_fails(NMHAL_E_INVALID, "core 1: the device has cores 0..0",
		nmhal_set_neurons(board.dev, 1, 0, 1, neurons, 0));
	assert_fails(NMHAL_E_INVALID, beyond, nmhal_set_neurons(board.dev, 0, 3, 3, neurons, 0));
	assert_fails(NMHAL_E_INVALID, beyond, nmhal_get_neurons(board.dev, 0, 3, 3, neurons, 0));
	assert_fails(NMHAL_E_INVALID, "neurons 4294967295..4294967296 of core 0",
		nmhal_get_neurons(board.dev, 0, UINT32_MAX, 2, neurons, 0));
	assert_fails(NMHAL_E_INVALID, "neurons is NULL", nmhal_set_neurons(board.dev, 0, 0, 1, NULL, 0));
	assert_fails(NMHAL_E_INVALID, "neurons is NULL", nmhal_get_neurons(board.dev, 0, 0, 1, NULL, 0));
	assert_fails(NMHAL_E_INVALID, "dev is NULL", nmhal_get_neurons(NULL, 0, 0, 1, neurons, 0));
	assert_fails(NMHAL_E_INVALID, "timeout_ms is -9", nmhal_get_neurons(board.dev, 0, 0, 1, neurons, -9));
	ck_assert_uint_eq(CALLS(&board, FAKE_SET_NEURONS) + CALLS(&board, FAKE_GET_NEURONS), 0);
	board_close(&board);
}
END_TEST

static void refuse(struct board *board, const char *text, struct nmhal_neuron bad)
{
	const struct nmhal_neuron neurons[3] = {good, good, bad};

	assert_fails(NMHAL_E_INVALID, text, nmhal_set_neurons(board->dev, 0, 1, 3, neurons, 0));
	ck_assert_uint_eq(CALLS(board, FAKE_SET_NEURONS), 0);
}

START_TEST(bad_fields)
{
	struct board board;

	fake_init(&board.fake, 1, 4, 5);
	board_open(&board);
	refuse(&board, "threshold 4096 of neuron 3 of core 0: outside 0..4095",
		(struct nmhal_neuron){.threshold = 4096});
	refuse(&board, "threshold -1 of neuron 3 of core 0: outside 0..4095", (struct nmhal_neuron){.threshold = -1});
	refuse(&board, "leak 128 of neuron 3 of core 0: outside 0..127", (struct nmhal_neuron){.leak = 128});
	refuse(&board, "potential 2048 of neuron 3 of core 0: outside -2048..2047",
		(struct nmhal_neuron){.potential = 2048});
	refuse(&board, "enabled 2 of neuron 3 of core 0: outside 0..1", (struct nmhal_neuron){.enabled = 2});
	refuse(&board, "reserved of neuron 3 of core 0", (struct nmhal_neuron){.reserved = {0, 0, 0, 1}});
	board_close(&board);
}
END_TEST

START_TEST(missing_ops)
{
	struct board board;
	struct nmhal_neuron neuron = good;

	fake_init(&board.fake, 1, 4, 5);
	board.fake.ops.set_neurons = NULL;
	board.fake.ops.get_neurons = NULL;
	board.fake.ops.reset_state = NULL;
	board_open(&board);
	assert_fails(NMHAL_E_UNSUPPORTED, "set neurons: the board has no neurons",
		nmhal_set_neurons(board.dev, 0, 0, 1, &neuron, 0));
	assert_fails(NMHAL_E_UNSUPPORTED, "get neurons: the board has no neurons",
		nmhal_get_neurons(board.dev, 0, 0, 1, &neuron, 0));
	assert_fails(NMHAL_E_UNSUPPORTED, "reset state: the board has no neurons", nmhal_reset_state(board.dev, 0));
	board_close(&board);
}
END_TEST

START_TEST(reset_state_by_the_board)
{
	struct board board;

	fake_init(&board.fake, 1, 4, 5);
	board_open(&board);
	board.fake.neurons[2] = good;
	assert_ok(nmhal_reset_state(board.dev, 0));
	ck_assert_int_eq(board.fake.neurons[2].potential, 0);
	ck_assert_uint_eq(CALLS(&board, FAKE_RESET_STATE), 1);
	ck_assert_uint_eq(CALLS(&board, FAKE_SET_NEURONS), 0);
	board_close(&board);
}
END_TEST

START_TEST(reset_state_by_the_core)
{
	struct board board;

	fake_init(&board.fake, 2, 4, 100);
	board.fake.ops.reset_state = NULL;
	board_open(&board);
	for (size_t i = 0; i < 200; i++)
		board.fake.neurons[i] = (struct nmhal_neuron){.threshold = (int32_t)i, .potential = 9, .enabled = 1};
	assert_ok(nmhal_reset_state(board.dev, 0));
	for (size_t i = 0; i < 200; i++) {
		ck_assert_int_eq(board.fake.neurons[i].potential, 0);
		ck_assert_int_eq(board.fake.neurons[i].threshold, (int32_t)i);
	}
	ck_assert_uint_eq(CALLS(&board, FAKE_SET_NEURONS), 4);
	fake_fail_next(&board.fake, FAKE_SET_NEURONS, NMHAL_E_IO);
	ck_assert_int_eq(nmhal_reset_state(board.dev, 0), NMHAL_E_IO);
	board_close(&board);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {set_and_get, none_is_nothing_to_do, bad_ranges, bad_fields, missing_ops,
		reset_state_by_the_board, reset_state_by_the_core};

	return run_tests("neurons", tests, sizeof(tests) / sizeof(*tests));
}
