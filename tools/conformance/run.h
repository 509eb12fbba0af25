/* SPDX-License-Identifier: MIT */
/*
 * The conformance run of nmlink: a driver of the command's own keeps the stream of a board, cases send frames over it
 * and look at what comes back. A case is a row of a table in cases_*.c; a group is such a table.
 */
#ifndef CONFORMANCE_RUN_H
#define CONFORMANCE_RUN_H

#include <stdbool.h>

#include <nmhal/driver.h>

#include "nmlink/frame.h"

enum verdict {
	VERDICT_PASSED,
	VERDICT_FAILED,
	VERDICT_ABSENT,
	VERDICT_UNDECIDED, /* faults on the way hit every attempt */
};

#define MOST_ATTEMPTS 50u /* at a case, or at an item of one that says how far it came */

/* A reply of the board; the payload stands until the next one is received. */
struct reply {
	struct nmlink_header header;
	const uint8_t *payload; /* [header.size] */
};

/* The capability records of the board; those with a tail point into `bytes`. */
struct board_caps {
#define CAP_MEMBER(name, NAME, tag, text) \
	struct nmlink_##name##_cap name; \
	uint16_t name##_count;
	NMLINK_CAPS(CAP_MEMBER)
#undef CAP_MEMBER
	struct nmlink_attr_cap attrs[64]; /* the first ones */
	uint8_t *bytes;
	uint32_t size;
};

/* A run: the link, the session, and the case that goes on. */
struct run {
	/* Set by the command. */
	bool pulse;              /* cells may be pulsed: */
	struct nmlink_cell cell; /* this one */
	uint32_t reply_ms;       /* what a board may take for a reply */
	/* Called around each case. */
	void (*begin)(struct run *run, const char *group, const char *name);
	void (*end)(struct run *run);
	void *user; /* of begin and end */

	struct nmhal_host *host;
	struct nmhal_stream stream;
	struct nmhal_stream_info info;
	bool packets; /* the carrier keeps frames apart; else COBS */
	size_t room;  /* of each of the buffers */
	uint8_t *frame, *wire, *in, *whole;
	size_t in_at, in_size; /* bytes received and not looked at (byte streams) */
	struct nmlink_cobs cobs;

	uint32_t session;
	uint16_t next; /* number of the next request */
	struct nmlink_hello_reply hello;
	struct board_caps caps;

	enum verdict verdict; /* of the case */
	char said[240];       /* what failed or is absent */
	int status;           /* of the link: a failure ends the run */

	/* Faults on purpose (fault= in the URI). What one hit says nothing about the board: it is tried again. */
	bool faulty;         /* there may be some */
	unsigned faults;     /* so far that changed or lost something, counted by the command */
	unsigned begun;      /* of them before this attempt */
	unsigned attempts;   /* at this case, all of them */
	unsigned in_a_row;   /* of them since the last item that was done */
	size_t item;         /* how far the case came, see item_done() */
};

/* A case: what it shows, and how. */
struct conformance_case {
	const char *name;  /* a clause: "a wrong CRC is answered ECRC" */
	void (*run)(struct run *run);
};
struct conformance_group {
	const char *name;
	const struct conformance_case *cases; /* ends with name NULL */
};
extern const struct conformance_case session_cases[], frame_cases[], caps_cases[], weight_cases[], inference_cases[],
	neuron_cases[], declared_cases[], safety_cases[], cell_cases[];

/* ---- run.c ------------------------------------------------------------------------------------------------------- */

/* Driver of the boards whose stream is wanted; `reset` of an open device runs all cases. */
extern const struct nmhal_driver conformance_driver;
/* Attribute by which the command hands a struct run to the driver, as a number. */
#define CONFORMANCE_RUN_KEY "run"

/* Whether a fault hit this attempt, so that its verdict does not count. */
bool hit(const struct run *run);
/*
 * For long cases over items that do not depend on each other: they begin with run->item, and say so when that one is
 * done. False: a fault hit it, and the case is to return; its next attempt goes on there.
 */
bool item_done(struct run *run);
/* Sends a request in a session of its own, again when a fault hits it: puts back what a case has changed. */
void put_back(struct run *run, uint16_t op, const uint8_t *payload, size_t size);

/* Keeps a verdict with its sentence, unless one that is worse was kept. */
__attribute__((format(printf, 3, 4))) void say(struct run *run, enum verdict verdict, const char *format, ...);
/* Ends the case as failed, or as being about something the board does not have. */
#define EXPECT(condition, ...) \
	do { \
		if (!(condition)) { \
			say(run, VERDICT_FAILED, __VA_ARGS__); \
			return; \
		} \
	} while (0)
#define NEED(condition, what) \
	do { \
		if (!(condition)) { \
			say(run, VERDICT_ABSENT, "%s", what); \
			return; \
		} \
	} while (0)
/* Ends the case unless the call, which says why, is true. */
#define MUST(call) \
	do { \
		if (!(call)) \
			return; \
	} while (0)

/* "ERANGE"; "status 99" is "a status that is none". */
const char *status_name(uint16_t status);
bool has_op(const struct run *run, uint16_t op);

/* ---- wire.c ------------------------------------------------------------------------------------------------------ */

bool wire_open(struct run *run);
void wire_close(struct run *run);
/* Sends bytes as one frame, whatever they are. */
bool wire_send_bytes(struct run *run, const uint8_t *bytes, size_t size);
/* Builds a frame in run->frame; returns its size. */
size_t wire_frame(struct run *run, const struct nmlink_header *header, const uint8_t *payload);
/* Header of a request of the session, numbered `seq`. */
struct nmlink_header wire_header(const struct run *run, uint16_t op, uint16_t seq, size_t size);
bool wire_send(struct run *run, const struct nmlink_header *header, const uint8_t *payload);
/* False, without a verdict, when none comes in `ms`. Events are skipped; a frame that is not whole is a failure. */
bool wire_receive(struct run *run, struct reply *reply, uint32_t ms);
/* The next reply; says what is wrong when none comes. */
bool wire_reply(struct run *run, struct reply *reply);
/* True when nothing comes for a while. */
bool wire_quiet(struct run *run);
/* Drops what is on its way; false when the link failed. */
bool wire_flush(struct run *run);

/* Begins a session. */
bool hello(struct run *run, struct reply *reply);
/* Sends a request with the next number and expects it to be answered with `status`, in its turn. */
bool ask(struct run *run, uint16_t op, const uint8_t *payload, size_t size, uint16_t status, struct reply *reply);
/* The same for requests that must be refused for what they say: EARG, ERANGE, ELEN, or one of two more. */
bool refused(struct run *run, uint16_t op, const uint8_t *payload, size_t size, uint16_t also, const char *what);
/* Sends a request under a number that was answered before; the reply is that of the number. */
bool again(struct run *run, uint16_t op, uint16_t seq, const uint8_t *payload, size_t size, struct reply *reply);
/* A PING answered in its turn: the session goes on. */
bool alive(struct run *run);

/* ---- cases_caps.c ------------------------------------------------------------------------------------------------ */

/* Reads and parses the records; false after a sentence. */
bool read_caps(struct run *run);

#endif
