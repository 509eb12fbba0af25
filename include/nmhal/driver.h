/* SPDX-License-Identifier: MIT */
/**
 * @file driver.h
 * What a driver author implements. Start from drivers/null/ and docs/driver-howto.md.
 *
 * Three kinds of parts, each one folder below drivers/ and one const table:
 * - a **link** (struct nmhal_link) knows how commands travel: it opens a bus (SPI frames and address events, for bare
 *   chips) or a stream (bytes, for boards that speak nmlink). The scheme of a URI picks it.
 * - a **driver** (struct nmhal_driver) knows a board's commands and implements struct nmhal_device_ops over a bus, a
 *   stream, or nothing. The board name of a URI picks it.
 * - a **wrapper** (struct nmhal_wrapper) stands between the two and sees, changes or keeps what passes, whatever link
 *   and driver it is between. A key of a URI puts it there.
 *
 * The core checks every argument before it calls an op, serialises all ops of one device (only `interrupt` may come
 * from another thread), and turns timeouts into absolute deadlines. So ops need no locks and no argument checks.
 * Deadlines are nanoseconds of CLOCK_MONOTONIC; NMHAL_NEVER means none. An op that fails returns nmhal_host_fail(host,
 * status, "what, with numbers: what happened; remedy").
 */
#ifndef NMHAL_DRIVER_H
#define NMHAL_DRIVER_H

#include <nmhal/nmhal.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NMHAL_DRIVER_ABI 1u
#define NMHAL_NEVER INT64_MAX

#if defined(__GNUC__)
#define NMHAL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define NMHAL_PRINTF(fmt, args)
#endif

/** The core's half of an open device: log, error sentence, event sink. Valid from open until `close` returns. */
struct nmhal_host;
/** A parsed URI. */
struct nmhal_uri;
/** Collects what enumeration finds. */
struct nmhal_found;

/* ---- what the core offers ---------------------------------------------------------------------------------------- */

/** Sets the calling thread's error sentence to "<uri>: <text>" and returns status. */
NMHAL_API int nmhal_host_fail(struct nmhal_host *host, int status, const char *format, ...) NMHAL_PRINTF(3, 4);
/** Logs a line for the device; cheap when the level is off. */
NMHAL_API void nmhal_host_log(struct nmhal_host *host, enum nmhal_log_level level, const char *format, ...) NMHAL_PRINTF(3, 4);
/**
 * To be asked in every loop that may be long: NMHAL_OK, or CANCELED (the interrupt is then used up) or TIMEOUT, each
 * with its sentence naming `what`. Costs a load when there is no deadline, a clock read when there is.
 */
NMHAL_API int nmhal_host_poll(struct nmhal_host *host, int64_t deadline_ns, const char *what);
/**
 * Hands output events of the running run to the core (caller's buffer or ring). Only from spikes_pump and spikes_stop.
 */
NMHAL_API void nmhal_host_push(struct nmhal_host *host, const struct nmhal_event *events, size_t count);
/** Canonical URI of the device, as nmhal_device_uri() gives it and sentences begin. Lives as long as the host. */
NMHAL_API const char *nmhal_host_uri(const struct nmhal_host *host);
/** Now, in nanoseconds of CLOCK_MONOTONIC. */
NMHAL_API int64_t nmhal_now_ns(void);

/** Scheme, board ("" if none) and values of a URI; value is NULL if the key is not there. Borrowed from the URI. */
NMHAL_API const char *nmhal_uri_scheme(const struct nmhal_uri *uri);
NMHAL_API const char *nmhal_uri_board(const struct nmhal_uri *uri);
NMHAL_API const char *nmhal_uri_value(const struct nmhal_uri *uri, const char *key);
/**
 * Value of a key as a number min..max (decimal or 0x...); `absent` if the key is not there. INVALID with a sentence.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_uri_number(struct nmhal_host *host, const struct nmhal_uri *uri, const char *key, uint64_t absent, uint64_t min, uint64_t max, uint64_t *value);

/** Adds one find. Strings are copied; uri is canonical. access: NMHAL_OK, NMHAL_E_ACCESS or NMHAL_E_BUSY. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_found_add(struct nmhal_found *found, const char *uri, const char *board, const char *serial, int access);

/** A URI key that a link, driver or wrapper understands. */
struct nmhal_key {
	const char *name;
	const char *summary; /**< "0: zero weights, ...": one clause */
};

