/* SPDX-License-Identifier: MIT */
/* Every operation on a board that has everything, and what the board then holds. */
#include "far_suite.h"

static struct far far;
static nmhal_context *ctx;
static nmhal_device *dev;

static void setup_as(bool bytes, uint32_t max_frame, uint16_t window)
{
	far_init(&far);
	far.bytes = bytes;
	far.piece = 7;
	far.max_frame = max_frame;
	far.window = window;
	ctx = far_context();
	dev = far_open(ctx, &far);
}

static void setup(void)
{
	setup_as(false, FAR_FRAME, 8);
}

static void setup_small_frames(void)
{
	setup_as(false, NMLINK_MIN_FRAME, 4);
}

static void setup_bytes(void)
{
	setup_as(true, NMLINK_MIN_FRAME, 2);
}

static void teardown(void)
{
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ck_assert(far.closed);
	ck_assert(!far.core.armed);
}

START_TEST(the_board_is_described)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct nmhal_attr_info attr = {.struct_size = sizeof(attr)};
	struct nmhal_sensor_info sensor = {.struct_size = sizeof(sensor)};
	struct nmhal_counter_info counter = {.struct_size = sizeof(counter)};

	ck_ok(nmhal_device_caps(dev, &caps));
	ck_assert_str_eq(caps.board, "far12");
	ck_assert_str_eq(caps.driver, "link");
	ck_assert_str_eq(caps.serial, "F-7");
	ck_assert_str_eq(caps.firmware, "1.2");
	ck_assert_uint_eq(caps.features, NMHAL_CAN_READ_WEIGHTS | NMHAL_CAN_ADD_WEIGHTS | NMHAL_CAN_NEURONS |
		NMHAL_CAN_RESET_STATE | NMHAL_CAN_SPIKES | NMHAL_CAN_LEAK_EVENTS | NMHAL_CAN_VIRTUAL_EVENTS |
		NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER | NMHAL_CAN_BACK_TO_BACK | NMHAL_CAN_INFER |
		NMHAL_CAN_INFER_TRANSPOSED | NMHAL_CAN_RESET | NMHAL_CAN_CELLS | NMHAL_CAN_ARM);
	ck_assert_uint_eq(caps.cores, FAR_TILES);
	ck_assert_uint_eq(caps.rows, FAR_ROWS);
	ck_assert_uint_eq(caps.cols, FAR_COLS);
	ck_assert_int_eq(caps.weight_min, -100);
	ck_assert_uint_eq(caps.weight_tolerance, 2);
	ck_assert_int_eq(caps.output_max, 1000);
	ck_assert_int_eq(caps.virtual_max, 100);
	ck_assert_int_eq(caps.potential_min, -500);
	ck_assert_int_eq(caps.default_timeout_ms, 5000);
	ck_assert_uint_eq(nmhal_attr_count(dev), 2);
	ck_ok(nmhal_attr_list(dev, 0, &attr));
	ck_assert_str_eq(attr.key, "gain");
	ck_assert_str_eq(attr.unit, "dB");
	ck_assert_uint_eq(attr.flags, NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED);
	ck_ok(nmhal_attr_list(dev, 1, &attr));
	ck_assert_str_eq(attr.unit, "");
	ck_assert_uint_eq(attr.type, NMHAL_ATTR_BOOL);
	ck_assert_uint_eq(nmhal_sensor_count(dev), 1);
	ck_ok(nmhal_sensor_list(dev, 0, &sensor));
	ck_assert_str_eq(sensor.name, "temperature");
	ck_assert_int_eq(sensor.exponent, -1);
	ck_assert_uint_eq(nmhal_counter_count(dev), 10);
	ck_ok(nmhal_counter_list(dev, 8, &counter));
	ck_assert_str_eq(counter.key, "pulses");
}
END_TEST

START_TEST(weights_go_both_ways)
{
	int8_t codes[FAR_ROWS][FAR_COLS];
	int16_t read[3][7];
	const struct nmhal_program op = {.struct_size = sizeof(op), .region = {.core = 1}, .codes = codes,
		.code_type = NMHAL_CODE_I8};
	const struct nmhal_region part = {.core = 1, .row = 2, .col = 3, .rows = 3, .cols = 5};

	for (int n = 0; n < (int)sizeof(codes); n++)
		codes[n / (int)FAR_COLS][n % (int)FAR_COLS] = (int8_t)(n - 50);
	ck_ok(nmhal_program_weights(dev, &op, NULL));
	for (unsigned row = 0; row < FAR_ROWS; row++)
		for (unsigned col = 0; col < FAR_COLS; col++)
			ck_assert_int_eq(far.weights[1][row][col], codes[row][col]);
	ck_assert_int_eq(far.weights[0][0][0], 0);
	memset(read, 0x55, sizeof(read));
	ck_ok(nmhal_read_weights(dev, &part, read, 7, NMHAL_CODE_I16, 0));
	for (unsigned row = 0; row < 3; row++)
		for (unsigned col = 0; col < 7; col++)
			ck_assert_int_eq(read[row][col], col < 5 ? codes[2 + row][3 + col] : 0x5555);
}
END_TEST

