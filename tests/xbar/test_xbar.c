/* SPDX-License-Identifier: MIT */
/* The crossbar model against itself: kernels, threads, splits of a batch; and what its calls promise. */
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/xbar_core.h"
#include "sim/xbar_math.h"
#include "xbar_test.h"

#define ALL_NOISE "wan2022+stuck:0.01+adc+irdrop+output"

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

/* Known answers of Random123 (kat_vectors, philox4x32 10). */
START_TEST(test_philox)
{
	static const struct {
		uint64_t key;
		uint32_t counter[4], expected[4];
	} answers[] = {
		{0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{UINT64_MAX, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
			{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		uint32_t word[4];

		memcpy(word, answers[i].counter, sizeof(word));
		xbar_philox(answers[i].key, word);
		ck_assert_mem_eq(word, answers[i].expected, sizeof(word));
	}
}
END_TEST

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

/* Fills two models with the same weights, and compares what they infer from the same inputs. */
static void ck_assert_same(struct xbar *a, struct xbar *b, const struct xbar_region *region, bool transposed,
			   size_t batch, uint64_t *seed)
{
	struct answer *of_a = answer_new(a, region, transposed, batch);
	struct answer *of_b = answer_new(b, region, transposed, batch);

	answer_fill(of_a, seed);
	memcpy(of_b->inputs, of_a->inputs, of_a->input_bytes);
	of_a->inference.first_vector = of_b->inference.first_vector = random_word(seed);
	of_a->inference.bit_serial = of_b->inference.bit_serial = random_word(seed) & 1u;
	ck_assert(xbar_infer(a, &of_a->inference));
	ck_assert(xbar_infer(b, &of_b->inference));
	ck_assert_mem_eq(of_a->outputs, of_b->outputs, of_a->output_bytes);
	ck_assert_mem_eq(of_a->clipped, of_b->clipped, of_a->clipped_bytes);
	answer_free(of_a);
	answer_free(of_b);
}

static void compare_kernels(const struct xbar_profile *profile, const char *noise, bool full)
{
	struct xbar *plain = board(profile, noise, full, XBAR_SIMD_OFF, 1);
	struct xbar *avx2 = board(profile, noise, full, XBAR_SIMD_AVX2, 1);
	uint64_t seed = 3 + profile->rows, again = seed;

	write_all(plain, 0, &seed);
	write_all(avx2, 0, &again);
	for (unsigned trial = 0; trial < 6; trial++) {
		struct xbar_region region = {.rows = profile->rows, .cols = profile->cols};

		if (trial > 2)
			region = random_region(profile, &seed);
		ck_assert_same(plain, avx2, &region, trial & 1u, 1 + random_word(&seed) % 13, &seed);
	}
	xbar_free(plain);
	xbar_free(avx2);
}

/* Every number of rows or columns around the sizes of steps and panels, in each form of product. */
START_TEST(test_kernels_equal)
{
	static const unsigned sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 127,
		128, 129};
	static const char *const noises[] = {"off", "output", ALL_NOISE};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (unsigned form = 0; form < 3; form++) {
			struct xbar_profile profile = {.name = "test", .tiles = 1, .rows = sizes[i], .lsb_shift = 6};

			profile.cols = sizes[(i * 7 + 5) % 23];
			profile.weight_max = form == 1 ? 7 : 127;
			profile.quanta = form == 1 ? 1024 : 64;
			profile.adc_bits = i % 2 ? 8 : 10;

			compare_kernels(&profile, noises[i % 3], form == 2);
		}
	}
}
END_TEST

/* Noise of so many vectors from `first` on, with variances or without. */
static void compare_noise(size_t vectors, uint64_t first, bool with_variance, uint64_t *seed)
{
	static int32_t variance[XBAR_CHUNK * XBAR_PANEL];
	static float plain[XBAR_CHUNK * XBAR_PANEL + 1], avx2[XBAR_CHUNK * XBAR_PANEL + 1];
	float offset[XBAR_PANEL];
	struct xbar_noise noise = {.counter_word = random_word(seed), .line = random_word(seed), .vectors = vectors};

	for (size_t i = 0; i < XBAR_PANEL; i++)
		offset[i] = (float)(int32_t)random_word(seed) * 0x1p-31f;
	for (size_t i = 0; i < vectors * XBAR_PANEL; i++)
		variance[i] = (int32_t)(random_word(seed) >> 8);
	noise.seed = (uint64_t)random_word(seed) << 32 | random_word(seed);
	noise.first_vector = first;
	noise.variance = with_variance ? variance : NULL;
	noise.unit = 0x1p-20f;
	noise.floor = 0.25f;
	noise.offset = offset;
	plain[vectors * XBAR_PANEL] = avx2[vectors * XBAR_PANEL] = 42.0f; /* nothing is written behind */
	noise.add = plain;
	xbar_plain.noise(&noise);
	noise.add = avx2;
	xbar_avx2()->noise(&noise);
	ck_assert_mem_eq(plain, avx2, (vectors * XBAR_PANEL + 1) * sizeof(float));
}

/* All numbers of vectors around the kernel's eight, and use numbers around a carry from one half to the other. */
START_TEST(test_noise_equal)
{
	uint64_t seed = 77;

	for (size_t vectors = 1; vectors <= 20; vectors++)
		for (uint64_t before = 0; before <= 20; before++)
			compare_noise(vectors, (UINT64_C(6) << 32) - before, vectors % 2, &seed);
	for (unsigned trial = 0; trial < 200; trial++)
		compare_noise(XBAR_CHUNK, (uint64_t)random_word(&seed) << 20, trial % 2, &seed);
	compare_noise(XBAR_CHUNK, UINT64_MAX - 9, true, &seed);
}
END_TEST

/* The largest sums of each form: all codes at their rails, 1024 rows. */
START_TEST(test_kernels_at_rails)
{
	static const struct xbar_profile wide = {.name = "test", .tiles = 1, .rows = 1024, .cols = 40,
		.weight_max = 127, .quanta = 64, .adc_bits = 15, .lsb_shift = 9};
	static const struct xbar_profile nibbles = {.name = "test", .tiles = 1, .rows = 1024, .cols = 40,
		.weight_max = 7, .quanta = 1024, .adc_bits = 15, .lsb_shift = 5};

	for (unsigned trial = 0; trial < 16; trial++) {
		const struct xbar_profile *profile = trial & 1u ? &nibbles : &wide;
		bool full = trial & 2u;
		enum xbar_simd simd = trial & 8u && xbar_avx2() ? XBAR_SIMD_AVX2 : XBAR_SIMD_OFF;
		struct xbar *xbar = board(profile, "off", full, simd, 1);
		struct xbar_region region = {.rows = profile->rows, .cols = profile->cols};
		int input = full ? 127 : 63, sign = trial & 4u ? -1 : 1;
		double sum = 1024.0 * input * profile->weight_max * sign / (1 << (profile->lsb_shift + full));
		struct answer *answer = answer_new(xbar, &region, false, 5);

		memset(answer->inputs, input, answer->input_bytes);
		write_same(xbar, 0, sign * profile->weight_max);
		ck_assert(xbar_infer(xbar, &answer->inference));
		for (size_t i = 0; i < 5 * 40; i++)
			ck_assert_int_eq(answer_code(answer, i), (int)__builtin_rint(sum));
		answer_free(answer);
		xbar_free(xbar);
	}
}
END_TEST

START_TEST(test_all_clipped)
{
	const struct xbar_profile *profile = xbar_profile_find("xbar64");
	struct xbar *xbar = board(profile, "off", false, XBAR_SIMD_AUTO, 1);
	struct xbar_region region = {.tile = 3, .row = 0, .col = 5, .rows = 64, .cols = 11};
	struct answer *answer = answer_new(xbar, &region, false, 2);

	write_same(xbar, 3, 7);
	memset(answer->inputs, 63, 64);
	memset(answer->inputs + 64, -63, 64);
	ck_assert(xbar_infer(xbar, &answer->inference));
	for (size_t i = 0; i < 22; i++)
		ck_assert_int_eq(answer_code(answer, i), i < 11 ? 127 : -128);
	for (size_t vector = 0; vector < 2; vector++) {
		ck_assert_uint_eq(answer->clipped[2 * vector], 0xFF);
		ck_assert_uint_eq(answer->clipped[2 * vector + 1], 0x07);
	}
	answer_free(answer);
	xbar_free(xbar);
}
END_TEST

/* ---- threads and splits ------------------------------------------------------------------------------------------ */

START_TEST(test_threads_equal)
{
	const struct xbar_profile *profile = xbar_profile_find("xbar1024");
	struct xbar *one = board(profile, _i ? "read+output" : "off", false, XBAR_SIMD_AUTO, 1);
	struct xbar *three = board(profile, _i ? "read+output" : "off", false, XBAR_SIMD_AUTO, 3);
	uint64_t seed = 9, again = 9;
	struct xbar_region whole = {.rows = 1024, .cols = 1024}, part = {.row = 3, .col = 8, .rows = 1001, .cols = 999};

	write_all(one, 0, &seed);
	write_all(three, 0, &again);
	ck_assert_ptr_null(three->pool);
	ck_assert_same(one, three, &whole, false, 70, &seed);
	ck_assert_ptr_nonnull(three->pool);
	ck_assert_ptr_null(one->pool);
	ck_assert_same(one, three, &part, true, 70, &seed);
	xbar_free(one);
	xbar_free(three);
}
END_TEST

static void count_part(void *arg, unsigned part)
{
	atomic_uint *runs = arg;

	atomic_fetch_add(&runs[part], 1);
}

/* Fewer parts than threads, none, and many: each is done once, by the time the call returns. */
START_TEST(test_pool_does_each_part_once)
{
	for (unsigned threads = 2; threads <= 5; threads++) {
		struct xbar_pool *pool = xbar_pool_new(threads);

		ck_assert_ptr_nonnull(pool);
		for (unsigned parts = 0; parts <= 40; parts++) {
			atomic_uint runs[41] = {0};

			xbar_pool_run(pool, count_part, runs, parts);
			for (unsigned part = 0; part <= 40; part++)
				ck_assert_uint_eq(runs[part], part < parts);
		}
		xbar_pool_free(pool);
	}
}
END_TEST

/* Work that is not worth a thread makes none. */
START_TEST(test_small_work_stays)
{
	const struct xbar_profile *profile = xbar_profile_find("xbar256");
	struct xbar *xbar = board(profile, "off", false, XBAR_SIMD_AUTO, 2);
	struct xbar_region whole = {.rows = 256, .cols = 256};
	struct answer *answer = answer_new(xbar, &whole, false, 32);

	ck_assert(xbar_infer(xbar, &answer->inference));
	ck_assert_ptr_null(xbar->pool);
	answer_free(answer);
	xbar_free(xbar);
}
END_TEST

/* 600 vectors at once (three chunks) against the same in pieces. */
START_TEST(test_splits_equal)
{
	static const size_t pieces[] = {1, 2, 255, 3, 256, 83};
	struct xbar *xbar = board(xbar_profile_find("xbar8"), ALL_NOISE, false, XBAR_SIMD_AUTO, 1);
	struct xbar_region region = {.row = 1, .col = 2, .rows = 6, .cols = 5};
	struct answer *whole = answer_new(xbar, &region, false, 600);
	uint64_t seed = 4;
	size_t done = 0;

	write_all(xbar, 0, &seed);
	answer_fill(whole, &seed);
	whole->inference.first_vector = UINT32_MAX - 100u;
	ck_assert(xbar_infer(xbar, &whole->inference));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); done += pieces[i++]) {
		struct answer *piece = answer_new(xbar, &region, false, pieces[i]);

		memcpy(piece->inputs, whole->inputs + done * 6, pieces[i] * 6);
		piece->inference.first_vector = whole->inference.first_vector + done;
		ck_assert(xbar_infer(xbar, &piece->inference));
		ck_assert_mem_eq(piece->outputs, whole->outputs + done * 5, pieces[i] * 5);
		ck_assert_mem_eq(piece->clipped, whole->clipped + done, pieces[i]);
		answer_free(piece);
	}
	ck_assert_uint_eq(done, 600);
	answer_free(whole);
	xbar_free(xbar);
}
END_TEST

