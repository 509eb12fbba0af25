#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of the corpora: sessions in which every request occurs, and the frames of PROTOCOL.md."""
import pathlib
import re
import struct

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECTANGLE = struct.pack("<5H", 0, 1, 2, 2, 3)
CELL = struct.pack("<4H", 0, 3, 4, 1)
RAMP = CELL + struct.pack("<6IQ", 5000000, 100000, 50000, 300000, 1000, 4, 9)
NEURON = struct.pack("<3iI", 100, 3, -5, 1)
SPIKE = struct.pack("<HHBbH", 0, 7, 0, 0, 0)

# Payloads by name of the message, as the board of examples/firmware/ takes them.
PAYLOADS = {
    "CAPS": struct.pack("<I", 0), "PING": b"anything", "RESTART": b"", "ABORT": b"",
    "WRITE": RECTANGLE + bytes([1, 2, 3, 0xFD, 0xFE, 0xFF]), "READ": RECTANGLE + bytes(8),
    "WRITE_CELLS": struct.pack("<HHHhHHh", 0, 1, 2, -127, 31, 31, 127),
    "READ_CELLS": struct.pack("<HQHHh", 0, 1, 2, 3, 0), "ADD_CELLS": struct.pack("<HHHh", 0, 1, 2, 300),
    "INFER": RECTANGLE + struct.pack("<HHHQ", 2, 0, 0, 7) + bytes([10, 0xF0, 63, 0xC0]),
    "WRITE_NEURONS": struct.pack("<HH", 0, 30) + 2 * NEURON, "READ_NEURONS": struct.pack("<HHH", 0, 0, 32),
    "RESET_STATE": b"", "SPIKES_START": struct.pack("<I", 2), "SPIKES_SEND": struct.pack("<I", 0) + 3 * SPIKE,
    "SPIKES_READ": struct.pack("<I", 0), "SPIKES_STOP": b"", "GET_ATTR": bytes(2),
    "SET_ATTR": struct.pack("<Hq", 0, 5), "GET_SENSOR": bytes(2), "GET_COUNTER": bytes(2), "GET_LIMITS": b"",
    "SET_LIMITS": struct.pack("<5I", 3000000, 0, 500000, 50, 0), "ARM": struct.pack("<I", 1000), "DISARM": b"",
    "SAFE_STATE": b"", "FORM_CELL": RAMP, "SET_CELL": RAMP, "RESET_CELL": RAMP,
    "PULSE_CELL": CELL + struct.pack("<iIII", -250000, 1000, 1000, 3),
    "READ_CONDUCTANCE": RECTANGLE + struct.pack("<HHQ", 1, 8, 3),
    "SWEEP_CELL": CELL + struct.pack("<iiIIQ", -300000, 100000, 7, 1000, 1), "READ_SWEEP": bytes(4),
}
SESSIONS = {
    "weights": ["CAPS", "WRITE", "READ", "WRITE_CELLS", "READ_CELLS", "ADD_CELLS", "INFER", "PING"],
    "spikes": ["WRITE_NEURONS", "READ_NEURONS", "RESET_STATE", "SPIKES_START", "SPIKES_SEND", "SPIKES_READ",
               "SPIKES_STOP"],
    "cells": ["GET_LIMITS", "SET_LIMITS", "ARM", "FORM_CELL", "SET_CELL", "RESET_CELL", "PULSE_CELL",
              "READ_CONDUCTANCE", "SWEEP_CELL", "READ_SWEEP", "DISARM", "PULSE_CELL"],
    "rest": ["GET_ATTR", "SET_ATTR", "GET_SENSOR", "GET_COUNTER", "SAFE_STATE", "RESTART", "ABORT"],
}


