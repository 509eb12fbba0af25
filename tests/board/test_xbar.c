/* SPDX-License-Identifier: MIT */
/* Crossbar boards through frames, against the same model used directly. */
#include <stdlib.h>
#include <string.h>

#include "tests/board/host.h"

/* A board and a model of its own with the same options. */
struct pair {
	struct host *host;
	const struct xbar_profile *profile;
	struct xbar *model;
	unsigned rows, cols;      /* of the part that is used: a frame holds it */
	int8_t *codes;            /* [rows][cols] */
};

struct variant {
	const char *board, *options, *noise;
	uint64_t seed;
	bool full;
};
static const struct variant variants[] = {
	{"xbar8", "", "off", 0, false},
	{"xbar64", "seed=7", "off", 7, false},
	{"xbar256", "seed=7,inputs=full", "off", 7, true},
	{"xbar1024", "seed=1,threads=2", "off", 1, false},
	{"xbar64", "seed=7,noise=pcm", "pcm", 7, false},
	{"xbar256", "seed=9,noise=wan2022,simd=off", "wan2022", 9, false},
	{"xbar8", "seed=7,noise=read+stuck+adc+irdrop", "read+stuck+adc+irdrop", 7, false},
};
#define VARIANTS ((int)(sizeof(variants) / sizeof(variants[0])))
#define USE      41u

static struct pair pair_new(const struct variant *variant)
{
	struct xbar_options options = {.seed = variant->seed, .full_inputs = variant->full};
	struct pair pair = {.host = host_new(variant->board, variant->options),
		.profile = xbar_profile_find(variant->board)};
	char error[XBAR_NOISE_ERROR_SIZE];

	ck_assert(xbar_options_parse(variant->noise, &options, error));
	pair.model = xbar_new(pair.profile, &options);
	ck_assert_ptr_nonnull(pair.model);
	pair.rows = pair.profile->rows < 200 ? pair.profile->rows : 200;
	pair.cols = pair.profile->cols < 256 ? pair.profile->cols : 256;
	pair.codes = malloc((size_t)pair.rows * pair.cols);
	ck_assert_ptr_nonnull(pair.codes);
	host_codes(3, pair.codes, (size_t)pair.rows * pair.cols, pair.profile->weight_max);
	return pair;
}

static void pair_free(struct pair *pair)
{
	host_free(pair->host);
	xbar_free(pair->model);
	free(pair->codes);
}

static unsigned last_tile(const struct pair *pair)
{
	return pair->profile->tiles - 1;
}

static struct xbar_region all_of(const struct pair *pair)
{
	return (struct xbar_region){last_tile(pair), 0, 0, pair->rows, pair->cols};
}

/* Programs both with the same codes. */
static void program(struct pair *pair)
{
	const struct xbar_region region = all_of(pair);
	const size_t size = (size_t)pair->rows * pair->cols;

	ck_assert_int_eq(host_call(pair->host, write, WRITE, pair->codes, size, .tile = (uint16_t)last_tile(pair),
		.rows = (uint16_t)pair->rows, .cols = (uint16_t)pair->cols), NMLINK_OK);
	ck_assert(xbar_write(pair->model, &region, pair->codes));
}

static void read_back(struct pair *pair)
{
	const struct xbar_region region = all_of(pair);
	const size_t size = (size_t)pair->rows * pair->cols;
	int8_t *expected = malloc(size);

	ck_assert_int_eq(host_call(pair->host, read, READ, NULL, 0, .tile = (uint16_t)last_tile(pair),
		.rows = (uint16_t)pair->rows, .cols = (uint16_t)pair->cols, .use = USE), NMLINK_OK);
	xbar_read(pair->model, &region, USE, expected);
	ck_assert_uint_eq(pair->host->header.size, size);
	ck_assert_mem_eq(pair->host->payload, expected, size);
	free(expected);
}