/* ---- bus: SPI frames and address events of bare chips ------------------------------------------------------------ */

/** One input event for a bus, in the chip's own coding. */
struct nmhal_bus_in {
	uint32_t index;   /**< comes back with the outputs this event causes */
	uint16_t address; /**< address lines of the chip (tinyODIN: AERIN_ADDR[9:0]) */
	uint16_t idle_before; /**< 1: sent only when the core is idle; 0: as soon as the handshake allows */
};
/** One output event from a bus. */
struct nmhal_bus_out {
	uint32_t index;   /**< of the input that caused it; with NMHAL_BUS_ATTRIBUTES */
	uint16_t address; /**< address lines of the chip (tinyODIN: AEROUT_ADDR[7:0]) */
	uint16_t reserved;
};
/** One call of `events`: in and out. */
struct nmhal_bus_transfer {
	const struct nmhal_bus_in *in;
	size_t in_count;
	size_t in_done;      /**< out: inputs taken; the caller moves `in` on before the next call */
	struct nmhal_bus_out *out;
	size_t out_capacity; /**< at least 256 */
	size_t out_count;    /**< out */
	uint64_t quiet_frame; /**< SPI frame that does nothing; for a bus that passes time by clocking such frames */
	uint32_t quiet_clocks; /**< chip clocks without output after which the core is idle; for a bus blind to it */
	uint32_t idle;       /**< out: 1 when the core is known idle and all its output is in `out` */
};

#define NMHAL_BUS_ATTRIBUTES (1u << 0) /**< outputs carry the index of their input, also when idle_before is 0 */
/** Honours idle_before and sets `idle` then; outputs of an input that waited for idle carry its index. */
#define NMHAL_BUS_WAITS_IDLE (1u << 1)

/** What a bus is: limits as data. */
struct nmhal_bus_info {
	uint32_t flags;      /**< NMHAL_BUS_* */
	int32_t default_timeout_ms;
	size_t max_frames;   /**< SPI frames that make one good call of spi */
	uint64_t clock_hz;   /**< clock of the chip; 0: not known */
	uint32_t spi_hz;     /**< 0: not timed */
	uint32_t emulated;   /**< 1: an emulator */
	char serial[32];
};

/**
 * How a bare chip is reached. All ops are required but counter and interrupt. `self` is freed by close.
 */
struct nmhal_bus_ops {
	size_t struct_size;
	/** Leaves the lines at rest and frees self. Never fails, never blocks for long. */
	void (*close)(void *self);
	void (*info)(void *self, struct nmhal_bus_info *info);
	/**
	 * Clocks `count` SPI frames, back to back, in order. A frame is a number whose lowest `frame bits` go out MSB
	 * first (tinyODIN: 40 bits). replies: NULL, or [count]: the data-phase bits read on MISO in each frame. On
	 * failure it is unknown which frames arrived: the driver must regain framing (reset) before the next frame.
	 */
	int (*spi)(void *self, const uint64_t *frames, size_t count, uint32_t *replies, int64_t deadline_ns);
	/**
	 * Sends input events by handshake and gathers output events. May return OK early, with in_done < in_count or
	 * idle = 0: out is full or a fair amount of work is done; the caller takes the output and calls again, also
	 * with in_count = 0, until idle or until it has all the output it knows must come. Output order is the chip's.
	 * A bus without NMHAL_BUS_ATTRIBUTES may take inputs whose idle_before is 0 ahead of the chip: they are on
	 * their way, in order, and before any frame of a later spi.
	 */
	int (*events)(void *self, struct nmhal_bus_transfer *transfer, int64_t deadline_ns);
	/** Pulses the chip's RST: framing and queues are cleared, memories and registers stay. Waits until released. */
	int (*reset)(void *self, int64_t deadline_ns);
	/** Counter since open, as of nmhal_counter_get(); UNSUPPORTED without a sentence for what is not counted. */
	int (*counter)(void *self, const char *key, uint64_t *value);
	/** From any thread or a signal handler: makes a blocked op return CANCELED soon. Optional if no op blocks. */
	void (*interrupt)(void *self);
};
struct nmhal_bus {
	const struct nmhal_bus_ops *ops; /**< NULL: no bus */
	void *self;
};

