/* SPDX-License-Identifier: MIT */
/*
 * The messages of nmlink, once: opcodes, fields, status codes, capability records. Structs, codecs (codec.h), printers
 * (print.c) and the tables of PROTOCOL.md are all made from these lists. A new message is one row and its two lists.
 *
 * FIELD(type, name, text) is a fixed field, little-endian, without padding, in this order; TAIL(text) says what the
 * rest of the payload is. Types: u8 u16 u32 u64 s8 s16 s32 s64.
 */
#ifndef NMLINK_MESSAGES_H
#define NMLINK_MESSAGES_H

#define NMLINK_VERSION_MAJOR 1u /* header.version; a board answers another one with EVERSION */
#define NMLINK_VERSION_MINOR 1u /* told in HELLO; a higher one only adds messages, capabilities and fields at the end */

/* ---- header: 16 bytes before every payload ----------------------------------------------------------------------- */

#define NMLINK_HEADER(FIELD)                                                                                           \
	FIELD(u8, version, "major version of the protocol: 1")                                                         \
	FIELD(u8, flags, "REPLY 1, EVENT 2, URGENT 4")                                                                 \
	FIELD(u16, op, "opcode")                                                                                       \
	FIELD(u16, seq, "number of the request in its session; a reply repeats it")                                    \
	FIELD(u16, session, "low half of the session number; 0 in HELLO requests")                                     \
	FIELD(u32, size, "bytes of payload")                                                                           \
	FIELD(u16, status, "of a reply; 0 in requests and events")                                                     \
	FIELD(u16, credits, "of a reply: requests a host may have unanswered from now on, at least 1; else 0")

#define NMLINK_HEADER_SIZE  16u
#define NMLINK_CRC_SIZE     4u /* CRC-32C of header and payload, after the payload */
#define NMLINK_OVERHEAD     (NMLINK_HEADER_SIZE + NMLINK_CRC_SIZE)
#define NMLINK_MIN_FRAME    128u /* every board takes frames of this size before HELLO says more */
#define NMLINK_SHORT_REPLY  32u  /* payload of the longest reply that is kept for a repeated request */
#define NMLINK_FLAG_REPLY   1u
#define NMLINK_FLAG_EVENT   2u
#define NMLINK_FLAG_URGENT  4u /* outside the queue: seq is not counted */

/* ---- status ------------------------------------------------------------------------------------------------------ */

/* STATUS(NAME, number, text). An error reply's payload is an ERROR record: what the board has to say about it. */
#define NMLINK_STATUSES(STATUS)                                                                                        \
	STATUS(OK, 0, "done")                                                                                          \
	STATUS(EVERSION, 1, "the header has another major version; detail: the board's")                               \
	STATUS(EOP, 2, "the board does not have this opcode; detail: the opcode")                                      \
	STATUS(ELEN, 3, "the payload is too short, or does not fit its fields; detail: the size that was expected")    \
	STATUS(ECRC, 4, "the CRC of a frame was wrong; seq is the number the board expects next")                      \
	STATUS(ESEQ, 5, "another number was expected; seq is that number")                                             \
	STATUS(ESESSION, 6, "no such session: the board was reset, or another host said HELLO")                        \
	STATUS(EARG, 7, "a field has a value it cannot have; detail: its offset in the payload")                       \
	STATUS(ERANGE, 8, "outside the crossbar or the range of codes; detail: its offset in the payload")             \
	STATUS(ELIMIT, 9, "above a hard limit of the board; detail: the limit")                                        \
	STATUS(EINTERLOCK, 10, "an interlock is open")                                                                 \
	STATUS(EARM, 11, "not armed, or disarmed by the watchdog (detail 1)")                                          \
	STATUS(EBUSY, 12, "not now: something else runs")                                                              \
	STATUS(ETIMEOUT, 13, "the hardware did not answer in time")                                                    \
	STATUS(EABORTED, 14, "ended by ABORT")                                                                         \
	STATUS(ECOMPLIANCE, 15, "the current reached its compliance; detail: the current in nA")                       \
	STATUS(EHARDWARE, 16, "the hardware failed; detail: a number of the board's own")                              \
	STATUS(EINTERNAL, 17, "a bug of the firmware")

