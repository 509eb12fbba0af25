/* SPDX-License-Identifier: MIT */
/**
 * @file nmhal.h
 * libnmhal: one C interface to neuromorphic crossbar boards and to their bit-accurate emulators.
 *
 * The only header a user of the library needs. Rules that hold for every call:
 *
 * - **Status.** Calls that can fail return NMHAL_OK (0) or a negative enum nmhal_status. nmhal_last_error() then gives
 *   one sentence for the calling thread. Results come through out-pointers, which are set to NULL (or left untouched
 *   for plain buffers, unless said otherwise) on failure.
 * - **Threads.** Any call from any thread. Calls on one device are executed one at a time on the caller's own thread;
 *   nmhal_read_spikes() and nmhal_device_interrupt() do not wait for a running call. See docs/threads.md.
 * - **Structs** start with `size_t struct_size`, which the caller sets to sizeof. All other bytes the caller does not
 *   use are zero: start from `= {0}` or the NMHAL_..._INIT macros. `reserved` fields must be zero.
 * - **Axes.** codes[row][col]: row = input (axon, pre-neuron), col = output (neuron, post-neuron).
 * - **Codes.** Weights, inputs, outputs and potentials are integer device codes; nothing here rounds or scales.
 * - **Timeouts** are milliseconds, or one of the three NMHAL_TIMEOUT names below.
 */
#ifndef NMHAL_NMHAL_H
#define NMHAL_NMHAL_H

#include <stddef.h>
#include <stdint.h>

#define NMHAL_API_VERSION_MAJOR 0
#define NMHAL_API_VERSION_MINOR 1
#define NMHAL_API_VERSION_PATCH 0

#if defined(_WIN32)
#define NMHAL_API
#else
#define NMHAL_API __attribute__((visibility("default")))
#endif
#if defined(__GNUC__)
#define NMHAL_MUST_CHECK __attribute__((warn_unused_result))
#else
#define NMHAL_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------------------------------ */

/** What a call returns. Values are frozen; new ones are only added at the end. See docs/errors.md. */
enum nmhal_status {
	NMHAL_OK = 0,
	NMHAL_E_INVALID = -1,     /**< an argument is wrong; nothing was sent to the device */
	NMHAL_E_NO_DEVICE = -2,   /**< no such device, or more than one matches */
	NMHAL_E_ACCESS = -3,      /**< the operating system refused access */
	NMHAL_E_BUSY = -4,        /**< held by another process or call */
	NMHAL_E_TIMEOUT = -5,     /**< the deadline passed; the device is usable */
	NMHAL_E_CANCELED = -6,    /**< ended by nmhal_device_interrupt() or close; the device is usable */
	NMHAL_E_UNSUPPORTED = -7, /**< the device or this build lacks the feature; nothing was sent */
	NMHAL_E_NO_MEMORY = -8,
	NMHAL_E_IO = -9,          /**< a transfer or file operation failed */
	NMHAL_E_PROTOCOL = -10,   /**< the far end answered nonsense, or a file is not what it should be */
	NMHAL_E_VERIFY = -11,     /**< read-back differs from what was written */
	NMHAL_E_OVERRUN = -12,    /**< output events did not fit the caller's buffer */
	NMHAL_E_GONE = -13,       /**< the device was unplugged or died; close it */
	NMHAL_E_STATE = -14,      /**< not possible now (closed, not armed, already running) */
	NMHAL_E_AGAIN = -15,      /**< nothing there yet; ask again */
	NMHAL_E_VERSION = -16,    /**< caller, library, firmware or file are of incompatible versions */
	NMHAL_E_LIMIT = -17,      /**< a stated limit was reached */
	NMHAL_E_INTERLOCK = -18,  /**< a safety interlock or watchdog tripped */
	NMHAL_E_INTERNAL = -19    /**< a bug in the library or a driver; please report the sentence */
};

