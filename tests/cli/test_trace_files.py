# SPDX-License-Identifier: MIT
"""trace run on files it must refuse: other modes, damage, nothing to compare."""
import gzip
import json

import probe
from probe import SIM

GOLDEN = probe.ROOT / "tests/golden/data"
# Frames of 20-bit address and data fields: registers 0..3 are gate, open loop, output source, last neuron.
OPEN = ["4000000001", "4000100001", "4000200000", "40003000ff"]
GATE_OFF = "4000000000"


def episode(**changes):
    """A small good episode: one spike on row 0 of an empty, disabled chip, no output."""
    whole = {"id": 7, "mode": "idle", "spi": [*OPEN, *(f"5{0x0300 + i:04x}00080" for i in range(256)), GATE_OFF],
             "aer_in": ["000"], "aer_out": [[]], "final_neurons": ["80000000"] * 256}
    whole.update(changes)
    return {key: value for key, value in whole.items() if value is not None}


class Refused(probe.ProbeTest):
    def run_file(self, content, code, name="t.jsonl"):
        path = self.path(name, content)
        return path, self.fails(code, "-u", SIM, "trace", "run", path)

    def test_the_good_one(self):
        found = self.probe("-u", SIM, "trace", "run", self.path("t.jsonl", json.dumps(episode())))
        self.assertTrue(found.out.endswith("\n1 episodes, 1 events, 0 outputs compared: identical\n"), found.out)

    def test_other_modes(self):
        for mode in ("spi", "timed"):
            path = str(GOLDEN / f"tinyodin_{mode}.jsonl.gz")
            self.assert_has(self.fails(6, "-u", SIM, "trace", "run", path), f"{path}:1: episode ",
                            f"mode {mode} cannot", "only mode idle")

    def test_good_episodes_before_a_bad_one_are_shown(self):
        path = self.path("t.jsonl", json.dumps(episode()) + "\n" + json.dumps(episode(mode="timed")) + "\n")
        found = self.probe("-u", SIM, "trace", "run", path, code=6)
        self.assertEqual(found.out.count("\n"), 1)
        self.assert_has(found.err, f"{path}:2: episode 7: mode timed")

    def test_nothing_compared(self):
        for content in ("", "\n \n", json.dumps(episode(aer_in=[], aer_out=[]))):
            path = self.path("t.jsonl", content)
            found = self.probe("-u", SIM, "trace", "run", path, code=1)
            self.assertEqual(found.err, "nmhal-probe: trace run: 0 events compared\n")

    def test_damaged_lines(self):
        good = json.dumps(episode())
        for line, part in [
                (good[:100], "damaged line: "), ("{}", "it has no mode"), ("[1]", "it has no mode"),
                ("spi", "damaged"), (good + "x", "damaged line"), ('{"mode": "idle", "mode": "idle"}', "duplicate"),
                ("\0" + good, "damaged"),
                (json.dumps(episode(spi=None)), "episode 7: the list spi is missing"),
                (json.dumps(episode(aer_in="000")), "the list aer_in is missing"),
                (json.dumps(episode(final_neurons=None)), "the list final_neurons is missing"),
                (json.dumps(episode(spi=["400000000"])), "spi[0] is not 10 hexadecimal digits"),
                (json.dumps(episode(spi=[*OPEN, "50000000gg"])), "spi[4] is not"),
                (json.dumps(episode(aer_in=["400"])), "aer_in[0] is not a 10-bit number"),
                (json.dumps(episode(aer_in=[0])), "aer_in[0] is not"),
                (json.dumps(episode(aer_out=[])), "aer_out has 0 entries for 1 input events"),
                (json.dumps(episode(aer_out=[7])), "aer_out[0] is not a list"),
                (json.dumps(episode(aer_out=[[1, 256]])), "aer_out[0][1] is not a number 0..255"),
                (json.dumps(episode(aer_out=[["1"]])), "aer_out[0][0] is not a number"),
                (json.dumps(episode(final_neurons=["80000000"] * 255)), "final_neurons has 255 entries, not 256"),
                (json.dumps(episode(final_neurons=[0] * 256)), "final_neurons[0] is not 8 hexadecimal")]:
            with self.subTest(part=part, line=line[:30]):
                path, message = self.run_file(f"\n\n{line}\n", 7)
                self.assert_has(message, f"{path}:3: ", part)

    def test_identifier_is_any_text(self):
        self.assert_has(self.run_file(json.dumps(episode(id="a1", spi=None)), 7)[1], "episode a1: ")
        self.assert_has(self.run_file(json.dumps(episode(id=None, spi=None)), 7)[1], "episode ?: ")

    def test_programs_the_library_cannot_repeat(self):
        for frames, part in [
                ([*OPEN[:3], GATE_OFF], "leaves a configuration register unwritten"),
                (OPEN, "leaves the chip gated"),
                ([*OPEN, "4000100000", "5000000000", GATE_OFF], "neuron 0 is written in closed loop")]:
            with self.subTest(part=part):
                self.assert_has(self.run_file(json.dumps(episode(spi=frames)), 6)[1], part)

    def test_frames_that_do_nothing(self):
        idle = ["0000000000", "9000000000", "7000000000", "5040000080", GATE_OFF, "5000000055", "6000000055",
                "4000400001"]
        spi = episode()["spi"][:-1] + idle
        found = self.probe("-u", SIM, "trace", "run", self.path("t.jsonl", json.dumps(episode(spi=spi))))
        self.assert_has(found.out, "identical\n")

    def test_masked_writes(self):
        # Lane 2 of neuron 3 is the upper threshold: 0xa5 into zeros, then only the lower nibble to 6.
        words = ["80000000"] * 256
        words[3] = "80a60000"
        spi = episode()["spi"][:-1] + ["50203000a5", "502030f036", GATE_OFF]
        found = self.probe("-u", SIM, "trace", "run",
                           self.path("t.jsonl", json.dumps(episode(spi=spi, final_neurons=words))))
        self.assert_has(found.out, "identical\n")

    def test_damaged_gzip(self):
        whole = gzip.compress((json.dumps(episode()) + "\n").encode() * 3)
        flipped = bytearray(whole)
        flipped[-6] ^= 1  # in the checksum of the data
        for data in (whole[:-20], whole[:40], bytes(flipped), whole[:10] + b"\xff" * 40):
            path = self.path("t.jsonl.gz", data)
            found = self.probe("-u", SIM, "trace", "run", path, code=7)
            self.assertRegex(found.err, rf"^nmhal-probe: {path}:[1-4]: (read|damaged line): ")

    def test_unreadable(self):
        self.assert_has(self.fails(1, "-u", SIM, "trace", "run", self.path("none")), "none: read: No such file")
        self.assert_has(self.fails(1, "-u", SIM, "trace", "run", str(self.folder)), "read: Is a directory")


if __name__ == "__main__":
    probe.main()
