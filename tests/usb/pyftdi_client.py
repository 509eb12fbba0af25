# SPDX-License-Identifier: MIT
"""pyftdi_client.py SERIAL: pyftdi on a virtual FT2232H, over pyusb and the real libusb; asserts what the chip does.

Wired as in docs/ftdi.md: the chip select of pyftdi's SPI is RST of the tinyODIN, so every exchange begins a frame.
"""
import sys
import time
import unittest

from pyftdi.eeprom import FtdiEeprom
from pyftdi.ftdi import Ftdi
from pyftdi.spi import SpiController

SERIAL = sys.argv[1]
URL = f"ftdi://ftdi:2232h:{SERIAL}/{{}}"
SCK_HZ = 15e6
READ, WRITE, CONFIG, NEURON, SYNAPSE = 1 << 19, 1 << 18, 0, 1 << 16, 2 << 16  # of an address field
GATE, OPEN_LOOP = 0, 1
OUTPUTS = 0xDB
RST, REQ, ACK = 0x08, 0x10, 0x20


def frame(address, data=0):
    return (address << 20 | data).to_bytes(5, "big")


class Finding(unittest.TestCase):
    def test_the_board_is_listed(self):
        (found, interfaces), = Ftdi.list_devices("ftdi://ftdi:2232h/?")
        self.assertEqual((found.vid, found.pid, found.sn, found.description),
                         (0x0403, 0x6010, SERIAL, "NMHAL tinyODIN"))
        self.assertEqual(interfaces, 2)

    def test_the_eeprom_is_read(self):
        """pyftdi decodes it only when its checksum is right."""
        eeprom = FtdiEeprom()
        eeprom.open(URL.format(1))
        self.addCleanup(eeprom.close)
        self.assertEqual((eeprom.vendor_id, eeprom.product_id, eeprom.has_serial), (0x0403, 0x6010, True))
        self.assertEqual((eeprom.manufacturer, eeprom.product, eeprom.serial), ("libnmhal", "NMHAL tinyODIN", SERIAL))


class Raw(unittest.TestCase):
    """The MPSSE commands themselves, on both channels."""

    def open(self, channel, direction=0):
        ftdi = Ftdi()
        ftdi.open_mpsse_from_url(URL.format(channel), direction=direction, frequency=SCK_HZ, latency=2)
        self.addCleanup(ftdi.close)
        return ftdi

    def test_what_it_is(self):
        ftdi = self.open(1)
        self.assertEqual((ftdi.ic_name, ftdi.device_version, ftdi.has_mpsse), ("ft2232h", 0x0700, True))
        self.assertEqual(ftdi.fifo_sizes, (4096, 4096))
        self.assertEqual(ftdi.poll_modem_status(), 0x6032)

    def test_bad_commands_are_echoed(self):
        for channel in (1, 2):
            ftdi = self.open(channel)
            for bad in (0xAA, 0xAB):
                ftdi.write_data(bytes([bad, Ftdi.SEND_IMMEDIATE]))
                self.assertEqual(ftdi.read_data_bytes(2, 4), bytes([0xFA, bad]))

    def test_latency(self):
        ftdi = self.open(1)
        for latency in (1, 40):
            ftdi.set_latency_timer(latency)
            self.assertEqual(ftdi.get_latency_timer(), latency)
        ftdi.read_data_bytes(1, 1)
        began = time.monotonic()
        ftdi.write_data(bytes([Ftdi.GET_BITS_LOW]))
        self.assertEqual(len(ftdi.read_data_bytes(1, 100)), 1)
        self.assertGreater(time.monotonic() - began, 0.025)

    def test_purges(self):
        ftdi = self.open(1)
        ftdi.write_data(bytes(100 * [Ftdi.GET_BITS_LOW]))
        ftdi.purge_buffers()
        self.assertEqual(ftdi.read_data_bytes(100, 2), b"")
        ftdi.write_data(bytes([Ftdi.GET_BITS_LOW, Ftdi.SEND_IMMEDIATE]))
        self.assertEqual(len(ftdi.read_data_bytes(1, 4)), 1)

    def test_loopback(self):
        ftdi = self.open(1, 0x0B)
        data = bytes(n * 7 & 0xFF for n in range(3000))
        ftdi.enable_loopback_mode(True)
        ftdi.write_data(bytes([Ftdi.RW_BYTES_NVE_PVE_MSB]) + (len(data) - 1).to_bytes(2, "little") + data +
                        bytes([Ftdi.SEND_IMMEDIATE]))
        self.assertEqual(ftdi.read_data_bytes(len(data), 8), data)
        ftdi.enable_loopback_mode(False)

    def test_address_events_are_acknowledged(self):
        """Leaks of neuron 127, which is disabled, else its output would have to be served first."""
        ftdi = self.open(1, OUTPUTS)
        ftdi.write_data(bytes([Ftdi.SET_BITS_LOW, RST, OUTPUTS, Ftdi.SET_BITS_LOW, 0, OUTPUTS,
                               Ftdi.WRITE_BYTES_NVE_MSB, 19, 0]) +
                        frame(CONFIG | OPEN_LOOP, 1) + frame(CONFIG | GATE, 1) +
                        frame(WRITE | NEURON | 3 << 8 | 127, 0x80) + frame(CONFIG | GATE, 0))
        for req in (REQ, 0, REQ, 0):
            ftdi.write_data(bytes([Ftdi.SET_BITS_HIGH, 127, 0xFF, Ftdi.SET_BITS_LOW, 0x40 | req, OUTPUTS,
                                   Ftdi.WAIT_ON_HIGH if req else Ftdi.WAIT_ON_LOW,
                                   Ftdi.GET_BITS_LOW, Ftdi.GET_BITS_HIGH, Ftdi.SEND_IMMEDIATE]))
            low, high = ftdi.read_data_bytes(2, 8)
            self.assertEqual(bool(low & ACK), bool(req))
            self.assertEqual(high, 127)


class Spi(unittest.TestCase):
    def setUp(self):
        self.spi = SpiController(cs_count=1)
        self.spi.configure(URL.format(1), frequency=SCK_HZ)
        self.addCleanup(self.spi.terminate)
        self.chip = self.spi.get_port(0, freq=SCK_HZ, mode=0)

    def test_the_clock(self):
        self.assertEqual(self.chip.frequency, SCK_HZ)

    def test_synapses_are_written_and_read(self):
        places = [(lane << 13 | word, (37 * word + lane) & 0xFF) for word in range(0, 8192, 97) for lane in range(4)]
        self.chip.exchange(frame(CONFIG | GATE, 1))
        self.chip.write(b"".join(frame(WRITE | SYNAPSE | place, byte) for place, byte in places) +
                        frame(CONFIG | GATE, 1))
        for place, byte in places[:16]:
            answer = self.chip.exchange(frame(READ | SYNAPSE | place), duplex=True)
            self.assertEqual(answer, bytes([0, 0, 0, 0, byte]))
        back = self.chip.exchange(b"".join(frame(READ | SYNAPSE | place) for place, _ in places), duplex=True)
        self.assertEqual(back[4::5], bytes(byte for _, byte in places))
        self.chip.exchange(frame(CONFIG | GATE, 0))

    def test_gpio(self):
        gpio = self.spi.get_gpio()
        gpio.set_direction(0xFFD0, 0xFFD0)
        for value in (0x5A00, 0xA500, 0x0040, 0x0080):
            gpio.write(value)
            self.assertEqual(gpio.read(with_output=True) & 0xFFC0, value)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
