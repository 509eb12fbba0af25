/* SPDX-License-Identifier: MIT */
/* Whole files: read at once, replaced at once, and what is said when that fails. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "hal/hal.h"
#include "tests/unit/folder.h"
#include "tests/unit/run.h"

START_TEST(errors_have_a_status)
{
	assert_fails(NMHAL_E_ACCESS, "f: open: permission denied", nm_file_error("f", "open", EACCES));
	assert_fails(NMHAL_E_ACCESS, "f: open: operation not permitted", nm_file_error("f", "open", EPERM));
	assert_fails(NMHAL_E_ACCESS, "read-only file system", nm_file_error("f", "open", EROFS));
	assert_fails(NMHAL_E_NO_MEMORY, "f: read: cannot allocate memory", nm_file_error("f", "read", ENOMEM));
	assert_fails(NMHAL_E_IO, "f: write: no space left on device", nm_file_error("f", "write", ENOSPC));
}
END_TEST

START_TEST(what_is_written_is_read)
{
	static const char first[] = "first content", second[] = "2nd";
	struct folder folder;
	char path[FOLDER_PATH];
	void *bytes;
	size_t size;

	folder_make(&folder);
	folder_file(&folder, "f", path);
	assert_ok(nm_file_replace(path, first, sizeof(first)));
	assert_ok(nm_file_read(path, sizeof(first), &bytes, &size));
	ck_assert_uint_eq(size, sizeof(first));
	ck_assert_mem_eq(bytes, first, size);
	free(bytes);
	assert_ok(nm_file_replace(path, second, sizeof(second)));
	assert_ok(nm_file_read(path, 100, &bytes, &size));
	ck_assert_str_eq(bytes, second);
	free(bytes);
	assert_ok(nm_file_replace(path, "", 0));
	assert_ok(nm_file_read(path, 100, &bytes, &size));
	ck_assert_uint_eq(size, 0);
	free(bytes);
	ck_assert_uint_eq(folder_count(&folder), 1);
	folder_remove(&folder);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	struct folder folder;
	char path[FOLDER_PATH];
	void *bytes;
	size_t size;

	folder_make(&folder);
	folder_file(&folder, "f", path);
	assert_fails(NMHAL_E_IO, "/f: open: no such file", nm_file_read(path, 100, &bytes, &size));
	folder_put(path, "12345", 5);
	assert_fails(NMHAL_E_PROTOCOL, "/f: read: file of 5 bytes: at most 4 are expected",
		nm_file_read(path, 4, &bytes, &size));
	ck_assert_int_eq(chmod(path, 0), 0);
	folder_as_nobody();
	assert_fails(NMHAL_E_ACCESS, "/f: open: permission denied", nm_file_read(path, 100, &bytes, &size));
	folder_as_before();
	assert_fails(NMHAL_E_IO, "open: not a regular file", nm_file_read(folder.path, 100, &bytes, &size));
	/* A FIFO without a writer is no reason to wait. */
	folder_file(&folder, "fifo", path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_fails(NMHAL_E_IO, "/fifo: open: not a regular file", nm_file_read(path, 100, &bytes, &size));
	folder_remove(&folder);
}
END_TEST

START_TEST(replacing_keeps_the_mode)
{
	struct folder folder;
	struct stat info;
	char path[FOLDER_PATH];

	folder_make(&folder);
	folder_file(&folder, "f", path);
	folder_put(path, "1", 1);
	ck_assert_int_eq(chmod(path, 0640), 0);
	assert_ok(nm_file_replace(path, "22", 2));
	ck_assert_int_eq(stat(path, &info), 0);
	ck_assert_uint_eq(info.st_mode & 0777, 0640);
	ck_assert_int_eq(info.st_size, 2);
	folder_remove(&folder);
}
END_TEST

START_TEST(files_that_cannot_be_replaced)
{
	struct folder folder;
	char path[FOLDER_PATH];

	folder_make(&folder);
	assert_fails(NMHAL_E_IO, "write: not a regular file", nm_file_replace(folder.path, "", 0));
	assert_fails(NMHAL_E_IO, "create a temporary file beside it: no such file",
		nm_file_replace(folder_file(&folder, "not/there", path), "", 0));
	folder_file(&folder, "f", path);
	ck_assert_int_eq(chmod(folder.path, 0555), 0);
	folder_as_nobody();
	assert_fails(NMHAL_E_ACCESS, "/f: create a temporary file beside it: permission denied",
		nm_file_replace(path, "", 0));
	folder_as_before();
	ck_assert_int_eq(chmod(folder.path, 0755), 0);
	ck_assert_uint_eq(folder_count(&folder), 0);
	folder_remove(&folder);
}
END_TEST

/* The disk is full: the old file stays whole, and nothing is left behind. */
START_TEST(failed_write_changes_nothing)
{
	const struct rlimit small = {1000, RLIM_INFINITY};
	struct folder folder;
	struct rlimit before;
	char path[FOLDER_PATH], large[5000] = "";
	void *bytes;
	size_t size;

	folder_make(&folder);
	folder_file(&folder, "f", path);
	folder_put(path, "old", 3);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_fails(NMHAL_E_IO, "/f: write: file too large", nm_file_replace(path, large, sizeof(large)));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert_uint_eq(folder_count(&folder), 1);
	assert_ok(nm_file_read(path, 100, &bytes, &size));
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(bytes, "old", 3);
	free(bytes);
	folder_remove(&folder);
}
END_TEST

START_TEST(names_of_temporary_files_may_be_taken)
{
	struct folder folder;
	char path[FOLDER_PATH], taken[FOLDER_PATH + 32];

	folder_make(&folder);
	folder_file(&folder, "f", path);
	for (int i = 0; i < 100; i++) {
		snprintf(taken, sizeof(taken), "%s.%ld-%d.tmp", path, (long)getpid(), i);
		folder_put(taken, "", 0);
		if (i == 0)
			assert_ok(nm_file_replace(path, "1", 1));
	}
	assert_fails(NMHAL_E_IO, "/f: create a temporary file beside it: file exists", nm_file_replace(path, "2", 1));
	ck_assert_uint_eq(folder_count(&folder), 101);
	folder_remove(&folder);
}
END_TEST

START_TEST(name_without_a_folder)
{
	struct folder folder;
	char path[FOLDER_PATH], before[FOLDER_PATH];

	folder_make(&folder);
	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(folder.path), 0);
	assert_ok(nm_file_replace("plain", "1", 1));
	ck_assert_int_eq(chdir(before), 0);
	ck_assert_int_eq(access(folder_file(&folder, "plain", path), R_OK), 0);
	folder_remove(&folder);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {errors_have_a_status, what_is_written_is_read, files_that_cannot_be_read,
		replacing_keeps_the_mode, files_that_cannot_be_replaced, failed_write_changes_nothing,
		names_of_temporary_files_may_be_taken, name_without_a_folder};

	return run_tests("file", tests, sizeof(tests) / sizeof(*tests));
}
