/* SPDX-License-Identifier: MIT */
/*
 * What a spike event costs in the tinyODIN model, input to outputs, against a branch-free loop over the same 256 neurons
 * that the compiler vectorises (this file is built with -O3). Same network, same events; a kernel whose outputs or
 * potentials differ from the plain model's is FAIL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "sim/tinyodin.h"

#define N TINYODIN_NEURONS
#define EVENTS 8192u /* length of the pattern that repeats */
#define TIMED_EVENTS (8u * EVENTS)
#define NEVER 0xFFFu /* a threshold that cannot be met */

static const char usage[] = "bench-spike [--json] | bench-spike count plain|avx2|yardstick EVENTS OUTPUTS_PER_EVENT";

/* A network and who computes it: the chip model, or the yardstick when chip is NULL. */
struct network {
	struct tinyodin *chip;
	uint64_t done, outputs;
	uint64_t digest; /* of outputs and their order */
	uint8_t event[EVENTS];
	int16_t v[N], threshold[N];
	int8_t weight[N][N];
};

static void note_output(struct network *net, unsigned address)
{
	net->outputs++;
	net->digest = net->digest * 31 + address;
}

static uint64_t run_chip(void *arg, uint64_t count)
{
	struct tinyodin_out out[2 * TINYODIN_MAX_OUT];
	struct network *net = arg;

	for (uint64_t i = 0; i < count; i++, net->done++) {
		size_t outputs = tinyodin_input(net->chip, net->event[net->done % EVENTS], (uint32_t)i, out);

		outputs += tinyodin_step(net->chip, out + outputs);
		for (size_t k = 0; k < outputs; k++)
			note_output(net, out[k].address);
	}
	return count;
}

/* One event; returns whether any neuron fired. */
static bool yardstick_event(int16_t *restrict v, const int16_t *restrict threshold, const int8_t *restrict weight,
			    uint8_t *restrict fired)
{
	int16_t any = 0;

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

static uint64_t run_yardstick(void *arg, uint64_t count)
{
	struct network *net = arg;
	uint8_t fired[N];

	for (uint64_t i = 0; i < count; i++, net->done++) {
		if (!yardstick_event(net->v, net->threshold, net->weight[net->event[net->done % EVENTS]], fired))
			continue;
		for (unsigned n = 0; n < N; n++) {
			if (fired[n])
				note_output(net, n);
		}
	}
	return count;
}

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
		for (unsigned post = 0; post < N; post += 2) {
			uint32_t at = (post >> 1 & 3u) << 13 | n << 5 | post >> 3;
			uint32_t low = (uint32_t)net->weight[n][post] & 0xFu;
			uint32_t high = (uint32_t)net->weight[n][post + 1] & 0xFu;

			send(chip, 1u << 18 | 2u << 16 | at, high << 4 | low);
		}
	}
	send(chip, 0, 0);
}

/* Weights 0..7, so that a threshold of 256 * 3.5 / rate gives about `rate` outputs per event. */
static struct network *network_new(double rate)
{
	struct network *net = calloc(1, sizeof(*net));
	uint64_t seed = 2024;

	if (!net)
		exit(1);
	for (unsigned i = 0; i < EVENTS; i++)
		net->event[i] = (uint8_t)bench_random(&seed);
	for (unsigned pre = 0; pre < N; pre++) {
		net->threshold[pre] = rate > 0 ? (int16_t)(N * 3.5 / rate) : (int16_t)NEVER;
		for (unsigned post = 0; post < N; post++)
			net->weight[pre][post] = (int8_t)(bench_random(&seed) % 8u);
	}
	return net;
}

/* kernel: NULL for the yardstick. */
static struct network *network_on(const char *kernel, double rate)
{
	struct network *net = network_new(rate);

	if (!kernel)
		return net;
	net->chip = tinyodin_new(strcmp(kernel, "avx2") == 0 ? TINYODIN_SIMD_AVX2 : TINYODIN_SIMD_OFF, false);
	if (!net->chip) {
		fprintf(stderr, "no kernel %s on this machine\n", kernel);
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
	int v = net->chip ? (int)(tinyodin_neuron_word(net->chip, n) & 0xFFFu) : net->v[n] & 0xFFF;

	return (v ^ 0x800) - 0x800;
}

/* True when both did the same events with the same outputs, in order, and the same potentials after. */
static bool same(const struct network *a, const struct network *b)
{
	bool equal = a->done == b->done && a->outputs == b->outputs && a->digest == b->digest;

	for (unsigned n = 0; n < N; n++)
		equal = equal && potential(a, n) == potential(b, n);
	return equal;
}

static void measure(struct bench *bench, const char *kernel, double rate, double goal)
{
	struct network *reference = network_on("plain", rate);
	struct network *net = network_on(kernel, rate);
	struct network *yardstick = network_on(NULL, rate);
	char name[64], note[96];
	struct bench_metric metric = {.name = name, .unit = "ns/event", .goal = goal, .note = note};

	bench_pair(&metric, run_chip, net, run_yardstick, yardstick, TIMED_EVENTS);
	run_chip(reference, net->done);
	snprintf(name, sizeof(name), "spike event, %s, %.2f out/event", kernel, (double)net->outputs / (double)net->done);
	metric.wrong = !same(net, reference) || !same(yardstick, reference) || (rate > 0) != (reference->outputs > 0);
	snprintf(note, sizeof(note), "%s", metric.wrong ? "differs from the plain model" : "the int16 loop; exact");
	bench_print(bench, &metric);
	network_free(reference);
	network_free(net);
	network_free(yardstick);
}

/* Exactly so many events and nothing else after the set-up, which is the same for any number. */
static int count_mode(char **argv)
{
	const char *kernel = strcmp(argv[0], "yardstick") == 0 ? NULL : argv[0];
	struct network *net = network_on(kernel, strtod(argv[2], NULL));
	uint64_t events = bench_number(argv[1]);

	if (kernel)
		run_chip(net, events);
	else
		run_yardstick(net, events);
	printf("%llu outputs\n", (unsigned long long)net->outputs);
	network_free(net);
	return 0;
}

int main(int argc, char **argv)
{
	static const double rates[] = {0, 0.5, 6};
	struct tinyodin *avx2 = tinyodin_new(TINYODIN_SIMD_AVX2, false);
	struct bench bench = {0};

	if (argc == 5 && strcmp(argv[1], "count") == 0) {
		tinyodin_free(avx2);
		return count_mode(argv + 2);
	}
	bench_options(&bench, argc, argv, usage);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		if (avx2)
			measure(&bench, "avx2", rates[i], i == 0 ? 0.36 : BENCH_NO_GOAL);
		measure(&bench, "plain", rates[i], BENCH_NO_GOAL);
	}
	tinyodin_free(avx2);
	return bench.failed ? 1 : 0;
}
