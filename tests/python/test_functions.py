#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Devices made of three Python functions."""
import time
import unittest

import numpy as np

import nmhal
from common import press_ctrl_c

W = np.array([[1, 2.5, -0.75], [0, 0.25, 4]], np.float32)
X = np.array([1, 2, 3], np.float32)


class Crossbar:
    """A device that rounds to quarters, and can fail."""

    def __init__(self):
        self.calls, self.failure = [], None

    def note(self, name):
        self.calls.append(name)
        if self.failure:
            raise self.failure

    def multiply(self, w, x):
        self.note("multiply")
        return w @ x

    def write(self, w):
        self.note("write")
        return np.round(w * 4) / 4

    def add(self, w, dw):
        self.note("add")
        return np.round((w + dw) * 4) / 4


class FromFunctions(unittest.TestCase):
    def setUp(self):
        self.own = Crossbar()
        self.dev = nmhal.device_from_functions(self.own.multiply, self.own.write, self.own.add, board="mine",
                                               max_out=4, max_in=5)
        self.array = nmhal.Array(self.dev, 2, 3)

    def tearDown(self):
        self.array.free()
        self.dev.close()

    def test_numbers_pass_as_they_are(self):
        np.testing.assert_array_equal(self.array.matmul(W, X), W @ X)
        np.testing.assert_array_equal(self.array.matmul(W, np.stack([X, 2 * X])), np.stack([X, 2 * X]) @ W.T)
        self.assertEqual(self.own.calls, ["write"] + 3 * ["multiply"])
        self.assertEqual(self.dev.uri, "mine:")
        self.assertIn("float", self.dev.caps.features)

    def test_what_the_device_achieved_counts(self):
        self.array.program(W + 0.1)
        np.testing.assert_array_equal(self.array.read(), W)
        np.testing.assert_array_equal(self.array.matmul(None, X), W @ X)

    def test_the_device_adds(self):
        self.array.program(W)
        self.array.update(np.full_like(W, 0.3))
        np.testing.assert_array_equal(self.array.read(), W + 0.25)
        self.assertEqual(self.own.calls, ["write", "add"])

    def test_without_add_the_library_adds_and_writes(self):
        for write in (self.own.write, lambda w: None):
            with nmhal.device_from_functions(self.own.multiply, write) as dev, nmhal.Array(dev, 2, 3) as array:
                array.program(W)
                array.update(np.full_like(W, 0.25))
                np.testing.assert_array_equal(array.read(), W + 0.25)
        self.assertEqual(self.own.calls, 2 * ["write"])

    def test_exceptions_come_with_their_traceback(self):
        self.own.failure = ZeroDivisionError("the lamp is off")
        with self.assertRaises(nmhal.InternalError) as caught:
            self.array.matmul(W, X)
        text = caught.exception.sentence
        self.assertTrue(text.startswith("mine:: write 2 x 3: the function returned NMHAL_E_INTERNAL: "), text)
        for part in ("in write", "test_functions.py", "ZeroDivisionError: the lamp is off"):
            self.assertIn(part, text)
        self.own.failure = None
        np.testing.assert_array_equal(self.array.matmul(W, X), W @ X)
        for name in ("multiply", "add"):
            self.own.failure = ValueError("x" * 3000)
            with self.assertRaisesRegex(nmhal.InternalError, f"{name} 2 x 3: .*xxx"):
                self.array.matmul(None, X) if name == "multiply" else self.array.update(W)
            self.own.failure = None
            self.array.program(W)

    def test_own_errors_keep_their_class(self):
        self.own.failure = nmhal.InterlockError("the lid is open")
        with self.assertRaisesRegex(nmhal.InterlockError, "NMHAL_E_INTERLOCK: .*the lid is open"):
            self.array.program(W)

    def test_functions_cannot_change_what_is_not_theirs(self):
        def multiply(w, x):
            y = w @ x
            x *= 2
            with self.assertRaisesRegex(ValueError, "read-only"):
                w *= 0
            with self.assertRaises(ValueError):
                w.flags.writeable = True
            return y

        def write(w):
            w *= 2  # its own: without an answer the device has what it was given

        vectors, weights = X.copy(), W.copy()
        with nmhal.device_from_functions(multiply, write) as dev, nmhal.Array(dev, 2, 3) as array:
            for _ in range(2):
                np.testing.assert_array_equal(array.matmul(weights, vectors), W @ X)
            np.testing.assert_array_equal(array.read(), W)
        np.testing.assert_array_equal(vectors, X)
        np.testing.assert_array_equal(weights, W)

    def test_what_a_function_keeps_stays(self):
        kept = []
        with nmhal.device_from_functions(lambda w, x: (kept.append(x), w @ x)[1], kept.append,
                                         lambda w, dw: (kept.extend((w, dw)), w + dw)[1]) as dev:
            array = nmhal.Array(dev, 2, 3)
            array.matmul(W, X)
            array.update(W)
            array.program(5 * W)
            array.matmul(None, 5 * X)
            array.free()
        for found, expected in zip(kept, (W, X, W, W, 5 * W, 5 * X)):
            np.testing.assert_array_equal(found, expected)
        self.assertEqual(len(kept), 6)

    def test_what_is_no_failure_goes_on(self):
        for raised in (KeyboardInterrupt(), SystemExit(3)):
            self.own.failure = raised
            with self.assertRaises(type(raised)) as caught:
                self.array.program(-W)
            self.assertIs(caught.exception, raised)
            self.own.failure = None
            np.testing.assert_array_equal(self.array.matmul(W, X), W @ X)

    def test_ctrl_c_inside_of_a_function(self):
        def slow(w, x):
            time.sleep(20)

        with nmhal.device_from_functions(slow, self.own.write) as dev, nmhal.Array(dev, 2, 3) as array:
            press_ctrl_c()
            self.assertRaises(KeyboardInterrupt, array.matmul, W, X)

    def test_a_function_that_uses_its_own_device(self):
        own = Crossbar()
        with nmhal.device_from_functions(lambda w, x: array.stats(), own.write) as dev, \
                nmhal.Array(dev, 2, 3) as array:
            with self.assertRaisesRegex(nmhal.StateError, "called from a function"):
                array.matmul(W, X)
        with nmhal.device_from_functions(lambda w, x: self.array.matmul(w, x), own.write) as dev, \
                nmhal.Array(dev, 2, 3) as array:
            np.testing.assert_array_equal(array.matmul(W, X), W @ X)

    def test_wrong_shapes(self):
        for function in ("multiply", "write", "add"):
            own = Crossbar()
            setattr(own, function, lambda *_: np.zeros(7))
            with nmhal.device_from_functions(own.multiply, own.write, own.add) as dev, nmhal.Array(dev, 2, 3) as array:
                with self.assertRaisesRegex(nmhal.InternalError, rf"{function} returned shape \(7,\): must be \(2,"):
                    array.matmul(W, X)
                    array.update(W)

    def test_several_devices(self):
        others = [nmhal.Functions(Crossbar().multiply, Crossbar().write, board="other").open() for _ in range(2)]
        arrays = [nmhal.Array(dev, 2, 3) for dev in others]
        for scale, array in enumerate(arrays, 1):
            array.program(scale * W)
        for scale, array in enumerate(arrays, 1):
            np.testing.assert_array_equal(array.matmul(None, X), scale * W @ X)

    def test_bad_arguments(self):
        with self.assertRaisesRegex(nmhal.InvalidError, "without ':'"):
            nmhal.Functions(self.own.multiply, self.own.write, board="a:b")
        with self.assertRaisesRegex(nmhal.InvalidError, "at least 1"):
            nmhal.Functions(self.own.multiply, self.own.write, max_in=0)
        with self.assertRaisesRegex(nmhal.UnsupportedError, "one matrix of at most 4 x 5"):
            nmhal.Array(self.dev, 5, 5)


if __name__ == "__main__":
    unittest.main()
