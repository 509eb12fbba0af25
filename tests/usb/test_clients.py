#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_clients.py VUSBD USBFS LIBFTDI VENV: libftdi's own calls and pyftdi find the virtual FT2232H to be one.

VENV has pyftdi; scripts/test makes it.
"""
import pathlib
import struct
import sys
import tempfile
import unittest

import virtual

VUSBD, USBFS, LIBFTDI = map(lambda path: pathlib.Path(path).absolute(), sys.argv[1:4])
PYTHON = pathlib.Path(sys.argv[4]).absolute() / "bin/python3"
SERIAL = "NM000001"


class Clients(unittest.TestCase):
    def setUp(self):
        self.machine = virtual.Machine(VUSBD, USBFS, ("tinyodin", "NMHAL tinyODIN", SERIAL, 60000000))
        self.addCleanup(self.machine.close)

    def client(self, *command):
        done = self.machine.run(*command)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def synapses(self):
        with tempfile.NamedTemporaryFile() as file:
            self.machine.boards[0].tell(f"memory {file.name}")
            return struct.unpack("<8192I", file.read()[1024:])

    def test_libftdi(self):
        self.client(LIBFTDI, SERIAL)
        self.assertEqual(self.synapses()[5], 0x00C70000)
        self.assertEqual(self.machine.boards[0].tell("drivers"), "1 1")

    def test_pyftdi(self):
        self.assertRegex(self.client(PYTHON, pathlib.Path(__file__).with_name("pyftdi_client.py"), SERIAL),
                         r"Ran 1\d tests.*\n\nOK\n")
        synapses = self.synapses()
        for word in range(0, 8192, 97):
            self.assertEqual(synapses[word].to_bytes(4, "little"), bytes(37 * word + n & 255 for n in range(4)))


if __name__ == "__main__":
    virtual.skip_without_umockdev()
    if not PYTHON.exists():
        print(f"skipped: {PYTHON} is not there; scripts/test makes it, with pyftdi")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
