# SPDX-License-Identifier: MIT
"""neurons: table, CSV, JSON, setting fields of a range."""
import probe
from probe import SIM


class Show(probe.ProbeTest):
    def test_power_up(self):
        found = self.probe("-u", SIM, "neurons")
        lines = found.out.splitlines()
        self.assertEqual(lines[0].split(), ["neuron", "threshold", "leak", "potential", "enabled"])
        self.assertEqual([line.split() for line in lines[1:]], [[str(i), "0", "0", "0", "0"] for i in range(256)])
        self.assertEqual(found.err, "")
        self.assertEqual(self.probe("-u", f"{SIM},init=zero", "neurons", "0").out.split()[-1], "1")

    def test_ranges(self):
        for text, first, last in [("7", 7, 7), ("3..5", 3, 5), ("250..", 250, 255), ("..2", None, None),
                                  ("0x10", 16, 16), ("all", 0, 255), ("255", 255, 255), ("9..9", 9, 9)]:
            with self.subTest(range=text):
                if first is None:
                    self.fails(2, "-u", SIM, "neurons", text)
                    continue
                rows = self.probe("-u", SIM, "neurons", "--csv", text).out.splitlines()
                self.assertEqual(rows[0], "neuron,threshold,leak,potential,enabled")
                self.assertEqual([int(row.split(",")[0]) for row in rows[1:]], list(range(first, last + 1)))

    def test_json(self):
        self.assertEqual(self.json("-u", SIM, "neurons", "1..2"), {"core": 0, "neurons": [
            {"neuron": i, "threshold": 0, "leak": 0, "potential": 0, "enabled": False} for i in (1, 2)]})

    def test_refused(self):
        for text in ("256", "0..256", "5..4", "-1", "x", "1..y", "1.5", "", "00000000000000000001"):
            with self.subTest(range=text):
                self.assert_has(self.fails(2, "-u", SIM, "neurons", "--", text), text, "0..255")
        self.assert_has(self.fails(2, "-u", SIM, "neurons", "--core", "1"), "core 1")
        self.assert_has(self.fails(2, "-u", SIM, "neurons", "--core=-1"), "--core -1")
        self.assert_has(self.fails(6, "-u", "null:", "neurons"), "null", "neurons")


class Set(probe.ProbeTest):
    def test_fields(self):
        found = self.chip("neurons", "set", "10..12", "threshold=4095", "leak=127", "potential=-2048", "enabled=1")
        self.assertEqual(found.out, "")
        self.assert_has(found.err, "neurons 10..12 of core 0 set")
        self.assertEqual(self.json("-u", self.uri, "neurons", "set", "11", "potential=2047", "-c", "0"),
                         {"core": 0, "first": 11, "count": 1})
        self.assertEqual(self.chip("neurons", "-s", "9..13").out.splitlines()[1:], [
            "9,0,0,0,0", "10,4095,127,-2048,1", "11,4095,127,2047,1", "12,4095,127,-2048,1", "13,0,0,0,0"])
        self.chip("neurons", "set", "all", "enabled=0", "leak=0x7")
        self.assertEqual(self.chip("neurons", "-s", "11").out.splitlines()[1], "11,4095,7,2047,0")

    def test_refused(self):
        for words, parts in [
                (["0", "threshold=4096"], ["threshold 4096", "0..4095"]),
                (["0", "threshold=-1"], ["threshold -1", "0..4095"]),
                (["5", "leak=128"], ["neuron 5", "leak 128", "0..127"]),
                (["0..9", "potential=2048"], ["potential 2048", "-2048..2047"]),
                (["0", "potential=-2049"], ["-2049"]), (["256", "leak=1"], ["256", "0..255"]),
                (["0", "enabled=2"], ["enabled=2", "0 or 1"]), (["0", "enabled=on"], ["enabled=on"]),
                (["0", "leak=two"], ["leak=two"]), (["0", "colour=1"], ["colour=1", "threshold=N"]),
                (["0", "leak"], ["leak", "threshold=N"]), (["0", "leak=4294967296"], ["4294967296"]),
                (["0"], ["FIELD=VALUE"]), ([], ["FIELD=VALUE"])]:
            with self.subTest(words=words):
                self.assert_has(self.fails(2, "-u", SIM, "neurons", "set", *words), *parts)

    def test_nothing_is_set_when_one_is_refused(self):
        self.chip("neurons", "set", "all", "leak=3", "threshold=5000", code=2)
        self.assertEqual({neuron["leak"] for neuron in self.json("-u", self.uri, "neurons")["neurons"]}, {0})


if __name__ == "__main__":
    probe.main()
