/* SPDX-License-Identifier: MIT */
/* `state=FILE`: loaded at open, locked, written back at close. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>

#include "tests/unit/board.h"
#include "tests/unit/folder.h"

/* A fake with its state in a file of a folder. */
struct stateful {
	struct fake fake;
	nmhal_context *ctx;
	struct folder folder;
	char path[FOLDER_PATH], lock_path[FOLDER_PATH + 8], uri[2 * FOLDER_PATH];
};

static void set_up(struct stateful *at)
{
	char extra[FOLDER_PATH + 16];

	fake_init(&at->fake, 1, 2, 3);
	at->ctx = fake_context();
	folder_make(&at->folder);
	folder_file(&at->folder, "state.h5", at->path);
	snprintf(at->lock_path, sizeof(at->lock_path), "%s.lock", at->path);
	snprintf(extra, sizeof(extra), ",state=%s", at->path);
	fake_uri(&at->fake, extra, at->uri);
}

static void tear_down(struct stateful *at)
{
	ck_assert(!at->fake.is_open);
	folder_remove(&at->folder);
	nmhal_context_unref(at->ctx);
}

static int open_it(struct stateful *at, nmhal_device **dev)
{
	return nmhal_device_open(at->ctx, at->uri, NULL, dev);
}

/* A state file with weight 5 at row 1, column 2, threshold 9 of neuron 1 and gain 33. */
static void write_state(struct stateful *at)
{
	nmhal_device *dev;

	assert_ok(open_it(at, &dev));
	*fake_code(&at->fake, 0, 1, 2) = 5;
	at->fake.neurons[1].threshold = 9;
	at->fake.attrs[0].integer = 33;
	assert_ok(nmhal_device_close(dev));
	nmhal_device_unref(dev);
	*fake_code(&at->fake, 0, 1, 2) = 0;
	at->fake.neurons[1].threshold = 0;
	at->fake.attrs[0].integer = 7;
}

START_TEST(kept_from_session_to_session)
{
	struct stateful at;
	nmhal_device *dev;

	set_up(&at);
	write_state(&at);
	ck_assert_uint_eq(folder_count(&at.folder), 1);
	assert_ok(open_it(&at, &dev));
	ck_assert_int_eq(*fake_code(&at.fake, 0, 1, 2), 5);
	ck_assert_int_eq(at.fake.neurons[1].threshold, 9);
	ck_assert_int_eq(at.fake.attrs[0].integer, 33);
	ck_assert_int_eq(access(at.lock_path, F_OK), 0);
	/* unref alone closes and writes, too. */
	*fake_code(&at.fake, 0, 1, 2) = -3;
	nmhal_device_unref(dev);
	ck_assert_int_ne(access(at.lock_path, F_OK), 0);
	assert_ok(open_it(&at, &dev));
	ck_assert_int_eq(*fake_code(&at.fake, 0, 1, 2), -3);
	nmhal_device_unref(dev);
	tear_down(&at);
}
END_TEST

START_TEST(second_open_is_told_who_has_it)
{
	struct stateful at;
	struct fake other;
	nmhal_device *dev, *second;
	char holder[64], uri[2 * FOLDER_PATH], extra[FOLDER_PATH + 16];

	set_up(&at);
	fake_init(&other, 1, 2, 3);
	assert_ok(open_it(&at, &dev));
	snprintf(holder, sizeof(holder), "it is held by process %ld (", (long)getpid());
	snprintf(extra, sizeof(extra), ",state=%s", at.path);
	assert_fails(NMHAL_E_BUSY, holder, nmhal_device_open(at.ctx, fake_uri(&other, extra, uri), NULL, &second));
	ck_assert_ptr_null(second);
	ck_assert(!other.is_open);
	nmhal_device_unref(dev);
	assert_ok(nmhal_device_open(at.ctx, uri, NULL, &second));
	nmhal_device_unref(second);
	tear_down(&at);
}
END_TEST

