/* SPDX-License-Identifier: MIT */
/*
 * A board in memory for the unit tests of hal/: every optional op can be left out, every op counts its calls, fails on
 * demand, delays, or blocks until it is interrupted.
 *
 *	struct fake fake;
 *	nmhal_context *ctx = fake_context();
 *	fake_init(&fake, 1, 4, 5);
 *	fake.ops.write_cells = NULL;                  // a board without this op
 *	nmhal_device *dev = fake_open(ctx, &fake);    // fails the test when open fails
 *	...
 *	nmhal_device_unref(dev);
 *	nmhal_context_unref(ctx);
 *
 * The fake is found through its address in the URI ("fake:board,at=0x7ffe..."), so there are no globals and any number
 * of fakes and contexts live side by side.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <nmhal/driver.h>

#define FAKE_MAX_CELLS 8192u
#define FAKE_MAX_NEURONS 256u
#define FAKE_URI_SIZE 256u
#define FAKE_ATTRS 4u
#define FAKE_SENSORS 2u

enum fake_op {
	FAKE_OPEN,
	FAKE_CLOSE,
	FAKE_CAPS,
	FAKE_WRITE_WEIGHTS,
	FAKE_READ_WEIGHTS,
	FAKE_WRITE_CELLS,
	FAKE_READ_CELLS,
	FAKE_ADD_CELLS,
	FAKE_RUN_INFERENCE,
	FAKE_SPIKES_START,
	FAKE_SPIKES_PUMP,
	FAKE_SPIKES_STOP,
	FAKE_SET_NEURONS,
	FAKE_GET_NEURONS,
	FAKE_RESET_STATE,
	FAKE_ATTR_GET,
	FAKE_ATTR_SET,
	FAKE_COUNTER,
	FAKE_RESET,
	FAKE_INTERRUPT,
	FAKE_DESCRIBE,
	FAKE_READ_SENSOR,
	FAKE_CELL_PULSE,
	FAKE_CELL_RAMP,
	FAKE_READ_CONDUCTANCE,
	FAKE_CELL_SWEEP,
	FAKE_LIMITS_GET,
	FAKE_LIMITS_SET,
	FAKE_ARM,
	FAKE_DISARM,
	FAKE_SAFE_STATE,
	FAKE_OP_COUNT
};

struct fake {
	/* Set by fake_init(); a test edits them before open. */
	struct nmhal_device_ops ops;  /* all of them */
	struct nmhal_device_caps caps; /* features 0: the core derives them; weights -8..7, inputs -128..127 */
	struct nmhal_device_lists lists; /* what describe says */
	uint32_t pump_inputs;         /* inputs a pump works off; 1 */
	struct nmhal_bus_ops bus_ops; /* of "fakelink:busboard" */
	bool give_no_bus, give_stream; /* what else the link does wrong */

	/* Trouble on demand; may be changed while the device is open and idle. */
	enum fake_op fail_op; /* the fail_at'th call (from 1) of this op ... */
	unsigned fail_at;     /* ... 0: never ... */
	int fail_status;      /* ... returns this */
	enum fake_op slow_op; /* every call of this op ... */
	unsigned delay_ms;    /* ... takes this long, polling for interrupt and deadline */
	bool block;           /* ... or blocks until nmhal_host_poll() ends it */
	bool block_deaf;      /* ... or sleeps on the board until ops.interrupt wakes it, never polling */
	bool stuck;           /* this cell always reads stuck_cell.code */
	struct nmhal_cell stuck_cell;

	/* What happened. */
	atomic_uint calls[FAKE_OP_COUNT];
	atomic_uint inside;   /* ops running now */
	atomic_uint overlaps; /* ops that started while another ran: must stay 0 */
	atomic_bool blocked;  /* an op is in its delay or block */
	atomic_bool woken;    /* by ops.interrupt */
	atomic_bool is_open, bus_is_open;
	uint64_t cells_written; /* by all writing ops */
	uint64_t cells_read;
	int64_t last_deadline;  /* of the last op */
	int stop_status;        /* status the last spikes_stop was given */

	/* The board. */
	struct nmhal_host *host;
	struct nmhal_bus bus; /* what it was opened behind */
	int16_t codes[FAKE_MAX_CELLS]; /* [core][row][col] */
	struct nmhal_neuron neurons[FAKE_MAX_NEURONS]; /* [core][col] */
	struct nmhal_attr_value attrs[FAKE_ATTRS];
	const struct nmhal_spike_run *run;
	size_t next_input;
	uint64_t events_in, events_out;
	struct nmhal_limits limits; /* 3 V, 500 uA, 1 ms, 1000 pulses, 5 s */
	uint32_t silence_ms;        /* 0: not armed */
	struct nmhal_cell_pulse pulsed; /* the last op of each kind, as it arrived */
	struct nmhal_cell_ramp ramped;
	struct nmhal_conductance_read conductance_read;
	struct nmhal_cell_sweep swept;
};

/* Attributes of the fake: "gain" (INT 0..100, writable, saved), "fast" (BOOL, writable, saved), "level" (REAL 0..1,
 * writable), "temperature" (REAL, read only). Sensors: "temperature" (reads 2150) and "supply" (2151). Counter: "sops".
 */
extern const struct nmhal_driver fake_driver;     /* "fake:board,at=ADDRESS", needs nothing below it */
extern const struct nmhal_driver fake_bus_driver; /* board "busboard", needs a bus */
extern const struct nmhal_link fake_link;         /* "fakelink:busboard,at=ADDRESS", not emulated, opens a bus */

void fake_init(struct fake *fake, uint32_t cores, uint32_t rows, uint32_t cols);
/* Begins an op: counts it, notes an overlap, and fails, delays or blocks as the test asked for. */
int fake_begin(struct fake *fake, enum fake_op op, int64_t deadline_ns);
int fake_end(struct fake *fake, int status);
/* Shared by the files of the fake. */
extern const struct nmhal_bus_ops fake_bus_ops;
extern const struct nmhal_key fake_keys[];
int fake_find(struct nmhal_host *host, const struct nmhal_uri *uri, struct fake **fake);

/* A context without built-in drivers, silent, with the two drivers and the link above. */
nmhal_context *fake_context(void);
/* Prints "fake:board,at=ADDRESS<extra>" (extra: "" or ",key=value...") to uri[FAKE_URI_SIZE]; returns uri. */
const char *fake_uri(const struct fake *fake, const char *extra, char *uri);
/* The same for "fakelink:busboard,...". */
const char *fake_bus_uri(const struct fake *fake, const char *extra, char *uri);
nmhal_device *fake_open(nmhal_context *ctx, const struct fake *fake);
int16_t *fake_code(struct fake *fake, uint32_t core, uint32_t row, uint32_t col);
/* Waits (at most 10 s) until an op is in its delay or block; false if none comes. */
bool fake_wait_blocked(struct fake *fake);
/* Makes the next call of op fail with status; counts from now. */
void fake_fail_next(struct fake *fake, enum fake_op op, int status);
/*
 * Spikes of the fake: a SPIKE on row r gives, for each column c in order, codes[core][r][c] (if > 0) output spikes of
 * neuron c; VIRTUAL adds value to a potential; LEAK events only count.
 */

#endif
