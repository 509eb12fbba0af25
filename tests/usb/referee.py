# SPDX-License-Identifier: MIT
"""Independent reader of recorded USB bytes: what an FT2232H and a tinyODIN make of them, from the datasheets alone.

Shares nothing with the C code: it counts SCK cycles, frames and address events, and keeps the memory image that the
frames describe.
"""
import struct
from collections import Counter

A_IN, A_OUT, B_IN, B_OUT = 0x81, 0x02, 0x83, 0x04
# Bytes that follow an opcode which is no shift.
ARGUMENTS = {0x80: 2, 0x82: 2, 0x86: 2} | {code: 0 for code in
             (0x81, 0x83, 0x84, 0x85, 0x87, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x96, 0x97, 0xAA, 0xAB)}


def packets(path):
    """(endpoint, payload) of every recorded bulk packet."""
    with open(path, "rb") as record:
        data = record.read()
    at = 0
    while at < len(data):
        endpoint, size = struct.unpack_from("<BH", data, at)
        yield endpoint, data[at + 3:at + 3 + size]
        at += 3 + size


def commands(stream):
    """(opcode, arguments or shifted bytes) of an MPSSE command stream."""
    at = 0
    while at < len(stream):
        code = stream[at]
        if code in (0x11, 0x31):
            size = 1 + struct.unpack_from("<H", stream, at + 1)[0]
            yield code, stream[at + 3:at + 3 + size]
            at += 3 + size
        elif code in ARGUMENTS:
            yield code, stream[at + 1:at + 1 + ARGUMENTS[code]]
            at += 1 + ARGUMENTS[code]
        else:
            raise ValueError(f"opcode 0x{code:02x} at byte {at} is none that a driver of this chip should send")


class Chip:
    """SPI side of a tinyODIN: registers and memories as the frames write them."""

    def __init__(self):
        self.registers = {}
        self.neurons = bytearray(4 * 256)
        self.synapses = bytearray(4 * 8192)
        self.frames = Counter()

    def frame(self, bits):
        address, data = bits >> 20, bits & 0xFFFFF
        write, op, place = address >> 18 & 1, address >> 16 & 3, address & 0xFFFF
        self.frames["config" if op == 0 else "read" if address >> 19 else "write" if write else "nothing"] += 1
        if op == 0 and place < 4:
            self.registers[place] = data & 0xFF
        if write and op in (1, 2) and self.registers.get(0, 0) & 1:
            self.store(op, place, data >> 8 & 0xFF, data & 0xFF)

    def store(self, op, place, keep, byte):
        if op == 1:
            memory, word, lane = self.neurons, place & 0xFF, place >> 8
        else:
            memory, word, lane = self.synapses, place & 0x1FFF, place >> 13 & 3
        if lane < 4:
            at = 4 * word + lane
            memory[at] = memory[at] & keep | byte & ~keep & 0xFF


class Wire:
    """What a recording says."""

    def __init__(self, path):
        self.packets, self.bytes = Counter(), Counter()
        streams = {A_OUT: bytearray(), B_OUT: bytearray()}
        for endpoint, payload in packets(path):
            size = len(payload) - (2 if endpoint & 0x80 else 0)
            self.packets[endpoint] += 1
            self.bytes[endpoint] += size
            if endpoint in streams:
                streams[endpoint] += payload
        self.chip = Chip()
        self.sck = self.events = self.catches = self.resets = 0
        self.channel_a(streams[A_OUT])
        self.catches = sum(1 for code, _ in commands(streams[B_OUT]) if code == 0x83)

    def channel_a(self, stream):
        pins, loopback, left = 0, False, b""
        for code, data in commands(stream):
            if code in (0x11, 0x31):
                self.sck += 8 * len(data)
                if loopback or pins & 0x08:  # RST high: the chip does not count
                    continue
                left += data
                while len(left) >= 5:
                    self.chip.frame(int.from_bytes(left[:5], "big"))
                    left = left[5:]
            elif code in (0x84, 0x85):
                loopback = code == 0x84
            elif code == 0x80:
                self.events += bool(data[0] & ~pins & 0x10)
                if data[0] & ~pins & 0x08:
                    self.resets += 1
                    left = b""
                pins = data[0]
        if left:
            raise ValueError(f"{len(left)} bytes that are no whole frame")
