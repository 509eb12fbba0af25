/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "xbar_test.h"

uint32_t random_word(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

struct xbar_region random_region(const struct xbar_profile *profile, uint64_t *seed)
{
	struct xbar_region region = {.rows = 1 + random_word(seed) % profile->rows};

	region.cols = 1 + random_word(seed) % profile->cols;
	region.row = random_word(seed) % (profile->rows - region.rows + 1);
	region.col = random_word(seed) % (profile->cols - region.cols + 1);
	return region;
}

struct xbar *board(const struct xbar_profile *profile, const char *noise, bool full, enum xbar_simd simd,
		   unsigned threads)
{
	struct xbar_options options = {.seed = 11, .full_inputs = full, .simd = simd, .threads = threads};
	char error[XBAR_NOISE_ERROR_SIZE];
	struct xbar *xbar;

	ck_assert_msg(xbar_options_parse(noise, &options, error), "%s", error);
	xbar = xbar_new(profile, &options);
	ck_assert_ptr_nonnull(xbar);
	return xbar;
}

static void *buffer(size_t bytes)
{
	void *at = malloc(bytes);

	ck_assert_ptr_nonnull(at);
	return at;
}

static void write_codes(struct xbar *xbar, unsigned tile, const int8_t *codes)
{
	struct xbar_region whole = {.tile = tile, .rows = xbar_profile(xbar)->rows, .cols = xbar_profile(xbar)->cols};

	ck_assert(xbar_write(xbar, &whole, codes));
}

void write_all(struct xbar *xbar, unsigned tile, uint64_t *seed)
{
	const struct xbar_profile *profile = xbar_profile(xbar);
	size_t count = (size_t)profile->rows * profile->cols;
	unsigned max = (unsigned)profile->weight_max;
	int8_t *codes = buffer(count);

	for (size_t i = 0; i < count; i++)
		codes[i] = (int8_t)((int)(random_word(seed) % (2 * max + 1)) - (int)max);
	write_codes(xbar, tile, codes);
	free(codes);
}

void write_same(struct xbar *xbar, unsigned tile, int code)
{
	size_t count = (size_t)xbar_profile(xbar)->rows * xbar_profile(xbar)->cols;
	int8_t *codes = buffer(count);

	memset(codes, code, count);
	write_codes(xbar, tile, codes);
	free(codes);
}

struct answer *answer_new(const struct xbar *xbar, const struct xbar_region *region, bool transposed, size_t batch)
{
	struct answer *answer = buffer(sizeof(*answer));
	size_t outputs = transposed ? region->rows : region->cols;

	memset(answer, 0, sizeof(*answer));
	answer->input_max = xbar_input_max(xbar);
	answer->code_bytes = xbar_output_bytes(xbar);
	answer->input_bytes = batch * (transposed ? region->cols : region->rows);
	answer->output_bytes = batch * outputs * answer->code_bytes;
	answer->clipped_bytes = batch * ((outputs + 7) / 8);
	answer->inputs = buffer(answer->input_bytes);
	answer->outputs = buffer(answer->output_bytes);
	answer->clipped = buffer(answer->clipped_bytes);
	memset(answer->inputs, 0, answer->input_bytes);
	answer->inference = (struct xbar_inference){.region = *region, .transposed = transposed, .batch = batch,
		.inputs = answer->inputs, .outputs = answer->outputs, .clipped = answer->clipped};
	return answer;
}

void answer_free(struct answer *answer)
{
	free(answer->inputs);
	free(answer->outputs);
	free(answer->clipped);
	free(answer);
}

void answer_fill(struct answer *answer, uint64_t *seed)
{
	unsigned codes = 2u * (unsigned)answer->input_max + 1;

	for (size_t i = 0; i < answer->input_bytes; i++)
		answer->inputs[i] = (int8_t)((int)(random_word(seed) % codes) - answer->input_max);
}

int answer_code(const struct answer *answer, size_t i)
{
	if (answer->code_bytes == 2)
		return (int16_t)(answer->outputs[2 * i] | answer->outputs[2 * i + 1] << 8);
	return (int8_t)answer->outputs[i];
}
