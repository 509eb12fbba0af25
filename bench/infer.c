/* SPDX-License-Identifier: MIT */
/*
 * What inference on the analog crossbar model costs: DAC, products and ADC together, against OpenBLAS's sgemm (sgemv
 * for one vector), which computes the products alone; noise against none; two threads against one. What differs from
 * the plain C model, or from the sums of sgemm, is FAIL. With OPENBLAS_CORETYPE unset, OpenBLAS takes its best kernel.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sim/xbar_core.h"
#include "sim/xbar_math.h"

#define TIMED_PRODUCTS ((uint64_t)50000000) /* inputs times outputs times vectors of one measurement */
#define GAUSSIANS      ((size_t)XBAR_CHUNK * XBAR_PANEL)

static const char usage[] = "bench-infer [--json] | bench-infer only TEXT (rows that have it in their names)"
	" | bench-infer count sums|adc-s8|adc-s16|nibbles|noise|infer|infer-1 N";

/* A crossbar with weights, and a batch for it. */
struct work {
	struct xbar_profile profile;
	struct xbar *xbar;
	struct xbar_inference inference;
	int8_t *vectors; /* its inputs */
	float *weights, *inputs, *sums; /* of sgemm: [rows][cols], [batch][rows], [batch][cols] */
	size_t output_bytes;
};

/* A row of the table. */
struct row {
	const char *name;
	const char *noise, *than; /* noise= of A, and of B; B is OpenBLAS when NULL */
	size_t batch;
	double goal;              /* highest A / B */
	unsigned size;            /* rows and columns */
	unsigned threads;
	int weight_max;
	bool full_inputs;
};

static const struct row rows[] = {
	{"infer 256x256, batch 32", "off", NULL, 32, 1 / 2.5, 256, 1, 127, false},
	{"infer 256x256, batch 256", "off", NULL, 256, 1 / 2.5, 256, 1, 127, false},
	{"infer 1024x1024, batch 256", "off", NULL, 256, 1 / 1.9, 1024, 1, 127, false},
	{"full int8 inputs 256x256, batch 32", "off", NULL, 32, 1 / 1.6, 256, 1, 127, true},
	{"full int8 inputs 1024, batch 256", "off", NULL, 256, 1 / 1.6, 1024, 1, 127, true},
	{"4-bit weights 256x256, batch 32", "off", NULL, 32, 1 / 3.3, 256, 1, 7, false},
	{"4-bit weights 64x64, batch 32", "off", NULL, 32, BENCH_NO_GOAL, 64, 1, 7, false},
	{"infer 256x256, batch 1", "off", NULL, 1, 1 / 3.5, 256, 1, 127, false},
	{"infer 1024x1024, batch 1", "off", NULL, 1, 1 / 3.5, 1024, 1, 127, false},
	{"output noise 256x256, batch 32", "output", "off", 32, 1.6, 256, 1, 127, false},
	{"output noise 1024x1024, batch 32", "output", "off", 32, 1.3, 1024, 1, 127, false},
	{"read noise 256x256, batch 32", "read", "off", 32, 2.8, 256, 1, 127, false},
	{"pcm 256x256, batch 32", "pcm", "off", 32, BENCH_NO_GOAL, 256, 1, 127, false},
	{"2 threads 1024x1024, batch 256", "off", "off", 256, 1 / 1.7, 1024, 2, 127, false},
};

/* ---- work -------------------------------------------------------------------------------------------------------- */

static void *memory(size_t bytes)
{
	void *at = calloc(bytes, 1);

	if (!at)
		exit(1);
	return at;
}

static int code(uint64_t *seed, int max)
{
	return (int)(bench_random(seed) % (unsigned)(2 * max + 1)) - max;
}

static struct xbar *board(const struct xbar_profile *profile, const struct row *row, const char *noise,
			  unsigned threads, enum xbar_simd simd)
{
	struct xbar_options options = {.seed = 2026, .threads = threads, .simd = simd, .full_inputs = row->full_inputs};
	char error[XBAR_NOISE_ERROR_SIZE];
	struct xbar *xbar;

	if (!xbar_options_parse(noise, &options, error))
		exit(1);
	xbar = xbar_new(profile, &options);
	if (!xbar)
		exit(1);
	return xbar;
}

static void fill(struct work *work, const struct row *row)
{
	size_t cells = (size_t)row->size * row->size, inputs = row->batch * row->size;
	int8_t *codes = memory(cells);
	uint64_t seed = 7;

	for (size_t i = 0; i < cells; i++)
		work->weights[i] = codes[i] = (int8_t)code(&seed, row->weight_max);
	for (size_t i = 0; i < inputs; i++)
		work->inputs[i] = work->vectors[i] = (int8_t)code(&seed, row->full_inputs ? 127 : 63);
	xbar_write(work->xbar, &work->inference.region, codes);
	work->inference.inputs = work->vectors;
	free(codes);
}

static struct work *work_new(const struct row *row, const char *noise, unsigned threads, enum xbar_simd simd)
{
	struct work *work = memory(sizeof(*work));
	size_t outputs = row->batch * row->size;

