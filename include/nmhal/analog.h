/* SPDX-License-Identifier: MIT */
/**
 * @file analog.h
 * The analog side of a board: single cells below the weights, safety, sensors. nmhal.h includes it; include that one.
 *
 * Voltages are in uV, currents in nA, times in ns, conductances in pS (picosiemens, 1e-12 A/V). Who has what:
 * NMHAL_CAN_CELLS, NMHAL_CAN_ARM, nmhal_sensor_count(). The rules of nmhal.h hold here too.
 */
#ifndef NMHAL_ANALOG_H
#define NMHAL_ANALOG_H

#include <nmhal/nmhal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- cells: the analog devices below the weights ----------------------------------------------------------------- */

/*
 * Pulses, ramps and sweeps change cells below the weights: afterwards the library does not know the code of the weight,
 * also when the call failed, and NMHAL_PROGRAM_ONLY_CHANGED reads its row back first. UNSUPPORTED without
 * NMHAL_CAN_CELLS. Above read level they need nmhal_arm(): STATE without, LIMIT above a limit of the board, INTERLOCK
 * when an interlock is open; nothing was applied then.
 */

#define NMHAL_CELL_PLUS  0u /**< the G+ cell of a weight's pair, or its only cell */
#define NMHAL_CELL_MINUS 1u /**< the G- cell of the pair; a board with one cell a weight refuses it */

/** A train of equal pulses on one cell. */
struct nmhal_cell_pulse {
	size_t struct_size;
	uint32_t core, row, col, side; /**< side: NMHAL_CELL_PLUS or NMHAL_CELL_MINUS */
	int32_t voltage_uv; /**< amplitude in uV: positive sets (raises the conductance), negative resets */
	uint32_t width_ns;  /**< of each pulse */
	uint32_t gap_ns;    /**< between two */
	uint32_t pulses;    /**< at least 1 */
	int32_t timeout_ms;
	uint32_t reserved;
};
/**
 * Applies pulses.
 * @param applied  NULL, or the number of pulses that were applied, also after a failure (0 when it is not known)
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_cell_pulse(nmhal_device *dev, const struct nmhal_cell_pulse *op, uint32_t *applied);

enum nmhal_ramp_kind {
	NMHAL_RAMP_FORM = 1, /**< make a pristine cell conduct: until at least target */
	NMHAL_RAMP_SET = 2,  /**< until at least target */
	NMHAL_RAMP_RESET = 3 /**< until at most target */
};
/** Pulses of growing amplitude on one cell, each verified by a read, until a target is reached: a loop on the board. */
struct nmhal_cell_ramp {
	size_t struct_size;
	uint32_t core, row, col, side;
	uint32_t kind;      /**< enum nmhal_ramp_kind */
	uint32_t target_ps; /**< conductance in pS (picosiemens) */
	uint32_t start_uv, step_uv, stop_uv; /**< amplitude: first, added after each pulse, largest; uV */
	uint32_t width_ns;
	uint32_t max_pulses; /**< at least 1 */
	int32_t timeout_ms;
};
/** What a ramp did. */
struct nmhal_cell_ramped {
	size_t struct_size;
	uint32_t conductance_ps; /**< read after the last pulse */
	uint32_t pulses;
	uint32_t last_uv; /**< amplitude of the last pulse */
	uint32_t reached; /**< 1: the target was reached; 0: stop_uv or max_pulses came first, which is no failure */
};
/**
 * Ramps one cell.
 * @param result  NULL, or what was done (its struct_size set by the caller); untouched on failure
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_cell_ramp(nmhal_device *dev, const struct nmhal_cell_ramp *op, struct nmhal_cell_ramped *result);

/** Conductances of a rectangle. */
struct nmhal_conductance_read {
	size_t struct_size;
	struct nmhal_region region;
	uint32_t side;            /**< NMHAL_CELL_PLUS or NMHAL_CELL_MINUS */
	uint32_t averages;        /**< reads that are averaged; 0: 1; at most 65535 */
	uint32_t *conductance_ps; /**< [region.rows][row_stride], pS */
	size_t row_stride;        /**< elements; 0: the number of columns */
	int32_t timeout_ms;
	uint32_t reserved;
};
/** Reads conductances at read level: changes nothing, needs no arming. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_read_conductance(nmhal_device *dev, const struct nmhal_conductance_read *op);

/** A point of a sweep. */
struct nmhal_sweep_point {
	int32_t voltage_uv, current_na;
};
/** A staircase of voltages on one cell, the current measured at each. */
struct nmhal_cell_sweep {
	size_t struct_size;
	uint32_t core, row, col, side;
	int32_t start_uv, step_uv;
	uint32_t points;   /**< at least 1 */
	uint32_t width_ns; /**< of each point */
	struct nmhal_sweep_point *out; /**< [points]; on failure the first *measured of them, the others undefined */
	int32_t timeout_ms;
	uint32_t reserved;
	uint32_t *measured; /**< gets how many points were measured, also on failure; NULL: not wanted */
};
/**
 * Sweeps one cell. INVALID when a voltage of the staircase does not fit its type; LIMIT above the board's points, and
 * when the current was above its limit: then out ends with that point.
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_cell_sweep(nmhal_device *dev, const struct nmhal_cell_sweep *op);

/* ---- safety ------------------------------------------------------------------------------------------------------ */

