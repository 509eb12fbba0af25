# SPDX-License-Identifier: MIT
"""Matrices of real numbers on crossbars (docs/arrays.md)."""
from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import Process, call, milliseconds, natural, struct
from ._device import Device
from ._errors import StateError, check
from ._nmhal import ffi, lib
from ._types import Float32


class _Slots:
    """Guards the making of slots."""

    lock = threading.Lock()

    @classmethod
    def forked(cls) -> None:
        """In each child: of which the parent's other threads may have been the holder."""
        cls.lock = threading.Lock()


os.register_at_fork(after_in_child=_Slots.forked)


@dataclasses.dataclass(frozen=True)
class ArrayStats:
    """Counters since the array was made, as struct nmhal_array_stats."""

    products: int
    vectors: int
    hits: int
    writes: int
    cells: int
    swaps: int
    rescales: int
    saturations: int
    clipped_weights: int
    inferences: int


@dataclasses.dataclass(frozen=True)
class Quality:
    """How well the codes represent a matrix."""

    snr_db: float
    range_use: float
    dead: int
    saturated: int


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a weight sits."""

    device: Device
    core: int
    row: int
    col: int


def _matrix(values: npt.ArrayLike, shape: tuple[int, ...], what: str) -> Float32:
    """float32 that C can read in place, with the shape it must have."""
    array = np.asarray(values)
    if array.dtype != np.float32:
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{what}: real numbers, not {array.dtype}")
        array = array.astype(np.float32)
    if array.shape != shape:
        raise ValueError(f"{what}: shape is {array.shape}: must be {shape}")
    return np.ascontiguousarray(array)


class Array:
    """n_out x n_in weights on the tiles of one or several devices; y = W x with a matrix W of the caller."""

    def __init__(self, devices: Device | Sequence[Device], n_out: int, n_in: int, *, two_slices: bool = False,
                 strict: bool = False, share: bool = False, passes: bool = False, bit_serial: bool = False) -> None:
        natural(n_out=n_out, n_in=n_in)
        self.shape = (n_out, n_in)
        self.strict = strict
        flags = sum(flag for on, flag in ((strict, lib.NMHAL_ARRAY_STRICT), (share, lib.NMHAL_ARRAY_SHARE),
                                          (passes, lib.NMHAL_ARRAY_PASSES), (bit_serial, lib.NMHAL_ARRAY_BIT_SERIAL))
                    if on)
        self._options = struct("nmhal_array_options", flags=flags, encoding=(
            lib.NMHAL_ARRAY_TWO_SLICES if two_slices else lib.NMHAL_ARRAY_ONE_SLICE))
        self._slot: int | None = None
        self._make(devices)

    def _make(self, devices: Device | Sequence[Device]) -> None:
        chosen = (devices,) if isinstance(devices, Device) else tuple(devices)
        pointers = [device._pointer for device in chosen]
        out = ffi.new("nmhal_array **")
        check(lib.nmhal_array_new(pointers, len(pointers), *self.shape, self._options, out),
              chosen[0].uri if chosen else "")
        self.devices, self._pointers = chosen, pointers
        self._pointer = ffi.gc(out[0], lib.nmhal_py_array_free)
        self._process = Process.number

    def rebind(self, devices: Device | Sequence[Device]) -> None:
        """Goes on with other devices, or the same ones opened anew after a replug: weights are programmed when they
        are needed next, counters start from 0. Programs that a framework compiled go on with them. When it fails, the
        array is freed, and may be rebound again."""
        self.free()
        self._make(devices)
        self._bind()

    @property
    def freed(self) -> bool:
        """Whether free() was called."""
        return self._pointer is None

    def slot(self) -> int:
        """The number that stands for the array in compiled programs: always the same, never used again."""
        self._check_process()
        with _Slots.lock:
            if self._slot is None:
                if self.freed:
                    raise ValueError("the array was freed")
                number = int(lib.nmhal_py_slot_new())
                if number < 0:
                    raise MemoryError("a slot for an array")
                self._slot = number
                lib.nmhal_py_guard_slots()
                self._bind()
        return self._slot

    def _bind(self) -> None:
        if self._slot is not None:
            lib.nmhal_py_slot_bind(self._slot, self._pointer, *self.shape, self._options, self._pointers,
                                   len(self._pointers))

    def _check_process(self) -> None:
        if self._process != Process.number:
            # Its lock may have been held by a thread that the child does not have.
            raise StateError(f"{self!r}: made before fork, a child cannot use its parent's array; make it here",
                             self.devices[0].uri)

    def _check_usable(self) -> None:
        if self._pointer is None:
            raise ValueError("the array was freed")
        self._check_process()

    def _call(self, function: Any, *args: Any) -> None:
        self._check_usable()
        call(self._pointers, self.devices[0].uri, function, self._pointer, *args)

    def free(self) -> None:
        """Gives the tiles back, when a call that runs is over; their weights stay. Later calls raise ValueError."""
        self._pointer = None  # the last reference frees: calls that run hold one

    def __enter__(self) -> Array:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.free()

    def __repr__(self) -> str:
        return f"<nmhal.Array {self.shape[0]} x {self.shape[1]} on {', '.join(dev.uri for dev in self.devices)}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot be pickled: make it anew where it is needed")

    def matmul(self, w: npt.ArrayLike | None, x: npt.ArrayLike, *, transposed: bool = False, first_vector: int = 0,
               timeout: float | None = None) -> Float32:
        """y[..., out] = sum over in of w[out, in] * x[..., in]; transposed: y[..., in] over x[..., out].

        w: None uses the weights that are resident, without comparing. first_vector keys the noise of reading. No
        vectors give no products, and touch no device.
        """
        n_out, n_in = self.shape
        width, outputs = (n_out, n_in) if transposed else (n_in, n_out)
        vectors = np.asarray(x)
        if vectors.ndim < 1 or vectors.shape[-1] != width:
            raise ValueError(f"matmul: x has shape {vectors.shape}: must be [..., {width}]")
        batch = int(np.prod(vectors.shape[:-1]))
        inputs = _matrix(vectors.reshape(batch, width), (batch, width), "matmul: x")
        weights = None if w is None else _matrix(w, self.shape, "matmul: w")
        out = np.empty((batch, outputs), np.float32)
        op = struct("nmhal_product", batch=batch, first_vector=first_vector, timeout_ms=milliseconds(timeout),
                    flags=lib.NMHAL_PRODUCT_TRANSPOSED if transposed else 0)
        op.w = ffi.NULL if weights is None else ffi.cast("float *", ffi.from_buffer(weights))
        op.x = ffi.cast("float *", ffi.from_buffer(inputs))
        op.y = ffi.cast("float *", ffi.from_buffer(out))
        self._check_usable()
        if batch:
            self._call(lib.nmhal_array_matmul, op)
        return out.reshape((*vectors.shape[:-1], outputs))

    def program(self, w: npt.ArrayLike, *, verify: bool = False, timeout: float | None = None) -> None:
        """Programs w [out, in] now: cells that differ are written."""
        matrix = _matrix(w, self.shape, "program: w")
        self._call(lib.nmhal_array_program, ffi.cast("float *", ffi.from_buffer(matrix)), 0,
                   lib.NMHAL_PROGRAM_VERIFY if verify else 0, milliseconds(timeout))

    def update(self, dw: npt.ArrayLike, *, timeout: float | None = None) -> None:
        """Adds dw [out, in] to the resident weights, in steps of their scale; the device itself adds where it can."""
        matrix = _matrix(dw, self.shape, "update: dw")
        self._call(lib.nmhal_array_update, ffi.cast("float *", ffi.from_buffer(matrix)), 0, milliseconds(timeout))

    def read(self, *, timeout: float | None = None) -> Float32:
        """The weights [out, in] that the devices hold, read back and scaled."""
        w = np.empty(self.shape, np.float32)
        self._call(lib.nmhal_array_read, ffi.cast("float *", ffi.from_buffer(w)), 0, milliseconds(timeout))
        return w

    def stats(self) -> ArrayStats:
        """Counters since the array was made."""
        stats = struct("nmhal_array_stats")
        self._call(lib.nmhal_array_get_stats, stats)
        return ArrayStats(*(int(getattr(stats, field.name)) for field in dataclasses.fields(ArrayStats)))

    def quality(self, w: npt.ArrayLike) -> Quality:
        """Quantises w as a product would, and compares; touches no device."""
        matrix = _matrix(w, self.shape, "quality: w")
        quality = struct("nmhal_array_quality")
        self._call(lib.nmhal_array_get_quality, ffi.cast("float *", ffi.from_buffer(matrix)), 0, quality)
        return Quality(quality.snr_db, quality.range_use, quality.dead, quality.saturated)

    def quantise(self, w: npt.ArrayLike | None = None) -> Float32:
        """What the codes of w [out, in] stand for; None: of the weights programmed last. Touches no device."""
        matrix = None if w is None else _matrix(w, self.shape, "quantise: w")
        quantised = np.empty(self.shape, np.float32)
        self._call(lib.nmhal_array_quantise,
                   ffi.NULL if matrix is None else ffi.cast("float *", ffi.from_buffer(matrix)), 0,
                   ffi.cast("float *", ffi.from_buffer(quantised)), ffi.NULL)
        return quantised

    def locate(self, out: int, inp: int, *, low_slice: bool = False) -> Place:
        """Where W[out, inp] sits."""
        natural(out=out, inp=inp)
        place = struct("nmhal_array_place")
        self._call(lib.nmhal_array_locate, out, inp, int(low_slice), place)
        device = next(device for device in self.devices if device._pointer == place.dev)
        return Place(device, place.core, place.row, place.col)

    def export_csv(self, path: str | os.PathLike[str], *, timeout: float | None = None) -> None:
        """Writes where each weight sits, its code, and the conductances [pS] of its cells, read now, to a CSV file
        (nmhal_array_export_csv): columns out, in, slice, device, core, row, col, code, plus_ps, minus_ps."""
        self._call(lib.nmhal_array_export_csv, os.fsencode(path), milliseconds(timeout))
