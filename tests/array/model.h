/* SPDX-License-Identifier: MIT */
/* What docs/arrays.md says that an array computes, once more and as plainly as can be: no tiles kept, no shadow. */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>

#include <nmhal/nmhal.h>

#define MODEL_SIDE 40 /* largest matrix: MODEL_SIDE x MODEL_SIDE */

struct model {
	struct nmhal_device_caps caps;
	uint32_t n_out, n_in, slices;
	bool has_w;
	int32_t code_max, q_max, input_max;
	float w[MODEL_SIDE][MODEL_SIDE], scale[MODEL_SIDE];
	int32_t q[MODEL_SIDE][MODEL_SIDE];
};

void model_init(struct model *m, const struct nmhal_device_caps *caps, uint32_t n_out, uint32_t n_in, uint32_t slices);
/* INVALID: codes leave float's range; STATE: keep, and codes or scales would change. */
int model_take(struct model *m, const float *w, size_t stride, bool keep);
/* STATE: there is no matrix. How many sums were clamped is added to *clamped. */
int model_update(struct model *m, const float *dw, size_t stride, uint64_t *clamped);
/* What the codes stand for. */
float model_value(const struct model *m, uint32_t out, uint32_t in);
/* y[n_out], or with transposed y[n_in]. INVALID: something leaves float's range. */
int model_product(const struct model *m, const float *x, bool transposed, float *y);

#endif
