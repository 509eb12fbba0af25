# SPDX-License-Identifier: MIT
"""bench: figures in text and JSON, everything restored."""
import pathlib

import probe
from probe import SIM, npy

FIGURES = {"program_all": "ms", "program_unchanged": "ms", "read_all": "ms", "set_neurons": "ms", "get_neurons": "ms",
           "one_event": "us", "events_silent": "events/s", "cycles_per_event": "cycles", "spikes_out": "spikes/s",
           "open_close": "ms"}


class Bench(probe.ProbeTest):
    def test_json(self):
        found = self.json("-u", SIM, "bench", "--runs", "5")
        self.assertEqual(found["uri"], SIM)
        self.assertEqual({name: figure["unit"] for name, figure in found["figures"].items()}, FIGURES)
        for name, figure in found["figures"].items():
            with self.subTest(figure=name):
                self.assertEqual(sorted(figure), ["max", "median", "min", "runs", "unit"])
                self.assertTrue(0 < figure["min"] <= figure["median"] <= figure["max"], figure)
                self.assertEqual(figure["runs"], 1 if name == "cycles_per_event" else 5)
        # Datasheet section 17: 7 + 2 * (255 + 1) + 2 cycles for an event without outputs.
        self.assertEqual(found["figures"]["cycles_per_event"]["median"], 521)

    def test_text(self):
        found = self.probe("-u", SIM, "bench", "-r", "6")
        self.assertEqual([line.split()[0] for line in found.out.splitlines()], list(FIGURES))
        self.assert_has(found.out, "6 runs")
        self.assertEqual(found.err, "")

    def test_restores(self):
        self.chip("program", self.path("w.npy", npy([[5] * 256] * 256)))
        self.chip("neurons", "set", "all", "threshold=55", "potential=-7", "enabled=1")
        self.chip("attr", "open_loop=0", "max_neuron=17", "output_source=1")
        before = pathlib.Path(self.path("chip.h5")).read_bytes()
        self.chip("bench", "-r", "5")
        self.assertEqual(pathlib.Path(self.path("chip.h5")).read_bytes(), before)

    def test_board_without_neurons(self):
        self.assertEqual(list(self.json("-u", "null:", "bench", "-r", "5")["figures"]),
                         ["program_all", "program_unchanged", "read_all", "open_close"])

    def test_refused(self):
        for runs in ("4", "100", "many"):
            self.assert_has(self.fails(2, "-u", SIM, "bench", "-r", runs), "5..99", runs)


if __name__ == "__main__":
    probe.main()