#define NMHAL_TIMEOUT_DEFAULT 0 /**< the device's own default */
#define NMHAL_WAIT_FOREVER (-1) /**< no deadline */
#define NMHAL_NO_WAIT (-2)      /**< do not wait: do what can be done at once */

/** "Not known": a counter the device or its link cannot give. */
#define NMHAL_UNKNOWN UINT64_MAX

typedef struct nmhal_context nmhal_context;
typedef struct nmhal_device_list nmhal_device_list;
typedef struct nmhal_device nmhal_device;
typedef struct nmhal_image nmhal_image;

/** Library version as (major << 16 | minor << 8 | patch). Compare with the header's NMHAL_API_VERSION_* macros. */
NMHAL_API uint32_t nmhal_version(void);

/** Name of a status, "NMHAL_E_TIMEOUT"; "NMHAL_E_UNKNOWN" for a number that is none. Static string. */
NMHAL_API const char *nmhal_status_name(int status);

/**
 * The sentence of the thread's last failed call: `<uri>: <what, with numbers>: <what happened>[; <remedy>]`.
 * Never NULL; empty when no call failed yet. Valid until the thread's next nmhal call; one that succeeds leaves the
 * sentence as it was, also when it got over failures of the link.
 */
NMHAL_API const char *nmhal_last_error(void);

/* ---- context ----------------------------------------------------------------------------------------------------- */

/** Log levels, from rare to chatty. A failure that a call returns is not also logged. */
enum nmhal_log_level {
	NMHAL_LOG_DEFAULT = 0, /**< $NMHAL_LOG (a level's name or number), else WARN */
	NMHAL_LOG_ERROR = 1, /**< data or a device was lost and no call could return it */
	NMHAL_LOG_WARN = 2,  /**< the library recovered; the user should know */
	NMHAL_LOG_INFO = 3,  /**< open, close, firmware */
	NMHAL_LOG_DEBUG = 4, /**< one line per operation */
	NMHAL_LOG_WIRE = 5,  /**< frames and events */
	NMHAL_LOG_NONE = 6   /**< nothing at all */
};

/**
 * Receives log lines. May be called from any thread that is inside a libnmhal call; must not call libnmhal.
 * @param uri      the device, or "" for the context
 * @param message  one line without newline, valid during the call
 */
typedef void (*nmhal_log_fn)(void *user, enum nmhal_log_level level, const char *uri, const char *message);

/** Parameters of nmhal_context_new(). */
struct nmhal_context_params {
	size_t struct_size;
	nmhal_log_fn log;    /**< NULL: lines go to stderr */
	void *log_user;      /**< passed to log */
	const char *drivers; /**< comma-separated names of drivers, links and wrappers to use; NULL: all there are */
	uint32_t log_level;  /**< enum nmhal_log_level: lines up to this level are logged */
	uint32_t reserved;
};
#define NMHAL_CONTEXT_PARAMS_INIT {sizeof(struct nmhal_context_params), NULL, NULL, NULL, 0, 0}

/**
 * Makes a context: the driver table and the log sink. Contexts share nothing.
 * @param params  NULL for defaults
 * @param out     the context with one reference
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_context_new(const struct nmhal_context_params *params, nmhal_context **out);
/** Takes one more reference; returns ctx. */
NMHAL_API nmhal_context *nmhal_context_ref(nmhal_context *ctx);
/** Drops a reference (NULL is fine). Open devices hold one, so the order of unref calls does not matter. */
NMHAL_API void nmhal_context_unref(nmhal_context *ctx);

/* ---- discovery --------------------------------------------------------------------------------------------------- */

/** One device that could be opened. Strings live as long as the list. */
struct nmhal_device_info {
	size_t struct_size;
	const char *uri;    /**< nmhal_device_open() takes it back unchanged */
	const char *driver; /**< driver of the board */
	const char *board;  /**< board name, "tinyodin" */
	const char *serial; /**< "" if it has none */
	int32_t access;     /**< NMHAL_OK, NMHAL_E_ACCESS or NMHAL_E_BUSY */
	uint32_t emulated;  /**< 1: part of the library, never chosen when no URI is given */
};

