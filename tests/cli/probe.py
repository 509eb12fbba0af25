# SPDX-License-Identifier: MIT
"""What the tests of nmhal-probe share. Each test file is run with the paths of nmhal-probe and nmhal-probe-faulty."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import typing
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROBE, FAULTY = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
SIM = "sim:tinyodin"
EMULATED = [SIM, *(f"sim:{board}" for board in ("xbar8", "xbar64", "xbar256", "xbar1024", "spike256"))]
HEADER = "step,kind,core,address,value\n"
TIMEOUT = 120  # seconds of one command


class Result(typing.NamedTuple):
    code: int
    out: str
    err: str


def environment(**extra):
    """The environment without what would change the results."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NMHAL_URI", "NMHAL_LOG")}
    return {**kept, **extra}


def npy(rows, dtype="|i1", order="False", version=1, header=None):
    """The bytes of a .npy file of a matrix, from the format's description."""
    kind = {"|i1": "b", "<i2": "<h", "<i4": "<i", "<f4": "<f", ">i2": ">h"}[dtype]
    shape = (len(rows), len(rows[0]))
    text = header or f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}"
    length = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    codes = b"".join(struct.pack(kind, code) for row in rows for code in row)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + b"\n" + codes


def read_npy(data):
    """(dtype, rows) of the bytes of a .npy file of format 1.0."""
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    start = 10 + struct.unpack("<H", data[8:10])[0]
    assert start % 64 == 0, start
    head = eval(data[10:start].decode(), {"__builtins__": {}})  # a dict literal, by definition of the format
    assert head["fortran_order"] is False
    rows, cols = head["shape"]
    codes = struct.unpack("<" + {"|i1": "b", "<i2": "h", "<i4": "i"}[head["descr"]] * (rows * cols), data[start:])
    return head["descr"], [list(codes[row * cols:(row + 1) * cols]) for row in range(rows)]


class ProbeTest(unittest.TestCase):
    """A folder of its own, an emulated chip that keeps its state there, and ways to call the program."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.uri = f"{SIM},state={self.folder}/chip.h5"

    def path(self, name, content=None):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content, encoding="utf-8")
        return str(path)

    def probe(self, *args, code=0, stdin=None, program=PROBE, **env):
        """Runs the program, holds its exit code, returns what it printed."""
        done = subprocess.run([program, *map(str, args)], input=stdin, capture_output=True, text=True,
                              env=environment(**env), timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL if stdin is None else None)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return Result(done.returncode, done.stdout, done.stderr)

    def chip(self, *args, **more):
        """The same on the chip that keeps its state."""
        return self.probe("-u", self.uri, *args, **more)

    def json(self, *args, **more):
        """The object that --json prints on stdout."""
        found = json.loads(self.probe("--json", *args, **more).out)
        self.assertEqual(found.pop("schema"), 1)
        return found

    def fails(self, code, *args, **more):
        """The sentence of a failure, which is all there is; the same comes as an object with --json."""
        plain = self.probe(*args, code=code, **more)
        self.assertEqual(plain.out, "")
        self.assertTrue(plain.err.startswith("nmhal-probe: "), plain.err)
        self.assertEqual(plain.err.count("\n"), 1, plain.err)
        told = self.probe("--json", *args, code=code, **more)
        self.assertEqual(told.out, "")
        error = json.loads(told.err)
        self.assertEqual(sorted(error), ["code", "message", "schema", "status"])
        self.assertEqual((error["schema"], error["code"]), (1, code))
        self.assertEqual("nmhal-probe: " + error["message"] + "\n", plain.err)
        self.assertRegex(error["status"], "^NMHAL_E_")
        return error["message"]

    def assert_has(self, text, *parts):
        for part in parts:
            self.assertIn(str(part), text)


def events(*lines):
    """Event CSV of (step, kind, address, value) or of whole lines."""
    return HEADER + "".join(
        line + "\n" if isinstance(line, str) else f"{line[0]},{line[1]},0,{line[2]},{line[3]}\n" for line in lines)


def spikes(text):
    """(step, kind, core, address, value) of the lines of event CSV."""
    assert text.startswith(HEADER), text[:80]
    fields = [line.split(",") for line in text[len(HEADER):].splitlines()]
    return [(int(step), kind, int(core), int(address), int(value)) for step, kind, core, address, value in fields]


def main():
    """Runs the tests of the file; exit status 77, with the reason last, when one was skipped and none failed."""
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    for _, reason in result.skipped:
        print(reason, flush=True)
    sys.exit(77 if result.skipped else 0)
