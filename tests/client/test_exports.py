#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What libnmhal.so exports is what hal/nmhal.map lists and what the public headers declare; its name and version node.

usage: test_exports.py LIBRARY ROOT_OF_THE_TREE
"""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY = sys.argv[1]
HEADERS = ["nmhal.h", "analog.h", "driver.h"]
ROOT = pathlib.Path(sys.argv[2])
NODE = "NMHAL_0"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def exported():
    """{symbol: version node} of the library."""
    lines = output("nm", "--dynamic", "--defined-only", "--with-symbol-versions", LIBRARY).splitlines()
    symbols = [line.split()[1:] for line in lines]
    return {name.split("@")[0]: name.partition("@@")[2] for kind, name in symbols if kind != "A"}


def mapped():
    return re.findall(r"^\t(\w+);$", text("hal/nmhal.map").partition("local:")[0], re.M)


def declared():
    found = []
    for header in HEADERS:
        code = re.sub(r"/\*.*?\*/", "", text(f"include/nmhal/{header}"), flags=re.S)
        found += [re.search(r"(nmhal_\w+)\(", line)[1] for line in re.findall(r"^NMHAL_API [^;]*;", code, re.M)]
    return found


class Exports(unittest.TestCase):
    def test_library_map_and_headers_agree(self):
        self.assertEqual(sorted(exported()), sorted(mapped()))
        self.assertEqual(sorted(declared()), sorted(mapped()))
        self.assertGreater(len(mapped()), 50)

    def test_the_map_is_sorted(self):
        self.assertEqual(mapped(), sorted(set(mapped())))

    def test_every_symbol_has_the_version_node(self):
        self.assertEqual(set(exported().values()), {NODE})

    def test_every_declared_function_is_marked(self):
        """A prototype without NMHAL_API would not be exported."""
        for header in HEADERS:
            code = re.sub(r"/\*.*?\*/|^#.*?(?<!\\)$", "", text(f"include/nmhal/{header}"), flags=re.S | re.M)
            for line in re.findall(r"^[\w* ]+\bnmhal_\w+\([^;{]*;", code, re.M):
                self.assertTrue(line.startswith("NMHAL_API "), line)

    def test_the_name_carries_the_major_version(self):
        major = re.search(r"define NMHAL_API_VERSION_MAJOR (\d+)", text("include/nmhal/nmhal.h"))[1]
        soname = re.search(r"SONAME.*\[(.*)\]", output("readelf", "--dynamic", "--wide", LIBRARY))
        self.assertEqual(soname[1], f"libnmhal.so.{major}")
        self.assertEqual(NODE, f"NMHAL_{major}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
