/* SPDX-License-Identifier: MIT */
/* What the files of drivers/replay/ share: a trace that is played. */
#ifndef REPLAY_H
#define REPLAY_H

#include "drivers/record/trace.h"

/* What is known of a trace before it is played. */
struct replay_trace {
	struct nmtrace_session session; /* its uri points into the bytes */
	struct nmtrace_reader first;    /* at the first operation */
	uint64_t count;               /* operations that can be played, close among them */
	bool whole;                   /* the last one is close */
	char end[TRACE_WHY];          /* how it ends when it is not whole */
};

/*
 * Checks the bytes of a trace from the first to the last, whoever made them. OK also for one that was cut off: it can
 * be played up to there. Else PROTOCOL or VERSION with a sentence in why[TRACE_WHY]: "record 7 at offset 812 is ...".
 */
int replay_load(const uint8_t *data, size_t size, struct replay_trace *trace, char *why);

struct replay {
	struct nmhal_host *host;
	const char *path; /* of the URI */
	uint8_t *bytes;
	struct replay_trace trace;
	struct nmtrace_reader reader;
	char strayed[320]; /* where the caller did not follow, for sentences; "": nowhere */
};

/* The next record, which must be of this type; what: the caller's operation, "spi of 3 frames". */
int replay_next(struct replay *replay, enum nmtrace_type type, const char *what, struct nmtrace_record *record);
/* The caller did something else than the record says: PROTOCOL with this sentence, now and from now on. */
int replay_stray(struct replay *replay, const struct nmtrace_record *record, const char *format, ...) NMHAL_PRINTF(3, 4);
/* The status of a record, with its sentence. */
int replay_status(const struct replay *replay, const struct nmtrace_record *record);
void replay_close(struct replay *replay);

extern const struct nmhal_bus_ops replay_bus_ops;       /* self: a struct replay */
extern const struct nmhal_stream_ops replay_stream_ops; /* likewise */

#endif
