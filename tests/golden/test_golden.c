/* SPDX-License-Identifier: MIT */
/* The recorded traces, replayed into the model with each kernel. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/golden/golden.h"

static const char *const files[] = {"tinyodin_idle", "tinyodin_drops", "tinyodin_edges", "tinyodin_spi",
				    "tinyodin_timed"};

static const struct {
	const char *name;
	enum tinyodin_simd simd;
} kernels[] = {{"plain", TINYODIN_SIMD_OFF}, {"avx2", TINYODIN_SIMD_AVX2}};

static void replay_file(size_t kernel, const char *file, bool frames_together)
{
	struct golden_totals totals = {0};
	struct golden_result result;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.jsonl.gz", GOLDEN_DATA, file);
	golden_replay(path, kernels[kernel].simd, frames_together, &totals, &result);
	ck_assert_msg(result.status == 0, "%s: %s", file, result.where);
	printf("%-14s %-5s %s: %2zu episodes, %6zu frames, %4zu MISO, %4zu events, %5zu outputs, %5zu words "
	       "identical\n", file, kernels[kernel].name, frames_together ? "one call      " : "call per frame",
	       totals.episodes, totals.frames, totals.miso, totals.events, totals.outputs, totals.words);
	ck_assert_uint_gt(totals.episodes, 0);
	ck_assert_uint_gt(totals.frames, 0);
	ck_assert_uint_gt(totals.outputs, 0);
	ck_assert_uint_gt(totals.events + totals.miso, 0);
}

START_TEST(every_file_is_identical)
{
	size_t kernel = (size_t)_i;
	struct tinyodin *chip = tinyodin_new(kernels[kernel].simd, true);

	if (!chip && kernels[kernel].simd == TINYODIN_SIMD_AVX2) {
		printf("avx2: not on this machine, not compared\n");
		return;
	}
	ck_assert_ptr_nonnull(chip);
	ck_assert_str_eq(tinyodin_kernel(chip), kernels[kernel].name);
	tinyodin_free(chip);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		replay_file(kernel, files[i], false);
		replay_file(kernel, files[i], true);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("golden");
	TCase *tcase = tcase_create("replay");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, every_file_is_identical, 0, sizeof(kernels) / sizeof(kernels[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
