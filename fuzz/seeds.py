#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of the corpora: sessions in which every request occurs, the frames of PROTOCOL.md, records of
boards, URIs, devices on the USB. Those of traces were recorded, with record=."""
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

    def fixed(tag, value):
        """A record without texts. The zeros are fields of later versions."""
        return record(tag, value + bytes(8))

    ops = sorted(code for name, code in opcodes.items() if code > 4 and name != "EVENTS")
    codes = struct.pack("<iiBB", -7, 7, 4, 1)
    records = b"".join([
        record(0x02, b"seed"), record(0x08, struct.pack(f"<{len(ops)}H", *ops)),
        fixed(0x10, struct.pack("<4H", 1, 4, 4, 1)),
        fixed(0x11, codes), fixed(0x12, codes + struct.pack("<HI", 3, 4)), fixed(0x13, codes),
        fixed(0x14, struct.pack("<H6i", 1, 0, 9, 0, 9, -9, 9)),
        fixed(0x15, struct.pack("<HhhHHIQ", 7, 1, 9, 3, 3, 8, 1)),
        fixed(0x20, struct.pack("<6I", 9, 1, 1, 9, 1, 2)), fixed(0x21, struct.pack("<4I", 1, 9, 2, 8)),
        fixed(0x22, struct.pack("<HI", 0, 1)), record(0x30, struct.pack("<BBqq", 2, 3, -5, 5) + b"gain\0dB\0a gain"),
        record(0x31, b"\xffheat\0degC\0of it"), record(0x32, b"pulses\0applied")])
    answers = [b"\1", bytes(4), b"\5\1", NEURON, b"", struct.pack("<3I", 1, 1, 1),
               struct.pack("<4IIHH", 0, 1, 1, 1, 0, 0, 3), struct.pack("<3Q", 1, 2, 3), b"", struct.pack("<q", 5),
               struct.pack("<I", 4), struct.pack("<I8i", 0, *range(8)), struct.pack("<I", 77),
               struct.pack("<5I", *range(5)), b""]
    return struct.pack(">H", len(records)) + records, [struct.pack(">BBH", 0, 0, len(tail)) + tail for tail in answers]


# Of every kind that there is in the documents, and some that are none.
URIS = [
    "sim:tinyodin", "usb:serial=NM-0042", "usb:nmlink,bus=1,port=4.2", "ftdi:nmlink,serial=FT9Q,mode=uart,baud=3000000",
    "tty:path=/dev/ttyUSB0,baud=921600", "tcp:host=bench3,port=7411", "replay:file=run%2012%2C.nmtrace", "null:",
    "sim:xbar64,seed=0x7f,noise=write:pcm+read+drift:wan2022+stuck:0.01+output:1.5+adc+irdrop,inputs=full,threads=2",
    "sim:xbar8,simd=off,window=64,max_frame=1048576,record=x", "sim:spike256,clk_hz=50000000,noise=pristine",
    "sim:xbar8,fault=drop:0.01+dup:1+flip:0.000000001+short@7+split:0+reorder@18446744073709551615,fault_seed=3",
    "ftdi:tinyodin,fault=delay:0.5+timeout@1+io:0.1+gone@500", "sim:xbar8,seed=18446744073709551616,seed=1",
    "x:a=%41%2c%25%20%7f", "x:a=%00", "x:,a=b", "x:a", ":", "", "a+b-c:board.x_y-z,k=",
]


def usb_inputs():
    """Devices as fuzz/usb.c takes them."""
    def piece(data):
        return bytes([len(data)]) + data

    def device(kind, failures, strings, names, config, ports=b"\1\4"):
        return (bytes([kind, failures, strings]) + piece(ports) + piece(config)
                + b"".join(piece(name) for name in names + [b""] * (4 - len(names))))

    def interface(number, kind, name, *endpoints):
        return (bytes([9, 4, number, 0, len(endpoints), kind, 0, 0, name])
                + b"".join(bytes([7, 5, address, 2, 0, 2, 0]) for address in endpoints))

    head = bytes([9, 2, 39, 0, 1, 1, 0, 0x80, 50])
    names = [b"a lab", b"crossbar", b"NM-0042", b"NMHAL xbar64"]
    board = device(0, 0, 0x23, names, head + interface(0, 0xFF, 4, 1, 0x81, 0x82))
    composite = device(0, 0, 0x23, names, head + bytes([8, 11, 0, 2, 2, 2, 1, 0]) + interface(0, 2, 1, 0x83)
                       + bytes([5, 36, 0, 16, 1]) + interface(1, 10, 0, 2, 0x82) + interface(7, 0xFF, 4, 1, 0x81),
                       b"\1\2\3\4\5\6\7")
    chip = device(1, 0, 0x12, [b"NMHAL nmlink uart", b"FT0042"], head + interface(0, 0xFF, 1, 2, 0x81))
    return {"board": board, "composite": composite, "chip": chip, "several": 3 * board + chip + 17 * composite,
            "closed": device(0, 1, 0x23, names, head) + device(2, 3, 0, [], b"") + board,
            "odd": device(0, 4, 0xFF, [b"NMHAL\n\0\xff,%"] * 4, interface(0, 0xFF, 1, 0x81, 1) + b"\0\0"),
            "short": board[:-9]}


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
    files["caps/all"] = records[2:]
    files["caps/cut"] = records[2:-9]
    files["caps/twice"] = records[2:] + records[2:]
    files["caps/more"] = b"".join([records[2:], bytes([0x99, 0, 1, 0, 7]), bytes([1, 0x80, 3, 0]), b"own"])
    files["caps/texts"] = b"".join(struct.pack("<HH", tag, 31) + "Zürich ½ \U0001F600".encode().ljust(31, b".")
                                   for tag in (1, 3, 4, 5)) + records[2:]
    for number, uri in enumerate(URIS):
        files[f"uri/{number}"] = uri.encode()
    files.update({f"usb/{name}": devices for name, devices in usb_inputs().items()})
    for name, content in files.items():
        path = ROOT / "fuzz/corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