#define NMLINK_ERROR(FIELD, TAIL)                                                                                      \
	FIELD(u32, detail, "a number that depends on the status")                                                      \
	TAIL("UTF-8 text for a person, at most 64 bytes, without NUL")

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/*
 * MESSAGE(name, NAME, opcode, class, text). Classes:
 *   LINK    keeps the session going; executed again when repeated
 *   READ    changes nothing that a repetition could see; executed again when repeated
 *   STATE   changes the board: executed once, the short reply is kept and sent again when the request is repeated
 *   EVENT   from the board, without a request
 */
#define NMLINK_MESSAGES(MESSAGE)                                                                                       \
	MESSAGE(hello, HELLO, 0x0001, LINK, "begins a session")                                                        \
	MESSAGE(caps, CAPS, 0x0002, READ, "reads the capability records")                                              \
	MESSAGE(ping, PING, 0x0003, READ, "sends the tail back; also what keeps an armed board armed")                 \
	MESSAGE(abort, ABORT, 0x0004, LINK, "URGENT: requests before its seq that are not done end with EABORTED")     \
	MESSAGE(restart, RESTART, 0x0005, STATE, "brings the board to the state after power-up; weights stay")         \
	MESSAGE(write, WRITE, 0x0010, STATE, "programs a rectangle of weights")                                        \
	MESSAGE(read, READ, 0x0011, READ, "reads a rectangle of weights back")                                         \
	MESSAGE(write_cells, WRITE_CELLS, 0x0012, STATE, "programs single weights")                                    \
	MESSAGE(read_cells, READ_CELLS, 0x0013, READ, "reads single weights back")                                     \
	MESSAGE(add_cells, ADD_CELLS, 0x0014, STATE, "adds deltas to single weights, which saturate")                  \
	MESSAGE(infer, INFER, 0x0020, READ, "matrix-vector products of a batch of input vectors")                      \
	MESSAGE(write_neurons, WRITE_NEURONS, 0x0030, STATE, "sets neurons")                                           \
	MESSAGE(read_neurons, READ_NEURONS, 0x0031, READ, "reads neurons")                                             \
	MESSAGE(reset_state, RESET_STATE, 0x0032, STATE, "zeroes all potentials, empties all event queues")            \
	MESSAGE(spikes_start, SPIKES_START, 0x0033, STATE, "begins a run: counts of inputs and outputs start at 0")    \
	MESSAGE(spikes_send, SPIKES_SEND, 0x0034, STATE, "gives input events to the running run")                      \
	MESSAGE(spikes_read, SPIKES_READ, 0x0035, READ, "takes output events; frees those before `from`")              \
	MESSAGE(spikes_stop, SPIKES_STOP, 0x0036, STATE, "ends the run, clears the queue, leaves the core at rest")    \
	MESSAGE(events, EVENTS, 0x0037, EVENT, "output events as they happen, while a run with STREAM goes on")        \
	MESSAGE(get_attr, GET_ATTR, 0x0040, READ, "reads an attribute")                                                \
	MESSAGE(set_attr, SET_ATTR, 0x0041, STATE, "sets an attribute")                                                \
	MESSAGE(get_sensor, GET_SENSOR, 0x0042, READ, "reads a sensor")                                                \
	MESSAGE(get_counter, GET_COUNTER, 0x0043, READ, "reads a counter")                                             \
	MESSAGE(get_limits, GET_LIMITS, 0x0050, READ, "reads the limits in force")                                     \
	MESSAGE(set_limits, SET_LIMITS, 0x0051, STATE, "tightens limits; the board refuses to widen one (ELIMIT)")     \
	MESSAGE(arm, ARM, 0x0052, STATE, "allows what is above read level until silence_ms pass without a frame")      \
	MESSAGE(disarm, DISARM, 0x0053, STATE, "takes that back")                                                      \
	MESSAGE(safe_state, SAFE_STATE, 0x0054, STATE, "disarms; all lines to 0 V; weights stay")                      \
	MESSAGE(form_cell, FORM_CELL, 0x0060, STATE, "ramps pulses until a pristine cell conducts")                    \
	MESSAGE(set_cell, SET_CELL, 0x0061, STATE, "ramps SET pulses until the conductance is at least the target")    \
	MESSAGE(reset_cell, RESET_CELL, 0x0062, STATE, "ramps RESET pulses until it is at most the target")            \
	MESSAGE(pulse_cell, PULSE_CELL, 0x0063, STATE, "applies a train of equal pulses to one cell")                  \
	MESSAGE(read_conductance, READ_CONDUCTANCE, 0x0064, READ, "reads conductances at read level")                  \
	MESSAGE(sweep_cell, SWEEP_CELL, 0x0065, STATE, "staircase of voltages on a cell; the board keeps the points")  \
	MESSAGE(read_sweep, READ_SWEEP, 0x0066, READ, "reads points of the last sweep")

