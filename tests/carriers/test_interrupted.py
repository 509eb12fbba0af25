#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_interrupted.py PROBE VUSBD USBFS BOARD: Ctrl-C in the midst of a long command on an emulated USB board."""
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
BOARD = sys.argv[4]
VECTORS = 100000


class Interrupted(unittest.TestCase):
    def long_command(self):
        """Words of a command that takes many seconds."""
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        if BOARD == "spike256":
            (folder / "in.csv").write_text("step,kind,core,address,value\n0,spike,0,3,0\n", encoding="ascii")
            return ["run", folder / "in.csv", "-l", "--steps", 4 * 10**9]
        (folder / "in.csv").write_text("1,2,3,4,5,6,7,8\n" * VECTORS, encoding="ascii")
        return ["infer", folder / "in.csv", "-n", 1]

    def test_usb(self):
        """The board answers the next process, which finds it disarmed and its endpoints as they should be."""
        words = self.long_command()
        with virtual.Machine(VUSBD, USBFS, (BOARD, "", "NM-0042")) as machine:
            far, note = machine.boards[0], os.path.join(machine.directory, "pid")
            command = machine.command("sh", "-c", 'echo $$ > "$0"; exec "$@"', note, PROBE, "-u", "usb:serial=NM-0042",
                                      *words)
            for frames in (1, 6, 200):
                began = int(far.tell("frames"))
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                while int(far.tell("frames")) < began + frames and process.poll() is None:
                    time.sleep(0.002)
                os.kill(int(pathlib.Path(note).read_text(encoding="ascii")), signal.SIGINT)
                _, err = process.communicate(timeout=20)
                self.assertEqual(process.returncode, 130, err)
                self.assertIn("interrupted", err)
                self.assertEqual(far.tell("armed"), "0")
                done = machine.run(PROBE, "-u", "usb:serial=NM-0042", "reset")
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    virtual.skip_without_umockdev()
    unittest.main(argv=sys.argv[:1], verbosity=2)
