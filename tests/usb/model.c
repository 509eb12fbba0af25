/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#include "serial_board.h"
#include "sim/vftdi/vftdi.h"

bool model_new(const char *name, const struct model_params *params, struct model *model)
{
	const struct vftdi_params ftdi = {
		.ft232h = !strcmp(name, "ft232h"),
		.clk_hz = params->clk_hz,
		.manufacturer = "libnmhal",
		.product = params->product ? params->product : "NMHAL tinyODIN",
		.serial = params->serial ? params->serial : "NM000001",
	};

	if (!strcmp(name, "tinyodin") || ftdi.ft232h)
		return model_ftdi_new(&ftdi, model);
	if (!strcmp(name, "uart") || !strcmp(name, "fifo"))
		return model_serial_new(params, !strcmp(name, "fifo"), NULL, model);
	if (!strncmp(name, "uart+", 5) || !strncmp(name, "fifo+", 5)) {
		struct serial_board *board = serial_board_new(model_sim_board(name + 5));

		return board && model_serial_new(params, name[0] == 'f', board, model);
	}
	if (!strcmp(name, "echo"))
		return model_echo_new(params, model);
	return model_board_new(name, params, model);
}
