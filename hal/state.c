/* SPDX-License-Identifier: MIT */
/*
 * `state=FILE`: an emulated chip that keeps its content from session to session. FILE.lock, locked by flock(), says who
 * has it: nobody waits, and it goes away with its holder. It is removed while locked, so who locks a file must look
 * whether its name still leads to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hal/hal.h"

/* Close does not wait longer for the device to be read. */
#define SAVE_NS INT64_C(10000000000)

struct nm_state {
	char *path;
	char *lock_path;
	int fd;
};

static void free_state(struct nm_state *state)
{
	if (!state)
		return;
	free(state->path);
	free(state->lock_path);
	free(state);
}

static struct nm_state *new_state(const char *path)
{
	struct nm_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->fd = -1;
	state->path = strdup(path);
	if (asprintf(&state->lock_path, "%s.lock", path) < 0)
		state->lock_path = NULL;
	if (state->path && state->lock_path)
		return state;
	free_state(state);
	return NULL;
}

static int busy(struct nmhal_device *dev, const struct nm_state *state, int fd)
{
	char holder[64] = "";
	ssize_t got = pread(fd, holder, sizeof(holder) - 1, 0);

	holder[got > 0 ? got : 0] = '\0';
	holder[strcspn(holder, "\n")] = '\0';
	return nm_fail(dev->uri, NMHAL_E_BUSY, "open state file %s: it is held by %s", state->path,
		*holder ? holder : "another process");
}

/* Writes "process 1234 (nmhal-probe)" for who finds the file locked. */
static void sign(int fd)
{
	char name[32] = "?";
	int comm = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	if (comm >= 0) {
		ssize_t got = read(comm, name, sizeof(name) - 1);

		name[got > 0 ? got : 0] = '\0';
		name[strcspn(name, "\n")] = '\0';
		close(comm);
	}
	if (!ftruncate(fd, 0))
		(void)dprintf(fd, "process %ld (%s)\n", (long)getpid(), name);
}

/* True if the lock file's name still leads to fd. */
static bool still_there(const struct nm_state *state, int fd)
{
	struct stat ours, theirs;

	return !fstat(fd, &ours) && !stat(state->lock_path, &theirs) && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static int lock(struct nmhal_device *dev, struct nm_state *state)
{
	for (;;) {
		int fd = open(state->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		int status;

		if (fd < 0) {
			(void)nm_file_error(state->lock_path, "create", errno);
			status = errno == EACCES || errno == EPERM || errno == EROFS ? NMHAL_E_ACCESS : NMHAL_E_IO;
			return nm_fail(dev->uri, status, "open state file: %s", nmhal_last_error());
		}
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			status = errno == EWOULDBLOCK ? busy(dev, state, fd)
						      : nm_file_error(state->lock_path, "lock", errno);
			close(fd);
			return status;
		}
		if (still_there(state, fd)) {
			sign(fd);
			state->fd = fd;
			return NMHAL_OK;
		}
		close(fd);
	}
}

static void unlock(struct nm_state *state)
{
	if (state->fd < 0)
		return;
	(void)unlink(state->lock_path);
	close(state->fd);
}

static int load(struct nmhal_device *dev, const struct nm_state *state, int64_t deadline_ns)
{
	struct nmhal_program_report report = {0};
	nmhal_image *image;
	int status;

	if (access(state->path, F_OK) && errno == ENOENT)
		return NMHAL_OK;
	status = nmhal_image_load(state->path, &image);
	if (status)
		return nm_fail(dev->uri, status, "open state file: %s", nmhal_last_error());
	status = nm_image_program_locked(dev, image, 0, &report, deadline_ns);
	nmhal_image_free(image);
	return status;
}

int nm_state_open(struct nmhal_device *dev, const char *path, int64_t deadline_ns, struct nm_state **out)
{
	struct nm_state *state;
	int status = nm_image_files(path);

	*out = NULL;
	if (status)
		return status;
	if (!*path)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "open state file: its name is empty");
	state = new_state(path);
	if (!state)
		return nm_no_memory(dev->uri, "the name of the state file");
	status = lock(dev, state);
	if (!status)
		status = load(dev, state, deadline_ns);
	if (!status) {
		*out = state;
		return NMHAL_OK;
	}
	unlock(state);
	free_state(state);
	return status;
}

static int save_state(struct nmhal_device *dev, const struct nm_state *state)
{
	nmhal_image *image;
	int status = nm_image_capture_locked(dev, nmhal_now_ns() + SAVE_NS, &image);

	if (status)
		return status;
	status = nmhal_image_save(image, state->path);
	nmhal_image_free(image);
	return status ? nm_fail(dev->uri, status, "save state file: %s", nmhal_last_error()) : NMHAL_OK;
}

int nm_state_close(struct nmhal_device *dev, struct nm_state *state, bool save)
{
	int status = NMHAL_OK;

	if (!state)
		return NMHAL_OK;
	if (save)
		status = save_state(dev, state);
	unlock(state);
	free_state(state);
	return status;
}
