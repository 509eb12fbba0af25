/* SPDX-License-Identifier: MIT */
/*
 * What the host does for an address event of ftdi: until its bytes lie in a USB transfer. The port takes every transfer
 * at once and never answers, so that nothing else is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "drivers/ftdi/bus.h"

#define BATCH      4096u /* inputs a call, as drivers/odin gives them */
#define EVENT_SIZE 11u   /* bytes; not strict */

static const char usage[] = "bench-encode [--json] | bench-encode count EVENTS";

static int port_alloc(void *self, struct ftdi_transfer *transfer, size_t size)
{
	(void)self;
	transfer->data = malloc(size);
	return transfer->data ? NMHAL_OK : NMHAL_E_NO_MEMORY;
}

static void port_free(void *self, struct ftdi_transfer *transfer)
{
	(void)self;
	free(transfer->data);
}

static int port_submit(void *self, struct ftdi_transfer *transfer)
{
	uint64_t *sent = self;

	transfer->busy = transfer->in;
	transfer->status = NMHAL_OK;
	transfer->done = transfer->in ? 0 : transfer->size;
	*sent += transfer->done;
	return NMHAL_OK;
}

static const struct ftdi_port_ops port_ops = {.alloc = port_alloc, .free = port_free, .submit = port_submit};

struct encode {
	struct ftdi_bus bus;
	uint64_t sent; /* bytes */
	struct nmhal_bus_in in[BATCH];
	struct nmhal_bus_out out[1];
};

static uint64_t events(void *arg, uint64_t count)
{
	struct encode *encode = arg;
	uint64_t done = 0;

	while (done < count) {
		const uint64_t left = count - done;
		struct nmhal_bus_transfer transfer = {.in = encode->in, .in_count = left < BATCH ? left : BATCH,
			.out = encode->out, .out_capacity = 1};

		bench_check(ftdi_bus_events(&encode->bus, &transfer, NMHAL_NEVER), "events");
		done += transfer.in_done;
	}
	return done;
}

static struct encode *encode_new(void)
{
	struct encode *encode = calloc(1, sizeof(*encode));
	uint64_t random = 1;

	if (!encode)
		abort();
	encode->bus.port = (struct ftdi_port){&port_ops, &encode->sent};
	bench_check(ftdi_pipe_open(&encode->bus.a, NULL, &encode->bus.port, FTDI_A, 1, FTDI_PACKET), "pipe_open");
	bench_check(ftdi_pipe_open(&encode->bus.b, NULL, &encode->bus.port, FTDI_B, 1, FTDI_PACKET), "pipe_open");
	ftdi_pipe_start(&encode->bus.a);
	ftdi_pipe_start(&encode->bus.b);
	for (unsigned n = 0; n < BATCH; n++)
		encode->in[n].address = bench_random(&random) % 1024;
	return encode;
}

static void encode_free(struct encode *encode)
{
	ftdi_pipe_close(&encode->bus.a);
	ftdi_pipe_close(&encode->bus.b);
	free(encode);
}

/* The yardstick: the 11 bytes of an event copied once. */
static uint64_t copy(void *arg, uint64_t count)
{
	static uint8_t bytes[2][BATCH * EVENT_SIZE];

	(void)arg;
	for (uint64_t n = 0; n < count; n += BATCH) {
		bytes[1][n % BATCH]++;
		memcpy(bytes[0], bytes[1], sizeof(bytes[0]));
		__asm__ volatile("" : : "r"(bytes) : "memory");
	}
	return count;
}

int main(int argc, char **argv)
{
	struct bench_metric metric = {.name = "encode an address event", .unit = "ns/event", .goal = BENCH_NO_GOAL,
		.note = "its 11 bytes copied"};
	struct encode *encode = encode_new();
	struct bench bench = {0};

	if (argc == 3 && !strcmp(argv[1], "count")) {
		(void)events(encode, bench_number(argv[2]));
		printf("%llu\n", (unsigned long long)encode->sent);
	} else {
		bench_options(&bench, argc, argv, usage);
		(void)events(encode, BATCH);
		metric.wrong = encode->sent != BATCH * EVENT_SIZE + MPSSE_CONFIRM_SIZE +
			encode->bus.armed * MPSSE_CATCH_SIZE;
		bench_pair(&metric, events, encode, copy, NULL, 200 * BATCH);
		bench_print(&bench, &metric);
	}
	encode_free(encode);
	return bench.failed;
}
