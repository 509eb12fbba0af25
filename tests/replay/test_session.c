/* SPDX-License-Identifier: MIT */
/*
 * Whole sessions on tinyODIN (weights with VERIFY, neurons, a run), recorded on the emulator and played: the same
 * results. One trace is kept in data/ and held against the emulator of today.
 *
 * usage: test_replay_session TRACE          runs the tests
 *        test_replay_session record TRACE   makes TRACE anew, when what crosses the bus was meant to change
 */
#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nmhal/nmhal.h>

#include "tests/unit/folder.h"

#define ROWS    2u
#define COLS    6u
#define NEURONS 4u
#define OUTPUTS 512u
#define MOST    65536u

static const char *kept; /* the trace in data/ */
static nmhal_context *ctx;
static struct folder folder;
static char path[FOLDER_PATH];
static unsigned warnings;

/* What a session tells its caller. */
struct result {
	int status;
	int8_t codes[ROWS][COLS];
	struct nmhal_neuron neurons[NEURONS];
	uint64_t sops, cycles, count;
	struct nmhal_event out[OUTPUTS];
};

static void count_warnings(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	(void)user;
	(void)uri;
	(void)message;
	warnings += level <= NMHAL_LOG_WARN;
}

static int new_context(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;

	params.log_level = NMHAL_LOG_WARN;
	params.log = count_warnings;
	return nmhal_context_new(&params, &ctx);
}

static void set_up(void)
{
	ck_assert_int_eq(new_context(), NMHAL_OK);
	folder_make(&folder);
	folder_file(&folder, "run.nmtrace", path);
}

static void tear_down(void)
{
	folder_remove(&folder);
	nmhal_context_unref(ctx);
}

static int run(nmhal_device *dev, struct result *result)
{
	struct nmhal_event in[12] = {{.step = 0}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 12, .out = result->out,
		.out_capacity = OUTPUTS};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	int status;

	for (uint32_t n = 0; n < 12; n++)
		in[n] = (struct nmhal_event){.step = n / 3, .address = n % ROWS};
	status = nmhal_run_spikes(dev, &op, &report);
	result->sops = report.sops;
	result->cycles = report.cycles;
	result->count = report.events_out;
	return status;
}

static int work(nmhal_device *dev, struct result *result)
{
	static const int8_t codes[ROWS][COLS] = {{7, 6, 5, -1, -8, 0}, {1, 2, 3, 4, 5, 6}};
	const struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = ROWS, .cols = COLS},
		.codes = codes, .code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_neuron neurons[NEURONS];
	int status = nmhal_program_weights(dev, &op, NULL);

	for (int n = 0; n < (int)NEURONS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 5 + n, .leak = n, .enabled = 1};
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(dev, 0, 0, NEURONS, neurons, 0);
	if (status == NMHAL_OK)
		status = run(dev, result);
	if (status == NMHAL_OK)
		status = nmhal_get_neurons(dev, 0, 0, NEURONS, result->neurons, 0);
	return status == NMHAL_OK ? nmhal_read_weights(dev, &op.region, result->codes, 0, NMHAL_CODE_I8, 0) : status;
}

/* Opens, works, closes. */
static struct result session(const char *before, const char *file)
{
	struct result result = {.status = NMHAL_OK};
	char uri[FOLDER_PATH + 64];
	nmhal_device *dev;

	snprintf(uri, sizeof(uri), "%s%s", before, file);
	warnings = 0;
	result.status = nmhal_device_open(ctx, uri, NULL, &dev);
	if (result.status == NMHAL_OK)
		result.status = work(dev, &result);
	nmhal_device_unref(dev);
	return result;
}

