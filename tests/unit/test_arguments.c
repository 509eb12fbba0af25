/* SPDX-License-Identifier: MIT */
/* Every struct of every public call: NULL, too short, longer, absurd, reserved. */
#include <stddef.h>
#include <stdio.h>

#include "tests/unit/board.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What the calls work on. */
struct world {
	struct board board;
	nmhal_device_list *list;
	nmhal_image *image;
};

static void world_make(struct world *world)
{
	fake_init(&world->board.fake, 1, 2, 3);
	board_open(&world->board);
	assert_ok(nmhal_enumerate(world->board.ctx, NULL, &world->list));
	assert_ok(nmhal_image_capture(world->board.dev, 0, &world->image));
}

static void world_end(struct world *world)
{
	nmhal_image_free(world->image);
	nmhal_device_list_free(world->list);
	board_close(&world->board);
}

/* ---- one function per struct and call: the struct is good but for what the test changed -------------------------- */

static int16_t codes[6];
static int16_t out[3];
static struct nmhal_event events[1];
static const struct nmhal_event spike;

static int context_new(struct world *world, void *params)
{
	nmhal_context *ctx;
	int status = nmhal_context_new(params, &ctx);

	(void)world;
	ck_assert(!status == (ctx != NULL));
	nmhal_context_unref(ctx);
	return status;
}

static int device_open(struct world *world, void *params)
{
	struct fake other;
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;
	int status;

	fake_init(&other, 1, 2, 3);
	status = nmhal_device_open(world->board.ctx, fake_uri(&other, "", uri), params, &dev);
	ck_assert(!status == (dev != NULL));
	nmhal_device_unref(dev);
	return status;
}

static int list_get(struct world *world, void *info)
{
	return nmhal_device_list_get(world->list, 0, info);
}

static int device_caps(struct world *world, void *caps)
{
	return nmhal_device_caps(world->board.dev, caps);
}

static int attr_list(struct world *world, void *info)
{
	return nmhal_attr_list(world->board.dev, 0, info);
}

static int attr_get(struct world *world, void *value)
{
	return nmhal_attr_get(world->board.dev, "gain", value);
}

static void fill_attr(void *memory)
{
	((struct nmhal_attr_value *)memory)->type = NMHAL_ATTR_INT;
}

static int attr_set(struct world *world, void *value)
{
	return nmhal_attr_set(world->board.dev, "gain", value);
}

static void fill_program(void *memory)
{
	struct nmhal_program *op = memory;

	op->codes = codes;
	op->code_type = NMHAL_CODE_I16;
}

static int program(struct world *world, void *op)
{
	return nmhal_program_weights(world->board.dev, op, NULL);
}

static int update(struct world *world, void *op)
{
	return nmhal_update_weights(world->board.dev, op, NULL);
}

static int program_report(struct world *world, void *report)
{
	struct nmhal_program op = {.struct_size = sizeof(op)};

	fill_program(&op);
	return nmhal_program_weights(world->board.dev, &op, report);
}

static int update_report(struct world *world, void *report)
{
	struct nmhal_program op = {.struct_size = sizeof(op)};

	fill_program(&op);
	return nmhal_update_weights(world->board.dev, &op, report);
}

static int image_report(struct world *world, void *report)
{
	return nmhal_image_program(world->board.dev, world->image, 0, 0, report);
}

static void fill_run(void *memory)
{
	struct nmhal_spike_run *op = memory;

	op->in = &spike;
	op->in_count = 1;
}

static int run_spikes(struct world *world, void *op)
{
	return nmhal_run_spikes(world->board.dev, op, NULL);
}

static int spike_report(struct world *world, void *report)
{
	struct nmhal_spike_run op = {.struct_size = sizeof(op)};

	fill_run(&op);
	return nmhal_run_spikes(world->board.dev, &op, report);
}

static void fill_read(void *memory)
{
	struct nmhal_spike_read *rd = memory;

	rd->events = events;
	rd->capacity = 1;
}

/* There is always one to read. */
static int read_spikes(struct world *world, void *rd)
{
	ck_assert_uint_eq(nm_ring_push(world->board.dev->ring, 1, &spike, 1), 0);
	return nmhal_read_spikes(world->board.dev, rd, NMHAL_NO_WAIT);
}

static void fill_inference(void *memory)
{
	struct nmhal_inference *op = memory;

	op->in = codes;
	op->out = out;
	op->in_type = op->out_type = NMHAL_CODE_I16;
	op->batch = 1;
}

static int infer(struct world *world, void *op)
{
	return nmhal_run_inference(world->board.dev, op);
}

static int image_info(struct world *world, void *info)
{
	return nmhal_image_get_info(world->image, info);
}

static int sensor_list(struct world *world, void *info)
{
	return nmhal_sensor_list(world->board.dev, 0, info);
}

static int counter_list(struct world *world, void *info)
{
	return nmhal_counter_list(world->board.dev, 0, info);
}

static int limits_get(struct world *world, void *limits)
{
	return nmhal_limits_get(world->board.dev, limits, 0);
}

static int limits_set(struct world *world, void *limits)
{
	return nmhal_limits_set(world->board.dev, limits, 0);
}

