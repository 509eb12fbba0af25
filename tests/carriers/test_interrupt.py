#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_interrupt.py PROBE VUSBD USBFS: Ctrl-C in a long command on a USB board, through the real libusb."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "usb"))
import virtual  # pylint: disable=wrong-import-position

PROBE, VUSBD, USBFS = (str(pathlib.Path(path).absolute()) for path in sys.argv[1:4])
URI = "usb:serial=NM-0042"
VECTORS = 100000


class Interrupt(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.words = self.folder / "in.csv"  # of the command

    def check(self, board, *command):
        """The board answers the next process, which finds it disarmed and its endpoints as they should be."""
        virtual.skip_without_umockdev()
        with virtual.Machine(VUSBD, USBFS, (board, "", "NM-0042")) as machine:
            far, note = machine.boards[0], os.path.join(machine.directory, "pid")
            shell = machine.command("sh", "-c", 'echo $$ > "$0"; exec "$@"', note, PROBE, "-u", URI, *command)
            for frames in (1, 6, 200):
                began = int(far.tell("frames"))
                process = subprocess.Popen(shell, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                while int(far.tell("frames")) < began + frames and process.poll() is None:
                    time.sleep(0.002)
                os.kill(int(pathlib.Path(note).read_text(encoding="ascii")), signal.SIGINT)
                _, err = process.communicate(timeout=20)
                self.assertEqual(process.returncode, 130, err)
                self.assertIn("interrupted", err)
                self.assertEqual(far.tell("armed"), "0")
                done = machine.run(PROBE, "-u", URI, "reset")
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_run(self):
        self.words.write_text("step,kind,core,address,value\n0,spike,0,3,0\n", encoding="ascii")
        self.check("spike256", "run", str(self.words), "-l", "--steps", str(4 * 10**9))

    def test_inference(self):
        self.words.write_text("1,2,3,4,5,6,7,8\n" * VECTORS, encoding="ascii")
        self.check("xbar8", "infer", str(self.words), "-n", "1")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
