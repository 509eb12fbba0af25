#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recount.py on spike files made by hand."""
import os
import subprocess
import sys
import tempfile
import unittest

RECOUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recount.py")
HEADER = "image,label,step,neuron\n"


def data(labels):
    return "".join(",".join(["0"] * 64 + [str(label)]) + "\n" for label in labels)


class Recount(unittest.TestCase):
    def recount(self, spikes, labels):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("spikes.csv", "digits.csv")]
            for path, text in zip(paths, (spikes, data(labels))):
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
            return subprocess.run([sys.executable, RECOUNT, *paths], capture_output=True, text=True, timeout=60)

    def test_first_output_spike_decides(self):
        # image 2: a hidden spike first; image 5: lowest step wins over file order; image 8: file order within a step
        spikes = HEADER + "2,7,0,100\n2,7,4,253\n2,7,5,246\n5,1,9,250\n5,1,8,247\n8,0,4,246\n8,0,4,247\n"
        result = self.recount(spikes, [9, 9, 7, 9, 9, 1, 9, 9, 0, 9])
        self.assertEqual((result.returncode, result.stdout), (0, "accuracy    3/3 = 100.00 %\n"))

    def test_wrong_and_silent_images_count(self):
        result = self.recount(HEADER + "2,7,4,253\n5,1,8,248\n", [9, 9, 7, 9, 9, 1, 9, 9, 0, 9])
        self.assertEqual((result.returncode, result.stdout), (1, "accuracy    1/3 = 33.33 %\n"))
        self.assertIn("below 95 %", result.stderr)

    def test_foreign_image_or_label_is_refused(self):
        for row, reason in (("3,9,4,255\n", "image 3 is not held out"), ("2,6,4,253\n", "the data file says 7"),
                            ("2,7,x,253\n", "ValueError")):
            result = self.recount(HEADER + row, [9, 9, 7, 9])
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn(reason, result.stderr)

    def test_empty_data_is_refused(self):
        self.assertIn("holds no held-out image", self.recount(HEADER, []).stderr)


if __name__ == "__main__":
    unittest.main()