/* Opcodes that others may not use: on-board sequences (loops, conditional jumps) of a later minor version. */
#define NMLINK_SEQUENCE_FIRST 0x0070u
#define NMLINK_SEQUENCE_LAST  0x007Fu
/* Opcodes of vendors: class READ, from VENDOR_STATE on class STATE. PROTOCOL.md says how one is registered. */
#define NMLINK_VENDOR_FIRST 0x8000u
#define NMLINK_VENDOR_STATE 0xC000u

/* ---- records: what tails are made of ----------------------------------------------------------------------------- */

/* RECORD(name, NAME, text) */
#define NMLINK_RECORDS(RECORD)                                                                                         \
	RECORD(cell, CELL, "a weight")                                                                                 \
	RECORD(neuron, NEURON, "a neuron")                                                                             \
	RECORD(input, INPUT, "an input event")                                                                         \
	RECORD(output, OUTPUT, "an output event")                                                                      \
	RECORD(point, POINT, "a point of a sweep")

#define NMLINK_cell_RECORD(FIELD)                                                                                      \
	FIELD(u16, row, "row")                                                                                         \
	FIELD(u16, col, "column")                                                                                      \
	FIELD(s16, code, "weight code, or a delta")
#define NMLINK_neuron_RECORD(FIELD)                                                                                    \
	FIELD(s32, threshold, "")                                                                                      \
	FIELD(s32, leak, "")                                                                                           \
	FIELD(s32, potential, "")                                                                                      \
	FIELD(u32, enabled, "0 or 1")
#define NMLINK_input_RECORD(FIELD)                                                                                     \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, address, "row of a SPIKE, neuron of a VIRTUAL or LEAK_ONE")                                         \
	FIELD(u8, kind, "SPIKE 0, VIRTUAL 1, LEAK_ALL 2, LEAK_ONE 3")                                                  \
	FIELD(s8, value, "of a VIRTUAL")                                                                               \
	FIELD(u16, reserved, "0")
#define NMLINK_output_RECORD(FIELD)                                                                                    \
	FIELD(u32, input, "number in the run of the input that caused it; all ones: none did")                         \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, address, "neuron; bit 15: PROCESSED, an entry of the queue was done")
#define NMLINK_point_RECORD(FIELD)                                                                                     \
	FIELD(s32, voltage_uv, "uV")                                                                                   \
	FIELD(s32, current_na, "nA")

/* ---- fields of the messages -------------------------------------------------------------------------------------- */

#define NMLINK_NOTHING(FIELD, TAIL)
#define NMLINK_RECTANGLE(FIELD)                                                                                        \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, row, "first row")                                                                                   \
	FIELD(u16, col, "first column")                                                                                \
	FIELD(u16, rows, "rows, at least 1")                                                                           \
	FIELD(u16, cols, "columns, at least 1")

#define NMLINK_hello_REQUEST(FIELD, TAIL)                                                                              \
	FIELD(u32, session, "random number, never 0 in its low half")                                                  \
	FIELD(u16, minor, "the host's minor version")
#define NMLINK_hello_REPLY(FIELD, TAIL)                                                                                \
	FIELD(u32, session, "the same number")                                                                         \
	FIELD(u16, minor, "the board's minor version")                                                                 \
	FIELD(u16, window, "unanswered requests a host may have, 1 to 64; the board keeps as many short replies")      \
	FIELD(u32, max_frame, "largest frame with header and CRC, at least 128, either way")                           \
	FIELD(u32, caps_size, "bytes of all capability records")                                                       \
	FIELD(u32, caps_crc, "CRC-32C of them: a host that knows it need not read them")
