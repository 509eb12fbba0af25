# SPDX-License-Identifier: MIT
"""Help, man page, completion and JSON name the same commands, options and keys."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import unittest

import probe
from probe import PROBE, SIM, npy

MAN = probe.ROOT / "docs/man/nmhal-probe.1"
GLOBAL = "OPTIONS"


def plain(line):
    """A line of the man page without its markup."""
    line = re.sub(r"\\f.|\"", "", re.sub(r"^\.\w+ ", "", line))
    return line.replace("\\-", "-").replace("\\ ", " ").replace("\\(dq", "")


def options_in(lines):
    """{long name: (short name, value)} of lines that begin with an option."""
    found = {}
    for line in lines:
        match = re.match(r"\s*(?:-(\w)\s*,\s*)?--([\w-]+)\s*(?:=(\S+))?", line)
        if match:
            found[match[2]] = (match[1], match[3])
    return found


def man_sections():
    """{name of .SH: lines}"""
    parts = re.split(r"^\.SH (.*)\n", MAN.read_text(encoding="utf-8"), flags=re.M)
    return {name: text.splitlines() for name, text in zip(parts[1::2], parts[2::2])}


def man_commands():
    """{command: {option: ...}} of the man page; what holds for all commands under GLOBAL."""
    sections = man_sections()
    found = {GLOBAL: options_in(map(plain, sections["OPTIONS"]))}
    before = ""
    for line in sections["COMMANDS"]:
        if line.startswith(".SS "):
            command = line.split()[1]
            found.setdefault(command, {})
        elif before == ".TP":
            found[command].update(options_in([plain(line)]))
        before = line
    return found


def bold(lines):
    """Words that .B and .BR make bold."""
    words = set()
    for line in lines:
        if line.startswith((".B ", ".BR ")):
            parts = shlex.split(line)
            words.update(parts[1:] if parts[0] == ".B" else parts[1::2])
    return words


def man_keys():
    """{command: keys of its JSON}"""
    found, command = {}, None
    lines = man_sections()["JSON OUTPUT"]
    for i, line in enumerate(lines):
        if i > 0 and lines[i - 1] == ".TP":
            command = line.split()[1]
            found[command] = set()
        elif command:
            found[command] |= bold([line])
    return found


def keys_of(value, named=False):
    """All keys in a JSON value; those of objects by name (attributes, parts, ...) are names, not keys."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    found = set() if named else set(value)
    for key, inner in value.items():
        found |= keys_of(inner, not named and key in ("attributes", "counters", "figures", "parts", "sensors"))
    return found