START_TEST(another_process_has_it)
{
	struct stateful at;
	nmhal_device *dev;
	char holder[64], byte;
	int ready[2];
	pid_t child;

	set_up(&at);
	ck_assert_int_eq(pipe(ready), 0);
	child = fork();
	if (!child) {
		int status = open_it(&at, &dev);

		if (!status && write(ready[1], "", 1) == 1)
			pause();
		_exit(status != 0);
	}
	ck_assert_int_gt(child, 0);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	snprintf(holder, sizeof(holder), "it is held by process %ld (", (long)child);
	assert_fails(NMHAL_E_BUSY, holder, open_it(&at, &dev));
	/* Its lock dies with it, though the file stays. */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	ck_assert_int_eq(access(at.lock_path, F_OK), 0);
	assert_ok(open_it(&at, &dev));
	nmhal_device_unref(dev);
	tear_down(&at);
}
END_TEST

START_TEST(holder_without_a_name)
{
	struct stateful at;
	nmhal_device *dev;
	int fd;

	set_up(&at);
	fd = open(at.lock_path, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	assert_fails(NMHAL_E_BUSY, "it is held by another process", open_it(&at, &dev));
	close(fd);
	tear_down(&at);
}
END_TEST

START_TEST(damaged_state_is_left_alone)
{
	struct stateful at;
	nmhal_device *dev;
	struct stat info;

	set_up(&at);
	folder_put(at.path, "no image", 8);
	assert_fails(NMHAL_E_PROTOCOL, "open state file: ", open_it(&at, &dev));
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "state.h5: read a chip image: not an HDF5 file"));
	ck_assert_ptr_null(dev);
	ck_assert_int_eq(stat(at.path, &info), 0);
	ck_assert_int_eq(info.st_size, 8);
	ck_assert_uint_eq(folder_count(&at.folder), 1);
	tear_down(&at);
}
END_TEST

START_TEST(state_that_does_not_fit)
{
	struct stateful at;
	nmhal_device *dev;

	set_up(&at);
	write_state(&at);
	at.fake.caps.weight_max = 4;
	assert_fails(NMHAL_E_INVALID, "weight 5 at row 1, column 2", open_it(&at, &dev));
	at.fake.caps.weight_max = 7;
	fake_fail_next(&at.fake, FAKE_WRITE_WEIGHTS, NMHAL_E_IO);
	assert_fails(NMHAL_E_IO, "fails as asked", open_it(&at, &dev));
	ck_assert_uint_eq(folder_count(&at.folder), 1);
	tear_down(&at);
}
END_TEST

START_TEST(bad_paths)
{
	struct stateful at;
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;

	set_up(&at);
	assert_fails(NMHAL_E_INVALID, "open state file: its name is empty",
		nmhal_device_open(at.ctx, fake_uri(&at.fake, ",state=", uri), NULL, &dev));
	assert_fails(NMHAL_E_IO, "open state file: /no/such/folder/f.lock: create: no such file",
		nmhal_device_open(at.ctx, fake_uri(&at.fake, ",state=/no/such/folder/f", uri), NULL, &dev));
	ck_assert_int_eq(chmod(at.folder.path, 0555), 0);
	folder_as_nobody();
	assert_fails(NMHAL_E_ACCESS, "state.h5.lock: create: permission denied", open_it(&at, &dev));
	folder_as_before();
	ck_assert_int_eq(chmod(at.folder.path, 0755), 0);
	/* A link in the place of the lock is not followed. */
	ck_assert_int_eq(symlink("/dev/null", at.lock_path), 0);
	assert_fails(NMHAL_E_IO, "state.h5.lock: create: ", open_it(&at, &dev));
	tear_down(&at);
}
END_TEST

struct lines {
	unsigned errors;
	char last[512];
};

static void count_errors(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct lines *lines = user;

	(void)uri;
	lines->errors += level == NMHAL_LOG_ERROR;
	snprintf(lines->last, sizeof(lines->last), "%s", message);
}

