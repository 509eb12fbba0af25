/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: clocks, pairs measured A B A B, one line per metric. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_ROUNDS      41u  /* pairs of A and B; what counts is the fastest tenth of each */
#define BENCH_ROUNDS_WALL 123u /* of what several threads do: they seldom all have a core */

/* Goal of a ratio that is only printed. */
#define BENCH_NO_GOAL 0.0

enum bench_verdict { BENCH_OK, BENCH_ABOVE_GOAL, BENCH_FAIL };

struct bench {
	bool json;
	bool failed; /* some metric was FAIL: wrong result, so no number */
};

/* One measured metric. */
struct bench_metric {
	const char *name;
	const char *unit;  /* "ns/call" */
	double value;      /* A, in its fastest tenth */
	double ratio;      /* that of A / that of B; 0: no yardstick */
	double goal;       /* highest good ratio, or BENCH_NO_GOAL */
	const char *note;  /* what B is, or why it failed */
	bool wrong;        /* the result differs from the reference */
	bool wall;         /* measure the time that passes: several threads work; else that of this thread */
};

/* Work that is timed: does `count` units and returns how many it did, so that it cannot be optimised away. */
typedef uint64_t (*bench_fn)(void *arg, uint64_t count);

uint64_t bench_now_ns(void);
/*
 * Times a(arg_a) and b(arg_b) in turn, BENCH_ROUNDS or BENCH_ROUNDS_WALL times after one warm-up, `count` units each.
 * The fastest are those that nothing disturbed; so choose `count` for 1 ms or so, less than a time slice of the system.
 */
void bench_pair(struct bench_metric *metric, bench_fn a, void *arg_a, bench_fn b, void *arg_b, uint64_t count);
void bench_print(struct bench *bench, const struct bench_metric *metric);
/* Next number of a fixed pseudo-random sequence. */
uint32_t bench_random(uint64_t *state);
/* Ends the program with the library's error sentence unless status is 0. */
void bench_check(int status, const char *what);
/* Reads "--json"; anything else ends the program with a usage line. */
void bench_options(struct bench *bench, int argc, char **argv, const char *usage);
/* "count" N of a count mode: runs nothing else, for instruction counters. Returns N. */
uint64_t bench_number(const char *text);

#endif
