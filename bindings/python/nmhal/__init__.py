# SPDX-License-Identifier: MIT
"""libnmhal in Python: neuromorphic crossbar boards and their bit-accurate emulators.

    import nmhal
    with nmhal.open("sim:tinyodin") as dev:
        array = nmhal.Array(dev, 10, 64)
        y = array.matmul(w, x)           # w [10, 64], x [batch, 64]: ordinary arrays

Nothing of a framework is imported here; nmhal.jax is imported by name. docs/python.md.
"""
from ._array import Array, ArrayStats, Place, Quality
from ._attrs import Attributes
from ._device import Context, Device, enumerate_devices, open
from ._errors import (AccessError, AgainError, BusyError, CanceledError, DeadlineError, Error, GoneError,
                      InterlockError, InternalError, InvalidError, LimitError, NoDeviceError, NoMemoryError,
                      OverrunError, ProtocolError, StateError, TransferError, UnsupportedError, VerifyError,
                      VersionError)
from ._functions import Functions, device_from_functions
from ._image import Image
from ._nmhal import lib as _lib
from ._types import (CELL, EVENT, LEAK_ALL, LEAK_ONE, NEURON, NO_LIMIT, PROCESSED, SPIKE, SWEEP_POINT, VIRTUAL,
                     AttrInfo, Caps, Cell, DeviceInfo, Limits, ProgramReport, Ramped, Run, SensorInfo, Spikes)

__version__ = ".".join(str(_lib.nmhal_version() >> shift & 255) for shift in (16, 8, 0))
__all__ = ["CELL", "EVENT", "LEAK_ALL", "LEAK_ONE", "NEURON", "NO_LIMIT", "PROCESSED", "SPIKE", "SWEEP_POINT",
           "VIRTUAL", "AccessError", "AgainError", "Array", "ArrayStats", "AttrInfo", "Attributes", "BusyError",
           "CanceledError", "Caps", "Cell", "Context", "DeadlineError", "Device", "DeviceInfo", "Error", "Functions",
           "GoneError", "Image", "InterlockError", "InternalError", "InvalidError", "LimitError", "Limits",
           "NoDeviceError", "NoMemoryError", "OverrunError", "Place", "ProgramReport", "ProtocolError", "Quality",
           "Ramped", "Run", "SensorInfo", "Spikes", "StateError", "TransferError", "UnsupportedError", "VerifyError",
           "VersionError", "device_from_functions", "enumerate_devices", "open"]