static void assert_same(const struct result *one, const struct result *other)
{
	ck_assert_msg(one->status == NMHAL_OK && other->status == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_uint_ge(one->count, 6);
	ck_assert_mem_eq(one, other, sizeof(*one));
}

START_TEST(the_same_results)
{
	static const char *const uris[] = {"sim:tinyodin,record=", "sim:tinyodin,via=ftdi,record=",
		"sim:tinyodin,fault=split:0.5,fault_seed=3,record="};
	const struct result live = session("sim:tinyodin", "");

	for (size_t n = 0; n < sizeof(uris) / sizeof(*uris); n++) {
		const struct result recorded = session(uris[n], path), played = session("replay:file=", path),
				    named = session("replay:tinyodin,file=", path);

		assert_same(&recorded, &played);
		assert_same(&recorded, &named);
		ck_assert_uint_eq(warnings, 0);
		ck_assert_mem_eq(recorded.out, live.out, sizeof(live.out));
	}
}
END_TEST

START_TEST(the_trace_that_is_kept)
{
	const struct result live = session("sim:tinyodin", ""), played = session("replay:file=", kept);

	ck_assert_msg(played.status == NMHAL_OK,
		"%s\nIf what crosses the bus was meant to change, make it anew: test_replay_session record %s",
		nmhal_last_error(), kept);
	ck_assert_uint_eq(warnings, 0);
	assert_same(&live, &played);
}
END_TEST

static uint8_t bytes[MOST];

/* Copies the kept trace to path, and opens that. */
static int copy_kept(size_t *size)
{
	FILE *file = fopen(kept, "rb");
	int copy;

	ck_assert_ptr_nonnull(file);
	*size = fread(bytes, 1, MOST, file);
	fclose(file);
	ck_assert_uint_gt(*size, 100);
	ck_assert_uint_lt(*size, MOST);
	folder_put(path, bytes, *size);
	copy = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(copy, 0);
	return copy;
}

/* A session on path fails with a sentence, or the log has told that the trace is not whole. */
static void assert_told(void)
{
	struct result result = session("replay:file=", path);

	ck_assert_msg(result.status == NMHAL_E_PROTOCOL || result.status == NMHAL_E_VERSION ||
		      (result.status == NMHAL_OK && warnings == 1), "%s", nmhal_last_error());
}

START_TEST(cut_off_at_every_byte)
{
	size_t size;
	int copy = copy_kept(&size);

	while (size--) {
		ck_assert_int_eq(ftruncate(copy, (off_t)size), 0);
		assert_told();
	}
	close(copy);
}
END_TEST

START_TEST(a_bit_changed_in_every_byte)
{
	size_t size;
	int copy = copy_kept(&size);

	for (size_t n = 0; n < size; n++) {
		uint8_t changed = (uint8_t)(bytes[n] ^ 1u << n % 8);

		ck_assert_int_eq(pwrite(copy, &changed, 1, (off_t)n), 1);
		assert_told();
		ck_assert_int_eq(pwrite(copy, &bytes[n], 1, (off_t)n), 1);
	}
	close(copy);
}
END_TEST

/* Another driver, or another version of it. */
START_TEST(another_run)
{
	struct nmhal_event in[2] = {{.step = 0, .address = 9}, {.step = 1, .address = 1}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 2};
	const struct result recorded = session("sim:tinyodin,record=", path);
	char uri[FOLDER_PATH + 64];
	nmhal_device *dev;

	ck_assert_int_eq(recorded.status, NMHAL_OK);
	snprintf(uri, sizeof(uri), "replay:file=%s", path);
	ck_assert_int_eq(nmhal_device_open(ctx, uri, NULL, &dev), NMHAL_OK);
	ck_assert_int_eq(nmhal_run_spikes(dev, &op, NULL), NMHAL_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "expected "));
	ck_assert_int_eq(nmhal_device_reset(dev, 0), NMHAL_E_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "open it again to play it from the start"));
	nmhal_device_unref(dev);
	/* A trace is no board that could be found. */
	{
		nmhal_device_list *list;

		ck_assert_int_eq(nmhal_enumerate(ctx, "replay", &list), NMHAL_OK);
		ck_assert_uint_eq(nmhal_device_list_count(list), 0);
		nmhal_device_list_free(list);
	}
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("replay sessions");
	TCase *tcase = tcase_create("sessions");
	SRunner *runner;
	int failed;

	if (argc == 3 && !strcmp(argv[1], "record")) {
		failed = new_context();
		if (!failed)
			failed = session("sim:tinyodin,record=", argv[2]).status;
		if (failed)
			fprintf(stderr, "%s\n", nmhal_last_error());
		nmhal_context_unref(ctx);
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: %s [record] TRACE\n", argv[0]);
		return 2;
	}
	kept = argv[1];
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_same_results);
	tcase_add_test(tcase, the_trace_that_is_kept);
	tcase_add_test(tcase, cut_off_at_every_byte);
	tcase_add_test(tcase, a_bit_changed_in_every_byte);
	tcase_add_test(tcase, another_run);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
