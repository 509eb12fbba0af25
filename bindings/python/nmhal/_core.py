# SPDX-License-Identifier: MIT
"""What every call of the library shares: structs, time, Ctrl-C, fork."""
from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import StateError, check
from ._nmhal import ffi, lib
from ._types import Caps

_CODE_TYPES = {np.dtype(np.int8): lib.NMHAL_CODE_I8, np.dtype(np.int16): lib.NMHAL_CODE_I16,
               np.dtype(np.int32): lib.NMHAL_CODE_I32}


def struct(name: str, **fields: Any) -> Any:
    """A struct of the library with its struct_size; all other bytes are zero. ValueError: a number does not fit."""
    made = ffi.new(f"struct {name} *", {"struct_size": ffi.sizeof(f"struct {name}")})
    for field, value in fields.items():
        try:
            setattr(made, field, value)
        except OverflowError as error:
            raise ValueError(f"{field} is {value}: {error}") from None
    return made


def natural(**values: int) -> None:
    """ValueError for numbers that C cannot take as unsigned ones of 32 bits."""
    for name, value in values.items():
        if not 0 <= value < 2**32:
            raise ValueError(f"{name} is {value}: must be 0 to {2**32 - 1}")


def string(text: Any) -> str:
    """A C string."""
    return str(ffi.string(text).decode("utf-8", "replace"))


def milliseconds(timeout: float | None) -> int:
    """Seconds to the C timeouts: None: the device's default, inf: for ever, 0: do not wait."""
    if timeout is None:
        return int(lib.NMHAL_TIMEOUT_DEFAULT)
    if timeout == float("inf"):
        return int(lib.NMHAL_WAIT_FOREVER)
    if not 0 <= timeout < 2**31 / 1000:
        raise ValueError(f"timeout is {timeout} s: must be 0 to {2**31 // 1000}, or inf")
    return max(1, round(timeout * 1000)) if timeout else int(lib.NMHAL_NO_WAIT)


def bits(*choices: tuple[bool, int]) -> int:
    """The sum of the flags that are chosen."""
    return sum(flag for chosen, flag in choices if chosen)


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


class Calls(threading.local):
    """The calls that this thread is inside of: more than one when a device's function, which is Python's, calls."""

    def __init__(self) -> None:
        self.devices: list[list[Any]] = []  # of each call
        self.raised: BaseException | None = None  # by such a function, to be raised again when its call is back


calls = Calls()


def call(pointers: list[Any], uri: str, function: Any, *args: Any) -> None:
    """Calls the library and raises what its status stands for; in the main thread Ctrl-C interrupts the devices."""
    if any(pointer in outer for outer in calls.devices for pointer in pointers):
        raise StateError(f"{uri}: called from a function of a device that this call needs, and that waits for the "
                         "function; call it before or afterwards", uri)
    guarded = threading.current_thread() is threading.main_thread()
    calls.devices.append(pointers)
    try:
        if guarded:
            lib.nmhal_py_guard(pointers, len(pointers))
        status = function(*args)
        raised, calls.raised = calls.raised, None
        if raised is not None:
            raise raised
        check(status, uri)  # inside: unguard may lose the sentence
    finally:
        if guarded:
            lib.nmhal_py_unguard()
        calls.devices.pop()


def view(pointer: Any, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """An array on memory of the library, which nobody can make writable."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(memoryview(ffi.buffer(pointer, size)).toreadonly(), dtype).reshape(shape)


class Process:
    """Counts the forks that lie between this process and the one that imported the package."""

    number = 0

    @classmethod
    def forked(cls) -> None:
        """Runs in each child: no call is running here."""
        cls.number += 1
        lib.nmhal_py_forked()


os.register_at_fork(after_in_child=Process.forked)


class Handle:
    """What the parts of Device have of it."""

    _pointer: Any
    #: The URI in canonical form.
    uri: str
    #: What the device is and can hold.
    caps: Caps

    def _check(self, status: int) -> None:
        check(status, self.uri)

    def _call(self, function: Any, *args: Any) -> None:
        call([self._pointer], self.uri, function, self._pointer, *args)
