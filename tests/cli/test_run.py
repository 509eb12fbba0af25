# SPDX-License-Identifier: MIT
"""run: events from CSV in, spikes as CSV, JSON or raster out, limits, and CSV that is refused."""
import os
import pathlib

import probe
from probe import HEADER, SIM, events, npy, spikes

MAX_PART = 1024  # inputs that go to the device in one piece


class RunTest(probe.ProbeTest):
    """A chip on which row r drives neuron r with 7, row r and neuron r + 1 with 3; thresholds 5 to 9, leak 2."""

    def setUp(self):
        super().setUp()
        weights = [[0] * 256 for _ in range(256)]
        for row in range(256):
            weights[row][row] = 7
            weights[row][(row + 1) % 256] = 3
        self.chip("program", self.path("w.npy", npy(weights)))
        self.chip("neurons", "set", "all", "threshold=5", "leak=2", "enabled=1")

    def fire(self, text, *options, code=0):
        return self.chip("run", "-", *options, stdin=text, code=code)


class Output(RunTest):
    def test_spikes(self):
        found = self.fire(events((0, "spike", 3, 0), (1, "spike", 3, 0), (4, "spike", 255, 0)))
        # Neuron 3 fires each time; 4 gets 3, then 6; neuron 255 fires, and 0 gets 3.
        self.assertEqual(spikes(found.out), [(0, "spike", 0, 3, 0), (1, "spike", 0, 3, 0), (1, "spike", 0, 4, 0),
                                             (4, "spike", 0, 255, 0)])
        self.assert_has(found.err, "run of 5 steps: 3 events in, 4 out", "768 synaptic operations",
                        "0 dropped in the chip's queue", "cycles", "MHz")
        self.assertEqual(self.chip("neurons", "-s", "0").out.split(",")[-2], "3")

    def test_kinds(self):
        found = self.fire(events((0, "virtual", 4, 7), (1, "virtual", 4, -8), (2, "leak_one", 4, 0),
                                 (3, "leak_all", 0, 0), (4, "virtual", 4, 0), "5,virtual,0,15,0x7"))
        # 7 >= 5 fires; -8, -6, -4, then value 0 acts as a spike of row 4: 3, and neuron 5 gets 3; 15 fires.
        self.assertEqual(spikes(found.out), [(0, "spike", 0, 4, 0), (5, "spike", 0, 15, 0)])
        rows = self.chip("neurons", "-s", "4..5").out.splitlines()[1:]
        self.assertEqual([row.split(",")[3] for row in rows], ["3", "3"])

    def test_files(self):
        source = self.path("in.csv", events((0, "spike", 9, 0)))
        found = self.chip("run", source, "--output", self.path("out.csv"))
        self.assertEqual(found.out, "")
        self.assertEqual(spikes(pathlib.Path(self.path("out.csv")).read_text(encoding="utf-8")),
                         [(0, "spike", 0, 9, 0)])
        self.assertEqual(self.chip("-q", "run", source, "-o", "/dev/null").err, "")

    def test_processed(self):
        self.chip("attr", "output_source=1")
        self.assertEqual(spikes(self.fire(events((2, "spike", 9, 0))).out), [(2, "processed", 0, 9, 0)])

    def test_json(self):
        found = self.json("-u", self.uri, "run", "-", stdin=events((0, "spike", 9, 0)))
        self.assertEqual(found["spikes"], [{"step": 0, "kind": "spike", "core": 0, "address": 9, "value": 0}])
        report = found["report"]
        self.assertEqual((report["steps"], report["events_in"], report["events_out"]), (1, 1, 1))
        self.assertEqual((report["sops"], report["queue_dropped"]), (256, 0))
        self.assertAlmostEqual(report["chip_seconds"], report["cycles"] / 50e6)
        slow = self.json("-u", self.uri, "run", "-", "--clock", "1000", "-o", self.path("o.csv"),
                         stdin=events((0, "spike", 9, 0)))
        self.assertEqual(sorted(slow), ["file", "report"])
        self.assertAlmostEqual(slow["report"]["chip_seconds"], slow["report"]["cycles"] / 1000)

    def test_chip_time_of_another_clock(self):
        found = self.fire(events((0, "spike", 9, 0)), "--clock", "2000000")
        self.assert_has(found.err, "at 2 MHz")

    def test_raster(self):
        found = self.fire(events((0, "spike", 8, 0), (1, "spike", 248, 0), (1, "spike", 248, 0)), "--raster", "-n", "3",
                          "-o", self.path("o.csv"))
        lines = found.out.splitlines()
        self.assertEqual(len(lines), 32)
        self.assertEqual([line[:6] for line in lines[:2]], ["   0 |", "   8 |"])
        self.assertEqual(lines[1][6:], ".  ")
        self.assertEqual(lines[31][6:], " : ")
        self.assertEqual({line[6:] for i, line in enumerate(lines) if i not in (1, 31)}, {"   "})
        out = pathlib.Path(self.path("o.csv")).read_text(encoding="utf-8")
        self.assertEqual([spike[3] for spike in spikes(out)], [8, 248, 248, 249])

    def test_empty_input(self):
        self.assertEqual(self.fire(HEADER).out, HEADER)
        self.assertEqual(self.fire(HEADER, "--raster").out.count("\n"), 32)
        self.assertEqual(self.fire(events("", (0, "spike", 1, 0), "")).out.count("\n"), 2)
        self.assertEqual(self.fire(events((0, "spike", 2, 0)).replace("\n", "\r\n")).out.count("\n"), 2)


