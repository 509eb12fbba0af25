/* SPDX-License-Identifier: MIT */
/* Opening: URI to device, what the core demands of links and drivers, and that a failed open leaves nothing behind. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

static struct fake fake;

/* Opens a fake at once without link (bus: behind the link), with more of a URI; the status. */
static int open_fake(bool bus, const char *extra, nmhal_device **dev)
{
	nmhal_context *ctx = fake_context();
	char uri[FAKE_URI_SIZE];
	int status;

	status = nmhal_device_open(ctx, bus ? fake_bus_uri(&fake, extra, uri) : fake_uri(&fake, extra, uri), NULL, dev);
	nmhal_context_unref(ctx);
	ck_assert(!status == (*dev != NULL));
	return status;
}

static void assert_refused(bool bus, int status, const char *text)
{
	nmhal_device *dev = (nmhal_device *)8;

	assert_fails(status, text, open_fake(bus, "", &dev));
	ck_assert(!fake.is_open);
	ck_assert(!fake.bus_is_open);
}

START_TEST(good)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	nmhal_device *dev;

	fake_init(&fake, 2, 3, 4);
	assert_ok(open_fake(false, "", &dev));
	ck_assert(fake.is_open);
	ck_assert_ptr_eq(strstr(nmhal_device_uri(dev), "fake:board,at=0x"), nmhal_device_uri(dev));
	assert_ok(nmhal_device_caps(dev, &caps));
	ck_assert_uint_eq(caps.cores, 2);
	ck_assert_uint_eq(caps.rows, 3);
	ck_assert_uint_eq(caps.cols, 4);
	ck_assert_uint_eq(caps.struct_size, sizeof(caps));
	ck_assert_str_eq(caps.driver, "fake");
	/* What ops bring about, beside what the driver claims. */
	ck_assert_uint_eq(caps.features, (UINT64_C(1) << 16) - 1);
	nmhal_device_unref(dev);
	ck_assert(!fake.is_open);
	ck_assert_uint_eq(fake.calls[FAKE_CLOSE], 1);
}
END_TEST

START_TEST(good_behind_a_link)
{
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	assert_ok(open_fake(true, ",color=red", &dev));
	ck_assert(fake.bus_is_open);
	nmhal_device_unref(dev);
	ck_assert(!fake.bus_is_open);
}
END_TEST

