/* SPDX-License-Identifier: MIT */
/* A context: the drivers, the links and the log sink. */
#include <stdlib.h>

#include "hal/hal.h"

static uint32_t level_from_environment(struct nmhal_context *ctx)
{
	const char *text = getenv("NMHAL_LOG");
	int level;

	if (!text || !*text)
		return NMHAL_LOG_WARN;
	level = nm_log_level(text);
	if (level >= 0)
		return (uint32_t)level;
	ctx->log_level = NMHAL_LOG_WARN;
	nm_log(ctx, NMHAL_LOG_WARN, "", "NMHAL_LOG=%s: is no level; using warn (error, warn, info, debug, wire, none)",
		text);
	return NMHAL_LOG_WARN;
}

static void set_level(struct nmhal_context *ctx, uint32_t level)
{
	if (level == NMHAL_LOG_DEFAULT)
		level = level_from_environment(ctx);
	/* Lines up to log_level are logged; none is 0. */
	ctx->log_level = level == NMHAL_LOG_NONE ? 0 : level;
}

int nmhal_context_new(const struct nmhal_context_params *params, nmhal_context **out)
{
	struct nmhal_context_params given = NMHAL_CONTEXT_PARAMS_INIT;
	struct nmhal_context *ctx;
	int status;

	if (!out)
		return nm_fail(NULL, NMHAL_E_INVALID, "new context: out is NULL");
	*out = NULL;
	if (params) {
		status = nm_copy_in(&given, sizeof given, sizeof given, params, "struct nmhal_context_params");
		if (status)
			return status;
	}
	if (given.log_level > NMHAL_LOG_NONE)
		return nm_fail(NULL, NMHAL_E_INVALID, "new context: log_level is %u, must be 0..%d", given.log_level,
			NMHAL_LOG_NONE);
	if (given.reserved)
		return nm_fail(NULL, NMHAL_E_INVALID, "new context: reserved is %u, must be 0", given.reserved);
	ctx = calloc(1, sizeof *ctx);
	if (!ctx)
		return nm_no_memory(NULL, "new context");
	atomic_init(&ctx->refs, 1);
	ctx->log = given.log;
	ctx->log_user = given.log_user;
	set_level(ctx, given.log_level);
	status = nm_registry_fill(ctx, given.drivers);
	if (status) {
		nmhal_context_unref(ctx);
		return status;
	}
	*out = ctx;
	return NMHAL_OK;
}

nmhal_context *nmhal_context_ref(nmhal_context *ctx)
{
	if (ctx)
		atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void nmhal_context_unref(nmhal_context *ctx)
{
	if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(ctx->drivers);
	free(ctx->links);
	free(ctx->wrappers);
	free(ctx);
}