class Options(RunTest):
    def test_potentials_stay_until_reset(self):
        self.assertEqual(self.fire(events((0, "spike", 3, 0))).out.count("\n"), 2)
        self.assertEqual([spike[3] for spike in spikes(self.fire(events((0, "spike", 3, 0))).out)], [3, 4])
        self.assertEqual([spike[3] for spike in spikes(self.fire(events((0, "spike", 3, 0))).out)], [3])
        self.assertEqual([s[3] for s in spikes(self.fire(events((0, "spike", 3, 0)), "--reset-state").out)], [3])

    def test_leak_each_step(self):
        text = events((0, "spike", 3, 0), (1, "spike", 3, 0))
        self.assertEqual(len(spikes(self.fire(text, "-l", "--reset-state").out)), 2, "neuron 4: 3, 1, 4: no spike")
        found = self.json("-u", self.uri, "run", "-", "--leak-each-step", "--steps", "2500", "--reset-state",
                          stdin=events((1030, "spike", 3, 0), (2499, "spike", 3, 0)))
        self.assertEqual(found["report"]["events_in"], 2502)
        self.assertEqual([(spike["step"], spike["address"]) for spike in found["spikes"]], [(1030, 3), (2499, 3)])

    def test_steps(self):
        self.assertEqual(self.json("-u", self.uri, "run", "-", "-n", "9", stdin=HEADER)["report"]["steps"], 9)
        message = self.fails(2, "-u", self.uri, "run", self.path("in.csv", events((4, "spike", 0, 0))), "-n", "4")
        self.assert_has(message, "in.csv:2: step 4 is outside a run of 4 steps")

    def test_back_to_back(self):
        found = self.fire(events((0, "spike", 3, 0), (0, "spike", 3, 0)), "--back-to-back")
        self.assertEqual([spike[3] for spike in spikes(found.out)], [3, 3, 4])

    def test_long_runs_go_in_parts(self):
        steps = range(0, 3 * MAX_PART * 2, 2)
        found = self.fire(events(*((step, "spike", 100, 0) for step in steps)), "--reset-state")
        fired = spikes(found.out)
        self.assertEqual([spike[0] for spike in fired if spike[3] == 100], list(steps))
        self.assertEqual([spike[0] for spike in fired if spike[3] == 101], list(steps)[1::2])
        self.assert_has(found.err, f"run of {steps[-1] + 1} steps: {len(steps)} events in, {len(fired)} out")

    def test_many_inputs_in_one_step(self):
        found = self.fire(events(*((7, "spike", 100, 0) for _ in range(2500))))
        self.assertEqual(len(spikes(found.out)), 2500 + 1250)


