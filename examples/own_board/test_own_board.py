#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver outside the library, at a board on a pseudo-terminal: what it writes, and what it says when it fails.

Argument: the program.
"""
import subprocess
import sys
import unittest

import board

PROGRAM = sys.argv.pop(1)


def run(path):
    done = subprocess.run([PROGRAM, f"line:own,path={path}"], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class OwnBoard(unittest.TestCase):
    def test_codes_come_back(self):
        lines = []

        def recording(codes, line):
            lines.append(line)
            return board.answer(codes, line)

        self.assertEqual(run(board.start(recording)[0]), (0, "1 2 3\n-4 -5 -6\n", ""))
        self.assertEqual(lines, ["? 1", "w 0 0 1 2 3", "w 1 0 -4 -5 -6", "r 0 0 3", "r 1 0 3", "r 0 0 3", "r 1 0 3"])

    def fails(self, wanted, reply):
        path, _ = board.start(reply)
        self.assertEqual(run(path), (1, "", f"line:own,path={path}: {wanted}\n"))

    def test_a_board_that_refuses(self):
        self.fails("write row 1: the board answered 'no'",
                   lambda codes, line: "no" if line.startswith("w 1") else board.answer(codes, line))

    def test_codes_that_differ(self):
        self.fails("verify 6 weights: 2 read back wrong, the first at row 0, column 1 of core 0: wanted 2, read 0",
                   lambda codes, line: "1 0 3" if line.startswith("r 0") else
                   "-4 -5 0" if line.startswith("r 1") else board.answer(codes, line))

    def test_nonsense_for_codes(self):
        for nonsense in ("1 2", "1 2 3 4", "1 2 x", "1 2 128", ""):
            self.fails(f"read row 0: the board answered '{nonsense}'",
                       lambda codes, line, text=nonsense: text if line[0] == "r" else board.answer(codes, line))

    def test_a_shape_that_cannot_be(self):
        self.fails("open: the board says it has 8 rows of 1000 columns", lambda codes, line: "own 8 1000 1")

    def test_a_board_that_falls_silent(self):
        self.fails("receive: not done at the deadline",
                   lambda codes, line: None if line[0] == "w" else board.answer(codes, line))

    def test_no_board(self):
        status, out, err = run("/dev/no-such-terminal")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("open /dev/no-such-terminal: No such file or directory", err)


if __name__ == "__main__":
    unittest.main()