/**
 * Lists what can be opened: attached boards, then emulated ones.
 * @param filter  scheme to ask ("sim", "ftdi"), or NULL for all
 * @param out     list to free with nmhal_device_list_free(); an empty list is no error
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_enumerate(nmhal_context *ctx, const char *filter, nmhal_device_list **out);
NMHAL_API size_t nmhal_device_list_count(const nmhal_device_list *list);
/** Fills info (its struct_size set by the caller) for entry index < count. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_device_list_get(const nmhal_device_list *list, size_t index, struct nmhal_device_info *info);
NMHAL_API void nmhal_device_list_free(nmhal_device_list *list);

/* ---- device ------------------------------------------------------------------------------------------------------ */

/** Parameters of nmhal_device_open(). */
struct nmhal_open_params {
	size_t struct_size;
	int32_t timeout_ms;       /**< for opening */
	uint32_t reserved;
	size_t spike_ring_events; /**< capacity of the spike ring in events; 0: 65,536 */
};
#define NMHAL_OPEN_PARAMS_INIT {sizeof(struct nmhal_open_params), 0, 0, 0}

/**
 * Opens a device.
 * @param uri     `scheme:[board][,key=value]...`, e.g. "sim:tinyodin". NULL or "": $NMHAL_URI, else the only attached
 *                board (NO_DEVICE when there is none or several; the sentence lists them). Never silently an emulator.
 * @param params  NULL for defaults
 * @param out     the device with one reference
 * `state=FILE` (emulated devices): loads the chip image FILE if it exists, locks it (BUSY names the holder), and writes
 * it back at close.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_device_open(nmhal_context *ctx, const char *uri, const struct nmhal_open_params *params, nmhal_device **out);
/** The URI in canonical form. Valid as long as the caller holds a reference. */
NMHAL_API const char *nmhal_device_uri(const nmhal_device *dev);
NMHAL_API nmhal_device *nmhal_device_ref(nmhal_device *dev);
/** Drops a reference (NULL is fine); the last one closes the device. */
NMHAL_API void nmhal_device_unref(nmhal_device *dev);
/**
 * Ends the session: interrupts a running call, waits for it, leaves the board at rest, writes the `state=` file.
 * Later calls on the device give STATE. A second close is OK and does nothing.
 * @return IO when the `state=` file could not be written (the device is closed all the same)
 */
NMHAL_API int nmhal_device_close(nmhal_device *dev);

/* What a device can do: nmhal_device_caps.features. */
#define NMHAL_CAN_READ_WEIGHTS (UINT64_C(1) << 0)     /**< weights can be read back */
#define NMHAL_CAN_ADD_WEIGHTS (UINT64_C(1) << 1)      /**< the device itself adds deltas (else the library does) */
#define NMHAL_CAN_NEURONS (UINT64_C(1) << 2)          /**< set_neurons, get_neurons */
#define NMHAL_CAN_RESET_STATE (UINT64_C(1) << 3)
#define NMHAL_CAN_SPIKES (UINT64_C(1) << 4)           /**< run_spikes */
#define NMHAL_CAN_LEAK_EVENTS (UINT64_C(1) << 5)      /**< LEAK_ALL, LEAK_ONE */
#define NMHAL_CAN_VIRTUAL_EVENTS (UINT64_C(1) << 6)
#define NMHAL_CAN_ATTRIBUTE (UINT64_C(1) << 7)        /**< output events carry the step of the input that caused them */
#define NMHAL_CAN_ORDER (UINT64_C(1) << 8)            /**< output events come in exactly the order of the chip */
#define NMHAL_CAN_BACK_TO_BACK (UINT64_C(1) << 9)     /**< NMHAL_RUN_BACK_TO_BACK */
#define NMHAL_CAN_INFER (UINT64_C(1) << 10)           /**< run_inference */
#define NMHAL_CAN_INFER_TRANSPOSED (UINT64_C(1) << 11)
#define NMHAL_CAN_RESET (UINT64_C(1) << 12)           /**< device_reset */
#define NMHAL_CAN_INFER_BIT_SERIAL (UINT64_C(1) << 13) /**< NMHAL_INFER_BIT_SERIAL */
#define NMHAL_CAN_CELLS (UINT64_C(1) << 14)           /**< cell_pulse, cell_ramp, read_conductance, cell_sweep */
/** limits_get, limits_set, arm, disarm, safe_state: what is above read level needs arm */
#define NMHAL_CAN_ARM (UINT64_C(1) << 15)
#define NMHAL_CAN_FLOAT (UINT64_C(1) << 16)           /**< a device of real numbers: for arrays only */

