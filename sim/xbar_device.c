/* SPDX-License-Identifier: MIT */
/* Published devices: programming noise, drift, read noise, stuck cells; and the errors of ADCs (section "Devices"). */
#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

#define SMALLEST_X       0x1p-10f /* below it the published laws are at their clips */
#define MAX_CODE_DRAW    4294967296u

/* sigma in uS of x = g / g_max: coefficients of x^4 ... x^0. */
struct polynomial {
	float c[5];
};

/* Nandakumar 2019, as aihwkit's PCMLikeNoiseModel has it. */
static const struct polynomial pcm_write = {{0.0f, 0.0f, -1.1731f, 1.9650f, 0.26348f}};
#define PCM_T0_S   20.0f
#define PCM_READ_S 2.5e-7f

/* Wan 2022: 1 second, 1 day and 2 days after the write. */
static const struct polynomial wan_sigma[] = {
	{{-16.815f, 45.393f, -43.853f, 16.030f, 0.348f}},
	{{-16.458f, 47.095f, -50.773f, 22.086f, 0.701f}},
	{{-11.934f, 37.062f, -43.507f, 20.274f, 0.782f}},
};
#define DAY_S    86400u
#define LN_DAY   0x1.6bbc5ep3f /* ln 86400 */
#define WAN_READ 0.01f

#define TOLERANCE_SIGMAS 6.0f

#define ADC_GAIN_SIGMA   0.01f
#define ADC_OFFSET_SIGMA 0.5f

float xbar_device_max_us(const struct xbar *xbar)
{
	return xbar->options.device == XBAR_DEVICE_PCM ? 25.0f : 40.0f;
}

static float sigma_us(const struct polynomial *polynomial, float x)
{
	float p = polynomial->c[0];

	for (unsigned i = 1; i < 5; i++)
		p = p * x + polynomial->c[i];
	return p < 0.0f ? 0.0f : p;
}

static float quanta_per_us(const struct xbar *xbar)
{
	return (float)xbar->full / xbar_device_max_us(xbar);
}

static uint16_t to_quanta(float g)
{
	return (uint16_t)xbar_round(xbar_clamp(g, 0.0f, (float)XBAR_QUANTA_MAX));
}

/* Sigma of the miss of a write, quanta; 0 without XBAR_WRITE_NOISE. */
static float write_sigma(const struct xbar *xbar, uint16_t aim)
{
	const struct polynomial *sigma = xbar->options.device == XBAR_DEVICE_PCM ? &pcm_write : &wan_sigma[0];

	if (!(xbar->options.effects & XBAR_WRITE_NOISE))
		return 0.0f;
	return sigma_us(sigma, (float)aim / (float)xbar->full) * quanta_per_us(xbar);
}

/* sin: of the write; cos: of the drift that follows. */
static struct xbar_normals write_normals(const struct xbar *xbar, const struct xbar_cell *at, uint32_t events)
{
	uint32_t word = xbar_counter_word(XBAR_FOR_WRITE, at->tile, 2 * at->col + at->side);

	return xbar_normals_at(xbar->options.seed, word, at->row, events);
}

void xbar_device_write(struct xbar *xbar, const struct xbar_cell *at, uint16_t aim)
{
	struct xbar_cell_state *cell = xbar_cell_state(xbar, at);

	cell->events++;
	cell->since_s = xbar->time_s;
	cell->aim = cell->g = cell->formed ? aim : 0;
	if (xbar->options.effects & XBAR_WRITE_NOISE && cell->formed) {
		float miss = write_sigma(xbar, aim) * write_normals(xbar, at, cell->events).sin;

		cell->g = to_quanta((float)aim + miss);
	}
}

/* ---- drift ------------------------------------------------------------------------------------------------------- */

/* PCM: G * ((t + t0) / t0)^-nu, a nu for each write. */
static float pcm_drifted(const struct xbar_cell_state *cell, float x, float age, float normal)
{
	float ln_x = xbar_log(x < SMALLEST_X ? SMALLEST_X : x);
	float mean = xbar_clamp(-0.0155f * ln_x + 0.0244f, 0.049f, 0.1f);
	float sigma = xbar_clamp(-0.0125f * ln_x + -0.0059f, 0.008f, 0.045f);
	float nu = mean + sigma * normal;

	nu = nu < 0.0f ? -nu : nu;
	return (float)cell->g * xbar_exp(-(nu * xbar_log((age + PCM_T0_S) / PCM_T0_S)));
}

/* Wan: the miss of the write grows; between the three published times linearly in the logarithm of time. */
static float wan_drifted(const struct xbar *xbar, const struct xbar_cell_state *cell, float x, uint32_t age_s,
			 float normal)
{
	float first = sigma_us(&wan_sigma[0], x), day = sigma_us(&wan_sigma[1], x), two = sigma_us(&wan_sigma[2], x);
	float sigma = two;

	if (age_s <= DAY_S)
		sigma = first + (xbar_log((float)age_s) / LN_DAY) * (day - first);
	else if (age_s < 2 * DAY_S)
		sigma = day + (xbar_log((float)age_s / (float)DAY_S) / XBAR_LN2) * (two - day);
	return (float)cell->g + ((sigma - first) * quanta_per_us(xbar)) * normal;
}

