#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every program of examples/jax and the benchmark run, and do what they say."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from jaxbed import has_analog

ROOT = pathlib.Path(__file__).parents[2]


def run(program, *args):
    """What a program of the project printed."""
    done = subprocess.run([sys.executable, str(ROOT / program), *args], capture_output=True, text=True, timeout=900,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def numbers(pattern, text):
    """The numbers that a pattern finds in what was printed."""
    found = re.search(pattern, text)
    if found is None:
        raise AssertionError(f"{pattern!r} is not in:\n{text}")
    return [float(number) for number in found.groups()]


class Examples(unittest.TestCase):
    def test_first_steps(self):
        losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", run("examples/jax/first_steps.py"))]
        self.assertEqual(len(losses), 5)
        self.assertEqual(losses, sorted(losses, reverse=True))
        self.assertLess(losses[-1], 0.2 * losses[0])

    def test_from_the_installed_package(self):
        """From outside of the tree, with the data of the package."""
        data = "import runpy, nmhal; load = runpy.run_path(nmhal.__path__[0] + '/examples/jax/digits.py')['load']\n" \
               "print(len(load()[0]), 'images')"
        with tempfile.TemporaryDirectory() as folder:
            for args, words in ((("-m", "nmhal.examples", "first_steps"), "cells written so far"),
                                (("-c", data), "1260 images")):
                done = subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=120, check=False,
                                      cwd=folder)
                self.assertIn(words, done.stdout, done.stderr)

    def test_readme_has_the_first_steps(self):
        program = (ROOT / "examples/jax/first_steps.py").read_text(encoding="utf-8")
        self.assertEqual(len(program.splitlines()), 15)
        self.assertIn(f"```python\n{program}```\n", (ROOT / "README.md").read_text(encoding="utf-8"))

    def test_jaxpr(self):
        parts = dict(re.findall(r"^(\w+: [^\n]+)\n(.*?)\n(?=\n|\Z)", run("examples/jax/jaxpr.py"), flags=re.M | re.S))
        self.assertEqual({name: text.count("target_name=nmhal_matmul") for name, text in parts.items()},
                         {"host: layer": 0, "host: gradient": 0, "board: layer": 1, "board: gradient": 1,
                          "board: vmap over 4 samples": 1})

    @unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
    def test_digits_mlp(self):
        text = run("examples/jax/digits_mlp.py")
        host, board = numbers(r"host ([\d.]+) %, board ([\d.]+) %", text)
        self.assertGreater(host, 95)
        self.assertGreater(board, host - 1)
        self.assertLess(*numbers(r"written: ([\d.]+) of a rewrite", text), 0.2)

    @unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
    def test_snn_scan(self):
        text = run("examples/jax/snn_scan.py")
        self.assertGreater(*numbers(r"epoch 12: loss [\d.]+, ([\d.]+) %", text), 90)
        self.assertGreater(*numbers(r"(\d+) products on the crossbar", text), 1000)

    @unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
    def test_hardware_aware(self):
        text = run("examples/jax/hardware_aware.py", "wan2022")
        self.assertGreaterEqual(*numbers(r"wan2022, after a day: .* gains ([\d.-]+) points", text), 1)

    @unittest.skipUnless(has_analog(), "the package was built without the emulated analog boards")
    def test_bench(self):
        text = run("bench/jax_bench.py", "--quick")
        for row in ("matmul / (identity + C)", "pure_callback / matmul", "calls / vmap", "step / host step"):
            self.assertGreater(*numbers(re.escape(row) + r" +([\d.]+)", text), 0)


if __name__ == "__main__":
    unittest.main()