def link_input(opcodes):
    """A board that has everything, and good answers to what fuzz/link.c asks it."""
    def record(tag, value):
        return struct.pack("<HH", tag, len(value)) + value

    ops = sorted(code for name, code in opcodes.items() if code > 4 and name != "EVENTS")
    codes = struct.pack("<iiBB", -7, 7, 4, 1)
    records = b"".join([
        record(0x02, b"seed"), record(0x08, struct.pack(f"<{len(ops)}H", *ops)),
        record(0x10, struct.pack("<4H", 1, 4, 4, 1)),
        record(0x11, codes), record(0x12, codes + struct.pack("<HI", 3, 4)), record(0x13, codes),
        record(0x14, struct.pack("<H6i", 1, 0, 9, 0, 9, -9, 9)),
        record(0x15, struct.pack("<HhhHHIQ", 7, 1, 9, 3, 3, 8, 1)),
        record(0x20, struct.pack("<6I", 9, 1, 1, 9, 1, 2)), record(0x21, struct.pack("<4I", 1, 9, 2, 8)),
        record(0x22, struct.pack("<HI", 0, 1)), record(0x30, struct.pack("<BBqq", 2, 3, -5, 5) + b"gain\0dB\0a gain"),
        record(0x31, b"\xffheat\0degC\0of it"), record(0x32, b"pulses\0applied")])
    answers = [b"\1", bytes(4), b"\5\1", NEURON, b"", struct.pack("<3I", 1, 1, 1),
               struct.pack("<4IIHH", 0, 1, 1, 1, 0, 0, 3), struct.pack("<3Q", 1, 2, 3), b"", struct.pack("<q", 5),
               struct.pack("<I", 4), struct.pack("<I8i", 0, *range(8)), struct.pack("<I", 77),
               struct.pack("<5I", *range(5)), b""]
    return struct.pack(">H", len(records)) + records, [struct.pack(">BBH", 0, 0, len(tail)) + tail for tail in answers]


def step(kind, opcode, payload):
    return struct.pack("<BHH", kind, opcode, len(payload)) + payload


def main():
    table = (ROOT / "nmlink/messages.h").read_text(encoding="utf-8")
    opcodes = {name: int(code, 0) for name, code in re.findall(r"MESSAGE\(\w+, (\w+), (0x\w+),", table)}
    files = {}
    for name, session in SESSIONS.items():
        once = b"".join(step(1, opcodes[message], PAYLOADS[message]) for message in session)
        twice = b"".join(step(1, opcodes[message], PAYLOADS[message]) + step(2, opcodes[message], PAYLOADS[message])
                         for message in session)
        files[f"core/{name}"] = once
        # Everything twice; then silence, events, a reset, a new session, an open interlock and all of it again.
        files[f"core/{name}_again"] = (twice + struct.pack("<BH", 3, 999) + b"\6" + b"\4\5" + struct.pack("<BH", 7, 2)
                                       + once)
    document = (ROOT / "nmlink/PROTOCOL.md").read_text(encoding="utf-8")
    dumps = re.findall(r"(?:^    [0-9a-f]{2}(?: [0-9a-f]{2})*\n)+", document, re.M)
    frames = [bytes.fromhex(dump.replace("\n", " ")) for dump in dumps]
    files["core/frames"] = b"".join(b"\0" + struct.pack("<H", len(frame)) + frame for frame in frames)
    for number, frame in enumerate(frames):
        files[f"cobs/{number}"] = b"\7" + frame
        files[f"messages/frame{number}"] = bytes([number]) + frame
    files["cobs/long"] = bytes([3]) + bytes(range(1, 256)) * 2 + bytes(3) + bytes(range(1, 255))
    for number in range(2 * len(opcodes) + 24):
        files[f"messages/record{number}"] = bytes([number]) + bytes((7 * number + i) % 256 for i in range(44))
    records, answers = link_input(opcodes)
    files["link/good"] = records + b"".join(answers)
    files["link/errors"] = records + b"".join(struct.pack(">BBH", 1, 1 + i % 17, 8) + b"\5\0\0\0why."
                                              for i in range(40))
    files["link/lost"] = records + b"".join(struct.pack(">BBH", 4 if i % 3 else 3, 0, 20) + bytes(20) + answer
                                            for i, answer in enumerate(answers))
    files["link/short"] = records + b"".join(answer[:-1] + b"\5" for answer in answers)
    files["link/gone"] = records[:-9]
    for name, content in files.items():
        path = ROOT / "fuzz/corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
