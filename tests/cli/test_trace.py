# SPDX-License-Identifier: MIT
"""trace run on the golden traces: identical, and every difference put into them is found and named."""
import copy
import gzip
import json

import probe
from probe import FAULTY, SIM

GOLDEN = probe.ROOT / "tests/golden/data"
CACHE = {}


def golden(name):
    """The episodes of a golden file."""
    if name not in CACHE:
        with gzip.open(GOLDEN / f"tinyodin_{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            CACHE[name] = [json.loads(line) for line in file]
    return copy.deepcopy(CACHE[name])


def lines(*episodes):
    return "".join(json.dumps(episode) + "\n" for episode in episodes)


def counts(episodes):
    """(episodes, events, outputs)"""
    return (len(episodes), sum(len(episode["aer_in"]) for episode in episodes),
            sum(len(outputs) for episode in episodes for outputs in episode["aer_out"]))


class Identical(probe.ProbeTest):
    def test_golden_files(self):
        for name in ("idle", "drops", "edges"):
            with self.subTest(file=name):
                path = str(GOLDEN / f"tinyodin_{name}.jsonl.gz")
                episodes = golden(name)
                number, sent, outputs = counts(episodes)
                self.assertGreater(outputs, 100)
                found = self.probe("-u", SIM, "trace", "run", path)
                rows = found.out.splitlines()
                self.assertEqual(rows.pop(),
                                 f"{number} episodes, {sent} events, {outputs} outputs compared: identical")
                self.assertEqual(rows, [
                    f"{path}: episode {episode['id']}: identical: {len(episode['aer_in'])} events, "
                    f"{counts([episode])[2]} outputs, 256 neuron words" for episode in episodes])
                self.assertEqual(found.err, "")

    def test_plain_file_and_several(self):
        episodes = golden("edges")
        paths = [self.path("a.jsonl", "\n" + lines(*episodes[:1]) + "  \n"),
                 self.path("b.jsonl", lines(*episodes[1:]).rstrip("\n"))]
        found = self.json("-u", SIM, "trace", "run", *paths)
        self.assertEqual((found["episodes"], found["events"], found["outputs"]), counts(episodes))
        self.assertEqual((found["identical"], found["different"], found["uri"]), (True, 0, SIM))
        self.assertEqual([result["file"] for result in found["results"]], [paths[0]] + [paths[1]] * 3)
        self.assertEqual(found["results"][0], {
            "file": paths[0], "id": str(episodes[0]["id"]), "events": len(episodes[0]["aer_in"]),
            "outputs": counts(episodes[:1])[2], "identical": True})

    def test_on_another_link(self):
        self.assert_has(self.probe("-u", "bench:tinyodin", "trace", "run", GOLDEN / "tinyodin_drops.jsonl.gz",
                                   program=FAULTY).out, "identical\n")

    def test_board_that_is_no_tinyodin(self):
        self.assert_has(self.fails(6, "-u", "null:", "trace", "run", GOLDEN / "tinyodin_drops.jsonl.gz"),
                        "null", "no tinyODIN")


class Different(probe.ProbeTest):
    """Each test breaks one place of an episode; the others of its file stay identical."""

    def setUp(self):
        super().setUp()
        self.episodes = golden("drops")
        self.episode = self.episodes[1]

    def event(self, outputs):
        """An event with at least so many different outputs."""
        return next(k for k, out in enumerate(self.episode["aer_out"]) if len(set(out)) >= outputs)

    def differs(self, *parts):
        """The sentence of the difference, after holding all that is the same for each."""
        path = self.path("t.jsonl", lines(*self.episodes))
        number, sent, outputs = counts(self.episodes)
        found = self.probe("-u", SIM, "trace", "run", path, code=8)
        rows = found.out.splitlines()
        self.assertEqual(rows[-1], f"{number} episodes, {sent} events, {outputs} outputs compared: "
                                   "1 episodes different")
        head = f"{path}: episode {self.episode['id']}: DIFFERENT: "
        self.assertTrue(rows[1].startswith(head), rows[1])
        self.assertEqual(sum(": identical: " in row for row in rows), number - 1)
        why = rows[1][len(head):]
        self.assertEqual(found.err, f"nmhal-probe: {SIM}: trace {path}: episode {self.episode['id']}: {why}\n")
        told = self.probe("-u", SIM, "--json", "trace", "run", path, code=8)
        self.assertEqual(json.loads(told.err)["code"], 8)
        result = json.loads(told.out)
        self.assertEqual((result["identical"], result["different"]), (False, 1))
        self.assertEqual(result["results"][1]["difference"], why)
        self.assert_has(why, *parts)

    def shown(self, outputs):
        return "[" + ", ".join(map(str, outputs[:8])) + (", ...]" if len(outputs) > 8 else "]")

    def test_one_spike(self):
        k = self.event(1)
        right = list(self.episode["aer_out"][k])
        self.episode["aer_out"][k][0] ^= 1
        self.differs(f"event {k}, output 0: expected {self.shown(self.episode['aer_out'][k])}, "
                     f"got {self.shown(right)}")

    def test_one_spike_missing(self):
        k = self.event(2)
        right = list(self.episode["aer_out"][k])
        del self.episode["aer_out"][k][-1]
        self.differs(f"event {k}, output {len(right) - 1}: expected {self.shown(right[:-1])}, got {self.shown(right)}")

    def test_one_spike_too_many(self):
        self.episode["aer_out"][-1].append(17)
        k = len(self.episode["aer_out"]) - 1
        self.differs(f"event {k}, output {len(self.episode['aer_out'][k]) - 1}: expected ")

    def test_order(self):
        k = self.event(2)
        out = self.episode["aer_out"][k]
        right = list(out)
        i = next(i for i in range(len(out) - 1) if out[i] != out[i + 1])
        out[i], out[i + 1] = out[i + 1], out[i]
        self.differs(f"event {k}, output {i}: expected {self.shown(out)}, got {self.shown(right)}")

    def test_spike_of_the_next_event(self):
        k = self.event(1)
        self.episode["aer_out"][k + 1].insert(0, self.episode["aer_out"][k].pop())
        self.differs(f"event {k}, output {len(self.episode['aer_out'][k])}: ")

    def test_every_bit_of_a_neuron_word(self):
        k = len(self.episode["aer_in"]) - 1
        for neuron, bit in [(0, 0), (131, 11), (131, 12), (200, 23), (255, 24), (255, 31)]:
            with self.subTest(neuron=neuron, bit=bit):
                right = self.episode["final_neurons"][neuron]
                wrong = f"{int(right, 16) ^ 1 << bit:08x}"
                self.episode["final_neurons"][neuron] = wrong
                self.differs(f"after event {k}, neuron {neuron}: expected {wrong}, got {right}")
                self.episode["final_neurons"][neuron] = right

    def test_many_outputs_are_cut_short(self):
        k = next(k for k, out in enumerate(self.episode["aer_out"]) if len(out) > 8)
        self.episode["aer_out"][k][0] ^= 1
        self.differs(f"event {k}, output 0: ", ", ...], got [")

    def test_output_source(self):
        # Register 2 is written once more: processed entries come out instead of spikes.
        self.assertEqual(self.episode["cfg"]["src"], 0)
        gate = self.episode["spi"].pop()
        self.episode["spi"] += ["4000200001", gate]
        self.differs("event 0, output 0: expected ")

    def test_defective_chip(self):
        path = str(GOLDEN / "tinyodin_edges.jsonl.gz")
        found = self.probe("-u", "bench:tinyodin,neuron=7,bit=3", "trace", "run", path, program=FAULTY, code=8)
        self.assertRegex(found.out, r"DIFFERENT: after event \d+, neuron 7: expected \w+, got \w+\n")


if __name__ == "__main__":
    probe.main()