/* ---- stream: bytes both ways ------------------------------------------------------------------------------------- */

struct nmhal_stream_info {
	size_t max_frame;   /**< largest packet that keeps its boundary; 0: a byte stream without boundaries */
	size_t alignment;   /**< sizes that travel best are multiples of this; at least 1 */
	int32_t default_timeout_ms;
	uint32_t emulated;
	char serial[32];
	uint32_t repeatable; /**< 1: it is recorded or played: a driver sends nothing that is random */
	uint32_t reserved;
};
/** How a board with a protocol of its own is reached. interrupt may be left out by a stream that never blocks. */
struct nmhal_stream_ops {
	size_t struct_size;
	void (*close)(void *self);
	void (*info)(void *self, struct nmhal_stream_info *info);
	/** Sends all of buf. */
	int (*send)(void *self, const void *buf, size_t size, int64_t deadline_ns);
	/** Waits for at least one byte; *size says how many came, at most capacity. */
	int (*recv)(void *self, void *buf, size_t capacity, size_t *size, int64_t deadline_ns);
	/** Drops what an earlier session left in the pipe. */
	int (*flush)(void *self, int64_t deadline_ns);
	/**
	 * As of a bus. Whether an op that was woken ends, nmhal_host_poll() says: the interrupt may have ended a call
	 * before it.
	 */
	void (*interrupt)(void *self);
};
struct nmhal_stream {
	const struct nmhal_stream_ops *ops; /**< NULL: no stream */
	void *self;
};

/** A kind of USB device that a link opens: the one source of the udev rules. */
struct nmhal_usb_id {
	uint16_t vendor, product; /**< vendor 0: any device with an interface whose string begins with name */
	uint32_t reserved;
	const char *name;         /**< begin of the product string a board must have, "NMHAL"; NULL: any */
	const char *summary;      /**< "FT2232H"; NULL ends a table */
};

/** How commands travel. */
struct nmhal_link {
	uint32_t abi; /**< NMHAL_DRIVER_ABI */
	uint32_t emulated; /**< 1: its devices are part of the library */
	size_t struct_size;
	const char *scheme;        /**< "sim" */
	const char *summary;
	const char *default_board; /**< used when the URI names none; NULL: a board must be named */
	const struct nmhal_key *keys; /**< ends with name NULL; the core refuses all others */
	/** Lists what is there, without disturbing it. Optional. */
	int (*enumerate)(struct nmhal_found *found);
	/**
	 * Opens the far end for the board the URI names and fills bus or stream (the other stays zero). NO_DEVICE if it
	 * has no such board. On failure nothing is left open.
	 */
	int (*open)(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus, struct nmhal_stream *stream);
	const struct nmhal_usb_id *usb_ids; /**< what users need access to; or NULL */
	/**
	 * Asks the far end which board it is, for a URI that names none: NUL-terminated, at most `size` bytes with it.
	 * Called before the URI's keys are checked. Optional; without it the default board is meant.
	 */
	int (*board)(struct nmhal_host *host, const struct nmhal_uri *uri, char *board, size_t size);
};

/**
 * What stands between a driver and its link and offers the same ops as the link: a recorder, a source of faults. The
 * first of its keys in a URI puts it there; the others are known only beside that one. Several wrappers stand in the
 * order in which the context got them: the first one next to the link, the last one next to the driver.
 */
