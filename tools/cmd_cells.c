/* SPDX-License-Identifier: MIT */
/* cells: conductances as a heat map or file; pulses, ramps and sweeps on one cell, with the board armed for them. */
#include "cells.h"
#include "heatmap.h"
#include "matrix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAMP_PULSES 100u
#define SILENCE_MS  2000u /* that a board stays armed after a host that was killed, beside the time of the pulses */

/* ---- conductance ------------------------------------------------------------------------------------------------- */

static int show_conductance(const struct probe *p, const struct cells_args *args, const struct nmhal_region *region,
	const int32_t *found)
{
	uint32_t rows = region->rows, cols = region->cols;
	int32_t largest = 0;
	int code = args->output == NULL ? PROBE_OK : matrix_save(p, args->output, found, rows, cols);

	if (code != PROBE_OK)
		return code;
	if (p->json && args->output != NULL)
		return json_result(p, json_pack("{ss sI sI}", "file", args->output, "rows", (json_int_t)rows,
			"cols", (json_int_t)cols));
	if (p->json)
		return json_result(p, json_pack("{sI sI sI sI sI so}", "core", (json_int_t)region->core,
			"row", (json_int_t)region->row, "col", (json_int_t)region->col, "rows", (json_int_t)rows,
			"cols", (json_int_t)cols, "conductance_ps", matrix_json(found, rows, cols)));
	if (args->output != NULL) {
		probe_note(p, "%s: %u x %u conductances in pS written", args->output, rows, cols);
		return PROBE_OK;
	}
	for (size_t i = 0; i < (size_t)rows * cols; i++)
		largest = found[i] > largest ? found[i] : largest;
	probe_note(p, "core %u, rows %u..%u down, columns %u..%u across; largest %.6g uS", region->core, region->row,
		region->row + rows - 1, region->col, region->col + cols - 1, (double)largest / 1e6);
	heatmap_draw(stdout, found, rows, cols, largest, terminal_columns(STDOUT_FILENO));
	return PROBE_OK;
}

static int read_conductance(struct probe *p, const struct cells_args *args)
{
	struct nmhal_region region = args->region.region;
	int code = region_resolve(p, "conductance", &region);

	if (code != PROBE_OK)
		return code;
	size_t count = (size_t)region.rows * region.cols;
	uint32_t *found = calloc(count, sizeof(*found));
	int32_t *codes = calloc(count, sizeof(*codes));
	struct nmhal_conductance_read op = {.struct_size = sizeof(op), .region = region, .side = args->side,
		.averages = args->averages, .conductance_ps = found, .timeout_ms = p->timeout_ms};
	if (found == NULL || codes == NULL) {
		code = probe_no_memory(p);
	} else {
		int status = nmhal_read_conductance(p->dev, &op);
		code = status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
	}
	for (size_t i = 0; code == PROBE_OK && i < count; i++) {
		if (found[i] > INT32_MAX)
			code = probe_fail(p, NMHAL_E_PROTOCOL, "%s: a cell of %u pS: above %d pS, which no cell has",
				nmhal_device_uri(p->dev), found[i], INT32_MAX);
		codes[i] = (int32_t)found[i];
	}
	if (code == PROBE_OK)
		code = show_conductance(p, args, &region, codes);
	free(found);
	free(codes);
	return code;
}

/* ---- pulse, form, set, reset ------------------------------------------------------------------------------------- */

static int pulse(const struct probe *p, const struct cells_args *args)
{
	const struct nmhal_cell_pulse op = {.struct_size = sizeof(op), .core = args->place.core, .row = args->place.row,
		.col = args->place.col, .side = args->side, .voltage_uv = (int32_t)args->voltage_uv,
		.width_ns = (uint32_t)args->width_ns, .gap_ns = args->gap_ns == NOT_GIVEN ? 0 : (uint32_t)args->gap_ns,
		.pulses = args->pulses > 0 ? args->pulses : 1, .timeout_ms = p->timeout_ms};
	uint32_t applied = 0;
	int status = nmhal_cell_pulse(p->dev, &op, &applied);

	if (status != NMHAL_OK)
		return probe_fail(p, status, "%s; %u of %u pulses applied", nmhal_last_error(), applied, op.pulses);
	if (p->json)
		return json_result(p, json_pack("{sI}", "applied", (json_int_t)applied));
	probe_note(p, "%s: %u pulses applied", nmhal_device_uri(p->dev), applied);
	return PROBE_OK;
}

static uint32_t amplitude(int64_t value_uv)
{
	return value_uv < 0 ? (uint32_t)-value_uv : (uint32_t)value_uv;
}

static int ramp(const struct probe *p, const struct cells_args *args)
{
	const struct nmhal_cell_ramp op = {.struct_size = sizeof(op), .core = args->place.core, .row = args->place.row,
		.col = args->place.col, .side = args->side,
		.kind = args->action == CELLS_FORM ? NMHAL_RAMP_FORM :
			args->action == CELLS_SET ? NMHAL_RAMP_SET : NMHAL_RAMP_RESET,
		.target_ps = (uint32_t)args->target_ps, .start_uv = amplitude(args->start_uv),
		.step_uv = amplitude(args->step_uv), .stop_uv = amplitude(args->stop_uv),
		.width_ns = (uint32_t)args->width_ns, .max_pulses = args->pulses > 0 ? args->pulses : RAMP_PULSES,
		.timeout_ms = p->timeout_ms};
	struct nmhal_cell_ramped result = {.struct_size = sizeof(result)};
	int status = nmhal_cell_ramp(p->dev, &op, &result);

	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (p->json) {
		int code = json_result(p, json_pack("{sb sI sI sI}", "reached", (int)result.reached,
			"conductance_ps", (json_int_t)result.conductance_ps, "pulses", (json_int_t)result.pulses,
			"last_uv", (json_int_t)result.last_uv));
		if (code != PROBE_OK)
			return code;
	} else {
		printf("%.6g uS after %u pulses, the last of %.6g V\n", (double)result.conductance_ps / 1e6,
			result.pulses, (double)result.last_uv / 1e6);
	}
	if (result.reached != 0)
		return PROBE_OK;
	return probe_fail(p, NMHAL_E_VERIFY, "%s: %s: %.6g uS not reached", nmhal_device_uri(p->dev), args->word,
		(double)op.target_ps / 1e6);
}

