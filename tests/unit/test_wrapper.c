/* SPDX-License-Identifier: MIT */
/* Wrappers: which ones a context takes, when they stand before a link, in which order, and what they must leave. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal/hal.h"
#include "tests/unit/fake.h"
#include "tests/unit/run.h"

/* What happened, a letter each: a wrapper wraps (i, o) or closes (I, O). */
static char story[16];
static bool fail_wrap, break_wrap;

static void tell(char letter)
{
	story[strlen(story)] = letter;
}

struct layer {
	char letter;
	struct nmhal_bus_ops ops;
	struct nmhal_bus below;
};

static void layer_close(void *self)
{
	struct layer *layer = self;

	tell((char)(layer->letter - 'a' + 'A'));
	layer->below.ops->close(layer->below.self);
	free(layer);
}

static void layer_info(void *self, struct nmhal_bus_info *info)
{
	struct layer *layer = self;

	layer->below.ops->info(layer->below.self, info);
}

/* Passes on only what the core asks of it. */
static int wrap(char letter, struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_bus *bus)
{
	struct layer *layer;

	ck_assert_str_eq(nmhal_host_uri(host), host->dev->uri);
	if (letter == 'o' && fail_wrap)
		return nmhal_host_fail(host, NMHAL_E_ACCESS, "open: outer=%s: no", nmhal_uri_value(uri, "outer"));
	layer = calloc(1, sizeof(*layer));
	ck_assert_ptr_nonnull(layer);
	layer->letter = letter;
	layer->ops = *bus->ops;
	layer->ops.close = layer_close;
	layer->ops.info = layer_info;
	layer->below = *bus;
	if (break_wrap)
		layer->ops.spi = NULL;
	*bus = (struct nmhal_bus){&layer->ops, layer};
	tell(letter);
	return NMHAL_OK;
}

static int wrap_inner(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	ck_assert_ptr_null(stream->ops);
	ck_assert_int_gt(deadline_ns, 0);
	return wrap('i', host, uri, bus);
}

static int wrap_outer(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	(void)deadline_ns;
	(void)stream;
	return wrap('o', host, uri, bus);
}

static const struct nmhal_key inner_keys[] = {{"inner", "puts it there"}, {"depth", "how deep"}, {NULL, NULL}};
static const struct nmhal_key outer_keys[] = {{"outer", "puts it there"}, {NULL, NULL}};

static const struct nmhal_wrapper inner = {
	.abi = NMHAL_DRIVER_ABI, .struct_size = sizeof(inner), .name = "in", .summary = "next to the link",
	.keys = inner_keys, .wrap = wrap_inner,
};
static const struct nmhal_wrapper outer = {
	.abi = NMHAL_DRIVER_ABI, .struct_size = sizeof(outer), .name = "out", .summary = "next to the driver",
	.keys = outer_keys, .wrap = wrap_outer,
};

static nmhal_context *wrapped_context(void)
{
	nmhal_context *ctx = fake_context();

	assert_ok(nmhal_context_add_wrapper(ctx, &inner));
	assert_ok(nmhal_context_add_wrapper(ctx, &outer));
	memset(story, 0, sizeof(story));
	fail_wrap = false;
	break_wrap = false;
	return ctx;
}

/* Opens the fake behind its link with more of a URI; closes it again. */
static int try_open(struct fake *fake, const char *extra)
{
	nmhal_context *ctx = wrapped_context();
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;
	int status;

	fake_init(fake, 1, 2, 3);
	status = nmhal_device_open(ctx, fake_bus_uri(fake, extra, uri), NULL, &dev);
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
	ck_assert(!fake->bus_is_open);
	return status;
}

START_TEST(a_key_puts_it_there)
{
	struct fake fake;

	assert_ok(try_open(&fake, ""));
	ck_assert_str_eq(story, "");
	assert_ok(try_open(&fake, ",inner=1,depth=3"));
	ck_assert_str_eq(story, "iI");
	/* The order in the URI says nothing. */
	assert_ok(try_open(&fake, ",outer=1,inner=1"));
	ck_assert_str_eq(story, "ioOI");
	assert_fails(NMHAL_E_INVALID, "open: key 'depth' goes with inner=, which is not there",
		try_open(&fake, ",depth=3"));
	assert_fails(NMHAL_E_INVALID, "open: unknown key 'colour'; known: at, color, inner, depth, outer",
		try_open(&fake, ",colour=3"));
	ck_assert_str_eq(story, "");
}
END_TEST

