/* SPDX-License-Identifier: MIT */
/* What the files of drivers/fault/ share: which operation gets which fault, and how it is told. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

#include <nmhal/driver.h>

enum fault_kind {
	FAULT_DROP,    /* a piece of data is lost */
	FAULT_DUP,     /* ... comes twice */
	FAULT_FLIP,    /* ... comes with one bit changed */
	FAULT_SHORT,   /* ... loses its end */
	FAULT_SPLIT,   /* the operation does less than it could, as its contract allows */
	FAULT_REORDER, /* two packets change places */
	FAULT_DELAY,   /* the operation takes some milliseconds longer */
	FAULT_TIMEOUT, /* ... hangs until its deadline */
	FAULT_IO,      /* ... fails after a part of it */
	FAULT_GONE,    /* ... fails, and all after it */
	FAULT_KINDS,
	FAULT_NONE = FAULT_KINDS
};

#define FAULT_BIT(kind) (1u << (kind))
/* What any operation may meet. */
#define FAULT_ANY (FAULT_BIT(FAULT_DELAY) | FAULT_BIT(FAULT_TIMEOUT) | FAULT_BIT(FAULT_IO) | FAULT_BIT(FAULT_GONE))

#define FAULT_CLAUSES 16u

/* "drop:0.01" or "gone@17". */
struct fault_clause {
	enum fault_kind kind;
	uint32_t rate; /* in 1e-9, of each operation */
	uint64_t at;   /* the operation, from 1; 0: by rate */
};

struct fault {
	struct nmhal_host *host;
	uint64_t seed;
	uint64_t operations; /* begun so far: the number of the one at hand */
	uint64_t draws;      /* made for the one at hand */
	uint64_t injected;
	uint64_t gone;       /* number of the operation that met FAULT_GONE; 0: none */
	size_t count;
	struct fault_clause clauses[FAULT_CLAUSES];
};

/* One operation of a bus or stream. */
struct fault_op {
	const char *name; /* "spi" */
	size_t count;     /* of units */
	const char *unit; /* "frames"; NULL: it has no size */
	unsigned kinds;   /* FAULT_BIT() of those it may meet */
	int64_t deadline_ns;
};

/* Reads fault= and fault_seed=; kinds: those that this link has. INVALID names them. */
int fault_parse(struct nmhal_host *host, const struct nmhal_uri *uri, unsigned kinds, const char *link, struct fault *fault);
/* Begins an operation and says which fault it meets, FAULT_NONE mostly. Delay, timeout and gone are done here; on
 * failure the operation ends at once. */
int fault_begin(struct fault *fault, const struct fault_op *op, enum fault_kind *kind);
/* A number below n (> 0) for the operation at hand: of seed, operation and the count of draws alone. */
size_t fault_draw(struct fault *fault, size_t n);
/* One of the lowest bits of value, as many as it has up to its highest one, but at least `least`. */
uint64_t fault_draw_bit(struct fault *fault, uint64_t value, unsigned least);
/* Logs and counts what has been injected: "lost frame 3". */
void fault_tell(struct fault *fault, const struct fault_op *op, const char *format, ...) NMHAL_PRINTF(3, 4);
/* Fails the operation at hand with this kind of fault. */
int fault_fail(struct fault *fault, const struct fault_op *op, int status, const char *kind);
/* Logs how many faults there were. */
void fault_end(const struct fault *fault);

/* bus.c and stream.c: put faults before what is open. */
int fault_wrap_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_bus *bus);
int fault_wrap_stream(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_stream *stream);

#endif
