/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: one program for every device, told its URI by $NMHAL_TEST_URI. It sees only the public header.
 * What a device lacks is skipped, and said: "skip: <test>: no <feature>".
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <check.h>
#include <stdbool.h>

#include <nmhal/nmhal.h>

/* The device of the test that runs: freshly opened, weights zero, neurons silent, state reset. */
struct conformance {
	const char *uri;
	nmhal_context *ctx;
	nmhal_device *dev;
	struct nmhal_device_caps caps;
};
extern struct conformance conf;

/* Ends the test with a printed reason when the device lacks a feature. */
#define NEED(condition, feature)           \
	do {                               \
		if (!(condition)) {        \
			skip(__func__, feature); \
			return;            \
		}                          \
	} while (0)
#define NEED_CAN(flag, feature) NEED(conf.caps.features & (flag), "no " feature)
/* Spikes through neurons whose arithmetic this suite knows. */
#define NEED_LIF()                                                                         \
	do {                                                                               \
		NEED_CAN(NMHAL_CAN_SPIKES, "spikes");                                      \
		NEED_CAN(NMHAL_CAN_NEURONS, "neurons");                                    \
		NEED(conf.caps.neuron_model == NMHAL_NEURON_LIF_RESET_ZERO, "no LIF neurons"); \
	} while (0)
#define OK(call) ck_assert_msg((call) == NMHAL_OK, "%s", nmhal_last_error())
/* The call fails with this status and a sentence that names the device and says `word`. */
#define FAILS(status, word, call) check_failure(status, word, call)

void skip(const char *test, const char *reason);
void check_failure(int wanted, const char *word, int got);
bool is_tinyodin(void);
bool has_attr(const char *key);

/* Opens the device under test once more, or anew; fails the test when that fails. */
nmhal_device *open_device(size_t ring_events);

void set_weight(uint32_t row, uint32_t col, int32_t code);
/* Writes and reads regions of int8 codes, dense. */
void write_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, const int8_t *codes);
void read_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, int8_t *codes);
void set_neuron(uint32_t index, int32_t threshold, int32_t leak, int32_t potential);
int32_t potential(uint32_t index);

struct nmhal_event spike(uint64_t step, uint32_t row);
struct nmhal_event event(uint64_t step, uint8_t kind, uint32_t address, int value);

#define OUTPUTS 1024
/* A run with its outputs. */
struct outcome {
	struct nmhal_spike_run op;
	struct nmhal_spike_report report;
	struct nmhal_event out[OUTPUTS];
};
/* An outcome to be filled by run(): these events, the caller's buffer, defaults. */
void prepare(struct outcome *outcome, const struct nmhal_event *in, size_t count);
int run(struct outcome *outcome);
/* Runs, expects OK, and compares step and address of every output with wanted, "step:address step:address". */
void expect_run(struct outcome *outcome, const char *wanted);

TCase *weight_tests(void);
TCase *neuron_tests(void);
TCase *lif_tests(void);
TCase *run_tests(void);
TCase *stop_tests(void);
TCase *ring_tests(void);
TCase *device_tests(void);
TCase *inference_tests(void);

#endif