/* A driver without a link has nothing to wrap. */
START_TEST(no_link_no_wrapper)
{
	nmhal_context *ctx = wrapped_context();
	struct fake fake;
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	assert_fails(NMHAL_E_INVALID, "open: unknown key 'inner'; known: at, state",
		nmhal_device_open(ctx, fake_uri(&fake, ",inner=1", uri), NULL, &dev));
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(what_fails_is_closed)
{
	nmhal_context *ctx = wrapped_context();
	struct fake fake;
	char uri[FAKE_URI_SIZE];
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	fake_bus_uri(&fake, ",inner=1,outer=2", uri);
	fail_wrap = true;
	assert_fails(NMHAL_E_ACCESS, "outer=2: no", nmhal_device_open(ctx, uri, NULL, &dev));
	ck_assert_str_eq(story, "iI");
	ck_assert(!fake.bus_is_open);
	fail_wrap = false;
	break_wrap = true;
	memset(story, 0, sizeof(story));
	assert_fails(NMHAL_E_INTERNAL, "driver 'fakebus': wrapper 'in' gave it no bus with close, info, spi",
		nmhal_device_open(ctx, uri, NULL, &dev));
	ck_assert_str_eq(story, "iI");
	ck_assert(!fake.bus_is_open);
	nmhal_context_unref(ctx);
}
END_TEST

START_TEST(refuses_bad_wrappers)
{
	nmhal_context *ctx = wrapped_context();
	static const struct nmhal_key none[] = {{NULL, NULL}}, taken[] = {{"mine", ""}, {"depth", ""}, {NULL, NULL}};
	struct nmhal_wrapper wrapper;

#define REFUSE(status, text, change) \
	wrapper = inner; \
	wrapper.name = "bad"; \
	wrapper.change; \
	assert_fails(status, text, nmhal_context_add_wrapper(ctx, &wrapper))
	REFUSE(NMHAL_E_INVALID, "add wrapper: abi is 0, this library has 1", abi = 0);
	REFUSE(NMHAL_E_INVALID, "struct_size is 8", struct_size = 8);
	REFUSE(NMHAL_E_INVALID, "add wrapper '': it has no name", name = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no name", name = "");
	REFUSE(NMHAL_E_INVALID, "add wrapper 'bad': it has no wrap", wrap = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no keys", keys = NULL);
	REFUSE(NMHAL_E_INVALID, "it has no keys", keys = none);
	REFUSE(NMHAL_E_INVALID, "reserved is 7", reserved = 7);
	REFUSE(NMHAL_E_BUSY, "add wrapper 'bad': key 'inner' is that of 'in'", keys = inner_keys);
	REFUSE(NMHAL_E_BUSY, "key 'depth' is that of 'in'", keys = taken);
#undef REFUSE
	assert_fails(NMHAL_E_INVALID, "wrapper is NULL", nmhal_context_add_wrapper(ctx, NULL));
	assert_fails(NMHAL_E_INVALID, "ctx is NULL", nmhal_context_add_wrapper(NULL, &inner));
	ck_assert_uint_eq(ctx->wrapper_count, 2);
	nmhal_context_unref(ctx);
}
END_TEST

static const char *board_answer; /* NULL: it cannot tell */

static int ask_board(struct nmhal_host *host, const struct nmhal_uri *uri, char *board, size_t size)
{
	ck_assert_str_eq(nmhal_uri_scheme(uri), "asks");
	if (!board_answer)
		return nmhal_host_fail(host, NMHAL_E_PROTOCOL, "open: it does not say what it is");
	ck_assert_int_lt(snprintf(board, size, "%s", board_answer), (int)size);
	return NMHAL_OK;
}

START_TEST(a_link_tells_the_board)
{
	nmhal_context *ctx = wrapped_context();
	struct nmhal_device_caps caps = {.struct_size = sizeof(caps)};
	struct nmhal_link link = fake_link;
	struct fake fake;
	char uri[FAKE_URI_SIZE], at[FAKE_URI_SIZE];
	nmhal_device *dev;

	fake_init(&fake, 1, 2, 3);
	link.scheme = "asks";
	link.default_board = "wrong";
	link.board = ask_board;
	assert_ok(nmhal_context_add_link(ctx, &link));
	snprintf(uri, sizeof(uri), "asks:%s", strchr(fake_bus_uri(&fake, "", at), ',') + 1);
	assert_fails(NMHAL_E_PROTOCOL, "it does not say what it is", nmhal_device_open(ctx, uri, NULL, &dev));
	board_answer = "teapot";
	assert_fails(NMHAL_E_NO_DEVICE, "unknown board 'teapot'", nmhal_device_open(ctx, uri, NULL, &dev));
	board_answer = "busboard";
	memset(fake.caps.board, 0, sizeof(fake.caps.board));
	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
	assert_ok(nmhal_device_caps(dev, &caps));
	ck_assert_str_eq(caps.board, "busboard");
	nmhal_device_unref(dev);
	/* A URI that names one is not asked about. */
	board_answer = "teapot";
	snprintf(uri, sizeof(uri), "asks:busboard%s", strchr(at, ','));
	assert_ok(nmhal_device_open(ctx, uri, NULL, &dev));
	nmhal_device_unref(dev);
	nmhal_context_unref(ctx);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {a_key_puts_it_there, no_link_no_wrapper, what_fails_is_closed,
		refuses_bad_wrappers, a_link_tells_the_board};

	return run_tests("wrapper", tests, sizeof(tests) / sizeof(*tests));
}
