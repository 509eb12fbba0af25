/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <check.h>

#include "tests/ftdi/script.h"

static int control(void *self, enum ftdi_channel channel, enum ftdi_request request, unsigned value,
	int64_t deadline_ns)
{
	struct script *script = self;
	size_t used = strlen(script->controls);

	(void)deadline_ns;
	snprintf(script->controls + used, sizeof(script->controls) - used, "%c%d=%04x ", 'A' + (int)channel,
		(int)request, value);
	return script->control_status;
}

static int alloc(void *self, struct ftdi_transfer *transfer, size_t size)
{
	(void)self;
	transfer->data = malloc(size);
	ck_assert_ptr_nonnull(transfer->data);
	return NMHAL_OK;
}

static void free_transfer(void *self, struct ftdi_transfer *transfer)
{
	(void)self;
	ck_assert(!transfer->busy);
	free(transfer->data);
}

static int submit(void *self, struct ftdi_transfer *transfer)
{
	struct script *script = self;

	if (script->submits++ == script->refuse_at)
		return nmhal_host_fail(script->host, script->refuse_status, "submit refused");
	ck_assert(!transfer->busy);
	ck_assert_uint_lt(script->queued, SCRIPT_TRANSFERS);
	transfer->busy = true;
	transfer->status = NMHAL_OK;
	transfer->done = 0;
	script->queue[script->queued++] = transfer;
	script->busy++;
	return NMHAL_OK;
}

static void cancel(void *self, struct ftdi_transfer *transfer)
{
	struct script *script = self;

	ck_assert(transfer->busy);
	transfer->status = NMHAL_E_CANCELED;
	script->cancels++;
}

static void record_out(struct script *script, const struct ftdi_transfer *transfer)
{
	enum ftdi_channel channel = transfer->channel;

	ck_assert_uint_le(script->out_size[channel] + transfer->size, SCRIPT_OUT);
	memcpy(script->out[channel] + script->out_size[channel], transfer->data, transfer->size);
	script->out_size[channel] += transfer->size;
	script->sent[channel] += transfer->size;
	ck_assert_uint_lt(script->out_transfers[channel], SCRIPT_TRANSFERS);
	script->out_sizes[channel][script->out_transfers[channel]++] = transfer->size;
}

/* True if the transfer completes now. */
static bool complete(struct script *script, struct ftdi_transfer *transfer)
{
	size_t *eaten = &script->eaten[transfer->channel];

	if (transfer->status == NMHAL_E_CANCELED) {
		/* as a real one: nothing moved */
	} else if (!transfer->in && !script->hold_out) {
		record_out(script, transfer);
		transfer->done = transfer->size;
	} else if (transfer->in && *eaten < script->fed[transfer->channel] &&
		script->sent[transfer->channel] >= script->pieces[transfer->channel][*eaten].after) {
		const struct script_piece *piece = &script->pieces[transfer->channel][(*eaten)++];

		ck_assert_uint_le(piece->size, transfer->size);
		memcpy(transfer->data, piece->data, piece->size);
		transfer->done = piece->size;
	} else {
		return false;
	}
	transfer->busy = false;
	script->busy--;
	if (script->completions++ == script->fail_at) {
		transfer->status = script->fail_status;
		if (script->fail_done < transfer->done)
			transfer->done = script->fail_done;
	}
	return true;
}

static int wait(void *self, int64_t until_ns)
{
	struct script *script = self;
	bool completed = false, waiting[FTDI_CHANNELS][2] = {{false}};
	size_t kept = 0;

	for (size_t n = 0; n < script->queued; n++) {
		struct ftdi_transfer *transfer = script->queue[n];
		bool *behind = &waiting[transfer->channel][transfer->in];

		if (!*behind && complete(script, transfer)) {
			completed = true;
		} else {
			*behind = true;
			script->queue[kept++] = transfer;
		}
	}
	script->queued = kept;
	while (!completed && nmhal_now_ns() < until_ns) {
		const struct timespec moment = {0, 1000000};

		nanosleep(&moment, NULL);
	}
	return NMHAL_OK;
}

static void nothing(void *self)
{
	(void)self;
}

static int counter(void *self, const char *key, uint64_t *value)
{
	(void)self;
	(void)key;
	(void)value;
	return NMHAL_E_UNSUPPORTED;
}

static const struct ftdi_port_ops ops = {
	.close = nothing,
	.control = control,
	.alloc = alloc,
	.free = free_transfer,
	.submit = submit,
	.cancel = cancel,
	.wait = wait,
	.interrupt = nothing,
	.counter = counter,
};

static void keep_line(void *user, enum nmhal_log_level level, const char *uri, const char *message)
{
	struct script *script = user;

	(void)level;
	(void)uri;
	snprintf(script->logged, sizeof(script->logged), "%s", message);
}

struct script *script_new(void)
{
	struct nmhal_context_params params = {
		.struct_size = sizeof(params), .log = keep_line, .log_level = NMHAL_LOG_WARN,
	};
	struct script *script = calloc(1, sizeof(*script));
	static char uri[] = "script:";

	ck_assert_ptr_nonnull(script);
	params.log_user = script;
	script->fail_at = SIZE_MAX;
	script->refuse_at = SIZE_MAX;
	ck_assert_int_eq(nmhal_context_new(&params, &script->device.ctx), NMHAL_OK);
	script->device.uri = uri;
	script->device.host.dev = &script->device;
	script->host = &script->device.host;
	script->port = (struct ftdi_port){&ops, script};
	return script;
}

void script_free(struct script *script)
{
	ck_assert_uint_eq(script->busy, 0);
	nmhal_context_unref(script->device.ctx);
	free(script);
}

void script_feed_raw(struct script *script, enum ftdi_channel channel, const uint8_t *bytes, size_t size)
{
	struct script_piece *piece = &script->pieces[channel][script->fed[channel]++];

	ck_assert_uint_lt(script->fed[channel], SCRIPT_PIECES);
	ck_assert_uint_le(size, sizeof(piece->data));
	memcpy(piece->data, bytes, size);
	piece->size = size;
	piece->after = script->after[channel];
}

void script_after(struct script *script, enum ftdi_channel channel, size_t bytes)
{
	script->after[channel] = script->sent[channel] + bytes;
}

void script_feed(struct script *script, enum ftdi_channel channel, const uint8_t *bytes, size_t size)
{
	uint8_t packet[FTDI_PACKET] = {0x32, 0x60};

	ck_assert_uint_le(size, sizeof(packet) - 2);
	if (size)
		memcpy(packet + 2, bytes, size);
	script_feed_raw(script, channel, packet, size + 2);
}

void script_wait(struct script *script)
{
	ck_assert_int_eq(script->port.ops->wait(script->port.self, 0), NMHAL_OK);
}