struct nmhal_wrapper {
	uint32_t abi; /**< NMHAL_DRIVER_ABI */
	uint32_t reserved;
	size_t struct_size;
	const char *name;             /**< "fault" */
	const char *summary;
	const struct nmhal_key *keys; /**< at least one, ends with name NULL */
	/**
	 * Puts itself before the link. Exactly one of bus and stream is open: replaces its ops and self by its own,
	 * whose close closes the wrapped one as well. On failure both stay as they were and the core closes them.
	 */
	int (*wrap)(struct nmhal_host *host, const struct nmhal_uri *uri, int64_t deadline_ns, struct nmhal_bus *bus, struct nmhal_stream *stream);
};

/* ---- device: what a board can do --------------------------------------------------------------------------------- */

/** What a board declares about itself. */
struct nmhal_device_lists {
	const struct nmhal_attr_info *attrs;
	size_t attr_count;
	const struct nmhal_sensor_info *sensors;
	size_t sensor_count;
	const struct nmhal_counter_info *counters;
	size_t counter_count;
};

/**
 * The device vtable. Required: close, caps, write_weights, read_weights. Together or not at all: spikes_start, pump and
 * stop; set_neurons and get_neurons; attr_get and attr_set (attr_set only if something is writable). The core refuses
 * a driver that breaks this, and answers UNSUPPORTED for what is left out unless a fallback is named.
 * Weight codes at this level are int16_t, codes[row][col] of the region with `stride` elements a row.
 */
struct nmhal_device_ops {
	size_t struct_size;
	/** Leaves the board at rest, closes the link it was given and frees self. Called once, with no op running. */
	void (*close)(void *self);
	/** Describes the device. Called once, right after open, must not do I/O. Zeroed before; struct_size is set. */
	int (*caps)(void *self, struct nmhal_device_caps *caps);

