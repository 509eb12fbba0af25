# SPDX-License-Identifier: MIT
"""tinyODIN once more, from its datasheet (docs/tinyodin.md; section numbers below): plain, slow, sharing nothing with
sim/. run() does the commands that model_run.c does and answers with the same lines."""

QUEUE_DEPTH = 128  # section 8
NO_INPUT = 0xFFFFFFFF  # cause of what no input caused


def signed(bits, width):
    return bits - (1 << width) if bits >> (width - 1) & 1 else bits


class Chip:
    """Memories are zero after power-up; every cause is the index of an input."""

    def __init__(self):
        self.gate = self.open_loop = self.source = self.max_neuron = 0  # section 3
        # Section 4: fields of the neuron words.
        self.v = [0] * 256
        self.threshold = [0] * 256
        self.leak = [0] * 256
        self.disabled = [0] * 256
        self.synapse = [0] * 8192
        self.queue = []  # of (virt, addr, cause), the head at 0
        self.out = []  # of (cause, address)
        self.qn = self.qs = 0  # SRAM output registers, section 2
        self.dropped = self.sops = self.neuron_entries = self.virtual_entries = self.frames = 0

    # ---- memories

    def neuron_word(self, n):
        return self.disabled[n] << 31 | self.leak[n] << 24 | self.threshold[n] << 12 | self.v[n] & 0xFFF

    def set_neuron_word(self, n, word):
        self.v[n] = signed(word & 0xFFF, 12)
        self.threshold[n] = word >> 12 & 0xFFF
        self.leak[n] = word >> 24 & 0x7F
        self.disabled[n] = word >> 31

    def row(self, pre, last):
        """Weights of pre to neurons 0..last (section 5)."""
        words = self.synapse[pre << 5:(pre << 5) + 32]
        return [signed(words[post >> 3] >> 4 * (post & 7) & 0xF, 4) for post in range(last + 1)]

    # ---- SPI, sections 2 and 3

    def spi(self, frame):
        """One 40-bit frame; returns the MISO bits of its data phase. The core must be idle or gated."""
        address, data = frame >> 20, frame & 0xFFFFF
        read, write, operation, where = address >> 19 & 1, address >> 18 & 1, address >> 16 & 3, address & 0xFFFF
        self.frames += 1
        if operation == 0:
            if where == 0:
                self.gate = data & 1
            elif where == 1:
                self.open_loop = data & 1
            elif where == 2:
                self.source = data & 1
            elif where == 3:
                self.max_neuron = data & 0xFF
            return 0
        if operation == 1:
            return self.spi_neuron(read, write, where, data)
        if operation == 2:
            return self.spi_synapse(read, write, where, data)
        return 0

    @staticmethod
    def lane_written(word, lane, data):
        mask, byte = data >> 8 & 0xFF, data & 0xFF
        kept = word >> 8 * lane & mask
        return word & ~(0xFF << 8 * lane) | (byte & ~mask | kept) << 8 * lane

    def spi_neuron(self, read, write, where, data):
        n, lane, reply = where & 0xFF, where >> 8, 0
        if read:
            if self.gate:
                self.qn = self.neuron_word(n)
            reply = self.qn >> 8 * lane & 0xFF if lane < 4 else 0
        if write and self.gate:
            self.qn = self.neuron_word(n)
            # The update logic sees the old word with no event.
            if not self.disabled[n] and self.v[n] >= 0 and self.v[n] >= self.threshold[n] and not self.open_loop:
                self.push(0, n, NO_INPUT)
            if lane < 4:
                self.set_neuron_word(n, self.lane_written(self.qn, lane, data))
        return reply

    def spi_synapse(self, read, write, where, data):
        word, lane, reply = where & 0x1FFF, where >> 13 & 3, 0
        if read:
            if self.gate:
                self.qs = self.synapse[word]
            reply = self.qs >> 8 * lane & 0xFF
        if write and self.gate:
            self.qs = self.synapse[word]
            self.synapse[word] = self.lane_written(self.qs, lane, data)
        return reply

    # ---- events, sections 6 to 11

    def reset(self):
        self.queue.clear()

    def push(self, virt, address, cause):
        if len(self.queue) < QUEUE_DEPTH:
            self.queue.append((virt, address, cause))
        else:
            self.dropped += 1

    def settle(self, n, t, cause):
        """The neuron's potential has come to t (section 10)."""
        fires = t >= 0 and t >= self.threshold[n]
        self.v[n] = 0 if fires else t
        if fires and not self.disabled[n]:
            if not self.source:
                self.out.append((cause, n))
            if not self.open_loop:
                self.push(0, n, cause)

    def leak_neuron(self, n, cause):
        self.qn = self.neuron_word(n)
        v = self.v[n]
        self.settle(n, max(v - self.leak[n], 0) if v >= 0 else min(v + self.leak[n], 0), cause)

    def integrate(self, n, weight, cause):
        self.settle(n, max(-2048, min(2047, self.v[n] + weight)), cause)

    def process_head(self):
        virt, address, cause = self.queue[0]
        if virt:
            self.virtual_entries += 1
            self.sops += 1
            self.qn = self.neuron_word(address)
            self.integrate(address, signed(virt, 4), cause)
        else:
            self.neuron_entries += 1
            self.sops += self.max_neuron + 1
            self.qn = self.neuron_word(self.max_neuron)
            self.qs = self.synapse[address << 5 | self.max_neuron >> 3]
            for n, weight in enumerate(self.row(address, self.max_neuron)):
                self.integrate(n, weight, cause)
            if self.source:
                self.out.append((cause, address))
        self.queue.pop(0)

    def input(self, address, cause):
        """AERIN, while the gate is open: a full queue is served first (section 9)."""
        if len(self.queue) >= QUEUE_DEPTH:
            self.process_head()
        low = address & 0xFF
        if address >> 8 & 1:
            for n in range(self.max_neuron + 1) if low == 0xFF else [low]:
                self.leak_neuron(n, cause)
        elif address >> 9 & 1:
            self.push(low >> 4, low & 0xF, cause)
        else:
            self.push(0, low, cause)

    def steps(self, most):
        """Until idle, or until so many entries are processed; returns whether idle."""
        while self.queue and most:
            self.process_head()
            most -= 1
        return not self.queue

    def event(self, address, cause, most):
        """Input to idle; returns the clocks of section 17, or None if not idle after so many entries."""
        before_n, before_v, before_out = self.neuron_entries, self.virtual_entries, len(self.out)
        leak, everyone = address >> 8 & 1, address & 0xFF == 0xFF
        self.input(address, cause)
        last = self.max_neuron if everyone else address & 0xFF
        overlap = leak and len(self.out) > before_out and self.out[-1][1] == last
        if not self.steps(most):
            return None
        neurons = self.max_neuron + 1
        first = 7 if not leak else 2 * neurons + 6 if everyone else 8
        return (first + (self.neuron_entries - before_n) * (2 * neurons + 2) + 3 * (self.virtual_entries - before_v)
                + 6 * (len(self.out) - before_out) - 3 * int(overlap))


def take_outputs(chip):
    text = "".join(f" {cause}:{address}" for cause, address in chip.out)
    chip.out.clear()
    return text


def answer(chip, command, numbers):
    """The line that model_run.c prints for a command."""
    if command == "spi":
        return "miso" + "".join(f" {chip.spi(frame):x}" for frame in numbers)
    if command == "in":
        chip.input(*numbers)
        return "out" + take_outputs(chip)
    if command == "steps":
        return ("idle" if chip.steps(*numbers) else "busy") + take_outputs(chip)
    if command == "event":
        clocks = chip.event(*numbers)
        return ("busy" if clocks is None else f"{clocks}") + take_outputs(chip)
    if command == "reset":
        chip.reset()
        return "reset"
    if command == "words":
        return "words" + "".join(f" {chip.neuron_word(n):x}" for n in range(256)) + \
            "".join(f" {word:x}" for word in chip.synapse)
    if command == "counters":
        return f"counters {chip.sops} {chip.dropped} {chip.frames}"
    raise ValueError(command)


def run(chip, line):
    """One line: a command and its numbers, in hexadecimal."""
    command, *numbers = line.split()
    return answer(chip, command, [int(number, 16) for number in numbers])
