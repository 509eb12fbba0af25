/* SPDX-License-Identifier: MIT */
/*
 * The board side of nmlink: everything but the hardware. A board gives a description of itself with a few callbacks
 * (struct nmlink_board), some memory (struct nmlink_memory), and every whole frame it receives; it sends what comes
 * back. Callbacks get requests that are whole, in order, once, inside the crossbar, the ranges of codes and the limits,
 * and armed where that is needed.
 *
 * Freestanding C99 without malloc; needs memcpy, memmove, memset and memcmp from the firmware. One thread (or interrupt
 * level) at a time calls a core; nmlink_core_urgent() and nmlink_core_aborted() are for the thread that is inside a
 * callback.
 */
#ifndef NMLINK_CORE_H
#define NMLINK_CORE_H

#include "frame.h"

struct nmlink_core;

/* ---- what a board is --------------------------------------------------------------------------------------------- */

/* Tail of an attr, sensor or counter record: NMLINK_TEXT("gain\0dB\0gain of the amplifiers"). */
#define NMLINK_TEXT(text) .tail = (const uint8_t *)(text), .tail_size = sizeof(text) - 1u

/*
 * What vendor() is asked for. Opcodes from NMLINK_VENDOR_STATE on are executed once, and their replies have at most
 * NMLINK_SHORT_REPLY bytes; the others are executed again when the request comes again.
 */
struct nmlink_vendor {
	uint16_t op;
	const uint8_t *payload;
	uint32_t payload_size;
	uint8_t *reply; /* [room] */
	uint32_t room;
	uint32_t reply_size; /* set by the callback; 0 before */
};

/* What current() is asked for. */
struct nmlink_sense {
	struct nmlink_cell cell;
	int32_t voltage_uv;
	uint32_t width_ns;
	uint64_t use; /* keys the noise */
};

/*
 * Callbacks return NMLINK_OK or a status; nmlink_core_fail() adds a detail. `core->self` is the board's own pointer.
 * m->tail points into the frame. Numbers of more than one byte in tails and replies are little-endian (codec.h).
 * A callback that is NULL: the board does not have what needs it.
 */
struct nmlink_callbacks {
	/*
	 * All lines to 0 V, high voltages off, whatever pulses ended; resident weights stay. Required; called at start,
	 * on a new session, when the board is disarmed and when the bus was reset. Must work at any time.
	 */
	void (*safe)(struct nmlink_core *core);
	/* A clock in ms that wraps at 2^32. Required with safety (the watchdog). */
	uint32_t (*clock_ms)(struct nmlink_core *core);
	/* The time that EVENTS tell, in ns; NULL: 0. */
	uint64_t (*time_ns)(struct nmlink_core *core);

	/* Programs m->tail, codes [rows][cols] of weight.bytes each. Required. */
	enum nmlink_status (*write)(struct nmlink_core *core, const struct nmlink_write_request *m);
	/* Reads codes [rows][cols] of weight.bytes each. Required. */
	enum nmlink_status (*read)(struct nmlink_core *core, const struct nmlink_read_request *m, uint8_t *codes);
	/* Adds delta to a code; *saturated: the sum was clamped. Optional. */
	enum nmlink_status (*add)(struct nmlink_core *core, uint16_t tile, const struct nmlink_cell_record *m, bool *saturated);

	/*
	 * Whole vectors: m->tail is inputs [batch][inputs] of input->bytes each; outputs: [batch][outputs] of
	 * output->bytes each; clipped: zeroed bits [batch][(outputs + 7) / 8]. With TRANSPOSED inputs are cols and
	 * outputs are rows. Optional; needs input and output.
	 */
	enum nmlink_status (*infer)(struct nmlink_core *core, const struct nmlink_infer_request *m, uint8_t *outputs, uint8_t *clipped);

	/* Neurons. Both or none; need neuron. */
	enum nmlink_status (*set_neuron)(struct nmlink_core *core, uint16_t tile, uint16_t index, const struct nmlink_neuron_record *m);
	enum nmlink_status (*get_neuron)(struct nmlink_core *core, uint16_t tile, uint16_t index, struct nmlink_neuron_record *m);
	/* Zeroes all potentials and empties the queues of events. Optional. */
	enum nmlink_status (*reset_state)(struct nmlink_core *core);

