/* SPDX-License-Identifier: MIT */
/*
 * Requests and answers. Requests are numbered and stay in their slots until they are answered; up to a window of them
 * is on the way. What gets lost is noticed by the board, which expects another number, or by silence; then all that is
 * not answered is sent again, in order (go-back-N). The board executes a request once, or again where that changes
 * nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "link.h"

#define REPEATS         8u
#define PATIENCE_MIN_NS INT64_C(250000000)
#define PATIENCE_MAX_NS INT64_C(4000000000)
#define SEND_NS         INT64_C(20000000000) /* a carrier that takes no frame for so long is stuck */
#define ABORT_NS        INT64_C(100000000)
#define MAX_MEMORY      (16u << 20) /* for the frames of a window */

static uint32_t in_flight(const struct link_wire *wire)
{
	return (uint16_t)(wire->next - wire->first);
}

static struct link_slot *slot_of(struct link_wire *wire, uint16_t number)
{
	return &wire->slots[number & (wire->ring - 1)];
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void link_drop(struct link_wire *wire)
{
	wire->patience_ns = PATIENCE_MIN_NS;
	wire->first = wire->next;
	wire->down = true;
	wire->sent = wire->next;
	wire->progress = true;
}

int link_wire_resize(struct link_device *dev, uint32_t window, uint32_t max_frame)
{
	struct link_wire *wire = &dev->wire;
	uint32_t ring = 1;
	uint8_t *frames;

	while (window > 1 && (uint64_t)window * max_frame > MAX_MEMORY)
		window /= 2;
	while (ring < window)
		ring *= 2;
	frames = malloc((size_t)ring * max_frame);
	if (!frames)
		return nmhal_host_fail(dev->host, NMHAL_E_NO_MEMORY, "open: no memory for %u frames of %u bytes", ring,
			max_frame);
	free(wire->frames);
	wire->frames = frames;
	wire->ring = ring;
	wire->window = window;
	wire->max_frame = max_frame;
	for (uint32_t n = 0; n < ring; n++)
		wire->slots[n] = (struct link_slot){.frame = frames + (size_t)n * max_frame};
	return NMHAL_OK;
}

int link_wire_init(struct link_wire *wire, struct nmhal_host *host, const struct nmhal_stream *stream)
{
	link_drop(wire);
	return link_pipe_init(&wire->pipe, host, stream);
}

void link_wire_free(struct link_wire *wire)
{
	free(wire->frames);
	link_pipe_free(&wire->pipe);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static int send_slot(struct link_device *dev, struct link_slot *slot)
{
	struct link_wire *wire = &dev->wire;
	/* An emulated board may work inside send, and is never stuck. */
	const int64_t until = wire->pipe.info.emulated ? dev->call.deadline_ns :
		sooner(dev->call.deadline_ns, nmhal_now_ns() + SEND_NS);
	int status = link_pipe_send(&wire->pipe, slot->frame, slot->size, until);

	nmhal_host_log(dev->host, NMHAL_LOG_WIRE, "> %s seq %u: %u bytes", link_op_name(slot->op),
		nmlink_load_u16(slot->frame + NMLINK_OFFSET(header, seq)), slot->size);
	wire->retransmitted += slot->sent;
	slot->sent = true;
	return status;
}

/* A carrier that takes nothing now may do so when it has got rid of what waits for us. */
static int send_pending(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;

	for (; wire->sent != wire->next; wire->sent++) {
		struct link_slot *slot = slot_of(wire, wire->sent);
		int status = slot->answered ? NMHAL_OK : send_slot(dev, slot);

		if (status == NMHAL_E_TIMEOUT)
			return nmhal_host_poll(dev->host, dev->call.deadline_ns, dev->call.what);
		if (status != NMHAL_OK)
			return status;
	}
	return NMHAL_OK;
}

static int send_again(struct link_device *dev)
{
	dev->wire.sent = dev->wire.first;
	return send_pending(dev);
}

static uint32_t seal(struct link_wire *wire, uint8_t *frame, uint16_t op, uint8_t flags, uint16_t number, uint32_t size)
{
	const struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .flags = flags, .op = op, .seq = number,
		.session = (uint16_t)wire->session, .size = size};

	return nmlink_frame_seal(frame, &header, wire->pipe.crc);
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

static void take_answer(struct link_device *dev, struct link_slot *slot, const struct link_frame *frame)
{
	if (slot->given_up)
		return;
	if (frame->header.op != slot->op)
		link_note(dev, NMHAL_E_PROTOCOL, "the board answered %s with %s", link_op_name(slot->op),
			link_op_name(frame->header.op));
	else if (frame->header.status != NMLINK_OK)
		link_note_error(dev, slot->op, frame);
	else if (slot->answer)
		slot->answer(dev, &slot->part, frame->payload, frame->header.size);
}

static void end_session(struct link_device *dev)
{
	link_note(dev, NMHAL_E_IO,
		"the board was reset, or another host took it over; its weights are not known any more; "
		"repeat the call");
	link_drop(&dev->wire);
}

/* The oldest requests that are answered are over. */
static void advance(struct link_wire *wire)
{
	bool wanted = false;

	while (wire->first != wire->next && slot_of(wire, wire->first)->answered) {
		wanted = wanted || !slot_of(wire, wire->first)->given_up;
		if (wire->sent == wire->first)
			wire->sent++;
		wire->first++;
		wire->has_gone_back = false;
	}
	if (wanted && wire->first == wire->next)
		wire->round_trips++;
	if (!wire->repeats && wire->patience_ns > PATIENCE_MIN_NS)
		wire->patience_ns /= 2;
	wire->repeats = 0;
	wire->progress = true;
}

/*
 * The board expects this number: all is sent again from the oldest that is not answered. Then the board says so for
 * each request that was on its way behind the one that got lost, which is heard once.
 */
static int go_back(struct link_device *dev, uint16_t number)
{
	struct link_wire *wire = &dev->wire;
	bool over = false;

	if ((uint16_t)(number - wire->first) > in_flight(wire) || !in_flight(wire))
		return NMHAL_OK;
	/* What comes before it was executed, and nobody waits for the answer to a request that was given up. */
	for (uint16_t n = wire->first; n != number; n++) {
		struct link_slot *slot = slot_of(wire, n);

		over = over || (slot->given_up && !slot->answered);
		slot->answered = slot->answered || slot->given_up;
	}
	if (over)
		advance(wire);
	if (!in_flight(wire) || (wire->has_gone_back && wire->gone_back == number))
		return NMHAL_OK;
	wire->has_gone_back = true;
	wire->gone_back = number;
	return send_again(dev);
}

/*
 * Runs are never begun with STREAM: outputs are read by SPIKES_READ, which also makes room for more on the board and
 * goes out together with the next inputs, so that EVENTS would save no round trip. What comes of them is dropped.
 */
static int take_frame(struct link_device *dev, const struct link_frame *frame)
{
	struct link_wire *wire = &dev->wire;
	const struct nmlink_header *header = &frame->header;
	const bool ours = header->session == (uint16_t)wire->session;
	const bool waiting = (uint16_t)(header->seq - wire->first) < in_flight(wire);
	struct link_slot *slot = slot_of(wire, header->seq);

	nmhal_host_log(dev->host, NMHAL_LOG_WIRE, "< %s seq %u: status %u, %u bytes of payload",
		link_op_name(header->op), header->seq, header->status, header->size);
	wire->unasked += header->flags == NMLINK_FLAG_EVENT;
	if (header->flags != NMLINK_FLAG_REPLY)
		return NMHAL_OK;
	if (header->status == NMLINK_ESESSION) {
		if (waiting && !ours)
			end_session(dev);
		return NMHAL_OK;
	}
	if (!ours)
		return NMHAL_OK;
	if (header->status == NMLINK_ECRC || header->status == NMLINK_ESEQ)
		return go_back(dev, header->seq);
	if (!waiting || slot->answered)
		return NMHAL_OK;
	wire->credits = header->credits;
	slot->answered = true;
	take_answer(dev, slot, frame);
	advance(wire);
	return NMHAL_OK;
}

/* Nothing came for a while: everything again, a few times, more and more patiently. */
static int take_silence(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;
	int status = nmhal_host_poll(dev->host, dev->call.deadline_ns, dev->call.what);

	if (status != NMHAL_OK)
		return status;
	if (wire->repeats == REPEATS) {
		link_drop(wire);
		return link_fail(dev, NMHAL_E_TIMEOUT, "the board does not answer, requests were sent %u times",
			REPEATS + 1);
	}
	wire->repeats++;
	wire->patience_ns = sooner(wire->patience_ns * 2, PATIENCE_MAX_NS);
	return send_again(dev);
}

int link_wait(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;
	int64_t until = nmhal_now_ns() + wire->patience_ns + dev->call.extra_ns;
	int status = send_pending(dev);
	struct link_frame frame;

	wire->progress = false;
	while (status == NMHAL_OK && !wire->progress) {
		const uint64_t bad = wire->pipe.bad_frames;
		bool silent;

		status = link_pipe_receive(&wire->pipe, &frame, sooner(until, dev->call.deadline_ns));
		silent = status == NMHAL_E_TIMEOUT;
		if (status == NMHAL_OK)
			status = take_frame(dev, &frame);
		else if (status == NMHAL_E_AGAIN)
			status = bad != wire->pipe.bad_frames ? go_back(dev, wire->first) : NMHAL_OK;
		else if (silent || status == NMHAL_E_VERSION)
			status = NMHAL_OK;
		if (status != NMHAL_OK || wire->progress)
			break;
		/* A board that talks, but says nothing, is as silent as one that does not. */
		if (silent || nmhal_now_ns() >= until) {
			status = take_silence(dev);
			until = nmhal_now_ns() + wire->patience_ns + dev->call.extra_ns;
		}
		if (status == NMHAL_OK)
			status = nmhal_host_poll(dev->host, dev->call.deadline_ns, dev->call.what);
	}
	return status;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

int link_begin(struct link_device *dev, const struct link_call *call)
{
	int status;

	dev->call = *call;
	dev->requests = 0;
	dev->failed = NMHAL_OK;
	dev->wire.repeats = 0;
	/* What an earlier call left behind. */
	status = link_drain(dev);
	if (status == NMHAL_OK)
		status = dev->failed;
	return status == NMHAL_OK && dev->wire.down ? link_hello(dev) : status;
}

static bool has_room(const struct link_wire *wire)
{
	const uint32_t count = in_flight(wire);

	return !count || (count < wire->window && count < wire->credits);
}

int link_room(struct link_device *dev, uint8_t **payload)
{
	struct link_wire *wire = &dev->wire;
	int status = dev->requests++ ? nmhal_host_poll(dev->host, dev->call.deadline_ns, dev->call.what) : NMHAL_OK;

	while (status == NMHAL_OK && dev->failed == NMHAL_OK && !has_room(wire))
		status = link_wait(dev);
	if (status == NMHAL_OK)
		status = dev->failed;
	*payload = slot_of(wire, wire->next)->frame + NMLINK_HEADER_SIZE;
	return status;
}

int link_post(struct link_device *dev, enum nmlink_op op, uint32_t size, link_answer_fn answer,
	const struct link_part *part)
{
	struct link_wire *wire = &dev->wire;
	struct link_slot *slot = slot_of(wire, wire->next);

	slot->size = seal(wire, slot->frame, (uint16_t)op, 0, wire->next, size);
	slot->op = (uint16_t)op;
	slot->answered = false;
	slot->given_up = false;
	slot->sent = false;
	slot->answer = answer;
	slot->part = part ? *part : (struct link_part){0};
	wire->next++;
	return send_pending(dev);
}

int link_drain(struct link_device *dev)
{
	int status = NMHAL_OK;

	while (status == NMHAL_OK && in_flight(&dev->wire))
		status = link_wait(dev);
	return status;
}

/*
 * The call is over before its requests are. The board is told to end them. Should some have to be sent again, later, in
 * another call, then as a PING: what a call asked for is not done after its end.
 */
static void give_up(struct link_device *dev)
{
	struct link_wire *wire = &dev->wire;
	uint8_t frame[NMLINK_OVERHEAD];
	uint32_t size = seal(wire, frame, NMLINK_OP_ABORT, NMLINK_FLAG_URGENT, wire->next, 0);

	/* An interrupt that comes meanwhile may end the first try. */
	if (link_pipe_send(&wire->pipe, frame, size, nmhal_now_ns() + ABORT_NS) == NMHAL_E_CANCELED)
		(void)link_pipe_send(&wire->pipe, frame, size, nmhal_now_ns() + ABORT_NS);
	for (uint16_t n = wire->first; n != wire->next; n++) {
		struct link_slot *slot = slot_of(wire, n);

		slot->op = NMLINK_OP_PING;
		slot->given_up = true;
		slot->size = seal(wire, slot->frame, slot->op, 0, n, 0);
	}
}

/* The call cannot go on; what its status leaves behind. */
static int break_off(struct link_device *dev, int status)
{
	const uint32_t left = in_flight(&dev->wire);

	if (status != NMHAL_E_TIMEOUT && status != NMHAL_E_CANCELED) {
		link_drop(&dev->wire);
		return status;
	}
	if (!left)
		return status;
	give_up(dev);
	return link_fail(dev, status, "%s, %u of %u requests are not answered",
		status == NMHAL_E_TIMEOUT ? "not done at the deadline" : "interrupted", left, dev->requests);
}

int link_finish(struct link_device *dev, int status)
{
	int drained;

	if (status != NMHAL_OK && dev->failed == NMHAL_OK)
		return break_off(dev, status);
	drained = link_drain(dev);
	if (drained != NMHAL_OK)
		drained = break_off(dev, drained);
	if (dev->failed == NMHAL_OK || drained == NMHAL_E_GONE)
		return drained;
	return nmhal_host_fail(dev->host, dev->failed, "%s", dev->sentence);
}

int link_ask(struct link_device *dev, const struct link_call *call, enum nmlink_op op, const uint8_t *bytes,
	uint32_t size, link_answer_fn answer)
{
	int status = link_begin(dev, call);
	uint8_t *payload;

	if (status == NMHAL_OK)
		status = link_room(dev, &payload);
	if (status == NMHAL_OK && size)
		memcpy(payload, bytes, size);
	if (status == NMHAL_OK)
		status = link_post(dev, op, size, answer, NULL);
	return link_finish(dev, status);
}
