# SPDX-License-Identifier: MIT
"""sensors and counters: by name, with units, again and again."""
import signal
import subprocess

import probe
from probe import FAULTY, SIM

URI = "analog:"


class Sensors(probe.ProbeTest):
    def test_table(self):
        found = self.probe("-u", URI, "sensors", program=FAULTY)
        self.assertEqual([line.split(None, 3) for line in found.out.splitlines()],
                         [["temperature", "=", "21.50", "degC (of the array)"],
                          ["fan", "=", "900", "1/min (speed of the fan)"]])

    def test_json_and_names(self):
        self.assertEqual(self.json("-u", URI, "sensors", "temperature", program=FAULTY)["sensors"],
                         {"temperature": {"value": 21.5, "unit": "degC", "summary": "of the array"}})
        self.assert_has(self.fails(2, "-u", URI, "sensors", "moons", program=FAULTY),
                        "read sensor 'moons': unknown name; known: temperature, fan")
        self.assert_has(self.fails(6, "-u", SIM, "sensors"), "has no sensors")

    def test_watch_until_interrupted(self):
        process = subprocess.Popen([FAULTY, "-u", URI, "sensors", "fan", "-w", "10ms"], stdout=subprocess.PIPE,
                                   text=True, env=probe.environment())
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=probe.TIMEOUT)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(all(line.startswith("fan ") for line in lines), lines)
        self.assert_has(self.fails(2, "-u", URI, "sensors", "-w", "2", program=FAULTY), "2s or 500ms")
        done = self.probe("--json", "-u", URI, "sensors", "-w", "2s", program=FAULTY, code=2)
        self.assert_has(done.err, "without --json")


class Counters(probe.ProbeTest):
    def test_listed_ones(self):
        self.assertEqual(self.json("-u", URI, "counters", program=FAULTY), {"counters": {"vectors": 17}})
        self.assertEqual(self.probe("-u", URI, "counters", program=FAULTY).out.split(), ["vectors", "=", "17"])
        self.assertEqual(self.json("-u", URI, "info", program=FAULTY)["counters"], {"vectors": 17})

    def test_those_of_a_chip(self):
        found = self.json("-u", SIM, "counters")["counters"]
        self.assertEqual(sorted(found), sorted(self.json("-u", SIM, "info")["counters"]))
        self.assertIn("sops", found)
        self.assert_has(self.fails(6, "-u", "null:", "counters"), "has no counters")


if __name__ == "__main__":
    probe.main()
