/* SPDX-License-Identifier: MIT */
/* Opens a device: URI, link, wrappers, driver, vtable, capabilities, state file. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"

#define OPEN_TIMEOUT_MS 10000
/* More cells than this are no crossbar but a driver that filled its capabilities wrongly. */
#define MAX_CELLS (UINT64_C(1) << 31)

/* ---- URI --------------------------------------------------------------------------------------------------------- */

static bool is_emulated(const struct nmhal_device *dev)
{
	return dev->link ? dev->link->emulated : true;
}

static void list_keys(const struct nmhal_key *keys, char *text, size_t size)
{
	for (; keys && keys->name; keys++)
		nm_list_add(text, size, keys->name);
}

/* Wrappers stand before a link; a driver without one has nothing to wrap. */
static size_t wrapper_count(const struct nmhal_device *dev)
{
	return dev->link ? dev->ctx->wrapper_count : 0;
}

/* Does the URI put this wrapper before the link? */
static bool is_wanted(const struct nmhal_device *dev, const struct nmhal_wrapper *wrapper)
{
	return nmhal_uri_value(dev->parsed, wrapper->keys->name) != NULL;
}

static int check_key(const struct nmhal_device *dev, const char *key)
{
	static const struct nmhal_key state_keys[] = {{"state", "chip image to load and save"}, {NULL, NULL}};
	const struct nmhal_key *const sets[] = {
		dev->link ? dev->link->keys : NULL,
		dev->driver->keys,
		is_emulated(dev) ? state_keys : NULL,
	};
	const size_t count = sizeof sets / sizeof *sets;
	char known[512] = "";

	for (size_t i = 0; i < count; i++) {
		if (nm_has_key(sets[i], key))
			return NMHAL_OK;
		list_keys(sets[i], known, sizeof known);
	}
	for (size_t i = 0; i < wrapper_count(dev); i++) {
		const struct nmhal_wrapper *wrapper = dev->ctx->wrappers[i];

		list_keys(wrapper->keys, known, sizeof known);
		if (!nm_has_key(wrapper->keys, key))
			continue;
		if (is_wanted(dev, wrapper))
			return NMHAL_OK;
		return nm_fail(dev->uri, NMHAL_E_INVALID, "open: key '%s' goes with %s=, which is not there", key,
			wrapper->keys->name);
	}
	return nm_fail(dev->uri, NMHAL_E_INVALID, "open: unknown key '%s'; known: %s", key, *known ? known : "none");
}

static int check_keys(const struct nmhal_device *dev)
{
	int status = NMHAL_OK;

	for (size_t i = 0; !status && i < nm_uri_key_count(dev->parsed); i++)
		status = check_key(dev, nm_uri_key(dev->parsed, i));
	return status;
}

static int set_default_board(struct nmhal_device *dev)
{
	const char *board = dev->link ? dev->link->default_board : dev->driver->boards[0];
	char asked[64];

	if (*nmhal_uri_board(dev->parsed))
		return NMHAL_OK;
	if (dev->link && dev->link->board) {
		int status = dev->link->board(&dev->host, dev->parsed, asked, sizeof asked);

		if (status)
			return status;
		board = asked;
	}
	if (!board)
		return nm_fail(dev->uri, NMHAL_E_INVALID, "open: names no board; write %s:BOARD",
			nmhal_uri_scheme(dev->parsed));
	return nm_uri_set_board(dev->parsed, board);
}

/* From text to link and driver, everything about the URI checked. */
static int resolve(struct nmhal_device *dev, const char *text)
{
	int status = nm_uri_parse(text, &dev->parsed);

	if (status)
		return status;
	dev->uri = nm_uri_print(dev->parsed);
	if (!dev->uri)
		return nm_no_memory(text, "open");
	status = nm_registry_scheme(dev->ctx, dev->uri, nmhal_uri_scheme(dev->parsed), &dev->link, &dev->driver);
	if (!status)
		status = set_default_board(dev);
	if (!status)
		status = nm_registry_board(dev->ctx, dev->uri, nmhal_uri_board(dev->parsed), &dev->driver);
	return status ? status : check_keys(dev);
}

/* ---- link and driver --------------------------------------------------------------------------------------------- */

static void close_link(struct nmhal_device *dev)
{
	if (dev->bus.ops && dev->bus.ops->close)
		dev->bus.ops->close(dev->bus.self);
	if (dev->stream.ops && dev->stream.ops->close)
		dev->stream.ops->close(dev->stream.self);
}

