# SPDX-License-Identifier: MIT
"""What goes in and comes out: array types and records."""
from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ._nmhal import lib

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
Float32 = npt.NDArray[np.float32]
Records = npt.NDArray[np.void]

#: A neuron: fields as struct nmhal_neuron, all in device codes; enabled: 0 or 1.
NEURON = np.dtype({"names": ["threshold", "leak", "potential", "enabled"], "formats": ["i4", "i4", "i4", "u4"],
                   "offsets": [0, 4, 8, 12], "itemsize": 32})
#: An input or output event: fields as struct nmhal_event.
EVENT = np.dtype([("step", "u8"), ("address", "u4"), ("core", "u2"), ("kind", "u1"), ("value", "i1")])
#: A cell of a crossbar and its code, or the delta to add to it: fields as struct nmhal_cell.
CELL = np.dtype([("core", "u4"), ("row", "u4"), ("col", "u4"), ("code", "i4")])
#: A point of a sweep: microvolts and nanoamperes.
SWEEP_POINT = np.dtype([("voltage_uv", "i4"), ("current_na", "i4")])

SPIKE: int = lib.NMHAL_EVENT_SPIKE
VIRTUAL: int = lib.NMHAL_EVENT_VIRTUAL
LEAK_ALL: int = lib.NMHAL_EVENT_LEAK_ALL
LEAK_ONE: int = lib.NMHAL_EVENT_LEAK_ONE
PROCESSED: int = lib.NMHAL_EVENT_PROCESSED
#: "No limit" for max_events_per_input.
NO_LIMIT: int = lib.NMHAL_NO_LIMIT


def known(value: int) -> int | None:
    """None for what the device cannot count."""
    return None if value == lib.NMHAL_UNKNOWN else int(value)


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
    """What a device is and can hold, as struct nmhal_device_caps; ranges are inclusive.

    features: names like "infer", "spikes"; output_lsb: input * weight codes that an output code counts, 0: not known;
    weight_tolerance: codes by which a good weight, just programmed, may read beside its target, 0: exact;
    step_ps: picoseconds of a step, 0: steps only order events; default_timeout: seconds, None: waits for ever.
    """

    features: frozenset[str]
    cores: int
    rows: int
    cols: int
    max_batch: int
    weight_range: tuple[int, int]
    input_range: tuple[int, int]
    output_range: tuple[int, int]
    threshold_range: tuple[int, int]
    leak_range: tuple[int, int]
    potential_range: tuple[int, int]
    virtual_range: tuple[int, int]
    virtual_address_max: int
    leak_one_address_max: int
    weight_bits: int
    weight_tolerance: int
    input_bits: int
    output_bits: int
    neuron_model: int
    output_lsb: float
    step_ps: int
    clock_hz: int
    default_timeout: float | None
    board: str
    driver: str
    serial: str
    firmware: str


@dataclasses.dataclass(frozen=True)
class AttrInfo:
    """An attribute; range: of its values, inclusive."""

    key: str
    unit: str
    summary: str
    kind: type[bool] | type[int] | type[float]
    writable: bool
    saved: bool
    grows: bool
    range: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class SensorInfo:
    """A sensor; Device.sensor() reads it in its unit."""

    name: str
    unit: str
    summary: str
    exponent: int


@dataclasses.dataclass(frozen=True)
class Cell:
    """Where a cell is, and its code."""

    core: int
    row: int
    col: int
    code: int


@dataclasses.dataclass(frozen=True)
class ProgramReport:
    """What programming did, in cells. first_failed: the code that was read, first_wanted: what it should have been."""

    written: int
    skipped: int
    failed: int
    saturated: int
    first_failed: Cell | None
    first_wanted: int
    worst_error: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's output events (dtype EVENT) and counts; None where the device cannot count."""

    events: Records
    number: int
    events_in: int
    events_out: int
    events_lost: int
    sops: int | None
    queue_dropped: int | None
    cycles: int | None


@dataclasses.dataclass(frozen=True)
class Spikes:
    """Events (dtype EVENT) of one run from the ring; lost: how many are missing right before them."""

    events: Records
    run: int
    lost: int


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits that a board keeps itself; 0: it has none, or, given to limit(): it stays as it is."""

    voltage_uv: int = 0
    current_na: int = 0
    width_ns: int = 0
    pulses: int = 0
    silence_ms: int = 0


@dataclasses.dataclass(frozen=True)
class Ramped:
    """What a ramp did: the conductance in pS after the last pulse, whose amplitude was last_uv."""

    conductance_ps: int
    pulses: int
    last_uv: int
    reached: bool
