/* SPDX-License-Identifier: MIT */
/* Sessions and the order of requests. */
#include "run.h"

#include <string.h>

#define MOST_WINDOW 64u

static const uint8_t nothing[1];

static void hello_is_answered_in_full(struct run *run)
{
	const struct nmlink_hello_reply *h = &run->hello;
	struct reply reply;

	MUST(hello(run, &reply));
	EXPECT(h->session == run->session, "the session is 0x%08x, asked for 0x%08x", h->session, run->session);
	EXPECT(reply.header.seq == 0, "its number is %u, not 0", reply.header.seq);
	EXPECT(reply.header.session == (uint16_t)run->session, "session %u in the header", reply.header.session);
	EXPECT(h->window >= 1 && h->window <= MOST_WINDOW, "a window of %u, must be 1..64", h->window);
	EXPECT(h->max_frame >= NMLINK_MIN_FRAME, "frames of %u bytes, must be at least 128", h->max_frame);
	EXPECT(h->caps_size > 0, "capability records of 0 bytes");
	EXPECT(reply.header.credits >= 1, "no credits");
}

static bool send_hello(struct run *run, uint32_t session, struct reply *reply)
{
	uint8_t payload[NMLINK_SIZE_hello_request];
	const struct nmlink_hello_request m = {.session = session};
	struct nmlink_header header = {.version = NMLINK_VERSION_MAJOR, .op = NMLINK_OP_HELLO, .size = sizeof(payload)};

	nmlink_put_hello_request(payload, &m);
	return wire_send(run, &header, payload) && wire_reply(run, reply);
}

static void a_session_has_a_low_half(struct run *run)
{
	struct reply reply;

	MUST(send_hello(run, 0x12340000, &reply));
	EXPECT(reply.header.status == NMLINK_EARG, "HELLO of session 0x12340000 was answered %s",
		status_name(reply.header.status));
	MUST(alive(run));
}

static void the_same_hello_changes_nothing(struct run *run)
{
	struct reply reply;

	MUST(alive(run));
	MUST(send_hello(run, run->session, &reply));
	EXPECT(reply.header.status == NMLINK_OK, "it was answered %s", status_name(reply.header.status));
	MUST(alive(run));
}

static void a_new_hello_begins_at_one(struct run *run)
{
	struct reply reply;

	MUST(alive(run) && alive(run));
	MUST(hello(run, &reply));
	MUST(alive(run));
}

static void another_session_is_refused(struct run *run)
{
	struct nmlink_header header = wire_header(run, NMLINK_OP_PING, 1, 0);
	struct reply reply;

	header.session ^= 0x5555;
	MUST(wire_send(run, &header, nothing) && wire_reply(run, &reply));
	EXPECT(reply.header.status == NMLINK_ESESSION, "a frame of another session was answered %s",
		status_name(reply.header.status));
	MUST(alive(run));
}

/* A PING with this number is answered ESEQ, which names the number that is expected. */
static bool out_of_order(struct run *run, uint16_t seq)
{
	const struct nmlink_header header = wire_header(run, NMLINK_OP_PING, seq, 0);
	struct reply reply;

	if (!wire_send(run, &header, nothing) || !wire_reply(run, &reply))
		return false;
	if (reply.header.status == NMLINK_ESEQ && reply.header.seq == run->next)
		return true;
	say(run, VERDICT_FAILED, "number %u was answered %s with number %u; %u is expected", seq,
		status_name(reply.header.status), reply.header.seq, run->next);
	return false;
}

static void numbers_come_in_order(struct run *run)
{
	MUST(alive(run) && alive(run));
	MUST(out_of_order(run, (uint16_t)(run->next + 1)));
	MUST(out_of_order(run, (uint16_t)(run->next + run->hello.window)));
	MUST(out_of_order(run, (uint16_t)(run->next + 0x8000u)));
	MUST(alive(run));
}

