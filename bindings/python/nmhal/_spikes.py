# SPDX-License-Identifier: MIT
"""Calls of a device on neurons and spikes."""
from __future__ import annotations

from typing import Any

import numpy as np

from ._core import Handle, bits, milliseconds, natural, struct
from ._errors import Error
from ._nmhal import ffi, lib
from ._types import EVENT, NEURON, Records, Run, Spikes, known


def _records(values: Records, dtype: np.dtype[np.void], what: str, name: str) -> Records:
    """A vector of records that C can read in place, or a copy: NumPy does not keep what lies between fields at 0."""
    array = np.asarray(values)
    if array.dtype != dtype or array.ndim != 1:
        raise TypeError(f"{what}: a vector of nmhal.{name} is needed, not {array.dtype} of shape {array.shape}")
    assert dtype.names is not None
    if sum(dtype[field].itemsize for field in dtype.names) == dtype.itemsize:
        return np.ascontiguousarray(array)
    clean = np.zeros(len(array), dtype)
    for field in dtype.names:
        clean[field] = array[field]
    return clean


def _run_of(report: Any, events: Records) -> Run:
    return Run(events[:report.events_out - report.events_lost], report.run, report.events_in, report.events_out,
               report.events_lost, known(report.sops), known(report.queue_dropped), known(report.cycles))


class SpikeCalls(Handle):
    """Neurons, runs and the ring of output events."""

    def set_neurons(self, neurons: Records, *, core: int = 0, first: int = 0, timeout: float | None = None) -> None:
        """Writes neurons (dtype NEURON) from `first` on; ranges: caps."""
        array = _records(neurons, NEURON, "set neurons", "NEURON")
        natural(core=core, first=first)
        self._call(lib.nmhal_set_neurons, core, first, len(array),
                   ffi.cast("struct nmhal_neuron *", ffi.from_buffer(array)), milliseconds(timeout))

    def neurons(self, *, core: int = 0, first: int = 0, count: int | None = None,
                timeout: float | None = None) -> Records:
        """Reads neurons (dtype NEURON); count None: up to the last one."""
        natural(core=core, first=first)
        array = np.zeros(max(self.caps.cols - first, 0) if count is None else count, NEURON)
        self._call(lib.nmhal_get_neurons, core, first, len(array),
                   ffi.cast("struct nmhal_neuron *", ffi.from_buffer(array)), milliseconds(timeout))
        return array

    def reset_state(self, *, timeout: float | None = None) -> None:
        """Potentials to 0, event queues empty."""
        self._call(lib.nmhal_reset_state, milliseconds(timeout))

    def run(self, events: Records, *, steps: int = 0, capacity: int = 65536, out: Records | None = None,
            to_ring: bool = False, back_to_back: bool = False, leak_each_step: bool = False,
            max_events_per_input: int = 0, timeout: float | None = None) -> Run:
        """Sends input events (dtype EVENT, sorted by step) and returns the output events (nmhal_run_spikes).

        steps: 0: up to the step of the last event. Output goes to a new array of `capacity` events, of which the result
        is a view, to `out` (dtype EVENT, contiguous), or to the ring of read_spikes(). When more come than fit,
        OverrunError says how many; its report, as that of LimitError, is a Run with those that were delivered.
        """
        array = _records(events, EVENT, "run", "EVENT")
        if out is None:
            out = np.empty(0 if to_ring else capacity, EVENT)
        elif to_ring or out.dtype != EVENT or out.ndim != 1 or not (out.flags.c_contiguous and out.flags.writeable):
            raise TypeError("run: out must be a contiguous, writable vector of nmhal.EVENT, without to_ring")
        op = struct("nmhal_spike_run", in_count=len(array), steps=steps, out_capacity=out.size,
                    max_events_per_input=max_events_per_input, timeout_ms=milliseconds(timeout),
                    flags=bits((back_to_back, lib.NMHAL_RUN_BACK_TO_BACK),
                               (leak_each_step, lib.NMHAL_RUN_LEAK_EACH_STEP)))
        setattr(op, "in", ffi.cast("struct nmhal_event *", ffi.from_buffer(array)))
        if not to_ring:
            op.out = ffi.cast("struct nmhal_event *", ffi.from_buffer(out))
        report = struct("nmhal_spike_report")
        try:
            self._call(lib.nmhal_run_spikes, op, report)
        except Error as error:
            error.report = _run_of(report, out)
            raise
        return _run_of(report, out)

    def read_spikes(self, capacity: int = 65536, *, timeout: float | None = None) -> Spikes:
        """Takes output events of runs with to_ring from the ring; another thread may be in run() meanwhile.

        AgainError when there are none and timeout is 0, DeadlineError when there are none at the deadline.
        """
        events = np.empty(capacity, EVENT)
        read = struct("nmhal_spike_read", capacity=capacity)
        read.events = ffi.cast("struct nmhal_event *", ffi.from_buffer(events))
        self._call(lib.nmhal_read_spikes, read, milliseconds(timeout))
        return Spikes(events[:read.count], read.run, read.lost)
