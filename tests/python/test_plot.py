# SPDX-License-Identifier: MIT
"""Pictures, and what happens without matplotlib."""
import unittest

import numpy as np

import nmhal
from common import GOLDEN, events, python

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib.figure import Figure
    import nmhal.plot
except ImportError:
    matplotlib = None


@unittest.skipUnless(matplotlib, "matplotlib is not installed")
class Plots(unittest.TestCase):
    def test_raster(self):
        spikes = events((1, 7), (2, 9), (5, 7))
        spikes[1]["kind"] = nmhal.PROCESSED
        axes = Figure().subplots()
        self.assertIs(nmhal.plot.raster(spikes, axes=axes, c="red"), axes)
        self.assertEqual(axes.collections[0].get_offsets().tolist(), [[1, 7], [5, 7]])
        self.assertEqual((axes.get_xlabel(), axes.get_ylabel()), ("step", "neuron"))
        axes.figure.canvas.draw()
        with self.assertRaisesRegex(TypeError, "nmhal.EVENT"):
            nmhal.plot.raster(np.zeros(3))

    def test_heatmap_of_codes(self):
        axes = nmhal.plot.heatmap(GOLDEN, axes=Figure().subplots())
        image = axes.images[0]
        self.assertEqual(image.get_array().tolist(), GOLDEN.tolist())
        self.assertEqual(image.get_clim(), (-7, 7))
        self.assertEqual((axes.get_xlabel(), axes.get_ylabel()), ("column (output)", "row (input)"))
        self.assertEqual(image.colorbar.ax.get_ylabel(), "code")

    def test_heatmap_of_conductances(self):
        with nmhal.open("sim:xbar8") as dev:
            dev.program(GOLDEN)
            axes = nmhal.plot.heatmap(dev.conductance(), unit="pS", axes=Figure().subplots(), cmap="gray")
        self.assertEqual(axes.images[0].get_cmap().name, "gray")
        self.assertEqual(axes.images[0].get_clim()[0], 0)
        self.assertEqual(axes.images[0].colorbar.ax.get_ylabel(), "pS")
        for wrong in (np.zeros(3), np.zeros((0, 3))):
            with self.assertRaisesRegex(ValueError, r"\[rows, columns\]"):
                nmhal.plot.heatmap(wrong, axes=axes)


class Without(unittest.TestCase):
    def test_matplotlib(self):
        found = python("import sys\nsys.modules['matplotlib'] = None\nimport nmhal\n"
                       "try:\n    import nmhal.plot\nexcept ImportError as error:\n    print(error)")
        self.assertRegex(found.stdout, r"^nmhal.plot needs matplotlib.*pip install matplotlib\n$")
        self.assertEqual(found.stderr, "")


if __name__ == "__main__":
    unittest.main()
