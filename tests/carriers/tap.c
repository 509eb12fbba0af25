/* SPDX-License-Identifier: MIT */
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Of the device that was opened last; the test reads it right after open. */
static struct nmhal_stream opened;

static void tap_ops_close(void *self)
{
	struct nmhal_stream *stream = self;

	stream->ops->close(stream->self);
	free(stream);
}

static int tap_ops_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->features = NMHAL_CAN_READ_WEIGHTS;
	caps->cores = caps->rows = caps->cols = 1;
	caps->weight_bits = 8;
	caps->weight_min = -128;
	caps->weight_max = 127;
	caps->default_timeout_ms = 1000;
	return NMHAL_OK;
}

static int tap_ops_write(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	(void)self;
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return NMHAL_E_UNSUPPORTED;
}

static int tap_ops_read(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	return tap_ops_write(self, region, codes, stride, deadline_ns);
}

static void tap_ops_interrupt(void *self)
{
	const struct nmhal_stream *stream = self;

	stream->ops->interrupt(stream->self);
}

static const struct nmhal_device_ops tap_ops = {
	.struct_size = sizeof(struct nmhal_device_ops),
	.close = tap_ops_close,
	.caps = tap_ops_caps,
	.write_weights = tap_ops_write,
	.read_weights = tap_ops_read,
	.interrupt = tap_ops_interrupt,
};

static int tap_ops_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct nmhal_stream *own = malloc(sizeof(*own));

	(void)uri;
	(void)bus;
	(void)deadline_ns;
	if (!own)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory");
	*own = opened = *stream;
	*ops = &tap_ops;
	*self = own;
	return NMHAL_OK;
}

static const char *const boards[] = {"echo", NULL};
static const struct nmhal_driver tap_driver = {
	.abi = NMHAL_DRIVER_ABI,
	.needs = NMHAL_NEEDS_STREAM,
	.struct_size = sizeof(struct nmhal_driver),
	.name = "tap",
	.summary = "hands the stream to the test",
	.boards = boards,
	.open = tap_ops_open,
};

nmhal_context *tap_context(void)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	nmhal_context *ctx = NULL;

	params.log_level = NMHAL_LOG_NONE;
	tap_is(nmhal_context_new(&params, &ctx), NMHAL_OK);
	tap_is(nmhal_context_add_driver(ctx, &tap_driver), NMHAL_OK);
	return ctx;
}

void tap_open(nmhal_context *ctx, const char *uri, struct tap *tap)
{
	tap_is(nmhal_device_open(ctx, uri, NULL, &tap->dev), NMHAL_OK);
	tap->stream = opened;
}

int tap_try(nmhal_context *ctx, const char *uri)
{
	nmhal_device *dev = NULL;
	int status = nmhal_device_open(ctx, uri, NULL, &dev);

	nmhal_device_unref(dev);
	return status;
}

void tap_close(struct tap *tap)
{
	tap_is(nmhal_device_close(tap->dev), NMHAL_OK);
	nmhal_device_unref(tap->dev);
	*tap = (struct tap){0};
}

static size_t count_descriptors(int without_flags)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t count = 0;

	ck_assert_ptr_nonnull(folder);
	while ((entry = readdir(folder))) {
		int flags = fcntl(atoi(entry->d_name), F_GETFD);

		count += entry->d_name[0] != '.' && flags >= 0 && !(flags & without_flags);
	}
	closedir(folder);
	return count;
}

size_t tap_descriptors(void)
{
	return count_descriptors(0);
}

size_t tap_inherited(void)
{
	return count_descriptors(FD_CLOEXEC);
}
