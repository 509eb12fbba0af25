/* SPDX-License-Identifier: MIT */
/* The driver of boards that speak nmlink: open, close, reset, and the table of what the board has. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "link.h"

#define CLOSE_NS INT64_C(1000000000) /* for the safe state, behind what is on the way */

static int link_caps(void *self, struct nmhal_device_caps *caps)
{
	struct link_device *dev = self;
	const struct nmhal_stream_info *info = &dev->wire.pipe.info;

	caps->default_timeout_ms = info->default_timeout_ms;
	memcpy(caps->driver, "link", sizeof("link"));
	link_caps_tell(&dev->caps, caps);
	if (!*caps->serial) {
		memcpy(caps->serial, info->serial, sizeof(caps->serial));
		caps->serial[sizeof(caps->serial) - 1] = '\0';
	}
	return NMHAL_OK;
}

static void link_describe(void *self, struct nmhal_device_lists *lists)
{
	struct link_device *dev = self;

	lists->attrs = dev->caps.attrs;
	lists->attr_count = dev->caps.attr_count;
	lists->sensors = dev->caps.sensors;
	lists->sensor_count = dev->caps.sensor_count;
	lists->counters = dev->counters;
	lists->counter_count = dev->counter_count;
}

static int link_reset(void *self, int64_t deadline_ns)
{
	const struct link_call call = {.what = "reset", .deadline_ns = deadline_ns};

	return link_ask(self, &call, NMLINK_OP_RESTART, NULL, 0, NULL);
}

/* The call that is interrupted tells the board, with ABORT, when it sees it. */
static void link_interrupt(void *self)
{
	struct link_device *dev = self;
	const struct nmhal_stream *stream = &dev->wire.pipe.stream;

	if (stream->ops->interrupt)
		stream->ops->interrupt(stream->self);
}

static void link_free(struct link_device *dev)
{
	link_wire_free(&dev->wire);
	link_caps_free(&dev->caps);
	free(dev->counters);
	free(dev->run);
	free(dev);
}

static void link_close(void *self)
{
	struct link_device *dev = self;
	const struct nmhal_stream stream = dev->wire.pipe.stream;
	const int64_t deadline_ns = nmhal_now_ns() + CLOSE_NS + link_backlog_ns(&dev->wire);
	int status = NMHAL_OK;

	if (link_caps_has(&dev->caps, NMLINK_OP_SAFE_STATE))
		status = link_safe_state(dev, deadline_ns);
	if (status == NMHAL_E_IO) /* it was reset: once more, in a session */
		status = link_safe_state(dev, deadline_ns);
	if (status != NMHAL_OK && status != NMHAL_E_GONE)
		nmhal_host_log(dev->host, NMHAL_LOG_WARN, "close: the board could not be brought to its safe state: %s",
			nmhal_last_error());
	stream.ops->close(stream.self);
	link_free(dev);
}

/* ---- what the board has ------------------------------------------------------------------------------------------ */

static bool has(const struct link_device *dev, enum nmlink_op op)
{
	return link_caps_has(&dev->caps, op);
}

static void add_spiking_ops(struct link_device *dev, struct nmhal_device_ops *ops)
{
	if (has(dev, NMLINK_OP_WRITE_NEURONS) && has(dev, NMLINK_OP_READ_NEURONS)) {
		ops->set_neurons = link_set_neurons;
		ops->get_neurons = link_get_neurons;
	}
	if (has(dev, NMLINK_OP_RESET_STATE))
		ops->reset_state = link_reset_state;
	if (has(dev, NMLINK_OP_SPIKES_START) && has(dev, NMLINK_OP_SPIKES_SEND) && has(dev, NMLINK_OP_SPIKES_READ) &&
		has(dev, NMLINK_OP_SPIKES_STOP)) {
		ops->spikes_start = link_spikes_start;
		ops->spikes_pump = link_spikes_pump;
		ops->spikes_stop = link_spikes_stop;
	}
}

static void add_analog_ops(struct link_device *dev, struct nmhal_device_ops *ops)
{
	if (has(dev, NMLINK_OP_PULSE_CELL) || has(dev, NMLINK_OP_READ_CONDUCTANCE)) {
		ops->cell_pulse = link_cell_pulse;
		ops->cell_ramp = link_cell_ramp;
		ops->read_conductance = link_read_conductance;
		ops->cell_sweep = link_cell_sweep;
	}
	if (has(dev, NMLINK_OP_SAFE_STATE))
		ops->safe_state = link_safe_state;
	if (ops->safe_state && has(dev, NMLINK_OP_GET_LIMITS) && has(dev, NMLINK_OP_SET_LIMITS) &&
		has(dev, NMLINK_OP_ARM) && has(dev, NMLINK_OP_DISARM)) {
		ops->limits_get = link_limits_get;
		ops->limits_set = link_limits_set;
		ops->arm = link_arm;
		ops->disarm = link_disarm;
	}
}

