#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The chip model against an independent reference (tinyodin_ref.py) on random episodes with edge values.

First the reference has to agree with recorded traces of the chip. An episode is a list of commands that the reference
and model_run.c both do; every line of answer must be the same: MISO, outputs in order with their causes, clock cycles,
memories, counters. A difference names the seed: run again with --seed SEED --episodes 1.
"""
import argparse
import gzip
import json
import pathlib
import random
import subprocess
import sys
import unittest

from tinyodin_ref import Chip, run

EPISODES = 80
READ, WRITE, NEURON, SYNAPSE = 1 << 19, 1 << 18, 1 << 16, 2 << 16
GATE_ACTIVITY, OPEN_LOOP, AER_SRC, MAX_NEUR = range(4)

THRESHOLDS = [0, 1, 2, 8, 15, 16, 64, 0x7FE, 0x7FF, 0x800, 0x801, 0xFFE, 0xFFF]
POTENTIALS = [-2048, -2047, -2041, -8, -1, 0, 1, 7, 63, 2040, 2046, 2047]
LEAKS = [0, 1, 2, 63, 126, 127]
MAX_NEURONS = [0, 1, 7, 8, 14, 15, 16, 31, 63, 64, 130, 254, 255, 255]


class Episode:
    """Commands drawn from a seed, with the reference's answers to them."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.chip = Chip()
        self.lines, self.answers, self.inputs = [], [], 0
        self.max_neuron = self.draw.choice(MAX_NEURONS)
        self.most = 400 if self.max_neuron < 32 else 60  # queue entries run before a network counts as runaway
        self.calm = self.draw.random() < 0.6  # few thresholds that are met at once
        self.rows = [self.draw.randrange(256) for _ in range(8)] + list(range(min(8, self.max_neuron + 1)))
        self.program()
        for _ in range(self.draw.randint(1, 3)):
            self.events(self.draw.randint(8, 30))
            self.meddle()
        self.finish()

    def do(self, line):
        self.lines.append(line)
        self.answers.append(run(self.chip, line))
        return self.answers[-1]

    def edge(self, edges, low, high):
        return self.draw.choice(edges) if self.draw.random() < 0.5 else self.draw.randint(low, high)

    # ---- frames

    def frame(self, address, data):
        return address << 20 | self.draw.getrandbits(4) << 16 | data

    def config(self, register, value):
        """Whatever R, W and the unused data bits say."""
        unused = 8 if register == MAX_NEUR else 1
        data = self.draw.getrandbits(16) >> unused << unused | value
        return self.frame(self.draw.getrandbits(2) << 18 | register, data)

    def word(self):
        v = self.edge(POTENTIALS, -2048, 2047)
        threshold = self.edge(THRESHOLDS, 0, 600)
        if self.draw.random() < 0.2:
            threshold = max(0, v + self.draw.randint(-2, 8)) & 0xFFF
        if self.calm and threshold < 0x800:
            v, threshold = min(v, 20), max(threshold, 20 + self.draw.randint(0, 60))
        disabled = self.draw.random() < 0.2
        return disabled << 31 | self.edge(LEAKS, 0, 127) << 24 | threshold << 12 | v & 0xFFF

    def neuron_frames(self, neurons):
        frames = []
        for n in neurons:
            word = self.word()
            for lane in self.draw.sample(range(4), 4):
                swap = READ if self.draw.random() < 0.1 else 0
                frames.append(self.frame(swap | WRITE | NEURON | lane << 8 | n, word >> 8 * lane & 0xFF))
        return frames

    def row_frames(self, pre):
        extreme = self.draw.random() < 0.3
        frames = []
        for i in range(128):
            byte = self.draw.choice([0x77, 0x88, 0x78, 0x87]) if extreme else self.draw.getrandbits(8)
            frames.append(self.frame(WRITE | SYNAPSE | (i & 3) << 13 | pre << 5 | i >> 2, byte))
        return frames

    def any_frame(self):
        """Masks, reads, swaps, lanes that are nowhere, operations that do nothing; no configuration register."""
        operation = self.draw.choice([NEURON, NEURON, SYNAPSE, SYNAPSE, NEURON | SYNAPSE])
        where = self.draw.getrandbits(16)
        if operation == NEURON and self.draw.random() < 0.7:
            where = self.draw.randrange(4) << 8 | where & 0xFF
        if self.draw.random() < 0.05:
            operation, where = 0, max(4, where)  # no such register
        mask = self.draw.choice([0, 0xF, 0xF0, 0x7F, 0xFF, self.draw.getrandbits(8)])
        return self.frame(self.draw.getrandbits(2) << 18 | operation | where, mask << 8 | self.draw.getrandbits(8))

    def spi(self, frames):
        self.do("spi " + " ".join(f"{frame:x}" for frame in frames))

    # ---- phases

    def program(self):
        frames = [self.config(GATE_ACTIVITY, 1), self.config(OPEN_LOOP, self.draw.random() < 0.7),
                  self.config(AER_SRC, self.draw.random() < 0.4), self.config(MAX_NEUR, self.max_neuron)]
        parts = [self.neuron_frames(self.draw.sample(range(256), 256))]
        parts += [self.row_frames(pre) for pre in self.rows]
        parts.append([self.any_frame() for _ in range(400)])
        self.draw.shuffle(parts)
        self.spi(frames + sum(parts, []))
        if self.draw.random() < 0.5:
            self.do("reset")
        self.open_gate([self.config(OPEN_LOOP, self.draw.random() < 0.4)])

    def open_gate(self, frames):
        """What was queued while the gate was closed runs; sometimes an input comes first."""
        self.spi(frames + [self.config(GATE_ACTIVITY, 0)])
        if self.draw.random() < 0.3:
            self.input()
        self.settle()

    def settle(self):
        if self.do(f"steps {self.most:x}").startswith("busy"):
            self.do("reset")

    def address(self):
        kind = self.draw.random()
        if kind < 0.5:
            return self.draw.choice(self.rows) if self.draw.random() < 0.8 else self.draw.randrange(256)
        if kind < 0.75:
            return 0x200 | self.edge([0, 0xF, 0x80, 0x8F, 0x70, 0x7F, 0xF0, 0x10], 0, 0xFF)
        if kind < 0.9:
            return self.draw.choice([0x100, 0x300]) | self.edge([0, 0xFE, self.max_neuron], 0, 0xFF)
        return self.draw.choice([0x1FF, 0x3FF])

    def input(self):
        self.do(f"in {self.address():x} {self.inputs:x}")
        self.inputs += 1

    def events(self, count):
        waits = self.draw.random() < 0.6
        for _ in range(count):
            if waits:
                if self.do(f"event {self.address():x} {self.inputs:x} {self.most:x}").startswith("busy"):
                    self.do("reset")
                self.inputs += 1
            else:
                self.input()
                self.do(f"steps {self.draw.choice([0, 0, 1, 1, 1, 2]):x}")
        self.settle()

    def meddle(self):
        """Idle: reads of stale words and writes that are lost; then changes behind the gate."""
        self.spi([self.any_frame() for _ in range(20)])
        frames = [self.config(GATE_ACTIVITY, 1), self.config(OPEN_LOOP, self.draw.random() < 0.5)]
        frames += self.neuron_frames(self.draw.sample(range(256), 24))
        frames += [self.any_frame() for _ in range(60)]
        frames += [self.config(AER_SRC, self.draw.random() < 0.4)]
        if self.draw.random() < 0.3:
            frames += [self.config(MAX_NEUR, self.draw.choice([0, 3, 16, self.max_neuron]))]
        self.spi(frames)
        if self.draw.random() < 0.2:
            self.do("reset")
        self.open_gate([self.config(OPEN_LOOP, self.draw.random() < 0.5)])

    def finish(self):
        self.do("words")
        self.do("counters")


