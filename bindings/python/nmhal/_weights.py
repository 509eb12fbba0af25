# SPDX-License-Identifier: MIT
"""Calls of a device on weight codes: programming, reading, inference."""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._core import Handle, bits, codes_of, milliseconds, natural, struct
from ._errors import Error
from ._nmhal import ffi, lib
from ._types import CELL, Cell, Int16, Int32, ProgramReport, Records


def program_report(report: Any) -> ProgramReport:
    """struct nmhal_program_report as a record."""
    first = report.first_failed
    cell = Cell(first.core, first.row, first.col, first.code) if report.cells_failed else None
    return ProgramReport(report.cells_written, report.cells_skipped, report.cells_failed, report.cells_saturated, cell,
                         report.first_wanted, report.worst_error)


def _matrix(values: npt.ArrayLike, what: str, core: int, row: int, col: int) -> dict[str, Any]:
    """Fields of struct nmhal_program for a matrix of codes."""
    natural(core=core, row=row, col=col)
    codes, kind = codes_of(values, what)
    if codes.ndim != 2:
        raise ValueError(f"{what}: codes have shape {codes.shape}: must be [rows, columns]")
    if not codes.size:
        raise ValueError(f"{what}: codes have shape {codes.shape}: nothing to write")
    return {"region": {"core": core, "row": row, "col": col, "rows": codes.shape[0], "cols": codes.shape[1]},
            "codes": ffi.from_buffer(codes), "code_type": kind}


def _cells(values: Records, what: str) -> dict[str, Any]:
    """Fields of struct nmhal_program for a list of cells."""
    cells = np.asarray(values)
    if cells.dtype != CELL or cells.ndim != 1:
        raise TypeError(f"{what}: cells are a vector of nmhal.CELL, not {cells.dtype} of shape {cells.shape}")
    # from_buffer with a type keeps the array alive, and the dictionary keeps that until the call is over.
    return {"cells": ffi.from_buffer("struct nmhal_cell[]", np.ascontiguousarray(cells)), "cell_count": len(cells)}


class WeightCalls(Handle):
    """Weights and products in codes; codes[row][col], row = input, column = output."""

    def _program(self, function: Any, fields: dict[str, Any], timeout: float | None) -> ProgramReport:
        op = struct("nmhal_program", timeout_ms=milliseconds(timeout), **fields)
        report = struct("nmhal_program_report")
        try:
            self._call(function, op, report)
        except Error as error:
            error.report = program_report(report)
            raise
        return program_report(report)

    def program(self, codes: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0, verify: bool = False,
                only_changed: bool = False, tolerance: int = 0, timeout: float | None = None) -> ProgramReport:
        """Writes weight codes [rows, columns] at (row, col) of a core (nmhal_program_weights).

        verify: read back and compare, within `tolerance` codes; VerifyError has the report. only_changed: write only
        cells that differ. int8, int16 and int32 arrays that are C-contiguous are read in place.
        """
        flags = bits((verify, lib.NMHAL_PROGRAM_VERIFY), (only_changed, lib.NMHAL_PROGRAM_ONLY_CHANGED))
        fields = _matrix(codes, "program", core, row, col)
        return self._program(lib.nmhal_program_weights, {**fields, "flags": flags, "tolerance": tolerance}, timeout)

    def program_cells(self, cells: Records, *, verify: bool = False, only_changed: bool = False, tolerance: int = 0,
                      timeout: float | None = None) -> ProgramReport:
        """Writes single cells (dtype CELL) in any order; one that is named twice takes the last code."""
        flags = bits((verify, lib.NMHAL_PROGRAM_VERIFY), (only_changed, lib.NMHAL_PROGRAM_ONLY_CHANGED))
        fields = _cells(cells, "program cells")
        return self._program(lib.nmhal_program_weights, {**fields, "flags": flags, "tolerance": tolerance}, timeout)

    def update(self, deltas: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0, verify: bool = False,
               tolerance: int = 0, timeout: float | None = None) -> ProgramReport:
        """Adds deltas [rows, columns] to weight codes; sums are clamped to the range and counted
        (nmhal_update_weights)."""
        fields = {**_matrix(deltas, "update", core, row, col), "tolerance": tolerance,
                  "flags": bits((verify, lib.NMHAL_PROGRAM_VERIFY))}
        return self._program(lib.nmhal_update_weights, fields, timeout)

    def update_cells(self, cells: Records, *, verify: bool = False, tolerance: int = 0,
                     timeout: float | None = None) -> ProgramReport:
        """Adds deltas to single cells (dtype CELL, code: the delta); one that is named twice is added twice."""
        fields = {**_cells(cells, "update cells"), "tolerance": tolerance,
                  "flags": bits((verify, lib.NMHAL_PROGRAM_VERIFY))}
        return self._program(lib.nmhal_update_weights, fields, timeout)

    def _region(self, core: int, row: int, col: int, rows: int, cols: int) -> tuple[dict[str, int], tuple[int, int]]:
        """A rectangle as C has it, and its shape; 0 rows or columns: up to the last one."""
        natural(core=core, row=row, col=col, rows=rows, cols=cols)
        shape = (rows or max(self.caps.rows - row, 0), cols or max(self.caps.cols - col, 0))
        return {"core": core, "row": row, "col": col, "rows": rows, "cols": cols}, shape

    def weights(self, *, core: int = 0, row: int = 0, col: int = 0, rows: int = 0, cols: int = 0,
                timeout: float | None = None) -> Int16:
        """Weight codes [rows, columns], read back from the device; 0 rows or columns: up to the last one."""
        region, shape = self._region(core, row, col, rows, cols)
        codes = np.empty(shape, np.int16)
        self._call(lib.nmhal_read_weights, ffi.new("struct nmhal_region *", region), ffi.from_buffer(codes), 0,
                   lib.NMHAL_CODE_I16, milliseconds(timeout))
        return codes

    def infer(self, inputs: npt.ArrayLike, *, core: int = 0, row: int = 0, col: int = 0, rows: int = 0, cols: int = 0,
              transposed: bool = False, bit_serial: bool = False, first_vector: int = 0,
              timeout: float | None = None) -> tuple[Int32, npt.NDArray[np.bool_]]:
        """Products of input codes [batch, inputs] with a rectangle of weights (nmhal_run_inference).

        out[b, col] = sum over rows of in[b, row] * code[row, col]; transposed: out[b, row] over columns. first_vector
        keys the noise of reading. Returns output codes [batch, outputs] and which of them the converter clipped.
        """
        array, kind = codes_of(inputs, "infer")
        region, shape = self._region(core, row, col, rows, cols)
        width, outputs = shape[::-1] if transposed else shape
        if array.ndim != 2 or array.shape[1] != width:
            raise ValueError(f"infer: inputs have shape {array.shape}: must be [batch, {width}]")
        out = np.empty((array.shape[0], outputs), np.int32)
        clipped = np.zeros(out.shape, np.bool_)
        op = struct("nmhal_inference", region=region, first_vector=first_vector, batch=array.shape[0], in_type=kind,
                    out_type=lib.NMHAL_CODE_I32, timeout_ms=milliseconds(timeout),
                    flags=bits((transposed, lib.NMHAL_INFER_TRANSPOSED), (bit_serial, lib.NMHAL_INFER_BIT_SERIAL)))
        setattr(op, "in", ffi.from_buffer(array))
        op.out = ffi.from_buffer(out)
        op.saturated = ffi.cast("uint8_t *", ffi.from_buffer(clipped))
        self._call(lib.nmhal_run_inference, op)
        return out, clipped
