/* SPDX-License-Identifier: MIT */
/* usage: own_board line:own,path=/dev/ttyACM0. Adds the driver and the link, then uses the board like any other. */
#include <stdio.h>

#include "own_board.h"

int main(int argc, char **argv)
{
	const int8_t codes[2][3] = {{1, 2, 3}, {-4, -5, -6}};
	int8_t back[2][3];
	const struct nmhal_program weights = {.struct_size = sizeof(weights), .region = {.rows = 2, .cols = 3},
		.codes = codes, .code_type = NMHAL_CODE_I8, .flags = NMHAL_PROGRAM_VERIFY};
	nmhal_context *ctx = NULL;
	nmhal_device *dev = NULL;
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: %s line:own,path=/dev/ttyACM0\n", argv[0]);
		return 2;
	}
	status = nmhal_context_new(NULL, &ctx);
	if (status == NMHAL_OK)
		status = nmhal_context_add_link(ctx, &own_link);
	if (status == NMHAL_OK)
		status = nmhal_context_add_driver(ctx, &own_driver);
	if (status == NMHAL_OK)
		status = nmhal_device_open(ctx, argv[1], NULL, &dev);
	if (status == NMHAL_OK)
		status = nmhal_program_weights(dev, &weights, NULL);
	if (status == NMHAL_OK)
		status = nmhal_read_weights(dev, &weights.region, back, 0, NMHAL_CODE_I8, NMHAL_TIMEOUT_DEFAULT);
	if (status == NMHAL_OK)
		printf("%d %d %d\n%d %d %d\n", back[0][0], back[0][1], back[0][2], back[1][0], back[1][1], back[1][2]);
	else
		fprintf(stderr, "%s\n", nmhal_last_error());
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	return status == NMHAL_OK ? 0 : 1;
}
