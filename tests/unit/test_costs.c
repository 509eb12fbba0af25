/* SPDX-License-Identifier: MIT */
/*
 * What a synchronous call costs, counted and not timed: no system call, no allocation, no other thread. Each counter is
 * first shown something to count. Ends with 77 where a process may not trace its child.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nmhal/driver.h>

#include "tests/unit/wrap.h"

#define CALLS 200u

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static int reset_state(nmhal_device *dev)
{
	return nmhal_reset_state(dev, 0);
}

static int write_cell(nmhal_device *dev)
{
	static const int8_t code = 3;
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = &code, .code_type = NMHAL_CODE_I8,
		.region = {.row = 3, .col = 5, .rows = 1, .cols = 1}, .flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};

	return nmhal_program_weights(dev, &op, &report);
}

static int read_cell(nmhal_device *dev)
{
	const struct nmhal_region region = {.row = 3, .col = 5, .rows = 1, .cols = 1};
	int16_t code;

	return nmhal_read_weights(dev, &region, &code, 0, NMHAL_CODE_I16, 0);
}

static int infer(nmhal_device *dev)
{
	static const int8_t in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	int16_t out[8];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = 1,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I16};

	return nmhal_run_inference(dev, &op);
}

static int get_attr(nmhal_device *dev)
{
	int64_t value;

	return nmhal_attr_get_int(dev, "shift", &value);
}

static int get_caps(nmhal_device *dev)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};

	return nmhal_device_caps(dev, &caps);
}

/* Refused: also this is told without asking anybody. */
static int refused(nmhal_device *dev)
{
	return nmhal_set_neurons(dev, 0, 0, 1, NULL, 0) == NMHAL_E_UNSUPPORTED ? NMHAL_OK : NMHAL_E_INTERNAL;
}

static const struct {
	const char *name;
	int (*call)(nmhal_device *dev);
} calls[] = {
	{"nmhal_reset_state", reset_state},
	{"nmhal_program_weights", write_cell},
	{"nmhal_read_weights", read_cell},
	{"nmhal_run_inference", infer},
	{"nmhal_attr_get_int", get_attr},
	{"nmhal_device_caps", get_caps},
	{"a refused nmhal_set_neurons", refused},
};

/* What the controls call instead: one system call, one allocation. */
static int one_system_call(nmhal_device *dev)
{
	(void)dev;
	return syscall(SYS_gettid) > 0 ? NMHAL_OK : NMHAL_E_INTERNAL;
}

static int one_allocation(nmhal_device *dev)
{
	void *volatile block = malloc(16);

	(void)dev;
	free(block);
	return NMHAL_OK;
}

static int repeat(int (*call)(nmhal_device *dev), nmhal_device *dev)
{
	int status = NMHAL_OK;

	for (unsigned i = 0; !status && i < CALLS; i++)
		status = call(dev);
	return status;
}

static nmhal_device *open_null(nmhal_context **ctx)
{
	nmhal_device *dev;

	if (nmhal_context_new(NULL, ctx) || nmhal_device_open(*ctx, "null:", NULL, &dev)) {
		printf("null: %s\n", nmhal_last_error());
		exit(EXIT_FAILURE);
	}
	return dev;
}

/* ---- system calls: a child, stopped at each of them, between two that mark the beginning and the end ------------- */

/* Opens the device in the child: it does not survive a fork. */
static void be_traced(int (*call)(nmhal_device *dev))
{
	nmhal_context *ctx;
	nmhal_device *dev = open_null(&ctx);
	int status;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
	syscall(SYS_getppid);
	status = repeat(call, dev);
	syscall(SYS_getppid);
	_exit(status != NMHAL_OK);
}

/* Lets the child run to its next stop; the number of the system call it enters, or -1 at its end (*result). */
static long next_system_call(pid_t child, int *result)
{
	struct __ptrace_syscall_info info;

	do {
		if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) || waitpid(child, result, 0) != child)
			return -1;
		if (WIFEXITED(*result) || WIFSIGNALED(*result))
			return -1;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) < 0)
			return -1;
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY);
	return (long)info.entry.nr;
}

