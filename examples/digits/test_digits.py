#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The digit classifier reaches its accuracy, recount.py agrees, bad input gives clear errors. Argument: the program."""
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
HERE = os.path.dirname(os.path.abspath(__file__))
IMAGE = os.path.join(HERE, "digits.h5")
DATA = os.path.join(HERE, "digits.csv")


def run(*args):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=240)


def accuracy(text):
    lines = [line for line in text.splitlines() if line.startswith("accuracy ")]
    assert len(lines) == 1, text
    return lines[0]


class Digits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def lines(self, count):
        with open(DATA, encoding="ascii") as file:
            return file.readlines()[:count]

    def test_accuracy_and_recount(self):
        spikes = os.path.join(self.folder, "spikes.csv")
        result = run("--spikes", spikes, "--baseline", "98.7", IMAGE, DATA)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        match = re.fullmatch(r"accuracy    (\d+)/539 = (\d+\.\d\d) %", accuracy(result.stdout))
        self.assertGreaterEqual(float(match[2]), 95.0)
        self.assertIn("baseline    98.7 %", result.stdout)
        recount = subprocess.run([sys.executable, os.path.join(HERE, "recount.py"), spikes, DATA],
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual((recount.returncode, recount.stdout), (0, accuracy(result.stdout) + "\n"))

        rows = re.findall(r"^ +(\d)((?: +\d+){11})$", result.stdout, re.M)
        confusion = [[int(count) for count in counts.split()] for _, counts in rows]
        self.assertEqual(len(confusion), 10)
        self.assertEqual(sum(map(sum, confusion)), 539)
        self.assertEqual(sum(confusion[i][i] for i in range(10)), int(match[1]))
        self.assertRegex(result.stdout, r"speed +\d+ images/s")
        self.assertRegex(result.stdout, r"per image +\d+\.\d input events, \d+\.\d spikes\n")
        self.assertRegex(result.stdout, r"chip time +\d+\.\d+ ms per image \(\d+ cycles at \d+ MHz\)\n")

    def test_low_accuracy_fails(self):
        wrong = [",".join(line.split(",")[:64]) + ",0\n" for line in self.lines(100)]
        result = run(IMAGE, self.write("wrong.csv", "".join(wrong)))
        self.assertEqual((result.returncode, result.stderr), (1, "digits: accuracy: below 95 %\n"))

    def test_usage(self):
        for args in ([], [IMAGE], [IMAGE, DATA, "more"], [IMAGE, DATA, "-u"], ["--nonsense", IMAGE, DATA],
                     ["--baseline", "x", IMAGE, DATA]):
            result = run(*args)
            self.assertEqual(result.returncode, 2, args)
            self.assertIn("usage: digits [-u URI]", result.stderr)

    def test_bad_files(self):
        text = "".join(self.lines(3))
        cases = {
            "pixel": (text.replace("5", "17", 1), "line 1: not 64 pixels 0..16 and a label 0..9"),
            "label": (text[:-2] + "10\n", "line 3: not 64 pixels"),
            "short": (text + "1,2,3\n", "line 4: not 64 pixels"),
            "empty": ("", "holds no held-out image"),
        }
        for name, (content, reason) in cases.items():
            result = run(IMAGE, self.write(name, content))
            self.assertEqual(result.returncode, 1, name)
            self.assertIn(reason, result.stderr)

    def test_missing_files_and_devices_are_named(self):
        for args, reason in (((os.path.join(self.folder, "no.h5"), DATA), "no.h5"),
                             ((DATA, DATA), "digits.csv"),
                             ((IMAGE, os.path.join(self.folder, "no.csv")), "no.csv: No such file"),
                             (("-u", "sim:nothing", IMAGE, DATA), "sim:nothing"),
                             (("--spikes", self.folder, IMAGE, DATA), self.folder + ": Is a directory")):
            result = run(*args)
            self.assertEqual((result.returncode, result.stdout), (1, ""), args)
            self.assertIn(reason, result.stderr)


if __name__ == "__main__":
    unittest.main()