/* The device is closed all the same; close returns why, and unref, which cannot, logs it. */
START_TEST(state_that_cannot_be_written)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	struct lines lines = {0};
	struct stateful at;
	nmhal_device *dev;

	set_up(&at);
	nmhal_context_unref(at.ctx);
	params.drivers = "";
	params.log = count_errors;
	params.log_user = &lines;
	params.log_level = NMHAL_LOG_ERROR;
	assert_ok(nmhal_context_new(&params, &at.ctx));
	assert_ok(nmhal_context_add_driver(at.ctx, &fake_driver));
	for (int by_unref = 0; by_unref <= 1; by_unref++) {
		assert_ok(open_it(&at, &dev));
		folder_remove(&at.folder);
		if (!by_unref) {
			assert_fails(NMHAL_E_IO, "save state file: ", nmhal_device_close(dev));
			ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "create a temporary file beside it"));
			ck_assert(!at.fake.is_open);
			assert_ok(nmhal_device_close(dev));
		}
		nmhal_device_unref(dev);
		ck_assert(!at.fake.is_open);
		ck_assert_uint_eq(lines.errors, by_unref ? 1 : 0);
		ck_assert_int_eq(mkdir(at.folder.path, 0700), 0);
	}
	ck_assert_ptr_nonnull(strstr(lines.last, "save state file: "));
	tear_down(&at);
}
END_TEST

START_TEST(board_that_cannot_be_read_at_close)
{
	struct stateful at;
	nmhal_device *dev;

	set_up(&at);
	write_state(&at);
	for (int gone = 0; gone <= 1; gone++) {
		assert_ok(open_it(&at, &dev));
		*fake_code(&at.fake, 0, 1, 2) = 1;
		if (gone) {
			/* What is gone is not asked any more. */
			fake_fail_next(&at.fake, FAKE_RESET, NMHAL_E_GONE);
			ck_assert_int_eq(nmhal_device_reset(dev, 0), NMHAL_E_GONE);
		} else {
			fake_fail_next(&at.fake, FAKE_READ_WEIGHTS, NMHAL_E_TIMEOUT);
		}
		ck_assert_int_eq(nmhal_device_close(dev), gone ? NMHAL_OK : NMHAL_E_TIMEOUT);
		nmhal_device_unref(dev);
		/* The file is what it was. */
		assert_ok(open_it(&at, &dev));
		ck_assert_int_eq(*fake_code(&at.fake, 0, 1, 2), 5);
		nmhal_device_unref(dev);
	}
	tear_down(&at);
}
END_TEST

/* Threads that open and close one state file: only one has it at any time. */
struct contest {
	struct stateful *at;
	struct fake fake;
	pthread_t thread;
	atomic_uint *holders;
	unsigned won, busy, odd;
};

static void *contend(void *user)
{
	struct contest *contest = user;
	char uri[2 * FOLDER_PATH], extra[FOLDER_PATH + 16];
	nmhal_device *dev;

	snprintf(extra, sizeof(extra), ",state=%s", contest->at->path);
	fake_uri(&contest->fake, extra, uri);
	for (int i = 0; i < 40; i++) {
		int status = nmhal_device_open(contest->at->ctx, uri, NULL, &dev);

		if (status) {
			contest->busy += status == NMHAL_E_BUSY;
			contest->odd += status != NMHAL_E_BUSY;
			continue;
		}
		contest->won++;
		contest->odd += atomic_fetch_add(contest->holders, 1) != 0;
		atomic_fetch_sub(contest->holders, 1);
		nmhal_device_unref(dev);
	}
	return NULL;
}

START_TEST(one_holder_at_a_time)
{
	struct contest contests[3];
	atomic_uint holders = 0;
	struct stateful at;

	set_up(&at);
	for (size_t i = 0; i < 3; i++) {
		contests[i] = (struct contest){.at = &at, .holders = &holders};
		fake_init(&contests[i].fake, 1, 2, 3);
		ck_assert_int_eq(pthread_create(&contests[i].thread, NULL, contend, &contests[i]), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		pthread_join(contests[i].thread, NULL);
		ck_assert_uint_eq(contests[i].odd, 0);
		ck_assert_uint_eq(contests[i].won + contests[i].busy, 40);
	}
	ck_assert_uint_gt(contests[0].won + contests[1].won + contests[2].won, 0);
	ck_assert_uint_eq(folder_count(&at.folder), 1);
	tear_down(&at);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {kept_from_session_to_session, second_open_is_told_who_has_it,
		another_process_has_it, holder_without_a_name, damaged_state_is_left_alone, state_that_does_not_fit,
		bad_paths, state_that_cannot_be_written, board_that_cannot_be_read_at_close, one_holder_at_a_time};

	return run_tests("state", tests, sizeof(tests) / sizeof(*tests));
}