/* ---- calls ------------------------------------------------------------------------------------------------------- */

/* Products of codes and of quanta are the same: one pair made uneven and whole again must change nothing. */
START_TEST(test_codes_and_quanta_agree)
{
	const struct xbar_profile *profile = xbar_profile_find("xbar256");
	struct xbar *xbar = board(profile, "off", false, XBAR_SIMD_AUTO, 1);
	struct xbar_region part = {.row = 5, .rows = 251, .cols = 200};
	struct xbar_region odd = {.row = 0, .col = 255, .rows = 1, .cols = 1};
	struct xbar_cell cell = {.row = 0, .col = 255};
	struct answer *before = answer_new(xbar, &part, false, 9), *after = answer_new(xbar, &part, false, 9);
	const int8_t zero = 0;
	uint64_t seed = 8;

	write_all(xbar, 0, &seed);
	answer_fill(before, &seed);
	memcpy(after->inputs, before->inputs, before->input_bytes);
	ck_assert(xbar_plane_is_codes(xbar, 0));
	ck_assert(xbar_infer(xbar, &before->inference));
	ck_assert(xbar_write(xbar, &odd, &zero));
	xbar_pulse(xbar, &cell, 2000000, 1000, 1);
	ck_assert(!xbar_plane_is_codes(xbar, 0));
	ck_assert(xbar_infer(xbar, &after->inference));
	ck_assert_mem_eq(before->outputs, after->outputs, before->output_bytes);
	ck_assert(xbar_write(xbar, &odd, &zero));
	ck_assert(xbar_plane_is_codes(xbar, 0));
	answer_free(before);
	answer_free(after);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_write_out_of_range_changes_nothing)
{
	struct xbar *xbar = board(xbar_profile_find("xbar64"), "off", false, XBAR_SIMD_AUTO, 1);
	struct xbar_region region = {.tile = 1, .row = 2, .col = 3, .rows = 1, .cols = 3};
	static const int8_t good[] = {1, -7, 7}, bad[] = {2, 3, -8};
	int8_t back[3];

	ck_assert(xbar_write(xbar, &region, good));
	ck_assert(!xbar_write(xbar, &region, bad));
	xbar_read(xbar, &region, 0, back);
	ck_assert_mem_eq(back, good, sizeof(good));
	ck_assert(xbar_add(xbar, 1, 2, 3, 6));
	ck_assert(!xbar_add(xbar, 1, 2, 3, 1));
	ck_assert(!xbar_add(xbar, 1, 2, 4, INT32_MIN));
	xbar_read(xbar, &region, 0, back);
	ck_assert_int_eq(back[0], 7);
	ck_assert_int_eq(back[1], -7);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_time_only_grows)
{
	struct xbar *xbar = board(xbar_profile_find("xbar8"), "drift", false, XBAR_SIMD_AUTO, 1);

	ck_assert(xbar_set_time(xbar, 10));
	ck_assert(xbar_set_time(xbar, 10));
	ck_assert(!xbar_set_time(xbar, 9));
	ck_assert_uint_eq(xbar_time(xbar), 10);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_forming_and_pulses)
{
	struct xbar *xbar = board(xbar_profile_find("xbar8"), "pristine", false, XBAR_SIMD_AUTO, 1);
	struct xbar_cell cell = {.row = 4, .col = 2, .side = 1}, other = {.row = 4, .col = 2};
	struct xbar_voltage_trace trace;
	uint32_t formed, set;

	xbar_pulse(xbar, &cell, 2900000, 100, 4);
	ck_assert(!xbar_formed(xbar, &cell));
	ck_assert_uint_eq(xbar_conductance(xbar, &cell, 0, 1), 0);
	xbar_pulse(xbar, &cell, 3100000, 100, 1);
	ck_assert(xbar_formed(xbar, &cell));
	ck_assert(!xbar_formed(xbar, &other));
	formed = xbar_conductance(xbar, &cell, 0, 1);
	ck_assert_uint_eq(formed, 20000000);
	xbar_pulse(xbar, &cell, 1500000, 1000, 10);
	set = xbar_conductance(xbar, &cell, 0, 1);
	ck_assert_uint_gt(set, formed);
	xbar_pulse(xbar, &cell, -1500000, 1000, 30);
	ck_assert_uint_lt(xbar_conductance(xbar, &cell, 0, 1), set);
	ck_assert_int_lt(xbar_current(xbar, &cell, -200000, 100, 0), 0);
	ck_assert_uint_eq(xbar_cell_pulses(xbar, &cell), 46);
	ck_assert_uint_eq(xbar_cell_pulses(xbar, &other), 0);
	xbar_voltage_trace(xbar, &trace);
	ck_assert_int_eq(trace.lowest_uv, -1500000);
	ck_assert_int_eq(trace.highest_uv, 3100000);
	ck_assert_uint_eq(trace.pulses, 46);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_noise_text)
{
	static const char *const wrong[] = {"", "pcm+", "hum", "off:1", "pcm:wan2022", "pcm+read:wan2022", "read:flash",
		"stuck:1.5", "stuck:", "stuck:.", "stuck:0.0000001", "output:-1", "output:1e3", "output:1001", "adc:1"};
	struct xbar_options options = {.seed = 5}, before;
	char error[XBAR_NOISE_ERROR_SIZE];

	ck_assert(xbar_options_parse("write:pcm+stuck:0.25+output:2.5+adc+irdrop+pristine", &options, error));
	ck_assert_int_eq(options.device, XBAR_DEVICE_PCM);
	ck_assert_uint_eq(options.effects, XBAR_WRITE_NOISE | XBAR_STUCK | XBAR_OUTPUT_NOISE | XBAR_ADC_ERRORS |
						   XBAR_IR_DROP | XBAR_PRISTINE);
	ck_assert_uint_eq(options.stuck_ppm, 250000);
	ck_assert_uint_eq(options.output_noise_mlsb, 2500);
	ck_assert_uint_eq(options.seed, 5);
	before = options;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memset(error, 0, sizeof(error));
		ck_assert_msg(!xbar_options_parse(wrong[i], &options, error), "'%s' is taken", wrong[i]);
		ck_assert_uint_gt(strlen(error), 10);
		ck_assert_mem_eq(&options, &before, sizeof(options));
	}
	ck_assert(xbar_options_parse("off", &options, error));
	ck_assert_uint_eq(options.effects, 0);
}
END_TEST

