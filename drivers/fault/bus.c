/* SPDX-License-Identifier: MIT */
/* Faults on a bus: in frames and replies, in input and output events, and of whole operations. */
#include <stdlib.h>
#include <string.h>

#include "drivers/common/wrapped.h"
#include "fault.h"

#define DATA     (FAULT_BIT(FAULT_DROP) | FAULT_BIT(FAULT_DUP) | FAULT_BIT(FAULT_FLIP))
#define EVENTS   (DATA | FAULT_BIT(FAULT_SPLIT))
#define MIN_ROOM 256u /* outputs that a call of events must have room for */
#define MIN_BITS 8u   /* of a reply or address that may flip even when all are 0 */

struct fault_bus {
	struct nmhal_bus below; /* first: drivers/common/wrapped.h */
	struct fault fault;
};

static void bus_close(void *self)
{
	struct fault_bus *bus = self;

	fault_end(&bus->fault);
	bus->below.ops->close(bus->below.self);
	free(bus);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

static int send_frames(struct fault_bus *bus, const uint64_t *frames, size_t count, uint32_t *replies,
	int64_t deadline_ns)
{
	return count ? bus->below.ops->spi(bus->below.self, frames, count, replies, deadline_ns) : NMHAL_OK;
}

/* Sends all frames but that one, and in its place `times` frames `other`; what is not sent is answered by 0. */
static int send_other(struct fault_bus *bus, const struct fault_op *op, const uint64_t *frames, uint32_t *replies,
	size_t at, uint64_t other, unsigned times)
{
	int status = send_frames(bus, frames, at, replies, op->deadline_ns);

	if (replies)
		replies[at] = 0;
	for (unsigned n = 0; n < times && status == NMHAL_OK; n++)
		status = send_frames(bus, &other, 1, replies ? replies + at : NULL, op->deadline_ns);
	if (status != NMHAL_OK)
		return status;
	at++;
	return send_frames(bus, frames + at, op->count - at, replies ? replies + at : NULL, op->deadline_ns);
}

static int flip_reply(struct fault_bus *bus, const struct fault_op *op, const uint64_t *frames, uint32_t *replies)
{
	size_t at = fault_draw(&bus->fault, op->count);
	int status = send_frames(bus, frames, op->count, replies, op->deadline_ns);
	uint32_t used = 0;

	if (status != NMHAL_OK)
		return status;
	for (size_t n = 0; n < op->count; n++)
		used |= replies[n];
	replies[at] ^= (uint32_t)fault_draw_bit(&bus->fault, used, MIN_BITS);
	fault_tell(&bus->fault, op, "flip in the reply to frame %zu", at);
	return NMHAL_OK;
}

static int flip_frame(struct fault_bus *bus, const struct fault_op *op, const uint64_t *frames, uint32_t *replies)
{
	size_t at = fault_draw(&bus->fault, op->count);
	uint64_t used = 0;

	for (size_t n = 0; n < op->count; n++)
		used |= frames[n];
	fault_tell(&bus->fault, op, "flip in frame %zu", at);
	return send_other(bus, op, frames, replies, at, frames[at] ^ fault_draw_bit(&bus->fault, used, 1), 1);
}

static int bus_spi(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns)
{
	struct fault_bus *bus = self;
	const struct fault_op op = {"spi", count, "frames", count ? FAULT_ANY | DATA : FAULT_ANY, deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&bus->fault, &op, &kind);
	size_t at = 0;

	if (status != NMHAL_OK)
		return status;
	switch (kind) {
	case FAULT_FLIP:
		return replies && fault_draw(&bus->fault, 2) ? flip_reply(bus, &op, frames, replies) :
							       flip_frame(bus, &op, frames, replies);
	case FAULT_DROP:
	case FAULT_DUP:
		at = fault_draw(&bus->fault, count);
		fault_tell(&bus->fault, &op, "%s of frame %zu", kind == FAULT_DROP ? "drop" : "dup", at);
		return send_other(bus, &op, frames, replies, at, frames[at], kind == FAULT_DROP ? 0 : 2);
	case FAULT_IO:
		status = send_frames(bus, frames, fault_draw(&bus->fault, count + 1), replies, deadline_ns);
		return status == NMHAL_OK ? fault_fail(&bus->fault, &op, NMHAL_E_IO, "io") : status;
	default:
		return bus->below.ops->spi(bus->below.self, frames, count, replies, deadline_ns);
	}
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static int pass(struct fault_bus *bus, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	return bus->below.ops->events(bus->below.self, transfer, deadline_ns);
}

/* Hands over other inputs than those of the transfer, and appends to its outputs. Leaves in_done alone. */
static int pass_others(struct fault_bus *bus, struct nmhal_bus_transfer *transfer, const struct nmhal_bus_in *in,
	size_t count, size_t *done, int64_t deadline_ns)
{
	struct nmhal_bus_transfer part = *transfer;
	int status;

	part.in = in;
	part.in_count = count;
	part.out += transfer->out_count;
	part.out_capacity -= transfer->out_count;
	status = pass(bus, &part, deadline_ns);
	*done = part.in_done;
	transfer->out_count += part.out_count;
	transfer->idle = part.idle;
	return status;
}

/* Hands over the inputs up to one, which is drawn, and for that one none, another, or two. Returns early after it. */
static int change_input(struct fault_bus *bus, const struct fault_op *op, enum fault_kind kind,
	struct nmhal_bus_transfer *transfer)
{
	size_t at = fault_draw(&bus->fault, transfer->in_count), done = 0;
	struct nmhal_bus_in changed[2] = {transfer->in[at], transfer->in[at]};
	int status = at ? pass_others(bus, transfer, transfer->in, at, &done, op->deadline_ns) : NMHAL_OK;

	transfer->in_done = done;
	if (status != NMHAL_OK || done < at || transfer->out_capacity - transfer->out_count < MIN_ROOM)
		return status;
	transfer->in_done = at + 1;
	transfer->idle = 0;
	if (kind == FAULT_DROP) {
		fault_tell(&bus->fault, op, "drop of input %zu", at);
		return NMHAL_OK;
	}
	if (kind == FAULT_FLIP)
		changed[0].address ^= (uint16_t)fault_draw_bit(&bus->fault, changed[0].address, MIN_BITS);
	status = pass_others(bus, transfer, changed, kind == FAULT_DUP ? 2 : 1, &done, op->deadline_ns);
	if (!done)
		transfer->in_done = at;
	else if (kind == FAULT_FLIP)
		fault_tell(&bus->fault, op, "flip in input %zu", at);
	else if (done == 2)
		fault_tell(&bus->fault, op, "dup of input %zu", at);
	return status;
}

static int change_output(struct fault_bus *bus, const struct fault_op *op, enum fault_kind kind,
	struct nmhal_bus_transfer *transfer)
{
	int status = pass(bus, transfer, op->deadline_ns);
	struct nmhal_bus_out *out = transfer->out;
	size_t at, after;
	unsigned used = 0;

	if (status != NMHAL_OK || !transfer->out_count)
		return status;
	at = fault_draw(&bus->fault, transfer->out_count);
	after = transfer->out_count - at - 1;
	for (size_t n = 0; n < transfer->out_count; n++)
		used |= out[n].address;
	if (kind == FAULT_FLIP) {
		out[at].address ^= (uint16_t)fault_draw_bit(&bus->fault, used, MIN_BITS);
		fault_tell(&bus->fault, op, "flip in output %zu", at);
	} else if (kind == FAULT_DROP) {
		memmove(out + at, out + at + 1, after * sizeof(*out));
		transfer->out_count--;
		fault_tell(&bus->fault, op, "drop of output %zu", at);
	} else if (transfer->out_count < transfer->out_capacity) {
		memmove(out + at + 1, out + at, (after + 1) * sizeof(*out));
		transfer->out_count++;
		fault_tell(&bus->fault, op, "dup of output %zu", at);
	}
	return NMHAL_OK;
}

/* Takes only some of the inputs; where there are none it does nothing this time. */
static int split(struct fault_bus *bus, const struct fault_op *op, struct nmhal_bus_transfer *transfer)
{
	size_t count = transfer->in_count ? fault_draw(&bus->fault, transfer->in_count) : 0;

	fault_tell(&bus->fault, op, "split before input %zu", count);
	return count ? pass_others(bus, transfer, transfer->in, count, &transfer->in_done, op->deadline_ns) : NMHAL_OK;
}

/* Some inputs reach the chip; their outputs are lost. */
static int break_off(struct fault_bus *bus, const struct fault_op *op, struct nmhal_bus_transfer *transfer)
{
	size_t count = fault_draw(&bus->fault, transfer->in_count + 1);
	int status = pass_others(bus, transfer, transfer->in, count, &transfer->in_done, op->deadline_ns);

	transfer->out_count = 0;
	transfer->idle = 0;
	return status == NMHAL_OK ? fault_fail(&bus->fault, op, NMHAL_E_IO, "io") : status;
}

static int bus_events(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns)
{
	struct fault_bus *bus = self;
	const struct fault_op op = {"events", transfer->in_count, "inputs", FAULT_ANY | EVENTS, deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&bus->fault, &op, &kind);

	transfer->in_done = 0;
	transfer->out_count = 0;
	transfer->idle = 0;
	if (status != NMHAL_OK)
		return status;
	switch (kind) {
	case FAULT_DROP:
	case FAULT_DUP:
	case FAULT_FLIP:
		return transfer->in_count && fault_draw(&bus->fault, 2) ? change_input(bus, &op, kind, transfer) :
									  change_output(bus, &op, kind, transfer);
	case FAULT_SPLIT:
		return split(bus, &op, transfer);
	case FAULT_IO:
		return break_off(bus, &op, transfer);
	default:
		return pass(bus, transfer, deadline_ns);
	}
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static int bus_reset(void *self, int64_t deadline_ns)
{
	struct fault_bus *bus = self;
	const struct fault_op op = {"reset", 0, NULL, FAULT_ANY, deadline_ns};
	enum fault_kind kind;
	int status = fault_begin(&bus->fault, &op, &kind);

	/* A reset that fails may have happened. */
	if (status == NMHAL_OK && (kind != FAULT_IO || fault_draw(&bus->fault, 2)))
		status = bus->below.ops->reset(bus->below.self, deadline_ns);
	return status == NMHAL_OK && kind == FAULT_IO ? fault_fail(&bus->fault, &op, NMHAL_E_IO, "io") : status;
}

static const struct nmhal_bus_ops bus_ops = {
	.struct_size = sizeof(struct nmhal_bus_ops),
	.close = bus_close,
	.info = wrapped_bus_info,
	.spi = bus_spi,
	.events = bus_events,
	.reset = bus_reset,
	.counter = wrapped_bus_counter,
	.interrupt = wrapped_bus_interrupt,
};

int fault_wrap_bus(struct nmhal_host *host, const struct nmhal_uri *uri, struct nmhal_bus *bus)
{
	struct fault_bus *wrapped = calloc(1, sizeof(*wrapped));
	int status;

	if (!wrapped)
		return nmhal_host_fail(host, NMHAL_E_NO_MEMORY, "open: no memory for faults");
	status = fault_parse(host, uri, FAULT_ANY | EVENTS, "bus", &wrapped->fault);
	if (status != NMHAL_OK) {
		free(wrapped);
		return status;
	}
	wrapped->below = *bus;
	*bus = (struct nmhal_bus){&bus_ops, wrapped};
	return NMHAL_OK;
}