#define NMLINK_caps_REQUEST(FIELD, TAIL) FIELD(u32, offset, "first byte wanted")
#define NMLINK_caps_REPLY(FIELD, TAIL)                                                                                 \
	FIELD(u32, offset, "of the first byte")                                                                        \
	TAIL("bytes of the records, as many as fit a frame")
#define NMLINK_ping_REQUEST(FIELD, TAIL) TAIL("anything")
#define NMLINK_ping_REPLY(FIELD, TAIL)   TAIL("the same")
#define NMLINK_abort_REQUEST             NMLINK_NOTHING
#define NMLINK_abort_REPLY               NMLINK_NOTHING
#define NMLINK_restart_REQUEST           NMLINK_NOTHING
#define NMLINK_restart_REPLY             NMLINK_NOTHING

#define NMLINK_write_REQUEST(FIELD, TAIL)                                                                              \
	NMLINK_RECTANGLE(FIELD)                                                                                        \
	TAIL("codes [rows][cols], each of the bytes that WEIGHT says")
#define NMLINK_write_REPLY NMLINK_NOTHING
#define NMLINK_read_REQUEST(FIELD, TAIL)                                                                               \
	NMLINK_RECTANGLE(FIELD)                                                                                        \
	FIELD(u64, use, "keys the read noise; the host counts it up")
#define NMLINK_read_REPLY(FIELD, TAIL) TAIL("codes [rows][cols]")
#define NMLINK_write_cells_REQUEST(FIELD, TAIL)                                                                        \
	FIELD(u16, tile, "crossbar")                                                                                   \
	TAIL("CELL records: codes to write")
#define NMLINK_write_cells_REPLY NMLINK_NOTHING
#define NMLINK_read_cells_REQUEST(FIELD, TAIL)                                                                         \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u64, use, "as in READ")                                                                                  \
	TAIL("CELL records, their codes ignored")
#define NMLINK_read_cells_REPLY(FIELD, TAIL) TAIL("s16 codes, in the order asked")
#define NMLINK_add_cells_REQUEST(FIELD, TAIL)                                                                          \
	FIELD(u16, tile, "crossbar")                                                                                   \
	TAIL("CELL records: deltas to add")
#define NMLINK_add_cells_REPLY(FIELD, TAIL) FIELD(u32, saturated, "sums that were clamped to the range")

#define NMLINK_infer_REQUEST(FIELD, TAIL)                                                                              \
	NMLINK_RECTANGLE(FIELD)                                                                                        \
	FIELD(u16, batch, "vectors, at least 1")                                                                       \
	FIELD(u16, flags, "TRANSPOSED 1: columns drive, rows sum; BIT_SERIAL 2: a bit of the inputs at a time")        \
	FIELD(u16, reserved, "0")                                                                                      \
	FIELD(u64, first_vector, "index of the first vector: keys the noise of reading")                               \
	TAIL("input codes [batch][rows, or columns when TRANSPOSED], each of the bytes that INPUT says")
#define NMLINK_infer_REPLY(FIELD, TAIL)                                                                                \
	TAIL("output codes [batch][outputs], each of the bytes that OUTPUT says; then saturation bits, a whole number "\
		"of bytes a vector: bit o%8 of byte o/8 is 1 where output o was clipped")

#define NMLINK_write_neurons_REQUEST(FIELD, TAIL)                                                                      \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, first, "first neuron (column)")                                                                     \
	TAIL("NEURON records")
#define NMLINK_write_neurons_REPLY NMLINK_NOTHING
#define NMLINK_read_neurons_REQUEST(FIELD, TAIL)                                                                       \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, first, "first neuron (column)")                                                                     \
	FIELD(u16, count, "neurons, at least 1")
#define NMLINK_read_neurons_REPLY(FIELD, TAIL) TAIL("NEURON records")
#define NMLINK_reset_state_REQUEST             NMLINK_NOTHING
#define NMLINK_reset_state_REPLY               NMLINK_NOTHING

