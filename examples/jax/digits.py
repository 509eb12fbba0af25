# SPDX-License-Identifier: MIT
"""The handwritten digits of examples/digits for the examples of this folder."""
import pathlib

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

PIXELS, CLASSES = 64, 10


def load() -> tuple[Float32, Labels, Float32, Labels]:
    """Images [n, 64] from 0 to 1 and their labels: those to train with, and three tenths that are held out."""
    table = np.loadtxt(pathlib.Path(__file__).parents[1] / "digits/digits.csv", delimiter=",", dtype=np.int64)
    held_out = np.arange(len(table)) % 10 >= 7
    x, labels = (table[:, :PIXELS] / 16).astype(np.float32), table[:, PIXELS]
    return x[~held_out], labels[~held_out], x[held_out], labels[held_out]
