/* SPDX-License-Identifier: MIT */
#include "wrapped.h"

void wrapped_bus_info(void *self, struct nmhal_bus_info *info)
{
	const struct nmhal_bus *below = self;

	below->ops->info(below->self, info);
}

int wrapped_bus_counter(void *self, const char *key, uint64_t *value)
{
	const struct nmhal_bus *below = self;

	return below->ops->counter ? below->ops->counter(below->self, key, value) : NMHAL_E_UNSUPPORTED;
}

void wrapped_bus_interrupt(void *self)
{
	const struct nmhal_bus *below = self;

	if (below->ops->interrupt)
		below->ops->interrupt(below->self);
}

void wrapped_stream_info(void *self, struct nmhal_stream_info *info)
{
	const struct nmhal_stream *below = self;

	below->ops->info(below->self, info);
}

void wrapped_stream_interrupt(void *self)
{
	const struct nmhal_stream *below = self;

	if (below->ops->interrupt)
		below->ops->interrupt(below->self);
}
