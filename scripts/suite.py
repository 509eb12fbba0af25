#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The stages of scripts/test: runs them, counts what passed, failed and was skipped."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from tree import ROOT, shell_scripts

BUILD = ROOT / "build"
LOGS = BUILD / "logs"
JOBS = str(os.cpu_count() or 1)
COMMAND_TIMEOUT = 1800  # seconds; a test has its own, shorter one in Meson
# Long runs over virtual USB and emulated pins: with gcc and under sanitizers only.
WIRED = ("--no-suite", "usb", "--no-suite", "carriers", "--no-suite", "pins")
LONG = ("--no-suite", "long")  # one thread and the model at work: minutes in a tool that slows down 30 times
# Suites with a stage of their own.
SLOW = ("--no-suite", "faults", "--no-suite", "kernel", "--no-suite", "firmware", "--no-suite", "matrix")
OUR_CODE = ("hal", "nmlink", "drivers", "sim", "tools", "examples", "bench", "fuzz")
# Builds whose instructions are not counted; that the traces catch wrong rules is shown once, by the gcc build.
LEAN = ("-Dbench=false", "-Dwrong_rules=false")
NO_PROGRAMS = ("-Dtests=disabled", "-Dbench=false", "-Dexamples=false")

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP", "IGNORED"}


class Failed(Exception):
    """A stage cannot go on; its log says why."""