#define NMLINK_spikes_start_REQUEST(FIELD, TAIL)                                                                       \
	FIELD(u32, flags, "BACK_TO_BACK 1: inputs do not wait for idle; STREAM 2: outputs come as EVENTS too")
#define NMLINK_spikes_start_REPLY NMLINK_NOTHING
#define NMLINK_spikes_send_REQUEST(FIELD, TAIL)                                                                        \
	FIELD(u32, first, "number in the run of the first event: how many were taken before")                          \
	TAIL("INPUT records")
#define NMLINK_spikes_send_REPLY(FIELD, TAIL)                                                                          \
	FIELD(u32, taken, "input events taken since the start; fewer than sent when outputs have no room")             \
	FIELD(u32, produced, "output events since the start")                                                          \
	FIELD(u32, idle, "1: nothing is left to do")
#define NMLINK_spikes_read_REQUEST(FIELD, TAIL)                                                                        \
	FIELD(u32, from, "number in the run of the first output wanted; the board may forget those before it")
#define NMLINK_spikes_read_REPLY(FIELD, TAIL)                                                                          \
	FIELD(u32, from, "number of the first output that follows")                                                    \
	FIELD(u32, taken, "as in SPIKES_SEND")                                                                         \
	FIELD(u32, produced, "as in SPIKES_SEND")                                                                      \
	FIELD(u32, idle, "as in SPIKES_SEND")                                                                          \
	TAIL("OUTPUT records")
#define NMLINK_spikes_stop_REQUEST NMLINK_NOTHING
#define NMLINK_spikes_stop_REPLY(FIELD, TAIL)                                                                          \
	FIELD(u64, sops, "synaptic operations of the run; all ones: not counted")                                      \
	FIELD(u64, queue_dropped, "spikes lost in the chip's own queue; all ones: not counted")                        \
	FIELD(u64, cycles, "clock cycles of the run; all ones: not counted")
#define NMLINK_events_REQUEST NMLINK_NOTHING
#define NMLINK_events_REPLY(FIELD, TAIL)                                                                               \
	FIELD(u64, time_ns, "the board's clock at the first event")                                                    \
	FIELD(u32, first, "number in the run of the first event")                                                      \
	FIELD(u32, dropped, "events lost right before it")                                                             \
	TAIL("OUTPUT records")

#define NMLINK_get_attr_REQUEST(FIELD, TAIL) FIELD(u16, index, "place of its ATTR record")
#define NMLINK_get_attr_REPLY(FIELD, TAIL)   FIELD(s64, value, "")
#define NMLINK_set_attr_REQUEST(FIELD, TAIL)                                                                           \
	FIELD(u16, index, "place of its ATTR record")                                                                  \
	FIELD(s64, value, "")
#define NMLINK_set_attr_REPLY                  NMLINK_NOTHING
#define NMLINK_get_sensor_REQUEST(FIELD, TAIL) FIELD(u16, index, "place of its SENSOR record")
#define NMLINK_get_sensor_REPLY(FIELD, TAIL)   FIELD(s64, value, "in the unit and scale of the record")
#define NMLINK_get_counter_REQUEST(FIELD, TAIL) FIELD(u16, index, "place of its COUNTER record")
#define NMLINK_get_counter_REPLY(FIELD, TAIL)   FIELD(u64, value, "since power-up")

#define NMLINK_LIMITS(FIELD)                                                                                           \
	FIELD(u32, voltage_uv, "largest voltage of either sign, uV")                                                   \
	FIELD(u32, current_na, "largest current of a line, nA")                                                        \
	FIELD(u32, width_ns, "longest pulse, ns")                                                                      \
	FIELD(u32, pulses, "most pulses of one request")                                                               \
	FIELD(u32, silence_ms, "longest silence an armed board may grant, ms")
#define NMLINK_get_limits_REQUEST                 NMLINK_NOTHING
#define NMLINK_get_limits_REPLY(FIELD, TAIL)      NMLINK_LIMITS(FIELD)
#define NMLINK_set_limits_REQUEST(FIELD, TAIL)    NMLINK_LIMITS(FIELD)
#define NMLINK_set_limits_REPLY(FIELD, TAIL)      NMLINK_LIMITS(FIELD)
#define NMLINK_arm_REQUEST(FIELD, TAIL)                                                                                \
	FIELD(u32, silence_ms, "disarm after so many ms without a valid frame; above the limit: ELIMIT")
