#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The second example of the README: a board programmed, a batch inferred. Argument: the program."""
import re
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
WANTED = [420, 350, 280, 210]


class FirstBatch(unittest.TestCase):
    def products(self, *args):
        """What it says that the outputs count, with the size of a step."""
        result = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        found = re.findall(r"^vector \d: output \d is -?\d+, times (\S+) = (\S+)$", result.stdout, re.M)
        self.assertEqual(len(found), len(WANTED), result.stdout)
        return [(float(step), float(value)) for step, value in found]

    def test_outputs_are_products_in_steps_of_the_converter(self):
        for step, value, wanted in [(*pair, wanted) for pair, wanted in zip(self.products(), WANTED)]:
            self.assertGreater(step, 1)
            self.assertLessEqual(abs(value - wanted), step / 2)

    def test_any_board_that_is_large_enough_will_do(self):
        self.assertEqual(len(self.products("sim:xbar256")), len(WANTED))

    def test_a_small_board_is_refused(self):
        result = subprocess.run([PROGRAM, "sim:xbar8"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("sim:xbar8: ", result.stderr)


if __name__ == "__main__":
    unittest.main()
