#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nmhal-vboard over sockets and pseudo-terminals, with a client that knows the protocol and nothing of the library.

usage: test_vboard.py NMHAL_VBOARD COMPLETION_SCRIPT
"""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tty
import unittest

import nmlink_client as nm

VBOARD = COMPLETION = ""
FRAMES = 24  # of 60 kB: more than both ends of a socket and the board hold
LONG = 250  # vectors of 1024 in a request
WEIGHTS = bytes([1, 2, 3, 0x100 - 4, 5, 6])  # 2 rows of 3


def rectangle(rows, cols):
    return nm.RECTANGLE.pack(0, 1, 2, rows, cols)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Board(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "board,1.sock")

    def start(self, *args):
        """The process and its URI."""
        process = subprocess.Popen([VBOARD, *args], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def stop(self, process):
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), 0)

    def refused(self, *args):
        done = subprocess.run([VBOARD, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20,
                              check=False)
        return done.returncode, done.stderr

    def connect(self, uri):
        """A client; its descriptor is closed by close()."""
        way, _, rest = uri.partition(":")
        values = dict(pair.split("=") for pair in rest.split(","))
        if way == "tty":
            fd = os.open(values["path"], os.O_RDWR | os.O_NOCTTY)
            tty.setraw(fd)
            return nm.Client(fd)
        if way == "unix":
            link = socket.socket(socket.AF_UNIX)
            link.connect(values["path"].replace("%2C", ","))
        else:
            link = socket.create_connection((values["host"], int(values["port"])))
        return nm.Client(link.detach())

    def close(self, client):
        os.close(client.fd)

    def check_board(self, client):
        """Weights and inference; arming and a pulse."""
        reply = client.hello(0x51234)
        self.assertEqual(struct.unpack_from("<H", reply, 6)[0], 8)
        self.assertEqual(client.request(nm.WRITE, rectangle(2, 3) + WEIGHTS)[0], nm.OK)
        self.assertEqual(client.request(nm.READ, rectangle(2, 3) + struct.pack("<Q", 0)), (nm.OK, WEIGHTS))
        status, reply = client.request(nm.INFER, rectangle(2, 3) + struct.pack("<HHHQ", 1, 0, 0, 0) + bytes([60, 60]))
        self.assertEqual((status, len(reply)), (nm.OK, 4))
        pulse = struct.pack("<HHHHiIII", 0, 0, 0, 0, 1500000, 100, 0, 1)
        self.assertEqual(client.request(nm.PULSE, pulse)[0], nm.EARM)
        self.assertEqual(client.request(nm.ARM, struct.pack("<I", 60000))[0], nm.OK)
        self.assertEqual(client.request(nm.PULSE, pulse)[0], nm.OK)

    def check_next_client(self, uri, first):
        """What the first client left behind is not seen by the second."""
        for _ in range(5):
            first.send(first.frame(nm.PING, b"x" * 3000))
            first.seq += 1
        first.send(first.frame(nm.PING, b"half")[:9])
        self.close(first)
        time.sleep(0.05)
        second = self.connect(uri)
        status, _ = second.request(nm.PING)  # of no session
        self.assertEqual(status, nm.ESESSION)
        second.hello(0x69999)
        self.assertEqual(second.request(nm.READ, rectangle(2, 3) + struct.pack("<Q", 0)), (nm.OK, WEIGHTS))
        pulse = struct.pack("<HHHHiIII", 0, 0, 0, 0, 1500000, 100, 0, 1)
        self.assertEqual(second.request(nm.PULSE, pulse)[0], nm.EARM)
        self.close(second)

    def check_way(self, *args):
        process, uri = self.start("xbar64,seed=7", *args)
        client = self.connect(uri)
        self.check_board(client)
        self.check_next_client(uri, client)
        self.stop(process)
        return uri

    def test_unix(self):
        uri = self.check_way("--unix", self.path)
        self.assertEqual(uri, "unix:path=" + self.path.replace(",", "%2C"))
        self.assertFalse(os.path.exists(self.path))

    def test_tcp(self):
        self.assertRegex(self.check_way("--tcp", "0"), r"^tcp:host=127\.0\.0\.1,port=\d+$")

    def test_pty(self):
        self.assertRegex(self.check_way("--pty"), r"^tty:path=/dev/pts/\d+$")

    def test_second_client_is_turned_away(self):
        process, uri = self.start("xbar8", "--unix", self.path)
        first = self.connect(uri)
        first.hello(0x11)
        second = self.connect(uri)
        self.assertIsNone(second.recv())
        self.close(second)
        self.assertEqual(first.request(nm.PING, b"still here"), (nm.OK, b"still here"))
        self.close(first)
        third = self.connect(uri)
        third.hello(0x12)
        self.close(third)
        self.stop(process)

    def test_clients_one_right_after_the_other(self):
        process, uri = self.start("xbar8", "--tcp", "0")
        for session in range(1, 40):
            client = self.connect(uri)
            client.hello(session)
            self.close(client)
        self.stop(process)

    def test_replies_over_tcp_wait_for_no_acknowledgement(self):
        process, uri = self.start("xbar8", "--tcp", "0")
        client = self.connect(uri)
        client.hello(0x21)
        start = time.monotonic()
        for _ in range(100):
            client.send(client.frame(nm.PING, b"a") + client.frame(nm.PING, b"b", client.seq + 1))
            client.seq += 2
            for _ in range(2):
                self.assertIsNotNone(client.recv())
        self.assertLess(time.monotonic() - start, 2)  # with 40 ms a pair it is 4
        self.close(client)
        self.stop(process)

    def test_a_host_that_is_gone_is_noticed(self):
        process, uri = self.start("xbar8", "--tcp", "0")
        client = self.connect(uri)
        client.hello(0x22)
        port = f":{int(uri.rpartition('=')[2]):04X}"
        timers = [line.split()[5] for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
                  if line.split()[1].endswith(port) and line.split()[3] == "01"]
        self.assertEqual([timer[:3] for timer in timers], ["02:"])  # one connection, and the timer of SO_KEEPALIVE
        self.close(client)
        self.stop(process)

    def test_large_frames_and_a_client_that_does_not_read(self):
        process, uri = self.start("xbar8,window=8", "--unix", self.path)
        client = self.connect(uri)
        client.hello(0x77)
        frames = [client.frame(nm.PING, bytes([n]) * 60000, seq=n) for n in range(1, FRAMES + 1)]
        os.set_blocking(client.fd, False)
        sent = received = 0
        data = b"".join(frames)
        while sent < len(data):  # until both buffers are full: the board takes no more
            try:
                sent += os.write(client.fd, data[sent:])
            except BlockingIOError:
                break
        self.assertLess(sent, len(data))
        before = processor_seconds(process.pid)
        time.sleep(0.3)
        self.assertLess(processor_seconds(process.pid) - before, 0.1)
        os.set_blocking(client.fd, True)
        while received < FRAMES:
            header, payload = client.recv()
            received += 1
            self.assertEqual((header[3], header[6]), (received, nm.OK))
            self.assertEqual(payload, bytes([received]) * 60000)
            if sent < len(data):
                os.set_blocking(client.fd, False)
                try:
                    sent += os.write(client.fd, data[sent:])
                except BlockingIOError:
                    pass
                os.set_blocking(client.fd, True)
        self.close(client)
        self.stop(process)

    def test_garbage_is_answered_and_forgotten(self):
        process, uri = self.start("xbar8", "--unix", self.path)
        client = self.connect(uri)
        client.hello(0x33)
        client.send(b"\1\2\3\0")
        self.assertEqual(client.recv()[0][6], nm.ECRC)
        wrong = bytearray(nm.cobs_decode(client.frame(nm.PING, b"abc")[:-1]))
        wrong[17] ^= 1
        client.send(nm.cobs_encode(wrong))
        header, _ = client.recv()
        self.assertEqual((header[6], header[3]), (nm.ECRC, 1))
        client.send(b"\xff" * 200000 + b"\0")
        self.assertEqual(client.request(nm.PING, b"abc"), (nm.OK, b"abc"))
        self.close(client)
        self.stop(process)

    def test_watchdog(self):
        process, uri = self.start("xbar8", "--unix", self.path)
        client = self.connect(uri)
        client.hello(0x44)
        self.assertEqual(client.request(nm.ARM, struct.pack("<I", 50))[0], nm.OK)
        time.sleep(0.2)
        pulse = struct.pack("<HHHHiIII", 0, 0, 0, 0, 1500000, 100, 0, 1)
        status, reply = client.request(nm.PULSE, pulse)
        self.assertEqual((status, struct.unpack_from("<I", reply)[0]), (nm.EARM, 1))
        self.close(client)
        self.stop(process)

    def infer(self, vectors):
        return self.whole + struct.pack("<HHHQ", vectors, 0, 0, 9) + self.inputs[:vectors * 1024]

    def long_requests(self, session):
        """A board at work, and a client; the outputs of two vectors, the seconds that one long request takes."""
        process, uri = self.start("xbar1024,simd=off,noise=pcm,max_frame=1048576", "--unix", self.path)
        client = self.connect(uri)
        client.hello(session)
        self.whole = nm.RECTANGLE.pack(0, 0, 0, 1024, 1024)
        self.inputs = bytes(n % 63 + 1 for n in range(LONG * 1024))
        row = nm.RECTANGLE.pack(0, 0, 0, 1, 1024) + bytes(n % 120 + 1 for n in range(1024))
        self.assertEqual(client.request(nm.WRITE, row)[0], nm.OK)
        few = client.request(nm.INFER, self.infer(2))
        began = time.monotonic()
        self.assertEqual(client.request(nm.INFER, self.infer(LONG))[0], nm.OK)
        return process, uri, client, few, time.monotonic() - began

    def test_an_abort_overtakes(self):
        process, _, client, few, seconds = self.long_requests(0x71)
        first = client.seq
        for seq, vectors in enumerate((LONG, 2, 2), first):
            client.send(client.frame(nm.INFER, self.infer(vectors), seq))
        time.sleep(seconds / 10)
        client.seq += 3
        began = time.monotonic()
        client.send(client.frame(nm.ABORT, b"", flags=4))
        answers = [client.recv()[0] for _ in range(4)]
        self.assertLess(time.monotonic() - began, seconds)
        self.assertEqual([(header[1], header[3], header[6]) for header in answers],
                         [(5, client.seq, nm.OK)] + [(1, first + n, nm.EABORTED) for n in range(3)])
        self.assertEqual(client.request(nm.PING, b"on")[0], nm.OK)
        self.assertEqual(client.request(nm.INFER, self.infer(2)), few)
        self.close(client)
        self.stop(process)

    def test_a_client_that_leaves_ends_its_requests(self):
        process, uri, client, _, seconds = self.long_requests(0x72)
        client.send(client.frame(nm.INFER, self.infer(LONG)))
        self.close(client)
        began = time.monotonic()
        second = self.connect(uri)
        second.hello(0x73)
        self.assertLess(time.monotonic() - began, seconds / 2 + 0.1)
        self.close(second)
        self.stop(process)

    def test_rests_while_nothing_happens(self):
        for args in [("--unix", self.path), ("--pty",)]:
            process, uri = self.start("xbar8", *args)
            client = self.connect(uri)
            client.hello(0x55)
            self.close(client)
            before = processor_seconds(process.pid)
            time.sleep(0.3)
            self.assertLess(processor_seconds(process.pid) - before, 0.1)
            self.stop(process)

    def test_once(self):
        for args in [("--unix", self.path), ("--pty",)]:
            process, uri = self.start("spike256", "--once", *args)
            client = self.connect(uri)
            client.hello(0x66)
            self.close(client)
            self.assertEqual(process.wait(10), 0)

    def test_json(self):
        process, line = self.start("xbar8,seed=3", "--unix", self.path, "--json")
        self.assertEqual(json.loads(line), {"schema": 1, "uri": "unix:path=" + self.path.replace(",", "%2C"),
                                            "board": "xbar8", "serial": "SIM-xbar8-3", "pid": process.pid})
        self.stop(process)

    def test_a_place_in_use(self):
        process, _ = self.start("xbar8", "--unix", self.path)
        code, words = self.refused("xbar8", "--unix", self.path)
        self.assertEqual(code, 5)
        self.assertIn("in use", words)
        process.kill()
        process.wait()
        self.assertTrue(os.path.exists(self.path))  # left behind, and then replaced
        process, _ = self.start("xbar8", "--unix", self.path)
        self.stop(process)
        pathlib.Path(self.path).write_text("no socket", encoding="ascii")
        self.assertEqual(self.refused("xbar8", "--unix", self.path)[0], 5)
        self.assertEqual(pathlib.Path(self.path).read_text(encoding="ascii"), "no socket")

    def test_usage(self):
        for args, words in [([], "give a board"), (["xbar8"], "give a board"), (["xbar9", "--pty"], "there are: xbar8"),
                            (["xbar8", "--pty", "--tcp", "0"], "one of"), (["xbar8", "--tcp", "70000"], "0 to 65535"),
                            (["xbar8,seed", "--pty"], "KEY=VALUE"), (["xbar8,window=3", "--pty"], "window=3"),
                            (["spike256,noise=pcm", "--pty"], "spike256 has no such key"),
                            (["xbar8", "--tcp", "0", "--address", "nowhere"], "nowhere: not an IPv4 address"),
                            (["xbar8", "--unix", self.path, "--address", "127.0.0.1"], "goes with --tcp")]:
            code, said = self.refused(*args)
            self.assertEqual(code, 2, said)
            self.assertIn(words, said)
        # An address that is not of this machine (RFC 5737) is no mistake of writing.
        code, said = self.refused("xbar8", "--tcp", "0", "--address", "192.0.2.1")
        self.assertEqual(code, 1)
        self.assertIn("192.0.2.1", said)

    def test_list(self):
        done = subprocess.run([VBOARD, "--list"], stdout=subprocess.PIPE, text=True, check=True)
        for word in ["xbar1024", "spike256", "noise", "clk_hz"]:
            self.assertIn(word, done.stdout)

    def complete(self, *words):
        script = ('. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nmhal_vboard "$1"; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, COMPLETION, VBOARD, *words], stdout=subprocess.PIPE, text=True,
                              check=True)
        return done.stdout.split()

    def test_completion(self):
        self.assertEqual(self.complete("xbar2"), ["xbar256"])
        self.assertEqual(self.complete("xbar8", "--p"), ["--pty"])
        self.assertEqual(self.complete("xbar8", "--tcp", ""), [])
        self.assertIn("spike256", self.complete(""))
        options = subprocess.run([VBOARD, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
        for option in self.complete("--"):
            self.assertIn(option, options)


if __name__ == "__main__":
    VBOARD, COMPLETION = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
