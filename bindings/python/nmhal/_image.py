# SPDX-License-Identifier: MIT
"""Chip images: weights, neurons and attributes in one HDF5 file (docs/image.md)."""
from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import Handle, bits, call, milliseconds, string, struct, view
from ._errors import Error, check
from ._nmhal import ffi, lib
from ._types import NEURON, Int16, ProgramReport, Records
from ._weights import program_report


class Image:
    """All of a device at one time; made by load() or capture(). One thread at a time."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = ffi.gc(pointer, lib.nmhal_image_free)
        info = struct("nmhal_image_info")
        check(lib.nmhal_image_get_info(self._pointer, info))
        #: Board it was made for.
        self.board = string(info.board)
        #: Cores, rows, columns.
        self.shape: tuple[int, int, int] = (info.cores, info.rows, info.cols)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Image:
        """Reads a file. ProtocolError: not a chip image or damaged; VersionError: a newer schema."""
        out = ffi.new("nmhal_image **")
        check(lib.nmhal_image_load(os.fsencode(path), out))
        return cls(out[0])

    @classmethod
    def capture(cls, device: Handle, *, timeout: float | None = None) -> Image:
        """Reads all of a device: weights, neurons (if it has them), saved attributes."""
        out = ffi.new("nmhal_image **")
        call([device._pointer], device.uri, lib.nmhal_image_capture, device._pointer, milliseconds(timeout), out)
        return cls(out[0])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a file, atomically: an older one stays whole until the new one is complete."""
        check(lib.nmhal_image_save(self._pointer, os.fsencode(path)))

    def program(self, device: Handle, *, verify: bool = False, only_changed: bool = False,
                timeout: float | None = None) -> ProgramReport:
        """Writes the image to a device. InvalidError when board or shape do not fit."""
        flags = bits((verify, lib.NMHAL_PROGRAM_VERIFY), (only_changed, lib.NMHAL_PROGRAM_ONLY_CHANGED))
        report = struct("nmhal_program_report")
        try:
            call([device._pointer], device.uri, lib.nmhal_image_program, device._pointer, self._pointer, flags,
                 milliseconds(timeout), report)
        except Error as error:
            error.report = program_report(report)
            raise
        return program_report(report)

    def _view(self, pointer: Any, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any] | None:
        """A read-only array on memory of the image, which lives as long as the array does."""
        if pointer == ffi.NULL:
            return None
        kept = self._pointer

        def release(_: Any) -> None:
            nonlocal kept
            kept = None

        return view(ffi.gc(pointer, release), dtype, shape)

    def _core(self, core: int) -> int:
        if not 0 <= core < self.shape[0]:
            raise IndexError(f"image: core is {core}: there are {self.shape[0]}")
        return core

    def weights(self, core: int = 0) -> Int16 | None:
        """Weight codes [rows, columns] of a core, without a copy, read-only; None if the image has none."""
        return self._view(lib.nmhal_image_weights(self._pointer, self._core(core)), np.int16, self.shape[1:])

    def neurons(self, core: int = 0) -> Records | None:
        """Neurons (dtype NEURON) of a core, likewise."""
        return self._view(lib.nmhal_image_neurons(self._pointer, self._core(core)), NEURON, self.shape[2:])

    def attrs(self) -> dict[str, int]:
        """Saved attributes."""
        found: dict[str, int] = {}
        value = ffi.new("int64_t *")
        while (key := lib.nmhal_image_attr(self._pointer, len(found), value)) != ffi.NULL:
            found[string(key)] = int(value[0])
        return found

    def __repr__(self) -> str:
        return f"<nmhal.Image of {self.board}, {self.shape[0]} cores of {self.shape[1]} x {self.shape[2]}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} cannot be pickled: save() it and load() the file where it is needed")
