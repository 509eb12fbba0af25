/* SPDX-License-Identifier: MIT */
/* Replays recorded episodes (data/README.md) straight into the chip model. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "sim/tinyodin.h"

/* What was compared. */
struct golden_totals {
	size_t episodes, frames, miso, events, outputs, words;
};

struct golden_result {
	int status;      /* 0: identical, 1: differs, 2: unreadable */
	char where[160]; /* what differs: file, episode, place, expected and got */
};

/* Replays all episodes of a .jsonl.gz file until one differs. With frames_together the whole SPI list is one call, else
 * a call per frame, with the outputs taken after each. */
void golden_replay(const char *path, enum tinyodin_simd simd, bool frames_together, struct golden_totals *totals,
		   struct golden_result *result);

#endif
