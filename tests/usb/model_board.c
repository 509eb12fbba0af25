/* SPDX-License-Identifier: MIT */
/* The emulated nmlink boards (sim/vusb_board.h) as models. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "sim/vusb_board.h"

_Static_assert(MODEL_NAK == VUSB_BOARD_NAK && MODEL_STALL == VUSB_BOARD_STALL && MODEL_PACKET == VUSB_BOARD_PACKET,
	"the models agree");

struct board {
	struct vusb_board *dev;
	uint64_t frames;
};

static struct vusb_board *dev_of(void *self)
{
	return ((struct board *)self)->dev;
}

static void board_free(void *self)
{
	vusb_board_free(dev_of(self));
	free(self);
}

static const uint8_t *board_descriptors(void *self, size_t *size)
{
	return vusb_board_descriptors(dev_of(self), size);
}

static int board_control(void *self, const uint8_t setup[8], uint8_t *data, size_t capacity)
{
	return vusb_board_control(dev_of(self), setup, data, capacity);
}

static int board_out(void *self, unsigned endpoint, const uint8_t *data, size_t size)
{
	struct board *board = self;
	int taken = vusb_board_out(board->dev, endpoint, data, size);

	board->frames += taken >= 0 && size < MODEL_PACKET;
	return taken;
}

static int board_in(void *self, unsigned endpoint, uint8_t packet[MODEL_PACKET], uint64_t now_us, uint64_t *again_us)
{
	(void)now_us;
	(void)again_us; /* nothing comes but after OUT data */
	return vusb_board_in(dev_of(self), endpoint, packet);
}

static void board_clear_halt(void *self, unsigned endpoint)
{
	vusb_board_clear_halt(dev_of(self), endpoint);
}

static void board_reset(void *self)
{
	vusb_board_reset(dev_of(self));
}

static void board_replug(void *self)
{
	vusb_board_replug(dev_of(self));
}

static void board_tick(void *self)
{
	vusb_board_tick(dev_of(self));
}

static uint64_t board_progress(void *self)
{
	return ((const struct board *)self)->frames;
}

static int board_tell(void *self, const char *text, char *reply, size_t size)
{
	if (strcmp(text, "armed") == 0)
		snprintf(reply, size, "%d", sim_board_armed(vusb_board_board(dev_of(self))));
	else if (strcmp(text, "frames") == 0)
		snprintf(reply, size, "%" PRIu64, board_progress(self));
	else if (strcmp(text, "suspend") == 0)
		board_reset(self);
	else
		return -EINVAL;
	return 0;
}

static const struct model_ops board_ops = {
	.interfaces = 1,
	.free = board_free,
	.descriptors = board_descriptors,
	.control = board_control,
	.out = board_out,
	.in = board_in,
	.clear_halt = board_clear_halt,
	.reset = board_reset,
	.replug = board_replug,
	.tick = board_tick,
	.progress = board_progress,
	.tell = board_tell,
};

struct sim_board *model_sim_board(const char *name)
{
	struct sim_board *made = NULL;
	struct sim_board_config *config;
	char text[128], error[SIM_BOARD_ERROR], *at = text, *word;
	bool good;

	snprintf(text, sizeof(text), "%s", name);
	word = strsep(&at, ",");
	config = sim_board_config_new(word);
	for (good = config; good && at;) {
		char *value = strsep(&at, ","), *key = strsep(&value, "=");

		good = value && sim_board_config_set(config, key, value, error);
	}
	if (good)
		made = sim_board_new(config, error);
	sim_board_config_free(config);
	return made;
}

bool model_board_new(const char *name, const struct model_params *params, struct model *model)
{
	const struct vusb_board_params usb = {.product_name = params->product, .serial = params->serial};
	struct board *board = calloc(1, sizeof(*board));
	struct sim_board *made = board ? model_sim_board(name) : NULL;

	if (made)
		board->dev = vusb_board_new(&usb, made);
	if (!made || !board->dev) {
		free(board);
		return false;
	}
	*model = (struct model){&board_ops, board};
	return true;
}
