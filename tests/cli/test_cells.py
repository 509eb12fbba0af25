# SPDX-License-Identifier: MIT
"""cells, limits, arm, disarm, safe: units, confirmation, what reaches the board, and that it is always left safe."""
import os
import pty
import signal
import subprocess
import time

import probe
from probe import FAULTY, SIM, read_npy

PULSE = ["cells", "pulse", "0,3,5", "--voltage=1.2V", "--width=100ns"]
RAMP = ["--target=3uS", "--start=500mV", "--step=100mV", "--stop=1.5V", "--width=1us"]
BASE, STEP = 1000000, 500000  # pS of code 0, and of each step above, in analog.c


def plus(row, col):
    return BASE + max(0, (8 * row + col) % 15 - 7) * STEP


class Analog(probe.ProbeTest):
    def setUp(self):
        super().setUp()
        self.trace = self.folder / "trace"
        self.uri = f"analog:,trace={self.trace}"

    def run_on(self, *args, **more):
        return self.probe("-u", self.uri, *args, program=FAULTY, **more)

    def refuse(self, code, *args):
        return self.fails(code, "-u", self.uri, *args, program=FAULTY)

    def traced(self):
        return self.trace.read_text(encoding="utf-8").splitlines()


class Cells(Analog):
    def test_pulse(self):
        self.run_on(*PULSE, "--yes")
        self.assertEqual(self.traced(), ["arm 5000", "pulse 3,5 side 0 1200000 uV 100 ns gap 0 x 1", "safe", "close"])
        self.trace.unlink()
        found = self.json("-u", self.uri, "cells", "pulse", "0,1,2", "--voltage=-900mV", "--width=0.5us", "--gap=2us",
                          "-n", 3, "-s", "minus", "-y", program=FAULTY)
        self.assertEqual(found, {"applied": 3})
        self.assertEqual(self.traced()[1], "pulse 1,2 side 1 -900000 uV 500 ns gap 2000 x 3")

    def test_ramps(self):
        for word, kind, last in [("form", 1, "3 uS after 3 pulses, the last of 0.7 V"), ("set", 2, None),
                                 ("reset", 3, None)]:
            target = RAMP if kind < 3 else ["--target=1uS", *RAMP[1:]]
            with self.subTest(word=word):
                cell = "0,0,7" if kind < 3 else "0,1,0"  # code 0: 1 uS; code 1: 1.5 uS
                found = self.run_on("cells", word, cell, *target, "-y")
                self.assertIn(f"ramp {kind} {cell[2:]} target {3000000 if kind < 3 else 1000000} from 500000 by 100000 "
                              "to 1500000, 1000 ns, at most 100", self.traced())
                if kind == 1:
                    self.assertEqual(found.out, "3 uS after 4 pulses, the last of 0.8 V\n")
        self.assertEqual(self.traced().count("safe"), 3)

    def test_a_target_that_is_not_reached(self):
        found = self.run_on("cells", "set", "0,0,7", *RAMP, "--pulses=2", "-y", code=8)
        self.assert_has(found.err, "3 uS not reached")
        self.assert_has(found.out, "2 uS after 2 pulses")
        result = probe.json.loads(self.run_on("--json", "cells", "set", "0,0,7", *RAMP, "-n2", "-y", code=8).out)
        self.assertEqual((result["reached"], result["pulses"], result["last_uv"]), (False, 2, 600000))

    def test_conductance(self):
        wanted = [[plus(row, col) for col in range(8)] for row in range(8)]
        found = self.json("-u", self.uri, "cells", "conductance", "-a", 7, program=FAULTY)
        self.assertEqual(found["conductance_ps"], wanted)
        self.assertEqual(self.traced(), ["read side 0 x 7", "close"])
        self.run_on("cells", "conductance", "-r", "0,2,3,2,4", "-o", self.path("g.npy"))
        self.assertEqual(read_npy((self.folder / "g.npy").read_bytes())[1], [row[3:7] for row in wanted[2:4]])
        self.run_on("cells", "conductance", "-o", self.path("g.csv"))
        lines = (self.folder / "g.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual([[int(x) for x in line.split(",")] for line in lines], wanted)
        shown = self.run_on("cells", "conductance")
        self.assertEqual(len(shown.out.splitlines()), 8)
        self.assertEqual(shown.out.splitlines()[1][6], "9")  # the largest
        self.assert_has(shown.err, "largest 4.5 uS")

    def test_sweep(self):
        args = ["cells", "sweep", "0,0,0", "--start=-100mV", "--step=50mV", "--points=3", "--width=1us", "-y"]
        wanted = "voltage_uv,current_na\n-100000,0\n-50000,1\n0,2\n"
        self.assertEqual(self.run_on(*args).out, wanted)
        self.assertEqual(self.run_on(*args, "-o", self.path("s.csv")).out, "")
        self.assertEqual((self.folder / "s.csv").read_text(encoding="utf-8"), wanted)
        self.assertEqual(self.json("-u", self.uri, *args, program=FAULTY)["points"][1],
                         {"voltage_uv": -50000, "current_na": 1})

    def test_confirmation(self):
        self.assert_has(self.refuse(2, *PULSE), "pulse changes the cell; --yes says that it may")
        self.assertNotIn("arm 5000", self.traced())
        for answer, code in [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)]:
            master, slave = pty.openpty()
            process = subprocess.Popen([FAULTY, "-u", self.uri, *PULSE], stdin=slave, stderr=slave,
                                       stdout=subprocess.DEVNULL, env=probe.environment())
            os.close(slave)
            os.write(master, answer)
            self.assertEqual(process.wait(timeout=probe.TIMEOUT), code, answer)
            os.close(master)
        self.assertEqual(self.traced().count("safe"), 1)

    def test_a_failure_leaves_the_board_safe(self):
        self.assert_has(self.refuse(11, *PULSE[:3], "--voltage=3.5V", "--width=1us", "-y"),
                        "the limit is 3000000 uV; 0 of 1 pulses applied")
        self.assertEqual(self.traced(), ["arm 5000", "safe", "close"] * 2)
        self.uri += ",interlock=1"
        self.assert_has(self.refuse(12, *PULSE, "-y"), "the lid is open")
        self.assertEqual(self.traced()[-2:], ["safe", "close"])

    def test_an_interrupt_leaves_the_board_safe(self):
        self.uri += ",slow=30000"
        process = subprocess.Popen([FAULTY, "-u", self.uri, *PULSE, "-y"], stderr=subprocess.PIPE, text=True,
                                   env=probe.environment())
        deadline = time.monotonic() + probe.TIMEOUT
        while time.monotonic() < deadline and not (self.trace.exists() and "slow" in self.traced()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=probe.TIMEOUT)
        self.assertEqual(process.returncode, 130, err)
        self.assert_has(err, "pulse cell: interrupted", "0 of 1 pulses applied")
        self.assertEqual([self.traced()[0], self.traced()[-1]], ["arm 5000", "close"])
        self.assertIn("safe", self.traced())

    def test_refused(self):
        for args, part in [
                (["cells"], "conductance, pulse, form"), (["cells", "melt"], "melt"),
                (["cells", "pulse"], "CORE,ROW,COL is missing"), (["cells", "pulse", "0,1"], "0,1: CORE,ROW,COL"),
                (["cells", "pulse", "0,1,2,3,4"], "of a cell"), (["cells", "pulse", "0,1,2"], "--voltage is missing"),
                (PULSE[:4], "--width is missing"), (["cells", "form", "0,0,0"], "--target is missing"),
                (["cells", "sweep", "0,0,0", "--start=0V", "--step=1mV", "--width=1us"], "--points is missing"),
                ([*PULSE, "-s", "left"], "--side left"), ([*PULSE, "-n", "0"], "--pulses 0"),
                ([*PULSE, "-o", "x.npy"], "FILE.csv expected"), (["cells", "conductance", "-o", "x"], "x: FILE.npy")]:
            with self.subTest(args=args):
                self.assert_has(self.refuse(2, *args), part, "see nmhal-probe help cells")
        for value in ("1.2", "V", "1.2v", "1,2V", "0.0000001V", "1e3V", "3000V", "1.2mmV", "--1V", "1.2.3V", ""):
            with self.subTest(value=value):
                self.assert_has(self.refuse(2, *PULSE[:3], f"--voltage={value}", "--width=1us"), "1.2V or -900mV")
        self.assert_has(self.fails(6, "-u", SIM, *PULSE, "-y"), "no access to single cells")

    def test_places_are_checked_by_the_library(self):
        self.assert_has(self.refuse(2, "cells", "pulse", "0,8,0", *PULSE[3:], "-y"), "row 8, column 0 of core 0")
        self.assert_has(self.refuse(2, "cells", "conductance", "-r", "1,0,0"), "outside 1 core(s)")