/* ---- sweep ------------------------------------------------------------------------------------------------------- */

static void print_points(FILE *stream, const struct nmhal_sweep_point *points, uint32_t count)
{
	fputs("voltage_uv,current_na\n", stream);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stream, "%" PRId32 ",%" PRId32 "\n", points[i].voltage_uv, points[i].current_na);
}

static int show_points(const struct probe *p, const char *output, const struct nmhal_sweep_point *points,
	uint32_t count)
{
	if (output != NULL) {
		FILE *file = fopen(output, "w");
		bool bad = file == NULL;
		if (file != NULL) {
			print_points(file, points, count);
			bad = ferror(file) != 0;
			bad = fclose(file) != 0 || bad;
		}
		if (bad)
			return probe_fail(p, NMHAL_E_IO, "%s: write failed", output);
	}
	if (!p->json) {
		if (output == NULL)
			print_points(stdout, points, count);
		return PROBE_OK;
	}
	if (output != NULL)
		return json_result(p, json_pack("{ss}", "file", output));
	json_t *list = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{si si}", "voltage_uv", (int)points[i].voltage_uv,
			"current_na", (int)points[i].current_na));
	return json_result(p, json_pack("{so}", "points", list));
}

static int sweep(const struct probe *p, const struct cells_args *args)
{
	struct nmhal_sweep_point *points = calloc(args->points, sizeof(*points));
	uint32_t measured = 0;
	const struct nmhal_cell_sweep op = {.struct_size = sizeof(op), .core = args->place.core, .row = args->place.row,
		.col = args->place.col, .side = args->side, .start_uv = (int32_t)args->start_uv,
		.step_uv = (int32_t)args->step_uv, .points = args->points, .width_ns = (uint32_t)args->width_ns,
		.out = points, .timeout_ms = p->timeout_ms, .measured = &measured};

	if (points == NULL)
		return probe_no_memory(p);
	int status = nmhal_cell_sweep(p->dev, &op);
	int code = status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
	if (measured > 0) { /* also when the board ended it at a limit */
		int shown = show_points(p, args->output, points, measured);
		code = code == PROBE_OK ? shown : code;
	}
	free(points);
	return code;
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

/* Asks on a terminal; elsewhere only --yes will do. */
static int confirm(const struct probe *p, const struct cells_args *args)
{
	char answer[16] = "";

	if (args->yes)
		return PROBE_OK;
	if (p->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return probe_fail(p, NMHAL_E_INVALID, "cells: %s changes the cell; --yes says that it may", args->word);
	fprintf(stderr, "%s the cell at core %u, row %u, column %u of %s? [y/N] ", args->word, args->place.core,
		args->place.row, args->place.col, nmhal_device_uri(p->dev));
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return PROBE_OK;
	return probe_fail(p, NMHAL_E_CANCELED, "cells: %s: not confirmed, nothing was done", args->word);
}

/* How long all pulses or points take, ms. */
static uint64_t train_ms(const struct cells_args *args)
{
	uint64_t gap_ns = args->gap_ns == NOT_GIVEN ? 0 : (uint64_t)args->gap_ns;
	uint64_t count = args->action == CELLS_SWEEP ? args->points :
			 args->pulses > 0            ? args->pulses :
			 args->action == CELLS_PULSE ? 1 :
						       RAMP_PULSES;

	return count * ((uint64_t)args->width_ns + gap_ns) / 1000000u;
}

/* No longer than this needs: a board without an end of the bus learns from silence alone that its host is gone. */
static int arm(const struct probe *p, const struct cells_args *args)
{
	struct nmhal_limits limits = {.struct_size = sizeof(limits)};
	int status = nmhal_limits_get(p->dev, &limits, p->timeout_ms);
	uint64_t most_ms = limits.silence_ms > 0 ? limits.silence_ms : UINT32_MAX;
	uint64_t silence_ms = SILENCE_MS + train_ms(args);
	uint32_t granted;

	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	return probe_arm(p, (uint32_t)(silence_ms < most_ms ? silence_ms : most_ms), &granted);
}

static int change(struct probe *p, const struct cells_args *args)
{
	bool arming = p->caps.features & NMHAL_CAN_ARM;
	int code = confirm(p, args);

	if (code != PROBE_OK)
		return code;
	if (arming)
		code = arm(p, args);
	if (code == PROBE_OK)
		code = args->action == CELLS_PULSE ? pulse(p, args) :
		       args->action == CELLS_SWEEP ? sweep(p, args) : ramp(p, args);
	return arming && code != PROBE_GONE ? probe_safe(p, code) : code;
}

int cmd_cells(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct cells_args args = {.p = p, .voltage_uv = NOT_GIVEN, .start_uv = NOT_GIVEN, .step_uv = NOT_GIVEN,
		.stop_uv = NOT_GIVEN, .width_ns = NOT_GIVEN, .gap_ns = NOT_GIVEN, .target_ps = NOT_GIVEN};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_require(p, NMHAL_CAN_CELLS, "access to single cells");
	if (code != PROBE_OK)
		return code;
	return args.action == CELLS_CONDUCTANCE ? read_conductance(p, &args) : change(p, &args);
}
