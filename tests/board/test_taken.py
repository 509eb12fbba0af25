#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_taken.py NMHAL_PROBE NMHAL_VBOARD: what a second program hears of a board that another one has."""
import pathlib
import signal
import subprocess
import sys
import unittest

PROBE, VBOARD = (str(pathlib.Path(path).absolute()) for path in sys.argv[1:3])


class Taken(unittest.TestCase):
    def start(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGINT)
        return process, process.stdout.readline().strip()

    def check(self, sentence, *place):
        _, uri = self.start(VBOARD, "xbar8", *place)
        first, said = self.start(PROBE, "-u", uri, "sensors", "--watch=50ms")
        self.assertTrue(said)
        done = subprocess.run([PROBE, "-u", uri, "info"], stderr=subprocess.PIPE, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn(sentence.format(first.pid), done.stderr)

    def test_socket(self):
        self.check("does another host have it?", "--tcp", "0")

    def test_terminal(self):
        self.check("held by process {} (nmhal-probe)", "--pty")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