/** Neuron models, nmhal_device_caps.neuron_model. */
enum nmhal_neuron_model {
	NMHAL_NEURON_NONE = 0,
	NMHAL_NEURON_LIF_RESET_ZERO = 1 /**< linear leak toward 0, fires at potential >= threshold, resets to 0 */
};

/** What a device is and can hold. Ranges are inclusive; a range of 0..0 means "not there". */
struct nmhal_device_caps {
	size_t struct_size;
	uint64_t features; /**< NMHAL_CAN_* */
	uint32_t cores;    /**< crossbars of rows x cols */
	uint32_t rows;     /**< inputs (axons) of a core */
	uint32_t cols;     /**< outputs (neurons) of a core */
	uint32_t max_batch; /**< vectors in one inference; 0: no inference */
	int32_t weight_min, weight_max;
	int32_t input_min, input_max;   /**< inference input codes */
	int32_t output_min, output_max; /**< inference output codes */
	int32_t threshold_min, threshold_max;
	int32_t leak_min, leak_max;
	int32_t potential_min, potential_max;
	int32_t virtual_min, virtual_max;  /**< value of a VIRTUAL event */
	uint32_t virtual_address_max;      /**< highest neuron a VIRTUAL event can reach */
	uint32_t leak_one_address_max;     /**< highest neuron a LEAK_ONE event can reach */
	uint16_t weight_bits, input_bits, output_bits, neuron_model;
	uint64_t step_ps;   /**< length of a step in picoseconds; 0: steps only order events */
	uint64_t clock_hz;  /**< clock at which reported cycles are turned into time; 0: none */
	int32_t default_timeout_ms; /**< what NMHAL_TIMEOUT_DEFAULT means; NMHAL_WAIT_FOREVER: none */
	uint32_t weight_tolerance;  /**< codes by which a good weight, just programmed, may read off target; 0: exact */
	char board[32];     /**< "tinyodin" */
	char driver[32];    /**< "odin" */
	char serial[32];
	char firmware[32];  /**< "" if the board has none */
	double output_lsb;  /**< one output code of inference counts so many input * weight codes; 0: not known */
};

/** Fills caps (its struct_size set by the caller). Cheap: asked from the device once, at open. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_device_caps(nmhal_device *dev, struct nmhal_device_caps *caps);

/** Brings the device to the state after open; programmed weights and neurons stay. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_device_reset(nmhal_device *dev, int32_t timeout_ms);

/**
 * Ends the running call on the device with CANCELED, soon; when none runs, the next one. Safe from any thread and from
 * a signal handler, as long as the caller's reference is held. NULL is ignored.
 */
NMHAL_API void nmhal_device_interrupt(nmhal_device *dev);

/* ---- attributes: what is peculiar to one chip -------------------------------------------------------------------- */

