/* SPDX-License-Identifier: MIT */
/*
 * What every carrier of nmlink must keep, whatever it is: the contract of struct nmhal_stream_ops. The far end is an
 * echo; a carrier says how it is started, unplugged and so on, and contract.c asks.
 */
#ifndef CARRIER_H
#define CARRIER_H

#include <stdbool.h>

#include <nmhal/driver.h>

#define CARRIER_URI 256u

struct carrier {
	const char *name;
	/* Makes the far end; uri is that of a board called "echo". The checks of a carrier run one after the other. */
	void (*start)(char uri[CARRIER_URI]);
	void (*stop)(void);
	/* A second far end beside the first one, as start(). */
	void (*second)(char uri[CARRIER_URI]);
	/* The far end goes away, and comes back. */
	void (*unplug)(void);
	void (*replug)(void);
	/* The far end takes nothing (any more), for a while. */
	void (*hold)(bool on);
	/* The far end sends bytes nobody asked for. */
	void (*stale)(size_t size);
	size_t frame;   /* bytes of a frame that keeps its boundary; 0: a stream of bytes */
	size_t in_flight; /* bytes that are under way at most before somebody must take the echo */
	int opens;      /* how often the test of leaks opens */
};

struct model_pipe;
/* What start() makes: NULL, the echo, which is called "echo"; or this board in its place. */
extern const struct model_pipe *carrier_far;
/* Name of the board in URIs. */
const char *carrier_board(void);

/* Runs all checks on each; the exit status of the program. */
int carrier_run(const struct carrier *const *carriers, size_t count);

/* The same for hostile.c: boards whose frames are damaged, lost, made up, too long, too many; and unplugging. */
int hostile_run(const struct carrier *const *carriers, size_t count);

#endif
