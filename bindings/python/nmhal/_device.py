# SPDX-License-Identifier: MIT
"""Devices: everything of <nmhal/nmhal.h> but arrays, with NumPy arrays in and out."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import Error, check
from ._nmhal import ffi, lib

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]

#: A neuron: fields as struct nmhal_neuron.
NEURON = np.dtype({"names": ["threshold", "leak", "potential", "enabled"], "formats": ["i4", "i4", "i4", "u4"],
                   "offsets": [0, 4, 8, 12], "itemsize": 32})
#: An input or output event: fields as struct nmhal_event.
EVENT = np.dtype([("step", "u8"), ("address", "u4"), ("core", "u2"), ("kind", "u1"), ("value", "i1")])
SPIKE, VIRTUAL, LEAK_ALL, LEAK_ONE, PROCESSED = range(5)

_FEATURES = {name[len("NMHAL_CAN_"):].lower(): getattr(lib, name) for name in dir(lib) if name.startswith("NMHAL_CAN_")}
_CODE_TYPES = {np.dtype(np.int8): lib.NMHAL_CODE_I8, np.dtype(np.int16): lib.NMHAL_CODE_I16,
               np.dtype(np.int32): lib.NMHAL_CODE_I32}


def milliseconds(timeout: float | None) -> int:
    """Seconds to the C timeouts: None: the device's default, inf: for ever, 0: do not wait."""
    if timeout is None:
        return int(lib.NMHAL_TIMEOUT_DEFAULT)
    if timeout == float("inf"):
        return int(lib.NMHAL_WAIT_FOREVER)
    if timeout < 0:
        raise ValueError(f"timeout is {timeout} s: must not be negative")
    return max(1, round(timeout * 1000)) if timeout else int(lib.NMHAL_NO_WAIT)


@contextlib.contextmanager
def guard(pointers: list[Any]) -> Iterator[None]:
    """While inside, Ctrl-C interrupts the calls on these devices (in the main thread; elsewhere it cannot arrive)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    on = lib.nmhal_py_guard(pointers, len(pointers))
    try:
        yield
    finally:
        if on:
            lib.nmhal_py_unguard()


class Context:
    """The driver table. One for the whole process is made when it is needed; make your own to add functions."""

    _default: Context | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        out = ffi.new("nmhal_context **")
        check(lib.nmhal_context_new(ffi.NULL, out))
        self._pointer = ffi.gc(out[0], lib.nmhal_context_unref)
        self._pid = os.getpid()
        self._kept: list[Any] = []  # drivers made of functions: they must outlive the context

    @classmethod
    def default(cls) -> Context:
        """The process's own; a forked child gets a new one."""
        with cls._lock:
            if cls._default is None or cls._default._pid != os.getpid():
                cls._default = cls()
            return cls._default

    def enumerate(self, scheme: str | None = None) -> list[DeviceInfo]:
        """What can be opened: attached boards, then emulated ones."""
        out = ffi.new("nmhal_device_list **")
        check(lib.nmhal_enumerate(self._pointer, scheme.encode() if scheme else ffi.NULL, out))
        devices = ffi.gc(out[0], lib.nmhal_device_list_free)
        found = []
        for index in range(lib.nmhal_device_list_count(devices)):
            info = ffi.new("struct nmhal_device_info *", {"struct_size": ffi.sizeof("struct nmhal_device_info")})
            check(lib.nmhal_device_list_get(devices, index, info))
            texts = (ffi.string(text).decode() for text in (info.uri, info.driver, info.board, info.serial))
            found.append(DeviceInfo(*texts, access=info.access, emulated=bool(info.emulated)))
        return found

    def open(self, uri: str | None = None, *, timeout: float | None = None) -> Device:
        """Opens a device; see nmhal.open()."""
        return Device(uri, timeout=timeout, context=self)


@dataclasses.dataclass(frozen=True)
class DeviceInfo:
    """A device that could be opened: open() takes uri back unchanged; access: 0 or a status."""

    uri: str
    driver: str
    board: str
    serial: str
    access: int
    emulated: bool


@dataclasses.dataclass(frozen=True)
class Caps:
    """What a device is and can hold; ranges are inclusive. `features`: names like "infer", "spikes"."""

    features: frozenset[str]
    cores: int
    rows: int
    cols: int
    max_batch: int
    weight_range: tuple[int, int]
    input_range: tuple[int, int]
    output_range: tuple[int, int]
    output_lsb: float
    threshold_range: tuple[int, int]
    leak_range: tuple[int, int]
    potential_range: tuple[int, int]
    clock_hz: int
    board: str
    driver: str
    serial: str
    firmware: str


