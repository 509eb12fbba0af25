#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ctrl-C at every stage of nmhal-probe's long commands, seen from the board: it is brought to rest before the end.

usage: test_interrupt.py NMHAL_PROBE NMHAL_VBOARD
A tap between the two tells what passes, and sends SIGINT at a chosen request.
"""
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import nmlink_client as nm

PROBE = VBOARD = ""
HELLO, CAPS, WRITE, INFER, START, SEND, STOP, ARM, SAFE, SET_CELL, CONDUCTANCE = (
    0x01, 0x02, 0x10, 0x20, 0x33, 0x34, 0x36, 0x52, 0x54, 0x61, 0x64)
REPLY, EOP = 1, 2
SOON = 5  # seconds; each command would take much longer
PULSE = struct.pack("<HHHHiIII", 0, 0, 0, 0, 1500000, 100, 0, 1)


class Tap(threading.Thread):
    """Carries the bytes of one client at a time; `seen`: (flags, op, status) of each frame, in order."""

    def __init__(self, path, board):
        super().__init__(daemon=True)
        self.board, self.seen = board, []
        self.op, self.count, self.process = None, 0, None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.start()

    def interrupt_at(self, op, count, process):
        self.op, self.count, self.process = op, count, process

    def look(self, coded):
        frame = nm.cobs_decode(coded)
        if len(frame) < 20:
            return
        _, flags, op, _, _, _, status, _ = nm.HEADER.unpack(frame[:16])
        self.seen.append((flags, op, status))
        if not flags & REPLY and op == self.op:
            self.count -= 1
            if not self.count:
                self.process.send_signal(signal.SIGINT)

    def carry(self, client, board):
        rest = {client: b"", board: b""}
        while True:
            for end in select.select([client, board], [], [])[0]:
                data = end.recv(1 << 20)
                if not data:
                    return
                rest[end] += data
                (board if end is client else client).sendall(data)
                *frames, rest[end] = rest[end].split(b"\0")
                for coded in frames:
                    self.look(coded)

    def run(self):
        while True:
            client, _ = self.listener.accept()
            board = socket.socket(socket.AF_UNIX)
            board.connect(self.board)
            try:
                self.carry(client, board)
            except OSError:
                pass  # one end is gone, which ends the other
            client.close()
            board.close()


class Interrupt(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, board):
        place = str(self.folder / "board.sock")
        process = subprocess.Popen([VBOARD, board, "--unix", place], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        self.tap = Tap(str(self.folder / "tap.sock"), place)

    def interrupted(self, op, count, *command):
        """Runs until the count-th request `op`, where SIGINT comes; what passed the tap."""
        del self.tap.seen[:]
        environment = {name: value for name, value in os.environ.items() if name not in ("NMHAL_URI", "NMHAL_LOG")}
        process = subprocess.Popen([PROBE, "-u", f"unix:path={self.folder}/tap.sock", *command],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.tap.interrupt_at(op, count, process)
        while self.tap.count and process.poll() is None:
            time.sleep(0.005)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - began, SOON)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("interrupted", err)
        time.sleep(0.02)  # the end of the connection reaches the tap
        return list(self.tap.seen)

    def check(self, op, count, *command):
        """The last request that the board answers brings it to rest; a run has stopped before, the board works."""
        with self.subTest(command=command[0], op=hex(op), count=count):
            seen = self.interrupted(op, count, *command)
            self.assertEqual([entry for entry in seen if entry[0] & REPLY][-1], (REPLY, SAFE, nm.OK))
            if op == SEND:
                self.assertIn((REPLY, STOP, nm.OK), seen)
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(self.folder / "tap.sock"))
            client = nm.Client(link.detach())
            client.hello(0x9 + count)
            self.assertIn(client.request(nm.PULSE, PULSE)[0], (nm.EARM, EOP))
            self.assertEqual(client.request(nm.PING, b"on"), (nm.OK, b"on"))
            os.close(client.fd)
            time.sleep(0.02)

    def matrix(self, name, rows, cols):
        head = f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({rows}, {cols}), }}".ljust(117) + "\n"
        path = self.folder / name
        path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", 118) + head.encode() +
                         bytes(n % 60 for n in range(cols)) * rows)
        return str(path)

    def test_infer_and_program(self):
        self.serve("xbar1024,simd=off,noise=pcm")
        vectors = self.matrix("x.npy", 4000, 1024)
        for op, count in ((HELLO, 1), (CAPS, 1), (INFER, 1), (INFER, 2), (INFER, 12)):
            self.check(op, count, "infer", vectors)
        weights = self.matrix("w.npy", 1024, 1024)
        for op, count in ((WRITE, 1), (WRITE, 4)):
            self.check(op, count, "program", weights)

    def test_run(self):
        self.serve("spike256")
        source = self.folder / "in.csv"
        source.write_text("step,kind,core,address,value\n0,spike,0,3,0\n", encoding="ascii")
        for op, count in ((START, 1), (SEND, 1), (SEND, 3), (SEND, 50)):
            self.check(op, count, "run", str(source), "-l", "--steps", str(4 * 10**9))

    def test_cells(self):
        self.serve("xbar64,noise=pcm")
        ramp = ("--start=300mV", "--step=0V", "--stop=300mV", "--width=1us", "--target=20uS", "--pulses=100000", "-y")
        for op, count in ((ARM, 1), (SET_CELL, 1)):
            self.check(op, count, "cells", "set", "0,0,0", *ramp)
        self.check(CONDUCTANCE, 1, "cells", "conductance", "-a", "65535")


if __name__ == "__main__":
    PROBE, VBOARD = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