#define NMLINK_arm_REPLY          NMLINK_NOTHING
#define NMLINK_disarm_REQUEST     NMLINK_NOTHING
#define NMLINK_disarm_REPLY       NMLINK_NOTHING
#define NMLINK_safe_state_REQUEST NMLINK_NOTHING
#define NMLINK_safe_state_REPLY   NMLINK_NOTHING

#define NMLINK_CELL(FIELD)                                                                                             \
	FIELD(u16, tile, "crossbar")                                                                                   \
	FIELD(u16, row, "row")                                                                                         \
	FIELD(u16, col, "column")                                                                                      \
	FIELD(u16, side, "0: the G+ cell of the pair, 1: the G- cell")
#define NMLINK_RAMP(FIELD)                                                                                             \
	NMLINK_CELL(FIELD)                                                                                             \
	FIELD(u32, target_ps, "conductance to reach, pS (picosiemens)")                                                \
	FIELD(u32, start_uv, "first amplitude, uV")                                                                    \
	FIELD(u32, step_uv, "added after each pulse, uV")                                                              \
	FIELD(u32, stop_uv, "largest amplitude, uV")                                                                   \
	FIELD(u32, width_ns, "of each pulse, ns")                                                                      \
	FIELD(u32, max_pulses, "at least 1")                                                                           \
	FIELD(u64, use, "keys the noise of the first verifying read; one more for each further one")
#define NMLINK_RAMPED(FIELD)                                                                                           \
	FIELD(u32, conductance_ps, "read after the last pulse, pS")                                                    \
	FIELD(u32, pulses, "applied")                                                                                  \
	FIELD(u32, last_uv, "amplitude of the last pulse, uV")                                                         \
	FIELD(u32, reached, "1: the target was reached")
#define NMLINK_form_cell_REQUEST(FIELD, TAIL)  NMLINK_RAMP(FIELD)
#define NMLINK_form_cell_REPLY(FIELD, TAIL)    NMLINK_RAMPED(FIELD)
#define NMLINK_set_cell_REQUEST(FIELD, TAIL)   NMLINK_RAMP(FIELD)
#define NMLINK_set_cell_REPLY(FIELD, TAIL)     NMLINK_RAMPED(FIELD)
#define NMLINK_reset_cell_REQUEST(FIELD, TAIL) NMLINK_RAMP(FIELD)
#define NMLINK_reset_cell_REPLY(FIELD, TAIL)   NMLINK_RAMPED(FIELD)
#define NMLINK_pulse_cell_REQUEST(FIELD, TAIL)                                                                         \
	NMLINK_CELL(FIELD)                                                                                             \
	FIELD(s32, voltage_uv, "amplitude, uV; positive: SET, negative: RESET")                                        \
	FIELD(u32, width_ns, "of each pulse, ns")                                                                      \
	FIELD(u32, gap_ns, "between two pulses, ns")                                                                   \
	FIELD(u32, pulses, "at least 1")
#define NMLINK_pulse_cell_REPLY(FIELD, TAIL) FIELD(u32, pulses, "applied")
#define NMLINK_read_conductance_REQUEST(FIELD, TAIL)                                                                   \
	NMLINK_RECTANGLE(FIELD)                                                                                        \
	FIELD(u16, side, "0: G+, 1: G-")                                                                               \
	FIELD(u16, averages, "reads that are averaged, at least 1")                                                    \
	FIELD(u64, use, "keys the read noise; the host counts it up by averages")
#define NMLINK_read_conductance_REPLY(FIELD, TAIL) TAIL("u32 pS [rows][cols]")
#define NMLINK_sweep_cell_REQUEST(FIELD, TAIL)                                                                         \
	NMLINK_CELL(FIELD)                                                                                             \
	FIELD(s32, start_uv, "first voltage, uV")                                                                      \
	FIELD(s32, step_uv, "from point to point, uV")                                                                 \
	FIELD(u32, points, "at least 1, at most what SENSE says")                                                      \
	FIELD(u32, width_ns, "of each point, ns")                                                                      \
	FIELD(u64, use, "keys the noise of the first point; one more for each further one")
