/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/scribe.h"
#include "tests/unit/run.h"

/* ---- the far end ------------------------------------------------------------------------------------------------- */

static void tell(struct scribe *scribe, const char *word)
{
	size_t used = strlen(scribe->story);

	ck_assert_uint_lt(used + strlen(word) + 2, sizeof(scribe->story));
	snprintf(scribe->story + used, sizeof(scribe->story) - used, "%s%s", used ? " " : "", word);
}

static int answer(struct scribe *scribe, const char *what)
{
	if (!scribe->fail_with)
		return NMHAL_OK;
	return nmhal_host_fail(scribe->host, scribe->fail_with, "%s: fails as asked", what);
}

static void far_end_close(void *self)
{
	struct scribe *scribe = self;

	ck_assert(scribe->is_open);
	scribe->is_open = false;
}

static void bus_info(void *self, struct nmhal_bus_info *info)
{
	(void)self;
	*info = (struct nmhal_bus_info){.flags = NMHAL_BUS_ATTRIBUTES, .default_timeout_ms = 1234, .max_frames = 77,
		.clock_hz = UINT64_C(5000000000), .spi_hz = 1000, .emulated = 1, .serial = "F1"};
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct scribe *scribe = self;
	char word[1024] = "S";
	size_t used = 1;

	(void)deadline_ns;
	for (size_t n = 0; n < count; n++) {
		used += (size_t)snprintf(word + used, sizeof(word) - used, "%s%" PRIx64, n ? "," : "", frames[n]);
		ck_assert_uint_lt(used, sizeof(word));
		if (replies)
			replies[n] = (uint32_t)frames[n] & 0xFF;
	}
	tell(scribe, word);
	return answer(scribe, "spi");
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct scribe *scribe = self;
	char word[1024] = "E";
	size_t used = 1;

	(void)deadline_ns;
	ck_assert_uint_ge(transfer->out_capacity, 256);
	transfer->in_done = 0;
	transfer->out_count = 0;
	for (; transfer->in_done < transfer->in_count && transfer->in_done < scribe->accept; transfer->in_done++) {
		const struct nmhal_bus_in *in = &transfer->in[transfer->in_done];

		used += (size_t)snprintf(word + used, sizeof(word) - used, "%s%x", used > 1 ? "," : "", in->address);
		for (unsigned n = 0; n < scribe->outputs; n++)
			transfer->out[transfer->out_count++] =
				(struct nmhal_bus_out){.index = in->index, .address = (uint16_t)(in->address + n)};
	}
	transfer->idle = transfer->in_done == transfer->in_count;
	tell(scribe, word);
	return answer(scribe, "events");
}

static int bus_reset(void *self, int64_t deadline_ns)
{
	(void)deadline_ns;
	tell(self, "R");
	return answer(self, "reset");
}

static int bus_counter(void *self, const char *key, uint64_t *value)
{
	struct scribe *scribe = self;

	if (strcmp(key, "cycles") != 0)
		return NMHAL_E_UNSUPPORTED;
	*value = scribe->counter += 10;
	return NMHAL_OK;
}

static void far_end_interrupt(void *self)
{
	struct scribe *scribe = self;

	scribe->interrupts++;
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(bus_ops), .close = far_end_close, .info = bus_info, .spi = bus_spi, .events = bus_events,
	.reset = bus_reset, .counter = bus_counter, .interrupt = far_end_interrupt,
};
static const struct nmhal_bus_ops bare_bus_ops = {
	.struct_size = sizeof(bus_ops), .close = far_end_close, .info = bus_info, .spi = bus_spi, .events = bus_events,
	.reset = bus_reset,
};

static void bytes_info(void *self, struct nmhal_stream_info *info)
{
	(void)self;
	*info = (struct nmhal_stream_info){.alignment = 1, .default_timeout_ms = 4321, .serial = "B1"};
}

static void packets_info(void *self, struct nmhal_stream_info *info)
{
	(void)self;
	*info = (struct nmhal_stream_info){.max_frame = 64, .alignment = 4, .default_timeout_ms = -1, .emulated = 1};
}

static int stream_send(void *self, const void *buf, size_t size, int64_t deadline_ns)
{
	const unsigned char *bytes = buf;
	char word[1024] = "s";

	(void)deadline_ns;
	ck_assert_uint_lt(2 * size + 2, sizeof(word));
	for (size_t n = 0; n < size; n++)
		snprintf(word + 1 + 2 * n, 3, "%02x", bytes[n]);
	tell(self, word);
	return answer(self, "send");
}

