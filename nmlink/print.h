/* SPDX-License-Identifier: MIT */
/*
 * Frames as text, made from the message table: for logs and for tests. Freestanding, but no board needs it.
 */
#ifndef NMLINK_PRINT_H
#define NMLINK_PRINT_H

#include "frame.h"

/* "WRITE"; NULL when the table does not have it. */
const char *nmlink_op_name(uint16_t op);
/* "ERANGE", and what it means; NULL when the table does not have it. */
const char *nmlink_status_name(uint16_t status);
const char *nmlink_status_text(uint16_t status);

/*
 * One line for a frame, without a newline: direction (> request, < reply, ! event), opcode, header, fields, and the
 * first bytes of the tail in hex (a text after an error):
 *
 *   > WRITE seq 3 session 4242: tile 0 row 0 col 0 rows 1 cols 2, 2 bytes: 01 ff
 *   < WRITE seq 3 session 4242 credits 8 ERANGE: detail 2, "no such rows"
 *
 * A frame that is not whole says so. Always ends with NUL when room is not 0, cut where room ends; returns the length
 * that all of it has, like snprintf().
 */
size_t nmlink_print_frame(char *text, size_t room, const uint8_t *frame, size_t size);

#endif