#define NMLINK_sweep_cell_REPLY(FIELD, TAIL)    FIELD(u32, points, "measured")
#define NMLINK_read_sweep_REQUEST(FIELD, TAIL)  FIELD(u32, from, "first point wanted")
#define NMLINK_read_sweep_REPLY(FIELD, TAIL)                                                                           \
	FIELD(u32, from, "first point that follows")                                                                   \
	TAIL("POINT records")

/* ---- capabilities: records of u16 tag, u16 size, value ----------------------------------------------------------- */

/* CAP(name, NAME, tag, text). A host skips tags it does not know; fields past those it knows are ignored. */
#define NMLINK_CAPS(CAP)                                                                                               \
	CAP(vendor, VENDOR, 0x0001, "who made the board")                                                              \
	CAP(model, MODEL, 0x0002, "name of the board")                                                                 \
	CAP(hardware, HARDWARE, 0x0003, "revision of the board")                                                       \
	CAP(firmware, FIRMWARE, 0x0004, "version of the firmware")                                                     \
	CAP(serial, SERIAL, 0x0005, "serial number")                                                                   \
	CAP(ops, OPS, 0x0008, "opcodes that the board has; CAPS, PING, ABORT and HELLO go without saying")             \
	CAP(array, ARRAY, 0x0010, "the crossbars (required)")                                                          \
	CAP(weight, WEIGHT, 0x0011, "weight codes (required)")                                                         \
	CAP(input, INPUT, 0x0012, "input codes (with INFER)")                                                          \
	CAP(output, OUTPUT, 0x0013, "output codes (with INFER)")                                                       \
	CAP(neuron, NEURON, 0x0014, "neurons (with WRITE_NEURONS)")                                                    \
	CAP(spikes, SPIKES, 0x0015, "runs of spikes (with SPIKES_START)")                                              \
	CAP(drive, DRIVE, 0x0020, "voltages and pulses (with PULSE_CELL)")                                             \
	CAP(sense, SENSE, 0x0021, "reading conductances (with READ_CONDUCTANCE)")                                      \
	CAP(safety, SAFETY, 0x0022, "arming (with ARM)")                                                               \
	CAP(attr, ATTR, 0x0030, "an attribute; the first is index 0")                                                  \
	CAP(sensor, SENSOR, 0x0031, "a sensor; the first is index 0")                                                  \
	CAP(counter, COUNTER, 0x0032, "a counter; the first is index 0")
#define NMLINK_CAP_VENDOR_FIRST 0x8000u

#define NMLINK_vendor_CAP(FIELD, TAIL)   TAIL("UTF-8 text, at most 31 bytes")
#define NMLINK_model_CAP(FIELD, TAIL)    TAIL("UTF-8 text, at most 31 bytes")
#define NMLINK_hardware_CAP(FIELD, TAIL) TAIL("UTF-8 text, at most 31 bytes")
#define NMLINK_firmware_CAP(FIELD, TAIL) TAIL("UTF-8 text, at most 31 bytes")
#define NMLINK_serial_CAP(FIELD, TAIL)   TAIL("UTF-8 text, at most 31 bytes")
#define NMLINK_ops_CAP(FIELD, TAIL)      TAIL("u16 opcodes, ascending")
#define NMLINK_array_CAP(FIELD, TAIL)                                                                                  \
	FIELD(u16, tiles, "crossbars")                                                                                 \
	FIELD(u16, rows, "inputs of each")                                                                             \
	FIELD(u16, cols, "outputs of each")                                                                            \
	FIELD(u16, pairs, "1: a weight is a pair of cells G+, G-; 0: one cell")
#define NMLINK_CODES(FIELD)                                                                                            \
	FIELD(s32, min, "smallest code")                                                                               \
	FIELD(s32, max, "largest code")                                                                                \
	FIELD(u8, bits, "resolution")                                                                                  \
	FIELD(u8, bytes, "of a code on the wire: 1 (s8) or 2 (s16)")
