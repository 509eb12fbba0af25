#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The public headers compile alone, in each language, with no warning and no padding in a public struct.

usage: test_headers.py INCLUDE_FOLDER c|c++ COMPILER...
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

INCLUDE = pathlib.Path(sys.argv[1])
LANGUAGE = sys.argv[2]
COMPILER = sys.argv[3:]
STANDARDS = {"c": ["c99", "c11", "gnu17"], "c++": ["c++11", "c++17"]}[LANGUAGE]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wpadded", "-Wconversion", "-Wundef", "-Werror"]
HEADERS = ["nmhal/nmhal.h", "nmhal/analog.h", "nmhal/driver.h"]


def structs(*headers):
    """Names of the structs that the headers define."""
    found = []
    for header in headers:
        found += re.findall(r"^struct (nmhal_\w+) \{", (INCLUDE / header).read_text(encoding="utf-8"), re.M)
    return found


def errors(source, standard, include=INCLUDE):
    """What the compiler says; empty when it takes the source."""
    done = subprocess.run([*COMPILER, "-x", LANGUAGE, f"-std={standard}", *WARNINGS, f"-I{include}", "-c", "-o",
                           "/dev/null", "-"], input=source, capture_output=True, text=True, timeout=120, check=False)
    return done.stderr if done.returncode else ""


class Headers(unittest.TestCase):
    def accepted(self, source):
        for standard in STANDARDS:
            with self.subTest(standard=standard):
                self.assertEqual(errors(source, standard), "")

    def test_each_header_alone(self):
        for header in HEADERS:
            self.accepted(f"#include <{header}>\n")

    def test_all_headers_in_any_order_and_twice(self):
        for order in (HEADERS, HEADERS[::-1]):
            self.accepted("".join(f"#include <{header}>\n" for header in [*order, *order]))

    def test_no_padding_in_public_structs(self):
        names = structs(*HEADERS)
        self.assertGreater(len(names), 20)
        # A compiler lays a struct out, and says where it pads, when its size is asked for.
        self.accepted("#include <nmhal/driver.h>\n" + "".join(
            f"extern char size_of_{name}[sizeof(struct {name})];\n" for name in names))

    def test_the_macros_can_be_used(self):
        initialisers = re.findall(r"^#define (NMHAL_(\w+)_INIT)\b",
                                  (INCLUDE / HEADERS[0]).read_text(encoding="utf-8"), re.M)
        self.assertGreater(len(initialisers), 1)
        self.accepted("#include <nmhal/nmhal.h>\n" + "".join(
            f"extern struct nmhal_{name.lower()} a_{name};\nstruct nmhal_{name.lower()} a_{name} = {macro};\n"
            for macro, name in initialisers))
        self.accepted("#include <nmhal/nmhal.h>\n#if NMHAL_API_VERSION_MAJOR > 1000\n#error\n#endif\n"
                      "extern uint64_t some;\nuint64_t some = NMHAL_UNKNOWN - NMHAL_CAN_RESET;\n")

    def test_padding_would_be_seen(self):
        for standard in STANDARDS:
            said = errors("struct gap { char a; int b; };\nextern char size[sizeof(struct gap)];\n", standard)
            self.assertIn("pad", said)


if __name__ == "__main__":
    if not shutil.which(COMPILER[0]):
        print(f"no {COMPILER[0]} on this machine")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
