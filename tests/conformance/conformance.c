/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "conformance.h"

struct conformance conf;

void not_there(const char *test, const char *what)
{
	size_t length = strlen(test);

	/* Check calls the function of a test <test>_fn. */
	if (length > 3 && !strcmp(test + length - 3, "_fn"))
		length -= 3;
	printf("not there: %.*s: %s\n", (int)length, test, what);
	fflush(stdout);
	++*conf.absent;
}

void check_failure(int wanted, const char *word, int got)
{
	const char *sentence = nmhal_last_error();

	ck_assert_msg(got == wanted, "%s, expected %s (%s)", nmhal_status_name(got), nmhal_status_name(wanted),
		sentence);
	ck_assert_msg(strstr(sentence, word), "the sentence lacks '%s': %s", word, sentence);
}

static int refused_run(uint8_t kind, uint32_t flags)
{
	const struct nmhal_event in = {.kind = kind};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = &in, .in_count = 1, .flags = flags};

	return nmhal_run_spikes(conf.dev, &op, NULL);
}

static int refused_inference(uint32_t flags)
{
	int32_t codes[2] = {0};
	const struct nmhal_inference op = {.struct_size = sizeof(op), .region = {.rows = 1, .cols = 1}, .in = codes,
		.out = codes + 1, .batch = 1, .in_type = NMHAL_CODE_I32, .out_type = NMHAL_CODE_I32, .flags = flags};

	return nmhal_run_inference(conf.dev, &op);
}

static void check_cells_refused(void)
{
	const struct nmhal_cell_pulse pulse = {.struct_size = sizeof(pulse), .voltage_uv = 1, .pulses = 1};
	const struct nmhal_cell_ramp ramp = {.struct_size = sizeof(ramp), .kind = NMHAL_RAMP_SET, .max_pulses = 1};
	uint32_t conductance;
	const struct nmhal_conductance_read read = {.struct_size = sizeof(read), .region = {.rows = 1, .cols = 1},
		.conductance_ps = &conductance};
	struct nmhal_sweep_point point;
	const struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .points = 1, .out = &point};

	FAILS(NMHAL_E_UNSUPPORTED, "cells", nmhal_cell_pulse(conf.dev, &pulse, NULL));
	FAILS(NMHAL_E_UNSUPPORTED, "cells", nmhal_cell_ramp(conf.dev, &ramp, NULL));
	FAILS(NMHAL_E_UNSUPPORTED, "cells", nmhal_read_conductance(conf.dev, &read));
	FAILS(NMHAL_E_UNSUPPORTED, "cells", nmhal_cell_sweep(conf.dev, &sweep));
}

static void check_arming_refused(void)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};

	FAILS(NMHAL_E_UNSUPPORTED, "limits", nmhal_limits_get(conf.dev, &limits, 0));
	FAILS(NMHAL_E_UNSUPPORTED, "limits", nmhal_limits_set(conf.dev, &limits, 0));
	FAILS(NMHAL_E_UNSUPPORTED, "arming", nmhal_arm(conf.dev, 1, 0));
	FAILS(NMHAL_E_UNSUPPORTED, "arming", nmhal_disarm(conf.dev, 0));
	/* A board without arming may have lines to bring to rest. */
	if (nmhal_safe_state(conf.dev, 0) != NMHAL_OK)
		FAILS(NMHAL_E_UNSUPPORTED, "safe state", nmhal_safe_state(conf.dev, 0));
}