	/** Writes a region: inside the core, sizes > 0, codes inside the range. On failure any part may be written. */
	int (*write_weights)(void *self, const struct nmhal_region *region, const int16_t *codes, size_t stride, int64_t deadline_ns);
	/** Reads a region from the board (not from a copy). */
	int (*read_weights)(void *self, const struct nmhal_region *region, int16_t *codes, size_t stride, int64_t deadline_ns);
	/**
	 * Writes single cells, sorted by core, row, column, none twice, codes inside the range. Optional.
	 * Fallback: write_weights for every run of neighbours in a row.
	 */
	int (*write_cells)(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
	/** Reads single cells, sorted likewise, into cells[].code. Optional. Fallback: read_weights of each run. */
	int (*read_cells)(void *self, struct nmhal_cell *cells, size_t count, int64_t deadline_ns);
	/**
	 * Adds deltas to single cells, sorted likewise, on the board. Optional. Fallback: the core adds, clamps and
	 * writes. A board that has it decides itself how sums saturate.
	 */
	int (*add_cells)(void *self, const struct nmhal_cell *cells, size_t count, int64_t deadline_ns);

	/** Runs a batch; everything is checked, strides are filled in. Optional. */
	int (*run_inference)(void *self, const struct nmhal_inference *op, int64_t deadline_ns);

	/**
	 * Begins a run. Events are sorted, their kinds and addresses allowed by caps; steps and max_events_per_input
	 * are filled in (never 0). op stays valid until spikes_stop. On failure spikes_stop is not called. Must not
	 * push events.
	 */
	int (*spikes_start)(void *self, const struct nmhal_spike_run *op, int64_t deadline_ns);
	/**
	 * Goes on with the run for a fair while (about a millisecond, or until something arrives), pushes what came out
	 * in chip order, sets *done when the core is idle after the last event. Between two calls the library asks for
	 * an interrupt and the deadline. LIMIT, TIMEOUT, CANCELED and failures end the run: spikes_stop follows.
	 */
	int (*spikes_pump)(void *self, int *done, int64_t deadline_ns);
	/**
	 * Ends a run that started: leaves the chip at rest; status is what pump returned last. Fills the counters of
	 * report it knows (all are NMHAL_UNKNOWN before, except events_out and events_lost, which the core counts).
	 * Must not wait for an interrupt or a deadline that has passed: it has 1 s.
	 */
	int (*spikes_stop)(void *self, int status, struct nmhal_spike_report *report);

	/** Writes or reads neurons first..first+count-1; ranges checked against caps. Optional pair. */
	int (*set_neurons)(void *self, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons, int64_t deadline_ns);
	int (*get_neurons)(void *self, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons, int64_t deadline_ns);
	/** Zeroes all potentials and empties queues. Optional. Fallback: get_neurons, potential = 0, set_neurons. */
	int (*reset_state)(void *self, int64_t deadline_ns);

	/** Attribute `index` of the driver's table; value->type is set; for set it is inside the range. Optional. */
	int (*attr_get)(void *self, size_t index, struct nmhal_attr_value *value, int64_t deadline_ns);
	int (*attr_set)(void *self, size_t index, const struct nmhal_attr_value *value, int64_t deadline_ns);
	/** Counter of nmhal_counter_get(). UNSUPPORTED (no sentence needed) for an unknown key. Optional. */
	int (*counter)(void *self, const char *key, uint64_t *value);

	/** Back to the state after open, programmed memories stay. Optional. */
	int (*reset)(void *self, int64_t deadline_ns);
	/**
	 * From any thread or a signal handler: makes a blocked op return CANCELED soon. Safe when nothing runs. The
	 * core keeps the flag that nmhal_host_poll() reads, so a driver that polls leaves this out. Optional.
	 */
	void (*interrupt)(void *self);

	/**
	 * Lists what the board itself declares, once, right after caps; no I/O. Zeroed before. The arrays live until
	 * close; struct_size of each entry is set, no key or name is empty, no string NULL. Attributes come instead of
	 * the driver's static table. Optional.
	 */
	void (*describe)(void *self, struct nmhal_device_lists *lists);
	/** Reads sensor `index` of the list, in the unit and scale told there. Required with sensors. */
	int (*read_sensor)(void *self, size_t index, int64_t *value, int64_t deadline_ns);
	/**
	 * Cells: all four or none. Places, sides, kinds and counts are checked, strides and averages filled in;
	 * voltages, widths and the number of points are the board's to refuse. *applied is 0 and *result zeroed before,
	 * neither is NULL.
	 */
	int (*cell_pulse)(void *self, const struct nmhal_cell_pulse *op, uint32_t *applied, int64_t deadline_ns);
	int (*cell_ramp)(void *self, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result, int64_t deadline_ns);
	int (*read_conductance)(void *self, const struct nmhal_conductance_read *op, int64_t deadline_ns);
	int (*cell_sweep)(void *self, const struct nmhal_cell_sweep *op, int64_t deadline_ns);
	/** Safety: all five or none. */
	int (*limits_get)(void *self, struct nmhal_limits *limits, int64_t deadline_ns);
	int (*limits_set)(void *self, const struct nmhal_limits *limits, int64_t deadline_ns);
	int (*arm)(void *self, uint32_t silence_ms, int64_t deadline_ns);
	int (*disarm)(void *self, int64_t deadline_ns);
	int (*safe_state)(void *self, int64_t deadline_ns);
	/**
	 * Devices of real numbers: arrays give them W, x and y as they are. write_f32 and mul_f32 both or none; add_f32
	 * optional. W is [out][in], dense, at most caps.cols x caps.rows, all finite.
	 *
	 * write_f32 programs w and leaves in it what was achieved. mul_f32 multiplies the matrix that was written last
	 * (w: as write_f32 or add_f32 left it) by one vector x[in] into y[out]. add_f32 adds dw to it on the device and
	 * gives what was achieved in w_new; without it the core adds and writes.
	 */
	int (*write_f32)(void *self, uint32_t core, float *w, uint32_t out, uint32_t in, int64_t deadline_ns);
	int (*mul_f32)(void *self, uint32_t core, const float *w, const float *x, float *y, uint32_t out, uint32_t in, int64_t deadline_ns);
	int (*add_f32)(void *self, uint32_t core, const float *w, const float *dw, float *w_new, uint32_t out, uint32_t in, int64_t deadline_ns);
};

/** What a driver needs below it. */
enum nmhal_needs { NMHAL_NEEDS_NOTHING = 0, NMHAL_NEEDS_BUS = 1, NMHAL_NEEDS_STREAM = 2 };

/** A board driver. */
struct nmhal_driver {
	uint32_t abi;   /**< NMHAL_DRIVER_ABI */
	uint32_t needs; /**< enum nmhal_needs */
	size_t struct_size;
	const char *name;          /**< "odin" */
	const char *summary;
	const char *const *boards; /**< names in URIs, ends with NULL; {"tinyodin", NULL} */
	const char *scheme;        /**< only with NMHAL_NEEDS_NOTHING: the scheme that opens it, "null" */
	const struct nmhal_key *keys;        /**< URI keys beside the link's, ends with name NULL; or NULL */
	const struct nmhal_attr_info *attrs; /**< attributes, struct_size of each set; or NULL */
	size_t attr_count;
	/**
	 * Opens the board behind the link and brings it to rest. On success the driver owns the link and closes it in
	 * ops->close; on failure the core closes the link and the driver frees its own memory.
	 */
	int (*open)(struct nmhal_host *host, const struct nmhal_uri *uri, const struct nmhal_bus *bus, const struct nmhal_stream *stream, int64_t deadline_ns, const struct nmhal_device_ops **ops, void **self);
};

/**
 * Adds a driver, link or wrapper that is not part of the library; it must outlive the context. INVALID names what is
 * wrong with it, BUSY if the name is taken. Not while another thread opens a device of the context.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_context_add_driver(nmhal_context *ctx, const struct nmhal_driver *driver);
NMHAL_API NMHAL_MUST_CHECK int nmhal_context_add_link(nmhal_context *ctx, const struct nmhal_link *link);
NMHAL_API NMHAL_MUST_CHECK int nmhal_context_add_wrapper(nmhal_context *ctx, const struct nmhal_wrapper *wrapper);

/* ---- a device in three functions --------------------------------------------------------------------------------- */

/**
 * The functions of a device of real numbers. Either the first three, which cannot fail (the prototypes of xbarax,
 * unchanged), or the last three, which return an enum nmhal_status and get `user`: multiply or try_multiply decides.
 * They are called one at a time for each open device. W is [out][in], dense; n = out * in.
 */
struct nmhal_functions {
	size_t struct_size;
	const char *board; /**< name, also the scheme of its URI: "mine:" */
	uint32_t max_out, max_in; /**< largest matrix */
	void (*multiply)(const float *w, const float *x, float *y, unsigned out, unsigned in); /**< y = W x */
	void (*add)(const float *w, const float *dw, float *w_new, unsigned n); /**< NULL: the core adds */
	void (*write)(float *w, unsigned out, unsigned in); /**< may leave in w what was achieved */
	int (*try_multiply)(void *user, const float *w, const float *x, float *y, unsigned out, unsigned in);
	int (*try_add)(void *user, const float *w, const float *dw, float *w_new, unsigned n);
	int (*try_write)(void *user, float *w, unsigned out, unsigned in);
	void *user;
	const char *(*explain)(void *user); /**< NULL, or: why the last try_ function failed, for the sentence */
};
/**
 * Makes a driver of functions, which are copied; to be added with nmhal_context_add_driver(). The device holds one
 * matrix at a time, NMHAL_CAN_FLOAT. INVALID names what is missing.
 * @param out  to be freed with nmhal_driver_free_functions() after the contexts it was added to
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_driver_from_functions(const struct nmhal_functions *functions, const struct nmhal_driver **out);
/** Frees such a driver; NULL is fine. */
NMHAL_API void nmhal_driver_free_functions(const struct nmhal_driver *driver);

#ifdef __cplusplus
}
#endif
#endif
