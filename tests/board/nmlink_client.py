# SPDX-License-Identifier: MIT
"""A host of nmlink in a few lines, written from nmlink/PROTOCOL.md: frames over any file descriptor of bytes."""
import os
import select
import struct
import time

HELLO, PING, ABORT, WRITE, READ, INFER, ARM, PULSE = 0x01, 0x03, 0x04, 0x10, 0x11, 0x20, 0x52, 0x63
OK, ECRC, ESESSION, EARM, EABORTED = 0, 4, 6, 11, 14
HEADER = struct.Struct("<BBHHHIHH")  # version flags op seq session size status credits
RECTANGLE = struct.Struct("<HHHHH")  # tile row column rows columns


def _crc_of(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [_crc_of(byte) for byte in range(256)]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def cobs_encode(data):
    out = bytearray()
    for block in (bytes(data) + b"\0").split(b"\0")[:-1]:
        while len(block) >= 254:
            out += b"\xff" + block[:254]
            block = block[254:]
        out += bytes([len(block) + 1]) + block
    return bytes(out) + b"\0"


def cobs_decode(data):
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        out += data[at + 1:at + code]
        at += code
        if code != 255 and at < len(data):
            out += b"\0"
    return bytes(out)


class Client:
    """One session over a descriptor. Requests are answered in order, one at a time."""

    def __init__(self, fd, timeout=10):
        self.fd, self.timeout = fd, timeout
        self.seq = self.session = 0
        self.rest = b""

    def send(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def frame(self, op, payload, seq=None, flags=0):
        head = HEADER.pack(1, flags, op, self.seq if seq is None else seq, self.session, len(payload), 0, 0) + payload
        return cobs_encode(head + struct.pack("<I", crc32c(head)))

    def recv(self):
        """(header fields, payload) of the next frame; None at the end of the stream, TimeoutError."""
        until = time.monotonic() + self.timeout
        while b"\0" not in self.rest:
            if not select.select([self.fd], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError("no frame")
            data = os.read(self.fd, 65536)
            if not data:
                return None
            self.rest += data
        coded, self.rest = self.rest.split(b"\0", 1)
        frame = cobs_decode(coded)
        assert crc32c(frame[:-4]) == struct.unpack("<I", frame[-4:])[0]
        return HEADER.unpack(frame[:16]), frame[16:-4]

    def request(self, op, payload=b""):
        """(status, payload) of the reply."""
        self.send(self.frame(op, payload))
        header, reply = self.recv()
        assert header[3] == self.seq and header[1] & 1
        self.seq += 1
        return header[6], reply

    def hello(self, session):
        self.seq = self.session = 0
        status, reply = self.request(HELLO, struct.pack("<IH", session, 0))
        assert status == OK and struct.unpack_from("<I", reply)[0] == session
        self.seq, self.session = 1, session & 0xFFFF
        return reply
