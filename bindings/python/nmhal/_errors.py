# SPDX-License-Identifier: MIT
"""Failures of the library as exceptions; one class for each status of docs/errors.md."""
from __future__ import annotations

from ._nmhal import ffi, lib


class Error(Exception):
    """A call failed.

    status: number of the status, as in C; sentence: what was tried, what happened, what to do; device: URI, or "";
    report: what was done until then, of calls that have such a report.
    """

    status = 0

    def __init__(self, sentence: str, device: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.device = device
        self.report: object = None

    def __reduce__(self) -> tuple[type, tuple[str, str], dict[str, object]]:
        return type(self), (self.sentence, self.device), {"report": self.report}


class InvalidError(Error, ValueError):
    """An argument is wrong; nothing was sent to the device."""


class NoDeviceError(Error):
    """No such device, or more than one matches."""


class AccessError(Error, PermissionError):
    """The operating system refused access."""


class BusyError(Error):
    """Held by another process or call."""


class DeadlineError(Error, TimeoutError):
    """The deadline passed; the device is usable."""


class CanceledError(Error):
    """Ended by interrupt() or close(); the device is usable."""


class UnsupportedError(Error, NotImplementedError):
    """The device or this build lacks the feature; nothing was sent."""


class NoMemoryError(Error, MemoryError):
    """Out of memory."""


class TransferError(Error, OSError):
    """A transfer or file operation failed."""


class ProtocolError(Error):
    """The far end answered nonsense, or a file is not what it should be."""


class VerifyError(Error):
    """Read-back differs from what was written."""


class OverrunError(Error):
    """Output events did not fit the buffer."""


class GoneError(Error, ConnectionError):
    """The device was unplugged or died; close it."""


class StateError(Error):
    """Not possible now: closed, not armed, no longer resident."""


class AgainError(Error):
    """Nothing there yet; ask again."""


class VersionError(Error):
    """Caller, library, firmware or file are of incompatible versions."""


class LimitError(Error):
    """A stated limit was reached."""


class InterlockError(Error):
    """A safety interlock or watchdog tripped."""


class InternalError(Error):
    """A bug in the library or a driver; please report the sentence."""


_BY_STATUS: dict[int, type[Error]] = {
    lib.NMHAL_E_INVALID: InvalidError, lib.NMHAL_E_NO_DEVICE: NoDeviceError, lib.NMHAL_E_ACCESS: AccessError,
    lib.NMHAL_E_BUSY: BusyError, lib.NMHAL_E_TIMEOUT: DeadlineError, lib.NMHAL_E_CANCELED: CanceledError,
    lib.NMHAL_E_UNSUPPORTED: UnsupportedError, lib.NMHAL_E_NO_MEMORY: NoMemoryError, lib.NMHAL_E_IO: TransferError,
    lib.NMHAL_E_PROTOCOL: ProtocolError, lib.NMHAL_E_VERIFY: VerifyError, lib.NMHAL_E_OVERRUN: OverrunError,
    lib.NMHAL_E_GONE: GoneError, lib.NMHAL_E_STATE: StateError, lib.NMHAL_E_AGAIN: AgainError,
    lib.NMHAL_E_VERSION: VersionError, lib.NMHAL_E_LIMIT: LimitError, lib.NMHAL_E_INTERLOCK: InterlockError,
    lib.NMHAL_E_INTERNAL: InternalError,
}
for _status, _kind in _BY_STATUS.items():
    _kind.status = _status


def check(status: int, device: str = "") -> None:
    """Raises what the status of a call of this thread stands for."""
    if status < 0:
        sentence = ffi.string(lib.nmhal_last_error()).decode("utf-8", "replace")
        raise _BY_STATUS.get(status, InternalError)(sentence, device)
