/* SPDX-License-Identifier: MIT */
/*
 * The noise of the crossbar model against published figures: fixed seed, bounds of five standard errors or more. The
 * figures are those of the publications' own formulas at round conductances, computed by hand.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "sim/xbar_core.h"
#include "xbar_test.h"

#define SIDE  256u
#define CELLS ((size_t)SIDE * SIDE)

/* Codes 0, 25, 50 and 100 are 0, 1/4, 1/2 and all of the range. */
static const struct xbar_profile quarters = {.name = "test", .tiles = 1, .rows = SIDE, .cols = SIDE, .weight_max = 100,
	.quanta = 64, .adc_bits = 15, .lsb_shift = 0};

struct moments {
	double mean, sigma, kurtosis;
};

static struct moments moments_of(const double *value, size_t count, double about)
{
	double sum = 0, square = 0, fourth = 0;

	for (size_t i = 0; i < count; i++) {
		double off = value[i] - about;

		sum += value[i];
		square += off * off;
		fourth += off * off * off * off;
	}
	return (struct moments){
		.mean = sum / (double)count,
		.sigma = sqrt(square / (double)count),
		.kurtosis = fourth * (double)count / (square * square),
	};
}

/* Conductances in uS of the G+ cells of all pairs, which have one code. */
static double *conductances(struct xbar *xbar)
{
	double *us = malloc(CELLS * sizeof(*us));

	ck_assert_ptr_nonnull(us);
	for (unsigned k = 0; k < CELLS; k++) {
		struct xbar_cell at = {.row = k / SIDE, .col = k % SIDE};

		us[k] = xbar_conductance(xbar, &at, 0, 1) / 1e6;
	}
	return us;
}

static const struct {
	const char *noise;
	uint32_t age_s;
	int code;
	double target_us, sigma_us;
} spreads[] = {
	{"write:wan2022", 0, 0, 0, 0.348},
	{"write:wan2022", 0, 25, 10, 2.258},
	{"write:wan2022", 0, 50, 20, 2.023},
	{"write:wan2022", 0, 100, 40, 1.103},
	{"write:pcm", 0, 0, 0, 0.263},
	{"write:pcm", 0, 25, 6.25, 0.681},
	{"write:pcm", 0, 50, 12.5, 0.953},
	{"write:pcm", 0, 100, 25, 1.055},
	{"wan2022", 86400, 50, 20, 3.909},
	{"write+drift", 86400, 100, 40, 2.651},
	{"write+drift", 172800, 100, 40, 2.677},
};

/* Cells of target 0 show half of the distribution: the other half is clipped to 0. */
START_TEST(test_spread)
{
	struct xbar *xbar = board(&quarters, spreads[_i].noise, false, XBAR_SIMD_AUTO, 1);
	double target = spreads[_i].target_us, sigma = spreads[_i].sigma_us, *us;
	struct moments found;

	write_same(xbar, 0, spreads[_i].code);
	ck_assert(xbar_set_time(xbar, spreads[_i].age_s));
	us = conductances(xbar);
	found = moments_of(us, CELLS, target);
	if (target > 0)
		ck_assert_double_eq_tol(found.mean, target, 5 * sigma / sqrt(CELLS) + 0.01);
	else
		found.sigma *= sqrt(2);
	ck_assert_double_eq_tol(found.sigma, sigma, 0.015 * sigma);
	free(us);
	xbar_free(xbar);
}
END_TEST

/* PCM at full conductance: nu = N(0.049, 0.008), so (t + t0) / t0 to the power -nu is log-normal. */
START_TEST(test_pcm_drift)
{
	struct xbar *xbar = board(&quarters, "drift:pcm", false, XBAR_SIMD_AUTO, 1);
	double l = log((1e6 + 20) / 20), mean = 25 * exp(-0.049 * l + 0.5 * 0.008 * l * 0.008 * l), *us;
	struct moments found;

	write_same(xbar, 0, 100);
	ck_assert(xbar_set_time(xbar, 1000000));
	us = conductances(xbar);
	found = moments_of(us, CELLS, mean);
	ck_assert_double_eq_tol(found.mean, mean, 0.02);
	ck_assert_double_eq_tol(found.sigma, mean * sqrt(exp(0.008 * l * 0.008 * l) - 1), 0.02 * found.sigma);
	free(us);
	xbar_free(xbar);
}
END_TEST

