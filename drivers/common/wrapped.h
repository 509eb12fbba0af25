/* SPDX-License-Identifier: MIT */
/*
 * What a wrapper passes on as it is. Ops for its tables, for wrappers whose struct begins with the bus or stream that
 * they wrap.
 */
#ifndef COMMON_WRAPPED_H
#define COMMON_WRAPPED_H

#include <nmhal/driver.h>

void wrapped_bus_info(void *self, struct nmhal_bus_info *info);
int wrapped_bus_counter(void *self, const char *key, uint64_t *value);
void wrapped_bus_interrupt(void *self);
void wrapped_stream_info(void *self, struct nmhal_stream_info *info);
void wrapped_stream_interrupt(void *self);

#endif
