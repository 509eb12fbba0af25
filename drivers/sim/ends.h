/* SPDX-License-Identifier: MIT */
/* The far ends that sim: has. */
#ifndef SIM_ENDS_H
#define SIM_ENDS_H

#include <nmhal/driver.h>

/* sim:tinyodin: the bus of the chip model. */
int sim_open_bus(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus);
/* sim:xbar64 and the like: a stream of nmlink frames to an emulated board. keys: all that the link has. */
int sim_open_stream(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_key *keys, struct nmhal_stream *stream);

#endif
