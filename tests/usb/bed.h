/* SPDX-License-Identifier: MIT */
/* A machine with virtual boards, for the test program itself: umockdev for sysfs and udev, vusbd for usbfs. */
#ifndef BED_H
#define BED_H

#include <stddef.h>

#include "model.h"
#include "sim/vftdi/vftdi.h"

/* Prints why and exits 77 when umockdev is not preloaded; to be called by main(). */
void bed_or_skip(void);

struct bed;
/* Makes the bed, without boards. One at a time in a process. */
struct bed *bed_new(void);
void bed_free(struct bed *bed);
/* Plugs a new board in; its number: 2, 3, ... NULL strings: "libnmhal", "NMHAL tinyODIN", "NM00000<number>". */
unsigned bed_plug(struct bed *bed, const struct vftdi_params *params);
/* The number that the next board will have, and any device as that board; the bed owns the model. */
unsigned bed_next(const struct bed *bed);
unsigned bed_plug_model(struct bed *bed, struct model model);
/* The same board leaves, and comes back. */
void bed_unplug(struct bed *bed, unsigned board);
void bed_replug(struct bed *bed, unsigned board);
/* vusbd_tell() to a board; fails the test when it is refused. The answer is valid until the next call. */
const char *bed_tell(struct bed *bed, unsigned board, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A path in the bed's own folder; the file goes with the bed. */
const char *bed_file(struct bed *bed, const char *name);
/* Value of a counter of bed_tell("counters"). */
unsigned long long bed_counter(struct bed *bed, unsigned board, const char *name);

#endif
