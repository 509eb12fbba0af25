# SPDX-License-Identifier: MIT
"""The tree keeps the include rules and the style, and the checks see what breaks them."""
import os
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import check_includes  # noqa: E402
import check_style  # noqa: E402
import tree  # noqa: E402


class Tree(unittest.TestCase):
    """A small tree of files to break rules in."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        for name in ["include/nmhal/nmhal.h", "include/nmhal/driver.h", "hal/hal.h", "sim/chip.h", "drivers/a/a.h",
                     "drivers/b/b.h", "drivers/common/c.h", "drivers/record/trace.h", "drivers/record/record.h",
                     "nmlink/frame.h"]:
            self.put(name, "/* SPDX-License-Identifier: MIT */\n")

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Includes(Tree):
    def test_this_tree_keeps_the_rules(self):
        self.assertEqual(check_includes.broken_rules(ROOT), [])

    def test_allowed(self):
        for name, include in [
                ("hal/a.c", '"hal.h"'), ("hal/a.c", "<nmhal/driver.h>"), ("hal/a.c", "<pthread.h>"),
                ("drivers/a/a.c", '"a.h"'), ("drivers/a/a.c", '"drivers/common/c.h"'),
                ("drivers/sim/s.c", '"sim/chip.h"'), ("tests/unit/t.c", '"hal/hal.h"'),
                ("tools/probe.c", "<nmhal/nmhal.h>"), ("tools/probe.c", "<jansson.h>"), ("sim/a.c", '"chip.h"'),
                ("drivers/replay/r.c", '"drivers/record/trace.h"'),
                ("nmlink/a.c", "<stdint.h>"), ("nmlink/a.c", '"frame.h"'),
                ("examples/firmware/f.c", '"nmlink/frame.h"'), ("drivers/link/l.c", '"nmlink/frame.h"'),
                ("tools/conformance/c.c", "<nmhal/driver.h>"), ("tools/conformance/c.c", '"nmlink/frame.h"'),
                ("bench/b.c", '"sim/chip.h"'), ("drivers/ftdi/f.c", "<libftdi1/ftdi.h>")]:
            with self.subTest(name=name, include=include):
                self.put(name, f"#include {include}\n")
                self.assertEqual(check_includes.broken_rules(self.root), [])
                (self.root / name).unlink()

    def test_forbidden(self):
        for name, include in [
                ("hal/a.c", "<libusb-1.0/libusb.h>"), ("hal/a.c", '"drivers/a/a.h"'), ("hal/a.c", '"../sim/chip.h"'),
                ("hal/a.c", '"chip.h"'), ("hal/a.c", '"nmlink/frame.h"'), ("nmlink/a.c", "<stdio.h>"),
                ("nmlink/a.c", "<string.h>"), ("nmlink/a.c", '"sim/chip.h"'), ("nmlink/a.c", "<nmhal/nmhal.h>"),
                ("examples/firmware/f.c", "<string.h>"), ("examples/firmware/f.c", "<nmhal/nmhal.h>"),
                ("sim/a.c", '"hal/hal.h"'), ("sim/a.c", "<nmhal/driver.h>"), ("sim/a.c", '"a.h"'),
                ("drivers/a/a.c", '"hal/hal.h"'), ("drivers/a/a.c", '"drivers/b/b.h"'),
                ("drivers/replay/r.c", '"drivers/record/record.h"'), ("drivers/record/r.c", '"drivers/a/a.h"'),
                ("drivers/common/c.c", '"drivers/b/b.h"'),
                ("drivers/odin/o.c", "<libftdi1/ftdi.h>"), ("drivers/link/l.c", "<libusb.h>"),
                ("drivers/odin/o.c", '"sim/chip.h"'), ("drivers/odin/o.c", '"nmlink/frame.h"'),
                ("drivers/link/l.c", '"sim/chip.h"'), ("tools/probe.c", "<nmhal/driver.h>"),
                ("tools/probe.c", '"hal/hal.h"'), ("examples/e.c", "<nmhal/driver.h>"),
                ("tools/conformance/c.c", '"hal/hal.h"'), ("tools/cmd_a.c", '"nmlink/frame.h"'),
                ("tests/client/c.c", '"hal.h"'), ("include/nmhal/x.h", "<pthread.h>")]:
            with self.subTest(name=name, include=include):
                self.put(name, f"int x;\n#  include {include}\n")
                broken = check_includes.broken_rules(self.root)
                self.assertTrue(broken)
                self.assertTrue(broken[0].startswith(f"{name}:2: "), broken)
                (self.root / name).unlink()

    def test_program_linked_with_the_static_library(self):
        self.put("tools/meson.build", "executable('probe', 'probe.c', dependencies: core_dep)\n")
        self.assertEqual(len(check_includes.broken_rules(self.root)), 1)


class Files(unittest.TestCase):
    """What holds wherever the tree lies."""

    # What a developer's machine has and others have not.
    MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|builds|work(?:spaces?)?|mnt|opt|srv|media)/[\w.]")

    def test_no_path_of_one_machine(self):
        for path in tree.all_files(ROOT):
            try:
                text = (ROOT / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # data
            for number, line in enumerate(text.splitlines(), 1):
                self.assertIsNone(self.MACHINE_PATH.search(line), f"{path}:{number}: {line.strip()}")

    def test_the_pattern_sees_such_a_path(self):
        for line in ["cd /home" "/someone/src", '"/root' '/.cache"', "path=/opt" "/xilinx/bin"]:
            self.assertIsNotNone(self.MACHINE_PATH.search(line), line)
        for line in ["/usr/include/hdf5", "examples/home/x", "$HOME/x", "../root/x"]:
            self.assertIsNone(self.MACHINE_PATH.search(line), line)

    def test_commands_are_executable(self):
        for path in [".ci/run", "scripts/demo", "scripts/test"]:
            self.assertTrue(os.access(ROOT / path, os.X_OK), path)


class Style(Tree):
    HEAD = "/* SPDX-License-Identifier: MIT */\n"

    def test_this_tree_keeps_the_style(self):
        self.assertEqual(list(check_style.faults(ROOT)), [])

    def test_good_file(self):
        self.put("hal/a.c", self.HEAD + "/*\n * A comment.\n */\nint f(void)\n{\n\treturn 0;\n}\n")
        self.assertEqual(list(check_style.faults(self.root)), [])

    def test_faults(self):
        long_function = "int f(void)\n{\n" + "\tx++;\n" * 59 + "}\n"
        for name, text, fault in [
                ("hal/a.c", "int x; \n", "blank at the end"), ("hal/a.c", "  int x;\n", "spaces"),
                ("hal/a.c", "int x;", "no newline"), ("hal/a.c", "int x;\r\n", "carriage return"),
                ("hal/a.c", "/* " + "x" * 118 + " */\n", "columns"), ("hal/a.c", "/* TO" "DO */\n", "mark"),
                ("hal/a.c", '\tprintf("x");\n', "prints"), ("sim/a.c", '\tfprintf(stderr, "x");\n', "prints"),
                ("hal/a.c", long_function, "f has 61 lines"), ("hal/a.c", "int x;\n" * 600, "600"),
                ("tests/a.c", "START_TEST(t)\nEND_TEST\n", "without an assertion")]:
            with self.subTest(text=text[:40]):
                self.put(name, self.HEAD + text)
                found = [line for line in check_style.faults(self.root) if fault in line]
                self.assertEqual(len(found), 1, list(check_style.faults(self.root)))
                (self.root / name).unlink()

    def test_licence_line(self):
        self.put("hal/a.c", "int x;\n")
        self.assertIn("SPDX", "".join(check_style.faults(self.root)))

    def test_python_function_length(self):
        self.put("scripts/a.py", "# SPDX-License-Identifier: MIT\ndef f():\n" + "    x = 1\n" * 60)
        self.assertIn("f has 61 lines", "".join(check_style.faults(self.root)))


if __name__ == "__main__":
    unittest.main()