static const char *missing_in_bus(const struct nmhal_bus_ops *ops)
{
	if (!ops)
		return "bus";
	if (ops->struct_size < sizeof *ops)
		return "whole struct nmhal_bus_ops";
	if (!ops->close || !ops->info || !ops->spi || !ops->events || !ops->reset)
		return "bus with close, info, spi, events and reset";
	return NULL;
}

static const char *missing_in_stream(const struct nmhal_stream_ops *ops)
{
	if (!ops)
		return "stream";
	if (ops->struct_size < sizeof *ops)
		return "whole struct nmhal_stream_ops";
	if (!ops->close || !ops->info || !ops->send || !ops->recv || !ops->flush)
		return "stream with close, info, send, recv and flush";
	return NULL;
}

/* What a link or wrapper opened must be what the driver needs, whole. */
static int check_link(const struct nmhal_device *dev, const char *kind, const char *name)
{
	const char *missing = dev->driver->needs == NMHAL_NEEDS_BUS ? missing_in_bus(dev->bus.ops)
								    : missing_in_stream(dev->stream.ops);

	if (!missing && dev->bus.ops && dev->stream.ops)
		missing = "choice between bus and stream";
	if (!missing)
		return NMHAL_OK;
	return nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': %s '%s' gave it no %s", dev->driver->name, kind,
		name, missing);
}

/* Opens the link and puts before it the wrappers that the URI names. */
static int open_link(struct nmhal_device *dev, int64_t deadline_ns)
{
	int status = dev->link->open(&dev->host, dev->parsed, deadline_ns, &dev->bus, &dev->stream);

	if (status)
		return status;
	status = check_link(dev, "link", dev->link->scheme);
	for (size_t i = 0; !status && i < wrapper_count(dev); i++) {
		const struct nmhal_wrapper *wrapper = dev->ctx->wrappers[i];

		if (!is_wanted(dev, wrapper))
			continue;
		status = wrapper->wrap(&dev->host, dev->parsed, deadline_ns, &dev->bus, &dev->stream);
		if (!status)
			status = check_link(dev, "wrapper", wrapper->name);
	}
	if (status)
		close_link(dev);
	return status;
}

/* What the driver left out of its vtable although it must not; NULL: nothing. */
static const char *missing_op(const struct nmhal_device_ops *ops)
{
	bool spikes = ops->spikes_start || ops->spikes_pump || ops->spikes_stop;
	bool neurons = ops->set_neurons || ops->get_neurons;
	bool cells = ops->cell_pulse || ops->cell_ramp || ops->read_conductance || ops->cell_sweep;
	bool safety = ops->limits_get || ops->limits_set || ops->arm || ops->disarm || ops->safe_state;
	const struct {
		bool missing;
		const char *name;
	} rules[] = {
		{!ops->close, "close"},
		{!ops->caps, "caps"},
		{!ops->write_weights, "write_weights"},
		{!ops->read_weights, "read_weights"},
		{spikes && !ops->spikes_start, "spikes_start (but others of the set)"},
		{spikes && !ops->spikes_pump, "spikes_pump (but others of the set)"},
		{spikes && !ops->spikes_stop, "spikes_stop (but others of the set)"},
		{neurons && !ops->set_neurons, "set_neurons (but get_neurons)"},
		{neurons && !ops->get_neurons, "get_neurons (but set_neurons)"},
		{cells && !ops->cell_pulse, "cell_pulse (but others of the set)"},
		{cells && !ops->cell_ramp, "cell_ramp (but others of the set)"},
		{cells && !ops->read_conductance, "read_conductance (but others of the set)"},
		{cells && !ops->cell_sweep, "cell_sweep (but others of the set)"},
		{safety && !ops->limits_get, "limits_get (but others of the set)"},
		{safety && !ops->limits_set, "limits_set (but others of the set)"},
		{safety && !ops->arm, "arm (but others of the set)"},
		{safety && !ops->disarm, "disarm (but others of the set)"},
		{safety && !ops->safe_state, "safe_state (but others of the set)"},
		{(ops->mul_f32 || ops->add_f32) && !ops->write_f32, "write_f32 (but others of the set)"},
		{ops->write_f32 && !ops->mul_f32, "mul_f32 (but write_f32)"},
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		if (rules[i].missing)
			return rules[i].name;
	}
	return NULL;
}

