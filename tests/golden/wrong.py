#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""wrong.py DATA PROGRAM...: the model built with wrong rules must be caught by the recorded traces, each of them.

A program is called wrong-NAME; wrong-rules_are_right is the control that must pass.
"""
import glob
import os
import subprocess
import sys


def main(data, programs):
    # Short files first: most mistakes show at once.
    traces = [os.path.join(data, f"tinyodin_{name}.jsonl.gz") for name in ("spi", "edges", "drops", "timed", "idle")]
    assert sorted(traces) == sorted(glob.glob(os.path.join(data, "*.jsonl.gz"))), "traces that are not replayed"
    caught = wanted = 0
    good = True
    for program in programs:
        name = os.path.basename(program).removeprefix("wrong-")
        expected = 0 if name == "rules_are_right" else 1
        run = subprocess.run([program, *traces], stdout=subprocess.PIPE, text=True, timeout=120, check=False)
        good = good and run.returncode == expected
        caught += expected and run.returncode == 1
        wanted += expected
        verdict = "ok" if run.returncode == expected else f"EXPECTED EXIT {expected}, GOT {run.returncode}"
        print(f"{name:28} {verdict}: {run.stdout.strip()}")
    print(f"{caught}/{wanted} wrong rules caught")
    return 0 if good and caught and caught < len(programs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
