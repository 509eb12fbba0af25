/* SPDX-License-Identifier: MIT */
/*
 * A fault of each kind at each operation of a session on the emulator, and behind its virtual FT2232H: open, program
 * with VERIFY, neurons, run. Whatever goes wrong, a call ends with a documented status by its deadline, and a retry
 * ends in the intended image. What a call cannot notice on a bus without checksums is counted.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#define ROWS       4u
#define COLS       256u
#define EVENTS     24u
#define OUTPUTS    4096u
#define TIMEOUT_MS 100
#define RETRY_MS   1000 /* of a call that is not meant to fail */
#define LIMIT_MS   4000 /* of a session: 100 ms for each of its calls, and 1 s to bring the chip to rest */

static const char *const uris[] = {"sim:tinyodin", "sim:tinyodin,via=ftdi"};
#define URIS 2

static const char *const kinds[] = {"drop", "dup", "flip", "split", "delay", "timeout", "io", "gone"};
#define KINDS 8

static nmhal_context *ctx;
static int8_t codes[ROWS][COLS];
static struct nmhal_neuron neurons[COLS];
static struct nmhal_event in[EVENTS], wanted[OUTPUTS], out[OUTPUTS];
static size_t wanted_count;
static unsigned injected, operations; /* as the log tells */

static void look_at_log(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	(void)user;
	(void)level;
	(void)uri;
	injected += strstr(message, ": injected fault: ") != NULL;
	if (strstr(message, " faults injected in "))
		ck_assert_int_eq(sscanf(message, "%*u faults injected in %u", &operations), 1);
}

static void fill(void)
{
	for (unsigned n = 0; n < ROWS * COLS; n++)
		codes[n / COLS][n % COLS] = (int8_t)((n * 7 + n / 13) % 16 - 8);
	for (unsigned n = 0; n < COLS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 5 + (int32_t)n % 20, .enabled = 1};
	for (unsigned n = 0; n < EVENTS; n++)
		in[n] = (struct nmhal_event){.step = n / 4, .address = n % ROWS};
}

static void set_up(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;

	params.log_level = NMHAL_LOG_INFO;
	params.log = look_at_log;
	ck_assert_int_eq(nmhal_context_new(&params, &ctx), NMHAL_OK);
	fill();
}

static void tear_down(void)
{
	nmhal_context_unref(ctx);
}

static int open_device(const char *uri, nmhal_device **dev)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;

	params.timeout_ms = TIMEOUT_MS;
	return nmhal_device_open(ctx, uri, &params, dev);
}

static int program(nmhal_device *dev, int32_t timeout_ms)
{
	const struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = ROWS, .cols = COLS},
		.codes = codes, .code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_VERIFY, .timeout_ms = timeout_ms};

	return nmhal_program_weights(dev, &op, NULL);
}

static int run(nmhal_device *dev, size_t *count, int32_t timeout_ms)
{
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = EVENTS, .out = out,
		.out_capacity = OUTPUTS, .timeout_ms = timeout_ms};
	int status = nmhal_run_spikes(dev, &op, &report);

	*count = status == NMHAL_OK ? (size_t)report.events_out : 0;
	ck_assert_uint_le(*count, OUTPUTS);
	return status;
}

/* All of it on an open device. */
static int work(nmhal_device *dev, size_t *count, int32_t timeout_ms)
{
	int status = program(dev, timeout_ms);

	*count = 0;
	if (status == NMHAL_OK)
		status = nmhal_set_neurons(dev, 0, 0, COLS, neurons, timeout_ms);
	return status == NMHAL_OK ? run(dev, count, timeout_ms) : status;
}

static bool as_wanted(size_t count)
{
	return count == wanted_count && !memcmp(out, wanted, count * sizeof(*out));
}

/* What the chip holds in the region. */
static void check_image(nmhal_device *dev)
{
	const struct nmhal_region region = {.rows = ROWS, .cols = COLS};
	int8_t got[ROWS][COLS];

	ck_assert_msg(nmhal_read_weights(dev, &region, got, 0, NMHAL_CODE_I8, RETRY_MS) == NMHAL_OK, "%s",
		nmhal_last_error());
	ck_assert_mem_eq(got, codes, sizeof(codes));
}

static bool documented(int status)
{
	switch (status) {
	case NMHAL_OK:
	case NMHAL_E_TIMEOUT:
	case NMHAL_E_IO:
	case NMHAL_E_PROTOCOL:
	case NMHAL_E_VERIFY:
	case NMHAL_E_LIMIT:
	case NMHAL_E_STATE: /* a frame that opens the gate was lost: the emulator sees that */
	case NMHAL_E_GONE:
		return true;
	default:
		return false;
	}
}

