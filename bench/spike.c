/* SPDX-License-Identifier: MIT */
/*
 * What a spike event over 256 neurons costs: in the model's kernels, and in the whole model (input, queue, counters,
 * outputs); each against a branch-free int16 loop over the chip's 4-bit rows, vectorised by the compiler (this file is
 * built with -O3). Same network, same events, same list of spikes; what differs from the plain model is FAIL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sim/tinyodin_core.h"

#define N TINYODIN_NEURONS
#define EVENTS 8192u /* length of the pattern that repeats */
#define TIMED_EVENTS ((uint64_t)8 * EVENTS)
#define NEVER 0xFFFu /* a threshold that cannot be met */

/* The yardstick may use the vector unit that the kernel uses. */
#if defined(__x86_64__)
#define VECTOR_UNIT __attribute__((target("avx2")))
#else
#define VECTOR_UNIT
#endif

static const char usage[] = "bench-spike [--json] | bench-spike count WAY OUTPUTS_PER_EVENT EVENTS";

/* A way to compute events. */
struct way {
	const char *name;
	bench_fn run; /* events of the pattern, on a struct network */
	enum tinyodin_simd simd;
	double goal;
};

struct network {
	const struct way *way;
	struct tinyodin *chip;
	uint64_t done, outputs;
	bool noted;      /* outputs go into the digest */
	uint64_t digest; /* of outputs and their order */
	uint8_t event[EVENTS];
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT];
	int16_t v[N], threshold[N]; /* v: of the yardstick */
	uint8_t row[N][N / 2]; /* two weights a byte, the even neuron's in the low half */
};

/* ---- ways -------------------------------------------------------------------------------------------------------- */

/* One event of row pre in the whole model; the neurons that fired go to net->out, their number is returned. */
static size_t model_event(struct network *net, unsigned pre)
{
	size_t outputs = tinyodin_input(net->chip, (uint16_t)pre, 0, net->out);

	return outputs + tinyodin_step(net->chip, net->out + outputs);
}

/* The same with the update alone. */
static size_t kernel_event(struct network *net, unsigned pre)
{
	struct tinyodin *chip = net->chip;
	uint64_t fired[TINYODIN_GROUPS];
	size_t outputs = 0;

	if (!chip->kernel->spike(&chip->neurons, chip->weight[pre], N - 1, fired))
		return 0;
	for (unsigned group = 0; group < TINYODIN_GROUPS; group++)
		for (uint64_t bits = fired[group]; bits; bits &= bits - 1)
			net->out[outputs++].address = (uint16_t)(64 * group + (unsigned)__builtin_ctzll(bits));
	return outputs;
}

/* row: 4-bit weights in the chip's own layout (section 5). Returns whether any neuron fired. */
static VECTOR_UNIT bool yardstick(int16_t *restrict v, const int16_t *restrict threshold,
				  const uint8_t *restrict row, uint8_t *restrict fired)
{
	int16_t weight[N], any = 0;

	for (size_t i = 0; i < N / 2; i++) {
		weight[2 * i] = (int16_t)((int8_t)(row[i] << 4) >> 4);
		weight[2 * i + 1] = (int16_t)((int8_t)row[i] >> 4);
	}
	for (unsigned n = 0; n < N; n++) {
		int16_t t = (int16_t)(v[n] + weight[n]);
		int16_t fires;

		t = t > 2047 ? 2047 : t;
		t = t < -2048 ? -2048 : t;
		fires = t >= threshold[n];
		v[n] = fires ? 0 : t;
		fired[n] = (uint8_t)fires;
		any = (int16_t)(any | fires);
	}
	return any;
}

static size_t yardstick_event(struct network *net, unsigned pre)
{
	uint8_t fired[N];
	size_t outputs = 0;

	if (!yardstick(net->v, net->threshold, net->row[pre], fired))
		return 0;
	for (unsigned n = 0; n < N; n++) {
		if (fired[n])
			net->out[outputs++].address = (uint16_t)n;
	}
	return outputs;
}

/* One copy for each way, so that none pays for a call through a pointer. */
static inline __attribute__((always_inline)) uint64_t run(struct network *net, uint64_t count,
							   size_t (*event)(struct network *net, unsigned pre))
{
	for (uint64_t i = 0; i < count; i++, net->done++) {
		size_t outputs = event(net, net->event[net->done % EVENTS]);

		net->outputs += outputs;
		for (size_t k = 0; net->noted && k < outputs; k++)
			net->digest = net->digest * 31 + net->out[k].address;
	}
	return count;
}

static uint64_t run_model(void *arg, uint64_t count)
{
	return run(arg, count, model_event);
}

static uint64_t run_kernel(void *arg, uint64_t count)
{
	return run(arg, count, kernel_event);
}

static uint64_t run_yardstick(void *arg, uint64_t count)
{
	return run(arg, count, yardstick_event);
}

static const struct way the_yardstick = {"yardstick", run_yardstick, TINYODIN_SIMD_OFF, BENCH_NO_GOAL};
static const struct way reference_way = {"plain-model", run_model, TINYODIN_SIMD_OFF, BENCH_NO_GOAL};
static const struct way ways[] = {
	{"avx2-kernel", run_kernel, TINYODIN_SIMD_AVX2, 0.36},
	{"avx2-model", run_model, TINYODIN_SIMD_AVX2, BENCH_NO_GOAL},
	{"plain-kernel", run_kernel, TINYODIN_SIMD_OFF, BENCH_NO_GOAL},
	{"plain-model", run_model, TINYODIN_SIMD_OFF, BENCH_NO_GOAL},
};