	work->profile = (struct xbar_profile){.name = "bench", .tiles = 1, .rows = row->size, .cols = row->size};
	work->profile.weight_max = row->weight_max;
	work->profile.quanta = row->weight_max == 7 ? 1024 : 64;
	work->profile.adc_bits = row->size > 256 ? 10 : 8;
	work->profile.lsb_shift = row->weight_max == 7 ? 6 : 10;
	work->xbar = board(&work->profile, row, noise, threads, simd);
	work->inference.region = (struct xbar_region){.rows = row->size, .cols = row->size};
	work->inference.batch = row->batch;
	work->output_bytes = outputs * xbar_output_bytes(work->xbar);
	work->inference.outputs = memory(work->output_bytes);
	work->inference.clipped = memory(outputs / 8);
	work->weights = memory((size_t)row->size * row->size * sizeof(float));
	work->vectors = memory(outputs);
	work->inputs = memory(outputs * sizeof(float));
	work->sums = memory(outputs * sizeof(float));
	fill(work, row);
	return work;
}

static void work_free(struct work *work)
{
	xbar_free(work->xbar);
	free(work->vectors);
	free(work->inference.outputs);
	free(work->inference.clipped);
	free(work->weights);
	free(work->inputs);
	free(work->sums);
	free(work);
}

static uint64_t run_model(void *arg, uint64_t count)
{
	struct work *work = arg;

	for (uint64_t i = 0; i < count; i++)
		xbar_infer(work->xbar, &work->inference);
	return count;
}

static uint64_t run_blas(void *arg, uint64_t count)
{
	struct work *work = arg;
	int n = (int)work->profile.rows, batch = (int)work->inference.batch;

	for (uint64_t i = 0; i < count; i++) {
		if (batch == 1)
			cblas_sgemv(CblasRowMajor, CblasTrans, n, n, 1, work->weights, n, work->inputs, 1, 0,
				work->sums, 1);
		else
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch, n, n, 1, work->inputs, n,
				work->weights, n, 0, work->sums, n);
	}
	return count;
}

/* ---- exactness --------------------------------------------------------------------------------------------------- */

static bool same_outputs(const struct work *a, const struct work *b)
{
	return memcmp(a->inference.outputs, b->inference.outputs, a->output_bytes) == 0 &&
	       memcmp(a->inference.clipped, b->inference.clipped, a->inference.batch * a->profile.cols / 8) == 0;
}