	/*
	 * Runs of spikes. All four or none; need spikes and memory for events. give() hands over input event number
	 * `number` of the run, EBUSY when it has no place for it now. work() goes on until all is done or outputs
	 * have no more room: it hands them out by nmlink_core_output(); *idle: nothing is left to do. Without
	 * BACK_TO_BACK the core gives an event only when the last work() was idle.
	 */
	enum nmlink_status (*spikes_start)(struct nmlink_core *core, uint32_t flags);
	enum nmlink_status (*spikes_give)(struct nmlink_core *core, uint32_t number, const struct nmlink_input_record *m);
	enum nmlink_status (*spikes_work)(struct nmlink_core *core, bool *idle);
	/* Ends the run and empties the queue; sets the counts of total, NMLINK_NOT_COUNTED before. */
	enum nmlink_status (*spikes_stop)(struct nmlink_core *core, struct nmlink_spikes_stop_reply *total);

	/* Attributes, sensors, counters; required when the board lists some (set_attr: when one is writable). */
	enum nmlink_status (*get_attr)(struct nmlink_core *core, uint16_t index, int64_t *value);
	enum nmlink_status (*set_attr)(struct nmlink_core *core, uint16_t index, int64_t value);
	enum nmlink_status (*get_sensor)(struct nmlink_core *core, uint16_t index, int64_t *value);
	enum nmlink_status (*get_counter)(struct nmlink_core *core, uint16_t index, uint64_t *value);

	/*
	 * Cells: pulse() applies a train; *applied counts, also when it fails. conductance() reads u32 pS
	 * [rows][cols], averaged. current() applies a voltage for width_ns and measures; need drive and sense.
	 * FORM, SET, RESET (ramps) and SWEEP are made of these by the core. Optional; SWEEP needs memory for points.
	 */
	enum nmlink_status (*pulse)(struct nmlink_core *core, const struct nmlink_pulse_cell_request *m, uint32_t *applied);
	enum nmlink_status (*conductance)(struct nmlink_core *core, const struct nmlink_read_conductance_request *m, uint8_t *out);
	enum nmlink_status (*current)(struct nmlink_core *core, const struct nmlink_sense *m, int32_t *current_na);

	/* Readies what is above read level (supplies). Optional; the way back is safe(). */
	enum nmlink_status (*arm)(struct nmlink_core *core);
	/* True while an interlock is open: nothing above read level then. Optional; needs SAFETY_INTERLOCK. */
	bool (*interlock)(struct nmlink_core *core);

	/* Back to the state after power-up, weights stay. Optional: RESTART works without. */
	enum nmlink_status (*restart)(struct nmlink_core *core);
	/*
	 * The core is between two pieces of long work: the firmware may look for an URGENT frame and give it to
	 * nmlink_core_urgent(). Optional.
	 */
	void (*poll)(struct nmlink_core *core);
	/* A request of one of vendor_ops. Required when there are some. */
	enum nmlink_status (*vendor)(struct nmlink_core *core, struct nmlink_vendor *request);
	/* CRC-32C by hardware; NULL: the table. */
	nmlink_crc_fn crc;
};

/* A board: constant while the core uses it. Texts are UTF-8; NULL leaves one out. */
struct nmlink_board {
	const char *vendor, *model, *hardware, *firmware, *serial; /* at most 31 bytes each */
	struct nmlink_array_cap array;
	struct nmlink_weight_cap weight;
	/* NULL: the board has no such thing. */
	const struct nmlink_input_cap *input;
	const struct nmlink_output_cap *output;
	const struct nmlink_neuron_cap *neuron;
	const struct nmlink_spikes_cap *spikes; /* `outputs` is taken from the memory for events */
	const struct nmlink_drive_cap *drive;
	const struct nmlink_sense_cap *sense; /* `sweep_points` is taken from the memory for points */
	const struct nmlink_safety_cap *safety;
	/* Hard limits: a host may tighten them until power is switched off; 0: none of this kind. */
	struct nmlink_limits limits;
	const struct nmlink_attr_cap *attrs; /* [attr_count], tails by NMLINK_TEXT */
	const struct nmlink_sensor_cap *sensors;
	const struct nmlink_counter_cap *counters;
	uint16_t attr_count, sensor_count, counter_count;
	uint16_t vendor_op_count;
	const uint16_t *vendor_ops; /* ascending, all from NMLINK_VENDOR_FIRST on */
	struct nmlink_callbacks call;
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What was answered to a request, for when it comes again. */
struct nmlink_kept {
	uint16_t op;
	uint16_t status;
	uint8_t size;    /* of bytes, with status OK */
	uint8_t present; /* something was answered */
	union {
		uint8_t bytes[NMLINK_SHORT_REPLY];
		struct {
			uint32_t detail;
			const char *text;
		} error;
	} reply;
};

struct nmlink_memory {
	struct nmlink_kept *kept; /* [window] */
	uint16_t window;          /* unanswered requests that a host may have: 1, 2, 4 ... 64 */
	uint32_t max_frame;       /* largest frame that can be received and sent, at least NMLINK_MIN_FRAME */
	struct nmlink_output_record *events; /* [event_count]: outputs until the host has read them */
	uint32_t event_count;
	struct nmlink_point_record *points; /* [point_count]: the last sweep */
	uint32_t point_count;
};

/* ---- the core ---------------------------------------------------------------------------------------------------- */

/* Read-only for callbacks but where it says so. */
struct nmlink_core {
	const struct nmlink_board *board;
	void *self; /* the board's own */
	struct nmlink_memory memory;
	nmlink_crc_fn crc;
	uint32_t caps_size, caps_crc;
	struct nmlink_limits limits; /* in force */