START_TEST(test_environment_chooses_the_kernel)
{
	struct xbar_options options = {.simd = XBAR_SIMD_AUTO};
	struct xbar *xbar;

	setenv("NMHAL_SIMD", "off", 1);
	xbar = xbar_new(xbar_profile_find("xbar8"), &options);
	ck_assert_str_eq(xbar_kernel(xbar), "plain");
	xbar_free(xbar);
	setenv("NMHAL_SIMD", "neon", 1);
	ck_assert_ptr_null(xbar_new(xbar_profile_find("xbar8"), &options));
	unsetenv("NMHAL_SIMD");
}
END_TEST

START_TEST(test_profiles)
{
	size_t count = 0;

	for (const struct xbar_profile *profile; (profile = xbar_profile_at(count)); count++)
		ck_assert_ptr_eq(xbar_profile_find(profile->name), profile);
	ck_assert_uint_eq(count, 4);
	ck_assert_ptr_null(xbar_profile_find("xbar"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("xbar");
	TCase *tcase = tcase_create("xbar");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, test_philox);
	if (xbar_avx2()) {
		tcase_add_test(tcase, test_kernels_equal);
		tcase_add_test(tcase, test_noise_equal);
	}
	tcase_add_test(tcase, test_kernels_at_rails);
	tcase_add_test(tcase, test_all_clipped);
	tcase_add_loop_test(tcase, test_threads_equal, 0, 2);
	tcase_add_test(tcase, test_pool_does_each_part_once);
	tcase_add_test(tcase, test_small_work_stays);
	tcase_add_test(tcase, test_splits_equal);
	tcase_add_test(tcase, test_codes_and_quanta_agree);
	tcase_add_test(tcase, test_write_out_of_range_changes_nothing);
	tcase_add_test(tcase, test_time_only_grows);
	tcase_add_test(tcase, test_forming_and_pulses);
	tcase_add_test(tcase, test_noise_text);
	tcase_add_test(tcase, test_environment_chooses_the_kernel);
	tcase_add_test(tcase, test_profiles);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed)
		return EXIT_FAILURE;
	if (xbar_avx2())
		return EXIT_SUCCESS;
	printf("skipped: no AVX2 on this machine; the rest was tested\n");
	return 77;
}
