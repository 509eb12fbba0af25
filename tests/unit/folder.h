/* SPDX-License-Identifier: MIT */
/* A folder of its own for a test that needs files. */
#ifndef FOLDER_H
#define FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include <check.h>

#define FOLDER_PATH 256

struct folder {
	char path[64];
};

static inline void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/nmhal-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder->path));
}

/* Prints the path of a file of the folder to path[FOLDER_PATH]; returns path. */
static inline const char *folder_file(const struct folder *folder, const char *name, char *path)
{
	snprintf(path, FOLDER_PATH, "%s/%s", folder->path, name);
	return path;
}

/* Number of files; remove: and removes them. */
static inline unsigned folder_walk(const struct folder *folder, int remove_files)
{
	DIR *dir = opendir(folder->path);
	struct dirent *entry;
	char path[FOLDER_PATH + 256];
	unsigned files = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		files++;
		snprintf(path, sizeof(path), "%s/%s", folder->path, entry->d_name);
		if (remove_files)
			remove(path);
	}
	closedir(dir);
	return files;
}

static inline unsigned folder_count(const struct folder *folder)
{
	return folder_walk(folder, 0);
}

static inline void folder_remove(const struct folder *folder)
{
	folder_walk(folder, 1);
	ck_assert_int_eq(rmdir(folder->path), 0);
}

/* Writes a file at once, past what is tested. */
static inline void folder_put(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

/* From here on files of root that others may not touch are out of reach; root gets back with folder_as_before(). */
static inline void folder_as_nobody(void)
{
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
}

static inline void folder_as_before(void)
{
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}

#endif