/* System calls of CALLS calls; -1: no tracing here, -2: a call failed. */
static long count_system_calls(int (*call)(nmhal_device *dev))
{
	unsigned marks = 0;
	long count = 0;
	int result = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		be_traced(call);
	if (child < 0 || waitpid(child, &result, 0) != child)
		return -1;
	if (!WIFSTOPPED(result) || ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		return -1;
	for (;;) {
		long number = next_system_call(child, &result);

		if (number < 0)
			break;
		if (number == SYS_getppid)
			marks++;
		else if (marks == 1)
			count++;
	}
	return marks == 2 && WIFEXITED(result) && !WEXITSTATUS(result) ? count : -2;
}

/* ---- allocations ------------------------------------------------------------------------------------------------- */

static long count_allocations(int (*call)(nmhal_device *dev))
{
	nmhal_context *ctx;
	nmhal_device *dev = open_null(&ctx);
	unsigned tried;
	int status;

	wrap_begin(0, false);
	status = repeat(call, dev);
	tried = wrap_end();
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return status ? -2 : (long)tried;
}

/* ---- threads: a board that notes who calls it -------------------------------------------------------------------- */

static pthread_t caller_seen;
static unsigned hops;

static void board_close(void *self)
{
	(void)self;
}

static int board_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->cores = caps->rows = caps->cols = 1;
	return NMHAL_OK;
}

static int board_write(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	(void)self;
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return NMHAL_OK;
}

static int board_read(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	*codes = 0;
	return board_write(self, region, codes, stride, deadline_ns);
}

static int board_reset_state(void *self, int64_t deadline_ns)
{
	(void)self;
	(void)deadline_ns;
	hops += !pthread_equal(pthread_self(), caller_seen);
	return NMHAL_OK;
}

static int board_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	static const struct nmhal_device_ops board_ops = {.struct_size = sizeof(board_ops), .close = board_close,
		.caps = board_caps, .write_weights = board_write, .read_weights = board_read,
		.reset_state = board_reset_state};

	(void)host;
	(void)uri;
	(void)bus;
	(void)stream;
	(void)deadline_ns;
	*ops = &board_ops;
	*self = NULL;
	return NMHAL_OK;
}

static void *repeat_elsewhere(void *dev)
{
	(void)repeat(reset_state, dev);
	return NULL;
}

/* Calls the board got on another thread than that of its caller; elsewhere: the control, all of them. */
static long count_hops(bool elsewhere)
{
	static const char *const boards[] = {"watcher", NULL};
	static const struct nmhal_driver driver = {.abi = NMHAL_DRIVER_ABI, .struct_size = sizeof(driver),
		.name = "watcher", .summary = "", .boards = boards, .scheme = "watcher", .open = board_open};
	nmhal_context *ctx;
	nmhal_device *dev;
	pthread_t thread;

	if (nmhal_context_new(NULL, &ctx) || nmhal_context_add_driver(ctx, &driver) ||
		nmhal_device_open(ctx, "watcher:", NULL, &dev))
		return -2;
	caller_seen = pthread_self();
	hops = 0;
	if (!elsewhere)
		(void)repeat(reset_state, dev);
	else if (!pthread_create(&thread, NULL, repeat_elsewhere, dev))
		pthread_join(thread, NULL);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return hops;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* One line; 1 if the number is wrong. */
static int expect(const char *name, const char *what, long count, long expected)
{
	bool good = count == expected;

	printf("%s: %s: %ld %s in %u calls, expected %ld%s\n", good ? "ok" : "FAILED", name, count, what, CALLS,
		expected, count == -2 ? " (-2: a call failed)" : "");
	return !good;
}

int main(void)
{
	long traced = count_system_calls(one_system_call);
	int failed = expect("control", "allocations", count_allocations(one_allocation), CALLS);

	failed += expect("control", "thread hops", count_hops(true), CALLS);
	failed += expect("nmhal_reset_state", "thread hops", count_hops(false), 0);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		failed += expect(calls[i].name, "allocations", count_allocations(calls[i].call), 0);
	if (traced != -1)
		failed += expect("control", "system calls", traced, CALLS);
	for (size_t i = 0; traced != -1 && i < sizeof(calls) / sizeof(*calls); i++)
		failed += expect(calls[i].name, "system calls", count_system_calls(calls[i].call), 0);
	if (failed)
		return EXIT_FAILURE;
	if (traced != -1)
		return EXIT_SUCCESS;
	printf("skip: system calls: this process may not trace its child\n");
	return 77;
}