START_TEST(cells_are_written_read_and_added_to)
{
	struct nmhal_cell cells[] = {{1, 7, 11, -100}, {0, 0, 0, 99}, {0, 3, 4, 5}, {1, 0, 2, 7}};
	struct nmhal_program op = {.struct_size = sizeof(op), .cells = cells, .cell_count = 4,
		.flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_program_report report = {.struct_size = sizeof(report)};

	ck_ok(nmhal_program_weights(dev, &op, &report));
	ck_assert_uint_eq(report.cells_written, 4);
	ck_assert_int_eq(far.weights[1][7][11], -100);
	ck_assert_int_eq(far.weights[0][3][4], 5);
	cells[0].code = -5;
	cells[1].code = 1000000;
	cells[2].code = -1000000;
	op.flags = 0;
	ck_ok(nmhal_update_weights(dev, &op, NULL));
	ck_assert_int_eq(far.weights[1][7][11], -100);
	ck_assert_int_eq(far.weights[0][0][0], 100);
	ck_assert_int_eq(far.weights[0][3][4], -100);
	ck_assert_int_eq(far.weights[1][0][2], 14);
	ck_assert_uint_eq(far.executed[NMLINK_OP_ADD_CELLS], 4);
}
END_TEST

static void fill_weights(void)
{
	for (unsigned n = 0; n < FAR_ROWS * FAR_COLS; n++)
		far.weights[1][n / FAR_COLS][n % FAR_COLS] = (int16_t)((int)n * 37 % 201 - 100);
}

static int expected(const struct nmhal_inference *op, const int8_t *in, uint32_t output)
{
	const bool transposed = op->flags & NMHAL_INFER_TRANSPOSED;
	int sum = 0;

	for (uint32_t n = 0; n < (transposed ? op->region.cols : op->region.rows); n++)
		sum += in[n] * (transposed ? far.weights[1][op->region.row + output][op->region.col + n] :
					     far.weights[1][op->region.row + n][op->region.col + output]);
	return sum;
}

static void check_inference(uint32_t flags, uint32_t in_type, uint32_t out_type)
{
	enum { BATCH = 45, IN = 14, OUT = 15 };
	static int8_t in8[BATCH][IN];
	static int16_t in16[BATCH][IN], out16[BATCH][OUT];
	static int32_t in32[BATCH][IN], out32[BATCH][OUT];
	static uint8_t saturated[BATCH][FAR_COLS];
	struct nmhal_inference op = {.struct_size = sizeof(op), .region = {1, 1, 2, 6, 9, 0}, .in_stride = IN,
		.out_stride = OUT, .first_vector = 1000, .batch = BATCH, .in_type = in_type, .out_type = out_type,
		.flags = flags, .saturated = saturated[0]};
	const uint32_t outputs = flags & NMHAL_INFER_TRANSPOSED ? 6 : 9;

	op.in = in_type == NMHAL_CODE_I8 ? (void *)in8 : in_type == NMHAL_CODE_I16 ? (void *)in16 : (void *)in32;
	op.out = out_type == NMHAL_CODE_I16 ? (void *)out16 : (void *)out32;
	fill_weights();
	for (int n = 0; n < BATCH * IN; n++) {
		in8[n / IN][n % IN] = (int8_t)(n * 13 % 41 - 20);
		in16[n / IN][n % IN] = in8[n / IN][n % IN];
		in32[n / IN][n % IN] = in8[n / IN][n % IN];
	}
	memset(out16, 0x55, sizeof(out16));
	memset(out32, 0x55, sizeof(out32));
	ck_ok(nmhal_run_inference(dev, &op));
	for (unsigned v = 0; v < BATCH; v++) {
		for (unsigned n = 0; n < OUT; n++) {
			int sum = n < outputs ? expected(&op, in8[v], n) : 0;
			int code = sum > 1000 ? 1000 : sum < -1000 ? -1000 : sum;
			int32_t got = out_type == NMHAL_CODE_I16 ? out16[v][n] : out32[v][n];

			if (n >= outputs)
				code = out_type == NMHAL_CODE_I16 ? 0x5555 : 0x55555555;
			else
				ck_assert_int_eq(((uint8_t *)saturated)[v * outputs + n], sum > 1000 || sum < -1000);
			ck_assert_int_eq(got, code);
		}
	}
}

START_TEST(batches_of_all_types_give_the_products)
{
	check_inference(0, NMHAL_CODE_I8, NMHAL_CODE_I16);
	check_inference(0, NMHAL_CODE_I16, NMHAL_CODE_I32);
	check_inference(NMHAL_INFER_TRANSPOSED, NMHAL_CODE_I32, NMHAL_CODE_I16);
}
END_TEST

START_TEST(neurons_keep_what_is_set)
{
	struct nmhal_neuron neurons[FAR_COLS], read[FAR_COLS];

	memset(neurons, 0, sizeof(neurons));
	for (int n = 0; n < (int)FAR_COLS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = 100 + n, .leak = n % 11, .potential = -n,
			.enabled = n == 3};
	ck_ok(nmhal_set_neurons(dev, 1, 0, FAR_COLS, neurons, 0));
	ck_assert_int_eq(far.neurons[1][11].threshold, 111);
	ck_ok(nmhal_get_neurons(dev, 1, 0, FAR_COLS, read, 0));
	ck_assert_mem_eq(read, neurons, sizeof(read));
	ck_ok(nmhal_reset_state(dev, 0));
	ck_ok(nmhal_get_neurons(dev, 1, 3, 2, read, 0));
	ck_assert_int_eq(read[0].potential, 0);
	ck_assert_int_eq(read[1].threshold, 104);
}
END_TEST

START_TEST(attributes_sensors_and_counters_are_the_boards)
{
	int64_t value;

	ck_ok(nmhal_attr_set_int(dev, "gain", -5));
	ck_assert_int_eq(far.attrs[0], -5);
	far.attrs[0] = 50;
	ck_ok(nmhal_attr_get_int(dev, "gain", &value));
	ck_assert_int_eq(value, 50);
	ck_refused(nmhal_attr_set_int(dev, "gain", 51), NMHAL_E_INVALID, "-5..50");
	far.attrs[0] = 51;
	ck_refused(nmhal_attr_get_int(dev, "gain", &value), NMHAL_E_PROTOCOL,
		"get attribute 'gain': the board answered 51, its range is -5..50");
	ck_ok(nmhal_sensor_get(dev, "temperature", &value, 0));
	ck_assert_int_eq(value, -300);
	ck_assert_uint_eq(far_counter(dev, "fives"), 5);
}
END_TEST

START_TEST(a_reset_restarts_the_board)
{
	ck_ok(nmhal_arm(dev, 100, 0));
	ck_assert(far.core.armed);
	ck_ok(nmhal_device_reset(dev, 0));
	ck_assert(!far.core.armed);
}
END_TEST

/* ---- runs -------------------------------------------------------------------------------------------------------- */

START_TEST(outputs_carry_the_step_of_their_input)
{
	const struct nmhal_event in[] = {
		{.step = 0, .address = 2}, {.step = 2, .address = 5, .core = 1},
		{.step = 2, .address = 3, .kind = NMHAL_EVENT_VIRTUAL, .value = 40}, {.step = 4, .address = 0},
	};
	struct nmhal_event out[100];
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 4, .steps = 6, .out = out,
		.out_capacity = 100, .flags = NMHAL_RUN_LEAK_EACH_STEP};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	size_t n = 0;

	ck_ok(nmhal_run_spikes(dev, &op, &report));
	ck_assert_uint_eq(report.events_in, 4 + 6 * FAR_TILES);
	ck_assert_uint_eq(report.events_out, 3 + 6 + 40 + 1 + 6 * FAR_TILES);
	ck_assert_uint_eq(report.sops, report.events_out);
	ck_assert_uint_eq(report.cycles, 7);
	ck_assert_uint_eq(report.queue_dropped, NMHAL_UNKNOWN);
	for (uint64_t step = 0; step < 6; step++) {
		for (size_t i = 0; i < 4; i++) {
			unsigned outputs = in[i].kind == NMHAL_EVENT_VIRTUAL ? 40 : in[i].address + 1;

			for (unsigned k = 0; in[i].step == step && k < outputs; k++, n++) {
				ck_assert_uint_eq(out[n].step, step);
				ck_assert_uint_eq(out[n].core, in[i].core);
				ck_assert_uint_eq(out[n].address, in[i].kind ? in[i].address : k);
			}
		}
		for (unsigned core = 0; core < FAR_TILES; core++, n++) {
			ck_assert_uint_eq(out[n].step, step);
			ck_assert_uint_eq(out[n].core, core);
			ck_assert_uint_eq(out[n].address, 11);
		}
	}
	ck_assert_uint_eq(n, report.events_out);
	ck_assert_uint_eq(far_counter(dev, "events_out"), n);
	ck_assert_uint_eq(far_counter(dev, "events_in"), report.events_in);
}
END_TEST

