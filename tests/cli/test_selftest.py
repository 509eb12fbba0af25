# SPDX-License-Identifier: MIT
"""selftest: passes on a good chip, names what is wrong with a bad one, puts back what it overwrote."""
import pathlib

import probe
from probe import FAULTY, SIM, npy


class Passes(probe.ProbeTest):
    def test_emulator(self):
        found = self.probe("-u", SIM, "selftest")
        lines = found.out.splitlines()
        self.assertEqual([line.split()[:2] for line in lines],
                         [["link", "skipped:"], ["weights", "ok,"], ["neurons", "ok,"], ["spikes", "ok,"]])
        compared = [int(line.split()[2]) for line in lines[1:]]
        # Four solid and checkered patterns, one for each bit, the address and its inverse in slices of the code.
        self.assertEqual(compared[0], (4 + 4 + 2 * 16 // 4) * 65536)
        self.assertEqual(compared[1], (4 + 1 + 2 * 8) * 256 * 4)
        self.assertGreater(compared[2], 100)
        self.assertEqual(found.err, "")

    def test_json(self):
        found = self.json("-u", SIM, "selftest")
        self.assertEqual((found["uri"], found["passed"]), (SIM, True))
        self.assertEqual({name: part["result"] for name, part in found["parts"].items()},
                         {"link": "skipped", "weights": "ok", "neurons": "ok", "spikes": "ok"})

    def test_link(self):
        """The bytes were looped back when the device was opened."""
        self.assert_has(self.probe("-u", "sim:tinyodin,via=ftdi", "selftest").out, "link     ok, 5 bytes compared\n")
        self.assertEqual(self.json("-u", SIM, "selftest")["parts"]["link"],
                         {"result": "skipped", "compared": 0, "reason": "the link has no loopback"})

    def test_what_a_board_lacks_is_skipped(self):
        found = self.probe("-u", "null:", "selftest")
        self.assert_has(found.out, "link     skipped: the link has no loopback", "weights  ok, ",
                        "neurons  skipped: no neurons", "spikes   skipped: no neurons")
        self.assertEqual(self.json("-u", "null:", "selftest")["parts"]["neurons"],
                         {"result": "skipped", "compared": 0, "reason": "no neurons"})

    def test_restores(self):
        self.chip("program", self.path("w.npy", npy([[(row * col) % 16 - 8 for col in range(256)]
                                                     for row in range(256)])))
        self.chip("neurons", "set", "3..90", "threshold=55", "leak=4", "potential=-7", "enabled=1")
        self.chip("attr", "open_loop=0", "max_neuron=17", "output_source=1")
        before = pathlib.Path(self.path("chip.h5")).read_bytes()
        self.chip("selftest")
        self.assertEqual(pathlib.Path(self.path("chip.h5")).read_bytes(), before)


class Faults(probe.ProbeTest):
    def faulty(self, keys):
        found = self.probe("-u", f"bench:tinyodin,{keys}", "selftest", program=FAULTY, code=8)
        told = self.probe("-u", f"bench:tinyodin,{keys}", "--json", "selftest", program=FAULTY, code=8)
        result = probe.json.loads(told.out)
        self.assertFalse(result["passed"])
        return found, result["parts"]

    def test_weight_bit(self):
        for row, col, bit in [(0, 0, 0), (3, 7, 2), (255, 254, 3), (128, 255, 1)]:
            with self.subTest(row=row, col=col, bit=bit):
                found, parts = self.faulty(f"row={row},col={col},bit={bit}")
                self.assert_has(found.out, f"weights  FAILED: core 0, row {row}, column {col}, bit {bit}: wrote ",
                                "1 of 65536 cells wrong", "neurons  ok", "spikes   ok")
                self.assert_has(found.err, f"selftest of weights: core 0, row {row}, column {col}, bit {bit}:")
                place = parts["weights"]["place"]
                self.assertEqual((place["row"], place["col"], place["bits"]), (row, col, 1 << bit))
                self.assertEqual((place["wrote"] ^ place["read"]) & 15, 1 << bit)
                self.assertEqual((place["core"], place["cells_wrong"]), (0, 1))

    def test_neuron_bit(self):
        # The word is {disabled, leak[6:0], threshold[11:0], potential[11:0]}.
        for neuron, bit, field, place in [(5, 14, "threshold", 2), (255, 24, "leak", 0), (0, 11, "potential", 11),
                                          (77, 31, "enabled", 0)]:
            with self.subTest(neuron=neuron, bit=bit):
                found, parts = self.faulty(f"neuron={neuron},bit={bit}")
                self.assert_has(found.out, f"neurons  FAILED: core 0, neuron {neuron}, {field}, bit {place}: wrote ",
                                "weights  ok")
                fault = parts["neurons"]["place"]
                self.assertEqual((fault["neuron"], fault["field"], fault["bits"]), (neuron, field, 1 << place))
                self.assertEqual(parts["neurons"]["result"], "failed")
                self.assert_has(parts["neurons"]["fault"], f"neuron {neuron}, {field}, bit {place}")

    def test_potential_after_the_run(self):
        found, parts = self.faulty("neuron=9,bit=0")
        self.assert_has(found.out, "spikes   FAILED: core 0, neuron 9: potential ", "expected after the run, got")
        place = parts["spikes"]["place"]
        self.assertEqual((place["neuron"], place["expected"] | 1), (9, place["got"]))

    def test_missing_spikes(self):
        good = self.json("-u", SIM, "selftest")["parts"]["spikes"]["compared"]
        found, parts = self.faulty("mute=0")
        self.assert_has(found.out, "weights  ok", "neurons  ok", "spikes   FAILED: core 0, spike ",
                        "expected neuron 0 ")
        self.assertLess(parts["spikes"]["compared"], good)
        self.assertEqual(sorted(parts["spikes"]["place"]), ["core", "expected", "got", "spike"])


if __name__ == "__main__":
    probe.main()
