/* SPDX-License-Identifier: MIT */
/* The tinyODIN driver: open, close, capabilities, attributes, driver table. */
#include <stdlib.h>
#include <string.h>

#include "odin.h"

#define ODIN_MIN_BATCH 8u /* room for the registers and some memory frames */
#define ODIN_MAX_VECTORS 65536u
#define SECOND_NS      INT64_C(1000000000)

enum odin_attr { ATTR_OPEN_LOOP, ATTR_MAX_NEURON, ATTR_OUTPUT_SOURCE, ATTR_CLK_HZ, ATTR_COUNT };

static const struct nmhal_attr_info odin_attrs[ATTR_COUNT] = {
	[ATTR_OPEN_LOOP] = {
		.struct_size = sizeof(struct nmhal_attr_info), .key = "open_loop", .unit = "",
		.summary = "1: spikes stay out of the core; 0: they drive the rows of their neurons",
		.type = NMHAL_ATTR_BOOL, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED, .min = 0, .max = 1,
	},
	[ATTR_MAX_NEURON] = {
		.struct_size = sizeof(struct nmhal_attr_info), .key = "max_neuron", .unit = "",
		.summary = "last neuron that SPIKE and LEAK_ALL events reach",
		.type = NMHAL_ATTR_INT, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED,
		.min = 0, .max = ODIN_NEURONS - 1,
	},
	[ATTR_OUTPUT_SOURCE] = {
		.struct_size = sizeof(struct nmhal_attr_info), .key = "output_source", .unit = "",
		.summary = "0: an output event for each neuron that fires; 1: for each queue entry processed",
		.type = NMHAL_ATTR_BOOL, .flags = NMHAL_ATTR_WRITABLE | NMHAL_ATTR_SAVED, .min = 0, .max = 1,
	},
	[ATTR_CLK_HZ] = {
		.struct_size = sizeof(struct nmhal_attr_info), .key = "clk_hz", .unit = "Hz",
		.summary = "clock of the chip; 0: not known",
		.type = NMHAL_ATTR_INT, .min = 0, .max = INT64_MAX,
	},
};

static int odin_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct odin *odin = self;

	(void)deadline_ns;
	switch (index) {
	case ATTR_OPEN_LOOP:
		value->integer = odin->wanted[ODIN_OPEN_LOOP];
		return NMHAL_OK;
	case ATTR_MAX_NEURON:
		value->integer = odin->wanted[ODIN_MAX_NEUR];
		return NMHAL_OK;
	case ATTR_OUTPUT_SOURCE:
		value->integer = odin->wanted[ODIN_AER_SRC];
		return NMHAL_OK;
	default:
		value->integer = (int64_t)odin->info.clock_hz;
		return NMHAL_OK;
	}
}

/* Nothing goes out: the next run writes the registers that changed. */
static int odin_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns)
{
	struct odin *odin = self;
	enum odin_register reg = index == ATTR_OPEN_LOOP ? ODIN_OPEN_LOOP :
		index == ATTR_MAX_NEURON                 ? ODIN_MAX_NEUR :
							   ODIN_AER_SRC;

	(void)deadline_ns;
	odin->wanted[reg] = (int)value->integer;
	return NMHAL_OK;
}

static void set_defaults(struct odin *odin)
{
	odin->wanted[ODIN_GATE] = 0;
	odin->wanted[ODIN_OPEN_LOOP] = 1;
	odin->wanted[ODIN_AER_SRC] = 0;
	odin->wanted[ODIN_MAX_NEUR] = ODIN_NEURONS - 1;
}

static int odin_reset(void *self, int64_t deadline_ns)
{
	struct odin *odin = self;

	set_defaults(odin);
	odin->lost = true;
	return odin_begin(odin, deadline_ns);
}

static void odin_interrupt(void *self)
{
	struct odin *odin = self;

	if (odin->bus.ops->interrupt)
		odin->bus.ops->interrupt(odin->bus.self);
}

static int odin_caps(void *self, struct nmhal_device_caps *caps)
{
	struct odin *odin = self;

	caps->features = NMHAL_CAN_READ_WEIGHTS | NMHAL_CAN_NEURONS | NMHAL_CAN_RESET_STATE | NMHAL_CAN_SPIKES |
		NMHAL_CAN_LEAK_EVENTS | NMHAL_CAN_VIRTUAL_EVENTS | NMHAL_CAN_ATTRIBUTE | NMHAL_CAN_ORDER |
		NMHAL_CAN_BACK_TO_BACK | NMHAL_CAN_RESET;
	caps->cores = 1;
	caps->rows = ODIN_NEURONS;
	caps->cols = ODIN_NEURONS;
	caps->weight_bits = 4;
	caps->weight_min = -8;
	caps->weight_max = 7;
	caps->max_batch = ODIN_MAX_VECTORS;
	caps->input_bits = 8;
	caps->input_min = -ODIN_INPUT_MAX;
	caps->input_max = ODIN_INPUT_MAX;
	caps->output_bits = 19;
	caps->output_min = -ODIN_OUTPUT_MAX;
	caps->output_max = ODIN_OUTPUT_MAX;
	caps->output_lsb = 1;
	caps->neuron_model = NMHAL_NEURON_LIF_RESET_ZERO;
	caps->threshold_max = 4095; /* unsigned on the chip: from 2048 on a neuron never fires (section 4) */
	caps->leak_max = 127;
	caps->potential_min = -2048;
	caps->potential_max = 2047;
	caps->virtual_min = -8;
	caps->virtual_max = 7;
	caps->virtual_address_max = ODIN_VIRTUAL_MAX;
	caps->leak_one_address_max = ODIN_LEAK_ONE_MAX;
	caps->clock_hz = odin->info.clock_hz;
	caps->default_timeout_ms = odin->info.default_timeout_ms;
	memcpy(caps->board, "tinyodin", sizeof("tinyodin"));
	memcpy(caps->driver, "odin", sizeof("odin"));
	memcpy(caps->serial, odin->info.serial, sizeof(caps->serial));
	caps->serial[sizeof(caps->serial) - 1] = '\0';
	return NMHAL_OK;
}

