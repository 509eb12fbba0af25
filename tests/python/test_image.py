# SPDX-License-Identifier: MIT
"""Chip images."""
import gc
import pathlib
import tempfile
import unittest

import numpy as np

import nmhal
from common import GOLDEN, Case, neurons


class Images(Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "chip.h5"
        self.dev.program(GOLDEN, row=4)
        self.dev.set_neurons(neurons(2, threshold=[11, 12]))
        self.dev.attrs["max_neuron"] = 77

    def test_there_and_back(self):
        nmhal.Image.capture(self.dev).save(self.path)
        image = nmhal.Image.load(str(self.path))
        self.assertEqual((image.board, image.shape), ("tinyodin", (1, 256, 256)))
        self.assertEqual(image.attrs()["max_neuron"], 77)
        self.assertTrue((image.weights()[4:7, :5] == GOLDEN).all())
        self.assertEqual(image.neurons()["threshold"][:2].tolist(), [11, 12])
        with nmhal.open("sim:tinyodin") as dev:
            report = image.program(dev, verify=True, only_changed=True)
            self.assertEqual(report.written, np.count_nonzero(GOLDEN))
            self.assertTrue((dev.weights() == image.weights()).all())
            self.assertEqual((dev.neurons()["threshold"][1], dev.attrs["max_neuron"]), (12, 77))

    def test_views_outlive_the_image(self):
        image = nmhal.Image.capture(self.dev)
        codes, found = image.weights(), image.neurons()
        self.assertTrue(np.shares_memory(codes, image.weights()))
        for array in (codes, found):
            with self.assertRaises(ValueError):
                array.flags.writeable = True
        del image
        gc.collect()
        others = [nmhal.Image.capture(self.dev) for _ in range(4)]  # would take the memory if it were free
        self.assertTrue((codes[4:7, :5] == GOLDEN).all())
        self.assertEqual(found["threshold"][:2].tolist(), [11, 12])
        self.assertEqual(len(others), 4)

    def test_what_is_not_there(self):
        with nmhal.open("sim:xbar8") as dev:
            image = nmhal.Image.capture(dev)
            self.assertIsNone(image.neurons())
            with self.refused(nmhal.InvalidError, "tinyodin"):
                image.program(self.dev)
        self.assertRaises(IndexError, image.weights, 1)
        with self.refused(nmhal.Error, "nonesuch.h5"):
            nmhal.Image.load(self.path.with_name("nonesuch.h5"))
        self.path.write_bytes(b"no image")
        with self.refused(nmhal.ProtocolError, "chip.h5"):
            nmhal.Image.load(self.path)


if __name__ == "__main__":
    unittest.main()
