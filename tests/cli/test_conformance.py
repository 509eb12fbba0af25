# SPDX-License-Identifier: MIT
"""conformance: good boards get their certificate, and each broken rule fails the cases that are about it, no others."""
import datetime
import pathlib
import re
import signal
import subprocess
import time

import probe
from probe import FAULTY, SIM

BOARDS = ["xbar8", "xbar64", "spike256", "xbar8,window=1,max_frame=128", "xbar64,noise=pcm,seed=3"]
PULSE = ("--pulse", "0,1,2")

# {defect of mutant.c: cases that must fail}
MUTANTS = {
    "crc": {"a wrong CRC is answered ECRC, with the number expected", "every flipped bit is noticed"},
    "repeats": {"a repeated WRITE is answered again and not executed",
                "a refused WRITE that is repeated is refused again", "a delta is added once, and the sum saturates",
                "a repeated PULSE is not applied again"},
    "order": {"a number out of order is answered ESEQ and not executed",
              "a number of before the window is answered ESEQ",
              "a repeated WRITE is answered again and not executed",
              "a refused WRITE that is repeated is refused again", "a delta is added once, and the sum saturates",
              "a repeated PULSE is not applied again"},
    "limits": {"limits are never widened", "a repeated PULSE is not applied again"},  # asks for what it is told
    "arming": {"a pulse above read level is answered EARM unless armed", "a new session is not armed",
               "RESTART disarms", "silence disarms, and EARM tells so", "a silence above its limit is refused"},
    "aborts": {"ABORT is outside the queue"},
    "credits": {"a window of requests is answered in order, credits stay inside it"},
    "caps": {"the records are read in pieces and have the CRC that HELLO says"},
    "noise": {"the same vectors give the same bits, in any batch", "so do transposed products",
              "so do bit-serial inputs"},
    "versions": {"another major version is answered EVERSION"},
    "sessions": {"a frame of another session is answered ESESSION"},
}


def results(certificate, result):
    return {case["case"] for case in certificate["cases"] if case["result"] == result}