START_TEST(weights_are_those_of_the_model)
{
	struct pair pair = pair_new(&variants[_i]);
	const struct nmlink_cell_record up = {.row = 1, .col = 2, .code = 3}, far = {.row = 7, .col = 7, .code = 1000};
	uint8_t cells[2 * NMLINK_SIZE_cell_record];
	struct nmlink_add_cells_reply reply;
	unsigned clamped;

	program(&pair);
	read_back(&pair);
	nmlink_put_cell_record(nmlink_put_cell_record(cells, &up), &far);
	ck_assert_int_eq(host_call(pair.host, add_cells, ADD_CELLS, cells, sizeof(cells),
		.tile = (uint16_t)last_tile(&pair)), NMLINK_OK);
	clamped = !xbar_add(pair.model, last_tile(&pair), up.row, up.col, up.code);
	clamped += !xbar_add(pair.model, last_tile(&pair), far.row, far.col, far.code);
	host_reply(pair.host, add_cells, &reply);
	ck_assert_uint_eq(reply.saturated, clamped);
	read_back(&pair);
	pair_free(&pair);
}
END_TEST

/* A batch through the board and through the model. */
static void infer(struct pair *pair, uint16_t flags, uint64_t first_vector)
{
	const bool transposed = flags & NMLINK_INFER_TRANSPOSED;
	const unsigned inputs = transposed ? pair->cols : pair->rows, outputs = transposed ? pair->rows : pair->cols;
	const size_t batch = 9, out_size = batch * outputs * xbar_output_bytes(pair->model),
		clip_size = batch * ((outputs + 7) / 8);
	int8_t *in = malloc(batch * inputs);
	uint8_t *out = calloc(1, out_size + clip_size);
	const struct xbar_inference inference = {.region = all_of(pair), .transposed = transposed,
		.bit_serial = flags & NMLINK_INFER_BIT_SERIAL, .batch = batch, .first_vector = first_vector,
		.inputs = in, .outputs = out, .clipped = out + out_size};

	host_codes(first_vector, in, batch * inputs, xbar_input_max(pair->model));
	ck_assert_int_eq(host_call(pair->host, infer, INFER, in, batch * inputs, .tile = (uint16_t)last_tile(pair),
		.rows = (uint16_t)pair->rows, .cols = (uint16_t)pair->cols, .batch = (uint16_t)batch, .flags = flags,
		.first_vector = first_vector), NMLINK_OK);
	ck_assert(xbar_infer(pair->model, &inference));
	ck_assert_uint_eq(pair->host->header.size, out_size + clip_size);
	ck_assert_mem_eq(pair->host->payload, out, out_size + clip_size);
	free(in);
	free(out);
}

START_TEST(inference_is_that_of_the_model)
{
	struct pair pair = pair_new(&variants[_i]);

	program(&pair);
	infer(&pair, 0, 0);
	infer(&pair, NMLINK_INFER_TRANSPOSED, UINT64_C(1) << 40);
	infer(&pair, NMLINK_INFER_BIT_SERIAL, 77);
	infer(&pair, 0, 0);
	ck_assert_int_eq(host_call(pair.host, set_attr, SET_ATTR, NULL, 0, .index = 0, .value = 86400), NMLINK_OK);
	ck_assert(xbar_set_time(pair.model, 86400));
	infer(&pair, 0, 5);
	ck_assert_int_eq(host_call(pair.host, set_attr, SET_ATTR, NULL, 0, .index = 0, .value = 1), NMLINK_EARG);
	pair_free(&pair);
}
END_TEST