START_TEST(an_input_with_too_many_outputs_ends_the_run)
{
	const struct nmhal_event in[] = {{.step = 3, .address = 2}, {.step = 4, .address = 7}, {.step = 5}};
	struct nmhal_event out[20];
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = 3, .out = out,
		.out_capacity = 20, .max_events_per_input = 5};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};

	ck_refused(nmhal_run_spikes(dev, &op, &report), NMHAL_E_LIMIT, "step 4 caused more than 5");
	ck_assert_uint_eq(report.events_out, 3 + 5);
	ck_assert_uint_eq(far.executed[NMLINK_OP_SPIKES_STOP], 1);
	op.max_events_per_input = 8;
	ck_ok(nmhal_run_spikes(dev, &op, &report));
	ck_assert_uint_eq(report.events_out, 3 + 8 + 1);
}
END_TEST

/* ---- cells and safety -------------------------------------------------------------------------------------------- */

START_TEST(pulses_need_arming_and_keep_limits)
{
	struct nmhal_cell_pulse op = {.struct_size = sizeof(op), .core = 1, .row = 2, .col = 3, .side = 1,
		.voltage_uv = 1000000, .width_ns = 200, .gap_ns = 100, .pulses = 3};
	uint32_t applied = 9;

	ck_refused(nmhal_cell_pulse(dev, &op, &applied), NMHAL_E_STATE, "arm first");
	ck_assert_uint_eq(applied, 0);
	ck_ok(nmhal_arm(dev, 1000, 0));
	ck_ok(nmhal_cell_pulse(dev, &op, &applied));
	ck_assert_uint_eq(applied, 3);
	ck_assert_uint_eq(far.conductance[1][2][3][1], 3000);
	op.voltage_uv = 2600000;
	ck_refused(nmhal_cell_pulse(dev, &op, &applied), NMHAL_E_LIMIT, "ELIMIT, detail 2500000");
	op.voltage_uv = 1000000;
	op.width_ns = op.gap_ns = op.pulses = UINT32_MAX;
	ck_refused(nmhal_cell_pulse(dev, &op, &applied), NMHAL_E_LIMIT, "ELIMIT");
	op.gap_ns = op.pulses = 1;
	op.width_ns = 1;
	ck_refused(nmhal_cell_pulse(dev, &op, &applied), NMHAL_E_INVALID, "ERANGE");
	ck_ok(nmhal_disarm(dev, 0));
	ck_assert(!far.core.armed);
	ck_assert_uint_eq(far.pulses, 3);
}
END_TEST