@dataclasses.dataclass(frozen=True)
class ProgramReport:
    """What programming did, in cells."""

    written: int
    skipped: int
    failed: int
    saturated: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's output events (dtype EVENT) and counts; None where the device cannot count."""

    events: npt.NDArray[np.void]
    number: int
    events_in: int
    sops: int | None
    queue_dropped: int | None
    cycles: int | None


class Attributes(Mapping[str, "int | float"]):
    """The attributes of a device as a mapping: `dev.attrs["open_loop"] = 1`."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._types: dict[str, int] = {}
        info = ffi.new("struct nmhal_attr_info *", {"struct_size": ffi.sizeof("struct nmhal_attr_info")})
        for index in range(lib.nmhal_attr_count(device._pointer)):
            check(lib.nmhal_attr_list(device._pointer, index, info), device.uri)
            self._types[ffi.string(info.key).decode()] = info.type

    def __getitem__(self, key: str) -> int | float:
        value = ffi.new("struct nmhal_attr_value *", {"struct_size": ffi.sizeof("struct nmhal_attr_value")})
        if key not in self._types:
            raise KeyError(key)
        check(lib.nmhal_attr_get(self._device._pointer, key.encode(), value), self._device.uri)
        return float(value.real) if value.type == lib.NMHAL_ATTR_REAL else int(value.integer)

    def __setitem__(self, key: str, value: int | float) -> None:
        if key not in self._types:
            raise KeyError(key)
        kind = self._types[key]
        fields = {"real": value} if kind == lib.NMHAL_ATTR_REAL else {"integer": int(value)}
        given = ffi.new("struct nmhal_attr_value *",
                        {"struct_size": ffi.sizeof("struct nmhal_attr_value"), "type": kind, **fields})
        check(lib.nmhal_attr_set(self._device._pointer, key.encode(), given), self._device.uri)

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)


def codes_of(values: npt.ArrayLike, what: str) -> tuple[npt.NDArray[Any], int]:
    """An array of codes that C can read in place (int8, int16, int32; others are cast if nothing is lost)."""
    array = np.asarray(values)
    if array.dtype not in _CODE_TYPES:
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"{what}: codes are integers, not {array.dtype}")
        if array.size and (array.min() < -2**31 or array.max() >= 2**31):
            raise ValueError(f"{what}: codes do not fit 32 bits")
        array = array.astype(np.int32)
    return np.ascontiguousarray(array), _CODE_TYPES[array.dtype]


class Device:
    """An open device. Any call from any thread; calls run one at a time, with Python's lock released."""

    def __init__(self, uri: str | None = None, *, timeout: float | None = None, context: Context | None = None) -> None:
        self._context = context or Context.default()
        params = ffi.new("struct nmhal_open_params *", {"struct_size": ffi.sizeof("struct nmhal_open_params"),
                                                        "timeout_ms": milliseconds(timeout)})
        out = ffi.new("nmhal_device **")
        check(lib.nmhal_device_open(self._context._pointer, uri.encode() if uri else ffi.NULL, params, out), uri or "")
        self._pointer = ffi.gc(out[0], lib.nmhal_device_unref)
        #: The URI in canonical form.
        self.uri: str = ffi.string(lib.nmhal_device_uri(self._pointer)).decode()
        self.caps = self._learn()
        self.attrs = Attributes(self)

    def _learn(self) -> Caps:
        caps = ffi.new("struct nmhal_device_caps *", {"struct_size": ffi.sizeof("struct nmhal_device_caps")})
        self._check(lib.nmhal_device_caps(self._pointer, caps))
        ranges = {f"{name}_range": (getattr(caps, f"{name}_min"), getattr(caps, f"{name}_max"))
                  for name in ("weight", "input", "output", "threshold", "leak", "potential")}
        texts = {name: ffi.string(getattr(caps, name)).decode() for name in ("board", "driver", "serial", "firmware")}
        return Caps(features=frozenset(name for name, bit in _FEATURES.items() if caps.features & bit), cores=caps.cores,
                    rows=caps.rows, cols=caps.cols, max_batch=caps.max_batch, output_lsb=caps.output_lsb,
                    clock_hz=caps.clock_hz, **ranges, **texts)

    def _check(self, status: int) -> None:
        check(status, getattr(self, "uri", ""))

    def _call(self, function: Any, *args: Any) -> None:
        with guard([self._pointer]):
            status = function(self._pointer, *args)
        self._check(status)

    def close(self) -> None:
        """Ends the session: a running call is interrupted, the board is left at rest. Closing twice is fine."""
        self._check(lib.nmhal_device_close(self._pointer))

    def interrupt(self) -> None:
        """Ends the running call with CanceledError; from any thread."""
        lib.nmhal_device_interrupt(self._pointer)

    def reset(self, *, timeout: float | None = None) -> None:
        """To the state after open; weights stay."""
        self._call(lib.nmhal_device_reset, milliseconds(timeout))

    def __enter__(self) -> Device:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<nmhal.Device {self.uri}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot be pickled: open it anew where it is needed, from its uri")

    def counter(self, key: str) -> int:
        """A counter since open; UnsupportedError when the device cannot count it."""
        out = ffi.new("uint64_t *")
        self._check(lib.nmhal_counter_get(self._pointer, key.encode(), out))
        return int(out[0])

    # -- weights ----------------------------------------------------------------------------------------------------

    def _program(self, function: Any, fields: dict[str, Any], timeout: float | None) -> ProgramReport:
        op = ffi.new("struct nmhal_program *", {"struct_size": ffi.sizeof("struct nmhal_program"),
                                                "timeout_ms": milliseconds(timeout), **fields})
        report = ffi.new("struct nmhal_program_report *", {"struct_size": ffi.sizeof("struct nmhal_program_report")})
        self._call(function, op, report)
        return ProgramReport(report.cells_written, report.cells_skipped, report.cells_failed, report.cells_saturated)

    def _region(self, codes: npt.NDArray[Any], core: int, row: int, col: int) -> dict[str, int]:
        if codes.ndim != 2:
            raise ValueError(f"weights: codes have shape {codes.shape}: must be [rows, columns]")
        return {"core": core, "row": row, "col": col, "rows": codes.shape[0], "cols": codes.shape[1]}

    def program(self, codes: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0, verify: bool = False,
                only_changed: bool = False, tolerance: int = 0, timeout: float | None = None) -> ProgramReport:
        """Writes weight codes [rows, columns] at (row, col) of a core; row = input, column = output."""
        array, kind = codes_of(codes, "program")
        flags = (lib.NMHAL_PROGRAM_VERIFY if verify else 0) | (lib.NMHAL_PROGRAM_ONLY_CHANGED if only_changed else 0)
        fields = {"region": self._region(array, core, row, col), "codes": ffi.from_buffer(array), "code_type": kind,
                  "flags": flags, "tolerance": tolerance}
        return self._program(lib.nmhal_program_weights, fields, timeout)

    def update(self, deltas: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0,
               timeout: float | None = None) -> ProgramReport:
        """Adds deltas [rows, columns] to weight codes; sums are clamped to the range and counted."""
        array, kind = codes_of(deltas, "update")
        fields = {"region": self._region(array, core, row, col), "codes": ffi.from_buffer(array), "code_type": kind}
        return self._program(lib.nmhal_update_weights, fields, timeout)

    def weights(self, *, core: int = 0, row: int = 0, col: int = 0, rows: int = 0, cols: int = 0,
                timeout: float | None = None) -> Int16:
        """Weight codes [rows, columns], read back from the device; 0 rows or columns: up to the last one."""
        shape = (rows or self.caps.rows - row, cols or self.caps.cols - col)
        codes = np.empty(shape, np.int16)
        region = ffi.new("struct nmhal_region *", {"core": core, "row": row, "col": col, "rows": rows, "cols": cols})
        self._call(lib.nmhal_read_weights, region, ffi.from_buffer(codes), 0, lib.NMHAL_CODE_I16, milliseconds(timeout))
        return codes

    # -- neurons and spikes -----------------------------------------------------------------------------------------

    def set_neurons(self, neurons: npt.NDArray[np.void], *, core: int = 0, first: int = 0,
                    timeout: float | None = None) -> None:
        """Writes neurons (dtype NEURON) from `first` on."""
        array = np.ascontiguousarray(neurons, NEURON)
        self._call(lib.nmhal_set_neurons, core, first, len(array),
                   ffi.cast("struct nmhal_neuron *", ffi.from_buffer(array)), milliseconds(timeout))

    def neurons(self, *, core: int = 0, first: int = 0, count: int | None = None,
                timeout: float | None = None) -> npt.NDArray[np.void]:
        """Reads neurons (dtype NEURON); count None: up to the last one."""
        array = np.zeros(self.caps.cols - first if count is None else count, NEURON)
        self._call(lib.nmhal_get_neurons, core, first, len(array),
                   ffi.cast("struct nmhal_neuron *", ffi.from_buffer(array)), milliseconds(timeout))
        return array

    def reset_state(self, *, timeout: float | None = None) -> None:
        """Potentials to 0, event queues empty."""
        self._call(lib.nmhal_reset_state, milliseconds(timeout))

    def run(self, events: npt.NDArray[np.void], *, steps: int = 0, capacity: int = 65536, back_to_back: bool = False,
            leak_each_step: bool = False, max_events_per_input: int = 0, timeout: float | None = None) -> Run:
        """Sends input events (dtype EVENT, sorted by step) and returns the output events.

        When more than `capacity` come, the run's state is what it is and OverrunError says how many there were.
        """
        array = np.ascontiguousarray(events, EVENT)
        out = np.empty(capacity, EVENT)
        flags = (lib.NMHAL_RUN_BACK_TO_BACK if back_to_back else 0) | \
                (lib.NMHAL_RUN_LEAK_EACH_STEP if leak_each_step else 0)
        op = ffi.new("struct nmhal_spike_run *", {
            "struct_size": ffi.sizeof("struct nmhal_spike_run"), "in_count": len(array), "steps": steps,
            "out_capacity": capacity, "max_events_per_input": max_events_per_input, "flags": flags,
            "timeout_ms": milliseconds(timeout)})
        setattr(op, "in", ffi.cast("struct nmhal_event *", ffi.from_buffer(array)))
        op.out = ffi.cast("struct nmhal_event *", ffi.from_buffer(out))
        report = ffi.new("struct nmhal_spike_report *", {"struct_size": ffi.sizeof("struct nmhal_spike_report")})
        self._call(lib.nmhal_run_spikes, op, report)
        counts = (None if value == lib.NMHAL_UNKNOWN else int(value)
                  for value in (report.sops, report.queue_dropped, report.cycles))
        return Run(out[:report.events_out].copy(), report.run, report.events_in, *counts)

    # -- inference --------------------------------------------------------------------------------------------------

    def infer(self, inputs: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0, rows: int = 0, cols: int = 0,
              transposed: bool = False, bit_serial: bool = False, first_vector: int = 0,
              timeout: float | None = None) -> tuple[Int32, npt.NDArray[np.bool_]]:
        """Products of input codes [batch, inputs] with a rectangle of weights.

        Returns output codes [batch, outputs] (int32) and which of them the converter clipped.
        """
        array, kind = codes_of(inputs, "infer")
        rows, cols = rows or self.caps.rows - row, cols or self.caps.cols - col
        width, outputs = (cols, rows) if transposed else (rows, cols)
        if array.ndim != 2 or array.shape[1] != width:
            raise ValueError(f"infer: inputs have shape {array.shape}: must be [batch, {width}]")
        out = np.empty((array.shape[0], outputs), np.int32)
        clipped = np.zeros(out.shape, np.bool_)
        op = ffi.new("struct nmhal_inference *", {
            "struct_size": ffi.sizeof("struct nmhal_inference"),
            "region": {"core": core, "row": row, "col": col, "rows": rows, "cols": cols},
            "first_vector": first_vector, "batch": array.shape[0], "in_type": kind, "out_type": lib.NMHAL_CODE_I32,
            "flags": (lib.NMHAL_INFER_TRANSPOSED if transposed else 0) |
                     (lib.NMHAL_INFER_BIT_SERIAL if bit_serial else 0), "timeout_ms": milliseconds(timeout)})
        setattr(op, "in", ffi.from_buffer(array))
        op.out = ffi.from_buffer(out)
        op.saturated = ffi.cast("uint8_t *", ffi.from_buffer(clipped))
        self._call(lib.nmhal_run_inference, op)
        return out, clipped


def open(uri: str | None = None, *, timeout: float | None = None) -> Device:  # noqa: A001 - as in io
    """Opens a device.

    uri: "sim:tinyodin", "usb:serial=NM-0042", ...; None: $NMHAL_URI, else the only attached board, never an emulator.
    timeout: seconds.
    """
    return Device(uri, timeout=timeout)


def enumerate_devices(scheme: str | None = None) -> list[DeviceInfo]:
    """What can be opened: attached boards, then emulated ones."""
    return Context.default().enumerate(scheme)


__all__ = ["EVENT", "NEURON", "SPIKE", "VIRTUAL", "LEAK_ALL", "LEAK_ONE", "PROCESSED", "Attributes", "Caps", "Context",
           "Device", "DeviceInfo", "Error", "ProgramReport", "Run", "enumerate_devices", "open"]