uint16_t xbar_device_drifted(const struct xbar *xbar, const struct xbar_cell *at)
{
	const struct xbar_cell_state *cell = xbar_cell_state(xbar, at);
	uint32_t age_s = xbar->time_s - cell->since_s;
	float x = (float)cell->aim / (float)xbar->full;
	struct xbar_normals normals;

	if (!(xbar->options.effects & XBAR_DRIFT) || !cell->events || !cell->formed || !age_s)
		return cell->g;
	normals = write_normals(xbar, at, cell->events);
	if (xbar->options.device == XBAR_DEVICE_PCM)
		return to_quanta(pcm_drifted(cell, x, (float)age_s, normals.cos));
	return to_quanta(wan_drifted(xbar, cell, x, age_s, normals.sin));
}

/* ---- what a read sees -------------------------------------------------------------------------------------------- */

/* True when the cell is stuck, at *quanta: half of those at 0, half at the largest code. */
static bool stuck(const struct xbar *xbar, const struct xbar_cell *at, uint16_t *quanta)
{
	uint64_t limit = (uint64_t)xbar->options.stuck_ppm * MAX_CODE_DRAW / 1000000u;
	uint32_t word[4] = {xbar_counter_word(XBAR_FOR_STUCK, at->tile, 2 * at->col + at->side), at->row, 0, 0};

	xbar_philox(xbar->options.seed, word);
	*quanta = word[1] >> 31 ? (uint16_t)xbar->full : 0;
	return word[0] < limit;
}

uint16_t xbar_device_quanta(const struct xbar *xbar, const struct xbar_cell *at)
{
	uint16_t quanta;

	if (xbar->options.effects & XBAR_STUCK && stuck(xbar, at, &quanta))
		return quanta;
	return xbar_device_drifted(xbar, at);
}

/* 1/f noise of PCM, accumulated since the write, which left `written` quanta. */
static float pcm_read_sigma(const struct xbar *xbar, uint16_t written, uint32_t age_s, uint16_t quanta)
{
	float x = (float)written / (float)xbar->full;
	float q = 0.0088f / xbar_exp(0.65f * xbar_log(x < SMALLEST_X ? SMALLEST_X : x));
	float t = (float)age_s + PCM_T0_S;

	q = q > 0.2f ? 0.2f : q;
	return ((float)quanta * q) * xbar_sqrt(xbar_log((t + PCM_READ_S) / (2.0f * PCM_READ_S)));
}

static float read_variance(const struct xbar *xbar, uint16_t written, uint32_t age_s, uint16_t quanta)
{
	float sigma;

	if (!(xbar->options.effects & XBAR_READ_NOISE))
		return 0.0f;
	if (xbar->options.device == XBAR_DEVICE_PCM)
		sigma = pcm_read_sigma(xbar, written, age_s, quanta);
	else
		sigma = WAN_READ * (float)quanta;
	return sigma * sigma;
}

float xbar_device_variance(const struct xbar *xbar, const struct xbar_cell *at, uint16_t quanta)
{
	const struct xbar_cell_state *cell = xbar_cell_state(xbar, at);
	uint32_t age_s = xbar->options.effects & XBAR_DRIFT ? xbar->time_s - cell->since_s : 0;

	return read_variance(xbar, cell->g, age_s, quanta);
}

unsigned xbar_tolerance(const struct xbar *xbar)
{
	const float other = write_sigma(xbar, 0), quanta = (float)xbar->profile->quanta;
	float largest = 0.0f;

	for (int code = 0; code <= xbar->profile->weight_max; code++) {
		uint16_t aim = (uint16_t)(code * xbar->profile->quanta);
		float sigma = write_sigma(xbar, aim), variance = sigma * sigma + other * other;

		variance += read_variance(xbar, aim, 0, aim);
		largest = variance > largest ? variance : largest;
	}
	return (unsigned)xbar_round(TOLERANCE_SIGMAS * xbar_sqrt(largest) / quanta);
}

float xbar_device_output_per_quantum(const struct xbar *xbar)
{
	unsigned shift = xbar->profile->lsb_shift + (xbar->options.full_inputs ? 1 : 0);

	return 1.0f / ((float)xbar->profile->quanta * (float)((uint64_t)1 << shift));
}

void xbar_device_adc(const struct xbar *xbar, unsigned tile, enum xbar_direction direction)
{
	const struct xbar_tile *it = &xbar->tiles[tile];
	float scale = xbar_device_output_per_quantum(xbar);
	uint32_t line = direction == XBAR_FORWARD ? XBAR_LINE_COLUMNS : XBAR_LINE_ROWS;
	uint64_t seed = xbar->options.seed;

	for (unsigned n = 0; n < xbar_padded(xbar_outputs(xbar, direction), XBAR_PANEL); n++) {
		struct xbar_normals normals = {0.0f, 0.0f};

		if (xbar->options.effects & XBAR_ADC_ERRORS)
			normals = xbar_normals_at(seed, xbar_counter_word(XBAR_FOR_ADC, tile, n), line, 0);
		it->scale_quanta[direction][n] = (1.0f + ADC_GAIN_SIGMA * normals.sin) * scale;
		it->scale_codes[direction][n] = it->scale_quanta[direction][n] * (float)xbar->profile->quanta;
		it->offset[direction][n] = ADC_OFFSET_SIGMA * normals.cos;
	}
}
