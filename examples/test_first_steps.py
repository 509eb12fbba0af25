#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The example of the README prints what the chip must do. Argument: the program."""
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)


class FirstSteps(unittest.TestCase):
    def test_third_spike_fires(self):
        result = subprocess.run([PROGRAM], capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "step 2: neuron 7 fired\n", ""))


if __name__ == "__main__":
    unittest.main()
