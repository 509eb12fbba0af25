# SPDX-License-Identifier: MIT
"""Weight codes: matrices, cells, deltas, verification, products."""
import unittest

import numpy as np

import nmhal
from common import GOLDEN, Case, events, neurons


def cells(*rows):
    return np.array(list(rows), nmhal.CELL)


class Weights(Case):
    def test_rows_are_inputs(self):
        self.dev.program(GOLDEN)
        self.assertTrue((self.dev.weights(rows=3, cols=5) == GOLDEN).all())
        for row, codes in enumerate(GOLDEN):
            self.dev.set_neurons(neurons(5, threshold=100))
            self.dev.reset_state()
            self.dev.run(events((0, row)))
            self.assertEqual(self.dev.neurons(count=5)["potential"].tolist(), codes.tolist())

    def test_place(self):
        self.dev.program(GOLDEN, row=250, col=251)
        self.assertTrue((self.dev.weights(row=250, col=251, rows=3) == GOLDEN).all())
        self.assertEqual(self.dev.weights(row=250).shape, (6, 256))
        self.assertEqual(np.count_nonzero(self.dev.weights()), np.count_nonzero(GOLDEN))
        for place in ({"row": 254}, {"col": 252}, {"core": 1}):
            with self.refused(nmhal.InvalidError, "sim:tinyodin"):
                self.dev.program(GOLDEN, **place)
        with self.refused(nmhal.InvalidError, "row"):
            self.dev.weights(row=256)

    def test_reports(self):
        report = self.dev.program(GOLDEN, verify=True)
        self.assertEqual((report.written, report.failed, report.first_failed), (15, 0, None))
        changed = GOLDEN.copy()
        changed[1, 2] = 0
        report = self.dev.program(changed, only_changed=True)
        self.assertEqual((report.written, report.skipped), (1, 14))

    def test_any_integers(self):
        for kind in (np.int8, np.int16, np.int32, np.int64, np.uint8):
            self.dev.program(np.full((2, 2), 3, kind))
            self.assertTrue((self.dev.weights(rows=2, cols=2) == 3).all(), kind)
        self.dev.program(GOLDEN.T[::2])
        self.assertTrue((self.dev.weights(rows=3, cols=3) == GOLDEN.T[::2]).all())
        for wrong, kind in ((np.ones((2, 2)), TypeError), ([["a"]], TypeError), ([1, 2], ValueError),
                            (np.zeros((0, 2), int), ValueError), ([[2**40]], ValueError)):
            with self.assertRaisesRegex(kind, "program: codes"):
                self.dev.program(wrong)

    def test_cells(self):
        report = self.dev.program_cells(cells((0, 2, 4, 3), (0, 0, 1, -2), (0, 2, 4, 5)), verify=True)
        self.assertEqual(report.written, 2)
        wanted = np.zeros((3, 5))
        wanted[2, 4], wanted[0, 1] = 5, -2
        self.assertTrue((self.dev.weights(rows=3, cols=5) == wanted).all())
        report = self.dev.update_cells(cells((0, 2, 4, 1), (0, 2, 4, 1), (0, 0, 1, -7)))
        self.assertEqual((report.saturated, *self.dev.weights(rows=3, cols=5)[(0, 2), (1, 4)]), (1, -8, 7))
        with self.assertRaisesRegex(TypeError, "nmhal.CELL"):
            self.dev.program_cells(np.zeros((3, 4), int))
        with self.refused(nmhal.InvalidError, "row 256"):
            self.dev.program_cells(cells((0, 256, 0, 0)))

    def test_update(self):
        self.dev.program(GOLDEN)
        report = self.dev.update(np.full((3, 5), 2), verify=True)
        self.assertEqual(report.saturated, 2)
        self.assertTrue((self.dev.weights(rows=3, cols=5) == np.clip(GOLDEN + 2, -8, 7)).all())

    def test_arrays_that_fit_are_read_in_place(self):
        """A code that changes during the call would be seen: nothing in between holds a copy."""
        from nmhal import _core
        for kind in (np.int8, np.int16, np.int32):
            codes = np.zeros((3, 5), kind)
            self.assertTrue(np.shares_memory(_core.codes_of(codes, "")[0], codes))
            codes.flags.writeable = False
            self.dev.program(codes)


class Products(Case):
    uri = "sim:xbar8"

    def test_forward_and_transposed(self):
        codes = GOLDEN.astype(int) * 18
        self.dev.program(codes)
        lsb = self.dev.attrs["adc_lsb"]
        inputs = np.array([[63, 0, 0], [0, 63, 0], [0, 0, 63], [63, -63, 40]], np.int8)
        out, clipped = self.dev.infer(inputs, rows=3, cols=5)
        self.assertEqual((out.dtype, out.shape, clipped.any()), (np.int32, (4, 5), False))
        self.assertLessEqual(np.abs(out - inputs.astype(int) @ codes / lsb).max(), 1)
        self.assertGreater(np.abs(out).max(), 30)
        inputs = np.array([[63, 0, 0, 0, 0], [0, 0, 0, 63, -63]])
        out, _ = self.dev.infer(inputs, rows=3, cols=5, transposed=True)
        self.assertEqual(out.shape, (2, 3))
        self.assertLessEqual(np.abs(out - inputs @ codes.T / lsb).max(), 1)
        self.assertGreater(np.abs(out).max(), 30)

    def test_clipped(self):
        self.dev.program(np.full((8, 8), 127))
        out, clipped = self.dev.infer(np.full((1, 8), 63))
        self.assertEqual((out.tolist(), clipped.tolist()), ([[127] * 8], [[True] * 8]))

    def test_bit_serial(self):
        random = np.random.default_rng(1)
        codes, inputs = random.integers(-127, 128, (8, 8)), random.integers(-63, 64, (50, 8))
        self.dev.program(codes)
        found, _ = self.dev.infer(inputs, bit_serial=True)
        self.assertLessEqual(np.abs(found - inputs @ codes / self.dev.attrs["adc_lsb"]).max(), 1)
        with nmhal.open("sim:tinyodin") as dev, self.refused(nmhal.UnsupportedError, "bit-serial"):
            dev.infer(np.ones((1, 256), int), bit_serial=True)

    def test_wrong_inputs(self):
        for wrong in (np.zeros((1, 7), int), np.zeros(8, int)):
            with self.assertRaisesRegex(ValueError, r"infer: inputs have shape .*\[batch, 8\]"):
                self.dev.infer(wrong)
        with self.refused(nmhal.InvalidError, "batch"):
            self.dev.infer(np.zeros((0, 8), int))
        with self.refused(nmhal.InvalidError, "64"):
            self.dev.infer(np.full((1, 8), 64))

    def test_noise_has_a_key(self):
        with nmhal.open("sim:xbar64,noise=pcm,seed=3") as dev:
            dev.program(np.full((64, 64), 3))
            inputs = np.full((4, 64), 9)
            first, _ = dev.infer(inputs, first_vector=10)
            again, _ = dev.infer(inputs[2:], first_vector=12)
            other, _ = dev.infer(inputs, first_vector=50)
        self.assertTrue((first[2:] == again).all())
        self.assertTrue((first != other).any())


if __name__ == "__main__":
    unittest.main()
