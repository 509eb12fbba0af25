#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_kernel.py PROBE REDIR DATA RULES CACHE: nmhal-probe in a virtual machine with Debian's own kernel.

The boards are virtual (tests/usb/model.h: a tinyODIN behind an FT2232H, an nmlink board) and reach the machine through
usb-redir; all else is as on a bench: xhci, the kernel's USB core, ftdi_sio, usbfs, systemd-udevd with the rules of
udev/, libusb and libftdi1. The guest runs `init`, once; the tests look at what it printed.
"""
import gzip
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

import guest

HERE = pathlib.Path(__file__).parent
BOOT_SECONDS = 180
UNPLUG_AFTER = 5000   # address events of all steps, markers included
RUN_EVENTS = 20000    # of the run that loses its board
UNPLUG_FRAMES = 1500  # of nmlink; the steps before need fewer
RUN_VECTORS = 20000   # one a frame, of the inference that loses its board


def episode(data, open_loop):
    """The golden episode of that kind with the fewest outputs."""
    with gzip.open(data / "tinyodin_edges.jsonl.gz", "rt", encoding="ascii") as lines:
        episodes = [json.loads(line) for line in lines]
    found = [one for one in episodes if one["cfg"]["open_loop"] == open_loop and one["cfg"]["max_neur"] < 255]
    return min(found, key=lambda one: sum(map(len, one["aer_out"])))


def npy(path, rows, cols):
    """Random codes -8..7."""
    values = bytes(random.Random(3).choices(list(range(8)) + list(range(248, 256)), k=rows * cols))
    header = f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({rows}, {cols}), }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values)


def fill(root, probe, data, rules):
    """What the guest needs."""
    for program in ("/bin/busybox", str(probe), "udevadm"):
        root.program(program)
    (root.folder / "bin/systemd-udevd").symlink_to("udevadm")  # its name decides what it is
    (root.folder / "lib/systemd").mkdir(parents=True)
    (root.folder / "lib/systemd/systemd-udevd").symlink_to("/bin/udevadm")
    root.add(HERE / "init", "init")
    root.add("/usr/lib/udev/rules.d/50-udev-default.rules", "lib/udev/rules.d/50-udev-default.rules")
    root.add(rules / "70-nmhal.rules", "lib/udev/rules.d/70-nmhal.rules")
    root.add(rules / "71-nmhal-group.rules", "71-nmhal-group.rules")
    root.write("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    root.write("etc/group", "root:x:0:\nplugdev:x:46:nobody\nnogroup:x:65534:\n" + "".join(
        f"{name}:x:{number}:\n" for number, name in enumerate(
            ("tty", "disk", "dialout", "lp", "audio", "video", "cdrom", "tape", "kmem", "input", "sgx", "kvm",
             "render"), 200)))
    root.write("open.jsonl", json.dumps(episode(data, 1)) + "\n")
    root.write("closed.jsonl", json.dumps(episode(data, 0)) + "\n")
    root.write("events.csv", "step,kind,core,address,value\n" + "".join(
        f"{n},spike,0,{n % 256},0\n" for n in range(RUN_EVENTS)))
    npy(root.folder / "weights.npy", 256, 256)
    npy(root.folder / "small.npy", 8, 8)
    npy(root.folder / "vectors.npy", RUN_VECTORS, 8)


def steps(probe, redir, data, rules, cache):
    """{name: (status, text)} of the steps of the guest."""
    guest.need("qemu-system-x86_64", "cpio", "depmod", "dpkg-deb", "apt-get", "busybox", "udevadm", "ldd")
    kernel = guest.fetch_kernel(cache)
    with tempfile.TemporaryDirectory() as work:
        root = guest.Root(os.path.join(work, "root"))
        fill(root, probe, data, rules)
        root.modules(kernel, ["xhci-pci", "ftdi_sio"])
        initramfs = os.path.join(work, "initramfs")
        root.pack(initramfs)
        boards = [("tinyodin", "NM000001", UNPLUG_AFTER), ("xbar8", "NM-0042", UNPLUG_FRAMES)]
        sockets = [os.path.join(work, model) for model, _, _ in boards]
        served = [subprocess.Popen([redir, socket, *map(str, board)], stdout=subprocess.PIPE, text=True)
                  for socket, board in zip(sockets, boards)]
        try:
            for board in served:
                board.stdout.readline()
            text = guest.boot(kernel, initramfs, sockets, BOOT_SECONDS)
        finally:
            for board in served:
                board.kill()
                board.wait()
                board.stdout.close()
    text = text.replace("\r", "")
    print(text)
    return {name: (int(status), said) for name, said, status in
            re.findall(r"^BEGIN (\S+)\n(.*?)^END \1 (\d+)$", text, re.M | re.S)}


class Kernel(unittest.TestCase):
    """Each test is about a step of `init`."""
    steps = {}

    def step(self, name, status=0):
        self.assertIn(name, self.steps, "the guest did not get there")
        got, text = self.steps[name]
        self.assertEqual(got, status, text)
        return text

    def test_kernel_takes_the_board_as_serial_ports(self):
        self.assertEqual(self.step("attached").split(), ["ftdi_sio", "ftdi_sio"])

    def test_rules_mark_the_board(self):
        text = self.step("rules")
        for wanted in ("ID_NMHAL=1", "ID_MM_DEVICE_IGNORE=1", "power/control=on"):
            self.assertIn(wanted, text)
        self.assertRegex(text, r"TAGS=.*:uaccess:")

    def test_list_finds_the_board(self):
        found = json.loads(self.step("list"))["devices"]
        self.assertIn("NM000001", [one["serial"] for one in found if one["uri"].startswith("ftdi:")])
        # Its ports are called as it is, but nothing behind them speaks nmlink.
        self.assertEqual([], [one for one in found if one["uri"].startswith("tty:")])

    def test_golden_episodes_are_identical(self):
        for name in ("open-loop", "closed-loop"):
            self.assertRegex(self.step(name), r"identical")

    def test_program_with_verify(self):
        self.step("program")

    def test_selftest(self):
        self.step("selftest")

    def test_kernel_has_its_serial_ports_again(self):
        self.assertEqual(self.step("reattached").split(), ["ftdi_sio", "ftdi_sio"])

    def test_access_needs_the_rules(self):
        self.assertIn("70-nmhal.rules", self.step("denied", 4))
        self.assertIn("plugdev", self.step("group"))
        self.step("allowed")

    def test_nmlink_board_is_found_by_its_interface(self):
        text = self.step("nmlink-rules")
        for wanted in ("ID_NMHAL=1", "ID_MM_DEVICE_IGNORE=1", "power/control=on"):
            self.assertIn(wanted, text)
        self.assertRegex(text, r"TAGS=.*:uaccess:")
        found = json.loads(self.step("list"))["devices"]
        self.assertIn("usb:nmlink,serial=NM-0042", [one["uri"] for one in found])
        self.assertEqual(json.loads(self.step("nmlink-info"))["board"], "xbar8")

    def test_nmlink_board_computes(self):
        self.step("nmlink-program")
        self.step("nmlink-infer")

    def test_nmlink_access_needs_the_rules(self):
        self.assertIn("70-nmhal.rules", self.step("nmlink-denied", 4))
        self.step("nmlink-allowed")

    def test_nmlink_board_leaves_in_the_middle_of_an_inference(self):
        self.step("nmlink-unplug", 10)
        self.step("nmlink-replug")

    def test_unplug_in_the_middle_of_a_run(self):
        self.step("unplug", 10)
        self.step("replug")


if __name__ == "__main__":
    try:
        Kernel.steps = steps(*map(lambda path: pathlib.Path(path).absolute(), sys.argv[1:6]))
    except guest.Missing as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
