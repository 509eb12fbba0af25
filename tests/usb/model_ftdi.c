/* SPDX-License-Identifier: MIT */
/*
 * The virtual FT2232H (sim/vftdi) as a model: with a tinyODIN, or with an echo or an emulated board on its serial port
 * or FIFO.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "serial_board.h"
#include "sim/tinyodin_pins.h"
#include "sim/vftdi/vftdi.h"

#define BAUD        115200u
#define ECHO_SIZE   16384u
#define VENDOR_OUT  0x40u /* of a setup packet, and two requests */
#define RESET       0u
#define SET_BITMODE 11u
#define LINE_STATUS 1u    /* byte of an IN packet */
#define OVERRUN     0x02u

struct module {
	struct vftdi *dev;
	struct serial_board *board; /* NULL: the pipe, or the echo, if anything */
	const struct model_pipe *pipe;
	bool hold; /* the echo takes nothing */
	bool overrun; /* the next IN packet says so */
	size_t head, count;
	uint8_t bytes[ECHO_SIZE];
};

/* ---- the echo ---------------------------------------------------------------------------------------------------- */

static size_t echo_put(void *user, const uint8_t *bytes, size_t size)
{
	struct module *module = user;
	size_t n;

	for (n = 0; n < size && module->count < ECHO_SIZE && !module->hold; n++)
		module->bytes[(module->head + module->count++) % ECHO_SIZE] = bytes[n];
	return n;
}

static size_t echo_get(void *user, uint8_t *bytes, size_t size)
{
	struct module *module = user;
	size_t n;

	for (n = 0; n < size && module->count; n++, module->count--, module->head++)
		bytes[n] = module->bytes[module->head % ECHO_SIZE];
	return n;
}

static void echo_say(struct module *module, size_t size)
{
	for (size_t n = 0; n < size && module->count < ECHO_SIZE; n++)
		module->bytes[(module->head + module->count++) % ECHO_SIZE] = (uint8_t)n;
}

/* ---- the module -------------------------------------------------------------------------------------------------- */

static struct vftdi *dev_of(void *self)
{
	return ((struct module *)self)->dev;
}

static void ftdi_free(void *self)
{
	vftdi_free(dev_of(self));
	serial_board_free(((struct module *)self)->board);
	free(self);
}

static const uint8_t *ftdi_descriptors(void *self, size_t *size)
{
	return vftdi_descriptors(dev_of(self), size);
}

static int ftdi_control(void *self, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	return vftdi_control(dev_of(self), setup, data, capacity);
}

static int ftdi_out(void *self, unsigned endpoint, const uint8_t *data, size_t size)
{
	return !size || vftdi_out(dev_of(self), endpoint, data, size) ? (int)size : MODEL_NAK;
}

static int ftdi_in(void *self, unsigned endpoint, uint8_t packet[MODEL_PACKET], uint64_t now_us, uint64_t *again_us)
{
	struct module *module = self;
	size_t size = vftdi_in(module->dev, endpoint, packet, MODEL_PACKET, now_us, again_us);

	if (size && module->overrun) {
		packet[LINE_STATUS] |= OVERRUN;
		module->overrun = false;
	}
	return size ? (int)size : MODEL_NAK;
}

static void ftdi_clear_halt(void *self, unsigned endpoint)
{
	(void)self;
	(void)endpoint;
}

/* What is behind it keeps its memories: its supply is its own. */
static void ftdi_replug(void *self)
{
	struct module *module = self;

	module->count = 0;
	if (module->board)
		serial_board_cut(module->board);
	if (module->pipe)
		module->pipe->cut(module->pipe->user);
	for (unsigned channel = 1; channel <= VFTDI_CHANNELS; channel++) {
		const uint8_t reset[8] = {VENDOR_OUT, RESET, 0, 0, (uint8_t)channel};
		const uint8_t mode[8] = {VENDOR_OUT, SET_BITMODE, 0, 0, (uint8_t)channel};

		(void)vftdi_control(dev_of(self), reset, NULL, 0);
		(void)vftdi_control(dev_of(self), mode, NULL, 0);
	}
}

static void ftdi_tick(void *self)
{
	struct module *module = self;

	if (module->board)
		serial_board_tick(module->board);
}

static void ftdi_submitted(void *self, unsigned endpoint)
{
	vftdi_count_submit(dev_of(self), endpoint);
}

static void ftdi_transferred(void *self, unsigned endpoint)
{
	vftdi_count_transfer(dev_of(self), endpoint);
}

static bool ftdi_empties(const uint8_t setup[8])
{
	return setup[0] == VENDOR_OUT && (setup[1] == RESET || setup[1] == SET_BITMODE);
}

static uint64_t ftdi_spent_us(void *self)
{
	return vftdi_counters(dev_of(self)).ticks / (VFTDI_TICK_HZ / 1000000u);
}

