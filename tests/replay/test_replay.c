/* SPDX-License-Identifier: MIT */
/* Sessions recorded between a driver and a link of the tests, and played: the same results, and what strays is told. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/fault/scribe.h"
#include "tests/unit/folder.h"
#include "tests/unit/run.h"

static struct folder folder;
static char path[FOLDER_PATH], uri[FOLDER_PATH + 64];
static struct scribe scribe;
static const uint64_t frames[4] = {0x11, 0x8000000022, 0x33, 0x44};

static const char *print_uri(const char *before)
{
	snprintf(uri, sizeof(uri), "%s%s", before, path);
	return uri;
}

static void record(const char *board)
{
	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
	scribe_open(&scribe, print_uri(!strcmp(board, "bus") ? "scribe:bus,record=" : "scribe:bytes,record="));
}

static void replay(void)
{
	scribe_open(&scribe, print_uri("replay:file="));
	ck_assert(!scribe.is_open); /* there is no far end */
}

static int reset(void)
{
	return scribe.bus.ops->reset(scribe.bus.self, NMHAL_NEVER);
}

static int counter(const char *key, uint64_t *value)
{
	return scribe.bus.ops->counter(scribe.bus.self, key, value);
}

/* A session on a bus; played, it comes to the same. */
static void bus_session(void)
{
	struct nmhal_bus_info info = {0};
	uint32_t replies[4] = {1, 1, 1, 1};
	uint64_t value = 0;
	char text[512];

	scribe.bus.ops->info(scribe.bus.self, &info);
	ck_assert(info.max_frames == 77 && info.clock_hz == UINT64_C(5000000000) && !strcmp(info.serial, "F1"));
	assert_ok(reset());
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	ck_assert_uint_eq(replies[1], 0x22);
	assert_ok(scribe_spi(&scribe, frames, 2, NULL));
	scribe.accept = 2;
	assert_ok(scribe_events(&scribe, "1 2 3", text, sizeof(text)));
	ck_assert_str_eq(text, "2: 1 2");
	scribe.accept = 9;
	assert_ok(scribe_events(&scribe, "3", text, sizeof(text)));
	ck_assert_str_eq(text, "1: 3 idle");
	assert_ok(counter("cycles", &value));
	ck_assert_uint_eq(value, 10);
	ck_assert_int_eq(counter("sops", &value), NMHAL_E_UNSUPPORTED);
	scribe.fail_with = NMHAL_E_CANCELED;
	ck_assert_int_eq(scribe_spi(&scribe, frames, 1, replies), NMHAL_E_CANCELED);
	snprintf(text, sizeof(text), "%s: spi: fails as asked", nmhal_device_uri(scribe.dev)); /* that of this device */
	ck_assert_str_eq(nmhal_last_error(), text);
	assert_fails(NMHAL_E_CANCELED, "events: fails as asked", scribe_events(&scribe, "1 2", text, sizeof(text)));
	ck_assert_str_eq(text, "2: 1 2 idle");
	scribe.fail_with = NMHAL_E_GONE;
	assert_fails(NMHAL_E_GONE, "reset: fails as asked", reset());
	scribe.fail_with = NMHAL_OK;
}

START_TEST(a_bus_comes_to_the_same)
{
	record("bus");
	bus_session();
	scribe.bus.ops->interrupt(scribe.bus.self);
	ck_assert_uint_eq(scribe.interrupts, 1);
	scribe_expect(&scribe, "R S11,8000000022,33,44 S11,8000000022 E1,2 E3 S11 E1,2 R");
	scribe_close(&scribe);
	ck_assert_uint_eq(scribe_lines(&scribe, "\n"), 2); /* opened, closed */
	ck_assert_uint_eq(folder_count(&folder), 1);
	for (unsigned n = 0; n < 2; n++) {
		replay();
		bus_session();
		scribe_expect(&scribe, "");
		scribe_close(&scribe);
		ck_assert_uint_eq(scribe_lines(&scribe, "run.nmtrace: 11 operations of scribe:bus,record="), 1);
		ck_assert_uint_eq(scribe_lines(&scribe, "close: at"), 0);
	}
	folder_remove(&folder);
}
END_TEST