static void a_number_of_long_ago_is_refused(struct run *run)
{
	for (uint16_t i = 0; i <= run->hello.window; i++)
		MUST(alive(run));
	MUST(out_of_order(run, 1));
	MUST(alive(run));
}

static void a_read_is_answered_again(struct run *run)
{
	static const uint8_t text[] = "once more";
	const struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next, sizeof(text));
	struct reply reply;

	for (int i = 0; i < 3; i++) {
		MUST(wire_send(run, &header, text) && wire_reply(run, &reply));
		EXPECT(reply.header.status == NMLINK_OK && reply.header.seq == header.seq &&
			reply.header.size == sizeof(text) && memcmp(reply.payload, text, sizeof(text)) == 0,
			"time %d: %s, number %u, %u bytes", i + 1, status_name(reply.header.status), reply.header.seq,
			reply.header.size);
	}
	run->next++;
	MUST(alive(run));
}

/* As many requests as the window grants are in flight: all are answered, in order, and credits stay in bounds. */
static void the_window_is_kept(struct run *run)
{
	struct reply reply;

	for (uint16_t i = 0; i < run->hello.window; i++) {
		const struct nmlink_header header = wire_header(run, NMLINK_OP_PING, (uint16_t)(run->next + i), 0);

		MUST(wire_send(run, &header, nothing));
	}
	for (uint16_t i = 0; i < run->hello.window; i++) {
		MUST(wire_reply(run, &reply));
		EXPECT(reply.header.status == NMLINK_OK && reply.header.seq == run->next,
			"request %u of a window of %u: %s, number %u", i + 1, run->hello.window,
			status_name(reply.header.status), reply.header.seq);
		EXPECT(reply.header.credits >= 1 && reply.header.credits <= run->hello.window,
			"%u credits with a window of %u", reply.header.credits, run->hello.window);
		run->next++;
	}
	MUST(alive(run));
}

static void abort_is_outside_the_queue(struct run *run)
{
	struct nmlink_header header = wire_header(run, NMLINK_OP_ABORT, run->next, 0);
	struct reply reply;

	header.flags = NMLINK_FLAG_URGENT;
	MUST(wire_send(run, &header, nothing) && wire_reply(run, &reply));
	EXPECT(reply.header.status == NMLINK_OK && reply.header.op == NMLINK_OP_ABORT &&
		reply.header.seq == header.seq, "ABORT was answered %s as number %u",
		status_name(reply.header.status), reply.header.seq);
	MUST(alive(run));
}

static void only_abort_is_urgent(struct run *run)
{
	struct nmlink_header header = wire_header(run, NMLINK_OP_PING, run->next, 0);
	struct reply reply;

	header.flags = NMLINK_FLAG_URGENT;
	MUST(wire_send(run, &header, nothing) && wire_reply(run, &reply));
	EXPECT(reply.header.status == NMLINK_EOP, "an urgent PING was answered %s", status_name(reply.header.status));
	MUST(ask(run, NMLINK_OP_ABORT, nothing, 0, NMLINK_EOP, &reply));
	MUST(alive(run));
}

const struct conformance_case session_cases[] = {
	{"HELLO is answered with session, window, frame size and records", hello_is_answered_in_full},
	{"a session number has a low half", a_session_has_a_low_half},
	{"the same HELLO again changes nothing", the_same_hello_changes_nothing},
	{"a new HELLO begins a session, numbered from 1", a_new_hello_begins_at_one},
	{"a frame of another session is answered ESESSION", another_session_is_refused},
	{"a number out of order is answered ESEQ and not executed", numbers_come_in_order},
	{"a number of before the window is answered ESEQ", a_number_of_long_ago_is_refused},
	{"a repeated read is answered again", a_read_is_answered_again},
	{"a window of requests is answered in order, credits stay inside it", the_window_is_kept},
	{"ABORT is outside the queue", abort_is_outside_the_queue},
	{"nothing else is", only_abort_is_urgent},
	{NULL, NULL},
};