enum nmhal_attr_type { NMHAL_ATTR_BOOL = 1, NMHAL_ATTR_INT = 2, NMHAL_ATTR_REAL = 3 };
#define NMHAL_ATTR_WRITABLE (1u << 0)
#define NMHAL_ATTR_SAVED (1u << 1) /**< part of a chip image */
#define NMHAL_ATTR_GROWS (1u << 2) /**< an INT that is never set to less than it is (INVALID); a reset keeps it */

/** One attribute of a device. Strings live as long as the device is open. */
struct nmhal_attr_info {
	size_t struct_size;
	const char *key;     /**< "open_loop" */
	const char *unit;    /**< "" if none, "Hz" */
	const char *summary; /**< one sentence */
	uint32_t type;       /**< enum nmhal_attr_type */
	uint32_t flags;      /**< NMHAL_ATTR_WRITABLE, ... */
	int64_t min, max;    /**< of BOOL and INT */
	double real_min, real_max; /**< of REAL */
};
/** Value of an attribute: `integer` for BOOL and INT, `real` for REAL. */
struct nmhal_attr_value {
	size_t struct_size;
	uint32_t type; /**< enum nmhal_attr_type */
	uint32_t reserved;
	int64_t integer;
	double real;
};
/** Number of attributes; 0 for NULL. */
NMHAL_API size_t nmhal_attr_count(const nmhal_device *dev);
/** Describes attribute index < nmhal_attr_count(). */
NMHAL_API NMHAL_MUST_CHECK int nmhal_attr_list(nmhal_device *dev, size_t index, struct nmhal_attr_info *info);
NMHAL_API NMHAL_MUST_CHECK int nmhal_attr_get(nmhal_device *dev, const char *key, struct nmhal_attr_value *value);
/** Sets a writable attribute. INVALID names the range, or for an unknown key the known ones. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_attr_set(nmhal_device *dev, const char *key, const struct nmhal_attr_value *value);
/** The same for attributes of type BOOL and INT. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_attr_get_int(nmhal_device *dev, const char *key, int64_t *value);
NMHAL_API NMHAL_MUST_CHECK int nmhal_attr_set_int(nmhal_device *dev, const char *key, int64_t value);

/**
 * Reads a counter that has run since open: "cycles" (chip clock cycles under an ideal host, datasheet section 17),
 * "sops" (synaptic operations), "queue_dropped" (spikes lost in the chip's own queue), "spi_frames", "events_in",
 * "events_out", "loopback_bytes" (bytes that the link sent to itself and got back as they were; others fail the open or
 * reset that sent them). UNSUPPORTED when the device or its link cannot count it.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_counter_get(nmhal_device *dev, const char *key, uint64_t *value);

/** A counter that nmhal_counter_get() knows. Strings live as long as the device is open. */
struct nmhal_counter_info {
	size_t struct_size;
	const char *key;
	const char *summary;
};
/** Number of counters the device lists; nmhal_counter_get() may know more. 0 for NULL. */
NMHAL_API size_t nmhal_counter_count(const nmhal_device *dev);
/** Describes counter index < nmhal_counter_count(). */
NMHAL_API NMHAL_MUST_CHECK int nmhal_counter_list(nmhal_device *dev, size_t index, struct nmhal_counter_info *info);

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/** Element type of a code matrix. */
enum nmhal_code_type { NMHAL_CODE_I8 = 1, NMHAL_CODE_I16 = 2, NMHAL_CODE_I32 = 3 };

/** A rectangle of one core. rows = 0 or cols = 0: up to the last row or column. */
struct nmhal_region {
	uint32_t core, row, col, rows, cols, reserved;
};
/** One cell: its weight code, or a delta for nmhal_update_weights(). */
struct nmhal_cell {
	uint32_t core, row, col;
	int32_t code;
};

#define NMHAL_PROGRAM_VERIFY (1u << 0)       /**< read back what was written and compare */
/**
 * Write only cells whose code differs from what was programmed before, or, where that is not known, from what is read.
 * Read noise is no change: a code that reads within weight_tolerance of what was programmed counts as that.
 */