class Conformance(probe.ProbeTest):
    def test_good_boards(self):
        for board in BOARDS:
            with self.subTest(board=board):
                found = self.json("conformance", f"sim:{board}", *PULSE)
                self.assertEqual(results(found, "failed"), set())
                self.assertTrue(found["conforms"])
                self.assertEqual(found["passed"] + found["not_there"], len(found["cases"]))
                self.assertEqual(found["board"]["model"], board.split(",")[0])
                self.assertGreater(found["passed"], 35)

    def test_a_stream_of_bytes(self):
        found = self.json("conformance", "mutant:xbar8,defect=none,bytes=1,max_frame=2048", *PULSE, program=FAULTY)
        self.assertEqual(results(found, "failed"), set())
        for name in ("garbage between frames is skipped", "a longer frame does no harm"):
            self.assertIn(name, results(found, "passed"))
        done = self.probe("conformance", "mutant:xbar8,defect=crc,bytes=1", program=FAULTY, code=8)
        self.assert_has(done.out, "failed     every flipped bit is noticed", "The board does NOT conform.")

    def test_certificate(self):
        found = self.probe("-u", "sim:xbar8", "conformance")
        self.assert_has(found.out, "libnmhal xbar8", "sim:xbar8", "nmlink 1.1, libnmhal 0.1.0", "no cell was pulsed",
                        "The board conforms in all that was tested.",
                        "not there  a repeated PULSE is not applied again: leave to pulse a cell (--pulse)")
        date = datetime.datetime.fromisoformat(re.search(r"date +(\S+)Z", found.out)[1])
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertLess(abs((now - date).total_seconds()), 600)

    def test_each_broken_rule_fails_its_cases(self):
        for defect, wanted in MUTANTS.items():
            with self.subTest(defect=defect):
                done = self.probe("--json", "conformance", f"mutant:xbar8,defect={defect}", *PULSE, program=FAULTY,
                                  code=8)
                found = probe.json.loads(done.out)
                self.assertEqual(results(found, "failed"), wanted)
                self.assertFalse(found["conforms"])
                self.assert_has(done.err, f"{len(wanted)} of ")

    def test_faults_on_the_way(self):
        """Whatever the carrier does to frames: no case fails for it, and the certificate says what there was."""
        rates = ["drop:0.01", "dup:0.01", "flip:0.01", "short:0.01", "io:0.01", "delay:0.002",
                 "drop:0.004+dup:0.004+flip:0.004+short:0.004"]
        for seed, fault in enumerate(rates):
            with self.subTest(fault=fault, seed=seed):
                board = ("sim:spike256", "mutant:xbar8,defect=none,bytes=1,max_frame=1024")[seed % 2]
                uri = f"{board},fault={fault},fault_seed={seed}"
                found = self.json("conformance", uri, *PULSE, program=FAULTY)
                self.assertEqual(results(found, "failed") | results(found, "undecided"), set())
                self.assertEqual((found["faults"]["fault"], found["faults"]["seed"]), (fault, str(seed)))
                self.assertGreater(found["faults"]["injected"], 0)
                tried = [case["attempts"] for case in found["cases"]]
                self.assertEqual(found["faults"]["repeated"], sum(attempts > 1 for attempts in tried))
                self.assertEqual(max(tried) > 1, not fault.startswith("delay"))
        found = self.json("conformance", "sim:xbar8")
        self.assertIsNone(found["faults"])
        self.assertEqual({case["attempts"] for case in found["cases"]}, {1})

    def test_faults_hide_no_broken_rule(self):
        """What fails without a fault having hit it fails, however often faults hit others."""
        for defect in ("crc", "repeats", "arming", "sessions"):
            with self.subTest(defect=defect):
                uri = f"mutant:xbar8,defect={defect},fault=drop:0.003+flip:0.003,fault_seed=5"
                found = probe.json.loads(self.probe("--json", "conformance", uri, *PULSE, program=FAULTY, code=8).out)
                self.assertEqual(results(found, "failed"), MUTANTS[defect])
                self.assertGreater(found["faults"]["repeated"], 0)

    def test_too_many_faults(self):
        done = self.probe("conformance", "sim:xbar8,fault=drop:0.25,fault_seed=3", code=1)
        self.assert_has(done.out, "The carrier is too faulty to say whether the board conforms.", " undecided; ",
                        "undecided  limits are never widened: faults hit each of 50 attempts",
                        "faults    drop:0.25 (fault_seed=3): ", "cases tried again, most attempts ")
        self.assert_has(done.err, "cases are undecided: faults hit all of 50 attempts; lower the rates of fault=")
        gone = self.probe("conformance", "sim:xbar8,fault=gone@500", code=10)
        self.assert_has(gone.err, "injected fault: gone at operation 500 (fault_seed=1)")
        self.assertNotIn("Certificate", gone.out)
        self.assert_has(self.fails(2, "conformance", "sim:xbar8,fault=cut:1"), "known: drop, dup, flip")

    def test_what_is_put_back_is_put_back_under_faults(self):
        """Weights and neurons that cases change, on a board that outlives the run."""
        vboard = pathlib.Path(probe.PROBE).parent / "vboard/nmhal-vboard"
        process = subprocess.Popen([vboard, "spike256", "--unix", self.path("board")], stdout=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGINT)
        uri = process.stdout.readline().strip()
        weights = self.path("w.npy", probe.npy([[row - col for col in range(4)] for row in range(4)]))
        self.probe("-u", uri, "program", weights, "--region", "0,252,252")
        self.probe("-u", uri, "neurons", "set", "255", "threshold=77")

        def what_it_holds():
            return [self.json("-u", uri, *command) for command in [("weights", "--region", "0,252,252,4,4"),
                                                                   ("neurons", "255")]]

        before = what_it_holds()
        self.assertTrue(self.json("conformance", f"{uri},fault=drop:0.004+flip:0.004,fault_seed=2")["conforms"])
        self.assertEqual(what_it_holds(), before)

    def test_a_record_of_the_run(self):
        trace = self.path("run.nmtrace")
        self.json("conformance", f"sim:xbar8,record={trace},fault=flip:0.005")
        content = pathlib.Path(trace).read_bytes()
        self.assertEqual(content[:8], b"NMTRACE\0")
        self.assertGreater(content.count(b"conformance"), 50)  # the PINGs

    def test_refused(self):
        self.assert_has(self.fails(2, "conformance"), "URI is missing")
        self.assert_has(self.fails(3, "conformance", SIM), "unknown board 'tinyodin'; known: nmlink, xbar8")
        self.assert_has(self.fails(6, "conformance", "null:"), "the null does not speak nmlink")
        self.assert_has(self.fails(2, "conformance", "moon:"), "no driver, link or wrapper 'moon' was built")
        self.assert_has(self.fails(2, "conformance", "sim:xbar8", "-p", "1,2"), "CORE,ROW,COL of a cell")
        self.assert_has(self.fails(2, "conformance", "sim:xbar8", "-r", "5"), "2s or 500ms")

    def test_an_interrupt_ends_it(self):
        process = subprocess.Popen([FAULTY, "conformance", "sim:xbar8"], stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.PIPE, env=probe.environment())
        line = ""
        while line != "safety\n":  # its watchdog case takes 300 ms
            line = process.stdout.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=probe.TIMEOUT)
        self.assertEqual(process.returncode, 130, out + err)
        self.assert_has(err, "conformance: interrupted")
        self.assertNotIn("Certificate", out)


if __name__ == "__main__":
    probe.main()
