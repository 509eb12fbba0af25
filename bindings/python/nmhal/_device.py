# SPDX-License-Identifier: MIT
"""Contexts and devices: everything of <nmhal/nmhal.h> but arrays, with NumPy arrays in and out."""
from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from types import TracebackType
from typing import Any, Literal

from ._analog import AnalogCalls
from ._attrs import Attributes
from ._core import Process, milliseconds, string, struct
from ._errors import Error, check
from ._nmhal import ffi, lib
from ._spikes import SpikeCalls
from ._types import Caps, DeviceInfo
from ._weights import WeightCalls

LogLevel = Literal["default", "error", "warn", "info", "debug", "wire", "none"]
_LOG_LEVELS = {name: getattr(lib, f"NMHAL_LOG_{name.upper()}")
               for name in ("default", "error", "warn", "info", "debug", "wire", "none")}
_FEATURES = {name[len("NMHAL_CAN_"):].lower(): getattr(lib, name) for name in dir(lib) if name.startswith("NMHAL_CAN_")}


class Context:
    """The driver table and the log, which goes to stderr. One for the whole process is made when it is needed.

    log_level: lines up to it are logged; "default": $NMHAL_LOG, else "warn". drivers: names of drivers, links and
    wrappers to use, separated by commas; None: all there are.
    """

    _default: Context | None = None
    _lock = threading.Lock()

    def __init__(self, *, log_level: LogLevel = "default", drivers: str | None = None) -> None:
        if log_level not in _LOG_LEVELS:
            raise ValueError(f"log_level is {log_level!r}: must be one of {', '.join(_LOG_LEVELS)}")
        names = ffi.NULL if drivers is None else ffi.new("char[]", drivers.encode())
        out = ffi.new("nmhal_context **")
        check(lib.nmhal_context_new(struct("nmhal_context_params", log_level=_LOG_LEVELS[log_level], drivers=names),
                                    out))
        self._pointer = ffi.gc(out[0], lib.nmhal_context_unref)
        self._process = Process.number

    @classmethod
    def default(cls) -> Context:
        """The process's own; a forked child gets a new one."""
        with cls._lock:
            if cls._default is None or cls._default._process != Process.number:
                cls._default = cls()
            return cls._default

    @classmethod
    def _forked(cls) -> None:
        cls._lock = threading.Lock()  # of which the parent's other threads may have been the holder

    def enumerate(self, scheme: str | None = None) -> list[DeviceInfo]:
        """What can be opened: attached boards, then emulated ones."""
        out = ffi.new("nmhal_device_list **")
        check(lib.nmhal_enumerate(self._pointer, scheme.encode() if scheme else ffi.NULL, out))
        devices = ffi.gc(out[0], lib.nmhal_device_list_free)
        found = []
        for index in range(lib.nmhal_device_list_count(devices)):
            info = struct("nmhal_device_info")
            check(lib.nmhal_device_list_get(devices, index, info))
            found.append(DeviceInfo(string(info.uri), string(info.driver), string(info.board), string(info.serial),
                                    access=info.access, emulated=bool(info.emulated)))
        return found

    def open(self, uri: str | None = None, *, timeout: float | None = None, ring_events: int = 0) -> Device:
        """Opens a device; see nmhal.open()."""
        return Device(uri, timeout=timeout, ring_events=ring_events, context=self)

    def __reduce__(self) -> Any:
        raise TypeError("a nmhal.Context cannot be pickled: make it anew where it is needed")


os.register_at_fork(after_in_child=Context._forked)


class Device(WeightCalls, SpikeCalls, AnalogCalls):
    """An open device. Any call from any thread; calls run one at a time, with Python's lock released."""

    def __init__(self, uri: str | None = None, *, timeout: float | None = None, ring_events: int = 0,
                 context: Context | None = None) -> None:
        self._context = context or Context.default()
        params = struct("nmhal_open_params", timeout_ms=milliseconds(timeout), spike_ring_events=ring_events)
        out = ffi.new("nmhal_device **")
        check(lib.nmhal_device_open(self._context._pointer, uri.encode() if uri else ffi.NULL, params, out), uri or "")
        self._pointer = ffi.gc(out[0], lib.nmhal_device_unref)
        self.uri = string(lib.nmhal_device_uri(self._pointer))
        self.caps = self._learn()
        #: What is peculiar to the chip.
        self.attrs = Attributes(self)
        _open_devices.add(self)

    def _learn(self) -> Caps:
        caps = struct("nmhal_device_caps")
        self._check(lib.nmhal_device_caps(self._pointer, caps))
        ranges: dict[str, Any] = {f"{name}_range": (getattr(caps, f"{name}_min"), getattr(caps, f"{name}_max"))
                  for name in ("weight", "input", "output", "threshold", "leak", "potential", "virtual")}
        numbers: dict[str, Any] = {name: getattr(caps, name) for name in
                   ("cores", "rows", "cols", "max_batch", "virtual_address_max", "leak_one_address_max", "weight_bits",
                    "weight_tolerance", "input_bits", "output_bits", "neuron_model", "output_lsb", "step_ps",
                    "clock_hz")}
        texts: dict[str, Any] = {name: string(getattr(caps, name))
                                 for name in ("board", "driver", "serial", "firmware")}
        timeout = caps.default_timeout_ms
        return Caps(features=frozenset(name for name, bit in _FEATURES.items() if caps.features & bit),
                    default_timeout=None if timeout == lib.NMHAL_WAIT_FOREVER else timeout / 1000,
                    **ranges, **numbers, **texts)

    def close(self) -> None:
        """Ends the session: a running call is interrupted, the board is left at rest. Closing twice is fine.

        TransferError when the `state=` file could not be written; the device is closed all the same.
        """
        _open_devices.discard(self)
        self._check(lib.nmhal_device_close(self._pointer))

    def interrupt(self) -> None:
        """Ends the running call with CanceledError, or the next one when none runs; from any thread."""
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


# Closed when the interpreter ends: a thread that is inside a call then would keep its device open, and the board armed.
_open_devices: weakref.WeakSet[Device] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for device in list(_open_devices):
        try:
            device.close()
        except Error as error:
            print(f"nmhal: {error}", file=sys.stderr)


def open(uri: str | None = None, *, timeout: float | None = None, ring_events: int = 0,
         context: Context | None = None) -> Device:
    """Opens a device (nmhal_device_open).

    uri: "sim:tinyodin", "usb:serial=NM-0042", ...; None: $NMHAL_URI, else the only attached board, never an emulator.
    timeout: seconds. ring_events: capacity of the ring of read_spikes(), 0: 65,536.
    """
    return Device(uri, timeout=timeout, ring_events=ring_events, context=context)


def enumerate_devices(scheme: str | None = None) -> list[DeviceInfo]:
    """What can be opened: attached boards, then emulated ones."""
    return Context.default().enumerate(scheme)