static void odin_free(struct odin *odin)
{
	if (!odin)
		return;
	free(odin->frames);
	free(odin->replies);
	free(odin);
}

static void odin_close(void *self)
{
	struct odin *odin = self;

	if (odin_begin(odin, nmhal_now_ns() + SECOND_NS) != NMHAL_OK) {
		nmhal_host_log(odin->host, NMHAL_LOG_WARN, "close: the chip could not be brought to rest");
		odin_marker_warn(odin, "write it with nmhal_set_neurons() when the chip is back");
	}
	odin->bus.ops->close(odin->bus.self);
	odin_free(odin);
}

static const struct nmhal_device_ops odin_ops = {
	.struct_size = sizeof(struct nmhal_device_ops),
	.close = odin_close,
	.caps = odin_caps,
	.write_weights = odin_write_weights,
	.read_weights = odin_read_weights,
	.write_cells = odin_write_cells,
	.read_cells = odin_read_cells,
	.run_inference = odin_run_inference,
	.spikes_start = odin_spikes_start,
	.spikes_pump = odin_spikes_pump,
	.spikes_stop = odin_spikes_stop,
	.set_neurons = odin_set_neurons,
	.get_neurons = odin_get_neurons,
	.reset_state = odin_reset_state,
	.attr_get = odin_attr_get,
	.attr_set = odin_attr_set,
	.counter = odin_counter,
	.reset = odin_reset,
	.interrupt = odin_interrupt,
};

/* Without waiting for idle, outputs of a closed loop could not be told apart (run.c). */
static int check_bus(struct nmhal_host *host, const struct nmhal_bus_info *info)
{
	if (info->flags & NMHAL_BUS_WAITS_IDLE)
		return NMHAL_OK;
	return nmhal_host_fail(host, NMHAL_E_UNSUPPORTED,
		"open: the bus lacks NMHAL_BUS_WAITS_IDLE, so output events could not be put in their steps");
}

static int odin_new(struct nmhal_host *host, const struct nmhal_bus *bus, const struct nmhal_bus_info *info,
	struct odin **out)
{
	size_t frames = info->max_frames < ODIN_MIN_BATCH ? ODIN_MIN_BATCH :
		info->max_frames > ODIN_MAX_BATCH         ? ODIN_MAX_BATCH :
							    info->max_frames;
	struct odin *odin = calloc(1, sizeof(*odin));

	if (!odin)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for %zu bytes", sizeof(*odin));
	odin->host = host;
	odin->bus = *bus;
	odin->info = *info;
	odin->frame_limit = frames - 1;
	odin->frames = calloc(frames, sizeof(*odin->frames));
	odin->replies = calloc(frames, sizeof(*odin->replies));
	if (!odin->frames || !odin->replies) {
		odin_free(odin);
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for %zu SPI frames", frames);
	}
	set_defaults(odin);
	*out = odin;
	return NMHAL_OK;
}

static int odin_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct nmhal_bus_info info = {0};
	struct odin *odin = NULL;
	int status;

	(void)uri;
	(void)stream;
	bus->ops->info(bus->self, &info);
	status = check_bus(host, &info);
	if (status == NMHAL_OK)
		status = odin_new(host, bus, &info, &odin);
	if (status != NMHAL_OK)
		return status;
	status = odin_rest(odin, deadline_ns);
	if (status != NMHAL_OK) {
		odin_free(odin);
		return status;
	}
	*ops = &odin_ops;
	*self = odin;
	return NMHAL_OK;
}

static const char *const odin_boards[] = {"tinyodin", NULL};

extern const struct nmhal_driver nm_driver_odin;
const struct nmhal_driver nm_driver_odin = {
	.abi = NMHAL_DRIVER_ABI,
	.needs = NMHAL_NEEDS_BUS,
	.struct_size = sizeof(struct nmhal_driver),
	.name = "odin",
	.summary = "tinyODIN: 256 LIF neurons, 256 x 256 weights of 4 bits",
	.boards = odin_boards,
	.attrs = odin_attrs,
	.attr_count = ATTR_COUNT,
	.open = odin_open,
};
