/* SPDX-License-Identifier: MIT */
/* program and weights: chip images (HDF5) and weight matrices (.npy) to and from a device. */
#include "common.h"
#include "heatmap.h"
#include "matrix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_ROWS 16u /* rows of one call while a bar is shown, so that it moves; without one all go in one call */

/* ---- program ----------------------------------------------------------------------------------------------------- */

struct program_args {
	struct probe *p;
	const char *file;
	struct region_option region;
	uint32_t flags;
};

static error_t parse_program(int key, char *arg, struct argp_state *state)
{
	struct program_args *args = state->input;

	switch (key) {
	case 'r':
		return parse_region_option(args->p, arg, &args->region);
	case 'V':
		args->flags |= NMHAL_PROGRAM_VERIFY;
		return 0;
	case 'c':
		args->flags |= NMHAL_PROGRAM_ONLY_CHANGED;
		return 0;
	case ARGP_KEY_ARG:
		if (args->file != NULL)
			return ARGP_ERR_UNKNOWN;
		args->file = arg;
		return 0;
	case ARGP_KEY_END:
		return args->file != NULL || args->p->help ? 0 : usage_error(args->p, "FILE is missing");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option program_options[] = {
	{"region", 'r', "CORE,ROW,COL[,ROWS,COLS]", 0, "Where a .npy matrix goes (default: it must fill core 0)", 0},
	{"verify", 'V', NULL, 0, "Read back and compare", 0},
	{"only-changed", 'c', NULL, 0, "Write only cells whose code differs", 0},
	{0},
};
const struct argp program_argp = {
	.options = program_options, .parser = parse_program, .args_doc = "IMAGE.h5|WEIGHTS.npy"};

static int program_result(
	const struct probe *p, const struct program_args *args, const struct nmhal_program_report *report)
{
	if (p->json)
		return json_result(p, json_pack("{ss sI sI sb}", "file", args->file,
			"cells_written", (json_int_t)report->cells_written,
			"cells_skipped", (json_int_t)report->cells_skipped,
			"verified", (args->flags & NMHAL_PROGRAM_VERIFY) != 0));
	probe_note(p, "%s: %" PRIu64 " cells written, %" PRIu64 " already had their code%s", nmhal_device_uri(p->dev),
		report->cells_written, report->cells_skipped,
		args->flags & NMHAL_PROGRAM_VERIFY ? ", verified by reading back" : "");
	return PROBE_OK;
}

static int program_image(struct probe *p, const struct program_args *args)
{
	struct nmhal_program_report report = {.struct_size = sizeof(report)};
	nmhal_image *image = NULL;

	if (args->region.given)
		return probe_fail(p, NMHAL_E_INVALID,
			"program: %s: --region goes with a .npy file, an image is a whole chip", args->file);
	int status = nmhal_image_load(args->file, &image);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	int code = probe_open(p);
	if (code == PROBE_OK) {
		status = nmhal_image_program(p->dev, image, args->flags, p->timeout_ms, &report);
		code = status == NMHAL_OK ? program_result(p, args, &report) : probe_fail_last(p, status);
	}
	nmhal_image_free(image);
	return code;
}

/* Shape and codes are checked here, since the blocks below are separate calls. */
static int check_matrix(const struct probe *p, const struct program_args *args, const struct npy_matrix *matrix)
{
	const struct nmhal_region *region = &args->region.region;
	uint32_t rows = region->rows > 0 ? region->rows : matrix->rows;
	uint32_t cols = region->cols > 0 ? region->cols : matrix->cols;

	if (!args->region.given && (matrix->rows != p->caps.rows || matrix->cols != p->caps.cols))
		return probe_fail(p, NMHAL_E_INVALID,
			"program: %s: the matrix is %u x %u, a core is %u x %u; --region says where a part goes",
			args->file, matrix->rows, matrix->cols, p->caps.rows, p->caps.cols);
	if (matrix->rows != rows || matrix->cols != cols)
		return probe_fail(p, NMHAL_E_INVALID, "program: %s: the matrix is %u x %u, --region is %u x %u",
			args->file, matrix->rows, matrix->cols, rows, cols);
	if (region->core >= p->caps.cores || region->row >= p->caps.rows || rows > p->caps.rows - region->row
			|| region->col >= p->caps.cols || cols > p->caps.cols - region->col)
		return probe_fail(p, NMHAL_E_INVALID,
			"program: %s: %u x %u cells from core %u, row %u, column %u do not fit %u core(s) of %u x %u",
			args->file, rows, cols, region->core, region->row, region->col, p->caps.cores, p->caps.rows,
			p->caps.cols);
	for (size_t i = 0; i < (size_t)rows * cols; i++) {
		int32_t code = matrix->codes[i];
		if (code < p->caps.weight_min || code > p->caps.weight_max)
			return probe_fail(p, NMHAL_E_INVALID,
				"program: %s: row %zu, column %zu: weight %d is outside %d..%d", args->file, i / cols,
				i % cols, code, p->caps.weight_min, p->caps.weight_max);
	}
	return PROBE_OK;
}

static int program_matrix(struct probe *p, const struct program_args *args, const struct npy_matrix *matrix)
{
	struct nmhal_program_report total = {0}, report = {.struct_size = sizeof(report)};
	struct progress bar;
	uint32_t most;
	int code = check_matrix(p, args, matrix);

	if (code != PROBE_OK)
		return code;
	progress_start(p, &bar, "program", matrix->rows);
	most = bar.on ? BLOCK_ROWS : matrix->rows;
	for (uint32_t row = 0; row < matrix->rows && code == PROBE_OK; row += most) {
		uint32_t rows = matrix->rows - row < most ? matrix->rows - row : most;
		struct nmhal_program op = {.struct_size = sizeof(op), .region = args->region.region,
			.codes = matrix->codes + (size_t)row * matrix->cols, .code_type = NMHAL_CODE_I32,
			.flags = args->flags, .timeout_ms = p->timeout_ms};
		op.region.row += row;
		op.region.rows = rows;
		op.region.cols = matrix->cols;
		int status = nmhal_program_weights(p->dev, &op, &report);
		if (status != NMHAL_OK) {
			progress_end(&bar);
			code = probe_fail_last(p, status);
		}
		total.cells_written += report.cells_written;
		total.cells_skipped += report.cells_skipped;
		progress_at(&bar, row + rows);
	}
	progress_end(&bar);
	return code == PROBE_OK ? program_result(p, args, &total) : code;
}

static int program_npy(struct probe *p, const struct program_args *args, const char *data, size_t size)
{
	struct npy_matrix matrix = {0};
	char why[160];

	if (npy_parse(data, size, &matrix, why, sizeof(why)) != 0)
		return probe_fail(p, NMHAL_E_PROTOCOL, "%s: read weights: %s", args->file, why);
	int code = probe_open(p);
	if (code == PROBE_OK)
		code = program_matrix(p, args, &matrix);
	free(matrix.codes);
	return code;
}

int cmd_program(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct program_args args = {.p = p};
	size_t size = 0;
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	char *data = load_file(p, args.file, &size, &code);
	if (data == NULL)
		return code;
	if (has_suffix(args.file, ".npy") || (size >= 6 && memcmp(data, "\x93NUMPY", 6) == 0))
		code = program_npy(p, &args, data, size);
	else
		code = program_image(p, &args);
	free(data);
	return code;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

struct weights_args {
	struct probe *p;
	const char *output;
	struct region_option region;
};

static error_t parse_weights(int key, char *arg, struct argp_state *state)
{
	struct weights_args *args = state->input;

	switch (key) {
	case 'r':
		return parse_region_option(args->p, arg, &args->region);
	case 'o':
		args->output = arg;
		if (has_suffix(arg, ".npy") || has_suffix(arg, ".h5") || has_suffix(arg, ".hdf5"))
			return 0;
		return usage_error(args->p, "--output %s: the name must end in .npy (weights) or .h5 (chip image)",
			arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option weights_options[] = {
	{"region", 'r', "CORE,ROW,COL[,ROWS,COLS]", 0, "Part to read (default: all of core 0)", 0},
	{"output", 'o', "FILE", 0,
		"Write FILE.npy (weights) or FILE.h5 (image of the whole chip) instead of a heat map", 0},
	{0},
};
const struct argp weights_argp = {.options = weights_options, .parser = parse_weights};

static int save_image(const struct probe *p, const struct weights_args *args)
{
	nmhal_image *image = NULL;

	if (args->region.given)
		return probe_fail(p, NMHAL_E_INVALID,
			"weights: --region goes with a .npy file, an image is a whole chip");
	int status = nmhal_image_capture(p->dev, p->timeout_ms, &image);
	if (status == NMHAL_OK)
		status = nmhal_image_save(image, args->output);
	nmhal_image_free(image);
	if (status != NMHAL_OK)
		return probe_fail_last(p, status);
	if (p->json)
		return json_result(p, json_pack("{ss}", "file", args->output));
	probe_note(p, "%s: image of %s written", args->output, nmhal_device_uri(p->dev));
	return PROBE_OK;
}

static int read_blocks(const struct probe *p, const struct nmhal_region *region, int32_t *codes)
{
	struct progress bar;
	uint32_t most;
	int status = NMHAL_OK;

	progress_start(p, &bar, "read", region->rows);
	most = bar.on ? BLOCK_ROWS : region->rows;
	for (uint32_t row = 0; row < region->rows && status == NMHAL_OK; row += most) {
		struct nmhal_region block = *region;
		block.row += row;
		block.rows = region->rows - row < most ? region->rows - row : most;
		status = nmhal_read_weights(p->dev, &block, codes + (size_t)row * region->cols, 0, NMHAL_CODE_I32,
			p->timeout_ms);
		progress_at(&bar, row + block.rows);
	}
	progress_end(&bar);
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

static json_t *region_json(const struct nmhal_region *region, const int32_t *codes)
{
	return json_pack("{sI sI sI sI sI so}", "core", (json_int_t)region->core, "row", (json_int_t)region->row,
		"col", (json_int_t)region->col, "rows", (json_int_t)region->rows, "cols", (json_int_t)region->cols,
		"codes", matrix_json(codes, region->rows, region->cols));
}

static int show_weights(const struct probe *p, const struct weights_args *args, const struct nmhal_region *region,
	const int32_t *codes)
{
	if (args->output != NULL) {
		int code = matrix_save(p, args->output, codes, region->rows, region->cols);
		if (code != PROBE_OK)
			return code;
	}
	if (p->json && args->output == NULL)
		return json_result(p, region_json(region, codes));
	if (p->json)
		return json_result(p, json_pack("{ss sI sI}", "file", args->output, "rows", (json_int_t)region->rows,
			"cols", (json_int_t)region->cols));
	if (args->output != NULL) {
		probe_note(p, "%s: %u x %u weights written", args->output, region->rows, region->cols);
		return PROBE_OK;
	}
	int32_t limit = p->caps.weight_max > -p->caps.weight_min ? p->caps.weight_max : -p->caps.weight_min;
	probe_note(p, "core %u, rows %u..%u down, columns %u..%u across; %s", region->core, region->row,
		region->row + region->rows - 1, region->col, region->col + region->cols - 1,
		terminal_columns(STDOUT_FILENO) > 0 ? "red positive, blue negative" : "a..i negative, 1..9 positive");
	heatmap_draw(stdout, codes, region->rows, region->cols, limit, terminal_columns(STDOUT_FILENO));
	return PROBE_OK;
}

int cmd_weights(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct weights_args args = {.p = p};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_require(p, NMHAL_CAN_READ_WEIGHTS, "read-back of weights");
	if (code != PROBE_OK)
		return code;
	if (args.output != NULL && !has_suffix(args.output, ".npy"))
		return save_image(p, &args);
	struct nmhal_region region = args.region.region;
	code = region_resolve(p, "read weights", &region);
	if (code != PROBE_OK)
		return code;
	int32_t *codes = calloc((size_t)region.rows * region.cols, sizeof(*codes));
	if (codes == NULL)
		return probe_no_memory(p);
	code = read_blocks(p, &region, codes);
	if (code == PROBE_OK)
		code = show_weights(p, &args, &region, codes);
	free(codes);
	return code;
}
