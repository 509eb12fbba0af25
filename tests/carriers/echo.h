/* SPDX-License-Identifier: MIT */
/* A far end of bytes for the tests, on a listening socket or the master of a pty: sends back what it gets, or has a
 * board behind it. */
#ifndef ECHO_H
#define ECHO_H

#include <stdbool.h>
#include <stddef.h>

struct echo;
struct model_pipe;
/* Serves a listening socket, or (pty) one descriptor; owns it. A thread of its own. board: NULL, or what answers. */
struct echo *echo_start(int fd, bool pty, const struct model_pipe *board);
/* Closes everything. */
void echo_stop(struct echo *echo);
/* While on, it reads nothing. */
void echo_hold(struct echo *echo, bool on);
/* Sends bytes nobody asked for, on every connection; waits until there is one. */
void echo_say(struct echo *echo, size_t size);

#endif
