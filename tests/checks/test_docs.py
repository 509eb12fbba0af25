# SPDX-License-Identifier: MIT
"""The documents name everything the headers declare, and what they quote is what is there."""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from tree import files  # noqa: E402


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def public_functions():
    found = set()
    for header in ("nmhal.h", "analog.h", "driver.h"):
        code = re.sub(r"/\*.*?\*/", "", text(f"include/nmhal/{header}"), flags=re.S)
        found |= {re.search(r"(nmhal_\w+)\(", line)[1] for line in re.findall(r"^NMHAL_API [^;]*;", code, re.M)}
    return found


class Docs(unittest.TestCase):
    def test_errors_names_every_status_with_its_value(self):
        statuses = re.findall(r"^\t(NMHAL_(?:OK|E_\w+)) = (-?\d+)", text("include/nmhal/nmhal.h"), re.M)
        self.assertEqual(len(statuses), 20)
        rows = re.findall(r"^\| `(NMHAL_\w+)` \| ([−-]?\d+) \|", text("docs/errors.md"), re.M)
        self.assertEqual([(name, value.replace("−", "-")) for name, value in rows], statuses)

    def test_errors_names_the_exit_code_of_every_status(self):
        codes = dict(re.findall(r"^\t(PROBE_\w+) = (\d+)", text("tools/common.h"), re.M))
        switch = re.search(r"^int exit_code\(int status\)\n\{.*?^\}", text("tools/common.c"), re.M | re.S)[0]
        wanted, waiting = {}, []
        for status, result in re.findall(r"case (NMHAL_\w+):|return (?:\w+ \? )?(PROBE_\w+)", switch):
            waiting += [status] if status else []
            wanted.update({name: codes[result] for name in waiting} if result else {})
            waiting = waiting if status else []
        rows = re.findall(r"^\| `(NMHAL_\w+)` \|.*\| (\d+) \|$", text("docs/errors.md"), re.M)
        self.assertEqual(len(rows), 20)
        self.assertEqual({name: wanted.get(name, codes["PROBE_FAILURE"]) for name, _ in rows}, dict(rows))

    def test_threads_names_every_public_function(self):
        functions = public_functions()
        self.assertGreater(len(functions), 50)
        named = set(re.findall(r"`(nmhal_\w+)`", text("docs/threads.md")))
        self.assertEqual(functions - named, set())

    def test_documents_name_only_functions_that_exist(self):
        known = public_functions()
        for path in files(ROOT, ".md"):
            called = set(re.findall(r"\b(nmhal_\w+)\(\)", text(path)))
            self.assertEqual(called - known, set(), path)

    def test_readme_shows_the_example_that_is_built(self):
        self.assertIn("```c\n" + text("examples/first_steps.c") + "```", text("README.md"))

    def test_links_between_documents(self):
        for path in files(ROOT, ".md"):
            for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text(path)):
                self.assertTrue((ROOT / path).parent.joinpath(target).exists(), f"{path}: {target}")

    def test_chip_sections_that_the_code_names(self):
        sections = set(re.findall(r"^## (\d+)\. ", text("docs/tinyodin.md"), re.M))
        named = 0
        for path in files(ROOT, ".c", ".h"):
            if path.parts[0] not in ("drivers", "sim"):
                continue
            for numbers in re.findall(r"\bsections? ((?:\d+(?:, | and | to )?)+)", text(path)):
                for number in re.findall(r"\d+", numbers):
                    named += 1
                    self.assertIn(number, sections, f"{path}: section {number}")
        self.assertGreater(named, 10)

    def test_wiring_is_that_of_the_driver(self):
        pins = {name: int(value, 16) for name, value in
                re.findall(r"^#define MPSSE_(\w+) +0x(\w+)u", text("drivers/ftdi/mpsse.h"), re.M)}
        rows = re.findall(r"^\| ([AB][DC]BUS[^|]*?) \| ([^|]*?) \| (in|out) \|", text("docs/ftdi.md"), re.M)
        self.assertEqual(len(rows), 14)
        outputs, signals = dict.fromkeys(("AD", "AC", "BD", "BC"), 0), {}
        for places, signal, direction in rows:
            numbers = [int(number) for number in re.findall(r"\d", places)]
            numbers = range(numbers[0], numbers[-1] + 1)
            signals[signal] = (places[0], sum(1 << number for number in numbers))
            outputs[places[:2]] |= signals[signal][1] if direction == "out" else 0
        self.assertEqual(outputs, {"AD": pins["A_OUTPUTS"], "AC": pins["A_OUTPUTS_H"], "BD": pins["B_OUTPUTS"],
                                   "BC": pins["B_OUTPUTS_H"]})
        for signal, name in (("SCK", "A_SCK"), ("MOSI", "A_MOSI"), ("MISO", "A_MISO"), ("RST", "A_RST"),
                             ("AERIN_REQ", "A_REQ"), ("AERIN_ACK", "A_ACK"), ("AEROUT_ACK", "B_ACK"),
                             ("AEROUT_REQ", "B_REQ"), ("SCHED_FULL, may stay open", "B_FULL")):
            self.assertEqual(signals[signal], (name[0], pins[name]), signal)

    def test_files_that_the_architecture_names(self):
        for name in re.findall(r"`((?:hal|drivers|sim|include|tools|scripts|tests|bench)/[\w./-]+)`",
                               text("docs/architecture.md") + text("CONTRIBUTING.md") + text("README.md")):
            self.assertTrue((ROOT / name).exists() or list(ROOT.glob(name + "*")), name)


if __name__ == "__main__":
    unittest.main()
