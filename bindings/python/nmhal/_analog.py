# SPDX-License-Identifier: MIT
"""Calls of a device on what lies below the weights: cells, safety, sensors (<nmhal/analog.h>)."""
from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from ._core import Handle, milliseconds, string, struct
from ._errors import Error
from ._nmhal import ffi, lib
from ._types import SWEEP_POINT, Limits, Ramped, Records, SensorInfo, UInt32

Side = Literal["plus", "minus"]
_SIDES = {"plus": lib.NMHAL_CELL_PLUS, "minus": lib.NMHAL_CELL_MINUS}
_RAMPS = {"form": lib.NMHAL_RAMP_FORM, "set": lib.NMHAL_RAMP_SET, "reset": lib.NMHAL_RAMP_RESET}


class AnalogCalls(Handle):
    """Cells, limits and arming, sensors; uV, nA, ns, pS (1e-12 A/V), whole numbers. What is above read level needs
    arm(): StateError without it, LimitError above a limit of the board, InterlockError when an interlock is open."""

    def pulse(self, row: int, col: int, voltage_uv: int, width_ns: int, *, core: int = 0, side: Side = "plus",
              pulses: int = 1, gap_ns: int = 0, timeout: float | None = None) -> int:
        """Applies equal pulses to one cell and returns how many (nmhal_cell_pulse).

        A positive voltage raises the conductance, a negative one lowers it. side "minus": the G- cell of the pair. The
        report of an Error is the number of pulses that were applied.
        """
        applied = ffi.new("uint32_t *")
        op = struct("nmhal_cell_pulse", core=core, row=row, col=col, side=_SIDES[side], voltage_uv=voltage_uv,
                    width_ns=width_ns, gap_ns=gap_ns, pulses=pulses, timeout_ms=milliseconds(timeout))
        try:
            self._call(lib.nmhal_cell_pulse, op, applied)
        except Error as error:
            error.report = int(applied[0])
            raise
        return int(applied[0])

    def ramp(self, kind: Literal["form", "set", "reset"], row: int, col: int, target_ps: int, *, start_uv: int,
             step_uv: int, stop_uv: int, width_ns: int, max_pulses: int = 100, core: int = 0, side: Side = "plus",
             timeout: float | None = None) -> Ramped:
        """Pulses of growing amplitude on one cell until its conductance reaches a target (nmhal_cell_ramp)."""
        result = struct("nmhal_cell_ramped")
        op = struct("nmhal_cell_ramp", core=core, row=row, col=col, side=_SIDES[side], kind=_RAMPS[kind],
                    target_ps=target_ps, start_uv=start_uv, step_uv=step_uv, stop_uv=stop_uv, width_ns=width_ns,
                    max_pulses=max_pulses, timeout_ms=milliseconds(timeout))
        self._call(lib.nmhal_cell_ramp, op, result)
        return Ramped(result.conductance_ps, result.pulses, result.last_uv, bool(result.reached))

    def conductance(self, *, core: int = 0, row: int = 0, col: int = 0, rows: int = 0, cols: int = 0,
                    side: Side = "plus", averages: int = 1, timeout: float | None = None) -> UInt32:
        """Conductances [rows, columns] in pS, at read level: changes nothing (nmhal_read_conductance).

        0 rows or columns: up to the last one; averages: reads that are averaged.
        """
        shape = (rows or max(self.caps.rows - row, 0), cols or max(self.caps.cols - col, 0))
        found = np.empty(shape, np.uint32)
        op = struct("nmhal_conductance_read", side=_SIDES[side], averages=averages, timeout_ms=milliseconds(timeout),
                    region={"core": core, "row": row, "col": col, "rows": rows, "cols": cols})
        op.conductance_ps = ffi.cast("uint32_t *", ffi.from_buffer(found))
        self._call(lib.nmhal_read_conductance, op)
        return found

    def sweep(self, row: int, col: int, *, start_uv: int, step_uv: int, points: int, width_ns: int, core: int = 0,
              side: Side = "plus", timeout: float | None = None) -> Records:
        """A staircase of voltages on one cell, the current measured at each: dtype SWEEP_POINT (nmhal_cell_sweep).

        The report of an Error are the points that were measured; that of a current above its limit ends with it.
        """
        found = np.empty(points, SWEEP_POINT)
        measured = ffi.new("uint32_t *")
        op = struct("nmhal_cell_sweep", core=core, row=row, col=col, side=_SIDES[side], start_uv=start_uv,
                    step_uv=step_uv, points=points, width_ns=width_ns, measured=measured,
                    timeout_ms=milliseconds(timeout))
        op.out = ffi.cast("struct nmhal_sweep_point *", ffi.from_buffer(found))
        try:
            self._call(lib.nmhal_cell_sweep, op)
        except Error as error:
            error.report = found[:measured[0]]
            raise
        return found

    # -- safety -----------------------------------------------------------------------------------------------------

    def limits(self, *, timeout: float | None = None) -> Limits:
        """The limits in force."""
        found = struct("nmhal_limits")
        self._call(lib.nmhal_limits_get, found, milliseconds(timeout))
        return Limits(**{field.name: getattr(found, field.name) for field in dataclasses.fields(Limits)})

    def limit(self, limits: Limits, *, timeout: float | None = None) -> None:
        """Tightens limits until the board is powered off; 0: stays as it is. LimitError when one would be widened."""
        self._call(lib.nmhal_limits_set, struct("nmhal_limits", **dataclasses.asdict(limits)), milliseconds(timeout))

    def arm(self, silence: float, *, timeout: float | None = None) -> None:
        """Allows voltages above read level until disarm(), or until the board has heard nothing for `silence` seconds
        (nmhal_arm)."""
        if not 0 < silence < 2**32 / 1000:
            raise ValueError(f"arm: silence is {silence} s: must be above 0, and less than {2**32 // 1000}")
        self._call(lib.nmhal_arm, max(1, round(silence * 1000)), milliseconds(timeout))

    def disarm(self, *, timeout: float | None = None) -> None:
        """Takes that back."""
        self._call(lib.nmhal_disarm, milliseconds(timeout))

    def safe_state(self, *, timeout: float | None = None) -> None:
        """Disarms and brings all lines to 0 V; weights stay."""
        self._call(lib.nmhal_safe_state, milliseconds(timeout))

    # -- sensors and counters ---------------------------------------------------------------------------------------

    def sensors(self) -> dict[str, SensorInfo]:
        """The sensors of the board by name."""
        found, info = {}, struct("nmhal_sensor_info")
        for index in range(lib.nmhal_sensor_count(self._pointer)):
            self._check(lib.nmhal_sensor_list(self._pointer, index, info))
            name = string(info.name)
            found[name] = SensorInfo(name, string(info.unit), string(info.summary), info.exponent)
        return found

    def sensor(self, name: str, *, timeout: float | None = None) -> float:
        """Reads a sensor in its unit."""
        value = ffi.new("int64_t *")
        self._call(lib.nmhal_sensor_get, name.encode(), value, milliseconds(timeout))
        exponent = self.sensors()[name].exponent
        return float(value[0] * 10**exponent) if exponent >= 0 else value[0] / 10**-exponent

    def counters(self) -> dict[str, str]:
        """The counters that the device lists, and what they count; counter() may know more."""
        found, info = {}, struct("nmhal_counter_info")
        for index in range(lib.nmhal_counter_count(self._pointer)):
            self._check(lib.nmhal_counter_list(self._pointer, index, info))
            found[string(info.key)] = string(info.summary)
        return found

    def counter(self, key: str) -> int:
        """A counter since open; UnsupportedError when the device cannot count it."""
        out = ffi.new("uint64_t *")
        self._call(lib.nmhal_counter_get, key.encode(), out)
        return int(out[0])
