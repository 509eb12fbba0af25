/* SPDX-License-Identifier: MIT */
/*
 * What a synchronous call costs above the driver: calls on the null driver against an uncontended mutex around the same
 * callback.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <nmhal/nmhal.h>

#include "bench.h"

#define TIMED_CALLS 200000u

static const char usage[] = "bench-hal [--json] | bench-hal count CALLS";

struct yardstick {
	pthread_mutex_t lock;
	int (*callback)(void *self, int64_t deadline_ns);
};

/* As reset_state of the null driver. */
static int callback(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	return 0;
}

static uint64_t locked_callback(void *arg, uint64_t count)
{
	struct yardstick *yardstick = arg;
	int status = 0;

	for (uint64_t i = 0; i < count; i++) {
		pthread_mutex_lock(&yardstick->lock);
		status |= yardstick->callback(yardstick, INT64_MAX);
		pthread_mutex_unlock(&yardstick->lock);
	}
	return status ? 0 : count;
}

static uint64_t reset_state(void *arg, uint64_t count)
{
	nmhal_device *dev = arg;
	int status = NMHAL_OK;

	for (uint64_t i = 0; i < count; i++)
		status |= nmhal_reset_state(dev, 0);
	bench_check(status, "reset_state");
	return count;
}

static uint64_t read_cell(void *arg, uint64_t count)
{
	struct nmhal_region region = {.row = 3, .col = 5, .rows = 1, .cols = 1};
	nmhal_device *dev = arg;
	int status = NMHAL_OK;
	int16_t code = 0;

	for (uint64_t i = 0; i < count; i++)
		status |= nmhal_read_weights(dev, &region, &code, 0, NMHAL_CODE_I16, 0);
	bench_check(status, "read_weights");
	return code == 0 ? count : 0;
}

static uint64_t get_caps(void *arg, uint64_t count)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_device *dev = arg;
	int status = NMHAL_OK;

	for (uint64_t i = 0; i < count; i++)
		status |= nmhal_device_caps(dev, &caps);
	bench_check(status, "device_caps");
	return caps.rows > 0 ? count : 0;
}

static uint64_t get_attr(void *arg, uint64_t count)
{
	nmhal_device *dev = arg;
	int status = NMHAL_OK;
	int64_t value = -1;

	for (uint64_t i = 0; i < count; i++)
		status |= nmhal_attr_get_int(dev, "shift", &value);
	bench_check(status, "attr_get_int");
	return value >= 0 ? count : 0;
}

static void measure(struct bench *bench, nmhal_device *dev)
{
	static const struct {
		const char *name;
		bench_fn call;
		double goal;
	} calls[] = {
		{"nmhal_reset_state, null driver", reset_state, 1.8},
		{"nmhal_read_weights of one cell", read_cell, BENCH_NO_GOAL},
		{"nmhal_attr_get_int", get_attr, BENCH_NO_GOAL},
		{"nmhal_device_caps", get_caps, BENCH_NO_GOAL},
	};
	struct yardstick yardstick = {.lock = PTHREAD_MUTEX_INITIALIZER, .callback = callback};

	/* The compiler must not see which function it is, as it cannot for an op. */
	__asm__ volatile("" : "+r"(yardstick.callback));
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct bench_metric metric = {.name = calls[i].name, .unit = "ns/call", .goal = calls[i].goal,
			.note = "a mutex around the callback"};

		bench_pair(&metric, calls[i].call, dev, locked_callback, &yardstick, TIMED_CALLS);
		bench_print(bench, &metric);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	nmhal_context *ctx;
	nmhal_device *dev;

	bench_check(nmhal_context_new(NULL, &ctx), "context_new");
	bench_check(nmhal_device_open(ctx, "null:", NULL, &dev), "device_open");
	if (argc == 3 && strcmp(argv[1], "count") == 0) {
		reset_state(dev, bench_number(argv[2]));
	} else {
		bench_options(&bench, argc, argv, usage);
		measure(&bench, dev);
	}
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return bench.failed;
}
