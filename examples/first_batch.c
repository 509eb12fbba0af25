/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include <nmhal/nmhal.h>

/* Weights 7 on the diagonal of a 64 x 64 crossbar: what goes in comes out, 7 times as large, in steps of the ADC. */
int main(int argc, char **argv)
{
	static int8_t weights[64][64], in[4][64], out[4][64];
	const struct nmhal_region part = {.rows = 64, .cols = 64}; /* of core 0 */
	struct nmhal_program program = {.struct_size = sizeof(program), .region = part, .codes = weights,
		.code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_VERIFY};
	struct nmhal_inference batch = {.struct_size = sizeof(batch), .region = part, .in = in, .out = out, .batch = 4,
		.in_type = NMHAL_CODE_I8, .out_type = NMHAL_CODE_I8};
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int failed;

	for (int i = 0; i < 64; i++)
		weights[i][i] = 7;
	for (int v = 0; v < 4; v++)
		in[v][v] = (int8_t)(60 - 10 * v);
	failed = nmhal_context_new(NULL, &ctx) ||
		nmhal_device_open(ctx, argc > 1 ? argv[1] : "sim:xbar64", NULL, &dev) ||
		nmhal_device_caps(dev, &caps) || nmhal_program_weights(dev, &program, NULL) ||
		nmhal_run_inference(dev, &batch);
	if (failed)
		fprintf(stderr, "%s\n", nmhal_last_error());
	for (int v = 0; v < 4 && !failed; v++)
		printf("vector %d: output %d is %d, times %g = %g\n", v, v, out[v][v], caps.output_lsb,
			out[v][v] * caps.output_lsb);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return failed;
}
