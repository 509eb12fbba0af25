#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_descriptors.py VUSBD USBFS: the emulated board as a USB device, against nmlink/PROTOCOL.md, section 1.1, alone.

Every descriptor is read by the real libusb and taken apart here, as the USB, WebUSB and Microsoft OS 2.0 specifications
lay them out; the bytes and names that the protocol fixes are taken from its text. Then what ends a session: the request
on endpoint 0, a reset of the bus, its suspension, SET_CONFIGURATION.
"""
import ctypes
import os
import pathlib
import re
import struct
import subprocess
import sys
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/usb"), str(ROOT / "tests/board")]
import nmlink_client as nm  # pylint: disable=wrong-import-position
import virtual  # pylint: disable=wrong-import-position

TEXT = (ROOT / "nmlink/PROTOCOL.md").read_text(encoding="utf-8")
SECTION = TEXT[TEXT.index("### 1.1 USB"):TEXT.index("### 1.2")]
HEX = [bytes.fromhex("".join(line.split("#")[0] for line in block.splitlines()))
       for block in re.findall(r"```hex\n(.*?)```", SECTION, re.S)]
VERSION = re.search(r"^Version (\d+)\.(\d+)\.", TEXT, re.M)
GUIDS = [uuid.UUID(found) for found in re.findall(r"\{([0-9A-F-]{36})\}", SECTION)]
WEBUSB, MICROSOFT, NMLINK, INTERFACE_GUID = GUIDS
PACKET = 512
STALL = -9  # LIBUSB_ERROR_PIPE
NODE = os.environ.get("NMHAL_TEST_VUSB", "")


class Device:
    """A device by libusb itself."""

    def __init__(self):
        self.lib = ctypes.CDLL("libusb-1.0.so.0")
        self.lib.libusb_open_device_with_vid_pid.restype = ctypes.c_void_p
        self.usb = ctypes.c_void_p()
        assert self.lib.libusb_init(ctypes.byref(self.usb)) == 0
        self.handle = ctypes.c_void_p(self.lib.libusb_open_device_with_vid_pid(self.usb, 0x1209, 0x0001))
        assert self.handle and self.lib.libusb_claim_interface(self.handle, 0) == 0

    def close(self):
        self.lib.libusb_close(self.handle)
        self.lib.libusb_exit(self.usb)

    def control(self, kind, request, value=0, index=0, size=0):
        """Bytes of an IN request, or a status."""
        data = ctypes.create_string_buffer(max(size, 1))
        moved = self.lib.libusb_control_transfer(self.handle, ctypes.c_uint8(kind), ctypes.c_uint8(request),
                                                 ctypes.c_uint16(value), ctypes.c_uint16(index), data,
                                                 ctypes.c_uint16(size), 1000)
        return data.raw[:moved] if moved >= 0 and kind & 0x80 else moved

    def descriptor(self, kind, number=0, size=1024, language=0):
        return self.control(0x80, 6, kind << 8 | number, language, size)

    def string(self, number):
        data = self.descriptor(3, number, 255, 0x0409)
        assert (data[0], data[1]) == (len(data), 3)
        return data[2:].decode("utf-16-le")

    def bulk(self, endpoint, data, size):
        """Bytes moved."""
        moved = ctypes.c_int()
        status = self.lib.libusb_bulk_transfer(self.handle, ctypes.c_uint8(endpoint), data, size, ctypes.byref(moved),
                                               1000)
        assert status == 0, status
        return moved.value

    def out(self, data, end=True):
        self.bulk(0x01, data, len(data))
        if end and len(data) % PACKET == 0:
            self.bulk(0x01, b"", 0)

    def frame(self):
        data = ctypes.create_string_buffer(1 << 17)
        moved = self.bulk(0x81, data, len(data))
        return data.raw[:moved]

    def reset(self):
        return self.lib.libusb_reset_device(self.handle)

    def configure(self):
        return self.control(0x00, 9, 1)


class Session:
    """Requests of nmlink, one frame a transfer."""

    def __init__(self, device, number):
        self.device, self.session, self.seq = device, 0, 0
        assert self.request(nm.HELLO, struct.pack("<IH", number, 0))[0] == nm.OK
        self.session = number & 0xFFFF

    def request(self, op, payload=b""):
        head = nm.HEADER.pack(1, 0, op, self.seq, self.session, len(payload), 0, 0) + payload
        self.device.out(head + struct.pack("<I", nm.crc32c(head)))
        reply = self.device.frame()
        assert nm.crc32c(reply[:-4]) == struct.unpack("<I", reply[-4:])[0]
        self.seq += 1
        return nm.HEADER.unpack(reply[:16])[6], reply[16:-4]


def walk(data, head="<BB"):
    """(kind, descriptor) of a chain, each begun by its length."""
    found, width = [], struct.calcsize(head)
    while data:
        length, kind = struct.unpack_from(head, data)
        assert width <= length <= len(data), (length, len(data))
        found.append((kind, data[:length]))
        data = data[length:]
    return found


def tell(text):
    """What the far end of the device says."""
    board = object.__new__(virtual.Board)
    board.path = next(pathlib.Path(NODE).glob("*-*[0-9]"))
    return board.tell(text)


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.device = Device()
        self.addCleanup(self.device.close)

    def test_device(self):
        data = self.device.descriptor(1)
        length, kind, release, *_, configurations = struct.unpack("<BBHBBBBHHHBBBB", data)
        self.assertEqual((length, kind, configurations), (18, 1, 1))
        self.assertGreaterEqual(release, 0x0210)  # there is a BOS
        self.assertEqual(self.device.descriptor(3, 0)[:4], bytes([4, 3, 0x09, 0x04]))
        self.assertEqual(self.device.string(data[16]), "NM-0042")

    def test_interface_and_endpoints(self):
        data = self.device.descriptor(2)
        self.assertEqual(struct.unpack_from("<H", data, 2)[0], len(data))
        self.assertEqual(len(self.device.descriptor(2, size=9)), 9)
        kinds = walk(data)
        self.assertEqual([kind for kind, _ in kinds], [2, 4, 5, 5, 5])
        interface = kinds[1][1]
        self.assertEqual(interface[4:8], bytes([3, 0xFF, 0, 0]))
        self.assertTrue(self.device.string(interface[8]).startswith("NMHAL"))
        ends = [struct.unpack("<BBBBHB", one) for kind, one in kinds if kind == 5]
        self.assertEqual([end[2] >> 7 for end in ends], [0, 1, 1])  # OUT, IN, IN
        self.assertEqual({(end[3] & 3, end[4]) for end in ends}, {(2, PACKET)})

    def test_bos(self):
        data = self.device.descriptor(15)
        self.assertEqual(data, HEX[0])
        self.assertEqual(self.device.descriptor(15, size=5), data[:5])
        head, *caps = walk(data)
        self.assertEqual(struct.unpack("<BBHB", head[1]), (5, 15, len(data), len(caps)))
        platform = {}
        for kind, one in caps:
            self.assertEqual((kind, one[2], one[3]), (16, 5, 0))  # DEVICE CAPABILITY, PLATFORM, reserved
            platform[uuid.UUID(bytes_le=bytes(one[4:20]))] = one[20:]
        self.assertEqual(list(platform), [WEBUSB, MICROSOFT, NMLINK])
        self.assertEqual(struct.unpack("<HBB", platform[WEBUSB]), (0x0100, 1, 0))
        self.assertEqual(struct.unpack("<IHBB", platform[MICROSOFT]), (0x06030000, len(HEX[1]), 2, 0))
        release, request, reserved = struct.unpack("<HBB", platform[NMLINK])
        self.assertEqual((release >> 8, release >> 4 & 15), (int(VERSION[1]), int(VERSION[2])))
        self.assertEqual((request, reserved), (3, 0))

    def test_microsoft_descriptor_set(self):
        data = self.device.control(0xC0, 2, 0, 7, 1024)
        self.assertEqual(data, HEX[1])
        self.assertEqual(self.device.control(0xC0, 2, 0, 7, 10), data[:10])
        head, *features = walk(data, "<HH")
        self.assertEqual(struct.unpack("<HHIH", head[1]), (10, 0, 0x06030000, len(data)))
        features = dict(features)
        self.assertEqual(features[3][4:], b"WINUSB\0\0" + bytes(8))
        kind, size = struct.unpack_from("<HH", features[4], 4)
        self.assertEqual(kind, 7)  # REG_MULTI_SZ
        self.assertEqual(features[4][8:8 + size].decode("utf-16-le"), "DeviceInterfaceGUIDs\0")
        length, = struct.unpack_from("<H", features[4], 8 + size)
        self.assertEqual(features[4][10 + size:].decode("utf-16-le"), f"{{{str(INTERFACE_GUID).upper()}}}\0\0")
        self.assertEqual(length, len(features[4]) - 10 - size)

    def test_what_is_not_there_stalls(self):
        for kind, request, value, index, size in [(0xC0, 2, 0, 8, 64), (0xC0, 1, 0, 2, 64), (0xC0, 9, 0, 7, 64),
                                                  (0x41, 3, 0, 1, 0), (0x41, 3, 1, 0, 0), (0x40, 3, 0, 0, 0)]:
            self.assertEqual(self.device.control(kind, request, value, index, size), STALL)
        self.assertEqual(self.device.descriptor(7), STALL)


class Resets(unittest.TestCase):
    def check(self, end):
        """`end` disarms the board, ends its session, and drops half a frame that was sent."""
        device = Device()
        self.addCleanup(device.close)
        session = Session(device, 0x15555)
        self.assertEqual(session.request(nm.ARM, struct.pack("<I", 60000))[0], nm.OK)
        self.assertEqual(tell("armed"), "1")
        device.out(bytes(PACKET), end=False)
        self.assertIn(end(device), (0, "", None))
        self.assertEqual(tell("armed"), "0")
        self.assertEqual(session.request(nm.PING)[0], nm.ESESSION)
        session = Session(device, 0x16666)
        payload = bytes(PACKET - 20)
        self.assertEqual(session.request(nm.PING, payload), (nm.OK, payload))

    def test_request_on_endpoint_0(self):
        self.check(lambda device: device.control(0x41, 3, 0, 0))

    def test_reset_of_the_bus(self):
        self.check(Device.reset)

    def test_suspend(self):
        self.check(lambda device: tell("suspend"))

    def test_set_configuration(self):
        self.check(Device.configure)


if __name__ == "__main__":
    if NODE:
        unittest.main(verbosity=2)
    virtual.skip_without_umockdev()
    PATHS = (pathlib.Path(path).absolute() for path in sys.argv[1:3])
    with virtual.Machine(*PATHS, ("xbar8", "", "NM-0042")) as machine:
        sys.exit(subprocess.run(machine.command(sys.executable, __file__), check=False).returncode)
