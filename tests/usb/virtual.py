# SPDX-License-Identifier: MIT
"""Virtual boards for programs that know nothing of them: vusbd serves usbfs, umockdev the rest of the machine."""
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

BUS = 1
MESSAGE = struct.Struct("<IiQIIIB3s8s")  # struct vusb_message of vusb.h
HELLO, REPLY, TELL = 0, 1, 13
PRELOAD = "libumockdev-preload.so.0"


def has_umockdev():
    return shutil.which("umockdev-run") is not None


def skip_without_umockdev():
    if not has_umockdev():
        print("skipped: umockdev-run is not installed")
        sys.exit(77)


def receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("vusbd closed the connection")
        data += part
    return data


class Board:
    """One board, in a vusbd of its own; params: model and what vusbd takes after it."""

    def __init__(self, vusbd, directory, number, *params):
        self.path = pathlib.Path(directory) / f"{BUS:03}-{number:03}"
        self.process = subprocess.Popen([vusbd, directory, str(BUS), str(number), *params],
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("vusbd did not start")

    def tell(self, text):
        """Says a line to the board (vusbd.h); returns the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.path))
            receive(connection, MESSAGE.size)
            connection.sendall(MESSAGE.pack(TELL, 0, 0, len(text), 0, 0, 0, b"", b"") + text.encode())
            while True:
                kind, status, _, size = MESSAGE.unpack(receive(connection, MESSAGE.size))[:4]
                answer = receive(connection, size).decode()
                if kind == REPLY:
                    break
        if status:
            raise OSError(-status, f"{text}: {os.strerror(-status)}")
        return answer

    def counters(self):
        return {name: int(value) for name, value in map(str.split, self.tell("counters").splitlines())}

    def close(self):
        self.tell("quit")
        self.process.wait(10)
        self.process.stdout.close()


class Machine:
    """A machine with boards; programs run on it by run() or by the prefix and environment of command()."""

    def __init__(self, vusbd, usbfs, *boards):
        """boards: (model, product, serial, CLK in Hz) of each, or the first of it."""
        self.directory = tempfile.mkdtemp(prefix="nmhal-vusb-")
        self.usbfs = usbfs
        self.boards = [Board(vusbd, self.directory, 2 + n, *map(str, params)) for n, params in enumerate(boards)]

    def command(self, *arguments):
        described = [word for board in self.boards for word in ("-d", str(board.path) + ".umockdev")]
        # Ours before umockdev's: what usbfs.c does not serve goes on to umockdev.
        return ["umockdev-run", *described, "--", "env", f"LD_PRELOAD={self.usbfs}:{PRELOAD}",
                f"NMHAL_TEST_VUSB={self.directory}", *map(str, arguments)]

    def run(self, *arguments, timeout=60, **options):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout, check=False,
                              **options)

    def close(self):
        for board in self.boards:
            board.close()
        shutil.rmtree(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
