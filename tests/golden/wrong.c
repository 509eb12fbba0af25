/* SPDX-License-Identifier: MIT */
/* wrong FILE...: replays traces into the model it is built with. Exit 0: identical, 1: a trace tells, 2: unreadable. */
#include <stdio.h>

#include "tests/golden/golden.h"

int main(int argc, char **argv)
{
	struct golden_totals totals = {0};
	struct golden_result result = {.status = 2};

	for (int i = 1; i < argc; i++) {
		golden_replay(argv[i], TINYODIN_SIMD_OFF, false, &totals, &result);
		if (result.status) {
			puts(result.where);
			return result.status;
		}
	}
	printf("%zu episodes, %zu outputs identical\n", totals.episodes, totals.outputs);
	return totals.episodes ? 0 : 2;
}
