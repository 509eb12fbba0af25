/* SPDX-License-Identifier: MIT */
/*
 * vusbd DIRECTORY BUS NUMBER [PRODUCT [SERIAL [CLK_HZ]]]: serves a virtual board until told "quit"; prints "ready".
 * DIRECTORY/BUS-NUMBER.umockdev is the board as umockdev-run takes it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "vusbd.h"

static bool write_description(const char *directory, unsigned bus, unsigned number, const struct vftdi_params *params)
{
	char text[2048], path[256];
	FILE *file;
	bool good;

	if (!describe_board(params, bus, number, text, sizeof(text)))
		return false;
	snprintf(path, sizeof(path), "%s/%03u-%03u.umockdev", directory, bus, number);
	file = fopen(path, "w");
	good = file && fputs(text, file) >= 0;
	return file && !fclose(file) && good;
}

int main(int argc, char **argv)
{
	struct vftdi_params params = {.manufacturer = "libnmhal"};
	struct vusbd *server;
	unsigned bus, number;

	if (argc < 4) {
		fputs("usage: vusbd DIRECTORY BUS NUMBER [PRODUCT [SERIAL [CLK_HZ]]]\n", stderr);
		return 2;
	}
	bus = (unsigned)strtoul(argv[2], NULL, 10);
	number = (unsigned)strtoul(argv[3], NULL, 10);
	params.product = argc > 4 ? argv[4] : "NMHAL tinyODIN";
	params.serial = argc > 5 ? argv[5] : "NM000001";
	params.clk_hz = argc > 6 ? strtoull(argv[6], NULL, 0) : 0;
	server = vusbd_start(argv[1], bus, number, &params);
	if (!server || !write_description(argv[1], bus, number, &params)) {
		perror("vusbd");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	vusbd_join(server);
	return 0;
}