/* ---- networks ---------------------------------------------------------------------------------------------------- */

static void send(struct tinyodin *chip, uint32_t address, uint32_t data)
{
	const uint64_t frame = (uint64_t)address << 20 | data;

	tinyodin_spi(chip, &frame, 1, NULL);
}

/* Bit 18 of the address field is W, bits 17:16 the memory; registers 0..3 gate, open loop, source, MAX_NEUR. */
static void program(const struct network *net, struct tinyodin *chip)
{
	send(chip, 0, 1);
	send(chip, 1, 1);
	send(chip, 2, 0);
	send(chip, 3, N - 1);
	for (unsigned n = 0; n < N; n++) {
		uint32_t word = (uint32_t)net->threshold[n] << 12;

		for (unsigned lane = 0; lane < 4; lane++)
			send(chip, 1u << 18 | 1u << 16 | lane << 8 | n, word >> 8 * lane & 0xFFu);
		for (unsigned i = 0; i < N / 2; i++)
			send(chip, 1u << 18 | 2u << 16 | (i & 3u) << 13 | n << 5 | i >> 2, net->row[n][i]);
	}
	send(chip, 0, 0);
}

/* Weights 0..7, so that a threshold of 256 * 3.5 / rate gives about `rate` outputs per event; without outputs -8..7, or
 * all potentials would end at 2047, whatever the kernel does. */
static struct network *network_new(const struct way *way, double rate)
{
	struct network *net = calloc(1, sizeof(*net));
	unsigned bits = rate > 0 ? 0x77u : 0xFFu;
	uint64_t seed = 2024;

	if (!net)
		exit(1);
	net->way = way;
	for (unsigned i = 0; i < EVENTS; i++)
		net->event[i] = (uint8_t)bench_random(&seed);
	for (unsigned pre = 0; pre < N; pre++) {
		net->threshold[pre] = rate > 0 ? (int16_t)(N * 3.5 / rate) : (int16_t)NEVER;
		for (unsigned i = 0; i < N / 2; i++)
			net->row[pre][i] = (uint8_t)(bench_random(&seed) & bits);
	}
	net->chip = tinyodin_new(way->simd, false);
	if (!net->chip) {
		printf("skipped: no %s on this machine\n", way->name);
		exit(77);
	}
	program(net, net->chip);
	return net;
}

static void network_free(struct network *net)
{
	tinyodin_free(net->chip);
	free(net);
}

static int potential(const struct network *net, unsigned n)
{
	int v = (int)(tinyodin_neuron_word(net->chip, n) & 0xFFFu);

	return net->way == &the_yardstick ? net->v[n] : (v ^ 0x800) - 0x800;
}

/* True when the outputs of one pattern, in order, and the potentials after it are the plain model's. */
static bool exact(const struct way *way, double rate)
{
	struct network *reference = network_new(&reference_way, rate), *net = network_new(way, rate);
	bool equal;

	reference->noted = net->noted = true;
	reference_way.run(reference, EVENTS);
	way->run(net, EVENTS);
	equal = net->outputs == reference->outputs && net->digest == reference->digest;
	equal = equal && (rate > 0) == (net->outputs > 0);
	for (unsigned n = 0; n < N; n++)
		equal = equal && potential(net, n) == potential(reference, n);
	network_free(reference);
	network_free(net);
	return equal;
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static void measure(struct bench *bench, const struct way *way, double rate)
{
	struct network *net = network_new(way, rate), *other = network_new(&the_yardstick, rate);
	char name[64];
	struct bench_metric metric = {.name = name, .unit = "ns/event", .goal = way->goal};

	bench_pair(&metric, way->run, net, the_yardstick.run, other, TIMED_EVENTS);
	snprintf(name, sizeof(name), "spike event, %s, %.1f out", way->name, (double)net->outputs / (double)net->done);
	metric.wrong = !exact(way, rate) || !exact(&the_yardstick, rate) || net->outputs != other->outputs;
	metric.note = metric.wrong ? "differs from the plain model" : "the int16 loop; exact";
	bench_print(bench, &metric);
	network_free(net);
	network_free(other);
}

static const struct way *find_way(const char *name)
{
	if (strcmp(name, the_yardstick.name) == 0)
		return &the_yardstick;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(name, ways[i].name) == 0)
			return &ways[i];
	}
	fprintf(stderr, "no way '%s'; usage: %s\n", name, usage);
	exit(2);
}

/* Exactly so many events and nothing else after the set-up, which is the same for any number. */
static int count_mode(char **argv)
{
	struct network *net = network_new(find_way(argv[0]), strtod(argv[1], NULL));

	net->way->run(net, bench_number(argv[2]));
	printf("%llu outputs\n", (unsigned long long)net->outputs);
	network_free(net);
	return 0;
}

int main(int argc, char **argv)
{
	static const double rates[] = {0, 0.5, 6};
	struct bench bench = {0};

	if (!tinyodin_avx2()) {
		printf("skipped: no AVX2 on this machine, which kernel and yardstick use\n");
		return 77;
	}
	if (argc == 5 && strcmp(argv[1], "count") == 0)
		return count_mode(argv + 2);
	bench_options(&bench, argc, argv, usage);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		for (size_t k = 0; k < sizeof(ways) / sizeof(*ways); k++)
			measure(&bench, &ways[k], rates[i]);
	}
	return bench.failed ? 1 : 0;
}
