#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_matrix.py pairs|all CARRIER PROBE CONFORMANCE VBOARD VUSBD USBFS: the conformance suite and nmhal-probe
conformance on emulated boards behind a carrier with faults on it (matrix.py). Behind USB are the real libusb and
libftdi over a usbfs of the tests. Prints what each cell did and cost."""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import matrix

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "usb"))
import virtual  # pylint: disable=wrong-import-position

EVERY, CARRIER = sys.argv[1] == "all", sys.argv[2]
PROBE, CONFORMANCE, VBOARD, VUSBD, USBFS = (str(pathlib.Path(path).absolute()) for path in sys.argv[3:8])
TIMEOUT = 240  # seconds of one program


class Far:
    """A board behind the carrier, new in each cell: its URI, and what programs are run with."""

    def __init__(self, profile):
        self.prefix, self.process, self.machine = (), None, None
        self.folder = tempfile.mkdtemp()
        if CARRIER == "sim":
            self.uri = f"sim:{profile}"
        elif CARRIER in ("unix", "tcp", "tty"):
            place = {"unix": ("--unix", os.path.join(self.folder, "board")), "tcp": ("--tcp", "0"), "tty": ("--pty",)}
            self.process = subprocess.Popen([VBOARD, profile, *place[CARRIER]], stdout=subprocess.PIPE, text=True)
            self.uri = self.process.stdout.readline().strip()
        else:
            model = profile if CARRIER == "usb" else f"{CARRIER}+{profile}"
            self.machine = virtual.Machine(VUSBD, USBFS, (model, "", "NM-0042"))
            self.prefix = self.machine.command()
            self.uri = "usb:serial=NM-0042" if CARRIER == "usb" else f"ftdi:nmlink,serial=NM-0042,mode={CARRIER}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
            self.process.stdout.close()
        if self.machine:
            self.machine.close()
        shutil.rmtree(self.folder)

    def run(self, *command, **env):
        return subprocess.run([*self.prefix, *command], env={**os.environ, **env}, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)


def cpu_seconds():
    """Of all programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Matrix(unittest.TestCase):
    def suite(self, far, fault, seed):
        """The conformance suite of the interface; how many faults there were."""
        env = {"NMHAL_TEST_FAULTS": fault, "NMHAL_TEST_SEED": str(seed), "NMHAL_LOG": "info"} if fault else {}
        done = far.run(CONFORMANCE, CK_FORK="no", NMHAL_TEST_URI=far.uri, **env)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
        self.assertRegex(done.stdout, r"\b[1-9][0-9]+ tests, 0 failed")
        return done.stderr.count(": injected fault: ")

    def protocol(self, far, profile, fault, seed):
        """The conformance run of the protocol; faults, and cases that were tried again."""
        uri = f"{far.uri},fault={fault},fault_seed={seed}" if fault else far.uri
        done = far.run(PROBE, "--json", "conformance", uri, "--pulse", "0,1,2")
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-1000:])
        found = json.loads(done.stdout)
        self.assertTrue(found["conforms"])
        self.assertEqual(found["board"]["model"], profile)
        self.assertEqual(found["passed"] + found["not_there"], len(found["cases"]))
        if not fault:
            return 0, 0
        self.assertEqual((found["faults"]["fault"], found["faults"]["seed"]), (fault, str(seed)))
        return found["faults"]["injected"], found["faults"]["repeated"]

    def is_found(self, far, profile):
        """By its URI, and on USB by whoever looks for boards."""
        done = far.run(PROBE, "--json", "-u", far.uri, "info")
        self.assertEqual(json.loads(done.stdout)["board"], profile, done.stderr)
        if CARRIER == "usb":
            done = far.run(PROBE, "--json", "list", "usb")
            self.assertEqual([one["uri"] for one in json.loads(done.stdout)["devices"]], ["usb:nmlink,serial=NM-0042"])

    def test_cells(self):
        cells = matrix.cells(CARRIER, EVERY)
        self.assertGreaterEqual(len(cells), len(matrix.FAULTS))
        for profile, name, seed in cells:
            fault = matrix.fault_of(CARRIER, name)
            with self.subTest(profile=profile, carrier=CARRIER, fault=fault, seed=seed):
                cpu, wall = cpu_seconds(), time.monotonic()
                with Far(profile) as far:
                    if not fault:
                        self.is_found(far, profile)
                    injected = self.suite(far, fault, seed)
                    more, repeated = self.protocol(far, profile, fault, seed)
                self.assertEqual(injected + more > 0, bool(fault))
                print(f"{profile:9} {CARRIER:5} {name:6} {injected:4} + {more:3} faults, {repeated:2} cases again, "
                      f"{cpu_seconds() - cpu:5.1f} s of CPU, {time.monotonic() - wall:5.1f} s", flush=True)


if __name__ == "__main__":
    if CARRIER in ("usb", "uart", "fifo"):
        virtual.skip_without_umockdev()
    unittest.main(argv=sys.argv[:1], verbosity=2)