/* A feature that is not there is refused, by name. */
static void check_refused(uint64_t flag)
{
	struct nmhal_neuron neuron = {0};

	if (flag == NMHAL_CAN_NEURONS) {
		FAILS(NMHAL_E_UNSUPPORTED, "neurons", nmhal_set_neurons(conf.dev, 0, 0, 1, &neuron, 0));
		FAILS(NMHAL_E_UNSUPPORTED, "neurons", nmhal_get_neurons(conf.dev, 0, 0, 1, &neuron, 0));
	} else if (flag == NMHAL_CAN_RESET_STATE) {
		FAILS(NMHAL_E_UNSUPPORTED, "state", nmhal_reset_state(conf.dev, 0));
	} else if (flag == NMHAL_CAN_SPIKES) {
		FAILS(NMHAL_E_UNSUPPORTED, "spikes", refused_run(NMHAL_EVENT_SPIKE, 0));
	} else if (flag == NMHAL_CAN_LEAK_EVENTS) {
		FAILS(NMHAL_E_UNSUPPORTED, "leak", refused_run(NMHAL_EVENT_LEAK_ALL, 0));
		FAILS(NMHAL_E_UNSUPPORTED, "leak", refused_run(NMHAL_EVENT_SPIKE, NMHAL_RUN_LEAK_EACH_STEP));
	} else if (flag == NMHAL_CAN_VIRTUAL_EVENTS) {
		FAILS(NMHAL_E_UNSUPPORTED, "virtual", refused_run(NMHAL_EVENT_VIRTUAL, 0));
	} else if (flag == NMHAL_CAN_BACK_TO_BACK) {
		FAILS(NMHAL_E_UNSUPPORTED, "back", refused_run(NMHAL_EVENT_SPIKE, NMHAL_RUN_BACK_TO_BACK));
	} else if (flag == NMHAL_CAN_INFER) {
		FAILS(NMHAL_E_UNSUPPORTED, "inference", refused_inference(0));
	} else if (flag == NMHAL_CAN_INFER_TRANSPOSED) {
		FAILS(NMHAL_E_UNSUPPORTED, "transposed", refused_inference(NMHAL_INFER_TRANSPOSED));
	} else if (flag == NMHAL_CAN_INFER_BIT_SERIAL) {
		FAILS(NMHAL_E_UNSUPPORTED, "bit-serial", refused_inference(NMHAL_INFER_BIT_SERIAL));
	} else if (flag == NMHAL_CAN_CELLS) {
		check_cells_refused();
	} else if (flag == NMHAL_CAN_ARM) {
		check_arming_refused();
	} else if (flag == NMHAL_CAN_RESET) {
		FAILS(NMHAL_E_UNSUPPORTED, "reset", nmhal_device_reset(conf.dev, 0));
	}
}

static const struct {
	uint64_t flag;
	const char *name;
} features[] = {
	{NMHAL_CAN_NEURONS, "neurons"},
	{NMHAL_CAN_RESET_STATE, "reset of the state"},
	{NMHAL_CAN_SPIKES, "spikes"},
	{NMHAL_CAN_LEAK_EVENTS, "leak events"},
	{NMHAL_CAN_VIRTUAL_EVENTS, "virtual events"},
	{NMHAL_CAN_ATTRIBUTE, "attribution"},
	{NMHAL_CAN_ORDER, "order"},
	{NMHAL_CAN_BACK_TO_BACK, "back-to-back events"},
	{NMHAL_CAN_INFER, "inference"},
	{NMHAL_CAN_INFER_TRANSPOSED, "transposed inference"},
	{NMHAL_CAN_INFER_BIT_SERIAL, "bit-serial inference"},
	{NMHAL_CAN_CELLS, "single cells"},
	{NMHAL_CAN_ARM, "limits and arming"},
	{NMHAL_CAN_RESET, "reset"},
};

bool can(const char *test, uint64_t flags)
{
	uint64_t missing = flags & ~conf.caps.features;

	for (size_t n = 0; n < sizeof(features) / sizeof(*features); n++)
		if (missing & features[n].flag) {
			check_refused(features[n].flag);
			not_there(test, features[n].name);
			return false;
		}
	ck_assert_msg(!missing, "the suite asks for a feature it does not know");
	return true;
}

bool has_attr(const char *test, const char *key)
{
	int64_t value;

	for (size_t n = 0; n < nmhal_attr_count(conf.dev); n++) {
		struct nmhal_attr_info info = {.struct_size = sizeof(info)};

		OK(nmhal_attr_list(conf.dev, n, &info));
		if (!strcmp(info.key, key))
			return true;
	}
	FAILS(NMHAL_E_INVALID, key, nmhal_attr_get_int(conf.dev, key, &value));
	not_there(test, key);
	return false;
}

bool is_tinyodin(void)
{
	return !strcmp(conf.caps.board, "tinyodin");
}

bool has_state_file(void)
{
	return strstr(conf.uri, ",state=") != NULL;
}

static void open_device(size_t ring_events)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	const bool adds = conf.faults && !strstr(conf.uri, ",fault=");
	char faulty[1024];

	/* The same seed would hit the same operations of each test. */
	if (adds)
		snprintf(faulty, sizeof(faulty), "%s,fault=%s,fault_seed=%u", conf.uri, conf.faults, ++*conf.seed);
	params.spike_ring_events = ring_events;
	OK(nmhal_device_open(conf.ctx, adds ? faulty : conf.uri, &params, &conf.dev));
	ck_assert_ptr_nonnull(conf.dev);
	conf.caps = (struct nmhal_device_caps){.struct_size = sizeof(conf.caps)};
	OK(nmhal_device_caps(conf.dev, &conf.caps));
}

static void close_device(void)
{
	OK(nmhal_device_close(conf.dev));
	nmhal_device_unref(conf.dev);
	conf.dev = NULL;
}

void reopen(size_t ring_events)
{
	close_device();
	open_device(ring_events);
}