/** Limits that the board itself keeps; 0 where it has none. */
struct nmhal_limits {
	size_t struct_size;
	uint32_t voltage_uv; /**< largest voltage of either sign */
	uint32_t current_na; /**< largest current of a line */
	uint32_t width_ns;   /**< longest pulse */
	uint32_t pulses;     /**< most pulses of one call */
	uint32_t silence_ms; /**< longest silence nmhal_arm() may grant */
	uint32_t reserved;
};
/** Reads the limits in force. This call and the four below: UNSUPPORTED without NMHAL_CAN_ARM. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_limits_get(nmhal_device *dev, struct nmhal_limits *limits, int32_t timeout_ms);
/** Tightens limits until the board is powered off; a field of 0 stays as it is. LIMIT when one would be widened. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_limits_set(nmhal_device *dev, const struct nmhal_limits *limits, int32_t timeout_ms);
/**
 * Allows voltages above read level until nmhal_disarm(), nmhal_safe_state(), nmhal_device_reset(), close, or until the
 * board has heard nothing for silence_ms: then its watchdog disarms it, and the next pulse fails with STATE.
 * @param silence_ms  at least 1; LIMIT above nmhal_limits.silence_ms
 */
NMHAL_API NMHAL_MUST_CHECK int nmhal_arm(nmhal_device *dev, uint32_t silence_ms, int32_t timeout_ms);
/** Takes that back. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_disarm(nmhal_device *dev, int32_t timeout_ms);
/** Disarms and brings all lines to 0 V; weights stay. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_safe_state(nmhal_device *dev, int32_t timeout_ms);

/** A sensor of a board. Strings live as long as the device is open. */
struct nmhal_sensor_info {
	size_t struct_size;
	const char *name;    /**< "temperature" */
	const char *unit;    /**< "degC" */
	const char *summary;
	int32_t exponent;    /**< a reading counts 10^exponent units */
	uint32_t reserved;
};
/** Number of sensors; 0 for NULL. */
NMHAL_API size_t nmhal_sensor_count(const nmhal_device *dev);
/** Describes sensor index < nmhal_sensor_count(). */
NMHAL_API NMHAL_MUST_CHECK int nmhal_sensor_list(nmhal_device *dev, size_t index, struct nmhal_sensor_info *info);
/** Reads a sensor by name. INVALID names the known ones. */
NMHAL_API NMHAL_MUST_CHECK int nmhal_sensor_get(nmhal_device *dev, const char *name, int64_t *value, int32_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
