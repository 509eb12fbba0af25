/* SPDX-License-Identifier: MIT */
#include "board.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

nmhal_context *quiet_context(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx = NULL;

	params.log_level = NMHAL_LOG_NONE;
	expect(nmhal_context_new(&params, &ctx), NMHAL_OK);
	return ctx;
}

int try_open_board(nmhal_context *ctx, unsigned board, nmhal_device **dev)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	char uri[64];

	params.timeout_ms = 2000;
	snprintf(uri, sizeof(uri), "ftdi:tinyodin,serial=NM%06u,clk_hz=60000000", board);
	return nmhal_device_open(ctx, uri, &params, dev);
}

nmhal_device *open_board(nmhal_context *ctx, unsigned board)
{
	nmhal_device *dev = NULL;

	expect(try_open_board(ctx, board, &dev), NMHAL_OK);
	return dev;
}

/* A generator of the tests' own, so that a seed means the same everywhere. */
static uint32_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

void random_codes(unsigned seed, int8_t *codes, size_t count)
{
	uint64_t state = seed;

	for (size_t n = 0; n < count; n++)
		codes[n] = (int8_t)((int)(draw(&state) % 16) - 8);
}

int program_rows(nmhal_device *dev, const int8_t *codes, uint32_t rows, uint32_t flags, int32_t timeout_ms)
{
	struct nmhal_program op = {.struct_size = sizeof(op), .region = {.rows = rows}, .codes = codes,
		.code_type = NMHAL_CODE_I8, .flags = flags, .timeout_ms = timeout_ms};

	return nmhal_program_weights(dev, &op, NULL);
}

void check_chip(struct bed *bed, unsigned board, const int8_t *codes, uint32_t rows)
{
	const char *path = bed_file(bed, "memory");
	static uint32_t words[256 + 8192];
	FILE *file;

	bed_tell(bed, board, "memory %s", path);
	file = fopen(path, "rb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(words, sizeof(uint32_t), 256 + 8192, file), 256 + 8192);
	fclose(file);
	for (uint32_t n = 0; n < rows * COLS; n++) {
		int code = (int)((words[256 + n / 8] >> 4 * (n % 8) & 0xFu) ^ 8u) - 8;

		/* An assertion that holds costs a system call. */
		if (code != codes[n])
			ck_abort_msg("row %u, column %u: the chip holds %d, not %d", n / COLS, n % COLS, code,
				codes[n]);
	}
}

void random_neurons(unsigned seed, struct nmhal_neuron neurons[COLS])
{
	uint64_t state = seed;

	for (unsigned n = 0; n < COLS; n++)
		neurons[n] = (struct nmhal_neuron){.threshold = (int32_t)(draw(&state) % 60),
			.leak = (int32_t)(draw(&state) % 4), .potential = (int32_t)(draw(&state) % 100) - 50,
			.enabled = draw(&state) % 8 != 0};
}

size_t random_events(unsigned seed, size_t steps, struct nmhal_event *events)
{
	uint64_t state = seed;
	size_t count = 0;

	for (size_t step = 0; step < steps; step++)
		for (uint32_t n = draw(&state) % 4; n; n--) {
			struct nmhal_event *event = &events[count++];

			*event = (struct nmhal_event){.step = step, .address = draw(&state) % ROWS};
			switch (draw(&state) % 8) {
			case 0:
				event->kind = NMHAL_EVENT_VIRTUAL;
				event->address %= 16;
				event->value = (int8_t)((int)(draw(&state) % 16) - 8);
				break;
			case 1:
				event->kind = NMHAL_EVENT_LEAK_ALL;
				event->address = 0;
				break;
			case 2:
				event->kind = NMHAL_EVENT_LEAK_ONE;
				event->address %= 200;
				break;
			default:
				event->kind = NMHAL_EVENT_SPIKE;
			}
		}
	return count;
}

int run_events(nmhal_device *dev, const struct nmhal_event *in, size_t in_count, struct nmhal_event *out,
	size_t capacity, size_t *count, int32_t timeout_ms)
{
	struct nmhal_spike_run op = {.struct_size = sizeof(op), .in = in, .in_count = in_count, .out = out,
		.out_capacity = capacity, .max_events_per_input = 2000, .timeout_ms = timeout_ms};
	struct nmhal_spike_report report = {.struct_size = sizeof(report)};
	int status = nmhal_run_spikes(dev, &op, &report);

	*count = report.events_out < capacity ? report.events_out : capacity;
	return status;
}

size_t open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}