void write_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, const int8_t *codes)
{
	const struct nmhal_program op = {.struct_size = sizeof(op),
		.region = {.row = row, .col = col, .rows = rows, .cols = cols}, .codes = codes,
		.code_type = NMHAL_CODE_I8};

	OK(nmhal_program_weights(conf.dev, &op, NULL));
}

void read_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, int8_t *codes)
{
	const struct nmhal_region region = {.row = row, .col = col, .rows = rows, .cols = cols};

	OK(nmhal_read_weights(conf.dev, &region, codes, 0, NMHAL_CODE_I8, 0));
}

void check_code(int32_t got, int32_t wanted)
{
	if (abs(got - wanted) <= (int64_t)conf.caps.weight_tolerance)
		return;
	ck_assert_msg(conf.bad_cells, "a weight of %d reads %d, and the tolerance is %u", wanted, got,
		conf.caps.weight_tolerance);
	conf.bad_cells--;
}

void check_codes(const int8_t *got, const int8_t *wanted, size_t count)
{
	for (size_t n = 0; n < count; n++)
		check_code(got[n], wanted[n]);
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
		.out = outcome->out, .out_capacity = OUTPUTS, .timeout_ms = RUN_MS};
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
	ck_assert_msg(n == outcome->report.events_out, "%" PRIu64 " outputs, expected %s", outcome->report.events_out,
		wanted);
	ck_assert_uint_eq(outcome->report.events_lost, 0);
}

/* A device may come with memories and attributes of an earlier session. */
static void clear_device(void)
{
	int8_t *zeros = calloc(conf.caps.rows, conf.caps.cols);
	/* Analog cells are read quickly, and a write wears them. */
	const struct nmhal_program op = {.struct_size = sizeof(op), .codes = zeros, .code_type = NMHAL_CODE_I8,
		.flags = conf.caps.features & NMHAL_CAN_CELLS ? NMHAL_PROGRAM_ONLY_CHANGED : 0};

	ck_assert_ptr_nonnull(zeros);
	if (conf.caps.features & NMHAL_CAN_RESET)
		OK(nmhal_device_reset(conf.dev, 0));
	OK(nmhal_program_weights(conf.dev, &op, NULL));
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
	const char *bad_cells = getenv("NMHAL_TEST_BAD_CELLS");

	conf.bad_cells = bad_cells ? (unsigned)strtoul(bad_cells, NULL, 10) : 0;
	OK(nmhal_context_new(NULL, &conf.ctx));
	if (conformance_extend)
		OK(conformance_extend(conf.ctx));
	open_device(0);
	ck_assert_msg(conf.caps.rows >= 3 && conf.caps.cols >= 5, "the suite needs 3 rows and 5 columns");
	ck_assert_msg(conf.caps.weight_min <= -7 && conf.caps.weight_max >= 7 && conf.caps.weight_min >= INT8_MIN &&
			conf.caps.weight_max <= INT8_MAX, "the suite needs codes -7..7, and none beyond 8 bits");
	clear_device();
}

static void teardown(void)
{
	close_device();
	nmhal_context_unref(conf.ctx);
}

static SRunner *new_runner(void)
{
	TCase *(*const groups[])(void) = {weight_tests, neuron_tests, lif_tests, run_tests, stop_tests, ring_tests,
		device_tests, image_tests, inference_tests, cell_tests, safety_tests, sensor_tests};
	Suite *suite = suite_create("conformance");

	for (size_t n = 0; n < sizeof(groups) / sizeof(*groups); n++) {
		TCase *tcase = groups[n]();

		tcase_add_checked_fixture(tcase, setup, teardown);
		tcase_set_timeout(tcase, 60);
		suite_add_tcase(suite, tcase);
	}
	return srunner_create(suite);
}

int main(void)
{
	SRunner *runner;
	int failed;

	conf.uri = getenv("NMHAL_TEST_URI");
	if (!conf.uri || !*conf.uri) {
		fputs("NMHAL_TEST_URI names no device\n", stderr);
		return EXIT_FAILURE;
	}
	conf.absent = mmap(NULL, 2 * sizeof(*conf.absent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (conf.absent == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	conf.seed = conf.absent + 1;
	conf.faults = getenv("NMHAL_TEST_FAULTS");
	if (getenv("NMHAL_TEST_SEED"))
		*conf.seed = (unsigned)strtoul(getenv("NMHAL_TEST_SEED"), NULL, 10);
	printf("device: %s\n", conf.uri);
	fflush(stdout);
	runner = new_runner();
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	printf("%s: %d tests, %d failed, %u not there\n", conf.uri, srunner_ntests_run(runner), failed, *conf.absent);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