	uint32_t session; /* 0: none */
	uint16_t next;    /* number of the request that is expected */
	uint16_t abort_to; /* with `aborting`: requests before this number end with EABORTED */
	bool aborting;
	bool executing; /* a request, which ABORT can end */
	bool again;     /* it is one that was executed before */
	bool cut;       /* ABORT came while it was executed again */
	bool armed;
	bool watchdog; /* it was the watchdog that disarmed */
	uint32_t silence_ms, heard_ms;

	/* Of the error that the running request ends with (nmlink_core_fail). */
	uint32_t detail;
	const char *text;

	/* The run of spikes. */
	bool running, idle;
	uint32_t run_flags;
	uint32_t taken;    /* inputs */
	uint32_t produced; /* outputs so far: numbers [freed, produced) are in memory.events */
	uint32_t freed, pushed;
	uint32_t dropped;

	uint32_t points; /* of the last sweep */
};

/*
 * Begins. board and the memory live as long as the core. False: the description has a fault (a required callback or
 * capability is missing, the window is no power of two, ...): a bug of the firmware.
 */
bool nmlink_core_init(struct nmlink_core *core, const struct nmlink_board *board, const struct nmlink_memory *memory, void *self);

/*
 * Takes one whole frame (size bytes; COBS is undone before) and executes it. Returns the size of the reply in
 * out[max_frame], 0 when there is none. frame and out do not overlap; frame is not used after the return.
 */
uint32_t nmlink_core_frame(struct nmlink_core *core, const uint8_t *frame, size_t size, uint8_t *out);
/*
 * Output events for a run with STREAM: returns the size of an EVENTS frame in out[max_frame], 0 when there is nothing
 * to tell. Call it when the carrier has no reply to send: events yield to replies.
 */
uint32_t nmlink_core_events(struct nmlink_core *core, uint8_t *out);
/* The watchdog. Call it now and then, at least as often as silences are to be noticed. */
void nmlink_core_tick(struct nmlink_core *core);
/* The bus was reset or suspended, the cable pulled, the connection closed: ends the session, safe state. */
void nmlink_core_bus_reset(struct nmlink_core *core);
/*
 * For frames that arrive during a long callback: like nmlink_core_frame() for an URGENT frame (ABORT). Returns 0 and
 * changes nothing when the frame is another: keep that for nmlink_core_frame(). out[NMLINK_MIN_FRAME] is not the buffer
 * of the running request.
 */
uint32_t nmlink_core_urgent(struct nmlink_core *core, const uint8_t *frame, size_t size, uint8_t *out);
/* For long callbacks: true when the host has ended the running request; then return NMLINK_EABORTED soon. */
bool nmlink_core_aborted(const struct nmlink_core *core);

/* For callbacks: `return nmlink_core_fail(...)`. text: at most 64 bytes, lives for ever (a literal); may be NULL. */
enum nmlink_status nmlink_core_fail(struct nmlink_core *core, enum nmlink_status status, uint32_t detail, const char *text);
/* For spikes_give() and spikes_work(): output events that still have room. */
uint32_t nmlink_core_room(const struct nmlink_core *core);
/* For spikes_give() and spikes_work(): hands out an event; without room it is dropped and counted in queue_dropped. */
void nmlink_core_output(struct nmlink_core *core, const struct nmlink_output_record *event);

#endif
