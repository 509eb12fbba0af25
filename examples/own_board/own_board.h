/* SPDX-License-Identifier: MIT */
/* A driver and a link that live outside the library; a program adds them to its context. */
#ifndef OWN_BOARD_H
#define OWN_BOARD_H

#include <nmhal/driver.h>

extern const struct nmhal_driver own_driver; /* the board "own": an 8-bit crossbar that understands lines of text */
extern const struct nmhal_link own_link;     /* the scheme "line": a terminal device, as a board on a USB cable is */

#endif