class Limits(RunTest):
    def setUp(self):
        super().setUp()
        # A ring: neurons 0 and 1 wake each other for ever.
        self.chip("program", self.path("r.npy", npy([[0, 7], [7, 0]])), "-r", "0,0,0")
        self.chip("attr", "open_loop=0", "max_neuron=1")

    def test_network_that_never_falls_silent(self):
        found = self.fire(events((0, "spike", 0, 0)), "-m", "10", code=11)
        self.assertEqual([spike[3] for spike in spikes(found.out)], [1, 0] * 5)
        self.assert_has(found.err, "more than 10 output events", "step 0")
        found = self.fire(events((0, "spike", 0, 0)), code=11)
        self.assertEqual(found.out.count("\n"), 1 + 65536)
        self.assert_has(found.err, "more than 65536 output events")

    def test_limit_names_the_step_of_the_whole_run(self):
        quiet = [(step, "leak_all", 0, 0) for step in range(MAX_PART)]
        last = [(MAX_PART + 5, "leak_all", 0, 0), (MAX_PART + 7, "spike", 0, 0)]
        found = self.fire(events(*quiet, *last), "-m", "10", code=11)
        self.assertEqual({spike[0] for spike in spikes(found.out)}, {MAX_PART + 7})
        self.assert_has(found.err, "one of step 2 caused more than 10 output events",
                        f"steps are counted from step {MAX_PART + 5}")

    def test_timeout(self):
        found = self.chip("-T", "300", "run", "-", "--max-events", "0", "-o", "/dev/null",
                          stdin=events((0, "spike", 0, 0)), code=9)
        self.assert_has(found.err, "deadline", "reset_state")

    def test_spikes_dropped_in_the_chip_are_counted(self):
        # Row 0 fires neurons 1 to 200, whose own rows fire none. The queue holds 128, the input that is being
        # processed included.
        self.chip("program", self.path("d.npy", npy([[0] + [7] * 200 + [0] * 55] + [[-1] * 256] * 255)))
        self.chip("neurons", "set", "all", "threshold=7")
        self.chip("attr", "max_neuron=255")
        found = self.json("-u", self.uri, "run", "-", stdin=events((0, "spike", 0, 0)))
        self.assertEqual([spike["address"] for spike in found["spikes"]], list(range(1, 201)))
        self.assertEqual(found["report"]["queue_dropped"], 200 - 127)
        self.assertEqual(found["report"]["sops"], 256 * (1 + 127))


class Refused(probe.ProbeTest):
    def refused(self, text, *parts, code=2, options=()):
        path = self.path("in.csv", text)
        self.assert_has(self.fails(code, "-u", SIM, "run", path, *options), path, *parts)

    def test_bad_lines(self):
        for line, part in [
                ("1,spike,0,1", "fewer than 5 fields"), ("1,spike,0,1,0,0", "more than 5 fields"),
                ("1;spike;0;1;0", "fewer than 5"), ("x,spike,0,1,0", "the step is not a number"),
                ("-1,spike,0,1,0", "step"), ("1.5,spike,0,1,0", "step"), ("9223372036854775807,spike,0,1,0", "step"),
                ("1,burst,0,1,0", "the kind is not"), ("1,processed,0,1,0", "is an output"),
                ("1,spike,one,1,0", "core"), ("1,spike,65536,1,0", "core"), ("1,spike,0,4294967296,0", "address"),
                ("1,spike,0,,0", "address"), ("1,virtual,0,1,128", "-128..127"), ("1,spike,0,1,0 ", "value"),
                ("0,spike,0,1,0", "sorted by step"), ("1,spike,1,1,0", "core 1 is outside 0..0"),
                ("1,spike,0,256,0", "address 256 of a spike event is outside 0..255"),
                ("1,virtual,0,16,1", "address 16 of a virtual event is outside 0..15"),
                ("1,leak_one,0,255,0", "address 255 of a leak_one event is outside 0..254"),
                ("1,leak_all,0,1,0", "address 1 of a leak_all event is outside 0..0"),
                ("1,spike,0,1,1", "only a virtual event has one"), ("1,virtual,0,1,8", "value 8 is outside -8..7"),
                ("1,virtual,0,1,-9", "value -9 is outside")]:
            with self.subTest(line=line):
                self.refused(events((1, "spike", 0, 0), "", line), "in.csv:4: ", part)

    def test_header_and_bytes(self):
        self.refused("0,spike,0,1,0\n", "in.csv:1: the first line must be step,kind,core,address,value")
        self.refused("", "in.csv:1: ")
        self.refused(b"step,kind,core,address,value\n0,spike,0,\x00,0\n", "zero byte")

    def test_files(self):
        self.assert_has(self.fails(1, "-u", SIM, "run", self.path("none.csv")), "none.csv: read: No such file")
        self.assert_has(self.fails(1, "-u", SIM, "run", str(self.folder)), "Is a directory")
        path = self.path("in.csv", events((0, "spike", 0, 0)))
        self.assert_has(self.fails(1, "-u", SIM, "run", path, "-o", self.path("none/out.csv")), "write: No such file")
        os.mkdir(self.path("folder"))
        self.assert_has(self.fails(1, "-u", SIM, "run", path, "-o", self.path("folder")), "write: Is a directory")

    def test_board_without_spikes(self):
        path = self.path("in.csv", events((0, "spike", 0, 0)))
        self.assert_has(self.fails(6, "-u", "null:", "run", path), "null", "spikes")


if __name__ == "__main__":
    probe.main()
