/* SPDX-License-Identifier: MIT */
/* The virtual FT2232H (sim/vftdi) as a model. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "sim/tinyodin_pins.h"
#include "sim/vftdi/vftdi.h"

static void ftdi_free(void *self)
{
	vftdi_free(self);
}

static const uint8_t *ftdi_descriptors(void *self, size_t *size)
{
	return vftdi_descriptors(self, size);
}

static int ftdi_control(void *self, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	return vftdi_control(self, setup, data, capacity);
}

static int ftdi_out(void *self, unsigned endpoint, const uint8_t *data, size_t size)
{
	return !size || vftdi_out(self, endpoint, data, size) ? (int)size : MODEL_NAK;
}

static int ftdi_in(void *self, unsigned endpoint, uint8_t packet[MODEL_PACKET], uint64_t now_us, uint64_t *again_us)
{
	size_t size = vftdi_in(self, endpoint, packet, MODEL_PACKET, now_us, again_us);

	return size ? (int)size : MODEL_NAK;
}

static void ftdi_clear_halt(void *self, unsigned endpoint)
{
	(void)self;
	(void)endpoint;
}

/* The chip behind it keeps its memories: its supply is its own. */
static void ftdi_replug(void *self)
{
	for (unsigned channel = 1; channel <= VFTDI_CHANNELS; channel++) {
		const uint8_t reset[8] = {0x40, 0, 0, 0, (uint8_t)channel};
		const uint8_t mode[8] = {0x40, 11, 0, 0, (uint8_t)channel};

		(void)vftdi_control(self, reset, NULL, 0);
		(void)vftdi_control(self, mode, NULL, 0);
	}
}

static void ftdi_transferred(void *self, unsigned endpoint)
{
	vftdi_count_transfer(self, endpoint);
}

static uint64_t ftdi_progress(void *self)
{
	return vftdi_counters(self).events_in;
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
		return write_memory(self, text + 7);
	if (!strcmp(text, "count"))
		vftdi_count_reset(self);
	else if (!strcmp(text, "counters"))
		print_counters(self, reply, size);
	else if (!strncmp(text, "clock ", 6))
		vftdi_stop_clock(self, !strcmp(text + 6, "off"));
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
	.transferred = ftdi_transferred,
	.progress = ftdi_progress,
	.tell = ftdi_tell,
};

bool model_ftdi_new(const struct vftdi_params *params, struct model *model)
{
	*model = (struct model){&ftdi_ops, vftdi_new(params)};
	return model->self;
}