def difference(line, expected, got):
    """A sentence on the first place where two answers differ."""
    wanted, there = expected.split(), got.split()
    for place, pair in enumerate(zip(wanted, there)):
        if pair[0] != pair[1]:
            return f"'{line[:60]}', word {place} of the answer: expected {pair[0]}, got {pair[1]}"
    return f"'{line[:60]}': expected {len(wanted)} words of answer, got {len(there)}"


def compare(episode, program, kernel):
    """None when the program gives the episode's answers, else what differs. Raises LookupError without the kernel."""
    done = subprocess.run([program, kernel], input="\n".join(episode.lines) + "\n", capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode == 77:
        raise LookupError(done.stdout.strip())
    if done.returncode != 0:
        return f"{program} ended with status {done.returncode}: {done.stderr.strip()}"
    answers = done.stdout.splitlines()
    for line, expected, got in zip(episode.lines, episode.answers, answers):
        if expected != got:
            return difference(line, expected, got)
    return None if len(answers) == len(episode.lines) else f"{len(answers)} answers to {len(episode.lines)} commands"


class Reference(unittest.TestCase):
    """options: what main() read."""

    def traces(self, name):
        with gzip.open(self.options.data / f"tinyodin_{name}.jsonl.gz", "rt", encoding="ascii") as lines:
            return [json.loads(line) for line in lines]

    def program(self, trace):
        """A chip that was sent the trace's frames; its replies and outputs."""
        chip, replies = Chip(), []
        for frame in trace["spi"]:
            replies.append(chip.spi(int(frame, 16)))
            if not chip.gate:
                chip.steps(1000)
        outputs = [address for _, address in chip.out]
        chip.out.clear()
        return chip, replies, outputs

    def check_words(self, chip, trace):
        self.assertEqual([f"{chip.neuron_word(n):08x}" for n in range(256)], trace["final_neurons"])

    def test_agrees_with_recorded_frames(self):
        for trace in self.traces("spi"):
            with self.subTest(episode=trace["id"]):
                chip, replies, outputs = self.program(trace)
                self.assertEqual([f"{reply:05x}" for reply in replies], trace["miso"])
                self.assertEqual(outputs, trace["aer_out"])
                self.check_words(chip, trace)
                self.assertEqual([f"{word:08x}" for word in chip.synapse], trace["final_synapses"])

    def test_agrees_with_recorded_events(self):
        for trace in self.traces("edges") + self.traces("drops") + self.traces("idle")[:2]:
            with self.subTest(episode=trace["id"]):
                chip, _, outputs = self.program(trace)
                self.assertEqual(outputs, [])
                for at, (address, expected) in enumerate(zip(trace["aer_in"], trace["aer_out"])):
                    self.assertIsNotNone(chip.event(int(address, 16), at, 100000))
                    self.assertEqual(chip.out, [(at, address) for address in expected], f"event {at}")
                    chip.out.clear()
                self.check_words(chip, trace)

    def test_model_agrees(self):
        total = {"commands": 0, "outputs": 0, "dropped": 0, "sops": 0, "spurious": 0, "timed": 0}
        kernels = {"plain", "avx2"}
        for seed in range(self.options.seed, self.options.seed + self.options.episodes):
            episode = Episode(seed)
            for kernel in sorted(kernels):
                try:
                    found = compare(episode, self.options.program, kernel)
                except LookupError:
                    kernels.remove(kernel)
                    self.options.missing = kernel
                    continue
                self.assertIsNone(found, f"seed {seed}, {kernel} kernel: {found}")
            answers = [answer for answer in episode.answers if not answer.startswith("miso")]
            total["commands"] += len(episode.lines)
            total["outputs"] += sum(answer.count(":") for answer in answers)
            total["spurious"] += sum(answer.count(" 4294967295:") for answer in answers)
            total["timed"] += sum(answer[0].isdigit() for answer in answers)
            total["dropped"] += episode.chip.dropped
            total["sops"] += episode.chip.sops
        print(f"{self.options.episodes} episodes from seed {self.options.seed}, {' and '.join(sorted(kernels))}: " +
              ", ".join(f"{count} {name}" for name, count in total.items()))
        self.assertTrue(self.options.episodes < EPISODES or all(total.values()), f"not met in any episode: {total}")

    def test_a_wrong_model_is_told(self):
        """No recorded trace brings an input to a full queue; the episodes do."""
        for seed in range(EPISODES):
            if compare(Episode(seed), self.options.wrong, "plain"):
                return
        self.fail(f"{self.options.wrong}: nothing differs in {EPISODES} episodes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=pathlib.Path, help="folder of the recorded traces")
    parser.add_argument("program", help="model_run")
    parser.add_argument("wrong", help="model_run that drops inputs at a full queue")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--episodes", type=int, default=EPISODES)
    Reference.options = parser.parse_args()
    Reference.options.missing = None
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    if not result.wasSuccessful():
        return 1
    if Reference.options.missing:
        print(f"skipped: no {Reference.options.missing} on this machine; the plain kernel was compared")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
