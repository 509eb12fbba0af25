#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_conformance.py PROBE CONFORMANCE VBOARD VUSBD USBFS BOARD: the conformance suite and nmhal-probe on an emulated
board behind every carrier: a unix socket, TCP, a terminal, USB, UART and FIFO of an FT2232H (the real libusb and
libftdi over a usbfs of the tests)."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "usb"))
import virtual  # pylint: disable=wrong-import-position

PROBE, CONFORMANCE, VBOARD, VUSBD, USBFS = (pathlib.Path(path).absolute() for path in sys.argv[1:6])
BOARD = sys.argv[6]


class Carrier(unittest.TestCase):
    """The far end of each test is a new board."""

    def serve(self, *place, board=BOARD):
        """URI of a board that nmhal-vboard serves."""
        process = subprocess.Popen([VBOARD, board, *place], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGINT)
        return process.stdout.readline().strip()

    def run_on(self, *command, uri=None, prefix=()):
        env = {**os.environ, "CK_FORK": "no"}
        if uri:
            env["NMHAL_TEST_URI"] = uri
        return subprocess.run([*prefix, *map(str, command)], env=env, capture_output=True, text=True, timeout=240,
                              check=False)

    def check(self, uri, prefix=()):
        done = self.run_on(CONFORMANCE, uri=uri, prefix=prefix)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
        print(uri.split(":")[0] + ":", done.stdout.strip().splitlines()[-1])
        done = self.run_on(PROBE, "--json", "-u", uri, "info", prefix=prefix)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["board"], BOARD)

    def test_unix(self):
        folder = virtual.tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.check(self.serve("--unix", os.path.join(folder, "board.sock")))

    def test_tcp(self):
        self.check(self.serve("--tcp", "0"))

    def test_tty(self):
        self.check(self.serve("--pty"))

    def test_a_second_host_hears_that_the_board_is_taken(self):
        for place in (["--tcp", "0"], ["--pty"]):
            uri = self.serve(*place, board="xbar8")
            first = subprocess.Popen([PROBE, "-u", uri, "sensors", "--watch=50ms"], stdout=subprocess.PIPE, text=True)
            self.addCleanup(first.stdout.close)
            self.addCleanup(first.wait)
            self.addCleanup(first.kill)
            self.assertTrue(first.stdout.readline())
            done = self.run_on(PROBE, "-u", uri, "info")
            self.assertEqual(done.returncode, 5, done.stderr)
            self.assertIn("does another host have it?" if place[0] == "--tcp" else
                          f"held by process {first.pid} (nmhal-probe)", done.stderr)

    def test_usb(self):
        virtual.skip_without_umockdev()
        with virtual.Machine(VUSBD, USBFS, (BOARD, "", "NM-0042")) as machine:
            self.check("usb:serial=NM-0042", machine.command())
            found = self.run_on(PROBE, "--json", "list", "usb", prefix=machine.command())
            self.assertEqual([one["uri"] for one in json.loads(found.stdout)["devices"]], ["usb:nmlink,serial=NM-0042"])

    def check_behind_ftdi(self, mode):
        virtual.skip_without_umockdev()
        with virtual.Machine(VUSBD, USBFS, (f"{mode}+{BOARD}", "", "FT0042")) as machine:
            self.check(f"ftdi:nmlink,serial=FT0042,mode={mode}", machine.command())

    def test_uart(self):
        self.check_behind_ftdi("uart")

    def test_fifo(self):
        self.check_behind_ftdi("fifo")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