/* After the fault, in the same session where there is one. A fault in the last operation is seen by the next call. */
static void retry(nmhal_device *dev, const char *uri, const char *what)
{
	size_t count;
	int status = dev ? work(dev, &count, RETRY_MS) : NMHAL_E_GONE;

	ck_assert_msg(documented(status), "%s: retry: %s: %s", what, nmhal_status_name(status), nmhal_last_error());
	if (status == NMHAL_E_GONE) {
		nmhal_device_unref(dev);
		ck_assert_msg(open_device(uri, &dev) == NMHAL_OK, "%s", nmhal_last_error());
	}
	if (status != NMHAL_OK || !as_wanted(count))
		ck_assert_int_eq(nmhal_reset_state(dev, RETRY_MS), NMHAL_OK);
	ck_assert_msg(work(dev, &count, RETRY_MS) == NMHAL_OK, "%s: retry: %s", what, nmhal_last_error());
	check_image(dev);
	nmhal_device_unref(dev);
}

/* One session that meets the fault; true if a run came out wrong and nobody was told. */
static bool session(const char *uri, const char *kind, unsigned at)
{
	char what[96];
	nmhal_device *dev = NULL;
	int64_t began = nmhal_now_ns();
	size_t count = 0;
	bool unnoticed;
	int status;

	snprintf(what, sizeof(what), "%s,fault=%s@%u,fault_seed=%u", uri, kind, at, at);
	injected = 0;
	status = open_device(what, &dev);
	if (status == NMHAL_OK)
		status = work(dev, &count, TIMEOUT_MS);
	ck_assert_msg(documented(status), "%s: %s: %s", what, nmhal_status_name(status), nmhal_last_error());
	ck_assert_msg(status == NMHAL_OK || injected, "%s: without a fault: %s", what, nmhal_last_error());
	ck_assert_msg(nmhal_now_ns() - began < LIMIT_MS * INT64_C(1000000), "%s: took too long", what);
	ck_assert_uint_le(injected, 1);
	unnoticed = status == NMHAL_OK && !as_wanted(count);
	retry(dev, uri, what);
	return unnoticed;
}

/* Operations of a session without a fault, whose outputs are the wanted ones. */
static unsigned count_operations(const char *uri)
{
	char counting[64];
	nmhal_device *dev;

	snprintf(counting, sizeof(counting), "%s,fault=io@1000000", uri);
	ck_assert_int_eq(open_device(counting, &dev), NMHAL_OK);
	ck_assert_msg(work(dev, &wanted_count, RETRY_MS) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_uint_ge(wanted_count, 100);
	memcpy(wanted, out, sizeof(out));
	check_image(dev);
	nmhal_device_unref(dev);
	ck_assert_uint_ge(operations, 8);
	return operations;
}

START_TEST(every_operation)
{
	const char *uri = uris[_i / KINDS], *kind = kinds[_i % KINDS];
	unsigned count = count_operations(uri), hits = 0, unnoticed = 0;

	for (unsigned at = 1; at <= count; at++) {
		unnoticed += session(uri, kind, at);
		hits += injected;
	}
	printf("%-22s %-8s %u operations, %u faults, %u runs changed unnoticed\n", uri, kind, count, hits, unnoticed);
	ck_assert_uint_ge(hits, 1);
	/* Only what changes data may pass: no frame or event of the chip has a checksum. */
	if (_i % KINDS > 2)
		ck_assert_uint_eq(unnoticed, 0);
}
END_TEST

/* Faults by chance: every call ends as documented, and the same seed ends alike. */
START_TEST(a_soak_that_can_be_repeated)
{
	char uri[128], stories[2][1024];

	for (unsigned round = 0; round < 8; round++) {
		char *story = stories[round % 2];
		nmhal_device *dev = NULL;
		size_t used = 0, count;

		snprintf(uri, sizeof(uri), "sim:tinyodin,fault=drop:0.05+flip:0.05+io:0.1+split:0.2,fault_seed=%u",
			round / 2);
		injected = 0;
		for (unsigned n = 0; n < 20; n++) {
			int status = dev ? work(dev, &count, TIMEOUT_MS) : open_device(uri, &dev);

			ck_assert_msg(documented(status), "%s: %s", uri, nmhal_last_error());
			used += (size_t)snprintf(story + used, sizeof(stories[0]) - used, "%d/%u ", status, injected);
			ck_assert_uint_lt(used, sizeof(stories[0]));
		}
		nmhal_device_unref(dev);
		ck_assert_uint_ge(injected, 20);
		if (round % 2)
			ck_assert_str_eq(stories[0], stories[1]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault sessions");
	TCase *tcase = tcase_create("sessions");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, every_operation, 0, URIS * KINDS);
	tcase_add_test(tcase, a_soak_that_can_be_repeated);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