static int adopt_ops(struct nmhal_device *dev, const struct nmhal_device_ops *ops)
{
	/* The first release's optional ops may all be missing from a shorter table. */
	const size_t oldest = offsetof(struct nmhal_device_ops, write_cells);
	const char *missing;

	if (nm_copy_in(&dev->ops, sizeof dev->ops, oldest, ops, "struct nmhal_device_ops"))
		return nm_fail(
			dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': %s", dev->driver->name, nmhal_last_error());
	missing = missing_op(&dev->ops);
	if (missing)
		return nm_fail(
			dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': it has no op %s", dev->driver->name, missing);
	return NMHAL_OK;
}

/* Closes what a driver opened whose table cannot be used; without a close op in it, the link at least. */
static void close_far_end(struct nmhal_device *dev, const struct nmhal_device_ops *ops)
{
	if (ops && ops->struct_size >= offsetof(struct nmhal_device_ops, caps) && ops->close)
		ops->close(dev->self);
	else
		close_link(dev);
}

/* Opens link and driver; on success dev->ops is whole and owns both. */
static int open_far_end(struct nmhal_device *dev, int64_t deadline_ns)
{
	const struct nmhal_device_ops *ops = NULL;
	int status = dev->link ? open_link(dev, deadline_ns) : NMHAL_OK;

	if (status)
		return status;
	status = dev->driver->open(&dev->host, dev->parsed, &dev->bus, &dev->stream, deadline_ns, &ops, &dev->self);
	if (status) {
		close_link(dev);
		return status;
	}
	status = adopt_ops(dev, ops);
	if (status)
		close_far_end(dev, ops);
	return status;
}

/* ---- capabilities ------------------------------------------------------------------------------------------------ */

/* Features that an op or its fallback brings about; all others are the driver's to claim. */
static uint64_t features_of(const struct nmhal_device_ops *ops)
{
	uint64_t features = NMHAL_CAN_READ_WEIGHTS;

	if (ops->add_cells)
		features |= NMHAL_CAN_ADD_WEIGHTS;
	if (ops->set_neurons)
		features |= NMHAL_CAN_NEURONS;
	if (ops->reset_state || ops->set_neurons)
		features |= NMHAL_CAN_RESET_STATE;
	if (ops->spikes_start)
		features |= NMHAL_CAN_SPIKES;
	if (ops->run_inference)
		features |= NMHAL_CAN_INFER;
	if (ops->reset)
		features |= NMHAL_CAN_RESET;
	if (ops->cell_pulse)
		features |= NMHAL_CAN_CELLS;
	if (ops->arm)
		features |= NMHAL_CAN_ARM;
	if (ops->write_f32)
		features |= NMHAL_CAN_FLOAT;
	return features;
}

static int check_caps(const struct nmhal_device *dev)
{
	const uint64_t of_ops = NMHAL_CAN_ADD_WEIGHTS | NMHAL_CAN_NEURONS | NMHAL_CAN_RESET_STATE | NMHAL_CAN_SPIKES |
				NMHAL_CAN_INFER | NMHAL_CAN_RESET | NMHAL_CAN_CELLS | NMHAL_CAN_ARM |
				NMHAL_CAN_FLOAT;
	const struct nmhal_device_caps *caps = &dev->caps;
	uint64_t claimed = caps->features & of_ops & ~features_of(&dev->ops);
	uint64_t cells = (uint64_t)caps->rows * caps->cols;
	const char *name = dev->driver->name;

	if (!caps->cores || !cells || cells > MAX_CELLS || cells * caps->cores > MAX_CELLS)
		return nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': caps: %u cores of %u x %u cells", name,
			caps->cores, caps->rows, caps->cols);
	if (caps->weight_min > caps->weight_max || caps->weight_min < INT16_MIN || caps->weight_max > INT16_MAX)
		return nm_fail(dev->uri, NMHAL_E_INTERNAL,
			"open: driver '%s': caps: weights are %d..%d, must lie in %d..%d", name, caps->weight_min,
			caps->weight_max, INT16_MIN, INT16_MAX);
	if (claimed)
		return nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': caps: features 0x%llx have no op", name,
			(unsigned long long)claimed);
	if (dev->ops.run_inference && !caps->max_batch)
		return nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': caps: max_batch is 0", name);
	if (caps->default_timeout_ms < NMHAL_WAIT_FOREVER)
		return nm_fail(dev->uri, NMHAL_E_INTERNAL, "open: driver '%s': caps: default_timeout_ms is %d", name,
			caps->default_timeout_ms);
	return NMHAL_OK;
}