def end(child):
    """Ends a command that still runs, with all it started: it leads a session of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, number)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                pass


class Stage:
    """One stage: its log and its counts."""

    fuzz_seconds = 30  # for each fuzzer
    quick = False

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failures = []
        self.skips = []
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = (LOGS / f"{name}.log").open("w+", encoding="utf-8", errors="replace")

    def run(self, *command, env=None, check=True):
        """Runs a command in the root of the tree; its output goes to the log and is returned."""
        self.log.write("$ " + " ".join(map(str, command)) + "\n")
        self.log.flush()
        start = self.log.tell()
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                 stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = child.wait(COMMAND_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{command[0]} took more than {COMMAND_TIMEOUT} s") from None
        finally:
            end(child)
        self.log.seek(start)
        output = self.log.read()
        if check and status != 0:
            raise Failed(f"{command[0]} ended with status {status}")
        return output

    def check(self, *command):
        """A stage that is one command."""
        self.run(*command)
        self.passed += 1

    def configure(self, folder, *options, compiler="gcc"):
        """Configures build/<folder>, anew if it has become unusable, with warnings as errors; returns its path."""
        path = BUILD / folder
        setup = ("meson", "setup", "-Dwerror=true", *options)
        env = {"CC": compiler}
        if (path / "build.ninja").exists():
            try:
                self.run(*setup, "--reconfigure", str(path), env=env)
            except Failed:
                shutil.rmtree(path)
        if not (path / "build.ninja").exists():
            shutil.rmtree(path, ignore_errors=True)
            self.run(*setup, str(path), env=env)
        return path

    def build(self, folder, *options, compiler="gcc"):
        self.run("ninja", "-C", str(self.configure(folder, *options, compiler=compiler)), "-j", JOBS)

    def tests(self, folder, *options, setup=None, timeout=1):
        """Runs the Meson tests of build/<folder> and counts them."""
        logs = BUILD / folder / "meson-logs"
        for old in logs.glob("suite*.json"):
            old.unlink()
        chosen = ("--setup", setup) if setup else ()
        self.run("meson", "test", "-C", str(BUILD / folder), "--no-rebuild", "--print-errorlogs",
                 "--num-processes", JOBS, "--logbase", "suite",
                 "--timeout-multiplier", str(timeout), *chosen, *options, check=False)
        results = [json.loads(line) for log in logs.glob("suite*.json")
                   for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not results:
            raise Failed(f"no test of build/{folder} ran")
        for result in results:
            if result["result"] in PASSED:
                self.passed += 1
            elif result["result"] in SKIPPED:
                self.skips.append((result["name"], skip_reason(result)))
            else:
                self.failures.append(f"{result['name']}: {result['result']}")

    def unittests(self, name, output):
        """Counts the tests of a Python program that ran unittest with --verbose."""
        ran = re.search(r"^Ran (\d+) tests? in ", output, re.M)
        failed = set(re.findall(r"^(?:FAIL|ERROR): (\w+ \(\S+\))", output, re.M))
        skips = re.findall(r"^(test\w+) \(\S+\)(?:\n[^\n]*)?? \.\.\. skipped (['\"])(.*)\2$", output, re.M)
        self.failures += sorted(f"{name}: {test}" for test in failed)
        self.skips += [(f"{name}: {test}", reason) for test, _, reason in skips]
        if not ran or not re.search(r"^(OK|FAILED)\b", output[ran.end():], re.M):
            self.failures.append(f"{name}: did not run to its end")
        else:
            self.passed += max(0, int(ran[1]) - sum(test.startswith("test") for test in failed) - len(skips))


def skip_reason(result):
    """A test that skips says why in the last line it prints."""
    lines = (result.get("stdout", "") + "\n" + result.get("stderr", "")).strip().splitlines()
    return lines[-1].strip() if lines else "no reason given"


def includes(stage):
    stage.check(sys.executable, "scripts/check_includes.py")


def style(stage):
    stage.check(sys.executable, "scripts/check_style.py")
    stage.check("shellcheck", "--external-sources", *map(str, shell_scripts(ROOT)))


def gcc(stage):
    stage.build("gcc")
    stage.tests("gcc", *SLOW, *(WIRED if stage.quick else ()))


def clang(stage):
    stage.build("clang", "-Dwrong_rules=false", compiler="clang-14")
    stage.tests("clang", *SLOW, *WIRED)


def faults(stage):
    stage.build("gcc")
    stage.tests("gcc", "--suite", "faults")
    log = (BUILD / "gcc/meson-logs/suite.txt").read_text(encoding="utf-8", errors="replace")
    print("".join(f"   {line}\n" for line in re.findall(r"^.* sessions as documented.*$", log, re.M)), end="")


def matrix(stage):
    """Carrier by carrier: no single run of Meson takes longer than a command may."""
    stage.build("gcc")
    for carrier in ("sim", "unix", "tcp", "tty", "usb", "uart", "fifo"):
        stage.tests("gcc", "--suite", "matrix", f"matrix-{carrier}-all")
        log = (BUILD / "gcc/meson-logs/suite.txt").read_text(encoding="utf-8", errors="replace")
        cells = re.findall(r" ([\d.]+) s of CPU, +([\d.]+) s$", log, re.M)
        print(f"   {carrier:5}{len(cells):3} cells, {sum(float(cpu) for cpu, _ in cells):6.1f} s of CPU, "
              f"{sum(float(wall) for _, wall in cells):6.1f} s", flush=True)


def without_skips(stage):
    """In a stage for which everything it needs was installed a skip is a failure."""
    stage.failures += [f"{name} skipped: {reason}" for name, reason in stage.skips]
    stage.skips = []


def kernel(stage):
    stage.build("gcc")
    stage.tests("gcc", "--suite", "kernel")
    without_skips(stage)


def firmware(stage):
    stage.build("gcc")
    stage.tests("gcc", "--suite", "firmware")
    without_skips(stage)
    log = (BUILD / "gcc/meson-logs/suite.txt").read_text(encoding="utf-8", errors="replace")
    print("".join(f"   {line}\n" for line in re.findall(r"^.*: text \d+ bytes .*$", log, re.M)), end="")


def fuzz_one(stage, target):
    """Runs one fuzzer on the committed corpus; what it finds stays in build/fuzz/found. Returns its sentence."""
    found = BUILD / "fuzz/found"
    corpus = found / target
    corpus.mkdir(parents=True, exist_ok=True)
    output = subprocess.run([BUILD / "fuzz/fuzz" / f"fuzz_{target}", f"-max_total_time={stage.fuzz_seconds}",
                             "-timeout=20", "-rss_limit_mb=1024", "-malloc_limit_mb=160", "-max_len=4096",
                             f"-artifact_prefix={found}/{target}-", corpus, ROOT / "fuzz/corpus" / target],
                            stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            errors="replace", check=False, timeout=stage.fuzz_seconds + 300)
    stage.log.write(output.stdout)
    if output.returncode:
        stage.failures.append(f"fuzz_{target}: see {found.relative_to(ROOT)}")
    else:
        stage.passed += 1
    cover = re.findall(r"cov: (\d+) .*?corp: (\d+)", output.stdout) or [("?", "?")]
    runs = re.findall(r"^Done (\d+) runs", output.stdout, re.M) or ["?"]
    return f"   fuzz_{target:10} {runs[-1]:>9} runs, {cover[-1][0]:>5} edges, corpus of {cover[-1][1]}\n"


def fuzz(stage):
    path = stage.configure("fuzz", "-Dfuzz=true", *LEAN, compiler="clang-14")
    stage.run("ninja", "-C", str(path), "-j", JOBS, "fuzzers")
    targets = sorted(folder.name for folder in (ROOT / "fuzz/corpus").iterdir())
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        print("".join(pool.map(lambda target: fuzz_one(stage, target), targets)), end="")


def asan(stage):
    # What gcc inserts makes it warn of conversions that are none.
    stage.build("asan", "-Db_sanitize=address,undefined", "-Dc_args=-fno-sanitize-recover=all -Wno-error=conversion",
                "-Doptimization=1", *LEAN)
    stage.tests("asan", *SLOW, setup="asan")


def tsan(stage):
    stage.build("tsan", "-Db_sanitize=thread", "-Doptimization=1", *LEAN)
    stage.tests("tsan", *SLOW, *LONG, setup="tsan")


def valgrind(stage):
    stage.build("gcc")
    stage.tests("gcc", "--suite", "unit", "--suite", "wire", *LONG, setup="valgrind")


def tidy(stage):
    # Without the tests: clang-tidy looks at a file once for every program that it is built into.
    path = stage.configure("tidy", "-Dtests=disabled", compiler="clang-14")
    stage.check("run-clang-tidy-14", "-quiet", "-j", JOBS, "-p", str(path), f"^{re.escape(str(ROOT))}/")


def cppcheck(stage):
    stage.check("cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--language=c", "-j", JOBS, "--inline-suppr",
                "--enable=warning,performance,portability", "--suppressions-list=scripts/cppcheck.txt", "-D_GNU_SOURCE",
                "-Djson_object_foreach(object,key,value)=while(each(object,&key,&value))", "-Iinclude",
                "-I.", *OUR_CODE)


def analyzer(stage):
    stage.build("analyzer", "-Dc_args=-fanalyzer", *NO_PROGRAMS)
    stage.passed += 1


def options(stage):
    """Each optional part left out: what remains builds and passes its tests."""
    for name, setup in [("no-hdf5", ["-Dhdf5=disabled"]), ("null-only", ["-Ddrivers=null"])]:
        stage.build(name, *setup, "-Doptimization=0", *LEAN)
        stage.tests(name, *SLOW, *WIRED, "--no-suite", "checks")
    stage.build("bare", "-Dhdf5=disabled", "-Dtools=disabled", *NO_PROGRAMS, "--buildtype=release", "-Db_ndebug=true")
    stage.passed += 1


def coverage(stage):
    shutil.rmtree(BUILD / "coverage", ignore_errors=True)
    stage.build("coverage", "-Db_coverage=true", "-Doptimization=0", *LEAN)
    stage.tests("coverage", *SLOW, setup="coverage")
    traces = str(BUILD / "coverage" / "coverage.json")
    stage.run("gcovr", "--root", ".", "--filter", "(hal|nmlink|drivers|sim|tools)/", "-j", JOBS, "--json", traces,
              str(BUILD / "coverage"))
    for folder in ("hal/", "nmlink/", "drivers/", "sim/", "tools/", ""):
        text = stage.run("gcovr", "--root", ".", "-a", traces, "--filter", folder or ".*", "--print-summary")
        rates = dict(re.findall(r"^(lines|branches): ([\d.]+%)", text, re.M))
        print(f"   coverage of {folder or 'all':9} lines {rates.get('lines', '?'):>6}, "
              f"branches {rates.get('branches', '?'):>6}", flush=True)
    stage.passed += 1


def python(stage):
    """The package as pip makes it, tested from outside of its folder; in build/venv, which scripts/test fills."""
    venv = BUILD / "venv/bin"
    env = {"PATH": f"{venv}:{os.environ['PATH']}", "PYTHONPATH": "",
           "NMHAL_BUILD": str(BUILD / "gcc")}
    stage.build("gcc")
    pip = (str(venv / "pip"), "--disable-pip-version-check")
    wheels = BUILD / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    stage.run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--config-settings", f"build-dir={BUILD / 'python'}",
              "--wheel-dir", str(wheels), ".", env=env)
    stage.run(*pip, "install", "--no-deps", "--force-reinstall", *map(str, wheels.glob("*.whl")), env=env)
    for path in sorted((ROOT / "tests/python").glob("test_*.py")):
        output = stage.run(str(venv / "python"), "-W", "error", "-X", "dev", str(path), "--verbose", env=env,
                           check=False)
        stage.unittests(path.stem, output)
    stage.check(str(venv / "mypy"), "--strict", "--cache-dir", str(BUILD / "mypy"), "bindings/python/nmhal")


def demo(stage):
    print("".join(f"   {line}\n" for line in stage.run("scripts/demo").splitlines()[-12:]), end="")
    stage.passed += 1


# In this order: what is quick or most likely to fail comes first.
STAGES = {
    includes: "which folder includes which",
    style: "style that a machine can see",
    gcc: "gcc, warnings as errors, all tests",
    clang: "clang, warnings as errors, all tests",
    asan: "address and undefined-behaviour sanitizers",
    tsan: "thread sanitizer: threads, conformance",
    faults: "a fault at every USB transfer, through the real libusb and libftdi1",
    kernel: "nmhal-probe in a virtual machine with Debian's kernel",
    firmware: "the board side on Cortex-M0+ and RISC-V: sizes",
    fuzz: "fuzzers, for a short time",
    matrix: "conformance of every profile on every carrier with every fault",
    valgrind: "memcheck: unit and wire tests",
    tidy: "clang-tidy",
    cppcheck: "cppcheck",
    analyzer: "gcc -fanalyzer",
    options: "builds with parts left out",
    coverage: "line and branch coverage",
    python: "the Python package: pip, all tests with the warnings of Python as errors, mypy",
    demo: "scripts/demo",
}

# Minutes of analysis that the 40 minutes of a whole run have no room for: with --all, or by name.
EXTRA = ("matrix", "valgrind", "tidy", "analyzer", "coverage")


def run_stage(function, title):
    """Runs one stage and prints its result; returns it."""
    print(f"== {function.__name__}: {title}", flush=True)
    stage = Stage(function.__name__)
    start = time.monotonic()
    try:
        function(stage)
    except Failed as reason:
        stage.failures.append(str(reason))
    if stage.failures:
        stage.log.flush()
        stage.log.seek(0)
        print("".join(stage.log.readlines()[-120:]), end="")
        for failure in stage.failures:
            print(f"   FAILED: {failure}")
    stage.log.close()
    print(f"   {stage.passed} passed, {len(stage.failures)} failed, {len(stage.skips)} skipped, "
          f"{time.monotonic() - start:.0f} s", flush=True)
    return stage


def summary(done):
    """Prints what was skipped and what failed, and last of all the counts; returns the exit status."""
    for stage in done:
        for name, reason in stage.skips:
            print(f"skipped in {stage.name}: {name}: {reason}")
    for stage in done:
        for failure in stage.failures:
            print(f"failed in {stage.name}: {failure} (build/logs/{stage.name}.log)")
    failed = sum(len(stage.failures) for stage in done)
    print(f"{sum(stage.passed for stage in done)} passed, {failed} failed, "
          f"{sum(len(stage.skips) for stage in done)} skipped")
    return 1 if failed else 0


def main():
    names = {function.__name__: function for function in STAGES}
    parser = argparse.ArgumentParser(prog="scripts/test", description="Runs the test suite.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="one gcc build with its tests, but not the long runs")
    parser.add_argument("--all", action="store_true", help=f"{', '.join(EXTRA)} too, which are left out else")
    parser.add_argument("--list", action="store_true", help="names of the stages")
    parser.add_argument("--fuzz-seconds", type=int, default=Stage.fuzz_seconds, metavar="N",
                        help="seconds for each fuzzer")
    args = parser.parse_args()
    Stage.fuzz_seconds, Stage.quick = args.fuzz_seconds, args.quick
    unknown = [name for name in args.stages if name not in names]
    if unknown:
        parser.error(f"no stage {unknown[0]!r}; stages: {', '.join(names)}")
    if args.list:
        print("\n".join(f"{function.__name__:10}{title}" for function, title in STAGES.items()))
        return 0
    # Whoever runs this in the background may have had SIGINT ignored, which tests of Ctrl-C would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    usual = [name for name in names if args.all or name not in EXTRA]
    wanted = ["gcc"] if args.quick else args.stages or usual
    done = [run_stage(names[name], STAGES[names[name]]) for name in wanted]
    return summary(done)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
