# SPDX-License-Identifier: MIT
"""Matrices of real numbers."""
import csv
import pathlib
import tempfile
import unittest

import numpy as np

import nmhal
from common import GOLDEN_W, Case, events, in_thread, start_run


class Arrays(Case):
    def setUp(self):
        super().setUp()
        self.array = nmhal.Array(self.dev, 3, 5)

    def test_golden_forward(self):
        x = np.array([[1, 1, 2, 3, 4], [0, -7, 1, 2, 3]], np.float32)
        y = self.array.matmul(GOLDEN_W, x)
        self.assertEqual((y.dtype, y.shape), (np.float32, (2, 3)))
        self.assertLess(np.abs(y - x @ GOLDEN_W.T).max(), 0.5)
        # W[o][i] sits in row i, column o.
        for out in range(3):
            for inp in range(5):
                place = self.array.locate(out, inp)
                self.assertEqual((place.device, place.core, place.row, place.col), (self.dev, 0, inp, out))
        self.assertTrue((self.dev.weights(rows=5, cols=3) == GOLDEN_W.T).all())

    def test_transposed_is_refused_where_it_cannot_be(self):
        with self.refused(nmhal.UnsupportedError, "transposed"):
            self.array.matmul(GOLDEN_W, np.ones(3), transposed=True)

    def test_golden_transposed(self):
        with nmhal.open("sim:xbar8") as dev:
            if not dev.caps.output_lsb:
                self.skipTest("the xbar8 does not say what its output codes count")
            array = nmhal.Array(dev, 3, 5)
            for x, transposed, wanted in ((np.array([1, -7, 3]), True, GOLDEN_W.T @ [1, -7, 3]),
                                          (np.array([7, 1, -2, 3, 4]), False, GOLDEN_W @ [7, 1, -2, 3, 4])):
                y = array.matmul(GOLDEN_W, x, transposed=transposed)
                # Half a step of the converter: 128 products of codes of 1/127 and 1/63 of the largest; and as much
                # again for rounding the codes.
                self.assertLess(np.abs(y - wanted).max(), 2 * 128 * (7 / 127) * (7 / 63))

    def test_shapes(self):
        one = self.array.matmul(GOLDEN_W, np.ones(5))
        self.assertEqual(one.shape, (3,))
        cube = self.array.matmul(GOLDEN_W, np.ones((2, 4, 5)))
        self.assertEqual(cube.shape, (2, 4, 3))
        self.assertTrue((cube == one).all())
        for wrong in (np.ones(4), np.ones((5, 2)), np.float32(1)):
            with self.assertRaisesRegex(ValueError, r"x has shape .*\[\.\.\., 5\]"):
                self.array.matmul(GOLDEN_W, wrong)
        with self.assertRaisesRegex(ValueError, r"w: shape is \(5, 3\): must be \(3, 5\)"):
            self.array.matmul(GOLDEN_W.T, np.ones(5))
        with self.assertRaisesRegex(TypeError, "real numbers"):
            self.array.matmul(GOLDEN_W, np.ones(5, complex))
        with self.refused(nmhal.InvalidError, "nan"):
            self.array.matmul(GOLDEN_W, [1, 2, float("nan"), 4, 5])

    def test_no_vectors_no_products(self):
        y = self.array.matmul(GOLDEN_W, np.zeros((2, 0, 5)))
        self.assertEqual((y.dtype, y.shape), (np.float32, (2, 0, 3)))
        self.assertEqual(self.array.stats().cells, 0)
        self.array.free()
        self.assertRaisesRegex(ValueError, "freed", self.array.matmul, GOLDEN_W, np.zeros((0, 5)))

    def test_booleans_are_numbers(self):
        x = np.array([True, False, True, True, False])
        np.testing.assert_array_equal(self.array.matmul(GOLDEN_W, x), self.array.matmul(GOLDEN_W, x.astype(int)))

    def test_slots(self):
        self.array.free()
        fresh = nmhal.Array(self.dev, 3, 5)
        number = fresh.slot()
        fresh.free()
        self.assertEqual(fresh.slot(), number)
        self.assertRaisesRegex(ValueError, "freed", self.array.slot)

    def test_a_rebind_that_fails(self):
        self.assertRaises(nmhal.InvalidError, self.array.rebind, [])
        self.assertEqual((self.array.freed, self.array.devices), (True, (self.dev,)))
        self.assertIn("sim:tinyodin", repr(self.array))
        self.array.rebind(self.dev)
        self.assertEqual(self.array.matmul(GOLDEN_W, np.ones(5)).shape, (3,))

    def test_negative_numbers(self):
        w = GOLDEN_W
        for call, said in ((lambda: nmhal.Array(self.dev, -1, 3), "n_out is -1"),
                           (lambda: self.array.locate(-1, 0), "out is -1"),
                           (lambda: self.array.matmul(w, np.ones(5), first_vector=-1), "first_vector is -1"),
                           (lambda: self.dev.weights(row=-1), "row is -1"),
                           (lambda: self.dev.program([[1]], col=-2), "col is -2"),
                           (lambda: self.dev.neurons(first=-1), "first is -1"),
                           (lambda: self.dev.run(events((0, 0)), steps=2**64), "steps is 18446744073709551616")):
            self.assertRaisesRegex(ValueError, said, call)

    def test_resident_weights(self):
        with self.refused(nmhal.StateError):
            self.array.matmul(None, np.ones(5))
        self.array.program(GOLDEN_W, verify=True)
        self.assertTrue((self.array.read() == GOLDEN_W).all())
        self.array.update(np.eye(3, 5))
        wanted = np.clip(GOLDEN_W + np.eye(3, 5), -7, 7)
        self.assertTrue((self.array.read() == wanted).all())
        before = self.array.stats()
        self.array.matmul(None, np.ones(5))
        after = self.array.stats()
        self.assertEqual((after.products, after.cells), (before.products + 1, before.cells))

    def test_only_what_changed_is_written(self):
        self.array.matmul(GOLDEN_W, np.ones(5))
        before = self.array.stats().cells
        changed = GOLDEN_W.copy()
        changed[2, 3] += 1
        self.array.matmul(changed, np.ones(5))
        self.array.matmul(changed + np.float32(1e-3) * np.eye(3, 5, k=4), np.ones(5))
        self.assertEqual(self.array.stats().cells, before + 1)

    def test_quality(self):
        quality = self.array.quality(GOLDEN_W)
        self.assertEqual((quality.snr_db, quality.dead, quality.range_use), (float("inf"), 0, 1))
        self.assertLess(self.array.quality(GOLDEN_W + 0.3).snr_db, 60)

    def test_the_map_as_csv(self):
        with nmhal.open("sim:xbar8") as dev, tempfile.TemporaryDirectory() as folder:
            array, path = nmhal.Array(dev, 3, 5), pathlib.Path(folder, "map.csv")
            with self.refused(nmhal.StateError, "array map: core 0 does not hold"):
                array.export_csv(path)
            array.program(GOLDEN_W)
            array.export_csv(path)
            with path.open(newline="") as file:
                lines = list(csv.DictReader(file))
            self.assertEqual(len(lines), 15)
            plus, minus = dev.conductance(rows=5, cols=3), dev.conductance(rows=5, cols=3, side="minus")
            codes = dev.weights(rows=5, cols=3)
            for line in lines:
                out, inp = int(line["out"]), int(line["in"])
                place = array.locate(out, inp)
                self.assertEqual((line["device"], int(line["core"]), int(line["row"]), int(line["col"])),
                                 (dev.uri, place.core, place.row, place.col))
                self.assertEqual((int(line["plus_ps"]), int(line["minus_ps"]), int(line["code"])),
                                 (plus[inp, out], minus[inp, out], codes[inp, out]))
        self.array.program(GOLDEN_W)
        with self.refused(nmhal.TransferError, "no such file"):
            self.array.export_csv("/nowhere/map.csv")

    def test_strict(self):
        strict = nmhal.Array(nmhal.open("sim:tinyodin"), 3, 5, strict=True)
        strict.program(GOLDEN_W)
        strict.matmul(GOLDEN_W, np.ones(5))
        with self.refused(nmhal.StateError):
            strict.matmul(-GOLDEN_W, np.ones(5))

    def test_tiles_run_out(self):
        with self.refused(nmhal.LimitError, "0 are free"):
            nmhal.Array(self.dev, 3, 5)
        self.array.free()
        self.array.free()
        with self.assertRaisesRegex(ValueError, "freed"):
            self.array.matmul(GOLDEN_W, np.ones(5))
        with nmhal.Array(self.dev, 3, 5) as again:
            again.program(GOLDEN_W)
        with nmhal.Array(self.dev, 3, 5):
            pass

    def test_the_device_was_closed(self):
        self.dev.close()
        with self.refused(nmhal.StateError, "closed"):
            self.array.matmul(GOLDEN_W, np.ones(5))

    def test_free_waits_for_a_call(self):
        """A thread that is inside a product when another one frees the array gets its result."""
        run = start_run(self.dev)
        product = in_thread(lambda: self.array.matmul(GOLDEN_W, np.ones(5)))
        self.array.free()
        self.dev.interrupt()
        self.assertIsInstance(run.result(60), nmhal.CanceledError)
        self.assertEqual(product.result(60).tolist(), [11, 6, 0])
        self.assertRaises(ValueError, self.array.stats)

    def test_float32_is_read_in_place(self):
        from nmhal import _array
        for shape in ((3, 5), (1, 5)):
            values = np.ones(shape, np.float32)
            self.assertTrue(np.shares_memory(_array._matrix(values, shape, ""), values))
            values.flags.writeable = False
            self.assertTrue(np.shares_memory(_array._matrix(values, shape, ""), values))


if __name__ == "__main__":
    unittest.main()
