/* SPDX-License-Identifier: MIT */
/*
 * A bus that records what crosses it, in order, and plays a strict tinyODIN: it holds the memories, loses framing when
 * a call fails, and counts every breach of the datasheet's rules. Its decoder shares no code with drivers/odin.
 */
#ifndef WIREBUS_H
#define WIREBUS_H

#include <stdbool.h>

#include <nmhal/driver.h>

enum wire_kind { WIRE_FRAME, WIRE_RESET, WIRE_EVENT };

struct wire_entry {
	uint32_t kind;  /* enum wire_kind */
	uint32_t idle_before;
	uint64_t value; /* frame, or event word */
};

struct wirebus {
	/* Set by a test before open. */
	uint32_t flags;
	size_t max_frames;
	bool counts;         /* it has counters: each grows by 10 whenever it is asked */
	size_t accept;       /* input events taken in one call */
	size_t fail_at;      /* the call that fails; SIZE_MAX: none */
	int fail_with;       /* its status; IO unless a test says otherwise */
	bool bad_index;      /* outputs carry the index of no input */
	uint32_t outputs[1024]; /* output events an input word causes */

	struct nmhal_host *host;
	size_t calls;        /* of spi, events and reset */
	size_t largest;      /* frames in one call */
	bool framed, gated, closed;
	int open_loop, aer_src, max_neur; /* -1: never written */
	bool write_pending;  /* the last frame was a write: the core still waits for SCK */
	unsigned breaches;   /* of the rules; the first one says why */
	const char *breach;
	uint8_t neuron[256][4];
	uint8_t synapse[8192][4];
	uint64_t left;       /* outputs that the input at hand still causes */
	uint32_t index, address;
	uint64_t counter;
	size_t count, capacity;
	struct wire_entry *log;
};

/* A bus with both flags, batches of 1,000 frames, no counters, and no outputs. */
void wirebus_init(struct wirebus *bus);
void wirebus_free(struct wirebus *bus);
/* Empties the record. */
void wirebus_forget(struct wirebus *bus);
nmhal_context *wirebus_context(void);
nmhal_context *wirebus_context_with(const struct nmhal_context_params *params);
int wirebus_try_open(nmhal_context *ctx, struct wirebus *bus, nmhal_device **dev);
/* Opens, or fails the test. */
nmhal_device *wirebus_open(nmhal_context *ctx, struct wirebus *bus);
/* Fails the test unless the record is exactly this, in text: "R 0000000001 e105 i1ff" (reset, frame, event that does
 * not or does wait for idle), and no rule was broken. */
void wirebus_expect(const struct wirebus *bus, const char *text);

#endif
