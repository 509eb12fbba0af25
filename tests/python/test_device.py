# SPDX-License-Identifier: MIT
"""Contexts, devices, attributes, counters, errors."""
import copy
import os
import pathlib
import pickle
import re
import shutil
import tempfile
import unittest

import numpy as np

import nmhal
from common import Case


class Devices(Case):
    def test_what_it_is(self):
        caps = self.dev.caps
        self.assertEqual((caps.board, caps.cores, caps.rows, caps.cols), ("tinyodin", 1, 256, 256))
        self.assertEqual((caps.weight_range, caps.threshold_range, caps.default_timeout), ((-8, 7), (0, 4095), 60))
        self.assertLessEqual({"spikes", "infer", "neurons"}, caps.features)
        self.assertNotIn("cells", caps.features)
        self.assertEqual(repr(self.dev), "<nmhal.Device sim:tinyodin>")

    def test_enumerate(self):
        found = {info.uri: info for info in nmhal.enumerate_devices("sim")}
        self.assertLessEqual({"sim:tinyodin", "sim:xbar8", "sim:xbar64"}, set(found))
        self.assertTrue(found["sim:tinyodin"].emulated)
        self.assertEqual(found["sim:tinyodin"].board, "tinyodin")

    def test_attributes(self):
        attrs = self.dev.attrs
        self.assertIs(attrs["open_loop"], True)
        attrs["max_neuron"] = 9
        self.assertEqual({**attrs}["max_neuron"], 9)
        self.assertEqual(len(attrs), len(list(attrs)))
        info = attrs.info("max_neuron")
        self.assertEqual((info.kind, info.writable, info.range), (int, True, (0, 255)))
        with self.refused(nmhal.InvalidError, "max_neuron", "255"):
            attrs["max_neuron"] = 256
        with self.assertRaises(TypeError):
            attrs["max_neuron"] = 1.5
        for use in (lambda: attrs["nonesuch"], lambda: attrs.info("nonesuch")):
            self.assertRaises(KeyError, use)

    def test_counters(self):
        self.assertEqual(self.dev.counter("events_in"), 0)
        with self.refused(nmhal.UnsupportedError, "nonesuch"):
            self.dev.counter("nonesuch")

    def test_reset_keeps_weights(self):
        self.dev.program([[3]])
        self.dev.attrs["max_neuron"] = 9
        self.dev.reset()
        self.assertEqual((self.dev.weights(rows=1, cols=1)[0, 0], self.dev.attrs["max_neuron"]), (3, 255))

    def test_closed(self):
        self.dev.close()
        self.dev.close()
        for call in (self.dev.weights, self.dev.neurons, self.dev.reset, self.dev.reset_state, self.dev.read_spikes,
                     lambda: self.dev.program([[1]]), lambda: self.dev.attrs["open_loop"],
                     lambda: self.dev.counter("sops"), lambda: nmhal.Image.capture(self.dev)):
            with self.refused(nmhal.StateError, "sim:tinyodin", "closed"):
                call()
        self.dev.interrupt()

    def test_with(self):
        with self.dev as dev:
            self.assertIs(dev, self.dev)
        self.assertRaises(nmhal.StateError, self.dev.weights)
        with self.assertRaises(ZeroDivisionError), nmhal.open("sim:tinyodin") as dev:
            raise ZeroDivisionError
        self.assertRaises(nmhal.StateError, dev.weights)

    def test_no_copies_of_handles(self):
        for thing in (self.dev, nmhal.Context(), nmhal.Array(self.dev, 3, 5), nmhal.Image.capture(self.dev)):
            for copier in (pickle.dumps, copy.copy, copy.deepcopy):
                with self.assertRaisesRegex(TypeError, "cannot be pickled: .*where it is needed"):
                    copier(thing)

    def test_state_file(self):
        with tempfile.TemporaryDirectory() as folder:
            uri = f"sim:tinyodin,state={folder}/chip.h5"
            with nmhal.open(uri) as dev:
                dev.program([[5]])
                with self.refused(nmhal.BusyError, "chip.h5"):
                    nmhal.open(uri)
            with nmhal.open(uri) as dev:
                self.assertEqual(dev.weights(rows=1, cols=1)[0, 0], 5)
            dev = nmhal.open(uri)
            shutil.rmtree(folder)
            with self.refused(nmhal.TransferError, "chip.h5"):
                dev.close()
            dev.close()
            os.mkdir(folder)

    def test_timeouts(self):
        for wrong in (-1, -0.001, float("nan"), 1e9):
            with self.assertRaisesRegex(ValueError, "timeout is"):
                self.dev.reset(timeout=wrong)
        for right in (None, 1e-9, 2, float("inf")):
            self.dev.reset(timeout=right)


class Contexts(unittest.TestCase):
    def test_drivers(self):
        context = nmhal.Context(drivers="null", log_level="none")
        self.assertEqual([info.driver for info in context.enumerate() if info.driver != "null"], [])
        with self.assertRaisesRegex(nmhal.NoDeviceError, "sim"):
            context.open("sim:tinyodin")
        with self.assertRaisesRegex(nmhal.InvalidError, "nonesuch"):
            nmhal.Context(drivers="nonesuch")
        with nmhal.open("null:", context=context) as dev:
            self.assertEqual(dev.caps.driver, "null")

    def test_log_level(self):
        with self.assertRaisesRegex(ValueError, "log_level is 'loud': must be one of default, error"):
            nmhal.Context(log_level="loud")


class Errors(unittest.TestCase):
    def test_fields(self):
        with self.assertRaises(nmhal.InvalidError) as caught, nmhal.open("sim:tinyodin") as dev:
            dev.program([[8]])
        error = caught.exception
        self.assertIsInstance(error, ValueError)
        self.assertEqual((error.status, error.device), (-1, "sim:tinyodin"))
        self.assertEqual(error.sentence, str(error))
        self.assertRegex(error.sentence, "8 at row 0, column 0")
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), again.sentence, again.device), (type(error), error.sentence, error.device))
        error.report = nmhal.Limits(pulses=3)
        self.assertEqual(pickle.loads(pickle.dumps(error)).report, error.report)

    def test_open(self):
        with self.assertRaisesRegex(nmhal.NoDeviceError, "nonesuch"):
            nmhal.open("sim:nonesuch")
        with self.assertRaises(nmhal.InvalidError):
            nmhal.open("sim:tinyodin,nonesuch=1")

    def test_a_class_for_every_status(self):
        header = pathlib.Path(__file__).resolve().parents[2] / "include/nmhal/nmhal.h"
        statuses = {int(value) for value in re.findall(r"NMHAL_E_\w+ = (-\d+)", header.read_text(encoding="utf-8"))}
        classes = [kind for kind in vars(nmhal).values() if isinstance(kind, type) and issubclass(kind, nmhal.Error)]
        self.assertEqual({kind.status for kind in classes if kind is not nmhal.Error}, statuses)
        self.assertEqual(len(classes), len(statuses) + 1)

    def test_numpy_is_what_goes_in_and_out(self):
        with nmhal.open("sim:tinyodin") as dev:
            self.assertEqual(dev.weights().dtype, np.int16)
            self.assertEqual(dev.neurons().dtype, nmhal.NEURON)


if __name__ == "__main__":
    unittest.main()
