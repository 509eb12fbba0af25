#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Faults before, and traces of, a stream that the library knows nothing of: the board of examples/own_board.

usage: test_own_board.py PROGRAM FOLDER_OF_THE_BOARD
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
sys.path.insert(0, sys.argv.pop(1))

import board  # noqa: E402

CODES = "1 2 3\n-4 -5 -6\n"


def run(uri):
    done = subprocess.run([PROGRAM, uri], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class OwnBoard(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.trace = str(pathlib.Path(folder.name) / "own.nmtrace")

    def test_a_session_is_played_without_the_board(self):
        path, _ = board.start()
        self.assertEqual(run(f"line:own,path={path},record={self.trace}"), (0, CODES, ""))
        self.assertEqual(run(f"replay:file={self.trace}"), (0, CODES, ""))
        self.assertEqual(run(f"replay:own,file={self.trace}"), (0, CODES, ""))

    def test_a_failure_is_played_too(self):
        path, _ = board.start(lambda codes, line: "1 0 3" if line[0] == "r" else board.answer(codes, line))
        recorded = run(f"line:own,path={path},record={self.trace}")
        played = run(f"replay:file={self.trace}")
        self.assertEqual(recorded[0], 1)
        self.assertIn("read back wrong", recorded[2])
        self.assertEqual(played[2].split(": ", 1)[1], recorded[2].split(": ", 1)[1])

    def test_another_board_is_no_answer(self):
        path, _ = board.start()
        uri = f"line:own,path={path},record={self.trace}"
        self.assertEqual(run(uri)[0], 0)
        status, _, err = run(f"replay:tinyodin,file={self.trace}")
        self.assertEqual(status, 1)
        self.assertIn("is a trace of own", err)

    def test_chunks_may_come_in_pieces(self):
        path, _ = board.start()
        for seed in range(5):
            self.assertEqual(run(f"line:own,path={path},fault=split:0.7+delay:0.1,fault_seed={seed}"), (0, CODES, ""))

    def fails(self, fault, wanted):
        path, _ = board.start()
        status, out, err = run(f"line:own,path={path},fault={fault},record={self.trace}")
        self.assertEqual((status, out), (1, ""))
        self.assertIn(wanted, err)
        # What went wrong by chance goes wrong again.
        self.assertEqual(run(f"replay:file={self.trace}")[2].split(": ", 1)[1], err.split(": ", 1)[1])

    def test_faults(self):
        # Operations: 1 flush, 2 and 3 hello, then send and receive of each line.
        self.fails("io@4", "injected fault: io at operation 4 (fault_seed=1)")
        self.fails("gone@5", "receive of 2624 bytes: injected fault: gone at operation 5 (fault_seed=1)")
        self.fails("drop@4", "receive: not done at the deadline")
        # The answers of this board do not say what they answer: the second one is taken for that of the next row.
        self.fails("dup@9", "3 read back wrong, the first at row 1, column 0 of core 0: wanted -4, read 1")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
