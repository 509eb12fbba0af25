/* SPDX-License-Identifier: MIT */
/*
 * The kernels against the rule of section 10 in plain integers, word for word: every potential with every weight and
 * every leak at the thresholds that matter, and random states. And which kernel the environment chooses.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "sim/tinyodin_core.h"

#define N TINYODIN_NEURONS
#define ROUNDS 20000u /* random states of 256 neurons, per kernel and kind of event */

enum kind { SPIKE, LEAK };

/* A state, an event, and what must come of it. */
struct state {
	enum kind kind;
	unsigned max_neuron;
	uint32_t word[N], expected[N];
	int weight[N];
	uint64_t fired[TINYODIN_GROUPS];
};

static const int thresholds[] = {0, 1, 2, 15, 16, 0x400, 0x7FE, 0x7FF, 0x800, 0x801, 0xFFE, 0xFFF};
static const int potentials[] = {-2048, -2047, -9, -8, -1, 0, 1, 7, 8, 2039, 2040, 2046, 2047};
static const int leaks[] = {0, 1, 2, 63, 126, 127};
static const unsigned max_neurons[] = {0, 1, 15, 16, 31, 63, 64, 127, 128, 254, 255};

#define PICK(list) (list)[draw_bits() % (sizeof(list) / sizeof((list)[0]))]

static uint64_t seed = 1;

static unsigned draw_bits(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 40);
}

static uint32_t word_of(bool disabled, int leak, int threshold, int v)
{
	return (uint32_t)disabled << 31 | (uint32_t)leak << 24 | (uint32_t)threshold << 12 | ((uint32_t)v & 0xFFFu);
}

/* Section 10, neuron by neuron. */
static void expect(struct state *state)
{
	memset(state->fired, 0, sizeof(state->fired));
	memcpy(state->expected, state->word, sizeof(state->word));
	for (unsigned n = 0; n <= state->max_neuron; n++) {
		uint32_t word = state->word[n];
		int v = (int)(word & 0xFFFu), threshold = (int)(word >> 12 & 0xFFFu), leak = (int)(word >> 24 & 0x7Fu);

		v = v > 2047 ? v - 4096 : v;
		if (state->kind == SPIKE) {
			v += state->weight[n];
			v = v > 2047 ? 2047 : v < -2048 ? -2048 : v;
		} else if (v >= 0) {
			v = v > leak ? v - leak : 0;
		} else {
			v = v < -leak ? v + leak : 0;
		}
		if (v >= 0 && v >= threshold) {
			state->fired[n / 64] |= UINT64_C(1) << n % 64;
			v = 0;
		}
		state->expected[n] = (word & ~0xFFFu) | ((uint32_t)v & 0xFFFu);
	}
}

/* Low bits of the potentials, which mean nothing, are random where the kernel leaves any. */
static void put(struct tinyodin *chip, const struct state *state)
{
	tinyodin_set_max_neuron(chip, state->max_neuron);
	for (unsigned n = 0; n < N; n++) {
		tinyodin_set_neuron_word(chip, n, state->word[n]);
		if (chip->kernel != &tinyodin_plain)
			chip->neurons.v[n] = (int16_t)(chip->neurons.v[n] | (int16_t)(draw_bits() & 0xFu));
		chip->weight[0][n] = (int8_t)(state->weight[n] * 16);
	}
}

static void check_state(struct tinyodin *chip, struct state *state)
{
	static const uint64_t none[TINYODIN_GROUPS];
	uint64_t fired[TINYODIN_GROUPS] = {0};
	const char *name = state->kind == SPIKE ? "spike" : "leak";
	bool any;

	expect(state);
	put(chip, state);
	if (state->kind == SPIKE)
		any = chip->kernel->spike(&chip->neurons, chip->weight[0], state->max_neuron, fired);
	else
		any = chip->kernel->leak(&chip->neurons, state->max_neuron, fired);
	/* `fired` is only written where a neuron fired. */
	if (any != (memcmp(state->fired, none, sizeof(none)) != 0) || memcmp(fired, state->fired, sizeof(fired)) != 0)
		ck_abort_msg("%s, %s, MAX_NEUR %u: other neurons fired", chip->kernel->name, name, state->max_neuron);
	for (unsigned n = 0; n < N; n++) {
		uint32_t got = tinyodin_neuron_word(chip, n);

		if (got != state->expected[n])
			ck_abort_msg("%s, %s, MAX_NEUR %u, neuron %u: word 0x%08x, weight %d: expected 0x%08x, got "
				     "0x%08x", chip->kernel->name, name, state->max_neuron, n, state->word[n],
				     state->weight[n], state->expected[n], got);
	}
}

/* Every potential: 16 rounds of 256 neurons. */
static void check_all_potentials(struct tinyodin *chip, struct state *state, int threshold, int leak, int weight)
{
	for (int first = -2048; first < 2048; first += (int)N) {
		for (unsigned n = 0; n < N; n++) {
			state->word[n] = word_of(n % 3 == 0, leak, threshold, first + (int)n);
			state->weight[n] = weight;
		}
		check_state(chip, state);
	}
}

static struct tinyodin *chip_with(int kernel)
{
	struct tinyodin *chip = tinyodin_new(kernel ? TINYODIN_SIMD_AVX2 : TINYODIN_SIMD_OFF, true);

