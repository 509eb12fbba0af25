# SPDX-License-Identifier: MIT
"""What is peculiar to a chip: its attributes."""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from ._core import Handle, string, struct
from ._nmhal import lib
from ._types import AttrInfo

_KINDS: dict[int, type[bool] | type[int] | type[float]] = {
    lib.NMHAL_ATTR_BOOL: bool, lib.NMHAL_ATTR_INT: int, lib.NMHAL_ATTR_REAL: float}


class Attributes(Mapping[str, "bool | int | float"]):
    """The attributes of a device as a mapping: `dev.attrs["open_loop"] = True`; info() describes one."""

    def __init__(self, device: Handle) -> None:
        self._device = device
        self._infos: dict[str, AttrInfo] = {}
        info = struct("nmhal_attr_info")
        for index in range(lib.nmhal_attr_count(device._pointer)):
            device._check(lib.nmhal_attr_list(device._pointer, index, info))
            values = (info.real_min, info.real_max) if info.type == lib.NMHAL_ATTR_REAL else (info.min, info.max)
            key = string(info.key)
            self._infos[key] = AttrInfo(
                key, string(info.unit), string(info.summary), _KINDS[info.type],
                writable=bool(info.flags & lib.NMHAL_ATTR_WRITABLE), saved=bool(info.flags & lib.NMHAL_ATTR_SAVED),
                grows=bool(info.flags & lib.NMHAL_ATTR_GROWS), range=values)

    def info(self, key: str) -> AttrInfo:
        """Kind, unit, range and meaning of an attribute."""
        return self._infos[key]

    def __getitem__(self, key: str) -> bool | int | float:
        kind = self._infos[key].kind
        value = struct("nmhal_attr_value")
        self._device._call(lib.nmhal_attr_get, key.encode(), value)
        return kind(value.real if kind is float else value.integer)

    def __setitem__(self, key: str, value: bool | int | float) -> None:
        """Sets a writable attribute. InvalidError names the range."""
        kind = self._infos[key].kind
        if kind is not float and int(value) != value:
            raise TypeError(f"attribute {key!r} is a whole number, not {value!r}")
        number = next(number for number, known in _KINDS.items() if known is kind)
        given = struct("nmhal_attr_value", type=number)
        if kind is float:
            given.real = float(value)
        else:
            given.integer = int(value)
        self._device._call(lib.nmhal_attr_set, key.encode(), given)

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)
