/* SPDX-License-Identifier: MIT */
/*
 * vusbd DIRECTORY BUS NUMBER MODEL [PRODUCT [SERIAL [CLK_HZ]]]: serves a virtual device (model.h) until told "quit";
 * prints "ready". DIRECTORY/BUS-NUMBER.umockdev is the device as umockdev-run takes it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "vusbd.h"

static bool write_description(const char *directory, unsigned bus, unsigned number, const struct model *model)
{
	char text[DESCRIBE_SIZE], path[256];
	FILE *file;
	bool good;

	if (!describe_device(model, bus, number, text))
		return false;
	snprintf(path, sizeof(path), "%s/%03u-%03u.umockdev", directory, bus, number);
	file = fopen(path, "w");
	good = file && fputs(text, file) >= 0;
	return file && !fclose(file) && good;
}

int main(int argc, char **argv)
{
	struct model_params params = {.clk_hz = 0};
	struct vusbd *server = NULL;
	struct model model;
	unsigned bus, number;

	if (argc < 5) {
		fputs("usage: vusbd DIRECTORY BUS NUMBER MODEL [PRODUCT [SERIAL [CLK_HZ]]]\n", stderr);
		return 2;
	}
	bus = (unsigned)strtoul(argv[2], NULL, 10);
	number = (unsigned)strtoul(argv[3], NULL, 10);
	params.product = argc > 5 ? argv[5] : NULL;
	params.serial = argc > 6 ? argv[6] : NULL;
	params.clk_hz = argc > 7 ? strtoull(argv[7], NULL, 0) : 0;
	if (!model_new(argv[4], &params, &model)) {
		fprintf(stderr, "vusbd: no model %s\n", argv[4]);
		return 2;
	}
	if (write_description(argv[1], bus, number, &model))
		server = vusbd_start(argv[1], bus, number, model);
	if (!server) {
		perror("vusbd");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	vusbd_join(server);
	return 0;
}