static void stream_session(void)
{
	struct nmhal_stream_info info = {0};
	char text[64];

	scribe.stream.ops->info(scribe.stream.self, &info);
	ck_assert(info.default_timeout_ms == 4321 && info.alignment == 1 && !strcmp(info.serial, "B1"));
	assert_ok(scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	assert_ok(scribe_send(&scribe, "ask"));
	scribe.chunks = (const char *const[]){"answer", "more", NULL};
	assert_ok(scribe_recv(&scribe, text, 4, 1000)); /* as it was chunked then */
	ck_assert_str_eq(text, "ans");
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "wer");
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	ck_assert_str_eq(text, "more");
	assert_fails(NMHAL_E_TIMEOUT, "receive: nothing by the deadline", scribe_recv(&scribe, text, 9, 1000));
	scribe.fail_with = NMHAL_E_ACCESS;
	assert_fails(NMHAL_E_ACCESS, "send: fails as asked", scribe_send(&scribe, "again"));
	assert_fails(NMHAL_E_ACCESS, "flush: fails", scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	scribe.fail_with = NMHAL_OK;
}

START_TEST(a_stream_comes_to_the_same)
{
	record("bytes");
	stream_session();
	scribe.stream.ops->interrupt(scribe.stream.self);
	ck_assert_uint_eq(scribe.interrupts, 1);
	scribe_close(&scribe);
	replay();
	stream_session();
	scribe_close(&scribe);
	/* Somebody else's board. */
	scribe_init(&scribe);
	assert_fails(NMHAL_E_NO_DEVICE, "run.nmtrace: is a trace of bytes", scribe_try(&scribe,
		print_uri("replay:packets,file=")));
	folder_remove(&folder);
}
END_TEST

/* The driver of the test does something else than the trace of bus_session() says. */
static void assert_strays(const char *text, int status)
{
	assert_fails(NMHAL_E_PROTOCOL, text, status);
	/* The first sentence is the one that matters; a driver may go on with something else. */
	assert_fails(NMHAL_E_PROTOCOL, "reset: ", reset());
	assert_fails(NMHAL_E_PROTOCOL, text, reset());
	scribe_close(&scribe);
}

START_TEST(who_strays_is_told)
{
	static const uint64_t others[4] = {0x11, 0x8000000022, 0x3B, 0x44};
	uint32_t replies[4];
	uint64_t value;
	char text[128];

	record("bus");
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	assert_ok(scribe_events(&scribe, "1 2 3", text, sizeof(text)));
	assert_ok(counter("cycles", &value));
	scribe_close(&scribe);

	replay();
	assert_strays(": expected spi, got reset", reset());
	replay();
	assert_strays("record 1 at offset ", scribe_events(&scribe, "1", text, sizeof(text)));
	replay();
	assert_strays("expected spi of 4 frames, got one of 3", scribe_spi(&scribe, frames, 3, replies));
	replay();
	assert_strays("expected spi with replies, got one without", scribe_spi(&scribe, frames, 4, NULL));
	replay();
	assert_strays("frame 2 of 4: expected 0x0000000033, got 0x000000003b", scribe_spi(&scribe, others, 4, replies));
	replay();
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	assert_strays("expected events of 3 inputs, got one of 2", scribe_events(&scribe, "1 2", text, sizeof(text)));
	replay();
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	assert_strays("input 1 of 3: expected index 1, address 0x002, idle_before 0, got 1, 0x07f, 0",
		scribe_events(&scribe, "1 7f 3", text, sizeof(text)));
	replay();
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	assert_ok(scribe_events(&scribe, "1 2 3", text, sizeof(text)));
	assert_strays("expected counter cycles, got sops", counter("sops", &value));
	replay();
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	assert_ok(scribe_events(&scribe, "1 2 3", text, sizeof(text)));
	assert_ok(counter("cycles", &value));
	assert_strays("record 4 at offset", reset()); /* close is there */
	/* Closing early is no failure, but worth a line. */
	replay();
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	scribe_close(&scribe);
	ck_assert_uint_eq(scribe_lines(&scribe, "close: at record 2 of the 4 in "), 1);
	folder_remove(&folder);
}
END_TEST

START_TEST(who_strays_on_a_stream_is_told)
{
	char text[64];

	record("bytes");
	scribe.chunks = (const char *const[]){"answer", NULL};
	assert_ok(scribe_send(&scribe, "question"));
	assert_ok(scribe_recv(&scribe, text, sizeof(text), 1000));
	scribe_close(&scribe);
	replay();
	assert_fails(NMHAL_E_PROTOCOL, "byte 3 of 8: expected 0x73, got 0x58", scribe_send(&scribe, "queXtion"));
	assert_fails(NMHAL_E_PROTOCOL, "run.nmtrace was left before: record 1 at", scribe_send(&scribe, "question"));
	scribe_close(&scribe);
	replay();
	assert_fails(NMHAL_E_PROTOCOL, "expected send of 8 bytes, got one of 5", scribe_send(&scribe, "quest"));
	scribe_close(&scribe);
	replay();
	assert_fails(NMHAL_E_PROTOCOL, "expected send, got flush",
		scribe.stream.ops->flush(scribe.stream.self, NMHAL_NEVER));
	scribe_close(&scribe);
	replay();
	assert_fails(NMHAL_E_PROTOCOL, "expected send, got receive of 63 bytes", scribe_recv(&scribe, text, 64, 1000));
	scribe_close(&scribe);
	replay();
	assert_ok(scribe_send(&scribe, "question"));
	assert_fails(NMHAL_E_PROTOCOL, "6 bytes came, got room for 5", scribe_recv(&scribe, text, 6, 1000));
	scribe_close(&scribe);
	folder_remove(&folder);
}
END_TEST

/* What a process that is killed leaves can be played up to there. */
START_TEST(a_recorder_that_is_killed)
{
	uint32_t replies[4];
	struct stat info;
	pid_t child;
	int status;

	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
	fflush(NULL);
	child = fork();
	if (!child) {
		scribe_open(&scribe, print_uri("scribe:bus,record="));
		assert_ok(reset());
		assert_ok(scribe_spi(&scribe, frames, 4, replies));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	replay();
	ck_assert_uint_eq(scribe_lines(&scribe, "the trace is not whole: it has no close, the recorder was ended"), 1);
	assert_ok(reset());
	assert_ok(scribe_spi(&scribe, frames, 4, replies));
	ck_assert_uint_eq(replies[3], 0x44);
	assert_fails(NMHAL_E_PROTOCOL, "nmtrace: it ends before reset, after 2 operations: it has no close", reset());
	scribe_close(&scribe);
	/* In the middle of a record. */
	ck_assert_int_eq(stat(path, &info), 0);
	ck_assert_int_eq(truncate(path, info.st_size - 1), 0);
	replay();
	assert_ok(reset());
	assert_fails(NMHAL_E_PROTOCOL, "ends before spi of 4 frames, after 1 operations: record 2 at offset",
		scribe_spi(&scribe, frames, 4, replies));
	assert_fails(NMHAL_E_PROTOCOL, "run.nmtrace was left before: it ends before spi", reset());
	scribe_close(&scribe);
	folder_remove(&folder);
}
END_TEST

static void assert_no_file(int status, const char *sentence, const char *text)
{
	scribe_init(&scribe);
	assert_fails(status, sentence, scribe_try(&scribe, text));
}

START_TEST(files_that_cannot_be_played)
{
	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
	assert_no_file(NMHAL_E_NO_DEVICE, "No such file", print_uri("replay:file="));
	assert_no_file(NMHAL_E_INVALID, "names no file; write replay:file=run.nmtrace", "replay:bus");
	assert_no_file(NMHAL_E_INVALID, "names no file", "replay:file=");
	assert_no_file(NMHAL_E_IO, "not a regular file", "replay:file=/dev/null");
	assert_no_file(NMHAL_E_IO, "not a regular file", "replay:bus,file=/tmp");
	folder_put(path, "", 0);
	assert_no_file(NMHAL_E_PROTOCOL, "run.nmtrace: is no trace: it does not begin with NMTRACE",
		print_uri("replay:file="));
	assert_no_file(NMHAL_E_PROTOCOL, "is no trace", print_uri("replay:bus,file="));
	folder_put(path, "NMTRACE\0\7\0\0\0", 12);
	assert_no_file(NMHAL_E_VERSION, "is a trace of version 7, this library reads version 1",
		print_uri("replay:file="));
	ck_assert_int_eq(chmod(path, 0), 0);
	ck_assert_int_eq(chmod(folder.path, 0755), 0);
	folder_as_nobody();
	assert_no_file(NMHAL_E_ACCESS, "Permission denied", print_uri("replay:file="));
	folder_as_before();
	folder_remove(&folder);
}
END_TEST

/*
 * Loss is seen by the operation whose record is lost, and by all after it; a failure of the far end is not hidden. The
 * part of a record that still found room is cut off again, so what is there can be played.
 */
START_TEST(a_file_that_cannot_grow)
{
	struct rlimit limit, before;
	uint64_t value = 0, done = 0;
	int limited;

	record("bus");
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	limited = setrlimit(RLIMIT_FSIZE, &limit); /* no assertion until it is lifted: Check writes to a file too */
	while (!limited && counter("cycles", &value) == NMHAL_OK)
		done++;
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	ck_assert_int_eq(limited, 0);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "run.nmtrace: File too large; the trace ends after "));
	ck_assert_uint_ge(done, 5);
	scribe.story[0] = '\0';
	assert_fails(NMHAL_E_IO, "an earlier record could not be written; the trace ends after ", reset());
	scribe_expect(&scribe, "R"); /* the board is reached all the same */
	scribe.fail_with = NMHAL_E_GONE;
	assert_fails(NMHAL_E_GONE, "reset: fails as asked", reset());
	ck_assert_uint_eq(scribe_lines(&scribe, "an earlier record could not be written"), 1);
	scribe_close(&scribe);
	replay();
	ck_assert_uint_eq(scribe_lines(&scribe, "not whole: it has no close, the recorder was ended"), 1);
	for (uint64_t n = 1; n <= done; n++) {
		assert_ok(counter("cycles", &value));
		ck_assert_uint_eq(value, 10 * n);
	}
	assert_fails(NMHAL_E_PROTOCOL, "it ends before counter cycles", counter("cycles", &value));
	scribe_close(&scribe);
	folder_remove(&folder);
}
END_TEST

