/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: one program for every device, told its URI by $NMHAL_TEST_URI. It sees only the public header.
 * What a device lacks must be refused with UNSUPPORTED, and is said: "not there: <test>: <feature>".
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <check.h>
#include <stdbool.h>

#include <nmhal/nmhal.h>

/* The device of the test that runs: freshly opened, reset, weights zero, neurons silent. */
struct conformance {
	const char *uri;
	const char *faults; /* $NMHAL_TEST_FAULTS: put on the way to the device, a value of fault=; NULL: none */
	unsigned *absent; /* tests that found something not there, counted across processes */
	unsigned *seed;   /* of the faults of the last open, likewise; $NMHAL_TEST_SEED and up */
	nmhal_context *ctx;
	nmhal_device *dev;
	struct nmhal_device_caps caps;
	unsigned bad_cells; /* cells that may still be found bad */
};
extern struct conformance conf;

/*
 * May be defined in a file that is linked with the suite: adds a driver or link that is not part of the library to the
 * context of each test (docs/driver-howto.md).
 */
int conformance_extend(nmhal_context *ctx) __attribute__((weak));

/* Ends the test, saying why, when it is about something this device is not. */
#define NEED(condition, what)                      \
	do {                                       \
		if (!(condition)) {                \
			not_there(__func__, what); \
			return;                    \
		}                                  \
	} while (0)
/* Ends the test when the device lacks the features (NMHAL_CAN_*), after asserting that it refuses them. */
#define NEED_CAN(flags)                                    \
	do {                                               \
		if (!can(__func__, flags))                 \
			return;                            \
	} while (0)
#define NEED_ATTR(key)                                     \
	do {                                               \
		if (!has_attr(__func__, key))              \
			return;                            \
	} while (0)
/* Spikes through neurons whose arithmetic this suite knows. */
#define NEED_LIF()                                                                                \
	do {                                                                                      \
		NEED_CAN(NMHAL_CAN_SPIKES | NMHAL_CAN_NEURONS);                                   \
		NEED(conf.caps.neuron_model == NMHAL_NEURON_LIF_RESET_ZERO, "LIF neurons");       \
	} while (0)
#define OK(call) ck_assert_msg((call) == NMHAL_OK, "%s", nmhal_last_error())
/* The call fails with this status and a sentence that names the device and says `word`. */
#define FAILS(status, word, call) check_failure(status, word, call)

void not_there(const char *test, const char *what);
void check_failure(int wanted, const char *word, int got);
/* False, and said, when one of the features is not there; then the device has refused it. */
bool can(const char *test, uint64_t flags);
bool has_attr(const char *test, const char *key);
bool is_tinyodin(void);
bool has_state_file(void);

/* Closes the device under test and opens it anew; 0: a ring of the default size. */
void reopen(size_t ring_events);

void set_weight(uint32_t row, uint32_t col, int32_t code);
/* Writes and reads regions of int8 codes, dense. */
void write_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, const int8_t *codes);
void read_codes(uint32_t row, uint32_t col, uint32_t rows, uint32_t cols, int8_t *codes);
/*
 * Codes [count] that were read are those that were programmed, within the device's tolerance; but for as many cells in
 * all of a test as $NMHAL_TEST_BAD_CELLS says (default 0): the stuck cells of a board that is known to have some.
 */
void check_codes(const int8_t *got, const int8_t *wanted, size_t count);
void check_code(int32_t got, int32_t wanted);
void set_neuron(uint32_t index, int32_t threshold, int32_t leak, int32_t potential);
int32_t potential(uint32_t index);

struct nmhal_event spike(uint64_t step, uint32_t row);
struct nmhal_event event(uint64_t step, uint8_t kind, uint32_t address, int value);

/* Limits of the board under test. */
struct nmhal_limits board_limits(void);
/* A pulse on a cell of row 0 of core 0 that the board's limits allow and that needs arming. */
struct nmhal_cell_pulse allowed_pulse(uint32_t col);

#define RUN_MS 240000 /* time of a run: a board that shows outputs one by one needs it */
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
TCase *image_tests(void);
TCase *inference_tests(void);
TCase *cell_tests(void);
TCase *safety_tests(void);
TCase *sensor_tests(void);

#endif