static void fill_pulse(void *memory)
{
	((struct nmhal_cell_pulse *)memory)->pulses = 1;
}

static int cell_pulse(struct world *world, void *op)
{
	return nmhal_cell_pulse(world->board.dev, op, NULL);
}

static void fill_ramp(void *memory)
{
	struct nmhal_cell_ramp *op = memory;

	op->kind = NMHAL_RAMP_SET;
	op->max_pulses = 1;
}

static int cell_ramp(struct world *world, void *op)
{
	return nmhal_cell_ramp(world->board.dev, op, NULL);
}

static int cell_ramped(struct world *world, void *result)
{
	struct nmhal_cell_ramp op = {.struct_size = sizeof(op)};

	fill_ramp(&op);
	return nmhal_cell_ramp(world->board.dev, &op, result);
}

static uint32_t conductances[6];
static struct nmhal_sweep_point points[1];

static void fill_conductance(void *memory)
{
	((struct nmhal_conductance_read *)memory)->conductance_ps = conductances;
}

static int read_conductance(struct world *world, void *op)
{
	return nmhal_read_conductance(world->board.dev, op);
}

static void fill_sweep(void *memory)
{
	struct nmhal_cell_sweep *op = memory;

	op->points = 1;
	op->out = points;
}

static int cell_sweep(struct world *world, void *op)
{
	return nmhal_cell_sweep(world->board.dev, op);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

enum direction { IN, OUT };

#define NO_RESERVED SIZE_MAX

static const struct row {
	const char *name;  /* in sentences */
	size_t size;
	int (*call)(struct world *world, void *memory);
	void (*fill)(void *memory); /* what the call needs beside struct_size */
	enum direction direction;
	bool may_be_null;
	size_t reserved; /* offset of a field that must be 0 */
} rows[] = {
	{"struct nmhal_context_params", sizeof(struct nmhal_context_params), context_new, NULL, IN, true,
		offsetof(struct nmhal_context_params, reserved)},
	{"struct nmhal_open_params", sizeof(struct nmhal_open_params), device_open, NULL, IN, true,
		offsetof(struct nmhal_open_params, reserved)},
	{"struct nmhal_device_info", sizeof(struct nmhal_device_info), list_get, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_device_caps", sizeof(struct nmhal_device_caps), device_caps, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_attr_info", sizeof(struct nmhal_attr_info), attr_list, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_attr_value", sizeof(struct nmhal_attr_value), attr_get, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_attr_value", sizeof(struct nmhal_attr_value), attr_set, fill_attr, IN, false,
		offsetof(struct nmhal_attr_value, reserved)},
	{"struct nmhal_program", sizeof(struct nmhal_program), program, fill_program, IN, false,
		offsetof(struct nmhal_program, region.reserved)},
	{"struct nmhal_program", sizeof(struct nmhal_program), update, fill_program, IN, false,
		offsetof(struct nmhal_program, region.reserved)},
	{"struct nmhal_program_report", sizeof(struct nmhal_program_report), program_report, NULL, OUT, true,
		NO_RESERVED},
	{"struct nmhal_program_report", sizeof(struct nmhal_program_report), update_report, NULL, OUT, true,
		NO_RESERVED},
	{"struct nmhal_program_report", sizeof(struct nmhal_program_report), image_report, NULL, OUT, true,
		NO_RESERVED},
	{"struct nmhal_spike_run", sizeof(struct nmhal_spike_run), run_spikes, fill_run, IN, false, NO_RESERVED},
	{"struct nmhal_spike_report", sizeof(struct nmhal_spike_report), spike_report, NULL, OUT, true, NO_RESERVED},
	{"struct nmhal_spike_read", sizeof(struct nmhal_spike_read), read_spikes, fill_read, IN, false,
		offsetof(struct nmhal_spike_read, reserved)},
	{"struct nmhal_inference", sizeof(struct nmhal_inference), infer, fill_inference, IN, false,
		offsetof(struct nmhal_inference, reserved)},
	{"struct nmhal_inference", sizeof(struct nmhal_inference), infer, fill_inference, IN, false,
		offsetof(struct nmhal_inference, region.reserved)},
	{"struct nmhal_sensor_info", sizeof(struct nmhal_sensor_info), sensor_list, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_counter_info", sizeof(struct nmhal_counter_info), counter_list, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_limits", sizeof(struct nmhal_limits), limits_get, NULL, OUT, false, NO_RESERVED},
	{"struct nmhal_limits", sizeof(struct nmhal_limits), limits_set, NULL, IN, false,
		offsetof(struct nmhal_limits, reserved)},
	{"struct nmhal_cell_pulse", sizeof(struct nmhal_cell_pulse), cell_pulse, fill_pulse, IN, false,
		offsetof(struct nmhal_cell_pulse, reserved)},
	{"struct nmhal_cell_ramp", sizeof(struct nmhal_cell_ramp), cell_ramp, fill_ramp, IN, false, NO_RESERVED},
	{"struct nmhal_cell_ramped", sizeof(struct nmhal_cell_ramped), cell_ramped, NULL, OUT, true, NO_RESERVED},
	{"struct nmhal_conductance_read", sizeof(struct nmhal_conductance_read), read_conductance, fill_conductance, IN,
		false, offsetof(struct nmhal_conductance_read, reserved)},
	{"struct nmhal_cell_sweep", sizeof(struct nmhal_cell_sweep), cell_sweep, fill_sweep, IN, false,
		offsetof(struct nmhal_cell_sweep, reserved)},
	{"struct nmhal_image_info", sizeof(struct nmhal_image_info), image_info, NULL, OUT, false, NO_RESERVED},
};

/* Room for any of the structs with a tail. */
union memory {
	unsigned char bytes[512];
	size_t struct_size;
	max_align_t align;
};

static union memory good(const struct row *row)
{
	union memory memory = {{0}};

	ck_assert_uint_lt(row->size + 16, sizeof(memory));
	if (row->fill)
		row->fill(&memory);
	memory.struct_size = row->size;
	return memory;
}

static void check_refused(struct world *world, const struct row *row, union memory *memory, int status)
{
	int got = row->call(world, memory);

	ck_assert_msg(got == status, "%s of %zu bytes: %d, expected %d: %s", row->name, memory->struct_size, got,
		status, nmhal_last_error());
	ck_assert_msg(strstr(nmhal_last_error(), row->name) != NULL, "%s: not in '%s'", row->name, nmhal_last_error());
}

START_TEST(good_structs)
{
	struct world world;

	world_make(&world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		union memory memory = good(&rows[i]);

		assert_ok(rows[i].call(&world, &memory));
		ck_assert_uint_eq(memory.struct_size, rows[i].size);
	}
	world_end(&world);
}
END_TEST

START_TEST(no_struct)
{
	struct world world;

	world_make(&world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char sentence[128];

		snprintf(sentence, sizeof(sentence), "%s: is NULL", rows[i].name);
		if (rows[i].may_be_null)
			assert_ok(rows[i].call(&world, NULL));
		else
			assert_fails(NMHAL_E_INVALID, sentence, rows[i].call(&world, NULL));
	}
	world_end(&world);
}
END_TEST

START_TEST(short_structs)
{
	struct world world;

	world_make(&world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		const size_t sizes[] = {0, 1, sizeof(size_t), rows[i].size - 1};

		for (size_t k = 0; k < COUNT(sizes); k++) {
			union memory memory = good(&rows[i]);
			union memory before;

			memory.struct_size = sizes[k];
			before = memory;
			check_refused(&world, &rows[i], &memory, NMHAL_E_INVALID);
			ck_assert_mem_eq(&memory, &before, sizeof(memory));
		}
	}
	world_end(&world);
}
END_TEST

START_TEST(long_structs)
{
	struct world world;

	world_make(&world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		union memory memory = good(&rows[i]);

		memory.struct_size = rows[i].size + 8;
		assert_ok(rows[i].call(&world, &memory));
		ck_assert_uint_eq(memory.struct_size, rows[i].size + 8);
		memory = good(&rows[i]);
		memory.struct_size = rows[i].size + 8;
		memory.bytes[rows[i].size + 7] = 1;
		memory.bytes[rows[i].size + 8] = 1;
		if (rows[i].direction == IN) {
			check_refused(&world, &rows[i], &memory, NMHAL_E_VERSION);
		} else {
			/* What we do not know of is 0 in what we give; what lies behind stays. */
			assert_ok(rows[i].call(&world, &memory));
			ck_assert_uint_eq(memory.bytes[rows[i].size + 7], 0);
			ck_assert_uint_eq(memory.bytes[rows[i].size + 8], 1);
		}
		memory.struct_size = SIZE_MAX;
		check_refused(&world, &rows[i], &memory, NMHAL_E_INVALID);
	}
	world_end(&world);
}
END_TEST

START_TEST(reserved_fields)
{
	unsigned checked = 0;
	struct world world;

	world_make(&world);
	for (size_t i = 0; i < COUNT(rows); i++) {
		union memory memory = good(&rows[i]);

		if (rows[i].reserved == NO_RESERVED)
			continue;
		memory.bytes[rows[i].reserved] = 1;
		assert_fails(NMHAL_E_INVALID, "reserved is 1", rows[i].call(&world, &memory));
		checked++;
	}
	ck_assert_uint_eq(checked, 12);
	/* Structs without a struct_size. */
	{
		const struct nmhal_region region = {.reserved = 1};

		assert_fails(NMHAL_E_INVALID, "reserved is 1",
			nmhal_read_weights(world.board.dev, &region, codes, 0, NMHAL_CODE_I16, 0));
	}
	for (size_t i = 0; i < 4; i++) {
		struct nmhal_neuron neuron = {.threshold = 1};

		neuron.reserved[i] = -1;
		assert_fails(NMHAL_E_INVALID, "reserved of neuron 2 of core 0",
			nmhal_set_neurons(world.board.dev, 0, 2, 1, &neuron, 0));
	}
	world_end(&world);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {good_structs, no_struct, short_structs, long_structs, reserved_fields};

	return run_tests("arguments", tests, sizeof(tests) / sizeof(*tests));
}