static int stream_recv(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns)
{
	struct scribe *scribe = self;
	size_t left;

	(void)deadline_ns;
	tell(scribe, "r");
	if (scribe->fail_with)
		return answer(scribe, "receive");
	if (!scribe->chunks || !*scribe->chunks)
		return nmhal_host_fail(scribe->host, NMHAL_E_TIMEOUT, "receive: nothing by the deadline");
	left = strlen(*scribe->chunks) - scribe->chunk_at;
	*size = left < capacity ? left : capacity;
	memcpy(buf, *scribe->chunks + scribe->chunk_at, *size);
	scribe->chunk_at += *size;
	if (*size == left) {
		scribe->chunks++;
		scribe->chunk_at = 0;
	}
	return NMHAL_OK;
}

static int stream_flush(void *self, int64_t deadline_ns)
{
	(void)deadline_ns;
	tell(self, "f");
	return answer(self, "flush");
}

#define STREAM(name, info_fn, interrupt_fn) \
	static const struct nmhal_stream_ops name = { \
		.struct_size = sizeof(name), .close = far_end_close, .info = info_fn, .send = stream_send, \
		.recv = stream_recv, .flush = stream_flush, .interrupt = interrupt_fn, \
	}
STREAM(bytes_ops, bytes_info, far_end_interrupt);
STREAM(bare_bytes_ops, bytes_info, NULL);
STREAM(packets_ops, packets_info, far_end_interrupt);

/* ---- link and driver --------------------------------------------------------------------------------------------- */

static const char *const bus_boards[] = {"bus", NULL}, *const stream_boards[] = {"bytes", "packets", NULL};

static int scribe_of(struct nmhal_host *host, const struct nmhal_uri *uri, struct scribe **scribe)
{
	uint64_t at = 0;
	int status = nmhal_uri_number(host, uri, "at", 0, 1, UINTPTR_MAX, &at);

	*scribe = (struct scribe *)(uintptr_t)at;
	return status;
}

static int link_open(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus,
	struct nmhal_stream *stream)
{
	const char *board = nmhal_uri_board(uri);
	struct scribe *scribe;
	int status = scribe_of(host, uri, &scribe);

	(void)deadline_ns;
	if (status)
		return status;
	scribe->host = host;
	scribe->is_open = true;
	if (strcmp(board, "bus") == 0)
		*bus = (struct nmhal_bus){scribe->bare ? &bare_bus_ops : &bus_ops, scribe};
	else if (strcmp(board, "bytes") == 0)
		*stream = (struct nmhal_stream){scribe->bare ? &bare_bytes_ops : &bytes_ops, scribe};
	else
		*stream = (struct nmhal_stream){&packets_ops, scribe};
	return NMHAL_OK;
}

static void device_close(void *self)
{
	struct scribe *scribe = self;

	if (scribe->bus.ops)
		scribe->bus.ops->close(scribe->bus.self);
	else
		scribe->stream.ops->close(scribe->stream.self);
}

static int device_caps(void *self, struct nmhal_device_caps *caps)
{
	(void)self;
	caps->cores = caps->rows = caps->cols = 1;
	return NMHAL_OK;
}

static int device_write(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	(void)region;
	(void)codes;
	(void)stride;
	(void)deadline_ns;
	return answer(self, "write weights");
}

static int device_read(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride,
	int64_t deadline_ns)
{
	(void)region;
	(void)stride;
	(void)deadline_ns;
	*codes = 0;
	return answer(self, "read weights");
}

static const struct nmhal_device_ops device_ops = {
	.struct_size = sizeof(device_ops), .close = device_close, .caps = device_caps, .write_weights = device_write,
	.read_weights = device_read,
};

static int driver_open(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus,
	const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self)
{
	struct scribe *scribe;
	int status = scribe_of(host, uri, &scribe);

	(void)deadline_ns;
	if (status)
		return status;
	scribe->host = host;
	scribe->bus = *bus;
	scribe->stream = *stream;
	*ops = &device_ops;
	*self = scribe;
	return NMHAL_OK;
}

static const struct nmhal_key at_keys[] = {{"at", "address of the struct scribe"}, {NULL, NULL}};

static const struct nmhal_link scribe_link = {
	.abi = NMHAL_DRIVER_ABI, .struct_size = sizeof(scribe_link), .scheme = "scribe", .summary = "writes down",
	.keys = at_keys, .open = link_open,
};
static const struct nmhal_driver scribe_bus_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_BUS, .struct_size = sizeof(scribe_bus_driver),
	.name = "scribebus", .summary = "hands out its bus", .boards = bus_boards, .keys = at_keys, .open = driver_open,
};
static const struct nmhal_driver scribe_stream_driver = {
	.abi = NMHAL_DRIVER_ABI, .needs = NMHAL_NEEDS_STREAM, .struct_size = sizeof(scribe_stream_driver),
	.name = "scribestream", .summary = "hands out its stream", .boards = stream_boards, .keys = at_keys,
	.open = driver_open,
};

