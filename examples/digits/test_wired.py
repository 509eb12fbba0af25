#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The digits give the same spikes when the chip's pins hang on a virtual FT2232H. Argument: the program."""
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
HERE = os.path.dirname(os.path.abspath(__file__))
LINES = 40  # 12 images of the test set; the pins are emulated clock by clock


class Wired(unittest.TestCase):
    def test_same_spikes(self):
        told = []
        with tempfile.TemporaryDirectory() as folder, open(os.path.join(HERE, "digits.csv"), encoding="ascii") as data:
            few, spikes = os.path.join(folder, "few.csv"), os.path.join(folder, "spikes.csv")
            with open(few, "w", encoding="ascii") as file:
                file.writelines(data.readlines()[:LINES])
            for uri in ("sim:tinyodin", "sim:tinyodin,via=ftdi"):
                subprocess.run([PROGRAM, "-u", uri, "--spikes", spikes, os.path.join(HERE, "digits.h5"), few],
                               capture_output=True, timeout=240, check=False)  # so few may miss the accuracy
                with open(spikes, encoding="ascii") as file:
                    told.append(file.read())
                os.remove(spikes)
        self.assertGreater(told[0].count("\n"), 300)
        self.assertEqual(told[0], told[1])


if __name__ == "__main__":
    unittest.main()
