/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

struct conformance conf;

void skip(const char *test, const char *reason)
{
	printf("skip: %s: %s\n", test, reason);
}

void check_failure(int wanted, const char *word, int got)
{
	const char *sentence = nmhal_last_error();

	ck_assert_msg(got == wanted, "%s, expected %s (%s)", nmhal_status_name(got), nmhal_status_name(wanted), sentence);
	ck_assert_msg(strstr(sentence, word), "the sentence lacks '%s': %s", word, sentence);
}

bool is_tinyodin(void)
{
	return !strcmp(conf.caps.board, "tinyodin");
}

bool has_attr(const char *key)
{
	for (size_t n = 0; n < nmhal_attr_count(conf.dev); n++) {
		struct nmhal_attr_info info = {.struct_size = sizeof(info)};

		OK(nmhal_attr_list(conf.dev, n, &info));
		if (!strcmp(info.key, key))
			return true;
	}
	return false;
}

nmhal_device *open_device(size_t ring_events)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	nmhal_device *dev = NULL;

	params.spike_ring_events = ring_events;
	OK(nmhal_device_open(conf.ctx, conf.uri, &params, &dev));
	ck_assert_ptr_nonnull(dev);
	return dev;
}

void write_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, const int8_t *codes)
{
	const struct nmhal_program op = {.struct_size = sizeof(op),
		.region = {.row = row, .col = col, .rows = rows, .cols = cols}, .codes = codes, .code_type = NMHAL_CODE_I8};

	OK(nmhal_program_weights(conf.dev, &op, NULL));
}

void read_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, int8_t *codes)
{
	const struct nmhal_region region = {.row = row, .col = col, .rows = rows, .cols = cols};

	OK(nmhal_read_weights(conf.dev, &region, codes, 0, NMHAL_CODE_I8, 0));
}

void set_weight(uint32_t row, uint32_t col, int32_t code)
{
	const int8_t narrow = (int8_t)code;

	write_codes(row, col, 1, 1, &narrow);
}

void set_neuron(uint32_t index, int32_t threshold, int32_t leak, int32_t potential)
{
	const struct nmhal_neuron neuron = {.threshold = threshold, .leak = leak, .potential = potential, .enabled = 1};

	OK(nmhal_set_neurons(conf.dev, 0, index, 1, &neuron, 0));
}

int32_t potential(uint32_t index)
{
	struct nmhal_neuron neuron;

	OK(nmhal_get_neurons(conf.dev, 0, index, 1, &neuron, 0));
	return neuron.potential;
}

struct nmhal_event event(uint64_t step, uint8_t kind, uint32_t address, int value)
{
	return (struct nmhal_event){.step = step, .kind = kind, .address = address, .value = (int8_t)value};
}

struct nmhal_event spike(uint64_t step, uint32_t row)
{
	return event(step, NMHAL_EVENT_SPIKE, row, 0);
}

void prepare(struct outcome *outcome, const struct nmhal_event *in, size_t count)
{
	memset(outcome, 0, sizeof(*outcome));
	outcome->op = (struct nmhal_spike_run){.struct_size = sizeof(outcome->op), .in = in, .in_count = count,
		.out = outcome->out, .out_capacity = OUTPUTS};
	outcome->report.struct_size = sizeof(outcome->report);
}

int run(struct outcome *outcome)
{
	return nmhal_run_spikes(conf.dev, &outcome->op, &outcome->report);
}

void expect_run(struct outcome *outcome, const char *wanted)
{
	uint64_t n = 0;

	OK(run(outcome));
	for (const char *at = wanted; *at; n++) {
		char *end;
		uint64_t step = strtoull(at, &end, 10);
		uint32_t address = (uint32_t)strtoul(end + 1, &end, 10);

		ck_assert_msg(n < outcome->report.events_out, "%" PRIu64 " outputs, expected more: %s", n, wanted);
		ck_assert_msg(outcome->out[n].step == step && outcome->out[n].address == address,
			"output %" PRIu64 " is %" PRIu64 ":%" PRIu32 ", expected %s", n, outcome->out[n].step,
			outcome->out[n].address, wanted);
		at = end + strspn(end, " ");
	}
	ck_assert_msg(n == outcome->report.events_out, "%" PRIu64 " outputs, expected %s", outcome->report.events_out, wanted);
	ck_assert_uint_eq(outcome->report.events_lost, 0);
}

static void clear_memories(void)
{
	size_t cells = (size_t)conf.caps.rows * conf.caps.cols;
	int8_t *zeros = calloc(cells, 1);

	ck_assert_ptr_nonnull(zeros);
	write_codes(0, 0, 0, 0, zeros);
	free(zeros);
	if (conf.caps.features & NMHAL_CAN_NEURONS) {
		struct nmhal_neuron *neurons = calloc(conf.caps.cols, sizeof(*neurons));

		ck_assert_ptr_nonnull(neurons);
		for (uint32_t n = 0; n < conf.caps.cols; n++)
			neurons[n].threshold = conf.caps.threshold_max;
		OK(nmhal_set_neurons(conf.dev, 0, 0, conf.caps.cols, neurons, 0));
		free(neurons);
	}
	if (conf.caps.features & NMHAL_CAN_RESET_STATE)
		OK(nmhal_reset_state(conf.dev, 0));
}

static void setup(void)
{
	OK(nmhal_context_new(NULL, &conf.ctx));
	conf.dev = open_device(0);
	conf.caps.struct_size = sizeof(conf.caps);
	OK(nmhal_device_caps(conf.dev, &conf.caps));
	ck_assert_uint_ge(conf.caps.rows, 3);
	ck_assert_uint_ge(conf.caps.cols, 5);
	clear_memories();
}

static void teardown(void)
{
	nmhal_device_unref(conf.dev);
	nmhal_context_unref(conf.ctx);
}

int main(void)
{
	TCase *(*const groups[])(void) = {weight_tests, neuron_tests, lif_tests, run_tests, stop_tests, ring_tests,
		device_tests, inference_tests};
	Suite *suite = suite_create("conformance");
	SRunner *runner;
	int failed;

	conf.uri = getenv("NMHAL_TEST_URI");
	if (!conf.uri || !*conf.uri) {
		fputs("NMHAL_TEST_URI names no device\n", stderr);
		return EXIT_FAILURE;
	}
	printf("device: %s\n", conf.uri);
	for (size_t n = 0; n < sizeof(groups) / sizeof(*groups); n++) {
		TCase *tcase = groups[n]();

		tcase_add_checked_fixture(tcase, setup, teardown);
		tcase_set_timeout(tcase, 60);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