static uint64_t ftdi_progress(void *self)
{
	return vftdi_counters(dev_of(self)).events_in;
}

static void print_counters(const struct vftdi *device, char *text, size_t size)
{
	const struct vftdi_counters c = vftdi_counters(device);

	snprintf(text, size,
		"controls %llu\nout_transfers %llu\nin_transfers %llu\nout_packets %llu\nin_packets %llu\n"
		"status_packets %llu\nout_bytes %llu\nin_bytes %llu\nmicroframes %llu\nround_trips %llu\nsck %llu\n"
		"ticks %llu\nevents_in %llu\nevents_out %llu\n",
		(unsigned long long)c.controls, (unsigned long long)c.out_transfers,
		(unsigned long long)c.in_transfers, (unsigned long long)c.out_packets,
		(unsigned long long)c.in_packets, (unsigned long long)c.status_packets,
		(unsigned long long)c.out_bytes, (unsigned long long)c.in_bytes, (unsigned long long)c.microframes,
		(unsigned long long)c.round_trips, (unsigned long long)c.sck, (unsigned long long)c.ticks,
		(unsigned long long)c.events_in, (unsigned long long)c.events_out);
}

static int write_memory(struct vftdi *device, const char *path)
{
	const struct tinyodin_pins *chip = vftdi_chip(device);
	FILE *file = fopen(path, "wb");
	bool good;

	if (!file)
		return -errno;
	good = fwrite(tinyodin_pins_neurons(chip), sizeof(uint32_t), 256, file) == 256 &&
		fwrite(tinyodin_pins_synapses(chip), sizeof(uint32_t), 8192, file) == 8192;
	return fclose(file) || !good ? -EIO : 0;
}

static int ftdi_tell(void *self, const char *text, char *reply, size_t size)
{
	if (!strncmp(text, "memory ", 7))
		return write_memory(dev_of(self), text + 7);
	if (!strcmp(text, "count"))
		vftdi_count_reset(dev_of(self));
	else if (!strcmp(text, "counters"))
		print_counters(dev_of(self), reply, size);
	else if (!strncmp(text, "clock ", 6))
		vftdi_stop_clock(dev_of(self), !strcmp(text + 6, "off"));
	else if (!strncmp(text, "hold ", 5))
		((struct module *)self)->hold = !strcmp(text + 5, "on");
	else if (!strcmp(text, "overrun"))
		((struct module *)self)->overrun = true;
	else if (!strncmp(text, "stale ", 6))
		echo_say(self, strtoul(text + 6, NULL, 10));
	else
		return -EINVAL;
	return 0;
}

static const struct model_ops ftdi_ops = {
	.kernel_driver = "ftdi_sio",
	.interfaces = VFTDI_CHANNELS,
	.free = ftdi_free,
	.descriptors = ftdi_descriptors,
	.control = ftdi_control,
	.out = ftdi_out,
	.in = ftdi_in,
	.clear_halt = ftdi_clear_halt,
	.replug = ftdi_replug,
	.tick = ftdi_tick,
	.submitted = ftdi_submitted,
	.transferred = ftdi_transferred,
	.empties = ftdi_empties,
	.spent_us = ftdi_spent_us,
	.progress = ftdi_progress,
	.tell = ftdi_tell,
};

/* What is behind the channel A of a module. */
static void connect(struct module *module, struct vftdi_far *far)
{
	if (module->board) {
		far->put = serial_board_put;
		far->get = serial_board_get;
		far->user = module->board;
	} else if (module->pipe) {
		far->put = module->pipe->put;
		far->get = module->pipe->get;
		far->user = module->pipe->user;
	} else {
		far->put = echo_put;
		far->get = echo_get;
		far->user = module;
	}
}

/* Owns the board (NULL: the pipe, NULL: the echo, where the caller wants a far end), also when it fails. */
static bool make(struct vftdi_params params, struct serial_board *board, const struct model_pipe *pipe,
	struct model *model)
{
	struct module *module = calloc(1, sizeof(*module));

	if (!module) {
		serial_board_free(board);
		return false;
	}
	module->board = board;
	module->pipe = pipe;
	if (params.far.baud)
		connect(module, &params.far);
	module->dev = vftdi_new(&params);
	*model = (struct model){&ftdi_ops, module};
	if (module->dev)
		return true;
	ftdi_free(module);
	return false;
}

bool model_ftdi_new(const struct vftdi_params *params, struct model *model)
{
	return make(*params, NULL, NULL, model);
}

bool model_serial_new(const struct model_params *params, bool fifo, struct serial_board *board, struct model *model)
{
	const struct vftdi_params ftdi = {.far = {.fifo = fifo, .baud = BAUD}, .manufacturer = "libnmhal",
		.product = fifo ? "NMHAL nmlink fifo" : "NMHAL nmlink uart",
		.serial = params->serial ? params->serial : "NM000001"};

	return make(ftdi, board, params->pipe, model);
}