static void make_ops(struct link_device *dev)
{
	struct nmhal_device_ops *ops = &dev->ops;

	*ops = (struct nmhal_device_ops){
		.struct_size = sizeof(*ops),
		.close = link_close,
		.caps = link_caps,
		.describe = link_describe,
		.write_weights = link_write_weights,
		.read_weights = link_read_weights,
		.counter = link_counter,
		.interrupt = link_interrupt,
	};
	if (has(dev, NMLINK_OP_WRITE_CELLS))
		ops->write_cells = link_write_cells;
	if (has(dev, NMLINK_OP_READ_CELLS))
		ops->read_cells = link_read_cells;
	if (has(dev, NMLINK_OP_ADD_CELLS))
		ops->add_cells = link_add_cells;
	if (has(dev, NMLINK_OP_INFER))
		ops->run_inference = link_run_inference;
	if (dev->caps.attr_count)
		ops->attr_get = link_attr_get;
	if (dev->caps.attr_count && has(dev, NMLINK_OP_SET_ATTR))
		ops->attr_set = link_attr_set;
	if (dev->caps.sensor_count)
		ops->read_sensor = link_read_sensor;
	if (has(dev, NMLINK_OP_RESTART))
		ops->reset = link_reset;
	add_spiking_ops(dev, ops);
	add_analog_ops(dev, ops);
}

/* ---- open -------------------------------------------------------------------------------------------------------- */

/*
 * The number before that of the first session. Random, so that no board takes this host for the one before it; but an
 * emulator starts anew with each open, and what goes over its wire, or is recorded, is the same every time.
 */
static int choose_session(struct link_device *dev, const struct nmhal_uri *uri, bool *is_random)
{
	const struct nmhal_stream_info *info = &dev->wire.pipe.info;
	uint32_t *before = &dev->wire.session;
	uint64_t session = 0;
	int status = nmhal_uri_number(dev->host, uri, "session", 0, 1, UINT32_MAX, &session);

	*is_random = !session && !info->emulated && !info->repeatable;
	if (session)
		*before = (uint32_t)session - 1;
	else if (*is_random && getrandom(before, sizeof(*before), 0) != (ssize_t)sizeof(*before))
		status = nmhal_host_fail(dev->host, NMHAL_E_IO, "open: the system gives no random number");
	return status;
}

/* A board that was not reset may still be in the session of a host that chose the same number: ends that. */
static int end_session_before(struct link_device *dev)
{
	const uint32_t before = dev->wire.session;
	int status;

	dev->wire.session = before + 2; /* what comes next is not the number that was chosen, whichever is skipped */
	status = link_hello(dev);
	dev->wire.session = before;
	return status;
}

static int meet_board(struct link_device *dev, const struct nmhal_uri *uri, int64_t deadline_ns)
{
	bool is_random;
	int status = choose_session(dev, uri, &is_random);

	dev->call = (struct link_call){.what = "open", .deadline_ns = deadline_ns};
	if (status == NMHAL_OK && !is_random && !dev->wire.pipe.info.emulated)
		status = end_session_before(dev);
	if (status == NMHAL_OK)
		status = link_hello(dev);
	if (status == NMHAL_OK)
		status = link_read_caps(dev);
	if (status == NMHAL_OK)
		status = link_list_counters(dev);
	if (status == NMHAL_OK && has(dev, NMLINK_OP_SPIKES_START))
		status = link_run_new(dev);
	return status;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct link_device *dev = calloc(1, sizeof(*dev));
	int status;

	(void)bus;
	if (!dev)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for %zu bytes", sizeof(*dev));
	dev->host = host;
	status = link_wire_init(&dev->wire, host, stream);
	if (status == NMHAL_OK)
		status = meet_board(dev, uri, deadline_ns);
	if (status != NMHAL_OK) {
		link_free(dev);
		return status;
	}
	make_ops(dev);
	nmhal_host_log(host, NMHAL_LOG_INFO, "board %s of %s, hardware %s, firmware %s", dev->caps.model,
		dev->caps.vendor, dev->caps.hardware, dev->caps.firmware);
	*ops = &dev->ops;
	*self = dev;
	return NMHAL_OK;
}

/* "nmlink" is any board; the others are those of the emulator. */
static const char *const link_boards[] = {"nmlink", "xbar8", "xbar64", "xbar256", "xbar1024", "spike256", NULL};

static const struct nmhal_key link_keys[] = {
	{"session", "number of the first session (default: random; emulators, record= and replay: 1)"},
	{NULL, NULL},
};

extern const struct nmhal_driver nm_driver_link;
const struct nmhal_driver nm_driver_link = {
	.abi = NMHAL_DRIVER_ABI,
	.needs = NMHAL_NEEDS_STREAM,
	.struct_size = sizeof(struct nmhal_driver),
	.name = "link",
	.summary = "boards that speak nmlink",
	.boards = link_boards,
	.keys = link_keys,
	.open = link_open,
};
