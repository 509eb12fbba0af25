# SPDX-License-Identifier: MIT
"""Devices made of a few Python functions on real numbers, as users of xbarax have them (docs/from-xbarax.md)."""
from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import calls, view
from ._device import Context, Device
from ._errors import check
from ._nmhal import ffi, lib
from ._types import Float32

# The core may close a device after everything of Python is gone: what it calls lives as long as the process.
_kept: list[Any] = []


class Functions:
    """The functions of a device, called one at a time for each open device, from any thread.

    multiply(w [out, in], x [in]) returns y [out]. write(w [out, in]) takes over a matrix, and returns what the device
    achieved, or None: exactly w. add(w [out, in], dw [out, in]) returns what the device holds afterwards; None: the
    library adds and writes. Arrays are float32. The w of multiply is the library's own: read-only, and only valid
    during the call; the others are the function's. What a function raises becomes an InternalError with its traceback;
    an nmhal.Error keeps its class; KeyboardInterrupt and the like end the call and go on. A function must not use its
    own device, nor arrays on it: StateError, from compiled programs it waits for ever.
    """

    def __init__(self, multiply: Callable[[Float32, Float32], npt.ArrayLike],
                 write: Callable[[Float32], npt.ArrayLike | None],
                 add: Callable[[Float32, Float32], npt.ArrayLike] | None = None, *, board: str = "functions",
                 max_out: int = 1024, max_in: int = 1024) -> None:
        self.multiply, self.write, self.add, self.board = multiply, write, add, board
        self.shape = (0, 0)  # of the matrix that was written last
        self.reason = ffi.new("char[]", b"")
        self._handle = ffi.new_handle(self)
        self._name = ffi.new("char[]", board.encode())
        given = ffi.new("struct nmhal_functions *", {
            "struct_size": ffi.sizeof("struct nmhal_functions"), "board": self._name, "max_out": max_out,
            "max_in": max_in, "try_multiply": lib.nmhal_py_multiply, "try_write": lib.nmhal_py_write,
            "try_add": lib.nmhal_py_add if add else ffi.NULL, "explain": lib.nmhal_py_explain, "user": self._handle})
        out = ffi.new("struct nmhal_driver **")
        check(lib.nmhal_driver_from_functions(given, out))
        self._driver = out[0]
        _kept.append(self)

    def open(self) -> Device:
        """A new device of these functions, in a context of its own."""
        context = Context()
        check(lib.nmhal_context_add_driver(context._pointer, self._driver))
        return context.open(self.board + ":")

    def guarded(self, body: Callable[[], None]) -> int:
        """Calls body; the status that stands for what it raised."""
        try:
            body()
        except Exception as error:
            lines = " | ".join(line.strip() for line in "".join(traceback.format_exception(error)).splitlines())
            self.reason = ffi.new("char[]", lines[-800:].encode("utf-8", "replace"))
            return int(getattr(error, "status", 0) or lib.NMHAL_E_INTERNAL)
        except BaseException as error:
            self.reason = ffi.new("char[]", repr(error).encode("utf-8", "replace"))
            if calls.devices:
                calls.raised = error
            elif isinstance(error, KeyboardInterrupt):
                lib.nmhal_py_interrupt_at_end()  # a compiled program has no way to raise it
            return int(lib.NMHAL_E_CANCELED)
        return int(lib.NMHAL_OK)


def _view(pointer: Any, shape: tuple[int, ...]) -> Float32:
    return view(pointer, np.float32, shape)


def _copy(pointer: Any, shape: tuple[int, ...]) -> Float32:
    return _view(pointer, shape).copy()


def _put(pointer: Any, values: npt.ArrayLike, shape: tuple[int, ...], what: str) -> None:
    array = np.asarray(values, np.float32)
    if array.shape != shape:
        raise ValueError(f"{what} returned shape {array.shape}: must be {shape}")
    ffi.memmove(pointer, np.ascontiguousarray(array), array.nbytes)


def _multiply(user: Any, w: Any, x: Any, y: Any, n_out: int, n_in: int) -> int:
    functions: Functions = ffi.from_handle(user)
    return functions.guarded(
        lambda: _put(y, functions.multiply(_view(w, (n_out, n_in)), _copy(x, (n_in,))), (n_out,), "multiply"))


def _write(user: Any, w: Any, n_out: int, n_in: int) -> int:
    functions: Functions = ffi.from_handle(user)

    def body() -> None:
        achieved = functions.write(_copy(w, (n_out, n_in)))
        if achieved is not None:
            _put(w, achieved, (n_out, n_in), "write")
        functions.shape = (n_out, n_in)

    return functions.guarded(body)


def _add(user: Any, w: Any, dw: Any, w_new: Any, count: int) -> int:
    functions: Functions = ffi.from_handle(user)

    def body() -> None:
        assert functions.add is not None and count == functions.shape[0] * functions.shape[1]
        _put(w_new, functions.add(_copy(w, functions.shape), _copy(dw, functions.shape)), functions.shape, "add")

    return functions.guarded(body)


def _explain(user: Any) -> Any:
    functions: Functions = ffi.from_handle(user)
    return functions.reason


for _name, _function in (("multiply", _multiply), ("write", _write), ("add", _add), ("explain", _explain)):
    ffi.def_extern(name=f"nmhal_py_{_name}")(_function)


def device_from_functions(multiply: Callable[[Float32, Float32], npt.ArrayLike],
                          write: Callable[[Float32], npt.ArrayLike | None],
                          add: Callable[[Float32, Float32], npt.ArrayLike] | None = None, *, board: str = "functions",
                          max_out: int = 1024, max_in: int = 1024) -> Device:
    """Opens a device of real numbers that is made of functions; see Functions."""
    return Functions(multiply, write, add, board=board, max_out=max_out, max_in=max_in).open()
