/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system.h"

void system_read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/* Whether a process has the node among its files. */
static bool has_open(const char *process, const char *node)
{
	char path[320], target[256];
	struct dirent *entry;
	bool found = false;
	DIR *files;

	snprintf(path, sizeof(path), "/proc/%s/fd", process);
	files = opendir(path);
	while (files && !found && (entry = readdir(files))) {
		ssize_t length = readlinkat(dirfd(files), entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		found = !strcmp(target, node);
	}
	if (files)
		closedir(files);
	return found;
}

/* Whether a process is the far end of a pseudo-terminal, which keeps the near end open too: hardly who holds it. */
static bool serves(const char *process, const char *node)
{
	return !strncmp(node, "/dev/pts/", 9) && (has_open(process, "/dev/ptmx") || has_open(process, "/dev/pts/ptmx"));
}

bool system_holder(const char *node, char text[SYSTEM_HOLDER_SIZE])
{
	char path[320], command[32];
	struct dirent *entry;
	bool found = false, sure = false;
	DIR *processes = opendir("/proc");

	while (processes && !sure && (entry = readdir(processes))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !has_open(entry->d_name, node))
			continue;
		found = true;
		sure = !serves(entry->d_name, node);
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		system_read_line(path, command, sizeof(command));
		snprintf(text, SYSTEM_HOLDER_SIZE, "process %.16s (%s)", entry->d_name, command);
	}
	if (processes)
		closedir(processes);
	return found;
}

void system_print_value(char *to, size_t size, const char *value)
{
	for (size_t used = 0; *value && used + 4 < size; value++) {
		bool plain = *value > ' ' && *value < 0x7F && *value != ',' && *value != '%';

		used += (size_t)snprintf(to + used, size - used, plain ? "%c" : "%%%02X", (unsigned char)*value);
	}
}
