/* SPDX-License-Identifier: MIT */
/*
 * A usbfs for the real libusb: takes open(), close() and ioctl() of device nodes that a vusbd serves (node.h), and
 * passes all else on. Linked into a test program, or preloaded. What /proc shows of an open node is the name of a
 * memory file, which readlinkat() tells as the node's to those who share the vusbd.
 */
/* open() is to be itself here, not another name of open64(). */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "node.h"
#include "vusb.h"

#define EXPORT __attribute__((visibility("default")))
#define REAL(type, name) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

struct entry {
	struct entry *next;
	struct node *node;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *entries;

static int open_any(const char *name, const char *path, int flags, mode_t mode)
{
	struct entry *entry;
	struct node *node;
	int error = node_open(path, &node);

	if (error < 0)
		return REAL(int (*)(const char *, int, mode_t), name)(path, flags, mode);
	if (error) {
		errno = error;
		return -1;
	}
	entry = malloc(sizeof(*entry));
	if (!entry)
		abort();
	pthread_mutex_lock(&lock);
	*entry = (struct entry){entries, node};
	entries = entry;
	pthread_mutex_unlock(&lock);
	return node_fd(node);
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_any("open", path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return open_any("open64", path, flags, mode);
}

EXPORT int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
	return open_any("open", path, flags, 0);
}

EXPORT ssize_t readlinkat(int folder, const char *path, char *target, size_t size)
{
	ssize_t (*real)(int, const char *, char *, size_t) = REAL(ssize_t (*)(int, const char *, char *, size_t),
		"readlinkat");
	const char *directory = getenv(VUSB_ENV);
	char full[256] = "", head[128];
	size_t skip, length;

	snprintf(head, sizeof(head), "/memfd:%s", directory ? directory : "");
	skip = strlen(head);
	(void)!real(folder, path, full, sizeof(full) - 1);
	if (!directory || strncmp(full, head, skip) || strncmp(full + skip, NODE_PATHS, sizeof(NODE_PATHS) - 1))
		return real(folder, path, target, size);
	length = strcspn(full + skip, " "); /* before "(deleted)" */
	length = length < size ? length : size;
	memcpy(target, full + skip, length);
	return (ssize_t)length;
}

EXPORT int close(int fd)
{
	struct entry *found = NULL;

	pthread_mutex_lock(&lock);
	for (struct entry **at = &entries; *at; at = &(*at)->next)
		if (node_fd((*at)->node) == fd) {
			found = *at;
			*at = found->next;
			break;
		}
	pthread_mutex_unlock(&lock);
	if (found)
		node_close(found->node);
	free(found);
	return REAL(int (*)(int), "close")(fd);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct node *node = NULL;
	va_list args;
	void *arg;
	int result;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	pthread_mutex_lock(&lock);
	for (const struct entry *at = entries; at && !node; at = at->next)
		node = node_fd(at->node) == fd ? at->node : NULL;
	pthread_mutex_unlock(&lock);
	if (!node)
		return REAL(int (*)(int, unsigned long, void *), "ioctl")(fd, request, arg);
	result = node_ioctl(node, request, arg);
	if (result < 0)
		errno = -result;
	return result < 0 ? -1 : result;
}
