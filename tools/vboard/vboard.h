/* SPDX-License-Identifier: MIT */
/* nmhal-vboard: an emulated board behind a socket or a pseudo-terminal. */
#ifndef VBOARD_H
#define VBOARD_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/board.h"

#define VBOARD_SENTENCE 320u

enum vboard_way { VBOARD_UNIX, VBOARD_TCP, VBOARD_PTY };

/* Where the board can be reached. */
struct vboard_place {
	enum vboard_way way;
	const char *path;    /* unix */
	const char *address; /* tcp */
	unsigned port;       /* tcp; 0: any that is free */
};

/* An open place. */
struct vboard_port {
	enum vboard_way way;
	int listener;    /* of a socket; -1 */
	int master;      /* of a pseudo-terminal; -1 */
	int slave;       /* held, so that the other end may come and go; -1 */
	int watch;       /* inotify: who opens and closes the slave; -1 */
	char uri[300];   /* what nmhal-probe takes */
	char path[128];  /* of a unix socket, to be removed; "" */
};

/* listen.c. 0, or an errno: `sentence` says why, and nothing is left open. */
int vboard_listen(const struct vboard_place *place, struct vboard_port *port, char sentence[VBOARD_SENTENCE]);
void vboard_unlisten(struct vboard_port *port);

/* serve.c: serves one client after the other, until a signal ends it, or with `once` until the first has left. 0 or an
 * errno. */
int vboard_serve(struct vboard_port *port, struct sim_board *board, bool once);
/* SIGINT and SIGTERM end vboard_serve(); blocked outside of its wait. To be called first. */
void vboard_signals(void);

#endif