START_TEST(cells_are_those_of_the_model)
{
	struct pair pair = pair_new(&variants[_i]);
	const struct xbar_cell cell = {0, 2, 3, 1};
	struct nmlink_set_cell_reply ramped;
	struct nmlink_sweep_cell_reply swept;
	struct nmlink_point_record point;

	ck_assert_int_eq(host_call(pair.host, arm, ARM, NULL, 0, .silence_ms = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, pulse_cell, PULSE_CELL, NULL, 0, .row = 2, .col = 3, .side = 1,
		.voltage_uv = 1500000, .width_ns = 100, .gap_ns = 50, .pulses = 3), NMLINK_OK);
	xbar_pulse(pair.model, &cell, 1500000, 100, 3);
	ck_assert_int_eq(host_call(pair.host, read_conductance, READ_CONDUCTANCE, NULL, 0, .row = 2, .col = 3,
		.rows = 1, .cols = 1, .side = 1, .averages = 4, .use = USE), NMLINK_OK);
	ck_assert_uint_eq(nmlink_load_u32(pair.host->payload), xbar_conductance(pair.model, &cell, USE, 4));
	ck_assert_uint_eq(xbar_cell_pulses(sim_board_xbar(pair.host->board), &cell), 3);
	ck_assert_int_eq(host_call(pair.host, set_cell, SET_CELL, NULL, 0, .row = 2, .col = 3, .side = 1,
		.target_ps = 5000000, .start_uv = 1000000, .step_uv = 100000, .stop_uv = 2500000, .width_ns = 1000,
		.max_pulses = 50, .use = USE), NMLINK_OK);
	host_reply(pair.host, set_cell, &ramped);
	ck_assert_uint_eq(xbar_cell_pulses(sim_board_xbar(pair.host->board), &cell), 3 + ramped.pulses);
	ck_assert_int_eq(host_call(pair.host, sweep_cell, SWEEP_CELL, NULL, 0, .row = 2, .col = 3, .side = 1,
		.start_uv = -200000, .step_uv = 50000, .points = 9, .width_ns = 1000, .use = USE), NMLINK_OK);
	host_reply(pair.host, sweep_cell, &swept);
	ck_assert_uint_eq(swept.points, 9);
	ck_assert_int_eq(host_call(pair.host, read_sweep, READ_SWEEP, NULL, 0, .from = 8), NMLINK_OK);
	nmlink_get_point_record(&point, pair.host->payload + NMLINK_SIZE_read_sweep_reply);
	ck_assert_int_eq(point.voltage_uv, 200000);
	pair_free(&pair);
}
END_TEST

static int64_t sensor(struct host *host, uint16_t index)
{
	struct nmlink_get_sensor_reply reply;

	ck_assert_int_eq(host_call(host, get_sensor, GET_SENSOR, NULL, 0, .index = index), NMLINK_OK);
	host_reply(host, get_sensor, &reply);
	return reply.value;
}

static uint64_t counter(struct host *host, uint16_t index)
{
	struct nmlink_get_counter_reply reply;

	ck_assert_int_eq(host_call(host, get_counter, GET_COUNTER, NULL, 0, .index = index), NMLINK_OK);
	host_reply(host, get_counter, &reply);
	return reply.value;
}

START_TEST(counters_and_sensors_follow_what_happens)
{
	struct pair pair = pair_new(&variants[0]);
	struct nmlink_get_attr_reply lsb;

	ck_assert_int_eq(sensor(pair.host, 0), 25000);
	ck_assert_int_eq(sensor(pair.host, 1), 0);
	program(&pair);
	read_back(&pair);
	infer(&pair, 0, 0);
	ck_assert_int_eq(host_call(pair.host, arm, ARM, NULL, 0, .silence_ms = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, pulse_cell, PULSE_CELL, NULL, 0, .voltage_uv = -1000000, .width_ns = 100,
		.pulses = 5), NMLINK_OK);
	ck_assert_uint_eq(counter(pair.host, 0), 64);
	ck_assert_uint_eq(counter(pair.host, 1), 64);
	ck_assert_uint_eq(counter(pair.host, 2), 9);
	ck_assert_uint_eq(counter(pair.host, 3), 5);
	ck_assert_int_gt(sensor(pair.host, 0), 25000);
	ck_assert_int_eq(sensor(pair.host, 1), XBAR_VOLTAGE_MAX_UV / 1000);
	ck_assert_int_eq(host_call(pair.host, get_attr, GET_ATTR, NULL, 0, .index = 2), NMLINK_OK);
	host_reply(pair.host, get_attr, &lsb);
	ck_assert_int_eq(lsb.value, INT64_C(1) << pair.profile->lsb_shift);
	pair_free(&pair);
}
END_TEST

