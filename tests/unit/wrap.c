/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wrap.h"

#define MAX_LIVE 4096u

static struct {
	bool armed, for_good, failed;
	unsigned tried, fail_at;
	size_t live;
	void *blocks[MAX_LIVE]; /* [live] */
} wrap;

void wrap_begin(unsigned fail_at, bool for_good)
{
	memset(&wrap, 0, sizeof(wrap));
	wrap.fail_at = fail_at;
	wrap.for_good = for_good;
	wrap.armed = true;
}

unsigned wrap_end(void)
{
	wrap.armed = false;
	return wrap.tried;
}

bool wrap_failed(void)
{
	return wrap.failed;
}

size_t wrap_live(void)
{
	return wrap.live;
}

static bool must_fail(void)
{
	if (!wrap.armed)
		return false;
	wrap.tried++;
	if (wrap.tried != wrap.fail_at && !(wrap.failed && wrap.for_good))
		return false;
	wrap.failed = true;
	return true;
}

static void *born(void *block)
{
	if (!wrap.armed || !block)
		return block;
	if (wrap.live == MAX_LIVE)
		abort();
	wrap.blocks[wrap.live++] = block;
	return block;
}

static void died(const void *block)
{
	for (size_t i = 0; i < wrap.live; i++) {
		if (wrap.blocks[i] == block) {
			wrap.blocks[i] = wrap.blocks[--wrap.live];
			return;
		}
	}
}

/* What --wrap calls and what it names: the linker makes these names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void __wrap_free(void *block);

void *__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : born(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return must_fail() ? NULL : born(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
	void *grown;

	if (must_fail())
		return NULL;
	died(block);
	grown = __real_realloc(block, size);
	return born(grown ? grown : block);
}

char *__wrap_strdup(const char *text)
{
	return must_fail() ? NULL : born(__real_strdup(text));
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;
	int length;

	if (must_fail())
		return -1;
	va_start(args, format);
	length = vasprintf(text, format, args);
	va_end(args);
	if (length >= 0)
		born(*text);
	return length;
}

void __wrap_free(void *block)
{
	if (block)
		died(block);
	__real_free(block);
}
