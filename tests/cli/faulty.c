/* SPDX-License-Identifier: MIT */
/*
 * Linked into nmhal-probe-faulty: adds the link "bench" to every context. Behind it are attached boards, each an
 * emulated chip with a defect of its own. $BENCH_BOARDS says how many are attached; 2 without it. Adds "analog" of
 * analog.c and "mutant" of mutant.c too.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nmhal/driver.h>

#define NONE UINT32_MAX
#define OP_NEURON  (UINT32_C(1) << 16)
#define OP_SYNAPSE (UINT32_C(2) << 16)

extern const struct nmhal_link nm_link_sim;
extern const struct nmhal_driver analog_driver;
extern const struct nmhal_link mutant_link;
int __real_nmhal_context_new(const struct nmhal_context_params *params, nmhal_context **out);
int __wrap_nmhal_context_new(const struct nmhal_context_params *params, nmhal_context **out);

struct board {
	struct nmhal_host *host;
	struct nmhal_bus chip;
	uint32_t stuck_field, stuck_bits; /* reads of this address field have these bits set */
	uint32_t mute;                    /* no output of this neuron arrives */
	int fail;                         /* what reset returns */
};

static void board_close(void *self)
{
	struct board *board = self;

	board->chip.ops->close(board->chip.self);
	free(board);
}

static void board_info(void *self, struct nmhal_bus_info *info)
{
	struct board *board = self;

	board->chip.ops->info(board->chip.self, info);
	info->emulated = 0;
}

static int board_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct board *board = self;
	int status = board->chip.ops->spi(board->chip.self, frames, count, replies, deadline_ns);

	for (size_t i = 0; replies && i < count; i++)
		if ((frames[i] >> 20 & 0x3ffff) == board->stuck_field)
			replies[i] |= board->stuck_bits;
	return status;
}

static int board_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct board *board = self;
	int status = board->chip.ops->events(board->chip.self, transfer, deadline_ns);
	size_t kept = 0;

	for (size_t i = 0; i < transfer->out_count; i++)
		if (transfer->out[i].address != board->mute)
			transfer->out[kept++] = transfer->out[i];
	transfer->out_count = kept;
	return status;
}

static int board_reset(void *self, int64_t deadline_ns)
{
	struct board *board = self;

	if (board->fail)
		return nmhal_host_fail(board->host, board->fail, "reset: fails as told");
	return board->chip.ops->reset(board->chip.self, deadline_ns);
}

static const struct nmhal_bus_ops board_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = board_close,
	.info = board_info,
	.spi = board_spi,
	.events = board_events,
	.reset = board_reset,
};

static int number(struct nmhal_host *host, const struct nmhal_uri *uri, const char *key, uint32_t *out)
{
	uint64_t value = NONE;
	int status = nmhal_uri_number(host, uri, key, NONE, 0, 255, &value);

	*out = (uint32_t)value;
	return status;
}

static int read_keys(struct nmhal_host *host, const struct nmhal_uri *uri, struct board *board)
{
	static const char *const keys[] = {"row", "col", "neuron", "bit", "mute", "fail"};
	uint32_t values[6];

	for (unsigned i = 0; i < 6; i++) {
		int status = number(host, uri, keys[i], &values[i]);
		if (status != NMHAL_OK)
			return status;
	}
	uint32_t row = values[0], col = values[1], neuron = values[2], bit = values[3];
	board->stuck_field = NONE;
	if (row != NONE) {
		board->stuck_field = OP_SYNAPSE | (col >> 1 & 3) << 13 | row << 5 | col >> 3;
		board->stuck_bits = UINT32_C(1) << (bit + 4 * (col & 1));
	} else if (neuron != NONE) {
		board->stuck_field = OP_NEURON | (bit >> 3) << 8 | neuron;
		board->stuck_bits = UINT32_C(1) << (bit & 7);
	}
	board->mute = values[4];
	board->fail = values[5] == NONE ? NMHAL_OK : -(int)values[5];
	return NMHAL_OK;
}

static int bench_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	struct board *board = calloc(1, sizeof(*board));

	if (!board)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory");
	board->host = host;
	int status = read_keys(host, uri, board);
	if (status == NMHAL_OK)
		status = nm_link_sim.open(host, uri, deadline_ns, &board->chip, stream);
	if (status != NMHAL_OK) {
		free(board);
		return status;
	}
	*bus = (struct nmhal_bus){&board_ops, board};
	return NMHAL_OK;
}

static int bench_enumerate(struct nmhal_found *found)
{
	static const int access[] = {NMHAL_OK, NMHAL_E_BUSY, NMHAL_E_ACCESS};
	const char *boards = getenv("BENCH_BOARDS");
	unsigned count = boards ? (unsigned)strtoul(boards, NULL, 10) : 2;
	int status = NMHAL_OK;

	for (unsigned i = 0; i < count && status == NMHAL_OK; i++) {
		char uri[40], serial[8];

		snprintf(serial, sizeof(serial), "B%u", i % 10);
		snprintf(uri, sizeof(uri), "bench:tinyodin,serial=%s", serial);
		status = nmhal_found_add(found, uri, "tinyodin", serial, access[i % 3]);
	}
	return status;
}

static const struct nmhal_key bench_keys[] = {
	{"serial", "which board"},
	{"row", "with col, bit: this bit of a weight reads as 1"},
	{"col", "see row"},
	{"neuron", "with bit: this bit of a neuron word reads as 1"},
	{"bit", "see row, neuron"},
	{"mute", "no spike of this neuron arrives"},
	{"fail", "a reset returns this status, written without its minus"},
	{"init", "as for sim"},
	{"clk_hz", "as for sim"},
	{"simd", "as for sim"},
	{NULL, NULL},
};

static const struct nmhal_link bench_link = {
	.abi = NMHAL_DRIVER_ABI,
	.struct_size = sizeof(struct nmhal_link),
	.scheme = "bench",
	.summary = "boards with defects",
	.default_board = "tinyodin",
	.keys = bench_keys,
	.enumerate = bench_enumerate,
	.open = bench_open,
};

int __wrap_nmhal_context_new(const struct nmhal_context_params *params, nmhal_context **out)
{
	struct nmhal_context_params none = *params;
	/* A context with this link, and wrappers perhaps: the library does not know it by name. */
	const size_t length = strlen(mutant_link.scheme);
	bool own = params->drivers && strncmp(params->drivers, mutant_link.scheme, length) == 0;
	int status;

	if (own)
		none.drivers = params->drivers + length + (params->drivers[length] == ',');
	status = __real_nmhal_context_new(own ? &none : params, out);

	if (status == NMHAL_OK)
		status = nmhal_context_add_link(*out, &bench_link);
	if (status == NMHAL_OK)
		status = nmhal_context_add_link(*out, &mutant_link);
	return status == NMHAL_OK ? nmhal_context_add_driver(*out, &analog_driver) : status;
}
