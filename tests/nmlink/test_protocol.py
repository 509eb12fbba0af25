#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables, numbers and frames in nmlink/PROTOCOL.md are those of the code.

usage: test_protocol.py TABLES [--write]
  TABLES    the program that prints them (tests/nmlink/tables.c)
  --write   puts what it prints into the document
"""
import pathlib
import re
import struct
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTOCOL = ROOT / "nmlink/PROTOCOL.md"
SECTION = re.compile(r"<!-- begin (\w+) -->\n.*?<!-- end \1 -->\n", re.S)


def sections(text):
    return {match[1]: match[0] for match in SECTION.finditer(text)}


def crc32c(data):
    """Bit by bit: shares nothing with the C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def frames(section):
    """The frames of a dump: a line that begins with a direction, then lines of bytes."""
    found = []
    for line in section.splitlines():
        if re.match(r"[<>!] ", line):
            found.append(bytearray())
        elif re.fullmatch(r"    [0-9a-f]{2}( [0-9a-f]{2})*", line) and found:
            found[-1] += bytes.fromhex(line)
    return found


class Protocol(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.text = PROTOCOL.read_text(encoding="utf-8")

    def test_generated_sections_are_current(self):
        printed = sections(self.program)
        written = sections(self.text)
        self.assertGreater(len(printed), 6)
        self.assertEqual(list(written), [name for name in written if name in printed])
        for name, section in printed.items():
            with self.subTest(section=name, remedy="tests/nmlink/test_protocol.py TABLES --write"):
                self.assertEqual(written.get(name), section)

    def test_constants_in_the_prose(self):
        """`NAME` = number, wherever the prose gives one."""
        code = (ROOT / "nmlink/messages.h").read_text(encoding="utf-8") + (ROOT / "nmlink/codec.h").read_text(
            encoding="utf-8")
        known = {name: int(number.rstrip("u"), 0)
                 for name, number in re.findall(r"^#define NMLINK_(\w+)\s+(0x[0-9A-Fa-f]+u|\d+u)\b", code, re.M)}
        named = re.findall(r"`(\w+)` = (0x[0-9A-Fa-f]+|\d+)", SECTION.sub("", self.text))
        self.assertGreater(len(named), 5)
        for name, number in named:
            with self.subTest(name=name):
                self.assertEqual(known.get(name), int(number, 0))

    def test_messages_named_in_the_prose_exist(self):
        messages = (ROOT / "nmlink/messages.h").read_text(encoding="utf-8")
        known = set(re.findall(r"\b[A-Z][A-Z_0-9]+\b", messages)) | {"REPLY", "EVENT", "URGENT", "NMHAL"}
        known |= {name[7:] for name in re.findall(r"\bNMLINK_\w+", messages)}
        prose = SECTION.sub("", self.text)
        named = set(re.findall(r"`([A-Z][A-Z_0-9]{2,})`", prose))
        self.assertEqual(named - known, set())

    def test_frames_of_the_exchange(self):
        """Header, size and CRC of each, read from the document without the C."""
        found = frames(sections(self.text)["exchange"])
        self.assertEqual(len(found), 6)
        for number, frame in enumerate(found):
            version, flags, opcode, seq, session, size, status, credit = struct.unpack_from("<BBHHHIHH", frame)
            with self.subTest(frame=number):
                self.assertEqual(version, 1)
                self.assertEqual(flags, number % 2)
                self.assertEqual(opcode, (1, 0x10, 0x20)[number // 2])
                self.assertEqual(seq, number // 2)
                self.assertEqual(session, 0 if number == 0 else 0xEE01)
                self.assertEqual(status, 0)
                self.assertEqual(credit, 4 if number % 2 else 0)
                self.assertEqual(len(frame), 16 + size + 4)
                self.assertEqual(struct.unpack("<I", frame[-4:])[0], crc32c(frame[:-4]))
        outputs = found[5][16:-4]
        # 10 * 1 + 20 * 3, 10 * -2 + 20 * 4; -5 * 1 + 40 * 3, -5 * -2 + 40 * 4 = 170: clipped to 127
        self.assertEqual(struct.unpack("<4b", outputs[:4]), (70, 60, 115, 127))
        self.assertEqual(outputs[4:], bytes([0, 2]))

    def test_cobs_of_the_stream(self):
        lines = sections(self.text)["stream"].split("on a stream of bytes:\n")
        frame, stream = frames(lines[0])[0], frames("> x\n" + lines[1])[0]
        decoded = bytearray()
        self.assertEqual(stream[-1], 0)
        at = 0
        while at < len(stream) - 1:
            code = stream[at]
            decoded += stream[at + 1:at + code]
            at += code
            if code < 255 and at < len(stream) - 1:
                decoded.append(0)
        self.assertEqual(decoded, frame)

    def test_descriptors(self):
        """The lengths and the UUIDs in the hex dumps of the descriptors are consistent."""
        dumps = re.findall(r"```hex\n(.*?)```", self.text, re.S)
        bos, microsoft = (bytes.fromhex(re.sub(r"#.*", "", dump)) for dump in dumps)
        self.assertEqual((bos[0], bos[1], struct.unpack_from("<H", bos, 2)[0]), (5, 15, len(bos)))
        at, uuids = 5, []
        while at < len(bos):
            self.assertEqual(bos[at + 1:at + 4], bytes([16, 5, 0]))
            a, b, c = struct.unpack_from("<IHH", bos, at + 4)
            rest = bos[at + 12:at + 20].hex().upper()
            uuids.append(f"{a:08X}-{b:04X}-{c:04X}-{rest[:4]}-{rest[4:]}")
            at += bos[at]
        self.assertEqual(at, len(bos))
        self.assertEqual(len(uuids), bos[4])
        for uuid in uuids:
            self.assertIn(f"{{{uuid}}}", self.text)
        self.assertEqual(struct.unpack_from("<HHIH", microsoft), (10, 0, 0x06030000, len(microsoft)))
        at = 0
        while at < len(microsoft):
            at += struct.unpack_from("<H", microsoft, at)[0]
        self.assertEqual(at, len(microsoft))
        self.assertIn("{6B3C5A52-8E0B-4C57-9F6D-4E4D48414C01}".encode("utf-16-le"), microsoft)


def main():
    Protocol.program = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    if sys.argv[2:] == ["--write"]:
        printed = sections(Protocol.program)
        text = SECTION.sub(lambda match: printed[match[1]], PROTOCOL.read_text(encoding="utf-8"))
        PROTOCOL.write_text(text, encoding="utf-8")
        return
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