START_TEST(least_driver)
{
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	const struct nmhal_device_ops all = (fake_init(&fake, 1, 2, 3), fake.ops);
	nmhal_device *dev;
	nmhal_context *ctx;
	struct nmhal_driver driver = fake_driver;
	char uri[FAKE_URI_SIZE];

	/* A table that ends after the required ops; what lies behind it must not be read. */
	fake.ops.struct_size = offsetof(struct nmhal_device_ops, write_cells);
	fake.caps.features = 0;
	fake.caps.default_timeout_ms = 0;
	memset(fake.caps.board, 0, sizeof(fake.caps.board));
	memset(fake.caps.driver, 0, sizeof(fake.caps.driver));
	driver.name = "least";
	driver.scheme = "least";
	driver.attr_count = 0;
	ctx = fake_context();
	assert_ok(nmhal_context_add_driver(ctx, &driver));
	snprintf(uri, sizeof(uri), "least%s", strchr(fake_uri(&fake, "", uri + 100), ':'));
	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
	ck_assert(all.reset && !dev->ops.reset && !dev->ops.interrupt);
	assert_ok(nmhal_device_caps(dev, &caps));
	ck_assert_uint_eq(caps.features, NMHAL_CAN_READ_WEIGHTS);
	ck_assert_int_eq(caps.default_timeout_ms, NMHAL_WAIT_FOREVER);
	ck_assert_str_eq(caps.board, "board");
	ck_assert_str_eq(caps.driver, "least");
	assert_fails(NMHAL_E_UNSUPPORTED, "reset: the board has no reset", nmhal_device_reset(dev, 0));
	nmhal_device_interrupt(dev);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(newer_ops)
{
	/* The member behind the table stands for its unknown tail: it is not zero. */
	fake_init(&fake, 1, 2, 3);
	fake.ops.struct_size += sizeof(size_t);
	ck_assert_uint_ne(fake.caps.struct_size, 0);
	assert_refused(false, NMHAL_E_INTERNAL, "driver 'fake': struct nmhal_device_ops: byte");
}
END_TEST

START_TEST(missing_ops)
{
#define REFUSE(op, text) \
	do { \
		fake_init(&fake, 1, 2, 3); \
		fake.ops.op = NULL; \
		assert_refused(false, NMHAL_E_INTERNAL, "open: driver 'fake': it has no op " text); \
	} while (0)
	REFUSE(caps, "caps");
	REFUSE(write_weights, "write_weights");
	REFUSE(read_weights, "read_weights");
	REFUSE(spikes_start, "spikes_start (but others of the set)");
	REFUSE(spikes_pump, "spikes_pump (but others of the set)");
	REFUSE(spikes_stop, "spikes_stop (but others of the set)");
	REFUSE(set_neurons, "set_neurons (but get_neurons)");
	REFUSE(get_neurons, "get_neurons (but set_neurons)");
	REFUSE(cell_pulse, "cell_pulse (but others of the set)");
	REFUSE(cell_ramp, "cell_ramp (but others of the set)");
	REFUSE(read_conductance, "read_conductance (but others of the set)");
	REFUSE(cell_sweep, "cell_sweep (but others of the set)");
	REFUSE(limits_get, "limits_get (but others of the set)");
	REFUSE(limits_set, "limits_set (but others of the set)");
	REFUSE(arm, "arm (but others of the set)");
	REFUSE(disarm, "disarm (but others of the set)");
	REFUSE(safe_state, "safe_state (but others of the set)");
	REFUSE(attr_get, "attr_get (but attributes)");
	REFUSE(attr_set, "attr_set (but writable attributes)");
#undef REFUSE
	fake_init(&fake, 1, 2, 3);
	fake.ops.struct_size = 8;
	{
		nmhal_device *dev;

		assert_fails(NMHAL_E_INTERNAL, "driver 'fake': struct nmhal_device_ops: struct_size is 8",
			open_fake(false, "", &dev));
	}
	fake_init(&fake, 1, 2, 3);
	fake.ops.close = NULL;
	{
		nmhal_device *dev;

		/* Nobody can close it; the link at least is closed. */
		assert_fails(NMHAL_E_INTERNAL, "driver 'fakebus': it has no op close", open_fake(true, "", &dev));
		ck_assert(!fake.bus_is_open);
	}
}
END_TEST

START_TEST(optional_ops)
{
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	fake.ops.write_cells = NULL;
	fake.ops.read_cells = NULL;
	fake.ops.add_cells = NULL;
	fake.ops.run_inference = NULL;
	fake.ops.spikes_start = NULL;
	fake.ops.spikes_pump = NULL;
	fake.ops.spikes_stop = NULL;
	fake.ops.set_neurons = NULL;
	fake.ops.get_neurons = NULL;
	fake.ops.reset_state = NULL;
	fake.ops.reset = NULL;
	fake.ops.cell_pulse = NULL;
	fake.ops.cell_ramp = NULL;
	fake.ops.read_conductance = NULL;
	fake.ops.cell_sweep = NULL;
	fake.ops.limits_get = NULL;
	fake.ops.limits_set = NULL;
	fake.ops.arm = NULL;
	fake.ops.disarm = NULL;
	fake.ops.safe_state = NULL;
	fake.caps.features = 0;
	assert_ok(open_fake(false, "", &dev));
	ck_assert_uint_eq(dev->caps.features, NMHAL_CAN_READ_WEIGHTS);
	nmhal_device_unref(dev);
	/* reset_state has a fallback on neurons. */
	fake_init(&fake, 1, 2, 3);
	fake.ops.reset_state = NULL;
	assert_ok(open_fake(false, "", &dev));
	ck_assert(dev->caps.features & NMHAL_CAN_RESET_STATE);
	nmhal_device_unref(dev);
}
END_TEST

START_TEST(wrong_links)
{
	fake_init(&fake, 1, 2, 3);
	fake.give_no_bus = true;
	assert_refused(true, NMHAL_E_INTERNAL, "open: driver 'fakebus': link 'fakelink' gave it no bus");
	fake.give_stream = true;
	assert_refused(true, NMHAL_E_INTERNAL, "gave it no bus");
	fake.give_no_bus = false;
	assert_refused(true, NMHAL_E_INTERNAL, "gave it no choice between bus and stream");
	fake_init(&fake, 1, 2, 3);
	fake.bus_ops.spi = NULL;
	assert_refused(true, NMHAL_E_INTERNAL, "no bus with close, info, spi, events and reset");
	fake_init(&fake, 1, 2, 3);
	fake.bus_ops.struct_size = 8;
	assert_refused(true, NMHAL_E_INTERNAL, "no whole struct nmhal_bus_ops");
}
END_TEST

static struct nmhal_stream_ops stream_ops;
static unsigned streams_open;

static void close_stream(void *self)
{
	(void)self;
	streams_open--;
}

static int open_stream(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	(void)host;
	(void)uri;
	(void)deadline_ns;
	(void)bus;
	streams_open++;
	*stream = (struct nmhal_stream){.ops = stream_ops.struct_size ? &stream_ops : NULL};
	return NMHAL_OK;
}

/* A driver that needs a stream, and a link that gives one which lacks something. */
START_TEST(wrong_streams)
{
	static const char *const boards[] = {"streamboard", NULL};
	struct nmhal_link link = fake_link;
	struct nmhal_driver driver = fake_bus_driver;
	nmhal_context *ctx = fake_context();
	nmhal_device *dev;

	link.scheme = "streams";
	link.open = open_stream;
	driver.name = "streamer";
	driver.boards = boards;
	driver.needs = NMHAL_NEEDS_STREAM;
	assert_ok(nmhal_context_add_link(ctx, &link));
	assert_ok(nmhal_context_add_driver(ctx, &driver));
	assert_fails(NMHAL_E_INTERNAL, "driver 'streamer': link 'streams' gave it no stream",
		nmhal_device_open(ctx, "streams:streamboard", NULL, &dev));
	streams_open = 0;
	stream_ops = (struct nmhal_stream_ops){.struct_size = 8, .close = close_stream};
	assert_fails(NMHAL_E_INTERNAL, "gave it no whole struct nmhal_stream_ops",
		nmhal_device_open(ctx, "streams:streamboard", NULL, &dev));
	stream_ops.struct_size = sizeof(stream_ops);
	assert_fails(NMHAL_E_INTERNAL, "gave it no stream with close, info, send, recv and flush",
		nmhal_device_open(ctx, "streams:streamboard", NULL, &dev));
	ck_assert_uint_eq(streams_open, 0);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(wrong_caps)
{
#define REFUSE(text, change) \
	do { \
		fake_init(&fake, 1, 2, 3); \
		fake.change; \
		assert_refused(false, NMHAL_E_INTERNAL, "open: driver 'fake': caps: " text); \
		ck_assert_uint_eq(fake.calls[FAKE_CLOSE], 1); \
	} while (0)
	REFUSE("0 cores of 2 x 3 cells", caps.cores = 0);
	REFUSE("1 cores of 0 x 3 cells", caps.rows = 0);
	REFUSE("1 cores of 2 x 0 cells", caps.cols = 0);
	REFUSE("1 cores of 4294967295 x 4294967295", caps.rows = fake.caps.cols = UINT32_MAX);
	REFUSE("4294967295 cores of 2 x 3", caps.cores = UINT32_MAX);
	REFUSE("weights are 8..7", caps.weight_min = 8);
	REFUSE("weights are -8..32768, must lie in -32768..32767", caps.weight_max = 32768);
	REFUSE("weights are -32769..7", caps.weight_min = -32769);
	REFUSE("max_batch is 0", caps.max_batch = 0);
	REFUSE("default_timeout_ms is -2", caps.default_timeout_ms = -2);
	REFUSE("features 0x1000 have no op", caps.features = (fake.ops.reset = NULL, NMHAL_CAN_RESET));
#undef REFUSE
}
END_TEST

START_TEST(failing_parts)
{
	fake_init(&fake, 1, 2, 3);
	fake_fail_next(&fake, FAKE_OPEN, NMHAL_E_ACCESS);
	assert_refused(true, NMHAL_E_ACCESS, "fails as asked");
	ck_assert_uint_eq(fake.calls[FAKE_CLOSE], 0);
	fake_fail_next(&fake, FAKE_CAPS, NMHAL_E_IO);
	assert_refused(true, NMHAL_E_IO, "fails as asked");
	ck_assert_uint_eq(fake.calls[FAKE_CLOSE], 1);
}
END_TEST

START_TEST(bad_uris)
{
	static const struct {
		int status;
		const char *uri;
		const char *sentence;
	} rows[] = {
		{NMHAL_E_INVALID, "fake", "fake: parse URI: ends at character 5"},
		{NMHAL_E_NO_DEVICE, "usb:x", "usb:x: open: unknown scheme 'usb'; known: fakelink, fake"},
		{NMHAL_E_NO_DEVICE, "fake:bord", "fake:bord: open: unknown board 'bord'; known: board"},
		{NMHAL_E_NO_DEVICE, "fakelink:bord", "fakelink:bord: open: unknown board 'bord'; known: busboard"},
		{NMHAL_E_INVALID, "fakelink:busboard,at=1,colour=2", "open: unknown key 'colour'; known: at, color"},
		{NMHAL_E_INVALID, "fakelink:at=1,state=f", "open: unknown key 'state'; known: at, color"},
		{NMHAL_E_INVALID, "fake:at=1,color=2", "open: unknown key 'color'; known: at, state"},
		{NMHAL_E_INVALID, "fake:board,at=x", "open: at=x: is not a number"},
		{NMHAL_E_NO_DEVICE, "fake:", "fake:: open: there is no fake at 0"},
		{NMHAL_E_NO_DEVICE, "fakelink:", "open: there is no fake at 0"},
	};
	nmhal_context *ctx = fake_context();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		nmhal_device *dev = (nmhal_device *)8;

		assert_fails(rows[i].status, rows[i].sentence, nmhal_device_open(ctx, rows[i].uri, NULL, &dev));
		ck_assert_ptr_null(dev);
	}
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(link_without_default_board)
{
	struct nmhal_link link = fake_link;
	nmhal_context *ctx = fake_context();
	nmhal_device *dev;

	link.scheme = "nameless";
	link.default_board = NULL;
	assert_ok(nmhal_context_add_link(ctx, &link));
	assert_fails(NMHAL_E_INVALID, "nameless:: open: names no board; write nameless:BOARD",
		nmhal_device_open(ctx, "nameless:", NULL, &dev));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(bad_arguments)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	nmhal_context *ctx = fake_context();
	nmhal_device *dev = (nmhal_device *)8;
	char uri[FAKE_URI_SIZE];

	fake_init(&fake, 1, 2, 3);
	fake_uri(&fake, "", uri);
	assert_fails(NMHAL_E_INVALID, "open: out is NULL", nmhal_device_open(ctx, uri, NULL, NULL));
	assert_fails(NMHAL_E_INVALID, "open: ctx is NULL", nmhal_device_open(NULL, uri, NULL, &dev));
	ck_assert_ptr_null(dev);
	params.struct_size = 4;
	assert_fails(
		NMHAL_E_INVALID, "nmhal_open_params: struct_size is 4", nmhal_device_open(ctx, uri, &params, &dev));
	params.struct_size = sizeof(params);
	params.reserved = 9;
	assert_fails(NMHAL_E_INVALID, "reserved is 9", nmhal_device_open(ctx, uri, &params, &dev));
	params.reserved = 0;
	params.timeout_ms = -5;
	assert_fails(NMHAL_E_INVALID, "timeout_ms is -5", nmhal_device_open(ctx, uri, &params, &dev));
	ck_assert_uint_eq(fake.calls[FAKE_OPEN], 0);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(timeout_of_open)
{
	struct nmhal_open_params params = NMHAL_OPEN_PARAMS_INIT;
	nmhal_context *ctx = fake_context();
	nmhal_device *dev;
	char uri[FAKE_URI_SIZE];

	fake_init(&fake, 1, 2, 3);
	fake.slow_op = FAKE_OPEN;
	fake.block = true;
	params.timeout_ms = 20;
	params.spike_ring_events = 3;
	assert_fails(NMHAL_E_TIMEOUT, "fake: not done at the deadline",
		nmhal_device_open(ctx, fake_uri(&fake, "", uri), &params, &dev));
	fake.block = false;
	assert_ok(nmhal_device_open(ctx, uri, &params, &dev));
	ck_assert_int_gt(fake.last_deadline, -1);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {good, good_behind_a_link, least_driver, newer_ops, missing_ops, optional_ops,
		wrong_links, wrong_streams, wrong_caps, failing_parts, bad_uris, link_without_default_board,
		bad_arguments, timeout_of_open};

	return run_tests("open", tests, sizeof(tests) / sizeof(*tests));
}
