/* SPDX-License-Identifier: MIT */
/* A host without a device: it takes the sentences of what is called in the place of a driver or link. */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include "hal/hal.h"

/* Kept by its user, who may not open, close or wait with it. */
struct fuzz_host {
	struct nmhal_context ctx;
	struct nmhal_device dev;
	char uri[8];
};

static inline struct nmhal_host *fuzz_host(struct fuzz_host *fuzz)
{
	*fuzz = (struct fuzz_host){.ctx.log_level = NMHAL_LOG_NONE, .uri = "fuzz:"};
	fuzz->dev.ctx = &fuzz->ctx;
	fuzz->dev.uri = fuzz->uri;
	fuzz->dev.host.dev = &fuzz->dev;
	return &fuzz->dev.host;
}

#endif
