#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gate on instruction counts: cachegrind on the count modes of bench/, two sizes each, difference per unit.

Fails when a count is more than 5 % above recorded.json. Exit status 77 (skipped) where the counts mean nothing.
--record writes the counts of this compiler to recorded.json.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

RECORDED = pathlib.Path(__file__).with_name("recorded.json")
TOLERANCE = 1.05

# name: (unit, program, arguments before the size, small size, large size)
METRICS = {
    "call on the null driver": ("call", "bench-hal", ["count"], 10000, 50000),
    "path, 0 spikes per event": ("event", "bench-path", ["count", "0"], 4096, 20480),
    "path, 1 spike per event": ("event", "bench-path", ["count", "1"], 4096, 20480),
    "path, 6 spikes per event": ("event", "bench-path", ["count", "6"], 4096, 20480),
    "program 65,536 weights": ("call", "bench-program", ["count", "weights"], 2, 6),
    "open + close": ("call", "bench-program", ["count", "open"], 2, 6),
}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def instructions(command):
    """Instructions that a command executes, at the library's defaults and without Meson's filling of freed memory."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "NMHAL_"))}
    done = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
                           *command], env=plain, capture_output=True, text=True, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} under valgrind failed:\n{done.stdout}{done.stderr}")
    return int(found[1].replace(",", ""))


def measure(bench, metric):
    _, program, arguments, small, large = METRICS[metric]
    counts = [instructions([str(bench / program), *arguments, str(size)]) for size in (small, large)]
    return (counts[1] - counts[0]) / (large - small)


def judge(measured, recorded):
    """Prints a line per metric; returns the names of those that failed."""
    failed = []
    for metric, count in measured.items():
        limit = recorded[metric] * TOLERANCE
        good = count <= limit
        print(f"{metric:28} {count:12,.1f} instructions per {METRICS[metric][0]}, recorded {recorded[metric]:,.1f}, "
              f"limit {limit:,.1f}: {'ok' if good else 'FAIL'}")
        if not good:
            failed.append(metric)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("bench", type=pathlib.Path, help="folder of the built benchmarks: <build>/bench")
    parser.add_argument("--compiler", required=True, help="compiler and major version, for example gcc-12")
    parser.add_argument("--plain", default="yes", help="why the build is not a plain one, or yes")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if args.plain != "yes":
        skip(f"{args.plain} changes the counts")
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        skip("this machine has no AVX2, which the recorded counts are of")
    recorded = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if args.compiler not in recorded and not args.record:
        skip(f"no counts recorded for {args.compiler}, only for {', '.join(sorted(recorded)) or 'nothing'}")
    measured = {metric: round(measure(args.bench, metric), 1) for metric in METRICS}
    if args.record:
        recorded[args.compiler] = measured
        RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    missing = sorted(set(METRICS) - set(recorded[args.compiler]))
    if missing:
        sys.exit(f"recorded.json has no {', '.join(missing)} for {args.compiler}")
    failed = judge(measured, recorded[args.compiler])
    sys.exit(f"above the limit: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
