#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The crossbar model against its independent reference, bit for bit: random calls on every board with every effect.

usage: test_reference.py XBAR_PLAY [SEED]
"""
import random
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy (python3-numpy)")
    sys.exit(77)

import xbar_ref

EFFECTS = ["off", "write", "read", "drift", "write+drift", "stuck:0.05", "adc", "irdrop", "output:2.5", "pcm",
           "wan2022", "read:pcm+output", "write:pcm+drift:pcm", "pcm+stuck+adc+irdrop+output",
           "wan2022+stuck:0.02+adc+irdrop+output:1", "pristine", "wan2022+pristine"]
# As in a custom line: tiles, rows, columns, largest weight, quanta, ADC bits, LSB.
ODD_BOARDS = [(2, 1, 1, 127, 64, 8, 4), (1, 5, 17, 127, 64, 8, 7), (3, 33, 15, 7, 1024, 8, 4),
              (1, 70, 49, 127, 64, 12, 6), (1, 129, 40, 7, 1024, 10, 3), (2, 23, 300, 127, 64, 6, 9)]
TIMES = [1, 60, 3600, 50000, 86400, 100000, 172800, 10 ** 6, 10 ** 9]


def hexed(codes):
    return np.asarray(codes, np.int8).tobytes().hex()


class Script:
    """Calls for xbar_play, and the lines that the reference expects."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.RandomState(seed)
        self.calls, self.expected = [], []
        self.board = self.shape = None

    def call(self, call, expected):
        self.calls.append(call)
        self.expected.append(expected)

    def new(self, name, shape, noise, full):
        seed = self.random.choice([0, 1, self.random.getrandbits(64)])
        self.shape = shape
        self.board = xbar_ref.Board(shape, seed, noise, full)
        low = -2 ** (shape[5] - 1)
        head = f"new {name}" if name else "custom " + " ".join(map(str, shape))
        self.call(f"{head} {seed} {noise} {int(full)}", f"{127 if full else 63} {low} {-low - 1}")

    def region(self, most=4096):
        """(tile, row, column, rows, columns) of at most so many cells."""
        tiles, rows, cols = self.shape[:3]
        height = self.random.choice([1, self.random.randint(1, rows), rows])
        width = max(1, min(self.random.choice([1, self.random.randint(1, cols), cols]), most // height))
        height = min(height, most)
        return (self.random.randrange(tiles), self.random.randint(0, rows - height),
                self.random.randint(0, cols - width), height, width)

    def cell(self):
        tiles, rows, cols = self.shape[:3]
        return [self.random.randrange(n) for n in (tiles, rows, cols, 2)]

    def codes(self, top, *shape):
        kind = self.random.choice(["even", "even", "even", "rails", "zero"])
        if kind == "rails":
            return top * (2 * self.numbers.randint(0, 2, shape) - 1)
        return self.numbers.randint(-top, top + 1, shape) * (kind != "zero")

    def write(self, region=None):
        at = region or self.region()
        codes = self.codes(self.board.max, at[3], at[4])
        self.call(f"write {' '.join(map(str, at))} {hexed(codes)}", str(int(self.board.write(*at, codes))))

    def write_out_of_range(self):
        at = self.region()
        codes = self.codes(self.board.max, at[3], at[4])
        codes.flat[self.random.randrange(codes.size)] = self.random.choice([-1, 1]) * (self.board.max + 1)
        if codes.max() < 128:
            self.call(f"write {' '.join(map(str, at))} {hexed(codes)}", str(int(self.board.write(*at, codes))))

    def read(self):
        at, use = self.region(), self.random.getrandbits(self.random.choice([3, 64]))
        self.call(f"read {' '.join(map(str, at))} {use}", hexed(self.board.read(*at, use)))

    def add(self):
        tile, row, col, _ = self.cell()
        delta = self.random.randint(-300, 300) // self.random.choice([1, 100])
        self.call(f"add {tile} {row} {col} {delta}", str(int(self.board.add(tile, row, col, delta))))

    def time(self):
        seconds = self.random.choice(TIMES)
        self.call(f"time {seconds}", str(int(self.board.set_time(seconds))))

    def infer(self, region=None):
        at = region or self.region(1 << 20)
        transposed, serial = self.random.random() < 0.4, self.random.random() < 0.3
        batch = self.random.choice([1, 2, 3, 4, 5, 8, 13])
        first = self.random.choice([0, 2 ** 32 - 3, 2 ** 64 - 20, self.random.getrandbits(60)])
        inputs = self.codes(self.board.input_max, batch, at[4] if transposed else at[3])
        if self.random.random() < 0.05:
            inputs[-1, -1] = -self.board.input_max - 1
        result = self.board.infer(at[0], at[1:], transposed, serial, first, inputs.astype(np.int64))
        expected = "range"
        if result:
            codes = result[0].astype("<i2" if self.board.bits > 8 else np.int8)
            bits = np.packbits(result[1], axis=1, bitorder="little")
            expected = f"{codes.tobytes().hex()} {bits.tobytes().hex()}"
        self.call(f"infer {' '.join(map(str, at))} {int(transposed)} {int(serial)} {batch} {first} {hexed(inputs)}",
                  expected)

    def voltage(self):
        return self.random.choice([-1, 1]) * self.random.choice([200000, 1050000, 1300000, 2000000, 3000000, 3300000])

    def pulse(self):
        at, volts, ns = self.cell(), self.voltage(), self.random.choice([20, 100, 1000, 10 ** 6])
        count = self.random.choice([1, 3, 20])
        formed, pulses = self.board.pulse(*at, volts, ns, count)
        self.call(f"pulse {' '.join(map(str, at))} {volts} {ns} {count}", f"{int(formed)} {pulses}")

    def sense(self):
        at, use, averages = self.cell(), self.random.getrandbits(40), self.random.choice([1, 2, 8])
        self.call(f"sense {' '.join(map(str, at))} {use} {averages}",
                  str(self.board.conductance(*at, use, averages)))

    def sweep(self):
        at, volts, use = self.cell(), self.voltage(), self.random.getrandbits(10)
        self.call(f"sweep {' '.join(map(str, at))} {volts} 500 {use}", str(self.board.current(*at, volts, 500, use)))

    def arithmetic(self, count):
        """Floats to the last bit: integer results hide most of them."""
        for _ in range(count):
            word, line, use = (self.random.getrandbits(n) for n in (31, 32, 60))
            uses = use + np.arange(2, dtype=np.uint64)[:, None]
            words = xbar_ref.philox(self.board.seed, np.broadcast_arrays(
                word + np.arange(4, dtype=np.uint64)[None, :], np.uint64(line), uses, uses >> np.uint64(32)))
            pairs = xbar_ref.normals(words[0], words[1]) + xbar_ref.normals(words[2], words[3])
            panel = np.concatenate(pairs, axis=1)
            self.call(f"normals {self.board.seed} {word} {line} {use}",
                      panel.astype("<f4").tobytes().hex())
            for name, value in (("ln", 2 ** self.random.uniform(-30, 30)), ("exp", self.random.uniform(-80, 80))):
                value = np.array([value], np.float32)
                self.call(f"{name} {value.view(np.uint32)[0]}",
                          str(getattr(xbar_ref, name)(value).astype(np.float32).view(np.uint32)[0]))

    def episode(self, name, shape, noise, full, length):
        self.new(name, shape, noise, full)
        tiles, rows, cols = shape[:3]
        whole = (self.random.randrange(tiles), 0, 0, rows, cols)
        self.infer(whole)
        self.write(whole)
        self.infer(whole)
        acts = [self.write, self.write_out_of_range, self.read, self.add, self.time, self.infer, self.infer, self.infer,
                self.pulse, self.pulse, self.sense, self.sweep]
        for _ in range(length):
            self.random.choice(acts)()
        self.infer(whole)


def script(seed):
    """All effects on small boards, some on each of the large ones, which take the reference long."""
    made = Script(seed)
    for noise in EFFECTS:
        made.episode("xbar8", xbar_ref.BOARDS["xbar8"], noise, False, 15)
        for shape in made.random.sample(ODD_BOARDS, 3):
            made.episode(None, shape, noise, made.random.random() < 0.3, 15)
    made.arithmetic(200)
    for name, noise, full, length in [("xbar64", "off", False, 10), ("xbar64", EFFECTS[-4], True, 5),
                                      ("xbar256", "off", False, 5), ("xbar256", "read:pcm+adc", False, 2),
                                      ("xbar1024", "off", False, 2), ("xbar1024", "read", True, 0)]:
        made.episode(name, xbar_ref.BOARDS[name], noise, full, length)
    return made


def compare(program, kernel, made):
    """Number of differing lines; prints the first."""
    done = subprocess.run([program, kernel], input="\n".join(made.calls) + "\n", capture_output=True, text=True,
                          check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(made.calls):
        sys.exit(f"{kernel}: exit {done.returncode} after {len(lines)} of {len(made.calls)} calls\n{done.stderr}")
    wrong, board = 0, ""
    for call, expected, line in zip(made.calls, made.expected, lines):
        if call.startswith(("new", "custom")):
            board, line = call, line.partition(" ")[2]
        if line != expected:
            wrong += 1
            if wrong <= 3:
                print(f"{kernel}: {board}\n  {call[:200]}\n  model     {line[:200]}\n  reference {expected[:200]}")
    return wrong


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    made = script(seed)
    kernels = ["off"]
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        kernels += ["avx2"] if " avx2" in info.read() else []
    wrong = sum(compare(sys.argv[1], kernel, made) for kernel in kernels)
    print(f"{len(made.calls)} calls, seed {seed}, kernels {' '.join(kernels)}: {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
