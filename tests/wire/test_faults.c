/* SPDX-License-Identifier: MIT */
/*
 * A failure at every bus call of every operation, of each kind a bus may have: the call returns it, and the next one
 * works, after a reset has regained framing. The bus counts each frame sent without framing as a breach.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wirebus.h"

static struct wirebus bus;
static nmhal_context *ctx;

static void setup(void)
{
	wirebus_init(&bus);
	bus.max_frames = 64;
	ctx = wirebus_context();
}

static void teardown(void)
{
	nmhal_context_unref(ctx);
	wirebus_free(&bus);
}

static int8_t codes[256][256];
static struct nmhal_neuron neurons[256];

static int write_weights(nmhal_device *dev)
{
	const struct nmhal_program op = {.struct_size = sizeof(op),
		.region = {.row = 9, .col = 3, .rows = 5, .cols = 100}, .codes = codes, .row_stride = 256,
		.code_type = NMHAL_CODE_I8};

	return nmhal_program_weights(dev, &op, NULL);
}

static int write_cells(nmhal_device *dev)
{
	struct nmhal_cell cells[200];
	const struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 200};

	for (uint32_t n = 0; n < 200; n++)
		cells[n] = (struct nmhal_cell){0, 9 + n % 5, 3 + n / 5, codes[n % 5][n / 5]};
	return nmhal_program_weights(dev, &op, NULL);
}

static int read_weights(nmhal_device *dev)
{
	int8_t got[5][100];
	const struct nmhal_region region = {.row = 9, .col = 3, .rows = 5, .cols = 100};

	return nmhal_read_weights(dev, &region, got, 0, NMHAL_CODE_I8, 0);
}

static int set_neurons(nmhal_device *dev)
{
	return nmhal_set_neurons(dev, 0, 7, 50, neurons, 0);
}

static int get_neurons(nmhal_device *dev)
{
	struct nmhal_neuron got[50];

	return nmhal_get_neurons(dev, 0, 7, 50, got, 0);
}

static int reset_state(nmhal_device *dev)
{
	return nmhal_reset_state(dev, 0);
}

static int reset(nmhal_device *dev)
{
	return nmhal_device_reset(dev, 0);
}

static int run(nmhal_device *dev)
{
	struct nmhal_event in[30] = {{0}};
	const struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 30};

	for (size_t n = 0; n < 30; n++)
		in[n].address = (uint32_t)n;
	bus.accept = 10;
	return nmhal_run_spikes(dev, &op, NULL);
}

static int (*const operations[])(nmhal_device *) = {
	write_weights, write_cells, read_weights, set_neurons, get_neurons, reset_state, reset, run,
};
#define OPERATIONS (sizeof(operations) / sizeof(*operations))

static const int kinds[] = {NMHAL_E_IO, NMHAL_E_TIMEOUT, NMHAL_E_GONE};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* The operation failed as it should; a device that is gone stays so until it is opened again. */
static void check_failure(nmhal_device **dev, int status, int wanted)
{
	ck_assert_int_eq(status, wanted);
	if (wanted != NMHAL_E_TIMEOUT) /* a run tells what its deadline leaves behind */
		ck_assert_ptr_nonnull(strstr(nmhal_last_error(), "fails as planned"));
	if (wanted != NMHAL_E_GONE)
		return;
	ck_assert_int_eq(reset_state(*dev), NMHAL_E_GONE);
	nmhal_device_unref(*dev);
	ck_assert(bus.closed);
	*dev = wirebus_open(ctx, &bus);
}

