#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Installs the build into an empty folder, looks at what is there, and builds programs against it with pkg-config only.

usage: test_install.py BUILD_FOLDER ROOT_OF_THE_TREE tools|no-tools COMPILER...
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, ROOT, TOOLS = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] == "tools"
COMPILER = sys.argv[4:]

LIBRARY_FILES = {"include/nmhal/nmhal.h", "include/nmhal/analog.h", "include/nmhal/driver.h", "LIB/libnmhal.so",
                 "LIB/libnmhal.so.0", "LIB/pkgconfig/nmhal.pc"}
TOOL_FILES = {file.format(name) for name in ("nmhal-probe", "nmhal-vboard")
              for file in ("bin/{}", "share/man/man1/{}.1", "share/bash-completion/completions/{}")}


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="nmhal-install-")
        cls.dest = pathlib.Path(cls.folder.name) / "dest"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", str(cls.dest)],
                       check=True, capture_output=True, timeout=120)
        pc_file, = cls.dest.rglob("nmhal.pc")
        cls.lib = pc_file.parent.parent
        cls.prefix = next(path for path in cls.lib.parents if (path / "include").is_dir())
        cls.env = {**os.environ, "PKG_CONFIG_PATH": str(pc_file.parent), "PKG_CONFIG_SYSROOT_DIR": str(cls.dest),
                   "LD_LIBRARY_PATH": str(cls.lib)}
        cls.version = cls.pkg_config("--modversion")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def pkg_config(cls, *options):
        done = subprocess.run(["pkg-config", *options, "nmhal"], env=cls.env, capture_output=True, text=True,
                              timeout=60, check=True)
        return done.stdout.strip()

    def compile(self, name, *sources):
        """Builds a program with what pkg-config says and nothing else."""
        program = self.prefix / name
        flags = self.pkg_config("--cflags", "--libs").split()
        done = subprocess.run([*COMPILER, *map(str, sources), *flags, "-o", str(program)], env=self.env,
                              cwd=self.prefix, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return program

    def run_program(self, *command):
        done = subprocess.run(command, env=self.env, cwd=self.prefix, capture_output=True, text=True, timeout=120,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_installed_files(self):
        lib = self.lib.relative_to(self.prefix).as_posix()
        wanted = LIBRARY_FILES | {f"LIB/libnmhal.so.{self.version}"} | (TOOL_FILES if TOOLS else set())
        files = [path for path in self.dest.rglob("*") if not path.is_dir() and path.parent != self.prefix]
        rules = {path.name for path in files if path.suffix == ".rules"}  # udev has a folder outside the prefix
        self.assertLessEqual(rules, {"70-nmhal.rules", "71-nmhal-group.rules"})
        found = {path.relative_to(self.prefix).as_posix().replace(lib, "LIB") if self.prefix in path.parents else path
                 for path in files if path.suffix != ".rules"}
        self.assertEqual(found, wanted)

    def test_pkg_config_names_the_installed_folders_and_this_library_alone(self):
        self.assertEqual(self.pkg_config("--libs").split(), [f"-L{self.lib}", "-lnmhal"])
        self.assertEqual(self.pkg_config("--cflags"), f"-I{self.prefix}/include")

    def test_the_headers_are_those_of_the_tree(self):
        for name in ("nmhal.h", "analog.h", "driver.h"):
            self.assertEqual((self.prefix / "include/nmhal" / name).read_bytes(),
                             (ROOT / "include/nmhal" / name).read_bytes())

    def test_the_example_of_the_readme(self):
        program = self.compile("first_steps", ROOT / "examples/first_steps.c")
        self.assertEqual(self.run_program(str(program)), "step 2: neuron 7 fired\n")

    def test_a_driver_outside_the_library(self):
        folder = ROOT / "examples/own_board"
        program = self.compile("own_board", *(folder / f"{name}.c" for name in ("driver", "link", "main")))
        said = self.run_program(sys.executable, str(folder / "board.py"), str(program), "line:own,path={}")
        self.assertEqual(said, "1 2 3\n-4 -5 -6\n")

    def suite(self, extension, *sources):
        """Builds the conformance suite with a driver that is not part of the library, as docs/driver-howto.md says."""
        folder = ROOT / "tests/conformance"
        check = subprocess.run(["pkg-config", "--cflags", "--libs", "check"], capture_output=True, text=True,
                               check=True)
        return self.compile("suite", "-D_GNU_SOURCE", "-I" + str(folder), "-I" + str(ROOT / "examples/own_board"),
                            *folder.glob("*.c"), extension, *sources, *check.stdout.split())

    def test_the_suite_with_a_driver_outside_the_library(self):
        folder = ROOT / "examples/own_board"
        suite = self.suite(ROOT / "tests/conformance/own_board/extend.c", folder / "driver.c", folder / "link.c")
        said = self.run_program(sys.executable, str(folder / "board.py"), "env", "NMHAL_TEST_URI=line:own,path={}",
                                str(suite))
        self.assertRegex(said, r"\b0 failed, \d+ not there\n$")

    def test_the_skeleton_can_be_copied(self):
        text = (ROOT / "drivers/null/null.c").read_text(encoding="utf-8")
        driver, extension = self.prefix / "moth.c", self.prefix / "extend.c"
        for old, new in (("null_", "moth_"), ('"null"', '"moth"'), ("nm_driver_null", "nm_driver_moth")):
            text = text.replace(old, new)
        driver.write_text(text, encoding="utf-8")
        extension.write_text("#include <nmhal/driver.h>\nextern const struct nmhal_driver nm_driver_moth;\n"
                             "int conformance_extend(nmhal_context *ctx);\nint conformance_extend(nmhal_context *ctx)\n"
                             "{\n\treturn nmhal_context_add_driver(ctx, &nm_driver_moth);\n}\n", encoding="utf-8")
        said = self.run_program("env", "NMHAL_TEST_URI=moth:", str(self.suite(extension, driver)))
        self.assertRegex(said, r"\nmoth:: \d+ tests, 0 failed, \d+ not there\n$")

    @unittest.skipUnless(TOOLS, "built without nmhal-probe")
    def test_the_installed_tool(self):
        self.assertIn(self.version, self.run_program(str(self.prefix / "bin/nmhal-probe"), "version"))
        self.assertIn("sim:tinyodin", self.run_program(str(self.prefix / "bin/nmhal-probe"), "list"))
        completion = (self.prefix / "share/bash-completion/completions/nmhal-probe").read_text(encoding="utf-8")
        self.assertIn("complete ", completion)


if __name__ == "__main__":
    for needed in ("meson", "pkg-config"):
        if not shutil.which(needed):
            print(f"no {needed} on this machine")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1])