static int learn_caps(struct nmhal_device *dev)
{
	struct nmhal_device_caps *caps = &dev->caps;
	int status;

	caps->struct_size = sizeof *caps;
	status = dev->ops.caps(dev->self, caps);
	if (!status)
		status = check_caps(dev);
	if (status)
		return status;
	caps->features |= features_of(&dev->ops);
	if (caps->default_timeout_ms == NMHAL_TIMEOUT_DEFAULT)
		caps->default_timeout_ms = NMHAL_WAIT_FOREVER;
	if (!*caps->board)
		snprintf(caps->board, sizeof caps->board, "%s", nmhal_uri_board(dev->parsed));
	if (!*caps->driver)
		snprintf(caps->driver, sizeof caps->driver, "%s", dev->driver->name);
	return NMHAL_OK;
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

static struct nmhal_device *new_device(struct nmhal_context *ctx)
{
	struct nmhal_device *dev = calloc(1, sizeof *dev);

	if (!dev)
		return NULL;
	dev->host.dev = dev;
	atomic_init(&dev->refs, 1);
	pthread_mutex_init(&dev->lock, NULL);
	dev->process = atomic_load_explicit(&nm_process, memory_order_relaxed);
	dev->ctx = nmhal_context_ref(ctx);
	return dev;
}

static int load_state(struct nmhal_device *dev, int64_t deadline_ns)
{
	const char *path = nmhal_uri_value(dev->parsed, "state");

	return path ? nm_state_open(dev, path, deadline_ns, &dev->state) : NMHAL_OK;
}

static int open_uri(struct nmhal_context *ctx, const char *text, const struct nmhal_open_params *params,
	struct nmhal_device **out)
{
	struct nmhal_device *dev = new_device(ctx);
	int64_t deadline_ns;
	int status;

	if (!dev)
		return nm_no_memory(text, "open");
	status = resolve(dev, text);
	if (!status)
		status = nm_deadline(dev->uri, params->timeout_ms, OPEN_TIMEOUT_MS, &deadline_ns);
	if (!status)
		status = open_far_end(dev, deadline_ns);
	if (status)
		goto err_free;
	status = learn_caps(dev);
	if (!status)
		status = nm_lists_learn(dev);
	if (!status)
		status = nm_shadow_init(&dev->shadow, &dev->caps);
	if (!status)
		status = nm_ring_new(params->spike_ring_events, &dev->ring);
	if (!status)
		status = load_state(dev, deadline_ns);
	if (status)
		goto err_close;
	dev->is_open = true;
	if (dev->spoke)
		nm_device_settle(dev, status);
	nm_log(ctx, NMHAL_LOG_INFO, dev->uri, "opened %s: driver %s, %u core(s) of %u x %u", dev->caps.board,
		dev->caps.driver, dev->caps.cores, dev->caps.rows, dev->caps.cols);
	*out = dev;
	return NMHAL_OK;

err_close:
	dev->ops.close(dev->self);
err_free:
	nm_device_free(dev);
	return status;
}

static int check_params(const struct nmhal_open_params *params, struct nmhal_open_params *given)
{
	int status = NMHAL_OK;

	if (params)
		status = nm_copy_in(given, sizeof *given, sizeof *given, params, "struct nmhal_open_params");
	if (!status && given->reserved)
		status = nm_fail(NULL, NMHAL_E_INVALID, "open: reserved is %u, must be 0", given->reserved);
	if (!given->spike_ring_events)
		given->spike_ring_events = NM_DEFAULT_RING_EVENTS;
	return status;
}

int nmhal_device_open(nmhal_context *ctx, const char *uri, const struct nmhal_open_params *params, nmhal_device **out)
{
	struct nmhal_open_params given = NMHAL_OPEN_PARAMS_INIT;
	char *found = NULL;
	int status;

	if (!out)
		return nm_fail(uri, NMHAL_E_INVALID, "open: out is NULL");
	*out = NULL;
	if (!ctx)
		return nm_fail(uri, NMHAL_E_INVALID, "open: ctx is NULL");
	status = check_params(params, &given);
	if (status)
		return status;
	if (!uri || !*uri)
		uri = getenv("NMHAL_URI");
	if (!uri || !*uri) {
		status = nm_only_board(ctx, &found);
		uri = found;
	}
	if (!status)
		status = open_uri(ctx, uri, &given, out);
	free(found);
	return status;
}
