/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/array/model.h"

static float largest(const float *v, uint32_t count)
{
	float most = 0;

	for (uint32_t i = 0; i < count; i++)
		most = fmaxf(most, fabsf(v[i]));
	return most;
}

/* By trying the grid from below. */
static float scale_of(float max, int32_t q_max)
{
	if (max == 0)
		return 0;
	for (int k = -126 * 8; k < 128 * 8; k++) {
		const int octave = (k + 1024) / 8 - 128;
		const float s = ldexpf((float)exp2((k - 8 * octave) / 8.0), octave);

		if (s * (float)q_max >= max)
			return s;
	}
	return INFINITY;
}

void model_init(struct model *m, const struct nmhal_device_caps *caps, uint32_t n_out, uint32_t n_in, uint32_t slices)
{
	*m = (struct model){.caps = *caps, .n_out = n_out, .n_in = n_in, .slices = slices};
	m->code_max = caps->weight_max < -caps->weight_min ? caps->weight_max : -caps->weight_min;
	m->input_max = caps->input_max < -caps->input_min ? caps->input_max : -caps->input_min;
	m->q_max = slices == 1 ? m->code_max : m->code_max * (2 * m->code_max + 2);
}

static bool too_large(const struct model *m, const float *w, size_t stride)
{
	for (uint32_t o = 0; o < m->n_out; o++)
		if (!isfinite(scale_of(largest(w + o * stride, m->n_in), m->q_max) * (float)m->q_max))
			return true;
	return false;
}

static int32_t code_of(float w, float scale, int32_t limit)
{
	return scale > 0 ? (int32_t)nearbyintf(fminf(fmaxf(w / scale, (float)-limit), (float)limit)) : 0;
}

static bool same(const struct model *m, const float *w, size_t stride)
{
	for (uint32_t o = 0; o < m->n_out; o++)
		if (memcmp(m->w[o], w + o * stride, m->n_in * sizeof(*w)) != 0)
			return false;
	return m->has_w;
}

int model_take(struct model *m, const float *w, size_t stride, bool keep)
{
	struct model made = *m;

	if (same(m, w, stride))
		return NMHAL_OK;
	if (too_large(m, w, stride))
		return NMHAL_E_INVALID;
	for (uint32_t o = 0; o < m->n_out; o++) {
		const float *row = w + o * stride;

		made.scale[o] = scale_of(largest(row, m->n_in), m->q_max);
		memcpy(made.w[o], row, m->n_in * sizeof(*row));
		for (uint32_t i = 0; i < m->n_in; i++)
			made.q[o][i] = code_of(row[i], made.scale[o], m->q_max);
	}
	made.has_w = true;
	if (keep && (!m->has_w || memcmp(made.scale, m->scale, sizeof(made.scale)) != 0 ||
			    memcmp(made.q, m->q, sizeof(made.q)) != 0))
		return NMHAL_E_STATE;
	*m = made;
	return NMHAL_OK;
}

float model_value(const struct model *m, uint32_t out, uint32_t in)
{
	return (float)m->q[out][in] * m->scale[out];
}

int model_update(struct model *m, const float *dw, size_t stride, uint64_t *clamped)
{
	if (too_large(m, dw, stride))
		return NMHAL_E_INVALID;
	if (!m->has_w)
		return NMHAL_E_STATE;
	for (uint32_t o = 0; o < m->n_out; o++) {
		const float *row = dw + o * stride;

		if (m->scale[o] == 0)
			m->scale[o] = scale_of(largest(row, m->n_in), m->q_max);
		for (uint32_t i = 0; i < m->n_in; i++) {
			const int32_t sum = m->q[o][i] + code_of(row[i], m->scale[o], 3 * m->q_max);
			const int32_t q = sum > m->q_max ? m->q_max : sum < -m->q_max ? -m->q_max : sum;

			*clamped += q != sum;
			m->q[o][i] = q;
			m->w[o][i] = model_value(m, o, i);
		}
	}
	return NMHAL_OK;
}

static int32_t slice_of(const struct model *m, int32_t q, uint32_t slice)
{
	const int32_t radix = 2 * m->code_max + 1, high = (int32_t)lround((double)q / radix);

	return m->slices == 1 ? q : slice == 0 ? high : q - high * radix;
}

/* The output code of a part of an output: inputs first..end-1 in one conversion. */
static int64_t convert(const struct model *m, const int32_t *codes, uint32_t output, uint32_t slice, bool transposed,
	uint32_t first, uint32_t end)
{
	double code;
	int64_t sum = 0;

	for (uint32_t k = first; k < end; k++)
		sum += (int64_t)codes[k] * slice_of(m, transposed ? m->q[k][output] : m->q[output][k], slice);
	code = nearbyint((double)sum / m->caps.output_lsb);
	return (int64_t)fmin(fmax(code, m->caps.output_min), m->caps.output_max);
}

int model_product(const struct model *m, const float *x, bool transposed, float *y)
{
	const uint32_t width = transposed ? m->n_out : m->n_in, outputs = transposed ? m->n_in : m->n_out;
	const uint32_t tile = transposed ? m->caps.cols : m->caps.rows;
	int32_t codes[MODEL_SIDE];
	float scaled[MODEL_SIDE] = {0}, step;

	for (uint32_t k = 0; k < width; k++) {
		scaled[k] = transposed ? x[k] * m->scale[k] : x[k];
		if (!isfinite(scaled[k]))
			return NMHAL_E_INVALID;
	}
	step = fmaxf(largest(scaled, width) / (float)m->input_max, FLT_MIN);
	for (uint32_t k = 0; k < width; k++)
		codes[k] = (int32_t)nearbyintf(scaled[k] / step);
	for (uint32_t o = 0; o < outputs; o++) {
		const float lsb = (float)m->caps.output_lsb, factor = transposed ? lsb : m->scale[o] * lsb;
		int64_t sum = 0;

		for (uint32_t slice = 0; slice < m->slices; slice++)
			for (uint32_t first = 0; first < width; first += tile)
				sum += (m->slices == 2 && slice == 0 ? 2 * m->code_max + 1 : 1) *
				       convert(m, codes, o, slice, transposed, first,
					       first + tile < width ? first + tile : width);
		y[o] = (float)sum * factor * step;
		if (!isfinite(y[o]))
			return NMHAL_E_INVALID;
	}
	return NMHAL_OK;
}