#define NMHAL_PROGRAM_ONLY_CHANGED (1u << 1)

/** Either a matrix of codes for a region (codes), or a list of cells (cells), not both. */
struct nmhal_program {
	size_t struct_size;
	struct nmhal_region region; /**< with codes */
	const void *codes;          /**< codes[region.rows][row_stride]; only read during the call */
	size_t row_stride;          /**< elements from row to row; 0: the number of columns */
	const struct nmhal_cell *cells; /**< in any order; a cell named twice takes the last code */
	size_t cell_count;
	uint32_t code_type;  /**< enum nmhal_code_type of codes */
	uint32_t flags;      /**< NMHAL_PROGRAM_* */
	uint32_t tolerance;  /**< |read - wanted| that VERIFY accepts, in codes; 0: the device's weight_tolerance */
	int32_t timeout_ms;
};
/** What nmhal_program_weights() and nmhal_update_weights() did; filled on success and on failure. */
struct nmhal_program_report {
	size_t struct_size;
	uint64_t cells_written;
	uint64_t cells_skipped;   /**< ONLY_CHANGED: already had the code */
	uint64_t cells_failed;    /**< VERIFY: read-back outside the tolerance */
	uint64_t cells_saturated; /**< update: sum was clamped to the range */
	struct nmhal_cell first_failed; /**< its code is what was read */
	int32_t first_wanted;     /**< what it should have been */
	uint32_t worst_error;     /**< largest |read - wanted| */
};

/**
 * Writes weights. All codes are checked before the first one is sent (INVALID names row, column, value and range).
 * After a failure the touched rows are "unknown" to the library: ONLY_CHANGED reads them back first.
 * @param report  may be NULL
 * @return VERIFY when read-back differs: the report counts the cells and names the first
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_program_weights(nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report);
/**
 * Reads weights back from the device (never from a copy).
 * @param region      NULL: all of core 0
 * @param codes       [rows][row_stride] elements of code_type; undefined on failure
 * @param row_stride  elements; 0: the number of columns
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_read_weights(nmhal_device *dev, const struct nmhal_region *region, void *codes, size_t row_stride, uint32_t code_type, int32_t timeout_ms);
/**
 * Adds deltas to weights: op->codes or op->cells hold deltas, sums are clamped to the weight range and counted. In a
 * cell list, a cell named twice is added twice. Flags: VERIFY (ONLY_CHANGED is implied: a zero delta writes nothing).
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_update_weights(nmhal_device *dev, const struct nmhal_program *op, struct nmhal_program_report *report);

/* ---- neurons ----------------------------------------------------------------------------------------------------- */

/** Parameters and state of one neuron, in device codes (ranges: nmhal_device_caps). */
struct nmhal_neuron {
	int32_t threshold;
	int32_t leak;      /**< step toward 0 on a leak event */
	int32_t potential; /**< membrane potential */
	uint32_t enabled;  /**< 0 or 1: 0 suppresses its output spikes; it still integrates */
	int32_t reserved[4];
};
/**
 * Writes neurons first..first+count-1 of a core. All are checked before the first is sent.
 * @param neurons  [count], only read during the call
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_set_neurons(nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count, const struct nmhal_neuron *neurons, int32_t timeout_ms);
/** Reads neurons first..first+count-1 of a core into neurons[count]. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_get_neurons(nmhal_device *dev, uint32_t core, uint32_t first, uint32_t count, struct nmhal_neuron *neurons, int32_t timeout_ms);
/** Sets all potentials to 0 and empties the chip's event queues. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_reset_state(nmhal_device *dev, int32_t timeout_ms);

/* ---- spikes ------------------------------------------------------------------------------------------------------ */

