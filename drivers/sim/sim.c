/* SPDX-License-Identifier: MIT */
/* The link to the emulator: which boards there are and which keys they take. */
#include <stdio.h>
#include <string.h>

#include "sim/board.h"

#include "ends.h"

#define CHIP "tinyodin"

#define CHIP_KEYS(KEY)                                                                                                 \
	KEY(init, "memory of tinyodin at power-up: off (default): zero weights, all neurons disabled; zero: all bits") \
	KEY(via, "way to tinyodin: model (default): the chip's events; ftdi: its pins, behind a virtual FT2232H")

#define KEY_ROW(name, summary) {#name, summary},
static const struct nmhal_key sim_keys[] = {
	CHIP_KEYS(KEY_ROW)
	{"clk_hz", "clock that turns cycles into time, 1 to 1000000000 (default 50000000)"},
	SIM_XBAR_KEYS(KEY_ROW)
	{NULL, NULL},
};

/* Keys of the boards that speak nmlink are refused by name; init, via and simd are checked by the bus. */
static int check_chip_keys(struct nmhal_host *host, const struct nmhal_uri *uri)
{
	static const char *const known[] = {"init", "via", "clk_hz", "simd"};

	for (const struct nmhal_key *key = sim_keys; key->name; key++) {
		bool mine = !nmhal_uri_value(uri, key->name);

		for (size_t n = 0; n < sizeof(known) / sizeof(known[0]); n++)
			mine = mine || !strcmp(key->name, known[n]);
		if (!mine)
			return nmhal_host_fail(host, NMHAL_E_INVALID,
				"open: key '%s': " CHIP " has no such key; there are: init via clk_hz simd", key->name);
	}
	return NMHAL_OK;
}

static int no_board(struct nmhal_host *host, const char *board)
{
	char names[256] = CHIP;
	size_t used = strlen(names);

	for (unsigned n = 0; sim_board_name(n) && used < sizeof(names); n++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, ", %s", sim_board_name(n));
	return nmhal_host_fail(host, NMHAL_E_NO_DEVICE, "open: no emulated board %s; there are: %s", board, names);
}

static int sim_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *board = nmhal_uri_board(uri);
	enum sim_board_kind kind;
	int status;

	if (sim_board_find(board, &kind))
		return sim_open_stream(host, uri, sim_keys, stream);
	if (strcmp(board, CHIP) != 0)
		return no_board(host, board);
	status = check_chip_keys(host, uri);
	return status == NMHAL_OK ? sim_open_bus(host, uri, deadline_ns, bus) : status;
}

static int sim_enumerate(struct nmhal_found *found)
{
	int status = nmhal_found_add(found, "sim:" CHIP, CHIP, "", NMHAL_OK);
	char uri[64];

	for (unsigned n = 0; status == NMHAL_OK && sim_board_name(n); n++) {
		snprintf(uri, sizeof(uri), "sim:%s", sim_board_name(n));
		status = nmhal_found_add(found, uri, sim_board_name(n), "", NMHAL_OK);
	}
	return status;
}

extern const struct nmhal_link nm_link_sim;
const struct nmhal_link nm_link_sim = {
	.abi = NMHAL_DRIVER_ABI,
	.emulated = 1,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "sim",
	.summary = "emulated boards, bit-exact, part of the library",
	.keys = sim_keys,
	.enumerate = sim_enumerate,
	.open = sim_open,
};