/* What the host tightens holds for all that applies a voltage. */
START_TEST(tightened_limits_hold_for_writes_and_reads)
{
	struct pair pair = pair_new(&variants[0]);
	const uint8_t code = 1;

	ck_assert_int_eq(host_call(pair.host, arm, ARM, NULL, 0, .silence_ms = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, set_limits, SET_LIMITS, NULL, 0, .current_na = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, pulse_cell, PULSE_CELL, NULL, 0, .voltage_uv = 1500000, .width_ns = 100,
		.pulses = 1), NMLINK_ELIMIT);
	ck_assert_int_eq(host_call(pair.host, set_limits, SET_LIMITS, NULL, 0, .voltage_uv = 1000000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, write, WRITE, &code, 1, .rows = 1, .cols = 1), NMLINK_ELIMIT);
	ck_assert_int_eq(host_call(pair.host, read, READ, NULL, 0, .rows = 1, .cols = 1), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, set_limits, SET_LIMITS, NULL, 0, .voltage_uv = 100000), NMLINK_OK);
	ck_assert_int_eq(host_call(pair.host, read, READ, NULL, 0, .rows = 1, .cols = 1), NMLINK_ELIMIT);
	ck_assert_int_eq(host_call(pair.host, read_conductance, READ_CONDUCTANCE, NULL, 0, .rows = 1, .cols = 1,
		.averages = 1), NMLINK_ELIMIT);
	pair_free(&pair);
}
END_TEST

/* At most 60 uA: the largest code draws 40 uA at 1 V, but a cell may conduct twice as much. */
START_TEST(the_limit_of_the_current_holds_for_any_cell_and_for_whole_ramps)
{
	struct host *host = host_new("xbar8", "");

	ck_assert_int_eq(host_call(host, arm, ARM, NULL, 0, .silence_ms = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(host, set_limits, SET_LIMITS, NULL, 0, .current_na = 60000), NMLINK_OK);
	ck_assert_int_eq(host_call(host, pulse_cell, PULSE_CELL, NULL, 0, .voltage_uv = -1000000, .width_ns = 100,
		.pulses = 1), NMLINK_ELIMIT);
	ck_assert_int_eq(host_call(host, set_cell, SET_CELL, NULL, 0, .target_ps = UINT32_MAX, .start_uv = 500000,
		.step_uv = 100000, .stop_uv = 1000000, .width_ns = 100, .max_pulses = 10), NMLINK_ELIMIT);
	ck_assert_uint_eq(counter(host, 3), 0);
	ck_assert_int_eq(host_call(host, set_cell, SET_CELL, NULL, 0, .target_ps = UINT32_MAX, .start_uv = 500000,
		.step_uv = 100000, .stop_uv = 700000, .width_ns = 100, .max_pulses = 10), NMLINK_OK);
	ck_assert_uint_eq(counter(host, 3), 3);
	host_free(host);
}
END_TEST

START_TEST(an_open_interlock_stops_pulses)
{
	struct host *host = host_new("xbar8", "");

	ck_assert_int_eq(host_call(host, arm, ARM, NULL, 0, .silence_ms = 1000), NMLINK_OK);
	ck_assert_int_eq(host_call(host, set_attr, SET_ATTR, NULL, 0, .index = 1, .value = 1), NMLINK_OK);
	ck_assert_int_eq(host_call(host, pulse_cell, PULSE_CELL, NULL, 0, .voltage_uv = 1500000, .width_ns = 100,
		.pulses = 1), NMLINK_EINTERLOCK);
	ck_assert(!sim_board_armed(host->board));
	host_free(host);
}
END_TEST

int main(void)
{
	const TTest *const once[] = {counters_and_sensors_follow_what_happens,
		tightened_limits_hold_for_writes_and_reads,
		the_limit_of_the_current_holds_for_any_cell_and_for_whole_ramps, an_open_interlock_stops_pulses};
	Suite *suite = suite_create("board-xbar");
	TCase *tcase = tcase_create("xbar");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, weights_are_those_of_the_model, 0, VARIANTS);
	tcase_add_loop_test(tcase, inference_is_that_of_the_model, 0, VARIANTS);
	tcase_add_loop_test(tcase, cells_are_those_of_the_model, 0, VARIANTS);
	for (size_t n = 0; n < sizeof(once) / sizeof(once[0]); n++)
		tcase_add_test(tcase, once[n]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