class Safety(Analog):
    def test_limits(self):
        found = self.run_on("limits").out.splitlines()
        self.assertEqual([line.split(None, 1) for line in found],
                         [["voltage", "3 V"], ["current", "none"], ["width", "0.001 s"], ["pulses", "1000 of a call"],
                          ["silence", "5 s"]])
        self.assertEqual(self.json("-u", self.uri, "limits", "voltage=1.5V", "pulses=10", program=FAULTY)["limits"],
                         {"voltage": 1.5, "current": None, "width": 0.001, "pulses": 10, "silence": 5})
        self.assert_has(self.refuse(11, "limits", "voltage=3001mV"), "the limit is 3000000 uV")
        for word in ("voltage=3", "power=1W", "pulses=1.5", "voltage", "width=0s"):
            self.assert_has(self.refuse(2, "limits", word), word, "voltage=1.2V")
        self.assert_has(self.fails(6, "-u", SIM, "limits"), "no limits and arming")

    def test_disarm(self):
        self.assert_has(self.run_on("disarm").err, "disarmed")
        self.assertEqual(self.traced(), ["disarm", "close"])
        self.assertEqual(self.json("-u", self.uri, "disarm", program=FAULTY), {"armed": False})
        self.assert_has(self.refuse(2, "disarm", "now"), "now")

    def test_arm_and_safe(self):
        self.assert_has(self.run_on("arm", "500ms").err, "can be armed for 500 ms")
        self.assertEqual(self.traced(), ["arm 500", "safe", "close"])
        self.assertEqual(self.json("-u", self.uri, "arm", program=FAULTY), {"can_be_armed": True, "silence_ms": 5000})
        self.assertEqual(self.json("-u", self.uri, "safe", program=FAULTY), {"safe": True})
        self.assertEqual(self.traced()[-2:], ["safe", "close"])
        self.assert_has(self.fails(12, "-u", "analog:,interlock=1", "arm", program=FAULTY), "the lid is open")
        self.assert_has(self.refuse(2, "arm", "5"), "2s or 500ms")
        for command in ("arm", "disarm", "safe"):
            self.assert_has(self.fails(6, "-u", SIM, command), "no limits and arming")


if __name__ == "__main__":
    probe.main()