/* The ideal outputs are those of sgemm's sums, which are exact below 2^24. */
static bool same_sums(const struct work *work)
{
	float scale = 1.0f / (float)(1u << (work->profile.lsb_shift + xbar_options(work->xbar)->full_inputs));
	const uint8_t *outputs = work->inference.outputs;
	unsigned bytes = xbar_output_bytes(work->xbar);

	for (size_t i = 0; i < work->inference.batch * work->profile.cols; i++) {
		float value = xbar_clamp(work->sums[i] * scale, (float)xbar_output_min(work->xbar),
					 (float)xbar_output_max(work->xbar));
		int expected = xbar_round(value), output = (int8_t)outputs[i];

		if (bytes == 2)
			output = (int16_t)(outputs[2 * i] | outputs[2 * i + 1] << 8);
		if (output != expected)
			return false;
	}
	return true;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static void measure(struct bench *bench, const struct row *row)
{
	struct work *work = work_new(row, row->noise, row->threads, XBAR_SIMD_AVX2);
	struct work *plain = work_new(row, row->noise, 1, XBAR_SIMD_OFF);
	struct work *other = work_new(row, row->than ? row->than : "off", 1, XBAR_SIMD_AVX2);
	struct bench_metric metric = {.name = row->name, .unit = "us", .goal = row->goal, .wall = row->threads > 1};
	uint64_t count = TIMED_PRODUCTS / ((uint64_t)row->size * row->size * row->batch) + 1;

	bench_pair(&metric, run_model, work, row->than ? run_model : run_blas, other, count);
	metric.value /= 1000;
	run_model(plain, 1);
	metric.note = row->than ? row->threads > 1 ? "one thread" : "no noise" : row->batch > 1 ? "sgemm" : "sgemv";
	if (!same_outputs(work, plain)) {
		metric.wrong = true;
		metric.note = "differs from the plain model";
	} else if (!row->than && (run_blas(work, 1), !same_sums(work))) {
		metric.wrong = true;
		metric.note = "differs from the sums of sgemm";
	}
	bench_print(bench, &metric);
	work_free(work);
	work_free(plain);
	work_free(other);
}

/* ---- Gaussian numbers -------------------------------------------------------------------------------------------- */

struct gaussians {
	const struct xbar_kernel *kernel;
	float offset[XBAR_PANEL], add[GAUSSIANS];
};

/* Units are numbers. */
static uint64_t run_gaussians(void *arg, uint64_t count)
{
	struct gaussians *numbers = arg;
	struct xbar_noise noise = {.seed = 5, .vectors = XBAR_CHUNK, .floor = 1.0f, .offset = numbers->offset};
	uint64_t done = 0;

	noise.add = numbers->add;
	for (; done < count; done += GAUSSIANS, noise.first_vector += XBAR_CHUNK)
		numbers->kernel->noise(&noise);
	return done;
}

/* The usual way: the same Philox, and Box-Muller from libm. */
static uint64_t run_libm(void *arg, uint64_t count)
{
	struct gaussians *numbers = arg;
	uint64_t done = 0;

	for (; done < count; done += 4) {
		uint32_t word[4] = {(uint32_t)(done / 4), 0, 0, 0};
		float *to = numbers->add + done % GAUSSIANS;

		xbar_philox(5, word);
		for (unsigned k = 0; k < 4; k += 2) {
			float u = ((float)(word[k] >> 8) + 1.0f) * 0x1p-24f;
			float angle = (float)(word[k + 1] >> 8) * (6.2831853f * 0x1p-24f), r = sqrtf(-2.0f * logf(u));

			to[k] = r * cosf(angle);
			to[k + 1] = r * sinf(angle);
		}
	}
	return done;
}

static const char gaussian[] = "Gaussian number";

static void measure_gaussians(struct bench *bench)
{
	struct gaussians *fast = memory(sizeof(*fast)), *libm = memory(sizeof(*libm)), *plain = memory(sizeof(*plain));
	struct bench_metric metric = {.name = gaussian, .unit = "ns", .goal = 1.0 / 6};

	fast->kernel = xbar_avx2();
	plain->kernel = &xbar_plain;
	bench_pair(&metric, run_gaussians, fast, run_libm, libm, 64 * GAUSSIANS);
	run_gaussians(fast, GAUSSIANS);
	run_gaussians(plain, GAUSSIANS);
	for (size_t i = 0; i < GAUSSIANS; i++)
		metric.wrong = metric.wrong || xbar_float_bits(fast->add[i]) != xbar_float_bits(plain->add[i]);
	metric.note = metric.wrong ? "differs from the plain model" : "Box-Muller of libm";
	bench_print(bench, &metric);
	free(fast);
	free(libm);
	free(plain);
}

/* ---- instruction counts ------------------------------------------------------------------------------------------ */

/* Products of a panel of 256 x 16 weights with 32 vectors. */
static void count_products(xbar_product_fn product, uint64_t count)
{
	static const float zero[XBAR_PANEL];
	static const int32_t no_bias[XBAR_PANEL];
	uint8_t *weights = memory((size_t)256 * XBAR_PANEL), *inputs = memory((size_t)32 * 256);
	uint8_t *outputs = memory(sizeof(int32_t) * 32 * XBAR_PANEL), *clipped = memory(2 * 32);
	struct xbar_product panel = {.panels = 1, .weights = weights, .steps = 64, .vectors = 32};

	panel.inputs = inputs;
	panel.input_stride = 256;
	panel.bias = no_bias;
	panel.scale = panel.add = zero;
	panel.low = -128;
	panel.high = 127;
	panel.outputs = outputs;
	panel.output_stride = 2 * XBAR_PANEL;
	panel.clipped = clipped;
	panel.clipped_stride = 2;
	panel.sums = (int32_t *)(void *)outputs;
	for (uint64_t i = 0; i < count; i++)
		product(&panel);
	free(weights);
	free(inputs);
	free(outputs);
	free(clipped);
}

/* Exactly so many units and nothing else after the set-up, which is the same for any number. */
static int count_mode(const char *what, uint64_t count)
{
	const struct xbar_kernel *kernel = xbar_avx2();
	struct gaussians *numbers = memory(sizeof(*numbers));
	struct row row = rows[0];
	struct work *work;

	if (strcmp(what, "infer-1") == 0)
		row.batch = 1;
	work = work_new(&row, row.noise, 1, XBAR_SIMD_AVX2);
	numbers->kernel = kernel;
	if (strcmp(what, "sums") == 0)
		count_products(kernel->sums, count);
	else if (strcmp(what, "adc-s8") == 0)
		count_products(kernel->s8[XBAR_CODES], count);
	else if (strcmp(what, "adc-s16") == 0)
		count_products(kernel->s16[XBAR_CODES], count);
	else if (strcmp(what, "nibbles") == 0)
		count_products(kernel->s8[XBAR_NIBBLES], count);
	else if (strcmp(what, "noise") == 0)
		run_gaussians(numbers, count * GAUSSIANS);
	else
		run_model(work, count);
	printf("%llu units\n", (unsigned long long)count);
	work_free(work);
	free(numbers);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	const char *text = "";

	if (!xbar_avx2()) {
		printf("skipped: no AVX2 on this machine, which the goals are for\n");
		return 77;
	}
	if (argc == 4 && strcmp(argv[1], "count") == 0)
		return count_mode(argv[2], bench_number(argv[3]));
	if (argc == 3 && strcmp(argv[1], "only") == 0)
		text = argv[2];
	else
		bench_options(&bench, argc, argv, usage);
	openblas_set_num_threads(1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strstr(rows[i].name, text))
			measure(&bench, &rows[i]);
	if (strstr(gaussian, text))
		measure_gaussians(&bench);
	return bench.failed ? 1 : 0;
}