class Words(probe.ProbeTest):
    def help_commands(self):
        """{command: {option: ...}} of the help."""
        overview = self.probe("help").out
        found = {GLOBAL: options_in(overview.splitlines())}
        for name in re.findall(r"^  ([a-z]+) +[A-Z]", overview, re.M):
            options = options_in(self.probe("help", name).out.splitlines())
            self.assertEqual({key: options.pop(key) for key in found[GLOBAL]}, found[GLOBAL], name)
            found[name] = options
        return found

    def test_man_page_is_the_help(self):
        found = self.help_commands()
        self.assertGreater(len(found), 14)
        self.assertEqual(man_commands(), found)

    def test_completion_is_the_help(self):
        script = self.probe("completion", "bash").out
        found = {GLOBAL: re.search(r"\tglobal='([^']*)'", script)[1].split()}
        found.update({name: options.split() for name, options in re.findall(r"\t(\w+)\) options='([^']*)'", script)})
        wanted = {name: sorted(word for long, (short, _) in options.items()
                               for word in ["--" + long] + (["-" + short] if short else []))
                  for name, options in self.help_commands().items()}
        self.assertEqual({name: sorted(options) for name, options in found.items()}, wanted)
        self.assertEqual(re.search(r"commands='([^']*)'", script)[1].split(), list(wanted)[1:])

    def test_every_subcommand_has_a_synopsis(self):
        synopses = [plain(line) for line in man_sections()["COMMANDS"] if line.startswith(".SS ")]
        for wanted in ("neurons set RANGE FIELD=VALUE...", "trace run FILE...", "list [SCHEME]", "completion bash"):
            self.assertIn(wanted, synopses)

    def test_exit_codes(self):
        lines = man_sections()["EXIT STATUS"]
        codes = [int(line.split()[1]) for line in lines if line.startswith(".B ")]
        header = (probe.ROOT / "tools/common.h").read_text(encoding="utf-8")
        self.assertEqual(codes, [int(code) for code in re.findall(r"PROBE_\w+ = (\d+),", header)])

    def test_version_of_the_man_page(self):
        self.assertIn(f'"libnmhal {self.json("version")["libnmhal"]}"', MAN.read_text(encoding="utf-8"))

    def test_man_page_is_clean(self):
        for checker in (["mandoc", "-Tlint", "-Wwarning"], ["groff", "-ww", "-man", "-Tutf8", "-z"]):
            if shutil.which(checker[0]):
                done = subprocess.run([*checker, str(MAN)], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
                return
        raise unittest.SkipTest("neither mandoc nor groff is installed to check the man page")


class Json(probe.ProbeTest):
    def commands(self):
        """{command: command lines that show all its keys}"""
        matrix = self.path("w.npy", npy([[0] * 256] * 256))
        source = self.path("in.csv", probe.events((0, "spike", 0, 0)))
        golden = probe.ROOT / "tests/golden/data/tinyodin_drops.jsonl.gz"
        wrong = self.path("t.jsonl", probe.json.dumps({
            "id": 1, "mode": "idle", "spi": ["4000100001", "4000200000", "40003000ff", "4000000000"],
            "aer_in": ["000"], "aer_out": [[1]], "final_neurons": ["00000000"] * 256}))
        bench = [["-u", f"bench:tinyodin,{keys}", "selftest"]
                 for keys in ("row=1,col=1,bit=1", "neuron=9,bit=0", "mute=0")]
        zero = f"{SIM},init=zero"
        analog = ["-u", "analog:"]
        inputs = self.path("x.csv", "1,0,0,0,0,0,0,0\n")
        ramp = ["0,0,7", "--target=2uS", "--start=1V", "--step=1mV", "--stop=2V", "--width=1us", "-y"]
        cells = [["conductance"], ["conductance", "-o", self.path("g.npy")], ["set", *ramp],
                 ["pulse", "0,0,0", "--voltage=1V", "--width=1us", "-y"],
                 ["sweep", "0,0,0", "--start=0V", "--step=1mV", "--points=2", "--width=1us", "-y"]]
        return {"conformance": [["conformance", "sim:xbar8,fault=drop:0.001"]],
                "infer": [[*analog, "infer", inputs], [*analog, "infer", inputs, "-o", self.path("y.npy")]],
                "cells": [[*analog, "cells", *words] for words in cells],
                **{name: [[*analog, name]] for name in ("sensors", "counters", "limits", "arm", "disarm", "safe")},
                "list": [["list"]], "info": [["-u", SIM, "info"]], "attr": [["-u", SIM, "attr"]],
                "reset": [["-u", SIM, "reset"]], "selftest": [*bench, ["-u", "null:", "selftest"]],
                "program": [["-u", SIM, "program", matrix]],
                "weights": [["-u", SIM, "weights"], ["-u", SIM, "weights", "-o", self.path("o.npy")]],
                "neurons": [["-u", SIM, "neurons"], ["-u", SIM, "neurons", "set", "0", "leak=1"]],
                "run": [["-u", zero, "run", source], ["-u", zero, "run", source, "-o", self.path("o.csv")]],
                "trace": [["-u", SIM, "trace", "run", str(golden), wrong]],
                "bench": [["-u", SIM, "bench", "-r", "5"]], "version": [["version"]]}

    def test_keys_are_those_of_the_man_page(self):
        documented = man_keys()
        commands = self.commands()
        self.assertEqual(sorted(documented), sorted(commands))
        for command, lines in commands.items():
            with self.subTest(command=command):
                found = set()
                for line in lines:
                    done = subprocess.run([probe.FAULTY, "--json", *line], capture_output=True, text=True, check=False,
                                          env=probe.environment(), timeout=probe.TIMEOUT)
                    result = probe.json.loads(done.stdout)
                    self.assertEqual(result.pop("schema"), 1)
                    found |= keys_of(result)
                if command == "info":
                    documented["info"] |= documented["attr"] | {"counters"}
                self.assertEqual(found, documented[command])


class Completion(probe.ProbeTest):
    SCRIPT = """
        source "$1"
        _words() { _nmhal_probe nmhal-probe "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; }
        COMP_LINE="$2"; COMP_POINT=${#2}; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _words; printf '%s\\n' "${COMPREPLY[@]}"
    """

    def setUp(self):
        super().setUp()
        self.script = self.path("completion", self.probe("completion", "bash").out)

    def complete(self, line):
        """What bash offers at the end of `nmhal-probe <line>`. Bash splits words at blanks, ':' and '='."""
        line = f"{PROBE} {line}"
        words = [word for word in re.split(r"\s+|([:=]+)", line) if word]
        if line[-1] == " ":
            words.append("")
        done = subprocess.run(["bash", "-eu", "-c", self.SCRIPT, "test", self.script, line, *words],
                              capture_output=True, text=True, cwd=self.folder, env=probe.environment(),
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), line)
        return sorted(filter(None, done.stdout.split("\n")))

    def test_syntax(self):
        done = subprocess.run(["bash", "-n", self.script], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_installed_script_is_this_one(self):
        built = pathlib.Path(PROBE).parent / "completion/nmhal-probe"
        self.assertEqual(built.read_text(encoding="utf-8"), pathlib.Path(self.script).read_text(encoding="utf-8"))

    def test_commands(self):
        self.assertEqual(self.complete("re"), ["reset"])
        self.assertEqual(len(self.complete("")), 23)
        self.assertEqual(self.complete("cells s"), ["set", "sweep"])
        self.assertEqual(self.complete("-q -T 5 sel"), ["selftest"])
        self.assertEqual(self.complete("help n"), ["neurons"])
        self.assertEqual(self.complete("completion "), ["bash"])
        self.assertEqual(self.complete("trace "), ["run"])
        self.assertEqual(self.complete("neurons "), ["all", "set"])

    def test_options(self):
        self.assertEqual(self.complete("--j"), ["--json"])
        self.assertEqual(self.complete("run --r"), ["--raster", "--reset-state"])
        self.assertEqual(self.complete("-u sim:tinyodin program --ver"), ["--verbose", "--verify"])
        self.assertEqual(self.complete("info --region"), [])

    def test_devices(self):
        self.assertEqual(self.complete("-u s"), sorted(probe.EMULATED))
        self.assertEqual(self.complete("-u sim:"), sorted(uri[len("sim:"):] for uri in probe.EMULATED))
        self.assertEqual(self.complete("-u sim:tin"), ["tinyodin"])
        self.assertEqual(self.complete("--uri nu"), ["null:null"])

    def test_attributes_of_the_device(self):
        self.assertEqual(self.complete("-u sim:tinyodin attr max"), ["max_neuron"])
        self.assertEqual(self.complete("--uri=null: attr "), ["shift"])

    def test_files(self):
        self.path("weights.npy", "")
        os.mkdir(self.path("wide"))
        self.assertEqual(self.complete("program w"), ["weights.npy", "wide"])
        self.assertEqual(self.complete("trace run we"), ["weights.npy"])
        self.assertEqual(self.complete("weights -o we"), ["weights.npy"])


if __name__ == "__main__":
    probe.main()