/* One cell, many reads: 1 % for Wan; for PCM 0.0088 sqrt(ln((20 s + 250 ns) / 500 ns)) at full conductance. */
START_TEST(test_read_noise_of_a_cell)
{
	struct xbar *xbar = board(&quarters, _i ? "read:pcm" : "read", false, XBAR_SIMD_AUTO, 1);
	double expected = _i ? 25 * 0.0088 * sqrt(log(20.00000025 / 5e-7)) : 0.4, *us = malloc(CELLS * sizeof(*us));
	const struct xbar_cell at = {.row = 3, .col = 4};

	ck_assert_ptr_nonnull(us);
	write_same(xbar, 0, 100);
	for (size_t k = 0; k < CELLS; k++)
		us[k] = xbar_conductance(xbar, &at, k, 1) / 1e6;
	ck_assert_double_eq_tol(moments_of(us, CELLS, _i ? 25 : 40).sigma, expected, 0.015 * expected);
	free(us);
	xbar_free(xbar);
}
END_TEST

/* Outputs of one vector, many uses: the variances of the pairs add up, with the squares of the inputs, or with their
 * magnitudes when they are trains of pulses. 1 % of 100 codes is one code; the LSB is 1. */
START_TEST(test_read_noise_of_outputs)
{
	struct xbar *xbar = board(&quarters, "read", false, XBAR_SIMD_AUTO, 1);
	struct xbar_region region = {.row = 10, .col = 20, .rows = 5, .cols = 1};
	struct answer *answer = answer_new(xbar, &region, false, 20000);
	double *value = malloc(20000 * sizeof(*value)), expected = _i ? sqrt(5 * 32.0) : sqrt(5) * 32;

	ck_assert_ptr_nonnull(value);
	write_same(xbar, 0, 100);
	for (size_t i = 0; i < answer->input_bytes; i++)
		answer->inputs[i] = i % 2 ? 32 : -32;
	answer->inference.bit_serial = _i;
	ck_assert(xbar_infer(xbar, &answer->inference));
	for (size_t i = 0; i < 20000; i++)
		value[i] = answer_code(answer, i) - (i % 2 ? 3200 : -3200);
	/* Variances are rounded to 1/127 of the largest: up to half a percent of sigma. */
	ck_assert_double_eq_tol(moments_of(value, 20000, 0).sigma, expected, 0.03 * expected);
	ck_assert_double_eq_tol(moments_of(value, 20000, 0).mean, 0, 5 * expected / sqrt(20000));
	free(value);
	answer_free(answer);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_moments_of_the_generator)
{
	enum { COUNT = 1 << 20 };
	const struct xbar_kernel *kernel = xbar_avx2() ? xbar_avx2() : &xbar_plain;
	float offset[XBAR_PANEL] = {0}, *add = malloc(COUNT * sizeof(*add));
	double *value = malloc(COUNT * sizeof(*value)), far = 0;
	struct xbar_noise noise = {.seed = 1, .vectors = COUNT / XBAR_PANEL, .floor = 1, .offset = offset, .add = add};
	struct moments found;

	ck_assert(add && value);
	kernel->noise(&noise);
	for (size_t i = 0; i < COUNT; i++) {
		value[i] = add[i];
		far += fabs(value[i]) > 3;
	}
	found = moments_of(value, COUNT, 0);
	ck_assert_double_eq_tol(found.mean, 0, 5.0 / 1024);
	ck_assert_double_eq_tol(found.sigma, 1, 5 * 0.71 / 1024);
	ck_assert_double_eq_tol(found.kurtosis, 3, 5 * 4.9 / 1024);
	ck_assert_double_eq_tol(far / COUNT, 0.0026998, 0.00025);
	free(add);
	free(value);
}
END_TEST