	ck_assert_ptr_nonnull(chip);
	return chip;
}

START_TEST(every_potential_weight_and_leak)
{
	struct tinyodin *chip = chip_with(_i);
	struct state state = {.max_neuron = N - 1};

	for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
		state.kind = SPIKE;
		for (int weight = -8; weight < 8; weight++)
			check_all_potentials(chip, &state, thresholds[i], 5, weight);
		state.kind = LEAK;
		for (int leak = 0; leak < 128; leak++)
			check_all_potentials(chip, &state, thresholds[i], leak, 3);
	}
	tinyodin_free(chip);
}
END_TEST

/* Half of the values from the edges. */
static void draw_state(struct state *state)
{
	state->max_neuron = draw_bits() % 4 == 0 ? PICK(max_neurons) : draw_bits() % 4 == 0 ? draw_bits() % N : N - 1;
	for (unsigned n = 0; n < N; n++) {
		int v = draw_bits() & 1u ? PICK(potentials) : (int)(draw_bits() % 4096u) - 2048;
		int threshold = draw_bits() & 1u ? PICK(thresholds) : (int)(draw_bits() % 4096u);
		int leak = draw_bits() & 1u ? PICK(leaks) : (int)(draw_bits() % 128u);

		if (draw_bits() % 4 == 0 && v >= 0) /* where it is decided whether it fires */
			threshold = v + (int)(draw_bits() % 3u);
		state->word[n] = word_of(draw_bits() & 1u, leak, threshold, v);
		state->weight[n] = (int)(draw_bits() % 16u) - 8;
	}
}

START_TEST(random_states)
{
	struct tinyodin *chip = chip_with(_i);
	struct state state;
	unsigned crossings = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		draw_state(&state);
		state.kind = SPIKE;
		check_state(chip, &state);
		crossings += (unsigned)__builtin_popcountll(state.fired[0]);
		state.kind = LEAK;
		check_state(chip, &state);
		crossings += (unsigned)__builtin_popcountll(state.fired[0]);
	}
	tinyodin_free(chip);
	ck_assert_uint_gt(crossings, ROUNDS);
}
END_TEST

static const char *kernel_when(const char *environment, enum tinyodin_simd simd)
{
	struct tinyodin *chip;
	const char *name;

	if (environment)
		setenv("NMHAL_SIMD", environment, 1);
	else
		unsetenv("NMHAL_SIMD");
	chip = tinyodin_new(simd, false);
	name = chip ? tinyodin_kernel(chip) : "none";
	tinyodin_free(chip);
	return name;
}

START_TEST(environment_chooses_the_kernel)
{
	const char *vector = tinyodin_avx2() ? "avx2" : "none", *best = tinyodin_avx2() ? "avx2" : "plain";

	ck_assert_str_eq(kernel_when("off", TINYODIN_SIMD_AUTO), "plain");
	ck_assert_str_eq(kernel_when("avx2", TINYODIN_SIMD_AUTO), vector);
	ck_assert_str_eq(kernel_when("", TINYODIN_SIMD_AUTO), best);
	ck_assert_str_eq(kernel_when(NULL, TINYODIN_SIMD_AUTO), best);
	ck_assert_str_eq(kernel_when("avx2", TINYODIN_SIMD_OFF), "plain");
	ck_assert_str_eq(kernel_when("off", TINYODIN_SIMD_AVX2), vector);
	ck_assert_str_eq(kernel_when("neon", TINYODIN_SIMD_AUTO), "none");
	ck_assert_str_eq(kernel_when("AVX2", TINYODIN_SIMD_AUTO), "none");
}
END_TEST

#ifdef WITH_SIM_LINK
START_TEST(environment_that_names_no_kernel_is_told)
{
	nmhal_context *context = NULL;
	nmhal_device *device = NULL;

	setenv("NMHAL_SIMD", "neon", 1);
	ck_assert_int_eq(nmhal_context_new(NULL, &context), NMHAL_OK);
	ck_assert_int_eq(nmhal_device_open(context, "sim:tinyodin", NULL, &device), NMHAL_E_UNSUPPORTED);
	ck_assert_ptr_null(device);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "NMHAL_SIMD"));
	ck_assert_int_eq(nmhal_device_open(context, "sim:tinyodin,simd=off", NULL, &device), NMHAL_OK);
	ck_assert_int_eq(nmhal_device_close(device), NMHAL_OK);
	nmhal_device_unref(device);
	nmhal_context_unref(context);
	unsetenv("NMHAL_SIMD");
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("kernels");
	TCase *tcase = tcase_create("kernels");
	SRunner *runner;
	int kernels = tinyodin_avx2() ? 2 : 1, failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, every_potential_weight_and_leak, 0, kernels);
	tcase_add_loop_test(tcase, random_states, 0, kernels);
	tcase_add_test(tcase, environment_chooses_the_kernel);
#ifdef WITH_SIM_LINK
	tcase_add_test(tcase, environment_that_names_no_kernel_is_told);
#endif
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		return EXIT_FAILURE;
	if (kernels == 2)
		return EXIT_SUCCESS;
	printf("skipped: no AVX2 on this machine; the plain kernel was compared\n");
	return 77;
}
