/* SPDX-License-Identifier: MIT */
/* What the files of drivers/link/ share: one open board that speaks nmlink (nmlink/PROTOCOL.md). */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "caps.h"
#include "pipe.h"

#define LINK_MAX_WINDOW 64u

struct link_device;

/* A rectangle of what the call is about (rows alone where that has one dimension), counted from where it begins. */
struct link_part {
	uint32_t row, col, rows, cols;
};

/* Takes the payload of a good answer to one request of the running call. Anything wrong with it: link_note(). */
typedef void (*link_answer_fn)(struct link_device *dev, const struct link_part *part, const uint8_t *payload,
	uint32_t size);

/* A request that is not answered, or one before which some are not. */
struct link_slot {
	uint8_t *frame; /* [max_frame] */
	uint32_t size;  /* of the frame */
	uint16_t op;
	bool sent;             /* at least once */
	bool answered;
	bool given_up;         /* its call is over: it is a PING now, whatever comes back is dropped */
	link_answer_fn answer; /* NULL: nothing in the payload matters */
	struct link_part part;
};

/* The running call. In words: "read weights: 3 x 5 at row 2, column 0 of core 1"; "get attribute 'gain'". */
struct link_call {
	const char *what;
	const char *name;                  /* of an attribute and the like; or NULL */
	const struct nmhal_region *region; /* or NULL */
	const char *unit;                  /* "vectors"; NULL: no count */
	uint64_t count;
	void *user;                        /* what its answer functions work on */
	int64_t deadline_ns;
	int64_t extra_ns;                  /* that the board needs for a request by itself: the length of its pulses */
};

/* The session, and the requests in flight: numbers first..next-1, number n in slot n % ring. */
struct link_wire {
	struct link_pipe pipe;
	uint32_t session;     /* number of the session in force, or of the last one */
	bool down;            /* the next call begins a session */
	bool progress;        /* something was answered, or the session ended */
	bool has_gone_back;   /* requests were sent again from gone_back on; none was answered since */
	uint16_t gone_back;
	uint16_t first, next;
	uint16_t sent;        /* the next number to send; before next when some are to be sent again */
	uint32_t ring;        /* slots, a power of two */
	uint32_t window, max_frame, credits;
	uint32_t caps_size, caps_crc;
	uint32_t repeats;     /* since the last answer */
	int64_t patience_ns;  /* silence after which requests are sent again */
	struct link_slot slots[LINK_MAX_WINDOW];
	uint8_t *frames;      /* [ring][max_frame]; of the slots */
	uint64_t round_trips; /* how often nothing was in flight any more, after a wait */
	uint64_t retransmitted;
	uint64_t unasked;     /* EVENTS frames */
};

struct link_device {
	struct nmhal_host *host;
	struct link_wire wire;
	struct link_caps caps;
	struct nmhal_device_ops ops;         /* what the board has */
	struct nmhal_counter_info *counters; /* the driver's own, then the board's */
	size_t counter_count;
	struct link_call call;
	uint32_t requests;  /* of the running call: how often link_room() was asked */
	int failed;         /* of the running call: the first answer that was an error or nonsense */
	char sentence[400]; /* of failed */
	uint64_t use;       /* keys the noise of reads: counts up from open */
	uint64_t events_in, events_out;
	struct link_run *run; /* of the last run of spikes; NULL when the board has no spikes */
};

/* ---- wire.c: requests and answers -------------------------------------------------------------------------------- */

/*
 * A call: link_begin(), for each request link_room(), the payload written, link_post(); link_finish() whatever failed.
 *
 * link_begin: the board is ready for requests of this call: a session, nothing in flight.
 * link_room: waits until a request may go, gives where its payload goes. Fails when an earlier request failed.
 * link_post: sends it. answer: gets the payload that comes back, and part; NULL: nothing in it matters.
 * link_drain: waits until all are answered.
 * link_finish: drains; the status of the call: `status`, or the first failure of a request, with its sentence.
 */
int link_begin(struct link_device *dev, const struct link_call *call);
int link_room(struct link_device *dev, uint8_t **payload);
int link_post(struct link_device *dev, enum nmlink_op op, uint32_t size, link_answer_fn answer, const struct link_part *part);
int link_drain(struct link_device *dev);
int link_finish(struct link_device *dev, int status);
/* A whole call of one request with a short payload. */
int link_ask(struct link_device *dev, const struct link_call *call, enum nmlink_op op, const uint8_t *bytes, uint32_t size, link_answer_fn answer);

