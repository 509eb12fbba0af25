/* SPDX-License-Identifier: MIT */
/* Whole files: read at once, replaced at once. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/hal.h"

int nm_file_error(const char *path, const char *what, int error)
{
	char room[128];
	const char *text = strerror_r(error, room, sizeof(room));
	int status = NMHAL_E_IO;

	if (error == EACCES || error == EPERM || error == EROFS)
		status = NMHAL_E_ACCESS;
	else if (error == ENOMEM)
		status = NMHAL_E_NO_MEMORY;
	return nm_fail(path, status, "%s: %c%s", what, tolower((unsigned char)*text), text + 1);
}

static int read_all(const char *path, int fd, size_t expected, void **bytes, size_t *size)
{
	char *room = malloc(expected ? expected : 1);
	size_t used = 0;

	if (!room)
		return nm_no_memory(path, "the content of the file");
	while (used < expected) {
		ssize_t got = read(fd, room + used, expected - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int status = nm_file_error(path, "read", errno);

			free(room);
			return status;
		}
		if (!got)
			break;
		used += (size_t)got;
	}
	*bytes = room;
	*size = used;
	return NMHAL_OK;
}

int nm_file_read(const char *path, size_t limit, void **bytes, size_t *size)
{
	struct stat info;
	int status;
	/* Not blocking: opening a FIFO would wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return nm_file_error(path, "open", errno);
	if (fstat(fd, &info))
		status = nm_file_error(path, "open", errno);
	else if (!S_ISREG(info.st_mode))
		status = nm_fail(path, NMHAL_E_IO, "open: not a regular file");
	else if ((uint64_t)info.st_size > limit)
		status = nm_fail(path, NMHAL_E_PROTOCOL, "read: file of %lld bytes: at most %zu are expected",
			(long long)info.st_size, limit);
	else
		status = read_all(path, fd, (size_t)info.st_size, bytes, size);
	close(fd);
	return status;
}

/* Creates a file beside path that nobody else has; its name goes to *name, to be freed. */
static int create_beside(const char *path, char **name, int *fd)
{
	for (unsigned attempt = 0; attempt < 100; attempt++) {
		if (asprintf(name, "%s.%ld-%u.tmp", path, (long)getpid(), attempt) < 0) {
			*name = NULL;
			return nm_no_memory(path, "the name of a temporary file");
		}
		*fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (*fd >= 0)
			return NMHAL_OK;
		free(*name);
		*name = NULL;
		if (errno != EEXIST)
			break;
	}
	return nm_file_error(path, "create a temporary file beside it", errno);
}

static int write_all(const char *path, int fd, const void *bytes, size_t size)
{
	const char *next = bytes;

	while (size) {
		ssize_t put = write(fd, next, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return nm_file_error(path, "write", errno);
		next += put;
		size -= (size_t)put;
	}
	return fsync(fd) ? nm_file_error(path, "write", errno) : NMHAL_OK;
}

/* So that the new name survives a power cut; a file system that cannot do it keeps its own promise. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

int nm_file_replace(const char *path, const void *bytes, size_t size)
{
	struct stat old;
	bool exists = !stat(path, &old);
	char *name;
	int fd = -1;
	int status;

	if (exists && !S_ISREG(old.st_mode))
		return nm_fail(path, NMHAL_E_IO, "write: not a regular file");
	status = create_beside(path, &name, &fd);
	if (status)
		return status;
	if (exists)
		(void)fchmod(fd, old.st_mode & 0777);
	status = write_all(path, fd, bytes, size);
	if (close(fd) && !status)
		status = nm_file_error(path, "write", errno);
	if (!status && rename(name, path))
		status = nm_file_error(path, "rename the new file to it", errno);
	if (status)
		(void)unlink(name);
	else
		sync_folder(path);
	free(name);
	return status;
}