enum nmhal_event_kind {
	NMHAL_EVENT_SPIKE = 0,    /**< in: drives row `address`; out: neuron `address` fired */
	NMHAL_EVENT_VIRTUAL = 1,  /**< in: adds `value` to neuron `address` (tinyODIN: 0 acts as SPIKE of that row) */
	NMHAL_EVENT_LEAK_ALL = 2, /**< in: one leak step of all neurons; address 0 */
	NMHAL_EVENT_LEAK_ONE = 3, /**< in: one leak step of neuron `address` */
	NMHAL_EVENT_PROCESSED = 4 /**< out: queue entry `address` was processed (tinyODIN with output_source=1) */
};

/** An input or output event. */
struct nmhal_event {
	uint64_t step;    /**< counted from the start of the run */
	uint32_t address;
	uint16_t core;
	uint8_t kind;     /**< enum nmhal_event_kind */
	int8_t value;     /**< of VIRTUAL, else 0 */
};

/**
 * No wait for idle between input events (bit-defined in open loop only). A device that needs the wait to tell outputs
 * apart waits all the same.
 */
#define NMHAL_RUN_BACK_TO_BACK (1u << 0)
#define NMHAL_RUN_LEAK_EACH_STEP (1u << 1) /**< a LEAK_ALL of every core at the end of every step */

#define NMHAL_MAX_EVENTS_DEFAULT 65536u
#define NMHAL_NO_LIMIT UINT64_MAX

/** A run: timed input events for `steps` steps. Potentials persist from run to run until nmhal_reset_state(). */
struct nmhal_spike_run {
	size_t struct_size;
	const struct nmhal_event *in; /**< sorted by step, applied in array order; only read during the call */
	size_t in_count;
	uint64_t steps;               /**< number of steps; 0: up to the step of the last event */
	struct nmhal_event *out;      /**< caller's buffer; NULL: output goes to the ring of nmhal_read_spikes() */
	size_t out_capacity;          /**< events that fit out */
	uint64_t max_events_per_input; /**< output events one input may cause before the run ends with LIMIT;
					    0: NMHAL_MAX_EVENTS_DEFAULT, NMHAL_NO_LIMIT: none */
	uint32_t flags;               /**< NMHAL_RUN_* */
	int32_t timeout_ms;
};
/** What a run did; filled on success and on failure. NMHAL_UNKNOWN where the device cannot count. */
struct nmhal_spike_report {
	size_t struct_size;
	uint64_t events_in;     /**< input events sent, added leak events included */
	uint64_t events_out;    /**< output events the chip gave */
	uint64_t events_lost;   /**< of these, lost because the ring or the caller's buffer was full */
	uint64_t sops;          /**< synaptic operations */
	uint64_t queue_dropped; /**< spikes lost in the chip's own queue */
	uint64_t cycles;        /**< chip clock cycles under an ideal host */
	uint32_t run;           /**< run number: 1 for the first of the session */
	uint32_t reserved;
};

/**
 * Sends input events and gathers output events until the core is idle after the last one.
 * Output order: by step, then exactly as the chip emits. Each output carries the step of the input that caused it.
 * @param report  may be NULL
 * @return OVERRUN   the caller's buffer was too small; report->events_out says how much is needed
 *         LIMIT     an input caused more than max_events_per_input outputs (the first ones are delivered)
 *         On LIMIT, TIMEOUT and CANCELED the chip's queue is cleared, weights are kept, potentials are undefined until
 *         nmhal_reset_state() or nmhal_set_neurons().
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_run_spikes(nmhal_device *dev, const struct nmhal_spike_run *op, struct nmhal_spike_report *report);

/** In and out of nmhal_read_spikes(): the caller sets struct_size, events and capacity. */
struct nmhal_spike_read {
	size_t struct_size;
	struct nmhal_event *events; /**< [capacity] */
	size_t capacity;
	size_t count;  /**< events delivered: all of one run, with none missing between them */
	uint64_t lost; /**< events lost right before the first one delivered (or last of all, when count is 0) */
	uint32_t run;  /**< run they belong to */
	uint32_t reserved;
};
/**
 * Takes output events from the ring. Does not wait for a run in progress: a second thread may read while one runs.
 * @return OK with count > 0 or lost > 0; AGAIN when empty and NMHAL_NO_WAIT, TIMEOUT when still empty at the deadline
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_read_spikes(nmhal_device *dev, struct nmhal_spike_read *rd, int32_t timeout_ms);

/* ---- inference --------------------------------------------------------------------------------------------------- */