/* ---- what tests use ---------------------------------------------------------------------------------------------- */

static void keep_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct scribe *scribe = user;
	size_t used = strlen(scribe->log);

	(void)level;
	(void)uri;
	ck_assert_uint_lt(used + strlen(message) + 2, sizeof(scribe->log));
	snprintf(scribe->log + used, sizeof(scribe->log) - used, "%s\n", message);
}

void scribe_init(struct scribe *scribe)
{
	*scribe = (struct scribe){.accept = SIZE_MAX, .outputs = 1};
}

int scribe_try(struct scribe *scribe, const char *uri)
{
	struct nmhal_context_params params = NMHAL_CONTEXT_PARAMS_INIT;
	char with_at[512];
	int status;

	params.log_level = NMHAL_LOG_INFO;
	params.log = keep_line;
	params.log_user = scribe;
	assert_ok(nmhal_context_new(&params, &scribe->ctx));
	assert_ok(nmhal_context_add_link(scribe->ctx, &scribe_link));
	assert_ok(nmhal_context_add_driver(scribe->ctx, &scribe_bus_driver));
	assert_ok(nmhal_context_add_driver(scribe->ctx, &scribe_stream_driver));
	snprintf(with_at, sizeof(with_at), "%s,at=0x%" PRIxPTR, uri, (uintptr_t)scribe);
	status = nmhal_device_open(scribe->ctx, with_at, NULL, &scribe->dev);
	if (status) {
		nmhal_context_unref(scribe->ctx);
		ck_assert(!scribe->is_open);
	}
	return status;
}

void scribe_open(struct scribe *scribe, const char *uri)
{
	scribe_init(scribe);
	assert_ok(scribe_try(scribe, uri));
}

void scribe_open_with(struct scribe *scribe, const char *board, const char *fault, unsigned seed)
{
	char uri[128];

	snprintf(uri, sizeof(uri), "scribe:%s,fault=%s,fault_seed=%u", board, fault, seed);
	scribe_open(scribe, uri);
}

void scribe_close(struct scribe *scribe)
{
	nmhal_device_unref(scribe->dev);
	nmhal_context_unref(scribe->ctx);
	ck_assert(!scribe->is_open);
}

void scribe_expect(struct scribe *scribe, const char *story)
{
	ck_assert_str_eq(scribe->story, story);
	scribe->story[0] = '\0';
}

unsigned scribe_lines(const struct scribe *scribe, const char *text)
{
	unsigned count = 0;

	for (const char *at = scribe->log; (at = strstr(at, text)); at++)
		count++;
	return count;
}

unsigned scribe_bits(uint64_t value)
{
	unsigned count = 0;

	for (; value; value &= value - 1)
		count++;
	return count;
}

int scribe_spi(struct scribe *scribe, const uint64_t *frames, size_t count, uint32_t *replies)
{
	return scribe->bus.ops->spi(scribe->bus.self, frames, count, replies, NMHAL_NEVER);
}

int scribe_events(struct scribe *scribe, const char *addresses, char *text, size_t size)
{
	struct nmhal_bus_in in[32];
	struct nmhal_bus_out out[512];
	struct nmhal_bus_transfer transfer = {.in = in, .out = out, .out_capacity = 512, .in_done = 999,
		.out_count = 999, .idle = 9, .quiet_frame = UINT64_C(0x1234567890), .quiet_clocks = 99};
	size_t used = 0;
	char *end;
	int status;

	for (; *addresses; addresses = end, transfer.in_count++)
		in[transfer.in_count] = (struct nmhal_bus_in){.index = (uint32_t)transfer.in_count,
			.address = (uint16_t)strtoul(addresses, &end, 16)};
	status = scribe->bus.ops->events(scribe->bus.self, &transfer, NMHAL_NEVER);
	used = (size_t)snprintf(text, size, "%zu:", transfer.in_done);
	for (size_t n = 0; n < transfer.out_count; n++)
		used += (size_t)snprintf(text + used, size - used, " %x", out[n].address);
	ck_assert_uint_lt(used + 6, size);
	if (transfer.idle)
		snprintf(text + used, size - used, " idle");
	return status;
}

int scribe_send(struct scribe *scribe, const char *text)
{
	return scribe->stream.ops->send(scribe->stream.self, text, strlen(text), NMHAL_NEVER);
}

int scribe_recv(struct scribe *scribe, char *text, size_t size, int ms)
{
	int64_t deadline_ns = nmhal_now_ns() + ms * INT64_C(1000000);
	size_t got = 0;
	int status = scribe->stream.ops->recv(scribe->stream.self, text, size - 1, &got, deadline_ns);

	text[status ? 0 : got] = '\0';
	return status;
}
