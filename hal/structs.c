/* SPDX-License-Identifier: MIT */
/* The struct_size rules: how callers and libraries of different ages understand each other. */
#include <string.h>

#include "hal/hal.h"

/* A longer tail than this is no newer header but a struct_size that nobody set. */
#define MAX_TAIL 4096u

static int check_range(size_t theirs, size_t known, size_t oldest, const void *src, const char *name)
{
	if (!src)
		return nm_fail(NULL, NMHAL_E_INVALID, "%s: is NULL", name);
	if (theirs < oldest)
		return nm_fail(NULL, NMHAL_E_INVALID, "%s: struct_size is %zu, must be at least %zu; set it to sizeof",
			name, theirs, oldest);
	if (theirs > known + MAX_TAIL)
		return nm_fail(NULL, NMHAL_E_INVALID, "%s: struct_size is %zu, expected %zu; set it to sizeof", name,
			theirs, known);
	return NMHAL_OK;
}

int nm_check_size(size_t theirs, size_t known, size_t oldest, const void *src, const char *name)
{
	const unsigned char *bytes = src;
	int status = check_range(theirs, known, oldest, src, name);

	for (size_t i = known; !status && i < theirs; i++) {
		if (bytes[i])
			status = nm_fail(NULL, NMHAL_E_VERSION,
				"%s: byte %zu is set, this library knows %zu bytes; it is older than the caller's "
				"header",
				name, i, known);
	}
	return status;
}

int nm_copy_in(void *dst, size_t known, size_t oldest, const void *src, const char *name)
{
	size_t theirs = 0;
	int status;

	if (src)
		memcpy(&theirs, src, sizeof theirs);
	status = nm_check_size(theirs, known, oldest, src, name);
	if (status)
		return status;
	memset(dst, 0, known);
	memcpy(dst, src, theirs < known ? theirs : known);
	return NMHAL_OK;
}

int nm_check_out(const void *dst, size_t known, size_t oldest, const char *name)
{
	size_t theirs = 0;

	if (dst)
		memcpy(&theirs, dst, sizeof theirs);
	return check_range(theirs, known, oldest, dst, name);
}

int nm_copy_out(void *dst, size_t known, size_t oldest, const void *src, const char *name)
{
	unsigned char *bytes = dst;
	size_t theirs;
	int status = nm_check_out(dst, known, oldest, name);

	if (status)
		return status;
	memcpy(&theirs, dst, sizeof theirs);
	memcpy(dst, src, theirs < known ? theirs : known);
	memcpy(dst, &theirs, sizeof theirs);
	if (theirs > known)
		memset(bytes + known, 0, theirs - known);
	return NMHAL_OK;
}
