/* SPDX-License-Identifier: MIT */
/* Sessions: HELLO until the board answers it, and what the board then says about itself. */
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define HELLO_TIMES 9u
#define HELLO_NS    INT64_C(250000000)

/* The next number of a session; 0 in its low half would be no session. */
static uint32_t next_session(uint32_t session)
{
	do
		session++;
	while (!(session & 0xFFFFu));
	return session;
}

/* The answer to our HELLO, among whatever else comes. VERSION has its sentence. */
static int take_hello(struct link_device *dev, const struct link_frame *frame, struct nmlink_hello_reply *reply)
{
	const struct nmlink_header *header = &frame->header;

	if (!(header->flags & NMLINK_FLAG_REPLY) || header->op != NMLINK_OP_HELLO)
		return NMHAL_E_AGAIN;
	if (header->version != NMLINK_VERSION_MAJOR || header->status == NMLINK_EVERSION)
		return nmhal_host_fail(dev->host, NMHAL_E_VERSION,
			"hello: the board speaks version %u of nmlink, this library version %u", header->version,
			NMLINK_VERSION_MAJOR);
	if (header->status != NMLINK_OK || !nmlink_get_hello_reply(reply, frame->payload, header->size) ||
		reply->session != dev->wire.session)
		return NMHAL_E_AGAIN;
	return NMHAL_OK;
}

/* Waits for the answer; AGAIN when there is none after a while. */
static int await_hello(struct link_device *dev, struct nmlink_hello_reply *reply)
{
	const int64_t deadline_ns = dev->call.deadline_ns;
	int64_t until = nmhal_now_ns() + HELLO_NS;
	int status = NMHAL_OK;

	while (status == NMHAL_OK) {
		struct link_frame frame;
		bool silent;

		status = link_pipe_receive(&dev->wire.pipe, &frame, until < deadline_ns ? until : deadline_ns);
		silent = status == NMHAL_E_TIMEOUT;
		if (status == NMHAL_OK || status == NMHAL_E_VERSION) {
			status = take_hello(dev, &frame, reply);
			if (status != NMHAL_E_AGAIN)
				return status;
		}
		if (status == NMHAL_E_AGAIN || silent)
			status = nmhal_host_poll(dev->host, deadline_ns, dev->call.what);
		if (status == NMHAL_OK && (silent || nmhal_now_ns() >= until))
			return NMHAL_E_AGAIN;
	}
	return status;
}

static int say_hello(struct link_device *dev, struct nmlink_hello_reply *reply)
{
	struct link_wire *wire = &dev->wire;
	const struct nmlink_hello_request request = {.session = wire->session, .minor = NMLINK_VERSION_MINOR};
	const struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .op = NMLINK_OP_HELLO,
		.size = NMLINK_SIZE_hello_request};
	uint8_t frame[NMLINK_OVERHEAD + NMLINK_SIZE_hello_request];
	int status = NMHAL_E_AGAIN;
	uint32_t size;

	nmlink_put_hello_request(frame + NMLINK_HEADER_SIZE, &request);
	size = nmlink_frame_seal(frame, &header, wire->pipe.crc);
	for (unsigned n = 0; n < HELLO_TIMES && status == NMHAL_E_AGAIN; n++) {
		status = link_pipe_send(&wire->pipe, frame, size, dev->call.deadline_ns);
		if (status == NMHAL_OK)
			status = await_hello(dev, reply);
	}
	if (status == NMHAL_E_AGAIN)
		return nmhal_host_fail(dev->host, NMHAL_E_TIMEOUT,
			"hello: nothing that speaks nmlink answered, asked %u times; check power, cable and the speed "
			"of the line",
			HELLO_TIMES);
	return status;
}

