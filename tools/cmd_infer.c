/* SPDX-License-Identifier: MIT */
/* infer: a batch of matrix-vector products on the crossbar, from a file to a file, a table or JSON. */
#include "common.h"
#include "matrix.h"

#include <stdlib.h>

struct infer_args {
	struct probe *p;
	const char *input, *output;
	struct region_option region;
	uint64_t first_vector;
	uint32_t flags;
	uint32_t batch; /* vectors of one call; 0: as many as the device takes */
};

static error_t parse_infer(int key, char *arg, struct argp_state *state)
{
	struct infer_args *args = state->input;
	int64_t number;

	switch (key) {
	case 'r':
		return parse_region_option(args->p, arg, &args->region);
	case 't':
		args->flags |= NMHAL_INFER_TRANSPOSED;
		return 0;
	case 'b':
		args->flags |= NMHAL_INFER_BIT_SERIAL;
		return 0;
	case 'f':
		if (!parse_number(arg, 0, INT64_MAX, &number))
			return usage_error(args->p, "--first-vector %s: not a number", arg);
		args->first_vector = (uint64_t)number;
		return 0;
	case 'n':
		if (!parse_number(arg, 1, UINT32_MAX, &number))
			return usage_error(args->p, "--batch %s: not a number of vectors", arg);
		args->batch = (uint32_t)number;
		return 0;
	case 'o':
		args->output = arg;
		return matrix_name(arg) ? 0 : usage_error(args->p, "--output %s: must end in .npy or .csv", arg);
	case ARGP_KEY_ARG:
		if (args->input != NULL)
			return ARGP_ERR_UNKNOWN;
		args->input = arg;
		return 0;
	case ARGP_KEY_END:
		return args->input != NULL || args->p->help ? 0 : usage_error(args->p, "FILE is missing");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option infer_options[] = {
	{"region", 'r', "CORE,ROW,COL[,ROWS,COLS]", 0, "Part that is multiplied with (default: all of core 0)", 0},
	{"transposed", 't', NULL, 0, "Inputs drive columns, outputs are rows", 0},
	{"bit-serial", 'b', NULL, 0, "Apply the inputs a bit at a time", 0},
	{"first-vector", 'f', "N", 0, "Index of the first vector, which keys the noise (default: 0)", 0},
	{"batch", 'n', "N", 0, "Vectors of one call (default: as many as the device takes)", 0},
	{"output", 'o', "FILE", 0, "Write FILE.npy or FILE.csv ([vector][output]) instead of a table", 0},
	{0},
};
const struct argp infer_argp = {.options = infer_options, .parser = parse_infer, .args_doc = "INPUTS.npy|INPUTS.csv",
	.doc = "\vINPUTS holds [vector][input] codes; a CSV file has a vector a line. - is standard input."};

/* A whole inference, in as many calls as it takes. */
struct inference {
	const struct infer_args *args;
	struct nmhal_region region;
	struct npy_matrix in;
	uint32_t outputs;
	int32_t *out;       /* [in.rows][outputs] */
	uint8_t *saturated; /* likewise */
	uint64_t clipped;
};

static int prepare(const struct probe *p, struct inference *job)
{
	bool transposed = job->args->flags & NMHAL_INFER_TRANSPOSED;

	job->region = job->args->region.region;
	int code = region_resolve(p, "inference", &job->region);
	if (code != PROBE_OK)
		return code;
	uint32_t inputs = transposed ? job->region.cols : job->region.rows;
	job->outputs = transposed ? job->region.rows : job->region.cols;
	if (job->in.cols != inputs)
		return probe_fail(p, NMHAL_E_INVALID, "infer: %s: vectors of %u codes, the region has %u %s",
			job->args->input, job->in.cols, inputs, transposed ? "columns" : "rows");
	job->out = calloc((size_t)job->in.rows * job->outputs, sizeof(*job->out));
	job->saturated = calloc((size_t)job->in.rows * job->outputs, 1);
	return job->out != NULL && job->saturated != NULL ? PROBE_OK : probe_no_memory(p);
}

static int infer_all(const struct probe *p, struct inference *job)
{
	uint32_t most = job->args->batch > 0 && job->args->batch < p->caps.max_batch ? job->args->batch :
										       p->caps.max_batch;
	struct progress bar;
	int status = NMHAL_OK;

	progress_start(p, &bar, "infer", job->in.rows);
	for (uint32_t vector = 0; vector < job->in.rows && status == NMHAL_OK; vector += most) {
		uint32_t batch = job->in.rows - vector < most ? job->in.rows - vector : most;
		struct nmhal_inference op = {.struct_size = sizeof(op), .region = job->region,
			.in = job->in.codes + (size_t)vector * job->in.cols,
			.out = job->out + (size_t)vector * job->outputs,
			.saturated = job->saturated + (size_t)vector * job->outputs,
			.first_vector = job->args->first_vector + vector, .batch = batch,
			.in_type = NMHAL_CODE_I32, .out_type = NMHAL_CODE_I32, .flags = job->args->flags,
			.timeout_ms = p->timeout_ms};
		status = nmhal_run_inference(p->dev, &op);
		progress_at(&bar, vector + batch);
	}
	progress_end(&bar);
	for (size_t i = 0; i < (size_t)job->in.rows * job->outputs; i++)
		job->clipped += job->saturated[i];
	return status == NMHAL_OK ? PROBE_OK : probe_fail_last(p, status);
}

static int show(const struct probe *p, const struct inference *job)
{
	const char *output = job->args->output;
	int code = output == NULL ? PROBE_OK : matrix_save(p, output, job->out, job->in.rows, job->outputs);

	if (code != PROBE_OK)
		return code;
	if (output == NULL && !p->json)
		matrix_print(stdout, job->out, job->in.rows, job->outputs);
	probe_note(p, "%s: %u vectors, %u outputs each, %" PRIu64 " of them clipped by the converter",
		nmhal_device_uri(p->dev), job->in.rows, job->outputs, job->clipped);
	if (!p->json)
		return PROBE_OK;
	json_t *result = json_pack("{sI sI sI sI}", "vectors", (json_int_t)job->in.rows,
		"outputs", (json_int_t)job->outputs, "clipped", (json_int_t)job->clipped,
		"first_vector", (json_int_t)job->args->first_vector);
	if (output != NULL)
		json_object_set_new(result, "file", json_string(output));
	else
		json_object_set_new(result, "codes", matrix_json(job->out, job->in.rows, job->outputs));
	return json_result(p, result);
}

int cmd_infer(struct probe *p, const struct command *self, int argc, char **argv)
{
	struct infer_args args = {.p = p};
	struct inference job = {.args = &args};
	int code = probe_parse(p, self, argc, argv, &args);

	if (code != PROBE_OK || p->help)
		return code;
	code = matrix_load(p, args.input, &job.in);
	if (code == PROBE_OK)
		code = probe_open(p);
	if (code == PROBE_OK)
		code = probe_require(p, NMHAL_CAN_INFER, "inference");
	if (code == PROBE_OK)
		code = prepare(p, &job);
	if (code == PROBE_OK)
		code = infer_all(p, &job);
	if (code == PROBE_OK)
		code = show(p, &job);
	free(job.in.codes);
	free(job.out);
	free(job.saturated);
	return code;
}
