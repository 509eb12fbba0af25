/* SPDX-License-Identifier: MIT */
/*
 * A bus that does not attribute outputs, with the model of the chip behind it. It takes inputs ahead of the chip and
 * gives outputs late, in amounts that a seed decides, and breaks off where a test wants it to. An output has an index
 * only if its input waited for idle.
 */
#ifndef CHIPBUS_H
#define CHIPBUS_H

#include <stdbool.h>

#include <nmhal/driver.h>

#include "sim/tinyodin.h"

#define CHIPBUS_NEVER SIZE_MAX

struct chipbus {
	/* Set by a test. */
	uint32_t flags;
	size_t max_frames;
	uint64_t seed;       /* not 0 */
	size_t fail_at;      /* the first call that fails */
	size_t fail_count;   /* calls that fail from there on */
	size_t interrupt_at; /* the call in which the device is interrupted */
	size_t lose_at, double_at; /* the output of the run that is lost, or comes twice */
	bool mute;           /* gives no outputs */
	nmhal_device *dev;   /* for interrupt_at */

	struct nmhal_host *host;
	struct tinyodin *chip;
	unsigned breaches;   /* of the rules; the first one says why */
	const char *breach;
	bool framed, closed, waits; /* waits: the input at hand waited for idle */
	int reg[4];          /* as the frames set them */

	/* Counted since chipbus_forget(). */
	size_t calls;        /* of spi, events and reset */
	size_t spi_calls, answered, frames, resets;
	size_t waited, streamed; /* inputs */
	unsigned last_word;  /* of the input that was streamed last */

	struct nmhal_bus_out *out; /* what the chip gave and the caller has not taken */
	size_t out_first, out_end, out_capacity, out_number;
};

void chipbus_init(struct chipbus *bus);
/* Fails the test if a rule was broken. */
void chipbus_check(const struct chipbus *bus);
void chipbus_free(struct chipbus *bus);
void chipbus_forget(struct chipbus *bus);
/* Adds the link to a context. */
void chipbus_link(nmhal_context *ctx);
nmhal_device *chipbus_open(nmhal_context *ctx, struct chipbus *bus);
/* A number below `limit`, from the seed. */
uint32_t chipbus_random(uint64_t *seed, uint32_t limit);

#endif
