# SPDX-License-Identifier: MIT
"""Neurons, runs, the ring."""
import unittest

import numpy as np

import nmhal
from common import Case, events, make_loop, neurons, start_run


class Spikes(Case):
    def test_neurons(self):
        self.dev.set_neurons(neurons(3, threshold=[5, 6, 7], leak=2, potential=[-1, 0, 4]), first=9)
        found = self.dev.neurons(first=8, count=4)
        self.assertEqual(found["threshold"].tolist()[1:], [5, 6, 7])
        self.assertEqual(found["potential"].tolist()[1:], [-1, 0, 4])
        self.assertEqual(found["enabled"].tolist(), [0, 1, 1, 1])
        self.assertEqual(len(self.dev.neurons()), 256)
        with self.refused(nmhal.InvalidError, "4096"):
            self.dev.set_neurons(neurons(1, threshold=4096))
        with self.assertRaisesRegex(TypeError, "nmhal.NEURON"):
            self.dev.set_neurons(np.zeros(3, int))

    def test_neurons_from_every_other_one(self):
        """NumPy leaves what it likes between the fields of a copy."""
        given = np.zeros(512, nmhal.NEURON)
        given.view(np.uint8)[:] = 255
        for field in nmhal.NEURON.names:
            given[field] = 0
        given["threshold"] = np.arange(512) + 1
        for order in (slice(0, 512, 2), np.arange(255, -1, -1)):
            self.dev.set_neurons(given[order])
            np.testing.assert_array_equal(self.dev.neurons()["threshold"], given[order]["threshold"])

    def test_the_third_spike_fires(self):
        self.dev.program([[5]], row=3, col=7)
        self.dev.set_neurons(neurons(1, threshold=15), first=7)
        run = self.dev.run(events((0, 3), (1, 3), (4, 3)))
        self.assertEqual(run.events.tolist(), [(4, 7, 0, nmhal.SPIKE, 0)])
        self.assertEqual((run.number, run.events_in, run.events_out, run.events_lost), (1, 3, 1, 0))
        self.assertEqual(run.sops, 3 * 256)

    def test_own_buffer(self):
        self.dev.program(np.ones((1, 4), int))
        self.dev.set_neurons(neurons(4))
        out = np.zeros(4, nmhal.EVENT)
        run = self.dev.run(events((2, 0)), out=out)
        self.assertTrue(np.shares_memory(run.events, out))
        self.assertEqual(out["address"].tolist(), [0, 1, 2, 3])
        read_only = np.zeros(4, nmhal.EVENT)
        read_only.flags.writeable = False
        for wrong in (np.zeros(4, int), np.zeros(8, nmhal.EVENT)[::2], read_only):
            with self.assertRaisesRegex(TypeError, "out must be"):
                self.dev.run(events((0, 0)), out=wrong)

    def test_too_small(self):
        self.dev.program(np.ones((1, 4), int))
        self.dev.set_neurons(neurons(4))
        with self.refused(nmhal.OverrunError, "4") as caught:
            self.dev.run(events((0, 0)), capacity=3)
        report = caught.exception.report
        self.assertEqual((report.events_out, report.events_lost), (4, 1))
        self.assertEqual(report.events["address"].tolist(), [0, 1, 2])

    def test_limit(self):
        make_loop(self.dev)
        with self.refused(nmhal.LimitError, "more than 9 output events") as caught:
            self.dev.run(events((0, 0)), max_events_per_input=9)
        self.assertEqual(len(caught.exception.report.events), 9)

    def test_deadline(self):
        make_loop(self.dev)
        with self.assertRaises(TimeoutError) as caught:
            self.dev.run(events((0, 0)), to_ring=True, max_events_per_input=nmhal.NO_LIMIT, timeout=0.02)
        self.assertIsInstance(caught.exception, nmhal.DeadlineError)

    def test_wrong_events(self):
        with self.refused(nmhal.InvalidError, "sort by step"):
            self.dev.run(events((1, 0), (0, 0)))
        with self.assertRaisesRegex(TypeError, "nmhal.EVENT"):
            self.dev.run([(0, 1)])

    def test_leak(self):
        self.dev.program([[4]])
        self.dev.set_neurons(neurons(1, threshold=100, leak=1))
        self.dev.run(events((0, 0)), steps=3, leak_each_step=True)
        self.assertEqual(self.dev.neurons(count=1)["potential"][0], 1)

    def test_ring(self):
        with self.refused(nmhal.AgainError):
            self.dev.read_spikes(timeout=0)
        with self.refused(nmhal.DeadlineError):
            self.dev.read_spikes(timeout=0.01)
        self.dev.program(np.ones((1, 4), int))
        self.dev.set_neurons(neurons(4))
        run = self.dev.run(events((5, 0)), to_ring=True)
        self.assertEqual((run.events_out, len(run.events)), (4, 0))
        first, rest = self.dev.read_spikes(3), self.dev.read_spikes()
        self.assertEqual(first.events["address"].tolist() + rest.events["address"].tolist(), [0, 1, 2, 3])
        self.assertEqual((first.run, first.lost, rest.events["step"][0]), (1, 0, 5))

    def test_a_full_ring_counts(self):
        with nmhal.open("sim:tinyodin", ring_events=2) as dev:
            dev.program(np.ones((1, 4), int))
            dev.set_neurons(neurons(4))
            self.assertEqual(dev.run(events((0, 0)), to_ring=True).events_lost, 2)
            self.assertEqual(len(dev.read_spikes(timeout=0).events), 2)
            self.assertEqual(dev.read_spikes(timeout=0).lost, 2)

    def test_read_while_a_run_goes_on(self):
        run = start_run(self.dev)
        found = self.dev.read_spikes(10, timeout=30)
        self.assertFalse(run.done())
        self.assertTrue((found.events["address"] == 0).all())
        self.dev.interrupt()
        self.assertIsInstance(run.result(60), nmhal.CanceledError)
        self.dev.reset_state()
        self.assertEqual(self.dev.weights(rows=1, cols=1)[0, 0], 7)


if __name__ == "__main__":
    unittest.main()
