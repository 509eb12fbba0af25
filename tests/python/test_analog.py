# SPDX-License-Identifier: MIT
"""Cells, limits, arming, sensors on an emulated analog board."""
import unittest

import numpy as np

import nmhal
from common import GOLDEN, Case

MILLIVOLT, MICROSECOND = 1000, 1000  # in uV and ns
RAMP = {"start_uv": 500 * MILLIVOLT, "step_uv": 100 * MILLIVOLT, "stop_uv": 2000 * MILLIVOLT, "width_ns": MICROSECOND}


class Analog(Case):
    uri = "sim:xbar8"

    def test_a_pair_of_cells_holds_a_weight(self):
        self.dev.program(GOLDEN)
        plus = self.dev.conductance(rows=3, cols=5, averages=2)
        minus = self.dev.conductance(rows=3, cols=5, side="minus")
        self.assertEqual((plus.dtype, plus.shape), (np.uint32, (3, 5)))
        difference = plus.astype(int) - minus.astype(int)
        self.assertTrue((np.sign(difference) == np.sign(GOLDEN)).all())
        self.assertTrue((difference == difference[0, 0] * GOLDEN.astype(int)).all() or
                        np.abs(difference - GOLDEN * (difference[2, 0] / 7)).max() < 2)
        self.assertEqual(self.dev.conductance(row=7).shape, (1, 8))

    def test_pulses_need_arming(self):
        with self.refused(nmhal.StateError, "arm") as caught:
            self.dev.pulse(1, 2, 1500 * MILLIVOLT, MICROSECOND)
        self.assertEqual(caught.exception.report, 0)
        before = self.dev.conductance(row=1, col=2, rows=1, cols=1)[0, 0]
        self.dev.arm(5)
        self.assertEqual(self.dev.pulse(1, 2, 1500 * MILLIVOLT, MICROSECOND, pulses=3, gap_ns=100), 3)
        self.assertGreater(self.dev.conductance(row=1, col=2, rows=1, cols=1)[0, 0], before)
        for end in (self.dev.disarm, self.dev.safe_state):
            self.dev.arm(0.5)
            end()
            self.assertRaises(nmhal.StateError, self.dev.pulse, 1, 2, 1500 * MILLIVOLT, MICROSECOND)
        with self.assertRaisesRegex(ValueError, "silence is 0 s"):
            self.dev.arm(0)
        with self.refused(nmhal.LimitError):
            self.dev.arm(100)

    def test_ramp(self):
        self.dev.arm(5)
        up = self.dev.ramp("set", 2, 3, 5_000_000, **RAMP)
        self.assertTrue(up.reached)
        self.assertGreaterEqual(up.conductance_ps, 5_000_000)
        self.assertEqual(up.last_uv, RAMP["start_uv"] + (up.pulses - 1) * RAMP["step_uv"])
        down = self.dev.ramp("reset", 2, 3, up.conductance_ps * 9 // 10, **RAMP)
        self.assertTrue(down.reached)
        self.assertFalse(self.dev.ramp("set", 2, 3, 2**31, max_pulses=2, **RAMP).reached)
        with self.assertRaises(KeyError):
            self.dev.ramp("burn", 2, 3, 1, **RAMP)

    def test_sweep(self):
        self.dev.program([[127]])
        conductance = self.dev.conductance(rows=1, cols=1)[0, 0] * 1e-12
        points = self.dev.sweep(0, 0, start_uv=-100 * MILLIVOLT, step_uv=50 * MILLIVOLT, points=5,
                                width_ns=MICROSECOND)
        self.assertEqual(points["voltage_uv"].tolist(), [-100000, -50000, 0, 50000, 100000])
        current = points["current_na"] * 1e-9
        self.assertLess(np.abs(current - conductance * points["voltage_uv"] * 1e-6).max(), 2e-9)
        self.assertGreater(current[4], 1e-7)

    def test_a_sweep_that_meets_a_limit(self):
        self.dev.program([[127]])
        staircase = {"start_uv": 0, "step_uv": 50 * MILLIVOLT, "points": 5, "width_ns": MICROSECOND}
        whole = self.dev.sweep(0, 0, **staircase)
        self.dev.limit(nmhal.Limits(current_na=int(whole["current_na"][2:4].mean())))
        with self.assertRaises(nmhal.LimitError) as caught:
            self.dev.sweep(0, 0, **staircase)
        np.testing.assert_array_equal(caught.exception.report["voltage_uv"], whole["voltage_uv"][:4])

    def test_limits_only_tighten(self):
        limits = self.dev.limits()
        self.assertEqual((limits.voltage_uv, limits.pulses), (5_000_000, 100_000))
        self.dev.limit(nmhal.Limits(pulses=2))
        self.assertEqual(self.dev.limits(), nmhal.Limits(**{**vars(limits), "pulses": 2}))
        with self.refused(nmhal.LimitError, "pulses"):
            self.dev.limit(nmhal.Limits(pulses=3))
        self.dev.arm(5)
        with self.refused(nmhal.LimitError, "pulses"):
            self.dev.pulse(1, 2, 1500 * MILLIVOLT, MICROSECOND, pulses=3)

    def test_interlock(self):
        self.dev.attrs["interlock_open"] = True
        with self.refused(nmhal.InterlockError, "interlock"):
            self.dev.arm(5)
            self.dev.pulse(1, 2, 1500 * MILLIVOLT, MICROSECOND)

    def test_sensors(self):
        info = self.dev.sensors()["temperature"]
        self.assertEqual((info.unit, info.exponent), ("degC", -3))
        self.assertEqual((self.dev.sensor("temperature"), self.dev.sensor("pulse_supply")), (25.0, 0.0))
        self.dev.arm(5)
        self.assertEqual((self.dev.sensor("temperature"), self.dev.sensor("pulse_supply")), (29.0, 5.0))
        with self.refused(nmhal.InvalidError, "nonesuch", "temperature"):
            self.dev.sensor("nonesuch")

    def test_counters(self):
        self.assertIn("pulses", self.dev.counters())
        self.dev.program(GOLDEN)
        self.assertEqual(self.dev.counter("writes"), 15)

    def test_a_board_without(self):
        with nmhal.open("sim:tinyodin") as dev:
            self.assertEqual((dev.sensors(), dev.counters()), ({}, {}))
            for call in (dev.limits, dev.disarm, dev.conductance, lambda: dev.arm(1)):
                with self.refused(nmhal.UnsupportedError, "tinyodin"):
                    call()


if __name__ == "__main__":
    unittest.main()
