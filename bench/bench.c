/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nmhal/nmhal.h>

#include "bench.h"

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of this thread alone: what other programs take from it does not count, which on a busy machine is most. */
static uint64_t own_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static double time_one(bool wall, bench_fn fn, void *arg, uint64_t count)
{
	uint64_t start = wall ? bench_now_ns() : own_ns();
	uint64_t done = fn(arg, count);

	return (double)((wall ? bench_now_ns() : own_ns()) - start) / (double)done;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The fastest tenth, not the fastest: now and then a virtual machine's clock loses some time. */
static double best(double *times, size_t rounds)
{
	qsort(times, rounds, sizeof(*times), compare);
	return times[rounds / 10];
}

void bench_pair(struct bench_metric *metric, bench_fn a, void *arg_a, bench_fn b, void *arg_b, uint64_t count)
{
	const size_t rounds = metric->wall ? BENCH_ROUNDS_WALL : BENCH_ROUNDS;
	double times_a[BENCH_ROUNDS_WALL] = {0}, times_b[BENCH_ROUNDS_WALL] = {0};

	time_one(metric->wall, a, arg_a, count);
	time_one(metric->wall, b, arg_b, count);
	for (size_t i = 0; i < rounds; i++) {
		times_a[i] = time_one(metric->wall, a, arg_a, count);
		times_b[i] = time_one(metric->wall, b, arg_b, count);
	}
	metric->value = best(times_a, rounds);
	metric->ratio = metric->value / best(times_b, rounds);
}

void bench_print(struct bench *bench, const struct bench_metric *metric)
{
	static const char *const names[] = {"ok", "above goal", "FAIL"};
	enum bench_verdict verdict = BENCH_OK;

	if (metric->wrong)
		verdict = BENCH_FAIL;
	else if (metric->goal > 0 && metric->ratio > metric->goal)
		verdict = BENCH_ABOVE_GOAL;
	bench->failed = bench->failed || verdict == BENCH_FAIL;
	if (bench->json) {
		printf("{\"schema\": 1, \"metric\": \"%s\", \"unit\": \"%s\", \"value\": %.3f, \"ratio\": %.4f, "
		       "\"goal\": %.4f, \"verdict\": \"%s\", \"note\": \"%s\"}\n",
			metric->name, metric->unit, metric->wrong ? 0 : metric->value,
			metric->wrong ? 0 : metric->ratio, metric->goal, names[verdict], metric->note);
		return;
	}
	printf("%-34s ", metric->name);
	if (metric->wrong) {
		printf("FAIL: %s\n", metric->note);
		return;
	}
	printf("%10.1f %-10s", metric->value, metric->unit);
	if (metric->ratio > 0)
		printf(" %7.3f of %s", metric->ratio, metric->note);
	else
		printf(" %s", metric->note);
	if (metric->goal > 0)
		printf(" (goal %.2f)", metric->goal);
	printf(": %s\n", names[verdict]);
}

uint32_t bench_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

void bench_check(int status, const char *what)
{
	if (status == NMHAL_OK)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, nmhal_status_name(status), nmhal_last_error());
	exit(1);
}

void bench_options(struct bench *bench, int argc, char **argv, const char *usage)
{
	if (argc == 2 && strcmp(argv[1], "--json") == 0) {
		bench->json = true;
	} else if (argc != 1) {
		fprintf(stderr, "usage: %s\n", usage);
		exit(2);
	}
}

uint64_t bench_number(const char *text)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 0);

	if (*text == '\0' || *end != '\0' || number == 0) {
		fprintf(stderr, "'%s' is no count\n", text);
		exit(2);
	}
	return number;
}