START_TEST(ramps_and_sweeps_run_on_the_board)
{
	struct nmhal_cell_ramp ramp = {.struct_size = sizeof(ramp), .row = 1, .kind = NMHAL_RAMP_SET,
		.target_ps = 5000, .start_uv = 500000, .step_uv = 10000, .stop_uv = 2000000, .width_ns = 200,
		.max_pulses = 50};
	struct nmhal_cell_ramped result = {.struct_size = sizeof(result)};
	struct nmhal_sweep_point points[40];
	struct nmhal_cell_sweep sweep = {.struct_size = sizeof(sweep), .start_uv = -100000, .step_uv = 5000,
		.points = 40, .width_ns = 1000, .out = points};

	ck_ok(nmhal_arm(dev, 1000, 0));
	ck_ok(nmhal_cell_ramp(dev, &ramp, &result));
	ck_assert_uint_eq(result.reached, 1);
	ck_assert_uint_eq(result.pulses, 5);
	ck_assert_uint_eq(result.conductance_ps, 5000);
	ck_ok(nmhal_cell_sweep(dev, &sweep));
	for (int n = 0; n < 40; n++) {
		ck_assert_int_eq(points[n].voltage_uv, -100000 + 5000 * n);
		ck_assert_int_eq(points[n].current_na, points[n].voltage_uv / 1000);
	}
	sweep.points = FAR_POINTS + 1;
	ck_refused(nmhal_cell_sweep(dev, &sweep), NMHAL_E_LIMIT, "at most 64");
}
END_TEST

