#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Traces of a board that speaks nmlink: a kept one, and sessions over a socket, which need no session= to be played.

usage: test_link.py LINK_SESSION NMHAL_VBOARD TRACE            runs the tests
       test_link.py LINK_SESSION NMHAL_VBOARD TRACE --write    makes TRACE anew, when what crosses the wire was meant
                                                               to change
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM, VBOARD, KEPT = (os.path.abspath(path) for path in sys.argv[1:4])


def run(uri):
    done = subprocess.run([PROGRAM, uri], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def record(socket, keys):
    """A session with a board of another process, over a carrier like that of any board."""
    with subprocess.Popen([VBOARD, "xbar8", "--unix", str(socket), "--once"], stdout=subprocess.PIPE,
                          text=True) as board:
        try:
            return run(f"{board.stdout.readline().strip()},{keys}")
        finally:
            board.kill()


class Link(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = pathlib.Path(folder.name) / "board.sock"
        self.trace = pathlib.Path(folder.name) / "board.nmtrace"

    def test_the_trace_that_is_kept(self):
        live, played = run("sim:xbar8"), run(f"replay:file={KEPT}")
        self.assertEqual(live[0], 0, live)
        self.assertEqual(live[1].count("\n"), 3 + 2 + 8)
        self.assertEqual(played, live, "If what crosses the wire was meant to change, make the trace anew: --write")

    def test_what_is_recorded_can_be_played(self):
        live = record(self.socket, f"record={self.trace}")
        self.assertEqual(live[0], 0, live)
        self.assertEqual(run(f"replay:file={self.trace}"), live)
        self.assertEqual(run(f"replay:nmlink,file={self.trace}"), live)

    def test_a_number_of_ones_own_has_to_be_given_again(self):
        live = record(self.socket, f"session=77,record={self.trace}")
        self.assertEqual(live[0], 0, live)
        self.assertEqual(run(f"replay:file={self.trace},session=77"), live)
        status, _, err = run(f"replay:file={self.trace}")
        self.assertEqual(status, 1)
        self.assertIn("record 2 at offset", err)


if __name__ == "__main__":
    if sys.argv[4:] == ["--write"]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # the URI is in the trace
            status, _, errors = record("board.sock", "record=xbar8.nmtrace")
            if status:
                sys.exit(errors)
            shutil.copy("xbar8.nmtrace", KEPT)
        sys.exit(0)
    unittest.main(argv=sys.argv[:1])