#define NMHAL_INFER_TRANSPOSED (1u << 0) /**< inputs drive columns, outputs are rows */
/** Inputs are applied a bit at a time, each through the converter, and added with their weights (docs/emulator.md). */
#define NMHAL_INFER_BIT_SERIAL (1u << 1)

/** out[b][col] = sum over rows of in[b][row] * code[row][col], through the device's converters. */
struct nmhal_inference {
	size_t struct_size;
	struct nmhal_region region; /**< the part of the crossbar that takes part */
	const void *in;        /**< [batch][in_stride] codes of in_type */
	void *out;             /**< [batch][out_stride] codes of out_type */
	uint8_t *saturated;    /**< NULL, or [batch][outputs]: 1 where the converter clipped */
	size_t in_stride, out_stride; /**< elements; 0: dense */
	uint64_t first_vector; /**< index of the first vector: keys the noise */
	uint32_t batch;
	uint32_t in_type, out_type; /**< enum nmhal_code_type */
	uint32_t flags;        /**< NMHAL_INFER_* */
	int32_t timeout_ms;
	uint32_t reserved;
};
/** Runs a batch of matrix-vector products on the crossbar. UNSUPPORTED without NMHAL_CAN_INFER. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_run_inference(nmhal_device *dev, const struct nmhal_inference *op);

/* ---- chip images: weights, neurons and attributes in one HDF5 file (docs/image.md) ------------------------------- */

/** Shape and content of an image. */
struct nmhal_image_info {
	size_t struct_size;
	uint32_t cores, rows, cols;
	uint32_t has_weights, has_neurons; /**< 0 or 1 */
	uint32_t attr_count;
	char board[32];                    /**< board it was made for */
};
/** Reads an image file. PROTOCOL: not a chip image or damaged, and the sentence says where; VERSION: a newer schema. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_image_load(const char *path, nmhal_image **out);
/** Writes an image file, atomically: an older file stays whole until the new one is complete. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_image_save(const nmhal_image *image, const char *path);
/** Reads all of a device into a new image: weights, neurons (if it has them), saved attributes. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_image_capture(nmhal_device *dev, int32_t timeout_ms, nmhal_image **out);
/**
 * Writes an image to a device: weights, neurons, attributes. INVALID when board or shape do not fit.
 * @param flags  NMHAL_PROGRAM_*
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_image_program(nmhal_device *dev, const nmhal_image *image, uint32_t flags, int32_t timeout_ms, struct nmhal_program_report *report);
NMHAL_API NMHAL_MUST_CHECK int nmhal_image_get_info(const nmhal_image *image, struct nmhal_image_info *info);
/** Weights of a core, [rows][cols]; NULL if the image has none. Borrowed from the image. */
NMHAL_API const int16_t *nmhal_image_weights(const nmhal_image *image, uint32_t core);
/** Neurons of a core, [cols]; NULL if the image has none. Borrowed from the image. */
NMHAL_API const struct nmhal_neuron *nmhal_image_neurons(const nmhal_image *image, uint32_t core);
/** Key of attribute index < attr_count and its value; NULL past the end. Borrowed from the image. */
NMHAL_API const char *nmhal_image_attr(const nmhal_image *image, uint32_t index, int64_t *value);
NMHAL_API void nmhal_image_free(nmhal_image *image);

#ifdef __cplusplus
}
#endif

#include <nmhal/analog.h>
#include <nmhal/array.h>

#endif
