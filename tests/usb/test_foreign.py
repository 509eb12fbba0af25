#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_foreign.py PROBE VUSBD USBFS CONFORMANCE DATA: programs that know nothing of the virtual board.

nmhal-probe and the conformance suite with the real libusb and libftdi1; what they cost on the wire, counted by the
virtual device and once more from the recorded bytes by referee.py.
"""
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import referee
import virtual

PROBE, VUSBD, USBFS, CONFORMANCE, DATA = map(lambda path: pathlib.Path(path).absolute(), sys.argv[1:6])
CLK_HZ = 60000000
SCK_HZ = CLK_HZ // 4
URI = f"ftdi:tinyodin,clk_hz={CLK_HZ}"
FLOOR_SCK = 32768 * 40  # a frame for every two weights
ROUND_TRIP_S = 250e-6   # modelled
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

    def probe(self, *arguments, status=0):
        done = self.machine.run(PROBE, "-u", URI, *arguments)
        self.assertEqual(done.returncode, status, done.stdout[-2000:] + done.stderr)
        return done.stdout

    def cost(self, *arguments):
        """(counters of the device, what the referee reads) of a command."""
        record = self.folder / "record"
        self.board.tell("count")
        self.board.tell(f"record {record}")
        self.probe(*arguments)
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
        done = self.machine.run("env", f"NMHAL_TEST_URI={URI}", "CK_FORK=no", CONFORMANCE, timeout=280)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
        self.assertRegex(done.stdout, r"100%: Checks: \d\d")

    def test_golden_episodes(self):
        self.assertIn("identical", self.probe("trace", "run", DATA / "tinyodin_edges.jsonl.gz"))

    def test_programming_all_weights(self):
        values = random_weights(1)
        npy(self.folder / "weights.npy", values)
        nothing, _ = self.cost("info")
        for verify, least in ((False, 99.0), (True, 95.0)):
            counters, wire = self.cost("program", self.folder / "weights.npy", *["--verify"] * verify)
            self.assertEqual(self.memory()[1], synapse_bytes(values))
            self.assertEqual(bytes(wire.chip.synapses), synapse_bytes(values))
            extra = {name: counters[name] - nothing[name] for name in counters}
            sck_eff = 100 * (1 + verify) * FLOOR_SCK / extra["sck"]
            byte_eff = 100 * (1 + verify) * FLOOR_SCK / 8 / extra["out_bytes"]
            seconds = max(extra["microframes"] * 125e-6, extra["sck"] / SCK_HZ) + extra["round_trips"] * ROUND_TRIP_S
            limit = (1 + verify) * FLOOR_SCK / SCK_HZ
            ROWS.append(("program 65,536" + ", verify" * verify, extra["sck"], extra["out_bytes"],
                         extra["out_transfers"], extra["round_trips"],
                         f"sck_eff {sck_eff:.2f} %, byte_eff {byte_eff:.2f} %, modelled {100 * limit / seconds:.1f} % "
                         "of the limit"))
            self.assertGreaterEqual(sck_eff, least)
            self.assertGreaterEqual(byte_eff, least)
            self.assertLessEqual(extra["out_transfers"], 12 * (1 + verify))
            # Counted by the device: a host that is slower than the model looks as if it waited (tests/ftdi counts
            # without that).
            if not verify:
                self.assertLessEqual(extra["round_trips"], 2)
                self.assertGreaterEqual(limit / seconds, 0.95)

    def test_changing_some_weights(self):
        values = random_weights(2)
        npy(self.folder / "weights.npy", values)
        self.probe("program", self.folder / "weights.npy")
        nothing, none = self.cost("program", "--only-changed", self.folder / "weights.npy")
        for count in (1, 100, 10000):
            for place in random.Random(count).sample(range(32768), count):
                values[2 * place] ^= 1
            npy(self.folder / "weights.npy", values)
            counters, wire = self.cost("program", "--only-changed", self.folder / "weights.npy")
            self.assertEqual(self.memory()[1], synapse_bytes(values))
            writes = wire.chip.frames["write"] - none.chip.frames["write"]
            sck = counters["sck"] - nothing["sck"]
            ROWS.append((f"change {count} bytes", sck, counters["out_bytes"] - nothing["out_bytes"],
                         counters["out_transfers"] - nothing["out_transfers"],
                         counters["round_trips"] - nothing["round_trips"], f"{writes} write frames"))
            self.assertEqual(writes, count)
            self.assertLessEqual(sck, 1.05 * 40 * count + 160)

    def test_kill_while_programming(self):
        values = random_weights(4)
        npy(self.folder / "weights.npy", values)
        killed = 0
        for n in range(12):
            self.board.tell("fault none")
            with subprocess.Popen(self.machine.command(PROBE, "-u", URI, "program", self.folder / "weights.npy"),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as victim:
                while int(self.board.tell("numbers").split()[0]) < 30 + 4 * n and victim.poll() is None:
                    time.sleep(0.0005)
                killed += self.kill(victim)
            self.probe("program", self.folder / "weights.npy", "--verify")
            self.assertEqual(self.memory()[1], synapse_bytes(values))
            self.assertEqual(self.board.tell("drivers"), "1 1")
        self.assertGreaterEqual(killed, 6, "most were not killed but ended by themselves")

    @staticmethod
    def kill(process):
        """Kills the program, which is a child of umockdev-run; whether it was alive."""
        alive = False
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            for child in children.read_text(encoding="ascii").split():
                alive = alive or ") Z " not in pathlib.Path(f"/proc/{child}/stat").read_text(encoding="ascii")
                os.kill(int(child), 9)
        except (FileNotFoundError, ProcessLookupError):
            pass
        process.wait(20)
        return alive


def table():
    print(f"{'work':24}{'SCK':>10}{'OUT bytes':>11}{'OUT URBs':>10}{'round trips':>13}")
    for row in sorted(ROWS):
        print(f"{row[0]:24}{row[1]:>10}{row[2]:>11}{row[3]:>10}{row[4]:>13}  {row[5]}")


if __name__ == "__main__":
    virtual.skip_without_umockdev()
    program = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    table()
    sys.exit(not program.result.wasSuccessful())
