/* SPDX-License-Identifier: MIT */
/*
 * A session with an xbar8 that uses a little of all it has, and prints what came back: what test_link.py records and
 * plays.
 *
 * usage: link_session URI
 */
#include <inttypes.h>
#include <stdio.h>

#include <nmhal/nmhal.h>

#define SIDE  8u
#define BATCH 5u

static void print(const char *name, const int32_t *values, size_t count)
{
	printf("%s:", name);
	for (size_t n = 0; n < count; n++)
		printf(" %" PRId32, values[n]);
	printf("\n");
}

static int weights(nmhal_device *dev)
{
	static const struct nmhal_cell deltas[] = {{0, 1, 2, 30}, {0, 7, 7, -127}};
	const struct nmhal_program update = {.struct_size = sizeof(update), .cells = deltas, .cell_count = 2};
	int32_t codes[SIDE * SIDE];
	const struct nmhal_program program = {.struct_size = sizeof(program), .codes = codes,
		.code_type = NMHAL_CODE_I32, .flags = NMHAL_PROGRAM_VERIFY};
	int status;

	for (int n = 0; n < (int)(SIDE * SIDE); n++)
		codes[n] = n * 29 % 181 - 90;
	status = nmhal_program_weights(dev, &program, NULL);
	if (status == NMHAL_OK)
		status = nmhal_update_weights(dev, &update, NULL);
	if (status == NMHAL_OK)
		status = nmhal_read_weights(dev, NULL, codes, 0, NMHAL_CODE_I32, 0);
	if (status == NMHAL_OK)
		print("weights", codes, SIDE * SIDE);
	return status;
}

static int products(nmhal_device *dev, uint32_t flags)
{
	int32_t in[BATCH * SIDE], out[BATCH * SIDE];
	const struct nmhal_inference op = {.struct_size = sizeof(op), .in = in, .out = out, .batch = BATCH,
		.in_type = NMHAL_CODE_I32, .out_type = NMHAL_CODE_I32, .flags = flags};
	int status;

	for (int n = 0; n < (int)(BATCH * SIDE); n++)
		in[n] = n * 17 % 61 - 30;
	status = nmhal_run_inference(dev, &op);
	if (status == NMHAL_OK)
		print(flags ? "transposed" : "forward", out, BATCH * SIDE);
	return status;
}

/* A pulse above read level is refused until the board is armed. */
static int cells(nmhal_device *dev)
{
	const struct nmhal_cell_pulse pulse = {.struct_size = sizeof(pulse), .row = 3, .col = 4, .voltage_uv = 1500000,
		.width_ns = 1000, .pulses = 2};
	uint32_t conductance[SIDE], applied = 0;
	const struct nmhal_conductance_read read = {.struct_size = sizeof(read),
		.region = {.row = 3, .rows = 1, .cols = SIDE}, .conductance_ps = conductance};
	int status = nmhal_cell_pulse(dev, &pulse, &applied);

	printf("not armed: %s\n", nmhal_status_name(status));
	status = nmhal_arm(dev, 1000, 0);
	if (status == NMHAL_OK)
		status = nmhal_cell_pulse(dev, &pulse, &applied);
	if (status == NMHAL_OK)
		status = nmhal_disarm(dev, 0);
	if (status == NMHAL_OK)
		status = nmhal_read_conductance(dev, &read);
	printf("pulses: %" PRIu32 "\n", applied);
	for (size_t n = 0; n < SIDE && status == NMHAL_OK; n++)
		printf("conductance: %" PRIu32 " pS\n", conductance[n]);
	return status;
}

int main(int argc, char **argv)
{
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: %s URI\n", argv[0]);
		return 2;
	}
	status = nmhal_context_new(NULL, &ctx);
	if (status == NMHAL_OK)
		status = nmhal_device_open(ctx, argv[1], NULL, &dev);
	if (status == NMHAL_OK)
		status = weights(dev);
	if (status == NMHAL_OK)
		status = products(dev, 0);
	if (status == NMHAL_OK)
		status = products(dev, NMHAL_INFER_TRANSPOSED);
	if (status == NMHAL_OK)
		status = cells(dev);
	if (status != NMHAL_OK)
		fprintf(stderr, "%s\n", nmhal_last_error());
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return status != NMHAL_OK;
}
