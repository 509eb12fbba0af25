#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_interrupted.py PROBE VUSBD USBFS: Ctrl-C in long commands of nmhal-probe on a virtual USB board.

The program ends with 130, the board is disarmed, and the next process finds the endpoints as they should be.
tests/board/test_interrupt.py has all stages of all commands, over a socket.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "usb"))
import virtual  # pylint: disable=wrong-import-position

PROBE, VUSBD, USBFS = (pathlib.Path(path).absolute() for path in sys.argv[1:4])
URI = "usb:serial=NM-0042"
VECTORS = 100000
FRAMES = (1, 6, 200)  # that the board has taken when the signal comes


class Interrupted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name) / "in.csv"

    def check(self, board, *words):
        with virtual.Machine(VUSBD, USBFS, (board, "", "NM-0042")) as machine:
            far, note = machine.boards[0], os.path.join(machine.directory, "pid")
            command = machine.command("sh", "-c", 'echo $$ > "$0"; exec "$@"', note, PROBE, "-u", URI, *words)
            for frames in FRAMES:
                began = int(far.tell("frames"))
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                while int(far.tell("frames")) < began + frames and process.poll() is None:
                    time.sleep(0.002)
                os.kill(int(pathlib.Path(note).read_text(encoding="ascii")), signal.SIGINT)
                _, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, err)
                self.assertIn("interrupted", err)
                self.assertEqual(far.tell("armed"), "0")
                done = machine.run(PROBE, "-u", URI, "reset")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_run(self):
        self.source.write_text("step,kind,core,address,value\n0,spike,0,3,0\n", encoding="ascii")
        self.check("spike256", "run", self.source, "-l", "--steps", 4 * 10**9)

    def test_infer(self):
        self.source.write_text("1,2,3,4,5,6,7,8\n" * VECTORS, encoding="ascii")
        self.check("xbar8", "infer", self.source, "-n", 1)


if __name__ == "__main__":
    virtual.skip_without_umockdev()
    unittest.main(argv=sys.argv[:1], verbosity=2)