START_TEST(conductances_are_read_into_the_callers_rows)
{
	uint32_t read[5][9];
	const struct nmhal_conductance_read op = {.struct_size = sizeof(op), .region = {1, 2, 3, 5, 8, 0}, .side = 1,
		.conductance_ps = read[0], .row_stride = 9};

	for (unsigned n = 0; n < FAR_ROWS * FAR_COLS; n++)
		far.conductance[1][n / FAR_COLS][n % FAR_COLS][1] = 1000 * n;
	memset(read, 0x55, sizeof(read));
	ck_ok(nmhal_read_conductance(dev, &op));
	for (unsigned row = 0; row < 5; row++)
		for (unsigned col = 0; col < 9; col++)
			ck_assert_uint_eq(read[row][col],
				col < 8 ? 1000 * ((row + 2) * FAR_COLS + col + 3) : 0x55555555);
}
END_TEST

START_TEST(limits_are_read_and_tightened)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};

	ck_ok(nmhal_limits_get(dev, &limits, 0));
	ck_assert_uint_eq(limits.voltage_uv, 2500000);
	ck_assert_uint_eq(limits.silence_ms, 60000);
	limits = (struct nmhal_limits){.struct_size = sizeof(limits), .voltage_uv = 1000000};
	ck_ok(nmhal_limits_set(dev, &limits, 0));
	ck_assert_uint_eq(far.core.limits.voltage_uv, 1000000);
	limits.voltage_uv = 1000001;
	ck_refused(nmhal_limits_set(dev, &limits, 0), NMHAL_E_LIMIT, "detail 1000000");
	ck_refused(nmhal_arm(dev, 60001, 0), NMHAL_E_LIMIT, "arm: 60001 ms of silence");
	ck_refused(nmhal_arm(dev, 9, 0), NMHAL_E_INVALID, "ERANGE");
	ck_ok(nmhal_arm(dev, 60000, 0));
	ck_ok(nmhal_safe_state(dev, 0));
	ck_assert(!far.core.armed);
}
END_TEST

START_TEST(a_board_with_weights_only_has_nothing_else)
{
	struct far small;
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_device *other;

	far_init(&small);
	small.small = true;
	other = far_open(ctx, &small);
	ck_ok(nmhal_device_caps(other, &caps));
	ck_assert_uint_eq(caps.features, NMHAL_CAN_READ_WEIGHTS | NMHAL_CAN_RESET);
	ck_assert_uint_eq(caps.max_batch, 0);
	ck_assert_uint_eq(nmhal_attr_count(other), 0);
	ck_refused(nmhal_reset_state(other, 0), NMHAL_E_UNSUPPORTED, "far12");
	ck_refused(nmhal_arm(other, 100, 0), NMHAL_E_UNSUPPORTED, "far12");
	nmhal_device_unref(other);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, the_board_is_described);
	tcase_add_test(tcase, weights_go_both_ways);
	tcase_add_test(tcase, cells_are_written_read_and_added_to);
	tcase_add_test(tcase, batches_of_all_types_give_the_products);
	tcase_add_test(tcase, neurons_keep_what_is_set);
	tcase_add_test(tcase, attributes_sensors_and_counters_are_the_boards);
	tcase_add_test(tcase, a_reset_restarts_the_board);
	tcase_add_test(tcase, outputs_carry_the_step_of_their_input);
	tcase_add_test(tcase, an_input_with_too_many_outputs_ends_the_run);
	tcase_add_test(tcase, pulses_need_arming_and_keep_limits);
	tcase_add_test(tcase, ramps_and_sweeps_run_on_the_board);
	tcase_add_test(tcase, conductances_are_read_into_the_callers_rows);
	tcase_add_test(tcase, limits_are_read_and_tightened);
	tcase_add_test(tcase, a_board_with_weights_only_has_nothing_else);
}

int main(void)
{
	Suite *suite = suite_create("link ops");

	add_tests(far_case(suite, "packets", setup, teardown));
	add_tests(far_case(suite, "small frames", setup_small_frames, teardown));
	add_tests(far_case(suite, "bytes", setup_bytes, teardown));
	return far_run(suite);
}