/* Sizes for the first session; GONE when they are others in a later one. */
static int take_sizes(struct link_device *dev, const struct nmlink_hello_reply *reply)
{
	struct link_wire *wire = &dev->wire;
	const size_t packet = wire->pipe.info.max_frame;
	uint32_t max_frame = reply->max_frame;
	int status;

	if (wire->max_frame) {
		if (reply->caps_size == wire->caps_size && reply->caps_crc == wire->caps_crc)
			return NMHAL_OK;
		return nmhal_host_fail(dev->host, NMHAL_E_GONE,
			"hello: another board answers than the one that was opened; close it and open it again");
	}
	if (max_frame < NMLINK_MIN_FRAME || max_frame > LINK_MAX_FRAME)
		return nmhal_host_fail(dev->host, NMHAL_E_PROTOCOL,
			"hello: the board's frames have %u bytes, expected %u to %u", max_frame, NMLINK_MIN_FRAME,
			LINK_MAX_FRAME);
	if (!reply->window || reply->window > LINK_MAX_WINDOW)
		return nmhal_host_fail(dev->host, NMHAL_E_PROTOCOL, "hello: the board's window is %u, expected 1 to %u",
			reply->window, LINK_MAX_WINDOW);
	if (reply->caps_size > LINK_MAX_CAPS)
		return nmhal_host_fail(dev->host, NMHAL_E_PROTOCOL,
			"hello: the board has %u bytes of capability records, at most %u are read", reply->caps_size,
			LINK_MAX_CAPS);
	if (packet && packet < max_frame)
		max_frame = packet < NMLINK_MIN_FRAME ? NMLINK_MIN_FRAME : (uint32_t)packet;
	status = link_pipe_resize(&wire->pipe, max_frame);
	if (status == NMHAL_OK)
		status = link_wire_resize(dev, reply->window, max_frame);
	wire->caps_size = reply->caps_size;
	wire->caps_crc = reply->caps_crc;
	return status;
}

int link_hello(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;
	struct nmlink_hello_reply reply = {0};
	int status = link_pipe_flush(&wire->pipe, dev->call.deadline_ns);

	wire->session = next_session(wire->session);
	if (status == NMHAL_OK)
		status = say_hello(dev, &reply);
	if (status == NMHAL_OK)
		status = take_sizes(dev, &reply);
	if (status != NMHAL_OK)
		return status;
	wire->first = 1;
	wire->next = 1;
	wire->sent = 1;
	wire->asked = 1;
	wire->credits = wire->window;
	wire->has_gone_back = false;
	wire->down = false;
	wire->round_trips++;
	nmhal_host_log(dev->host, NMHAL_LOG_DEBUG, "session 0x%08x: frames of %u bytes, %u requests in flight",
		wire->session, wire->max_frame, wire->window);
	return NMHAL_OK;
}

/* ---- capability records ------------------------------------------------------------------------------------------ */

struct reading {
	uint8_t *records;
	uint32_t size;
};

static void take_records(struct link_device *dev, const struct link_part *part, const uint8_t *payload, uint32_t size)
{
	struct reading *reading = dev->call.user;
	struct nmlink_caps_reply reply;

	(void)part;
	if (!nmlink_get_caps_reply(&reply, payload, size) || reply.offset != reading->size || !reply.tail_size ||
		reply.tail_size > dev->wire.caps_size - reading->size) {
		link_note(dev, NMHAL_E_PROTOCOL,
			"the board answered %u bytes of payload that are not bytes %u to %u of the records", size,
			reading->size, dev->wire.caps_size);
		return;
	}
	memcpy(reading->records + reading->size, reply.tail, reply.tail_size);
	reading->size += reply.tail_size;
}

static int read_records(struct link_device *dev, struct reading *reading)
{
	int status = NMHAL_OK;

	while (status == NMHAL_OK && reading->size < dev->wire.caps_size) {
		const struct nmlink_caps_request request = {.offset = reading->size};
		uint8_t *payload;

		status = link_room(dev, &payload);
		if (status != NMHAL_OK)
			break;
		nmlink_put_caps_request(payload, &request);
		status = link_post(dev, NMLINK_OP_CAPS, NMLINK_SIZE_caps_request, take_records, NULL);
		if (status == NMHAL_OK)
			status = link_drain(dev);
		if (status == NMHAL_OK)
			status = dev->failed;
	}
	return link_finish(dev, status);
}

int link_read_caps(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;
	struct reading reading = {.records = malloc(wire->caps_size + 1u)};
	int status;

	if (!reading.records)
		return nmhal_host_fail(dev->host, NMHAL_E_NO_MEMORY, "open: no memory for %u bytes of records",
			wire->caps_size);
	dev->call.what = "read capabilities";
	dev->call.user = &reading;
	status = read_records(dev, &reading);
	if (status == NMHAL_OK && wire->pipe.crc(0, reading.records, wire->caps_size) != wire->caps_crc)
		status = nmhal_host_fail(dev->host, NMHAL_E_PROTOCOL,
			"read capabilities: the CRC of %u bytes of records is not the 0x%08x of HELLO", wire->caps_size,
			wire->caps_crc);
	if (status == NMHAL_OK)
		status = link_caps_parse(&dev->caps, dev->host, reading.records, wire->caps_size);
	free(reading.records);
	return status;
}
