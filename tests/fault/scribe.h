/* SPDX-License-Identifier: MIT */
/*
 * What wrappers are tested between: a bus or stream that writes down all it is asked, in text, and a driver that hands
 * its own end to the test. Boards: "bus", "bytes" (a stream without boundaries), "packets".
 *
 *	struct scribe scribe;
 *	scribe_open(&scribe, "scribe:bus,fault=io@2");   // fails the test when it fails
 *	scribe.bus.ops->reset(scribe.bus.self, NMHAL_NEVER);
 *	scribe_expect(&scribe, "R");                  // since the last look
 *	scribe_close(&scribe);
 */
#ifndef SCRIBE_H
#define SCRIBE_H

#include <stdbool.h>

#include <nmhal/driver.h>

#define SCRIBE_TEXT 16384u

struct scribe {
	/* Set by scribe_init(); a test edits them before scribe_try(). */
	size_t accept;     /* input events taken in one call; SIZE_MAX */
	unsigned outputs;  /* output events of an input: its address, plus 1 for each further one; 1 */
	int fail_with;     /* status of every operation from now on; OK */
	const char *const *chunks; /* what recv gets, one after the other, ends with NULL; then TIMEOUT */
	bool bare;         /* no counter and no interrupt */

	/* What the driver was given. */
	struct nmhal_host *host;
	struct nmhal_bus bus;
	struct nmhal_stream stream;

	nmhal_context *ctx;
	nmhal_device *dev;
	size_t chunk_at;   /* bytes of chunks[0] that were taken */
	uint64_t counter;
	bool is_open;
	unsigned interrupts;
	char story[SCRIBE_TEXT]; /* what reached the far end, a word an operation: "S1,2" "E5,6" "R" "s6869" "r" "f" */
	char log[SCRIBE_TEXT];   /* lines at INFO and above */
};

void scribe_init(struct scribe *scribe);
/* Opens; the status. Whoever gets OK calls scribe_close(). */
int scribe_try(struct scribe *scribe, const char *uri);
/* scribe_init() and scribe_try(), which must be OK. */
void scribe_open(struct scribe *scribe, const char *uri);
/* The same with "scribe:BOARD,fault=FAULT,fault_seed=SEED". */
void scribe_open_with(struct scribe *scribe, const char *board, const char *fault, unsigned seed);
void scribe_close(struct scribe *scribe);
/* Fails the test unless this, and nothing else, reached the far end since the last call. */
void scribe_expect(struct scribe *scribe, const char *story);

/* Times this text is in the log. */
unsigned scribe_lines(const struct scribe *scribe, const char *text);
/* Bits of value that are 1. */
unsigned scribe_bits(uint64_t value);

/* Ops of the wrapped link, in the form tests want them. */
int scribe_spi(struct scribe *scribe, const uint64_t *frames, size_t count, uint32_t *replies);
/* One call of events with inputs of these addresses; outputs in text: "5 6", idle: " idle". */
int scribe_events(struct scribe *scribe, const char *addresses, char *text, size_t size);
int scribe_send(struct scribe *scribe, const char *text);
/* What came, in text; TIMEOUT after ms. */
int scribe_recv(struct scribe *scribe, char *text, size_t size, int ms);

#endif
