/* SPDX-License-Identifier: MIT */
/* What the tests of the crossbar model share: boards, random weights, inferences with their buffers. */
#ifndef XBAR_TEST_H
#define XBAR_TEST_H

#include "sim/xbar.h"

/* Next number of a fixed pseudo-random sequence. */
uint32_t random_word(uint64_t *seed);
struct xbar_region random_region(const struct xbar_profile *profile, uint64_t *seed);

/* A board with seed 11; ends the test when there is none. */
struct xbar *board(const struct xbar_profile *profile, const char *noise, bool full, enum xbar_simd simd, unsigned threads);
/* Random weights, or one weight, in all of a tile. */
void write_all(struct xbar *xbar, unsigned tile, uint64_t *seed);
void write_same(struct xbar *xbar, unsigned tile, int code);

/* An inference and its buffers, exactly as long as they must be. */
struct answer {
	struct xbar_inference inference;
	int input_max;
	int8_t *inputs;
	uint8_t *outputs, *clipped;
	size_t input_bytes, output_bytes, clipped_bytes;
	unsigned code_bytes;
};

struct answer *answer_new(const struct xbar *xbar, const struct xbar_region *region, bool transposed, size_t batch);
void answer_free(struct answer *answer);
/* Random inputs. */
void answer_fill(struct answer *answer, uint64_t *seed);
/* Output number i. */
int answer_code(const struct answer *answer, size_t i);

#endif