START_TEST(the_file_of_a_recorder)
{
	char other[FOLDER_PATH], bad[FOLDER_PATH + 64];
	struct stat before, after;

	record("bus");
	assert_ok(reset());
	scribe_close(&scribe);
	ck_assert_int_eq(stat(path, &before), 0);
	assert_no_file(NMHAL_E_INVALID, "record= names no file", "scribe:bus,record=");
	assert_no_file(NMHAL_E_IO, "record=/dev/full: not a regular file", "scribe:bus,record=/dev/full");
	assert_no_file(NMHAL_E_IO, "create a file beside it: No such file or directory",
		"scribe:bus,record=/no/such/folder/x");
	/* A device that does not open leaves an old trace alone. */
	snprintf(bad, sizeof(bad), "scribe:bus,record=%s,fault=nonsense", path);
	assert_no_file(NMHAL_E_INVALID, "fault=nonsense", bad);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	/* One that opens replaces it, whole from the first moment on. */
	folder_file(&folder, "other", other);
	ck_assert_int_eq(link(path, other), 0);
	scribe_open(&scribe, print_uri("scribe:bus,record="));
	ck_assert_int_eq(stat(other, &after), 0);
	ck_assert_int_eq(after.st_size, before.st_size);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_gt(after.st_size, 100);
	scribe_close(&scribe);
	ck_assert_uint_eq(folder_count(&folder), 2);
	folder_remove(&folder);
}
END_TEST

/* The recorder stands next to the driver: injected faults are in the trace, and need not be injected again. */
START_TEST(faults_are_recorded)
{
	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
	scribe_open(&scribe, print_uri("scribe:bus,fault=io@2+gone@4,fault_seed=7,record="));
	for (unsigned played = 0; played < 2; played++) {
		assert_ok(reset());
		assert_fails(NMHAL_E_IO, "reset: injected fault: io at operation 2 (fault_seed=7)", reset());
		assert_ok(reset());
		assert_fails(NMHAL_E_GONE, "reset: injected fault: gone at operation 4 (fault_seed=7)", reset());
		assert_fails(NMHAL_E_GONE, "gone since operation 4", reset());
		scribe_close(&scribe);
		if (!played)
			replay();
	}
	folder_remove(&folder);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {a_bus_comes_to_the_same, a_stream_comes_to_the_same, who_strays_is_told,
		who_strays_on_a_stream_is_told, a_recorder_that_is_killed, files_that_cannot_be_played,
		a_file_that_cannot_grow, the_file_of_a_recorder, faults_are_recorded};

	return run_tests("replay", tests, sizeof(tests) / sizeof(*tests));
}
