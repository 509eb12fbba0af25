# SPDX-License-Identifier: MIT
"""Pictures of what devices hold and say: a raster of spikes, a heat map of a matrix. Needs matplotlib.

Each function draws on `axes` (None: the current ones of pyplot) and returns them.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._types import EVENT, SPIKE, Records

try:
    import matplotlib.pyplot as _pyplot
except ImportError as _error:
    raise ImportError(f"nmhal.plot needs matplotlib, which cannot be imported ({_error}): "
                      "pip install matplotlib") from _error


def raster(events: Records, *, axes: Any = None, **marks: Any) -> Any:
    """A mark for each spike among the events (dtype EVENT): step to the right, neuron upwards.

    marks: options of matplotlib's scatter().
    """
    if events.dtype != EVENT:
        raise TypeError(f"raster: events of nmhal.EVENT are needed, not {events.dtype}")
    axes = axes or _pyplot.gca()
    spikes = events[events["kind"] == SPIKE]
    axes.scatter(spikes["step"], spikes["address"], **{"marker": "|", "s": 16, "c": "black", **marks})
    axes.set_xlabel("step")
    axes.set_ylabel("neuron")
    return axes


def heatmap(matrix: npt.ArrayLike, *, unit: str = "code", axes: Any = None, **image: Any) -> Any:
    """A matrix [rows, columns] of weight codes or conductances as colours; row 0 on top, columns to the right.

    Codes of both signs get colours that are white at 0. unit: of the colour bar, for example "pS"; image: options of
    matplotlib's imshow().
    """
    values = np.asarray(matrix)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"heatmap: the matrix has shape {values.shape}: must be [rows, columns]")
    axes = axes or _pyplot.gca()
    if values.min() < 0:
        largest = float(np.abs(values.astype(float)).max())
        image = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, **image}
    shown = axes.imshow(values, **{"interpolation": "nearest", "aspect": "auto", **image})
    axes.figure.colorbar(shown, ax=axes, label=unit)
    axes.set_xlabel("column (output)")
    axes.set_ylabel("row (input)")
    return axes
