/* SPDX-License-Identifier: MIT */
/* Log lines: to the context's sink, or to stderr. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "hal/hal.h"

static const char *const level_names[] = {"default", "error", "warn", "info", "debug", "wire", "none"};

int nm_log_level(const char *text)
{
	for (int level = NMHAL_LOG_ERROR; level <= NMHAL_LOG_NONE; level++) {
		const char number[] = {(char)('0' + level), '\0'};

		if (strcasecmp(text, level_names[level]) == 0 || strcmp(text, number) == 0)
			return level;
	}
	return -1;
}

/* One write, so that lines of several threads and processes do not mix. */
static void log_to_stderr(enum nmhal_log_level level, const char *uri, const char *message)
{
	char line[1536];
	int length;

	length = snprintf(
		line, sizeof line - 1, "nmhal: %s: %s%s%s", level_names[level], uri, *uri ? ": " : "", message);
	if (length < 0)
		return;
	if ((size_t)length > sizeof line - 2)
		length = (int)sizeof line - 2;
	line[length] = '\n';
	if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
		return; /* there is nowhere left to say so */
}

void nm_vlog(struct nmhal_context *ctx, enum nmhal_log_level level, const char *uri, const char *format, va_list args)
{
	char message[1024];

	if (level > ctx->log_level)
		return;
	if (vsnprintf(message, sizeof message, format, args) < 0)
		return;
	nm_one_line(message);
	if (ctx->log)
		ctx->log(ctx->log_user, level, uri, message);
	else
		log_to_stderr(level, uri, message);
}

void nm_log(struct nmhal_context *ctx, enum nmhal_log_level level, const char *uri, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	nm_vlog(ctx, level, uri, format, args);
	va_end(args);
}