#define NMLINK_weight_CAP(FIELD, TAIL)                                                                                 \
	NMLINK_CODES(FIELD)                                                                                            \
	FIELD(u16, tolerance, "codes that a good weight, just programmed, may read beside its target; 0: exact (1.1)")
#define NMLINK_input_CAP(FIELD, TAIL)                                                                                  \
	NMLINK_CODES(FIELD)                                                                                            \
	FIELD(u16, flags, "TRANSPOSED 1, BIT_SERIAL 2: what INFER may be asked for")                                   \
	FIELD(u32, max_batch, "vectors of one INFER, as far as the frame has room")
#define NMLINK_output_CAP(FIELD, TAIL)                                                                                 \
	NMLINK_CODES(FIELD)                                                                                            \
	FIELD(u32, lsb_256ths, "input * weight codes that an output code counts, times 256; 0: not told")
#define NMLINK_neuron_CAP(FIELD, TAIL)                                                                                 \
	FIELD(u16, model, "1: linear leak toward 0, fires at potential >= threshold, resets to 0")                     \
	FIELD(s32, threshold_min, "")                                                                                  \
	FIELD(s32, threshold_max, "")                                                                                  \
	FIELD(s32, leak_min, "")                                                                                       \
	FIELD(s32, leak_max, "")                                                                                       \
	FIELD(s32, potential_min, "")                                                                                  \
	FIELD(s32, potential_max, "")
#define NMLINK_spikes_CAP(FIELD, TAIL)                                                                                 \
	FIELD(u16, flags, "LEAK 1, VIRTUAL 2, BACK_TO_BACK 4, STREAM 8: what a run may have")                          \
	FIELD(s16, virtual_min, "value of a VIRTUAL event")                                                            \
	FIELD(s16, virtual_max, "")                                                                                    \
	FIELD(u16, virtual_address_max, "highest neuron of a VIRTUAL event")                                           \
	FIELD(u16, leak_one_address_max, "highest neuron of a LEAK_ONE event")                                         \
	FIELD(u32, outputs, "output events the board keeps until they are read")                                       \
	FIELD(u64, clock_hz, "clock of `cycles`; 0: none")
#define NMLINK_drive_CAP(FIELD, TAIL)                                                                                  \
	FIELD(u32, voltage_max_uv, "largest amplitude of either sign, uV")                                             \
	FIELD(u32, voltage_lsb_uv, "step of the amplitude, uV")                                                        \
	FIELD(u32, width_min_ns, "shortest pulse, ns")                                                                 \
	FIELD(u32, width_max_ns, "longest pulse, ns")                                                                  \
	FIELD(u32, width_lsb_ns, "step of the width, ns")                                                              \
	FIELD(u32, read_max_uv, "read level: what is above needs ARM, uV")
#define NMLINK_sense_CAP(FIELD, TAIL)                                                                                  \
	FIELD(u32, conductance_min_ps, "smallest programmable conductance, pS")                                        \
	FIELD(u32, conductance_max_ps, "largest programmable conductance, pS")                                         \
	FIELD(u32, read_uv, "voltage of a read, uV")                                                                   \
	FIELD(u32, sweep_points, "points that the board can keep")
#define NMLINK_safety_CAP(FIELD, TAIL)                                                                                 \
	FIELD(u16, flags, "INTERLOCK 1: the board has one")                                                            \
	FIELD(u32, silence_min_ms, "shortest silence that ARM may ask for")
#define NMLINK_attr_CAP(FIELD, TAIL)                                                                                   \
	FIELD(u8, type, "1: 0 or 1; 2: integer")                                                                       \
	FIELD(u8, flags, "WRITABLE 1, SAVED 2 (part of a chip image), GROWS 4 (never set to less; RESTART keeps it)")  \
	FIELD(s64, min, "")                                                                                            \
	FIELD(s64, max, "")                                                                                            \
	TAIL("UTF-8 texts key, unit, summary with NUL between them")
#define NMLINK_sensor_CAP(FIELD, TAIL)                                                                                 \
	FIELD(s8, exponent, "a value counts 10^exponent units")                                                        \
	TAIL("UTF-8 texts name, unit, summary with NUL between them")
#define NMLINK_counter_CAP(FIELD, TAIL) TAIL("UTF-8 texts name, summary with NUL between them")

#endif
