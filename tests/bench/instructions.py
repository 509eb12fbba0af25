#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gate on instruction counts: cachegrind on the count modes of bench/, two sizes each, difference per unit.

Fails when a count is above its fixed limit, or more than 5 % above recorded.json. Exit status 77 (skipped) where the
counts mean nothing. --record writes the counts of this compiler to recorded.json.
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

KERNEL = "spike event, AVX2 kernel"
MODEL_0 = "spike event, whole model"
MODEL_6 = "the same, 6 spikes per event"
REPORT = "a spike reported"  # what the whole model's events cost more because of spikes, per spike
YARDSTICK = "yardstick of bench-spike"
ENCODE = "encode an event for ftdi"
PRODUCTS = "crossbar panel, products alone"
ADC_S8 = "the same with ADC to s8"
ADC_S16 = "the same with ADC to s16"
ADC = "ADC of a crossbar panel"  # what the dearer of the two adds
GAUSSIANS = "4,096 Gaussian numbers"

# name: (unit, program, arguments before the size, small size, large size)
METRICS = {
    KERNEL: ("event", "bench-spike", ["count", "avx2-kernel", "0"], 4096, 20480),
    MODEL_0: ("event", "bench-spike", ["count", "avx2-model", "0"], 4096, 20480),
    MODEL_6: ("event", "bench-spike", ["count", "avx2-model", "6"], 4096, 20480),
    YARDSTICK: ("event", "bench-spike", ["count", "yardstick", "0"], 4096, 20480),
    "call on the null driver": ("call", "bench-hal", ["count"], 10000, 50000),
    "path, 0 spikes per event": ("event", "bench-path", ["count", "0"], 4096, 20480),
    "path, 1 spike per event": ("event", "bench-path", ["count", "1"], 4096, 20480),
    "path, 6 spikes per event": ("event", "bench-path", ["count", "6"], 4096, 20480),
    "program 65,536 weights": ("call", "bench-program", ["count", "weights"], 2, 6),
    # Many, because how much calloc() must clear differs from one open to the next, with the layout of the heap.
    "open + close": ("call", "bench-program", ["count", "open"], 2, 34),
    ENCODE: ("event", "bench-encode", ["count"], 4096, 20480),
    PRODUCTS: ("32 vectors", "bench-infer", ["count", "sums"], 10, 50),
    ADC_S8: ("32 vectors", "bench-infer", ["count", "adc-s8"], 10, 50),
    ADC_S16: ("32 vectors", "bench-infer", ["count", "adc-s16"], 10, 50),
    "the same with 4-bit weights": ("32 vectors", "bench-infer", ["count", "nibbles"], 10, 50),
    GAUSSIANS: ("chunk", "bench-infer", ["count", "noise"], 10, 50),
    "inference 256x256, batch 32": ("call", "bench-infer", ["count", "infer"], 2, 6),
    "inference 256x256, batch 1": ("call", "bench-infer", ["count", "infer-1"], 20, 100),
}
UNITS = {metric: f"instructions per {row[0]}" for metric, row in METRICS.items()}
UNITS |= {REPORT: "instructions per spike", ADC: "% of the products"}

# These hold whatever was recorded; the yardstick's is for gcc.
LIMITS = {KERNEL: 190, REPORT: 45, YARDSTICK: 470, ENCODE: 200, ADC: 5, GAUSSIANS: 16 * 4096}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def instructions(command):
    """(instructions that a command executes, its stdout), at the library's defaults and without Meson's filling of
    freed memory."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "NMHAL_"))}
    done = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null",
                           *command], env=plain, capture_output=True, text=True, check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"{' '.join(command)} under valgrind failed:\n{done.stdout}{done.stderr}")
    return int(found[1].replace(",", "")), done.stdout


def measure(bench):
    """Instructions per unit of every metric."""
    measured, spikes = {}, 0
    for metric, (_, program, arguments, small, large) in METRICS.items():
        if not (bench / program).exists():
            print(f"{metric}: not measured, {program} was not built")
            continue
        (count, before), (more, after) = (instructions([str(bench / program), *arguments, str(size)])
                                          for size in (small, large))
        measured[metric] = round((more - count) / (large - small), 1)
        if metric == MODEL_6:
            spikes = (int(after.split()[0]) - int(before.split()[0])) / (large - small)
    measured[REPORT] = round((measured[MODEL_6] - measured[MODEL_0]) / spikes, 1)
    if PRODUCTS in measured:
        measured[ADC] = round(100 * max(measured[ADC_S8], measured[ADC_S16]) / measured[PRODUCTS] - 100, 1)
    return measured


def judge(measured, recorded, limits):
    """Prints a line per metric; returns the names of those that failed."""
    failed = []
    for metric, count in measured.items():
        bounds = [recorded[metric] * TOLERANCE] if metric in recorded and metric != ADC else []
        bounds += [limits[metric]] if metric in limits else []
        good = not bounds or count <= min(bounds)
        print(f"{metric:28} {count:12,.1f} {UNITS[metric]}, recorded {recorded.get(metric, 0):,.1f}, "
              f"limit {min(bounds, default=0):,.1f}: {'ok' if good else 'FAIL'}")
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
    measured = measure(args.bench)
    if args.record:
        recorded[args.compiler] = measured
        RECORDED.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    limits = {metric: limit for metric, limit in LIMITS.items()
              if metric != YARDSTICK or args.compiler.startswith("gcc-")}
    failed = judge(measured, recorded.get(args.compiler, {}), limits)
    if failed:
        sys.exit(f"above the limit: {', '.join(failed)}")
    if args.compiler not in recorded:
        skip(f"no counts recorded for {args.compiler}, only for {', '.join(sorted(recorded)) or 'nothing'}; "
             "the fixed limits were held")
    missing = sorted(set(measured) - set(recorded[args.compiler]))
    if missing:
        sys.exit(f"recorded.json has no {', '.join(missing)} for {args.compiler}")


if __name__ == "__main__":
    main()