/* After a failure everything works again: other settings reach the chip, and the memories hold what is written. */
static void check_device(nmhal_device *dev)
{
	int8_t got_codes[5][100];
	struct nmhal_neuron got[50];
	const struct nmhal_region region = {.row = 9, .col = 3, .rows = 5, .cols = 100};

	ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "max_neuron", 99), NMHAL_OK);
	ck_assert_int_eq(nmhal_attr_set_int(dev, "output_source", 1), NMHAL_OK);
	ck_assert_msg(reset_state(dev) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_msg(write_weights(dev) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_msg(set_neurons(dev) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert_int_eq(nmhal_read_weights(dev, &region, got_codes, 0, NMHAL_CODE_I8, 0), NMHAL_OK);
	for (size_t row = 0; row < 5; row++)
		ck_assert_mem_eq(got_codes[row], codes[row], 100);
	ck_assert_int_eq(nmhal_get_neurons(dev, 0, 7, 50, got, 0), NMHAL_OK);
	ck_assert_mem_eq(got, neurons, sizeof(got));
	ck_assert_msg(run(dev) == NMHAL_OK, "%s", nmhal_last_error());
	ck_assert(bus.gated);
	ck_assert_int_eq(bus.open_loop, 0);
	ck_assert_int_eq(bus.max_neur, 99);
	ck_assert_int_eq(bus.aer_src, 1);
}

static void fill(void)
{
	for (size_t n = 0; n < 65536; n++)
		codes[n / 256][n % 256] = (int8_t)((n * 5 + n / 256) % 16 - 8);
	for (int n = 0; n < 256; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 10 * n, .leak = n % 128, .potential = n - 128,
			.enabled = n & 1};
}

START_TEST(a_failure_at_every_call)
{
	int (*const operation)(nmhal_device *) = operations[(size_t)_i / KINDS];
	const int kind = kinds[(size_t)_i % KINDS];
	nmhal_device *dev = wirebus_open(ctx, &bus);
	size_t fail_at = 0;
	int status;

	fill();
	bus.fail_with = kind;
	do {
		ck_assert_int_eq(nmhal_device_reset(dev, 0), NMHAL_OK);
		ck_assert_int_eq(nmhal_attr_set_int(dev, "open_loop", 0), NMHAL_OK);
		wirebus_forget(&bus);
		bus.fail_at = fail_at++;
		status = operation(dev);
		bus.fail_at = SIZE_MAX;
		if (status != NMHAL_OK)
			check_failure(&dev, status, kind);
		check_device(dev);
	} while (status != NMHAL_OK);
	ck_assert_uint_ge(fail_at, 3); /* at least two calls failed */
	nmhal_device_unref(dev);
}
END_TEST

/* The region of write_weights(), with these codes on top of what is there. */
static int program(nmhal_device *dev, int8_t rows[5][100], uint32_t flags)
{
	const struct nmhal_program op = {.struct_size = sizeof(op),
		.region = {.row = 9, .col = 3, .rows = 5, .cols = 100}, .codes = rows, .code_type = NMHAL_CODE_I8,
		.flags = flags};

	return nmhal_program_weights(dev, &op, NULL);
}

static int program_verify_run(nmhal_device *dev, int8_t rows[5][100])
{
	int status = program(dev, rows, NMHAL_PROGRAM_VERIFY);

	if (status == NMHAL_OK)
		status = set_neurons(dev);
	return status == NMHAL_OK ? run(dev) : status;
}

/* The memory of the chip, not what anybody says of it, has these codes in the region. */
static void check_memory(int8_t rows[5][100])
{
	for (uint32_t row = 0; row < 5; row++)
		for (uint32_t col = 0; col < 100; col++) {
			uint32_t at = 3 + col;
			uint8_t byte = bus.synapse[(9 + row) << 5 | at >> 3][at >> 1 & 3];

			ck_assert_int_eq((at & 1 ? byte >> 4 : byte) & 0xF, rows[row][col] & 0xF);
		}
}

/*
 * What a broken call wrote is unknown to the library: ONLY_CHANGED reads it back, so that both the new codes and the
 * old ones come out whole. (Believing either, it would leave alone what the other half of the frames did.)
 */
START_TEST(a_retry_ends_in_the_codes_that_are_meant)
{
	const int kind = kinds[_i];
	nmhal_device *dev = wirebus_open(ctx, &bus);
	int8_t old[5][100], new[5][100];
	int status;

	fill();
	for (size_t n = 0; n < 500; n++) {
		new[n / 100][n % 100] = codes[n / 100][n % 100];
		old[n / 100][n % 100] = (int8_t)(-1 - codes[n / 100][n % 100]);
	}
	bus.fail_with = kind;
	for (size_t round = 0;; round++) { /* each failure twice: on to the new codes, back to the old ones */
		const size_t fail_at = round / 2;
		const bool back = round % 2;

		ck_assert_int_eq(program(dev, old, 0), NMHAL_OK);
		ck_assert_int_eq(program(dev, old, NMHAL_PROGRAM_ONLY_CHANGED), NMHAL_OK); /* now the rows are known */
		wirebus_forget(&bus);
		bus.fail_at = fail_at;
		status = program_verify_run(dev, new);
		bus.fail_at = SIZE_MAX;
		if (status == NMHAL_OK) {
			ck_assert_uint_ge(fail_at, 12); /* writes, read-back, neurons, run */
			break;
		}
		check_failure(&dev, status, kind);
		ck_assert_int_eq(program(dev, back ? old : new, NMHAL_PROGRAM_ONLY_CHANGED), NMHAL_OK);
		check_memory(back ? old : new);
	}
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(a_failure_while_opening)
{
	for (size_t fail_at = 0; fail_at < 2; fail_at++) {
		nmhal_device *dev;

		wirebus_forget(&bus);
		bus.fail_at = fail_at;
		ck_assert_int_eq(wirebus_try_open(ctx, &bus, &dev), NMHAL_E_IO);
		ck_assert_ptr_null(dev);
		ck_assert(bus.closed);
		bus.fail_at = SIZE_MAX;
	}
	wirebus_forget(&bus);
	nmhal_device_unref(wirebus_open(ctx, &bus));
}
END_TEST

START_TEST(close_after_a_failure_brings_the_chip_to_rest)
{
	nmhal_device *dev = wirebus_open(ctx, &bus);

	wirebus_forget(&bus);
	bus.fail_at = 0;
	ck_assert_int_eq(run(dev), NMHAL_E_IO);
	bus.fail_at = SIZE_MAX;
	wirebus_forget(&bus);
	nmhal_device_unref(dev);
	wirebus_expect(&bus, "R 0000000001 0000100001 0000200000 00003000ff");
	ck_assert(bus.closed);
}
END_TEST

START_TEST(close_on_a_dead_bus_ends)
{
	nmhal_device *dev = wirebus_open(ctx, &bus);

	wirebus_forget(&bus);
	bus.fail_at = 0;
	ck_assert_int_eq(set_neurons(dev), NMHAL_E_IO);
	bus.fail_at = 1;
	nmhal_device_unref(dev);
	ck_assert(bus.closed);
	bus.framed = true;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire faults");
	TCase *tcase = tcase_create("faults");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_failure_at_every_call, 0, (int)(OPERATIONS * KINDS));
	tcase_add_loop_test(tcase, a_retry_ends_in_the_codes_that_are_meant, 0, (int)KINDS);
	tcase_add_test(tcase, a_failure_while_opening);
	tcase_add_test(tcase, close_after_a_failure_brings_the_chip_to_rest);
	tcase_add_test(tcase, close_on_a_dead_bus_ends);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