/* Of one large board with all codes: no read is outside of the tolerance, some are outside of half of it. */
static const struct {
	const char *noise;
	unsigned tolerance;
} declared[] = {{"off", 0}, {"drift", 0}, {"adc+irdrop+output", 0}, {"write", 44}, {"read", 8}, {"wan2022", 44},
	{"pcm", 43}};

START_TEST(test_tolerance)
{
	const struct xbar_profile *profile = xbar_profile_find("xbar256");
	struct xbar *xbar = board(profile, declared[_i].noise, false, XBAR_SIMD_AUTO, 1);
	const struct xbar_region all = {0, 0, 0, profile->rows, profile->cols};
	int8_t *codes = malloc(CELLS), *found = malloc(CELLS);
	int worst = 0;

	ck_assert(codes && found && CELLS == (size_t)profile->rows * profile->cols);
	for (unsigned k = 0; k < CELLS; k++)
		codes[k] = (int8_t)((int)(k * 77 % 255) - 127);
	ck_assert(xbar_write(xbar, &all, codes));
	for (uint64_t use = 0; use < 4; use++) {
		xbar_read(xbar, &all, use, found);
		for (unsigned k = 0; k < CELLS; k++)
			worst = abs(found[k] - codes[k]) > worst ? abs(found[k] - codes[k]) : worst;
	}
	ck_assert_uint_eq(xbar_tolerance(xbar), declared[_i].tolerance);
	ck_assert_int_le(worst, (int)declared[_i].tolerance);
	ck_assert_int_ge(2 * worst, (int)declared[_i].tolerance);
	free(codes);
	free(found);
	xbar_free(xbar);
}
END_TEST

START_TEST(test_share_of_stuck_cells)
{
	struct xbar *xbar = board(&quarters, "stuck:0.02", false, XBAR_SIMD_AUTO, 1);
	size_t low = 0, high = 0;
	double *us;

	write_same(xbar, 0, 50);
	us = conductances(xbar);
	for (size_t k = 0; k < CELLS; k++) {
		low += us[k] < 0.001;
		high += us[k] > 39.999;
	}
	ck_assert_double_eq_tol((double)low / CELLS, 0.01, 0.002);
	ck_assert_double_eq_tol((double)high / CELLS, 0.01, 0.002);
	free(us);
	xbar_free(xbar);
}
END_TEST

/* Wires take from a sum, and more so far away from the driver. */
START_TEST(test_ir_drop)
{
	struct xbar *xbar = board(&quarters, "irdrop", false, XBAR_SIMD_AUTO, 1);
	struct xbar_region region = {.rows = 1, .cols = SIDE};
	struct answer *answer = answer_new(xbar, &region, false, 1);

	write_same(xbar, 0, 100);
	answer->inputs[0] = 63;
	ck_assert(xbar_infer(xbar, &answer->inference));
	for (size_t col = 1; col < SIDE; col++)
		ck_assert_int_le(answer_code(answer, col), answer_code(answer, col - 1));
	/* 40 uS * 0.175 ohm * (256 * 257 / 2 column + 256 row segments) = 0.232 at column 0. */
	ck_assert_int_eq(answer_code(answer, 0), (int)lrint(rint(6400 / 1.232064) * 63 / 64));
	answer_free(answer);
	xbar_free(xbar);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("statistics");
	TCase *tcase = tcase_create("statistics");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 300);
	tcase_add_loop_test(tcase, test_spread, 0, sizeof(spreads) / sizeof(*spreads));
	tcase_add_test(tcase, test_pcm_drift);
	tcase_add_loop_test(tcase, test_read_noise_of_a_cell, 0, 2);
	tcase_add_loop_test(tcase, test_read_noise_of_outputs, 0, 2);
	tcase_add_test(tcase, test_moments_of_the_generator);
	tcase_add_loop_test(tcase, test_tolerance, 0, sizeof(declared) / sizeof(*declared));
	tcase_add_test(tcase, test_share_of_stuck_cells);
	tcase_add_test(tcase, test_ir_drop);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
