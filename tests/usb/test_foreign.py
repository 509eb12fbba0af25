#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_foreign.py PROBE VUSBD USBFS CONFORMANCE DATA EVENTS: programs that know nothing of the virtual board.

nmhal-probe and the conformance suite with the real libusb and libftdi1; what they cost on the wire, counted by the
virtual device and once more from the recorded bytes by referee.py.
"""
import pathlib
import random
import struct
import sys
import tempfile
import unittest

import referee
import virtual

PROBE, VUSBD, USBFS, CONFORMANCE, DATA, EVENTS = map(lambda path: pathlib.Path(path).absolute(), sys.argv[1:7])
CLK_HZ = 60000000
SCK_HZ = CLK_HZ // 4
URI = f"ftdi:tinyodin,clk_hz={CLK_HZ}"
PROGRAM = PROBE, "-u", URI, "program"
FLOOR_SCK = 32768 * 40  # a frame for every two weights
ROUND_TRIP_S = 250e-6   # modelled
RUNS = 3                # of what is timed by the pace of the device
ROWS = []               # of the table


def npy(path, values):
    header = "{'descr': '|i1', 'fortran_order': False, 'shape': (256, 256), }"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                     bytes(value & 255 for value in values))


def synapse_bytes(values):
    """The memory of these weights: bytes in the order of words and lanes."""
    return bytes(low & 15 | (high & 15) << 4 for low, high in zip(values[::2], values[1::2]))


def random_weights(seed):
    return random.Random(seed).choices(range(-8, 8), k=65536)


class Foreign(unittest.TestCase):
    def setUp(self):
        self.machine = virtual.Machine(VUSBD, USBFS, ("tinyodin", "NMHAL tinyODIN", "NM000001", CLK_HZ))
        self.addCleanup(self.machine.close)
        self.board = self.machine.boards[0]
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, *command, timeout=60):
        done = self.machine.run(*command, timeout=timeout)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        return done.stdout

    def probe(self, *arguments):
        return self.program(PROBE, "-u", URI, *arguments)

    def cost(self, *command):
        """(counters of the device, what the referee reads) of a command.

        The device is as slow as its pins meanwhile: to one that takes bytes at once every host looks as if it waited.
        """
        record = self.folder / "record"
        self.board.tell("count")
        self.board.tell(f"record {record}")
        self.board.tell("pace on")
        self.program(*command)
        self.board.tell("pace off")
        self.board.tell("record off")
        counters, wire = self.board.counters(), referee.Wire(record)
        self.assertEqual(wire.sck, counters["sck"])
        self.assertEqual(wire.bytes[referee.A_OUT] + wire.bytes[referee.B_OUT], counters["out_bytes"])
        self.assertEqual(wire.events, counters["events_in"])
        return counters, wire

    def memory(self):
        """Neuron and synapse memory of the chip itself."""
        path = self.folder / "memory"
        self.board.tell(f"memory {path}")
        data = path.read_bytes()
        return data[:1024], data[1024:]

    def test_conformance(self):
        told = self.program("env", f"NMHAL_TEST_URI={URI}", "CK_FORK=no", CONFORMANCE, timeout=280)
        self.assertRegex(told, r"100%: Checks: \d\d")

    def test_golden_episodes(self):
        files = [DATA / f"tinyodin_{name}.jsonl.gz" for name in ("edges", "idle", "drops")]
        told = self.program(PROBE, "-u", URI, "-T", "120000", "trace", "run", *files, timeout=280)
        self.assertIn("24 episodes, 9440 events, 39320 outputs compared: identical", told)

    def test_programming_all_weights(self):
        values = random_weights(1)
        npy(self.folder / "weights.npy", values)
        nothing, none = self.cost(PROBE, "-u", URI, "info")
        for verify, least in ((False, 99.0), (True, 95.0)):
            extra, wire = self.least_cost(nothing, *PROGRAM, self.folder / "weights.npy", *["--verify"] * verify)
            self.assertEqual(self.memory()[1], synapse_bytes(values))
            self.assertEqual(bytes(wire.chip.synapses), synapse_bytes(values))
            frames = sum(wire.chip.frames.values()) - sum(none.chip.frames.values())
            self.assertEqual(extra["sck"], 40 * frames)  # no idle clock between them
            sck_eff = 100 * (1 + verify) * FLOOR_SCK / extra["sck"]
            byte_eff = 100 * (1 + verify) * FLOOR_SCK / 8 / extra["out_bytes"]
            seconds = max(extra["microframes"] * 125e-6, extra["sck"] / SCK_HZ) + extra["round_trips"] * ROUND_TRIP_S
            limit = (1 + verify) * FLOOR_SCK / SCK_HZ
            ROWS.append(("program 65,536" + ", verify" * verify, extra["sck"], extra["out_bytes"],
                         extra["out_transfers"], extra["round_trips"],
                         f"sck_eff {sck_eff:.2f} %, byte_eff {byte_eff:.2f} %, modelled {100 * limit / seconds:.1f} % "
                         f"of the limit; {extra['controls']} controls, {extra['status_packets']} status-only IN "
                         f"packets; {nothing['out_transfers']} OUT URBs of open and close"))
            self.assertGreaterEqual(sck_eff, least)
            self.assertGreaterEqual(byte_eff, least)
            self.assertLessEqual(extra["out_transfers"], 12 * (1 + verify))
            self.assertLessEqual(extra["round_trips"], 2 * (1 + verify * (extra["out_bytes"] // 65536)))
            self.assertGreaterEqual(limit / seconds, 0.95)

    def test_changing_some_weights(self):
        values = random_weights(2)
        npy(self.folder / "weights.npy", values)
        self.probe("program", self.folder / "weights.npy")
        nothing, none = self.cost(*PROGRAM, "--only-changed", self.folder / "weights.npy")
        for count in (1, 100, 10000):
            for place in random.Random(count).sample(range(32768), count):
                values[2 * place] ^= 1
            npy(self.folder / "weights.npy", values)
            counters, wire = self.cost(*PROGRAM, "--only-changed", self.folder / "weights.npy")
            self.assertEqual(self.memory()[1], synapse_bytes(values))
            writes = wire.chip.frames["write"] - none.chip.frames["write"]
            sck = counters["sck"] - nothing["sck"]
            ROWS.append((f"change {count} bytes", sck, counters["out_bytes"] - nothing["out_bytes"],
                         counters["out_transfers"] - nothing["out_transfers"],
                         counters["round_trips"] - nothing["round_trips"], f"{writes} write frames"))
            self.assertEqual(writes, count)
            self.assertLessEqual(sck, 1.05 * 40 * count + 160)

    def least_cost(self, nothing, *command):
        """What a command adds to the counters `nothing`, and what the referee reads.

        The device keeps the pace of its pins, so a host that is late because this machine ran something else looks
        as if it had waited for the device. A wait of the driver's own is in every run: the run with the fewest counts.
        """
        runs = []
        for _ in range(RUNS):
            counters, wire = self.cost(*command)
            runs.append(({key: counters[key] - nothing[key] for key in counters}, wire))
        return min(runs, key=lambda run: run[0]["round_trips"])

    def events(self, name, count, *way):
        """What a run of that many events adds to its preparations."""
        nothing, _ = self.cost(EVENTS, URI, *way, 0)
        extra, wire = self.least_cost(nothing, EVENTS, URI, *way, count)
        steps = (count + 2) // 3
        self.assertGreater(extra["events_out"], count / 20)
        ROWS.append((name, extra["sck"], extra["out_bytes"], extra["out_transfers"], extra["round_trips"],
                     f"{wire.events} inputs, {extra['events_out']} outputs; a step: {extra['out_bytes'] / steps:.1f} "
                     f"bytes, {extra['round_trips'] / steps:.2f} round trips"))
        return extra

    def test_streamed_events(self):
        extra = self.events("10,000 events", 10000, 1, 100)
        self.assertGreater(extra["events_in"], 10000)  # marks are events too
        self.assertLessEqual(extra["out_bytes"], 11.1 * extra["events_in"] + 10.1 * extra["events_out"] + 8192)
        self.assertLessEqual(extra["round_trips"], 2)

    def test_strict_events(self):
        run = EVENTS, f"{URI},strict=1", 1, 100
        nothing, (counters, _) = self.cost(*run, 0)[0], self.cost(*run, 500)
        extra = {key: counters[key] - nothing[key] for key in counters}
        self.assertGreater(extra["events_in"], 500)
        self.assertLessEqual(extra["out_bytes"], 14.1 * extra["events_in"] + 10.1 * extra["events_out"] + 8192)

    def test_closed_loop(self):
        self.events("300 events, closed loop", 300, 0, 100)


def table():
    print(f"{'work':24}{'SCK':>10}{'OUT bytes':>11}{'OUT URBs':>10}{'round trips':>13}")
    for row in sorted(ROWS):
        print(f"{row[0]:24}{row[1]:>10}{row[2]:>11}{row[3]:>10}{row[4]:>13}  {row[5]}")


if __name__ == "__main__":
    virtual.skip_without_umockdev()
    program = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    table()
    sys.exit(not program.result.wasSuccessful())
