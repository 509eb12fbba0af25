# SPDX-License-Identifier: MIT
"""fault=, record= and replay: in the URI of a command: exit codes, sentences, the same output without the board."""
import probe
from probe import SIM, events, npy


class Wrappers(probe.ProbeTest):
    def setUp(self):
        super().setUp()
        self.trace = self.path("run.nmtrace")
        self.weights = self.path("w.npy", npy([[row - col for col in range(4)] for row in range(3)]))
        self.program = ("program", self.weights, "--region", "0,5,7", "--verify")

    def test_a_command_is_played(self):
        spikes = self.path("in.csv", events((0, "spike", 5, 0), (1, "leak_all", 0, 0)))
        for command in [self.program, ("run", spikes), ("neurons", "3..9"), ("weights", "--region", "0,5,7,3,4")]:
            with self.subTest(command=command[0]):
                recorded = self.probe("-u", f"{SIM},record={self.trace}", *command)
                played = self.probe("-u", f"replay:file={self.trace}", *command)
                self.assertEqual(played.out, recorded.out)
                self.assertEqual(played.err.replace("replay:file", f"{SIM},record"), recorded.err)

    def test_another_command_is_told_where_it_strays(self):
        self.probe("-u", f"{SIM},record={self.trace}", *self.program)
        self.assert_has(self.fails(7, "-u", f"replay:file={self.trace}", "-q", "neurons", "3"),
                        f"replay:file={self.trace}: ", "run.nmtrace: record ", "at offset", "expected spi")

    def test_files(self):
        self.assert_has(self.fails(3, "-u", f"replay:file={self.trace}", "info"), "No such file")
        self.assert_has(self.fails(2, "-u", "replay:", "info"), "write replay:file=")
        self.path("run.nmtrace", b"\x89HDF\r\n\x1a\n, which it is not")
        self.assert_has(self.fails(7, "-u", f"replay:file={self.trace}", "info"), "is no trace")
        self.assert_has(self.fails(1, "-u", f"{SIM},record={self.folder}/no/x", "info"), "No such file or directory")
        self.assert_has(self.probe("list", "replay", code=3).err, "no device found")

    def test_faults(self):
        self.assert_has(self.fails(1, "-u", f"{SIM},fault=io@3,fault_seed=9", *self.program),
                        "injected fault: io at operation 3 (fault_seed=9)")
        self.assert_has(self.fails(10, "-u", f"{SIM},fault=gone@3", "-q", *self.program), "gone at operation 3")
        self.assert_has(self.fails(9, "-u", f"{SIM},fault=timeout@3", "-T", "50", *self.program), "timeout at")
        self.assert_has(self.fails(8, "-u", f"{SIM},fault=drop@3", *self.program), "read back wrong")
        self.assert_has(self.fails(2, "-u", f"{SIM},fault=nonsense@3", "info"), "known: drop, dup, flip")
        self.assert_has(self.fails(2, "-u", "null:,fault=io@3", "info"), "fault")
        said = self.probe("-u", f"{SIM},fault=split:1", "-v", "neurons", "1").err
        self.assert_has(said, "0 faults injected in ", "(fault_seed=1)")


if __name__ == "__main__":
    probe.main()
