#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One script of products gives the same bits on emulated boards in the process, on the same boards behind the virtual
USB device (real libusb) and behind a socket, from JAX and from a program in C."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from common import BUILD, Board
from jaxbed import has_analog

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "usb"))
import virtual  # noqa: E402
from products import PRODUCT  # noqa: E402

SCRIPT = pathlib.Path(__file__).with_name("products.py")
#: Two boards without noise and two with noise of programming, of reading and of the converters.
BOARDS = ("xbar256", "xbar256", "xbar256,seed=3,noise=write+read+output:2", "xbar256,seed=4,noise=write+read")
#: n_out, n_in: one tile; two, ragged; four, all that a board has; six, on two boards.
ONE, TWO = ((3, 5), (5, 9), (300, 70), (400, 300)), ((5, 9), (600, 300))


def cases():
    """The products as the scripts read them: on one board and on two, without noise and with."""
    rng = np.random.default_rng(5)
    for first in (0, 2):
        for count, shapes in ((1, ONE), (2, TWO)):
            for n_out, n_in in shapes:
                key = 77 if first else 0
                yield PRODUCT.pack(n_out, n_in, 5, key, first, count)
                yield rng.normal(size=(n_out + 5, n_in)).astype(np.float32).tobytes()


@unittest.skipUnless(BUILD and has_analog(), "NMHAL_BUILD names no build of the tree")
class Bits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "cases").write_bytes(b"".join(cases()))

    def results(self, program, uris, machine=None):
        """What a program computed, as bytes."""
        command = [*program, self.folder / "cases", self.folder / "results", *uris]
        done = subprocess.run(machine.command(*command) if machine else list(map(str, command)), capture_output=True,
                              text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return (self.folder / "results").read_bytes()

    def test_every_way_gives_the_same_bits(self):
        python, in_c = (sys.executable, str(SCRIPT)), (str(BUILD / "tests/python/products"),)
        inside = [f"sim:{board}" for board in BOARDS]
        wanted = self.results(python, inside)
        numbers = np.frombuffer(wanted, np.float32)
        self.assertEqual(numbers.size, 2 * 5 * sum(n_out for n_out, _ in ONE + TWO))
        quiet, noisy = np.split(numbers, 2)
        self.assertTrue((quiet != 0).mean() > 0.9 and (noisy != 0).mean() > 0.9)
        self.assertEqual(self.results(in_c, inside), wanted)
        for program in (python, in_c):
            with self.subTest(program=program[-1], way="socket"):
                boards = [Board(board) for board in BOARDS]
                for board in boards:
                    self.addCleanup(board.close)
                self.assertEqual(self.results(program, [board.uri for board in boards]), wanted)

    @unittest.skipUnless(virtual.has_umockdev(), "umockdev-run is not installed")
    def test_the_virtual_usb_device(self):
        python, in_c = (sys.executable, str(SCRIPT)), (str(BUILD / "tests/python/products"),)
        wanted = self.results(in_c, [f"sim:{board}" for board in BOARDS])
        serials = [f"NM-{number}" for number in range(len(BOARDS))]
        models = [(board, "nmhal test board", serial) for board, serial in zip(BOARDS, serials)]
        for program in (python, in_c):
            with virtual.Machine(BUILD / "tests/usb/vusbd", BUILD / "tests/usb/libusbfs.so", *models) as machine:
                found = self.results(program, [f"usb:serial={serial}" for serial in serials], machine)
                self.assertEqual(found, wanted, program[-1])
                for board in machine.boards:
                    self.assertGreater(int(board.tell("frames")), 0)


if __name__ == "__main__":
    unittest.main()