/* Bytes of payload that fit a frame. */
static inline uint32_t link_payload_room(const struct link_device *dev)
{
	return dev->wire.max_frame - NMLINK_OVERHEAD;
}

/* Waits until something is answered. */
int link_wait(struct link_device *dev);
/* Forgets what is in flight; the next call begins a session. */
void link_drop(struct link_wire *wire);
/* Zeroed before; ends with link_wire_free(), also after a failure. The stream stays open. */
int link_wire_init(struct link_wire *wire, struct nmhal_host *host, const struct nmhal_stream *stream);
/* Slots for the window and the frames that the board said; drops what is in flight. */
int link_wire_resize(struct link_device *dev, uint32_t window, uint32_t max_frame);
void link_wire_free(struct link_wire *wire);

/* ---- session.c: HELLO and capabilities --------------------------------------------------------------------------- */

/* Begins a session, again after the first. GONE when the board is no longer the one that was opened. */
int link_hello(struct link_device *dev);
/* Reads and checks the capability records. */
int link_read_caps(struct link_device *dev);

/* ---- errors.c ---------------------------------------------------------------------------------------------------- */

/* "WRITE". */
const char *link_op_name(uint16_t op);
/* Sets the sentence "<the call>: <text>", returns status. */
int link_fail(const struct link_device *dev, int status, const char *format, ...) NMHAL_PRINTF(3, 4);
/* Keeps such a sentence for link_finish(), unless the call has failed before. For answer functions. */
void link_note(struct link_device *dev, int status, const char *format, ...) NMHAL_PRINTF(3, 4);
/* Notes that the board answered a request with an error. */
void link_note_error(struct link_device *dev, uint16_t op, const struct link_frame *frame);
/* True when a payload has the size that was expected; else notes PROTOCOL. */
bool link_size_is(struct link_device *dev, uint32_t size, uint32_t expected);
/* UNSUPPORTED unless the board has an opcode. */
int link_need(const struct link_device *dev, enum nmlink_op op, const char *what);

/* ---- attrs.c: attributes, sensors, counters ---------------------------------------------------------------------- */

int link_attr_get(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns);
int link_attr_set(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns);
int link_read_sensor(void *self, size_t index, int64_t *value, int64_t deadline_ns);
int link_counter(void *self, const char *key, uint64_t *value);
/* Makes the list of the driver's and the board's counters. */
int link_list_counters(struct link_device *dev);

/* ---- weights.c, infer.c, neurons.c, run.c, cells.c, safety.c: ops of the device -------------------------- */

int link_write_weights(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride, int64_t deadline_ns);
int link_read_weights(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns);
int link_write_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
int link_read_cells(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
int link_add_cells(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
/* The next part of a region of rows x cols: at most `most` cells, whole rows if they fit. Zeroed before the first. */
bool link_next_part(const struct nmhal_region *region, uint32_t most, struct link_part *part);

int link_run_inference(void *self, const struct nmhal_inference *op, int64_t deadline_ns);

int link_set_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons, int64_t deadline_ns);
int link_get_neurons(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons, int64_t deadline_ns);
int link_reset_state(void *self, int64_t deadline_ns);

int link_spikes_start(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns);
int link_spikes_pump(void *self, int *done, int64_t deadline_ns);
/* The memory of runs. */
int link_run_new(struct link_device *dev);
int link_spikes_stop(void *self, int status, struct nmhal_spike_report *report);

int link_cell_pulse(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns);
int link_cell_ramp(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline_ns);
int link_read_conductance(void *self, const struct nmhal_conductance_read *op, int64_t deadline_ns);
int link_cell_sweep(void *self, const struct nmhal_cell_sweep *op, int64_t deadline_ns);

int link_limits_get(void *self, struct nmhal_limits *limits, int64_t deadline_ns);
int link_limits_set(void *self, const struct nmhal_limits *limits, int64_t deadline_ns);
int link_arm(void *self, uint32_t silence_ms, int64_t deadline_ns);
int link_disarm(void *self, int64_t deadline_ns);
int link_safe_state(void *self, int64_t deadline_ns);

#endif
